/* SPDX-License-Identifier: MIT */
/* address.c -- whether a URL leads into the network and uses nothing of this machine; declared in connection.h. */
#include <ctype.h>

#include "source/postgres/connection.h"

/* Names no file, no variable and no service, and is told to nobody but the server. The password is not among them: where it belongs, it is no
 * part of a URL that is kept. */
static bool is_harmless(const char *keyword)
{
    static const char *const keywords[] = {
        "user", "host", "port", "dbname", "application_name", "fallback_application_name", "client_encoding", "connect_timeout", "sslmode",
        "sslnegotiation", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding", "require_auth", "gssencmode",
        "target_session_attrs", "load_balance_hosts", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keyword, keywords[i]) == 0) return true;
    return false;
}

/* For libpq the user's name ends at an @ behind a question mark, too, for us it does not: then we would not speak of the same server. */
static bool is_plain(const char *url)
{
    const char *authority = strstr(url, "://"), *end = authority ? authority + 3 + strcspn(authority + 3, "/?") : NULL;
    return end && (*end != '?' || !memchr(end, '@', strcspn(end, "/")));
}

/* Each of a list: one that is empty is a socket, as is a path or a name that begins with @. */
static bool are_in_the_network(const char *hosts)
{
    for (const char *p = hosts;; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == 0 || *p == '/' || *p == '@') return false;
        p += n;
        if (!*p) return true;
    }
}

static const char *host_of(const PQconninfoOption *options)
{
    const char *host = NULL;
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && !is_harmless(o->keyword)) return NULL;
        if (o->val && strcmp(o->keyword, "host") == 0) host = o->val;
    }
    return host && are_in_the_network(host) ? host : NULL;
}

char *tain_pg_host(const char *url)
{
    PQconninfoOption *options = is_plain(url) ? PQconninfoParse(url, NULL) : NULL;
    char             *host = options ? tain_strdup(host_of(options)) : NULL;
    PQconninfoFree(options);
    for (char *p = host; p && *p; p++) *p = (char)tolower((unsigned char)*p);
    return host;
}
