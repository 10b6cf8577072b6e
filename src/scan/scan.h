/* SPDX-License-Identifier: MIT */
/* scan.h -- libduckdb as reader: any Parquet file, and SQL.
 *
 * One tain_scan is one in-memory DuckDB instance with bounded memory and threads. Used for files that are not ours, log
 * checkpoints of any engine, and queries over tables. Thread: one at a time per scan. */
#ifndef TAIN_SCAN_SCAN_H
#define TAIN_SCAN_SCAN_H

#include "batch/batch.h"

typedef struct tain_scan   tain_scan;
typedef struct tain_result tain_result;

typedef struct tain_scan_options {
    int64_t     memory; /* bytes, default 512 MiB */
    int         threads; /* default: cores */
    const char *temp_dir; /* spill; NULL: none */
} tain_scan_options;

tain_status tain_scan_open(const tain_scan_options *options, tain_scan **ret, tain_error *err);
void        tain_scan_close(tain_scan *s); /* accepts NULL */
/* Runs a statement and streams its result. Of several statements, all but the last are run at once and their results
 * dropped. A query (select, with, values, describe, show) runs when its first rows are asked for, anything else at once.
 * One result is open at a time: a new statement ends the one before. INVALID carries DuckDB's message on one line; FULL:
 * the memory allowed is too little. Text does not depend on the machine: instants are shown in UTC. */
tain_status tain_scan_query(tain_scan *s, const char *sql, tain_result **ret, tain_error *err);
void        tain_result_free(tain_result *r); /* accepts NULL */
size_t      tain_result_columns(const tain_result *r);
const char *tain_result_name(const tain_result *r, size_t column);
/* Whether the column's type is a number (any width, decimals): for those who print. */
bool tain_result_is_number(const tain_result *r, size_t column);
/* Appends the next chunk as text, one STRING column each (null stays null); batch's schema comes from
 * tain_result_text_schema. *ret_rows 0: the end. UNSUPPORTED: PIVOT without IN, or what is no query, gave a type that has
 * no text there. */
const tain_schema *tain_result_text_schema(tain_result *r);
tain_status        tain_result_next_text(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err);
/* For JSON: lists, maps and structs stay such, of texts, in tain_result_text_schema and the rows. Call it before either.
 * Without effect on what DuckDB cannot run as part of a query, such as PIVOT without IN. */
void tain_result_keep_nesting(tain_result *r);
/* Writes a value of such a row, or of a row of text: numbers and booleans as such, infinity and NaN as text. */
void tain_result_put_json(const tain_result *r, size_t column, const tain_batch *rows, size_t row, tain_json *j);
/* The same into typed columns: column i of the result goes to column i of io, converting between equal-meaning types
 * (integers, floats, decimals, strings, blobs, dates, timestamps, lists, structs by member name, maps). INVALID when a
 * value does not fit exactly; io is then as it was. A result is read either as text or typed. */
tain_status tain_result_next(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err);

/* From now on its SQL reads these folders (NULL-terminated, absolute), and the tables that were added, and nothing else of the machine; it is one query
 * that writes nowhere. Anything else is PERMISSION. There is no way back. */
tain_status tain_scan_confine(tain_scan *s, const char *const *folders, tain_error *err);

/* The first value of the first row as text, "" where it is null or there is none. Caller frees. */
tain_status tain_scan_ask(tain_scan *s, const char *sql, char **ret, tain_error *err);
/* What is running ends soon, as CANCELLED. Any thread. */
void tain_scan_halt(tain_scan *s);

/* Makes a table readable under "schema"."name" (schema is created; catalog NULL: the default one, else it is attached
 * in memory). Files are absolute paths; deleted[i] (NULL: none) tells which rows of files[i] are gone and must outlive
 * the scan. Filters and projections are pushed into the Parquet reader. Each column has exactly the schema's type in every
 * file, and is null in files that lack it; of names equal but for case the later become name_1, ... The same name again
 * replaces the table. Not while a result is open. UNSUPPORTED: physical names equal but for case. */
typedef struct tain_scan_file {
    const char *path;
    const void *deleted; /* roaring_bitmap_t *, or NULL */
} tain_scan_file;
tain_status tain_scan_add_table(tain_scan *s, const char *catalog, const char *schema, const char *name, const tain_schema *columns,
                                const tain_scan_file *files, size_t n, tain_error *err);
/* The same, with two columns more behind the others: which of files a row is from, and which row of it, from 0. Files
 * without deletions come first; there is at least one. */
tain_status tain_scan_add_located(tain_scan *s, const char *schema, const char *name, const tain_schema *columns,
                                  const tain_scan_file *files, size_t n, tain_error *err);

TAIN_AUTO_DEFINE(tain_scan, tain_scan_close)
TAIN_AUTO_DEFINE(tain_result, tain_result_free)

#endif
