/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

/* Runs body in a child that starts with the setting. The parent never passes a point, so each
 * child reads its own environment. */
static pid_t start_with_setting(const char *setting, void (*body)(void))
{
    pid_t child = fork();
    if (child == 0) {
        if (setting) setenv("TAIN_FAULT", setting, 1);
        else unsetenv("TAIN_FAULT");
        if (freopen("/dev/null", "w", stderr)) body();
        _exit(0);
    }
    return child;
}

static int with_setting(const char *setting, void (*body)(void))
{
    int status;
    pid_t child = start_with_setting(setting, body);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void pass_two(void)
{
    tain_fault(TAIN_FAULT_EPOCH_RECORDED);
    tain_fault(TAIN_FAULT_DELTA_COMMITTED);
    tain_fault(TAIN_FAULT_DELTA_COMMITTED);
}

static void pass_failing(void)
{
    int answers = 0;
    for (int i = 0; i < 4; i++) answers = answers * 2 + tain_fault_fails(TAIN_FAULT_DELTA_BEFORE_LINK);
    tain_fault(TAIN_FAULT_DELTA_BEFORE_LINK);
    _exit(answers);
}

static void assert_killed(const char *setting, void (*body)(void))
{
    int status = with_setting(setting, body);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) fail_msg("%s: not killed, status %x", setting, (unsigned)status);
}

static void assert_exit(const char *setting, void (*body)(void), int code)
{
    int status = with_setting(setting, body);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code) fail_msg("%s: status %x", setting ? setting : "none", (unsigned)status);
}

static void test_kill(void **state)
{
    assert_exit(NULL, pass_two, 0);
    assert_exit("", pass_two, 0);
    assert_killed("delta.committed", pass_two);
    assert_killed("delta.committed:2", pass_two);
    assert_exit("delta.committed:3", pass_two, 0);
    assert_exit("delta.checkpoint", pass_two, 0);
    assert_killed("delta.before_link:4", pass_failing);
}

static void test_fail(void **state)
{
    assert_exit(NULL, pass_failing, 0);
    assert_exit("delta.before_link=fail", pass_failing, 8);
    assert_exit("delta.before_link:3=fail", pass_failing, 2);
    assert_exit("delta.committed=fail", pass_two, 0);
}

static void test_stop(void **state)
{
    int status;
    pid_t child = start_with_setting("delta.committed:2=stop", pass_two);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
}

static void test_wrong_setting(void **state)
{
    assert_exit("delta.commited", pass_two, 2);
    assert_exit("delta.committed:0", pass_two, 2);
    assert_exit("delta.committed:x", pass_two, 2);
    assert_exit("delta.committed=kill", pass_two, 2);
}

static void test_names_differ(void **state)
{
    for (int i = 0; i < TAIN_FAULT_COUNT; i++) {
        for (int k = 0; k < i; k++) assert_string_not_equal(tain_fault_name(i), tain_fault_name(k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_wrong_setting),
        cmocka_unit_test(test_names_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
