/* SPDX-License-Identifier: MIT */
#include "parquet/bounds.h"

#include <math.h>

#include "base/text.h"

enum { LONGEST = 64, KEPT = 512 /* bytes of a value: more than any statistics show of it */ };

void tain_bounds_done(tain_bounds *b)
{
    tain_buffer_done(&b->min_bytes);
    tain_buffer_done(&b->max_bytes);
}

void tain_bounds_clear(tain_bounds *b)
{
    b->any = b->nan = b->infinite = false;
}

static void widen_int(tain_bounds *b, int64_t lo, int64_t hi)
{
    if (!b->any || lo < b->min_int) b->min_int = lo;
    if (!b->any || hi > b->max_int) b->max_int = hi;
    b->any = true;
}

void tain_bounds_i32(tain_bounds *b, const int32_t *v, size_t n)
{
    if (n == 0) return;
    int32_t lo = v[0], hi = v[0];
    for (size_t i = 1; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    widen_int(b, lo, hi);
}

void tain_bounds_i64(tain_bounds *b, const int64_t *v, size_t n)
{
    if (n == 0) return;
    int64_t lo = v[0], hi = v[0], lo2 = v[0], hi2 = v[0];
    size_t  i = 0;
    for (; i + 2 <= n; i += 2) { /* two chains, as each is bound by latency */
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
        lo2 = v[i + 1] < lo2 ? v[i + 1] : lo2;
        hi2 = v[i + 1] > hi2 ? v[i + 1] : hi2;
    }
    if (i < n) widen_int(b, v[i], v[i]);
    widen_int(b, lo < lo2 ? lo : lo2, hi > hi2 ? hi : hi2);
}

void tain_bounds_i128(tain_bounds *b, const __int128 *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!b->any || v[i] < b->min_wide) b->min_wide = v[i];
        if (!b->any || v[i] > b->max_wide) b->max_wide = v[i];
        b->any = true;
    }
}

static void widen_real(tain_bounds *b, double v)
{
    if (isnan(v)) {
        b->nan = true;
        return;
    }
    if (isinf(v)) b->infinite = true;
    if (!b->any || v < b->min_real) b->min_real = v;
    if (!b->any || v > b->max_real) b->max_real = v;
    b->any = true;
}

void tain_bounds_float(tain_bounds *b, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) widen_real(b, (double)v[i]);
}

void tain_bounds_double(tain_bounds *b, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) widen_real(b, v[i]);
}

static int compare(tain_slice a, tain_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int    c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : a.size < b.size ? -1 : a.size > b.size;
}

/* The first 8 bytes as a number that orders as they do; shorter ones are filled with zeros. */
static inline uint64_t prefix_of(tain_slice s)
{
    uint64_t v = 0;
    if (s.size >= 8) memcpy(&v, s.data, 8);
    else
        for (size_t i = 0; i < s.size; i++) v |= (uint64_t)s.data[i] << (8 * i);
    return __builtin_bswap64(v);
}

/* Whether its first LONGEST bytes can be raised: one of them is not of the largest byte, nor of the largest character. */
static bool can_be_raised(tain_slice s)
{
    for (size_t i = 0; i < LONGEST - 8; i++)
        if (!memchr("\xFF\xF4\x8F\xBF", s.data[i], 4)) return true;
    return false;
}

/* The beginning of a long value is as good a bound as the whole, as long as something greater can be made of it. */
static void keep(tain_buffer *b, tain_slice s)
{
    if (b->data == s.data && b->data) return;
    if (s.size > KEPT && can_be_raised(s)) s.size = KEPT;
    tain_buffer_clear(b);
    tain_buffer_append(b, s.data, s.size);
}

void tain_bounds_slice(tain_bounds *b, tain_slice s)
{
    if (!b->any || compare(s, tain_buffer_slice(&b->min_bytes)) < 0) keep(&b->min_bytes, s);
    if (!b->any || compare(s, tain_buffer_slice(&b->max_bytes)) > 0) keep(&b->max_bytes, s);
    b->any = true;
}

/* Most values are decided by their first 8 bytes; bounds are copied once a call. */
void tain_bounds_slices(tain_bounds *b, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    if (n == 0) return;
    tain_slice lo = tain_column_slice(c, rows ? rows[0] : first), hi = lo;
    uint64_t   lo_prefix = prefix_of(lo), hi_prefix = lo_prefix;
    for (size_t i = 1; i < n; i++) {
        tain_slice s = tain_column_slice(c, rows ? rows[i] : first + i);
        uint64_t   p = prefix_of(s);
        if (p <= lo_prefix && (p < lo_prefix || compare(s, lo) < 0)) {
            lo = s;
            lo_prefix = p;
        }
        if (p >= hi_prefix && (p > hi_prefix || compare(s, hi) > 0)) {
            hi = s;
            hi_prefix = p;
        }
    }
    tain_bounds_slice(b, lo);
    tain_bounds_slice(b, hi);
}

void tain_bounds_merge(tain_bounds *b, const tain_bounds *other)
{
    b->nan |= other->nan;
    b->infinite |= other->infinite;
    if (!other->any) return;
    switch (b->order) {
    case TAIN_ORDER_INT: widen_int(b, other->min_int, other->max_int); break;
    case TAIN_ORDER_WIDE:
        tain_bounds_i128(b, &other->min_wide, 1);
        tain_bounds_i128(b, &other->max_wide, 1);
        break;
    case TAIN_ORDER_REAL:
        widen_real(b, other->min_real);
        widen_real(b, other->max_real);
        break;
    case TAIN_ORDER_BYTES:
        tain_bounds_slice(b, tain_buffer_slice(&other->min_bytes));
        tain_bounds_slice(b, tain_buffer_slice(&other->max_bytes));
        break;
    }
}

static void put_real(double v, bool max, int width, tain_buffer *out)
{
    if (v == 0) v = max ? 0.0 : -0.0;
    float narrow = (float)v;
    tain_buffer_append(out, width == 4 ? (const void *)&narrow : (const void *)&v, (size_t)width);
}

static void put_wide(__int128 v, int width, tain_buffer *out)
{
    if (width > 0) {
        tain_buffer_append(out, &v, (size_t)width);
        return;
    }
    for (int i = -width - 1; i >= 0; i--) tain_buffer_append_u8(out, (uint8_t)(v >> (8 * i)));
}

void tain_bounds_put(const tain_bounds *b, bool max, int width, tain_buffer *out)
{
    const tain_buffer *bytes = max ? &b->max_bytes : &b->min_bytes;
    int64_t            v = max ? b->max_int : b->min_int;
    switch (b->order) {
    case TAIN_ORDER_INT: tain_buffer_append(out, &v, (size_t)width); break;
    case TAIN_ORDER_WIDE: put_wide(max ? b->max_wide : b->min_wide, width, out); break;
    case TAIN_ORDER_REAL: put_real(max ? b->max_real : b->min_real, max, width, out); break;
    case TAIN_ORDER_BYTES: tain_buffer_append(out, bytes->data, bytes->size); break;
    }
}

static bool continues(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

static size_t encode_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i;) {
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (uint8_t)(0xF00 >> n | c);
    return n;
}

static uint32_t decode_utf8(const uint8_t *p, size_t n)
{
    uint32_t c = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3F);
    return c;
}

/* Makes the prefix greater than all that begins with it, by raising its last character that can be raised. */
static bool raise_text(tain_buffer *out, size_t from)
{
    while (out->size > from) {
        size_t start = out->size - 1;
        while (start > from && out->size - start < 4 && continues(out->data[start])) start--;
        uint32_t c = decode_utf8(out->data + start, out->size - start);
        out->size = start;
        if (c >= 0x10FFFF) continue;
        c = c == 0xD7FF ? 0xE000 : c + 1;
        uint8_t bytes[4];
        tain_buffer_append(out, bytes, encode_utf8(c, bytes));
        return true;
    }
    return false;
}

static bool raise_bytes(tain_buffer *out, size_t from)
{
    while (out->size > from && out->data[out->size - 1] == 0xFF) out->size--;
    if (out->size == from) return false;
    out->data[out->size - 1]++;
    return true;
}

static size_t cut_at(const tain_buffer *b, bool text)
{
    size_t n = LONGEST;
    while (text && n > LONGEST - 4 && continues(b->data[n])) n--;
    return text && continues(b->data[n]) ? LONGEST : n;
}

bool tain_bounds_put_short(const tain_bounds *b, bool max, int width, bool text, tain_buffer *out)
{
    const tain_buffer *bytes = max ? &b->max_bytes : &b->min_bytes;
    if (b->order != TAIN_ORDER_BYTES || bytes->size <= LONGEST) {
        tain_bounds_put(b, max, width, out);
        return true;
    }
    size_t from = out->size, cut = cut_at(bytes, text);
    if (text && !tain_utf8_valid(bytes->data, cut)) text = false;
    tain_buffer_append(out, bytes->data, cut);
    if (!max) return false;
    if (text ? raise_text(out, from) : raise_bytes(out, from)) return false;
    out->size = from;
    tain_bounds_put(b, max, width, out);
    return true;
}
