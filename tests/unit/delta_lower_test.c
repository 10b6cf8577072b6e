/* SPDX-License-Identifier: MIT */
/* A table loses its deletion vectors: its protocol becomes what older engines read, and its log keeps no trace. */
#include "delta_fixture.h"

#include <unistd.h>

static void assert_protocol(const tain_delta *t, int reader, int writer, const char *features)
{
    char *lists = t->protocol.writer_features ? json_dumps(t->protocol.writer_features, JSON_COMPACT) : tain_strdup("none");
    assert_int_equal(t->protocol.reader, reader);
    assert_int_equal(t->protocol.writer, writer);
    assert_string_equal(lists, features);
    free(lists);
}

static tain_delta *create(tain_store *s, const tain_schema *schema, const char *vectors, const char *feed)
{
    tain_delta *t = NULL;
    json_t *configuration = json_pack("{s:s,s:s}", "delta.enableDeletionVectors", vectors, "delta.enableChangeDataFeed", feed);
    assert_ok(tain_delta_create(s, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema, .configuration = configuration}, &t, err));
    json_decref(configuration);
    return t;
}

static void set_property(tain_delta *t, const char *key, const char *value)
{
    json_t *configuration = json_pack("{s:s}", key, value);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = configuration}, err));
    json_decref(configuration);
}

/* id stays what it is in files, under another name. */
static void rename_column(tain_delta *t)
{
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "key", tain_type_of(TAIN_INT64))->physical = "id";
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "RENAME COLUMN", .schema = s}, err));
    tain_schema_free(s);
}

static void add_moment(tain_delta *t)
{
    tain_schema *s = tain_schema_copy(t->meta.schema);
    tain_schema_add(s, "at", tain_type_of(TAIN_TIMESTAMP_NTZ));
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "ADD COLUMNS", .schema = s}, err));
    tain_schema_free(s);
}

/* --- what is needed is added --------------------------------------------------------------------------------------- */

static void versions_as_long_as_they_will_do(void **state)
{
    tain_store  *s = memory_store();
    tain_schema *schema = id_schema();
    tain_delta  *t = create(s, schema, "false", "false");
    assert_protocol(t, 1, 2, "none");
    assert_false(tain_delta_has_vectors(t));
    set_property(t, "delta.enableChangeDataFeed", "true");
    assert_protocol(t, 1, 4, "none");
    set_property(t, "delta.enableChangeDataFeed", "false");
    rename_column(t);
    assert_protocol(t, 3, 7, "[\"appendOnly\",\"invariants\",\"checkConstraints\",\"changeDataFeed\",\"generatedColumns\",\"columnMapping\"]"); /* readers must know */
    add_moment(t);
    assert_protocol(t, 3, 7, "[\"appendOnly\",\"invariants\",\"checkConstraints\",\"changeDataFeed\",\"generatedColumns\",\"columnMapping\",\"timestampNtz\"]");
    tain_delta_close(t);
    t = open_table(s);
    assert_int_equal(t->protocol.reader, 3);
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

static void vectors_from_the_first_on(void **state)
{
    tain_store      *s = memory_store();
    tain_schema     *schema = id_schema();
    tain_delta      *t = create(s, schema, "false", "false");
    tain_delta_file *f = append_file(t, "a", 10);
    set_property(t, "delta.enableDeletionVectors", "true");
    assert_protocol(t, 3, 7, "[\"deletionVectors\",\"appendOnly\",\"invariants\"]");
    assert_ok(delete_rows(t, f, 0, 3, err));
    assert_false(tain_delta_can_lower(t));
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

/* --- and taken away ------------------------------------------------------------------------------------------------ */

static tain_status lower(tain_delta *t, tain_error *err)
{
    json_t *info = json_pack("{s:{s:s}}", "tain", "position", "0/16B");
    tain_status st = tain_delta_lower(t, info, err);
    json_decref(info);
    return st;
}

/* The file with the vector goes, as when it is rewritten. */
static void purge(tain_delta *t, tain_delta_file *f, const char *to)
{
    tain_delta_file *n = new_file(to, f->rows - f->dv.cardinality);
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "OPTIMIZE", .adds = &n, .add_count = 1, .removes = &f, .remove_count = 1}, err));
}

static bool note_trace(void *ctx, const tain_object *o)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_store *s = *(tain_store **)ctx;
    assert_ok(tain_store_get(s, o->key, 0, -1, &text, err));
    if (strstr(o->key, ".json") && strstr(tain_buffer_cstr(&text), "deletionVector\"")) fail_msg("%s tells of a vector", o->key);
    return true;
}

static bool count_bins(void *ctx, const tain_object *o)
{
    *(int *)ctx += strstr(o->key, "deletion_vector_") != NULL;
    return true;
}

static int bins(tain_store *s)
{
    int n = 0;
    assert_ok(tain_store_list(s, "", NULL, count_bins, &n, err));
    return n;
}

static void no_trace_is_left(void **state)
{
    tain_store      *s = memory_store();
    tain_delta      *t = create_table(s);
    tain_delta_file *a = append_file(t, "a", 10);
    append_file(t, "b", 7);
    assert_ok(delete_rows(t, a, 0, 3, err));
    assert_false(tain_delta_can_lower(t));
    assert_fails(lower(t, err), TAIN_E_INVALID, "in use");
    purge(t, a, "c");
    assert_true(tain_delta_can_lower(t));
    int64_t before = tain_delta_version(t);
    assert_ok(lower(t, err));
    assert_protocol(t, 1, 2, "none");
    assert_false(tain_delta_can_lower(t));
    assert_ok(tain_store_list(s, "_delta_log/", NULL, note_trace, &s, err));
    tain_delta_close(t);
    tain_delta *old = NULL;
    assert_fails(tain_delta_open_at(s, before, &old, err), TAIN_E_GONE, "");
    t = open_table(s);
    assert_protocol(t, 1, 2, "none");
    assert_int_equal(tain_delta_version(t), before + 1);
    assert_int_equal(tain_delta_live_rows(t), 14);
    json_t *history;
    assert_ok(tain_delta_history(t, 10, &history, err));
    assert_int_equal(json_array_size(history), 1);
    assert_string_equal(tain_json_get_str(json_object_get(json_array_get(history, 0), "tain"), "position", ""), "0/16B");
    json_decref(history);
    append_file(t, "d", 5);
    tain_delta_close(t);
    tain_store_close(s);
}

/* Those who read an older version when it happened still find what it names, for as long as with any removed file. */
static void vectors_stay_for_a_while(void **state)
{
    tain_store        *s = memory_store();
    tain_delta        *t = create_table(s);
    tain_delta_file   *a = append_file(t, "a", 10);
    tain_vacuum_result r = {0};
    put_text(s, "a", "rows");
    assert_ok(delete_rows(t, a, 0, 3, err));
    purge(t, a, "c");
    assert_ok(lower(t, err));
    tain_delta_close(t);
    t = open_table(s);
    assert_ok(tain_delta_vacuum(t, 3600 * TAIN_SECOND, false, &r, err));
    assert_int_equal(r.files, 0);
    usleep(20000);
    assert_ok(tain_delta_vacuum(t, 1, false, &r, err));
    assert_int_equal(r.files, 2);
    assert_int_equal(bins(s), 0);
    tain_delta_close(t);
    tain_store_close(s);
}

static void what_is_needed_stays(void **state)
{
    tain_store  *s = memory_store();
    tain_schema *schema = id_schema();
    tain_delta  *t = create(s, schema, "true", "true");
    assert_ok(lower(t, err));
    assert_protocol(t, 1, 4, "none");
    tain_delta_close(t);
    tain_store_close(s);

    s = memory_store();
    t = create(s, schema, "true", "false");
    rename_column(t);
    assert_ok(lower(t, err));
    assert_protocol(t, 3, 7, "[\"appendOnly\",\"invariants\",\"columnMapping\"]");
    tain_delta_close(t);
    tain_store_close(s);

    s = memory_store();
    t = create(s, schema, "true", "false");
    add_moment(t);
    assert_ok(lower(t, err));
    assert_protocol(t, 3, 7, "[\"appendOnly\",\"invariants\",\"timestampNtz\"]");
    tain_schema_free(schema);
    schema = id_schema();
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "DROP COLUMNS", .schema = schema}, err));
    assert_ok(lower(t, err));
    assert_protocol(t, 1, 2, "none");
    tain_schema_free(schema);
    tain_delta_close(t);
    tain_store_close(s);
}

/* What somebody commits at the same time may be a vector. */
static void nobody_may_commit_in_between(void **state)
{
    tain_store *s = memory_store();
    tain_delta *t = create_table(s), *other = open_table(s);
    append_file(other, "theirs", 10);
    assert_fails(lower(t, err), TAIN_E_CONFLICT, "another writer");
    assert_protocol(t, 3, 7, "[\"deletionVectors\",\"appendOnly\",\"invariants\"]");
    assert_int_equal(tain_delta_live_rows(t), 10);
    assert_ok(lower(t, err));
    assert_protocol(t, 1, 2, "none");
    tain_delta_close(other);
    tain_delta_close(t);
    tain_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_as_long_as_they_will_do),
        cmocka_unit_test(vectors_from_the_first_on),
        cmocka_unit_test(no_trace_is_left),
        cmocka_unit_test(vectors_stay_for_a_while),
        cmocka_unit_test(what_is_needed_stays),
        cmocka_unit_test(nobody_may_commit_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
