/* SPDX-License-Identifier: MIT */
/* What is said of a server and its tables, what is made there, and what goes wrong, in one line with a remedy. */
#include "postgres_model.h"
#include "postgres_server.h"

static server pg;

static char *url_of(const char *user) { return tain_format("postgresql://%s@/postgres?host=%s", user, pg.dir); }

static tain_status try_open(const char *url, const char **globs, tain_source **ret, tain_error *err)
{
    tain_source_options options = {.url = url, .mirror_name = "cap", .tables = globs, .jobs = 1, .memory = 1 << 20, .spool_dir = pg.dir};
    return tain_source_postgres.open(&options, ret, err);
}

static tain_source *open_as(const char *user, const char **globs)
{
    tain_source *s = NULL;
    char *url = url_of(user);
    must(try_open(url, globs, &s, err));
    free(url);
    return s;
}

typedef struct described { tain_catalog catalog; tain_finding *findings; size_t count; } described;

static described describe(tain_source *s)
{
    described d = {0};
    must(s->ops->describe(s, &d.catalog, &d.findings, &d.count, err));
    return d;
}

static const tain_source_table *table_named(const described *d, const char *name)
{
    for (size_t i = 0; i < d->catalog.count; i++)
        if (strcmp(d->catalog.tables[i]->name, name) == 0) return d->catalog.tables[i];
    return NULL;
}

static const tain_finding *finding(const tain_finding *list, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].code, code) == 0) return &list[i];
    return NULL;
}

static const tain_finding *of_table(const described *d, const char *table, const char *code)
{
    const tain_source_table *t = table_named(d, table);
    assert_non_null(t);
    return finding(t->findings, t->finding_count, code);
}

static void assert_refused(const described *d, const char *table, const char *code, const char *remedy)
{
    const tain_finding *f = of_table(d, table, code);
    if (!f) fail_msg("%s has no finding %s", table, code);
    assert_int_equal(f->level, TAIN_VERDICT_ERROR);
    assert_int_equal(table_named(d, table)->verdict, TAIN_VERDICT_ERROR);
    assert_non_null(strstr(f->remedy, remedy));
}

static void clean(void)
{
    server_sql(&pg, "DROP SCHEMA app CASCADE; CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO reader");
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void verdicts(void **state)
{
    server_sql(&pg, "CREATE TABLE app.good (id int PRIMARY KEY, t text);"
                    "CREATE TABLE app.two (a int, b int, c int, PRIMARY KEY (c, a)); CREATE TABLE app.nokey (a int);"
                    "CREATE TABLE app.loose (a int); ALTER TABLE app.loose REPLICA IDENTITY FULL;"
                    "CREATE TABLE app.nothing (id int PRIMARY KEY); ALTER TABLE app.nothing REPLICA IDENTITY NOTHING;"
                    "CREATE TABLE app.late (id int PRIMARY KEY DEFERRABLE); CREATE UNLOGGED TABLE app.unlogged (id int PRIMARY KEY);"
                    "CREATE TABLE app.other (id int PRIMARY KEY, k int NOT NULL UNIQUE); ALTER TABLE app.other REPLICA IDENTITY USING INDEX other_k_key;"
                    "CREATE TABLE app.gen (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED, n numeric, i interval, f numeric(5,2), a int[], a2 int[][]);"
                    "CREATE TABLE app.parent (id int PRIMARY KEY); CREATE TABLE app.child (PRIMARY KEY (id)) INHERITS (app.parent);"
                    "CREATE TABLE app.part (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE app.part1 PARTITION OF app.part DEFAULT;"
                    "CREATE VIEW app.v AS SELECT 1; CREATE TABLE app.\"Odd \"\"name\" (\"A b\" int PRIMARY KEY)");
    tain_source *s = open_as("postgres", (const char *[]){"app.*", "app.v", "app.part1", NULL});
    described d = describe(s);
    assert_int_equal(table_named(&d, "good")->verdict, TAIN_VERDICT_OK);
    assert_int_equal(table_named(&d, "good")->finding_count, 0);
    const tain_source_table *two = table_named(&d, "two");
    assert_int_equal(two->key_count, 2);
    assert_int_equal(two->key[0], 2);
    assert_int_equal(two->key[1], 0);
    assert_refused(&d, "nokey", "no_key", "ALTER TABLE app.nokey ADD PRIMARY KEY");
    assert_refused(&d, "nothing", "no_key", "ALTER TABLE app.nothing REPLICA IDENTITY DEFAULT;");
    assert_refused(&d, "late", "no_key", "REPLICA IDENTITY FULL");
    assert_refused(&d, "unlogged", "unlogged", "ALTER TABLE app.unlogged SET LOGGED;");
    assert_refused(&d, "v", "not_a_table", "");
    assert_refused(&d, "part1", "partition", "");
    assert_int_equal(table_named(&d, "loose")->verdict, TAIN_VERDICT_WARNING);
    assert_int_equal(table_named(&d, "loose")->key_count, 0);
    assert_int_equal(table_named(&d, "other")->key[0], 1);
    assert_int_equal(table_named(&d, "part")->verdict, TAIN_VERDICT_OK);
    assert_non_null(table_named(&d, "Odd \"name"));
    assert_int_equal(of_table(&d, "gen", "generated_column")->level, TAIN_VERDICT_WARNING);
    assert_string_equal(of_table(&d, "gen", "type_as_text")->column, "n");
    assert_non_null(strstr(of_table(&d, "gen", "value_out_of_range")->message, "columns f:"));
    assert_non_null(strstr(of_table(&d, "gen", "array_dimensions")->message, "columns a are"));
    assert_int_equal(tain_schema_find(table_named(&d, "gen")->columns, "g"), -1);
    tain_findings_free(d.findings, d.count);
    s->ops->close(s);
    clean();
}

static void globs_select(void **state)
{
    server_sql(&pg, "CREATE TABLE app.a1 (id int PRIMARY KEY); CREATE TABLE app.a2 (id int PRIMARY KEY); CREATE TABLE app.b1 (id int PRIMARY KEY)");
    tain_source *s = open_as("postgres", (const char *[]){"app.a*", NULL});
    described d = describe(s);
    assert_int_equal(d.catalog.count, 2);
    tain_source_table *before = d.catalog.tables[0];
    tain_findings_free(d.findings, d.count);
    d = describe(s);
    assert_ptr_equal(before, d.catalog.tables[0]);
    tain_findings_free(d.findings, d.count);
    s->ops->close(s);
    clean();
}

/* --- privileges ---------------------------------------------------------------------------------------------------- */

static void the_sql_printed_is_the_sql_needed(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, v text); INSERT INTO app.t VALUES (1, 'x'); CREATE TABLE app.closed (id int PRIMARY KEY);"
                    "CREATE TABLE app.hidden (id int PRIMARY KEY); ALTER TABLE app.hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON app.t, app.hidden TO reader");
    tain_source *s = open_as("reader", (const char *[]){"app.*", NULL});
    described d = describe(s);
    assert_refused(&d, "closed", "no_select", "GRANT SELECT ON app.closed TO reader;");
    assert_refused(&d, "hidden", "row_security", "ALTER ROLE reader BYPASSRLS;");
    const tain_finding *f = finding(d.findings, d.count, "no_publication");
    assert_non_null(f);
    bool fresh;
    tain_error e = {0};
    assert_int_equal(s->ops->prepare(s, NULL, &fresh, &e), TAIN_E_PERMISSION);
    assert_string_equal(tain_error_advice(&e), f->remedy);
    server_sql(&pg, "%s", f->remedy); /* by the DBA */
    tain_findings_free(d.findings, d.count);
    must(s->ops->prepare(s, NULL, &fresh, err));
    assert_true(fresh);
    model m;
    model_init(&m);
    tain_position from = model_load(&m, s, 100);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO app.t VALUES (2, 'y')");
    model_catch_up(&m, s);
    assert_int_equal(model_named(&m, "t")->rows.count, 2);
    model_done(&m);
    must(s->ops->remove(s, NULL, err)); /* the slot; the publication is the DBA's */
    s->ops->close(s);
    server_sql(&pg, "DROP PUBLICATION tain_cap");
    clean();
}

static void roles_and_settings(void **state)
{
    tain_source *s = open_as("nobody", NULL);
    described d = describe(s);
    const tain_finding *f = finding(d.findings, d.count, "no_replication");
    assert_non_null(f);
    assert_string_equal(f->remedy, "ALTER ROLE nobody REPLICATION;");
    tain_findings_free(d.findings, d.count);
    s->ops->close(s);
}

/* --- making and unmaking ------------------------------------------------------------------------------------------- */

static int count_of(const char *what)
{
    char *sql = tain_format("SELECT count(*) FROM %s", what), *text = server_value(&pg, sql);
    int n = atoi(text);
    free(sql);
    free(text);
    return n;
}

static void all_or_nothing(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    server_sql(&pg, "SELECT pg_create_logical_replication_slot('x' || g, 'pgoutput') FROM generate_series(1, 4) g");
    tain_source *s = open_as("postgres", (const char *[]){"app.*", NULL});
    bool fresh;
    tain_error e = {0};
    assert_int_not_equal(s->ops->prepare(s, NULL, &fresh, &e), TAIN_OK);
    assert_non_null(strstr(e.message, "slots are in use"));
    assert_int_equal(count_of("pg_publication"), 0);
    server_sql(&pg, "SELECT pg_drop_replication_slot('x' || g) FROM generate_series(1, 4) g");
    must(s->ops->prepare(s, NULL, &fresh, err));
    assert_true(fresh);
    must(s->ops->prepare(s, NULL, &fresh, err));
    assert_false(fresh);
    assert_int_equal(count_of("pg_publication") + count_of("pg_replication_slots"), 2);
    must(s->ops->remove(s, NULL, err));
    must(s->ops->remove(s, NULL, err));
    assert_int_equal(count_of("pg_publication") + count_of("pg_replication_slots"), 0);
    s->ops->close(s);
    clean();
}

static void a_publication_that_lacks_something(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE app.u (id int PRIMARY KEY, a int);"
                    "CREATE PUBLICATION tain_cap FOR TABLE app.u WITH (publish = 'insert, update')");
    tain_source *s = open_as("postgres", (const char *[]){"app.*", NULL});
    described d = describe(s);
    const tain_finding *f = finding(d.findings, d.count, "publication_options");
    assert_non_null(f);
    server_sql(&pg, "%s", f->remedy);
    tain_findings_free(d.findings, d.count);
    d = describe(s);
    assert_null(finding(d.findings, d.count, "publication_options"));
    tain_findings_free(d.findings, d.count);
    bool fresh;
    must(s->ops->prepare(s, NULL, &fresh, err));
    assert_int_equal(count_of("pg_publication_tables WHERE pubname = 'tain_cap'"), 2);
    must(s->ops->remove(s, NULL, err));
    s->ops->close(s);
    clean();
}

/* --- what goes wrong ----------------------------------------------------------------------------------------------- */

static void assert_one_line(const tain_error *e)
{
    assert_null(strchr(e->message, '\n'));
    assert_true(e->message[0] && tain_error_advice(e)[0]);
}

static void connections_refused(void **state)
{
    tain_source *s = NULL;
    tain_error e = {0};
    assert_int_equal(try_open("postgresql://postgres@127.0.0.1:1/postgres", NULL, &s, &e), TAIN_E_UNAVAILABLE);
    assert_non_null(strstr(e.message, "127.0.0.1:1"));
    assert_one_line(&e);
    char *url = tain_format("postgresql://secret:wr%%25ng@/postgres?host=%s", pg.dir);
    assert_int_equal(try_open(url, NULL, &s, &e), TAIN_E_AUTH);
    assert_null(strstr(e.message, "wr%ng"));
    assert_one_line(&e);
    free(url);
    setenv("TAIN_TEST_PASSWORD", "r:ght", 1);
    url = tain_format("postgresql://secret:env:TAIN_TEST_PASSWORD@/postgres?host=%s", pg.dir);
    must(try_open(url, NULL, &s, err));
    s->ops->close(s);
    free(url);
    url = tain_format("postgresql://postgres@/no_such_database?host=%s", pg.dir);
    assert_int_equal(try_open(url, NULL, &s, &e), TAIN_E_NOT_FOUND);
    assert_one_line(&e);
    free(url);
    assert_int_equal(try_open("postgresql://u:pw@host:bad:port/x", NULL, &s, &e), TAIN_E_INVALID);
    assert_null(strstr(e.message, "pw@"));
}

typedef struct following { tain_source *source; tain_position from; } following;

static following follow(void)
{
    following f = {.source = open_as("postgres", (const char *[]){"app.*", NULL})};
    bool fresh;
    described d = describe(f.source);
    tain_findings_free(d.findings, d.count);
    must(f.source->ops->prepare(f.source, NULL, &fresh, err));
    must(f.source->ops->snapshot_begin(f.source, d.catalog.tables, d.catalog.count, &f.from, err));
    must(f.source->ops->snapshot_end(f.source, err));
    return f;
}

static void expect_start(following *f, tain_status expected, const char *named)
{
    tain_error e = {0};
    assert_int_equal(f->source->ops->start(f->source, &f->from, &e), expected);
    assert_non_null(strstr(e.message, named));
    assert_one_line(&e);
    if (expected == TAIN_E_GONE) assert_non_null(strstr(tain_error_advice(&e), "--resync"));
}

static void finish(following *f)
{
    must(f->source->ops->remove(f->source, NULL, err));
    f->source->ops->close(f->source);
}

static void positions_that_are_gone(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    following f = follow(), other = {.source = open_as("postgres", NULL), .from = f.from};
    must(f.source->ops->start(f.source, &f.from, err));
    expect_start(&other, TAIN_E_BUSY, "process");
    other.source->ops->close(other.source);
    server_sql(&pg, "DROP PUBLICATION tain_cap");
    expect_start(&(following){f.source, {"00000000/00000001"}}, TAIN_E_GONE, "publication tain_cap");
    finish(&f);

    f = follow();
    server_sql(&pg, "SELECT pg_drop_replication_slot('tain_cap')");
    expect_start(&f, TAIN_E_GONE, "slot tain_cap");
    finish(&f);

    f = follow(); /* a slot made anew does not know what was before it */
    tain_position old = f.from;
    finish(&f);
    server_sql(&pg, "INSERT INTO app.t VALUES (1)");
    f = follow();
    f.from = old;
    expect_start(&f, TAIN_E_GONE, "already");
    f.from = (tain_position){"00FFFFFF/00000000"};
    expect_start(&f, TAIN_E_GONE, "set back");
    finish(&f);
    clean();
}

static void a_lost_slot(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, v text)");
    following f = follow();
    server_sql(&pg, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    server_sql(&pg, "SELECT pg_reload_conf()");
    for (int i = 0; i < 5; i++) {
        server_sql(&pg, "INSERT INTO app.t VALUES (%d)", i);
        server_sql(&pg, "SELECT pg_switch_wal()");
    }
    server_sql(&pg, "CHECKPOINT");
    server_sql(&pg, "CHECKPOINT");
    expect_start(&f, TAIN_E_GONE, "is lost");
    /* loading again heals it */
    model m;
    bool fresh;
    model_init(&m);
    must(f.source->ops->prepare(f.source, NULL, &fresh, err));
    assert_true(fresh);
    tain_position from = model_load(&m, f.source, 100);
    must(f.source->ops->start(f.source, &from, err));
    server_sql(&pg, "INSERT INTO app.t VALUES (100)");
    model_catch_up(&m, f.source);
    assert_int_equal(model_named(&m, "t")->rows.count, 6);
    model_done(&m);
    finish(&f);
    server_sql(&pg, "ALTER SYSTEM RESET max_slot_wal_keep_size");
    server_sql(&pg, "SELECT pg_reload_conf()");
    clean();
}

static void a_snapshot_waits_and_can_be_stopped(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    following f = follow();
    PGconn *other = PQconnectdb(pg.url);
    PQclear(server_result(other, "BEGIN; INSERT INTO app.t VALUES (1)"));
    tain_position at;
    tain_error e = {0};
    f.source->ops->cancel(f.source);
    assert_int_equal(f.source->ops->snapshot_begin(f.source, NULL, 0, &at, &e), TAIN_E_CANCELLED);
    PQclear(server_result(other, "COMMIT"));
    must(f.source->ops->snapshot_begin(f.source, NULL, 0, &at, err));
    must(f.source->ops->snapshot_end(f.source, err));
    PQfinish(other);
    finish(&f);
    clean();
}

static void without_logical_log(void **state)
{
    server_sql(&pg, "ALTER SYSTEM SET wal_level = replica");
    server_down(&pg, SIGINT);
    server_up(&pg);
    tain_source *s = open_as("postgres", NULL);
    described d = describe(s);
    const tain_finding *f = finding(d.findings, d.count, "wal_level");
    assert_non_null(f);
    assert_non_null(strstr(f->remedy, "ALTER SYSTEM SET wal_level = logical"));
    tain_findings_free(d.findings, d.count);
    bool fresh;
    tain_error e = {0};
    assert_int_equal(s->ops->prepare(s, NULL, &fresh, &e), TAIN_E_CONFIG);
    assert_non_null(strstr(tain_error_advice(&e), "wal_level = logical"));
    s->ops->close(s);
}

static void ask_for_passwords(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data/pg_hba.conf", pg.dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "local all secret scram-sha-256\nlocal all all trust\nlocal replication all trust\n");
    fclose(f);
    server_sql(&pg, "SELECT pg_reload_conf()");
}

int main(void)
{
    server_init(&pg, "client_min_messages=warning\nmax_replication_slots=4\npassword_encryption=scram-sha-256");
    server_sql(&pg, "CREATE ROLE reader LOGIN REPLICATION; CREATE ROLE nobody LOGIN; CREATE ROLE secret LOGIN PASSWORD 'r:ght'; CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO reader");
    ask_for_passwords();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts), cmocka_unit_test(globs_select), cmocka_unit_test(the_sql_printed_is_the_sql_needed), cmocka_unit_test(roles_and_settings),
        cmocka_unit_test(all_or_nothing), cmocka_unit_test(a_publication_that_lacks_something), cmocka_unit_test(connections_refused),
        cmocka_unit_test(positions_that_are_gone), cmocka_unit_test(a_lost_slot), cmocka_unit_test(a_snapshot_waits_and_can_be_stopped),
        cmocka_unit_test(without_logical_log),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
