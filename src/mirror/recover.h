/* SPDX-License-Identifier: MIT */
/* recover.h -- a mirror whose epoch records are lost, the newest or all, finds its position again.
 *
 * What the last status tells of an epoch stands for its record. Otherwise each table's own newest commit tells how far it
 * is; a quiet table's may be long ago, and the source has forgotten that. But a position is confirmed to the source only
 * once all tables have everything up to it, so what the source remembers as confirmed holds for every one of them. */
#ifndef TAIN_MIRROR_RECOVER_H
#define TAIN_MIRROR_RECOVER_H

#include "mirror/mirror.h"

/* Puts the last status in the place of newer records that are not there, and its tables in that of apart, which is given
 * back. stored NULL: no status. */
void tain_recover_last(tain_mirror *m, const json_t *stored, tain_epoch *io_last, json_t **io_apart);
/* The source refused to start at the position of the table furthest behind, with `why` (GONE). Starts it where it can go on,
 * or gives `why` back. */
tain_status tain_recover_start(tain_mirror *m, tain_status why, tain_error *err);

#endif
