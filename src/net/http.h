/* SPDX-License-Identifier: MIT */
/* http.h -- an HTTP/1.1 server: requests taken whole and checked before anybody sees them.
 *
 * Each connection has a thread of its own, so a handler may wait; how many there are in all, and from one address, is bounded,
 * and so are the size and the time that a request may take to arrive. What does not hold to that is answered here (400, 408, 413,
 * 414, 431, 503). A path reaches a handler percent-decoded once, but for / and % inside of a segment, which are %2F and %25, beginning with '/',
 * without NUL, empty, "." or ".." segments. */
#ifndef TAIN_NET_HTTP_H
#define TAIN_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct tain_http_server tain_http_server;

/* Borrowed by the handler for the time of its call. */
typedef struct tain_http_request {
    const char *method;   /* "GET"; a HEAD comes as it is, and what is answered to it is sent without body */
    const char *path;
    tain_slice  body;     /* whole; empty without one */
    const char *host;     /* as the client wrote it, "name:port"; "" when it sent none */
    char        peer[64]; /* address of the client, without port */
    bool        loopback; /* the client is on this machine, by its address */
    bool        secure;   /* over TLS */
    uid_t       peer_uid; /* of the process at the other end, when loopback and found out; (uid_t)-1 else */
    void       *connection; /* ours */
} tain_http_request;

/* NULL: there is none. Names of headers in any case; arguments of the query and cookies in theirs. */
const char *tain_http_query(const tain_http_request *q, const char *name);
const char *tain_http_header(const tain_http_request *q, const char *name);
const char *tain_http_cookie(const tain_http_request *q, const char *name);
/* A field of the body, which is a form (application/x-www-form-urlencoded). */
const char *tain_http_form(const tain_http_request *q, const char *name);
/* "/path?query" of the request, the argument of that name being another. Caller frees. */
char       *tain_http_target_again(const tain_http_request *q, const char *name, const char *value);
/* The server is to end, and waits for this handler: what takes long is to be given up. */
bool        tain_http_stopping(const tain_http_request *q);

typedef struct tain_http_field { char *name, *value; } tain_http_field;

/* What to answer; begins as 200 without a body. */
typedef struct tain_http_reply {
    int              status;
    const char      *type;   /* Content-Type, static; NULL: application/octet-stream */
    tain_buffer      body;
    tain_slice       fixed;  /* in place of body: bytes that stay for ever, which are not copied */
    tain_http_field *fields;
    size_t           count;
} tain_http_reply;

/* Another header; several of one name are sent each. */
void tain_http_reply_add(tain_http_reply *p, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Thread: that of the connection; several at a time. */
typedef void (*tain_http_handler)(void *ctx, const tain_http_request *q, tain_http_reply *p);

typedef struct tain_http_options {
    const char       *address;  /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t          port;     /* 0: any that is free */
    const char       *cert, *key; /* PEM text, both, for TLS; NULL: none */
    size_t            body_most; /* bytes; 0: 16 MiB */
    unsigned          connections, connections_each; /* in all, from one address (a /64 in IPv6); 0: 512, 128 */
    unsigned          patience; /* seconds for a request to arrive, and of silence; 0: 30 */
    tain_http_handler handle;
    /* Words what is refused here: p->status says as what, why in one sentence; q has no path when that was it. NULL: plain text. */
    void            (*refuse)(void *ctx, const tain_http_request *q, const char *why, tain_http_reply *p);
    void             *ctx;
} tain_http_options;

/* UNAVAILABLE, PERMISSION: the address cannot be listened on; CONFIG: certificate and key. */
tain_status tain_http_serve(const tain_http_options *o, tain_http_server **ret, tain_error *err);
uint16_t    tain_http_port(const tain_http_server *s);
/* Another certificate and key from now on; connections that there are stay as they are. CONFIG: what serve would have refused, or the
 * server was begun without TLS; nothing has changed then. */
tain_status tain_http_renew(tain_http_server *s, const char *cert, const char *key, tain_error *err);
/* Takes no more, waits for what is being answered: for as long as handlers take, which can know of it (tain_http_stopping),
 * and five seconds for who reads a reply slowly. NULL is fine. */
void        tain_http_stop(tain_http_server *s);

#endif
