/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "scan/internal.h"

/* --- the shape of the text ----------------------------------------------------------------------------------------- */

/* A struct whose members have no names has no other form than its text. */
static bool is_named(const tain_lane *l)
{
    for (size_t i = 0; i < l->child_count; i++)
        if (!*l->names[i]) return false;
    return l->child_count > 0;
}

static tain_field *add_children(tain_schema *s, tain_type *t, tain_kind kind, size_t n)
{
    *t = (tain_type){.kind = kind, .child_count = (uint16_t)n, .children = tain_arena_alloc(&s->arena, n * sizeof(tain_field))};
    return t->children;
}

static void set_child(tain_schema *s, tain_field *f, const char *name, tain_type type)
{
    *f = (tain_field){.name = tain_arena_strndup(&s->arena, name, strlen(name)), .type = type, .nullable = true};
    f->physical = f->name;
}

tain_type tain_lane_text_type(const tain_lane *l, tain_schema *s)
{
    tain_type t = tain_type_of(TAIN_STRING);
    if (l->type == DUCKDB_TYPE_LIST || l->type == DUCKDB_TYPE_ARRAY)
        return tain_type_list(s, tain_lane_text_type(&l->children[0], s));
    if (l->type == DUCKDB_TYPE_MAP) {
        tain_field *f = add_children(s, &t, TAIN_MAP, 2);
        set_child(s, &f[0], "key", tain_type_of(TAIN_STRING)); /* what JSON has for the name of a member */
        set_child(s, &f[1], "value", tain_lane_text_type(&l->children[1], s));
    } else if (l->type == DUCKDB_TYPE_STRUCT && is_named(l)) {
        tain_field *f = add_children(s, &t, TAIN_STRUCT, l->child_count);
        for (size_t i = 0; i < l->child_count; i++) set_child(s, &f[i], l->names[i], tain_lane_text_type(&l->children[i], s));
    }
    return t;
}

/* --- values -------------------------------------------------------------------------------------------------------- */

/* DuckDB writes .5 for decimals, and inf and nan, which JSON has no numbers for: they are text. */
static void put_number(tain_json *j, const char *text, size_t n)
{
    char   number[80];
    size_t sign = n && text[0] == '-';
    if (n > sign && text[sign] == '.') {
        tain_json_raw(j, number,
                      (size_t)snprintf(number, sizeof number, "%s0%.*s", sign ? "-" : "", (int)(n - sign), text + sign));
    } else if (n > sign && text[sign] >= '0' && text[sign] <= '9') {
        tain_json_raw(j, text, n);
    } else {
        tain_json_strn(j, text, n);
    }
}

static void put_text(tain_json *j, const tain_lane *l, tain_slice s)
{
    if (tain_lane_is_number(l)) {
        put_number(j, (const char *)s.data, s.size);
    } else if (l->type == DUCKDB_TYPE_BOOLEAN) {
        tain_json_bool(j, s.size && s.data[0] == 't');
    } else {
        tain_json_strn(j, (const char *)s.data, s.size);
    }
}

static void put_list(tain_json *j, const tain_lane *l, const tain_column *c, size_t row)
{
    const int32_t *ends = (const int32_t *)c->values.data;
    tain_json_array(j);
    for (int32_t i = ends[row]; i < ends[row + 1]; i++) tain_lane_put_json(&l->children[0], &c->children[0], (size_t)i, j);
    tain_json_array_end(j);
}

static void put_map(tain_json *j, const tain_lane *l, const tain_column *c, size_t row)
{
    const int32_t *ends = (const int32_t *)c->values.data;
    tain_json_object(j);
    for (int32_t i = ends[row]; i < ends[row + 1]; i++) {
        tain_slice key = tain_column_slice(&c->children[0], (size_t)i);
        char      *name = tain_strndup((const char *)key.data, key.size);
        tain_json_key(j, name);
        tain_free(name);
        tain_lane_put_json(&l->children[1], &c->children[1], (size_t)i, j);
    }
    tain_json_object_end(j);
}

static void put_struct(tain_json *j, const tain_lane *l, const tain_column *c, size_t row)
{
    tain_json_object(j);
    for (size_t i = 0; i < l->child_count; i++) {
        tain_json_key(j, l->names[i]);
        tain_lane_put_json(&l->children[i], &c->children[i], row, j);
    }
    tain_json_object_end(j);
}

void tain_lane_put_json(const tain_lane *l, const tain_column *c, size_t row, tain_json *j)
{
    if (tain_column_is_null(c, row)) {
        tain_json_null(j);
        return;
    }
    switch (c->type.kind) {
    case TAIN_LIST:
        put_list(j, l, c, row);
        break;
    case TAIN_MAP:
        put_map(j, l, c, row);
        break;
    case TAIN_STRUCT:
        put_struct(j, l, c, row);
        break;
    default:
        put_text(j, l, tain_column_slice(c, row));
    }
}
