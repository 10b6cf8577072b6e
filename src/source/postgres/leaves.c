/* SPDX-License-Identifier: MIT */
/* The leaf partitions of partitioned tables. */
#include "source/postgres/postgres.h"

#include "source/postgres/result.h"
#include "postgres_queries.h"

static bool is_partitioned(const tain_pg_source *s, const tain_pg_table *t) { return t->kind == 'p'; }

void tain_pg_leaves_free(tain_pg_leaves *l)
{
    for (tain_pg_leaves *next; l; l = next) {
        next = l->older;
        for (size_t i = 0; i < l->count; i++) {
            tain_free(l->list[i].schema);
            tain_free(l->list[i].name);
        }
        tain_free(l);
    }
}

static void read_leaf(tain_pg_source *s, tain_pg_leaf *l, const PGresult *r, int row)
{
    *l = (tain_pg_leaf){
        .oid = tain_pg_get_oid(r, row, "leaf"), .filenode = tain_pg_get_oid(r, row, "relfilenode"), .attached = tain_pg_get_oid(r, row, "attached"),
        .bounds = tain_pg_is_null(r, row, "bounds") ? NULL : tain_pg_keep_once(s, tain_pg_get(r, row, "bounds")),
        .schema = tain_strdup(tain_pg_get(r, row, "nspname")), .name = tain_strdup(tain_pg_get(r, row, "relname")),
        .kind = *tain_pg_get(r, row, "relkind"), .persistence = *tain_pg_get(r, row, "relpersistence"),
        .identity = *tain_pg_get(r, row, "relreplident"), .has_key = tain_pg_get_bool(r, row, "has_key"),
        .may_select = tain_pg_get_bool(r, row, "may_select"), .reltuples = tain_pg_get_double(r, row, "reltuples"),
        .relpages = tain_pg_get_double(r, row, "relpages"), .bytes = -1,
    };
}

/* While a snapshot is being read its readers look at older lists. */
static tain_pg_leaves *new_leaves(tain_pg_source *s, tain_pg_table *t, size_t n)
{
    tain_pg_leaves *l = tain_alloc(sizeof *l + n * sizeof *l->list);
    if (s->snapshot[0]) l->older = t->leaves;
    else tain_pg_leaves_free(t->leaves);
    t->leaves = l;
    return l;
}

tain_status tain_pg_leaves_read(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_catalog_ask(s, tain_query_leaves, is_partitioned, &r, err));
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->kind == 'p') (void)new_leaves(s, s->tables[i], 0);
    for (int row = 0, n; row < PQntuples(r); row += n) {
        n = tain_pg_rows_of(r, row, "root");
        tain_pg_leaves *l = new_leaves(s, tain_pg_table_by_oid(s, tain_pg_get_oid(r, row, "root")), (size_t)n);
        for (int i = 0; i < n; i++) read_leaf(s, &l->list[l->count++], r, row + i);
    }
    return TAIN_OK;
}
