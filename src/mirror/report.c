/* SPDX-License-Identifier: MIT */
#include "mirror/report.h"

#include <stdlib.h>

#include "mirror/records.h"

#define REPORT_EVERY (200 * TAIN_MILLISECOND) /* where somebody looks on */
#define STATUS_EVERY TAIN_SECOND
#define STATUS_LATE  (5 * TAIN_SECOND) /* also when nothing is new: readers take twice as long for silence */

enum { STATUS_COST = 200 /* writing the status of thousands of tables takes a small part of the time */ };

static tain_mirror_state state_of(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    tain_mirror_state s = m->state;
    pthread_mutex_unlock(&m->lock);
    return s;
}

/* Whether somebody woke it before; *ret_stop: it is to end. */
static bool wait_for_news(tain_report *r, tain_time until, bool *ret_stop)
{
    struct timespec at = {.tv_sec = until / TAIN_SECOND, .tv_nsec = until % TAIN_SECOND * 1000};
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->wake && !r->stop && rc == 0) rc = pthread_cond_timedwait(&r->woken, &r->lock, &at);
    bool woken = r->wake;
    *ret_stop = r->stop;
    r->wake = false;
    pthread_mutex_unlock(&r->lock);
    return woken;
}

/* A lake that cannot be written to is the writer's to report. */
static void write_status(tain_report *r)
{
    tain_time now = tain_monotonic();
    bool opened = atomic_load(&r->mirror->opened), sign = now >= r->sign;
    tain_status st = opened ? tain_status_write(r->mirror, &r->kept, sign, NULL) : tain_status_write_opening(r->mirror, r->before, &r->kept, sign, NULL);
    if (st == TAIN_OK && (sign || !r->kept.same)) r->sign = now + STATUS_LATE;
}

static tain_time within(tain_time least, tain_time t, tain_time most) { return t < least ? least : t < most ? t : most; }

/* The longer nothing is new, the more seldom it is looked for; and seldom where that takes long. */
static void look(tain_report *r)
{
    r->looked = tain_monotonic();
    write_status(r);
    tain_records_note(r->mirror, false);
    r->least = within(STATUS_EVERY, (tain_monotonic() - r->looked) * STATUS_COST, STATUS_LATE);
    r->pause = r->kept.same ? within(r->least, r->pause * 2, STATUS_LATE) : r->least;
}

static void show(tain_report *r)
{
    if (r->progress && atomic_load(&r->mirror->opened)) r->progress(r->mirror, r->ctx);
}

static void *report_main(void *ctx)
{
    tain_report *r = ctx;
    int last_state = -1;
    bool stop = false, news = true;
    while (!stop) {
        show(r);
        int state = (int)state_of(r->mirror);
        tain_time now = tain_monotonic();
        if (state != last_state || now >= r->looked + (news ? r->least : r->pause)) {
            look(r);
            news = false;
        }
        last_state = state;
        tain_records_write(r->mirror);
        tain_time next = r->looked + (news ? r->least : r->pause);
        news |= wait_for_news(r, r->progress ? within(now, now + REPORT_EVERY, next) : next, &stop);
    }
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
    tain_records_note(r->mirror, true);
    tain_records_write(r->mirror);
    r->mirror->report = NULL;
    json_decref(r->before);
    tain_status_kept_done(&r->kept);
    pthread_cond_destroy(&r->woken);
}
