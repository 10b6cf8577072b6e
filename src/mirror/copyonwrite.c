/* SPDX-License-Identifier: MIT */
#include "mirror/copyonwrite.h"

#include <stdlib.h>

#include "base/fault.h"
#include "mirror/upkeep.h"

enum { WRITTEN_AT_ONCE = 3, /* two threads of the pool, and who asks them */ LEAST_ROWS = 1 << 14, MOST_ROWS = 1 << 20 };

/* Files that become one, or a range of one file's rows. */
typedef struct piece {
    tain_rewrite     *rewrite;
    const tain_index *index;   /* NULL: none that holds */
    tain_index_part  *part;
    bool              indexed; /* part is made */
} piece;

struct tain_copies {
    tain_table       *table;
    piece            *pieces;
    size_t            count;
    tain_delta_file **adds, **removes, **dropped; /* dropped: pending files that are not added */
    size_t            add_count, remove_count, dropped_count;
};

typedef struct source { /* a file that does not stay as it is */
    tain_delta_file  *file;
    roaring_bitmap_t *rows; /* newly deleted */
} source;

int64_t tain_copies_most_rows(const tain_table *t)
{
    int64_t n = (int64_t)t->budget / WRITTEN_AT_ONCE / TAIN_REWRITE_ROW_BYTES;
    return !t->budget || n > MOST_ROWS ? MOST_ROWS : n < LEAST_ROWS ? LEAST_ROWS : n;
}

/* --- which files --------------------------------------------------------------------------------------------------- */

static bool is_touched(const tain_table *t, const tain_delta_file *f)
{
    const roaring_bitmap_t *rows = tain_pending_deletes((tain_table *)t, (tain_delta_file *)f, false);
    return rows && !roaring_bitmap_is_empty(rows);
}

static tain_status any_row_stays(const tain_table *t, const source *s, bool *ret, tain_error *err)
{
    const roaring_bitmap_t *before = NULL;
    *ret = true;
    if (s->file->rows < 0) return TAIN_OK;
    if (t->delta) TAIN_TRY(tain_delta_deleted(t->delta, s->file, &before, err));
    uint64_t gone = before ? roaring_bitmap_or_cardinality(before, s->rows) : roaring_bitmap_get_cardinality(s->rows);
    *ret = gone < (uint64_t)s->file->rows;
    return TAIN_OK;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = ((const source *)a)->file->size, y = ((const source *)b)->file->size;
    return x < y ? -1 : x > y;
}

/* Ascending by size; caller frees. */
static tain_status list_sources(const tain_table *t, source **ret, size_t *ret_count, tain_error *err)
{
    const tain_pending *p = &t->pending;
    source *list = *ret = tain_alloc((p->delete_count + 1) * sizeof *list);
    *ret_count = 0;
    for (size_t i = 0; i < p->delete_count; i++) {
        source s = {.file = p->deletes[i].file, .rows = p->deletes[i].rows};
        bool stays = false;
        if (!roaring_bitmap_is_empty(s.rows)) TAIN_TRY(any_row_stays(t, &s, &stays, err));
        if (stays) list[(*ret_count)++] = s;
    }
    qsort(list, *ret_count, sizeof *list, by_size);
    return TAIN_OK;
}

/* --- pieces -------------------------------------------------------------------------------------------------------- */

static tain_status add_piece(tain_copies *c, const source *sources, size_t n, piece **ret, tain_error *err)
{
    tain_table *t = c->table;
    bool indexed = t->index && !t->unindexed;
    tain_delta_file **files = tain_alloc((n + 1) * sizeof(tain_delta_file *));
    for (size_t i = 0; i < n; i++) files[i] = sources[i].file;
    piece *p = &c->pieces[c->count];
    *p = (piece){.index = indexed ? t->index : NULL};
    tain_status st = tain_rewrite_begin(t->delta, t->store, files, n, indexed ? &t->key : NULL, &p->rewrite, err);
    free(files);
    TAIN_TRY(st);
    tain_parquet_options options = tain_table_file_options(t);
    options.row_group_bytes /= WRITTEN_AT_ONCE;
    tain_rewrite_schema(p->rewrite, tain_table_columns(t));
    tain_rewrite_limit(p->rewrite, &options);
    for (size_t i = 0; i < n; i++) tain_rewrite_drop(p->rewrite, i, sources[i].rows);
    if (indexed) p->part = tain_index_part_begin(t->index);
    c->count++;
    *ret = p;
    return TAIN_OK;
}

/* So many files of them as fit into one. */
static size_t that_fit(const source *s, size_t n, int64_t size, int64_t most_rows)
{
    int64_t bytes = 0, rows = 0;
    size_t i = 0;
    for (; i < n; i++) {
        bytes += s[i].file->size;
        rows += s[i].file->rows;
        if (bytes > size || rows > most_rows) break;
    }
    return i ? i : 1;
}

static size_t parts_of(const tain_delta_file *f, int64_t size, int64_t most_rows)
{
    if (f->rows <= 0) return 1;
    int64_t by_bytes = f->size > 2 * size ? f->size / size : 1, by_rows = (f->rows + most_rows - 1) / most_rows;
    return (size_t)(by_bytes > by_rows ? by_bytes : by_rows);
}

static tain_status cut(tain_copies *c, const source *s, size_t parts, tain_error *err)
{
    int64_t share = s->file->rows / (int64_t)parts + 1;
    for (size_t i = 0; i < parts; i++) {
        piece *p;
        TAIN_TRY(add_piece(c, s, 1, &p, err));
        if (parts > 1) tain_rewrite_range(p->rewrite, 0, share * (int64_t)i, share * (int64_t)(i + 1));
    }
    return TAIN_OK;
}

static tain_status plan(tain_copies *c, const source *sources, size_t n, tain_error *err)
{
    int64_t size = tain_rewrite_full_size(NULL), most_rows = tain_copies_most_rows(c->table);
    size_t most = 1;
    for (size_t i = 0; i < n; i++) most += parts_of(sources[i].file, size, most_rows);
    c->pieces = tain_alloc(most * sizeof *c->pieces);
    for (size_t i = 0, taken; i < n; i += taken) {
        piece *p;
        taken = that_fit(sources + i, n - i, size, most_rows);
        if (taken == 1) TAIN_TRY(cut(c, &sources[i], parts_of(sources[i].file, size, most_rows), err));
        else TAIN_TRY(add_piece(c, sources + i, taken, &p, err));
    }
    return TAIN_OK;
}

static tain_status write_piece(void *item, tain_error *err)
{
    piece *p = item;
    TAIN_TRY(tain_rewrite_run(p->rewrite, err));
    if (p->index) p->indexed = tain_rewrite_index(p->rewrite, p->index, p->part);
    return TAIN_OK;
}

static tain_status write_all(tain_copies *c, tain_error *err)
{
    void **items = tain_alloc((c->count + 1) * sizeof *items);
    for (size_t i = 0; i < c->count; i++) items[i] = &c->pieces[i];
    tain_status st = tain_pool_run(c->table->pool, write_piece, items, c->count, err);
    free(items);
    if (st == TAIN_OK) tain_fault(TAIN_FAULT_COPYONWRITE_WRITTEN);
    return st;
}

/* --- the commit ---------------------------------------------------------------------------------------------------- */

/* Of what was to be added, and what is new in its place. */
static void list_adds(tain_copies *c, const tain_delta_commit *of)
{
    const uint64_t *hashes;
    size_t rows;
    c->adds = tain_alloc((of->add_count + c->count + 1) * sizeof *c->adds);
    c->dropped = tain_alloc((of->add_count + 1) * sizeof *c->dropped);
    for (size_t i = 0; i < of->add_count; i++) {
        if (is_touched(c->table, of->adds[i])) c->dropped[c->dropped_count++] = of->adds[i];
        else c->adds[c->add_count++] = of->adds[i];
    }
    for (size_t i = 0; i < c->count; i++) {
        tain_delta_file *f = tain_rewrite_output(c->pieces[i].rewrite, &hashes, &rows);
        if (f) c->adds[c->add_count++] = f;
    }
}

static void list_removes(tain_copies *c, const tain_delta_commit *of)
{
    const tain_pending *p = &c->table->pending;
    c->removes = tain_alloc((of->remove_count + p->delete_count + 1) * sizeof *c->removes);
    for (size_t i = 0; i < of->remove_count; i++) c->removes[c->remove_count++] = of->removes[i];
    for (size_t i = 0; i < p->delete_count; i++)
        if (p->deletes[i].file->live && !roaring_bitmap_is_empty(p->deletes[i].rows)) c->removes[c->remove_count++] = p->deletes[i].file;
}

static void put_into(tain_copies *c, tain_delta_commit *io)
{
    list_adds(c, io);
    list_removes(c, io);
    io->adds = c->adds;
    io->add_count = c->add_count;
    io->removes = c->removes;
    io->remove_count = c->remove_count;
    io->deletes = NULL;
    io->delete_count = 0;
}

static tain_status make(tain_copies *c, tain_error *err)
{
    source *sources;
    size_t n;
    tain_status st = list_sources(c->table, &sources, &n, err);
    if (st == TAIN_OK) st = plan(c, sources, n, err);
    free(sources);
    TAIN_TRY(st);
    return write_all(c, err);
}

tain_status tain_copies_make(tain_table *t, tain_delta_commit *io, tain_copies **ret, tain_error *err)
{
    *ret = NULL;
    if (!t->pending.delete_count) return TAIN_OK;
    tain_copies *c = tain_alloc(sizeof *c);
    *c = (tain_copies){.table = t};
    tain_status st = make(c, err);
    if (st == TAIN_OK) {
        put_into(c, io);
        *ret = c;
    } else {
        tain_copies_done(c, st);
    }
    return st;
}

/* --- afterwards ---------------------------------------------------------------------------------------------------- */

static tain_status index_piece(tain_table *t, piece *p, const tain_delta_file *f, const uint64_t *hashes, size_t rows)
{
    tain_index_name_file(t->index, f->path, f->ordinal);
    if (!p->indexed) return tain_index_add(t->index, f->ordinal, 0, hashes, rows, NULL);
    tain_index_part *part = p->part;
    p->part = NULL;
    return tain_index_part_finish(t->index, part, f->ordinal, NULL);
}

static void take_piece(tain_table *t, piece *p)
{
    const uint64_t *hashes;
    size_t rows;
    tain_delta_file *f = tain_rewrite_output(p->rewrite, &hashes, &rows);
    if (!f) return;
    tain_rewrite_offered(p->rewrite, true);
    tain_ordinals_put(&t->files, f);
    if (p->index && index_piece(t, p, f, hashes, rows) != TAIN_OK) tain_table_warn(t, "index_not_written", NULL, 1);
}

/* It was never anybody else's. */
static void drop_file(tain_table *t, tain_delta_file *f)
{
    tain_ordinals_remove(&t->files, f->ordinal);
    (void)!tain_store_remove(t->store, f->path, NULL);
    tain_delta_file_free(f);
}

void tain_copies_done(tain_copies *c, tain_status committed)
{
    if (!c) return;
    for (size_t i = 0; i < c->count; i++) {
        piece *p = &c->pieces[i];
        if (committed == TAIN_OK) take_piece(c->table, p);
        else if (committed == TAIN_E_UNKNOWN) tain_rewrite_offered(p->rewrite, false);
        if (p->part) tain_index_part_abort(p->part);
        tain_rewrite_free(p->rewrite);
    }
    for (size_t i = 0; committed == TAIN_OK && i < c->dropped_count; i++) drop_file(c->table, c->dropped[i]);
    free(c->pieces);
    free(c->adds);
    free(c->removes);
    free(c->dropped);
    free(c);
}
