/* SPDX-License-Identifier: MIT */
/* queue.h -- a bounded queue of pointers between threads. Ownership moves with the pointer. Thread: any. */
#ifndef TAIN_BASE_QUEUE_H
#define TAIN_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

typedef struct tain_queue tain_queue;

tain_queue *tain_queue_new(size_t capacity);
void        tain_queue_free(tain_queue *q); /* must be empty; accepts NULL */
/* Blocks while full. False: the queue is closed, the item stays the caller's. */
bool tain_queue_push(tain_queue *q, void *item);
/* Pushes only if there is room at once. */
bool tain_queue_try_push(tain_queue *q, void *item);
/* Waits until deadline (monotonic; INT64_MAX: for ever). NULL: closed and drained, or the deadline passed. */
void  *tain_queue_pop(tain_queue *q, tain_time deadline);
size_t tain_queue_size(tain_queue *q);
bool   tain_queue_full(tain_queue *q); /* for who alone pushes: otherwise there is room */
/* No more pushes; pops drain what is left. */
void tain_queue_close(tain_queue *q);
bool tain_queue_closed(tain_queue *q);

#endif
