/* SPDX-License-Identifier: MIT */
/* Tables are loaded while the others go on: what those get becomes visible meanwhile, what the loaded ones get comes
 * behind their content, whatever happens to them or to the mirror in between. */
#include "mirror_held.h"

/* --- a load that is held ------------------------------------------------------------------------------------------- */

enum { NEW_ROWS = 500 };

static int    fresh;
static size_t snapshot;

static bool wait_in_chunk(int t) { return t == fresh && hold_chunk(); }

static void create_fresh(void)
{
    fresh = fake_create("main", "fresh", true);
    for (int i = 0; i < NEW_ROWS; i++) fake_insert(fresh, i, i % 9, i);
    snapshot = fake_commit();
}

/* A table appears; while it is read the others change, and are seen to have changed; it changes; then it is let go. */
static void load_beside(void)
{
    if (step == 0) {
        atomic_store(&held, true);
        create_fresh();
        step = 1;
    } else if (step == 1 && atomic_load(&chunks)) {
        starts = fake.starts;
        for (int i = 0; i < 5; i++) some_changes();
        if (meanwhile) meanwhile();
        committed = fake.count;
        step = 2;
    } else if (step == 2 && is_recorded()) {
        assert_true(fake.reading);
        assert_true(fake.confirmed <= snapshot);
        some_changes();
        atomic_store(&held, false);
        step = 3;
    } else if (step == 3 && fake_is_done()) {
        tain_worker_stop();
        step = 4;
    }
}

static int begin_beside(void **state)
{
    begin_held(state, 30);
    fake.on_chunk = wait_in_chunk;
    return 0;
}

static void follow(void)
{
    fake.on_head = load_beside;
    assert_ok(run_mirror((run){.follow = true, .freshness = 5 * TAIN_MILLISECOND}, err));
    fake.on_head = NULL;
    assert_int_equal(step, 4);
    check_all();
}

static void follow_and_check(void)
{
    follow();
    check_epochs();
}

static void others_go_on(void **state)
{
    follow_and_check();
    assert_int_equal(fake.starts, starts); /* nothing came for it: the stream need not begin again */
}

static void change_fresh(void)
{
    for (int i = 0; i < 10; i++) {
        fake_update(fresh, i, 77);
        fake_rekey(fresh, i + 100, 1000 + i, 1u << 2);
        fake_delete(fresh, i + 200);
        fake_insert(fresh, 2000 + i, 1, i);
        some_changes();
    }
}

static void what_came_meanwhile_comes_behind(void **state)
{
    meanwhile = change_fresh;
    follow_and_check();
    assert_int_equal(fake.starts, starts + 1);
}

static void truncate_fresh(void)
{
    fake_do(FAKE_TRUNCATE, fresh);
    fake_insert(fresh, 1, 2, 3);
    fake_commit();
}

static void truncated_meanwhile(void **state)
{
    meanwhile = truncate_fresh;
    follow_and_check();
}

static void widen_fresh(void)
{
    change_fresh();
    fake_add_column(fresh, "more", TAIN_INT64, 3);
    fake_commit();
    some_changes();
}

static void reshaped_meanwhile(void **state)
{
    meanwhile = widen_fresh;
    follow_and_check();
}

static void tracked_and_reshaped_meanwhile(void **state)
{
    fake.tracks = true;
    meanwhile = widen_fresh;
    follow_and_check();
}

static void narrow_fresh(void)
{
    change_fresh();
    fake_drop_column(fresh, 1, true);
    fake_update(fresh, 1, FAKE_NULL);
    fake_commit();
}

static void deeply_changed_meanwhile(void **state)
{
    meanwhile = narrow_fresh;
    follow_and_check();
}

static void rename_fresh(void)
{
    change_fresh();
    fake_rename(fresh, "elsewhere");
    fake_update(fresh, 1, 5);
    fake_commit();
}

static void renamed_meanwhile(void **state)
{
    meanwhile = rename_fresh;
    follow_and_check();
}

/* As tools do that change a table by a copy of it. */
static void swap_fresh(void)
{
    change_fresh();
    fake_rename(fresh, "old");
    fake_rename(a, "fresh");
    fake_update(a, 3, 4);
    fake_update(fresh, 1, 5);
    fake_commit();
}

static void its_name_is_taken_meanwhile(void **state)
{
    meanwhile = swap_fresh;
    follow(); /* until the load has ended its epochs have the old name */
}

static void drop_fresh(void)
{
    change_fresh();
    fake_do(FAKE_DROP, fresh);
    fake_commit();
}

static void dropped_meanwhile(void **state)
{
    meanwhile = drop_fresh;
    follow_and_check();
    check_status("main.fresh", "Stopped", "dropped");
}

static void make_fresh_again(void)
{
    drop_fresh();
    int t = fake_create("main", "fresh", true);
    fake_insert(t, 7, 7, 7);
    fake_commit();
    fake_insert(t, 8, 8, 8);
    fake_commit();
}

static void made_again_meanwhile(void **state)
{
    meanwhile = make_fresh_again;
    follow_and_check();
}

static void trouble_fresh(void)
{
    fake_do(FAKE_TROUBLE, fresh);
    fake_commit();
}

static void given_up_meanwhile(void **state)
{
    meanwhile = trouble_fresh;
    fake.on_head = load_beside;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_status("main.fresh", "Failed", "cannot be read");
    tain_store *s = open_lake();
    fake_check(s, a);
    fake_check(s, b);
    tain_store_close(s);
}

static void lose_stream(void)
{
    change_fresh();
    fake_do(FAKE_LOST, a);
    fake_commit();
    some_changes();
}

static void stream_lost_meanwhile(void **state)
{
    meanwhile = lose_stream;
    follow_and_check();
}

static void lose_reader(void)
{
    fake_update(fresh, 1, 78);
    fake_commit();
    atomic_store(&lose, true);
}

static void reader_lost_meanwhile(void **state)
{
    meanwhile = lose_reader;
    follow_and_check();
    assert_non_null(strstr(said, "trying again"));
    assert_non_null(strstr(said, "going on"));
}

static int another;
static void create_another(void)
{
    another = fake_create("main", "another", false);
    fake_insert(another, 1, 2, 3);
    fake_commit();
    change_fresh();
    fake_insert(another, 2, 2, 3);
    fake_commit();
}

static void the_next_one_waits(void **state)
{
    meanwhile = create_another;
    follow_and_check();
}

/* --- before it can begin ------------------------------------------------------------------------------------------- */

static void create_late(void)
{
    another = fake_create("main", "late", true);
    fake_insert(another, 1, 2, 3);
}

/* The snapshot is waited for while the others go on; what happens while the source has fixed it and the mirror does not
 * know is behind it. */
static void wait_for_snapshot(void)
{
    if (step == 0) {
        fake.waits = true;
        create_fresh();
        step = 1;
    } else if (step == 1 && fake.asks) {
        create_late();
        some_changes();
        committed = fake.count;
        step = 2;
    } else if (step == 2 && is_recorded()) {
        assert_false(fake.reading);
        assert_true(fake.confirmed <= snapshot);
        fake.fix = true;
        step = 3;
    } else if (step == 3 && fake.fixed) {
        starts = fake.starts;
        if (meanwhile) meanwhile();
        some_changes();
        committed = fake.count;
        step = 4;
    } else if (step == 4 && is_recorded()) {
        fake.waits = fake.fix = false;
        step = 5;
    } else if (step == 5 && fake_is_done()) {
        tain_worker_stop();
        step = 6;
    }
}

static void await_and_check(void)
{
    fake.on_head = wait_for_snapshot;
    assert_ok(run_mirror((run){.follow = true, .freshness = 5 * TAIN_MILLISECOND}, err));
    fake.on_head = NULL;
    assert_int_equal(step, 6);
    assert_non_null(strstr(said, "somebody is busy"));
    check_all();
    check_epochs();
}

static void others_go_on_while_it_waits(void **state)
{
    await_and_check();
    assert_int_equal(fake.starts, starts); /* nothing came behind it */
}

static void what_came_behind_it_comes(void **state)
{
    void (*const each[])(void) = {change_fresh, truncate_fresh, widen_fresh, narrow_fresh, rename_fresh, lose_stream, make_fresh_again};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        if (i) end(state), begin_beside(state);
        meanwhile = each[i];
        await_and_check();
    }
}

static void stop_while_it_waits(void)
{
    if (step < 3) return wait_for_snapshot();
    if (step == 3 && fake.fixed) {
        change_fresh();
        tain_worker_stop();
        step = 4;
    }
}

static void stopped_while_it_waits(void **state)
{
    fake.on_head = stop_while_it_waits;
    assert_ok(run_mirror((run){.follow = true}, err));
    assert_int_equal(step, 4);
    fake.on_head = NULL;
    fake.waits = fake.fix = false;
    once();
    check_all();
    check_epochs();
}

/* --- stop and start ------------------------------------------------------------------------------------------------ */

static void stop_when_recorded(void)
{
    if (step < 2) return load_beside();
    if (step == 2 && is_recorded()) {
        atomic_store(&held, false);
        tain_worker_stop();
        step = 5;
    }
}

static void stopped_meanwhile(void **state)
{
    meanwhile = change_fresh;
    fake.on_head = stop_when_recorded;
    assert_ok(run_mirror((run){.follow = true}, err));
    assert_int_equal(step, 5);
    fake.on_head = NULL;
    once();
    check_all();
    check_epochs();
}

/* A table whose name another has now is read again, and changes meanwhile. */
static void reload_renamed(void)
{
    if (step == 0) {
        atomic_store(&held, true);
        fresh = a;
        fake_drop_column(a, 2, true);
        fake_commit();
        fake_rename(a, "between");
        fake_rename(b, "a");
        fake_rename(a, "b");
        fake_commit();
        step = 1;
    } else if (step == 1 && atomic_load(&chunks)) {
        fake_update(a, some_key(2), 6);
        fake_insert(b, 1, 2, 3);
        fake_commit();
        committed = fake.count;
        step = 2;
    } else if (step == 2 && is_recorded()) {
        step = 3;
        atomic_store(&held, false);
    }
}

static void stop_when_loaded(void)
{
    if (step == 3) tain_worker_stop();
}

/* Folders have yet to move: that makes no record by which it would be where the others are. */
static void stopped_when_it_is_loaded(void **state)
{
    fake.on_head = reload_renamed;
    fake.on_loaded = stop_when_loaded;
    assert_ok(run_mirror((run){.follow = true, .freshness = 5 * TAIN_MILLISECOND}, err));
    assert_int_equal(step, 3);
    fake.on_head = fake.on_loaded = NULL;
    once();
    check_all(); /* until the load has ended its epochs have the old names */
}

/* Those with content do not wait for one that is selected later. */
static void at_start_those_with_content_go_on(void **state)
{
    create_fresh();
    atomic_store(&held, true);
    step = 1;
    meanwhile = change_fresh;
    follow_and_check();
}

static void a_source_that_cannot_loads_first(void **state)
{
    fake_ops.beside = false;
    create_fresh();
    change_fresh();
    once();
    check_all();
    check_epochs();
    fake_ops.beside = true;
}

/* --- deaths -------------------------------------------------------------------------------------------------------- */

/* `a` is loaded again. */
static tain_status live(const char *fault, tain_error *e)
{
    fresh = a;
    atomic_store(&held, strstr(fault, "snapshot.c") == NULL && strstr(fault, "snapshot.r") == NULL);
    return run_mirror((run){.follow = true, .resync = {"main.a"}}, e);
}

static void write_script(void)
{
    for (int i = 0; i < 25; i++) some_changes();
}

static void a_death_at_every_point(void **state)
{
    static const tain_fault_point points[] = {
        TAIN_FAULT_SNAPSHOT_BEGUN, TAIN_FAULT_SNAPSHOT_PLANNED, TAIN_FAULT_SNAPSHOT_CHUNK, TAIN_FAULT_SNAPSHOT_RECORDED, TAIN_FAULT_SNAPSHOT_READ,
        TAIN_FAULT_SNAPSHOT_BEFORE_COMMIT, TAIN_FAULT_SNAPSHOT_TABLE_COMMITTED, TAIN_FAULT_SNAPSHOT_REPLAYED, TAIN_FAULT_SNAPSHOT_FORGOTTEN,
        TAIN_FAULT_EPOCH_BEFORE_WRITE, TAIN_FAULT_EPOCH_DATA_WRITTEN, TAIN_FAULT_DELTA_BEFORE_LINK, TAIN_FAULT_DELTA_COMMITTED,
        TAIN_FAULT_EPOCH_TABLE_COMMITTED, TAIN_FAULT_EPOCH_BEFORE_RECORD, TAIN_FAULT_EPOCH_RECORDED, TAIN_FAULT_EPOCH_CONFIRMED,
    };
    die_everywhere(&(deaths){.points = points, .count = sizeof points / sizeof *points, .last = 4, .stride = 1, .rows = 300,
                             .write_script = write_script, .on_chunk = wait_in_chunk, .live = live});
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin_beside, end)
    const struct CMUnitTest tests[] = {
        CASE(others_go_on), CASE(what_came_meanwhile_comes_behind), CASE(truncated_meanwhile), CASE(reshaped_meanwhile),
        CASE(tracked_and_reshaped_meanwhile), CASE(deeply_changed_meanwhile), CASE(renamed_meanwhile), CASE(its_name_is_taken_meanwhile),
        CASE(dropped_meanwhile), CASE(made_again_meanwhile), CASE(given_up_meanwhile), CASE(stream_lost_meanwhile), CASE(reader_lost_meanwhile),
        CASE(the_next_one_waits), CASE(others_go_on_while_it_waits), CASE(what_came_behind_it_comes), CASE(stopped_while_it_waits), CASE(stopped_meanwhile), CASE(stopped_when_it_is_loaded),
        CASE(at_start_those_with_content_go_on), CASE(a_source_that_cannot_loads_first),
        cmocka_unit_test_setup_teardown(a_death_at_every_point, begin, end),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
