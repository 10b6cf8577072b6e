/* SPDX-License-Identifier: MIT */
/* workspace.c -- /v1/workspaces, /v1/capacities */
#include "control/workspace.h"

#include "serve/api/call.h"

static json_t *to_json(const tain_control_workspace *w)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", w->id, "displayName", w->name, "description", w->description, "type", "Workspace", "capacityId",
                     w->capacity);
}

static bool may_see(const tain_call *c, const char *workspace)
{
    tain_error ignored;
    return tain_auth_need(c->api->auth, &c->caller, workspace, TAIN_CONTROL_VIEWER, &ignored) == TAIN_OK;
}

static tain_status list(tain_call *c, tain_error *err)
{
    tain_control_page       page;
    tain_control_workspaces all;
    TAIN_TRY(tain_call_page(c, &page, err));
    TAIN_TRY(tain_control_workspace_list(c->api->control, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++)
        if (may_see(c, all.rows[i].id)) json_array_append_new(rows, to_json(&all.rows[i]));
    tain_call_list(c, "value", rows, all.next);
    tain_control_workspaces_done(&all);
    return TAIN_OK;
}

static tain_status show(tain_call *c, const char *id, tain_error *err)
{
    tain_control_workspace w;
    TAIN_TRY(tain_control_workspace_get(c->api->control, id, &w, err));
    c->out = to_json(&w);
    tain_control_workspace_done(&w);
    return TAIN_OK;
}

static tain_status get(tain_call *c, tain_error *err)
{
    return show(c, c->argument[0], err);
}

static tain_status create(tain_call *c, tain_error *err)
{
    const char *name, *description, *capacity;
    char        id[37];
    TAIN_TRY(tain_call_text(c, "displayName", true, &name, err));
    TAIN_TRY(tain_call_text(c, "description", false, &description, err));
    TAIN_TRY(tain_call_text(c, "capacityId", false, &capacity, err));
    c->code = "WorkspaceNameAlreadyExists";
    tain_status st = tain_control_workspace_add(c->api->control, name, description, capacity, id, err);
    if (st != TAIN_E_EXISTS) c->code = NULL;
    TAIN_TRY(st);
    c->reply->status = 201;
    return show(c, id, err);
}

static tain_status change(tain_call *c, tain_error *err)
{
    const char *name, *description;
    TAIN_TRY(tain_call_text(c, "displayName", false, &name, err));
    TAIN_TRY(tain_call_text(c, "description", false, &description, err));
    TAIN_TRY(tain_control_workspace_change(c->api->control, c->argument[0], name, description, err));
    return get(c, err);
}

static tain_status drop(tain_call *c, tain_error *err)
{
    tain_status st = tain_control_workspace_remove(c->api->control, c->argument[0], err);
    if (st == TAIN_E_EXISTS) c->code = "WorkspaceNotEmpty";
    return st;
}

/* Folders are Fabric's alone: there are none. */
static tain_status folders(tain_call *c, tain_error *err)
{
    tain_call_list(c, "value", json_array(), NULL);
    return TAIN_OK;
}

/* One for each workspace: clients that ask which capacity a workspace is on want to find it here. */
static tain_status capacities(tain_call *c, tain_error *err)
{
    tain_control_page       page;
    tain_control_workspaces all;
    TAIN_TRY(tain_call_page(c, &page, err));
    TAIN_TRY(tain_control_workspace_list(c->api->control, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++)
        if (may_see(c, all.rows[i].id)) json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", all.rows[i].capacity, "displayName", "tain", "sku", "F2", "region",
                                              "local", "state", "Active"));
    tain_call_list(c, "value", rows, all.next);
    tain_control_workspaces_done(&all);
    return TAIN_OK;
}

const tain_route tain_routes_workspace[] = {
    {"GET", "/v1/workspaces", TAIN_CONTROL_NOBODY, NULL, list},
    {"POST", "/v1/workspaces", TAIN_CONTROL_ADMIN, "workspace.create", create},
    {"GET", "/v1/workspaces/{}", TAIN_CONTROL_VIEWER, NULL, get},
    {"PATCH", "/v1/workspaces/{}", TAIN_CONTROL_ADMIN, "workspace.change", change},
    {"DELETE", "/v1/workspaces/{}", TAIN_CONTROL_ADMIN, "workspace.remove", drop},
    {"GET", "/v1/workspaces/{}/folders", TAIN_CONTROL_VIEWER, NULL, folders},
    {"GET", "/v1/capacities", TAIN_CONTROL_NOBODY, NULL, capacities},
    {0},
};
