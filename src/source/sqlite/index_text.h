/* SPDX-License-Identifier: MIT */
/* index_text.h -- what only the text of a CREATE INDEX tells: its expressions and its WHERE. */
#ifndef TAIN_SOURCE_SQLITE_INDEX_TEXT_H
#define TAIN_SOURCE_SQLITE_INDEX_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Takes apart "CREATE UNIQUE INDEX i ON t(a, lower(b) COLLATE nocase DESC) WHERE c > 0". terms gets n texts (caller frees
 * each), without ASC and DESC; *ret_where the condition or NULL (caller frees). False: not understood, nothing is set. */
bool tain_sqlite_index_text(const char *sql, char **terms, size_t n, char **ret_where);
/* Whether the name occurs as an identifier in an expression; true also in doubt. */
bool tain_sqlite_mentions(const char *expression, const char *name);

#endif
