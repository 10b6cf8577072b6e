/* SPDX-License-Identifier: MIT */
#include "serve/api/call.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"

enum { PAGE = 1000 };

/* --- what calls take ------------------------------------------------------------------------------------------------ */

tain_status tain_call_text(const tain_call *c, const char *member, bool need, const char **ret, tain_error *err)
{
    const json_t *v = json_object_get(c->in, member);
    *ret = json_string_value(v);
    if (*ret || ((!v || json_is_null(v)) && !need)) return TAIN_OK;
    if (v && !json_is_null(v)) return tain_fail(err, TAIN_E_INVALID, "\"%s\" is not text", member);
    tain_status st = tain_fail(err, TAIN_E_INVALID, "the body has no \"%s\"", member);
    tain_error_remedy(err, "send JSON with \"%s\"", member);
    return st;
}

int64_t tain_call_number(const tain_call *c, const char *member, int64_t otherwise)
{
    const json_t *v = json_object_get(c->in, member);
    return json_is_number(v) ? (int64_t)json_number_value(v) : otherwise;
}

tain_status tain_call_page(const tain_call *c, tain_control_page *ret, tain_error *err)
{
    const char *most = tain_http_query(c->request, "maxResults"), *after = tain_http_query(c->request, "continuationToken");
    char       *end = NULL;
    long        n = most ? strtol(most, &end, 10) : 0;
    if (most && (*end || n < 1)) return tain_fail(err, TAIN_E_INVALID, "maxResults is not a number above 0: \"%s\"", most);
    *ret = (tain_control_page){after && *after ? after : NULL, n < 1 || n > PAGE ? PAGE : (int)n};
    return TAIN_OK;
}

tain_status tain_call_item(tain_call *c, tain_control_item *ret, tain_error *err)
{
    tain_status st = tain_control_item_get(c->api->control, c->argument[1], ret, err);
    if (st == TAIN_OK && strcasecmp(ret->workspace, c->argument[0]) != 0) {
        tain_control_item_done(ret);
        st = tain_fail(err, TAIN_E_NOT_FOUND, "no mirrored database '%s'", c->argument[1]);
    }
    if (st == TAIN_E_NOT_FOUND) c->code = "ItemNotFound";
    return st;
}

/* --- what they give ------------------------------------------------------------------------------------------------- */

json_t *tain_call_time(tain_time t)
{
    char text[40];
    if (!t) return json_null();
    tain_time_iso(t, 3, text);
    return json_string(text);
}

json_t *tain_call_str(const char *text)
{
    return text ? json_string(text) : json_null();
}

json_t *tain_call_or_null(json_t *value)
{
    return value ? value : json_null();
}

char *tain_call_base(const tain_call *c)
{
    if (c->api->public_url) return tain_strdup(c->api->public_url);
    return tain_format("%s://%s", c->request->secure ? "https" : "http", *c->request->host ? c->request->host : "localhost");
}

void tain_call_list(tain_call *c, const char *member, json_t *rows, const char *next)
{
    TAIN_AUTO(tain_free) char *base = tain_call_base(c);
    TAIN_AUTO(tain_free) char *target = next ? tain_http_target_again(c->request, "continuationToken", next) : NULL;
    TAIN_AUTO(tain_free) char *uri = next ? tain_format("%s%s", base, target) : NULL;
    c->out = json_pack("{s:o,s:o,s:o}", member, rows, "continuationToken", tain_call_str(next), "continuationUri", tain_call_str(uri));
}

/* Names as Fabric has them; the status alone is not always enough, so a call may say another. */
static const char *code_of(tain_status st)
{
    switch (st) {
    case TAIN_E_NOT_FOUND: return "EntityNotFound";
    case TAIN_E_EXISTS: return "ItemDisplayNameAlreadyInUse";
    case TAIN_E_INVALID:
    case TAIN_E_CONFIG: return "InvalidRequest";
    case TAIN_E_UNSUPPORTED: return "OperationNotSupportedForItem";
    case TAIN_E_AUTH: return "Unauthorized";
    case TAIN_E_PERMISSION: return "InsufficientPrivileges";
    case TAIN_E_BUSY: return "RequestBlocked";
    default: return "UnknownError";
    }
}

static bool says(const tain_http_reply *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->fields[i].name, name) == 0) return true;
    return false;
}

void tain_call_refuse(tain_call *c, tain_status st, const tain_error *e)
{
    const char *code = c->code ? c->code : st == TAIN_E_AUTH && e->sys == EKEYEXPIRED ? "TokenExpired" : code_of(st); /* clients get another then, and try again */
    c->reply->status = c->status ? c->status : st == TAIN_E_UNSUPPORTED ? 400 : st == TAIN_E_BUSY ? 429 : tain_status_http(st);
    tain_http_reply_add(c->reply, "x-ms-public-api-error-code", "%s", code);
    if (c->reply->status == 429 && !says(c->reply, "Retry-After")) tain_http_reply_add(c->reply, "Retry-After", "5");
    json_decref(c->out);
    c->out = json_pack("{s:s,s:s,s:s,s:b,s:s}", "requestId", c->request_id, "errorCode", code, "message", e->message, "isRetriable",
                       tain_status_policy(st) == TAIN_POLICY_RETRY, "remedy", tain_error_advice(e));
    if (!c->out) c->out = json_pack("{s:s,s:s,s:s,s:b}", "requestId", c->request_id, "errorCode", code, "message", "no text", "isRetriable", 0);
}
