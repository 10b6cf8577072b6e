/* SPDX-License-Identifier: MIT */
/* password.h -- passwords as scrypt (RFC 7914) hashes: N is 2 to the cost, r 8, p 1, which takes 32 MiB at cost 15. Thread: any. */
#ifndef TAIN_CONTROL_PASSWORD_H
#define TAIN_CONTROL_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { TAIN_PASSWORD_COST = 15, TAIN_PASSWORD_COST_MOST = 20, TAIN_PASSWORD_SALT = 16, TAIN_PASSWORD_HASH = 32 };

typedef struct tain_password {
    int     cost;
    uint8_t salt[TAIN_PASSWORD_SALT], hash[TAIN_PASSWORD_HASH];
} tain_password;

/* INVALID: shorter than 8 bytes, or longer than 1,024. */
tain_status tain_password_make(const char *text, tain_password *ret, tain_error *err);
/* Takes as long whether it is right or not. */
tain_status tain_password_is(const tain_password *p, const char *text, bool *ret, tain_error *err);

#endif
