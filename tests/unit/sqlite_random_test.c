/* SPDX-License-Identifier: MIT */
/* Random statements of every kind; whatever happens to the mirror, it ends equal to the source. */
#include "sqlite_fixture.h"

#include <time.h>

static const char *const tables[] = {
    "CREATE TABLE plain(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, c INT)",
    "CREATE TABLE folded(a TEXT COLLATE NOCASE NOT NULL, b INT NOT NULL, c INT, PRIMARY KEY(a, b))",
    "CREATE TABLE loose(a TEXT UNIQUE, b INT, c INT)",
    "CREATE TABLE tight(b INT, a TEXT, c INT UNIQUE, PRIMARY KEY(b, a)) WITHOUT ROWID",
    "CREATE TABLE bag(a TEXT, b INT, c INT)",
    "CREATE TABLE part(id INTEGER PRIMARY KEY, a TEXT, b INT, c INT)",
    "CREATE TABLE second(a TEXT, b INT NOT NULL UNIQUE, c INT, UNIQUE(a, c))",
};
static const char *const names[] = {"plain", "folded", "loose", "tight", "bag", "part", "second"};
enum { TABLES = sizeof names / sizeof names[0] };

static unsigned seed;
static unsigned pick(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

static const char *text(void)
{
    static const char *const words[] = {"'a'", "'A'", "'b'", "'B'", "'c'", "''", "'dd'", "'DD'", "'e'"};
    return words[pick(9)];
}

static const char *policy(void)
{
    static const char *const policies[] = {"", "", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK", "OR ABORT"};
    return policies[pick(8)];
}

static char *statement(void)
{
    const char *t = names[pick(TABLES)];
    switch (pick(9)) {
    case 0:
    case 1:
    case 2: return sqlite3_mprintf("INSERT %s INTO %s(a, b, c) VALUES(%s, %d, %d), (%s, %d, %d)", policy(), t, text(), pick(6), pick(9), text(), pick(6), pick(9));
    case 3: return sqlite3_mprintf("INSERT %s INTO %s(a, b, c) VALUES(nullif(%s, ''), %d, nullif(%d, 0))", policy(), t, text(), pick(6), pick(5));
    case 4: return sqlite3_mprintf("UPDATE %s %s SET a = %s WHERE c = %d", policy(), t, text(), pick(9));
    case 5: return sqlite3_mprintf("UPDATE %s %s SET b = %d, c = c + 1 WHERE b = %d", policy(), t, pick(6), pick(6));
    case 6: return sqlite3_mprintf("UPDATE %s %s SET %s = %d WHERE c = %d", policy(), t, pick(2) ? "rowid" : "c", pick(20), pick(9));
    case 7: return sqlite3_mprintf("INSERT %s INTO %s(%s, a, b, c) VALUES(%d, %s, %d, %d)", policy(), t, pick(2) ? "rowid" : "c", pick(20), text(), pick(6), pick(9));
    default: return sqlite3_mprintf("DELETE FROM %s WHERE a = %s AND b < %d", t, text(), pick(6));
    }
}

static void change(fixture *f)
{
    bool within = pick(3) == 0;
    if (within) sql(f, "BEGIN");
    for (unsigned n = 1 + pick(within ? 10 : 2); n > 0; n--) {
        char *one = statement();
        sqlite3_exec(f->writer, one, NULL, NULL, NULL); /* a constraint may refuse it */
        sqlite3_free(one);
    }
    if (!sqlite3_get_autocommit(f->writer)) sql(f, pick(5) ? "COMMIT" : "ROLLBACK");
}

static void trouble(fixture *f, tain_position *confirmed)
{
    switch (pick(12)) {
    case 0:
        close_source(f);
        open_source_with(f, NULL, NULL);
        OK(recording_adopt(f->mirror, f->source, &err));
        break;
    case 1: OK(recording_lose(f->mirror, f->source, &err)); break;
    case 2:
        if (confirmed->text[0]) OK(recording_restart_at(f->mirror, f->source, confirmed, &err));
        break;
    case 3:
        catch_up(f);
        *confirmed = f->mirror->position;
        OK(f->source->ops->confirm(f->source, confirmed, &err));
        break;
    case 4: {
        recording_table *t = f->mirror->tables[pick(TABLES)];
        t->needs_load = true;
        OK(recording_load(f->mirror, f->source, &err));
        break;
    }
    default: break;
    }
}

static void run(fixture *f, int rounds)
{
    tain_position confirmed = {0};
    for (int i = 0; i < TABLES; i++) sql(f, "%s", tables[i]);
    sql(f, "CREATE UNIQUE INDEX part_a ON part(lower(a), b) WHERE c > 3; CREATE UNIQUE INDEX part_c ON part(c + b)");
    for (int i = 0; i < 30; i++) change(f);
    begin(f);
    for (int i = 0; i < rounds; i++) {
        change(f);
        if (pick(4) == 0) trouble(f, &confirmed);
        if (pick(3) == 0) OK(f->source->ops->poll(f->source, &f->mirror->sink, 0, &err));
        if (i % 10) continue;
        catch_up(f);
        for (int k = 0; k < TABLES; k++) assert_same(f, names[k]);
    }
    assert_string_equal(recording_events(f->mirror), "");
}

static void test_log(void **state)
{
    run(*state, 1000);
}

static void test_log_with_recursive_triggers(void **state)
{
    fixture *f = *state;
    sql(f, "PRAGMA recursive_triggers = 1");
    run(f, 500);
}

static void test_comparison(void **state)
{
    run(*state, 300);
}

int main(void)
{
    const char *given = getenv("TAIN_SEED");
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("TAIN_SEED=%u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log, setup_wal, teardown),
        {"test_log (rollback journal)", test_log, setup_rollback, teardown, NULL},
        cmocka_unit_test_setup_teardown(test_log_with_recursive_triggers, setup_wal, teardown),
        cmocka_unit_test_setup_teardown(test_comparison, setup_compare, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
