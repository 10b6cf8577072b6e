/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/snapshot.h"

enum { BATCH_ROWS = 16384, BATCH_BYTES = 8 << 20 };

struct tain_reader {
    tain_sqlite *s;
};

/* --- views --------------------------------------------------------------------------------------------------------- */

static char *select_of(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    for (size_t i = 0; i < s->count; i++) {
        if (i) tain_buffer_append_str(&sql, ",");
        tain_sqlite_put_name(&sql, s->columns[i].name);
    }
    tain_buffer_append_str(&sql, " FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " NOT INDEXED WHERE 1");
    return tain_buffer_cstr(&sql);
}

void tain_sqlite_view_init(tain_sqlite_view *v, const tain_sqlite_table *t)
{
    const tain_sqlite_shape *s = t->shape;
    *v = (tain_sqlite_view){.table = (tain_source_table *)&t->table, .schema = t->table.columns, .select = select_of(s),
                            .cut = tain_sqlite_cut_column(s), .mark_count = t->marks.count, .rows = s->rows};
    v->marks = tain_alloc((t->marks.count + 1) * sizeof *v->marks);
    if (t->marks.count) memcpy(v->marks, t->marks.at, t->marks.count * sizeof *v->marks);
    v->seen = tain_alloc((s->count + 1) * sizeof *v->seen);
    v->plain = tain_alloc((s->count + 1) * sizeof *v->plain);
    for (size_t i = 0; i < s->count; i++) {
        v->seen[i] = s->columns[i].seen;
        v->plain[i] = !tain_sqlite_tells_loss(s, i, "type_as_text");
    }
}

void tain_sqlite_view_done(tain_sqlite_view *v)
{
    free(v->select);
    free(v->cut);
    free(v->marks);
    free(v->seen);
    free(v->plain);
}

static const tain_sqlite_view *view_of(const tain_sqlite *s, const tain_source_table *t)
{
    for (size_t i = 0; s->snapshot && i < s->snapshot->view_count; i++)
        if (s->snapshot->views[i].table == t) return &s->snapshot->views[i];
    return NULL;
}

static tain_status find_view(const tain_sqlite *s, const tain_source_table *t, const tain_sqlite_view **ret, tain_error *err)
{
    *ret = view_of(s, t);
    return *ret ? TAIN_OK : tain_fail(err, TAIN_E_NOT_FOUND, "table main.%s is not in the snapshot", t->name);
}

/* --- chunks -------------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_snapshot_plan(tain_source *source, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    const tain_sqlite_view *v;
    TAIN_TRY(find_view(tain_sqlite_of(source), table, &v, err));
    size_t step = rows > TAIN_SQLITE_MARK_ROWS ? (size_t)rows / TAIN_SQLITE_MARK_ROWS : 1;
    size_t n = v->cut ? (v->mark_count + step - 1) / step : v->mark_count > 0;
    tain_chunk *chunks = tain_alloc((n + 1) * sizeof *chunks);
    for (size_t i = 0; i < n; i++) {
        chunks[i] = (tain_chunk){.table = table, .from = i ? v->marks[i * step] : INT64_MIN, .to = i + 1 < n ? v->marks[(i + 1) * step] : INT64_MAX,
                                 .rows_estimate = v->rows / (int64_t)n};
    }
    *ret = chunks;
    *ret_count = n;
    return TAIN_OK;
}

/* The last chunk is open to the right: INT64_MAX itself is a rowid. */
static char *chunk_sql(const tain_sqlite_view *v, const tain_chunk *chunk)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, v->select);
    if (v->cut && chunk->from != INT64_MIN) tain_buffer_printf(&sql, " AND %s >= %lld", v->cut, (long long)chunk->from);
    if (v->cut && chunk->to != INT64_MAX) tain_buffer_printf(&sql, " AND %s < %lld", v->cut, (long long)chunk->to);
    return tain_buffer_cstr(&sql);
}

/* --- readers ------------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_reader_open(tain_source *source, tain_reader **ret, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    if (!s->snapshot) return tain_fail(err, TAIN_E_INVALID, "%s: no snapshot is open", s->path);
    tain_reader *r = tain_alloc(sizeof *r);
    r->s = s;
    *ret = r;
    return TAIN_OK;
}

void tain_sqlite_reader_close(tain_reader *r)
{
    free(r);
}

typedef struct reading {
    tain_sqlite            *s;
    const tain_sqlite_view *v;
    const tain_rows_sink   *sink;
    sqlite3_stmt           *stmt;
    tain_batch              batch;
    size_t                  bytes;
} reading;

static tain_status take_row(reading *g, tain_error *err)
{
    for (size_t i = 0; i < g->v->schema->count; i++) {
        tain_sqlite_value v = tain_sqlite_value_at(g->stmt, (int)i);
        if (tain_sqlite_seen(&v, false) & TAIN_SEEN_CLASSES & ~g->v->seen[i])
            return tain_fail(err, TAIN_E_NOT_FOUND, "column %s holds a value that was not there a moment ago", g->v->schema->fields[i].name);
        const char *code = tain_sqlite_append(&g->batch.columns[i], &v);
        if (code && !g->v->plain[i]) g->sink->warn(g->sink->ctx, g->v->table, i, code);
        g->bytes += 8 + v.size;
    }
    tain_batch_end_row(&g->batch);
    return TAIN_OK;
}

static tain_status fill(reading *g, bool *ret_more, tain_error *err)
{
    g->bytes = 0;
    while (g->batch.rows < BATCH_ROWS && g->bytes < BATCH_BYTES) {
        TAIN_TRY(tain_sqlite_step(g->s->snapshot->conn, g->stmt, ret_more, err));
        if (!*ret_more) return TAIN_OK;
        TAIN_TRY(take_row(g, err));
    }
    return TAIN_OK;
}

static tain_status fill_in_turn(reading *g, const char *sql, bool *ret_more, tain_error *err)
{
    tain_sqlite_snapshot *snap = g->s->snapshot;
    pthread_mutex_lock(&snap->lock);
    tain_status st = g->stmt ? TAIN_OK : tain_sqlite_prepare(snap->conn, sql, &g->stmt, err);
    if (st == TAIN_OK) st = fill(g, ret_more, err);
    pthread_mutex_unlock(&snap->lock);
    if (st == TAIN_OK && atomic_load_explicit(&g->s->cancelled, memory_order_relaxed)) st = tain_fail(err, TAIN_E_CANCELLED, "cancelled");
    return st;
}

static tain_status read_all(reading *g, const char *sql, tain_error *err)
{
    bool more = true;
    while (more) {
        TAIN_TRY(fill_in_turn(g, sql, &more, err));
        if (g->batch.rows) TAIN_TRY(g->sink->rows(g->sink->ctx, &g->batch, err));
        tain_batch_clear(&g->batch);
    }
    return TAIN_OK;
}

static void reading_done(reading *g)
{
    pthread_mutex_lock(&g->s->snapshot->lock);
    sqlite3_finalize(g->stmt);
    pthread_mutex_unlock(&g->s->snapshot->lock);
    tain_batch_done(&g->batch);
}

tain_status tain_sqlite_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    const tain_sqlite_view *v;
    TAIN_TRY(find_view(r->s, chunk->table, &v, err));
    reading g = {.s = r->s, .v = v, .sink = sink};
    char *sql = chunk_sql(v, chunk);
    tain_batch_init(&g.batch, v->schema);
    tain_status st = read_all(&g, sql, err);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", chunk->table->name);
    reading_done(&g);
    free(sql);
    return st;
}
