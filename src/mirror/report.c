/* SPDX-License-Identifier: MIT */
#include "mirror/report.h"

#include <stdlib.h>

#include "mirror/records.h"
#include "mirror/status.h"

#define REPORT_EVERY (200 * TAIN_MILLISECOND) /* where somebody looks on */
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

/* Until something is to be done; false: the end. */
static bool wait_for_news(tain_report *r, tain_time until)
{
    struct timespec at = {.tv_sec = until / TAIN_SECOND, .tv_nsec = until % TAIN_SECOND * 1000};
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->wake && !r->stop && rc == 0) rc = pthread_cond_timedwait(&r->woken, &r->lock, &at);
    bool goes_on = !r->stop;
    r->wake = false;
    pthread_mutex_unlock(&r->lock);
    return goes_on;
}

static tain_status write_any(tain_report *r)
{
    if (!atomic_load(&r->mirror->opened)) return tain_status_write_opening(r->mirror, r->before, &r->written, NULL);
    json_decref(r->before);
    r->before = NULL;
    return tain_status_write(r->mirror, &r->written, NULL);
}

/* A lake that cannot be written to is the writer's to report. */
static void write_status(tain_report *r)
{
    tain_time now = tain_monotonic();
    if (now >= r->sign) tain_buffer_clear(&r->written);
    bool first = !r->written.size;
    if (write_any(r) == TAIN_OK && first) r->sign = now + STATUS_LATE;
}

static void show(tain_report *r)
{
    if (r->progress && atomic_load(&r->mirror->opened)) r->progress(r->mirror, r->ctx);
}

static void *report_main(void *ctx)
{
    tain_report *r = ctx;
    tain_time next_status = 0, until;
    int last_state = -1;
    do {
        show(r);
        int state = (int)state_of(r->mirror);
        if (tain_monotonic() >= next_status || state != last_state) {
            tain_time began = tain_monotonic();
            write_status(r);
            next_status = next_status_after(began, tain_monotonic() - began);
            last_state = state;
        }
        tain_records_step(r->mirror, false);
        until = r->progress ? tain_monotonic() + REPORT_EVERY : next_status;
    } while (wait_for_news(r, until));
    return NULL;
}

void tain_report_start(tain_report *r, tain_mirror *m, void (*progress)(tain_mirror *, void *), void *ctx)
{
    pthread_condattr_t monotonic;
    *r = (tain_report){.mirror = m, .progress = progress, .ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER, .before = tain_status_stored(m->lake)};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    m->report = r;
    if (pthread_create(&r->thread, NULL, report_main, r) != 0) abort();
}

void tain_report_wake(tain_report *r)
{
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->wake = true;
    pthread_cond_signal(&r->woken);
    pthread_mutex_unlock(&r->lock);
}

void tain_report_stop(tain_report *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->woken);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    show(r);
    write_status(r);
    tain_records_step(r->mirror, true);
    r->mirror->report = NULL;
    json_decref(r->before);
    tain_buffer_done(&r->written);
    pthread_cond_destroy(&r->woken);
}
