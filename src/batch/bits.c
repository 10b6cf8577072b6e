/* SPDX-License-Identifier: MIT */
#include "batch/bits.h"

static bool bit(const uint8_t *bits, size_t i)
{
    return bits[i >> 3] >> (i & 7) & 1;
}

static void set(uint8_t *bits, size_t i)
{
    bits[i >> 3] |= (uint8_t)(1u << (i & 7));
}

static void take_rows(uint8_t *out, size_t at, const uint8_t *src, const uint32_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[(at + i) >> 3] |= (uint8_t)((unsigned)bit(src, rows[i]) << ((at + i) & 7));
}

/* Whole bytes of dst are put together from two of src; the ragged ends go bit by bit, so that unused bits stay zero. */
static void take_range(uint8_t *out, size_t at, const uint8_t *src, size_t first, size_t n)
{
    size_t i = 0;
    for (; i < n && ((at + i) & 7); i++)
        if (bit(src, first + i)) set(out, at + i);
    unsigned shift = (first + i) & 7;
    for (; i + 8 <= n; i += 8) {
        const uint8_t *p = src + ((first + i) >> 3);
        out[(at + i) >> 3] = shift ? (uint8_t)(p[0] >> shift | p[1] << (8 - shift)) : p[0];
    }
    for (; i < n; i++)
        if (bit(src, first + i)) set(out, at + i);
}

void tain_bits_take(tain_buffer *dst, size_t at, const uint8_t *src, const uint32_t *rows, size_t first, size_t n)
{
    size_t need = (at + n + 7) / 8;
    if (need > dst->size) tain_buffer_append_zero(dst, need - dst->size);
    if (rows) take_rows(dst->data, at, src, rows, n);
    else take_range(dst->data, at, src, first, n);
}

void tain_bits_fill(tain_buffer *dst, size_t at, bool v, size_t n)
{
    size_t i = 0, need = (at + n + 7) / 8;
    if (need > dst->size) tain_buffer_append_zero(dst, need - dst->size);
    if (!v) return;
    for (; i < n && ((at + i) & 7); i++) set(dst->data, at + i);
    size_t whole = (n - i) / 8;
    if (whole) memset(dst->data + ((at + i) >> 3), 0xff, whole);
    for (i += whole * 8; i < n; i++) set(dst->data, at + i);
}

size_t tain_bits_count(const uint8_t *bits, size_t first, size_t n)
{
    size_t ones = 0, end = first + n;
    for (; first < end && (first & 7); first++) ones += bit(bits, first);
    for (; first + 64 <= end; first += 64) {
        uint64_t word;
        memcpy(&word, bits + (first >> 3), 8);
        ones += (size_t)__builtin_popcountll(word);
    }
    for (; first < end; first++) ones += bit(bits, first);
    return ones;
}

void tain_bits_truncate(tain_buffer *b, size_t n)
{
    b->size = (n + 7) / 8;
    if (n & 7) b->data[n >> 3] &= (uint8_t)((1u << (n & 7)) - 1);
}
