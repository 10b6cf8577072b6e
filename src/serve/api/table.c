/* SPDX-License-Identifier: MIT */
/* table.c -- one table of a mirror: what it is made of; pause, resume, load again */
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "control/execution.h"
#include "lake/lake.h"
#include "serve/api/item.h"
#include "serve/api/report.h"
#include "serve/api/run.h"
#include "source/source.h"

/* A path names schema and table as their folders are named (a slash is "$2f"), so that every name has one. */
typedef struct table_name {
    char *schema, *table, *full;
} table_name;

static table_name name_in(const tain_call *c)
{
    table_name n = {.schema = tain_name_from_folder(c->argument[2]), .table = tain_name_from_folder(c->argument[3])};
    n.full = tain_source_full_name(n.schema, n.table);
    return n;
}

static void table_name_done_scope(table_name *n)
{
    tain_free(n->schema);
    tain_free(n->table);
    tain_free(n->full);
}

/* --- what it is --------------------------------------------------------------------------------------------------------- */

/* What `tain table describe` tells: a log may be long, and written by anybody. A table that cannot be read tells nothing. */
static tain_status look_into(tain_call *c, const char *folder, tain_error *err)
{
    const char *argv[] = {"table", "describe", "--json", "--", folder, NULL};
    tain_run    r = {.argv = argv, .patience = 20 * TAIN_SECOND, .most = 16 << 20, .request = c->request};
    json_t     *told = NULL;
    int         code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, errors = {0};
    TAIN_TRY(tain_run_command(&r, &out, &errors, &code, err));
    if (code) return TAIN_OK;
    TAIN_TRY(tain_json_parse(out.data, out.size, "what is told of the table", &told, err));
    json_object_update(c->out, told);
    json_decref(told);
    return TAIN_OK;
}

/* What a record says, or what its kind means. */
static const char *change_of(const tain_control_execution *e)
{
    return e->error ? e->error : strcmp(e->operation, "AddTable") == 0 ? "The table was added" : "Its columns were taken over from the source";
}

/* The newest hundred times that its columns, or it, were made or changed. */
static tain_status changes_of(tain_call *c, const char *schema, const char *table, json_t *rows, const char *operation, tain_error *err)
{
    tain_control_executions             all;
    const tain_control_execution_filter filter = {.item = c->argument[1], .schema = schema, .table = table, .operation = operation};
    TAIN_TRY(tain_control_execution_list(c->api->control, &filter, (tain_control_page){.most = 100}, &all, err));
    for (size_t i = 0; i < all.count; i++)
        json_array_append_new(rows, json_pack("{s:o,s:s,s:o}", "dateTime", tain_call_time(all.rows[i].time), "operation", operation, "change",
                                              json_string(change_of(&all.rows[i]))));
    tain_control_executions_done(&all);
    return TAIN_OK;
}

static tain_status describe(tain_call *c, const tain_mirror_report *r, const table_name *n, tain_error *err)
{
    const json_t *row;
    TAIN_TRY(tain_report_table(c, r->worker, n->full, &row, err));
    if (!row) return tain_call_fail(c, "TableNotFound", TAIN_E_NOT_FOUND, err, "the mirror did not run yet, and has no tables");
    TAIN_AUTO(tain_free) char *key = tain_lake_table_folder(n->schema, n->table), *folder = tain_format("%s/%s", r->lake, key);
    json_t *history = json_array();
    c->out = json_copy((json_t *)row);
    json_object_set_new(c->out, "schema", json_string(n->schema));
    json_object_set_new(c->out, "table", json_string(n->table));
    json_object_set_new(c->out, "folder", json_string(folder));
    json_object_set_new(c->out, "columns", json_array());
    json_object_set_new(c->out, "schemaHistory", history);
    TAIN_TRY(look_into(c, folder, err));
    TAIN_TRY(changes_of(c, n->schema, n->table, history, "ReplicatingSchema", err));
    return changes_of(c, n->schema, n->table, history, "AddTable", err);
}

static tain_status get(tain_call *c, tain_error *err)
{
    tain_mirror_report r;
    TAIN_AUTO(table_name_done) table_name n = name_in(c);
    TAIN_TRY(tain_report_read(c, &r, err));
    tain_status st = describe(c, &r, &n, err);
    tain_mirror_report_done(&r);
    return st;
}

/* --- pause and resume: what of it is in the definition, so that it goes where that goes ----------------------------------- */

static json_t *member(json_t *of, const char *name, json_t *otherwise)
{
    json_t *v = json_object_get(of, name);
    if (v) json_decref(otherwise);
    else json_object_set_new(of, name, v = otherwise);
    return v;
}

/* properties.tain.paused, made where it is not there. NULL: there is something else. */
static json_t *paused_of(json_t *definition)
{
    json_t *tain = member(json_object_get(definition, "properties"), "tain", json_object());
    json_t *paused = json_is_object(tain) ? member(tain, "paused", json_array()) : NULL;
    return json_is_array(paused) ? paused : NULL;
}

static size_t find(const json_t *list, const char *name)
{
    const json_t *one;
    size_t        i;
    json_array_foreach(list, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), name) == 0) break;
    }
    return i;
}

/* One that the mirror does not know can be taken from the list only. A mirror that never ran knows none, and takes any. */
static tain_status edit(tain_call *c, json_t *paused, const char *name, bool pause, bool *ret_changed, tain_error *err)
{
    tain_mirror_report r;
    const json_t      *row;
    size_t             at = find(paused, name);
    bool               is_paused = at < json_array_size(paused);
    *ret_changed = pause != is_paused;
    if (is_paused && !pause) json_array_remove(paused, at);
    if (is_paused) return TAIN_OK;
    if (pause) json_array_append_new(paused, json_string(name));
    TAIN_TRY(tain_report_read(c, &r, err));
    tain_status st = tain_report_table(c, r.worker, name, &row, err);
    tain_mirror_report_done(&r);
    return st;
}

static tain_status store(tain_call *c, const json_t *definition, tain_slice before, tain_error *err)
{
    char                    *text = json_dumps(definition, JSON_INDENT(2));
    tain_control_item_change to = {.definition = {(const uint8_t *)text, strlen(text)}, .if_definition = before};
    tain_status              st = tain_control_item_change_some(c->api->control, c->argument[1], &to, err);
    free(text);
    return st;
}

static tain_status try_paused(tain_call *c, const tain_control_item *i, const char *name, bool pause, tain_error *err)
{
    bool        changed = false;
    json_t     *definition = tain_item_definition(i), *paused = definition ? paused_of(definition) : NULL;
    tain_status st = paused ? edit(c, paused, name, pause, &changed, err)
                            : tain_fail(err, TAIN_E_CONFIG, "mirroring.json: properties.tain.paused is not a list of names");
    if (st == TAIN_OK && changed) st = store(c, definition, tain_buffer_slice(&i->definition), err);
    json_decref(definition);
    return st;
}

/* Of two that change the definition at once the later one begins again with what the earlier one made of it. */
static tain_status set_paused(tain_call *c, bool pause, tain_error *err)
{
    enum { TRIES = 100 };
    TAIN_AUTO(table_name_done) table_name n = name_in(c);
    tain_status st = TAIN_E_CONFLICT;
    for (int k = 0; st == TAIN_E_CONFLICT && k < TRIES; k++) {
        tain_control_item i;
        TAIN_TRY(tain_call_item(c, &i, err));
        st = try_paused(c, &i, n.full, pause, err);
        tain_control_item_done(&i);
    }
    TAIN_TRY(st);
    tain_supervisor_look(c->api->supervisor, c->argument[1]);
    return TAIN_OK;
}

static tain_status pause_table(tain_call *c, tain_error *err) { return set_paused(c, true, err); }
static tain_status resume_table(tain_call *c, tain_error *err) { return set_paused(c, false, err); }

/* --- loading again -------------------------------------------------------------------------------------------------------- */

static tain_status resync_table(tain_call *c, tain_error *err)
{
    tain_mirror_report r;
    const json_t      *row;
    TAIN_AUTO(table_name_done) table_name n = name_in(c);
    TAIN_TRY(tain_report_read(c, &r, err));
    tain_status st = tain_report_table(c, r.worker, n.full, &row, err);
    tain_mirror_report_done(&r);
    TAIN_TRY(st);
    return tain_supervisor_resync(c->api->supervisor, c->argument[1], (const char *const[]){n.full, NULL}, err);
}

static tain_status resync(tain_call *c, tain_error *err)
{
    tain_control_item i;
    const json_t     *list = json_object_get(c->in, "tables"), *one;
    size_t            k, n = 0;
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    if (!list || json_is_null(list)) return tain_supervisor_resync(c->api->supervisor, c->argument[1], NULL, err);
    const char **names = tain_alloc((json_array_size(list) + 1) * sizeof *names);
    json_array_foreach(list, k, one)
    {
        if (json_is_string(one)) names[n++] = json_string_value(one);
    }
    tain_status st = n ? tain_supervisor_resync(c->api->supervisor, c->argument[1], names, err)
                       : tain_fail(err, TAIN_E_INVALID, "\"tables\" names no table; null means all");
    tain_free(names);
    return st;
}

#define M "/v1/workspaces/{}/mirroredDatabases/{}"

const tain_route tain_routes_table[] = {
    {"GET", M "/tables/{}/{}", TAIN_CONTROL_VIEWER, NULL, get},
    {"POST", M "/tables/{}/{}/pause", TAIN_CONTROL_CONTRIBUTOR, "table.pause", pause_table},
    {"POST", M "/tables/{}/{}/resume", TAIN_CONTROL_CONTRIBUTOR, "table.resume", resume_table},
    {"POST", M "/tables/{}/{}/resync", TAIN_CONTROL_CONTRIBUTOR, "table.resync", resync_table},
    {"POST", M "/resync", TAIN_CONTROL_CONTRIBUTOR, "mirror.resync", resync},
    {0},
};
