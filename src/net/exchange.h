/* SPDX-License-Identifier: MIT */
/* exchange.h -- a request from its first line to the end of its reply, by the calls of libmicrohttpd. */
#ifndef TAIN_NET_EXCHANGE_H
#define TAIN_NET_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "net/credential.h"
#include "net/http.h"
#include "net/line.h"
#include "net/target.h"

struct tain_http_server {
    tain_http_options  options; /* without texts, and with defaults put in */
    tain_lines         lines;
    _Atomic size_t     gathered; /* bytes of bodies held now */
    _Atomic(tain_credential *) credential; /* NULL: no TLS */
    struct MHD_Daemon *daemon;
    int                fd;
    uint16_t           port;
};

typedef struct tain_exchange {
    tain_http_server      *server;
    struct MHD_Connection *connection;
    tain_line             *line;
    tain_http_target       target;
    tain_http_arguments    form; /* the body's, once somebody asked */
    bool                   has_form;
    tain_http_request      request;
    tain_buffer            body;
    int                    refused; /* status; 0: not, as yet */
    const char            *why;
    bool                   begun;   /* its head is there */
    bool                   unread;  /* answered before its body was read */
} tain_exchange;

/* ctx: the server. The first gives what the others have as *io. */
void           *tain_exchange_begin(void *ctx, const char *target, struct MHD_Connection *c);
enum MHD_Result tain_exchange_go_on(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data,
                                    size_t *io_size, void **io);
void            tain_exchange_end(void *ctx, struct MHD_Connection *c, void **io, enum MHD_RequestTerminationCode code);

#endif
