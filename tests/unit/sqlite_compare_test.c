/* SPDX-License-Identifier: MIT */
/* Capture by comparison: nothing is left in the source. */
#include "sqlite_fixture.h"

static void test_changes_are_found(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, s TEXT); CREATE TABLE n(a INT, s TEXT); CREATE TABLE w(a TEXT, b INT, v INT, PRIMARY KEY(a, b)) WITHOUT ROWID");
    sql(f, "INSERT INTO t VALUES(1, 'a', 'x'), (2, 'b', 'y'); INSERT INTO n VALUES(1, 'x'), (1, 'x'), (NULL, NULL); INSERT INTO w VALUES('a', 1, 1), ('b', 1, 2)");
    int64_t objects = number(f, "SELECT count(*) FROM sqlite_schema");
    begin(f);
    assert_same(f, "t");
    sql(f, "REPLACE INTO t VALUES(3, 'a', 'z'); UPDATE t SET id = 9 WHERE id = 2; DELETE FROM n WHERE rowid = 1; INSERT INTO n VALUES(2, 'y'), (2, 'y'), (NULL, NULL)");
    sql(f, "UPDATE w SET b = b + 1; INSERT INTO w VALUES('c', 1, 1)");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
    assert_same(f, "w");
    sql(f, "DELETE FROM t; DELETE FROM n WHERE a = 2");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_schema"), objects);
}

static void test_only_differences_are_told(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)");
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, i FROM n");
    begin(f);
    catch_up(f);
    size_t rows = f->mirror->rows;
    sql(f, "UPDATE t SET n = 0 WHERE id IN (5, 6); UPDATE t SET n = n; DELETE FROM t WHERE id = 7");
    catch_up(f);
    assert_int_equal(f->mirror->rows, rows + 3);
    assert_same(f, "t");
}

static void reopen(fixture *f)
{
    close_source(f);
    open_source_with(f, NULL, NULL);
    OK(recording_adopt(f->mirror, f->source, &err));
}

static void test_restart_tells_what_came_meanwhile(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE n(a INT); CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1), (2, 2); INSERT INTO n VALUES(1), (1)");
    begin(f);
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    sql(f, "INSERT INTO t VALUES(3, 3); DELETE FROM t WHERE id = 1; DELETE FROM n");
    reopen(f);
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

/* What was told and not made durable is told again: the mirror goes back to where it was confirmed. */
static void test_lost_epoch_is_told_again(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE n(a INT); CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1), (2, 2), (3, 3); INSERT INTO n VALUES(1), (1)");
    begin(f);
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    sql(f, "INSERT INTO t VALUES(4, 4); DELETE FROM t WHERE id = 1; UPDATE t SET n = 9 WHERE id = 2; DELETE FROM n WHERE rowid = 1; INSERT INTO n VALUES(2)");
    OK(recording_lose(f->mirror, f->source, &err));
    sql(f, "UPDATE t SET n = 2 WHERE id = 2; INSERT INTO n VALUES(3)");
    OK(recording_lose(f->mirror, f->source, &err));
    reopen(f);
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
}

static void test_lost_memory_is_gone(void **state)
{
    fixture *f = *state;
    bool fresh;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)");
    begin(f);
    catch_up(f);
    OK(f->source->ops->remove(f->source, NULL, &err));
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &f->mirror->position, &err));
    assert_non_null(strstr(tain_error_advice(&err), "--resync"));
    OK(f->source->ops->prepare(f->source, NULL, &fresh, &err));
    assert_true(fresh);
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &f->mirror->position, &err));
}

static void test_value_widens_and_schema_changes(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 'two')");
    catch_up(f);
    assert_columns(f, "t", "id:long n:string");
    assert_content(f, "t", "1,'1'\n2,'two'\n");
    sql(f, "ALTER TABLE t ADD COLUMN c INT; UPDATE t SET c = 5 WHERE id = 2; CREATE TABLE u(a INT); INSERT INTO u VALUES(1)");
    catch_up(f);
    assert_content(f, "t", "1,'1',NULL\n2,'two',5\n");
    assert_content(f, "u", "1\n");
    sql(f, "INSERT INTO u VALUES(1); DROP TABLE t");
    catch_up(f);
    assert_true(recording_find(f->mirror, "t")->dropped);
    assert_same(f, "u");
}

static void test_another_file_is_compared(void **state)
{
    fixture *f = *state;
    char copy[128];
    sqlite3 *db;
    sql(f, "PRAGMA journal_mode = DELETE; CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1), (2, 2)");
    begin(f);
    catch_up(f);
    snprintf(copy, sizeof copy, "%s/other.db", f->folder);
    assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
    sql_on(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(2, 2), (3, 3)");
    sqlite3_close(db);
    sqlite3_close(f->writer);
    assert_int_equal(rename(copy, f->path), 0);
    open_writer(f);
    catch_up(f);
    assert_content(f, "t", "2,2\n3,3\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static void test_reload_of_one_table(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE n(a INT); CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1); INSERT INTO n VALUES(1)");
    begin(f);
    catch_up(f);
    sql(f, "INSERT INTO n VALUES(2); INSERT INTO t VALUES(2, 2)");
    recording_find(f->mirror, "n")->needs_load = true;
    OK(recording_load(f->mirror, f->source, &err));
    OK(recording_restart(f->mirror, f->source, &err));
    sql(f, "INSERT INTO n VALUES(3); INSERT INTO t VALUES(3, 3)");
    catch_up(f);
    assert_same(f, "n");
    assert_same(f, "t");
}

/* Between two looks of ours, just when a table is to be loaded. */
static void test_schema_changes_right_before_a_load(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1); CREATE TABLE k(n INT PRIMARY KEY, s TEXT); INSERT INTO k VALUES(1, 'a')");
    begin(f);
    sql(f, "ALTER TABLE t ADD COLUMN d INT DEFAULT 5; INSERT INTO k VALUES(NULL, 'b')");
    int64_t objects = number(f, "SELECT count(*) FROM sqlite_schema");
    recording_find(f->mirror, "t")->needs_load = recording_find(f->mirror, "k")->needs_load = true;
    OK(recording_load(f->mirror, f->source, &err));
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_schema"), objects);
    sql(f, "INSERT INTO t VALUES(2, 2, 2); UPDATE k SET s = 'c'");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "k");
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_schema"), objects);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_compare, teardown)
    const struct CMUnitTest tests[] = {
        T(test_changes_are_found), T(test_only_differences_are_told), T(test_restart_tells_what_came_meanwhile), T(test_lost_epoch_is_told_again),
        T(test_lost_memory_is_gone), T(test_value_widens_and_schema_changes), T(test_another_file_is_compared), T(test_reload_of_one_table),
        T(test_schema_changes_right_before_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
