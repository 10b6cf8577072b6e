/* SPDX-License-Identifier: MIT */
/* The keys of one side are held, those of the other pass by. If they are too many to be held at once it takes several rounds,
 * each for the keys of a range of hashes, which is found while they are gathered: halved as often as they become too many. The
 * hash says where to look, the key decides. */
#include <stdlib.h>

#include "mirror/feed/feedrows.h"

enum { HELD_BYTES = 16 << 20 };

typedef struct place { tain_feed_part *part; uint32_t row; int32_t next; } place; /* next of the same bucket */

typedef struct pairing {
    const tain_table *table;
    tain_key          key;      /* in columns of `columns` */
    tain_schema      *columns;
    size_t            most;     /* bytes held */
    uint64_t          from, to; /* hashes of this round */
    tain_batch        held, spare;
    tain_buffer       hashes, places; /* of what is held */
    int32_t          *buckets;
    size_t            mask;
    uint64_t         *slice_hashes;
    uint32_t         *picked;
} pairing;

enum { NONE = -1 };

static size_t held_count(const pairing *p) { return p->held.rows; }
static uint64_t *hash_at(const pairing *p, size_t i) { return (uint64_t *)p->hashes.data + i; }
static place *place_at(const pairing *p, size_t i) { return (place *)p->places.data + i; }

/* --- what is held -------------------------------------------------------------------------------------------------- */

static size_t held_bytes(const pairing *p)
{
    return tain_batch_bytes(&p->held) + held_count(p) * (sizeof(uint64_t) + sizeof(place) + sizeof(int32_t) * 2);
}

/* Keeps the lower half of the range. */
static void narrow(pairing *p)
{
    size_t n = held_count(p), kept = 0;
    uint32_t *rows = tain_alloc((n + 1) * sizeof *rows);
    p->to = p->from + (p->to - p->from) / 2;
    for (size_t i = 0; i < n; i++) {
        if (*hash_at(p, i) > p->to) continue;
        *hash_at(p, kept) = *hash_at(p, i);
        *place_at(p, kept) = *place_at(p, i);
        rows[kept++] = (uint32_t)i;
    }
    tain_batch_clear(&p->spare);
    tain_batch_take(&p->spare, &p->held, rows, 0, kept);
    tain_batch_swap(&p->held, &p->spare);
    p->hashes.size = kept * sizeof(uint64_t);
    p->places.size = kept * sizeof(place);
    free(rows);
}

/* Which rows of the slice are of this round. */
static size_t pick(pairing *p, const tain_batch *slice)
{
    size_t n = 0;
    tain_key_hash(&p->key, slice, 0, slice->rows, p->slice_hashes);
    for (size_t i = 0; i < slice->rows; i++)
        if (p->slice_hashes[i] >= p->from && p->slice_hashes[i] <= p->to) p->picked[n++] = (uint32_t)i;
    return n;
}

static tain_status hold(void *ctx, tain_feed_part *part, const uint32_t *rows, const tain_batch *slice, tain_error *err)
{
    pairing *p = ctx;
    size_t n = pick(p, slice);
    (void)err;
    for (size_t i = 0; i < n; i++) {
        place at = {.part = part, .row = rows[p->picked[i]]};
        tain_buffer_append(&p->hashes, &p->slice_hashes[p->picked[i]], sizeof(uint64_t));
        tain_buffer_append(&p->places, &at, sizeof at);
    }
    tain_batch_take(&p->held, slice, p->picked, 0, n);
    while (held_bytes(p) > p->most && p->to > p->from) narrow(p);
    return TAIN_OK;
}

static void make_findable(pairing *p)
{
    size_t size = 16, n = held_count(p);
    while (size < n) size *= 2;
    free(p->buckets);
    p->buckets = tain_alloc(size * sizeof *p->buckets);
    p->mask = size - 1;
    for (size_t i = 0; i < size; i++) p->buckets[i] = NONE;
    for (size_t i = 0; i < n; i++) {
        int32_t *bucket = &p->buckets[*hash_at(p, i) & p->mask];
        place_at(p, i)->next = *bucket;
        *bucket = (int32_t)i;
    }
}

/* --- what passes by ------------------------------------------------------------------------------------------------ */

static tain_status meet(void *ctx, tain_feed_part *part, const uint32_t *rows, const tain_batch *slice, tain_error *err)
{
    pairing *p = ctx;
    size_t n = pick(p, slice);
    (void)err;
    for (size_t k = 0; k < n; k++) {
        uint32_t i = p->picked[k];
        for (int32_t at = p->buckets[p->slice_hashes[i] & p->mask]; at != NONE; at = place_at(p, (size_t)at)->next) {
            const place *x = place_at(p, (size_t)at);
            if (*hash_at(p, (size_t)at) != p->slice_hashes[i] || !tain_key_equal(&p->key, &p->held, (size_t)at, slice, i)) continue;
            roaring_bitmap_add(x->part->paired, x->row);
            roaring_bitmap_add(part->paired, rows[i]);
        }
    }
    return TAIN_OK;
}

/* --- rounds -------------------------------------------------------------------------------------------------------- */

static tain_status go_round(pairing *p, const tain_feed_side *held, const tain_feed_side *passing, tain_error *err)
{
    tain_batch_clear(&p->held);
    tain_buffer_clear(&p->hashes);
    tain_buffer_clear(&p->places);
    TAIN_TRY(tain_feed_read(p->table, held, p->columns, hold, p, err));
    make_findable(p);
    return tain_feed_read(p->table, passing, p->columns, meet, p, err);
}

static tain_status go_rounds(pairing *p, const tain_feed_side *held, const tain_feed_side *passing, tain_error *err)
{
    for (p->from = 0;; p->from = p->to + 1) {
        p->to = UINT64_MAX;
        TAIN_TRY(go_round(p, held, passing, err));
        if (p->to == UINT64_MAX) return TAIN_OK;
    }
}

static void done(pairing *p)
{
    tain_batch_done(&p->held);
    tain_batch_done(&p->spare);
    tain_buffer_done(&p->hashes);
    tain_buffer_done(&p->places);
    tain_schema_free(p->columns);
    free(p->buckets);
    free(p->slice_hashes);
    free(p->picked);
}

tain_status tain_feed_pair(tain_table *t, tain_feed_side *gone, tain_feed_side *come, tain_error *err)
{
    bool fewer = gone->rows <= come->rows;
    TAIN_AUTO(tain_free) uint16_t *columns = tain_alloc((t->key.count + 1) * sizeof *columns);
    pairing p = {.table = t, .columns = tain_table_key_schema(t), .key = tain_table_key_of_columns(t, columns)};
    p.most = t->budget && t->budget < HELD_BYTES ? t->budget : HELD_BYTES;
    p.slice_hashes = tain_alloc(TAIN_ROWREAD_SLICE * sizeof *p.slice_hashes);
    p.picked = tain_alloc(TAIN_ROWREAD_SLICE * sizeof *p.picked);
    tain_batch_init(&p.held, p.columns);
    tain_batch_init(&p.spare, p.columns);
    tain_status st = go_rounds(&p, fewer ? gone : come, fewer ? come : gone, err);
    done(&p);
    return st;
}
