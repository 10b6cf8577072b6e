/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch_random.h"

static const char spark[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}},"
    "{\"name\":\"price\",\"type\":\"decimal(38,4)\",\"nullable\":true,\"metadata\":{\"comment\":\"a \\\"price\\\"\"}},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"elementType\":\"string\",\"containsNull\":false},\"nullable\":true,"
    "\"metadata\":{}},"
    "{\"name\":\"old\",\"type\":\"timestamp_ntz\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":7,\"delta."
    "columnMapping.physicalName\":\"col-1\"}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"integer\",\"valueContainsNull\":true},"
    "\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"s\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":\"double\",\"nullable\":true,"
    "\"metadata\":{}}]},\"nullable\":true,\"metadata\":{}}]}";

static void a_schema_survives_json(void **state)
{
    tain_error err;
    TAIN_AUTO(tain_schema_free) tain_schema *s = NULL;
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    assert_int_equal(tain_schema_from_json(spark, strlen(spark), &s, &err), TAIN_OK);
    assert_int_equal(s->count, 6);
    assert_false(s->fields[0].nullable);
    assert_int_equal(s->fields[1].type.precision, 38);
    assert_false(s->fields[2].type.children[0].nullable);
    assert_string_equal(s->fields[3].physical, "col-1");
    assert_int_equal(s->fields[3].id, 7);
    assert_string_equal(s->fields[5].type.children[0].name, "x");
    tain_schema_to_json(s, &text);
    assert_string_equal(tain_buffer_cstr(&text), spark);
}

static void a_copy_is_independent(void **state)
{
    tain_error err;
    tain_schema *s = NULL;
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    assert_int_equal(tain_schema_from_json(spark, strlen(spark), &s, &err), TAIN_OK);
    TAIN_AUTO(tain_schema_free) tain_schema *copy = tain_schema_copy(s);
    assert_true(tain_schema_equal(s, copy));
    tain_schema_free(s);
    for (int i = 0; i < 40; i++) tain_schema_add(copy, "more", tain_type_of(TAIN_BOOL));
    tain_schema_to_json(copy, &text);
    assert_memory_equal(text.data, spark, strlen(spark) - 2);
    assert_int_equal(tain_schema_find(copy, "tags"), 2);
    assert_int_equal(tain_schema_find(copy, "TAGS"), -1);
}

static void what_is_not_understood_is_said(void **state)
{
    static const struct { const char *type; tain_status status; const char *part; } cases[] = {
        {"\"variant\"", TAIN_E_UNSUPPORTED, "column c: type \"variant\""},
        {"\"decimal(39,0)\"", TAIN_E_CORRUPT, "decimal"},
        {"\"decimal(5,6)\"", TAIN_E_CORRUPT, "decimal"},
        {"\"decimal(5,2)x\"", TAIN_E_CORRUPT, "decimal"},
        {"7", TAIN_E_CORRUPT, "neither"},
        {"{\"type\":\"set\"}", TAIN_E_UNSUPPORTED, "set"},
        {"{\"type\":\"array\"}", TAIN_E_CORRUPT, "neither"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_error   err;
        tain_schema *s = NULL;
        char         text[200];
        snprintf(text, sizeof text, "{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":%s}]}", cases[i].type);
        assert_int_equal(tain_schema_from_json(text, strlen(text), &s, &err), cases[i].status);
        assert_non_null(strstr(err.message, cases[i].part));
        assert_null(s);
    }
}

static void deep_nesting_is_refused(void **state)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_schema *s = NULL;
    tain_buffer_append_str(&text, "{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":");
    for (int i = 0; i < 500; i++) tain_buffer_append_str(&text, "{\"type\":\"array\",\"elementType\":");
    tain_buffer_append_str(&text, "\"long\"");
    for (int i = 0; i < 500; i++) tain_buffer_append_str(&text, "}");
    tain_buffer_append_str(&text, "}]}");
    assert_int_equal(tain_schema_from_json((char *)text.data, text.size, &s, NULL), TAIN_E_UNSUPPORTED);
}

static void random_schemas_survive_json(void **state)
{
    random_begin("random_schemas_survive_json");
    for (int round = 0; round < 200; round++) {
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new(), *back = NULL;
        TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
        for (size_t n = random_below(20); n--;) {
            char name[8] = "\xc3\xa9 \"\\";
            name[5] = (char)('a' + random_below(26));
            tain_schema_add(s, name, random_type(s, true))->nullable = random_below(2);
        }
        tain_schema_to_json(s, &text);
        assert_int_equal(tain_schema_from_json((char *)text.data, text.size, &back, NULL), TAIN_OK);
        assert_true(tain_schema_equal(s, back));
        for (size_t i = 0; i < s->count; i++) assert_int_equal(s->fields[i].nullable, back->fields[i].nullable);
        tain_schema_free(s);
        s = NULL;
    }
}

static void names_are_those_of_delta(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_type t = tain_type_list(s, tain_type_decimal(10, 2));
    tain_type_name(&t, &text);
    assert_string_equal(tain_buffer_cstr(&text), "array<decimal(10,2)>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_survives_json),         cmocka_unit_test(a_copy_is_independent),
        cmocka_unit_test(what_is_not_understood_is_said), cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(random_schemas_survive_json),    cmocka_unit_test(names_are_those_of_delta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
