/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

void tain_batch_init(tain_batch *b, const tain_schema *schema)
{
    *b = (tain_batch){.schema = schema, .columns = tain_alloc(schema->count * sizeof *b->columns)};
    for (size_t i = 0; i < schema->count; i++) tain_column_init(&b->columns[i], schema->fields[i].type);
}

void tain_batch_done(tain_batch *b)
{
    for (size_t i = 0; b->columns && i < b->schema->count; i++) tain_column_done(&b->columns[i]);
    tain_free(b->columns);
    *b = (tain_batch){0};
}

void tain_batch_clear(tain_batch *b)
{
    for (size_t i = 0; i < b->schema->count; i++) tain_column_clear(&b->columns[i]);
    b->rows = 0;
}

void tain_batch_swap(tain_batch *a, tain_batch *b)
{
    for (size_t i = 0; i < a->schema->count; i++) {
        tain_column c = a->columns[i];
        a->columns[i] = b->columns[i];
        b->columns[i] = c;
    }
    size_t rows = a->rows;
    a->rows = b->rows;
    b->rows = rows;
}

size_t tain_batch_bytes(const tain_batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->schema->count; i++) n += tain_column_bytes(&b->columns[i]);
    return n;
}

void tain_batch_abandon_row(tain_batch *b)
{
    for (size_t i = 0; i < b->schema->count; i++) tain_column_truncate(&b->columns[i], b->rows);
}

void tain_batch_take(tain_batch *dst, const tain_batch *src, const uint32_t *rows, size_t first, size_t n)
{
    for (size_t i = 0; i < dst->schema->count; i++) tain_column_take(&dst->columns[i], &src->columns[i], rows, first, n);
    dst->rows += n;
}
