/* SPDX-License-Identifier: MIT */
/* connection.h -- one SQLite connection: patience with other writers, cancellation, errors as ours.
 *
 * A locked database is tried again for `patience`; then the call fails with BUSY. A raised *cancelled stops a running
 * statement with CANCELLED. The file is never opened by any other means than SQLite: a descriptor of our own on it, once
 * closed, would drop the locks that this process holds on it. Thread: one at a time. */
#ifndef TAIN_SOURCE_SQLITE_CONNECTION_H
#define TAIN_SOURCE_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/beat.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"

#define TAIN_SQLITE_READ_PATIENCE  (10 * TAIN_SECOND)
#define TAIN_SQLITE_WRITE_PATIENCE (30 * TAIN_SECOND)

typedef struct tain_sqlite_conn {
    sqlite3     *db;        /* NULL: not connected */
    char        *path;
    atomic_bool *cancelled; /* borrowed; NULL: cannot be cancelled */
    tain_beat   *beat;      /* borrowed; turns while statements run; NULL: nobody looks */
    tain_time    patience;
    tain_time    busy_since;
} tain_sqlite_conn;

typedef enum tain_sqlite_use {
    TAIN_SQLITE_READ,   /* never writes content; the file may be write-protected */
    TAIN_SQLITE_WRITE,
    TAIN_SQLITE_CREATE, /* a file of our own */
} tain_sqlite_use;

tain_status tain_sqlite_connect(tain_sqlite_conn *c, const char *path, tain_sqlite_use use, atomic_bool *cancelled, tain_time patience,
                                tain_error *err);
void        tain_sqlite_disconnect(tain_sqlite_conn *c); /* also when not connected */

/* Fills err from the connection's last error. */
tain_status tain_sqlite_fail(const tain_sqlite_conn *c, tain_error *err);
/* Runs statements that give no rows. */
tain_status tain_sqlite_run(tain_sqlite_conn *c, const char *sql, tain_error *err);
tain_status tain_sqlite_runf(tain_sqlite_conn *c, tain_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
tain_status tain_sqlite_prepare(tain_sqlite_conn *c, const char *sql, sqlite3_stmt **ret, tain_error *err);
/* *ret_row: whether there is a row; at the end the statement is reset. */
tain_status tain_sqlite_step(tain_sqlite_conn *c, sqlite3_stmt *stmt, bool *ret_row, tain_error *err);
/* First column of the first row, or `otherwise`. */
tain_status tain_sqlite_number(tain_sqlite_conn *c, const char *sql, int64_t otherwise, int64_t *ret, tain_error *err);
/* Ends a transaction that may or may not be open, throwing away what it wrote. */
void tain_sqlite_rollback(tain_sqlite_conn *c);
bool tain_sqlite_in_transaction(const tain_sqlite_conn *c);

/* "a""b" and 'a''b', appended. */
void tain_sqlite_put_name(tain_buffer *out, const char *name);
void tain_sqlite_put_text(tain_buffer *out, const char *text);

static inline void tain_sqlite_finalize_scope(sqlite3_stmt **s) { sqlite3_finalize(*s); }
#define TAIN_SQLITE_STMT __attribute__((cleanup(tain_sqlite_finalize_scope))) sqlite3_stmt
#define TAIN_BUFFER __attribute__((cleanup(tain_buffer_done_scope))) tain_buffer

#endif
