/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static void test_fail(void **state)
{
    tain_error err = {.remedy = "left over"};
    assert_int_equal(tain_fail(&err, TAIN_E_CORRUPT, "file %s: %d", "x", 7), TAIN_E_CORRUPT);
    assert_int_equal(err.code, TAIN_E_CORRUPT);
    assert_string_equal(err.message, "file x: 7");
    assert_string_equal(err.remedy, "");
    assert_int_equal(tain_fail(NULL, TAIN_E_GONE, "x"), TAIN_E_GONE);
    assert_int_equal(tain_fail(&err, TAIN_E_INVALID, "again (%s)", err.message), TAIN_E_INVALID);
    assert_string_equal(err.message, "again (file x: 7)");
}

static void test_errno(void **state)
{
    static const struct {
        int         sys;
        tain_status status;
    } cases[] = {{ENOSPC, TAIN_E_FULL},      {EDQUOT, TAIN_E_FULL},       {EACCES, TAIN_E_PERMISSION}, {EPERM, TAIN_E_PERMISSION},
                 {EROFS, TAIN_E_PERMISSION}, {ENOENT, TAIN_E_NOT_FOUND}, {EEXIST, TAIN_E_EXISTS},     {EIO, TAIN_E_IO},
                 {EMFILE, TAIN_E_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tain_error err = {0};
        errno = cases[i].sys;
        assert_int_equal(tain_fail_errno(&err, "cannot open %s", "/a"), cases[i].status);
        assert_int_equal(err.sys, cases[i].sys);
        assert_int_equal(strncmp(err.message, "cannot open /a: ", 16), 0);
        assert_string_equal(err.message + 16, strerror(cases[i].sys));
        errno = cases[i].sys;
        assert_int_equal(tain_fail_errno(NULL, "x"), cases[i].status);
    }
}

/* Names of files and messages of servers are bytes; errors go into JSON. */
static void test_encoding(void **state)
{
    tain_error err = {0};
    char       long_text[3000];
    (void)tain_fail(&err, TAIN_E_IO, "caf\xE9: \xFF, caf\xC3\xA9");
    assert_string_equal(err.message, "caf\xEF\xBF\xBD: \xEF\xBF\xBD, caf\xC3\xA9");
    tain_error_remedy(&err, "rename \xFF");
    assert_string_equal(err.remedy, "rename \xEF\xBF\xBD");
    tain_error_context(&err, "in \xE4");
    tain_error_context(&err, "in \xE4");
    assert_string_equal(err.message, "in \xEF\xBF\xBD: caf\xEF\xBF\xBD: \xEF\xBF\xBD, caf\xC3\xA9");
    memset(long_text, 0xFF, sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    (void)tain_fail(&err, TAIN_E_IO, "%s", long_text);
    assert_true(tain_utf8_valid(err.message, strlen(err.message)));
    assert_int_equal(strlen(err.message), 1023); /* 341 times three bytes */
}

static tain_status inner(tain_error *err)
{
    return tain_fail(err, TAIN_E_NOT_FOUND, "no file");
}

static tain_status middle(tain_error *err)
{
    TAIN_TRY_IN(err, inner(err), "column %s", "total");
    return TAIN_OK;
}

static tain_status outer(tain_error *err)
{
    TAIN_TRY(TAIN_OK);
    TAIN_TRY_IN(err, middle(err), "table %s.%s", "public", "orders");
    return TAIN_OK;
}

static void test_context(void **state)
{
    tain_error err;
    assert_int_equal(outer(&err), TAIN_E_NOT_FOUND);
    assert_string_equal(err.message, "table public.orders: column total: no file");
    assert_int_equal(outer(NULL), TAIN_E_NOT_FOUND);
    tain_error_context(&err, "table public.orders"); /* two places say where it was */
    assert_string_equal(err.message, "table public.orders: column total: no file");
    tain_error_context(&err, "table public.order");
    assert_string_equal(err.message, "table public.order: table public.orders: column total: no file");
}

static void test_remedy(void **state)
{
    tain_error err;
    (void)!tain_fail(&err, TAIN_E_NOT_FOUND, "x");
    assert_string_equal(tain_error_advice(&err), "check the name");
    tain_error_remedy(&err, "run %s", "this");
    tain_error_context(&err, "there");
    assert_string_equal(tain_error_advice(&err), "run this");
    assert_string_equal(tain_status_name(TAIN_E_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(tain_status_name(TAIN_OK), "OK");
    assert_int_equal(tain_status_policy(TAIN_E_FULL), TAIN_POLICY_RETRY);
    assert_string_equal(tain_status_sqlstate(TAIN_E_FULL), "53100");
    assert_int_equal(tain_status_http(TAIN_E_EXISTS), 409);
    assert_string_equal(tain_status_name((tain_status)999), "INTERNAL");
}

static void test_one_line(void **state)
{
    tain_error err;
    (void)!tain_fail(&err, TAIN_E_AUTH, "FATAL: no\n\tpassword\r\n");
    assert_string_equal(err.message, "FATAL: no  password");
}

/* However long the parts, the message stays within its bounds and is whole UTF-8. */
static void test_long(void **state)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char text[3001];
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) memcpy(text + i, "\xF0\x9F\x90\x98", 4);
        text[sizeof text - 1 - (sizeof text - 1 - shift) % 4] = 0;
        tain_error err;
        (void)!tain_fail(&err, TAIN_E_IO, "%s", text);
        assert_in_range(strlen(err.message), 1019, 1023);
        assert_true(tain_utf8_valid(err.message, strlen(err.message)));
        tain_error_context(&err, "table %s", "t");
        assert_int_equal(strncmp(err.message, "table t: ", 9), 0);
        assert_in_range(strlen(err.message), 1019, 1023);
        assert_true(tain_utf8_valid(err.message, strlen(err.message)));
        tain_error_context(&err, "%s", text);
        assert_in_range(strlen(err.message), 1019, 1023);
        assert_true(tain_utf8_valid(err.message, strlen(err.message)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),   cmocka_unit_test(test_errno), cmocka_unit_test(test_encoding),    cmocka_unit_test(test_context),
        cmocka_unit_test(test_remedy), cmocka_unit_test(test_one_line), cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
