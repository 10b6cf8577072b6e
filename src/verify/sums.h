/* SPDX-License-Identifier: MIT */
/* sums.h -- two sides reduced to checksums that do not depend on order; and the rows of those that differ.
 *
 * A row falls into a bucket by the hash of its key. A bucket is the sum of the hashes of the source's rows less those of
 * the lake's, modulo 2^64: 0 when both sides hold the same rows in it. A bucket that differed in every pass so far is
 * suspected; what is noted of the rows in such buckets are two hashes each. Memory has a bound that does not depend on
 * rows. Thread: any for tain_sums_add and tain_sums_suspects, else one. */
#ifndef TAIN_VERIFY_SUMS_H
#define TAIN_VERIFY_SUMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tain_side { TAIN_SIDE_SOURCE, TAIN_SIDE_LAKE } tain_side;

typedef struct tain_sums {
    _Atomic uint64_t *buckets;
    size_t            count;    /* a power of two */
    uint8_t          *suspects; /* a bit a bucket; NULL before the first pass has ended */
} tain_sums;

void tain_sums_init(tain_sums *s, int64_t rows_estimate);
void tain_sums_done(tain_sums *s); /* s is zero again */
void tain_sums_begin(tain_sums *s);
/* Ends a pass; returns how many buckets are suspected. */
size_t tain_sums_end(tain_sums *s);

static inline void tain_sums_add(tain_sums *s, tain_side side, uint64_t key, uint64_t row)
{
    _Atomic uint64_t *bucket = &s->buckets[key & (s->count - 1)];
    atomic_fetch_add_explicit(bucket, side == TAIN_SIDE_SOURCE ? row : -row, memory_order_relaxed);
}

static inline bool tain_sums_suspects(const tain_sums *s, uint64_t key)
{
    size_t bucket = key & (s->count - 1);
    return s->suspects[bucket >> 3] >> (bucket & 7) & 1;
}

/* --- rows of suspected buckets --------------------------------------------------------------------------------------- */

typedef struct tain_mark { uint64_t key, row; } tain_mark; /* hashes */
typedef struct tain_marks {
    tain_mark *list;
    size_t     count, capacity;
    bool       overflow; /* there were more than are noted */
} tain_marks;

void tain_marks_add(tain_marks *m, uint64_t key, uint64_t row);
void tain_marks_done(tain_marks *m);

/* A row that one side has more often than the other. */
typedef struct tain_difference {
    uint64_t key, row;
    int64_t  surplus; /* > 0: so many more in the source; < 0: in the lake */
} tain_difference;
typedef struct tain_differences { tain_difference *list; size_t count; } tain_differences; /* ascending by key, row */

/* Sorts both. */
tain_differences tain_marks_compare(tain_marks *source, tain_marks *lake);
void tain_differences_done(tain_differences *d);
/* Keeps those that were there before as well. */
void tain_differences_keep(tain_differences *io, const tain_differences *before);
/* Where it is in d->list, or d->count. */
size_t tain_differences_find(const tain_differences *d, uint64_t key, uint64_t row);
/* Whether the source has a row more of that key. */
bool tain_differences_in_source(const tain_differences *d, uint64_t key);
bool tain_differences_have(const tain_differences *d, uint64_t key, uint64_t row);
/* How many rows differ: one with another value is one, though each side has a row that the other has not. */
int64_t tain_differences_rows(const tain_differences *d);

#endif
