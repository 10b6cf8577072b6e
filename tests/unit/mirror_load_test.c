/* SPDX-License-Identifier: MIT */
/* Loads that are interrupted: by the death of the process at every point of a load and of the replay behind it, by a
 * source that goes away, with and without changes meanwhile. What was finished is not read again, and in the end, and at
 * every epoch, the lake shows what the source had. Each run is a process of its own. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "mirror_fake.h"
#include "seed.h"

enum { ROWS = 1000, CHUNK = 100, CHUNKS = ROWS / CHUNK, AHEAD = 2 * CHUNK /* read while the chunk before is written */, MOST_CHANGES = 60 };

typedef struct shared { /* with the processes */
    size_t happened, chunks_read, rows_read, confirmed;
    int    goes_on, begins_again, loads;
} shared;

static shared  *seen;
static char    *lake;
static int      big, other, next_key;
static const char **resync;

static int begin(void **state)
{
    seed_begin();
    fake_reset();
    tain_source_register(&fake_ops);
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    fake.chunk_rows = CHUNK;
    fake.rows_read = &seen->rows_read;
    fake.chunks_read = &seen->chunks_read;
    lake = lake_make();
    return 0;
}

static int end(void **state)
{
    munmap(seen, sizeof *seen);
    lake_remove(lake);
    fake_reset();
    return 0;
}

/* --- the script ---------------------------------------------------------------------------------------------------- */

/* A table of several chunks, and one that is read in one go. */
static void write_beginning(void)
{
    big = fake_create("main", "big", true);
    other = fake_create("main", "other", false);
    for (next_key = 0; next_key < ROWS; next_key++) fake_insert(big, next_key, next_key % 7, next_key);
    for (int i = 0; i < 20; i++) fake_insert(other, i / 2, i % 7, i);
    seen->happened = fake_commit();
}

static int64_t some_key(void)
{
    return fake.now[big].rows[(size_t)pick((int)fake.now[big].count)].v[0];
}

/* keep: slots that an update does not send, where it may. */
static void change_row(unsigned keep)
{
    int what = fake.now[big].count < 5 ? 0 : pick(8);
    if (what < 2) {
        fake_insert(big, next_key, pick(9), next_key);
        next_key++;
    } else if (what == 2) {
        fake_delete(big, some_key());
    } else if (what == 3) {
        fake_rekey(big, some_key(), next_key++, pick(4) ? 0 : keep);
    } else if (what == 4) {
        int64_t k = some_key();
        fake_delete(big, k);
        if (pick(2)) fake_insert(big, k, pick(9), pick(1000));
    } else {
        fake_set(big, some_key(), 1, pick(1000), pick(2) ? keep : 0);
    }
}

/* Transactions that have not happened yet. */
static void write_changes(int n, unsigned keep, bool truncate)
{
    for (int i = 0; i < n; i++) {
        for (int k = pick(8) + 1; k; k--) change_row(keep);
        if (truncate && i == n / 2) fake_do(FAKE_TRUNCATE, big);
        if (pick(3) == 0) fake_insert(other, pick(10), pick(7), pick(100));
        fake_commit();
    }
}

/* --- processes ----------------------------------------------------------------------------------------------------- */

static void hear(const char *line)
{
    if (strstr(line, "its load goes on")) seen->goes_on++;
    if (strstr(line, "from the beginning") || strstr(line, "loaded again") || strstr(line, "begins again")) seen->begins_again++;
    if (getenv("SAY")) fprintf(stderr, "  %s\n", line);
}

static void note_confirmed(size_t position)
{
    seen->confirmed = position;
}

static _Noreturn void mirror(const char *fault, int jobs)
{
    if (fault) setenv("TAIN_FAULT", fault, 1);
    fake.visible = seen->happened;
    fake.prepared = fake.prepared || seen->loads++;
    if (!fake.forgotten) fake.forgotten = 1;
    fake.on_confirm = note_confirmed;
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = jobs, .memory = 64 << 20};
    tain_worker_options o = {.once = true, .say = hear, .resync = resync};
    tain_error e = {0};
    tain_status st = tain_worker_run(&d, &o, &e);
    if (st != TAIN_OK) fprintf(stderr, "%s: %s\n", tain_status_name(st), e.message);
    _exit(st != TAIN_OK || tain_worker_failed_tables() ? 1 : 0);
}

/* Whether it was killed. */
static bool run_with(const char *fault, int jobs)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) mirror(fault, jobs);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    if (WEXITSTATUS(status) != 0) fail_msg("the mirror failed (%s)", fault ? fault : "no fault");
    return false;
}

static bool run(const char *fault)
{
    return run_with(fault, 1);
}

static bool kill_at(tain_fault_point p, int pass)
{
    char *fault = tain_format("%s:%d", tain_fault_name(p), pass);
    bool killed = run_with(fault, pick(2) + 1);
    free(fault);
    return killed;
}

/* --- what is in the lake -------------------------------------------------------------------------------------------- */

static bool count_object(void *ctx, const tain_object *o)
{
    ++*(size_t *)ctx;
    return true;
}

static size_t count(tain_store *s, const char *prefix)
{
    size_t n = 0;
    assert_ok(tain_store_list(s, prefix, NULL, count_object, &n, err));
    return n;
}

static bool append_object(void *ctx, const tain_object *o)
{
    tain_map_put(ctx, o->key, ctx);
    return true;
}

static char *all_text(tain_store *s, const char *prefix)
{
    tain_map keys = {0};
    tain_buffer text = {0};
    const char *key;
    void *unused;
    assert_ok(tain_store_list(s, prefix, NULL, append_object, &keys, err));
    TAIN_MAP_EACH (&keys, i, key, unused) assert_ok(tain_store_get(s, key, 0, -1, &text, err));
    char *all = tain_strndup((const char *)text.data, text.size);
    tain_buffer_done(&text);
    tain_map_done(&keys);
    return all;
}

/* Data files in the folder that no version ever had. */
static size_t files_of_nobody(void)
{
    tain_store *s;
    tain_map files = {0};
    const char *key;
    void *unused;
    size_t n = 0;
    assert_ok(tain_store_open(lake, false, &s, err));
    char *log = all_text(s, "Tables/main/big/_delta_log/");
    assert_ok(tain_store_list(s, "Tables/main/big/part-", NULL, append_object, &files, err));
    assert_true(files.count > 0);
    TAIN_MAP_EACH (&files, i, key, unused) n += !strstr(log, key + strlen("Tables/main/big/"));
    tain_map_done(&files);
    free(log);
    tain_store_close(s);
    return n;
}

static void check(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    for (int t = 0; t < fake.table_count; t++) fake_check_version(s, t, -1, seen->happened);
    assert_int_equal(fake_last_position(s), seen->happened);
    assert_int_equal(seen->confirmed, seen->happened);
    assert_int_equal(count(s, "_tain/loads/"), 0);
    fake_check_epochs(s);
    tain_store_close(s);
}

static bool is_visible(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    size_t n = count(s, "Tables/main/big/_delta_log/");
    tain_store_close(s);
    return n;
}

/* At least so many rows, and what was on its way when it died. */
static void assert_read(size_t rows, size_t deaths)
{
    assert_in_range(seen->rows_read, rows, rows + deaths * AHEAD);
}

/* --- without changes ------------------------------------------------------------------------------------------------ */

static void finished_chunks_are_not_read_again(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    assert_read(6 * CHUNK, 1);
    assert_false(is_visible());
    assert_false(run(NULL));
    assert_read(ROWS + 20, 1);
    assert_int_equal(seen->goes_on, 1);
    assert_int_equal(seen->begins_again, 0);
    check();
    assert_int_equal(files_of_nobody(), 0);
}

static void a_chunk_without_record_is_read_again(void **state)
{
    write_beginning();
    assert_true(run("snapshot.chunk:6"));
    assert_false(run(NULL));
    assert_read(ROWS + CHUNK + 20, 1);
    check();
}

static void one_death_after_the_other(void **state)
{
    write_beginning();
    for (int i = 1; i <= CHUNKS; i++) assert_true(run("snapshot.recorded"));
    assert_true(run("snapshot.read"));
    assert_true(run("snapshot.before_commit"));
    assert_false(run(NULL));
    assert_read(ROWS + 20, CHUNKS);
    check();
}

/* A file that somebody took away is read again. */
static void a_missing_file_is_read_again(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    char *command = tain_format("rm $(ls %s/Tables/main/big/part-* | head -1)", lake);
    assert_int_equal(system(command), 0);
    free(command);
    assert_false(run(NULL));
    assert_read(ROWS + CHUNK + 20, 1);
    check();
}

/* --- with changes --------------------------------------------------------------------------------------------------- */

/* Kills the first run there, lets things happen, kills the second run there, lets things happen, and looks. */
static void twice(tain_fault_point first, int pass, tain_fault_point second, int again, unsigned keep, bool truncate)
{
    fake_reset();
    *seen = (shared){0};
    fake.chunk_rows = CHUNK;
    fake.rows_read = &seen->rows_read;
    fake.chunks_read = &seen->chunks_read;
    lake_remove(lake);
    lake = lake_make();
    write_beginning();
    write_changes(MOST_CHANGES, keep, truncate);
    print_message("%s:%d %s:%d seed %u%s\n", tain_fault_name(first), pass, tain_fault_name(second), again, seed, truncate ? " truncate" : "");
    bool killed = kill_at(first, pass);
    seen->happened += (size_t)pick(MOST_CHANGES - 20) + 5;
    bool waits = kill_at(second, again) && killed && !is_visible() && !seen->begins_again;
    if (waits) assert_in_range(seen->confirmed, 0, 1); /* where its first snapshot was */
    seen->happened += (size_t)pick(10);
    assert_false(run_with(NULL, 2));
    check();
}

static const tain_fault_point firsts[] = {
    TAIN_FAULT_SNAPSHOT_BEGUN, TAIN_FAULT_SNAPSHOT_PLANNED, TAIN_FAULT_SNAPSHOT_CHUNK, TAIN_FAULT_SNAPSHOT_RECORDED,
    TAIN_FAULT_SNAPSHOT_BEFORE_COMMIT, TAIN_FAULT_SNAPSHOT_TABLE_COMMITTED, TAIN_FAULT_SNAPSHOT_REPLAYED, TAIN_FAULT_SNAPSHOT_FORGOTTEN,
};
static const tain_fault_point seconds[] = {
    TAIN_FAULT_SNAPSHOT_CHUNK, TAIN_FAULT_SNAPSHOT_RECORDED, TAIN_FAULT_SNAPSHOT_READ, TAIN_FAULT_SNAPSHOT_STAGED,
    TAIN_FAULT_EPOCH_BEFORE_WRITE, TAIN_FAULT_EPOCH_DATA_WRITTEN, TAIN_FAULT_DELTA_DV_WRITTEN, TAIN_FAULT_DELTA_BEFORE_LINK,
    TAIN_FAULT_DELTA_COMMITTED, TAIN_FAULT_EPOCH_TABLE_COMMITTED, TAIN_FAULT_SNAPSHOT_REPLAYED, TAIN_FAULT_SNAPSHOT_FORGOTTEN,
    TAIN_FAULT_EPOCH_BEFORE_RECORD, TAIN_FAULT_EPOCH_RECORDED, TAIN_FAULT_EPOCH_CONFIRMED,
};
enum { FIRSTS = sizeof firsts / sizeof *firsts, SECONDS = sizeof seconds / sizeof *seconds };

static void changes_meanwhile(void **state)
{
    for (int i = 0; i < FIRSTS; i++) twice(firsts[i], 1, seconds[pick(SECONDS)], 1, 0, false);
    for (int i = 0; i < SECONDS; i++) twice(TAIN_FAULT_SNAPSHOT_RECORDED, 1 + pick(CHUNKS), seconds[i], 1 + pick(2), 0, false);
}

static void truncation_meanwhile(void **state)
{
    for (int i = 0; i < 6; i++) twice(TAIN_FAULT_SNAPSHOT_RECORDED, 1 + pick(CHUNKS), seconds[pick(SECONDS)], 1, 0, true);
}

static void values_that_are_not_sent(void **state)
{
    for (int i = 0; i < 20; i++) twice(TAIN_FAULT_SNAPSHOT_RECORDED, 1 + pick(CHUNKS), seconds[pick(SECONDS)], 1, 1u << 2, false);
}

/* Every kind of change of a row that was read, and of one that was not; most of them move it. */
static void each_kind_of_change(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:5"));
    for (int64_t k = 0; k < ROWS; k += 10) {
        fake_update(big, k, 4711);
        fake_delete(big, k + 1);
        fake_rekey(big, k + 2, 10000 + k, 0);
        fake_delete(big, k + 3);
        fake_insert(big, k + 3, 1, 2);
        fake_rekey(big, k + 4, 20000 + k, 0);
        fake_insert(big, k + 4, 3, 4);
        fake_update(big, k + 4, 5);
        if (k % 50 == 0) seen->happened = fake_commit();
    }
    seen->happened = fake_commit();
    assert_false(run(NULL));
    assert_int_equal(seen->begins_again, 0);
    assert_true(seen->rows_read < ROWS + ROWS / 4 + 20 + AHEAD);
    check();
}

/* A row that was read at first keeps its value through updates that do not send it. */
static void unsent_values_of_read_rows(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:5"));
    for (int64_t k = 0; k < 5 * CHUNK; k += 3) fake_set(big, k, 1, 77, 1u << 2);
    for (int64_t k = 1; k < 5 * CHUNK; k += 30) fake_rekey(big, k, 5000 + k, 1u << 2);
    seen->happened = fake_commit();
    for (int64_t k = 0; k < 5 * CHUNK; k += 6) fake_set(big, k, 1, 78, 1u << 2);
    seen->happened = fake_commit();
    assert_false(run(NULL));
    assert_int_equal(seen->begins_again, 0);
    check();
}

/* A key that was given on, and taken again, before its chunk was read: the new row's value is not the old one's. */
static void a_key_taken_again(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:5"));
    int64_t k = 7 * CHUNK + 5;
    fake_set(big, k, 1, 1, 1u << 2);
    fake_rekey(big, k, 7000, 1u << 2);
    fake_insert(big, k, 5, 12345);
    seen->happened = fake_commit();
    assert_false(run(NULL));
    check();
}

/* --- what ends it --------------------------------------------------------------------------------------------------- */

static void begins_again(void)
{
    assert_false(run(NULL));
    assert_int_equal(seen->begins_again, 1);
    assert_true(seen->rows_read >= 6 * CHUNK + ROWS);
    check();
    assert_int_equal(files_of_nobody(), 0);
}

static void other_columns(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    fake_add_column(big, "w", TAIN_INT64, 3);
    seen->happened = fake_commit();
    begins_again();
}

static void rows_in_other_places(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    fake.rewrites++;
    begins_again();
}

static void a_source_that_forgot(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    fake_update(big, 5, 1);
    seen->happened = fake_commit();
    fake_update(big, 6, 1);
    seen->happened = fake_commit();
    fake.forgotten = 3;
    begins_again();
}

static bool rewrite_once(int table)
{
    if (table == big && seen->chunks_read == 4) fake.rewrites = 1;
    return false;
}

static void rows_that_move_while_they_are_read(void **state)
{
    write_beginning();
    fake.on_chunk = rewrite_once;
    assert_false(run(NULL));
    assert_int_equal(seen->begins_again, 1);
    assert_int_equal(seen->rows_read, 2 * ROWS + 20);
    check();
}

/* --- a source that goes away ---------------------------------------------------------------------------------------- */

static bool lose_some(int table)
{
    static int lost;
    if (table != big || seen->chunks_read != (size_t)(3 * (lost + 1)) || lost == 2) return false;
    lost++;
    seen->happened += 3;
    fake.visible = seen->happened;
    return true;
}

static void the_server_restarts(void **state)
{
    write_beginning();
    write_changes(6, 0, false);
    fake.on_chunk = lose_some;
    assert_false(run(NULL));
    assert_int_equal(seen->goes_on, 2);
    assert_int_equal(seen->begins_again, 0);
    assert_true(seen->rows_read < ROWS + ROWS / 4 + 2 * AHEAD);
    check();
}

/* The stream breaks while it is replayed: what was loaded is taken up again. */
static void the_stream_breaks_in_the_replay(void **state)
{
    write_beginning();
    assert_true(run("snapshot.recorded:6"));
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) change_row(0);
        if (i == 3) fake_do(FAKE_LOST, big);
        seen->happened = fake_commit();
    }
    assert_false(run(NULL));
    assert_int_equal(seen->begins_again, 0);
    assert_true(seen->rows_read < ROWS + CHUNK + 50 + AHEAD);
    check();
}

/* --- a reload of a table that has content ---------------------------------------------------------------------------- */

static void a_reload_goes_on(void **state)
{
    write_beginning();
    assert_false(run(NULL));
    assert_int_equal(seen->rows_read, ROWS + 20);
    resync = (const char *[]){"main.big", NULL};
    assert_true(run("snapshot.recorded:6"));
    resync = NULL;
    for (int i = 0; i < 10; i++) change_row(0);
    seen->happened = fake_commit();
    assert_false(run(NULL));
    assert_int_equal(seen->goes_on, 1);
    assert_true(seen->rows_read < 2 * ROWS + 40 + AHEAD);
    check();
}

/* --- a load has its pace -------------------------------------------------------------------------------------------- */

static void a_load_has_its_pace(void **state)
{
    write_beginning();
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = 2, .memory = 64 << 20, .rate_rows = ROWS};
    tain_worker_options o = {.once = true};
    tain_time began = tain_monotonic();
    assert_ok(tain_worker_run(&d, &o, err));
    tain_time took = tain_monotonic() - began;
    tain_definition_done(&d);
    assert_true(took > 800 * TAIN_MILLISECOND);
    assert_true(took < 5 * TAIN_SECOND);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(finished_chunks_are_not_read_again), CASE(a_chunk_without_record_is_read_again), CASE(one_death_after_the_other),
        CASE(a_missing_file_is_read_again), CASE(each_kind_of_change), CASE(unsent_values_of_read_rows), CASE(a_key_taken_again),
        CASE(changes_meanwhile), CASE(truncation_meanwhile), CASE(values_that_are_not_sent), CASE(other_columns),
        CASE(rows_in_other_places), CASE(a_source_that_forgot), CASE(rows_that_move_while_they_are_read), CASE(the_server_restarts),
        CASE(the_stream_breaks_in_the_replay), CASE(a_reload_goes_on), CASE(a_load_has_its_pace),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
