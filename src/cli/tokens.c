/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/verbs.h"

#define PATH "/v1/tokens"
#define WHAT "token"

typedef struct settings {
    tain_client_options client;
    const char         *user, *role; /* NULL: not given */
    int                 days;        /* 0: for ever */
} settings;

/* --- list ---------------------------------------------------------------------------------------------------------- */

static json_t *names_of_users(const tain_client *c)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    json_t *names = json_object(), *u;
    size_t  i;
    if (tain_client_list(c, "/v1/users", &all, NULL) != TAIN_OK) return names; /* who is no administrator sees their own only */
    json_array_foreach(all, i, u)
    {
        json_object_set(names, tain_json_get_str(u, "id", ""), json_object_get(u, "name"));
    }
    return names;
}

static void add_row(tain_grid *g, const json_t *t, const json_t *users)
{
    const char *user = tain_json_get_str(t, "userId", "");
    tain_report_add(g, tain_json_get_bool(t, "session", false) ? "(session)" : tain_json_get_str(t, "name", ""));
    tain_report_add(g, tain_json_get_str(users, user, user));
    tain_report_add(g, tain_json_get_str(t, "role", ""));
    tain_report_add_time(g, tain_json_get_str(t, "usedDateTime", "never"));
    tain_report_add_time(g, tain_json_get_str(t, "expiresDateTime", "never"));
}

static void print_all(const json_t *all, const json_t *users)
{
    static const char *const heads[] = {"name", "user", "at most", "used", "expires"};
    tain_grid g = {.columns = 5, .align = "lllll"};
    json_t   *t;
    size_t    i;
    for (i = 0; i < g.columns; i++) tain_report_add(&g, heads[i]);
    json_array_foreach(all, i, t)
    {
        add_row(&g, t, users);
    }
    if (json_array_size(all)) tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    printf("%zu token%s\n", json_array_size(all), tain_plural((int64_t)json_array_size(all)));
}

static tain_status list(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *all = NULL, *users = NULL;
    TAIN_TRY(tain_client_list(c, PATH, &all, err));
    users = names_of_users(c);
    if (s->client.json) tain_report_json(all);
    else print_all(all, users);
    return TAIN_OK;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

/* The text alone, which is not told again: for a file. */
static tain_status add(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *user = NULL, *made = NULL;
    json_t *body = json_pack("{s:s}", "name", args[0]);
    tain_status st = s->user ? tain_names_in(c, "/v1/users", "user", s->user, &user, err) : TAIN_OK;
    if (user) json_object_set(body, "userId", json_object_get(user, "id"));
    if (s->role) json_object_set_new(body, "role", json_string(s->role));
    if (s->days) json_object_set_new(body, "expiresInDays", json_integer(s->days));
    if (st == TAIN_OK) st = tain_client_call(c, "POST", PATH, json_incref(body), &made, err);
    json_decref(body);
    if (st != TAIN_OK && !s->user && strstr(err->message, "userId")) tain_error_remedy(err, "say whose it is: --user NAME; tain users add makes one");
    TAIN_TRY(st);
    if (s->client.json) tain_report_json(made);
    else puts(tain_json_get_str(made, "token", ""));
    return TAIN_OK;
}

static tain_status remove_it(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *was = NULL;
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "DELETE", "", NULL, &was, NULL, err));
    if (s->client.json) tain_report_json(was);
    else printf("token %s is removed\n", args[0]);
    return TAIN_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static const tain_verb verbs[] = {{"list", "", list}, {"add", "NAME", add}, {"remove", "NAME", remove_it}, {NULL}};

static int run(int argc, char **argv)
{
    settings          s = {0};
    const tain_option options[] = {
        {"user", TAIN_OPTION_TEXT, &s.user, "NAME", "add: whose it is (yours)"},
        {"role", TAIN_OPTION_CHOICE, &s.role, "viewer|contributor|admin", "add: what it is good for at most"},
        {"days", TAIN_OPTION_INT, &s.days, "N", "add: how long (for ever)"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    return tain_verbs_run(&tain_command_tokens, verbs, options, &s.client, &s, argc, argv);
}

const tain_command tain_command_tokens = {
    .name = "tokens", .arguments = "[VERB ...]", .summary = "what programs come in by", .least = 0, .most = 2, .run = run,
    .example = "  tain tokens\n"
               "  tain tokens add ci --user ann --role contributor --days 90 > token\n"
               "  tain tokens remove ci\n",
};
