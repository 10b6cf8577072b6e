/* SPDX-License-Identifier: MIT */
/* parquet_bench.c -- nanoseconds of CPU a row for writing and reading a batch like TPC-H's lineitem.
 *
 * parquet_bench [folder [rows [none|snappy|zstd]]]: writes one file into folder (default: memory), then reads one column,
 * all columns, and single rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parquet/parquet.h"

enum { BATCH = 60000 };

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static int64_t below(uint64_t n)
{
    return (int64_t)(next_random() % n);
}

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static tain_schema *lineitem(void)
{
    static const struct { const char *name; tain_kind kind; } columns[] = {
        {"l_orderkey", TAIN_INT64}, {"l_partkey", TAIN_INT64}, {"l_suppkey", TAIN_INT64}, {"l_linenumber", TAIN_INT32},
        {"l_quantity", TAIN_DECIMAL}, {"l_extendedprice", TAIN_DECIMAL}, {"l_discount", TAIN_DECIMAL}, {"l_tax", TAIN_DECIMAL},
        {"l_returnflag", TAIN_STRING}, {"l_linestatus", TAIN_STRING}, {"l_shipdate", TAIN_DATE}, {"l_commitdate", TAIN_DATE},
        {"l_receiptdate", TAIN_DATE}, {"l_shipinstruct", TAIN_STRING}, {"l_shipmode", TAIN_STRING}, {"l_comment", TAIN_STRING},
    };
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        tain_schema_add(s, columns[i].name,
                        columns[i].kind == TAIN_DECIMAL ? tain_type_decimal(15, 2) : tain_type_of(columns[i].kind));
    return s;
}

static void append_word(tain_column *c, const char *const *words, size_t n)
{
    const char *w = words[below(n)];
    tain_column_append_bytes(c, w, strlen(w));
}

static void append_comment(tain_column *c)
{
    static const char *const words[] = {"furiously", "regular",  "deposits",    "sleep",  "carefully", "final", "packages",
                                        "quick",     "the",      "even",        "ironic", "accounts",  "above", "blithely",
                                        "express",   "requests", "theodolites", "haggle", "pending",   "bold"};
    char   text[80];
    size_t n = 0, length = 10 + (size_t)below(34);
    while (n < length) n += (size_t)snprintf(text + n, sizeof text - n, "%s ", words[below(20)]);
    tain_column_append_bytes(c, text + below(n - length + 1), length);
}

static void fill(tain_batch *b, int64_t first)
{
    static const char *const flags[] = {"A", "N", "R"}, *const states[] = {"O", "F"};
    static const char *const instructions[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"};
    static const char *const modes[] = {"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"};
    tain_column *c = b->columns;
    for (int64_t i = 0; i < BATCH; i++) {
        int32_t ship = 8036 + (int32_t)below(2526);
        tain_column_append_i64(&c[0], (first + i) / 4 * 4 + 1);
        tain_column_append_i64(&c[1], below(200000) + 1);
        tain_column_append_i64(&c[2], below(10000) + 1);
        tain_column_append_i32(&c[3], (int32_t)(i % 4) + 1);
        tain_column_append_i64(&c[4], (below(50) + 1) * 100);
        tain_column_append_i64(&c[5], below(9500000) + 90000);
        tain_column_append_i64(&c[6], below(11));
        tain_column_append_i64(&c[7], below(9));
        append_word(&c[8], flags, 3);
        append_word(&c[9], states, 2);
        tain_column_append_i32(&c[10], ship);
        tain_column_append_i32(&c[11], ship + (int32_t)below(60) - 30);
        tain_column_append_i32(&c[12], ship + 1 + (int32_t)below(30));
        append_word(&c[13], instructions, 4);
        append_word(&c[14], modes, 7);
        append_comment(&c[15]);
        tain_batch_end_row(b);
    }
}

static void check(tain_status st, const tain_error *err)
{
    if (st == TAIN_OK) return;
    fprintf(stderr, "parquet_bench: %s\n", err->message);
    exit(3);
}

static int64_t write_file(tain_store *store, const tain_schema *schema, int64_t rows, tain_codec codec, bool scattered)
{
    enum { KEPT = 8 };
    static tain_batch batches[KEPT];
    static uint32_t   order[BATCH];
    tain_error        err;
    for (int i = 0; i < KEPT && !batches[i].columns; i++) {
        tain_batch_init(&batches[i], schema);
        fill(&batches[i], i * (int64_t)BATCH);
    }
    for (uint32_t i = 0; i < BATCH; i++) order[i] = i;
    tain_parquet_options options = tain_parquet_defaults();
    options.codec = codec;
    double       start = cpu();
    tain_upload *upload = NULL;
    check(tain_store_upload(store, "bench.parquet", &upload, &err), &err);
    TAIN_AUTO(tain_parquet_writer_free) tain_parquet_writer *w = tain_parquet_writer_new(schema, &options, upload);
    for (int64_t at = 0; at < rows; at += BATCH) {
        size_t n = rows - at < BATCH ? (size_t)(rows - at) : BATCH;
        check(tain_parquet_append(w, &batches[at / BATCH % KEPT], scattered ? order : NULL, 0, n, &err), &err);
    }
    size_t               memory = tain_parquet_memory(w);
    tain_parquet_summary s;
    check(tain_parquet_finish(w, &s, &err), &err);
    check(tain_upload_finish(upload, &err), &err);
    printf("write%s: %6.1f ns/row, %.1f bytes/row, writer's memory %.1f MiB\n", scattered ? " by row numbers" : "",
           (cpu() - start) / (double)rows, (double)s.bytes / (double)rows, (double)memory / (1 << 20));
    int64_t bytes = s.bytes;
    tain_parquet_summary_done(&s);
    return bytes;
}

static void read_columns(tain_store *store, int64_t size, const tain_schema *schema, const char *what)
{
    tain_error err;
    tain_batch out;
    double     start = cpu();
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
    check(tain_parquet_open(store, "bench.parquet", size, &f, &err), &err);
    tain_batch_init(&out, schema);
    int64_t rows = tain_parquet_file_rows(f);
    for (int64_t at = 0; at < rows; at += BATCH) {
        tain_batch_clear(&out);
        check(tain_parquet_read(f, at, rows - at < BATCH ? rows - at : BATCH, &out, &err), &err);
    }
    tain_batch_done(&out);
    printf("read %s: %6.1f ns/row\n", what, (cpu() - start) / (double)rows);
}

static void read_points(tain_store *store, int64_t size, const tain_schema *schema)
{
    enum { POINTS = 2000 };
    tain_error err;
    tain_batch out;
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *f = NULL;
    check(tain_parquet_open(store, "bench.parquet", size, &f, &err), &err);
    tain_batch_init(&out, schema);
    int64_t rows = tain_parquet_file_rows(f);
    double  start = cpu();
    for (int i = 0; i < POINTS; i++) {
        uint32_t row = (uint32_t)below((uint64_t)rows);
        check(tain_parquet_read_rows(f, &row, 1, &out, &err), &err);
    }
    printf("read_rows, one row of all columns a call: %.1f us/call\n", (cpu() - start) / POINTS / 1000);
    tain_batch_done(&out);
}

int main(int argc, char **argv)
{
    int64_t    rows = argc > 2 ? atoll(argv[2]) : 2000000;
    tain_codec                               codec = argc > 3 && strcmp(argv[3], "zstd") == 0   ? TAIN_CODEC_ZSTD
                                                     : argc > 3 && strcmp(argv[3], "none") == 0 ? TAIN_CODEC_NONE
                                                                                                : TAIN_CODEC_SNAPPY;
    tain_error err;
    TAIN_AUTO(tain_store_close) tain_store *store = NULL;
    TAIN_AUTO(tain_schema_free) tain_schema *schema = lineitem();
    TAIN_AUTO(tain_schema_free) tain_schema *key = tain_schema_new();
    tain_schema_add(key, "l_partkey", tain_type_of(TAIN_INT64));
    check(tain_store_open(argc > 1 ? argv[1] : "memory:", true, &store, &err), &err);
    write_file(store, schema, rows, codec, true);
    int64_t size = write_file(store, schema, rows, codec, false);
#ifndef WRITE_ONLY
    read_columns(store, size, key, "one int64");
    read_columns(store, size, schema, "all columns");
    read_points(store, size, schema);
#endif
}
