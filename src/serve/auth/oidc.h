/* SPDX-License-Identifier: MIT */
/* oidc.h -- bearer tokens that an issuer outside vouches for: JWTs (RFC 7519) signed by RS256 or ES256.
 *
 * Good is one that the issuer made (its keys come from its discovery document, OpenID Connect Discovery 1.0), for one of our
 * audiences, whose time has come and is not over, give or take a minute. Anything else about it is the issuer's word. Thread: any. */
#ifndef TAIN_SERVE_AUTH_OIDC_H
#define TAIN_SERVE_AUTH_OIDC_H

#include "base/error.h"
#include "base/time.h"
#include "control/role.h"

typedef struct tain_oidc tain_oidc;

typedef struct tain_oidc_subject {
    char             *oid, *sub, *preferred; /* claims oid, sub, preferred_username; NULL: absent. One of the first two is there */
    tain_time         expires;
    tain_control_role role;                  /* the largest of tain.viewer, tain.contributor, tain.admin among its roles */
} tain_oidc_subject;

/* audiences NULL: those that clients of Fabric ask for; a final slash does not matter. ca_file NULL: the system's. INVALID: no
 * https URL (http on this machine is fine). Nothing is fetched yet. */
tain_status tain_oidc_open(const char *issuer, const char *const *audiences, const char *ca_file, tain_oidc **ret, tain_error *err);
void        tain_oidc_close(tain_oidc *o); /* accepts NULL */

/* AUTH; err->sys is EKEYEXPIRED when nothing but its time is wrong. UNAVAILABLE, PROTOCOL: the issuer's keys cannot be had. */
tain_status tain_oidc_verify(tain_oidc *o, const char *token, tain_oidc_subject *ret, tain_error *err);
void        tain_oidc_subject_done(tain_oidc_subject *s);

#endif
