/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "control/workspace.h"
#include "serve/api/api.h"
#include "serve/api/removal.h"
#include "serve/listen.h"
#include "serve/monitoring.h"
#include "serve/page/asset.h"
#include "serve/webhook.h"

enum { LISTEN_MOST = 8, FILES = 65536, LOOK_EVERY = 3600 * 1000 /* ms */ };
#define DEFAULT_LISTEN "127.0.0.1:8080"
#define DEFAULT_WORKSPACE "default"

typedef struct service {
    const tain_serve_options *options;
    char             *home, *lake; /* absolute */
    char             *told;        /* HOME/service.json, once the home is ours */
    tain_control     *control;
    tain_supervisor  *supervisor;
    tain_auth        *auth;
    tain_webhook     *webhook;
    tain_api          api;
    tain_listen       listen[LISTEN_MOST];
    tain_http_server *servers[LISTEN_MOST];
    size_t            count;
    tain_identity     identity;
    char             *public_name; /* NULL: none */
    const char      **hosts;       /* NULL-terminated */
} service;

static int                   wake = -1;
static volatile sig_atomic_t stopping;

void tain_serve_stop(void)
{
    stopping = true;
    tain_serve_look();
}

/* Whom the signal interrupts may be about to read errno. */
void tain_serve_look(void)
{
    int before = errno;
    (void)!write(wake, &(uint64_t){1}, sizeof(uint64_t));
    errno = before;
}

/* --- a request ----------------------------------------------------------------------------------------------------------- */

/* Headers come last: what a part said of itself stays, and some depend on the status. */
static void handle(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    const service *s = ctx;
    if (!tain_page_handle(q, p) && !tain_auth_token_endpoint(s->auth, q, p)) tain_api_handle(&s->api, q, p);
    tain_auth_headers(q, p);
}

static void refuse(void *ctx, const tain_http_request *q, const char *why, tain_http_reply *p)
{
    tain_api_refuse(why, p);
    tain_auth_headers(q, p);
}

/* --- beginning ----------------------------------------------------------------------------------------------------------- */

static tain_status find_folder(const char *path, mode_t mode, char **ret, tain_error *err)
{
    mode_t before = umask(0777 & ~mode);
    bool   made = tain_make_folder(path, true);
    umask(before);
    if (!made) return tain_fail_errno(err, "cannot make the folder %s", path);
    *ret = realpath(path, NULL);
    return *ret ? TAIN_OK : tain_fail_errno(err, "cannot find %s", path);
}

static tain_status find_folders(service *s, tain_error *err)
{
    TAIN_TRY(find_folder(s->options->home, 0700, &s->home, err));
    TAIN_AUTO(tain_free) char *lake = s->options->lake ? tain_strdup(s->options->lake) : tain_format("%s/lake", s->home);
    return find_folder(lake, 0755, &s->lake, err);
}

static tain_status read_addresses(service *s, tain_error *err)
{
    static const char *const usual[] = {DEFAULT_LISTEN, NULL};
    const char *const *all = s->options->listen && s->options->listen[0] ? s->options->listen : usual;
    for (; all[s->count]; s->count++) {
        if (s->count == LISTEN_MOST) return tain_fail(err, TAIN_E_CONFIG, "no more than %d addresses can be listened on", LISTEN_MOST);
        TAIN_TRY(tain_listen_read(all[s->count], &s->listen[s->count], err));
    }
    return TAIN_OK;
}

/* Under what name a proxy in front shows us. */
static tain_status read_public_url(service *s, tain_error *err)
{
    tain_url u = {0};
    if (!s->options->public_url) return TAIN_OK;
    TAIN_TRY_IN(err, tain_url_parse(s->options->public_url, &u, err), "--url");
    s->public_name = tain_strdup(u.host);
    tain_url_done(&u);
    return TAIN_OK;
}

/* The names given, those listened on, and this machine's. */
static void name_hosts(service *s)
{
    size_t n = 0, given = 0;
    static const char *const usual[] = {"localhost", "127.0.0.1", "::1"};
    while (s->options->hosts && s->options->hosts[given]) given++;
    s->hosts = tain_alloc((given + 1 + s->count + 3 + 1) * sizeof *s->hosts);
    for (; n < given; n++) s->hosts[n] = s->options->hosts[n];
    if (s->public_name) s->hosts[n++] = s->public_name;
    for (size_t i = 0; i < s->count; i++) s->hosts[n++] = s->listen[i].host;
    for (size_t i = 0; i < 3; i++) s->hosts[n++] = usual[i];
    s->hosts[n] = NULL;
}

static tain_status load_identity(const service *s, tain_identity *ret, tain_error *err)
{
    if (s->options->tls_cert) return tain_identity_given(s->options->tls_cert, s->options->tls_key, ret, err);
    TAIN_AUTO(tain_free) char *folder = tain_format("%s/tls", s->home);
    return tain_identity_own(folder, s->hosts, ret, err);
}

static tain_status find_identity(service *s, tain_error *err)
{
    bool wanted = false;
    for (size_t i = 0; i < s->count; i++) wanted = wanted || s->listen[i].tls;
    return wanted ? load_identity(s, &s->identity, err) : TAIN_OK;
}

static tain_status renew(service *s, tain_error *err)
{
    tain_identity now = {0};
    if (!s->identity.cert) return TAIN_OK;
    TAIN_TRY(load_identity(s, &now, err));
    bool        same = strcmp(now.cert, s->identity.cert) == 0;
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < s->count && st == TAIN_OK && !same; i++)
        if (s->listen[i].tls) st = tain_http_renew(s->servers[i], now.cert, now.key, err);
    if (st == TAIN_OK) {
        tain_identity old = s->identity;
        s->identity = now;
        now = old;
    }
    tain_identity_done(&now);
    return st;
}

/* A certificate may run out, or be replaced by whoever gave it, while the service goes on. */
static void look_after(service *s)
{
    tain_error err = {0};
    if (renew(s, &err) == TAIN_OK) return;
    TAIN_AUTO(tain_free) char *line = tain_format("the certificate was not renewed: %s", err.message);
    s->options->say(line);
}

/* A service has a workspace from its first day on. */
static tain_status need_workspace(service *s, tain_error *err)
{
    tain_control_workspaces all;
    char                    id[37];
    TAIN_TRY(tain_control_workspace_list(s->control, (tain_control_page){.most = 1}, &all, err));
    bool none = all.count == 0;
    tain_control_workspaces_done(&all);
    return none ? tain_control_workspace_add(s->control, DEFAULT_WORKSPACE, NULL, NULL, id, err) : TAIN_OK;
}

static tain_status open_parts(service *s, tain_error *err)
{
    const tain_auth_options       a = {.hosts = s->hosts, .strict = s->options->strict, .public_url = s->options->public_url, .issuer = s->options->issuer, .audiences = s->options->audiences,
                                       .issuer_ca = s->options->issuer_ca};
    TAIN_TRY(tain_webhook_open(s->options->webhooks, &s->webhook, err));
    const tain_supervisor_options o = {.alarm = tain_webhook_alarm, .alarm_ctx = s->webhook, .keep_records = s->options->keep_records, .keep_audit = s->options->keep_audit};
    TAIN_TRY(tain_control_open(s->home, s->options->key_file, &s->control, err));
    s->told = tain_format("%s/service.json", s->home);
    unlink(s->told); /* of one that was killed */
    TAIN_TRY(need_workspace(s, err));
    if (!s->options->unmonitored) TAIN_TRY(tain_monitoring_make(s->control, s->lake, err));
    TAIN_TRY(find_identity(s, err));
    TAIN_TRY(tain_auth_open(s->control, &a, &s->auth, err));
    TAIN_TRY(tain_supervisor_start(s->control, &o, &s->supervisor, err));
    s->api = (tain_api){.control = s->control, .supervisor = s->supervisor, .auth = s->auth, .lake = s->lake, .public_url = s->options->public_url};
    tain_remove_rest(&s->api);
    return TAIN_OK;
}

static tain_status listen_on(service *s, size_t i, tain_error *err)
{
    const tain_listen      *l = &s->listen[i];
    const tain_http_options o = {.address = strcasecmp(l->host, "localhost") == 0 ? "127.0.0.1" : l->host, .port = l->port,
                                 .cert = l->tls ? s->identity.cert : NULL, .key = l->tls ? s->identity.key : NULL, .handle = handle, .refuse = refuse, .ctx = s};
    return tain_http_serve(&o, &s->servers[i], err);
}

/* Where commands on this machine find the service. */
static tain_status announce(const service *s, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = tain_listen_url(&s->listen[0], tain_http_port(s->servers[0]));
    TAIN_AUTO(tain_free) char *draft = tain_format("%s.new", s->told);
    json_t *root = json_pack("{s:s,s:s?,s:i}", "url", url, "ca", s->listen[0].tls ? s->identity.ca_file : NULL, "pid", (int)getpid());
    int     failed = json_dump_file(root, draft, JSON_INDENT(2));
    json_decref(root);
    if (failed || rename(draft, s->told) != 0) return tain_fail_errno(err, "cannot write %s", s->told);
    for (size_t i = 0; i < s->count; i++) {
        TAIN_AUTO(tain_free) char *one = tain_listen_url(&s->listen[i], tain_http_port(s->servers[i])), *line = tain_format("tain serves at %s", one);
        s->options->say(line);
    }
    return TAIN_OK;
}

static tain_status begin(service *s, tain_error *err)
{
    TAIN_TRY(read_addresses(s, err));
    TAIN_TRY(read_public_url(s, err));
    name_hosts(s);
    TAIN_TRY(find_folders(s, err));
    TAIN_TRY(open_parts(s, err));
    for (size_t i = 0; i < s->count; i++) TAIN_TRY(listen_on(s, i, err));
    return announce(s, err);
}

/* Who connects must not keep workers from being started: the usual limit, of the time of select(2), is soon reached by both. */
static void raise_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= FILES) return;
    l.rlim_cur = l.rlim_max < FILES ? l.rlim_max : FILES;
    (void)!setrlimit(RLIMIT_NOFILE, &l);
}

/* --- ending -------------------------------------------------------------------------------------------------------------- */

static void end(service *s)
{
    if (s->told) unlink(s->told);
    tain_supervisor_wind_down(s->supervisor);
    for (size_t i = 0; i < s->count; i++) tain_http_stop(s->servers[i]);
    tain_supervisor_stop(s->supervisor, false);
    tain_webhook_close(s->webhook);
    tain_auth_close(s->auth);
    tain_control_close(s->control);
    tain_identity_done(&s->identity);
    tain_free(s->hosts);
    tain_free(s->public_name);
    for (size_t i = 0; i < s->count; i++) tain_listen_done(&s->listen[i]);
    tain_free(s->told);
    tain_free(s->home);
    tain_free(s->lake);
}

tain_status tain_serve_run(const tain_serve_options *o, tain_error *err)
{
    service       s = {.options = o};
    struct pollfd p = {.fd = wake = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
    if (wake < 0) return tain_fail_errno(err, "cannot make an eventfd");
    raise_limit();
    tain_status st = begin(&s, err);
    while (st == TAIN_OK && !stopping) {
        uint64_t ignored;
        if (poll(&p, 1, LOOK_EVERY) > 0) (void)!read(wake, &ignored, sizeof ignored);
        if (!stopping) look_after(&s);
    }
    if (st == TAIN_OK) o->say("stopping");
    end(&s);
    close(wake);
    wake = -1;
    return st;
}
