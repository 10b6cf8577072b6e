/* SPDX-License-Identifier: MIT */
#include "mirror/shape/replace.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/fault.h"

/* What all files get. */
typedef struct refooting {
    tain_table               *table;
    const tain_schema        *added;
    const tain_refoot_source *sources;
    size_t                    columns;
    atomic_bool               failed; /* one of them: the others need not be made */
} refooting;

typedef struct replacement {
    refooting       *of;
    tain_delta_file *old, *new;
    size_t           add; /* position among adds, or LIVE */
} replacement;
#define LIVE SIZE_MAX

static bool stands_already(const tain_pending *p, const tain_delta_file *f)
{
    for (size_t i = 0; i < p->replaced_count; i++)
        if (p->replaced[i] == f) return true;
    return false;
}

/* Caller frees. */
static replacement *list_files(refooting *of, size_t *ret_count)
{
    tain_table *t = of->table;
    tain_pending *p = &t->pending;
    size_t n = 0, live = t->delta && !p->truncated ? tain_delta_file_count(t->delta) : 0;
    replacement *list = tain_alloc((live + p->add_count + 1) * sizeof *list);
    tain_delta_file *f;
    for (size_t cursor = 0; live && tain_delta_next_file(t->delta, &cursor, &f);)
        if (!stands_already(p, f)) list[n++] = (replacement){.of = of, .old = f, .add = LIVE};
    for (size_t i = 0; i < p->add_count; i++) list[n++] = (replacement){.of = of, .old = p->adds[i], .add = i};
    *ret_count = n;
    return list;
}

/* --- whose rows are deleted ---------------------------------------------------------------------------------------- */

static void take_over_slot(tain_pending *p, replacement *r)
{
    size_t slot = (size_t)r->old->owner;
    if (!slot || slot > p->delete_count || p->deletes[slot - 1].file != r->old) return;
    p->deletes[slot - 1].file = r->new;
    r->new->owner = r->old->owner;
    r->old->owner = NULL;
}

/* Loaded before, so it does not fail. */
static void take_over_vector(tain_table *t, replacement *r)
{
    const roaring_bitmap_t *gone = NULL;
    if (tain_delta_deleted(t->delta, r->old, &gone, NULL) == TAIN_OK && gone)
        roaring_bitmap_or_inplace(tain_pending_deletes(t, r->new, true), gone);
}

static void note_replaced(tain_pending *p, tain_delta_file *f)
{
    p->replaced = tain_realloc(p->replaced, (p->replaced_count + 1) * sizeof(tain_delta_file *));
    p->replaced[p->replaced_count++] = f;
}

static void stand_for(tain_table *t, replacement *r)
{
    take_over_slot(&t->pending, r);
    if (t->index) tain_index_rename_file(t->index, r->new->ordinal, r->new->path);
    if (r->add == LIVE) {
        tain_pending_add_file(t, r->new);
        take_over_vector(t, r);
        note_replaced(&t->pending, r->old);
    } else {
        t->pending.adds[r->add] = r->new;
        tain_ordinals_put(&t->files, r->new);
        tain_delta_file_free(r->old);
    }
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

/* Of what has a vector the rows, while one thread is at the table alone. */
static tain_status load_vectors(tain_table *t, const replacement *list, size_t n, tain_error *err)
{
    const roaring_bitmap_t *gone;
    for (size_t i = 0; i < n; i++)
        if (list[i].add == LIVE) TAIN_TRY(tain_delta_deleted(t->delta, list[i].old, &gone, err));
    return TAIN_OK;
}

static tain_status make(void *item, tain_error *err)
{
    replacement *r = item;
    refooting *of = r->of;
    if (atomic_load(&of->failed)) return TAIN_OK;
    if (of->table->beat) tain_beat_touch(of->table->beat);
    tain_status st = tain_delta_refoot(of->table->delta, r->old, of->added, of->sources, of->columns, &r->new, err);
    if (st != TAIN_OK) atomic_store(&of->failed, true);
    tain_fault(TAIN_FAULT_REFOOT_WRITTEN);
    return st;
}

/* Side by side: a file is copied as fast as one thread can, and the stream waits for all of them. */
static tain_status make_all(tain_table *t, replacement *list, size_t n, tain_error *err)
{
    TAIN_TRY(load_vectors(t, list, n, err));
    void **items = tain_alloc((n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++) items[i] = &list[i];
    tain_status st = tain_pool_run(t->pool, make, items, n, err);
    free(items);
    return st;
}

tain_status tain_replace_files(tain_table *t, const tain_schema *added, const tain_refoot_source *sources, size_t columns, tain_error *err)
{
    refooting of = {.table = t, .added = added, .sources = sources, .columns = columns};
    size_t n;
    replacement *list = list_files(&of, &n);
    tain_status st = make_all(t, list, n, err);
    for (size_t i = 0; i < n; i++) {
        if (st == TAIN_OK) stand_for(t, &list[i]);
        else tain_delta_file_free(list[i].new);
    }
    free(list);
    return st;
}
