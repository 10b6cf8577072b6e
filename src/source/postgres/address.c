/* SPDX-License-Identifier: MIT */
/* address.c -- where a URL leads, and whether it uses anything of this machine; declared in connection.h. */
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

/* NULL: libpq would not take it. Caller frees. */
static PQconninfoOption *parse(const char *url)
{
    return is_plain(url) ? PQconninfoParse(url, NULL) : NULL;
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0) return options->val;
    return NULL;
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

char *tain_pg_host(const char *url)
{
    PQconninfoOption *options = parse(url);
    const char       *given = value_of(options, "host");
    bool              leads_there = given && are_in_the_network(given) && !value_of(options, "hostaddr"); /* which would be where it leads */
    char             *host = leads_there ? tain_strdup(given) : NULL;
    PQconninfoFree(options);
    for (char *p = host; p && *p; p++) *p = (char)tolower((unsigned char)*p);
    return host;
}

bool tain_pg_is_frugal(const char *url)
{
    PQconninfoOption *options = parse(url);
    bool              is = options != NULL;
    for (const PQconninfoOption *o = options; o && o->keyword; o++) is = is && (!o->val || is_harmless(o->keyword));
    PQconninfoFree(options);
    return is;
}
