/* SPDX-License-Identifier: MIT */
/* internal.h -- what the files of this folder share. */
#ifndef TAIN_SCAN_INTERNAL_H
#define TAIN_SCAN_INTERNAL_H

#include <duckdb.h>

#include "scan/scan.h"

struct tain_scan {
    duckdb_database   database;
    duckdb_connection connection;
    const void      **deleted; /* roaring_bitmap_t * by number, as the live() function of views is given it; grows */
    size_t            deleted_count, deleted_capacity;
};

/* What kind of value a result's column has, as far as this folder cares. */
typedef struct tain_result_column {
    char       *name;
    duckdb_type type;
} tain_result_column;

struct tain_result {
    tain_scan          *scan;
    char               *sql;
    bool                select; /* can stand in a subquery */
    tain_result_column *columns;
    size_t              count;
    duckdb_result       result;
    bool                executed, as_text;
    tain_schema        *text_schema;
};

tain_status tain_scan_exec(tain_scan *s, const char *sql, tain_error *err);
/* Appends identifier or text quoted for SQL. */
void tain_scan_quote(tain_buffer *sql, const char *name, char quote);
/* Registers the function that views use to leave deleted rows out. */
tain_status tain_scan_register_live(tain_scan *s, tain_error *err);
/* The next chunk, NULL at the end; caller duckdb_destroy_data_chunk()s. */
tain_status tain_result_fetch(tain_result *r, duckdb_data_chunk *ret, tain_error *err);
/* Appends rows of a vector to a column, converting between types of equal meaning. */
tain_status tain_scan_append(duckdb_vector vector, duckdb_logical_type type, size_t first, size_t n, tain_column *io, tain_error *err);

#endif
