/* SPDX-License-Identifier: MIT */
/* A table is a view: files without deletions are read as they are, files with deletions through a filter on
 * (number of the file's bitmap, row), which DuckDB gives as virtual columns. An empty relation in front gives names and
 * types to columns that no file has. */
#include <roaring/roaring.h>

#include "scan/internal.h"

/* --- which rows are live ------------------------------------------------------------------------------------------- */

static void live(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const tain_scan *s = duckdb_scalar_function_get_extra_info(info);
    size_t n = duckdb_data_chunk_get_size(input);
    const int64_t *number = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0));
    const int64_t *row = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    bool *out = duckdb_vector_get_data(output);
    for (size_t i = 0; i < n; i++) out[i] = !roaring_bitmap_contains(s->deleted[number[i]], (uint32_t)row[i]);
}

tain_status tain_scan_register_live(tain_scan *s, tain_error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT), truth = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duckdb_scalar_function_set_name(f, "__tain_live");
    duckdb_scalar_function_add_parameter(f, number);
    duckdb_scalar_function_add_parameter(f, number);
    duckdb_scalar_function_set_return_type(f, truth);
    duckdb_scalar_function_set_extra_info(f, s, NULL);
    duckdb_scalar_function_set_function(f, live);
    bool ok = duckdb_register_scalar_function(s->connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&number);
    duckdb_destroy_logical_type(&truth);
    duckdb_destroy_scalar_function(&f);
    return ok ? TAIN_OK : tain_fail(err, TAIN_E_INTERNAL, "cannot register a function with DuckDB");
}

static size_t note_deleted(tain_scan *s, const void *bitmap)
{
    if (s->deleted_count == s->deleted_capacity) {
        s->deleted_capacity = s->deleted_capacity ? s->deleted_capacity * 2 : 32;
        s->deleted = tain_realloc(s->deleted, s->deleted_capacity * sizeof *s->deleted);
    }
    s->deleted[s->deleted_count] = bitmap;
    return s->deleted_count++;
}

/* --- SQL ----------------------------------------------------------------------------------------------------------- */

static void append_type(tain_buffer *sql, const tain_type *t)
{
    static const char *const names[] = {
        [TAIN_BOOL] = "boolean", [TAIN_INT8] = "tinyint", [TAIN_INT16] = "smallint", [TAIN_INT32] = "integer", [TAIN_INT64] = "bigint",
        [TAIN_FLOAT] = "float", [TAIN_DOUBLE] = "double", [TAIN_STRING] = "varchar", [TAIN_BINARY] = "blob", [TAIN_DATE] = "date",
        [TAIN_TIMESTAMP] = "timestamptz", [TAIN_TIMESTAMP_NTZ] = "timestamp"};
    switch (t->kind) {
    case TAIN_DECIMAL: tain_buffer_printf(sql, "decimal(%u,%u)", t->precision, t->scale); return;
    case TAIN_LIST:
        append_type(sql, &t->children[0].type);
        tain_buffer_append_str(sql, "[]");
        return;
    case TAIN_MAP:
        tain_buffer_append_str(sql, "map(");
        append_type(sql, &t->children[0].type);
        tain_buffer_append_str(sql, ",");
        append_type(sql, &t->children[1].type);
        tain_buffer_append_str(sql, ")");
        return;
    case TAIN_STRUCT:
        for (size_t i = 0; i < t->child_count; i++) {
            tain_buffer_append_str(sql, i ? "," : "struct(");
            tain_scan_quote(sql, t->children[i].name, '"');
            tain_buffer_append_str(sql, " ");
            append_type(sql, &t->children[i].type);
        }
        tain_buffer_append_str(sql, ")");
        return;
    default: tain_buffer_append_str(sql, names[t->kind]);
    }
}

static void append_empty(tain_buffer *sql, const tain_schema *columns)
{
    tain_buffer_append_str(sql, "select ");
    for (size_t i = 0; i < columns->count; i++) {
        tain_buffer_append_str(sql, i ? ", cast(null as " : "cast(null as ");
        append_type(sql, &columns->fields[i].type);
        tain_buffer_append_str(sql, ") as ");
        tain_scan_quote(sql, columns->fields[i].physical, '"');
    }
    tain_buffer_append_str(sql, " where false");
}

/* The files that have deletions, or those that have not: "read_parquet([...], union_by_name = true)". Their number. */
static size_t append_files(tain_buffer *sql, const tain_scan_file *files, size_t n, bool deleted)
{
    size_t count = 0;
    tain_buffer_append_str(sql, "read_parquet([");
    for (size_t i = 0; i < n; i++) {
        if ((files[i].deleted != NULL) != deleted) continue;
        if (count++) tain_buffer_append_str(sql, ", ");
        tain_scan_quote(sql, files[i].path, '\'');
    }
    tain_buffer_append_str(sql, "], union_by_name = true)");
    return count;
}

static void append_sources(tain_scan *s, tain_buffer *sql, const tain_scan_file *files, size_t n)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer part = {0};
    if (append_files(&part, files, n, false)) {
        tain_buffer_append_str(sql, "\nunion all by name select * from ");
        tain_buffer_append(sql, part.data, part.size);
    }
    tain_buffer_clear(&part);
    if (!append_files(&part, files, n, true)) return;
    size_t first = s->deleted_count;
    for (size_t i = 0; i < n; i++)
        if (files[i].deleted) note_deleted(s, files[i].deleted);
    tain_buffer_append_str(sql, "\nunion all by name select * from ");
    tain_buffer_append(sql, part.data, part.size);
    tain_buffer_printf(sql, " where __tain_live(%zu + file_index::bigint, file_row_number)", first);
}

static void append_view(tain_scan *s, tain_buffer *sql, const tain_schema *columns, const tain_scan_file *files, size_t n)
{
    tain_buffer_append_str(sql, " as select ");
    for (size_t i = 0; i < columns->count; i++) {
        if (i) tain_buffer_append_str(sql, ", ");
        tain_scan_quote(sql, columns->fields[i].physical, '"');
        tain_buffer_append_str(sql, " as ");
        tain_scan_quote(sql, columns->fields[i].name, '"');
    }
    tain_buffer_append_str(sql, " from (");
    append_empty(sql, columns);
    append_sources(s, sql, files, n);
    tain_buffer_append_str(sql, ")");
}

static void append_name(tain_buffer *sql, const char *catalog, const char *schema, const char *name)
{
    if (catalog) {
        tain_scan_quote(sql, catalog, '"');
        tain_buffer_append_str(sql, ".");
    }
    tain_scan_quote(sql, schema, '"');
    if (!name) return;
    tain_buffer_append_str(sql, ".");
    tain_scan_quote(sql, name, '"');
}

static tain_status make_schema(tain_scan *s, const char *catalog, const char *schema, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    if (catalog) {
        tain_buffer_append_str(&sql, "attach if not exists ':memory:' as ");
        tain_scan_quote(&sql, catalog, '"');
        TAIN_TRY(tain_scan_exec(s, tain_buffer_cstr(&sql), err));
        tain_buffer_clear(&sql);
    }
    tain_buffer_append_str(&sql, "create schema if not exists ");
    append_name(&sql, catalog, schema, NULL);
    return tain_scan_exec(s, tain_buffer_cstr(&sql), err);
}

tain_status tain_scan_add_table(tain_scan *s, const char *catalog, const char *schema, const char *name, const tain_schema *columns,
                                const tain_scan_file *files, size_t n, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    TAIN_TRY(make_schema(s, catalog, schema, err));
    tain_buffer_append_str(&sql, "create or replace view ");
    append_name(&sql, catalog, schema, name);
    append_view(s, &sql, columns, files, n);
    return tain_scan_exec(s, tain_buffer_cstr(&sql), err);
}
