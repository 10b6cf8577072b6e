/* SPDX-License-Identifier: MIT */
#include "base/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>

#include "base/memory.h"

struct tain_queue {
    pthread_mutex_t lock;
    pthread_cond_t  not_empty, not_full;
    void          **items; /* ring */
    size_t          capacity, first, count;
    bool            closed;
};

tain_queue *tain_queue_new(size_t capacity)
{
    tain_queue *q = tain_alloc(sizeof *q);
    q->capacity = capacity ? capacity : 1;
    q->items = tain_alloc(q->capacity * sizeof *q->items);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->not_empty, &monotonic);
    pthread_cond_init(&q->not_full, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

void tain_queue_free(tain_queue *q)
{
    if (!q) return;
    assert(q->count == 0);
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->not_full);
    pthread_mutex_destroy(&q->lock);
    tain_free(q->items);
    tain_free(q);
}

static bool push_locked(tain_queue *q, void *item)
{
    if (q->closed || q->count == q->capacity) return false;
    q->items[(q->first + q->count++) % q->capacity] = item;
    pthread_cond_signal(&q->not_empty);
    return true;
}

bool tain_queue_push(tain_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    while (!q->closed && q->count == q->capacity) pthread_cond_wait(&q->not_full, &q->lock);
    bool pushed = push_locked(q, item);
    pthread_mutex_unlock(&q->lock);
    return pushed;
}

bool tain_queue_try_push(tain_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    bool pushed = push_locked(q, item);
    pthread_mutex_unlock(&q->lock);
    return pushed;
}

/* False: the deadline has passed. */
static bool wait_for_item(tain_queue *q, tain_time deadline)
{
    if (deadline == INT64_MAX) return pthread_cond_wait(&q->not_empty, &q->lock) == 0;
    if (deadline <= 0) return false;
    struct timespec until = {.tv_sec = deadline / TAIN_SECOND, .tv_nsec = deadline % TAIN_SECOND * 1000};
    return pthread_cond_timedwait(&q->not_empty, &q->lock, &until) == 0;
}

void *tain_queue_pop(tain_queue *q, tain_time deadline)
{
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed && wait_for_item(q, deadline)) {}
    if (q->count > 0) {
        item = q->items[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->count--;
        pthread_cond_signal(&q->not_full);
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

size_t tain_queue_size(tain_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->count;
    pthread_mutex_unlock(&q->lock);
    return n;
}

bool tain_queue_full(tain_queue *q)
{
    return tain_queue_size(q) == q->capacity;
}

void tain_queue_close(tain_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

bool tain_queue_closed(tain_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool closed = q->closed;
    pthread_mutex_unlock(&q->lock);
    return closed;
}
