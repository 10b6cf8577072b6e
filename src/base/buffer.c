/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void tain_buffer_grow(tain_buffer *b, size_t extra)
{
    size_t capacity = b->capacity < 64 ? 64 : b->capacity;
    if (extra > SIZE_MAX / 4 - b->size) abort();
    while (capacity - b->size < extra) capacity += capacity < 4096 ? capacity : capacity / 2;
    b->data = tain_realloc(b->data, capacity);
    b->capacity = capacity;
}

void tain_buffer_done(tain_buffer *b)
{
    tain_free(b->data);
    *b = (tain_buffer){0};
}

void tain_buffer_printf(tain_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    uint8_t *at = tain_buffer_reserve(b, 128);
    size_t   room = b->capacity - b->size;
    int      n = vsnprintf((char *)at, room, format, args);
    va_end(args);
    if (n < 0) abort();
    if ((size_t)n >= room) vsnprintf((char *)tain_buffer_reserve(b, (size_t)n + 1), (size_t)n + 1, format, again);
    va_end(again);
    b->size += (size_t)n;
}
