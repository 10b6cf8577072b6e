/* SPDX-License-Identifier: MIT */
/* postgres.h -- the driver's state, shared by its files.
 *
 * A table is known by its OID for ever: tain_pg_table and its tain_source_table keep their address until close. What
 * its rows look like is a shape: immutable, replaced as a whole when the table changes, never freed before close, since
 * batches and relations of the stream still point into old ones.
 * Thread: the source's, except reader_* (one each) and cancel. */
#ifndef TAIN_SOURCE_POSTGRES_POSTGRES_H
#define TAIN_SOURCE_POSTGRES_POSTGRES_H

#include "source/postgres/connection.h"
#include "source/postgres/type.h"
#include "source/source.h"

typedef struct tain_pg_column {
    char                *name, *type_name;
    int                  attnum;
    uint32_t             type_oid; /* as declared, a domain perhaps */
    int32_t              typmod;
    bool                 filled;   /* may have been given a value in rows that are older than it */
    uint32_t             written;  /* xid of the catalog row */
    const tain_pg_codec *codec;
} tain_pg_column;

typedef struct tain_pg_shape {
    tain_pg_column *columns;  /* those mirrored, by attnum; same indexes as schema */
    size_t          count;
    tain_schema    *schema;
    tain_schema    *shown;    /* what others see: that of an earlier shape, if nothing they see changed since */
    bool            textual;  /* a column can be read as text only */
    char           *left_out; /* generated columns the server does not send, "a, b"; NULL: none */
} tain_pg_shape;

typedef struct tain_pg_leaf { /* of a partitioned table */
    uint32_t oid, filenode, attached /* xid */;
    char    *schema, *name, kind, persistence, identity;
    bool     has_key, may_select;
    double   reltuples, relpages;
    int64_t  bytes; /* main fork, -1 unknown */
} tain_pg_leaf;

typedef struct tain_pg_leaves {
    struct tain_pg_leaves *older; /* kept for readers */
    size_t                 count;
    tain_pg_leaf           list[];
} tain_pg_leaves;

typedef struct tain_pg_watched { uint32_t oid, filenode; } tain_pg_watched;

typedef struct tain_pg_table {
    tain_source_table *pub;
    uint32_t           oid, filenode;
    char               kind;      /* r p, or what it is instead */
    char               persistence, identity;
    bool               is_partition, schema_usage, may_select, owned, row_security, has_primary;
    bool               present;   /* seen by the last reading of the catalog */
    bool               published; /* its changes come through the publication now */
    bool               taken;     /* whoever uses the source knows it as one that is mirrored */
    bool               dropped;
    bool               failed;    /* given up until it is as it should be again */
    uint64_t           truncates; /* seen in the stream */
    tain_pg_watched   *watched;   /* partitioned: leaves as last compared, ascending by OID */
    size_t             watched_count;
    uint64_t           truncates_then; /* truncates when they were compared */
    enum { TAIN_PG_DUE_NOTHING, TAIN_PG_DUE_SHAPE, TAIN_PG_DUE_RELOAD, TAIN_PG_DUE_DROP } due; /* when the stream has come to due_at */
    uint64_t           due_at;
    uint64_t           due_unless_truncated; /* truncates_then, + 1; 0: in any case */
    char              *due_reason;
    double             reltuples, relpages;
    int64_t            bytes, total_bytes; /* -1 unknown */
    tain_pg_leaves    *leaves;    /* NULL: none */
    tain_pg_shape     *shape;
    int16_t           *key_attnums; /* in key order */
    size_t             key_count;
    struct tain_pg_seen { /* the same as the catalog has them now, which the stream may not have come to */
        uint32_t filenode;
        char     identity;
        int16_t *key_attnums;
        size_t   key_count;
        char    *schema, *name;
    } seen;
    char              *filter;      /* what an existing publication hides of it */
} tain_pg_table;

typedef struct tain_pg_server {
    bool    known, in_recovery, super, may_replicate, may_create, logical, utf8;
    char   *role, *database, *version, *wal_level;
    int64_t free_slots, free_senders;
    bool    has_slot, has_publication, all_tables, via_root, publishes_all, owns_publication;
} tain_pg_server;

typedef struct tain_pg_stream tain_pg_stream;

typedef struct tain_pg_source {
    tain_source         base; /* first */
    tain_source_options options; /* own copies */
    char               *slot, *publication;
    tain_pg_target      target;
    tain_pg_conn        conn; /* for the catalog; made when needed */
    tain_pg_types       types;
    tain_pg_policy      policy;
    tain_pg_server      server;
    tain_pg_table     **tables;
    size_t              table_count, table_capacity;
    tain_source_table **catalog;
    tain_pg_shape     **shapes; /* all ever made */
    size_t              shape_count, shape_capacity;
    char              **old_names; /* of renamed tables: somebody may still look at them */
    size_t              old_name_count;
    bool                refresh;  /* reading the catalog may replace shapes: nobody follows them yet */
    bool                streamed; /* shapes change in stream order only */

    tain_pg_conn exporter;      /* holds the snapshot */
    char         snapshot[80];  /* "" : none */
    uint64_t     snapshot_lsn;
    bool         slot_snapshot; /* exporter's snapshot is that of the slot made in prepare */

    uint64_t        confirmed;
    uint64_t        head;       /* last answer, 0: none */
    uint64_t        nudged;     /* the head for which the log was moved by us */
    int             old_sender; /* server's process of the stream before */
    tain_pg_stream *stream;
} tain_pg_source;

/* postgres.c */
tain_status tain_pg_catalog_conn(tain_pg_source *s, tain_error *err); /* s->conn is connected after it */
void        tain_pg_position(uint64_t lsn, tain_position *ret);
tain_status tain_pg_lsn_of(const tain_position *position, uint64_t *ret, tain_error *err);
bool        tain_pg_parse_lsn(const char *text, uint64_t *ret); /* "0/16B3748" */

/* policy.c */
tain_pg_policy tain_pg_policy_for(const tain_pg_source *s, const char *table, const char *column);
tain_status    tain_pg_policy_check(const json_t *policies, tain_error *err);

/* shape.c */
tain_pg_shape *tain_pg_shape_read(tain_pg_source *s, const PGresult *columns, int first, int n, const char *table);
void           tain_pg_shape_free(tain_pg_shape *shape);
void           tain_pg_shape_keep(tain_pg_source *s, tain_pg_shape *shape); /* until the source is closed */
/* Gives the public table the shape's columns and key. */
void tain_pg_table_show(tain_pg_table *t);
bool tain_pg_is_left_out(const PGresult *columns, int row); /* a column that the log does not hold */

/* catalog.c */
/* Reads server and tables again. Shapes, keys and names of known tables stay as they are unless s->refresh. */
tain_status    tain_pg_catalog_read(tain_pg_source *s, tain_error *err);
/* Asks about the tables that are there and picked: sql's $1 are their OIDs. */
tain_status    tain_pg_catalog_ask(tain_pg_source *s, const char *sql, bool (*pick)(const tain_pg_source *, const tain_pg_table *), PGresult **ret, tain_error *err);
tain_pg_table *tain_pg_table_by_oid(const tain_pg_source *s, uint32_t oid);
tain_pg_table *tain_pg_table_of(const tain_pg_source *s, const tain_source_table *t);
void           tain_pg_table_free(tain_pg_table *t);
void           tain_pg_server_done(tain_pg_server *v);
/* What the catalog says now of one table. *ret_there: it exists. Caller frees shape if it does not keep it. */
typedef struct tain_pg_now {
    bool           there;
    char          *schema, *name;
    uint32_t       filenode;
    char           identity;
    int16_t       *key_attnums;
    size_t         key_count;
    tain_pg_shape *shape;
} tain_pg_now;
/* Whether the catalog has something else of the table than what is known. columns: rows [first, first + n) of its columns. */
bool        tain_pg_table_differs(const tain_pg_table *t, const PGresult *columns, int first, int n);
/* Columns of every table that is followed, ordered by table. */
tain_status tain_pg_catalog_columns(tain_pg_source *s, PGresult **ret, tain_error *err);
tain_status tain_pg_catalog_now(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, tain_error *err);
void        tain_pg_now_done(tain_pg_now *now);

/* leaves.c */
tain_status tain_pg_leaves_read(tain_pg_source *s, tain_error *err);
void        tain_pg_leaves_free(tain_pg_leaves *l);
static inline tain_pg_leaf *tain_pg_leaf_at(const tain_pg_table *t, size_t i) { return t->leaves && i < t->leaves->count ? &t->leaves->list[i] : NULL; }

/* sizes.c */
tain_status tain_pg_sizes_read(tain_pg_source *s, tain_error *err);
void        tain_pg_table_estimate(tain_pg_table *t); /* from what was read last */
/* Measures one table again; the estimates follow. */
tain_status tain_pg_catalog_size(tain_pg_source *s, tain_pg_table *t, tain_error *err);

/* watch.c: remembers the partitions as they are now, to notice what becomes of them. */
void tain_pg_leaves_watch(tain_pg_table *t);

/* findings.c */
void tain_pg_table_judge(tain_pg_source *s, tain_pg_table *t);
void tain_pg_source_judge(tain_pg_source *s, tain_finding **ret, size_t *ret_count);

/* capture.c */
tain_status tain_pg_prepare(tain_source *base, void (*say)(const char *), bool *ret_fresh, tain_error *err);
tain_status tain_pg_remove(tain_source *base, void (*say)(const char *), tain_error *err);
/* "CREATE PUBLICATION ... FOR TABLE ..." of every table that may be mirrored, appended. */
void tain_pg_put_publication(const tain_pg_source *s, tain_buffer *out);
/* Puts tables that are not published, and may be, into the publication. */
tain_status tain_pg_publish_more(tain_pg_source *s, void (*say)(const char *), tain_error *err);
/* Takes a table out of it, if we may. */
tain_status tain_pg_unpublish(tain_pg_source *s, tain_pg_table *t, tain_error *err);
/* Creates a slot on an own replication connection and keeps its snapshot. */
tain_status tain_pg_export(tain_pg_source *s, const char *slot, bool temporary, tain_error *err);

/* snapshot.c */
tain_status tain_pg_snapshot_begin(tain_source *base, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err);
tain_status tain_pg_snapshot_plan(tain_source *base, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
tain_status tain_pg_snapshot_end(tain_source *base, tain_error *err);
tain_status tain_pg_reader_open(tain_source *base, tain_reader **ret, tain_error *err);
tain_status tain_pg_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err);
void        tain_pg_reader_close(tain_reader *r);

/* stream.c */
tain_status tain_pg_start(tain_source *base, const tain_position *position, tain_error *err);
tain_status tain_pg_poll(tain_source *base, tain_sink *sink, tain_time deadline, tain_error *err);
tain_status tain_pg_confirm(tain_source *base, const tain_position *position, tain_error *err);
tain_status tain_pg_head(tain_source *base, tain_position *ret, tain_error *err);
int         tain_pg_wait_fd(tain_source *base);
tain_status tain_pg_log_end(tain_pg_source *s, uint64_t *ret, tain_error *err);
void        tain_pg_stream_stop(tain_pg_source *s);
/* Stops and waits until the server has let go of the slot. */
tain_status tain_pg_stream_release(tain_pg_source *s, tain_error *err);
/* Keeps the stream's connection alive while the thread waits for something else. */
void        tain_pg_stream_keep_alive(tain_pg_source *s);

#endif
