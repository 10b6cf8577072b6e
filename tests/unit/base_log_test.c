/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char around[8];

static void note_around(int before)
{
    strcat(around, before ? "b" : "a");
}

/* Standard error goes into a pipe while body runs. */
static void capture(void (*body)(void), char *out, size_t capacity)
{
    int ends[2], own = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    body();
    dup2(own, STDERR_FILENO);
    close(own);
    ssize_t n = read(ends[0], out, capacity - 1);
    close(ends[0]);
    out[n > 0 ? n : 0] = 0;
}

static void log_two(void)
{
    tain_log(TAIN_LOG_INFO, "not shown");
    tain_log(TAIN_LOG_WARN, "table %s waits", "t");
}

static void log_long(void)
{
    tain_log(TAIN_LOG_ERROR, "%6000d", 1);
}

static void test_line(void **state)
{
    char out[8192];
    tain_log_around = note_around;
    capture(log_two, out, sizeof out);
    tain_log_around = NULL;
    assert_string_equal(around, "ba");
    assert_int_equal(strspn(out, "0123456789-T:.Z"), 24);
    assert_string_equal(out + 24, " warning: table t waits\n");
    tain_log_threshold = TAIN_LOG_INFO;
    capture(log_two, out, sizeof out);
    assert_non_null(strstr(out, " info: not shown\n"));
    capture(log_long, out, sizeof out);
    assert_in_range(strlen(out), 4000, 4096);
    assert_int_equal(out[strlen(out) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
