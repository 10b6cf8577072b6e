/* SPDX-License-Identifier: MIT */
/* issuer.h -- who vouches for tokens, and by which keys.
 *
 * Keys are fetched when one is asked for that is not known, at most once a minute, and once a day in any case, so that one that was
 * withdrawn is no longer believed. What was fetched stays good while the issuer does not answer. Thread: any. */
#ifndef TAIN_SERVE_AUTH_ISSUER_H
#define TAIN_SERVE_AUTH_ISSUER_H

#include <cjose/cjose.h>

#include "base/error.h"

typedef struct tain_issuer tain_issuer;

/* INVALID: no https URL (http on this machine is fine). Nothing is fetched yet. */
tain_status tain_issuer_open(const char *url, const char *ca_file, tain_issuer **ret, tain_error *err);
void        tain_issuer_close(tain_issuer *i); /* accepts NULL */

/* Without final slash; borrowed. */
const char *tain_issuer_name(const tain_issuer *i);
/* Whether a key of that kind and id (NULL: any) signed it. AUTH: none did. UNAVAILABLE, PROTOCOL: there never were any keys to be had. */
tain_status tain_issuer_check(tain_issuer *i, cjose_jws_t *jws, const char *id, cjose_jwk_kty_t kind, tain_error *err);

#endif
