/* SPDX-License-Identifier: MIT */
/* net_fixture.h -- a server for each test, whose handler tells what it was asked, and clients that write what they like. */
#ifndef TAIN_UNIT_NET_FIXTURE_H
#define TAIN_UNIT_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "net/http.h"

static tain_error        err;
static tain_http_server *server;

#ifndef assert_ok /* control_fixture.h has them too */
#define assert_ok(call)                                                                                    \
    do {                                                                                                   \
        tain_status st_ = (call);                                                                          \
        if (st_ != TAIN_OK) fail_msg("%s: %s: %s", #call, tain_status_name(st_), err.message);             \
    } while (0)
#define assert_fails(call, status, text)                                                                   \
    do {                                                                                                   \
        assert_int_equal(call, status);                                                                    \
        if (!strstr(err.message, text)) fail_msg("%s: does not say '%s': %s", #call, text, err.message);   \
    } while (0)
#endif
#define assert_has(text, part)                                                                             \
    do {                                                                                                   \
        if (!strstr(text, part)) fail_msg("there is no '%s' in: %s", part, text);                          \
    } while (0)

static inline void serve(tain_http_options o)
{
    if (!o.address) o.address = "127.0.0.1";
    assert_ok(tain_http_serve(&o, &server, &err));
}

static inline int teardown(void **state)
{
    tain_http_stop(server);
    server = NULL;
    return 0;
}

static inline int dial(void)
{
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(tain_http_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What comes until there is `end` in it (NULL: until the other side closes), within ten seconds. */
static inline const char *hear(int fd, const char *end)
{
    static char   text[1 << 20];
    size_t        n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    text[0] = 0;
    while (n + 1 < sizeof text && !(end && strstr(text, end))) {
        if (poll(&p, 1, 10000) != 1) fail_msg("nothing more came behind: %s", text);
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = 0;
    }
    return text;
}

/* A whole exchange of its own; the request should say Connection: close, or be such that the server closes. */
static inline const char *ask(const char *request)
{
    int fd = dial();
    say(fd, request);
    const char *answer = hear(fd, NULL);
    close(fd);
    return answer;
}

static inline const char *get(const char *target)
{
    char request[4096];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", target);
    return ask(request);
}

#endif
