/* SPDX-License-Identifier: MIT */
/* A snapshot is asked for and waited for: others may have to end something first. */
#include "mirror/mirror.h"

#define LOOK_EVERY (100 * TAIN_MILLISECOND)

static void note(tain_mirror *m, const tain_waiting *why)
{
    pthread_mutex_lock(&m->lock);
    TAIN_AUTO(tain_free) char *line = tain_waiting_take(&m->waiting, why);
    pthread_mutex_unlock(&m->lock);
    if (line) tain_mirror_say(m, "%s", line);
}

/* The source keeps what comes from here on, since the snapshot will be behind it. Tables that need a load now are in it. */
static void begin(tain_mirror *m)
{
    tain_position at = tain_mirror_recorded(m);
    m->held_before = m->held;
    tain_mirror_hold(m, &at);
    for (size_t i = 0; i < m->table_count; i++) m->tables[i]->late = false;
    m->asked = tain_monotonic();
}

static void end(tain_mirror *m)
{
    m->asked = 0;
    m->held = m->held_before;
}

tain_status tain_load_ask(tain_mirror *m, tain_time deadline, bool *ret_ready, tain_error *err)
{
    const tain_source_ops *ops = m->source->ops;
    tain_waiting why = {0};
    *ret_ready = !ops->snapshot_ready;
    if (!m->asked) begin(m);
    tain_status st = *ret_ready ? TAIN_OK : ops->snapshot_ready(m->source, deadline, ret_ready, &why, err);
    note(m, &why);
    if (st != TAIN_OK) end(m);
    return st;
}

tain_status tain_load_await(tain_mirror *m, tain_error *err)
{
    for (bool ready = false; !ready;) {
        tain_beat_turn(&m->stream_beat);
        if (atomic_load(&m->stop)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
        TAIN_TRY(tain_load_ask(m, tain_monotonic() + LOOK_EVERY, &ready, err));
    }
    return TAIN_OK;
}

void tain_load_unask(tain_mirror *m)
{
    if (!m->asked) return;
    (void)!m->source->ops->snapshot_end(m->source, NULL);
    end(m);
    note(m, &(tain_waiting){0});
}
