/* SPDX-License-Identifier: MIT */
/* copyonwrite.h -- what an epoch deletes, for engines that know no deletion vectors (profile compat).
 *
 * Files in which rows are to be deleted are written again without them, and the commit has the new ones in their place: a vector is
 * never written, and those that a file had are gone with it. What is pending stays as it is, so that a commit that failed is tried again.
 * Small files of one epoch become one, so that they do not have to be written again by upkeep; a file that is much larger than the
 * others of such a table (it is of another profile) becomes several. Rows are elsewhere then: the index gets those of the new files,
 * what it has of the old ones is dead. Rows are streamed; of each only its hash is held until its file is complete. */
#ifndef TAIN_MIRROR_COPYONWRITE_H
#define TAIN_MIRROR_COPYONWRITE_H

#include "mirror/table.h"

typedef struct tain_copies tain_copies;

/* Writes what is pending in t anew, several files at a time, and puts that into io's adds, removes and deletes; all that io has beyond these
 * stays. *ret owns what io then borrows; NULL: nothing is deleted, and io is as it was. A failure leaves nothing. Thread: writer. */
tain_status tain_copies_make(tain_table *t, tain_delta_commit *io, tain_copies **ret, tain_error *err);
/* After the commit, which ended so: the index learns of the new files, or they are taken away. Frees c, which may be NULL. */
void tain_copies_done(tain_copies *c, tain_status committed);
/* Rows that one file may have, since memory is needed for each of them while it is written. */
int64_t tain_copies_most_rows(const tain_table *t);

#endif
