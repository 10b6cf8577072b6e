/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

static void init_children(tain_lane *l, size_t n)
{
    l->child_count = n;
    l->children = tain_alloc(n * sizeof *l->children);
}

/* Takes over type. */
static void init_child(tain_lane *l, size_t i, duckdb_logical_type type)
{
    tain_lane_init(&l->children[i], type);
    duckdb_destroy_logical_type(&type);
}

static char *take_name(char *name)
{
    char *copy = tain_strdup(name);
    duckdb_free(name);
    return copy;
}

static void init_struct(tain_lane *l, duckdb_logical_type type)
{
    init_children(l, duckdb_struct_type_child_count(type));
    l->names = tain_alloc((l->child_count + 1) * sizeof *l->names);
    for (size_t i = 0; i < l->child_count; i++) {
        l->names[i] = take_name(duckdb_struct_type_child_name(type, i));
        init_child(l, i, duckdb_struct_type_child_type(type, i));
    }
}

static void init_map(tain_lane *l, duckdb_logical_type type)
{
    init_children(l, 2);
    init_child(l, 0, duckdb_map_type_key_type(type));
    init_child(l, 1, duckdb_map_type_value_type(type));
}

static void init_list(tain_lane *l, duckdb_logical_type type)
{
    bool array = l->type == DUCKDB_TYPE_ARRAY;
    l->array_size = array ? (uint32_t)duckdb_array_type_array_size(type) : 0;
    init_children(l, 1);
    init_child(l, 0, array ? duckdb_array_type_child_type(type) : duckdb_list_type_child_type(type));
}

static void init_enum(tain_lane *l, duckdb_logical_type type)
{
    l->physical = duckdb_enum_internal_type(type);
    l->child_count = duckdb_enum_dictionary_size(type);
    l->names = tain_alloc((l->child_count + 1) * sizeof *l->names);
    for (size_t i = 0; i < l->child_count; i++) l->names[i] = take_name(duckdb_enum_dictionary_value(type, i));
}

void tain_lane_init(tain_lane *l, duckdb_logical_type type)
{
    *l = (tain_lane){.type = duckdb_get_type_id(type)};
    l->physical = l->type;
    switch (l->type) {
    case DUCKDB_TYPE_STRUCT: init_struct(l, type); break;
    case DUCKDB_TYPE_MAP: init_map(l, type); break;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY: init_list(l, type); break;
    case DUCKDB_TYPE_ENUM: init_enum(l, type); break;
    case DUCKDB_TYPE_DECIMAL:
        l->physical = duckdb_decimal_internal_type(type);
        l->scale = duckdb_decimal_scale(type);
        break;
    default: break;
    }
}

void tain_lane_done(tain_lane *l)
{
    for (size_t i = 0; i < l->child_count; i++) {
        if (l->children) tain_lane_done(&l->children[i]);
        if (l->names) tain_free(l->names[i]);
    }
    tain_free(l->children);
    tain_free(l->names);
    *l = (tain_lane){0};
}

void tain_lane_bind(tain_lane *l, duckdb_vector vector)
{
    l->data = duckdb_vector_get_data(vector);
    l->valid = duckdb_vector_get_validity(vector);
    switch (l->type) {
    case DUCKDB_TYPE_LIST: tain_lane_bind(&l->children[0], duckdb_list_vector_get_child(vector)); break;
    case DUCKDB_TYPE_ARRAY: tain_lane_bind(&l->children[0], duckdb_array_vector_get_child(vector)); break;
    case DUCKDB_TYPE_MAP: vector = duckdb_list_vector_get_child(vector); /* of structs */ [[fallthrough]];
    case DUCKDB_TYPE_STRUCT:
        for (size_t i = 0; i < l->child_count; i++) tain_lane_bind(&l->children[i], duckdb_struct_vector_get_child(vector, i));
        break;
    default: break;
    }
}
