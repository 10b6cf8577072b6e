/* SPDX-License-Identifier: MIT */
/* A file with columns added shows what the old one did, row by row, and the new columns: to our reader and to an engine that
 * we did not write. */
#include "parquet_fixture.h"

#include <duckdb.h>

#include "parquet/refoot.h"

static char folder[] = "/tmp/tain-refoot-XXXXXX";
static duckdb_database   database;
static duckdb_connection connection;

static int setup(void **state)
{
    if (!mkdtemp(folder)) return 1;
    return duckdb_open(NULL, &database) == DuckDBError || duckdb_connect(database, &connection) == DuckDBError;
}

static int teardown(void **state)
{
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    char *command = tain_format("rm -r '%s'", folder);
    int   status = system(command);
    tain_free(command);
    return status;
}

/* First value of the answer as text; the caller frees. */
static char *query(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *query(const char *format, ...)
{
    char          sql[2000];
    duckdb_result result;
    va_list       args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    if (duckdb_query(connection, sql, &result) == DuckDBError) fail_msg("%s: %s", sql, duckdb_result_error(&result));
    char *text = duckdb_value_varchar(&result, 0, 0), *copy = tain_strdup(text ? text : "NULL");
    duckdb_free(text);
    duckdb_destroy_result(&result);
    return copy;
}

static void assert_answer(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    tain_free(got);
}

/* --- a file and what becomes of it --------------------------------------------------------------------------------- */

static tain_status to_text(const tain_column *in, tain_column *out, tain_error *err)
{
    tain_buffer text = {0};
    for (size_t i = 0; i < in->length; i++) {
        tain_buffer_clear(&text);
        tain_column_text(in, i, &text);
        if (tain_column_is_null(in, i)) tain_column_append_null(out);
        else tain_column_append_bytes(out, text.data, text.size);
    }
    tain_buffer_done(&text);
    return TAIN_OK;
}

static tain_batch make_rows(tain_schema *s, size_t n)
{
    tain_batch   b;
    random_shape shapes[8];
    tain_schema_add(s, "n", tain_type_of(TAIN_INT32));
    for (size_t i = 1; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof name, "c%zu", i);
        tain_schema_add(s, name, random_type(s, true));
    }
    for (size_t i = 0; i < 8; i++) shapes[i] = random_shape_new();
    tain_batch_init(&b, s);
    random_rows(&b, shapes, n);
    return b;
}

/* Columns added: a number, a text, a flag, all of one value, and n as text. */
typedef struct more { tain_schema *schema; tain_batch values; tain_refoot_source sources[4]; tain_field from; } more;

static void more_init(more *m)
{
    m->schema = tain_schema_new();
    tain_schema_add(m->schema, "number", tain_type_decimal(20, 2));
    tain_schema_add(m->schema, "text", tain_type_of(TAIN_STRING));
    tain_schema_add(m->schema, "flag", tain_type_of(TAIN_BOOL));
    tain_schema_add(m->schema, "was n", tain_type_of(TAIN_STRING));
    m->schema->fields[3].id = 17;
    tain_batch_init(&m->values, m->schema);
    tain_column_append_i128(&m->values.columns[0], -12345);
    tain_column_append_bytes(&m->values.columns[1], "dé\"fault", 9);
    tain_column_append_bool(&m->values.columns[2], true);
    for (size_t i = 0; i < 3; i++) m->sources[i] = (tain_refoot_source){.constant = &m->values.columns[i]};
    m->from = (tain_field){.name = "n", .physical = "n", .type = tain_type_of(TAIN_INT32), .nullable = true};
    m->sources[3] = (tain_refoot_source){.from = &m->from, .convert = to_text};
}

static void more_done(more *m)
{
    tain_batch_done(&m->values);
    tain_schema_free(m->schema);
}

static void refoot(tain_store *store, const char *from, const char *to, const more *m, tain_parquet_summary *ret)
{
    tain_error   err;
    tain_object  o;
    tain_upload *u;
    assert_ok(tain_store_head(store, from, &o, &err), err);
    assert_ok(tain_store_upload(store, to, &u, &err), err);
    assert_ok(tain_parquet_refoot(store, from, o.size, m->schema, m->sources, u, ret, &err), err);
    assert_int_equal(u->size, ret->bytes);
    assert_ok(tain_upload_finish(u, &err), err);
}

static void check_reader(tain_store *store, const tain_batch *b, const more *m)
{
    tain_error         err;
    tain_parquet_file *f;
    TAIN_AUTO(tain_schema_free) tain_schema *all = tain_schema_copy(b->schema);
    for (size_t i = 0; i < 4; i++) tain_schema_add(all, m->schema->fields[i].name, m->schema->fields[i].type);
    assert_ok(tain_parquet_open(store, "new.parquet", -1, &f, &err), err);
    tain_batch got, text;
    tain_batch_init(&got, all);
    tain_batch_init(&text, m->schema);
    assert_ok(tain_parquet_read(f, 0, (int64_t)b->rows, &got, &err), err);
    (void)!to_text(&b->columns[0], &text.columns[3], &err);
    for (size_t c = 0; c < b->schema->count; c++)
        for (size_t i = 0; i < b->rows; i++) assert_same_value(&got.columns[c], i, &b->columns[c], i, "old column");
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < b->rows; i++) assert_same_value(&got.columns[b->schema->count + c], i, &m->values.columns[c], 0, "constant");
    for (size_t i = 0; i < b->rows; i++) assert_same_value(&got.columns[b->schema->count + 3], i, &text.columns[3], i, "converted");
    tain_batch_done(&got);
    tain_batch_done(&text);
    tain_parquet_close(f);
}

static void check_engine(size_t rows)
{
    char *count = tain_format("%zu", rows);
    assert_answer(query("select count(*) from '%s/new.parquet'", folder), count);
    assert_answer(query("select count(*) from '%s/new.parquet' where number = -123.45 and text = 'dé\"fault' and flag", folder), count);
    assert_answer(query("select count(*) from '%s/new.parquet' where \"was n\" is distinct from n::varchar", folder), "0");
    /* through statistics alone, and around them */
    assert_answer(query("select count(*) from '%s/new.parquet' where number > -123", folder), "0");
    assert_answer(query("select count(*) from (select * exclude (number, text, flag, \"was n\") from '%s/new.parquet' "
                        "except all select * from '%s/old.parquet')", folder, folder), "0");
    tain_free(count);
}

static void one_file(size_t rows, tain_parquet_options options)
{
    tain_error err;
    tain_store *store = NULL;
    assert_ok(tain_store_open(folder, false, &store, &err), err);
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_batch b = make_rows(s, rows);
    more m;
    more_init(&m);
    tain_parquet_summary summary;
    write_file(store, "old.parquet", &b, &options, NULL);
    refoot(store, "old.parquet", "new.parquet", &m, &summary);
    assert_int_equal(summary.rows, rows);
    assert_int_equal(summary.columns[1].null_count, 0);
    if (rows) assert_memory_equal(summary.columns[1].min.data, "dé\"fault", 9);
    check_reader(store, &b, &m);
    check_engine(rows);
    tain_parquet_summary_done(&summary);
    more_done(&m);
    tain_batch_done(&b);
    tain_store_close(store);
}

static void files_of_all_kinds_get_columns(void **state)
{
    random_begin("files_of_all_kinds_get_columns");
    for (int i = 0; i < 25; i++) one_file(random_below(4) ? random_below(3000) + 1 : 0, random_options());
    one_file(50000, tain_parquet_defaults());
}

/* What was there is there still, byte for byte, and the constant takes hardly any room. */
static void pages_are_copied(void **state)
{
    tain_error  err;
    tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_schema_add(s, "n", tain_type_of(TAIN_INT32));
    tain_batch b;
    tain_batch_init(&b, s);
    for (int i = 0; i < 300000; i++) {
        tain_column_append_i32(&b.columns[0], (int32_t)((uint32_t)i * 7919u));
        tain_batch_end_row(&b);
    }
    more m;
    more_init(&m);
    m.schema->count = 3;
    tain_parquet_summary summary;
    write_file(store, "old.parquet", &b, NULL, NULL);
    refoot(store, "old.parquet", "new.parquet", &m, &summary);
    tain_buffer old = {0}, new = {0};
    assert_ok(tain_store_get(store, "old.parquet", 0, -1, &old, &err), err);
    assert_ok(tain_store_get(store, "new.parquet", 0, -1, &new, &err), err);
    uint32_t footer;
    memcpy(&footer, old.data + old.size - 8, 4);
    assert_memory_equal(old.data, new.data, old.size - 8 - footer);
    assert_in_range(new.size - old.size, 1, 16 << 10);
    tain_buffer_done(&old);
    tain_buffer_done(&new);
    tain_parquet_summary_done(&summary);
    more_done(&m);
    tain_batch_done(&b);
    tain_store_close(store);
}

/* Again and again: each time on what the last time left. */
static void a_file_gets_columns_twice(void **state)
{
    tain_error  err;
    tain_store *store = NULL;
    assert_ok(tain_store_open(folder, false, &store, &err), err);
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new(), *second = tain_schema_new();
    random_begin("a_file_gets_columns_twice");
    tain_batch b = make_rows(s, 5000), value;
    more m;
    more_init(&m);
    tain_parquet_summary summary;
    tain_parquet_options o = random_options();
    write_file(store, "old.parquet", &b, &o, NULL);
    refoot(store, "old.parquet", "once.parquet", &m, &summary);
    tain_parquet_summary_done(&summary);
    tain_schema_add(second, "again", tain_type_of(TAIN_INT64));
    tain_batch_init(&value, second);
    tain_column_append_i64(&value.columns[0], 4711);
    more n = {.schema = second, .sources = {{.constant = &value.columns[0]}}};
    refoot(store, "once.parquet", "new.parquet", &n, &summary);
    tain_parquet_summary_done(&summary);
    check_reader(store, &b, &m);
    assert_answer(query("select count(*) from '%s/new.parquet' where again = 4711 and flag", folder), "5000");
    tain_batch_done(&value);
    more_done(&m);
    tain_batch_done(&b);
    tain_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_all_kinds_get_columns),
        cmocka_unit_test(pages_are_copied),
        cmocka_unit_test(a_file_gets_columns_twice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
