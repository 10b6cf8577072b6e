/* SPDX-License-Identifier: MIT */
/* control_fixture.h -- a control database in a home of its own, made for each test and removed after it. */
#ifndef TAIN_UNIT_CONTROL_FIXTURE_H
#define TAIN_UNIT_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "control/control.h"
#include "control/statement.h"

static tain_error    err;
static char          home[] = "/tmp/tain-control-XXXXXX";
static tain_control *control;

#define assert_ok(call)                                                                                    \
    do {                                                                                                   \
        tain_status st_ = (call);                                                                          \
        if (st_ != TAIN_OK) fail_msg("%s: %s: %s", #call, tain_status_name(st_), err.message);             \
    } while (0)
/* That it fails so, and says so. */
#define assert_fails(call, status, text)                                                                   \
    do {                                                                                                   \
        assert_int_equal(call, status);                                                                    \
        if (!strstr(err.message, text)) fail_msg("%s: does not say '%s': %s", #call, text, err.message);   \
    } while (0)

static inline char *in_home(const char *name)
{
    static char path[4][400];
    static int  next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", home, name);
    return path[next];
}

static inline void reopen(void)
{
    tain_control_close(control);
    control = NULL;
    assert_ok(tain_control_open(home, NULL, &control, &err));
}

/* Changes the file as another program could. */
static inline void behind(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(in_home("control.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Whether any file of the home has these bytes. */
static inline bool home_has(const void *what, size_t n)
{
    bool           has = false;
    DIR           *dir = opendir(home);
    struct dirent *e;
    while (!has && (e = readdir(dir))) {
        FILE *f = e->d_type == DT_REG ? fopen(in_home(e->d_name), "r") : NULL;
        if (!f) continue;
        tain_buffer all = {0};
        for (size_t got; (got = fread(tain_buffer_reserve(&all, 65536), 1, 65536, f)) > 0;) all.size += got;
        has = all.size && memmem(all.data, all.size, what, n);
        tain_buffer_done(&all);
        fclose(f);
    }
    closedir(dir);
    return has;
}

static inline void empty_home(void)
{
    DIR           *dir = opendir(home);
    struct dirent *e;
    while ((e = readdir(dir)))
        if (e->d_name[0] != '.') unlink(in_home(e->d_name));
    closedir(dir);
}

static inline int begin(void **state)
{
    memcpy(home + strlen(home) - 6, "XXXXXX", 6);
    if (!mkdtemp(home)) return -1;
    return tain_control_open(home, NULL, &control, &err) == TAIN_OK ? 0 : -1;
}

static inline int end(void **state)
{
    tain_control_close(control);
    control = NULL;
    empty_home();
    return rmdir(home);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
