/* SPDX-License-Identifier: MIT */
/* bounds.h -- the smallest and largest value of a page, a chunk or a file.
 *
 * A zeroed tain_bounds with `order` set is empty and valid. Floats ignore NaN but remember it. Of a value of more than 512
 * bytes the first 512 stand for it, unless nothing greater could be made of them. */
#ifndef TAIN_PARQUET_BOUNDS_H
#define TAIN_PARQUET_BOUNDS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "batch/column.h"

typedef enum tain_order { TAIN_ORDER_INT, TAIN_ORDER_WIDE, TAIN_ORDER_REAL, TAIN_ORDER_BYTES } tain_order;

typedef struct tain_bounds {
    tain_order  order;
    bool        any, nan, infinite;
    int64_t     min_int, max_int;   /* INT: integers, dates, times, decimals, booleans */
    __int128    min_wide, max_wide; /* WIDE: decimals p > 18 */
    double      min_real, max_real; /* REAL */
    tain_buffer min_bytes, max_bytes;
} tain_bounds;

void tain_bounds_done(tain_bounds *b);
void tain_bounds_clear(tain_bounds *b); /* keeps memory */
void tain_bounds_i32(tain_bounds *b, const int32_t *v, size_t n);
void tain_bounds_i64(tain_bounds *b, const int64_t *v, size_t n);
void tain_bounds_i128(tain_bounds *b, const __int128 *v, size_t n);
void tain_bounds_float(tain_bounds *b, const float *v, size_t n);
void tain_bounds_double(tain_bounds *b, const double *v, size_t n);
/* Values of a STRING or BINARY column, none of them null: rows[0..n-1], or first..first+n-1. */
void tain_bounds_slices(tain_bounds *b, const tain_column *c, const uint32_t *rows, size_t first, size_t n);
void tain_bounds_slice(tain_bounds *b, tain_slice s);
void tain_bounds_merge(tain_bounds *b, const tain_bounds *other);

/* Appends a bound as PLAIN bytes of `width`: 1, 4, 8 little-endian, 16 little-endian; width -n: n bytes big-endian
 * (decimals in FIXED); BYTES are appended whole. Zeros of REAL are written as -0 for min, +0 for max. */
void tain_bounds_put(const tain_bounds *b, bool max, int width, tain_buffer *out);
/* As put, BYTES being cut behind 64 bytes: shorter for min, rounded up for max. text: between characters of UTF-8.
 * Returns whether it is exact; a max that cannot be cut stays whole. */
bool tain_bounds_put_short(const tain_bounds *b, bool max, int width, bool text, tain_buffer *out);

#endif
