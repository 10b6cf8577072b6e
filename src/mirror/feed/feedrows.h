/* SPDX-License-Identifier: MIT */
/* feedrows.h -- rows that go or come with a commit, by the files they are in: found (feed.c), paired by their keys, written.
 *
 * What is held of them does not depend on how many there are, but for bitmaps. Internal to the change data feed. */
#ifndef TAIN_MIRROR_FEED_FEEDROWS_H
#define TAIN_MIRROR_FEED_FEEDROWS_H

#include "mirror/rowread.h"

typedef struct tain_feed_part { /* of one file */
    const tain_delta_file *file;   /* borrowed */
    roaring_bitmap_t      *rows;   /* owned */
    roaring_bitmap_t      *paired; /* those whose key is on the other side as well; owned */
} tain_feed_part;

typedef struct tain_feed_side {
    tain_feed_part *parts;
    size_t          count, capacity;
    uint64_t        rows;
    const tain_schema *columns; /* of the change data; borrowed */
} tain_feed_side;

/* Takes rows; of no rows there is no part. */
void tain_feed_side_add(tain_feed_side *s, const tain_delta_file *file, roaring_bitmap_t *rows);
void tain_feed_side_done(tain_feed_side *s);
/* A slice of rows of a part, in ascending order; rows: where they are in the file. */
typedef tain_status (*tain_feed_take)(void *ctx, tain_feed_part *part, const uint32_t *rows, const tain_batch *slice, tain_error *err);
/* Hands out these columns of all rows (rowread.h). */
tain_status tain_feed_read(const tain_table *t, const tain_feed_side *s, const tain_schema *columns, tain_feed_take take, void *ctx, tain_error *err);
/* Finds the keys that are on both sides. */
tain_status tain_feed_pair(tain_table *t, tain_feed_side *gone, tain_feed_side *come, tain_error *err);
/* A file of change data: rows of both sides with the columns of come; those of gone are the same under the names by which they
 * are read. Caller owns *ret. */
tain_status tain_feed_write(const tain_table *t, const tain_feed_side *gone, const tain_feed_side *come, tain_delta_file **ret, tain_error *err);

#endif
