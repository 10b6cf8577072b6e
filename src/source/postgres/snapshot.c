/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include <stdlib.h>
#include <unistd.h>

#include "source/postgres/copy.h"
#include "source/postgres/stream.h"
#include "source/postgres/result.h"
#include "postgres_queries.h"

/* A chunk's from and to: the OID of a partition (0: the table itself) above 32 bits of block number. WHOLE takes
 * everything without looking at blocks. */
#define WHOLE INT64_MAX
enum { PAGE = 8192, RANGES_SINCE = 140000 /* older servers read the whole table for every range */ };

struct tain_reader {
    tain_pg_source *source;
    tain_pg_conn    conn;
};

/* --- fixing the content -------------------------------------------------------------------------------------------- */

static tain_status export_temporary(tain_pg_source *s, tain_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%.45s_load_%d", s->slot, (int)getpid());
    return tain_pg_export(s, name, true, err);
}

/* What happened to it before is in what is read now. */
static void begin_anew(tain_pg_source *s, tain_pg_table *t)
{
    t->renew = false;
    t->recalled = t->textual_now = false;
    t->due = TAIN_PG_DUE_NOTHING;
    t->history_count = 0;
    tain_pg_history_add(s, t, s->snapshot_lsn);
    if (s->stream && s->stream->binary && t->shape->textual) s->stream->restart = true;
}

/* The tables as the snapshot has them: a column that was added since the last look holds values already. */
static tain_status renew_tables(tain_pg_source *s, tain_source_table **tables, size_t n, tain_error *err)
{
    for (size_t i = 0; i < n; i++) {
        tain_pg_table *t = tain_pg_table_of(s, tables[i]);
        if (t) t->renew = true;
    }
    TAIN_TRY(tain_pg_catalog_renew(s, err));
    for (size_t i = 0; i < n; i++) {
        tain_pg_table *t = tain_pg_table_of(s, tables[i]);
        if (t && t->shape) begin_anew(s, t);
    }
    return TAIN_OK;
}

tain_status tain_pg_snapshot_begin(tain_source *base, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    bool have = s->slot_snapshot && tain_pg_connected(&s->exporter);
    if (!have) {
        tain_pg_slot slot;
        TAIN_TRY(tain_pg_catalog_conn(s, err));
        TAIN_TRY(tain_pg_slot_read(s, &slot, err));
        if (slot.there && slot.lost[0]) TAIN_TRY(tain_pg_slot_replace(s, err));
        else TAIN_TRY(export_temporary(s, err));
    }
    s->slot_snapshot = false;
    tain_pg_position(s->snapshot_lsn, ret);
    tain_status status = renew_tables(s, tables, n, err);
    if (status != TAIN_OK) tain_pg_export_end(s);
    return status;
}

tain_status tain_pg_snapshot_end(tain_source *base, tain_error *err)
{
    tain_pg_export_end((tain_pg_source *)base);
    return TAIN_OK;
}

/* --- cutting into chunks ------------------------------------------------------------------------------------------- */

typedef struct plan { tain_chunk *list; size_t count, capacity; tain_source_table *table; } plan;

static void add_chunk(plan *p, int64_t from, int64_t to, double rows)
{
    if (p->count == p->capacity) p->list = tain_realloc(p->list, (p->capacity = p->capacity * 2 + 16) * sizeof *p->list);
    p->list[p->count++] = (tain_chunk){.table = p->table, .from = from, .to = to, .rows_estimate = (int64_t)rows};
}

/* Blocks of one relation in ranges of about `rows` rows; the last one is open, the relation may have grown. */
static void cut(plan *p, uint32_t leaf, int64_t blocks, double all_rows, int64_t rows, bool ranges)
{
    int64_t base = (int64_t)((uint64_t)leaf << 32);
    double pieces = all_rows / (double)rows;
    int64_t step = pieces < 1.5 || !ranges ? blocks : (int64_t)((double)blocks / pieces);
    if (step < 1) step = 1;
    int64_t at = 0;
    for (; blocks - at >= 2 * step; at += step) add_chunk(p, base + at, base + at + step, all_rows * (double)step / (double)blocks);
    add_chunk(p, base + at, base + UINT32_MAX, blocks ? all_rows * (double)(blocks - at) / (double)blocks : 0);
}

static bool leaves_readable(const tain_pg_table *t)
{
    for (size_t i = 0; t->leaves && i < t->leaves->count; i++)
        if (!t->leaves->list[i].may_select) return false;
    return t->leaves && t->leaves->count;
}

static double leaf_blocks(const tain_pg_leaf *l) { return l->bytes >= 0 ? (double)l->bytes / PAGE : l->relpages; }

static void plan_leaves(plan *p, const tain_pg_leaves *leaves, int64_t rows, bool ranges)
{
    double all = 0;
    for (size_t i = 0; i < leaves->count; i++) all += leaf_blocks(&leaves->list[i]);
    for (size_t i = 0; i < leaves->count; i++) {
        double blocks = leaf_blocks(&leaves->list[i]);
        cut(p, leaves->list[i].oid, (int64_t)blocks, all > 0 ? (double)p->table->rows_estimate * blocks / all : 0, rows, ranges);
    }
}

tain_status tain_pg_snapshot_plan(tain_source *base, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_table *t = tain_pg_table_of(s, table);
    plan p = {.table = table};
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_catalog_size(s, t, err));
    bool small = table->rows_estimate < rows + rows / 2, ranges = s->conn.version >= RANGES_SINCE;
    if (small || (t->kind == 'p' && !leaves_readable(t))) add_chunk(&p, 0, WHOLE, (double)table->rows_estimate);
    else if (t->kind == 'p') plan_leaves(&p, t->leaves, rows, ranges);
    else if (!ranges) add_chunk(&p, 0, WHOLE, (double)table->rows_estimate);
    else cut(&p, 0, t->bytes >= 0 ? t->bytes / PAGE : (int64_t)t->relpages, (double)table->rows_estimate, rows, ranges);
    *ret = p.list;
    *ret_count = p.count;
    return TAIN_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

tain_status tain_pg_reader_open(tain_source *base, tain_reader **ret, tain_error *err)
{
    tain_reader *r = tain_alloc(sizeof *r);
    r->source = (tain_pg_source *)base;
    tain_status status = tain_pg_connect(&r->conn, &r->source->target, TAIN_PG_READER, err);
    if (status == TAIN_OK) *ret = r;
    else tain_pg_reader_close(r);
    return status;
}

void tain_pg_reader_close(tain_reader *r)
{
    if (!r) return;
    tain_pg_disconnect(&r->conn);
    tain_free(r);
}

static void put_column(tain_buffer *out, const tain_pg_column *c)
{
    const tain_pg_type *type = c->codec->pg;
    if (c->codec->ask == TAIN_PG_ASK_BINARY) {
        tain_pg_put_identifier(out, c->name);
        return;
    }
    tain_buffer_append_str(out, "pg_catalog.textin("); /* a cast to text is not always the output function: inet's shows the mask */
    tain_pg_put_name(out, type->out_schema, type->out_name);
    tain_buffer_append_u8(out, '(');
    tain_pg_put_identifier(out, c->name);
    tain_buffer_append_str(out, "))");
}

static void put_columns(tain_buffer *out, const tain_pg_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (i) tain_buffer_append_str(out, ", ");
        put_column(out, &shape->columns[i]);
    }
}

static const tain_pg_leaf *leaf_of(const tain_pg_table *t, uint32_t oid)
{
    for (const tain_pg_leaves *l = t->leaves; l; l = l->older)
        for (size_t i = 0; i < l->count; i++)
            if (l->list[i].oid == oid) return &l->list[i];
    return NULL;
}

static bool is_binary(const tain_pg_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->columns[i].codec->ask != TAIN_PG_ASK_BINARY) return false;
    return true;
}

static void put_range(tain_buffer *out, uint32_t from, uint32_t to)
{
    tain_buffer_printf(out, " WHERE ctid >= '(%u,0)'::tid", from);
    if (to != UINT32_MAX) tain_buffer_printf(out, " AND ctid < '(%u,0)'::tid", to);
}

static void put_copy(tain_buffer *out, const tain_pg_table *t, const tain_pg_shape *shape, const tain_chunk *chunk, const tain_pg_leaf *leaf)
{
    bool whole = chunk->to == WHOLE || ((uint32_t)chunk->from == 0 && (uint32_t)chunk->to == UINT32_MAX);
    const char *schema = leaf ? leaf->schema : t->pub->schema, *name = leaf ? leaf->name : t->pub->name;
    if (whole && (leaf || t->kind != 'p') && is_binary(shape)) {
        tain_buffer_append_str(out, "COPY ");
        tain_pg_put_name(out, schema, name);
        tain_buffer_append_str(out, " (");
        put_columns(out, shape);
    } else {
        tain_buffer_append_str(out, "COPY (SELECT ");
        put_columns(out, shape);
        tain_buffer_append_str(out, t->kind == 'p' && !leaf ? " FROM " : " FROM ONLY ");
        tain_pg_put_name(out, schema, name);
        if (!whole) put_range(out, (uint32_t)chunk->from, (uint32_t)chunk->to);
    }
    tain_buffer_append_str(out, ") TO STDOUT (FORMAT binary)");
}

static tain_status explain(tain_reader *r, const tain_pg_table *t, tain_status status, tain_error *err)
{
    if (!err) return status;
    if (status == TAIN_E_PERMISSION) {
        TAIN_AUTO(tain_buffer_done) tain_buffer remedy = {0};
        tain_buffer_append_str(&remedy, "GRANT SELECT ON ");
        tain_pg_put_name(&remedy, t->pub->schema, t->pub->name);
        tain_buffer_append_str(&remedy, " TO ");
        tain_pg_put_identifier(&remedy, r->source->server.role);
        tain_error_remedy(err, "%s;", tain_buffer_cstr(&remedy));
    }
    if (status == TAIN_E_NOT_FOUND) tain_error_remedy(err, "it changed while it was being read: reload it with --resync %s.%s", t->pub->schema, t->pub->name);
    tain_error_context(err, "table %s.%s", t->pub->schema, t->pub->name);
    return status;
}

static tain_status connect_again(tain_reader *r, tain_error *err)
{
    if (tain_pg_connected(&r->conn)) return TAIN_OK;
    tain_pg_disconnect(&r->conn);
    return tain_pg_connect(&r->conn, &r->source->target, TAIN_PG_READER, err);
}

/* VACUUM FULL, CLUSTER, TRUNCATE and changes of type give a table a new file, in which rows are anywhere. A partition that
 * comes or goes changes the list. */
tain_status tain_pg_reader_mark(tain_reader *r, tain_source_table *table, char **ret, tain_error *err)
{
    TAIN_PG_RESULT *result = NULL;
    const char *oid = table->identity;
    TAIN_TRY(connect_again(r, err));
    TAIN_TRY(tain_pg_query_params(&r->conn, tain_query_places, 1, &oid, &result, err));
    *ret = tain_strdup(PQntuples(result) == 1 ? tain_pg_get(result, 0, "mark") : "");
    return TAIN_OK;
}

static tain_status begin(tain_reader *r, tain_error *err)
{
    TAIN_TRY(connect_again(r, err));
    TAIN_TRY(tain_pg_run(&r->conn, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    tain_status status = tain_pg_run(&r->conn, err, "SET TRANSACTION SNAPSHOT '%s'", r->source->snapshot);
    if (status != TAIN_E_INVALID && status != TAIN_E_NOT_FOUND) return status;
    return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s: the snapshot that was being read is gone", r->source->target.where);
}

static tain_status read_all(tain_reader *r, tain_pg_copy *copy, tain_error *err)
{
    for (;;) {
        char *data = NULL;
        size_t n = 0;
        tain_pg_copied what;
        TAIN_TRY(tain_pg_copy_next(&r->conn, true, &data, &n, &what, err));
        if (what == TAIN_PG_COPY_END) return tain_pg_copy_finish(copy, err);
        tain_status status = tain_pg_copy_feed(copy, data, n, err);
        PQfreemem(data);
        TAIN_TRY(status);
        TAIN_TRY(tain_pg_copy_give(copy, err));
    }
}

static tain_status read_chunk(tain_reader *r, const tain_pg_table *t, const tain_pg_leaf *leaf, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    const tain_pg_shape *shape = t->shape; /* the stream may give the table another one meanwhile */
    put_copy(&sql, t, shape, chunk, leaf);
    TAIN_TRY(begin(r, err));
    TAIN_TRY(tain_pg_begin_copy(&r->conn, tain_buffer_cstr(&sql), PGRES_COPY_OUT, err));
    const tain_pg_codec **codecs = tain_alloc((shape->count + 1) * sizeof *codecs);
    for (size_t i = 0; i < shape->count; i++) codecs[i] = shape->columns[i].codec;
    tain_pg_copy copy;
    tain_pg_copy_init(&copy, t->pub, shape->shown, codecs, sink);
    tain_status status = read_all(r, &copy, err);
    tain_pg_copy_done(&copy);
    tain_free(codecs);
    TAIN_TRY(status);
    return tain_pg_run(&r->conn, err, "COMMIT"); /* lets go of the table at once */
}

tain_status tain_pg_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    const tain_pg_table *t = tain_pg_table_of(r->source, chunk->table);
    uint32_t oid = chunk->to == WHOLE ? 0 : (uint32_t)((uint64_t)chunk->from >> 32);
    const tain_pg_leaf *leaf = oid ? leaf_of(t, oid) : NULL;
    if (oid && !leaf) return TAIN_OK; /* the partition is gone, and its rows with it */
    tain_status status = read_chunk(r, t, leaf, chunk, sink, err);
    if (status == TAIN_OK) return TAIN_OK;
    tain_pg_disconnect(&r->conn); /* a COPY given up midway cannot be asked anything else */
    return explain(r, t, status, err);
}
