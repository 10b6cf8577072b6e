/* SPDX-License-Identifier: MIT */
/* replace.h -- all files of a table get columns more, in the open epoch.
 *
 * Each live and pending file is refooted (parquet/refoot.h): another one with the same rows at the same places, and the same
 * ordinal, stands for it from here on, with all its deletions; the commit removes the live ones. So the index and whoever
 * holds a place of a row need not know. Thread: writer. */
#ifndef TAIN_MIRROR_SHAPE_REPLACE_H
#define TAIN_MIRROR_SHAPE_REPLACE_H

#include "mirror/table.h"

/* columns: of the table then. A failure changes nothing. */
tain_status tain_replace_files(tain_table *t, const tain_schema *added, const tain_refoot_source *sources, size_t columns, tain_error *err);

#endif
