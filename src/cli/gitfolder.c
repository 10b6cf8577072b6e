/* SPDX-License-Identifier: MIT */
#include "cli/gitfolder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"

#define CREATED_FILE ".tain.json"
#define SCHEMA       "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json"
#define NO_ID        "00000000-0000-0000-0000-000000000000"

/* --- files --------------------------------------------------------------------------------------------------------- */

/* Whole under its name, or as it was. */
static tain_status write_file(const char *path, const void *data, size_t n, tain_error *err)
{
    TAIN_AUTO(tain_free) char *aside = tain_format("%s.new", path);
    FILE *f = fopen(aside, "we");
    if (!f) return tain_fail_errno(err, "cannot write %s", aside);
    bool ok = fwrite(data, 1, n, f) == n;
    ok = fclose(f) == 0 && ok && rename(aside, path) == 0;
    return ok ? TAIN_OK : tain_fail_errno(err, "cannot write %s", path);
}

static tain_status write_if_other(const char *path, const tain_buffer *content, bool *changed, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer was = {0};
    tain_status st = tain_client_read_file(path, &was, err);
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    if (st == TAIN_OK && was.size == content->size && memcmp(was.data, content->data, was.size) == 0) return TAIN_OK;
    *changed = true;
    return write_file(path, content->data, content->size, err);
}

/* --- what a file says ---------------------------------------------------------------------------------------------- */

tain_status tain_git_platform_read(const tain_buffer *platform, const char *what, tain_git_platform *ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *o = NULL;
    *ret = (tain_git_platform){0};
    if (!platform->size) return TAIN_OK;
    TAIN_TRY(tain_json_parse(platform->data, platform->size, what, &o, err));
    const json_t *metadata = json_object_get(o, "metadata");
    const char   *type = tain_json_get_str(metadata, "type", "MirroredDatabase");
    const char   *id = tain_json_get_str(json_object_get(o, "config"), "logicalId", NULL);
    if (strcmp(type, "MirroredDatabase") != 0) return tain_fail(err, TAIN_E_INVALID, "%s is of a %s, not of a MirroredDatabase", what, type);
    ret->name = tain_strdup(tain_json_get_str(metadata, "displayName", NULL));
    ret->description = tain_strdup(tain_json_get_str(metadata, "description", NULL));
    ret->logical_id = id && *id && strcmp(id, NO_ID) != 0 ? tain_strdup(id) : NULL;
    return TAIN_OK;
}

void tain_git_platform_done(tain_git_platform *p)
{
    tain_free(p->name);
    tain_free(p->description);
    tain_free(p->logical_id);
}

static tain_status read_state(tain_git_item *item, const char *what, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *o = NULL;
    TAIN_TRY(tain_json_parse(item->parts.mirroring.data, item->parts.mirroring.size, what, &o, err));
    const json_t *properties = json_object_get(o, "properties"), *said = json_object_get(json_object_get(properties, "tain"), "state");
    const char   *state = json_string_value(said);
    if (!json_is_object(properties)) return tain_fail(err, TAIN_E_INVALID, "%s has no \"properties\"", what);
    if (!said) return TAIN_OK;
    if (!state || (strcmp(state, "running") != 0 && strcmp(state, "stopped") != 0 && strcmp(state, "paused") != 0))
        return tain_fail(err, TAIN_E_INVALID, "%s: properties.tain.state is running, stopped or paused", what);
    item->state = tain_strdup(state);
    return TAIN_OK;
}

static char *name_of_folder(const char *folder)
{
    const char *slash = strrchr(folder, '/'), *base = slash ? slash + 1 : folder;
    char       *bare = tain_strndup(base, strlen(base) - strlen(TAIN_ITEM_SUFFIX)), *name = tain_name_from_folder(bare);
    tain_free(bare);
    return name;
}

static tain_status read_item(tain_git_item *item, tain_error *err)
{
    TAIN_AUTO(tain_free) char *definition = tain_format("%s/" TAIN_DEFINITION_FILE, item->folder), *platform = tain_format("%s/" TAIN_PLATFORM_FILE, item->folder);
    TAIN_TRY(tain_client_read_file(definition, &item->parts.mirroring, err));
    TAIN_TRY(read_state(item, definition, err));
    tain_status st = tain_client_read_file(platform, &item->parts.platform, err);
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    TAIN_TRY(tain_git_platform_read(&item->parts.platform, platform, &item->platform, err));
    if (!item->platform.name) item->platform.name = name_of_folder(item->folder);
    return TAIN_OK;
}

/* --- the folder ---------------------------------------------------------------------------------------------------- */

static int is_item(const struct dirent *d)
{
    size_t n = strlen(d->d_name), suffix = strlen(TAIN_ITEM_SUFFIX);
    return n > suffix && strcmp(d->d_name + n - suffix, TAIN_ITEM_SUFFIX) == 0;
}

static tain_status check_unlike(const tain_git_items *g, const tain_git_item *item, tain_error *err)
{
    for (const tain_git_item *other = g->list; other < item; other++) {
        const tain_git_platform *a = &other->platform, *b = &item->platform;
        if (strcmp(a->name, b->name) == 0) return tain_fail(err, TAIN_E_INVALID, "%s and %s are both called '%s'", other->folder, item->folder, b->name);
        if (a->logical_id && b->logical_id && strcmp(a->logical_id, b->logical_id) == 0)
            return tain_fail(err, TAIN_E_INVALID, "%s and %s have the same logical id %s", other->folder, item->folder, b->logical_id);
    }
    return TAIN_OK;
}

static tain_status read_items(const char *folder, struct dirent **names, size_t n, tain_git_items *g, tain_error *err)
{
    g->list = tain_alloc((n + 1) * sizeof *g->list);
    for (size_t i = 0; i < n; i++) {
        tain_git_item *item = &g->list[g->count++];
        item->folder = tain_format("%s/%s", folder, names[i]->d_name);
        tain_status st = read_item(item, err);
        if (st == TAIN_OK) st = check_unlike(g, item, err);
        if (st == TAIN_OK) continue;
        if (st == TAIN_E_CORRUPT || st == TAIN_E_INVALID) tain_error_remedy(err, "mend that file, or take it back from Git; nothing was changed");
        return st;
    }
    return TAIN_OK;
}

tain_status tain_git_read(const char *folder, tain_git_items *ret, tain_error *err)
{
    struct dirent **names;
    tain_git_items  g = {0};
    int n = scandir(folder, &names, is_item, alphasort);
    if (n < 0) return tain_fail_errno(err, "cannot read the folder %s", folder);
    tain_status st = read_items(folder, names, (size_t)n, &g, err);
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
    if (st == TAIN_OK) *ret = g;
    else tain_git_items_done(&g);
    return st;
}

void tain_git_items_done(tain_git_items *g)
{
    for (size_t i = 0; i < g->count; i++) {
        tain_git_item *item = &g->list[i];
        tain_free(item->folder);
        tain_git_platform_done(&item->platform);
        tain_free(item->state);
        tain_git_parts_done(&item->parts);
    }
    free(g->list);
    *g = (tain_git_items){0};
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void make_platform(const char *name, const char *logical_id, tain_buffer *ret)
{
    json_t *o = json_pack("{s:s,s:{s:s,s:s},s:{s:s,s:s}}", "$schema", SCHEMA, "metadata", "type", "MirroredDatabase", "displayName", name, "config",
                          "version", "2.0", "logicalId", logical_id);
    char   *text = json_dumps(o, JSON_INDENT(2));
    tain_buffer_append_str(ret, text);
    tain_buffer_append_u8(ret, '\n');
    tain_free(text);
    json_decref(o);
}

tain_status tain_git_write(const char *folder, const char *name, const char *logical_id, const tain_git_parts *parts, bool *ret_changed, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer made = {0};
    TAIN_AUTO(tain_free) char *definition = tain_format("%s/" TAIN_DEFINITION_FILE, folder), *platform = tain_format("%s/" TAIN_PLATFORM_FILE, folder);
    *ret_changed = false;
    if (!tain_make_folder(folder, false)) return tain_fail_errno(err, "cannot make the folder %s", folder);
    TAIN_TRY(write_if_other(definition, &parts->mirroring, ret_changed, err));
    if (!parts->platform.size) make_platform(name, logical_id, &made);
    return write_if_other(platform, parts->platform.size ? &parts->platform : &made, ret_changed, err);
}

/* --- what was created from here ------------------------------------------------------------------------------------ */

static tain_status read_created(const char *folder, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_AUTO(tain_free) char *path = tain_format("%s/" CREATED_FILE, folder);
    tain_status st = tain_client_read_file(path, &text, err);
    if (st == TAIN_OK) return tain_json_parse(text.data, text.size, path, ret, err);
    if (st == TAIN_E_NOT_FOUND) *ret = json_object();
    return st == TAIN_E_NOT_FOUND ? TAIN_OK : st;
}

tain_status tain_git_created(const char *folder, const char *workspace, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    size_t  i;
    json_t *id;
    TAIN_TRY(read_created(folder, &all, err));
    *ret = json_object();
    json_array_foreach(json_object_get(json_object_get(all, "created"), workspace), i, id)
    {
        if (json_is_string(id)) json_object_set_new(*ret, json_string_value(id), json_true());
    }
    return TAIN_OK;
}

tain_status tain_git_set_created(const char *folder, const char *workspace, const json_t *created, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL, *ids = json_array();
    const char *id;
    json_t     *v, *spaces;
    TAIN_TRY(read_created(folder, &all, err));
    json_object_foreach((json_t *)created, id, v) json_array_append_new(ids, json_string(id));
    if (!json_is_object(json_object_get(all, "created"))) json_object_set_new(all, "created", json_object());
    spaces = json_object_get(all, "created");
    if (json_array_size(ids)) json_object_set(spaces, workspace, ids);
    else json_object_del(spaces, workspace);
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_SORT_KEYS), *path = tain_format("%s/" CREATED_FILE, folder);
    tain_status st = write_file(path, text, strlen(text), err);
    tain_free(text);
    tain_free(path);
    return st;
}
