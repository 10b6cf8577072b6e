/* SPDX-License-Identifier: MIT */
#include "cli/names.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"

enum { SHOWN = 8 }; /* names in an error */

/* --- one of a list ------------------------------------------------------------------------------------------------- */

typedef bool (*is_called)(const json_t *row, const char *name);
typedef char *(*name_of)(const json_t *row);

static const char *own_name(const json_t *row)
{
    return tain_json_get_str(row, "displayName", tain_json_get_str(row, "name", ""));
}

static bool by_name(const json_t *row, const char *name)
{
    return strcmp(own_name(row), name) == 0 || strcasecmp(tain_json_get_str(row, "id", ""), name) == 0;
}

static char *plain_name(const json_t *row)
{
    return tain_strdup(own_name(row));
}

/* "a, b, c and 4 more"; only those that match, if a match is given. Caller frees. */
static char *names_of(const json_t *list, name_of called, is_called match, const char *name)
{
    tain_buffer out = {0};
    size_t      i, n = 0;
    json_t     *row;
    json_array_foreach(list, i, row)
    {
        if (match && !match(row, name)) continue;
        if (n++ >= SHOWN) continue;
        char *one = called(row);
        tain_buffer_printf(&out, "%s%s", n > 1 ? ", " : "", one);
        free(one);
    }
    if (n > SHOWN) tain_buffer_printf(&out, " and %zu more", n - SHOWN);
    return tain_buffer_cstr(&out);
}

static tain_status unknown(const char *what, const char *name, const json_t *list, name_of called, tain_error *err)
{
    TAIN_AUTO(tain_free) char *names = names_of(list, called, NULL, NULL);
    tain_status st = tain_fail(err, TAIN_E_NOT_FOUND, "there is no %s '%s'", what, name);
    if (*names) tain_error_remedy(err, "there is: %s", names);
    else tain_error_remedy(err, "there is none at all that you may see");
    return st;
}

static tain_status pick(const char *what, const char *name, const json_t *list, is_called match, name_of called, json_t **ret, tain_error *err)
{
    json_t *row, *found = NULL;
    size_t  i, n = 0;
    json_array_foreach(list, i, row)
    {
        if (!match(row, name)) continue;
        found = row;
        n++;
    }
    if (n == 0) return unknown(what, name, list, called, err);
    if (n > 1) {
        TAIN_AUTO(tain_free) char *names = names_of(list, called, match, name);
        tain_status st = tain_fail(err, TAIN_E_INVALID, "%zu %ss are called '%s'", n, what, name);
        tain_error_remedy(err, "say which: %s", names);
        return st;
    }
    *ret = json_incref(found);
    return TAIN_OK;
}

/* --- mirrored databases -------------------------------------------------------------------------------------------- */

char *tain_names_full(const json_t *mirror)
{
    return tain_format("%s/%s", tain_json_get_str(mirror, "workspaceName", ""), tain_json_get_str(mirror, "displayName", ""));
}

static bool mirror_is_called(const json_t *row, const char *name)
{
    if (by_name(row, name)) return true;
    TAIN_AUTO(tain_free) char *full = tain_names_full(row);
    return strcmp(full, name) == 0;
}

tain_status tain_names_mirror(const tain_client *c, const char *name, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    TAIN_TRY(tain_client_list(c, "/v1/mirrors", &all, err));
    return pick("mirrored database", name, all, mirror_is_called, tain_names_full, ret, err);
}

char *tain_names_path(const json_t *mirror, const char *rest)
{
    return tain_format("/v1/workspaces/%s/mirroredDatabases/%s%s", tain_json_get_str(mirror, "workspaceId", ""), tain_json_get_str(mirror, "id", ""), rest);
}

/* Where the schema ends and the table begins; NULL: it is not so written. */
static const char *table_in(const char *name, const char **schema, size_t *schema_length)
{
    bool        quoted = *name == '"';
    const char *end = quoted ? strstr(name + 1, "\".") : strchr(name, '.');
    *schema = name + quoted;
    *schema_length = end ? (size_t)(end - *schema) : 0;
    const char *table = end ? end + 1 + quoted : NULL;
    return table && *table && *schema_length ? table : NULL;
}

tain_status tain_names_table_path(const json_t *mirror, const char *table, const char *rest, char **ret, tain_error *err)
{
    const char *schema, *name;
    size_t      n;
    if (!(name = table_in(table, &schema, &n))) return tain_fail(err, TAIN_E_INVALID, "\"%s\" is no table: write schema.table", table);
    TAIN_AUTO(tain_free) char *only = tain_strndup(schema, n), *path = tain_names_path(mirror, "/tables/");
    TAIN_AUTO(tain_free) char *schema_folder = tain_folder_from_name(only), *table_folder = tain_folder_from_name(name);
    tain_buffer out = {0};
    tain_buffer_append_str(&out, path);
    tain_url_append_encoded(&out, schema_folder, "");
    tain_buffer_append_u8(&out, '/');
    tain_url_append_encoded(&out, table_folder, "");
    tain_buffer_append_str(&out, rest);
    *ret = tain_buffer_cstr(&out);
    return TAIN_OK;
}

/* --- workspaces and connections ------------------------------------------------------------------------------------ */

tain_status tain_names_workspace(const tain_client *c, const char *name, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    TAIN_TRY(tain_client_list(c, "/v1/workspaces", &all, err));
    if (name) return pick("workspace", name, all, by_name, plain_name, ret, err);
    size_t n = json_array_size(all);
    if (n == 1) {
        *ret = json_incref(json_array_get(all, 0));
        return TAIN_OK;
    }
    tain_status st = pick("workspace", TAIN_DEFAULT_WORKSPACE, all, by_name, plain_name, ret, err);
    if (st != TAIN_E_NOT_FOUND || n == 0) return st;
    TAIN_AUTO(tain_free) char *names = names_of(all, plain_name, NULL, NULL);
    st = tain_fail(err, TAIN_E_INVALID, "there are %zu workspaces", n);
    tain_error_remedy(err, "say which by --workspace: %s", names);
    return st;
}

tain_status tain_names_make_workspace(const tain_client *c, const char *name, json_t **ret, bool *ret_made, tain_error *err)
{
    tain_status st = tain_names_workspace(c, name, ret, err);
    *ret_made = st == TAIN_E_NOT_FOUND;
    if (!*ret_made) return st;
    return tain_client_call(c, "POST", "/v1/workspaces", json_pack("{s:s}", "displayName", name ? name : TAIN_DEFAULT_WORKSPACE), ret, err);
}

tain_status tain_names_connection(const tain_client *c, const char *name, json_t **ret, tain_error *err)
{
    return tain_names_in(c, "/v1/connections", "connection", name, ret, err);
}

tain_status tain_names_in(const tain_client *c, const char *path, const char *what, const char *name, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    TAIN_TRY(tain_client_list(c, path, &all, err));
    return pick(what, name, all, by_name, plain_name, ret, err);
}
