/* SPDX-License-Identifier: MIT */
/* mirror_held.h -- a reading that is held while a script goes on beside it, and processes that die in the middle of one. */
#ifndef TAIN_TESTS_MIRROR_HELD_H
#define TAIN_TESTS_MIRROR_HELD_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "mirror_run.h"

enum { PATIENCE_MS = 20000 };

static atomic_bool held, lose; /* chunks wait; the next one to go on loses its reader */
static atomic_int  chunks;     /* that were begun */
static int         step;       /* of the script */
static size_t      committed, starts;
static void      (*meanwhile)(void);

static inline bool hold_chunk(void)
{
    atomic_fetch_add(&chunks, 1);
    for (int i = 0; atomic_load(&held) && i < PATIENCE_MS; i++) usleep(1000);
    return atomic_exchange(&lose, false);
}

/* What was committed is in the newest record. */
static inline bool is_recorded(void)
{
    tain_store *s = open_lake();
    size_t n = fake_last_position(s);
    tain_store_close(s);
    return n >= committed;
}

/* Two tables, mirrored once. */
static inline void begin_held(void **state, int rows)
{
    begin(state);
    step = 0;
    meanwhile = NULL;
    atomic_store(&held, false);
    atomic_store(&lose, false);
    atomic_store(&chunks, 0);
    two_tables(rows);
    once();
}

/* --- deaths -------------------------------------------------------------------------------------------------------- */

typedef struct deaths {
    const tain_fault_point *points;
    size_t count;
    int    last, stride;               /* passes of each point: 1, 1 + stride, ... */
    int    rows;                       /* of the two tables */
    void (*write_script)(void);        /* what comes behind their first content */
    bool (*on_chunk)(int table);
    tain_status (*live)(const char *fault, tain_error *e); /* a mirror, to the end of the script or its own */
} deaths;

static size_t *happened; /* shared with the processes */

/* While rows are read the rest of the script happens, one transaction at a time. */
static inline void let_happen(void)
{
    if (*happened < fake.count) {
        fake.visible = ++*happened;
    } else {
        atomic_store(&held, false);
        if (fake_is_done()) tain_worker_stop();
    }
}

static inline _Noreturn void die_at(const deaths *d, const char *fault)
{
    setenv("TAIN_FAULT", fault, 1);
    fake.on_head = let_happen;
    fake.on_chunk = d->on_chunk;
    tain_error e = {0};
    tain_status st = d->live(fault, &e);
    if (st != TAIN_OK) fprintf(stderr, "%s: %s: %s\n", fault, tain_status_name(st), e.message);
    _exit(st != TAIN_OK);
}

static inline void check_happened(void)
{
    tain_store *s = open_lake();
    fake_check_version(s, a, -1, *happened);
    fake_check_version(s, b, -1, *happened);
    assert_int_equal(fake_last_position(s), *happened);
    fake_check_epochs(s);
    tain_store_close(s);
}

static inline void die_and_go_on(const deaths *d, const char *fault)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) die_at(d, fault);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status)) assert_int_equal(status, 0);
    fake.visible = *happened;
    once();
    check_happened();
}

static inline void die_once(const deaths *d, const char *fault)
{
    lake_remove(lake);
    lake = lake_make();
    fake_reset();
    two_tables(d->rows);
    *happened = fake.visible = fake.count;
    once();
    d->write_script();
    print_message("%s\n", fault);
    die_and_go_on(d, fault);
}

static inline void die_everywhere(const deaths *d)
{
    happened = mmap(NULL, sizeof *happened, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(happened, MAP_FAILED);
    for (size_t i = 0; i < d->count; i++) {
        for (int pass = 1; pass <= d->last; pass += d->stride) {
            TAIN_AUTO(tain_free) char *fault = tain_format("%s:%d", tain_fault_name(d->points[i]), pass);
            die_once(d, fault);
        }
    }
    munmap(happened, sizeof *happened);
}

#endif
