/* SPDX-License-Identifier: MIT */
/* item.c -- /v1/workspaces/{}/items and /mirroredDatabases: the same things by two names */
#include "serve/api/item.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "serve/api/definition.h"
#include "serve/api/place.h"
#include "serve/api/removal.h"
#include "serve/api/trust.h"

#define TYPE "MirroredDatabase"

/* --- as JSON ----------------------------------------------------------------------------------------------------------- */

static json_t *to_json(const tain_control_item *i)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "id", i->id, "type", TYPE, "displayName", i->name, "description", i->description, "workspaceId", i->workspace);
}

/* Clients wait for the endpoint to be there: that is Success from the first moment on. */
static json_t *properties(const tain_control_item *i)
{
    TAIN_AUTO(tain_free) char *tables = tain_format("%s/Tables", i->lake);
    json_t *root = tain_item_definition(i);
    const char *schema = tain_json_get_str(
        json_object_get(json_object_get(json_object_get(root, "properties"), "target"), "typeProperties"), "defaultSchema", NULL);
    json_t *p = json_pack("{s:s,s:{s:s,s:s,s:s}}", "oneLakeTablesPath", tables, "sqlEndpointProperties", "connectionString", "", "id", i->id,
                          "provisioningStatus", "Success");
    if (schema) json_object_set_new(p, "defaultSchema", json_string(schema));
    json_decref(root);
    return p;
}

json_t *tain_item_definition(const tain_control_item *i)
{
    tain_error ignored;
    json_t    *root = NULL;
    return tain_json_parse(i->definition.data, i->definition.size, "", &root, &ignored) == TAIN_OK ? root : NULL;
}

static json_t *shown(const tain_control_item *i, bool with_properties)
{
    json_t *out = to_json(i);
    if (with_properties) json_object_set_new(out, "properties", properties(i));
    return out;
}

/* An item of any type has none; a mirrored database has. */
static bool is_typed(const tain_call *c) { return strcasestr(c->request->path, "/mirroreddatabases") != NULL; }

static void answer(tain_call *c, const tain_control_item *i, bool with_properties)
{
    c->out = shown(i, with_properties);
    tain_http_reply_add(c->reply, "ETag", "\"\"");
}

static tain_status show(tain_call *c, const char *id, bool with_properties, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_control_item_get(c->api->control, id, &i, err));
    answer(c, &i, with_properties);
    tain_control_item_done(&i);
    return TAIN_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

/* Lists are without definitions, which properties are of. One that has gone since is passed over. */
static void append(const tain_call *c, json_t *rows, const tain_control_item *listed)
{
    tain_control_item i;
    tain_error        ignored;
    if (!is_typed(c)) {
        json_array_append_new(rows, to_json(listed));
    } else if (tain_control_item_get(c->api->control, listed->id, &i, &ignored) == TAIN_OK) {
        json_array_append_new(rows, shown(&i, true));
        tain_control_item_done(&i);
    }
}

static tain_status list(tain_call *c, tain_error *err)
{
    const char        *type = tain_http_query(c->request, "type");
    tain_control_page  page;
    tain_control_items all = {0};
    TAIN_TRY(tain_call_page(c, &page, err));
    if (!type || strcasecmp(type, TYPE) == 0) TAIN_TRY(tain_control_item_list(c->api->control, c->argument[0], page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) append(c, rows, &all.rows[i]);
    tain_call_list(c, "value", rows, all.next);
    tain_control_items_done(&all);
    return TAIN_OK;
}

static tain_status get(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    answer(c, &i, is_typed(c));
    tain_control_item_done(&i);
    return TAIN_OK;
}

static tain_status connections(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    json_t     *root = tain_item_definition(&i), *rows = json_array();
    const char *id = tain_item_connection(root);
    if (id) json_array_append_new(rows, json_pack("{s:s}", "id", id));
    tain_call_list(c, "value", rows, NULL);
    json_decref(root);
    tain_control_item_done(&i);
    return TAIN_OK;
}

const char *tain_item_connection(const json_t *definition)
{
    const json_t *source = json_object_get(json_object_get(definition, "properties"), "source");
    return tain_json_get_str(json_object_get(source, "typeProperties"), "connection", NULL);
}

/* --- making ------------------------------------------------------------------------------------------------------------- */

static tain_status add(tain_call *c, const char *name, const char *description, tain_parts *p, char id[static 37], tain_error *err)
{
    tain_platform     told;
    tain_control_item i = {.workspace = (char *)c->argument[0], .name = (char *)name, .description = (char *)description, .platform = p->platform,
                           .owner = *c->caller.user ? c->caller.user : NULL, .definition = p->definition};
    TAIN_AUTO(tain_free) char *lake = NULL;
    TAIN_TRY(tain_platform_read(c, tain_buffer_slice(&p->platform), &told, err));
    i.logical_id = told.logical_id;
    bool        made = false;
    json_t     *root = tain_item_definition(&i);
    tain_status st = tain_place_find(c, name, root, &lake, &made, err);
    json_decref(root);
    i.lake = lake;
    if (st == TAIN_OK) st = tain_control_item_add(c->api->control, &i, id, err);
    if (st != TAIN_OK && made && lake) remove(lake);
    tain_platform_done(&told);
    return st;
}

static tain_status create(tain_call *c, tain_error *err)
{
    const char *name, *description, *type;
    char        id[37];
    tain_parts  p;
    TAIN_TRY(tain_call_text(c, "displayName", true, &name, err));
    TAIN_TRY(tain_call_text(c, "description", false, &description, err));
    TAIN_TRY(tain_call_text(c, "type", false, &type, err));
    if (type && strcasecmp(type, TYPE) != 0)
        return tain_call_fail(c, "InvalidItemType", TAIN_E_INVALID, err, "an item of type %s is nothing tain has: it has " TYPE, type);
    TAIN_TRY(tain_parts_read(c, json_object_get(c->in, "definition"), &p, err));
    if (!p.definition.size) tain_buffer_append_str(&p.definition, tain_definition_empty);
    tain_status st = tain_trust_definition(c, tain_buffer_slice(&p.definition), (tain_slice){0}, err);
    if (st == TAIN_OK) st = add(c, name, description, &p, id, err);
    tain_parts_done(&p);
    TAIN_TRY(st);
    c->reply->status = 201;
    return show(c, id, false, err);
}

/* --- changing ----------------------------------------------------------------------------------------------------------- */

static tain_status change(tain_call *c, tain_error *err)
{
    tain_control_item        i;
    tain_control_item_change to = {0};
    TAIN_TRY(tain_call_text(c, "displayName", false, &to.name, err));
    TAIN_TRY(tain_call_text(c, "description", false, &to.description, err));
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    TAIN_TRY(tain_control_item_change_some(c->api->control, c->argument[1], &to, err));
    tain_supervisor_look(c->api->supervisor, c->argument[1]); /* records and alarms tell the name */
    return show(c, c->argument[1], is_typed(c), err);
}

/* There are no folders, so an item that is moved stays. */
static tain_status move(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    json_t *rows = json_array();
    json_array_append_new(rows, to_json(&i));
    tain_control_item_done(&i);
    tain_call_list(c, "value", rows, NULL);
    return TAIN_OK;
}

static tain_status drop(tain_call *c, tain_error *err)
{
    tain_control_item i;
    const char       *hard = tain_http_query(c->request, "hardDelete");
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_status st = tain_remove_item(c, &i, hard && strcasecmp(hard, "true") == 0, err);
    tain_control_item_done(&i);
    return st;
}

#define ITEMS     "/v1/workspaces/{}/items"
#define DATABASES "/v1/workspaces/{}/mirroredDatabases"

const tain_route tain_routes_item[] = {
    {"GET", ITEMS, TAIN_CONTROL_VIEWER, NULL, list},
    {"POST", ITEMS, TAIN_CONTROL_CONTRIBUTOR, "item.create", create},
    {"GET", ITEMS "/{}", TAIN_CONTROL_VIEWER, NULL, get},
    {"PATCH", ITEMS "/{}", TAIN_CONTROL_CONTRIBUTOR, "item.change", change},
    {"DELETE", ITEMS "/{}", TAIN_CONTROL_CONTRIBUTOR, "item.remove", drop},
    {"GET", ITEMS "/{}/connections", TAIN_CONTROL_VIEWER, NULL, connections},
    {"POST", ITEMS "/{}/move", TAIN_CONTROL_CONTRIBUTOR, "item.move", move},
    {"GET", DATABASES, TAIN_CONTROL_VIEWER, NULL, list},
    {"POST", DATABASES, TAIN_CONTROL_CONTRIBUTOR, "item.create", create},
    {"GET", DATABASES "/{}", TAIN_CONTROL_VIEWER, NULL, get},
    {"PATCH", DATABASES "/{}", TAIN_CONTROL_CONTRIBUTOR, "item.change", change},
    {"DELETE", DATABASES "/{}", TAIN_CONTROL_CONTRIBUTOR, "item.remove", drop},
    {0},
};
