/* SPDX-License-Identifier: MIT */
/* The library's reader trusts what it reads; this looks at every container first. */
#include "delta/dv.h"

enum { COOKIE_PLAIN = 12346, COOKIE_RUNS = 12347, ARRAY_MAX = 4096, BITSET_BYTES = 8192, OFFSETS_FROM = 4 };

typedef struct cursor {
    const uint8_t *p;
    size_t         left;
} cursor;

static const uint8_t *take(cursor *c, size_t n)
{
    if (c->left < n) return NULL;
    const uint8_t *p = c->p;
    c->p += n;
    c->left -= n;
    return p;
}

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16;
}

static bool array_valid(cursor *c, uint32_t cardinality)
{
    const uint8_t *v = take(c, 2 * (size_t)cardinality);
    if (!v) return false;
    for (uint32_t i = 1; i < cardinality; i++)
        if (u16(v + 2 * i) <= u16(v + 2 * i - 2)) return false;
    return true;
}

static bool bitset_valid(cursor *c, uint32_t cardinality)
{
    const uint8_t *v = take(c, BITSET_BYTES);
    if (!v) return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < BITSET_BYTES; i++) bits += (uint32_t)__builtin_popcount(v[i]);
    return bits == cardinality;
}

static bool runs_valid(cursor *c, uint32_t cardinality)
{
    const uint8_t *head = take(c, 2);
    if (!head) return false;
    size_t         n = u16(head);
    const uint8_t *v = take(c, 4 * n);
    if (!v) return false;
    uint32_t next = 0, bits = 0;
    for (size_t i = 0; i < n; i++, v += 4) {
        uint32_t start = u16(v), length = (uint32_t)u16(v + 2) + 1;
        if (start < next || start + length > 65536) return false;
        next = start + length;
        bits += length;
    }
    return bits == cardinality;
}

/* Reads the cookie: number of containers, and their run flags (NULL: none has runs). */
static bool header(cursor *c, size_t *ret_n, const uint8_t **ret_runs)
{
    const uint8_t *cookie = take(c, 4);
    if (!cookie) return false;
    *ret_runs = NULL;
    if (u32(cookie) == COOKIE_PLAIN) {
        const uint8_t *n = take(c, 4);
        if (!n || u32(n) > 65536) return false;
        *ret_n = u32(n);
        return true;
    }
    if (u16(cookie) != COOKIE_RUNS) return false;
    *ret_n = (size_t)u16(cookie + 2) + 1;
    *ret_runs = take(c, (*ret_n + 7) / 8);
    return *ret_runs != NULL;
}

bool tain_roaring_valid(const uint8_t *p, size_t n)
{
    cursor         c = {p, n};
    size_t         count;
    const uint8_t *runs;
    if (!header(&c, &count, &runs)) return false;
    const uint8_t *keys = take(&c, 4 * count);
    if (!keys) return false;
    const uint8_t *offsets = NULL;
    if ((!runs || count >= OFFSETS_FROM) && !(offsets = take(&c, 4 * count))) return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t cardinality = (uint32_t)u16(keys + 4 * i + 2) + 1;
        if (i && u16(keys + 4 * i) <= u16(keys + 4 * i - 4)) return false;
        if (offsets && u32(offsets + 4 * i) != (uint32_t)(c.p - p)) return false;
        bool run = runs && runs[i / 8] >> (i % 8) & 1;
        if (run ? !runs_valid(&c, cardinality)
                : cardinality <= ARRAY_MAX ? !array_valid(&c, cardinality) : !bitset_valid(&c, cardinality))
            return false;
    }
    return c.left == 0;
}
