/* SPDX-License-Identifier: MIT */
#include "mirror/feed/feed.h"

#include <stdlib.h>
#include <strings.h>

#include "base/fault.h"
#include "mirror/feed/feedrows.h"

enum { WHOLE_BYTES = 64 << 20 /* of files that go and come, up to which a table that is emptied or loaded again is written out */ };

/* --- on or off ----------------------------------------------------------------------------------------------------- */

const char *tain_feed_obstacle(const tain_schema *columns)
{
    static const char *const theirs[] = {"_change_type", "_commit_version", "_commit_timestamp"};
    for (size_t i = 0; i < columns->count; i++)
        for (size_t k = 0; k < sizeof theirs / sizeof *theirs; k++)
            if (strcasecmp(columns->fields[i].name, theirs[k]) == 0) return columns->fields[i].name;
    return NULL;
}

static bool has_feed(const tain_table *t) { return t->delta && tain_delta_has_feed(t->delta); }

/* What nobody said stays as it is. */
static bool is_asked_for(const tain_table *t)
{
    return t->feed == TAIN_FEED_UNSAID ? has_feed(t) : t->feed == TAIN_FEED_ON;
}

static bool wants_feed(const tain_table *t)
{
    return is_asked_for(t) && !tain_feed_obstacle(t->shown);
}

static void warn_of_obstacle(tain_table *t)
{
    const char *column = is_asked_for(t) ? tain_feed_obstacle(t->shown) : NULL;
    if (column) tain_table_note(t, "no_change_feed", column);
}

/* Off is said, not left out: some readers miss the change otherwise. */
json_t *tain_feed_configure(tain_table *t, json_t *configuration)
{
    bool wanted = wants_feed(t);
    warn_of_obstacle(t);
    if (wanted == has_feed(t)) return json_incref(configuration);
    json_t *o = configuration ? json_copy(configuration) : json_object();
    json_object_set_new(o, TAIN_DELTA_FEED_KEY, json_string(wanted ? "true" : "false"));
    return o;
}

tain_status tain_feed_switch(tain_table *t, int64_t *ret_others, tain_error *err)
{
    *ret_others = 0;
    json_t *configuration = t->delta ? tain_feed_configure(t, NULL) : NULL;
    if (!configuration) return TAIN_OK;
    int64_t before = tain_delta_version(t->delta);
    tain_delta_commit c = {.operation = "SET TBLPROPERTIES", .configuration = configuration};
    tain_status st = tain_delta_commit_write(t->delta, &c, err);
    json_decref(configuration);
    *ret_others = tain_delta_version(t->delta) - before - (st == TAIN_OK);
    return st;
}

/* --- which rows ---------------------------------------------------------------------------------------------------- */

typedef struct work {
    tain_table         *table;
    const tain_pending *pending;
    tain_ordinals       replaced; /* live files for which others stand */
    tain_feed_side      gone, come;
    bool                mixed;    /* files are written that have some of their rows from files that stood for others */
} work;

static roaring_bitmap_t *without(const roaring_bitmap_t *rows, const roaring_bitmap_t *others)
{
    return others ? roaring_bitmap_andnot(rows, others) : roaring_bitmap_copy(rows);
}

/* The file of the table as it is that has, or had, the rows of f; NULL: they are new. */
static tain_delta_file *former(const work *w, tain_delta_file *f)
{
    return f->live ? f : tain_ordinals_get(&w->replaced, f->ordinal);
}

/* Profile compat: rows deleted long ago are missing in the file that comes at last, which others may share. */
static bool is_written_again(const work *w, const tain_file_deletes *d)
{
    return w->table->compat && !d->file->live && !roaring_bitmap_is_empty(d->rows);
}

/* What is deleted in files and was not before. */
static tain_status find_deleted(work *w, tain_error *err)
{
    for (size_t i = 0; i < w->pending->delete_count; i++) {
        const tain_file_deletes *d = &w->pending->deletes[i];
        const roaring_bitmap_t *before = NULL;
        tain_delta_file *old = former(w, d->file);
        if (!old) continue;
        TAIN_TRY(tain_delta_deleted(w->table->delta, old, &before, err));
        tain_feed_side_add(&w->gone, d->file, without(d->rows, before));
        w->mixed |= is_written_again(w, d);
    }
    return TAIN_OK;
}

/* deleted may be NULL. */
static roaring_bitmap_t *all_but(const tain_delta_file *f, const roaring_bitmap_t *deleted)
{
    roaring_bitmap_t *rows = roaring_bitmap_from_range(0, (uint64_t)f->rows, 1);
    if (deleted) roaring_bitmap_andnot_inplace(rows, deleted);
    return rows;
}

/* All that there is, if it is not too much. */
static tain_status find_all(work *w, tain_error *err)
{
    tain_delta_file *f;
    int64_t bytes = tain_delta_bytes(w->table->delta);
    for (size_t i = 0; i < w->pending->add_count; i++) bytes += w->pending->adds[i]->size;
    if (bytes > WHOLE_BYTES || tain_delta_live_rows(w->table->delta) < 0) return TAIN_OK;
    for (size_t cursor = 0; tain_delta_next_file(w->table->delta, &cursor, &f);) {
        const roaring_bitmap_t *before = NULL;
        TAIN_TRY(tain_delta_deleted(w->table->delta, f, &before, err));
        tain_feed_side_add(&w->gone, f, all_but(f, before));
    }
    return TAIN_OK;
}

static void find_added(work *w)
{
    for (size_t i = 0; i < w->pending->add_count; i++) {
        tain_delta_file *f = w->pending->adds[i];
        if (!former(w, f) && f->rows) tain_feed_side_add(&w->come, f, all_but(f, tain_pending_deletes(w->table, f, false)));
    }
}

/* Files whose rows are those that they were. */
static roaring_bitmap_t *find_moved(const work *w)
{
    roaring_bitmap_t *moved = roaring_bitmap_create();
    for (size_t i = 0; i < w->pending->replaced_count; i++) roaring_bitmap_add(moved, w->pending->replaced[i]->ordinal);
    for (size_t i = 0; i < w->gone.count; i++) roaring_bitmap_remove(moved, w->gone.parts[i].file->ordinal);
    for (size_t i = 0; i < w->pending->delete_count; i++)
        if (is_written_again(w, &w->pending->deletes[i])) roaring_bitmap_remove(moved, w->pending->deletes[i].file->ordinal);
    return moved;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static bool has_keys(const work *w)
{
    return !w->table->multiset && !w->pending->rekeyed && !w->pending->truncated;
}

/* Files that go as they are may have something else by the name of a column: its values are lost to the new shape. */
static tain_schema *as_read(const tain_schema *columns, const tain_schema *before)
{
    tain_schema *s = tain_schema_copy(columns);
    for (size_t i = 0; i < s->count; i++) {
        int at = tain_schema_find_physical(before, s->fields[i].physical);
        if (at >= 0 && !tain_type_equal(&before->fields[at].type, &s->fields[i].type)) s->fields[i].physical = "";
    }
    return s;
}

static tain_status write_rows(work *w, tain_feed *ret, tain_error *err)
{
    const tain_schema *before = tain_delta_meta(w->table->delta)->schema;
    tain_schema *read = NULL;
    w->come.columns = w->pending->schema ? w->pending->schema : before;
    w->gone.columns = w->pending->truncated ? read = as_read(w->come.columns, before) : w->come.columns;
    tain_status st = tain_feed_write(w->table, &w->gone, &w->come, &ret->file, err);
    tain_schema_free(read);
    if (st == TAIN_OK) tain_fault(TAIN_FAULT_FEED_WRITTEN);
    return st;
}

static tain_status write_feed(work *w, tain_feed *ret, tain_error *err)
{
    if (!w->gone.rows && !w->mixed) return TAIN_OK;
    find_added(w);
    if (w->gone.rows && w->come.rows && has_keys(w)) TAIN_TRY(tain_feed_pair(w->table, &w->gone, &w->come, err));
    return write_rows(w, ret, err);
}

/* A table that is loaded again may be one that cannot be read any more: then its files alone tell that it went. */
static void write_whole(work *w, tain_feed *ret)
{
    if (find_all(w, NULL) == TAIN_OK) (void)!write_feed(w, ret, NULL);
}

static tain_status make(work *w, tain_feed *ret, tain_error *err)
{
    bool on = wants_feed(w->table);
    if (!on && !w->pending->replaced_count) return TAIN_OK;
    TAIN_TRY(find_deleted(w, err));
    if (w->pending->replaced_count) ret->moved = find_moved(w);
    if (!on) return TAIN_OK;
    if (!w->pending->truncated) return write_feed(w, ret, err);
    write_whole(w, ret);
    return TAIN_OK;
}

static void feed_free(tain_feed *f)
{
    tain_delta_file_free(f->file);
    if (f->moved) roaring_bitmap_free(f->moved);
    *f = (tain_feed){0};
}

tain_status tain_feed_make(tain_table *t, const tain_pending *p, tain_feed *ret, tain_error *err)
{
    work w = {.table = t, .pending = p};
    *ret = (tain_feed){0};
    if (!t->delta) return TAIN_OK;
    for (size_t i = 0; i < p->replaced_count; i++) tain_ordinals_put(&w.replaced, p->replaced[i]);
    tain_status st = make(&w, ret, err);
    if (st != TAIN_OK) {
        feed_free(ret);
        tain_error_context(err, "change data");
    }
    tain_feed_side_done(&w.gone);
    tain_feed_side_done(&w.come);
    tain_ordinals_done(&w.replaced);
    return st;
}

/* Whether an unknown commit names it nobody knows. */
void tain_feed_done(tain_table *t, tain_feed *f, tain_status st)
{
    if (f->file && st != TAIN_OK && st != TAIN_E_UNKNOWN) (void)!tain_store_remove(t->store, f->file->path, NULL);
    feed_free(f);
}
