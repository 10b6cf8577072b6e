/* SPDX-License-Identifier: MIT */
#include "maintain/sorted.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"
#include "scan/scan.h"

enum { CONFLICTS_MOST = 20, SPOOL_BUFFER = 1 << 20 };

typedef struct input {
    char             *path; /* in the log */
    char             *local;
    uint32_t          ordinal;
    roaring_bitmap_t *deleted; /* as of the beginning; owned; NULL: none */
    const roaring_bitmap_t *now; /* as of the newest version, while one is looked at */
    bool              live;
} input;

typedef struct output {
    tain_delta_file  *file;
    int64_t           rows;
    roaring_bitmap_t *gone; /* owned; while a version is looked at */
} output;

typedef struct origin { uint32_t file, row; } origin; /* of a row of the new files, in their order */

typedef struct sorting {
    tain_delta                *table;
    tain_store                *folder;
    const tain_sorted_options *options;
    tain_schema               *schema, *located;
    tain_delta_indexed         indexed;
    input                     *inputs;
    size_t                     input_count;
    output                    *outputs;
    size_t                     output_count;
    FILE                      *origins;
    bool                       offered; /* the new files are, or may be, the table's */
} sorting;

/* --- what there is ------------------------------------------------------------------------------------------------- */

static tain_status note_input(sorting *s, tain_delta_file *f, tain_error *err)
{
    const roaring_bitmap_t *deleted;
    input *in = &s->inputs[s->input_count];
    TAIN_TRY(tain_delta_deleted(s->table, f, &deleted, err));
    *in = (input){.path = tain_strdup(f->path), .local = tain_delta_file_local_path(s->table, f), .ordinal = f->ordinal};
    if (deleted) in->deleted = roaring_bitmap_copy(deleted);
    s->input_count++;
    return in->local ? TAIN_OK : tain_fail(err, TAIN_E_UNSUPPORTED, "data file %s is not on this machine", f->path);
}

/* Those without deletions first. */
static int by_deletions(const void *a, const void *b)
{
    const input *x = a, *y = b;
    return (x->deleted != NULL) - (y->deleted != NULL);
}

static tain_status note_inputs(sorting *s, tain_error *err)
{
    tain_delta_file *f;
    s->inputs = tain_alloc((tain_delta_file_count(s->table) + 1) * sizeof *s->inputs);
    for (size_t cursor = 0; tain_delta_next_file(s->table, &cursor, &f);) TAIN_TRY(note_input(s, f, err));
    qsort(s->inputs, s->input_count, sizeof *s->inputs, by_deletions);
    return TAIN_OK;
}

static FILE *open_origins(const char *folder)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/tain-sort-XXXXXX", folder);
    int fd = mkstemp(path);
    if (fd < 0) return NULL;
    (void)unlink(path);
    FILE *f = fdopen(fd, "w+");
    if (f) setvbuf(f, NULL, _IOFBF, SPOOL_BUFFER);
    else close(fd);
    return f;
}

static void add_location(tain_schema *s)
{
    tain_schema_add(s, "__tain_file", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "__tain_row", tain_type_of(TAIN_INT64));
}

static tain_status begin(sorting *s, tain_error *err)
{
    s->schema = tain_schema_copy(tain_delta_meta(s->table)->schema);
    s->located = tain_schema_copy(s->schema);
    add_location(s->located);
    s->indexed = tain_delta_indexed_columns(s->table);
    s->origins = open_origins(s->options->spill);
    if (!s->origins) return tain_fail_errno(err, "a temporary file in %s", s->options->spill);
    return note_inputs(s, err);
}

static void done(sorting *s)
{
    for (size_t i = 0; i < s->input_count; i++) {
        free(s->inputs[i].path);
        free(s->inputs[i].local);
        if (s->inputs[i].deleted) roaring_bitmap_free(s->inputs[i].deleted);
    }
    for (size_t i = 0; i < s->output_count; i++) {
        if (!s->offered) (void)!tain_store_remove(s->folder, s->outputs[i].file->path, NULL);
        tain_delta_file_free(s->outputs[i].file);
    }
    if (s->origins) fclose(s->origins);
    free(s->inputs);
    free(s->outputs);
    tain_schema_free(s->schema);
    tain_schema_free(s->located);
    tain_delta_indexed_done(&s->indexed);
}

/* --- sorting ------------------------------------------------------------------------------------------------------- */

static tain_status open_result(sorting *s, tain_scan *scan, tain_result **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_scan_file *files = tain_alloc((s->input_count + 1) * sizeof *files);
    for (size_t i = 0; i < s->input_count; i++) files[i] = (tain_scan_file){.path = s->inputs[i].local, .deleted = s->inputs[i].deleted};
    tain_status st = tain_scan_add_located(scan, "main", "t", s->schema, files, s->input_count, err);
    free(files);
    TAIN_TRY(st);
    tain_buffer_append_str(&sql, "SELECT * FROM main.t ORDER BY ");
    for (size_t i = 0; i < s->options->count; i++) tain_buffer_printf(&sql, "%s%d ASC NULLS LAST", i ? ", " : "", s->options->columns[i] + 1);
    return tain_scan_query(scan, tain_buffer_cstr(&sql), ret, err);
}

static tain_status note_origins(sorting *s, const tain_batch *b, size_t n, tain_error *err)
{
    const int64_t *file = (const int64_t *)b->columns[s->schema->count].values.data, *row = (const int64_t *)b->columns[s->schema->count + 1].values.data;
    for (size_t i = 0; i < n; i++) {
        const origin from = {.file = (uint32_t)file[i], .row = (uint32_t)row[i]};
        if (fwrite(&from, sizeof from, 1, s->origins) != 1) return tain_fail_errno(err, "a temporary file in %s", s->options->spill);
    }
    return TAIN_OK;
}

static tain_status end_file(sorting *s, tain_delta_writer **io, tain_error *err)
{
    tain_delta_writer *w = *io;
    tain_delta_file *file;
    *io = NULL;
    TAIN_TRY(tain_delta_writer_finish(w, &file, err));
    s->outputs = tain_realloc(s->outputs, (s->output_count + 1) * sizeof *s->outputs);
    s->outputs[s->output_count++] = (output){.file = file, .rows = file->rows};
    return TAIN_OK;
}

static tain_status write_rows(sorting *s, const tain_batch *b, size_t n, tain_delta_writer **io, tain_error *err)
{
    if (!*io) {
        TAIN_TRY(tain_delta_writer_new(s->folder, s->schema, &s->options->files, io, err));
        tain_delta_writer_index(*io, &s->indexed);
    }
    tain_parquet_writer *w = tain_delta_writer_parquet(*io);
    TAIN_TRY(tain_parquet_append(w, b, NULL, 0, n, err));
    return tain_parquet_size(w) >= s->options->file_bytes ? end_file(s, io, err) : TAIN_OK;
}

static tain_status write_result(sorting *s, tain_result *r, tain_delta_writer **io, tain_error *err)
{
    tain_batch b;
    tain_status st = TAIN_OK;
    tain_batch_init(&b, s->located);
    for (size_t n = 1; st == TAIN_OK && n;) {
        tain_batch_clear(&b);
        st = tain_result_next(r, &b, &n, err);
        if (st == TAIN_OK && n) st = note_origins(s, &b, n, err);
        if (st == TAIN_OK && n) st = write_rows(s, &b, n, io, err);
    }
    tain_batch_done(&b);
    return st == TAIN_OK && *io ? end_file(s, io, err) : st;
}

static tain_status sort(sorting *s, tain_error *err)
{
    TAIN_AUTO(tain_scan_close) tain_scan *scan = NULL;
    tain_result *r = NULL;
    tain_delta_writer *w = NULL;
    TAIN_TRY(tain_scan_open(&(tain_scan_options){.memory = s->options->memory, .temp_dir = s->options->spill}, &scan, err));
    tain_status st = open_result(s, scan, &r, err);
    if (st == TAIN_OK) st = write_result(s, r, &w, err);
    tain_delta_writer_abort(w);
    tain_result_free(r);
    if (st == TAIN_OK && fflush(s->origins) != 0) st = tain_fail_errno(err, "a temporary file in %s", s->options->spill);
    return st;
}

/* --- what happened meanwhile --------------------------------------------------------------------------------------- */

/* Whether rows have gone since the beginning. */
static tain_status look_at_input(sorting *s, input *in, bool *io_changed, tain_error *err)
{
    tain_delta_file *f = tain_delta_find(s->table, in->path);
    in->live = f && f->ordinal == in->ordinal;
    in->now = NULL;
    if (in->live) TAIN_TRY(tain_delta_deleted(s->table, f, &in->now, err));
    uint64_t before = in->deleted ? roaring_bitmap_get_cardinality(in->deleted) : 0;
    *io_changed |= !in->live || (in->now && roaring_bitmap_get_cardinality(in->now) > before);
    return TAIN_OK;
}

/* What another program has rewritten lives in its file, not in ours. */
static tain_status carry_over(sorting *s, tain_error *err)
{
    origin from;
    rewind(s->origins);
    for (size_t i = 0; i < s->output_count; i++) {
        for (int64_t row = 0; row < s->outputs[i].rows; row++) {
            if (fread(&from, sizeof from, 1, s->origins) != 1 || from.file >= s->input_count)
                return tain_fail(err, TAIN_E_INTERNAL, "where rows came from was not kept");
            const input *in = &s->inputs[from.file];
            if (!in->live || (in->now && roaring_bitmap_contains(in->now, from.row))) roaring_bitmap_add(s->outputs[i].gone, (uint32_t)row);
        }
    }
    return TAIN_OK;
}

static tain_status commit_version(sorting *s, tain_error *err)
{
    size_t removes = 0, deletes = 0;
    tain_delta_file **adds = tain_alloc((s->output_count + 1) * sizeof *adds), **gone = tain_alloc((s->input_count + 1) * sizeof *gone);
    struct tain_dv_change *changes = tain_alloc((s->output_count + 1) * sizeof *changes);
    for (size_t i = 0; i < s->output_count; i++) {
        adds[i] = s->outputs[i].file;
        if (!roaring_bitmap_is_empty(s->outputs[i].gone)) changes[deletes++] = (struct tain_dv_change){.file = adds[i], .rows = s->outputs[i].gone};
    }
    for (size_t i = 0; i < s->input_count; i++)
        if (s->inputs[i].live) gone[removes++] = tain_delta_find(s->table, s->inputs[i].path);
    json_t *parameters = json_pack("{s:s}", "predicate", "[]");
    const tain_delta_commit c = {.operation = "OPTIMIZE", .parameters = parameters, .adds = adds, .add_count = s->output_count,
                                 .removes = gone, .remove_count = removes, .deletes = changes, .delete_count = deletes};
    tain_status st = tain_delta_commit_write(s->table, &c, err);
    s->offered = st == TAIN_OK || st == TAIN_E_UNKNOWN;
    json_decref(parameters);
    free(adds);
    free(gone);
    free(changes);
    return st;
}

static tain_status try_commit(sorting *s, tain_error *err)
{
    bool changed = false;
    int64_t foreign;
    TAIN_TRY(tain_delta_refresh(s->table, &foreign, err));
    for (size_t i = 0; i < s->input_count; i++) TAIN_TRY(look_at_input(s, &s->inputs[i], &changed, err));
    for (size_t i = 0; i < s->output_count; i++) s->outputs[i].gone = roaring_bitmap_create();
    tain_status st = changed ? carry_over(s, err) : TAIN_OK;
    if (st == TAIN_OK) st = commit_version(s, err);
    for (size_t i = 0; i < s->output_count; i++) roaring_bitmap_free(s->outputs[i].gone);
    if (st == TAIN_OK) s->output_count = 0; /* the table's now */
    return st;
}

tain_status tain_sorted_rewrite(tain_delta *t, tain_store *folder, const tain_sorted_options *o, tain_error *err)
{
    sorting s = {.table = t, .folder = folder, .options = o};
    if (tain_delta_file_count(t) == 0) return TAIN_OK;
    tain_status st = begin(&s, err);
    if (st == TAIN_OK) st = sort(&s, err);
    if (st == TAIN_OK) {
        tain_fault(TAIN_FAULT_MERGE_WRITTEN);
        st = try_commit(&s, err);
    }
    for (int tries = 1; st == TAIN_E_CONFLICT && tries < CONFLICTS_MOST; tries++) st = try_commit(&s, err);
    if (st == TAIN_OK) tain_fault(TAIN_FAULT_MERGE_COMMITTED);
    done(&s);
    return st;
}
