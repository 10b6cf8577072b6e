/* SPDX-License-Identifier: MIT */
/* intake.h -- the sink of a source's stream: gathers committed transactions into parts and decides when one is cut.
 *
 * A part is cut, at a transaction's end, when the oldest change in it has waited for the freshness asked and the writer
 * has nothing to do, or when it has grown to the budget; and inside a transaction when the budget is passed (that piece
 * is handed over, not final). Thread: source. */
#ifndef TAIN_MIRROR_INTAKE_H
#define TAIN_MIRROR_INTAKE_H

#include "mirror/mirror.h"

typedef struct tain_intake {
    tain_sink     sink;          /* first: handed to the source */
    tain_mirror  *mirror;
    tain_part    *part;          /* being gathered, NULL: nothing yet */
    size_t        budget;        /* bytes of one part, 128 MiB at most */
    size_t        bytes;         /* of the part, as of the last look */
    tain_item    *growing;       /* what was handed out last, and how much of it is in `bytes`; NULL: nothing */
    size_t        measured;
    uint64_t      transaction;   /* counted, for tain_table.checked */
    tain_position at;            /* of the transaction being delivered */
    bool          open;          /* inside a transaction */
    int64_t       of;            /* its number in the source, and when it was committed; 0: not known */
    tain_time     of_time;
    bool          given;         /* a piece of the open epoch is with the writer already */
    bool          retell;        /* some table's shape */
    bool          load_wanted;   /* some table must be loaded (again): poll returns at a transaction's end once that may begin */
    tain_time     load_after;    /* monotonic; not before, because it failed */
    unsigned      calls;
    tain_position position;      /* end of the last whole transaction */
    tain_position reached;       /* the furthest there was, also if it was lost with the stream */
    tain_time     source_time;
    tain_time     last_cut;
    tain_time     until;         /* monotonic; the source waits as long because nothing is under way: it comes back at the first change. 0: it does not */
    tain_status   trouble;       /* from the writer, when a row could not be taken */
    tain_error    error;
} tain_intake;

void tain_intake_init(tain_intake *in, tain_mirror *m, size_t budget);
void tain_intake_done(tain_intake *in);
/* Forgets what was gathered and makes the writer forget its open epoch: the stream was lost. */
void tain_intake_abort(tain_intake *in);
/* Whether an epoch may end here: tables that a crash left ahead are reached, so that all of them are at one position. */
bool tain_intake_is_whole(const tain_intake *in);
/* Whether it is time to cut; only true outside a transaction, where it is whole. */
bool tain_intake_due(const tain_intake *in, tain_time now);
/* Monotonic time at which it will be due by freshness; INT64_MAX when nothing waits. */
tain_time tain_intake_due_at(const tain_intake *in);
/* Whether a load may begin, outside a transaction where it is whole. */
bool tain_intake_load_due(const tain_intake *in);
/* Tables that the writer found to need loading again are wanted to. */
void tain_intake_take_misfits(tain_intake *in);
/* Hands the part over as final. Also without changes, to record a position. */
tain_status tain_intake_cut(tain_intake *in, tain_error *err);

#endif
