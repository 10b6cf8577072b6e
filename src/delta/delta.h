/* SPDX-License-Identifier: MIT */
/* delta.h -- one Delta table: its log, snapshot, commits, deletion vectors, checkpoints, upkeep.
 *
 * Works on a store view of the table's folder. An open tain_delta holds the state of one version: protocol, metadata,
 * live files, transactions, unexpired tombstones. A commit advances it; refresh() takes in what other writers did.
 * Rules that hold for every commit we write: one JSON object per file, put-if-absent; commitInfo first and once;
 * removes before adds; every remove carries the exact descriptor of the live add (path, deletion vector with offset);
 * a deletion vector is the full set, type "u", never empty and never all rows; numRecords counts physical rows.
 * Specification: Delta PROTOCOL.md. Thread: one at a time per table. */
#ifndef TAIN_DELTA_DELTA_H
#define TAIN_DELTA_DELTA_H

#include <roaring/roaring.h>

#include "base/map.h"
#include "parquet/refoot.h"

typedef struct tain_delta tain_delta;

typedef struct tain_dv { /* deletion vector descriptor; storage 0: none */
    char     storage;    /* 'u' 'i' 'p' */
    bool     has_offset;
    int32_t  offset, size;
    int64_t  cardinality;
    char    *path; /* pathOrInlineDv, owned */
} tain_dv;

/* A live data file. Owned by the table, the same object for as long as the path is live, whatever its vector. Once
 * removed, by whom ever, it stays readable with live = false until the call after that changes the table. */
typedef struct tain_delta_file {
    char             *path; /* as in the log (percent-encoded) */
    int64_t           size;
    tain_time         modified; /* milliseconds in the log */
    int64_t           rows;     /* physical, numRecords; -1 unknown */
    char             *stats;    /* JSON as in the log, NULL: none */
    char             *partition_values; /* JSON object text */
    char             *tags;     /* JSON object text or NULL */
    tain_dv           dv;
    roaring_bitmap_t *deleted;  /* loaded on demand: tain_delta_deleted() */
    uint32_t          ordinal;  /* unique in this process (set when the file is finished or read from the log), never
                                 reused: for the key index */
    void             *owner;    /* free for the user of the table */
    int64_t           since;    /* version that gave the file its present state (vector, statistics) */
    int64_t           vector_ms;    /* when this process gave it its vector; 0: it did not */
    int64_t           vector_bytes; /* that this process has written of vectors for it, one after the other */
    bool              live;     /* false: removed, or not added yet */
    bool              leaving;  /* private: removed by the commit that is being read */
} tain_delta_file;

typedef struct tain_delta_metadata {
    char        *id, *name, *description;
    tain_schema *schema;
    json_t      *configuration; /* object of strings */
    json_t      *partition_columns;
    int64_t      created_ms;
} tain_delta_metadata;

/* --- open, look ------------------------------------------------------------------------------------------------- */

/* NOT_FOUND: there is no _delta_log. CORRUPT names file and line. UNSUPPORTED: features we do not know. */
tain_status tain_delta_open(tain_store *folder, tain_delta **ret, tain_error *err);
/* As open, at an older version. GONE when its log is cleaned away. */
tain_status tain_delta_open_at(tain_store *folder, int64_t version, tain_delta **ret, tain_error *err);
void        tain_delta_close(tain_delta *t); /* accepts NULL */

int64_t                    tain_delta_version(const tain_delta *t);
const tain_delta_metadata *tain_delta_meta(const tain_delta *t);
/* Whether commits by others have changed metadata or protocol since it was opened, or said to be theirs, and none of ours did after that. */
bool tain_delta_meta_is_of_others(const tain_delta *t);
void tain_delta_disown_meta(tain_delta *t);
size_t                     tain_delta_file_count(const tain_delta *t);
/* Live files, in no order that means anything: cursor from 0, false at the end. */
bool             tain_delta_next_file(const tain_delta *t, size_t *io_cursor, tain_delta_file **ret);
tain_delta_file *tain_delta_find(const tain_delta *t, const char *path); /* NULL: not live */
/* Absolute path of f for local readers, percent-decoded; NULL: not on this machine. Caller frees. */
char *tain_delta_file_local_path(const tain_delta *t, const tain_delta_file *f);
/* Key of f in the table's folder; NULL: outside of it. Caller frees. */
char *tain_delta_file_key(const tain_delta *t, const tain_delta_file *f);
/* Opens it for reading with our own reader; UNSUPPORTED for what that does not read, and for files outside the folder. */
tain_status tain_delta_file_open(const tain_delta *t, const tain_delta_file *f, tain_parquet_file **ret, tain_error *err);
/* Version of the transaction of that application, -1: none. */
int64_t tain_delta_txn(const tain_delta *t, const char *app_id);
/* The rows of f that are deleted, loaded and kept; NULL for none. Borrowed, until f's vector changes. */
tain_status tain_delta_deleted(tain_delta *t, tain_delta_file *f, const roaring_bitmap_t **ret, tain_error *err);
/* Whether its protocol has deletion vectors; else a commit may delete whole files only. */
bool        tain_delta_has_vectors(const tain_delta *t);
int64_t     tain_delta_live_rows(const tain_delta *t); /* -1: some file does not tell */
int64_t     tain_delta_bytes(const tain_delta *t);   /* of live files */
int64_t     tain_delta_appended(const tain_delta *t); /* bytes of files that commits with data changes have added since it was opened */
int64_t     tain_delta_deleted_rows(const tain_delta *t); /* that live files still hold */
int64_t     tain_delta_log_tail(const tain_delta *t); /* commits since the last checkpoint */
/* The commitInfo objects from the newest backwards, at most n of those still in the log, as a JSON array of
 * {"version",...commitInfo}; caller json_decref()s. */
tain_status tain_delta_history(tain_delta *t, size_t n, json_t **ret, tain_error *err);
/* Takes in commits by others. *ret_foreign: number of commits taken in. GONE: the log went on and was cleaned behind the
 * version of t, which must be opened again. */
tain_status tain_delta_refresh(tain_delta *t, int64_t *ret_foreign, tain_error *err);

/* Whether its change data feed is on (PROTOCOL.md, Add CDC File): every commit must then tell what it changes, row by row. */
#define TAIN_DELTA_FEED_KEY "delta.enableChangeDataFeed"
bool tain_delta_has_feed(const tain_delta *t);
#define TAIN_DELTA_VECTORS_KEY "delta.enableDeletionVectors"

/* Whether the version that is open is still in the log. NOT_FOUND: the folder was removed, or the log cleaned behind it; what
 * were written now would be no part of any table. */
tain_status tain_delta_look(const tain_delta *t, tain_error *err);

/* --- write ------------------------------------------------------------------------------------------------------ */

/* A data file being written into a table's folder under a fresh unique name; the table need not exist yet.
 * Thread: any, one at a time per writer: it touches nothing of an open tain_delta. */
typedef struct tain_delta_writer tain_delta_writer;
tain_status tain_delta_writer_new(tain_store *folder, const tain_schema *schema, const tain_parquet_options *o, tain_delta_writer **ret, tain_error *err);
/* The same for a file of change data, which commits name in `feed`: columns of the table, and _change_type. It gets no statistics. */
tain_status tain_delta_feed_writer_new(tain_store *folder, const tain_schema *schema, const tain_parquet_options *o, tain_delta_writer **ret, tain_error *err);
tain_parquet_writer *tain_delta_writer_parquet(tain_delta_writer *w); /* append through this */
/* Of which columns the files of a table are to have statistics: those named (delta.dataSkippingStatsColumns), else so many from
 * the first (delta.dataSkippingNumIndexedCols, else 32), -1: all. A file has them of the first 32 unless said. */
typedef struct tain_delta_indexed { int64_t first; char *named; /* NULL: not by name */ } tain_delta_indexed;
tain_delta_indexed tain_delta_indexed_columns(const tain_delta *t); /* accepts NULL; the caller's, with done */
void               tain_delta_indexed_done(tain_delta_indexed *i);
void               tain_delta_writer_index_columns(tain_delta_writer *w, const tain_delta *t); /* as t has it now; accepts NULL */
void               tain_delta_writer_index(tain_delta_writer *w, const tain_delta_indexed *columns);
/* Finishes the file: durable, but not live before a commit adds it. Caller owns *ret (tain_delta_file_free). */
tain_status tain_delta_writer_finish(tain_delta_writer *w, tain_delta_file **ret, tain_error *err); /* frees w */
void        tain_delta_writer_abort(tain_delta_writer *w);                                          /* accepts NULL */
void        tain_delta_file_free(tain_delta_file *f);
/* A finished file as an add action, {"add":{...}}, appended; and back, in whichever process: not live, with an ordinal of its
 * own. Caller owns *ret. */
void        tain_delta_file_to_json(const tain_delta_file *f, tain_buffer *out);
tain_status tain_delta_file_from_json(const json_t *action, tain_delta_file **ret, tain_error *err);

/* Makes of f, live or pending, a file that has the columns of added as well (parquet/refoot.h), with its rows where they
 * were, and its ordinal; no vector: rows that are deleted in f are the caller's to delete. columns: of the table then.
 * Caller owns *ret. UNSUPPORTED: f lies outside of the folder, or as the conversion says. Thread: any. */
tain_status tain_delta_refoot(const tain_delta *t, const tain_delta_file *f, const tain_schema *added, const tain_refoot_source *sources,
                              size_t columns, tain_delta_file **ret, tain_error *err);

/* What one commit does. Zero it, fill it, commit it. Everything in it stays the caller's, but for adds: they move into
 * the table when the commit succeeds, and stay the caller's when it fails. */
typedef struct tain_delta_commit {
    const char *operation;          /* "CREATE TABLE" "WRITE" "MERGE" "OPTIMIZE" "DELETE" "TRUNCATE" */
    json_t     *parameters;         /* object of strings, borrowed, may be NULL */
    json_t     *metrics;            /* object of strings, borrowed, may be NULL */
    json_t     *info;               /* further members of commitInfo, borrowed, may be NULL */
    const char *app_id;             /* txn action, NULL: none */
    int64_t     app_version;
    const tain_schema *schema;      /* new schema (metaData action), NULL: unchanged; the protocol follows by itself */
    json_t     *configuration;      /* properties to set or, where null, to remove; NULL: unchanged */
    const char *name;               /* metaData.name, NULL: unchanged */
    tain_delta_file **adds;         size_t add_count;
    tain_delta_file **removes;      size_t remove_count; /* live files of the table */
    struct tain_dv_change {         /* rows newly deleted in a live file, or in one of adds */
        tain_delta_file  *file;
        roaring_bitmap_t *rows; /* additional ones; owned by the caller */
    } *deletes;                     size_t delete_count; /* a file whose every row is deleted is removed (or not added) */
    bool data_change;               /* false for OPTIMIZE */
    bool lowers;                    /* lower.c's: the protocol loses what nothing needs */
    bool whole;                     /* removes is all there is, and schema is given: properties and features by which the table asks
                                       more of a writer than tain does go with what they were asked for */
    const roaring_bitmap_t *moved;  /* ordinals of removes, and of adds that have the very same rows: no data change; NULL: none */
    tain_delta_file *const *feed;   size_t feed_count; /* files of change data: all rows that the commit changes, or none */
} tain_delta_commit;

/* Creates version 0 in an empty folder from c (schema required). EXISTS when there is a table already. */
tain_status tain_delta_create(tain_store *folder, const tain_delta_commit *c, tain_delta **ret, tain_error *err);
/* Writes deletion vectors and the commit, durably, and advances t. If another writer took the version: their commits
 * are read; when they touched nothing that c removes, deletes from or redefines, the commit is tried at the next
 * version, else CONFLICT (t is then refreshed, c is untouched). A lost answer is resolved by reading back; UNKNOWN only when
 * that fails too: then refresh, and look at tain_delta_txn. GONE as with refresh. Adds whose every row is deleted become the table's as well.
 * UNSUPPORTED when the table has what we do not write; INVALID when c contradicts itself or the table, as one that deletes rows
 * of live files without change data where the feed is on. Files that are removed or added as a whole are their own change data. */
tain_status tain_delta_commit_write(tain_delta *t, const tain_delta_commit *c, tain_error *err);

/* --- upkeep ----------------------------------------------------------------------------------------------------- */

/* Whether a checkpoint is due: by commits since the last, bytes of log tail, and time. */
bool        tain_delta_checkpoint_due(const tain_delta *t);
/* And _last_checkpoint. Now and then what was written is read again and compared (INTERNAL, and it is removed). */
tain_status tain_delta_checkpoint(tain_delta *t, tain_error *err);
/* The table as it is, apart: checkpoint, clean_log and vacuum do with it what they do with t, on any thread and while t goes
 * on. It has no ordinals of its own, and nothing is committed through it. Caller closes it. */
tain_delta *tain_delta_still(tain_delta *t);
/* t goes on from the checkpoint that was written of its still, if one was. */
void        tain_delta_take_checkpoint(tain_delta *t, const tain_delta *still);
/* Removes log files older than delta.logRetentionDuration, always behind a checkpoint. */
tain_status tain_delta_clean_log(tain_delta *t, tain_error *err);
/* Whether nothing live needs the protocol that the table has: no file has a vector, no column a type of a newer version. */
bool        tain_delta_can_lower(const tain_delta *t);
/* Makes it the least that the table needs, and writes no more vectors: its property says so. As with DROP FEATURE ... TRUNCATE
 * HISTORY, the log keeps no trace: versions before the new one cannot be read any more. info: as in a commit. After a failure, or
 * a crash at any point, it can be done again. CONFLICT: somebody committed meanwhile. */
tain_status tain_delta_lower(tain_delta *t, json_t *info, tain_error *err);
/* How long removed files are to stay for readers of older versions: delta.deletedFileRetentionDuration, else a week. */
tain_time   tain_delta_retention(const tain_delta *t);
/* Takes in commits by others, then removes files that no live add or unexpired tombstone names, older than retention.
 * dry_run: only counts. */
typedef struct tain_vacuum_result { int64_t files, bytes; } tain_vacuum_result;
tain_status tain_delta_vacuum(tain_delta *t, tain_time retention, bool dry_run, tain_vacuum_result *ret, tain_error *err);

TAIN_AUTO_DEFINE(tain_delta, tain_delta_close)

#endif
