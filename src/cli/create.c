/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/definitions.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/secret.h"

typedef struct settings {
    tain_client_options client;
    const char         *workspace, *secret, *description;
    char              **tables, **exclude;
    const char         *freshness, *memory, *profile, *retention, *history_retention, *retained, *snapshot_from, *partitions, *capture, *on_drop;
    bool                cdf, history, start;
} settings;

/* --- the definition ------------------------------------------------------------------------------------------------ */

static void put_list(json_t *o, const char *key, char **list)
{
    if (!list || !*list) return;
    json_t *array = json_array();
    for (; *list; list++) json_array_append_new(array, json_string(*list));
    json_object_set_new(o, key, array);
}

/* What Fabric has no place for. */
static json_t *tain_object(const settings *s)
{
    const char *const texts[][2] = {
        {"freshness", s->freshness}, {"memory", s->memory}, {"profile", s->profile}, {"retention", s->retention},
        {"historyRetention", s->history_retention}, {"retainedLog", s->retained}, {"snapshotFrom", s->snapshot_from},
        {"partitions", s->partitions}, {"capture", s->capture}, {"onDrop", s->on_drop},
    };
    json_t *o = json_object();
    put_list(o, "tables", s->tables);
    put_list(o, "exclude", s->exclude);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i][1]) json_object_set_new(o, texts[i][0], json_string(texts[i][1]));
    if (s->cdf) json_object_set_new(o, "changeDataFeed", json_true());
    if (s->history) json_object_set_new(o, "history", json_true());
    return o;
}

static const char *source_type(const json_t *connection)
{
    return strncmp(tain_json_get_str(connection, "url", ""), "postgres", 8) == 0 ? "GenericPostgreSql" : "GenericSqlite";
}

static json_t *definition_of(const json_t *connection, const settings *s)
{
    json_t *tain = tain_object(s);
    json_t *root = json_pack("{s:{s:{s:s,s:{s:s}},s:{s:s,s:{s:s}}}}", "properties", "source", "type", source_type(connection), "typeProperties",
                             "connection", tain_json_get_str(connection, "id", ""), "target", "type", "MountedRelationalDatabase", "typeProperties",
                             "format", "Delta");
    if (json_object_size(tain)) json_object_set(json_object_get(root, "properties"), "tain", tain);
    json_decref(tain);
    return root;
}

/* --- where it reads from ------------------------------------------------------------------------------------------- */

/* A bare path is a SQLite file, as tain mirror has it; the service may run elsewhere. NULL: it is neither URL nor file. */
static char *url_of(const char *source)
{
    char real[PATH_MAX];
    if (strstr(source, "://")) return tain_strdup(source);
    if (access(source, F_OK) != 0 || !realpath(source, real)) return NULL;
    return tain_format("sqlite://%s", real);
}

static tain_status make_connection(const tain_client *c, const char *name, const char *url, const char *given, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_cli_secret_free) char *secret = tain_cli_secret_for(url, given);
    json_t *body = json_pack("{s:s,s:s}", "displayName", name, "url", url);
    if (secret) json_object_set_new(body, "secret", json_string(secret));
    tain_status st = tain_client_call(c, "POST", "/v1/connections", body, ret, err);
    if (st == TAIN_E_EXISTS) tain_error_remedy(err, "name that connection as SOURCE, or remove it: tain connections remove '%s'", name);
    return st;
}

/* *ret_made: it was not there before. */
static tain_status find_source(const tain_client *c, const char *name, const char *source, const settings *s, json_t **ret, bool *ret_made, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = url_of(source);
    *ret_made = url != NULL;
    if (url) return make_connection(c, name, url, s->secret, ret, err);
    tain_status st = tain_names_connection(c, source, ret, err);
    if (st != TAIN_E_NOT_FOUND) return st;
    st = tain_fail(err, st, "\"%s\" is no connection, no file here and no URL", source);
    tain_error_remedy(err, "tain connections lists those there are; a URL such as postgresql://user@host/database makes one");
    return st;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static tain_status post_item(const tain_client *c, const json_t *workspace, const char *name, const json_t *connection, const settings *s, json_t **ret,
                             tain_error *err)
{
    tain_git_parts p = {0};
    json_t    *definition = definition_of(connection, s);
    char      *text = json_dumps(definition, JSON_INDENT(2));
    tain_buffer_append_str(&p.mirroring, text);
    tain_buffer_append_u8(&p.mirroring, '\n');
    json_t *body = tain_git_parts_to_json(&p);
    json_object_set_new(body, "displayName", json_string(name));
    if (s->description) json_object_set_new(body, "description", json_string(s->description));
    char       *path = tain_format("/v1/workspaces/%s/mirroredDatabases", tain_json_get_str(workspace, "id", ""));
    tain_status st = tain_client_call(c, "POST", path, body, ret, err);
    tain_git_parts_done(&p);
    json_decref(definition);
    tain_free(text);
    tain_free(path);
    return st;
}

static void undo(const tain_client *c, const char *list, const json_t *made)
{
    TAIN_AUTO(tain_free) char *path = tain_format("%s/%s", list, tain_json_get_str(made, "id", ""));
    (void)!tain_client_call(c, "DELETE", path, NULL, NULL, NULL);
}

/* In a workspace that is made if need be, and not left behind for nothing. */
static tain_status make_item(const tain_client *c, const char *in, const char *name, const json_t *connection, const settings *s, json_t **ret_workspace,
                             json_t **ret, tain_error *err)
{
    bool made;
    TAIN_TRY(tain_names_make_workspace(c, in, ret_workspace, &made, err));
    tain_status st = post_item(c, *ret_workspace, name, connection, s, ret, err);
    if (st != TAIN_OK && made) undo(c, "/v1/workspaces", *ret_workspace);
    return st;
}

static tain_status start(const tain_client *c, const json_t *workspace, const json_t *item, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_format("/v1/workspaces/%s/mirroredDatabases/%s/startMirroring", tain_json_get_str(workspace, "id", ""),
                                                  tain_json_get_str(item, "id", ""));
    return tain_client_call(c, "POST", path, NULL, NULL, err);
}

static void tell(const json_t *workspace, const json_t *item, const settings *s)
{
    const char *in = tain_json_get_str(workspace, "displayName", ""), *name = tain_json_get_str(item, "displayName", "");
    if (s->client.json) {
        tain_report_json(item);
        return;
    }
    printf("%s/%s is made%s\n", in, name, s->start ? ", and started" : "");
    if (!s->start) printf("  tain start '%s/%s' starts it\n", in, name);
}

/* "workspace/name" says both. */
static tain_status split_name(const char *full, const settings *s, char **ret_workspace, const char **ret_name, tain_error *err)
{
    const char *slash = s->workspace ? NULL : strchr(full, '/');
    *ret_name = slash ? slash + 1 : full;
    if (slash != full && **ret_name) {
        *ret_workspace = slash ? tain_strndup(full, (size_t)(slash - full)) : tain_strdup(s->workspace);
        return TAIN_OK;
    }
    tain_status st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is no name for a mirrored database", full);
    tain_error_remedy(err, "write NAME, or WORKSPACE/NAME");
    return st;
}

static tain_status create(const tain_client *c, char **args, const settings *s, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *workspace = NULL, *connection = NULL, *item = NULL;
    TAIN_AUTO(tain_free) char *in = NULL;
    const char *name;
    bool        made;
    TAIN_TRY(split_name(args[0], s, &in, &name, err));
    TAIN_TRY(find_source(c, name, args[1], s, &connection, &made, err));
    tain_status st = make_item(c, in, name, connection, s, &workspace, &item, err);
    if (st != TAIN_OK && made) undo(c, "/v1/connections", connection);
    if (st == TAIN_OK && s->start) st = start(c, workspace, item, err);
    if (st == TAIN_OK) tell(workspace, item, s);
    return st;
}

static int run(int argc, char **argv)
{
    settings          s = {0};
    const tain_option options[] = {
        {"workspace", TAIN_OPTION_TEXT, &s.workspace, "NAME", "where (default); made if it is not there"},
        {"description", TAIN_OPTION_TEXT, &s.description, "TEXT", "what it is for"},
        {"secret", TAIN_OPTION_TEXT, &s.secret, "SECRET", "password of SOURCE: env:NAME, file:PATH or itself"},
        {"start", TAIN_OPTION_FLAG, &s.start, NULL, "start it, too"},
        {"tables", TAIN_OPTION_LIST, &s.tables, "GLOBS", "only these: schema.table, comma-separated"},
        {"exclude", TAIN_OPTION_LIST, &s.exclude, "GLOBS", "not these"},
        {"freshness", TAIN_OPTION_TEXT, &s.freshness, "TIME", "longest wait of a committed change (500ms)"},
        {"memory", TAIN_OPTION_TEXT, &s.memory, "SIZE", "memory budget (256MiB)"},
        {"retained-log", TAIN_OPTION_TEXT, &s.retained, "LIMITS", "log the source keeps: warn=10GiB,pause=.."},
        {"snapshot-from", TAIN_OPTION_TEXT, &s.snapshot_from, "URL", "loads are read from this standby"},
        {"capture", TAIN_OPTION_CHOICE, &s.capture, "log|poll", "SQLite: by triggers, or by comparison"},
        {"partitions", TAIN_OPTION_CHOICE, &s.partitions, "root|leaf", "a partitioned table is one, or many"},
        {"cdf", TAIN_OPTION_FLAG, &s.cdf, NULL, "tables have a change data feed"},
        {"history", TAIN_OPTION_FLAG, &s.history, NULL, "beside each table all versions of its rows"},
        {"history-retention", TAIN_OPTION_TEXT, &s.history_retention, "TIME", "how long those stay (for ever)"},
        {"profile", TAIN_OPTION_CHOICE, &s.profile, "default|compat", "readers without deletion vectors"},
        {"retention", TAIN_OPTION_TEXT, &s.retention, "TIME", "how long replaced files stay (1d)"},
        {"on-drop", TAIN_OPTION_CHOICE, &s.on_drop, "keep|delete", "what becomes of dropped tables"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    tain_client c;
    tain_error  e = {0};
    char      **args;
    int         n, code = tain_client_begin(&tain_command_create, options, &s.client, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = create(&c, args, &s, &e);
    return tain_client_end(&c, args, st, &e);
}

const tain_command tain_command_create = {
    .name = "create", .arguments = "NAME SOURCE", .summary = "a mirrored database in a service", .least = 2, .most = 2, .run = run,
    .example = "  tain create shop postgresql://tain@db/shop --secret env:SHOP_PASSWORD --start\n"
               "  tain create sales/eu shop --tables 'eu.*'    # by a connection that is there\n"
               "  tain create till /srv/till.db --workspace shops\n",
};
