/* SPDX-License-Identifier: MIT */
/* internal.h -- what the files of this folder share. */
#ifndef TAIN_SERVE_AUTH_INTERNAL_H
#define TAIN_SERVE_AUTH_INTERNAL_H

#include "serve/auth/auth.h"
#include "serve/auth/oidc.h"
#include "serve/auth/throttle.h"

#define TAIN_AUTH_COOKIE "tain_session"

struct tain_auth {
    tain_control     *control;
    char            **hosts; /* in lower case, NULL-terminated */
    bool              strict, proxied;
    char             *origin; /* of the proxy, "https://name"; NULL: none */
    uid_t             owner;
    tain_throttle    *throttle;
    tain_oidc        *oidc; /* NULL: none */
    tain_control_role issuer_role;
};

/* PERMISSION unless a page of our own, or no browser, made the request. marked: it must say X-Tain-Csrf when it changes anything. */
tain_status tain_auth_same_site(const tain_auth *a, const tain_http_request *q, bool marked, tain_error *err);
/* PERMISSION when credentials would come in clear from another machine. */
tain_status tain_auth_private(const tain_auth *a, const tain_http_request *q, tain_error *err);
/* A proxy passed it on: it is not known whose it is. */
bool        tain_auth_is_forwarded(const tain_http_request *q);

#endif
