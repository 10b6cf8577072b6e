/* SPDX-License-Identifier: MIT */
/* compare.h -- one table of the source against its mirror, pass by pass. Internal to verify.c.
 *
 * A pass reads both sides whole, at once and each by several threads, and keeps sums only (sums.h). Passes after the
 * first note the rows of buckets that differed in all before. The last one puts into words what is left. */
#ifndef TAIN_VERIFY_COMPARE_H
#define TAIN_VERIFY_COMPARE_H

#include <pthread.h>

#include "batch/key.h"
#include "delta/delta.h"
#include "verify/sums.h"
#include "verify/verify.h"
#include "source/source.h"

enum { TAIN_COMPARE_JOBS = 32 };

typedef struct tain_compare {
    tain_source       *source;
    tain_reader      **readers; /* of the snapshot; `jobs` of them, NULL: not open; owned by the caller */
    int                jobs;    /* threads a side, at most TAIN_COMPARE_JOBS */
    tain_source_table *table;
    tain_verify_table *result;
    void (*progress)(void *ctx, const char *table, int64_t rows);
    void              *progress_ctx;
    /* what the passes so far have found */
    const tain_schema *schema; /* of the last pass; NULL: there was none */
    tain_sums          sums;
    bool               known; /* differences are all that differs; false: there were too many to note */
    tain_differences   differences;
    bool               lake_failed; /* the pass failed on the lake's side, not the source's */
} tain_compare;

/* Compares the source's snapshot with delta. Sets result->compared, equal, rows; equal is final, a difference may still
 * be one of time. last: with reason and samples. */
tain_status tain_compare_pass(tain_compare *c, tain_delta *delta, bool last, tain_error *err);
void        tain_compare_done(tain_compare *c);
/* Reads both sides once more and hands out the rows that c->differences (known) says they differ in, each as often as its side
 * has it more: those of the source, and those of the lake whose key the source has in none of its own. A failure ends it.
 * Calls hand on any thread, one at a time. */
typedef tain_status (*tain_compare_take)(void *ctx, tain_side side, const tain_batch *batch, size_t row, tain_error *err);
tain_status tain_compare_hand_out(tain_compare *c, tain_delta *delta, tain_compare_take hand, void *ctx, tain_error *err);

/* --- between compare.c and explain.c --------------------------------------------------------------------------------- */

/* Whole rows of some suspected buckets. */
typedef struct tain_sample {
    tain_batch rows;
    bool       full; /* there were more */
} tain_sample;

/* Says in result how the rows differ; c->differences are what counts, if known. */
void tain_compare_explain(const tain_compare *c, const tain_key *key, const tain_sample *source, const tain_sample *lake);

#endif
