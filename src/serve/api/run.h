/* SPDX-License-Identifier: MIT */
/* run.h -- another command of this program, run for a call: what it says, and how it ended. Inside of serve/api.
 *
 * Sources are parsed, and SQL is run, in a process of its own, so that neither can take the service down. No more than TAIN_RUN_MOST
 * run at once. Thread: any. */
#ifndef TAIN_SERVE_API_RUN_H
#define TAIN_SERVE_API_RUN_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"
#include "net/http.h"

enum { TAIN_RUN_MOST = 8 };

typedef struct tain_run {
    const char *const *argv;        /* "check", ...: without the program; NULL-terminated */
    const char *const *environment; /* "NAME=value" besides ours; NULL-terminated; may be NULL */
    tain_time          patience;    /* it is killed after that */
    size_t             most;        /* bytes of its output; it is killed when there are more */
    const tain_http_request *request; /* whose call it is: it is killed when the server is to stop; NULL: never */
    bool               extra;       /* it runs however many do */
} tain_run;

/* *ret_code: its exit code. What it said on standard error is in *ret_errors (one line "tain: " off). BUSY: too many run. INVALID: a word of
 * argv is longer than the system passes on. CANCELLED, UNAVAILABLE (the service stops): it was killed, and err says why. */
tain_status tain_run_command(const tain_run *r, tain_buffer *ret_output, tain_buffer *ret_errors, int *ret_code, tain_error *err);
/* The failure that a command told of on standard error: message and remedy. */
tain_status tain_run_failure(tain_buffer *errors, tain_status code, tain_error *err);

#endif
