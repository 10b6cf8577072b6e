/* SPDX-License-Identifier: MIT */
/* rowread.h -- rows of a data file, by where they are in it. */
#ifndef TAIN_MIRROR_ROWREAD_H
#define TAIN_MIRROR_ROWREAD_H

#include "mirror/table.h"

enum { TAIN_ROWREAD_SLICE = 16384 /* rows of a slice at most */ };

/* A slice; rows: where its rows are in the file. */
typedef tain_status (*tain_rowread_take)(void *ctx, const uint32_t *rows, const tain_batch *slice, tain_error *err);
/* Hands out these columns of those rows, ascending, in slices of some MiB, or of the table's budget if that is less. Of no rows the
 * file is not opened. Thread: the table's owner. */
tain_status tain_rowread(const tain_table *t, const tain_delta_file *f, const roaring_bitmap_t *rows, const tain_schema *columns,
                         tain_rowread_take take, void *ctx, tain_error *err);

#endif
