/* SPDX-License-Identifier: MIT */
/* A whole data file, as some engine wrote it: footer, page index, pages. What is read must have the rows asked for. */
#include <assert.h>
#include <stdlib.h>

#include "parquet/parquet.h"

enum { MOST_ROWS = 20000 };

static void check_whole(const tain_batch *b)
{
    for (size_t c = 0; c < b->schema->count; c++) assert(b->columns[c].length == b->rows);
}

static void check_text(const tain_batch *b)
{
    tain_buffer text = {0};
    for (size_t c = 0; c < b->schema->count; c++)
        if (b->rows) tain_column_text(&b->columns[c], b->rows - 1, &text);
    tain_buffer_done(&text);
}

static void check_reading(tain_parquet_file *f)
{
    tain_batch b;
    int64_t    rows = tain_parquet_file_rows(f);
    uint32_t   some[] = {0, (uint32_t)(rows / 2), (uint32_t)(rows - 1)};
    if (rows < 1 || rows > MOST_ROWS) return;
    tain_batch_init(&b, tain_parquet_file_schema(f));
    if (tain_parquet_read_rows(f, some, 3, &b, NULL) == TAIN_OK) assert(b.rows == 3);
    check_whole(&b);
    if (tain_parquet_read(f, rows / 3, rows - rows / 3, &b, NULL) == TAIN_OK) check_text(&b);
    check_whole(&b);
    tain_batch_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tain_store        *store = NULL;
    tain_parquet_file *f = NULL;
    if (tain_parquet_parse_footer(data, n, &f, NULL) == TAIN_OK) assert(tain_parquet_file_rows(f) >= 0);
    tain_parquet_close(f);
    f = NULL;
    if (tain_store_open("memory:", true, &store, NULL) != TAIN_OK) abort();
    if (tain_store_put(store, "f", (tain_slice){data, n}, 0, NULL) != TAIN_OK) abort();
    if (tain_parquet_open(store, "f", -1, &f, NULL) == TAIN_OK) check_reading(f);
    tain_parquet_close(f);
    tain_store_close(store);
    return 0;
}
