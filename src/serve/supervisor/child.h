/* SPDX-License-Identifier: MIT */
/* child.h -- one process: started, recognised, signalled, and seen ending, whoever its parent is.
 *
 * A process is known by its number together with the time it began and the boot of the machine that was in: such a pair is never given twice.
 * What was started goes on when we end: it has a session of its own, and its output goes into a file. Thread: one at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_CHILD_H
#define TAIN_SERVE_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct tain_child {
    pid_t    pid;   /* 0: none */
    uint64_t start; /* /proc/PID/stat, field 22: ticks since boot */
    int      fd;    /* pidfd: readable when it has ended; owned */
    bool     ours;  /* ours to reap */
} tain_child;

/* As process.h has it; standard output and error are appended to the log. */
tain_status tain_child_start(const char *file, const char *const *argv, const char *const *environment, const char *log, tain_child *ret, tain_error *err);
/* One that somebody else started. False: it does not run any more. */
bool        tain_child_adopt(pid_t pid, uint64_t start, tain_child *ret);
/* One that was given that word, in case nobody noted when it began. */
bool        tain_child_find(pid_t pid, const char *word, tain_child *ret);
void        tain_child_signal(const tain_child *c, int sig);
/* Whether it has ended; *ret_status is as waitpid's, or -1: only its parent knows. */
bool        tain_child_ended(const tain_child *c, int *ret_status);
void        tain_child_done(tain_child *c);

/* Anonymous and shared memory, bytes; -1: not known. */
int64_t     tain_child_memory(const tain_child *c);
/* Whether it is stopped (SIGSTOP, SIGTSTP). */
bool        tain_child_is_stopped(const tain_child *c);
/* Of this boot of the machine. */
void        tain_child_boot(char ret[static 37]);
/* What a program is: the same text as long as nobody put another in its place; "" when it is not there. */
void        tain_child_program(const char *file, char ret[static 80]);

/* Moves what is in a log beyond `most` bytes to LOG.1, also while somebody appends to it. */
void        tain_child_rotate(const char *log, int64_t most);

#endif
