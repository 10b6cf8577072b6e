/* SPDX-License-Identifier: MIT */
/* indexes.h -- what the key indexes of all tables hold in memory together: their share of the budget, however many they are.
 *
 * An index gathers new entries in memory until they are worth a run. Those of tables that have not changed for longest
 * go to disk first, and their memory is given back. Thread: writer. */
#ifndef TAIN_MIRROR_INDEXES_H
#define TAIN_MIRROR_INDEXES_H

#include "mirror/mirror.h"

/* Notes which tables a part is about to change. */
void tain_indexes_use(tain_mirror *m, const tain_part *part);
/* Gives memory back until the rest is within the share; more comes to it only by the next part. */
void tain_indexes_limit(tain_mirror *m);

#endif
