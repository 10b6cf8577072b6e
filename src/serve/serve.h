/* SPDX-License-Identifier: MIT */
/* serve.h -- the service: control database, supervisor, REST and page, from start to stop. */
#ifndef TAIN_SERVE_SERVE_H
#define TAIN_SERVE_SERVE_H

#include "base/error.h"
#include "base/time.h"

typedef struct tain_serve_options {
    const char        *home;     /* folder of what the service keeps */
    const char        *lake;     /* folder in which lakes of new mirrors are made; NULL: HOME/lake */
    const char        *key_file; /* NULL: HOME/control.key */
    const char *const *listen;   /* "127.0.0.1:8080", "https://0.0.0.0:8443"; NULL: the first of these */
    const char *const *hosts;    /* names by which clients know us: in certificates, and let through by the check of Host */
    const char        *tls_cert, *tls_key; /* files, both; NULL: a certificate of an authority of our own in HOME/tls */
    const char        *public_url; /* NULL: as each client addresses us */
    const char        *issuer, *issuer_ca;
    const char *const *audiences;
    const char *const *webhooks; /* where alarms are told (webhook.h) */
    tain_time          keep_records, keep_audit; /* how long records of executions and the audit log are kept; 0: 30 days, 90 days */
    bool               unmonitored; /* there is no mirror of the records of executions */
    bool               strict;   /* credentials are asked for on loopback, too */
    void (*say)(const char *line);
} tain_serve_options;

/* Runs until tain_serve_stop. Writes HOME/service.json: {"url","ca","pid"}, by which commands on this machine find it, and
 * removes it at its end. CONFIG: an address beyond loopback without TLS. */
tain_status tain_serve_run(const tain_serve_options *o, tain_error *err);
/* Asks it to stop, the workers too. Signal-safe. */
void tain_serve_stop(void);
/* Looks now, and not only within the hour, whether there is another certificate. Signal-safe. */
void tain_serve_look(void);

#endif
