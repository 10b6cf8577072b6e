/* SPDX-License-Identifier: MIT */
/* mirror.h -- one running mirror: who does what, and what they share.
 *
 *   source thread   connects, loads tables, polls the source into the intake, hands parts over, confirms positions
 *   writer thread   applies parts to tables, commits epochs, starts and finishes upkeep
 *   upkeep threads  two, which rewrite files, write checkpoints and merge index runs, on immutable input (upkeep.h)
 *   report thread   shows progress, keeps the status, writes records (report.h, records.h)
 *   guard thread    looks how much log the source keeps for the mirror (guard.h)
 *
 * Between source and writer there is one bounded queue of parts; what flows back is under `lock`. A part is what the
 * intake gathered: it ends an epoch (final) or is the first piece of one that is too large for memory. Between two
 * final parts the writer holds pending state that a lost stream throws away: nothing of it is visible. */
#ifndef TAIN_MIRROR_MIRROR_H
#define TAIN_MIRROR_MIRROR_H

#include "base/beat.h"
#include "base/pool.h"
#include "base/queue.h"
#include "lake/definition.h"
#include "lake/lake.h"
#include "mirror/meter.h"
#include "mirror/pace.h"
#include "lake/retained.h"
#include "mirror/table.h"

typedef enum tain_item_kind { TAIN_ITEM_CHANGES, TAIN_ITEM_TRUNCATE, TAIN_ITEM_SCHEMA, TAIN_ITEM_NAME } tain_item_kind;

typedef struct tain_item { /* something that happened to one table, in order */
    tain_item_kind    kind;
    tain_changes      changes;
    bool              read;    /* CHANGES: before a part of the table was read again */
    const tain_region *within; /* TRUNCATE: NULL: everywhere; borrowed */
    tain_buffer       stamps;  /* tain_stamps: of its rows; of all else one. Empty: no table has a history */
    uint64_t          stamped; /* number of the transaction that the last one is of */
    tain_source_table shape; /* SCHEMA: columns and defaults (borrowed), key, memo and names (owned) only; NAME: names */
    struct tain_item *next;
} tain_item;

typedef struct tain_table_part { tain_table *table; tain_item *first, *last; } tain_table_part;

typedef struct tain_part {
    tain_table_part *tables;
    size_t           count, capacity;
    size_t           bytes;
    bool             final; /* ends an epoch */
    bool             abort; /* the open epoch is given up; nothing else in the part */
    tain_position    position;
    tain_time        source_time, received; /* received: when it was handed over */
    tain_time        first_change;          /* monotonic */
    int64_t          changes;
} tain_part;

/* A thread that does one job of upkeep after the other. */
typedef struct tain_lane {
    struct tain_mirror *mirror;
    tain_queue         *jobs; /* writer -> lane */
    pthread_t           thread;
    bool                runs;
} tain_lane;

typedef enum tain_mirror_state {
    TAIN_MIRROR_INITIALIZING, TAIN_MIRROR_INITIALIZED, TAIN_MIRROR_STARTING, TAIN_MIRROR_RUNNING, TAIN_MIRROR_PAUSED,
    TAIN_MIRROR_STOPPING, TAIN_MIRROR_STOPPED,
} tain_mirror_state;
const char *tain_mirror_state_name(tain_mirror_state s);

typedef struct tain_report tain_report;
typedef struct tain_records tain_records;

typedef struct tain_mirror {
    tain_definition *definition; /* borrowed */
    tain_lake       *lake;
    tain_source     *source;
    tain_table     **tables;
    size_t           table_count, table_capacity;
    char            *app_id;     /* "tain:<id>" */
    tain_pool       *pool;
    bool             is_new, named; /* no mirror before; its name was chosen by hand */
    bool             owned;      /* the lake's lock is ours */
    tain_position    whole;      /* where tables are that a crash left ahead of the last record: no epoch ends before it */
    /* source's: the stream goes once more over what a loaded table lacks; up to which epoch nothing of it is recorded */
    enum { TAIN_REPLAYS_NONE, TAIN_REPLAYS_BEGUN, TAIN_REPLAYS_CUT } replays;
    int64_t          replays_since;
    struct tain_loading *load;   /* source's: under way beside the stream; NULL: none */
    bool             overdue;    /* source's: the stream must begin again, at what a loaded table lacks */
    tain_time        asked;      /* source's: since when a load's snapshot is waited for (monotonic); 0: none is */
    tain_position    held;       /* source's: loads need what came since, it is not confirmed; "": they do not */
    tain_position    held_before; /* source's: as it was when the snapshot was asked for */
    bool             once;       /* stop when caught up; give up on trouble after 30 s */
    void (*say)(const char *line); /* announcements for people; may be NULL */

    tain_time     started;       /* wall clock: this run */
    tain_beat     stream_beat, writer_beat; /* of their threads */
    tain_report  *report;        /* NULL: nobody is told */
    tain_records *records;       /* NULL: none are kept */
    atomic_bool   opened;        /* its tables are, so that they can be told of */
    bool          watched;       /* by a program, which is told also of a mirror that did not come into being */

    tain_queue *parts;           /* source -> writer */
    tain_lane   lanes[TAIN_LANES];
    pthread_t   writer;
    bool        writer_runs;

    /* writer's; the source thread's while no part is in flight */
    int64_t       next_epoch;
    uint64_t      parts_done;

    pthread_mutex_t lock;
    pthread_cond_t  changed;
    /* guarded by lock */
    tain_mirror_state state;
    tain_position position;      /* of the newest epoch record */
    tain_time     source_time;   /* commit time of its newest transaction */
    tain_time     committed_time;
    int64_t       epoch;
    size_t        in_flight;     /* parts handed over and not done with */
    tain_error    trouble;       /* what the writer is retrying, code OK when all is well */
    tain_error    failure;       /* why the writer gave up */
    tain_error    stall;         /* why the source thread waits and tries again, code OK: it does not */
    tain_time     stalled_since; /* 0: it does not */
    tain_waiting  waiting;       /* what keeps a load from beginning; "": nothing */
    tain_position seen;          /* how far the stream has come */
    tain_retained retained;      /* what of its log the source kept */
    tain_time     retained_at;   /* when that was (monotonic), 0: not known */
    tain_retained_level retained_level;
    char          retained_reason[512]; /* what that means, "": nothing to say */
    tain_time     waiting_since; /* commit time of the oldest transaction seen and not in the lake, 0: none */

    tain_meter      meter;       /* of the load under way */
    tain_pace       pace;
    atomic_bool     unrecorded; /* a version that the records name is gone, and they do not name the table's present one */
    atomic_bool     misfits; /* some table's `misfit` is new */
    pthread_mutex_t tables_lock; /* held by the thread that owns the tables now, but for those `loading`: writer at work, or source */
    atomic_bool     stop;
    atomic_bool     gives_up;    /* it stops because the source keeps too much for it */
    atomic_llong    polled;      /* when the stream was last (monotonic); 0: never, or a load is under way, which alone lets the source keep less */
} tain_mirror;

/* --- writer.c ------------------------------------------------------------------------------------------------------ */

tain_status tain_writer_start(tain_mirror *m, tain_error *err);
/* Hands a part over; blocks while the queue is full. CANCELLED: the writer has given up (m->failure). Thread: source. */
tain_status tain_writer_give(tain_mirror *m, tain_part *part, tain_error *err);
/* Waits until nothing is in flight. Thread: source. */
void tain_writer_drain(tain_mirror *m);
bool tain_writer_idle(tain_mirror *m);
void tain_writer_stop(tain_mirror *m); /* drains and joins */
void tain_part_free(tain_part *p);
/* With all it owns. */
void tain_item_free(tain_item *item);

/* --- epoch.c ------------------------------------------------------------------------------------------------------- */

/* Commits what is pending in all tables, then the epoch record. Can be called again after a failure: tables that are
 * committed are not committed twice. Thread: writer. */
tain_status tain_epoch_commit(tain_mirror *m, const tain_part *part, tain_error *err);
/* Commits what one table has pending under a number of its own; the next epoch's record lists it. No epoch is in flight. */
tain_status tain_epoch_commit_table(tain_mirror *m, tain_table *t, const tain_position *position, tain_error *err);
/* The commitInfo."tain" object of a commit; part NULL: of a load. Caller json_decref()s. */
json_t *tain_epoch_info(const tain_table *t, const tain_position *position, int64_t epoch, const tain_part *part);

/* --- load.c -------------------------------------------------------------------------------------------------------- */

/* Loads the whole content of every table that needs_load, in parallel, and commits each one at the snapshot's position. What
 * an interrupted load has finished is not read again: then the table waits for the stream to reach m->whole (replay.h).
 * Nothing may be in flight. Tables that cannot be loaded are quarantined; an error is the source's or the lake's.
 * Thread: source. */
tain_status tain_load_tables(tain_mirror *m, tain_error *err);
/* Asks the source for a load's snapshot, or looks whether it is there, until deadline (monotonic). Tables that come to need
 * a load between the first call and begin are not in it. Ready: begin will not wait. unask: nobody wants it any more. Thread: source. */
tain_status tain_load_ask(tain_mirror *m, tain_time deadline, bool *ret_ready, tain_error *err);
tain_status tain_load_await(tain_mirror *m, tain_error *err); /* until it is there; CANCELLED: the mirror is to stop */
void        tain_load_unask(tain_mirror *m);
/* The same in two steps, between which the stream may go on with the other tables (beside): begin, once it is ready, takes the snapshot and
 * starts the readers; end waits for them and commits. Nothing may be in flight in either. *ret NULL: nothing is to be loaded.
 * *ret_again: some table is to be loaded once more. After end some tables may be `behind`: the stream must begin again.
 * Thread: source. */
typedef struct tain_loading tain_loading;
tain_status tain_load_begin(tain_mirror *m, bool beside, tain_loading **ret, tain_error *err);
bool        tain_load_is_read(const tain_loading *g); /* end will not wait */
tain_status tain_load_end(tain_loading *g, bool *ret_again, tain_error *err); /* frees g in any case */
/* Instead of end: what is finished stays for the next load. The source is cancelled. */
void tain_load_halt(tain_loading *g);
/* No epoch ends before `at` any more, and then one at once. Thread: source. */
void tain_replays_begin(tain_mirror *m, const tain_position *at);
/* Finds the loads that were interrupted: their tables need_load. *ret_first: the stream must begin there or before for them;
 * "": there are none. Before the first load. Thread: source. */
tain_status tain_load_recall(tain_mirror *m, tain_position *ret_first, tain_error *err);
/* Nothing of interrupted loads can be used: the source has forgotten what came since. */
void tain_load_start_over(tain_mirror *m);
/* The table cannot go on: nobody will need what was loaded of it. While nothing is in flight. Thread: source. */
tain_status tain_load_abandon(tain_mirror *m, tain_table *t, tain_error *err);
/* The table's content is committed: ends its replay, if that is what it was. Thread: writer. */
void tain_load_replayed(tain_mirror *m, tain_table *t);

/* --- mirror.c ------------------------------------------------------------------------------------------------------ */

/* The position of the newest record. Any thread. */
tain_position tain_mirror_recorded(tain_mirror *m);
/* The source keeps what came since `at`, if not more already: it is not confirmed. Thread: source. */
void tain_mirror_hold(tain_mirror *m, const tain_position *at);
/* Whether it still has to: nothing since `at` was confirmed. Thread: source. */
bool tain_mirror_holds(tain_mirror *m, const tain_position *at);
/* Waits so long, or until the mirror is asked to stop. */
void tain_mirror_pause(tain_mirror *m, tain_time how_long);
/* Puts a table into quarantine. */
void tain_mirror_fail_table(tain_mirror *m, tain_table *t, const tain_error *why);
/* A table with content is to be loaded again; says so. why may be the table's own load_reason. */
void tain_mirror_load_again(tain_mirror *m, tain_table *t, const char *why);
/* A table that is paused stays as it is. Thread: source. */
void tain_mirror_rest(tain_table *t);
tain_table *tain_mirror_find(tain_mirror *m, const char *name);
tain_table *tain_mirror_add(tain_mirror *m, tain_source_table *source);
void tain_mirror_say(tain_mirror *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
