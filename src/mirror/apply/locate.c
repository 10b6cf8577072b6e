/* SPDX-License-Identifier: MIT */
/* The index gives every place a hash was written to. What is not live any more falls away at once. If the key's hash is
 * a bijection the first live place is it. Otherwise: when the source says that the row exists, and there is one live
 * place, it is that one, since the row's own entry must be among the live ones. In all other cases the keys at the
 * places are read and compared. */
#include <stdlib.h>

#include "base/map.h"
#include "mirror/apply/net.h"

enum { READ_BYTES = 8 << 20 }; /* of keys, which are whole rows where a table has no other */

typedef struct candidate {
    uint32_t      wish; /* position in search.rows */
    tain_location at;
    bool          equal;
} candidate;

typedef struct search {
    tain_net   *net;
    uint32_t   *rows; /* rows of the batch that are looked for */
    uint64_t   *hashes;
    uint32_t   *seen; /* candidates so far, per wish */
    size_t      count;
    uint32_t    most; /* candidates per wish in this round */
    candidate  *candidates;
    size_t      candidate_count, candidate_capacity;
    uint64_t   *taken; /* multiset: places given away, as open-addressing set of place + 1 */
    size_t      taken_mask, taken_count;
    tain_status status;
    tain_error *err;
} search;

static uint64_t place(tain_location at)
{
    return ((uint64_t)at.file << 32 | at.row) + 1;
}

static bool taken(const search *s, tain_location at)
{
    if (!s->taken) return false;
    uint64_t p = place(at);
    for (size_t i = (p * 0x9e3779b97f4a7c15u >> 20) & s->taken_mask; s->taken[i]; i = (i + 1) & s->taken_mask)
        if (s->taken[i] == p) return true;
    return false;
}

static void take(search *s, tain_location at)
{
    if (!s->taken) return;
    uint64_t p = place(at);
    size_t i = (p * 0x9e3779b97f4a7c15u >> 20) & s->taken_mask;
    while (s->taken[i]) i = (i + 1) & s->taken_mask;
    s->taken[i] = p;
}

static bool is_live(search *s, tain_location at)
{
    tain_table *t = s->net->table;
    tain_delta_file *f = tain_ordinals_get(&t->files, at.file);
    if (!f) return false;
    const roaring_bitmap_t *gone = NULL, *going = tain_pending_deletes(t, f, false);
    tain_status st = tain_delta_deleted(t->delta, f, &gone, s->err);
    if (st != TAIN_OK) {
        s->status = st;
        return false;
    }
    return !(gone && roaring_bitmap_contains(gone, at.row)) && !(going && roaring_bitmap_contains(going, at.row));
}

static void accept(search *s, uint32_t wish, tain_location at)
{
    tain_net *net = s->net;
    net->old[s->rows[wish]] = at;
    net->found[s->rows[wish]] = true;
    take(s, at);
}

static bool on_entry(void *ctx, size_t wish, tain_location at)
{
    search *s = ctx;
    if (s->status != TAIN_OK) return false;
    if (!is_live(s, at) || taken(s, at)) return true;
    if (s->net->table->exact) {
        accept(s, (uint32_t)wish, at);
        return false;
    }
    if (s->candidate_count == s->candidate_capacity) {
        s->candidate_capacity = s->candidate_capacity ? s->candidate_capacity * 2 : 1024;
        s->candidates = tain_realloc(s->candidates, s->candidate_capacity * sizeof *s->candidates);
    }
    s->candidates[s->candidate_count++] = (candidate){.wish = (uint32_t)wish, .at = at};
    return ++s->seen[wish] < s->most;
}

/* --- comparing keys ------------------------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
    uint64_t x = place(((const candidate *)a)->at), y = place(((const candidate *)b)->at);
    return x < y ? -1 : x > y;
}

static int by_wish(const void *a, const void *b)
{
    uint32_t x = ((const candidate *)a)->wish, y = ((const candidate *)b)->wish;
    return x < y ? -1 : x > y;
}

/* Same values in the key columns of row `row` of the changes and row i of keys, whose columns are the key columns. */
static bool same_key(const tain_net *net, size_t row, const tain_batch *keys, size_t i)
{
    const tain_table *t = net->table;
    for (size_t k = 0; k < t->key.count; k++)
        if (!tain_column_equal_at(&net->changes->batch.columns[t->key_columns[k]], row, &keys->columns[k], i)) return false;
    return true;
}

static tain_status compare_in_file(search *s, candidate *c, size_t n, tain_batch *keys, tain_error *err)
{
    tain_table *t = s->net->table;
    const tain_delta_file *f = tain_ordinals_get(&t->files, c[0].at.file);
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_table_open_file(t, f, &file, err));
    uint32_t *rows = tain_alloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++) rows[i] = c[i].at.row;
    tain_status st = TAIN_OK;
    for (size_t done = 0, got; st == TAIN_OK && done < n; done += got) {
        tain_batch_clear(keys);
        st = tain_parquet_read_some_rows(file, rows + done, n - done, READ_BYTES, keys, &got, err);
        for (size_t i = 0; st == TAIN_OK && i < got; i++)
            c[done + i].equal = same_key(s->net, s->rows[c[done + i].wish], keys, i);
    }
    free(rows);
    return st;
}

static tain_status compare(search *s, tain_error *err)
{
    qsort(s->candidates, s->candidate_count, sizeof *s->candidates, by_place);
    tain_schema *schema = tain_table_key_schema(s->net->table);
    tain_batch keys;
    tain_batch_init(&keys, schema);
    tain_status st = TAIN_OK;
    for (size_t i = 0, j; st == TAIN_OK && i < s->candidate_count; i = j) {
        for (j = i; j < s->candidate_count && s->candidates[j].at.file == s->candidates[i].at.file;) j++;
        st = compare_in_file(s, s->candidates + i, j - i, &keys, err);
    }
    tain_batch_done(&keys);
    tain_schema_free(schema);
    return st;
}

/* Takes out the candidates that need no comparison. */
static void accept_only_ones(search *s)
{
    size_t kept = 0;
    if (s->net->table->replay) return;
    for (size_t i = 0; i < s->candidate_count; i++) {
        const candidate *c = &s->candidates[i];
        tain_op op = tain_net_op(s->net, s->rows[c->wish]);
        bool must_exist = op == TAIN_UPDATE || op == TAIN_DELETE || op == TAIN_KEY_OLD;
        if (must_exist && !s->net->table->multiset && s->seen[c->wish] == 1) {
            accept(s, c->wish, c->at);
        } else {
            s->candidates[kept++] = *c;
        }
    }
    s->candidate_count = kept;
}

static tain_status decide(search *s, tain_error *err)
{
    accept_only_ones(s);
    if (s->candidate_count == 0) return TAIN_OK;
    TAIN_TRY(compare(s, err));
    qsort(s->candidates, s->candidate_count, sizeof *s->candidates, by_wish);
    for (size_t i = 0; i < s->candidate_count; i++) {
        const candidate *c = &s->candidates[i];
        if (c->equal && !s->net->found[s->rows[c->wish]] && !taken(s, c->at)) accept(s, c->wish, c->at);
    }
    return TAIN_OK;
}

/* --- rounds -------------------------------------------------------------------------------------------------------- */

/* Keeps the wishes that had more entries than a round looks at and are not fulfilled. */
static void keep_overflowed(search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->seen[i] < s->most || s->net->found[s->rows[i]]) continue;
        s->rows[kept] = s->rows[i];
        s->hashes[kept++] = s->hashes[i];
    }
    s->count = kept;
}

static void gather(search *s)
{
    tain_net *net = s->net;
    for (size_t r = 0; r < net->rows; r++) {
        if (!net->wanted[r]) continue;
        s->rows[s->count] = (uint32_t)r;
        s->hashes[s->count++] = net->hashes[r];
    }
}

static void init(search *s, tain_net *net, tain_error *err)
{
    *s = (search){.net = net, .most = 8, .err = err};
    s->rows = tain_alloc((net->rows + 1) * sizeof *s->rows);
    s->hashes = tain_alloc((net->rows + 1) * sizeof *s->hashes);
    s->seen = tain_alloc((net->rows + 1) * sizeof *s->seen);
    gather(s);
    if (!net->table->multiset) return;
    size_t size = 16;
    while (size < s->count * 2) size *= 2;
    s->taken = tain_alloc(size * sizeof *s->taken);
    s->taken_mask = size - 1;
}

static void done(search *s)
{
    free(s->rows);
    free(s->hashes);
    free(s->seen);
    free(s->candidates);
    free(s->taken);
}

tain_status tain_net_locate(tain_net *net, tain_error *err)
{
    search s;
    init(&s, net, err);
    tain_status st = TAIN_OK;
    for (; st == TAIN_OK && s.count; s.most *= 8) {
        memset(s.seen, 0, s.count * sizeof *s.seen);
        s.candidate_count = 0;
        tain_index_lookup(net->table->index, s.hashes, s.count, on_entry, &s);
        st = s.status;
        if (st == TAIN_OK) st = decide(&s, err);
        keep_overflowed(&s);
    }
    done(&s);
    return st;
}
