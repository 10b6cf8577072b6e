/* SPDX-License-Identifier: MIT */
/* Whether a browser was made to send a request by somebody else's page; declared in internal.h.
 *
 * A name that another resolves to our address (DNS rebinding) shows in Host; a page of another origin shows in Origin and
 * Sec-Fetch-Site, or cannot set a header of its own. Who sends none of these is no browser. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "serve/auth/internal.h"

static tain_status refused(tain_error *err, const char *why, const char *value)
{
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "%s%s%.100s%s", why, *value ? " '" : "", value, *value ? "'" : "");
    tain_error_remedy(err, "use the service's own page, or send a token");
    return st;
}

/* --- Host ---------------------------------------------------------------------------------------------------------- */

/* Without port, brackets and a final point; false: it is none. */
static bool name_of(const char *host, char *ret, size_t size)
{
    const char *close = host[0] == '[' ? strchr(host, ']') : NULL, *begin = close ? host + 1 : host;
    size_t      n = close ? (size_t)(close - begin) : strcspn(host, ":");
    if (n > 0 && begin[n - 1] == '.') n--;
    if (n == 0 || n >= size || (host[0] == '[' && !close)) return false;
    memcpy(ret, begin, n);
    ret[n] = 0;
    return true;
}

/* An address is not looked up anywhere, so nobody else can have made it ours. */
static bool is_address(const char *name)
{
    struct in6_addr a;
    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static bool is_localhost(const char *name)
{
    static const char end[] = ".localhost"; /* RFC 6761: leads nowhere else */
    const size_t      n = strlen(name), m = sizeof end - 1;
    return strcasecmp(name, "localhost") == 0 || (n > m && strcasecmp(name + n - m, end) == 0);
}

static bool is_our_host(const tain_auth *a, const char *host)
{
    char name[256];
    if (!name_of(host, name, sizeof name)) return false;
    if (is_address(name) || is_localhost(name)) return true;
    for (char **h = a->hosts; *h; h++) {
        if (strcasecmp(name, *h) == 0) return true;
    }
    return false;
}

/* --- origin -------------------------------------------------------------------------------------------------------- */

/* Behind a proxy the scheme is not known here, nor may be the name. */
static bool is_our_origin(const tain_auth *a, const tain_http_request *q, const char *origin)
{
    if (a->origin && strcasecmp(origin, a->origin) == 0) return true;
    const char *end = strstr(origin, "://");
    if (!end || strcasecmp(end + 3, q->host) != 0) return false;
    return a->proxied || strncasecmp(origin, q->secure ? "https:" : "http:", (size_t)(end - origin) + 1) == 0;
}

static bool changes(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

tain_status tain_auth_same_site(const tain_auth *a, const tain_http_request *q, bool marked, tain_error *err)
{
    const char *origin = tain_http_header(q, "Origin"), *site = tain_http_header(q, "Sec-Fetch-Site");
    if (!is_our_host(a, q->host)) {
        tain_status st = refused(err, "this service does not go by the name", q->host);
        tain_error_remedy(err, "start it with --hosts and that name, or send a token");
        return st;
    }
    if (origin && !is_our_origin(a, q, origin)) return refused(err, "a page of another origin made the request:", origin);
    if (site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0) return refused(err, "a page of another site made the request", "");
    if (marked && changes(q->method) && !tain_http_header(q, "X-Tain-Csrf")) return refused(err, "a request with the session's cookie needs the header X-Tain-Csrf: 1", "");
    return TAIN_OK;
}

/* --- where it comes from ------------------------------------------------------------------------------------------- */

bool tain_auth_is_forwarded(const tain_http_request *q)
{
    static const char *const names[] = {"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (tain_http_header(q, names[i])) return true;
    }
    return false;
}

tain_status tain_auth_private(const tain_auth *a, const tain_http_request *q, tain_error *err)
{
    if (q->secure || q->loopback || a->proxied) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "credentials from another machine are taken over https only");
    tain_error_remedy(err, "use https; a token that was sent in clear should be replaced");
    return st;
}
