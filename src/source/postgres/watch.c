/* SPDX-License-Identifier: MIT */
/* What no message of the stream tells: tables that come and go, shapes that change without a row being written,
 * partitions that are attached, detached, dropped or truncated. The catalog is looked at when its fingerprint changes;
 * what it says is applied when the stream has come to where the log ended then, so that nothing is applied too early. */
#include "source/postgres/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "source/postgres/capture.h"
#include "source/postgres/parts.h"
#include "source/postgres/result.h"
#include "postgres_queries.h"

#define LOOK_EVERY (3 * TAIN_SECOND)
enum { COST_FACTOR = 20 /* looking takes at most a twentieth of the time */ };

static void set_due(tain_pg_table *t, int due, uint64_t at, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void set_due(tain_pg_table *t, int due, uint64_t at, const char *format, ...)
{
    if ((int)t->due > due) return;
    char *reason = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0) abort();
    va_end(args);
    free(t->due_reason);
    t->due_reason = reason;
    t->due = due;
    t->due_at = at;
    t->due_for_leaves = false;
    t->due_leaf_count = 0;
}

/* --- partitions ---------------------------------------------------------------------------------------------------- */

static bool has_leaf(const tain_pg_beside *b, uint32_t oid) { return tain_pg_beside_leaf(b, oid) != NULL; }

/* What cannot be looked into counts as filled. */
static bool came_filled(tain_pg_source *s, const tain_pg_leaf *l)
{
    if (l->bytes == 0) return false;
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    TAIN_PG_RESULT *r = NULL;
    tain_pg_put_name(&name, l->schema, l->name);
    char *sql = tain_format(tain_query_older_rows, tain_buffer_cstr(&name), l->attached);
    tain_status status = tain_pg_query(&s->conn, sql, &r, NULL);
    tain_free(sql);
    return status != TAIN_OK || tain_pg_get_bool(r, 0, "found");
}

static void set_due_for_leaves(tain_pg_table *t, uint64_t at, const char *reason)
{
    bool only = t->due != TAIN_PG_DUE_RELOAD || t->due_for_leaves;
    set_due(t, TAIN_PG_DUE_RELOAD, at, "%s", reason);
    t->due_for_leaves = only;
}

/* Nothing but rows of that partition. */
static void set_due_for_leaf(tain_pg_table *t, uint64_t at, tain_pg_due_leaf leaf, const char *reason)
{
    bool waits = t->due == TAIN_PG_DUE_RELOAD, alone = !waits || t->due_leaf_count, for_leaves = !leaf.unless_truncated && (!waits || t->due_for_leaves);
    size_t n = waits ? t->due_leaf_count : 0;
    set_due(t, TAIN_PG_DUE_RELOAD, at, "%s", reason);
    t->due_for_leaves = for_leaves;
    if (!alone) return;
    t->due_leaves = tain_realloc(t->due_leaves, (n + 1) * sizeof *t->due_leaves);
    t->due_leaves[n] = leaf;
    t->due_leaf_count = n + 1;
}

static void compare_leaf(tain_pg_source *s, tain_pg_table *t, const tain_pg_leaf *l, uint64_t at)
{
    char reason[120];
    const tain_pg_watched *w = tain_pg_beside_leaf(&t->looked, l->oid);
    bool seen = w && w->filenode; /* one that was only heard of may have come with rows */
    if (!seen && came_filled(s, l)) set_due_for_leaf(t, at, (tain_pg_due_leaf){.oid = l->oid}, "a partition was attached with rows in it");
    if (!seen || w->filenode == l->filenode) return;
    snprintf(reason, sizeof reason, "partition %s was truncated or rewritten", l->name);
    set_due_for_leaf(t, at, (tain_pg_due_leaf){.oid = l->oid, .unless_truncated = t->looked.truncates + 1}, reason);
}

static void compare_leaves(tain_pg_source *s, tain_pg_table *t, const tain_pg_beside *now, uint64_t at)
{
    for (size_t i = 0; i < t->looked.leaf_count; i++)
        if (!has_leaf(now, t->looked.leaves[i].oid)) set_due_for_leaves(t, at, "a partition was detached or dropped");
    for (size_t i = 0; i < now->leaf_count; i++) compare_leaf(s, t, &t->leaves->list[i], at);
}

/* --- what a new reading of the catalog means --------------------------------------------------------------------------- */

static void compare_shapes(tain_pg_source *s, const PGresult *columns, uint64_t at)
{
    for (int row = 0, n; row < PQntuples(columns); row += n) {
        n = tain_pg_rows_of(columns, row, "attrelid");
        tain_pg_table *t = tain_pg_table_by_oid(s, tain_pg_get_oid(columns, row, "attrelid"));
        uint64_t mark = tain_pg_table_mark(t, columns, row, n);
        bool waits = t->due == TAIN_PG_DUE_SHAPE && mark == t->looked_mark; /* since it was first seen */
        t->looked_mark = mark;
        if (!waits && tain_pg_table_differs(t, columns, row, n)) set_due(t, TAIN_PG_DUE_SHAPE, at, "its columns changed");
    }
}

/* What was committed while the publication was another, or the table was not in it as it is, may be missing. */
static void compare_publication(tain_pg_table *t, const tain_pg_beside *now, uint64_t at)
{
    const tain_pg_beside *then = &t->looked;
    if (!then->publication) return;
    if (then->publication != now->publication) set_due(t, TAIN_PG_DUE_RELOAD, at, "the publication was made anew");
    else if (then->altered != now->altered) set_due(t, TAIN_PG_DUE_RELOAD, at, "the publication was altered: changes may not have come for a while");
    else if (then->listed != now->listed) set_due(t, TAIN_PG_DUE_RELOAD, at, "it was out of the publication for a while, or shown in part");
}

/* What is in the lake was made by others. */
static void compare_policies(tain_pg_table *t, const tain_pg_beside *now, uint64_t at)
{
    const char *then = t->looked.policies, *is = now->policies;
    if (then && *then && is && *is && strcmp(then, is) != 0) set_due(t, TAIN_PG_DUE_RELOAD, at, "the policies for its values changed");
}

static void compare_beside(tain_pg_source *s, tain_pg_table *t, uint64_t at)
{
    const char *type;
    tain_pg_beside now;
    tain_pg_beside_look(s, t, &now);
    if (!tain_pg_beside_equal(&t->looked, &now)) {
        set_due(t, TAIN_PG_DUE_SHAPE, at, "its surroundings changed");
        compare_publication(t, &now, at);
        compare_policies(t, &now, at);
        if (t->kind == 'p') compare_leaves(s, t, &now, at);
        if (t->looked.types && tain_pg_parts_changed(&s->types, t->looked.types, &type))
            set_due(t, TAIN_PG_DUE_RELOAD, at, "labels or attributes of type %s changed", type);
        tain_pg_beside_copy(&t->looked, &now);
    }
    tain_pg_beside_done(&now);
}

/* The catalog was read: what differs from what is known is due where the log ends now. */
static tain_status compare_all(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *columns = NULL;
    uint64_t at;
    TAIN_TRY(tain_pg_types_renew(&s->types, &s->conn, err));
    TAIN_TRY(tain_pg_catalog_columns(s, &columns, err));
    TAIN_TRY(tain_pg_log_seen(s, &at, err));
    compare_shapes(s, columns, at);
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_table *t = s->tables[i];
        if ((!t->taken && !t->failed) || t->dropped) continue;
        if (t->present && t->taken) compare_beside(s, t, at);
        else if (!t->present) set_due(t, TAIN_PG_DUE_DROP, at, "it was dropped");
    }
    return TAIN_OK;
}

/* Findings that end the following of a table; the others only keep it from being loaded. */
static const tain_finding *fatal_finding(const tain_pg_table *t)
{
    static const char *const codes[] = {"no_key", "unlogged", "no_columns", "partition", "partition_foreign", "partition_identity", "publication_filter", "not_published"};
    for (size_t i = 0; i < t->pub->finding_count; i++) {
        const tain_finding *f = &t->pub->findings[i];
        if (f->level != TAIN_VERDICT_ERROR) continue;
        for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
            if (strcmp(f->code, codes[k]) == 0) return f;
    }
    return NULL;
}

tain_status tain_pg_give_up_table(tain_pg_source *s, tain_pg_table *t, const char *reason, const char *remedy, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    t->taken = false;
    t->failed = true;
    t->due = TAIN_PG_DUE_NOTHING;
    s->stream->restart = true;
    return sink->failed(sink, t->pub, reason, remedy, err);
}

static tain_status take_in(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    TAIN_TRY(tain_pg_renew(s, t, err));
    t->taken = true;
    t->failed = false;
    s->stream->restart = true; /* what the stream said of it so far was passed over */
    return sink->appeared(sink, t->pub, err);
}

static tain_status judge_one(tain_pg_source *s, tain_pg_table *t, bool *io_any, tain_error *err)
{
    const tain_finding *fatal = t->present ? fatal_finding(t) : NULL;
    if (t->taken && fatal) {
        *io_any = true;
        (void)!tain_pg_unpublish(s, t, NULL); /* at once: without identity its application's updates fail */
        return tain_pg_give_up_table(s, t, fatal->message, fatal->remedy, err);
    }
    if (!t->present || t->taken || t->pub->verdict == TAIN_VERDICT_ERROR || !t->published) return TAIN_OK;
    *io_any = true;
    return take_in(s, t, err);
}

static tain_status read_again(tain_pg_source *s, bool *io_any, tain_error *err)
{
    TAIN_TRY(tain_pg_catalog_read(s, err));
    TAIN_TRY(tain_pg_publication_check(s, err));
    TAIN_TRY(tain_pg_publish_more(s, NULL, err));
    TAIN_TRY(compare_all(s, err));
    tain_status status = TAIN_OK;
    for (size_t i = 0; i < s->table_count && status == TAIN_OK; i++) status = judge_one(s, s->tables[i], io_any, err);
    return status;
}

/* --- when the stream is there ------------------------------------------------------------------------------------------ */

static void add_due(tain_pg_stream *st, const tain_pg_table *t)
{
    st->due++;
    if (t->due_at > st->due_until) st->due_until = t->due_at;
}

/* The catalog has become another since it was looked at: what it says now is due where the log ends now. */
static tain_status wait_again(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    TAIN_TRY(tain_pg_log_seen(s, &t->due_at, err));
    t->due = TAIN_PG_DUE_SHAPE;
    add_due(s->stream, t);
    return TAIN_OK;
}

static tain_status settle(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    bool later = false;
    tain_fault(TAIN_FAULT_WATCH_DUE);
    TAIN_TRY(tain_pg_adopt_looked(s, t, &later, err));
    if (later) return wait_again(s, t, err);
    t->looked.truncates = t->truncates; /* what came by now was seen */
    tain_pg_beside_copy(&t->settled, &t->looked);
    return tain_pg_tell(s, t, false, t->due_reason, err);
}

/* A stream that begins again before the load does not find it out once more. */
static tain_status reload(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_beside_copy(&t->settled, &t->looked);
    return tain_pg_request_reload(s, t, t->due_reason, err);
}

/* The stream may have told it by then. */
static bool is_outdone(const tain_pg_table *t, const tain_pg_due_leaf *leaf)
{
    const tain_pg_watched *w = tain_pg_beside_leaf(&t->settled, leaf->oid);
    return leaf->unless_truncated ? t->truncates >= leaf->unless_truncated : w && w->filenode;
}

/* One that is gone again: *ret has no bounds, so that all is read. */
static size_t list_due(const tain_pg_table *t, tain_pg_watched *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < t->due_leaf_count; i++) {
        const tain_pg_watched *w = tain_pg_beside_leaf(&t->looked, t->due_leaves[i].oid);
        if (!is_outdone(t, &t->due_leaves[i])) ret[n++] = w ? *w : (tain_pg_watched){.oid = t->due_leaves[i].oid};
    }
    return n;
}

static bool is_met_for_good(const tain_pg_source *s, const tain_pg_table *t)
{
    bool came = false;
    for (size_t i = 0; i < t->due_leaf_count; i++) came |= !t->due_leaves[i].unless_truncated;
    return came && s->stream->conn.version < TAIN_PG_MEETS_SINCE;
}

static tain_status reread(tain_pg_source *s, tain_pg_table *t, const tain_pg_watched *leaves, size_t n, tain_error *err)
{
    tain_pg_beside then = {0};
    tain_pg_beside_copy(&then, &t->settled);
    tain_status status = tain_pg_request_reread(s, t, leaves, n, &then, t->due_reason, err);
    tain_pg_beside_copy(&t->settled, &t->looked);
    tain_pg_beside_done(&then);
    return status;
}

static tain_status reread_due(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_pg_watched *leaves = tain_alloc((t->due_leaf_count + 1) * sizeof *leaves);
    size_t n = list_due(t, leaves);
    tain_status status;
    if (n == 0) status = settle(s, t, err);
    else if (n == t->looked.leaf_count || is_met_for_good(s, t)) status = reload(s, t, err);
    else status = reread(s, t, leaves, n, err);
    tain_free(leaves);
    return status;
}

static tain_status reload_due(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    if (t->due_leaf_count) return reread_due(s, t, err);
    bool outdone = t->due_for_leaves && tain_pg_beside_same_leaves(&t->settled, &t->looked);
    return outdone ? settle(s, t, err) : reload(s, t, err);
}

static tain_status apply_due(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    tain_sink *sink = s->stream->decoder.sink;
    int due = t->due;
    t->due = TAIN_PG_DUE_NOTHING;
    if (due == TAIN_PG_DUE_RELOAD) return reload_due(s, t, err);
    if (due != TAIN_PG_DUE_DROP) return settle(s, t, err);
    t->dropped = true;
    t->taken = false;
    return sink->dropped(sink, t->pub, err);
}

static bool is_due(const tain_pg_table *t, uint64_t end) { return t->due != TAIN_PG_DUE_NOTHING && t->due_at <= end; }

tain_status tain_pg_watch_reached(void *ctx, uint64_t end, tain_error *err)
{
    tain_pg_source *s = ctx;
    for (size_t i = 0; i < s->table_count && s->stream->due; i++) {
        if (!is_due(s->tables[i], end)) continue;
        s->stream->due--;
        TAIN_TRY(apply_due(s, s->tables[i], err));
    }
    return TAIN_OK;
}

static void count_due(tain_pg_source *s)
{
    s->stream->due = s->stream->due_until = 0;
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->due != TAIN_PG_DUE_NOTHING) add_due(s->stream, s->tables[i]);
    if (s->stream->due) tain_pg_stream_hurry(s);
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

static tain_status look(tain_pg_source *s, bool *io_any, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_fingerprint, 1, (const char *[]){s->publication}, &r, err));
    const char *now = tain_pg_get(r, 0, "fingerprint");
    if (st->fingerprint && strcmp(now, st->fingerprint) == 0) return TAIN_OK;
    TAIN_TRY(read_again(s, io_any, err));
    tain_free(st->fingerprint);
    st->fingerprint = tain_strdup(now);
    return TAIN_OK;
}

tain_status tain_pg_watch_begin(tain_pg_source *s, tain_error *err)
{
    for (size_t i = 0; i < s->table_count; i++) {
        if (s->tables[i]->due != TAIN_PG_DUE_SHAPE) s->tables[i]->due = TAIN_PG_DUE_NOTHING; /* that waits for where it was first seen */
        tain_pg_beside_copy(&s->tables[i]->looked, &s->tables[i]->settled);
    }
    tain_status status = compare_all(s, err);
    count_due(s);
    return status;
}

/* The catalog being busy or away for a moment is no trouble of the stream. */
static tain_status look_patiently(tain_pg_source *s, bool *io_any, tain_error *err)
{
    tain_time began = tain_monotonic();
    tain_status status = look(s, io_any, err);
    tain_time cost = (tain_monotonic() - began) * COST_FACTOR;
    s->stream->next_look = began + (cost > LOOK_EVERY ? cost : LOOK_EVERY);
    return tain_status_policy(status) == TAIN_POLICY_RETRY ? TAIN_OK : status;
}

tain_status tain_pg_watch(tain_pg_source *s, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    bool any = false;
    TAIN_TRY(look_patiently(s, &any, err));
    count_due(s);
    size_t due = st->due;
    TAIN_TRY(tain_pg_watch_reached(s, st->decoder.position, err));
    if (!any && due == st->due) return TAIN_OK;
    tain_position position;
    tain_pg_position(st->decoder.position, &position);
    return st->decoder.sink->commit(st->decoder.sink, &position, tain_now(), err);
}
