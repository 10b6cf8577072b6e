/* SPDX-License-Identifier: MIT */
#include "mirror/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"
#include "mirror/feed/feed.h"
#include "mirror/guard.h"
#include "mirror/history/history.h"
#include "mirror/intake.h"
#include "mirror/opening.h"
#include "mirror/shape/move.h"
#include "lake/naming.h"
#include "mirror/records.h"
#include "mirror/recover.h"
#include "mirror/repair.h"
#include "mirror/report.h"
#include "mirror/load/reread.h"
#include "mirror/status.h"
#include "mirror/upkeep.h"

#define POLL_SLICE      (100 * TAIN_MILLISECOND)
#define IDLE_SLICE      (5 * TAIN_SECOND) /* while nothing is under way */
#define LOAD_SLICE      (10 * TAIN_MILLISECOND) /* while readers are at work */
#define BUSY_SLICE      (2 * TAIN_MILLISECOND)
#define IDLE_RECORD     (10 * TAIN_SECOND) /* a position that moved without changes is recorded this often, a folder's move waits as long */
#define PAUSE_LEAST     (200 * TAIN_MILLISECOND)
#define PAUSE_MOST      (5 * TAIN_SECOND)
#define GIVE_UP         (30 * TAIN_SECOND) /* with once */
#define QUIET           (10 * TAIN_SECOND) /* after trouble with the lake */

static tain_mirror *_Atomic running;
static atomic_size_t        failed_tables;

void tain_worker_stop(void)
{
    tain_mirror *m = atomic_load(&running);
    if (!m) return;
    atomic_store(&m->stop, true);
    if (m->source) tain_source_cancel(m->source);
}

size_t tain_worker_failed_tables(void)
{
    return atomic_load(&failed_tables);
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static bool schema_differs(const tain_table *t)
{
    return t->delta && !t->recalled && !tain_naming_alike(tain_delta_meta(t->delta)->schema, t->shown);
}

static void name_unpaused(tain_mirror *m)
{
    for (char *const *name = m->definition->paused; name && *name; name++)
        if (!tain_mirror_find(m, *name)) tain_mirror_say(m, "--pause %s: the mirror has no such table", *name);
}

/* Which tables are loaded: those without content, those asked for, those whose shape changed while nobody looked. */
static tain_status choose_loads(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    for (const char **name = o->resync; name && *name; name++) {
        tain_table *t = tain_mirror_find(m, *name);
        if (!t) return tain_fail(err, TAIN_E_NOT_FOUND, "--resync %s: the mirror has no such table", *name);
        t->needs_load = t->status != TAIN_TABLE_STOPPED && !t->foreign;
        atomic_store(&t->anew, true);
    }
    name_unpaused(m);
    if (o->resync_all || o->repair) tain_load_start_over(m);
    if (o->resync_all || o->repair) m->position = m->whole = (tain_position){0}; /* a source put back to an older state counts from there */
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->status == TAIN_TABLE_STOPPED) continue;
        if (o->resync_all) t->needs_load = !t->foreign;
        if (!t->needs_load && t->status == TAIN_TABLE_REPLICATING && schema_differs(t))
            tain_mirror_load_again(m, t, "its columns changed while it was not followed");
    }
    return TAIN_OK;
}

/* A table to be reloaded whose folder is damaged starts from nothing. */
static tain_status clear_damaged(tain_mirror *m, tain_error *err)
{
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (!t->needs_load || t->delta || t->status != TAIN_TABLE_FAILED) continue;
        TAIN_TRY(tain_store_remove_all(tain_lake_store(m->lake), t->folder, err));
    }
    return TAIN_OK;
}

/* --- the source ---------------------------------------------------------------------------------------------------- */

/* What is followed goes on; the loads that cannot be will say so, too. */
static bool is_bearable(tain_mirror *m, const tain_finding *f)
{
    if (f->level != TAIN_VERDICT_ERROR) return true;
    if (!f->loads_only || m->is_new) return false;
    tain_mirror_say(m, "%s; %s", f->message, f->remedy ? f->remedy : "");
    return true;
}

static tain_status check_source(tain_mirror *m, tain_catalog *catalog, tain_error *err)
{
    tain_finding *findings = NULL;
    size_t n = 0;
    TAIN_TRY(m->source->ops->describe(m->source, catalog, &findings, &n, err));
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < n && st == TAIN_OK; i++) {
        if (is_bearable(m, &findings[i])) continue;
        st = tain_fail(err, TAIN_E_CONFIG, "%s", findings[i].message);
        if (findings[i].remedy) tain_error_remedy(err, "%s", findings[i].remedy);
    }
    tain_findings_free(findings, n);
    return st;
}

static bool any_content(const tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->delta) return true;
    return false;
}

static bool any_behind(const tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->behind) return true;
    return false;
}

/* Who was followed holds everything up to the newest record. While nothing is in flight. */
static void note_record(tain_mirror *m, const tain_position *recorded)
{
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->behind || t->loading || t->needs_load || !tain_table_takes_changes(t)) continue;
        if (tain_position_compare(&t->have, recorded) < 0) t->have = *recorded;
    }
}

/* Where the stream must begin: where the table is that is furthest behind. A table is at the newest record, unless its own
 * commit says more, or it was loaded while the others went on. While nothing is in flight. */
static tain_status start_position(tain_mirror *m, tain_position *ret, tain_error *err)
{
    const tain_table *last = NULL;
    tain_position recorded = tain_mirror_recorded(m);
    note_record(m, &recorded);
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        if (t->status != TAIN_TABLE_REPLICATING || t->needs_load) continue;
        if (!last || tain_position_compare(&t->have, &last->have) < 0) last = t;
    }
    *ret = last ? last->have : recorded;
    return ret->text[0] ? TAIN_OK : m->source->ops->head(m->source, ret, err);
}

/* What came since some loads is not in the source any more: they begin again. */
static void forget_loads(tain_mirror *m)
{
    tain_mirror_say(m, "the source has forgotten what came since the load was interrupted; it begins again");
    tain_load_start_over(m);
    m->held = (tain_position){0};
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (!t->behind) continue;
        t->behind = false;
        t->needs_load = true;
        free(t->load_reason);
        t->load_reason = tain_strdup("the source has forgotten what came since it was loaded");
    }
}

/* Interrupted loads may need more than the tables that are followed. */
static tain_status start_for_loads(tain_mirror *m, const tain_position *first, tain_position *io_from, tain_error *err)
{
    tain_position early = *io_from;
    if (first->text[0] && tain_position_compare(first, &early) < 0) early = *first;
    tain_status st = m->source->ops->start(m->source, &early, err);
    if (st != TAIN_E_GONE || tain_position_compare(&early, &m->position) >= 0) return st;
    forget_loads(m);
    TAIN_TRY(start_position(m, io_from, err));
    return m->source->ops->start(m->source, io_from, err);
}

/* Whether the source still has what must be streamed; without it interrupted loads begin again, and content is lost. */
static tain_status check_positions(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    tain_position from, first;
    TAIN_TRY(tain_load_recall(m, &first, err));
    if ((!any_content(m) && !first.text[0]) || o->resync_all || o->repair) return TAIN_OK;
    TAIN_TRY(start_position(m, &from, err));
    m->held = first;
    tain_status st = start_for_loads(m, &first, &from, err);
    if (st != TAIN_E_GONE) return st;
    if (any_content(m)) TAIN_TRY(tain_recover_start(m, st, err));
    if (first.text[0]) forget_loads(m);
    return TAIN_OK;
}

/* An existing mirror first makes sure that the source still has its position: before anything is made anew there. */
static tain_status prepare(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    bool fresh;
    TAIN_TRY(tain_guard_recall(m, o->resync_all || o->repair, err));
    TAIN_TRY(check_positions(m, o, err));
    TAIN_TRY(m->source->ops->prepare(m->source, m->say, &fresh, err));
    if (fresh) tain_load_start_over(m);
    if (!fresh && m->is_new && m->named && !o->resync_all) {
        tain_status taken = tain_fail(err, TAIN_E_EXISTS, "the source has capture by the name of %s already, and this lake has no position in it",
                                      m->definition->name);
        tain_error_remedy(err, "choose another --name if another mirror uses it, or take it over with --resync");
        return taken;
    }
    if (!fresh || !any_content(m) || o->resync_all || o->repair) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_GONE, "the source has forgotten where this mirror was");
    tain_error_remedy(err, TAIN_SOURCE_GONE_REMEDY);
    return st;
}

/* --- waiting for the source ---------------------------------------------------------------------------------------- */

/* since: the first failure; tried, failed: begin and end of the latest try. */
typedef struct patience {
    tain_time     pause, since, tried, failed;
    bool          loads;   /* a load is to be tried again */
    bool          lakes;   /* no room, or no right to write: it may take long to come upon that again */
    tain_position reached; /* how far the stream had come */
} patience;

static bool is_lakes(const tain_error *e)
{
    return e->sys == ENOSPC || e->sys == EDQUOT || e->sys == EROFS;
}

static void note_stall(tain_mirror *m, const tain_error *e)
{
    pthread_mutex_lock(&m->lock);
    m->stall = *e;
    if (e->code == TAIN_OK) m->stalled_since = 0;
    else if (!m->stalled_since) m->stalled_since = tain_now();
    pthread_mutex_unlock(&m->lock);
    tain_report_wake(m->report);
}

/* Whether it is worth another try. */
static bool bear(tain_mirror *m, patience *p, tain_status st, const tain_error *e)
{
    if ((tain_status_policy(st) != TAIN_POLICY_RETRY && !is_lakes(e)) || atomic_load(&m->stop)) return false;
    p->failed = tain_monotonic();
    if (!p->pause) {
        p->pause = PAUSE_LEAST;
        p->since = p->failed;
        tain_mirror_say(m, "%s; trying again", e->message);
    }
    p->lakes |= is_lakes(e);
    note_stall(m, e);
    return !m->once || p->failed - p->since <= GIVE_UP;
}

static void lengthen(patience *p)
{
    p->pause = p->pause * 2 > PAUSE_MOST ? PAUSE_MOST : p->pause * 2;
    p->tried = tain_monotonic();
}

static bool wait_and_retry(tain_mirror *m, patience *p, tain_status st, const tain_error *e)
{
    if (!bear(m, p, st, e)) return false;
    tain_mirror_pause(m, p->pause);
    lengthen(p);
    return !atomic_load(&m->stop);
}

static void recovered(tain_mirror *m, patience *p)
{
    if (!p->pause) return;
    tain_mirror_say(m, "going on");
    note_stall(m, &(tain_error){0});
    *p = (patience){.tried = tain_monotonic()};
}

/* A stream that could not be spooled runs well until it has gathered as much again: it must come further than it was, or
 * be well for longer than that took. */
static void look_up(tain_mirror *m, patience *p, const tain_intake *in)
{
    if (p->loads) return;
    if (p->pause && p->lakes && tain_position_compare(&in->reached, &p->reached) <= 0) {
        if (m->once || tain_monotonic() - p->failed < QUIET + 2 * (p->failed - p->tried)) return;
    }
    recovered(m, p);
    p->reached = in->reached;
}

static bool loads_wanted(const tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->needs_load && !m->tables[i]->left_behind) return true;
    return false;
}

static tain_status load_with_patience(tain_mirror *m, tain_error *err)
{
    patience p = {0};
    while (loads_wanted(m) && !atomic_load(&m->stop)) {
        tain_status st = tain_load_tables(m, err);
        if (st == TAIN_E_CANCELLED && atomic_load(&m->stop)) return TAIN_OK;
        if (st != TAIN_OK && !wait_and_retry(m, &p, st, err)) return atomic_load(&m->stop) ? TAIN_OK : st;
        if (st == TAIN_OK) break;
    }
    recovered(m, &p);
    return TAIN_OK;
}

/* --- streaming ----------------------------------------------------------------------------------------------------- */

static void set_state(tain_mirror *m, tain_mirror_state s)
{
    pthread_mutex_lock(&m->lock);
    bool news = m->state != s;
    m->state = s;
    pthread_mutex_unlock(&m->lock);
    if (news) tain_report_wake(m->report);
}

static tain_status writer_failure(tain_mirror *m, tain_error *err)
{
    pthread_mutex_lock(&m->lock);
    tain_error e = m->failure;
    pthread_mutex_unlock(&m->lock);
    if (e.code != TAIN_OK && err) *err = e;
    return e.code;
}

/* The source keeps what loads under way, and tables that are behind, still need. */
static tain_position confirmable(tain_mirror *m, const tain_intake *in)
{
    tain_position p = tain_mirror_recorded(m);
    if (m->replays == TAIN_REPLAYS_NONE && !m->load && !in->load_wanted) m->held = (tain_position){0};
    return m->held.text[0] && tain_position_compare(&m->held, &p) < 0 ? m->held : p;
}

static tain_status confirm(tain_mirror *m, const tain_intake *in, tain_position *confirmed, tain_error *err)
{
    tain_position p = confirmable(m, in);
    if (!p.text[0] || tain_position_compare(&p, confirmed) <= 0) return TAIN_OK;
    TAIN_TRY(m->source->ops->confirm(m->source, &p, err));
    tain_fault(TAIN_FAULT_EPOCH_CONFIRMED);
    *confirmed = p;
    return TAIN_OK;
}

/* Everything gathered is written down and confirmed. While the stream has yet to begin again for tables that are behind there is
 * nothing: a record would say that they were with the others. */
static tain_status settle(tain_mirror *m, tain_intake *in, tain_position *confirmed, tain_error *err)
{
    tain_position recorded = tain_mirror_recorded(m);
    bool moved = tain_position_compare(&in->position, &recorded) > 0 || (tain_writer_idle(m) && tain_moves_wait(m, &in->position));
    if (!m->overdue && !in->open && tain_intake_is_whole(in) && (in->part || in->given || moved)) TAIN_TRY(tain_intake_cut(in, err));
    tain_writer_drain(m);
    TAIN_TRY(writer_failure(m, err));
    return confirm(m, in, confirmed, err);
}

/* A table that did not come through its replay is a misfit, or cannot go on. */
static tain_status end_replay(tain_mirror *m, tain_table *t, tain_error *err)
{
    if (!t->staged) return TAIN_OK;
    t->staged = false;
    tain_reread_forget(t);
    return !t->replay || atomic_load(&t->anew) ? TAIN_OK : tain_load_abandon(m, t, err);
}

static bool any_staged(const tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->staged) return true;
    return false;
}

/* Whether the epoch is recorded that has brought all tables to one position. */
static bool is_recorded(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    bool recorded = m->replays == TAIN_REPLAYS_CUT && m->epoch != m->replays_since;
    pthread_mutex_unlock(&m->lock);
    return recorded;
}

static void caught_up(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++) m->tables[i]->behind = false;
}

static tain_status end_replays(tain_mirror *m, tain_intake *in, tain_error *err)
{
    if (!is_recorded(m) || (any_staged(m) && (in->part || in->given || !tain_writer_idle(m)))) return TAIN_OK;
    m->replays = TAIN_REPLAYS_NONE;
    caught_up(m);
    tain_intake_take_misfits(in);
    for (size_t i = 0; i < m->table_count; i++) TAIN_TRY(end_replay(m, m->tables[i], err));
    return TAIN_OK;
}

/* A table that waits to be loaded is not followed: a restart must know. */
static void set_apart(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->needs_load && t->status == TAIN_TABLE_REPLICATING) tain_table_set_status(t, TAIN_TABLE_RESEEDING, t->load_reason, NULL);
    }
}

/* What was pending is lost with the stream, what was loaded is not. */
static bool replays_lost(tain_mirror *m)
{
    bool any = false;
    if (is_recorded(m)) caught_up(m);
    m->replays = TAIN_REPLAYS_NONE;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->staged && t->replay) any = t->needs_load = true;
        if (t->needs_load) t->behind = false;
        t->staged = false;
    }
    set_apart(m);
    return any;
}

static tain_status cut_if_due(tain_mirror *m, tain_intake *in, tain_error *err)
{
    tain_time now = tain_monotonic();
    if (m->replays == TAIN_REPLAYS_BEGUN && !in->open && tain_intake_is_whole(in)) {
        m->replays = TAIN_REPLAYS_CUT;
        return tain_intake_cut(in, err);
    }
    if (tain_intake_due(in, now)) return tain_intake_cut(in, err);
    bool idle = !in->part && !in->given && !in->open && tain_intake_is_whole(in) && tain_writer_idle(m);
    if (!idle || now - in->last_cut < IDLE_RECORD) return TAIN_OK;
    tain_position recorded = tain_mirror_recorded(m);
    bool owed = tain_moves_wait(m, &in->position) || atomic_load(&m->unrecorded);
    return owed || tain_position_compare(&in->position, &recorded) > 0 ? tain_intake_cut(in, err) : TAIN_OK;
}

static tain_status load_again(tain_mirror *m, tain_intake *in, tain_position *confirmed, tain_error *err)
{
    TAIN_TRY(settle(m, in, confirmed, err));
    in->load_wanted = false;
    bool fresh;
    TAIN_TRY(m->source->ops->prepare(m->source, m->say, &fresh, err));
    return load_with_patience(m, err);
}

/* --- loading beside the stream ------------------------------------------------------------------------------------- */

/* The stream goes on until it is time to try again. */
static tain_status bear_load(tain_mirror *m, tain_intake *in, patience *p, tain_status st, tain_error *err)
{
    in->load_wanted = true;
    if (atomic_load(&m->stop)) return TAIN_OK;
    if (!bear(m, p, st, err)) return st;
    p->loads = true;
    in->load_after = tain_monotonic() + p->pause;
    lengthen(p);
    return TAIN_OK;
}

/* The source gives a snapshot when it can: the stream goes on until then. */
static tain_status ask(tain_mirror *m, tain_intake *in, bool *ret_ready, tain_error *err)
{
    bool fresh;
    if (!m->asked) {
        set_apart(m);
        TAIN_TRY(m->source->ops->prepare(m->source, m->say, &fresh, err));
    }
    TAIN_TRY(tain_load_ask(m, 0, ret_ready, err));
    tain_time now = tain_monotonic();
    if (!*ret_ready) in->load_after = now + (now - m->asked < TAIN_SECOND ? LOAD_SLICE : POLL_SLICE);
    return TAIN_OK;
}

static bool any_late(const tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->late && m->tables[i]->needs_load) return true;
    return false;
}

/* Stream and load share the memory. */
static tain_status begin_load(tain_mirror *m, tain_intake *in, patience *p, tain_position *confirmed, tain_error *err)
{
    bool ready = false;
    if (!m->asked) TAIN_TRY(settle(m, in, confirmed, err));
    tain_status st = ask(m, in, &ready, err);
    if (st == TAIN_OK && !ready) return TAIN_OK;
    if (st == TAIN_OK) {
        TAIN_TRY(settle(m, in, confirmed, err));
        st = tain_load_begin(m, true, &m->load, err);
    }
    in->load_wanted = any_late(m);
    if (st != TAIN_OK) return bear_load(m, in, p, st, err);
    in->retell = true;
    atomic_store(&m->polled, 0);
    if (m->load) in->budget /= 2;
    else p->loads = false;
    return TAIN_OK;
}

static tain_status end_load(tain_mirror *m, tain_intake *in, patience *p, tain_position *confirmed, tain_error *err)
{
    bool again = false;
    TAIN_TRY(settle(m, in, confirmed, err));
    tain_status st = tain_load_end(m->load, &again, err);
    m->load = NULL;
    in->budget *= 2;
    in->load_wanted |= again;
    if (st != TAIN_OK) return bear_load(m, in, p, st, err);
    p->loads = false;
    return TAIN_OK;
}

static tain_status look_after_loads(tain_mirror *m, tain_intake *in, patience *p, tain_position *confirmed, tain_error *err)
{
    if (in->open || !tain_intake_is_whole(in)) return TAIN_OK;
    if (m->load && tain_load_is_read(m->load)) return end_load(m, in, p, confirmed, err);
    if (!tain_intake_load_due(in)) return TAIN_OK;
    if (tain_pace_is_held(&m->pace, tain_monotonic())) {
        tain_load_unask(m);
        in->load_after = tain_monotonic() + POLL_SLICE;
        return TAIN_OK;
    }
    return m->source->ops->beside ? begin_load(m, in, p, confirmed, err) : load_again(m, in, confirmed, err);
}

static void halt_load(tain_mirror *m, tain_intake *in)
{
    tain_load_unask(m);
    if (!m->load) return;
    tain_load_halt(m->load);
    m->load = NULL;
    in->load_wanted = true;
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

/* Everything is written down, and what the writer found not to fit any more is loaded again. */
static tain_status finish(tain_mirror *m, tain_intake *in, tain_position *confirmed, tain_error *err)
{
    TAIN_TRY(settle(m, in, confirmed, err));
    tain_intake_take_misfits(in);
    return in->load_wanted && !atomic_load(&m->stop) ? load_again(m, in, confirmed, err) : TAIN_OK;
}

/* Nothing is under way that could come to need the source's thread: what does not come from the source ends its wait. */
static bool is_quiet(tain_mirror *m, const tain_intake *in, const tain_position *confirmed)
{
    bool gathers = in->part || in->given || in->open || !tain_intake_is_whole(in), loads = m->load || in->load_wanted || m->replays != TAIN_REPLAYS_NONE;
    if (m->once || gathers || loads || !tain_writer_idle(m) || atomic_load(&m->misfits)) return false;
    tain_position p = confirmable(m, in);
    return tain_position_compare(&p, confirmed) <= 0;
}

/* What is due while the writer is busy waits for it without turning in circles. */
static tain_time poll_deadline(tain_mirror *m, tain_intake *in, const tain_position *confirmed)
{
    tain_time now = tain_monotonic(), due = tain_intake_due_at(in);
    in->until = is_quiet(m, in, confirmed) ? now + IDLE_SLICE : 0;
    if (in->until) return in->until;
    if (due < now + BUSY_SLICE && !tain_writer_idle(m)) due = now + BUSY_SLICE;
    if (in->load_wanted && in->load_after > now && in->load_after < due) due = in->load_after;
    tain_time slice = m->load ? LOAD_SLICE : POLL_SLICE;
    return due < now + slice ? due : now + slice;
}

/* One turn of the loop. *done: caught up (once). */
static tain_status turn(tain_mirror *m, tain_intake *in, patience *p, tain_position *confirmed, const tain_position *target, bool *done, tain_error *err)
{
    tain_beat_turn(&m->stream_beat);
    tain_status st = m->source->ops->poll(m->source, &in->sink, poll_deadline(m, in, confirmed), err);
    if (st == TAIN_E_CANCELLED) st = in->trouble;
    TAIN_TRY(st);
    atomic_store(&m->polled, m->load ? 0 : tain_monotonic());
    TAIN_TRY(writer_failure(m, err));
    TAIN_TRY(cut_if_due(m, in, err));
    TAIN_TRY(end_replays(m, in, err));
    TAIN_TRY(confirm(m, in, confirmed, err));
    tain_intake_take_misfits(in);
    TAIN_TRY(look_after_loads(m, in, p, confirmed, err));
    *done = m->once && !in->open && !in->load_wanted && !m->load && m->replays == TAIN_REPLAYS_NONE && tain_position_compare(&in->position, target) >= 0;
    return TAIN_OK;
}

/* Tables that are behind catch up with the others before anything is shown or confirmed. */
static void begin_behind(tain_mirror *m, const tain_position *from)
{
    tain_position recorded = tain_mirror_recorded(m);
    if (tain_position_compare(from, &recorded) >= 0) return;
    tain_mirror_hold(m, from);
    tain_replays_begin(m, &recorded);
}

static tain_status begin_stream(tain_mirror *m, tain_intake *in, tain_position *target, tain_error *err)
{
    tain_position from, ignored;
    TAIN_TRY(start_position(m, &from, err));
    in->position = from;
    m->overdue = false;
    begin_behind(m, &from);
    TAIN_TRY(m->source->ops->start(m->source, &from, err));
    if (any_behind(m)) TAIN_TRY(m->source->ops->head(m->source, &ignored, err)); /* so that it hurries */
    return m->once && !target->text[0] ? m->source->ops->head(m->source, target, err) : TAIN_OK;
}

/* A stream that broke begins again behind the last epoch. */
static tain_status follow(tain_mirror *m, tain_intake *in, tain_position *confirmed, tain_error *err)
{
    patience p = {.tried = tain_monotonic()};
    tain_position target = {0};
    bool done = false, begun = false;
    while (!done && !atomic_load(&m->stop)) {
        tain_status st = begun ? TAIN_OK : begin_stream(m, in, &target, err);
        begun = true;
        if (st == TAIN_OK) {
            set_state(m, TAIN_MIRROR_RUNNING);
            if (!tain_mirror_recorded(m).text[0] && tain_writer_idle(m) && tain_intake_is_whole(in)) st = tain_intake_cut(in, err); /* the first record: loaded */
        }
        if (st == TAIN_OK) st = turn(m, in, &p, confirmed, &target, &done, err);
        if (st == TAIN_OK) {
            look_up(m, &p, in);
            if (!m->overdue) continue;
            tain_intake_abort(in); /* nothing is pending: what was told of shapes is told again */
            begun = done = false;
            continue;
        }
        if (writer_failure(m, err) != TAIN_OK) return m->failure.code;
        if (!p.pause) p.reached = in->reached;
        if (!wait_and_retry(m, &p, st, err)) return atomic_load(&m->stop) ? TAIN_OK : st;
        tain_intake_abort(in);
        if (replays_lost(m)) in->load_wanted = true;
        begun = false;
    }
    return TAIN_OK;
}

static tain_status stream(tain_mirror *m, tain_intake *in, tain_error *err)
{
    tain_position confirmed = {0};
    tain_status st = follow(m, in, &confirmed, err);
    halt_load(m, in);
    return st == TAIN_OK ? finish(m, in, &confirmed, err) : st;
}

/* --- from start to stop -------------------------------------------------------------------------------------------- */

/* Some table has content, and need not wait for the others to be loaded. */
static bool goes_on(const tain_mirror *m)
{
    bool can = m->source->ops->beside && m->position.text[0];
    for (size_t i = 0; i < m->table_count && can; i++)
        if (m->tables[i]->status == TAIN_TABLE_REPLICATING && !m->tables[i]->needs_load) return true;
    return false;
}

static tain_status run_loaded(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    set_state(m, TAIN_MIRROR_INITIALIZED);
    if (o->repair) TAIN_TRY(tain_repair_tables(m, err));
    TAIN_TRY(tain_history_enter_all(m, err));
    bool beside = goes_on(m);
    if (!beside) TAIN_TRY(load_with_patience(m, err));
    else set_apart(m);
    if (atomic_load(&m->stop)) return TAIN_OK;
    set_state(m, TAIN_MIRROR_STARTING);
    tain_intake in;
    tain_intake_init(&in, m, (size_t)m->definition->memory / 8);
    in.load_wanted = beside && loads_wanted(m);
    tain_status st = stream(m, &in, err);
    tain_intake_done(&in);
    return st;
}

/* What cannot be done now the table's next commit does. */
static void switch_feed(tain_mirror *m, tain_table *t)
{
    tain_error e = {0};
    int64_t others;
    if (tain_feed_switch(t, &others, &e) != TAIN_OK)
        tain_mirror_say(m, "%s: its change data feed is switched with its next change: %s", t->name, e.message);
    if (tain_table_follow_others(t, others, &e) != TAIN_OK) tain_mirror_fail_table(m, t, &e);
}

static void switch_feeds(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->status == TAIN_TABLE_REPLICATING && !m->tables[i]->needs_load) switch_feed(m, m->tables[i]);
}

/* What takes longer than catching up is done nevertheless, and the newest record is true of it. */
static tain_status finish_once(tain_mirror *m, tain_error *err)
{
    const tain_part part = {.final = true, .position = m->position, .source_time = m->source_time, .received = tain_now()};
    tain_upkeep_complete(m);
    return atomic_load(&m->unrecorded) ? tain_epoch_commit(m, &part, err) : TAIN_OK;
}

static tain_status run_prepared(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    TAIN_TRY(clear_damaged(m, err));
    switch_feeds(m);
    TAIN_TRY(tain_upkeep_start(m, err));
    TAIN_TRY(tain_writer_start(m, err));
    atomic_store(&m->opened, true);
    tain_records_begin(m);
    tain_guard g;
    tain_guard_start(&g, m);
    tain_status st = run_loaded(m, o, err);
    set_state(m, TAIN_MIRROR_STOPPING);
    tain_guard_stop(&g);
    tain_writer_stop(m);
    tain_beat_wait(&m->stream_beat); /* what is left ends by itself */
    if (m->once && st == TAIN_OK) st = finish_once(m, err);
    tain_upkeep_stop(m);
    return atomic_load(&m->gives_up) ? tain_guard_let_go(m, err) : st;
}

static tain_status fill_definition(tain_definition *d, bool *ret_new, tain_error *err)
{
    *ret_new = true;
    tain_store *lake;
    tain_status st = tain_store_open(d->lake_url, false, &lake, err);
    if (st == TAIN_OK) {
        st = tain_definition_load(d, lake, err);
        tain_store_close(lake);
        *ret_new = st == TAIN_E_NOT_FOUND;
    }
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    if (!d->name) d->name = tain_definition_make_name(d->lake_url);
    if (d->id) return TAIN_OK;
    char id[37];
    tain_uuid_text(id);
    d->id = tain_strdup(id);
    return TAIN_OK;
}

/* Engines that know no deletion vectors know no timestamp_ntz either. What the definition says of it already holds. */
static void choose_policies(tain_mirror *m)
{
    tain_definition *d = m->definition;
    if (!d->compat.on || json_object_get(d->policies, "ntz")) return;
    if (!d->policies) d->policies = json_object();
    json_object_set_new(d->policies, "ntz", json_string("timestamp"));
    d->changed = true;
    tain_mirror_say(m, "profile compat: timestamp without time zone is stored as timestamp, as if it were UTC (policy \"ntz\" in mirroring.json)");
}

/* Globs that match nothing are said; those that would leave a mirror without tables are a mistake that costs a reload. */
static tain_status check_selection(tain_mirror *m, const tain_source_options *so, const tain_catalog *catalog, tain_error *err)
{
    char *text = tain_source_unmatched(so);
    if (text) tain_mirror_say(m, "%s", text);
    free(text);
    if (catalog->count || m->is_new || !m->definition->changed) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "no table would be mirrored any more");
    tain_error_remedy(err, "correct --tables and --exclude: globs of schema.table");
    return st;
}

/* What was given for this run is kept once the source has what it needs for it. */
static tain_status keep_changes(tain_mirror *m, tain_error *err)
{
    const tain_definition *d = m->definition;
    if (m->is_new || !d->changed) return TAIN_OK;
    if (d->old_name)
        tain_mirror_say(m, "the mirror was named %s, and is now %s; take what it had in the source away: tain mirror --remove --name %s",
                        d->old_name, d->name, d->old_name);
    return tain_definition_save(d, tain_lake_store(m->lake), err);
}

/* A mirror that did not come into being leaves nothing behind. */
static void undo(tain_mirror *m)
{
    tain_store *store = tain_lake_store(m->lake);
    (void)!tain_store_remove(store, "mirroring.json", NULL);
    if (m->watched) return; /* why, is told there */
    (void)!tain_store_remove_all(store, "_tain", NULL);
    if (tain_store_path(store)) rmdir(tain_store_path(store)); /* only if it is empty */
}

/* It has what is ours by another name. */
static tain_status explain_name(const tain_definition *d, tain_status st, tain_error *err)
{
    if (st != TAIN_E_GONE || !d->old_name) return st;
    st = tain_fail(err, TAIN_E_GONE, "by the name of %s the source knows no position of this mirror, which was named %s until now", d->name, d->old_name);
    tain_error_remedy(err, "go on with --name %s, or begin anew under the new name with --resync", d->old_name);
    return st;
}

/* Until its tables can be followed. The lake is ours. */
static tain_status open_mirror(tain_mirror *m, const tain_catalog *catalog, const tain_worker_options *o, tain_error *err)
{
    tain_lake_cache_dir(m->lake); /* there before the source wants to spool */
    if (m->is_new) TAIN_TRY(tain_definition_save(m->definition, tain_lake_store(m->lake), err));
    TAIN_TRY(tain_opening_tables(m, catalog, err));
    TAIN_TRY(choose_loads(m, o, err));
    if (atomic_load(&m->stop)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    TAIN_TRY(explain_name(m->definition, prepare(m, o, err), err));
    return keep_changes(m, err);
}

static tain_status run_open(tain_mirror *m, const tain_catalog *catalog, const tain_worker_options *o, tain_error *err)
{
    TAIN_TRY(open_mirror(m, catalog, o, err));
    m->is_new = false; /* from here on it stays, whatever ends it */
    return run_prepared(m, o, err);
}

static tain_status run_owned(tain_mirror *m, const tain_catalog *catalog, const tain_worker_options *o, tain_error *err)
{
    tain_report r;
    tain_report_start(&r, m, o->progress, o->progress_ctx);
    tain_status st = run_open(m, catalog, o, err);
    set_state(m, TAIN_MIRROR_STOPPED);
    tain_report_stop(&r);
    if (m->is_new) undo(m);
    return st;
}

/* The source is looked at before anything is made in the lake, the lake is ours before anything is made in the source. */
static tain_status run(tain_mirror *m, const tain_worker_options *o, tain_error *err)
{
    tain_definition *d = m->definition;
    m->named = d->name != NULL; /* a name of one's own may be another mirror's, too; the lake's own cannot */
    TAIN_TRY(fill_definition(d, &m->is_new, err));
    choose_policies(m);
    tain_catalog catalog;
    tain_globs_used used = {0};
    tain_source_options so = tain_definition_source_options(d, NULL);
    so.used = &used;
    TAIN_AUTO(tain_free) char *cache = tain_lake_cache_path(d->lake_url);
    so.spool_dir = cache;
    m->app_id = tain_format("tain:%s", d->id);
    TAIN_TRY(tain_source_open(&so, &m->source, err));
    TAIN_TRY(check_source(m, &catalog, err));
    TAIN_TRY(check_selection(m, &so, &catalog, err));
    TAIN_TRY(tain_lake_open(d->lake_url, true, &m->lake, err));
    TAIN_TRY(tain_lake_lock(m->lake, err));
    m->owned = true;
    return run_owned(m, &catalog, o, err);
}

static void table_done(tain_table *t)
{
    tain_source_table *gone = t->left_behind ? t->source : NULL;
    if (t->index) (void)!tain_index_flush(t->index, NULL); /* what is not written is fed again at the next start */
    tain_table_free(t);
    tain_source_table_free(gone);
}

/* What ended a mirror is for tain status to show, also when it had not even begun. Of one that never was only who watches it is told;
 * without an id it is not this lake's mirror. */
static void note_end(tain_mirror *m, tain_status st, const tain_error *why)
{
    if (st == TAIN_OK || !why || (!m->watched && (m->is_new || !m->app_id))) return;
    if (!m->lake && tain_lake_open(m->definition->lake_url, m->watched, &m->lake, NULL) == TAIN_OK) m->owned = tain_lake_lock(m->lake, NULL) == TAIN_OK;
    if (m->owned) (void)!tain_status_note_end(m, why, NULL); /* it has been said once already */
}

static void mirror_done(tain_mirror *m)
{
    atomic_store(&running, NULL);
    size_t failed = 0;
    for (size_t i = 0; i < m->table_count; i++) {
        failed += m->tables[i]->status == TAIN_TABLE_FAILED;
        table_done(m->tables[i]);
    }
    atomic_store(&failed_tables, failed);
    free(m->tables);
    tain_source_close(m->source);
    tain_lake_close(m->lake);
    tain_records_free(m->records);
    tain_pool_free(m->pool);
    free(m->app_id);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->tables_lock);
    pthread_cond_destroy(&m->changed);
    tain_meter_done(&m->meter);
    tain_pace_done(&m->pace);
}

tain_status tain_worker_run(tain_definition *d, const tain_worker_options *o, tain_error *err)
{
    tain_mirror m = {.definition = d, .once = o->once, .say = o->say, .started = tain_now(), .watched = o->records != NULL};
    pthread_mutex_init(&m.lock, NULL);
    pthread_mutex_init(&m.tables_lock, NULL);
    pthread_cond_init(&m.changed, NULL);
    tain_meter_init(&m.meter);
    tain_pace_init(&m.pace, d->rate_rows, d->rate_bytes);
    m.pool = tain_pool_new(2);
    if (o->records) m.records = tain_records_new(o->records, m.started);
    tain_beat_wait(&m.stream_beat); /* until it turns: what it opens ends by itself */
    tain_beat_wait(&m.writer_beat);
    atomic_store(&running, &m);
    tain_status st = run(&m, o, err);
    if (st == TAIN_E_CANCELLED && atomic_load(&m.stop)) st = TAIN_OK; /* before it had begun to follow */
    note_end(&m, st, err);
    mirror_done(&m);
    return st;
}
