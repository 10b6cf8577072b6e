/* SPDX-License-Identifier: MIT */
/* call.h -- one call of the API: who calls, with what, and what is answered. Inside of serve/api. */
#ifndef TAIN_SERVE_API_CALL_H
#define TAIN_SERVE_API_CALL_H

#include "control/item.h"
#include "serve/api/api.h"

#define TAIN_CALL_JSON "application/json; charset=utf-8"

enum {
    TAIN_CALL_ARGUMENTS = 6,
    TAIN_CALL_OPEN = -1, /* without credentials, too */
};

typedef struct tain_call {
    const tain_api          *api;
    const tain_http_request *request;
    tain_http_reply         *reply;
    tain_caller              caller;
    const char              *argument[TAIN_CALL_ARGUMENTS]; /* what stood for each {} of the path */
    json_t                  *in;  /* the body: an object, {} without one */
    json_t                  *out; /* to be answered as JSON; NULL: the body is what is in reply already */
    int                      status; /* of HTTP, where another than that of the error's kind holds; 0: none */
    const char              *code; /* Fabric's name of the error, where another than that of its status holds */
    char                     request_id[37];
} tain_call;

/* Does the call; what it leaves in err is answered. */
typedef tain_status (*tain_call_run)(tain_call *c, tain_error *err);

typedef struct tain_route {
    const char       *method, *path; /* "/v1/workspaces/{}": segments in any case */
    int               least; /* a tain_control_role: in the workspace that is the first {} of /v1/workspaces/{}, else in the service; or open */
    const char       *action;        /* as the audit log calls it; NULL: it is not logged */
    tain_call_run     run;
} tain_route;

/* The tables of the files beside; the last has no method. */
extern const tain_route tain_routes_workspace[], tain_routes_item[], tain_routes_definition[], tain_routes_mirroring[], tain_routes_monitor[],
    tain_routes_table[], tain_routes_connection[], tain_routes_principal[], tain_routes_record[], tain_routes_query[], tain_routes_health[];

/* As tain_fail, with Fabric's name of the error. */
#define tain_call_fail(c, name, status, err, ...) ((c)->code = (name), tain_fail((err), (status), __VA_ARGS__))

/* --- what calls take ------------------------------------------------------------------------------------------------ */

/* Text of the body. need: INVALID names the member when it is absent; else *ret is NULL then, as it is for null. INVALID: it is no text. */
tain_status tain_call_text(const tain_call *c, const char *member, bool need, const char **ret, tain_error *err);
/* A number of the body, which openapi.json has let through. */
int64_t tain_call_number(const tain_call *c, const char *member, int64_t otherwise);
/* The page that continuationToken and maxResults ask for. */
tain_status tain_call_page(const tain_call *c, tain_control_page *ret, tain_error *err);
/* The item of a path whose arguments are workspace and item. NOT_FOUND also when it is in another workspace. */
tain_status tain_call_item(tain_call *c, tain_control_item *ret, tain_error *err);

/* --- what they give ------------------------------------------------------------------------------------------------- */

/* {"value": rows, "continuationToken", "continuationUri"}; next NULL: there is no more. Takes rows. */
void    tain_call_list(tain_call *c, const char *member, json_t *rows, const char *next);
json_t *tain_call_time(tain_time t); /* null for 0 */
json_t *tain_call_or_null(json_t *value); /* takes value */
json_t *tain_call_str(const char *text);  /* null for NULL */
/* How this client addresses us, "https://host:port". Caller frees. */
char   *tain_call_base(const tain_call *c);
/* Answers the error. */
void    tain_call_refuse(tain_call *c, tain_status st, const tain_error *e);

#endif
