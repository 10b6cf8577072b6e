/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/spool.h"
#include "base/text.h"

static tain_error err;
static uint32_t   seed;
static char       folder[] = "/tmp/tain-spool-XXXXXX";

static size_t below(size_t n)
{
    return (size_t)rand_r(&seed) % n;
}

static size_t small_or_large(void)
{
    return below(20) ? below(200) : below(300000);
}

static void append_both(tain_spool *s, tain_buffer *model)
{
    static uint8_t data[300000];
    size_t         n = small_or_large();
    for (size_t i = 0; i < n; i++) data[i] = (uint8_t)rand_r(&seed);
    assert_int_equal(tain_spool_append(s, data, n, &err), TAIN_OK);
    tain_buffer_append(model, data, n);
}

static void compare_range(tain_spool *s, const tain_buffer *model)
{
    static uint8_t out[300000];
    size_t         at = below(model->size + 1), n = small_or_large();
    if (n > model->size - at) n = model->size - at;
    assert_int_equal(tain_spool_read(s, at, out, n, &err), TAIN_OK);
    if (n) assert_memory_equal(out, model->data + at, n);
}

static void run_model(size_t limit)
{
    tain_spool *s = tain_spool_new(folder, limit);
    tain_buffer model = {0};
    for (int step = 0; step < 1500; step++) {
        size_t what = below(100);
        if (what < 50) append_both(s, &model);
        else if (what < 98 || model.size == 0) compare_range(s, &model);
        else {
            size_t size = below(2) ? below(model.size) : model.size - below(model.size < 1000 ? model.size : 1000);
            assert_int_equal(tain_spool_truncate(s, size, &err), TAIN_OK);
            model.size = size;
        }
        assert_int_equal(tain_spool_size(s), model.size);
    }
    tain_spool_free(s);
    tain_buffer_done(&model);
}

static void test_model(void **state)
{
    static const size_t limits[] = {0, 1, 1000, 100000, 1 << 20, 1 << 30};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) run_model(limits[i]);
}

static void test_memory_is_bounded(void **state)
{
    static uint8_t piece[1000];
    tain_spool    *s = tain_spool_new(folder, 1 << 20);
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(tain_spool_append(s, piece, sizeof piece, &err), TAIN_OK);
        assert_in_range(tain_spool_memory(s), 0, (1 << 20) + 1024);
    }
    assert_int_equal(tain_spool_size(s), 30000000);
    assert_in_range(tain_spool_memory(s), 0, 512 << 10);
    tain_spool_free(s);
    tain_spool_free(NULL);
}

static void test_leaves_nothing(void **state)
{
    tain_spool *s = tain_spool_new(folder, 10);
    assert_int_equal(tain_spool_append(s, "more than ten bytes", 19, &err), TAIN_OK);
    DIR *dir = opendir(folder);
    int  entries = 0;
    while (readdir(dir)) entries++;
    closedir(dir);
    assert_int_equal(entries, 2);
    tain_spool_free(s);
}

/* What cannot be written is not there, and what was there stays. */
static void test_no_folder(void **state)
{
    char        out[8];
    tain_spool *s = tain_spool_new("/nonexistent/folder", 8);
    assert_int_equal(tain_spool_append(s, "in", 2, &err), TAIN_OK);
    assert_int_equal(tain_spool_append(s, "too long for it", 15, &err), TAIN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/folder"));
    assert_int_equal(tain_spool_size(s), 2);
    assert_int_equal(tain_spool_append(s, "to", 2, &err), TAIN_OK);
    assert_int_equal(tain_spool_read(s, 0, out, 4, &err), TAIN_OK);
    assert_memory_equal(out, "into", 4);
    assert_int_equal(tain_spool_read(s, 1, out, 4, &err), TAIN_E_INTERNAL);
    assert_int_equal(tain_spool_read(s, UINT64_MAX, out, 1, &err), TAIN_E_INTERNAL);
    assert_int_equal(tain_spool_truncate(s, 100, &err), TAIN_OK);
    assert_int_equal(tain_spool_size(s), 4);
    tain_spool_free(s);
}

static int make_folder(void **state)
{
    tain_random(&seed, sizeof seed);
    print_message("seed %u\n", seed);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_leaves_nothing),
        cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
