/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

/* A query is bound at once, so that its columns are known and its mistakes come from tain_scan_query; it runs when the
 * first rows are asked for, because only then is it known whether they shall be text. Everything else runs at once. */
struct tain_result {
    tain_scan                *scan;
    char                     *sql; /* of a query that has not begun, NULL otherwise */
    duckdb_prepared_statement plan;
    duckdb_result             rows;
    bool                      has_rows;  /* rows is to be destroyed */
    bool                      nested;    /* of lists, maps and structs only the values become text */
    bool                      planned;   /* whether DuckDB can make the text is known */
    bool                      text;      /* DuckDB makes the text */
    bool                      ended;     /* DuckDB takes it ill to be asked beyond */
    size_t                    columns;
    char                    **names;
    tain_lane                *shapes; /* of the columns, never bound */
    tain_lane                *lanes;  /* of what is fetched */
    tain_schema              *text_schema;
    idx_t                     next_row; /* of a result that is held whole and read as text */
};

/* --- begin --------------------------------------------------------------------------------------------------------- */

static tain_status prepare_fail(duckdb_prepared_statement *plan, tain_error *err)
{
    tain_status status = tain_scan_fail(err, DUCKDB_ERROR_BINDER, duckdb_prepare_error(*plan));
    duckdb_destroy_prepare(plan);
    return status;
}

static tain_status execute(tain_result *r, bool stream, tain_error *err)
{
    duckdb_state state = stream ? duckdb_execute_prepared_streaming(r->plan, &r->rows) : duckdb_execute_prepared(r->plan, &r->rows);
    r->has_rows = true;
    if (state == DuckDBSuccess) return TAIN_OK;
    return tain_scan_fail(err, duckdb_result_error_type(&r->rows), duckdb_result_error(&r->rows));
}

static tain_status run_one(tain_scan *s, duckdb_extracted_statements all, idx_t i, tain_error *err)
{
    tain_result r = {.scan = s};
    if (duckdb_prepare_extracted_statement(s->connection, all, i, &r.plan) != DuckDBSuccess) return prepare_fail(&r.plan, err);
    tain_status status = execute(&r, false, err);
    duckdb_destroy_result(&r.rows);
    duckdb_destroy_prepare(&r.plan);
    return status;
}

static void describe(tain_result *r)
{
    r->columns = duckdb_prepared_statement_column_count(r->plan);
    r->names = tain_alloc((r->columns + 1) * sizeof *r->names);
    r->shapes = tain_alloc((r->columns + 1) * sizeof *r->shapes);
    for (size_t i = 0; i < r->columns; i++) {
        const char *name = duckdb_prepared_statement_column_name(r->plan, i);
        duckdb_logical_type type = duckdb_prepared_statement_column_logical_type(r->plan, i);
        tain_lane_init(&r->shapes[i], type);
        duckdb_destroy_logical_type(&type);
        r->names[i] = tain_strdup(name);
        duckdb_free((void *)name);
    }
}

static tain_status refuse(const char *problem, tain_error *err)
{
    if (!strstr(problem, "single SELECT statement")) return tain_scan_fail(err, DUCKDB_ERROR_BINDER, problem);
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "only one query is run here, and it only reads");
    tain_error_remedy(err, "write one SELECT");
    return st;
}

/* As a relation, which only one query can be, whatever it begins with. Nothing else is prepared: that alone makes EXPORT make a folder. */
static tain_status check_confined(tain_scan *s, const char *sql, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer as_relation = {0};
    duckdb_prepared_statement plan = NULL;
    tain_buffer_append_str(&as_relation, "SELECT 1 FROM query(");
    tain_sql_string(&as_relation, sql, strlen(sql));
    tain_buffer_append_u8(&as_relation, ')');
    bool        is = duckdb_prepare(s->connection, tain_buffer_cstr(&as_relation), &plan) == DuckDBSuccess;
    tain_status st = is ? TAIN_OK : refuse(duckdb_prepare_error(plan), err);
    duckdb_destroy_prepare(&plan);
    return st;
}

static tain_status begin_last(tain_result *r, const char *sql, tain_error *err)
{
    if (duckdb_nparams(r->plan)) return tain_fail(err, TAIN_E_INVALID, "a statement cannot have parameters here");
    describe(r);
    if (duckdb_prepared_statement_type(r->plan) != DUCKDB_STATEMENT_TYPE_SELECT || !sql) return execute(r, false, err);
    r->sql = tain_strdup(sql);
    return TAIN_OK;
}

static idx_t count_statements(tain_scan *s, const char *sql)
{
    duckdb_extracted_statements all = NULL;
    idx_t n = duckdb_extract_statements(s->connection, sql, &all);
    duckdb_destroy_extracted(&all);
    return n;
}

/* Where the last of n statements begins: behind the semicolon that has n - 1 statements before it and one after it, which
 * none inside text or a comment has. NULL: not found. */
static const char *last_statement(tain_scan *s, const char *sql, idx_t n)
{
    if (n == 1) return sql;
    const char *found = NULL;
    for (const char *p = sql + strlen(sql); !found && p-- > sql;) {
        if (*p != ';') continue;
        char *before = tain_strndup(sql, (size_t)(p - sql));
        if (count_statements(s, before) == n - 1 && count_statements(s, p + 1) == 1) found = p + 1;
        tain_free(before);
    }
    return found;
}

static tain_status begin(tain_result *r, duckdb_extracted_statements all, idx_t n, const char *sql, tain_error *err)
{
    const char *problem = duckdb_extract_statements_error(all);
    if (problem) return tain_scan_fail(err, DUCKDB_ERROR_PARSER, problem);
    if (n == 0) return tain_fail(err, TAIN_E_INVALID, "there is no statement in the text");
    if (r->scan->confined) TAIN_TRY(check_confined(r->scan, sql, err));
    for (idx_t i = 0; i + 1 < n; i++) TAIN_TRY(run_one(r->scan, all, i, err));
    if (duckdb_prepare_extracted_statement(r->scan->connection, all, n - 1, &r->plan) != DuckDBSuccess)
        return prepare_fail(&r->plan, err);
    return begin_last(r, last_statement(r->scan, sql, n), err);
}

tain_status tain_scan_query(tain_scan *s, const char *sql, tain_result **ret, tain_error *err)
{
    tain_result *r = tain_alloc(sizeof *r);
    r->scan = s;
    duckdb_extracted_statements all = NULL;
    idx_t n = duckdb_extract_statements(s->connection, sql, &all);
    tain_status status = begin(r, all, n, sql, err);
    duckdb_destroy_extracted(&all);
    if (status == TAIN_OK) *ret = r;
    else tain_result_free(r);
    return status;
}

void tain_result_free(tain_result *r)
{
    if (!r) return;
    if (r->has_rows) duckdb_destroy_result(&r->rows);
    if (r->plan) duckdb_destroy_prepare(&r->plan);
    for (size_t i = 0; i < r->columns; i++) {
        tain_lane_done(&r->shapes[i]);
        if (r->lanes) tain_lane_done(&r->lanes[i]);
        tain_free(r->names[i]);
    }
    tain_free(r->lanes);
    tain_free(r->names);
    tain_free(r->shapes);
    tain_free(r->sql);
    tain_schema_free(r->text_schema);
    tain_free(r);
}

size_t tain_result_columns(const tain_result *r)
{
    return r->columns;
}

const char *tain_result_name(const tain_result *r, size_t column)
{
    return r->names[column];
}

bool tain_result_is_number(const tain_result *r, size_t column)
{
    return tain_lane_is_number(&r->shapes[column]);
}

/* --- typed rows ---------------------------------------------------------------------------------------------------- */

static tain_status start(tain_result *r, tain_error *err)
{
    if (r->sql) {
        tain_free(r->sql);
        r->sql = NULL;
        TAIN_TRY(execute(r, true, err));
    }
    if (r->lanes) return TAIN_OK;
    r->lanes = tain_alloc((r->columns + 1) * sizeof *r->lanes);
    for (size_t i = 0; i < r->columns; i++) {
        duckdb_logical_type type = duckdb_column_logical_type(&r->rows, i);
        tain_lane_init(&r->lanes[i], type);
        duckdb_destroy_logical_type(&type);
    }
    return TAIN_OK;
}

static tain_status append_chunk(tain_result *r, duckdb_data_chunk chunk, tain_batch *io, size_t n, tain_error *err)
{
    for (size_t i = 0; i < r->columns; i++) {
        tain_lane_bind(&r->lanes[i], duckdb_data_chunk_get_vector(chunk, i));
        TAIN_TRY_IN(err, tain_lane_append(&r->lanes[i], 0, n, &io->columns[i], err), "column %s", r->names[i]);
    }
    io->rows += n;
    return TAIN_OK;
}

/* *ret NULL: the end. */
static tain_status fetch(tain_result *r, duckdb_data_chunk *ret, tain_error *err)
{
    *ret = NULL;
    if (r->ended) return TAIN_OK;
    while ((*ret = duckdb_fetch_chunk(r->rows)) && duckdb_data_chunk_get_size(*ret) == 0) duckdb_destroy_data_chunk(ret);
    r->ended = !*ret;
    const char *problem = *ret ? NULL : duckdb_result_error(&r->rows);
    return problem && *problem ? tain_scan_fail(err, duckdb_result_error_type(&r->rows), problem) : TAIN_OK;
}

static tain_status next_chunk(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    duckdb_data_chunk chunk = NULL;
    TAIN_TRY(fetch(r, &chunk, err));
    size_t n = chunk ? duckdb_data_chunk_get_size(chunk) : 0;
    tain_status status = n ? append_chunk(r, chunk, io, n, err) : TAIN_OK;
    if (chunk) duckdb_destroy_data_chunk(&chunk);
    if (status == TAIN_OK) *ret_rows = n;
    for (size_t i = 0; i < io->schema->count; i++) tain_column_truncate(&io->columns[i], io->rows);
    return status;
}

tain_status tain_result_next(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    if (io->schema->count != r->columns)
        return tain_fail(err, TAIN_E_INVALID, "the result has %zu columns, %zu are wanted", r->columns, io->schema->count);
    TAIN_TRY(start(r, err));
    return next_chunk(r, io, ret_rows, err);
}

/* --- rows as text -------------------------------------------------------------------------------------------------- */

const tain_schema *tain_result_text_schema(tain_result *r)
{
    if (r->text_schema) return r->text_schema;
    r->text_schema = tain_schema_new();
    for (size_t i = 0; i < r->columns; i++) {
        tain_type type = r->nested ? tain_lane_text_type(&r->shapes[i], r->text_schema) : tain_type_of(TAIN_STRING);
        tain_schema_add(r->text_schema, r->names[i], type);
    }
    return r->text_schema;
}

/* The query as a relation, whatever comments or semicolons it ends with. */
static void text_query(tain_result *r, tain_buffer *out)
{
    const tain_schema *schema = tain_result_text_schema(r);
    for (size_t i = 0; i < r->columns; i++) {
        tain_buffer_printf(out, "%s CAST(c%zu AS ", i ? "," : "SELECT", i);
        tain_sql_type(out, &schema->fields[i].type);
        tain_buffer_append_u8(out, ')');
    }
    tain_buffer_append_str(out, " FROM query(");
    tain_sql_string(out, r->sql, strlen(r->sql));
    tain_buffer_append_str(out, ") AS t(");
    for (size_t i = 0; i < r->columns; i++) tain_buffer_printf(out, "%sc%zu", i ? ", " : "", i);
    tain_buffer_append_u8(out, ')');
}

static void plan_text(tain_result *r)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    text_query(r, &sql);
    duckdb_prepared_statement plan = NULL;
    r->text = duckdb_prepare(r->scan->connection, tain_buffer_cstr(&sql), &plan) == DuckDBSuccess;
    duckdb_destroy_prepare(r->text ? &r->plan : &plan);
    if (r->text) r->plan = plan;
    r->planned = true;
}

/* What cannot be a relation (PIVOT without IN) is left as it is, run whole, and turned into text value by value. */
static tain_status start_text(tain_result *r, tain_error *err)
{
    if (!r->planned) plan_text(r);
    if (r->text) return start(r, err);
    tain_free(r->sql);
    r->sql = NULL;
    return execute(r, false, err);
}

void tain_result_keep_nesting(tain_result *r)
{
    if (!r->sql) return;
    r->nested = true;
    plan_text(r);
    if (r->text) return;
    r->nested = false;
    tain_schema_free(r->text_schema);
    r->text_schema = NULL;
}

void tain_result_put_json(const tain_result *r, size_t column, const tain_batch *rows, size_t row, tain_json *j)
{
    tain_lane_put_json(&r->shapes[column], &rows->columns[column], row, j);
}

static tain_status append_value(tain_result *r, size_t column, idx_t row, tain_column *to, tain_error *err)
{
    if (duckdb_value_is_null(&r->rows, column, row)) {
        tain_column_append_null(to);
        return TAIN_OK;
    }
    duckdb_string text = duckdb_value_string(&r->rows, column, row);
    if (!text.data) {
        tain_status st = tain_fail(err, TAIN_E_UNSUPPORTED, "column %s: values of its type cannot be shown from such a statement", r->names[column]);
        tain_error_remedy(err, "cast it to varchar; PIVOT can also be given its values with IN");
        return st;
    }
    tain_column_append_bytes(to, text.data, text.size);
    duckdb_free(text.data);
    return TAIN_OK;
}

static tain_status next_held_rows(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    idx_t n = duckdb_row_count(&r->rows) - r->next_row;
    if (n > duckdb_vector_size()) n = duckdb_vector_size();
    for (idx_t i = 0; i < n; i++) {
        for (size_t c = 0; c < r->columns; c++) TAIN_TRY(append_value(r, c, r->next_row + i, &io->columns[c], err));
        tain_batch_end_row(io);
    }
    r->next_row += n;
    *ret_rows = n;
    return TAIN_OK;
}

tain_status tain_result_next_text(tain_result *r, tain_batch *io, size_t *ret_rows, tain_error *err)
{
    if (r->sql) TAIN_TRY(start_text(r, err));
    if (r->text) return next_chunk(r, io, ret_rows, err);
    return next_held_rows(r, io, ret_rows, err);
}

tain_status tain_scan_ask(tain_scan *s, const char *sql, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    tain_batch b;
    size_t rows;
    TAIN_TRY(tain_scan_query(s, sql, &result, err));
    tain_batch_init(&b, tain_result_text_schema(result));
    tain_status st = tain_result_next_text(result, &b, &rows, err);
    bool any = st == TAIN_OK && rows && !tain_column_is_null(&b.columns[0], 0);
    tain_slice v = any ? tain_column_slice(&b.columns[0], 0) : (tain_slice){(const uint8_t *)"", 0};
    if (st == TAIN_OK) *ret = tain_strndup((const char *)v.data, v.size);
    tain_batch_done(&b);
    return st;
}
