/* SPDX-License-Identifier: MIT */
/* history.h -- beside a table every version that its rows ever had: the Delta table <table>__history, which only grows.
 *
 * Columns: those of the source, all nullable, those it has no more (under their name, or NAME_dropped), and behind them
 *   __tain_operation    snapshot, insert, update, delete; key_delete and key_insert: an update that changed the key; truncate: every
 *                       row went; reload: every row before it is void, the `snapshot` rows that follow are what there was
 *   __tain_position     a version is part of every state whose position is >= (the driver's text, order of bytes)
 *   __tain_transaction  the source's number of it, null: not known;  __tain_commit_time  null: not known
 *   __tain_order        rises from version to version of the table, with gaps
 * A removed row is there as it was. The property tain.shapes tells which columns and which key the table had from where on.
 *
 * What stays true:
 *   - every commit of the table that changes its rows has one of the history with the same txn version, or a higher one,
 *     in front of it; what enters as a snapshot is committed behind the table's. So a history whose txn is lower lacks something
 *     (`stale`), and the content enters anew; one that is ahead skips what it has (`have`) when it comes again;
 *   - what gives rows that are there other values without a change of them (a column with a default, another type, another key, a
 *     part that is read again) is a reload: no state has to be computed from anything but versions;
 *   - the history of a table is of its table's thread, and its failure is the table's.
 * What is pending goes with what is pending in the table. Thread: writer, or the source's while nothing is in flight. */
#ifndef TAIN_MIRROR_HISTORY_HISTORY_H
#define TAIN_MIRROR_HISTORY_HISTORY_H

#include "mirror/mirror.h"
#include "mirror/apply/net.h"
#include "scan/scan.h"

#define TAIN_HISTORY_SUFFIX "__history"
#define TAIN_HISTORY_OF     "tain.history_of" /* property: identity of the table in its source */
#define TAIN_HISTORY_SHAPES "tain.shapes"     /* property: [{"at","time" (microseconds, 0: not known),"columns":[[name,physical]...],"key":[physical...]}...] */
#define TAIN_HISTORY_APPENDS "delta.appendOnly" /* property: it keeps everything */
#define TAIN_HISTORY_HORIZON "tain.horizon"   /* property: {"at","time"}: states before that position are not known any more (prune.h) */
enum { TAIN_HISTORY_COLUMNS = 5 };

typedef struct tain_history {
    tain_table       *table;
    char             *folder, *name, *app_id;
    tain_store       *store;
    tain_delta       *delta;    /* NULL: none yet */
    const int64_t    *epochs;   /* the mirror's next number */
    tain_schema      *seen;     /* columns of the table, and ... */
    uint16_t         *seen_key; /* ... its key, which the following were made for */
    size_t            seen_key_count;
    tain_schema      *shown;    /* what the lake's columns are to be */
    tain_schema      *columns;  /* of files: the source's and ours */
    json_t           *shapes;   /* as the property is to be */
    tain_position     have;     /* everything at or before it is in it */
    bool              anew;     /* what is pending is to be read as a whole */
    bool              owed;     /* what should have entered behind a commit did not: it is tried again */
    bool              stale;    /* it lacks something: content enters behind the table's next commit, or at start */
    tain_delta_file **adds;     /* pending; owned */
    size_t            add_count;
    int64_t           entering; /* number of the commit that content is read for; 0: that of the next epoch, or a higher one */
    int64_t           base, next; /* the next __tain_order is their sum */
    tain_time         retention; /* how long every version is kept; -1: for ever */
    tain_time         next_prune; /* upkeep.c's: not before (monotonic) */
    tain_tended       tended;
} tain_history;

/* Begins to keep one, if the definition says so; finds what there is. The table's delta is open if it has one. */
tain_status tain_history_open(tain_mirror *m, tain_table *t, tain_error *err);
void        tain_history_close(tain_table *t); /* also if it has none */
/* The same for a table whose content is about to be others': it enters as a whole. Thread: source. */
tain_status tain_history_await(tain_mirror *m, tain_table *t, tain_error *err);
/* The properties by which it keeps what it is to keep; NULL: they are set. Caller json_decref()s. */
json_t *tain_history_retention(const tain_history *h);
/* Where that of a table in that folder is. Caller frees. */
char *tain_history_folder(const char *folder);
/* Its folder is where its table's name says by now: it is opened there. */
tain_status tain_history_house(tain_mirror *m, tain_history *h, tain_error *err);
/* Under which its commits are counted. Caller frees. */
char *tain_history_app_id(const char *of_mirror);

/* What changes make of rows: pending. Before the table's own are. *ret NULL: nothing. The caller's until it is kept. */
tain_status tain_history_take(const tain_net *net, tain_delta_file **ret, tain_error *err);
void        tain_history_keep(tain_table *t, tain_delta_file *f);
/* Every row goes; those of a file go. The table has a history. */
tain_status tain_history_truncate(tain_table *t, tain_error *err);
tain_status tain_history_remove(tain_table *t, const tain_delta_file *f, const roaring_bitmap_t *rows, tain_error *err);
/* The table has another shape from here on; before, where rows that are there have other values then, or another key: begin_anew. */
tain_status tain_history_reshape(tain_table *t, tain_error *err);
void        tain_history_begin_anew(tain_table *t); /* both also if it has none */
void        tain_history_forget(tain_table *t); /* what is pending; also if it has none */

/* Commits what is pending, in front of the table's commit with that number. Again after a failure, with whatever number. */
tain_status tain_history_commit(tain_table *t, const tain_position *at, int64_t epoch, tain_error *err);
/* Behind that commit: what the table holds enters, where the history is stale. time: of the source, 0: now. */
tain_status tain_history_enter(tain_table *t, const tain_position *at, tain_time time, int64_t epoch, tain_error *err);
/* The stream is lost: nothing that comes is what it has already. One that is ahead of the table enters anew. */
void tain_history_lag(tain_table *t);
/* The content of tables that are followed enters where it has not. Thread: source, nothing is in flight. */
tain_status tain_history_enter_all(tain_mirror *m, tain_error *err);

/* --- historymove.c ------------------------------------------------------------------------------------------------- */

/* Histories follow the folders of their tables, once an epoch is committed. Thread: writer. */
tain_status tain_history_move(tain_mirror *m, tain_error *err);
/* The same for those that a crash, or renaming while nobody followed, left elsewhere. Thread: source, before tables are opened. */
tain_status tain_history_bring_home(tain_mirror *m, tain_error *err);

/* --- historyrows.c ------------------------------------------------------------------------------------------------- */

/* The five columns of ours. */
const tain_schema *tain_history_own(void);
/* Takes the shape that the table has now, since then. */
void tain_history_take_shape(tain_history *h, const tain_stamp *of);
/* Pending: a version without a row; and all that the table holds, with what is pending in it. */
tain_status tain_history_mark(tain_history *h, const char *operation, const tain_stamp *of, tain_error *err);
tain_status tain_history_content(tain_history *h, const tain_stamp *of, tain_error *err);

/* --- historysql.c: what SQL makes of a history ------------------------------------------------------------------------ */

/* Its columns as c0, c1 ..., so that no name of theirs is in the way of ours. Caller frees. */
tain_schema *tain_history_numbered(const tain_schema *s);
/* Which entry of tain.shapes holds there; NULL: it begins later. Borrowed. */
const json_t *tain_history_shape_at(const json_t *shapes, const char *position);
/* Of a column, or of a member of a key, in such an entry: its number in s, -1: it has none; and all of them, with commas. */
int  tain_history_column_of(const tain_schema *s, const json_t *column);
void tain_history_list_columns(tain_buffer *out, const tain_schema *s, const json_t *columns);
/* Which versions make the state at a position: behind the last time that all before were void. Caller frees. */
tain_status tain_history_within(tain_scan *scan, const char *table, const char *position, char **ret, tain_error *err);
/* Property tain.horizon; empty: it has none. Caller json_decref()s. */
json_t *tain_history_horizon(const json_t *configuration);

#endif
