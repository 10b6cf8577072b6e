/* SPDX-License-Identifier: MIT */
/* model.h -- a table being written, and beside it what a reader must find in it.
 *
 * The model keeps the rows of every file as they were handed to the writer, and which of them are deleted; it never looks
 * at what was written. Any failure ends the program. */
#ifndef TAIN_INTEROP_MODEL_H
#define TAIN_INTEROP_MODEL_H

#include "delta/delta.h"

typedef struct part { /* a data file */
    tain_batch        rows;
    roaring_bitmap_t *deleted;
    tain_delta_file  *file; /* NULL: no longer live */
} part;

typedef struct model {
    char         *root, *name;
    tain_store   *store;
    tain_delta   *delta;
    tain_schema  *schemas[8]; /* the last is the present one */
    size_t        schema_count;
    part         *parts;
    size_t        count, capacity;
    int64_t       next_id; /* for columns named id */
    uint64_t      random;
} model;

#define MUST(expr) must((expr), &error_, __FILE__, __LINE__)
extern tain_error error_;
void must(tain_status status, const tain_error *err, const char *file, int line);

/* Begins table root/name; schema is taken over. Nothing is written before model_create. */
model *model_new(const char *root, const char *name, tain_schema *schema);
/* Writes version 0; configuration is borrowed. */
void model_create(model *m, json_t *configuration);
/* Writes what is expected to root/name.rows.jsonl and frees everything. */
void model_finish(model *m);

const tain_schema *model_schema(const model *m);
/* Rows of random values of every kind, of which one in null_share is null (0: none); columns named id count up. */
void model_fill(model *m, tain_batch *io, size_t rows, unsigned null_share);
/* Writes a file of these rows, which are taken over. Not live before it is committed; returns its number. */
size_t model_write(model *m, tain_batch *rows, const tain_parquet_options *options);
/* A commit that adds the files first..count-1. */
void model_commit_new(model *m, size_t first);
/* model_fill, model_write, model_commit_new in one; returns the file's number. */
size_t model_append(model *m, size_t rows, unsigned null_share);
/* Deletes rows of a file, in c or (NULL) in a commit of its own. */
typedef struct deletion { size_t part; uint64_t first, end; uint32_t step; } deletion;
void model_delete(model *m, const deletion *d, size_t n);
/* One commit: replaces the files by one of their live rows, as OPTIMIZE does. */
void model_rewrite(model *m, const size_t *parts, size_t n);
/* One commit that removes all files. */
void model_truncate(model *m);
/* A commit that makes schema (taken over) the present one. */
void model_change_schema(model *m, tain_schema *schema, json_t *configuration);
/* One commit: a number column that all rows there are have that value in. Files that are live have the present columns. */
void model_add_default(model *m, const char *name, int64_t value);
/* Writes what is expected of the present version to root/name@v<version>.rows.jsonl. */
void model_remember(model *m);
/* Makes all files of the table's folder look older by that many days. */
void model_age(model *m, int days);

/* The text of a value that every reader must agree on, as JSON: see README.md. */
void canonical_value(const tain_column *c, size_t i, tain_buffer *out);

#endif
