/* SPDX-License-Identifier: MIT */
/* mirroring.json: what is kept, what never is, and whose lake it is. */
#include "mirror_fake.h"

static tain_store *store;

static int begin(void **state)
{
    assert_ok(tain_store_open("memory:", true, &store, err));
    return 0;
}

static int end(void **state)
{
    tain_store_close(store);
    return 0;
}

static char **list(const char *x, const char *y)
{
    char **l = tain_alloc(3 * sizeof *l);
    l[0] = tain_strdup(x);
    l[1] = tain_strdup(y);
    return l;
}

static tain_definition define(const char *source)
{
    return (tain_definition){
        .id = tain_strdup("0f8fad5b-d9cb-469f-a165-70867728950e"), .name = tain_strdup("shop_3fa2c1"), .source_url = tain_strdup(source),
        .lake_url = tain_strdup("/lake"), .tables = list("public.*", "sales.order?"), .exclude = list("*.tmp", "x,\"y"), .paused = list("public.a,b", NULL),
        .freshness = TAIN_DEFAULT_FRESHNESS, .jobs = 3, .memory = TAIN_DEFAULT_MEMORY, .poll.on = true,
        .cdf.on = true, .compat.on = true, .retention = tain_strdup("2d"), .history_retention = tain_strdup("30d"),
    };
}

static void save(const char *source)
{
    tain_definition d = define(source);
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
}

static tain_definition from(const char *source)
{
    return (tain_definition){.source_url = tain_strdup(source), .lake_url = tain_strdup("/lake"), .freshness = 7, .jobs = 5};
}

static char *text_of_file(void)
{
    tain_buffer b = {0};
    assert_ok(tain_store_get(store, "mirroring.json", 0, -1, &b, err));
    return tain_buffer_cstr(&b);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void what_was_saved_is_loaded(void **state)
{
    save("postgresql://tain@db/shop");
    tain_definition d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_string_equal(d.id, "0f8fad5b-d9cb-469f-a165-70867728950e");
    assert_string_equal(d.name, "shop_3fa2c1");
    assert_string_equal(d.tables[0], "public.*");
    assert_string_equal(d.tables[1], "sales.order?");
    assert_null(d.tables[2]);
    assert_string_equal(d.exclude[1], "x,\"y");
    assert_true(tain_definition_pauses(&d, "public.a,b") && !tain_definition_pauses(&d, "public.a"));
    assert_true(d.poll.on && d.cdf.on && d.compat.on && !d.history.on);
    assert_int_equal(tain_definition_retention(&d), 2 * TAIN_DEFAULT_RETENTION);
    assert_int_equal(tain_definition_history_retention(&d), 30 * TAIN_DEFAULT_RETENTION);
    assert_int_equal(d.jobs, 5); /* of this run, not of the mirror */
    assert_int_equal(d.freshness, 7);
    tain_definition_done(&d);
}

static void what_is_given_wins(void **state)
{
    save("postgresql://tain@db/shop");
    tain_definition d = from("postgresql://tain@db/shop");
    d.tables = list("only.this", "and.that");
    d.name = tain_strdup("other");
    assert_ok(tain_definition_load(&d, store, err));
    assert_string_equal(d.tables[0], "only.this");
    assert_string_equal(d.exclude[0], "*.tmp");
    assert_string_equal(d.name, "other");
    tain_definition_done(&d);
}

static void changes_are_noticed(void **state)
{
    save("postgresql://tain@db/shop");
    tain_definition d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_false(d.changed);
    tain_definition_done(&d);
    d = define("postgresql://tain@db/shop"); /* the same again is no change */
    assert_ok(tain_definition_load(&d, store, err));
    assert_false(d.changed);
    assert_null(d.old_name);
    tain_definition_done(&d);
    for (int what = 0; what < 9; what++) {
        d = from("postgresql://tain@db/shop");
        if (what == 0) d.tables = list("public.*", NULL);
        if (what == 1) d.exclude = list(NULL, NULL);
        if (what == 2) d.name = tain_strdup("other");
        d.poll.given = what == 3;
        d.cdf.given = what == 4;
        d.history = (tain_switch){.on = what == 5, .given = what == 5};
        if (what == 6) d.retention = tain_strdup("");
        if (what == 8) d.paused = list(NULL, NULL);
        if (what == 7) d.history_retention = tain_strdup("");
        assert_ok(tain_definition_load(&d, store, err));
        assert_true(d.changed);
        assert_int_equal(d.poll.on, what != 3);
        assert_int_equal(d.cdf.on, what != 4);
        assert_int_equal(d.history.on, what == 5);
        assert_true(what != 1 || !d.exclude[0]);
        assert_int_equal(tain_definition_pauses(&d, "public.a,b"), what != 8);
        if (what == 2) assert_string_equal(d.old_name, "shop_3fa2c1");
        tain_definition_done(&d);
    }
}

static void a_replica_is_kept_without_its_password(void **state)
{
    static const char *const given[] = {"postgresql://tain:other@replica/shop", "postgresql://tain@replica2/shop", ""};
    tain_definition d = define("postgresql://tain@db/shop");
    d.snapshot_from = tain_strdup("postgresql://tain:secret@replica/shop");
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
    d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_string_equal(tain_definition_source_options(&d, NULL).snapshot_from, "postgresql://tain:***@replica/shop");
    tain_definition_done(&d);
    for (int what = 0; what < 3; what++) {
        d = from("postgresql://tain@db/shop");
        d.snapshot_from = tain_strdup(given[what]);
        assert_ok(tain_definition_load(&d, store, err));
        assert_int_equal(d.changed, what != 0);
        assert_string_equal(d.snapshot_from, given[what]);
        assert_ok(tain_definition_save(&d, store, err));
        tain_definition_done(&d);
    }
    d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_null(d.snapshot_from);
    tain_definition_done(&d);
}

static void policies_are_kept(void **state)
{
    tain_definition d = define("postgresql://tain@db/shop");
    d.policies = json_pack("{s:s}", "out_of_range", "clamp");
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
    d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_string_equal(tain_json_get_str(tain_definition_source_options(&d, NULL).policies, "out_of_range", ""), "clamp");
    json_decref(d.policies);
    d.policies = json_pack("{s:s,s:{s:{s:s}}}", "dropped_column", "keep", "columns", "main.t.c", "dropped_column", "stay");
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
    d = from("postgresql://tain@db/shop");
    assert_fails(tain_definition_load(&d, store, err), TAIN_E_CONFIG, "column main.t.c: policy dropped_column: must be drop or keep");
    json_decref(d.policies);
    d.policies = json_integer(7);
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
    d = from("postgresql://tain@db/shop");
    assert_fails(tain_definition_load(&d, store, err), TAIN_E_CONFIG, "policies: not an object");
    tain_definition_done(&d);
}

static void policies_that_are_given_are_those(void **state)
{
    tain_definition d = define("postgresql://tain@db/shop");
    d.policies = json_pack("{s:s}", "numeric", "double");
    assert_ok(tain_definition_save(&d, store, err));
    tain_definition_done(&d);
    static const char *const given[] = {"{\"numeric\":\"double\"}", "{\"numeric\":\"string\"}", "{}"};
    for (int i = 0; i < 3; i++) {
        d = from("postgresql://tain@db/shop");
        assert_ok(tain_json_parse(given[i], strlen(given[i]), "", &d.policies, err));
        assert_ok(tain_definition_load(&d, store, err));
        assert_int_equal(d.changed, i != 0);
        assert_int_equal(json_object_size(d.policies), i != 2);
        if (i == 2) assert_ok(tain_definition_save(&d, store, err));
        tain_definition_done(&d);
    }
    d = from("postgresql://tain@db/shop");
    assert_ok(tain_definition_load(&d, store, err));
    assert_null(d.policies);
    d.policies = json_object();
    assert_false(d.changed);
    tain_definition_done(&d);
}

static void source_comes_from_the_lake(void **state)
{
    save("sqlite:///data/shop.db");
    tain_definition d = {.lake_url = tain_strdup("/lake")};
    assert_ok(tain_definition_load(&d, store, err));
    assert_string_equal(d.source_url, "sqlite:///data/shop.db");
    tain_definition_done(&d);
}

static void no_password_is_stored(void **state)
{
    const char *const sources[] = {
        "postgresql://tain:secret-8472@db:5433/shop?sslmode=require",
        "postgresql://db/shop?user=tain&password=secret-8472",
        "mysql://tain:secret-8472@db/shop",
        "postgresql://tain:secret-8472@one:1,two:2/shop",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        save(sources[i]);
        char *text = text_of_file();
        if (strstr(text, "secret") || strstr(text, "8472")) fail_msg("%s: stored as %s", sources[i], text);
        tain_free(text);
        tain_definition d = from(sources[i]);
        assert_ok(tain_definition_load(&d, store, err)); /* with the password it is the same source */
        assert_string_equal(d.source_url, sources[i]);
        tain_definition_done(&d);
    }
}

static void another_source_is_refused(void **state)
{
    save("postgresql://tain@db:5433/shop");
    const char *const others[] = {
        "postgresql://tain@db:5433/shop2", "postgresql://tain@db2:5433/shop", "postgresql://tain@db:5434/shop", "mysql://tain@db:5433/shop",
        "sqlite:///shop.db",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tain_definition d = from(others[i]);
        assert_fails(tain_definition_load(&d, store, err), TAIN_E_INVALID, "mirrors another source: postgresql://tain@db:5433/shop");
        tain_definition_done(&d);
    }
    tain_definition d = from("postgresql://somebody:else@db:5433/shop?sslmode=disable"); /* who asks does not matter */
    assert_ok(tain_definition_load(&d, store, err));
    tain_definition_done(&d);
}

/* The same server under names that mean the same, and other databases that only the query tells apart. */
static void source_is_compared_by_meaning(void **state)
{
    save("postgresql://db/shop");
    tain_definition d = from("postgres://db:5432/shop");
    assert_ok(tain_definition_load(&d, store, err));
    tain_definition_done(&d);
    save("postgresql:///?host=/run/pg&dbname=shop");
    d = from("postgresql:///?host=/run/pg&dbname=other");
    assert_fails(tain_definition_load(&d, store, err), TAIN_E_INVALID, "another source");
    tain_definition_done(&d);
    d = from("postgresql:///?sslmode=disable&dbname=shop&host=/run/pg&application_name=x");
    assert_ok(tain_definition_load(&d, store, err));
    tain_definition_done(&d);
}

static void file_is_the_same_however_it_is_named(void **state)
{
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    save("shop.db");
    char *whole = tain_format("sqlite://%s/shop.db", here);
    const char *const same[] = {"./shop.db", "sqlite:shop.db", whole};
    for (size_t i = 0; i < 3; i++) {
        tain_definition d = from(same[i]);
        assert_ok(tain_definition_load(&d, store, err));
        tain_definition_done(&d);
    }
    tain_definition d = from("/elsewhere/shop.db");
    assert_fails(tain_definition_load(&d, store, err), TAIN_E_INVALID, "another source");
    tain_definition_done(&d);
    free(whole);
}

static void there_is_none(void **state)
{
    tain_definition d = from("sqlite:///shop.db");
    assert_fails(tain_definition_load(&d, store, err), TAIN_E_NOT_FOUND, "");
    tain_definition_done(&d);
}

static void load_text(const char *text, tain_status want, const char *says)
{
    assert_ok(tain_store_put(store, "mirroring.json", (tain_slice){(const uint8_t *)text, strlen(text)}, 0, err));
    tain_definition d = from("sqlite:///shop.db");
    assert_fails(tain_definition_load(&d, store, err), want, says);
    tain_definition_done(&d);
}

static void damaged_files_are_named(void **state)
{
    load_text("{\"properties\":", TAIN_E_CORRUPT, "mirroring.json");
    load_text("{}", TAIN_E_CORRUPT, "mirroring.json");
    load_text("[1]", TAIN_E_CORRUPT, "mirroring.json");
    load_text("{\"properties\":{\"tain\":{\"id\":7,\"tables\":[1,{}]}}}", TAIN_E_CORRUPT, "mirroring.json");
}

/* A path need not be UTF-8; JSON must. */
static void odd_paths_do_not_break_the_file(void **state)
{
    tain_definition d = define("sqlite:///data/caf\xe9.db");
    tain_error e = {0};
    tain_status st = tain_definition_save(&d, store, &e);
    if (st == TAIN_OK) {
        tain_definition again = from("sqlite:///data/caf\xe9.db");
        assert_ok(tain_definition_load(&again, store, err));
        tain_definition_done(&again);
    } else {
        assert_int_equal(st, TAIN_E_INVALID);
        assert_non_null(strstr(e.message, "UTF-8"));
    }
    tain_definition_done(&d);
}

static void has_the_shape_of_fabric(void **state)
{
    save("postgresql://tain@db/shop");
    char *text = text_of_file();
    json_t *root;
    assert_ok(tain_json_parse(text, strlen(text), "file", &root, err));
    const json_t *p = json_object_get(root, "properties"), *target = json_object_get(p, "target");
    assert_string_equal(tain_json_get_str(json_object_get(p, "source"), "type", ""), "GenericPostgreSql");
    assert_string_equal(tain_json_get_str(target, "type", ""), "MountedRelationalDatabase");
    assert_string_equal(tain_json_get_str(json_object_get(target, "typeProperties"), "format", ""), "Delta");
    json_decref(root);
    tain_free(text);
}

static bool is_plain(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && *name;
}

static void names_are_plain_and_apart(void **state)
{
    const char *const lakes[] = {"./lake", "/a/lake", "/b/lake", "s3://bucket/Some Lake/", "/x/Größe-7%", "/", "/very/long/name-of-a-folder-that-goes-on-and-on-and-on"};
    char *names[7];
    for (int i = 0; i < 7; i++) {
        names[i] = tain_definition_make_name(lakes[i]);
        assert_true(is_plain(names[i]));
        assert_in_range(strlen(names[i]), 7, 40); /* a slot's name has 63 bytes, with "tain_" in front */
        for (int k = 0; k < i; k++) assert_string_not_equal(names[i], names[k]);
    }
    for (int i = 0; i < 7; i++) free(names[i]);
}

static void name_does_not_depend_on_a_slash(void **state)
{
    char *x = tain_definition_make_name("/a/lake"), *y = tain_definition_make_name("/a/lake//");
    assert_string_equal(x, y);
    assert_memory_equal(x, "lake_", 5);
    free(x);
    free(y);
}

static void options_have_what_the_driver_needs(void **state)
{
    tain_definition d = define("postgresql://tain:pw@db/shop");
    tain_source_options o = tain_definition_source_options(&d, "/spool");
    assert_string_equal(o.url, "postgresql://tain:pw@db/shop");
    assert_string_equal(o.mirror_name, "shop_3fa2c1");
    assert_string_equal(o.tables[1], "sales.order?");
    assert_string_equal(o.spool_dir, "/spool");
    assert_int_equal(o.jobs, 3);
    assert_true(o.memory > 0 && o.memory < d.memory);
    assert_true(o.poll_capture);
    tain_definition_done(&d);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(what_was_saved_is_loaded),
        CASE(what_is_given_wins),
        CASE(changes_are_noticed),
        CASE(a_replica_is_kept_without_its_password),
        CASE(policies_are_kept),
        CASE(policies_that_are_given_are_those),
        CASE(source_comes_from_the_lake),
        CASE(no_password_is_stored),
        CASE(another_source_is_refused),
        CASE(source_is_compared_by_meaning),
        CASE(file_is_the_same_however_it_is_named),
        CASE(there_is_none),
        CASE(damaged_files_are_named),
        CASE(odd_paths_do_not_break_the_file),
        CASE(has_the_shape_of_fabric),
        CASE(names_are_plain_and_apart),
        CASE(name_does_not_depend_on_a_slash),
        CASE(options_have_what_the_driver_needs),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
