/* SPDX-License-Identifier: MIT */
/* What a definition comes to on a worker's command line; read back as the command line reads it. */
#include "control_fixture.h"

#include "base/text.h"
#include "cli/cli.h"
#include "lake/definition.h"
#include "serve/supervisor/command.h"
#include "serve/supervisor/process.h"
#include "serve/supervisor/wish.h"

static tain_words words;

static tain_status options_of(const char *definition)
{
    tain_wish w;
    tain_words_done(&words);
    TAIN_TRY(tain_wish_read((tain_slice){(const uint8_t *)definition, strlen(definition)}, &w, &err));
    tain_status st = tain_wish_options(&w, &words, &err);
    tain_wish_done(&w);
    return st;
}

static tain_status options_of_tain(const char *tain)
{
    TAIN_AUTO(tain_free) char *definition = tain_format("{\"properties\":{\"tain\":%s}}", tain);
    return options_of(definition);
}

static bool has_word(const char *word)
{
    for (size_t i = 0; i < words.count; i++)
        if (strcmp(words.list[i], word) == 0) return true;
    return false;
}

static bool has_option(const char *name)
{
    for (size_t i = 0; i < words.count; i++)
        if (strncmp(words.list[i], name, strlen(name)) == 0) return true;
    return false;
}

#define assert_word(word) \
    do { \
        if (!has_word(word)) fail_msg("no %s", word); \
    } while (0)

static int done(void **state)
{
    tain_words_done(&words);
    return 0;
}

/* --- options ------------------------------------------------------------------------------------------------------- */

static void each_option_is_given(void **state)
{
    assert_ok(options_of_tain(
        "{\"tables\":[\"public.*\",\"a.b\"],\"exclude\":[\"*.tmp\"],\"freshness\":\"2s\",\"memory\":\"512MiB\",\"jobs\":4,\"rateLimit\":\"50MiB\","
        "\"retainedLog\":\"warn=1GiB\",\"snapshotFrom\":\"postgresql://standby/shop\",\"capture\":\"poll\",\"partitions\":\"leaf\","
        "\"changeDataFeed\":true,\"history\":true,\"historyRetention\":\"30d\",\"retention\":\"2d\",\"profile\":\"compat\",\"onDrop\":\"delete\","
        "\"policies\":{\"numeric\":\"double\",\"columns\":{\"a.b.c\":{\"out_of_range\":\"error\"}}},\"name\":\"shop\",\"paused\":[\"a.b\"]}"));
    static const char *const all[] = {
        "--tables=public.*,a.b", "--exclude=*.tmp", "--freshness=2s", "--memory=512MiB", "--jobs=4", "--rate-limit=50MiB", "--retained-log=warn=1GiB",
        "--snapshot-from=postgresql://standby/shop", "--capture=poll", "--partitions=leaf", "--cdf", "--history", "--history-retention=30d",
        "--retention=2d", "--profile=compat", "--on-drop=delete", "--policies={\"columns\":{\"a.b.c\":{\"out_of_range\":\"error\"}},\"numeric\":\"double\"}", "--name=shop", "--pause=a.b"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_word(all[i]);
    assert_int_equal(words.count, sizeof all / sizeof *all);
}

/* What a lake keeps goes back to its default when the definition has it no more. */
static void what_is_kept_is_given_always(void **state)
{
    assert_ok(options_of("{\"properties\":{}}"));
    static const char *const kept[] = {"--tables=", "--exclude=", "--retained-log=", "--snapshot-from=", "--capture=log", "--no-history",
                                       "--history-retention=", "--profile=default", "--retention=", "--no-cdf", "--pause=", "--policies={}"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_word(kept[i]);
    static const char *const own[] = {"--name", "--partitions", "--jobs", "--memory", "--freshness", "--rate-limit", "--on-drop"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) assert_false(has_option(own[i]));
    assert_ok(options_of_tain("{\"history\":null,\"jobs\":null,\"tables\":null}"));
    assert_true(has_word("--no-history") && !has_option("--jobs") && has_word("--tables="));
}

static void fabrics_words_are_understood(void **state)
{
    assert_ok(options_of("{\"properties\":{\"target\":{\"typeProperties\":{\"retentionInDays\":7,\"enableDeltaChangeDataFeed\":true}}}}"));
    assert_true(has_word("--retention=7d") && has_word("--cdf"));
    assert_ok(options_of("{\"properties\":{\"target\":{\"typeProperties\":{\"retentionInDays\":7,\"enableDeltaChangeDataFeed\":true}},"
                         "\"tain\":{\"retention\":\"3h\",\"changeDataFeed\":false}}}"));
    assert_true(has_word("--retention=3h") && has_word("--no-cdf") && !has_word("--retention=7d") && !has_word("--cdf"));
}

static void wrong_types_are_named(void **state)
{
    static const struct { const char *tain, *text; } wrong[] = {
        {"[]", "properties.tain is not an object"},       {"{\"jobs\":true}", "properties.tain.jobs is not a number"},
        {"{\"tables\":\"a\"}", "tain.tables is not a list"}, {"{\"exclude\":[1]}", "tain.exclude is not a list of texts"},
        {"{\"policies\":\"double\"}", "tain.policies is not an object"},
        {"{\"history\":\"yes\"}", "tain.history is not true or false"}, {"{\"name\":1}", "tain.name is not text"},
        {"{\"exlude\":[\"secret.*\"]}", "properties.tain.exlude is nothing that is known here"},
        {"{\"jobs\":0}", "tain.jobs is not a number from 1 on"}, {"{\"freshness\":\"banana\"}", "tain.freshness: 'banana' is not a duration"},
        {"{\"retention\":\"soon\"}", "tain.retention: 'soon' is not a duration"}, {"{\"profile\":\"comp\"}", "tain.profile is not one of default|compat"},
        {"{\"onDrop\":\"keep|delete\"}", "tain.onDrop is not one of keep|delete"}, {"{\"capture\":7}", "tain.capture is not one of log|poll"},
        {"{\"snapshotFrom\":\"postgresql://u:secret@h/d\"}", "snapshotFrom is not without a password"},
        {"{\"snapshotFrom\":\"postgresql://h/d?pass%77ord=secret\"}", "snapshotFrom: an address has its parameters by name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_fails(options_of_tain(wrong[i].tain), TAIN_E_CONFIG, wrong[i].text);
        assert_null(strstr(err.message, "secret@"));
    }
    assert_fails(options_of("{\"properties\":{\"mountedTables\":[{}]}}"), TAIN_E_CONFIG, "mountedTables");
    assert_fails(options_of("{\"properties\":{\"target\":{\"typeProperties\":{\"retentionInDays\":0}}}}"), TAIN_E_CONFIG, "retentionInDays");
    assert_int_equal(options_of("nonsense"), TAIN_E_CORRUPT);
}

/* --- names --------------------------------------------------------------------------------------------------------- */

static int ignored(int argc, char **argv)
{
    return 0;
}

/* The lists as the command line reads them. */
static void read_back(char ***ret_tables, tain_reload *ret_reload)
{
    static const tain_command command = {.name = "mirror", .arguments = "SOURCE LAKE", .summary = "", .example = "", .least = 2, .most = 2, .run = ignored};
    const tain_option         options[] = {{"tables", TAIN_OPTION_LIST, ret_tables, "GLOBS", ""}, {"resync", TAIN_OPTION_RELOAD, ret_reload, "TABLES", ""}, {NULL}};
    char                    **rest;
    int                       n;
    tain_words                line = {0};
    const char *const         begin[] = {"mirror", "source", "lake"};
    for (int i = 0; i < 3; i++) tain_words_add(&line, tain_strdup(begin[i]));
    for (size_t i = 0; i < words.count; i++)
        if (strncmp(words.list[i], "--tables", 8) == 0 || strncmp(words.list[i], "--resync", 8) == 0) tain_words_add(&line, tain_strdup(words.list[i]));
    assert_int_equal(tain_cli_parse(&command, options, (int)line.count, line.list, &rest, &n), -1);
    free(rest);
    tain_words_done(&line);
}

static const char *const odd[] = {"plain", "a,b", "star*", "what?", "back\\slash", "both\\,", "end\\", "\"quoted\"", "sp ace", "-dash", "\xc3\xa4\xe2\x82\xac", "a.b.c", "=", "\\*"};
enum { ODD = sizeof odd / sizeof *odd };

/* A name with whatever in it selects its table and no other. */
static void odd_names_select_their_tables(void **state)
{
    for (int i = 0; i < ODD; i++) {
        char  **tables = NULL;
        json_t *definition = json_pack("{s:{s:[{s:{s:{s:s,s:s}}},{s:{s:{s:s,s:s}}}]}}", "properties", "mountedTables", "source", "typeProperties",
                                       "schemaName", odd[i], "tableName", odd[ODD - 1 - i], "source", "typeProperties", "schemaName", "s", "tableName", odd[i]);
        TAIN_AUTO(tain_free) char *text = json_dumps(definition, 0);
        assert_ok(options_of(text));
        json_decref(definition);
        read_back(&tables, &(tain_reload){0});
        const tain_source_options so = {.tables = (const char **)tables};
        assert_true(tables[0] && tables[1] && !tables[2]);
        assert_true(tain_source_selects(&so, odd[i], odd[ODD - 1 - i]));
        assert_true(tain_source_selects(&so, "s", odd[i]));
        for (int j = 0; j < ODD; j++)
            if (j != i) assert_false(tain_source_selects(&so, "s", odd[j]));
        for (char **t = tables; *t; t++) free(*t);
        free(tables);
    }
}

static void globs_stay_globs(void **state)
{
    char **tables = NULL;
    assert_ok(options_of_tain("{\"tables\":[\"a,b.*\",\"c\\\\*.d\",\"e\\\\,f.g\"]}"));
    read_back(&tables, &(tain_reload){0});
    const tain_source_options so = {.tables = (const char **)tables};
    assert_true(tain_source_selects(&so, "a,b", "any") && tain_source_selects(&so, "c*", "d") && tain_source_selects(&so, "e,f", "g"));
    assert_false(tain_source_selects(&so, "cx", "d"));
    for (char **t = tables; *t; t++) free(*t);
    free(tables);
}

static void names_and_globs_are_one_list(void **state)
{
    assert_ok(options_of("{\"properties\":{\"mountedTables\":[{\"source\":{\"typeProperties\":{\"schemaName\":\"dbo\",\"tableName\":\"Orders\"}}}],"
                         "\"tain\":{\"tables\":[\"x.*\"]}}}"));
    assert_word("--tables=dbo.Orders,x.*");
    assert_ok(options_of("{\"properties\":{\"mountedTables\":[{\"source\":{\"typeProperties\":{\"tableName\":\"Orders\"}}}]}}"));
    assert_word("--tables=Orders");
    assert_ok(options_of("{\"properties\":{\"mountedTables\":[]}}"));
    assert_word("--tables=");
}

static void odd_names_are_loaded_again(void **state)
{
    tain_reload       r = {0};
    char             *full[ODD + 1] = {NULL};
    for (int i = 0; i < ODD; i++) full[i] = tain_source_full_name("s", odd[i]);
    tain_words_done(&words);
    tain_words_add(&words, tain_wish_reload((const char *const *)full));
    read_back(&(char **){NULL}, &r);
    assert_false(r.all);
    for (int i = 0; i < ODD; i++) {
        assert_string_equal(r.tables[i], full[i]);
        free(full[i]);
        free(r.tables[i]);
    }
    assert_null(r.tables[ODD]);
    free(r.tables);
    TAIN_AUTO(tain_free) char *all = tain_wish_reload(NULL);
    assert_string_equal(all, "--resync");
}

/* --- source -------------------------------------------------------------------------------------------------------- */

static void the_address_has_database_and_place_of_the_password(void **state)
{
#define SECRET "env%3ATAIN_SOURCE_PASSWORD"
    static const struct { const char *url, *database; bool secret; const char *expected; } cases[] = {
        {"postgresql://tain@db:5432/shop", NULL, false, "postgresql://tain@db:5432/shop"},
        {"postgresql://tain@db:5432/shop", "other", true, "postgresql://tain:" SECRET "@db:5432/other"},
        {"postgresql://db/shop?sslmode=require", NULL, true, "postgresql://:" SECRET "@db/shop?sslmode=require"},
        {"postgresql://tain@/shop?host=/sock", "a b/c%", true, "postgresql://tain:" SECRET "@/a%20b%2Fc%25?host=/sock"},
        {"postgresql://tain@db?dbname=x&sslmode=require", "y", false, "postgresql://tain@db/y?sslmode=require"},
        {"postgresql://tain@db?dbname=x", "y", false, "postgresql://tain@db/y"},
        {"postgresql://tain@db?dbname=x&a=b", NULL, false, "postgresql://tain@db?dbname=x&a=b"},
        {"postgresql://t@a:1,b:2/shop", NULL, true, "postgresql://t:" SECRET "@a:1,b:2/shop"},
        {"sqlite:///data/shop.db", "ignored", true, "sqlite:///data/shop.db"},
        {"SQLite3:///data/shop.db", "ignored", true, "SQLite3:///data/shop.db"},
        {"file:///data/a@b/shop.db?mode=ro", "ignored", true, "file:///data/a@b/shop.db?mode=ro"},
        {"postgresql:data", "ignored", true, "postgresql:data"},
        {"/data/shop.db", NULL, false, "/data/shop.db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_free) char *is = tain_wish_source(cases[i].url, cases[i].database, cases[i].secret);
        assert_string_equal(is, cases[i].expected);
        tain_url u;
        if (!cases[i].secret || !strstr(cases[i].expected, SECRET)) continue;
        assert_ok(tain_url_parse(is, &u, &err));
        assert_string_equal(u.password, "env:TAIN_SOURCE_PASSWORD");
        tain_url_done(&u);
    }
}

static void the_limit_of_memory_follows_the_budget(void **state)
{
    static const struct { const char *tain; int64_t mib; } cases[] = {
        {"{}", 1280}, {"{\"memory\":\"64MiB\"}", 512}, {"{\"memory\":67108864}", 512}, {"{\"memory\":\"64MiB\",\"memoryLimit\":\"300MiB\"}", 300}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_free) char *text = tain_format("{\"properties\":{\"tain\":%s}}", cases[i].tain);
        tain_wish w;
        int64_t   limit;
        assert_ok(tain_wish_read((tain_slice){(const uint8_t *)text, strlen(text)}, &w, &err));
        assert_ok(tain_wish_memory(&w, &limit, &err));
        assert_true(limit == cases[i].mib << 20);
        tain_wish_done(&w);
    }
}

/* --- the whole, from the control database -------------------------------------------------------------------------- */

static tain_status line_of(const char *definition, tain_command_line *ret)
{
    tain_control_item i = {.lake = (char *)"shop"};
    tain_buffer_append_str(&i.definition, definition);
    tain_status st = tain_command_line_of(control, &i, ret, &err);
    tain_buffer_done(&i.definition);
    return st;
}

static void a_password_is_in_the_environment_alone(void **state)
{
    char              id[37];
    tain_command_line l, again;
    assert_ok(tain_control_connection_add(control, "db", "postgresql://tain@db/shop", "Xq7secret", id, &err));
    TAIN_AUTO(tain_free) char *definition =
        tain_format("{\"properties\":{\"source\":{\"type\":\"AzurePostgreSql\",\"typeProperties\":{\"connection\":\"%s\",\"database\":\"other\"}}}}", id);
    assert_ok(line_of(definition, &l));
    for (char **p = l.argv; *p; p++) assert_null(strstr(*p, "Xq7secret"));
    assert_string_equal(l.argv[0], "mirror");
    assert_string_equal(l.argv[1], "postgresql://tain:env%3ATAIN_SOURCE_PASSWORD@db/other");
    TAIN_AUTO(tain_free) char *lake = tain_format("%s/lakes/shop", home);
    assert_string_equal(l.argv[2], lake);
    assert_string_equal(l.environment[0], "TAIN_SOURCE_PASSWORD=Xq7secret");
    assert_null(l.environment[1]);
    assert_ok(line_of(definition, &again));
    assert_true(l.print == again.print);
    tain_command_line_done(&again);
    assert_ok(tain_control_connection_rotate(control, id, "another", &err));
    assert_ok(line_of(definition, &again));
    assert_true(l.print != again.print);
    tain_command_line_done(&again);
    tain_command_line_done(&l);
}

static void what_cannot_run_says_why(void **state)
{
    tain_command_line l;
    assert_fails(line_of("{\"properties\":{\"source\":{\"type\":\"GenericMirror\",\"typeProperties\":{}}}}", &l), TAIN_E_UNSUPPORTED, "open mirroring is not built yet");
    assert_fails(line_of("{\"properties\":{\"source\":{\"type\":\"AzurePostgreSql\"}}}", &l), TAIN_E_CONFIG, "names no connection");
    assert_fails(line_of("{\"properties\":{\"source\":{\"typeProperties\":{\"connection\":\"5e0a0000-0000-4000-8000-000000000000\"}}}}", &l), TAIN_E_NOT_FOUND,
                 "no connection '5e0a");
    assert_fails(line_of("{\"properties\":{\"source\":{\"typeProperties\":{\"connection\":7}}}}", &l), TAIN_E_CONFIG, "connection is not text");
}

static void the_environment_has_each_name_once(void **state)
{
    assert_int_equal(setenv("TAIN_SOURCE_PASSWORD", "of the service", 1), 0);
    assert_int_equal(setenv("TAIN_TEST_X", "ours", 1), 0);
    const char *const more[] = {"TAIN_TEST_X=theirs", NULL};
    char            **all = tain_process_environment(more);
    int               found = 0;
    for (char **e = all; *e; e++) {
        assert_null(strstr(*e, "of the service"));
        if (strncmp(*e, "TAIN_TEST_X=", 12) == 0) found++, assert_string_equal(*e, "TAIN_TEST_X=theirs");
    }
    assert_int_equal(found, 1);
    tain_process_environment_done(all);
}

/* They would go to any server that asks for them. */
static void the_environment_has_no_secrets_of_the_services_own(void **state)
{
    static const char *const names[] = {"PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSLCERT", "PGSSLKEY", "PGHOSTADDR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_int_equal(setenv(names[i], "of the service", 1), 0);
    assert_int_equal(setenv("PGSSLMODE", "verify-full", 1), 0);
    char **all = tain_process_environment(NULL);
    int    kept = 0, pass_files = 0;
    for (char **e = all; *e; e++) {
        assert_null(strstr(*e, "of the service"));
        kept += strcmp(*e, "PGSSLMODE=verify-full") == 0;
        pass_files += strncmp(*e, "PGPASSFILE=", 11) == 0; /* or that of the home would be taken */
    }
    assert_int_equal(kept, 1);
    assert_int_equal(pass_files, 1);
    tain_process_environment_done(all);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
    unsetenv("PGSSLMODE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_option_is_given, done), cmocka_unit_test_teardown(what_is_kept_is_given_always, done),
        cmocka_unit_test_teardown(fabrics_words_are_understood, done), cmocka_unit_test_teardown(wrong_types_are_named, done),
        cmocka_unit_test_teardown(odd_names_select_their_tables, done), cmocka_unit_test_teardown(globs_stay_globs, done),
        cmocka_unit_test_teardown(names_and_globs_are_one_list, done), cmocka_unit_test_teardown(odd_names_are_loaded_again, done),
        cmocka_unit_test(the_address_has_database_and_place_of_the_password), cmocka_unit_test(the_limit_of_memory_follows_the_budget),
        TEST(a_password_is_in_the_environment_alone), TEST(what_cannot_run_says_why), cmocka_unit_test(the_environment_has_each_name_once),
        cmocka_unit_test(the_environment_has_no_secrets_of_the_services_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
