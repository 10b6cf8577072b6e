/* SPDX-License-Identifier: MIT */
/* connection.h -- how sources are reached: an address without its password, and the password apart.
 *
 * A secret is `env:NAME` or `file:PATH`, of which only that reference is kept, or anything else, which is sealed (seal.h), bound
 * to the connection's id and address. No error, list or log shows one. Names are unique in the service.
 *
 * Whoever may make a connection with a reference may send any file that the service can read to a server of theirs: that is an
 * administrator's to do, and the caller's to see to. A new address needs the secret anew for the same reason. */
#ifndef TAIN_CONTROL_CONNECTION_H
#define TAIN_CONTROL_CONNECTION_H

#include "base/time.h"
#include "control/control.h"

typedef struct tain_control_connection {
    char     *id, *name;
    char     *url;       /* without password */
    char     *reference; /* env:NAME or file:PATH; NULL: the secret is none of these */
    bool      sealed;    /* there is a sealed secret */
    tain_time created, changed;
    tain_time pointed;   /* when address or secret were last given */
    bool      trusted;   /* its address may be sent what the service's user has for it: a password file, certificates */
} tain_control_connection;

typedef struct tain_control_connections {
    tain_control_connection *rows;
    size_t                   count;
    char                    *next;
} tain_control_connections;

/* secret NULL: none is needed. INVALID: the URL has a password in it. CONFIG, PERMISSION: the key file, which is named. */
tain_status tain_control_connection_add(tain_control *c, const char *name, const char *url, const char *secret, char ret_id[static 37],
                                        tain_error *err);
tain_status tain_control_connection_rename(tain_control *c, const char *id, const char *name, tain_error *err);
/* The address and its secret (NULL: none is needed any more), together. */
tain_status tain_control_connection_repoint(tain_control *c, const char *id, const char *url, const char *secret, tain_error *err);
/* Another secret for the same address. */
tain_status tain_control_connection_rotate(tain_control *c, const char *id, const char *secret, tain_error *err);
/* An administrator gave that address: from now on it is trusted, until it gets another. NOT_FOUND: it has another by now. */
tain_status tain_control_connection_trust(tain_control *c, const char *id, const char *url, tain_error *err);
tain_status tain_control_connection_remove(tain_control *c, const char *id, tain_error *err);

tain_status tain_control_connection_get(tain_control *c, const char *id, tain_control_connection *ret, tain_error *err);
tain_status tain_control_connection_find(tain_control *c, const char *name, tain_control_connection *ret, tain_error *err);
tain_status tain_control_connection_list(tain_control *c, tain_control_page page, tain_control_connections *ret, tain_error *err);

/* The secret itself, opened or looked up now; NULL: none is needed. Caller frees by tain_control_secret_free. CORRUPT: what is stored was altered;
 * CONFIG, PERMISSION: the key file, or what a reference names. */
tain_status tain_control_connection_secret(tain_control *c, const char *id, char **ret, tain_error *err);
/* Wipes it first. NULL is fine. */
void        tain_control_secret_free(char *secret);

void tain_control_connection_done(tain_control_connection *n);
void tain_control_connections_done(tain_control_connections *n);

#endif
