/* SPDX-License-Identifier: MIT */
/* status.h -- what a mirror says of itself: the JSON of `tain status`, also kept as _tain/status.json. */
#ifndef TAIN_MIRROR_STATUS_H
#define TAIN_MIRROR_STATUS_H

#include "mirror/mirror.h"

/* Appends the object. Thread: any. */
void tain_status_to_json(tain_mirror *m, tain_buffer *out);
tain_status tain_status_write(tain_mirror *m, tain_error *err);
/* Takes back from the last status written what only it knows: warnings and their counts, when a table last completed and
 * how late. Tables left behind since then are said to be. */
void tain_status_restore(tain_mirror *m);
/* Microseconds by which the lake is behind the source, as far as known; -1 unknown. */
tain_time tain_status_lag(tain_mirror *m);

#endif
