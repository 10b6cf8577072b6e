/* SPDX-License-Identifier: MIT */
#include "delta/listing.h"

static bool take(void *ctx, const tain_object *o)
{
    tain_log_listing *l = ctx;
    tain_log_name     name = tain_log_name_of(o->key);
    if (name.kind == TAIN_LOG_OTHER) return true;
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 64;
        l->objects = tain_realloc(l->objects, l->capacity * sizeof *l->objects);
    }
    l->objects[l->count++] = (tain_log_object){name, tain_strdup(o->key), o->size, o->modified};
    return true;
}

tain_status tain_log_list(tain_store *store, int64_t from, tain_log_listing *ret, tain_error *err)
{
    tain_log_listing l = {0};
    char            *after = tain_log_key(from, ""); /* sorts right before every object of that version */
    tain_status      st = tain_store_list(store, "_delta_log/", after, take, &l, err);
    tain_free(after);
    if (st != TAIN_OK) tain_log_listing_done(&l);
    else *ret = l;
    return st;
}

void tain_log_listing_done(tain_log_listing *l)
{
    for (size_t i = 0; i < l->count; i++) tain_free(l->objects[i].key);
    tain_free(l->objects);
    *l = (tain_log_listing){0};
}

int64_t tain_log_newest(const tain_log_listing *l)
{
    for (size_t i = l->count; i-- > 0;)
        if (l->objects[i].name.kind == TAIN_LOG_COMMIT) return l->objects[i].name.version;
    return -1;
}

/* The parts around object i that make up one checkpoint; 0: not all are there. */
static size_t complete_parts(const tain_log_listing *l, size_t i, char **keys, int64_t *bytes)
{
    tain_log_name of = l->objects[i].name;
    size_t        n = 0;
    *bytes = 0;
    for (size_t k = 0; k < l->count; k++) {
        tain_log_name x = l->objects[k].name;
        if (x.kind != TAIN_LOG_PART || x.version != of.version || x.parts != of.parts || x.part != (int64_t)n + 1) continue;
        keys[n++] = l->objects[k].key;
        *bytes += l->objects[k].size;
    }
    return (int64_t)n == of.parts ? n : 0;
}

int64_t tain_log_checkpoint(const tain_log_listing *l, int64_t version, char ***ret_keys, size_t *ret_n, int64_t *ret_bytes)
{
    char **keys = tain_alloc((l->count + 1) * sizeof *keys);
    for (size_t i = l->count; i-- > 0;) {
        const tain_log_object *o = &l->objects[i];
        if (o->name.version > version) continue;
        size_t n = 0;
        if (o->name.kind == TAIN_LOG_CHECKPOINT) {
            keys[n++] = o->key;
            *ret_bytes = o->size;
        } else if (o->name.kind == TAIN_LOG_PART) {
            n = complete_parts(l, i, keys, ret_bytes);
        }
        if (!n) continue;
        *ret_keys = keys;
        *ret_n = n;
        return o->name.version;
    }
    tain_free(keys);
    return -1;
}

int64_t tain_log_checkpoint_version(const tain_log_listing *l, int64_t version)
{
    char  **keys = NULL;
    size_t  n;
    int64_t bytes, found = tain_log_checkpoint(l, version, &keys, &n, &bytes);
    tain_free(keys);
    return found;
}

bool tain_log_has_v2(const tain_log_listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->objects[i].name.kind == TAIN_LOG_V2) return true;
    return false;
}
