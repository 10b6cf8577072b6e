/* SPDX-License-Identifier: MIT */
/* status.h -- what a mirror says of itself: the JSON of `tain status`, also kept as _tain/status.json. */
#ifndef TAIN_MIRROR_STATUS_H
#define TAIN_MIRROR_STATUS_H

#include "mirror/mirror.h"

/* Appends the object. Thread: any. */
void tain_status_to_json(tain_mirror *m, tain_buffer *out);
/* What was kept last, but for "process", which is never the same. Zeroed: nothing. */
typedef struct tain_status_kept {
    tain_buffer text;
    bool        same; /* what was to be kept then was no other than before */
} tain_status_kept;
void tain_status_kept_done(tain_status_kept *k);
static inline void tain_status_kept_done_scope(tain_status_kept *k) { tain_status_kept_done(k); }
/* Keeps it in the lake, if it is another than io_last or `anyway`. io_last NULL: nothing was kept. */
tain_status tain_status_write(tain_mirror *m, tain_status_kept *io_last, bool anyway, tain_error *err);
/* The last status written; NULL: there is none that can be read. Caller json_decref()s. */
json_t *tain_status_stored(tain_lake *lake);
/* The same while the mirror is being opened: what the last run said (NULL: nothing), and that this one has begun; after no other run
 * only of a mirror that is watched. */
tain_status tain_status_write_opening(tain_mirror *m, const json_t *before, tain_status_kept *io_last, bool anyway, tain_error *err);
/* Says in the last status written why the mirror has ended; where there is none only of one that is watched. */
tain_status tain_status_note_end(tain_mirror *m, const tain_error *why, tain_error *err);
/* Whether that table of the source had been loaded and was followed, or had failed, by that status (NULL: no). */
bool tain_status_had_content(const json_t *stored, const char *table, const char *identity);
/* Takes back what only that status knows: warnings and their counts, when a table last completed and how late. Tables left
 * behind since then are said to be. stored NULL: nothing. */
void tain_status_restore(tain_mirror *m, const json_t *stored);
/* What is being loaded now, all tables together. rows and total count what is there already, too. */
typedef struct tain_snapshot_status {
    int64_t     rows, rows_total; /* total -1: not known */
    int64_t     bytes;            /* read by this process */
    tain_amount rate;             /* a second */
    tain_time   left;             /* -1: not known */
} tain_snapshot_status;
/* False: no load is under way. With m->lock held. */
bool tain_status_snapshot(tain_mirror *m, tain_snapshot_status *ret);
/* Microseconds by which the lake is behind the source, as far as known; -1 unknown. */
tain_time tain_status_lag(tain_mirror *m);

#endif
