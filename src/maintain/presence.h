/* SPDX-License-Identifier: MIT */
/* presence.h -- whether what a table's log names is in its folder. */
#ifndef TAIN_MAINTAIN_PRESENCE_H
#define TAIN_MAINTAIN_PRESENCE_H

#include "delta/delta.h"

/* Every live file has its size, and every deletion vector is there: one listing, nothing is read. CORRUPT names one that
 * is not. Files outside of the folder are not looked for. Thread: the table's. */
tain_status tain_presence_check(tain_delta *t, tain_store *folder, tain_error *err);
/* The same of files that were written to be committed. Thread: any. */
tain_status tain_presence_check_files(tain_store *folder, tain_delta_file *const *files, size_t n, tain_error *err);

#endif
