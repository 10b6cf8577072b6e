/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

#include <strings.h>

/* Names that DuckDB gives to virtual columns of a Parquet scan; a column of the table hides them. */
static const char *const virtual_names[] = {"file_index", "file_row_number", "filename", "rowid"};

/* --- tain_row_lives(slot, file, row) ------------------------------------------------------------------------------- */

/* Stands at the first deleted row that is not below row. */
static void seek(roaring_uint32_iterator_t *at, const roaring_bitmap_t *deleted, uint32_t row)
{
    roaring_init_iterator(deleted, at);
    roaring_move_uint32_iterator_equalorlarger(at, row);
}

/* Rows come in ascending runs of one file: the iterator walks along with them, and is set anew where that does not hold. */
static void filter_rows(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const tain_scan *s = duckdb_scalar_function_get_extra_info(info);
    const uint64_t *slot = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0));
    const uint64_t *file = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    const int64_t  *row = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2));
    bool           *lives = duckdb_vector_get_data(output);
    roaring_uint32_iterator_t at;
    for (idx_t i = 0, n = duckdb_data_chunk_get_size(input); i < n; i++) {
        uint32_t r = (uint32_t)row[i];
        if (i == 0 || file[i] != file[i - 1] || slot[i] != slot[i - 1] || row[i] < row[i - 1])
            seek(&at, s->slots[slot[i]]->deleted[file[i]], r);
        else if (at.has_value && at.current_value < r) roaring_move_uint32_iterator_equalorlarger(&at, r);
        lives[i] = !at.has_value || at.current_value != r;
    }
}

static void add_parameter(duckdb_scalar_function f, duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_scalar_function_add_parameter(f, type);
    duckdb_destroy_logical_type(&type);
}

tain_status tain_scan_register_filter(tain_scan *s, tain_error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_scalar_function_set_name(f, "tain_row_lives");
    add_parameter(f, DUCKDB_TYPE_UBIGINT);
    add_parameter(f, DUCKDB_TYPE_UBIGINT);
    add_parameter(f, DUCKDB_TYPE_BIGINT);
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duckdb_scalar_function_set_return_type(f, type);
    duckdb_destroy_logical_type(&type);
    duckdb_scalar_function_set_function(f, filter_rows);
    duckdb_scalar_function_set_extra_info(f, s, NULL);
    duckdb_state state = duckdb_register_scalar_function(s->connection, f);
    duckdb_destroy_scalar_function(&f);
    return state == DuckDBSuccess ? TAIN_OK : tain_fail(err, TAIN_E_INTERNAL, "DuckDB does not take the row filter");
}

/* --- slots --------------------------------------------------------------------------------------------------------- */

/* A view that is replaced keeps its slot. */
static size_t slot_for(tain_scan *s, const char *view)
{
    for (size_t i = 0; i < s->slot_count; i++)
        if (strcmp(s->slots[i]->view, view) == 0) return i;
    s->slots = tain_realloc(s->slots, (s->slot_count + 1) * sizeof *s->slots);
    s->slots[s->slot_count] = tain_alloc(sizeof **s->slots);
    s->slots[s->slot_count]->view = tain_strdup(view);
    return s->slot_count++;
}

static void slot_fill(tain_scan_slot *slot, const tain_scan_file *files, size_t n)
{
    tain_free(slot->deleted);
    slot->deleted = tain_alloc((n + 1) * sizeof *slot->deleted);
    slot->count = 0;
    for (size_t i = 0; i < n; i++)
        if (files[i].deleted) slot->deleted[slot->count++] = files[i].deleted;
}

void tain_scan_slots_free(tain_scan *s)
{
    for (size_t i = 0; i < s->slot_count; i++) {
        tain_free(s->slots[i]->view);
        tain_free(s->slots[i]->deleted);
        tain_free(s->slots[i]);
    }
    tain_free(s->slots);
}

/* --- the view ------------------------------------------------------------------------------------------------------ */

static bool name_taken(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(names[i], name) == 0) return true;
    return false;
}

static bool is_virtual(const char *name)
{
    for (size_t i = 0; i < sizeof virtual_names / sizeof *virtual_names; i++)
        if (strcasecmp(virtual_names[i], name) == 0) return true;
    return false;
}

/* The names that columns have in SQL, where those equal but for case are one: the later get a number, as DuckDB does. */
static char **column_names(const tain_schema *columns)
{
    char **names = tain_alloc(columns->count * sizeof *names);
    for (size_t i = 0; i < columns->count; i++) {
        names[i] = tain_strdup(columns->fields[i].name);
        for (unsigned k = 1; name_taken(names, i, names[i]); k++) {
            tain_free(names[i]);
            names[i] = tain_format("%s_%u", columns->fields[i].name, k);
        }
    }
    return names;
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) tain_free(names[i]);
    tain_free(names);
}

static tain_status check_columns(const tain_schema *columns, tain_error *err)
{
    if (columns->count == 0) return tain_fail(err, TAIN_E_INVALID, "the table has no columns");
    for (size_t i = 0; i < columns->count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(columns->fields[i].physical, columns->fields[k].physical) == 0)
                return tain_fail(err, TAIN_E_UNSUPPORTED, "columns %s and %s differ by case alone in the files",
                                 columns->fields[k].physical, columns->fields[i].physical);
    return TAIN_OK;
}

/* What a column is called inside the scan: its name, unless that would hide a virtual column. */
static void append_scan_name(tain_buffer *out, const char *name, size_t i)
{
    if (is_virtual(name)) tain_buffer_printf(out, "__tain_%zu", i);
    else tain_buffer_append_str(out, name);
}

enum { UNLOCATED = -1 };

/* first: number of the first file of the scan; UNLOCATED: not asked for. */
static void append_location(tain_buffer *out, int64_t first)
{
    if (first == UNLOCATED) return;
    tain_buffer_printf(out, ", CAST(file_index AS BIGINT) + %lld AS __tain_file, file_row_number AS __tain_row", (long long)first);
}

static void append_select_list(tain_buffer *out, char *const *names, size_t n)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer inner = {0};
    for (size_t i = 0; i < n; i++) {
        tain_buffer_clear(&inner);
        append_scan_name(&inner, names[i], i);
        tain_buffer_append_str(out, i ? ", " : "SELECT ");
        tain_sql_name(out, tain_buffer_cstr(&inner));
        tain_buffer_append_str(out, " AS ");
        tain_sql_name(out, names[i]);
    }
}

/* {'physical': {name: 'logical', type: 'BIGINT', default_value: NULL}, ...}: the reader renames, casts and fills in
 * columns by itself, and does so behind the filters, which still reach the file's statistics. */
static void append_reader_schema(tain_buffer *out, const tain_schema *columns, char *const *names)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_buffer_append_str(out, "schema = MAP {");
    for (size_t i = 0; i < columns->count; i++) {
        const tain_field *f = &columns->fields[i];
        if (i) tain_buffer_append_str(out, ", ");
        tain_sql_string(out, f->physical, strlen(f->physical));
        tain_buffer_append_str(out, ": {name: ");
        tain_buffer_clear(&text);
        append_scan_name(&text, names[i], i);
        tain_sql_string(out, (const char *)text.data, text.size);
        tain_buffer_append_str(out, ", type: ");
        tain_buffer_clear(&text);
        tain_sql_type(&text, &f->type);
        tain_sql_string(out, (const char *)text.data, text.size);
        tain_buffer_append_str(out, ", default_value: NULL}");
    }
    tain_buffer_append_u8(out, '}');
}

/* One scan of the files that have deletions, or of those that have none. */
static void append_scan(tain_buffer *out, const tain_schema *columns, char *const *names, const tain_scan_file *files, size_t n,
                        bool with_deletions, int64_t first)
{
    const char *comma = "";
    append_select_list(out, names, columns->count);
    append_location(out, first);
    tain_buffer_append_str(out, " FROM read_parquet([");
    for (size_t i = 0; i < n; i++) {
        if ((files[i].deleted != NULL) != with_deletions) continue;
        tain_buffer_append_str(out, comma);
        tain_sql_path(out, files[i].path);
        comma = ", ";
    }
    tain_buffer_append_str(out, "], hive_partitioning = false, ");
    append_reader_schema(out, columns, names);
    tain_buffer_append_u8(out, ')');
}

static void append_empty(tain_buffer *out, const tain_schema *columns, char *const *names)
{
    for (size_t i = 0; i < columns->count; i++) {
        tain_buffer_append_str(out, i ? ", CAST(NULL AS " : "SELECT CAST(NULL AS ");
        tain_sql_type(out, &columns->fields[i].type);
        tain_buffer_append_str(out, ") AS ");
        tain_sql_name(out, names[i]);
    }
    tain_buffer_append_str(out, " WHERE false");
}

static void append_body(tain_buffer *out, size_t slot, size_t deletions, const tain_schema *columns, const tain_scan_file *files,
                        size_t n, bool located)
{
    int64_t first = located ? 0 : UNLOCATED, behind = located ? (int64_t)(n - deletions) : UNLOCATED;
    char **names = column_names(columns);
    if (n == 0) append_empty(out, columns, names);
    if (n > deletions) append_scan(out, columns, names, files, n, false, first);
    if (n > deletions && deletions) tain_buffer_append_str(out, " UNION ALL ");
    if (deletions) {
        append_scan(out, columns, names, files, n, true, behind);
        tain_buffer_printf(out, " WHERE tain_row_lives(%zu, file_index, file_row_number)", slot);
    }
    free_names(names, columns->count);
}

static tain_status make_schema(tain_scan *s, const char *catalog, const char *schema, tain_buffer *view, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    if (catalog) {
        tain_buffer_append_str(&sql, "ATTACH IF NOT EXISTS ':memory:' AS ");
        tain_sql_name(&sql, catalog);
        TAIN_TRY(tain_scan_run(s, tain_buffer_cstr(&sql), err));
    }
    /* A schema alone would be ambiguous next to a catalog of the same name. */
    tain_sql_name(view, catalog ? catalog : "memory");
    tain_buffer_append_u8(view, '.');
    tain_sql_name(view, schema);
    tain_buffer_clear(&sql);
    tain_buffer_append_str(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    tain_buffer_append(&sql, view->data, view->size);
    return tain_scan_run(s, tain_buffer_cstr(&sql), err);
}

static tain_status add_view(tain_scan *s, const char *catalog, const char *schema, const char *name, const tain_schema *columns,
                            const tain_scan_file *files, size_t n, bool located, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer view = {0}, sql = {0};
    TAIN_TRY(check_columns(columns, err));
    TAIN_TRY_IN(err, make_schema(s, catalog, schema, &view, err), "schema %s", schema);
    tain_buffer_append_u8(&view, '.');
    tain_sql_name(&view, name);
    size_t slot = slot_for(s, tain_buffer_cstr(&view));
    slot_fill(s->slots[slot], files, n);
    tain_buffer_printf(&sql, "CREATE OR REPLACE VIEW %s AS ", tain_buffer_cstr(&view));
    append_body(&sql, slot, s->slots[slot]->count, columns, files, n, located);
    return tain_scan_run(s, tain_buffer_cstr(&sql), err);
}

tain_status tain_scan_add_table(tain_scan *s, const char *catalog, const char *schema, const char *name, const tain_schema *columns,
                                const tain_scan_file *files, size_t n, tain_error *err)
{
    return add_view(s, catalog, schema, name, columns, files, n, false, err);
}

tain_status tain_scan_add_located(tain_scan *s, const char *schema, const char *name, const tain_schema *columns,
                                  const tain_scan_file *files, size_t n, tain_error *err)
{
    return add_view(s, NULL, schema, name, columns, files, n, true, err);
}
