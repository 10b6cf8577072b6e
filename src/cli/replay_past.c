/* SPDX-License-Identifier: MIT */
#include "cli/replay.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli/attach.h"
#include "lake/asof.h"
#include "mirror/history/history.h"

/* --- opening ------------------------------------------------------------------------------------------------------- */

static tain_status attach(tain_pasts *p, const tain_past *t, tain_error *err)
{
    TAIN_AUTO(tain_schema_free) tain_schema *columns = tain_history_numbered(tain_delta_meta(t->delta)->schema);
    TAIN_AUTO(tain_free) char *name = tain_format("t%zu", t->number);
    return tain_attach_delta(p->scan, &(tain_attach_as){.schema = "past", .name = name, .columns = columns}, t->delta, err);
}

/* The name without the suffix; NULL: it has none. Caller frees. */
static char *name_of(const char *folder_name)
{
    size_t n = strlen(folder_name), suffix = strlen(TAIN_HISTORY_SUFFIX);
    bool has = n > suffix && strcmp(folder_name + n - suffix, TAIN_HISTORY_SUFFIX) == 0;
    return has ? tain_strndup(folder_name, n - suffix) : NULL;
}

static tain_status add(tain_pasts *p, const char *schema, const char *table, const char *folder, tain_error *err)
{
    tain_past t = {.number = p->count, .store = tain_store_sub(tain_lake_store(p->lake), folder)};
    tain_status st = tain_delta_open(t.store, &t.delta, err);
    const char *shapes = st == TAIN_OK ? tain_json_get_str(tain_delta_meta(t.delta)->configuration, TAIN_HISTORY_SHAPES, NULL) : NULL;
    t.shapes = shapes ? json_loads(shapes, 0, NULL) : NULL;
    t.horizon = st == TAIN_OK ? tain_history_horizon(tain_delta_meta(t.delta)->configuration) : NULL;
    if (st != TAIN_OK || !t.shapes) { /* a table of the source that is called so */
        json_decref(t.horizon);
        tain_delta_close(t.delta);
        tain_store_close(t.store);
        return st;
    }
    t.schema = tain_strdup(schema);
    t.table = tain_strdup(table);
    t.name = tain_source_full_name(schema, table);
    p->list = tain_realloc(p->list, (p->count + 1) * sizeof *p->list);
    p->list[p->count++] = t;
    return attach(p, &p->list[p->count - 1], err);
}

static tain_status look_at(void *ctx, const char *schema, const char *table, const char *folder, tain_error *err)
{
    TAIN_AUTO(tain_free) char *name = name_of(table);
    return name ? add(ctx, schema, name, folder, err) : TAIN_OK;
}

tain_status tain_pasts_open(const char *lake, tain_pasts *ret, tain_error *err)
{
    const tain_scan_options options = {.temp_dir = tain_temp_folder()};
    *ret = (tain_pasts){0};
    TAIN_TRY(tain_lake_open(lake, false, &ret->lake, err));
    TAIN_TRY(tain_scan_open(&options, &ret->scan, err));
    TAIN_TRY(tain_lake_each_table(ret->lake, look_at, ret, err));
    if (ret->count) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_NOT_FOUND, "%s holds no history", lake);
    tain_error_remedy(err, "keep one from now on with tain mirror --history");
    return st;
}

void tain_pasts_done(tain_pasts *p)
{
    tain_scan_close(p->scan);
    for (size_t i = 0; i < p->count; i++) {
        tain_past *t = &p->list[i];
        json_decref(t->shapes);
        json_decref(t->horizon);
        tain_delta_close(t->delta);
        tain_store_close(t->store);
        free(t->schema);
        free(t->table);
        free(t->name);
    }
    free(p->list);
    tain_lake_close(p->lake);
}

/* --- asking -------------------------------------------------------------------------------------------------------- */

/* The greatest (or least) of what an expression gives in each history. Caller frees. */
static tain_status ask_all(tain_pasts *p, const char *expression, const char *where, bool least, char **ret, tain_error *err)
{
    char *best = tain_strdup("");
    for (size_t i = 0; i < p->count; i++) {
        TAIN_AUTO(tain_free) char *sql = tain_format("SELECT %s FROM past.t%zu %s", expression, i, where);
        char *one = NULL;
        tain_status st = tain_scan_ask(p->scan, sql, &one, err);
        if (st != TAIN_OK) {
            free(best);
            return st;
        }
        int order = strcmp(one, best);
        bool better = *one && (!*best || (least ? order < 0 : order > 0));
        char *worse = better ? best : one;
        best = better ? one : best;
        free(worse);
    }
    *ret = best;
    return TAIN_OK;
}

/* --- which moment -------------------------------------------------------------------------------------------------- */

typedef struct range { tain_position first, last; char *began, *ended; /* times */ } range;

static void range_done(range *r)
{
    free(r->began);
    free(r->ended);
}

static const char *begin_of(const tain_past *t)
{
    return tain_json_get_str(json_array_get(t->shapes, 0), "at", "");
}

static const char *horizon_of(const tain_past *t)
{
    return tain_json_get_str(t->horizon, "at", "");
}

static void take_later(const char *text, tain_position *io)
{
    if (strcmp(text, io->text) > 0) snprintf(io->text, sizeof io->text, "%s", text);
}

#define UTC "strftime(%s(__tain_commit_time) AT TIME ZONE 'UTC', '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ')"

/* With the newest record, or a commit that has none yet. */
static tain_status find_end(tain_pasts *p, const tain_epoch *last, tain_position *ret, tain_error *err)
{
    char *newest = NULL;
    TAIN_TRY(ask_all(p, "max(__tain_position)", "", false, &newest, err));
    *ret = last->position;
    take_later(newest, ret);
    free(newest);
    return TAIN_OK;
}

/* Some tables may begin later, but none may have forgotten what it was. */
static void find_begin(const tain_pasts *p, tain_position *ret)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *at = begin_of(&p->list[i]);
        if (i == 0 || strcmp(at, ret->text) < 0) snprintf(ret->text, sizeof ret->text, "%s", at);
    }
    for (size_t i = 0; i < p->count; i++) take_later(horizon_of(&p->list[i]), ret);
}

/* In time: of the first version that there is, or where all know what they were. */
static tain_status find_began(tain_pasts *p, char **ret, tain_error *err)
{
    tain_time latest = 0;
    char text[40];
    for (size_t i = 0; i < p->count; i++) {
        tain_time t = tain_json_get_int(p->list[i].horizon, "time", 0);
        if (t > latest) latest = t;
    }
    TAIN_AUTO(tain_free) char *least = tain_format(UTC, "min");
    if (!latest) return ask_all(p, least, "", true, ret, err);
    tain_time_iso(latest, 6, text);
    *ret = tain_strdup(text);
    return TAIN_OK;
}

static tain_status find_range(tain_pasts *p, range *ret, tain_error *err)
{
    tain_epoch last;
    char text[40];
    TAIN_TRY(tain_lake_last_epoch(p->lake, &last, err));
    TAIN_TRY(find_end(p, &last, &ret->last, err));
    find_begin(p, &ret->first);
    take_later(ret->first.text, &ret->last);
    TAIN_TRY(find_began(p, &ret->began, err));
    tain_time_iso(last.committed_time, 6, text);
    ret->ended = tain_strdup(text);
    return TAIN_OK;
}

static tain_status outside(const range *r, bool early, const char *when, tain_error *err)
{
    tain_status st = early ? tain_fail(err, TAIN_E_GONE, "what the tables were at %s is not known: their history begins later", when)
                           : tain_fail(err, TAIN_E_NOT_FOUND, "%s is behind the end of the history", when);
    tain_error_remedy(err, "name a moment from %s to %s, that is position %s to %s", r->began, r->ended, r->first.text, r->last.text);
    return st;
}

typedef struct wanted { int64_t epoch; char position[TAIN_POSITION_MAX]; } wanted;

static tain_status take_record(void *ctx, const json_t *record, tain_error *err)
{
    wanted *w = ctx;
    if (tain_json_get_int(record, "epoch", 0) == w->epoch) snprintf(w->position, sizeof w->position, "%s", tain_json_get_str(record, "position", ""));
    return TAIN_OK;
}

static tain_status position_of_epoch(tain_pasts *p, const range *r, const char *when, tain_position *ret, tain_error *err)
{
    tain_epoch last;
    wanted w = {.epoch = strtoll(when, NULL, 10)};
    TAIN_TRY(tain_lake_each_epoch(p->lake, take_record, &w, err));
    TAIN_TRY(tain_lake_last_epoch(p->lake, &last, err));
    if (!w.position[0]) return outside(r, w.epoch < last.number, when, err);
    snprintf(ret->text, sizeof ret->text, "%s", w.position);
    return TAIN_OK;
}

static void take_moment(const json_t *moment, tain_time by, tain_position *io)
{
    int64_t time = tain_json_get_int(moment, "time", 0);
    if (time && time <= by) take_later(tain_json_get_str(moment, "at", ""), io);
}

/* One that changed columns alone has no row to tell of it, nor has one whose rows were all replaced since. */
static void take_moments(const tain_pasts *p, tain_time by, tain_position *io)
{
    const json_t *shape;
    size_t k;
    for (size_t i = 0; i < p->count; i++) {
        json_array_foreach(p->list[i].shapes, k, shape)
            take_moment(shape, by, io);
        take_moment(p->list[i].horizon, by, io);
    }
}

/* That of the newest transaction that was committed by then. */
static tain_status position_of_time(tain_pasts *p, const range *r, tain_time at, const char *when, tain_position *ret, tain_error *err)
{
    char text[40], *found = NULL;
    tain_time_iso(at, 6, text);
    if (strcmp(text, r->ended) > 0) return outside(r, false, when, err);
    TAIN_AUTO(tain_free) char *where = tain_format("WHERE __tain_commit_time <= '%s'::TIMESTAMPTZ", text);
    TAIN_TRY(ask_all(p, "max(__tain_position)", where, false, &found, err));
    snprintf(ret->text, sizeof ret->text, "%s", found);
    free(found);
    take_moments(p, at, ret);
    return ret->text[0] ? TAIN_OK : outside(r, true, when, err);
}

/* PostgreSQL's own way to write one has no leading zeros. */
static void take_position(const char *when, tain_position *ret)
{
    unsigned high, low;
    int end = 0;
    if (sscanf(when, "%8x/%8x%n", &high, &low, &end) == 2 && !when[end]) snprintf(ret->text, sizeof ret->text, "%08X/%08X", high, low);
    else snprintf(ret->text, sizeof ret->text, "%s", when);
}

static bool is_number(const char *text)
{
    while (isdigit((unsigned char)*text)) text++;
    return !*text;
}

/* Whether it looks as positions of this source do: what is no letter or digit is where it is in others. */
static bool is_position(const char *text, const char *other)
{
    for (; *text; text++, other += *other != 0)
        if (!isalnum((unsigned char)*text) && *text != *other) return false;
    return true;
}

static tain_status find_position(tain_pasts *p, const range *r, const char *when, tain_position *ret, tain_error *err)
{
    tain_time at = tain_asof_time(when);
    if (*when && is_number(when) && strlen(when) < 19) return position_of_epoch(p, r, when, ret, err);
    if (at) return position_of_time(p, r, at, when, ret, err);
    take_position(when, ret);
    if (!*when || !is_position(ret->text, r->last.text)) {
        tain_status st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is neither an epoch, nor a time, nor a position", when);
        tain_error_remedy(err, "write a time as 2026-11-21T18:00:00Z, a position as %s", r->last.text);
        return st;
    }
    return tain_position_compare(ret, &r->last) > 0 ? outside(r, false, when, err) : TAIN_OK;
}

tain_status tain_pasts_position(tain_pasts *p, const char *when, tain_position *ret, tain_error *err)
{
    range r = {0};
    tain_status st = find_range(p, &r, err);
    *ret = (tain_position){0};
    if (st == TAIN_OK) st = find_position(p, &r, when, ret, err);
    if (st == TAIN_OK && tain_position_compare(ret, &r.first) < 0) st = outside(&r, true, when, err);
    range_done(&r);
    return st;
}

/* --- one table then ------------------------------------------------------------------------------------------------ */

tain_schema *tain_past_columns(const tain_past *t, const tain_position *at)
{
    const tain_schema *all = tain_delta_meta(t->delta)->schema;
    const json_t *shape = tain_history_shape_at(t->shapes, at->text), *column;
    size_t i;
    if (!shape) return NULL;
    tain_schema *s = tain_schema_new();
    json_array_foreach(json_object_get(shape, "columns"), i, column)
    {
        int from = tain_history_column_of(all, column);
        const char *name = json_string_value(json_array_get(column, 0));
        if (from >= 0 && name) tain_schema_add(s, tain_arena_format(&s->arena, "%s", name), all->fields[from].type);
    }
    return s;
}

/* The newest version of each key, unless that took the row away. */
static void select_keyed(tain_buffer *sql, const tain_past *t, const char *within, const char *columns, const json_t *key)
{
    tain_buffer_printf(sql, "SELECT %s FROM past.t%zu WHERE %s AND __tain_operation NOT IN ('delete', 'key_delete') AND __tain_order IN "
                       "(SELECT max(__tain_order) FROM past.t%zu WHERE %s GROUP BY ", columns, t->number, within, t->number, within);
    tain_history_list_columns(sql, tain_delta_meta(t->delta)->schema, key);
    tain_buffer_append_u8(sql, ')');
}

/* Every row as often as it came more than it went. */
static void select_multiset(tain_buffer *sql, const tain_past *t, const char *within, const char *columns)
{
    tain_buffer_printf(sql, "SELECT %s FROM (SELECT %s, unnest(range(n)) FROM (SELECT %s, sum(CASE __tain_operation WHEN 'delete' THEN -1 ELSE 1 END)::BIGINT AS n "
                       "FROM past.t%zu WHERE %s GROUP BY %s HAVING n > 0))", columns, columns, columns, t->number, within, columns);
}

tain_status tain_past_rows(tain_pasts *p, const tain_past *t, const tain_position *at, tain_result **ret, tain_error *err)
{
    const json_t *shape = tain_history_shape_at(t->shapes, at->text), *key = json_object_get(shape, "key");
    TAIN_AUTO(tain_free) char *table = tain_format("past.t%zu", t->number), *within = NULL;
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0}, columns = {0};
    TAIN_TRY(tain_history_within(p->scan, table, at->text, &within, err));
    tain_history_list_columns(&columns, tain_delta_meta(t->delta)->schema, json_object_get(shape, "columns"));
    if (json_array_size(key)) select_keyed(&sql, t, within, tain_buffer_cstr(&columns), key);
    else select_multiset(&sql, t, within, tain_buffer_cstr(&columns));
    return tain_scan_query(p->scan, tain_buffer_cstr(&sql), ret, err);
}
