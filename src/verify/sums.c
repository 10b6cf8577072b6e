/* SPDX-License-Identifier: MIT */
#include "verify/sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BUCKETS_LEAST = 1 << 12, BUCKETS_MOST = 1 << 20, ROWS_A_BUCKET = 8, MARKS_MOST = 1 << 21 };

void tain_sums_init(tain_sums *s, int64_t rows_estimate)
{
    size_t n = BUCKETS_LEAST;
    while (n < BUCKETS_MOST && (int64_t)n * ROWS_A_BUCKET < rows_estimate) n *= 2;
    *s = (tain_sums){.buckets = tain_alloc(n * sizeof *s->buckets), .count = n};
}

void tain_sums_done(tain_sums *s)
{
    free(s->buckets);
    free(s->suspects);
    *s = (tain_sums){0};
}

void tain_sums_begin(tain_sums *s)
{
    memset(s->buckets, 0, s->count * sizeof *s->buckets);
}

size_t tain_sums_end(tain_sums *s)
{
    size_t n = 0;
    bool first = !s->suspects;
    if (first) s->suspects = tain_alloc(s->count / 8);
    for (size_t i = 0; i < s->count; i++) {
        uint8_t bit = (uint8_t)(1u << (i & 7)), *byte = &s->suspects[i >> 3];
        bool differs = atomic_load_explicit(&s->buckets[i], memory_order_relaxed) != 0 && (first || *byte & bit);
        *byte = (uint8_t)(differs ? *byte | bit : *byte & ~bit);
        n += differs;
    }
    return n;
}

/* --- marks --------------------------------------------------------------------------------------------------------- */

void tain_marks_add(tain_marks *m, uint64_t key, uint64_t row)
{
    m->overflow |= m->count == MARKS_MOST;
    if (m->overflow) return;
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 256;
        m->list = tain_realloc(m->list, m->capacity * sizeof *m->list);
    }
    m->list[m->count++] = (tain_mark){key, row};
}

void tain_marks_done(tain_marks *m)
{
    free(m->list);
    *m = (tain_marks){0};
}

static int compare(uint64_t key, uint64_t row, uint64_t other_key, uint64_t other_row)
{
    if (key != other_key) return key < other_key ? -1 : 1;
    return row < other_row ? -1 : row > other_row;
}

static int by_mark(const void *a, const void *b)
{
    const tain_mark *x = a, *y = b;
    return compare(x->key, x->row, y->key, y->row);
}

static size_t count_same(const tain_marks *m, size_t at, const tain_mark *as)
{
    size_t n = 0;
    while (at + n < m->count && by_mark(&m->list[at + n], as) == 0) n++;
    return n;
}

tain_differences tain_marks_compare(tain_marks *source, tain_marks *lake)
{
    if (source->count) qsort(source->list, source->count, sizeof *source->list, by_mark);
    if (lake->count) qsort(lake->list, lake->count, sizeof *lake->list, by_mark);
    tain_differences d = {.list = tain_alloc((source->count + lake->count + 1) * sizeof *d.list)};
    for (size_t i = 0, k = 0; i < source->count || k < lake->count;) {
        bool left = k == lake->count || (i < source->count && by_mark(&source->list[i], &lake->list[k]) <= 0);
        tain_mark m = left ? source->list[i] : lake->list[k];
        size_t there = count_same(source, i, &m), here = count_same(lake, k, &m);
        if (there != here) d.list[d.count++] = (tain_difference){m.key, m.row, (int64_t)there - (int64_t)here};
        i += there;
        k += here;
    }
    return d;
}

/* --- differences --------------------------------------------------------------------------------------------------- */

void tain_differences_done(tain_differences *d)
{
    free(d->list);
    *d = (tain_differences){0};
}

static int by_difference(const void *a, const void *b)
{
    const tain_difference *x = a, *y = b;
    return compare(x->key, x->row, y->key, y->row);
}

static const tain_difference *find(const tain_differences *d, uint64_t key, uint64_t row)
{
    tain_difference wanted = {.key = key, .row = row};
    return d->count ? bsearch(&wanted, d->list, d->count, sizeof *d->list, by_difference) : NULL;
}

void tain_differences_keep(tain_differences *io, const tain_differences *before)
{
    size_t kept = 0;
    for (size_t i = 0; i < io->count; i++) {
        const tain_difference *was = find(before, io->list[i].key, io->list[i].row);
        if (was && (was->surplus > 0) == (io->list[i].surplus > 0)) io->list[kept++] = io->list[i];
    }
    io->count = kept;
}

size_t tain_differences_find(const tain_differences *d, uint64_t key, uint64_t row)
{
    const tain_difference *found = find(d, key, row);
    return found ? (size_t)(found - d->list) : d->count;
}

bool tain_differences_in_source(const tain_differences *d, uint64_t key)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->list[middle].key < key) low = middle + 1;
        else high = middle;
    }
    for (; low < d->count && d->list[low].key == key; low++)
        if (d->list[low].surplus > 0) return true;
    return false;
}

bool tain_differences_have(const tain_differences *d, uint64_t key, uint64_t row)
{
    return find(d, key, row) != NULL;
}

int64_t tain_differences_rows(const tain_differences *d)
{
    int64_t rows = 0;
    for (size_t i = 0, k; i < d->count; i = k) {
        int64_t there = 0, here = 0;
        for (k = i; k < d->count && d->list[k].key == d->list[i].key; k++) {
            if (d->list[k].surplus > 0) there += d->list[k].surplus;
            else here -= d->list[k].surplus;
        }
        rows += there > here ? there : here;
    }
    return rows;
}
