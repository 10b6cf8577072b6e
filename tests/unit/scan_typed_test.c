/* SPDX-License-Identifier: MIT */
#include "scan_fixture.h"

static tain_schema *schema;

/* Reads all rows into columns of the one type, and gives each as tain_column_text does, "~" for null: "1,~,3". */
static tain_status read_as(tain_scan *s, tain_type type, const char *sql, tain_buffer *out)
{
    tain_result *r = NULL;
    tain_batch   b;
    size_t       n = 1;
    tain_schema_free(schema);
    schema = tain_schema_new();
    tain_schema_add(schema, "v", type);
    require(tain_scan_query(s, sql, &r, &error));
    tain_batch_init(&b, schema);
    tain_status status = TAIN_OK;
    while (status == TAIN_OK && n) status = tain_result_next(r, &b, &n, &error);
    assert_int_equal(b.columns[0].length, b.rows);
    tain_buffer_clear(out);
    for (size_t i = 0; i < b.rows; i++) {
        if (i) tain_buffer_append_u8(out, ',');
        if (tain_column_is_null(&b.columns[0], i)) tain_buffer_append_u8(out, '~');
        else tain_column_text(&b.columns[0], i, out);
    }
    tain_batch_done(&b);
    tain_result_free(r);
    return status;
}

static void expect(tain_scan *s, tain_type type, const char *values, const char *expected)
{
    tain_buffer out = {0};
    char       *sql = tain_format("select v from (values %s) t(v)", values);
    require(read_as(s, type, sql, &out));
    assert_string_equal(tain_buffer_cstr(&out), expected);
    tain_buffer_done(&out);
    tain_free(sql);
}

static void refuse(tain_scan *s, tain_type type, const char *values)
{
    tain_buffer out = {0};
    char       *sql = tain_format("select v from (values %s) t(v)", values);
    assert_int_equal(read_as(s, type, sql, &out), TAIN_E_INVALID);
    assert_non_null(strstr(error.message, "column v"));
    tain_buffer_done(&out);
    tain_free(sql);
}

static void integers(void **state)
{
    tain_scan *s = ((fixture *)*state)->scan;
    expect(s, tain_type_of(TAIN_INT8), "((-128)::tinyint), (null), (127::tinyint)", "-128,~,127");
    expect(s, tain_type_of(TAIN_INT8), "(-128::bigint), (null), (127::bigint)", "-128,~,127");
    expect(s, tain_type_of(TAIN_INT16), "(32767::usmallint), (0::usmallint)", "32767,0");
    expect(s, tain_type_of(TAIN_INT32), "((-2147483648)::hugeint), (2147483647::hugeint)", "-2147483648,2147483647");
    expect(s, tain_type_of(TAIN_INT64), "(null::bigint), (null)", "~,~");
    expect(s, tain_type_of(TAIN_INT64), "(-9223372036854775808), (9223372036854775807)", "-9223372036854775808,9223372036854775807");
    expect(s, tain_type_of(TAIN_INT64), "(7.00::decimal(9,2)), (-1.00)", "7,-1");
    expect(s, tain_type_of(TAIN_INT64), "(null), (null)", "~,~");
    refuse(s, tain_type_of(TAIN_INT8), "(128::int)");
    refuse(s, tain_type_of(TAIN_INT64), "(9223372036854775808::ubigint)");
    refuse(s, tain_type_of(TAIN_INT64), "(1.5::decimal(9,2))");
    refuse(s, tain_type_of(TAIN_INT32), "('1')");
    refuse(s, tain_type_of(TAIN_INT32), "(1.0::double)");
}

static void decimals(void **state)
{
    tain_scan *s = ((fixture *)*state)->scan;
    expect(s, tain_type_decimal(4, 2), "(12.34::decimal(4,2)), (null), (-0.01)", "12.34,~,-0.01");
    expect(s, tain_type_decimal(9, 2), "(1234567.89::decimal(9,2))", "1234567.89");
    expect(s, tain_type_decimal(18, 0), "(-999999999999999999::decimal(18,0))", "-999999999999999999");
    expect(s, tain_type_decimal(38, 10), "(-9999999999999999999999999999.9999999999::decimal(38,10)), (0.0000000001)",
           "-9999999999999999999999999999.9999999999,0.0000000001");
    expect(s, tain_type_decimal(20, 0), "(18446744073709551615::ubigint)", "18446744073709551615");
    expect(s, tain_type_decimal(10, 4), "(1.5::decimal(4,1)), (-2.0)", "1.5000,-2.0000");
    expect(s, tain_type_decimal(38, 0), "(99999999999999999999999999999999999999::hugeint)", "99999999999999999999999999999999999999");
    refuse(s, tain_type_decimal(3, 1), "(100.0::decimal(10,1))");
    refuse(s, tain_type_decimal(38, 0), "(100000000000000000000000000000000000000::hugeint)");
    refuse(s, tain_type_decimal(38, 0), "(340282366920938463463374607431768211455::uhugeint)");
    refuse(s, tain_type_decimal(10, 1), "(1.25::decimal(4,2))");
}

static void others(void **state)
{
    tain_scan *s = ((fixture *)*state)->scan;
    expect(s, tain_type_of(TAIN_BOOL), "(true), (null), (false)", "true,~,false");
    expect(s, tain_type_of(TAIN_DOUBLE), "(0.1::double), (null), (-1e300)", "0.1,~,-1e+300");
    expect(s, tain_type_of(TAIN_DOUBLE), "(0.5::float)", "0.5");
    expect(s, tain_type_of(TAIN_FLOAT), "(0.5::double), (0.1::float)", "0.5,0.1");
    refuse(s, tain_type_of(TAIN_FLOAT), "(0.1::double)");
    expect(s, tain_type_of(TAIN_STRING), "('short'), (null), ('longer than twelve bytes'), ('')", "short,~,longer than twelve bytes,");
    expect(s, tain_type_of(TAIN_STRING), "('caf' || chr(233))", "caf\xc3\xa9");
    expect(s, tain_type_of(TAIN_STRING), "('b'::enum('a', 'b', 'c')), (null), ('c')", "b,~,c");
    expect(s, tain_type_of(TAIN_STRING), "('0e8bd6ce-8a4c-4b8f-9a53-5b0c0f2d7f11'::uuid), (null), ('ffffffff-0000-0000-0000-000000000001')",
           "0e8bd6ce-8a4c-4b8f-9a53-5b0c0f2d7f11,~,ffffffff-0000-0000-0000-000000000001");
    expect(s, tain_type_of(TAIN_BINARY), "('\\x00\\xFF'::blob), (null)", "00ff,~");
    expect(s, tain_type_of(TAIN_STRING), "('abc'::blob)", "abc");
    refuse(s, tain_type_of(TAIN_STRING), "('\\xFF'::blob)");
    refuse(s, tain_type_of(TAIN_BOOL), "(1)");
    refuse(s, tain_type_of(TAIN_STRING), "(1)");
}

static void times(void **state)
{
    tain_scan *s = ((fixture *)*state)->scan;
    tain_type  zoned = tain_type_of(TAIN_TIMESTAMP), local = tain_type_of(TAIN_TIMESTAMP_NTZ), micros = tain_type_of(TAIN_INT64);
    expect(s, tain_type_of(TAIN_DATE), "(date '0001-01-01'), (null), (date '9999-12-31')", "0001-01-01,~,9999-12-31");
    tain_buffer a = {0}, b = {0};
    const char *same[] = {"timestamp_s '2026-01-31 12:34:56'", "timestamp_ms '2026-01-31 12:34:56'", "timestamp_ns '2026-01-31 12:34:56'",
                          "timestamptz '2026-01-31 12:34:56+00'"};
    require(read_as(s, local, "select timestamp '2026-01-31 12:34:56'", &a));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *sql = tain_format("select %s", same[i]);
        require(read_as(s, local, sql, &b));
        assert_string_equal(tain_buffer_cstr(&b), tain_buffer_cstr(&a));
        tain_free(sql);
    }
    require(read_as(s, zoned, "select timestamptz '1969-12-31 23:59:59.999999+00'", &a));
    assert_non_null(strstr(tain_buffer_cstr(&a), "1969-12-31"));
    assert_int_equal(read_as(s, zoned, "select timestamp_ns '2026-01-31 12:34:56.123456789'", &a), TAIN_E_INVALID);
    assert_int_equal(read_as(s, zoned, "select date '2026-01-31'", &a), TAIN_E_INVALID);
    assert_int_equal(read_as(s, micros, "select timestamp '2026-01-31 00:00:00'", &a), TAIN_E_INVALID);
    tain_buffer_done(&a);
    tain_buffer_done(&b);
}

static void nested(void **state)
{
    tain_scan   *s = ((fixture *)*state)->scan;
    tain_schema *types = tain_schema_new();
    tain_type    list = tain_type_list(types, tain_type_of(TAIN_INT64));
    expect(s, list, "([1, 2]), (null), ([]), ([null, 3::int])", "[1,2],~,[],[null,3]");
    expect(s, list, "([1, 2]::int[2]), (null), ([3, 4])", "[1,2],~,[3,4]");
    expect(s, tain_type_list(types, list), "([[1], null, []]), ([])", "[[1],null,[]],[]");
    tain_field  members[] = {{.name = "b", .physical = "b", .type = tain_type_of(TAIN_STRING), .nullable = true},
                             {.name = "none", .physical = "none", .type = tain_type_of(TAIN_INT32), .nullable = true},
                             {.name = "a", .physical = "a", .type = list, .nullable = true}};
    tain_type   row = {.kind = TAIN_STRUCT, .child_count = 3, .children = members};
    expect(s, row, "({'a': [1], 'b': 'x', 'c': 9}), (null), ({'a': null, 'b': null, 'c': 9}), ({'a': [2], 'b': 'y', 'c': 1})",
           "{\"b\":\"x\",\"none\":null,\"a\":[1]},~,{\"b\":null,\"none\":null,\"a\":null},{\"b\":\"y\",\"none\":null,\"a\":[2]}");
    expect(s, tain_type_list(types, row), "([{'a': [1], 'b': 'x'}, null]), ([])", "[{\"b\":\"x\",\"none\":null,\"a\":[1]},null],[]");
    tain_field entry[] = {{.name = "key", .physical = "key", .type = tain_type_of(TAIN_STRING)},
                          {.name = "value", .physical = "value", .type = tain_type_of(TAIN_INT64), .nullable = true}};
    tain_type  map = {.kind = TAIN_MAP, .child_count = 2, .children = entry};
    expect(s, map, "(map {'k': 1, 'l': null}), (null), (map {})", "{\"k\":1,\"l\":null},~,{}");
    refuse(s, list, "(1)");
    refuse(s, row, "([1])");
    refuse(s, list, "(['x'])");
    tain_schema_free(types);
}

static size_t count_rows(const tain_batch *b, int64_t *io_sum, size_t *io_nulls, size_t *io_elements)
{
    for (size_t i = 0; i < b->rows; i++) {
        if (tain_column_is_null(&b->columns[0], i)) (*io_nulls)++;
        else *io_sum += ((const int64_t *)b->columns[0].values.data)[i];
    }
    *io_elements += b->columns[1].children[0].length;
    return b->rows;
}

/* Dictionary pages reach the columns as DuckDB's vectors of vectors; a batch grows over several chunks. */
static void from_a_file(void **state)
{
    fixture *f = *state;
    run(f->scan, "copy (select case when x %% 3 = 0 then null else x %% 1000 end as a, case when x %% 5 = 0 then null else ['some text', 'x' || x %% 7] end as l "
                 "from range(50000) t(x)) to '%s/d.parquet' (row_group_size 10000)", f->folder);
    tain_schema *wanted = tain_schema_new();
    tain_schema_add(wanted, "a", tain_type_of(TAIN_INT64));
    tain_schema_add(wanted, "l", tain_type_list(wanted, tain_type_of(TAIN_STRING)));
    char        *sql = tain_format("from '%s/d.parquet'", f->folder);
    tain_result *r = NULL;
    tain_batch   b;
    size_t       n = 1, rows = 0, nulls = 0, elements = 0;
    int64_t      sum = 0, expected = 0;
    require(tain_scan_query(f->scan, sql, &r, &error));
    tain_batch_init(&b, wanted);
    while (n) {
        require(tain_result_next(r, &b, &n, &error));
        if (n && b.rows < 9000) continue;
        rows += count_rows(&b, &sum, &nulls, &elements);
        tain_batch_clear(&b);
    }
    for (int64_t x = 0; x < 50000; x++) expected += x % 3 ? x % 1000 : 0;
    assert_int_equal(rows, 50000);
    assert_int_equal(nulls, 16667);
    assert_int_equal(elements, 80000);
    assert_int_equal(sum, expected);
    tain_batch_done(&b);
    tain_result_free(r);
    tain_free(sql);
    tain_schema_free(wanted);
}

static void columns_must_agree(void **state)
{
    fixture     *f = *state;
    tain_result *r = NULL;
    tain_batch   b;
    size_t       n;
    tain_schema *two = tain_schema_new();
    tain_schema_add(two, "a", tain_type_of(TAIN_INT64));
    tain_schema_add(two, "b", tain_type_of(TAIN_INT64));
    tain_batch_init(&b, two);
    require(tain_scan_query(f->scan, "select 1", &r, &error));
    assert_int_equal(tain_result_next(r, &b, &n, &error), TAIN_E_INVALID);
    tain_result_free(r);
    /* What the first column took is taken back when the second refuses. */
    require(tain_scan_query(f->scan, "select 1, 'x'", &r, &error));
    assert_int_equal(tain_result_next(r, &b, &n, &error), TAIN_E_INVALID);
    assert_int_equal(b.rows + b.columns[0].length + b.columns[1].length, 0);
    tain_result_free(r);
    tain_batch_done(&b);
    tain_schema_free(two);
}

static int close_all(void **state)
{
    tain_schema_free(schema);
    return fixture_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers), cmocka_unit_test(decimals),    cmocka_unit_test(others),             cmocka_unit_test(times),
        cmocka_unit_test(nested),   cmocka_unit_test(from_a_file), cmocka_unit_test(columns_must_agree),
    };
    return cmocka_run_group_tests(tests, fixture_open, close_all);
}
