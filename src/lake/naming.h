/* SPDX-License-Identifier: MIT */
/* naming.h -- physical column names: which tables need Delta's column mapping, and what it says.
 *
 * A table has no mapping while all its names are ones that Delta allows in Parquet as they are, and no two are equal but
 * for case. Otherwise every column gets an id, and the odd ones a plain physical name. A mapping that a table has is
 * kept: a column keeps id and physical name for life (PROTOCOL.md, Column Mapping). What a column is across renames its
 * source_id says, where the source has one. */
#ifndef TAIN_LAKE_NAMING_H
#define TAIN_LAKE_NAMING_H

#include "batch/type.h"

/* Which field of existing (may be NULL) f is under any name, or -1: none. */
int tain_naming_match(const tain_schema *existing, const tain_field *f);
/* Whether both have the same columns, under the same names, with the same types, in the same order. */
bool tain_naming_alike(const tain_schema *a, const tain_schema *b);
/* As alike, and both say the same of them: what they are in files and source. */
bool tain_naming_same(const tain_schema *a, const tain_schema *b);

/* Sets physical and id of schema's fields, in accordance with existing (NULL: the table is new). */
void tain_naming_adopt(tain_schema *schema, const tain_schema *existing);
/* The same for a table whose columns come and go: no id up to `used` is given again, since data files still hold the
 * columns that had them. */
void tain_naming_continue(tain_schema *schema, const tain_schema *existing, int32_t used);
/* The same where data files stay: a table is mapped from the first column on that is renamed, dropped or of another type;
 * a column of another type gets a physical name of its own. */
void tain_naming_evolve(tain_schema *schema, const tain_schema *existing, int32_t used);
/* The highest id in the schema, 0: none. */
int32_t tain_naming_highest(const tain_schema *s);

#endif
