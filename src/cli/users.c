/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/secret.h"
#include "cli/verbs.h"

#define PATH "/v1/users"
#define WHAT "user"

typedef struct settings {
    tain_client_options client;
    const char         *role, *workspace, *password_file; /* NULL: not given */
    bool                password, disable, enable;
} settings;

/* --- list ---------------------------------------------------------------------------------------------------------- */

static json_t *names_of_workspaces(const tain_client *c)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    json_t *names = json_object(), *w;
    size_t  i;
    if (tain_client_list(c, "/v1/workspaces", &all, NULL) != TAIN_OK) return names;
    json_array_foreach(all, i, w)
    {
        json_object_set(names, tain_json_get_str(w, "id", ""), json_object_get(w, "displayName"));
    }
    return names;
}

/* "viewer; contributor in sales" */
static char *roles_of(const json_t *user, const json_t *workspaces)
{
    tain_buffer out = {0};
    const char *id;
    json_t     *role;
    tain_buffer_append_str(&out, tain_json_get_str(user, "role", ""));
    json_object_foreach(json_object_get(user, "workspaceRoles"), id, role)
    {
        tain_buffer_printf(&out, "%s%s in %s", out.size ? "; " : "", json_is_string(role) ? json_string_value(role) : "", tain_json_get_str(workspaces, id, id));
    }
    return tain_buffer_cstr(&out);
}

static void print_all(const json_t *all, const json_t *workspaces)
{
    static const char *const heads[] = {"name", "comes by", "roles"};
    tain_grid g = {.columns = 3, .align = "lll"};
    json_t   *u;
    size_t    i;
    for (i = 0; i < g.columns; i++) tain_report_add(&g, heads[i]);
    json_array_foreach(all, i, u)
    {
        TAIN_AUTO(tain_free) char *roles = roles_of(u, workspaces);
        bool password = tain_json_get_bool(u, "hasPassword", false), disabled = tain_json_get_bool(u, "disabled", false);
        tain_report_add(&g, tain_json_get_str(u, "name", ""));
        tain_report_add(&g, disabled ? "disabled" : password ? "password" : "token");
        tain_report_add(&g, roles);
    }
    if (json_array_size(all)) tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    printf("%zu user%s\n", json_array_size(all), tain_plural((int64_t)json_array_size(all)));
}

static tain_status list(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *all = NULL, *workspaces = NULL;
    TAIN_TRY(tain_client_list(c, PATH, &all, err));
    workspaces = names_of_workspaces(c);
    if (s->client.json) tain_report_json(all);
    else print_all(all, workspaces);
    return TAIN_OK;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static void say(const json_t *user, const settings *s, const char *what)
{
    if (s->client.json) tain_report_json(user);
    else printf("user %s is %s\n", tain_json_get_str(user, "name", ""), what);
}

/* *ret NULL: none is given. */
static tain_status read_password(const settings *s, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    *ret = s->password ? tain_cli_ask_secret("Password:") : NULL;
    if (s->password && !*ret) return tain_fail(err, TAIN_E_INVALID, "no password was typed");
    if (!s->password_file) return TAIN_OK;
    TAIN_TRY(tain_client_read_file(s->password_file, &text, err));
    while (text.size && strchr("\r\n", text.data[text.size - 1])) text.size--;
    *ret = tain_strdup(tain_buffer_cstr(&text));
    return TAIN_OK;
}

static tain_status put_role(const tain_client *c, const settings *s, json_t *body, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *workspace = NULL;
    if (!s->role) return TAIN_OK;
    json_t *role = strcmp(s->role, "none") == 0 ? json_null() : json_string(s->role);
    if (!s->workspace) return json_object_set_new(body, "role", role), TAIN_OK;
    tain_status st = tain_names_workspace(c, s->workspace, &workspace, err);
    if (st == TAIN_OK) json_object_set_new(body, "workspaceRoles", json_pack("{s:O}", tain_json_get_str(workspace, "id", ""), role));
    json_decref(role);
    return st;
}

/* Caller json_decref()s. */
static tain_status body_of(const tain_client *c, const settings *s, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *body = json_object();
    TAIN_AUTO(tain_cli_secret_free) char *password = NULL;
    if (s->workspace && !s->role) return tain_fail(err, TAIN_E_INVALID, "--workspace says where a --role holds, and none is given");
    TAIN_TRY(put_role(c, s, body, err));
    TAIN_TRY(read_password(s, &password, err));
    if (password) json_object_set_new(body, "password", json_string(password));
    if (s->disable || s->enable) json_object_set_new(body, "disabled", json_boolean(s->disable));
    *ret = json_incref(body);
    return TAIN_OK;
}

/* What a new one is not made with, but given. *ret is replaced. */
static tain_status give(const tain_client *c, const json_t *roles, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_format(PATH "/%s", tain_json_get_str(*ret, "id", ""));
    json_t *now = NULL;
    TAIN_TRY(tain_client_call(c, "PATCH", path, json_pack("{s:O}", "workspaceRoles", roles), &now, err));
    json_decref(*ret);
    *ret = now;
    return TAIN_OK;
}

static tain_status add(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    json_t         *body;
    TAIN_AUTO(tain_json_decref) json_t *made = NULL, *roles = NULL;
    TAIN_TRY(body_of(c, s, &body, err));
    json_object_set_new(body, "name", json_string(args[0]));
    json_object_del(body, "disabled");
    roles = json_incref(json_object_get(body, "workspaceRoles"));
    json_object_del(body, "workspaceRoles");
    TAIN_TRY(tain_client_call(c, "POST", PATH, body, &made, err));
    if (roles) TAIN_TRY(give(c, roles, &made, err));
    say(made, s, "made");
    return TAIN_OK;
}

static tain_status change(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    json_t         *body;
    TAIN_AUTO(tain_json_decref) json_t *was = NULL, *now = NULL;
    TAIN_TRY(body_of(c, s, &body, err));
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "PATCH", "", body, &was, &now, err));
    say(json_is_object(now) ? now : was, s, "changed");
    return TAIN_OK;
}

static tain_status remove_it(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *was = NULL;
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "DELETE", "", NULL, &was, NULL, err));
    say(was, settings_, "removed");
    return TAIN_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static const tain_verb verbs[] = {{"list", "", list}, {"add", "NAME", add}, {"change", "NAME", change}, {"remove", "NAME", remove_it}, {NULL}};

static int run(int argc, char **argv)
{
    settings          s = {0};
    const tain_option options[] = {
        {"role", TAIN_OPTION_CHOICE, &s.role, "viewer|contributor|admin|none", "what they may do"},
        {"workspace", TAIN_OPTION_TEXT, &s.workspace, "NAME", "in that one only"},
        {"password", TAIN_OPTION_FLAG, &s.password, NULL, "asks for one, to sign in by"},
        {"password-file", TAIN_OPTION_TEXT, &s.password_file, "FILE", "or takes what is in that file"},
        {"disable", TAIN_OPTION_FLAG, &s.disable, NULL, "change: keeps them out"},
        {"enable", TAIN_OPTION_FLAG, &s.enable, NULL, "change: lets them in again"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    return tain_verbs_run(&tain_command_users, verbs, options, &s.client, &s, argc, argv);
}

const tain_command tain_command_users = {
    .name = "users", .arguments = "[VERB ...]", .summary = "who may come in, and do what", .least = 0, .most = 3, .run = run,
    .example = "  tain users\n"
               "  tain users add ann --role contributor --password\n"
               "  tain users change ann --role viewer --workspace sales\n"
               "  tain users remove ann\n",
};
