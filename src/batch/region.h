/* SPDX-License-Identifier: MIT */
/* region.h -- rows told by where values of theirs lie: in ranges and lists, as those of one partition do.
 *
 * Once made it is only read. Values are compared as numbers, texts by their bytes. Not for lists and other nested types. */
#ifndef TAIN_BATCH_REGION_H
#define TAIN_BATCH_REGION_H

#include "batch/batch.h"

/* One level of partitions. In a range rows are compared column by column. */
typedef struct tain_bound {
    bool       list;   /* its one column has one of the values (null is equal to null), else: a range */
    uint16_t  *columns; /* of the region */
    size_t     count;
    tain_schema *schema; /* of the values; owned */
    tain_batch values; /* of these columns: a list's; or where a range begins, and the first that it does not hold */
    int8_t    *open;   /* a range's: for each column of the beginning, then of the end: -1 below, 1 above every value, 0 the value */
} tain_bound;

typedef struct tain_region { /* what all bounds hold */
    uint16_t   *columns; /* of the table that matter, each once; owned */
    size_t      column_count;
    tain_bound *bounds;
    size_t      bound_count;
} tain_region;

/* The region's column for the table's, which may be a new one. */
uint16_t tain_region_column(tain_region *r, uint16_t table_column);
/* A bound of `count` columns (the region's) of those types; its values and ends are the caller's to fill, before the next. */
tain_bound *tain_region_add(tain_region *r, bool list, const uint16_t *columns, const tain_type *types, size_t count);
void        tain_region_free(tain_region *r); /* accepts NULL */
/* Whether a row is in it. b: the region's columns alone, in its order. */
bool tain_region_has(const tain_region *r, const tain_batch *b, size_t row);

#endif
