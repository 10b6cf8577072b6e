/* SPDX-License-Identifier: MIT */
/* wire.h -- reading PostgreSQL's network byte order: plain loads, and a reader that remembers when it ran dry.
 *
 * A reader that passed its end gives zeros and empty texts from then on and `bad` is true: parse a whole message, ask
 * once. Nothing is copied: texts and slices point into the message. Thread: any. */
#ifndef TAIN_SOURCE_POSTGRES_WIRE_H
#define TAIN_SOURCE_POSTGRES_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TAIN_PG_GIANT = 16 << 20 }; /* bytes of a row that is to be let go of before the next one is read */

static inline uint16_t tain_pg_load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}
static inline uint32_t tain_pg_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}
static inline uint64_t tain_pg_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}
static inline void tain_pg_store64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

typedef struct tain_pg_bytes {
    const uint8_t *at, *end;
    bool           bad;
} tain_pg_bytes;

static inline tain_pg_bytes tain_pg_bytes_of(const void *data, size_t n)
{
    return (tain_pg_bytes){data, (const uint8_t *)data + n, false};
}
static inline size_t tain_pg_left(const tain_pg_bytes *b) { return (size_t)(b->end - b->at); }
/* n bytes, or NULL. */
static inline const uint8_t *tain_pg_take(tain_pg_bytes *b, size_t n)
{
    if (tain_pg_left(b) < n) {
        b->at = b->end;
        b->bad = true;
        return NULL;
    }
    const uint8_t *p = b->at;
    b->at += n;
    return p;
}
static inline uint8_t tain_pg_u8(tain_pg_bytes *b)
{
    const uint8_t *p = tain_pg_take(b, 1);
    return p ? *p : 0;
}
static inline uint16_t tain_pg_u16(tain_pg_bytes *b)
{
    const uint8_t *p = tain_pg_take(b, 2);
    return p ? tain_pg_load16(p) : 0;
}
static inline uint32_t tain_pg_u32(tain_pg_bytes *b)
{
    const uint8_t *p = tain_pg_take(b, 4);
    return p ? tain_pg_load32(p) : 0;
}
static inline uint64_t tain_pg_u64(tain_pg_bytes *b)
{
    const uint8_t *p = tain_pg_take(b, 8);
    return p ? tain_pg_load64(p) : 0;
}
/* A NUL-terminated text. */
static inline const char *tain_pg_text(tain_pg_bytes *b)
{
    const uint8_t *p = b->at;
    const uint8_t *nul = tain_pg_left(b) ? memchr(p, 0, tain_pg_left(b)) : NULL;
    if (!nul) {
        b->at = b->end;
        b->bad = true;
        return "";
    }
    b->at = nul + 1;
    return (const char *)p;
}

#endif
