/* SPDX-License-Identifier: MIT */
/* source.h -- a database to mirror: what it holds, its content at one position, and its committed changes after it.
 *
 * A driver is one folder and one symbol, a const tain_source_ops. It translates between one system and this contract:
 *   - positions are ASCII texts whose strcmp order is stream order; position p stands for "every transaction committed
 *     at or before p, none after";
 *   - only committed transactions are delivered, whole, in commit order; what is in progress is spooled by the driver
 *     within its memory budget (base/spool.h);
 *   - rows go straight from the wire into column builders, typed by tain_source_table.columns;
 *   - a value no Delta type holds is treated by policy and counted through the sink, never silently changed;
 *   - user tables are never altered or locked beyond reading.
 * Threads: all calls from one thread, except readers (one thread each), retained (one) and cancel (any). */
#ifndef TAIN_SOURCE_SOURCE_H
#define TAIN_SOURCE_SOURCE_H

#include "base/beat.h"
#include "base/time.h"
#include "batch/region.h"

typedef struct tain_source       tain_source;
typedef struct tain_source_table tain_source_table;
typedef struct tain_reader       tain_reader;

enum { TAIN_POSITION_MAX = 64 };
typedef struct tain_position { char text[TAIN_POSITION_MAX]; } tain_position; /* "": before everything */
int tain_position_compare(const tain_position *a, const tain_position *b);

typedef enum tain_verdict { TAIN_VERDICT_OK, TAIN_VERDICT_WARNING, TAIN_VERDICT_ERROR } tain_verdict;

/* What `tain check` says of a table. Codes are stable lower_snake words, the same as those counted by the sink's warn:
 * "no_key" "type_as_text" "value_out_of_range" "numeric_nan" "invalid_utf8" "timestamp_infinite" ... */
typedef struct tain_finding {
    tain_verdict level;
    char *code, *column /* NULL: the table */, *message, *remedy;
    bool  loads_only; /* an error of the source as a whole that keeps tables from being loaded, not from being followed */
} tain_finding;

struct tain_source_table {
    char        *schema, *name;
    char        *identity;      /* survives renames: OID or the like, as text */
    tain_schema *columns;       /* Delta types; immutable, lives until the source is closed, also after a change of it */
    uint16_t    *key;           /* indexes of the key columns, ascending by key position */
    size_t       key_count;     /* 0: no key; the whole row is one, as a multiset */
    const tain_batch *defaults; /* one row of columns: what rows have that are older than a column; NULL: NULLs. As columns */
    char        *memo;          /* the driver's own note of what it knows of the table with this shape, for recall; NULL: none */
    int64_t      rows_estimate, bytes_estimate; /* -1 unknown */
    tain_finding *findings;
    size_t        finding_count;
    tain_verdict  verdict;      /* the worst finding: ERROR means this table is not mirrored */
    void         *user;         /* free for the user of the source */
};

typedef struct tain_catalog { /* owned by the source; pointers to tables are stable until it is closed */
    tain_source_table **tables;
    size_t              count;
} tain_catalog;

/* Which globs have matched a table so far: bit i stands for glob i, the first 64 of each list are watched. */
typedef struct tain_globs_used { uint64_t tables, exclude; } tain_globs_used;

/* Policies (README.md): an object for all columns, whose member "columns" has one for each that is treated otherwise. */
/* That of column of table ("schema.table"), NULL: it has none of its own. Borrowed. */
const json_t *tain_policies_of_column(const json_t *policies, const char *table, const char *column);
/* check of the object for all, and of each column's; an error names the column. */
tain_status tain_policies_check(const json_t *policies, tain_status (*check)(const json_t *object, tain_error *err), tain_error *err);

typedef struct tain_source_options {
    const char  *url;
    const char  *mirror_name;   /* basis of names made in the source (slot, publication): [a-z0-9_], unique per lake */
    const char  *mirror_id;     /* the mirror itself, whatever its name; NULL: not known */
    const char **tables, **exclude; /* globs over "schema.table"; NULL-terminated; NULL or empty: all / none */
    tain_globs_used *used;      /* filled while tables are looked at; may be NULL; outlives the source */
    int          jobs;          /* snapshot readers that may be opened */
    int64_t      memory;        /* budget in bytes for what the driver holds itself */
    const char  *spool_dir;
    const char  *snapshot_from; /* URL of a copy of it that loads are read from; NULL or empty: they are read here */
    bool         leaves;        /* a partitioned table is as many tables as it has leaf partitions; otherwise one, at its root */
    bool         poll_capture;  /* --capture=poll: leave nothing in the source (SQLite) */
    const json_t *policies;     /* definition's "tain.policies" object: see README.md; NULL: defaults */
} tain_source_options;

/* Where a driver puts a stream. Implemented by the mirror. */
typedef struct tain_sink tain_sink;
struct tain_sink {
    /* The rows that follow are part of every state whose position is >= at: the sink drops those of tables that are
     * that far already. Called at the start of every transaction, and again inside one where rows differ in this. */
    void (*begin)(tain_sink *sink, const tain_position *at);
    /* The batch of table to append the next row to (columns, then tain_changes_end_row). Ask again for every row: the
     * pointer holds for that row only. KEY_OLD and KEY_NEW go to one pointer. May block (backpressure).
     * NULL: this row is not wanted (table not mirrored, or it already has it): skip it. */
    tain_changes *(*changes)(tain_sink *sink, tain_source_table *table);
    /* table was emptied here; within: of its rows there alone (NULL: of all), as of columns; lives until the source is closed. */
    tain_status (*truncate)(tain_sink *sink, tain_source_table *table, const tain_region *within, tain_error *err);
    /* From here on table is what it now shows (columns, key, defaults, memo, names were replaced by the driver before the
     * call). Rows already there keep the values of a column that is the same one (by source_id, else by name), also when
     * its name or type is another; a column that they have not has its default.
     * reload: they cannot be told to be right that way (values computed by the source ...), reason says why. */
    tain_status (*reshape)(tain_sink *sink, tain_source_table *table, bool reload, const char *reason, tain_error *err);
    /* A table that is selected and was not there before; or one that is gone. */
    tain_status (*appeared)(tain_sink *sink, tain_source_table *table, tain_error *err);
    tain_status (*dropped)(tain_sink *sink, tain_source_table *table, tain_error *err);
    /* table cannot go on (quarantine), the others do. */
    tain_status (*failed)(tain_sink *sink, tain_source_table *table, const char *reason, const char *remedy, tain_error *err);
    /* A value was replaced by policy. Cheap; called per value. column: index into table->columns. Any thread. */
    void (*warn)(tain_sink *sink, tain_source_table *table, size_t column, const char *code);
    /* Everything since the last commit belongs to transactions that end at position; time: the source's commit time.
     * Also called without changes, to tell how far the stream has come. OK: go on; CANCELLED: return from poll. */
    tain_status (*commit)(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err);
    /* NULL: not wanted. A very large row was delivered, and the driver holds its bytes no more: a time to let go of it. */
    void (*relieve)(tain_sink *sink);
    /* Of table's rows here those within cannot be told to be right, all others can: only they need be read again (reread_plan). Regions
     * as in truncate. NULL: reshape is to be called with reload instead. */
    tain_status (*reread)(tain_sink *sink, tain_source_table *table, const tain_region *within, const char *reason, tain_error *err);
    /* Whose rows follow, until commit: the number that the source gave the transaction and when it was committed; 0: not known.
     * Before begin. May be NULL. */
    void (*about)(tain_sink *sink, int64_t transaction, tain_time time);
};

/* A part of a table that one reader reads at once and that makes about one good data file. */
typedef struct tain_chunk {
    tain_source_table *table;
    int64_t            from, to; /* the driver's meaning: blocks, rowids; [from, to) */
    int64_t            rows_estimate;
    int64_t            ahead; /* of sources that are in_order, set by who reads, if more than `to`: the reader is asked for what follows next, as far as this */
} tain_chunk;

/* Receives full batches of a reader; the batch is cleared after the call. The receiver may take the rows by exchanging
 * them (tain_batch_swap) for those of an empty batch. */
typedef struct tain_rows_sink {
    tain_status (*rows)(void *ctx, tain_batch *batch, tain_error *err);
    void (*warn)(void *ctx, tain_source_table *table, size_t column, const char *code);
    void *ctx;
} tain_rows_sink;

/* What of its log a source keeps back because a mirror has not confirmed it. */
typedef struct tain_retained {
    int64_t bytes;
    int64_t limit, safe;  /* it keeps at most so much; and so much more may be written before it discards; -1: no limit */
    bool    endangered;   /* it may discard what the mirror needs any time, or has */
    bool    lost;         /* it has */
    char    state[16];    /* its own word for that: "reserved", ... */
    char    holder[160];  /* what makes it keep that: "replication slot x at PostgreSQL host:port" */
} tain_retained;

/* What somebody else has to end before the source can go on. */
typedef struct tain_waiting { char reason[480], remedy[240]; /* "": not known */ } tain_waiting;
/* What is waited for is `now`. A line that says so, if it is other than before; else NULL. Caller frees. */
char *tain_waiting_take(tain_waiting *io, const tain_waiting *now);

typedef struct tain_source_ops {
    const char *name;      /* "sqlite" */
    const char *const *schemes; /* "sqlite", "file"...; NULL-terminated */
    bool replicas;         /* snapshot_from is understood; other drivers are not opened with it */
    bool beside;           /* what streams may be called between snapshot_begin and snapshot_end, also while readers read */
    /* See tain_source_host and tain_source_is_frugal. NULL: sources are files of this machine. */
    char *(*host)(const char *url);
    bool  (*is_frugal)(const char *url);

    /* Connects and looks. Changes nothing in the source. *ret is set as soon as cancel can end it, and is NULL if it fails. */
    tain_status (*open)(const tain_source_options *options, tain_source **ret, tain_error *err);
    void        (*close)(tain_source *s); /* accepts NULL and half-opened sources */
    /* The selected tables with verdicts, and findings about the source as a whole (wal_level, privileges, free slots).
     * Reads the catalog again at each call; tables keep their address. */
    tain_status (*describe)(tain_source *s, tain_catalog *ret, tain_finding **ret_findings, size_t *ret_count, tain_error *err);
    /* The table was mirrored before and its content is as of a position that is about to be started from: it shows, until
     * the stream tells otherwise, what it showed when it gave that memo. NULL: no driver state beyond the catalog's. An
     * error: the memo says nothing (any more), the table shows what the catalog has. May be NULL (no memos). */
    tain_status (*recall)(tain_source *s, tain_source_table *table, const char *memo, tain_error *err);
    /* Makes what capture needs (slot, publication, triggers) if it is not there, and says on `say` (may be NULL) what
     * it made. Whether it had to: *ret_fresh, which means that nothing before now can be streamed. All or nothing. */
    tain_status (*prepare)(tain_source *s, void (*say)(const char *line), bool *ret_fresh, tain_error *err);
    /* Removes all of it. Idempotent. */
    tain_status (*remove)(tain_source *s, void (*say)(const char *line), tain_error *err);

    /* Asks for a content that snapshot_begin can fix, where others have to end something before there is one, and says whether
     * it is there now, or before deadline (monotonic). Not ready: call it again, *ret_why tells what is waited for. Ready:
     * snapshot_begin does not wait; the stream, which may go on between the calls (beside), may have passed the content's position.
     * It is good for tables that were prepared before the first call. snapshot_end takes it back. NULL: it never waits. */
    tain_status (*snapshot_ready)(tain_source *s, tain_time deadline, bool *ret_ready, tain_waiting *ret_why, tain_error *err);
    /* Fixes one consistent content of those tables; *ret_position is exactly its place in the stream. Readers opened
     * until snapshot_end see it. A table may have other columns or another key after it (wider, for values just found). */
    tain_status (*snapshot_begin)(tain_source *s, tain_source_table **tables, size_t n, tain_position *ret_position, tain_error *err);
    /* Cuts a table into chunks of about `rows` rows. Caller frees *ret. An empty table may have no chunk. NOT_FOUND: that
     * content has no such table, it was dropped before. */
    tain_status (*snapshot_plan)(tain_source *s, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
    /* The same of a table's rows within these n regions alone, which reread was called with since it was read. UNSUPPORTED: something
     * else became of the table in the meantime, too, which the stream does not tell in full: all of it has to be read. NULL if reread is never called. */
    tain_status (*reread_plan)(tain_source *s, tain_source_table *table, const tain_region *const *within, size_t n, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
    tain_status (*reader_open)(tain_source *s, tain_reader **ret, tain_error *err);      /* any thread, not at once */
    /* Pushes all rows of the chunk in batches of at most about 8 MiB or 16,384 rows. NOT_FOUND: the source cannot give that content
     * any more, the table has changed since (what was pushed is worth nothing); it can give a newer one. Beside a stream the
     * table may be told to have another shape meanwhile: batches of that are not taken, which ends it the same way. */
    tain_status (*reader_read)(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err);
    /* A text that is the same as long as a row which no transaction changes stays in the chunk that it was in when the table
     * was cut, whatever the snapshot; it is another for ever once that may have been otherwise (the table was written anew,
     * has other partitions). As of now, outside of any snapshot. May be NULL: chunks are good for their own snapshot
     * only. Caller frees *ret. */
    tain_status (*reader_mark)(tain_reader *r, tain_source_table *table, char **ret, tain_error *err);
    void        (*reader_close)(tain_reader *r);
    tain_status (*snapshot_end)(tain_source *s, tain_error *err);

    /* Streams what was committed after position. GONE: the source does not have it any more. */
    tain_status (*start)(tain_source *s, const tain_position *position, tain_error *err);
    /* Delivers what there is, waiting for something until deadline (monotonic). Returns OK at any transaction boundary
     * behind the deadline, or inside a transaction never. UNAVAILABLE/BUSY: the caller calls start again after a pause,
     * with the position it has. */
    tain_status (*poll)(tain_source *s, tain_sink *sink, tain_time deadline, tain_error *err);
    /* Everything at or before position is durable in the lake: the source may forget it. Idempotent, cheap. */
    tain_status (*confirm)(tain_source *s, const tain_position *position, tain_error *err);
    /* The newest position that the source knows to have been confirmed, or one before it that can be started from; "":
     * unknown. Before start. May be NULL. */
    tain_status (*confirmed)(tain_source *s, tain_position *ret, tain_error *err);
    /* Where the source's stream ends now. */
    tain_status (*head)(tain_source *s, tain_position *ret, tain_error *err);
    /* How much it keeps back now. Thread: any one, beside every other call. NOT_FOUND: nothing makes it keep any. May be NULL: it
     * keeps nothing for a mirror. */
    tain_status (*retained)(tain_source *s, tain_retained *ret, tain_error *err);
    /* It keeps nothing back any more, and what it had is lost: start says GONE. Ends the stream. Idempotent. NULL if retained is. */
    tain_status (*forget)(tain_source *s, void (*say)(const char *line), tain_error *err);
    /* A descriptor that becomes readable when poll has something, -1: none. */
    int         (*wait_fd)(tain_source *s);
    /* Any thread: a blocked call returns CANCELLED soon. */
    void        (*cancel)(tain_source *s);
} tain_source_ops;

struct tain_source { /* embedded first by drivers */
    const tain_source_ops *ops;
    tain_beat beat; /* turns while a call that may take long gets on */
    bool in_order; /* a chunk costs little only if its reader was told of it, by `ahead`, with the one in front of it */
};

/* The remedy where the source has forgotten the position. */
#define TAIN_SOURCE_GONE_REMEDY "write what differs with --repair, or reload all tables with --resync"

/* Finds the driver by URL scheme (a bare path to an existing SQLite file is sqlite) and opens. */
tain_status tain_source_open(const tain_source_options *options, tain_source **ret, tain_error *err);
void        tain_source_close(tain_source *s); /* accepts NULL */
void        tain_source_cancel(tain_source *s); /* accepts NULL */
/* INVALID: its scheme is of no driver. A bare path is not looked at. */
tain_status tain_source_check_scheme(const char *url, tain_error *err);
/* Where an address leads over the network: "db.example.org", several with commas, in lower case. NULL: not there alone (a file, a socket), or
 * nobody knows where. Nothing is connected to. Caller frees. */
char *tain_source_host(const char *url);
/* Whether its parameters name nothing of this machine: no file, no variable, no service. */
bool tain_source_is_frugal(const char *url);
/* Whether it is the address of a server, scheme://user@host/database?query, and not of a file or of nothing that is known. */
bool tain_source_is_server(const char *url);
/* One more driver, found by its schemes before the built-in ones; NULL: none. For tests: call it before any open. */
void tain_source_register(const tain_source_ops *ops);
/* Whether "schema.table" is selected by the globs. */
bool tain_source_selects(const tain_source_options *options, const char *schema, const char *table);
/* After a describe with `used`: says which globs matched no table; NULL: each did. Caller frees. */
char *tain_source_unmatched(const tain_source_options *options);

/* What a table is called in records, reports and options: schema.table; a schema that has a point in it, or begins with a
 * quote, is in double quotes, so that no two tables are called the same. Caller frees. */
char *tain_source_full_name(const char *schema, const char *table);
/* Back from that. Caller frees both. */
void tain_source_split_name(const char *full, char **ret_schema, char **ret_table);
/* "--resync main.t": the option for that table, as a command line takes it. full: as above. Caller frees. */
char *tain_source_option(const char *option, const char *full);
char *tain_source_resync(const tain_source_table *t); /* "--resync main.t" of that table. Caller frees. */

/* For drivers: tables and findings. */
tain_source_table *tain_source_table_new(const char *schema, const char *name, const char *identity);
void               tain_source_table_free(tain_source_table *t); /* with all it points to, columns too; accepts NULL */
/* Adds a finding (formatted message) and raises the verdict. column NULL: the table. remedy may be NULL. */
void tain_source_table_find(tain_source_table *t, tain_verdict level, const char *code, const char *column, const char *remedy,
                            const char *format, ...) __attribute__((format(printf, 6, 7)));
void tain_source_table_clear_findings(tain_source_table *t);
void tain_findings_free(tain_finding *f, size_t n);

extern const tain_source_ops tain_source_sqlite, tain_source_postgres;

TAIN_AUTO_DEFINE(tain_source, tain_source_close)

#endif
