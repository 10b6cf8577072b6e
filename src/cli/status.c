/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "lake/lake.h"

#define STATUS_KEY "_tain/status.json"
#define SILENCE    (10 * TAIN_SECOND) /* a running mirror writes twice as often at least */

enum { POOR_HEALTH = 50 };

/* A mirror that runs and cannot write cannot say so in the lake either. */
static tain_status note_silence(tain_lake *lake, json_t *status, tain_error *err)
{
    tain_object o;
    char age[24];
    TAIN_TRY(tain_store_head(tain_lake_store(lake), STATUS_KEY, &o, err));
    tain_time silent = tain_now() - o.modified;
    if (silent < SILENCE) return TAIN_OK;
    const char *why = tain_lake_obstacle(lake);
    tain_human_duration(silent, age);
    TAIN_AUTO(tain_free) char *reason = tain_format("nothing could be written to the lake for %s%s%s", age, why ? ": " : "", why ? why : "");
    json_object_set_new(status, "lag_ms", json_integer(tain_json_get_int(status, "lag_ms", 0) + silent / TAIN_MILLISECOND));
    json_object_set_new(status, "reason", json_string(reason));
    json_object_set_new(status, "remedy", json_string(why ? "make room, or make it writable; the mirror goes on by itself" : "look at what the mirror says on its terminal or in its log"));
    return TAIN_OK;
}

/* What the writer said last; when it does not run any more, that is what changes. */
static tain_status read_status(const char *url, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_lake_close) tain_lake *lake = NULL;
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_TRY(tain_lake_open(url, false, &lake, err));
    tain_status st = tain_store_get(tain_lake_store(lake), STATUS_KEY, 0, -1, &text, err);
    if (st == TAIN_E_NOT_FOUND) {
        st = tain_fail(err, TAIN_E_NOT_FOUND, "%s is not a mirror: it has no " STATUS_KEY, url);
        tain_error_remedy(err, "name the folder that tain mirror was given as LAKE");
    }
    TAIN_TRY(st);
    TAIN_TRY(tain_json_parse(text.data, text.size, STATUS_KEY, ret, err));
    if (!tain_lake_is_locked(lake)) {
        json_object_set_new(*ret, "status", json_string("Stopped"));
        json_object_set_new(*ret, "lag_ms", json_null());
        json_object_del(*ret, "snapshot");
        json_object_del(*ret, "waiting");
        json_object_del(*ret, "process");
        json_object_set_new(*ret, "source", json_null());
        return TAIN_OK;
    }
    return note_silence(lake, *ret, err);
}

static void add_int(tain_grid *g, int64_t v)
{
    char text[24];
    tain_grid_add(g, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v));
}

static void add_health(tain_grid *g, const json_t *health)
{
    if (json_is_object(health)) add_int(g, tain_json_get_int(health, "score", 0));
    else tain_grid_add(g, "-", 1);
}

static void add_row(tain_grid *g, const json_t *t)
{
    const char *name = tain_json_get_str(t, "name", ""), *status = tain_json_get_str(t, "status", "");
    const char *completed = tain_json_get_str(t, "last_completed", "-");
    char latency[32] = "-";
    if (json_is_integer(json_object_get(t, "latency_ms"))) tain_human_duration(tain_json_get_int(t, "latency_ms", 0) * 1000, latency);
    tain_grid_add(g, name, strlen(name));
    tain_grid_add(g, status, strlen(status));
    add_int(g, tain_json_get_int(t, "rows_replicated", 0));
    tain_grid_add(g, latency, strlen(latency));
    tain_grid_add(g, completed, strlen(completed) > 19 ? 19 : strlen(completed));
    add_health(g, json_object_get(t, "health"));
}

static void print_note(const char *indent, const char *head, const char *text)
{
    char *line = tain_format("%s: %s", head, text);
    tain_cli_print_wrapped(stdout, indent, line);
    free(line);
}

static void print_reason(const json_t *t)
{
    const char *reason = tain_json_get_str(t, "reason", NULL), *remedy = tain_json_get_str(t, "remedy", NULL);
    if (reason) print_note("", tain_json_get_str(t, "name", ""), reason);
    if (remedy) print_note("  ", "remedy", remedy);
}

static void print_warnings(const json_t *t)
{
    const char *name = tain_json_get_str(t, "name", "");
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(t, "warnings"), i, w)
    {
        const char *column = tain_json_get_str(w, "column", NULL);
        const char *advice = tain_json_get_str(w, "remedy", "");
        char *place = column ? tain_format("%s.%s", name, column) : tain_strdup(name);
        char *what = tain_format("%s (%lld)", tain_json_get_str(w, "message", ""), (long long)tain_json_get_int(w, "count", 0));
        print_note("", place, what);
        if (*advice) print_note("  ", "remedy", advice);
        free(place);
        free(what);
    }
}

/* Why a table is slow to read, where it is. */
static void print_health(const json_t *t)
{
    const json_t *h = json_object_get(t, "health");
    char average[24];
    int64_t files = tain_json_get_int(h, "files", 0), tail = tain_json_get_int(h, "log_tail", 0);
    if (!json_is_object(h) || tain_json_get_int(h, "score", 100) >= POOR_HEALTH) return;
    tain_human_bytes((uint64_t)tain_json_get_int(h, "average_bytes", 0), average);
    char *why = tain_format("health %lld: %lld file%s of %s on average, %.0f %% of rows deleted, %lld commit%s since the last checkpoint",
                            (long long)tain_json_get_int(h, "score", 0), (long long)files, tain_plural(files), average,
                            100 * json_number_value(json_object_get(h, "deleted_share")), (long long)tail, tain_plural(tail));
    print_note("", tain_json_get_str(t, "name", ""), why);
    free(why);
}

static void print_head(const json_t *s)
{
    char lag[32] = "unknown";
    if (json_is_integer(json_object_get(s, "lag_ms"))) tain_human_duration(tain_json_get_int(s, "lag_ms", 0) * 1000, lag);
    printf("%s: %s, lag %s, epoch %lld, position %s\n", tain_json_get_str(s, "mirror", ""), tain_json_get_str(s, "status", ""), lag,
           (long long)tain_json_get_int(s, "epoch", 0), tain_json_get_str(s, "position", "-"));
    const char *reason = tain_json_get_str(s, "reason", NULL), *remedy = tain_json_get_str(s, "remedy", NULL);
    if (reason) tain_cli_print_wrapped(stdout, "  ", reason);
    if (remedy) print_note("  ", "remedy", remedy);
}

static void print_trouble(const char *head, const json_t *o)
{
    const char *reason = tain_json_get_str(o, "reason", NULL), *remedy = tain_json_get_str(o, "remedy", NULL);
    if (reason) print_note("", head, reason);
    if (reason && remedy) print_note("  ", "remedy", remedy);
}

static void print_snapshot(const json_t *o)
{
    char rows[24], all[24], bytes[24], rate[24], left[24];
    int64_t total = tain_json_get_int(o, "rows_total", -1), seconds = tain_json_get_int(o, "seconds_left", -1);
    if (!o) return;
    tain_human_count((uint64_t)tain_json_get_int(o, "rows", 0), rows);
    tain_human_count((uint64_t)(total < 0 ? 0 : total), all);
    tain_human_bytes((uint64_t)tain_json_get_int(o, "bytes", 0), bytes);
    tain_human_count((uint64_t)tain_json_get_int(o, "rows_per_second", 0), rate);
    tain_human_duration((seconds < 0 ? 0 : seconds) * 1000000, left);
    printf("loading: %s%s%s rows, %s, %s rows/s%s%s%s\n", rows, total < 0 ? "" : " of ", total < 0 ? "" : all, bytes, rate,
           seconds < 0 ? "" : ", ", seconds < 0 ? "" : left, seconds < 0 ? "" : " left");
}

/* "306 tables: 299 Replicating, 7 Stopped", in the order in which they come. */
static void print_counts(const json_t *tables)
{
    json_t *counts = json_object(), *t, *n;
    const char *status, *separator = ": ";
    size_t i;
    json_array_foreach(tables, i, t)
    {
        status = tain_json_get_str(t, "status", "");
        json_object_set_new(counts, status, json_integer(tain_json_get_int(counts, status, 0) + 1));
    }
    printf("%zu table%s", json_array_size(tables), tain_plural((int64_t)json_array_size(tables)));
    json_object_foreach(counts, status, n)
    {
        printf("%s%lld %s", separator, (long long)json_integer_value(n), status);
        separator = ", ";
    }
    putchar('\n');
    json_decref(counts);
}

/* What has to be done comes last, where a terminal stops. */
static void print_text(const json_t *s)
{
    static const char *const heads[] = {"table", "status", "rows", "latency", "last completed", "health"};
    tain_grid g = {.columns = 6, .align = "llrrlr"};
    const json_t *tables = json_object_get(s, "tables");
    size_t i;
    json_t *t;
    print_head(s);
    print_trouble("source", json_object_get(s, "source"));
    print_trouble("tables wait to be read", json_object_get(s, "waiting"));
    print_snapshot(json_object_get(s, "snapshot"));
    for (size_t c = 0; c < 6; c++) tain_grid_add(&g, heads[c], strlen(heads[c]));
    json_array_foreach(tables, i, t)
    {
        add_row(&g, t);
    }
    tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    json_array_foreach(tables, i, t)
    {
        print_health(t);
        print_warnings(t);
    }
    json_array_foreach(tables, i, t)
    {
        print_reason(t);
    }
    print_counts(tables);
}

static int run(int argc, char **argv)
{
    bool json = false;
    char **args;
    const tain_option options[] = {{"json", TAIN_OPTION_FLAG, &json, NULL, "for machines"}, {NULL}};
    int n, code = tain_cli_parse(&tain_command_status, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    json_t *status = NULL;
    tain_error e = {0};
    if (read_status(args[0], &status, &e) != TAIN_OK) return tain_cli_fail(&e);
    if (json) {
        json_dumpf(status, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else {
        print_text(status);
    }
    json_decref(status);
    free(args);
    return TAIN_EXIT_OK;
}

const tain_command tain_command_status = {
    .name = "status", .arguments = "LAKE", .summary = "per table: status, rows, latency, warnings", .least = 1, .most = 1, .run = run,
    .example = "  tain status ./lake\n  tain status ./lake --json\n",
};
