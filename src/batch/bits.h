/* SPDX-License-Identifier: MIT */
/* bits.h -- runs of LSB-first bits in a buffer. `at` is how many bits the buffer holds; bits behind it are zero. */
#ifndef TAIN_BATCH_BITS_H
#define TAIN_BATCH_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Appends bits rows[0..n-1] of src, or first..first+n-1 when rows is NULL. */
void tain_bits_take(tain_buffer *dst, size_t at, const uint8_t *src, const uint32_t *rows, size_t first, size_t n);
/* Appends n bits of value v. */
void tain_bits_fill(tain_buffer *dst, size_t at, bool v, size_t n);
/* Ones among bits first..first+n-1. */
size_t tain_bits_count(const uint8_t *bits, size_t first, size_t n);
/* Keeps the first n bits. */
void tain_bits_truncate(tain_buffer *b, size_t n);

#endif
