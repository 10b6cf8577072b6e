/* SPDX-License-Identifier: MIT */
#include "source/postgres/postgres.h"

#include "source/postgres/result.h"

/* Before server 18 pgoutput leaves generated columns out; after it they need a publication that says so, and virtual
 * ones are never in the log. */
bool tain_pg_is_left_out(const PGresult *r, int row) { return *tain_pg_get(r, row, "attgenerated") != 0; }

static void add_left_out(tain_pg_shape *shape, const char *name)
{
    char *longer = shape->left_out ? tain_format("%s, %s", shape->left_out, name) : tain_strdup(name);
    tain_free(shape->left_out);
    shape->left_out = longer;
}

static void read_column(tain_pg_source *s, tain_pg_shape *shape, const PGresult *r, int row, const char *table)
{
    tain_pg_column *c = &shape->columns[shape->count++];
    c->name = tain_strdup(tain_pg_get(r, row, "attname"));
    c->attnum = (int)tain_pg_get_int(r, row, "attnum");
    c->type_oid = tain_pg_get_oid(r, row, "atttypid");
    c->typmod = (int32_t)tain_pg_get_int(r, row, "atttypmod");
    c->filled = tain_pg_get_bool(r, row, "filled");
    c->written = tain_pg_get_oid(r, row, "written");
    tain_pg_policy policy = tain_pg_policy_for(s, table, c->name);
    c->codec = tain_pg_codec_for(&s->types, c->type_oid, c->typmod, (int)tain_pg_get_int(r, row, "attndims"), &policy, !s->server.utf8, shape->schema);
    c->type_name = tain_strdup(tain_pg_types_find(&s->types, c->type_oid)->name);
    tain_schema_add(shape->schema, c->name, c->codec->type);
    shape->textual |= c->codec->binary == NULL;
}

tain_pg_shape *tain_pg_shape_read(tain_pg_source *s, const PGresult *columns, int first, int n, const char *table)
{
    tain_pg_shape *shape = tain_alloc(sizeof *shape);
    shape->columns = tain_alloc(((size_t)n + 1) * sizeof *shape->columns);
    shape->schema = shape->shown = tain_schema_new();
    for (int i = 0; i < n; i++) {
        if (tain_pg_is_left_out(columns, first + i)) add_left_out(shape, tain_pg_get(columns, first + i, "attname"));
        else read_column(s, shape, columns, first + i, table);
    }
    return shape;
}

void tain_pg_shape_free(tain_pg_shape *shape)
{
    if (!shape) return;
    for (size_t i = 0; i < shape->count; i++) {
        tain_free(shape->columns[i].name);
        tain_free(shape->columns[i].type_name);
    }
    tain_free(shape->columns);
    tain_free(shape->left_out);
    tain_schema_free(shape->schema);
    tain_free(shape);
}

static int index_of(const tain_pg_shape *shape, int attnum)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->columns[i].attnum == attnum) return (int)i;
    return -1;
}

/* Old keys stay where they are: what streams may still look at them. */
void tain_pg_table_show(tain_pg_table *t)
{
    tain_source_table *pub = t->pub;
    pub->columns = t->shape->shown;
    pub->key = NULL;
    pub->key_count = 0;
    if (t->key_count == 0) return;
    uint16_t *key = tain_arena_alloc(&t->shape->schema->arena, t->key_count * sizeof *key);
    for (size_t i = 0; i < t->key_count; i++) {
        int at = index_of(t->shape, t->key_attnums[i]);
        if (at < 0) return;
        key[i] = (uint16_t)at;
        t->shape->columns[at].codec = tain_pg_codec_for_key(t->shape->columns[at].codec, &t->shape->schema->arena);
    }
    pub->key = key;
    pub->key_count = t->key_count;
}
