/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "tain: out of memory (%zu bytes asked)\n", size);
    abort();
}

enum { LARGE = 2 << 20 };

/* Without this the C library learns from what is freed, up to 32 MiB, and keeps blocks of that size in its heaps. */
void tain_memory_return_large(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, 8 * LARGE);
    mallopt(M_ARENA_MAX, 4);
}

void *tain_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) out_of_memory(size);
    return p;
}

void *tain_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q) out_of_memory(size);
    return q;
}

void tain_free(void *p)
{
    free(p);
}

char *tain_strndup(const char *s, size_t n)
{
    char *copy = malloc(n + 1);
    if (!copy) out_of_memory(n + 1);
    if (n) memcpy(copy, s, n);
    copy[n] = 0;
    return copy;
}

char *tain_strdup(const char *s)
{
    return s ? tain_strndup(s, strlen(s)) : NULL;
}

char *tain_format(const char *format, ...)
{
    char   *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) out_of_memory(0);
    return text;
}

/* The head of the list is the block being filled; the last is the one that a reset keeps. */
struct tain_arena_block {
    struct tain_arena_block *next;
    size_t                   size, used;
    uint64_t                 pad; /* keeps data aligned to 16 */
    uint8_t                  data[];
};

enum { FIRST_BLOCK = 512 /* enough for a table of some columns */, LARGEST_BLOCK = 1 << 20 };

void tain_arena_init(tain_arena *a)
{
    *a = (tain_arena){0};
}

static struct tain_arena_block *block_new(size_t size)
{
    struct tain_arena_block *b = malloc(sizeof *b + size);
    if (!b) out_of_memory(size);
    b->next = NULL;
    b->size = size;
    b->used = 0;
    return b;
}

static size_t next_block_size(const tain_arena *a)
{
    if (!a->blocks) return FIRST_BLOCK;
    return a->blocks->size < LARGEST_BLOCK / 2 ? a->blocks->size * 2 : LARGEST_BLOCK;
}

/* A request larger than a block gets one of its own behind the head, so that the head's room is not lost; the first block
 * stays the last. */
static struct tain_arena_block *block_for(tain_arena *a, size_t size)
{
    struct tain_arena_block *head = a->blocks;
    if (head && head->size - head->used >= size) return head;
    size_t                   usual = next_block_size(a);
    struct tain_arena_block *b = block_new(size > usual ? size : usual);
    if (head && head->next && size > usual) {
        b->next = head->next;
        head->next = b;
    } else {
        b->next = head;
        a->blocks = b;
    }
    return b;
}

void *tain_arena_alloc(tain_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) out_of_memory(size);
    size_t                   rounded = (size + 15) & ~(size_t)15;
    struct tain_arena_block *b = block_for(a, rounded);
    void                    *p = b->data + b->used;
    b->used += rounded;
    a->used += size;
    memset(p, 0, rounded);
    return p;
}

char *tain_arena_strndup(tain_arena *a, const char *s, size_t n)
{
    char *copy = tain_arena_alloc(a, n + 1);
    if (n) memcpy(copy, s, n);
    return copy;
}

char *tain_arena_format(tain_arena *a, const char *format, ...)
{
    char    brief[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(brief, sizeof brief, format, args);
    va_end(args);
    if (n < 0) out_of_memory(0);
    char *text = tain_arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof brief) memcpy(text, brief, (size_t)n);
    else vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void tain_arena_reset(tain_arena *a)
{
    struct tain_arena_block *b = a->blocks;
    while (b && b->next) {
        struct tain_arena_block *next = b->next;
        free(b);
        b = next;
    }
    if (b && b->size > LARGEST_BLOCK) {
        free(b);
        b = NULL;
    }
    if (b) b->used = 0;
    *a = (tain_arena){.blocks = b};
}

void tain_arena_done(tain_arena *a)
{
    for (struct tain_arena_block *b = a->blocks; b;) {
        struct tain_arena_block *next = b->next;
        free(b);
        b = next;
    }
    *a = (tain_arena){0};
}
