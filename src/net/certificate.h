/* SPDX-License-Identifier: MIT */
/* certificate.h -- keys and X.509 certificates (RFC 5280), as PEM text. Keys are EC P-256. Thread: any. */
#ifndef TAIN_NET_CERTIFICATE_H
#define TAIN_NET_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"

/* For servers: DNS names, or IP addresses in their text. */
typedef struct tain_certificate_names {
    const char *const *names;
    size_t             count;
} tain_certificate_names;

tain_status tain_certificate_key(EVP_PKEY **ret, tain_error *err);
/* An authority that certifies servers alone, of itself. */
tain_status tain_certificate_authority(EVP_PKEY *key, const char *name, tain_time life, X509 **ret, tain_error *err);
/* INVALID names what is neither a DNS name nor an address. */
tain_status tain_certificate_server(EVP_PKEY *key, tain_certificate_names names, tain_time life, X509 *authority, EVP_PKEY *authority_key,
                                    X509 **ret, tain_error *err);

/* Whether it is for these names, no more and no less. */
bool tain_certificate_has_names(X509 *certificate, tain_certificate_names names);
/* Whether it is signed by that key, and holds yet for that long. */
bool tain_certificate_holds(X509 *certificate, EVP_PKEY *signer, tain_time yet);

/* Appended as PEM text. */
tain_status tain_certificate_write(X509 *certificate, tain_buffer *out, tain_error *err);
tain_status tain_certificate_write_key(EVP_PKEY *key, tain_buffer *out, tain_error *err);
/* The first of the kind in the text; INVALID: there is none. what names it in errors. */
tain_status tain_certificate_read(tain_slice text, const char *what, X509 **ret, tain_error *err);
tain_status tain_certificate_read_key(tain_slice text, const char *what, EVP_PKEY **ret, tain_error *err);

#endif
