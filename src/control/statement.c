/* SPDX-License-Identifier: MIT */
#include "control/statement.h"

#include <assert.h>
#include <stdlib.h>

/* --- errors -------------------------------------------------------------------------------------------------------- */

static tain_status status_of_constraint(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY: return TAIN_E_EXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return TAIN_E_NOT_FOUND;
    default: return TAIN_E_INVALID;
    }
}

static tain_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return status_of_constraint(code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return TAIN_E_BUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return TAIN_E_PERMISSION;
    case SQLITE_FULL: return TAIN_E_FULL;
    case SQLITE_CORRUPT: return TAIN_E_CORRUPT;
    case SQLITE_NOTADB: return TAIN_E_INVALID;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return TAIN_E_IO;
    default: return TAIN_E_INTERNAL;
    }
}

tain_status tain_sql_fail(tain_control *c, tain_error *err)
{
    tain_status st = status_of(sqlite3_extended_errcode(c->db));
    st = tain_fail(err, st, "%s: %s", c->file, sqlite3_errmsg(c->db));
    if (st == TAIN_E_CORRUPT) tain_error_remedy(err, "check it with: sqlite3 %s 'PRAGMA integrity_check', and restore it from a backup", c->file);
    return st;
}

tain_status tain_sql_unknown(const char *what, const char *name, tain_error *err)
{
    return tain_fail(err, TAIN_E_NOT_FOUND, "no %s '%s'", what, name ? name : "");
}

/* --- statements ---------------------------------------------------------------------------------------------------- */

tain_status tain_sql_script(tain_control *c, const char *sql, tain_error *err)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? TAIN_OK : tain_sql_fail(c, err);
}

static tain_status prepare(tain_control *c, const char *sql, sqlite3_stmt **ret, tain_error *err)
{
    for (size_t i = 0; i < c->cached; i++) {
        if (c->cache[i].sql != sql) continue;
        *ret = c->cache[i].statement;
        sqlite3_reset(*ret);
        sqlite3_clear_bindings(*ret);
        return TAIN_OK;
    }
    assert(c->cached < sizeof c->cache / sizeof c->cache[0]);
    if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK) return tain_sql_fail(c, err);
    c->cache[c->cached++] = (tain_sql_cached){sql, *ret};
    return TAIN_OK;
}

static int bind(sqlite3_stmt *s, int at, const tain_sql_value *v)
{
    if (v->type == SQLITE_INTEGER) return sqlite3_bind_int64(s, at, v->number);
    if (!v->data) return sqlite3_bind_null(s, at);
    if (v->type == SQLITE_BLOB) return sqlite3_bind_blob64(s, at, v->data, v->size, SQLITE_STATIC);
    return sqlite3_bind_text64(s, at, v->data, v->size, SQLITE_STATIC, SQLITE_UTF8);
}

static tain_status bind_from(tain_control *c, sqlite3_stmt *s, int first, const tain_sql_value *values, size_t n, tain_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (bind(s, first + (int)i, &values[i]) != SQLITE_OK) return tain_sql_fail(c, err);
    return TAIN_OK;
}

tain_status tain_sql_query(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, sqlite3_stmt **ret, tain_error *err)
{
    TAIN_TRY(prepare(c, sql, ret, err));
    return bind_from(c, *ret, 1, values, n, err);
}

tain_status tain_sql_row(tain_control *c, sqlite3_stmt *s, bool *ret_row, tain_error *err)
{
    int code = sqlite3_step(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return tain_sql_fail(c, err);
    *ret_row = code == SQLITE_ROW;
    return TAIN_OK;
}

tain_status tain_sql_run(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, int *ret_changed, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row = true;
    TAIN_TRY(tain_sql_query(c, sql, values, n, &s, err));
    while (row) TAIN_TRY(tain_sql_row(c, s, &row, err));
    if (ret_changed) *ret_changed = sqlite3_changes(c->db);
    return TAIN_OK;
}

tain_status tain_sql_run_on(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, const char *what, const char *name,
                            tain_error *err)
{
    int changed;
    TAIN_TRY(tain_sql_run(c, sql, values, n, &changed, err));
    return changed ? TAIN_OK : tain_sql_unknown(what, name, err);
}

tain_status tain_sql_number(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, int64_t *ret, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, sql, values, n, &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    *ret = row ? sqlite3_column_int64(s, 0) : 0;
    return TAIN_OK;
}

/* --- transactions -------------------------------------------------------------------------------------------------- */

/* A statement that was left in the middle of its rows would keep its read transaction, and with it the WAL. */
static void leave(tain_control *c)
{
    for (size_t i = 0; i < c->cached; i++)
        if (sqlite3_stmt_busy(c->cache[i].statement)) sqlite3_reset(c->cache[i].statement);
}

void tain_control_read(tain_control *c)
{
    pthread_mutex_lock(&c->lock);
}

tain_status tain_control_done(tain_control *c, tain_status st)
{
    leave(c);
    pthread_mutex_unlock(&c->lock);
    return st;
}

tain_status tain_control_write(tain_control *c, tain_error *err)
{
    tain_control_read(c);
    tain_status st = tain_sql_run(c, "BEGIN IMMEDIATE", NULL, 0, NULL, err);
    return st == TAIN_OK ? st : tain_control_done(c, st);
}

tain_status tain_control_written(tain_control *c, tain_status st, tain_error *err)
{
    leave(c);
    if (st == TAIN_OK) st = tain_sql_run(c, "COMMIT", NULL, 0, NULL, err);
    if (!sqlite3_get_autocommit(c->db)) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return tain_control_done(c, st);
}

tain_status tain_sql_change(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, const char *what, const char *name,
                            tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, tain_sql_run_on(c, sql, values, n, what, name, err), err);
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

char *tain_sql_column_text(sqlite3_stmt *s, int column)
{
    return tain_strdup((const char *)sqlite3_column_text(s, column));
}

void tain_sql_column_bytes(sqlite3_stmt *s, int column, tain_buffer *ret)
{
    const void *data = sqlite3_column_blob(s, column);
    tain_buffer_append(ret, data, (size_t)sqlite3_column_bytes(s, column));
}

tain_status tain_sql_one(tain_control *c, const tain_sql_kind *kind, const char *sql, const tain_sql_value *values, size_t n,
                         const char *name, void *ret, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, sql, values, n, &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    if (!row) return tain_sql_unknown(kind->what, name, err);
    memset(ret, 0, kind->size);
    kind->read(s, ret);
    return TAIN_OK;
}

tain_status tain_sql_get(tain_control *c, const tain_sql_kind *kind, const char *sql, const tain_sql_value *values, size_t n,
                         const char *name, void *ret, tain_error *err)
{
    tain_control_read(c);
    return tain_control_done(c, tain_sql_one(c, kind, sql, values, n, name, ret, err));
}

/* A page's `next` is the number of its last row. */
static tain_status page_start(const char *after, tain_sql_order order, int64_t *ret, tain_error *err)
{
    *ret = order == TAIN_SQL_OLDEST_FIRST ? 0 : INT64_MAX;
    if (!after) return TAIN_OK;
    size_t digits = strspn(after, "0123456789");
    if (digits == 0 || digits > 18 || after[digits]) return tain_fail(err, TAIN_E_INVALID, "this is no continuation token of a list");
    *ret = strtoll(after, NULL, 10);
    return TAIN_OK;
}

static size_t page_most(int most)
{
    if (most == TAIN_CONTROL_ALL) return INT32_MAX;
    return most < 1 ? 100 : most > 1000 ? 1000 : (size_t)most;
}

/* One row more than the page holds is asked for, so that the last page knows that it is. */
static tain_status gather(tain_control *c, const tain_sql_kind *kind, sqlite3_stmt *s, size_t most, tain_buffer *out, tain_sql_rows *rows,
                          tain_error *err)
{
    int64_t number = 0;
    for (bool row;; rows->count++) {
        TAIN_TRY(tain_sql_row(c, s, &row, err));
        if (row && rows->count == most) rows->next = tain_format("%lld", (long long)number);
        if (!row || rows->count == most) return TAIN_OK;
        number = sqlite3_column_int64(s, sqlite3_column_count(s) - 1);
        tain_buffer_append_zero(out, kind->size);
        kind->read(s, out->data + out->size - kind->size);
    }
}

static tain_status read_page(tain_control *c, const tain_sql_kind *kind, const char *sql, tain_sql_order order, tain_control_page page,
                             const tain_sql_value *values, size_t n, tain_sql_rows *ret, tain_error *err)
{
    sqlite3_stmt *s;
    int64_t       start;
    size_t        most = page_most(page.most);
    tain_buffer   out = {0};
    tain_sql_rows rows = {0};
    TAIN_TRY(page_start(page.after, order, &start, err));
    TAIN_TRY(tain_sql_query(c, sql, TAIN_SQL_VALUES(tain_sql_int(start), tain_sql_int((int64_t)most + 1)), &s, err));
    TAIN_TRY(bind_from(c, s, 3, values, n, err));
    tain_status st = gather(c, kind, s, most, &out, &rows, err);
    rows.rows = out.data;
    if (st == TAIN_OK) *ret = rows;
    else tain_sql_rows_done(kind, rows.rows, rows.count, rows.next);
    return st;
}

tain_status tain_sql_list(tain_control *c, const tain_sql_kind *kind, const char *sql, tain_sql_order order, tain_control_page page,
                          const tain_sql_value *values, size_t n, tain_sql_rows *ret, tain_error *err)
{
    tain_control_read(c);
    return tain_control_done(c, read_page(c, kind, sql, order, page, values, n, ret, err));
}

void tain_sql_rows_done(const tain_sql_kind *kind, void *rows, size_t count, char *next)
{
    for (size_t i = 0; i < count; i++) kind->done((char *)rows + i * kind->size);
    tain_free(rows);
    tain_free(next);
}
