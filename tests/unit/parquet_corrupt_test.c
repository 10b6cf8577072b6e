/* SPDX-License-Identifier: MIT */
/* Damaged files give errors, never crashes, and leave what was asked for as it was. */
#include "parquet/file.h"
#include "parquet_fixture.h"

static tain_buffer make_file(tain_schema *s)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    tain_parquet_options o = random_options();
    random_shape         shapes[5];
    tain_buffer          file = {0};
    tain_error           err;
    tain_batch           b;
    if (o.page_rows < 7) o.page_rows = 7;
    if (o.row_group_rows < 64) o.row_group_rows = 64;
    if (o.page_bytes < 100) o.page_bytes = 100;
    for (size_t i = 0; i < 5; i++) {
        char name[8] = "c0";
        name[1] = (char)('0' + i);
        tain_schema_add(s, name, random_type(s, true));
        shapes[i] = random_shape_new();
    }
    tain_batch_init(&b, s);
    random_rows(&b, shapes, 1 + random_below(600));
    write_file(store, "f", &b, &o, NULL);
    assert_ok(tain_store_get(store, "f", 0, -1, &file, &err), err);
    tain_batch_done(&b);
    return file;
}

/* Reads everything; whatever comes, the batch is whole. */
static bool try_file(const tain_buffer *file, const tain_schema *s)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
    tain_error err = {0};
    tain_batch out;
    assert_ok(tain_store_put(store, "f", tain_buffer_slice(file), 0, &err), err);
    tain_status st = tain_parquet_open(store, "f", -1, &f, &err);
    if (st != TAIN_OK) {
        assert_true(st == TAIN_E_CORRUPT || st == TAIN_E_UNSUPPORTED);
        assert_true(err.message[0] != 0);
        return false;
    }
    int64_t rows = tain_parquet_file_rows(f);
    bool    ok = true;
    tain_batch_init(&out, s);
    for (int call = 0; call < 3 && rows > 0 && rows < 100000; call++) {
        uint32_t some[] = {0, (uint32_t)(rows / 2), (uint32_t)(rows - 1)};
        size_t   before = out.rows;
        st = call == 0   ? tain_parquet_read(f, 0, rows, &out, &err)
             : call == 1 ? tain_parquet_read_rows(f, some, 3, &out, &err)
                         : tain_parquet_read(f, rows / 3, rows / 3, &out, &err);
        assert_true(st == TAIN_OK || st == TAIN_E_CORRUPT || st == TAIN_E_UNSUPPORTED);
        ok = ok && st == TAIN_OK;
        if (st != TAIN_OK) assert_int_equal(out.rows, before);
        for (size_t c = 0; c < s->count; c++) assert_int_equal(out.columns[c].length, out.rows);
    }
    tain_batch_done(&out);
    return ok;
}

static void flipped_bytes_are_noticed_or_harmless(void **state)
{
    int refused = 0;
    random_begin("flipped_bytes_are_noticed_or_harmless");
    for (int round = 0; round < 40; round++) {
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
        TAIN_AUTO(tain_buffer_done) tain_buffer file = make_file(s), copy = {0};
        assert_true(try_file(&file, s));
        for (int flip = 0; flip < 40; flip++) {
            tain_buffer_clear(&copy);
            tain_buffer_append(&copy, file.data, file.size);
            bool late = random_below(2); /* half of them in the footer and the indexes */
            for (size_t n = 1 + random_below(3); n--;) {
                size_t from = late && file.size > 600 ? file.size - 600 : 0;
                copy.data[from + random_below(file.size - from)] = (uint8_t)random_next();
            }
            refused += !try_file(&copy, s);
        }
    }
    assert_true(refused > 100);
}

static void cut_files_are_refused(void **state)
{
    random_begin("cut_files_are_refused");
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer file = make_file(s);
    for (int i = 0; i < 100; i++) {
        tain_buffer part = {.data = file.data, .size = random_below(file.size)};
        assert_false(try_file(&part, s));
    }
}

static void any_bytes_parse_as_footer_or_not(void **state)
{
    random_begin("any_bytes_parse_as_footer_or_not");
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer file = make_file(s);
    uint32_t n;
    memcpy(&n, file.data + file.size - 8, 4);
    uint8_t *footer = file.data + file.size - 8 - n, *copy = malloc(n);
    for (int i = 0; i < 3000; i++) {
        size_t size = random_below(3) ? n : random_below(n + 1);
        memcpy(copy, footer, n);
        for (size_t k = random_below(6); k--;) copy[random_below(n)] = (uint8_t)random_next();
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, copy, size);
        tain_parquet_file *f = NULL;
        tain_error         err;
        if (tain_parquet_parse_footer(exact, size, &f, &err) == TAIN_OK) {
            tain_batch out;
            assert_true(tain_parquet_file_rows(f) >= 0);
            tain_batch_init(&out, tain_parquet_file_schema(f));
            if (tain_parquet_file_rows(f) && tain_parquet_file_schema(f)->count)
                assert_int_not_equal(tain_parquet_read(f, 0, 1, &out, &err), TAIN_OK);
            tain_batch_done(&out);
        }
        tain_parquet_close(f);
        free(exact);
    }
    free(copy);
}

/* What a few bytes cannot hold is refused before memory is asked for. */
static void memory_is_not_asked_for_on_trust(void **state)
{
    /* a frame of zstd that says it holds 1 GiB */
    static const uint8_t frame[16] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0x40, 0, 0, 0, 0};
    tain_codec_state     zstd = {.codec = TAIN_CODEC_ZSTD};
    tain_error           err;
    assert_int_equal(tain_codec_check(&zstd, frame, sizeof frame, 1 << 30, &err), TAIN_E_CORRUPT);
    tain_file_column c = {.physical = TAIN_PHYSICAL_FIXED, .fixed = 8, .factor = 1};
    tain_slice       data = {frame, sizeof frame};
    tain_column      out;
    tain_column_init(&out, tain_type_of(TAIN_BINARY));
    assert_int_equal(tain_file_plain(&c, &data, 1 << 26, &out, &err), TAIN_E_CORRUPT);
    assert_true(out.values.capacity < 4096);
    assert_ok(tain_file_plain(&c, &data, 2, &out, &err), err);
    assert_int_equal(out.length, 2);
    tain_column_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bytes_are_noticed_or_harmless),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(any_bytes_parse_as_footer_or_not),
        cmocka_unit_test(memory_is_not_asked_for_on_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
