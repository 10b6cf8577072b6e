/* SPDX-License-Identifier: MIT */
/* Values on their way into a page: made dense and of physical width, measured, then looked up or copied. */
#include "parquet/leaf.h"

enum { PROBE = 2048 }; /* values after which a dictionary that hardly ever finds anything is given up */

/* --- fixed widths -------------------------------------------------------------------------------------------------- */

#define CONVERT(to_type, from_type)                                                     \
    do {                                                                                \
        to_type         *to = out;                                                      \
        const from_type *from = (const from_type *)c->values.data;                      \
        if (rows)                                                                       \
            for (size_t i = 0; i < n; i++) to[i] = (to_type)from[rows[i]];              \
        else                                                                            \
            for (size_t i = 0; i < n; i++) to[i] = (to_type)from[first + i];            \
    } while (0)

static void gather(const tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, void *out)
{
    size_t from_width = tain_type_width(&c->type);
    if (from_width == 1) CONVERT(int32_t, int8_t);
    else if (from_width == 2) CONVERT(int32_t, int16_t);
    else if (from_width == 8 && l->width == 4) CONVERT(int32_t, int64_t);
    else if (from_width == 4) CONVERT(int32_t, int32_t);
    else if (from_width == 8) CONVERT(int64_t, int64_t);
    else CONVERT(__int128, __int128);
}

/* The batch's own memory where it is dense already. */
static const void *dense(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    if (!rows && tain_type_width(&c->type) == (size_t)l->width) return c->values.data + first * (size_t)l->width;
    tain_buffer_clear(&l->shared->dense);
    void *out = tain_buffer_reserve(&l->shared->dense, n * (size_t)l->width);
    gather(l, c, rows, first, n, out);
    return out;
}

static void measure(tain_leaf *l, const void *v, size_t n)
{
    tain_bounds *b = &l->page_bounds;
    if (l->physical == TAIN_PHYSICAL_FLOAT) tain_bounds_float(b, v, n);
    else if (l->physical == TAIN_PHYSICAL_DOUBLE) tain_bounds_double(b, v, n);
    else if (l->width == 4) tain_bounds_i32(b, v, n);
    else if (l->width == 8) tain_bounds_i64(b, v, n);
    else tain_bounds_i128(b, v, n);
}

static void put_plain_fixed(tain_leaf *l, const uint8_t *v, size_t n)
{
    if (l->physical != TAIN_PHYSICAL_FIXED) {
        tain_buffer_append(&l->plain, v, n * (size_t)l->width);
        return;
    }
    uint8_t *out = tain_buffer_reserve(&l->plain, n * (size_t)l->fixed);
    for (size_t i = 0; i < n; i++, v += 16)
        for (int k = l->fixed; k--;) *out++ = v[k];
    l->plain.size += n * (size_t)l->fixed;
}

static bool hardly_repeats(const tain_leaf *l)
{
    return l->dictionary_kept == 0 && l->page_values >= PROBE && l->dictionary.count > l->page_values - l->page_values / 16;
}

static uint32_t *reserve_indices(tain_leaf *l, size_t n)
{
    return (uint32_t *)tain_buffer_reserve(&l->indices, n * sizeof(uint32_t));
}

static void took_indices(tain_leaf *l, size_t n, size_t raw_bytes)
{
    l->indices.size += n * sizeof(uint32_t);
    l->page_values += n;
    l->raw_bytes += raw_bytes;
}

/* Returns how many values went into the dictionary page; the others are for the caller to put PLAIN. */
static size_t look_up_fixed(tain_leaf *l, const uint8_t *v, size_t n)
{
    size_t done = 0, width = (size_t)l->width;
    while (done < n) {
        size_t k = n - done < PROBE ? n - done : PROBE;
        size_t got = tain_dictionary_fixed(&l->dictionary, v + done * width, k, reserve_indices(l, k));
        took_indices(l, got, got * width);
        done += got;
        if (got == k && !hardly_repeats(l)) continue;
        tain_leaf_give_up_dictionary(l);
        break;
    }
    return done;
}

static void put_fixed(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    const uint8_t *v = dense(l, c, rows, first, n);
    measure(l, v, n);
    size_t done = l->use_dictionary ? look_up_fixed(l, v, n) : 0;
    put_plain_fixed(l, v + done * (size_t)l->width, n - done);
    l->page_values += n - done;
}

/* --- booleans ------------------------------------------------------------------------------------------------------ */

static void put_bits(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t       need = TAIN_LEAF_HEADROOM + (l->page_values + n + 7) / 8;
    int64_t      lowest = 1, highest = 0;
    if (need > l->plain.size) tain_buffer_append_zero(&l->plain, need - l->plain.size);
    uint8_t *out = l->plain.data + TAIN_LEAF_HEADROOM;
    for (size_t i = 0; i < n; i++) {
        size_t at = l->page_values + i;
        bool   v = tain_bit(c->values.data, rows ? rows[i] : first + i);
        out[at >> 3] |= (uint8_t)(v << (at & 7));
        lowest &= v;
        highest |= v;
    }
    tain_bounds_i64(&l->page_bounds, (int64_t[]){lowest, highest}, n ? 2 : 0);
    l->page_values += n;
}

/* --- byte strings -------------------------------------------------------------------------------------------------- */

static size_t payload(const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    const int32_t *o = (const int32_t *)c->values.data;
    size_t         total = 0;
    if (n == 0) return 0;
    if (!rows) return (size_t)(o[first + n] - o[first]);
    for (size_t i = 0; i < n; i++) total += (size_t)(o[rows[i] + 1] - o[rows[i]]);
    return total;
}

/* Short copies without a call: two overlapping words at each size. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t a, b, c, d;
    if (n >= 16 && n <= 32) {
        memcpy(&a, from, 8);
        memcpy(&b, from + 8, 8);
        memcpy(&c, from + n - 16, 8);
        memcpy(&d, from + n - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + 8, &b, 8);
        memcpy(to + n - 16, &c, 8);
        memcpy(to + n - 8, &d, 8);
    } else if (n >= 8 && n < 16) {
        memcpy(&a, from, 8);
        memcpy(&b, from + n - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + n - 8, &b, 8);
    } else if (n) {
        memcpy(to, from, n);
    }
}

static void put_plain_slices(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t   total = payload(c, rows, first, n) + 4 * n;
    uint8_t *out = tain_buffer_reserve(&l->plain, total);
    for (size_t i = 0; i < n; i++) {
        tain_slice s = tain_column_slice(c, rows ? rows[i] : first + i);
        uint32_t   size = (uint32_t)s.size;
        memcpy(out, &size, 4);
        copy_short(out + 4, s.data, s.size);
        out += 4 + s.size;
    }
    l->plain.size += total;
    l->page_values += n;
}

static size_t look_up_slices(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t done = 0;
    while (done < n) {
        size_t          k = n - done < PROBE ? n - done : PROBE;
        const uint32_t *from = rows ? rows + done : NULL;
        size_t          got = tain_dictionary_slices(&l->dictionary, c, from, first + done, k, reserve_indices(l, k));
        took_indices(l, got, payload(c, from, first + done, got) + 4 * got);
        done += got;
        if (got == k && !hardly_repeats(l)) continue;
        tain_leaf_give_up_dictionary(l);
        break;
    }
    return done;
}

/* Whether a value fills a page alone and is no dictionary's. */
static bool is_wide(const tain_leaf *l, tain_slice s)
{
    if (l->node_count > 1 || l->page_rows || s.size < l->shared->options.page_bytes) return false;
    return !l->use_dictionary || s.size + 4 > l->dictionary.limit;
}

static void put_wide(tain_leaf *l, tain_slice s)
{
    tain_leaf_give_up_dictionary(l);
    tain_bounds_slice(&l->page_bounds, s);
    l->wide = s;
    l->page_values = 1;
}

/* A dictionary page's bounds come from its entries when it ends. */
static void put_slices(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    tain_slice one = n == 1 ? tain_column_slice(c, rows ? rows[0] : first) : (tain_slice){0};
    if (n == 1 && is_wide(l, one)) {
        put_wide(l, one);
        return;
    }
    size_t done = l->use_dictionary ? look_up_slices(l, c, rows, first, n) : 0;
    if (done == n) return;
    const uint32_t *from = rows ? rows + done : NULL;
    tain_bounds_slices(&l->page_bounds, c, from, first + done, n - done);
    put_plain_slices(l, c, from, first + done, n - done);
}

void tain_leaf_put_values(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    if (n == 0) return;
    if (l->width < 0) put_bits(l, c, rows, first, n);
    else if (l->width == 0) put_slices(l, c, rows, first, n);
    else put_fixed(l, c, rows, first, n);
}

/* --- the limits of a page ------------------------------------------------------------------------------------------ */

/* While a dictionary lasts its pages are small, but they must remain convertible. */
static size_t byte_limit(const tain_leaf *l)
{
    size_t most = l->shared->options.page_bytes;
    return l->use_dictionary ? most * 4 : most;
}

static size_t room_for_slices(const tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, size_t room)
{
    if (payload(c, rows, first, n) + 4 * n <= room) return n;
    size_t total = 0, k = 0;
    for (; k < n; k++) {
        total += tain_column_slice(c, rows ? rows[k] : first + k).size + 4;
        if (total > room) break;
    }
    return k;
}

size_t tain_leaf_room(const tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t most = byte_limit(l), used = l->plain.size - TAIN_LEAF_HEADROOM + l->raw_bytes, room = used < most ? most - used : 0,
           k = n;
    if (l->width > 0) k = room / (size_t)l->width;
    if (l->width == 0) k = room_for_slices(l, c, rows, first, n, room);
    if (k == 0 && l->page_rows == 0) k = 1;
    return k < n ? k : n;
}

/* --- giving up ----------------------------------------------------------------------------------------------------- */

static void plain_from_fixed(tain_leaf *l, const uint32_t *index, size_t n)
{
    const uint8_t *values = l->dictionary.values.data;
    for (size_t i = 0; i < n; i++) put_plain_fixed(l, values + index[i] * (size_t)l->width, 1);
}

static void plain_from_slices(tain_leaf *l, const uint32_t *index, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tain_slice s = tain_dictionary_slice(&l->dictionary, index[i]);
        tain_buffer_append(&l->plain, s.data - 4, s.size + 4);
        tain_bounds_slice(&l->page_bounds, s);
    }
}

void tain_leaf_give_up_dictionary(tain_leaf *l)
{
    const uint32_t *index = (const uint32_t *)l->indices.data;
    size_t          n = l->indices.size / sizeof *index;
    if (l->width) plain_from_fixed(l, index, n);
    else plain_from_slices(l, index, n);
    tain_buffer_clear(&l->indices);
    l->raw_bytes = 0;
    l->use_dictionary = false;
    tain_dictionary_truncate(&l->dictionary, l->dictionary_kept);
}
