/* SPDX-License-Identifier: MIT */
#include "parquet_fixture.h"

enum { COLUMNS = 5, ROUNDS = 120 };

typedef struct sample {
    tain_store        *store;
    tain_schema       *schema;
    tain_batch         batch;
    tain_parquet_file *file;
} sample;

static void sample_new(sample *s, size_t rows)
{
    random_shape         shapes[COLUMNS];
    tain_error           err;
    tain_parquet_options options = random_options();
    *s = (sample){.store = memory_store(), .schema = tain_schema_new()};
    for (size_t i = 0; i < COLUMNS; i++) {
        char name[8] = "c0";
        name[1] = (char)('0' + i);
        tain_field *f = tain_schema_add(s->schema, name, random_type(s->schema, true));
        shapes[i] = random_shape_new();
        if (random_below(5) == 0) {
            shapes[i].nulls = 0;
            f->nullable = f->type.kind == TAIN_LIST; /* elements would stay null */
            if (f->type.kind == TAIN_LIST && random_below(2)) f->type.children[0].nullable = false;
        }
    }
    tain_batch_init(&s->batch, s->schema);
    random_rows(&s->batch, shapes, rows);
    write_file(s->store, "f", &s->batch, &options, NULL);
    assert_ok(tain_parquet_open(s->store, "f", -1, &s->file, &err), err);
    assert_int_equal(tain_parquet_file_rows(s->file), rows);
    assert_true(tain_schema_equal(tain_parquet_file_schema(s->file), s->schema));
}

static void sample_done(sample *s)
{
    tain_parquet_close(s->file);
    tain_batch_done(&s->batch);
    tain_schema_free(s->schema);
    tain_store_close(s->store);
}

static size_t random_size(void)
{
    static const size_t sizes[] = {0, 1, 8, 100, 1000, 4000};
    return random_below(sizes[random_below(6)] + 1);
}

static void what_is_written_is_read(void **state)
{
    random_begin("what_is_written_is_read");
    for (int round = 0; round < ROUNDS; round++) {
        sample     s;
        tain_batch out;
        tain_error err;
        sample_new(&s, random_size());
        tain_batch_init(&out, s.schema);
        for (size_t at = 0; at < s.batch.rows;) {
            size_t n = random_below(s.batch.rows - at + 1);
            assert_ok(tain_parquet_read(s.file, (int64_t)at, (int64_t)n, &out, &err), err);
            at += n;
        }
        assert_int_equal(out.rows, s.batch.rows);
        for (size_t c = 0; c < COLUMNS; c++) {
            assert_int_equal(out.columns[c].length, s.batch.rows);
            for (size_t i = 0; i < out.rows; i++) assert_same_value(&s.batch.columns[c], i, &out.columns[c], i, "read");
        }
        tain_batch_done(&out);
        sample_done(&s);
    }
}

static void rows_are_found_by_position(void **state)
{
    random_begin("rows_are_found_by_position");
    for (int round = 0; round < ROUNDS; round++) {
        sample   s;
        uint32_t rows[64];
        sample_new(&s, random_size() + 1);
        for (int call = 0; call < 5; call++) {
            tain_batch out;
            tain_error err;
            uint64_t   from = random_below(s.batch.rows);
            size_t     n = random_below(64);
            for (size_t i = 0; i < n; i++) { /* ascending, with repetitions */
                rows[i] = (uint32_t)from;
                if (random_below(4)) from += random_below((s.batch.rows - from) / 2 + 1);
            }
            tain_batch_init(&out, s.schema);
            assert_ok(tain_parquet_read_rows(s.file, rows, n, &out, &err), err);
            assert_int_equal(out.rows, n);
            for (size_t c = 0; c < COLUMNS; c++)
                for (size_t i = 0; i < n; i++) assert_same_value(&s.batch.columns[c], rows[i], &out.columns[c], i, "read_rows");
            tain_batch_done(&out);
        }
        sample_done(&s);
    }
}

static void a_column_is_chosen_by_name(void **state)
{
    sample     s;
    tain_batch out;
    tain_error err;
    random_begin("a_column_is_chosen_by_name");
    sample_new(&s, 500);
    TAIN_AUTO(tain_schema_free) tain_schema *want = tain_schema_new();
    tain_schema_add(want, "absent", tain_type_of(TAIN_STRING));
    tain_schema_add(want, "c3", s.schema->fields[3].type);
    tain_batch_init(&out, want);
    assert_ok(tain_parquet_read(s.file, 100, 50, &out, &err), err);
    for (size_t i = 0; i < 50; i++) {
        assert_true(tain_column_is_null(&out.columns[0], i));
        assert_same_value(&s.batch.columns[3], 100 + i, &out.columns[1], i, "by name");
    }
    tain_batch_done(&out);
    sample_done(&s);
}

static tain_batch integers(tain_schema *s, tain_type type, size_t n)
{
    tain_batch b;
    tain_schema_add(s, "v", type);
    tain_batch_init(&b, s);
    for (size_t i = 0; i < n; i++) {
        if (tain_type_width(&type) == 4) tain_column_append_i32(&b.columns[0], (int32_t)(i * 7));
        else tain_column_append_i64(&b.columns[0], (int64_t)(i * 7));
        tain_batch_end_row(&b);
    }
    return b;
}

static tain_status read_as(const tain_batch *b, tain_type type, tain_batch *out, tain_schema *want, tain_error *err)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
    write_file(store, "f", b, NULL, NULL);
    tain_schema_add(want, "v", type);
    tain_batch_init(out, want);
    TAIN_TRY(tain_parquet_open(store, "f", -1, &f, err));
    return tain_parquet_read(f, 0, (int64_t)b->rows, out, err);
}

static void numbers_widen_without_loss_or_not_at_all(void **state)
{
    static const struct { tain_kind from, to; tain_status status;
    } cases[] = {
        {TAIN_INT32, TAIN_INT64, TAIN_OK},
        {TAIN_INT64, TAIN_INT32, TAIN_OK},
        {TAIN_INT64, TAIN_INT8, TAIN_E_CORRUPT},
        {TAIN_INT32, TAIN_STRING, TAIN_E_UNSUPPORTED},
        {TAIN_TIMESTAMP, TAIN_INT64, TAIN_E_UNSUPPORTED},
        {TAIN_TIMESTAMP, TAIN_TIMESTAMP_NTZ, TAIN_OK},
    };
    random_begin("numbers_widen_without_loss_or_not_at_all");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_schema_free) tain_schema *from = tain_schema_new(), *to = tain_schema_new();
        tain_batch out, b = integers(from, tain_type_of(cases[i].from), 1000);
        tain_error err = {0};
        assert_int_equal(read_as(&b, tain_type_of(cases[i].to), &out, to, &err), cases[i].status);
        if (cases[i].status == TAIN_OK) {
            TAIN_AUTO(tain_buffer_done) tain_buffer x = {0}, y = {0};
            tain_column_text(&b.columns[0], 999, &x);
            tain_column_text(&out.columns[0], 999, &y);
            if (cases[i].to != TAIN_TIMESTAMP_NTZ) assert_string_equal(tain_buffer_cstr(&x), tain_buffer_cstr(&y));
            assert_int_equal(out.columns[0].length, 1000);
        } else {
            assert_int_equal(out.columns[0].length, 0);
            assert_int_equal(out.rows, 0);
        }
        tain_batch_done(&b);
        tain_batch_done(&out);
        tain_schema_free(from);
        tain_schema_free(to);
        from = to = NULL;
    }
}

static void a_null_in_a_required_column_is_refused(void **state)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_upload *upload = NULL;
    tain_error   err;
    tain_batch   b;
    tain_schema_add(s, "v", tain_type_of(TAIN_INT32))->nullable = false;
    tain_batch_init(&b, s);
    tain_column_append_i32(&b.columns[0], 1);
    tain_batch_end_row(&b);
    tain_column_append_null(&b.columns[0]);
    tain_batch_end_row(&b);
    assert_ok(tain_store_upload(store, "f", &upload, &err), err);
    tain_parquet_writer *w = tain_parquet_writer_new(s, NULL, upload);
    assert_int_equal(tain_parquet_append(w, &b, NULL, 0, 2, &err), TAIN_E_INVALID);
    assert_non_null(strstr(err.message, "column v"));
    tain_parquet_writer_free(w);
    tain_upload_abort(upload);
    tain_batch_done(&b);
}

/* What repeats is written once; what does not costs no more than PLAIN; either way the writer's memory stays small. */
static void dictionaries_come_and_go(void **state)
{
    random_begin("dictionaries_come_and_go");
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    enum { N = 100000 };
    tain_parquet_options o = tain_parquet_defaults();
    o.codec = TAIN_CODEC_NONE;
    for (int repeats = 0; repeats < 3; repeats++) {
        tain_batch           b, out;
        tain_error           err;
        tain_parquet_summary sum;
        TAIN_AUTO(tain_schema_free) tain_schema *one = tain_schema_new();
        TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
        tain_schema_add(one, "v", tain_type_of(TAIN_INT64));
        tain_batch_init(&b, one);
        for (int64_t i = 0; i < N; i++) { /* 16 values; none twice; 16 values at first, then none twice */
            bool fresh = repeats == 0 || (repeats == 2 && i > N / 2);
            tain_column_append_i64(&b.columns[0], fresh ? (int64_t)random_next() : i & 15);
            tain_batch_end_row(&b);
        }
        write_file(store, "f", &b, &o, &sum);
        if (repeats == 0) assert_in_range(sum.bytes, 8 * N, 8 * N + 2000);
        if (repeats == 1) assert_in_range(sum.bytes, N / 2, N / 2 + 2000);
        if (repeats == 2) assert_in_range(sum.bytes, 4 * N, 4 * N + N / 4 + 8 * 20000 + 2000);
        assert_ok(tain_parquet_open(store, "f", sum.bytes, &f, &err), err);
        tain_batch_init(&out, one);
        assert_ok(tain_parquet_read(f, 0, N, &out, &err), err);
        assert_memory_equal(out.columns[0].values.data, b.columns[0].values.data, 8 * N);
        tain_parquet_summary_done(&sum);
        tain_batch_done(&b);
        tain_batch_done(&out);
        tain_schema_free(one);
        tain_parquet_close(f);
        one = NULL;
        f = NULL;
    }
}

static void memory_is_of_the_row_group_not_the_file(void **state)
{
    random_begin("memory_is_of_the_row_group_not_the_file");
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    tain_parquet_options o = tain_parquet_defaults();
    tain_upload         *upload = NULL;
    tain_error           err;
    tain_batch           b;
    size_t               most = 0;
    tain_parquet_summary sum;
    o.row_group_bytes = 256 << 10;
    o.page_bytes = 16 << 10;
    tain_schema_add(s, "v", tain_type_of(TAIN_BINARY));
    tain_batch_init(&b, s);
    random_rows(&b, &(random_shape){.longest = 300}, 2000);
    assert_ok(tain_store_upload(store, "f", &upload, &err), err);
    tain_parquet_writer *w = tain_parquet_writer_new(s, &o, upload);
    for (int i = 0; i < 40; i++) {
        assert_ok(tain_parquet_append(w, &b, NULL, 0, 2000, &err), err);
        size_t now = tain_parquet_memory(w);
        if (now > most) most = now;
    }
    assert_ok(tain_parquet_finish(w, &sum, &err), err);
    assert_true(sum.bytes > 40 * 2000 * 100);
    assert_true(most < 3 << 20);
    tain_parquet_summary_done(&sum);
    tain_parquet_writer_free(w);
    assert_ok(tain_upload_finish(upload, &err), err);
    tain_batch_done(&b);
}

static void rows_outside_are_refused(void **state)
{
    sample     s;
    tain_batch out;
    tain_error err;
    random_begin("rows_outside_are_refused");
    sample_new(&s, 10);
    tain_batch_init(&out, s.schema);
    assert_int_equal(tain_parquet_read(s.file, 5, 6, &out, &err), TAIN_E_INVALID);
    assert_int_equal(tain_parquet_read(s.file, -1, 1, &out, &err), TAIN_E_INVALID);
    assert_int_equal(tain_parquet_read_rows(s.file, (uint32_t[]){3, 10}, 2, &out, &err), TAIN_E_INVALID);
    assert_int_equal(tain_parquet_read_rows(s.file, (uint32_t[]){4, 3}, 2, &out, &err), TAIN_E_INVALID);
    assert_int_equal(out.rows, 0);
    tain_batch_done(&out);
    sample_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(rows_are_found_by_position),
        cmocka_unit_test(a_column_is_chosen_by_name),
        cmocka_unit_test(numbers_widen_without_loss_or_not_at_all),
        cmocka_unit_test(a_null_in_a_required_column_is_refused),
        cmocka_unit_test(dictionaries_come_and_go),
        cmocka_unit_test(memory_is_of_the_row_group_not_the_file),
        cmocka_unit_test(rows_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
