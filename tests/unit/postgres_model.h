/* SPDX-License-Identifier: MIT */
/* postgres_model.h -- a sink that keeps what a mirror would hold, as text, and is strict about every operation. */
#ifndef TAIN_TESTS_POSTGRES_MODEL_H
#define TAIN_TESTS_POSTGRES_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "../conformance/cells.h"
#include "source/source.h"

typedef struct model_row { char **cells; size_t count; int copies; } model_row;

typedef struct model_table {
    tain_source_table *source;
    const tain_schema *columns; /* of rows */
    char               name[140], *memo; /* as last told */
    tain_map           rows; /* key text -> model_row */
    tain_position      have;
    bool               ignored;
} model_table;

typedef struct model {
    tain_sink     sink; /* first */
    model_table   tables[32];
    size_t        count;
    model_table  *current; /* whose changes are in `changes` */
    tain_changes  changes;
    tain_position at, position;
    bool          open;
    int           commits, inserts, updates, deletes, moves, truncates, reshapes /* that show */, notes /* that do not */, reloads, appeared, dropped, failed, warnings, unchanged;
    char          last_reason[300], last_code[60];
    tain_status   commit_status; /* what commit answers */
} model;

static inline char *model_cell(const tain_column *c, size_t row)
{
    tain_buffer text = {0};
    if (tain_column_is_null(c, row)) tain_buffer_append_str(&text, "\\N");
    else tain_column_text(c, row, &text);
    return tain_buffer_cstr(&text);
}

static inline char *model_key(const tain_source_table *t, char **cells)
{
    tain_buffer text = {0};
    size_t n = t->key_count ? t->key_count : t->columns->count;
    for (size_t i = 0; i < n; i++) {
        tain_buffer_append_str(&text, cells[t->key_count ? t->key[i] : i]);
        tain_buffer_append_u8(&text, '\x1f');
    }
    return tain_buffer_cstr(&text);
}

static inline void model_row_free(model_row *r)
{
    for (size_t i = 0; r && i < r->count; i++) free(r->cells[i]);
    if (r) free(r->cells);
    free(r);
}

static inline model_row *model_row_at(const tain_batch *b, size_t row)
{
    model_row *r = tain_alloc(sizeof *r);
    r->count = b->schema->count;
    r->cells = tain_alloc((r->count + 1) * sizeof *r->cells);
    for (size_t i = 0; i < r->count; i++) r->cells[i] = model_cell(&b->columns[i], row);
    r->copies = 1;
    return r;
}

static inline model_row *model_take(model_table *t, model_row *like)
{
    char *key = model_key(t->source, like->cells);
    model_row *old = tain_map_get(&t->rows, key);
    if (!old) fail_msg("%s: row %s is not there", t->source->name, key);
    if (--old->copies > 0) old = NULL;
    else (void)!tain_map_remove(&t->rows, key);
    free(key);
    return old;
}

static inline void model_put(model_table *t, model_row *row)
{
    char *key = model_key(t->source, row->cells);
    model_row *there = tain_map_get(&t->rows, key);
    if (there && t->source->key_count) fail_msg("%s: row %s is there already", t->source->name, key);
    if (there) {
        there->copies++;
        model_row_free(row);
    } else {
        (void)!tain_map_put(&t->rows, key, row);
    }
    free(key);
}

static inline void model_fill(model *m, model_row *row, const model_row *old, size_t at)
{
    for (size_t i = 0; i < row->count; i++) {
        if (!m->changes.any_unchanged || !tain_changes_is_unchanged(&m->changes, i, at)) continue;
        m->unchanged++;
        free(row->cells[i]);
        row->cells[i] = tain_strdup(old->cells[i]);
    }
}

static inline void model_apply(model *m, model_table *t, size_t i)
{
    model_row *row = model_row_at(&m->changes.batch, i), *old = NULL;
    switch ((tain_op)m->changes.ops.data[i]) {
    case TAIN_INSERT:
        m->inserts++;
        model_put(t, row);
        return;
    case TAIN_UPDATE:
        m->updates++;
        old = model_take(t, row);
        model_fill(m, row, old, i);
        model_put(t, row);
        break;
    case TAIN_DELETE:
        m->deletes++;
        old = model_take(t, row);
        model_row_free(row);
        break;
    case TAIN_KEY_OLD:
        m->moves++;
        assert_true(i + 1 < m->changes.batch.rows);
        assert_int_equal(m->changes.ops.data[i + 1], TAIN_KEY_NEW);
        old = model_take(t, row);
        model_row_free(row);
        row = model_row_at(&m->changes.batch, i + 1);
        model_fill(m, row, old, i + 1);
        model_put(t, row);
        break;
    case TAIN_KEY_NEW: model_row_free(row); return;
    default: fail_msg("operation %d", m->changes.ops.data[i]);
    }
    model_row_free(old);
}

static inline void model_drain(model *m)
{
    if (!m->current) return;
    for (size_t i = 0; i < m->changes.batch.rows; i++) model_apply(m, m->current, i);
    tain_changes_done(&m->changes);
    m->current = NULL;
}

static inline model_table *model_find(model *m, const tain_source_table *t)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->tables[i].source == t) return &m->tables[i];
    return NULL;
}

/* What the mirror keeps of a table's description. */
static inline void model_know(model_table *t)
{
    t->columns = t->source->columns;
    snprintf(t->name, sizeof t->name, "%s.%s", t->source->schema, t->source->name);
    free(t->memo);
    t->memo = tain_strdup(t->source->memo);
}

static inline model_table *model_add(model *m, tain_source_table *t)
{
    model_table *found = model_find(m, t);
    if (found) return found;
    m->tables[m->count] = (model_table){.source = t};
    model_know(&m->tables[m->count]);
    return &m->tables[m->count++];
}

static inline void model_empty(model_table *t)
{
    const char *key;
    model_row *row;
    TAIN_MAP_EACH(&t->rows, cursor, key, row) model_row_free(row);
    tain_map_done(&t->rows);
    t->rows = (tain_map){0};
}

static inline void model_leave_out(model_table *t, const tain_region *within)
{
    tain_map old = t->rows;
    const char *key;
    model_row *row;
    t->rows = (tain_map){0};
    TAIN_MAP_EACH(&old, cursor, key, row)
    {
        if (cells_within(within, t->columns, row->cells)) model_row_free(row);
        else tain_map_put(&t->rows, key, row);
    }
    tain_map_done(&old);
}

static inline void model_begin(tain_sink *sink, const tain_position *at)
{
    model *m = (model *)sink;
    assert_true(!m->open || tain_position_compare(at, &m->at) >= 0);
    m->open = true;
    m->at = *at;
}

static inline tain_changes *model_changes(tain_sink *sink, tain_source_table *t)
{
    model *m = (model *)sink;
    model_table *mt = model_find(m, t);
    assert_true(m->open);
    if (!mt || mt->ignored || tain_position_compare(&mt->have, &m->at) >= 0) return NULL;
    if (m->current != mt) {
        model_drain(m);
        tain_changes_init(&m->changes, t->columns);
        m->current = mt;
    }
    return &m->changes;
}

static inline tain_status model_truncate(tain_sink *sink, tain_source_table *t, const tain_region *within, tain_error *err)
{
    model *m = (model *)sink;
    model_table *mt = model_find(m, t);
    model_drain(m);
    if (mt && tain_position_compare(&mt->have, &m->at) < 0) within ? model_leave_out(mt, within) : model_empty(mt);
    m->truncates++;
    return TAIN_OK;
}

/* Index in `columns` of what is column i of t now; -1: it was not there. */
static inline int model_same_column(const tain_schema *columns, const tain_source_table *t, size_t i)
{
    for (size_t k = 0; k < columns->count; k++)
        if (columns->fields[k].source_id == t->columns->fields[i].source_id) return (int)k;
    return -1;
}

/* Rows keep what they have in columns that stay, and get the default of those that come. */
static inline void model_reshape_row(model_row *row, const tain_schema *columns, const tain_source_table *t)
{
    char **cells = tain_alloc((t->columns->count + 1) * sizeof *cells);
    for (size_t i = 0; i < t->columns->count; i++) {
        int k = model_same_column(columns, t, i);
        cells[i] = k >= 0 ? tain_strdup(row->cells[k]) : t->defaults ? model_cell(&t->defaults->columns[i], 0) : tain_strdup("\\N");
    }
    for (size_t i = 0; i < row->count; i++) free(row->cells[i]);
    free(row->cells);
    row->cells = cells;
    row->count = t->columns->count;
}

static inline void model_reshape_rows(model_table *mt)
{
    tain_map old = mt->rows;
    const char *key;
    model_row *row;
    mt->rows = (tain_map){0};
    TAIN_MAP_EACH(&old, cursor, key, row) {
        model_reshape_row(row, mt->columns, mt->source);
        model_put(mt, row);
    }
    tain_map_done(&old);
}

static inline bool model_shows(const model_table *mt)
{
    char name[140];
    const tain_source_table *t = mt->source;
    snprintf(name, sizeof name, "%s.%s", t->schema, t->name);
    if (strcmp(name, mt->name) != 0 || !tain_schema_equal(mt->columns, t->columns)) return true;
    for (size_t i = 0; i < t->columns->count; i++)
        if (model_same_column(mt->columns, t, i) != (int)i) return true;
    return false;
}

static inline tain_status model_reshape(tain_sink *sink, tain_source_table *t, bool reload, const char *reason, tain_error *err)
{
    model *m = (model *)sink;
    model_table *mt = model_find(m, t);
    model_drain(m);
    bool shows = reload || !mt || model_shows(mt);
    m->reshapes += shows;
    m->notes += !shows;
    m->reloads += reload;
    if (shows) snprintf(m->last_reason, sizeof m->last_reason, "%s", reason ? reason : "");
    if (!mt) return TAIN_OK;
    mt->ignored |= reload;
    if (reload) return TAIN_OK;
    if (!mt->ignored) model_reshape_rows(mt);
    model_know(mt);
    return TAIN_OK;
}

static inline tain_status model_appeared(tain_sink *sink, tain_source_table *t, tain_error *err)
{
    model *m = (model *)sink;
    m->appeared++;
    model_add(m, t)->ignored = true;
    return TAIN_OK;
}

static inline tain_status model_dropped(tain_sink *sink, tain_source_table *t, tain_error *err)
{
    ((model *)sink)->dropped++;
    return TAIN_OK;
}

static inline tain_status model_failed(tain_sink *sink, tain_source_table *t, const char *reason, const char *remedy, tain_error *err)
{
    model *m = (model *)sink;
    model_drain(m);
    m->failed++;
    snprintf(m->last_reason, sizeof m->last_reason, "%s", reason);
    assert_non_null(remedy);
    return TAIN_OK;
}

static inline void model_warn(tain_sink *sink, tain_source_table *t, size_t column, const char *code)
{
    model *m = (model *)sink;
    assert_true(column < t->columns->count);
    m->warnings++;
    snprintf(m->last_code, sizeof m->last_code, "%s", code);
}

static inline tain_status model_commit(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err)
{
    model *m = (model *)sink;
    model_drain(m);
    assert_true(tain_position_compare(position, &m->position) >= 0);
    m->position = *position;
    m->open = false;
    m->commits++;
    return m->commit_status;
}

static inline void model_init(model *m)
{
    *m = (model){.sink = {model_begin, model_changes, model_truncate, model_reshape, model_appeared, model_dropped, model_failed, model_warn, model_commit}};
}

static inline void model_done(model *m)
{
    if (m->current) tain_changes_done(&m->changes);
    for (size_t i = 0; i < m->count; i++) {
        model_empty(&m->tables[i]);
        free(m->tables[i].memo);
    }
}

/* --- loading from a snapshot ------------------------------------------------------------------------------------------- */

static inline tain_status model_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    for (size_t i = 0; i < batch->rows; i++) model_put(ctx, model_row_at(batch, i));
    return TAIN_OK;
}

static inline void model_rows_warn(void *ctx, tain_source_table *t, size_t column, const char *code) {}

#define must(call)                                                                                        \
    do {                                                                                                  \
        tain_error e_ = {0};                                                                              \
        tain_error *err = &e_;                                                                            \
        tain_status s_ = (call);                                                                          \
        if (s_ != TAIN_OK) fail_msg("%s: %s: %s", #call, tain_status_name(s_), e_.message);              \
    } while (0)

/* Reads one table whole, in chunks of about `rows`, at the snapshot that is open. */
static inline void model_read(model_table *mt, tain_source *s, int64_t rows)
{
    tain_chunk *chunks = NULL;
    size_t n = 0;
    tain_reader *reader = NULL;
    tain_rows_sink sink = {model_rows, model_rows_warn, mt};
    model_empty(mt);
    mt->ignored = false;
    model_know(mt);
    must(s->ops->snapshot_plan(s, mt->source, rows, &chunks, &n, err));
    must(s->ops->reader_open(s, &reader, err));
    for (size_t i = 0; i < n; i++) must(s->ops->reader_read(reader, &chunks[i], &sink, err));
    s->ops->reader_close(reader);
    free(chunks);
}

/* Loads every table of the catalog that can be mirrored; gives the position. */
static inline tain_position model_load(model *m, tain_source *s, int64_t rows)
{
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    tain_position position;
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(s->ops->snapshot_begin(s, catalog.tables, catalog.count, &position, err));
    for (size_t i = 0; i < catalog.count; i++) {
        if (catalog.tables[i]->verdict == TAIN_VERDICT_ERROR) continue;
        model_table *mt = model_add(m, catalog.tables[i]);
        mt->have = position;
        model_read(mt, s, rows);
    }
    must(s->ops->snapshot_end(s, err));
    m->position = position;
    return position;
}

/* Polls until the stream has come to the server's present end. */
static inline void model_catch_up(model *m, tain_source *s)
{
    tain_position head;
    must(s->ops->head(s, &head, err));
    while (tain_position_compare(&m->position, &head) < 0) must(s->ops->poll(s, &m->sink, tain_monotonic() + 50 * TAIN_MILLISECOND, err));
}

static inline int model_line_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* All rows, sorted, as lines of cells between '|'. Caller frees. */
static inline char *model_text(const model_table *t)
{
    size_t n = 0, total = 0;
    const char *key;
    model_row *row;
    TAIN_MAP_EACH(&t->rows, cursor, key, row) total += (size_t)row->copies;
    char **lines = tain_alloc((total + 1) * sizeof *lines);
    TAIN_MAP_EACH(&t->rows, cursor, key, row) {
        for (int c = 0; c < row->copies; c++) {
            tain_buffer line = {0};
            for (size_t i = 0; i < row->count; i++) tain_buffer_printf(&line, "%s%s", i ? "|" : "", row->cells[i]);
            lines[n++] = tain_buffer_cstr(&line);
        }
    }
    qsort(lines, n, sizeof *lines, model_line_order);
    tain_buffer all = {0};
    for (size_t i = 0; i < n; i++) {
        tain_buffer_printf(&all, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return tain_buffer_cstr(&all);
}

static inline model_table *model_named(model *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->tables[i].source->name, name) == 0) return &m->tables[i];
    fail_msg("no table %s", name);
    return NULL;
}

#endif
