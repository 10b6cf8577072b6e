/* SPDX-License-Identifier: MIT */
/* pool.h -- a fixed set of threads that run tasks in parallel. Thread: any. */
#ifndef TAIN_BASE_POOL_H
#define TAIN_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

typedef struct tain_pool tain_pool;
typedef tain_status (*tain_task)(void *item, tain_error *err);

tain_pool *tain_pool_new(size_t threads);
void       tain_pool_free(tain_pool *p); /* accepts NULL */
/* Runs task on items[0..n-1], the caller's thread helping, and returns when all are done. One item's failure does not
 * stop the others; the first failure in item order is returned. May be called from several threads at once. */
tain_status tain_pool_run(tain_pool *p, tain_task task, void **items, size_t n, tain_error *err);

#endif
