/* SPDX-License-Identifier: MIT */
/* Large values: what the writer holds does not grow with their number, what a read of some rows brings is bounded, and
 * nothing of it changes what is read. */
#include "parquet_fixture.h"

enum { MIB = 1 << 20 };

typedef struct lob {
    tain_schema *schema;
    tain_batch   batch;
    tain_store  *store;
} lob;

static void lob_new(lob *l)
{
    *l = (lob){.schema = tain_schema_new(), .store = memory_store()};
    tain_schema_add(l->schema, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(l->schema, "body", tain_type_of(TAIN_STRING));
    tain_schema_add(l->schema, "tags", tain_type_list(l->schema, tain_type_of(TAIN_STRING)));
    tain_batch_init(&l->batch, l->schema);
}

static void lob_done(lob *l)
{
    tain_batch_done(&l->batch);
    tain_schema_free(l->schema);
    tain_store_close(l->store);
}

/* Text of which about half can be compressed away. */
static void put_text(tain_column *c, size_t n)
{
    uint8_t *to = tain_buffer_reserve(&c->bytes, n);
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(i % 128 < 64 ? 'x' : 'a' + random_below(26));
    c->bytes.size += n;
    tain_column_end_bytes(c);
}

static void put_row(lob *l, size_t body, size_t tag)
{
    tain_column *c = l->batch.columns;
    tain_column_append_i64(&c[0], (int64_t)l->batch.rows);
    if (body == SIZE_MAX) tain_column_append_null(&c[1]);
    else put_text(&c[1], body);
    for (size_t i = 0; i < 2; i++) put_text(&c[2].children[0], tag);
    tain_column_end_list(&c[2]);
    tain_batch_end_row(&l->batch);
}

static void what_is_large_is_read_again(void **state)
{
    static const size_t sizes[] = {0, SIZE_MAX, 5, 1000, MIB - 5, MIB - 4, MIB, 3 * MIB + 77, 9 * MIB};
    random_begin("what_is_large_is_read_again");
    for (int codec = 0; codec < 3; codec++) {
        lob l;
        tain_batch out;
        tain_error err;
        TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
        tain_parquet_options o = tain_parquet_defaults();
        o.codec = (tain_codec[]){TAIN_CODEC_NONE, TAIN_CODEC_SNAPPY, TAIN_CODEC_ZSTD}[codec];
        o.row_group_bytes = 4 * MIB;
        lob_new(&l);
        for (size_t i = 0; i < 25; i++) put_row(&l, sizes[random_below(9)], random_below(8) ? 3 : 2 * MIB);
        write_file(l.store, "f", &l.batch, &o, NULL);
        assert_ok(tain_parquet_open(l.store, "f", -1, &f, &err), err);
        tain_batch_init(&out, l.schema);
        assert_ok(tain_parquet_read(f, 0, (int64_t)l.batch.rows, &out, &err), err);
        for (size_t c = 0; c < 3; c++)
            for (size_t i = 0; i < out.rows; i++) assert_same_value(&l.batch.columns[c], i, &out.columns[c], i, "large");
        tain_batch_done(&out);
        lob_done(&l);
    }
}

static void a_writer_holds_a_row_group_not_all_rows(void **state)
{
    lob          l;
    tain_error   err;
    tain_upload *upload = NULL;
    size_t       most = 0;
    random_begin("a_writer_holds_a_row_group_not_all_rows");
    lob_new(&l);
    for (size_t i = 0; i < 48; i++) put_row(&l, i % 6 ? 2 * MIB : 300, i % 4 ? 3 : MIB);
    tain_parquet_options o = tain_parquet_defaults();
    o.row_group_bytes = 4 * MIB;
    assert_ok(tain_store_upload(l.store, "f", &upload, &err), err);
    TAIN_AUTO(tain_parquet_writer_free) tain_parquet_writer *w = tain_parquet_writer_new(l.schema, &o, upload);
    int64_t written = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_ok(tain_parquet_append(w, &l.batch, NULL, 0, l.batch.rows, &err), err); /* all at once: 100 MiB */
        if (tain_parquet_memory(w) > most) most = tain_parquet_memory(w);
        written = tain_parquet_size(w);
    }
    print_message("%lld MiB encoded, %zu MiB held\n", (long long)written / MIB, most / MIB);
    assert_true(written > 100 * MIB);
    assert_true(most < 24 * MIB);
    tain_upload_abort(upload);
    lob_done(&l);
}

/* Every row once, in order, and never much more than was asked for. */
static void some_rows_are_all_in_the_end(void **state)
{
    enum { ROOM = 200000, LARGEST = 120000 };
    random_begin("some_rows_are_all_in_the_end");
    for (int round = 0; round < 6; round++) {
        lob l;
        tain_batch out;
        tain_error err;
        TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
        tain_parquet_options o = tain_parquet_defaults();
        o.page_bytes = 20000;
        o.dictionary_bytes = random_below(2) ? 0 : 5000;
        o.row_group_bytes = 1 + random_below(3 * MIB);
        lob_new(&l);
        for (size_t i = 0; i < 1500; i++) put_row(&l, i % 500 > 400 ? random_below(LARGEST) : 20, random_below(50) ? 4 : LARGEST / 4);
        write_file(l.store, "f", &l.batch, &o, NULL);
        assert_ok(tain_parquet_open(l.store, "f", -1, &f, &err), err);
        uint32_t *rows = tain_alloc(l.batch.rows * sizeof *rows);
        size_t    n = 0, most = 0;
        for (size_t i = 0; i < l.batch.rows; i++)
            if (round % 2 == 0 || random_below(3)) rows[n++] = (uint32_t)i;
        tain_batch_init(&out, l.schema);
        for (size_t at = 0, got; at < n; at += got) {
            int64_t range = 0;
            tain_batch_clear(&out);
            if (round % 2) {
                assert_ok(tain_parquet_read_some_rows(f, rows + at, n - at, ROOM, &out, &got, &err), err);
            } else {
                assert_ok(tain_parquet_read_some(f, (int64_t)at, (int64_t)(n - at), ROOM, &out, &range, &err), err);
                got = (size_t)range;
            }
            assert_true(got >= 1 && got == out.rows);
            if (tain_batch_bytes(&out) > most) most = tain_batch_bytes(&out);
            for (size_t c = 0; c < 3; c++)
                for (size_t i = 0; i < got; i++) assert_same_value(&l.batch.columns[c], rows[at + i], &out.columns[c], i, "some");
        }
        assert_true(most < ROOM * 2 + 2 * LARGEST);
        free(rows);
        tain_batch_done(&out);
        lob_done(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_large_is_read_again),
        cmocka_unit_test(a_writer_holds_a_row_group_not_all_rows),
        cmocka_unit_test(some_rows_are_all_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
