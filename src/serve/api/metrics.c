/* SPDX-License-Identifier: MIT */
#include "serve/api/metrics.h"

#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "control/item.h"
#include "serve/api/report.h"

/* --- one line of text ------------------------------------------------------------------------------------------------------ */

static void label(tain_buffer *out, const char *name, const char *value)
{
    tain_buffer_printf(out, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\') tain_buffer_append_u8(out, '\\');
        if (*p == '\n') tain_buffer_append_str(out, "\\n");
        else tain_buffer_append_u8(out, (uint8_t)*p);
    }
    tain_buffer_append_u8(out, '"');
}

/* One mirror, with its numbers as they were when asked. */
typedef struct subject {
    tain_control_item *item;
    tain_mirror_report report;
} subject;

/* more: another label, or NULL. */
static void labelled(tain_buffer *out, const char *name, const subject *s, const char *more, const char *of_more, double value)
{
    tain_buffer_printf(out, "%s{", name);
    label(out, "mirror", s->item->name);
    tain_buffer_append_u8(out, ',');
    label(out, "mirror_id", s->item->id);
    if (of_more) {
        tain_buffer_append_u8(out, ',');
        label(out, more, of_more);
    }
    tain_buffer_printf(out, "} %.17g\n", value);
}

static void line(tain_buffer *out, const char *name, const subject *s, const char *table, double value)
{
    labelled(out, name, s, "table", table, value);
}

/* --- numbers of mirrors ------------------------------------------------------------------------------------------------------ */

/* False: it is not known. */
typedef bool (*of_mirror)(const subject *s, double *ret);

static bool up(const subject *s, double *ret)
{
    *ret = s->report.status == TAIN_MIRRORING_RUNNING;
    return true;
}

static bool restarts(const subject *s, double *ret)
{
    *ret = s->report.restarts;
    return true;
}

static bool failed(const subject *s, double *ret)
{
    *ret = s->report.error.code != TAIN_OK;
    return true;
}

static bool warnings(const subject *s, double *ret)
{
    *ret = (double)tain_report_warnings(s->report.worker);
    return true;
}

static bool lag(const subject *s, double *ret)
{
    const json_t *v = json_object_get(s->report.worker, "lag_ms");
    *ret = (double)json_integer_value(v) / 1000;
    return json_is_integer(v) && s->report.status == TAIN_MIRRORING_RUNNING; /* else it is of a time that is over */
}

static bool retained(const subject *s, double *ret)
{
    const json_t *v = json_object_get(json_object_get(s->report.worker, "source"), "retained_bytes");
    *ret = (double)json_integer_value(v);
    return json_is_integer(v);
}

static bool memory(const subject *s, double *ret)
{
    char path[64];
    long ignored, pages = 0;
    if (!s->report.pid) return false;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)s->report.pid);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    int n = fscanf(f, "%ld %ld", &ignored, &pages);
    fclose(f);
    *ret = (double)pages * (double)sysconf(_SC_PAGESIZE);
    return n == 2;
}

typedef struct metric {
    const char *name, *type, *help;
    of_mirror   value;
} metric;

static const metric of_mirrors[] = {
    {"tain_mirror_running", "gauge", "1 while the mirror replicates", up},
    {"tain_mirror_failed", "gauge", "1 while the mirror has an error", failed},
    {"tain_mirror_warnings", "gauge", "Warnings of tables, tables that are left out, a source that keeps too much of its log", warnings},
    {"tain_mirror_restarts_total", "counter", "Times the worker was started again", restarts},
    {"tain_mirror_lag_seconds", "gauge", "How far the lake is behind the source", lag},
    {"tain_source_retained_log_bytes", "gauge", "What the source keeps of its log for the mirror", retained},
    {"tain_worker_resident_memory_bytes", "gauge", "Memory of the worker, mapped files included", memory},
};

/* --- numbers of tables ------------------------------------------------------------------------------------------------------- */

typedef struct table_metric {
    const char *name, *type, *help, *member, *inner; /* member of the table's status; inner: of that */
    double      unit;
} table_metric;

static const table_metric of_tables[] = {
    {"tain_table_rows", "gauge", "Rows of the table in the lake", "rows_replicated", NULL, 1},
    {"tain_table_processed_rows_total", "counter", "Inserts, updates and deletes applied by the worker since it began", "rows_processed", NULL, 1},
    {"tain_table_processed_bytes_total", "counter", "Bytes of these", "bytes_processed", NULL, 1},
    {"tain_table_latency_seconds", "gauge", "From source commit to lake commit of the last change", "latency_ms", NULL, 1000},
    {"tain_table_files", "gauge", "Live data files", "health", "files", 1},
    {"tain_table_deleted_rows_ratio", "gauge", "Rows of live files that are deleted", "health", "deleted_share", 1},
    {"tain_table_log_tail_commits", "gauge", "Commits since the last checkpoint", "health", "log_tail", 1},
};

static void table_lines(tain_buffer *out, const table_metric *m, const subject *s)
{
    const json_t *all = json_object_get(s->report.worker, "tables"), *row;
    size_t        i;
    json_array_foreach(all, i, row)
    {
        const json_t *v = json_object_get(row, m->member);
        if (m->inner) v = json_object_get(v, m->inner);
        if (json_is_number(v)) line(out, m->name, s, tain_json_get_str(row, "name", ""), json_number_value(v) / m->unit);
    }
}

static void failed_tables(tain_buffer *out, const subject *s)
{
    const json_t *all = json_object_get(s->report.worker, "tables"), *row;
    size_t        i, n = 0;
    json_array_foreach(all, i, row)
    {
        n += strcmp(tain_json_get_str(row, "status", ""), "Failed") == 0;
    }
    line(out, "tain_mirror_failed_tables", s, NULL, (double)n);
}

/* --- freshness ---------------------------------------------------------------------------------------------------------------- */

#define FRESHNESS "tain_freshness_seconds"

/* Each bucket has those of the ones before it, too. */
static void freshness(tain_buffer *out, const subject *s)
{
    const tain_freshness *f = &s->report.freshness;
    uint64_t              n = 0;
    char                  bound[24];
    for (size_t i = 0; i <= TAIN_FRESHNESS_BOUNDS; i++) {
        n += f->counts[i];
        if (i < TAIN_FRESHNESS_BOUNDS) snprintf(bound, sizeof bound, "%g", tain_freshness_bounds[i]);
        labelled(out, FRESHNESS "_bucket", s, "le", i < TAIN_FRESHNESS_BOUNDS ? bound : "+Inf", (double)n);
    }
    line(out, FRESHNESS "_sum", s, NULL, f->sum);
    line(out, FRESHNESS "_count", s, NULL, (double)n);
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

static void head(tain_buffer *out, const char *name, const char *type, const char *help)
{
    tain_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_all(tain_buffer *out, const subject *all, size_t n)
{
    double value;
    for (size_t m = 0; m < sizeof of_mirrors / sizeof *of_mirrors; m++) {
        head(out, of_mirrors[m].name, of_mirrors[m].type, of_mirrors[m].help);
        for (size_t i = 0; i < n; i++)
            if (of_mirrors[m].value(&all[i], &value)) line(out, of_mirrors[m].name, &all[i], NULL, value);
    }
    head(out, "tain_mirror_failed_tables", "gauge", "Tables that are Failed");
    for (size_t i = 0; i < n; i++) failed_tables(out, &all[i]);
    for (size_t m = 0; m < sizeof of_tables / sizeof *of_tables; m++) {
        head(out, of_tables[m].name, of_tables[m].type, of_tables[m].help);
        for (size_t i = 0; i < n; i++) table_lines(out, &of_tables[m], &all[i]);
    }
    head(out, FRESHNESS, "histogram", "From source commit to lake commit, of the newest change of each table, looked at once a second");
    for (size_t i = 0; i < n; i++) freshness(out, &all[i]);
    head(out, "tain_build_info", "gauge", "1, labelled by version");
    tain_buffer_append_str(out, "tain_build_info{version=\"" TAIN_VERSION "\"} 1\n");
}

tain_status tain_metrics_write(const tain_api *a, tain_buffer *out, tain_error *err)
{
    tain_control_items items;
    tain_error         ignored;
    TAIN_TRY(tain_control_item_list(a->control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &items, err));
    subject *all = tain_alloc((items.count + 1) * sizeof *all);
    size_t   n = 0;
    for (size_t i = 0; i < items.count; i++) {
        all[n].item = &items.rows[i];
        n += tain_supervisor_report(a->supervisor, items.rows[i].id, &all[n].report, &ignored) == TAIN_OK;
    }
    write_all(out, all, n);
    for (size_t i = 0; i < n; i++) tain_mirror_report_done(&all[i].report);
    tain_free(all);
    tain_control_items_done(&items);
    return TAIN_OK;
}
