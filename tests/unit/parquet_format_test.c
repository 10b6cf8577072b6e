/* SPDX-License-Identifier: MIT */
/* The bytes: encodings, bounds, page index, footer. */
#include "parquet_fixture.h"

#include "parquet/bounds.h"
#include "parquet/hybrid.h"
#include "parquet/thrift.h"

/* --- run lengths and bit packing ------------------------------------------------------------------------------------ */

static void hybrid_is_as_specified(void **state)
{
    /* Encodings.md: 0..7 in 3 bits is 88 C6 FA; a run of 100 fours in 3 bits is C8 01 04. */
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    uint32_t v[100];
    for (uint32_t i = 0; i < 8; i++) v[i] = i;
    tain_hybrid_encode(&out, v, 8, 3);
    assert_int_equal(out.size, 4);
    assert_memory_equal(out.data, "\x03\x88\xC6\xFA", 4);
    tain_buffer_clear(&out);
    for (uint32_t i = 0; i < 100; i++) v[i] = 4;
    tain_hybrid_encode(&out, v, 100, 3);
    assert_int_equal(out.size, 3);
    assert_memory_equal(out.data, "\xC8\x01\x04", 3);
}

static void hybrid_gives_back_what_it_took(void **state)
{
    enum { MOST = 3000 };
    static uint32_t v[MOST], back[MOST];
    random_begin("hybrid_gives_back_what_it_took");
    for (int round = 0; round < 400; round++) {
        TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
        unsigned width = 1 + (unsigned)random_below(32);
        size_t   n = random_below(MOST), size;
        for (size_t i = 0; i < n;) {
            uint32_t value = (uint32_t)random_next() & (uint32_t)(((uint64_t)1 << width) - 1);
            for (size_t run = random_below(3) ? 1 : 1 + random_below(60); run-- && i < n; i++) v[i] = value;
        }
        tain_hybrid_encode(&out, v, n, width);
        size = out.size;
        tain_buffer_append_zero(&out, TAIN_HYBRID_SLACK);
        assert_true(tain_hybrid_decode(out.data, out.data + size, width, back, n));
        assert_memory_equal(v, back, n * sizeof *v);
        assert_true(size <= n * width / 8 + n / 16 + 40);
        for (int cut = 0; cut < 5 && size; cut++) /* whatever is left decodes or not, but never reads behind */
            (void)!tain_hybrid_decode(out.data, out.data + random_below(size), width, back, n);
    }
}

static void bits_are_the_same_as_numbers_of_width_one(void **state)
{
    random_begin("bits_are_the_same_as_numbers_of_width_one");
    for (int round = 0; round < 200; round++) {
        TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, bits = {0};
        uint32_t v[500];
        size_t   n = random_below(500), ones = 0, got;
        for (size_t i = 0; i < n;) {
            uint32_t value = random_below(2);
            for (size_t run = 1 + random_below(90); run-- && i < n; i++) ones += v[i] = value;
        }
        tain_hybrid_encode(&out, v, n, 1);
        size_t size = out.size;
        tain_buffer_append_zero(&out, TAIN_HYBRID_SLACK);
        assert_true(tain_hybrid_decode_bits(out.data, out.data + size, &bits, n, &got));
        assert_int_equal(got, ones);
        for (size_t i = 0; i < n; i++) assert_int_equal(tain_bit(bits.data, i), v[i]);
    }
}

/* --- bounds --------------------------------------------------------------------------------------------------------- */

static tain_buffer short_bound(const char *s, size_t n, bool max, bool text, bool *ret_exact)
{
    tain_bounds b = {.order = TAIN_ORDER_BYTES};
    tain_buffer out = {0};
    tain_bounds_slice(&b, (tain_slice){(const uint8_t *)s, n});
    *ret_exact = tain_bounds_put_short(&b, max, 0, text, &out);
    tain_bounds_done(&b);
    return out;
}

static void assert_short(const char *s, size_t n, bool max, bool text, const char *expected, size_t size, bool exact)
{
    bool        was;
    tain_buffer b = short_bound(s, n, max, text, &was);
    assert_int_equal(was, exact);
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, expected, size);
    tain_buffer_done(&b);
}

static void long_bounds_are_cut_outwards(void **state)
{
    char a[80], expected[80];
    memset(a, 'a', sizeof a);
    memset(expected, 'a', sizeof expected);
    assert_short(a, 64, true, true, a, 64, true);
    assert_short(a, 65, false, true, a, 64, false);
    expected[63] = 'b';
    assert_short(a, 65, true, true, expected, 64, false);
    assert_short(a, 65, true, false, expected, 64, false);
    /* a character that straddles the cut is left out whole */
    memcpy(a + 63, "\xe2\x82\xac", 3);
    expected[62] = 'b';
    assert_short(a, 80, true, true, expected, 63, false);
    assert_short(a, 80, false, true, a, 63, false);
    /* the largest character cannot be raised: the one before it is */
    memset(a, 'a', sizeof a);
    memcpy(a + 60, "\xf4\x8f\xbf\xbf", 4);
    expected[59] = 'b';
    assert_short(a, 80, true, true, expected, 60, false);
    /* surrogates are skipped */
    memset(a, 'a', sizeof a);
    memcpy(a + 61, "\xed\x9f\xbf", 3);
    memset(expected, 'a', sizeof expected);
    memcpy(expected + 61, "\xee\x80\x80", 3);
    assert_short(a, 80, true, true, expected, 64, false);
    /* nothing to raise: the whole */
    memset(a, 0xff, sizeof a);
    assert_short(a, 80, true, false, a, 80, true);
}

/* Up to some 1,200 bytes, mostly of a few pieces again and again, so that long prefixes are shared. */
static tain_buffer long_value(bool text)
{
    static const char *const pieces[] = {"\xf4\x8f\xbf\xbf", "\xc3\xa9", "a", "\xff", "b\xed\x9f\xbf"};
    tain_buffer out = {0};
    size_t      most = random_below(1200), usual = random_below(4);
    while (out.size < most) {
        size_t k = random_below(100) ? usual : random_below(5);
        tain_buffer_append_str(&out, pieces[text && k == 3 ? 0 : k]);
    }
    return out;
}

static int order_of(const tain_buffer *a, const tain_buffer *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int    c = n ? memcmp(a->data, b->data, n) : 0;
    return c ? c : a->size < b->size ? -1 : a->size > b->size;
}

static void long_values_lie_between_their_bounds(void **state)
{
    random_begin("long_values_lie_between_their_bounds");
    for (int round = 0; round < 2000; round++) {
        tain_bounds b[2] = {{.order = TAIN_ORDER_BYTES}, {.order = TAIN_ORDER_BYTES}};
        tain_buffer v[6], lo = {0}, hi = {0};
        bool        text = random_below(2);
        for (int i = 0; i < 6; i++) {
            v[i] = long_value(text);
            tain_bounds_slice(&b[i % 2], tain_buffer_slice(&v[i]));
        }
        tain_bounds_merge(&b[0], &b[1]);
        tain_bounds_put_short(&b[0], false, 0, text, &lo);
        tain_bounds_put_short(&b[0], true, 0, text, &hi);
        for (int i = 0; i < 6; i++) {
            assert_true(order_of(&lo, &v[i]) <= 0 && order_of(&v[i], &hi) <= 0);
            tain_buffer_done(&v[i]);
        }
        tain_buffer_done(&lo);
        tain_buffer_done(&hi);
        tain_bounds_done(&b[0]);
        tain_bounds_done(&b[1]);
    }
}

/* A bound of a page, a chunk and a file would be six copies of the largest value of every column. */
static void long_values_are_not_kept(void **state)
{
    tain_bounds b = {.order = TAIN_ORDER_BYTES};
    tain_buffer v = {0};
    memset(tain_buffer_reserve(&v, 1 << 20), 'x', 1 << 20);
    v.size = 1 << 20;
    tain_bounds_slice(&b, tain_buffer_slice(&v));
    assert_true(b.min_bytes.capacity + b.max_bytes.capacity < 4096);
    tain_buffer_done(&v);
    tain_bounds_done(&b);
}

static void zeros_and_nan_are_bounded_safely(void **state)
{
    tain_bounds b = {.order = TAIN_ORDER_REAL};
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    double lo, hi;
    tain_bounds_double(&b, (double[]){0.0, (double)NAN, -0.0}, 3);
    tain_bounds_put(&b, false, 8, &out);
    tain_bounds_put(&b, true, 8, &out);
    memcpy(&lo, out.data, 8);
    memcpy(&hi, out.data + 8, 8);
    assert_true(lo == 0 && signbit(lo));
    assert_true(hi == 0 && !signbit(hi));
    assert_true(b.nan);
    assert_false(b.infinite);
    tain_bounds_float(&b, (float[]){-INFINITY}, 1);
    assert_true(b.infinite);
}

static void summary_tells_the_bounds_of_the_file(void **state)
{
    random_begin("summary_tells_the_bounds_of_the_file");
    for (int round = 0; round < 60; round++) {
        TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
        TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
        tain_parquet_options o = random_options();
        tain_parquet_summary sum;
        tain_batch           b;
        size_t               nulls[3] = {0}, lo = SIZE_MAX, hi = SIZE_MAX;
        int64_t              least = INT64_MAX, most = INT64_MIN, got;
        bool                 sound = true;
        random_shape         shapes[3] = {random_shape_new(), random_shape_new(), random_shape_new()};
        tain_schema_add(s, "i", tain_type_of(TAIN_INT64));
        tain_schema_add(s, "s", tain_type_of(TAIN_STRING));
        tain_schema_add(s, "d", tain_type_of(TAIN_DOUBLE));
        tain_batch_init(&b, s);
        random_rows(&b, shapes, 1 + random_below(2000));
        write_file(store, "f", &b, &o, &sum);
        for (size_t i = 0; i < b.rows; i++) {
            for (int c = 0; c < 3; c++) nulls[c] += tain_column_is_null(&b.columns[c], i);
            if (!tain_column_is_null(&b.columns[0], i)) {
                int64_t v = ((int64_t *)b.columns[0].values.data)[i];
                least = v < least ? v : least;
                most = v > most ? v : most;
            }
            if (!tain_column_is_null(&b.columns[2], i) && !isfinite(((double *)b.columns[2].values.data)[i])) sound = false;
            if (tain_column_is_null(&b.columns[1], i)) continue;
            tain_slice v = tain_column_slice(&b.columns[1], i);
            for (int side = 0; side < 2; side++) {
                size_t    *best = side ? &hi : &lo;
                tain_slice w = *best == SIZE_MAX ? v : tain_column_slice(&b.columns[1], *best);
                size_t     shorter = v.size < w.size ? v.size : w.size;
                int        c = shorter ? memcmp(v.data, w.data, shorter) : 0;
                if (c == 0) c = v.size < w.size ? -1 : v.size > w.size;
                if (*best == SIZE_MAX || (side ? c > 0 : c < 0)) *best = i;
            }
        }
        for (int c = 0; c < 3; c++) assert_int_equal(sum.columns[c].null_count, nulls[c]);
        assert_int_equal(sum.columns[0].has_bounds, nulls[0] < b.rows);
        if (sum.columns[0].has_bounds) {
            memcpy(&got, sum.columns[0].min.data, 8);
            assert_true(got == least);
            memcpy(&got, sum.columns[0].max.data, 8);
            assert_true(got == most);
        }
        assert_int_equal(sum.columns[1].has_bounds, lo != SIZE_MAX);
        if (lo != SIZE_MAX) {
            tain_slice l = tain_column_slice(&b.columns[1], lo), h = tain_column_slice(&b.columns[1], hi);
            if (l.size > 512) l.size = 512;
            if (h.size > 512) h.size = 512;
            assert_int_equal(sum.columns[1].min.size, l.size);
            assert_int_equal(sum.columns[1].max.size, h.size);
            if (l.size) assert_memory_equal(sum.columns[1].min.data, l.data, l.size);
            if (h.size) assert_memory_equal(sum.columns[1].max.data, h.data, h.size);
        }
        assert_int_equal(sum.columns[2].has_bounds, sound && nulls[2] < b.rows);
        tain_parquet_summary_done(&sum);
        tain_batch_done(&b);
    }
}

/* --- footer and page index ------------------------------------------------------------------------------------------ */

/* Goes to field id of the struct at t, skipping others. */
static tain_thrift_field find(tain_thrift_in *t, int id)
{
    tain_thrift_field f = {0};
    while (tain_thrift_next(t, &f)) {
        if (f.id == id) return f;
        tain_thrift_skip(t, f.type);
    }
    fail_msg("no field %d", id);
    return f;
}

static int64_t find_int(tain_thrift_in t, int id)
{
    tain_thrift_field f = find(&t, id);
    return tain_thrift_int(&t, &f);
}

static tain_thrift_in in_list(tain_thrift_in t, int id, size_t element, size_t *ret_count)
{
    int               type;
    tain_thrift_field f = find(&t, id);
    *ret_count = tain_thrift_list(&t, &f, &type);
    for (size_t i = 0; i < element; i++) tain_thrift_skip(&t, type);
    return t;
}

static tain_thrift_in in_file(const tain_buffer *file, int64_t at)
{
    return (tain_thrift_in){.at = file->data + at, .end = file->data + file->size};
}

static tain_thrift_in footer_of(const tain_buffer *file)
{
    uint32_t n;
    memcpy(&n, file->data + file->size - 8, 4);
    return in_file(file, (int64_t)file->size - 8 - n);
}

static void assert_binary_int(tain_thrift_in *t, int64_t expected)
{
    tain_slice s = tain_thrift_raw_binary(t);
    int64_t    v;
    assert_int_equal(s.size, 8);
    memcpy(&v, s.data, 8);
    assert_true(v == expected);
}

static void the_page_index_tells_where_and_what_pages_are(void **state)
{
    enum { N = 1050, PAGE = 100, GROUP = 525 };
    random_begin("the_page_index_tells_where_and_what_pages_are");
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer file = {0};
    tain_parquet_options o = tain_parquet_defaults();
    tain_error           err;
    tain_batch           b;
    o.page_rows = PAGE;
    o.row_group_rows = GROUP;
    tain_schema_add(s, "v", tain_type_of(TAIN_INT64));
    tain_batch_init(&b, s);
    for (int64_t i = 0; i < N; i++) { /* ascending; the second page of each group has nulls only */
        if (i % GROUP >= PAGE && i % GROUP < 2 * PAGE) tain_column_append_null(&b.columns[0]);
        else tain_column_append_i64(&b.columns[0], i * 3);
        tain_batch_end_row(&b);
    }
    write_file(store, "f", &b, &o, NULL);
    assert_ok(tain_store_get(store, "f", 0, -1, &file, &err), err);
    tain_thrift_in footer = footer_of(&file);
    size_t         groups, chunks, n;
    assert_int_equal(find_int(footer, 1), 1);
    assert_int_equal(find_int(footer, 3), N);
    for (size_t g = 0; g < N / GROUP; g++) {
        tain_thrift_in group = in_list(footer, 4, g, &groups), chunk = in_list(group, 1, 0, &chunks);
        assert_int_equal(groups, 2);
        assert_int_equal(chunks, 1);
        tain_thrift_in meta = chunk;
        find(&meta, 3);
        assert_int_equal(find_int(meta, 5), GROUP);
        tain_thrift_in stats = meta;
        find(&stats, 12);
        assert_int_equal(find_int(stats, 3), PAGE);
        int64_t        first_page = find_int(meta, 9);
        tain_thrift_in column_index = in_file(&file, find_int(chunk, 6)), offset_index = in_file(&file, find_int(chunk, 4));
        tain_thrift_in nulls = in_list(column_index, 1, 0, &n), mins = in_list(column_index, 2, 0, &n),
                       maxs = in_list(column_index, 3, 0, &n);
        tain_thrift_in null_counts = in_list(column_index, 5, 0, &n);
        assert_int_equal(n, 6);
        assert_int_equal(find_int(column_index, 4), 1); /* ascending */
        int64_t at = first_page;
        for (size_t p = 0; p < n; p++) {
            int64_t first = (int64_t)(g * GROUP + p * PAGE),
                    last = (p + 1) * PAGE < GROUP ? first + PAGE - 1 : (int64_t)((g + 1) * GROUP) - 1;
            tain_thrift_in place = in_list(offset_index, 1, p, &chunks);
            assert_int_equal(find_int(place, 1), at);
            assert_int_equal(find_int(place, 3), p * PAGE);
            at += find_int(place, 2);
            assert_int_equal(*nulls.at++, p == 1 ? 1 : 2);
            assert_int_equal(tain_thrift_raw_int(&null_counts, TAIN_THRIFT_I64), p == 1 ? PAGE : 0);
            if (p == 1) assert_int_equal(tain_thrift_raw_binary(&mins).size + tain_thrift_raw_binary(&maxs).size, 0);
            else assert_binary_int(&mins, first * 3), assert_binary_int(&maxs, last * 3);
        }
        tain_thrift_in whole = meta;
        assert_int_equal(at - find_int(group, 5), find_int(whole, 7)); /* all of the chunk's bytes, the dictionary's too */
    }
    tain_batch_done(&b);
}

static void nan_takes_bounds_and_index_away(void **state)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_buffer_done) tain_buffer file = {0};
    tain_error           err;
    tain_batch           b;
    tain_parquet_summary sum;
    size_t               n;
    random_begin("nan_takes_bounds_and_index_away");
    tain_schema_add(s, "v", tain_type_of(TAIN_DOUBLE));
    tain_batch_init(&b, s);
    tain_column_append_double(&b.columns[0], 1);
    tain_column_append_double(&b.columns[0], (double)NAN);
    b.rows = 2;
    write_file(store, "f", &b, NULL, &sum);
    assert_false(sum.columns[0].has_bounds);
    assert_ok(tain_store_get(store, "f", 0, -1, &file, &err), err);
    tain_thrift_in chunk = in_list(in_list(footer_of(&file), 4, 0, &n), 1, 0, &n), meta = chunk;
    for (tain_thrift_field f = {0}; tain_thrift_next(&chunk, &f); tain_thrift_skip(&chunk, f.type)) assert_true(f.id < 6);
    find(&meta, 3);
    find(&meta, 12);
    for (tain_thrift_field f = {0}; tain_thrift_next(&meta, &f); tain_thrift_skip(&meta, f.type)) assert_int_equal(f.id, 3);
    tain_parquet_summary_done(&sum);
    tain_batch_done(&b);
}

static void the_footer_names_its_writer(void **state)
{
    TAIN_AUTO(tain_store_close) tain_store *store = memory_store();
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
    tain_error err;
    tain_batch b;
    tain_schema_add(s, "v", tain_type_decimal(20, 5))->id = 3;
    tain_batch_init(&b, s);
    write_file(store, "f", &b, NULL, NULL);
    assert_ok(tain_parquet_open(store, "f", -1, &f, &err), err);
    assert_string_equal(tain_parquet_file_created_by(f), "tain version " TAIN_VERSION " (build 0)");
    assert_int_equal(tain_parquet_file_schema(f)->fields[0].id, 3);
    assert_int_equal(tain_parquet_file_schema(f)->fields[0].type.scale, 5);
    assert_int_equal(tain_parquet_file_rows(f), 0);
    tain_batch_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid_is_as_specified),
        cmocka_unit_test(hybrid_gives_back_what_it_took),
        cmocka_unit_test(bits_are_the_same_as_numbers_of_width_one),
        cmocka_unit_test(long_bounds_are_cut_outwards),
        cmocka_unit_test(long_values_lie_between_their_bounds),
        cmocka_unit_test(long_values_are_not_kept),
        cmocka_unit_test(zeros_and_nan_are_bounded_safely),
        cmocka_unit_test(summary_tells_the_bounds_of_the_file),
        cmocka_unit_test(the_page_index_tells_where_and_what_pages_are),
        cmocka_unit_test(nan_takes_bounds_and_index_away),
        cmocka_unit_test(the_footer_names_its_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
