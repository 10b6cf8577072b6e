/* SPDX-License-Identifier: MIT */
#include "recording_sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "cells.h"

#define PATIENCE (60 * TAIN_SECOND)

static recording *of(tain_sink *sink)
{
    return (recording *)sink;
}

static void violation(recording *r, const recording_table *t, const char *what, const char *detail)
{
    tain_buffer_printf(&r->violations, "%s.%s: %s %s\n", t ? t->source->schema : "", t ? t->source->name : "", what, detail);
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static char *cell(const tain_column *c, size_t i)
{
    tain_buffer text = {0};
    if (tain_column_is_null(c, i)) return NULL;
    bool quoted = c->type.kind == TAIN_STRING;
    if (quoted) tain_buffer_append_u8(&text, '\'');
    if (c->type.kind == TAIN_BINARY) tain_buffer_append_str(&text, "x");
    tain_column_text(c, i, &text);
    if (quoted) tain_buffer_append_u8(&text, '\'');
    for (size_t k = 0; k < text.size; k++)
        if (text.data[k] == 0) text.data[k] = '0'; /* a NUL inside text shows as 0 */
    return tain_buffer_cstr(&text);
}

static char *joined(char *const *cells, const uint16_t *columns, size_t n)
{
    tain_buffer out = {0};
    for (size_t i = 0; i < n; i++) {
        const char *text = cells[columns ? columns[i] : i];
        tain_buffer_printf(&out, "%s%s", i ? "," : "", text ? text : "NULL");
    }
    return tain_buffer_cstr(&out);
}

static char *key_of(const recording_table *t, char *const *cells)
{
    return t->source->key_count ? joined(cells, t->source->key, t->source->key_count) : joined(cells, NULL, t->schema->count);
}

static recording_row take_row(const recording_table *t, const tain_batch *b, size_t i)
{
    recording_row row = {.cells = tain_alloc((t->schema->count + 1) * sizeof(char *))};
    for (size_t c = 0; c < t->schema->count; c++) row.cells[c] = cell(&b->columns[c], i);
    row.key = key_of(t, row.cells);
    return row;
}

static void row_done(const recording_table *t, recording_row *row)
{
    for (size_t c = 0; c < t->schema->count; c++) free(row->cells[c]);
    free(row->cells);
    free(row->key);
}

static size_t find_row(const recording_table *t, const char *key)
{
    return (size_t)tain_map_get(&t->by_key, key);
}

/* Rows without a key may be equal: each leads to the one before it. */
static void link_row(recording_table *t, size_t i)
{
    t->rows[i].next = find_row(t, t->rows[i].key);
    tain_map_put(&t->by_key, t->rows[i].key, (void *)(i + 1));
}

/* What led to `from` leads to `to`, 0: nowhere. */
static void relink(recording_table *t, const char *key, size_t from, size_t to)
{
    size_t at = find_row(t, key);
    if (at == from && to) tain_map_put(&t->by_key, key, (void *)to);
    else if (at == from) tain_map_remove(&t->by_key, key);
    if (at == from) return;
    while (t->rows[at - 1].next != from) at = t->rows[at - 1].next;
    t->rows[at - 1].next = to;
}

static void remove_row(recording_table *t, size_t i)
{
    relink(t, t->rows[i].key, i + 1, t->rows[i].next);
    row_done(t, &t->rows[i]);
    if (i == --t->count) return;
    t->rows[i] = t->rows[t->count];
    relink(t, t->rows[i].key, t->count + 1, i + 1);
}

static void add_row(recording_table *t, recording_row row)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 64;
        t->rows = tain_realloc(t->rows, t->capacity * sizeof *t->rows);
    }
    t->rows[t->count++] = row;
    link_row(t, t->count - 1);
}

static void empty(recording_table *t)
{
    while (t->count) remove_row(t, t->count - 1);
    tain_map_done(&t->by_key);
}

static void leave_out(recording_table *t, const tain_region *within)
{
    for (size_t i = t->count; i > 0; i--)
        if (cells_within(within, t->schema, t->rows[i - 1].cells)) remove_row(t, i - 1);
}

/* --- applying ------------------------------------------------------------------------------------------------------ */

static void fill_unchanged(recording *r, const recording_table *t, size_t i, recording_row *row, const recording_row *old)
{
    for (size_t c = 0; c < t->schema->count; c++) {
        if (!tain_changes_is_unchanged(&t->changes, c, i)) continue;
        if (!old) violation(r, t, "unchanged cell without former row", row->key);
        row->cells[c] = old ? tain_strdup(old->cells[c]) : NULL;
    }
    free(row->key);
    row->key = key_of(t, row->cells);
}

static void check(recording *r, const recording_table *t, tain_op op, bool there, const char *key)
{
    static const char *const names[] = {"INSERT", "UPDATE", "DELETE", "UPSERT", "DELETE_IF", "KEY_OLD", "KEY_NEW"};
    bool wants = op == TAIN_UPDATE || op == TAIN_DELETE || op == TAIN_KEY_OLD;
    bool refuses = op == TAIN_INSERT && t->source->key_count;
    if (wants && !there) violation(r, t, names[op], "of a row that is not there");
    if (refuses && there) violation(r, t, names[op], key);
}

static void apply_row(recording *r, recording_table *t, size_t i, recording_row *old_key)
{
    tain_op op = t->changes.ops.data[i];
    recording_row row = take_row(t, &t->changes.batch, i);
    size_t found = find_row(t, row.key);
    check(r, t, op, found != 0, row.key);
    recording_row *former = op == TAIN_KEY_NEW ? old_key : found ? &t->rows[found - 1] : NULL;
    fill_unchanged(r, t, i, &row, former && former->cells ? former : NULL);
    if (op == TAIN_KEY_NEW && old_key->cells) {
        row_done(t, old_key);
        old_key->cells = NULL;
    }
    if (op == TAIN_KEY_OLD && found) {
        *old_key = (recording_row){.cells = tain_alloc((t->schema->count + 1) * sizeof(char *)), .key = tain_strdup(row.key)};
        for (size_t c = 0; c < t->schema->count; c++) old_key->cells[c] = tain_strdup(t->rows[found - 1].cells[c]);
    }
    bool keyless_insert = op == TAIN_INSERT && !t->source->key_count;
    if (found && !keyless_insert) remove_row(t, found - 1);
    if (op == TAIN_DELETE || op == TAIN_DELETE_IF || op == TAIN_KEY_OLD) row_done(t, &row);
    else add_row(t, row);
}

static void apply(recording *r, recording_table *t)
{
    recording_row old_key = {0};
    if (!t->has_changes) return;
    for (size_t i = 0; i < t->changes.batch.rows; i++) apply_row(r, t, i, &old_key);
    r->rows += t->changes.batch.rows;
    tain_changes_done(&t->changes);
    t->has_changes = false;
}

static void forget(recording_table *t)
{
    if (t->has_changes) tain_changes_done(&t->changes);
    t->has_changes = false;
}

/* --- the sink ------------------------------------------------------------------------------------------------------ */

static recording_table *table_of(tain_source_table *s)
{
    return s->user;
}

static recording_table *add_table(recording *r, tain_source_table *s)
{
    recording_table *t = tain_alloc(sizeof *t);
    t->source = s;
    t->name = tain_strdup(s->name);
    s->user = t;
    r->tables = tain_realloc(r->tables, (r->table_count + 1) * sizeof(recording_table *));
    r->tables[r->table_count++] = t;
    return t;
}

static void sink_begin(tain_sink *sink, const tain_position *at)
{
    recording *r = of(sink);
    r->at = *at;
    r->open = true;
}

static bool takes(const recording *r, const recording_table *t)
{
    return t && t->wanted && !t->needs_load && !t->dropped && !t->failed && tain_position_compare(&t->have, &r->at) < 0;
}

static tain_changes *sink_changes(tain_sink *sink, tain_source_table *s)
{
    recording *r = of(sink);
    recording_table *t = table_of(s);
    if (!r->open) violation(r, t, "a row", "outside a transaction");
    if (!takes(r, t)) return NULL;
    if (!t->has_changes) tain_changes_init(&t->changes, s->columns);
    t->has_changes = true;
    return &t->changes;
}

static tain_status sink_truncate(tain_sink *sink, tain_source_table *s, const tain_region *within, tain_error *err)
{
    recording *r = of(sink);
    recording_table *t = table_of(s);
    tain_buffer_printf(&r->events, "%s %s.%s\n", within ? "clear" : "truncate", s->schema, s->name);
    if (!takes(r, t)) return TAIN_OK;
    apply(r, t);
    if (within) leave_out(t, within);
    else empty(t);
    return TAIN_OK;
}

static void set_reason(recording_table *t, const char *reason)
{
    free(t->reason);
    t->reason = tain_strdup(reason);
}

/* Columns are found again by name. */
static void reshape_rows(recording_table *t, const tain_schema *now)
{
    for (size_t i = 0; i < t->count; i++) {
        char **cells = tain_alloc((now->count + 1) * sizeof *cells);
        for (size_t c = 0; c < now->count; c++) {
            int old = tain_schema_find(t->schema, now->fields[c].name);
            if (old >= 0) cells[c] = tain_strdup(t->rows[i].cells[old]);
        }
        row_done(t, &t->rows[i]);
        t->rows[i] = (recording_row){.cells = cells};
    }
    tain_schema_free(t->schema);
    t->schema = tain_schema_copy(now);
    tain_map_done(&t->by_key);
    for (size_t i = 0; i < t->count; i++) {
        t->rows[i].key = key_of(t, t->rows[i].cells);
        link_row(t, i);
    }
}

static tain_status sink_reshape(tain_sink *sink, tain_source_table *s, bool reload, const char *reason, tain_error *err)
{
    recording *r = of(sink);
    recording_table *t = table_of(s);
    if (!t) return TAIN_OK;
    tain_buffer_printf(&r->events, "reshape %s.%s%s: %s\n", s->schema, s->name, reload ? " reload" : "", reason);
    t->source = s;
    if (reload) {
        forget(t);
        t->needs_load = true;
        set_reason(t, reason);
    } else if (t->schema) {
        apply(r, t);
        reshape_rows(t, s->columns);
    }
    return TAIN_OK;
}

static tain_status sink_appeared(tain_sink *sink, tain_source_table *s, tain_error *err)
{
    recording *r = of(sink);
    recording_table *t = s->user ? table_of(s) : add_table(r, s);
    tain_buffer_printf(&r->events, "appeared %s.%s\n", s->schema, s->name);
    t->wanted = t->needs_load = true;
    t->dropped = t->failed = false;
    return TAIN_OK;
}

static tain_status sink_dropped(tain_sink *sink, tain_source_table *s, tain_error *err)
{
    tain_buffer_printf(&of(sink)->events, "dropped %s.%s\n", s->schema, s->name);
    if (s->user) table_of(s)->dropped = true;
    return TAIN_OK;
}

static tain_status sink_failed(tain_sink *sink, tain_source_table *s, const char *reason, const char *remedy, tain_error *err)
{
    tain_buffer_printf(&of(sink)->events, "failed %s.%s: %s\n", s->schema, s->name, reason);
    if (!s->user) return TAIN_OK;
    table_of(s)->failed = true;
    set_reason(table_of(s), reason);
    return TAIN_OK;
}

static void count_warning(recording_table *t, const tain_source_table *s, size_t column, const char *code)
{
    char *key = tain_format("%s:%s", s->columns->fields[column].name, code);
    size_t n = (size_t)tain_map_get(&t->warnings, key);
    tain_map_put(&t->warnings, key, (void *)(n + 1));
    free(key);
}

static void sink_warn(tain_sink *sink, tain_source_table *s, size_t column, const char *code)
{
    if (s->user) count_warning(table_of(s), s, column, code);
}

static tain_status sink_commit(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err)
{
    recording *r = of(sink);
    if (tain_position_compare(position, &r->position) < 0) violation(r, NULL, "a position that goes back:", position->text);
    bool load = false;
    for (size_t i = 0; i < r->table_count; i++) {
        apply(r, r->tables[i]);
        load |= r->tables[i]->needs_load;
        if (tain_position_compare(position, &r->tables[i]->have) > 0) r->tables[i]->have = *position;
    }
    r->open = false;
    r->position = *position;
    r->time = time;
    r->commits++;
    return r->stop_at_load && load ? TAIN_E_CANCELLED : r->answer;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

recording *recording_new(void)
{
    recording *r = tain_alloc(sizeof *r);
    r->sink = (tain_sink){.begin = sink_begin, .changes = sink_changes, .truncate = sink_truncate, .reshape = sink_reshape,
                          .appeared = sink_appeared, .dropped = sink_dropped, .failed = sink_failed, .warn = sink_warn, .commit = sink_commit};
    r->stop_at_load = true;
    return r;
}

void recording_free(recording *r)
{
    for (size_t i = 0; r && i < r->table_count; i++) {
        recording_table *t = r->tables[i];
        forget(t);
        if (t->schema) empty(t);
        tain_schema_free(t->schema);
        tain_map_done(&t->warnings);
        free(t->rows);
        free(t->name);
        free(t->reason);
        free(t);
    }
    if (!r) return;
    free(r->tables);
    tain_buffer_done(&r->events);
    tain_buffer_done(&r->violations);
    free(r);
}

/* --- loading ------------------------------------------------------------------------------------------------------- */

static tain_status take_rows(void *ctx, tain_batch *b, tain_error *err)
{
    recording_table *t = ctx;
    for (size_t i = 0; i < b->rows; i++) {
        recording_row row = take_row(t, b, i);
        if (t->source->key_count && find_row(t, row.key)) return tain_fail(err, TAIN_E_INTERNAL, "the snapshot has %s twice", row.key);
        add_row(t, row);
    }
    return TAIN_OK;
}

static void take_warning(void *ctx, tain_source_table *s, size_t column, const char *code)
{
    count_warning(ctx, s, column, code);
}

static tain_status load_table(tain_source *s, tain_reader *reader, recording_table *t, tain_error *err)
{
    tain_chunk *chunks = NULL;
    size_t n = 0;
    if (t->schema) empty(t);
    tain_schema_free(t->schema);
    t->schema = tain_schema_copy(t->source->columns);
    TAIN_TRY(s->ops->snapshot_plan(s, t->source, 5000, &chunks, &n, err));
    tain_rows_sink sink = {.rows = take_rows, .warn = take_warning, .ctx = t};
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = s->ops->reader_read(reader, &chunks[i], &sink, err);
    free(chunks);
    t->needs_load = false;
    t->loads++;
    return st;
}

static tain_status load_all(recording *r, tain_source *s, const tain_position *at, tain_error *err)
{
    tain_reader *reader;
    TAIN_TRY(s->ops->reader_open(s, &reader, err));
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < r->table_count && st == TAIN_OK; i++) {
        recording_table *t = r->tables[i];
        if (!t->needs_load) continue;
        st = load_table(s, reader, t, err);
        t->have = *at;
    }
    s->ops->reader_close(reader);
    return st;
}

tain_status recording_load(recording *r, tain_source *s, tain_error *err)
{
    tain_position at;
    tain_source_table **tables = tain_alloc((r->table_count + 1) * sizeof *tables);
    size_t n = 0;
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i]->needs_load) tables[n++] = r->tables[i]->source;
    tain_status st = n ? s->ops->snapshot_begin(s, tables, n, &at, err) : TAIN_OK;
    free(tables);
    if (st != TAIN_OK || n == 0) return st;
    st = load_all(r, s, &at, err);
    tain_status ended = s->ops->snapshot_end(s, st == TAIN_OK ? err : NULL);
    if (!r->position.text[0]) r->position = at;
    return st == TAIN_OK ? ended : st;
}

/* --- streaming ----------------------------------------------------------------------------------------------------- */

tain_status recording_begin(recording *r, tain_source *s, tain_error *err)
{
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    bool fresh;
    TAIN_TRY(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    for (size_t i = 0; i < catalog.count; i++) {
        recording_table *t = add_table(r, catalog.tables[i]);
        t->wanted = t->needs_load = catalog.tables[i]->verdict != TAIN_VERDICT_ERROR;
    }
    TAIN_TRY(s->ops->prepare(s, NULL, &fresh, err));
    TAIN_TRY(recording_load(r, s, err));
    return recording_restart(r, s, err);
}

tain_status recording_restart_at(recording *r, tain_source *s, const tain_position *at, tain_error *err)
{
    for (size_t i = 0; i < r->table_count; i++) forget(r->tables[i]);
    r->open = false;
    r->position = *at;
    return s->ops->start(s, at, err);
}

tain_status recording_restart(recording *r, tain_source *s, tain_error *err)
{
    tain_position at = r->position;
    if (!at.text[0]) TAIN_TRY(s->ops->head(s, &at, err));
    return recording_restart_at(r, s, &at, err);
}

static tain_changes *not_wanted(tain_sink *sink, tain_source_table *table)
{
    return NULL;
}

tain_status recording_lose(recording *r, tain_source *s, tain_error *err)
{
    recording *lost = recording_new();
    lost->sink.changes = not_wanted;
    lost->position = r->position;
    tain_status st = s->ops->poll(s, &lost->sink, 0, err);
    recording_free(lost);
    return st == TAIN_OK ? recording_restart(r, s, err) : st;
}

tain_status recording_adopt(recording *r, tain_source *s, tain_error *err)
{
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    bool fresh;
    TAIN_TRY(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    for (size_t i = 0; i < r->table_count; i++) r->tables[i]->source = NULL;
    for (size_t i = 0; i < catalog.count; i++) {
        for (size_t k = 0; k < r->table_count; k++) {
            if (strcmp(r->tables[k]->name, catalog.tables[i]->name) != 0) continue;
            r->tables[k]->source = catalog.tables[i];
            catalog.tables[i]->user = r->tables[k];
        }
    }
    TAIN_TRY(recording_restart(r, s, err));
    return s->ops->prepare(s, NULL, &fresh, err);
}

static bool any_load(const recording *r)
{
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i]->needs_load) return true;
    return false;
}

static tain_status turn(recording *r, tain_source *s, tain_error *err)
{
    bool fresh;
    tain_status st = s->ops->poll(s, &r->sink, tain_monotonic() + 10 * TAIN_MILLISECOND, err);
    if (st != TAIN_OK && !(st == TAIN_E_CANCELLED && any_load(r))) return st;
    if (r->open || !any_load(r)) return TAIN_OK;
    TAIN_TRY(s->ops->prepare(s, NULL, &fresh, err));
    return recording_load(r, s, err);
}

/* As long as it moves it may be slow. */
tain_status recording_catch_up(recording *r, tain_source *s, tain_error *err)
{
    tain_position head, before = r->position;
    tain_time give_up = tain_monotonic() + PATIENCE;
    TAIN_TRY(turn(r, s, err));
    TAIN_TRY(s->ops->head(s, &head, err));
    while (tain_position_compare(&r->position, &head) < 0) {
        if (tain_position_compare(&r->position, &before) != 0) give_up = tain_monotonic() + PATIENCE;
        else if (tain_monotonic() > give_up) return tain_fail(err, TAIN_E_UNAVAILABLE, "the stream stays at %s, the head is %s", before.text, head.text);
        before = r->position;
        TAIN_TRY(turn(r, s, err));
    }
    return TAIN_OK;
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

recording_table *recording_find(recording *r, const char *name)
{
    for (size_t i = 0; i < r->table_count; i++) {
        const tain_source_table *s = r->tables[i]->source;
        size_t n = strlen(s->schema);
        if (strcmp(s->name, name) == 0 || (strncmp(name, s->schema, n) == 0 && name[n] == '.' && strcmp(name + n + 1, s->name) == 0)) return r->tables[i];
    }
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *recording_content(recording *r, const char *name)
{
    tain_buffer out = {0};
    const recording_table *t = recording_find(r, name);
    if (!t || !t->schema) return tain_strdup("");
    char **lines = tain_alloc((t->count + 1) * sizeof *lines);
    for (size_t i = 0; i < t->count; i++) lines[i] = joined(t->rows[i].cells, NULL, t->schema->count);
    qsort(lines, t->count, sizeof *lines, by_text);
    for (size_t i = 0; i < t->count; i++) {
        tain_buffer_printf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return tain_buffer_cstr(&out);
}

char *recording_columns(recording *r, const char *name)
{
    tain_buffer out = {0};
    const recording_table *t = recording_find(r, name);
    for (size_t i = 0; t && t->schema && i < t->schema->count; i++) {
        tain_buffer_printf(&out, "%s%s:", i ? " " : "", t->schema->fields[i].name);
        tain_type_name(&t->schema->fields[i].type, &out);
    }
    return tain_buffer_cstr(&out);
}

size_t recording_warnings(recording *r, const char *name, const char *column, const char *code)
{
    const recording_table *t = recording_find(r, name);
    char *key = tain_format("%s:%s", column, code);
    size_t n = t ? (size_t)tain_map_get(&t->warnings, key) : 0;
    free(key);
    return n;
}

const char *recording_events(recording *r)
{
    return tain_buffer_cstr(&r->events);
}

const char *recording_violations(recording *r)
{
    return tain_buffer_cstr(&r->violations);
}
