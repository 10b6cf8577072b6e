/* SPDX-License-Identifier: MIT */
#include "delta/listing.h"

/* --- commits ------------------------------------------------------------------------------------------------------- */

tain_status tain_replay_commit(tain_delta *t, int64_t version, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    char       *key = tain_log_key(version, ".json");
    tain_status st = tain_store_get(t->store, key, 0, -1, &text, err);
    if (st == TAIN_OK) {
        st = tain_parse_commit(t, version, key, tain_buffer_slice(&text), err);
        t->tail_bytes += (int64_t)text.size;
        t->broken = st != TAIN_OK;
    }
    tain_free(key);
    return st;
}

static tain_status gone(int64_t version, tain_error *err)
{
    return tain_fail(err, TAIN_E_GONE, "the log no longer reaches back to version %lld", (long long)version);
}

/* Commits that a newer checkpoint covers may be missing; others may not. */
static bool may_be_cleaned(const tain_log_listing *l, int64_t until)
{
    return tain_log_checkpoint_version(l, INT64_MAX) > until;
}

static tain_status replay_listed(tain_delta *t, const tain_log_listing *l, int64_t until, tain_error *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const tain_log_object *o = &l->objects[i];
        if (o->name.kind != TAIN_LOG_COMMIT || o->name.version <= t->version || o->name.version > until) continue;
        if (o->name.version != t->version + 1 && may_be_cleaned(l, until)) return gone(until, err);
        if (o->name.version != t->version + 1)
            return tain_fail(err, TAIN_E_CORRUPT, "_delta_log has version %lld but not version %lld", (long long)o->name.version,
                             (long long)t->version + 1);
        TAIN_TRY(tain_replay_commit(t, o->name.version, err));
        tain_state_forget_gone(t); /* nobody holds files of a table that is being opened */
    }
    return TAIN_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static tain_status start_from_checkpoint(tain_delta *t, const tain_log_listing *l, int64_t until, tain_error *err)
{
    char      **keys = NULL;
    size_t      n = 0;
    int64_t     bytes = 0, version = tain_log_checkpoint(l, until, &keys, &n, &bytes);
    tain_status st = TAIN_OK;
    if (version < 0) return TAIN_OK;
    t->version = version - 1; /* its actions belong to that version */
    st = tain_checkpoint_read(t, keys, n, err);
    if (st == TAIN_OK) {
        tain_state_end_commit(t, version);
        t->checkpoint = version;
        t->checkpoint_bytes = bytes;
    } else {
        tain_error_context(err, "%s", keys[0]);
    }
    tain_free(keys);
    return st;
}

/* A log whose beginning is gone and that no checkpoint covers. */
static tain_status check_reachable(const tain_log_listing *l, int64_t reached, int64_t until, tain_error *err)
{
    int64_t first = -1;
    for (size_t i = 0; i < l->count && first < 0; i++)
        if (l->objects[i].name.kind == TAIN_LOG_COMMIT) first = l->objects[i].name.version;
    if (reached >= 0 || first <= 0) return TAIN_OK;
    if (tain_log_has_v2(l)) return tain_fail(err, TAIN_E_UNSUPPORTED, "_delta_log has checkpoints of version 2 only");
    if (until < tain_log_newest(l)) return gone(until, err);
    return tain_fail(err, TAIN_E_CORRUPT, "_delta_log begins at version %lld and has no checkpoint", (long long)first);
}

/* Some readers pass over vectors that the protocol does not speak of, others do not. */
static tain_status check_vectors(const tain_delta *t, tain_error *err)
{
    tain_delta_file *f;
    if (tain_protocol_has(&t->protocol, "deletionVectors")) return TAIN_OK;
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);)
        if (f->dv.storage)
            return tain_fail(err, TAIN_E_CORRUPT, "%s has a deletion vector, and the protocol does not list deletionVectors", f->path);
    return TAIN_OK;
}

static tain_status check_complete(const tain_delta *t, tain_error *err)
{
    if (!t->schema_text)
        return tain_fail(err, TAIN_E_CORRUPT, "_delta_log has no metaData action up to version %lld", (long long)t->version);
    if (!t->protocol.reader) return tain_fail(err, TAIN_E_CORRUPT, "_delta_log has no protocol action");
    TAIN_TRY(tain_protocol_check_read(&t->protocol, &t->meta, err));
    return check_vectors(t, err);
}

static tain_status replay_all(tain_delta *t, const tain_log_listing *l, int64_t until, tain_error *err)
{
    TAIN_TRY(start_from_checkpoint(t, l, until, err));
    TAIN_TRY(check_reachable(l, t->version, until, err));
    TAIN_TRY(replay_listed(t, l, until, err));
    TAIN_TRY(check_complete(t, err));
    t->opened_id = tain_strdup(t->meta.id);
    t->meta_owned = t->meta_since;
    return TAIN_OK;
}

/* The listing from the hinted checkpoint on, or the whole one when the hint is of no use. */
static tain_status list_for(tain_store *folder, int64_t until, tain_log_listing *ret, tain_error *err)
{
    tain_hint hint;
    if (tain_hint_read(folder, &hint) && hint.version <= until) {
        TAIN_TRY(tain_log_list(folder, hint.version, ret, err));
        if (tain_log_checkpoint_version(ret, until) >= 0) return TAIN_OK;
        tain_log_listing_done(ret);
    }
    return tain_log_list(folder, 0, ret, err);
}

static tain_status open_listed(tain_delta *t, const tain_log_listing *l, int64_t version, tain_error *err)
{
    int64_t newest = tain_log_newest(l), checkpoint = tain_log_checkpoint_version(l, INT64_MAX);
    if (checkpoint > newest) newest = checkpoint;
    if (newest < 0) return tain_fail(err, TAIN_E_NOT_FOUND, "there is no Delta table");
    if (version > newest && version != INT64_MAX)
        return tain_fail(err, TAIN_E_NOT_FOUND, "there is no version %lld; the newest is %lld", (long long)version,
                         (long long)newest);
    TAIN_TRY(replay_all(t, l, version == INT64_MAX ? newest : version, err));
    if (version != INT64_MAX && t->version != version && may_be_cleaned(l, version)) return gone(version, err);
    if (version != INT64_MAX && t->version != version)
        return tain_fail(err, TAIN_E_CORRUPT, "_delta_log lacks version %lld", (long long)version);
    return TAIN_OK;
}

tain_status tain_delta_open_at(tain_store *folder, int64_t version, tain_delta **ret, tain_error *err)
{
    tain_log_listing l = {0};
    tain_status      st = list_for(folder, version, &l, err);
    if (st == TAIN_OK) {
        tain_delta *t = tain_state_new(folder);
        st = open_listed(t, &l, version, err);
        if (st == TAIN_OK) *ret = t;
        else tain_delta_close(t);
    }
    tain_log_listing_done(&l);
    if (st != TAIN_OK) tain_error_context(err, "%s", folder->url);
    return st;
}

tain_status tain_delta_open(tain_store *folder, tain_delta **ret, tain_error *err)
{
    return tain_delta_open_at(folder, INT64_MAX, ret, err);
}

/* --- going on ------------------------------------------------------------------------------------------------------- */

enum { STALE_SECONDS = 3600 };

bool tain_replay_is_stale(const tain_delta *t)
{
    return tain_monotonic() - t->looked >= STALE_SECONDS * TAIN_SECOND;
}

static tain_status check_not_overtaken(tain_delta *t, tain_error *err)
{
    if (!tain_replay_is_stale(t)) return TAIN_OK;
    tain_log_listing l = {0};
    TAIN_TRY(tain_log_list(t->store, t->version + 1, &l, err));
    size_t n = l.count;
    tain_log_listing_done(&l);
    if (n) {
        t->broken = true;
        return tain_fail(err, TAIN_E_GONE, "the log went on and was cleaned behind version %lld; open the table again",
                         (long long)t->version);
    }
    return TAIN_OK;
}

tain_status tain_replay_forward(tain_delta *t, tain_error *err)
{
    tain_status st;
    int64_t     before = t->version;
    tain_error  none;
    while ((st = tain_replay_commit(t, t->version + 1, &none)) == TAIN_OK) {}
    if (st != TAIN_E_NOT_FOUND) {
        if (err) *err = none;
        return st;
    }
    if (t->version == before) TAIN_TRY(check_not_overtaken(t, err));
    t->looked = tain_monotonic();
    if (t->meta_since > before) {
        st = check_complete(t, err);
        t->broken = st != TAIN_OK;
    }
    return st == TAIN_E_NOT_FOUND ? TAIN_OK : st;
}

tain_status tain_delta_look(const tain_delta *t, tain_error *err)
{
    tain_object o;
    TAIN_AUTO(tain_free) char *key = tain_log_key(t->version, ".json");
    return tain_store_head(t->store, key, &o, err);
}

tain_status tain_delta_refresh(tain_delta *t, int64_t *ret_foreign, tain_error *err)
{
    TAIN_TRY(tain_delta_check_usable(t, err));
    int64_t before = t->version;
    tain_state_forget_gone(t);
    TAIN_TRY(tain_replay_forward(t, err));
    *ret_foreign = t->version - before;
    return TAIN_OK;
}

tain_status tain_delta_check_usable(const tain_delta *t, tain_error *err)
{
    return t->broken ? tain_fail(err, TAIN_E_CORRUPT, "the log could not be followed; open the table again") : TAIN_OK;
}

/* --- deletion vectors ------------------------------------------------------------------------------------------------ */

tain_status tain_delta_deleted(tain_delta *t, tain_delta_file *f, const roaring_bitmap_t **ret, tain_error *err)
{
    if (f->dv.storage && !f->deleted) {
        roaring_bitmap_t *rows;
        TAIN_TRY_IN(err, tain_dv_load(t->store, &f->dv, &rows, err), "%s", f->path);
        if (f->rows >= 0 && !roaring_bitmap_is_empty(rows) && (int64_t)roaring_bitmap_maximum(rows) >= f->rows) {
            tain_status st = tain_fail(err, TAIN_E_CORRUPT, "%s: deletion vector marks row %u of %lld", f->path,
                                       roaring_bitmap_maximum(rows), (long long)f->rows);
            roaring_bitmap_free(rows);
            return st;
        }
        f->deleted = rows;
    }
    *ret = f->deleted;
    return TAIN_OK;
}
