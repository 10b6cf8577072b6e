/* SPDX-License-Identifier: MIT */
/* upkeep.h -- what keeps tables good to read while commits go on: merging small files, checkpoints, log cleanup, index
 * merges, vacuum.
 *
 * A history is kept up as its table is, in the same lanes; beyond that it forgets what it need not know any more (history/prune.h).
 * What takes time of a job (reading files, writing the merged one; writing a checkpoint) runs on an upkeep thread over what
 * was live when it began; the writer thread finishes it between two epochs: rows deleted meanwhile are deleted in the merged
 * file too. There are two lanes, each with a thread, so that what is small never waits for what is large: the light one
 * writes checkpoints and merges small files, the heavy one does everything else. A table, and its history, has one job a lane. Which files are
 * due is rewrite.h's. */
#ifndef TAIN_MIRROR_UPKEEP_H
#define TAIN_MIRROR_UPKEEP_H

#include "maintain/rewrite.h"
#include "mirror/mirror.h"

#define TAIN_UPKEEP_SOON (200 * TAIN_MILLISECOND) /* what may be due is looked at so often */

tain_status tain_upkeep_start(tain_mirror *m, tain_error *err);
void        tain_upkeep_stop(tain_mirror *m);
/* After an epoch: finishes what is done, begins what is due. Thread: writer. */
void tain_upkeep_step(tain_mirror *m);
/* Ends what would otherwise go on for a while: tables that are to lose their vectors do so, and histories forget what is due. Nothing is in flight. */
void tain_upkeep_complete(tain_mirror *m);
/* While nothing arrives. *ret_due: when to look again (monotonic). False: the queue of parts is closed, so the writer may end. */
bool tain_upkeep_idle(tain_mirror *m, tain_time *ret_due);
/* Forgets the job of a table that is about to be replaced: waits for it. Thread: writer or, while nothing is in
 * flight, source. */
void tain_upkeep_forget(tain_mirror *m, tain_table *t);

/* Its files are about to be others: what is being rewritten is given up once it is done. Thread: writer. */
void tain_upkeep_outdate(tain_table *t);

#endif
