/* SPDX-License-Identifier: MIT */
/* dictionary.h -- distinct values in order of appearance, found by an open-addressing hash.
 *
 * Values are 4, 8 or 16 bytes compared as bits, or byte strings. Lookups add what is new until the PLAIN size of the
 * dictionary would pass its limit; then they stop short and the caller gives the dictionary up. */
#ifndef TAIN_PARQUET_DICTIONARY_H
#define TAIN_PARQUET_DICTIONARY_H

#include "batch/column.h"

typedef struct tain_dictionary {
    unsigned    width;   /* 4, 8, 16; 0: byte strings */
    size_t      limit;   /* bytes */
    uint32_t    count;
    tain_buffer values;  /* fixed: raw values; strings: u32 length + bytes each, which is PLAIN */
    tain_buffer offsets; /* strings: where value i begins in values, uint32 */
    tain_buffer slots;
    unsigned    bits;    /* log2 of the number of slots; 0: none yet */
} tain_dictionary;

void   tain_dictionary_init(tain_dictionary *d, unsigned width, size_t limit);
void   tain_dictionary_done(tain_dictionary *d);
void   tain_dictionary_clear(tain_dictionary *d);
size_t tain_dictionary_memory(const tain_dictionary *d);
/* out[i] = index of v[i]; returns how many were looked up: fewer than n when the limit came between. */
size_t tain_dictionary_fixed(tain_dictionary *d, const void *v, size_t n, uint32_t *out);
size_t tain_dictionary_slices(tain_dictionary *d, const tain_column *c, const uint32_t *rows, size_t first, size_t n,
                              uint32_t *out);
/* Forgets values at and behind count; no lookups may follow before clear. */
void tain_dictionary_truncate(tain_dictionary *d, uint32_t count);

static inline tain_slice tain_dictionary_slice(const tain_dictionary *d, uint32_t i)
{
    const uint8_t *p = d->values.data + ((const uint32_t *)d->offsets.data)[i];
    uint32_t       n;
    memcpy(&n, p, 4);
    return (tain_slice){p + 4, n};
}

#endif
