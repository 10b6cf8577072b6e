/* SPDX-License-Identifier: MIT */
/* spool.h -- an append-only run of bytes that moves to a temporary file when it outgrows its share of memory.
 *
 * Holds what must be kept for later but not in memory, such as the messages of a transaction that is not committed yet.
 * The file is unlinked as soon as it is made, so a crash leaves nothing. One thread at a time. */
#ifndef TAIN_BASE_SPOOL_H
#define TAIN_BASE_SPOOL_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct tain_spool tain_spool;

/* dir: where the file goes when memory_limit bytes are passed; borrowed text, copied. */
tain_spool *tain_spool_new(const char *dir, size_t memory_limit);
void        tain_spool_free(tain_spool *s); /* accepts NULL */
tain_status tain_spool_append(tain_spool *s, const void *data, size_t n, tain_error *err);
uint64_t    tain_spool_size(const tain_spool *s);        /* bytes appended */
size_t      tain_spool_memory(const tain_spool *s);      /* bytes of memory held now */
/* Forgets everything at and behind `size` bytes. */
tain_status tain_spool_truncate(tain_spool *s, uint64_t size, tain_error *err);
/* Reads n bytes at offset into out; all n must exist. */
tain_status tain_spool_read(tain_spool *s, uint64_t offset, void *out, size_t n, tain_error *err);

#endif
