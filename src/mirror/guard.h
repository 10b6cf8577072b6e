/* SPDX-License-Identifier: MIT */
/* guard.h -- a thread that looks every few seconds how much log the source keeps back for the mirror, and acts by its limits
 * (retained.h), also while the others wait for the lake or for a load.
 *
 * Loads are made to wait only while the stream is being followed, since nothing else makes the source keep less. One that is
 * under way needs what is kept, and goes on. */
#ifndef TAIN_MIRROR_GUARD_H
#define TAIN_MIRROR_GUARD_H

#include "mirror/mirror.h"

typedef struct tain_guard {
    tain_mirror         *mirror;
    tain_retained_limits limits;
    bool                 runs;
    pthread_t            thread;
    pthread_mutex_t      lock;
    pthread_cond_t       stopped;
    bool                 stop;
} tain_guard;

/* A source that keeps nothing back needs none, and has none. Thread: source, as stop. */
void tain_guard_start(tain_guard *g, tain_mirror *m);
void tain_guard_stop(tain_guard *g);
/* One look, and what follows from it. */
void tain_guard_look(tain_mirror *m, const tain_retained_limits *limits);
/* The mirror has given up: what the source keeps is dropped, and it is noted in the lake. GONE, with what happened. err is not
 * NULL. Thread: source, once nothing else runs. */
tain_status tain_guard_let_go(tain_mirror *m, tain_error *err);
/* An earlier run has given up: GONE, unless all is loaded or compared again. Before anything is made in the source. */
tain_status tain_guard_recall(tain_mirror *m, bool anew, tain_error *err);

#endif
