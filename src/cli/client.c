/* SPDX-License-Identifier: MIT */
#include "cli/client.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "control/control.h"
#include "net/fetch.h"

#define HERE     "http://127.0.0.1:8080"
#define PATIENCE (120 * TAIN_SECOND) /* queries and assessments take their time */

tain_status tain_client_read_file(const char *path, tain_buffer *ret, tain_error *err)
{
    FILE *f = fopen(path, "re");
    if (!f) return tain_fail_errno(err, "cannot open %s", path);
    for (size_t n = 1; n;) {
        n = fread(tain_buffer_reserve(ret, 1 << 16), 1, 1 << 16, f);
        ret->size += n;
    }
    tain_status st = ferror(f) ? tain_fail_errno(err, "cannot read %s", path) : TAIN_OK;
    fclose(f);
    return st;
}

/* --- where it is, who asks ----------------------------------------------------------------------------------------- */

static tain_status no_service(const char *home, const char *path, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_NOT_FOUND, "no service runs in %s (there is no %s)", home, path);
    tain_error_remedy(err, "start it: tain serve --home %s", home);
    return st;
}

/* One that was killed leaves its address, where somebody else may be by now. */
static tain_status has_ended(const char *home, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_UNAVAILABLE, "no service runs in %s any more (it was killed; its workers may go on)", home);
    tain_error_remedy(err, "start it: tain serve --home %s", home);
    return st;
}

/* What the service wrote: {"url","ca"}, the latter relative to its home. */
static tain_status take_home(const char *home, tain_client *c, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_AUTO(tain_free) char *path = tain_format("%s/service.json", home);
    TAIN_AUTO(tain_json_decref) json_t *o = NULL;
    tain_status st = tain_client_read_file(path, &text, err);
    if (st == TAIN_E_NOT_FOUND) return no_service(home, path, err);
    TAIN_TRY(st);
    if (!tain_control_is_open(home)) return has_ended(home, err);
    TAIN_TRY(tain_json_parse(text.data, text.size, path, &o, err));
    const char *url = tain_json_get_str(o, "url", NULL), *ca = tain_json_get_str(o, "ca", NULL);
    if (!url) return tain_fail(err, TAIN_E_CORRUPT, "%s names no url", path);
    c->url = tain_strdup(url);
    if (ca && *ca) c->ca = *ca == '/' ? tain_strdup(ca) : tain_format("%s/%s", home, ca);
    return TAIN_OK;
}

static const char *from_environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* The usual one need not be there. */
static tain_status take_a_home(const tain_client_options *o, tain_client *c, tain_error *err)
{
    TAIN_AUTO(tain_free) char *usual = tain_cli_home();
    tain_status st = take_home(o->home ? o->home : usual, c, err);
    if (o->home || st != TAIN_E_NOT_FOUND) return st;
    c->url = tain_strdup(HERE);
    return TAIN_OK;
}

static tain_status take_address(const tain_client_options *o, tain_client *c, tain_error *err)
{
    const char *named = o->service ? o->service : o->home ? NULL : from_environment("TAIN_SERVICE");
    if (named && !strstr(named, "://")) {
        tain_status st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is no address of a service", named);
        tain_error_remedy(err, "it looks like this: " HERE);
        return st;
    }
    if (named) c->url = tain_strdup(named);
    else TAIN_TRY(take_a_home(o, c, err));
    for (size_t n = strlen(c->url); n && c->url[n - 1] == '/'; n--) c->url[n - 1] = 0;
    const char *ca = o->ca_file ? o->ca_file : from_environment("TAIN_CA_FILE");
    if (!ca) return TAIN_OK;
    free(c->ca);
    c->ca = tain_strdup(ca);
    return TAIN_OK;
}

static tain_status take_token(const tain_client_options *o, tain_client *c, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    if (o->token_file) TAIN_TRY(tain_client_read_file(o->token_file, &text, err));
    else tain_buffer_append_str(&text, from_environment("TAIN_TOKEN") ? getenv("TAIN_TOKEN") : "");
    while (text.size && isspace(text.data[text.size - 1])) text.size--;
    if (!text.size && !o->token_file) return TAIN_OK;
    const char *token = tain_buffer_cstr(&text);
    if (!*token || strpbrk(token, " \t\r\n")) return tain_fail(err, TAIN_E_INVALID, "%s holds no token", o->token_file ? o->token_file : "TAIN_TOKEN");
    c->token = tain_strdup(token);
    return TAIN_OK;
}

/* Whoever sees it pass can use it. */
static tain_status check_way(const tain_client_options *o, const tain_client *c, tain_error *err)
{
    tain_url u;
    TAIN_TRY(tain_url_parse(c->url, &u, err));
    bool        fine = !c->token || o->plain_http || (u.scheme && strcmp(u.scheme, "https") == 0) || tain_host_is_loopback(u.host);
    tain_status st = fine ? TAIN_OK : tain_fail(err, TAIN_E_INVALID, "the token would go to %s by http, for all between to read", u.host ? u.host : c->url);
    if (!fine) tain_error_remedy(err, "name the service by https; --plain-http sends it all the same");
    tain_url_done(&u);
    return st;
}

tain_status tain_client_open(const tain_client_options *o, tain_client *ret, tain_error *err)
{
    *ret = (tain_client){0};
    tain_status st = take_address(o, ret, err);
    if (st == TAIN_OK) st = take_token(o, ret, err);
    if (st == TAIN_OK) st = check_way(o, ret, err);
    if (st != TAIN_OK) tain_client_done(ret);
    return st;
}

void tain_client_done(tain_client *c)
{
    tain_free(c->url);
    tain_free(c->ca);
    tain_free(c->token);
    *c = (tain_client){0};
}

/* --- one request --------------------------------------------------------------------------------------------------- */

static tain_status status_of(int http)
{
    switch (http) {
    case 400: case 413: case 414: case 431: return TAIN_E_INVALID;
    case 401: return TAIN_E_AUTH;
    case 403: return TAIN_E_PERMISSION;
    case 404: return TAIN_E_NOT_FOUND;
    case 409: return TAIN_E_EXISTS;
    case 429: case 502: case 503: case 504: return TAIN_E_UNAVAILABLE;
    case 501: return TAIN_E_UNSUPPORTED;
    default: return http >= 500 ? TAIN_E_INTERNAL : TAIN_E_PROTOCOL;
    }
}

static const char *remedy_of(tain_status st)
{
    if (st == TAIN_E_AUTH) return "give a token of yours in TAIN_TOKEN, or by --token-file";
    if (st == TAIN_E_PERMISSION) return "ask an administrator of the service for the role";
    if (st == TAIN_E_INTERNAL) return "look into the log of the service";
    return NULL;
}

/* What a service that refuses says of it; others may stand between, and say what they like. */
static tain_status refused(const tain_client *c, const tain_answer *a, tain_error *err)
{
    json_t     *o = NULL;
    tain_status st = status_of(a->status);
    if (tain_json_parse(a->body.data, a->body.size, "answer", &o, NULL) != TAIN_OK) o = NULL;
    const char *message = tain_json_get_str(o, "message", NULL), *remedy = tain_json_get_str(o, "remedy", remedy_of(st));
    if (message) (void)!tain_fail(err, st, "%s", message);
    else (void)!tain_fail(err, st, "%s answers %d, and not as a tain service does", c->url, a->status);
    if (!message) tain_error_remedy(err, "name the service: --service URL, or TAIN_SERVICE");
    else if (remedy) tain_error_remedy(err, "%s", remedy);
    json_decref(o);
    return st;
}

static tain_status unreachable(const tain_client *c, tain_status st, tain_error *err)
{
    if (st == TAIN_E_UNAVAILABLE) tain_error_remedy(err, "start it: tain serve --home DIR; or name another: --service URL, or TAIN_SERVICE");
    if (st == TAIN_E_PROTOCOL && strncmp(c->url, "https:", 6) == 0)
        tain_error_remedy(err, "name the authority its certificate is of: --ca-file FILE, or TAIN_CA_FILE");
    return st;
}

static tain_status send_text(const tain_client *c, const char *method, const char *path, const char *text, tain_answer *ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = tain_format("%s%s", c->url, path);
    TAIN_AUTO(tain_free) char *bearer = c->token ? tain_format("Authorization: Bearer %s", c->token) : NULL;
    const char *headers[4] = {"Accept: application/json"};
    size_t      n = 1;
    if (text) headers[n++] = "Content-Type: application/json";
    if (bearer) headers[n++] = bearer;
    const tain_fetch f = {.method = method, .url = url, .headers = headers, .body = {(const uint8_t *)text, text ? strlen(text) : 0},
                          .ca_file = c->ca, .patience = PATIENCE};
    return tain_fetch_run(&f, ret, err);
}

static tain_status read_answer(const tain_client *c, const tain_answer *a, json_t **ret, tain_error *err)
{
    if (a->status < 200 || a->status > 299) return refused(c, a, err);
    if (!ret) return TAIN_OK;
    *ret = NULL;
    if (a->body.size) return tain_json_parse(a->body.data, a->body.size, c->url, ret, err);
    *ret = json_null();
    return TAIN_OK;
}

tain_status tain_client_call(const tain_client *c, const char *method, const char *path, json_t *body, json_t **ret, tain_error *err)
{
    tain_answer a = {0};
    TAIN_AUTO(tain_free) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    tain_status st = send_text(c, method, path, text, &a, err);
    if (st != TAIN_OK) return unreachable(c, st, err);
    st = read_answer(c, &a, ret, err);
    tain_answer_done(&a);
    return st;
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

static tain_status read_page(const tain_client *c, const char *path, const char *token, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer url = {0};
    tain_buffer_append_str(&url, path);
    if (token) {
        tain_buffer_printf(&url, "%ccontinuationToken=", strchr(path, '?') ? '&' : '?');
        tain_url_append_encoded(&url, token, "");
    }
    return tain_client_call(c, "GET", tain_buffer_cstr(&url), NULL, ret, err);
}

tain_status tain_client_list(const tain_client *c, const char *path, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = json_array();
    TAIN_AUTO(tain_free) char *token = NULL;
    do {
        json_t *page = NULL;
        TAIN_TRY(read_page(c, path, token, &page, err));
        json_array_extend(all, json_object_get(page, "value"));
        tain_free(token);
        token = tain_strdup(tain_json_get_str(page, "continuationToken", NULL));
        json_decref(page);
    } while (token && *token);
    *ret = json_incref(all);
    return TAIN_OK;
}

/* --- a command ----------------------------------------------------------------------------------------------------- */

int tain_client_begin(const tain_command *command, const tain_option *options, const tain_client_options *o, int argc, char **argv, tain_client *ret,
                      char ***args, int *count)
{
    tain_error e = {0};
    int        code = tain_cli_parse(command, options, argc, argv, args, count);
    if (code >= 0) return code;
    if (tain_client_open(o, ret, &e) == TAIN_OK) return -1;
    free(*args);
    return tain_cli_fail(&e);
}

int tain_client_end(tain_client *c, char **args, tain_status st, const tain_error *e)
{
    tain_client_done(c);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(e);
}
