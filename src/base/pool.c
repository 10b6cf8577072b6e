/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

/* One call of tain_pool_run; lives on its caller's stack. */
typedef struct run {
    struct run    *next; /* in the pool's list while items are left to take */
    tain_task      task;
    void         **items;
    size_t         n, taken, finished;
    size_t         failed; /* lowest item that failed, SIZE_MAX: none */
    tain_status    status;
    tain_error     err;
    pthread_cond_t all_finished;
} run;

struct tain_pool {
    pthread_mutex_t lock;
    pthread_cond_t  work;
    run            *runs; /* oldest first */
    bool            closing;
    size_t          count;
    pthread_t       threads[];
};

static void unlist(tain_pool *p, run *r)
{
    run **at = &p->runs;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
}

static void enlist(tain_pool *p, run *r)
{
    run **at = &p->runs;
    while (*at) at = &(*at)->next;
    *at = r;
}

/* Takes the next item of r, runs it without the lock and notes how it went. Called and returns with the lock held. */
static void work_on(tain_pool *p, run *r)
{
    size_t i = r->taken++;
    if (r->taken == r->n) unlist(p, r);
    pthread_mutex_unlock(&p->lock);
    tain_error  err = {0};
    tain_status status = r->task(r->items[i], &err);
    pthread_mutex_lock(&p->lock);
    if (status != TAIN_OK && i < r->failed) {
        r->failed = i;
        r->status = status;
        r->err = err;
    }
    if (++r->finished == r->n) pthread_cond_signal(&r->all_finished);
}

static void *worker(void *arg)
{
    tain_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        if (p->runs) work_on(p, p->runs);
        else pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

tain_pool *tain_pool_new(size_t threads)
{
    tain_pool *p = tain_alloc(sizeof *p + threads * sizeof p->threads[0]);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    /* With fewer threads than asked the callers, who help, do the rest. */
    while (p->count < threads && pthread_create(&p->threads[p->count], NULL, worker, p) == 0) p->count++;
    return p;
}

void tain_pool_free(tain_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    tain_free(p);
}

tain_status tain_pool_run(tain_pool *p, tain_task task, void **items, size_t n, tain_error *err)
{
    if (n == 0) return TAIN_OK;
    run r = {.task = task, .items = items, .n = n, .failed = SIZE_MAX, .all_finished = PTHREAD_COND_INITIALIZER};
    pthread_mutex_lock(&p->lock);
    enlist(p, &r);
    if (n > 1) pthread_cond_broadcast(&p->work);
    while (r.taken < r.n) work_on(p, &r);
    while (r.finished < r.n) pthread_cond_wait(&r.all_finished, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&r.all_finished);
    if (r.failed == SIZE_MAX) return TAIN_OK;
    if (err) *err = r.err;
    return r.status;
}
