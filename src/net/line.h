/* SPDX-License-Identifier: MIT */
/* line.h -- the connections of a server, and how long each may take for what it is at.
 *
 * A line waits for a request, which arrives, is handled and replied to; then it waits again. Waiting, arriving and replying have a
 * deadline, behind which a thread of ours cuts the line. Handling has none. A line is its connection's thread's, but for what
 * the lock guards. */
#ifndef TAIN_NET_LINE_H
#define TAIN_NET_LINE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/time.h"
#include "net/peer.h"

enum { TAIN_LINE_RATE = 64 << 10 }; /* bytes a second that are fast enough at any size */

typedef enum tain_line_phase { TAIN_LINE_WAITING, TAIN_LINE_ARRIVING, TAIN_LINE_HANDLING, TAIN_LINE_REPLYING } tain_line_phase;

typedef struct tain_line {
    struct tain_line *next, *before;
    struct tain_lines *all;
    int               fd; /* borrowed */
    tain_line_phase   phase;    /* locked, as is the deadline */
    tain_time         deadline; /* monotonic */
    char              peer[TAIN_PEER_TEXT], network[TAIN_PEER_TEXT];
    bool              loopback;
    bool              spare; /* there were enough when it came */
    uid_t             uid;
} tain_line;

typedef struct tain_lines {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    pthread_t       watch;
    tain_line      *first;
    size_t          count, most, each; /* each: of one network */
    tain_time       patience;
    bool            plain;    /* who is cut can be told so: there is no TLS */
    _Atomic bool    stopping; /* no request begins */
} tain_lines;

void tain_lines_init(tain_lines *all, size_t most, size_t each, tain_time patience, bool plain);
void tain_lines_done(tain_lines *all); /* no line is left */
/* Nothing begins any more. Returns when nothing is handled, nor replied to, for which there are five seconds. */
void tain_lines_drain(tain_lines *all);

/* One of a network that has enough of them is cut at once. */
tain_line *tain_line_open(tain_lines *all, int fd);
void       tain_line_close(tain_lines *all, tain_line *l); /* before its socket is closed */

/* bytes: how many are to be sent in that phase. False: the server stops, and it does not begin. */
bool tain_line_enter(tain_lines *all, tain_line *l, tain_line_phase phase, size_t bytes);
/* So many bytes have arrived, for which some time is given. */
void tain_line_progress(tain_lines *all, tain_line *l, size_t bytes);

#endif
