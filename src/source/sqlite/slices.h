/* SPDX-License-Identifier: MIT */
/* slices.h -- much is read in many short transactions, so that nobody waits long for a writer's lock.
 *
 * With a rollback journal no writer can commit while somebody reads. A slice lasts about TAIN_SQLITE_SLICE, then the file is
 * left alone for a moment: a writer that waits has its lock then, as SQLite lets nobody begin to read before it. What
 * was read in several slices is of several moments; only the schema is sure to be the same. Thread: the connection's. */
#ifndef TAIN_SOURCE_SQLITE_SLICES_H
#define TAIN_SOURCE_SQLITE_SLICES_H

#include "source/sqlite/connection.h"

#define TAIN_SQLITE_SLICE (20 * TAIN_MILLISECOND)

typedef struct tain_sqlite_slices {
    tain_sqlite_conn *conn;
    int64_t           schema; /* PRAGMA schema_version that must be */
    bool              yields; /* it matters to writers */
    tain_time         length, until;
} tain_sqlite_slices;

/* Whether the file has a write-ahead log, so that readers are in nobody's way. */
tain_status tain_sqlite_is_wal(tain_sqlite_conn *c, bool *ret, tain_error *err);
tain_status tain_sqlite_slices_init(tain_sqlite_slices *sl, tain_sqlite_conn *c, int64_t schema, tain_error *err);
/* Begins a transaction. *ret_same false: the schema is another one now; there is no transaction. */
tain_status tain_sqlite_slice_begin(tain_sqlite_slices *sl, bool *ret_same, tain_error *err);
/* Whether it is time to end it. */
bool        tain_sqlite_slice_over(const tain_sqlite_slices *sl);
/* Commits, and gives way. */
tain_status tain_sqlite_slice_end(tain_sqlite_slices *sl, tain_error *err);

#endif
