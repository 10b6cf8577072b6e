/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/apply/apply.h"
#include "mirror/indexes.h"
#include "mirror/mirror.h"
#include "mirror/load/replay.h"
#include "mirror/shape/reshape.h"
#include "mirror/report.h"
#include "mirror/upkeep.h"

enum { PARTS_IN_QUEUE = 1, GIVE_UP_SECONDS = 30, MAX_PAUSE_MS = 5000 };

void tain_item_free(tain_item *item)
{
    if (item->kind == TAIN_ITEM_CHANGES) tain_changes_done(&item->changes);
    tain_buffer_done(&item->stamps);
    free(item->shape.key);
    free(item->shape.memo);
    free(item->shape.schema);
    free(item->shape.name);
    free(item);
}

void tain_part_free(tain_part *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) {
        for (tain_item *item = p->tables[i].first, *next; item; item = next) {
            next = item->next;
            tain_item_free(item);
        }
    }
    free(p->tables);
    free(p);
}

/* --- applying ------------------------------------------------------------------------------------------------------ */

/* Where it is does not depend on whether what is in it is followed. */
static void apply_name(tain_table *t, const tain_item *item)
{
    bool named = item->kind == TAIN_ITEM_SCHEMA || item->kind == TAIN_ITEM_NAME;
    if (named && item->shape.name) tain_table_goes(t, item->shape.schema, item->shape.name);
}

static tain_status apply_item(tain_table *t, tain_item *item, tain_error *err)
{
    t->stamps = &item->stamps;
    switch (item->kind) {
    case TAIN_ITEM_CHANGES: return t->replay ? tain_replay_apply(t, &item->changes, item->read, err) : tain_apply_changes(t, &item->changes, err);
    case TAIN_ITEM_TRUNCATE: return item->within ? tain_apply_clear(t, item->within, err) : tain_apply_truncate(t, err);
    case TAIN_ITEM_SCHEMA: return tain_reshape(t, &item->shape, err);
    case TAIN_ITEM_NAME: apply_name(t, item); break;
    }
    return TAIN_OK;
}

/* What is applied is taken off the list, so that a retry goes on where the failure was. */
static tain_status apply_table(void *ctx, tain_error *err)
{
    tain_table_part *tp = ctx;
    while (tp->first) {
        if (tain_table_takes_changes(tp->table)) TAIN_TRY_IN(err, apply_item(tp->table, tp->first, err), "table %s", tp->table->name);
        else apply_name(tp->table, tp->first);
        tain_item *item = tp->first;
        tp->first = item->next;
        tp->table->stamps = NULL;
        tain_item_free(item);
    }
    return TAIN_OK;
}

static tain_status apply_one_by_one(tain_mirror *m, tain_part *part, tain_error *err)
{
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < part->count; i++) {
        tain_status one = apply_table(&part->tables[i], err);
        if (tain_status_is_local(one)) {
            tain_mirror_fail_table(m, part->tables[i].table, err);
        } else if (one != TAIN_OK) {
            st = one;
        }
    }
    return st;
}

static tain_status apply(tain_mirror *m, tain_part *part, tain_error *err)
{
    if (part->count < 2) return apply_one_by_one(m, part, err);
    void **items = tain_alloc(part->count * sizeof *items);
    for (size_t i = 0; i < part->count; i++) items[i] = &part->tables[i];
    tain_status st = tain_pool_run(m->pool, apply_table, items, part->count, err);
    free(items);
    return st == TAIN_OK ? st : apply_one_by_one(m, part, err);
}

static void abort_epoch(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (!m->tables[i]->loading) tain_pending_clear(m->tables[i]);
}

/* Upkeep works with the table as it was: its work is given up where the key, or more, is another from here on. */
static void forget_upkeep(tain_mirror *m, tain_part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        tain_table *t = part->tables[i].table;
        for (tain_item *item = part->tables[i].first; item; item = item->next) {
            if (item->kind != TAIN_ITEM_SCHEMA) continue;
            if (!tain_reshape_keeps_key(t, &item->shape)) tain_upkeep_forget(m, t);
            else tain_upkeep_outdate(t);
        }
    }
}

/* Tables that a change of shape left with files that it does not fit are the source thread's to load. */
static void pass_misfits(tain_mirror *m, tain_part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        tain_table *t = part->tables[i].table;
        pthread_mutex_lock(&t->lock);
        if (t->misfit) atomic_store(&m->misfits, true);
        pthread_mutex_unlock(&t->lock);
    }
}

static tain_status process(tain_mirror *m, tain_part *part, tain_error *err)
{
    tain_fault(TAIN_FAULT_EPOCH_BEFORE_WRITE);
    forget_upkeep(m, part);
    tain_indexes_use(m, part);
    TAIN_TRY(apply(m, part, err));
    tain_status st = part->final ? tain_epoch_commit(m, part, err) : TAIN_OK;
    pass_misfits(m, part);
    return st;
}

/* --- trouble ------------------------------------------------------------------------------------------------------- */

static void note_trouble(tain_mirror *m, const tain_error *e)
{
    pthread_mutex_lock(&m->lock);
    bool news = m->trouble.code != e->code;
    m->trouble = *e;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (news) tain_report_wake(m->report);
    if (news && e->code != TAIN_OK) tain_mirror_say(m, "cannot write to the lake: %s; trying again (%s)", e->message, tain_error_advice(e));
    if (news && e->code == TAIN_OK) tain_mirror_say(m, "writing to the lake again");
}

static void give_up(tain_mirror *m, const tain_error *e)
{
    pthread_mutex_lock(&m->lock);
    m->failure = *e;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    tain_source_cancel(m->source);
}

static bool worth_another_try(tain_mirror *m, tain_status st, tain_time began)
{
    if (st == TAIN_E_CONFLICT || (tain_status_policy(st) != TAIN_POLICY_RETRY && st != TAIN_E_PERMISSION)) return false;
    if (atomic_load(&m->stop)) return false;
    return !m->once || tain_monotonic() - began < GIVE_UP_SECONDS * TAIN_SECOND;
}

/* Tries until it is done or hopeless. */
static tain_status process_with_patience(tain_mirror *m, tain_part *part, tain_error *err)
{
    tain_time began = tain_monotonic(), pause = 50 * TAIN_MILLISECOND;
    for (;;) {
        tain_beat_turn(&m->writer_beat);
        tain_status st = process(m, part, err);
        if (st == TAIN_OK) {
            if (m->trouble.code != TAIN_OK) note_trouble(m, &(tain_error){0});
            return TAIN_OK;
        }
        if (!worth_another_try(m, st, began)) return st;
        note_trouble(m, err);
        tain_mirror_pause(m, pause);
        if (pause < MAX_PAUSE_MS * TAIN_MILLISECOND) pause *= 2;
    }
}

/* --- the thread ---------------------------------------------------------------------------------------------------- */

static void done_with(tain_mirror *m, tain_part *part)
{
    bool final = part->final;
    tain_part_free(part);
    if (final) tain_upkeep_step(m);
    tain_indexes_limit(m);
    tain_report_wake(m->report);
    pthread_mutex_unlock(&m->tables_lock);
    pthread_mutex_lock(&m->lock);
    m->in_flight--;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void *writer_main(void *ctx)
{
    tain_mirror *m = ctx;
    tain_time due = 0;
    for (;;) {
        tain_beat_wait(&m->writer_beat);
        tain_part *part = tain_queue_pop(m->parts, due);
        if (!part) {
            if (tain_upkeep_idle(m, &due)) continue;
            break;
        }
        due = tain_monotonic() + TAIN_UPKEEP_SOON;
        tain_error e = {0};
        tain_beat_turn(&m->writer_beat);
        pthread_mutex_lock(&m->tables_lock);
        if (part->abort) {
            abort_epoch(m);
        } else if (m->failure.code == TAIN_OK && process_with_patience(m, part, &e) != TAIN_OK) {
            abort_epoch(m);
            give_up(m, &e);
        }
        done_with(m, part);
    }
    return NULL;
}

tain_status tain_writer_start(tain_mirror *m, tain_error *err)
{
    m->parts = tain_queue_new(PARTS_IN_QUEUE);
    if (pthread_create(&m->writer, NULL, writer_main, m) != 0) return tain_fail_errno(err, "cannot start the writer thread");
    m->writer_runs = true;
    return TAIN_OK;
}

tain_status tain_writer_give(tain_mirror *m, tain_part *part, tain_error *err)
{
    pthread_mutex_lock(&m->lock);
    bool failed = m->failure.code != TAIN_OK;
    if (!failed) m->in_flight++;
    pthread_mutex_unlock(&m->lock);
    tain_beat_wait(&m->stream_beat);
    bool given = !failed && tain_queue_push(m->parts, part);
    tain_beat_turn(&m->stream_beat);
    if (given) return TAIN_OK;
    tain_part_free(part);
    return tain_fail(err, TAIN_E_CANCELLED, "the writer has stopped");
}

bool tain_writer_idle(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    bool idle = m->in_flight == 0;
    pthread_mutex_unlock(&m->lock);
    return idle;
}

void tain_writer_drain(tain_mirror *m)
{
    tain_beat_wait(&m->stream_beat);
    pthread_mutex_lock(&m->lock);
    while (m->in_flight) pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    tain_beat_turn(&m->stream_beat);
}

void tain_writer_stop(tain_mirror *m)
{
    if (!m->writer_runs) return;
    tain_writer_drain(m);
    tain_queue_close(m->parts);
    pthread_join(m->writer, NULL);
    tain_queue_free(m->parts);
    m->writer_runs = false;
}
