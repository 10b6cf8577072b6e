/* SPDX-License-Identifier: MIT */
/* arrow.h -- a batch for others, through Arrow's C data interface.
 *
 * Exporting moves a batch's memory into the ArrowArray: nothing is copied but decimals of 18 digits or fewer, which Arrow
 * holds in 16 bytes. Whoever gets the structs calls their release, once each, in any order. */
#ifndef TAIN_BATCH_ARROW_H
#define TAIN_BATCH_ARROW_H

#include "batch/batch.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char          *format, *name, *metadata;
    int64_t              flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t             length, null_count, offset, n_buffers, n_children;
    const void        **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

/* A struct of the schema's columns, under their logical names. */
void tain_arrow_schema(const tain_schema *s, struct ArrowSchema *ret);
/* The rows of b as a struct array; b is empty and valid afterwards. */
void tain_arrow_batch(tain_batch *b, struct ArrowArray *ret);

#endif
