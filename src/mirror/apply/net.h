/* SPDX-License-Identifier: MIT */
/* net.h -- the net effect of a batch of changes, in three steps: collapse, locate, read back.
 *
 * One tain_net lives while one batch is applied (apply.c). Row numbers are those of the batch.
 *   collapse  which rows stay, which earlier row of the batch each one continues, which need the row that was there before
 *   locate    finds those earlier rows in data files: the index locates, the key decides
 *   readback  values of cells the source did not send, from the batch or from our own files
 * Internal to src/mirror. Thread: writer. */
#ifndef TAIN_MIRROR_APPLY_NET_H
#define TAIN_MIRROR_APPLY_NET_H

#include "mirror/table.h"

enum { TAIN_NONE = -1 };

typedef struct tain_net {
    tain_table         *table;
    const tain_changes *changes;
    size_t              rows;
    uint64_t           *hashes;
    bool               *stays;    /* the row is in the table after the batch */
    int32_t            *origin;   /* the row of the batch this one continues (its unchanged cells are there), or NONE */
    bool               *wanted;   /* locate must find what was there before */
    tain_location      *old;      /* where it was ... */
    bool               *found;    /* ... if it was */
    uint32_t           *emitted;  /* rows that stay, in the order in which they are written */
    size_t              emitted_count;
    bool               *in_key;   /* per column */
    bool                removals; /* rows that go are emitted, too, as they were (history.h) */
} tain_net;

/* Takes the next n of the emitted rows, complete. */
typedef tain_status (*tain_net_put)(void *ctx, const tain_batch *rows, const uint32_t *emitted, size_t n, tain_error *err);

void tain_net_init(tain_net *net, tain_table *t, const tain_changes *changes);
void tain_net_done(tain_net *net);

void        tain_net_collapse(tain_net *net);
tain_status tain_net_locate(tain_net *net, tain_error *err);
/* Orders the emitted rows: first those that were sent whole, whose number is returned, then the others in the order of
 * the places where they were before. */
size_t tain_net_arrange(tain_net *net);
/* Hands over the emitted rows from `first` on. Holds a few MiB, or one row, at a time. */
tain_status tain_net_readback(tain_net *net, size_t first, tain_net_put put, void *ctx, tain_error *err);

static inline tain_op tain_net_op(const tain_net *net, size_t row) { return (tain_op)net->changes->ops.data[row]; }
/* Of such a row only the key is sent, where there is one. */
static inline bool tain_net_removes(const tain_net *net, size_t row)
{
    tain_op op = tain_net_op(net, row);
    return op == TAIN_DELETE || op == TAIN_DELETE_IF || op == TAIN_KEY_OLD;
}

#endif
