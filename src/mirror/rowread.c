/* SPDX-License-Identifier: MIT */
#include "mirror/rowread.h"

enum { READ_BYTES = 8 << 20 };

typedef struct reading {
    tain_parquet_file *file;
    size_t             bytes; /* of a slice */
    tain_batch         slice;
    tain_rowread_take  take;
    void              *ctx;
} reading;

static tain_status read_rows(reading *r, const uint32_t *rows, size_t n, tain_error *err)
{
    for (size_t got; n; rows += got, n -= got) {
        tain_batch_clear(&r->slice);
        TAIN_TRY(tain_parquet_read_some_rows(r->file, rows, n, r->bytes, &r->slice, &got, err));
        TAIN_TRY(r->take(r->ctx, rows, &r->slice, err));
    }
    return TAIN_OK;
}

static tain_status read_all(reading *r, const roaring_bitmap_t *rows, tain_error *err)
{
    TAIN_AUTO(tain_free) uint32_t *list = tain_alloc(TAIN_ROWREAD_SLICE * sizeof *list);
    roaring_uint32_iterator_t at;
    roaring_init_iterator(rows, &at);
    for (uint32_t n; (n = roaring_read_uint32_iterator(&at, list, TAIN_ROWREAD_SLICE));) TAIN_TRY(read_rows(r, list, n, err));
    return TAIN_OK;
}

tain_status tain_rowread(const tain_table *t, const tain_delta_file *f, const roaring_bitmap_t *rows, const tain_schema *columns,
                         tain_rowread_take take, void *ctx, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    if (roaring_bitmap_is_empty(rows)) return TAIN_OK;
    TAIN_TRY(tain_table_open_file(t, f, &file, err));
    reading r = {.file = file, .bytes = t->budget && t->budget < READ_BYTES ? t->budget : READ_BYTES, .take = take, .ctx = ctx};
    tain_batch_init(&r.slice, columns);
    tain_status st = read_all(&r, rows, err);
    tain_batch_done(&r.slice);
    return st;
}
