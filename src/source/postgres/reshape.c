/* SPDX-License-Identifier: MIT */
/* A table's shape becomes another: what became of each column (by attribute number), and whether old rows are still right. */
#include "source/postgres/stream.h"

/* --- comparing ----------------------------------------------------------------------------------------------------- */

static const tain_pg_column *by_attnum(const tain_pg_shape *shape, int attnum)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->columns[i].attnum == attnum) return &shape->columns[i];
    return NULL;
}

typedef enum change { SAME, NOTED /* nothing to see in the mirror */, SHOWN /* rows stay right, the shape differs */, PART /* rows came unseen, in partitions */, DEEP } change;

typedef struct difference {
    change what;
    bool   shown; /* the shape differs, whatever else there is */
    char   reason[200];
    const tain_region **gone; /* rows of partitions that are there no more */
    size_t gone_count;
} difference;

static void note(difference *d, change what, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void note(difference *d, change what, const char *format, ...)
{
    d->shown |= what == SHOWN;
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

bool tain_pg_keeps_values(const tain_pg_codec *a, const tain_pg_codec *b, int32_t a_typmod, int32_t b_typmod)
{
    uint32_t from = a->pg->oid, to = b->pg->oid;
    if (integer_width(from)) return integer_width(to) >= integer_width(from);
    if (from == TAIN_PG_FLOAT4) return to == TAIN_PG_FLOAT4 || to == TAIN_PG_FLOAT8;
    if (from == TAIN_PG_NUMERIC && to == TAIN_PG_NUMERIC) return widens_decimal(&a->type, &b->type);
    if (is_text(a) && is_text(b)) return b_typmod < 0 || (a_typmod >= 0 && b_typmod >= a_typmod);
    return from == to && a_typmod == b_typmod;
}

bool tain_pg_is_alike(const tain_pg_codec *a, const tain_pg_codec *b)
{
    bool same_form = strcmp(a->pg->out_name, b->pg->out_name) == 0 || (is_text(a) && is_text(b));
    return same_form && tain_type_equal(&a->type, &b->type) && a->text == b->text;
}

static bool same_type(const tain_pg_column *a, const tain_pg_column *b) { return a->type_oid == b->type_oid && a->typmod == b->typmod; }

/* kept: no value was computed, which files that stayed, or a command without USING, tell. */
static void compare_type(const tain_pg_column *a, const tain_pg_column *b, const tain_pg_now *now, bool same_file, bool kept, difference *d)
{
    if (same_type(a, b)) {
        bool cleared = now->complete && a->missing && !b->missing; /* as vacuuming does */
        if (a->written != b->written && !kept && !cleared) note(d, DEEP, "column %s was rewritten", b->name);
        else if (a->written != b->written) note(d, NOTED, "column %s was altered", b->name);
        return;
    }
    bool keeps = tain_pg_keeps_values(a->codec, b->codec, a->typmod, b->typmod), alike = tain_pg_is_alike(a->codec, b->codec);
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

/* Whether a column that is new may be where one with that number was, which is gone: none that still has its name stands between them. */
static bool is_in_place(const tain_pg_shape *a, int gone, const tain_pg_shape *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const tain_pg_column *left = a->columns[i].attnum > gone ? by_attnum(b, a->columns[i].attnum) : NULL;
        if (left && strcmp(left->name, a->columns[i].name) == 0) return false;
    }
    return true;
}

/* y is new: whether a relation that has a column that is gone may look as one that has y instead. */
static void compare_place(const tain_pg_shape *a, const tain_pg_shape *b, const tain_pg_column *y, const tain_pg_now *now, difference *d)
{
    for (int gone = 1; gone <= a->last_attnum; gone++) {
        const tain_pg_column *x = by_attnum(a, gone);
        if (by_attnum(b, gone) || (x ? !same_type(x, y) : !now->again) || !is_in_place(a, gone, b)) continue;
        if (x) note(d, DEEP, "column %s was made anew as %s", x->name, y->name);
        else note(d, DEEP, "column %s came soon after another one went", y->name);
    }
}

/* The catalog may be further than the stream: rows of a column that is gone, or came and went unseen, must not be taken for those
 * of one that is new. It may have gone in what is known, if the stream has not come to that yet. */
static void compare_replaced(const tain_pg_shape *a, const tain_pg_shape *b, const tain_pg_now *now, difference *d)
{
    for (size_t k = 0, added = 0; k < b->count; k++) {
        const tain_pg_column *y = &b->columns[k];
        if (y->attnum <= a->last_attnum) continue;
        if (y->attnum != a->last_attnum + 1 + (int)added++) note(d, DEEP, "a column came and went before column %s", y->name);
        compare_place(a, b, y, now, d);
    }
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
    if (!now->told && !now->reached) compare_replaced(a, b, now, d);
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
        note(d, now->leaves[i].filled ? PART : NOTED, now->leaves[i].filled ? "a partition was attached with rows in it" : "it has a new partition");
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
    if (t->unseen && d.what == SHOWN) note(&d, DEEP, "rows of it came before the catalog showed what columns they have");
    if (d.what == PART && (d.shown || d.gone_count || s->stream->conn.version < TAIN_PG_MEETS_SINCE)) d.what = DEEP;
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
    t->ahead_until = now->ahead_until;
    tain_free(t->key_attnums);
    t->key_attnums = now->key_attnums;
    t->key_count = now->key_count;
    now->key_attnums = NULL;
    if (t->unseen < now->shown_below) t->unseen = 0;
    tain_free(t->as_of);
    t->as_of = now->as_of;
    now->as_of = NULL;
    tain_pg_table_take_shape(s, t, now->shape);
    now->shape = NULL;
}

/* Where in the stream things are said to be as they are now. */
static uint64_t stream_position(const tain_pg_source *s)
{
    const tain_pg_decoder *d = &s->stream->decoder;
    return d->open ? d->at : d->position;
}

/* What follows is part of states from here on; between transactions, of those behind the one where the last one ended, which may
 * be recorded without it. No transaction ends in front of the next position. */
static void begin_here(tain_pg_source *s)
{
    tain_pg_decoder *d = &s->stream->decoder;
    tain_position at;
    if (d->open) {
        tain_pg_decoder_begin(d);
        return;
    }
    tain_pg_position(d->position + 1, &at);
    d->sink->begin(d->sink, &at);
}

/* What a partition was when it was first met is what old servers go by as long as a stream lasts: rows of one that was attached
 * are not sent, those of one that was detached come as the root's. */
static void meet_anew(tain_pg_source *s, const tain_pg_table *t)
{
    if (t->kind == 'p' && s->stream->conn.version < TAIN_PG_MEETS_SINCE) s->stream->restart = true;
}

static void is_another(tain_pg_source *s, tain_pg_table *t)
{
    tain_pg_history_add(s, t, stream_position(s));
    tain_pg_table_judge(s, t);
    begin_here(s);
}

tain_status tain_pg_tell(tain_pg_source *s, tain_pg_table *t, bool reload, const char *reason, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    bool noted = tain_pg_memo_renew(s, t);
    if (!noted && !reload) return TAIN_OK;
    if (reload) meet_anew(s, t);
    is_another(s, t);
    return sink->reshape(sink, t->pub, reload, reason, err);
}

/* The table still shows what they are told by. */
static tain_status clear_rows(tain_pg_source *s, tain_pg_table *t, const difference *d, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    if (d->what == DEEP) return TAIN_OK;
    if (d->gone_count) begin_here(s);
    if (d->gone_count) meet_anew(s, t);
    for (size_t i = 0; i < d->gone_count; i++) TAIN_TRY(sink->truncate(sink, t->pub, d->gone[i], err));
    return TAIN_OK;
}

static bool may_rewrite(const tain_pg_table *t, const tain_pg_now *now)
{
    for (size_t i = 0; i < now->shape->count; i++) {
        const tain_pg_column *then = by_attnum(t->shape, now->shape->columns[i].attnum);
        if (!then || then->written != now->shape->columns[i].written) return true;
    }
    return false;
}

/* A partition that was truncated alone is in another file, too, which looks find: it stays noted in the one it had, unless the command
 * has written all of them anew. */
static void keep_files(const tain_pg_table *t, tain_pg_now *now)
{
    size_t known = 0, others = 0;
    for (size_t i = 0; i < now->leaf_count; i++) {
        const tain_pg_watched *w = tain_pg_beside_leaf(&t->settled, now->leaves[i].oid);
        known += w && w->filenode;
        others += w && w->filenode && w->filenode != now->leaves[i].filenode;
    }
    if (others == known && may_rewrite(t, now)) return;
    for (size_t i = 0; i < now->leaf_count; i++) {
        const tain_pg_watched *w = tain_pg_beside_leaf(&t->settled, now->leaves[i].oid);
        if (w && w->filenode) now->leaves[i].filenode = w->filenode;
    }
}

static void take_over(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now)
{
    if (now->told) keep_files(t, now);
    tain_pg_table_adopt(s, t, now);
    if (now->told) tain_pg_beside_set_leaves(&t->settled, now->leaves, now->leaf_count);
}

/* Partitions came with rows, and nothing else is another. */
static tain_status take_leaves(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, const char *reason, tain_error *err)
{
    size_t n = 0;
    tain_pg_beside then = {0};
    tain_pg_watched *came = tain_alloc((now->leaf_count + 1) * sizeof *came);
    for (size_t i = 0; i < now->leaf_count; i++)
        if (now->leaves[i].filled && !tain_pg_beside_leaf(&t->settled, now->leaves[i].oid)) came[n++] = now->leaves[i];
    tain_pg_beside_copy(&then, &t->settled);
    take_over(s, t, now);
    (void)tain_pg_memo_renew(s, t);
    is_another(s, t);
    tain_status status = tain_pg_request_reread(s, t, came, n, &then, reason, err);
    tain_pg_beside_done(&then);
    tain_free(came);
    return status;
}

static tain_status apply(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, const difference *d, tain_error *err)
{
    if (d->what == PART) return take_leaves(s, t, now, d->reason, err);
    bool reload = d->what == DEEP;
    if (!now->told && !now->reached) TAIN_TRY(tain_pg_log_seen(s, &now->ahead_until, err));
    TAIN_TRY(clear_rows(s, t, d, err));
    take_over(s, t, now);
    if (tain_pg_needs_text(s, t)) s->stream->restart = reload = true;
    return tain_pg_tell(s, t, reload, d->reason, err);
}

static tain_status adopt(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, tain_error *err)
{
    difference d = compare(s, t, now);
    bool seen = t->unseen && t->unseen < now->shown_below;
    tain_status status = d.what == SAME && !seen ? TAIN_OK : apply(s, t, now, &d, err);
    tain_free(d.gone);
    return status;
}

static tain_status note_unseen(tain_pg_source *s, tain_pg_table *t, uint64_t xid, tain_error *err)
{
    if (xid > t->unseen) t->unseen = xid;
    return tain_pg_tell(s, t, false, NULL, err);
}

tain_status tain_pg_adopt_ahead(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_now now;
    uint64_t unseen;
    TAIN_TRY(tain_pg_catalog_abreast(s, t, &now, &unseen, err));
    now.again = stream_position(s) < t->ahead_until;
    tain_status status = unseen ? note_unseen(s, t, unseen, err) : now.there ? adopt(s, t, &now, err) : TAIN_OK;
    tain_pg_now_done(&now);
    return status;
}

/* What it says has been true all the time since it was looked at, and so it is where the stream is: what is told from here on
 * happened later. */
static tain_status adopt_reached(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, tain_error *err)
{
    now->reached = true;
    now->complete = s->stream->tells;
    tain_free(now->as_of);
    now->as_of = NULL;
    return adopt(s, t, now, err);
}

tain_status tain_pg_adopt_looked(tain_pg_source *s, tain_pg_table *t, bool *ret_later, tain_error *err)
{
    tain_pg_now now;
    TAIN_TRY(tain_pg_catalog_now(s, t, &now, err));
    *ret_later = now.there && now.mark != t->looked_mark;
    t->looked_mark = now.mark;
    tain_status status = now.there && !*ret_later ? adopt_reached(s, t, &now, err) : TAIN_OK;
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
    return adopt(s, t, now, err);
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
    meet_anew(s, t);
    return sink->reshape(sink, t->pub, true, reason, err);
}
