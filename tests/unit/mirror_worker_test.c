/* SPDX-License-Identifier: MIT */
/* A mirror from start to stop with a scripted source: what the lake shows, at its end and at every epoch, is what the
 * source had. */
#include "mirror_run.h"

/* --- the plain course ---------------------------------------------------------------------------------------------- */

static void loads_then_catches_up(void **state)
{
    two_tables(350);
    once();
    check_all();
    assert_int_equal(fake.loads, 2);
    for (int i = 0; i < 30; i++) some_changes();
    once();
    check_all();
    assert_int_equal(fake.loads, 2); /* nothing is loaded twice */
    assert_int_equal(fake.confirmed, fake.count);
    check_epochs();
}

static void nothing_to_do_changes_nothing(void **state)
{
    two_tables(10);
    once();
    size_t epochs = check_epochs();
    once();
    once();
    assert_int_equal(check_epochs(), epochs);
    assert_int_equal(fake.rows_taken, 0);
}

static void empty_tables_exist(void **state)
{
    a = fake_create("main", "a", true);
    fake_create("o/dd", "na me%", true);
    fake_commit();
    once();
    check_all();
    fake_insert(a, 1, 2, 3);
    fake_insert(1, 4, 5, 6);
    fake_commit();
    once();
    check_all();
    check_epochs();
}

static void change_while_following(void)
{
    if (fake.confirmed < fake.count) return; /* each round is an epoch */
    if (rounds == 0) tain_worker_stop();
    if (rounds-- > 0)
        for (int i = 0; i < 5; i++) some_changes();
}

static void follows_until_stopped(void **state)
{
    two_tables(200);
    rounds = 30;
    fake.on_head = change_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    assert_true(check_epochs() >= 30);
    assert_int_equal(fake.confirmed, fake.count);
}

static void recorded_before_confirmed(size_t position)
{
    tain_store *s = open_lake();
    assert_true(fake_last_position(s) >= position);
    tain_store_close(s);
}

static void confirms_what_is_recorded(void **state)
{
    two_tables(50);
    rounds = 20;
    fake.on_head = change_while_following;
    fake.on_confirm = recorded_before_confirmed;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    assert_int_equal(fake.confirmed, fake.count);
}

/* --- lost streams, large transactions ------------------------------------------------------------------------------ */

/* 32 MiB / 8: a part is 4 MiB; one transaction has several of them, and the stream is lost in it. */
static void large_transaction_survives_a_lost_stream(void **state)
{
    two_tables(20);
    once();
    for (int i = 0; i < 3; i++) some_changes();
    for (int i = 0; i < 3000; i++, next_key++) {
        fake_insert(a, next_key, i, i);
        if (i == 1500) fake_do(FAKE_LOST, a);
    }
    fake_commit();
    for (int i = 0; i < 3; i++) some_changes();
    assert_ok(run_mirror((run){.memory = 1 << 16}, err)); /* 8 KiB a part */
    check_all();
    check_epochs();
    assert_non_null(strstr(said, "connection lost"));
}

static void source_that_starts_up_is_waited_for(void **state)
{
    two_tables(20);
    once();
    some_changes();
    fake.refusals = 1;
    assert_fails(run_mirror((run){0}, err), TAIN_E_UNAVAILABLE, "starting up"); /* before anything runs */
    some_changes();
    once();
    check_all();
}

static void forgotten_position_asks_for_resync(void **state)
{
    two_tables(20);
    once();
    some_changes();
    some_changes();
    fake.forgotten = fake.count;
    assert_fails(run_mirror((run){0}, err), TAIN_E_GONE, "gone");
    assert_ok(run_mirror((run){.resync_all = true}, err));
    check_all();
    some_changes();
    once();
    check_all();
}

/* The slot was removed: prepare makes another. */
static void forgotten_capture_asks_for_resync(void **state)
{
    two_tables(20);
    once();
    some_changes();
    fake.prepared = false;
    assert_fails(run_mirror((run){0}, err), TAIN_E_GONE, "forgotten");
    fake.prepared = false;
    some_changes();
    assert_ok(run_mirror((run){.resync_all = true}, err));
    check_all();
}

/* --- tables that come, go and fail --------------------------------------------------------------------------------- */

static void new_tables_enter_while_following(void)
{
    static char names[FAKE_TABLES][16];
    if (rounds == 0 && fake_is_done()) tain_worker_stop();
    if (rounds == 0) return;
    rounds--;
    some_changes();
    some_changes();
    if (fake.table_count >= FAKE_TABLES - 1) return;
    snprintf(names[fake.table_count], sizeof names[0], "n%d", fake.table_count);
    int t = fake_create("main", names[fake.table_count], true);
    fake_insert(t, 1, 1, 1);
    fake_commit();
    fake_insert(t, 2, 2, 2);
    fake_commit();
}

static void tables_enter(void **state)
{
    two_tables(30);
    rounds = 36;
    fake.on_head = new_tables_enter_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, fake.table_count);
}

static size_t before_drop;
static void change_then_drop(void)
{
    if (rounds == 3) {
        fake_insert(b, 77, 1, FAKE_NULL);
        some_changes();
        before_drop = fake.count;
        fake_do(FAKE_DROP, b);
        fake_commit();
    } else if (rounds > 0) {
        fake_update(a, 3, rounds);
        fake_commit();
    } else {
        tain_worker_stop();
    }
    rounds--;
}

static void dropped_table_keeps_its_last_state(void **state)
{
    two_tables(30);
    once();
    rounds = 3;
    fake.on_head = change_then_drop;
    assert_ok(run_mirror((run){.follow = true, .freshness = TAIN_SECOND}, err));
    fake.on_head = NULL;
    tain_store *s = open_lake();
    fake_check(s, a);
    fake_check_version(s, b, -1, before_drop);
    tain_store_close(s);
    check_status("main.b", "Stopped", NULL);
}

/* In front of the process's eyes, so the driver tells of both. */
static void drop_and_make_again(void)
{
    if (rounds == 3) {
        fake_insert(b, 77, 1, FAKE_NULL);
        fake_commit();
        fake_do(FAKE_DROP, b);
        int t = fake_create("main", "b", true);
        fake_insert(t, 1, 2, 3);
        fake_commit();
    } else if (rounds > 0) {
        fake_insert(fake.table_count - 1, rounds + 10, 2, 3);
        fake_update(a, 3, rounds);
        fake_commit();
    } else {
        if (fake_is_done()) tain_worker_stop();
        return;
    }
    rounds--;
}

static void table_made_again_replaces_the_old_one(void **state)
{
    two_tables(30);
    once();
    rounds = 3;
    fake.on_head = drop_and_make_again;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_status("main.b", "Replicating", NULL);
}

/* While no mirror was running: only its identity tells. */
static void table_made_again_unseen_is_loaded(void **state)
{
    two_tables(30);
    once();
    fake_do(FAKE_DROP, a);
    int t = fake_create("main", "a", true);
    for (int i = 0; i < 5; i++) fake_insert(t, 1000 + i, 2, 3);
    fake_commit();
    once();
    tain_store *s = open_lake();
    fake_check(s, t);
    tain_store_close(s);
}

static void table_that_cannot_be_loaded_fails_alone(void **state)
{
    two_tables(30);
    fake.unreadable = "b";
    once();
    assert_int_equal(tain_worker_failed_tables(), 1);
    check_status("main.b", "Failed", "permission denied");
    some_changes();
    tain_store *s = open_lake();
    once();
    fake_check(s, a);
    tain_store_close(s);
    fake.unreadable = NULL;
    some_changes();
    once();
    check_all();
    check_status("main.b", "Replicating", NULL);
}

static void table_in_trouble_fails_alone(void **state)
{
    two_tables(30);
    once();
    some_changes();
    fake_do(FAKE_TROUBLE, b);
    some_changes();
    some_changes();
    once();
    assert_int_equal(tain_worker_failed_tables(), 1);
    check_status("main.b", "Failed", "cannot be read");
    tain_store *s = open_lake();
    fake_check(s, a);
    tain_store_close(s);
    check_epochs();
    assert_ok(run_mirror((run){.resync = {"main.b"}}, err));
    check_all();
}

/* The transaction is so large that its first rows are with the writer when the trouble comes. */
static void part_of_a_transaction_is_never_shown(void **state)
{
    two_tables(30);
    once();
    size_t before = fake.count;
    for (int i = 0; i < 3000; i++) {
        fake_insert(b, 1000 + i, 1, i);
        fake_insert(a, 1000 + i, 1, i);
        if (i == 2000) fake_do(FAKE_TROUBLE, b);
    }
    fake_commit();
    assert_ok(run_mirror((run){.memory = 1 << 16}, err));
    tain_store *s = open_lake();
    fake_check(s, a);
    fake_check_version(s, b, -1, before);
    tain_store_close(s);
    check_epochs();
}

/* What a quarantined table missed is not forgotten by a restart. */
static void failed_table_stays_failed(void **state)
{
    two_tables(30);
    once();
    some_changes();
    fake_do(FAKE_TROUBLE, b);
    some_changes();
    once();
    check_status("main.b", "Failed", "cannot be read");
    some_changes();
    once();
    check_status("main.b", "Failed", "cannot be read");
    assert_int_equal(tain_worker_failed_tables(), 1);
    assert_ok(run_mirror((run){.resync = {"main.b"}}, err));
    check_all();
    some_changes();
    once();
    check_all();
}

static void table_left_out_for_a_while_misses_nothing(void **state)
{
    two_tables(30);
    once();
    some_changes();
    assert_ok(run_mirror((run){.exclude = "main.b"}, err));
    check_status("main.b", "Stopped", "not selected");
    some_changes();
    once();
    check_status("main.b", "Stopped", "not selected"); /* what was given stays */
    assert_ok(run_mirror((run){.exclude = ""}, err));
    check_all();
    some_changes();
    once();
    check_all();
}

static void damaged_folder_fails_alone(void **state)
{
    two_tables(30);
    once();
    char *log = tain_format("%s/Tables/main/b/_delta_log/%020d.json", lake, 0);
    FILE *f = fopen(log, "w");
    assert_non_null(f);
    fputs("{broken\n", f);
    fclose(f);
    free(log);
    some_changes();
    once();
    check_status("main.b", "Failed", NULL);
    tain_store *s = open_lake();
    fake_check(s, a);
    tain_store_close(s);
    assert_ok(run_mirror((run){.resync = {"main.b"}}, err));
    check_all();
}

static void refused_table_is_shown_with_the_reason(void **state)
{
    two_tables(5);
    fake.tables[b].refused = "it has no key";
    once();
    check_status("main.b", "Stopped", "it has no key");
    assert_int_equal(fake.loads, 1);
    fake.tables[b].refused = NULL;
    once();
    check_all();
}

/* Refused for a while, having been mirrored before. */
static void refused_for_a_while_misses_nothing(void **state)
{
    two_tables(5);
    once();
    fake.tables[b].refused = "it has no key";
    some_changes();
    once();
    check_status("main.b", "Stopped", "it has no key");
    fake.tables[b].refused = NULL;
    some_changes();
    once();
    check_all();
}

static void unknown_table_to_resync_is_refused(void **state)
{
    two_tables(5);
    once();
    assert_fails(run_mirror((run){.resync = {"main.zzz"}}, err), TAIN_E_NOT_FOUND, "main.zzz");
}

/* Somebody's own Delta table where a table of the mirror would go is left alone. */
static void foreign_table_is_left_alone(void **state)
{
    two_tables(5);
    tain_store *s = open_lake(), *folder = tain_store_sub(s, "Tables/main/b");
    tain_schema *schema = tain_schema_new();
    tain_schema_add(schema, "precious", tain_type_of(TAIN_INT64));
    tain_delta *d;
    assert_ok(tain_delta_create(folder, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema, .data_change = true}, &d, err));
    tain_delta_close(d);
    once();
    check_status("main.b", "Failed", "did not write");
    assert_ok(run_mirror((run){.resync_all = true}, err));
    check_status("main.b", "Failed", "did not write");
    fake_check(s, a);
    assert_ok(tain_delta_open(folder, &d, err));
    assert_int_equal(tain_delta_version(d), 0);
    tain_delta_close(d);
    tain_schema_free(schema);
    tain_store_close(folder);
    tain_store_close(s);
}

static void another_writer_is_refused(void **state)
{
    two_tables(5);
    once();
    tain_lake *l;
    assert_ok(tain_lake_open(lake, false, &l, err));
    assert_ok(tain_lake_lock(l, err));
    char pid[32];
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_fails(run_mirror((run){0}, err), TAIN_E_BUSY, pid);
    tain_lake_close(l);
    once();
}

/* --- shapes -------------------------------------------------------------------------------------------------------- */

static void added_column_is_null_before(void **state)
{
    two_tables(40);
    once();
    some_changes();
    fake_add_column(a, "extra", TAIN_INT64, 3);
    fake_row row = fake_make(5000, 1, 1);
    row.v[3] = 42;
    fake_insert_row(a, row);
    fake_commit();
    fake_set(a, 3, 3, 17, 0);
    fake_set(a, 5000, 1, 18, 1u << 3);
    fake_commit();
    some_changes();
    rounds = 10;
    fake.on_head = change_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    once();
    check_all();
}

/* The driver tells of the shape, then the stream is lost: it does not tell again. */
static bool reshaped;
static void reshape_then_lose_the_stream(void)
{
    if (!reshaped) {
        reshaped = true;
        some_changes();
        fake_add_column(a, "extra", TAIN_INT64, 3);
        fake_row row = fake_make(5000, 1, 1);
        row.v[3] = 42;
        fake_insert_row(a, row);
        fake_do(FAKE_LOST, a);
        fake_set(a, 3, 3, 17, 0);
        fake_commit();
    } else if (rounds-- > 0) {
        some_changes();
    } else {
        tain_worker_stop();
    }
}

static void shape_told_before_a_lost_stream_is_kept(void **state)
{
    two_tables(40);
    once();
    reshaped = false;
    rounds = 3;
    fake.on_head = reshape_then_lose_the_stream;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
}

/* Equal rows of a table without key are found again although they have one column more now. */
static void keyless_table_grows_a_column(void)
{
    if (!reshaped) {
        reshaped = true;
        fake_add_column(b, "extra", TAIN_INT64, 3);
        fake_delete(b, 3);
        fake_row row = fake_make(900, 1, 1);
        row.v[3] = 42;
        fake_insert_row(b, row);
        fake_commit();
    } else if (rounds-- > 0) {
        fake_delete(b, fake.now[b].rows[0].v[0]);
        fake_update(b, fake.now[b].rows[1].v[0], 1234 + rounds);
        fake_commit();
    } else {
        tain_worker_stop();
    }
}

static void keyless_table_grows(void **state)
{
    two_tables(40);
    once();
    reshaped = false;
    rounds = 5;
    fake.on_head = keyless_table_grows_a_column;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_epochs();
    fake_delete(b, fake.now[b].rows[0].v[0]);
    fake_commit();
    once();
    check_all();
}

static void change_key_while_following(void)
{
    if (!reshaped) {
        reshaped = true;
        fake_shape *s = fake_next_shape(a);
        s->key_slot = 2; /* the text column, unique as well */
        fake_reshape(a, false);
        fake_update(a, 3, 1234);
        fake_commit();
    } else if (rounds-- > 0) {
        fake_update(a, fake.now[a].rows[(size_t)rounds].v[0], 2000 + rounds);
        fake_delete(a, fake.now[a].rows[20].v[0]);
        fake_commit();
    } else {
        tain_worker_stop();
    }
}

static void changed_key_finds_old_rows(void **state)
{
    two_tables(40);
    once();
    reshaped = false;
    rounds = 5;
    fake.on_head = change_key_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    fake_update(a, fake.now[a].rows[0].v[0], 3);
    fake_commit();
    once();
    check_all();
}

static void columns_changed_unseen_are_loaded(void **state)
{
    two_tables(40);
    once();
    fake_add_column(a, "extra", TAIN_INT64, 3);
    fake_set(a, 3, 3, 17, 0);
    fake_commit();
    fake_drop_column(a, 1, true);
    fake_set(a, 4, 3, 18, 0);
    fake_commit();
    once();
    check_all();
    assert_non_null(strstr(said, "columns changed"));
}

static void reload_while_following(void)
{
    if (!reshaped) {
        reshaped = true;
        some_changes();
        fake_update(a, 3, 1234);
        fake_drop_column(a, 2, true);
        fake_update(a, 4, 1234);
        fake_commit();
    } else if (rounds-- > 0) {
        fake_update(a, 5 + rounds, 2000 + rounds);
        fake_insert(b, 4, 4, FAKE_NULL);
        fake_commit();
    } else if (fake_is_done()) {
        tain_worker_stop();
    }
}

static void deep_change_loads_again(void **state)
{
    two_tables(40);
    once();
    reshaped = false;
    rounds = 4;
    fake.on_head = reload_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    assert_non_null(strstr(said, "its shape changed"));
    assert_int_equal(fake.loads, 3);
}

/* Stopped in the middle of loading again: the next start goes on with it, although it does not hear of it. */
static void interrupted_reload_is_not_forgotten(void **state)
{
    two_tables(40);
    once();
    reshaped = false;
    fake.on_head = reload_while_following;
    fake.on_load = tain_worker_stop;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    fake.on_load = NULL;
    once();
    check_all();
    check_status("main.a", "Replicating", NULL);
    assert_non_null(strstr(said, "not followed for a while"));
    assert_int_equal(fake.loads, 4);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(loads_then_catches_up),
        CASE(nothing_to_do_changes_nothing),
        CASE(empty_tables_exist),
        CASE(follows_until_stopped),
        CASE(confirms_what_is_recorded),
        CASE(large_transaction_survives_a_lost_stream),
        CASE(source_that_starts_up_is_waited_for),
        CASE(forgotten_position_asks_for_resync),
        CASE(forgotten_capture_asks_for_resync),
        CASE(tables_enter),
        CASE(dropped_table_keeps_its_last_state),
        CASE(table_made_again_replaces_the_old_one),
        CASE(table_made_again_unseen_is_loaded),
        CASE(table_that_cannot_be_loaded_fails_alone),
        CASE(table_in_trouble_fails_alone),
        CASE(part_of_a_transaction_is_never_shown),
        CASE(failed_table_stays_failed),
        CASE(table_left_out_for_a_while_misses_nothing),
        CASE(damaged_folder_fails_alone),
        CASE(refused_table_is_shown_with_the_reason),
        CASE(refused_for_a_while_misses_nothing),
        CASE(unknown_table_to_resync_is_refused),
        CASE(foreign_table_is_left_alone),
        CASE(another_writer_is_refused),
        CASE(added_column_is_null_before),
        CASE(shape_told_before_a_lost_stream_is_kept),
        CASE(keyless_table_grows),
        CASE(changed_key_finds_old_rows),
        CASE(columns_changed_unseen_are_loaded),
        CASE(deep_change_loads_again),
        CASE(interrupted_reload_is_not_forgotten),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
