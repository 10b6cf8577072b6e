/* SPDX-License-Identifier: MIT */
#include "serve/listen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static tain_status refuse(const char *text, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is no address to listen on", text);
    tain_error_remedy(err, "write it as 127.0.0.1:8080, http://127.0.0.1:8080 or https://0.0.0.0:8443");
    return st;
}

static bool read_port(const char *text, uint16_t *ret)
{
    char *end;
    long  port = text && *text ? strtol(text, &end, 10) : -1;
    if (port < 0 || port > 65535 || *end) return false;
    *ret = (uint16_t)port;
    return true;
}

static tain_status judge(tain_listen *l, const char *text, tain_error *err)
{
    l->loopback = tain_host_is_loopback(l->host);
    if (l->loopback || l->tls) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_CONFIG, "%s can be reached from beyond this machine, where nothing is said without TLS", text);
    bool six = strchr(l->host, ':') != NULL;
    tain_error_remedy(err, "listen on https://%s%s%s:%u, or on 127.0.0.1 behind a proxy that has a certificate", six ? "[" : "", l->host, six ? "]" : "", l->port);
    return st;
}

tain_status tain_listen_read(const char *text, tain_listen *ret, tain_error *err)
{
    tain_url u = {0};
    TAIN_AUTO(tain_free) char *full = strstr(text, "://") ? tain_strdup(text) : tain_format("http://%s", text);
    if (tain_url_parse(full, &u, err) != TAIN_OK) return refuse(text, err);
    tain_listen l = {.tls = strcmp(u.scheme, "https") == 0};
    bool fine = u.host && !u.user && !u.query && (!u.path || strcmp(u.path, "/") == 0) && (l.tls || strcmp(u.scheme, "http") == 0) && read_port(u.port, &l.port);
    l.host = tain_strdup(u.host);
    tain_url_done(&u);
    tain_status st = fine ? judge(&l, text, err) : refuse(text, err);
    if (st == TAIN_OK) *ret = l;
    else tain_listen_done(&l);
    return st;
}

void tain_listen_done(tain_listen *l)
{
    tain_free(l->host);
}

char *tain_listen_url(const tain_listen *l, uint16_t port)
{
    const char *any = strcmp(l->host, "0.0.0.0") == 0 || strcmp(l->host, "::") == 0 ? "localhost" : l->host;
    return tain_format(strchr(any, ':') ? "%s://[%s]:%u" : "%s://%s:%u", l->tls ? "https" : "http", any, port);
}
