/* SPDX-License-Identifier: MIT */
/* buffer.h -- a growable run of bytes, and a borrowed one.
 *
 * A zeroed tain_buffer is empty and valid. Growth is geometric and aborts when memory is gone. `data` may move on every
 * append. A buffer owns its bytes; tain_buffer_move hands them over. Not thread-safe. */
#ifndef TAIN_BASE_BUFFER_H
#define TAIN_BASE_BUFFER_H

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

typedef struct tain_buffer {
    uint8_t *data;
    size_t   size;
    size_t   capacity;
} tain_buffer;

typedef struct tain_slice { /* borrowed bytes */
    const uint8_t *data;
    size_t         size;
} tain_slice;

void tain_buffer_grow(tain_buffer *b, size_t extra); /* slow path of reserve */
void tain_buffer_done(tain_buffer *b);               /* frees; b is empty and valid again */
void tain_buffer_printf(tain_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for `extra` more bytes and returns where they begin; size is unchanged. */
static inline uint8_t *tain_buffer_reserve(tain_buffer *b, size_t extra)
{
    if (b->capacity - b->size < extra) tain_buffer_grow(b, extra);
    return b->data + b->size;
}
static inline void tain_buffer_append(tain_buffer *b, const void *data, size_t n)
{
    if (n) memcpy(tain_buffer_reserve(b, n), data, n);
    b->size += n;
}
static inline void tain_buffer_append_str(tain_buffer *b, const char *s) { tain_buffer_append(b, s, strlen(s)); }
static inline void tain_buffer_append_u8(tain_buffer *b, uint8_t v)
{
    *tain_buffer_reserve(b, 1) = v;
    b->size++;
}
/* Appends n zero bytes. */
static inline void tain_buffer_append_zero(tain_buffer *b, size_t n)
{
    if (n) memset(tain_buffer_reserve(b, n), 0, n);
    b->size += n;
}
static inline void tain_buffer_clear(tain_buffer *b) { b->size = 0; }
/* Clears, and gives the memory back if there is more than `most` of it: what one giant needed is not kept for the others. */
static inline void tain_buffer_relax(tain_buffer *b, size_t most)
{
    b->size = 0;
    if (b->capacity > most) tain_buffer_done(b);
}
/* dst takes src's bytes (what dst held is freed); src is left empty. */
static inline void tain_buffer_move(tain_buffer *dst, tain_buffer *src)
{
    tain_buffer_done(dst);
    *dst = *src;
    *src = (tain_buffer){0};
}
static inline void tain_buffer_done_scope(tain_buffer *b) { tain_buffer_done(b); } /* TAIN_AUTO(tain_buffer_done) tain_buffer b = {0}; */
/* NUL-terminates without counting the NUL, and returns the text. */
static inline char *tain_buffer_cstr(tain_buffer *b)
{
    *tain_buffer_reserve(b, 1) = 0;
    return (char *)b->data;
}
static inline tain_slice tain_buffer_slice(const tain_buffer *b) { return (tain_slice){b->data, b->size}; }

#endif
