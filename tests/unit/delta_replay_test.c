/* SPDX-License-Identifier: MIT */
/* Logs by hand: what state they add up to, and which are refused. */
#include "delta_fixture.h"

/* Live paths, sorted, with their vectors' offsets: "a b@1 c". Caller frees. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *live(const tain_delta *t)
{
    char            *names[64];
    size_t           n = 0;
    tain_delta_file *f;
    tain_buffer      out = {0};
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);)
        names[n++] = f->dv.storage ? tain_format("%s@%.1s%d", f->path, f->dv.path, f->dv.offset) : tain_strdup(f->path);
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        tain_buffer_printf(&out, "%s%s", i ? " " : "", names[i]);
        tain_free(names[i]);
    }
    return tain_buffer_cstr(&out);
}

static void assert_live(const tain_delta *t, const char *wanted)
{
    char *is = live(t);
    assert_string_equal(is, wanted);
    tain_free(is);
}

/* Every case: commits (version 0 gets the head), and what is live then. */
static void reconciliation(void **state)
{
    static const struct {
        const char *commits[5], *live;
    } cases[] = {
        {{ADD("a"), ADD("b"), REMOVE("a")}, "b"},
        {{ADD("a"), REMOVE("b")}, "a"},
        {{ADD("a"), REMOVE("a"), ADD("a")}, "a"},
        {{ADD("a") ADD("b"), REMOVE("a") ADD("c")}, "b c"},
        /* a vector: remove of the old key and add of the new one in one commit, in either order */
        {{ADD("a"), REMOVE("a") ADD_DV("a", DV_A)}, "a@^1"},
        {{ADD("a"), ADD_DV("a", DV_A) REMOVE("a")}, "a@^1"},
        {{ADD("a"), REMOVE("a") ADD_DV("a", DV_A), REMOVE_DV("a", DV_A) ADD_DV("a", DV_B)}, "a@v1"},
        {{ADD("a"), REMOVE("a") ADD_DV("a", DV_B), REMOVE_DV("a", DV_B) ADD_DV("a", DV_B2)}, "a@v45"},
        /* a remove counts for its very key only */
        {{ADD_DV("a", DV_A), REMOVE("a")}, "a@^1"},
        {{ADD_DV("a", DV_B), REMOVE_DV("a", DV_B2)}, "a@v1"},
        {{ADD("a"), REMOVE_DV("a", DV_A)}, "a"},
        {{ADD_DV("a", DV_A), REMOVE_DV("a", DV_A)}, ""},
        /* the same key again is a refresh of its attributes */
        {{ADD("a"), ADD("a")}, "a"},
        {{ADD_DV("a", DV_A), ADD_DV("a", DV_A)}, "a@^1"},
        /* a restore brings back an older key */
        {{ADD("a"), REMOVE("a") ADD_DV("a", DV_A), REMOVE_DV("a", DV_A) ADD("a")}, "a"},
        /* no vector is a struct of nulls, or of empty values, in what some writers made */
        {{ADD_DV("a", ",\"deletionVector\":{\"storageType\":null,\"pathOrInlineDv\":null,\"offset\":null,\"sizeInBytes\":null,\"cardinality\":null}"), REMOVE("a") ADD("b")}, "b"},
        {{ADD_DV("a", ",\"deletionVector\":{\"storageType\":\"\",\"pathOrInlineDv\":\"\",\"sizeInBytes\":0,\"cardinality\":0}")}, "a"},
        /* absent is written as null by some */
        {{ADD_DV("a", ",\"deletionVector\":null,\"tags\":null"), "{\"add\":null,\"remove\":{\"path\":\"a\",\"dataChange\":true,\"deletionVector\":null}}\n"}, ""},
        /* spaces, unknown actions and members, no newline at the end, a blank line */
        {{ADD("a"), "{ \"add\" : {\"path\":\"b\",\"size\":1,\"more\":[1.5]} }\n{\"cdc\":{}}\n{\"unheardOf\":7}\n\n", "{\"remove\":{\"path\":\"a\"}}"}, "b"},
        {{ADD("a"), "{\"commitInfo\":{\"n\":123456789012345678901234567890,\"x\":[{}]}}\n" REMOVE("a")}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_store *s = memory_store();
        for (int v = 0; v < 5 && cases[i].commits[v]; v++) {
            char *text = tain_format("%s%s", v ? "" : HEAD, cases[i].commits[v]);
            put_commit(s, v, text);
            tain_free(text);
        }
        tain_delta *t = open_table(s);
        assert_live(t, cases[i].live);
        tain_delta_close(t);
        tain_store_close(s);
    }
}

static void newest_wins(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, HEAD "{\"txn\":{\"appId\":\"x\",\"version\":3,\"lastUpdated\":1}}\n{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"1\",\"removed\":false}}\n");
    put_commit(s, 1, "{\"txn\":{\"appId\":\"x\",\"version\":9}}\n{\"txn\":{\"appId\":\"y\",\"version\":-2}}\n"
                     "{\"domainMetadata\":{\"domain\":\"e\",\"configuration\":\"2\",\"removed\":false}}\n");
    put_commit(s, 2, "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"\",\"removed\":true}}\n"
                     "{\"add\":{\"path\":\"a\",\"size\":7,\"modificationTime\":5,\"stats\":\"{\\\"numRecords\\\":10}\",\"tags\":{\"k\":\"v\"}}}\n");
    put_commit(s, 3, "{\"add\":{\"path\":\"a\",\"size\":7,\"modificationTime\":6,\"stats\":\"{\\\"numRecords\\\":11}\"}}\n");
    tain_delta *t = open_table(s);
    assert_int_equal(tain_delta_version(t), 3);
    assert_int_equal(tain_delta_txn(t, "x"), 9);
    assert_int_equal(tain_delta_txn(t, "y"), -2);
    assert_int_equal(tain_delta_txn(t, "z"), -1);
    assert_null(tain_map_get(&t->domains, "d"));
    assert_string_equal(tain_map_get(&t->domains, "e"), "2");
    const tain_delta_file *f = tain_delta_find(t, "a");
    assert_int_equal(f->rows, 11);
    assert_int_equal(f->modified, 6000);
    assert_null(f->tags);
    assert_int_equal(f->since, 3);
    assert_int_equal(tain_delta_live_rows(t), 11);
    assert_int_equal(tain_delta_bytes(t), 7);
    tain_delta_close(t);
    tain_store_close(s);
}

static void sums(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, HEAD ADD("a") ADD_DV("b", DV_A));
    put_commit(s, 1, REMOVE("a") ADD_DV("a", DV_B));
    put_commit(s, 2, "{\"add\":{\"path\":\"c\",\"size\":1}}\n");
    tain_delta *t = NULL;
    assert_ok(tain_delta_open_at(s, 0, &t, err));
    assert_int_equal(tain_delta_live_rows(t), 18);
    assert_int_equal(tain_delta_bytes(t), 200);
    tain_delta_close(t);
    assert_ok(tain_delta_open_at(s, 1, &t, err));
    assert_int_equal(tain_delta_live_rows(t), 16);
    assert_int_equal(tain_delta_file_count(t), 2);
    tain_delta_close(t);
    t = open_table(s);
    assert_int_equal(tain_delta_live_rows(t), -1); /* c does not tell */
    assert_int_equal(tain_delta_bytes(t), 201);
    tain_delta_close(t);
    assert_fails(tain_delta_open_at(s, 3, &t, err), TAIN_E_NOT_FOUND, "newest is 2");
    tain_store_close(s);
}

/* --- refusals -------------------------------------------------------------------------------------------------------------- */

static void refused(const char *zero, const char *one, const char *two, tain_status status, const char *text)
{
    tain_store *s = memory_store();
    tain_delta *t = NULL;
    if (zero) put_commit(s, 0, zero);
    if (one) put_commit(s, 1, one);
    if (two) put_commit(s, 2, two);
    assert_fails(tain_delta_open(s, &t, err), status, text);
    tain_store_close(s);
}

#define FEATURES(reader, writer) \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[" reader "],\"writerFeatures\":[" writer "]}}\n"

static void damaged_logs(void **state)
{
    refused(NULL, NULL, NULL, TAIN_E_NOT_FOUND, "no Delta table");
    refused(NULL, ADD("a"), NULL, TAIN_E_CORRUPT, "begins at version 1");
    refused(HEAD, NULL, ADD("a"), TAIN_E_CORRUPT, "has version 2 but not version 1");
    refused(HEAD, ADD("a") "{\"add\":{\"path\":\"b\",\"si", NULL, TAIN_E_CORRUPT, "00000000000000000001.json line 2");
    refused(HEAD, "", NULL, TAIN_E_CORRUPT, "00000000000000000001.json is empty");
    refused(HEAD, "[1]\n", NULL, TAIN_E_CORRUPT, "00000000000000000001.json line 1: not a JSON object");
    refused(HEAD, "{\"add\":{\"size\":1}}\n", NULL, TAIN_E_CORRUPT, "line 1: action without path");
    refused(HEAD, "{\"add\":{\"path\":\"a\"}}\n", NULL, TAIN_E_CORRUPT, "add without size");
    refused(HEAD, "{\"add\":[]}\n", NULL, TAIN_E_CORRUPT, "add is no object");
    refused(HEAD, "{\"txn\":{\"appId\":\"x\"}}\n", NULL, TAIN_E_CORRUPT, "txn without version");
    refused(HEAD ADD("a"), ADD_DV("a", DV_A), NULL, TAIN_E_CORRUPT, "a is added again while it is live");
    refused(HEAD, ADD_DV("a", ",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"^-aqEH.-t@S}K{vb[*k^\",\"offset\":1,\"sizeInBytes\":36,\"cardinality\":11}"),
            NULL, TAIN_E_CORRUPT, "more deleted rows than rows");
    refused(HEAD, ADD_DV("a", ",\"deletionVector\":{\"storageType\":\"u\",\"cardinality\":1}"), NULL, TAIN_E_CORRUPT, "pathOrInlineDv");
    refused(METADATA_LINE, NULL, NULL, TAIN_E_CORRUPT, "protocol");
    refused(PROTOCOL_LINE, NULL, NULL, TAIN_E_CORRUPT, "metaData");
}

static void what_tain_does_not_know(void **state)
{
    refused(FEATURES("\"futureFeature\"", "\"futureFeature\"") METADATA_LINE, NULL, NULL, TAIN_E_UNSUPPORTED, "futureFeature");
    refused(HEAD, FEATURES("\"typeWidening\"", "\"typeWidening\""), NULL, TAIN_E_UNSUPPORTED, "typeWidening");
    refused("{\"protocol\":{\"minReaderVersion\":4,\"minWriterVersion\":7}}\n" METADATA_LINE, NULL, NULL, TAIN_E_UNSUPPORTED, "reader version 4");
    refused("{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7}}\n" METADATA_LINE, NULL, NULL, TAIN_E_CORRUPT, "without readerFeatures");
    refused("{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[]}}\n" METADATA_LINE, NULL, NULL, TAIN_E_CORRUPT, "without writerFeatures");
    refused(PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"orc\"},\"schemaString\":\"{}\"}}\n", NULL, NULL, TAIN_E_UNSUPPORTED, "orc");
    refused(PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"nonsense\"}}\n", NULL, NULL, TAIN_E_CORRUPT, "schemaString");
}

/* Readable, but not ours to write. */
static void readable_only(void **state)
{
    static const struct {
        const char *head, *text;
    } cases[] = {
        {FEATURES("", "\"rowTracking\"") METADATA_LINE, "rowTracking"},
        {"{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":8}}\n" METADATA_LINE, "writer version 8"},
        {PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"configuration\":{\"delta.constraints.c\":\"a > 0\"}}}\n",
         "check constraint \"c\""},
        {PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"configuration\":{\"delta.enableInCommitTimestamps\":\"true\"}}}\n",
         "in-commit timestamps"},
        {PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
                       "\\\"metadata\\\":{\\\"delta.invariants\\\":\\\"x\\\"}}]}\"}}\n",
         "delta.invariants"},
        {PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[\"p\"]}}\n", "partitioned"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_store *s = memory_store();
        put_commit(s, 0, cases[i].head);
        tain_delta      *t = open_table(s);
        tain_delta_file *f = new_file("x", 1);
        tain_delta_commit c = {.operation = "WRITE", .adds = &f, .add_count = 1, .data_change = true};
        assert_fails(tain_delta_commit_write(t, &c, err), TAIN_E_UNSUPPORTED, cases[i].text);
        assert_int_equal(tain_delta_version(t), 0);
        tain_delta_file_free(f);
        tain_delta_close(t);
        tain_store_close(s);
    }
}

/* What others asked of writers goes with the content it was asked for. */
static void whole_content_asks_for_nothing(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, FEATURES("\"deletionVectors\"", "\"deletionVectors\",\"rowTracking\",\"domainMetadata\"")
                     "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[\"p\"],\"configuration\":{"
                     "\"delta.constraints.c\":\"a > 0\",\"delta.appendOnly\":\"true\",\"delta.logRetentionDuration\":\"interval 9 days\",\"mine\":\"1\"}}}\n"
                     "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{}\",\"removed\":false}}\n" ADD("a"));
    tain_delta      *t = open_table(s);
    tain_delta_file *old = tain_delta_find(t, "a"), *f = new_file("b", 5);
    tain_schema     *schema = id_schema();
    tain_delta_commit c = {.operation = "WRITE", .schema = schema, .adds = &f, .add_count = 1, .removes = &old, .remove_count = 1, .data_change = true};
    assert_fails(tain_delta_commit_write(t, &c, err), TAIN_E_UNSUPPORTED, "rowTracking");
    c.whole = true;
    assert_ok(tain_delta_commit_write(t, &c, err));
    assert_ok(delete_rows(t, f, 0, 1, err));
    for (int again = 0; again < 2; again++) {
        const json_t *configuration = tain_delta_meta(t)->configuration;
        assert_int_equal(tain_delta_file_count(t), 1);
        assert_int_equal(tain_delta_live_rows(t), 4);
        assert_null(json_object_get(configuration, "delta.constraints.c"));
        assert_null(json_object_get(configuration, "delta.appendOnly"));
        assert_string_equal(tain_json_get_str(configuration, "delta.logRetentionDuration", ""), "interval 9 days");
        assert_string_equal(tain_json_get_str(configuration, "mine", ""), "1");
        assert_false(tain_protocol_has(&t->protocol, "rowTracking"));
        assert_true(tain_protocol_has(&t->protocol, "deletionVectors"));
        assert_int_equal(t->domains.count, 0);
        assert_int_equal(json_array_size(tain_delta_meta(t)->partition_columns), 0);
        tain_delta_close(t);
        t = open_table(s);
    }
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void append_only(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
                     "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"configuration\":{\"delta.appendOnly\":\"true\"}}}\n" ADD("a"));
    tain_delta      *t = open_table(s);
    tain_delta_file *f = tain_delta_find(t, "a");
    assert_fails(delete_rows(t, f, 0, 1, err), TAIN_E_UNSUPPORTED, "append-only");
    append_file(t, "b", 1);
    assert_int_equal(tain_delta_version(t), 1);
    tain_delta_close(t);
    tain_store_close(s);
}

/* --- an open table ------------------------------------------------------------------------------------------------------------ */

static void refresh_keeps_objects(void **state)
{
    tain_store *s = memory_store();
    int64_t     foreign = -1;
    int         mine;
    put_commit(s, 0, HEAD ADD("a") ADD("b"));
    tain_delta      *t = open_table(s);
    tain_delta_file *a = tain_delta_find(t, "a"), *b = tain_delta_find(t, "b");
    uint32_t         ordinal = a->ordinal;
    a->owner = &mine;
    assert_int_not_equal(a->ordinal, b->ordinal);
    assert_ok(tain_delta_refresh(t, &foreign, err));
    assert_int_equal(foreign, 0);
    put_commit(s, 1, ADD_DV("a", DV_A) REMOVE("a"));
    put_commit(s, 2, REMOVE("b") ADD("c"));
    assert_ok(tain_delta_refresh(t, &foreign, err));
    assert_int_equal(foreign, 2);
    assert_ptr_equal(tain_delta_find(t, "a"), a);
    assert_int_equal(a->ordinal, ordinal);
    assert_ptr_equal(a->owner, &mine);
    assert_int_equal(a->since, 1);
    assert_int_equal(a->dv.cardinality, 2);
    assert_null(tain_delta_find(t, "b"));
    assert_false(b->live); /* still readable */
    assert_string_equal(b->path, "b");
    assert_true(tain_delta_find(t, "c")->ordinal > ordinal);
    tain_delta_close(t);
    tain_store_close(s);
}

static void a_torn_commit_stops_the_table(void **state)
{
    tain_store *s = memory_store();
    int64_t     foreign;
    put_commit(s, 0, HEAD);
    tain_delta *t = open_table(s);
    put_commit(s, 1, ADD("a") "{\"add\":");
    assert_fails(tain_delta_refresh(t, &foreign, err), TAIN_E_CORRUPT, "00000000000000000001.json line 2");
    assert_fails(tain_delta_refresh(t, &foreign, err), TAIN_E_CORRUPT, "open the table again");
    assert_fails(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE"}, err), TAIN_E_CORRUPT, "open the table again");
    tain_delta_close(t);
    tain_store_close(s);
}

static void history(void **state)
{
    tain_store *s = memory_store();
    json_t     *list;
    put_commit(s, 0, "{\"commitInfo\":{\"operation\":\"CREATE TABLE\",\"version\":77}}\n" HEAD);
    put_commit(s, 1, ADD("commitInfo"));
    put_commit(s, 2, ADD("b") "{\"commitInfo\":{\"operation\":\"WRITE\",\"tain\":{\"position\":\"0/1\"}}}\n");
    tain_delta *t = open_table(s);
    assert_ok(tain_delta_history(t, 10, &list, err));
    assert_int_equal(json_array_size(list), 3);
    char *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, "[{\"version\":2,\"operation\":\"WRITE\",\"tain\":{\"position\":\"0/1\"}},{\"version\":1},{\"version\":0,\"operation\":\"CREATE TABLE\"}]");
    free(text);
    json_decref(list);
    assert_ok(tain_delta_history(t, 1, &list, err));
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    tain_delta_close(t);
    tain_store_close(s);
}

/* Nothing that a log says makes a sum or an instant overflow. */
static void extremes(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, HEAD "{\"add\":{\"path\":\"a\",\"size\":9223372036854775807,\"modificationTime\":9223372036854775807,\"stats\":\"{\\\"numRecords\\\":9223372036854775807}\"}}\n"
                          "{\"add\":{\"path\":\"b\",\"size\":9223372036854775807,\"modificationTime\":-9223372036854775807,\"stats\":\"{\\\"numRecords\\\":9223372036854775807}\"}}\n");
    put_commit(s, 1, REMOVE("b"));
    tain_delta *t = open_table(s);
    assert_true(tain_delta_find(t, "a")->modified > 0);
    assert_true(tain_delta_bytes(t) == INT64_MAX);
    assert_true(tain_delta_live_rows(t) == INT64_MAX);
    tain_delta_close(t);
    tain_store_close(s);
}

static void foreign_paths(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, HEAD "{\"add\":{\"path\":\"p=a%20b/x%25.parquet\",\"partitionValues\":{\"p\":\"a b\",\"q\":null},\"size\":1}}\n"
                          "{\"add\":{\"path\":\"file:///data/y.parquet\",\"size\":1}}\n");
    tain_delta      *t = open_table(s);
    tain_delta_file *x = tain_delta_find(t, "p=a%20b/x%25.parquet"), *y = tain_delta_find(t, "file:///data/y.parquet");
    char            *key = tain_delta_file_key(t, x), *path = tain_delta_file_local_path(t, y);
    assert_string_equal(key, "p=a b/x%.parquet");
    assert_string_equal(path, "/data/y.parquet");
    assert_null(tain_delta_file_key(t, y));
    assert_string_equal(x->partition_values, "{\"p\":\"a b\",\"q\":null}");
    assert_string_equal(y->partition_values, "{}");
    tain_free(key);
    tain_free(path);
    tain_delta_close(t);
    tain_store_close(s);
}

static void vectors_of_others(void **state)
{
    tain_store             *s = memory_store();
    const roaring_bitmap_t *rows;
    put_commit(s, 0, HEAD ADD_DV("a", ",\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":\"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L\",\"sizeInBytes\":44,\"cardinality\":6}")
                          ADD("b") ADD_DV("c", DV_A));
    tain_delta *t = open_table(s);
    /* rows 11, 18 and 29 of a file of 10 */
    assert_fails(tain_delta_deleted(t, tain_delta_find(t, "a"), &rows, err), TAIN_E_CORRUPT, "marks row 29 of 10");
    tain_delta_find(t, "a")->rows = 30;
    assert_ok(tain_delta_deleted(t, tain_delta_find(t, "a"), &rows, err));
    assert_int_equal(roaring_bitmap_get_cardinality(rows), 6);
    assert_ok(tain_delta_deleted(t, tain_delta_find(t, "b"), &rows, err));
    assert_null(rows);
    assert_fails(tain_delta_deleted(t, tain_delta_find(t, "c"), &rows, err), TAIN_E_CORRUPT, "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    tain_delta_close(t);
    tain_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reconciliation), cmocka_unit_test(newest_wins),   cmocka_unit_test(sums),
        cmocka_unit_test(damaged_logs),   cmocka_unit_test(what_tain_does_not_know), cmocka_unit_test(readable_only),
        cmocka_unit_test(append_only),
        cmocka_unit_test(whole_content_asks_for_nothing),    cmocka_unit_test(refresh_keeps_objects), cmocka_unit_test(a_torn_commit_stops_the_table),
        cmocka_unit_test(history),        cmocka_unit_test(foreign_paths), cmocka_unit_test(vectors_of_others),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
