/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
#define TAIN_FAULT_POINT(id, name) name,
#include "base/fault.def"
#undef TAIN_FAULT_POINT
};

enum { UNREAD = -1, NONE = -2 };

static atomic_int     armed = UNREAD; /* the point that is armed */
static atomic_long    passes_left;
static bool           armed_fails; /* fail instead of dying; written before armed */
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *tain_fault_name(tain_fault_point point)
{
    return point < TAIN_FAULT_COUNT ? names[point] : "?";
}

static int point_by_name(const char *name, size_t n)
{
    for (int i = 0; i < TAIN_FAULT_COUNT; i++) {
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0) return i;
    }
    return NONE;
}

/* A test that names no existing point would pass for the wrong reason, so a wrong setting ends the process. */
static void read_setting(void)
{
    const char *setting = getenv("TAIN_FAULT");
    if (!setting || !*setting) {
        atomic_store(&armed, NONE);
        return;
    }
    size_t n = strcspn(setting, ":=");
    int    point = point_by_name(setting, n);
    char  *end = (char *)setting + n;
    long   pass = *end == ':' ? strtol(end + 1, &end, 10) : 1;
    armed_fails = strcmp(end, "=fail") == 0;
    if (point == NONE || pass < 1 || (*end && !armed_fails)) {
        fprintf(stderr, "TAIN_FAULT=%s: want <point>[:<n>][=fail] with a point of fault.def\n", setting);
        _exit(2);
    }
    atomic_store(&passes_left, pass);
    atomic_store(&armed, point);
}

static bool is_armed(tain_fault_point point)
{
    int now = atomic_load_explicit(&armed, memory_order_acquire);
    if (now == UNREAD) {
        pthread_once(&once, read_setting);
        now = atomic_load(&armed);
    }
    return now == (int)point;
}

static _Noreturn void die(void)
{
    for (;;) kill(getpid(), SIGKILL);
}

void tain_fault(tain_fault_point point)
{
    if (is_armed(point) && !armed_fails && atomic_fetch_sub(&passes_left, 1) == 1) die();
}

bool tain_fault_fails(tain_fault_point point)
{
    if (!is_armed(point) || atomic_fetch_sub(&passes_left, 1) != 1) return false;
    if (!armed_fails) die();
    return true;
}
