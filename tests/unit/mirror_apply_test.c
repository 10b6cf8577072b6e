/* SPDX-License-Identifier: MIT */
/* Random changes against a model: after every epoch the table, read back through its log, equals the model. */
#include "mirror_bench.h"

static void run(key_shape shape)
{
    bench b;
    begin(&b, shape);
    for (int e = 1; e <= EPOCHS; e++) {
        for (int parts = pick(3) + 1; parts; parts--) {
            apply_some(&b, pick(CHANGES) + 1);
            if (pick(25) == 0) truncate_all(&b);
        }
        if (feeds && pick(5) == 0) optimize_elsewhere(&b);
        commit(&b, e);
        compare(&b);
        if (feeds) feed_check(b.table->store, &b.fed, shape != NO_KEY);
        if (pick(8) == 0) reopen(&b);
    }
    for (size_t i = 0; i < b.table->warning_count; i++)
        if (!feeds || strcmp(b.table->warnings[i].code, "foreign_commit") != 0) fail_msg("warning %s", b.table->warnings[i].code);
    end(&b);
}

static void run_with_feed(key_shape shape)
{
    feeds = true;
    run(shape);
    feeds = false;
}

static void integer_keys(void **state)
{
    run(INTEGER_KEY);
}

static void text_keys(void **state)
{
    run(TEXT_KEY);
}

static void rows_without_key(void **state)
{
    run(NO_KEY);
}

static void feed_of_integer_keys(void **state)
{
    run_with_feed(INTEGER_KEY);
}

static void feed_of_text_keys(void **state)
{
    run_with_feed(TEXT_KEY);
}

static void feed_of_rows_without_key(void **state)
{
    run_with_feed(NO_KEY);
}

/* What was pending is thrown away without a trace. */
static void given_up_epoch_leaves_nothing(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 100);
    commit(&b, 1);
    row before[KEYS];
    memcpy(before, b.model, sizeof before);
    apply_some(&b, 100);
    truncate_all(&b);
    apply_some(&b, 50);
    tain_pending_clear(b.table);
    memcpy(b.model, before, sizeof before);
    compare(&b);
    apply_some(&b, 50);
    commit(&b, 2);
    compare(&b);
    end(&b);
}

/* Vacuum looks at what others committed, beside the table, which takes it in when it is committed to. */
static void files_of_others_that_a_vacuum_met(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    for (int e = 1; e <= 3; e++) {
        apply_some(&b, 100);
        commit(&b, e);
    }
    optimize_elsewhere(&b);
    for (int i = 0; i < 2; i++) {
        b.table->tended.next_vacuum = 1;
        tain_upkeep_step(&b.mirror);
        assert_non_null(b.table->tended.jobs[TAIN_LANE_HEAVY]);
        finish_upkeep(&b);
    }
    apply_some(&b, 100);
    commit(&b, 4);
    compare(&b);
    end(&b);
}

/* --- what others do to the table ------------------------------------------------------------------------------------- */

static void set_elsewhere(bench *b, const char *key, const char *value)
{
    tain_delta *t;
    json_t *configuration = json_pack("{s:s}", key, value);
    OK(tain_delta_open(b->table->store, &t, &err));
    OK(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = configuration}, &err));
    json_decref(configuration);
    tain_delta_close(t);
}

static void put_elsewhere(bench *b, const char *line)
{
    char key[64];
    snprintf(key, sizeof key, "_delta_log/%020lld.json", (long long)tain_delta_version(b->table->delta) + 1);
    OK(tain_store_put(b->table->store, key, (tain_slice){(const uint8_t *)line, strlen(line)}, TAIN_PUT_IF_ABSENT, &err));
}

/* A merge that cannot be committed is not made again and again. */
static void unknown_feature_meets_a_merge(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    begin_merge(&b);
    size_t files = data_files(&b);
    put_elsewhere(&b, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"
                      "\"writerFeatures\":[\"deletionVectors\",\"appendOnly\",\"invariants\",\"rowTracking\"]}}\n");
    finish_upkeep(&b);
    assert_failed(&b, "rowTracking");
    assert_true(data_files(&b) <= files + 1);
    end(&b);
}

static void unknown_feature_meets_a_vacuum(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 10);
    commit(&b, 1);
    put_elsewhere(&b, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\",\"typeWidening\"],"
                      "\"writerFeatures\":[\"deletionVectors\",\"typeWidening\"]}}\n");
    b.table->tended.next_vacuum = 1;
    tain_upkeep_step(&b.mirror);
    finish_upkeep(&b);
    assert_failed(&b, "typeWidening");
    end(&b);
}

/* Switched on by another program, just before the commit. */
static void a_feed_of_others_is_obeyed(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 100);
    commit(&b, 1);
    for (int e = 2; e < 5; e++) {
        apply_some(&b, 100);
        if (e == 2) set_elsewhere(&b, TAIN_DELTA_FEED_KEY, "true");
        commit(&b, e);
        compare(&b);
    }
    b.fed = 2;
    assert_int_equal(feed_check(b.table->store, &b.fed, true), 3);
    end(&b);
}

typedef enum deed { ADD_FIRST, ADD_LAST, TURN_ROUND, FORBID_NULLS, RENAME, DROP, DEEDS } deed;

static const tain_field *pass_on(tain_schema *s, const tain_field *f, deed what, bool chosen, int serial)
{
    if (what == DROP && chosen) return NULL;
    tain_field *to = tain_schema_append(s, f);
    if (what == FORBID_NULLS) to->nullable = false;
    if (what == RENAME && chosen) to->name = tain_arena_format(&s->arena, "renamed%d", serial);
    if ((what == RENAME || what == DROP) && !to->id) to->id = (int32_t)s->count; /* only a mapping allows it */
    return to;
}

/* As a program does that knows nothing of mirrors. */
static void reshape_elsewhere(bench *b, deed what, int serial)
{
    tain_delta *t;
    OK(tain_delta_open(b->table->store, &t, &err));
    const tain_schema *was = tain_delta_meta(t)->schema;
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_new();
    const char *added = tain_arena_format(&s->arena, "added%d", serial);
    size_t chosen = (size_t)pick((int)was->count);
    if (what == ADD_FIRST) tain_schema_add(s, added, tain_type_of(TAIN_INT32));
    for (size_t i = 0; i < was->count; i++) {
        size_t k = what == TURN_ROUND ? was->count - 1 - i : i;
        (void)pass_on(s, &was->fields[k], what, k == chosen, serial);
    }
    if (what == ADD_LAST) tain_schema_add(s, added, tain_type_of(TAIN_STRING));
    OK(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "ALTER TABLE", .schema = s}, &err));
    tain_delta_close(t);
}

static void assert_columns_of_source(bench *b, size_t added)
{
    tain_delta *t;
    OK(tain_delta_open(b->table->store, &t, &err));
    const tain_schema *lake = tain_delta_meta(t)->schema, *own = b->source->columns;
    assert_true(lake->count <= own->count + added);
    for (size_t i = 0; i < own->count; i++) {
        assert_string_equal(lake->fields[i].name, own->fields[i].name);
        assert_string_equal(lake->fields[i].physical, own->fields[i].name);
        assert_true(lake->fields[i].nullable);
    }
    for (size_t i = own->count; i < lake->count; i++) assert_non_null(lake->fields[i].kept);
    tain_delta_close(t);
}

/* Whatever they make of the columns, rows stay where keys and readers look for them, also while files are merged. */
static void shapes_of_others_do_not_last(void **state)
{
    bench b;
    size_t added = 0;
    begin(&b, TEXT_KEY);
    for (int e = 1; e <= 60; e++) {
        deed what = (deed)pick(DEEDS);
        bool reshapes = e > 1 && pick(3) == 0;
        apply_some(&b, 20);
        if (reshapes) reshape_elsewhere(&b, what, e);
        if (reshapes && (what == ADD_FIRST || what == ADD_LAST)) added++;
        commit(&b, e);
        assert_int_equal(b.table->status, TAIN_TABLE_REPLICATING);
        compare(&b);
        assert_columns_of_source(&b, added);
        if (pick(8) == 0) reopen(&b);
    }
    end(&b);
}

static void a_type_of_others_fails_the_table(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 100);
    commit(&b, 1);
    tain_delta *t;
    OK(tain_delta_open(b.table->store, &t, &err));
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_copy(tain_delta_meta(t)->schema);
    s->fields[1].type = tain_type_of(TAIN_INT64);
    OK(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "ALTER TABLE", .schema = s}, &err));
    tain_delta_close(t);
    apply_some(&b, 100);
    commit(&b, 2);
    assert_failed(&b, "another program gave column small another type");
    end(&b);
}

static void a_table_of_others_in_its_place_fails_it(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 100);
    commit(&b, 1);
    put_elsewhere(&b, "{\"metaData\":{\"id\":\"another\",\"format\":{\"provider\":\"parquet\"},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[],\"configuration\":{}}}\n");
    apply_some(&b, 100);
    commit(&b, 2);
    assert_failed(&b, "another program replaced the table in version 2");
    end(&b);
}

/* The last column, which stays in data files, and the properties. */
static void take_away_elsewhere(bench *b)
{
    const tain_delta_metadata *m = tain_delta_meta(b->table->delta);
    TAIN_AUTO(tain_schema_free) tain_schema *s = tain_schema_copy(m->schema);
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    s->count--;
    tain_schema_to_json(s, &text);
    json_t *line = json_pack("{s:{s:s,s:{s:s},s:s,s:[],s:{}}}", "metaData", "id", m->id, "format", "provider", "parquet", "schemaString", tain_buffer_cstr(&text), "partitionColumns", "configuration");
    char *written = json_dumps(line, 0);
    put_elsewhere(b, written);
    free(written);
    json_decref(line);
}

static void what_others_took_away_is_put_back(void **state)
{
    bench b;
    begin(&b, TEXT_KEY);
    for (int e = 1; e <= 4; e++) {
        apply_some(&b, 100);
        commit(&b, e);
        const tain_delta_metadata *m = tain_delta_meta(b.table->delta);
        assert_int_equal(m->schema->count, 3);
        assert_string_equal(tain_json_get_str(m->configuration, TAIN_IDENTITY_KEY, "none"), b.source->identity);
        compare(&b);
        take_away_elsewhere(&b);
        if (e % 2) reopen(&b); /* it happened while no mirror ran */
    }
    end(&b);
}

static size_t columns_with_statistics(const tain_delta_file *f)
{
    json_error_t e;
    json_t *stats = json_loads(f->stats, JSON_DECODE_INT_AS_REAL, &e);
    size_t n = json_object_size(json_object_get(stats, "nullCount"));
    assert_int_equal(json_object_size(json_object_get(stats, "minValues")), n);
    json_decref(stats);
    return n;
}

static void statistics_are_of_the_columns_wanted(void **state)
{
    static const struct { const char *wanted; size_t given; } cases[] = {{"1", 1}, {"0", 0}, {"-1", 3}, {"2", 2}, {"-7", 3}};
    bench b;
    begin(&b, TEXT_KEY);
    for (size_t i = 0, e = 1; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        tain_delta_file *f;
        set_elsewhere(&b, "delta.dataSkippingNumIndexedCols", cases[i].wanted);
        truncate_all(&b); /* sees no foreign commit: it is tried again */
        commit(&b, (int)e++);
        for (int k = 0; k < 8; k++, e++) { /* the eighth begins a merge */
            apply_some(&b, 5);
            commit(&b, (int)e);
        }
        finish_upkeep(&b);
        for (size_t cursor = 0; tain_delta_next_file(b.table->delta, &cursor, &f); n++)
            assert_int_equal(columns_with_statistics(f), cases[i].given);
        assert_true(n > 0);
    }
    end(&b);
}

static void check_statistics(bench *b, const char *wanted, const char *given)
{
    json_error_t e;
    json_t *names = json_loads(given, 0, &e);
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(b->table->delta, &cursor, &f);) {
        json_t *stats = json_loads(f->stats, JSON_DECODE_INT_AS_REAL, &e);
        assert_int_equal(columns_with_statistics(f), json_array_size(names));
        for (size_t i = 0; i < json_array_size(names); i++)
            if (!json_object_get(json_object_get(stats, "nullCount"), json_string_value(json_array_get(names, i)))) fail_msg("%s: %s", wanted, f->stats);
        json_decref(stats);
    }
    json_decref(names);
}

/* By name they count instead of the number. */
static void statistics_are_of_the_columns_named(void **state)
{
    static const struct { const char *wanted, *given; } cases[] = {
        {"large", "[\"large\"]"}, {" `k` , SMALL,nowhere", "[\"k\", \"small\"]"}, {"", "[]"}, {"large.inner,`small.x`", "[]"}, {",,`k`,`large`", "[\"k\", \"large\"]"}};
    bench b;
    begin(&b, TEXT_KEY);
    for (size_t i = 0, e = 1; i < sizeof cases / sizeof *cases; i++) {
        set_elsewhere(&b, "delta.dataSkippingNumIndexedCols", "1");
        set_elsewhere(&b, "delta.dataSkippingStatsColumns", cases[i].wanted);
        truncate_all(&b);
        commit(&b, (int)e++);
        for (int k = 0; k < 8; k++, e++) {
            apply_some(&b, 5);
            commit(&b, (int)e);
        }
        finish_upkeep(&b);
        check_statistics(&b, cases[i].wanted, cases[i].given);
    }
    end(&b);
}

static void make_older(bench *b, const char *path, int hours)
{
    char full[512];
    struct timespec at = {.tv_sec = tain_now() / TAIN_SECOND - 3600L * hours};
    snprintf(full, sizeof full, "%s/Tables/main/t/%s", b->folder, path);
    assert_int_equal(utimensat(AT_FDCWD, full, (struct timespec[]){at, at}, 0), 0);
}

static bool is_there(bench *b, const char *path)
{
    tain_object o;
    return tain_store_head(b->table->store, path, &o, NULL) == TAIN_OK;
}

/* Nobody knows of the files, and they are three days old. */
static void vacuum_waits_as_long_as_the_table_says(void **state)
{
    static const struct { const char *wanted; bool stays; } cases[] = {{"interval 1 week", true}, {"interval 2 days", false}, {"interval 0 seconds", false}};
    bench b;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 20);
    commit(&b, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_elsewhere(&b, "delta.deletedFileRetentionDuration", cases[i].wanted);
        OK(tain_store_put(b.table->store, "stray.parquet", (tain_slice){(const uint8_t *)"x", 1}, 0, &err));
        OK(tain_store_put(b.table->store, "fresh.parquet", (tain_slice){(const uint8_t *)"x", 1}, 0, &err));
        make_older(&b, "stray.parquet", 72);
        b.table->tended.next_vacuum = 1;
        tain_upkeep_step(&b.mirror);
        finish_upkeep(&b);
        assert_int_equal(is_there(&b, "stray.parquet"), cases[i].stays);
        assert_true(is_there(&b, "fresh.parquet"));
    }
    end(&b);
}

/* What a truncation removes is not found again, whatever became of it. */
static void files_are_merged_under_a_truncation(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    for (int e = 1; e <= 3; e++) {
        apply_some(&b, 30);
        commit(&b, e);
    }
    truncate_all(&b);
    apply_some(&b, 30);
    optimize_elsewhere(&b);
    commit(&b, 4);
    compare(&b);
    assert_int_equal(b.table->files.count, tain_delta_file_count(b.table->delta));
    for (int e = 5; e <= 8; e++) {
        apply_some(&b, 60);
        commit(&b, e);
        compare(&b);
    }
    end(&b);
}

/* A second table with something to commit, so that tables commit in parallel. */
static void add_other(bench *b)
{
    tain_changes c;
    b->other_source = make_source(b, "u");
    b->other = make_table(b, b->other_source);
    tain_changes_init(&c, b->other->schema);
    row r = {.there = true, .small = 1, .large = 2};
    put_row(b, &c, 1, &r, false);
    tain_changes_end_row(&c, TAIN_INSERT);
    OK(tain_apply_changes(b->other, &c, &err));
    tain_changes_done(&c);
}

/* Rows that were to be deleted can be found no more: nothing of the table may be committed. */
static void merged_and_vacuumed_elsewhere(void **state)
{
    for (int both = 0; both < 2; both++) {
        bench b;
        char *old[16];
        row before[KEYS];
        begin(&b, INTEGER_KEY);
        for (int e = 1; e <= 3; e++) {
            apply_some(&b, 60);
            commit(&b, e);
        }
        memcpy(before, b.model, sizeof before);
        apply_some(&b, 60);
        if (both) add_other(&b);
        size_t n = live_paths(&b, old);
        optimize_elsewhere(&b);
        for (size_t i = 0; i < n; i++) {
            OK(tain_store_remove(b.table->store, old[i], &err));
            free(old[i]);
        }
        commit(&b, 4);
        assert_failed(&b, "part-");
        memcpy(b.model, before, sizeof before);
        compare(&b);
        if (both) assert_int_equal(tain_delta_live_rows(b.other->delta), 1);
        end(&b);
    }
}

/* A vacuum without retention takes files that no commit names yet. */
static void pending_files_are_vacuumed_elsewhere(void **state)
{
    bench b;
    tain_delta *t;
    tain_vacuum_result r;
    begin(&b, INTEGER_KEY);
    apply_some(&b, 30);
    commit(&b, 1);
    apply_some(&b, 30);
    OK(tain_delta_open(b.table->store, &t, &err));
    OK(tain_delta_vacuum(t, 0, false, &r, &err));
    assert_int_equal(r.files, 1);
    tain_delta_close(t);
    commit(&b, 2);
    assert_failed(&b, "removed");
    OK(tain_delta_open(b.table->store, &t, &err));
    assert_int_equal(tain_delta_version(t), 1);
    tain_delta_close(t);
    end(&b);
}

static void merged_file_is_vacuumed_elsewhere(void **state)
{
    bench b;
    tain_delta *t;
    tain_vacuum_result r = {0};
    begin(&b, INTEGER_KEY);
    begin_merge(&b);
    size_t files = data_files(&b);
    for (tain_time until = tain_monotonic() + 20 * TAIN_SECOND; data_files(&b) == files && tain_monotonic() < until;) sched_yield();
    OK(tain_delta_open(b.table->store, &t, &err));
    OK(tain_delta_vacuum(t, 0, false, &r, &err));
    assert_true(r.files > 0);
    assert_true(data_files(&b) <= files);
    tain_delta_close(t);
    finish_upkeep(&b);
    compare(&b);
    apply_some(&b, 30);
    commit(&b, 109);
    compare(&b);
    end(&b);
}

/* A folder that was removed does not come back as a log without a beginning. */
static void folder_is_removed_under_a_merge(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    begin_merge(&b);
    size_t n = 0;
    OK(tain_store_remove_all(b.table->store, "_delta_log", &err));
    finish_upkeep(&b);
    OK(tain_store_list(b.table->store, "_delta_log/", NULL, count_data, &n, &err));
    tain_delta *t;
    assert_int_equal(tain_delta_open(b.table->store, &t, NULL), TAIN_E_NOT_FOUND);
    assert_failed(&b, "removed");
    end(&b);
}

/* What a table lacks already is not made up for by what comes later. */
static void dropped_table_is_finished_if_it_was_followed(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    tain_table *t = b.table;
    tain_table_set_dropped(t);
    tain_table_set_dropped(t);
    assert_true(tain_table_takes_changes(t));
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
    tain_table_misfit(t, "its files do not fit");
    assert_false(tain_table_takes_changes(t));
    tain_table_set_dropped(t);
    assert_false(tain_table_takes_changes(t));
    tain_table_set_dropped(t);
    assert_false(tain_table_takes_changes(t));
    end(&b);
}

typedef struct flicker { tain_table *table; atomic_bool done; } flicker;

/* As the source's thread may do at any time. */
static void *change_status(void *arg)
{
    flicker *f = arg;
    for (int i = 0; !atomic_load(&f->done); i++) tain_table_set_status(f->table, i & 1 ? TAIN_TABLE_REPLICATING : TAIN_TABLE_RESEEDING, NULL, NULL);
    return NULL;
}

static void assert_told_once(bench *b, int epoch)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/_tain/epochs/%020d.json", b->folder, epoch);
    json_t *record = json_load_file(path, 0, NULL);
    assert_non_null(record);
    bool listed = json_object_get(json_object_get(record, "tables"), b->table->name);
    assert_true(!listed || !json_object_get(json_object_get(record, "apart"), b->table->name));
    json_decref(record);
}

static void a_table_is_followed_or_apart(void **state)
{
    bench b;
    pthread_t thread;
    begin(&b, INTEGER_KEY);
    flicker f = {.table = b.table};
    assert_int_equal(pthread_create(&thread, NULL, change_status, &f), 0);
    for (int epoch = 1; epoch <= 200; epoch++) {
        b.table->announced = false;
        commit(&b, epoch);
        assert_told_once(&b, epoch);
    }
    atomic_store(&f.done, true);
    pthread_join(thread, NULL);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_keys),
        cmocka_unit_test(text_keys),
        cmocka_unit_test(rows_without_key),
        cmocka_unit_test(feed_of_integer_keys),
        cmocka_unit_test(feed_of_text_keys),
        cmocka_unit_test(feed_of_rows_without_key),
        cmocka_unit_test(given_up_epoch_leaves_nothing),
        cmocka_unit_test(files_of_others_that_a_vacuum_met),
        cmocka_unit_test(unknown_feature_meets_a_merge),
        cmocka_unit_test(unknown_feature_meets_a_vacuum),
        cmocka_unit_test(a_feed_of_others_is_obeyed),
        cmocka_unit_test(shapes_of_others_do_not_last),
        cmocka_unit_test(a_type_of_others_fails_the_table),
        cmocka_unit_test(a_table_of_others_in_its_place_fails_it),
        cmocka_unit_test(what_others_took_away_is_put_back),
        cmocka_unit_test(statistics_are_of_the_columns_wanted),
        cmocka_unit_test(statistics_are_of_the_columns_named),
        cmocka_unit_test(vacuum_waits_as_long_as_the_table_says),
        cmocka_unit_test(files_are_merged_under_a_truncation),
        cmocka_unit_test(merged_and_vacuumed_elsewhere),
        cmocka_unit_test(pending_files_are_vacuumed_elsewhere),
        cmocka_unit_test(merged_file_is_vacuumed_elsewhere),
        cmocka_unit_test(folder_is_removed_under_a_merge),
        cmocka_unit_test(dropped_table_is_finished_if_it_was_followed),
        cmocka_unit_test(a_table_is_followed_or_apart),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
