/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "delta/plan.h"

enum { LOST_ANSWERS = 3 };

/* --- into the state --------------------------------------------------------------------------------------------------- */

static void apply_change(tain_delta *t, const tain_plan *p, tain_plan_change *x, int64_t version)
{
    if (!x->rows) { /* a file that was to be added never becomes live, but is the table's all the same */
        tain_state_drop(t, x->file, p->now_ms);
        return;
    }
    tain_state_set_dv(t, x->file, x->dv, x->stats, x->rows, version, p->now_ms);
    x->dv = (tain_dv){0};
    x->stats = NULL;
    x->rows = NULL;
}

static void apply_files(tain_delta *t, tain_plan *p, int64_t version)
{
    const tain_delta_commit *c = p->c;
    for (size_t i = 0; i < p->change_count; i++) p->changes[i].file->leaving = !p->changes[i].rows;
    for (size_t i = 0; i < p->change_count; i++) apply_change(t, p, &p->changes[i], version);
    for (size_t i = 0; i < c->remove_count; i++) tain_state_drop(t, c->removes[i], p->now_ms);
    for (size_t i = 0; i < c->add_count; i++)
        if (!c->adds[i]->leaving) tain_state_insert(t, c->adds[i], version);
    for (size_t i = 0; c->data_change && i < c->add_count; i++) t->appended += c->adds[i]->size;
    for (size_t i = 0; i < p->change_count; i++) p->changes[i].file->leaving = false;
}

void tain_plan_apply(tain_delta *t, tain_plan *p)
{
    int64_t version = t->version + 1;
    if (p->has_protocol) {
        tain_protocol_done(&t->protocol);
        t->protocol = p->protocol;
        p->protocol = (tain_protocol){0};
        t->meta_since = version;
    }
    if (p->has_meta) {
        tain_state_set_meta(t, p->meta, p->schema_text);
        p->meta = (tain_delta_metadata){0};
        p->schema_text = NULL;
        t->meta_since = version;
        tain_free(t->opened_id);
        t->opened_id = tain_strdup(t->meta.id);
    }
    if (p->anew) tain_state_forget_domains(t);
    if (p->c->app_id) tain_state_set_txn(t, p->c->app_id, p->c->app_version, p->now_ms, version);
    apply_files(t, p, version);
    if (p->has_meta) t->meta_owned = version;
    t->version = version;
    t->looked = tain_monotonic();
}

/* --- into the log ------------------------------------------------------------------------------------------------------ */

/* Whether the version in the log is this plan's. NOT_FOUND: there is no such version. */
static tain_status is_ours(tain_delta *t, const char *key, const tain_plan *p, bool *ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_TRY(tain_store_get(t->store, key, 0, -1, &text, err));
    *ret = text.size && memmem(text.data, text.size, p->txn_id, 36) != NULL;
    return TAIN_OK;
}

typedef enum outcome { WON, LOST, AGAIN } outcome;

/* One put; what its answer means. */
static tain_status put_once(tain_delta *t, const char *key, const tain_plan *p, const tain_buffer *text, outcome *ret,
                            tain_error *err)
{
    bool        ours = false;
    tain_error  lost;
    tain_status st = tain_store_put(t->store, key, tain_buffer_slice(text), TAIN_PUT_IF_ABSENT, &lost);
    *ret = WON;
    if (st == TAIN_OK) return TAIN_OK;
    if (st != TAIN_E_EXISTS && st != TAIN_E_UNKNOWN) {
        if (err) *err = lost;
        return st;
    }
    tain_status look = is_ours(t, key, p, &ours, err);
    if (look == TAIN_E_NOT_FOUND) { /* so nothing was stored */
        *ret = AGAIN;
        return TAIN_OK;
    }
    if (look != TAIN_OK) { /* whether it was stored stays unknown */
        if (err) *err = lost;
        return TAIN_E_UNKNOWN;
    }
    *ret = ours ? WON : LOST;
    return TAIN_OK;
}

static tain_status put_version(tain_delta *t, const tain_plan *p, outcome *ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    char *key = tain_log_key(t->version + 1, ".json");
    tain_plan_text(t, p, &text);
    tain_status st = put_once(t, key, p, &text, ret, err);
    for (int i = 1; st == TAIN_OK && *ret == AGAIN; i++) {
        if (i == LOST_ANSWERS) st = tain_fail(err, TAIN_E_UNKNOWN, "%s: the store does not answer, and stores nothing", key);
        else st = put_once(t, key, p, &text, ret, err);
    }
    if (st == TAIN_OK && *ret == WON) t->tail_bytes += (int64_t)text.size;
    tain_free(key);
    return st;
}

/* Goes behind the commits of others, as long as they leave alone what this one is about. */
static tain_status follow(tain_delta *t, const tain_plan *p, tain_error *err)
{
    TAIN_TRY(tain_replay_forward(t, err));
    TAIN_TRY(tain_protocol_check_write(&t->protocol, &t->meta, err));
    return tain_plan_conflict(t, p, err);
}

/* A version found free proves nothing once its commit may have been cleaned away: nobody would read what is put there. */
static tain_status put_commit(tain_delta *t, const tain_plan *p, tain_error *err)
{
    if (t->version >= 0 && tain_replay_is_stale(t)) TAIN_TRY(follow(t, p, err));
    for (;;) {
        outcome o;
        TAIN_TRY(put_version(t, p, &o, err));
        if (o == WON) return TAIN_OK;
        if (t->version < 0) return tain_fail(err, TAIN_E_EXISTS, "there is a Delta table already");
        TAIN_TRY(follow(t, p, err));
    }
}

static tain_status write_plan(tain_delta *t, tain_plan *p, tain_error *err)
{
    TAIN_TRY(tain_plan_write_vectors(t, p, err));
    TAIN_TRY(put_commit(t, p, err));
    tain_fault(TAIN_FAULT_DELTA_COMMITTED);
    return TAIN_OK;
}

static tain_status commit(tain_delta *t, const tain_delta_commit *c, tain_error *err)
{
    tain_plan   p = {0};
    tain_status st = tain_plan_make(t, c, &p, err);
    if (st == TAIN_OK) {
        tain_state_forget_gone(t); /* only now: c may have named one of them */
        st = write_plan(t, &p, err);
    }
    if (st == TAIN_OK) tain_plan_apply(t, &p);
    tain_plan_done(&p);
    return st;
}

tain_status tain_delta_commit_write(tain_delta *t, const tain_delta_commit *c, tain_error *err)
{
    TAIN_TRY(tain_delta_check_usable(t, err));
    TAIN_TRY_IN(err, commit(t, c, err), "%s", t->store->url);
    return TAIN_OK;
}

/* --- creation ------------------------------------------------------------------------------------------------------------ */

static bool stop_at_first(void *ctx, const tain_object *o)
{
    *(bool *)ctx = tain_log_name_of(o->key).kind != TAIN_LOG_OTHER;
    return !*(bool *)ctx;
}

tain_status tain_delta_create(tain_store *folder, const tain_delta_commit *c, tain_delta **ret, tain_error *err)
{
    bool any = false;
    if (!c->schema) return tain_fail(err, TAIN_E_INVALID, "a table needs a schema");
    TAIN_TRY(tain_store_list(folder, "_delta_log/", NULL, stop_at_first, &any, err));
    if (any) return tain_fail(err, TAIN_E_EXISTS, "%s: there is a Delta table already", folder->url);
    tain_delta *t = tain_state_new(folder);
    t->protocol = (tain_protocol){.reader = 1, .writer = 2}; /* what the least demanding table has */
    tain_status st = tain_delta_commit_write(t, c, err);
    if (st == TAIN_OK) *ret = t;
    else tain_delta_close(t);
    return st;
}
