/* SPDX-License-Identifier: MIT */
/* What a mirror does about the log that its source keeps: says it, lets loads wait, gives up for good. */
#include "mirror_run.h"

#include "mirror/guard.h"
#include "mirror/status.h"

/* --- a source that keeps log --------------------------------------------------------------------------------------- */

static struct { _Atomic int64_t bytes; atomic_int looks; int forgets; bool silent, stubborn; } kept;
static tain_source_ops keeping;

static tain_status kept_retained(tain_source *s, tain_retained *ret, tain_error *err)
{
    kept.looks++;
    if (kept.silent) return tain_fail(err, TAIN_E_UNAVAILABLE, "no answer");
    *ret = (tain_retained){.bytes = kept.bytes, .limit = -1, .safe = -1, .state = "reserved", .holder = "slot tain_x"};
    return TAIN_OK;
}

static tain_status kept_forget(tain_source *s, void (*say)(const char *), tain_error *err)
{
    kept.forgets++;
    if (kept.stubborn) return tain_fail(err, TAIN_E_UNAVAILABLE, "no answer");
    fake.prepared = false;
    kept.bytes = 0;
    return TAIN_OK;
}

static tain_status keeping_open(const tain_source_options *o, tain_source **ret, tain_error *err)
{
    TAIN_TRY(fake_open(o, ret, err));
    (*ret)->ops = &keeping;
    return TAIN_OK;
}

static int begin_keeping(void **state)
{
    begin(state);
    memset(&kept, 0, sizeof kept);
    keeping = fake_ops;
    keeping.open = keeping_open;
    keeping.retained = kept_retained;
    keeping.forget = kept_forget;
    tain_source_register(&keeping);
    return 0;
}

static size_t times_said(const char *text)
{
    size_t n = 0;
    for (const char *p = said; (p = strstr(p, text)); p++) n++;
    return n;
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

static tain_mirror      m;
static tain_source      source;
static tain_retained_limits limits;

static int begin_looking(void **state)
{
    begin_keeping(state);
    m = (tain_mirror){.say = note, .source = &source};
    source.ops = &keeping;
    pthread_mutex_init(&m.lock, NULL);
    tain_pace_init(&m.pace, 0, 0);
    assert_ok(tain_retained_parse("warn=100,pause=200", &limits, err));
    return 0;
}

static int end_looking(void **state)
{
    tain_pace_done(&m.pace);
    pthread_mutex_destroy(&m.lock);
    return end(state);
}

static bool look(int64_t bytes)
{
    kept.bytes = bytes;
    tain_guard_look(&m, &limits);
    tain_time now = tain_monotonic();
    bool held = tain_pace_is_held(&m.pace, now);
    assert_int_equal(tain_pace_take(&m.pace, 10, 1000, now) > now, held);
    return held;
}

static void a_level_is_said_when_it_is_reached(void **state)
{
    look(99);
    assert_string_equal(said, "");
    for (int i = 0; i < 3; i++) look(100 + i);
    assert_int_equal(times_said("source keeps"), 1);
    look(50);
    look(100);
    assert_int_equal(times_said("source keeps"), 2);
    look(200);
    look(100);
    assert_int_equal(times_said("no load begins"), 1);
    assert_int_equal(times_said("loads may begin again"), 0);
    look(99);
    look(99);
    assert_int_equal(times_said("loads may begin again"), 1);
    assert_int_equal(times_said("source keeps 99 B"), 0); /* it had been said that there is much */
}

static void loads_wait_only_while_the_stream_is_followed(void **state)
{
    assert_false(look(300)); /* nothing would make it less */
    m.polled = tain_monotonic();
    assert_true(look(300));
    assert_true(look(100));
    assert_false(look(99));
    assert_true(look(300));
    m.polled = tain_monotonic() - 60 * TAIN_SECOND;
    assert_false(look(300));
}

static void no_answer_changes_nothing(void **state)
{
    m.polled = tain_monotonic();
    assert_true(look(300));
    kept.silent = true;
    assert_true(look(0));
    assert_int_equal(m.retained.bytes, 300);
    assert_int_equal(m.retained_level, TAIN_RETAINED_PAUSE);
}

/* --- from start to stop -------------------------------------------------------------------------------------------- */

static json_t *tain_of_definition(json_t **root)
{
    tain_store *s = open_lake();
    *root = fake_epoch(s, "mirroring.json");
    tain_store_close(s);
    return json_object_get(json_object_get(*root, "properties"), "tain");
}

static void check_given_up(bool given_up)
{
    json_t *root, *tain = tain_of_definition(&root);
    const char *why = tain_json_get_str(tain, "givenUp", NULL);
    assert_int_equal(why != NULL, given_up);
    if (why && !strstr(why, "slot tain_x was dropped")) fail_msg("%s", why);
    json_decref(root);
}

static void change_until_a_look(void)
{
    if (kept.looks) tain_worker_stop();
    else if (fake.confirmed == fake.count && rounds-- > 0) some_changes();
}

static void follow(const char *limits_given)
{
    fake.on_head = change_until_a_look;
    rounds = 3;
    kept.looks = 0;
    assert_ok(run_mirror((run){.follow = true, .retained = limits_given}, err));
    fake.on_head = NULL;
}

static void it_is_shown_and_nobody_is_given_up_by_default(void **state)
{
    two_tables(20);
    kept.bytes = (int64_t)1 << 50;
    follow(NULL);
    json_t *root;
    (void)status_of("main.a", &root);
    const json_t *o = json_object_get(root, "source");
    assert_int_equal(tain_json_get_int(o, "retained_bytes", 0), (int64_t)1 << 50);
    assert_string_equal(tain_json_get_str(o, "level", ""), "warn");
    assert_string_equal(tain_json_get_str(o, "wal_status", ""), "reserved");
    assert_true(json_is_null(json_object_get(o, "limit_bytes")));
    assert_non_null(strstr(tain_json_get_str(o, "reason", ""), "slot tain_x"));
    json_decref(root);
    check_given_up(false);
    check_all();
}

static void given_up_stays_given_up_until_all_is_loaded_again(void **state)
{
    two_tables(50);
    follow("give-up=1000");
    check_given_up(false);
    some_changes();
    kept.bytes = 1000;
    assert_fails(run_mirror((run){.follow = true}, err), TAIN_E_GONE, "give up");
    assert_int_equal(kept.forgets, 1);
    for (int i = 0; i < 2; i++) {
        check_given_up(true);
        assert_fails(run_mirror((run){.resync = {i ? "main.a" : NULL}}, err), TAIN_E_GONE, "slot tain_x was dropped");
        assert_false(fake.prepared); /* nothing is made anew */
        check_status("main.a", "Replicating", NULL);
    }
    assert_ok(run_mirror((run){.resync_all = true}, err));
    check_given_up(false);
    check_all();
}

static void one_that_could_not_be_dropped_is_tried_again(void **state)
{
    two_tables(50);
    follow("give-up=1000");
    kept.bytes = 1000;
    kept.stubborn = true;
    assert_fails(run_mirror((run){.follow = true}, err), TAIN_E_GONE, "could not be dropped: no answer");
    kept.stubborn = false;
    assert_fails(run_mirror((run){0}, err), TAIN_E_GONE, "give up");
    assert_int_equal(kept.forgets, 2);
    assert_false(fake.prepared);
}

static void giving_up_during_the_first_load_is_remembered(void **state)
{
    two_tables(50);
    kept.bytes = 5000;
    assert_fails(run_mirror((run){.follow = true, .retained = "give-up=1000"}, err), TAIN_E_GONE, "give up");
    size_t loads = fake.loads;
    assert_fails(run_mirror((run){0}, err), TAIN_E_GONE, "give up");
    assert_int_equal(fake.loads, loads);
    assert_ok(run_mirror((run){.resync_all = true}, err));
    check_all();
}

#define LOOK(name) cmocka_unit_test_setup_teardown(name, begin_looking, end_looking)
#define RUN(name) cmocka_unit_test_setup_teardown(name, begin_keeping, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOK(a_level_is_said_when_it_is_reached), LOOK(loads_wait_only_while_the_stream_is_followed), LOOK(no_answer_changes_nothing),
        RUN(it_is_shown_and_nobody_is_given_up_by_default), RUN(given_up_stays_given_up_until_all_is_loaded_again),
        RUN(one_that_could_not_be_dropped_is_tried_again), RUN(giving_up_during_the_first_load_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
