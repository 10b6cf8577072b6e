/* SPDX-License-Identifier: MIT */
/* Records of what is done to tables: each turn once, progress now and then, numbered without gaps, whatever becomes of the file. */
#include "mirror_fake.h"

#include <sys/stat.h>

#include "mirror/records.h"

static char              *folder, *path;
static tain_definition    definition;
static tain_mirror        m;
static tain_source_table *source;
static tain_table        *table;
static json_t            *records; /* all that were written */
static char               spoken[400];
static int                times_spoken;

static void speak(const char *line)
{
    snprintf(spoken, sizeof spoken, "%s", line);
    times_spoken++;
}

static int begin(void **state)
{
    folder = lake_make();
    path = tain_format("%s/records.jsonl", folder);
    definition = (tain_definition){.name = "shop_1"};
    m = (tain_mirror){.definition = &definition, .app_id = "tain:test", .say = speak, .started = 1767225600123456};
    pthread_mutex_init(&m.lock, NULL);
    assert_ok(tain_lake_open(folder, true, &m.lake, err));
    m.records = tain_records_new(path, m.started);
    source = tain_source_table_new("od.d", "a.b", "1");
    source->columns = tain_schema_new();
    tain_schema_add(source->columns, "k", tain_type_of(TAIN_INT64));
    table = tain_mirror_add(&m, source);
    records = json_array();
    times_spoken = 0;
    return 0;
}

static int end(void **state)
{
    tain_records_free(m.records);
    json_decref(records);
    tain_table_free(table);
    tain_source_table_free(source);
    free(m.tables);
    tain_lake_close(m.lake);
    free(path);
    lake_remove(folder);
    return 0;
}

/* Takes the file away, as a reader of it does. */
static void collect(void)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    if (!f) return;
    unlink(path);
    while (fgets(line, sizeof line, f)) {
        json_t *o;
        assert_int_equal(line[strlen(line) - 1], '\n');
        assert_ok(tain_json_parse(line, strlen(line), "record", &o, err));
        json_array_append_new(records, o);
        assert_int_equal(tain_json_get_int(o, "n", 0), json_array_size(records));
    }
    fclose(f);
}

static void write_all(bool last)
{
    tain_records_note(&m, last);
    tain_records_write(&m);
}

static void step(void)
{
    write_all(false);
    collect();
}

static const json_t *record(size_t i) { return json_array_get(records, i); }

static void check_operations(const char *const *names)
{
    size_t n = 0;
    for (; names[n]; n++) assert_string_equal(tain_json_get_str(record(n), "operation", ""), names[n]);
    assert_int_equal(json_array_size(records), n);
}

static void turn(tain_table_status s) { tain_table_set_status(table, s, "for a reason", NULL); }

/* As a commit of the stream does. */
static void apply(int64_t rows, int64_t bytes)
{
    pthread_mutex_lock(&table->lock);
    table->rows_processed += rows;
    table->bytes_processed += bytes;
    table->last_completed = tain_now();
    table->latency = 412 * TAIN_MILLISECOND;
    pthread_mutex_unlock(&table->lock);
}

static void let_pass(tain_time t)
{
    table->recorded.at -= t;
}

static void a_table_goes_its_way(void **state)
{
    static const char *const all[] = {"AddTable", "ReplicatingSchema", "StartSnapshotting", "Snapshotting", "StartReplicating", "Replicating", "StartReseeding", "RemoveTable", NULL};
    tain_records_begin(&m);
    turn(TAIN_TABLE_SNAPSHOTTING);
    table->rows_read = 70;
    table->bytes_processed = 700;
    turn(TAIN_TABLE_SNAPSHOTTING); /* is none */
    table->rows_processed = 70;
    table->rows_read = 0;
    turn(TAIN_TABLE_REPLICATING);
    apply(3, 30);
    turn(TAIN_TABLE_RESEEDING);
    tain_table_set_dropped(table);
    step();
    check_operations(all);
    assert_int_equal(tain_json_get_int(record(3), "rows", 0), 70);
    assert_int_equal(tain_json_get_int(record(3), "bytes", 0), 700);
    assert_true(json_is_null(json_object_get(record(3), "latency")));
    assert_int_equal(tain_json_get_int(record(5), "rows", 0), 3);
    assert_int_equal((int)(1000 * json_number_value(json_object_get(record(5), "latency"))), 412);
    assert_string_equal(tain_json_get_str(record(0), "run", ""), "2026-01-01T00:00:00.123Z");
    assert_string_equal(tain_json_get_str(record(0), "schema", ""), "od.d");
    assert_string_equal(tain_json_get_str(record(0), "table", ""), "a.b");
    assert_true(tain_time_from_iso(tain_json_get_str(record(5), "start", "")) <= tain_time_from_iso(tain_json_get_str(record(5), "end", "")));
}

static void progress_is_told_now_and_then(void **state)
{
    table->status = TAIN_TABLE_REPLICATING;
    tain_records_begin(&m);
    step();
    json_array_clear(records);
    m.records = (tain_records_free(m.records), tain_records_new(path, m.started));
    tain_records_begin(&m);
    step();
    let_pass(11 * TAIN_SECOND);
    step();
    size_t before = json_array_size(records); /* nothing was done, so there is none */
    apply(1, 10);
    step();
    assert_int_equal(json_array_size(records), before + 1); /* the first at once */
    apply(2, 20);
    step();
    assert_int_equal(json_array_size(records), before + 1);
    apply(4, 40);
    let_pass(11 * TAIN_SECOND);
    step();
    assert_int_equal(json_array_size(records), before + 2);
    assert_int_equal(tain_json_get_int(record(before + 1), "rows", 0), 6);
    assert_int_equal(tain_json_get_int(record(before + 1), "bytes", 0), 60);
    apply(8, 80);
    write_all(true); /* the last */
    collect();
    assert_int_equal(tain_json_get_int(record(before + 2), "rows", 0), 8);
}

static void failure_has_its_reason_and_kind(void **state)
{
    tain_error e = {0};
    table->known = true;
    tain_records_begin(&m);
    (void)tain_fail(&e, TAIN_E_CORRUPT, "a file is \"gone\"");
    tain_mirror_fail_table(&m, table, &e);
    turn(TAIN_TABLE_RESEEDING);
    (void)tain_fail(&e, TAIN_E_UNSUPPORTED, "two keys are one");
    tain_mirror_fail_table(&m, table, &e);
    step();
    check_operations((const char *const[]){"FailTable", "StartReseeding", "FailTable", NULL});
    assert_string_equal(tain_json_get_str(record(0), "error", ""), "a file is \"gone\"");
    assert_string_equal(tain_json_get_str(record(0), "errorType", ""), "SystemError");
    assert_string_equal(tain_json_get_str(record(2), "errorType", ""), "UserError");
    assert_true(json_is_null(json_object_get(record(1), "errorType")));
}

static void what_a_start_finds_as_it_was_is_not_told(void **state)
{
    table->known = true;
    table->was = TAIN_TABLE_FAILED;
    turn(TAIN_TABLE_FAILED);
    tain_records_begin(&m);
    step();
    assert_int_equal(json_array_size(records), 0);
    table->was = TAIN_TABLE_REPLICATING;
    tain_records_begin(&m);
    step();
    check_operations((const char *const[]){"FailTable", NULL});
}

/* Rows that an earlier run had read, and loads that begin again, count once. */
static void loads_that_begin_again_count_once(void **state)
{
    table->known = true;
    turn(TAIN_TABLE_SNAPSHOTTING);
    tain_records_begin(&m);
    step();
    size_t before = json_array_size(records);
    table->rows_read = 50;
    let_pass(11 * TAIN_SECOND);
    step();
    table->rows_read = 0; /* it failed */
    let_pass(11 * TAIN_SECOND);
    step();
    assert_int_equal(json_array_size(records), before + 1);
    table->rows_read = 20;
    let_pass(11 * TAIN_SECOND);
    step();
    assert_int_equal(tain_json_get_int(record(before + 1), "rows", 0), 20);
}

static void a_file_that_is_renamed_is_made_anew(void **state)
{
    TAIN_AUTO(tain_free) char *taken = tain_format("%s.1", path);
    struct stat st;
    tain_records_begin(&m);
    write_all(false);
    assert_int_equal(rename(path, taken), 0);
    turn(TAIN_TABLE_REPLICATING);
    write_all(false);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(rename(path, taken), 0); /* over the first */
    rename(taken, path);
    FILE *f = fopen(path, "r");
    char line[1000];
    assert_non_null(fgets(line, sizeof line, f));
    assert_non_null(strstr(line, "\"n\":2,"));
    fclose(f);
}

static void what_cannot_be_written_is_said_once_and_kept(void **state)
{
    assert_int_equal(mkdir(path, 0700), 0);
    tain_records_begin(&m);
    write_all(false);
    turn(TAIN_TABLE_REPLICATING);
    write_all(false);
    assert_int_equal(times_spoken, 1);
    assert_non_null(strstr(spoken, path));
    assert_int_equal(rmdir(path), 0);
    step();
    check_operations((const char *const[]){"AddTable", "StartReplicating", NULL});
    assert_int_equal(times_spoken, 2);
}

/* Memory is bounded. */
static void what_there_is_no_room_for_is_counted(void **state)
{
    assert_int_equal(mkdir(path, 0700), 0);
    tain_records_begin(&m);
    write_all(false);
    for (int i = 0; i < 100000; i++) turn(i % 2 ? TAIN_TABLE_REPLICATING : TAIN_TABLE_RESEEDING);
    assert_int_equal(rmdir(path), 0);
    step();
    assert_in_range(json_array_size(records), 10000, 99999);
    assert_null(strstr(spoken, " 0 were lost"));
    turn(TAIN_TABLE_FAILED);
    step();
    assert_string_equal(tain_json_get_str(record(json_array_size(records) - 1), "operation", ""), "FailTable");
}

static void none_are_kept_unless_asked_for(void **state)
{
    tain_records_free(m.records);
    m.records = NULL;
    tain_records_begin(&m);
    turn(TAIN_TABLE_REPLICATING);
    step();
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(a_table_goes_its_way),
        CASE(progress_is_told_now_and_then),
        CASE(failure_has_its_reason_and_kind),
        CASE(what_a_start_finds_as_it_was_is_not_told),
        CASE(loads_that_begin_again_count_once),
        CASE(a_file_that_is_renamed_is_made_anew),
        CASE(what_cannot_be_written_is_said_once_and_kept),
        CASE(what_there_is_no_room_for_is_counted),
        CASE(none_are_kept_unless_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
