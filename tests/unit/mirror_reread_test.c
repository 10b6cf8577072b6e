/* SPDX-License-Identifier: MIT */
/* Rows of a table that no event told are read again, and no others, while it and the others change: at every epoch the lake shows
 * what the source had. What else becomes of the table meanwhile loads all of it. */
#include "mirror_held.h"

enum { ROWS = 300, FROM = 100, TO = 130 };

static size_t asked, rows_read;
static void (*before)(void), (*later)(void);

static bool wait_in_chunk(int t) { return hold_chunk(); }

static bool has(int64_t k)
{
    for (size_t i = 0; i < fake.now[a].count; i++)
        if (fake.now[a].rows[i].v[0] == k) return true;
    return false;
}

/* One transaction that touches both tables. */
static void others_change(void)
{
    fake_insert(a, next_key, 1, next_key);
    fake_insert(b, next_key % 10, 5, FAKE_NULL);
    fake_set(a, next_key - 7, 1, next_key, 1u << 2);
    if (next_key++ % 3 == 0) fake_delete(b, fake.now[b].rows[0].v[0]);
    fake_commit();
}

static bool is_read(int64_t k) { return k >= FROM && k < TO; }

/* A row that comes, or changes and goes, or goes elsewhere; some values are not sent, but of one that changes its partition. */
static void touch(int64_t k, int64_t elsewhere)
{
    if (!has(k)) return fake_insert(a, k, k % 5, k);
    fake_set(a, k, 1, 50 + k, 1u << 2);
    if (elsewhere < 0) fake_delete(a, k);
    else if (!has(elsewhere)) fake_rekey(a, k, elsewhere, is_read(k) == is_read(elsewhere) ? 1u << 2 : 0);
}

/* Rows in front of it in the same transaction, and behind it. */
static void ask(void)
{
    asked = fake.count;
    touch(FROM + 3, 5000);
    fake_replace(a, FROM, TO, 7);
    touch(FROM + 4, -1);
    touch(FROM + 5, FROM + 50);
    others_change();
}

/* Of those rows and of others. */
static void change(void)
{
    static int n;
    n++;
    touch(FROM + n % 20, -1);
    touch(FROM + n % 7, FROM + 20 + n % 10);
    touch(10 + n % 50, -1);
    touch(60 + n % 30, 200000 + n % 30);
    others_change();
}

/* Rows are asked for; while they are read all tables change, and the others are seen to have changed; then they are let go. */
static void reread_beside(void)
{
    if (step == 0) {
        atomic_store(&held, true);
        if (before) before();
        ask();
        if (later) later();
        step = 1;
    } else if (step == 1 && atomic_load(&chunks)) {
        starts = fake.starts;
        for (int i = 0; i < 3; i++) others_change();
        if (meanwhile) meanwhile();
        committed = fake.count;
        step = 2;
    } else if (step == 2 && is_recorded()) {
        if (!strstr(said, "loaded again")) assert_true(fake.confirmed <= asked);
        others_change();
        atomic_store(&held, false);
        step = 3;
    } else if (step == 3 && fake_is_done()) {
        tain_worker_stop();
        step = 4;
    }
}

static int begin_reread(void **state)
{
    begin_held(state, ROWS);
    before = later = NULL;
    rows_read = 0;
    fake.rows_read = &rows_read;
    fake.on_chunk = wait_in_chunk;
    return 0;
}

static void follow(void)
{
    fake.on_head = reread_beside;
    assert_ok(run_mirror((run){.follow = true, .freshness = 5 * TAIN_MILLISECOND}, err));
    fake.on_head = NULL;
    assert_int_equal(step, 4);
    check_all();
    check_epochs();
}

static void assert_part(size_t most)
{
    if (rows_read > most) fail_msg("%zu rows were read\n%s", rows_read, said);
    assert_null(strstr(said, "loaded again"));
    assert_non_null(strstr(said, "main.a: rows of it are others; its rows are read again"));
}

static void assert_whole(void)
{
    assert_true(rows_read > ROWS - 50);
    assert_non_null(strstr(said, "loaded again"));
}

static void no_others_are_read(void **state)
{
    follow();
    assert_part(TO - FROM);
    assert_int_equal(fake.starts, starts + 1);
    check_status("main.a", "Replicating", NULL);
}

static void change_much(void)
{
    for (int i = 0; i < 8; i++) change();
}

static void what_comes_meanwhile_comes(void **state)
{
    meanwhile = change_much;
    follow();
    assert_part(TO - FROM);
}

static void what_comes_behind_it_at_once_comes(void **state)
{
    later = change_much;
    follow();
    assert_part(TO - FROM);
}

static void all_at_once(void **state)
{
    before = later = meanwhile = change_much;
    follow();
    assert_part(TO - FROM);
}

static void ask_for_more(void)
{
    change();
    fake_replace(a, 200, 220, 9);
    fake_replace(a, 400, 450, 9);
    next_key = 500;
    for (int i = 0; i < 10; i++) fake_insert(a, next_key++, 1, 2);
    change();
}

static void ask_for_more_at_once(void)
{
    fake_replace(a, 200, 220, 9);
    fake_replace(a, 400, 450, 9);
    touch(205, -1);
    touch(405, 406);
}

static void several_parts(void **state)
{
    before = ask_for_more_at_once;
    meanwhile = change_much;
    follow();
    assert_part(TO - FROM + 70);
}

static void asked_for_more_meanwhile(void **state)
{
    meanwhile = ask_for_more;
    follow();
    assert_whole();
}

/* --- what loads all of it ------------------------------------------------------------------------------------------ */

static void truncate_it(void)
{
    change();
    fake_do(FAKE_TRUNCATE, a);
    for (int k = FROM; k < TO; k++) fake_insert(a, k, 2, 3);
    for (int k = 0; k < ROWS; k++) fake_insert(a, 1000 + k, 2, 3);
    next_key = 2000;
    for (int i = 0; i < 10; i++) fake_insert(a, next_key++, 1, 2);
    fake_commit();
}

static void clear_some(void)
{
    change();
    fake_clear(a, 150, 160);
    change();
}

static void add_column(void)
{
    change();
    fake_add_column(a, "more", TAIN_INT64, 3);
    change();
}

static void rename_it(void)
{
    fake_rename(a, "elsewhere");
    change();
}

static void narrow(void)
{
    change();
    fake_drop_column(a, 1, true);
    fake_insert(a, 700, FAKE_NULL, 5);
    fake_commit();
}

/* A value that is not sent of a row which is elsewhere now. */
static void move_unchanged(void)
{
    for (int k = FROM; k < TO; k++)
        if (has(k) && !has(k + 600000)) fake_rekey(a, k, k + 600000, 1u << 2);
    change();
}

static void it_is_another(void **state)
{
    void (*const each[])(void) = {truncate_it, clear_some, add_column, narrow, rename_it, move_unchanged};
    void (**const when[])(void) = {&before, &later, &meanwhile};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        for (size_t w = 0; w < sizeof when / sizeof *when; w++) {
            end(state), begin_reread(state);
            print_message("%zu %zu\n", i, w);
            *when[w] = each[i];
            follow();
        }
    }
}

static void reshaped_meanwhile(void **state)
{
    meanwhile = add_column;
    follow();
    assert_whole();
}

static void drop(void)
{
    change();
    fake_do(FAKE_DROP, a);
    fake_commit();
    step = 2;
    atomic_store(&held, false);
}

static void stop_when_dropped(void)
{
    if (step < 2) return reread_beside();
    if (fake.confirmed >= fake.count && !fake.reading) tain_worker_stop();
}

static void dropped_meanwhile(void **state)
{
    meanwhile = drop;
    fake.on_head = stop_when_dropped;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_status("main.a", "Stopped", "dropped");
}

/* --- trouble ------------------------------------------------------------------------------------------------------- */

static void lose_stream(void)
{
    change();
    fake_do(FAKE_LOST, b);
    change();
}

static void stream_lost(void **state)
{
    void (**const when[])(void) = {&before, &later, &meanwhile};
    for (size_t w = 0; w < sizeof when / sizeof *when; w++) {
        if (w) end(state), begin_reread(state);
        *when[w] = lose_stream;
        follow();
    }
}

static void refuse(void)
{
    change_much();
    fake.refusals = 2;
}

/* It is read once more. */
static void stream_lost_before_the_replay(void **state)
{
    meanwhile = refuse;
    follow();
    assert_part(2 * (TO - FROM) + 20);
    assert_non_null(strstr(said, "starting up"));
}

static void lose_reader(void)
{
    change();
    atomic_store(&lose, true);
}

static void reader_lost(void **state)
{
    meanwhile = lose_reader;
    follow();
    assert_part(2 * (TO - FROM));
}

static void stop_in_chunk(void)
{
    if (step < 2) return reread_beside();
    if (step == 2 && is_recorded()) {
        atomic_store(&held, false);
        tain_worker_stop();
        step = 5;
    }
}

static void stopped_meanwhile(void **state)
{
    meanwhile = change;
    fake.on_head = stop_in_chunk;
    assert_ok(run_mirror((run){.follow = true, .freshness = 5 * TAIN_MILLISECOND}, err));
    assert_int_equal(step, 5);
    fake.on_head = NULL;
    once();
    check_all();
    check_epochs();
}

static void ask_keyless(void)
{
    fake_replace(b, 3, 5, 1);
    others_change();
}

static void without_key(void **state)
{
    before = ask_keyless;
    later = meanwhile = change_much;
    follow();
    assert_part(2 * (TO - FROM));
    assert_non_null(strstr(said, "main.b: rows of it are others; its rows are read again"));
}

/* --- deaths -------------------------------------------------------------------------------------------------------- */

static tain_status live(const char *fault, tain_error *e)
{
    atomic_store(&held, true);
    return run_mirror((run){.follow = true, .freshness = 2 * TAIN_MILLISECOND}, e);
}

static void write_script(void)
{
    change();
    ask();
    for (int i = 0; i < 15; i++) change();
}

static void a_death_at_every_point(void **state)
{
    static const tain_fault_point points[] = {
        TAIN_FAULT_SNAPSHOT_BEGUN, TAIN_FAULT_SNAPSHOT_CHUNK, TAIN_FAULT_SNAPSHOT_READ, TAIN_FAULT_SNAPSHOT_STAGED, TAIN_FAULT_SNAPSHOT_REPLAYED,
        TAIN_FAULT_SNAPSHOT_FORGOTTEN, TAIN_FAULT_EPOCH_BEFORE_WRITE, TAIN_FAULT_EPOCH_DATA_WRITTEN, TAIN_FAULT_DELTA_COMMITTED,
        TAIN_FAULT_EPOCH_TABLE_COMMITTED, TAIN_FAULT_EPOCH_BEFORE_RECORD, TAIN_FAULT_EPOCH_RECORDED, TAIN_FAULT_EPOCH_CONFIRMED,
    };
    die_everywhere(&(deaths){.points = points, .count = sizeof points / sizeof *points, .last = 5, .stride = 2, .rows = ROWS,
                             .write_script = write_script, .on_chunk = wait_in_chunk, .live = live});
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin_reread, end)
    const struct CMUnitTest tests[] = {
        CASE(no_others_are_read), CASE(what_comes_meanwhile_comes), CASE(what_comes_behind_it_at_once_comes), CASE(all_at_once), CASE(several_parts),
        CASE(asked_for_more_meanwhile), CASE(it_is_another), CASE(reshaped_meanwhile), CASE(dropped_meanwhile), CASE(stream_lost), CASE(stream_lost_before_the_replay),
        CASE(reader_lost), CASE(stopped_meanwhile), CASE(without_key),
        cmocka_unit_test_setup_teardown(a_death_at_every_point, begin, end),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
