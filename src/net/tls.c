/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "net/certificate.h"

#define DAY (24 * 3600 * TAIN_SECOND)
#define AUTHORITY_LIFE (20 * 365 * DAY)
#define SERVER_LIFE (397 * DAY) /* more than that is refused by some clients */
#define RENEWED_BEFORE (30 * DAY)

enum { FILE_MOST = 1 << 20, SECRET = 0600, PUBLIC = 0644 };

/* --- files --------------------------------------------------------------------------------------------------------- */

static void done_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void done_certificate(X509 **c)
{
    X509_free(*c);
}

#define AUTO_KEY __attribute__((cleanup(done_key))) EVP_PKEY
#define AUTO_CERTIFICATE __attribute__((cleanup(done_certificate))) X509

/* A key that others can read is refused: it may have been. */
static tain_status check_mode(int fd, const char *path, mode_t mode, tain_error *err)
{
    struct stat st;
    if (fstat(fd, &st)) return tain_fail_errno(err, "%s", path);
    if (!(st.st_mode & 0777 & ~mode)) return TAIN_OK;
    tain_status failed = tain_fail(err, TAIN_E_PERMISSION, "%s can be read or changed by others", path);
    tain_error_remedy(err, "chmod %o %s", (unsigned)mode, path);
    return failed;
}

static tain_status read_all(int fd, const char *path, tain_buffer *ret, tain_error *err)
{
    for (;;) {
        ssize_t n = read(fd, tain_buffer_reserve(ret, 4096), 4096);
        if (n < 0) return tain_fail_errno(err, "%s", path);
        if (n == 0) return TAIN_OK;
        ret->size += (size_t)n;
        if (ret->size > FILE_MOST) return tain_fail(err, TAIN_E_CONFIG, "%s is too large for a certificate or key", path);
    }
}

/* NOT_FOUND: there is none. */
static tain_status read_file(const char *path, mode_t mode, tain_buffer *ret, tain_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tain_fail_errno(err, "%s", path);
    tain_status st = mode == SECRET ? check_mode(fd, path, mode, err) : TAIN_OK;
    if (st == TAIN_OK) st = read_all(fd, path, ret, err);
    close(fd);
    return st;
}

static bool write_all(int fd, const tain_buffer *b)
{
    for (size_t at = 0; at < b->size;) {
        ssize_t n = write(fd, b->data + at, b->size - at);
        if (n < 0) return false;
        at += (size_t)n;
    }
    return fsync(fd) == 0;
}

/* The file is the old one or the new one, whatever happens. */
static tain_status write_file(const char *path, mode_t mode, const tain_buffer *b, tain_error *err)
{
    TAIN_AUTO(tain_free) char *aside = tain_format("%s.new", path);
    unlink(aside);
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return tain_fail_errno(err, "%s", aside);
    bool well = write_all(fd, b) && fchmod(fd, mode) == 0;
    int  sys = errno;
    close(fd);
    if (well && rename(aside, path) == 0) return TAIN_OK;
    if (!well) errno = sys;
    tain_status st = tain_fail_errno(err, "%s", path);
    unlink(aside);
    return st;
}

static tain_status write_key(const char *path, EVP_PKEY *key, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0};
    tain_status st = tain_certificate_write_key(key, &pem, err);
    if (st == TAIN_OK) st = write_file(path, SECRET, &pem, err);
    if (pem.data) explicit_bzero(pem.data, pem.capacity);
    return st;
}

/* NOT_FOUND, or why it is of no use. */
static tain_status read_key(const char *path, EVP_PKEY **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0};
    TAIN_TRY(read_file(path, SECRET, &pem, err));
    tain_status st = tain_certificate_read_key(tain_buffer_slice(&pem), path, ret, err);
    explicit_bzero(pem.data, pem.capacity);
    return st;
}

static tain_status read_certificate(const char *path, X509 **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0};
    TAIN_TRY(read_file(path, PUBLIC, &pem, err));
    return tain_certificate_read(tain_buffer_slice(&pem), path, ret, err);
}

/* --- the authority ------------------------------------------------------------------------------------------------- */

typedef struct paths {
    char *ca, *ca_key, *cert, *key;
} paths;

typedef struct authority {
    EVP_PKEY *key;
    X509     *certificate;
} authority;

static tain_status no_authority(const paths *p, const char *why, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_CONFIG, "%s and %s: %s", p->ca, p->ca_key, why);
    tain_error_remedy(err, "restore both; or remove both to have a new authority made, which clients must trust anew");
    return st;
}

static tain_status certify_itself(const paths *p, EVP_PKEY *key, X509 **ret, tain_error *err)
{
    char host[65] = "";
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0};
    AUTO_CERTIFICATE *c = NULL;
    (void)!gethostname(host, sizeof host - 1);
    TAIN_AUTO(tain_free) char *name = tain_format("authority of %.48s", host);
    TAIN_TRY(tain_certificate_authority(key, name, AUTHORITY_LIFE, &c, err));
    TAIN_TRY(tain_certificate_write(c, &pem, err));
    TAIN_TRY(write_file(p->ca, PUBLIC, &pem, err));
    *ret = c;
    c = NULL;
    return TAIN_OK;
}

/* The key is written first: one without certificate is of an authority that was being made. */
static tain_status begin_authority(const paths *p, authority *a, tain_error *err)
{
    if (access(p->ca, F_OK) == 0) return no_authority(p, "the key is missing", err);
    TAIN_TRY(tain_certificate_key(&a->key, err));
    TAIN_TRY(write_key(p->ca_key, a->key, err));
    return certify_itself(p, a->key, &a->certificate, err);
}

static tain_status open_authority(const paths *p, authority *a, tain_error *err)
{
    tain_status st = read_key(p->ca_key, &a->key, err);
    if (st == TAIN_E_NOT_FOUND) return begin_authority(p, a, err);
    if (st == TAIN_E_INVALID) return no_authority(p, "the key is of no use", err);
    TAIN_TRY(st);
    st = read_certificate(p->ca, &a->certificate, err);
    if (st == TAIN_E_NOT_FOUND) return certify_itself(p, a->key, &a->certificate, err);
    if (st == TAIN_E_INVALID) return no_authority(p, "the certificate is of no use", err);
    TAIN_TRY(st);
    if (X509_check_private_key(a->certificate, a->key) != 1) return no_authority(p, "they do not belong together", err);
    return tain_certificate_holds(a->certificate, a->key, RENEWED_BEFORE) ? TAIN_OK : no_authority(p, "the certificate's time is over", err);
}

static void done_authority(authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->certificate);
}

/* --- the server ---------------------------------------------------------------------------------------------------- */

/* Whatever is wrong with them, new ones can be made. */
static bool still_good(const paths *p, const authority *a, tain_certificate_names names)
{
    AUTO_KEY         *key = NULL;
    AUTO_CERTIFICATE *c = NULL;
    if (read_key(p->key, &key, NULL) != TAIN_OK || read_certificate(p->cert, &c, NULL) != TAIN_OK) return false;
    return X509_check_private_key(c, key) == 1 && tain_certificate_holds(c, a->key, RENEWED_BEFORE) && tain_certificate_has_names(c, names);
}

static tain_status make_server(const paths *p, const authority *a, tain_certificate_names names, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0};
    AUTO_KEY         *key = NULL;
    AUTO_CERTIFICATE *c = NULL;
    TAIN_TRY(tain_certificate_key(&key, err));
    TAIN_TRY(tain_certificate_server(key, names, SERVER_LIFE, a->certificate, a->key, &c, err));
    TAIN_TRY(tain_certificate_write(c, &pem, err));
    TAIN_TRY(tain_certificate_write(a->certificate, &pem, err));
    TAIN_TRY(write_key(p->key, key, err));
    return write_file(p->cert, PUBLIC, &pem, err);
}

/* --- identities ---------------------------------------------------------------------------------------------------- */

static tain_status own(const char *folder, const paths *p, tain_certificate_names names, tain_error *err)
{
    authority   a = {0};
    tain_status st = open_authority(p, &a, err);
    if (st == TAIN_OK && !still_good(p, &a, names)) st = make_server(p, &a, names, err);
    done_authority(&a);
    if (st == TAIN_OK && !tain_sync_folder(folder)) st = tain_fail_errno(err, "%s", folder);
    return st;
}

static tain_status load(const char *cert, const char *key, mode_t key_mode, tain_identity *ret, tain_error *err)
{
    tain_buffer c = {0}, k = {0};
    tain_status st = read_file(cert, PUBLIC, &c, err);
    if (st == TAIN_OK) st = read_file(key, key_mode, &k, err);
    if (st == TAIN_OK) *ret = (tain_identity){.cert = tain_buffer_cstr(&c), .key = tain_buffer_cstr(&k)};
    else tain_buffer_done(&c), tain_buffer_done(&k);
    return st;
}

tain_status tain_identity_own(const char *folder, const char *const *names, tain_identity *ret, tain_error *err)
{
    tain_certificate_names all = {.names = names};
    while (names[all.count]) all.count++;
    if (!tain_make_folder(folder, true)) return tain_fail_errno(err, "%s", folder);
    paths       p = {tain_format("%s/ca.pem", folder), tain_format("%s/ca.key", folder), tain_format("%s/server.pem", folder), tain_format("%s/server.key", folder)};
    tain_status st = own(folder, &p, all, err);
    if (st == TAIN_OK) st = load(p.cert, p.key, SECRET, ret, err);
    if (st == TAIN_OK) ret->ca_file = tain_strdup(p.ca);
    tain_free(p.ca);
    tain_free(p.ca_key);
    tain_free(p.cert);
    tain_free(p.key);
    return st;
}

/* That they are what they should be is seen when the server begins. */
tain_status tain_identity_given(const char *cert_file, const char *key_file, tain_identity *ret, tain_error *err)
{
    return load(cert_file, key_file, PUBLIC, ret, err);
}

void tain_identity_done(tain_identity *i)
{
    if (i->key) explicit_bzero(i->key, strlen(i->key));
    tain_free(i->cert);
    tain_free(i->key);
    tain_free(i->ca_file);
    *i = (tain_identity){0};
}
