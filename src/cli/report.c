/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

enum { POOR_HEALTH = 50, TO_THE_SECOND = 19 };

void tain_report_json(const json_t *j)
{
    json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
}

/* --- cells --------------------------------------------------------------------------------------------------------- */

void tain_report_add(tain_grid *g, const char *text)
{
    tain_grid_add(g, text, strlen(text));
}

void tain_report_add_time(tain_grid *g, const char *iso)
{
    size_t n = strlen(iso);
    tain_grid_add(g, iso, n > TO_THE_SECOND ? TO_THE_SECOND : n);
}

void tain_report_add_duration(tain_grid *g, const json_t *ms)
{
    char text[24] = "-";
    if (json_is_integer(ms)) tain_human_duration(json_integer_value(ms) * TAIN_MILLISECOND, text);
    tain_report_add(g, text);
}

void tain_report_add_int(tain_grid *g, int64_t v)
{
    char text[24];
    tain_grid_add(g, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v));
}

static void add_health(tain_grid *g, const json_t *health)
{
    if (json_is_object(health)) tain_report_add_int(g, tain_json_get_int(health, "score", 0));
    else tain_report_add(g, "-");
}

static void add_row(tain_grid *g, const json_t *t)
{
    tain_report_add(g, tain_json_get_str(t, "name", ""));
    tain_report_add(g, tain_json_get_str(t, "status", ""));
    tain_report_add_int(g, tain_json_get_int(t, "rows_replicated", 0));
    tain_report_add_duration(g, json_object_get(t, "latency_ms"));
    tain_report_add_time(g, tain_json_get_str(t, "last_completed", "-"));
    add_health(g, json_object_get(t, "health"));
}

/* --- a mirror -------------------------------------------------------------------------------------------------------- */

void tain_report_note(const char *indent, const char *head, const char *text)
{
    char *line = tain_format("%s: %s", head, text);
    tain_cli_print_wrapped(stdout, indent, line);
    free(line);
}

static void print_reason(const json_t *t)
{
    const char *reason = tain_json_get_str(t, "reason", NULL), *remedy = tain_json_get_str(t, "remedy", NULL);
    if (reason) tain_report_note("", tain_json_get_str(t, "name", ""), reason);
    if (remedy) tain_report_note("  ", "remedy", remedy);
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
        tain_report_note("", place, what);
        if (*advice) tain_report_note("  ", "remedy", advice);
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
    tain_report_note("", tain_json_get_str(t, "name", ""), why);
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
    if (remedy) tain_report_note("  ", "remedy", remedy);
}

static void print_trouble(const char *head, const json_t *o)
{
    const char *reason = tain_json_get_str(o, "reason", NULL), *remedy = tain_json_get_str(o, "remedy", NULL);
    if (reason) tain_report_note("", head, reason);
    if (reason && remedy) tain_report_note("  ", "remedy", remedy);
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

/* In the order in which they come. */
void tain_report_counts(const json_t *rows, const char *what)
{
    json_t *counts = json_object(), *t, *n;
    const char *status, *separator = ": ";
    size_t i;
    json_array_foreach(rows, i, t)
    {
        status = tain_json_get_str(t, "status", "");
        json_object_set_new(counts, status, json_integer(tain_json_get_int(counts, status, 0) + 1));
    }
    printf("%zu %s%s", json_array_size(rows), what, tain_plural((int64_t)json_array_size(rows)));
    json_object_foreach(counts, status, n)
    {
        printf("%s%lld %s", separator, (long long)json_integer_value(n), status);
        separator = ", ";
    }
    putchar('\n');
    json_decref(counts);
}

/* What has to be done comes last, where a terminal stops. */
void tain_report_print(const json_t *s)
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
    for (size_t c = 0; c < 6; c++) tain_report_add(&g, heads[c]);
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
    tain_report_counts(tables, "table");
}
