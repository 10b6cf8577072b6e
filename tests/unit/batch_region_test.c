/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/region.h"

static tain_schema *schema;
static tain_batch   rows; /* n int32, day date, name string */

static int begin(void **state)
{
    schema = tain_schema_new();
    tain_schema_add(schema, "n", tain_type_of(TAIN_INT32));
    tain_schema_add(schema, "day", tain_type_of(TAIN_DATE));
    tain_schema_add(schema, "name", tain_type_of(TAIN_STRING));
    tain_batch_init(&rows, schema);
    return 0;
}

static int end(void **state)
{
    tain_batch_done(&rows);
    tain_schema_free(schema);
    return 0;
}

enum { NONE = INT32_MIN };

static void put(tain_column *c, int v)
{
    if (v == NONE) tain_column_append_null(c);
    else tain_column_append_i32(c, v);
}

static bool has(const tain_region *r, int n, int day, const char *name)
{
    put(&rows.columns[0], n);
    put(&rows.columns[1], day);
    if (name) tain_column_append_bytes(&rows.columns[2], name, strlen(name));
    else tain_column_append_null(&rows.columns[2]);
    tain_batch_end_row(&rows);
    return tain_region_has(r, &rows, rows.rows - 1);
}

static tain_region *all_columns(void)
{
    tain_region *r = tain_alloc(sizeof *r);
    for (uint16_t i = 0; i < 3; i++) assert_int_equal(tain_region_column(r, (uint16_t)(i + 4)), i);
    assert_int_equal(tain_region_column(r, 5), 1);
    return r;
}

static void a_range_holds_its_beginning_and_not_its_end(void **state)
{
    tain_region *r = all_columns();
    tain_bound *b = tain_region_add(r, false, (uint16_t[]){1}, &schema->fields[1].type, 1);
    put(&b->values.columns[0], 10);
    put(&b->values.columns[0], 20);
    assert_false(has(r, 0, 9, "x"));
    assert_true(has(r, 0, 10, "x"));
    assert_true(has(r, NONE, 19, NULL));
    assert_false(has(r, 0, 20, "x"));
    assert_false(has(r, 0, NONE, "x"));
    b->open[1] = 1;
    assert_true(has(r, 0, 2000, "x"));
    b->open[0] = -1;
    assert_true(has(r, 0, -2000, "x"));
    assert_false(has(r, 0, NONE, "x"));
    tain_region_free(r);
}

/* FROM (1, 5) TO (3, MINVALUE) */
static void columns_of_a_range_count_one_after_the_other(void **state)
{
    tain_region *r = all_columns();
    tain_bound *b = tain_region_add(r, false, (uint16_t[]){0, 1}, (tain_type[]){schema->fields[0].type, schema->fields[1].type}, 2);
    put(&b->values.columns[0], 1);
    put(&b->values.columns[1], 5);
    put(&b->values.columns[0], 3);
    put(&b->values.columns[1], NONE);
    b->open[3] = -1;
    assert_false(has(r, 1, 4, "x"));
    assert_true(has(r, 1, 5, "x"));
    assert_true(has(r, 2, -9, "x"));
    assert_true(has(r, 2, 9, "x"));
    assert_false(has(r, 3, -9, "x"));
    tain_region_free(r);
}

static void a_list_holds_its_values(void **state)
{
    tain_region *r = all_columns();
    tain_bound *b = tain_region_add(r, true, (uint16_t[]){2}, &schema->fields[2].type, 1);
    tain_column_append_bytes(&b->values.columns[0], "de", 2);
    tain_batch_end_row(&b->values);
    assert_true(has(r, 0, 0, "de"));
    assert_false(has(r, 0, 0, "d"));
    assert_false(has(r, 0, 0, NULL));
    tain_column_append_null(&b->values.columns[0]);
    tain_batch_end_row(&b->values);
    assert_true(has(r, 0, 0, NULL));
    tain_region_free(r);
}

static void every_bound_must_hold(void **state)
{
    tain_region *r = all_columns();
    tain_bound *b = tain_region_add(r, true, (uint16_t[]){0}, &schema->fields[0].type, 1);
    put(&b->values.columns[0], 7);
    tain_batch_end_row(&b->values);
    b = tain_region_add(r, false, (uint16_t[]){1}, &schema->fields[1].type, 1);
    put(&b->values.columns[0], 10);
    put(&b->values.columns[0], 20);
    assert_true(has(r, 7, 15, "x"));
    assert_false(has(r, 8, 15, "x"));
    assert_false(has(r, 7, 25, "x"));
    tain_region_free(r);
}

static void decimals_are_numbers(void **state)
{
    tain_type type = tain_type_decimal(30, 2);
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "d", type);
    tain_batch d;
    tain_batch_init(&d, s);
    tain_region *r = tain_alloc(sizeof *r);
    uint16_t column = tain_region_column(r, 0);
    tain_bound *b = tain_region_add(r, false, &column, &type, 1);
    tain_column_append_i128(&b->values.columns[0], -500);
    tain_column_append_i128(&b->values.columns[0], (__int128)1 << 80);
    for (int i = 0; i < 3; i++) tain_column_append_i128(&d.columns[0], i == 0 ? -501 : i == 1 ? ((__int128)1 << 80) - 1 : -1);
    assert_false(tain_region_has(r, &d, 0));
    assert_true(tain_region_has(r, &d, 1));
    assert_true(tain_region_has(r, &d, 2));
    tain_region_free(r);
    tain_batch_done(&d);
    tain_schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_range_holds_its_beginning_and_not_its_end, begin, end),
        cmocka_unit_test_setup_teardown(columns_of_a_range_count_one_after_the_other, begin, end),
        cmocka_unit_test_setup_teardown(a_list_holds_its_values, begin, end),
        cmocka_unit_test_setup_teardown(every_bound_must_hold, begin, end),
        cmocka_unit_test(decimals_are_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
