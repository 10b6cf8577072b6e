/* SPDX-License-Identifier: MIT */
/* sqlite.h -- the driver's own view of an opened file. Internal to this folder.
 *
 * Connections, none of which holds a transaction while the sink's commit runs, as a transaction of ours can keep our own
 * writes waiting:
 *   db      looks and follows; reads only
 *   log     makes and prunes the log, in short transactions; opened when first needed
 *   shadow  capture by comparison: what the mirror was told last; a file of our own
 *   and the snapshot's (snapshot.c)
 *
 * Positions: "%020lld-%012llx": seq of a log row, and its time in milliseconds. A file that was replaced, or restored to
 * an older state and written to since, has no row with both. With comparison: "%020lld", a generation of the shadow. */
#ifndef TAIN_SOURCE_SQLITE_SQLITE_H
#define TAIN_SOURCE_SQLITE_SQLITE_H

#include "base/map.h"
#include "source/sqlite/shape.h"
#include "source/sqlite/triggers.h"
#include "source/sqlite/watch.h"

/* What the mirror must hear about a table that goes on. */
typedef enum tain_sqlite_news_state {
    TAIN_SQLITE_NO_NEWS, TAIN_SQLITE_QUEUED,
    TAIN_SQLITE_TOLD,    /* at `at`; told again if the stream starts again before that is confirmed */
    TAIN_SQLITE_LOADED,  /* it was loaded again, from a snapshot at `at`; to be remembered until that is confirmed */
} tain_sqlite_news_state;

typedef struct tain_sqlite_news {
    tain_sqlite_news_state state;
    bool                   reload;
    char                  *reason;
    tain_position          at;
} tain_sqlite_news;

typedef struct tain_sqlite_table {
    tain_source_table  table;    /* first: what the user of the source sees */
    tain_sqlite_shape *shape;    /* NULL: gone */
    int64_t            id;       /* its number in the log or shadow, 0: none yet */
    bool               looked;   /* met by the look in progress */
    bool               told;     /* the user of the source takes it for one that is mirrored */
    bool               doubtful; /* triggers that matter to OR REPLACE are missing: changes behind the position may be, too */
    bool               renumber; /* what the log has of it so far is void: it gets a new number */
    bool               unseen;   /* its values have to be looked at */
    bool               dirty;    /* its shape is not kept yet as it is */
    tain_sqlite_news   news;
    tain_sqlite_marks  marks;
    int64_t            scanned;  /* data_version of db for which marks and bits hold, -1: none */
    sqlite3_stmt      *query;    /* follow.c's */
    tain_sqlite_value *values;   /* scratch: a row and a key */
} tain_sqlite_table;

typedef struct tain_sqlite {
    tain_source          source; /* first */
    tain_source_options  options; /* text owned, except policies */
    char                *path;    /* absolute, links resolved */
    char                *prefix;  /* "__tain_<mirror>" */
    uint64_t             device, inode;
    char                *shadow_path;
    bool                 shadow_writable;
    tain_sqlite_conn     db, log, shadow;
    tain_sqlite_watch   *watch;
    atomic_bool          cancelled;

    tain_map             by_name; /* also tables that are gone */
    tain_sqlite_table  **tables;
    size_t               table_count;
    tain_source_table  **catalog; /* those that are not */
    size_t               catalog_count;
    tain_schema        **retired; /* schemas somebody may still use */
    char               **retired_names;
    size_t               retired_count, retired_name_count;
    int64_t              schema_version; /* of the last look */
    bool                 keeps;          /* something is kept of tables */
    int64_t              kept_version;   /* when shapes were kept, -1: not known */
    tain_buffer          virtual_tables; /* their names, for a finding */

    bool                 marked;   /* this process mirrors: it has made capture ready, and a row of its own in the log */
    tain_position        position; /* delivered up to here */
    int64_t              seq;      /* its number */
    bool                 started;
    int64_t              data_version; /* of db when last looked for changes, -1: look again */
    tain_time            looked;       /* when it was looked for changes last (monotonic) */
    tain_time            pause;        /* between the last two looks; 0: there was a write */
    tain_position        confirmed;
    bool                 replay_wanted; /* comparison: deliver again what came behind the position */
    bool                 prune_wanted;
    tain_time            prune_at; /* not earlier */

    struct tain_sqlite_snapshot *snapshot; /* NULL: none */
} tain_sqlite;

static inline tain_sqlite *tain_sqlite_of(tain_source *s) { return (tain_sqlite *)s; }
static inline tain_sqlite_table *tain_sqlite_table_of(tain_source_table *t) { return (tain_sqlite_table *)t; }
/* Whether it is there and can be mirrored. */
static inline bool tain_sqlite_is_live(const tain_sqlite_table *t) { return t->shape && t->table.verdict != TAIN_VERDICT_ERROR; }

/* CANCELLED once after a cancel. */
tain_status tain_sqlite_check_cancel(tain_sqlite *s, tain_error *err);

/* --- look.c -------------------------------------------------------------------------------------------------------- */

/* Reads the schema, and the values of tables that were not kept, and brings s->tables up to date. */
tain_status tain_sqlite_look(tain_sqlite *s, tain_error *err);
/* Takes types and key of the shape over into what the user sees. */
void tain_sqlite_show(tain_sqlite *s, tain_sqlite_table *t);
void tain_sqlite_queue(tain_sqlite_table *t, bool reload, const char *reason);
/* The connection that holds what is kept of tables: the log's file, or the shadow. NULL: there is none yet. */
tain_sqlite_conn *tain_sqlite_keeper(tain_sqlite *s);

/* --- readded.c ----------------------------------------------------------------------------------------------------- */

/* Whether t's last column may have been dropped and added again since it was last looked at. In a transaction on s->db. */
tain_status tain_sqlite_is_readded(tain_sqlite *s, const tain_sqlite_table *t, bool *ret, tain_error *err);

/* --- capture.c ----------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_open_log(tain_sqlite *s, tain_error *err);
/* Looks, and makes log and triggers as they must be for what was found. */
tain_status tain_sqlite_install(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err);
tain_status tain_sqlite_uninstall(tain_sqlite *s, void (*say)(const char *), tain_error *err);
/* Takes log and triggers out of the file, if there are any. */
tain_status tain_sqlite_remove_log(tain_sqlite *s, tain_time patience, void (*say)(const char *), tain_error *err);
/* Writes down shapes that are dirty and reloads that are due. In a transaction of the caller's, or a short one. */
tain_status tain_sqlite_keep(tain_sqlite *s, tain_sqlite_conn *c, tain_error *err);
tain_status tain_sqlite_keep_table(tain_sqlite_conn *c, const char *prefix, tain_sqlite_table *t, tain_error *err);
/* Whether triggers are as they must be: 0 no, 1 but for those that matter to OR REPLACE, 2 yes. */
tain_status tain_sqlite_triggers_state(tain_sqlite *s, const tain_sqlite_table *t, int *ret, tain_error *err);
/* The tables that our triggers are on now: their names -> their numbers in the log, as text. Caller frees values and map. */
tain_status tain_sqlite_list_homes(tain_sqlite_conn *c, const char *prefix, tain_map *ret, tain_error *err);
tain_status tain_sqlite_has_table(tain_sqlite_conn *c, const char *name, bool *ret, tain_error *err);

/* --- follow.c ------------------------------------------------------------------------------------------------------ */

/* The newest log row's position as the connection's transaction sees it; "" without log. *ret_seq 0 then. */
tain_status tain_sqlite_log_end(tain_sqlite *s, tain_sqlite_conn *c, tain_position *ret, int64_t *ret_seq, tain_time *ret_time, tain_error *err);
/* The position of the oldest row of the log; "": there is none. */
tain_status tain_sqlite_log_begin(tain_sqlite *s, tain_position *ret, tain_error *err);
tain_status tain_sqlite_follow_start(tain_sqlite *s, const tain_position *position, tain_error *err);
/* Delivers what there is; *ret_any whether there was something. */
tain_status tain_sqlite_follow(tain_sqlite *s, tain_sink *sink, bool *ret_any, tain_error *err);
void tain_sqlite_forget_query(tain_sqlite_table *t);
bool tain_sqlite_takes_rows(const tain_sqlite_table *t);
/* NULL: none has that number in the log. */
tain_sqlite_table *tain_sqlite_table_numbered(tain_sqlite *s, int64_t id);
/* The file is still the one that was opened; with comparison: else the new one is opened. */
tain_status tain_sqlite_check_file(tain_sqlite *s, tain_error *err);

/* --- deliver.c ----------------------------------------------------------------------------------------------------- */

/* Tells sink about tables that changed, appeared or went. */
tain_status tain_sqlite_tell(tain_sqlite *s, tain_sink *sink, const tain_position *at, tain_error *err);
bool        tain_sqlite_has_news(const tain_sqlite *s);
/* Adds what the row in t->values shows; true: the table's types or key changed by it, sink was told to load it again. */
tain_status tain_sqlite_learn(tain_sqlite *s, tain_sqlite_table *t, tain_sink *sink, const tain_position *at, bool *ret_changed, tain_error *err);
/* One row: values by column, or of key columns only (DELETE_IF). */
void tain_sqlite_emit(tain_sqlite_table *t, tain_sink *sink, const tain_sqlite_value *values, tain_op op);

/* --- prune.c ------------------------------------------------------------------------------------------------------- */

/* Deletes what is confirmed, if it is time and nobody else is writing. */
tain_status tain_sqlite_prune(tain_sqlite *s, tain_error *err);

/* --- snapshot.c ---------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_snapshot_begin(tain_source *s, tain_source_table **tables, size_t n, tain_position *ret_position, tain_error *err);
tain_status tain_sqlite_snapshot_plan(tain_source *s, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err);
tain_status tain_sqlite_snapshot_end(tain_source *s, tain_error *err);
tain_status tain_sqlite_reader_open(tain_source *s, tain_reader **ret, tain_error *err);
tain_status tain_sqlite_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err);
void        tain_sqlite_reader_close(tain_reader *r);

/* --- shadow.c: capture by comparison ---------------------------------------------------------------------------------- */

/* Opens the shadow for reading, if there is one. */
tain_status tain_sqlite_shadow_look(tain_sqlite *s, tain_error *err);
tain_status tain_sqlite_shadow_prepare(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err);
tain_status tain_sqlite_shadow_remove(tain_sqlite *s, void (*say)(const char *), tain_error *err);
tain_status tain_sqlite_shadow_start(tain_sqlite *s, const tain_position *position, tain_error *err);
tain_status tain_sqlite_shadow_follow(tain_sqlite *s, tain_sink *sink, bool *ret_any, tain_error *err);
tain_status tain_sqlite_shadow_confirm(tain_sqlite *s, const tain_position *position, tain_error *err);
tain_status tain_sqlite_shadow_head(tain_sqlite *s, tain_position *ret, tain_error *err);
/* Takes over the content of tables as c's transaction sees it. In a process that does not mirror: only tells the position. */
tain_status tain_sqlite_shadow_rebase(tain_sqlite *s, tain_sqlite_conn *c, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err);

/* --- compare.c ----------------------------------------------------------------------------------------------------- */

/* Brings t's shadow from what it was to what c's transaction sees, as of generation. sink, at: told of the differences;
 * both NULL: nobody is. In a transaction on s->shadow. */
tain_status tain_sqlite_compare(tain_sqlite *s, tain_sqlite_conn *c, tain_sqlite_table *t, int64_t generation, tain_sink *sink, const tain_position *at,
                                tain_error *err);
/* Tells again what a table without key went through after a generation. */
tain_status tain_sqlite_replay(tain_sqlite *s, tain_sqlite_table *t, int64_t after, tain_sink *sink, tain_error *err);
void tain_sqlite_generation_position(int64_t generation, tain_position *ret);

#endif
