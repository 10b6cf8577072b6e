/* SPDX-License-Identifier: MIT */
/* What becomes of a worker's process, for every state, wish and happening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "serve/supervisor/machine.h"

#define PATIENCE (30 * TAIN_SECOND)
#define NOW      (1000 * TAIN_SECOND)

enum { NONE, STARTING, RUNNING, STOPPING, BACKOFF, FAILED, STATES };
enum { NOTHING, ACTED, FOUND, READY, ADVANCED, RENEW, HUNG, ENDED, FOR_US, HAPPENINGS };

typedef struct outcome {
    int process, deed;
} outcome;

/* The table of the header, told once more: what comes of each state and happening, wanted and not. */
static const outcome wanted_table[STATES][HAPPENINGS] = {
#define ALL(p, d) {p, d}
    [NONE] = {ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_NOTHING), ALL(STARTING, TAIN_DO_START),
              ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START)},
    [STARTING] = {ALL(STARTING, 0), ALL(STARTING, 0), ALL(STARTING, 0), ALL(RUNNING, 0), ALL(STARTING, 0), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_KILL),
                  ALL(BACKOFF, 0), ALL(FAILED, 0)},
    [RUNNING] = {ALL(RUNNING, 0), ALL(RUNNING, 0), ALL(RUNNING, 0), ALL(RUNNING, 0), ALL(RUNNING, 0), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_KILL),
                 ALL(BACKOFF, 0), ALL(FAILED, 0)},
    [STOPPING] = {ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0),
                  ALL(STARTING, TAIN_DO_START), ALL(STARTING, TAIN_DO_START)},
    [BACKOFF] = {ALL(BACKOFF, 0), ALL(STARTING, TAIN_DO_START), ALL(BACKOFF, 0), ALL(BACKOFF, 0), ALL(BACKOFF, 0), ALL(BACKOFF, 0), ALL(BACKOFF, 0), ALL(BACKOFF, 0),
                 ALL(BACKOFF, 0)},
    [FAILED] = {ALL(FAILED, 0), ALL(STARTING, TAIN_DO_START), ALL(FAILED, 0), ALL(FAILED, 0), ALL(FAILED, 0), ALL(FAILED, 0), ALL(FAILED, 0), ALL(FAILED, 0),
                ALL(FAILED, 0)},
};
static const outcome unwanted_table[STATES][HAPPENINGS] = {
    [NONE] = {ALL(NONE, 0), ALL(NONE, 0), ALL(STOPPING, TAIN_DO_TERM), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0)},
    [STARTING] = {ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM),
                  ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_KILL), ALL(NONE, 0), ALL(NONE, 0)},
    [RUNNING] = {ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_TERM),
                 ALL(STOPPING, TAIN_DO_TERM), ALL(STOPPING, TAIN_DO_KILL), ALL(NONE, 0), ALL(NONE, 0)},
    [STOPPING] = {ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(STOPPING, 0), ALL(NONE, 0), ALL(NONE, 0)},
    [BACKOFF] = {ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0)},
    [FAILED] = {ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0), ALL(NONE, 0)},
};

static tain_machine in_state(int process)
{
    tain_time due = process == STOPPING || process == BACKOFF ? NOW + TAIN_SECOND : INT64_MAX;
    return (tain_machine){.process = (tain_process)process, .due = due, .born = NOW - TAIN_SECOND};
}

static void every_case_is_as_told(void **state)
{
    for (int wanted = 0; wanted < 2; wanted++)
        for (int p = 0; p < STATES; p++)
            for (int h = 0; h < HAPPENINGS; h++) {
                outcome      want = wanted ? wanted_table[p][h] : unwanted_table[p][h];
                tain_machine m = in_state(p);
                tain_deed    deed = tain_machine_step(&m, wanted, (tain_happening)h, NOW, PATIENCE);
                if ((int)m.process != want.process || (int)deed != want.deed)
                    fail_msg("process %d, wanted %d, happening %d: became %d and did %d, expected %d and %d", p, wanted, h, m.process, deed,
                             want.process, want.deed);
            }
}

/* The next deed is only done once, and a state that has a deadline has one in the future. */
static void nothing_more_happens_by_itself(void **state)
{
    for (int wanted = 0; wanted < 2; wanted++)
        for (int p = 0; p < STATES; p++)
            for (int h = 0; h < HAPPENINGS; h++) {
                tain_machine m = in_state(p), before;
                (void)tain_machine_step(&m, wanted, (tain_happening)h, NOW, PATIENCE);
                before = m;
                assert_int_equal(tain_machine_step(&m, wanted, TAIN_HAPPENED_NOTHING, NOW, PATIENCE), TAIN_DO_NOTHING);
                assert_true(m.process == before.process && m.due == before.due);
                assert_true(m.due > NOW);
            }
}

static tain_deed step(tain_machine *m, tain_happening what, tain_time now)
{
    return tain_machine_step(m, true, what, now, PATIENCE);
}

static void waits_grow_and_end_at_a_minute(void **state)
{
    static const int seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    tain_machine     m;
    tain_time        now = NOW;
    tain_machine_init(&m);
    assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, now), TAIN_DO_START);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(step(&m, TAIN_HAPPENED_ENDED, now), TAIN_DO_NOTHING);
        assert_int_equal(m.process, TAIN_PROCESS_BACKOFF);
        assert_true(m.due == now + seconds[i] * TAIN_SECOND);
        assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, m.due - 1), TAIN_DO_NOTHING);
        now = m.due;
        assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, now), TAIN_DO_START);
        assert_int_equal(m.restarts, i + 1);
    }
}

static void who_ran_is_back_soon_for_some_times(void **state)
{
    tain_machine m;
    tain_time    now = NOW;
    tain_machine_init(&m);
    assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, now), TAIN_DO_START);
    for (int i = 0; i < 12; i++) {
        (void)step(&m, TAIN_HAPPENED_READY, now);
        (void)step(&m, TAIN_HAPPENED_ENDED, now);
        assert_true(m.due == now + (i < 9 ? 1 : 1 << (i - 8)) * TAIN_SECOND);
        now = m.due;
        assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, now), TAIN_DO_START);
    }
}

static void five_minutes_of_life_are_a_new_beginning(void **state)
{
    for (int calm = 0; calm < 2; calm++) {
        tain_machine m = in_state(RUNNING);
        m.failures = TAIN_MACHINE_BORNE + 5;
        m.born = NOW - TAIN_MACHINE_CALM + (calm ? 0 : 1);
        (void)step(&m, TAIN_HAPPENED_ENDED, NOW);
        assert_true(m.due == NOW + (calm ? 1 : 32) * TAIN_SECOND);
    }
}

static void who_comes_further_begins_anew(void **state)
{
    for (int p = STARTING; p <= RUNNING; p++) {
        tain_machine m = in_state(p);
        m.failures = 5;
        assert_int_equal(step(&m, TAIN_HAPPENED_ADVANCED, NOW), TAIN_DO_NOTHING);
        (void)step(&m, TAIN_HAPPENED_ENDED, NOW);
        assert_true(m.due == NOW + (p == RUNNING ? 1 : 32) * TAIN_SECOND);
    }
}

static void who_acts_need_not_wait(void **state)
{
    tain_machine m = in_state(BACKOFF);
    m.failures = 6;
    assert_int_equal(step(&m, TAIN_HAPPENED_ACTED, NOW), TAIN_DO_START);
    (void)step(&m, TAIN_HAPPENED_ENDED, NOW);
    assert_true(m.due == NOW + TAIN_SECOND);
}

static void patience_ends(void **state)
{
    tain_machine m = in_state(RUNNING);
    assert_int_equal(tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW, PATIENCE), TAIN_DO_TERM);
    assert_true(m.due == NOW + PATIENCE);
    assert_int_equal(tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW + PATIENCE - 1, PATIENCE), TAIN_DO_NOTHING);
    assert_int_equal(tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW + PATIENCE, PATIENCE), TAIN_DO_KILL);
    assert_int_equal(tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW + 9 * PATIENCE, PATIENCE), TAIN_DO_NOTHING);
    assert_int_equal(tain_machine_step(&m, false, TAIN_HAPPENED_ENDED, NOW + 9 * PATIENCE, PATIENCE), TAIN_DO_NOTHING);
    assert_int_equal(m.process, TAIN_PROCESS_NONE);
}

static void what_hung_is_tried_again(void **state)
{
    tain_machine m = in_state(RUNNING);
    assert_int_equal(step(&m, TAIN_HAPPENED_HUNG, NOW), TAIN_DO_KILL);
    (void)step(&m, TAIN_HAPPENED_ENDED, NOW);
    assert_int_equal(m.process, TAIN_PROCESS_BACKOFF);
    m = in_state(RUNNING);
    (void)step(&m, TAIN_HAPPENED_HUNG, NOW);
    (void)tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW, PATIENCE); /* nobody wants it any more */
    (void)tain_machine_step(&m, false, TAIN_HAPPENED_ENDED, NOW, PATIENCE);
    assert_int_equal(m.process, TAIN_PROCESS_NONE);
}

static void a_wish_taken_back_and_renewed_begins_anew(void **state)
{
    tain_machine m = in_state(BACKOFF);
    m.failures = 6;
    m.restarts = 7;
    (void)tain_machine_step(&m, false, TAIN_HAPPENED_NOTHING, NOW, PATIENCE);
    assert_int_equal(step(&m, TAIN_HAPPENED_NOTHING, NOW), TAIN_DO_START);
    assert_int_equal(m.restarts, 0);
    (void)step(&m, TAIN_HAPPENED_ENDED, NOW);
    assert_true(m.due == NOW + TAIN_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_as_told), cmocka_unit_test(nothing_more_happens_by_itself), cmocka_unit_test(waits_grow_and_end_at_a_minute),
        cmocka_unit_test(who_ran_is_back_soon_for_some_times),
        cmocka_unit_test(five_minutes_of_life_are_a_new_beginning), cmocka_unit_test(who_acts_need_not_wait),
        cmocka_unit_test(who_comes_further_begins_anew), cmocka_unit_test(patience_ends),
        cmocka_unit_test(what_hung_is_tried_again), cmocka_unit_test(a_wish_taken_back_and_renewed_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
