/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/shape.h"

static bool in_key(const tain_sqlite_shape *s, size_t column)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (s->key[i] == column) return true;
    return false;
}

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

/* Long values are not read: SQLite answers typeof() without following their overflow pages. */
static bool by_class_only(const tain_sqlite_shape *s, size_t column)
{
    if (in_key(s, column)) return false;
    tain_sqlite_affinity a = tain_sqlite_affinity_of(s->columns[column].declared, s->strict);
    return a == TAIN_AFFINITY_TEXT || (a == TAIN_AFFINITY_NONE && s->columns[column].declared[0]);
}

static char *scan_sql(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    if (s->rowid) tain_sqlite_put_name(&sql, s->rowid);
    else if (s->without_rowid) tain_sqlite_put_name(&sql, s->columns[s->key[0]].name);
    else tain_buffer_append_str(&sql, "NULL");
    for (size_t i = 0; i < s->count; i++) {
        bool class_only = by_class_only(s, i);
        tain_buffer_append_str(&sql, class_only ? ", typeof(" : ", ");
        tain_sqlite_put_name(&sql, s->columns[i].name);
        if (class_only) tain_buffer_append_str(&sql, ")");
    }
    tain_buffer_append_str(&sql, " FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " NOT INDEXED");
    return tain_buffer_cstr(&sql);
}

static unsigned seen_of_class(const char *name)
{
    switch (*name) {
    case 'i': return TAIN_SEEN_INTEGER;
    case 'r': return TAIN_SEEN_REAL;
    case 't': return TAIN_SEEN_TEXT;
    case 'b': return TAIN_SEEN_BLOB;
    default: return TAIN_SEEN_NULL;
    }
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

typedef struct watched { bool class_only, key; } watched;

static void see_row(tain_sqlite_shape *s, const watched *w, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < s->count; i++) {
        unsigned *seen = &s->columns[i].seen;
        if (w[i].class_only) {
            const char *name = (const char *)sqlite3_column_text(stmt, (int)i + 1);
            *seen |= name ? seen_of_class(name) : 0;
            s->bytes += 16;
        } else {
            tain_sqlite_value v = tain_sqlite_value_at(stmt, (int)i + 1);
            *seen |= tain_sqlite_seen(&v, w[i].key);
            s->bytes += v.size ? (int64_t)v.size : 8;
        }
    }
}

static tain_status scan(tain_sqlite_conn *c, tain_sqlite_shape *s, const watched *w, tain_sqlite_marks *marks, tain_error *err)
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
        see_row(s, w, stmt);
    }
}

tain_status tain_sqlite_scan(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_marks *marks, tain_error *err)
{
    watched *w = tain_alloc((s->count + 1) * sizeof *w);
    for (size_t i = 0; i < s->count; i++) w[i] = (watched){by_class_only(s, i), in_key(s, i)};
    if (marks) marks->count = 0;
    tain_status st = scan(c, s, w, marks, err);
    free(w);
    if (marks) tidy(marks);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", s->name);
    tain_sqlite_shape_settle(s);
    return st;
}
