/* SPDX-License-Identifier: MIT */
/* records.h -- what was done to each table, as lines of JSON at the end of a file, for whoever keeps records of it.
 *
 *   {"n":1,"run":"2026-01-31T12:34:56.789Z","time":..,"operation":"StartReplicating","schema":..,"table":..,"start":..,"end":..,
 *    "rows":0,"bytes":0,"latency":0.412|null,"errorType":"UserError"|"SystemError"|null,"error":..|null}
 *
 * Every turn of a table's state is one; what is done meanwhile (Snapshotting, Replicating) is one in ten seconds at most, with what was
 * done since the last. n counts within a run of the mirror. The file may be renamed or removed at any time: it is made anew. Noting
 * takes memory only; the report thread writes. What cannot be written is kept, up to a bound, and tried again. */
#ifndef TAIN_MIRROR_RECORDS_H
#define TAIN_MIRROR_RECORDS_H

#include "mirror/mirror.h"

tain_records *tain_records_new(const char *path, tain_time started);
void          tain_records_free(tain_records *r); /* accepts NULL; what is not written is lost */

/* The tables have been opened: what each is now is noted, unless the last run left it so, and from here on how it turns. */
void tain_records_begin(tain_mirror *m);
/* One more is mirrored. */
void tain_records_added(tain_mirror *m, tain_table *t);
/* Its folder was removed because the source has it no more. Any thread. */
void tain_records_removed(tain_records *r, const char *name);
/* It has another state than `from`. With t->lock held. Any thread. */
void tain_records_turned(tain_table *t, tain_table_status from);
/* Another shape of it was committed. With t->lock held. Any thread. */
void tain_records_reshaped(tain_table *t);
/* Notes what was done to each table, if it is time. last: there will be no more. Thread: report, as the next. */
void tain_records_note(tain_mirror *m, bool last);
/* Writes what was noted. */
void tain_records_write(tain_mirror *m);

#endif
