/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/gitfolder.h"
#include "cli/names.h"
#include "cli/report.h"

typedef struct exporting {
    const tain_client *client;
    const char        *folder;
    const json_t      *workspace;
    tain_git_items     there; /* in the folder already */
    json_t            *told;  /* {name, folder, changed} of each */
} exporting;

/* Where that one is in the folder already, under whatever name; else where it goes. Caller frees. */
static char *folder_of(const exporting *x, const char *name, const char *logical_id)
{
    for (size_t i = 0; i < x->there.count; i++) {
        const tain_git_item *g = &x->there.list[i];
        const char *its = g->platform.logical_id;
        if (logical_id && its ? strcmp(its, logical_id) == 0 : strcmp(g->platform.name, name) == 0) return tain_strdup(g->folder);
    }
    TAIN_AUTO(tain_free) char *safe = tain_folder_from_name(name);
    return tain_format("%s/%s" TAIN_ITEM_SUFFIX, x->folder, safe);
}

static tain_status write_one(exporting *x, const json_t *item, const tain_git_parts *parts, tain_error *err)
{
    const char *name = tain_json_get_str(item, "displayName", ""), *id = tain_json_get_str(item, "id", "");
    TAIN_AUTO(tain_git_platform_done) tain_git_platform platform = {0};
    bool changed;
    TAIN_TRY(tain_git_platform_read(&parts->platform, name, &platform, err));
    TAIN_AUTO(tain_free) char *folder = folder_of(x, name, platform.logical_id);
    TAIN_TRY(tain_git_write(folder, name, id, parts, &changed, err));
    json_array_append_new(x->told, json_pack("{s:s,s:s,s:b}", "name", name, "folder", folder, "changed", changed));
    return TAIN_OK;
}

static tain_status export_one(exporting *x, const json_t *item, tain_error *err)
{
    tain_git_parts parts = {0};
    TAIN_TRY(tain_git_parts_get(x->client, tain_json_get_str(x->workspace, "id", ""), tain_json_get_str(item, "id", ""), &parts, err));
    tain_status st = write_one(x, item, &parts, err);
    tain_git_parts_done(&parts);
    return st;
}

static tain_status export_all(exporting *x, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *items = NULL;
    TAIN_AUTO(tain_free) char *path = tain_format("/v1/workspaces/%s/mirroredDatabases", tain_json_get_str(x->workspace, "id", ""));
    size_t      i;
    json_t     *item;
    tain_status st = tain_git_read(x->folder, &x->there, err);
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    TAIN_TRY(tain_client_list(x->client, path, &items, err));
    json_array_foreach(items, i, item)
    {
        TAIN_TRY(export_one(x, item, err));
    }
    return TAIN_OK;
}

/* --- what was written ---------------------------------------------------------------------------------------------- */

static bool was_written(const exporting *x, const char *folder)
{
    size_t  i;
    json_t *one;
    json_array_foreach(x->told, i, one)
    {
        if (strcmp(tain_json_get_str(one, "folder", ""), folder) == 0) return true;
    }
    return false;
}

static void tell(const exporting *x)
{
    size_t  i, changed = 0, n = json_array_size(x->told);
    json_t *one;
    json_array_foreach(x->told, i, one)
    {
        if (!tain_json_get_bool(one, "changed", false)) continue;
        printf("%s\n", tain_json_get_str(one, "folder", ""));
        changed++;
    }
    for (i = 0; i < x->there.count; i++)
        if (!was_written(x, x->there.list[i].folder)) printf("%s is not in the service; it is left as it is\n", x->there.list[i].folder);
    printf("%zu mirrored database%s, %zu written\n", n, tain_plural((int64_t)n), changed);
}

static tain_status export(const tain_client *c, const char *folder, const char *workspace, bool json, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *in = NULL;
    TAIN_TRY(tain_names_workspace(c, workspace, &in, err));
    exporting   x = {.client = c, .folder = folder, .workspace = in, .told = json_array()};
    tain_status st = export_all(&x, err);
    if (st == TAIN_OK && json) tain_report_json(x.told);
    else if (st == TAIN_OK) tell(&x);
    tain_git_items_done(&x.there);
    json_decref(x.told);
    return st;
}

static int run(int argc, char **argv)
{
    const char         *workspace = NULL;
    tain_client_options o = {0};
    const tain_option   options[] = {
        {"workspace", TAIN_OPTION_TEXT, &workspace, "NAME", "which (default)"}, TAIN_CLIENT_OPTIONS(o), {NULL},
    };
    tain_client c;
    tain_error  e = {0};
    char      **args;
    int         n, code = tain_client_begin(&tain_command_export, options, &o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = export(&c, args[0], workspace, o.json, &e);
    return tain_client_end(&c, args, st, &e);
}

const tain_command tain_command_export = {
    .name = "export", .arguments = "DIR", .summary = "a workspace as a folder that Git can hold", .least = 1, .most = 1, .run = run,
    .example = "  tain export ./mirrors\n  tain export ./mirrors --workspace sales\n",
};
