/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/arrow.h"
#include "batch_random.h"

static void columns_move_out_as_they_are(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_schema_add(s, "n", tain_type_decimal(10, 2));
    tain_schema_add(s, "t", tain_type_of(TAIN_STRING))->nullable = false;
    tain_schema_add(s, "l", tain_type_list(s, tain_type_of(TAIN_INT32)));
    static tain_field kv[2] = {{.name = "key", .type = {.kind = TAIN_STRING}},
                               {.name = "value", .type = {.kind = TAIN_INT32}, .nullable = true}};
    tain_schema_add(s, "m", (tain_type){.kind = TAIN_MAP, .child_count = 2, .children = kv});
    tain_batch b;
    tain_batch_init(&b, s);
    tain_column_append_i64(&b.columns[0], -125);
    tain_column_append_bytes(&b.columns[1], "tin", 3);
    tain_column_append_i32(&b.columns[2].children[0], 7);
    tain_column_end_list(&b.columns[2]);
    tain_column_append_null(&b.columns[3]);
    tain_batch_end_row(&b);
    tain_column_append_null(&b.columns[0]);
    tain_column_append_bytes(&b.columns[1], "", 0);
    tain_column_append_null(&b.columns[2]);
    tain_column_append_bytes(&b.columns[3].children[0], "k", 1);
    tain_column_append_null(&b.columns[3].children[1]);
    tain_column_end_list(&b.columns[3]);
    tain_batch_end_row(&b);

    struct ArrowSchema schema;
    struct ArrowArray  array;
    const uint8_t     *text = b.columns[1].bytes.data;
    tain_arrow_schema(s, &schema);
    tain_arrow_batch(&b, &array);
    assert_int_equal(b.rows, 0);
    assert_string_equal(schema.format, "+s");
    assert_string_equal(schema.children[0]->format, "d:10,2");
    assert_int_equal(schema.children[0]->flags, ARROW_FLAG_NULLABLE);
    assert_int_equal(schema.children[1]->flags, 0);
    assert_string_equal(schema.children[3]->children[0]->children[0]->name, "key");
    assert_int_equal(array.length, 2);
    assert_int_equal(array.n_children, 4);
    const __int128 *n = array.children[0]->buffers[1];
    assert_true(n[0] == -125);
    assert_int_equal(array.children[0]->null_count, 1);
    assert_int_equal(*(const uint8_t *)array.children[0]->buffers[0], 1);
    assert_ptr_equal(array.children[1]->buffers[2], text); /* moved, not copied */
    assert_null(array.children[1]->buffers[0]);
    assert_int_equal(((const int32_t *)array.children[2]->buffers[1])[2], 1);
    assert_int_equal(array.children[2]->children[0]->length, 1);
    assert_int_equal(array.children[3]->children[0]->n_children, 2);
    assert_int_equal(array.children[3]->children[0]->length, 1);
    schema.release(&schema);
    array.release(&array);
    assert_null(schema.release);
    assert_null(array.release);

    tain_column_append_i64(&b.columns[0], 1); /* and the batch goes on */
    assert_int_equal(b.columns[0].length, 1);
    tain_batch_done(&b);
}

static void an_empty_batch_has_all_buffers(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_schema_add(s, "t", tain_type_of(TAIN_STRING));
    tain_schema_add(s, "b", tain_type_of(TAIN_BOOL));
    tain_batch        b;
    struct ArrowArray array;
    tain_batch_init(&b, s);
    tain_arrow_batch(&b, &array);
    assert_int_equal(*(const int32_t *)array.children[0]->buffers[1], 0);
    assert_non_null(array.children[0]->buffers[2]);
    assert_non_null(array.children[1]->buffers[1]);
    array.release(&array);
    tain_batch_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_move_out_as_they_are),
                                       cmocka_unit_test(an_empty_batch_has_all_buffers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
