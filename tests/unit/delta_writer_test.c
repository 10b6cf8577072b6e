/* SPDX-License-Identifier: MIT */
/* Data files through a writer: what is stored, and what its description says. */
#include "delta_fixture.h"

static tain_schema *three_columns(void)
{
    tain_schema *s = id_schema();
    tain_schema_add(s, "name", tain_type_of(TAIN_STRING));
    tain_schema_add(s, "tags", tain_type_list(s, tain_type_of(TAIN_STRING)));
    return s;
}

static void fill(tain_batch *b, int64_t first, int n)
{
    for (int64_t i = first; i < first + n; i++) {
        char name[32];
        int  length = snprintf(name, sizeof name, "name %05lld", (long long)i);
        tain_column_append_i64(&b->columns[0], i);
        if (i % 4) tain_column_append_bytes(&b->columns[1], name, (size_t)length);
        else tain_column_append_null(&b->columns[1]);
        if (i % 10) tain_column_append_null(&b->columns[2]);
        else tain_column_end_list(&b->columns[2]);
        tain_batch_end_row(b);
    }
}

static tain_delta_writer *filled_writer(tain_store *s, const tain_schema *schema, int rows)
{
    tain_delta_writer *w;
    tain_batch         b;
    tain_batch_init(&b, schema);
    fill(&b, 1, rows);
    assert_ok(tain_delta_writer_new(s, schema, NULL, &w, err));
    assert_ok(tain_parquet_append(tain_delta_writer_parquet(w), &b, NULL, 0, b.rows, err));
    tain_batch_done(&b);
    return w;
}

static void a_file_and_its_description(void **state)
{
    tain_store        *s = memory_store();
    tain_schema       *schema = three_columns();
    tain_delta_file   *f, *g;
    tain_object        o;
    tain_delta_writer *w = filled_writer(s, schema, 1000); /* there is no table yet */
    assert_fails(tain_store_head(s, "part-", &o, err), TAIN_E_NOT_FOUND, "");
    assert_ok(tain_delta_writer_finish(w, &f, err));
    assert_ok(tain_delta_writer_finish(filled_writer(s, schema, 1), &g, err));
    assert_int_equal(strncmp(f->path, "part-", 5), 0);
    assert_string_equal(f->path + 41, ".parquet");
    assert_string_not_equal(f->path, g->path);
    assert_true(g->ordinal > f->ordinal);
    assert_ok(tain_store_head(s, f->path, &o, err));
    assert_int_equal(o.size, f->size);
    assert_int_equal(f->rows, 1000);
    assert_false(f->live);
    assert_string_equal(f->stats, "{\"numRecords\":1000,\"minValues\":{\"id\":1,\"name\":\"name 00001\"},\"maxValues\":{\"id\":1000,\"name\":\"name 00999\"},"
                                  "\"nullCount\":{\"id\":0,\"name\":250,\"tags\":900},\"tightBounds\":true}");
    assert_string_equal(g->stats, "{\"numRecords\":1,\"minValues\":{\"id\":1,\"name\":\"name 00001\"},\"maxValues\":{\"id\":1,\"name\":\"name 00001\"},"
                                  "\"nullCount\":{\"id\":0,\"name\":0,\"tags\":1},\"tightBounds\":true}");
    tain_delta *t;
    assert_ok(tain_delta_create(s, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema, .adds = &f, .add_count = 1, .data_change = true}, &t, err));
    assert_ok(delete_rows(t, f, 10, 5, err));
    tain_delta_close(t);
    t = open_table(s);
    assert_int_equal(tain_delta_live_rows(t), 995);
    tain_delta_file_free(g);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

/* Without numRecords in the log the footer tells how many rows there are, and the vector's add says so. */
static void rows_that_the_log_does_not_tell(void **state)
{
    tain_store      *s = memory_store();
    tain_schema     *schema = three_columns();
    tain_delta_file *f;
    tain_delta      *t;
    assert_ok(tain_delta_writer_finish(filled_writer(s, schema, 100), &f, err));
    char *line = tain_format(HEAD "{\"add\":{\"path\":\"%s\",\"size\":%lld}}\n", f->path, (long long)f->size);
    put_commit(s, 0, line);
    t = open_table(s);
    tain_delta_file *live = tain_delta_find(t, f->path);
    assert_int_equal(tain_delta_live_rows(t), -1);
    assert_fails(delete_rows(t, live, 99, 2, err), TAIN_E_INVALID, "row 100 of a file of 100 rows");
    assert_ok(delete_rows(t, live, 98, 2, err));
    assert_int_equal(live->rows, 100);
    assert_int_equal(tain_delta_live_rows(t), 98);
    assert_string_equal(live->stats, "{\"numRecords\":100,\"tightBounds\":false}");
    assert_ok(delete_rows(t, live, 0, 98, err));
    assert_int_equal(tain_delta_file_count(t), 0);
    tain_free(line);
    tain_delta_file_free(f);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static bool count_objects(void *ctx, const tain_object *o)
{
    ++*(int *)ctx;
    return true;
}

static void what_is_aborted_leaves_nothing(void **state)
{
    tain_store  *s = memory_store();
    tain_schema *schema = three_columns();
    int          n = 0;
    tain_delta_writer_abort(filled_writer(s, schema, 10));
    tain_delta_writer_abort(NULL);
    assert_ok(tain_store_list(s, "", NULL, count_objects, &n, err));
    assert_int_equal(n, 0);
    tain_schema_free(schema);
    tain_store_close(s);
}

/* Each call of the store fails once: a file is described only when it is there as described. */
static void trouble_while_finishing(void **state)
{
    tain_schema *schema = three_columns();
    int          good = 0, bad = 0;
    for (int torn = 0; torn < 2; torn++) {
        for (uint64_t n = 1;; n++) {
            tain_store        *s = tain_store_fault(memory_store(), 0, false);
            tain_delta_writer *w = filled_writer(s, schema, 100);
            tain_delta_file   *f = NULL;
            tain_object        o;
            tain_store_fault_arm(s, n, torn);
            tain_status st = tain_delta_writer_finish(w, &f, NULL);
            uint64_t    used = tain_store_fault_calls(s);
            tain_store_fault_arm(s, 0, false);
            if (st == TAIN_OK) {
                assert_ok(tain_store_head(s, f->path, &o, err));
                assert_int_equal(o.size, f->size);
            }
            st == TAIN_OK ? good++ : bad++;
            tain_delta_file_free(f);
            tain_store_close(s);
            if (used < n) break;
        }
    }
    assert_true(good >= 2 && bad >= 1);
    tain_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_and_its_description),
        cmocka_unit_test(rows_that_the_log_does_not_tell),
        cmocka_unit_test(what_is_aborted_leaves_nothing),
        cmocka_unit_test(trouble_while_finishing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
