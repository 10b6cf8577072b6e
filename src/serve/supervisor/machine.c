/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/machine.h"

#define NEVER INT64_MAX

void tain_machine_init(tain_machine *m)
{
    *m = (tain_machine){.process = TAIN_PROCESS_NONE, .due = NEVER};
}

static bool is_up(const tain_machine *m)
{
    return m->process == TAIN_PROCESS_STARTING || m->process == TAIN_PROCESS_RUNNING;
}

bool tain_machine_lives(const tain_machine *m)
{
    return is_up(m) || m->process == TAIN_PROCESS_STOPPING;
}

static void become(tain_machine *m, tain_process process, tain_time due)
{
    m->process = process;
    m->due = due;
}

static tain_time wait_after(int failures)
{
    tain_time wait = TAIN_MACHINE_WAIT;
    for (int i = 1; i < failures && wait < TAIN_MACHINE_LONGEST; i++) wait *= 2;
    return wait < TAIN_MACHINE_LONGEST ? wait : TAIN_MACHINE_LONGEST;
}

static void ended(tain_machine *m, bool for_us, tain_time now)
{
    bool expected = m->process == TAIN_PROCESS_STOPPING && !m->hung;
    int  borne = m->process == TAIN_PROCESS_RUNNING ? TAIN_MACHINE_BORNE : 0;
    if (!tain_machine_lives(m)) return;
    m->hung = false;
    if (expected) return become(m, TAIN_PROCESS_NONE, NEVER);
    if (for_us) return become(m, TAIN_PROCESS_FAILED, NEVER);
    if (now - m->born >= TAIN_MACHINE_CALM) m->failures = 0;
    m->failures++;
    become(m, TAIN_PROCESS_BACKOFF, now + wait_after(m->failures - borne));
}

static tain_deed stop(tain_machine *m, tain_time now, tain_time patience)
{
    become(m, TAIN_PROCESS_STOPPING, now + patience);
    return TAIN_DO_TERM;
}

static tain_deed put_down(tain_machine *m)
{
    become(m, TAIN_PROCESS_STOPPING, NEVER);
    return TAIN_DO_KILL;
}

static void found(tain_machine *m, tain_time now)
{
    if (m->process != TAIN_PROCESS_NONE) return;
    become(m, TAIN_PROCESS_STARTING, NEVER);
    m->born = now;
}

static void acted(tain_machine *m)
{
    if (m->process != TAIN_PROCESS_BACKOFF && m->process != TAIN_PROCESS_FAILED) return;
    m->failures = 0;
    become(m, TAIN_PROCESS_NONE, NEVER);
}

static tain_deed time_went_by(tain_machine *m, tain_time now)
{
    if (now < m->due) return TAIN_DO_NOTHING;
    if (m->process == TAIN_PROCESS_STOPPING) return put_down(m);
    if (m->process == TAIN_PROCESS_BACKOFF) become(m, TAIN_PROCESS_NONE, NEVER);
    return TAIN_DO_NOTHING;
}

static tain_deed happen(tain_machine *m, tain_happening what, tain_time now, tain_time patience)
{
    switch (what) {
    case TAIN_HAPPENED_ACTED: acted(m); break;
    case TAIN_HAPPENED_FOUND: found(m, now); break;
    case TAIN_HAPPENED_ENDED: ended(m, false, now); break;
    case TAIN_HAPPENED_ENDED_FOR_US: ended(m, true, now); break;
    case TAIN_HAPPENED_READY:
        if (m->process == TAIN_PROCESS_STARTING) become(m, TAIN_PROCESS_RUNNING, NEVER);
        break;
    case TAIN_HAPPENED_ADVANCED:
        if (m->process == TAIN_PROCESS_RUNNING) m->failures = 0;
        break;
    case TAIN_HAPPENED_RENEW: return is_up(m) ? stop(m, now, patience) : TAIN_DO_NOTHING;
    case TAIN_HAPPENED_HUNG:
        if (!is_up(m)) break;
        m->hung = true;
        return put_down(m);
    default: break;
    }
    return TAIN_DO_NOTHING;
}

/* A failure is over for who does not want it any more; the next wish begins from the beginning. */
static tain_deed rest(tain_machine *m, tain_time now, tain_time patience)
{
    m->failures = 0;
    m->restarts = 0;
    m->hung = false;
    if (is_up(m)) return stop(m, now, patience);
    if (m->process == TAIN_PROCESS_BACKOFF || m->process == TAIN_PROCESS_FAILED) become(m, TAIN_PROCESS_NONE, NEVER);
    if (m->process == TAIN_PROCESS_NONE) m->born = 0;
    return TAIN_DO_NOTHING;
}

static tain_deed start(tain_machine *m, tain_time now)
{
    if (m->born) m->restarts++;
    m->born = now;
    become(m, TAIN_PROCESS_STARTING, NEVER);
    return TAIN_DO_START;
}

tain_deed tain_machine_step(tain_machine *m, bool wanted, tain_happening what, tain_time now, tain_time patience)
{
    tain_deed deed = happen(m, what, now, patience);
    if (deed == TAIN_DO_NOTHING) deed = time_went_by(m, now);
    if (deed != TAIN_DO_NOTHING) return deed;
    if (!wanted) return rest(m, now, patience);
    return m->process == TAIN_PROCESS_NONE ? start(m, now) : TAIN_DO_NOTHING;
}
