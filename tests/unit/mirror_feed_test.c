/* SPDX-License-Identifier: MIT */
/* The change data feed of tables whose mirror follows: when it is on, what stands in it, and what does not. */
#include "mirror_fake.h"
#include "mirror_feed.h"
#include "mirror_run.h"

static const run with_feed = {.cdf = {.on = true, .given = true}}, without_feed = {.cdf = {.given = true}};
static int64_t   seen[FAKE_TABLES]; /* versions up to which the feeds were looked at */

static int begin_anew(void **state)
{
    memset(seen, 0, sizeof seen);
    return begin(state);
}

static tain_store *folder_of(int t)
{
    tain_store *folder;
    char *path = tain_lake_table_folder(fake.tables[t].schema, fake.tables[t].name), *url = tain_format("%s/%s", lake, path);
    assert_ok(tain_store_open(url, false, &folder, err));
    free(path);
    free(url);
    return folder;
}

/* Versions with change data since it was called last. */
static size_t check_feed(int t)
{
    tain_store *folder = folder_of(t);
    size_t n = feed_check(folder, &seen[t], fake.tables[t].shapes[0].keyed);
    tain_store_close(folder);
    return n;
}

typedef struct opened { tain_store *folder; tain_delta *delta; } opened;

static opened open_delta(int t)
{
    opened o = {.folder = folder_of(t)};
    assert_ok(tain_delta_open(o.folder, &o.delta, err));
    return o;
}

static void close_delta(opened o)
{
    tain_delta_close(o.delta);
    tain_store_close(o.folder);
}

static void assert_feed(int t, const char *value)
{
    opened o = open_delta(t);
    assert_string_equal(tain_json_get_str(tain_delta_meta(o.delta)->configuration, TAIN_DELTA_FEED_KEY, "none"), value);
    close_delta(o);
}

static int64_t version_of(int t)
{
    opened o = open_delta(t);
    int64_t v = tain_delta_version(o.delta);
    close_delta(o);
    return v;
}

static void run_once(run r)
{
    assert_ok(run_mirror(r, err));
}

/* --- when ---------------------------------------------------------------------------------------------------------- */

static void first_content_needs_none(void **state)
{
    two_tables(40);
    run_once(with_feed);
    assert_feed(a, "true");
    assert_int_equal(check_feed(a) + check_feed(b), 0);
    some_changes();
    run_once((run){0}); /* it was kept */
    assert_int_equal(check_feed(a), 1);
    for (int k = 0; k < 5; k++) fake_insert(a, 5000 + k, k, k);
    fake_commit();
    run_once((run){0});
    assert_int_equal(check_feed(a), 0); /* nothing goes */
    assert_int_equal(seen[a], 2);
    check_all();
}

static void switched_on_and_off(void **state)
{
    two_tables(40);
    once();
    some_changes();
    once();
    assert_feed(a, "none");
    run_once(with_feed); /* nothing else happens */
    assert_feed(a, "true");
    assert_feed(b, "true");
    seen[a] = version_of(a) - 1;
    seen[b] = version_of(b) - 1;
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    check_feed(b);
    int64_t before = version_of(a);
    once();
    assert_int_equal(version_of(a), before);
    run_once(without_feed);
    assert_feed(a, "false");
    some_changes();
    once();
    assert_feed(a, "false");
    check_all();
    check_epochs();
}

/* A change that comes together with the switch is in the feed. */
static void switched_on_with_a_change(void **state)
{
    two_tables(40);
    once();
    some_changes();
    run_once(with_feed);
    seen[a] = seen[b] = 0;
    assert_int_equal(check_feed(a), 1);
    check_all();
}

static void a_column_of_the_readers_stands_in_its_way(void **state)
{
    json_t *root;
    fake.tracks = true;
    two_tables(40);
    run_once(with_feed);
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    fake_add_column(a, "_Commit_Version", TAIN_INT64, 3);
    some_changes();
    once();
    assert_feed(a, "false");
    assert_feed(b, "true");
    const json_t *warnings = json_object_get(status_of("main.a", &root), "warnings");
    assert_int_equal(json_array_size(warnings), 1);
    assert_string_equal(tain_json_get_str(json_array_get(warnings, 0), "code", ""), "no_change_feed");
    assert_string_equal(tain_json_get_str(json_array_get(warnings, 0), "column", ""), "_Commit_Version");
    assert_int_equal(tain_json_get_int(json_array_get(warnings, 0), "count", 0), 1);
    json_decref(root);
    some_changes();
    once();
    check_all();
    fake_rename_column(a, 3, "version");
    some_changes();
    once();
    assert_feed(a, "true");
    check_feed(b);
    check_all();
}

/* --- what ---------------------------------------------------------------------------------------------------------- */

static void grow_and_change(void)
{
    if (fake.confirmed < fake.count) return;
    if (rounds-- <= 0) tain_worker_stop();
    else some_changes();
}

/* Files are merged meanwhile, which is no change. */
static void many_epochs(void **state)
{
    two_tables(200);
    rounds = 60;
    fake.on_head = grow_and_change;
    run r = with_feed;
    r.follow = true;
    run_once(r);
    fake.on_head = NULL;
    assert_true(check_feed(a) > 50);
    assert_true(check_feed(b) > 10);
    opened o = open_delta(a);
    assert_true(tain_delta_file_count(o.delta) < 30);
    close_delta(o);
    check_all();
}

static void emptied_and_loaded_again(void **state)
{
    two_tables(60);
    run_once(with_feed);
    fake_do(FAKE_TRUNCATE, a);
    for (int k = 10; k < 20; k++) fake_insert(a, k, 1, k);
    fake_commit();
    once();
    assert_int_equal(check_feed(a), 1);
    some_changes();
    run_once((run){.resync_all = true});
    assert_int_equal(check_feed(a), 1);
    assert_int_equal(check_feed(b), 1);
    fake_do(FAKE_TRUNCATE, b);
    fake_commit();
    once();
    assert_int_equal(check_feed(b), 1);
    check_all();
}

/* A region goes, and rows are read again alone. */
static void parts_that_go(void **state)
{
    two_tables(300);
    run_once(with_feed);
    fake_clear(a, 20, 120);
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    fake_replace(a, 130, 150, 77);
    some_changes();
    once();
    check_feed(a);
    check_all();
}

static size_t count_moved(int t, int64_t version)
{
    tain_buffer text = {0};
    tain_store *folder = folder_of(t);
    char *key = tain_format("_delta_log/%020lld.json", (long long)version);
    size_t n = 0;
    assert_ok(tain_store_get(folder, key, 0, -1, &text, err));
    for (const char *p = tain_buffer_cstr(&text); (p = strstr(p, "\"dataChange\":false")); p++) n++;
    tain_buffer_done(&text);
    tain_store_close(folder);
    free(key);
    return n;
}

/* Rows that only got one more column did not change; those that changed in the same epoch did. */
static void a_column_with_a_default(void **state)
{
    fake.tracks = true;
    two_tables(60);
    run_once(with_feed);
    some_changes();
    once();
    check_feed(a);
    fake_fill_column(a, "f", TAIN_INT64, 3, 70);
    fake_commit();
    once();
    assert_int_equal(check_feed(a), 0);
    assert_int_equal(count_moved(a, seen[a]), 4); /* two files, removed and added */
    fake_fill_column(a, "g", TAIN_STRING, 4, 80);
    fake_insert(a, 7000, 1, 1);
    fake_delete(a, fake.now[a].rows[5].v[0]);
    fake_commit();
    once();
    assert_int_equal(check_feed(a), 1);
    fake_fill_column(b, "h", TAIN_INT64, 3, 5);
    fake_insert(b, 4, 4, 4);
    fake_commit();
    once();
    assert_int_equal(check_feed(b), 0);
    fake_retype_column(a, 1, TAIN_INT64);
    some_changes();
    once();
    check_feed(a);
    check_all();
}

static void renamed_and_dropped_columns(void **state)
{
    fake.tracks = true;
    two_tables(60);
    run_once(with_feed);
    fake_rename_column(a, 1, "w");
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    fake_drop_column(a, 2, false);
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    fake_rename_column(a, 0, "key of it");
    some_changes();
    once();
    assert_int_equal(check_feed(a), 1);
    check_all();
}

/* What is held to find pairs is a few rows at a time, with numbers and with texts. */
static void pairs_are_found_with_little_memory(void **state)
{
    two_tables(3000);
    run r = with_feed;
    r.memory = 1 << 17;
    run_once(r);
    for (int k = 0; k < 3000; k++) {
        if (k % 3 == 0) fake_update(a, k, k + 1);
        else if (k % 3 == 1) fake_delete(a, k);
    }
    for (int k = 3000; k < 3500; k++) fake_insert(a, k, 1, k);
    for (int k = 1; k < 300; k += 3) fake_insert(a, k, 2, k); /* gone and there again */
    fake_commit();
    run_once((run){.memory = 1 << 17});
    assert_int_equal(check_feed(a), 1);
    check_all();
}

/* --- after trouble ------------------------------------------------------------------------------------------------- */

static bool count_change_files(void *ctx, const tain_object *o)
{
    *(size_t *)ctx += strncmp(o->key, "_change_data/", 13) == 0;
    return true;
}

static size_t change_files(int t)
{
    size_t n = 0;
    tain_store *folder = folder_of(t);
    assert_ok(tain_store_list(folder, "", NULL, count_change_files, &n, err));
    tain_store_close(folder);
    return n;
}

/* Another writer comes first: what was worked out for the version before is taken away. */
static bool is_foreign_first;
static void commit_elsewhere(void)
{
    if (fake.confirmed < fake.count) return;
    if (rounds-- <= 0) return tain_worker_stop();
    opened o = open_delta(a);
    json_t *configuration = json_pack("{s:s}", "other.program", rounds % 2 ? "x" : "y");
    assert_ok(tain_delta_commit_write(o.delta, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = configuration}, err));
    json_decref(configuration);
    close_delta(o);
    is_foreign_first = true;
    some_changes();
}

static void others_commit_in_between(void **state)
{
    two_tables(60);
    rounds = 6;
    fake.on_head = commit_elsewhere;
    run r = with_feed;
    r.follow = true;
    run_once(r);
    fake.on_head = NULL;
    assert_true(is_foreign_first);
    size_t files = check_feed(a);
    assert_true(files >= 6);
    assert_int_equal(change_files(a), files);
    check_all();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin_anew, end)
    const struct CMUnitTest tests[] = {
        CASE(first_content_needs_none),
        CASE(switched_on_and_off),
        CASE(switched_on_with_a_change),
        CASE(a_column_of_the_readers_stands_in_its_way),
        CASE(many_epochs),
        CASE(emptied_and_loaded_again),
        CASE(parts_that_go),
        CASE(a_column_with_a_default),
        CASE(renamed_and_dropped_columns),
        CASE(pairs_are_found_with_little_memory),
        CASE(others_commit_in_between),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
