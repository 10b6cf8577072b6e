/* SPDX-License-Identifier: MIT */
/* memory.h -- allocation that cannot fail, arenas by lifetime, scope cleanup.
 *
 * Small allocations abort the process when memory is gone: a worker restarts from its last epoch, so that is safe.
 * Memory for rows is bounded by budgets that flush, long before. */
#ifndef TAIN_BASE_MEMORY_H
#define TAIN_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Large blocks go back to the system when they are freed, none is kept for later. To be called when the process begins. */
void  tain_memory_return_large(void);
void *tain_alloc(size_t size);              /* zeroed; never NULL */
void *tain_realloc(void *p, size_t size);   /* never NULL; new bytes are not zeroed */
char *tain_strdup(const char *s);           /* NULL gives NULL */
char *tain_strndup(const char *s, size_t n);
char *tain_format(const char *format, ...) __attribute__((format(printf, 1, 2))); /* caller frees */

/* An arena gives memory that lives until the arena is reset or done. Not thread-safe. */
typedef struct tain_arena {
    struct tain_arena_block *blocks;
    size_t                   used; /* bytes handed out since init or reset */
} tain_arena;

void  tain_arena_init(tain_arena *a);
void *tain_arena_alloc(tain_arena *a, size_t size); /* zeroed, aligned to 16 */
char *tain_arena_strndup(tain_arena *a, const char *s, size_t n);
char *tain_arena_format(tain_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void  tain_arena_reset(tain_arena *a); /* keeps the first block */
void  tain_arena_done(tain_arena *a);

/* TAIN_AUTO(free_function) type *p = NULL;  -- the function is called with p's value at the end of the scope. */
#define TAIN_AUTO_DEFINE(type, fn) \
    static inline void fn##_scope(type **p) { if (*p) fn(*p); }
#define TAIN_AUTO(fn) __attribute__((cleanup(fn##_scope)))

void tain_free(void *p); /* free() */
static inline void tain_free_scope(void *p) { tain_free(*(void **)p); }

#endif
