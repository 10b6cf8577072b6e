/* SPDX-License-Identifier: MIT */
#include "mirror/feed/feedrows.h"

#include <stdlib.h>

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

typedef struct part_taker { tain_feed_part *part; tain_feed_take take; void *ctx; } part_taker;

static tain_status take_slice(void *ctx, const uint32_t *rows, const tain_batch *slice, tain_error *err)
{
    const part_taker *p = ctx;
    return p->take(p->ctx, p->part, rows, slice, err);
}

tain_status tain_feed_read(const tain_table *t, const tain_feed_side *s, const tain_schema *columns, tain_feed_take take, void *ctx, tain_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        part_taker p = {.part = &s->parts[i], .take = take, .ctx = ctx};
        TAIN_TRY(tain_rowread(t, p.part->file, p.part->rows, columns, take_slice, &p, err));
    }
    return TAIN_OK;
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
