/* SPDX-License-Identifier: MIT */
#include "mirror/load/loadlog.h"

#include <stdlib.h>

#include "base/text.h"
#include "lake/kept.h"
#include "lake/naming.h"

#define LOADS "_tain/loads/"
#define PLAN  "plan.json"

/* "_tain/loads/<schema>/<table>/" */
static char *folder_of(const tain_table *t)
{
    return tain_format(LOADS "%s/", t->folder + strlen("Tables/"));
}

/* --- shape --------------------------------------------------------------------------------------------------------- */

static json_t *columns_to_json(const tain_schema *s)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *o = NULL;
    tain_schema_to_json(s, &text);
    (void)!tain_json_parse(text.data, text.size, "columns", &o, NULL);
    return o;
}

static json_t *shape_to_json(const tain_schema *columns, const tain_source_table *source)
{
    json_t *ids = json_array(), *key = json_array();
    for (size_t i = 0; i < source->columns->count; i++) json_array_append_new(ids, json_integer(source->columns->fields[i].source_id));
    for (size_t i = 0; i < source->key_count; i++) json_array_append_new(key, json_integer(source->key[i]));
    return json_pack("{s:o,s:o,s:o}", "columns", columns_to_json(columns), "ids", ids, "key", key);
}

static tain_status columns_from_json(const json_t *shape, tain_schema **ret, tain_error *err)
{
    char *text = json_dumps(json_object_get(shape, "columns"), JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text) return tain_fail(err, TAIN_E_CORRUPT, "the plan of a load has no columns");
    tain_status st = tain_schema_from_json(text, strlen(text), ret, err);
    free(text);
    return st;
}

static bool same_columns(const json_t *shape, const tain_source_table *source)
{
    TAIN_AUTO(tain_schema_free) tain_schema *columns = NULL, *own = NULL;
    if (columns_from_json(shape, &columns, NULL) != TAIN_OK) return false;
    own = tain_kept_without(columns);
    return tain_schema_equal(own, source->columns);
}

bool tain_loadlog_fits(const tain_loadlog *log, const tain_source_table *source)
{
    if (source->key_count == 0 || strcmp(log->identity, source->identity) != 0 || !same_columns(log->shape, source)) return false;
    json_t *now = shape_to_json(source->columns, source);
    bool same = json_equal(json_object_get(now, "ids"), json_object_get(log->shape, "ids")) &&
                json_equal(json_object_get(now, "key"), json_object_get(log->shape, "key"));
    json_decref(now);
    return same;
}

tain_status tain_loadlog_adopt_names(const tain_loadlog *log, tain_table *t, tain_error *err)
{
    TAIN_AUTO(tain_schema_free) tain_schema *columns = NULL;
    TAIN_TRY(columns_from_json(log->shape, &columns, err));
    tain_schema *shown = tain_table_show(t, t->source, columns);
    tain_naming_adopt(shown, columns);
    tain_table_take_schema(t, shown, t->source);
    return TAIN_OK;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

tain_loadlog *tain_loadlog_new(const tain_table *t, const tain_position *first, int64_t epoch, char *mark, tain_load_chunk *chunks, size_t count)
{
    tain_loadlog *log = tain_alloc(sizeof *log);
    char *folder = folder_of(t);
    *log = (tain_loadlog){
        .folder = tain_format("%s%020lld/", folder, (long long)tain_now()), .identity = tain_strdup(t->source->identity),
        .shape = shape_to_json(t->shown, t->source), .mark = mark, .first = *first, .epoch = epoch, .chunks = chunks, .count = count,
    };
    free(folder);
    return log;
}

void tain_loadlog_free(tain_loadlog *log)
{
    if (!log) return;
    for (size_t i = 0; i < log->count; i++) json_decref(log->chunks[i].add);
    json_decref(log->shape);
    free(log->chunks);
    free(log->folder);
    free(log->identity);
    free(log->mark);
    free(log);
}

bool tain_loadlog_is_complete(const tain_loadlog *log, tain_position *ret_last)
{
    bool complete = true;
    *ret_last = log->first;
    for (size_t i = 0; i < log->count; i++) {
        const tain_load_chunk *c = &log->chunks[i];
        complete &= c->done;
        if (c->done && tain_position_compare(&c->position, ret_last) > 0) *ret_last = c->position;
    }
    return complete;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static char *key_of(const tain_loadlog *log, size_t chunk)
{
    return tain_format("%s%08zu.json", log->folder, chunk);
}

static tain_status put(tain_store *lake, const char *key, const json_t *o, tain_error *err)
{
    char *text = json_dumps(o, JSON_COMPACT);
    tain_slice data = {.data = (const uint8_t *)text, .size = strlen(text)};
    tain_status st = tain_store_put(lake, key, data, TAIN_PUT_IF_ABSENT, err);
    if (st == TAIN_E_UNKNOWN) { /* the folder is ours alone */
        st = tain_store_put(lake, key, data, TAIN_PUT_IF_ABSENT, err);
        if (st == TAIN_E_EXISTS) st = TAIN_OK;
    }
    free(text);
    return st;
}

tain_status tain_loadlog_begin(const tain_loadlog *log, tain_store *lake, tain_error *err)
{
    json_t *chunks = json_array();
    for (size_t i = 0; i < log->count; i++) {
        const tain_load_chunk *c = &log->chunks[i];
        json_array_append_new(chunks, json_pack("[I,I,I]", (json_int_t)c->from, (json_int_t)c->to, (json_int_t)c->rows_estimate));
    }
    json_t *plan = json_pack("{s:s,s:s,s:I,s:s,s:O,s:o}", "identity", log->identity, "position", log->first.text, "epoch", (json_int_t)log->epoch,
                             "mark", log->mark, "shape", log->shape, "chunks", chunks);
    TAIN_AUTO(tain_free) char *key = tain_format("%s" PLAN, log->folder);
    tain_status st = put(lake, key, plan, err);
    json_decref(plan);
    return st;
}

static json_t *file_to_json(const tain_delta_file *file)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *o = NULL;
    tain_delta_file_to_json(file, &text);
    (void)!tain_json_parse(text.data, text.size, "file", &o, NULL);
    return o;
}

tain_status tain_loadlog_note(tain_loadlog *log, tain_store *lake, size_t i, const tain_position *position, const tain_delta_file *file,
                              int64_t rows, int64_t bytes, tain_error *err)
{
    TAIN_AUTO(tain_free) char *key = key_of(log, i);
    json_t *add = file ? file_to_json(file) : NULL;
    json_t *o = json_pack("{s:s,s:I,s:I,s:O*}", "position", position->text, "rows", (json_int_t)rows, "bytes", (json_int_t)bytes, "file", add);
    tain_status st = put(lake, key, o, err);
    json_decref(o);
    if (st == TAIN_OK) {
        tain_load_chunk *c = &log->chunks[i];
        *c = (tain_load_chunk){.from = c->from, .to = c->to, .rows_estimate = c->rows_estimate, .done = true, .position = *position,
                               .rows = rows, .bytes = bytes, .add = add};
    } else {
        json_decref(add);
    }
    return st;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static tain_status get(tain_store *lake, const char *key, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_TRY(tain_store_get(lake, key, 0, -1, &text, err));
    return tain_json_parse(text.data, text.size, key, ret, err);
}

static bool note_key(void *ctx, const tain_object *o)
{
    tain_map_put(ctx, o->key, ctx);
    return true;
}

static tain_status list_keys(const tain_table *t, tain_store *lake, tain_map *io, tain_error *err)
{
    TAIN_AUTO(tain_free) char *folder = folder_of(t);
    return tain_store_list(lake, folder, NULL, note_key, io, err);
}

/* The newest plan, if removing an older log was interrupted. Caller frees. */
static char *newest_plan(const tain_map *keys)
{
    const char *key, *best = NULL;
    void *unused;
    TAIN_MAP_EACH (keys, i, key, unused) {
        size_t n = strlen(key), end = strlen("/" PLAN);
        if (n > end && strcmp(key + n - end, "/" PLAN) == 0 && (!best || strcmp(key, best) > 0)) best = key;
    }
    return tain_strdup(best);
}

static void take_chunks(tain_loadlog *log, const json_t *list)
{
    size_t i;
    json_t *c;
    log->chunks = tain_alloc((json_array_size(list) + 1) * sizeof *log->chunks);
    json_array_foreach(list, i, c)
    {
        log->chunks[log->count++] = (tain_load_chunk){
            .from = json_integer_value(json_array_get(c, 0)), .to = json_integer_value(json_array_get(c, 1)),
            .rows_estimate = json_integer_value(json_array_get(c, 2)),
        };
    }
}

static tain_loadlog *plan_from_json(const char *key, const json_t *plan)
{
    tain_loadlog *log = tain_alloc(sizeof *log);
    *log = (tain_loadlog){
        .folder = tain_strndup(key, strlen(key) - strlen(PLAN)), .identity = tain_strdup(tain_json_get_str(plan, "identity", "")),
        .shape = json_incref(json_object_get(plan, "shape")), .mark = tain_strdup(tain_json_get_str(plan, "mark", "")),
        .epoch = tain_json_get_int(plan, "epoch", 0),
    };
    snprintf(log->first.text, sizeof log->first.text, "%s", tain_json_get_str(plan, "position", ""));
    take_chunks(log, json_object_get(plan, "chunks"));
    return log;
}

static tain_status read_chunk(tain_loadlog *log, tain_store *lake, const char *key, tain_error *err)
{
    size_t i = strtoul(key + strlen(log->folder), NULL, 10);
    if (i >= log->count) return TAIN_OK;
    json_t *o = NULL;
    TAIN_TRY(get(lake, key, &o, err));
    tain_load_chunk *c = &log->chunks[i];
    c->done = true;
    c->rows = tain_json_get_int(o, "rows", 0);
    c->bytes = tain_json_get_int(o, "bytes", 0);
    c->add = json_incref(json_object_get(o, "file"));
    snprintf(c->position.text, sizeof c->position.text, "%s", tain_json_get_str(o, "position", ""));
    json_decref(o);
    return TAIN_OK;
}

static tain_status read_log(const tain_map *keys, tain_store *lake, tain_loadlog **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *plan_key = newest_plan(keys);
    json_t *plan = NULL;
    if (!plan_key) return TAIN_OK;
    TAIN_TRY(get(lake, plan_key, &plan, err));
    tain_loadlog *log = plan_from_json(plan_key, plan);
    json_decref(plan);
    tain_status st = TAIN_OK;
    const char *key;
    void *unused;
    for (size_t cursor = 0; st == TAIN_OK && tain_map_next(keys, &cursor, &key, &unused);)
        if (strncmp(key, log->folder, strlen(log->folder)) == 0 && strcmp(key, plan_key) != 0) st = read_chunk(log, lake, key, err);
    if (st == TAIN_OK) *ret = log;
    else tain_loadlog_free(log);
    return st;
}

/* --- what is really there ------------------------------------------------------------------------------------------- */

static bool note_size(void *ctx, const tain_object *o)
{
    tain_map_put(ctx, o->key, (void *)(uintptr_t)(o->size + 1));
    return true;
}

/* A file that somebody removed is read again. */
static tain_status check_file(tain_loadlog *log, size_t i, const tain_map *there, tain_store *lake, tain_error *err)
{
    tain_load_chunk *c = &log->chunks[i];
    const json_t *add = json_object_get(c->add, "add");
    if (!c->add) return TAIN_OK;
    uintptr_t size = (uintptr_t)tain_map_get(there, tain_json_get_str(add, "path", ""));
    if (size == (uintptr_t)tain_json_get_int(add, "size", -1) + 1) return TAIN_OK;
    json_decref(c->add);
    *c = (tain_load_chunk){.from = c->from, .to = c->to, .rows_estimate = c->rows_estimate};
    TAIN_AUTO(tain_free) char *key = key_of(log, i);
    return tain_store_remove(lake, key, err);
}

static tain_status check_files(const tain_table *t, tain_loadlog *log, tain_store *lake, tain_error *err)
{
    tain_map there = {0};
    tain_status st = tain_store_list(t->store, "part-", NULL, note_size, &there, err);
    for (size_t i = 0; st == TAIN_OK && i < log->count; i++) st = check_file(log, i, &there, lake, err);
    tain_map_done(&there);
    return st;
}

tain_status tain_loadlog_read(const tain_table *t, tain_store *lake, tain_loadlog **ret, tain_error *err)
{
    tain_map keys = {0};
    *ret = NULL;
    tain_status st = list_keys(t, lake, &keys, err);
    if (st == TAIN_OK && keys.count) st = read_log(&keys, lake, ret, err);
    tain_map_done(&keys);
    if (st == TAIN_OK && *ret) st = check_files(t, *ret, lake, err);
    if (st != TAIN_OK) {
        tain_loadlog_free(*ret);
        *ret = NULL;
    }
    return st;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

/* The plan goes first: chunks without one mean nothing, a plan without its chunks would. */
tain_status tain_loadlog_forget(const tain_table *t, tain_store *lake, tain_error *err)
{
    TAIN_AUTO(tain_free) char *folder = folder_of(t);
    tain_map keys = {0};
    tain_status st = list_keys(t, lake, &keys, err);
    bool any = keys.count;
    for (char *plan; st == TAIN_OK && (plan = newest_plan(&keys)); free(plan)) {
        st = tain_store_remove(lake, plan, err);
        tain_map_remove(&keys, plan);
    }
    tain_map_done(&keys);
    folder[strlen(folder) - 1] = '\0';
    return st == TAIN_OK && any ? tain_store_remove_all(lake, folder, err) : st;
}

tain_status tain_loadlog_abandon(const tain_table *t, tain_store *lake, tain_error *err)
{
    tain_loadlog *log;
    TAIN_TRY(tain_loadlog_read(t, lake, &log, err));
    tain_status st = TAIN_OK;
    for (size_t i = 0; log && st == TAIN_OK && i < log->count; i++) {
        const char *path = tain_json_get_str(json_object_get(log->chunks[i].add, "add"), "path", NULL);
        if (path) st = tain_store_remove(t->store, path, err);
    }
    tain_loadlog_free(log);
    return st == TAIN_OK ? tain_loadlog_forget(t, lake, err) : st;
}
