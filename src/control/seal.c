/* SPDX-License-Identifier: MIT */
#include "control/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"

enum { VERSION = 1, NONCE = 12, TAG = 16, CHECK = 16 };

void tain_seal_wipe(void *secret, size_t n)
{
    OPENSSL_cleanse(secret, n);
}

/* --- the key file -------------------------------------------------------------------------------------------------- */

static tain_status remedy(tain_status st, const tain_control *c, tain_error *err)
{
    tain_error_remedy(err, "put the right %s back; if it is lost, have each connection that keeps a password take it from elsewhere (tain connections change NAME "
                      "--secret env:LOST), then give them all their passwords again", c->key_file);
    return st;
}

static tain_status check_file(const tain_control *c, int fd, tain_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return tain_fail_errno(err, "cannot read the key file %s", c->key_file);
    if (st.st_mode & 077) {
        tain_status refused = tain_fail(err, TAIN_E_PERMISSION, "others can read the key file %s", c->key_file);
        tain_error_remedy(err, "chmod 600 %s", c->key_file);
        return refused;
    }
    if (st.st_size == TAIN_SEAL_KEY) return TAIN_OK;
    return remedy(tain_fail(err, TAIN_E_CONFIG, "%s is no key file: it has %lld bytes, not %d", c->key_file, (long long)st.st_size, TAIN_SEAL_KEY), c, err);
}

static tain_status read_key(const tain_control *c, uint8_t ret[static TAIN_SEAL_KEY], tain_error *err)
{
    int fd = open(c->key_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tain_fail_errno(err, "cannot open the key file %s", c->key_file);
    tain_status st = check_file(c, fd, err);
    if (st == TAIN_OK && read(fd, ret, TAIN_SEAL_KEY) != TAIN_SEAL_KEY) st = tain_fail_errno(err, "cannot read the key file %s", c->key_file);
    close(fd);
    return st;
}

static bool write_key(const char *path, const uint8_t *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool ok = fchmod(fd, 0600) == 0 && write(fd, key, TAIN_SEAL_KEY) == TAIN_SEAL_KEY && fsync(fd) == 0;
    int  sys = errno;
    close(fd);
    errno = sys;
    return ok;
}

/* Whole under its name, or not there. */
static tain_status make_key(const tain_control *c, uint8_t ret[static TAIN_SEAL_KEY], tain_error *err)
{
    char *aside = tain_format("%s.new", c->key_file);
    tain_random(ret, TAIN_SEAL_KEY);
    bool ok = write_key(aside, ret) && rename(aside, c->key_file) == 0 && tain_sync_parent(c->key_file);
    tain_status st = ok ? TAIN_OK : tain_fail_errno(err, "cannot make the key file %s", c->key_file);
    tain_free(aside);
    return st;
}

/* --- is it the key ------------------------------------------------------------------------------------------------- */

static void check_of(const uint8_t key[static TAIN_SEAL_KEY], uint8_t ret[static SHA256_DIGEST_LENGTH])
{
    static const char purpose[] = "tain: the key of a control database";
    uint8_t           text[sizeof purpose + TAIN_SEAL_KEY];
    memcpy(text, purpose, sizeof purpose);
    memcpy(text + sizeof purpose, key, TAIN_SEAL_KEY);
    SHA256(text, sizeof text, ret);
    tain_seal_wipe(text, sizeof text);
}

static tain_status remember(tain_control *c, const uint8_t key[static TAIN_SEAL_KEY], tain_error *err)
{
    uint8_t check[SHA256_DIGEST_LENGTH];
    check_of(key, check);
    return tain_sql_run(c, "INSERT INTO meta (name, value) VALUES ('key', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1",
                        TAIN_SQL_VALUES(tain_sql_bytes((tain_slice){check, CHECK})), NULL, err);
}

static tain_status compare(tain_control *c, const uint8_t key[static TAIN_SEAL_KEY], tain_error *err)
{
    uint8_t check[SHA256_DIGEST_LENGTH];
    int64_t same;
    check_of(key, check);
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM meta WHERE name = 'key' AND value = ?1",
                             TAIN_SQL_VALUES(tain_sql_bytes((tain_slice){check, CHECK})), &same, err));
    if (same) return TAIN_OK;
    return remedy(tain_fail(err, TAIN_E_CONFIG, "%s is not the key that %s was sealed with", c->key_file, c->file), c, err);
}

static tain_status key_of(tain_control *c, bool any_sealed, bool for_sealing, uint8_t ret[static TAIN_SEAL_KEY], tain_error *err)
{
    tain_status st = read_key(c, ret, err);
    if (st == TAIN_E_NOT_FOUND && (any_sealed || !for_sealing))
        return remedy(tain_fail(err, TAIN_E_CONFIG, "the key file %s is missing", c->key_file), c, err);
    if (st == TAIN_E_NOT_FOUND) st = make_key(c, ret, err);
    TAIN_TRY(st);
    return for_sealing && !any_sealed ? remember(c, ret, err) : compare(c, ret, err);
}

tain_status tain_seal_key(tain_control *c, bool for_sealing, uint8_t ret[static TAIN_SEAL_KEY], tain_error *err)
{
    int64_t sealed;
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM connection WHERE sealed IS NOT NULL", NULL, 0, &sealed, err));
    tain_status st = key_of(c, sealed > 0, for_sealing, ret, err);
    if (st != TAIN_OK) tain_seal_wipe(ret, TAIN_SEAL_KEY);
    return st;
}

/* --- sealing ------------------------------------------------------------------------------------------------------- */

static bool encrypt(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t *nonce, tain_slice bound, tain_slice plain, uint8_t *out, uint8_t *tag)
{
    int n;
    return EVP_EncryptInit_ex2(x, EVP_aes_256_gcm(), key, nonce, NULL) && EVP_EncryptUpdate(x, NULL, &n, bound.data, (int)bound.size) &&
           EVP_EncryptUpdate(x, out, &n, plain.data, (int)plain.size) && EVP_EncryptFinal_ex(x, out + n, &n) &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG, tag);
}

static bool decrypt(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t *nonce, tain_slice bound, tain_slice sealed, uint8_t *out, uint8_t *tag)
{
    int n;
    return EVP_DecryptInit_ex2(x, EVP_aes_256_gcm(), key, nonce, NULL) && EVP_DecryptUpdate(x, NULL, &n, bound.data, (int)bound.size) &&
           EVP_DecryptUpdate(x, out, &n, sealed.data, (int)sealed.size) && EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, TAG, tag) &&
           EVP_DecryptFinal_ex(x, out + n, &n) > 0;
}

tain_status tain_seal(const uint8_t key[static TAIN_SEAL_KEY], tain_slice bound, const char *secret, tain_buffer *ret, tain_error *err)
{
    tain_slice plain = {(const uint8_t *)secret, strlen(secret)};
    uint8_t    nonce[NONCE], *out = tain_buffer_reserve(ret, 1 + NONCE + plain.size + TAG);
    tain_random(nonce, sizeof nonce);
    out[0] = VERSION;
    memcpy(out + 1, nonce, NONCE);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool            ok = x && encrypt(x, key, nonce, bound, plain, out + 1 + NONCE, out + 1 + NONCE + plain.size);
    EVP_CIPHER_CTX_free(x);
    if (!ok) return tain_fail(err, TAIN_E_INTERNAL, "the password could not be sealed");
    ret->size += 1 + NONCE + plain.size + TAG;
    return TAIN_OK;
}

tain_status tain_unseal(const uint8_t key[static TAIN_SEAL_KEY], tain_slice bound, tain_slice sealed, char **ret, tain_error *err)
{
    if (sealed.size < 1 + NONCE + TAG || sealed.data[0] != VERSION) return tain_fail(err, TAIN_E_CORRUPT, "this is no sealed password");
    tain_slice inner = {sealed.data + 1 + NONCE, sealed.size - 1 - NONCE - TAG};
    uint8_t    tag[TAG];
    char      *out = tain_alloc(inner.size + 1);
    memcpy(tag, inner.data + inner.size, TAG);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool            ok = x && decrypt(x, key, sealed.data + 1, bound, inner, (uint8_t *)out, tag);
    EVP_CIPHER_CTX_free(x);
    if (ok) {
        *ret = out;
        return TAIN_OK;
    }
    tain_seal_wipe(out, inner.size);
    tain_free(out);
    return tain_fail(err, TAIN_E_CORRUPT, "the sealed password was altered");
}
