/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/sqlite.h"

/* --- news ---------------------------------------------------------------------------------------------------------- */

static bool has_appeared(const tain_sqlite_table *t)
{
    return !t->told && tain_sqlite_is_live(t);
}

static bool is_lost(const tain_sqlite_table *t)
{
    return t->told && !tain_sqlite_is_live(t);
}

bool tain_sqlite_has_news(const tain_sqlite *s)
{
    for (size_t i = 0; i < s->table_count; i++) {
        const tain_sqlite_table *t = s->tables[i];
        if (has_appeared(t) || is_lost(t) || (t->told && t->news.state == TAIN_SQLITE_QUEUED)) return true;
    }
    return false;
}

/* A table new to the user is loaded from its beginning: what was to be told of it is void. */
static tain_status tell_appeared(tain_sqlite_table *t, tain_sink *sink, tain_error *err)
{
    t->told = true;
    if (t->news.state == TAIN_SQLITE_QUEUED) t->news.state = TAIN_SQLITE_NO_NEWS;
    return sink->appeared(sink, &t->table, err);
}

static tain_status tell_lost(tain_sqlite_table *t, tain_sink *sink, tain_error *err)
{
    t->told = false;
    if (!t->shape) return sink->dropped(sink, &t->table, err);
    const tain_finding *f = &t->table.findings[0];
    for (size_t i = 0; i < t->table.finding_count; i++)
        if (t->table.findings[i].level == TAIN_VERDICT_ERROR) f = &t->table.findings[i];
    return sink->failed(sink, &t->table, f->message, f->remedy, err);
}

static tain_status tell_news(tain_sqlite_table *t, tain_sink *sink, const tain_position *at, tain_error *err)
{
    t->news.state = TAIN_SQLITE_TOLD;
    t->news.at = *at;
    return sink->reshape(sink, &t->table, t->news.reload, t->news.reason, err);
}

/* Names are left before others take them. */
tain_status tain_sqlite_tell(tain_sqlite *s, tain_sink *sink, const tain_position *at, tain_error *err)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (is_lost(s->tables[i])) TAIN_TRY(tell_lost(s->tables[i], sink, err));
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (t->told && t->news.state == TAIN_SQLITE_QUEUED) TAIN_TRY(tell_news(t, sink, at, err));
    }
    for (size_t i = 0; i < s->table_count; i++)
        if (has_appeared(s->tables[i])) TAIN_TRY(tell_appeared(s->tables[i], sink, err));
    return TAIN_OK;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_learn(tain_sqlite *s, tain_sqlite_table *t, tain_sink *sink, const tain_position *at, bool *ret_changed, tain_error *err)
{
    size_t cause = t->shape->count;
    bool renumber = t->renumber, keyed = tain_sqlite_has_key(t->shape);
    *ret_changed = false;
    for (size_t i = 0; i < t->shape->count; i++) {
        tain_sqlite_column *c = &t->shape->columns[i];
        bool key = tain_sqlite_is_key(t->shape, i);
        unsigned bits = tain_sqlite_shape_seen(t->shape, i, &t->values[i], key) & ~c->seen;
        if (!bits || (bits == TAIN_SEEN_NULL && !key)) continue;
        t->dirty = true;
        if (!tain_sqlite_shape_see(t->shape, i, bits)) continue;
        *ret_changed = true;
        cause = i;
    }
    if (!*ret_changed) return TAIN_OK;
    char *reason = tain_format("column %s now holds a value that it could not hold as it was mirrored", t->shape->columns[cause].name);
    tain_sqlite_queue(t, true, reason);
    free(reason);
    tain_sqlite_show(s, t);
    if (keyed == tain_sqlite_has_key(t->shape)) t->renumber = renumber;
    else s->schema_version = -1; /* its triggers must be others */
    return tell_news(t, sink, at, err);
}

/* For the findings of whoever looks later. */
static void note_bad_text(tain_sqlite_table *t, size_t column)
{
    t->dirty |= !(t->shape->columns[column].seen & TAIN_SEEN_BAD_TEXT);
    t->shape->columns[column].seen |= TAIN_SEEN_BAD_TEXT;
}

void tain_sqlite_emit(tain_sqlite_table *t, tain_sink *sink, const tain_sqlite_value *values, tain_op op)
{
    tain_changes *c = sink->changes(sink, &t->table);
    if (!c) return;
    for (size_t i = 0; i < t->shape->count; i++) {
        const char *code = tain_sqlite_append(&c->batch.columns[i], &values[i]);
        if (code && tain_sqlite_tells_loss(t->shape, i, code)) sink->warn(sink, &t->table, i, code);
        if (code && strcmp(code, "invalid_utf8") == 0) note_bad_text(t, i);
    }
    tain_changes_end_row(c, op);
}
