/* SPDX-License-Identifier: MIT */
/* triggers.h -- the SQL that makes a table's changes known. Text only; capture.c runs it.
 *
 * All names begin with the prefix, "__tain_<mirror>":
 *   $log      seq, tbl, at, k1..kn   one row a change: the key touched, for a table without key the rowid, if it has one.
 *                                   seq grows for ever: the newest row is never deleted
 *   $meta     id, name, shape, pending   the tables captured; shape and pending reload, see shape.h, capture.c; as shape of
 *                                   number 0 the file's schema_version when all that was written
 *   $rows$ID  seq, op, c1..cn        of a table without key: rows that went (op 0) and came (op 1)
 *   $cand$ID  rid, c1..cn            of a table without key: rows that the statement running may be about to replace
 *   $ID$insert ... $ID$may_update    triggers
 *
 * OR REPLACE removes rows that conflict in a unique index without firing delete triggers. So BEFORE triggers look for
 * conflicting rows. With a key it does no harm to log too many keys, as rows are read when the log is. Without one
 * the candidates wait in $cand until the AFTER trigger sees which are gone. */
#ifndef TAIN_SOURCE_SQLITE_TRIGGERS_H
#define TAIN_SOURCE_SQLITE_TRIGGERS_H

#include "source/sqlite/shape.h"

enum { TAIN_SQLITE_TRIGGERS_MOST = 5 };

typedef struct tain_sqlite_trigger {
    char *name, *sql;
    bool  conflicts; /* only there for OR REPLACE */
} tain_sqlite_trigger;

size_t tain_sqlite_triggers(const char *prefix, int64_t id, const tain_sqlite_shape *s, tain_sqlite_trigger out[TAIN_SQLITE_TRIGGERS_MOST]);
void   tain_sqlite_triggers_done(tain_sqlite_trigger *t, size_t n);
/* CREATE TABLE of $rows$ID and $cand$ID; caller frees. *ret_candidates NULL: not needed. */
char  *tain_sqlite_rows_table(const char *prefix, int64_t id, const tain_sqlite_shape *s, char **ret_candidates);

#endif
