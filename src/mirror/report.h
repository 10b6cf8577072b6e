/* SPDX-License-Identifier: MIT */
/* report.h -- a thread that shows a running mirror's progress, keeps _tain/status.json and writes records, whatever the others do.
 *
 * Until the mirror is opened the status is the last run's with what is known of this one. Thread: start and stop from one thread. */
#ifndef TAIN_MIRROR_REPORT_H
#define TAIN_MIRROR_REPORT_H

#include "mirror/status.h"

struct tain_report {
    tain_mirror *mirror;
    void (*progress)(tain_mirror *m, void *ctx); /* a few times a second; may be NULL */
    void           *ctx;
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  woken;
    bool            wake, stop; /* guarded by lock */
    json_t         *before;  /* the status that the last run left; NULL: none, or it is not needed any more */
    tain_status_kept kept;   /* the status */
    tain_time       looked, pause; /* monotonic: when it was made last, and how long after that it is made again if nobody wakes */
    tain_time       least;   /* and if somebody does */
    tain_time       sign;    /* monotonic: when it is kept again, though nothing is other: a sign of life */
};

void tain_report_start(tain_report *r, tain_mirror *m, void (*progress)(tain_mirror *m, void *ctx), void *ctx);
/* There is something to write. Accepts NULL. Any thread. */
void tain_report_wake(tain_report *r);
/* Shows and writes the last state, and ends. */
void tain_report_stop(tain_report *r);

#endif
