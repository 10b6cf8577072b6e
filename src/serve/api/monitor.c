/* SPDX-License-Identifier: MIT */
/* monitor.c -- what a mirror does, for people: all mirrors, one whole, its curves, its log */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "control/connection.h"
#include "control/user.h"
#include "control/workspace.h"
#include "serve/api/item.h"
#include "serve/api/report.h"

/* --- all of them ------------------------------------------------------------------------------------------------------- */

typedef struct totals {
    int64_t     rows;
    size_t      tables, failed;
    const char *completed; /* borrowed; times of one form are in order as text */
} totals;

static totals sum(const json_t *tables)
{
    totals        t = {.tables = json_array_size(tables)};
    const json_t *row;
    size_t        i;
    json_array_foreach(tables, i, row)
    {
        const char *completed = tain_json_get_str(row, "last_completed", NULL);
        t.rows += tain_json_get_int(row, "rows_replicated", 0);
        t.failed += strcmp(tain_json_get_str(row, "status", ""), "Failed") == 0;
        if (completed && (!t.completed || strcmp(completed, t.completed) > 0)) t.completed = completed;
    }
    return t;
}

static const char *source_type(const json_t *definition)
{
    return tain_json_get_str(json_object_get(json_object_get(definition, "properties"), "source"), "type", "");
}

static json_t *lag(const json_t *worker)
{
    return tain_call_or_null(json_incref(json_object_get(worker, "lag_ms")));
}

static json_t *summary(const tain_call *c, const tain_control_item *i, const char *workspace)
{
    tain_mirror_report r;
    tain_control_item  whole;
    tain_error         e = {0};
    json_t            *definition = NULL;
    if (tain_control_item_get(c->api->control, i->id, &whole, &e) != TAIN_OK) return NULL;
    if (tain_supervisor_report(c->api->supervisor, i->id, &r, &e) == TAIN_OK) definition = tain_item_definition(&whole);
    else r = (tain_mirror_report){.status = TAIN_MIRRORING_INITIALIZED};
    totals  t = sum(json_object_get(r.worker, "tables"));
    json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:s,s:o,s:I,s:i,s:i,s:i,s:o}", "id", i->id, "displayName", i->name, "workspaceId", i->workspace,
                            "workspaceName", workspace, "status", tain_mirroring_name(r.status), "error", tain_report_error(&r.error), "sourceType",
                            source_type(definition), "lag_ms", lag(r.worker), "rowsReplicated", (json_int_t)t.rows, "tables", (int)t.tables, "failed",
                            (int)t.failed, "warnings", (int)tain_report_warnings(r.worker), "lastCompletedDateTime", tain_call_str(t.completed));
    json_decref(definition);
    tain_mirror_report_done(&r);
    tain_control_item_done(&whole);
    return row;
}

static tain_status add_of(tain_call *c, const tain_control_workspace *w, json_t *rows, tain_error *err)
{
    tain_control_items items;
    TAIN_TRY(tain_control_item_list(c->api->control, w->id, (tain_control_page){.most = TAIN_CONTROL_ALL}, &items, err));
    for (size_t i = 0; i < items.count; i++) {
        json_t *row = summary(c, &items.rows[i], w->name);
        if (row) json_array_append_new(rows, row);
    }
    tain_control_items_done(&items);
    return TAIN_OK;
}

static tain_status mirrors(tain_call *c, tain_error *err)
{
    tain_control_workspaces all;
    tain_error              ignored;
    tain_status             st = TAIN_OK;
    json_t                 *rows = json_array();
    tain_call_list(c, "value", rows, NULL);
    TAIN_TRY(tain_control_workspace_list(c->api->control, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, err));
    for (size_t i = 0; st == TAIN_OK && i < all.count; i++)
        if (tain_auth_need(c->api->auth, &c->caller, all.rows[i].id, TAIN_CONTROL_VIEWER, &ignored) == TAIN_OK) st = add_of(c, &all.rows[i], rows, err);
    tain_control_workspaces_done(&all);
    return st;
}

/* --- one ----------------------------------------------------------------------------------------------------------------- */

static json_t *connection_of(const tain_call *c, const json_t *definition)
{
    tain_control_connection n;
    tain_error              ignored;
    const char             *id = tain_item_connection(definition);
    if (!id || tain_control_connection_get(c->api->control, id, &n, &ignored) != TAIN_OK) return json_null();
    json_t *out = json_pack("{s:s,s:s,s:s}", "id", n.id, "displayName", n.name, "url", n.url);
    tain_control_connection_done(&n);
    return out;
}

static json_t *owner_of(const tain_call *c, const tain_control_item *i)
{
    tain_control_user u;
    tain_error        ignored;
    if (!i->owner || tain_control_user_get(c->api->control, i->owner, &u, &ignored) != TAIN_OK) return json_null();
    json_t *out = json_pack("{s:s,s:s}", "id", u.id, "name", u.name);
    tain_control_user_done(&u);
    return out;
}

static json_t *source_of(const tain_call *c, const json_t *definition)
{
    const json_t *source = json_object_get(json_object_get(definition, "properties"), "source");
    return json_pack("{s:s,s:o,s:o}", "type", source_type(definition), "connection", connection_of(c, definition), "database",
                     tain_call_str(tain_json_get_str(json_object_get(source, "typeProperties"), "database", NULL)));
}

static json_t *named(const json_t *tables)
{
    json_t       *rows = json_array();
    const json_t *row;
    size_t        i;
    json_array_foreach(tables, i, row)
    {
        json_t   *copy = json_copy((json_t *)row);
        tain_name n = tain_name_of(tain_json_get_str(row, "name", ""));
        json_object_set_new(copy, "schema", json_string(n.schema));
        json_object_set_new(copy, "table", json_string(n.table));
        json_array_append_new(rows, copy);
        tain_name_done(&n);
    }
    return rows;
}

/* What the worker says under the same name. */
static void copy_told(json_t *out, const json_t *worker)
{
    static const char *const always[] = {"lag_ms", "epoch", "position"}, *const perhaps[] = {"snapshot", "waiting"};
    for (size_t i = 0; i < 3; i++) json_object_set_new(out, always[i], tain_call_or_null(json_incref(json_object_get(worker, always[i]))));
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(worker, perhaps[i])) json_object_set(out, perhaps[i], json_object_get(worker, perhaps[i]));
    json_object_set_new(out, "sourceLog", tain_call_or_null(json_incref(json_object_get(worker, "source"))));
    json_object_set_new(out, "tables", named(json_object_get(worker, "tables")));
}

static tain_status monitor(tain_call *c, tain_error *err)
{
    tain_control_item  i;
    tain_mirror_report r;
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_status st = tain_supervisor_report(c->api->supervisor, i.id, &r, err);
    if (st == TAIN_OK) {
        json_t *definition = tain_item_definition(&i);
        c->out = json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:s,s:i,s:o,s:i}", "id", i.id, "displayName", i.name, "workspaceId", i.workspace, "status",
                           tain_mirroring_name(r.status), "error", tain_report_error(&r.error), "owner", owner_of(c, &i), "source", source_of(c, definition),
                           "lake", i.lake, "pid", (int)r.pid, "startedDateTime", tain_call_time(r.started), "restarts", (int)r.restarts);
        copy_told(c->out, r.worker);
        json_decref(definition);
        tain_mirror_report_done(&r);
    }
    tain_control_item_done(&i);
    return st;
}

/* --- its curves ------------------------------------------------------------------------------------------------------------ */

static int number_of(const tain_call *c, const char *name, int otherwise, int most)
{
    const char *text = tain_http_query(c->request, name);
    long        n = text ? strtol(text, NULL, 10) : otherwise;
    return n < 1 ? 1 : n > most ? most : (int)n;
}

static json_t *known(int64_t v, int64_t unit)
{
    return v < 0 ? json_null() : json_integer(v / unit);
}

/* What was added a second since the sample before; a worker that began anew counts from 0. */
static json_t *speed(const tain_sample *s, int64_t now, int64_t before)
{
    double seconds = (double)(s[0].at - s[-1].at) / TAIN_SECOND;
    if (now < 0 || before < 0 || seconds <= 0) return json_null();
    return json_real((double)(now >= before ? now - before : now) / seconds);
}

static tain_status series(tain_call *c, tain_error *err)
{
    static const char *const names[] = {"times", "lagMs", "latencyMs", "rowsPerSecond", "bytesPerSecond", "retainedBytes"};
    tain_control_item i;
    tain_sample      *all;
    size_t            n;
    json_t           *out[6];
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    tain_time since = tain_now() - (tain_time)number_of(c, "minutes", 60, 120) * 60 * TAIN_SECOND;
    TAIN_TRY(tain_supervisor_samples(c->api->supervisor, c->argument[1], since, &all, &n, err));
    c->out = json_object();
    for (size_t k = 0; k < 6; k++) json_object_set_new(c->out, names[k], out[k] = json_array());
    for (size_t k = 0; k < n; k++) {
        const tain_sample *s = &all[k];
        json_array_append_new(out[0], json_integer(s->at / TAIN_SECOND));
        json_array_append_new(out[1], known(s->lag, TAIN_MILLISECOND));
        json_array_append_new(out[2], known(s->latency, TAIN_MILLISECOND));
        json_array_append_new(out[3], k ? speed(s, s->rows, s[-1].rows) : json_null());
        json_array_append_new(out[4], k ? speed(s, s->bytes, s[-1].bytes) : json_null());
        json_array_append_new(out[5], known(s->retained, 1));
    }
    tain_free(all);
    return TAIN_OK;
}

/* --- its log --------------------------------------------------------------------------------------------------------------- */

enum { LOG_BYTES = 1 << 20 };

/* The end of the file, beginning with a whole line. */
static tain_status read_end(const char *path, tain_buffer *out, tain_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? TAIN_OK : tain_fail_errno(err, "cannot open %s", path);
    off_t   size = lseek(fd, 0, SEEK_END), from = size > LOG_BYTES ? size - LOG_BYTES : 0;
    ssize_t n = pread(fd, tain_buffer_reserve(out, LOG_BYTES), LOG_BYTES, from);
    int     sys = errno;
    close(fd);
    errno = sys;
    if (n < 0) return tain_fail_errno(err, "cannot read %s", path);
    out->size = (size_t)n;
    return TAIN_OK;
}

static json_t *line(const char *begin, const char *end)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_utf8_repair(begin, (size_t)(end - begin), &text);
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(tain_buffer_cstr(&text));
    return json_string(shown);
}

static json_t *last_lines(tain_buffer *text, int most)
{
    json_t     *lines = json_array();
    const char *begin = tain_buffer_cstr(text), *from = begin + text->size;
    for (int n = 0; from > begin && n <= most; n++) {
        from--;
        while (from > begin && from[-1] != '\n') from--;
        if (n == most) break;
        json_array_insert_new(lines, 0, line(from, strchrnul(from, '\n')));
    }
    return lines;
}

static tain_status logs(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_TRY(tain_call_item(c, &i, err));
    TAIN_AUTO(tain_free) char *path = tain_supervisor_log_path(c->api->control, i.id);
    tain_control_item_done(&i);
    TAIN_TRY(read_end(path, &text, err));
    c->out = json_pack("{s:o}", "lines", last_lines(&text, number_of(c, "lines", 200, 5000)));
    return TAIN_OK;
}

#define M "/v1/workspaces/{}/mirroredDatabases/{}"

const tain_route tain_routes_monitor[] = {
    {"GET", "/v1/mirrors", TAIN_CONTROL_NOBODY, NULL, mirrors},
    {"GET", M "/monitor", TAIN_CONTROL_VIEWER, NULL, monitor},
    {"GET", M "/series", TAIN_CONTROL_VIEWER, NULL, series},
    {"GET", M "/logs", TAIN_CONTROL_VIEWER, NULL, logs},
    {0},
};
