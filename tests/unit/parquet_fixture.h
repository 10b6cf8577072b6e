/* SPDX-License-Identifier: MIT */
/* parquet_fixture.h -- a file in a memory store, written from a batch. */
#ifndef TAIN_TESTS_PARQUET_FIXTURE_H
#define TAIN_TESTS_PARQUET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch_random.h"
#include "parquet/parquet.h"

#define assert_ok(expr, err)                                              \
    do {                                                                  \
        tain_status status_ = (expr);                                     \
        if (status_ != TAIN_OK) fail_msg("%s: %s", #expr, (err).message); \
    } while (0)

static inline tain_store *memory_store(void)
{
    tain_store *s = NULL;
    tain_error  err;
    assert_ok(tain_store_open("memory:", true, &s, &err), err);
    return s;
}

/* Writes b in pieces of random size, partly by row numbers. */
static inline void write_file(tain_store *store, const char *key, const tain_batch *b, const tain_parquet_options *options,
                              tain_parquet_summary *ret)
{
    tain_upload         *upload = NULL;
    tain_error           err;
    tain_parquet_summary summary;
    uint32_t            *rows = calloc(b->rows + 1, sizeof *rows);
    for (size_t i = 0; i < b->rows; i++) rows[i] = (uint32_t)i;
    assert_ok(tain_store_upload(store, key, &upload, &err), err);
    tain_parquet_writer *w = tain_parquet_writer_new(b->schema, options, upload);
    for (size_t at = 0; at < b->rows;) {
        size_t n = 1 + random_below(b->rows - at);
        if (random_below(2)) assert_ok(tain_parquet_append(w, b, NULL, at, n, &err), err);
        else assert_ok(tain_parquet_append(w, b, rows + at, 0, n, &err), err);
        at += n;
    }
    free(rows);
    assert_int_equal(tain_parquet_rows(w), b->rows);
    assert_ok(tain_parquet_finish(w, &summary, &err), err);
    assert_int_equal(summary.rows, b->rows);
    assert_int_equal(summary.bytes, tain_parquet_size(w));
    tain_parquet_writer_free(w);
    assert_ok(tain_upload_finish(upload, &err), err);
    if (ret) *ret = summary;
    else tain_parquet_summary_done(&summary);
}

static inline tain_parquet_options random_options(void)
{
    static const tain_codec codecs[] = {TAIN_CODEC_NONE, TAIN_CODEC_SNAPPY, TAIN_CODEC_ZSTD};
    static const size_t     rows[] = {1, 7, 100, 1000, 20000}, groups[] = {5, 64, 1000, 3000, 1 << 20},
                        bytes[] = {1, 100, 4096, 1 << 20}, dictionaries[] = {0, 64, 2000, 1 << 20};
    tain_parquet_options o = tain_parquet_defaults();
    o.codec = codecs[random_below(3)];
    o.page_rows = rows[random_below(5)];
    o.row_group_rows = groups[random_below(5)];
    o.page_bytes = bytes[random_below(4)];
    o.dictionary_bytes = dictionaries[random_below(4)];
    if (random_below(4) == 0) o.row_group_bytes = 1 + random_below(5000);
    return o;
}

static inline void assert_same_value(const tain_column *a, size_t i, const tain_column *b, size_t j, const char *what)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer x = {0}, y = {0}, type = {0};
    if (tain_column_equal_at(a, i, b, j)) return;
    tain_column_text(a, i, &x);
    tain_column_text(b, j, &y);
    tain_type_name(&a->type, &type);
    fail_msg("%s %s: row %zu is %s%s, %zu is %s%s", what, tain_buffer_cstr(&type), i, tain_buffer_cstr(&x),
             tain_column_is_null(a, i) ? " (null)" : "", j, tain_buffer_cstr(&y), tain_column_is_null(b, j) ? " (null)" : "");
}

#endif
