/* SPDX-License-Identifier: MIT */
/* text.h: URLs, secrets, durations and sizes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"

static tain_error err;

static void same(const char *got, const char *want)
{
    if (want) assert_string_equal(got, want);
    else assert_null(got);
}

static void expect_url(const char *text, tain_url want)
{
    tain_url u = {0};
    if (tain_url_parse(text, &u, &err) != TAIN_OK) fail_msg("%s: %s", text, err.message);
    same(u.scheme, want.scheme);
    same(u.user, want.user);
    same(u.password, want.password);
    same(u.host, want.host);
    same(u.port, want.port);
    same(u.path, want.path);
    same(u.query, want.query);
    tain_url_done(&u);
    assert_null(u.scheme);
}

static void test_url(void **state)
{
    expect_url("postgresql://ann:s%40cret@db.example:5433/shop?sslmode=require&a=%41",
               (tain_url){.scheme = "postgresql", .user = "ann", .password = "s@cret", .host = "db.example", .port = "5433",
                          .path = "/shop", .query = "sslmode=require&a=%41"});
    expect_url("postgresql://db", (tain_url){.scheme = "postgresql", .host = "db"});
    expect_url("postgresql://", (tain_url){.scheme = "postgresql"});
    expect_url("postgresql:///shop?host=/run/pg", (tain_url){.scheme = "postgresql", .path = "/shop", .query = "host=/run/pg"});
    expect_url("postgresql://ann@/shop", (tain_url){.scheme = "postgresql", .user = "ann", .path = "/shop"});
    expect_url("mysql://u:p:q@h:1", (tain_url){.scheme = "mysql", .user = "u", .password = "p:q", .host = "h", .port = "1"});
    expect_url("PG://u@[::1]:5432/x", (tain_url){.scheme = "pg", .user = "u", .host = "::1", .port = "5432", .path = "/x"});
    expect_url("pg://[fe80::1]/x", (tain_url){.scheme = "pg", .host = "fe80::1", .path = "/x"});
    expect_url("pg://a:1,b:2/x", (tain_url){.scheme = "pg", .host = "a:1,b:2", .path = "/x"});
    expect_url("sqlite:///data/my%20shop.db", (tain_url){.scheme = "sqlite", .path = "/data/my shop.db"});
    expect_url("sqlite:shop.db", (tain_url){.scheme = "sqlite", .path = "shop.db"});
    expect_url("sqlite:///a@b:c/d", (tain_url){.scheme = "sqlite", .path = "/a@b:c/d"});
    expect_url("abfss://box@acct.dfs/x", (tain_url){.scheme = "abfss", .user = "box", .host = "acct.dfs", .path = "/x"});
}

static void test_url_errors(void **state)
{
    static const char *const broken[] = {"", "no scheme", "/a/path", "://x", "1a://x", "pg://u:top%zzsecret@h", "pg://h/%",
                                         "pg://h/%4", "pg://h/a%00b"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tain_url u;
        assert_int_equal(tain_url_parse(broken[i], &u, &err), TAIN_E_INVALID);
        assert_null(strstr(err.message, "secret"));
        assert_true(*tain_error_advice(&err));
    }
}

static void expect_redacted(const char *text, const char *want)
{
    char *got = tain_url_redacted(text);
    assert_string_equal(got, want);
    tain_free(got);
}

static void test_redacted(void **state)
{
    expect_redacted("postgresql://ann:secret@h:1/d?x=1", "postgresql://ann:***@h:1/d?x=1");
    expect_redacted("postgresql://ann@h:1/d", "postgresql://ann@h:1/d");
    expect_redacted("postgresql://h:5432/d", "postgresql://h:5432/d");
    expect_redacted("postgresql://ann:@h", "postgresql://ann:***@h");
    expect_redacted("postgresql://ann:se/cr@et@h/d", "postgresql://ann:***@h/d");
    expect_redacted("postgresql://ann:se?cr@et@h/d", "postgresql://ann:***@h/d");
    expect_redacted("postgresql://ann:s@e?cr@et@h", "postgresql://ann:***@h");
    expect_redacted("postgresql://ann:secret@h?x=1&y=2", "postgresql://ann:***@h?x=1&y=2");
    expect_redacted("postgresql://h:5432/d?application_name=a@b", "postgresql://h:5432/d?application_name=a@b");
    expect_redacted("postgresql://h/d?user=a&password=secret&x=1", "postgresql://h/d?user=a&password=***&x=1");
    expect_redacted("postgresql://h/d?PassWord=secret", "postgresql://h/d?PassWord=***");
    expect_redacted("postgresql://a:b@h/d?sslpassword=secret", "postgresql://a:***@h/d?sslpassword=***");
    expect_redacted("host=h password=secret dbname=d", "host=h password=*** dbname=d");
    expect_redacted("host=h password='se cr\\'et' dbname=d", "host=h password=*** dbname=d");
    expect_redacted("password='open", "password=***");
    expect_redacted("sqlite:///home/a:b@c/password=x", "sqlite:///home/a:b@c/password=x");
    expect_redacted("Server=h;Pwd=secret;Database=d", "Server=h;Pwd=***;Database=d");
    expect_redacted("", "");
}

static void test_secret(void **state)
{
    char *got = NULL, path[] = "/tmp/tain-secret-XXXXXX", text[64];
    assert_int_equal(tain_secret_resolve("plain:text", &got, &err), TAIN_OK);
    assert_string_equal(got, "plain:text");
    tain_free(got);
    setenv("TAIN_TEST_SECRET", "from env", 1);
    assert_int_equal(tain_secret_resolve("env:TAIN_TEST_SECRET", &got, &err), TAIN_OK);
    assert_string_equal(got, "from env");
    tain_free(got);
    unsetenv("TAIN_TEST_SECRET");
    assert_int_equal(tain_secret_resolve("env:TAIN_TEST_SECRET", &got, &err), TAIN_E_CONFIG);
    assert_non_null(strstr(err.message, "TAIN_TEST_SECRET"));
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "from file \r\n", 12), 12);
    snprintf(text, sizeof text, "file:%s", path);
    assert_int_equal(tain_secret_resolve(text, &got, &err), TAIN_OK);
    assert_string_equal(got, "from file ");
    tain_free(got);
    for (int i = 0; i < 400; i++) assert_int_equal(write(fd, "from file \r\n", 12), 12);
    close(fd);
    assert_int_equal(tain_secret_resolve(text, &got, &err), TAIN_E_CONFIG);
    unlink(path);
    assert_int_equal(tain_secret_resolve(text, &got, &err), TAIN_E_NOT_FOUND);
    assert_int_equal(tain_secret_resolve("file:/", &got, &err), TAIN_E_IO);
}

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        int64_t     want;
    } cases[] = {{"500ms", 500000},      {"2s", 2000000},     {"1m", 60000000}, {"1h", 3600000000}, {"1d", 86400000000},
                 {"7us", 7},             {"1.5s", 1500000},   {"0", 0},         {"0s", 0},          {"10 min", 600000000},
                 {"0.000001s", 1},       {"106751991d", 106751991 * 86400000000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = -1;
        if (tain_parse_duration(cases[i].text, &got, &err) != TAIN_OK || got != cases[i].want) {
            fail_msg("%s gives %lld", cases[i].text, (long long)got);
        }
    }
    static const char *const broken[] = {"", "s", "5", "-1s", "1x", "1s2", "1..5s", ".5s", "1.s", "106751992d", "1s ",
                                         "99999999999999999999s", "1e3s"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        int64_t got = -1;
        if (tain_parse_duration(broken[i], &got, &err) != TAIN_E_INVALID || got != -1) fail_msg("'%s' is taken", broken[i]);
        assert_non_null(strstr(err.message, broken[i]));
    }
}

static void test_size(void **state)
{
    static const struct {
        const char *text;
        int64_t     want;
    } cases[] = {{"256MiB", 256 << 20}, {"64k", 65536}, {"1GB", 1000000000}, {"4096", 4096}, {"1.5M", 3 << 19},
                 {"1 TiB", 1LL << 40},  {"10B", 10},    {"2kb", 2000},       {"0", 0},       {"8G", 8LL << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = -1;
        if (tain_parse_size(cases[i].text, &got, &err) != TAIN_OK || got != cases[i].want) {
            fail_msg("%s gives %lld", cases[i].text, (long long)got);
        }
    }
    int64_t got = -1;
    assert_int_equal(tain_parse_size("1XB", &got, &err), TAIN_E_INVALID);
    assert_int_equal(tain_parse_size("9000000000G", &got, &err), TAIN_E_INVALID);
    assert_int_equal(tain_parse_size("-1", &got, &err), TAIN_E_INVALID);
}

static void test_loopback(void **state)
{
    static const char *const here[] = {"127.0.0.1", "127.9.8.7", "::1", "localhost", "LocalHost"};
    static const char *const elsewhere[] = {"", "127.evil.example", "127.0.0.1.example", "128.0.0.1", "0.0.0.0", "::", "localhost.example", "tain"};
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) assert_true(tain_host_is_loopback(here[i]));
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) assert_false(tain_host_is_loopback(elsewhere[i]));
    assert_false(tain_host_is_loopback(NULL));
}

static void test_human(void **state)
{
    char out[24];
#define EXPECT(call, want) (call, assert_string_equal(out, want))
    assert_string_equal(tain_plural(0), "s");
    assert_string_equal(tain_plural(1), "");
    assert_string_equal(tain_plural(2), "s");
    EXPECT(tain_human_bytes(0, out), "0 B");
    EXPECT(tain_human_bytes(1023, out), "1023 B");
    EXPECT(tain_human_bytes(1024, out), "1.0 KiB");
    EXPECT(tain_human_bytes(3 << 19, out), "1.5 MiB");
    EXPECT(tain_human_bytes((1 << 20) - 1, out), "1023.9 KiB");
    EXPECT(tain_human_bytes(UINT64_MAX, out), "16383.9 PiB");
    EXPECT(tain_human_count(999, out), "999");
    EXPECT(tain_human_count(12345, out), "12.3 k");
    EXPECT(tain_human_count(999999, out), "999.9 k");
    EXPECT(tain_human_count(1000000, out), "1.0 M");
    EXPECT(tain_human_duration(999, out), "999 us");
    EXPECT(tain_human_duration(500 * TAIN_MILLISECOND, out), "500 ms");
    EXPECT(tain_human_duration(59999999, out), "59.9 s");
    EXPECT(tain_human_duration(65 * TAIN_SECOND, out), "1 m 05 s");
    EXPECT(tain_human_duration(3720 * TAIN_SECOND, out), "1 h 02 m");
    EXPECT(tain_human_duration(100 * 3600 * TAIN_SECOND, out), "4 d 04 h");
    EXPECT(tain_human_duration(-2 * TAIN_SECOND, out), "-2.0 s");
    EXPECT(tain_human_duration(INT64_MIN, out), "-106751991 d 04 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),      cmocka_unit_test(test_url_errors), cmocka_unit_test(test_redacted),
        cmocka_unit_test(test_secret),   cmocka_unit_test(test_duration),   cmocka_unit_test(test_size),
        cmocka_unit_test(test_human),    cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
