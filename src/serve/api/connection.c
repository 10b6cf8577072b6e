/* SPDX-License-Identifier: MIT */
/* connection.c -- /v1/connections: how sources are reached, and what can be mirrored of them */
#include "control/connection.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "serve/api/call.h"
#include "serve/api/item.h"
#include "serve/api/run.h"
#include "serve/api/trust.h"
#include "serve/supervisor/command.h"
#include "source/source.h"

/* --- as JSON ----------------------------------------------------------------------------------------------------------- */

static json_t *to_json(const tain_control_connection *n)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "id", n->id, "displayName", n->name, "url", n->url, "secret",
                     n->reference ? n->reference : n->sealed ? "sealed" : "none");
}

static tain_status show(tain_call *c, const char *id, tain_error *err)
{
    tain_control_connection n;
    TAIN_TRY(tain_control_connection_get(c->api->control, id, &n, err));
    c->out = to_json(&n);
    tain_control_connection_done(&n);
    return TAIN_OK;
}

static tain_status get(tain_call *c, tain_error *err)
{
    return show(c, c->argument[0], err);
}

static tain_status list(tain_call *c, tain_error *err)
{
    tain_control_page        page;
    tain_control_connections all;
    TAIN_TRY(tain_call_page(c, &page, err));
    TAIN_TRY(tain_control_connection_list(c->api->control, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) json_array_append_new(rows, to_json(&all.rows[i]));
    tain_call_list(c, "value", rows, all.next);
    tain_control_connections_done(&all);
    return TAIN_OK;
}

/* --- making and changing ------------------------------------------------------------------------------------------------- */

typedef struct address {
    char *url, *secret; /* owned; secret NULL: none */
} address;

static void address_done(address *a)
{
    tain_free(a->url);
    tain_control_secret_free(a->secret);
}

/* Without what stands between the user's name and the last @ of the authority. */
static char *without_password(const char *url)
{
    const char *authority = strstr(url, "://") + 3, *at = memrchr(authority, '@', strcspn(authority, "/?"));
    const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    return colon ? tain_format("%.*s%s", (int)(colon - url), url, at) : tain_strdup(url);
}

/* A password in the address is the secret. */
static void take_apart(const char *url, const char *secret, address *ret)
{
    tain_url    u = {0};
    const char *own = strstr(url, "://") && tain_url_parse(url, &u, NULL) == TAIN_OK ? u.password : NULL;
    *ret = (address){own ? without_password(url) : tain_strdup(url), tain_strdup(secret ? secret : own)};
    tain_url_done(&u);
}

static tain_status read_address(tain_call *c, bool need, address *ret, tain_error *err)
{
    const char *url, *secret;
    TAIN_TRY(tain_call_text(c, "url", need, &url, err));
    TAIN_TRY(tain_call_text(c, "secret", false, &secret, err));
    if (!url) {
        TAIN_TRY(tain_trust_secret(c, secret, err));
        *ret = (address){.secret = tain_strdup(secret)};
        return TAIN_OK;
    }
    TAIN_TRY(tain_source_check_scheme(url, err));
    take_apart(url, secret, ret);
    tain_status st = tain_trust_address(c, ret->url, err);
    if (st == TAIN_OK) st = tain_trust_secret(c, ret->secret, err);
    if (st != TAIN_OK) address_done(ret);
    return st;
}

/* What the service's user has for a source is for those that administrators named. */
static tain_status trust(tain_call *c, const char *id, const char *url, tain_error *err)
{
    tain_error ignored;
    bool       admin = tain_auth_need(c->api->auth, &c->caller, NULL, TAIN_CONTROL_ADMIN, &ignored) == TAIN_OK;
    return admin ? tain_control_connection_trust(c->api->control, id, url, err) : TAIN_OK;
}

static tain_status create(tain_call *c, tain_error *err)
{
    const char *name;
    char        id[37];
    address     a;
    TAIN_TRY(tain_call_text(c, "displayName", true, &name, err));
    TAIN_TRY(read_address(c, true, &a, err));
    tain_status st = tain_control_connection_add(c->api->control, name, a.url, a.secret, id, err);
    if (st == TAIN_OK) st = trust(c, id, a.url, err);
    address_done(&a);
    if (st == TAIN_E_EXISTS) c->code = "DuplicateConnectionName";
    TAIN_TRY(st);
    c->reply->status = 201;
    return show(c, id, err);
}

static tain_status repoint(tain_call *c, const address *a, tain_error *err)
{
    const char *id = c->argument[0];
    if (a->url) {
        TAIN_TRY(tain_control_connection_repoint(c->api->control, id, a->url, a->secret, err));
        return trust(c, id, a->url, err);
    }
    return a->secret ? tain_control_connection_rotate(c->api->control, id, a->secret, err) : TAIN_OK;
}

static tain_status change(tain_call *c, tain_error *err)
{
    const char *name;
    address     a;
    TAIN_TRY(tain_call_text(c, "displayName", false, &name, err));
    TAIN_TRY(tain_trust_connection(c, c->argument[0], err));
    TAIN_TRY(read_address(c, false, &a, err));
    tain_status st = name ? tain_control_connection_rename(c->api->control, c->argument[0], name, err) : TAIN_OK;
    if (st == TAIN_OK) st = repoint(c, &a, err);
    address_done(&a);
    TAIN_TRY(st);
    tain_supervisor_look_connection(c->api->supervisor, c->argument[0]);
    return get(c, err);
}

/* --- removing ------------------------------------------------------------------------------------------------------------ */

static bool is_used_by(const tain_call *c, const char *item)
{
    tain_control_item i;
    tain_error        ignored;
    if (tain_control_item_get(c->api->control, item, &i, &ignored) != TAIN_OK) return false;
    json_t     *definition = tain_item_definition(&i);
    const char *connection = tain_item_connection(definition);
    bool        used = connection && strcasecmp(connection, c->argument[0]) == 0;
    json_decref(definition);
    tain_control_item_done(&i);
    return used;
}

static tain_status check_unused(tain_call *c, tain_error *err)
{
    tain_control_items all;
    tain_status        st = TAIN_OK;
    TAIN_TRY(tain_control_item_list(c->api->control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, err));
    for (size_t i = 0; st == TAIN_OK && i < all.count; i++)
        if (is_used_by(c, all.rows[i].id)) {
            st = tain_call_fail(c, "ConnectionInUse", TAIN_E_EXISTS, err, "the mirrored database '%s' uses this connection", all.rows[i].name);
            tain_error_remedy(err, "drop it, or give it another connection first");
        }
    tain_control_items_done(&all);
    return st;
}

static tain_status drop(tain_call *c, tain_error *err)
{
    TAIN_TRY(tain_trust_connection(c, c->argument[0], err));
    TAIN_TRY(check_unused(c, err));
    return tain_control_connection_remove(c->api->control, c->argument[0], err);
}

/* --- what is there ------------------------------------------------------------------------------------------------------- */

static tain_status globs(const tain_call *c, const char *member, char **ret, tain_error *err)
{
    tain_buffer   out = {0};
    const json_t *list = json_object_get(c->in, member), *one;
    size_t        i;
    *ret = NULL;
    if (!list || json_is_null(list)) return TAIN_OK;
    json_array_foreach(list, i, one)
    {
        if (out.size) tain_buffer_append_u8(&out, ',');
        for (const char *p = json_is_string(one) ? json_string_value(one) : ""; *p; p++) {
            if (*p == ',') tain_buffer_append_u8(&out, '\\');
            tain_buffer_append_u8(&out, (uint8_t)*p);
        }
    }
    *ret = tain_buffer_cstr(&out);
    return TAIN_OK;
}

static tain_status assess(tain_call *c, json_t **ret, tain_error *err)
{
    const char *database, *argv[8] = {"check"};
    tain_source_access access;
    int code = 0, n = 1;
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, errors = {0};
    TAIN_AUTO(tain_free) char *tables = NULL, *exclude = NULL;
    TAIN_TRY(tain_trust_connection(c, c->argument[0], err));
    TAIN_TRY(tain_call_text(c, "database", false, &database, err));
    TAIN_TRY(globs(c, "tables", &tables, err));
    TAIN_TRY(globs(c, "exclude", &exclude, err));
    TAIN_TRY(tain_source_access_of(c->api->control, c->argument[0], database, &access, err));
    argv[n++] = access.url;
    argv[n++] = "--json";
    if (tables) argv[n++] = "--tables", argv[n++] = tables;
    if (exclude) argv[n++] = "--exclude", argv[n++] = exclude;
    tain_run    r = {.argv = argv, .environment = (const char *const *)access.environment, .patience = 60 * TAIN_SECOND, .most = 64 << 20,
                        .request = c->request};
    tain_status st = tain_run_command(&r, &out, &errors, &code, err);
    tain_source_access_done(&access);
    if (st == TAIN_E_CANCELLED || code > 1) {
        c->code = "SourceNotUsable";
        c->status = 409;
    }
    TAIN_TRY(st);
    if (code > 1) return tain_run_failure(&errors, TAIN_E_INVALID, err);
    return tain_json_parse(out.data, out.size, "the assessment", ret, err);
}

static tain_status assess_call(tain_call *c, tain_error *err)
{
    return assess(c, &c->out, err);
}

/* That it cannot be reached is an answer here, no failure. */
static tain_status test(tain_call *c, tain_error *err)
{
    json_t     *found = NULL;
    tain_status st = assess(c, &found, err);
    if (st != TAIN_OK && !c->status) return st;
    c->status = 0;
    c->code = NULL;
    if (st == TAIN_OK) c->out = json_pack("{s:b,s:i}", "ok", 1, "tables", (int)json_array_size(json_object_get(found, "tables")));
    else c->out = json_pack("{s:b,s:s,s:s}", "ok", 0, "message", err->message, "remedy", tain_error_advice(err));
    json_decref(found);
    return TAIN_OK;
}

const tain_route tain_routes_connection[] = {
    {"GET", "/v1/connections", TAIN_CONTROL_VIEWER, NULL, list},
    {"POST", "/v1/connections", TAIN_CONTROL_CONTRIBUTOR, "connection.create", create},
    {"GET", "/v1/connections/{}", TAIN_CONTROL_VIEWER, NULL, get},
    {"PATCH", "/v1/connections/{}", TAIN_CONTROL_CONTRIBUTOR, "connection.change", change},
    {"DELETE", "/v1/connections/{}", TAIN_CONTROL_CONTRIBUTOR, "connection.remove", drop},
    {"POST", "/v1/connections/{}/test", TAIN_CONTROL_CONTRIBUTOR, "connection.test", test},
    {"POST", "/v1/connections/{}/assess", TAIN_CONTROL_CONTRIBUTOR, "connection.assess", assess_call},
    {0},
};
