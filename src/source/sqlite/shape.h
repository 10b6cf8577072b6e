/* SPDX-License-Identifier: MIT */
/* shape.h -- what the file's schema says of one table, what its values have been, and what follows from both.
 *
 *   catalog.c  reads shapes from a file          scan.c   looks at every value of a table, once
 *   readded.c  whether the last column was dropped and added again
 *   shape.c    types, key, findings; comparison with the shape that capture was made for, which is kept as JSON
 *
 * A table's key is its primary key, or else its narrowest UNIQUE index over NOT NULL columns. A key that holds NULL, text
 * that is not UTF-8, or values that are equal once they are text, is none: such a table is mirrored by whole rows. */
#ifndef TAIN_SOURCE_SQLITE_SHAPE_H
#define TAIN_SOURCE_SQLITE_SHAPE_H

#include "base/json.h"
#include "base/map.h"
#include "source/source.h"
#include "source/sqlite/connection.h"
#include "source/sqlite/value.h"

typedef struct tain_sqlite_column {
    char    *name, *declared; /* declared type, "" for none */
    bool     not_null, has_default, generated; /* has_default: other than NULL */
    int      primary;         /* place in the primary key from 1, 0: not in it */
    unsigned seen;
} tain_sqlite_column;

typedef struct tain_sqlite_term {
    int   column;    /* index into columns, -1: an expression */
    char *expression; /* with its COLLATE; NULL for a column */
    char *collation;
    bool  descending;
} tain_sqlite_term;

typedef struct tain_sqlite_index { /* a unique one */
    char             *name;
    bool              primary, partial;
    char             *where; /* of a partial one */
    tain_sqlite_term *terms;
    size_t            count;
} tain_sqlite_index;

typedef struct tain_sqlite_shape {
    char               *name, *sql;
    bool                without_rowid, strict;
    tain_sqlite_column *columns;
    size_t              count;
    tain_sqlite_index  *indexes;
    size_t              index_count;
    int                 alias;      /* the column that is the rowid, -1: none */
    const char         *rowid;      /* a name that means the rowid, NULL: WITHOUT ROWID or all taken by columns */
    uint16_t           *key;        /* candidate: what the schema declares, whatever the values are */
    char              **collations; /* of the key's columns */
    size_t              key_count;
    bool                odd_collations; /* of the key: not those that its columns were declared with */
    tain_sqlite_value   fallback;   /* default of the last column, data owned; type 0: not known */
    const char         *key_trouble; /* why the candidate is none: "null_key" ..., NULL: it is one */
    int64_t             rows, bytes; /* at the last scan, -1 unknown */
    char               *trouble;    /* why the table cannot be mirrored at all */
    char               *lineage;    /* versions of the file's schema: the last one this shape's, before it, separated by commas, those of
                                     * shapes whose rows have by name what they have in this one; NULL: not known yet */
} tain_sqlite_shape;

void tain_sqlite_shape_free(tain_sqlite_shape *s); /* accepts NULL */

/* --- catalog.c: in a transaction of the caller's ------------------------------------------------------------------- */

/* Names of the ordinary tables of schema main but SQLite's and ours; and of virtual ones. Caller frees map's keys with
 * tain_map_done; values are their CREATE TABLE, free()d by the caller. */
tain_status tain_sqlite_list_tables(tain_sqlite_conn *c, tain_map *ret, tain_map *ret_virtual, tain_error *err);
tain_status tain_sqlite_read_shape(tain_sqlite_conn *c, const char *name, const char *sql, tain_sqlite_shape **ret, tain_error *err);

/* --- scan.c -------------------------------------------------------------------------------------------------------- */

/* Values of the column that a table is cut along, one every TAIN_SQLITE_MARK_ROWS rows, ascending, without repeats. */
enum { TAIN_SQLITE_MARK_ROWS = 4096 };
typedef struct tain_sqlite_marks {
    int64_t *at;
    size_t   count, capacity;
} tain_sqlite_marks;

/* The column to cut along, quoted: the rowid, or a leading integer key column; NULL: none, the table is one chunk. */
char *tain_sqlite_cut_column(const tain_sqlite_shape *s);
/* Whether rows can be read on from the place of one of them. Not if the primary key of a WITHOUT ROWID table has both
 * directions, or collations of its own. */
bool tain_sqlite_has_order(const tain_sqlite_shape *s);
/* Reads the whole table: adds to `seen`, sets rows and bytes; marks may be NULL. slices NULL: in the caller's transaction;
 * else in several of their own, unless the schema changes meanwhile (*ret_same false). */
struct tain_sqlite_slices;
tain_status tain_sqlite_scan(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_marks *marks, struct tain_sqlite_slices *slices, bool *ret_same, tain_error *err);

/* --- shape.c ------------------------------------------------------------------------------------------------------- */

/* Decides whether the candidate key is one. */
void tain_sqlite_shape_settle(tain_sqlite_shape *s);
static inline bool tain_sqlite_has_key(const tain_sqlite_shape *s) { return s->key_count && !s->key_trouble; }
/* Whether the column is in the candidate key. */
bool tain_sqlite_is_key(const tain_sqlite_shape *s, size_t column);
/* Whether a warning about a value of the column is worth it: text for values of a key stands for one value each. */
bool tain_sqlite_tells_loss(const tain_sqlite_shape *s, size_t column, const char *code);
tain_schema *tain_sqlite_shape_schema(const tain_sqlite_shape *s);
void tain_sqlite_shape_findings(const tain_sqlite_shape *s, tain_source_table *t);
/* What a value adds to `seen` of its column; text: whether to look for invalid UTF-8. */
unsigned tain_sqlite_shape_seen(const tain_sqlite_shape *s, size_t column, const tain_sqlite_value *v, bool text);
/* Adds what a value shows; true: type or key of the shape are no longer what they were. */
bool tain_sqlite_shape_see(tain_sqlite_shape *s, size_t column, unsigned seen);

/* JSON, caller frees. identity NULL: its name. */
char       *tain_sqlite_shape_text(const tain_sqlite_shape *s, const char *identity);
/* What happened between the shape kept as text and this one. */
typedef enum tain_sqlite_difference { TAIN_SQLITE_SAME, TAIN_SQLITE_ADDED, TAIN_SQLITE_DROPPED, TAIN_SQLITE_OTHER } tain_sqlite_difference;
/* Takes `seen` of the columns that are still the same from there. kept_at, now: the file's schema_version then (-1: not known)
 * and of this shape. reason: set unless SAME; caller frees. */
tain_sqlite_difference tain_sqlite_shape_inherit(tain_sqlite_shape *s, const json_t *kept, int64_t kept_at, int64_t now, char **reason);
/* The last version of the lineage; "": none. */
const char *tain_sqlite_shape_version(const tain_sqlite_shape *s);
/* Whether rows of that version have what they have in this one. */
bool tain_sqlite_shape_descends(const tain_sqlite_shape *s, const char *version);

#endif
