/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "delta/delta.h"
#include "mirror/upkeep.h"

typedef struct settings {
    bool    json, dry_run;
    int64_t retention;
    int     most;
} settings;

/* --- history ------------------------------------------------------------------------------------------------------- */

static void add_commit(tain_grid *g, const json_t *c)
{
    char text[40];
    const json_t *tain = json_object_get(c, "tain");
    tain_grid_add(g, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)tain_json_get_int(c, "version", 0)));
    tain_grid_add(g, text, tain_time_iso(tain_json_get_int(c, "timestamp", 0) * TAIN_MILLISECOND, 3, text));
    const char *operation = tain_json_get_str(c, "operation", ""), *position = tain_json_get_str(tain, "position", "");
    tain_grid_add(g, operation, strlen(operation));
    tain_grid_add(g, position, strlen(position));
}

static tain_status history(tain_delta *t, const settings *s, tain_error *err)
{
    static const char *const heads[] = {"version", "time", "operation", "position"};
    json_t *commits, *c;
    size_t i;
    TAIN_TRY(tain_delta_history(t, (size_t)s->most, &commits, err));
    if (s->json) {
        json_dumpf(commits, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        tain_grid g = {.columns = 4, .align = "rlll"};
        for (i = 0; i < 4; i++) tain_grid_add(&g, heads[i], strlen(heads[i]));
        json_array_foreach(commits, i, c)
        {
            add_commit(&g, c);
        }
        tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
        tain_grid_done(&g);
    }
    json_decref(commits);
    return TAIN_OK;
}

/* --- optimize ------------------------------------------------------------------------------------------------------ */

static tain_status rewrite(tain_delta *t, tain_store *folder, tain_delta_file **files, size_t n, tain_error *err)
{
    tain_rewrite *r;
    tain_delta_file *merged;
    const uint64_t *hashes;
    size_t rows;
    TAIN_TRY(tain_rewrite_begin(t, folder, files, n, NULL, &r, err));
    tain_status st = tain_rewrite_run(r, err);
    if (st == TAIN_OK) st = tain_rewrite_finish(r, &merged, &hashes, &rows, err);
    tain_rewrite_free(r);
    return st;
}

static tain_status optimize(tain_delta *t, tain_store *folder, const settings *s, tain_error *err)
{
    size_t before = tain_delta_file_count(t), n;
    tain_status st = TAIN_OK;
    for (tain_delta_file **files; st == TAIN_OK && (files = tain_rewrite_pick(t, true, INT64_MAX, &n));) {
        st = rewrite(t, folder, files, n, err);
        free(files);
    }
    if (st == TAIN_OK && tain_delta_log_tail(t) > 0) st = tain_delta_checkpoint(t, err);
    if (st != TAIN_OK) return st;
    printf(s->json ? "{\"files_before\":%zu,\"files_after\":%zu}\n" : "%zu files before, %zu after\n", before, tain_delta_file_count(t));
    return TAIN_OK;
}

/* --- vacuum -------------------------------------------------------------------------------------------------------- */

static tain_status vacuum(tain_delta *t, const settings *s, tain_error *err)
{
    tain_vacuum_result r;
    char bytes[24];
    TAIN_TRY(tain_delta_vacuum(t, s->retention, s->dry_run, &r, err));
    tain_human_bytes((uint64_t)r.bytes, bytes);
    if (s->json) {
        printf("{\"files\":%lld,\"bytes\":%lld}\n", (long long)r.files, (long long)r.bytes);
    } else {
        printf("%lld files, %s %s\n", (long long)r.files, bytes, s->dry_run ? "could be removed" : "removed");
    }
    return TAIN_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static tain_status look_after(const char *verb, const char *folder, const settings *s, tain_error *err)
{
    TAIN_AUTO(tain_store_close) tain_store *store = NULL;
    TAIN_AUTO(tain_delta_close) tain_delta *t = NULL;
    TAIN_TRY(tain_store_open(folder, false, &store, err));
    tain_status st = tain_delta_open(store, &t, err);
    if (st == TAIN_E_NOT_FOUND) {
        st = tain_fail(err, TAIN_E_NOT_FOUND, "%s is not a Delta table: it has no _delta_log", folder);
        tain_error_remedy(err, "name a table's folder, such as LAKE/Tables/main/orders");
    }
    TAIN_TRY(st);
    if (strcmp(verb, "history") == 0) {
        st = history(t, s, err);
    } else if (strcmp(verb, "optimize") == 0) {
        st = optimize(t, store, s, err);
    } else {
        st = vacuum(t, s, err);
    }
    tain_delta_close(t); /* before the store it reads through */
    t = NULL;
    return st;
}

static int run(int argc, char **argv)
{
    settings s = {.retention = 24 * 3600 * TAIN_SECOND, .most = 20};
    char **args;
    const tain_option options[] = {
        {"last", TAIN_OPTION_INT, &s.most, "N", "history: so many commits (20)"},
        {"retention", TAIN_OPTION_DURATION, &s.retention, "TIME", "vacuum: keep files younger than this (1d)"},
        {"dry-run", TAIN_OPTION_FLAG, &s.dry_run, NULL, "vacuum: only count"},
        {"json", TAIN_OPTION_FLAG, &s.json, NULL, "for machines"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_table, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    if (strcmp(args[0], "history") != 0 && strcmp(args[0], "optimize") != 0 && strcmp(args[0], "vacuum") != 0)
        return tain_cli_usage(&tain_command_table, "VERB is history, optimize or vacuum, not \"%s\"", args[0]);
    tain_error e = {0};
    tain_status st = look_after(args[0], args[1], &s, &e);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_table = {
    .name = "table", .arguments = "VERB FOLDER", .summary = "history, optimize, vacuum of one Delta table", .least = 2, .most = 2, .run = run,
    .example = "  tain table history ./lake/Tables/main/orders\n"
               "  tain table optimize ./lake/Tables/main/orders\n"
               "  tain table vacuum ./lake/Tables/main/orders --retention 2d --dry-run\n",
};
