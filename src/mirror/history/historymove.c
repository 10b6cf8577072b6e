/* SPDX-License-Identifier: MIT */
/* A history goes where its table goes, and is known by the table's identity. Several go at once: first all leave their places, then each
 * takes its own, so that they may exchange them. One that is in the way and is nobody's stays beside that place. */
#include <stdlib.h>

#include "base/fault.h"
#include "base/text.h"
#include "mirror/history/history.h"
#include "mirror/upkeep.h"

typedef struct mover { tain_table *table; char *from, *to; } mover;
typedef struct movers { tain_mirror *mirror; mover *list; size_t count; } movers;

static void add(movers *v, tain_table *t, const char *from, char *to)
{
    if (strcmp(from, to) == 0) {
        free(to);
        return;
    }
    v->list = tain_realloc(v->list, (v->count + 1) * sizeof *v->list);
    v->list[v->count++] = (mover){.table = t, .from = tain_strdup(from), .to = to};
}

static void movers_done(movers *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->list[i].from);
        free(v->list[i].to);
    }
    free(v->list);
}

/* One that is not there was moved before. */
static tain_status rename_folder(const movers *v, const char *from, const char *to, tain_error *err)
{
    tain_error e;
    tain_status st = tain_store_rename(tain_lake_store(v->mirror->lake), from, to, &e);
    if (st == TAIN_OK || st == TAIN_E_UNKNOWN || st == TAIN_E_NOT_FOUND) return TAIN_OK;
    if (err) *err = e;
    return st;
}

static tain_status leave(const movers *v, mover *m, tain_error *err)
{
    char *aside = tain_lake_aside_folder(m->from, m->table->source->identity), *own = tain_history_folder(aside);
    free(aside);
    tain_status st = strcmp(m->from, own) == 0 ? TAIN_OK : rename_folder(v, m->from, own, err); /* it may have left before */
    free(m->from);
    m->from = own;
    return st;
}

/* Whose it is, in what the mirror knows or knew. Caller frees; NULL: there is no history. */
static char *identity_in(const tain_mirror *m, const char *folder)
{
    TAIN_AUTO(tain_store_close) tain_store *store = tain_store_sub(tain_lake_store(m->lake), folder);
    TAIN_AUTO(tain_delta_close) tain_delta *d = NULL;
    if (tain_delta_open(store, &d, NULL) != TAIN_OK) return NULL;
    TAIN_AUTO(tain_free) char *app_id = tain_history_app_id(m->app_id);
    return tain_delta_txn(d, app_id) >= 0 ? tain_strdup(tain_json_get_str(tain_delta_meta(d)->configuration, TAIN_HISTORY_OF, "")) : NULL;
}

static tain_status clear_place(const movers *v, const char *place, tain_error *err)
{
    TAIN_AUTO(tain_free) char *whose = identity_in(v->mirror, place);
    if (!whose) return TAIN_OK;
    TAIN_AUTO(tain_free) char *suffix = tain_folder_from_name(whose), *beside = tain_format("%s_%s", place, suffix);
    return rename_folder(v, place, beside, err);
}

static tain_status move_all(const movers *v, tain_error *err)
{
    for (size_t i = 0; i < v->count && v->count > 1; i++) TAIN_TRY(leave(v, &v->list[i], err));
    if (v->count) tain_fault(TAIN_FAULT_HISTORY_LEFT);
    for (size_t i = 0; i < v->count; i++) {
        TAIN_TRY(clear_place(v, v->list[i].to, err));
        TAIN_TRY(rename_folder(v, v->list[i].from, v->list[i].to, err));
    }
    return TAIN_OK;
}

/* --- while following ----------------------------------------------------------------------------------------------- */

static void gather(movers *v)
{
    tain_mirror *m = v->mirror;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->history && !t->loading && !t->replaced && !t->aside) add(v, t, t->history->folder, tain_history_folder(t->folder));
    }
}

tain_status tain_history_move(tain_mirror *m, tain_error *err)
{
    movers v = {.mirror = m};
    gather(&v);
    for (size_t i = 0; i < v.count; i++) tain_upkeep_forget(m, v.list[i].table);
    tain_status st = move_all(&v, err);
    for (size_t i = 0; st == TAIN_OK && i < v.count; i++) st = tain_history_house(m, v.list[i].table->history, err);
    movers_done(&v);
    return st;
}

/* --- at start ------------------------------------------------------------------------------------------------------ */

static tain_table *table_of(const tain_mirror *m, const char *identity)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (*identity && strcmp(m->tables[i]->source->identity, identity) == 0) return m->tables[i];
    return NULL;
}

static tain_status look_at(void *ctx, const char *schema, const char *name, const char *folder, tain_error *err)
{
    movers *v = ctx;
    size_t n = strlen(folder), suffix = strlen(TAIN_HISTORY_SUFFIX);
    if (n < suffix || strcmp(folder + n - suffix, TAIN_HISTORY_SUFFIX) != 0) return TAIN_OK;
    TAIN_AUTO(tain_free) char *identity = identity_in(v->mirror, folder);
    tain_table *t = identity ? table_of(v->mirror, identity) : NULL;
    if (t) add(v, t, folder, tain_history_folder(t->folder));
    return TAIN_OK;
}

tain_status tain_history_bring_home(tain_mirror *m, tain_error *err)
{
    movers v = {.mirror = m};
    if (!m->definition->history.on) return TAIN_OK;
    tain_status st = tain_lake_each_table(m->lake, look_at, &v, err);
    if (st == TAIN_OK) st = move_all(&v, err);
    movers_done(&v);
    return st;
}
