/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "mirror/history/history.h"

tain_schema *tain_history_numbered(const tain_schema *s)
{
    tain_schema *n = tain_schema_new();
    for (size_t i = 0; i < s->count; i++) {
        tain_field f = s->fields[i];
        f.name = tain_schema_find(tain_history_own(), f.name) >= 0 ? f.name : tain_arena_format(&n->arena, "c%zu", i);
        tain_schema_append(n, &f);
    }
    return n;
}

const json_t *tain_history_shape_at(const json_t *shapes, const char *position)
{
    const json_t *found = NULL, *shape;
    size_t i;
    json_array_foreach(shapes, i, shape)
        if (strcmp(tain_json_get_str(shape, "at", ""), position) <= 0) found = shape;
    return found;
}

static const char *physical_of(const json_t *column)
{
    const char *name = json_string_value(json_is_array(column) ? json_array_get(column, 1) : column);
    return name ? name : "";
}

int tain_history_column_of(const tain_schema *s, const json_t *column)
{
    return tain_schema_find_physical(s, physical_of(column));
}

void tain_history_list_columns(tain_buffer *out, const tain_schema *s, const json_t *columns)
{
    const json_t *column;
    const char *comma = "";
    size_t i;
    json_array_foreach(columns, i, column)
    {
        int at = tain_history_column_of(s, column);
        if (at >= 0) tain_buffer_printf(out, "%sc%d", comma, at);
        if (at >= 0) comma = ", ";
    }
}

tain_status tain_history_within(tain_scan *scan, const char *table, const char *position, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *sql = tain_format("SELECT coalesce(max(__tain_order), 0) FROM %s WHERE __tain_operation IN ('reload', 'truncate') AND "
                                                 "__tain_position <= '%s'", table, position);
    TAIN_AUTO(tain_free) char *floor = NULL;
    TAIN_TRY(tain_scan_ask(scan, sql, &floor, err));
    *ret = tain_format("__tain_order > %s AND __tain_position <= '%s'", floor, position);
    return TAIN_OK;
}

json_t *tain_history_horizon(const json_t *configuration)
{
    json_t *horizon = json_loads(tain_json_get_str(configuration, TAIN_HISTORY_HORIZON, "{}"), 0, NULL);
    return horizon ? horizon : json_object();
}
