/* SPDX-License-Identifier: MIT */
/* key.h -- 64-bit hashes and equality of key columns.
 *
 * The hash of a key that is one integer, date or timestamp column is a bijection of its value (splitmix64 finaliser over
 * value ^ seed), so equal hashes mean equal keys: tain_key_exact() tells. Any other key is folded with XXH3; equal
 * hashes then need tain_key_equal(). Hashes are a property of values and seed alone, not of batches or files. A null is
 * hashed as INT64_MIN in an exact key (so only that one 64-bit value can collide with it), as a value of its own elsewhere. */
#ifndef TAIN_BATCH_KEY_H
#define TAIN_BATCH_KEY_H

#include "batch/batch.h"

typedef struct tain_key {
    const uint16_t *columns; /* indexes into the schema; borrowed */
    size_t          count;
    uint64_t        seed;
} tain_key;

/* True when equal hashes prove equal keys. */
bool tain_key_exact(const tain_key *key, const tain_schema *schema);
/* out[k] = hash of row first + k, k < n. Works column by column. */
void tain_key_hash(const tain_key *key, const tain_batch *b, size_t first, size_t n, uint64_t *out);
bool tain_key_equal(const tain_key *key, const tain_batch *a, size_t i, const tain_batch *b, size_t j);
/* Hash of all columns, for comparison of contents: does not depend on key or seed. */
void tain_row_hash(const tain_batch *b, size_t first, size_t n, uint64_t *out);
/* "(42, 'abc')" appended, for messages. */
void tain_key_text(const tain_key *key, const tain_batch *b, size_t row, tain_buffer *out);

#endif
