/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "lake/lake.h"

#define STATUS_KEY "_tain/status.json"
#define SILENCE    (10 * TAIN_SECOND) /* a running mirror writes twice as often at least */

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
    if (json) tain_report_json(status);
    else tain_report_print(status);
    json_decref(status);
    free(args);
    return TAIN_EXIT_OK;
}

const tain_command tain_command_status = {
    .name = "status", .arguments = "LAKE", .summary = "per table: status, rows, latency, warnings", .least = 1, .most = 1, .run = run,
    .example = "  tain status ./lake\n  tain status ./lake --json\n",
};
