/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch_random.h"

static void check_invariants(const tain_column *c)
{
    size_t nulls = 0;
    for (size_t i = 0; i < c->length; i++) nulls += tain_column_is_null(c, i);
    assert_int_equal(nulls, c->null_count);
    if (c->null_count == 0) assert_int_equal(c->validity.size, 0);
    else assert_int_equal(c->validity.size, (c->length + 7) / 8);
    if (c->validity.size && c->length & 7) assert_int_equal(c->validity.data[c->validity.size - 1] >> (c->length & 7), 0);
    if (c->type.kind == TAIN_BOOL) assert_int_equal(c->values.size, (c->length + 7) / 8);
    else if (c->type.kind <= TAIN_DECIMAL || c->type.kind == TAIN_DATE)
        assert_int_equal(c->values.size, c->length * tain_type_width(&c->type));
    else if (c->type.kind == TAIN_STRING && c->length) {
        const int32_t *o = (const int32_t *)c->values.data;
        assert_int_equal(c->values.size, (c->length + 1) * 4);
        assert_int_equal(o[0], 0);
        assert_int_equal((size_t)o[c->length], c->bytes.size);
    }
    for (size_t k = 0; k < c->type.child_count; k++) check_invariants(&c->children[k]);
}

static tain_schema *random_schema(size_t columns)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < columns; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%zu", i);
        tain_schema_add(s, name, random_type(s, true));
    }
    static tain_field pair[2] = {{.name = "key", .physical = "key", .type = {.kind = TAIN_STRING}},
                                 {.name = "value", .physical = "value", .type = {.kind = TAIN_INT32}, .nullable = true}};
    tain_schema_add(s, "struct", (tain_type){.kind = TAIN_STRUCT, .child_count = 2, .children = pair});
    tain_schema_add(s, "map", (tain_type){.kind = TAIN_MAP, .child_count = 2, .children = pair});
    return s;
}

/* take: the same rows one by one and in bulk are the same values, whatever the alignment and the nulls. */
static void take_gives_the_rows(void **state)
{
    random_begin("take_gives_the_rows");
    for (int round = 0; round < 60; round++) {
        TAIN_AUTO(tain_schema_free) tain_schema *schema = random_schema(6);
        random_shape shapes[8];
        tain_batch   from, ranges, picked;
        for (size_t i = 0; i < 8; i++) shapes[i] = random_shape_new();
        tain_batch_init(&from, schema);
        tain_batch_init(&ranges, schema);
        tain_batch_init(&picked, schema);
        random_rows(&from, shapes, 200);
        uint32_t rows[400], expected[400];
        size_t   n = 0, expected_count = 0;
        while (expected_count < 250) {
            size_t first = random_below(200), count = random_below(200 - first) % 70;
            tain_batch_take(&ranges, &from, NULL, first, count);
            for (size_t i = 0; i < count; i++) expected[expected_count++] = (uint32_t)(first + i);
        }
        for (; n < 300; n++) rows[n] = (uint32_t)random_below(200);
        for (size_t at = 0; at < n;) {
            size_t count = random_below(40) % (n - at + 1);
            tain_batch_take(&picked, &from, rows + at, 0, count);
            at += count;
        }
        for (size_t c = 0; c < schema->count; c++) {
            check_invariants(&from.columns[c]);
            check_invariants(&ranges.columns[c]);
            check_invariants(&picked.columns[c]);
            for (size_t i = 0; i < expected_count; i++)
                assert_true(tain_column_equal_at(&ranges.columns[c], i, &from.columns[c], expected[i]));
            for (size_t i = 0; i < n; i++) assert_true(tain_column_equal_at(&picked.columns[c], i, &from.columns[c], rows[i]));
        }
        tain_batch_done(&from);
        tain_batch_done(&ranges);
        tain_batch_done(&picked);
    }
}

static void truncate_forgets_only_what_is_behind(void **state)
{
    random_begin("truncate_forgets_only_what_is_behind");
    for (int round = 0; round < 60; round++) {
        TAIN_AUTO(tain_schema_free) tain_schema *schema = random_schema(6);
        random_shape shapes[8];
        tain_batch   b, copy;
        for (size_t i = 0; i < 8; i++) shapes[i] = random_shape_new();
        tain_batch_init(&b, schema);
        tain_batch_init(&copy, schema);
        random_rows(&b, shapes, 100);
        tain_batch_take(&copy, &b, NULL, 0, 100);
        size_t keep = random_below(101);
        for (size_t c = 0; c < schema->count; c++) tain_column_truncate(&b.columns[c], keep);
        b.rows = keep;
        random_rows(&b, shapes, 30);
        for (size_t c = 0; c < schema->count; c++) {
            check_invariants(&b.columns[c]);
            assert_int_equal(b.columns[c].length, keep + 30);
            for (size_t i = 0; i < keep; i++) assert_true(tain_column_equal_at(&b.columns[c], i, &copy.columns[c], i));
        }
        tain_batch_done(&b);
        tain_batch_done(&copy);
    }
}

static void an_abandoned_row_leaves_no_trace(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *schema = tain_schema_new();
    tain_schema_add(schema, "a", tain_type_of(TAIN_INT32));
    tain_schema_add(schema, "b", tain_type_of(TAIN_STRING));
    tain_schema_add(schema, "l", tain_type_list(schema, tain_type_of(TAIN_INT64)));
    tain_changes c;
    tain_changes_init(&c, schema);
    tain_column_append_i32(&c.batch.columns[0], 1);
    tain_changes_append_unchanged(&c, 1);
    tain_column_append_i64(&c.batch.columns[2].children[0], 5); /* a list that is not ended */
    tain_changes_abandon_row(&c);
    assert_int_equal(c.batch.columns[0].length, 0);
    assert_int_equal(c.batch.columns[2].children[0].length, 0);
    tain_column_append_i32(&c.batch.columns[0], 2);
    tain_column_append_bytes(&c.batch.columns[1], "x", 1);
    tain_column_append_null(&c.batch.columns[2]);
    tain_changes_end_row(&c, TAIN_INSERT);
    assert_false(tain_changes_is_unchanged(&c, 1, 0));
    tain_column_append_i32(&c.batch.columns[0], 2);
    tain_changes_append_unchanged(&c, 1);
    tain_column_append_null(&c.batch.columns[2]);
    tain_changes_end_row(&c, TAIN_UPDATE);
    assert_true(tain_changes_is_unchanged(&c, 1, 1));
    assert_false(tain_changes_is_unchanged(&c, 0, 1));
    assert_true(tain_column_is_null(&c.batch.columns[1], 1));
    tain_changes_clear(&c);
    assert_int_equal(tain_changes_bytes(&c), 0);
    tain_changes_done(&c);
}

static void assert_text(const tain_column *c, size_t i, const char *expected)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_column_text(c, i, &text);
    assert_string_equal(tain_buffer_cstr(&text), expected);
}

static void text_is_what_people_read(void **state)
{
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_column c;
    tain_column_init(&c, tain_type_decimal(10, 3));
    tain_column_append_i64(&c, -5);
    tain_column_append_i64(&c, 1234567);
    tain_column_append_null(&c);
    assert_text(&c, 0, "-0.005");
    assert_text(&c, 1, "1234.567");
    assert_text(&c, 2, "");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_decimal(38, 0));
    tain_column_append_i128(&c, -((__int128)1 << 126));
    assert_text(&c, 0, "-85070591730234615865843651857942052864");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_of(TAIN_DOUBLE));
    tain_column_append_double(&c, 0.1);
    tain_column_append_double(&c, 1.0 / 3);
    assert_text(&c, 0, "0.1");
    assert_text(&c, 1, "0.3333333333333333");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_of(TAIN_FLOAT));
    tain_column_append_float(&c, 0.1f);
    assert_text(&c, 0, "0.1");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_of(TAIN_TIMESTAMP));
    tain_column_append_i64(&c, -1);
    tain_column_append_i64(&c, 1000);
    tain_column_append_i64(&c, 0);
    assert_text(&c, 0, "1969-12-31T23:59:59.999999Z");
    assert_text(&c, 1, "1970-01-01T00:00:00.001Z");
    assert_text(&c, 2, "1970-01-01T00:00:00Z");
    c.type.kind = TAIN_TIMESTAMP_NTZ;
    assert_text(&c, 2, "1970-01-01T00:00:00");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_of(TAIN_DATE));
    tain_column_append_i32(&c, -719162);
    assert_text(&c, 0, "0001-01-01");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_of(TAIN_BINARY));
    tain_column_append_bytes(&c, "\x00\xff", 2);
    assert_text(&c, 0, "00ff");
    tain_column_done(&c);
    tain_column_init(&c, tain_type_list(s, tain_type_of(TAIN_STRING)));
    tain_column_append_bytes(&c.children[0], "a\"b", 3);
    tain_column_append_null(&c.children[0]);
    tain_column_end_list(&c);
    tain_column_end_list(&c);
    assert_text(&c, 0, "[\"a\\\"b\",null]");
    assert_text(&c, 1, "[]");
    tain_column_done(&c);
}

static void equality_is_of_values(void **state)
{
    tain_column c;
    tain_column_init(&c, tain_type_of(TAIN_DOUBLE));
    tain_column_append_double(&c, 0.0);
    tain_column_append_double(&c, -0.0);
    tain_column_append_double(&c, (double)NAN);
    tain_column_append_double(&c, -(double)NAN);
    tain_column_append_null(&c);
    assert_false(tain_column_equal_at(&c, 0, &c, 1));
    assert_true(tain_column_equal_at(&c, 2, &c, 3));
    assert_true(tain_column_equal_at(&c, 4, &c, 4));
    assert_false(tain_column_equal_at(&c, 0, &c, 4));
    tain_column_done(&c);
}

static void append_one(tain_column *c, const tain_column *more)
{
    (void)more;
    tain_column_append_bytes(c, "x", 1);
}

static void take_range(tain_column *c, const tain_column *more)
{
    tain_column_take(c, more, NULL, 0, 1);
}

static void take_rows(tain_column *c, const tain_column *more)
{
    tain_column_take(c, more, (const uint32_t[]){0}, 0, 1);
}

/* A column of 2^31 - 1 bytes, of which none was ever touched. */
static void fill(tain_column *c)
{
    size_t room = (size_t)INT32_MAX + 4096;
    tain_column_append_bytes(c, NULL, 0);
    tain_free(c->bytes.data);
    c->bytes.data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->bytes.data == MAP_FAILED) _exit(1);
    c->bytes.capacity = room;
    c->bytes.size = INT32_MAX;
}

static int append_to_a_full_one(void (*append)(tain_column *c, const tain_column *more))
{
    pid_t child = fork();
    if (child == 0) {
        tain_column c, more;
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        close(STDERR_FILENO);
        tain_column_init(&c, tain_type_of(TAIN_STRING));
        tain_column_init(&more, tain_type_of(TAIN_STRING));
        tain_column_append_bytes(&more, "x", 1);
        fill(&c);
        append(&c, &more);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Offsets that do not fit would make other values of these: better to die, and to come back at the last epoch. */
static void text_beyond_2_gib_is_refused(void **state)
{
    assert_int_equal(append_to_a_full_one(append_one), SIGABRT);
    assert_int_equal(append_to_a_full_one(take_range), SIGABRT);
    assert_int_equal(append_to_a_full_one(take_rows), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_gives_the_rows),      cmocka_unit_test(truncate_forgets_only_what_is_behind),
        cmocka_unit_test(an_abandoned_row_leaves_no_trace), cmocka_unit_test(text_is_what_people_read),
        cmocka_unit_test(equality_is_of_values),    cmocka_unit_test(text_beyond_2_gib_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
