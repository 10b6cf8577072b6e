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

typedef enum change { SAME, NOTED /* nothing to see in the mirror */, SHOWN /* rows stay right, the shape differs */, DEEP } change;

typedef struct difference {
    change what;
    char   reason[200];
    const tain_region **gone; /* rows of partitions that are there no more */
    size_t gone_count;
} difference;

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

/* Whether rows are in the files they were in. A truncated or vacuumed table has another one, too. */
static bool same_files(const tain_pg_table *t, const tain_pg_now *now)
{
    if (t->kind != 'p') return t->filenode == now->filenode;
    for (size_t i = 0; i < now->leaf_count; i++) {
        const tain_pg_watched *w = tain_pg_beside_leaf(&t->settled, now->leaves[i].oid);
        if (w && w->filenode != now->leaves[i].filenode) return false;
    }
    return true;
}

static bool is_text(const tain_pg_codec *c) { return c->pg->oid == TAIN_PG_TEXT || c->pg->oid == TAIN_PG_VARCHAR; }

static int integer_width(uint32_t oid) { return oid == TAIN_PG_INT2 ? 2 : oid == TAIN_PG_INT4 ? 4 : oid == TAIN_PG_INT8 ? 8 : 0; }

static bool widens_decimal(const tain_type *a, const tain_type *b)
{
    return a->kind == TAIN_DECIMAL && b->kind == TAIN_DECIMAL && b->scale >= a->scale && b->precision - b->scale >= a->precision - a->scale;
}

/* Whether the type's own cast leaves every value what it is. */
static bool keeps_values(const tain_pg_codec *a, const tain_pg_codec *b, int32_t a_typmod, int32_t b_typmod)
{
    uint32_t from = a->pg->oid, to = b->pg->oid;
    if (integer_width(from)) return integer_width(to) >= integer_width(from);
    if (from == TAIN_PG_FLOAT4) return to == TAIN_PG_FLOAT4 || to == TAIN_PG_FLOAT8;
    if (from == TAIN_PG_NUMERIC && to == TAIN_PG_NUMERIC) return widens_decimal(&a->type, &b->type);
    if (is_text(a) && is_text(b)) return b_typmod < 0 || (a_typmod >= 0 && b_typmod >= a_typmod);
    return from == to && a_typmod == b_typmod;
}

/* Without a look at the rows nothing is to be seen of it: the same bytes are read by the same function. */
static bool is_alike(const tain_pg_codec *a, const tain_pg_codec *b)
{
    bool same_form = strcmp(a->pg->out_name, b->pg->out_name) == 0 || (is_text(a) && is_text(b));
    return same_form && tain_type_equal(&a->type, &b->type) && a->text == b->text;
}

/* kept: no value was computed, which files that stayed, or a command without USING, tell. */
static void compare_type(const tain_pg_column *a, const tain_pg_column *b, const tain_pg_now *now, bool same_file, bool kept, difference *d)
{
    if (a->type_oid == b->type_oid && a->typmod == b->typmod) {
        bool cleared = now->complete && a->missing && !b->missing; /* as vacuuming does */
        if (a->written != b->written && !kept && !cleared) note(d, DEEP, "column %s was rewritten", b->name);
        else if (a->written != b->written) note(d, NOTED, "column %s was altered", b->name);
        return;
    }
    bool keeps = keeps_values(a->codec, b->codec, a->typmod, b->typmod), alike = is_alike(a->codec, b->codec);
    if (kept && alike && (keeps || same_file)) note(d, NOTED, "the type of column %s was relaxed", b->name);
    else if (kept && keeps) note(d, SHOWN, "column %s was widened", b->name);
    else if (keeps && !now->told) note(d, DEEP, "the type of column %s changed, and its values perhaps", b->name);
    else note(d, DEEP, "the type of column %s changed", b->name);
}

/* A column that is new to the rows that are there. */
static void compare_added(const tain_pg_table *t, const tain_pg_column *y, bool same_file, bool told, difference *d)
{
    if (y->attnum <= t->shape->last_attnum) note(d, DEEP, "column %s was generated until now", y->name);
    else if (y->missing && !y->unsure) note(d, SHOWN, "column %s was added with a default", y->name);
    else if (y->unsure || (!same_file && (y->filled || !told))) note(d, DEEP, "column %s was added with values of each row", y->name);
    else note(d, SHOWN, "column %s was added", y->name);
}

static void compare_columns(const tain_pg_table *t, const tain_pg_now *now, difference *d)
{
    const tain_pg_shape *a = t->shape, *b = now->shape;
    bool same_file = same_files(t, now), kept = now->told ? !now->computed : same_file;
    for (size_t i = 0; i < a->count; i++) {
        const tain_pg_column *x = &a->columns[i], *y = by_attnum(b, x->attnum);
        if (!y) {
            note(d, SHOWN, "column %s was dropped", x->name);
            continue;
        }
        if (strcmp(x->name, y->name) != 0) note(d, SHOWN, "column %s was renamed to %s", x->name, y->name);
        compare_type(x, y, now, same_file, kept, d);
    }
    for (size_t i = 0; i < b->count; i++)
        if (!by_attnum(a, b->columns[i].attnum)) compare_added(t, &b->columns[i], same_file, now->told, d);
    if (!same_file) note(d, NOTED, "its files are others");
}

/* Their rows are not in the log as changes of the root. */
static void lose_leaf(tain_pg_source *s, const tain_pg_table *t, const tain_pg_watched *leaf, difference *d)
{
    const tain_region *rows = tain_pg_partition_region(s, t, leaf->bounds);
    note(d, rows ? NOTED : DEEP, "a partition was detached or dropped");
    if (!rows) return;
    d->gone = tain_realloc(d->gone, (d->gone_count + 1) * sizeof *d->gone);
    d->gone[d->gone_count++] = rows;
}

static void compare_leaves(tain_pg_source *s, const tain_pg_table *t, const tain_pg_now *now, difference *d)
{
    tain_pg_beside is = {.leaves = now->leaves, .leaf_count = now->leaf_count};
    for (size_t i = 0; i < t->settled.leaf_count; i++)
        if (!tain_pg_beside_leaf(&is, t->settled.leaves[i].oid)) lose_leaf(s, t, &t->settled.leaves[i], d);
    for (size_t i = 0; i < now->leaf_count; i++) {
        if (tain_pg_beside_leaf(&t->settled, now->leaves[i].oid)) continue;
        note(d, now->leaves[i].filled ? DEEP : NOTED, now->leaves[i].filled ? "a partition was attached with rows in it" : "it has a new partition");
    }
}

static bool same_key(const tain_pg_table *t, const tain_pg_now *now)
{
    return t->key_count == now->key_count && memcmp(t->key_attnums, now->key_attnums, now->key_count * sizeof *now->key_attnums) == 0;
}

static difference compare(tain_pg_source *s, const tain_pg_table *t, const tain_pg_now *now)
{
    difference d = {0};
    if (!same_key(t, now)) note(&d, now->told ? SHOWN : DEEP, "its key changed");
    compare_columns(t, now, &d);
    if (now->told) compare_leaves(s, t, now, &d);
    if (strcmp(t->pub->schema, now->schema) != 0 || strcmp(t->pub->name, now->name) != 0)
        note(&d, SHOWN, "it was renamed from %s.%s", t->pub->schema, t->pub->name);
    if (t->identity != now->identity) note(&d, NOTED, "its replica identity changed");
    return d;
}

/* --- adopting ------------------------------------------------------------------------------------------------------ */

static void rename_to(tain_pg_source *s, char **slot, const char *name)
{
    if (strcmp(*slot, name) == 0) return;
    tain_pg_keep_text(s, *slot);
    *slot = tain_strdup(name);
}

void tain_pg_table_adopt(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now)
{
    rename_to(s, &t->pub->schema, now->schema);
    rename_to(s, &t->pub->name, now->name);
    t->filenode = now->filenode;
    t->identity = now->identity;
    tain_free(t->key_attnums);
    t->key_attnums = now->key_attnums;
    t->key_count = now->key_count;
    now->key_attnums = NULL;
    tain_free(t->as_of);
    t->as_of = now->as_of;
    now->as_of = NULL;
    tain_pg_table_take_shape(s, t, now->shape);
    now->shape = NULL;
}

/* In a binary stream a column that only text can carry makes the table unreadable from here to the next start. */
static bool needs_text(const tain_pg_source *s, const tain_pg_table *t) { return s->stream->binary && t->shape->textual; }

/* Where in the stream things are said to be as they are now. */
static uint64_t stream_position(const tain_pg_source *s)
{
    const tain_pg_decoder *d = &s->stream->decoder;
    return d->open ? d->at : d->position;
}

/* What follows is part of states from here on; between transactions, of those where the last one ended. */
static void begin_here(tain_pg_source *s)
{
    tain_pg_decoder *d = &s->stream->decoder;
    tain_position at;
    if (d->open) {
        tain_pg_decoder_begin(d);
        return;
    }
    tain_pg_position(d->position, &at);
    d->sink->begin(d->sink, &at);
}

tain_status tain_pg_tell(tain_pg_source *s, tain_pg_table *t, bool reload, const char *reason, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    bool noted = tain_pg_memo_renew(s, t);
    if (!noted && !reload) return TAIN_OK;
    tain_pg_history_add(s, t, stream_position(s));
    tain_pg_table_judge(s, t);
    begin_here(s);
    return sink->reshape(sink, t->pub, reload, reason, err);
}

/* The table still shows what they are told by. */
static tain_status clear_rows(tain_pg_source *s, tain_pg_table *t, const difference *d, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    if (d->what == DEEP) return TAIN_OK;
    if (d->gone_count) begin_here(s);
    for (size_t i = 0; i < d->gone_count; i++) TAIN_TRY(sink->truncate(sink, t->pub, d->gone[i], err));
    return TAIN_OK;
}

static tain_status apply(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, const difference *d, tain_error *err)
{
    bool reload = d->what == DEEP;
    TAIN_TRY(clear_rows(s, t, d, err));
    tain_pg_table_adopt(s, t, now);
    if (now->told) tain_pg_beside_set_leaves(&t->settled, now->leaves, now->leaf_count);
    if (needs_text(s, t)) s->stream->restart = reload = true;
    return tain_pg_tell(s, t, reload, d->reason, err);
}

tain_status tain_pg_adopt_now(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_now now;
    TAIN_TRY(tain_pg_catalog_now(s, t, &now, err));
    tain_status status = TAIN_OK;
    now.complete = s->stream->tells;
    if (now.there) {
        difference d = compare(s, t, &now);
        if (d.what != SAME) status = apply(s, t, &now, &d, err);
    }
    tain_pg_now_done(&now);
    return status;
}

tain_status tain_pg_renew(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_now now;
    TAIN_TRY(tain_pg_catalog_now(s, t, &now, err));
    if (now.there) tain_pg_table_adopt(s, t, &now);
    tain_pg_now_done(&now);
    tain_pg_beside_take(s, t);
    (void)tain_pg_memo_renew(s, t);
    return TAIN_OK;
}

/* A key that is missing makes the application's updates fail, not rows go astray: it is kept until there is another. */
static void keep_key(const tain_pg_table *t, tain_pg_now *now)
{
    if (now->key_count || now->identity == 'f' || t->key_count == 0) return;
    now->key_attnums = tain_realloc(now->key_attnums, (t->key_count + 1) * sizeof *now->key_attnums);
    memcpy(now->key_attnums, t->key_attnums, t->key_count * sizeof *now->key_attnums);
    now->key_count = t->key_count;
}

tain_status tain_pg_adopt_told(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, tain_error *err)
{
    keep_key(t, now);
    difference d = compare(s, t, now);
    tain_status status = d.what == SAME ? TAIN_OK : apply(s, t, now, &d, err);
    tain_free(d.gone);
    return status;
}

tain_status tain_pg_tell_name(tain_pg_source *s, tain_pg_table *t, const char *schema, const char *name, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    if (strcmp(t->pub->schema, schema) == 0 && strcmp(t->pub->name, name) == 0) return TAIN_OK;
    rename_to(s, &t->pub->schema, schema);
    rename_to(s, &t->pub->name, name);
    begin_here(s);
    return sink->reshape(sink, t->pub, false, NULL, err);
}

tain_status tain_pg_lose_leaf(tain_pg_source *s, tain_pg_table *t, uint32_t oid, tain_error *err)
{
    difference d = {0};
    size_t left = 0;
    lose_leaf(s, t, tain_pg_beside_leaf(&t->settled, oid), &d);
    tain_status status = clear_rows(s, t, &d, err);
    for (size_t i = 0; i < t->settled.leaf_count; i++)
        if (t->settled.leaves[i].oid != oid) t->settled.leaves[left++] = t->settled.leaves[i];
    t->settled.leaf_count = left;
    if (status == TAIN_OK) status = tain_pg_tell(s, t, d.what == DEEP, d.reason, err);
    tain_free(d.gone);
    return status;
}

tain_status tain_pg_request_reload(tain_pg_source *s, tain_pg_table *t, const char *reason, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    return sink->reshape(sink, t->pub, true, reason, err);
}

/* --- a Relation message -------------------------------------------------------------------------------------------- */

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
    if (then) return is_alike(then->codec, now->codec) || keeps_values(then->codec, now->codec, then->typmod, now->typmod);
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

tain_status tain_pg_resolve(void *ctx, tain_pg_relation *r, tain_error *err)
{
    tain_pg_source *s = ctx;
    tain_pg_table *t = tain_pg_table_by_oid(s, r->oid);
    if (!t || !t->taken || t->dropped || t->failed || !t->shape) return TAIN_OK;
    bool known = is_same_relation(r, t->shape) && same_name(r, t);
    if (is_read_later(s, t)) return map_past(r, t);
    if (!known || (r->again && !s->stream->tells)) TAIN_TRY(tain_pg_adopt_now(s, t, err));
    if (needs_text(s, t)) return TAIN_OK; /* not wanted until the stream begins again; a reload is on its way */
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
