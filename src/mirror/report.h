/* SPDX-License-Identifier: MIT */
/* report.h -- a thread that shows a running mirror's progress and keeps _tain/status.json, whatever the others do.
 *
 * Thread: start and stop from one thread. */
#ifndef TAIN_MIRROR_REPORT_H
#define TAIN_MIRROR_REPORT_H

#include "mirror/mirror.h"

typedef struct tain_report {
    tain_mirror *mirror;
    void (*progress)(tain_mirror *m, void *ctx); /* a few times a second; may be NULL */
    void           *ctx;
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  stopped;
    atomic_bool     stop;
    tain_buffer     written; /* the status last kept */
    tain_time       sign;    /* monotonic: when it is kept again, though nothing is other: a sign of life */
} tain_report;

void tain_report_start(tain_report *r, tain_mirror *m, void (*progress)(tain_mirror *m, void *ctx), void *ctx);
/* Shows and writes the last state, and ends. */
void tain_report_stop(tain_report *r);

#endif
