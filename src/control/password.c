/* SPDX-License-Identifier: MIT */
#include "control/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/text.h"

enum { LEAST = 8, MOST = 1024 };

static tain_status hash(const tain_password *p, const char *text, uint8_t out[static TAIN_PASSWORD_HASH], tain_error *err)
{
    uint64_t n = 1ull << p->cost, memory = 128 * 8 * n + (1 << 20);
    if (p->cost >= 1 && p->cost <= TAIN_PASSWORD_COST_MOST &&
        EVP_PBE_scrypt(text, strlen(text), p->salt, sizeof p->salt, n, 8, 1, memory, out, TAIN_PASSWORD_HASH))
        return TAIN_OK;
    return tain_fail(err, TAIN_E_INTERNAL, "a password could not be hashed");
}

tain_status tain_password_make(const char *text, tain_password *ret, tain_error *err)
{
    size_t n = text ? strnlen(text, MOST + 1) : 0;
    if (n < LEAST || n > MOST) return tain_fail(err, TAIN_E_INVALID, "a password has %d to %d bytes", LEAST, MOST);
    ret->cost = TAIN_PASSWORD_COST;
    tain_random(ret->salt, sizeof ret->salt);
    return hash(ret, text, ret->hash, err);
}

tain_status tain_password_is(const tain_password *p, const char *text, bool *ret, tain_error *err)
{
    uint8_t    is[TAIN_PASSWORD_HASH];
    const bool fits = strnlen(text, MOST + 1) <= MOST;
    TAIN_TRY(hash(p, fits ? text : "", is, err));
    *ret = CRYPTO_memcmp(is, p->hash, sizeof is) == 0 && fits;
    OPENSSL_cleanse(is, sizeof is);
    return TAIN_OK;
}
