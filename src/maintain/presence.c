/* SPDX-License-Identifier: MIT */
#include "maintain/presence.h"

#include <stdlib.h>

#include "delta/dv.h"

#define LOG        "_" /* and change data */
#define BEHIND_LOG "`" /* follows '_' */

typedef struct search {
    tain_map    wanted; /* key -> file; of a vector: -> the search itself */
    tain_error *err;
    tain_status status;
} search;

static bool found(void *ctx, const tain_object *o)
{
    search *s = ctx;
    if (strncmp(o->key, LOG, strlen(LOG)) == 0) return false;
    const tain_delta_file *f = tain_map_remove(&s->wanted, o->key);
    if (!f || (const void *)f == s || f->size == o->size) return true;
    s->status = tain_fail(s->err, TAIN_E_CORRUPT, "data file %s has %lld bytes instead of %lld", o->key, (long long)o->size, (long long)f->size);
    return false;
}

static void want(search *s, char *key, void *what)
{
    if (key) tain_map_put(&s->wanted, key, what);
    free(key);
}

/* Log and change data are passed over: they may hold far more than the table does. */
static tain_status list(search *s, tain_store *folder, tain_error *err)
{
    TAIN_TRY(tain_store_list(folder, "", NULL, found, s, err));
    return s->status == TAIN_OK && s->wanted.count ? tain_store_list(folder, "", BEHIND_LOG, found, s, err) : TAIN_OK;
}

/* Frees s. */
static tain_status look(search *s, tain_store *folder, tain_error *err)
{
    const char *key;
    void *what;
    s->err = err;
    tain_status st = s->wanted.count ? list(s, folder, err) : TAIN_OK;
    if (st == TAIN_OK) st = s->status;
    size_t cursor = 0;
    if (st == TAIN_OK && tain_map_next(&s->wanted, &cursor, &key, &what))
        st = tain_fail(err, TAIN_E_CORRUPT, "%s %s is missing", what == s ? "deletion vector" : "data file", key);
    tain_map_done(&s->wanted);
    return st;
}

tain_status tain_presence_check(tain_delta *t, tain_store *folder, tain_error *err)
{
    search s = {0};
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);) {
        want(&s, tain_delta_file_key(t, f), f);
        want(&s, tain_dv_key(&f->dv), &s);
    }
    return look(&s, folder, err);
}

tain_status tain_presence_check_files(tain_store *folder, tain_delta_file *const *files, size_t n, tain_error *err)
{
    search s = {0};
    for (size_t i = 0; i < n; i++) want(&s, tain_strdup(files[i]->path), files[i]);
    return look(&s, folder, err);
}
