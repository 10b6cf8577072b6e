/* SPDX-License-Identifier: MIT */
/* postgres_shape.h -- a table with a column of every type, made without a server. */
#ifndef TAIN_TESTS_POSTGRES_SHAPE_H
#define TAIN_TESTS_POSTGRES_SHAPE_H

#include "source/postgres/postgres.h"

enum { COMPOSITE = 90001, HSTORE, MOOD, RANGE, VECTOR, DOMAIN, ARRAYS = 100000 /* + OID of the element */ };

typedef struct shape_column { const char *name; uint32_t oid; int32_t typmod; int dimensions; } shape_column;

static const shape_column shape_columns[] = {
    {"id", TAIN_PG_INT4, -1, 0},     {"i2", TAIN_PG_INT2, -1, 0},       {"i8", TAIN_PG_INT8, -1, 0},       {"f4", TAIN_PG_FLOAT4, -1, 0},
    {"f8", TAIN_PG_FLOAT8, -1, 0},   {"b", TAIN_PG_BOOL, -1, 0},        {"n9", TAIN_PG_NUMERIC, (9 << 16 | 2) + 4, 0},
    {"n38", TAIN_PG_NUMERIC, (38 << 16 | 10) + 4, 0},                   {"n", TAIN_PG_NUMERIC, -1, 0},     {"t", TAIN_PG_TEXT, -1, 0},
    {"by", TAIN_PG_BYTEA, -1, 0},    {"d", TAIN_PG_DATE, -1, 0},        {"ts", TAIN_PG_TIMESTAMP, -1, 0},  {"tz", TAIN_PG_TIMESTAMPTZ, -1, 0},
    {"ti", TAIN_PG_TIME, -1, 0},     {"ttz", TAIN_PG_TIMETZ, -1, 0},    {"iv", TAIN_PG_INTERVAL, -1, 0},   {"u", TAIN_PG_UUID, -1, 0},
    {"jb", TAIN_PG_JSONB, -1, 0},    {"ip", TAIN_PG_INET, -1, 0},       {"mac", TAIN_PG_MACADDR, -1, 0},   {"oid", TAIN_PG_OID, -1, 0},
    {"x8", TAIN_PG_XID8, -1, 0},     {"ch", TAIN_PG_CHAR, -1, 0},       {"bit", TAIN_PG_VARBIT, -1, 0},    {"mo", TAIN_PG_MONEY, -1, 0},
    {"lsn", TAIN_PG_LSN, -1, 0},     {"en", MOOD, -1, 0},               {"ve", VECTOR, -1, 0},             {"dom", DOMAIN, -1, 0},
    {"ia", ARRAYS + TAIN_PG_INT4, -1, 1}, {"ta", ARRAYS + TAIN_PG_TEXT, -1, 1}, {"da", ARRAYS + TAIN_PG_DATE, -1, 1},
    {"na", ARRAYS + TAIN_PG_NUMERIC, (9 << 16 | 2) + 4, 1},
    /* read as text only */
    {"ra", RANGE, -1, 0},            {"co", COMPOSITE, -1, 0},          {"hs", HSTORE, -1, 0},             {"i2d", ARRAYS + TAIN_PG_INT4, -1, 2},
    {"ca", ARRAYS + COMPOSITE, -1, 1},
};
enum { SHAPE_COLUMNS = sizeof shape_columns / sizeof *shape_columns, SHAPE_BINARY = SHAPE_COLUMNS - 5 };

static inline tain_pg_type *shape_type(tain_pg_types *types, uint32_t oid, char kind, const char *name)
{
    tain_pg_type *t = tain_arena_alloc(&types->arena, sizeof *t);
    types->list = tain_realloc(types->list, (types->count + 1) * sizeof *types->list);
    types->list[types->count++] = t;
    t->oid = oid;
    t->kind = kind;
    t->delimiter = ',';
    t->base_typmod = -1;
    t->schema = t->out_schema = tain_arena_format(&types->arena, "pg_catalog");
    t->name = tain_arena_format(&types->arena, "%s", name);
    t->out_name = tain_arena_format(&types->arena, "%s_out", name);
    t->send_name = tain_arena_format(&types->arena, "%s_send", name);
    t->complete = true;
    return t;
}

static inline tain_pg_type *shape_array(tain_pg_types *types, uint32_t element)
{
    tain_pg_type *t = shape_type(types, ARRAYS + element, 'b', "array");
    t->is_array = true;
    t->element = tain_pg_types_find(types, element);
    return t;
}

static inline void shape_composite(tain_pg_types *types)
{
    static const struct { char *name; uint32_t oid; } fields[] = {
        {"a", TAIN_PG_INT4}, {"B \"c", TAIN_PG_TEXT}, {"d", TAIN_PG_TIMESTAMPTZ}, {"e", TAIN_PG_NUMERIC}, {"f", TAIN_PG_BOOL},
        {"g", ARRAYS + TAIN_PG_INT4}, {"h", TAIN_PG_JSONB}, {"i", HSTORE},
    };
    tain_pg_type *t = shape_type(types, COMPOSITE, 'c', "record");
    t->field_count = sizeof fields / sizeof *fields;
    t->fields = tain_arena_alloc(&types->arena, t->field_count * sizeof *t->fields);
    for (size_t i = 0; i < t->field_count; i++) {
        t->fields[i].name = fields[i].name;
        t->fields[i].type = tain_pg_types_find(types, fields[i].oid);
    }
    shape_array(types, COMPOSITE);
}

static inline void shape_types(tain_pg_types *types)
{
    for (size_t i = 0; i < SHAPE_COLUMNS; i++)
        if (shape_columns[i].oid < 10000) shape_type(types, shape_columns[i].oid, 'b', "builtin");
    shape_type(types, MOOD, 'e', "enum");
    shape_type(types, RANGE, 'r', "range");
    shape_type(types, VECTOR, 'b', "vector");
    shape_type(types, HSTORE, 'b', "hstore");
    tain_pg_type *domain = shape_type(types, DOMAIN, 'd', "domain");
    domain->base = tain_pg_types_find(types, TAIN_PG_NUMERIC);
    domain->base_typmod = (8 << 16 | 2) + 4;
    shape_array(types, TAIN_PG_INT4);
    shape_array(types, TAIN_PG_TEXT);
    shape_array(types, TAIN_PG_DATE);
    shape_array(types, TAIN_PG_NUMERIC);
    shape_composite(types);
}

static inline tain_pg_shape *shape_new(tain_pg_types *types, size_t columns, tain_pg_range range, bool check_utf8)
{
    tain_pg_policy policy = {.range = range};
    tain_pg_shape *shape = tain_alloc(sizeof *shape);
    shape->columns = tain_alloc((columns + 1) * sizeof *shape->columns);
    shape->schema = shape->shown = tain_schema_new();
    for (size_t i = 0; i < columns; i++) {
        const shape_column *from = &shape_columns[i];
        tain_pg_column *c = &shape->columns[shape->count++];
        *c = (tain_pg_column){.name = tain_strdup(from->name), .type_name = tain_strdup(""), .attnum = (int)i + 1, .type_oid = from->oid, .typmod = from->typmod};
        c->codec = tain_pg_codec_for(types, from->oid, from->typmod, from->dimensions, &policy, check_utf8, shape->schema);
        tain_schema_add(shape->schema, c->name, c->codec->type);
    }
    return shape;
}

/* One of the six that there can be, kept for the life of the process: choosing codecs costs more than most inputs. */
static inline tain_pg_shape *shape_for(size_t columns, unsigned choice)
{
    static tain_pg_types types;
    static tain_pg_shape *made[6];
    unsigned range = choice % 3, check = choice / 8 % 2;
    if (types.count == 0) {
        tain_arena_init(&types.arena);
        shape_types(&types);
    }
    tain_pg_shape **at = &made[range * 2 + check];
    if (!*at) *at = shape_new(&types, columns, (tain_pg_range)range, check);
    return *at;
}

#endif
