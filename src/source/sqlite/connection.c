/* SPDX-License-Identifier: MIT */
#include "source/sqlite/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CANCEL_EVERY = 20000 /* virtual machine steps */ };
#define PAUSE_MOST 20000 /* microseconds */

static bool is_cancelled(const tain_sqlite_conn *c)
{
    return c->cancelled && atomic_load_explicit(c->cancelled, memory_order_relaxed);
}

/* --- errors -------------------------------------------------------------------------------------------------------- */

static tain_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return TAIN_E_BUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return TAIN_E_PERMISSION;
    case SQLITE_FULL: return TAIN_E_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return TAIN_E_CORRUPT;
    case SQLITE_INTERRUPT: return TAIN_E_CANCELLED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return TAIN_E_IO;
    default: return TAIN_E_INTERNAL;
    }
}

static const char *remedy_of(tain_status st)
{
    switch (st) {
    case TAIN_E_BUSY: return "another connection keeps the file locked: let it finish, or end it";
    case TAIN_E_PERMISSION: return "make the file and its folder writable for tain, or use --capture=poll, which needs to read only";
    case TAIN_E_CORRUPT: return "check the file with: sqlite3 FILE 'PRAGMA integrity_check'";
    default: return NULL;
    }
}

tain_status tain_sqlite_fail(const tain_sqlite_conn *c, tain_error *err)
{
    tain_status st = status_of(sqlite3_errcode(c->db));
    const char *remedy = remedy_of(st);
    st = st == TAIN_E_CANCELLED ? tain_fail(err, st, "%s: cancelled", c->path) : tain_fail(err, st, "%s: %s", c->path, sqlite3_errmsg(c->db));
    if (remedy) tain_error_remedy(err, "%s", remedy);
    return st;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static int busy(void *ctx, int times)
{
    tain_sqlite_conn *c = ctx;
    tain_time now = tain_monotonic();
    if (times == 0) c->busy_since = now;
    if (is_cancelled(c) || now - c->busy_since >= c->patience) return 0;
    usleep(times < 5 ? 1000u << times : PAUSE_MOST);
    return 1;
}

static int progress(void *ctx)
{
    const tain_sqlite_conn *c = ctx;
    if (c->beat) tain_beat_turn(c->beat);
    return is_cancelled(c);
}

static tain_status cannot_open(const char *path, int code, int sys, tain_error *err)
{
    errno = sys;
    if ((code & 0xff) == SQLITE_CANTOPEN && sys) return tain_fail_errno(err, "cannot open %s", path);
    return tain_fail(err, status_of(code), "cannot open %s: %s", path, sqlite3_errstr(code));
}

/* Reading wants to write where readers of a WAL share a file, and where a killed writer left something to undo. */
static tain_status cannot_share(const tain_sqlite_conn *c, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "%s is in WAL mode, or its last writer was killed: SQLite cannot read it without writing beside it", c->path);
    tain_error_remedy(err, "make its folder writable for tain, or mirror a copy of it");
    return st;
}

/* Opening reads nothing: a file that is no database shows at the first statement. */
static tain_status look(tain_sqlite_conn *c, tain_error *err)
{
    if (sqlite3_exec(c->db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL) == SQLITE_OK) return TAIN_OK;
    if (sqlite3_errcode(c->db) == SQLITE_NOTADB) return tain_fail(err, TAIN_E_INVALID, "%s is not an SQLite database", c->path);
    return (sqlite3_errcode(c->db) & 0xff) == SQLITE_READONLY ? cannot_share(c, err) : tain_sqlite_fail(c, err);
}

tain_status tain_sqlite_connect(tain_sqlite_conn *c, const char *path, tain_sqlite_use use, atomic_bool *cancelled, tain_time patience,
                                tain_error *err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (use == TAIN_SQLITE_CREATE ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(path, &db, flags, NULL);
    if (code != SQLITE_OK) {
        int sys = db ? sqlite3_system_errno(db) : 0;
        sqlite3_close(db);
        return cannot_open(path, code, sys, err);
    }
    *c = (tain_sqlite_conn){.db = db, .path = tain_strdup(path), .cancelled = cancelled, .patience = patience};
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_handler(db, busy, c);
    sqlite3_progress_handler(db, CANCEL_EVERY, progress, c);
    tain_status st = look(c, err);
    if (st == TAIN_OK && use == TAIN_SQLITE_READ) st = tain_sqlite_run(c, "PRAGMA query_only = 1", err);
    if (st != TAIN_OK) tain_sqlite_disconnect(c);
    return st;
}

void tain_sqlite_disconnect(tain_sqlite_conn *c)
{
    sqlite3_close_v2(c->db);
    free(c->path);
    *c = (tain_sqlite_conn){0};
}

/* --- statements ---------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_run(tain_sqlite_conn *c, const char *sql, tain_error *err)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? TAIN_OK : tain_sqlite_fail(c, err);
}

tain_status tain_sqlite_runf(tain_sqlite_conn *c, tain_error *err, const char *format, ...)
{
    char   *sql = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&sql, format, args);
    va_end(args);
    if (n < 0) abort();
    tain_status st = tain_sqlite_run(c, sql, err);
    free(sql);
    return st;
}

tain_status tain_sqlite_prepare(tain_sqlite_conn *c, const char *sql, sqlite3_stmt **ret, tain_error *err)
{
    return sqlite3_prepare_v3(c->db, sql, -1, 0, ret, NULL) == SQLITE_OK ? TAIN_OK : tain_sqlite_fail(c, err);
}

tain_status tain_sqlite_step(tain_sqlite_conn *c, sqlite3_stmt *stmt, bool *ret_row, tain_error *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *ret_row = true;
        return TAIN_OK;
    }
    tain_status st = code == SQLITE_DONE ? TAIN_OK : tain_sqlite_fail(c, err);
    sqlite3_reset(stmt);
    *ret_row = false;
    return st;
}

tain_status tain_sqlite_number(tain_sqlite_conn *c, const char *sql, int64_t otherwise, int64_t *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(tain_sqlite_prepare(c, sql, &stmt, err));
    TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
    *ret = row && sqlite3_column_type(stmt, 0) != SQLITE_NULL ? sqlite3_column_int64(stmt, 0) : otherwise;
    return TAIN_OK;
}

bool tain_sqlite_in_transaction(const tain_sqlite_conn *c)
{
    return c->db && !sqlite3_get_autocommit(c->db);
}

void tain_sqlite_rollback(tain_sqlite_conn *c)
{
    if (tain_sqlite_in_transaction(c)) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static void put_quoted(tain_buffer *out, const char *text, char quote)
{
    tain_buffer_append_u8(out, (uint8_t)quote);
    for (; *text; text++) {
        if (*text == quote) tain_buffer_append_u8(out, (uint8_t)quote);
        tain_buffer_append_u8(out, (uint8_t)*text);
    }
    tain_buffer_append_u8(out, (uint8_t)quote);
}

void tain_sqlite_put_name(tain_buffer *out, const char *name)
{
    put_quoted(out, name, '"');
}

void tain_sqlite_put_text(tain_buffer *out, const char *text)
{
    put_quoted(out, text, '\'');
}
