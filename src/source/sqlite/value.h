/* SPDX-License-Identifier: MIT */
/* value.h -- SQLite's dynamically typed values, the column types chosen for them, and their way into columns.
 *
 * A column's type follows from its declaration and from what its values have been so far (`seen`, bits that are only ever
 * added): so it is the same after a restart, and only gets wider. A value that does not fit its column's type adds
 * bits, the type becomes wider, and the table is loaded again. The widest type, string, holds every value. */
#ifndef TAIN_SOURCE_SQLITE_VALUE_H
#define TAIN_SOURCE_SQLITE_VALUE_H

#include <sqlite3.h>

#include "batch/column.h"

typedef struct tain_sqlite_value {
    int         type; /* SQLITE_INTEGER, _FLOAT, _TEXT, _BLOB, _NULL */
    int64_t     integer;
    double      real;
    const void *data; /* TEXT as UTF-8, BLOB; borrowed until the statement's next step */
    size_t      size;
} tain_sqlite_value;

enum tain_sqlite_seen {
    TAIN_SEEN_NULL = 1, TAIN_SEEN_INTEGER = 2, TAIN_SEEN_REAL = 4, TAIN_SEEN_TEXT = 8, TAIN_SEEN_BLOB = 16,
    TAIN_SEEN_INEXACT = 32,     /* an integer that no double equals */
    TAIN_SEEN_NOT_BOOL = 64,    /* an integer other than 0 and 1 */
    TAIN_SEEN_BAD_TEXT = 128,   /* text that is not UTF-8 */
    TAIN_SEEN_OTHER = 256,      /* of the last column: something else than its default */
    TAIN_SEEN_CLASSES = TAIN_SEEN_INTEGER | TAIN_SEEN_REAL | TAIN_SEEN_TEXT | TAIN_SEEN_BLOB,
};

typedef enum tain_sqlite_affinity {
    TAIN_AFFINITY_INTEGER, TAIN_AFFINITY_TEXT, TAIN_AFFINITY_NONE, TAIN_AFFINITY_REAL, TAIN_AFFINITY_NUMERIC,
} tain_sqlite_affinity;

/* datatype3.html, "Determination Of Column Affinity"; ANY of a STRICT table is NONE. */
tain_sqlite_affinity tain_sqlite_affinity_of(const char *declared, bool strict);
tain_type tain_sqlite_type(const char *declared, bool strict, unsigned seen);
/* Whether the values disagree with the declaration or with each other, so that the column had to be a string. */
bool tain_sqlite_disagrees(const char *declared, bool strict, unsigned seen);

tain_sqlite_value tain_sqlite_value_at(sqlite3_stmt *stmt, int column);
/* What this value adds to `seen`; text: whether to look for invalid UTF-8. */
unsigned tain_sqlite_seen(const tain_sqlite_value *v, bool text);
/* Appends a value whose bits the column's type was made from. Returns the code of what had to be changed about it, or NULL. */
const char *tain_sqlite_append(tain_column *c, const tain_sqlite_value *v);
bool tain_sqlite_value_same(const tain_sqlite_value *a, const tain_sqlite_value *b);

/* A row of values as bytes of its own: equal rows give equal bytes. And back, one value at *io_offset. */
void tain_sqlite_value_put(tain_buffer *out, const tain_sqlite_value *v);
tain_sqlite_value tain_sqlite_value_take(tain_slice bytes, size_t *io_offset);

#endif
