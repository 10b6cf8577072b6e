/* SPDX-License-Identifier: MIT */
/* verify.h -- whether the mirror is true: every row of the source compared with the lake.
 *
 * Both sides are read at once and reduced to sums of row hashes in buckets chosen by key, so memory does not grow with
 * rows; when some differ both are read again and the rows in those buckets compared by key. The source is read at one
 * consistent position. A mirror that is running is waited for until it has reached that, and goes on behind it while the
 * lake is read: a difference counts if the same row differs in the same way each time the comparison is repeated. */
#ifndef TAIN_VERIFY_VERIFY_H
#define TAIN_VERIFY_VERIFY_H

#include "lake/definition.h"

typedef struct tain_verify_table {
    char       *name;
    bool        compared, equal;
    bool        failed;       /* it could not be read; reason says which side and why */
    int64_t     source_rows, lake_rows;
    char        reason[1024]; /* why not compared, or in one line how it differs */
    char        remedy[1024]; /* what to do; empty: nothing, or what the reason says */
    tain_buffer samples;      /* a line for each of the first differing rows */
} tain_verify_table;

typedef struct tain_verify_result {
    tain_verify_table *tables;
    size_t             count;
    bool               equal;  /* all compared ones; a table without mirror, or that cannot be read, is not equal */
    bool               failed; /* some table could not be read */
} tain_verify_result;

/* d->jobs: connections to the source, and threads a side. say(line): what is waited for; may be NULL. progress(ctx, table name, rows read so far of both sides), on any
 * thread, one at a time; may be NULL. An error is the source's or the lake's as a whole: one table's is in its result. */
tain_status tain_verify_run(tain_definition *d, void (*say)(const char *line), void (*progress)(void *ctx, const char *table, int64_t rows),
                            void *ctx, tain_verify_result *ret, tain_error *err);
/* From a signal handler: it ends soon, CANCELLED, and asks the source for nothing more. False: it has not begun with the source. */
bool        tain_verify_stop(void);
void        tain_verify_result_done(tain_verify_result *r);

#endif
