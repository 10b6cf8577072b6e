/* SPDX-License-Identifier: MIT */
/* The stream of a real server: what a mirror would hold is what the server holds. */
#include "postgres_model.h"
#include "postgres_server.h"

#include <time.h>

static server pg;

static tain_source *open_source(const char *name, const char *tables)
{
    const char *globs[] = {tables, NULL};
    tain_source_options options = {.url = pg.url, .mirror_name = name, .tables = globs, .jobs = 1, .memory = 256 << 10, .spool_dir = pg.dir};
    tain_source *s = NULL;
    must(tain_source_postgres.open(&options, &s, err));
    return s;
}

static void prepare(tain_source *s)
{
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(s->ops->prepare(s, NULL, &fresh, err));
    assert_true(fresh);
}

static void remove_and_close(tain_source *s)
{
    must(s->ops->remove(s, NULL, err));
    s->ops->close(s);
}

/* Every row of the table as the model writes it. */
static char *server_text(const char *table, const char *columns)
{
    char *sql = tain_format("SELECT string_agg(l, E'\\n' ORDER BY l COLLATE \"C\") || E'\\n' FROM (SELECT concat_ws('|', %s) AS l FROM %s) x", columns, table);
    char *text = server_value(&pg, sql);
    free(sql);
    return text;
}

static void assert_same(model *m, const char *table, const char *columns)
{
    char *expected = server_text(table, columns), *got = model_text(model_named(m, table));
    assert_string_equal(got, expected);
    free(expected);
    free(got);
}

/* --- one of each --------------------------------------------------------------------------------------------------- */

static void every_kind_of_change(void **state)
{
    server_sql(&pg, "CREATE TABLE kinds (id int PRIMARY KEY, t text, n numeric(10,2)); ALTER TABLE kinds ALTER t SET STORAGE external;"
                    "CREATE TABLE loose (a int, b text); ALTER TABLE loose REPLICA IDENTITY FULL;"
                    "INSERT INTO kinds VALUES (1, 'old', 0.5), (2, repeat('long', 2000), 1); INSERT INTO loose VALUES (1, 'x'), (1, 'x')");
    tain_source *s = open_source("kinds", "public.*");
    model m;
    model_init(&m);
    prepare(s);
    tain_position from = model_load(&m, s, 1000);
    assert_same(&m, "kinds", "id, t, n");
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO kinds VALUES (3, NULL, NULL), (4, 'four', 4.25)");
    server_sql(&pg, "UPDATE kinds SET n = 7 WHERE id = 2");
    server_sql(&pg, "UPDATE kinds SET id = 20 WHERE id = 2");
    server_sql(&pg, "DELETE FROM kinds WHERE id = 1");
    server_sql(&pg, "UPDATE loose SET b = 'y' WHERE ctid = '(0,1)'");
    server_sql(&pg, "DELETE FROM loose WHERE b = 'x'");
    model_catch_up(&m, s);
    assert_same(&m, "kinds", "id, coalesce(t, '\\N'), coalesce(n::text, '\\N')");
    assert_same(&m, "loose", "a, b");
    assert_int_equal(m.moves, 1);
    assert_int_equal(m.unchanged, 2); /* t of row 2, twice */
    server_sql(&pg, "BEGIN; INSERT INTO kinds VALUES (50, 'gone', 1); TRUNCATE kinds, loose; INSERT INTO kinds VALUES (51, 'stays', 1); COMMIT");
    server_sql(&pg, "BEGIN; INSERT INTO kinds VALUES (60, 'never', 1); ROLLBACK");
    model_catch_up(&m, s);
    assert_same(&m, "kinds", "id, t, n");
    assert_int_equal(m.truncates, 2);
    assert_int_equal(model_named(&m, "loose")->rows.count, 0);
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE kinds, loose");
}

/* --- transactions in progress -------------------------------------------------------------------------------------- */

static void transactions_in_progress(void **state)
{
    server_sql(&pg, "CREATE TABLE big (id int PRIMARY KEY, t text)");
    tain_source *s = open_source("big", "public.big");
    model m;
    model_init(&m);
    prepare(s);
    tain_position from = model_load(&m, s, 1000);
    must(s->ops->start(s, &from, err));
    PGconn *other = PQconnectdb(pg.url);
    PQclear(server_result(other, "BEGIN; INSERT INTO big SELECT g, repeat('a', 100) FROM generate_series(1, 5000) g;"
                                 "SAVEPOINT one; INSERT INTO big SELECT g, repeat('b', 100) FROM generate_series(5001, 9000) g;"
                                 "SAVEPOINT two; UPDATE big SET t = 'c' WHERE id % 7 = 0; ROLLBACK TO one;"
                                 "INSERT INTO big SELECT g, repeat('d', 100) FROM generate_series(9001, 12000) g; RELEASE one"));
    server_sql(&pg, "INSERT INTO big VALUES (100000, 'between')");
    model_catch_up(&m, s);
    assert_int_equal(m.inserts, 1); /* what is not committed is not there */
    PQclear(server_result(other, "SAVEPOINT three; DELETE FROM big WHERE id < 2000; RELEASE three; COMMIT"));
    PQclear(server_result(other, "BEGIN; INSERT INTO big SELECT g, repeat('e', 100) FROM generate_series(200000, 205000) g; ROLLBACK"));
    model_catch_up(&m, s);
    assert_same(&m, "big", "id, t");
    assert_true(m.inserts > 7000);
    PQfinish(other);
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE big");
}

/* --- random work of several sessions --------------------------------------------------------------------------------- */

enum { SESSIONS = 4, STEPS = 1500 };

static void random_step(PGconn *sql, bool *io_open, int session)
{
    char text[300];
    int id = session * 1000 + rand() % 200, n = rand() % 3 ? 1 + rand() % 5 : 50 + rand() % 400;
    switch (*io_open ? rand() % 14 : 0) {
    case 0: snprintf(text, sizeof text, *io_open ? "SELECT 1" : "BEGIN"), *io_open = true; break;
    case 1:
    case 2:
    case 3: snprintf(text, sizeof text, "INSERT INTO r SELECT g, md5(random()::text), g * 0.25 FROM generate_series(%d, %d) g ON CONFLICT DO NOTHING", id, id + n); break;
    case 4:
    case 5: snprintf(text, sizeof text, "UPDATE r SET v = repeat('v', (random() * 3000)::int) WHERE id BETWEEN %d AND %d", id, id + n / 8); break;
    case 6: snprintf(text, sizeof text, "UPDATE r SET n = n + 1 WHERE id BETWEEN %d AND %d", id, id + n); break;
    case 7: snprintf(text, sizeof text, "DELETE FROM r WHERE id BETWEEN %d AND %d", id, id + n / 2); break;
    case 8: snprintf(text, sizeof text, "UPDATE r SET id = id + 100000 + %d WHERE id = %d AND NOT EXISTS (SELECT 1 FROM r WHERE id = %d)", session, id, id + 100000 + session); break;
    case 9: snprintf(text, sizeof text, "SAVEPOINT a"); break;
    case 10: snprintf(text, sizeof text, "SAVEPOINT b; DELETE FROM q WHERE s = %d; ROLLBACK TO b", session); break;
    case 11: snprintf(text, sizeof text, "INSERT INTO q VALUES (%d, %d), (%d, %d)", session, rand() % 5, session, rand() % 5); break;
    case 12: snprintf(text, sizeof text, "UPDATE q SET x = x + 1 WHERE s = %d AND x < 3", session); break;
    default: snprintf(text, sizeof text, rand() % 4 ? "COMMIT" : "ROLLBACK"), *io_open = false;
    }
    PQclear(server_result(sql, text));
}

static void random_work(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    srand(seed);
    server_sql(&pg, "CREATE TABLE r (id int PRIMARY KEY, v text, n numeric(12,2)); ALTER TABLE r ALTER v SET STORAGE external;"
                    "CREATE TABLE q (s int, x int); ALTER TABLE q REPLICA IDENTITY FULL");
    tain_source *s = open_source("random", "public.*");
    model m;
    model_init(&m);
    prepare(s);
    PGconn *sessions[SESSIONS];
    bool open[SESSIONS] = {0};
    for (int i = 0; i < SESSIONS; i++) sessions[i] = PQconnectdb(pg.url);
    tain_position from = model_load(&m, s, 100), end;
    must(s->ops->start(s, &from, err));
    for (int i = 0; i < STEPS; i++) {
        int k = rand() % SESSIONS;
        random_step(sessions[k], &open[k], k);
        if (rand() % 100 == 0) model_catch_up(&m, s);
        if (rand() % 300 == 0) { /* the stream breaks and begins again where the mirror is */
            for (size_t t = 0; t < m.count; t++) m.tables[t].have = m.position;
            must(s->ops->start(s, &m.position, err));
        }
    }
    for (int i = 0; i < SESSIONS; i++) {
        PQclear(server_result(sessions[i], "COMMIT"));
        PQfinish(sessions[i]);
    }
    model_catch_up(&m, s);
    assert_same(&m, "r", "id, v, n");
    assert_same(&m, "q", "s, x");
    end = m.position;
    /* from the beginning once more: the same transactions lead to the same end */
    for (size_t t = 0; t < m.count; t++) {
        model_empty(&m.tables[t]);
        m.tables[t].have = from;
    }
    m.position = from;
    must(s->ops->start(s, &from, err));
    while (tain_position_compare(&m.position, &end) < 0) must(s->ops->poll(s, &m.sink, tain_monotonic() + 50 * TAIN_MILLISECOND, err));
    assert_same(&m, "r", "id, v, n");
    assert_same(&m, "q", "s, x");
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE r, q");
}

/* --- positions ----------------------------------------------------------------------------------------------------- */

static uint64_t slot_lag(const char *slot)
{
    char *sql = tain_format("SELECT pg_current_wal_flush_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '%s'", slot);
    char *text = server_value(&pg, sql);
    uint64_t lag = strtoull(text, NULL, 10);
    free(sql);
    free(text);
    return lag;
}

static void idle_mirror_holds_nothing_back(void **state)
{
    server_sql(&pg, "CREATE TABLE idle (id int PRIMARY KEY); CREATE TABLE busy (t text)");
    tain_source *s = open_source("idle", "public.idle");
    model m;
    model_init(&m);
    prepare(s);
    tain_position from = model_load(&m, s, 1000);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    model_catch_up(&m, s);
    assert_int_equal(m.inserts, 0);
    assert_true(slot_lag("tain_idle") > 500000); /* nothing is confirmed by itself */
    for (int i = 0; i < 500 && slot_lag("tain_idle") > 10000; i++) {
        must(s->ops->confirm(s, &m.position, err));
        must(s->ops->poll(s, &m.sink, tain_monotonic() + 20 * TAIN_MILLISECOND, err));
    }
    assert_true(slot_lag("tain_idle") <= 10000);
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE idle, busy");
}

static void a_commit_may_end_poll(void **state)
{
    server_sql(&pg, "CREATE TABLE stops (id int PRIMARY KEY)");
    tain_source *s = open_source("stops", "public.stops");
    model m;
    model_init(&m);
    prepare(s);
    tain_position from = model_load(&m, s, 1000);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO stops VALUES (1)");
    server_sql(&pg, "INSERT INTO stops VALUES (2)");
    m.commit_status = TAIN_E_CANCELLED;
    for (int i = 0; i < 1000 && m.inserts < 2; i++) {
        int before = m.commits;
        tain_status st = s->ops->poll(s, &m.sink, tain_monotonic() + TAIN_SECOND, NULL);
        assert_true(st == TAIN_OK || st == TAIN_E_CANCELLED);
        assert_true(m.commits - before <= 1);
    }
    assert_int_equal(m.inserts, 2);
    s->ops->cancel(s);
    assert_int_equal(s->ops->poll(s, &m.sink, tain_monotonic() + 60 * TAIN_SECOND, NULL), TAIN_E_CANCELLED);
    m.commit_status = TAIN_OK;
    server_sql(&pg, "INSERT INTO stops VALUES (3)");
    model_catch_up(&m, s);
    assert_same(&m, "stops", "id");
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE stops");
}

static void a_restarted_server_is_followed_on(void **state)
{
    server_sql(&pg, "CREATE TABLE again (id int PRIMARY KEY)");
    tain_source *s = open_source("again", "public.again");
    model m;
    model_init(&m);
    prepare(s);
    tain_position from = model_load(&m, s, 1000);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO again VALUES (1)");
    model_catch_up(&m, s);
    server_down(&pg, SIGINT);
    tain_error e = {0};
    tain_status st = TAIN_OK;
    for (int i = 0; i < 100 && st == TAIN_OK; i++) st = s->ops->poll(s, &m.sink, tain_monotonic() + 50 * TAIN_MILLISECOND, &e);
    assert_int_equal(st, TAIN_E_UNAVAILABLE);
    assert_int_equal(s->ops->start(s, &m.position, &e), TAIN_E_UNAVAILABLE);
    server_up(&pg);
    server_sql(&pg, "INSERT INTO again VALUES (2)");
    for (size_t t = 0; t < m.count; t++) m.tables[t].have = m.position;
    must(s->ops->start(s, &m.position, err));
    model_catch_up(&m, s);
    assert_same(&m, "again", "id");
    model_done(&m);
    remove_and_close(s);
    server_sql(&pg, "DROP TABLE again");
}

int main(void)
{
    server_init(&pg, "max_replication_slots=10");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_change), cmocka_unit_test(transactions_in_progress), cmocka_unit_test(random_work),
        cmocka_unit_test(idle_mirror_holds_nothing_back), cmocka_unit_test(a_commit_may_end_poll), cmocka_unit_test(a_restarted_server_is_followed_on),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
