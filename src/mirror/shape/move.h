/* SPDX-License-Identifier: MIT */
/* move.h -- a table's folder goes where its name in the source says.
 *
 * The commit that follows a rename carries the new name in metaData.name; then, before the epoch's record, the folder moves.
 * What is in the way is moved aside under a name of its own ("_tain_moving_<identity>") when it is a table that the source
 * still has, and is removed when it is what is left of one that is gone; for one that is being loaded it waits. One that is aside
 * has no place among the tables of an epoch; it comes home with the epoch that tells its name, or where its own is free again.
 * After a crash at any point between, and when tables
 * were renamed while nobody followed, folders are found by the identity in their properties (tain.identity). */
#ifndef TAIN_MIRROR_SHAPE_MOVE_H
#define TAIN_MIRROR_SHAPE_MOVE_H

#include "mirror/mirror.h"

/* Tables that a shape told another name of move, those that were loaded ahead of that position when it has come to them.
 * Can be called again after a failure. Thread: writer. */
tain_status tain_move_tables(tain_mirror *m, const tain_position *position, tain_error *err);
/* Whether a table is to move with an epoch that ends at position. While the writer is idle. */
bool tain_moves_wait(const tain_mirror *m, const tain_position *position);
/* Folders of tables that are found under another name move home; no table is opened yet, those in their place have their
 * delta afterwards. Thread: source, at start. */
tain_status tain_move_home(tain_mirror *m, tain_error *err);

#endif
