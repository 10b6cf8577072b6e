/* SPDX-License-Identifier: MIT */
/* What our commits say, and what becomes of them when others commit or answers are lost. */
#include "delta_fixture.h"

#include <inttypes.h>

#define COMMIT(...) (&(tain_delta_commit){.data_change = true, __VA_ARGS__})

static char *dumped(json_t *o) /* steals o */
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : tain_strdup("none");
    json_decref(o);
    return text;
}

static void assert_action(const char *commit, const char *name, size_t n, const char *wanted)
{
    char *is = dumped(action_of(commit, name, n));
    assert_string_equal(is, wanted);
    tain_free(is);
}

static int64_t bins(tain_store *s);

/* --- creation --------------------------------------------------------------------------------------------------------------------- */

static void creation(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = create_table(s), *again;
    char       *text = get_commit(s, 0);
    assert_int_equal(strncmp(text, "{\"commitInfo\":{\"timestamp\":", 27), 0);
    assert_action(text, "protocol", 0,
                  "{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\",\"appendOnly\",\"invariants\"]}");
    json_t *m = action_of(text, "metaData", 0), *info = action_of(text, "commitInfo", 0);
    char   *configuration = dumped(json_incref(json_object_get(m, "configuration")));
    assert_string_equal(configuration, "{\"delta.enableDeletionVectors\":\"true\",\"delta.checkpoint.writeStatsAsJson\":\"true\",\"delta.checkpoint.writeStatsAsStruct\":\"false\","
                                       "\"delta.checkpointInterval\":\"100\",\"delta.logRetentionDuration\":\"interval 2 days\",\"delta.deletedFileRetentionDuration\":\"interval 1 day\"}");
    assert_string_equal(tain_json_get_str(m, "schemaString", ""), "{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}");
    assert_int_equal(strlen(tain_json_get_str(m, "id", "")), 36);
    assert_string_equal(tain_json_get_str(info, "operation", ""), "CREATE TABLE");
    assert_true(tain_json_get_bool(info, "isBlindAppend", false));
    assert_int_equal(strncmp(tain_json_get_str(info, "engineInfo", ""), "tain/", 5), 0);
    assert_null(json_object_get(info, "readVersion"));
    assert_null(strstr(text, ":null"));
    assert_null(strstr(text, "\n\n"));
    tain_free(configuration);
    json_decref(m);
    json_decref(info);
    tain_free(text);
    tain_schema *schema = id_schema();
    assert_fails(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema), &again, err), TAIN_E_EXISTS, "already");
    assert_ok(tain_store_remove(s, "_delta_log/00000000000000000000.json", err));
    put_text(s, "_delta_log/00000000000000000009.checkpoint.parquet", "x"); /* its beginning was cleaned away */
    assert_fails(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema), &again, err), TAIN_E_EXISTS, "already");
    assert_fails(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE"), &again, err), TAIN_E_INVALID, "schema");
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void creation_with_everything(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t;
    tain_schema     *schema = id_schema();
    tain_delta_file *f = new_file("part-0.parquet", 5);
    json_t          *configuration = json_pack("{s:s, s:n}", "tain.mirror", "m1", "delta.checkpointInterval");
    json_t          *info = json_pack("{s:{s:s}, s:s}", "tain", "position", "0/16B", "txnId", "not this");
    assert_ok(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema, .configuration = configuration, .info = info, .name = "main.t", .app_id = "tain:m1",
                                          .app_version = 1, .adds = &f, .add_count = 1), &t, err));
    assert_int_equal(tain_delta_txn(t, "tain:m1"), 1);
    assert_ptr_equal(tain_delta_find(t, "part-0.parquet"), f);
    tain_delta_close(t);
    t = open_table(s);
    assert_string_equal(tain_delta_meta(t)->name, "main.t");
    assert_string_equal(tain_json_get_str(tain_delta_meta(t)->configuration, "tain.mirror", ""), "m1");
    assert_null(json_object_get(tain_delta_meta(t)->configuration, "delta.checkpointInterval"));
    assert_int_equal(tain_delta_live_rows(t), 5);
    char   *text = get_commit(s, 0);
    json_t *ci = action_of(text, "commitInfo", 0);
    assert_string_equal(tain_json_get_str(json_object_get(ci, "tain"), "position", ""), "0/16B");
    assert_string_not_equal(tain_json_get_str(ci, "txnId", ""), "not this");
    json_decref(ci);
    tain_free(text);
    json_decref(configuration);
    json_decref(info);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void copy_on_write_profile(void **state)
{
    tain_store  *s = memory_store();
    tain_delta  *t;
    tain_schema *schema = id_schema();
    json_t      *configuration = json_pack("{s:s}", "delta.enableDeletionVectors", "false");
    assert_ok(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema, .configuration = configuration), &t, err));
    char *text = get_commit(s, 0);
    assert_action(text, "protocol", 0, "{\"minReaderVersion\":1,\"minWriterVersion\":2}");
    tain_free(text);
    tain_delta_file *f = append_file(t, "a", 10);
    assert_fails(delete_rows(t, f, 0, 3, err), TAIN_E_UNSUPPORTED, "deletionVectors");
    assert_ok(delete_rows(t, f, 0, 10, err)); /* a whole file needs none */
    assert_int_equal(tain_delta_file_count(t), 0);
    json_decref(configuration);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

/* --- schema ------------------------------------------------------------------------------------------------------------------------ */

static tain_schema *columns(const tain_field *fields, size_t n)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < n; i++) {
        tain_field *f = tain_schema_add(s, fields[i].name, tain_type_of(TAIN_INT64));
        if (fields[i].physical) f->physical = fields[i].physical;
        f->id = (int32_t)i + 1;
        f->source_id = fields[i].source_id;
    }
    return s;
}

/* What the list of columns with statistics is after one has another name, another type, or is gone. */
static void statistics_columns_keep_their_columns(void **state)
{
    static const tain_field before[] = {{.name = "id", .source_id = 1}, {.name = "Old", .source_id = 2}, {.name = "gone", .source_id = 3}, {.name = "wide", .source_id = 4}, {.name = "plain"}};
    static const tain_field after[] = {{.name = "id", .source_id = 1}, {.name = "new `one`", .physical = "Old", .source_id = 2},
                                       {.name = "gone", .physical = "wide-2", .source_id = 4}, {.name = "flat", .physical = "plain"}};
    static const struct { const char *wanted, *becomes; } cases[] = {
        {"id", "id"}, {" ID , nowhere", " ID , nowhere"}, {"old,id", "`new ``one```,id"}, {"id,gone", "id"}, {"gone", ""}, {"`gone`,wide", "gone"},
        {"id.x,plain , `a,b`", "id.x,flat, `a,b`"}, {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_store  *s = memory_store();
        tain_schema *schema = columns(before, 5), *next = columns(after, 4);
        tain_delta  *t;
        json_t      *configuration = json_pack("{s:s}", "delta.dataSkippingStatsColumns", cases[i].wanted);
        assert_ok(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema, .configuration = configuration), &t, err));
        assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "CHANGE COLUMN", .schema = schema), err));
        assert_string_equal(tain_property(t, "delta.dataSkippingStatsColumns", "none"), cases[i].wanted);
        assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "CHANGE COLUMN", .schema = next), err));
        assert_string_equal(tain_property(t, "delta.dataSkippingStatsColumns", "none"), cases[i].becomes);
        assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "CHANGE COLUMN", .schema = schema, .configuration = configuration), err));
        assert_string_equal(tain_property(t, "delta.dataSkippingStatsColumns", "none"), cases[i].wanted); /* whoever says it means it */
        json_decref(configuration);
        tain_schema_free(schema);
        tain_schema_free(next);
        tain_delta_close(t);
        tain_store_close(s);
    }
}

static void protocol_follows_the_schema(void **state)
{
    tain_store  *s = memory_store();
    tain_delta  *t = create_table(s);
    tain_schema *schema = id_schema();
    tain_schema_add(schema, "at", tain_type_list(schema, tain_type_of(TAIN_TIMESTAMP_NTZ)));
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "ADD COLUMNS", .schema = schema), err));
    char *text = get_commit(s, 1);
    assert_action(text, "protocol", 0,
                  "{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\",\"timestampNtz\"],"
                  "\"writerFeatures\":[\"deletionVectors\",\"appendOnly\",\"invariants\",\"timestampNtz\"]}");
    tain_free(text);
    tain_schema_add(schema, "more", tain_type_of(TAIN_STRING));
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "ADD COLUMNS", .schema = schema), err));
    text = get_commit(s, 2);
    assert_int_equal(actions_of(text, "protocol"), 0); /* nothing new is needed */
    assert_int_equal(actions_of(text, "metaData"), 1);
    tain_free(text);
    assert_int_equal(tain_delta_meta(t)->schema->count, 3);
    tain_delta_close(t);
    t = open_table(s);
    assert_true(tain_schema_equal(tain_delta_meta(t)->schema, schema));
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

/* The ids of all fields in the text of a schema, each once. */
static void note_ids(const json_t *v, long long *sum, size_t *count)
{
    const char *key;
    json_t *member;
    size_t i;
    json_array_foreach((json_t *)v, i, member) note_ids(member, sum, count);
    json_object_foreach((json_t *)v, key, member)
    {
        if (strcmp(key, "delta.columnMapping.id") == 0) *sum += json_integer_value(member), ++*count;
        note_ids(member, sum, count);
    }
}

static void fields_of_structs_are_mapped(void **state)
{
    static const char nested[] =
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},"
        "{\"name\":\"s\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":{\"type\":\"struct\",\"fields\":["
        "{\"name\":\"b\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]},\"valueContainsNull\":true},\"nullable\":true,\"metadata\":{}}]},"
        "\"nullable\":true,\"metadata\":{}}]}";
    tain_store  *s = memory_store();
    tain_delta  *t = create_table(s);
    tain_schema *schema = NULL;
    long long    sum = 0;
    size_t       count = 0;
    assert_ok(tain_schema_from_json(nested, strlen(nested), &schema, err));
    schema->fields[0].name = "renamed";
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "RENAME COLUMN", .schema = schema), err));
    json_t *text = json_loads(t->schema_text, 0, NULL);
    note_ids(text, &sum, &count);
    assert_int_equal(count, 5); /* 1 to 5 */
    assert_int_equal(sum, 15);
    assert_string_equal(tain_json_get_str(tain_delta_meta(t)->configuration, "delta.columnMapping.maxColumnId", ""), "5");
    json_decref(text);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void column_mapping(void **state)
{
    tain_store  *s = memory_store();
    tain_delta  *t = create_table(s);
    tain_schema *schema = tain_schema_new();
    char         id[37];
    snprintf(id, sizeof id, "%s", tain_delta_meta(t)->id);
    tain_schema_add(schema, "renamed", tain_type_of(TAIN_INT64))->physical = "id";
    tain_schema_add(schema, "x y", tain_type_of(TAIN_STRING));
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "RENAME COLUMN", .schema = schema), err));
    char *text = get_commit(s, 1);
    json_t *m = action_of(text, "metaData", 0), *p = action_of(text, "protocol", 0), *configuration = json_object_get(m, "configuration");
    assert_string_equal(tain_json_get_str(configuration, "delta.columnMapping.mode", ""), "name");
    assert_string_equal(tain_json_get_str(configuration, "delta.columnMapping.maxColumnId", ""), "2");
    assert_string_equal(tain_json_get_str(m, "id", ""), id);
    assert_string_equal(tain_json_get_str(m, "schemaString", ""),
                        "{\"type\":\"struct\",\"fields\":[{\"name\":\"renamed\",\"type\":\"long\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":1,\"delta.columnMapping.physicalName\":\"id\"}},"
                        "{\"name\":\"x y\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":2,\"delta.columnMapping.physicalName\":\"x y\"}}]}");
    char *features = dumped(json_incref(json_object_get(p, "readerFeatures")));
    assert_string_equal(features, "[\"deletionVectors\",\"columnMapping\"]");
    tain_free(features);
    json_decref(m);
    json_decref(p);
    tain_free(text);
    /* ids stay, the next column gets the next one, also after a drop */
    tain_schema *next = tain_schema_new();
    tain_field  *kept = tain_schema_add(next, "renamed", tain_type_of(TAIN_INT64));
    kept->physical = "id", kept->id = tain_delta_meta(t)->schema->fields[0].id;
    tain_schema_add(next, "new", tain_type_of(TAIN_BOOL));
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "CHANGE COLUMN", .schema = next), err));
    assert_int_equal(tain_delta_meta(t)->schema->fields[0].id, 1);
    assert_int_equal(tain_delta_meta(t)->schema->fields[1].id, 3);
    assert_string_equal(tain_json_get_str(tain_delta_meta(t)->configuration, "delta.columnMapping.maxColumnId", ""), "3");
    tain_schema_free(next);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void names_that_cannot_be(void **state)
{
    static const struct {
        const char *a, *b, *physical_b, *text;
    } cases[] = {{"a", "x y", NULL, "\"x y\""}, {"a", "a", NULL, "two columns"}, {"a", "A", NULL, "different physical names"}, {"", "b", NULL, "without name"},
                 {"a", "b", "A", "different physical names"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_store  *s = memory_store();
        tain_delta  *t;
        tain_schema *schema = tain_schema_new();
        tain_schema_add(schema, cases[i].a, tain_type_of(TAIN_INT64));
        tain_field *b = tain_schema_add(schema, cases[i].b, tain_type_of(TAIN_INT64));
        if (cases[i].physical_b) b->physical = cases[i].physical_b;
        assert_fails(tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema), &t, err), TAIN_E_INVALID, cases[i].text);
        tain_schema_free(schema);
        tain_store_close(s);
    }
}

static void properties_alone(void **state)
{
    tain_store *s = memory_store();
    put_commit(s, 0, PROTOCOL_LINE "{\"metaData\":{\"id\":\"x\",\"name\":\"n\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
                                   "\\\"metadata\\\":{\\\"comment\\\":\\\"theirs\\\"}}]}\",\"configuration\":{\"theirs\":\"1\",\"gone\":\"2\"}}}\n");
    tain_delta *t = open_table(s);
    json_t     *configuration = json_pack("{s:s, s:n}", "delta.checkpointInterval", "7", "gone"), *bad = json_pack("{s:i}", "k", 1);
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "SET TBLPROPERTIES", .configuration = configuration), err));
    char *text = get_commit(s, 1);
    assert_action(text, "metaData", 0, "{\"id\":\"x\",\"name\":\"n\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\","
                                       "\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{\\\"comment\\\":\\\"theirs\\\"}}]}\",\"partitionColumns\":[],"
                                       "\"configuration\":{\"theirs\":\"1\",\"delta.checkpointInterval\":\"7\"}}");
    tain_free(text);
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "SET TBLPROPERTIES", .configuration = bad), err), TAIN_E_INVALID, "property k");
    json_decref(configuration);
    json_decref(bad);
    tain_delta_close(t);
    tain_store_close(s);
}

/* --- deletions ---------------------------------------------------------------------------------------------------------------------- */

/* The bug that duplicates rows in every reader: a remove that does not name the very vector of the live add. */
static void every_remove_names_the_live_vector(void **state)
{
    tain_store             *s = memory_store();
    tain_delta             *t = create_table(s);
    tain_delta_file        *f = append_file(t, "a", 100);
    const roaring_bitmap_t *rows;
    json_t                 *before = NULL;
    for (uint32_t round = 0; round < 3; round++) {
        assert_ok(delete_rows(t, f, round * 10, 10, err));
        char   *text = get_commit(s, tain_delta_version(t));
        json_t *add = action_of(text, "add", 0), *removed = action_of(text, "remove", 0), *vector = json_object_get(add, "deletionVector");
        assert_true(strstr(text, "{\"remove\"") < strstr(text, "{\"add\""));
        assert_int_equal(actions_of(text, "remove"), 1);
        assert_int_equal(actions_of(text, "add"), 1);
        if (before) assert_true(json_equal(json_object_get(removed, "deletionVector"), before));
        else assert_null(json_object_get(removed, "deletionVector"));
        json_decref(before);
        before = json_incref(vector);
        assert_string_equal(tain_json_get_str(vector, "storageType", ""), "u");
        assert_int_equal(tain_json_get_int(vector, "offset", -1), 1);
        assert_int_equal(tain_json_get_int(vector, "cardinality", -1), (round + 1) * 10);
        assert_string_equal(tain_json_get_str(add, "stats", ""),
                            "{\"numRecords\":100,\"minValues\":{\"id\":1},\"maxValues\":{\"id\":12345678901234567.89},\"nullCount\":{\"id\":0},\"tightBounds\":false}");
        assert_int_equal(tain_json_get_int(add, "modificationTime", 0), 1767225600000);
        assert_int_equal(tain_json_get_int(add, "size", 0), tain_json_get_int(removed, "size", 1));
        assert_true(tain_json_get_bool(removed, "extendedFileMetadata", false));
        json_decref(add);
        json_decref(removed);
        tain_free(text);
    }
    json_decref(before);
    assert_ptr_equal(tain_delta_find(t, "a"), f);
    assert_int_equal(tain_delta_live_rows(t), 70);
    tain_delta_close(t);
    t = open_table(s);
    assert_ok(tain_delta_deleted(t, tain_delta_find(t, "a"), &rows, err));
    assert_int_equal(roaring_bitmap_get_cardinality(rows), 30);
    assert_int_equal(roaring_bitmap_maximum(rows), 29);
    assert_int_equal(tain_delta_live_rows(t), 70);
    tain_delta_close(t);
    tain_store_close(s);
}

static void a_file_without_rows_is_removed(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *a = append_file(t, "a", 10), *b = append_file(t, "b", 10);
    assert_ok(delete_rows(t, a, 0, 10, err));
    assert_int_equal(bins(s), 0);
    assert_ok(delete_rows(t, b, 0, 4, err));
    assert_ok(delete_rows(t, b, 2, 8, err)); /* with what was deleted, all */
    assert_int_equal(bins(s), 1);
    char *text = get_commit(s, tain_delta_version(t));
    assert_int_equal(actions_of(text, "remove"), 1);
    assert_int_equal(actions_of(text, "add"), 0);
    json_t *removed = action_of(text, "remove", 0);
    assert_int_equal(tain_json_get_int(json_object_get(removed, "deletionVector"), "cardinality", 0), 4);
    json_decref(removed);
    tain_free(text);
    assert_false(b->live);
    assert_int_equal(tain_delta_file_count(t), 0);
    assert_int_equal(tain_delta_live_rows(t), 0);
    assert_int_equal(tain_delta_bytes(t), 0);
    tain_delta_close(t);
    tain_store_close(s);
}

static void rows_deleted_before_are_no_change(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *f = append_file(t, "a", 10);
    assert_ok(delete_rows(t, f, 0, 4, err));
    assert_ok(delete_rows(t, f, 1, 2, err));
    char *text = get_commit(s, tain_delta_version(t));
    assert_int_equal(actions_of(text, "add") + actions_of(text, "remove"), 0);
    tain_free(text);
    assert_int_equal(bins(s), 1);
    tain_delta_close(t);
    tain_store_close(s);
}

static void deletions_in_new_files(void **state)
{
    tain_store           *s = memory_store();
    tain_delta           *t = create_table(s);
    tain_delta_file      *adds[] = {new_file("a", 10), new_file("b", 10), new_file("c", 10)};
    roaring_bitmap_t     *some = roaring_bitmap_of(2, 1, 3), *all = roaring_bitmap_from_range(0, 10, 1);
    struct tain_dv_change deletes[] = {{adds[0], some}, {adds[1], all}};
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "MERGE", .adds = adds, .add_count = 3, .deletes = deletes, .delete_count = 2), err));
    char *text = get_commit(s, 1);
    assert_int_equal(actions_of(text, "remove"), 0);
    assert_int_equal(actions_of(text, "add"), 2);
    tain_free(text);
    assert_true(adds[0]->live);
    assert_false(adds[1]->live);
    assert_true(adds[2]->live);
    assert_int_equal(tain_delta_file_count(t), 2);
    assert_int_equal(tain_delta_live_rows(t), 18);
    assert_int_equal(t->tombstone_count, 0); /* what never lived leaves none */
    assert_ok(delete_rows(t, adds[0], 0, 1, err));
    assert_int_equal(adds[0]->dv.cardinality, 3);
    roaring_bitmap_free(some);
    roaring_bitmap_free(all);
    tain_delta_close(t);
    tain_store_close(s);
}

static bool count_bin(void *ctx, const tain_object *o)
{
    *(int64_t *)ctx += strstr(o->key, ".bin") != NULL;
    return true;
}

static int64_t bins(tain_store *s)
{
    int64_t n = 0;
    assert_ok(tain_store_list(s, "", NULL, count_bin, &n, err));
    return n;
}

static void two_puts_a_commit(void **state)
{
    enum { FILES = 40 };
    tain_store           *s = tain_store_fault(memory_store(), 0, false);
    tain_delta           *t = create_table(s);
    struct tain_dv_change deletes[FILES];
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        deletes[i] = (struct tain_dv_change){append_file(t, name, 1000), roaring_bitmap_from_range(0, 10 + (uint64_t)i, 1)};
    }
    uint64_t calls = tain_store_fault_calls(s);
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "DELETE", .deletes = deletes, .delete_count = FILES), err));
    assert_int_equal(tain_store_fault_calls(s) - calls, 2);
    assert_int_equal(bins(s), 1);
    for (int i = 0; i < FILES; i++) {
        const roaring_bitmap_t *rows;
        tain_delta             *fresh = i % 10 ? NULL : open_table(s);
        if (fresh) {
            assert_ok(tain_delta_deleted(fresh, tain_delta_find(fresh, deletes[i].file->path), &rows, err));
            assert_true(roaring_bitmap_equals(rows, deletes[i].rows));
            tain_delta_close(fresh);
        }
        roaring_bitmap_free(deletes[i].rows);
    }
    tain_delta_close(t);
    tain_store_close(s);
}

static void packs_are_rolled(void **state)
{
    enum { FILES = 4, ROWS = 8000000 };
    tain_store           *s = memory_store();
    tain_delta           *t = create_table(s);
    struct tain_dv_change deletes[FILES];
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        deletes[i] = (struct tain_dv_change){append_file(t, name, ROWS), roaring_bitmap_create()};
        for (uint32_t r = 0; r < ROWS; r += 3) roaring_bitmap_add(deletes[i].rows, r); /* about 1 MB of bitsets */
    }
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "DELETE", .deletes = deletes, .delete_count = FILES), err));
    assert_int_equal(bins(s), 2);
    for (int i = 0; i < FILES; i++) {
        roaring_bitmap_t *rows;
        assert_ok(tain_dv_load(s, &deletes[i].file->dv, &rows, err));
        assert_true(roaring_bitmap_equals(rows, deletes[i].rows));
        roaring_bitmap_free(rows);
        roaring_bitmap_free(deletes[i].rows);
    }
    tain_delta_close(t);
    tain_store_close(s);
}

static void nonsense_is_refused(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *a = append_file(t, "a", 10), *twice[] = {a, a}, *stranger = new_file("x", 1);
    roaring_bitmap_t *rows = roaring_bitmap_of(1, 3);
    struct tain_dv_change change = {a, rows}, strange = {stranger, rows};
    assert_fails(delete_rows(t, a, 5, 6, err), TAIN_E_INVALID, "row 10 of a file of 10");
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "x", .removes = twice, .remove_count = 2), err), TAIN_E_INVALID, "a is named twice");
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "x", .removes = &a, .remove_count = 1, .deletes = &change, .delete_count = 1), err), TAIN_E_INVALID, "named twice");
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "x", .adds = &a, .add_count = 1), err), TAIN_E_INVALID, "already");
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "x", .removes = &stranger, .remove_count = 1), err), TAIN_E_CONFLICT, "no longer");
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "x", .deletes = &strange, .delete_count = 1), err), TAIN_E_CONFLICT, "no longer");
    assert_int_equal(tain_delta_version(t), 1);
    roaring_bitmap_free(rows);
    tain_delta_file_free(stranger);
    tain_delta_close(t);
    tain_store_close(s);
}

static void texts_only_in_parameters(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = create_table(s);
    json_t     *odd = json_pack("{s:s, s:i, s:[i], s:n}", "a", "x", "b", 5, "c", 1, "d");
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "OPTIMIZE", .parameters = odd, .metrics = odd), err));
    char   *text = get_commit(s, 1);
    json_t *info = action_of(text, "commitInfo", 0);
    char   *parameters = dumped(json_incref(json_object_get(info, "operationParameters")));
    assert_string_equal(parameters, "{\"a\":\"x\",\"b\":\"5\",\"c\":\"[1]\",\"d\":\"null\"}");
    assert_true(json_equal(json_object_get(info, "operationParameters"), json_object_get(info, "operationMetrics")));
    assert_int_equal(tain_json_get_int(info, "readVersion", -1), 0);
    tain_free(parameters);
    json_decref(info);
    json_decref(odd);
    tain_free(text);
    tain_delta_close(t);
    tain_store_close(s);
}

/* --- others ---------------------------------------------------------------------------------------------------------------------------- */

static void appends_go_behind_each_other(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s), *u = open_table(s);
    tain_delta_file *a = append_file(t, "a", 10);
    append_file(t, "b", 10);
    assert_ok(delete_rows(t, a, 0, 1, err));
    append_file(u, "c", 10);
    assert_int_equal(tain_delta_version(u), 4);
    assert_int_equal(tain_delta_live_rows(u), 29);
    char   *text = get_commit(s, 4);
    json_t *info = action_of(text, "commitInfo", 0);
    assert_int_equal(tain_json_get_int(info, "readVersion", -1), 3);
    json_decref(info);
    tain_free(text);
    int64_t foreign;
    assert_ok(tain_delta_refresh(t, &foreign, err));
    assert_int_equal(foreign, 1);
    assert_int_equal(tain_delta_live_rows(t), 29);
    tain_delta_close(t);
    tain_delta_close(u);
    tain_store_close(s);
}

static void the_same_file_is_a_conflict(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *f = append_file(t, "a", 10), *g = append_file(t, "b", 10), *merged = new_file("m", 20);
    tain_delta      *u = open_table(s);
    tain_delta_file *theirs = tain_delta_find(u, "a"), *both[] = {f, g};
    assert_ok(delete_rows(u, theirs, 0, 2, err));
    assert_fails(delete_rows(t, f, 5, 1, err), TAIN_E_CONFLICT, "a was changed in version 3");
    assert_int_equal(tain_delta_version(t), 3); /* refreshed */
    assert_true(f->live);
    assert_int_equal(f->dv.cardinality, 2);
    assert_ok(delete_rows(t, f, 5, 1, err)); /* and then it goes */
    assert_int_equal(f->dv.cardinality, 3);
    assert_fails(tain_delta_commit_write(u, COMMIT(.operation = "OPTIMIZE", .removes = &theirs, .remove_count = 1), err), TAIN_E_CONFLICT, "a was changed");
    assert_ok(tain_delta_commit_write(u, COMMIT(.operation = "OPTIMIZE", .removes = &theirs, .remove_count = 1), err));
    assert_false(theirs->live);
    tain_delta_commit merge = {.operation = "OPTIMIZE", .removes = both, .remove_count = 2, .adds = &merged, .add_count = 1};
    assert_fails(tain_delta_commit_write(t, &merge, err), TAIN_E_CONFLICT, "a is no longer");
    assert_fails(tain_delta_commit_write(t, &merge, err), TAIN_E_CONFLICT, "a is no longer"); /* its object is still there to be named */
    assert_false(f->live);
    assert_false(merged->live);
    tain_delta_file_free(merged);
    tain_delta_close(t);
    tain_delta_close(u);
    tain_store_close(s);
}

static void schema_properties_and_application_conflict(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s), *u = open_table(s);
    tain_delta_file *f = new_file("a", 1);
    json_t          *p = json_pack("{s:s}", "k", "v");
    assert_ok(tain_delta_commit_write(u, COMMIT(.operation = "SET TBLPROPERTIES", .configuration = p), err));
    assert_fails(tain_delta_commit_write(t, COMMIT(.operation = "WRITE", .adds = &f, .add_count = 1), err), TAIN_E_CONFLICT, "changed in version 1");
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "WRITE", .app_id = "x", .app_version = 5, .adds = &f, .add_count = 1), err));
    assert_fails(tain_delta_commit_write(u, COMMIT(.operation = "WRITE", .app_id = "x", .app_version = 5), err), TAIN_E_CONFLICT, "commits as \"x\"");
    assert_int_equal(tain_delta_txn(u, "x"), 5);
    assert_ok(tain_delta_commit_write(u, COMMIT(.operation = "WRITE", .app_id = "y", .app_version = 1), err));
    json_decref(p);
    tain_delta_close(t);
    tain_delta_close(u);
    tain_store_close(s);
}

/* --- lost answers ------------------------------------------------------------------------------------------------------------------------ */

static void remove_commit(tain_store *s, int64_t version)
{
    char *key = tain_log_key(version, ".json");
    assert_ok(tain_store_remove(s, key, err));
    tain_free(key);
}

/* A version that is free may be so because others wrote and cleaned it long ago: what is put there nobody would read. */
static void nothing_goes_behind_a_cleaned_log(void **state)
{
    tain_store *s = memory_store();
    tain_delta *old = create_table(s), *t = open_table(s), *idle = open_table(s);
    for (int i = 0; i < 3; i++) append_file(t, (const char *[]){"a", "b", "c"}[i], 10);
    idle->looked -= 4000 * TAIN_SECOND; /* the log is whole: it goes behind */
    append_file(idle, "d", 10);
    assert_int_equal(tain_delta_version(idle), 4);
    assert_ok(tain_delta_checkpoint(idle, err));
    for (int64_t v = 0; v <= 3; v++) remove_commit(s, v);
    old->looked -= 4000 * TAIN_SECOND;
    tain_delta_file  *lost = new_file("lost", 10);
    tain_delta_commit c = {.operation = "WRITE", .adds = &lost, .add_count = 1, .data_change = true};
    assert_fails(tain_delta_commit_write(old, &c, err), TAIN_E_GONE, "open the table again");
    assert_int_equal(tain_store_head(s, "_delta_log/00000000000000000001.json", &(tain_object){0}, NULL), TAIN_E_NOT_FOUND);
    tain_delta_file_free(lost);
    tain_delta *others[] = {old, t, idle};
    for (size_t i = 0; i < 3; i++) tain_delta_close(others[i]);
    tain_store_close(s);
}

static void a_lost_answer_is_looked_up(void **state)
{
    tain_store      *s = tain_store_fault(memory_store(), 0, false);
    tain_delta      *t = create_table(s);
    tain_delta_file *f = append_file(t, "a", 10);
    for (uint64_t n = 1; n <= 2; n++) { /* the vector's answer, then the commit's */
        tain_store_fault_arm(s, n, true); /* counted from here */
        assert_ok(delete_rows(t, f, (uint32_t)n, 1, err));
        assert_int_equal(tain_delta_version(t), 1 + (int64_t)n);
    }
    tain_store_fault_arm(s, 0, false);
    tain_delta *fresh = open_table(s);
    assert_int_equal(tain_delta_version(fresh), 3);
    assert_int_equal(tain_delta_live_rows(fresh), 8);
    tain_delta_close(fresh);
    tain_delta_close(t);
    tain_store_close(s);
}

/* Whichever call fails, with or without effect: the commit is there as a whole or not at all, and t knows. */
static void every_call_fails_once(void **state)
{
    for (int torn = 0; torn < 2; torn++) {
        for (uint64_t n = 1;; n++) {
            tain_store           *s = tain_store_fault(memory_store(), 0, false);
            tain_delta           *t = create_table(s), *u = open_table(s);
            tain_delta_file      *a = append_file(t, "a", 10), *b = new_file("b", 5);
            roaring_bitmap_t     *rows = roaring_bitmap_of(1, 3);
            struct tain_dv_change d = {a, rows};
            append_file(u, "theirs", 1); /* so that there is a race to lose, too */
            tain_store_fault_arm(s, n, torn);
            tain_status st = tain_delta_commit_write(t, COMMIT(.operation = "MERGE", .app_id = "x", .app_version = 1, .adds = &b, .add_count = 1, .deletes = &d, .delete_count = 1), NULL);
            uint64_t    used = tain_store_fault_calls(s);
            tain_store_fault_arm(s, 0, false);
            tain_delta *fresh = open_table(s);
            bool        there = tain_delta_txn(fresh, "x") == 1;
            assert_int_equal(tain_delta_live_rows(fresh), there ? 10 + 1 + 5 - 1 : 11);
            if (st == TAIN_OK) assert_true(there);
            else assert_true(!there || st == TAIN_E_UNKNOWN);
            assert_int_equal(b->live, st == TAIN_OK);
            if (st != TAIN_OK) tain_delta_file_free(b);
            roaring_bitmap_free(rows);
            tain_delta_close(fresh);
            tain_delta_close(t);
            tain_delta_close(u);
            tain_store_close(s);
            if (used < n) break;
            assert_true(n < 50);
        }
    }
}

static void creation_survives_a_lost_answer(void **state)
{
    tain_schema *schema = id_schema();
    for (uint64_t n = 1; n <= 2; n++) {
        tain_store *s = tain_store_fault(memory_store(), n, true);
        tain_delta *t = NULL;
        tain_status st = tain_delta_create(s, COMMIT(.operation = "CREATE TABLE", .schema = schema), &t, NULL);
        if (n == 2) assert_int_equal(st, TAIN_OK); /* 1 is the listing */
        tain_delta_close(t);
        tain_store_close(s);
    }
    tain_schema_free(schema);
}

/* --- at random -------------------------------------------------------------------------------------------------------------------------- */

typedef struct model_file {
    tain_delta_file  *file;
    roaring_bitmap_t *deleted;
} model_file;

enum { MODEL_FILES = 12, MODEL_ROWS = 300 };

static void check_model(tain_delta *t, const model_file *m)
{
    size_t  files = 0;
    int64_t rows = 0;
    for (int i = 0; i < MODEL_FILES; i++) {
        if (!m[i].file) continue;
        char path[16];
        snprintf(path, sizeof path, "%s", m[i].file->path);
        tain_delta_file        *f = tain_delta_find(t, path);
        const roaring_bitmap_t *is;
        assert_non_null(f);
        assert_ok(tain_delta_deleted(t, f, &is, err));
        if (is) assert_true(roaring_bitmap_equals(is, m[i].deleted));
        else assert_true(roaring_bitmap_is_empty(m[i].deleted));
        files++;
        rows += MODEL_ROWS - (int64_t)roaring_bitmap_get_cardinality(m[i].deleted);
    }
    assert_int_equal(tain_delta_file_count(t), files);
    assert_int_equal(tain_delta_live_rows(t), rows);
}

static void forget(model_file *m)
{
    m->file = NULL;
    roaring_bitmap_free(m->deleted);
}

/* One commit that adds, removes and deletes at random; the model does the same. */
static void random_commit(tain_delta *t, model_file *m, int *io_names)
{
    tain_delta_file      *adds[MODEL_FILES], *removes[MODEL_FILES];
    struct tain_dv_change deletes[MODEL_FILES];
    size_t                na = 0, nr = 0, nd = 0;
    for (int i = 0; i < MODEL_FILES; i++) {
        int what = rand() % 6;
        if (!m[i].file && what < 2) {
            char name[16];
            snprintf(name, sizeof name, "f%d", (*io_names)++);
            m[i] = (model_file){adds[na++] = new_file(name, MODEL_ROWS), roaring_bitmap_create()};
        } else if (m[i].file && what == 0) {
            removes[nr++] = m[i].file;
            forget(&m[i]);
            continue;
        }
        if (!m[i].file || rand() % 2) continue;
        uint32_t from = (uint32_t)rand() % MODEL_ROWS, to = rand() % 8 ? from + (uint32_t)rand() % 40 + 1 : MODEL_ROWS;
        if (rand() % 16 == 0) from = 0, to = MODEL_ROWS;
        roaring_bitmap_t *rows = roaring_bitmap_from_range(from, to > MODEL_ROWS ? MODEL_ROWS : to, 1);
        roaring_bitmap_or_inplace(m[i].deleted, rows);
        deletes[nd++] = (struct tain_dv_change){m[i].file, rows};
    }
    assert_ok(tain_delta_commit_write(t, COMMIT(.operation = "MERGE", .adds = adds, .add_count = na, .removes = removes, .remove_count = nr, .deletes = deletes, .delete_count = nd), err));
    for (size_t i = 0; i < nd; i++) roaring_bitmap_free(deletes[i].rows);
    for (int i = 0; i < MODEL_FILES; i++)
        if (m[i].file && roaring_bitmap_get_cardinality(m[i].deleted) == MODEL_ROWS) forget(&m[i]);
}

static void random_commits(void **state)
{
    unsigned    seed = (unsigned)tain_now();
    tain_store *s = memory_store();
    tain_delta *t = create_table(s), *follower = open_table(s);
    model_file  m[MODEL_FILES] = {0};
    int         names = 0;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 60; round++) {
        random_commit(t, m, &names);
        check_model(t, m);
        if (round % 7) continue;
        int64_t foreign;
        assert_ok(tain_delta_refresh(follower, &foreign, err));
        check_model(follower, m);
        tain_delta *fresh = open_table(s);
        check_model(fresh, m);
        assert_int_equal(tain_delta_bytes(fresh), tain_delta_bytes(t));
        tain_delta_close(fresh);
    }
    for (int i = 0; i < MODEL_FILES; i++)
        if (m[i].file) forget(&m[i]);
    tain_delta_close(follower);
    tain_delta_close(t);
    tain_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation),
        cmocka_unit_test(creation_with_everything),
        cmocka_unit_test(copy_on_write_profile),
        cmocka_unit_test(statistics_columns_keep_their_columns),
        cmocka_unit_test(protocol_follows_the_schema),
        cmocka_unit_test(column_mapping),
        cmocka_unit_test(fields_of_structs_are_mapped),
        cmocka_unit_test(names_that_cannot_be),
        cmocka_unit_test(properties_alone),
        cmocka_unit_test(every_remove_names_the_live_vector),
        cmocka_unit_test(a_file_without_rows_is_removed),
        cmocka_unit_test(rows_deleted_before_are_no_change),
        cmocka_unit_test(deletions_in_new_files),
        cmocka_unit_test(two_puts_a_commit),
        cmocka_unit_test(packs_are_rolled),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(texts_only_in_parameters),
        cmocka_unit_test(appends_go_behind_each_other),
        cmocka_unit_test(the_same_file_is_a_conflict),
        cmocka_unit_test(schema_properties_and_application_conflict),
        cmocka_unit_test(a_lost_answer_is_looked_up),
        cmocka_unit_test(nothing_goes_behind_a_cleaned_log),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(creation_survives_a_lost_answer),
        cmocka_unit_test(random_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
