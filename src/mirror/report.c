/* SPDX-License-Identifier: MIT */
#include "mirror/report.h"

#include <stdlib.h>

#include "mirror/status.h"

#define REPORT_EVERY (200 * TAIN_MILLISECOND)
#define STATUS_EVERY TAIN_SECOND
#define STATUS_LATE  (5 * TAIN_SECOND) /* also when nothing is new: readers take twice as long for silence */

enum { STATUS_COST = 200 /* writing the status of thousands of tables takes a small part of the time */ };

/* When it is written next, when writing it took so long. */
static tain_time next_status_after(tain_time began, tain_time took)
{
    tain_time pause = took * STATUS_COST;
    return began + (pause < STATUS_EVERY ? STATUS_EVERY : pause < STATUS_LATE ? pause : STATUS_LATE);
}

static tain_mirror_state state_of(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    tain_mirror_state s = m->state;
    pthread_mutex_unlock(&m->lock);
    return s;
}

static void wait_for_stop(tain_report *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += REPORT_EVERY * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&r->lock);
    if (!atomic_load(&r->stop)) pthread_cond_timedwait(&r->stopped, &r->lock, &until);
    pthread_mutex_unlock(&r->lock);
}

/* A lake that cannot be written to is the writer's to report. */
static void write_status(tain_report *r)
{
    tain_time now = tain_monotonic();
    if (now >= r->sign) tain_buffer_clear(&r->written);
    bool first = !r->written.size;
    if (tain_status_write(r->mirror, &r->written, NULL) == TAIN_OK && first) r->sign = now + STATUS_LATE;
}

static void *report_main(void *ctx)
{
    tain_report *r = ctx;
    tain_time next_status = 0;
    int last_state = -1;
    while (!atomic_load(&r->stop)) {
        if (r->progress) r->progress(r->mirror, r->ctx);
        int state = (int)state_of(r->mirror);
        if (tain_monotonic() >= next_status || state != last_state) {
            tain_time began = tain_monotonic();
            write_status(r);
            next_status = next_status_after(began, tain_monotonic() - began);
            last_state = state;
        }
        wait_for_stop(r);
    }
    return NULL;
}

void tain_report_start(tain_report *r, tain_mirror *m, void (*progress)(tain_mirror *, void *), void *ctx)
{
    *r = (tain_report){.mirror = m, .progress = progress, .ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER, .stopped = PTHREAD_COND_INITIALIZER};
    if (pthread_create(&r->thread, NULL, report_main, r) != 0) abort();
}

void tain_report_stop(tain_report *r)
{
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->stop, true);
    pthread_cond_signal(&r->stopped);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    if (r->progress) r->progress(r->mirror, r->ctx);
    write_status(r);
    tain_buffer_done(&r->written);
}
