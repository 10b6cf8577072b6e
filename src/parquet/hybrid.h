/* SPDX-License-Identifier: MIT */
/* hybrid.h -- Parquet's mixture of run lengths and bit-packed groups of eight (Encodings.md, RLE). */
#ifndef TAIN_PARQUET_HYBRID_H
#define TAIN_PARQUET_HYBRID_H

#include <stdbool.h>

#include "base/buffer.h"

enum { TAIN_HYBRID_SLACK = 16 }; /* readable bytes that must follow what is decoded */

/* Bits that hold 0..largest; at least 1. */
static inline unsigned tain_hybrid_width(uint32_t largest)
{
    return largest ? 32 - (unsigned)__builtin_clz(largest) : 1;
}
/* Appends n values of `width` bits (1..32), without length prefix. */
void tain_hybrid_encode(tain_buffer *out, const uint32_t *v, size_t n, unsigned width);
/* Appends one run of n times v. */
void tain_hybrid_run(tain_buffer *out, uint32_t v, size_t n, unsigned width);
/* Appends n bits (LSB first) as one bit-packed run of width 1. */
void tain_hybrid_bits(tain_buffer *out, const uint8_t *bits, size_t n);

/* Decodes exactly n values of width 0..32 from at..end, TAIN_HYBRID_SLACK bytes behind end being readable. False when
 * the bytes do not hold them. */
bool tain_hybrid_decode(const uint8_t *at, const uint8_t *end, unsigned width, uint32_t *out, size_t n);
/* The same for width 1, into bits (replaced); *ret_ones is how many of them are 1. */
bool tain_hybrid_decode_bits(const uint8_t *at, const uint8_t *end, tain_buffer *bits, size_t n, size_t *ret_ones);

#endif
