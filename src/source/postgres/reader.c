/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include "postgres_queries.h"
#include "source/postgres/copy.h"
#include "source/postgres/result.h"
#include "source/postgres/standby.h"

struct tain_reader {
    tain_pg_source *source;
    tain_pg_target *target; /* the server that has the snapshot */
    tain_pg_conn    conn;
    struct run { /* a COPY that goes on behind the chunk that was read last */
        const tain_pg_table *table;   /* NULL: there is none */
        int64_t              at;      /* what it is at, as in chunks */
        bool                 over;    /* it has come to its end: there are no more rows */
        tain_pg_copy         copy;
    } run;
};

/* The server may be in the midst of it. */
static void end_run(tain_reader *r)
{
    if (!r->run.table) return;
    if (!r->run.over) tain_pg_give_up(&r->conn);
    tain_pg_copy_done(&r->run.copy);
    r->run = (struct run){0};
}

tain_status tain_pg_reader_open(tain_source *base, tain_reader **ret, tain_error *err)
{
    tain_reader *r = tain_alloc(sizeof *r);
    r->source = (tain_pg_source *)base;
    r->target = tain_pg_standby_conn(r->source) ? &r->source->standby->target : &r->source->target;
    tain_status status = tain_pg_connect(&r->conn, r->target, TAIN_PG_READER, err);
    if (status == TAIN_OK) *ret = r;
    else tain_pg_reader_close(r);
    return status;
}

void tain_pg_reader_close(tain_reader *r)
{
    if (!r) return;
    end_run(r);
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

static void put_column_name(tain_buffer *out, const tain_pg_column *c) { tain_pg_put_identifier(out, c->name); }

static void put_columns(tain_buffer *out, const tain_pg_shape *shape, void (*put)(tain_buffer *out, const tain_pg_column *c))
{
    for (size_t i = 0; i < shape->count; i++) {
        if (i) tain_buffer_append_str(out, ", ");
        put(out, &shape->columns[i]);
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

static bool is_whole(const tain_chunk *chunk) { return chunk->to == TAIN_PG_WHOLE || ((uint32_t)chunk->from == 0 && (uint32_t)chunk->to == UINT32_MAX); }

static void put_copy(tain_buffer *out, const tain_pg_table *t, const tain_pg_shape *shape, const tain_chunk *chunk, const tain_pg_leaf *leaf)
{
    bool whole = is_whole(chunk);
    const char *schema = leaf ? leaf->schema : t->pub->schema, *name = leaf ? leaf->name : t->pub->name;
    if (whole && (leaf || t->kind != 'p') && is_binary(shape)) {
        tain_buffer_append_str(out, "COPY ");
        tain_pg_put_name(out, schema, name);
        tain_buffer_append_str(out, " (");
        put_columns(out, shape, put_column);
    } else {
        tain_buffer_append_str(out, "COPY (SELECT ");
        put_columns(out, shape, put_column);
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
    if (status == TAIN_E_NOT_FOUND) {
        TAIN_AUTO(tain_free) char *resync = tain_source_resync(t->pub);
        tain_error_remedy(err, "it changed while it was being read: reload it with %s", resync);
    }
    tain_error_context(err, "table %s.%s", t->pub->schema, t->pub->name);
    return status;
}

static tain_status connect_again(tain_reader *r, tain_error *err)
{
    if (tain_pg_connected(&r->conn)) return TAIN_OK;
    tain_pg_disconnect(&r->conn);
    return tain_pg_connect(&r->conn, r->target, TAIN_PG_READER, err);
}

/* VACUUM FULL, CLUSTER, TRUNCATE and changes of type give a table a new file, in which rows are anywhere. A partition that
 * comes or goes changes the list. */
tain_status tain_pg_reader_mark(tain_reader *r, tain_source_table *table, char **ret, tain_error *err)
{
    TAIN_PG_RESULT *result = NULL;
    const char *oid = table->identity;
    end_run(r);
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
    (void)tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s: the snapshot that was being read is gone", r->target->where);
    tain_error_remedy(err, "another one is read; if this comes again and again, a proxy between ends connections that are idle: let it wait longer");
    return TAIN_E_UNAVAILABLE;
}

static tain_status read_all(tain_reader *r, tain_pg_copy *copy, tain_error *err)
{
    while (!copy->stopped) {
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
    return tain_pg_copy_pause(copy, err);
}

/* --- is it still what is known of it? ------------------------------------------------------------------------------- */

/* COPY reads by name and tells no types, and sees tables as they are now, while their rows are those of the snapshot. So the
 * transaction asks for no rows first: that locks the table, and its description is what COPY will bring. */

static tain_status describe(tain_reader *r, const tain_pg_shape *shape, const char *schema, const char *name, PGresult **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    put_columns(&sql, shape, put_column_name);
    tain_buffer_append_str(&sql, " FROM ONLY ");
    tain_pg_put_name(&sql, schema, name);
    tain_buffer_append_str(&sql, " WHERE false");
    return tain_pg_query(&r->conn, tain_buffer_cstr(&sql), ret, err);
}

/* A partition has attribute numbers of its own. */
static bool is_as_known(const PGresult *now, const tain_pg_shape *shape, uint32_t oid, bool numbered)
{
    for (size_t i = 0; i < shape->count; i++) {
        const tain_pg_column *c = &shape->columns[i];
        const tain_pg_type *base = c->codec->pg;
        if (PQftable(now, (int)i) != oid || PQftype(now, (int)i) != base->oid) return false;
        if (base->oid == c->type_oid && PQfmod(now, (int)i) != c->typmod) return false;
        if (numbered && PQftablecol(now, (int)i) != c->attnum) return false;
    }
    return true;
}

static tain_status fail_changed(tain_error *err)
{
    return tain_fail(err, TAIN_E_NOT_FOUND, "it changed between the snapshot and its reading");
}

static tain_status hold(tain_reader *r, const tain_pg_table *t, const tain_pg_shape *shape, const tain_pg_leaf *leaf, tain_error *err)
{
    TAIN_PG_RESULT *root = NULL, *part = NULL;
    TAIN_TRY(describe(r, shape, t->pub->schema, t->pub->name, &root, err));
    if (!is_as_known(root, shape, t->oid, true)) return fail_changed(err);
    if (!leaf) return TAIN_OK;
    TAIN_TRY(describe(r, shape, leaf->schema, leaf->name, &part, err));
    return is_as_known(part, shape, leaf->oid, false) ? TAIN_OK : fail_changed(err);
}

/* Asked when everything that is read is locked. */
static tain_status check_unmoved(tain_reader *r, uint32_t oid, tain_error *err)
{
    char text[16];
    const char *value = text;
    TAIN_PG_RESULT *result = NULL;
    snprintf(text, sizeof text, "%u", oid);
    TAIN_TRY(tain_pg_query_params(&r->conn, tain_query_moved, 1, &value, &result, err));
    return tain_pg_get_bool(result, 0, "moved") ? fail_changed(err) : TAIN_OK;
}

/* --- a chunk -------------------------------------------------------------------------------------------------------- */

static void begin_decoding(tain_pg_copy *copy, const tain_pg_table *t, const tain_pg_shape *shape, const tain_rows_sink *sink)
{
    const tain_pg_codec **codecs = tain_alloc((shape->count + 1) * sizeof *codecs);
    for (size_t i = 0; i < shape->count; i++) codecs[i] = shape->columns[i].codec;
    tain_pg_copy_init(copy, t->pub, shape->shown, codecs, sink);
    tain_free(codecs);
}

static tain_status read_chunk(tain_reader *r, const tain_pg_table *t, const tain_pg_leaf *leaf, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    const tain_pg_shape *shape = t->shape; /* the stream may give the table another one meanwhile */
    put_copy(&sql, t, shape, chunk, leaf);
    TAIN_TRY(begin(r, err));
    TAIN_TRY(hold(r, t, shape, leaf, err));
    TAIN_TRY(tain_pg_begin_copy(&r->conn, tain_buffer_cstr(&sql), PGRES_COPY_OUT, err));
    tain_pg_copy copy;
    begin_decoding(&copy, t, shape, sink);
    tain_status status = read_all(r, &copy, err);
    tain_pg_copy_done(&copy);
    TAIN_TRY(status);
    TAIN_TRY(check_unmoved(r, leaf ? leaf->oid : t->oid, err));
    return tain_pg_run(&r->conn, err, "COMMIT"); /* lets go of the table at once */
}

/* --- chunk by chunk, where the server knows no ranges of blocks -------------------------------------------------------- */

/* It passes what is in front of a place by, which costs less than sending it, and not nothing: so one COPY goes on from chunk to
 * chunk, with rows that say where they are. */

static void put_run(tain_buffer *out, const tain_pg_table *t, const tain_pg_shape *shape, uint32_t from, const tain_pg_leaf *leaf)
{
    tain_buffer_append_str(out, "COPY (SELECT ctid, ");
    put_columns(out, shape, put_column);
    tain_buffer_append_str(out, " FROM ONLY ");
    tain_pg_put_name(out, leaf ? leaf->schema : t->pub->schema, leaf ? leaf->name : t->pub->name);
    if (from) put_range(out, from, UINT32_MAX);
    tain_buffer_append_str(out, ") TO STDOUT (FORMAT binary)");
}

/* Nothing moves any more once the table is held. */
static tain_status begin_run(tain_reader *r, const tain_pg_table *t, const tain_pg_leaf *leaf, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    const tain_pg_shape *shape = t->shape;
    put_run(&sql, t, shape, (uint32_t)chunk->from, leaf);
    TAIN_TRY(begin(r, err));
    TAIN_TRY(tain_pg_run(&r->conn, err, "SET LOCAL synchronize_seqscans = off; SET LOCAL enable_seqscan = on; SET LOCAL max_parallel_workers_per_gather = 0"));
    TAIN_TRY(hold(r, t, shape, leaf, err));
    TAIN_TRY(check_unmoved(r, leaf ? leaf->oid : t->oid, err));
    TAIN_TRY(tain_pg_begin_copy(&r->conn, tain_buffer_cstr(&sql), PGRES_COPY_OUT, err));
    r->run = (struct run){.table = t, .at = chunk->from};
    begin_decoding(&r->run.copy, t, shape, sink);
    tain_pg_copy_place(&r->run.copy, (uint32_t)chunk->to);
    return TAIN_OK;
}

static tain_status read_on(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    struct run *run = &r->run;
    if (!run->over) {
        TAIN_TRY(tain_pg_copy_go_on(&run->copy, sink, (uint32_t)chunk->to, err));
        TAIN_TRY(read_all(r, &run->copy, err));
        run->over = !run->copy.stopped;
        if (run->over) TAIN_TRY(tain_pg_run(&r->conn, err, "COMMIT"));
    }
    run->at = chunk->to;
    if (chunk->ahead <= chunk->to) end_run(r);
    return TAIN_OK;
}

static tain_status read_in_order(tain_reader *r, const tain_pg_table *t, const tain_pg_leaf *leaf, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    if (r->run.table != t || r->run.at != chunk->from) {
        end_run(r);
        TAIN_TRY(begin_run(r, t, leaf, chunk, sink, err));
    }
    return read_on(r, chunk, sink, err);
}

tain_status tain_pg_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    const tain_pg_table *t = tain_pg_table_of(r->source, chunk->table);
    uint32_t oid = chunk->to == TAIN_PG_WHOLE ? 0 : (uint32_t)((uint64_t)chunk->from >> 32);
    const tain_pg_leaf *leaf = oid ? leaf_of(t, oid) : NULL;
    if (oid && !leaf) return TAIN_OK; /* the partition is gone, and its rows with it */
    bool in_order = r->source->base.in_order && !is_whole(chunk);
    if (!in_order) end_run(r);
    tain_status status = (in_order ? read_in_order : read_chunk)(r, t, leaf, chunk, sink, err);
    if (status == TAIN_OK) return TAIN_OK;
    end_run(r);
    tain_pg_disconnect(&r->conn); /* a COPY given up midway cannot be asked anything else */
    return explain(r, t, status, err);
}
