/* SPDX-License-Identifier: MIT */
/* COPY's binary format as a server sends it, in pieces. First byte: policy, checking of texts, size of pieces. */
#include <assert.h>

#include "postgres_shape.h"
#include "source/postgres/copy.h"

static tain_status rows(void *ctx, tain_batch *batch, tain_error *err)
{
    for (size_t i = 0; i < batch->schema->count; i++) {
        assert(batch->columns[i].length == batch->rows);
        tain_buffer text = {0};
        for (size_t k = 0; k < batch->rows; k++)
            if (!tain_column_is_null(&batch->columns[i], k)) tain_column_text(&batch->columns[i], k, &text);
        tain_buffer_done(&text);
    }
    *(size_t *)ctx += batch->rows;
    return TAIN_OK;
}

static void warn(void *ctx, tain_source_table *table, size_t column, const char *code) { assert(column < SHAPE_BINARY && *code); }

static size_t decode(const tain_pg_shape *shape, const uint8_t *data, size_t n, size_t piece)
{
    size_t count = 0;
    tain_rows_sink sink = {rows, warn, &count};
    tain_source_table table = {.schema = "s", .name = "t"};
    const tain_pg_codec *codecs[SHAPE_BINARY];
    for (size_t i = 0; i < SHAPE_BINARY; i++) codecs[i] = shape->columns[i].codec;
    tain_pg_copy copy;
    tain_pg_copy_init(&copy, &table, shape->schema, codecs, &sink);
    tain_status st = tain_pg_copy_feed(&copy, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19, NULL);
    for (size_t at = 0; at < n && st == TAIN_OK; at += piece) st = tain_pg_copy_feed(&copy, data + at, n - at < piece ? n - at : piece, NULL);
    if (st == TAIN_OK) st = tain_pg_copy_finish(&copy, NULL);
    tain_pg_copy_done(&copy);
    return st == TAIN_OK ? count : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    const tain_pg_shape *shape = shape_for(SHAPE_BINARY, data[0]);
    size_t whole = decode(shape, data + 1, n - 1, n), pieces = decode(shape, data + 1, n - 1, 1 + data[0] / 16);
    assert(whole == pieces);
    return 0;
}
