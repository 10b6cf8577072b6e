/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"

typedef struct settings {
    tain_client_options client;
    int                 lines;
    bool                records;
} settings;

static char *path_of(const json_t *mirror, const settings *s)
{
    char *rest = s->records ? tain_format("/executions?maxResults=%d", s->lines) : tain_format("/logs?lines=%d", s->lines);
    char *path = tain_names_path(mirror, rest);
    tain_free(rest);
    return path;
}

/* --- what its worker says ------------------------------------------------------------------------------------------ */

static void print_lines(const json_t *lines, const char *name)
{
    json_t *line;
    size_t  i;
    if (!json_array_size(lines)) fprintf(stderr, "tain: the worker of '%s' has said nothing yet; tain list tells whether it runs\n", name);
    json_array_foreach(lines, i, line)
    {
        if (json_is_string(line)) puts(json_string_value(line));
    }
}

/* --- what was done to its tables ----------------------------------------------------------------------------------- */

static void add_count(tain_grid *g, const json_t *v)
{
    if (json_is_integer(v)) tain_report_add_int(g, json_integer_value(v));
    else tain_report_add(g, "-");
}

static char *table_of(const json_t *r)
{
    return tain_format("%s.%s", tain_json_get_str(r, "sourceSchemaName", ""), tain_json_get_str(r, "sourceTableName", ""));
}

static void add_record(tain_grid *g, const json_t *r)
{
    TAIN_AUTO(tain_free) char *table = table_of(r);
    tain_report_add_time(g, tain_json_get_str(r, "timestamp", "-"));
    tain_report_add(g, tain_json_get_str(r, "operationName", ""));
    tain_report_add(g, table);
    add_count(g, json_object_get(r, "processedRows"));
    add_count(g, json_object_get(r, "replicatorBatchLatency"));
}

/* They come newest first; the newest is last where a terminal stops. */
static void print_records(const json_t *list, const char *name)
{
    static const char *const heads[] = {"time", "operation", "table", "rows", "seconds"};
    tain_grid g = {.columns = 5, .align = "lllrr"};
    if (!json_array_size(list)) {
        fprintf(stderr, "tain: nothing was done to tables of '%s' yet; tain list tells whether it runs\n", name);
        return;
    }
    for (size_t c = 0; c < g.columns; c++) tain_report_add(&g, heads[c]);
    for (size_t i = json_array_size(list); i-- > 0;) add_record(&g, json_array_get(list, i));
    tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *r = json_array_get(list, i);
        const char   *message = tain_json_get_str(r, "errorMessage", NULL);
        TAIN_AUTO(tain_free) char *table = table_of(r);
        if (message) tain_report_note("", table, message);
    }
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static tain_status logs(const tain_client *c, const char *name, const settings *s, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *mirror = NULL, *answer = NULL;
    TAIN_TRY(tain_names_mirror(c, name, &mirror, err));
    TAIN_AUTO(tain_free) char *path = path_of(mirror, s);
    TAIN_TRY(tain_client_call(c, "GET", path, NULL, &answer, err));
    const json_t *list = json_object_get(answer, s->records ? "value" : "lines");
    if (s->client.json) tain_report_json(list ? list : answer);
    else if (s->records) print_records(list, name);
    else print_lines(list, name);
    return TAIN_OK;
}

static int run(int argc, char **argv)
{
    settings          s = {.lines = 200};
    const tain_option options[] = {
        {"last", TAIN_OPTION_INT, &s.lines, "N", "so many lines, or records (200)"},
        {"records", TAIN_OPTION_FLAG, &s.records, NULL, "what was done to each table instead"},
        TAIN_CLIENT_OPTIONS(s.client), {NULL},
    };
    tain_client c;
    tain_error  e = {0};
    char      **args;
    int         n, code = tain_client_begin(&tain_command_logs, options, &s.client, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = logs(&c, args[0], &s, &e);
    return tain_client_end(&c, args, st, &e);
}

const tain_command tain_command_logs = {
    .name = "logs", .arguments = "NAME", .summary = "what its worker says, or was done", .least = 1, .most = 1, .run = run,
    .example = "  tain logs shop --last 50\n  tain logs shop --records\n",
};
