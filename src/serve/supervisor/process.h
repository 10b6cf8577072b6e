/* SPDX-License-Identifier: MIT */
/* process.h -- another process of this program: what it is given, and what it is not. Thread: any. */
#ifndef TAIN_SERVE_SUPERVISOR_PROCESS_H
#define TAIN_SERVE_SUPERVISOR_PROCESS_H

#include <sys/types.h>

#include "base/error.h"
#include "serve/supervisor/wish.h"

typedef struct tain_process {
    const char        *file;        /* the program */
    const char *const *argv;        /* "mirror", ...: without the program; NULL-terminated */
    const char *const *environment; /* "NAME=value" besides ours; NULL-terminated; may be NULL */
    int                output, errors;
} tain_process;

/* In a session of its own, reading nothing; nothing but its output is left open, and no signal is blocked or ignored.
 * UNAVAILABLE: no more processes; else as the file's trouble is. */
tain_status tain_process_start(const tain_process *p, pid_t *ret, tain_error *err);

/* Ours, with `more` in front of what has the same name, and without what libpq would send to whatever server it is led to: a password, its file, a
 * service, a certificate. A source is reached by what its connection was given. Caller wipes by tain_process_environment_done. */
char **tain_process_environment(const char *const *more);
/* Adds a password, its file and a certificate as the service's user has them for libpq, for a process that is led to trusted servers alone. */
void   tain_process_add_own(tain_words *io);
void   tain_process_environment_done(char **environment);

#endif
