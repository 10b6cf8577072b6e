/* SPDX-License-Identifier: MIT */
#include "source/sqlite/triggers.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/sqlite/index_text.h"

typedef struct writer {
    tain_buffer              out;
    const char              *prefix;
    long long                id;
    const tain_sqlite_shape *s;
} writer;

/* --- pieces -------------------------------------------------------------------------------------------------------- */

static void put(writer *w, const char *text)
{
    tain_buffer_append_str(&w->out, text);
}

static void put_table(writer *w)
{
    tain_sqlite_put_name(&w->out, w->s->name);
}

static void put_ours(writer *w, const char *what, bool numbered)
{
    tain_buffer_printf(&w->out, numbered ? "\"%s$%s$%lld\"" : "\"%s$%s\"", w->prefix, what, w->id);
}

/* who: "NEW", "OLD" or NULL */
static void put_column(writer *w, const char *who, size_t column)
{
    if (who) tain_buffer_printf(&w->out, "%s.", who);
    tain_sqlite_put_name(&w->out, w->s->columns[column].name);
}

static void put_key(writer *w, const char *who)
{
    for (size_t i = 0; i < w->s->key_count; i++) {
        put(w, ",");
        put_column(w, who, w->s->key[i]);
    }
}

static void put_row(writer *w, const char *who)
{
    for (size_t i = 0; i < w->s->count; i++) {
        put(w, ",");
        put_column(w, who, i);
    }
}

static void put_numbered(writer *w, const char *name, size_t n)
{
    for (size_t i = 1; i <= n; i++) tain_buffer_printf(&w->out, ",%s%zu", name, i);
}

static void put_changed(writer *w, size_t column)
{
    put_column(w, "OLD", column);
    put(w, " IS NOT ");
    put_column(w, "NEW", column);
    put(w, " COLLATE BINARY OR typeof(");
    put_column(w, "OLD", column);
    put(w, ")<>typeof(");
    put_column(w, "NEW", column);
    put(w, ")");
}

/* --- conflicts ----------------------------------------------------------------------------------------------------- */

/* A replaced row has the same key as the new one, unless keys that differ can be equal to the index. */
static bool is_exact_key(const tain_sqlite_shape *s, const tain_sqlite_index *x)
{
    if (!tain_sqlite_has_key(s) || x->partial || x->count != s->key_count) return false;
    for (size_t i = 0; i < x->count; i++) {
        if (x->terms[i].column < 0 || x->terms[i].column != s->key[i] || strcmp(x->terms[i].collation, "BINARY") != 0) return false;
        if (tain_sqlite_affinity_of(s->columns[s->key[i]].declared, s->strict) == TAIN_AFFINITY_NONE) return false;
    }
    return true;
}

/* A rowid that is not a column can be given all the same. */
static bool has_bare_rowid(const tain_sqlite_shape *s)
{
    return s->rowid && s->alias < 0;
}

static bool has_conflicts(const tain_sqlite_shape *s)
{
    if (has_bare_rowid(s)) return true;
    for (size_t i = 0; i < s->index_count; i++)
        if (!is_exact_key(s, &s->indexes[i])) return true;
    return false;
}

static void put_new_value(writer *w, const char *expression)
{
    put(w, "(SELECT ");
    put(w, expression);
    put(w, " FROM (SELECT 0");
    for (size_t i = 0; i < w->s->count; i++) {
        if (!tain_sqlite_mentions(expression, w->s->columns[i].name)) continue;
        put(w, ",");
        put_column(w, "NEW", i);
        put(w, " AS ");
        put_column(w, NULL, i);
    }
    put(w, "))");
}

static void put_match(writer *w, const tain_sqlite_index *x)
{
    for (size_t i = 0; i < x->count; i++) {
        const tain_sqlite_term *t = &x->terms[i];
        if (i) put(w, " AND ");
        if (t->expression) {
            tain_buffer_printf(&w->out, "(%s)=", t->expression);
            put_new_value(w, t->expression);
        } else {
            put_column(w, NULL, (size_t)t->column);
            put(w, "=");
            put_column(w, "NEW", (size_t)t->column);
            put(w, " COLLATE ");
            tain_sqlite_put_name(&w->out, t->collation);
        }
    }
    if (x->where) tain_buffer_printf(&w->out, " AND (%s)", x->where);
}

/* An update that leaves the indexed columns alone conflicts with nothing. */
static void put_if_changed(writer *w, const tain_sqlite_index *x)
{
    bool plain = !x->partial;
    for (size_t i = 0; i < x->count; i++) plain &= x->terms[i].column >= 0;
    if (!plain) return;
    put(w, " AND (");
    for (size_t i = 0; i < x->count; i++) {
        if (i) put(w, " OR ");
        put_changed(w, (size_t)x->terms[i].column);
    }
    put(w, ")");
}

/* What tells a row from all others inside the file: the rowid, or the primary key. */
static const tain_sqlite_index *identity(const tain_sqlite_shape *s)
{
    for (size_t i = 0; i < s->index_count; i++)
        if (s->indexes[i].primary) return &s->indexes[i];
    return NULL;
}

/* "row `a` is row `b`"; a, b: how to say the table, or NULL: the candidates, whose columns are numbered */
static void put_side(writer *w, const char *who, size_t column)
{
    if (who) {
        put_column(w, who, column);
    } else {
        put_ours(w, "cand", true);
        tain_buffer_printf(&w->out, ".c%zu", column + 1);
    }
}

static void put_same(writer *w, const char *a, const char *b)
{
    if (w->s->rowid) {
        if (a) tain_buffer_printf(&w->out, "%s.\"%s\"", a, w->s->rowid);
        else put_ours(w, "cand", true), put(w, ".rid");
        tain_buffer_printf(&w->out, "=%s.\"%s\"", b, w->s->rowid);
        return;
    }
    const tain_sqlite_index *x = identity(w->s);
    for (size_t i = 0; i < x->count; i++) {
        if (i) put(w, " AND ");
        put_side(w, a, (size_t)x->terms[i].column);
        put(w, "=");
        put_side(w, b, (size_t)x->terms[i].column);
        put(w, " COLLATE ");
        tain_sqlite_put_name(&w->out, x->terms[i].collation);
    }
}

/* --- tables with a key ---------------------------------------------------------------------------------------------- */

static void put_log_head(writer *w, size_t keys)
{
    put(w, "INSERT INTO ");
    put_ours(w, "log", false);
    put(w, "(tbl,at");
    put_numbered(w, "k", keys);
    put(w, ") ");
}

static void log_key(writer *w, const char *who)
{
    put_log_head(w, w->s->key_count);
    tain_buffer_printf(&w->out, "VALUES(%lld,julianday('now')", w->id);
    put_key(w, who);
    put(w, ");\n");
}

static void log_old_key_if_changed(writer *w)
{
    put_log_head(w, w->s->key_count);
    tain_buffer_printf(&w->out, "SELECT %lld,julianday('now')", w->id);
    put_key(w, "OLD");
    put(w, " WHERE ");
    for (size_t i = 0; i < w->s->key_count; i++) {
        if (i) put(w, " OR ");
        put_changed(w, w->s->key[i]);
    }
    put(w, ";\n");
}

static void put_from(writer *w)
{
    put(w, " FROM ");
    put_table(w);
    put(w, " AS __tain_t WHERE ");
}

static void put_rowid_match(writer *w, bool update)
{
    put_same(w, "__tain_t", "NEW");
    if (update) tain_buffer_printf(&w->out, " AND NEW.\"%s\"<>OLD.\"%s\"", w->s->rowid, w->s->rowid);
}

static void log_conflicts(writer *w, bool update)
{
    for (size_t i = 0; i < w->s->index_count; i++) {
        const tain_sqlite_index *x = &w->s->indexes[i];
        if (is_exact_key(w->s, x)) continue;
        put_log_head(w, w->s->key_count);
        tain_buffer_printf(&w->out, "SELECT %lld,julianday('now')", w->id);
        put_key(w, NULL);
        put_from(w);
        put_match(w, x);
        if (update) put_if_changed(w, x);
        put(w, ";\n");
    }
    if (!has_bare_rowid(w->s)) return;
    put_log_head(w, w->s->key_count);
    tain_buffer_printf(&w->out, "SELECT %lld,julianday('now')", w->id);
    put_key(w, NULL);
    put_from(w);
    put_rowid_match(w, update);
    put(w, ";\n");
}

/* --- tables without ------------------------------------------------------------------------------------------------- */

/* Where the row is, if that can be told. */
static void log_place(writer *w, const char *who)
{
    put_log_head(w, w->s->rowid ? 1 : 0);
    tain_buffer_printf(&w->out, "VALUES(%lld,julianday('now')", w->id);
    if (w->s->rowid) tain_buffer_printf(&w->out, ",%s.\"%s\"", who, w->s->rowid);
    put(w, ");\n");
}

static void log_old_place_if_changed(writer *w)
{
    if (!w->s->rowid) return;
    put_log_head(w, 1);
    tain_buffer_printf(&w->out, "SELECT %lld,julianday('now'),OLD.\"%s\" WHERE OLD.\"%s\"<>NEW.\"%s\";\n", w->id, w->s->rowid, w->s->rowid, w->s->rowid);
}

static void put_rows_head(writer *w)
{
    put(w, "INSERT INTO ");
    put_ours(w, "rows", true);
    put(w, "(seq,op");
    put_numbered(w, "c", w->s->count);
    put(w, ") SELECT (SELECT max(seq) FROM ");
    put_ours(w, "log", false);
    put(w, ")");
}

static void log_row(writer *w, const char *who, int op)
{
    put_rows_head(w);
    tain_buffer_printf(&w->out, ",%d", op);
    put_row(w, who);
    put(w, ";\n");
}

static void forget_candidates(writer *w)
{
    put(w, "DELETE FROM ");
    put_ours(w, "cand", true);
    put(w, ";\n");
}

/* One row may conflict in several indexes. */
static void put_candidate_head(writer *w)
{
    put(w, "INSERT INTO ");
    put_ours(w, "cand", true);
    put(w, w->s->rowid ? "(rid" : "(id");
    put_numbered(w, "c", w->s->count);
    if (w->s->rowid) tain_buffer_printf(&w->out, ") SELECT \"%s\"", w->s->rowid);
    else put(w, ") SELECT NULL");
    put_row(w, NULL);
    put_from(w);
    put(w, "NOT EXISTS(SELECT 1 FROM ");
    put_ours(w, "cand", true);
    put(w, " WHERE ");
    put_same(w, NULL, "__tain_t");
    put(w, ") AND ");
}

static void gather_candidates(writer *w, bool update)
{
    forget_candidates(w);
    for (size_t i = 0; i < w->s->index_count; i++) {
        put_candidate_head(w);
        put_match(w, &w->s->indexes[i]);
        if (update) {
            put_if_changed(w, &w->s->indexes[i]);
            put(w, " AND NOT(");
            put_same(w, "__tain_t", "OLD");
            put(w, ")");
        }
        put(w, ";\n");
    }
    if (!has_bare_rowid(w->s)) return;
    put_candidate_head(w);
    put_rowid_match(w, update);
    put(w, ";\n");
}

static void put_replaced(writer *w)
{
    put(w, " FROM ");
    put_ours(w, "cand", true);
    put(w, " WHERE ");
    put_same(w, NULL, "NEW");
    put(w, " OR NOT EXISTS(SELECT 1 FROM ");
    put_table(w);
    put(w, " AS __tain_t WHERE ");
    put_same(w, NULL, "__tain_t");
    put(w, ");\n");
}

static void log_replaced(writer *w)
{
    if (w->s->rowid) {
        put_log_head(w, 1);
        tain_buffer_printf(&w->out, "SELECT %lld,julianday('now'),rid", w->id);
        put_replaced(w);
    }
    put_rows_head(w);
    put(w, ",0");
    put_numbered(w, "c", w->s->count);
    put_replaced(w);
    forget_candidates(w);
}

/* With recursive_triggers on, a replaced row fires this trigger as well. */
static void forget_deleted_candidate(writer *w)
{
    put(w, "DELETE FROM ");
    put_ours(w, "cand", true);
    put(w, " WHERE ");
    put_same(w, NULL, "OLD");
    put(w, ";\n");
}

/* --- triggers ------------------------------------------------------------------------------------------------------ */

typedef enum event { ON_INSERT, ON_UPDATE, ON_DELETE, BEFORE_INSERT, BEFORE_UPDATE } event;

static void put_keyed(writer *w, event e)
{
    switch (e) {
    case ON_INSERT: log_key(w, "NEW"); break;
    case ON_UPDATE:
        log_old_key_if_changed(w);
        log_key(w, "NEW");
        break;
    case ON_DELETE: log_key(w, "OLD"); break;
    default: log_conflicts(w, e == BEFORE_UPDATE);
    }
}

static void put_keyless(writer *w, event e)
{
    if (e == BEFORE_INSERT || e == BEFORE_UPDATE) {
        gather_candidates(w, e == BEFORE_UPDATE);
        return;
    }
    bool conflicts = has_conflicts(w->s);
    log_place(w, e == ON_DELETE ? "OLD" : "NEW");
    if (e == ON_UPDATE) log_old_place_if_changed(w);
    if (conflicts && e == ON_DELETE) forget_deleted_candidate(w);
    if (conflicts && e != ON_DELETE) log_replaced(w);
    if (e != ON_INSERT) log_row(w, "OLD", 0);
    if (e != ON_DELETE) log_row(w, "NEW", 1);
}

static tain_sqlite_trigger make(const char *prefix, int64_t id, const tain_sqlite_shape *s, event e)
{
    static const struct { const char *suffix, *when; } events[] = {
        [ON_INSERT] = {"insert", "AFTER INSERT"}, [ON_UPDATE] = {"update", "AFTER UPDATE"}, [ON_DELETE] = {"delete", "AFTER DELETE"},
        [BEFORE_INSERT] = {"may_insert", "BEFORE INSERT"}, [BEFORE_UPDATE] = {"may_update", "BEFORE UPDATE"}};
    writer w = {.prefix = prefix, .id = id, .s = s};
    char *name = tain_format("%s$%lld$%s", prefix, (long long)id, events[e].suffix);
    put(&w, "CREATE TRIGGER ");
    tain_sqlite_put_name(&w.out, name);
    tain_buffer_printf(&w.out, " %s ON ", events[e].when);
    put_table(&w);
    put(&w, " BEGIN\n");
    if (tain_sqlite_has_key(s)) put_keyed(&w, e);
    else put_keyless(&w, e);
    put(&w, "END");
    return (tain_sqlite_trigger){.name = name, .sql = tain_buffer_cstr(&w.out), .conflicts = e >= BEFORE_INSERT};
}

size_t tain_sqlite_triggers(const char *prefix, int64_t id, const tain_sqlite_shape *s, tain_sqlite_trigger out[TAIN_SQLITE_TRIGGERS_MOST])
{
    size_t n = has_conflicts(s) ? 5 : 3;
    for (size_t i = 0; i < n; i++) out[i] = make(prefix, id, s, (event)i);
    return n;
}

void tain_sqlite_triggers_done(tain_sqlite_trigger *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(t[i].name);
        free(t[i].sql);
    }
}

char *tain_sqlite_rows_table(const char *prefix, int64_t id, const tain_sqlite_shape *s, char **ret_candidates)
{
    writer rows = {.prefix = prefix, .id = id, .s = s}, candidates = rows;
    put(&rows, "CREATE TABLE ");
    put_ours(&rows, "rows", true);
    put(&rows, "(n INTEGER PRIMARY KEY,seq,op");
    put_numbered(&rows, "c", s->count);
    put(&rows, ")");
    put(&candidates, "CREATE TABLE ");
    put_ours(&candidates, "cand", true);
    put(&candidates, s->rowid ? "(rid INTEGER PRIMARY KEY" : "(id INTEGER PRIMARY KEY");
    put_numbered(&candidates, "c", s->count);
    put(&candidates, ")");
    *ret_candidates = has_conflicts(s) ? tain_buffer_cstr(&candidates.out) : NULL;
    if (!*ret_candidates) tain_buffer_done(&candidates.out);
    return tain_buffer_cstr(&rows.out);
}
