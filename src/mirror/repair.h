/* SPDX-License-Identifier: MIT */
/* repair.h -- a mirror that has lost its stream is made true again by the rows that differ, instead of being loaded again.
 *
 * Every table with content is compared with one snapshot of the source, as verify does it. What differs is written, and each
 * table commits once, with the snapshot's position: from there the stream goes on. A table whose columns or key are others
 * now, or of which more differs than can be noted, is marked to be loaded. Cut short at any point it can be begun again. */
#ifndef TAIN_MIRROR_REPAIR_H
#define TAIN_MIRROR_REPAIR_H

#include "mirror/mirror.h"

/* Thread: source, before the stream begins; no epoch is in flight. An error is the source's or the lake's as a whole. */
tain_status tain_repair_tables(tain_mirror *m, tain_error *err);

#endif
