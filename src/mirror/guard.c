/* SPDX-License-Identifier: MIT */
#include "mirror/guard.h"

#include <stdlib.h>

#define LOOK_EVERY (3 * TAIN_SECOND)
#define HOLD_FOR   (2 * LOOK_EVERY)  /* a hold that is not renewed ends */
#define FOLLOWED   (15 * TAIN_SECOND) /* a stream that was polled so lately is being followed */

/* --- one look ------------------------------------------------------------------------------------------------------ */

static tain_retained_level note(tain_mirror *m, const tain_retained_limits *limits, const tain_retained *now, tain_retained_level *ret_was)
{
    pthread_mutex_lock(&m->lock);
    tain_retained_level level = tain_retained_step(limits, m->retained_level, now);
    *ret_was = m->retained_level;
    m->retained = *now;
    m->retained_level = level;
    m->retained_at = tain_monotonic();
    tain_retained_describe(limits, level, now, m->retained_reason);
    pthread_mutex_unlock(&m->lock);
    return level;
}

static void announce(tain_mirror *m, tain_retained_level was, tain_retained_level level, const tain_retained *now, const char *text)
{
    if (level > was) tain_mirror_say(m, "%s (%s)", text, tain_retained_remedy(level, now));
    else if (was == TAIN_RETAINED_PAUSE && level < was) tain_mirror_say(m, "loads may begin again: the source keeps less of its log");
}

static void hold_loads(tain_mirror *m, bool hold)
{
    tain_time now = tain_monotonic();
    bool followed = atomic_load(&m->polled) && now - atomic_load(&m->polled) < FOLLOWED;
    tain_pace_hold(&m->pace, hold && followed ? now + HOLD_FOR : 0);
}

static void end_mirror(tain_mirror *m)
{
    atomic_store(&m->gives_up, true);
    atomic_store(&m->stop, true);
    tain_source_cancel(m->source);
}

void tain_guard_look(tain_mirror *m, const tain_retained_limits *limits)
{
    tain_retained now;
    tain_retained_level was;
    char text[512];
    if (m->source->ops->retained(m->source, &now, NULL) != TAIN_OK) return; /* what makes it fail is the stream's to report */
    tain_retained_level level = note(m, limits, &now, &was);
    tain_retained_describe(limits, level, &now, text);
    announce(m, was, level, &now, text);
    hold_loads(m, level == TAIN_RETAINED_PAUSE);
    if (level == TAIN_RETAINED_GIVE_UP && was != level) end_mirror(m);
}

/* --- the thread ---------------------------------------------------------------------------------------------------- */

static bool wait_for_stop(tain_guard *g)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOOK_EVERY / TAIN_SECOND;
    pthread_mutex_lock(&g->lock);
    if (!g->stop) pthread_cond_timedwait(&g->stopped, &g->lock, &until);
    bool stop = g->stop;
    pthread_mutex_unlock(&g->lock);
    return stop;
}

static void *guard_main(void *ctx)
{
    tain_guard *g = ctx;
    do tain_guard_look(g->mirror, &g->limits);
    while (!wait_for_stop(g));
    return NULL;
}

void tain_guard_start(tain_guard *g, tain_mirror *m)
{
    *g = (tain_guard){.mirror = m, .lock = PTHREAD_MUTEX_INITIALIZER, .stopped = PTHREAD_COND_INITIALIZER};
    if (!m->source->ops->retained) return;
    (void)!tain_retained_parse(m->definition->retained_log, &g->limits, NULL); /* it was looked at when it was taken in */
    if (pthread_create(&g->thread, NULL, guard_main, g) != 0) abort();
    g->runs = true;
}

void tain_guard_stop(tain_guard *g)
{
    if (!g->runs) return;
    pthread_mutex_lock(&g->lock);
    g->stop = true;
    pthread_cond_signal(&g->stopped);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    g->runs = false;
}

/* --- giving up ----------------------------------------------------------------------------------------------------- */

static tain_status fail_given_up(const tain_mirror *m, tain_error *err)
{
    (void)tain_fail(err, TAIN_E_GONE, "%s", m->definition->given_up);
    tain_error_remedy(err, "%s", tain_retained_remedy(TAIN_RETAINED_GIVE_UP, &(tain_retained){0}));
    return TAIN_E_GONE;
}

/* Noted before, so that the next start knows whatever happens; a lake that cannot be written to does not save what is kept. */
tain_status tain_guard_let_go(tain_mirror *m, tain_error *err)
{
    tain_definition *d = m->definition;
    tain_error why = {0};
    free(d->given_up);
    d->given_up = tain_format("%s; it has let go of its position: %s was dropped", m->retained_reason, m->retained.holder);
    (void)!tain_definition_save(d, tain_lake_store(m->lake), NULL);
    if (m->source->ops->forget(m->source, m->say, &why) == TAIN_OK) return fail_given_up(m, err);
    (void)tain_fail(err, TAIN_E_GONE, "%s, but it could not be dropped: %s", m->retained_reason, why.message);
    tain_error_remedy(err, "drop %s, or start the mirror again, which tries again; then " TAIN_SOURCE_GONE_REMEDY, m->retained.holder);
    return TAIN_E_GONE;
}

tain_status tain_guard_recall(tain_mirror *m, bool anew, tain_error *err)
{
    tain_definition *d = m->definition;
    if (!d->given_up) return TAIN_OK;
    if (!anew) {
        if (m->source->ops->forget) (void)!m->source->ops->forget(m->source, m->say, NULL); /* if that was interrupted */
        return fail_given_up(m, err);
    }
    free(d->given_up);
    d->given_up = NULL;
    d->changed = true;
    return TAIN_OK;
}
