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
static enum { DIE, FAIL, STOP } armed_act; /* written before armed */
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

static bool read_act(const char *text)
{
    static const char *const acts[] = {[DIE] = "", [FAIL] = "=fail", [STOP] = "=stop"};
    for (int i = DIE; i <= STOP; i++)
        if (strcmp(text, acts[i]) == 0) return armed_act = i, true;
    return false;
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
    if (!read_act(end) || point == NONE || pass < 1) {
        fprintf(stderr, "TAIN_FAULT=%s: want <point>[:<n>][=fail|=stop] with a point of fault.def\n", setting);
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

static bool is_due(tain_fault_point point)
{
    return is_armed(point) && atomic_fetch_sub(&passes_left, 1) == 1;
}

static void act(void)
{
    if (armed_act == DIE) die();
    if (armed_act == STOP) raise(SIGSTOP); /* this thread does not get any further; kill() might let it */
}

void tain_fault(tain_fault_point point)
{
    if ((is_armed(point) && armed_act == FAIL) || !is_due(point)) return;
    act();
}

bool tain_fault_fails(tain_fault_point point)
{
    if (!is_due(point)) return false;
    act();
    return armed_act == FAIL;
}
