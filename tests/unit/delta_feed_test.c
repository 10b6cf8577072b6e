/* SPDX-License-Identifier: MIT */
/* Change data in commits: when it must be there, what the log says of it, and what becomes of its files. */
#include "delta_fixture.h"

static json_t *feed(const char *value)
{
    return json_pack("{s:s}", TAIN_DELTA_FEED_KEY, value);
}

static tain_delta *table_with_feed(tain_store *s)
{
    tain_delta  *t = NULL;
    tain_schema *schema = id_schema();
    json_t      *on = feed("true");
    assert_ok(tain_delta_create(s, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema, .configuration = on}, &t, err));
    json_decref(on);
    tain_schema_free(schema);
    return t;
}

/* A file of change data with one row. */
static tain_delta_file *change_data(tain_store *s, const char *type)
{
    tain_delta_writer *w;
    tain_delta_file   *f;
    tain_batch         b;
    tain_schema       *schema = id_schema();
    tain_schema_add(schema, "_change_type", tain_type_of(TAIN_STRING));
    tain_batch_init(&b, schema);
    tain_column_append_i64(&b.columns[0], 7);
    tain_column_append_bytes(&b.columns[1], type, strlen(type));
    tain_batch_end_row(&b);
    assert_ok(tain_delta_feed_writer_new(s, schema, NULL, &w, err));
    assert_ok(tain_parquet_append(tain_delta_writer_parquet(w), &b, NULL, 0, 1, err));
    assert_ok(tain_delta_writer_finish(w, &f, err));
    tain_batch_done(&b);
    tain_schema_free(schema);
    return f;
}

static void feature_and_property(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = table_with_feed(s);
    json_t     *off = feed("false");
    char       *text = get_commit(s, 0);
    assert_true(tain_delta_has_feed(t));
    assert_non_null(strstr(text, "\"writerFeatures\":[\"deletionVectors\",\"appendOnly\",\"invariants\",\"changeDataFeed\"]"));
    assert_non_null(strstr(text, "\"readerFeatures\":[\"deletionVectors\"]"));
    tain_free(text);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = off}, err));
    assert_false(tain_delta_has_feed(t));
    assert_true(tain_protocol_has(&t->protocol, "changeDataFeed"));
    json_decref(off);
    tain_delta_close(t);
    tain_store_close(s);
}

/* Deletions of rows need it; whole files do not, nor does what changes no data. */
static void commits_that_need_it(void **state)
{
    tain_store       *s = memory_store();
    tain_delta       *t = table_with_feed(s);
    tain_delta_file  *a = append_file(t, "a", 10), *b = append_file(t, "b", 10), *merged = new_file("merged", 20);
    roaring_bitmap_t *rows = roaring_bitmap_from_range(0, 2, 1);
    assert_fails(delete_rows(t, a, 0, 2, err), TAIN_E_INVALID, TAIN_DELTA_FEED_KEY);
    struct tain_dv_change d = {a, rows};
    json_t               *off = feed("false");
    tain_delta_commit     c = {.operation = "DELETE", .deletes = &d, .delete_count = 1, .configuration = off, .data_change = true};
    assert_ok(tain_delta_commit_write(t, &c, err)); /* it is off with this commit */
    json_decref(off);
    json_t *on = c.configuration = feed("true");
    assert_int_equal(roaring_bitmap_contains(rows, 5), 0);
    roaring_bitmap_add(rows, 5);
    assert_fails(tain_delta_commit_write(t, &c, err), TAIN_E_INVALID, TAIN_DELTA_FEED_KEY);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = on}, err));
    json_decref(on);
    tain_delta_file *all[] = {a, b};
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "OPTIMIZE", .adds = &merged, .add_count = 1, .removes = all, .remove_count = 2}, err));
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "TRUNCATE", .removes = &merged, .remove_count = 1, .data_change = true}, err));
    roaring_bitmap_free(rows);
    tain_delta_close(t);
    tain_store_close(s);
}

static void what_the_log_says(void **state)
{
    tain_store       *s = memory_store();
    tain_delta       *t = table_with_feed(s);
    tain_delta_file  *a = append_file(t, "a", 10), *file = change_data(s, "delete");
    roaring_bitmap_t *rows = roaring_bitmap_from_range(0, 1, 1);
    assert_int_equal(strncmp(file->path, "_change_data/cdc-", 17), 0);
    struct tain_dv_change d = {a, rows};
    assert_ok(tain_delta_commit_write(
        t, &(tain_delta_commit){.operation = "DELETE", .deletes = &d, .delete_count = 1, .data_change = true, .feed = &file, .feed_count = 1}, err));
    char   *text = get_commit(s, 2), *wanted = tain_format("{\"path\":\"%s\",\"partitionValues\":{},\"size\":%lld,\"dataChange\":false}", file->path, (long long)file->size);
    json_t *cdc = action_of(text, "cdc", 0);
    char   *is = json_dumps(cdc, JSON_COMPACT);
    assert_string_equal(is, wanted);
    assert_int_equal(actions_of(text, "cdc"), 1);
    assert_int_equal(tain_delta_file_count(t), 1);
    assert_null(tain_delta_find(t, file->path));
    assert_ok(tain_delta_checkpoint(t, err));
    tain_delta_close(t);
    t = open_table(s);
    assert_int_equal(tain_delta_file_count(t), 1);
    assert_int_equal(tain_delta_live_rows(t), 9);
    free(is);
    free(text);
    free(wanted);
    json_decref(cdc);
    tain_delta_file_free(file);
    roaring_bitmap_free(rows);
    tain_delta_close(t);
    tain_store_close(s);
}

static bool changes_data(const char *text, const char *action, const char *path)
{
    json_t *o;
    for (size_t i = 0; (o = action_of(text, action, i)); i++) {
        bool found = strcmp(tain_json_get_str(o, "path", ""), path) == 0, change = tain_json_get_bool(o, "dataChange", false);
        json_decref(o);
        if (found) return change;
    }
    fail_msg("no %s of %s", action, path);
    return false;
}

/* One file stands for another, one for another with a row less, one is new. */
static void rows_that_only_lie_elsewhere(void **state)
{
    tain_store       *s = memory_store();
    tain_delta       *t = create_table(s);
    tain_delta_file  *old[] = {append_file(t, "a", 10), append_file(t, "b", 10)}, *adds[] = {new_file("a2", 10), new_file("b2", 10), new_file("c", 10)};
    roaring_bitmap_t *rows = roaring_bitmap_from_range(0, 1, 1), *moved = roaring_bitmap_create();
    adds[0]->ordinal = old[0]->ordinal;
    adds[1]->ordinal = old[1]->ordinal;
    roaring_bitmap_add(moved, old[0]->ordinal);
    struct tain_dv_change d = {adds[1], rows};
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "WRITE", .adds = adds, .add_count = 3, .removes = old, .remove_count = 2, .deletes = &d, .delete_count = 1,
                                                              .moved = moved, .data_change = true}, err));
    char *text = get_commit(s, 3);
    assert_false(changes_data(text, "remove", "a"));
    assert_false(changes_data(text, "add", "a2"));
    assert_true(changes_data(text, "remove", "b"));
    assert_true(changes_data(text, "add", "b2"));
    assert_true(changes_data(text, "add", "c"));
    free(text);
    roaring_bitmap_free(rows);
    roaring_bitmap_free(moved);
    tain_delta_close(t);
    tain_store_close(s);
}

static bool is_there(tain_store *s, const char *key)
{
    tain_object o;
    return tain_store_head(s, key, &o, NULL) == TAIN_OK;
}

/* By age alone, as with all engines: named by a commit or not. */
static void vacuum_takes_what_is_old(void **state)
{
    tain_store        *s = memory_store();
    tain_delta        *t = table_with_feed(s);
    tain_delta_file   *a = append_file(t, "a", 10), *file = change_data(s, "delete");
    roaring_bitmap_t  *rows = roaring_bitmap_from_range(0, 1, 1);
    tain_vacuum_result r;
    struct tain_dv_change d = {a, rows};
    assert_ok(tain_delta_commit_write(
        t, &(tain_delta_commit){.operation = "DELETE", .deletes = &d, .delete_count = 1, .data_change = true, .feed = &file, .feed_count = 1}, err));
    assert_ok(tain_delta_vacuum(t, 3600 * TAIN_SECOND, false, &r, err));
    assert_true(is_there(s, file->path));
    assert_ok(tain_delta_vacuum(t, 0, false, &r, err));
    assert_false(is_there(s, file->path));
    assert_int_equal(r.files, 1);
    tain_delta_file_free(file);
    roaring_bitmap_free(rows);
    tain_delta_close(t);
    tain_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feature_and_property),
        cmocka_unit_test(commits_that_need_it),
        cmocka_unit_test(what_the_log_says),
        cmocka_unit_test(rows_that_only_lie_elsewhere),
        cmocka_unit_test(vacuum_takes_what_is_old),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
