/* SPDX-License-Identifier: MIT */
/* replay.h -- makes a table right whose parts were read at several positions: the stream from the first of them is applied
 * with every change as an upsert.
 *
 * Until the last position is reached a key may have several rows (it was read, moved, and was read again), or none (it
 * moved to where had been read already). A row that nobody changed was read once. A row that was changed is written anew
 * by its last change, in front of which all rows of its key go. Only a cell which no change sends must come from what was
 * read: of a row's several copies the earliest has it, or a later change sends it. When the row got its key meanwhile that
 * does not hold, except for a copy of the first position. If there is none the table cannot be made right this way.
 * Nothing of it is visible before the last position. For tables with a key. Thread: writer. */
#ifndef TAIN_MIRROR_LOAD_REPLAY_H
#define TAIN_MIRROR_LOAD_REPLAY_H

#include "mirror/load/loadlog.h"

typedef struct tain_replay tain_replay;

/* Takes the log over. files: what its chunks became, in the order of their ordinals; at: the position each was read at. */
tain_replay *tain_replay_new(tain_loadlog *log, tain_delta_file *const *files, const tain_position *at, size_t n);
void         tain_replay_free(tain_replay *r); /* accepts NULL */
/* Of a table whose rows within those regions were read at one position, and all others before the first change (reread.h): of
 * changes up to that position only those of other rows are wanted, and all are what they say. */
tain_replay *tain_replay_of_part(const tain_region *const *within, size_t n);
/* As tain_apply_changes, with changes as upserts (the operations in it are changed). read: rows of a part were read behind them. When
 * a value cannot be told, what is pending is thrown away, and the table waits, marked anew, to be loaded from the beginning. */
tain_status tain_replay_apply(tain_table *t, tain_changes *changes, bool read, tain_error *err);
/* Likewise, for that reason. */
void tain_replay_give_up(tain_table *t, const char *why);

#endif
