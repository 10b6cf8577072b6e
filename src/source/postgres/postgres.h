/* SPDX-License-Identifier: MIT */
/* postgres.h -- the driver's state, shared by its files.
 *
 * A table is known by its OID for ever: tain_pg_table and its tain_source_table keep their address until close. What
 * its rows look like is a shape: immutable, replaced as a whole when the table changes, never freed before close, since
 * batches and relations of the stream still point into old ones.
 * Thread: the source's, except reader_* (one each), retained (one) and cancel. */
#ifndef TAIN_SOURCE_POSTGRES_POSTGRES_H
#define TAIN_SOURCE_POSTGRES_POSTGRES_H

#include "base/map.h"
#include "source/postgres/connection.h"
#include "source/postgres/type.h"
#include "source/source.h"

/* A column as a description of its table has it: the catalog's, or one that was written down. Texts are borrowed. */
typedef struct tain_pg_attribute {
    const char *name;
    const char *missing; /* what rows older than it have in it, as an array of that one value; NULL: nothing is noted */
    int         attnum, dimensions;
    uint32_t    type_oid, written;
    int32_t     typmod;
    bool        generated;
    bool        filled;  /* has a default or the like: a rewritten table may hold it in rows that are older */
    bool        unsure;  /* its older rows have different values */
} tain_pg_attribute;

typedef struct tain_pg_column {
    char                *name /* in the source */, *type_name, *missing;
    int                  attnum, dimensions;
    uint32_t             type_oid; /* as declared, a domain perhaps */
    int32_t              typmod;
    bool                 filled, unsure; /* as in tain_pg_attribute */
    uint32_t             written;  /* xid of the catalog row */
    const tain_pg_codec *codec;
} tain_pg_column;

typedef struct tain_pg_shape {
    struct tain_pg_shape *older; /* the table's before this one; NULL: none */
    tain_pg_column *columns;  /* those mirrored, by attnum; same indexes as schema */
    size_t          count;
    int             last_attnum; /* given so far, dropped columns and those left out included */
    tain_schema    *schema;
    tain_schema    *shown;    /* what others see: that of an earlier shape, if nothing they see changed since */
    tain_batch     *defaults; /* one row of schema: what rows have that are older than a column; NULL: NULLs */
    bool            textual;  /* a column can be read as text only */
    char           *left_out; /* generated columns the server does not send, "a, b"; NULL: none */
} tain_pg_shape;

typedef struct tain_pg_leaf { /* of a partitioned table */
    uint32_t oid, filenode, attached /* xid */;
    const char *bounds; /* which rows it has (partition.c); kept by the source */
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

typedef struct tain_pg_watched {
    uint32_t    oid, filenode;
    bool        filled; /* when told to have come */
    const char *bounds; /* as tain_pg_leaf's; NULL: not known */
} tain_pg_watched;

/* What the catalog tells of a table beside its shape: what becomes of it no row does tell. */
typedef struct tain_pg_beside {
    tain_pg_watched *leaves; /* ascending by OID */
    size_t           leaf_count;
    char            *types;  /* what the types of its columns are made of (parts.h) */
    char            *policies; /* that its values were treated by; "": none concerns it */
    uint32_t         publication, altered /* xid */, listed; /* the publication, and its entry for the table; 0: none */
    uint64_t         truncates; /* that the stream had told of the table by then: any later one may be why leaves are in other files */
} tain_pg_beside;

/* A partition that is to be read again alone, and what else the table was then. */
typedef struct tain_pg_reread {
    const tain_region *rows;
    tain_pg_watched    leaf;
    tain_pg_beside     then;
    const struct tain_pg_shape *shape;
} tain_pg_reread;

/* A partition whose rows are not those that the stream told. */
typedef struct tain_pg_due_leaf {
    uint32_t oid;
    uint64_t unless_truncated; /* the table's truncates reach this; 0: it came with rows */
} tain_pg_due_leaf;

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
    uint64_t           truncates; /* told by the stream */
    uint64_t           unseen;    /* rows came of transactions up to that xid before the catalog showed what they did; 0: of none */
    uint64_t           ahead_until; /* the stream may have rows that are older than what is known of its columns until it comes there */
    uint64_t           read_at;   /* where in the log its content was read: rows from before are in it */
    bool               recalled;  /* shows what was written down of it, until the stream tells otherwise */
    bool               textual_now; /* the catalog has a column of it that can be read as text only */
    bool               renew;     /* the next reading of the catalog replaces what is known */
    bool               fresh;     /* it did */
    struct tain_pg_then { uint64_t since; const char *memo; } *history; /* as it was at positions of the stream, rising */
    size_t             history_count;
    uint32_t           listed;    /* its entry in the publication, 0: none */
    tain_pg_beside     looked;    /* as last compared */
    uint64_t           looked_mark; /* tain_pg_table_mark of what the catalog said then */
    tain_pg_beside     settled;   /* as the stream has come to */
    enum { TAIN_PG_DUE_NOTHING, TAIN_PG_DUE_SHAPE, TAIN_PG_DUE_RELOAD, TAIN_PG_DUE_DROP } due; /* when the stream has come to due_at */
    uint64_t           due_at;
    tain_pg_due_leaf  *due_leaves; /* DUE_RELOAD: what is to be read again, if not all */
    size_t             due_leaf_count;
    bool               due_for_leaves; /* only because of partitions that came or went, which the stream may have told by then */
    char              *due_reason;
    tain_pg_reread    *rereads;    /* all asked for since it was read as a whole */
    size_t             reread_count;
    uint64_t           reread_at;  /* where in the stream the last was; 0: none */
    double             reltuples, relpages;
    int64_t            bytes, total_bytes; /* -1 unknown */
    tain_pg_leaves    *leaves;    /* NULL: none */
    tain_pg_shape     *shape;
    int16_t           *key_attnums; /* in key order */
    size_t             key_count;
    struct tain_pg_seen { /* the same as the catalog has them now, which the stream may not have come to */
        uint32_t filenode, written /* xid */;
        char     identity;
        int16_t *key_attnums;
        size_t   key_count;
        char    *schema, *name;
    } seen;
    char              *filter;      /* what an existing publication hides of it */
    char              *as_of;       /* the server's snapshot in which the catalog was read that the shape is from; NULL: told by the stream */
} tain_pg_table;

typedef struct tain_pg_server {
    bool    known, in_recovery, super, may_replicate, may_create, logical, utf8;
    char   *role, *database, *version, *wal_level;
    int64_t free_slots, free_senders;
    bool    has_slot, has_publication, all_tables, via_root, publishes_all, owns_publication;
    bool    tells, has_schema; /* event triggers of ours tell of schema changes; their schema is there */
    bool    outdated;          /* another version of tain has made them */
    uint32_t publication, altered; /* OID of the publication, xid of its last alteration */
} tain_pg_server;

typedef struct tain_pg_stream tain_pg_stream;
typedef struct tain_pg_standby tain_pg_standby;

typedef struct tain_pg_source {
    tain_source         base; /* first */
    tain_source_options options; /* own copies */
    char               *slot, *publication, *prefix; /* of messages of ours in the log */
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
    char              **old_texts; /* names and memos: somebody may still look at them */
    size_t              old_text_count, old_text_capacity;
    tain_map            kept_texts; /* of those, what is kept once for all */
    tain_region       **regions;  /* all ever told of */
    size_t              region_count;
    bool                refresh;  /* reading the catalog may replace shapes: nobody follows them yet */
    bool                prepared; /* a mirror does this, which may make the slot anew */
    bool                streamed; /* shapes change in stream order only */

    tain_pg_standby *standby;   /* where loads are read; NULL: here */
    tain_pg_conn exporter;      /* holds the snapshot */
    char         snapshot[80];  /* "" : none */
    uint64_t     snapshot_lsn;
    char         passing[64];   /* exporter's temporary slot; "": none */
    bool         asked;         /* exporter's slot is to be created: the server has not answered, or a standby is not there yet */
    bool         unread;        /* exporter's snapshot is there, and nobody has begun with it */
    tain_waiting awaited;       /* what for, as of described_at */
    tain_time    described_at;

    uint64_t        confirmed;
    uint64_t        head;       /* last answer, 0: none */
    uint64_t        nudged;     /* the position for which the log was moved by us */
    int             old_sender; /* server's process of the stream before */
    tain_pg_stream *stream;

    tain_pg_target look_target; /* retained's own, so that neither thread waits for the other */
    tain_pg_conn   looker;
} tain_pg_source;

/* postgres.c */
void        tain_pg_keep_text(tain_pg_source *s, char *text); /* until the source is closed; accepts NULL */
const char *tain_pg_keep_once(tain_pg_source *s, const char *text); /* a copy, the same for equal texts; NULL: NULL */
tain_status tain_pg_catalog_conn(tain_pg_source *s, tain_error *err); /* s->conn is connected after it */
void        tain_pg_position(uint64_t lsn, tain_position *ret);
tain_status tain_pg_lsn_of(const tain_position *position, uint64_t *ret, tain_error *err);
bool        tain_pg_parse_lsn(const char *text, uint64_t *ret); /* "0/16B3748" */

/* policy.c */
tain_pg_policy tain_pg_policy_for(const tain_pg_source *s, const char *table, const char *column);
tain_status    tain_pg_policy_check(const json_t *policies, tain_error *err);
/* Those that concern a table with that shape, as text. Caller frees. */
char *tain_pg_policies_of(const tain_pg_source *s, const char *schema, const char *name, const tain_pg_shape *shape);

/* distinct.c */
/* What each column is called in the lake: its name, but where an earlier one's differs by case only. NULL: a generated one.
 * Caller frees all. */
char **tain_pg_distinct_names(const tain_pg_attribute *attributes, size_t n);

/* shape.c */
/* natts: pg_class.relnatts. Types must be loaded. table: "schema.table", for policies. */
tain_pg_shape *tain_pg_shape_new(tain_pg_source *s, const tain_pg_attribute *attributes, size_t n, int natts, const char *table);
/* From rows [first, first + n) of the catalog's columns. */
/* older: of older_values.sql for a partitioned table, else NULL. */
tain_pg_shape *tain_pg_shape_read(tain_pg_source *s, const PGresult *columns, int first, int n, const PGresult *older, const char *table);
void           tain_pg_shape_free(tain_pg_shape *shape);
void           tain_pg_shape_keep(tain_pg_source *s, tain_pg_shape *shape); /* until the source is closed */
/* What is known of older rows stays known: a rewriting of the table takes it from the catalog. */
void           tain_pg_shape_inherit(tain_pg_source *s, tain_pg_shape *shape, const tain_pg_shape *older);
int            tain_pg_shape_index(const tain_pg_shape *shape, int attnum); /* of the column, -1: none */
/* Whether whoever sees both sees the same: names, types, order, and the same columns. */
bool           tain_pg_shape_looks_like(const tain_pg_shape *a, const tain_pg_shape *b);
/* From now on it is the table's; columns that others see as before keep their schema. Kept until the source is closed. */
void tain_pg_table_take_shape(tain_pg_source *s, tain_pg_table *t, tain_pg_shape *shape);
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
/* What one table is: as the catalog says now, or as it was told. Caller frees shape if it does not keep it. */
typedef struct tain_pg_now {
    bool             there;
    bool             told;     /* by the stream, at its place: nothing else has happened since what is known */
    bool             reached;  /* the catalog's, and the stream has come to it */
    bool             complete; /* and every command that changed the table was told before */
    bool             computed; /* told: the command may have computed values (USING) */
    char            *schema, *name;
    uint32_t         filenode;
    char             identity;
    int16_t         *key_attnums;
    size_t           key_count;
    tain_pg_watched *leaves;   /* partitioned */
    size_t           leaf_count;
    char            *as_of;
    bool             again;    /* the catalog's, and the stream has not come to what is known yet */
    uint64_t         ahead_until; /* the table's, once this is what is known */
    uint64_t         shown_below; /* it shows what all transactions did whose xid is less */
    uint64_t         mark;     /* the catalog's: tain_pg_table_mark */
    tain_pg_shape   *shape;
} tain_pg_now;
/* What is known is `now`: takes its parts. */
void        tain_pg_table_adopt(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now);
/* Whether the catalog has something else of the table than what is known. columns: rows [first, first + n) of its columns. */
bool        tain_pg_table_differs(const tain_pg_table *t, const PGresult *columns, int first, int n);
/* A number that is another one when the catalog says something else of a table. columns: as above, read with t->seen. */
uint64_t    tain_pg_table_mark(const tain_pg_table *t, const PGresult *columns, int first, int n);
/* Columns of every table that is followed, ordered by table. */
tain_status tain_pg_catalog_columns(tain_pg_source *s, PGresult **ret, tain_error *err);
/* All of it of one moment. */
tain_status tain_pg_catalog_now(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, tain_error *err);
void        tain_pg_now_done(tain_pg_now *now);
/* Reads the tables with `renew` again as of the exported snapshot, and replaces what was known of them. */
tain_status tain_pg_catalog_renew(tain_pg_source *s, tain_error *err);
/* What the publication has now. */
tain_status tain_pg_published_read(tain_pg_source *s, tain_error *err);

/* visible.c: snapshots of the server, "xmin:xmax:xip,xip"; NULL: one that shows nothing. */
/* Whether what the transaction did is in a reading of the catalog under that snapshot. */
bool     tain_pg_is_visible(const char *snapshot, uint64_t xid);
/* It is for all whose xid is less. */
uint64_t tain_pg_shown_below(const char *snapshot);

/* memo.c: a table written down, and read again. */
/* Brings pub->memo up to date. Whether it is another. */
bool        tain_pg_memo_renew(tain_pg_source *s, tain_pg_table *t);
tain_status tain_pg_recall(tain_source *base, tain_source_table *table, const char *memo, tain_error *err);
/* From `since` on the table is as its memo says. */
void        tain_pg_history_add(tain_pg_source *s, tain_pg_table *t, uint64_t since);
/* The table is again what it was at `from`. */
tain_status tain_pg_history_return(tain_pg_source *s, tain_pg_table *t, uint64_t from, tain_error *err);
/* description: as in a memo. */
tain_status tain_pg_now_read(tain_pg_source *s, const json_t *description, tain_pg_now *ret, tain_error *err);

/* beside.c */
void tain_pg_beside_done(tain_pg_beside *b);
void tain_pg_beside_copy(tain_pg_beside *to, const tain_pg_beside *from);
/* As the catalog was read last. */
void tain_pg_beside_look(const tain_pg_source *s, const tain_pg_table *t, tain_pg_beside *ret);
bool tain_pg_beside_equal(const tain_pg_beside *a, const tain_pg_beside *b);
bool tain_pg_beside_same_rest(const tain_pg_beside *a, const tain_pg_beside *b); /* all but the leaves */
bool tain_pg_beside_same_leaves(const tain_pg_beside *a, const tain_pg_beside *b); /* whatever files they are in */
void tain_pg_beside_set_leaves(tain_pg_beside *b, const tain_pg_watched *leaves, size_t n); /* a copy */
void tain_pg_beside_add_leaf(tain_pg_beside *b, uint32_t oid); /* one that is not there; in which file is not known: 0 */
const tain_pg_watched *tain_pg_beside_leaf(const tain_pg_beside *b, uint32_t oid); /* NULL: none */
/* Nobody follows the table yet: what the catalog says is what is known. */
void tain_pg_beside_take(tain_pg_source *s, tain_pg_table *t);

/* reread.c */
/* These partitions, and no other rows, are to be read again, from the stream's place; all of the table if that cannot be.
 * then: what was beside the table until now. */
tain_status tain_pg_request_reread(tain_pg_source *s, tain_pg_table *t, const tain_pg_watched *leaves, size_t n, const tain_pg_beside *then, const char *reason, tain_error *err);
/* Whether the table is now what it was then but for those partitions, which it still has. *ret: them, each once. Caller frees. */
bool        tain_pg_reread_holds(const tain_pg_table *t, const tain_region *const *within, size_t n, const tain_pg_leaf ***ret, size_t *ret_count);
void        tain_pg_reread_forget(tain_pg_table *t);

/* partition.c */
/* The rows of a partition with those bounds, as the table shows its columns; NULL: that cannot be said (hashes, the default
 * partition, computed keys, types whose order in the lake is another). Kept until the source is closed. */
const tain_region *tain_pg_partition_region(tain_pg_source *s, const tain_pg_table *t, const char *bounds);

/* leaves.c */
tain_status tain_pg_leaves_read(tain_pg_source *s, tain_error *err);
void        tain_pg_leaves_free(tain_pg_leaves *l);
static inline tain_pg_leaf *tain_pg_leaf_at(const tain_pg_table *t, size_t i) { return t->leaves && i < t->leaves->count ? &t->leaves->list[i] : NULL; }

/* sizes.c */
tain_status tain_pg_sizes_read(tain_pg_source *s, tain_error *err);
void        tain_pg_table_estimate(tain_pg_table *t); /* from what was read last */
/* Measures one table again; the estimates follow. */
tain_status tain_pg_catalog_size(tain_pg_source *s, tain_pg_table *t, tain_error *err);

/* findings.c */
void tain_pg_table_judge(tain_pg_source *s, tain_pg_table *t);
/* SQL that lets a table without key be mirrored. Caller frees. */
char *tain_pg_identity_remedy(const tain_pg_source *s, const tain_pg_table *t);
void tain_pg_source_judge(tain_pg_source *s, tain_finding **ret, size_t *ret_count);

/* capture.c */
tain_status tain_pg_prepare(tain_source *base, void (*say)(const char *), bool *ret_fresh, tain_error *err);
tain_status tain_pg_remove(tain_source *base, void (*say)(const char *), tain_error *err);
tain_status tain_pg_forget(tain_source *base, void (*say)(const char *), tain_error *err);
/* "CREATE PUBLICATION ... FOR TABLE ..." of every table that may be mirrored, appended. */
void tain_pg_put_publication(const tain_pg_source *s, tain_buffer *out);
/* A table as a publication lists it, the catalog's name. */
void tain_pg_put_published(const tain_pg_table *t, tain_buffer *out);
/* Puts tables that are not published, and may be, into the publication. */
tain_status tain_pg_publish_more(tain_pg_source *s, void (*say)(const char *), tain_error *err);
/* Takes a table out of it, if we may. */
tain_status tain_pg_unpublish(tain_pg_source *s, tain_pg_table *t, tain_error *err);

/* export.c: the snapshot of a new slot, on a replication connection of its own, which keeps it. The server gives it once
 * every transaction has ended that was open: minutes, perhaps. */
/* Makes the mirror's slot; says what it waits for, if it does for long. say may be NULL. */
tain_status tain_pg_export(tain_pg_source *s, void (*say)(const char *), tain_error *err);
/* The snapshot of a load: of a slot for the time of it, at the standby if there is one; or of the mirror's, if that is to be made anew. */
tain_status tain_pg_export_load(tain_pg_source *s, tain_error *err);
/* A server that waits for others does not see that a client is gone, or not at once: what an earlier run of this mirror asked for, and
 * is still being made, is ended. While no other process runs the mirror. */
tain_status tain_pg_end_makers(tain_pg_source *s, void (*say)(const char *), tain_error *err);
bool        tain_pg_signature(const tain_pg_source *s, char ret[static 64]); /* application_name of such a session; false: there is none */
void        tain_pg_export_end(tain_pg_source *s); /* also while it is waited for */
bool        tain_pg_is_exported(tain_pg_source *s); /* there is one, of where loads are read, that nobody has begun with */
tain_status tain_pg_snapshot_ready(tain_source *base, tain_time deadline, bool *ret_ready, tain_waiting *ret_why, tain_error *err);

/* snapshot.c */
/* A chunk's from and to: the OID of a partition (0: the table itself) above 32 bits of block number. WHOLE, as to: everything,
 * without looking at blocks. */
#define TAIN_PG_WHOLE INT64_MAX
enum { TAIN_PG_RANGES_SINCE = 140000 }; /* older servers look at the whole table for a range of its blocks */
tain_status tain_pg_snapshot_begin(tain_source *base, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err);
tain_status tain_pg_snapshot_plan(tain_source *base, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
tain_status tain_pg_reread_plan(tain_source *base, tain_source_table *table, const tain_region *const *within, size_t n, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
tain_status tain_pg_snapshot_end(tain_source *base, tain_error *err);

/* reader.c: chunks of the exported snapshot, each in a transaction of its own. NOT_FOUND: the table is not any more what is known
 * of it, or was written anew since the snapshot, which sees nothing of it then. */
tain_status tain_pg_reader_open(tain_source *base, tain_reader **ret, tain_error *err);
tain_status tain_pg_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err);
tain_status tain_pg_reader_mark(tain_reader *r, tain_source_table *table, char **ret, tain_error *err);
void        tain_pg_reader_close(tain_reader *r);

/* retained.c */
tain_status tain_pg_retained(tain_source *base, tain_retained *ret, tain_error *err);

/* stream.c */
tain_status tain_pg_start(tain_source *base, const tain_position *position, tain_error *err);
tain_status tain_pg_poll(tain_source *base, tain_sink *sink, tain_time deadline, tain_error *err);
tain_status tain_pg_confirm(tain_source *base, const tain_position *position, tain_error *err);
tain_status tain_pg_confirmed(tain_source *base, tain_position *ret, tain_error *err);
tain_status tain_pg_head(tain_source *base, tain_position *ret, tain_error *err);
int         tain_pg_wait_fd(tain_source *base);
/* What is written of it. */
tain_status tain_pg_log_end(tain_pg_source *s, uint64_t *ret, tain_error *err);
/* The end of all that the catalog shows: a transaction that does not wait for its log to be written is seen before it is. */
tain_status tain_pg_log_seen(tain_pg_source *s, uint64_t *ret, tain_error *err);
void        tain_pg_stream_stop(tain_pg_source *s);
/* Stops and waits until the server has let go of the slot. */
tain_status tain_pg_stream_release(tain_pg_source *s, tain_error *err);
/* Somebody waits for it to come somewhere. */
void        tain_pg_stream_hurry(tain_pg_source *s);
/* Keeps the stream's connection alive while the thread waits for something else. */
void        tain_pg_stream_keep_alive(tain_pg_source *s);

#endif
