/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/shape.h"

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

static char *scan_sql(const tain_sqlite_shape *s)
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
    tain_buffer_append_str(&sql, " FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " NOT INDEXED");
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

static tain_status scan(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_marks *marks, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    char *sql = scan_sql(s);
    tain_status st = tain_sqlite_prepare(c, sql, &stmt, err);
    free(sql);
    TAIN_TRY(st);
    s->rows = s->bytes = 0;
    for (bool row;; s->rows++) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        if (marks && s->rows % TAIN_SQLITE_MARK_ROWS == 0) mark(marks, sqlite3_column_int64(stmt, 0));
        see_row(s, stmt);
    }
}

tain_status tain_sqlite_scan(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_marks *marks, tain_error *err)
{
    if (marks) marks->count = 0;
    tain_status st = scan(c, s, marks, err);
    if (marks) tidy(marks);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", s->name);
    tain_sqlite_shape_settle(s);
    return st;
}
