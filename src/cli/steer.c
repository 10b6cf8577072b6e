/* SPDX-License-Identifier: MIT */
/* start, stop, pause, resume, resync: what is wanted of a mirrored database, or of some tables of it. */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"

typedef struct verb {
    const char         *name, *request;
    const char         *said; /* of a table; NULL: it concerns all of them at once */
    const tain_command *command;
} verb;

static const verb verbs[] = {
    {"start", "/startMirroring", NULL, &tain_command_start},
    {"stop", "/stopMirroring", NULL, &tain_command_stop},
    {"pause", "/pauseMirroring", "paused", &tain_command_pause},
    {"resume", "/resumeMirroring", "resumed", &tain_command_resume},
    {"resync", "/resync", "loaded again", &tain_command_resync},
};

static const verb *verb_of(const char *name)
{
    const verb *v = verbs;
    while (strcmp(v->name, name) != 0) v++; /* main() knows them by the same names */
    return v;
}

static json_t *list_of(char **tables, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(list, json_string(tables[i]));
    return list;
}

static tain_status post(const tain_client *c, const json_t *mirror, const char *rest, json_t *body, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_names_path(mirror, rest);
    return tain_client_call(c, "POST", path, body, NULL, err);
}

static tain_status of_table(const tain_client *c, const json_t *mirror, const verb *v, const char *table, tain_error *err)
{
    char *rest = tain_format("/%s", v->name), *path = NULL;
    tain_status st = tain_names_table_path(mirror, table, rest, &path, err);
    if (st == TAIN_OK) st = tain_client_call(c, "POST", path, NULL, NULL, err);
    tain_free(rest);
    tain_free(path);
    return st;
}

static tain_status steer(const tain_client *c, const json_t *mirror, const verb *v, char **tables, int n, tain_error *err)
{
    if (strcmp(v->name, "resync") == 0)
        return post(c, mirror, v->request, json_pack("{s:o}", "tables", n ? list_of(tables, n) : json_null()), err);
    if (n == 0) return post(c, mirror, v->request, NULL, err);
    for (int i = 0; i < n; i++) TAIN_TRY(of_table(c, mirror, v, tables[i], err));
    return TAIN_OK;
}

/* --- what became of it --------------------------------------------------------------------------------------------- */

/* What does not run is not watched either, and a source that keeps its log for it has only so much room. */
static tain_status warn_of_log(const tain_client *c, const json_t *mirror, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_names_path(mirror, "/monitor"), *text = NULL;
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    char size[24];
    TAIN_TRY(tain_client_call(c, "GET", path, NULL, &all, err));
    int64_t kept = tain_json_get_int(json_object_get(all, "sourceLog"), "retained_bytes", -1);
    if (kept < 0) return TAIN_OK;
    tain_human_bytes((uint64_t)kept, size);
    text = tain_format("its source keeps its log for it until it runs again or is dropped (%s so far), and nobody looks at how much", size);
    tain_report_note("  ", "warning", text);
    return TAIN_OK;
}

static bool rests(const verb *v)
{
    return v->command == &tain_command_stop || v->command == &tain_command_pause;
}

static void print_for_people(const json_t *mirror, const json_t *now, const verb *v, char **tables, int n)
{
    TAIN_AUTO(tain_free) char *name = tain_names_full(mirror);
    const json_t *error = json_object_get(now, "error");
    const char *message = tain_json_get_str(error, "message", NULL), *remedy = tain_json_get_str(error, "remedy", NULL);
    printf("%s: %s\n", name, tain_json_get_str(now, "status", "unknown"));
    for (int i = 0; i < n; i++) printf("  %s: %s\n", tables[i], v->said);
    if (message) tain_report_note("  ", "error", message);
    if (remedy) tain_report_note("  ", "remedy", remedy);
}

static void print_json(const json_t *mirror, const json_t *now, char **tables, int n)
{
    json_t *o = json_object(), *error = json_object_get(now, "error");
    static const char *const keys[] = {"id", "displayName", "workspaceId", "workspaceName"};
    for (size_t i = 0; i < 4; i++) json_object_set(o, keys[i], json_object_get(mirror, keys[i]));
    json_object_set(o, "status", json_object_get(now, "status"));
    json_object_set_new(o, "error", error ? json_incref(error) : json_null());
    json_object_set_new(o, "tables", list_of(tables, n));
    tain_report_json(o);
    json_decref(o);
}

static tain_status run_verb(const tain_client *c, const verb *v, char **args, int n, bool json, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *mirror = NULL, *now = NULL;
    TAIN_TRY(tain_names_mirror(c, args[0], &mirror, err));
    TAIN_TRY(steer(c, mirror, v, args + 1, n - 1, err));
    TAIN_AUTO(tain_free) char *path = tain_names_path(mirror, "/getMirroringStatus");
    TAIN_TRY(tain_client_call(c, "POST", path, NULL, &now, err));
    if (json) print_json(mirror, now, args + 1, n - 1);
    else print_for_people(mirror, now, v, args + 1, n - 1);
    return rests(v) && n == 1 && !json ? warn_of_log(c, mirror, err) : TAIN_OK;
}

static int run(int argc, char **argv)
{
    tain_client_options o = {0};
    const tain_option   options[] = {TAIN_CLIENT_OPTIONS(o), {NULL}};
    const verb         *v = verb_of(argv[0]);
    tain_client         c;
    tain_error          e = {0};
    char              **args;
    int                 n, code = tain_client_begin(v->command, options, &o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = run_verb(&c, v, args, n, o.json, &e);
    return tain_client_end(&c, args, st, &e);
}

enum { TABLES_MOST = 1000 };

const tain_command tain_command_start = {
    .name = "start", .arguments = "NAME", .summary = "a mirrored database runs, from where it was", .least = 1, .most = 1, .run = run,
    .example = "  tain start shop\n  tain start sales/shop --service https://tain.example:8443\n",
};
const tain_command tain_command_stop = {
    .name = "stop", .arguments = "NAME", .summary = "it stops; what is mirrored stays", .least = 1, .most = 1, .run = run,
    .example = "  tain stop shop\n",
};
const tain_command tain_command_pause = {
    .name = "pause", .arguments = "NAME [TABLE...]", .summary = "it, or some tables of it, wait", .least = 1, .most = TABLES_MOST, .run = run,
    .example = "  tain pause shop\n  tain pause shop public.orders public.items\n",
};
const tain_command tain_command_resume = {
    .name = "resume", .arguments = "NAME [TABLE...]", .summary = "what was paused goes on", .least = 1, .most = TABLES_MOST, .run = run,
    .example = "  tain resume shop\n  tain resume shop public.orders\n",
};
const tain_command tain_command_resync = {
    .name = "resync", .arguments = "NAME [TABLE...]", .summary = "everything, or these tables, once more", .least = 1, .most = TABLES_MOST, .run = run,
    .example = "  tain resync shop\n  tain resync shop public.orders\n",
};
