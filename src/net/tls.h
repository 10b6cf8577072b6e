/* SPDX-License-Identifier: MIT */
/* tls.h -- who a server says it is: a certificate given, or one of a private authority of its own in a folder.
 *
 * The authority (`ca.pem`, `ca.key`) is made once and stays, so that clients need to trust it once; the server's certificate
 * (`server.pem`, `server.key`) is made anew when its names change or its time runs out. Keys are readable by their owner alone. */
#ifndef TAIN_NET_TLS_H
#define TAIN_NET_TLS_H

#include "base/error.h"

typedef struct tain_identity {
    char *cert, *key; /* PEM; the certificate with those above it */
    char *ca_file;    /* what clients must trust; NULL: the certificate was given */
} tain_identity;

/* names: host names and addresses it is reached by, NULL-terminated. */
tain_status tain_identity_own(const char *folder, const char *const *names, tain_identity *ret, tain_error *err);
tain_status tain_identity_given(const char *cert_file, const char *key_file, tain_identity *ret, tain_error *err);
void        tain_identity_done(tain_identity *i);

#endif
