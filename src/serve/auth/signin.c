/* SPDX-License-Identifier: MIT */
/* Sessions of the page; declared in auth.h. */
#include <stdio.h>
#include <strings.h>

#include "control/user.h"
#include "net/peer.h"
#include "serve/auth/internal.h"

#define SESSION (12 * 3600 * TAIN_SECOND)

/* One name from one address, one address, one name from anywhere: the last so that many addresses do not help, and wide enough that
 * nobody is kept out by others' tries for long. */
enum { FREE_BOTH = 5, FREE_ADDRESS = 20, FREE_NAME = 100 };

typedef struct tries {
    char             *both, *address, *name;
    tain_throttle_key keys[3];
} tries;

static tries tries_of(const tain_http_request *q, const char *name)
{
    char network[TAIN_PEER_TEXT];
    tain_peer_network(q->peer, network);
    tries t = {tain_format("b%s %.300s", network, name), tain_format("a%s", network), tain_format("n%.300s", name), {{0}}};
    t.keys[0] = (tain_throttle_key){t.both, FREE_BOTH};
    t.keys[1] = (tain_throttle_key){t.address, FREE_ADDRESS};
    t.keys[2] = (tain_throttle_key){t.name, FREE_NAME};
    return t;
}

static void tries_done(tries *t)
{
    tain_free(t->both);
    tain_free(t->address);
    tain_free(t->name);
}

static tain_status too_many(tain_time wait, tain_http_reply *p, tain_error *err)
{
    const long long seconds = (long long)((wait + TAIN_SECOND - 1) / TAIN_SECOND);
    tain_http_reply_add(p, "Retry-After", "%lld", seconds);
    tain_status st = tain_fail(err, TAIN_E_BUSY, "too many wrong passwords");
    tain_error_remedy(err, "try again in %lld s", seconds);
    return st;
}

static tain_status verify(tain_auth *a, const tain_http_request *q, const char *name, const char *password, char ret_id[static 37], tain_http_reply *p,
                          tain_error *err)
{
    tries       t = tries_of(q, name);
    tain_time   wait = tain_throttle_try(a->throttle, t.keys, 3);
    tain_status st = wait ? too_many(wait, p, err) : tain_control_user_verify(a->control, name, password, ret_id, err);
    if (!wait && st != TAIN_E_AUTH) tain_throttle_forgive(a->throttle, t.keys, 3);
    tries_done(&t);
    return st;
}

/* Over TLS as far as the browser goes, if not as far as here. */
static bool is_secure(const tain_auth *a, const tain_http_request *q)
{
    const char *scheme = tain_http_header(q, "X-Forwarded-Proto");
    return q->secure || (a->proxied && scheme && strcasecmp(scheme, "https") == 0);
}

static void set_cookie(const char *text, long long seconds, bool secure, tain_http_reply *p)
{
    tain_http_reply_add(p, "Set-Cookie", TAIN_AUTH_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", text, seconds, secure ? "; Secure" : "");
}

tain_status tain_auth_sign_in(tain_auth *a, const tain_http_request *q, const char *name, const char *password, tain_http_reply *p, tain_error *err)
{
    char id[37], token[37], text[TAIN_CONTROL_TOKEN_TEXT];
    TAIN_TRY(tain_auth_private(a, q, err));
    TAIN_TRY(tain_auth_same_site(a, q, false, err));
    TAIN_TRY(verify(a, q, name, password, id, p, err));
    TAIN_TRY(tain_control_session_add(a->control, id, SESSION, token, text, err));
    set_cookie(text, SESSION / TAIN_SECOND, is_secure(a, q), p);
    return TAIN_OK;
}

void tain_auth_sign_out(tain_auth *a, const tain_caller *c, tain_http_reply *p)
{
    if (c->session) (void)!tain_control_token_remove(a->control, c->token, NULL);
    set_cookie("", 0, false, p);
}
