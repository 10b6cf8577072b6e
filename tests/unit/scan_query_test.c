/* SPDX-License-Identifier: MIT */
#include "scan_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static void values_as_text(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "select 1::tinyint, 170141183460469231731687303715884105727::hugeint, 1.50::decimal(20,2), 0.1::double, "
                                         "true, 'a|b', null, '\\x00\\xff'::blob, [1, null], {'a': 1}, map {'k': 2}"),
                        "1|170141183460469231731687303715884105727|1.50|0.1|true|a|b|~|\\x00\\xFF|[1, NULL]|{'a': 1}|{k=2}\n");
    assert_string_equal(text_of(f->scan, "select date '0001-01-01', timestamp '2026-01-31 12:34:56.789', time '01:02:03', interval 90 minute"),
                        "0001-01-01|2026-01-31 12:34:56.789|01:02:03|01:30:00\n");
}

/* Every value of a one-row result as JSON, one a line. Valid until the next call. */
static const char *json_of(tain_scan *s, const char *sql)
{
    static tain_buffer out;
    tain_buffer_clear(&out);
    tain_result *r = NULL;
    tain_batch   b;
    size_t       n;
    require(tain_scan_query(s, sql, &r, &error));
    tain_result_keep_nesting(r);
    tain_batch_init(&b, tain_result_text_schema(r));
    require(tain_result_next_text(r, &b, &n, &error));
    assert_int_equal(n, 1);
    for (size_t i = 0; i < tain_result_columns(r); i++) {
        tain_result_put_json(r, i, &b, 0, &(tain_json){.out = &out});
        tain_buffer_append_u8(&out, '\n');
    }
    tain_batch_done(&b);
    tain_result_free(r);
    return tain_buffer_cstr(&out);
}

static void values_as_json(void **state)
{
    fixture *f = *state;
    assert_string_equal(
        json_of(f->scan, "select 1, .5::decimal(2,1), -.5::decimal(2,1), 'nan'::double, 1e300, true, 'é\"', null, '\\xff'::blob"),
        "1\n0.5\n-0.5\n\"nan\"\n1e+300\ntrue\n\"é\\\"\"\nnull\n\"\\\\xFF\"\n");
    assert_string_equal(
        json_of(f->scan,
                "select [1.10::decimal(9,2), null, .5], ['a''b', 'NULL', null, ''], []::int[], null::int[], [[1], null, []]"),
        "[1.10,null,0.50]\n[\"a'b\",\"NULL\",null,\"\"]\n[]\nnull\n[[1],null,[]]\n");
    assert_string_equal(
        json_of(f->scan, "select ['nan'::float, 0.1], [true, false], array_value(1, 2), [timestamptz '2026-07-01 00:00:00+02']"),
        "[\"nan\",0.1]\n[true,false]\n[1,2]\n[\"2026-06-30 22:00:00+00\"]\n");
    assert_string_equal(
        json_of(f->scan,
                "select {'a': 1, 'B \"': [{'c': date '2026-01-01'}]}, map {2: 'x', 3: null}, map {'k': {'n': 1}}, row(1, 'x')"),
        "{\"a\":1,\"B \\\"\":[{\"c\":\"2026-01-01\"}]}\n{\"2\":\"x\",\"3\":null}\n{\"k\":{\"n\":1}}\n\"(1, x)\"\n");
    assert_string_equal(json_of(f->scan, "select 99999999999999999999999999999999999.999::decimal(38,3) as a, [a] as b"),
                        "99999999999999999999999999999999999.999\n[99999999999999999999999999999999999.999]\n");
    assert_string_equal(json_of(f->scan, "select 7; /* ; */ select ['a;b'] -- ; the end"), "[\"a;b\"]\n");
}

/* The fixture is opened in a zone far from UTC: see main. */
static void instants_are_utc(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "select timestamptz '2026-07-01 00:00:00+02'"), "2026-06-30 22:00:00+00\n");
    assert_string_equal(text_of(f->scan, "select timestamp '2026-07-01 00:00:00'::timestamptz"), "2026-07-01 00:00:00+00\n");
}

static void order_survives_text(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "select x from range(5) t(x) order by x desc limit 3"), "4\n3\n2\n");
    tain_buffer expected = {0};
    for (int i = 20000; i > 0; i--) tain_buffer_printf(&expected, "%d\n", i - 1);
    assert_string_equal(text_of(f->scan, "select x from range(20000) t(x) order by x desc"), tain_buffer_cstr(&expected));
    tain_buffer_done(&expected);
}

static void ends_of_statements(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "select 1; "), "1\n");
    assert_string_equal(text_of(f->scan, "select 'it''s' -- the end"), "it's\n");
    assert_string_equal(text_of(f->scan, "/* ; */ select ';' ; -- ; "), ";\n");
    assert_string_equal(text_of(f->scan, "with t as (select 1 as a, 2 as a) select * from t"), "1|2\n");
    assert_string_equal(text_of(f->scan, "values (1, 'x'), (2, null)"), "1|x\n2|~\n");
}

static void names_and_types(void **state)
{
    fixture     *f = *state;
    tain_result *r = NULL;
    require(tain_scan_query(f->scan, "select 1 as a, 2.5::decimal(4,1) as a, true as \"b c\", 'x', 1e0, 1::uhugeint", &r, &error));
    assert_int_equal(tain_result_columns(r), 6);
    assert_string_equal(tain_result_name(r, 0), "a");
    assert_string_equal(tain_result_name(r, 1), "a");
    assert_string_equal(tain_result_name(r, 2), "b c");
    const char *numbers = "110011";
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(tain_result_is_number(r, i), numbers[i] == '1');
    }
    tain_result_free(r);
}

static void several_statements(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "create table t(a int); insert into t values (1), (2); select sum(a) from t"), "3\n");
    assert_string_equal(text_of(f->scan, "insert into t values (7)"), "1\n");
    assert_string_equal(text_of(f->scan, "select ';'; select [a] from t where a = 7"), "[7]\n");
    assert_string_equal(text_of(f->scan, "select a from t order by a"), "1\n2\n7\n");
    assert_string_equal(text_of(f->scan, "pivot (select 'x' as k, 5 as v) on k using sum(v)"), "5\n");
    assert_non_null(strstr(text_of(f->scan, "explain select 1"), "physical_plan"));
    assert_string_equal(text_of(f->scan, "select column_name from (describe t)"), "a\n");
}

static void mistakes_are_one_line(void **state)
{
    fixture     *f = *state;
    tain_result *r = NULL;
    const char  *wrong[] = {"select nope", "selec 1", "select * from nope", "", "-- nothing", "select ?", "select 1; select nope"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(tain_scan_query(f->scan, wrong[i], &r, &error), TAIN_E_INVALID);
        assert_true(error.message[0] && !strchr(error.message, '\n'));
        assert_null(r);
    }
    assert_int_equal(tain_scan_query(f->scan, "select nope from (select 1 as note)", &r, &error), TAIN_E_INVALID);
    assert_non_null(strstr(error.message, "\"nope\""));
    assert_null(strstr(error.message, "LINE 1"));
}

static tain_status first_rows(tain_scan *s, const char *sql, size_t *ret_rows)
{
    tain_result *r = NULL;
    tain_batch   b;
    require(tain_scan_query(s, sql, &r, &error));
    tain_batch_init(&b, tain_result_text_schema(r));
    tain_status status = tain_result_next_text(r, &b, ret_rows, &error);
    tain_batch_done(&b);
    tain_result_free(r);
    return status;
}

/* What DuckDB only gives whole has no text for some types: better nothing than an empty text. */
static void values_without_text(void **state)
{
    fixture *f = *state;
    size_t   n = 0;
    assert_string_equal(text_of(f->scan, "pivot (select 'x' as k, 'v' as v, '' as e) on k using min(v), min(e)"), "v|\n");
    assert_int_equal(first_rows(f->scan, "pivot (select 'x' as k, 5 as v) on k using list(v)", &n), TAIN_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "column x"));
}

static void mistakes_while_running(void **state)
{
    fixture *f = *state;
    size_t   n = 0;
    assert_int_equal(first_rows(f->scan, "select ('x' || x)::int from range(3) t(x)", &n), TAIN_E_INVALID);
    assert_non_null(strstr(error.message, "x0"));
    assert_int_equal(first_rows(f->scan, "select count(*) from (select distinct x from range(1000000000) t(x))", &n), TAIN_E_FULL);
    assert_non_null(strstr(error.remedy, "memory"));
    assert_string_equal(text_of(f->scan, "select 1"), "1\n");
}

/* A thousand million rows neither fit into the memory allowed nor are made before the first comes. */
static void results_are_streamed(void **state)
{
    fixture *f = *state;
    size_t   n = 0;
    require(first_rows(f->scan, "select x, 'some text ' || x from range(1000000000) t(x)", &n));
    assert_true(n > 0 && n < 100000);
}

static void the_end_stays_the_end(void **state)
{
    fixture     *f = *state;
    tain_result *r = NULL;
    tain_batch   b;
    size_t       n = 7;
    require(tain_scan_query(f->scan, "select 1 where false", &r, &error));
    tain_batch_init(&b, tain_result_text_schema(r));
    for (int i = 0; i < 3; i++) {
        require(tain_result_next_text(r, &b, &n, &error));
        assert_int_equal(n, 0);
    }
    tain_batch_done(&b);
    tain_result_free(r);
}

static void limits_are_in_force(void **state)
{
    fixture *f = *state;
    assert_string_equal(text_of(f->scan, "select current_setting('threads'), current_setting('memory_limit'), current_setting('temp_directory')"),
                        "2|256.0 MiB|\n");
    assert_string_equal(text_of(f->scan, "select current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"),
                        "false|false\n");
}

static tain_scan *confined_to(const char *folder)
{
    tain_scan *s;
    require(tain_scan_open(&(tain_scan_options){.memory = 256 << 20, .threads = 2}, &s, &error));
    text_of(s, "CREATE TABLE t AS SELECT 7 AS a");
    require(tain_scan_confine(s, (const char *const[]){folder, NULL}, &error));
    return s;
}

static tain_status run_to_its_end(tain_scan *s, const char *sql)
{
    TAIN_AUTO(tain_result_free) tain_result *r = NULL;
    size_t     n = 1;
    tain_batch b;
    TAIN_TRY(tain_scan_query(s, sql, &r, &error));
    tain_batch_init(&b, tain_result_text_schema(r));
    tain_status st = TAIN_OK;
    while (st == TAIN_OK && n) st = tain_result_next_text(r, &b, &n, &error);
    tain_batch_done(&b);
    return st;
}

static void a_confined_query_only_reads(void **state)
{
    fixture   *f = *state;
    TAIN_AUTO(tain_free) char *inside = tain_format("%s/inside", f->folder), *out = tain_format("%s/out.csv", inside), *up = tain_format("%s/../up.csv", inside);
    assert_int_equal(mkdir(inside, 0700), 0);
    fclose(fopen(up, "w"));
    tain_scan *s = confined_to(inside);
    static const char *const wrong[] = {
        "COPY (SELECT 1) TO '%s'", "EXPLAIN COPY (SELECT 1) TO '%s'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '%s'", "EXPLAIN (FORMAT json) COPY t TO '%s'",
        "explain/**/analyze copy (select 1) to '%s'", "EXPLAIN ANALYZE INSERT INTO t SELECT 1", "WITH x AS (COPY t TO '%s') SELECT * FROM x",
        "SELECT 1; SELECT 2", "SELECT 1; COPY t TO '%s'", "COPY t TO '%s'; SELECT 1", "PREPARE p AS COPY t TO '%s'", "EXECUTE p", "EXPORT DATABASE '%s'", "IMPORT DATABASE '%s'",
        "ATTACH '%s'", "ATTACH ':memory:' AS m", "DETACH memory", "USE memory", "CHECKPOINT", "VACUUM", "ANALYZE", "SET threads = 1", "RESET threads",
        "PRAGMA threads = 1", "PRAGMA enable_profiling", "CALL pragma_version()", "INSTALL httpfs", "LOAD '%s'", "BEGIN", "CREATE TABLE u AS SELECT 1", "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE MACRO m() AS 1", "CREATE SECRET (TYPE s3)", "INSERT INTO t VALUES (1)", "DELETE FROM t", "UPDATE t SET a = 1", "DROP TABLE t", "ALTER TABLE t ADD b int",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')", "SELECT getenv('HOME')", "SELECT * FROM duckdb_secrets()", "SELECT * FROM query($$COPY t TO '%s'$$)", "SELECT * FROM read_csv('%s/../../up.csv')",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *at = strstr(wrong[i], "%s");
        TAIN_AUTO(tain_free) char *sql = at ? tain_format("%.*s%s%s", (int)(at - wrong[i]), wrong[i], out, at + 2) : tain_strdup(wrong[i]);
        if (run_to_its_end(s, sql) == TAIN_OK) fail_msg("%s", sql);
        if (access(out, F_OK) == 0) fail_msg("%s: %s", sql, error.message);
    }
    assert_string_equal(text_of(s, "FROM t"), "7\n");
    assert_string_equal(text_of(s, "WITH x AS (SELECT a + 1 AS b FROM t) SELECT b FROM x;"), "8\n");
    assert_string_equal(text_of(s, "VALUES (1), (2)"), "1\n2\n");
    assert_string_equal(text_of(s, "SELECT column_name FROM (DESCRIBE t)"), "a\n");
    assert_non_null(strstr(text_of(s, "SHOW TABLES"), "t\n"));
    assert_non_null(strstr(text_of(s, "DESCRIBE t"), "a|"));
    tain_result *r = NULL;
    assert_int_equal(tain_scan_query(s, "EXPLAIN ANALYZE SELECT 1", &r, &error), TAIN_E_PERMISSION);
    assert_int_equal(tain_scan_query(s, "SELECT nope FROM t", &r, &error), TAIN_E_INVALID);
    assert_non_null(strstr(error.message, "\"nope\""));
    tain_scan_close(s);
}

int main(void)
{
    setenv("TZ", "America/New_York", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_as_text),        cmocka_unit_test(instants_are_utc),       cmocka_unit_test(order_survives_text),
        cmocka_unit_test(ends_of_statements),    cmocka_unit_test(names_and_types),        cmocka_unit_test(several_statements),
        cmocka_unit_test(mistakes_are_one_line), cmocka_unit_test(mistakes_while_running), cmocka_unit_test(results_are_streamed),
        cmocka_unit_test(the_end_stays_the_end), cmocka_unit_test(limits_are_in_force),    cmocka_unit_test(values_as_json),
        cmocka_unit_test(values_without_text),   cmocka_unit_test(a_confined_query_only_reads),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
