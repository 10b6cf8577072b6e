/* SPDX-License-Identifier: MIT */
/* feed.h -- the change data feed of a table: what each commit changes, row by row (PROTOCOL.md, Change Data Files).
 *
 * Worked out from what is pending alone, when it is about to be committed:
 *   gone   rows newly deleted in files that are live, or in files that stand for them from now on (replace.h)
 *   come   rows of the other files that are added, but for those that are deleted in them already
 * A key that goes and comes is an update (update_preimage, update_postimage), else it is a delete or an insert; so is every row
 * of a table without key, and of one whose key is another from now on. Where nothing goes no change data is written: readers take
 * added files for inserts. What is emptied or loaded again is written out as long as it is not large (WHOLE_BYTES); beyond
 * that readers take the files themselves, which all but Trino do. A row that was only given more columns is no change.
 * Columns are those that the lake's table has with the commit, with the names that its data files use.
 * Thread: the table's owner. */
#ifndef TAIN_MIRROR_FEED_FEED_H
#define TAIN_MIRROR_FEED_FEED_H

#include "mirror/table.h"

typedef struct tain_feed {
    tain_delta_file  *file;  /* change data, to be named by the commit; NULL: none is needed */
    roaring_bitmap_t *moved; /* ordinals of files whose rows only lie elsewhere (tain_delta_commit); NULL: none */
} tain_feed;

/* The column for which the table can have no feed, since readers of feeds have one of that name; NULL: none. */
const char *tain_feed_obstacle(const tain_schema *columns);
/* The properties that the next commit sets: configuration (may be NULL, stays the caller's), and that of the feed if it is not
 * as the mirror wants it. NULL: none. Caller json_decref()s. */
json_t *tain_feed_configure(tain_table *t, json_t *configuration);
/* Writes the change data of p. tain_feed_done() after success. */
tain_status tain_feed_make(tain_table *t, const tain_pending *p, tain_feed *ret, tain_error *err);
/* st: what became of the commit. Change data of one that did not come about is removed. */
void tain_feed_done(tain_table *t, tain_feed *f, tain_status st);
/* Switches the feed of a table in the lake on or off, if it is not as the mirror wants it, by a commit of its own. *ret_others: commits
 * by others that it took in, also where it failed: the caller follows them (tain_table_follow_others). */
tain_status tain_feed_switch(tain_table *t, int64_t *ret_others, tain_error *err);

#endif
