/* SPDX-License-Identifier: MIT */
/* query.c -- SQL over the tables of a mirror, in a process of its own */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "serve/api/call.h"
#include "serve/api/run.h"

enum { ROWS = 1000 };

/* Byte for byte what the process wrote, since JSON in memory has no number but double and 64 bits; the time it took is added at the end. */
static tain_status answer(tain_call *c, tain_buffer *told, tain_time took, tain_error *err)
{
    const char *text = tain_buffer_cstr(told), *end = strrchr(text, '}');
    if (!end || strcmp(end, "}\n") != 0) return tain_fail(err, TAIN_E_INTERNAL, "the answer of the query is cut off");
    tain_buffer_append(&c->reply->body, text, (size_t)(end - text));
    tain_buffer_printf(&c->reply->body, ",\n\"milliseconds\":%lld}\n", (long long)(took / TAIN_MILLISECOND));
    c->reply->type = TAIN_CALL_JSON;
    return TAIN_OK;
}

typedef struct question {
    const char *lake, *sql, *spill; /* spill: a folder for what does not fit into memory */
    int64_t     limit;
} question;

static tain_status run(tain_call *c, const question *q, tain_error *err)
{
    char rows[24];
    int  code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, errors = {0};
    TAIN_AUTO(tain_free) char *spill = tain_format("TMPDIR=%s", q->spill);
    snprintf(rows, sizeof rows, "%lld", (long long)q->limit);
    const char *argv[] = {"query", "--format", "rows", "--limit", rows, "--confined", "--", q->lake, q->sql, NULL};
    const char *environment[] = {spill, NULL};
    tain_run    r = {.argv = argv, .environment = environment, .patience = 60 * TAIN_SECOND, .most = 64 << 20,
                     .request = c->request};
    tain_time   begin = tain_monotonic();
    tain_status st = tain_run_command(&r, &out, &errors, &code, err);
    if (st == TAIN_E_CANCELLED || code) c->code = "QueryFailed";
    TAIN_TRY(st);
    return code ? tain_run_failure(&errors, TAIN_E_INVALID, err) : answer(c, &out, tain_monotonic() - begin, err);
}

/* A query that is killed leaves what it spilled: its folder is ours. */
static tain_status run_spilling(tain_call *c, question *q, tain_error *err)
{
    TAIN_AUTO(tain_free) char *spill = tain_format("%s/tain-query-XXXXXX", tain_temp_folder());
    if (!mkdtemp(spill)) return tain_fail_errno(err, "cannot make a folder in %s", tain_temp_folder());
    q->spill = spill;
    tain_status st = run(c, q, err);
    (void)tain_remove_folder(spill);
    return st;
}

static tain_status query(tain_call *c, tain_error *err)
{
    tain_control_item i;
    const char       *sql;
    TAIN_TRY(tain_call_text(c, "sql", true, &sql, err));
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_status st = run_spilling(c, &(question){.lake = i.lake, .sql = sql, .limit = tain_call_number(c, "limit", ROWS)}, err);
    tain_control_item_done(&i);
    return st;
}

const tain_route tain_routes_query[] = {
    {"POST", "/v1/workspaces/{}/mirroredDatabases/{}/query", TAIN_CONTROL_VIEWER, "mirror.query", query},
    {0},
};
