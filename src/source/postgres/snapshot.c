/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include <stdlib.h>

#include "source/postgres/stream.h"
#include "source/postgres/result.h"
#include "postgres_queries.h"

enum { PAGE = 8192 };

/* --- fixing the content -------------------------------------------------------------------------------------------- */

/* What happened to it before is in what is read now. */
static void begin_anew(tain_pg_source *s, tain_pg_table *t)
{
    t->renew = false;
    t->recalled = t->textual_now = false;
    t->due = TAIN_PG_DUE_NOTHING;
    t->read_at = s->snapshot_lsn;
    (void)tain_pg_memo_renew(s, t);
    t->history_count = 0;
    tain_pg_history_add(s, t, s->snapshot_lsn);
    if (s->stream && s->stream->binary && t->shape->textual) s->stream->restart = true;
}

/* The tables as the snapshot has them: a column that was added since the last look holds values already. */
static tain_status renew_tables(tain_pg_source *s, tain_source_table **tables, size_t n, tain_error *err)
{
    for (size_t i = 0; i < n; i++) {
        tain_pg_table *t = tain_pg_table_of(s, tables[i]);
        if (t) t->renew = true;
    }
    TAIN_TRY(tain_pg_catalog_renew(s, err));
    for (size_t i = 0; i < n; i++) {
        tain_pg_table *t = tain_pg_table_of(s, tables[i]);
        if (t && t->shape) begin_anew(s, t);
    }
    return TAIN_OK;
}

/* The stream may be further than the snapshot, and what it was seen to come to is forgotten with the tables' state. */
static void look_again(tain_pg_source *s)
{
    if (!s->stream) return;
    tain_free(s->stream->fingerprint);
    s->stream->fingerprint = NULL;
    s->stream->next_look = 0;
}

tain_status tain_pg_snapshot_begin(tain_source *base, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    if (!tain_pg_is_exported(s)) TAIN_TRY(tain_pg_export_load(s, err));
    s->unread = false;
    tain_pg_position(s->snapshot_lsn, ret);
    look_again(s);
    tain_status status = renew_tables(s, tables, n, err);
    if (status != TAIN_OK) tain_pg_export_end(s);
    return status;
}

tain_status tain_pg_snapshot_end(tain_source *base, tain_error *err)
{
    tain_pg_export_end((tain_pg_source *)base);
    return TAIN_OK;
}

/* --- cutting into chunks ------------------------------------------------------------------------------------------- */

typedef struct plan { tain_chunk *list; size_t count, capacity; tain_source_table *table; } plan;

static void add_chunk(plan *p, int64_t from, int64_t to, double rows)
{
    if (p->count == p->capacity) p->list = tain_realloc(p->list, (p->capacity = p->capacity * 2 + 16) * sizeof *p->list);
    p->list[p->count++] = (tain_chunk){.table = p->table, .from = from, .to = to, .rows_estimate = (int64_t)rows};
}

/* Blocks of one relation in ranges of about `rows` rows; the last one is open, the relation may have grown. */
static void cut(plan *p, uint32_t leaf, int64_t blocks, double all_rows, int64_t rows)
{
    int64_t base = (int64_t)((uint64_t)leaf << 32);
    double pieces = all_rows / (double)rows;
    int64_t step = pieces < 1.5 ? blocks : (int64_t)((double)blocks / pieces);
    if (step < 1) step = 1;
    int64_t at = 0;
    for (; blocks - at >= 2 * step; at += step) add_chunk(p, base + at, base + at + step, all_rows * (double)step / (double)blocks);
    add_chunk(p, base + at, base + UINT32_MAX, blocks ? all_rows * (double)(blocks - at) / (double)blocks : 0);
}

static bool leaves_readable(const tain_pg_table *t)
{
    for (size_t i = 0; t->leaves && i < t->leaves->count; i++)
        if (!t->leaves->list[i].may_select) return false;
    return t->leaves && t->leaves->count;
}

static double leaf_blocks(const tain_pg_leaf *l) { return l->bytes >= 0 ? (double)l->bytes / PAGE : l->relpages; }

static double all_blocks(const tain_pg_leaves *leaves)
{
    double all = 0;
    for (size_t i = 0; i < leaves->count; i++) all += leaf_blocks(&leaves->list[i]);
    return all;
}

/* all: blocks of all leaves. */
static void plan_leaf(plan *p, const tain_pg_leaf *leaf, double all, int64_t rows)
{
    double blocks = leaf_blocks(leaf);
    cut(p, leaf->oid, (int64_t)blocks, all > 0 ? (double)p->table->rows_estimate * blocks / all : 0, rows);
}

static tain_status measure(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    if (!t->present) return tain_fail(err, TAIN_E_NOT_FOUND, "table %s.%s is not in the database any more", t->pub->schema, t->pub->name);
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    return tain_pg_catalog_size(s, t, err);
}

tain_status tain_pg_snapshot_plan(tain_source *base, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_table *t = tain_pg_table_of(s, table);
    plan p = {.table = table};
    TAIN_TRY(measure(s, t, err));
    tain_pg_reread_forget(t);
    bool small = table->rows_estimate < rows + rows / 2;
    if (small || (t->kind == 'p' && !leaves_readable(t))) add_chunk(&p, 0, TAIN_PG_WHOLE, (double)table->rows_estimate);
    else if (t->kind == 'p')
        for (size_t i = 0; i < t->leaves->count; i++) plan_leaf(&p, &t->leaves->list[i], all_blocks(t->leaves), rows);
    else cut(&p, 0, t->bytes >= 0 ? t->bytes / PAGE : (int64_t)t->relpages, (double)table->rows_estimate, rows);
    *ret = p.list;
    *ret_count = p.count;
    return TAIN_OK;
}

tain_status tain_pg_reread_plan(tain_source *base, tain_source_table *table, const tain_region *const *within, size_t n, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_table *t = tain_pg_table_of(s, table);
    const tain_pg_leaf **leaves;
    size_t leaf_count;
    plan p = {.table = table};
    TAIN_TRY(measure(s, t, err));
    if (!tain_pg_reread_holds(t, within, n, &leaves, &leaf_count)) return tain_fail(err, TAIN_E_UNSUPPORTED, "table %s.%s has changed otherwise, too", table->schema, table->name);
    for (size_t i = 0; i < leaf_count; i++) plan_leaf(&p, leaves[i], all_blocks(t->leaves), rows);
    tain_free(leaves);
    *ret = p.list;
    *ret_count = p.count;
    return TAIN_OK;
}
