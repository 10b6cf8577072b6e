/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "mirror/apply/net.h"

/* Open addressing by hash. A slot stands for one key. */
typedef struct slot {
    int32_t row; /* some row with that key, to compare with; NONE: free */
    int32_t top; /* newest row with that key; for a multiset the newest that stays, or NONE */
} slot;

typedef struct slots {
    slot  *at;
    size_t mask;
} slots;

static slots make_slots(size_t rows)
{
    size_t size = 16;
    while (size < rows * 2) size *= 2;
    slots s = {.at = tain_alloc(size * sizeof(slot)), .mask = size - 1};
    for (size_t i = 0; i < size; i++) s.at[i].row = TAIN_NONE;
    return s;
}

static slot *find(const tain_net *net, const slots *s, size_t row)
{
    const tain_table *t = net->table;
    uint64_t h = net->hashes[row];
    for (size_t i = h & s->mask;; i = (i + 1) & s->mask) {
        slot *at = &s->at[i];
        if (at->row == TAIN_NONE) return at;
        if (net->hashes[at->row] != h) continue;
        if (t->exact || tain_key_equal(&t->key, &net->changes->batch, (size_t)at->row, &net->changes->batch, row)) return at;
    }
}

static bool adds_row(tain_op op)
{
    return op == TAIN_INSERT || op == TAIN_UPDATE || op == TAIN_UPSERT || op == TAIN_KEY_NEW;
}

/* Whether the row may have been in the table before the first change of its key in this batch. */
static bool may_exist(tain_op op)
{
    return op != TAIN_INSERT && op != TAIN_KEY_NEW;
}

static void take_keyed(tain_net *net, slot *s, size_t row)
{
    tain_op op = tain_net_op(net, row);
    if (s->row == TAIN_NONE) {
        s->row = (int32_t)row;
        s->top = TAIN_NONE;
        net->wanted[row] = may_exist(op);
    }
    if (s->top != TAIN_NONE) net->stays[s->top] = false;
    net->origin[row] = op == TAIN_KEY_NEW ? (int32_t)row - 1 : s->top;
    net->stays[row] = adds_row(op);
    s->top = (int32_t)row;
}

/* Equal rows are interchangeable: a deletion takes the newest of this batch, else one that was there before. origin
 * links the rows of this batch that stay. */
static void take_multiset(tain_net *net, slot *s, size_t row)
{
    if (s->row == TAIN_NONE) *s = (slot){.row = (int32_t)row, .top = TAIN_NONE};
    if (adds_row(tain_net_op(net, row))) {
        net->stays[row] = true;
        net->origin[row] = s->top;
        s->top = (int32_t)row;
    } else if (s->top != TAIN_NONE) {
        net->stays[s->top] = false;
        s->top = net->origin[s->top];
    } else {
        net->wanted[row] = true;
    }
}

static void collect(tain_net *net)
{
    net->emitted = tain_alloc((net->rows + 1) * sizeof *net->emitted);
    for (size_t r = 0; r < net->rows; r++)
        if (net->stays[r]) net->emitted[net->emitted_count++] = (uint32_t)r;
}

void tain_net_collapse(tain_net *net)
{
    slots s = make_slots(net->rows);
    for (size_t r = 0; r < net->rows; r++) {
        slot *at = find(net, &s, r);
        if (net->table->multiset) {
            take_multiset(net, at, r);
        } else {
            take_keyed(net, at, r);
        }
    }
    free(s.at);
    collect(net);
}

void tain_net_init(tain_net *net, tain_table *t, const tain_changes *changes)
{
    size_t n = changes->batch.rows;
    *net = (tain_net){.table = t, .changes = changes, .rows = n};
    net->hashes = tain_alloc((n + 1) * sizeof *net->hashes);
    net->stays = tain_alloc(n + 1);
    net->wanted = tain_alloc(n + 1);
    net->found = tain_alloc(n + 1);
    net->origin = tain_alloc((n + 1) * sizeof *net->origin);
    net->old = tain_alloc((n + 1) * sizeof *net->old);
    net->in_key = tain_alloc(changes->batch.schema->count + 1);
    for (size_t i = 0; i < t->key.count; i++) net->in_key[t->key_columns[i]] = true;
    for (size_t i = 0; i < n; i++) net->origin[i] = TAIN_NONE;
    tain_key_hash(&t->key, &changes->batch, 0, n, net->hashes);
}

void tain_net_done(tain_net *net)
{
    free(net->hashes);
    free(net->stays);
    free(net->wanted);
    free(net->found);
    free(net->origin);
    free(net->old);
    free(net->emitted);
    free(net->in_key);
    *net = (tain_net){0};
}
