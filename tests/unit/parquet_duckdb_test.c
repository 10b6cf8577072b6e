/* SPDX-License-Identifier: MIT */
/* An engine that we did not write reads our files, nested ones too; and we read its files, which have no page index. */
#include "parquet_fixture.h"

#include <duckdb.h>

static char folder[] = "/tmp/tain-parquet-XXXXXX";

typedef struct engine {
    duckdb_database   database;
    duckdb_connection connection;
} engine;

static int setup(void **state)
{
    static engine e;
    *state = &e;
    if (!mkdtemp(folder)) return 1;
    return duckdb_open(NULL, &e.database) == DuckDBError || duckdb_connect(e.database, &e.connection) == DuckDBError;
}

static int teardown(void **state)
{
    engine *e = *state;
    duckdb_disconnect(&e->connection);
    duckdb_close(&e->database);
    char *command = tain_format("rm -r '%s'", folder);
    int   status = system(command);
    tain_free(command);
    return status;
}

static char *query(engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* First value of the first row as text ("NULL"); the caller frees. */
static char *query(engine *e, const char *format, ...)
{
    char          sql[4000];
    duckdb_result result;
    va_list       args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    if (duckdb_query(e->connection, sql, &result) == DuckDBError) fail_msg("%s: %s", sql, duckdb_result_error(&result));
    char *text = duckdb_row_count(&result) ? duckdb_value_varchar(&result, 0, 0) : NULL;
    char *copy = tain_strdup(text ? text : "NULL");
    duckdb_free(text);
    duckdb_destroy_result(&result);
    return copy;
}

static void assert_answer(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    tain_free(got);
}

static tain_store *disk(void)
{
    tain_store *s = NULL;
    tain_error  err;
    assert_ok(tain_store_open(folder, false, &s, &err), err);
    return s;
}

static void nested_values_are_understood(void **state)
{
    static tain_field kv[2] = {{.name = "key", .type = {.kind = TAIN_STRING}},
                               {.name = "value", .type = {.kind = TAIN_STRING}, .nullable = true}};
    static tain_field inner[1] = {{.name = "z", .type = {.kind = TAIN_INT64}, .nullable = true}};
    static tain_field element[1] = {{.name = "element", .type = {.kind = TAIN_STRING}, .nullable = true}};
    static tain_field parts[4] = {
        {.name = "x", .type = {.kind = TAIN_INT32}, .nullable = true},
        {.name = "m", .type = {.kind = TAIN_MAP, .child_count = 2, .children = kv}, .nullable = true},
        {.name = "in", .type = {.kind = TAIN_STRUCT, .child_count = 1, .children = inner}, .nullable = true},
        {.name = "l", .type = {.kind = TAIN_LIST, .child_count = 1, .children = element}, .nullable = true}};
    TAIN_AUTO(tain_store_close) tain_store *store = disk();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_schema_add(s, "s", (tain_type){.kind = TAIN_STRUCT, .child_count = 4, .children = parts});
    tain_batch b;
    tain_batch_init(&b, s);
    tain_column *top = &b.columns[0], *x = &top->children[0], *m = &top->children[1], *in = &top->children[2],
                *l = &top->children[3];
    /* a null; a struct of nulls; one with empty and one with full contents */
    tain_column_append_null(top);
    for (int k = 0; k < 4; k++) tain_column_append_null(&top->children[k]);
    tain_column_end_struct(top);
    tain_column_append_i32(x, 7);
    tain_column_end_list(m);
    tain_column_append_null(&in->children[0]);
    tain_column_end_struct(in);
    tain_column_end_list(l);
    tain_column_end_struct(top);
    tain_column_append_i32(x, 8);
    tain_column_append_bytes(&m->children[0], "a", 1);
    tain_column_append_bytes(&m->children[1], "1", 1);
    tain_column_append_bytes(&m->children[0], "b", 1);
    tain_column_append_null(&m->children[1]);
    tain_column_end_list(m);
    tain_column_append_i64(&in->children[0], 9);
    tain_column_end_struct(in);
    tain_column_append_null(&l->children[0]);
    tain_column_append_bytes(&l->children[0], "x", 1);
    tain_column_end_list(l);
    tain_column_end_struct(top);
    b.rows = 4;
    random_begin("nested_values_are_understood");
    tain_parquet_summary sum;
    write_file(store, "nested.parquet", &b, NULL, &sum);
    assert_int_equal(sum.columns[0].null_count, 1);
    tain_parquet_summary_done(&sum);
    assert_answer(query(*state,
                        "select string_agg(coalesce(s::varchar, 'null'), ' | ' order by file_row_number) from "
                        "read_parquet('%s/nested.parquet', file_row_number = true)",
                        folder),
                  "null | {'x': NULL, 'm': NULL, 'in': NULL, 'l': NULL} | {'x': 7, 'm': {}, 'in': {'z': NULL}, 'l': []} | "
                  "{'x': 8, 'm': {a=1, b=NULL}, 'in': {'z': 9}, 'l': [NULL, x]}");
    tain_batch_done(&b);
}

static const char *literal_type(const tain_type *t)
{
    static char text[100];
    static const char *const names[] = {"boolean", "tinyint", "smallint", "integer", "bigint",      "float",    "double",
                                        NULL,      "varchar", "blob",     "date",    "timestamptz", "timestamp"};
    if (t->kind == TAIN_DECIMAL) snprintf(text, sizeof text, "decimal(%d,%d)", t->precision, t->scale);
    else snprintf(text, sizeof text, "%s", names[t->kind]);
    return text;
}

/* Every value, as DuckDB prints it after a cast from our text. */
static void assert_same_in(engine *e, const char *file, const tain_batch *b, size_t column)
{
    const tain_column *c = &b->columns[column];
    for (size_t i = 0; i < b->rows; i += 1 + b->rows / 50) {
        TAIN_AUTO(tain_buffer_done) tain_buffer text = {0}, quoted = {0};
        if (tain_column_is_null(c, i)) {
            assert_answer(query(e, "select c%zu from read_parquet('%s/%s', file_row_number = true) where file_row_number = %zu",
                                column, folder, file, i),
                          "NULL");
            continue;
        }
        tain_column_text(c, i, &text);
        tain_buffer_cstr(&text);
        for (size_t k = 0; k < text.size; k++) {
            if (c->type.kind == TAIN_BINARY && k % 2 == 0) tain_buffer_append_str(&quoted, "\\x");
            if (text.data[k] == '\'') tain_buffer_append_u8(&quoted, '\'');
            tain_buffer_append_u8(&quoted, text.data[k]);
        }
        assert_answer(query(e,
                            "select c%zu is not distinct from '%s'::%s from read_parquet('%s/%s', file_row_number = true) where "
                            "file_row_number = %zu",
                            column, tain_buffer_cstr(&quoted), literal_type(&c->type), folder, file, i),
                      "true");
    }
}

static bool has_text_duckdb_reads(const tain_type *t)
{
    return t->kind != TAIN_DATE && t->kind != TAIN_TIMESTAMP && t->kind != TAIN_TIMESTAMP_NTZ;
}

static void all_types_are_understood(void **state)
{
    random_begin("all_types_are_understood");
    for (int round = 0; round < 6; round++) {
        TAIN_AUTO(tain_store_close) tain_store *store = disk();
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
        tain_parquet_options o = random_options();
        random_shape         shapes[TAIN_TIMESTAMP_NTZ + 4];
        size_t               n = 0;
        tain_batch           b;
        if (o.page_rows < 7) o.page_rows = 7;
        if (o.row_group_rows < 64) o.row_group_rows = 64;
        for (; n < sizeof shapes / sizeof *shapes; n++) {
            char name[32];
            snprintf(name, sizeof name, "c%zu", n);
            tain_type type = n > TAIN_TIMESTAMP_NTZ || n == TAIN_DECIMAL ? tain_type_decimal(1 + (unsigned)random_below(38), 1)
                                                                         : tain_type_of((tain_kind)n);
            tain_schema_add(s, name, type);
            shapes[n] = random_shape_new();
            if (shapes[n].longest > 40) shapes[n].longest = 40;
        }
        tain_batch_init(&b, s);
        random_rows(&b, shapes, 1 + random_below(1000));
        write_file(store, "types.parquet", &b, &o, NULL);
        for (size_t c = 0; c < n; c++) {
            char expected[32];
            snprintf(expected, sizeof expected, "%zu", b.columns[c].null_count);
            assert_answer(query(*state, "select count(*) - count(c%zu) from '%s/types.parquet'", c, folder), expected);
            if (has_text_duckdb_reads(&s->fields[c].type)) assert_same_in(*state, "types.parquet", &b, c);
        }
        tain_batch_done(&b);
    }
}

/* What DuckDB selects and what we read are the same text. */
static void its_files_are_read(void **state)
{
    static const char *const options[] = {"compression snappy", "compression zstd, row_group_size 2048",
                                          "compression uncompressed", "compression snappy, parquet_version v2"};
    enum { N = 5000 };
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        TAIN_AUTO(tain_store_close) tain_store *store = disk();
        TAIN_AUTO(tain_schema_free) tain_schema *want = tain_schema_new();
        TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
        tain_error err;
        tain_batch out, one;
        tain_free(query(*state,
                        "copy (select i::integer i, case when i %% 3 = 0 then null else i * 1000000007 end::bigint b, ('text ' "
                        "|| i %% 40) s, i / 7.0::double d, "
                        "(i * 1.25)::decimal(9,2) m, (i * 1.25)::decimal(30,2) w, date '2000-01-01' + i::integer dt, timestamp "
                        "'2000-01-01 00:00:00.000001' + interval (i) second ts, "
                        "i %% 5 = 0 t, i::smallint sm, case when i %% 11 = 0 then null else [i::integer, null, i::integer + "
                        "1][:i %% 4] end l from range(%d) r(i)) "
                        "to '%s/theirs.parquet' (format parquet, %s)",
                        N, folder, options[k]));
        tain_schema_add(want, "i", tain_type_of(TAIN_INT32));
        tain_schema_add(want, "b", tain_type_of(TAIN_INT64));
        tain_schema_add(want, "s", tain_type_of(TAIN_STRING));
        tain_schema_add(want, "d", tain_type_of(TAIN_DOUBLE));
        tain_schema_add(want, "m", tain_type_decimal(9, 2));
        tain_schema_add(want, "w", tain_type_decimal(30, 2));
        tain_schema_add(want, "dt", tain_type_of(TAIN_DATE));
        tain_schema_add(want, "ts", tain_type_of(TAIN_TIMESTAMP_NTZ));
        tain_schema_add(want, "t", tain_type_of(TAIN_BOOL));
        tain_schema_add(want, "sm", tain_type_of(TAIN_INT16));
        tain_schema_add(want, "l", tain_type_list(want, tain_type_of(TAIN_INT32)));
        assert_ok(tain_parquet_open(store, "theirs.parquet", -1, &f, &err), err);
        assert_int_equal(tain_parquet_file_rows(f), N);
        tain_batch_init(&out, want);
        tain_batch_init(&one, want);
        tain_status st = tain_parquet_read(f, 0, N, &out, &err);
        if (k == 3 && st == TAIN_E_UNSUPPORTED) { /* DELTA encodings: refused, not misread */
            assert_non_null(strstr(err.message, "encoding"));
        } else {
            assert_ok(st, err);
            assert_ok(tain_parquet_read_rows(f, (uint32_t[]){0, 4097, 4998}, 3, &one, &err), err);
            for (size_t i = 0; i < N; i++) {
                const tain_column *c = out.columns;
                char               text[40];
                assert_int_equal(((int32_t *)c[0].values.data)[i], i);
                assert_int_equal(tain_column_is_null(&c[1], i), i % 3 == 0);
                if (i % 3) assert_true(((int64_t *)c[1].values.data)[i] == (int64_t)i * 1000000007);
                snprintf(text, sizeof text, "text %zu", i % 40);
                assert_memory_equal(tain_column_slice(&c[2], i).data, text, tain_column_slice(&c[2], i).size);
                assert_true(((double *)c[3].values.data)[i] == (double)i / 7.0);
                assert_true(tain_column_decimal(&c[4], i) == (i * 125));
                assert_true(tain_column_decimal(&c[5], i) == (i * 125));
                assert_int_equal(((int32_t *)c[6].values.data)[i], 10957 + i);
                assert_true(((int64_t *)c[7].values.data)[i] == 946684800000001 + (int64_t)i * 1000000);
                assert_int_equal(tain_bit(c[8].values.data, i), i % 5 == 0);
                assert_int_equal(((int16_t *)c[9].values.data)[i], i);
                assert_int_equal(tain_column_is_null(&c[10], i), i % 11 == 0);
                const int32_t *o = (const int32_t *)c[10].values.data;
                assert_int_equal(o[i + 1] - o[i], i % 11 == 0 ? 0 : i % 4);
                if (o[i + 1] - o[i] > 2) {
                    assert_true(tain_column_is_null(&c[10].children[0], (size_t)o[i] + 1));
                    assert_int_equal(((int32_t *)c[10].children[0].values.data)[o[i] + 2], i + 1);
                }
            }
            for (size_t c = 0; c < want->count; c++)
                for (size_t i = 0; i < 3; i++)
                    assert_same_value(&out.columns[c], (size_t[]){0, 4097, 4998}[i], &one.columns[c], i, "theirs");
        }
        tain_batch_done(&out);
        tain_batch_done(&one);
        tain_store_close(store);
        tain_schema_free(want);
        tain_parquet_close(f);
        store = NULL, want = NULL, f = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_values_are_understood),
        cmocka_unit_test(all_types_are_understood),
        cmocka_unit_test(its_files_are_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
