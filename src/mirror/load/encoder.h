/* SPDX-License-Identifier: MIT */
/* encoder.h -- a thread that takes what one reader reads and writes it, so that reading and writing overlap.
 *
 * A few batches go round: the reader exchanges its full one for an empty one and goes on. Memory is bounded by their
 * number. What became of them the write function notes in its ctx.
 * Thread: the reader's, but for the write function, which runs on the encoder's own. */
#ifndef TAIN_MIRROR_LOAD_ENCODER_H
#define TAIN_MIRROR_LOAD_ENCODER_H

#include "batch/batch.h"

typedef struct tain_encoder tain_encoder;
/* batch NULL: ctx was ended; it is not called with that ctx again. */
typedef void (*tain_encode)(void *ctx, const tain_batch *batch);

tain_status tain_encoder_start(tain_encode write, tain_encoder **ret, tain_error *err);
void        tain_encoder_stop(tain_encoder *e); /* flushes; accepts NULL */
/* Takes the rows of batch, to be written with ctx; batch is empty afterwards. Blocks while all batches are under way. */
void tain_encoder_push(tain_encoder *e, void *ctx, tain_batch *batch);
/* No more is pushed with ctx, which is the write function's from here on. */
void tain_encoder_end(tain_encoder *e, void *ctx);
/* Waits until everything is written. */
void tain_encoder_flush(tain_encoder *e);

#endif
