/* SPDX-License-Identifier: MIT */
/* uphold.h -- a followed table has the columns of its source, whatever other programs make of them.
 *
 * What they renamed, dropped, put elsewhere or declared NOT NULL is put back by the mirror's next commit: data files hold
 * the columns under names that do not change. Columns that they added stay as kept ones do (kept.h), unless the policy
 * says drop. A column that was given another type is what cannot be put back. The property that tells what the table is in its
 * source is put back as well. */
#ifndef TAIN_MIRROR_SHAPE_UPHOLD_H
#define TAIN_MIRROR_SHAPE_UPHOLD_H

#include "mirror/table.h"

/* Whether the lake's columns are those that the table is to show. */
bool tain_uphold_holds(const tain_table *t);
/* Makes pending what puts them back, if they are not. INVALID: that cannot be. Thread: writer. */
tain_status tain_uphold(tain_table *t, tain_error *err);

#endif
