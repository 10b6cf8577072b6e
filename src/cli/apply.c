/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/gitplan.h"
#include "cli/report.h"

typedef struct settings {
    tain_client_options client;
    const char         *workspace, *folder;
    bool                yes, prune;
} settings;

typedef struct applying {
    const settings *settings;
    tain_client    *client;
    json_t         *workspace; /* NULL: it has to be made */
    json_t         *created;   /* from this folder, in the workspace */
    json_t         *failures;  /* name -> message */
    tain_git_items  wanted;
    tain_git_presents   present;
    tain_git_plan       plan;
} applying;

static const char *workspace_id(const applying *a) { return tain_json_get_str(a->workspace, "id", ""); }

static const char *workspace_name(const applying *a)
{
    const char *given = a->settings->workspace;
    return tain_json_get_str(a->workspace, "displayName", given ? given : TAIN_DEFAULT_WORKSPACE);
}

/* --- what there is ------------------------------------------------------------------------------------------------- */

static tain_status read_present(applying *a, const json_t *row, tain_error *err)
{
    tain_git_present *p = &a->present.list[a->present.count++];
    p->id = tain_strdup(tain_json_get_str(row, "id", ""));
    p->name = tain_strdup(tain_json_get_str(row, "displayName", ""));
    p->status = tain_strdup(tain_json_get_str(row, "status", ""));
    TAIN_TRY(tain_git_parts_get(a->client, workspace_id(a), p->id, &p->parts, err));
    return tain_git_platform_read(&p->parts.platform, p->name, &p->platform, err);
}

static tain_status read_service(applying *a, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    size_t      i;
    json_t     *row;
    tain_status st = tain_names_workspace(a->client, a->settings->workspace, &a->workspace, err);
    if (st == TAIN_E_NOT_FOUND) return TAIN_OK;
    TAIN_TRY(st);
    TAIN_TRY(tain_client_list(a->client, "/v1/mirrors", &all, err));
    a->present.list = tain_alloc((json_array_size(all) + 1) * sizeof *a->present.list);
    json_array_foreach(all, i, row)
    {
        if (strcmp(tain_json_get_str(row, "workspaceId", ""), workspace_id(a)) == 0) TAIN_TRY(read_present(a, row, err));
    }
    return TAIN_OK;
}

/* --- the plan, told ------------------------------------------------------------------------------------------------ */

static void print_plan(const applying *a)
{
    static const char *const heads[] = {"action", "name", "what"};
    const tain_git_plan *p = &a->plan;
    tain_grid g = {.columns = 3, .align = "lll"};
    for (size_t c = 0; c < g.columns; c++) tain_report_add(&g, heads[c]);
    for (size_t i = 0; i < p->count; i++) {
        const tain_git_step *s = &p->steps[i];
        if (s->action != TAIN_GIT_UNCHANGED) {
            tain_report_add(&g, tain_git_plan_action_name(s->action));
            tain_report_add(&g, tain_git_step_name(s));
            tain_report_add(&g, s->changes ? s->changes : "");
        }
        if (!s->steer) continue;
        tain_report_add(&g, s->steer);
        tain_report_add(&g, tain_git_step_name(s));
        tain_report_add(&g, "");
    }
    printf("workspace %s%s at %s\n", workspace_name(a), a->workspace ? "" : " (to be made)", a->client->url);
    if (g.count > g.columns) tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    printf("%zu to remove, %zu to change, %zu to create, %zu unchanged", p->actions[TAIN_GIT_REMOVE], p->actions[TAIN_GIT_CHANGE],
           p->actions[TAIN_GIT_CREATE], p->actions[TAIN_GIT_UNCHANGED]);
    if (p->steered) printf("; %zu to be in another state", p->steered);
    putchar('\n');
}

static json_t *step_to_json(const applying *a, const tain_git_step *s)
{
    const char *error = tain_json_get_str(a->failures, tain_git_step_name(s), NULL);
    const char *id = s->present ? s->present->id : NULL, *logical_id = s->wanted ? s->wanted->platform.logical_id : s->present->platform.logical_id;
    return json_pack("{s:s,s:s,s:s?,s:s?,s:s?,s:s?,s:s?}", "action", tain_git_plan_action_name(s->action), "name", tain_git_step_name(s), "id", id, "logicalId",
                     logical_id, "changes", s->changes, "then", s->steer, "error", error);
}

static void print_json(const applying *a, bool applied)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < a->plan.count; i++) json_array_append_new(steps, step_to_json(a, &a->plan.steps[i]));
    json_t *o = json_pack("{s:{s:s?,s:s},s:o,s:b}", "workspace", "id", tain_json_get_str(a->workspace, "id", NULL), "displayName", workspace_name(a), "steps",
                          steps, "applied", applied);
    tain_report_json(o);
    json_decref(o);
}

/* --- the plan, carried out ----------------------------------------------------------------------------------------- */

static tain_status call(const applying *a, const char *method, const char *id, const char *rest, json_t *body, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_format("/v1/workspaces/%s/mirroredDatabases%s%s%s", workspace_id(a), id ? "/" : "", id ? id : "", rest);
    return tain_client_call(a->client, method, path, body, ret, err);
}

static tain_status create(applying *a, const tain_git_step *s, char **ret_id, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *item = NULL;
    json_t *body = tain_git_parts_to_json(&s->wanted->parts);
    const tain_git_platform *p = &s->wanted->platform;
    json_object_set_new(body, "displayName", json_string(p->name));
    if (p->description) json_object_set_new(body, "description", json_string(p->description));
    TAIN_TRY(call(a, "POST", NULL, "", body, &item, err));
    *ret_id = tain_strdup(tain_json_get_str(item, "id", ""));
    if (p->logical_id) json_object_set_new(a->created, p->logical_id, json_true());
    return TAIN_OK;
}

static tain_status change(const applying *a, const tain_git_step *s, tain_error *err)
{
    const tain_git_item *w = s->wanted;
    if (strcmp(w->platform.name, s->present->name) != 0)
        TAIN_TRY(call(a, "PATCH", s->present->id, "", json_pack("{s:s}", "displayName", w->platform.name), NULL, err));
    return call(a, "POST", s->present->id, "/updateDefinition?updateMetadata=true", tain_git_parts_to_json(&w->parts), NULL, err);
}

static tain_status remove_it(applying *a, const tain_git_step *s, tain_error *err)
{
    TAIN_TRY(call(a, "DELETE", s->present->id, "", NULL, NULL, err));
    if (s->present->platform.logical_id) json_object_del(a->created, s->present->platform.logical_id);
    return TAIN_OK;
}

static tain_status take_step(applying *a, const tain_git_step *s, tain_error *err)
{
    TAIN_AUTO(tain_free) char *id = s->present ? tain_strdup(s->present->id) : NULL, *rest = NULL;
    if (s->action == TAIN_GIT_REMOVE) return remove_it(a, s, err);
    if (s->action == TAIN_GIT_CHANGE) TAIN_TRY(change(a, s, err));
    if (s->action == TAIN_GIT_CREATE) TAIN_TRY(create(a, s, &id, err));
    if (!s->steer) return TAIN_OK;
    rest = tain_format("/%sMirroring", s->steer);
    return call(a, "POST", id, rest, NULL, NULL, err);
}

/* One that fails does not keep the others. */
static void take_steps(applying *a)
{
    fflush(stdout); /* the plan stands before what went wrong with it */
    for (size_t i = 0; i < a->plan.count; i++) {
        tain_error       e = {0};
        const tain_git_step *s = &a->plan.steps[i];
        if (take_step(a, s, &e) == TAIN_OK) continue;
        tain_error_context(&e, "%s '%s'", tain_git_plan_action_name(s->action), tain_git_step_name(s));
        tain_cli_fail(&e);
        json_object_set_new(a->failures, tain_git_step_name(s), json_string(e.message));
    }
}

static void remember(const applying *a)
{
    tain_error e = {0};
    TAIN_AUTO(tain_json_decref) json_t *was = NULL;
    if (tain_git_created(a->settings->folder, workspace_id(a), &was, &e) == TAIN_OK && json_equal(was, a->created)) return;
    if (tain_git_set_created(a->settings->folder, workspace_id(a), a->created, &e) == TAIN_OK) return;
    fprintf(stderr, "tain: what was created from here is not kept, so --prune will be needed to remove it: %s\n", e.message);
}

static tain_status carry_out(applying *a, tain_error *err)
{
    bool made;
    if (!a->workspace) TAIN_TRY(tain_names_make_workspace(a->client, a->settings->workspace, &a->workspace, &made, err));
    take_steps(a);
    remember(a);
    return TAIN_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

/* The exit code of what is not to be done; -1: go on. */
static int ask(const applying *a)
{
    if (tain_git_plan_is_empty(&a->plan)) return TAIN_EXIT_OK;
    if (a->settings->yes) return -1;
    tain_says said = a->settings->client.json ? TAIN_SAYS_NOTHING : tain_cli_ask("Carry that out?");
    fflush(stdout);
    if (said == TAIN_SAYS_NOTHING) fputs("tain: nothing was changed; --yes carries it out\n", stderr);
    return said == TAIN_SAYS_YES ? -1 : TAIN_EXIT_NO;
}

static tain_status gather(applying *a, tain_error *err)
{
    TAIN_TRY(tain_git_read(a->settings->folder, &a->wanted, err));
    TAIN_TRY(read_service(a, err));
    TAIN_TRY(tain_git_created(a->settings->folder, workspace_id(a), &a->created, err));
    tain_git_plan_make(&a->wanted, &a->present, a->created, a->settings->prune, &a->plan);
    return TAIN_OK;
}

static tain_status apply(applying *a, int *ret_code, tain_error *err)
{
    TAIN_TRY(gather(a, err));
    if (!a->settings->client.json) print_plan(a);
    *ret_code = ask(a);
    bool go_on = *ret_code < 0;
    if (go_on) {
        TAIN_TRY(carry_out(a, err));
        *ret_code = json_object_size(a->failures) ? TAIN_EXIT_FAILURE : TAIN_EXIT_OK;
    }
    if (a->settings->client.json) print_json(a, go_on);
    else if (go_on && *ret_code == TAIN_EXIT_OK) puts("done");
    return TAIN_OK;
}

static void applying_done(applying *a)
{
    tain_git_plan_done(&a->plan);
    tain_git_presents_done(&a->present);
    tain_git_items_done(&a->wanted);
    json_decref(a->created);
    json_decref(a->failures);
    json_decref(a->workspace);
}

static int run(int argc, char **argv)
{
    settings          s = {0};
    const tain_option options[] = {
        {"workspace", TAIN_OPTION_TEXT, &s.workspace, "NAME", "where (default); made if it is not there"},
        {"yes", TAIN_OPTION_FLAG, &s.yes, NULL, "carry the plan out without asking"},
        {"prune", TAIN_OPTION_FLAG, &s.prune, NULL, "remove all that the folder does not have"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    tain_client c;
    tain_error  e = {0};
    char      **args;
    int         n, code = tain_client_begin(&tain_command_apply, options, &s.client, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    s.folder = args[0];
    applying    a = {.settings = &s, .client = &c, .failures = json_object()};
    tain_status st = apply(&a, &code, &e);
    applying_done(&a);
    int end = tain_client_end(&c, args, st, &e);
    return st == TAIN_OK ? code : end;
}

const tain_command tain_command_apply = {
    .name = "apply", .arguments = "DIR", .summary = "makes a workspace as a folder of Git has it", .least = 1, .most = 1, .run = run,
    .example = "  tain apply ./mirrors                       # shows the plan and asks\n"
               "  tain apply ./mirrors --workspace sales --yes\n"
               "  tain apply ./mirrors --yes --prune\n",
};
