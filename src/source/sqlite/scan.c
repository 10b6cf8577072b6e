/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/shape.h"
#include "source/sqlite/slices.h"

enum { LOOK_EVERY = 64 /* rows: at the clock */ };

char *tain_sqlite_cut_column(const tain_sqlite_shape *s)
{
    TAIN_BUFFER out = {0};
    if (s->rowid) {
        tain_sqlite_put_name(&out, s->rowid);
    } else if (s->without_rowid && (s->columns[s->key[0]].seen & TAIN_SEEN_CLASSES) == TAIN_SEEN_INTEGER) {
        tain_sqlite_put_name(&out, s->columns[s->key[0]].name);
    }
    return out.size ? tain_strdup(tain_buffer_cstr(&out)) : NULL;
}

/* Long blobs are not read, only that they are: SQLite answers typeof() without following their overflow pages. */
static void put_value(tain_buffer *sql, const tain_sqlite_shape *s, size_t column)
{
    const tain_sqlite_column *c = &s->columns[column];
    bool blobs = *c->declared && tain_sqlite_affinity_of(c->declared, s->strict) == TAIN_AFFINITY_NONE;
    if (blobs) {
        tain_buffer_append_str(sql, "CASE typeof(");
        tain_sqlite_put_name(sql, c->name);
        tain_buffer_append_str(sql, ") WHEN 'blob' THEN x'' ELSE ");
    }
    tain_sqlite_put_name(sql, c->name);
    if (blobs) tain_buffer_append_str(sql, " END");
}

bool tain_sqlite_has_order(const tain_sqlite_shape *s)
{
    bool alike = s->rowid || !s->odd_collations;
    for (size_t i = 0; i < s->index_count && !s->rowid; i++) {
        const tain_sqlite_index *x = &s->indexes[i];
        for (size_t k = 1; x->primary && k < x->count; k++) alike &= x->terms[k].descending == x->terms[0].descending;
    }
    return alike;
}

/* What says where a row is: the rowid, or the primary key. */
static void put_place(tain_buffer *sql, const tain_sqlite_shape *s)
{
    for (size_t i = 0; i < s->key_count && !s->rowid; i++) {
        if (i) tain_buffer_append_str(sql, ",");
        tain_sqlite_put_name(sql, s->columns[s->key[i]].name);
    }
    if (s->rowid) tain_sqlite_put_name(sql, s->rowid);
}

static size_t place_width(const tain_sqlite_shape *s)
{
    return s->rowid ? 1 : s->key_count;
}

/* The column to cut along, all columns, the place. in_order: of places; behind: one. */
static char *scan_sql(const tain_sqlite_shape *s, bool in_order, bool behind)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    if (s->rowid) tain_sqlite_put_name(&sql, s->rowid);
    else if (s->without_rowid) tain_sqlite_put_name(&sql, s->columns[s->key[0]].name);
    else tain_buffer_append_str(&sql, "NULL");
    for (size_t i = 0; i < s->count; i++) {
        tain_buffer_append_str(&sql, ", ");
        put_value(&sql, s, i);
    }
    if (in_order) tain_buffer_append_str(&sql, ",");
    if (in_order) put_place(&sql, s);
    tain_buffer_append_str(&sql, " FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " NOT INDEXED");
    if (behind) {
        tain_buffer_append_str(&sql, " WHERE (");
        put_place(&sql, s);
        tain_buffer_append_str(&sql, ")>(");
        for (size_t i = 1; i <= place_width(s); i++) tain_buffer_printf(&sql, "%s?%zu", i > 1 ? "," : "", i);
        tain_buffer_append_str(&sql, ")");
    }
    if (in_order) tain_buffer_append_str(&sql, " ORDER BY ");
    if (in_order) put_place(&sql, s);
    return tain_buffer_cstr(&sql);
}

static void mark(tain_sqlite_marks *m, int64_t at)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 64;
        m->at = tain_realloc(m->at, m->capacity * sizeof *m->at);
    }
    m->at[m->count++] = at;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_sorted(const tain_sqlite_marks *m)
{
    for (size_t i = 1; i < m->count; i++)
        if (m->at[i - 1] > m->at[i]) return false;
    return true;
}

/* A key column may be declared DESC, and repeat. */
static void tidy(tain_sqlite_marks *m)
{
    size_t kept = 0;
    if (!is_sorted(m)) qsort(m->at, m->count, sizeof *m->at, ascending);
    for (size_t i = 0; i < m->count; i++)
        if (kept == 0 || m->at[kept - 1] != m->at[i]) m->at[kept++] = m->at[i];
    m->count = kept;
}

static void see_row(tain_sqlite_shape *s, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < s->count; i++) {
        tain_sqlite_value v = tain_sqlite_value_at(stmt, (int)i + 1);
        s->columns[i].seen |= tain_sqlite_shape_seen(s, i, &v, true);
        s->bytes += v.size ? (int64_t)v.size : 8;
    }
}

typedef struct scanning {
    tain_sqlite_conn   *conn;
    tain_sqlite_shape  *s;
    tain_sqlite_marks  *marks;
    tain_sqlite_slices *slices;
    bool                in_order;
    sqlite3_stmt       *stmt, *rest;
} scanning;

/* *ret_more: the slice is over, the statement shows the last row that was looked at. */
static tain_status scan_rows(scanning *g, bool *ret_more, tain_error *err)
{
    for (bool row;;) {
        TAIN_TRY(tain_sqlite_step(g->conn, g->stmt, &row, err));
        *ret_more = row;
        if (!row) return TAIN_OK;
        if (g->marks && g->s->rows % TAIN_SQLITE_MARK_ROWS == 0) mark(g->marks, sqlite3_column_int64(g->stmt, 0));
        see_row(g->s, g->stmt);
        if (++g->s->rows % LOOK_EVERY == 0 && g->in_order && tain_sqlite_slice_over(g->slices)) return TAIN_OK;
    }
}

static tain_status make_scan(scanning *g, bool behind, sqlite3_stmt **ret, tain_error *err)
{
    char *sql = scan_sql(g->s, g->in_order, behind);
    tain_status st = tain_sqlite_prepare(g->conn, sql, ret, err);
    free(sql);
    return st;
}

/* From now on behind the row at hand. */
static tain_status turn_page(scanning *g, tain_error *err)
{
    if (!g->rest) TAIN_TRY(make_scan(g, true, &g->rest, err));
    size_t n = place_width(g->s);
    sqlite3_value **at = tain_alloc(n * sizeof(sqlite3_value *));
    for (size_t i = 0; i < n; i++) at[i] = sqlite3_value_dup(sqlite3_column_value(g->stmt, (int)(1 + g->s->count + i)));
    sqlite3_reset(g->stmt);
    for (size_t i = 0; i < n; i++) {
        sqlite3_bind_value(g->rest, (int)i + 1, at[i]);
        sqlite3_value_free(at[i]);
    }
    free(at);
    if (g->stmt == g->rest) return TAIN_OK;
    sqlite3_finalize(g->stmt);
    g->stmt = g->rest;
    return TAIN_OK;
}

static tain_status scan_slices(scanning *g, bool *ret_same, tain_error *err)
{
    for (bool more = true; more;) {
        TAIN_TRY(tain_sqlite_slice_begin(g->slices, ret_same, err));
        if (!*ret_same) return TAIN_OK;
        tain_status st = g->stmt ? TAIN_OK : make_scan(g, false, &g->stmt, err); /* a table may be gone before */
        if (st == TAIN_OK) st = scan_rows(g, &more, err);
        if (st == TAIN_OK && more) st = turn_page(g, err);
        if (st == TAIN_OK) st = tain_sqlite_slice_end(g->slices, err);
        tain_sqlite_rollback(g->conn);
        TAIN_TRY(st);
    }
    return TAIN_OK;
}

static tain_status scan(scanning *g, bool *ret_same, tain_error *err)
{
    bool more;
    g->s->rows = g->s->bytes = 0;
    if (g->slices) return scan_slices(g, ret_same, err);
    TAIN_TRY(make_scan(g, false, &g->stmt, err));
    return scan_rows(g, &more, err);
}

tain_status tain_sqlite_scan(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_marks *marks, tain_sqlite_slices *slices, bool *ret_same, tain_error *err)
{
    scanning g = {.conn = c, .s = s, .marks = marks, .slices = slices, .in_order = slices && tain_sqlite_has_order(s)};
    if (marks) marks->count = 0;
    tain_status st = scan(&g, ret_same, err);
    if (g.rest != g.stmt) sqlite3_finalize(g.rest);
    sqlite3_finalize(g.stmt);
    if (marks) tidy(marks);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", s->name);
    tain_sqlite_shape_settle(s);
    return st;
}
