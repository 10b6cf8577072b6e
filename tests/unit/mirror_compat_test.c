/* SPDX-License-Identifier: MIT */
/* Profile compat: which files are written again, and what becomes of them. That rows are right, mirror_random_test shows. */
#include "mirror_run.h"

static void run_compat(bool on, int64_t memory)
{
    assert_ok(run_mirror((run){.memory = memory, .profile = on ? "compat" : "default"}, err));
}

/* Live files of a table, and the most rows that one of them has. */
static size_t files_of(int t, int64_t *ret_most)
{
    tain_store *s = open_lake();
    char *path = tain_lake_table_folder("main", fake.tables[t].name);
    tain_store *folder = tain_store_sub(s, path);
    tain_delta *d;
    tain_delta_file *f;
    assert_ok(tain_delta_open(folder, &d, err));
    size_t n = tain_delta_file_count(d);
    *ret_most = 0;
    for (size_t cursor = 0; tain_delta_next_file(d, &cursor, &f);)
        if (f->rows > *ret_most) *ret_most = f->rows;
    tain_delta_close(d);
    tain_store_close(folder);
    tain_store_close(s);
    free(path);
    return n;
}

static bool has_vectors(int t)
{
    tain_store *s = open_lake();
    char *path = tain_lake_table_folder("main", fake.tables[t].name);
    tain_store *folder = tain_store_sub(s, path);
    tain_delta *d;
    assert_ok(tain_delta_open(folder, &d, err));
    bool has = tain_delta_has_vectors(d);
    tain_delta_close(d);
    tain_store_close(folder);
    tain_store_close(s);
    free(path);
    return has;
}

/* What memory does not hold the hashes of is written piece by piece. */
static void a_large_file_becomes_several(void **state)
{
    enum { ROWS = 40000 };
    int64_t most;
    int t = fake_create("main", "large", true);
    for (int k = 0; k < ROWS; k++) fake_insert(t, k, k % 7, k);
    fake_commit();
    fake.chunk_rows = ROWS;
    fake.compat = true;
    run_compat(true, 64 << 20);
    assert_int_equal(files_of(t, &most), 1);
    fake_delete(t, 20000);
    fake_commit();
    run_compat(true, 1 << 16);
    size_t n = files_of(t, &most);
    assert_int_equal(n, 3);
    assert_true(most <= 1 << 14);
    check_all();
    for (int k = 0; k < ROWS; k += 5000) fake_update(t, k + 1, k); /* each is found where it is now */
    fake_commit();
    run_compat(true, 1 << 16);
    check_all();
    check_status("main.large", "Replicating", NULL);
}

/* A transaction at a time, each of which leaves a small file. */
static void go_on(void)
{
    if (fake.confirmed < fake_end()) return;
    if (fake_end() == fake.count) tain_worker_stop();
    else fake.visible++;
}

static void small_files_of_an_epoch_become_one(void **state)
{
    int64_t most;
    int t = fake_create("main", "t", true);
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 10; k++) fake_insert(t, i * 10 + k, k, k);
        fake_commit();
    }
    for (int i = 0; i < 6; i++) fake_delete(t, i * 10);
    fake_commit();
    fake.compat = true;
    fake.visible = 1;
    fake.on_head = go_on;
    assert_ok(run_mirror((run){.follow = true, .profile = "compat"}, err));
    assert_int_equal(files_of(t, &most), 1);
    assert_int_equal(most, 54);
    check_all();
    assert_true(check_epochs() >= 7);
}

static void a_whole_file_is_not_written_again(void **state)
{
    int64_t most;
    int t = fake_create("main", "t", true);
    fake.chunk_rows = 10;
    for (int k = 0; k < 30; k++) fake_insert(t, k, k, k);
    fake_commit();
    fake.compat = true;
    run_compat(true, 0);
    size_t n = files_of(t, &most);
    for (int k = 10; k < 20; k++) fake_delete(t, k);
    fake_commit();
    run_compat(true, 0);
    assert_int_equal(files_of(t, &most), n - 1);
    check_all();
}

/* Nothing is read from the source for it, and both ways hold what came before. */
static void from_one_to_the_other_and_back(void **state)
{
    two_tables(300);
    once();
    some_changes();
    some_changes();
    once();
    assert_true(has_vectors(a) && has_vectors(b));
    size_t loads = fake.loads;
    fake.lowers = true;
    run_compat(true, 0);
    assert_false(has_vectors(a) || has_vectors(b));
    fake.compat = true;
    check_all();
    for (int i = 0; i < 3; i++) {
        some_changes();
        once(); /* the lake knows its profile */
        check_all();
    }
    run_compat(false, 0);
    assert_false(has_vectors(a) || has_vectors(b)); /* none is needed yet */
    some_changes();
    some_changes();
    some_changes();
    fake.compat = false;
    once();
    assert_true(has_vectors(a) && has_vectors(b));
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, loads);
    if (!strstr(said, "main.a has no deletion vectors any more")) fail_msg("%s", said);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_large_file_becomes_several),
        CASE(small_files_of_an_epoch_become_one),
        CASE(a_whole_file_is_not_written_again),
        CASE(from_one_to_the_other_and_back),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
