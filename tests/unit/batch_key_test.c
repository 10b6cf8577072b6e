/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch/key.h"
#include "batch_random.h"

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void an_exact_key_is_told_apart_by_its_hash(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_schema_add(s, "k", tain_type_of(TAIN_INT16));
    tain_batch b;
    tain_batch_init(&b, s);
    for (int v = -32768; v < 32768; v++) {
        tain_column_append_i16(&b.columns[0], (int16_t)v);
        tain_batch_end_row(&b);
    }
    tain_column_append_null(&b.columns[0]);
    tain_batch_end_row(&b);
    tain_key  key = {.columns = (uint16_t[]){0}, .count = 1, .seed = 12345};
    uint64_t *h = calloc(b.rows, sizeof *h), *sorted = calloc(b.rows, sizeof *sorted);
    assert_true(tain_key_exact(&key, s));
    tain_key_hash(&key, &b, 0, b.rows, h);
    memcpy(sorted, h, b.rows * sizeof *h);
    qsort(sorted, b.rows, sizeof *sorted, by_hash);
    for (size_t i = 1; i < b.rows; i++) assert_true(sorted[i] != sorted[i - 1]);
    free(h);
    free(sorted);
    tain_batch_done(&b);
}

/* A hash belongs to the value: it is the same in a wider integer, at another place, beside other columns. */
static void a_hash_is_of_values_alone(void **state)
{
    random_begin("a_hash_is_of_values_alone");
    TAIN_AUTO(tain_schema_free) tain_schema *narrow = tain_schema_new(), *wide = tain_schema_new();
    tain_schema_add(narrow, "a", tain_type_of(TAIN_INT32));
    tain_schema_add(narrow, "b", tain_type_of(TAIN_STRING));
    tain_schema_add(narrow, "c", tain_type_decimal(10, 2));
    tain_schema_add(wide, "c", tain_type_decimal(30, 2));
    tain_schema_add(wide, "b", tain_type_of(TAIN_STRING));
    tain_schema_add(wide, "a", tain_type_of(TAIN_INT64));
    tain_batch x, y;
    tain_batch_init(&x, narrow);
    tain_batch_init(&y, wide);
    enum { N = 500 };
    for (int i = 0; i < N; i++) {
        int32_t a = (int32_t)random_next();
        int64_t c = (int64_t)random_decimal(10);
        char    text[32];
        int     n = snprintf(text, sizeof text, "%d", a);
        tain_column_append_i32(&x.columns[0], a);
        tain_column_append_bytes(&x.columns[1], text, (size_t)n);
        tain_column_append_i64(&x.columns[2], c);
        tain_column_append_i64(&y.columns[2], a);
        tain_column_append_bytes(&y.columns[1], text, (size_t)n);
        tain_column_append_i128(&y.columns[0], c);
        tain_batch_end_row(&x);
        tain_batch_end_row(&y);
    }
    uint64_t h[N], g[N], part[10];
    tain_key kx = {.columns = (uint16_t[]){0, 1, 2}, .count = 3, .seed = 9},
             ky = {.columns = (uint16_t[]){2, 1, 0}, .count = 3, .seed = 9};
    tain_key_hash(&kx, &x, 0, N, h);
    tain_key_hash(&ky, &y, 0, N, g);
    assert_memory_equal(h, g, sizeof h);
    tain_key_hash(&kx, &x, 100, 10, part);
    assert_memory_equal(part, h + 100, sizeof part);
    kx.seed = 10;
    tain_key_hash(&kx, &x, 0, 10, part);
    assert_memory_not_equal(part, h, sizeof part);
    tain_batch_done(&x);
    tain_batch_done(&y);
}

/* Rows that are equal hash equal, rows that differ do not (64 bits, few rows). */
static void row_hashes_follow_equality(void **state)
{
    random_begin("row_hashes_follow_equality");
    for (int round = 0; round < 40; round++) {
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
        random_shape shapes[3];
        uint16_t     columns[] = {0, 1, 2};
        for (size_t i = 0; i < 3; i++) {
            tain_schema_add(s, "c", random_type(s, true));
            shapes[i] = random_shape_new();
            if (shapes[i].distinct > 7) shapes[i].distinct = 2;
        }
        tain_batch b;
        tain_batch_init(&b, s);
        random_rows(&b, shapes, 60);
        uint64_t h[60];
        tain_key key = {.columns = columns, .count = 3};
        tain_row_hash(&b, 0, 60, h);
        for (size_t i = 0; i < 60; i++)
            for (size_t j = 0; j < 60; j++) assert_int_equal(tain_key_equal(&key, &b, i, &b, j), h[i] == h[j]);
        tain_batch_done(&b);
    }
}

static void append_some(tain_column *c, int64_t v)
{
    switch (c->type.kind) {
    case TAIN_INT64: tain_column_append_i64(c, v); break;
    case TAIN_INT32: tain_column_append_i32(c, (int32_t)v); break;
    case TAIN_DATE: tain_column_append_i32(c, (int32_t)v); break;
    default: tain_column_append_double(c, (double)v / 3);
    }
}

/* Columns without nulls are hashed by another loop. */
static void a_null_elsewhere_changes_no_hash(void **state)
{
    static const tain_kind kinds[] = {TAIN_INT64, TAIN_INT32, TAIN_DATE, TAIN_DOUBLE};
    for (size_t k = 0; k < 4; k++) {
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
        tain_schema_add(s, "c", tain_type_of(kinds[k]));
        tain_batch b;
        tain_batch_init(&b, s);
        for (int64_t v = -2; v <= 2; v++) {
            append_some(&b.columns[0], v * 1000003);
            tain_batch_end_row(&b);
        }
        uint64_t full[5], holed[6];
        tain_row_hash(&b, 0, 5, full);
        tain_column_append_null(&b.columns[0]);
        tain_batch_end_row(&b);
        tain_row_hash(&b, 0, 6, holed);
        assert_memory_equal(full, holed, sizeof full);
        tain_batch_done(&b);
    }
}

static void text_names_a_row(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_schema_add(s, "a", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "b", tain_type_of(TAIN_STRING));
    tain_schema_add(s, "c", tain_type_of(TAIN_DATE));
    tain_batch b;
    tain_batch_init(&b, s);
    tain_column_append_i64(&b.columns[0], 42);
    tain_column_append_bytes(&b.columns[1], "it's", 4);
    tain_column_append_null(&b.columns[2]);
    tain_batch_end_row(&b);
    tain_key key = {.columns = (uint16_t[]){0, 1, 2}, .count = 3};
    tain_key_text(&key, &b, 0, &text);
    assert_string_equal(tain_buffer_cstr(&text), "(42, 'it''s', NULL)");
    tain_batch_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_key_is_told_apart_by_its_hash),
        cmocka_unit_test(a_hash_is_of_values_alone),
        cmocka_unit_test(row_hashes_follow_equality),
        cmocka_unit_test(a_null_elsewhere_changes_no_hash),
        cmocka_unit_test(text_names_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
