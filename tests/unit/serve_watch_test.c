/* SPDX-License-Identifier: MIT */
/* Whether a worker still turns, what it says, and what is kept of it for those who look later. Time is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "serve/supervisor/child.h"
#include "serve/supervisor/memo.h"
#include "serve/supervisor/samples.h"
#include "serve/supervisor/watch.h"

#define SECOND  TAIN_SECOND
#define SILENCE (30 * SECOND)

static char       folder[40], path[100];
static tain_watch watch;
static tain_time  now;

static int begin(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/tain-watch-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/_tain", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/_tain/status.json", folder);
    tain_watch_init(&watch, folder);
    now = 1000 * SECOND;
    return 0;
}

static int end(void **state)
{
    TAIN_AUTO(tain_free) char *command = tain_format("rm -r %s", folder);
    tain_watch_done(&watch);
    return system(command);
}

/* As a worker does: another file by that name. */
static void show(const char *text)
{
    TAIN_AUTO(tain_free) char *next = tain_format("%s.new", path);
    FILE *f = fopen(next, "w");
    fputs(text, f);
    fclose(f);
    assert_int_equal(rename(next, path), 0);
}

static void show_beats(int pid, int stream, int writer)
{
    TAIN_AUTO(tain_free) char *text =
        tain_format("{\"process\":{\"pid\":%d,\"beats\":{\"stream\":\"at %d\",\"writer\":\"at %d\",\"idle\":null}}}", pid, stream, writer);
    show(text);
}

/* Looks once a second, and what is wrong is said then. */
static const char *pass(int seconds, bool (*each)(int second))
{
    const char *what = NULL;
    tain_time   since;
    for (int i = 0; i < seconds && !what; i++) {
        now += SECOND;
        if (each) each(i);
        (void)tain_watch_look(&watch, now);
        what = tain_watch_stall(&watch, now, SILENCE, &since);
    }
    return what;
}

/* --- stalls -------------------------------------------------------------------------------------------------------- */

static void who_shows_nothing_is_stalled(void **state)
{
    tain_time since;
    tain_watch_begin(&watch, 7, true, now);
    assert_null(pass(100, NULL)); /* before it began to show itself nobody can tell */
    show_beats(7, 1, 1);
    assert_null(pass(31, NULL));
    assert_string_equal(pass(1, NULL), "status");
    (void)tain_watch_stall(&watch, now, SILENCE, &since);
    assert_true(now - since == 31 * SECOND);
    show_beats(7, 2, 2);
    assert_null(pass(1, NULL));
}

static bool writer_stands(int second)
{
    show_beats(7, second, 1);
    return true;
}

static bool all_turn(int second)
{
    show_beats(7, second, second);
    return true;
}

static void a_loop_that_does_not_turn_is_stalled(void **state)
{
    tain_watch_begin(&watch, 7, true, now);
    assert_null(pass(200, all_turn));
    assert_null(pass(61, writer_stands));
    assert_string_equal(pass(1, writer_stands), "writer");
    assert_null(pass(1, all_turn));
}

/* The machine slept, or we did: the others did as well. */
static void our_own_absence_is_nobodys_fault(void **state)
{
    tain_watch_begin(&watch, 7, true, now);
    assert_null(pass(10, all_turn));
    now += 3600 * SECOND;
    assert_null(pass(30, NULL));
    assert_string_equal(pass(2, NULL), "status");
}

static void another_process_says_nothing_of_ours(void **state)
{
    show_beats(6, 1, 1);
    tain_watch_begin(&watch, 7, true, now);
    assert_null(pass(100, NULL));
    assert_false(watch.is_own);
    assert_non_null(watch.status);
    show_beats(7, 1, 1);
    (void)pass(1, NULL);
    assert_true(watch.is_own);
    tain_watch_begin(&watch, 8, true, now); /* its successor */
    assert_null(pass(100, NULL));
    assert_false(watch.is_own);
}

static void show_position(int pid, const char *position)
{
    TAIN_AUTO(tain_free) char *text = tain_format("{\"process\":{\"pid\":%d},\"position\":%s}", pid, position);
    show(text);
    now += SECOND;
    (void)tain_watch_look(&watch, now);
}

static void who_is_where_it_was_has_not_advanced(void **state)
{
    tain_watch_begin(&watch, 7, true, now);
    show_position(7, "null");
    assert_false(tain_watch_advanced(&watch));
    show_position(7, "\"a\"");
    assert_true(tain_watch_advanced(&watch));
    tain_watch_begin(&watch, 8, true, now);
    assert_false(tain_watch_advanced(&watch));
    show_position(8, "\"a\"");
    assert_false(tain_watch_advanced(&watch));
    show_position(8, "\"b\"");
    assert_true(tain_watch_advanced(&watch));
}

/* Numbers of processes come again. */
static void who_was_there_before_is_known_again(void **state)
{
    show_beats(7, 1, 1);
    tain_watch_begin(&watch, 7, false, now);
    (void)pass(1, NULL);
    assert_true(watch.is_own);
    tain_watch_begin(&watch, 7, true, now);
    (void)pass(1, NULL);
    assert_false(watch.is_own);
}

static void a_broken_file_is_no_news(void **state)
{
    tain_watch_begin(&watch, 7, true, now);
    show_beats(7, 1, 1);
    (void)pass(1, NULL);
    show("{\"process\":");
    assert_false(tain_watch_look(&watch, now));
    assert_true(watch.is_own);
    show("[]");
    assert_false(tain_watch_look(&watch, now));
    assert_string_equal(pass(40, NULL), "status");
}

/* --- ends ---------------------------------------------------------------------------------------------------------- */

static const char by_password[] = "{\"process\":{\"pid\":%d},\"end\":{\"code\":\"%s\",\"policy\":\"%s\",\"message\":\"m\",\"remedy\":\"r\"}}";

static void show_end(int pid, const char *code, const char *policy)
{
    char text[300];
    snprintf(text, sizeof text, by_password, pid, code, policy);
    show(text);
}

static void an_end_says_why(void **state)
{
    static const struct { const char *code, *policy; tain_status expected; bool for_us; } cases[] = {
        {"AUTH", "operator", TAIN_E_AUTH, true}, {"UNAVAILABLE", "retry", TAIN_E_UNAVAILABLE, false}, {"INTERNAL", "stop", TAIN_E_INTERNAL, true},
        {"NEW_ONE", "retry", TAIN_E_INTERNAL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_error e = {0};
        bool       for_us;
        tain_watch_begin(&watch, 7, true, now);
        (void)tain_watch_look(&watch, now);
        assert_false(tain_watch_end(&watch, &e, &for_us)); /* that of the run before */
        show_end(7, cases[i].code, cases[i].policy);
        assert_true(tain_watch_look(&watch, now));
        assert_true(tain_watch_end(&watch, &e, &for_us));
        assert_int_equal(e.code, cases[i].expected);
        assert_int_equal(for_us, cases[i].for_us);
        assert_string_equal(e.message, "m");
        assert_string_equal(e.remedy, "r");
    }
}

/* --- digest -------------------------------------------------------------------------------------------------------- */

static tain_digest digest_of(const char *text)
{
    static json_t *last;
    json_decref(last);
    last = json_loads(text, 0, NULL);
    assert_non_null(last);
    return tain_watch_digest(last);
}

static void a_status_is_summed_up(void **state)
{
    tain_digest d = digest_of(
        "{\"status\":\"Running\",\"lag_ms\":12,\"source\":{\"retained_bytes\":99,\"level\":\"warn\",\"reason\":\"much\",\"remedy\":null},\"tables\":["
        "{\"status\":\"Replicating\",\"rows_processed\":3,\"bytes_processed\":30,\"latency_ms\":5,\"last_completed\":\"2026-01-01T00:00:01.000Z\"},"
        "{\"status\":\"Failed\",\"rows_processed\":4,\"bytes_processed\":40,\"latency_ms\":9,\"last_completed\":\"2026-01-01T00:00:00.000Z\"},"
        "{\"status\":\"Reseeding\",\"rows_processed\":0,\"bytes_processed\":0,\"latency_ms\":null,\"last_completed\":null}]}");
    assert_true(d.lag == 12000 && d.latency == 5000 && d.rows == 7 && d.bytes == 70 && d.retained == 99 && d.failed == 1);
    assert_true(d.running && d.loading && !d.opening);
    assert_string_equal(d.level, "warn");
    assert_null(d.level_remedy);
    d = digest_of("{\"status\":\"Initializing\",\"lag_ms\":null,\"source\":null,\"tables\":[]}");
    assert_true(d.lag == -1 && d.latency == -1 && d.retained == -1 && d.opening && !d.running && !d.loading && !d.level);
}

static void what_a_status_is_at_rest(void **state)
{
    static const char *const live[] = {"Initialized", "Snapshotting", "Replicating", "Reseeding", "Stopped", "Failed"};
    static const char *const then[] = {"Initialized", "Stopped", "Stopped", "Stopped", "Stopped", "Failed"};
    json_t *s = json_pack("{s:s,s:i,s:{},s:{},s:{},s:i,s:[]}", "status", "Running", "lag_ms", 12, "source", "snapshot", "waiting", "epoch", 7, "tables");
    for (int i = 0; i < 6; i++) json_array_append_new(json_object_get(s, "tables"), json_pack("{s:s,s:i}", "status", live[i], "rows_processed", i));
    json_t *rest = tain_watch_at_rest(s);
    for (size_t i = 0; i < 6; i++) {
        const json_t *t = json_array_get(json_object_get(rest, "tables"), i);
        assert_string_equal(json_string_value(json_object_get(t, "status")), then[i]);
        assert_int_equal(json_integer_value(json_object_get(t, "rows_processed")), i);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(s, "tables"), i), "status")), live[i]);
    }
    assert_string_equal(json_string_value(json_object_get(rest, "status")), "Stopped");
    assert_int_equal(json_integer_value(json_object_get(rest, "epoch")), 7);
    assert_true(json_is_null(json_object_get(rest, "lag_ms")) && json_is_null(json_object_get(rest, "source")));
    assert_null(json_object_get(rest, "snapshot"));
    assert_null(tain_watch_at_rest(NULL));
    json_decref(rest);
    json_decref(s);
}

/* --- freshness ----------------------------------------------------------------------------------------------------- */

static json_t *with_tables(const char *tables)
{
    TAIN_AUTO(tain_free) char *text = tain_format("{\"tables\":[%s]}", tables);
    return json_loads(text, 0, NULL);
}

#define ROW(name, last, latency) "{\"name\":\"" name "\",\"last_completed\":" last ",\"latency_ms\":" latency "}"

static void each_change_that_is_new_counts_once(void **state)
{
    static const char *const statuses[] = {
        ROW("a", "\"1\"", "5") "," ROW("b", "null", "null"), ROW("a", "\"1\"", "5") "," ROW("b", "null", "null"), ROW("a", "\"2\"", "100") "," ROW("b", "\"2\"", "101"),
        ROW("a", "\"3\"", "400000") "," ROW("b", "\"2\"", "101"), ROW("b", "\"4\"", "1") "," ROW("a", "\"4\"", "1"), ROW("b", "\"5\"", "null")};
    tain_freshness f = {0};
    json_t        *before = NULL;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        json_t *next = with_tables(statuses[i]);
        assert_non_null(next);
        tain_freshness_add(&f, before, next);
        json_decref(before);
        before = next;
    }
    json_decref(before);
    assert_true(f.counts[0] == 1 && f.counts[1] == 1 && f.counts[TAIN_FRESHNESS_BOUNDS] == 1);
    uint64_t all = 0;
    for (size_t i = 0; i <= TAIN_FRESHNESS_BOUNDS; i++) all += f.counts[i];
    assert_int_equal(all, 3);
    assert_true(f.sum > 400.2 && f.sum < 400.202);
}

/* --- series -------------------------------------------------------------------------------------------------------- */

static void a_series_has_two_hours(void **state)
{
    tain_samples s = {0};
    size_t       n;
    assert_null(tain_samples_since(&s, 0, &n));
    for (int i = 0; i < 1000; i++) tain_samples_add(&s, (tain_sample){.at = i, .rows = i});
    tain_sample *list = tain_samples_since(&s, 0, &n);
    assert_int_equal(n, TAIN_SAMPLES);
    for (size_t i = 0; i < n; i++) assert_true(list[i].at == (tain_time)(1000 - TAIN_SAMPLES + i) && list[i].rows == list[i].at);
    tain_free(list);
    list = tain_samples_since(&s, 990, &n);
    assert_true(n == 10 && list[0].at == 990);
    tain_free(list);
    tain_samples_done(&s);
}

static void counts_go_on_over_restarts(void **state)
{
    static const int64_t counted[] = {5, 9, -1, 2, 2, 1}, shown[] = {5, 9, -1, 11, 11, 12};
    tain_samples         s = {0};
    size_t               n;
    for (int i = 0; i < 6; i++) tain_samples_add(&s, (tain_sample){.at = i, .rows = counted[i], .bytes = counted[i]});
    tain_sample *list = tain_samples_since(&s, 0, &n);
    for (int i = 0; i < 6; i++) assert_true(list[i].rows == shown[i] && list[i].bytes == shown[i]);
    tain_free(list);
    tain_samples_done(&s);
}

/* --- files --------------------------------------------------------------------------------------------------------- */

static void a_memo_comes_back(void **state)
{
    tain_memo is = {.pid = 12, .start = 1ULL << 60, .print = UINT64_MAX, .boot = "b", .program = "p", .started = 5, .reload = 1ULL << 63}, read;
    assert_false(tain_memo_read(folder, &read));
    assert_int_equal(tain_memo_write(folder, &is, NULL), TAIN_OK);
    assert_true(tain_memo_read(folder, &read));
    assert_true(read.pid == 12 && read.start == is.start && read.print == is.print && read.started == 5 && read.reload == is.reload);
    assert_string_equal(read.boot, "b");
    assert_string_equal(read.program, "p");
}

static void what_to_load_again_adds_up(void **state)
{
    const char *const a[] = {"s.a", NULL}, *const ab[] = {"s.a", "s.b", NULL};
    assert_null(tain_memo_reload(folder));
    assert_int_equal(tain_memo_add_reload(folder, a, NULL), TAIN_OK);
    assert_int_equal(tain_memo_add_reload(folder, ab, NULL), TAIN_OK);
    json_t *what = tain_memo_reload(folder);
    assert_int_equal(json_array_size(what), 2);
    json_decref(what);
    assert_int_equal(tain_memo_add_reload(folder, NULL, NULL), TAIN_OK);
    assert_int_equal(tain_memo_add_reload(folder, a, NULL), TAIN_OK);
    what = tain_memo_reload(folder);
    assert_true(json_is_true(what));
    json_decref(what);
    tain_memo_forget_reload(folder);
    assert_null(tain_memo_reload(folder));
}

static void a_log_is_cut_while_it_is_written(void **state)
{
    struct stat                st;
    TAIN_AUTO(tain_free) char *log = tain_format("%s/log", folder), *older = tain_format("%s.1", log);
    FILE                      *f = fopen(log, "a");
    setvbuf(f, NULL, _IOLBF, 0);
    for (int i = 0; i < 1000; i++) fprintf(f, "line %d\n", i);
    tain_child_rotate(log, 1 << 20);
    assert_int_equal(stat(older, &st), -1);
    tain_child_rotate(log, 100);
    assert_int_equal(stat(older, &st), 0);
    assert_int_equal(st.st_size, 8890);
    fprintf(f, "behind\n");
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_size, 7);
    fclose(f);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(who_shows_nothing_is_stalled), WITH(a_loop_that_does_not_turn_is_stalled), WITH(our_own_absence_is_nobodys_fault),
        WITH(another_process_says_nothing_of_ours), WITH(who_is_where_it_was_has_not_advanced),
        WITH(who_was_there_before_is_known_again), WITH(a_broken_file_is_no_news), WITH(an_end_says_why), WITH(a_status_is_summed_up),
        WITH(what_a_status_is_at_rest), WITH(each_change_that_is_new_counts_once), WITH(a_series_has_two_hours), WITH(counts_go_on_over_restarts), WITH(a_memo_comes_back), WITH(what_to_load_again_adds_up),
        WITH(a_log_is_cut_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
