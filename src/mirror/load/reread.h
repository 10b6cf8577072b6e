/* SPDX-License-Identifier: MIT */
/* reread.h -- the rows of a table that alone cannot be told to be right are read again, the others stay.
 *
 * From where the source says so the table is passed by, as one is that is loaded. What the lake has of it then is everything up
 * to the newest record or to a commit behind it (`from`), and no more. The rows are read beside the stream, at one position. Then, pending, what the
 * lake has of them goes (clear.c), what was read comes, and the stream begins again at `from`: up to the position that was read at
 * it is for all other rows alone, from there on for all. One commit shows it all. Whatever else becomes of the table meanwhile makes it
 * one that is loaded as a whole, and so does a restart: the records say that it is apart. A key must tell where a row
 * lies. Thread: source, but for others(). */
#ifndef TAIN_MIRROR_LOAD_REREAD_H
#define TAIN_MIRROR_LOAD_REREAD_H

#include "mirror/mirror.h"

/* The rows within are to be read again. False: that cannot be, the table has to be loaded. The source keeps what came since. */
bool tain_reread_want(tain_mirror *m, tain_table *t, const tain_region *within);
/* Whether that can still be, now that it is about to be read; `from` is exact then. The table is the source thread's. */
bool tain_reread_can(tain_mirror *m, tain_table *t);
void tain_reread_forget(tain_table *t);
/* Deletes, pending, what the lake has of the rows. A failure leaves some of it pending. The table is the source thread's. */
tain_status tain_reread_clear(tain_table *t, tain_error *err);
/* The changes of rows that are in none of n regions. The caller's, to be done with. False: where a row lies, or was, is not sent. Thread: any. */
bool tain_reread_others(const tain_region *const *within, size_t n, const tain_changes *c, tain_changes *ret);

#endif
