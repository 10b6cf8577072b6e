/* SPDX-License-Identifier: MIT */
/* verify.h -- whether the mirror is true: every row of the source compared with the lake.
 *
 * Both sides are reduced to sums of row hashes in buckets chosen by key, so memory does not grow with rows; buckets that
 * differ are read again and the rows in them compared by key. The source is read at one consistent position; a mirror
 * that is running is waited for until it has reached it, and a difference counts only if it is there again when the
 * comparison is repeated. */
#ifndef TAIN_MIRROR_VERIFY_H
#define TAIN_MIRROR_VERIFY_H

#include "mirror/definition.h"

typedef struct tain_verify_table {
    char       *name;
    bool        compared, equal;
    int64_t     source_rows, lake_rows;
    char        reason[1024]; /* why not compared, or in one line how it differs */
    tain_buffer samples;      /* a line for each of the first differing rows */
} tain_verify_table;

typedef struct tain_verify_result {
    tain_verify_table *tables;
    size_t             count;
    bool               equal; /* all compared ones; a table without mirror is not equal */
} tain_verify_result;

/* progress(ctx, table name, rows compared so far); may be NULL. */
tain_status tain_verify_run(tain_definition *d, void (*progress)(void *ctx, const char *table, int64_t rows), void *ctx,
                            tain_verify_result *ret, tain_error *err);
void        tain_verify_result_done(tain_verify_result *r);

#endif
