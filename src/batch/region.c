/* SPDX-License-Identifier: MIT */
#include "batch/region.h"

#include <stdlib.h>
#include <string.h>

uint16_t tain_region_column(tain_region *r, uint16_t table_column)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (r->columns[i] == table_column) return (uint16_t)i;
    r->columns = tain_realloc(r->columns, (r->column_count + 1) * sizeof *r->columns);
    r->columns[r->column_count] = table_column;
    return (uint16_t)r->column_count++;
}

tain_bound *tain_region_add(tain_region *r, bool list, const uint16_t *columns, const tain_type *types, size_t count)
{
    r->bounds = tain_realloc(r->bounds, (r->bound_count + 1) * sizeof *r->bounds);
    tain_bound *b = &r->bounds[r->bound_count++];
    *b = (tain_bound){.list = list, .columns = tain_alloc((count + 1) * sizeof *columns), .count = count, .open = tain_alloc(2 * count + 1),
                      .schema = tain_schema_new()};
    memcpy(b->columns, columns, count * sizeof *columns);
    for (size_t i = 0; i < count; i++) tain_schema_add(b->schema, "value", types[i]);
    tain_batch_init(&b->values, b->schema);
    return b;
}

void tain_region_free(tain_region *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->bound_count; i++) {
        free(r->bounds[i].columns);
        free(r->bounds[i].open);
        tain_batch_done(&r->bounds[i].values);
        tain_schema_free(r->bounds[i].schema);
    }
    free(r->bounds);
    free(r->columns);
    free(r);
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

static int64_t integer(const tain_column *c, size_t i)
{
    const void *v = c->values.data;
    switch (c->type.kind) {
    case TAIN_BOOL: return tain_bit(v, i);
    case TAIN_INT8: return ((const int8_t *)v)[i];
    case TAIN_INT16: return ((const int16_t *)v)[i];
    case TAIN_INT32:
    case TAIN_DATE: return ((const int32_t *)v)[i];
    default: return ((const int64_t *)v)[i];
    }
}

static int compare_bytes(tain_slice a, tain_slice b)
{
    int c = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

static int compare(const tain_column *a, size_t i, const tain_column *b, size_t j)
{
    if (a->type.kind == TAIN_STRING || a->type.kind == TAIN_BINARY) return compare_bytes(tain_column_slice(a, i), tain_column_slice(b, j));
    if (a->type.kind == TAIN_DECIMAL) {
        __int128 x = tain_column_decimal(a, i), y = tain_column_decimal(b, j);
        return (x > y) - (x < y);
    }
    int64_t x = integer(a, i), y = integer(b, j);
    return (x > y) - (x < y);
}

/* end 0: with where the range begins, 1: with where it ends. */
static int compare_end(const tain_bound *bound, size_t end, const tain_batch *b, size_t row)
{
    for (size_t k = 0; k < bound->count; k++) {
        int8_t open = bound->open[end * bound->count + k];
        if (open) return -open;
        int c = compare(&b->columns[bound->columns[k]], row, &bound->values.columns[k], end);
        if (c) return c;
    }
    return 0;
}

static bool is_in_range(const tain_bound *bound, const tain_batch *b, size_t row)
{
    for (size_t k = 0; k < bound->count; k++)
        if (tain_column_is_null(&b->columns[bound->columns[k]], row)) return false;
    return compare_end(bound, 0, b, row) >= 0 && compare_end(bound, 1, b, row) < 0;
}

static bool is_in_list(const tain_bound *bound, const tain_batch *b, size_t row)
{
    for (size_t i = 0; i < bound->values.rows; i++)
        if (tain_column_equal_at(&b->columns[bound->columns[0]], row, &bound->values.columns[0], i)) return true;
    return false;
}

bool tain_region_has(const tain_region *r, const tain_batch *b, size_t row)
{
    for (size_t i = 0; i < r->bound_count; i++) {
        const tain_bound *bound = &r->bounds[i];
        if (!(bound->list ? is_in_list(bound, b, row) : is_in_range(bound, b, row))) return false;
    }
    return true;
}
