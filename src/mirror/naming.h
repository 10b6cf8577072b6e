/* SPDX-License-Identifier: MIT */
/* naming.h -- physical column names: which tables need Delta's column mapping, and what it says.
 *
 * A table has no mapping while all its names are ones that Delta allows in Parquet as they are, and no two are equal but
 * for case. Otherwise every column gets an id, and the odd ones a plain physical name. A mapping that a table has is
 * kept: a column keeps id and physical name for life (PROTOCOL.md, Column Mapping). */
#ifndef TAIN_MIRROR_NAMING_H
#define TAIN_MIRROR_NAMING_H

#include "batch/type.h"

/* Sets physical and id of schema's fields, in accordance with existing (NULL: the table is new). */
void tain_naming_adopt(tain_schema *schema, const tain_schema *existing);
/* The same for a table whose columns come and go: no id up to `used` is given again, since data files still hold the
 * columns that had them. */
void tain_naming_continue(tain_schema *schema, const tain_schema *existing, int32_t used);
/* The highest id in the schema, 0: none. */
int32_t tain_naming_highest(const tain_schema *s);

#endif
