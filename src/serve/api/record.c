/* SPDX-License-Identifier: MIT */
/* record.c -- what was done: executions and the audit log */
#include "base/json.h"
#include "control/audit.h"
#include "control/execution.h"
#include "serve/api/call.h"
#include "serve/api/moment.h"

enum { ROWS = 100 };

static tain_status page_of(const tain_call *c, tain_control_page *ret, tain_error *err)
{
    TAIN_TRY(tain_call_page(c, ret, err));
    if (!tain_http_query(c->request, "maxResults")) ret->most = ROWS;
    return TAIN_OK;
}

static tain_status moment(const tain_call *c, const char *name, tain_time *ret, tain_error *err)
{
    const char *text = tain_http_query(c->request, name);
    *ret = 0;
    if (text && *text && !tain_moment_read(text, ret)) return tain_fail(err, TAIN_E_INVALID, "%s is no time like 2026-01-31T12:34:56Z", name);
    return TAIN_OK;
}

/* --- executions ------------------------------------------------------------------------------------------------------------ */

static json_t *count(int64_t n)
{
    return n < 0 ? json_null() : json_integer(n);
}

static json_t *execution_to_json(const tain_control_execution *e)
{
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s}", "id", (json_int_t)e->id, "timestamp", tain_call_time(e->time),
                     "operationName", tain_call_str(e->operation), "itemId", tain_call_str(e->item), "itemName", tain_call_str(e->item_name), "workspaceId",
                     tain_call_str(e->workspace), "workspaceName", tain_call_str(e->workspace_name), "operationStartTime", tain_call_time(e->start),
                     "operationEndTime", tain_call_time(e->end), "mirroringSourceType", tain_call_str(e->source_type), "sourceSchemaName",
                     tain_call_str(e->schema), "sourceTableName", tain_call_str(e->table), "processedRows", count(e->rows), "processedBytes",
                     count(e->bytes), "replicatorBatchLatency", count(e->latency), "errorType", tain_call_str(e->error_type), "errorMessage",
                     tain_call_str(e->error), "itemKind", "MirroredDatabase");
}

/* Who has a role in some workspaces sees what was done in these. */
static tain_status executions_of(tain_call *c, const char *item, tain_error *err)
{
    tain_control_page             page;
    tain_control_executions       all;
    tain_control_execution_filter filter = {.item = item, .schema = tain_http_query(c->request, "schema"), .table = tain_http_query(c->request, "table"),
                                            .operation = tain_http_query(c->request, "operation")};
    tain_error ignored;
    bool       everywhere = tain_auth_need(c->api->auth, &c->caller, NULL, TAIN_CONTROL_VIEWER, &ignored) == TAIN_OK;
    if (!everywhere) filter.user = c->caller.user;
    TAIN_TRY(page_of(c, &page, err));
    TAIN_TRY(moment(c, "from", &filter.from, err));
    TAIN_TRY(moment(c, "until", &filter.until, err));
    TAIN_TRY(tain_control_execution_list(c->api->control, &filter, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) json_array_append_new(rows, execution_to_json(&all.rows[i]));
    tain_call_list(c, "value", rows, all.next);
    tain_control_executions_done(&all);
    return TAIN_OK;
}

static tain_status executions(tain_call *c, tain_error *err)
{
    return executions_of(c, tain_http_query(c->request, "item"), err);
}

static tain_status executions_of_item(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    return executions_of(c, c->argument[1], err);
}

/* --- audit log -------------------------------------------------------------------------------------------------------------- */

static json_t *entry_to_json(const tain_control_entry *e)
{
    static const char *const outcomes[] = {"done", "denied", "failed"};
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o}", "time", tain_call_time(e->time), "userId", tain_call_str(e->user), "userName",
                     tain_call_str(e->user_name), "action", tain_call_str(e->action), "object", tain_call_str(e->object), "origin", tain_call_str(e->origin),
                     "outcome", outcomes[e->outcome], "detail", tain_call_str(e->detail));
}

static tain_status audit(tain_call *c, tain_error *err)
{
    tain_control_page         page;
    tain_control_entries      all;
    tain_control_audit_filter filter = {.user = tain_http_query(c->request, "user"), .action = tain_http_query(c->request, "action"),
                                        .object = tain_http_query(c->request, "object")};
    TAIN_TRY(page_of(c, &page, err));
    TAIN_TRY(moment(c, "from", &filter.from, err));
    TAIN_TRY(moment(c, "until", &filter.until, err));
    TAIN_TRY(tain_control_audit_list(c->api->control, &filter, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) json_array_append_new(rows, entry_to_json(&all.rows[i]));
    tain_call_list(c, "value", rows, all.next);
    tain_control_entries_done(&all);
    return TAIN_OK;
}

const tain_route tain_routes_record[] = {
    {"GET", "/v1/executions", TAIN_CONTROL_NOBODY, NULL, executions},
    {"GET", "/v1/workspaces/{}/mirroredDatabases/{}/executions", TAIN_CONTROL_VIEWER, NULL, executions_of_item},
    {"GET", "/v1/audit", TAIN_CONTROL_ADMIN, NULL, audit},
    {0},
};
