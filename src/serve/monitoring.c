/* SPDX-License-Identifier: MIT */
#include "serve/monitoring.h"

#include "base/folder.h"
#include "base/text.h"
#include "control/connection.h"
#include "control/item.h"
#include "control/workspace.h"
#include "lake/definition.h"

#define NAME        "tain"
#define CONNECTION  "tain control database"
#define DESCRIPTION "What was done to each table of each mirror"

/* Its own operations are not recorded: each would be another row to mirror. */
static const char definition[] =
    "{\n"
    "  \"properties\": {\n"
    "    \"source\": {\"type\": \"GenericSqlite\", \"typeProperties\": {\"connection\": \"%s\"}},\n"
    "    \"target\": {\"type\": \"MountedRelationalDatabase\", \"typeProperties\": {\"format\": \"Delta\"}},\n"
    "    \"mountedTables\": [{\"source\": {\"typeProperties\": {\"schemaName\": \"main\", \"tableName\": \"MirroredDatabaseTableExecution\"}}}],\n"
    "    \"tain\": {\"freshness\": \"5s\", \"memory\": \"32MiB\", \"records\": false}\n"
    "  }\n"
    "}\n";

static tain_status find_workspace(tain_control *c, char ret_id[static 37], tain_error *err)
{
    tain_control_workspace w;
    tain_status            st = tain_control_workspace_find(c, TAIN_MONITORING_WORKSPACE, &w, err);
    if (st == TAIN_E_NOT_FOUND) return tain_control_workspace_add(c, TAIN_MONITORING_WORKSPACE, "The service's own records", NULL, ret_id, err);
    if (st != TAIN_OK) return st;
    memcpy(ret_id, w.id, 37);
    tain_control_workspace_done(&w);
    return TAIN_OK;
}

static char *url_of(const tain_control *c)
{
    tain_buffer url = {0};
    tain_buffer_append_str(&url, "sqlite://");
    tain_url_append_encoded(&url, tain_control_file(c), "/");
    return tain_buffer_cstr(&url);
}

/* A lake has the address of its source, and takes no other one for the same by itself. What goes wrong here its worker says. */
static void readdress(tain_control *c, const char *workspace, const char *before, const char *now)
{
    tain_control_item i;
    if (tain_control_item_find(c, workspace, NAME, &i, NULL) != TAIN_OK) return;
    tain_definition d = {.source_url = tain_strdup(before), .lake_url = tain_strdup(i.lake)};
    TAIN_AUTO(tain_store_close) tain_store *store = NULL;
    tain_status st = tain_store_open(i.lake, false, &store, NULL);
    if (st == TAIN_OK) st = tain_definition_load(&d, store, NULL);
    tain_free(d.source_url);
    d.source_url = tain_strdup(now);
    if (st == TAIN_OK) (void)!tain_definition_save(&d, store, NULL);
    tain_definition_done(&d);
    tain_control_item_done(&i);
}

/* Where the database is now: its home may have been moved. */
static tain_status find_connection(tain_control *c, const char *workspace, char ret_id[static 37], tain_error *err)
{
    tain_control_connection n;
    TAIN_AUTO(tain_free) char *url = url_of(c);
    tain_status st = tain_control_connection_find(c, CONNECTION, &n, err);
    if (st == TAIN_E_NOT_FOUND) return tain_control_connection_add(c, CONNECTION, url, NULL, ret_id, err);
    TAIN_TRY(st);
    memcpy(ret_id, n.id, 37);
    if (strcmp(n.url, url) != 0) {
        readdress(c, workspace, n.url, url);
        st = tain_control_connection_repoint(c, n.id, url, NULL, err);
    }
    tain_control_connection_done(&n);
    return st;
}

static tain_status add(tain_control *c, const char *workspace, const char *connection, const char *lake, tain_error *err)
{
    char id[37];
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_AUTO(tain_free) char *folder = tain_format("%s/" TAIN_MONITORING_WORKSPACE "/" NAME ".MirroredDatabase", lake);
    tain_buffer_printf(&text, definition, connection);
    if (!tain_make_folder(folder, true)) return tain_fail_errno(err, "cannot make the folder %s", folder);
    const tain_control_item i = {.workspace = (char *)workspace, .name = NAME, .description = DESCRIPTION, .lake = folder, .definition = text};
    TAIN_TRY(tain_control_item_add(c, &i, id, err));
    return tain_control_item_want(c, id, TAIN_CONTROL_RUNNING, err);
}

tain_status tain_monitoring_make(tain_control *c, const char *lake, tain_error *err)
{
    char              workspace[37], connection[37];
    tain_control_item i;
    TAIN_TRY(find_workspace(c, workspace, err));
    TAIN_TRY(find_connection(c, workspace, connection, err));
    tain_status st = tain_control_item_find(c, workspace, NAME, &i, err);
    if (st == TAIN_E_NOT_FOUND) return add(c, workspace, connection, lake, err);
    if (st == TAIN_OK) tain_control_item_done(&i);
    return st;
}
