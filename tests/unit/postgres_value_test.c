/* SPDX-License-Identifier: MIT */
/* Values of every type, three ways -- COPY, binary stream, text stream -- against what the server itself writes. */
#include "postgres_model.h"
#include "postgres_server.h"

#include <time.h>

static server pg;

/* type, an expression of random content over g (1..ROWS), and how a mirror shows it: NULL is the output function. */
typedef struct column { const char *type, *content, *shown; } column;
enum { ROWS = 200 };

static const column binary_columns[] = {
    {"smallint", "(random() * 65535 - 32768)::int2", NULL},
    {"int", "(random() * 4294967295 - 2147483648)::bigint::int", NULL},
    {"bigint", "(random() * 18446744073709549568::numeric - 9223372036854774784)::bigint", NULL},
    {"real", "((random() * 2000)::int - 1000) * 0.25", NULL},
    {"double precision", "((random() * 2000000000)::int - 1000000000) * 0.0625", NULL},
    {"boolean", "random() < 0.5", "%s::text"},
    {"numeric(9,2)", "(random() * 20000000 - 10000000)::numeric(9,2) * power(10::numeric, -(random() * 9)::int)", NULL},
    {"numeric(18,18)", "random()::numeric(18,18) * 0.999", NULL},
    {"numeric(19,0)", "(random() * 9000000000000000000)::bigint::numeric * (1 - 2 * (g % 2))", NULL},
    {"numeric(38,10)", "((random() * 2e9)::numeric - 1e9) * 123456789012345678 * power(10::numeric, -(random() * 25)::int)", NULL},
    {"numeric(38,38)", "random()::numeric(38,38) * power(10::numeric, -(random() * 30)::int) * 0.999", NULL},
    {"numeric", "((random() * 2e9)::numeric - 1e9) * power(10::numeric, (random() * 120 - 60)::int)", NULL},
    {"text", "CASE g % 5 WHEN 0 THEN '' WHEN 1 THEN E'\\u00e9\\U0001F600\\n\"\\\\' ELSE repeat(md5(random()::text), (random() * 40)::int) END", NULL},
    {"varchar(10)", "left(md5(random()::text), 1 + g % 10)", NULL},
    {"char(6)", "left(md5(random()::text), 1 + g % 6)", NULL},
    {"name", "md5(random()::text)", NULL},
    {"\"char\"", "chr(33 + g % 90)", NULL},
    {"bytea", "decode(repeat(md5(random()::text), g % 4), 'hex')", "encode(%s, 'hex')"},
    {"date", "'0001-01-01'::date + (random() * 3652058)::int", NULL},
    {"timestamp", "date_trunc('milliseconds', '0001-01-01'::timestamp + random() * 3652058 * interval '1 day') + interval '7 us'", "to_char(%s, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"},
    {"timestamptz", "date_trunc('milliseconds', '0001-01-02'::timestamptz + random() * 3652057 * interval '1 day') + interval '7 us'", "to_char(%s, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"},
    {"time", "CASE g WHEN 1 THEN '24:00'::time ELSE (random() * 86399.999)::numeric(8,3) * interval '1 second' + '00:00'::time END", NULL},
    {"timetz", "((random() * 86399)::int * interval '1 second' + '00:00'::time + ((g % 9) * interval '1 us'))::time AT TIME ZONE make_interval(secs => (random() * 2000 - 1000)::int * 7)", NULL},
    {"interval", "make_interval((random() * 5 - 2)::int, (random() * 5 - 2)::int, 0, (random() * 5 - 2)::int, (random() * 300 - 150)::int, (random() * 3)::int, (g % 7) * 0.015 - 0.03)", NULL},
    {"uuid", "gen_random_uuid()", NULL},
    {"json", "'{ \"a\" : ' || g || ' }'", NULL},
    {"jsonb", "jsonb_build_object('k', md5(random()::text), 'l', array[g, null], 'm', 1.50)", NULL},
    {"inet", "CASE g % 3 WHEN 0 THEN ((random() * 255)::int || '.0.3.4/' || (8 + g % 25))::inet WHEN 1 THEN (lpad(to_hex((random() * 65535)::int), 4, '0') || '::' || to_hex(g) || ':0:' || to_hex(g * 7))::inet "
             "ELSE (array['::', '::1', '1::', '::1.2.3.4', '::ffff:1.2.3.4', '1:0:0:2:0:0:0:3', '0:0:1::', 'fe80::/10', '::1:0', '0:2:3:4:5:6:7:8', '::ffff:0:1.2.3.4'])[1 + g % 11]::inet END", NULL},
    {"cidr", "('10.' || g % 256 || '.0.0/' || (16 + g % 2))::inet::cidr", NULL},
    {"macaddr", "left(regexp_replace(md5(random()::text), '(..)', '\\1:', 'g'), 17)::macaddr", NULL},
    {"macaddr8", "left(regexp_replace(md5(random()::text), '(..)', '\\1:', 'g'), 23)::macaddr8", NULL},
    {"oid", "(random() * 4294967295)::bigint::oid", NULL},
    {"xid8", "(random() * 9e18)::bigint::text::xid8", NULL},
    {"bit(11)", "g::bit(11)", NULL},
    {"varbit", "left((g * 1048573)::bit(32)::text, g % 33)::varbit", NULL},
    {"money", "((random() * 2e12)::bigint - 1000000000000)::numeric / 100", NULL},
    {"pg_lsn", "('0/' || to_hex(g * 65537))::pg_lsn", NULL},
    {"mood", "(array['sad', 'o k', 'hap\"py'])[1 + g % 3]::mood", NULL},
    {"posint", "1 + g * 1.5", NULL},
    {"citext", "'Abc' || g", NULL},
    {"int[]", "CASE g % 3 WHEN 0 THEN '{}' ELSE array[g, null, -g] END", "array_to_json(%s)"},
    {"text[]", "array['a', null, 'b\"c', '', 'NULL', 'x\\y{},', ' s ']", "array_to_json(%s)"},
    {"numeric(9,2)[]", "array[g * 1.25, null]", "array_to_json(%s)"},
    {"date[]", "array[date '2024-02-29' + g, null]", "array_to_json(%s)"},
    {"boolean[]", "array[g % 2 = 0, null]", "array_to_json(%s)"},
    {"mood[]", "array['hap\"py', 'o k']::mood[]", "array_to_json(%s)"},
};

static const column text_columns[] = {
    {"int4range", "int4range(g, g + 5)", NULL},
    {"point", "point(g, 0.5)", NULL},
    {"xml", "'<a>' || g || '</a>'", NULL},
    {"tsvector", "to_tsvector('simple', 'a quick ' || g)", NULL},
    {"regclass", "'pg_class'", NULL},
    {"int4range[]", "array[int4range(g, g + 1), null]", "array_to_json(%s)"},
    {"box[]", "array[box(point(0, 0), point(1, g))]", "array_to_json(%s)"},
    {"int[][]", "array[[g, 1], [null, 2]]", "to_json(%s)"},
    {"pair", "row(g, 'a\"b,(c)\\' || g, now(), g * 1.50, g % 2 = 0, array[1, null], '{\"z\": [1, 2]}', localtimestamp, current_date, 'NaN')::pair", "to_json(%s)"},
    {"nest", "row(row(g, null, null, 'NaN', false, null, null, '0044-03-15 BC', null, 1e100)::pair, array[row(1, '', now(), 2, null, '{}', 'null', null, null, null)::pair, null], 'o k')::nest", "to_json(%s)"},
    {"pair[]", "array[row(1, 'a(b', 'infinity', null, null, array[1, null], null, null, null, null)::pair]", "to_json(%s)"},
    {"hstore", "hstore(array['a', 'b\"', 'c\\d', 'e'], array['1', null, 'x,=>y', ''])", "to_json(%s)"},
    {"int4multirange", "'{[1,3),[5,9)}'", NULL}, /* the last one: since 14 */
};

enum { BINARIES = sizeof binary_columns / sizeof *binary_columns };
static size_t text_count = sizeof text_columns / sizeof *text_columns;

static void put_columns(tain_buffer *sql, const column *list, size_t n, const char *prefix)
{
    for (size_t i = 0; i < n; i++) tain_buffer_printf(sql, ", %s%zu %s", prefix, i, list[i].type);
}

static void put_contents(tain_buffer *sql, const column *list, size_t n)
{
    for (size_t i = 0; i < n; i++) tain_buffer_printf(sql, ", CASE WHEN random() < 0.9 THEN (%s)::%s END", list[i].content, list[i].type);
}

/* The output function: format('%s') calls it, a cast to text would not always. */
static void put_canonical(tain_buffer *sql, const char *name)
{
    tain_buffer_printf(sql, "CASE WHEN num_nulls(%s) = 0 THEN format('%%s', %s) END", name, name);
}

static void put_expression(tain_buffer *sql, const char *form, const char *name)
{
    const char *at = strstr(form, "%s");
    tain_buffer_append(sql, form, (size_t)(at - form));
    tain_buffer_append_str(sql, name);
    tain_buffer_append_str(sql, at + 2);
}

static void put_shown(tain_buffer *sql, const column *list, size_t n, const char *prefix)
{
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%zu", prefix, i);
        tain_buffer_append_str(sql, " || '|' || coalesce(");
        if (list[i].shown) put_expression(sql, list[i].shown, name);
        else put_canonical(sql, name);
        tain_buffer_append_str(sql, list[i].shown ? "::text, '\\N')" : ", '\\N')");
    }
}

/* concat of all columns as the mirror's model writes a row */
static char *expected_rows(const char *table, bool texts)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT string_agg(l, E'\\n' ORDER BY l COLLATE \"C\") || E'\\n' FROM (SELECT id::text");
    put_shown(&sql, binary_columns, BINARIES, "c");
    if (texts) put_shown(&sql, text_columns, text_count, "t");
    tain_buffer_printf(&sql, " AS l FROM %s) x", table);
    char *rows = server_value(&pg, tain_buffer_cstr(&sql));
    tain_buffer_done(&sql);
    return rows;
}

static void create(const char *table, bool texts)
{
    tain_buffer sql = {0};
    tain_buffer_printf(&sql, "CREATE TABLE %s (id int PRIMARY KEY", table);
    put_columns(&sql, binary_columns, BINARIES, "c");
    if (texts) put_columns(&sql, text_columns, text_count, "t");
    tain_buffer_append_str(&sql, ")");
    server_sql(&pg, "%s", tain_buffer_cstr(&sql));
    tain_buffer_done(&sql);
}

static void fill(const char *table, bool texts, int from)
{
    tain_buffer sql = {0};
    tain_buffer_printf(&sql, "INSERT INTO %s SELECT g", table);
    put_contents(&sql, binary_columns, BINARIES);
    if (texts) put_contents(&sql, text_columns, text_count);
    tain_buffer_printf(&sql, " FROM generate_series(%d, %d) g", from, from + ROWS - 1);
    server_sql(&pg, "%s", tain_buffer_cstr(&sql));
    tain_buffer_done(&sql);
}

static void assert_rows(model *m, const char *table, bool texts)
{
    char *expected = expected_rows(table, texts), *got = model_text(model_named(m, table));
    for (size_t i = 0, line = 0; expected[i] || got[i]; i++) {
        if (expected[i] == got[i]) {
            if (got[i] == '\n') line = i + 1;
            continue;
        }
        size_t from = i > line + 60 ? i - 60 : line;
        fail_msg("%s, row %.10s: expected ...%.160s\n got ...%.160s", table, expected + line, expected + from, got + from);
    }
    free(expected);
    free(got);
}

static void the_same_three_ways(const char *table, bool texts)
{
    char *glob = tain_format("public.%s", table);
    const char *globs[] = {glob, NULL};
    tain_source_options options = {.url = pg.url, .mirror_name = "values", .tables = globs, .jobs = 1, .memory = 1 << 20, .spool_dir = pg.dir};
    tain_source *s = NULL;
    model m;
    model_init(&m);
    create(table, texts);
    fill(table, texts, 1);
    must(tain_source_postgres.open(&options, &s, err));
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(s->ops->prepare(s, NULL, &fresh, err));
    tain_position from = model_load(&m, s, 50);
    assert_rows(&m, table, texts);
    must(s->ops->start(s, &from, err));
    fill(table, texts, ROWS + 1);
    model_catch_up(&m, s);
    assert_int_equal(m.inserts, ROWS);
    assert_rows(&m, table, texts);
    assert_int_equal(m.warnings, 0);
    model_done(&m);
    must(s->ops->remove(s, NULL, err));
    s->ops->close(s);
    free(glob);
}

static void in_a_binary_stream(void **state) { the_same_three_ways("b", false); }
static void in_a_text_stream(void **state) { the_same_three_ways("t", true); }

/* --- values without a place in Delta ------------------------------------------------------------------------------- */

typedef struct strange { const char *type, *value, *null, *clamped, *code, *string; } strange;
static const strange strange_values[] = {
    {"date", "infinity", "\\N", "9999-12-31", "timestamp_infinite", "infinity"},
    {"date", "0044-03-15 BC", "\\N", "0001-01-01", "value_out_of_range", "0044-03-15 BC"},
    {"date", "10000-01-01", "\\N", "9999-12-31", "value_out_of_range", "10000-01-01"},
    {"timestamp", "-infinity", "\\N", "0001-01-01T00:00:00", "timestamp_infinite", "-infinity"},
    {"timestamptz", "20000-01-01", "\\N", "9999-12-31T23:59:59.999999Z", "value_out_of_range", "20000-01-01 00:00:00+00"},
    {"numeric(5,2)", "NaN", "\\N", "\\N", "numeric_nan", "NaN"},
    {"int[]", "{{1,2},{3,4}}", "\\N", "\\N", "array_dimensions", "[[1,2],[3,4]]"},
    {"date[]", "{2024-01-01,infinity}", "[\"2024-01-01\",null]", "[\"2024-01-01\",\"9999-12-31\"]", "timestamp_infinite", "[\"2024-01-01\",\"infinity\"]"},
};

static void one_strange(const strange *v, const char *policy, bool text_mode, const char *expected)
{
    json_t *policies = json_pack("{s:s}", "out_of_range", policy);
    const char *globs[] = {"public.strange", NULL};
    tain_source_options options = {.url = pg.url, .mirror_name = "strange", .tables = globs, .memory = 1 << 20, .spool_dir = pg.dir, .policies = policies};
    tain_source *s = NULL;
    model m;
    bool fresh;
    model_init(&m);
    server_sql(&pg, "CREATE TABLE strange (id int PRIMARY KEY, v %s, x %s)", v->type, text_mode ? "point" : "int");
    must(tain_source_postgres.open(&options, &s, err));
    must(s->ops->prepare(s, NULL, &fresh, err));
    tain_position from = model_load(&m, s, 50);
    server_sql(&pg, "INSERT INTO strange VALUES (1, '%s')", v->value);
    must(s->ops->start(s, &from, err));
    if (expected) {
        model_catch_up(&m, s);
        char *line = tain_format("1|%s|\\N\n", expected), *got = model_text(model_named(&m, "strange"));
        assert_string_equal(got, line);
        bool replaced = expected != v->string;
        if (replaced) assert_string_equal(m.last_code, v->code);
        assert_int_equal(m.warnings, replaced);
        free(line);
        free(got);
        model_load(&m, s, 50);
    } else {
        model_catch_up(&m, s); /* the table is given up, the stream goes on */
        assert_int_equal(m.failed, 1);
        assert_non_null(strstr(m.last_reason, "column v"));
    }
    model_done(&m);
    must(s->ops->remove(s, NULL, err));
    s->ops->close(s);
    json_decref(policies);
    server_sql(&pg, "DROP TABLE strange");
}

static void values_delta_does_not_hold(void **state)
{
    for (size_t i = 0; i < sizeof strange_values / sizeof *strange_values; i++) {
        for (int text = 0; text < 2; text++) {
            one_strange(&strange_values[i], "null", text, strange_values[i].null);
            one_strange(&strange_values[i], "clamp", text, strange_values[i].clamped);
            one_strange(&strange_values[i], "error", text, NULL);
            one_strange(&strange_values[i], "string", text, strange_values[i].string);
        }
    }
}

/* Two values that are NULL in the mirror would be one key. */
static void a_key_is_never_replaced(void **state)
{
    static const char *const keys[][2] = {{"date", "infinity"}, {"timestamptz", "-infinity"}, {"numeric(5,2)", "NaN"}, {"date[]", "{infinity}"}, {"int[]", "{{1},{2}}"}};
    for (size_t i = 0; i < 2 * (sizeof keys / sizeof *keys); i++) {
        const char *globs[] = {"public.keyed", NULL}, *const *key = keys[i / 2];
        tain_source_options options = {.url = pg.url, .mirror_name = "keyed", .tables = globs, .memory = 1 << 20, .spool_dir = pg.dir};
        tain_source *s = NULL;
        model m;
        bool fresh;
        model_init(&m);
        server_sql(&pg, "CREATE TABLE keyed (k %s PRIMARY KEY, x %s)", key[0], i % 2 ? "point" : "int");
        must(tain_source_postgres.open(&options, &s, err));
        must(s->ops->prepare(s, NULL, &fresh, err));
        tain_position from = model_load(&m, s, 50);
        server_sql(&pg, "INSERT INTO keyed VALUES ('%s')", key[1]);
        must(s->ops->start(s, &from, err));
        model_catch_up(&m, s);
        assert_int_equal(m.failed, 1);
        assert_non_null(strstr(m.last_reason, "column k"));
        assert_int_equal(m.warnings, 0);
        model_done(&m);
        must(s->ops->remove(s, NULL, err));
        s->ops->close(s);
        server_sql(&pg, "DROP TABLE keyed");
    }
}

int main(void)
{
    server_init(&pg, "client_min_messages=warning\ntimezone=UTC\nlc_monetary=C\nintervalstyle=postgres");
    if (PQserverVersion(pg.sql) < 140000) text_count--;
    const char *given = getenv("SEED");
    int seed = given ? atoi(given) : (int)(time(NULL) % 1000000);
    printf("SEED=%d\n", seed);
    server_sql(&pg, "SELECT setseed(%d / 1000000.0)", seed);
    server_sql(&pg, "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'o k', 'hap\"py'); CREATE DOMAIN posint AS numeric(8,2) CHECK (VALUE > 0);"
                    "CREATE TYPE pair AS (a int, \"B c\" text, d timestamptz, e numeric, f bool, g int[], h jsonb, i timestamp, j date, k float8);"
                    "CREATE TYPE nest AS (x pair, y pair[], z mood)");
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_a_binary_stream), cmocka_unit_test(in_a_text_stream), cmocka_unit_test(values_delta_does_not_hold), cmocka_unit_test(a_key_is_never_replaced)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
