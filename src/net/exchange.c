/* SPDX-License-Identifier: MIT */
#include "net/exchange.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

enum { BODIES = 8, FREE_BODY = 64 << 10, LINGER_MOST = 4 << 20, LINGER_SILENCE = 1000 /* ms */ };

static void drop_body(tain_exchange *x)
{
    atomic_fetch_sub(&x->server->gathered, x->body.size);
    tain_buffer_done(&x->body);
}

static void refuse(tain_exchange *x, int status, const char *why)
{
    if (x->refused) return;
    x->refused = status;
    x->why = why;
}

/* --- the head ------------------------------------------------------------------------------------------------------ */

void *tain_exchange_begin(void *ctx, const char *target, struct MHD_Connection *c)
{
    tain_exchange *x = tain_alloc(sizeof *x);
    x->server = ctx;
    x->connection = c;
    x->line = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    x->why = tain_http_target_parse(target, &x->target);
    x->refused = x->why ? MHD_HTTP_BAD_REQUEST : 0;
    tain_line_enter(&x->server->lines, x->line, TAIN_LINE_ARRIVING, 0);
    return x;
}

static const char *header(const tain_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

typedef struct counted {
    const char *name;
    int         count;
} counted;

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    counted *n = ctx;
    n->count += strcasecmp(key, n->name) == 0;
    return MHD_YES;
}

static bool is_token(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c)) return false;
    }
    return name[0] != 0;
}

static bool is_text(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) return false;
    }
    return true;
}

/* The value stands behind its name as it came, so there was no line break in between: libmicrohttpd puts what follows one (RFC 7230,
 * obs-fold) behind the name, elsewhere. */
static bool is_one_line(const char *name, const char *value)
{
    const char *c = name + strlen(name) + 1;
    while (c < value && (*c == ' ' || *c == '\t')) c++;
    return c == value;
}

/* "Content-Length : 3" would be no length to us, and one to somebody in between; so would one of two lines. */
static enum MHD_Result check_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    bool *well = ctx;
    *well = value && is_token(key) && is_text(value) && is_one_line(key, value);
    return *well ? MHD_YES : MHD_NO;
}

static bool is_well_formed(const tain_exchange *x)
{
    bool well = true;
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, check_header, &well);
    return well;
}

/* Of what decides where a request ends, and who makes it, there is one: two readers would read two otherwise. */
static bool is_ambiguous(const tain_exchange *x)
{
    static const char *const single[] = {"Host", "Content-Length", "Transfer-Encoding", "Authorization", "Origin", "Cookie"};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        counted n = {single[i], 0};
        MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_header, &n);
        if (n.count > 1) return true;
    }
    const char *host = header(x, "Host");
    if (x->target.authority && strcasecmp(x->target.authority, host ? host : "") != 0) return true;
    return header(x, "Transfer-Encoding") && header(x, "Content-Length");
}

/* What Content-Length says is so much. libmicrohttpd has refused what is no number. */
static size_t announced(const tain_exchange *x)
{
    const char *length = header(x, "Content-Length");
    return length ? (size_t)strtoull(length, NULL, 10) : 0;
}

static void check_head(tain_exchange *x, const char *version)
{
    const char *coding = header(x, "Transfer-Encoding");
    if (!is_well_formed(x)) refuse(x, MHD_HTTP_BAD_REQUEST, "a header is not of the form that headers have");
    if (is_ambiguous(x)) refuse(x, MHD_HTTP_BAD_REQUEST, "a header is there twice that may be there once, or two that contradict each other");
    if (coding && (strcasecmp(coding, "chunked") != 0 || strcmp(version, MHD_HTTP_VERSION_1_1) != 0))
        refuse(x, MHD_HTTP_NOT_IMPLEMENTED, "a body comes whole or chunked");
    if (announced(x) > x->server->options.body_most) refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
}

static void describe(tain_exchange *x, const char *method)
{
    const char *host = header(x, "Host");
    x->request = (tain_http_request){.method = method, .path = x->target.path, .host = host ? host : "", .loopback = x->line->loopback,
                                     .secure = !x->server->lines.plain, .peer_uid = x->line->uid, .connection = x};
    snprintf(x->request.peer, sizeof x->request.peer, "%s", x->line->peer);
}

/* --- the reply ----------------------------------------------------------------------------------------------------- */

/* Takes over the body of p. */
static struct MHD_Response *make_response(tain_http_reply *p)
{
    struct MHD_Response *r;
    if (p->fixed.data) r = MHD_create_response_from_buffer(p->fixed.size, (void *)p->fixed.data, MHD_RESPMEM_PERSISTENT);
    else r = MHD_create_response_from_buffer(p->body.size, p->body.data, p->body.data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r && !p->fixed.data) p->body = (tain_buffer){0};
    return r;
}

static bool has_body(const tain_http_reply *p)
{
    return p->status >= 200 && p->status != MHD_HTTP_NO_CONTENT && p->status != MHD_HTTP_NOT_MODIFIED;
}

static void put_headers(const tain_exchange *x, const tain_http_reply *p, struct MHD_Response *r)
{
    if (has_body(p)) MHD_add_response_header(r, "Content-Type", p->type ? p->type : "application/octet-stream");
    for (size_t i = 0; i < p->count; i++) MHD_add_response_header(r, p->fields[i].name, p->fields[i].value);
    if (x->refused || x->server->lines.stopping) MHD_add_response_header(r, "Connection", "close");
}

static void reply_done(tain_http_reply *p)
{
    for (size_t i = 0; i < p->count; i++) {
        tain_free(p->fields[i].name);
        tain_free(p->fields[i].value);
    }
    tain_free(p->fields);
    tain_buffer_done(&p->body);
}

static enum MHD_Result send_reply(tain_exchange *x, tain_http_reply *p)
{
    const size_t         size = p->fixed.data ? p->fixed.size : p->body.size;
    struct MHD_Response *r = make_response(p);
    enum MHD_Result      sent = MHD_NO;
    if (r) {
        put_headers(x, p, r);
        tain_line_enter(&x->server->lines, x->line, TAIN_LINE_REPLYING, size);
        sent = MHD_queue_response(x->connection, (unsigned)p->status, r);
        MHD_destroy_response(r);
    }
    reply_done(p);
    return sent;
}

static enum MHD_Result send_refusal(tain_exchange *x)
{
    const tain_http_options *o = &x->server->options;
    tain_http_reply          p = {.status = x->refused, .type = "text/plain; charset=utf-8"};
    if (o->refuse) o->refuse(o->ctx, &x->request, x->why, &p);
    else tain_buffer_printf(&p.body, "%s\n", x->why);
    return send_reply(x, &p);
}

/* --- the body ------------------------------------------------------------------------------------------------------ */

static enum MHD_Result take_head(tain_exchange *x, const char *method, const char *version)
{
    x->begun = true;
    check_head(x, version);
    describe(x, method);
    if (x->line->spare) refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections");
    if (!x->refused) return MHD_YES;
    x->unread = announced(x) > 0 || header(x, "Transfer-Encoding");
    return send_refusal(x);
}

/* Room for a body: small ones always, large ones as long as all of them together are not too many. */
static bool may_hold(tain_exchange *x, size_t more)
{
    size_t all = atomic_fetch_add(&x->server->gathered, more) + more;
    if (x->body.size + more <= FREE_BODY || all <= BODIES * x->server->options.body_most) return true;
    atomic_fetch_sub(&x->server->gathered, more);
    return false;
}

/* What is too large is read to its end without being kept, within the time that is left: only then it can be answered. */
static enum MHD_Result take_body(tain_exchange *x, const char *data, size_t n)
{
    if (x->body.size + n > x->server->options.body_most) refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    if (!x->refused && !may_hold(x, n)) refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "too many large bodies at a time");
    if (x->refused) drop_body(x);
    if (x->refused) return MHD_YES;
    tain_buffer_append(&x->body, data, n);
    tain_line_progress(&x->server->lines, x->line, n);
    return MHD_YES;
}

static enum MHD_Result handle(tain_exchange *x)
{
    tain_http_reply p = {.status = MHD_HTTP_OK};
    if (!x->refused && !tain_line_enter(&x->server->lines, x->line, TAIN_LINE_HANDLING, 0)) refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the service stops");
    if (x->refused) return send_refusal(x);
    x->request.body = tain_buffer_slice(&x->body);
    x->server->options.handle(x->server->options.ctx, &x->request, &p);
    return send_reply(x, &p);
}

enum MHD_Result tain_exchange_go_on(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data,
                                    size_t *io_size, void **io)
{
    tain_exchange *x = *io;
    size_t         n = *io_size;
    *io_size = 0;
    if (!x->begun) return take_head(x, method, version);
    return n ? take_body(x, data, n) : handle(x);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

/* A socket that is closed while more comes makes the client lose the reply: what it still sends is read for a while. */
static void linger(const tain_exchange *x)
{
    char          waste[16384];
    struct pollfd in = {.fd = x->line->fd, .events = POLLIN};
    ssize_t       n;
    shutdown(in.fd, SHUT_WR);
    for (size_t all = 0; all < LINGER_MOST && poll(&in, 1, LINGER_SILENCE) == 1 && (n = recv(in.fd, waste, sizeof waste, MSG_DONTWAIT)) > 0;)
        all += (size_t)n;
}

void tain_exchange_end(void *ctx, struct MHD_Connection *c, void **io, enum MHD_RequestTerminationCode code)
{
    tain_exchange *x = *io;
    if (!x) return;
    if (x->unread && code == MHD_REQUEST_TERMINATED_COMPLETED_OK && x->server->lines.plain) linger(x);
    tain_line_enter(&x->server->lines, x->line, TAIN_LINE_WAITING, 0);
    drop_body(x);
    tain_http_target_done(&x->target);
    tain_http_arguments_done(&x->form);
    tain_free(x);
    *io = NULL;
}
