/* SPDX-License-Identifier: MIT */
/* Partitions whose rows came or went without the log's telling are read again alone. What else was of the table then is kept with the
 * request: if it is another when the rows are read, something may have happened to other rows that the reading of the catalog
 * for that snapshot passes over. */
#include "source/postgres/stream.h"

#include <stdlib.h>

void tain_pg_reread_forget(tain_pg_table *t)
{
    for (size_t i = 0; i < t->reread_count; i++) tain_pg_beside_done(&t->rereads[i].then);
    tain_free(t->rereads);
    t->rereads = NULL;
    t->reread_count = 0;
    t->reread_at = 0;
}

/* --- asking -------------------------------------------------------------------------------------------------------- */

static bool is_among(const tain_pg_watched *leaves, size_t n, uint32_t oid)
{
    for (size_t i = 0; i < n; i++)
        if (leaves[i].oid == oid) return true;
    return false;
}

/* Whether a look has found other files of other partitions than the stream has come to. */
static bool is_disturbed(const tain_pg_table *t, const tain_pg_watched *leaves, size_t n, const tain_pg_beside *then)
{
    for (size_t i = 0; i < then->leaf_count; i++) {
        const tain_pg_watched *is = &then->leaves[i], *looked = tain_pg_beside_leaf(&t->looked, is->oid);
        if (looked && looked->filenode != is->filenode && !is_among(leaves, n, is->oid)) return true;
    }
    return false;
}

static void keep(tain_pg_table *t, const tain_region *rows, const tain_pg_watched *leaf, const tain_pg_beside *then)
{
    t->rereads = tain_realloc(t->rereads, (t->reread_count + 1) * sizeof *t->rereads);
    tain_pg_reread *r = &t->rereads[t->reread_count++];
    *r = (tain_pg_reread){.rows = rows, .leaf = *leaf, .shape = t->shape};
    tain_pg_beside_copy(&r->then, then);
}

static tain_status ask(tain_pg_source *s, tain_pg_table *t, const tain_pg_watched *leaf, const tain_pg_beside *then, const char *reason, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    const tain_region *rows = tain_pg_partition_region(s, t, leaf->bounds);
    if (!rows || !sink->reread) return tain_pg_request_reload(s, t, reason, err);
    keep(t, rows, leaf, then);
    return sink->reread(sink, t->pub, rows, reason, err);
}

tain_status tain_pg_request_reread(tain_pg_source *s, tain_pg_table *t, const tain_pg_watched *leaves, size_t n, const tain_pg_beside *then, const char *reason, tain_error *err)
{
    const tain_pg_decoder *d = &s->stream->decoder;
    if (is_disturbed(t, leaves, n, then)) return tain_pg_request_reload(s, t, reason, err);
    t->reread_at = d->open ? d->at : d->position;
    for (size_t i = 0; i < n; i++) TAIN_TRY(ask(s, t, &leaves[i], then, reason, err));
    return TAIN_OK;
}

/* --- whether that is still all ------------------------------------------------------------------------------------- */

static const tain_pg_reread *find(const tain_pg_table *t, const tain_region *rows)
{
    for (size_t i = 0; i < t->reread_count; i++)
        if (t->rereads[i].rows == rows) return &t->rereads[i];
    return NULL;
}

static bool is_reread(const tain_pg_table *t, const tain_region *const *within, size_t n, uint32_t oid)
{
    for (size_t i = 0; i < n; i++)
        if (find(t, within[i])->leaf.oid == oid) return true;
    return false;
}

static bool has_unless_reread(const tain_pg_table *t, const tain_region *const *within, size_t n, const tain_pg_beside *b, const tain_pg_watched *leaf)
{
    const tain_pg_watched *same = tain_pg_beside_leaf(b, leaf->oid);
    return (same && leaf->filenode && same->filenode == leaf->filenode) || is_reread(t, within, n, leaf->oid);
}

/* Its columns are what they were, none came and went, and it has the same partitions with the same files beside those read again. */
static bool is_as_then(const tain_pg_table *t, const tain_region *const *within, size_t n, const tain_pg_reread *r)
{
    const tain_pg_beside *now = &t->settled;
    if (!tain_pg_shape_looks_like(r->shape, t->shape) || r->shape->last_attnum != t->shape->last_attnum || !tain_pg_beside_same_rest(&r->then, now)) return false;
    for (size_t i = 0; i < r->then.leaf_count; i++)
        if (!has_unless_reread(t, within, n, now, &r->then.leaves[i])) return false;
    for (size_t i = 0; i < now->leaf_count; i++)
        if (!has_unless_reread(t, within, n, &r->then, &now->leaves[i])) return false;
    return true;
}

/* NULL: it is not there any more, has other rows, or cannot be read by itself. */
static const tain_pg_leaf *leaf_of(const tain_pg_table *t, const tain_pg_reread *r)
{
    for (size_t i = 0; t->leaves && i < t->leaves->count; i++) {
        const tain_pg_leaf *l = &t->leaves->list[i];
        if (l->oid == r->leaf.oid) return l->may_select && l->bounds && strcmp(l->bounds, r->leaf.bounds) == 0 ? l : NULL;
    }
    return NULL;
}

static void add_once(const tain_pg_leaf **list, size_t *io_count, const tain_pg_leaf *leaf)
{
    for (size_t i = 0; i < *io_count; i++)
        if (list[i] == leaf) return;
    list[(*io_count)++] = leaf;
}

bool tain_pg_reread_holds(const tain_pg_table *t, const tain_region *const *within, size_t n, const tain_pg_leaf ***ret, size_t *ret_count)
{
    bool holds = true;
    *ret = tain_alloc((n + 1) * sizeof **ret);
    *ret_count = 0;
    for (size_t i = 0; holds && i < n; i++) holds = find(t, within[i]);
    for (size_t i = 0; holds && i < n; i++) {
        const tain_pg_reread *r = find(t, within[i]);
        const tain_pg_leaf *leaf = leaf_of(t, r);
        holds = leaf && is_as_then(t, within, n, r);
        if (holds) add_once(*ret, ret_count, leaf);
    }
    if (!holds) tain_free(*ret);
    return holds;
}
