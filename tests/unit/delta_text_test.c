/* SPDX-License-Identifier: MIT */
/* Texts by rule: statistics, checksum, paths, names, properties. */
#include "delta_fixture.h"

/* --- checksum ---------------------------------------------------------------------------------------------------------------- */

static void md5(void **state)
{
    char out[33];
    tain_md5_hex("", 0, out);
    assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
    tain_md5_hex("abc", 3, out);
    assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");
    const char *long_text = "12345678901234567890123456789012345678901234567890123456789012345678901234567890";
    tain_md5_hex(long_text, 80, out);
    assert_string_equal(out, "57edf4a22be3c955ac49da2e2107b67a");
}

static void canonical_checksum(void **state)
{
    json_error_t e;
    json_t      *o = json_loads("{\"k0\":\"'v 0'\", \"checksum\": \"adsaskfljadfkjadfkj\", \"k1\":{\"k2\": 2, \"k3\": [\"v3\", [1, 2], "
                                "{\"k4\": \"v4\", \"k5\": [\"v5\", \"v6\", \"v7\"]}]}}", 0, &e);
    tain_buffer  text = {0};
    char         sum[33];
    tain_canonical_json(o, &text);
    assert_string_equal(tain_buffer_cstr(&text),
                        "\"k0\"=\"%27v%200%27\",\"k1\"+\"k2\"=2,\"k1\"+\"k3\"+0=\"v3\",\"k1\"+\"k3\"+1+0=1,\"k1\"+\"k3\"+1+1=2,"
                        "\"k1\"+\"k3\"+2+\"k4\"=\"v4\",\"k1\"+\"k3\"+2+\"k5\"+0=\"v5\",\"k1\"+\"k3\"+2+\"k5\"+1=\"v6\",\"k1\"+\"k3\"+2+\"k5\"+2=\"v7\"");
    tain_md5_hex(text.data, text.size, sum);
    assert_string_equal(sum, "6a92d155a59bf2eecbd4b4ec7fd1f875");
    tain_buffer_done(&text);
    json_decref(o);
}

static void hint_round_trip(void **state)
{
    tain_store *s = memory_store();
    tain_hint   h = {.version = 41, .size = 107, .bytes = 123456, .files = 100}, back = {0};
    assert_false(tain_hint_read(s, &back));
    assert_ok(tain_hint_write(s, &h, err));
    assert_true(tain_hint_read(s, &back));
    assert_memory_equal(&h, &back, sizeof h);
    char *text = get_text(s, "_delta_log/_last_checkpoint"), *digit = strstr(text, "107");
    *digit = '9'; /* the checksum notices */
    put_text(s, "_delta_log/_last_checkpoint", text);
    assert_false(tain_hint_read(s, &back));
    text[20] = 0; /* torn */
    put_text(s, "_delta_log/_last_checkpoint", text);
    assert_false(tain_hint_read(s, &back));
    put_text(s, "_delta_log/_last_checkpoint", "{\"version\":3,\"size\":1,\"parts\":2}"); /* others write no checksum */
    assert_true(tain_hint_read(s, &back));
    assert_int_equal(back.version, 3);
    tain_free(text);
    tain_store_close(s);
}

/* --- statistics -------------------------------------------------------------------------------------------------------------- */

static void set_bounds(tain_column_stats *c, const void *min, const void *max, size_t n_min, size_t n_max)
{
    c->has_bounds = true;
    tain_buffer_append(&c->min, min, n_min);
    tain_buffer_append(&c->max, max, n_max);
}

static char *stats_of(const tain_schema *schema, tain_column_stats *columns, int64_t rows, int64_t indexed)
{
    tain_buffer          out = {0};
    tain_parquet_summary s = {.rows = rows, .column_count = schema->count, .columns = columns};
    tain_stats_json(schema, &s, &(tain_delta_indexed){.first = indexed}, true, &out);
    for (size_t i = 0; i < schema->count; i++) tain_buffer_done(&columns[i].min), tain_buffer_done(&columns[i].max);
    return tain_buffer_cstr(&out);
}

#define BOUNDS(c, type, a, b) set_bounds(c, &(type){a}, &(type){b}, sizeof(type), sizeof(type))

static void stats_of_every_type(void **state)
{
    tain_schema      *s = tain_schema_new();
    tain_column_stats c[13] = {0};
    tain_schema_add(s, "b", tain_type_of(TAIN_BOOL));
    tain_schema_add(s, "i", tain_type_of(TAIN_INT32));
    tain_schema_add(s, "l", tain_type_of(TAIN_INT64));
    tain_schema_add(s, "f", tain_type_of(TAIN_FLOAT));
    tain_schema_add(s, "d", tain_type_of(TAIN_DOUBLE));
    tain_schema_add(s, "n", tain_type_decimal(9, 2));
    tain_schema_add(s, "w", tain_type_decimal(38, 10));
    tain_schema_add(s, "s", tain_type_of(TAIN_STRING))->physical = "col-s";
    tain_schema_add(s, "x", tain_type_of(TAIN_BINARY));
    tain_schema_add(s, "day", tain_type_of(TAIN_DATE));
    tain_schema_add(s, "ts", tain_type_of(TAIN_TIMESTAMP));
    tain_schema_add(s, "ntz", tain_type_of(TAIN_TIMESTAMP_NTZ));
    tain_schema_add(s, "empty", tain_type_of(TAIN_INT64));
    c[0].null_count = 1;
    BOUNDS(&c[1], int32_t, -7, 2147483647);
    BOUNDS(&c[2], int64_t, INT64_MIN, INT64_MAX);
    BOUNDS(&c[3], float, -0.1f, 16777216.f);
    BOUNDS(&c[4], double, -0.0, 1e300);
    BOUNDS(&c[5], int64_t, -5, 123456);
    __int128 wide = -1;
    for (int i = 0; i < 37; i++) wide *= 10;
    BOUNDS(&c[6], __int128, wide, 12345);
    set_bounds(&c[7], "a\"b", "z", 3, 1);
    c[8].null_count = 2;
    BOUNDS(&c[9], int32_t, -719162, 20484);
    BOUNDS(&c[10], int64_t, -1, 1769862896789999);
    BOUNDS(&c[11], int64_t, -62135596800000000 - 1, 253402300799999999); /* the lower one lies before year 1 */
    c[12].null_count = 10;
    char *text = stats_of(s, c, 10, 32);
    assert_string_equal(text, "{\"numRecords\":10,\"minValues\":{\"i\":-7,\"l\":-9223372036854775808,\"f\":-0.1,\"d\":-0.0,\"n\":-0.05,"
                              "\"w\":-1000000000000000000000000000.0000000000,\"col-s\":\"a\\\"b\",\"day\":\"0001-01-01\",\"ts\":\"1969-12-31T23:59:59.999Z\"},"
                              "\"maxValues\":{\"i\":2147483647,\"l\":9223372036854775807,\"f\":16777216.0,\"d\":1e+300,\"n\":1234.56,\"w\":0.0000012345,"
                              "\"col-s\":\"z\",\"day\":\"2026-01-31\",\"ts\":\"2026-01-31T12:34:56.789Z\",\"ntz\":\"9999-12-31T23:59:59.999\"},"
                              "\"nullCount\":{\"b\":1,\"i\":0,\"l\":0,\"f\":0,\"d\":0,\"n\":0,\"w\":0,\"col-s\":0,\"x\":2,\"day\":0,\"ts\":0,\"ntz\":0,\"empty\":10},"
                              "\"tightBounds\":true}");
    tain_free(text);
    tain_schema_free(s);
}

static void only_the_first_columns(void **state)
{
    tain_schema      *s = tain_schema_new();
    tain_column_stats c[3] = {0};
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i)};
        tain_schema_add(s, name, tain_type_of(TAIN_INT32));
        BOUNDS(&c[i], int32_t, 1, 2);
    }
    char *text = stats_of(s, c, 1, 2);
    assert_string_equal(text, "{\"numRecords\":1,\"minValues\":{\"a\":1,\"b\":1},\"maxValues\":{\"a\":2,\"b\":2},\"nullCount\":{\"a\":0,\"b\":0},\"tightBounds\":true}");
    tain_free(text);
    tain_schema_free(s);
}

static char *upper_of(const char *max, size_t n)
{
    tain_schema      *s = tain_schema_new();
    tain_column_stats c = {0};
    json_error_t      e;
    tain_schema_add(s, "s", tain_type_of(TAIN_STRING));
    set_bounds(&c, "", max, 0, n);
    char   *text = stats_of(s, &c, 1, 32);
    json_t *o = json_loads(text, 0, &e);
    assert_non_null(o); /* whatever was cut is still UTF-8 */
    char *upper = tain_strdup(tain_json_get_str(json_object_get(o, "maxValues"), "s", NULL));
    json_decref(o);
    tain_free(text);
    tain_schema_free(s);
    return upper;
}

#define TEN "abcdefghij"
#define THIRTY TEN TEN TEN
#define LAST "\xF4\x8F\xBF\xBF"

static void upper_bounds_of_strings(void **state)
{
    static const struct {
        const char *max, *upper;
    } cases[] = {
        {THIRTY "12", THIRTY "12"},                    /* 32 characters: whole */
        {THIRTY "123", THIRTY "12\x7F"},               /* cut */
        {THIRTY "1\x7F""3", THIRTY "1\x7F" "\x7F"},
        {THIRTY "12\x7F", THIRTY "12" LAST},           /* what was cut is not below U+007F */
        {THIRTY "12\xC3\xA9", THIRTY "12" LAST},
        {THIRTY "\xC3\xA9\xE2\x82\xAC" "5", THIRTY "\xC3\xA9\xE2\x82\xAC" "\x7F"}, /* characters, not bytes */
        {THIRTY "12" LAST "x", THIRTY "12" LAST "\x7F"},
        {THIRTY "12" LAST LAST, THIRTY "12" LAST LAST}, /* the whole, nothing is behind it */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *upper = upper_of(cases[i].max, strlen(cases[i].max));
        assert_non_null(upper);
        assert_string_equal(upper, cases[i].upper);
        assert_true(strcmp(upper, cases[i].max) >= 0);
        tain_free(upper);
    }
    tain_buffer hopeless = {0};
    for (int i = 0; i < 70; i++) tain_buffer_append_str(&hopeless, LAST);
    assert_null(upper_of((char *)hopeless.data, hopeless.size));
    tain_buffer_done(&hopeless);
}

static void stats_text(void **state)
{
    assert_int_equal(tain_stats_rows("{\"numRecords\":42,\"tightBounds\":true}"), 42);
    assert_int_equal(tain_stats_rows(" { \"minValues\" : {\"numRecords\":1,\"a\":\"}\\\"{\"} , \"numRecords\" : 7 }"), 7);
    assert_int_equal(tain_stats_rows("{\"minValues\":{\"numRecords\":1}}"), -1);
    assert_int_equal(tain_stats_rows("{\"numRecords\":\"5\"}"), -1);
    assert_int_equal(tain_stats_rows("not json"), -1);
    assert_int_equal(tain_stats_rows(NULL), -1);
    static const struct {
        const char *stats, *loose;
    } cases[] = {
        {"{\"numRecords\":9,\"maxValues\":{\"d\":1234567890123456789.0123456789},\"tightBounds\":true}",
         "{\"numRecords\":9,\"maxValues\":{\"d\":1234567890123456789.0123456789},\"tightBounds\":false}"},
        {"{\"numRecords\":9,\"nullCount\":{\"tightBounds\":true}}", "{\"tightBounds\":false,\"numRecords\":9,\"nullCount\":{\"tightBounds\":true}}"},
        {"{}", "{\"tightBounds\":false,\"numRecords\":9}"},
        {"{\"numRecords\":9,\"tightBounds\":false}", "{\"numRecords\":9,\"tightBounds\":false}"},
        {"{\"numRecords\":9,\"minValues\":{\"s\":\"a\\u0000b\"}}", "{\"tightBounds\":false,\"numRecords\":9,\"minValues\":{\"s\":\"a\\u0000b\"}}"},
        {"broken", "{\"numRecords\":9,\"tightBounds\":false}"},
        {NULL, "{\"numRecords\":9,\"tightBounds\":false}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *loose = tain_stats_loosen(cases[i].stats, 9);
        assert_string_equal(loose, cases[i].loose);
        tain_free(loose);
    }
}

/* --- names -------------------------------------------------------------------------------------------------------------------- */

static void log_names(void **state)
{
    static const struct {
        const char   *key;
        tain_log_kind kind;
        int64_t       version;
    } cases[] = {
        {"_delta_log/00000000000000000007.json", TAIN_LOG_COMMIT, 7},
        {"00000000000000000012.checkpoint.parquet", TAIN_LOG_CHECKPOINT, 12},
        {"00000000000000000012.checkpoint.0000000001.0000000003.parquet", TAIN_LOG_PART, 12},
        {"00000000000000000012.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", TAIN_LOG_V2, 12},
        {"00000000000000000012.crc", TAIN_LOG_CRC, 12},
        {"00000000000000000004.00000000000000000006.compacted.json", TAIN_LOG_COMPACTED, 4},
        {"0000000000000000007.json", TAIN_LOG_OTHER, 0},   /* 19 digits */
        {"000000000000000000007.json", TAIN_LOG_OTHER, 0}, /* 21 */
        {"99999999999999999999.json", TAIN_LOG_OTHER, 0},
        {"_last_checkpoint", TAIN_LOG_OTHER, 0},
        {"00000000000000000007.json.tmp", TAIN_LOG_OTHER, 0},
        {"_delta_log/_sidecars/00000000000000000007.json", TAIN_LOG_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_log_name n = tain_log_name_of(cases[i].key);
        assert_int_equal(n.kind, cases[i].kind);
        if (n.kind != TAIN_LOG_OTHER) assert_int_equal(n.version, cases[i].version);
    }
    tain_log_name part = tain_log_name_of(cases[2].key);
    assert_int_equal(part.part, 1);
    assert_int_equal(part.parts, 3);
}

static void paths(void **state)
{
    tain_store *s = memory_store();
    static const struct {
        const char *path, *key;
    } cases[] = {{"a.parquet", "a.parquet"}, {"p=1%2F2/a%20b.parquet", "p=1/2/a b.parquet"}, {"100%25.parquet", "100%.parquet"},
                 {"odd%zz.parquet", "odd%zz.parquet"}, {"%C3%A9.parquet", "\xC3\xA9.parquet"}, {"../x", NULL}, {"a/%2E%2E/x", NULL},
                 {"s3://other/x", NULL}, {"/elsewhere/x", NULL}, {"a..b", "a..b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *key = tain_delta_key_of(s, cases[i].path);
        if (cases[i].key) assert_string_equal(key, cases[i].key);
        else assert_null(key);
        tain_free(key);
    }
    char *local = tain_delta_local_path(s, "file:///data/a%20b.parquet");
    assert_string_equal(local, "/data/a b.parquet");
    tain_free(local);
    local = tain_delta_local_path(s, "file:/data/x");
    assert_string_equal(local, "/data/x");
    tain_free(local);
    assert_null(tain_delta_local_path(s, "x")); /* memory has no paths */
    tain_store_close(s);
}

static void intervals(void **state)
{
    static const struct {
        const char *text;
        tain_time   value;
    } cases[] = {{"interval 2 days", 172800 * TAIN_SECOND}, {"interval 1 week", 604800 * TAIN_SECOND}, {"INTERVAL 1 Day 12 HOURS", 129600 * TAIN_SECOND},
                 {"30 minutes", 1800 * TAIN_SECOND}, {"interval 5 milliseconds", 5000}, {"interval 2 months", -77}, {"interval", -77}, {"nonsense", -77},
                 {"interval 99999999999999999 weeks", -77}};
    tain_delta *t = tain_state_new(NULL);
    t->meta.configuration = json_object();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_object_set_new(t->meta.configuration, "k", json_string(cases[i].text));
        assert_int_equal(tain_property_interval(t, "k", -77), cases[i].value);
    }
    tain_delta_close(t);
}

/* Numbers are kept digit by digit, whoever wrote them. */
static void statistics_get_columns(void **state)
{
    static const char *const cases[][2] = {
        {"{\"numRecords\":2,\"minValues\":{\"a\":1.10},\"maxValues\":{\"a\":12345678901234567890.10},\"nullCount\":{\"a\":0}}",
         "{\"numRecords\":2,\"minValues\":{\"a\":1.10,\"b\":7},\"maxValues\":{\"a\":12345678901234567890.10,\"b\":7},\"nullCount\":{\"a\":0,\"b\":0}}"},
        {"{ \"maxValues\" : { \"a\" : \"}\" } , \"minValues\": {}, \"nullCount\": { } }",
         "{ \"maxValues\" : { \"a\" : \"}\" ,\"b\":7}, \"minValues\": {\"b\":7}, \"nullCount\": { \"b\":0} }"},
        {"{\"numRecords\":2}", "{\"numRecords\":2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = tain_stats_join(cases[i][0], "{\"numRecords\":2,\"minValues\":{\"b\":7},\"maxValues\":{\"b\":7},\"nullCount\":{\"b\":0}}");
        json_t *o = json_loads(got, JSON_DECODE_INT_AS_REAL, NULL), *want = json_loads(cases[i][1], JSON_DECODE_INT_AS_REAL, NULL);
        if (!json_equal(o, want)) fail_msg("%s", got);
        assert_true(i != 0 || strstr(got, "12345678901234567890.10"));
        json_decref(o);
        json_decref(want);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_get_columns),
        cmocka_unit_test(md5),        cmocka_unit_test(canonical_checksum),      cmocka_unit_test(hint_round_trip), cmocka_unit_test(stats_of_every_type),
        cmocka_unit_test(only_the_first_columns), cmocka_unit_test(upper_bounds_of_strings), cmocka_unit_test(stats_text), cmocka_unit_test(log_names),
        cmocka_unit_test(paths),      cmocka_unit_test(intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
