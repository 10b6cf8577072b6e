/* SPDX-License-Identifier: MIT */
/* snapshot.h -- one content of the file, held by one connection's transaction.
 *
 * Readers take turns on the connection and encode what they got meanwhile. What they need to know of tables is copied
 * here: following goes on beside them and may change it. */
#ifndef TAIN_SOURCE_SQLITE_SNAPSHOT_H
#define TAIN_SOURCE_SQLITE_SNAPSHOT_H

#include <pthread.h>

#include "source/sqlite/sqlite.h"

typedef struct tain_sqlite_view { /* of one table */
    tain_source_table *table;
    const tain_schema *schema;
    unsigned          *seen;  /* by column */
    bool              *plain; /* by column: that its values are told as text needs no warning */
    char              *select; /* "SELECT a,b FROM t WHERE 1" */
    char              *cut;   /* NULL: one chunk */
    int64_t           *marks;
    size_t             mark_count;
    int64_t            rows;
} tain_sqlite_view;

typedef struct tain_sqlite_snapshot {
    tain_sqlite_conn  live, copy;
    tain_sqlite_conn *conn;    /* the one of both that holds the content */
    pthread_mutex_t   lock;    /* of conn */
    int64_t           version; /* data_version of db that has the same content, -1: none */
    tain_sqlite_view *views;
    size_t            view_count;
} tain_sqlite_snapshot;

void tain_sqlite_view_init(tain_sqlite_view *v, const tain_sqlite_table *t);
void tain_sqlite_view_done(tain_sqlite_view *v);

#endif
