/* SPDX-License-Identifier: MIT */
/* encoder.h -- a thread that takes batches of one reader and writes them, so that reading and writing overlap.
 *
 * A few batches go round: the reader exchanges its full one for an empty one and goes on. Memory is bounded by their
 * number. The first failure is kept; batches after it are dropped, and both push and flush return it.
 * Thread: the reader's, but for the write function, which runs on the encoder's own. */
#ifndef TAIN_MIRROR_ENCODER_H
#define TAIN_MIRROR_ENCODER_H

#include "batch/batch.h"

typedef struct tain_encoder tain_encoder;
typedef tain_status (*tain_encode)(void *ctx, const tain_batch *batch, tain_error *err);

tain_status tain_encoder_start(tain_encode write, tain_encoder **ret, tain_error *err);
void        tain_encoder_stop(tain_encoder *e); /* flushes; accepts NULL */
/* Takes the rows of batch, to be written with ctx; batch is empty afterwards. Blocks while all batches are under way. */
tain_status tain_encoder_push(tain_encoder *e, void *ctx, tain_batch *batch, tain_error *err);
/* Waits until everything is written; forgets an earlier failure after returning it. */
tain_status tain_encoder_flush(tain_encoder *e, tain_error *err);

#endif
