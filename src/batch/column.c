/* SPDX-License-Identifier: MIT */
#include "batch/column.h"

#include "batch/bits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_MOST = 16 << 20 }; /* bytes of a buffer that a cleared column keeps */

void tain_column_init(tain_column *c, tain_type type)
{
    *c = (tain_column){.type = type};
    if (!type.child_count) return;
    c->children = tain_alloc(type.child_count * sizeof *c->children);
    for (size_t i = 0; i < type.child_count; i++) tain_column_init(&c->children[i], type.children[i].type);
}

void tain_column_done(tain_column *c)
{
    for (size_t i = 0; c->children && i < c->type.child_count; i++) tain_column_done(&c->children[i]);
    tain_free(c->children);
    tain_buffer_done(&c->validity);
    tain_buffer_done(&c->values);
    tain_buffer_done(&c->bytes);
    *c = (tain_column){.type = c->type};
}

void tain_column_clear(tain_column *c)
{
    for (size_t i = 0; c->children && i < c->type.child_count; i++) tain_column_clear(&c->children[i]);
    tain_buffer_clear(&c->validity);
    tain_buffer_relax(&c->values, KEPT_MOST);
    tain_buffer_relax(&c->bytes, KEPT_MOST);
    c->length = c->null_count = 0;
}

size_t tain_column_bytes(const tain_column *c)
{
    size_t n = c->validity.size + c->values.size + c->bytes.size;
    for (size_t i = 0; c->children && i < c->type.child_count; i++) n += tain_column_bytes(&c->children[i]);
    return n;
}

static size_t children_bytes(const tain_column *c, size_t first, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->type.child_count; i++) bytes += tain_column_range_bytes(&c->children[i], first, n);
    return bytes;
}

size_t tain_column_range_bytes(const tain_column *c, size_t first, size_t n)
{
    const int32_t *o = (const int32_t *)c->values.data;
    if (n == 0) return 0;
    switch (c->type.kind) {
    case TAIN_BOOL: return (n + 7) / 8;
    case TAIN_STRING:
    case TAIN_BINARY: return n * 4 + (size_t)(o[first + n] - o[first]);
    case TAIN_LIST:
    case TAIN_MAP: return n * 4 + children_bytes(c, (size_t)o[first], (size_t)(o[first + n] - o[first]));
    case TAIN_STRUCT: return children_bytes(c, first, n);
    default: return n * tain_type_width(&c->type);
    }
}

void tain_column_validity_begin(tain_column *c)
{
    tain_buffer_clear(&c->validity);
    tain_bits_fill(&c->validity, 0, true, c->length);
}

_Noreturn void tain_column_overflow_(void)
{
    fprintf(stderr, "tain: a column of a batch outgrew 2 GiB\n");
    abort();
}

static void append_offset(tain_column *c, size_t end)
{
    tain_column_check_offset_(end);
    tain_column_begin_offsets_(c);
    int32_t v = (int32_t)end;
    tain_buffer_append(&c->values, &v, 4);
}

void tain_column_end_list(tain_column *c)
{
    append_offset(c, c->children[0].length);
    tain_column_end_value_(c);
}

void tain_column_end_struct(tain_column *c)
{
    tain_column_end_value_(c);
}

static void append_empty_slot(tain_column *c)
{
    switch (c->type.kind) {
    case TAIN_BOOL: tain_bit_append(&c->values, c->length, false); break;
    case TAIN_STRING:
    case TAIN_BINARY: append_offset(c, c->bytes.size); break;
    case TAIN_LIST:
    case TAIN_MAP: append_offset(c, c->children[0].length); break;
    case TAIN_STRUCT:
        for (size_t i = 0; i < c->type.child_count; i++) tain_column_append_null(&c->children[i]);
        break;
    default: tain_buffer_append_zero(&c->values, tain_type_width(&c->type));
    }
}

void tain_column_append_null(tain_column *c)
{
    append_empty_slot(c);
    if (c->null_count == 0) tain_column_validity_begin(c);
    tain_bit_append(&c->validity, c->length, false);
    c->null_count++;
    c->length++;
}

static size_t offset_at(const tain_column *c, size_t i)
{
    return c->values.size ? (size_t)((const int32_t *)c->values.data)[i] : 0;
}

static void truncate_values(tain_column *c, size_t length)
{
    switch (c->type.kind) {
    case TAIN_BOOL: tain_bits_truncate(&c->values, length); break;
    case TAIN_STRUCT:
        for (size_t i = 0; i < c->type.child_count; i++) tain_column_truncate(&c->children[i], length);
        break;
    case TAIN_LIST:
    case TAIN_MAP:
        for (size_t i = 0, n = offset_at(c, length); i < c->type.child_count; i++) tain_column_truncate(&c->children[i], n);
        c->values.size = c->values.size ? (length + 1) * 4 : 0;
        break;
    case TAIN_STRING:
    case TAIN_BINARY:
        c->bytes.size = offset_at(c, length);
        c->values.size = c->values.size ? (length + 1) * 4 : 0;
        break;
    default: c->values.size = length * tain_type_width(&c->type);
    }
}

void tain_column_truncate(tain_column *c, size_t length)
{
    if (length > c->length) return;
    /* A list being built may have elements although it has not been ended. */
    truncate_values(c, length);
    if (length == c->length) return;
    if (c->null_count) c->null_count = length - tain_bits_count(c->validity.data, 0, length);
    if (c->null_count) tain_bits_truncate(&c->validity, length);
    else tain_buffer_clear(&c->validity);
    c->length = length;
}

static bool same_float(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same_bytes(const tain_column *a, size_t i, const tain_column *b, size_t j)
{
    tain_slice x = tain_column_slice(a, i), y = tain_column_slice(b, j);
    return x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
}

static bool same_list(const tain_column *a, size_t i, const tain_column *b, size_t j)
{
    size_t x = offset_at(a, i), y = offset_at(b, j), n = offset_at(a, i + 1) - x;
    if (n != offset_at(b, j + 1) - y) return false;
    for (size_t c = 0; c < a->type.child_count; c++)
        for (size_t k = 0; k < n; k++)
            if (!tain_column_equal_at(&a->children[c], x + k, &b->children[c], y + k)) return false;
    return true;
}

static bool same_struct(const tain_column *a, size_t i, const tain_column *b, size_t j)
{
    for (size_t c = 0; c < a->type.child_count; c++)
        if (!tain_column_equal_at(&a->children[c], i, &b->children[c], j)) return false;
    return true;
}

bool tain_column_equal_at(const tain_column *a, size_t i, const tain_column *b, size_t j)
{
    bool null = tain_column_is_null(a, i);
    if (null || tain_column_is_null(b, j)) return null && tain_column_is_null(b, j);
    const void *x = a->values.data, *y = b->values.data;
    switch (a->type.kind) {
    case TAIN_BOOL: return tain_bit(x, i) == tain_bit(y, j);
    case TAIN_FLOAT: return same_float(((const float *)x)[i], ((const float *)y)[j]);
    case TAIN_DOUBLE: return same_double(((const double *)x)[i], ((const double *)y)[j]);
    case TAIN_STRING:
    case TAIN_BINARY: return same_bytes(a, i, b, j);
    case TAIN_LIST:
    case TAIN_MAP: return same_list(a, i, b, j);
    case TAIN_STRUCT: return same_struct(a, i, b, j);
    default: {
        size_t w = tain_type_width(&a->type);
        return memcmp(a->values.data + i * w, b->values.data + j * w, w) == 0;
    }
    }
}
