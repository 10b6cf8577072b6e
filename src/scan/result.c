/* SPDX-License-Identifier: MIT */
/* A statement is prepared at once, so that its errors and its columns are known, and run when its first rows are asked
 * for: as it is for typed rows, or with every column cast to text. */
#include <ctype.h>
#include <stdlib.h>

#include "scan/internal.h"

/* --- preparing ----------------------------------------------------------------------------------------------------- */

static char *without_end(const char *sql)
{
    size_t n = strlen(sql);
    while (n && (isspace((unsigned char)sql[n - 1]) || sql[n - 1] == ';')) n--;
    return tain_strndup(sql, n);
}

static void note_columns(tain_result *r, duckdb_prepared_statement p)
{
    r->count = duckdb_prepared_statement_column_count(p);
    r->columns = tain_alloc((r->count + 1) * sizeof *r->columns);
    for (size_t i = 0; i < r->count; i++) {
        const char *name = duckdb_prepared_statement_column_name(p, i);
        r->columns[i] = (tain_result_column){.name = tain_strdup(name), .type = duckdb_prepared_statement_column_type(p, i)};
        duckdb_free((void *)name);
    }
}

/* DuckDB tells several lines; the first says what is wrong. */
static tain_status invalid(tain_error *err, const char *message)
{
    const char *text = message ? message : "unknown error";
    return tain_fail(err, TAIN_E_INVALID, "%.*s", (int)strcspn(text, "\n"), text);
}

tain_status tain_scan_query(tain_scan *s, const char *sql, tain_result **ret, tain_error *err)
{
    duckdb_prepared_statement p;
    tain_result *r = tain_alloc(sizeof *r);
    r->scan = s;
    r->sql = without_end(sql);
    tain_status st = TAIN_OK;
    if (duckdb_prepare(s->connection, r->sql, &p) != DuckDBSuccess) {
        st = invalid(err, duckdb_prepare_error(p));
    } else {
        r->select = duckdb_prepared_statement_type(p) == DUCKDB_STATEMENT_TYPE_SELECT;
        note_columns(r, p);
    }
    duckdb_destroy_prepare(&p);
    if (st != TAIN_OK) {
        tain_result_free(r);
        return st;
    }
    *ret = r;
    return TAIN_OK;
}

void tain_result_free(tain_result *r)
{
    if (!r) return;
    if (r->executed) duckdb_destroy_result(&r->result);
    for (size_t i = 0; i < r->count; i++) tain_free(r->columns[i].name);
    tain_free(r->columns);
    tain_free(r->sql);
    tain_schema_free(r->text_schema);
    tain_free(r);
}

size_t tain_result_columns(const tain_result *r)
{
    return r->count;
}

const char *tain_result_name(const tain_result *r, size_t column)
{
    return r->columns[column].name;
}

bool tain_result_is_number(const tain_result *r, size_t column)
{
    switch (r->columns[column].type) {
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL: return true;
    default: return false;
    }
}

bool tain_result_is_bool(const tain_result *r, size_t column)
{
    return r->columns[column].type == DUCKDB_TYPE_BOOLEAN;
}

/* --- running ------------------------------------------------------------------------------------------------------- */

static tain_status execute(tain_result *r, const char *sql, tain_error *err)
{
    duckdb_prepared_statement p;
    if (duckdb_prepare(r->scan->connection, sql, &p) != DuckDBSuccess) {
        tain_status st = invalid(err, duckdb_prepare_error(p));
        duckdb_destroy_prepare(&p);
        return st;
    }
    r->executed = true;
    bool ok = duckdb_execute_prepared_streaming(p, &r->result) == DuckDBSuccess;
    duckdb_destroy_prepare(&p);
    return ok ? TAIN_OK : invalid(err, duckdb_result_error(&r->result));
}

tain_status tain_result_fetch(tain_result *r, duckdb_data_chunk *ret, tain_error *err)
{
    if (!r->executed) TAIN_TRY(execute(r, r->sql, err));
    *ret = duckdb_fetch_chunk(r->result);
    const char *message = *ret ? NULL : duckdb_result_error(&r->result);
    return message && *message ? invalid(err, message) : TAIN_OK;
}

static tain_status execute_as_text(tain_result *r, tain_error *err)
{
    if (!r->select) return execute(r, r->sql, err);
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_buffer_printf(&sql, "select cast(columns(*) as varchar) from (\n%s\n)", r->sql);
    return execute(r, tain_buffer_cstr(&sql), err);
}

const tain_schema *tain_result_text_schema(tain_result *r)
{
    if (r->text_schema) return r->text_schema;
    r->text_schema = tain_schema_new();
    for (size_t i = 0; i < r->count; i++) tain_schema_add(r->text_schema, r->columns[i].name, tain_type_of(TAIN_STRING));
    return r->text_schema;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static tain_status append_chunk(duckdb_data_chunk chunk, tain_batch *io, tain_error *err)
{
    size_t n = duckdb_data_chunk_get_size(chunk);
    for (size_t c = 0; c < io->schema->count; c++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
        duckdb_logical_type type = duckdb_vector_get_column_type(v);
        tain_status st = tain_scan_append(v, type, 0, n, &io->columns[c], err);
        duckdb_destroy_logical_type(&type);
        if (st != TAIN_OK) {
            tain_error_context(err, "column %s", io->schema->fields[c].name);
            return st;
        }
    }
    io->rows += n;
    return TAIN_OK;
}

tain_status tain_result_next(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    duckdb_data_chunk chunk;
    TAIN_TRY(tain_result_fetch(r, &chunk, err));
    *ret_rows = 0;
    if (!chunk) return TAIN_OK;
    *ret_rows = duckdb_data_chunk_get_size(chunk);
    tain_status st = append_chunk(chunk, io, err);
    duckdb_destroy_data_chunk(&chunk);
    return st;
}

tain_status tain_result_next_text(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    if (!r->executed) TAIN_TRY(execute_as_text(r, err));
    return tain_result_next(r, io, ret_rows, err);
}
