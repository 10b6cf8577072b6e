/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"

static void check_days(int64_t days)
{
    int64_t   year;
    unsigned  month, day;
    time_t    t = days * 86400;
    struct tm want;
    tain_civil_from_days(days, &year, &month, &day);
    assert_non_null(gmtime_r(&t, &want));
    assert_int_equal(year, (int64_t)want.tm_year + 1900);
    assert_int_equal(month, want.tm_mon + 1);
    assert_int_equal(day, want.tm_mday);
    assert_int_equal(tain_days_from_civil(year, month, day), days);
}

/* Every day of eight centuries, and each 9,973rd of many more, as the C library counts them. */
static void test_civil(void **state)
{
    for (int64_t days = -150000; days < 150000; days++) check_days(days);
    for (int64_t days = -700000000; days < 700000000; days += 99973) check_days(days);
    assert_int_equal(tain_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(tain_days_from_civil(1, 1, 1), -719162);
    assert_int_equal(tain_days_from_civil(9999, 12, 31), 2932896);
}

static void expect_iso(tain_time t, int digits, const char *want)
{
    char   out[40];
    size_t n = tain_time_iso(t, digits, out);
    assert_string_equal(out, want);
    assert_int_equal(n, strlen(want));
}

static void test_iso(void **state)
{
    expect_iso(0, 0, "1970-01-01T00:00:00Z");
    expect_iso(1769862896789999, 3, "2026-01-31T12:34:56.789Z");
    expect_iso(1769862896789999, 6, "2026-01-31T12:34:56.789999Z");
    expect_iso(1769862896789999, 0, "2026-01-31T12:34:56Z");
    expect_iso(-1, 6, "1969-12-31T23:59:59.999999Z");
    expect_iso(-1, 3, "1969-12-31T23:59:59.999Z");
    char out[40];
    assert_in_range(tain_time_iso(INT64_MAX, 6, out), 27, 39);
    assert_in_range(tain_time_iso(INT64_MIN, 6, out), 27, 39);
}

static void test_iso_back(void **state)
{
    char out[40];
    const tain_time times[] = {0, 1769862896789999, -1, 1769862896000000, -62135596800000000, 253402300799999999};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        tain_time_iso(times[i], 6, out);
        assert_int_equal(tain_time_from_iso(out), times[i]);
    }
    assert_int_equal(tain_time_from_iso("2026-01-31T12:34:56.789Z"), 1769862896789000);
    assert_int_equal(tain_time_from_iso("2026-01-31T12:34:56Z"), 1769862896000000);
    const char *const others[] = {"", "-", "2026-01-31", "2026-01-31T12:34:56", "2026-01-31 12:34:56Z", "2026-01-31T12:34:56.78+02"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_int_equal(tain_time_from_iso(others[i]), 0);
}

static void test_clocks(void **state)
{
    time_t    now = time(NULL);
    tain_time t = tain_now(), a = tain_monotonic(), b = tain_monotonic();
    assert_in_range(t / TAIN_SECOND, now - 1, now + 5);
    assert_true(a > 0 && b >= a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_civil), cmocka_unit_test(test_iso), cmocka_unit_test(test_iso_back),
                                       cmocka_unit_test(test_clocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
