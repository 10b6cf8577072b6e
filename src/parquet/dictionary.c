/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "parquet/dictionary.h"

enum { FIRST_BITS = 8 };

/* A slot holds index + 1, 0 when empty; for strings a part of the hash too, which spares most comparisons. */
typedef struct string_slot {
    uint32_t hash, index;
} string_slot;

static size_t slot_size(const tain_dictionary *d)
{
    return d->width ? sizeof(uint32_t) : sizeof(string_slot);
}

void tain_dictionary_init(tain_dictionary *d, unsigned width, size_t limit)
{
    *d = (tain_dictionary){.width = width, .limit = limit < INT32_MAX ? limit : INT32_MAX};
}

void tain_dictionary_done(tain_dictionary *d)
{
    tain_buffer_done(&d->values);
    tain_buffer_done(&d->offsets);
    tain_buffer_done(&d->slots);
}

static void empty_slots(tain_dictionary *d, unsigned bits)
{
    d->bits = bits;
    tain_buffer_clear(&d->slots);
    tain_buffer_append_zero(&d->slots, slot_size(d) << bits);
}

void tain_dictionary_clear(tain_dictionary *d)
{
    d->count = d->bits = 0;
    tain_buffer_clear(&d->values);
    tain_buffer_clear(&d->offsets);
    tain_buffer_clear(&d->slots);
}

size_t tain_dictionary_memory(const tain_dictionary *d)
{
    return d->values.capacity + d->offsets.capacity + d->slots.capacity;
}

void tain_dictionary_truncate(tain_dictionary *d, uint32_t count)
{
    if (count >= d->count) return;
    if (d->width) d->values.size = (size_t)count * d->width;
    else d->values.size = ((const uint32_t *)d->offsets.data)[count];
    d->count = count;
}

static inline uint32_t hash4(uint32_t v)
{
    return v * 0x9E3779B1u;
}

static inline uint32_t hash8(uint64_t v)
{
    return (uint32_t)((v ^ v >> 32) * 0x9E3779B97F4A7C15u >> 32);
}

static inline uint32_t hash16(unsigned __int128 v)
{
    return hash8((uint64_t)v ^ (uint64_t)(v >> 64) * 0xC2B2AE3D27D4EB4Fu);
}

static inline uint32_t hash_slice(tain_slice s)
{
    return (uint32_t)(XXH3_64bits(s.data, s.size) >> 32);
}

static uint32_t hash_value(const tain_dictionary *d, uint32_t i)
{
    uint64_t          v8;
    unsigned __int128 v16;
    switch (d->width) {
    case 4: return hash4(((const uint32_t *)d->values.data)[i]);
    case 8: memcpy(&v8, d->values.data + (size_t)i * 8, 8); return hash8(v8);
    case 16: memcpy(&v16, d->values.data + (size_t)i * 16, 16); return hash16(v16);
    default: return hash_slice(tain_dictionary_slice(d, i));
    }
}

static void place(tain_dictionary *d, uint32_t hash, uint32_t index)
{
    size_t mask = ((size_t)1 << d->bits) - 1, at = hash >> (32 - d->bits);
    if (d->width) {
        uint32_t *slots = (uint32_t *)d->slots.data;
        while (slots[at]) at = (at + 1) & mask;
        slots[at] = index + 1;
    } else {
        string_slot *slots = (string_slot *)d->slots.data;
        while (slots[at].index) at = (at + 1) & mask;
        slots[at] = (string_slot){hash, index + 1};
    }
}

static void grow(tain_dictionary *d)
{
    empty_slots(d, d->bits ? d->bits + 2 : FIRST_BITS);
    for (uint32_t i = 0; i < d->count; i++) place(d, hash_value(d, i), i);
}

static inline bool is_crowded(const tain_dictionary *d)
{
    return d->bits == 0 || d->count >= (size_t)1 << (d->bits - 1);
}

/* Adds a value that is not there; false when the limit is reached. */
static bool add_fixed(tain_dictionary *d, const void *v, uint32_t hash)
{
    if (d->values.size + d->width > d->limit) return false;
    tain_buffer_append(&d->values, v, d->width);
    d->count++;
    if (is_crowded(d)) grow(d);
    else place(d, hash, d->count - 1);
    return true;
}

#define LOOKUP(type, hash_fn)                                                             \
    static size_t lookup_##type(tain_dictionary *d, const type *v, size_t n, uint32_t *out) \
    {                                                                                     \
        const uint32_t *slots = (const uint32_t *)d->slots.data;                          \
        const type     *values = (const type *)d->values.data;                            \
        size_t          mask = ((size_t)1 << d->bits) - 1;                                \
        unsigned        shift = 32 - d->bits;                                             \
        for (size_t i = 0; i < n; i++) {                                                  \
            uint32_t hash = hash_fn(v[i]);                                                \
            size_t   at = hash >> shift;                                                  \
            while (slots[at] && values[slots[at] - 1] != v[i]) at = (at + 1) & mask;      \
            if (slots[at]) {                                                              \
                out[i] = slots[at] - 1;                                                   \
                continue;                                                                 \
            }                                                                             \
            if (!add_fixed(d, &v[i], hash)) return i;                                     \
            out[i] = d->count - 1;                                                        \
            slots = (const uint32_t *)d->slots.data;                                      \
            values = (const type *)d->values.data;                                        \
            mask = ((size_t)1 << d->bits) - 1;                                            \
            shift = 32 - d->bits;                                                         \
        }                                                                                 \
        return n;                                                                         \
    }
typedef unsigned __int128 wide;
LOOKUP(uint32_t, hash4)
LOOKUP(uint64_t, hash8)
LOOKUP(wide, hash16)
#undef LOOKUP

size_t tain_dictionary_fixed(tain_dictionary *d, const void *v, size_t n, uint32_t *out)
{
    if (d->bits == 0) grow(d);
    if (d->width == 4) return lookup_uint32_t(d, v, n, out);
    if (d->width == 8) return lookup_uint64_t(d, v, n, out);
    return lookup_wide(d, v, n, out);
}

static bool add_slice(tain_dictionary *d, tain_slice s, uint32_t hash)
{
    if (s.size > d->limit || d->values.size + 4 + s.size > d->limit) return false;
    uint32_t at = (uint32_t)d->values.size, n = (uint32_t)s.size;
    tain_buffer_append(&d->offsets, &at, 4);
    tain_buffer_append(&d->values, &n, 4);
    tain_buffer_append(&d->values, s.data, s.size);
    d->count++;
    if (is_crowded(d)) grow(d);
    else place(d, hash, d->count - 1);
    return true;
}

/* Index + 1 of s, 0 when it is not there. */
static inline uint32_t find_slice(const tain_dictionary *d, tain_slice s, uint32_t hash)
{
    const string_slot *slots = (const string_slot *)d->slots.data;
    size_t             mask = ((size_t)1 << d->bits) - 1, at = hash >> (32 - d->bits);
    for (; slots[at].index; at = (at + 1) & mask) {
        if (slots[at].hash != hash) continue;
        tain_slice have = tain_dictionary_slice(d, slots[at].index - 1);
        if (have.size == s.size && (s.size == 0 || memcmp(have.data, s.data, s.size) == 0)) break;
    }
    return slots[at].index;
}

size_t tain_dictionary_slices(tain_dictionary *d, const tain_column *c, const uint32_t *rows, size_t first, size_t n,
                              uint32_t *out)
{
    if (d->bits == 0) grow(d);
    for (size_t i = 0; i < n; i++) {
        tain_slice s = tain_column_slice(c, rows ? rows[i] : first + i);
        uint32_t   hash = hash_slice(s), found = find_slice(d, s, hash);
        if (!found) {
            if (!add_slice(d, s, hash)) return i;
            found = d->count;
        }
        out[i] = found - 1;
    }
    return n;
}
