/* SPDX-License-Identifier: MIT */
/* Gathering of values: bulk copies for a contiguous range, one tight loop a width for chosen rows. */
#include "batch/bits.h"
#include "batch/column.h"

/* Sets length and null_count too. */
static void take_validity(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t first, size_t n)
{
    size_t from = dst->length;
    if (src->null_count == 0) {
        if (dst->null_count) tain_bits_fill(&dst->validity, from, true, n);
        dst->length += n;
        return;
    }
    if (dst->null_count == 0) tain_column_validity_begin(dst);
    tain_bits_take(&dst->validity, from, src->validity.data, rows, first, n);
    dst->length += n;
    dst->null_count += n - tain_bits_count(dst->validity.data, from, n);
    if (dst->null_count == 0) tain_buffer_clear(&dst->validity);
}

#define GATHER(type)                                                          \
    do {                                                                      \
        type       *out = (type *)to;                                         \
        const type *in = (const type *)from;                                  \
        for (size_t i = 0; i < n; i++) out[i] = in[rows[i]];                  \
    } while (0)

static void take_fixed(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t first, size_t n)
{
    size_t         width = tain_type_width(&src->type);
    uint8_t       *to = tain_buffer_reserve(&dst->values, n * width);
    const uint8_t *from = src->values.data;
    dst->values.size += n * width;
    if (!rows) memcpy(to, from + first * width, n * width);
    else if (width == 1) GATHER(uint8_t);
    else if (width == 2) GATHER(uint16_t);
    else if (width == 4) GATHER(uint32_t);
    else if (width == 8) GATHER(uint64_t);
    else
        for (size_t i = 0; i < n; i++) memcpy(to + i * 16, from + (size_t)rows[i] * 16, 16);
}

static int32_t *reserve_offsets(tain_column *dst, size_t n)
{
    tain_column_begin_offsets_(dst);
    int32_t *out = (int32_t *)tain_buffer_reserve(&dst->values, n * 4);
    dst->values.size += n * 4;
    return out;
}

static void take_bytes_range(tain_column *dst, const tain_column *src, size_t first, size_t n)
{
    const int32_t *in = (const int32_t *)src->values.data + first;
    tain_column_check_offset_(dst->bytes.size + (size_t)(in[n] - in[0]));
    int32_t *out = reserve_offsets(dst, n), shift = (int32_t)dst->bytes.size - in[0];
    for (size_t i = 0; i < n; i++) out[i] = in[i + 1] + shift;
    tain_buffer_append(&dst->bytes, src->bytes.data + in[0], (size_t)(in[n] - in[0]));
}

static void take_bytes_rows(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t n)
{
    const int32_t *in = (const int32_t *)src->values.data;
    int32_t       *out = reserve_offsets(dst, n);
    size_t         at = dst->bytes.size, total = at;
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)(total += (size_t)(in[rows[i] + 1] - in[rows[i]]));
    tain_column_check_offset_(total);
    if (total == at) return;
    uint8_t *to = tain_buffer_reserve(&dst->bytes, total - at);
    for (size_t i = 0; i < n; i++) {
        size_t size = (size_t)(in[rows[i] + 1] - in[rows[i]]);
        if (size) memcpy(to, src->bytes.data + in[rows[i]], size);
        to += size;
    }
    dst->bytes.size = total;
}

static void take_elements(tain_column *dst, const tain_column *src, size_t first, size_t n)
{
    for (size_t c = 0; n && c < src->type.child_count; c++)
        tain_column_take(&dst->children[c], &src->children[c], NULL, first, n);
}

static void take_lists(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t first, size_t n)
{
    const int32_t *in = (const int32_t *)src->values.data;
    int32_t       *out = reserve_offsets(dst, n), at = out[-1];
    for (size_t i = 0; i < n; i++) {
        size_t r = rows ? rows[i] : first + i;
        tain_column_check_offset_((size_t)at + (size_t)(in[r + 1] - in[r]));
        out[i] = at += in[r + 1] - in[r];
        if (rows) take_elements(dst, src, (size_t)in[r], (size_t)(in[r + 1] - in[r]));
    }
    if (!rows) take_elements(dst, src, (size_t)in[first], (size_t)(in[first + n] - in[first]));
}

void tain_column_take(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t first, size_t n)
{
    if (n == 0) return;
    switch (src->type.kind) {
    case TAIN_BOOL: tain_bits_take(&dst->values, dst->length, src->values.data, rows, first, n); break;
    case TAIN_STRING:
    case TAIN_BINARY:
        if (rows) take_bytes_rows(dst, src, rows, n);
        else take_bytes_range(dst, src, first, n);
        break;
    case TAIN_LIST:
    case TAIN_MAP: take_lists(dst, src, rows, first, n); break;
    case TAIN_STRUCT:
        for (size_t c = 0; c < src->type.child_count; c++) tain_column_take(&dst->children[c], &src->children[c], rows, first, n);
        break;
    default: take_fixed(dst, src, rows, first, n);
    }
    take_validity(dst, src, rows, first, n);
}
