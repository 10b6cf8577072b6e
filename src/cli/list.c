/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"

/* --- one of them --------------------------------------------------------------------------------------------------- */

/* What the service tells of a mirror, as the mirror itself tells it in its lake. */
static json_t *as_status(const json_t *mirror, const json_t *monitor)
{
    static const char *const same[] = {"status", "lag_ms", "epoch", "position", "snapshot", "waiting", "tables"};
    const json_t *error = json_object_get(monitor, "error");
    json_t       *s = json_object();
    char         *name = tain_names_full(mirror);
    json_object_set_new(s, "mirror", json_string(name));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (json_object_get(monitor, same[i])) json_object_set(s, same[i], json_object_get(monitor, same[i]));
    if (json_object_get(monitor, "sourceLog")) json_object_set(s, "source", json_object_get(monitor, "sourceLog"));
    if (json_object_get(error, "message")) json_object_set(s, "reason", json_object_get(error, "message"));
    if (json_object_get(error, "remedy")) json_object_set(s, "remedy", json_object_get(error, "remedy"));
    tain_free(name);
    return s;
}

static tain_status list_one(const tain_client *c, const char *name, bool json, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *mirror = NULL, *monitor = NULL;
    TAIN_TRY(tain_names_mirror(c, name, &mirror, err));
    TAIN_AUTO(tain_free) char *path = tain_names_path(mirror, "/monitor");
    TAIN_TRY(tain_client_call(c, "GET", path, NULL, &monitor, err));
    if (json) {
        tain_report_json(monitor);
        return TAIN_OK;
    }
    json_t *status = as_status(mirror, monitor);
    tain_report_print(status);
    json_decref(status);
    return TAIN_OK;
}

/* --- all of them --------------------------------------------------------------------------------------------------- */

static bool in_one_workspace(const json_t *all)
{
    json_t *m;
    size_t  i;
    json_array_foreach(all, i, m)
    {
        if (!json_equal(json_object_get(m, "workspaceId"), json_object_get(json_array_get(all, 0), "workspaceId"))) return false;
    }
    return true;
}

static char *short_name(const json_t *mirror, bool plain)
{
    return plain ? tain_strdup(tain_json_get_str(mirror, "displayName", "")) : tain_names_full(mirror);
}

static void add_row(tain_grid *g, const json_t *m, const char *name)
{
    tain_report_add(g, name);
    tain_report_add(g, tain_json_get_str(m, "status", ""));
    tain_report_add_int(g, tain_json_get_int(m, "tables", 0));
    tain_report_add_int(g, tain_json_get_int(m, "rowsReplicated", 0));
    tain_report_add_duration(g, json_object_get(m, "lag_ms"));
    tain_report_add_time(g, tain_json_get_str(m, "lastCompletedDateTime", "-"));
}

static void print_grid(const json_t *all, bool plain)
{
    static const char *const heads[] = {"name", "status", "tables", "rows", "lag", "last completed"};
    tain_grid g = {.columns = 6, .align = "llrrrl"};
    json_t   *m;
    size_t    i;
    for (i = 0; i < g.columns; i++) tain_report_add(&g, heads[i]);
    json_array_foreach(all, i, m)
    {
        char *name = short_name(m, plain);
        add_row(&g, m, name);
        tain_free(name);
    }
    tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
}

static void print_trouble(const json_t *m, bool plain)
{
    const json_t *error = json_object_get(m, "error");
    const char   *message = tain_json_get_str(error, "message", NULL), *remedy = tain_json_get_str(error, "remedy", NULL);
    int64_t       failed = tain_json_get_int(m, "failed", 0), warnings = tain_json_get_int(m, "warnings", 0);
    TAIN_AUTO(tain_free) char *name = short_name(m, plain);
    if (message) tain_report_note("", name, message);
    if (remedy) tain_report_note("  ", "remedy", remedy);
    if (!failed && !warnings) return;
    TAIN_AUTO(tain_free) char *text = tain_format("%lld table%s failed, %lld warning%s; tain list '%s' tells more", (long long)failed, tain_plural(failed),
                                                  (long long)warnings, tain_plural(warnings), name);
    tain_report_note("", name, text);
}

static tain_status list_all(const tain_client *c, bool json, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *all = NULL;
    TAIN_TRY(tain_client_list(c, "/v1/mirrors", &all, err));
    if (json) {
        tain_report_json(all);
        return TAIN_OK;
    }
    bool    plain = in_one_workspace(all);
    json_t *m;
    size_t  i;
    if (json_array_size(all)) print_grid(all, plain);
    json_array_foreach(all, i, m)
    {
        print_trouble(m, plain);
    }
    tain_report_counts(all, "mirrored database");
    return TAIN_OK;
}

static int run(int argc, char **argv)
{
    tain_client_options o = {0};
    const tain_option   options[] = {TAIN_CLIENT_OPTIONS(o), {NULL}};
    tain_client         c;
    tain_error          e = {0};
    char              **args;
    int                 n, code = tain_client_begin(&tain_command_list, options, &o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = n ? list_one(&c, args[0], o.json, &e) : list_all(&c, o.json, &e);
    return tain_client_end(&c, args, st, &e);
}

const tain_command tain_command_list = {
    .name = "list", .arguments = "[NAME]", .summary = "mirrored databases, or one with its tables", .least = 0, .most = 1, .run = run,
    .example = "  tain list\n  tain list sales/shop\n  tain list --json\n",
};
