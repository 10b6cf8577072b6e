/* SPDX-License-Identifier: MIT */
/* parts.h -- what user-defined types are made of, as text: "oid:count:hash" a type, separated by commas.
 *
 * An enum that got more labels is still the same; a label with another name, or a composite with other attributes, is
 * not: values that are stored read differently from then on. Thread: source. */
#ifndef TAIN_SOURCE_POSTGRES_PARTS_H
#define TAIN_SOURCE_POSTGRES_PARTS_H

#include "source/postgres/postgres.h"

/* Of every enum and composite that columns of shape are made of. Caller frees. */
char *tain_pg_parts_of(const tain_pg_types *types, const tain_pg_shape *shape);
/* Whether types that were so once would show values as others now. *ret_name: of such a type, until they are read again. */
bool tain_pg_parts_changed(const tain_pg_types *types, const char *then, const char **ret_name);

#endif
