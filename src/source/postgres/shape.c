/* SPDX-License-Identifier: MIT */
#include "source/postgres/postgres.h"

#include <stdio.h>

#include "source/postgres/result.h"

/* --- policies: README.md has their meaning ------------------------------------------------------------------------- */

static bool parse_decimal(const char *text, tain_pg_policy *p)
{
    unsigned precision, scale;
    int used = 0;
    if (sscanf(text, "decimal(%2u,%2u)%n", &precision, &scale, &used) != 2 || text[used] || precision < 1 || precision > 38 || scale > precision)
        return false;
    p->numeric = TAIN_PG_NUMERIC_DECIMAL;
    p->precision = (uint8_t)precision;
    p->scale = (uint8_t)scale;
    return true;
}

static bool take_numeric(const char *v, tain_pg_policy *p)
{
    if (strcmp(v, "string") == 0) p->numeric = TAIN_PG_NUMERIC_TEXT;
    else if (strcmp(v, "double") == 0) p->numeric = TAIN_PG_NUMERIC_DOUBLE;
    else return parse_decimal(v, p);
    return true;
}

static bool take_ntz(const char *v, tain_pg_policy *p)
{
    p->zoned = strcmp(v, "timestamp") == 0;
    return p->zoned || strcmp(v, "timestamp_ntz") == 0;
}

static bool take_range(const char *v, tain_pg_policy *p)
{
    static const char *const names[] = {[TAIN_PG_RANGE_NULL] = "null", [TAIN_PG_RANGE_CLAMP] = "clamp", [TAIN_PG_RANGE_ERROR] = "error"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(v, names[i])) continue;
        p->range = (tain_pg_range)i;
        return true;
    }
    return false;
}

static const struct {
    const char *key;
    bool (*take)(const char *, tain_pg_policy *);
    const char *values;
} policy_keys[] = {
    {"numeric", take_numeric, "string, double or decimal(p,s)"},
    {"ntz", take_ntz, "timestamp_ntz or timestamp"},
    {"out_of_range", take_range, "null, clamp or error"},
};

static void take_policies(const json_t *object, tain_pg_policy *p)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof *policy_keys; i++) {
        const char *v = json_string_value(json_object_get(object, policy_keys[i].key));
        if (v) (void)policy_keys[i].take(v, p);
    }
}

tain_pg_policy tain_pg_policy_for(const tain_pg_source *s, const char *table, const char *column)
{
    tain_pg_policy p = {0};
    take_policies(s->options.policies, &p);
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    tain_buffer_printf(&name, "%s.%s", table, column);
    take_policies(json_object_get(json_object_get(s->options.policies, "columns"), tain_buffer_cstr(&name)), &p);
    return p;
}

static tain_status check_object(const json_t *object, tain_error *err)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof *policy_keys; i++) {
        const json_t *v = json_object_get(object, policy_keys[i].key);
        if (!v || (json_is_string(v) && policy_keys[i].take(json_string_value(v), &(tain_pg_policy){0}))) continue;
        return tain_fail(err, TAIN_E_CONFIG, "policy %s: must be %s", policy_keys[i].key, policy_keys[i].values);
    }
    return TAIN_OK;
}

tain_status tain_pg_policy_check(const json_t *policies, tain_error *err)
{
    TAIN_TRY(check_object(policies, err));
    const char *column;
    json_t *v;
    json_object_foreach(json_object_get((json_t *)policies, "columns"), column, v)
        TAIN_TRY_IN(err, check_object(v, err), "column %s", column);
    return TAIN_OK;
}

/* --- shapes -------------------------------------------------------------------------------------------------------- */

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
    }
    pub->key = key;
    pub->key_count = t->key_count;
}
