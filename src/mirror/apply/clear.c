/* SPDX-License-Identifier: MIT */
/* Rows go by where their values lie, without a look at the index: every file is asked for the columns that matter. */
#include "mirror/apply/apply.h"
#include "mirror/history/history.h"
#include "mirror/load/replay.h"

enum { SLICE_BYTES = 8 << 20 };

/* Rows of one file that are within and were there until now. */
static tain_status find_rows(tain_table *t, tain_delta_file *f, const tain_region *within, const tain_schema *schema, roaring_bitmap_t *out, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    tain_batch b;
    tain_status st = TAIN_OK;
    TAIN_TRY(tain_table_open_file(t, f, &file, err));
    tain_batch_init(&b, schema);
    for (int64_t at = 0, n, rows = tain_parquet_file_rows(file); st == TAIN_OK && at < rows; at += n) {
        tain_batch_clear(&b);
        st = tain_parquet_read_some(file, at, rows - at, SLICE_BYTES, &b, &n, err);
        for (size_t i = 0; st == TAIN_OK && i < b.rows; i++)
            if (tain_region_has(within, &b, i)) roaring_bitmap_add(out, (uint32_t)(at + (int64_t)i));
    }
    tain_batch_done(&b);
    return st;
}

static tain_status drop_deleted(tain_table *t, tain_delta_file *f, roaring_bitmap_t *rows, tain_error *err)
{
    const roaring_bitmap_t *deleted = NULL, *pending = tain_pending_deletes(t, f, false);
    if (f->live) TAIN_TRY(tain_delta_deleted(t->delta, f, &deleted, err));
    if (deleted) roaring_bitmap_andnot_inplace(rows, deleted);
    if (pending) roaring_bitmap_andnot_inplace(rows, pending);
    return TAIN_OK;
}

static tain_status clear_file(tain_table *t, tain_delta_file *f, const tain_region *within, const tain_schema *schema, tain_error *err)
{
    roaring_bitmap_t *rows = roaring_bitmap_create();
    tain_status st = find_rows(t, f, within, schema, rows, err);
    if (st == TAIN_OK) st = drop_deleted(t, f, rows, err);
    int64_t n = (int64_t)roaring_bitmap_get_cardinality(rows);
    if (st == TAIN_OK) st = tain_history_remove(t, f, rows, err);
    if (st == TAIN_OK && n) {
        roaring_bitmap_or_inplace(tain_pending_deletes(t, f, true), rows);
        t->pending.deleted += n;
        t->pending.rows += n;
        t->pending.dirty = true;
    }
    roaring_bitmap_free(rows);
    return st;
}

static tain_status clear_files(tain_table *t, const tain_region *within, const tain_schema *schema, tain_error *err)
{
    tain_delta_file *f;
    for (size_t cursor = 0; t->delta && !t->pending.truncated && tain_delta_next_file(t->delta, &cursor, &f);)
        if (!tain_pending_replaces(t, f)) TAIN_TRY(clear_file(t, f, within, schema, err));
    for (size_t i = 0; i < t->pending.add_count; i++) TAIN_TRY(clear_file(t, t->pending.adds[i], within, schema, err));
    return TAIN_OK;
}

tain_status tain_apply_clear(tain_table *t, const tain_region *within, tain_error *err)
{
    if (t->replay) {
        tain_replay_give_up(t, "rows of it went at once while its load was interrupted");
        return TAIN_OK;
    }
    tain_schema *schema = tain_table_file_columns(t, within->columns, within->column_count);
    tain_status st = clear_files(t, within, schema, err);
    tain_schema_free(schema);
    return st;
}
