/* SPDX-License-Identifier: MIT */
/* Headers that every reply has; declared in auth.h. */
#include <strings.h>

#include "serve/auth/internal.h"

static bool has(const tain_http_reply *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcasecmp(p->fields[i].name, name) == 0) return true;
    }
    return false;
}

/* What a handler said itself stays. */
static void say(tain_http_reply *p, const char *name, const char *value)
{
    if (!has(p, name)) tain_http_reply_add(p, name, "%s", value);
}

void tain_auth_forget(const tain_http_request *q, tain_http_reply *p)
{
    if (tain_http_cookie(q, TAIN_AUTH_COOKIE) && !tain_http_header(q, "Authorization"))
        say(p, "Set-Cookie", TAIN_AUTH_COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
}

void tain_auth_headers(const tain_http_request *q, tain_http_reply *p)
{
    say(p, "Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    say(p, "X-Content-Type-Options", "nosniff");
    say(p, "X-Frame-Options", "DENY");
    say(p, "Referrer-Policy", "no-referrer");
    say(p, "Cross-Origin-Opener-Policy", "same-origin");
    say(p, "Cross-Origin-Resource-Policy", "same-origin");
    say(p, "Cache-Control", "no-store");
    if (p->status != 401) return;
    say(p, "WWW-Authenticate", "Bearer realm=\"tain\"");
    tain_auth_forget(q, p);
}
