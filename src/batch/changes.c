/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

void tain_changes_init(tain_changes *c, const tain_schema *schema)
{
    *c = (tain_changes){.unchanged = tain_alloc(schema->count * sizeof *c->unchanged)};
    tain_batch_init(&c->batch, schema);
}

void tain_changes_done(tain_changes *c)
{
    for (size_t i = 0; c->unchanged && i < c->batch.schema->count; i++) tain_buffer_done(&c->unchanged[i]);
    tain_free(c->unchanged);
    tain_buffer_done(&c->ops);
    tain_batch_done(&c->batch);
    *c = (tain_changes){0};
}

void tain_changes_clear(tain_changes *c)
{
    for (size_t i = 0; i < c->batch.schema->count; i++) tain_buffer_clear(&c->unchanged[i]);
    tain_buffer_clear(&c->ops);
    tain_batch_clear(&c->batch);
    c->any_unchanged = false;
}

size_t tain_changes_bytes(const tain_changes *c)
{
    size_t n = tain_batch_bytes(&c->batch) + c->ops.size;
    for (size_t i = 0; c->any_unchanged && i < c->batch.schema->count; i++) n += c->unchanged[i].size;
    return n;
}

void tain_changes_mark_unchanged(tain_changes *c, size_t column, size_t row)
{
    tain_buffer *bits = &c->unchanged[column];
    if (bits->size <= row >> 3) tain_buffer_append_zero(bits, (row >> 3) + 1 - bits->size);
    bits->data[row >> 3] |= (uint8_t)(1u << (row & 7));
    c->any_unchanged = true;
}

void tain_changes_append_unchanged(tain_changes *c, size_t column)
{
    tain_column_append_null(&c->batch.columns[column]);
    tain_changes_mark_unchanged(c, column, c->batch.rows);
}

void tain_changes_abandon_row(tain_changes *c)
{
    size_t row = c->batch.rows;
    for (size_t i = 0; c->any_unchanged && i < c->batch.schema->count; i++)
        if (row >> 3 < c->unchanged[i].size) c->unchanged[i].data[row >> 3] &= (uint8_t)~(1u << (row & 7));
    tain_batch_abandon_row(&c->batch);
}

void tain_changes_take(tain_changes *c, const tain_batch *batch, size_t row, tain_op op)
{
    tain_batch_take(&c->batch, batch, NULL, row, 1);
    tain_buffer_append_u8(&c->ops, op);
}
