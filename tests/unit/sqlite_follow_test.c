/* SPDX-License-Identifier: MIT */
/* What the log of changes catches. */
#include "sqlite_fixture.h"

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static void test_insert_update_delete(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'), (2, 'b')");
    begin(f);
    assert_same(f, "t");
    sql(f, "INSERT INTO t VALUES(3, 'c'); UPDATE t SET s = 'B' WHERE id = 2; DELETE FROM t WHERE id = 1");
    catch_up(f);
    assert_content(f, "t", "2,'B'\n3,'c'\n");
    assert_string_equal(recording_events(f->mirror), "");
}

static void test_key_update(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')");
    begin(f);
    sql(f, "UPDATE t SET id = 10 WHERE id = 1; UPDATE t SET rowid = 20 WHERE id = 2; UPDATE t SET id = id + 100, s = s || '!'");
    catch_up(f);
    assert_content(f, "t", "103,'c!'\n110,'a!'\n120,'b!'\n");
}

static void test_keys_swapped_in_one_transaction(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, s TEXT); INSERT INTO t VALUES('a', '1'), ('b', '2')");
    begin(f);
    sql(f, "BEGIN; UPDATE t SET k = 'x' WHERE k = 'a'; UPDATE t SET k = 'a' WHERE k = 'b'; UPDATE t SET k = 'b' WHERE k = 'x'; COMMIT");
    catch_up(f);
    assert_content(f, "t", "'a','2'\n'b','1'\n");
}

static void test_composite_key_and_without_rowid(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE c(a INT NOT NULL, b TEXT NOT NULL, v INT, PRIMARY KEY(b, a)); CREATE TABLE w(a TEXT, b INT, v INT, PRIMARY KEY(a, b DESC)) WITHOUT ROWID");
    sql(f, "INSERT INTO c VALUES(1, 'x', 1), (1, 'y', 2); INSERT INTO w VALUES('p', 1, 1), ('p', 2, 2)");
    begin(f);
    const tain_source_table *c = recording_find(f->mirror, "c")->source;
    assert_int_equal(c->key_count, 2);
    assert_int_equal(c->key[0], 1);
    assert_int_equal(c->key[1], 0);
    sql(f, "UPDATE c SET b = 'z' WHERE b = 'x'; INSERT INTO c VALUES(2, 'x', 3); DELETE FROM c WHERE b = 'y'");
    sql(f, "UPDATE w SET b = 3, v = 9 WHERE b = 2; INSERT INTO w VALUES('q', 1, 4); DELETE FROM w WHERE a = 'p' AND b = 1");
    catch_up(f);
    assert_content(f, "c", "1,'z',1\n2,'x',3\n");
    assert_content(f, "w", "'p',3,9\n'q',1,4\n");
}

static void test_case_insensitive_key(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INT); CREATE TABLE x(k TEXT NOT NULL, v INT, PRIMARY KEY(k COLLATE NOCASE))");
    sql(f, "INSERT INTO t VALUES('abc', 1), ('def', 2); INSERT INTO x SELECT * FROM t");
    begin(f);
    sql(f, "UPDATE t SET k = 'ABC' WHERE k = 'abc'; INSERT OR REPLACE INTO t VALUES('DEF', 3); UPDATE x SET k = upper(k); REPLACE INTO x VALUES('deF', 4)");
    catch_up(f);
    assert_content(f, "t", "'ABC',1\n'DEF',3\n");
    assert_content(f, "x", "'ABC',1\n'deF',4\n");
}

static void test_unique_index_is_a_key(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(a INT UNIQUE, b INT NOT NULL, c INT NOT NULL, UNIQUE(b, c)); INSERT INTO t VALUES(1, 1, 1), (NULL, 1, 2)");
    begin(f);
    assert_int_equal(recording_find(f->mirror, "t")->source->key_count, 2);
    sql(f, "UPDATE t SET c = 7 WHERE a = 1; REPLACE INTO t VALUES(1, 9, 9); INSERT OR REPLACE INTO t(rowid, a, b, c) SELECT rowid, 5, 5, 5 FROM t WHERE b = 1");
    catch_up(f);
    assert_content(f, "t", "1,9,9\n5,5,5\n");
}

/* --- OR REPLACE ---------------------------------------------------------------------------------------------------- */

static void test_replace_removes_other_rows(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, a INT, b INT); CREATE UNIQUE INDEX ab ON t(a, b)");
    sql(f, "INSERT INTO t VALUES(1, 'x', 1, 1), (2, 'y', 2, 2), (3, 'z', 3, 3), (4, NULL, 4, 4), (5, 'v', 5, 5), (6, 'w', 6, 6)");
    begin(f);
    sql(f, "REPLACE INTO t VALUES(10, 'x', 2, 2)"); /* takes away 1 and 2 */
    sql(f, "INSERT OR REPLACE INTO t VALUES(3, 'y', 4, 4)"); /* 3 itself and 4 */
    sql(f, "UPDATE OR REPLACE t SET u = 'v' WHERE id = 6"); /* 5 */
    sql(f, "UPDATE OR REPLACE t SET id = 3 WHERE id = 10"); /* 3 */
    catch_up(f);
    assert_same(f, "t");
    assert_content(f, "t", "3,'x',2,2\n6,'v',6,6\n");
}

static void test_replace_with_recursive_triggers(void **state)
{
    fixture *f = *state;
    sql(f, "PRAGMA recursive_triggers = 1; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE); CREATE TABLE k(a TEXT UNIQUE, b INT)");
    sql(f, "INSERT INTO t VALUES(1, 'x'), (2, 'y'); INSERT INTO k VALUES('p', 1), ('q', 2), ('q2', 2)");
    begin(f);
    sql(f, "REPLACE INTO t VALUES(3, 'x'); REPLACE INTO k VALUES('p', 7); UPDATE OR REPLACE k SET a = 'p' WHERE a = 'q'");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "k");
}

static void test_replace_through_partial_and_expression_indexes(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, \"the mail\" TEXT, gone INT DEFAULT 0, n INT)");
    sql(f, "CREATE UNIQUE INDEX mail ON t(lower(\"the mail\") /* , */ COLLATE NOCASE DESC) WHERE gone = 0; CREATE UNIQUE INDEX nn ON t(n %% 10, gone)");
    sql(f, "INSERT INTO t VALUES(1, 'A@x', 0, 1), (2, 'b@x', 0, 2), (3, 'a@x', 1, 3), (4, 'q', 2, 4)");
    begin(f);
    sql(f, "REPLACE INTO t VALUES(10, 'a@X', 0, 5); UPDATE OR REPLACE t SET \"the mail\" = 'A@X' WHERE id = 2; REPLACE INTO t VALUES(11, 'r', 2, 14)");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 3);
}

static void test_or_ignore_and_upsert(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT); CREATE TABLE k(u TEXT UNIQUE, n INT)");
    sql(f, "INSERT INTO t VALUES(1, 'x', 1); INSERT INTO k VALUES('x', 1), ('y', 2)");
    begin(f);
    sql(f, "INSERT OR IGNORE INTO t VALUES(2, 'x', 5); INSERT INTO t VALUES(3, 'x', 1) ON CONFLICT(u) DO UPDATE SET n = n + 1");
    sql(f, "INSERT OR IGNORE INTO k VALUES('x', 5); INSERT INTO k VALUES('x', 1) ON CONFLICT(u) DO UPDATE SET n = n + 1; UPDATE OR IGNORE k SET u = 'y'");
    sql(f, "INSERT OR IGNORE INTO k VALUES('x', 6); REPLACE INTO k VALUES('y', 3)");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "k");
}

static void test_bare_rowid_replaced(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v INT); CREATE TABLE n(a INT); INSERT INTO t VALUES('a', 1), ('b', 2); INSERT INTO n VALUES(1), (2)");
    begin(f);
    sql(f, "REPLACE INTO t(rowid, k, v) VALUES(1, 'c', 3); REPLACE INTO n(rowid, a) VALUES(2, 9); UPDATE OR REPLACE n SET rowid = 1 WHERE a = 9");
    catch_up(f);
    assert_same(f, "t");
    assert_content(f, "n", "9\n");
}

/* --- no key -------------------------------------------------------------------------------------------------------- */

static void test_keyless_duplicates(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(a INT, s TEXT); INSERT INTO t VALUES(1, 'x'), (1, 'x'), (2, 'y'), (NULL, NULL)");
    begin(f);
    assert_int_equal(recording_find(f->mirror, "t")->source->key_count, 0);
    sql(f, "DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES(2, 'y'), (NULL, NULL); UPDATE t SET a = a + 1 WHERE s = 'y'");
    catch_up(f);
    assert_same(f, "t");
    sql(f, "DELETE FROM t WHERE a IS NULL");
    catch_up(f);
    assert_content(f, "t", "1,'x'\n3,'y'\n3,'y'\n");
}

static void test_keyless_keeps_storage_classes(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(a, r REAL, b BLOB); INSERT INTO t VALUES(1, 2, x'00')");
    begin(f);
    assert_columns(f, "t", "a:long r:double b:binary");
    sql(f, "UPDATE t SET r = 3, b = x'0102'; INSERT INTO t VALUES(-5, 1e300, x'')");
    catch_up(f);
    assert_content(f, "t", "-5,1e+300,x\n1,3,x0102\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static void test_keyless_replaced_by_unique_index(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(u TEXT UNIQUE, v TEXT UNIQUE, n INT); INSERT INTO t VALUES('a', 'p', 1), ('b', 'q', 2), (NULL, NULL, 3), ('c', 'r', 4)");
    begin(f);
    sql(f, "REPLACE INTO t VALUES('a', 'q', 5), ('z', 'z', 6), ('z', 'z', 7); UPDATE OR REPLACE t SET u = 'z', n = 8 WHERE u = 'c'");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 3);
}

static void test_primary_key_with_null(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT PRIMARY KEY, v INT); INSERT INTO t VALUES('a', 1), (NULL, 2), (NULL, 2)");
    begin(f);
    const tain_source_table *t = recording_find(f->mirror, "t")->source;
    assert_int_equal(t->key_count, 0);
    assert_string_equal(t->findings[0].code, "null_key");
    sql(f, "INSERT INTO t VALUES(NULL, 3); DELETE FROM t WHERE rowid = 2; REPLACE INTO t VALUES('a', 4)");
    catch_up(f);
    assert_same(f, "t");
}

static void test_null_comes_into_primary_key(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT PRIMARY KEY, v INT); INSERT INTO t VALUES('a', 1)");
    begin(f);
    assert_int_equal(recording_find(f->mirror, "t")->source->key_count, 1);
    sql(f, "INSERT INTO t VALUES('b', 2); INSERT INTO t VALUES(NULL, 3); INSERT INTO t VALUES(NULL, 3)");
    catch_up(f);
    assert_int_equal(recording_find(f->mirror, "t")->source->key_count, 0);
    assert_same(f, "t");
    sql(f, "DELETE FROM t WHERE rowid = 3; UPDATE t SET v = 9 WHERE k = 'a'");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
}

static void test_key_of_two_types(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k PRIMARY KEY NOT NULL, v INT); INSERT INTO t VALUES(1, 1), (2, 2)");
    begin(f);
    assert_columns(f, "t", "k:long v:long");
    sql(f, "INSERT INTO t VALUES('1', 3)");
    catch_up(f);
    assert_columns(f, "t", "k:string v:long");
    assert_content(f, "t", "'1',1\n'1',3\n'2',2\n");
    sql(f, "DELETE FROM t WHERE k = 1; UPDATE t SET k = 1.0 WHERE k = 2");
    catch_up(f);
    assert_content(f, "t", "'1',3\n'1.0',2\n");
}

static void test_key_that_compares_equal(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k PRIMARY KEY NOT NULL, v INT); INSERT INTO t VALUES(1, 1), (x'01', 2), (2, 2)");
    begin(f);
    sql(f, "UPDATE t SET k = 2.0 WHERE k = 2; REPLACE INTO t VALUES(1.0, 7)");
    catch_up(f);
    assert_content(f, "t", "'01',2\n'1.0',7\n'2.0',2\n");
}

/* --- transactions -------------------------------------------------------------------------------------------------- */

static void test_rollback_leaves_nothing(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    sql(f, "BEGIN; INSERT INTO t VALUES(2, 'b'); SAVEPOINT p; INSERT INTO t VALUES(3, 'c'); ROLLBACK TO p; INSERT INTO t VALUES(4, 'd'); COMMIT");
    sql(f, "BEGIN; DELETE FROM t; ROLLBACK");
    catch_up(f);
    assert_content(f, "t", "1,'a'\n2,'b'\n4,'d'\n");
}

static void test_uncommitted_is_not_seen(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    sql(f, "BEGIN; INSERT INTO t VALUES(1)");
    catch_up(f);
    assert_content(f, "t", "");
    sql(f, "COMMIT");
    catch_up(f);
    assert_content(f, "t", "1\n");
}

static void test_big_transaction(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE u(id INTEGER PRIMARY KEY, n INT)");
    begin(f);
    size_t commits = f->mirror->commits;
    sql(f, "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO t SELECT i, 'row ' || i FROM n;"
           "INSERT INTO u SELECT id, id FROM t; UPDATE t SET s = 'x' WHERE id %% 2; DELETE FROM t WHERE id %% 3 = 0; COMMIT");
    catch_up(f);
    assert_int_equal(f->mirror->commits, commits + 1);
    assert_same(f, "t");
    assert_same(f, "u");
}

static void test_cascades_and_triggers_of_the_user(void **state)
{
    fixture *f = *state;
    sql(f, "PRAGMA foreign_keys = 1; CREATE TABLE t(id INTEGER PRIMARY KEY, up INT REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE, n INT)");
    sql(f, "CREATE TABLE audit(id INTEGER PRIMARY KEY, what TEXT); CREATE TRIGGER a AFTER DELETE ON t BEGIN INSERT INTO audit(what) VALUES('gone ' || OLD.id); END");
    sql(f, "CREATE TRIGGER b AFTER INSERT ON t WHEN NEW.n > 0 BEGIN INSERT INTO t VALUES(NEW.id * 10, NEW.id, NEW.n - 1); END");
    sql(f, "INSERT INTO t VALUES(1, NULL, 0), (2, 1, 0), (3, 2, 0), (4, 3, 0), (5, NULL, 0), (6, 5, 0)");
    begin(f);
    sql(f, "DELETE FROM t WHERE id = 1; UPDATE t SET id = 50 WHERE id = 5; INSERT INTO t VALUES(7, NULL, 1)");
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "audit");
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 4);
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 4);
}

static void test_delete_without_where(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE n(a INT); INSERT INTO t VALUES(1, 'a'), (2, 'b'); INSERT INTO n VALUES(1), (1)");
    begin(f);
    sql(f, "DELETE FROM t; DELETE FROM n");
    catch_up(f);
    assert_content(f, "t", "");
    assert_content(f, "n", "");
}

/* --- positions ----------------------------------------------------------------------------------------------------- */

static void test_restart_goes_on_where_it_was(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE n(a INT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 'b'); INSERT INTO n VALUES(1)");
    catch_up(f);
    close_source(f);
    sql(f, "INSERT INTO t VALUES(3, 'c'); DELETE FROM t WHERE id = 1; INSERT INTO n VALUES(1); UPDATE n SET a = 2");
    open_source_with(f, NULL, NULL);
    OK(recording_adopt(f->mirror, f->source, &err));
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static void test_confirm_forgets_but_keeps_the_proof(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE n(a INT)");
    begin(f);
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500) INSERT INTO t SELECT i FROM n; INSERT INTO n SELECT id FROM t");
    catch_up(f);
    tain_position middle = f->mirror->position;
    OK(f->source->ops->confirm(f->source, &middle, &err));
    while (number(f, "SELECT count(*) FROM \"__tain_m$log\"") > 1) OK(f->source->ops->poll(f->source, &f->mirror->sink, 0, &err));
    char *rows = tain_format("SELECT count(*) FROM \"__tain_m$rows$%lld\"", (long long)number(f, "SELECT id FROM \"__tain_m$meta\" WHERE name = 'n'"));
    assert_int_equal(number(f, rows), 0);
    free(rows);
    OK(f->source->ops->start(f->source, &middle, &err));
    sql(f, "INSERT INTO t VALUES(5000)");
    catch_up(f);
    assert_same(f, "t");
    tain_position end = f->mirror->position;
    OK(f->source->ops->confirm(f->source, &end, &err));
    while (number(f, "SELECT count(*) FROM \"__tain_m$log\"") > 1) OK(f->source->ops->poll(f->source, &f->mirror->sink, 0, &err));
    OK(f->source->ops->start(f->source, &end, &err));
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &middle, &err));
}

static void test_commit_tells_the_time(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    tain_time before = tain_now();
    sql(f, "INSERT INTO t VALUES(1)");
    tain_time after = tain_now();
    catch_up(f);
    assert_true(f->mirror->time >= before - 2 * TAIN_MILLISECOND && f->mirror->time <= after + 2 * TAIN_MILLISECOND);
}

static void test_cancel_ends_a_wait(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    catch_up(f);
    tain_source_cancel(f->source);
    IS(TAIN_E_CANCELLED, f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + 60 * TAIN_SECOND, &err));
    sql(f, "INSERT INTO t VALUES(1)");
    catch_up(f);
    assert_content(f, "t", "1\n");
}

static void test_keys_are_found_by_index(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(k TEXT COLLATE NOCASE NOT NULL, j INT NOT NULL, v INT, PRIMARY KEY(j, k)); CREATE TABLE i(id INTEGER PRIMARY KEY, v INT)");
    begin(f);
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT 'k' || i, i, i FROM n; INSERT INTO i SELECT j, v FROM t");
    catch_up(f); /* would take minutes if each key searched the table */
    assert_same(f, "t");
    assert_same(f, "i");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_wal, teardown)
    const struct CMUnitTest tests[] = {
        T(test_insert_update_delete), T(test_key_update), T(test_keys_swapped_in_one_transaction), T(test_composite_key_and_without_rowid),
        T(test_case_insensitive_key), T(test_unique_index_is_a_key), T(test_replace_removes_other_rows), T(test_replace_with_recursive_triggers),
        T(test_replace_through_partial_and_expression_indexes), T(test_or_ignore_and_upsert), T(test_bare_rowid_replaced),
        T(test_keyless_duplicates), T(test_keyless_keeps_storage_classes), T(test_keyless_replaced_by_unique_index), T(test_primary_key_with_null),
        T(test_null_comes_into_primary_key), T(test_key_of_two_types), T(test_key_that_compares_equal), T(test_rollback_leaves_nothing),
        T(test_uncommitted_is_not_seen), T(test_big_transaction), T(test_cascades_and_triggers_of_the_user), T(test_delete_without_where),
        T(test_restart_goes_on_where_it_was), T(test_confirm_forgets_but_keeps_the_proof), T(test_commit_tells_the_time), T(test_cancel_ends_a_wait),
        T(test_keys_are_found_by_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
