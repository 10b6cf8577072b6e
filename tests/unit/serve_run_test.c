/* SPDX-License-Identifier: MIT */
/* Commands that are run for a call: this program is what is run, and does as its first word says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/api/run.h"

static tain_error err;

static tain_status command(const char *const *argv, bool extra, tain_buffer *ret_errors, int *ret_code)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    const tain_run r = {.argv = argv, .patience = 60 * TAIN_SECOND, .most = 1 << 20, .extra = extra};
    return tain_run_command(&r, &out, ret_errors, ret_code, &err);
}

/* --- how many ------------------------------------------------------------------------------------------------------------- */

static char began[64], end[64]; /* FIFOs: each that runs writes a byte into one, and goes on until nobody holds the other */

static int wait_for_end(const char *began_path, const char *end_path)
{
    char byte;
    int  to = open(began_path, O_WRONLY), from = open(end_path, O_RDONLY);
    return to >= 0 && write(to, "x", 1) == 1 && read(from, &byte, 1) == 0 ? 7 : 1;
}

static void *run_one(void *ctx)
{
    int code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer errors = {0}, out = {0};
    tain_error     e;
    const tain_run r = {.argv = (const char *const[]){"wait", began, end, NULL}, .patience = 60 * TAIN_SECOND, .most = 1 << 20};
    bool           fine = tain_run_command(&r, &out, &errors, &code, &e) == TAIN_OK && code == 7;
    return fine ? ctx : NULL;
}

static void no_more_than_some_run_at_once(void **state)
{
    pthread_t threads[TAIN_RUN_MOST];
    char      folder[] = "/tmp/tain-run-XXXXXX", bytes[TAIN_RUN_MOST];
    int       code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer errors = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(began, sizeof began, "%s/began", folder);
    snprintf(end, sizeof end, "%s/end", folder);
    assert_true(mkfifo(began, 0600) == 0 && mkfifo(end, 0600) == 0);
    int from = open(began, O_RDWR | O_CLOEXEC), held = open(end, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < TAIN_RUN_MOST; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_one, began), 0);
    for (int i = 0; i < TAIN_RUN_MOST; i++) assert_int_equal(read(from, &bytes[i], 1), 1);
    assert_int_equal(command((const char *const[]){"say", "", NULL}, false, &errors, &code), TAIN_E_BUSY);
    assert_non_null(strstr(err.message, "8 checks and queries"));
    assert_int_equal(command((const char *const[]){"say", "", NULL}, true, &errors, &code), TAIN_OK);
    close(held);
    for (int i = 0; i < TAIN_RUN_MOST; i++) {
        void *fine;
        assert_int_equal(pthread_join(threads[i], &fine), 0);
        assert_non_null(fine);
    }
    assert_int_equal(command((const char *const[]){"say", "", NULL}, false, &errors, &code), TAIN_OK);
    close(from);
    assert_true(remove(began) == 0 && remove(end) == 0 && remove(folder) == 0);
}

/* --- what is too long ------------------------------------------------------------------------------------------------------- */

static void what_cannot_be_passed_on_is_refused(void **state)
{
    const size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE);
    char        *text = malloc(most + 1);
    int          code = -1;
    TAIN_AUTO(tain_buffer_done) tain_buffer errors = {0};
    memset(text, 'x', most);
    text[most] = 0;
    assert_int_equal(command((const char *const[]){"say", text, NULL}, false, &errors, &code), TAIN_E_INVALID);
    assert_non_null(strstr(err.message, "too long: 131071 at most"));
    text[most - 1] = 0;
    assert_int_equal(command((const char *const[]){"say", text, NULL}, false, &errors, &code), TAIN_OK);
    assert_int_equal(code, 3);
    assert_int_equal(errors.size, most - 1);
    free(text);
}

/* --- what it complained of -------------------------------------------------------------------------------------------------- */

static void failed_saying(const char *text)
{
    int code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer errors = {0};
    assert_int_equal(command((const char *const[]){"say", text, NULL}, false, &errors, &code), TAIN_OK);
    assert_int_equal(code, 3);
    assert_int_equal(tain_run_failure(&errors, TAIN_E_INVALID, &err), TAIN_E_INVALID);
}

static void a_failure_is_told_in_words(void **state)
{
    failed_saying("noise\ntain: no such table\n  remedy: check the name\n");
    assert_string_equal(err.message, "no such table");
    assert_string_equal(err.remedy, "check the name");
    failed_saying("Segmentation fault\n");
    assert_string_equal(err.message, "Segmentation fault");
    static const char *const nothing[] = {"", "\n\n", "tain: ", "tain: \n"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        failed_saying(nothing[i]);
        assert_string_equal(err.message, "it failed and said nothing");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_some_run_at_once), cmocka_unit_test(what_cannot_be_passed_on_is_refused), cmocka_unit_test(a_failure_is_told_in_words),
    };
    if (argc > 3 && strcmp(argv[1], "wait") == 0) return wait_for_end(argv[2], argv[3]);
    if (argc > 2 && strcmp(argv[1], "say") == 0) return fputs(argv[2], stderr) < 0 ? 1 : 3;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
