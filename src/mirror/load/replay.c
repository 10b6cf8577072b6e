/* SPDX-License-Identifier: MIT */
#include "mirror/load/replay.h"

#include <stdlib.h>

#include "mirror/apply/apply.h"
#include "mirror/apply/net.h"
#include "mirror/load/reread.h"

typedef struct origin { uint32_t file; tain_position at; } origin;

struct tain_replay {
    tain_loadlog *log;
    origin       *origins; /* ascending by file */
    size_t        count;
    const tain_region **within; /* of a part */
    size_t        within_count;
};

tain_replay *tain_replay_new(tain_loadlog *log, tain_delta_file *const *files, const tain_position *at, size_t n)
{
    tain_replay *r = tain_alloc(sizeof *r);
    *r = (tain_replay){.log = log, .origins = tain_alloc((n + 1) * sizeof(origin)), .count = n};
    for (size_t i = 0; i < n; i++) r->origins[i] = (origin){.file = files[i]->ordinal, .at = at[i]};
    return r;
}

tain_replay *tain_replay_of_part(const tain_region *const *within, size_t n)
{
    tain_replay *r = tain_alloc(sizeof *r);
    *r = (tain_replay){.within = tain_alloc((n + 1) * sizeof *r->within), .within_count = n};
    memcpy(r->within, within, n * sizeof *within);
    return r;
}

void tain_replay_free(tain_replay *r)
{
    if (!r) return;
    tain_loadlog_free(r->log);
    free(r->origins);
    free(r->within);
    free(r);
}

static int by_file(const void *a, const void *b)
{
    uint32_t x = ((const origin *)a)->file, y = ((const origin *)b)->file;
    return x < y ? -1 : x > y;
}

/* NULL: the replay wrote it. */
static const tain_position *read_at(const tain_replay *r, uint32_t file)
{
    const origin *o = bsearch(&(origin){.file = file}, r->origins, r->count, sizeof *r->origins, by_file);
    return o ? &o->at : NULL;
}

/* --- every row that a key has -------------------------------------------------------------------------------------- */

typedef struct copy { uint32_t row /* of the changes */; tain_location at; } copy;

typedef struct copies {
    tain_net      net; /* looks for the first row of each key */
    tain_changes  keys;
    copy         *list;
    size_t        count, capacity;
} copies;

static void hide(tain_table *t, tain_location at, bool hidden)
{
    roaring_bitmap_t *rows = tain_pending_deletes(t, tain_ordinals_get(&t->files, at.file), true);
    if (hidden) roaring_bitmap_add(rows, at.row);
    else roaring_bitmap_remove(rows, at.row);
}

static void add_copy(copies *c, uint32_t row)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 256;
        c->list = tain_realloc(c->list, c->capacity * sizeof *c->list);
    }
    c->list[c->count++] = (copy){.row = row, .at = c->net.old[row]};
    hide(c->net.table, c->net.old[row], true);
}

/* What was found is hidden, so that the next look finds another. */
static tain_status look(copies *c, bool *ret_any, tain_error *err)
{
    tain_net *net = &c->net;
    *ret_any = false;
    memset(net->found, 0, net->rows);
    TAIN_TRY(tain_net_locate(net, err));
    for (size_t r = 0; r < net->rows; r++) {
        net->wanted[r] = net->found[r];
        if (!net->found[r]) continue;
        add_copy(c, (uint32_t)r);
        *ret_any = true;
    }
    return TAIN_OK;
}

/* Deletions that need not find anything are looked for by key alone, the first of each. */
static void copies_init(copies *c, tain_table *t, const tain_changes *changes)
{
    *c = (copies){.keys = *changes};
    c->keys.ops = (tain_buffer){0};
    for (size_t r = 0; r < changes->batch.rows; r++) tain_buffer_append_u8(&c->keys.ops, TAIN_DELETE_IF);
    tain_net_init(&c->net, t, &c->keys);
    tain_net_collapse(&c->net);
}

static void copies_done(copies *c)
{
    tain_net_done(&c->net);
    tain_buffer_done(&c->keys.ops);
    free(c->list);
}

/* --- which one stays ----------------------------------------------------------------------------------------------- */

static bool has_unchanged(const tain_changes *changes, size_t row)
{
    for (size_t c = 0; changes->any_unchanged && c < changes->batch.schema->count; c++)
        if (tain_changes_is_unchanged(changes, c, row)) return true;
    return false;
}

typedef enum need { NEED_NONE, NEED_ANY, NEED_FIRST /* a copy read at the first position */ } need;

/* What the first change of a key wants of the row that was there before. */
static need need_of(const tain_changes *changes, size_t row)
{
    tain_op op = (tain_op)changes->ops.data[row];
    if (op == TAIN_KEY_OLD) return has_unchanged(changes, row + 1) ? NEED_FIRST : NEED_NONE;
    if (op == TAIN_KEY_NEW) return NEED_NONE; /* it is what KEY_OLD was */
    return has_unchanged(changes, row) ? NEED_ANY : NEED_NONE;
}

static bool is_earlier(const tain_replay *r, tain_location a, tain_location b)
{
    const tain_position *x = read_at(r, a.file), *y = read_at(r, b.file);
    return x && y && tain_position_compare(x, y) < 0;
}

static bool is_first(const tain_replay *r, tain_location at)
{
    const tain_position *p = read_at(r, at.file);
    return p && tain_position_compare(p, &r->log->first) == 0;
}

/* The best copy of each key's row, by row of the changes; found says whether there is one. */
static void choose(copies *c, const tain_replay *r)
{
    tain_net *net = &c->net;
    memset(net->found, 0, net->rows);
    for (size_t i = 0; i < c->count; i++) {
        const copy *x = &c->list[i];
        if (net->found[x->row] && !is_earlier(r, x->at, net->old[x->row])) continue;
        net->found[x->row] = true;
        net->old[x->row] = x->at;
    }
}

/* Rows that must stay come out of hiding. False: one is not there that is needed. */
static bool keep_needed(copies *c, const tain_replay *r, const tain_changes *changes, const bool *first)
{
    tain_net *net = &c->net;
    for (size_t row = 0; row < net->rows; row++) {
        need n = first[row] || changes->ops.data[row] == TAIN_KEY_OLD ? need_of(changes, row) : NEED_NONE;
        if (n == NEED_NONE) continue;
        if (!first[row] || !net->found[row] || (n == NEED_FIRST && !is_first(r, net->old[row]))) return false;
        hide(net->table, net->old[row], false);
    }
    return true;
}

/* Leaves each key at most the one row that its changes build upon. */
static tain_status thin_out(copies *c, const tain_changes *changes, bool *ret_lost, tain_error *err)
{
    bool any = true, *first = tain_alloc(c->net.rows + 1);
    memcpy(first, c->net.wanted, c->net.rows);
    tain_status st = TAIN_OK;
    while (st == TAIN_OK && any) st = look(c, &any, err);
    if (st == TAIN_OK) {
        choose(c, c->net.table->replay);
        *ret_lost = !keep_needed(c, c->net.table->replay, changes, first);
    } else {
        for (size_t i = 0; i < c->count; i++) hide(c->net.table, c->list[i].at, false);
    }
    free(first);
    return st;
}

/* --- applying ------------------------------------------------------------------------------------------------------ */

static void soften(tain_changes *changes)
{
    for (size_t r = 0; r < changes->batch.rows; r++) {
        uint8_t *op = &changes->ops.data[r];
        if (*op == TAIN_INSERT || *op == TAIN_UPDATE) *op = TAIN_UPSERT;
        if (*op == TAIN_DELETE) *op = TAIN_DELETE_IF;
    }
}

void tain_replay_give_up(tain_table *t, const char *why)
{
    atomic_store(&t->anew, true);
    tain_table_misfit(t, why);
}

static tain_status apply_upserts(tain_table *t, tain_changes *changes, tain_error *err)
{
    bool lost = false;
    copies c;
    if (changes->batch.rows == 0) return TAIN_OK;
    soften(changes);
    copies_init(&c, t, changes);
    tain_status st = thin_out(&c, changes, &lost, err);
    copies_done(&c);
    TAIN_TRY(st);
    if (!lost) return tain_apply_changes(t, changes, err);
    tain_replay_give_up(t, "a row moved while the load was interrupted, and the source did not repeat all its values");
    return TAIN_OK;
}

static tain_status apply_others(tain_table *t, const tain_changes *changes, tain_error *err)
{
    tain_changes others;
    if (tain_reread_others(t->replay->within, t->replay->within_count, changes, &others)) {
        tain_status st = tain_apply_changes(t, &others, err);
        tain_changes_done(&others);
        return st;
    }
    tain_replay_give_up(t, "a row came to a place that was read again from another, and the source did not repeat all its values");
    return TAIN_OK;
}

tain_status tain_replay_apply(tain_table *t, tain_changes *changes, bool read, tain_error *err)
{
    if (t->replay->within_count == 0) return apply_upserts(t, changes, err);
    return read ? apply_others(t, changes, err) : tain_apply_changes(t, changes, err);
}
