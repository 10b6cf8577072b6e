/* SPDX-License-Identifier: MIT */
/* How large tables are: wanted, not needed. */
#include "source/postgres/postgres.h"

#include "source/postgres/result.h"
#include "postgres_queries.h"

static void put_oids_of(const tain_pg_table *t, tain_buffer *out)
{
    if (!t->present) return;
    tain_buffer_printf(out, "%s%u", out->size ? "," : "{", t->oid);
    for (size_t k = 0; tain_pg_leaf_at(t, k); k++) tain_buffer_printf(out, ",%u", tain_pg_leaf_at(t, k)->oid);
}

static void take_size(tain_pg_source *s, const PGresult *r, int row)
{
    uint32_t oid = tain_pg_get_oid(r, row, "oid");
    tain_pg_table *t = tain_pg_table_by_oid(s, oid);
    if (t) {
        t->bytes = tain_pg_get_int(r, row, "main");
        t->total_bytes = tain_pg_get_int(r, row, "total");
        return;
    }
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_leaf *l;
        for (size_t k = 0; (l = tain_pg_leaf_at(s->tables[i], k)); k++) {
            if (l->oid != oid) continue;
            l->bytes = tain_pg_get_int(r, row, "main");
            s->tables[i]->total_bytes += tain_pg_get_int(r, row, "total");
            return;
        }
    }
}

/* A table that somebody locks exclusively must not make this wait; then the catalog's last count has to do. */
static tain_status read_sizes(tain_pg_source *s, tain_buffer *oids, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    tain_error ignored = {0};
    if (oids->size == 0) return TAIN_OK;
    tain_buffer_append_u8(oids, '}');
    TAIN_TRY(tain_pg_run(&s->conn, err, "SET lock_timeout = '200ms'"));
    tain_status status = tain_pg_query_params(&s->conn, tain_query_sizes, 1, (const char *[]){tain_buffer_cstr(oids)}, &r, &ignored);
    if (status != TAIN_OK && !tain_pg_connected(&s->conn)) {
        if (err) *err = ignored;
        return status;
    }
    TAIN_TRY(tain_pg_run(&s->conn, err, "SET lock_timeout = '5s'"));
    for (int row = 0; r && row < PQntuples(r); row++) take_size(s, r, row);
    return TAIN_OK;
}

enum { PAGE = 8192, ROW_OVERHEAD = 28, VARIABLE_WIDTH = 32 };

static int64_t width_of(const tain_pg_shape *shape)
{
    int64_t width = ROW_OVERHEAD;
    for (size_t i = 0; i < shape->count; i++) {
        const tain_type *type = &shape->columns[i].codec->type;
        bool variable = type->kind == TAIN_STRING || type->kind == TAIN_BINARY || type->kind == TAIN_LIST;
        width += variable ? VARIABLE_WIDTH : 1 + (int64_t)tain_type_width(type);
    }
    return width;
}

static double rows_in(double bytes, double reltuples, double relpages, int64_t width)
{
    double pages = bytes < 0 ? relpages : bytes / PAGE;
    double per_page = reltuples > 0 && relpages > 0 ? reltuples / relpages : (double)(PAGE - 24) / (double)width;
    return pages * per_page;
}

void tain_pg_table_estimate(tain_pg_table *t)
{
    int64_t width = width_of(t->shape);
    double rows = t->kind == 'p' ? 0 : rows_in((double)t->bytes, t->reltuples, t->relpages, width);
    double bytes = (t->kind == 'p' ? 0 : t->relpages) * PAGE;
    const tain_pg_leaf *l;
    for (size_t i = 0; (l = tain_pg_leaf_at(t, i)); i++) {
        rows += rows_in((double)l->bytes, l->reltuples, l->relpages, width);
        bytes += l->relpages * PAGE;
    }
    t->pub->rows_estimate = (int64_t)rows;
    t->pub->bytes_estimate = t->total_bytes >= 0 ? t->total_bytes : (int64_t)bytes;
}

tain_status tain_pg_catalog_size(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer oids = {0};
    put_oids_of(t, &oids);
    TAIN_TRY(read_sizes(s, &oids, err));
    tain_pg_table_estimate(t);
    return TAIN_OK;
}

tain_status tain_pg_sizes_read(tain_pg_source *s, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer oids = {0};
    for (size_t i = 0; i < s->table_count; i++) put_oids_of(s->tables[i], &oids);
    return read_sizes(s, &oids, err);
}
