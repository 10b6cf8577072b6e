/* SPDX-License-Identifier: MIT */
#include "mirror/load/encoder.h"

#include <pthread.h>

#include "base/queue.h"

enum { BATCHES = 3, GIANT = 16 << 20 /* bytes of a batch that is written before the next one is read */ };

typedef struct load { /* a batch going round, or the end of a ctx */
    void      *ctx;
    bool       end;
    tain_batch batch;
} load;

struct tain_encoder {
    tain_encode write;
    tain_queue *full, *empty;
    load        loads[BATCHES];
    pthread_t   thread;
};

static void *encoder_main(void *arg)
{
    tain_encoder *e = arg;
    for (load *l; (l = tain_queue_pop(e->full, INT64_MAX));) {
        e->write(l->ctx, l->end ? NULL : &l->batch);
        if (!l->end) tain_batch_clear(&l->batch);
        tain_queue_push(e->empty, l);
    }
    return NULL;
}

tain_status tain_encoder_start(tain_encode write, tain_encoder **ret, tain_error *err)
{
    tain_encoder *e = tain_alloc(sizeof *e);
    e->write = write;
    e->full = tain_queue_new(BATCHES);
    e->empty = tain_queue_new(BATCHES);
    for (size_t i = 0; i < BATCHES; i++) tain_queue_push(e->empty, &e->loads[i]);
    if (pthread_create(&e->thread, NULL, encoder_main, e) == 0) {
        *ret = e;
        return TAIN_OK;
    }
    for (size_t i = 0; i < BATCHES; i++) (void)tain_queue_pop(e->empty, INT64_MAX);
    tain_queue_free(e->full);
    tain_queue_free(e->empty);
    tain_free(e);
    return tain_fail_errno(err, "cannot start a thread");
}

void tain_encoder_flush(tain_encoder *e)
{
    load *back[BATCHES];
    for (size_t i = 0; i < BATCHES; i++) back[i] = tain_queue_pop(e->empty, INT64_MAX);
    for (size_t i = 0; i < BATCHES; i++) tain_queue_push(e->empty, back[i]);
}

static load *take_empty(tain_encoder *e, void *ctx, bool end)
{
    load *l = tain_queue_pop(e->empty, INT64_MAX);
    l->ctx = ctx;
    l->end = end;
    return l;
}

void tain_encoder_push(tain_encoder *e, void *ctx, tain_batch *batch)
{
    load *l = take_empty(e, ctx, false);
    if (l->batch.schema != batch->schema) {
        if (l->batch.schema) tain_batch_done(&l->batch);
        tain_batch_init(&l->batch, batch->schema);
    }
    tain_batch_swap(&l->batch, batch);
    bool giant = tain_batch_bytes(&l->batch) > GIANT;
    tain_queue_push(e->full, l);
    if (giant) tain_encoder_flush(e);
}

void tain_encoder_end(tain_encoder *e, void *ctx)
{
    tain_queue_push(e->full, take_empty(e, ctx, true));
}

void tain_encoder_stop(tain_encoder *e)
{
    if (!e) return;
    tain_encoder_flush(e);
    tain_queue_close(e->full);
    pthread_join(e->thread, NULL);
    for (size_t i = 0; i < BATCHES; i++) {
        load *l = tain_queue_pop(e->empty, INT64_MAX);
        if (l->batch.schema) tain_batch_done(&l->batch);
    }
    tain_queue_free(e->full);
    tain_queue_free(e->empty);
    tain_free(e);
}
