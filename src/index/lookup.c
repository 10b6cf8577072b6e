/* SPDX-License-Identifier: MIT */
/* Hashes are spread evenly, so that the place of one among n is known to about sqrt(n): a guess among the fences, one
 * correction, and a short search lead to the block; the same inside the block. Hashes that are not spread evenly (many
 * equal ones) cost a binary search. Lookups go in groups, a step for all of a group at a time, so that the cache misses
 * of a group overlap; many lookups are first put in rough order, so that they walk through a run. */
#include "index/internal.h"

enum { GROUP = 32, ORDER_AT_LEAST = 4096, ORDER_AT_MOST = 1 << 20, ORDER_BITS = 12 };

typedef struct search {
    tain_index *x;
    bool      (*found)(void *ctx, size_t k, tain_location at);
    void       *ctx;
    size_t      n; /* of the group */
    uint64_t    hashes[GROUP];
    size_t      ks[GROUP];
    size_t      at[GROUP];    /* block, then entry */
    bool        ended[GROUP]; /* found returned false */
} search;

/* Share h of n: where h lies among n evenly spread ones. */
static size_t share(uint64_t h, uint64_t n)
{
    return (size_t)(((unsigned __int128)h * n) >> 64);
}

/* First i with a[i] >= h, or n, searched for in both directions from guess. */
static size_t first_not_below(const uint64_t *a, size_t n, uint64_t h, size_t guess)
{
    size_t low = guess, high = guess, step = 1;
    if (a[guess] < h) {
        for (low = high = guess + 1; high < n && a[high] < h; step *= 2) {
            low = high + 1;
            high += step;
        }
        if (high > n) high = n;
    } else {
        for (; low > 0 && a[low - 1] >= h; step *= 2) {
            high = low - 1;
            low = low > step ? low - step : 0;
        }
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a[middle] < h) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* --- runs ---------------------------------------------------------------------------------------------------------- */

static size_t guess_block(const tain_index_run *r, uint64_t h)
{
    return share(h, r->count) / TAIN_BLOCK_ENTRIES; /* < block_count, since share() < count */
}

static size_t correct_block(const tain_index_run *r, uint64_t h, size_t guess)
{
    uint64_t fence = r->fences[guess];
    if (h < fence) {
        size_t back = share(fence - h, r->count) / TAIN_BLOCK_ENTRIES;
        return back < guess ? guess - back : 0;
    }
    size_t to = guess + share(h - fence, r->count) / TAIN_BLOCK_ENTRIES;
    return to < r->block_count ? to : r->block_count - 1;
}

/* The block in which the first entry not below h is, or at whose end it would be. */
static size_t find_block(const tain_index_run *r, uint64_t h, size_t guess)
{
    size_t i = first_not_below(r->fences, r->block_count, h, correct_block(r, h, guess));
    return i ? i - 1 : 0;
}

static size_t entries_of(const tain_index_run *r, size_t block)
{
    uint64_t rest = r->count - (uint64_t)block * TAIN_BLOCK_ENTRIES;
    return rest < TAIN_BLOCK_ENTRIES ? (size_t)rest : TAIN_BLOCK_ENTRIES;
}

static size_t guess_entry(const tain_index_run *r, size_t block, uint64_t h)
{
    uint64_t fence = r->fences[block];
    size_t n = entries_of(r, block), guess = h > fence ? share(h - fence, r->count) : 0;
    return guess < n ? guess : n - 1;
}

static size_t find_entry(const tain_index_run *r, size_t block, uint64_t h)
{
    const tain_block *b = &r->blocks[block];
    return block * TAIN_BLOCK_ENTRIES + first_not_below(b->hashes, entries_of(r, block), h, guess_entry(r, block, h));
}

static bool has_hash(const tain_index_run *r, size_t entry, uint64_t h)
{
    return entry < r->count && r->blocks[entry / TAIN_BLOCK_ENTRIES].hashes[entry % TAIN_BLOCK_ENTRIES] == h;
}

static void emit_run(search *s, const tain_index_run *r, size_t i)
{
    for (size_t e = s->at[i]; has_hash(r, e, s->hashes[i]); e++) {
        uint64_t place = r->blocks[e / TAIN_BLOCK_ENTRIES].places[e % TAIN_BLOCK_ENTRIES];
        uint32_t file = (uint32_t)(place >> 32), ordinal = file < r->file_count ? r->ordinals[file] : TAIN_INDEX_DEAD;
        if (ordinal == TAIN_INDEX_DEAD) continue;
        if (s->found(s->ctx, s->ks[i], (tain_location){ordinal, (uint32_t)place})) continue;
        s->ended[i] = true;
        return;
    }
}

static void search_run(search *s, const tain_index_run *r)
{
    for (size_t i = 0; i < s->n; i++) {
        s->at[i] = guess_block(r, s->hashes[i]);
        __builtin_prefetch(&r->fences[s->at[i]]);
    }
    for (size_t i = 0; i < s->n; i++) {
        s->at[i] = find_block(r, s->hashes[i], s->at[i]);
        __builtin_prefetch(&r->blocks[s->at[i]].hashes[guess_entry(r, s->at[i], s->hashes[i])]);
    }
    for (size_t i = 0; i < s->n; i++) {
        s->at[i] = find_entry(r, s->at[i], s->hashes[i]);
        if (has_hash(r, s->at[i], s->hashes[i]))
            __builtin_prefetch(&r->blocks[s->at[i] / TAIN_BLOCK_ENTRIES].places[s->at[i] % TAIN_BLOCK_ENTRIES]);
    }
    for (size_t i = 0; i < s->n; i++)
        if (!s->ended[i]) emit_run(s, r, i);
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

static void emit_memory(search *s, const tain_index_memory *m, size_t i)
{
    for (uint32_t e = m->buckets[s->hashes[i] & m->bucket_mask]; e; e = m->entries[e - 1].next) {
        const tain_memory_entry *entry = &m->entries[e - 1];
        uint32_t ordinal = m->files[entry->file]->ordinal;
        if (entry->hash != s->hashes[i] || ordinal == TAIN_INDEX_DEAD) continue;
        if (s->found(s->ctx, s->ks[i], (tain_location){ordinal, entry->row})) continue;
        s->ended[i] = true;
        return;
    }
}

static void search_memory(search *s, const tain_index_memory *m)
{
    if (m->count == 0) return;
    for (size_t i = 0; i < s->n; i++) __builtin_prefetch(&m->buckets[s->hashes[i] & m->bucket_mask]);
    for (size_t i = 0; i < s->n; i++) {
        uint32_t e = m->buckets[s->hashes[i] & m->bucket_mask];
        if (e) __builtin_prefetch(&m->entries[e - 1]);
    }
    for (size_t i = 0; i < s->n; i++) emit_memory(s, m, i);
}

/* --- groups -------------------------------------------------------------------------------------------------------- */

/* Leaves only what is still wanted; false: nothing is. */
static bool drop_ended(search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->ended[i]) continue;
        s->hashes[kept] = s->hashes[i];
        s->ks[kept] = s->ks[i];
        s->ended[kept++] = false;
    }
    s->n = kept;
    return kept > 0;
}

static void search_group(search *s)
{
    search_memory(s, &s->x->memory);
    for (size_t r = 0; r < s->x->run_count && drop_ended(s); r++) search_run(s, s->x->runs[r]);
}

/* order NULL: as they come; else the hashes to look up, as offsets from first. */
static void search_all(search *s, const uint64_t *hashes, size_t first, const uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i += GROUP) {
        s->n = n - i < GROUP ? n - i : GROUP;
        for (size_t j = 0; j < s->n; j++) {
            s->ks[j] = first + (order ? order[i + j] : i + j);
            s->hashes[j] = hashes[s->ks[j]];
            s->ended[j] = false;
        }
        search_group(s);
    }
}

/* Offsets of n hashes by their leading bits. */
static void rough_order(const uint64_t *hashes, size_t n, uint32_t *order)
{
    uint32_t at[(1 << ORDER_BITS) + 1] = {0};
    for (size_t i = 0; i < n; i++) at[(hashes[i] >> (64 - ORDER_BITS)) + 1]++;
    for (size_t i = 0; i < 1 << ORDER_BITS; i++) at[i + 1] += at[i];
    for (size_t i = 0; i < n; i++) order[at[hashes[i] >> (64 - ORDER_BITS)]++] = (uint32_t)i;
}

void tain_index_lookup(tain_index *x, const uint64_t *hashes, size_t n,
                       bool (*found)(void *ctx, size_t k, tain_location at), void *ctx)
{
    search s;
    s.x = x;
    s.found = found;
    s.ctx = ctx;
    if (n < ORDER_AT_LEAST) {
        search_all(&s, hashes, 0, NULL, n);
        return;
    }
    size_t part = n < ORDER_AT_MOST ? n : ORDER_AT_MOST;
    uint32_t *order = tain_realloc(NULL, part * sizeof *order);
    for (size_t i = 0; i < n; i += part) {
        size_t m = n - i < part ? n - i : part;
        rough_order(hashes + i, m, order);
        search_all(&s, hashes, i, order, m);
    }
    tain_free(order);
}
