/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"

static void test_writer(void **state)
{
    tain_buffer out = {0};
    tain_json   j = {.out = &out};
    tain_json_object(&j);
    tain_json_kstr(&j, "a", "x\"\\\n\t\x01/é");
    tain_json_kint(&j, "b", INT64_MIN);
    tain_json_key(&j, "c");
    tain_json_array(&j);
    tain_json_int(&j, 0);
    tain_json_array(&j);
    tain_json_array_end(&j);
    tain_json_object(&j);
    tain_json_object_end(&j);
    tain_json_null(&j);
    tain_json_raw(&j, "1.50", 4);
    tain_json_array_end(&j);
    tain_json_kbool(&j, "d", true);
    tain_json_kstr(&j, "e", NULL);
    tain_json_key(&j, "f");
    tain_json_strn(&j, "abc", 2);
    tain_json_key(&j, "g\"");
    tain_json_bool(&j, false);
    tain_json_object_end(&j);
    assert_string_equal(tain_buffer_cstr(&out), "{\"a\":\"x\\\"\\\\\\n\\t\\u0001/é\",\"b\":-9223372036854775808,"
                                                "\"c\":[0,[],{},null,1.50],\"d\":true,\"e\":null,\"f\":\"ab\",\"g\\\"\":false}");
    tain_buffer_done(&out);
}

/* Every text comes back from a parser we did not write. */
static void test_text_round_trip(void **state)
{
    uint32_t seed;
    tain_random(&seed, sizeof seed);
    print_message("seed %u\n", seed);
    for (int round = 0; round < 2000; round++) {
        tain_buffer raw = {0}, in = {0}, out = {0};
        for (int n = rand_r(&seed) % 40; n > 0; n--) tain_buffer_append_u8(&raw, (uint8_t)(rand_r(&seed) >> (rand_r(&seed) % 4)));
        tain_utf8_repair(raw.data, raw.size, &in);
        tain_json j = {.out = &out};
        tain_json_strn(&j, (const char *)in.data, in.size);
        json_t    *v = NULL;
        tain_error err;
        assert_int_equal(tain_json_parse(out.data, out.size, "it", &v, &err), TAIN_OK);
        assert_int_equal(json_string_length(v), in.size);
        assert_memory_equal(json_string_value(v), tain_buffer_cstr(&in), in.size);
        json_decref(v);
        tain_buffer_done(&raw);
        tain_buffer_done(&in);
        tain_buffer_done(&out);
    }
}

static void test_int_round_trip(void **state)
{
    static const int64_t cases[] = {0, 1, -1, 9, 10, -10, 99, 100, INT64_MAX, INT64_MIN, 1234567890123456789};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tain_buffer out = {0};
        tain_json   j = {.out = &out};
        tain_json_int(&j, cases[i]);
        assert_int_equal(strtoll(tain_buffer_cstr(&out), NULL, 10), cases[i]);
        tain_buffer_done(&out);
    }
}

static void test_parse(void **state)
{
    tain_error  err;
    json_t     *o = NULL;
    const char *text = "{\"s\":\"x\",\"i\":7,\"b\":true,\"n\":null} ";
    assert_int_equal(tain_json_parse(text, strlen(text), "o", &o, &err), TAIN_OK);
    assert_string_equal(tain_json_get_str(o, "s", "d"), "x");
    assert_string_equal(tain_json_get_str(o, "i", "d"), "d");
    assert_string_equal(tain_json_get_str(o, "none", "d"), "d");
    assert_null(tain_json_get_str(o, "n", NULL));
    assert_int_equal(tain_json_get_int(o, "i", -1), 7);
    assert_int_equal(tain_json_get_int(o, "s", -1), -1);
    assert_true(tain_json_get_bool(o, "b", false));
    assert_true(tain_json_get_bool(o, "n", true));
    assert_int_equal(tain_json_get_int(NULL, "x", 3), 3);
    json_decref(o);
    assert_int_equal(tain_json_parse("\xEF\xBB\xBF{}", 5, "o", &o, &err), TAIN_OK);
    assert_true(json_is_object(o));
    json_decref(o);
}

static void test_parse_errors(void **state)
{
    static const char *const broken[] = {"", "{", "{\"a\":}", "[1,]", "{} x", "\"\xff\"", "nul", "{\"a\":1e999}", "\xEF\xBB\xBF", "\xEF\xBB\xBF\xEF\xBB\xBF{}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tain_error err;
        json_t    *v = NULL;
        assert_int_equal(tain_json_parse(broken[i], strlen(broken[i]), "the file", &v, &err), TAIN_E_CORRUPT);
        assert_null(v);
        assert_int_equal(strncmp(err.message, "the file: not JSON", 18), 0);
    }
    json_t *v;
    assert_int_equal(tain_json_parse(NULL, 0, "nothing", &v, NULL), TAIN_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer), cmocka_unit_test(test_text_round_trip), cmocka_unit_test(test_int_round_trip),
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_parse_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
