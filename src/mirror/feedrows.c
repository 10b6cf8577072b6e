/* SPDX-License-Identifier: MIT */
#include "mirror/feedrows.h"

#include <stdlib.h>

enum { READ_BYTES = 8 << 20 };

void tain_feed_side_add(tain_feed_side *s, const tain_delta_file *file, roaring_bitmap_t *rows)
{
    uint64_t n = roaring_bitmap_get_cardinality(rows);
    if (n == 0) {
        roaring_bitmap_free(rows);
        return;
    }
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 16;
        s->parts = tain_realloc(s->parts, s->capacity * sizeof *s->parts);
    }
    s->parts[s->count++] = (tain_feed_part){.file = file, .rows = rows, .paired = roaring_bitmap_create()};
    s->rows += n;
}

void tain_feed_side_done(tain_feed_side *s)
{
    for (size_t i = 0; i < s->count; i++) {
        roaring_bitmap_free(s->parts[i].rows);
        roaring_bitmap_free(s->parts[i].paired);
    }
    free(s->parts);
    *s = (tain_feed_side){0};
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

typedef struct reading {
    const tain_table *table;
    size_t            bytes; /* of a slice */
    tain_batch        slice;
    uint32_t         *rows;
    tain_feed_take    take;
    void             *ctx;
} reading;

static tain_status read_rows(reading *r, tain_feed_part *part, tain_parquet_file *file, const uint32_t *rows, size_t n, tain_error *err)
{
    for (size_t got; n; rows += got, n -= got) {
        tain_batch_clear(&r->slice);
        TAIN_TRY(tain_parquet_read_some_rows(file, rows, n, r->bytes, &r->slice, &got, err));
        TAIN_TRY(r->take(r->ctx, part, rows, &r->slice, err));
    }
    return TAIN_OK;
}

static tain_status read_part(reading *r, tain_feed_part *part, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    roaring_uint32_iterator_t at;
    TAIN_TRY(tain_table_open_file(r->table, part->file, &file, err));
    roaring_init_iterator(part->rows, &at);
    for (uint32_t n; (n = roaring_read_uint32_iterator(&at, r->rows, TAIN_FEED_SLICE));) TAIN_TRY(read_rows(r, part, file, r->rows, n, err));
    return TAIN_OK;
}

tain_status tain_feed_read(const tain_table *t, const tain_feed_side *s, const tain_schema *columns, tain_feed_take take, void *ctx, tain_error *err)
{
    reading r = {.table = t, .bytes = t->budget && t->budget < READ_BYTES ? t->budget : READ_BYTES, .take = take, .ctx = ctx};
    tain_status st = TAIN_OK;
    tain_batch_init(&r.slice, columns);
    r.rows = tain_alloc(TAIN_FEED_SLICE * sizeof *r.rows);
    for (size_t i = 0; st == TAIN_OK && i < s->count; i++) st = read_part(&r, &s->parts[i], err);
    free(r.rows);
    tain_batch_done(&r.slice);
    return st;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

typedef struct writing {
    tain_parquet_writer *to;
    const tain_schema   *columns; /* the last says what became of the row */
    tain_column         *view;    /* of a slice, and `types` */
    tain_column          types;
    const char          *alone, *paired;
} writing;

static void put_type(tain_column *c, const char *type)
{
    tain_column_append_bytes(c, type, strlen(type));
}

static tain_status write_slice(void *ctx, tain_feed_part *part, const uint32_t *rows, const tain_batch *slice, tain_error *err)
{
    writing *w = ctx;
    size_t n = slice->schema->count;
    bool none = roaring_bitmap_is_empty(part->paired);
    tain_column_clear(&w->types);
    for (size_t i = 0; i < slice->rows; i++) put_type(&w->types, !none && roaring_bitmap_contains(part->paired, rows[i]) ? w->paired : w->alone);
    memcpy(w->view, slice->columns, n * sizeof *w->view);
    w->view[n] = w->types;
    const tain_batch all = {.schema = w->columns, .columns = w->view, .rows = slice->rows};
    return tain_parquet_append(w->to, &all, NULL, 0, all.rows, err);
}

static tain_status write_sides(writing *w, const tain_table *t, const tain_feed_side *gone, const tain_feed_side *come, tain_error *err)
{
    w->alone = "delete";
    w->paired = "update_preimage";
    TAIN_TRY(tain_feed_read(t, gone, gone->columns, write_slice, w, err));
    w->alone = "insert";
    w->paired = "update_postimage";
    return tain_feed_read(t, come, come->columns, write_slice, w, err);
}

static tain_status write_file(const tain_table *t, const tain_feed_side *gone, const tain_feed_side *come, const tain_schema *written,
                              tain_delta_file **ret, tain_error *err)
{
    tain_delta_writer *file;
    tain_parquet_options options = tain_table_file_options(t);
    TAIN_TRY(tain_delta_feed_writer_new(t->store, written, &options, &file, err));
    writing w = {.to = tain_delta_writer_parquet(file), .columns = written, .view = tain_alloc(written->count * sizeof *w.view)};
    tain_column_init(&w.types, tain_type_of(TAIN_STRING));
    tain_status st = write_sides(&w, t, gone, come, err);
    tain_column_done(&w.types);
    free(w.view);
    if (st == TAIN_OK) return tain_delta_writer_finish(file, ret, err);
    tain_delta_writer_abort(file);
    return st;
}

tain_status tain_feed_write(const tain_table *t, const tain_feed_side *gone, const tain_feed_side *come, tain_delta_file **ret, tain_error *err)
{
    tain_schema *written = tain_schema_copy(come->columns);
    tain_schema_add(written, "_change_type", tain_type_of(TAIN_STRING));
    tain_status st = write_file(t, gone, come, written, ret, err);
    tain_schema_free(written);
    return st;
}
