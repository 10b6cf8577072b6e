/* SPDX-License-Identifier: MIT */
/* health.c -- whether the service is well, in numbers too, and what it can be asked */
#include <stdlib.h>

#include "base/json.h"
#include "control/workspace.h"
#include "serve/api/call.h"
#include "serve/api/metrics.h"
#include "serve/page/asset.h"

static tain_status health(tain_call *c, tain_error *err)
{
    c->out = json_pack("{s:s,s:s}", "status", "ok", "version", TAIN_VERSION);
    return TAIN_OK;
}

/* Ready: the control database answers. */
static tain_status ready(tain_call *c, tain_error *err)
{
    tain_control_workspaces all;
    TAIN_TRY(tain_control_workspace_list(c->api->control, (tain_control_page){.most = 1}, &all, err));
    tain_control_workspaces_done(&all);
    return health(c, err);
}

static tain_status metrics(tain_call *c, tain_error *err)
{
    c->reply->type = "text/plain; version=0.0.4; charset=utf-8";
    return tain_metrics_write(c->api, &c->reply->body, err);
}

static tain_status openapi(tain_call *c, tain_error *err)
{
    tain_asset_send(tain_asset_find("/openapi.json"), c->request, c->reply);
    return TAIN_OK;
}

const tain_route tain_routes_health[] = {
    {"GET", "/health", TAIN_CALL_OPEN, NULL, health},
    {"GET", "/ready", TAIN_CALL_OPEN, NULL, ready},
    {"GET", "/metrics", TAIN_CONTROL_VIEWER, NULL, metrics},
    {"GET", "/openapi.json", TAIN_CALL_OPEN, NULL, openapi},
    {0},
};
