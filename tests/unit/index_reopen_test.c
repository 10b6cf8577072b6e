/* SPDX-License-Identifier: MIT */
/* What a restart finds covered, and what it must have fed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "index/format.h"

enum { LIMIT = 100, SEED = 7 };

typedef struct place {
    char        folder[64];
    tain_index *x;
} place;

static uint64_t hash_of(uint64_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15u;
}

static void open_index(place *p, uint64_t seed)
{
    tain_index_options options = {.folder = p->folder, .memory_entries = LIMIT};
    assert_int_equal(tain_index_open(&options, seed, &p->x, NULL), TAIN_OK);
}

static void reopen(place *p)
{
    tain_index_close(p->x);
    open_index(p, SEED);
}

static int set_up(void **test)
{
    place *p = tain_alloc(sizeof *p);
    snprintf(p->folder, sizeof p->folder, "/tmp/tain-index-XXXXXX");
    if (!mkdtemp(p->folder)) return -1;
    open_index(p, SEED);
    *test = p;
    return 0;
}

static int tear_down(void **test)
{
    place *p = *test;
    tain_index_close(p->x);
    TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", p->folder);
    int result = system(command);
    tain_free(p);
    return result;
}

/* Rows first.. of a file get the hashes of keys base + row. */
static void add(place *p, uint32_t file, uint64_t base, uint32_t first, size_t n)
{
    uint64_t hashes[1000];
    for (size_t i = 0; i < n; i++) hashes[i] = hash_of(base + first + i);
    assert_int_equal(tain_index_add(p->x, file, first, hashes, n, NULL), TAIN_OK);
}

static void add_file(place *p, uint32_t file, uint64_t base, size_t n)
{
    uint64_t hashes[1000];
    for (size_t i = 0; i < n; i++) hashes[i] = hash_of(base + i);
    assert_int_equal(tain_index_add_file(p->x, file, hashes, n, NULL), TAIN_OK);
}

typedef struct hits {
    size_t        count;
    tain_location at[16];
} hits;

static bool on_found(void *ctx, size_t k, tain_location at)
{
    hits *h = ctx;
    assert_int_equal(k, 0);
    assert_true(h->count < 16);
    h->at[h->count++] = at;
    return true;
}

static hits find(place *p, uint64_t key)
{
    hits h = {0};
    uint64_t hash = hash_of(key);
    tain_index_lookup(p->x, &hash, 1, on_found, &h);
    return h;
}

static void finds(place *p, uint64_t key, uint32_t file, uint32_t row)
{
    hits h = find(p, key);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.at[0].file, file);
    assert_int_equal(h.at[0].row, row);
}

static size_t list_runs(const place *p, char out[][400])
{
    DIR *d = opendir(p->folder);
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, "run-", 4) == 0) snprintf(out[n++], 400, "%s/%s", p->folder, e->d_name);
    closedir(d);
    return n;
}

static void merge_all(place *p)
{
    tain_index_merge *m = tain_index_merge_begin(p->x, true);
    assert_non_null(m);
    assert_int_equal(tain_index_merge_run(m, NULL, NULL, NULL), TAIN_OK);
    assert_int_equal(tain_index_merge_finish(p->x, m, NULL), TAIN_OK);
}

/* --- coverage ------------------------------------------------------------------------------------------------------ */

static void test_flushed_is_covered_and_follows_ordinals(void **test)
{
    place *p = *test;
    assert_false(tain_index_name_file(p->x, "a", 5));
    assert_false(tain_index_name_file(p->x, "b", 6));
    add(p, 5, 0, 0, 10);
    add(p, 6, 1000, 0, 10);
    assert_int_equal(tain_index_flush(p->x, NULL), TAIN_OK);
    reopen(p);
    assert_int_equal(find(p, 3).count, 0); /* not named: dead */
    assert_true(tain_index_name_file(p->x, "b", 0));
    assert_true(tain_index_name_file(p->x, "a", 9));
    finds(p, 3, 9, 3);
    finds(p, 1003, 0, 3);
}

static void test_not_flushed_is_not_covered(void **test)
{
    place *p = *test;
    tain_index_name_file(p->x, "a", 1);
    add(p, 1, 0, 0, 10);
    assert_true(tain_index_name_file(p->x, "a", 1)); /* fed already */
    reopen(p);
    assert_false(tain_index_name_file(p->x, "a", 1));
    assert_int_equal(find(p, 3).count, 0);
}

static void test_file_in_parts_is_covered_only_with_its_last(void **test)
{
    place *p = *test;
    tain_index_name_file(p->x, "a", 1);
    add(p, 1, 0, 0, 150);
    add(p, 1, 0, 150, 150); /* the first run is written in the middle of the file */
    assert_int_equal(tain_index_get_stats(p->x).runs, 1);
    reopen(p);
    assert_false(tain_index_name_file(p->x, "a", 1));
    add(p, 1, 0, 0, 150);
    add(p, 1, 0, 150, 150);
    assert_int_equal(tain_index_flush(p->x, NULL), TAIN_OK);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 2));
    for (uint32_t row = 0; row < 300; row++) finds(p, row, 2, row); /* once, whatever the first start left */
    merge_all(p);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 3));
    for (uint32_t row = 0; row < 300; row++) finds(p, row, 3, row);
}

static void test_name_may_come_after_the_rows(void **test)
{
    place *p = *test;
    add(p, 4, 0, 0, 10);
    assert_true(tain_index_name_file(p->x, "a", 4));
    assert_int_equal(tain_index_flush(p->x, NULL), TAIN_OK);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 0));
    finds(p, 9, 0, 9);
}

static void test_merged_away_rows_stay_covered(void **test)
{
    place *p = *test;
    tain_index_name_file(p->x, "a", 1);
    tain_index_name_file(p->x, "b", 2);
    add_file(p, 1, 0, 200);
    add_file(p, 2, 1000, 200);
    merge_all(p);
    assert_int_equal(tain_index_get_stats(p->x).runs, 1);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 1));
    assert_true(tain_index_name_file(p->x, "b", 2));
    finds(p, 199, 1, 199);
    finds(p, 1000, 2, 0);
}

static void test_file_named_while_its_run_is_merged(void **test)
{
    place *p = *test;
    for (uint32_t file = 1; file < 3; file++) {
        tain_index_name_file(p->x, file == 1 ? "a" : "b", file);
        add(p, file, file * 1000, 0, 10);
    }
    assert_int_equal(tain_index_flush(p->x, NULL), TAIN_OK);
    tain_index_name_file(p->x, "c", 3);
    add_file(p, 3, 3000, 200);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 1));
    assert_true(tain_index_name_file(p->x, "c", 3));
    tain_index_merge *m = tain_index_merge_begin(p->x, true);
    assert_int_equal(tain_index_merge_run(m, NULL, NULL, NULL), TAIN_OK);
    assert_true(tain_index_name_file(p->x, "b", 2));
    assert_int_equal(tain_index_merge_finish(p->x, m, NULL), TAIN_OK);
    finds(p, 1003, 1, 3);
    finds(p, 2003, 2, 3);
    finds(p, 3003, 3, 3);
}

/* --- rows that come back ------------------------------------------------------------------------------------------- */

static uint32_t gone; /* rows 0.. of file 1 */

static bool is_live(void *ctx, tain_location at)
{
    return at.file != 1 || at.row >= gone;
}

static uint32_t deleted_rows(void *ctx, uint32_t file)
{
    return file == 1 ? gone : 0;
}

static tain_index_merge *merged(place *p, uint32_t deleted)
{
    gone = deleted;
    tain_index_merge *m = tain_index_merge_begin(p->x, true);
    assert_non_null(m);
    tain_index_merge_tell(m, deleted_rows, NULL);
    assert_int_equal(tain_index_merge_run(m, is_live, NULL, NULL), TAIN_OK);
    return m;
}

static bool is_covered(place *p, uint64_t deleted)
{
    tain_index_check_file(p->x, "a", deleted);
    return tain_index_name_file(p->x, "a", 1);
}

static void two_runs(place *p)
{
    tain_index_name_file(p->x, "a", 1);
    tain_index_name_file(p->x, "b", 2);
    add_file(p, 1, 0, 200);
    add_file(p, 2, 1000, 200);
}

/* at: 0 while it runs, 1 with the merge under way, 2 after a restart. */
static void come_back(place *p, int at)
{
    two_runs(p);
    tain_index_merge *m = merged(p, 50);
    if (at != 1) assert_int_equal(tain_index_merge_finish(p->x, m, NULL), TAIN_OK);
    if (at == 2) {
        reopen(p);
        assert_true(tain_index_name_file(p->x, "b", 2));
    }
    assert_true(is_covered(p, 50));
    assert_true(is_covered(p, 70));
    if (at != 1) assert_int_equal(find(p, 7).count, 0);
    assert_false(is_covered(p, 10));
    if (at == 1) assert_int_equal(tain_index_merge_finish(p->x, m, NULL), TAIN_OK);
    assert_int_equal(find(p, 100).count, 0);
    finds(p, 1007, 2, 7);
}

static void test_rows_that_come_back_are_fed_again(void **test)
{
    place *p = *test;
    for (int at = 0; at < 3; at++) {
        come_back(p, at);
        reopen(p); /* it was not fed yet: the deletions of other rows since do not make the old entries whole */
        assert_true(tain_index_name_file(p->x, "b", 2));
        assert_false(is_covered(p, 60));
        add(p, 1, 0, 0, 200);
        finds(p, 7, 1, 7);
        finds(p, 100, 1, 100);
        assert_true(is_covered(p, 0));
        assert_int_equal(tain_index_flush(p->x, NULL), TAIN_OK);
        reopen(p);
        assert_true(tain_index_name_file(p->x, "b", 2));
        assert_true(is_covered(p, 0));
        finds(p, 7, 1, 7);
        assert_int_equal(tain_index_merge_finish(p->x, merged(p, 5), NULL), TAIN_OK);
        assert_true(is_covered(p, 5));
        finds(p, 100, 1, 100);
        finds(p, 1007, 2, 7);
        TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", p->folder);
        tain_index_close(p->x);
        assert_int_equal(system(command), 0);
        open_index(p, SEED);
    }
}

/* A data file that was gone is there again, under another ordinal. */
static void test_files_that_come_back_are_fed_again(void **test)
{
    place *p = *test;
    two_runs(p);
    assert_int_equal(tain_index_merge_finish(p->x, merged(p, UINT32_MAX), NULL), TAIN_OK);
    tain_index_check_file(p->x, "a", 20);
    assert_false(tain_index_name_file(p->x, "a", 9));
    add(p, 9, 0, 0, 200);
    finds(p, 7, 9, 7);
    finds(p, 1007, 2, 7);
}

static void test_seed_is_kept(void **test)
{
    place *p = *test;
    add_file(p, 1, 0, 200);
    tain_index_close(p->x);
    open_index(p, SEED + 1);
    assert_int_equal(tain_index_seed(p->x), SEED);
}

static void test_newest_first_and_stop(void **test)
{
    place *p = *test;
    for (uint32_t file = 0; file < 3; file++) add_file(p, file, 0, 200);
    add(p, 3, 0, 0, 10);
    hits h = find(p, 5);
    assert_int_equal(h.count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(h.at[i].file, 3 - i);
}

/* --- damage -------------------------------------------------------------------------------------------------------- */

static void two_files(place *p)
{
    tain_index_name_file(p->x, "a", 1);
    tain_index_name_file(p->x, "b", 2);
    add_file(p, 1, 0, 200);
    add_file(p, 2, 1000, 200);
}

static void test_torn_run_is_forgotten_alone(void **test)
{
    place *p = *test;
    char runs[4][400];
    two_files(p);
    assert_int_equal(list_runs(p, runs), 2);
    tain_index_close(p->x);
    assert_int_equal(truncate(runs[0], 4096), 0);
    open_index(p, SEED);
    bool a = tain_index_name_file(p->x, "a", 1), b = tain_index_name_file(p->x, "b", 2);
    assert_true(a != b);
    assert_int_equal(list_runs(p, runs), 1); /* the torn file is removed */
}

static void test_damaged_manifest_forgets_all(void **test)
{
    place *p = *test;
    char runs[4][400];
    two_files(p);
    tain_index_close(p->x);
    TAIN_AUTO(tain_free) char *manifest = tain_format("%s/manifest.json", p->folder);
    assert_int_equal(truncate(manifest, 20), 0);
    open_index(p, SEED + 1);
    assert_int_equal(tain_index_seed(p->x), SEED + 1);
    assert_false(tain_index_name_file(p->x, "a", 1));
    assert_int_equal(list_runs(p, runs), 0);
    add_file(p, 1, 0, 200);
    finds(p, 7, 1, 7);
}

/* As if the machine had lost power: the header is of another boot. Returns the file, open. */
static int of_another_boot(const char *path)
{
    uint8_t page[65536];
    int fd = open(path, O_RDWR);
    ssize_t n = pread(fd, page, sizeof page, 0);
    tain_run_header *h = (tain_run_header *)page;
    assert_true(n > 0 && (size_t)n == h->size);
    h->boot ^= 1;
    h->checksum = tain_run_checksum(h, page + h->files_at);
    assert_int_equal(pwrite(fd, page, (size_t)n, 0), n);
    return fd;
}

static void test_run_of_another_boot_is_checked(void **test)
{
    place *p = *test;
    char runs[4][400];
    tain_index_name_file(p->x, "a", 1);
    add_file(p, 1, 0, 200);
    assert_int_equal(list_runs(p, runs), 1);
    close(of_another_boot(runs[0]));
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 1));
    tain_index_close(p->x);
    int fd = of_another_boot(runs[0]);
    assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\0", 8, 8192 + 80), 8); /* a hash that did not reach the disk */
    close(fd);
    open_index(p, SEED);
    assert_false(tain_index_name_file(p->x, "a", 1));
}

static void test_folder_may_vanish(void **test)
{
    place *p = *test;
    two_files(p);
    TAIN_AUTO(tain_free) char *command = tain_format("rm -rf '%s'", p->folder);
    assert_int_equal(system(command), 0);
    finds(p, 1, 1, 1);
    tain_index_name_file(p->x, "c", 3);
    add_file(p, 3, 2000, 200);
    merge_all(p);
    finds(p, 1, 1, 1);
    reopen(p);
    assert_true(tain_index_name_file(p->x, "a", 1));
    assert_true(tain_index_name_file(p->x, "c", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flushed_is_covered_and_follows_ordinals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_flushed_is_not_covered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_that_come_back_are_fed_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_come_back_are_fed_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_in_parts_is_covered_only_with_its_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name_may_come_after_the_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merged_away_rows_stay_covered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_named_while_its_run_is_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seed_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newest_first_and_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_run_is_forgotten_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_manifest_forgets_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_run_of_another_boot_is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_may_vanish, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
