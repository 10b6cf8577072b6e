/* SPDX-License-Identifier: MIT */
#include "serve/api/api.h"

#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "control/audit.h"
#include "control/workspace.h"
#include "serve/api/openapi.h"
#include "serve/api/route.h"

enum { NAME_MOST = 1024 /* bytes */ };

static const tain_route *const tables[] = {
    tain_routes_workspace,  tain_routes_item,      tain_routes_definition, tain_routes_mirroring, tain_routes_monitor, tain_routes_table,
    tain_routes_connection, tain_routes_principal, tain_routes_record,     tain_routes_query,     tain_routes_health,
};

/* --- what is sent ---------------------------------------------------------------------------------------------------- */

/* None is an empty object. What is sent where nothing is asked for does not matter: clients send "{}" as text, with GET too. */
static tain_status read_body(tain_call *c, tain_error *err)
{
    tain_slice body = c->request->body;
    bool       reads = strcmp(c->request->method, "POST") == 0 || strcmp(c->request->method, "PATCH") == 0 || strcmp(c->request->method, "PUT") == 0;
    if (reads && body.size) {
        tain_status st = tain_json_parse(body.data, body.size, "the body", &c->in, err);
        if (st != TAIN_OK) {
            err->code = TAIN_E_INVALID;
            tain_error_remedy(err, "send one JSON object");
            return TAIN_E_INVALID;
        }
    }
    if (!c->in) c->in = json_object();
    return TAIN_OK;
}

/* --- who may --------------------------------------------------------------------------------------------------------- */

static bool in_workspace(const tain_route *r)
{
    return strncmp(r->path, "/v1/workspaces/{}", 17) == 0;
}

static tain_status check_workspace(tain_call *c, tain_error *err)
{
    tain_control_workspace w;
    tain_status            st = tain_control_workspace_get(c->api->control, c->argument[0], &w, err);
    if (st == TAIN_OK) tain_control_workspace_done(&w);
    if (st == TAIN_E_NOT_FOUND) c->code = "WorkspaceNotFound";
    return st;
}

static tain_status check_caller(tain_call *c, const tain_route *r, tain_error *err)
{
    tain_status st = tain_auth_caller(c->api->auth, c->request, &c->caller, err);
    if (r->least == TAIN_CALL_OPEN && (st == TAIN_E_AUTH || st == TAIN_E_PERMISSION)) {
        c->caller = (tain_caller){0};
        if (st == TAIN_E_AUTH) tain_auth_forget(c->request, c->reply);
        return TAIN_OK;
    }
    TAIN_TRY(st);
    if (r->least == TAIN_CALL_OPEN) return TAIN_OK;
    bool inside = in_workspace(r);
    if (r->least != TAIN_CONTROL_NOBODY) {
        if (inside) c->code = "InsufficientWorkspaceRole";
        TAIN_TRY(tain_auth_need(c->api->auth, &c->caller, inside ? c->argument[0] : NULL, r->least, err));
        c->code = NULL;
    }
    return inside ? check_workspace(c, err) : TAIN_OK;
}

/* --- what is remembered ------------------------------------------------------------------------------------------------ */

/* What has an id: of a table, the mirrored database that it is in. */
static const char *object_of(const tain_call *c)
{
    const char *made = tain_json_get_str(c->out, "id", NULL);
    if (c->argument[1]) return c->argument[1];
    if (made || c->argument[0]) return made ? made : c->argument[0];
    return tain_json_get_str(c->in, "displayName", tain_json_get_str(c->in, "name", NULL));
}

/* Which table it was, and what went wrong. NULL: nothing is to be added. Caller frees. */
static char *detail_of(const tain_call *c, tain_status st, const tain_error *e)
{
    TAIN_AUTO(tain_free) char *table = c->argument[3] ? tain_format("%s.%s", c->argument[2], c->argument[3]) : NULL;
    if (st == TAIN_OK) return tain_strdup(table);
    return table ? tain_format("%s: %s", table, e->message) : tain_strdup(e->message);
}

/* Nobody may fill the disk with what they try in vain: of those who are not known only tries to sign in are kept, which are few
 * (auth/throttle.h), and no longer than names are. */
static bool is_worth_remembering(const tain_call *c, const tain_route *r, tain_status st)
{
    if (!r->action || st == TAIN_E_BUSY) return false;
    return *c->caller.name || (r->least == TAIN_CALL_OPEN && st != TAIN_E_PERMISSION && st != TAIN_E_INVALID);
}

static void remember(const tain_call *c, const tain_route *r, tain_status st, const tain_error *e)
{
    tain_error         ignored = {0};
    bool               denied = st == TAIN_E_AUTH || st == TAIN_E_PERMISSION;
    const char        *object = object_of(c);
    TAIN_AUTO(tain_free) char *detail = detail_of(c, st, e);
    tain_control_entry entry = {
        .user = *c->caller.user ? (char *)c->caller.user : NULL, .user_name = (char *)c->caller.name, .action = (char *)r->action,
        .object = object && strlen(object) > NAME_MOST ? "(longer than any name)" : (char *)object, .origin = (char *)c->request->peer,
        .outcome = st == TAIN_OK ? TAIN_CONTROL_DONE : denied ? TAIN_CONTROL_DENIED : TAIN_CONTROL_FAILED,
        .detail = detail,
    };
    if (tain_control_audit_add(c->api->control, &entry, &ignored) != TAIN_OK) fprintf(stderr, "tain: audit log: %s\n", ignored.message);
}

/* --- answering --------------------------------------------------------------------------------------------------------- */

static tain_status run(tain_call *c, const tain_route *r, tain_error *err)
{
    TAIN_TRY(check_caller(c, r, err));
    TAIN_TRY(read_body(c, err));
    TAIN_TRY(tain_openapi_check(c, r, err));
    return r->run(c, err);
}

static tain_status no_route(tain_call *c, const char *methods, tain_error *err)
{
    if (!*methods) return tain_call_fail(c, "EntityNotFound", TAIN_E_NOT_FOUND, err, "there is no %s here", c->request->path);
    tain_http_reply_add(c->reply, "Allow", "%s", methods);
    return tain_call_fail(c, "InvalidRequest", TAIN_E_INVALID, err, "%s is not for %s", c->request->path, c->request->method);
}

static void send(tain_call *c)
{
    tain_http_reply_add(c->reply, "RequestId", "%s", c->request_id);
    if (!c->out) return;
    char *text = json_dumps(c->out, JSON_COMPACT);
    if (text) tain_buffer_append_str(&c->reply->body, text);
    free(text);
    c->reply->type = TAIN_CALL_JSON;
}

void tain_api_refuse(const char *why, tain_http_reply *p)
{
    tain_call   c = {.reply = p};
    const char *code = p->status == 413 ? "RequestBodyTooLarge" : p->status == 503 ? "RequestBlocked" : "InvalidRequest";
    tain_uuid_text(c.request_id);
    tain_http_reply_add(p, "x-ms-public-api-error-code", "%s", code);
    c.out = json_pack("{s:s,s:s,s:s,s:b}", "requestId", c.request_id, "errorCode", code, "message", why, "isRetriable", p->status == 503);
    send(&c);
    json_decref(c.out);
}

void tain_api_handle(const tain_api *a, const tain_http_request *q, tain_http_reply *p)
{
    tain_error       e = {0};
    tain_call        c = {.api = a, .request = q, .reply = p};
    tain_route_match m = tain_route_find(tables, sizeof tables / sizeof *tables, q->method, q->path);
    memcpy(c.argument, m.argument, sizeof c.argument);
    tain_uuid_text(c.request_id);
    tain_status st = m.route ? run(&c, m.route, &e) : no_route(&c, m.methods, &e);
    if (m.route && is_worth_remembering(&c, m.route, st)) remember(&c, m.route, st, &e);
    if (st != TAIN_OK) tain_call_refuse(&c, st, &e);
    if (!m.route && *m.methods) p->status = 405;
    send(&c);
    json_decref(c.in);
    json_decref(c.out);
    tain_route_match_done(&m);
}
