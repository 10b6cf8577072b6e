/* SPDX-License-Identifier: MIT */
/* The worker is killed at every named point, and again while it recovers: afterwards the lake shows what the source had,
 * at its end and at every epoch. Each run is a process of its own. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "mirror_fake.h"
#include "mirror_feed.h"
#include "seed.h"

enum { TRANSACTIONS = 30, LOOPS = 14 };

static char    *lake;
static int      a, b, c, next_key;
static enum { DEFAULT, COMPAT, TO_COMPAT /* once there are vectors */ } profile;
static bool     compat;
static size_t  *happened; /* shared with the processes: a source does not go back when its reader dies */

static int64_t some_key(int t)
{
    return fake.now[t].rows[(size_t)pick((int)fake.now[t].count)].v[0];
}

static void change_something(int t)
{
    int what = fake.now[t].count < 5 ? 0 : pick(6);
    if (what < 2) {
        fake_insert(t, next_key, pick(9), next_key);
        next_key++;
    } else if (what == 2) {
        fake_delete(t, some_key(t));
    } else if (what == 3 && t != c) {
        fake_rekey(t, some_key(t), next_key++, 1u << 2);
    } else {
        fake_set(t, some_key(t), 1, pick(1000), t == c ? 0 : 1u << 2);
    }
}

/* One of a, b, c gets another shape: a column renamed, dropped, added. */
static void change_shape(int n)
{
    static const char *const names[] = {"odd name", "w", "x", "y"};
    static const char *const fill_names[] = {"f0", "f1", "f2", "f3"};
    int t = n % 3;
    const fake_shape *s = &fake.tables[t].shapes[fake.now[t].shape];
    if (n % 3 == 1) fake_fill_column(t, fill_names[n / 3], TAIN_INT64, 5 + n / 3, 70 + n);
    else if (n == 2) fake_retype_column(t, 1, TAIN_INT64);
    else if (n % 4 == 3 && s->count > 3) fake_drop_column(t, 2, false);
    else if (n % 4 == 2) fake_add_column(t, names[n / 4], TAIN_INT64, 3 + n / 4);
    else fake_rename_column(t, 1, n % 2 ? "renamed" : "again");
}

static void write_script(void)
{
    fake.tracks = true;
    a = fake_create("main", "a", true);
    b = fake_create("main", "b", true);
    c = fake_create("main", "c", false);
    for (next_key = 0; next_key < 250; next_key++) fake_insert(next_key % 3, next_key / 3, next_key % 7, next_key);
    *happened = fake_commit();
    for (int i = 0; i < TRANSACTIONS; i++) {
        for (int n = pick(4) + 1; n; n--) change_something(pick(5) ? a : pick(2) ? b : c);
        if (pick(20) == 0) fake_do(FAKE_TRUNCATE, b);
        if (i % 3 == 2) change_shape(i / 3);
        if (i == 7) fake_rename(b, "d");
        if (i == 16) {
            fake_rename(a, "x");
            fake_rename(c, "a");
            fake_rename(a, "c");
        }
        fake_commit();
    }
}

static int begin(void **state)
{
    seed_begin();
    fake_reset();
    profile = DEFAULT;
    compat = false;
    tain_source_register(&fake_ops);
    happened = mmap(NULL, sizeof *happened, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(happened, MAP_FAILED);
    return 0;
}

static int end(void **state)
{
    munmap(happened, sizeof *happened);
    fake_reset();
    return 0;
}

/* --- processes ----------------------------------------------------------------------------------------------------- */

/* One more transaction once the last is confirmed, so that every one is an epoch. */
static void go_on(void)
{
    if (fake.confirmed < fake_end()) return;
    if (fake_end() == fake.count) tain_worker_stop();
    else fake.visible = ++*happened;
}

static void tell(const char *line)
{
    if (getenv("SAY")) fprintf(stderr, "%s\n", line);
}

static _Noreturn void mirror(const char *fault, bool follow)
{
    if (fault) setenv("TAIN_FAULT", fault, 1);
    fake.visible = *happened;
    fake.prepared = true;
    fake.forgotten = 1;
    if (follow) fake.on_head = go_on;
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = 2, .memory = 64 << 20};
    d.compat = (tain_switch){.on = compat, .given = true};
    d.cdf = (tain_switch){.on = profile != TO_COMPAT, .given = true};
    tain_worker_options o = {.once = !follow, .say = tell};
    tain_error e = {0};
    tain_status st = tain_worker_run(&d, &o, &e);
    if (st != TAIN_OK) fprintf(stderr, "%s: %s\n", tain_status_name(st), e.message);
    _exit(st != TAIN_OK || tain_worker_failed_tables() ? 1 : 0);
}

/* Whether it was killed. */
static bool run(const char *fault, bool follow)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) mirror(fault, follow);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    if (WEXITSTATUS(status) != 0) fail_msg("the mirror failed (%s)", fault ? fault : "no fault");
    return false;
}

static void check_feed(tain_store *s, int t)
{
    int64_t from = 0;
    fake_content last = fake_content_at(t, *happened);
    char *path = tain_lake_table_folder(fake.tables[t].schema, last.name);
    tain_store *folder = tain_store_sub(s, path);
    feed_check(folder, &from, fake.tables[t].shapes[0].keyed);
    tain_store_close(folder);
    free(path);
    free(last.rows);
}

static void check(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    fake.visible = *happened;
    for (int t = 0; t < fake.table_count; t++) fake_check_version(s, t, -1, *happened);
    for (int t = 0; profile != TO_COMPAT && t < fake.table_count; t++) check_feed(s, t); /* there the log is forgotten */
    assert_int_equal(fake_last_position(s), *happened);
    fake_check_epochs(s);
    fake.visible = 0;
    tain_store_close(s);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

/* Points that this script must come by: a name that is never reached would prove nothing. */
static bool must_kill(tain_fault_point p)
{
    if (profile == TO_COMPAT) return p == TAIN_FAULT_LOWER_FORGOTTEN || p == TAIN_FAULT_LOWER_COMMITTED;
    if (p == (profile == COMPAT ? TAIN_FAULT_DELTA_DV_WRITTEN : TAIN_FAULT_COPYONWRITE_WRITTEN)) return false;
    if (p == TAIN_FAULT_COPYONWRITE_WRITTEN) return true;
    return p <= TAIN_FAULT_DELTA_COMMITTED || p == TAIN_FAULT_MERGE_WRITTEN || p == TAIN_FAULT_MOVE_RENAMED || p == TAIN_FAULT_REFOOT_WRITTEN || p == TAIN_FAULT_MERGE_COMMITTED;
}

static void make_vectors(void)
{
    compat = false;
    run(NULL, false);
    *happened = TRANSACTIONS / 2;
    run(NULL, false);
}

static void kill_at(tain_fault_point p, int pass)
{
    char *fault = tain_format("%s:%d", tain_fault_name(p), pass);
    lake = lake_make();
    *happened = 1;
    if (profile == TO_COMPAT) make_vectors();
    compat = fake.compat = profile != DEFAULT;
    bool killed = run(fault, profile != TO_COMPAT);
    if (!killed && pass == 1 && must_kill(p)) fail_msg("%s was never passed", fault);
    run(NULL, pick(2) && profile != TO_COMPAT);
    check();
    lake_remove(lake);
    free(fault);
}

static void kill_at_each(tain_fault_point first, tain_fault_point last)
{
    write_script();
    for (int p = first; p <= (int)last; p++) kill_at((tain_fault_point)p, 1);
}

static void every_point(void **state)
{
    kill_at_each(0, TAIN_FAULT_COUNT - 1);
}

static void points_of_an_epoch_with_compat(void **state)
{
    profile = COMPAT;
    kill_at_each(TAIN_FAULT_EPOCH_BEFORE_WRITE, TAIN_FAULT_INDEX_MERGED);
}

static void points_on_the_way_to_compat(void **state)
{
    profile = TO_COMPAT;
    fake.lowers = true;
    kill_at_each(TAIN_FAULT_DELTA_BEFORE_LINK, TAIN_FAULT_LOWER_COMMITTED);
}

static void every_point_later(void **state)
{
    write_script();
    for (int p = TAIN_FAULT_SNAPSHOT_CHUNK; p < TAIN_FAULT_COUNT; p++) kill_at((tain_fault_point)p, 2 + pick(20));
}

/* One lake, one death after the other. */
static void again_and_again(void **state)
{
    write_script();
    lake = lake_make();
    int killed = 0;
    for (int i = 0; i < LOOPS; i++) {
        /* The first is surely passed; later ones may find nothing left to do. */
        tain_fault_point point = i ? (tain_fault_point)pick(TAIN_FAULT_COUNT) : TAIN_FAULT_SNAPSHOT_CHUNK;
        char *fault = tain_format("%s:%d", tain_fault_name(point), i ? pick(8) + 1 : 1);
        killed += run(fault, true);
        free(fault);
    }
    assert_true(killed > 0);
    run(NULL, false);
    check();
    lake_remove(lake);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(every_point),
        CASE(points_of_an_epoch_with_compat),
        CASE(points_on_the_way_to_compat),
        CASE(every_point_later),
        CASE(again_and_again),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
