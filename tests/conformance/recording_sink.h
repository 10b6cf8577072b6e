/* SPDX-License-Identifier: MIT */
/* recording_sink.h -- a mirror in memory, for tests of sources: it takes snapshots and streams as the mirror does, applies
 * whole transactions, and checks what a driver promises.
 *
 * A table's rows are kept as text, a cell each; a row is written "1,'a',NULL,2.5". What a driver does wrong (an INSERT of a
 * key that is there, a DELETE of one that is not, rows outside a transaction, a position that goes back) is gathered in
 * `violations`. Thread: one. */
#ifndef TAIN_TESTS_RECORDING_SINK_H
#define TAIN_TESTS_RECORDING_SINK_H

#include "base/map.h"
#include "source/source.h"

typedef struct recording_row {
    char **cells; /* NULL: null */
    char  *key;   /* text of the key's cells; of all, without key */
    size_t next;  /* index + 1 of another with that key; 0: none */
} recording_row;

typedef struct recording_table {
    tain_source_table *source;
    char              *name;
    tain_schema       *schema;    /* of the rows; a copy */
    recording_row     *rows;
    size_t             count, capacity;
    tain_map           by_key;    /* key -> row index + 1 */
    tain_changes       changes;   /* of the open transaction */
    bool               has_changes, skip;
    tain_position      have;
    bool               wanted, needs_load, dropped, failed;
    size_t             loads;     /* how often it was loaded */
    char              *reason;    /* of the last reload or failure */
    tain_map           warnings;  /* "column:code" -> count, cast to pointer */
} recording_table;

typedef struct recording {
    tain_sink          sink;      /* first */
    recording_table  **tables;
    size_t             table_count;
    tain_position      at, position;
    bool               open;      /* inside a transaction */
    size_t             commits, rows; /* delivered and taken */
    tain_time          time;      /* of the last commit */
    tain_buffer        events;    /* a line each: "reshape main.t reload: why", "appeared main.t" ... */
    tain_buffer        violations; /* a line each */
    tain_status        answer;    /* what commit answers; OK */
    bool               stop_at_load; /* commit answers CANCELLED when some table must be loaded (as the mirror does) */
} recording;

recording *recording_new(void);
void       recording_free(recording *r);
/* Describes, prepares, loads every table that is not refused and starts the stream at the snapshot. */
tain_status recording_begin(recording *r, tain_source *s, tain_error *err);
/* Loads the tables that need it, in one snapshot. */
tain_status recording_load(recording *r, tain_source *s, tain_error *err);
/* Polls until the source's head (as it is now) is reached, loading again what needs it. */
tain_status recording_catch_up(recording *r, tain_source *s, tain_error *err);
/* Starts the stream again where the last commit was: what a mirror does after a loss of connection. */
tain_status recording_restart(recording *r, tain_source *s, tain_error *err);

tain_status recording_restart_at(recording *r, tain_source *s, const tain_position *at, tain_error *err);
/* What the source has now is delivered and lost; then the stream starts again. */
tain_status recording_lose(recording *r, tain_source *s, tain_error *err);
/* Goes on with a source opened anew, as a mirror's next process does: describe, start, prepare. */
tain_status recording_adopt(recording *r, tain_source *s, tain_error *err);

recording_table *recording_find(recording *r, const char *name); /* "t" or "schema.t"; NULL */
/* Rows as lines in order of their text; caller frees. */
char *recording_content(recording *r, const char *name);
/* "id:long name:string" */
char *recording_columns(recording *r, const char *name);
size_t recording_warnings(recording *r, const char *name, const char *column, const char *code);
const char *recording_events(recording *r);
const char *recording_violations(recording *r);

#endif
