/* SPDX-License-Identifier: MIT */
/* What a mirror says of itself: the JSON of `tain status` has the documented members, no others, and true values. */
#include "mirror_fake.h"

#include "maintain/retention.h"
#include "mirror/status.h"

static char              *folder;
static tain_definition    definition;
static tain_mirror        m;
static tain_source_table *source;
static tain_table        *table;
static json_t            *said;

static int begin(void **state)
{
    folder = lake_make();
    definition = (tain_definition){.name = "shop_1"};
    m = (tain_mirror){.definition = &definition, .app_id = "tain:test"};
    pthread_mutex_init(&m.lock, NULL);
    assert_ok(tain_lake_open(folder, true, &m.lake, err));
    source = tain_source_table_new("main", "odd \"name\"\n", "1");
    source->columns = tain_schema_new();
    tain_schema_add(source->columns, "k", tain_type_of(TAIN_INT64));
    table = tain_mirror_add(&m, source);
    said = NULL;
    return 0;
}

static int end(void **state)
{
    json_decref(said);
    tain_table_free(table);
    tain_source_table_free(source);
    free(m.tables);
    tain_lake_close(m.lake);
    lake_remove(folder);
    return 0;
}

static const json_t *say(void)
{
    tain_buffer out = {0};
    json_decref(said);
    tain_status_to_json(&m, &out);
    assert_int_equal(out.data[out.size - 1], '\n');
    assert_ok(tain_json_parse(out.data, out.size, "status", &said, err));
    tain_buffer_done(&out);
    return said;
}

static const json_t *say_table(void)
{
    return json_array_get(json_object_get(say(), "tables"), 0);
}

/* Exactly these members, in any order. */
static void check_members(const json_t *o, const char *const *names)
{
    size_t n = 0;
    for (; names[n]; n++)
        if (!json_object_get(o, names[n])) fail_msg("member %s is missing", names[n]);
    assert_int_equal(json_object_size(o), n);
}

static void members_are_the_documented_ones(void **state)
{
    static const char *const top[] = {"mirror", "status", "position", "lag_ms", "epoch", "reason", "remedy", "source", "tables", "process", NULL};
    static const char *const each[] = {"name", "identity", "status", "rows_replicated", "rows_processed", "bytes_processed", "last_completed",
                                       "latency_ms", "health", "reason", "remedy", "warnings", NULL};
    static const char *const health[] = {"score", "files", "average_bytes", "deleted_share", "log_tail", NULL};
    static const char *const warning[] = {"code", "column", "count", "message", "remedy", NULL};
    tain_table_warn(table, "invalid_utf8", "k", 2);
    check_members(say(), top);
    check_members(say_table(), each);
    check_members(json_array_get(json_object_get(say_table(), "warnings"), 0), warning);
    assert_true(json_is_null(json_object_get(say_table(), "health")));
    table->health = (tain_health){.files = 4, .bytes = 4000, .rows = 90, .deleted = 10, .log_tail = 7};
    check_members(json_object_get(say_table(), "health"), health);
}

/* A share of a hundred for each thing that a reader pays for. */
static void health_falls_with_what_readers_pay_for(void **state)
{
    const tain_health fresh = {.files = 10, .bytes = (int64_t)10 << 27, .rows = 1000, .log_tail = 3};
    tain_health h = fresh;
    assert_int_equal(tain_health_score(&h), 100);
    h.deleted = 250;
    assert_int_equal(tain_health_score(&h), 80);
    h = fresh, h.log_tail = 400;
    assert_int_equal(tain_health_score(&h), 25);
    h = fresh, h.files = 1000;
    assert_in_range(tain_health_score(&h), 1, 10);
    h = (tain_health){0};
    assert_int_equal(tain_health_score(&h), 100);
    h.rows = -1; /* some file does not tell */
    assert_int_equal(tain_health_score(&h), 100);
}

/* What was asked for last is written once; what is set by hand afterwards stays. */
static void retention_is_set_when_another_is_asked_for(void **state)
{
    json_t *configuration = json_pack("{s:s}", "delta.deletedFileRetentionDuration", "interval 1 day");
    assert_null(tain_retention_properties(configuration, 86400 * TAIN_SECOND));
    assert_null(tain_retention_properties(NULL, 0));
    json_t *p = tain_retention_properties(configuration, 90 * 60 * TAIN_SECOND);
    assert_string_equal(tain_json_get_str(p, "delta.deletedFileRetentionDuration", ""), "interval 90 minutes");
    assert_string_equal(tain_json_get_str(p, "delta.logRetentionDuration", ""), "interval 1530 minutes");
    json_object_update(configuration, p);
    json_object_set_new(configuration, "delta.deletedFileRetentionDuration", json_string("interval 9 days"));
    assert_null(tain_retention_properties(configuration, 90 * 60 * TAIN_SECOND));
    json_decref(p);
    p = tain_retention_properties(configuration, 86400 * TAIN_SECOND);
    assert_string_equal(tain_json_get_str(p, "delta.deletedFileRetentionDuration", ""), "interval 1 day");
    assert_string_equal(tain_json_get_str(p, "delta.logRetentionDuration", ""), "interval 2 days");
    json_decref(p);
    json_decref(configuration);
}

static void nothing_known_is_null(void **state)
{
    const json_t *o = say();
    assert_string_equal(tain_json_get_str(o, "mirror", ""), "shop_1");
    assert_string_equal(tain_json_get_str(o, "status", ""), "Initializing");
    assert_true(json_is_null(json_object_get(o, "position")));
    assert_true(json_is_null(json_object_get(o, "lag_ms")));
    assert_true(json_is_null(json_object_get(o, "reason")));
    const json_t *t = say_table();
    assert_string_equal(tain_json_get_str(t, "name", ""), "main.odd \"name\"\n");
    assert_string_equal(tain_json_get_str(t, "status", ""), "Initialized");
    assert_true(json_is_null(json_object_get(t, "last_completed")));
    assert_true(json_is_null(json_object_get(t, "latency_ms")));
    assert_true(json_is_null(json_object_get(t, "reason")));
    assert_int_equal(json_array_size(json_object_get(t, "warnings")), 0);
}

static void values_are_the_tables(void **state)
{
    m.position = (tain_position){"0/16B3748"};
    m.epoch = 12;
    m.state = TAIN_MIRROR_RUNNING;
    table->rows_live = 5;
    table->rows_processed = 7;
    table->bytes_processed = 1234567890123;
    table->last_completed = 1767225600123456;
    table->latency = 345678;
    tain_table_set_status(table, TAIN_TABLE_FAILED, "it \"broke\"", "mend it");
    const json_t *o = say();
    assert_string_equal(tain_json_get_str(o, "position", ""), "0/16B3748");
    assert_string_equal(tain_json_get_str(o, "status", ""), "Running");
    assert_int_equal(tain_json_get_int(o, "epoch", 0), 12);
    const json_t *t = say_table();
    assert_string_equal(tain_json_get_str(t, "status", ""), "Failed");
    assert_int_equal(tain_json_get_int(t, "rows_replicated", 0), 5);
    assert_int_equal(tain_json_get_int(t, "rows_processed", 0), 7);
    assert_int_equal(tain_json_get_int(t, "bytes_processed", 0), 1234567890123);
    assert_string_equal(tain_json_get_str(t, "last_completed", ""), "2026-01-01T00:00:00.123Z");
    assert_int_equal(tain_json_get_int(t, "latency_ms", 0), 345);
    assert_string_equal(tain_json_get_str(t, "reason", ""), "it \"broke\"");
    assert_string_equal(tain_json_get_str(t, "remedy", ""), "mend it");
}

static void states_have_fabrics_names(void **state)
{
    static const char *const states[] = {"Initializing", "Initialized", "Starting", "Running", "Paused", "Stopping", "Stopped"};
    static const char *const tables[] = {"Initialized", "Snapshotting", "Replicating", "Reseeding", "Stopped", "Failed"};
    for (int i = 0; i < 7; i++) assert_string_equal(tain_mirror_state_name((tain_mirror_state)i), states[i]);
    for (int i = 0; i < 6; i++) assert_string_equal(tain_table_status_name((tain_table_status)i), tables[i]);
}

static void trouble_is_told_with_its_remedy(void **state)
{
    (void)!tain_fail(&m.trouble, TAIN_E_FULL, "no space left");
    const json_t *o = say();
    assert_string_equal(tain_json_get_str(o, "reason", ""), "no space left");
    assert_string_equal(tain_json_get_str(o, "remedy", ""), "make room");
    (void)!tain_fail(&m.failure, TAIN_E_CONFLICT, "another writer"); /* what ended it counts more */
    assert_string_equal(tain_json_get_str(say(), "reason", ""), "another writer");
}

static void warnings_are_explained_and_counted(void **state)
{
    tain_table_warn(table, "value_out_of_range", "k", 1);
    tain_table_warn(table, "row_not_found", NULL, 1);
    tain_table_warn(table, "value_out_of_range", "k", 41);
    tain_table_warn(table, "never_heard_of", "x", 1);
    const json_t *list = json_object_get(say_table(), "warnings"), *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(tain_json_get_str(first, "code", ""), "value_out_of_range");
    assert_string_equal(tain_json_get_str(first, "column", ""), "k");
    assert_int_equal(tain_json_get_int(first, "count", 0), 42);
    assert_string_not_equal(tain_json_get_str(first, "message", ""), "");
    assert_true(json_is_null(json_object_get(second, "column")));
    assert_non_null(strstr(tain_json_get_str(second, "remedy", ""), "--resync"));
    assert_string_equal(tain_json_get_str(json_array_get(list, 2), "message", ""), "never_heard_of");
}

static void restore(void)
{
    json_t *stored = tain_status_stored(m.lake);
    tain_status_restore(&m, stored);
    json_decref(stored);
}

static void warnings_survive_a_restart(void **state)
{
    tain_table_warn(table, "value_out_of_range", "k", 41);
    tain_table_warn(table, "row_not_found", NULL, 2);
    assert_ok(tain_status_write(&m, NULL, false, err));
    tain_table_free(table);
    m.table_count = 0;
    table = tain_mirror_add(&m, source);
    restore();
    assert_int_equal(table->warning_count, 2);
    assert_int_equal(table->warnings[0].count, 41);
    assert_string_equal(table->warnings[1].column, "");
    assert_int_equal(table->warnings[1].count, 2);
}

static void a_beat_alone_is_nothing_new(void **state)
{
    TAIN_AUTO(tain_status_kept_done) tain_status_kept last = {0};
    assert_ok(tain_status_write(&m, &last, false, err));
    assert_ok(tain_store_remove(tain_lake_store(m.lake), "_tain/status.json", err));
    atomic_store(&m.stream_beat.last, tain_now());
    assert_ok(tain_status_write(&m, &last, false, err));
    assert_null(tain_status_stored(m.lake));
    assert_true(last.same);
    assert_ok(tain_status_write(&m, &last, true, err)); /* a sign of life */
    json_t *stored = tain_status_stored(m.lake);
    assert_non_null(json_object_get(stored, "process"));
    json_decref(stored);
    m.epoch++;
    assert_ok(tain_status_write(&m, &last, false, err));
    assert_false(last.same);
}

static const char *beat(const char *which)
{
    return tain_json_get_str(json_object_get(json_object_get(say(), "process"), "beats"), which, NULL);
}

static void loops_tell_when_they_last_turned(void **state)
{
    m.started = 1767225600123456;
    assert_null(beat("stream"));
    assert_int_equal(tain_json_get_int(json_object_get(said, "process"), "pid", 0), getpid());
    assert_string_equal(tain_json_get_str(json_object_get(said, "process"), "started", ""), "2026-01-01T00:00:00.123Z");
    atomic_store(&m.stream_beat.last, 1767225600123456);
    assert_string_equal(beat("stream"), "2026-01-01T00:00:00.123Z");
    tain_beat_wait(&m.stream_beat); /* for another, so it is all right */
    assert_true(tain_now() - tain_time_from_iso(beat("stream")) < 60 * TAIN_SECOND);
    tain_beat_turn(&m.writer_beat);
    atomic_store(&m.writer_beat.last, 1767225600123456);
    assert_string_equal(beat("writer"), "2026-01-01T00:00:00.123Z");
    tain_beat_touch(&m.writer_beat);
    assert_true(tain_now() - tain_time_from_iso(beat("writer")) < 60 * TAIN_SECOND);
}

static json_t *end_of(tain_status code)
{
    tain_error why = {0};
    (void)tain_fail(&why, code, "it \"ended\"");
    assert_ok(tain_status_note_end(&m, &why, err));
    return tain_status_stored(m.lake);
}

/* For a program that looks: what ended it, and whether it helps to try again. */
static void the_end_is_told_with_what_it_calls_for(void **state)
{
    tain_table_warn(table, "invalid_utf8", "k", 2);
    assert_ok(tain_status_write(&m, NULL, false, err));
    json_t *o = end_of(TAIN_E_AUTH), *e = json_object_get(o, "end");
    assert_string_equal(tain_json_get_str(o, "status", ""), "Stopped");
    assert_string_equal(tain_json_get_str(o, "reason", ""), "it \"ended\"");
    check_members(e, (const char *const[]){"code", "policy", "message", "remedy", NULL});
    assert_string_equal(tain_json_get_str(e, "code", ""), "AUTH");
    assert_string_equal(tain_json_get_str(e, "policy", ""), "operator");
    assert_string_equal(tain_json_get_str(e, "message", ""), "it \"ended\"");
    assert_string_equal(tain_json_get_str(e, "remedy", ""), "check user and password");
    assert_int_equal(tain_json_get_int(json_object_get(o, "process"), "pid", 0), getpid());
    assert_int_equal(json_array_size(json_object_get(o, "tables")), 1);
    assert_ok(tain_status_write_opening(&m, o, NULL, false, err)); /* the next run */
    json_decref(o);
    o = tain_status_stored(m.lake);
    assert_null(json_object_get(o, "end"));
    assert_true(json_is_null(json_object_get(o, "reason")));
    assert_string_equal(tain_json_get_str(o, "status", ""), "Initializing");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(o, "tables"), 0), "warnings")), 1);
    json_decref(o);
}

static void a_mirror_that_never_was_leaves_word_only_for_who_watches(void **state)
{
    assert_null(end_of(TAIN_E_UNAVAILABLE));
    m.watched = true;
    json_t *o = end_of(TAIN_E_UNAVAILABLE);
    assert_string_equal(tain_json_get_str(json_object_get(o, "end"), "policy", ""), "retry");
    json_decref(o);
}

static void what_is_kept_already_is_not_kept_again(void **state)
{
    TAIN_AUTO(tain_status_kept_done) tain_status_kept last = {0};
    tain_store *s = tain_lake_store(m.lake);
    assert_ok(tain_status_write(&m, &last, false, err));
    assert_ok(tain_store_remove(s, "_tain/status.json", err));
    assert_ok(tain_status_write(&m, &last, false, err));
    assert_null(tain_status_stored(m.lake));
    tain_table_warn(table, "value_out_of_range", "k", 41);
    assert_ok(tain_status_write(&m, &last, false, err));
    json_t *stored = tain_status_stored(m.lake);
    assert_non_null(stored);
    json_decref(stored);
    assert_ok(tain_store_remove(s, "_tain/status.json", err));
    assert_ok(tain_status_write(&m, NULL, false, err));
    stored = tain_status_stored(m.lake);
    assert_non_null(stored);
    json_decref(stored);
}

static void times_survive_a_restart(void **state)
{
    table->last_completed = 1769862896789000;
    table->latency = 42 * TAIN_MILLISECOND;
    assert_ok(tain_status_write(&m, NULL, false, err));
    table->last_completed = table->latency = 0;
    restore();
    assert_int_equal(table->last_completed, 1769862896789000);
    assert_int_equal(table->latency, 42 * TAIN_MILLISECOND);
    table->last_completed = 1769862899000000; /* what is known since the start stands */
    restore();
    assert_int_equal(table->last_completed, 1769862899000000);
}

static bool had_content(void)
{
    assert_ok(tain_status_write(&m, NULL, false, err));
    json_t *stored = tain_status_stored(m.lake);
    bool had = tain_status_had_content(stored, table->name, source->identity);
    assert_false(tain_status_had_content(stored, "main.other", source->identity));
    assert_false(tain_status_had_content(stored, table->name, "another of that name"));
    json_decref(stored);
    return had;
}

/* What was loaded and is still wanted, not what never came to be, and not what was given up. */
static void content_is_remembered(void **state)
{
    assert_false(tain_status_had_content(NULL, table->name, ""));
    tain_table_set_status(table, TAIN_TABLE_FAILED, "a foreign table is in its place", NULL);
    assert_false(had_content());
    table->last_completed = 1769862896789000;
    assert_true(had_content());
    tain_table_set_status(table, TAIN_TABLE_REPLICATING, NULL, NULL);
    assert_true(had_content());
    tain_table_set_status(table, TAIN_TABLE_STOPPED, "dropped", NULL);
    assert_false(had_content());
}

static void damaged_status_is_no_obstacle(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "{\"tables\":7}", "{\"tables\":[7,{\"name\":\"main.x\"},{\"name\":7,\"warnings\":{}}]}"};
    restore();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_ok(tain_store_put(tain_lake_store(m.lake), "_tain/status.json", (tain_slice){(const uint8_t *)texts[i], strlen(texts[i])}, 0, err));
        restore();
        assert_int_equal(table->warning_count, 0);
    }
}

static void lag_is_zero_when_all_is_there(void **state)
{
    assert_int_equal(tain_status_lag(&m), -1);
    m.seen = (tain_position){"0005"};
    m.position = (tain_position){"0005"};
    assert_int_equal(tain_status_lag(&m), 0);
}

/* Nothing arrives any more: nobody knows what waits, so the lag is the age of the trouble. */
static void stalled_stream_lags_and_says_why(void **state)
{
    m.seen = m.position = (tain_position){"0005"};
    m.stalled_since = tain_now() - 7 * TAIN_SECOND;
    (void)tain_fail(&m.stall, TAIN_E_FULL, "no room in /lake");
    assert_true(tain_json_get_int(say(), "lag_ms", -1) >= 7000);
    assert_string_equal(tain_json_get_str(say(), "reason", ""), "no room in /lake");
    assert_string_equal(tain_json_get_str(say(), "remedy", ""), "make room");
    m.waiting_since = tain_now() - 60 * TAIN_SECOND;
    assert_true(tain_json_get_int(say(), "lag_ms", -1) >= 60000);
}

/* Changes wait: the oldest of them decides. */
static void lag_is_the_age_of_what_waits(void **state)
{
    m.seen = (tain_position){"0007"};
    m.position = (tain_position){"0005"};
    m.waiting_since = tain_now() - 5 * TAIN_SECOND;
    tain_time lag = tain_status_lag(&m);
    assert_true(lag >= 5 * TAIN_SECOND && lag < 60 * TAIN_SECOND);
    m.waiting_since = tain_now() + 3600 * TAIN_SECOND; /* the source's clock is ahead */
    assert_true(tain_status_lag(&m) >= 0);
    assert_int_equal(tain_json_get_int(say(), "lag_ms", -1), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(members_are_the_documented_ones),
        CASE(nothing_known_is_null),
        CASE(a_beat_alone_is_nothing_new),
        CASE(loops_tell_when_they_last_turned),
        CASE(the_end_is_told_with_what_it_calls_for),
        CASE(a_mirror_that_never_was_leaves_word_only_for_who_watches),
        CASE(health_falls_with_what_readers_pay_for),
        CASE(retention_is_set_when_another_is_asked_for),
        CASE(values_are_the_tables),
        CASE(states_have_fabrics_names),
        CASE(trouble_is_told_with_its_remedy),
        CASE(warnings_are_explained_and_counted),
        CASE(warnings_survive_a_restart),
        CASE(what_is_kept_already_is_not_kept_again),
        CASE(times_survive_a_restart),
        CASE(content_is_remembered),
        CASE(damaged_status_is_no_obstacle),
        CASE(lag_is_zero_when_all_is_there),
        CASE(lag_is_the_age_of_what_waits),
        CASE(stalled_stream_lags_and_says_why),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
