/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/exchange.h"

enum { BACKLOG = 128, HEAD_MOST = 64 << 10, SPARE = 16 };

/* --- what a handler asks ------------------------------------------------------------------------------------------- */

const char *tain_http_query(const tain_http_request *q, const char *name)
{
    return tain_http_arguments_get(&((const tain_exchange *)q->connection)->target.query, name);
}

char *tain_http_target_again(const tain_http_request *q, const char *name, const char *value)
{
    return tain_http_target_with(&((const tain_exchange *)q->connection)->target, name, value);
}

const char *tain_http_header(const tain_http_request *q, const char *name)
{
    return MHD_lookup_connection_value(((const tain_exchange *)q->connection)->connection, MHD_HEADER_KIND, name);
}

const char *tain_http_cookie(const tain_http_request *q, const char *name)
{
    return MHD_lookup_connection_value(((const tain_exchange *)q->connection)->connection, MHD_COOKIE_KIND, name);
}

const char *tain_http_form(const tain_http_request *q, const char *name)
{
    tain_exchange *x = q->connection;
    if (!x->has_form) (void)tain_http_arguments_parse((const char *)q->body.data, q->body.size, &x->form);
    x->has_form = true;
    return tain_http_arguments_get(&x->form, name);
}

bool tain_http_stopping(const tain_http_request *q)
{
    return ((const tain_exchange *)q->connection)->server->lines.stopping;
}

/* A line's end in a value would begin another header. */
static void one_line(char *text)
{
    for (; *text; text++) {
        if (*text == '\r' || *text == '\n') *text = ' ';
    }
}

void tain_http_reply_add(tain_http_reply *p, const char *name, const char *format, ...)
{
    tain_buffer value = {0};
    char        text[1];
    va_list     args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tain_buffer_reserve(&value, (size_t)n + 1);
    vsnprintf((char *)value.data, (size_t)n + 1, format, again);
    va_end(again);
    one_line((char *)value.data);
    p->fields = tain_realloc(p->fields, (p->count + 1) * sizeof *p->fields);
    p->fields[p->count++] = (tain_http_field){tain_strdup(name), (char *)value.data};
}

/* --- listening ----------------------------------------------------------------------------------------------------- */

static socklen_t address_of(const tain_http_options *o, struct sockaddr_storage *ret)
{
    struct sockaddr_in  *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, o->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(o->port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, o->address, &v6->sin6_addr) != 1) return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(o->port);
    return sizeof *v6;
}

static tain_status cannot_listen(int fd, const tain_http_options *o, tain_error *err)
{
    char        text[128];
    tain_status st = errno == EACCES ? TAIN_E_PERMISSION : TAIN_E_UNAVAILABLE;
    int         sys = errno;
    if (fd >= 0) close(fd);
    st = tain_fail(err, st, "port %u of %s cannot be listened on: %s", o->port, o->address, strerror_r(sys, text, sizeof text));
    tain_error_remedy(err, sys == EADDRINUSE ? "another program listens there: choose another port" : "choose another address or port");
    return st;
}

static tain_status listen_on(const tain_http_options *o, int *ret, tain_error *err)
{
    struct sockaddr_storage a;
    const socklen_t         n = address_of(o, &a);
    const int               yes = 1, no = 0;
    if (n == 0) return tain_fail(err, TAIN_E_INVALID, "'%s' is no IP address", o->address);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        (a.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no)) || bind(fd, (struct sockaddr *)&a, n) || listen(fd, BACKLOG))
        return cannot_listen(fd, o, err);
    *ret = fd;
    return TAIN_OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t               n = sizeof a;
    getsockname(fd, (struct sockaddr *)&a, &n);
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

/* --- TLS ----------------------------------------------------------------------------------------------------------- */

static tain_http_server *server_of(tain_lines *all)
{
    return (tain_http_server *)((char *)all - offsetof(tain_http_server, lines));
}

/* Called by GnuTLS in a handshake. What it is shown stays until the server ends. */
static int show(gnutls_session_t session, const gnutls_datum_t *authorities, int n, const gnutls_pk_algorithm_t *kinds, int m, gnutls_pcert_st **ret,
                unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    struct MHD_Connection *c = gnutls_session_get_ptr(session);
    tain_line             *l = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    tain_credential       *shown = atomic_load(&server_of(l->all)->credential);
    *ret = shown->chain;
    *ret_count = shown->count;
    *ret_key = shown->key;
    return 0;
}

tain_status tain_http_renew(tain_http_server *s, const char *cert, const char *key, tain_error *err)
{
    tain_credential *next;
    if (!atomic_load(&s->credential)) return tain_fail(err, TAIN_E_CONFIG, "this server was begun without TLS");
    TAIN_TRY(tain_credential_make(cert, key, &next, err));
    next->before = atomic_load(&s->credential);
    while (!atomic_compare_exchange_weak(&s->credential, &next->before, next)) {}
    return TAIN_OK;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void on_line(void *ctx, struct MHD_Connection *c, void **line, enum MHD_ConnectionNotificationCode what)
{
    tain_http_server *s = ctx;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) *line = tain_line_open(&s->lines, MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else tain_line_close(&s->lines, *line);
}

/* Paths and arguments are decoded by us, from what the client sent. */
static size_t as_it_is(void *ctx, struct MHD_Connection *c, char *text)
{
    return strlen(text);
}

static struct MHD_Daemon *start(tain_http_server *s)
{
    const bool                  tls = atomic_load(&s->credential) != NULL;
    const struct MHD_OptionItem with_tls[] = {{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)show},
                                              {MHD_OPTION_HTTPS_PRIORITIES, 0, "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}, {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem without[] = {{MHD_OPTION_END, 0, NULL}};
    const unsigned              flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    return MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, tain_exchange_go_on, s, MHD_OPTION_LISTEN_SOCKET, s->fd,
                            MHD_OPTION_CONNECTION_LIMIT, s->options.connections + SPARE, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MOST, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
                            as_it_is, NULL, MHD_OPTION_URI_LOG_CALLBACK, tain_exchange_begin, s, MHD_OPTION_NOTIFY_COMPLETED, tain_exchange_end, s,
                            MHD_OPTION_NOTIFY_CONNECTION, on_line, s, MHD_OPTION_ARRAY, tls ? with_tls : without, MHD_OPTION_END);
}

static void put_defaults(tain_http_options *o)
{
    if (o->body_most == 0) o->body_most = 16 << 20;
    if (o->connections == 0) o->connections = 512;
    if (o->connections_each == 0) o->connections_each = 128;
    if (o->patience == 0) o->patience = 30;
    o->address = o->cert = o->key = NULL;
}

static tain_status begin(tain_http_server *s, const tain_http_options *o, tain_error *err)
{
    tain_lines_init(&s->lines, s->options.connections, s->options.connections_each, s->options.patience * TAIN_SECOND, !atomic_load(&s->credential));
    s->daemon = start(s);
    if (s->daemon) return TAIN_OK;
    tain_lines_drain(&s->lines);
    tain_lines_done(&s->lines);
    return tain_fail(err, TAIN_E_UNAVAILABLE, "a server on port %u of %s cannot be started", o->port, o->address);
}

static void release(tain_http_server *s)
{
    tain_credential_free(atomic_load(&s->credential));
    close(s->fd);
    tain_free(s);
}

tain_status tain_http_serve(const tain_http_options *o, tain_http_server **ret, tain_error *err)
{
    int              fd;
    tain_credential *credential = NULL;
    if (o->cert || o->key) TAIN_TRY(tain_credential_make(o->cert, o->key, &credential, err));
    tain_status st = listen_on(o, &fd, err);
    if (st != TAIN_OK) {
        tain_credential_free(credential);
        return st;
    }
    tain_http_server *s = tain_alloc(sizeof *s);
    *s = (tain_http_server){.options = *o, .credential = credential, .fd = fd, .port = port_of(fd)};
    put_defaults(&s->options);
    st = begin(s, o, err);
    if (st == TAIN_OK) *ret = s;
    else release(s);
    return st;
}

uint16_t tain_http_port(const tain_http_server *s)
{
    return s->port;
}

void tain_http_stop(tain_http_server *s)
{
    if (!s) return;
    MHD_quiesce_daemon(s->daemon);
    tain_lines_drain(&s->lines);
    MHD_stop_daemon(s->daemon);
    tain_lines_done(&s->lines);
    release(s);
}
