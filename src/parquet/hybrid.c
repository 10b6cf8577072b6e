/* SPDX-License-Identifier: MIT */
#include "parquet/hybrid.h"

#include "batch/bits.h"

static void put_varint(tain_buffer *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) tain_buffer_append_u8(out, (uint8_t)(v | 0x80));
    tain_buffer_append_u8(out, (uint8_t)v);
}

/* Every width has its own copy of the loops below, in which all shifts are constants. */
#define WIDTHS(X)                                                                                                        \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) \
    X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

/* Writes up to 4 bytes more than groups * width. */
static inline __attribute__((always_inline)) void pack_groups(const uint32_t *v, size_t groups, unsigned width, uint8_t *out)
{
    for (; groups--; v += 8, out += width) {
        uint64_t acc = 0;
        unsigned bits = 0;
        uint8_t *p = out;
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++) {
            acc |= (uint64_t)v[k] << bits;
            bits += width;
            if (bits >= 32) {
                memcpy(p, &acc, 4);
                p += 4;
                acc >>= 32;
                bits -= 32;
            }
        }
        if (bits) memcpy(p, &acc, 4);
    }
}

static void pack(const uint32_t *v, size_t groups, unsigned width, uint8_t *out)
{
    switch (width) {
#define CASE(w) \
    case w: return pack_groups(v, groups, w, out);
        WIDTHS(CASE)
#undef CASE
    }
}

/* Reads up to 8 bytes more than groups * width. */
static inline __attribute__((always_inline)) void unpack_groups(const uint8_t *in, size_t groups, unsigned width, uint32_t *v)
{
    const uint64_t mask = ((uint64_t)1 << width) - 1;
    for (; groups--; v += 8, in += width) {
#pragma GCC unroll 8
        for (unsigned k = 0; k < 8; k++) {
            uint64_t word;
            memcpy(&word, in + k * width / 8, 8);
            v[k] = (uint32_t)(word >> (k * width % 8) & mask);
        }
    }
}

static void unpack(const uint8_t *in, size_t groups, unsigned width, uint32_t *v)
{
    switch (width) {
#define CASE(w) \
    case w: return unpack_groups(in, groups, w, v);
        WIDTHS(CASE)
#undef CASE
    }
}

static void put_packed(tain_buffer *out, const uint32_t *v, size_t n, unsigned width)
{
    size_t groups = (n + 7) / 8, whole = n / 8;
    if (n == 0) return;
    put_varint(out, (uint64_t)groups << 1 | 1);
    uint8_t *to = tain_buffer_reserve(out, groups * width + 8);
    pack(v, whole, width, to);
    if (whole < groups) {
        uint32_t rest[8] = {0};
        memcpy(rest, v + whole * 8, (n - whole * 8) * sizeof *v);
        pack(rest, 1, width, to + whole * width);
    }
    out->size += groups * width;
}

void tain_hybrid_run(tain_buffer *out, uint32_t v, size_t n, unsigned width)
{
    put_varint(out, (uint64_t)n << 1);
    tain_buffer_append(out, &v, (width + 7) / 8);
}

void tain_hybrid_bits(tain_buffer *out, const uint8_t *bits, size_t n)
{
    size_t groups = (n + 7) / 8;
    put_varint(out, (uint64_t)groups << 1 | 1);
    tain_buffer_append(out, bits, groups);
}

static bool all_equal(const uint32_t *v)
{
    uint32_t differ = 0;
    for (int k = 1; k < 8; k++) differ |= v[0] ^ v[k];
    return differ == 0;
}

static size_t run_length(const uint32_t *v, size_t n)
{
    size_t r = 8;
    while (r < n && v[r] == v[0]) r++;
    return r;
}

/* A run begins at a group's boundary of the packed values before it, and must save more than its headers cost. */
void tain_hybrid_encode(tain_buffer *out, const uint32_t *v, size_t n, unsigned width)
{
    size_t start = 0, at = 0, shortest = width < 8 ? 64 / width : 8;
    while (at + 8 <= n) {
        if (!all_equal(v + at)) {
            at += 8;
            continue;
        }
        size_t r = run_length(v + at, n - at);
        if (r < shortest) {
            at += r & ~(size_t)7;
            continue;
        }
        put_packed(out, v + start, at - start, width);
        tain_hybrid_run(out, v[at], r, width);
        start = at += r;
    }
    put_packed(out, v + start, n - start, width);
}

/* --- decoding ------------------------------------------------------------------------------------------------------ */

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 35 && *at < end; shift += 7) {
        uint8_t b = *(*at)++;
        *ret |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return true;
    }
    return false;
}

static bool decode_packed(const uint8_t **at, const uint8_t *end, unsigned width, uint64_t groups, uint32_t *out, size_t n,
                          size_t *ret)
{
    size_t need = groups * 8 < n ? (size_t)groups * 8 : n, whole = need / 8;
    if ((need * width + 7) / 8 > (size_t)(end - *at)) return false;
    unpack(*at, whole, width, out);
    if (need % 8) {
        uint32_t rest[8];
        uint8_t  bytes[32 + 8] = {0};
        size_t   left = (size_t)(end - *at) - whole * width;
        memcpy(bytes, *at + whole * width, left < width ? left : width);
        unpack(bytes, 1, width, rest);
        memcpy(out + whole * 8, rest, (need % 8) * sizeof *out);
    }
    uint64_t bytes = groups * width;
    *at = bytes > (uint64_t)(end - *at) ? end : *at + bytes;
    *ret = need;
    return true;
}

static bool decode_run(const uint8_t **at, const uint8_t *end, unsigned width, uint64_t length, uint32_t *out, size_t n,
                       size_t *ret)
{
    uint32_t v = 0;
    size_t   bytes = (width + 7) / 8, count = length < n ? (size_t)length : n;
    if (bytes > (size_t)(end - *at)) return false;
    memcpy(&v, *at, bytes);
    if (width < 32 && v >> width) return false;
    *at += bytes;
    for (size_t i = 0; i < count; i++) out[i] = v;
    *ret = count;
    return true;
}

bool tain_hybrid_decode(const uint8_t *at, const uint8_t *end, unsigned width, uint32_t *out, size_t n)
{
    if (width > 32) return false;
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return true;
    }
    while (n) {
        uint64_t header;
        size_t   got = 0;
        if (!take_varint(&at, end, &header) || header >> 1 == 0) return false;
        bool ok = header & 1 ? decode_packed(&at, end, width, header >> 1, out, n, &got)
                             : decode_run(&at, end, width, header >> 1, out, n, &got);
        if (!ok) return false;
        out += got;
        n -= got;
    }
    return true;
}

bool tain_hybrid_decode_bits(const uint8_t *at, const uint8_t *end, tain_buffer *bits, size_t n, size_t *ret_ones)
{
    size_t got = 0;
    tain_buffer_clear(bits);
    while (got < n) {
        uint64_t header;
        if (!take_varint(&at, end, &header) || header >> 1 == 0 || at == end) return false;
        uint64_t left = n - got, bytes = header & 1 ? header >> 1 : 1, count = header & 1 ? bytes * 8 : header >> 1;
        if (count > left) count = left;
        if ((count + 7) / 8 > (uint64_t)(end - at) && header & 1) return false;
        if (header & 1) tain_bits_take(bits, got, at, NULL, 0, count);
        else tain_bits_fill(bits, got, *at & 1, count);
        at = bytes > (uint64_t)(end - at) ? end : at + bytes;
        got += count;
    }
    *ret_ones = tain_bits_count(bits->data, 0, n);
    return true;
}
