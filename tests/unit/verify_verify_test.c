/* SPDX-License-Identifier: MIT */
/* tain verify: equal is equal, and every kind of difference is found and named. */
#include "mirror_fake.h"

#include "verify/verify.h"

static char *lake;
static int   a, b;
static tain_verify_result result;

static int begin(void **state)
{
    fake_reset();
    tain_source_register(&fake_ops);
    lake = lake_make();
    result = (tain_verify_result){0};
    a = fake_create("main", "a", true);
    b = fake_create("main", "b", false);
    for (int i = 0; i < 250; i++) {
        fake_insert(a, i, i % 7, i % 5 ? i : FAKE_NULL);
        fake_insert(b, i % 20, i % 3, FAKE_NULL);
    }
    fake_commit();
    return 0;
}

static int end(void **state)
{
    tain_verify_result_done(&result);
    lake_remove(lake);
    fake_reset();
    return 0;
}

static tain_definition define(void)
{
    return (tain_definition){.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = 1, .memory = 64 << 20};
}

static void mirror(void)
{
    tain_definition d = define();
    tain_worker_options o = {.once = true};
    assert_ok(tain_worker_run(&d, &o, err));
    tain_definition_done(&d);
}

static void verify(void)
{
    tain_definition d = define();
    tain_verify_result_done(&result);
    assert_ok(tain_verify_run(&d, NULL, NULL, NULL, &result, err));
    tain_definition_done(&d);
}

static tain_verify_table *of(const char *name)
{
    for (size_t i = 0; i < result.count; i++)
        if (strcmp(result.tables[i].name, name) == 0) return &result.tables[i];
    fail_msg("no result for %s", name);
    return NULL;
}

static void check_sample(const char *table, const char *text)
{
    const char *samples = tain_buffer_cstr(&of(table)->samples);
    if (!strstr(samples, text)) fail_msg("\"%s\" is not in \"%s\"", text, samples);
}

static size_t sample_lines(const char *table)
{
    size_t n = 0;
    for (const char *p = tain_buffer_cstr(&of(table)->samples); *p; p++) n += *p == '\n';
    return n;
}

static void check_different(const char *table, int64_t source, int64_t in_lake)
{
    assert_false(result.equal);
    assert_true(of(table)->compared);
    assert_false(of(table)->equal);
    assert_int_equal(of(table)->source_rows, source);
    assert_int_equal(of(table)->lake_rows, in_lake);
    assert_true(of(table)->reason[0]);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void equal_is_equal(void **state)
{
    mirror();
    verify();
    assert_true(result.equal);
    assert_int_equal(result.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(result.tables[i].compared);
        assert_true(result.tables[i].equal);
        assert_int_equal(result.tables[i].source_rows, 250);
        assert_int_equal(result.tables[i].lake_rows, 250);
        assert_string_equal(result.tables[i].reason, "");
        assert_int_equal(result.tables[i].samples.size, 0);
    }
}

/* Deletion vectors, several files, truncation: the lake's own ways of holding rows. */
static void equal_after_many_changes(void **state)
{
    mirror();
    for (int i = 0; i < 100; i++) {
        fake_delete(a, i);
        fake_set(a, 100 + i, 1, 1000 + i, 1u << 2);
        fake_delete(b, fake.now[b].rows[0].v[0]);
    }
    fake_commit();
    mirror();
    fake_do(FAKE_TRUNCATE, b);
    fake_insert(b, 1, 2, 3);
    fake_insert(b, 1, 2, 3);
    fake_commit();
    mirror();
    verify();
    assert_true(result.equal);
    assert_int_equal(of("main.b")->lake_rows, 2);
}

static void missing_row_is_named(void **state)
{
    mirror();
    fake_insert(a, 7777, 1, 2);
    fake_commit();
    verify();
    check_different("main.a", 251, 250);
    assert_int_equal(sample_lines("main.a"), 1);
    check_sample("main.a", "missing in the lake (7777)");
    assert_true(of("main.b")->equal);
}

static void surplus_row_is_named(void **state)
{
    mirror();
    fake_delete(a, 17);
    fake_commit();
    verify();
    check_different("main.a", 249, 250);
    check_sample("main.a", "not in the source (17)");
    assert_int_equal(sample_lines("main.a"), 1);
}

static void differing_value_is_named(void **state)
{
    mirror();
    fake_set(a, 18, 1, 4242, 0);
    fake_set(a, 20, 2, 99, 0); /* was null */
    fake_commit();
    verify();
    check_different("main.a", 250, 250);
    check_sample("main.a", "differs (18) v: 4242 in the source, 4 in the lake;");
    check_sample("main.a", "differs (20) s: t99 in the source, NULL in the lake;");
    assert_int_equal(sample_lines("main.a"), 2);
}

/* A value that went to null differs from one that is empty or zero. */
static void null_differs_from_a_value(void **state)
{
    mirror();
    fake_set(a, 21, 1, FAKE_NULL, 0);
    fake_commit();
    verify();
    check_different("main.a", 250, 250);
    check_sample("main.a", "(21)");
}

static void changed_key_is_two_differences(void **state)
{
    mirror();
    fake_rekey(a, 30, 8888, 0);
    fake_commit();
    verify();
    check_different("main.a", 250, 250);
    check_sample("main.a", "missing in the lake (8888)");
    check_sample("main.a", "not in the source (30)");
}

/* Two values swapped between rows leave the sum of each column as it was. */
static void swapped_values_are_found(void **state)
{
    mirror();
    int64_t x = fake_row_of(a, 1).v[1], y = fake_row_of(a, 2).v[1];
    assert_int_not_equal(x, y);
    fake_set(a, 1, 1, y, 0);
    fake_set(a, 2, 1, x, 0);
    fake_commit();
    verify();
    check_different("main.a", 250, 250);
    assert_int_equal(sample_lines("main.a"), 2);
}

static void copies_are_counted(void **state)
{
    mirror();
    fake_insert_row(b, fake.now[b].rows[3]);
    fake_commit();
    verify();
    check_different("main.b", 251, 250);
    assert_int_equal(sample_lines("main.b"), 1);
    check_sample("main.b", "missing in the lake (");
}

static void one_copy_for_another_is_found(void **state)
{
    mirror();
    fake_row extra = fake.now[b].rows[3];
    fake_delete(b, fake.now[b].rows[7].v[0]);
    fake_insert_row(b, extra);
    fake_commit();
    verify();
    check_different("main.b", 250, 250);
    check_sample("main.b", "missing in the lake (");
    check_sample("main.b", "not in the source (");
}

static void samples_are_few(void **state)
{
    mirror();
    for (int i = 0; i < 100; i++) fake_set(a, i, 1, 5000 + i, 0);
    fake_commit();
    verify();
    check_different("main.a", 250, 250);
    assert_int_equal(sample_lines("main.a"), 10);
}

/* More differing rows than are kept: counted all the same, and none is called missing that is there. */
static void very_many_differences(void **state)
{
    mirror();
    for (int i = 0; i < 6000; i++) fake_insert(a, 10000 + i, 1, 1);
    fake_commit();
    verify();
    check_different("main.a", 6250, 250);
    assert_true(sample_lines("main.a") <= 10);
    for (const char *p = tain_buffer_cstr(&of("main.a")->samples); (p = strstr(p, "missing in the lake (")); p++)
        assert_true(atoi(p + strlen("missing in the lake (")) >= 10000);
}

static void emptied_table_differs(void **state)
{
    mirror();
    fake_do(FAKE_TRUNCATE, a);
    fake_commit();
    verify();
    check_different("main.a", 0, 250);
    check_sample("main.a", "not in the source (");
}

static void table_without_mirror_is_named(void **state)
{
    mirror();
    fake_create("main", "late", true);
    fake_commit();
    verify();
    assert_false(result.equal);
    assert_false(of("main.late")->compared);
    assert_non_null(strstr(of("main.late")->reason, "no mirror"));
    assert_true(of("main.a")->equal);
}

static void refused_table_does_not_count(void **state)
{
    fake.tables[b].refused = "it has no key";
    mirror();
    verify();
    assert_true(result.equal);
    assert_false(of("main.b")->compared);
    assert_non_null(strstr(of("main.b")->reason, "it has no key"));
}

static void other_columns_are_named(void **state)
{
    mirror();
    fake_add_column(a, "extra", TAIN_INT64, 3);
    fake_drop_column(b, 2, false);
    fake_commit();
    verify();
    assert_false(result.equal);
    assert_non_null(strstr(of("main.a")->reason, "extra"));
    assert_non_null(strstr(of("main.b")->reason, "the lake has 3 columns, the source 2"));
}

static void odd_column_names_are_compared(void **state)
{
    fake.tables[a].shapes[0].columns[1].name = "V v,=";
    fake.tables[a].shapes[0].columns[2].name = "K";
    mirror();
    verify();
    assert_true(result.equal);
    fake_set(a, 18, 1, 4242, 0);
    fake_commit();
    verify();
    check_sample("main.a", "V v,=: 4242 in the source");
    mirror();
    verify();
    assert_true(result.equal);
}

static int64_t shown;
static void show(void *ctx, const char *table, int64_t rows)
{
    assert_string_equal(ctx, "ctx");
    assert_memory_equal(table, "main.", 5);
    if (rows > shown) shown = rows;
}

static void progress_is_shown(void **state)
{
    mirror();
    tain_definition d = define();
    shown = 0;
    assert_ok(tain_verify_run(&d, NULL, show, "ctx", &result, err));
    assert_int_equal(shown, 500);
    tain_definition_done(&d);
}

static void no_mirror_there(void **state)
{
    tain_definition d = define();
    assert_fails(tain_verify_run(&d, NULL, NULL, NULL, &result, err), TAIN_E_NOT_FOUND, "mirroring.json");
    tain_definition_done(&d);
}

/* --- damage -------------------------------------------------------------------------------------------------------- */

typedef struct opened { tain_store *lake, *folder; tain_delta *delta; } opened;

static opened open_table(const char *folder)
{
    opened o;
    assert_ok(tain_store_open(lake, false, &o.lake, err));
    o.folder = tain_store_sub(o.lake, folder);
    assert_ok(tain_delta_open(o.folder, &o.delta, err));
    return o;
}

static void close_table(opened *o)
{
    tain_delta_close(o->delta);
    tain_store_close(o->folder);
    tain_store_close(o->lake);
}

/* One of the files of main.a is not there any more, or only in part. */
static void damage(bool shorten)
{
    opened o = open_table("Tables/main/a");
    tain_delta_file *f;
    size_t cursor = 0;
    assert_true(tain_delta_next_file(o.delta, &cursor, &f));
    if (shorten) assert_ok(tain_store_put(o.folder, f->path, (tain_slice){(const uint8_t *)"PAR1", 4}, 0, err));
    else assert_ok(tain_store_remove(o.folder, f->path, err));
    close_table(&o);
}

static void check_failed(const char *path)
{
    verify();
    assert_false(result.equal);
    assert_true(result.failed);
    assert_true(of("main.a")->failed);
    assert_false(of("main.a")->compared);
    assert_non_null(strstr(of("main.a")->reason, "its mirror cannot be read"));
    assert_non_null(strstr(of("main.a")->reason, path));
    assert_non_null(strstr(of("main.a")->remedy, "--resync main.a"));
    assert_true(of("main.b")->equal);
}

static void missing_file_fails_one_table(void **state)
{
    mirror();
    damage(false);
    check_failed("part-");
}

static void shortened_file_fails_one_table(void **state)
{
    mirror();
    damage(true);
    check_failed("part-");
}

static void damaged_log_fails_one_table(void **state)
{
    mirror();
    opened o = open_table("Tables/main/a");
    assert_ok(tain_store_put(o.folder, "_delta_log/00000000000000000000.json", (tain_slice){(const uint8_t *)"{", 1}, 0, err));
    close_table(&o);
    check_failed("00000000000000000000.json");
}

static void unreadable_source_table_fails_alone(void **state)
{
    mirror();
    fake.unreadable = "a";
    verify();
    assert_true(result.failed);
    assert_non_null(strstr(of("main.a")->reason, "permission denied"));
    assert_true(of("main.b")->equal);
}

/* --- both sides move ----------------------------------------------------------------------------------------------- */

static tain_lake *holder;
static void (*meanwhile)(int snapshot);
static int snapshots;

/* What a running mirror is to verify: one that holds the lake. */
static void hold(void)
{
    assert_ok(tain_lake_open(lake, false, &holder, err));
    assert_ok(tain_lake_lock(holder, err));
}

/* The source is fixed; then something happens in it, and the mirror has that too before the lake is looked at. */
static void move_on(void)
{
    void (*hook)(void) = fake.on_load;
    fake.on_load = NULL;
    meanwhile(++snapshots);
    fake_commit();
    tain_lake_close(holder);
    mirror();
    hold();
    fake.on_load = hook;
}

static void verify_moving(void (*what)(int))
{
    mirror();
    hold();
    snapshots = 0;
    meanwhile = what;
    fake.on_load = move_on;
    verify();
    fake.on_load = NULL;
    tain_lake_close(holder);
}

static void count_up(int n)
{
    fake_update(a, 5, 1000 + n);
    fake_insert(a, 5000 + n, 1, 1);
}

static void rows_in_motion_are_no_difference(void **state)
{
    verify_moving(count_up);
    if (!result.equal) fail_msg("%s: %s", of("main.a")->reason, tain_buffer_cstr(&of("main.a")->samples));
    assert_true(snapshots > 1);
}

static void toggle(int n)
{
    fake_update(a, 5, n % 2 ? 71 : 72);
}

static void row_that_goes_to_and_fro_is_no_difference(void **state)
{
    verify_moving(toggle);
    assert_true(result.equal);
}

static void lose_a_row(int n)
{
    count_up(n);
    if (n > 1) return;
    opened o = open_table("Tables/main/a");
    tain_delta_file *f;
    size_t cursor = 0;
    assert_true(tain_delta_next_file(o.delta, &cursor, &f));
    struct tain_dv_change change = {.file = f, .rows = roaring_bitmap_of(1, 17)};
    tain_delta_commit c = {.operation = "DELETE", .deletes = &change, .delete_count = 1, .data_change = true};
    assert_ok(tain_delta_commit_write(o.delta, &c, err));
    roaring_bitmap_free(change.rows);
    close_table(&o);
}

/* Among rows in motion the one that is really missing is found, and only that. */
static void lost_row_is_found_among_rows_in_motion(void **state)
{
    verify_moving(lose_a_row);
    assert_false(result.equal);
    assert_int_equal(sample_lines("main.a"), 1);
    check_sample("main.a", "missing in the lake (");
    assert_non_null(strstr(of("main.a")->reason, "; 1 differ"));
    assert_true(of("main.b")->equal);
}

static void several_threads_find_the_same(void **state)
{
    fake.chunk_rows = 7;
    mirror();
    fake_delete(a, 17);
    fake_set(a, 18, 1, 4242, 0);
    fake_commit();
    tain_definition d = define();
    d.jobs = 5;
    assert_ok(tain_verify_run(&d, NULL, NULL, NULL, &result, err));
    tain_definition_done(&d);
    check_different("main.a", 249, 250);
    check_sample("main.a", "not in the source (17)");
    check_sample("main.a", "differs (18)");
    assert_int_equal(sample_lines("main.a"), 2);
    assert_true(of("main.b")->equal);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(equal_is_equal),
        CASE(equal_after_many_changes),
        CASE(missing_row_is_named),
        CASE(surplus_row_is_named),
        CASE(differing_value_is_named),
        CASE(null_differs_from_a_value),
        CASE(changed_key_is_two_differences),
        CASE(swapped_values_are_found),
        CASE(copies_are_counted),
        CASE(one_copy_for_another_is_found),
        CASE(samples_are_few),
        CASE(very_many_differences),
        CASE(emptied_table_differs),
        CASE(table_without_mirror_is_named),
        CASE(refused_table_does_not_count),
        CASE(other_columns_are_named),
        CASE(odd_column_names_are_compared),
        CASE(progress_is_shown),
        CASE(no_mirror_there),
        CASE(missing_file_fails_one_table),
        CASE(shortened_file_fails_one_table),
        CASE(damaged_log_fails_one_table),
        CASE(unreadable_source_table_fails_alone),
        CASE(rows_in_motion_are_no_difference),
        CASE(row_that_goes_to_and_fro_is_no_difference),
        CASE(lost_row_is_found_among_rows_in_motion),
        CASE(several_threads_find_the_same),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
