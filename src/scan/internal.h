/* SPDX-License-Identifier: MIT */
/* internal.h -- what the files of this folder share. */
#ifndef TAIN_SCAN_INTERNAL_H
#define TAIN_SCAN_INTERNAL_H

#include <duckdb.h>
#include <roaring/roaring.h>

#include "scan/scan.h"

/* The deleted rows of one table's files, as the filter function looks them up: slot -> file index -> bitmap. */
typedef struct tain_scan_slot {
    char                    *view; /* full quoted name */
    const roaring_bitmap_t **deleted;
    size_t                   count;
} tain_scan_slot;

struct tain_scan {
    duckdb_database   db;
    duckdb_connection connection;
    tain_scan_slot  **slots; /* pointers, because the filter function keeps looking at them while the array grows */
    size_t            slot_count;
    char             *temp_dir; /* NULL: none */
    bool              confined;
};

/* Runs a statement for its effect. */
tain_status tain_scan_run(tain_scan *s, const char *sql, tain_error *err);
/* Fails with DuckDB's message on one line; type decides the code. */
tain_status tain_scan_fail(tain_error *err, duckdb_error_type type, const char *message);

/* Registers tain_row_lives(slot, file, row). */
tain_status tain_scan_register_filter(tain_scan *s, tain_error *err);
void        tain_scan_slots_free(tain_scan *s);

/* --- SQL text --- */
void tain_sql_name(tain_buffer *out, const char *name);                   /* "na""me" */
void tain_sql_string(tain_buffer *out, const char *text, size_t n);       /* 'te''xt' */
void tain_sql_path(tain_buffer *out, const char *path);                   /* a string that no glob is read into */
void tain_sql_type(tain_buffer *out, const tain_type *type);              /* BIGINT, STRUCT("a" VARCHAR)[], ... */

/* --- DuckDB vectors to columns --- */

/* How values of one DuckDB type go into one kind of column; its members mirror nesting. The data pointers are those of
 * the vector last bound. */
typedef struct tain_lane tain_lane;
struct tain_lane {
    duckdb_type  type, physical; /* physical: storage of decimals and enums */
    uint8_t      scale;
    uint32_t     array_size;
    tain_lane   *children; /* LIST, ARRAY 1; MAP 2; STRUCT child_count */
    char       **names;    /* STRUCT: of the children; ENUM: labels */
    size_t       child_count;
    const void  *data;
    const uint64_t *valid; /* NULL: no nulls */
};
void tain_lane_init(tain_lane *l, duckdb_logical_type type);
void tain_lane_done(tain_lane *l);
void tain_lane_bind(tain_lane *l, duckdb_vector vector);
/* Appends values first..first+n-1. What was appended before a failure stays; the caller truncates. */
tain_status tain_lane_append(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err);
/* The nested kinds (nested.c) and all others (convert.c), which tain_lane_append tells apart. */
tain_status tain_lane_append_nested(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err);
static inline bool tain_lane_is_null(const tain_lane *l, size_t i)
{
    return l->valid && !(l->valid[i >> 6] >> (i & 63) & 1);
}
/* Whether values are integers or decimals. */
bool tain_lane_is_exact(duckdb_type type);
bool tain_lane_is_number(const tain_lane *l); /* floats too */
tain_status tain_lane_mismatch(const tain_lane *l, const tain_column *to, tain_error *err);

/* --- text as JSON (json.c) --- */

/* The lane's type with text for every value: lists, maps and structs of STRING. Made in s. */
tain_type tain_lane_text_type(const tain_lane *l, tain_schema *s);
/* Value row of a column of that type, or of plain text. */
void tain_lane_put_json(const tain_lane *l, const tain_column *c, size_t row, tain_json *j);

#endif
