/* SPDX-License-Identifier: MIT */
/* ordinals.h -- a table's live and pending files by their ordinal, as the key index names them.
 *
 * Open addressing; size follows the number of files, not that of ordinals ever given. A zeroed one is empty and valid.
 * Not thread-safe. */
#ifndef TAIN_MIRROR_ORDINALS_H
#define TAIN_MIRROR_ORDINALS_H

#include "delta/delta.h"

typedef struct tain_ordinals {
    tain_delta_file **slots; /* NULL: free */
    uint32_t         *keys;  /* of the slots: a file may be freed before it is taken out */
    size_t            size, count;
} tain_ordinals;

tain_delta_file *tain_ordinals_get(const tain_ordinals *o, uint32_t ordinal); /* NULL: not there */
void             tain_ordinals_put(tain_ordinals *o, tain_delta_file *f);
void             tain_ordinals_remove(tain_ordinals *o, uint32_t ordinal);    /* absent: nothing happens */
void             tain_ordinals_clear(tain_ordinals *o);
void             tain_ordinals_done(tain_ordinals *o);

#endif
