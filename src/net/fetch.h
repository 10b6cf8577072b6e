/* SPDX-License-Identifier: MIT */
/* fetch.h -- one HTTP request to somebody else, and the whole answer. Thread: any. */
#ifndef TAIN_NET_FETCH_H
#define TAIN_NET_FETCH_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"

typedef struct tain_fetch {
    const char        *method;  /* NULL: GET, or POST with a body */
    const char        *url;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    tain_slice         body;
    const char        *ca_file; /* trusted besides the system's; NULL: none */
    tain_time          patience; /* for all of it; 0: 30 s */
    size_t             most;    /* bytes of the answer; 0: 64 MiB */
} tain_fetch;

typedef struct tain_answer {
    int         status;
    tain_buffer body;
    char       *type;     /* Content-Type; NULL: none */
    char       *location; /* where it points elsewhere (that is not followed); NULL: none */
} tain_answer;

/* OK: there is an answer, whatever its status. UNAVAILABLE: nobody answers there, or not in time; PROTOCOL: TLS or HTTP went wrong;
 * INVALID: the URL. No error shows a password of the URL. */
tain_status tain_fetch_run(const tain_fetch *f, tain_answer *ret, tain_error *err);
void        tain_answer_done(tain_answer *a);

#endif
