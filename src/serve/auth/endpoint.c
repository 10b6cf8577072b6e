/* SPDX-License-Identifier: MIT */
/* Where Azure clients get tokens; declared in auth.h.
 *
 * They ask for one by a secret of theirs, and have it in common that the secret is opaque to them: here it is an API token, and that
 * is what they get back to use. Two ways: a managed identity (App Service, api-version 2019-08-01), and client credentials (RFC 6749, 4.4)
 * at an authority whose first segment is a tenant; `adfs` is the one that clients look for nowhere else. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "serve/auth/internal.h"

#define A_DAY (86400 * TAIN_SECOND)

/* --- answers ------------------------------------------------------------------------------------------------------- */

/* In the words of both: OAuth, and what a managed identity's client shows. */
static void fail(tain_http_reply *p, int status, const char *code, const char *why)
{
    tain_json j = {.out = &p->body};
    p->status = status;
    p->type = "application/json";
    tain_json_object(&j);
    tain_json_kstr(&j, "error", code);
    tain_json_kstr(&j, "error_description", why);
    tain_json_kint(&j, "statusCode", status);
    tain_json_kstr(&j, "message", why);
    tain_json_object_end(&j);
}

static void fail_by(tain_http_reply *p, tain_status st, const tain_error *err)
{
    if (st == TAIN_E_AUTH) fail(p, 401, "invalid_client", "the secret is no API token of this service, or its time is over");
    else fail(p, tain_status_http(st), st == TAIN_E_PERMISSION ? "invalid_request" : "server_error", err->message);
}

/* One that never expires is asked for again each day. */
static tain_status token_life(tain_auth *a, const tain_http_request *q, const char *secret, tain_time *ret_until, tain_error *err)
{
    tain_control_caller caller;
    TAIN_TRY(tain_auth_private(a, q, err));
    TAIN_TRY(tain_control_token_verify(a->control, secret, &caller, err));
    if (caller.session) return tain_fail(err, TAIN_E_AUTH, "a session is no token");
    *ret_until = caller.expires ? caller.expires : tain_now() + A_DAY;
    return TAIN_OK;
}

/* --- managed identity ---------------------------------------------------------------------------------------------- */

static void msi(tain_auth *a, const tain_http_request *q, tain_http_reply *p)
{
    const char *secret = tain_http_header(q, "X-IDENTITY-HEADER"), *resource = tain_http_query(q, "resource");
    char        seconds[24];
    tain_time   until;
    tain_error  err = {0};
    tain_json   j = {.out = &p->body};
    if (!secret || !resource) return fail(p, 400, "invalid_request", "the header X-IDENTITY-HEADER and the argument resource are needed");
    tain_status st = token_life(a, q, secret, &until, &err);
    if (st != TAIN_OK) return fail_by(p, st, &err);
    snprintf(seconds, sizeof seconds, "%lld", (long long)(until / TAIN_SECOND));
    p->type = "application/json";
    tain_json_object(&j);
    tain_json_kstr(&j, "access_token", secret);
    tain_json_kstr(&j, "expires_on", seconds);
    tain_json_kstr(&j, "resource", resource);
    tain_json_kstr(&j, "token_type", "Bearer");
    tain_json_object_end(&j);
}

/* --- client credentials -------------------------------------------------------------------------------------------- */

static void give(const char *secret, tain_time until, tain_http_reply *p)
{
    tain_json     j = {.out = &p->body};
    const int64_t life = (until - tain_now()) / TAIN_SECOND;
    p->type = "application/json";
    tain_json_object(&j);
    tain_json_kstr(&j, "token_type", "Bearer");
    tain_json_kint(&j, "expires_in", life);
    tain_json_kint(&j, "ext_expires_in", life);
    tain_json_kstr(&j, "access_token", secret);
    tain_json_object_end(&j);
}

static void token(tain_auth *a, const tain_http_request *q, tain_http_reply *p)
{
    const char *grant = tain_http_form(q, "grant_type"), *secret = tain_http_form(q, "client_secret");
    tain_time   until;
    tain_error  err = {0};
    if (strcmp(q->method, "POST") != 0) return fail(p, 405, "invalid_request", "a token is asked for by POST");
    if (!grant || strcmp(grant, "client_credentials") != 0) return fail(p, 400, "unsupported_grant_type", "grant_type is client_credentials here");
    if (!secret) return fail(p, 400, "invalid_request", "client_secret is needed: an API token of this service");
    tain_status st = token_life(a, q, secret, &until, &err);
    if (st != TAIN_OK) fail_by(p, st, &err);
    else give(secret, until, p);
}

/* What is where, in the words of OpenID Connect Discovery. */
static void configuration(const tain_auth *a, const tain_http_request *q, tain_http_reply *p)
{
    TAIN_AUTO(tain_free) char *base = a->origin ? tain_strdup(a->origin) : tain_format("%s://%s", q->secure ? "https" : "http", q->host);
    const int   tenant = (int)strcspn(q->path + 1, "/");
    tain_json   j = {.out = &p->body};
    p->type = "application/json";
    tain_json_object(&j);
    static const char *const ends[][2] = {{"issuer", ""}, {"authorization_endpoint", "/oauth2/v2.0/authorize"}, {"token_endpoint", "/oauth2/v2.0/token"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        TAIN_AUTO(tain_free) char *url = tain_format("%s/%.*s%s", base, tenant, q->path + 1, ends[i][1]);
        tain_json_kstr(&j, ends[i][0], url);
    }
    tain_json_key(&j, "token_endpoint_auth_methods_supported");
    tain_json_raw(&j, "[\"client_secret_post\"]", strlen("[\"client_secret_post\"]"));
    tain_json_object_end(&j);
}

/* --- which --------------------------------------------------------------------------------------------------------- */

/* What is behind the first segment; "" without any. */
static const char *behind_tenant(const char *path)
{
    const char *slash = strchr(path + 1, '/');
    return slash ? slash : "";
}

bool tain_auth_token_endpoint(tain_auth *a, const tain_http_request *q, tain_http_reply *p)
{
    const char *rest = behind_tenant(q->path);
    if (strcasecmp(q->path, "/msi/token") == 0) msi(a, q, p);
    else if (strcasecmp(rest, "/oauth2/v2.0/token") == 0 || strcasecmp(rest, "/oauth2/token") == 0) token(a, q, p);
    else if (strcasecmp(rest, "/.well-known/openid-configuration") == 0 || strcasecmp(rest, "/v2.0/.well-known/openid-configuration") == 0) configuration(a, q, p);
    else return false;
    return true;
}
