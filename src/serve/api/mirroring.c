/* SPDX-License-Identifier: MIT */
/* mirroring.c -- start, stop, pause, resume and the two statuses of Fabric */
#include <stdlib.h>

#include "base/json.h"
#include "serve/api/call.h"
#include "serve/api/report.h"

/* --- what is wanted ------------------------------------------------------------------------------------------------------ */

static tain_status want(tain_call *c, tain_control_state state, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    TAIN_TRY(tain_control_item_want(c->api->control, c->argument[1], state, err));
    tain_supervisor_look(c->api->supervisor, c->argument[1]);
    return TAIN_OK;
}

static tain_status start(tain_call *c, tain_error *err) { return want(c, TAIN_CONTROL_RUNNING, err); }
static tain_status stop(tain_call *c, tain_error *err) { return want(c, TAIN_CONTROL_STOPPED, err); }
static tain_status pause_mirror(tain_call *c, tain_error *err) { return want(c, TAIN_CONTROL_PAUSED, err); }

/* --- what is ------------------------------------------------------------------------------------------------------------- */

static tain_status status(tain_call *c, tain_error *err)
{
    tain_mirror_report r;
    TAIN_TRY(tain_report_read(c, &r, err));
    c->out = json_pack("{s:s}", "status", tain_mirroring_name(r.status));
    if (r.error.code) json_object_set_new(c->out, "error", tain_report_error(&r.error));
    tain_mirror_report_done(&r);
    return TAIN_OK;
}

/* ".789Z" and ".789012Z" alike are fine with clients; what the worker says stays as it is. */
static json_t *metrics(const json_t *row)
{
    const json_t *latency = json_object_get(row, "latency_ms");
    json_t       *m = json_pack("{s:I,s:I,s:o}", "processedBytes", (json_int_t)tain_json_get_int(row, "bytes_processed", 0), "processedRows",
                                (json_int_t)tain_json_get_int(row, "rows_processed", 0), "lastSyncDateTime",
                                tain_call_str(tain_json_get_str(row, "last_completed", NULL)));
    if (json_is_integer(latency)) json_object_set_new(m, "lastSyncLatencyInSeconds", json_integer((json_integer_value(latency) + 999) / 1000));
    return m;
}

static json_t *table(const json_t *row)
{
    tain_name   n = tain_name_of(tain_json_get_str(row, "name", ""));
    const char *reason = tain_json_get_str(row, "reason", NULL);
    json_t     *t = json_pack("{s:s,s:s,s:s,s:s,s:o}", "sourceObjectType", "Table", "sourceSchemaName", n.schema, "sourceTableName", n.table, "status",
                              tain_json_get_str(row, "status", "Initialized"), "metrics", metrics(row));
    if (reason) json_object_set_new(t, "error", json_pack("{s:s,s:s}", "errorCode", "TableError", "message", reason));
    tain_name_done(&n);
    return t;
}

enum { PAGE = 1000 };

/* Pages are cut by number: tables of a status are in a steady order. */
static tain_status tables(tain_call *c, tain_error *err)
{
    tain_mirror_report r;
    const char        *token = tain_http_query(c->request, "continuationToken");
    char              *end = NULL, next[24];
    size_t             from = token && *token ? strtoul(token, &end, 10) : 0;
    if (end && *end) return tain_fail(err, TAIN_E_INVALID, "continuationToken \"%s\" is none of ours", token);
    TAIN_TRY(tain_report_read(c, &r, err));
    const json_t *all = json_object_get(r.worker, "tables");
    json_t       *rows = json_array();
    size_t        count = json_array_size(all), to = count - (from < count ? from : count) > PAGE ? from + PAGE : count;
    for (size_t i = from; i < to; i++) json_array_append_new(rows, table(json_array_get(all, i)));
    snprintf(next, sizeof next, "%zu", to);
    tain_call_list(c, "data", rows, to < count ? next : NULL);
    tain_mirror_report_done(&r);
    return TAIN_OK;
}

#define M "/v1/workspaces/{}/mirroredDatabases/{}"

const tain_route tain_routes_mirroring[] = {
    {"POST", M "/startMirroring", TAIN_CONTROL_CONTRIBUTOR, "mirror.start", start},
    {"POST", M "/stopMirroring", TAIN_CONTROL_CONTRIBUTOR, "mirror.stop", stop},
    {"POST", M "/pauseMirroring", TAIN_CONTROL_CONTRIBUTOR, "mirror.pause", pause_mirror},
    {"POST", M "/resumeMirroring", TAIN_CONTROL_CONTRIBUTOR, "mirror.resume", start},
    {"POST", M "/getMirroringStatus", TAIN_CONTROL_VIEWER, NULL, status},
    {"POST", M "/getTablesMirroringStatus", TAIN_CONTROL_VIEWER, NULL, tables},
    {0},
};
