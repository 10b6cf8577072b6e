/* SPDX-License-Identifier: MIT */
/* kept.h -- columns that the source has no more and that stay in the lake (policy "dropped_column").
 *
 * They stand behind the source's own, keep the physical name and id they have in data files, and are told by `kept`, which
 * the lake's schema holds: so they are known after a restart. Rows written since have NULL in them. Whatever concerns
 * rows (key, index, comparison, files that are written) knows the source's columns alone. */
#ifndef TAIN_LAKE_KEPT_H
#define TAIN_LAKE_KEPT_H

#include "batch/type.h"

/* CONFIG: policies (may be NULL) say something else of "dropped_column" than drop or keep. */
tain_status tain_kept_check(const json_t *policies, tain_error *err);
/* What is shown of a table: columns, and behind them those of existing (may be NULL) that it keeps: kept already, unless
 * policies drop them by now, or gone now, if policies keep them. One whose name is another column's now gets another name.
 * table: "schema.table". Caller frees. */
tain_schema *tain_kept_show(const tain_schema *columns, const tain_schema *existing, const json_t *policies, const char *table);
/* Appends a column that another program made, or a kept one, to what is shown, unless policies drop it: then false. */
bool tain_kept_append(tain_schema *shown, const tain_schema *existing, const tain_field *f, const json_t *policies, const char *table);
/* A copy without them. Caller frees. */
tain_schema *tain_kept_without(const tain_schema *s);

#endif
