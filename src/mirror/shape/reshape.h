/* SPDX-License-Identifier: MIT */
/* reshape.h -- a table takes another shape: what became of each column, worked out against what its files have.
 *
 * The difference is that between the newest shape there is (pending, else in the lake) and the one the source shows now, by
 * source_id, else by name: so it is found again, the same, after a lost stream or a restart, and there is none once it is
 * committed. Columns that are renamed or dropped, and new ones without a value in older rows, are metadata only; a change of
 * key makes the index anew; what files cannot be brought to makes the table a misfit, which is loaded again.
 * Thread: writer. */
#ifndef TAIN_MIRROR_SHAPE_RESHAPE_H
#define TAIN_MIRROR_SHAPE_RESHAPE_H

#include "mirror/table.h"

/* Rows have the columns and the key of that shape from here on. A failure leaves what can be tried again. */
tain_status tain_reshape(tain_table *t, const tain_source_table *shape, tain_error *err);
/* Whether rows of that shape have the key by which the index finds rows. */
bool tain_reshape_keeps_key(const tain_table *t, const tain_source_table *shape);

#endif
