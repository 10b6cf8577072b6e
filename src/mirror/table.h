/* SPDX-License-Identifier: MIT */
/* table.h -- one mirrored table: its Delta table, its key index, what is pending for the open epoch, its state.
 *
 * States and who moves a table between them:
 *
 *   INITIALIZED --snapshot begins--> SNAPSHOTTING --content committed--> REPLICATING
 *   REPLICATING --reload needed--> RESEEDING --new content committed--> REPLICATING
 *   any --source table dropped--> STOPPED          (folder stays)
 *   any --paused by the definition, at a start--> STOPPED  (until one at which it is not, which loads it again)
 *   any --cannot go on--> FAILED                   (reason and remedy; the other tables go on)
 *
 * In every state but REPLICATING stream changes are not taken; the table's `have` position tells, once it replicates
 * again, which changes it holds already. All of a table is owned by one thread at a time: by the source thread and its
 * readers while it is `loading`, else by the writer thread. The fields under "for others" are the exception. */
#ifndef TAIN_MIRROR_TABLE_H
#define TAIN_MIRROR_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "batch/key.h"
#include "delta/delta.h"
#include "index/index.h"
#include "maintain/health.h"
#include "mirror/ordinals.h"
#include "source/source.h"

/* What upkeep does beside the commits: small things, and large ones. */
enum { TAIN_LANE_LIGHT, TAIN_LANE_HEAVY, TAIN_LANES };

typedef enum tain_table_status {
    TAIN_TABLE_INITIALIZED, TAIN_TABLE_SNAPSHOTTING, TAIN_TABLE_REPLICATING, TAIN_TABLE_RESEEDING, TAIN_TABLE_STOPPED, TAIN_TABLE_FAILED,
} tain_table_status;
#define TAIN_IDENTITY_KEY "tain.identity" /* property of a Delta table: what the table is in its source under any name */

const char *tain_table_status_name(tain_table_status s);
tain_table_status tain_table_status_of(const char *name); /* INITIALIZED: none is called so */

/* What the mirror's definition says of a table's change data feed (feed.h). */
typedef enum tain_feed_wish { TAIN_FEED_UNSAID, TAIN_FEED_ON, TAIN_FEED_OFF } tain_feed_wish;

/* Values replaced by policy and other announced imperfections, counted. */
typedef struct tain_warning { char *code, *column; int64_t count; } tain_warning;

/* Rows newly deleted in one file. */
typedef struct tain_file_deletes {
    tain_delta_file  *file;
    roaring_bitmap_t *rows;
} tain_file_deletes;

/* What the open epoch will commit to the table. */
typedef struct tain_pending {
    tain_delta_file  **adds;        /* written, not committed; owned */
    size_t             add_count, add_capacity;
    tain_file_deletes *deletes;     /* in live files and in adds */
    size_t             delete_count, delete_capacity;
    tain_delta_file  **replaced;    /* live files that others among adds, with their ordinals, stand for */
    size_t             replaced_count;
    bool               truncated;   /* remove every file that is live in the log */
    const tain_schema *schema;      /* the table's `shown`, where the lake's is another; NULL: unchanged */
    json_t            *configuration; /* properties to set; NULL: unchanged */
    char              *name;        /* metaData.name from here on; NULL: unchanged; owned */
    bool               rekeyed;     /* the index is made anew for the new schema */
    int64_t            rows, inserted, updated, deleted; /* changes applied */
    int64_t            bytes;
    tain_position      position;
    bool               dirty;
} tain_pending;

/* From row `row` on, changes are of that transaction: part of every state whose position is >= at. */
typedef struct tain_stamp {
    size_t        row;
    tain_position at;
    int64_t       transaction; /* its number in the source; 0: not known */
    tain_time     time;        /* when it was committed; 0: not known */
} tain_stamp;

/* What upkeep knows of one Delta table, which is a table's or its history's. */
typedef struct tain_tended {
    struct tain_upkeep_job *jobs[TAIN_LANES]; /* in flight */
    bool      set;         /* its properties are as they were asked for, or cannot be */
    tain_time next_vacuum;
    int64_t   rewritten; /* bytes of files that upkeep has written anew alone */
    int64_t   rested;    /* and of those that lost their vectors at rest, less what it may beyond what is added */
    int64_t   cleaned;     /* hour in which its log was last looked through for what is too old */
    int64_t   kept_up;     /* the version at which there was nothing to do */
    tain_time rests_at;    /* monotonic: from then on it is left alone, if no commit comes; 0: not known yet, INT64_MAX: that was seen to */
} tain_tended;

/* Rows of a table that are to be read again alone (reread.h). */
typedef struct tain_reread {
    const tain_region **within; /* regions; the list is owned */
    size_t              count;  /* 0: nothing is to be read again, or all */
    tain_position       from;   /* everything at or before it is in the lake; once it is read: and nothing else */
} tain_reread;

typedef struct tain_table {
    tain_source_table *source;      /* NULL: the source has it no more */
    char              *name;        /* "schema.table" */
    char              *folder;
    tain_store        *store;       /* view of the folder */
    char              *cache_dir;
    char              *app_id;      /* borrowed from the mirror */
    const json_t      *policies;    /* borrowed from its definition; NULL: defaults */
    tain_time          retention;   /* of its definition; 0: not known */
    tain_pool         *pool;        /* borrowed from the mirror: for what is done with many files */
    tain_beat         *beat;        /* borrowed from the mirror: turns with each file that is worked on; NULL: nobody looks */
    tain_delta        *delta;       /* NULL: no Delta table yet */
    tain_index        *index;
    tain_schema       *schema;      /* of rows now arriving, with the names that data files have; owned */
    tain_schema       *shown;       /* that, and behind it the columns that are kept: what the lake's is to be; owned */
    tain_key           key;
    uint16_t          *key_columns; /* owned; every column for a table without key */
    bool               multiset;    /* no key: equal rows are interchangeable */
    bool               compat;      /* read by engines that know no deletion vectors: copyonwrite.h */
    bool               exact;       /* equal hashes prove equal keys */
    bool               unindexed;   /* the index is of another key: it must be made anew */
    bool               recalled;    /* the source shows it as it was when the lake was written */
    bool               as_left;     /* `shown` is what this mirror had left, which others have changed since */
    int32_t            column_ids;  /* the highest ever given */
    tain_ordinals      files;       /* live and pending ones */
    tain_pending       pending;
    tain_position      committed;   /* of its newest commit in an epoch; "": there was none yet */
    tain_position      have;        /* everything at or before it is in the table */
    bool               announced;   /* listed in an epoch record since it was (re)loaded */
    uint64_t           used;        /* number of the part that last changed it */
    tain_feed_wish     feed;        /* whether it is to have a change data feed */
    size_t             budget;      /* bytes that one piece of work on it may hold; 0: no matter */
    tain_tended        tended;      /* its Delta table, by upkeep.c */
    struct tain_history *history;   /* every version of its rows (history.h); NULL: none is kept */
    const tain_buffer *stamps;      /* tain_stamps of what is being applied; NULL: it is not of the stream */
    struct tain_replay *replay;     /* what is pending was read at several positions: changes are upserts until it is committed */
    bool               foreign;     /* a Delta table that is not ours is in its folder */
    char              *to_schema, *to_name; /* where its folder belongs once the epoch is committed; NULL: it stays */
    bool               aside;       /* its place is another's now: its folder has a name of its own until it has a place again */
    bool               waits;       /* it goes there once no other table is there */
    bool               replaced;    /* the source has it no more, and another one has its name and folder */
    bool               paused;      /* it is not followed for now, whatever comes of it */
    bool               left_behind; /* the source has it no more, or it is not selected; source is a stand-in, owned */

    /* source thread's */
    struct tain_item  *open_item;   /* where the intake appends changes now */
    const tain_schema *told;        /* columns that the writer was last told of; NULL: nothing that still holds */
    uint64_t           checked;     /* number of the transaction for which `skip` holds */
    bool               skip;
    bool               needs_load;
    bool               late;        /* since the snapshot was asked for: it is not in that */
    tain_position      passed;      /* of the last that came of it while it waited to be loaded; "": nothing */
    bool               loading;     /* its readers own it until the load ends, changes are not taken; guarded by tables_lock */
    tain_position      loading_at;  /* of the snapshot */
    bool               missed;      /* something came of it since */
    tain_position      reshaped_at; /* where it was last given another shape; "": it was not */
    bool               retell;      /* that was lost with the stream, or was not for it to hear */
    bool               overtaken;   /* by what came since, so that the load is worth nothing */
    bool               behind;      /* `have` is exact, and before the newest record: the stream begins there */
    int                load_tries;  /* in a row that ended because it changed while it was read */
    bool               staged;      /* since then a replay is under way, as far as this thread knows */
    char              *load_reason; /* why a table that had content is loaded again */
    tain_reread        reread;      /* what of it is, if not all */

    /* for others: guarded by lock */
    pthread_mutex_t   lock;
    _Atomic tain_table_status status;
    atomic_bool       finishes;     /* it was followed when it was dropped: what came before that is still written */
    atomic_bool       anew;         /* it is to be loaded from the beginning */
    char              reason[1024], remedy[1024];
    char             *misfit;       /* why its files cannot be brought to its shape, until the source thread has seen it; owned */
    tain_warning     *warnings;
    size_t            warning_count;
    int64_t           rows_processed, bytes_processed, rows_live;
    int64_t           rows_total;   /* estimate while loading */
    tain_time         last_completed, latency;
    tain_health       health;       /* when upkeep looked last */
    int64_t           rows_read;    /* by a load, and not in rows_processed yet */
    bool              gone;         /* STOPPED: the source has it no more */
    tain_status       fault;        /* FAILED: of what kind it is */
    bool              known;        /* the last run spoke of it: */
    tain_table_status was;          /* as that */
    struct { struct tain_records *by; int64_t rows, bytes; tain_time at; } recorded; /* up to then (records.h); by NULL: no records are kept */
} tain_table;

tain_table *tain_table_new(tain_store *lake, const char *cache_dir, const char *app_id, tain_source_table *source);
void        tain_table_free(tain_table *t);
/* Gives it the name and folder of that name; what is open of it is closed. Nothing on disk moves. */
void tain_table_house(tain_table *t, tain_store *lake, const char *cache_dir, const char *schema, const char *name);
/* Gives it the folder of a table whose place is another's, beside that place; its name stays. Else as above. */
void tain_table_house_aside(tain_table *t, tain_store *lake, const char *cache_dir);
void tain_table_goes(tain_table *t, const char *schema, const char *name); /* its folder follows at the end of the epoch */
void tain_table_stays(tain_table *t); /* forgets where it was to move */

/* Takes columns and key from the source table, for content that is read anew. */
void tain_table_shape(tain_table *t, const tain_source_table *source);
/* The columns of the newest shape there is, pending or in the lake; NULL: none. Borrowed, until the next change. */
const tain_schema *tain_table_columns(const tain_table *t);
/* What is to be shown if it takes that shape while the lake's columns are existing (may be NULL). Caller frees. */
tain_schema *tain_table_show(const tain_table *t, const tain_source_table *shape, const tain_schema *existing);
/* Takes what is to be shown (its owner now) and the key of source, whose columns are the first of it in the same order. */
void tain_table_take_schema(tain_table *t, tain_schema *shown, const tain_source_table *source);
/* Whether the mirror did not write the Delta table in that folder as one of its tables: others may put theirs into the lake, and so have
 * histories. One that cannot be opened may be the mirror's, unless it is of a kind that the mirror does not make. */
bool tain_table_is_of_others(tain_store *lake, const char *folder, const char *app_id);
/* Opens the Delta table in its folder. NOT_FOUND: there is none. INVALID: one that this mirror did not write. */
tain_status tain_table_find_delta(tain_table *t, tain_error *err);
/* Opens the Delta table in its folder, if there is one, and its index, feeding the index what it does not cover.
 * *ret_found: whether there was one; its position then is in t->have (from the commit, or `otherwise` when the log no
 * longer tells), and its columns are those that this mirror gave it, whatever others have made of them since (uphold.h). source
 * (may be NULL) is asked to recall what it knew of the table then. A table that the source has made anew since gets a
 * load_reason. INVALID: as above. */
tain_status tain_table_open(tain_table *t, tain_source *source, const tain_position *otherwise, int64_t last_epoch, bool *ret_found,
                            tain_error *err);
/* What the newest of the last commits that came to a position says of it ("tain" of its commitInfo); NULL: the log does not tell any more.
 * *ret_version: which that is, *ret_others: commits by other programs up to it; may be NULL. Caller json_decref()s. */
tain_status tain_table_newest_progress(tain_delta *d, json_t **ret, int64_t *ret_version, int64_t *ret_others, tain_error *err);
/* The properties that the lake's table needs to hold memo, identity and retention, and to be of its profile, as an object; NULL: it has them. Caller json_decref()s. */
json_t *tain_table_memo(const tain_table *t, const char *memo);
/* Says why its files cannot be brought to the shape it has: it is loaded again. Thread: writer. */
void tain_table_misfit(tain_table *t, const char *why);
/* Opens an empty index for a table about to be loaded. */
tain_status tain_table_new_index(tain_table *t, tain_error *err);
/* Makes the index anew for the key it has now, from live and pending files. */
tain_status tain_table_index_anew(tain_table *t, tain_error *err);
/* Those columns alone, in that order, as data files have them; names in them are the table's. Caller frees. */
tain_schema *tain_table_file_columns(const tain_table *t, const uint16_t *columns, size_t n);
/* The key columns alone, in key order; caller frees. */
tain_schema *tain_table_key_schema(const tain_table *t);
/* The key in columns of such a schema; columns: room for their numbers, which are filled in. */
tain_key tain_table_key_of_columns(const tain_table *t, uint16_t *columns);
/* Feeds the index every live file it does not cover. */
tain_status tain_table_feed_index(tain_table *t, tain_error *err);
/* So many commits by other programs were taken in: they are warned of, and rows are found where they are now. 0: nothing. */
tain_status tain_table_follow_others(tain_table *t, int64_t commits, tain_error *err);
/* Gives back what its index holds in memory: it goes to disk. False: it cannot, and is kept. */
bool tain_table_release_index(tain_table *t);
/* Feeds the index a data file, live or not, unless it covers it. */
tain_status tain_table_feed_file(tain_table *t, const tain_delta_file *f, tain_error *err);
/* Opens a data file of the table, live or not. */
tain_status tain_table_open_file(const tain_table *t, const tain_delta_file *f, tain_parquet_file **ret, tain_error *err);
/* How its files are written: row groups within its budget. */
tain_parquet_options tain_table_file_options(const tain_table *t);
/* Makes the live files findable by their ordinals, and no others. */
void tain_table_know_files(tain_table *t);

/* The source has it no more. */
void tain_table_set_dropped(tain_table *t);
void tain_table_set_status(tain_table *t, tain_table_status status, const char *reason, const char *remedy);
/* FAILED, for that reason; kind: whose trouble it is. */
void tain_table_set_failed(tain_table *t, tain_status kind, const char *reason, const char *remedy);
void tain_table_warn(tain_table *t, const char *code, const char *column, int64_t count);
/* The same for what either is so or not: it counts as one. */
void tain_table_note(tain_table *t, const char *code, const char *column);
/* They were about content that is replaced. */
void tain_table_forget_warnings(tain_table *t);
/* The source has it no more, or never gave it: its folder is for the one that comes to have its name. */
bool tain_table_makes_way(const tain_table *t);
/* Also one that was dropped while it was followed: what came before that is still to be written. */
bool tain_table_takes_changes(const tain_table *t);
/* Whether a column is part of the key: values that a policy replaces there would make different rows the same. */
bool        tain_source_table_is_key(const tain_source_table *source, size_t column);
tain_status tain_table_fail_key(const tain_source_table *source, size_t column, tain_error *err); /* says so; UNSUPPORTED */

void tain_pending_add_file(tain_table *t, tain_delta_file *f);
/* Whether others stand for that live file once the epoch is committed. */
bool tain_pending_replaces(const tain_table *t, const tain_delta_file *f);
/* The bitmap of rows newly deleted in file during this epoch; made when make is true, else may be NULL. */
roaring_bitmap_t *tain_pending_deletes(tain_table *t, tain_delta_file *f, bool make);
void tain_pending_clear(tain_table *t); /* forgets it all, files left for vacuum */
void tain_pending_drop(tain_table *t);  /* but for what its history has of it */

#endif
