/* SPDX-License-Identifier: MIT */
/* Limits of the log that a source keeps: what can be written, and where between them a mirror is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lake/retained.h"

#define GIB ((int64_t)1 << 30)

static tain_retained_limits parsed(const char *text)
{
    tain_retained_limits l;
    tain_error e = {0};
    if (tain_retained_parse(text, &l, &e) != TAIN_OK) fail_msg("%s", e.message);
    return l;
}

static void check_limits(const char *text, int64_t warn, int64_t pause, int64_t give_up)
{
    tain_retained_limits l = parsed(text);
    assert_int_equal(l.warn, warn);
    assert_int_equal(l.pause, pause);
    assert_int_equal(l.give_up, give_up);
}

static void limits_that_can_be_written(void **state)
{
    check_limits(NULL, TAIN_RETAINED_WARN_DEFAULT, 0, 0);
    check_limits("", TAIN_RETAINED_WARN_DEFAULT, 0, 0);
    check_limits("warn=1GiB,pause=2GiB,give-up=3GiB", GIB, 2 * GIB, 3 * GIB);
    check_limits("give-up=3GiB,warn=1GiB", GIB, 0, 3 * GIB);
    check_limits("pause=500", 500, 500, 0);                             /* the default is not above what is given */
    check_limits("give-up=300GiB", TAIN_RETAINED_WARN_DEFAULT, 0, 300 * GIB);
    check_limits("warn=0,pause=2GiB", 0, 2 * GIB, 0);                   /* never said */
    check_limits("warn=5GiB,pause=0,give-up=0", 5 * GIB, 0, 0);
    check_limits("warn=1GiB,pause=1GiB,give-up=1GiB", GIB, GIB, GIB);
}

static void refused(const char *text, const char *why)
{
    tain_retained_limits l = {.warn = 7};
    tain_error e = {0};
    assert_int_equal(tain_retained_parse(text, &l, &e), TAIN_E_INVALID);
    if (!strstr(e.message, why) || !strstr(e.message, text)) fail_msg("\"%s\" does not say \"%s\" of %s", e.message, why, text);
    assert_non_null(strstr(e.remedy, "give-up="));
    assert_int_equal(l.warn, 7);
}

static void limits_that_cannot(void **state)
{
    refused("warn", "none of its parts");
    refused("10GiB", "none of its parts");
    refused("most=1GiB", "\"most\"");
    refused("warn=", "no size");
    refused("warn=-1", "no size");
    refused("warn=1GiB,pause=lots", "\"lots\" is no size");
    refused("warn=1,warn=2", "twice");
    refused("pause=2GiB,give-up=1GiB", "pause is above give-up");
    refused("warn=2GiB,pause=1GiB", "warn is above pause");
    refused("warn=2GiB,give-up=1GiB", "warn is above give-up");
}

/* The levels that amounts lead to, one after the other, from ok. */
static void check_walk(const char *limits, const int64_t *amounts, const char *levels)
{
    static const char letters[] = "owpg";
    tain_retained_limits l = parsed(limits);
    tain_retained_level level = TAIN_RETAINED_OK;
    for (size_t i = 0; levels[i]; i++) {
        level = tain_retained_step(&l, level, &(tain_retained){.bytes = amounts[i], .limit = -1});
        if (letters[level] != levels[i]) fail_msg("%s: %s after %lld", limits, tain_retained_level_name(level), (long long)amounts[i]);
    }
}

static void levels_hold_until_well_below(void **state)
{
    check_walk("warn=100", (int64_t[]){0, 99, 100, 99, 75, 74, 99, 100, 1000000}, "oowwwooww");
    check_walk("warn=100,pause=200", (int64_t[]){150, 199, 200, 199, 100, 99, 199, 200, 10}, "wwpppwwpo");
    check_walk("pause=200", (int64_t[]){199, 200, 100, 99, 199}, "oppoo"); /* warns where it pauses, and no earlier */
    check_walk("warn=0", (int64_t[]){INT64_MAX}, "o");
    check_walk("warn=0,pause=0,give-up=50", (int64_t[]){49, 50}, "og");
}

static void nothing_is_given_up_unless_asked_for(void **state)
{
    check_walk("", (int64_t[]){INT64_MAX, 0}, "wo");
    check_walk("pause=1", (int64_t[]){INT64_MAX}, "p");
}

static void giving_up_is_for_good(void **state)
{
    check_walk("warn=1,pause=2,give-up=300", (int64_t[]){299, 300, 0, 0}, "pggg");
}

static void what_the_source_says_counts(void **state)
{
    tain_retained_limits l = parsed("warn=100");
    char text[512];
    tain_retained r = {.bytes = 5, .limit = 3 << 20, .endangered = true, .state = "unreserved", .holder = "slot x"};
    tain_retained_level level = tain_retained_step(&l, TAIN_RETAINED_OK, &r);
    assert_int_equal(level, TAIN_RETAINED_WARN);
    tain_retained_describe(&l, level, &r, text);
    if (!strstr(text, "slot x") || !strstr(text, "3.0 MiB") || !strstr(text, "any time")) fail_msg("%s", text);
    r.lost = true;
    tain_retained_describe(&l, level, &r, text);
    if (!strstr(text, "slot x is lost")) fail_msg("%s", text);
    assert_non_null(strstr(tain_retained_remedy(level, &r), "--resync"));
    r = (tain_retained){.bytes = 5, .limit = -1};
    assert_int_equal(tain_retained_step(&l, TAIN_RETAINED_WARN, &r), TAIN_RETAINED_OK);
    tain_retained_describe(&l, TAIN_RETAINED_OK, &r, text);
    assert_string_equal(text, "");
    assert_string_equal(tain_retained_remedy(TAIN_RETAINED_OK, &r), "");
}

/* Whatever comes, a level is one of its limits' range, and the same amount again changes nothing. */
static void levels_settle(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261121;
    print_message("SEED=%u\n", seed);
    for (int round = 0; round < 20000; round++) {
        int64_t warn = 1 + rand_r(&seed) % 1000, pause = warn + rand_r(&seed) % 1000, give_up = pause + rand_r(&seed) % 1000;
        tain_retained_limits l = {warn, pause, give_up};
        tain_retained r = {.bytes = rand_r(&seed) % 3500, .limit = -1};
        tain_retained_level was = (tain_retained_level)(rand_r(&seed) % 3), level = tain_retained_step(&l, was, &r);
        assert_int_equal(tain_retained_step(&l, level, &r), level);
        assert_int_equal(level == TAIN_RETAINED_GIVE_UP, r.bytes >= give_up);
        if (r.bytes >= pause) assert_true(level >= TAIN_RETAINED_PAUSE);
        if (r.bytes >= warn) assert_true(level >= TAIN_RETAINED_WARN);
        if (r.bytes < pause / 2) assert_true(level < TAIN_RETAINED_PAUSE);
        if (r.bytes < warn / 2) assert_int_equal(level, TAIN_RETAINED_OK);
        if (level > was) assert_true(r.bytes >= (level == TAIN_RETAINED_PAUSE ? pause : level == TAIN_RETAINED_WARN ? warn : give_up));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_that_can_be_written),  cmocka_unit_test(limits_that_cannot),
        cmocka_unit_test(levels_hold_until_well_below), cmocka_unit_test(nothing_is_given_up_unless_asked_for),
        cmocka_unit_test(giving_up_is_for_good),       cmocka_unit_test(what_the_source_says_counts),
        cmocka_unit_test(levels_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
