/* SPDX-License-Identifier: MIT */
/* watch.h -- what a worker shows of itself in its lake's _tain/status.json, and whether it still turns.
 *
 * The file is looked at, and read only when it is another one. What is measured is how long we have seen nothing new: clocks that are
 * set, and pauses of ours, make nobody look stalled. Times are monotonic. Thread: one at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_WATCH_H
#define TAIN_SERVE_SUPERVISOR_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/time.h"

enum { TAIN_WATCH_BEATS = 8 };

typedef struct tain_watch_beat {
    char      name[24], time[40];
    tain_time since; /* when it was first seen so */
} tain_watch_beat;

typedef struct tain_watch {
    char           *path;
    pid_t           pid;     /* of whom we wait for; 0: nobody runs */
    uint64_t        before;  /* which file was there when the run began */
    uint64_t        seen;    /* which was read last */
    tain_time       changed; /* when another one was last seen, or the run began */
    tain_time       looked;
    json_t         *status;  /* what it says; of another run if !is_own; NULL: nothing */
    bool            is_own, is_new;
    char           *from;    /* the position before the run; NULL: none, or not known */
    tain_watch_beat beats[TAIN_WATCH_BEATS];
} tain_watch;

void tain_watch_init(tain_watch *w, const char *lake);
void tain_watch_done(tain_watch *w);
/* Another process is watched (0: none). is_new: it is started only now, so that what is there already is not its own, whatever its
 * number; else it is if it says so. */
void tain_watch_begin(tain_watch *w, pid_t pid, bool is_new, tain_time now);
/* True: there is something new. */
bool tain_watch_look(tain_watch *w, tain_time now);
/* Whether the run has brought the mirror further than it was: a later position is in its lake. */
bool tain_watch_advanced(const tain_watch *w);
/* What does not turn any more and since when: "status", which is other at least every `silence`, or the name of a loop, which turns round in
 * twice that, or "start": in ten times that it has shown nothing at all. NULL: all does. */
const char *tain_watch_stall(const tain_watch *w, tain_time now, tain_time silence, tain_time *ret_since);
/* Why the run ended, if it says so, be it before it had shown anything else. *ret_for_us: it is no use to begin again before somebody acts. */
bool tain_watch_end(const tain_watch *w, tain_error *ret, bool *ret_for_us);

/* What a status means once nobody runs: tables that something was done to are Stopped, and how things go on is not known. NULL for NULL. */
json_t *tain_watch_at_rest(const json_t *status);

/* What it comes to; below 0: not known. Times in microseconds. */
typedef struct tain_digest {
    int64_t     lag, latency, rows, bytes, retained;
    int64_t     failed; /* tables */
    bool        opening, running, loading; /* before it has its source and lake; it follows; tables are being loaded */
    const char *level, *level_reason, *level_remedy; /* of the source's log: "ok"; borrowed, NULL: not known */
} tain_digest;
tain_digest tain_watch_digest(const json_t *status);

#endif
