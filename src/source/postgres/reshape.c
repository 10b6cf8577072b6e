/* SPDX-License-Identifier: MIT */
/* A table's shape changes where the stream says so: when a Relation message differs from what is known, the catalog is
 * asked what became of each column (by attribute number), and the sink is told whether old rows are still right. */
#include "source/postgres/stream.h"

/* --- comparing ----------------------------------------------------------------------------------------------------- */

static bool is_same_relation(const tain_pg_relation *r, const tain_pg_shape *shape)
{
    if (r->count != shape->count) return false;
    for (size_t i = 0; i < r->count; i++) {
        const tain_pg_column *c = &shape->columns[i];
        if (r->columns[i].type_oid != c->type_oid || r->columns[i].typmod != c->typmod || strcmp(r->columns[i].name, c->name) != 0) return false;
    }
    return true;
}

static const tain_pg_column *by_attnum(const tain_pg_shape *shape, int attnum)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->columns[i].attnum == attnum) return &shape->columns[i];
    return NULL;
}

typedef enum change { SAME, HARMLESS /* nothing to see in the mirror */, SHOWN /* rows stay right, the shape differs */, DEEP } change;

typedef struct difference { change what; char reason[200]; } difference;

static void note(difference *d, change what, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void note(difference *d, change what, const char *format, ...)
{
    if (what <= d->what) return;
    va_list args;
    va_start(args, format);
    vsnprintf(d->reason, sizeof d->reason, format, args);
    va_end(args);
    d->what = what;
}

/* A rewritten table may hold other values (USING ...), a table that kept its file holds the same. */
static void compare_type(const tain_pg_column *a, const tain_pg_column *b, bool same_file, difference *d)
{
    bool declared = a->type_oid == b->type_oid && a->typmod == b->typmod;
    bool alike = tain_type_equal(&a->codec->type, &b->codec->type) && a->codec->text == b->codec->text;
    if (!declared && (!alike || !same_file)) note(d, DEEP, "the type of column %s changed", b->name);
    else if (!declared) note(d, HARMLESS, "the type of column %s was relaxed", b->name);
    else if (a->written != b->written && !same_file) note(d, DEEP, "column %s was rewritten", b->name);
}

static void compare_columns(const tain_pg_shape *a, const tain_pg_shape *b, bool same_file, difference *d)
{
    for (size_t i = 0; i < a->count; i++) {
        const tain_pg_column *x = &a->columns[i], *y = by_attnum(b, x->attnum);
        if (!y) note(d, DEEP, "column %s was dropped", x->name);
        else if (strcmp(x->name, y->name) != 0) note(d, DEEP, "column %s was renamed to %s", x->name, y->name);
        else compare_type(x, y, same_file, d);
    }
    for (size_t i = 0; i < b->count; i++) {
        const tain_pg_column *y = &b->columns[i];
        if (by_attnum(a, y->attnum)) continue;
        if (y->filled) note(d, DEEP, "column %s was added with a default", y->name);
        else note(d, SHOWN, "column %s was added", y->name);
    }
}

static bool same_key(const tain_pg_table *t, const tain_pg_now *now)
{
    return t->key_count == now->key_count && memcmp(t->key_attnums, now->key_attnums, now->key_count * sizeof *now->key_attnums) == 0;
}

static difference compare(const tain_pg_table *t, const tain_pg_now *now)
{
    difference d = {0};
    if (!same_key(t, now)) note(&d, DEEP, "its key changed");
    compare_columns(t->shape, now->shape, t->filenode == now->filenode, &d);
    if (strcmp(t->pub->schema, now->schema) != 0 || strcmp(t->pub->name, now->name) != 0)
        note(&d, SHOWN, "it was renamed from %s.%s", t->pub->schema, t->pub->name);
    if (t->identity != now->identity) note(&d, HARMLESS, "its replica identity changed");
    return d;
}

/* --- adopting ------------------------------------------------------------------------------------------------------ */

static void rename_to(tain_pg_source *s, char **slot, const char *name)
{
    if (strcmp(*slot, name) == 0) return;
    s->old_names = tain_realloc(s->old_names, (s->old_name_count + 1) * sizeof *s->old_names);
    s->old_names[s->old_name_count++] = *slot;
    *slot = tain_strdup(name);
}

/* seen: others see a difference in the columns, so the new schema is shown to them. */
static void adopt(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, bool seen)
{
    rename_to(s, &t->pub->schema, now->schema);
    rename_to(s, &t->pub->name, now->name);
    t->filenode = now->filenode;
    t->identity = now->identity;
    tain_free(t->key_attnums);
    t->key_attnums = now->key_attnums;
    t->key_count = now->key_count;
    now->key_attnums = NULL;
    if (!seen) now->shape->shown = t->shape->shown;
    tain_pg_shape_keep(s, now->shape);
    t->shape = now->shape;
    now->shape = NULL;
    tain_pg_table_show(t);
}

/* In a binary stream a column that only text can carry makes the table unreadable from here to the next start. */
static bool needs_text(const tain_pg_source *s, const tain_pg_table *t) { return s->stream->binary && t->shape->textual; }

static tain_status apply(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, const difference *d, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    adopt(s, t, now, !tain_schema_equal(t->shape->schema, now->shape->schema));
    bool reload = d->what == DEEP;
    if (needs_text(s, t)) s->stream->restart = reload = true;
    if (d->what <= HARMLESS && !reload) return TAIN_OK;
    tain_pg_table_judge(s, t);
    if (s->stream->decoder.open) tain_pg_decoder_begin(&s->stream->decoder);
    return sink->reshape(sink, t->pub, reload, d->reason, err);
}

static tain_status adopt_if_new(tain_pg_source *s, tain_pg_table *t, change *ret, tain_error *err)
{
    tain_pg_now now;
    *ret = SAME;
    TAIN_TRY(tain_pg_catalog_now(s, t, &now, err));
    tain_status status = TAIN_OK;
    if (now.there) {
        difference d = compare(t, &now);
        *ret = d.what;
        if (d.what != SAME || t->filenode != now.filenode) status = apply(s, t, &now, &d, err);
    }
    tain_pg_now_done(&now);
    return status;
}

tain_status tain_pg_adopt_now(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    change ignored;
    return adopt_if_new(s, t, &ignored, err);
}

tain_status tain_pg_renew(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_now now;
    TAIN_TRY(tain_pg_catalog_now(s, t, &now, err));
    if (now.there) adopt(s, t, &now, !tain_schema_equal(t->shape->schema, now.shape->schema));
    tain_pg_now_done(&now);
    if (t->kind == 'p') tain_pg_leaves_watch(t);
    return TAIN_OK;
}

tain_status tain_pg_request_reload(tain_pg_source *s, tain_pg_table *t, const char *reason, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    return sink->reshape(sink, t->pub, true, reason, err);
}

/* --- a Relation message -------------------------------------------------------------------------------------------- */

/* Rows from before (or between) changes that are known already: columns are found by name. Where a type was another one
 * the values cannot be taken, and neither can what the mirror holds be trusted. */
static tain_status map_older(tain_pg_source *s, tain_pg_relation *r, tain_pg_table *t, tain_error *err)
{
    tain_pg_relation_map(r, t);
    for (size_t i = 0; i < r->count; i++) {
        const tain_pg_relation_column *c = &r->columns[i];
        const tain_pg_column *k = c->target >= 0 ? &t->shape->columns[c->target] : NULL;
        if (!k || (c->type_oid == k->type_oid && c->typmod == k->typmod)) continue;
        bool alike = c->type_oid == k->type_oid && c->codec->pg->oid != TAIN_PG_NUMERIC;
        if (alike) continue;
        char reason[160];
        snprintf(reason, sizeof reason, "column %s had another type at this point of the log", k->name);
        r->table = NULL;
        return tain_pg_request_reload(s, t, reason, err);
    }
    return TAIN_OK;
}

static bool same_name(const tain_pg_relation *r, const tain_pg_table *t)
{
    return strcmp(r->schema, t->pub->schema) == 0 && strcmp(r->name, t->pub->name) == 0;
}

tain_status tain_pg_resolve(void *ctx, tain_pg_relation *r, tain_error *err)
{
    tain_pg_source *s = ctx;
    tain_pg_table *t = tain_pg_table_by_oid(s, r->oid);
    if (!t || !t->taken || t->dropped || t->failed || !t->shape) return TAIN_OK;
    bool known = is_same_relation(r, t->shape) && same_name(r, t);
    if (known && !r->again) {
        tain_pg_relation_map(r, t);
        return TAIN_OK;
    }
    change found;
    TAIN_TRY(adopt_if_new(s, t, &found, err));
    if (needs_text(s, t)) return TAIN_OK; /* not wanted until the stream begins again; a reload is on its way */
    if (is_same_relation(r, t->shape)) tain_pg_relation_map(r, t);
    else return map_older(s, r, t, err);
    return TAIN_OK;
}
