/* SPDX-License-Identifier: MIT */
/* Tables that change while they are followed: shapes, names, keys, partitions, tables that come and go. */
#include "postgres_model.h"
#include "postgres_server.h"

static server pg;
static tain_source *source;
static model        m;

/* Opens a mirror of what is there, and follows it. */
static void begin(const char *tables)
{
    const char *globs[] = {tables, NULL};
    tain_source_options options = {.url = pg.url, .mirror_name = "schema", .tables = globs, .jobs = 1, .memory = 1 << 20, .spool_dir = pg.dir};
    must(tain_source_postgres.open(&options, &source, err));
    model_init(&m);
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    must(source->ops->describe(source, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(source->ops->prepare(source, NULL, &fresh, err));
    tain_position from = model_load(&m, source, 1000);
    must(source->ops->start(source, &from, err));
}

static void end(void)
{
    model_done(&m);
    must(source->ops->remove(source, NULL, err));
    source->ops->close(source);
    source = NULL;
    server_sql(&pg, "DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app");
}

/* Polls until the count that ends is reached. */
static void until(const int *count, int wanted)
{
    for (int i = 0; i < 1000 && *count < wanted; i++) must(source->ops->poll(source, &m.sink, tain_monotonic() + 20 * TAIN_MILLISECOND, err));
    assert_int_equal(*count, wanted);
}

static char *field_names(const char *table)
{
    tain_buffer names = {0};
    const tain_schema *schema = model_named(&m, table)->source->columns;
    for (size_t i = 0; i < schema->count; i++) tain_buffer_printf(&names, "%s%s", i ? "," : "", schema->fields[i].name);
    return tain_buffer_cstr(&names);
}

static void assert_fields(const char *table, const char *expected)
{
    char *names = field_names(table);
    assert_string_equal(names, expected);
    free(names);
}

static void assert_rows(const char *table, const char *expected)
{
    char *text = model_text(model_named(&m, table));
    assert_string_equal(text, expected);
    free(text);
}

/* What a mirror does when it is told to reload. */
static void reload(const char *table)
{
    model_table *mt = model_named(&m, table);
    must(source->ops->snapshot_begin(source, &mt->source, 1, &mt->have, err));
    model_read(mt, source, 1000);
    must(source->ops->snapshot_end(source, err));
}

static void an_added_column_needs_no_reload(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a text); INSERT INTO app.t VALUES (1, 'one')");
    begin("app.*");
    server_sql(&pg, "BEGIN; INSERT INTO app.t VALUES (2, 'two'); ALTER TABLE app.t ADD b bigint; INSERT INTO app.t VALUES (3, 'three', 33); COMMIT");
    model_catch_up(&m, source);
    assert_int_equal(m.reshapes, 1);
    assert_int_equal(m.reloads, 0);
    assert_fields("t", "id,a,b");
    assert_rows("t", "1|one|\\N\n2|two|\\N\n3|three|33\n");
    end();
}

/* Constants are told by the catalog, of any type; what each row computed is not. */
static void defaults_of_older_rows(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a text); INSERT INTO app.t VALUES (1, 'one'); CREATE DOMAIN app.short AS varchar(9)");
    begin("app.*");
    server_sql(&pg, "ALTER TABLE app.t ADD b int DEFAULT 5, ADD c app.short DEFAULT 'a \"b\" {c}', ADD d timestamptz DEFAULT '2024-02-29 12:00+02', ADD e numeric(9,2) DEFAULT 1.5, ADD f text[] DEFAULT '{x,NULL}'");
    server_sql(&pg, "INSERT INTO app.t (id) VALUES (2)");
    server_sql(&pg, "ALTER TABLE app.t ALTER b SET DEFAULT 6, ALTER c DROP DEFAULT");
    server_sql(&pg, "INSERT INTO app.t (id, d, e, f) VALUES (3, NULL, NULL, NULL)");
    model_catch_up(&m, source);
    assert_int_equal(m.reloads, 0);
    assert_rows("t", "1|one|5|a \"b\" {c}|2024-02-29T10:00:00Z|1.50|[\"x\",null]\n2|\\N|5|a \"b\" {c}|2024-02-29T10:00:00Z|1.50|[\"x\",null]\n3|\\N|6|\\N|\\N|\\N|\\N\n");
    end();
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    begin("app.*");
    server_sql(&pg, "ALTER TABLE app.t ADD g int DEFAULT random() * 0; INSERT INTO app.t (id) VALUES (4)");
    model_catch_up(&m, source);
    assert_int_equal(m.reloads, 1);
    assert_string_equal(m.last_reason, "column g was added with values of each row");
    end();
}

/* A partitioned table has no rows: what its partitions have, they say. */
static void defaults_in_partitions(void **state)
{
    server_sql(&pg, "CREATE TABLE app.p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10);"
                    "CREATE TABLE app.p2 PARTITION OF app.p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id); CREATE TABLE app.p3 PARTITION OF app.p2 DEFAULT; INSERT INTO app.p VALUES (1), (11)");
    begin("app.p");
    server_sql(&pg, "ALTER TABLE app.p ADD b int DEFAULT 5, ADD c int; INSERT INTO app.p VALUES (2); INSERT INTO app.p VALUES (12, 6)");
    model_catch_up(&m, source);
    assert_int_equal(m.reloads, 0);
    assert_rows("p", "11|5|\\N\n12|6|\\N\n1|5|\\N\n2|5|\\N\n");
    end();
}

static void drops_and_renames(void **state)
{
    static const struct { const char *sql, *reason, *fields, *rows; } cases[] = {
        {"ALTER TABLE app.t DROP a", "column a was dropped", "id,c", "1|11\n2|22\n3|33\n"},
        {"ALTER TABLE app.t RENAME a TO b", "column a was renamed to b", "id,b,c", "1|one|11\n2|two|22\n3|\\N|33\n"},
        {"ALTER TABLE app.t DROP a; ALTER TABLE app.t ADD a text", NULL, "id,c,a", "1|11|\\N\n2|22|\\N\n3|33|\\N\n"},
        {"ALTER TABLE app.t ALTER n TYPE numeric(9,1)", "column n was widened", "id,a,c", "1|one|11\n2|two|22\n3|\\N|33\n"},
        {"ALTER TABLE app.t SET SCHEMA other", "it was renamed from app.t", "id,a,c", "1|one|11\n2|two|22\n3|\\N|33\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool decimal = strstr(cases[i].sql, "numeric") != NULL, moved = strstr(cases[i].sql, "SCHEMA") != NULL;
        server_sql(&pg, "CREATE SCHEMA other; CREATE TABLE app.t (id int PRIMARY KEY, a text, c int); INSERT INTO app.t VALUES (1, 'one', 11)");
        if (decimal) server_sql(&pg, "ALTER TABLE app.t ADD n numeric(5,1) DEFAULT 1.5");
        begin("app.*");
        server_sql(&pg, "INSERT INTO app.t VALUES (2, 'two', 22)");
        server_sql(&pg, "%s", cases[i].sql);
        server_sql(&pg, "INSERT INTO %s.t (id, c) VALUES (3, 33)", moved ? "other" : "app");
        model_catch_up(&m, source);
        assert_int_equal(m.reloads, 0);
        if (cases[i].reason) assert_string_equal(m.last_reason, cases[i].reason);
        if (!decimal) assert_fields("t", cases[i].fields);
        if (!decimal) assert_rows("t", cases[i].rows);
        end();
        server_sql(&pg, "DROP SCHEMA other CASCADE");
    }
}

/* What is told in the log needs no reload where values are what they were. */
static void keys_and_types(void **state)
{
    static const struct { const char *sql, *untold, *told, *rows; } cases[] = {
        {"ALTER TABLE app.t ALTER c TYPE bigint", "the type of column c changed, and its values perhaps", "column c was widened", "1|one|11\n2|two|22\n3|\\N|33\n"},
        {"ALTER TABLE app.t ALTER f TYPE float8", "the type of column f changed, and its values perhaps", "column f was widened", NULL},
        {"ALTER TABLE app.t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (c)", "its key changed", "", "1|one|11\n2|two|22\n3|\\N|33\n"},
        {"ALTER TABLE app.t DROP CONSTRAINT t_pkey; ALTER TABLE app.t ADD CONSTRAINT t_pkey PRIMARY KEY (c)", "its key changed", "it lost its key, and left the publication so that its updates do not fail", NULL},
        {"ALTER TABLE app.t ALTER a TYPE varchar(9) USING upper(a)", "the type of column a changed", "the type of column a changed", NULL},
        {"ALTER TABLE app.t ALTER a TYPE text USING upper(a)", "column a was rewritten", "column a was rewritten", NULL},
        {"DO $$BEGIN EXECUTE 'ALTER TABLE app.t ALTER a TYPE text USI' || 'NG upper(a)'; END$$", "column a was rewritten", "column a was rewritten", NULL},
        {"CREATE FUNCTION app.f() RETURNS void LANGUAGE sql AS 'ALTER TABLE app.t ALTER a TYPE text USING upper(a)'; SELECT app.f()", "column a was rewritten", "column a was rewritten", NULL},
        {"CREATE FUNCTION app.f() RETURNS void LANGUAGE plpgsql AS 'BEGIN ALTER TABLE app.t ALTER c TYPE bigint; END'; SELECT app.f()", "the type of column c changed, and its values perhaps",
         "column c was widened", "1|one|11\n2|two|22\n3|\\N|33\n"},
    };
    bool told = PQserverVersion(pg.sql) >= 140000;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool reloads = !told || !cases[i].told[0] ? !told : strcmp(cases[i].told, "column c was widened") != 0 && strcmp(cases[i].told, "column f was widened") != 0;
        server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a text, c int%s); INSERT INTO app.t VALUES (1, 'one', 11)", strstr(cases[i].sql, " f ") ? ", f real DEFAULT 0.1" : "");
        begin("app.t");
        server_sql(&pg, "INSERT INTO app.t VALUES (2, 'two', 22)");
        server_sql(&pg, "%s", cases[i].sql);
        server_sql(&pg, "INSERT INTO app.t (id, c) VALUES (3, 33)");
        model_catch_up(&m, source);
        assert_int_equal(m.reloads, reloads);
        assert_string_equal(m.last_reason, told ? cases[i].told : cases[i].untold);
        if (!reloads && cases[i].rows) assert_rows("t", cases[i].rows);
        if (reloads) reload("t");
        server_sql(&pg, "INSERT INTO app.t (id, c) VALUES (4, 44); DELETE FROM app.t WHERE id = 2");
        model_catch_up(&m, source);
        assert_int_equal(model_named(&m, "t")->rows.count, 3);
        assert_int_equal(m.reloads, reloads);
        end();
    }
}

/* Rows between changes of one transaction, and changes that were rolled back, streamed before the commit or not. */
static void changes_told_in_transactions(void **state)
{
    if (PQserverVersion(pg.sql) < 140000) return;
    for (int rows = 3; rows <= 3000; rows += 2997) {
        server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a text, c int)");
        begin("app.t");
        server_sql(&pg, "BEGIN");
        server_sql(&pg, "INSERT INTO app.t SELECT g, 'a', g FROM generate_series(1, %d) g", rows);
        server_sql(&pg, "ALTER TABLE app.t RENAME a TO b");
        server_sql(&pg, "INSERT INTO app.t SELECT g, 'b', g FROM generate_series(10001, 10000 + %d) g", rows);
        server_sql(&pg, "SAVEPOINT s; ALTER TABLE app.t DROP b, ADD x int DEFAULT 1, ALTER c TYPE bigint");
        server_sql(&pg, "INSERT INTO app.t SELECT g, g, 5 FROM generate_series(20001, 20000 + %d) g", rows);
        server_sql(&pg, "ROLLBACK TO s; ALTER TABLE app.t DROP c, ADD d int DEFAULT 7");
        server_sql(&pg, "INSERT INTO app.t SELECT g, 'd', g FROM generate_series(30001, 30000 + %d) g", rows);
        server_sql(&pg, "UPDATE app.t SET d = 8 WHERE id < 3; COMMIT");
        server_sql(&pg, "ALTER TABLE app.t RENAME TO u; ALTER TABLE app.u RENAME b TO z");
        model_catch_up(&m, source);
        if (m.reloads) fail_msg("%d rows: %s", rows, m.last_reason);
        assert_fields("u", "id,z,d");
        char *got = model_text(model_named(&m, "u")), *expected = server_value(&pg, "SELECT string_agg(concat_ws('|', id, z, d), E'\n' ORDER BY concat_ws('|', id, z, d) COLLATE \"C\") || E'\n' FROM app.u");
        assert_string_equal(got, expected);
        free(got);
        free(expected);
        server_sql(&pg, "DROP TABLE app.u");
        until(&m.dropped, 1);
        end();
    }
}

/* Whoever changes a table is not held up by what tells of it. */
static void telling_fails_no_command(void **state)
{
    if (PQserverVersion(pg.sql) < 140000) return;
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE ROLE plain; GRANT ALL ON SCHEMA app TO plain; ALTER TABLE app.t OWNER TO plain");
    begin("app.*");
    server_sql(&pg, "SET ROLE plain; SET search_path = app; SET DateStyle = 'German'; ALTER TABLE t ADD d date DEFAULT '03.02.2001'; CREATE TEMP TABLE x (); DROP TABLE x; RESET ROLE; RESET DateStyle; RESET search_path");
    server_sql(&pg, "INSERT INTO app.t VALUES (1)");
    model_catch_up(&m, source);
    assert_rows("t", "1|2001-02-03\n");
    server_sql(&pg, "CREATE OR REPLACE FUNCTION tain_schema.tell(affected oid[], dropped oid[], hidden bool) RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$");
    server_sql(&pg, "ALTER TABLE app.t ADD e int; INSERT INTO app.t VALUES (2, NULL, 5)");
    model_catch_up(&m, source);
    assert_fields("t", "id,d,e");
    assert_int_equal(m.reloads, 0);
    end();
    server_sql(&pg, "ALTER SCHEMA app OWNER TO postgres; DROP OWNED BY plain; DROP ROLE plain");
}

static void a_change_is_seen_without_rows(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a varchar(5)); CREATE TABLE app.u (id int PRIMARY KEY)");
    begin("app.*");
    server_sql(&pg, "ALTER TABLE app.t ADD b int");
    until(&m.reshapes, 1);
    assert_int_equal(m.reloads, 0);
    assert_fields("t", "id,a,b");
    server_sql(&pg, "ALTER TABLE app.t ALTER a TYPE varchar(50)"); /* nothing of it shows */
    server_sql(&pg, "ALTER TABLE app.u RENAME TO v");
    until(&m.reshapes, 2);
    assert_int_equal(m.reloads, 0);
    assert_string_equal(m.last_reason, "it was renamed from app.u");
    server_sql(&pg, "INSERT INTO app.v VALUES (1); INSERT INTO app.t VALUES (1, 'longer than five', 2)");
    server_sql(&pg, "VACUUM FULL app.t");
    server_sql(&pg, "INSERT INTO app.t VALUES (2, 'x', 2)");
    model_catch_up(&m, source);
    assert_rows("v", "1\n");
    assert_rows("t", "1|longer than five|2\n2|x|2\n");
    assert_int_equal(m.reshapes, 2);
    end();
}

static void rows_from_before_a_change_fit(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a text)");
    begin("app.*");
    server_sql(&pg, "INSERT INTO app.t VALUES (1, 'one')");
    server_sql(&pg, "ALTER TABLE app.t ADD b int; INSERT INTO app.t VALUES (2, 'two', 2)");
    server_sql(&pg, "ALTER TABLE app.t ADD c int; INSERT INTO app.t VALUES (3, 'three', 3, 33)");
    /* the catalog is at the end already when the first of these comes */
    model_catch_up(&m, source);
    assert_int_equal(m.reloads, 0);
    assert_rows("t", "1|one|\\N|\\N\n2|two|2|\\N\n3|three|3|33\n");
    end();
}

static void a_type_that_only_text_carries(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE app.u (id int PRIMARY KEY, n numeric(9,3), d date); CREATE TYPE app.pair AS (x int, y text)");
    begin("app.*");
    server_sql(&pg, "BEGIN; INSERT INTO app.u VALUES (1, 1.5, '2024-02-29'); ALTER TABLE app.t ADD p app.pair; INSERT INTO app.t VALUES (1, (7, 'a \"b\"')); INSERT INTO app.u VALUES (2); COMMIT");
    model_catch_up(&m, source);
    bool was_binary = PQserverVersion(pg.sql) >= 140000;
    assert_int_equal(m.reloads, was_binary);
    reload("t");
    server_sql(&pg, "INSERT INTO app.t VALUES (2, (8, NULL)); INSERT INTO app.u VALUES (3, -0.001, '0001-01-01')");
    model_catch_up(&m, source);
    assert_rows("t", "1|{\"x\":7,\"y\":\"a \\\"b\\\"\"}\n2|{\"x\":8,\"y\":null}\n");
    assert_rows("u", "1|1.500|2024-02-29\n2|\\N|\\N\n3|-0.001|0001-01-01\n");
    end();
}

static void tables_come_and_go(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE app.nokey (a int)");
    begin("app.*");
    server_sql(&pg, "CREATE TABLE app.late (id int PRIMARY KEY, e int4range); INSERT INTO app.late VALUES (1, '[1,2)')");
    until(&m.appeared, 1);
    reload("late");
    server_sql(&pg, "INSERT INTO app.late VALUES (2, '[3,9)')");
    model_catch_up(&m, source);
    assert_rows("late", "1|[1,2)\n2|[3,9)\n");
    server_sql(&pg, "ALTER TABLE app.nokey REPLICA IDENTITY FULL; INSERT INTO app.nokey VALUES (1)");
    until(&m.appeared, 2); /* what was refused comes in by itself */
    reload("nokey");
    server_sql(&pg, "UPDATE app.nokey SET a = 2");
    model_catch_up(&m, source);
    assert_rows("nokey", "2\n");
    server_sql(&pg, "INSERT INTO app.t VALUES (1); DROP TABLE app.t");
    until(&m.dropped, 1);
    assert_rows("t", "1\n");
    end();
}

static void a_lost_identity_does_not_stop_the_application(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, a int); INSERT INTO app.t VALUES (1, 1)");
    begin("app.*");
    server_sql(&pg, "ALTER TABLE app.t DROP CONSTRAINT t_pkey");
    until(&m.failed, 1);
    assert_non_null(strstr(m.last_reason, "no primary key"));
    server_sql(&pg, "UPDATE app.t SET a = 2"); /* would fail if it were published */
    server_sql(&pg, "ALTER TABLE app.t ADD PRIMARY KEY (id)");
    until(&m.appeared, 1);
    reload("t");
    server_sql(&pg, "UPDATE app.t SET a = 3");
    model_catch_up(&m, source);
    assert_rows("t", "1|3\n");
    end();
}

static void partitions(void **state)
{
    server_sql(&pg, "CREATE TABLE app.p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
                    "CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (100);"
                    "CREATE TABLE app.p2 (v text, gone int, id int NOT NULL); ALTER TABLE app.p2 DROP gone; ALTER TABLE app.p ATTACH PARTITION app.p2 FOR VALUES FROM (100) TO (200);"
                    "INSERT INTO app.p VALUES (1, 'a'), (101, 'b')");
    begin("app.*");
    assert_int_equal(m.count, 1);
    assert_rows("p", "101|b\n1|a\n");
    server_sql(&pg, "UPDATE app.p SET id = 150 WHERE id = 1; INSERT INTO app.p VALUES (3, 'c')");
    server_sql(&pg, "CREATE TABLE app.p3 PARTITION OF app.p FOR VALUES FROM (200) TO (300)");
    server_sql(&pg, "INSERT INTO app.p VALUES (201, 'd')");
    model_catch_up(&m, source);
    assert_rows("p", "101|b\n150|a\n201|d\n3|c\n");
    end();
}

/* Moves rows without a message: each must lead to a reload, and only these. */
static void moved_partitions(void **state)
{
    static const struct { const char *sql; int reloads; } cases[] = {
        {"CREATE TABLE app.p3 PARTITION OF app.p FOR VALUES FROM (200) TO (300)", 0},
        {"ALTER TABLE app.p DETACH PARTITION app.p1", 0},
        {"DROP TABLE app.p1", 0},
        {"TRUNCATE app.p1", 1},
        {"TRUNCATE app.p", 0},
        {"CREATE TABLE app.p3 (LIKE app.p); INSERT INTO app.p3 VALUES (250, 'z'); ALTER TABLE app.p ATTACH PARTITION app.p3 FOR VALUES FROM (200) TO (300)", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        server_sql(&pg, "CREATE TABLE app.p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE app.last (id int PRIMARY KEY);"
                        "CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (100); INSERT INTO app.p VALUES (1, 'a')");
        begin("app.*");
        server_sql(&pg, "%s", cases[i].sql);
        server_sql(&pg, "INSERT INTO app.p SELECT 250, 'n' WHERE to_regclass('app.p3') IS NOT NULL ON CONFLICT DO NOTHING; ALTER TABLE app.last ADD a int");
        until(&m.reshapes, 1 + cases[i].reloads); /* `last` tells that the catalog was looked at */
        assert_int_equal(m.reloads, cases[i].reloads);
        end();
    }
}

/* After a test that failed midway. */
static int clean(void **state)
{
    if (source) end();
    return 0;
}

#define test(name) cmocka_unit_test_teardown(name, clean)

/* The root logs whole old rows and its partition keys only: what stands in neither is unchanged, not NULL. */
static void partitions_log_less_than_their_root(void **state)
{
    server_sql(&pg, "CREATE TABLE app.p (id int PRIMARY KEY, n int, t text) PARTITION BY RANGE (id); CREATE TABLE app.p1 PARTITION OF app.p DEFAULT;"
                    "ALTER TABLE app.p REPLICA IDENTITY FULL; ALTER TABLE app.p1 ALTER t SET STORAGE external;"
                    "INSERT INTO app.p VALUES (1, 1, repeat('x', 5000))");
    begin("app.p");
    server_sql(&pg, "UPDATE app.p SET n = 2");
    server_sql(&pg, "UPDATE app.p SET id = 10");
    model_catch_up(&m, source);
    assert_int_equal(m.failed + m.reloads, 0);
    char *got = model_text(model_named(&m, "p")), *expected = server_value(&pg, "SELECT concat_ws('|', id, n, t) || E'\\n' FROM app.p");
    assert_string_equal(got, expected);
    free(got);
    free(expected);
    end();
}

int main(void)
{
    server_init(&pg, "client_min_messages=warning");
    server_sql(&pg, "CREATE SCHEMA app");
    const struct CMUnitTest tests[] = {
        test(an_added_column_needs_no_reload), test(defaults_of_older_rows), test(defaults_in_partitions), test(drops_and_renames), test(keys_and_types), test(changes_told_in_transactions), test(telling_fails_no_command),
        test(a_change_is_seen_without_rows), test(rows_from_before_a_change_fit), test(a_type_that_only_text_carries),
        test(tables_come_and_go), test(a_lost_identity_does_not_stop_the_application), test(partitions),
        test(moved_partitions), test(partitions_log_less_than_their_root),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
