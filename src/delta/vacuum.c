/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "delta/internal.h"

/* --- what is in use --------------------------------------------------------------------------------------------------- */

static void mark(tain_map *used, char *key)
{
    if (key) tain_map_put(used, key, used);
    tain_free(key);
}

static void mark_file(tain_delta *t, tain_map *used, const char *path, const tain_dv *dv)
{
    mark(used, tain_delta_key_of(t->store, path));
    if (dv->storage == 'u') mark(used, tain_dv_key(dv));
    if (dv->storage == 'p') mark(used, tain_delta_key_of(t->store, dv->path));
}

static void mark_all(tain_delta *t, tain_map *used, tain_time cutoff)
{
    tain_delta_file *f;
    tain_tombstone **stones;
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);) mark_file(t, used, f->path, &f->dv);
    size_t n = tain_state_tombstones(t, cutoff / TAIN_MILLISECOND, &stones);
    for (size_t i = 0; i < n; i++) mark_file(t, used, stones[i]->path, &stones[i]->dv);
    tain_free(stones);
}

/* --- what is not -------------------------------------------------------------------------------------------------------- */

typedef struct sweep {
    const tain_map    *used;
    tain_time          cutoff;
    tain_map           garbage;
    tain_vacuum_result found;
} sweep;

/* Whether some folder or the name itself begins with '_' or '.': the log, and what is not the table's. */
static bool hidden(const char *key)
{
    size_t feed = strlen(TAIN_DELTA_FEED_FOLDER);
    if (strncmp(key, TAIN_DELTA_FEED_FOLDER, feed) == 0) key += feed;
    for (; key; key = strchr(key, '/') ? strchr(key, '/') + 1 : NULL)
        if (*key == '_' || *key == '.') return true;
    return false;
}

static bool consider(void *ctx, const tain_object *o)
{
    sweep *s = ctx;
    if (hidden(o->key) || o->modified >= s->cutoff || tain_map_get(s->used, o->key)) return true;
    tain_map_put(&s->garbage, o->key, s);
    s->found.files++;
    s->found.bytes += o->size;
    return true;
}

static tain_status remove_garbage(tain_delta *t, const tain_map *garbage, tain_error *err)
{
    const char *key;
    void       *value;
    TAIN_MAP_EACH (garbage, i, key, value) {
        TAIN_TRY(tain_store_remove(t->store, key, err));
        tain_fault(TAIN_FAULT_DELTA_GARBAGE_REMOVED);
    }
    return TAIN_OK;
}

tain_time tain_delta_retention(const tain_delta *t)
{
    return tain_property_interval(t, "delta.deletedFileRetentionDuration", 7 * 86400 * TAIN_SECOND);
}

tain_status tain_delta_vacuum(tain_delta *t, tain_time retention, bool dry_run, tain_vacuum_result *ret, tain_error *err)
{
    int64_t  foreign;
    tain_map used = {0};
    if (retention < 0) return tain_fail(err, TAIN_E_INVALID, "retention is negative");
    TAIN_TRY_IN(err, tain_delta_refresh(t, &foreign, err), "%s", t->store->url);
    TAIN_TRY_IN(err, tain_protocol_check_write(&t->protocol, &t->meta, err), "%s", t->store->url);
    sweep s = {.used = &used, .cutoff = tain_now() - retention};
    mark_all(t, &used, s.cutoff);
    tain_status st = tain_store_list(t->store, "", NULL, consider, &s, err);
    if (st == TAIN_OK && !dry_run) st = remove_garbage(t, &s.garbage, err);
    if (st == TAIN_OK) *ret = s.found;
    else tain_error_context(err, "%s: vacuum", t->store->url);
    tain_map_done(&used);
    tain_map_done(&s.garbage);
    return st;
}
