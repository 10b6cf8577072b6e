/* SPDX-License-Identifier: MIT */
#include "net/credential.h"

#include <openssl/x509.h>
#include <string.h>

#include "base/memory.h"
#include "net/certificate.h"

/* GnuTLS would take what does not fit together, and fail at every handshake. */
static tain_status check_pair(const char *cert, const char *key, tain_error *err)
{
    X509       *c = NULL;
    EVP_PKEY   *k = NULL;
    tain_status st = tain_certificate_read((tain_slice){(const uint8_t *)cert, strlen(cert)}, "the certificate is no PEM text", &c, err);
    if (st == TAIN_OK) st = tain_certificate_read_key((tain_slice){(const uint8_t *)key, strlen(key)}, "the key is no PEM text", &k, err);
    bool fit = st == TAIN_OK && X509_check_private_key(c, k) == 1;
    X509_free(c);
    EVP_PKEY_free(k);
    if (st != TAIN_OK && err) err->code = TAIN_E_CONFIG;
    if (st != TAIN_OK) return TAIN_E_CONFIG;
    return fit ? TAIN_OK : tain_fail(err, TAIN_E_CONFIG, "the key is not that of the certificate");
}

static int load(tain_credential *c, const char *cert, const char *key)
{
    const gnutls_datum_t chain = {(unsigned char *)cert, (unsigned)strlen(cert)}, secret = {(unsigned char *)key, (unsigned)strlen(key)};
    unsigned             n = TAIN_CREDENTIAL_CHAIN;
    int                  code = gnutls_pcert_list_import_x509_raw(c->chain, &n, &chain, GNUTLS_X509_FMT_PEM, 0);
    if (code < 0) return code;
    c->count = n;
    code = gnutls_privkey_init(&c->key);
    return code < 0 ? code : gnutls_privkey_import_x509_raw(c->key, &secret, GNUTLS_X509_FMT_PEM, NULL, 0);
}

tain_status tain_credential_make(const char *cert, const char *key, tain_credential **ret, tain_error *err)
{
    if (!cert || !key) return tain_fail(err, TAIN_E_CONFIG, "TLS needs a certificate and its key");
    TAIN_TRY(check_pair(cert, key, err));
    tain_credential *c = tain_alloc(sizeof *c);
    int              code = load(c, cert, key);
    if (code < 0) {
        tain_credential_free(c);
        return tain_fail(err, TAIN_E_CONFIG, "the certificate and key cannot be used: %s", gnutls_strerror(code));
    }
    *ret = c;
    return TAIN_OK;
}

void tain_credential_free(tain_credential *c)
{
    while (c) {
        tain_credential *before = c->before;
        for (unsigned i = 0; i < c->count; i++) gnutls_pcert_deinit(&c->chain[i]);
        if (c->key) gnutls_privkey_deinit(c->key);
        tain_free(c);
        c = before;
    }
}
