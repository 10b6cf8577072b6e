/* SPDX-License-Identifier: MIT */
/* prune.h -- a history forgets versions that no moment within its retention needs.
 *
 * Every version is older than `before` up to some position, the horizon. Of each key only the newest version up to there stays, if it is not
 * that the row went; without a key, every row as often as it came more than it went; and nothing of what was void by then.
 * So the state at the horizon and at every later position is what it was, whatever of a later version is missing.
 * Files that lose rows are written again without them, all in one commit, which sets the property tain.horizon: after a crash at
 * any point the history either knows all that it knew, or says since when it knows what there was. That commit removes
 * data, and adds none (dataChange): who reads what is appended gets no row twice.
 *
 * DuckDB finds what goes, within the memory given, and spills to a folder; which rows go takes a bit each. */
#ifndef TAIN_MIRROR_HISTORY_PRUNE_H
#define TAIN_MIRROR_HISTORY_PRUNE_H

#include "mirror/history/history.h"

typedef struct tain_prune tain_prune;

typedef struct tain_prune_options {
    tain_time            before; /* what was committed by then may be forgotten where something else has come since */
    int64_t              memory;
    char                *spill;  /* folder; owned from begin on */
    tain_parquet_options files;
} tain_prune_options;

/* Notes what there is. Thread: of the history. */
tain_prune *tain_prune_begin(tain_delta *history, tain_store *folder, const tain_prune_options *o);
/* Files with ordinals up to that are not to be replaced before it is finished. */
uint32_t tain_prune_newest(const tain_prune *n);
/* Finds what goes, and writes the new files. UNSUPPORTED: files that are not on this machine. Thread: any. */
tain_status tain_prune_run(tain_prune *n, tain_error *err);
void        tain_prune_halt(tain_prune *n); /* run returns CANCELLED soon; any thread */
/* Commits them, if there is something to forget. CONFLICT: its files were changed meanwhile. Thread: of the history. */
tain_status tain_prune_finish(tain_prune *n, tain_delta *history, tain_error *err);
void        tain_prune_free(tain_prune *n); /* accepts NULL */

#endif
