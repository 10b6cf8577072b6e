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
static enum { DEFAULT, COMPAT, TO_COMPAT /* once there are vectors */, OLD /* its log is older than it is kept */ } profile;
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

static _Noreturn void mirror(bool follow)
{
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

/* Something done to the folder of each table. */
typedef tain_status visit(tain_store *folder, int t, tain_error *err);

static tain_status each_table(visit *v, tain_error *err)
{
    tain_store *s;
    TAIN_TRY(tain_store_open(lake, false, &s, err));
    tain_status st = TAIN_OK;
    for (int t = 0; t < fake.table_count && st == TAIN_OK; t++) {
        fake_content last = fake_content_at(t, *happened);
        char *path = tain_lake_table_folder(fake.tables[t].schema, last.name);
        tain_store *folder = tain_store_sub(s, path);
        st = v(folder, t, err);
        tain_store_close(folder);
        free(path);
        free(last.rows);
    }
    tain_store_close(s);
    return st;
}

static pid_t begin_process(const char *fault)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0 && fault) setenv("TAIN_FAULT", fault, 1);
    return pid;
}

/* Whether it was killed. */
static bool is_killed(pid_t pid, const char *fault)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    if (WEXITSTATUS(status) != 0) fail_msg("the process failed (%s)", fault ? fault : "no fault");
    return false;
}

static bool run(const char *fault, bool follow)
{
    pid_t pid = begin_process(fault);
    if (pid == 0) mirror(follow);
    return is_killed(pid, fault);
}

/* Beside a mirror that does not run. */
static bool run_beside(const char *fault, visit *v)
{
    pid_t pid = begin_process(fault);
    if (pid) return is_killed(pid, fault);
    tain_error e = {0};
    tain_status st = each_table(v, &e);
    if (st != TAIN_OK) fprintf(stderr, "%s: %s\n", tain_status_name(st), e.message);
    _exit(st != TAIN_OK);
}

static tain_status check_feed(tain_store *folder, int t, tain_error *err)
{
    int64_t from = 0;
    feed_check(folder, &from, fake.tables[t].shapes[0].keyed);
    return TAIN_OK;
}

static void check(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    fake.visible = *happened;
    for (int t = 0; t < fake.table_count; t++) fake_check_version(s, t, -1, *happened);
    if (!fake.lowers) assert_ok(each_table(check_feed, err)); /* there the log is forgotten */
    assert_int_equal(fake_last_position(s), *happened);
    fake_check_epochs(s);
    fake.visible = 0;
    tain_store_close(s);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

/* Points that this script must come by: a name that is never reached would prove nothing. */
static bool must_kill(tain_fault_point p)
{
    if (profile == TO_COMPAT) return p == TAIN_FAULT_LOWER_FORGOTTEN || p == TAIN_FAULT_LOWER_COMMITTED || p == TAIN_FAULT_DELTA_LOG_REMOVED;
    if (profile == OLD) return true;
    if (p == (profile == COMPAT ? TAIN_FAULT_DELTA_DV_WRITTEN : TAIN_FAULT_COPYONWRITE_WRITTEN)) return false;
    if (p == TAIN_FAULT_COPYONWRITE_WRITTEN) return true;
    return p <= TAIN_FAULT_DELTA_COMMITTED || p == TAIN_FAULT_MERGE_WRITTEN || p == TAIN_FAULT_MOVE_RENAMED || p == TAIN_FAULT_REFOOT_WRITTEN || p == TAIN_FAULT_MERGE_COMMITTED;
}

/* A checkpoint, and others soon. */
static tain_status shorten(tain_store *folder, int t, tain_error *err)
{
    TAIN_AUTO(tain_delta_close) tain_delta *d = NULL;
    TAIN_TRY(tain_delta_open(folder, &d, err));
    json_t *often = json_pack("{s:s}", "delta.checkpointInterval", "2");
    tain_status st = tain_delta_commit_write(d, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = often}, err);
    json_decref(often);
    return st == TAIN_OK ? tain_delta_checkpoint(d, err) : st;
}

/* But for change data, which goes by its age alone. */
static void grow_old(void)
{
    char *command = tain_format("find '%s/Tables' -type f -not -path '*/_change_data/*' -exec touch -d '10 days ago' {} +", lake);
    assert_int_equal(system(command), 0);
    free(command);
}

static void make_old(void)
{
    run(NULL, false);
    *happened = TRANSACTIONS / 3;
    run(NULL, false);
    run_beside(NULL, shorten);
    grow_old();
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
    if (profile == OLD) make_old();
    compat = fake.compat = profile == COMPAT || profile == TO_COMPAT;
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

static void points_of_an_old_log(void **state)
{
    profile = OLD;
    fake.lowers = true;
    write_script();
    for (int pass = 1; pass < 20; pass += 6 + pick(8)) kill_at(TAIN_FAULT_DELTA_LOG_REMOVED, pass);
}

static tain_status sweep(tain_store *folder, int t, tain_error *err)
{
    tain_vacuum_result r;
    TAIN_AUTO(tain_delta_close) tain_delta *d = NULL;
    TAIN_TRY(tain_delta_open(folder, &d, err));
    return tain_delta_vacuum(d, 3600 * TAIN_SECOND, false, &r, err);
}

static void vacuum_of_what_others_left(void **state)
{
    int killed = 0;
    write_script();
    lake = lake_make();
    for (int n = 0; n < 5; n++) assert_true(run("epoch.data_written:4", true)); /* some have written files */
    assert_true(run("merge.written", true));
    run(NULL, false);
    grow_old();
    while (run_beside("delta.garbage_removed:1", sweep)) {
        if (killed++ % 4 == 0) check();
    }
    assert_true(killed > 1);
    run(NULL, true);
    check();
    lake_remove(lake);
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
        CASE(points_of_an_old_log),
        CASE(vacuum_of_what_others_left),
        CASE(every_point_later),
        CASE(again_and_again),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
