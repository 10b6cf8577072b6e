/* SPDX-License-Identifier: MIT */
/* A folder that cannot be written, and death at the fault points. Each case has a process of its own, since faults and
 * limits are the process's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "index/index.h"

enum { LIMIT = 100, ROWS = 250 };

static char folder[64];

static uint64_t hash_of(uint64_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15u;
}

static tain_index *open_index(const char *where)
{
    tain_index *x = NULL;
    tain_index_options options = {.folder = where, .memory_entries = LIMIT};
    return tain_index_open(&options, 1, &x, NULL) == TAIN_OK ? x : NULL;
}

static tain_status add_file(tain_index *x, uint32_t file, tain_error *err)
{
    uint64_t hashes[ROWS];
    char name[16];
    snprintf(name, sizeof name, "f%u", file);
    if (tain_index_name_file(x, name, file)) return TAIN_OK;
    for (uint32_t i = 0; i < ROWS; i++) hashes[i] = hash_of((uint64_t)file * ROWS + i);
    return tain_index_add_file(x, file, hashes, ROWS, err);
}

static bool on_found(void *ctx, size_t k, tain_location at)
{
    size_t *right = ctx;
    *right += (size_t)at.file * ROWS + at.row == k;
    return true;
}

/* Rows of files 0..files-1 that are found, each in its place. */
static size_t rows_found(tain_index *x, uint32_t files)
{
    uint64_t hashes[10 * ROWS];
    size_t right = 0;
    for (size_t i = 0; i < files * (size_t)ROWS; i++) hashes[i] = hash_of(i);
    tain_index_lookup(x, hashes, files * (size_t)ROWS, on_found, &right);
    return right;
}

/* Exit code of a child that runs fn, or 128 + signal. */
static int in_child(int (*fn)(void), const char *fault)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fault) setenv("TAIN_FAULT", fault, 1);
        _exit(fn());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define EXPECT(condition) \
    do {                  \
        if (!(condition)) return __LINE__ % 120 + 1; \
    } while (0)

/* --- what cannot be written ---------------------------------------------------------------------------------------- */

static int lives_in_memory(tain_index *x, tain_status expected)
{
    tain_error err = {0};
    EXPECT(x);
    for (uint32_t file = 0; file < 4; file++) {
        tain_status st = add_file(x, file, &err);
        EXPECT(st == expected || st == TAIN_OK);
        EXPECT(file > 0 || st == expected);
        EXPECT(rows_found(x, file + 1) == (file + 1) * (size_t)ROWS);
    }
    EXPECT(err.message[0]);
    EXPECT(tain_index_get_stats(x).memory_entries > 0);
    return 0;
}

static int no_folder(void)
{
    tain_index *x = open_index("/proc/self/no/such/folder");
    EXPECT(lives_in_memory(x, TAIN_E_NOT_FOUND) == 0);
    EXPECT(tain_index_flush(x, NULL) == TAIN_E_NOT_FOUND);
    tain_index_close(x);
    return 0;
}

static int disk_full_then_room(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, limit;
    EXPECT(getrlimit(RLIMIT_FSIZE, &old) == 0);
    limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    tain_index *x = open_index(folder);
    EXPECT(lives_in_memory(x, TAIN_E_IO) == 0);
    EXPECT(setrlimit(RLIMIT_FSIZE, &old) == 0);
    EXPECT(tain_index_flush(x, NULL) == TAIN_OK);
    EXPECT(tain_index_get_stats(x).memory_entries == 0);
    EXPECT(rows_found(x, 4) == 4 * ROWS);
    tain_index_close(x);
    x = open_index(folder);
    EXPECT(tain_index_name_file(x, "f0", 0));
    EXPECT(rows_found(x, 1) == ROWS);
    tain_index_close(x);
    return 0;
}

static int run_fails_once(void)
{
    tain_index *x = open_index(folder);
    EXPECT(lives_in_memory(x, TAIN_E_FULL) == 0);
    tain_index_close(x);
    return 0;
}

/* A part that cannot be written: its hashes, which are of rows 0.., go in one by one. */
static int part_fails(void)
{
    tain_index *x = open_index(folder);
    uint64_t hashes[ROWS];
    EXPECT(x);
    EXPECT(!tain_index_name_file(x, "f0", 0));
    for (uint32_t i = 0; i < ROWS; i++) hashes[i] = hash_of(i);
    tain_index_part *p = tain_index_part_begin(x);
    EXPECT(tain_index_part_run(p, "f0", hashes, ROWS, NULL) == TAIN_E_FULL);
    tain_index_part_abort(p);
    EXPECT(tain_index_add(x, 0, 0, hashes, ROWS, NULL) == TAIN_OK);
    EXPECT(rows_found(x, 1) == ROWS);
    tain_index_close(x);
    return 0;
}

static tain_status merge_all(tain_index *x)
{
    tain_index_merge *m = tain_index_merge_begin(x, true);
    if (!m) return TAIN_E_INTERNAL;
    tain_status st = tain_index_merge_run(m, NULL, NULL, NULL);
    if (st == TAIN_OK) return tain_index_merge_finish(x, m, NULL);
    tain_index_merge_abort(x, m);
    return st;
}

static int merge_fails_once(void)
{
    tain_index *x = open_index(folder);
    for (uint32_t file = 0; file < 3; file++) EXPECT(add_file(x, file, NULL) == TAIN_OK);
    EXPECT(merge_all(x) == TAIN_E_IO);
    EXPECT(tain_index_get_stats(x).runs == 3);
    EXPECT(rows_found(x, 3) == 3 * ROWS);
    EXPECT(merge_all(x) == TAIN_OK);
    EXPECT(tain_index_get_stats(x).runs == 1);
    EXPECT(rows_found(x, 3) == 3 * ROWS);
    tain_index_close(x);
    return 0;
}

static void test_no_folder(void **test) { assert_int_equal(in_child(no_folder, NULL), 0); }
static void test_disk_full_then_room(void **test) { assert_int_equal(in_child(disk_full_then_room, NULL), 0); }
static void test_run_fails_once(void **test) { assert_int_equal(in_child(run_fails_once, "index.run_written=fail"), 0); }
static void test_part_fails(void **test) { assert_int_equal(in_child(part_fails, "index.run_written=fail"), 0); }
static void test_merge_fails_once(void **test) { assert_int_equal(in_child(merge_fails_once, "index.merged=fail"), 0); }

/* --- death --------------------------------------------------------------------------------------------------------- */

static int add_and_merge(void)
{
    tain_index *x = open_index(folder);
    EXPECT(x);
    for (uint32_t file = 0; file < 4; file++) EXPECT(add_file(x, file, NULL) == TAIN_OK);
    EXPECT(merge_all(x) == TAIN_OK);
    tain_index_close(x);
    return 0;
}

static int feed_what_is_missing(void)
{
    tain_index *x = open_index(folder);
    EXPECT(x);
    for (uint32_t file = 0; file < 4; file++) EXPECT(add_file(x, file, NULL) == TAIN_OK);
    EXPECT(rows_found(x, 4) == 4 * ROWS);
    tain_index_close(x);
    return 0;
}

static void test_death_loses_nothing_that_matters(void **test)
{
    static const char *const points[] = {"index.run_written", "index.run_written:3", "index.merged"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        assert_int_equal(in_child(add_and_merge, points[i]), 128 + SIGKILL);
        assert_int_equal(in_child(feed_what_is_missing, NULL), 0);
        assert_int_equal(in_child(feed_what_is_missing, NULL), 0);
        TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", folder);
        assert_int_equal(system(command), 0);
    }
}

static int set_up(void **test)
{
    snprintf(folder, sizeof folder, "/tmp/tain-index-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

/* A mirror may have thousands of tables of few rows. */
static void test_few_rows_take_little_memory(void **test)
{
    enum { TABLES = 100, BYTES_EACH = 2048 };
    tain_index *x[TABLES];
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < TABLES; i++) {
        assert_non_null(x[i] = open_index(folder));
        assert_false(tain_index_name_file(x[i], "f", 0));
        assert_int_equal(tain_index_add(x[i], 0, 0, (uint64_t[]){hash_of(i)}, 1, NULL), TAIN_OK);
    }
    size_t each = (mallinfo2().uordblks - before) / TABLES;
    for (size_t i = 0; i < TABLES; i++) tain_index_close(x[i]);
    assert_in_range(each, 0, BYTES_EACH);
}

static int tear_down(void **test)
{
    TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_few_rows_take_little_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_full_then_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_run_fails_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merge_fails_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_death_loses_nothing_that_matters, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
