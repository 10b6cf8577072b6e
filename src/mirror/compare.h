/* SPDX-License-Identifier: MIT */
/* compare.h -- one table of the source against its mirror: checksums by bucket first, then the rows of buckets that
 * differ. Internal to verify.c. */
#ifndef TAIN_MIRROR_COMPARE_H
#define TAIN_MIRROR_COMPARE_H

#include "delta/delta.h"
#include "mirror/verify.h"
#include "source/source.h"

typedef struct tain_compare {
    tain_source       *source;
    tain_reader       *reader;
    tain_source_table *table;
    tain_store        *store;
    tain_delta        *delta;
    tain_verify_table *result;
    void (*progress)(void *ctx, const char *table, int64_t rows);
    void              *progress_ctx;
} tain_compare;

/* Sets result->compared, equal, rows, reason, samples. */
tain_status tain_compare_table(tain_compare *c, tain_error *err);

#endif
