/* SPDX-License-Identifier: MIT */
/* What becomes of SQLite's types and values. */
#include "sqlite_fixture.h"

static void mirror(fixture *f, const char *table, const char *columns, const char *content)
{
    begin(f);
    assert_columns(f, table, columns);
    assert_content(f, table, content);
}

static void test_declared_types(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n BIGINT, r REAL, d DOUBLE PRECISION, s VARCHAR(20), c CLOB, b BLOB, ok BOOLEAN, day DATE, at DATETIME)");
    sql(f, "INSERT INTO t VALUES(1, 9223372036854775807, 1, 0.1, 'x', 'y', x'00ff', 1, '2026-01-31', '2026-01-31 12:00:00')");
    sql(f, "INSERT INTO t VALUES(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    mirror(f, "t", "id:long n:long r:double d:double s:string c:string b:binary ok:boolean day:string at:string",
           "1,9223372036854775807,1,0.1,'x','y',x00ff,true,'2026-01-31','2026-01-31 12:00:00'\n2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL\n");
}

static void test_empty_table_has_declared_types(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, r FLOAT, s TEXT, b BLOB, x, ok BOOL, m DECIMAL(10,2), k NUMERIC(8), u UUID)");
    mirror(f, "t", "id:long n:long r:double s:string b:binary x:string ok:boolean m:double k:string u:string", "");
}

static void test_numeric(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, price DECIMAL(10,2), whole NUMERIC(8,0), big NUMERIC, mixed NUMERIC)");
    sql(f, "INSERT INTO t VALUES(1, 10, 5, 9007199254740993, 9007199254740993), (2, 12.5, 6, 1, 0.5)");
    mirror(f, "t", "id:long price:double whole:long big:long mixed:string",
           "1,10,5,9007199254740993,'9007199254740993'\n2,12.5,6,1,'0.5'\n");
}

static void test_disagreeing_column_becomes_string(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, b BLOB)");
    sql(f, "INSERT INTO t VALUES(1, 5, x'0a0B'), (2, 'five', 'text'), (3, 0.1 + 0.2, 7), (4, x'FF', 1e20), (5, -1, NULL)");
    mirror(f, "t", "id:long n:string b:string",
           "1,'5','0A0B'\n2,'five','text'\n3,'0.30000000000000004','7'\n4,'FF','1.0e+20'\n5,'-1',NULL\n");
    assert_int_equal(recording_warnings(f->mirror, "t", "n", "type_as_text"), 4);
    const tain_source_table *t = recording_find(f->mirror, "t")->source;
    assert_int_equal(t->verdict, TAIN_VERDICT_WARNING);
    assert_int_equal(t->finding_count, 2);
    assert_string_equal(t->findings[0].code, "type_as_text");
    assert_string_equal(t->findings[0].column, "n");
}

static void test_undeclared_columns_follow_their_values(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, i, r, s, b, m); INSERT INTO t VALUES(1, 1, 1.5, 'a', x'01', 1), (2, 2, 2.5, 'b', x'02', 1.5)");
    mirror(f, "t", "id:long i:long r:double s:string b:binary m:double", "1,1,1.5,'a',x01,1\n2,2,2.5,'b',x02,1.5\n");
}

static void test_boolean_that_is_none(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, ok BOOLEAN, word BOOLEAN); INSERT INTO t VALUES(1, 1, 'true'), (2, 2, 'false')");
    mirror(f, "t", "id:long ok:long word:string", "1,1,'true'\n2,2,'false'\n");
}

static void test_strict_and_any(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY, i INT, r REAL) STRICT; INSERT INTO t VALUES(1, '1', 1, 2), (2, 1, 2, 2.5)");
    mirror(f, "t", "id:long a:string i:long r:double", "1,'1',1,2\n2,'1',2,2.5\n");
}

static void test_text(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
    sql(f, "INSERT INTO t VALUES(1, CAST(x'61ff62' AS TEXT)), (2, 'a' || char(0) || 'b'), (3, 'h\xc3\xa9'), (4, '')");
    mirror(f, "t", "id:long s:string", "1,'a\xef\xbf\xbd" "b'\n2,'a0b'\n3,'h\xc3\xa9'\n4,''\n");
    assert_int_equal(recording_warnings(f->mirror, "t", "s", "invalid_utf8"), 1);
}

static void test_utf16_database(void **state)
{
    fixture *f = *state;
    sql(f, "PRAGMA encoding = 'UTF-16le'");
    sql(f, "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, s TEXT); INSERT INTO t VALUES('h\xc3\xa9', '\xf0\x9f\x98\x80')");
    begin(f);
    sql(f, "INSERT INTO t VALUES('\xe2\x82\xac', 'euro'); DELETE FROM t WHERE k = 'h\xc3\xa9'");
    catch_up(f);
    assert_content(f, "t", "'\xe2\x82\xac','euro'\n");
}

static void test_generated_columns(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, v INT GENERATED ALWAYS AS (a * 2) VIRTUAL, s INT AS (a + 1) STORED); INSERT INTO t VALUES(1, 5)");
    mirror(f, "t", "id:long a:long v:long s:long", "1,5,10,6\n");
    sql(f, "UPDATE t SET a = 6");
    catch_up(f);
    assert_content(f, "t", "1,6,12,7\n");
}

static void test_infinity(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL); INSERT INTO t VALUES(1, 9e999), (2, -9e999)");
    mirror(f, "t", "id:long r:double", "1,Infinity\n2,-Infinity\n");
}

/* --- values that come later ----------------------------------------------------------------------------------------- */

static void test_later_value_widens_column(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, o INT); INSERT INTO t VALUES(1, 5, 1), (2, 6, 1)");
    mirror(f, "t", "id:long n:long o:long", "1,5,1\n2,6,1\n");
    sql(f, "INSERT INTO t VALUES(3, 'seven', 1); UPDATE t SET o = 2");
    catch_up(f);
    assert_columns(f, "t", "id:long n:string o:long");
    assert_content(f, "t", "1,'5',2\n2,'6',2\n3,'seven',2\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
    assert_non_null(strstr(recording_find(f->mirror, "t")->reason, "column n"));
    sql(f, "DELETE FROM t WHERE id = 3; INSERT INTO t VALUES(4, 8, 9)");
    catch_up(f);
    assert_content(f, "t", "1,'5',2\n2,'6',2\n4,'8',9\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
}

static void test_type_is_the_same_after_a_restart(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES(1, 5)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 'two')");
    catch_up(f);
    sql(f, "DELETE FROM t WHERE id = 2");
    catch_up(f);
    close_source(f);
    recording_free(f->mirror);
    begin(f);
    assert_columns(f, "t", "id:long n:string");
}

static void test_number_that_no_double_equals(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n NUMERIC(10,2)); INSERT INTO t VALUES(1, 1.5)");
    mirror(f, "t", "id:long n:double", "1,1.5\n");
    sql(f, "INSERT INTO t VALUES(2, 9007199254740993)");
    catch_up(f);
    assert_columns(f, "t", "id:long n:string");
    assert_content(f, "t", "1,'1.5'\n2,'9007199254740993'\n");
}

static void test_big_integer_remembered_when_a_fraction_comes(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 9007199254740993)");
    catch_up(f);
    assert_columns(f, "t", "id:long n:long");
    close_source(f);
    recording_free(f->mirror);
    begin(f);
    sql(f, "INSERT INTO t VALUES(3, 0.5)");
    catch_up(f);
    assert_columns(f, "t", "id:long n:string");
    assert_content(f, "t", "1,'1'\n2,'9007199254740993'\n3,'0.5'\n");
}

static void test_two_columns_widen_at_once(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b BOOLEAN); INSERT INTO t VALUES(1, 1, 1)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 1.5, 7); INSERT INTO t VALUES(3, x'01', 'x')");
    catch_up(f);
    catch_up(f);
    assert_columns(f, "t", "id:long a:string b:string");
    assert_content(f, "t", "1,'1','1'\n2,'1.5','7'\n3,'01','x'\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_wal, teardown)
    const struct CMUnitTest tests[] = {
        T(test_declared_types), T(test_empty_table_has_declared_types), T(test_numeric), T(test_disagreeing_column_becomes_string),
        T(test_undeclared_columns_follow_their_values), T(test_boolean_that_is_none), T(test_strict_and_any), T(test_text),
        T(test_utf16_database), T(test_generated_columns), T(test_infinity), T(test_later_value_widens_column),
        T(test_type_is_the_same_after_a_restart), T(test_number_that_no_double_equals), T(test_big_integer_remembered_when_a_fraction_comes),
        T(test_two_columns_widen_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
