/* SPDX-License-Identifier: MIT */
#include "net/line.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/memory.h"

#define LAST (5 * TAIN_SECOND) /* for a reply, when the server stops */

/* --- cutting ------------------------------------------------------------------------------------------------------- */

static bool is_busy(const tain_line *l)
{
    return l->phase == TAIN_LINE_HANDLING || l->phase == TAIN_LINE_REPLYING;
}

/* The connection's thread sees the end of it, and cleans up. While a request arrives nobody else sends. */
static void cut(const tain_lines *all, tain_line *l)
{
    static const char end[] = "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    char              text[120];
    int               n = snprintf(text, sizeof text, "HTTP/1.1 %s%s", all->stopping ? "503 Service Unavailable" : "408 Request Timeout", end);
    if (all->plain && l->phase == TAIN_LINE_ARRIVING) (void)!send(l->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(l->fd, SHUT_RDWR);
    l->deadline = INT64_MAX;
}

static void look(tain_lines *all, tain_time now)
{
    for (tain_line *l = all->first; l; l = l->next) {
        if (l->deadline <= now || (all->stopping && !is_busy(l) && l->deadline != INT64_MAX)) cut(all, l);
    }
}

static void *watch(void *arg)
{
    tain_lines *all = arg;
    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct timespec until;
        look(all, tain_monotonic());
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&all->changed, &all->lock, &until);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* --- all of them --------------------------------------------------------------------------------------------------- */

void tain_lines_init(tain_lines *all, size_t most, size_t each, tain_time patience, bool plain)
{
    pthread_condattr_t monotonic;
    *all = (tain_lines){.most = most, .each = each, .patience = patience, .plain = plain};
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_create(&all->watch, NULL, watch, all);
}

/* Who takes its reply slowly does not keep the server from stopping for as long. */
static tain_time at_last(const tain_lines *all)
{
    return tain_monotonic() + (all->patience < LAST ? all->patience : LAST);
}

static void hurry(tain_lines *all)
{
    const tain_time last = at_last(all);
    for (tain_line *l = all->first; l; l = l->next) {
        if (l->phase == TAIN_LINE_REPLYING && l->deadline > last) l->deadline = last;
    }
}

static bool any_busy(const tain_lines *all)
{
    for (const tain_line *l = all->first; l; l = l->next) {
        if (is_busy(l)) return true;
    }
    return false;
}

void tain_lines_drain(tain_lines *all)
{
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    hurry(all);
    pthread_cond_broadcast(&all->changed);
    while (look(all, tain_monotonic()), any_busy(all)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&all->changed, &all->lock, &until);
    }
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->watch, NULL);
}

void tain_lines_done(tain_lines *all)
{
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
}

/* --- one ----------------------------------------------------------------------------------------------------------- */

static size_t lines_of(const tain_lines *all, const char *network)
{
    size_t n = 0;
    for (const tain_line *l = all->first; l; l = l->next) n += strcmp(l->network, network) == 0;
    return n;
}

tain_line *tain_line_open(tain_lines *all, int fd)
{
    tain_line              *l = tain_alloc(sizeof *l);
    struct sockaddr_storage a = {0};
    socklen_t               n = sizeof a;
    if (getpeername(fd, (struct sockaddr *)&a, &n)) a.ss_family = AF_UNSPEC;
    tain_peer_text((struct sockaddr *)&a, l->peer);
    l->all = all;
    l->fd = fd;
    l->loopback = tain_peer_is_loopback((struct sockaddr *)&a);
    l->uid = l->loopback ? tain_peer_uid(fd) : (uid_t)-1;
    tain_peer_network(l->peer, l->network);
    pthread_mutex_lock(&all->lock);
    l->deadline = tain_monotonic() + all->patience;
    if (lines_of(all, l->network) >= all->each) cut(all, l);
    l->next = all->first;
    if (l->next) l->next->before = l;
    all->first = l;
    l->spare = all->count++ >= all->most;
    pthread_mutex_unlock(&all->lock);
    return l;
}

void tain_line_close(tain_lines *all, tain_line *l)
{
    pthread_mutex_lock(&all->lock);
    if (l->next) l->next->before = l->before;
    if (l->before) l->before->next = l->next;
    else all->first = l->next;
    all->count--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    tain_free(l);
}

bool tain_line_enter(tain_lines *all, tain_line *l, tain_line_phase phase, size_t bytes)
{
    pthread_mutex_lock(&all->lock);
    bool refused = all->stopping && phase == TAIN_LINE_HANDLING;
    if (!refused) l->phase = phase;
    if (phase == TAIN_LINE_HANDLING) l->deadline = INT64_MAX;
    else if (all->stopping) l->deadline = at_last(all);
    else l->deadline = tain_monotonic() + all->patience + (tain_time)(bytes / TAIN_LINE_RATE) * TAIN_SECOND;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return !refused;
}

void tain_line_progress(tain_lines *all, tain_line *l, size_t bytes)
{
    pthread_mutex_lock(&all->lock);
    if (l->deadline != INT64_MAX) l->deadline += (tain_time)bytes * TAIN_SECOND / TAIN_LINE_RATE;
    pthread_mutex_unlock(&all->lock);
}
