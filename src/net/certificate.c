/* SPDX-License-Identifier: MIT */
#include "net/certificate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define CLOCKS_DIFFER 3600 /* seconds that it holds already when it is made */

/* What OpenSSL says, of which a thread keeps a list. */
static tain_status fail(tain_error *err, tain_status code, const char *what)
{
    char          text[256] = "";
    unsigned long e = ERR_peek_last_error();
    if (e) ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    return tain_fail(err, code, "%s%s%s", what, e ? ": " : "", text);
}

tain_status tain_certificate_key(EVP_PKEY **ret, tain_error *err)
{
    *ret = EVP_EC_gen("P-256");
    return *ret ? TAIN_OK : fail(err, TAIN_E_INTERNAL, "a key could not be made");
}

/* --- what a certificate says --------------------------------------------------------------------------------------- */

static bool set_serial(X509 *c)
{
    BIGNUM *n = BN_new();
    bool    ok = n && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
    BN_free(n);
    return ok;
}

static bool set_subject(X509 *c, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(c);
    char       common[65]; /* ub-common-name */
    snprintf(common, sizeof common, "%s", name);
    return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const uint8_t *)"tain", -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)common, -1, -1, 0);
}

static bool set_life(X509 *c, tain_time life)
{
    return X509_gmtime_adj(X509_getm_notBefore(c), -CLOCKS_DIFFER) && X509_gmtime_adj(X509_getm_notAfter(c), (long)(life / TAIN_SECOND));
}

static bool add_extension(X509 *c, X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, what, value);
    bool            ok = e && X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static X509 *begin(EVP_PKEY *key, const char *name, tain_time life)
{
    X509 *c = X509_new();
    if (c && X509_set_version(c, X509_VERSION_3) && set_serial(c) && set_subject(c, name) && set_life(c, life) && X509_set_pubkey(c, key)) return c;
    X509_free(c);
    return NULL;
}

/* --- authority ----------------------------------------------------------------------------------------------------- */

static bool finish_authority(X509 *c, EVP_PKEY *key)
{
    return X509_set_issuer_name(c, X509_get_subject_name(c)) && add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") && add_extension(c, c, NID_subject_key_identifier, "hash") &&
           add_extension(c, c, NID_ext_key_usage, "serverAuth") && X509_sign(c, key, EVP_sha256());
}

tain_status tain_certificate_authority(EVP_PKEY *key, const char *name, tain_time life, X509 **ret, tain_error *err)
{
    X509 *c = begin(key, name, life);
    if (!c || !finish_authority(c, key)) {
        X509_free(c);
        return fail(err, TAIN_E_INTERNAL, "a certificate authority could not be made");
    }
    *ret = c;
    return TAIN_OK;
}

/* --- names --------------------------------------------------------------------------------------------------------- */

/* Bytes of an address, 0: it is none. */
static size_t address_of(const char *name, uint8_t ret[static 16])
{
    if (inet_pton(AF_INET, name, ret) == 1) return 4;
    return inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

static bool is_dns_name(const char *name)
{
    const char *label = name + (strncmp(name, "*.", 2) == 0 ? 2 : 0);
    size_t      n = strlen(name);
    if (n == 0 || n > 253) return false;
    for (const char *p = label;; p++) {
        if (isalnum((unsigned char)*p) || *p == '-' || *p == '_') continue;
        if (p == label || p - label > 63 || (*p && *p != '.')) return false;
        if (!*p) return true;
        label = p + 1;
    }
}

static GENERAL_NAME *general_name(const char *name)
{
    uint8_t            address[16];
    const size_t       n = address_of(name, address);
    GENERAL_NAME      *g = GENERAL_NAME_new();
    ASN1_OCTET_STRING *s = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    if (!g || !s || !ASN1_STRING_set(s, n ? (const void *)address : name, n ? (int)n : (int)strlen(name))) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, n ? GEN_IPADD : GEN_DNS, s);
    return g;
}

static bool add_names(X509 *c, tain_certificate_names names)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool           ok = all != NULL;
    for (size_t i = 0; ok && i < names.count; i++) {
        GENERAL_NAME *one = general_name(names.names[i]);
        ok = one && sk_GENERAL_NAME_push(all, one);
        if (!ok) GENERAL_NAME_free(one);
    }
    ok = ok && X509_add1_ext_i2d(c, NID_subject_alt_name, all, 0, 0) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

static tain_status check_names(tain_certificate_names names, tain_error *err)
{
    uint8_t address[16];
    if (names.count == 0) return tain_fail(err, TAIN_E_INVALID, "a certificate needs a name");
    for (size_t i = 0; i < names.count; i++) {
        if (!address_of(names.names[i], address) && !is_dns_name(names.names[i]))
            return tain_fail(err, TAIN_E_INVALID, "'%.100s' is neither a DNS name nor an address", names.names[i]);
    }
    return TAIN_OK;
}

static bool same_name(const GENERAL_NAME *g, const char *name)
{
    uint8_t            address[16];
    const size_t       n = address_of(name, address);
    int                type;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
    if (type != (n ? GEN_IPADD : GEN_DNS)) return false;
    const size_t size = (size_t)ASN1_STRING_length(s);
    if (n) return size == n && memcmp(ASN1_STRING_get0_data(s), address, n) == 0;
    return size == strlen(name) && strncasecmp((const char *)ASN1_STRING_get0_data(s), name, size) == 0;
}

static bool has_name(GENERAL_NAMES *all, const char *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        if (same_name(sk_GENERAL_NAME_value(all, i), name)) return true;
    }
    return false;
}

bool tain_certificate_has_names(X509 *certificate, tain_certificate_names names)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool           same = all && (size_t)sk_GENERAL_NAME_num(all) == names.count;
    for (size_t i = 0; same && i < names.count; i++) same = has_name(all, names.names[i]);
    GENERAL_NAMES_free(all);
    return same;
}

/* --- server -------------------------------------------------------------------------------------------------------- */

static bool finish_server(X509 *c, tain_certificate_names names, X509 *authority, EVP_PKEY *authority_key)
{
    return X509_set_issuer_name(c, X509_get_subject_name(authority)) && add_extension(c, authority, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(c, authority, NID_key_usage, "critical,digitalSignature") && add_extension(c, authority, NID_ext_key_usage, "serverAuth") &&
           add_extension(c, authority, NID_subject_key_identifier, "hash") && add_extension(c, authority, NID_authority_key_identifier, "keyid") &&
           add_names(c, names) && X509_sign(c, authority_key, EVP_sha256());
}

tain_status tain_certificate_server(EVP_PKEY *key, tain_certificate_names names, tain_time life, X509 *authority, EVP_PKEY *authority_key,
                                    X509 **ret, tain_error *err)
{
    TAIN_TRY(check_names(names, err));
    X509 *c = begin(key, names.names[0], life);
    if (!c || !finish_server(c, names, authority, authority_key)) {
        X509_free(c);
        return fail(err, TAIN_E_INTERNAL, "a certificate could not be made");
    }
    *ret = c;
    return TAIN_OK;
}

bool tain_certificate_holds(X509 *certificate, EVP_PKEY *signer, tain_time yet)
{
    time_t later = (time_t)((tain_now() + yet) / TAIN_SECOND);
    bool   holds = X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 && X509_cmp_time(X509_get0_notAfter(certificate), &later) > 0 &&
                 X509_verify(certificate, signer) == 1;
    ERR_clear_error();
    return holds;
}

/* --- PEM ----------------------------------------------------------------------------------------------------------- */

static tain_status take(BIO *bio, int written, tain_buffer *out, tain_error *err)
{
    char *data;
    long  n = written ? BIO_get_mem_data(bio, &data) : 0;
    if (n > 0) tain_buffer_append(out, data, (size_t)n);
    BIO_free(bio);
    return n > 0 ? TAIN_OK : fail(err, TAIN_E_INTERNAL, "PEM could not be written");
}

tain_status tain_certificate_write(X509 *certificate, tain_buffer *out, tain_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take(bio, bio && PEM_write_bio_X509(bio, certificate), out, err);
}

tain_status tain_certificate_write_key(EVP_PKEY *key, tain_buffer *out, tain_error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    return take(bio, bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), out, err);
}

/* Without one, OpenSSL would ask for a password on the terminal. */
static int no_password(char *out, int size, int writing, void *what)
{
    return -1;
}

tain_status tain_certificate_read(tain_slice text, const char *what, X509 **ret, tain_error *err)
{
    BIO  *bio = BIO_new_mem_buf(text.data, (int)text.size);
    X509 *c = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!c) return fail(err, TAIN_E_INVALID, what);
    *ret = c;
    return TAIN_OK;
}

tain_status tain_certificate_read_key(tain_slice text, const char *what, EVP_PKEY **ret, tain_error *err)
{
    BIO      *bio = BIO_new_mem_buf(text.data, (int)text.size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!key) return fail(err, TAIN_E_INVALID, what);
    *ret = key;
    return TAIN_OK;
}
