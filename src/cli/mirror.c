/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "mirror/status.h"
#include "mirror/worker.h"

typedef struct settings {
    bool        once, json, quiet, remove, yes, repair;
    tain_reload resync;
    char      **tables, **exclude, **pause;
    int64_t     freshness, memory;
    int         jobs;
    const char *records, *name, *capture, *on_drop, *rate, *retained, *snapshot_from, *partitions, *profile, *retention, *history_retention, *policies_text;
    json_t     *policies;
    tain_switch cdf, history;
    int64_t     rate_rows, rate_bytes;
} settings;

static void on_signal(int sig)
{
    int before = errno; /* whom it interrupts may be about to read it */
    tain_worker_stop();
    errno = before;
}

static void say(const char *line)
{
    tain_progress_say(line);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void report(tain_mirror *m, void *ctx)
{
    tain_progress_draw(m);
}

static tain_status run_remove(tain_definition *d, tain_error *err)
{
    tain_store *lake = NULL;
    tain_source *source = NULL;
    tain_status st = tain_store_open(d->lake_url, false, &lake, err);
    if (st == TAIN_OK) {
        st = tain_definition_load(d, lake, err);
        tain_store_close(lake);
    }
    if (st == TAIN_E_NOT_FOUND && !d->name) d->name = tain_definition_make_name(d->lake_url);
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) return st;
    TAIN_AUTO(tain_free) char *cache = tain_lake_cache_path(d->lake_url);
    tain_source_options so = tain_definition_source_options(d, cache);
    TAIN_TRY(tain_source_open(&so, &source, err));
    st = source->ops->remove(source, say, err);
    tain_source_close(source);
    return st;
}

static int finish(tain_status st, const tain_error *e, const settings *s)
{
    if (st != TAIN_OK) return tain_cli_fail(e);
    size_t failed = tain_worker_failed_tables();
    if (failed && s->once) {
        fprintf(stderr, "tain: %zu table%s failed; tain status tells why\n", failed, failed == 1 ? "" : "s");
        return TAIN_EXIT_FAILURE;
    }
    return TAIN_EXIT_OK;
}

static bool is_no_duration(const char *text, tain_error *err)
{
    int64_t ignored;
    return text && *text && tain_parse_duration(text, &ignored, err) != TAIN_OK;
}

static tain_status read_policies(settings *s, tain_error *err)
{
    if (!s->policies_text) return TAIN_OK;
    TAIN_TRY(tain_json_parse(s->policies_text, strlen(s->policies_text), "their text", &s->policies, err));
    return tain_definition_check_policies(s->policies, err);
}

static int check_settings(settings *s)
{
    tain_error e = {0};
    if (read_policies(s, &e) != TAIN_OK) return tain_cli_usage(&tain_command_mirror, "--policies: %s", e.message);
    if (s->rate && tain_pace_parse(s->rate, &s->rate_rows, &s->rate_bytes, &e) != TAIN_OK)
        return tain_cli_usage(&tain_command_mirror, "--rate-limit: %s; %s", e.message, e.remedy);
    tain_retained_limits limits;
    if (s->retained && tain_retained_parse(s->retained, &limits, &e) != TAIN_OK)
        return tain_cli_usage(&tain_command_mirror, "--retained-log: %s; %s", e.message, e.remedy);
    if (is_no_duration(s->retention, &e)) return tain_cli_usage(&tain_command_mirror, "--retention: %s; %s", e.message, e.remedy);
    if (is_no_duration(s->history_retention, &e)) return tain_cli_usage(&tain_command_mirror, "--history-retention: %s; %s", e.message, e.remedy);
    if (s->memory < 32 << 20) return tain_cli_usage(&tain_command_mirror, "--memory must be at least 32MiB");
    if (s->freshness < 0) return tain_cli_usage(&tain_command_mirror, "--freshness cannot be negative");
    return -1;
}

static tain_switch switch_of(const char *given, const char *on)
{
    return (tain_switch){.given = given, .on = given && strcmp(given, on) == 0};
}

static int run(int argc, char **argv)
{
    settings s = {.freshness = TAIN_DEFAULT_FRESHNESS, .memory = TAIN_DEFAULT_MEMORY, .jobs = TAIN_DEFAULT_JOBS};
    const tain_option options[] = {
        {"once", TAIN_OPTION_FLAG, &s.once, NULL, "catch up to the source's present position, then exit"},
        {"tables", TAIN_OPTION_LIST, &s.tables, "GLOBS", "only these: schema.table, comma-separated"},
        {"exclude", TAIN_OPTION_LIST, &s.exclude, "GLOBS", "not these"},
        {"freshness", TAIN_OPTION_DURATION, &s.freshness, "TIME", "longest wait of a committed change (500ms)"},
        {"jobs", TAIN_OPTION_INT, &s.jobs, "N", "connections that load tables at once (1)"},
        {"memory", TAIN_OPTION_SIZE, &s.memory, "SIZE", "memory budget (256MiB)"},
        {"rate-limit", TAIN_OPTION_TEXT, &s.rate, "RATE", "loads read at most so much a second: 50MiB, 20000rows"},
        {"retained-log", TAIN_OPTION_TEXT, &s.retained, "LIMITS", "log the source keeps: warn=10GiB,pause=..,give-up=.."},
        {"snapshot-from", TAIN_OPTION_TEXT, &s.snapshot_from, "URL", "loads are read from this standby of the source"},
        {"resync", TAIN_OPTION_RELOAD, &s.resync, "[TABLES]", "load everything again, or these tables"},
        {"pause", TAIN_OPTION_NAMES, &s.pause, "TABLES", "these stay as they are while they are named here"},
        {"repair", TAIN_OPTION_FLAG, &s.repair, NULL, "compare all tables and write what differs"},
        {"capture", TAIN_OPTION_CHOICE, &s.capture, "log|poll", "SQLite: by triggers, or writing nothing into it"},
        {"partitions", TAIN_OPTION_CHOICE, &s.partitions, "root|leaf", "a partitioned table is one, or one a partition"},
        {"cdf", TAIN_OPTION_SWITCH, &s.cdf, NULL, "tables have a change data feed"},
        {"history", TAIN_OPTION_SWITCH, &s.history, NULL, "beside each table all versions of its rows"},
        {"history-retention", TAIN_OPTION_TEXT, &s.history_retention, "TIME", "how long every version stays (for ever)"},
        {"profile", TAIN_OPTION_CHOICE, &s.profile, "default|compat", "compat: for readers without deletion vectors"},
        {"retention", TAIN_OPTION_TEXT, &s.retention, "TIME", "how long files that were replaced stay (1d)"},
        {"policies", TAIN_OPTION_TEXT, &s.policies_text, "JSON", "what becomes of values that Delta has no place for"},
        {"on-drop", TAIN_OPTION_CHOICE, &s.on_drop, "keep|delete", "what becomes of tables dropped in the source"},
        {"name", TAIN_OPTION_TEXT, &s.name, "NAME", "name of slot and publication: tain_NAME"},
        {"remove", TAIN_OPTION_FLAG, &s.remove, NULL, "remove what tain made in the source, then exit"},
        {"records", TAIN_OPTION_TEXT, &s.records, "FILE", "add what is done to each table to it, as JSON lines"},
        {"json", TAIN_OPTION_FLAG, &s.json, NULL, "no progress display; errors and notes only"},
        {NULL},
    };
    char **args;
    int n, code = tain_cli_parse(&tain_command_mirror, options, argc, argv, &args, &n);
    if (code < 0) code = check_settings(&s);
    if (code >= 0) return code;
    tain_definition d = {
        .source_url = tain_strdup(args[0]), .lake_url = tain_strdup(args[1]), .name = tain_strdup(s.name), .tables = s.tables,
        .exclude = s.exclude, .paused = s.pause, .freshness = s.freshness, .jobs = s.jobs, .memory = s.memory, .rate_rows = s.rate_rows, .rate_bytes = s.rate_bytes,
        .poll = switch_of(s.capture, "poll"), .leaves = switch_of(s.partitions, "leaf"), .compat = switch_of(s.profile, "compat"),
        .cdf = s.cdf, .history = s.history, .retention = tain_strdup(s.retention),
        .history_retention = tain_strdup(s.history_retention), .drop_removes = s.on_drop && strcmp(s.on_drop, "delete") == 0,
        .retained_log = tain_strdup(s.retained), .snapshot_from = tain_strdup(s.snapshot_from),
        .policies = s.policies,
    };
    tain_error e = {0};
    tain_status st;
    if (s.remove) {
        st = run_remove(&d, &e);
    } else {
        catch_signals();
        tain_worker_options o = {.once = s.once, .resync_all = s.resync.all, .resync = (const char **)s.resync.tables, .repair = s.repair,
                                 .records = s.records, .say = say, .progress = s.json ? NULL : report};
        st = tain_worker_run(&d, &o, &e);
        if (!s.json) tain_progress_end();
    }
    tain_definition_done(&d);
    free(args);
    return finish(st, &e, &s);
}

const tain_command tain_command_mirror = {
    .name = "mirror", .arguments = "SOURCE LAKE", .summary = "load, then follow; Ctrl-C stops cleanly", .least = 2, .most = 2, .run = run,
    .example = "  tain mirror postgresql://tain@db/shop ./lake\n"
               "  tain mirror shop.db ./lake --once --tables 'main.order*'\n",
};
