/* SPDX-License-Identifier: MIT */
/* opening.h -- the tables of a mirror at its start: those of the source with what the lake has of them, those that are not to be
 * mirrored, and those that only the lake still has. */
#ifndef TAIN_MIRROR_OPENING_H
#define TAIN_MIRROR_OPENING_H

#include "mirror/mirror.h"

/* Fills the mirror from the newest epoch record, the catalog and the folders of the lake. What one table meets is its own: it has
 * failed then. Thread: source, before anything else runs. */
tain_status tain_opening_tables(tain_mirror *m, const tain_catalog *catalog, tain_error *err);

#endif
