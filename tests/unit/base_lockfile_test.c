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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lockfile.h"

static tain_error err;
static char       folder[] = "/tmp/tain-lock-XXXXXX", path[100], holder[TAIN_LOCKFILE_HOLDER];

static tain_status take(int *ret_fd)
{
    return tain_lockfile_take(path, 0600, ret_fd, holder, &err);
}

static void one_holds_it_and_says_who(void **state)
{
    int         first, second = -1;
    char        me[60];
    struct stat st;
    assert_int_equal(take(&first), TAIN_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(take(&second), TAIN_E_BUSY);
    assert_int_equal(second, -1);
    snprintf(me, sizeof me, "process %d on ", (int)getpid());
    assert_int_equal(strncmp(holder, me, strlen(me)), 0);
    assert_non_null(strstr(err.message, path));
    assert_true(tain_lockfile_is_held(path));
    close(first);
    assert_false(tain_lockfile_is_held(path));
    assert_false(tain_lockfile_is_held("/nonexistent/lock"));
    assert_int_equal(take(&second), TAIN_OK);
    close(second);
}

static void a_killed_holder_holds_nothing(void **state)
{
    int fd, ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        if (take(&fd) != TAIN_OK || write(ends[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    char answer;
    assert_int_equal(read(ends[0], &answer, 1), 1);
    assert_int_equal(take(&fd), TAIN_E_BUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(take(&fd), TAIN_OK);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static void no_folder(void **state)
{
    int fd;
    assert_int_equal(tain_lockfile_take("/nonexistent/lock", 0600, &fd, holder, &err), TAIN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/lock"));
}

static int make(void **state)
{
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/lock", folder);
    return 0;
}

static int clear(void **state)
{
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holds_it_and_says_who),
        cmocka_unit_test(a_killed_holder_holds_nothing),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
