/* SPDX-License-Identifier: MIT */
#include "mirror/history/history.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/text.h"
#include "lake/kept.h"
#include "lake/naming.h"
#include "maintain/retention.h"

enum { CONFLICTS_MOST = 5 };

char *tain_history_folder(const char *folder)
{
    return tain_format("%s" TAIN_HISTORY_SUFFIX, folder);
}

char *tain_history_app_id(const char *of_mirror)
{
    return tain_format("%s/history", of_mirror);
}

/* --- what is pending ----------------------------------------------------------------------------------------------- */

void tain_history_keep(tain_table *t, tain_delta_file *f)
{
    tain_history *h = t->history;
    if (!f) return;
    h->adds = tain_realloc(h->adds, (h->add_count + 1) * sizeof(tain_delta_file *));
    h->adds[h->add_count++] = f;
}

static void drop_files(tain_history *h, size_t since)
{
    while (h->add_count > since) tain_delta_file_free(h->adds[--h->add_count]);
}

static void forget_shape(tain_history *h)
{
    tain_schema_free(h->seen);
    tain_schema_free(h->shown);
    tain_schema_free(h->columns);
    json_decref(h->shapes);
    h->seen = h->shown = h->columns = NULL;
    h->shapes = NULL;
}

void tain_history_forget(tain_table *t)
{
    tain_history *h = t->history;
    if (!h) return;
    drop_files(h, 0);
    forget_shape(h);
    h->anew = false;
}

/* --- the shape ----------------------------------------------------------------------------------------------------- */

static bool is_own(const tain_field *f)
{
    return tain_schema_find(tain_history_own(), f->name) >= 0;
}

/* The source's columns, whatever data files of the table call them. */
static tain_schema *plain_columns(const tain_table *t)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < t->schema->count; i++) {
        tain_field f = t->schema->fields[i];
        f.physical = f.name;
        f.id = 0;
        f.nullable = true;
        tain_schema_append(s, &f);
    }
    return s;
}

/* A column of another type is another column: what versions had in it stays. */
static void leave_changed(tain_schema *existing, const tain_schema *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        int at = tain_naming_match(existing, &columns->fields[i]);
        tain_field *f = at >= 0 ? &existing->fields[at] : NULL;
        if (!f || tain_type_equal(&f->type, &columns->fields[i].type)) continue;
        f->kept = f->name;
        f->source_id = 0;
    }
}

static tain_schema *without_own(const tain_schema *s)
{
    tain_schema *rest = tain_schema_new();
    for (size_t i = 0; i < s->count; i++)
        if (!is_own(&s->fields[i])) tain_schema_append(rest, &s->fields[i]);
    return rest;
}

static void append_own(tain_schema *s)
{
    for (size_t i = 0; i < TAIN_HISTORY_COLUMNS; i++) tain_schema_append(s, &tain_history_own()->fields[i]);
}

/* Columns that are gone stay behind the others, under the rules of tables that keep them. */
static tain_schema *show(const tain_history *h, tain_schema *columns, tain_schema *existing)
{
    json_t *keeps = json_pack("{s:s}", "dropped_column", "keep");
    TAIN_AUTO(tain_schema_free) tain_schema *rest = existing ? without_own(existing) : NULL;
    tain_schema *shown = tain_kept_show(columns, rest, keeps, h->name);
    json_decref(keeps);
    append_own(shown);
    tain_naming_evolve(shown, existing, tain_naming_highest(existing));
    return shown;
}

static tain_schema *existing_of(const tain_history *h)
{
    if (h->shown) return tain_schema_copy(h->shown);
    return h->delta ? tain_schema_copy(tain_delta_meta(h->delta)->schema) : NULL;
}

/* What is written from now on: the source's columns, which are the first, and ours. */
static tain_schema *file_columns(const tain_schema *shown, size_t count)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < shown->count; i++)
        if (i < count || is_own(&shown->fields[i])) tain_schema_append(s, &shown->fields[i]);
    return s;
}

static json_t *shapes_of(const tain_history *h)
{
    const char *text = h->delta ? tain_json_get_str(tain_delta_meta(h->delta)->configuration, TAIN_HISTORY_SHAPES, "[]") : "[]";
    json_t *list = json_loads(text, 0, NULL);
    return json_is_array(list) ? list : json_array();
}

static json_t *describe_columns(const tain_history *h)
{
    json_t *list = json_array();
    for (size_t i = 0; i < h->table->schema->count; i++)
        json_array_append_new(list, json_pack("[s,s]", h->columns->fields[i].name, h->columns->fields[i].physical));
    return list;
}

static json_t *describe_key(const tain_history *h)
{
    json_t *list = json_array();
    const tain_table *t = h->table;
    for (size_t i = 0; !t->multiset && i < t->key.count; i++) json_array_append_new(list, json_string(h->columns->fields[t->key_columns[i]].physical));
    return list;
}

static void note_shape(tain_history *h, const tain_stamp *of)
{
    json_t *columns = describe_columns(h), *key = describe_key(h);
    if (!h->shapes) h->shapes = shapes_of(h);
    const json_t *last = json_array_get(h->shapes, json_array_size(h->shapes) - 1);
    bool same = last && json_equal(json_object_get(last, "columns"), columns) && json_equal(json_object_get(last, "key"), key);
    if (!same) json_array_append_new(h->shapes, json_pack("{s:s,s:I,s:O,s:O}", "at", of->at.text, "time", (json_int_t)of->time, "columns", columns, "key", key));
    json_decref(columns);
    json_decref(key);
}

static bool is_seen(const tain_history *h)
{
    const tain_table *t = h->table;
    if (!h->seen || !tain_naming_same(h->seen, t->schema)) return false;
    return h->seen_key_count == t->key.count && memcmp(h->seen_key, t->key_columns, t->key.count * sizeof *h->seen_key) == 0;
}

void tain_history_take_shape(tain_history *h, const tain_stamp *of)
{
    const tain_table *t = h->table;
    if (is_seen(h)) return;
    TAIN_AUTO(tain_schema_free) tain_schema *existing = existing_of(h), *columns = plain_columns(t);
    if (existing) leave_changed(existing, columns);
    tain_schema *shown = show(h, columns, existing);
    tain_schema_free(h->shown);
    tain_schema_free(h->columns);
    tain_schema_free(h->seen);
    h->shown = shown;
    h->columns = file_columns(shown, columns->count);
    h->seen = tain_schema_copy(t->schema);
    h->seen_key = tain_realloc(h->seen_key, (t->key.count + 1) * sizeof *h->seen_key);
    memcpy(h->seen_key, t->key_columns, t->key.count * sizeof *h->seen_key);
    h->seen_key_count = t->key.count;
    note_shape(h, of);
}

void tain_history_begin_anew(tain_table *t)
{
    if (t->history) t->history->anew = true;
}

static tain_status read_anew(tain_history *h, const tain_stamp *of, tain_error *err)
{
    size_t before = h->add_count;
    tain_status st = tain_history_content(h, of, err);
    if (st != TAIN_OK) drop_files(h, before);
    else h->anew = false;
    return st;
}

tain_status tain_history_reshape(tain_table *t, tain_error *err)
{
    tain_history *h = t->history;
    if (!h || h->stale || t->replay || !t->stamps || !t->stamps->size) return TAIN_OK;
    const tain_stamp *of = (const tain_stamp *)t->stamps->data;
    bool known = tain_position_compare(&of->at, &h->have) <= 0;
    if (!known) tain_history_take_shape(h, of);
    if (!known && h->anew) return read_anew(h, of, err);
    h->anew = false;
    return TAIN_OK;
}

/* --- committing ---------------------------------------------------------------------------------------------------- */

static void set_if_other(json_t *o, const tain_history *h, const char *key, const char *value)
{
    const char *have = h->delta ? tain_json_get_str(tain_delta_meta(h->delta)->configuration, key, NULL) : NULL;
    if (value && (!have || strcmp(have, value) != 0)) json_object_set_new(o, key, json_string(value));
}

static void set_retention(json_t *o, const tain_history *h)
{
    json_t *files = tain_retention_properties(h->delta ? tain_delta_meta(h->delta)->configuration : NULL, h->table->retention);
    if (files) json_object_update(o, files);
    json_decref(files);
    set_if_other(o, h, TAIN_HISTORY_APPENDS, h->retention < 0 ? "true" : "false"); /* nothing may be taken from what is append-only */
}

static json_t *object_or_none(json_t *o)
{
    if (json_object_size(o)) return o;
    json_decref(o);
    return NULL;
}

json_t *tain_history_retention(const tain_history *h)
{
    json_t *o = json_object();
    set_retention(o, h);
    return object_or_none(o);
}

/* NULL: as it is. */
static json_t *configuration_of(const tain_history *h)
{
    json_t *o = json_object();
    char *shapes = h->shapes ? json_dumps(h->shapes, JSON_COMPACT) : NULL;
    set_retention(o, h);
    if (!h->delta) json_object_set_new(o, TAIN_DELTA_VECTORS_KEY, json_string("false"));
    set_if_other(o, h, TAIN_HISTORY_OF, h->table->source ? h->table->source->identity : NULL);
    set_if_other(o, h, TAIN_HISTORY_SHAPES, shapes);
    free(shapes);
    return object_or_none(o);
}

static tain_status write_commit(tain_history *h, const tain_position *at, int64_t epoch, tain_error *err)
{
    json_t *info = json_pack("{s:{s:s,s:I}}", "tain", "position", at->text, "epoch", (json_int_t)epoch), *configuration = configuration_of(h);
    bool same = h->delta && (!h->shown || tain_naming_same(tain_delta_meta(h->delta)->schema, h->shown));
    tain_delta_commit c = {
        .operation = h->delta ? "WRITE" : "CREATE TABLE", .info = info, .app_id = h->app_id, .app_version = epoch, .name = h->name,
        .schema = same ? NULL : h->shown, .configuration = configuration, .adds = h->adds, .add_count = h->add_count, .data_change = true,
    };
    tain_status st = h->delta ? tain_delta_commit_write(h->delta, &c, err) : tain_delta_create(h->store, &c, &h->delta, err);
    json_decref(info);
    json_decref(configuration);
    return st;
}

static tain_status open_again(tain_history *h, tain_error *err)
{
    tain_delta *now = NULL;
    tain_status st = tain_delta_open(h->store, &now, err);
    if (st == TAIN_E_NOT_FOUND) return tain_fail(err, TAIN_E_CORRUPT, "its history's folder %s is not there any more", h->folder);
    TAIN_TRY(st);
    if (tain_delta_txn(now, h->app_id) != tain_delta_txn(h->delta, h->app_id)) {
        tain_delta_close(now);
        return tain_fail(err, TAIN_E_CORRUPT, "its history's folder %s was put back to an older state", h->folder);
    }
    tain_delta_close(h->delta);
    h->delta = now;
    return TAIN_OK;
}

/* A folder that was removed underneath would come back with a log that has no beginning. */
static tain_status look_at_log(tain_history *h, tain_error *err)
{
    tain_status st = h->delta ? tain_delta_look(h->delta, err) : TAIN_OK;
    return st == TAIN_E_NOT_FOUND ? open_again(h, err) : st;
}

static tain_status commit(tain_history *h, const tain_position *at, int64_t epoch, tain_error *err)
{
    tain_history_take_shape(h, &(tain_stamp){.at = *at});
    for (int tries = 1;; tries++) {
        TAIN_TRY(look_at_log(h, err));
        tain_status st = write_commit(h, at, epoch, err);
        if (st == TAIN_E_GONE) TAIN_TRY(open_again(h, err));
        else if (st != TAIN_E_CONFLICT || tries == CONFLICTS_MOST) return st;
    }
}

static tain_status settle(tain_history *h, const tain_position *at, int64_t epoch, tain_error *err)
{
    TAIN_TRY_IN(err, commit(h, at, epoch, err), "%s", h->name);
    tain_fault(TAIN_FAULT_HISTORY_COMMITTED);
    free(h->adds);
    h->adds = NULL;
    h->add_count = 0;
    h->have = *at;
    return TAIN_OK;
}

tain_status tain_history_commit(tain_table *t, const tain_position *at, int64_t epoch, tain_error *err)
{
    tain_history *h = t->history;
    if (!h) return TAIN_OK;
    h->stale |= t->replay != NULL; /* what was read at several positions enters once it is of one */
    return h->stale ? TAIN_OK : settle(h, tain_position_compare(at, &h->have) > 0 ? at : &h->have, epoch, err);
}

tain_status tain_history_enter(tain_table *t, const tain_position *at, tain_time time, int64_t epoch, tain_error *err)
{
    tain_history *h = t->history;
    if (!h || !h->stale) return TAIN_OK;
    const tain_stamp of = {.at = *at, .time = time ? time : tain_now()};
    tain_history_forget(t);
    h->entering = epoch;
    tain_status st = tain_history_content(h, &of, err);
    h->entering = 0;
    if (st == TAIN_OK) st = settle(h, at, epoch, err);
    if (st != TAIN_OK) tain_history_forget(t);
    h->stale = h->owed = st != TAIN_OK;
    return st;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* Where its newest commit came to; "": the log does not tell any more. */
static tain_status read_position(tain_history *h, tain_position *ret, tain_error *err)
{
    json_t *newest;
    TAIN_TRY(tain_table_newest_progress(h->delta, &newest, NULL, NULL, err));
    snprintf(ret->text, sizeof ret->text, "%s", tain_json_get_str(newest, "position", ""));
    json_decref(newest);
    return TAIN_OK;
}

static tain_status find_delta(tain_mirror *m, tain_history *h, tain_error *err)
{
    tain_status st = tain_delta_open(h->store, &h->delta, err);
    if (st == TAIN_E_NOT_FOUND) return TAIN_OK;
    TAIN_TRY(st);
    int64_t version = tain_delta_txn(h->delta, h->app_id);
    if (version >= m->next_epoch) m->next_epoch = version + 1;
    if (version >= 0) return TAIN_OK;
    st = tain_fail(err, TAIN_E_INVALID, "folder %s, where its history belongs, holds something else", h->folder);
    tain_error_remedy(err, "move that folder away, or mirror with --no-history");
    return st;
}

/* Whether it has what the table has. */
static tain_status compare_with_table(tain_history *h, tain_error *err)
{
    const tain_table *t = h->table;
    tain_position at;
    h->stale = true;
    h->have = (tain_position){0};
    if (!h->delta || !t->delta) return TAIN_OK;
    int64_t ours = tain_delta_txn(h->delta, h->app_id), theirs = tain_delta_txn(t->delta, t->app_id);
    if (ours < theirs) return TAIN_OK;
    TAIN_TRY(read_position(h, &at, err));
    h->have = at.text[0] ? at : t->have;
    h->stale = !at.text[0] && ours > theirs;
    return TAIN_OK;
}

void tain_history_lag(tain_table *t)
{
    tain_history *h = t->history;
    if (!h) return;
    h->stale |= !h->delta || tain_delta_txn(h->delta, h->app_id) != tain_delta_txn(t->delta, t->app_id);
    h->have = (tain_position){0};
}

static bool is_taken(const tain_mirror *m, const char *folder)
{
    for (size_t i = 0; i < m->table_count; i++)
        if (strcmp(m->tables[i]->folder, folder) == 0 && !m->tables[i]->replaced) return true;
    return false;
}

static void leave_house(tain_history *h)
{
    tain_delta_close(h->delta);
    tain_store_close(h->store);
    free(h->folder);
    free(h->name);
    h->delta = NULL;
}

static void move_in(tain_mirror *m, tain_history *h)
{
    h->folder = tain_history_folder(h->table->folder);
    h->name = tain_format("%s" TAIN_HISTORY_SUFFIX, h->table->name);
    h->store = tain_store_sub(tain_lake_store(m->lake), h->folder);
}

static tain_history *make(tain_mirror *m, tain_table *t)
{
    tain_history *h = tain_alloc(sizeof *h);
    *h = (tain_history){.table = t, .epochs = &m->next_epoch, .retention = tain_definition_history_retention(m->definition),
                        .app_id = tain_history_app_id(t->app_id)};
    move_in(m, h);
    return h;
}

tain_status tain_history_house(tain_mirror *m, tain_history *h, tain_error *err)
{
    bool had = h->delta != NULL;
    leave_house(h);
    move_in(m, h);
    return had ? tain_delta_open(h->store, &h->delta, err) : TAIN_OK;
}

tain_status tain_history_open(tain_mirror *m, tain_table *t, tain_error *err)
{
    if (!m->definition->history.on || t->history) return TAIN_OK;
    TAIN_AUTO(tain_free) char *folder = tain_history_folder(t->folder);
    if (is_taken(m, folder)) {
        tain_table_warn(t, "history_name_taken", NULL, 1);
        return TAIN_OK;
    }
    t->history = make(m, t);
    tain_status st = find_delta(m, t->history, err);
    if (st == TAIN_OK) st = compare_with_table(t->history, err);
    if (st != TAIN_OK) tain_history_close(t);
    return st;
}

tain_status tain_history_await(tain_mirror *m, tain_table *t, tain_error *err)
{
    TAIN_TRY(tain_history_open(m, t, err));
    if (t->history) t->history->stale = true;
    if (t->history) t->history->owed = false;
    return TAIN_OK;
}

void tain_history_close(tain_table *t)
{
    tain_history *h = t->history;
    if (!h) return;
    tain_history_forget(t);
    t->history = NULL;
    leave_house(h);
    free(h->adds);
    free(h->seen_key);
    free(h->app_id);
    free(h);
}

/* --- at start ------------------------------------------------------------------------------------------------------ */

static bool has_content(const tain_table *t)
{
    return t->history && t->history->stale && t->delta && t->status == TAIN_TABLE_REPLICATING && !t->needs_load && !t->unindexed && !t->pending.dirty;
}

tain_status tain_history_enter_all(tain_mirror *m, tain_error *err)
{
    for (size_t i = 0; i < m->table_count && !atomic_load(&m->stop); i++) {
        tain_table *t = m->tables[i];
        if (!has_content(t)) continue;
        tain_mirror_say(m, "%s: its present content enters its history", t->name);
        tain_status st = tain_history_enter(t, &t->have, 0, m->next_epoch++, err);
        if (st != TAIN_OK && !tain_status_is_local(st)) return st;
        if (st != TAIN_OK) tain_mirror_fail_table(m, t, err);
    }
    return TAIN_OK;
}
