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

static void add_column(tain_pg_source *s, tain_pg_shape *shape, const tain_pg_attribute *a, const char *name, const char *table)
{
    tain_pg_column *c = &shape->columns[shape->count++];
    tain_pg_policy policy = tain_pg_policy_for(s, table, a->name);
    *c = (tain_pg_column){
        .name = tain_strdup(a->name), .type_name = tain_strdup(tain_pg_types_find(&s->types, a->type_oid)->name), .missing = tain_strdup(a->missing),
        .attnum = a->attnum, .dimensions = a->dimensions, .type_oid = a->type_oid, .typmod = a->typmod, .filled = a->filled, .unsure = a->unsure,
        .written = a->written,
        .codec = tain_pg_codec_for(&s->types, a->type_oid, a->typmod, a->dimensions, &policy, !s->server.utf8, shape->schema),
    };
    tain_schema_add(shape->schema, name, c->codec->type)->source_id = a->attnum;
    shape->textual |= c->codec->binary == NULL;
}

/* --- what older rows have in a column ------------------------------------------------------------------------------- */

/* missing: the server's text of an array of that one value. */
static bool append_missing(const tain_pg_source *s, const tain_pg_column *c, tain_column *out)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer value = {0};
    const tain_pg_type *type = tain_pg_types_find(&s->types, c->type_oid);
    tain_pg_array_reader r = tain_pg_array_reader_of(c->missing, strlen(c->missing), type ? type->delimiter : ',');
    if (tain_pg_array_next(&r, &value) != TAIN_PG_OPEN || tain_pg_array_next(&r, &value) != TAIN_PG_VALUE) return false;
    return c->codec->text(c->codec, out, value.data, value.size) >= 0;
}

static void free_defaults(tain_pg_shape *shape)
{
    if (!shape->defaults) return;
    tain_batch_done(shape->defaults);
    tain_free(shape->defaults);
    shape->defaults = NULL;
}

/* A value that cannot be read makes it unsure. */
static void read_defaults(const tain_pg_source *s, tain_pg_shape *shape)
{
    bool any = false;
    free_defaults(shape);
    for (size_t i = 0; i < shape->count; i++) any |= shape->columns[i].missing != NULL;
    if (!any) return;
    shape->defaults = tain_alloc(sizeof *shape->defaults);
    tain_batch_init(shape->defaults, shape->schema);
    for (size_t i = 0; i < shape->count; i++) {
        tain_pg_column *c = &shape->columns[i];
        tain_column *out = &shape->defaults->columns[i];
        if (c->missing && append_missing(s, c, out)) continue;
        c->unsure |= c->missing != NULL;
        tain_column_truncate(out, 0);
        tain_column_append_null(out);
    }
    tain_batch_end_row(shape->defaults);
}

void tain_pg_shape_inherit(tain_pg_source *s, tain_pg_shape *shape, const tain_pg_shape *older)
{
    bool any = false;
    for (size_t i = 0; i < shape->count; i++) {
        tain_pg_column *c = &shape->columns[i];
        int at = tain_pg_shape_index(older, c->attnum);
        if (at < 0 || c->missing || !older->columns[at].missing) continue;
        c->missing = tain_strdup(older->columns[at].missing);
        any = true;
    }
    if (any) read_defaults(s, shape);
}

/* --- from the catalog ---------------------------------------------------------------------------------------------- */

tain_pg_shape *tain_pg_shape_new(tain_pg_source *s, const tain_pg_attribute *attributes, size_t n, int natts, const char *table)
{
    tain_pg_shape *shape = tain_alloc(sizeof *shape);
    shape->columns = tain_alloc((n + 1) * sizeof *shape->columns);
    shape->schema = shape->shown = tain_schema_new();
    shape->last_attnum = natts;
    char **names = tain_pg_distinct_names(attributes, n);
    for (size_t i = 0; i < n; i++) {
        if (attributes[i].generated) add_left_out(shape, attributes[i].name);
        else add_column(s, shape, &attributes[i], names[i], table);
        tain_free(names[i]);
    }
    tain_free(names);
    read_defaults(s, shape);
    return shape;
}

static tain_pg_attribute attribute_at(const PGresult *r, int row)
{
    return (tain_pg_attribute){
        .name = tain_pg_get(r, row, "attname"), .missing = tain_pg_is_null(r, row, "missing") ? NULL : tain_pg_get(r, row, "missing"),
        .attnum = (int)tain_pg_get_int(r, row, "attnum"), .dimensions = (int)tain_pg_get_int(r, row, "attndims"),
        .type_oid = tain_pg_get_oid(r, row, "atttypid"), .written = tain_pg_get_oid(r, row, "written"),
        .typmod = (int32_t)tain_pg_get_int(r, row, "atttypmod"), .generated = tain_pg_is_left_out(r, row), .filled = tain_pg_get_bool(r, row, "filled"),
    };
}

/* A partitioned table has no rows of its own: its partitions say what theirs have. */
static void take_older(tain_pg_attribute *a, const PGresult *older)
{
    for (int row = 0; older && row < PQntuples(older); row++) {
        if (strcmp(tain_pg_get(older, row, "attname"), a->name) != 0) continue;
        a->missing = tain_pg_get(older, row, "missing");
        a->unsure = tain_pg_get_int(older, row, "kinds") > 1;
        return;
    }
}

tain_pg_shape *tain_pg_shape_read(tain_pg_source *s, const PGresult *columns, int first, int n, const PGresult *older, const char *table)
{
    tain_pg_attribute *attributes = tain_alloc(((size_t)n + 1) * sizeof *attributes);
    for (int i = 0; i < n; i++) {
        attributes[i] = attribute_at(columns, first + i);
        take_older(&attributes[i], older);
    }
    tain_pg_shape *shape = tain_pg_shape_new(s, attributes, (size_t)n, n ? (int)tain_pg_get_int(columns, first, "relnatts") : 0, table);
    tain_free(attributes);
    return shape;
}

void tain_pg_shape_free(tain_pg_shape *shape)
{
    if (!shape) return;
    for (size_t i = 0; i < shape->count; i++) {
        tain_free(shape->columns[i].name);
        tain_free(shape->columns[i].type_name);
        tain_free(shape->columns[i].missing);
    }
    free_defaults(shape);
    tain_free(shape->columns);
    tain_free(shape->left_out);
    tain_schema_free(shape->schema);
    tain_free(shape);
}

int tain_pg_shape_index(const tain_pg_shape *shape, int attnum)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->columns[i].attnum == attnum) return (int)i;
    return -1;
}

bool tain_pg_shape_looks_like(const tain_pg_shape *a, const tain_pg_shape *b)
{
    if (a->count != b->count || !tain_schema_equal(a->schema, b->schema)) return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->columns[i].attnum != b->columns[i].attnum) return false;
    return true;
}

void tain_pg_table_take_shape(tain_pg_source *s, tain_pg_table *t, tain_pg_shape *shape)
{
    if (t->shape) {
        tain_pg_shape_inherit(s, shape, t->shape);
        if (tain_pg_shape_looks_like(shape, t->shape)) shape->shown = t->shape->shown;
    }
    shape->older = t->shape;
    tain_pg_shape_keep(s, shape);
    t->shape = shape;
    tain_pg_table_show(t);
}

/* Old keys stay where they are: what streams may still look at them. */
void tain_pg_table_show(tain_pg_table *t)
{
    tain_source_table *pub = t->pub;
    pub->columns = t->shape->shown;
    pub->defaults = t->shape->defaults;
    pub->key = NULL;
    pub->key_count = 0;
    if (t->key_count == 0) return;
    uint16_t *key = tain_arena_alloc(&t->shape->schema->arena, t->key_count * sizeof *key);
    for (size_t i = 0; i < t->key_count; i++) {
        int at = tain_pg_shape_index(t->shape, t->key_attnums[i]);
        if (at < 0) return;
        key[i] = (uint16_t)at;
        t->shape->columns[at].codec = tain_pg_codec_for_key(t->shape->columns[at].codec, &t->shape->schema->arena);
    }
    pub->key = key;
    pub->key_count = t->key_count;
}
