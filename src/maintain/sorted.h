/* SPDX-License-Identifier: MIT */
/* sorted.h -- a whole Delta table written anew in the order of some columns, for readers that skip by statistics.
 *
 * DuckDB sorts, and spills to a folder what does not fit; where each row comes from is noted on disk, 8 bytes a row. All files
 * are replaced in one commit. What others delete meanwhile is deleted in the new files too, and what they add stays beside
 * them, so that a mirror may go on with the table. */
#ifndef TAIN_MAINTAIN_SORTED_H
#define TAIN_MAINTAIN_SORTED_H

#include "delta/delta.h"

typedef struct tain_sorted_options {
    const uint16_t      *columns; /* to sort by, ascending, NULL last */
    size_t               count;
    int64_t              file_bytes; /* a file ends when it has so many */
    tain_parquet_options files;
    int64_t              memory; /* for sorting; 0: default */
    const char          *spill;  /* folder */
} tain_sorted_options;

/* UNSUPPORTED: files that are not on this machine. CONFLICT: others changed the table again and again. Thread: t's. */
tain_status tain_sorted_rewrite(tain_delta *t, tain_store *folder, const tain_sorted_options *o, tain_error *err);

#endif
