/* SPDX-License-Identifier: MIT */
/* apply.h -- changes in stream order become a table's pending data files and deletions.
 *
 * Several changes of one key collapse to their net effect; old rows are found through the key index in bulk; cells the
 * source did not send are read back from our own files. A failure leaves the table's pending state as it was, so the
 * same call can be tried again. Thread: writer. */
#ifndef TAIN_MIRROR_APPLY_APPLY_H
#define TAIN_MIRROR_APPLY_APPLY_H

#include "mirror/table.h"

tain_status tain_apply_changes(tain_table *t, const tain_changes *changes, tain_error *err);
tain_status tain_apply_truncate(tain_table *t, tain_error *err);
/* Only what is within. A table whose parts were read at several positions is loaded again instead. */
tain_status tain_apply_clear(tain_table *t, const tain_region *within, tain_error *err);
/* After another writer's commits were taken in: finds again, by key, the rows that pending deletions name in files which
 * are not live any more, and what else has moved. On failure the pending state is lost: the table cannot go on (CORRUPT). */
tain_status tain_apply_resolve_again(tain_table *t, tain_error *err);
/* What such a failure is to the table, whatever its cause: its own. CORRUPT. */
tain_status tain_apply_is_lost(tain_status st, tain_error *err);
/* The log went on and was cleaned behind the version that is open: opens the table again, with what is pending. No upkeep
 * may be under way. CORRUPT: what is there does not come of what was open. On failure as above. */
tain_status tain_apply_reopen(tain_table *t, tain_error *err);

#endif
