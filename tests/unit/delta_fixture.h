/* SPDX-License-Identifier: MIT */
/* delta_fixture.h -- what the tests of src/delta share: tables in memory, logs by hand, data files that need not exist. */
#ifndef TAIN_TESTS_DELTA_FIXTURE_H
#define TAIN_TESTS_DELTA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta/internal.h"

#define PROTOCOL_LINE \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\"]}}\n"
#define METADATA_LINE                                                                                                        \
    "{\"metaData\":{\"id\":\"6d3c0c1e-7f0e-4a53-9d0b-0c2b7a3f1c11\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"     \
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\","      \
    "\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\",\"partitionColumns\":[],\"configuration\":{},\"createdTime\":1}}\n"
#define HEAD PROTOCOL_LINE METADATA_LINE
#define ADD_DV(path, dv)                                                                                                       \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":100,\"modificationTime\":5,\"dataChange\":true,"           \
    "\"stats\":\"{\\\"numRecords\\\":10}\"" dv "}}\n"
#define ADD(path) ADD_DV(path, "")
#define REMOVE_DV(path, dv) "{\"remove\":{\"path\":\"" path "\",\"deletionTimestamp\":7,\"dataChange\":true" dv "}}\n"
#define REMOVE(path) REMOVE_DV(path, "")
#define DV(name, offset)                                                                                                       \
    ",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"" name "\",\"offset\":" #offset ",\"sizeInBytes\":36,\"cardinality\":2}"
#define DV_A DV("^-aqEH.-t@S}K{vb[*k^", 1)
#define DV_B DV("vBn[lx{q8@P<9BNH/isA", 1)
#define DV_B2 DV("vBn[lx{q8@P<9BNH/isA", 45)

#define assert_ok(expr)                                                                    \
    do {                                                                                   \
        tain_error error_ = {0};                                                           \
        tain_error *err = &error_;                                                         \
        tain_status status_ = (expr);                                                      \
        if (status_ != TAIN_OK) fail_msg("%s: %s", tain_status_name(status_), err->message); \
    } while (0)

/* The call fails with that status and its message contains text. */
#define assert_fails(expr, status, text)                                                                      \
    do {                                                                                                      \
        tain_error error_ = {0};                                                                              \
        tain_error *err = &error_;                                                                            \
        tain_status status_ = (expr);                                                                         \
        if (status_ != (status)) fail_msg("%s instead of %s: %s", tain_status_name(status_), tain_status_name(status), err->message); \
        if (!strstr(err->message, text)) fail_msg("\"%s\" does not say \"%s\"", err->message, text);           \
    } while (0)

static inline tain_store *memory_store(void)
{
    tain_store *s = NULL;
    assert_ok(tain_store_open("memory:", true, &s, err));
    return s;
}

static inline void put_text(tain_store *s, const char *key, const char *text)
{
    assert_ok(tain_store_put(s, key, (tain_slice){(const uint8_t *)text, strlen(text)}, 0, err));
}

static inline void put_commit(tain_store *s, int64_t version, const char *lines)
{
    char *key = tain_log_key(version, ".json");
    put_text(s, key, lines);
    tain_free(key);
}

/* Caller frees. */
static inline char *get_text(tain_store *s, const char *key)
{
    tain_buffer b = {0};
    assert_ok(tain_store_get(s, key, 0, -1, &b, err));
    return tain_buffer_cstr(&b);
}

static inline char *get_commit(tain_store *s, int64_t version)
{
    char *key = tain_log_key(version, ".json"), *text = get_text(s, key);
    tain_free(key);
    return text;
}

static inline tain_delta *open_table(tain_store *s)
{
    tain_delta *t = NULL;
    assert_ok(tain_delta_open(s, &t, err));
    return t;
}

/* A data file as a writer would hand it over. */
static inline tain_delta_file *new_file(const char *path, int64_t rows)
{
    tain_delta_file *f = tain_alloc(sizeof *f);
    f->path = tain_strdup(path);
    f->size = 1000 + rows;
    f->modified = 1767225600000 * TAIN_MILLISECOND;
    f->rows = rows;
    f->stats = tain_format("{\"numRecords\":%lld,\"minValues\":{\"id\":1},\"maxValues\":{\"id\":12345678901234567.89},\"nullCount\":{\"id\":0},\"tightBounds\":true}",
                           (long long)rows);
    f->partition_values = tain_strdup("{}");
    f->ordinal = tain_delta_new_ordinal();
    return f;
}

static inline tain_schema *id_schema(void)
{
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "id", tain_type_of(TAIN_INT64));
    return s;
}

static inline tain_delta *create_table(tain_store *s)
{
    tain_delta  *t = NULL;
    tain_schema *schema = id_schema();
    assert_ok(tain_delta_create(s, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema}, &t, err));
    tain_schema_free(schema);
    return t;
}

/* Commits one new file; returns it, now live. */
static inline tain_delta_file *append_file(tain_delta *t, const char *path, int64_t rows)
{
    tain_delta_file *f = new_file(path, rows);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .adds = &f, .add_count = 1, .data_change = true}, err));
    return f;
}

static inline tain_status delete_rows(tain_delta *t, tain_delta_file *f, uint32_t first, uint32_t n, tain_error *err)
{
    roaring_bitmap_t     *rows = roaring_bitmap_from_range(first, first + n, 1);
    struct tain_dv_change d = {f, rows};
    tain_status           st = tain_delta_commit_write(t, &(tain_delta_commit){.operation = "DELETE", .deletes = &d, .delete_count = 1, .data_change = true}, err);
    roaring_bitmap_free(rows);
    return st;
}

/* The member of the n-th (from 0) action of that name in a commit's text; caller json_decref()s. NULL: none. */
static inline json_t *action_of(const char *text, const char *name, size_t n)
{
    json_error_t e;
    char        *copy = tain_strdup(text), *rest = copy, *line;
    json_t      *found = NULL;
    while (!found && (line = strsep(&rest, "\n"))) {
        json_t *o = *line ? json_loads(line, 0, &e) : NULL, *a = json_object_get(o, name);
        if (a && n-- == 0) found = json_incref(a);
        json_decref(o);
    }
    tain_free(copy);
    return found;
}

static inline size_t actions_of(const char *text, const char *name)
{
    size_t n = 0;
    for (json_t *a; (a = action_of(text, name, n)); n++) json_decref(a);
    return n;
}

#endif
