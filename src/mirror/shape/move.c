/* SPDX-License-Identifier: MIT */
#include "mirror/shape/move.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/text.h"
#include "mirror/history/history.h"
#include "mirror/upkeep.h"

/* NOT_FOUND is what a move looks like that was done before. UNKNOWN: a power cut may undo it, and a start mends that. */
static tain_status rename_folder(tain_mirror *m, const char *from, const char *to, tain_error *err)
{
    tain_error e;
    tain_status st = tain_store_rename(tain_lake_store(m->lake), from, to, &e);
    tain_fault(TAIN_FAULT_MOVE_RENAMED);
    if (st == TAIN_OK || st == TAIN_E_UNKNOWN || st == TAIN_E_NOT_FOUND) return TAIN_OK;
    if (err) *err = e;
    return st;
}

/* --- while following ----------------------------------------------------------------------------------------------- */

static tain_status open_again(tain_table *t, tain_error *err)
{
    TAIN_TRY(tain_delta_open(t->store, &t->delta, err));
    TAIN_TRY(tain_table_new_index(t, err));
    return tain_table_feed_index(t, err);
}

/* The index is a cache: if it cannot move it is made anew. */
static void move_cache(const char *from, const char *to)
{
    char *parent = tain_strndup(to, (size_t)(strrchr(to, '/') - to));
    if (mkdir(parent, 0777) == 0 || errno == EEXIST) (void)!rename(from, to);
    free(parent);
}

/* name NULL: aside. What is on disk may be no Delta table yet, or one that cannot be opened. */
static tain_status move_to(tain_mirror *m, tain_table *t, const char *schema, const char *name, tain_error *err)
{
    TAIN_AUTO(tain_free) char *folder = name ? tain_lake_table_folder(schema, name) : tain_lake_aside_folder(t->folder, t->source->identity);
    TAIN_AUTO(tain_free) char *cache = tain_strdup(t->cache_dir);
    bool had = t->delta != NULL;
    tain_upkeep_forget(m, t);
    if (t->index) (void)!tain_index_flush(t->index, NULL);
    TAIN_TRY(rename_folder(m, t->folder, folder, err));
    if (name) tain_table_house(t, tain_lake_store(m->lake), tain_lake_cache_dir(m->lake), schema, name);
    else tain_table_house_aside(t, tain_lake_store(m->lake), tain_lake_cache_dir(m->lake));
    move_cache(cache, t->cache_dir);
    t->announced = false;
    return had ? open_again(t, err) : TAIN_OK;
}

static tain_table *in_the_way(tain_mirror *m, const tain_table *t, const char *folder)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i] != t && !m->tables[i]->replaced && strcmp(m->tables[i]->folder, folder) == 0) return m->tables[i];
    return NULL;
}

/* What is left of a table that the source has no more makes way for the one that has its name now. */
static tain_status retire(tain_mirror *m, tain_table *o, tain_error *err)
{
    tain_upkeep_forget(m, o);
    tain_pending_clear(o);
    tain_ordinals_clear(&o->files);
    tain_index_close(o->index);
    tain_delta_close(o->delta);
    o->index = NULL;
    o->delta = NULL;
    o->replaced = true;
    return tain_store_remove_all(tain_lake_store(m->lake), o->folder, err);
}

/* One that is not told of another name comes back when its own is free. */
static tain_status make_way(tain_mirror *m, const tain_table *t, const char *folder, tain_error *err)
{
    tain_table *o = in_the_way(m, t, folder);
    if (!o) return TAIN_OK;
    if (tain_table_makes_way(o)) return retire(m, o, err);
    TAIN_TRY(move_to(m, o, NULL, NULL, err));
    if (o->to_name) return TAIN_OK;
    tain_table_goes(o, t->to_schema, t->to_name);
    o->waits = true;
    return TAIN_OK;
}

static tain_status move_home(tain_mirror *m, tain_table *t, const char *folder, tain_error *err)
{
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(t->to_schema, t->to_name);
    TAIN_TRY(make_way(m, t, folder, err));
    if (strcmp(full, t->name) != 0) tain_mirror_say(m, "%s is %s now; its folder moves with it", t->name, full);
    return move_to(m, t, t->to_schema, t->to_name, err);
}

static tain_status move_table(tain_mirror *m, tain_table *t, tain_error *err)
{
    TAIN_AUTO(tain_free) char *folder = tain_lake_table_folder(t->to_schema, t->to_name);
    const tain_table *o = in_the_way(m, t, folder);
    if (o && t->aside && tain_table_makes_way(t)) return retire(m, t, err);
    if (o && (t->waits || o->loading)) return TAIN_OK;
    if (strcmp(folder, t->folder) != 0) TAIN_TRY(move_home(m, t, folder, err));
    if (!t->delta && t->status == TAIN_TABLE_REPLICATING) TAIN_TRY(open_again(t, err)); /* after a failure of it */
    tain_table_stays(t);
    return TAIN_OK;
}

/* One that was loaded ahead of the stream, or is to be, has its name from there on. */
static bool has_come(const tain_table *t, const tain_position *position)
{
    if (!t->have.text[0] && t->status != TAIN_TABLE_FAILED && t->status != TAIN_TABLE_STOPPED) return false;
    return tain_position_compare(&t->have, position) <= 0;
}

static tain_status move_some(tain_mirror *m, const tain_position *position, bool waiting, tain_error *err)
{
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (!t->to_name || t->replaced || t->loading || t->waits != waiting || (!waiting && !has_come(t, position))) continue;
        tain_status st = move_table(m, t, err);
        if (st != TAIN_OK && !tain_status_is_local(st)) return st;
        if (st != TAIN_OK) tain_mirror_fail_table(m, t, err);
        if (st != TAIN_OK) tain_table_stays(t);
    }
    return TAIN_OK;
}

tain_status tain_move_tables(tain_mirror *m, const tain_position *position, tain_error *err)
{
    TAIN_TRY(move_some(m, position, false, err));
    TAIN_TRY(move_some(m, position, true, err));
    return tain_history_move(m, err);
}

bool tain_moves_wait(const tain_mirror *m, const tain_position *position)
{
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        if (t->to_name && !t->replaced && !t->loading && (t->waits || has_come(t, position))) return true;
    }
    return false;
}

/* --- at start ------------------------------------------------------------------------------------------------------ */

/* A folder that is not where its table belongs, or whose table is not known. */
typedef struct stray { char *folder, *identity; } stray;
typedef struct strays { tain_mirror *mirror; stray *list; size_t count; } strays;

static const char *identity_in(const tain_delta *d)
{
    return tain_json_get_str(tain_delta_meta(d)->configuration, TAIN_IDENTITY_KEY, NULL);
}

static void note_stray(strays *s, const char *folder, const char *identity)
{
    s->list = tain_realloc(s->list, (s->count + 1) * sizeof *s->list);
    s->list[s->count++] = (stray){tain_strdup(folder), tain_strdup(identity)};
}

/* Whether a table's folder holds it, or nothing; what else is there strays. */
static bool is_at_home(strays *s, tain_table *t)
{
    tain_error e;
    if (tain_table_find_delta(t, &e) != TAIN_OK) return t->delta != NULL || e.code != TAIN_E_NOT_FOUND; /* opening will tell */
    const char *identity = identity_in(t->delta);
    if (!identity || strcmp(identity, t->source->identity) == 0) return true;
    note_stray(s, t->folder, identity);
    tain_delta_close(t->delta);
    t->delta = NULL;
    return false;
}

static tain_status look_at_folder(void *ctx, const char *schema, const char *name, const char *folder, tain_error *err)
{
    strays *s = ctx;
    for (size_t i = 0; i < s->mirror->table_count; i++)
        if (strcmp(s->mirror->tables[i]->folder, folder) == 0) return TAIN_OK;
    TAIN_AUTO(tain_store_close) tain_store *store = tain_store_sub(tain_lake_store(s->mirror->lake), folder);
    TAIN_AUTO(tain_delta_close) tain_delta *d = NULL;
    if (tain_delta_open(store, &d, NULL) != TAIN_OK || tain_delta_txn(d, s->mirror->app_id) < 0) return TAIN_OK;
    if (identity_in(d)) note_stray(s, folder, identity_in(d));
    return TAIN_OK;
}

static stray *stray_of(strays *s, const char *identity)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].identity, identity) == 0) return &s->list[i];
    return NULL;
}

static stray *stray_at(strays *s, const char *folder)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].folder, folder) == 0) return &s->list[i];
    return NULL;
}

static bool is_known(const tain_mirror *m, const char *identity)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (strcmp(m->tables[i]->source->identity, identity) == 0) return true;
    return false;
}

static tain_status clear_place(strays *s, tain_table *t, tain_error *err)
{
    stray *o = stray_at(s, t->folder);
    if (!o) return TAIN_OK;
    if (!is_known(s->mirror, o->identity)) return tain_store_remove_all(tain_lake_store(s->mirror->lake), t->folder, err);
    char *aside = tain_lake_aside_folder(t->folder, o->identity);
    tain_status st = rename_folder(s->mirror, o->folder, aside, err);
    free(o->folder);
    o->folder = aside;
    return st;
}

static tain_status bring_home(strays *s, tain_table *t, tain_error *err)
{
    stray *mine = stray_of(s, t->source->identity);
    if (!mine) return TAIN_OK;
    TAIN_TRY(clear_place(s, t, err));
    if (!tain_lake_is_aside(mine->folder)) tain_mirror_say(s->mirror, "%s was renamed; its folder moves from %s to %s", t->name, mine->folder, t->folder);
    TAIN_TRY(rename_folder(s->mirror, mine->folder, t->folder, err));
    free(mine->folder);
    mine->folder = tain_strdup("");
    return TAIN_OK;
}

static tain_status bring_all(strays *s, tain_table **away, size_t n, tain_error *err)
{
    if (n) TAIN_TRY(tain_lake_each_table(s->mirror->lake, look_at_folder, s, err));
    for (size_t i = 0; i < n; i++) TAIN_TRY(bring_home(s, away[i], err));
    return TAIN_OK;
}

tain_status tain_move_home(tain_mirror *m, tain_error *err)
{
    strays s = {.mirror = m};
    tain_table **away = tain_alloc((m->table_count + 1) * sizeof *away);
    size_t n = 0;
    for (size_t i = 0; i < m->table_count; i++)
        if (!is_at_home(&s, m->tables[i])) away[n++] = m->tables[i];
    tain_status st = bring_all(&s, away, n, err);
    for (size_t i = 0; i < s.count; i++) {
        free(s.list[i].folder);
        free(s.list[i].identity);
    }
    free(s.list);
    free(away);
    return st;
}
