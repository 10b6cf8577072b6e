/* SPDX-License-Identifier: MIT */
/* Tables that change, come and go; and what capture leaves in the file. */
#include "sqlite_fixture.h"

static char *schema_of(fixture *f)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(f->writer, "SELECT type || name || tbl_name || ifnull(sql, '') FROM sqlite_schema ORDER BY 1", -1, &stmt, NULL), SQLITE_OK);
    tain_buffer out = {0};
    while (sqlite3_step(stmt) == SQLITE_ROW) tain_buffer_printf(&out, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return tain_buffer_cstr(&out);
}

static tain_buffer said;
static void say(const char *line)
{
    tain_buffer_printf(&said, "%s\n", line);
}

/* --- capture ------------------------------------------------------------------------------------------------------- */

static void test_remove_leaves_the_schema_as_it_was(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u INT UNIQUE); CREATE TABLE n(a INT, b INT UNIQUE); CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END");
    char *before = schema_of(f);
    begin(f);
    OK(f->source->ops->remove(f->source, NULL, &err));
    char *after = schema_of(f);
    assert_string_equal(before, after);
    OK(f->source->ops->remove(f->source, NULL, &err));
    sql(f, "INSERT INTO t VALUES(1, 1)");
    IS(TAIN_E_GONE, f->source->ops->poll(f->source, &f->mirror->sink, 0, &err));
    assert_non_null(strstr(err.message, "log of changes"));
    free(before);
    free(after);
}

static void test_prepare_says_what_it_makes_once(void **state)
{
    fixture *f = *state;
    bool fresh;
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY, v INT UNIQUE)");
    open_source_with(f, NULL, NULL);
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    tain_findings_free(findings, n);
    tain_buffer_clear(&said);
    OK(f->source->ops->prepare(f->source, say, &fresh, &err));
    assert_true(fresh);
    assert_non_null(strstr(tain_buffer_cstr(&said), "created the table __tain_m$log"));
    assert_non_null(strstr(tain_buffer_cstr(&said), "created 3 triggers on main.t\n"));
    assert_non_null(strstr(tain_buffer_cstr(&said), "created 5 triggers on main.u\n"));
    tain_buffer_clear(&said);
    OK(f->source->ops->prepare(f->source, say, &fresh, &err));
    assert_false(fresh);
    assert_string_equal(tain_buffer_cstr(&said), "");
    tain_buffer_done(&said);
}

static void test_two_mirrors_of_one_file(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
    begin(f);
    fixture other = *f;
    tain_source_options o = {.url = f->path, .mirror_name = "m_2", .jobs = 1, .memory = 1 << 20};
    OK(tain_source_open(&o, &other.source, &err));
    begin(&other);
    assert_int_equal(other.mirror->table_count, 1);
    sql(f, "INSERT INTO t VALUES(1, 'a')");
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    OK(f->source->ops->remove(f->source, NULL, &err));
    sql(f, "INSERT INTO t VALUES(2, 'b')");
    catch_up(&other);
    assert_content(&other, "t", "1,'a'\n2,'b'\n");
    tain_source_close(other.source);
    recording_free(other.mirror);
}

static void test_lost_trigger_reloads(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    sql(f, "BEGIN; DROP TRIGGER \"__tain_m$1$insert\"; INSERT INTO t VALUES(2, 'b'); COMMIT");
    catch_up(f);
    assert_content(f, "t", "1,'a'\n2,'b'\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
    sql(f, "INSERT INTO t VALUES(3, 'c')");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static void test_column_added(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'), (2, 'b')");
    begin(f);
    sql(f, "UPDATE t SET s = 'A' WHERE id = 1; ALTER TABLE t ADD COLUMN n INT; INSERT INTO t VALUES(3, 'c', 7); UPDATE t SET n = 5 WHERE id = 2");
    catch_up(f);
    assert_columns(f, "t", "id:long s:string n:long");
    assert_content(f, "t", "1,'A',NULL\n2,'b',5\n3,'c',7\n");
    assert_string_equal(recording_events(f->mirror), "reshape main.t: column n was added\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static void test_column_added_is_told_again_until_confirmed(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    sql(f, "ALTER TABLE t ADD COLUMN n INT");
    catch_up(f);
    OK(recording_restart(f->mirror, f->source, &err));
    catch_up(f);
    assert_string_equal(recording_events(f->mirror), "reshape main.t: column n was added\nreshape main.t: column n was added\n");
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    OK(recording_restart(f->mirror, f->source, &err));
    catch_up(f);
    assert_string_equal(recording_events(f->mirror), "reshape main.t: column n was added\nreshape main.t: column n was added\n");
}

static void expect_reload(fixture *f, const char *change, const char *reason)
{
    size_t loads = recording_find(f->mirror, "t")->loads;
    sql(f, "%s", change);
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, loads + 1);
    assert_non_null(strstr(recording_find(f->mirror, "t")->reason, reason));
}

static void test_other_changes_reload(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT); INSERT INTO t VALUES(1, 'a', 1), (2, 'b', 2)");
    begin(f);
    expect_reload(f, "ALTER TABLE t ADD COLUMN d INT DEFAULT 7", "column d was added with values in it");
    expect_reload(f, "ALTER TABLE t RENAME COLUMN s TO text", "column s was dropped or renamed");
    expect_reload(f, "BEGIN; ALTER TABLE t DROP COLUMN o; ALTER TABLE t RENAME COLUMN text TO o; COMMIT", "column text was dropped or renamed");
    expect_reload(f, "ALTER TABLE t RENAME COLUMN o TO text", "column o was dropped or renamed");
    expect_reload(f, "BEGIN; CREATE TABLE x(id INTEGER PRIMARY KEY, text INT); INSERT INTO x SELECT id, d FROM t; DROP TABLE t; ALTER TABLE x RENAME TO t; COMMIT",
                  "column text changed");
    expect_reload(f, "BEGIN; DROP TABLE t; CREATE TABLE t(text INT PRIMARY KEY NOT NULL, id INT); INSERT INTO t VALUES(5, 6); COMMIT", "its key changed");
    expect_reload(f, "BEGIN; DROP TABLE t; CREATE TABLE t(text INT PRIMARY KEY NOT NULL, id INT); INSERT INTO t VALUES(7, 8); COMMIT", "triggers were missing");
    sql(f, "INSERT INTO t VALUES(8, 9); UPDATE t SET text = 1 WHERE text = 7");
    catch_up(f);
    assert_same(f, "t");
}

static void stop_and_start(fixture *f, const char *meanwhile)
{
    close_source(f);
    sql(f, "%s", meanwhile);
    open_source_with(f, NULL, NULL);
    OK(recording_adopt(f->mirror, f->source, &err));
    catch_up(f);
}

static void test_shape_changed_while_stopped(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT); INSERT INTO t VALUES(1, 'a', 1), (2, 'b', 2)");
    begin(f);
    stop_and_start(f, "ALTER TABLE t RENAME COLUMN o TO p; INSERT INTO t VALUES(3, 'c', 3)");
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    stop_and_start(f, "INSERT INTO t VALUES(4, 'd', 4)");
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
}

/* As many statements as columns that are gone: no other one can have taken the name of what was dropped. */
static void test_column_dropped(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT, p INT); INSERT INTO t VALUES(1, 'a', 1, 'text'), (2, 'b', 2, 2)");
    begin(f);
    sql(f, "UPDATE t SET s = 'A' WHERE id = 1; ALTER TABLE t DROP COLUMN o; INSERT INTO t VALUES(3, 'c', 7)");
    catch_up(f);
    assert_columns(f, "t", "id:long s:string p:string");
    assert_content(f, "t", "1,'A','text'\n2,'b','2'\n3,'c','7'\n");
    sql(f, "BEGIN; ALTER TABLE t DROP COLUMN p; ALTER TABLE t DROP COLUMN s; INSERT INTO t VALUES(4); COMMIT");
    catch_up(f);
    assert_same(f, "t");
    assert_string_equal(recording_events(f->mirror), "reshape main.t: column o was dropped\nreshape main.t: column s was dropped\n");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static tain_status recall(fixture *f, const char *memo)
{
    return f->source->ops->recall(f->source, recording_find(f->mirror, "t")->source, memo, &err);
}

static void test_what_came_by_known_steps_is_recalled(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT); INSERT INTO t VALUES(1, 'a', 1)");
    begin(f);
    char *was = tain_strdup(recording_find(f->mirror, "t")->source->memo);
    OK(recall(f, was));
    IS(TAIN_E_NOT_FOUND, recall(f, "0"));
    stop_and_start(f, "ALTER TABLE t DROP COLUMN o");
    assert_string_not_equal(recording_find(f->mirror, "t")->source->memo, was);
    OK(recall(f, was));
    char *dropped = tain_strdup(recording_find(f->mirror, "t")->source->memo);
    stop_and_start(f, "ALTER TABLE t ADD COLUMN o TEXT"); /* not what was there of that name */
    OK(recall(f, dropped));
    IS(TAIN_E_NOT_FOUND, recall(f, was));
    stop_and_start(f, "ALTER TABLE t RENAME COLUMN o TO p");
    IS(TAIN_E_NOT_FOUND, recall(f, dropped));
    OK(recall(f, recording_find(f->mirror, "t")->source->memo));
    assert_same(f, "t");
    free(was);
    free(dropped);
}

static void test_load_that_is_confirmed_is_not_repeated(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT); INSERT INTO t VALUES(1, 'a', 1)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 'b', 2)");
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    expect_reload(f, "ALTER TABLE t RENAME COLUMN o TO p", "column o was dropped or renamed");
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err)); /* also right behind another */
    stop_and_start(f, "INSERT INTO t VALUES(3, 'c', 3)");
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 2);
}

/* The schema's text is then what it was. */
static void test_column_dropped_and_added_again(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, o INT); INSERT INTO t VALUES(1, 'a', 1), (2, 'b', 2); CREATE TABLE other(id INTEGER PRIMARY KEY, o INT);"
           "INSERT INTO other VALUES(1, 1), (2, NULL); CREATE TABLE never(id INTEGER PRIMARY KEY, o INT); INSERT INTO never VALUES(1, NULL)");
    begin(f);
    int64_t text = number(f, "SELECT length(sql) FROM sqlite_schema WHERE name = 't'");
    expect_reload(f, "BEGIN; ALTER TABLE t DROP COLUMN o; ALTER TABLE t ADD COLUMN o INT; UPDATE t SET o = 7 WHERE id = 1; COMMIT", "dropped and added again");
    assert_int_equal(number(f, "SELECT length(sql) FROM sqlite_schema WHERE name = 't'"), text);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    stop_and_start(f, "ALTER TABLE t DROP COLUMN o; ALTER TABLE t ADD COLUMN o INT; VACUUM; INSERT INTO t VALUES(3, 'c', 3)");
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 3);
    assert_int_equal(recording_find(f->mirror, "other")->loads, 1);
    assert_int_equal(recording_find(f->mirror, "never")->loads, 1);
}

static void test_schema_touched_elsewhere_reloads_nothing(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'), (2, NULL); CREATE TABLE d(id INTEGER PRIMARY KEY, s TEXT DEFAULT 'x'); INSERT INTO d(id) VALUES(1), (2)");
    begin(f);
    sql(f, "UPDATE t SET s = 'b' WHERE id = 2; INSERT INTO t VALUES(3, 'c'); UPDATE d SET s = 'y' WHERE id = 1");
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    stop_and_start(f, "CREATE INDEX i ON t(s); VACUUM; CREATE TABLE gone(a); DROP TABLE gone; INSERT INTO t VALUES(4, NULL)");
    assert_same(f, "t");
    assert_same(f, "d");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
    assert_int_equal(recording_find(f->mirror, "d")->loads, 1);
}

static void test_column_added_to_keyless_table_reloads(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(a INT, b TEXT); INSERT INTO t VALUES(1, 'x'), (1, 'x')");
    begin(f);
    sql(f, "INSERT INTO t VALUES(2, 'y')");
    expect_reload(f, "ALTER TABLE t ADD COLUMN c INT; UPDATE t SET c = 3 WHERE a = 2", "column c was added");
    sql(f, "UPDATE t SET c = 4; DELETE FROM t WHERE rowid = 1");
    catch_up(f);
    assert_same(f, "t");
}

static void test_rename_of_keyless_column(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(a INT, b TEXT UNIQUE); INSERT INTO t VALUES(1, 'x')");
    begin(f);
    expect_reload(f, "ALTER TABLE t RENAME COLUMN a TO z", "column a was dropped or renamed");
    sql(f, "REPLACE INTO t VALUES(5, 'x')");
    catch_up(f);
    assert_same(f, "t");
}

/* --- indexes ------------------------------------------------------------------------------------------------------- */

static void test_unique_index_added_and_dropped(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u INT); INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)");
    begin(f);
    sql(f, "CREATE UNIQUE INDEX tu ON t(u)");
    catch_up(f);
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
    sql(f, "REPLACE INTO t VALUES(4, 1)");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
    sql(f, "DROP INDEX tu; INSERT INTO t VALUES(5, 1)");
    catch_up(f);
    assert_same(f, "t");
}

static void test_rows_replaced_before_the_index_was_noticed(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, u INT); INSERT INTO t VALUES(1, 1), (2, 2)");
    begin(f);
    expect_reload(f, "CREATE UNIQUE INDEX tu ON t(u); REPLACE INTO t VALUES(4, 1)", "a unique index was added");
    assert_content(f, "t", "2,2\n4,1\n");
}

/* SQLite goes through all triggers at every ALTER: ours must never be what it stumbles over. */
static void test_alter_beside_every_kind_of_trigger(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT, gone INT, n INT UNIQUE, extra INT); CREATE UNIQUE INDEX tm ON t(lower(mail)) WHERE gone = 0");
    sql(f, "CREATE TABLE k(a INT UNIQUE, b TEXT); CREATE TABLE w(a TEXT COLLATE NOCASE PRIMARY KEY, b INT UNIQUE, c INT) WITHOUT ROWID; CREATE TABLE x(a PRIMARY KEY, b INT)");
    sql(f, "INSERT INTO t VALUES(1, 'A', 0, 1, 1), (2, 'b', 0, 2, 2); INSERT INTO k VALUES(1, 'x'); INSERT INTO w VALUES('a', 1, 1); INSERT INTO x VALUES(NULL, 1), ('y', 2)");
    begin(f);
    sql(f, "ALTER TABLE t DROP COLUMN extra; ALTER TABLE t RENAME COLUMN gone TO away; ALTER TABLE t RENAME COLUMN mail TO post; ALTER TABLE w DROP COLUMN c");
    sql(f, "ALTER TABLE w RENAME COLUMN a TO z; ALTER TABLE k RENAME COLUMN a TO z; ALTER TABLE x RENAME COLUMN a TO z; ALTER TABLE k ADD COLUMN c INT");
    sql(f, "REPLACE INTO t VALUES(5, 'a', 0, 2); REPLACE INTO k VALUES(1, 'q', 1); REPLACE INTO w VALUES('A', 5); REPLACE INTO x VALUES('y', 9)");
    catch_up(f);
    sql(f, "REPLACE INTO t VALUES(6, 'A', 0, 9); REPLACE INTO k VALUES(1, 'r', 2); REPLACE INTO w VALUES('b', 5); REPLACE INTO x VALUES('y', 3)");
    catch_up(f);
    const char *const tables[] = {"t", "k", "w", "x"};
    for (size_t i = 0; i < 4; i++) assert_same(f, tables[i]);
    sql(f, "ALTER TABLE t RENAME TO t2; ALTER TABLE k RENAME TO k2; ALTER TABLE w RENAME TO w2; ALTER TABLE x RENAME TO x2");
    catch_up(f);
    sql(f, "REPLACE INTO t2 VALUES(7, 'a', 0, 9); REPLACE INTO k2 VALUES(1, 's', 2); REPLACE INTO w2 VALUES('B', 5); REPLACE INTO x2 VALUES('y', 4)");
    catch_up(f);
    const char *const renamed[] = {"t2", "k2", "w2", "x2"};
    for (size_t i = 0; i < 4; i++) assert_same(f, renamed[i]);
}

static void test_writers_with_untrusted_schema(void **state)
{
    fixture *f = *state;
    sql(f, "PRAGMA trusted_schema = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE); CREATE TABLE k(a INT UNIQUE)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(1, 'a'); REPLACE INTO t VALUES(2, 'a'); INSERT INTO k VALUES(1); REPLACE INTO k VALUES(1)");
    assert_int_equal(sqlite3_last_insert_rowid(f->writer), 2);
    assert_int_equal(sqlite3_changes(f->writer), 1);
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "k");
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void test_tables_come_and_go(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
    begin(f);
    sql(f, "CREATE TABLE u(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO u VALUES(1, 'a')");
    catch_up(f);
    sql(f, "INSERT INTO u VALUES(2, 'b')");
    catch_up(f);
    assert_content(f, "u", "1,'a'\n2,'b'\n");
    sql(f, "DROP TABLE u");
    catch_up(f);
    assert_true(recording_find(f->mirror, "u")->dropped);
    sql(f, "CREATE TABLE u(other INT PRIMARY KEY NOT NULL); INSERT INTO u VALUES(9)");
    catch_up(f);
    assert_content(f, "u", "9\n");
    assert_string_equal(recording_events(f->mirror), "appeared main.u\ndropped main.u\nappeared main.u\n");
}

/* Capture is brought up to date when it is gone, and the mirror hears of it only when it is there again. */
static void test_table_made_anew_before_it_was_told(void **state)
{
    fixture *f = *state;
    bool fresh;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'); CREATE TABLE u(id INTEGER PRIMARY KEY)");
    begin(f);
    sql(f, "DROP TABLE t");
    OK(f->source->ops->prepare(f->source, NULL, &fresh, &err));
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(2, 'b')");
    catch_up(f);
    assert_same(f, "t");
    sql(f, "DROP TABLE t");
    OK(f->source->ops->prepare(f->source, NULL, &fresh, &err));
    stop_and_start(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(3, 'c')");
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 3);
    sql(f, "INSERT INTO t VALUES(4, 'd')");
    catch_up(f);
    assert_same(f, "t");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 3);
}

static void test_table_renamed(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'); CREATE TABLE n(a INT UNIQUE, b); INSERT INTO n VALUES(1, 2)");
    begin(f);
    sql(f, "UPDATE t SET s = 'before'; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES(2, 'b'); ALTER TABLE n RENAME TO \"odd (name\"; INSERT INTO \"odd (name\" VALUES(2, 3)");
    catch_up(f);
    sql(f, "INSERT INTO u VALUES(3, 'c'); REPLACE INTO \"odd (name\" VALUES(2, 4)");
    catch_up(f);
    assert_null(recording_find(f->mirror, "t"));
    assert_same(f, "u");
    assert_same(f, "odd (name");
    assert_int_equal(recording_find(f->mirror, "u")->loads, 1);
    assert_int_equal(recording_find(f->mirror, "odd (name")->loads, 1);
    assert_string_equal(recording_find(f->mirror, "u")->source->identity, "t");
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 8);
}

static void test_name_taken_by_another(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'); CREATE TABLE u(id INTEGER PRIMARY KEY); INSERT INTO u VALUES(5)");
    begin(f);
    sql(f, "BEGIN; DROP TABLE u; ALTER TABLE t RENAME TO u; CREATE TABLE t(x TEXT PRIMARY KEY NOT NULL); INSERT INTO t VALUES('new'); COMMIT; INSERT INTO u VALUES(2, 'b')");
    catch_up(f);
    sql(f, "INSERT INTO u VALUES(3, 'c'); INSERT INTO t VALUES('newer')");
    catch_up(f);
    recording_table *t = NULL, *u = NULL;
    for (size_t i = 0; i < f->mirror->table_count; i++) {
        recording_table *r = f->mirror->tables[i];
        if (!r->dropped && strcmp(r->source->name, "t") == 0) t = r;
        if (!r->dropped && strcmp(r->source->name, "u") == 0) u = r;
    }
    assert_string_equal(u->source->identity, "t");
    assert_int_equal(u->loads, 1);
    assert_int_equal(u->count, 3);
    assert_string_equal(t->source->identity, "t$2");
    assert_int_equal(t->count, 2);
}

static void test_names_exchanged(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'); CREATE TABLE u(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO u VALUES(5, 'e')");
    begin(f);
    for (int i = 0; i < 3; i++) {
        sql(f, "BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u; INSERT INTO t VALUES(10 + %d, 't'); COMMIT", i);
        if (i == 1) close_source(f);
        if (i == 1) open_source_with(f, NULL, NULL);
        if (i == 1) break;
        catch_up(f);
        assert_same(f, "t");
        assert_same(f, "u");
    }
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    tain_findings_free(findings, n);
    for (size_t i = 0; i < catalog.count; i++) assert_string_equal(catalog.tables[i]->identity, catalog.tables[i]->name); /* back again */
    assert_int_equal(catalog.count, 2);
}

static void test_selection(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE a1(id INTEGER PRIMARY KEY); CREATE TABLE a2(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY)");
    open_source_with(f, (const char *[]){"main.a*", "b", NULL}, (const char *[]){"main.a2", NULL});
    begin(f);
    assert_int_equal(f->mirror->table_count, 2);
    sql(f, "INSERT INTO a1 VALUES(1); INSERT INTO a2 VALUES(1); INSERT INTO b VALUES(1); CREATE TABLE a3(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY)");
    catch_up(f);
    assert_string_equal(recording_events(f->mirror), "appeared main.a3\n");
    assert_int_equal(number(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('a2', 'c')"), 0);
}

static void test_views_and_virtual_tables(void **state)
{
    fixture *f = *state;
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); CREATE VIEW v AS SELECT * FROM t; CREATE VIRTUAL TABLE ft USING fts5(s)");
    open_source_with(f, NULL, NULL);
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    assert_int_equal(catalog.count, 1);
    assert_string_equal(catalog.tables[0]->name, "t");
    assert_int_equal(n, 1);
    assert_string_equal(findings[0].code, "virtual_table");
    assert_non_null(strstr(findings[0].message, "ft"));
    tain_findings_free(findings, n);
}

static void lower_case(sqlite3_context *c, int n, sqlite3_value **v)
{
    sqlite3_result_value(c, v[0]);
}

static void test_table_that_only_its_application_can_read(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE ok(id INTEGER PRIMARY KEY)");
    assert_int_equal(sqlite3_create_function(f->writer, "ours", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, lower_case, NULL, NULL), SQLITE_OK);
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, g TEXT AS (ours(s)))");
    begin(f);
    const tain_source_table *t = recording_find(f->mirror, "t")->source;
    assert_int_equal(t->verdict, TAIN_VERDICT_ERROR);
    assert_non_null(strstr(t->findings[0].message, "ours"));
    sql(f, "INSERT INTO ok VALUES(1); INSERT INTO t(id, s) VALUES(1, 'a')");
    catch_up(f);
    assert_same(f, "ok");
    sql(f, "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'b')");
    catch_up(f);
    assert_content(f, "t", "1,'b'\n");
    assert_string_equal(recording_events(f->mirror), "appeared main.t\n");
}

static void test_text_that_is_not_utf8_is_announced(void **state)
{
    fixture *f = *state;
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, v, b BLOB); INSERT INTO t VALUES(1, 'ä', 'ä', x'ff'), (2, CAST(x'41ff' AS TEXT), 'a', NULL)");
    open_source_with(f, NULL, NULL);
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    tain_findings_free(findings, n);
    assert_int_equal(catalog.tables[0]->finding_count, 1);
    assert_string_equal(catalog.tables[0]->findings[0].code, "invalid_utf8");
    assert_string_equal(catalog.tables[0]->findings[0].column, "s");
    assert_int_equal(catalog.tables[0]->verdict, TAIN_VERDICT_WARNING);
    begin(f);
    sql(f, "INSERT INTO t VALUES(3, 'c', CAST(x'ff' AS TEXT), x'00')");
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    close_source(f);
    open_source_with(f, NULL, NULL);
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    tain_findings_free(findings, n);
    assert_int_equal(catalog.tables[0]->finding_count, 2);
    assert_string_equal(catalog.tables[0]->findings[1].column, "v");
}

static void test_odd_names(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE \"a \"\"b' $\"(\"the \"\"key'\" INTEGER PRIMARY KEY, \"select\" TEXT UNIQUE, \"c1\" INT, \"rid\" INT)");
    sql(f, "CREATE TABLE \"select\"(c1 INT, c2 TEXT UNIQUE, rowid INT, op INT, seq INT, rid INT); INSERT INTO \"select\" VALUES(1, 'x', 3, 4, 5, 6)");
    begin(f);
    sql(f, "INSERT INTO \"a \"\"b' $\" VALUES(1, 'x', 1, 1), (2, 'y', 2, 2); REPLACE INTO \"a \"\"b' $\" VALUES(3, 'x', 3, 3)");
    sql(f, "REPLACE INTO \"select\" VALUES(2, 'x', 9, 9, 9, 9), (3, 'y', 3, 3, 3, 3); UPDATE \"select\" SET c1 = 7 WHERE c2 = 'y'");
    catch_up(f);
    assert_same(f, "a \"b' $");
    assert_same(f, "select");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_wal, teardown)
    const struct CMUnitTest tests[] = {
        T(test_remove_leaves_the_schema_as_it_was), T(test_prepare_says_what_it_makes_once), T(test_two_mirrors_of_one_file), T(test_lost_trigger_reloads),
        T(test_column_added), T(test_column_added_is_told_again_until_confirmed), T(test_other_changes_reload), T(test_column_added_to_keyless_table_reloads),
        T(test_shape_changed_while_stopped), T(test_column_dropped), T(test_what_came_by_known_steps_is_recalled), T(test_load_that_is_confirmed_is_not_repeated), T(test_column_dropped_and_added_again), T(test_schema_touched_elsewhere_reloads_nothing),
        T(test_rename_of_keyless_column), T(test_unique_index_added_and_dropped), T(test_rows_replaced_before_the_index_was_noticed),
        T(test_alter_beside_every_kind_of_trigger), T(test_writers_with_untrusted_schema),
        T(test_tables_come_and_go), T(test_table_made_anew_before_it_was_told), T(test_table_renamed), T(test_name_taken_by_another), T(test_names_exchanged), T(test_selection), T(test_views_and_virtual_tables),
        T(test_table_that_only_its_application_can_read), T(test_text_that_is_not_utf8_is_announced), T(test_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
