/* SPDX-License-Identifier: MIT */
/* text.h without URLs and quantities */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static uint32_t seed;

static uint32_t below(uint32_t n)
{
    return (uint32_t)rand_r(&seed) % n;
}

/* The meaning of a glob, said plainly; exponential. ASCII only. */
static bool plainly(const char *p, const char *t)
{
    if (!*p) return !*t;
    if (*p == '\\' && p[1]) return *t == p[1] && plainly(p + 2, t + 1);
    if (*p == '*') return plainly(p + 1, t) || (*t && plainly(p, t + 1));
    return *t && (*p == '?' || *p == *t) && plainly(p + 1, t + 1);
}

static void random_text(char *out, const char *alphabet, size_t longest)
{
    for (size_t n = below((uint32_t)longest + 1); n > 0; n--) *out++ = alphabet[below((uint32_t)strlen(alphabet))];
    *out = 0;
}

static void test_glob(void **state)
{
    for (int i = 0; i < 100000; i++) {
        char pattern[10], text[14];
        random_text(pattern, "ab*?\\", 8);
        random_text(text, "ab*\\", 12);
        if (tain_glob_match(pattern, text) != plainly(pattern, text)) fail_msg("'%s' on '%s'", pattern, text);
    }
    assert_true(tain_glob_match("public.*", "public.orders"));
    assert_false(tain_glob_match("public.*", "Public.orders"));
    assert_true(tain_glob_match("stra?e", "straße"));
    assert_false(tain_glob_match("stra??e", "straße"));
    assert_true(tain_glob_match("*?", "ß"));
    assert_true(tain_glob_match("", ""));
}

/* UTF-8 by definition: a code point is encoded in the shortest way, and is no surrogate. */
static size_t encode(uint32_t c, uint8_t out[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)(n == 1 ? c : (0xF00u >> n & 0xFF) | c);
    return n;
}

static void test_utf8_all_characters(void **state)
{
    for (uint32_t c = 0; c < 0x120000; c++) {
        uint8_t text[16] = "abcdefgh";
        size_t  n = encode(c, text + 5);
        bool    valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        if (tain_utf8_valid(text, 5 + n) != valid) fail_msg("U+%04X", c);
        if (n > 1 && tain_utf8_valid(text, 4 + n)) fail_msg("U+%04X cut", c);
    }
}

static void expect_repair(const char *in, const char *want)
{
    tain_buffer out = {0};
    tain_utf8_repair(in, strlen(in), &out);
    assert_string_equal(tain_buffer_cstr(&out), want);
    tain_buffer_done(&out);
}

/* The example of Unicode 15.0, section 3.9, table 3-11, and its neighbours. */
static void test_utf8_repair(void **state)
{
#define FFFD "\xEF\xBF\xBD"
    expect_repair("", "");
    expect_repair("plain", "plain");
    expect_repair("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64",
                  "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d");
    expect_repair("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
    expect_repair("\xED\xA0\x80x", FFFD FFFD FFFD "x");
    expect_repair("ok \xE2\x82", "ok " FFFD);
    expect_repair("caf\xE9 cr\xE8me", "caf" FFFD " cr" FFFD "me");
}

static void test_utf8_random(void **state)
{
    for (int i = 0; i < 20000; i++) {
        uint8_t     in[24];
        size_t      n = below(sizeof in);
        tain_buffer out = {0}, again = {0};
        for (size_t k = 0; k < n; k++) in[k] = (uint8_t)(below(3) ? 0x80 + below(0x80) : below(256));
        tain_utf8_repair(in, n, &out);
        assert_true(tain_utf8_valid(out.data, out.size));
        assert_int_equal(tain_utf8_valid(in, n), out.size == n && (n == 0 || memcmp(in, out.data, n) == 0));
        tain_utf8_repair(out.data, out.size, &again);
        assert_int_equal(again.size, out.size);
        tain_buffer_done(&out);
        tain_buffer_done(&again);
    }
}

static void test_uuid(void **state)
{
    char a[37], b[37];
    for (int i = 0; i < 200; i++) {
        tain_uuid_text(a);
        tain_uuid_text(b);
        assert_string_not_equal(a, b);
        assert_int_equal(strlen(a), 36);
        assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
        assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-' && a[14] == '4' && strchr("89ab", a[19]));
    }
    const uint8_t bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    tain_uuid_format(bytes, a);
    assert_string_equal(a, "01234567-89ab-cdef-fedc-ba9876543210");
}

static void expect_folder(const char *name, const char *want)
{
    char *folder = tain_folder_from_name(name), *back = tain_name_from_folder(folder);
    assert_string_equal(folder, want);
    assert_string_equal(back, name);
    tain_free(folder);
    tain_free(back);
}

static void test_folder(void **state)
{
    expect_folder("orders", "orders");
    expect_folder("Größe & mehr", "Größe & mehr");
    expect_folder("a/b\\c%d$e:f*g?h\"i<j>k|l", "a$2fb$5cc$25d$24e$3af$2ag$3fh$22i$3cj$3ek$7cl");
    expect_folder(".hidden", "$2ehidden");
    expect_folder("_delta_log", "$5fdelta_log");
    expect_folder("..", "$2e.");
    expect_folder("a._", "a._");
    expect_folder("tab\tdel\x7f", "tab$09del$7f");
    char *name = tain_name_from_folder("a$2Fb$zz$2");
    assert_string_equal(name, "a/b$zz$2");
    tain_free(name);
}

static void test_folder_random(void **state)
{
    for (int i = 0; i < 20000; i++) {
        char name[20];
        random_text(name, "a_.$24f/\\%:\x01\xC3\xA9 ", 12);
        char *folder = tain_folder_from_name(name), *back = tain_name_from_folder(folder);
        assert_string_equal(back, name);
        assert_null(strpbrk(folder, "/\\%:*?\"<>|\x01"));
        assert_true(folder[0] != '.' && folder[0] != '_');
        tain_free(folder);
        tain_free(back);
    }
}

int main(void)
{
    tain_random(&seed, sizeof seed);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),        cmocka_unit_test(test_utf8_all_characters), cmocka_unit_test(test_utf8_repair),
        cmocka_unit_test(test_utf8_random), cmocka_unit_test(test_uuid),                cmocka_unit_test(test_folder),
        cmocka_unit_test(test_folder_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
