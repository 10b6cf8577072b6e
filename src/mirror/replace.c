/* SPDX-License-Identifier: MIT */
#include "mirror/replace.h"

#include <stdlib.h>

#include "base/fault.h"

typedef struct replacement { tain_delta_file *old, *new; size_t add; /* position among adds, or LIVE */ } replacement;
#define LIVE SIZE_MAX

static bool stands_already(const tain_pending *p, const tain_delta_file *f)
{
    for (size_t i = 0; i < p->replaced_count; i++)
        if (p->replaced[i] == f) return true;
    return false;
}

/* Caller frees. */
static replacement *list_files(tain_table *t, size_t *ret_count)
{
    tain_pending *p = &t->pending;
    size_t n = 0, live = t->delta && !p->truncated ? tain_delta_file_count(t->delta) : 0;
    replacement *list = tain_alloc((live + p->add_count + 1) * sizeof *list);
    tain_delta_file *f;
    for (size_t cursor = 0; live && tain_delta_next_file(t->delta, &cursor, &f);)
        if (!stands_already(p, f)) list[n++] = (replacement){.old = f, .add = LIVE};
    for (size_t i = 0; i < p->add_count; i++) list[n++] = (replacement){.old = p->adds[i], .add = i};
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

static tain_status make(tain_table *t, replacement *r, const tain_schema *added, const tain_refoot_source *sources, size_t columns, tain_error *err)
{
    const roaring_bitmap_t *gone;
    if (r->add == LIVE) TAIN_TRY(tain_delta_deleted(t->delta, r->old, &gone, err));
    TAIN_TRY(tain_delta_refoot(t->delta, r->old, added, sources, columns, &r->new, err));
    tain_fault(TAIN_FAULT_REFOOT_WRITTEN);
    return TAIN_OK;
}

tain_status tain_replace_files(tain_table *t, const tain_schema *added, const tain_refoot_source *sources, size_t columns, tain_error *err)
{
    size_t n, made = 0;
    replacement *list = list_files(t, &n);
    tain_status st = TAIN_OK;
    for (; st == TAIN_OK && made < n; made++) st = make(t, &list[made], added, sources, columns, err);
    for (size_t i = 0; i < n; i++) {
        if (st == TAIN_OK) stand_for(t, &list[i]);
        else tain_delta_file_free(list[i].new);
    }
    free(list);
    return st;
}
