/* SPDX-License-Identifier: MIT */
/* What happened to tables while nobody followed them is a change like any other: by memos, the look at the catalog finds it. */
#include "postgres_model.h"
#include "postgres_server.h"

static server pg;
static tain_source *source;
static model        m;

static void open_source(void)
{
    const char *globs[] = {"app.*", NULL};
    tain_source_options options = {.url = pg.url, .mirror_name = "recall", .tables = globs, .jobs = 1, .memory = 1 << 20, .spool_dir = pg.dir};
    must(tain_source_postgres.open(&options, &source, err));
}

static tain_catalog describe(void)
{
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    must(source->ops->describe(source, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    return catalog;
}

static void begin(void)
{
    bool fresh;
    open_source();
    model_init(&m);
    (void)describe();
    must(source->ops->prepare(source, NULL, &fresh, err));
    tain_position from = model_load(&m, source, 1000);
    must(source->ops->start(source, &from, err));
    model_catch_up(&m, source);
}

static void end(void)
{
    model_done(&m);
    must(source->ops->remove(source, NULL, err));
    source->ops->close(source);
    source = NULL;
    server_sql(&pg, "DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app");
}

static void find_again(model_table *mt, const tain_catalog *catalog, const char *identity)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->tables[i]->identity, identity) == 0) mt->source = catalog->tables[i];
    must(source->ops->recall(source, mt->source, mt->memo, err));
    assert_string_equal(mt->source->memo, mt->memo);
    mt->columns = mt->source->columns;
    mt->have = m.position;
}

/* Each statement in a transaction of its own. */
static void run_each(const char *sql)
{
    char *copy = tain_strdup(sql), *rest = copy;
    for (char *one; (one = strsep(&rest, ";"));)
        if (*one) server_sql(&pg, "%s", one);
    free(copy);
}

/* The mirror stops, sql is run, and it starts again with what it kept: rows, memos and a position. */
static void while_stopped(const char *sql)
{
    bool fresh;
    char *identities[32];
    for (size_t i = 0; i < m.count; i++) identities[i] = tain_strdup(m.tables[i].source->identity);
    source->ops->close(source);
    run_each(sql);
    open_source();
    tain_catalog catalog = describe();
    for (size_t i = 0; i < m.count; i++) {
        find_again(&m.tables[i], &catalog, identities[i]);
        free(identities[i]);
    }
    must(source->ops->start(source, &m.position, err));
    must(source->ops->prepare(source, NULL, &fresh, err));
    assert_false(fresh);
    model_catch_up(&m, source);
}

static void reload_what_is_wanted(void)
{
    for (size_t i = 0; i < m.count; i++) {
        model_table *mt = &m.tables[i];
        if (!mt->ignored) continue;
        must(source->ops->snapshot_begin(source, &mt->source, 1, &mt->have, err));
        model_read(mt, source, 1000);
        must(source->ops->snapshot_end(source, err));
    }
}

static void assert_same_as_server(const model_table *mt)
{
    tain_buffer columns = {0};
    for (size_t i = 0; i < mt->columns->count; i++)
        tain_buffer_printf(&columns, "%scoalesce(\"%s\"::text, '\\N')", i ? ", " : "", mt->columns->fields[i].name);
    char *sql = tain_format("SELECT coalesce(string_agg(l, E'\\n' ORDER BY l COLLATE \"C\") || E'\\n', '') FROM (SELECT concat_ws('|', %s) AS l FROM %s) x",
                            tain_buffer_cstr(&columns), mt->name);
    char *expected = server_value(&pg, sql), *got = model_text(mt);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    free(sql);
    tain_buffer_done(&columns);
}

#define PARTS "CREATE TABLE app.t (id int, g int, PRIMARY KEY (id, g)) PARTITION BY LIST (g); CREATE TABLE app.t1 PARTITION OF app.t FOR VALUES IN (1); INSERT INTO app.t VALUES (1, 1);"
#define PLAIN "CREATE TABLE app.t (id int PRIMARY KEY, n int); INSERT INTO app.t VALUES (1, 5);"

typedef struct happening { const char *before, *meanwhile; int reloads; const char *reason; } happening;

static const happening happenings[] = {
    {PLAIN, "INSERT INTO app.t VALUES (2, 6)", 0, ""},
    {PLAIN, "VACUUM FULL app.t", 0, ""},
    {PLAIN, "TRUNCATE app.t; INSERT INTO app.t VALUES (7, 7)", 0, ""},
    {PLAIN, "ALTER TABLE app.t ADD a text", 0, "column a was added"},
    {PLAIN, "INSERT INTO app.t VALUES (2, 6); ALTER TABLE app.t ADD a text; INSERT INTO app.t VALUES (3, 6, 'x')", 0, "column a was added"},
    {PLAIN, "ALTER TABLE app.t RENAME TO u", 0, "it was renamed from app.t"},
    {PLAIN, "ALTER TABLE app.t ALTER n TYPE int USING n * 2", 1, "column n was rewritten"},
    {PLAIN, "ALTER TABLE app.t DROP n; ALTER TABLE app.t ADD n int", 0, NULL},
    {PLAIN, "ALTER TABLE app.t DROP n; ALTER TABLE app.t ADD n int DEFAULT 7", 0, NULL},
    {PLAIN, "ALTER PUBLICATION tain_recall DROP TABLE app.t; UPDATE app.t SET n = 6; ALTER PUBLICATION tain_recall ADD TABLE app.t", 1, "it was out of the publication for a while, or shown in part"},
    {PLAIN, "ALTER PUBLICATION tain_recall DROP TABLE app.t; UPDATE app.t SET n = 6", 1, "it was out of the publication for a while, or shown in part"},
    {PLAIN, "ALTER PUBLICATION tain_recall SET (publish = 'insert'); UPDATE app.t SET n = 6;"
            "ALTER PUBLICATION tain_recall SET (publish = 'insert, update, delete, truncate')", 1, "the publication was altered: changes may not have come for a while"},
    {PLAIN, "ALTER PUBLICATION tain_recall DROP TABLE app.t; ALTER TABLE app.t SET UNLOGGED; INSERT INTO app.t VALUES (2, 6); ALTER TABLE app.t SET LOGGED", 1, "it was out of the publication for a while, or shown in part"},
    {PARTS, "CREATE TABLE app.t2 PARTITION OF app.t FOR VALUES IN (2); INSERT INTO app.t VALUES (2, 2)", 0, ""},
    {PARTS "CREATE TABLE app.t2 (id int NOT NULL, g int NOT NULL); INSERT INTO app.t2 VALUES (2, 2);",
     "ALTER TABLE app.t ATTACH PARTITION app.t2 FOR VALUES IN (2)", 1, "a partition was attached with rows in it"},
    {PARTS, "ALTER TABLE app.t DETACH PARTITION app.t1; DROP TABLE app.t1", 0, ""},
    {PARTS, "DROP TABLE app.t1", 0, ""},
    {PARTS, "TRUNCATE app.t1", 1, "partition t1 was truncated or rewritten"},
    {"CREATE TYPE app.e AS ENUM ('a', 'b'); CREATE TABLE app.t (id int PRIMARY KEY, e app.e); INSERT INTO app.t VALUES (1, 'a');",
     "ALTER TYPE app.e ADD VALUE 'c'; INSERT INTO app.t VALUES (2, 'c')", 0, ""},
    {"CREATE TYPE app.e AS ENUM ('a', 'b'); CREATE TABLE app.t (id int PRIMARY KEY, e app.e[]); INSERT INTO app.t VALUES (1, '{a}');",
     "ALTER TYPE app.e RENAME VALUE 'a' TO 'aaa'", 1, "labels or attributes of type e changed"},
    {"CREATE TYPE app.c AS (a int); CREATE DOMAIN app.d AS app.c; CREATE TABLE app.t (id int PRIMARY KEY, c app.d); INSERT INTO app.t VALUES (1, row(5));",
     "ALTER TYPE app.c RENAME ATTRIBUTE a TO z", 1, "labels or attributes of type c changed"},
    {"CREATE TABLE app.t (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n * 2) STORED); INSERT INTO app.t (id, n) VALUES (1, 5);",
     "ALTER TABLE app.t ALTER g DROP EXPRESSION", 1, "column g was generated until now"},
};

static bool holds_lists_or_json(const model_table *mt)
{
    return mt->columns->fields[1].type.kind == TAIN_LIST || strcmp(mt->columns->fields[1].name, "c") == 0;
}

static void what_happened_meanwhile(void **state)
{
    for (size_t i = 0; i < sizeof happenings / sizeof *happenings; i++) {
        const happening *h = &happenings[i];
        server_sql(&pg, "%s", h->before);
        begin();
        while_stopped(h->meanwhile);
        if (m.reloads != h->reloads || (h->reason && strcmp(m.last_reason, h->reason) != 0))
            fail_msg("%s: %d reloads, \"%s\"", h->meanwhile, m.reloads, m.last_reason);
        reload_what_is_wanted();
        if (!holds_lists_or_json(&m.tables[0])) assert_same_as_server(&m.tables[0]);
        server_sql(&pg, "INSERT INTO %s (id) SELECT 99 WHERE to_regclass('app.t1') IS NULL AND to_regclass('app.t2') IS NULL AND"
                        " (SELECT relkind FROM pg_class WHERE oid = '%s'::regclass) = 'r'", m.tables[0].name, m.tables[0].name);
        model_catch_up(&m, source);
        int reloads = m.reloads, notes = m.notes;
        while_stopped("SELECT 1"); /* nothing is found twice */
        if (m.reloads != reloads || m.notes != notes) fail_msg("%s: again %d reloads, %d notes: %s", h->meanwhile, m.reloads - reloads, m.notes - notes, m.last_reason);
        end();
    }
}

static bool shows(const char *rows)
{
    char *text = model_text(&m.tables[0]);
    bool same = strncmp(text, rows, strlen(rows)) == 0;
    free(text);
    return same;
}

/* Its partitions are in other files then, and the catalog is not looked at any more. */
static void truncated_soon_after_a_look(int id)
{
    char *row = tain_format("%d|1", id);
    must(source->ops->poll(source, &m.sink, tain_monotonic() + 50 * TAIN_MILLISECOND, err)); /* one with nothing to tell looks */
    server_sql(&pg, "TRUNCATE app.t; INSERT INTO app.t VALUES (%d, 1)", id);
    for (int i = 0; i < 500 && !shows(row); i++) must(source->ops->poll(source, &m.sink, tain_monotonic() + 20 * TAIN_MILLISECOND, err));
    assert_true(shows(row));
    tain_free(row);
}

static void truncated_just_before_a_stop(void **state)
{
    server_sql(&pg, PARTS);
    begin();
    truncated_soon_after_a_look(2);
    while_stopped("INSERT INTO app.t VALUES (3, 1)");
    assert_int_equal(m.reloads, 0);
    assert_same_as_server(&m.tables[0]);
    truncated_soon_after_a_look(4);
    while_stopped("TRUNCATE app.t; INSERT INTO app.t VALUES (5, 1)");
    while_stopped("SELECT 1");
    assert_int_equal(m.reloads, 0);
    while_stopped("TRUNCATE app.t1");
    assert_int_equal(m.reloads, 1);
    end();
}

/* What the command describes has the partition's new file already. */
static void truncated_alone_before_a_command_and_a_stop(void **state)
{
    server_sql(&pg, PARTS);
    server_sql(&pg, "CREATE TABLE app.t2 PARTITION OF app.t FOR VALUES IN (2); INSERT INTO app.t VALUES (2, 2)");
    begin();
    must(source->ops->poll(source, &m.sink, tain_monotonic() + 50 * TAIN_MILLISECOND, err));
    server_sql(&pg, "TRUNCATE app.t1; ALTER TABLE app.t RENAME id TO key");
    for (int i = 0; i < 500 && strcmp(m.tables[0].columns->fields[0].name, "key") != 0; i++)
        must(source->ops->poll(source, &m.sink, tain_monotonic() + 20 * TAIN_MILLISECOND, err));
    while_stopped("INSERT INTO app.t VALUES (9, 2)");
    assert_int_equal(m.reloads, 1);
    reload_what_is_wanted();
    assert_same_as_server(&m.tables[0]);
    end();
}

static void rows_filtered_for_a_while(void **state)
{
    if (PQserverVersion(pg.sql) < 150000) return;
    server_sql(&pg, PLAIN);
    begin();
    while_stopped("ALTER PUBLICATION tain_recall SET TABLE app.t WHERE (id < 10); INSERT INTO app.t VALUES (100, 1); ALTER PUBLICATION tain_recall SET TABLE app.t");
    assert_int_equal(m.reloads, 1);
    reload_what_is_wanted();
    assert_same_as_server(&m.tables[0]);
    end();
}

/* The stream cannot go on while something of it is missing for good. */
static void a_narrowed_publication_is_noticed(void **state)
{
    server_sql(&pg, PLAIN);
    begin();
    server_sql(&pg, "ALTER PUBLICATION tain_recall SET (publish = 'insert'); UPDATE app.t SET n = 6");
    tain_error e = {0};
    tain_status st = TAIN_OK;
    tain_position head;
    must(source->ops->head(source, &head, err));
    for (int i = 0; i < 500 && st == TAIN_OK; i++) st = source->ops->poll(source, &m.sink, tain_monotonic() + 20 * TAIN_MILLISECOND, &e);
    assert_int_equal(st, TAIN_E_CONFIG);
    assert_non_null(strstr(tain_error_advice(&e), "ALTER PUBLICATION tain_recall SET (publish = "));
    while_stopped(tain_error_advice(&e));
    assert_int_equal(m.reloads, 1);
    reload_what_is_wanted();
    assert_same_as_server(&m.tables[0]);
    end();
}

/* Between the last look and the snapshot a column came, and a row that has it. */
static void a_snapshot_has_the_columns_of_its_moment(void **state)
{
    bool fresh;
    server_sql(&pg, PLAIN);
    open_source();
    model_init(&m);
    tain_catalog catalog = describe();
    must(source->ops->prepare(source, NULL, &fresh, err));
    model_table *mt = model_add(&m, catalog.tables[0]);
    must(source->ops->snapshot_begin(source, &mt->source, 1, &m.position, err)); /* the slot's own: of before */
    must(source->ops->snapshot_end(source, err));
    server_sql(&pg, "ALTER TABLE app.t ADD late text; INSERT INTO app.t VALUES (2, 6, 'here')");
    must(source->ops->snapshot_begin(source, &mt->source, 1, &mt->have, err));
    server_sql(&pg, "ALTER TABLE app.t ADD later text");
    assert_int_equal(mt->source->columns->count, 3);
    model_read(mt, source, 1000);
    must(source->ops->snapshot_end(source, err));
    must(source->ops->start(source, &m.position, err));
    server_sql(&pg, "INSERT INTO app.t VALUES (3, 7, 'x', 'y')");
    model_catch_up(&m, source);
    assert_int_equal(m.reloads, 0);
    assert_same_as_server(mt);
    end();
}

/* A stream that was lost is told again from where the mirror is: what came later in it is not known yet. */
static void what_was_told_is_taken_back(void **state)
{
    server_sql(&pg, PLAIN);
    begin();
    tain_position from = m.position;
    char *memo = tain_strdup(m.tables[0].memo);
    const tain_schema *before = m.tables[0].source->columns;
    server_sql(&pg, "INSERT INTO app.t VALUES (2, 6); ALTER TABLE app.t ADD a text; INSERT INTO app.t VALUES (3, 7, 'x')");
    model_catch_up(&m, source);
    assert_int_equal(m.tables[0].source->columns->count, 3);
    must(source->ops->start(source, &from, err));
    assert_true(tain_schema_equal(m.tables[0].source->columns, before));
    assert_string_equal(m.tables[0].source->memo, memo);
    free(memo);
    end();
}

static int clean(void **state)
{
    if (source) end();
    return 0;
}

#define test(name) cmocka_unit_test_teardown(name, clean)

int main(void)
{
    server_init(&pg, "client_min_messages=warning");
    server_sql(&pg, "CREATE SCHEMA app");
    const struct CMUnitTest tests[] = {
        test(what_happened_meanwhile), test(truncated_just_before_a_stop), test(truncated_alone_before_a_command_and_a_stop), test(rows_filtered_for_a_while), test(a_narrowed_publication_is_noticed),
        test(a_snapshot_has_the_columns_of_its_moment), test(what_was_told_is_taken_back),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
