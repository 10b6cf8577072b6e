/* SPDX-License-Identifier: MIT */
/* Two counting passes over the leading bits leave about one hash in each group of equal leading bits, which insertion
 * finishes. Groups that are larger, because rows repeat, take the full number of passes. */
#include "index/sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, FEW = 24 };

typedef struct pairs {
    uint64_t *hashes;
    uint32_t *companions;
} pairs;

static void insertion(uint64_t *hashes, uint32_t *companions, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t h = hashes[i];
        if (hashes[i - 1] <= h) continue;
        uint32_t c = companions[i];
        size_t j = i;
        for (; j && hashes[j - 1] > h; j--) {
            hashes[j] = hashes[j - 1];
            companions[j] = companions[j - 1];
        }
        hashes[j] = h;
        companions[j] = c;
    }
}

/* One stable pass from a to b; false: all hashes have the same digit, and nothing was moved. */
static bool pass(pairs a, pairs b, size_t n, unsigned shift, unsigned bits)
{
    uint32_t at[DIGITS] = {0};
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    for (size_t i = 0; i < n; i++) at[a.hashes[i] >> shift & mask]++;
    if (at[a.hashes[0] >> shift & mask] == n) return false;
    for (uint32_t d = 0, sum = 0; d <= mask; d++) {
        uint32_t count = at[d];
        at[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t to = at[a.hashes[i] >> shift & mask]++;
        b.hashes[to] = a.hashes[i];
        b.companions[to] = a.companions[i];
    }
    return true;
}

/* Sorts by bits low..63; the result is in a. */
static void passes(pairs a, pairs b, size_t n, unsigned low)
{
    pairs from = a, to = b;
    for (unsigned shift = low; shift < 64; shift += DIGIT_BITS) {
        if (!pass(from, to, n, shift, 64 - shift < DIGIT_BITS ? 64 - shift : DIGIT_BITS)) continue;
        pairs swap = from;
        from = to;
        to = swap;
    }
    if (from.hashes == a.hashes) return;
    memcpy(a.hashes, from.hashes, n * sizeof *a.hashes);
    memcpy(a.companions, from.companions, n * sizeof *a.companions);
}

static void finish_groups(pairs a, pairs b, size_t n, unsigned low)
{
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && a.hashes[j] >> low == a.hashes[i] >> low;) j++;
        if (j - i <= FEW) insertion(a.hashes + i, a.companions + i, j - i);
        else passes((pairs){a.hashes + i, a.companions + i}, b, j - i, 0);
    }
}

void tain_index_sort(uint64_t *hashes, uint32_t *companions, size_t n)
{
    if (n <= FEW) {
        insertion(hashes, companions, n);
        return;
    }
    pairs a = {hashes, companions};
    pairs b = {tain_realloc(NULL, n * sizeof *hashes), tain_realloc(NULL, n * sizeof *companions)};
    unsigned leading = n > DIGITS ? 2 * DIGIT_BITS : DIGIT_BITS;
    passes(a, b, n, 64 - leading);
    finish_groups(a, b, n, 64 - leading);
    tain_free(b.hashes);
    tain_free(b.companions);
}
