/* SPDX-License-Identifier: MIT */
/* listen.h -- where the service listens: addresses read, judged and opened. */
#ifndef TAIN_SERVE_LISTEN_H
#define TAIN_SERVE_LISTEN_H

#include <stdbool.h>

#include "net/http.h"
#include "net/tls.h"

typedef struct tain_listen {
    char    *host;     /* as written: "127.0.0.1", "::1", "localhost" */
    uint16_t port;
    bool     tls;
    bool     loopback; /* nobody beyond this machine reaches it */
} tain_listen;

/* "host:port", "http://host:port", "https://[::1]:8443". INVALID; CONFIG: beyond loopback without TLS. */
tain_status tain_listen_read(const char *text, tain_listen *ret, tain_error *err);
void        tain_listen_done(tain_listen *l);
/* "https://host:port", with the port that was given to it. Caller frees. */
char       *tain_listen_url(const tain_listen *l, uint16_t port);

#endif
