/* SPDX-License-Identifier: MIT */
#include "serve/auth/auth.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "control/user.h"
#include "serve/auth/internal.h"

/* --- life ---------------------------------------------------------------------------------------------------------- */

/* Those given, and what the machine calls itself. */
static char **copy_hosts(const char *const *given)
{
    char   own[256] = "";
    size_t n = 0, at = 0;
    while (given && given[n]) n++;
    char **hosts = tain_alloc((n + 2) * sizeof *hosts);
    for (; at < n; at++) hosts[at] = tain_strdup(given[at]);
    if (gethostname(own, sizeof own - 1) == 0 && own[0]) hosts[at] = tain_strdup(own);
    return hosts;
}

/* "https://name:port" of a URL. */
static char *origin_of(const char *url)
{
    const char *authority = url ? strstr(url, "://") : NULL;
    if (!authority) return NULL;
    authority += 3;
    return tain_strndup(url, (size_t)(authority - url) + strcspn(authority, "/?#"));
}

tain_status tain_auth_open(tain_control *c, const tain_auth_options *o, tain_auth **ret, tain_error *err)
{
    tain_oidc *oidc = NULL;
    if (o->issuer) TAIN_TRY(tain_oidc_open(o->issuer, o->audiences, o->issuer_ca, &oidc, err));
    tain_auth *a = tain_alloc(sizeof *a);
    *a = (tain_auth){.control = c, .hosts = copy_hosts(o->hosts), .strict = o->strict, .proxied = o->public_url != NULL, .origin = origin_of(o->public_url), .owner = geteuid(),
                     .throttle = tain_throttle_new(), .oidc = oidc, .issuer_role = o->issuer_role};
    *ret = a;
    return TAIN_OK;
}

void tain_auth_close(tain_auth *a)
{
    if (!a) return;
    for (char **h = a->hosts; *h; h++) tain_free(*h);
    tain_free(a->hosts);
    tain_free(a->origin);
    tain_throttle_free(a->throttle);
    tain_oidc_close(a->oidc);
    tain_free(a);
}

/* --- users --------------------------------------------------------------------------------------------------------- */

static tain_status unknown(tain_error *err, const char *why, const char *remedy)
{
    tain_status st = tain_fail(err, TAIN_E_AUTH, "%s", why);
    tain_error_remedy(err, "%s", remedy);
    return st;
}

/* One who was removed meanwhile is nobody. */
static tain_status put_user(tain_auth *a, const char *id, tain_caller *ret, tain_error *err)
{
    tain_control_user u;
    tain_status       st = tain_control_user_get(a->control, id, &u, err);
    if (st == TAIN_E_NOT_FOUND) return unknown(err, "this user is not known any more", "ask an administrator");
    TAIN_TRY(st);
    snprintf(ret->user, sizeof ret->user, "%s", u.id);
    snprintf(ret->name, sizeof ret->name, "%s", u.name);
    bool disabled = u.disabled;
    tain_control_user_done(&u);
    return disabled ? unknown(err, "this user is disabled", "ask an administrator") : TAIN_OK;
}

static tain_status put_role(tain_auth *a, tain_control_role more, tain_caller *ret, tain_error *err)
{
    tain_control_role role;
    TAIN_TRY(tain_control_role_get(a->control, ret->user, NULL, &role, err));
    ret->role = tain_control_role_least(role > more ? role : more, ret->most);
    return TAIN_OK;
}

/* --- tokens -------------------------------------------------------------------------------------------------------- */

static tain_status by_token(tain_auth *a, const char *text, tain_caller *ret, tain_error *err)
{
    tain_control_caller c;
    TAIN_TRY(tain_control_token_verify(a->control, text, &c, err));
    *ret = (tain_caller){.session = c.session, .expires = c.session ? 0 : c.expires, .most = c.role};
    snprintf(ret->token, sizeof ret->token, "%s", c.token);
    TAIN_TRY(put_user(a, c.user, ret, err));
    return put_role(a, TAIN_CONTROL_NOBODY, ret, err);
}

/* The user that the issuer's word is about, by the most lasting of its names. NOT_FOUND: none is known here. */
static tain_status find_user(tain_auth *a, const tain_oidc_subject *s, char ret_id[static 37], tain_error *err)
{
    const char *const names[] = {s->oid, s->sub, s->preferred};
    tain_status       st = TAIN_E_NOT_FOUND;
    for (size_t i = 0; i < 3 && st == TAIN_E_NOT_FOUND; i++) {
        tain_control_user u;
        if (!names[i]) continue;
        st = tain_control_user_find(a->control, names[i], &u, err);
        if (st != TAIN_OK) continue;
        snprintf(ret_id, 37, "%s", u.id);
        tain_control_user_done(&u);
    }
    return st;
}

/* Who has a role by the issuer's word becomes a user, so that what they own and do is somebody's. Two requests may be the first. */
static tain_status find_or_add(tain_auth *a, const tain_oidc_subject *s, tain_control_role role, char ret_id[static 37], tain_error *err)
{
    tain_status st = find_user(a, s, ret_id, err);
    if (st != TAIN_E_NOT_FOUND) return st;
    if (role == TAIN_CONTROL_NOBODY) return unknown(err, "the token is good, and of nobody who is known here", "ask an administrator for a user of that name");
    st = tain_control_user_add(a->control, s->oid ? s->oid : s->sub, NULL, ret_id, err);
    return st == TAIN_E_EXISTS ? find_user(a, s, ret_id, err) : st;
}

static tain_status by_issuer(tain_auth *a, const char *text, tain_caller *ret, tain_error *err)
{
    tain_oidc_subject s;
    char              id[37];
    if (!a->oidc) return unknown(err, "this token is not one of this service", "use a token that begins with tain_");
    TAIN_TRY(tain_oidc_verify(a->oidc, text, &s, err));
    const tain_control_role role = s.role > a->issuer_role ? s.role : a->issuer_role;
    tain_status             st = find_or_add(a, &s, role, id, err);
    tain_oidc_subject_done(&s);
    TAIN_TRY(st);
    *ret = (tain_caller){.expires = s.expires, .most = TAIN_CONTROL_ADMIN};
    TAIN_TRY(put_user(a, id, ret, err));
    return put_role(a, role, ret, err);
}

static tain_status by_credentials(tain_auth *a, const char *header, tain_caller *ret, tain_error *err)
{
    if (strncasecmp(header, "Bearer ", 7) != 0) return unknown(err, "credentials of this kind are not known here", "send Authorization: Bearer and a token");
    const char *text = header + 7;
    while (*text == ' ') text++;
    return strncmp(text, "tain_", 5) == 0 ? by_token(a, text, ret, err) : by_issuer(a, text, ret, err);
}

/* --- callers ------------------------------------------------------------------------------------------------------- */

static bool is_owner(const tain_auth *a, const tain_http_request *q)
{
    return !a->strict && q->loopback && q->peer_uid != (uid_t)-1 && (q->peer_uid == a->owner || q->peer_uid == 0) && !tain_auth_is_forwarded(q);
}

static tain_status by_session(tain_auth *a, const tain_http_request *q, const char *cookie, tain_caller *ret, tain_error *err)
{
    TAIN_TRY(tain_auth_private(a, q, err));
    TAIN_TRY(tain_auth_same_site(a, q, true, err));
    return by_token(a, cookie, ret, err);
}

/* As long as that is so, no token means anything: scripts that must bring one, and bring any, are the owner's. */
static bool knows_nobody(const tain_auth *a)
{
    tain_control_users all;
    if (a->oidc || tain_control_user_list(a->control, (tain_control_page){.most = 1}, &all, NULL) != TAIN_OK) return false;
    bool nobody = all.count == 0;
    tain_control_users_done(&all);
    return nobody;
}

tain_status tain_auth_caller(tain_auth *a, const tain_http_request *q, tain_caller *ret, tain_error *err)
{
    const char *header = tain_http_header(q, "Authorization"), *cookie = tain_http_cookie(q, TAIN_AUTH_COOKIE);
    if (header && !(is_owner(a, q) && knows_nobody(a))) {
        TAIN_TRY(tain_auth_private(a, q, err));
        return by_credentials(a, header, ret, err);
    }
    if (cookie && *cookie) return by_session(a, q, cookie, ret, err);
    if (!is_owner(a, q)) return unknown(err, "a token or a session is needed", "sign in, or send Authorization: Bearer and a token");
    TAIN_TRY(tain_auth_same_site(a, q, false, err));
    *ret = (tain_caller){.name = "owner", .role = TAIN_CONTROL_ADMIN, .most = TAIN_CONTROL_ADMIN};
    return TAIN_OK;
}

/* --- what they may do ---------------------------------------------------------------------------------------------- */

/* The larger of what is theirs everywhere, which may be by the issuer's word, and there. */
tain_status tain_auth_role(tain_auth *a, const tain_caller *c, const char *workspace, tain_control_role *ret, tain_error *err)
{
    tain_control_role there = TAIN_CONTROL_NOBODY;
    if (c->user[0] && workspace) TAIN_TRY(tain_control_role_get(a->control, c->user, workspace, &there, err));
    there = tain_control_role_least(there, c->most);
    *ret = there > c->role ? there : c->role;
    return TAIN_OK;
}

tain_status tain_auth_need(tain_auth *a, const tain_caller *c, const char *workspace, tain_control_role least, tain_error *err)
{
    tain_control_role role;
    TAIN_TRY(tain_auth_role(a, c, workspace, &role, err));
    if (role >= least) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "this needs the role %s%s, and %s has %s", tain_control_role_name(least),
                               workspace ? " in the workspace" : " in the whole service", c->name, role ? tain_control_role_name(role) : "none");
    tain_error_remedy(err, c->most < least ? "use a token that allows as much" : "ask an administrator for the role");
    return st;
}
