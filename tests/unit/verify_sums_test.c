/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/sums.h"

/* Keys 1..4: another value, only in the source, only in the lake, and one that the lake has twice too often. */
static tain_differences some_differences(void)
{
    tain_marks source = {0}, lake = {0};
    static const tain_mark there[] = {{1, 10}, {2, 20}, {4, 40}, {5, 50}}, here[] = {{5, 50}, {1, 11}, {4, 40}, {3, 30}, {4, 40}, {4, 40}};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) tain_marks_add(&source, there[i].key, there[i].row);
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) tain_marks_add(&lake, here[i].key, here[i].row);
    tain_differences d = tain_marks_compare(&source, &lake);
    tain_marks_done(&source);
    tain_marks_done(&lake);
    return d;
}

static int64_t surplus(const tain_differences *d, uint64_t key, uint64_t row)
{
    size_t at = tain_differences_find(d, key, row);
    return at == d->count ? 0 : d->list[at].surplus;
}

static void test_what_differs_is_found(void **state)
{
    tain_differences d = some_differences();
    assert_int_equal(d.count, 5);
    assert_int_equal(surplus(&d, 1, 10), 1);
    assert_int_equal(surplus(&d, 1, 11), -1);
    assert_int_equal(surplus(&d, 2, 20), 1);
    assert_int_equal(surplus(&d, 3, 30), -1);
    assert_int_equal(surplus(&d, 4, 40), -2);
    assert_int_equal(surplus(&d, 5, 50), 0);
    assert_int_equal(surplus(&d, 9, 90), 0);
    assert_int_equal(tain_differences_rows(&d), 5);
    tain_differences_done(&d);
}

static void test_keys_of_which_the_source_has_a_row(void **state)
{
    tain_differences d = some_differences();
    assert_false(tain_differences_in_source(&d, 0));
    assert_true(tain_differences_in_source(&d, 1));
    assert_true(tain_differences_in_source(&d, 2));
    assert_false(tain_differences_in_source(&d, 3));
    assert_false(tain_differences_in_source(&d, 4));
    assert_false(tain_differences_in_source(&d, 9));
    tain_differences_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_differs_is_found),
        cmocka_unit_test(test_keys_of_which_the_source_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
