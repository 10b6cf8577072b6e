/* SPDX-License-Identifier: MIT */
#include "mirror/repair.h"

#include <stdlib.h>

#include "base/text.h"
#include "mirror/apply/apply.h"
#include "verify/compare.h"
#include "mirror/history/history.h"
#include "lake/naming.h"
#include "mirror/upkeep.h"

enum {
    APPLY_BYTES = 8 << 20,
    ROUNDS = 5, /* each takes away one of several rows of a key, which another program may have made */
};

/* --- rows that differ ---------------------------------------------------------------------------------------------- */

typedef struct mending {
    tain_table  *table;
    tain_changes changes; /* not applied yet */
    int64_t      rows;
} mending;

static tain_status apply(mending *r, tain_error *err)
{
    TAIN_TRY(tain_apply_changes(r->table, &r->changes, err));
    tain_changes_clear(&r->changes);
    return TAIN_OK;
}

static tain_op op_for(const mending *r, tain_side side)
{
    if (r->table->multiset) return side == TAIN_SIDE_SOURCE ? TAIN_INSERT : TAIN_DELETE;
    return side == TAIN_SIDE_SOURCE ? TAIN_UPSERT : TAIN_DELETE_IF;
}

static tain_status take_row(void *ctx, tain_side side, const tain_batch *batch, size_t row, tain_error *err)
{
    mending *r = ctx;
    tain_changes_take(&r->changes, batch, row, op_for(r, side));
    r->rows++;
    return tain_changes_bytes(&r->changes) < APPLY_BYTES ? TAIN_OK : apply(r, err);
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

static void load_instead(tain_mirror *m, tain_table *t, const char *why)
{
    tain_pending_clear(t);
    tain_mirror_load_again(m, t, why);
}

static bool same_key(const tain_table *t)
{
    const tain_source_table *s = t->source;
    if (t->multiset || s->key_count == 0) return t->multiset == (s->key_count == 0);
    if (t->key.count != s->key_count) return false;
    for (size_t i = 0; i < s->key_count; i++)
        if (t->key_columns[i] != s->key[i]) return false;
    return true;
}

/* Each table notes that it is at the snapshot's position, also when nothing differs. */
static tain_status commit(tain_mirror *m, tain_table *t, const tain_position *at, tain_error *err)
{
    t->pending.configuration = tain_table_memo(t, t->source->memo);
    t->pending.dirty = true;
    TAIN_TRY(tain_epoch_commit_table(m, t, at, err));
    t->have = *at;
    t->recalled = false;
    tain_table_goes(t, t->source->schema, t->source->name);
    if (tain_position_compare(at, &m->whole) > 0) m->whole = *at;
    return TAIN_OK;
}

static tain_status write_differences(tain_compare *c, mending *r, tain_error *err)
{
    TAIN_TRY(tain_compare_hand_out(c, r->table->delta, take_row, r, err));
    return apply(r, err);
}

static tain_status mend(tain_mirror *m, tain_compare *c, const tain_position *at, tain_error *err)
{
    mending r = {.table = c->table->user};
    const tain_stamp now = {.at = *at, .time = tain_now()};
    const tain_buffer stamps = {.data = (uint8_t *)&now, .size = sizeof now};
    tain_changes_init(&r.changes, c->table->columns);
    r.table->stamps = &stamps;
    tain_status st = write_differences(c, &r, err);
    r.table->stamps = NULL;
    tain_changes_done(&r.changes);
    if (st != TAIN_OK) {
        tain_pending_clear(r.table);
        return st;
    }
    tain_mirror_say(m, "%s: %lld row%s differed and %s written", r.table->name, (long long)r.rows, tain_plural(r.rows), r.rows == 1 ? "is" : "are");
    return commit(m, r.table, at, err);
}

/* Two passes: which buckets differ, and which rows. */
static tain_status compare_and_mend(tain_mirror *m, tain_compare *c, int round, const tain_position *at, tain_error *err)
{
    tain_table *t = c->table->user;
    for (int pass = 0; pass < 2; pass++) {
        TAIN_TRY(tain_compare_pass(c, t->delta, false, err));
        if (!c->result->compared) return load_instead(m, t, c->result->reason), TAIN_OK;
        if (c->result->equal) return round ? TAIN_OK : commit(m, t, at, err);
    }
    if (!c->known) return load_instead(m, t, "more rows differ than can be noted"), TAIN_OK;
    if (round == ROUNDS) return load_instead(m, t, "rows of one key are there many times"), TAIN_OK;
    return mend(m, c, at, err);
}

/* What was written is compared too: of a key that is there twice it may have been the right row that went. */
static tain_status repair_round(tain_mirror *m, tain_table *t, tain_reader **readers, int round, const tain_position *at, bool *ret_done, tain_error *err)
{
    tain_verify_table result = {.name = t->name};
    int jobs = m->definition->jobs < TAIN_COMPARE_JOBS ? m->definition->jobs : TAIN_COMPARE_JOBS;
    tain_compare c = {.source = m->source, .readers = readers, .jobs = jobs, .table = t->source, .result = &result};
    tain_status st = compare_and_mend(m, &c, round, at, err);
    *ret_done = result.equal || t->needs_load || t->status != TAIN_TABLE_REPLICATING;
    if (st == TAIN_E_NOT_FOUND && !c.lake_failed) {
        load_instead(m, t, "it changed while it was compared");
        st = TAIN_OK;
        *ret_done = true;
    }
    tain_compare_done(&c);
    tain_buffer_done(&result.samples);
    return st;
}

static tain_status repair_table(tain_mirror *m, tain_table *t, tain_reader **readers, const tain_position *at, tain_error *err)
{
    bool done = false;
    tain_upkeep_forget(m, t);
    tain_history_lag(t);
    if (!same_key(t)) return load_instead(m, t, "its key is another now"), TAIN_OK;
    tain_table_shape(t, t->source);
    for (int round = 0; round <= ROUNDS && !done; round++) TAIN_TRY(repair_round(m, t, readers, round, at, &done, err));
    return TAIN_OK;
}

/* --- all tables ---------------------------------------------------------------------------------------------------- */

static bool is_repaired(const tain_table *t)
{
    return t->status == TAIN_TABLE_REPLICATING && t->delta && !t->needs_load && !t->left_behind && !t->foreign;
}

static tain_status repair_all(tain_mirror *m, tain_reader **readers, const tain_position *at, tain_error *err)
{
    tain_error e;
    for (size_t i = 0; i < m->table_count && !atomic_load(&m->stop); i++) {
        tain_table *t = m->tables[i];
        if (!is_repaired(t)) continue;
        tain_status st = repair_table(m, t, readers, at, &e);
        if (st != TAIN_OK && tain_status_is_local(st)) {
            tain_mirror_fail_table(m, t, &e);
        } else if (st != TAIN_OK) {
            if (err) *err = e;
            return st;
        }
    }
    return TAIN_OK;
}

static tain_status repair_in_snapshot(tain_mirror *m, const tain_position *at, tain_error *err)
{
    const tain_source_ops *ops = m->source->ops;
    tain_reader *readers[TAIN_COMPARE_JOBS] = {0};
    tain_status st = repair_all(m, readers, at, err);
    for (size_t i = 0; i < TAIN_COMPARE_JOBS; i++)
        if (readers[i]) ops->reader_close(readers[i]);
    tain_status ended = ops->snapshot_end(m->source, st == TAIN_OK ? err : NULL);
    return st == TAIN_OK ? ended : st;
}

static size_t list_repaired(const tain_mirror *m, tain_source_table **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < m->table_count; i++)
        if (is_repaired(m->tables[i])) ret[n++] = m->tables[i]->source;
    return n;
}

static tain_status repair(tain_mirror *m, tain_source_table **sources, size_t n, tain_error *err)
{
    tain_position at;
    TAIN_TRY(m->source->ops->snapshot_begin(m->source, sources, n, &at, err));
    return repair_in_snapshot(m, &at, err);
}

tain_status tain_repair_tables(tain_mirror *m, tain_error *err)
{
    TAIN_AUTO(tain_free) tain_source_table **sources = tain_alloc((m->table_count + 1) * sizeof *sources);
    size_t n = list_repaired(m, sources);
    if (!n) return TAIN_OK;
    tain_status st = tain_load_await(m, err);
    if (st == TAIN_OK) {
        tain_beat_wait(&m->stream_beat); /* for those that compare */
        pthread_mutex_lock(&m->tables_lock);
        st = repair(m, sources, n, err);
        pthread_mutex_unlock(&m->tables_lock);
    }
    tain_load_unask(m);
    return st;
}
