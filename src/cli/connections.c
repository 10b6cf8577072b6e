/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/report.h"
#include "cli/secret.h"
#include "cli/verbs.h"

typedef struct settings {
    tain_client_options client;
    const char         *secret, *url, *name; /* NULL: not given */
} settings;

#define PATH "/v1/connections"
#define WHAT "connection"

/* --- list ---------------------------------------------------------------------------------------------------------- */

static void print_all(const json_t *all)
{
    static const char *const heads[] = {"name", "secret", "url"};
    tain_grid g = {.columns = 3, .align = "lll"};
    json_t   *n;
    size_t    i;
    for (i = 0; i < g.columns; i++) tain_report_add(&g, heads[i]);
    json_array_foreach(all, i, n)
    {
        tain_report_add(&g, tain_json_get_str(n, "displayName", ""));
        tain_report_add(&g, tain_json_get_str(n, "secret", "none"));
        tain_report_add(&g, tain_json_get_str(n, "url", ""));
    }
    if (json_array_size(all)) tain_grid_print(&g, stdout, 0); /* addresses are for copying */
    tain_grid_done(&g);
    printf("%zu connection%s\n", json_array_size(all), tain_plural((int64_t)json_array_size(all)));
}

static tain_status list(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    TAIN_TRY(tain_client_list(c, PATH, &all, err));
    if (s->client.json) tain_report_json(all);
    else print_all(all);
    return TAIN_OK;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static void say(const json_t *connection, const settings *s, const char *what)
{
    if (s->client.json) tain_report_json(connection);
    else printf("connection %s is %s (%s)\n", tain_json_get_str(connection, "displayName", ""), what, tain_json_get_str(connection, "id", ""));
}

static json_t *body_of(const char *name, const char *url, const char *secret)
{
    json_t *o = json_object();
    if (name) json_object_set_new(o, "displayName", json_string(name));
    if (url) json_object_set_new(o, "url", json_string(url));
    if (secret) json_object_set_new(o, "secret", json_string(secret));
    return o;
}

static tain_status add(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *made = NULL;
    TAIN_AUTO(tain_cli_secret_free) char *secret = tain_cli_secret_for(args[1], s->secret);
    TAIN_TRY(tain_client_call(c, "POST", PATH, body_of(args[0], args[1], secret), &made, err));
    say(made, s, "made");
    return TAIN_OK;
}

static tain_status change(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *was = NULL, *now = NULL;
    if (!s->name && !s->url && !s->secret) return tain_fail(err, TAIN_E_INVALID, "nothing to change: say --name, --url or --secret");
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "PATCH", "", body_of(s->name, s->url, s->secret), &was, &now, err));
    say(json_is_object(now) ? now : was, s, "changed");
    return TAIN_OK;
}

static tain_status remove_it(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *was = NULL;
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "DELETE", "", NULL, &was, NULL, err));
    say(was, s, "removed");
    return TAIN_OK;
}

static tain_status test(const tain_client *c, char **args, const void *settings_, bool *ret_no, tain_error *err)
{
    const settings *s = settings_;
    TAIN_AUTO(tain_json_decref) json_t *connection = NULL, *answer = NULL;
    TAIN_TRY(tain_verbs_ask(c, PATH, WHAT, args[0], "POST", "/test", NULL, &connection, &answer, err));
    const char *message = tain_json_get_str(answer, "message", NULL), *remedy = tain_json_get_str(answer, "remedy", NULL);
    *ret_no = !tain_json_get_bool(answer, "ok", false);
    if (s->client.json) {
        tain_report_json(answer);
        return TAIN_OK;
    }
    tain_report_note("", args[0], *ret_no ? message ? message : "it cannot be reached" : "ok");
    if (remedy) tain_report_note("  ", "remedy", remedy);
    return TAIN_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static const tain_verb verbs[] = {{"list", "", list}, {"add", "NAME URL", add}, {"change", "NAME", change}, {"test", "NAME", test},
                                  {"remove", "NAME", remove_it}, {NULL}};

static int run(int argc, char **argv)
{
    settings          s = {0};
    const tain_option options[] = {
        {"secret", TAIN_OPTION_TEXT, &s.secret, "SECRET", "add, change: password, env:NAME or file:PATH"},
        {"url", TAIN_OPTION_TEXT, &s.url, "URL", "change: another address"},
        {"name", TAIN_OPTION_TEXT, &s.name, "NAME", "change: another name"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    return tain_verbs_run(&tain_command_connections, verbs, options, &s.client, &s, argc, argv);
}

const tain_command tain_command_connections = {
    .name = "connections", .arguments = "[VERB ...]", .summary = "how sources are reached", .least = 0, .most = 3, .run = run,
    .example = "  tain connections\n"
               "  tain connections add shop postgresql://tain@db/shop --secret env:SHOP_PASSWORD\n"
               "  tain connections test shop\n"
               "  tain connections change shop --url postgresql://tain@db2/shop\n"
               "  tain connections remove shop\n",
};
