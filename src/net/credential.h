/* SPDX-License-Identifier: MIT */
/* credential.h -- the certificate and key that a TLS server shows, for GnuTLS. Never changed once made. Thread: any. */
#ifndef TAIN_NET_CREDENTIAL_H
#define TAIN_NET_CREDENTIAL_H

#include <gnutls/abstract.h>

#include "base/error.h"

enum { TAIN_CREDENTIAL_CHAIN = 16 };

typedef struct tain_credential {
    struct tain_credential *before; /* what was shown before, which handshakes may still be at */
    gnutls_pcert_st         chain[TAIN_CREDENTIAL_CHAIN];
    unsigned                count;
    gnutls_privkey_t        key;
} tain_credential;

/* From PEM texts. CONFIG: they are none, or do not belong together. */
tain_status tain_credential_make(const char *cert, const char *key, tain_credential **ret, tain_error *err);
/* With all before it; accepts NULL. */
void        tain_credential_free(tain_credential *c);

#endif
