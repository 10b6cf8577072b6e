/* SPDX-License-Identifier: MIT */
#include "mirror/apply/apply.h"

/* The index and what is pending know files by their ordinals. */
static void keep_ordinals(const tain_delta *old, tain_delta *now)
{
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(now, &cursor, &f);) {
        const tain_delta_file *before = tain_delta_find(old, f->path);
        if (before) f->ordinal = before->ordinal;
    }
}

/* Deletions in files that are gone stay with the old object, to be found again by key. */
static void move_deletes(tain_table *t, const tain_delta *now)
{
    for (size_t i = 0; i < t->pending.delete_count; i++) {
        tain_file_deletes *d = &t->pending.deletes[i];
        tain_delta_file *f = tain_delta_find(now, d->file->path);
        if (!d->file->live) continue; /* pending itself, or gone already */
        d->file->live = f != NULL;
        if (!f) continue;
        f->owner = d->file->owner;
        d->file = f;
    }
}

static tain_status check_descent(const tain_table *t, const tain_delta *now, tain_error *err)
{
    int64_t ours = tain_delta_txn(t->delta, t->app_id), theirs = tain_delta_txn(now, t->app_id);
    if (tain_delta_version(now) >= tain_delta_version(t->delta) && theirs == ours) return TAIN_OK;
    return tain_fail(err, TAIN_E_CORRUPT, "its folder %s was removed or damaged: the log ends with version %lld, and was at %lld", t->folder,
                     (long long)tain_delta_version(now), (long long)tain_delta_version(t->delta));
}

tain_status tain_apply_reopen(tain_table *t, tain_error *err)
{
    tain_delta *old = t->delta, *now = NULL;
    tain_status st = tain_delta_open(t->store, &now, err);
    if (st == TAIN_E_NOT_FOUND) st = tain_fail(err, TAIN_E_CORRUPT, "its folder %s was removed or damaged: it has no log", t->folder);
    if (st == TAIN_OK) st = check_descent(t, now, err);
    if (st != TAIN_OK) {
        tain_delta_close(now);
        return st;
    }
    int64_t foreign = tain_delta_version(now) - tain_delta_version(old);
    if (foreign) tain_table_warn(t, "foreign_commit", NULL, foreign);
    keep_ordinals(old, now);
    move_deletes(t, now);
    t->delta = now;
    st = tain_apply_resolve_again(t, err);
    tain_delta_close(old);
    return st;
}
