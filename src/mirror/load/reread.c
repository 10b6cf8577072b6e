/* SPDX-License-Identifier: MIT */
#include "mirror/load/reread.h"

#include <stdlib.h>

#include "mirror/apply/apply.h"
#include "lake/naming.h"
#include "mirror/shape/reshape.h"

void tain_reread_forget(tain_table *t)
{
    free(t->reread.within);
    t->reread = (tain_reread){0};
}

static bool is_behind(const tain_position *at, const tain_position *since)
{
    return tain_position_compare(at, since) > 0;
}

/* Nothing is known of the table that the lake may lack at `from`, but for rows. */
static bool is_settled(const tain_table *t, const tain_position *from)
{
    return from->text[0] && !is_behind(&t->have, from) && !is_behind(&t->reshaped_at, from);
}

/* Waiting, or followed as all others are. */
static bool is_at_rest(const tain_mirror *m, const tain_table *t)
{
    if (t->loading || t->staged || t->behind) return false;
    if (t->needs_load) return t->reread.count > 0;
    return t->status == TAIN_TABLE_REPLICATING && m->replays == TAIN_REPLAYS_NONE && !is_behind(&m->whole, &t->reread.from);
}

/* Of a deleted row only the key is sent. */
static bool is_told_by_key(const tain_source_table *s, const tain_region *within)
{
    for (size_t i = 0; s->key_count && i < within->column_count; i++)
        if (!tain_source_table_is_key(s, within->columns[i])) return false;
    return true;
}

bool tain_reread_want(tain_mirror *m, tain_table *t, const tain_region *within)
{
    if (!t->needs_load) {
        tain_reread_forget(t);
        t->reread.from = tain_mirror_recorded(m);
    }
    if (!is_at_rest(m, t) || !is_told_by_key(t->source, within) || !is_settled(t, &t->reread.from)) return false;
    t->reread.within = tain_realloc(t->reread.within, (t->reread.count + 1) * sizeof *t->reread.within);
    t->reread.within[t->reread.count++] = within;
    tain_mirror_hold(m, &t->reread.from);
    return true;
}

static bool is_indexed(const tain_table *t)
{
    return t->delta && t->index && !t->unindexed;
}

bool tain_reread_can(tain_mirror *m, tain_table *t)
{
    if (is_behind(&t->committed, &t->reread.from)) t->reread.from = t->committed;
    if (!t->reread.count || !is_indexed(t) || !is_settled(t, &t->reread.from) || !tain_mirror_holds(m, &t->reread.from)) return false;
    return tain_reshape_keeps_key(t, t->source) && tain_naming_alike(t->schema, t->source->columns) && tain_naming_alike(tain_delta_meta(t->delta)->schema, t->shown);
}

tain_status tain_reread_clear(tain_table *t, tain_error *err)
{
    for (size_t i = 0; i < t->reread.count; i++) TAIN_TRY(tain_apply_clear(t, t->reread.within[i], err));
    return TAIN_OK;
}

/* --- changes of the others ----------------------------------------------------------------------------------------- */

/* For each region its columns alone, as batches of the same rows. */
static tain_batch *look_at(const tain_region *const *within, size_t n, const tain_batch *b)
{
    tain_batch *views = tain_alloc((n + 1) * sizeof *views);
    for (size_t i = 0; i < n; i++) {
        views[i] = (tain_batch){.columns = tain_alloc((within[i]->column_count + 1) * sizeof(tain_column)), .rows = b->rows};
        for (size_t k = 0; k < within[i]->column_count; k++) views[i].columns[k] = b->columns[within[i]->columns[k]];
    }
    return views;
}

static void views_free(tain_batch *views, size_t n)
{
    for (size_t i = 0; i < n; i++) free(views[i].columns);
    free(views);
}

static bool is_read(const tain_region *const *within, const tain_batch *views, size_t n, size_t row)
{
    for (size_t i = 0; i < n; i++)
        if (tain_region_has(within[i], &views[i], row)) return true;
    return false;
}

/* Where it lies is a value that was not sent. */
static bool is_nowhere(const tain_region *const *within, size_t n, const tain_changes *c, size_t row)
{
    for (size_t i = 0; c->any_unchanged && i < n; i++)
        for (size_t k = 0; k < within[i]->column_count; k++)
            if (tain_changes_is_unchanged(c, within[i]->columns[k], row)) return true;
    return false;
}

static bool is_sent_whole(const tain_changes *c, size_t row)
{
    for (size_t i = 0; c->any_unchanged && i < c->batch.schema->count; i++)
        if (tain_changes_is_unchanged(c, i, row)) return false;
    return true;
}

static void take_row(tain_changes *to, const tain_changes *c, uint32_t row, tain_op op)
{
    size_t at = to->batch.rows;
    tain_changes_take(to, &c->batch, row, op);
    for (size_t i = 0; c->any_unchanged && i < c->batch.schema->count; i++)
        if (tain_changes_is_unchanged(c, i, row)) tain_changes_mark_unchanged(to, i, at);
}

/* A row that comes from among those read is new to the others, and one that goes there leaves them. */
static bool take_pair(tain_changes *to, const tain_changes *c, uint32_t row, bool from, bool there)
{
    if (from && there) return true;
    if (from && !is_sent_whole(c, row + 1)) return false;
    if (!from) take_row(to, c, row, there ? TAIN_DELETE : TAIN_KEY_OLD);
    if (!there) take_row(to, c, row + 1, from ? TAIN_INSERT : TAIN_KEY_NEW);
    return true;
}

bool tain_reread_others(const tain_region *const *within, size_t n, const tain_changes *c, tain_changes *ret)
{
    bool good = true;
    tain_batch *views = look_at(within, n, &c->batch);
    tain_changes_init(ret, c->batch.schema);
    for (size_t r = 0; good && r < c->batch.rows; r++) {
        tain_op op = (tain_op)c->ops.data[r];
        bool read = is_read(within, views, n, r);
        good = !is_nowhere(within, n, c, r);
        if (op != TAIN_KEY_OLD && !read) take_row(ret, c, (uint32_t)r, op);
        if (op != TAIN_KEY_OLD) continue;
        good = good && !is_nowhere(within, n, c, r + 1) && take_pair(ret, c, (uint32_t)r, read, is_read(within, views, n, r + 1));
        r++;
    }
    views_free(views, n);
    if (!good) tain_changes_done(ret);
    return good;
}
