/* SPDX-License-Identifier: MIT */
/* auth.h -- who is calling, and what they may do.
 *
 * A request without credentials from this machine, by a process of the same user as the service (or root), is the owner's, who may do everything;
 * any other needs a token or a session. Credentials that are given are checked in any case, but for
 * the owner's while the service has no users. What a browser sends by itself, which is
 * being on this machine and the session's cookie, counts only for pages of our own. Thread: any. */
#ifndef TAIN_SERVE_AUTH_AUTH_H
#define TAIN_SERVE_AUTH_AUTH_H

#include "control/token.h"
#include "net/http.h"

typedef struct tain_auth tain_auth;

typedef struct tain_auth_options {
    const char *const *hosts;   /* names we are known by, besides those of loopback and the addresses listened on; NULL-terminated, may be NULL */
    bool               strict;  /* nobody is let in without credentials */
    const char        *public_url; /* of a proxy in front, where TLS ends: its origin is ours, and credentials are taken without TLS; NULL: none */
    const char        *issuer;  /* of OIDC bearer tokens; NULL: none is accepted */
    const char *const *audiences; /* NULL: those that Fabric's clients ask for */
    const char        *issuer_ca; /* file; NULL: the system's */
    tain_control_role  issuer_role; /* of whom the issuer knows and we do not, unless the token's `roles` give more */
} tain_auth_options;

/* INVALID: the issuer is no https URL (http on this machine is fine). Nothing is fetched yet. */
tain_status tain_auth_open(tain_control *c, const tain_auth_options *o, tain_auth **ret, tain_error *err);
void        tain_auth_close(tain_auth *a);

typedef struct tain_caller {
    char              user[37]; /* "": the owner of the process */
    char              name[1025];
    char              token[37]; /* "": none */
    bool              session;
    tain_time         expires;  /* of a token; 0: never, or they came otherwise */
    tain_control_role role;     /* in the whole service, as far as their token allows */
    tain_control_role most;     /* what their token allows at all */
} tain_caller;

/* AUTH: nobody known; err->sys is EKEYEXPIRED when the token was good and its time is over. PERMISSION: a request that another site
 * made (Host, Origin, missing X-Tain-Csrf), or credentials in clear. UNAVAILABLE: the issuer's keys cannot be had. */
tain_status tain_auth_caller(tain_auth *a, const tain_http_request *q, tain_caller *ret, tain_error *err);
/* What they may do in the workspace (NULL: in the service). */
tain_status tain_auth_role(tain_auth *a, const tain_caller *c, const char *workspace, tain_control_role *ret, tain_error *err);
/* PERMISSION unless they may do that much in the workspace (NULL: in the service). */
tain_status tain_auth_need(tain_auth *a, const tain_caller *c, const char *workspace, tain_control_role least, tain_error *err);

/* Signs in by name and password: the session's cookie goes into the reply. AUTH; BUSY: too many wrong ones, and the reply says when
 * another try is heard (Retry-After); PERMISSION as above. */
tain_status tain_auth_sign_in(tain_auth *a, const tain_http_request *q, const char *name, const char *password, tain_http_reply *p, tain_error *err);
void        tain_auth_sign_out(tain_auth *a, const tain_caller *c, tain_http_reply *p);

/* The session's cookie was of no use: the reply takes it back, or it would keep even the owner out. */
void        tain_auth_forget(const tain_http_request *q, tain_http_reply *p);

/* The token endpoints of Azure clients (/msi/token, /adfs/...). False: the path is none of them. */
bool        tain_auth_token_endpoint(tain_auth *a, const tain_http_request *q, tain_http_reply *p);

/* Headers that every reply has, when its status is known. */
void        tain_auth_headers(const tain_http_request *q, tain_http_reply *p);

#endif
