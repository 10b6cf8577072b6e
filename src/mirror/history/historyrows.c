/* SPDX-License-Identifier: MIT */
/* Versions of rows into data files. Rows stay where they are, in a batch of changes or one that was read; our columns are
 * made beside them, and both are written as one. */
#include <stdlib.h>

#include "mirror/history/history.h"
#include "mirror/rowread.h"

enum { FILE_BYTES = 128 << 20 };
enum { OPERATION, POSITION, TRANSACTION, COMMIT_TIME, ORDER };

const tain_schema *tain_history_own(void)
{
    static tain_field fields[TAIN_HISTORY_COLUMNS] = {
        {.name = "__tain_operation", .physical = "__tain_operation", .type = {.kind = TAIN_STRING}, .nullable = true},
        {.name = "__tain_position", .physical = "__tain_position", .type = {.kind = TAIN_STRING}, .nullable = true},
        {.name = "__tain_transaction", .physical = "__tain_transaction", .type = {.kind = TAIN_INT64}, .nullable = true},
        {.name = "__tain_commit_time", .physical = "__tain_commit_time", .type = {.kind = TAIN_TIMESTAMP}, .nullable = true},
        {.name = "__tain_order", .physical = "__tain_order", .type = {.kind = TAIN_INT64}, .nullable = true},
    };
    static const tain_schema own = {.fields = fields, .count = TAIN_HISTORY_COLUMNS};
    return &own;
}

/* --- our columns --------------------------------------------------------------------------------------------------- */

static void append_known(tain_column *c, int64_t v)
{
    if (v) tain_column_append_i64(c, v);
    else tain_column_append_null(c);
}

static void describe(tain_batch *own, const char *operation, const tain_stamp *of, int64_t order)
{
    tain_column *c = own->columns;
    tain_column_append_bytes(&c[OPERATION], operation, strlen(operation));
    tain_column_append_bytes(&c[POSITION], of->at.text, strlen(of->at.text));
    append_known(&c[TRANSACTION], of->transaction);
    append_known(&c[COMMIT_TIME], of->time);
    tain_column_append_i64(&c[ORDER], order);
    tain_batch_end_row(own);
}

/* Numbers begin with that of a commit: those of a later one are higher, also after a restart. */
static int64_t order_of(tain_history *h)
{
    int64_t floor = (h->entering ? h->entering : __atomic_load_n(h->epochs, __ATOMIC_RELAXED)) << 32;
    if (floor > h->base + h->next) {
        h->base = floor;
        h->next = 0;
    }
    return h->base + h->next;
}

/* --- one file ------------------------------------------------------------------------------------------------------ */

typedef struct sheet {
    tain_history      *history;
    tain_delta_writer *writer; /* NULL: none is begun */
    tain_column       *columns; /* borrowed from rows and from own */
    tain_batch         own;
} sheet;

static void sheet_init(sheet *s, tain_history *h)
{
    *s = (sheet){.history = h, .columns = tain_alloc((h->columns->count + 1) * sizeof *s->columns)};
    tain_batch_init(&s->own, tain_history_own());
}

static void sheet_done(sheet *s)
{
    tain_delta_writer_abort(s->writer);
    tain_batch_done(&s->own);
    free(s->columns);
}

static tain_status begin_file(sheet *s, tain_error *err)
{
    const tain_history *h = s->history;
    tain_parquet_options options = tain_table_file_options(h->table);
    if (s->writer) return TAIN_OK;
    TAIN_TRY(tain_delta_writer_new(h->store, h->columns, &options, &s->writer, err));
    tain_delta_writer_index_columns(s->writer, h->delta);
    return TAIN_OK;
}

/* *ret NULL: there was nothing. */
static tain_status end_file(sheet *s, tain_delta_file **ret, tain_error *err)
{
    tain_delta_writer *w = s->writer;
    s->writer = NULL;
    *ret = NULL;
    return w ? tain_delta_writer_finish(w, ret, err) : TAIN_OK;
}

/* which: of both rows and own. NULL: all. */
static tain_status put_rows(sheet *s, const tain_batch *rows, const tain_batch *own, const uint32_t *which, size_t n, tain_error *err)
{
    size_t known = s->history->columns->count - TAIN_HISTORY_COLUMNS;
    if (n == 0) return TAIN_OK;
    TAIN_TRY(begin_file(s, err));
    memcpy(s->columns, rows->columns, known * sizeof *s->columns);
    memcpy(s->columns + known, own->columns, TAIN_HISTORY_COLUMNS * sizeof *s->columns);
    const tain_batch whole = {.schema = s->history->columns, .columns = s->columns, .rows = own->rows};
    return tain_parquet_append(tain_delta_writer_parquet(s->writer), &whole, which, 0, n, err);
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

typedef struct versions {
    sheet      sheet;
    tain_batch own; /* of every row of the changes */
} versions;

/* Whether there was a row of that key in front of the change. */
static bool existed(const tain_net *net, size_t row)
{
    if (net->found[row]) return true;
    int32_t before = net->origin[row];
    return before != TAIN_NONE && !tain_net_removes(net, (size_t)before);
}

/* NULL: it changed nothing. */
static const char *operation_of(const tain_net *net, size_t row)
{
    switch (tain_net_op(net, row)) {
    case TAIN_INSERT: return "insert";
    case TAIN_UPDATE: return "update";
    case TAIN_UPSERT: return existed(net, row) ? "update" : "insert";
    case TAIN_DELETE: return "delete";
    case TAIN_DELETE_IF: return existed(net, row) ? "delete" : NULL;
    case TAIN_KEY_OLD: return "key_delete";
    default: return "key_insert";
    }
}

/* Rows of a stamp which the history has not go to *out; our columns have all, so that numbers of rows are the same. */
static void describe_some(tain_history *h, versions *v, const tain_net *net, const tain_stamp *of, size_t end, tain_net *out)
{
    int64_t order = order_of(h);
    bool has = tain_position_compare(&of->at, &h->have) <= 0;
    for (size_t row = of->row; row < end; row++) {
        const char *operation = operation_of(net, row);
        describe(&v->own, operation ? operation : "", of, order + (int64_t)row);
        if (has || !operation) continue;
        out->emitted[out->emitted_count++] = (uint32_t)row;
        out->removals |= tain_net_removes(net, row);
    }
}

static void describe_all(tain_history *h, versions *v, const tain_net *net, tain_net *out)
{
    const tain_stamp *stamps = (const tain_stamp *)h->table->stamps->data;
    size_t n = h->table->stamps->size / sizeof *stamps;
    for (size_t i = 0; i < n; i++) describe_some(h, v, net, &stamps[i], i + 1 < n ? stamps[i + 1].row : net->rows, out);
}

static tain_status put_complete(void *ctx, const tain_batch *rows, const uint32_t *emitted, size_t n, tain_error *err)
{
    versions *v = ctx;
    tain_batch_clear(&v->sheet.own);
    tain_batch_take(&v->sheet.own, &v->own, emitted, 0, n);
    return put_rows(&v->sheet, rows, &v->sheet.own, NULL, n, err);
}

static tain_status write_versions(versions *v, tain_net *out, tain_error *err)
{
    size_t whole = tain_net_arrange(out);
    const uint32_t *which = whole == out->rows ? NULL : out->emitted; /* all of them, as they came, are copied as one */
    TAIN_TRY(put_rows(&v->sheet, &out->changes->batch, &v->own, which, whole, err));
    return tain_net_readback(out, whole, put_complete, v, err);
}

/* Content that enters later has it. */
static bool is_left_out(const tain_table *t)
{
    return !t->history || t->history->stale || t->replay || !t->stamps || !t->stamps->size;
}

tain_status tain_history_take(const tain_net *net, tain_delta_file **ret, tain_error *err)
{
    *ret = NULL;
    if (is_left_out(net->table)) return TAIN_OK;
    tain_history *h = net->table->history;
    versions v = {0};
    tain_net out = *net;
    tain_history_take_shape(h, (const tain_stamp *)h->table->stamps->data);
    sheet_init(&v.sheet, h);
    tain_batch_init(&v.own, tain_history_own());
    out.emitted = tain_alloc((net->rows + 1) * sizeof *out.emitted);
    out.emitted_count = 0;
    describe_all(h, &v, net, &out);
    tain_status st = write_versions(&v, &out, err);
    if (st == TAIN_OK) st = end_file(&v.sheet, ret, err);
    h->next += st == TAIN_OK ? (int64_t)net->rows : 0;
    free(out.emitted);
    tain_batch_done(&v.own);
    sheet_done(&v.sheet);
    return st;
}

/* --- rows of files ------------------------------------------------------------------------------------------------- */

static tain_status rotate(sheet *s, tain_error *err)
{
    tain_delta_file *f;
    if (!s->writer || tain_parquet_size(tain_delta_writer_parquet(s->writer)) < FILE_BYTES) return TAIN_OK;
    TAIN_TRY(end_file(s, &f, err));
    tain_history_keep(s->history->table, f);
    return TAIN_OK;
}

static tain_status put_read(sheet *s, const tain_batch *b, const char *operation, const tain_stamp *of, tain_error *err)
{
    int64_t order = order_of(s->history);
    tain_batch_clear(&s->own);
    for (size_t i = 0; i < b->rows; i++) describe(&s->own, operation, of, order + (int64_t)i);
    TAIN_TRY(put_rows(s, b, &s->own, NULL, b->rows, err));
    s->history->next += (int64_t)b->rows;
    return rotate(s, err);
}

typedef struct copying { sheet *to; const char *operation; const tain_stamp *of; } copying;

static tain_status put_slice(void *ctx, const uint32_t *rows, const tain_batch *slice, tain_error *err)
{
    const copying *c = ctx;
    (void)rows;
    return put_read(c->to, slice, c->operation, c->of, err);
}

static tain_status copy_rows(sheet *s, const tain_delta_file *f, const roaring_bitmap_t *rows, const char *operation, const tain_stamp *of, tain_error *err)
{
    const tain_table *t = s->history->table;
    return tain_rowread(t, f, rows, t->schema, put_slice, &(copying){.to = s, .operation = operation, .of = of}, err);
}

static tain_status finish(sheet *s, tain_status st, tain_error *err)
{
    tain_delta_file *f = NULL;
    if (st == TAIN_OK) st = end_file(s, &f, err);
    if (f) tain_history_keep(s->history->table, f);
    sheet_done(s);
    return st;
}

static const tain_stamp *stamp_of(const tain_table *t)
{
    return (const tain_stamp *)t->stamps->data;
}

static bool is_known(const tain_table *t)
{
    return tain_position_compare(&stamp_of(t)->at, &t->history->have) <= 0;
}

tain_status tain_history_remove(tain_table *t, const tain_delta_file *f, const roaring_bitmap_t *rows, tain_error *err)
{
    if (is_left_out(t) || is_known(t)) return TAIN_OK;
    sheet s;
    tain_history_take_shape(t->history, stamp_of(t));
    sheet_init(&s, t->history);
    return finish(&s, copy_rows(&s, f, rows, "delete", stamp_of(t), err), err);
}

/* --- a version without a row --------------------------------------------------------------------------------------- */

tain_status tain_history_mark(tain_history *h, const char *operation, const tain_stamp *of, tain_error *err)
{
    sheet s;
    tain_batch nothing;
    tain_history_take_shape(h, of);
    sheet_init(&s, h);
    tain_batch_init(&nothing, h->table->schema);
    for (size_t i = 0; i < nothing.schema->count; i++) tain_column_append_null(&nothing.columns[i]);
    tain_batch_end_row(&nothing);
    tain_status st = put_read(&s, &nothing, operation, of, err);
    tain_batch_done(&nothing);
    return finish(&s, st, err);
}

tain_status tain_history_truncate(tain_table *t, tain_error *err)
{
    if (is_left_out(t) || is_known(t)) return TAIN_OK;
    return tain_history_mark(t->history, "truncate", stamp_of(t), err);
}

/* --- all that there is --------------------------------------------------------------------------------------------- */

/* The rows of a file that are in the table, with what is pending. Caller frees. */
static tain_status rows_of(tain_table *t, tain_delta_file *f, roaring_bitmap_t **ret, tain_error *err)
{
    const roaring_bitmap_t *deleted = NULL, *pending = tain_pending_deletes(t, f, false);
    if (f->live) TAIN_TRY(tain_delta_deleted(t->delta, f, &deleted, err));
    int64_t n = f->rows;
    if (n < 0) {
        TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
        TAIN_TRY(tain_table_open_file(t, f, &file, err));
        n = tain_parquet_file_rows(file);
    }
    *ret = roaring_bitmap_create();
    roaring_bitmap_add_range(*ret, 0, (uint64_t)n);
    if (deleted) roaring_bitmap_andnot_inplace(*ret, deleted);
    if (pending) roaring_bitmap_andnot_inplace(*ret, pending);
    return TAIN_OK;
}

static tain_status copy_file(sheet *s, tain_delta_file *f, const tain_stamp *of, tain_error *err)
{
    roaring_bitmap_t *rows = NULL;
    TAIN_TRY(rows_of(s->history->table, f, &rows, err));
    tain_status st = copy_rows(s, f, rows, "snapshot", of, err);
    roaring_bitmap_free(rows);
    return st;
}

static tain_status copy_files(sheet *s, const tain_stamp *of, tain_error *err)
{
    tain_table *t = s->history->table;
    tain_delta_file *f;
    for (size_t cursor = 0; t->delta && !t->pending.truncated && tain_delta_next_file(t->delta, &cursor, &f);)
        if (!tain_pending_replaces(t, f)) TAIN_TRY(copy_file(s, f, of, err));
    for (size_t i = 0; i < t->pending.add_count; i++) TAIN_TRY(copy_file(s, t->pending.adds[i], of, err));
    return TAIN_OK;
}

tain_status tain_history_content(tain_history *h, const tain_stamp *of, tain_error *err)
{
    sheet s;
    if (h->delta || h->add_count) TAIN_TRY(tain_history_mark(h, "reload", of, err));
    tain_history_take_shape(h, of);
    sheet_init(&s, h);
    return finish(&s, copy_files(&s, of, err), err);
}
