/* SPDX-License-Identifier: MIT */
#include "mirror/opening.h"

#include <stdlib.h>

#include "base/text.h"
#include "maintain/presence.h"
#include "mirror/history/history.h"
#include "mirror/records.h"
#include "mirror/recover.h"
#include "mirror/shape/move.h"
#include "mirror/status.h"

static const tain_finding *worst(const tain_source_table *s)
{
    for (size_t i = 0; i < s->finding_count; i++)
        if (s->findings[i].level == s->verdict) return &s->findings[i];
    return NULL;
}

/* A table that cannot be mirrored is shown, stopped, with the reason: it enters by itself once it can. */
static void refuse(tain_mirror *m, tain_table *t)
{
    const tain_finding *f = worst(t->source);
    tain_delta_close(t->delta);
    t->delta = NULL;
    tain_table_set_status(t, TAIN_TABLE_STOPPED, f ? f->message : "not mirrored", f ? f->remedy : NULL);
    tain_mirror_say(m, "%s is not mirrored: %s%s%s", t->name, f ? f->message : "", f && f->remedy ? "; " : "", f && f->remedy ? f->remedy : "");
}

/* A table that the last record passed by lacks what came before it: one that was left out or stopped while it was being
 * loaded is loaded again, one that failed stays so until it is asked for. */
static void take_mark(tain_mirror *m, tain_table *t, const json_t *mark)
{
    const char *status = tain_json_get_str(mark, "status", "");
    if (strcmp(status, tain_table_status_name(TAIN_TABLE_REPLICATING)) == 0) return; /* it was ahead */
    if (strcmp(status, tain_table_status_name(TAIN_TABLE_FAILED)) == 0 && !t->load_reason) {
        tain_table_set_failed(t, TAIN_E_GONE, tain_json_get_str(mark, "reason", ""), tain_json_get_str(mark, "remedy", ""));
        tain_mirror_say(m, "%s still lacks what came since it failed: %s (%s)", t->name, t->reason, t->remedy);
    } else if (!t->load_reason) {
        t->load_reason = tain_strdup("it was not followed for a while");
    }
}

/* A table that had content and has no folder any more was not forgotten by us: it is not loaded again without a word. */
static void miss_table(tain_mirror *m, tain_table *t, const json_t *stored)
{
    tain_error e;
    t->needs_load = !tain_status_had_content(stored, t->name, t->source->identity);
    if (t->needs_load) return;
    (void)tain_fail(&e, TAIN_E_CORRUPT, "its folder %s is not in the lake any more", t->folder);
    tain_mirror_fail_table(m, t, &e);
}

/* It may have been called otherwise then. */
static const json_t *mark_of(const json_t *apart, const tain_table *t)
{
    const char *name;
    json_t *mark;
    json_object_foreach((json_t *)apart, name, mark)
    {
        const char *identity = tain_json_get_str(mark, "identity", NULL);
        if (identity ? strcmp(identity, t->source->identity) == 0 : strcmp(name, t->name) == 0) return mark;
    }
    return NULL;
}

static void open_table(tain_mirror *m, tain_table *t, const tain_epoch *last, const json_t *apart, const json_t *stored)
{
    bool found = false;
    tain_error e = {0};
    if (tain_table_open(t, m->source, &last->position, last->number, &found, &e) != TAIN_OK) {
        tain_mirror_fail_table(m, t, &e);
        tain_delta_close(t->delta);
        t->delta = NULL;
        return;
    }
    if (!found) return miss_table(m, t, stored);
    int64_t version = tain_delta_txn(t->delta, m->app_id);
    if (version >= m->next_epoch) m->next_epoch = version + 1;
    if (tain_history_open(m, t, &e) != TAIN_OK) return tain_mirror_fail_table(m, t, &e);
    if (!t->load_reason && tain_presence_check(t->delta, t->store, &e) != TAIN_OK) return tain_mirror_fail_table(m, t, &e);
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
    /* One whose commit was not followed by a record is announced by the next. */
    t->behind = tain_position_compare(&t->have, &last->position) < 0; /* loaded while the others went on */
    t->announced = version <= last->number && tain_position_compare(&t->have, &last->position) <= 0;
    const json_t *mark = mark_of(apart, t);
    if (version > last->number) {
        if (tain_position_compare(&t->have, &m->whole) > 0) m->whole = t->have;
    } else if (mark) {
        take_mark(m, t, mark);
    }
    if (t->load_reason && !t->paused) tain_mirror_load_again(m, t, t->load_reason);
}

static tain_status remove_folder(tain_mirror *m, const char *schema, const char *name, const char *folder, tain_error *err)
{
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(schema, name);
    TAIN_TRY(tain_store_remove_all(tain_lake_store(m->lake), folder, err));
    if (!tain_lake_is_aside(folder)) tain_records_removed(m->records, full);
    return TAIN_OK;
}

/* A mirrored table that the source has no more, or that is not selected now: shown, not touched. */
static tain_status add_left_behind(void *ctx, const char *schema, const char *name, const char *folder, tain_error *err)
{
    tain_mirror *m = ctx;
    char *full = tain_source_full_name(schema, name);
    bool known = tain_mirror_find(m, full) != NULL;
    free(full);
    if (known) return TAIN_OK;
    bool aside = tain_lake_is_aside(folder);
    if (!aside && tain_table_is_of_others(tain_lake_store(m->lake), folder, m->app_id)) return TAIN_OK;
    tain_source_options so = tain_definition_source_options(m->definition, NULL);
    bool selected = tain_source_selects(&so, schema, name);
    if (aside || (selected && m->definition->drop_removes)) return remove_folder(m, schema, name, folder, err);
    tain_source_table *gone = tain_source_table_new(schema, name, "");
    gone->columns = tain_schema_new();
    tain_table *t = tain_mirror_add(m, gone);
    t->left_behind = true;
    tain_table_set_status(t, TAIN_TABLE_STOPPED, selected ? "the source has no such table any more" : "the table is not selected",
                          selected ? "remove its folder if you do not need it, or use --on-drop delete" : "select it with --tables");
    return TAIN_OK;
}

tain_status tain_opening_tables(tain_mirror *m, const tain_catalog *catalog, tain_error *err)
{
    tain_epoch last;
    json_t *apart;
    TAIN_TRY(tain_lake_last_epoch(m->lake, &last, err));
    TAIN_TRY(tain_lake_apart(m->lake, last.number, &apart, err));
    json_t *stored = tain_status_stored(m->lake);
    tain_recover_last(m, stored, &last, &apart);
    m->position = last.position;
    m->epoch = last.number;
    m->source_time = last.source_time;
    m->next_epoch = last.number + 1;
    for (size_t i = 0; i < catalog->count; i++) tain_mirror_add(m, catalog->tables[i]);
    TAIN_TRY(tain_move_home(m, err));
    TAIN_TRY(tain_history_bring_home(m, err));
    for (size_t i = 0; i < catalog->count; i++) {
        tain_table *t = catalog->tables[i]->user;
        if (catalog->tables[i]->verdict == TAIN_VERDICT_ERROR) {
            refuse(m, t);
        } else {
            open_table(m, t, &last, apart, stored);
            if (t->paused && t->status != TAIN_TABLE_FAILED) tain_mirror_rest(t);
        }
    }
    json_decref(apart);
    tain_status st = tain_lake_each_table(m->lake, add_left_behind, m, err);
    tain_status_restore(m, stored);
    json_decref(stored);
    return st;
}
