/* SPDX-License-Identifier: MIT */
/* pace.h -- how fast a load may read, over all its readers together, and whether it is to wait. Thread: any. */
#ifndef TAIN_MIRROR_PACE_H
#define TAIN_MIRROR_PACE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/time.h"

typedef struct tain_pace {
    int64_t         rows, bytes; /* at most so many a second; 0: any */
    pthread_mutex_t lock;
    tain_time       next;        /* when what was taken so far has had its time */
    tain_time       held;        /* nobody goes on before */
} tain_pace;

/* "50MiB" (bytes a second), "20000rows"; either may end in "/s". */
tain_status tain_pace_parse(const char *text, int64_t *ret_rows, int64_t *ret_bytes, tain_error *err);
void        tain_pace_init(tain_pace *p, int64_t rows, int64_t bytes);
void        tain_pace_done(tain_pace *p);
/* Takes what was just read; returns when (monotonic, like now) its reader may go on. Time not used is not saved up, but for a moment. */
tain_time tain_pace_take(tain_pace *p, int64_t rows, int64_t bytes, tain_time now);
/* Who takes something goes on at `until` (monotonic) at the earliest; 0: lets go. */
void      tain_pace_hold(tain_pace *p, tain_time until);
bool      tain_pace_is_held(tain_pace *p, tain_time now);

#endif
