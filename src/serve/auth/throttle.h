/* SPDX-License-Identifier: MIT */
/* throttle.h -- how soon another try is heard, after wrong ones.
 *
 * Tries are counted by key (a name, an address, both together); so many are free, each that follows waits twice as long, a minute at most; after
 * a quarter of an hour without any it begins anew. A try is counted before it is made, so that many at a time do not
 * all count as the first. Memory is fixed: when it is full, what was longest ago is forgotten. Thread: any. */
#ifndef TAIN_SERVE_AUTH_THROTTLE_H
#define TAIN_SERVE_AUTH_THROTTLE_H

#include <stdbool.h>

#include "base/time.h"

typedef struct tain_throttle tain_throttle;

typedef struct tain_throttle_key {
    const char *text;
    int         free; /* tries */
} tain_throttle_key;

tain_throttle *tain_throttle_new(void);
void           tain_throttle_free(tain_throttle *t); /* accepts NULL */
/* 0: it is counted by each key, and may be made; else how long to wait, and it is not counted. */
tain_time      tain_throttle_try(tain_throttle *t, const tain_throttle_key *keys, int n);
/* The try was right: it is not counted. */
void           tain_throttle_forgive(tain_throttle *t, const tain_throttle_key *keys, int n);

#endif
