/* SPDX-License-Identifier: MIT */
#include "serve/api/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "control/workspace.h"
#include "serve/api/trust.h"
#include "serve/supervisor/command.h"

#define ENDING ".MirroredDatabase"
enum { FOLDER_MOST = 200 }; /* bytes of a name, of the 255 that file systems have */

/* --- whose a folder is --------------------------------------------------------------------------------------------------- */

static bool is_within(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

/* Without links and dots, if it is there. Caller frees. */
static char *true_path(const char *path)
{
    char *is = realpath(path, NULL);
    return is ? is : tain_strdup(path);
}

static bool overlaps(tain_call *c, const tain_control_item *i, const char *path)
{
    TAIN_AUTO(tain_free) char *whole = tain_command_lake(c->api->control, i), *theirs = true_path(whole);
    return is_within(theirs, path) || is_within(path, theirs);
}

/* *ret: whether a mirror other than that (NULL: any) has its lake there, in there, or around it. */
static tain_status is_taken(tain_call *c, const char *path, const char *but, bool *ret, tain_error *err)
{
    tain_control_items all;
    TAIN_TRY(tain_control_item_list(c->api->control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, err));
    *ret = false;
    for (size_t i = 0; i < all.count && !*ret; i++) *ret = !(but && strcmp(all.rows[i].id, but) == 0) && overlaps(c, &all.rows[i], path);
    tain_control_items_done(&all);
    return TAIN_OK;
}

static bool is_below_ours(tain_call *c, const char *path)
{
    return is_within(path, c->api->lake) && strcmp(path, c->api->lake) != 0;
}

static bool is_named_so(const char *path)
{
    size_t n = strlen(path), m = strlen(ENDING);
    return n > m && strcmp(path + n - m, ENDING) == 0 && path[n - m - 1] != '/';
}

/* --- a new one ----------------------------------------------------------------------------------------------------------- */

/* A folder's name, cut where it is too long, at a character's end. Caller frees. */
static char *folder_name(const char *name)
{
    char  *folder = tain_folder_from_name(name);
    size_t n = strlen(folder) > FOLDER_MOST ? FOLDER_MOST : strlen(folder);
    while (n > 0 && ((unsigned char)folder[n] & 0xc0) == 0x80) n--;
    folder[n] = 0;
    return folder;
}

/* LAKE/<workspace> */
static tain_status workspace_folder(tain_call *c, char **ret, tain_error *err)
{
    tain_control_workspace w;
    TAIN_TRY(tain_control_workspace_get(c->api->control, c->argument[0], &w, err));
    TAIN_AUTO(tain_free) char *own = folder_name(w.name);
    tain_control_workspace_done(&w);
    *ret = tain_format("%s/%s", c->api->lake, own);
    return TAIN_OK;
}

/* As OneLake has it; _2 and on where something is there already. */
static tain_status make_new(tain_call *c, const char *name, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *parent = NULL, *own = folder_name(name);
    TAIN_TRY(workspace_folder(c, &parent, err));
    if (!tain_make_folder(parent, true)) return tain_fail_errno(err, "cannot make the folder %s", parent);
    for (int n = 1; n < 1000; n++) {
        char *path = n == 1 ? tain_format("%s/%s" ENDING, parent, own) : tain_format("%s/%s_%d" ENDING, parent, own, n);
        if (mkdir(path, 0777) == 0) {
            *ret = path;
            return TAIN_OK;
        }
        TAIN_AUTO(tain_free) char *gone = path;
        if (errno != EEXIST) return tain_fail_errno(err, "cannot make the folder %s", gone);
    }
    return tain_fail(err, TAIN_E_EXISTS, "%s has a thousand folders for '%s'", parent, name);
}

static tain_status make_folder(tain_call *c, const char *name, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = NULL;
    bool                       taken = false;
    TAIN_TRY(make_new(c, name, &path, err));
    tain_status st = is_taken(c, path, NULL, &taken, err);
    if (taken) st = tain_fail(err, TAIN_E_EXISTS, "%s would be in the lake of another mirrored database", path);
    if (st != TAIN_OK) return remove(path), st;
    *ret = path;
    path = NULL;
    return TAIN_OK;
}

/* --- one that is there --------------------------------------------------------------------------------------------------- */

static tain_status refuse(const char *given, const char *why, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_INVALID, "properties.tain.lake: %s %s", given, why);
    tain_error_remedy(err, "name a folder below the service's lake that no mirrored database has, or leave it out");
    return st;
}

/* One that could have been made for a mirror of this workspace. */
static bool is_of_workspace(const char *path, const char *workspace)
{
    TAIN_AUTO(tain_free) char *folder = true_path(workspace);
    const size_t n = strlen(folder);
    return is_within(path, folder) && path[n] && !strchr(path + n + 1, '/') && is_named_so(path);
}

/* Who is no administrator learns nothing of what else there is on this machine. */
static tain_status check_place(tain_call *c, const char *given, const char *path, tain_error *err)
{
    bool                       taken;
    TAIN_AUTO(tain_free) char *workspace = NULL;
    TAIN_TRY(workspace_folder(c, &workspace, err));
    if (!path || !is_of_workspace(path, workspace))
        TAIN_TRY_IN(err, tain_trust_admin(c, "name a folder that is there: <name>" ENDING " in the workspace's", err), "properties.tain.lake");
    if (!path) return refuse(given, "is not there", err);
    if (!is_below_ours(c, path)) return refuse(given, "is somewhere else", err);
    TAIN_TRY(is_taken(c, path, NULL, &taken, err));
    return taken ? refuse(given, "belongs to another mirrored database", err) : TAIN_OK;
}

static tain_status take_folder(tain_call *c, const char *given, char **ret, tain_error *err)
{
    char       *path = realpath(given, NULL);
    tain_status st = check_place(c, given, path, err);
    if (st == TAIN_OK) *ret = path;
    else free(path);
    return st;
}

tain_status tain_place_find(tain_call *c, const char *name, const json_t *definition, char **ret, bool *ret_made, tain_error *err)
{
    const char *given = tain_json_get_str(json_object_get(json_object_get(definition, "properties"), "tain"), "lake", NULL);
    *ret_made = !given;
    return given ? take_folder(c, given, ret, err) : make_folder(c, name, ret, err);
}

/* --- the end of one ------------------------------------------------------------------------------------------------------ */

tain_status tain_place_check_removal(tain_call *c, const tain_control_item *i, tain_error *err)
{
    bool                       taken;
    TAIN_AUTO(tain_free) char *whole = tain_command_lake(c->api->control, i), *path = true_path(whole);
    TAIN_TRY(is_taken(c, path, i->id, &taken, err));
    if (!taken && is_below_ours(c, path) && is_named_so(path)) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "%s is not removed: it %s", path, taken ? "has to do with another mirrored database" : "is no folder <name>" ENDING " below the service's lake");
    tain_error_remedy(err, "remove the mirrored database without hardDelete, and what is left of its folder by hand");
    return st;
}
