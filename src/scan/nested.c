/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

#include <strings.h>

/* --- lists and maps ------------------------------------------------------------------------------------------------ */

static duckdb_list_entry entry_at(const tain_lane *l, size_t i)
{
    if (l->type == DUCKDB_TYPE_ARRAY) return (duckdb_list_entry){(uint64_t)i * l->array_size, l->array_size};
    return ((const duckdb_list_entry *)l->data)[i];
}

static tain_status append_list(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    for (size_t i = first; i < first + n; i++) {
        if (tain_lane_is_null(l, i)) {
            tain_column_append_null(to);
            continue;
        }
        duckdb_list_entry e = entry_at(l, i);
        for (size_t c = 0; c < l->child_count; c++)
            TAIN_TRY(tain_lane_append(&l->children[c], e.offset, e.length, &to->children[c], err));
        tain_column_end_list(to);
    }
    return TAIN_OK;
}

/* --- structs ------------------------------------------------------------------------------------------------------- */

static const tain_lane *find_member(const tain_lane *l, const tain_field *field)
{
    for (size_t i = 0; i < l->child_count; i++)
        if (strcmp(l->names[i], field->name) == 0 || strcmp(l->names[i], field->physical) == 0) return &l->children[i];
    for (size_t i = 0; i < l->child_count; i++)
        if (strcasecmp(l->names[i], field->name) == 0) return &l->children[i];
    return NULL;
}

static tain_status append_member(const tain_lane *member, size_t first, size_t n, tain_column *to, tain_error *err)
{
    if (member) return tain_lane_append(member, first, n, to, err);
    for (size_t i = 0; i < n; i++) tain_column_append_null(to);
    return TAIN_OK;
}

static size_t valid_run(const tain_lane *l, size_t first, size_t end)
{
    size_t i = first;
    while (i < end && !tain_lane_is_null(l, i)) i++;
    return i - first;
}

static tain_status append_struct(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    for (size_t i = first, end = first + n; i < end;) {
        size_t run = valid_run(l, i, end);
        for (size_t c = 0; run && c < to->type.child_count; c++) {
            const tain_field *field = &to->type.children[c];
            TAIN_TRY_IN(err, append_member(find_member(l, field), i, run, &to->children[c], err), "%s", field->name);
        }
        for (size_t k = 0; k < run; k++) tain_column_end_struct(to);
        i += run;
        for (; i < end && tain_lane_is_null(l, i); i++) tain_column_append_null(to);
    }
    return TAIN_OK;
}

tain_status tain_lane_append_nested(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    bool list = l->type == DUCKDB_TYPE_LIST || l->type == DUCKDB_TYPE_ARRAY;
    if (to->type.kind == TAIN_LIST && list) return append_list(l, first, n, to, err);
    if (to->type.kind == TAIN_MAP && l->type == DUCKDB_TYPE_MAP) return append_list(l, first, n, to, err);
    if (to->type.kind == TAIN_STRUCT && l->type == DUCKDB_TYPE_STRUCT) return append_struct(l, first, n, to, err);
    return tain_lane_mismatch(l, to, err);
}
