/* SPDX-License-Identifier: MIT */
/* A Relation message: where in the table its columns go. When it differs from what is known, or nothing else tells of changes, the
 * catalog is asked, which may be further than the stream. */
#include "source/postgres/stream.h"

#include <stdio.h>

static bool is_same_relation(const tain_pg_relation *r, const tain_pg_shape *shape)
{
    if (r->count != shape->count) return false;
    for (size_t i = 0; i < r->count; i++) {
        const tain_pg_column *c = &shape->columns[i];
        if (r->columns[i].type_oid != c->type_oid || r->columns[i].typmod != c->typmod || strcmp(r->columns[i].name, c->name) != 0) return false;
    }
    return true;
}

/* The shape that the table had when the rows of r were written. */
static const tain_pg_shape *shape_then(const tain_pg_relation *r, const tain_pg_table *t)
{
    const tain_pg_shape *shape = t->shape;
    while (shape && !is_same_relation(r, shape)) shape = shape->older;
    return shape;
}

/* Values of an older type can be read as those of the one it became. */
static bool fits(const tain_pg_relation_column *c, const tain_pg_column *then, const tain_pg_column *now, bool binary)
{
    if (!binary && then && then->type_oid == TAIN_PG_FLOAT4 && now->type_oid != TAIN_PG_FLOAT4) return false; /* 0.1 is another one */
    if (c->target < 0 || (c->type_oid == now->type_oid && c->typmod == now->typmod)) return true;
    if (then) return tain_pg_is_alike(then->codec, now->codec) || tain_pg_keeps_values(then->codec, now->codec, then->typmod, now->typmod);
    return c->type_oid == now->type_oid && now->codec->pg->oid != TAIN_PG_NUMERIC;
}

/* By name alone only columns that were added can be told from those that were renamed or replaced; that two have each other's
 * names now shows in their order, which is that of the numbers. */
static bool is_told_by_name(const tain_pg_relation *r, const tain_pg_shape *shape)
{
    int last = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->columns[i].target < 0) return false;
        int attnum = shape->columns[r->columns[i].target].attnum;
        if (attnum <= last) return false;
        last = attnum;
    }
    for (size_t i = 0; i < r->missing_count; i++)
        if (shape->columns[r->missing[i]].attnum < last) return false;
    return true;
}

/* Rows from before (or between) changes that are known already. */
static tain_status map_older(tain_pg_source *s, tain_pg_relation *r, tain_pg_table *t, tain_error *err)
{
    char reason[160] = "";
    r->as = shape_then(r, t);
    tain_pg_relation_map(r, t);
    if (!r->as && !is_told_by_name(r, t->shape)) snprintf(reason, sizeof reason, "its columns at this point of the log are not known any more");
    for (size_t i = 0; i < r->count && !*reason; i++) {
        const tain_pg_column *k = r->columns[i].target >= 0 ? &t->shape->columns[r->columns[i].target] : NULL;
        if (!k || fits(&r->columns[i], r->as ? &r->as->columns[i] : NULL, k, s->stream->binary)) continue;
        snprintf(reason, sizeof reason, "column %s had another type at this point of the log", k->name);
    }
    if (!*reason) return TAIN_OK;
    r->table = NULL;
    return tain_pg_request_reload(s, t, reason, err);
}

static bool same_name(const tain_pg_relation *r, const tain_pg_table *t)
{
    return strcmp(r->schema, t->pub->schema) == 0 && strcmp(r->name, t->pub->name) == 0;
}

/* Its rows are not wanted, whatever they look like: they are in what was read of it since, and what the catalog has now is
 * not for the sink to hear where it passes over the table. One whose columns are others gets
 * another message before there are rows that are wanted. */
static bool is_read_later(const tain_pg_source *s, const tain_pg_table *t)
{
    const tain_pg_decoder *d = &s->stream->decoder;
    return d->open && d->at <= t->read_at;
}

static tain_status map_past(tain_pg_relation *r, tain_pg_table *t)
{
    r->as = shape_then(r, t);
    if (r->as) tain_pg_relation_map(r, t);
    return TAIN_OK;
}

static bool is_followed(const tain_pg_table *t) { return t && t->taken && !t->dropped && !t->failed && t->shape; }

/* What a partition has is in the log by its root, whose message is the one in front of its own. */
static tain_pg_table *root_before(tain_pg_source *s, const tain_pg_relation *r, tain_pg_table *t)
{
    tain_pg_table *root = s->stream->root;
    s->stream->root = is_followed(t) && t->kind == 'p' ? t : NULL;
    return !t && root && r->count == root->shape->count ? root : NULL;
}

/* Without messages of ours this may be all that is ever seen of a partition that goes before the catalog is looked at. Looks may
 * also have seen it come, or come and go, which waits for the stream: that its rows came before makes a difference then. */
static tain_status hear_leaf(tain_pg_source *s, tain_pg_table *root, uint32_t oid, tain_error *err)
{
    if (s->stream->tells || is_read_later(s, root) || tain_pg_beside_leaf(&root->settled, oid)) return TAIN_OK;
    s->stream->next_look = 0;
    if (root->due != TAIN_PG_DUE_RELOAD && !tain_pg_beside_leaf(&root->looked, oid)) tain_pg_beside_add_leaf(&root->looked, oid);
    tain_pg_beside_add_leaf(&root->settled, oid);
    return tain_pg_tell(s, root, false, NULL, err);
}

tain_status tain_pg_resolve(void *ctx, tain_pg_relation *r, tain_error *err)
{
    tain_pg_source *s = ctx;
    tain_pg_table *t = tain_pg_table_by_oid(s, r->oid), *root = root_before(s, r, t);
    if (root) return hear_leaf(s, root, r->oid, err);
    if (!is_followed(t)) return TAIN_OK;
    if (is_read_later(s, t)) return map_past(r, t);
    if (!s->stream->tells || !shape_then(r, t) || !same_name(r, t)) TAIN_TRY(tain_pg_adopt_ahead(s, t, err));
    if (tain_pg_needs_text(s, t)) return TAIN_OK; /* not wanted until the stream begins again; a reload is on its way */
    return map_older(s, r, t, err);
}

/* A row can come before the catalog was looked at, or from before what the catalog says. */
tain_status tain_pg_unfit(void *ctx, tain_pg_relation *r, size_t column, bool *ret, tain_error *err)
{
    tain_pg_source *s = ctx;
    tain_pg_table *t = r->table;
    char reason[160];
    *ret = tain_pg_codec_is_json(t->shape->columns[column].codec);
    if (!*ret) return TAIN_OK;
    snprintf(reason, sizeof reason, "what column %s is made of changed", t->shape->columns[column].name);
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_types_renew(&s->types, &s->conn, err));
    TAIN_TRY(tain_pg_renew(s, t, err));
    return tain_pg_request_reload(s, t, reason, err);
}
