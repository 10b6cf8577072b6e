/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/fault.h"
#include "maintain/rewrite.h"

enum {
    LEAST_FILES = 8,           /* so many at least are merged ... */
    LEAST_GROWTH = 7,          /* ... and the largest of them becomes part of one so many times as large */
    SMALL_SIZE = 512 << 10,    /* merging files up to this takes no time to speak of */
    LEAST_SIZE = 32 << 10,     /* nobody minds what is deleted of less */
    COLD_COMMITS = 500,        /* a file that so many have left alone is done with, for now */
    NOTABLE_SHARE = 16,        /* of the table's bytes, as divisor: a smaller file's deleted rows are nothing to its readers */
    FULL_SIZE = 128 << 20,     /* files as large as this are left alone ... */
    FULL_COPIED = 16 << 20,    /* or this, where one deleted row has the whole file written again ... */
    MOST_INPUTS = 2,           /* of full size */
    READ_ROWS = 16384,
    READ_BYTES = 8 << 20,
};
#define DELETED_SHARE 0.2 /* ... unless so much of them is deleted */

typedef struct input {
    char             *path; /* in the log */
    char             *key;  /* in the folder */
    int64_t           size;
    uint32_t          ordinal;
    int64_t           rows;
    int64_t           from, to; /* of these rows only */
    roaring_bitmap_t *deleted; /* as of begin; owned; NULL: none */
    int64_t           offset;  /* of its first kept row in the new file */
} input;

struct tain_rewrite {
    tain_delta      *table;
    tain_store      *folder;
    tain_schema     *schema;
    input           *inputs;
    uint32_t        *ordinals;
    size_t           count;
    bool             hashed;
    tain_parquet_options options;
    tain_delta_indexed indexed; /* columns with statistics */
    uint16_t        *key_columns;
    tain_key         key;
    tain_delta_file *output;
    bool             offered; /* it is, or may be, the table's */
    bool             thins, thinned; /* it gets no vector; it was written once more when it was finished */
    atomic_bool      halted;
    uint64_t        *hashes;
    size_t           rows, capacity;
};

/* --- picking ------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t x = (*(tain_delta_file *const *)a)->size, y = (*(tain_delta_file *const *)b)->size;
    return x < y ? -1 : x > y;
}

/* Some engines read a file with a vector much slower than one without, however little is deleted. */
static bool is_cold(const tain_delta *t, const tain_delta_file *f, const tain_rewrite_rule *rule)
{
    return tain_delta_version(t) - f->since >= COLD_COMMITS && f->size <= rule->spare_bytes;
}

static bool is_rotten(const tain_delta *t, const tain_delta_file *f, const tain_rewrite_rule *rule)
{
    if (!f->dv.storage || f->rows <= 0) return false;
    return (double)f->dv.cardinality > DELETED_SHARE * (double)f->rows || f->vector_bytes > f->size || is_cold(t, f, rule);
}

/* What lies elsewhere (a shallow clone's files) is left where it is. */
static bool is_inside(tain_delta *t, const tain_delta_file *f)
{
    char *key = tain_delta_file_key(t, f);
    free(key);
    return key != NULL;
}

static int64_t kept_of(const tain_delta_file *f)
{
    return f->rows > 0 ? f->rows - f->dv.cardinality : 0;
}

int64_t tain_rewrite_full_size(const tain_delta *t)
{
    return t && tain_delta_has_vectors(t) ? FULL_SIZE : FULL_COPIED;
}

static int64_t full_size(const tain_delta *t, const tain_rewrite_rule *rule)
{
    return rule->full_bytes ? rule->full_bytes : tain_rewrite_full_size(t);
}

static bool is_full(const tain_delta *t, const tain_delta_file *f, const tain_rewrite_rule *rule)
{
    return f->size >= full_size(t, rule) || kept_of(f) > rule->most_rows / 2;
}

static bool is_taken(const tain_rewrite *by, const tain_delta_file *f)
{
    for (size_t i = 0; by && i < by->count; i++)
        if (by->ordinals[i] == f->ordinal) return true;
    return false;
}

/* One that alone has more rows than may be merged was not made here, and stays as it is. */
static bool is_candidate(tain_delta *t, const tain_delta_file *f, const tain_rewrite_rule *rule)
{
    if (rule->what == TAIN_REWRITE_SMALL && f->size > SMALL_SIZE) return false;
    if (is_full(t, f, rule) && !(is_rotten(t, f, rule) && kept_of(f) <= rule->most_rows)) return false;
    return f->ordinal >= rule->from && !is_taken(rule->beside, f) && is_inside(t, f);
}

static size_t all_live(tain_delta *t, const tain_rewrite_rule *rule, tain_delta_file ***ret)
{
    tain_delta_file *f;
    size_t n = 0;
    *ret = tain_alloc((tain_delta_file_count(t) + 1) * sizeof **ret);
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);)
        if (is_candidate(t, f, rule)) (*ret)[n++] = f;
    qsort(*ret, n, sizeof **ret, by_size);
    return n;
}

/* Files are sorted by size. As many as can be, of which none is large beside all of them: each row is then merged again only
 * when its file is small beside the next, which is so a few times in its life. */
static size_t due(tain_delta_file **files, size_t n, const tain_rewrite_rule *rule)
{
    int64_t bytes = 0;
    size_t take = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += files[i]->size;
        if (i + 1 >= LEAST_FILES && files[i]->size <= bytes / LEAST_GROWTH) take = i + 1;
    }
    bool small = take && files[take - 1]->size <= SMALL_SIZE;
    return small == (rule->what == TAIN_REWRITE_SMALL) ? take : 0;
}

static size_t within_budget(const tain_delta *t, tain_delta_file **files, size_t n, const tain_rewrite_rule *rule)
{
    int64_t bytes = 0, rows = 0;
    size_t i = 0;
    for (; i < n; i++) {
        bytes += files[i]->size;
        rows += kept_of(files[i]);
        if (bytes > MOST_INPUTS * full_size(t, rule) || rows > rule->most_rows) break;
    }
    return i ? i : n ? 1 : 0;
}

/* One file alone is worth it only for its deleted rows. */
static size_t worth(const tain_delta *t, tain_delta_file **files, size_t n, const tain_rewrite_rule *rule)
{
    return n == 1 && !is_rotten(t, files[0], rule) ? 0 : n;
}

/* Of the tail of a large table nothing is: it is merged soon. */
static size_t pick_rotten(const tain_delta *t, tain_delta_file **files, size_t n, const tain_rewrite_rule *rule)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_rotten(t, files[i], rule) || files[i]->size < LEAST_SIZE) continue;
        if (files[i]->size < FULL_SIZE / 4 && files[i]->size < tain_delta_bytes(t) / NOTABLE_SHARE) continue;
        files[0] = files[i];
        return 1;
    }
    return 0;
}

tain_delta_file **tain_rewrite_pick(tain_delta *t, const tain_rewrite_rule *rule, size_t *ret_count)
{
    tain_delta_file **files;
    size_t n = all_live(t, rule, &files), take;
    if (rule->what == TAIN_REWRITE_ALL) {
        take = worth(t, files, within_budget(t, files, n, rule), rule);
        if (!take) take = pick_rotten(t, files, n, rule);
    } else {
        take = within_budget(t, files, due(files, n, rule), rule);
        if (take < 2) take = rule->what == TAIN_REWRITE_LARGE ? pick_rotten(t, files, n, rule) : 0;
    }
    *ret_count = take;
    if (take) return files;
    free(files);
    return NULL;
}

/* The smaller ones first. */
static size_t within_bytes(tain_delta_file **files, size_t n, int64_t bytes)
{
    size_t i = 0;
    while (i < n && (bytes -= files[i]->size) >= 0) i++;
    return i;
}

tain_delta_file **tain_rewrite_pick_vectors(tain_delta *t, const tain_rewrite_rule *rule, size_t *ret_count)
{
    tain_delta_file *f, **files = tain_alloc((tain_delta_file_count(t) + 1) * sizeof(tain_delta_file *));
    size_t n = 0;
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);)
        if (f->dv.storage && !is_taken(rule->beside, f) && is_inside(t, f)) files[n++] = f;
    qsort(files, n, sizeof *files, by_size);
    *ret_count = within_budget(t, files, within_bytes(files, n, rule->spare_bytes), rule);
    if (*ret_count) return files;
    free(files);
    return NULL;
}

/* --- beginning ----------------------------------------------------------------------------------------------------- */

static tain_status note_input(tain_delta *t, tain_delta_file *f, input *in, tain_error *err)
{
    const roaring_bitmap_t *deleted = NULL;
    if (t) TAIN_TRY(tain_delta_deleted(t, f, &deleted, err));
    char *key = t ? tain_delta_file_key(t, f) : tain_strdup(f->path);
    if (!key) return tain_fail(err, TAIN_E_UNSUPPORTED, "data file %s lies outside of the table's folder", f->path);
    *in = (input){.path = tain_strdup(f->path), .key = key, .size = f->size, .ordinal = f->ordinal, .rows = f->rows, .to = INT64_MAX};
    if (deleted) in->deleted = roaring_bitmap_copy(deleted);
    return TAIN_OK;
}

tain_status tain_rewrite_begin(tain_delta *t, tain_store *folder, tain_delta_file **files, size_t n, const tain_key *key,
                               tain_rewrite **ret, tain_error *err)
{
    tain_rewrite *r = tain_alloc(sizeof *r);
    *r = (tain_rewrite){.table = t, .folder = folder, .schema = t ? tain_schema_copy(tain_delta_meta(t)->schema) : NULL, .hashed = key != NULL, .options = tain_parquet_defaults(), .indexed = tain_delta_indexed_columns(t)};
    r->inputs = tain_alloc(n * sizeof *r->inputs);
    r->ordinals = tain_alloc(n * sizeof *r->ordinals);
    if (key) {
        r->key_columns = tain_alloc((key->count + 1) * sizeof *r->key_columns);
        memcpy(r->key_columns, key->columns, key->count * sizeof *r->key_columns);
        r->key = (tain_key){.columns = r->key_columns, .count = key->count, .seed = key->seed};
    }
    for (; r->count < n; r->count++) {
        tain_status st = note_input(t, files[r->count], &r->inputs[r->count], err);
        if (st != TAIN_OK) {
            tain_rewrite_free(r);
            return st;
        }
        r->ordinals[r->count] = files[r->count]->ordinal;
    }
    r->thins = !t || !tain_delta_has_vectors(t);
    *ret = r;
    return TAIN_OK;
}

void tain_rewrite_thin(tain_rewrite *r)
{
    r->thins = true;
}

void tain_rewrite_schema(tain_rewrite *r, const tain_schema *schema)
{
    tain_schema_free(r->schema);
    r->schema = tain_schema_copy(schema);
}

void tain_rewrite_drop(tain_rewrite *r, size_t i, const roaring_bitmap_t *rows)
{
    input *in = &r->inputs[i];
    if (in->deleted) roaring_bitmap_or_inplace(in->deleted, rows);
    else in->deleted = roaring_bitmap_copy(rows);
}

void tain_rewrite_range(tain_rewrite *r, size_t i, int64_t from, int64_t to)
{
    r->inputs[i].from = from;
    r->inputs[i].to = to;
}

tain_delta_file *tain_rewrite_output(const tain_rewrite *r, const uint64_t **ret_hashes, size_t *ret_rows)
{
    *ret_hashes = r->hashes;
    *ret_rows = r->rows;
    return r->output;
}

void tain_rewrite_offered(tain_rewrite *r, bool taken)
{
    r->offered = true;
    if (taken) r->output = NULL;
}

void tain_rewrite_limit(tain_rewrite *r, const tain_parquet_options *options)
{
    r->options = *options;
}

/* It is nobody's, unless the answer to its commit was lost. */
static void give_up_output(tain_rewrite *r)
{
    if (!r->offered) (void)!tain_store_remove(r->folder, r->output->path, NULL);
    tain_delta_file_free(r->output);
}

void tain_rewrite_free(tain_rewrite *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->count; i++) {
        free(r->inputs[i].path);
        free(r->inputs[i].key);
        if (r->inputs[i].deleted) roaring_bitmap_free(r->inputs[i].deleted);
    }
    if (r->output) give_up_output(r);
    tain_schema_free(r->schema);
    tain_delta_indexed_done(&r->indexed);
    free(r->inputs);
    free(r->ordinals);
    free(r->key_columns);
    free(r->hashes);
    free(r);
}

bool tain_rewrite_is_thinned(const tain_rewrite *r)
{
    return r->thinned;
}

const uint32_t *tain_rewrite_inputs(const tain_rewrite *r, size_t *ret_count)
{
    *ret_count = r->count;
    return r->ordinals;
}

/* --- running ------------------------------------------------------------------------------------------------------- */

static size_t kept_rows(const input *in, int64_t first, size_t n, uint32_t *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!in->deleted || !roaring_bitmap_contains(in->deleted, (uint32_t)(first + (int64_t)i))) rows[kept++] = (uint32_t)i;
    return kept;
}

static void hash_kept(tain_rewrite *r, const tain_batch *batch, const uint32_t *rows, size_t n)
{
    if (!r->hashed) return;
    if (r->rows + n > r->capacity) {
        r->capacity = (r->rows + n) * 2;
        r->hashes = tain_realloc(r->hashes, r->capacity * sizeof *r->hashes);
    }
    uint64_t *all = tain_alloc((batch->rows + 1) * sizeof *all);
    tain_key_hash(&r->key, batch, 0, batch->rows, all);
    for (size_t i = 0; i < n; i++) r->hashes[r->rows + i] = all[rows[i]];
    free(all);
}

static tain_status copy_rows(tain_rewrite *r, const input *in, tain_parquet_file *file, tain_parquet_writer *w, tain_error *err)
{
    tain_batch batch;
    tain_batch_init(&batch, r->schema);
    uint32_t *rows = tain_alloc(READ_ROWS * sizeof *rows);
    tain_status st = TAIN_OK;
    for (int64_t at = in->from, n, to = in->to < in->rows ? in->to : in->rows; st == TAIN_OK && at < to; at += n) {
        tain_batch_clear(&batch);
        st = tain_parquet_read_some(file, at, to - at < READ_ROWS ? to - at : READ_ROWS, READ_BYTES, &batch, &n, err);
        if (st == TAIN_OK && atomic_load(&r->halted)) st = tain_fail(err, TAIN_E_CANCELLED, "halted");
        if (st != TAIN_OK) break;
        size_t kept = kept_rows(in, at, (size_t)n, rows);
        hash_kept(r, &batch, rows, kept);
        if (kept) st = tain_parquet_append(w, &batch, rows, 0, kept, err);
        r->rows += kept;
    }
    free(rows);
    tain_batch_done(&batch);
    return st;
}

void tain_rewrite_halt(tain_rewrite *r)
{
    atomic_store(&r->halted, true);
}

static tain_status copy_file(tain_rewrite *r, input *in, tain_parquet_writer *w, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_parquet_open(r->folder, in->key, in->size, &file, err));
    in->rows = tain_parquet_file_rows(file);
    in->offset = (int64_t)r->rows;
    return copy_rows(r, in, file, w, err);
}

tain_status tain_rewrite_run(tain_rewrite *r, tain_error *err)
{
    tain_delta_writer *w;
    TAIN_TRY(tain_delta_writer_new(r->folder, r->schema, &r->options, &w, err));
    tain_delta_writer_index(w, &r->indexed);
    tain_status st = TAIN_OK;
    for (size_t i = 0; st == TAIN_OK && i < r->count; i++) st = copy_file(r, &r->inputs[i], tain_delta_writer_parquet(w), err);
    if (st != TAIN_OK || r->rows == 0) {
        tain_delta_writer_abort(w);
        return st;
    }
    TAIN_TRY(tain_delta_writer_finish(w, &r->output, err));
    tain_fault(TAIN_FAULT_MERGE_WRITTEN);
    return TAIN_OK;
}

bool tain_rewrite_index(tain_rewrite *r, const tain_index *index, tain_index_part *part)
{
    if (!r->output || !r->hashed || !tain_index_is_part(index, r->rows)) return false;
    if (tain_index_part_run(part, r->output->path, r->hashes, r->rows, NULL) != TAIN_OK) return false;
    free(r->hashes); /* many files may be rewritten for one commit */
    r->hashes = NULL;
    return true;
}

/* --- finishing ----------------------------------------------------------------------------------------------------- */

typedef struct mapping { const input *in; roaring_bitmap_t *out; } mapping;

/* A row deleted since begin, at its place in the new file: behind the kept rows before it. */
static bool map_row(uint32_t row, void *ctx)
{
    const mapping *m = ctx;
    if (m->in->deleted && roaring_bitmap_contains(m->in->deleted, row)) return true;
    uint64_t gone_before = m->in->deleted ? roaring_bitmap_rank(m->in->deleted, row) : 0;
    roaring_bitmap_add(m->out, (uint32_t)(m->in->offset + row - (int64_t)gone_before));
    return true;
}

static tain_status map_input(tain_rewrite *r, const input *in, tain_delta_file *live, roaring_bitmap_t *out, tain_error *err)
{
    mapping m = {.in = in, .out = out};
    if (!live) { /* emptied meanwhile: all its rows are gone */
        uint64_t kept = (uint64_t)in->rows - (in->deleted ? roaring_bitmap_get_cardinality(in->deleted) : 0);
        roaring_bitmap_add_range(out, (uint64_t)in->offset, (uint64_t)in->offset + kept);
        return TAIN_OK;
    }
    const roaring_bitmap_t *now;
    TAIN_TRY(tain_delta_deleted(r->table, live, &now, err));
    if (now) roaring_iterate(now, map_row, &m);
    return TAIN_OK;
}

static tain_delta_file *still_live(tain_rewrite *r, const input *in)
{
    tain_delta_file *f = tain_delta_find(r->table, in->path);
    return f && f->ordinal == in->ordinal ? f : NULL;
}

/* *ret: the new file in the table; NULL: no row was left. Without removes there is nothing to say. */
static tain_status commit(tain_rewrite *r, tain_delta_file **removes, size_t remove_count, roaring_bitmap_t *gone, tain_delta_file **ret, tain_error *err)
{
    *ret = NULL;
    if (!remove_count) return TAIN_OK;
    TAIN_AUTO(tain_free) char *path = r->output ? tain_strdup(r->output->path) : NULL;
    struct tain_dv_change delete = {.file = r->output, .rows = gone};
    json_t *parameters = json_pack("{s:s}", "predicate", "[]");
    tain_delta_commit c = {
        .operation = "OPTIMIZE", .parameters = parameters, .adds = &r->output, .add_count = r->output ? 1 : 0, .removes = removes,
        .remove_count = remove_count, .deletes = &delete, .delete_count = r->output && !roaring_bitmap_is_empty(gone) ? 1 : 0,
    };
    tain_status st = tain_delta_commit_write(r->table, &c, err);
    json_decref(parameters);
    r->offered = st == TAIN_OK || st == TAIN_E_UNKNOWN;
    if (st != TAIN_OK) return st;
    tain_fault(TAIN_FAULT_MERGE_COMMITTED);
    r->output = NULL; /* the table's now */
    if (path) *ret = tain_delta_find(r->table, path);
    return TAIN_OK;
}

static void swap_output(tain_rewrite *r, tain_rewrite *other)
{
    tain_delta_file *file = r->output;
    uint64_t *hashes = r->hashes;
    size_t rows = r->rows;
    r->output = other->output;
    r->hashes = other->hashes;
    r->rows = other->rows;
    other->output = file;
    other->hashes = hashes;
    other->rows = rows;
}

/* The merged file without the rows that are gone, for a table that has no vectors. */
static tain_status thin_out(tain_rewrite *r, const roaring_bitmap_t *gone, tain_rewrite **ret, tain_error *err)
{
    tain_rewrite *again = NULL;
    TAIN_TRY(tain_rewrite_begin(r->table, r->folder, &r->output, 1, r->hashed ? &r->key : NULL, &again, err));
    tain_rewrite_schema(again, r->schema);
    tain_rewrite_limit(again, &r->options);
    tain_rewrite_drop(again, 0, gone);
    tain_status st = tain_rewrite_run(again, err);
    if (st == TAIN_OK) *ret = again;
    else tain_rewrite_free(again);
    return st;
}

/* A conflict brings back what was merged at first: what is gone is told by places in that. */
static tain_status commit_thin(tain_rewrite *r, tain_delta_file **removes, size_t remove_count, roaring_bitmap_t *gone, tain_delta_file **ret, tain_error *err)
{
    tain_rewrite *thin;
    TAIN_TRY(thin_out(r, gone, &thin, err));
    swap_output(r, thin);
    roaring_bitmap_clear(gone);
    tain_status st = commit(r, removes, remove_count, gone, ret, err);
    r->thinned = st == TAIN_OK;
    if (!r->offered) swap_output(r, thin);
    tain_rewrite_free(thin);
    return st;
}

/* To a vacuum without retention a file that no commit names yet is garbage. */
tain_status tain_rewrite_look(const tain_rewrite *r, tain_error *err)
{
    tain_object o;
    tain_status st = r->output ? tain_store_head(r->folder, r->output->path, &o, err) : TAIN_OK;
    return st == TAIN_E_NOT_FOUND ? tain_fail(err, TAIN_E_CONFLICT, "another program removed the merged file %s", r->output->path) : st;
}

/* Those that are live, and which rows of the merged file are gone by now. */
static tain_status look_at_inputs(tain_rewrite *r, tain_delta_file **ret_live, size_t *ret_count, roaring_bitmap_t *gone, tain_error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        tain_delta_file *live = still_live(r, &r->inputs[i]);
        if (live) ret_live[(*ret_count)++] = live;
        TAIN_TRY(map_input(r, &r->inputs[i], live, gone, err));
    }
    return TAIN_OK;
}

tain_status tain_rewrite_finish(tain_rewrite *r, tain_delta_file **ret, const uint64_t **ret_hashes, size_t *ret_rows, tain_error *err)
{
    TAIN_AUTO(tain_free) tain_delta_file **live = tain_alloc((r->count + 1) * sizeof(tain_delta_file *));
    size_t n = 0;
    roaring_bitmap_t *gone = roaring_bitmap_create();
    tain_status st = tain_rewrite_look(r, err);
    if (st == TAIN_OK) st = look_at_inputs(r, live, &n, gone, err);
    bool thins = n && r->output && r->thins && !roaring_bitmap_is_empty(gone);
    if (st == TAIN_OK) st = (thins ? commit_thin : commit)(r, live, n, gone, ret, err);
    *ret_hashes = r->hashes;
    *ret_rows = r->rows;
    roaring_bitmap_free(gone);
    return st;
}
