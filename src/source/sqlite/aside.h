/* SPDX-License-Identifier: MIT */
/* aside.h -- content of a file with a rollback journal, gathered in short reads into a database of our own, where it is of
 * one moment.
 *
 *   $log   the rows of the file's log from `from` on
 *   $rows  as the file has them, behind `from` (tables without key; changes only)
 *   tables under their own names, without types: all rows, or those of the keys in $log
 *
 * Rows are copied in the order of their places (rowid, or primary key), a slice at a time. Meanwhile the log tells which
 * keys were touched: their copies go, and what the file has of them comes in their stead. A row that nobody touched
 * stayed in its place and was copied once. When the log has been gone through to its end within one transaction, what
 * is there is the file's content at that end (0003 tells why keys are enough). A file written to faster than that gets
 * longer slices. Tables whose rows have no address in the log are copied whole in that last transaction.
 * Thread: source. */
#ifndef TAIN_SOURCE_SQLITE_ASIDE_H
#define TAIN_SOURCE_SQLITE_ASIDE_H

#include "source/sqlite/sqlite.h"

typedef enum tain_sqlite_aside_end {
    TAIN_SQLITE_ASIDE_DONE,
    TAIN_SQLITE_ASIDE_STALE, /* the schema is not the one that was looked at */
    TAIN_SQLITE_ASIDE_LOST,  /* the log lacks rows that were needed: somebody has confirmed them */
} tain_sqlite_aside_end;

/* A database without a name in the spool folder; it goes with its connection, or with the process. */
tain_status tain_sqlite_aside_open(tain_sqlite *s, tain_sqlite_conn *ret, char **ret_path, tain_error *err);
/* Whether the spool folder has room for so much. */
bool tain_sqlite_aside_has_room(const tain_sqlite *s, int64_t bytes);
/* All rows of those tables, whose capture must be in place, as of the end of ret's log. DONE: ret is connected. */
tain_status tain_sqlite_aside_tables(tain_sqlite *s, tain_source_table **tables, size_t n, tain_sqlite_conn *ret, tain_sqlite_aside_end *end, tain_error *err);
/* What happened behind log row `from`: rows of all touched keys, as of the end of ret's log. */
tain_status tain_sqlite_aside_changes(tain_sqlite *s, int64_t from, tain_sqlite_conn *ret, tain_sqlite_aside_end *end, tain_error *err);

#endif
