/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "delta/listing.h"

#define DAY (86400 * TAIN_SECOND)

static tain_time cutoff_of(const tain_delta *t)
{
    tain_time at = tain_now() - tain_property_interval(t, "delta.logRetentionDuration", 30 * DAY);
    return at - at % DAY; /* midnight, so that a day's history is kept or gone as a whole */
}

/* Newest commit before the cutoff, -1: none. */
static int64_t newest_before(const tain_log_listing *l, tain_time cutoff)
{
    int64_t newest = -1;
    for (size_t i = 0; i < l->count; i++) {
        const tain_log_object *o = &l->objects[i];
        if (o->name.kind == TAIN_LOG_COMMIT && o->modified < cutoff) newest = o->name.version;
    }
    return newest;
}

/* The checkpoint that takes over from what is removed: readable, and the hint must not point below it. */
static int64_t keep_from(tain_delta *t, const tain_log_listing *l)
{
    tain_hint hint;
    int64_t   old = newest_before(l, cutoff_of(t));
    if (old < 0 || !tain_hint_read(t->store, &hint)) return -1;
    int64_t version = tain_log_checkpoint_version(l, old);
    return version <= hint.version ? version : -1;
}

static bool is_checkpoint(tain_log_kind k)
{
    return k == TAIN_LOG_CHECKPOINT || k == TAIN_LOG_PART || k == TAIN_LOG_V2;
}

static bool expired(const tain_log_object *o, int64_t keep)
{
    return o->name.version < keep || (o->name.kind == TAIN_LOG_COMPACTED && o->name.version <= keep);
}

/* Oldest first, and commits before their checkpoints: whatever interrupts it, what is left is a log. */
static tain_status remove_below(tain_delta *t, const tain_log_listing *l, int64_t keep, bool checkpoints, tain_error *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const tain_log_object *o = &l->objects[i];
        if (!expired(o, keep) || is_checkpoint(o->name.kind) != checkpoints) continue;
        TAIN_TRY(tain_store_remove(t->store, o->key, err));
        tain_fault(TAIN_FAULT_DELTA_LOG_REMOVED);
    }
    return TAIN_OK;
}

static tain_status forget_below(tain_delta *t, const tain_log_listing *l, int64_t version, tain_error *err)
{
    TAIN_TRY(remove_below(t, l, version, false, err));
    return remove_below(t, l, version, true, err);
}

tain_status tain_log_forget(tain_delta *t, int64_t version, tain_error *err)
{
    tain_log_listing l = {0};
    TAIN_TRY(tain_log_list(t->store, 0, &l, err));
    tain_status st = forget_below(t, &l, version, err);
    tain_log_listing_done(&l);
    return st;
}

/* A table that has lost a feature keeps the checkpoints up to there, for those who do not know it, until all of that goes
 * (PROTOCOL.md, Checkpoint Protection). */
static int64_t protected_below(const tain_delta *t)
{
    return tain_protocol_has(&t->protocol, "checkpointProtection") ? tain_property_int(t, "delta.requireCheckpointProtectionBeforeVersion", INT64_MAX) : 0;
}

static tain_status clean(tain_delta *t, const tain_log_listing *l, tain_error *err)
{
    int64_t keep = keep_from(t, l);
    return keep <= 0 || keep < protected_below(t) ? TAIN_OK : forget_below(t, l, keep, err);
}

tain_status tain_delta_clean_log(tain_delta *t, tain_error *err)
{
    tain_log_listing l = {0};
    TAIN_TRY(tain_delta_check_usable(t, err));
    TAIN_TRY_IN(err, tain_protocol_check_write(&t->protocol, &t->meta, err), "%s", t->store->url);
    if (!tain_property_bool(t->meta.configuration, "delta.enableExpiredLogCleanup", true)) return TAIN_OK;
    tain_status st = tain_log_list(t->store, 0, &l, err);
    if (st == TAIN_OK) st = clean(t, &l, err);
    tain_log_listing_done(&l);
    if (st != TAIN_OK) tain_error_context(err, "%s: log cleanup", t->store->url);
    return st;
}
