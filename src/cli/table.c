/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli/cli.h"
#include "delta/delta.h"
#include "maintain/sorted.h"
#include "mirror/upkeep.h"

enum { CONFLICTS_MOST = 20 };

typedef struct settings {
    bool    json, dry_run;
    int64_t retention;
    int     most;
    char  **sort_by;
    const char *profile;
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

/* --- describe ------------------------------------------------------------------------------------------------------ */

/* As Delta's schema has them. */
static tain_status fields_of(const tain_delta *t, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *root;
    tain_schema_to_json(tain_delta_meta(t)->schema, &text);
    TAIN_TRY(tain_json_parse(text.data, text.size, "the schema", &root, err));
    *ret = json_incref(json_object_get(root, "fields"));
    json_decref(root);
    return TAIN_OK;
}

static void print_description(const tain_delta *t, const json_t *fields)
{
    static const char *const heads[] = {"column", "type", "null"};
    char          bytes[24];
    tain_grid     g = {.columns = 3, .align = "lll"};
    const json_t *f;
    size_t        i;
    for (i = 0; i < 3; i++) tain_grid_add(&g, heads[i], strlen(heads[i]));
    json_array_foreach(fields, i, f)
    {
        TAIN_AUTO(tain_free) char *type = json_dumps(json_object_get(f, "type"), JSON_COMPACT | JSON_ENCODE_ANY);
        const char *name = tain_json_get_str(f, "name", ""), *shown = tain_json_get_str(f, "type", type), *null = tain_json_get_bool(f, "nullable", true) ? "yes" : "no";
        tain_grid_add(&g, name, strlen(name));
        tain_grid_add(&g, shown, strlen(shown));
        tain_grid_add(&g, null, strlen(null));
    }
    tain_grid_print(&g, stdout, TAIN_CLI_WIDTH);
    tain_grid_done(&g);
    tain_human_bytes((uint64_t)tain_delta_bytes(t), bytes);
    printf("version %lld, %lld row%s, %s\n", (long long)tain_delta_version(t), (long long)tain_delta_live_rows(t), tain_plural(tain_delta_live_rows(t)), bytes);
}

static void dump_description(const tain_delta *t, const json_t *fields)
{
    json_t       *columns = json_array(), *whole;
    const json_t *f;
    size_t        i;
    json_array_foreach(fields, i, f)
    {
        json_array_append_new(columns, json_pack("{s:O,s:O,s:O}", "name", json_object_get(f, "name"), "type", json_object_get(f, "type"), "nullable",
                                                 json_object_get(f, "nullable")));
    }
    whole = json_pack("{s:I,s:I,s:I,s:o}", "deltaVersion", (json_int_t)tain_delta_version(t), "rows", (json_int_t)tain_delta_live_rows(t), "bytes",
                      (json_int_t)tain_delta_bytes(t), "columns", columns);
    json_dumpf(whole, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(whole);
}

static tain_status describe(const tain_delta *t, const settings *s, tain_error *err)
{
    json_t *fields;
    TAIN_TRY(fields_of(t, &fields, err));
    (s->json ? dump_description : print_description)(t, fields);
    json_decref(fields);
    return TAIN_OK;
}

/* --- optimize ------------------------------------------------------------------------------------------------------ */

/* What engines read best, as their makers say; by default what a mirror writes. */
typedef struct profile {
    const char *name;
    int64_t     file_bytes;
    size_t      group_rows, group_bytes;
} profile;

static const profile profiles[] = {
    {"default", 128 << 20, 1 << 20, 128 << 20},
    {"directlake", 1 << 30, 8 << 20, 512 << 20}, /* row groups of 1 M rows at least, better 8 M; few files */
    {"spark", 1 << 30, 1 << 20, 128 << 20},      /* OPTIMIZE's own size; row groups of a block of parquet-java */
    {"duckdb", 256 << 20, 122880, 128 << 20},    /* threads share a file by row groups, which are as its own */
};

static const profile *find_profile(const char *name)
{
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        if (name && strcmp(profiles[i].name, name) == 0) return &profiles[i];
    return &profiles[0];
}

static tain_parquet_options options_of(const profile *p)
{
    tain_parquet_options o = tain_parquet_defaults();
    o.row_group_rows = p->group_rows;
    o.row_group_bytes = p->group_bytes;
    return o;
}

/* A mirror may go on changing the table. */
static tain_status finish_rewrite(tain_rewrite *r, tain_error *err)
{
    tain_delta_file *merged;
    const uint64_t *hashes;
    size_t rows;
    tain_status st = TAIN_E_CONFLICT;
    for (int tries = 0; st == TAIN_E_CONFLICT && tries < CONFLICTS_MOST; tries++) st = tain_rewrite_finish(r, &merged, &hashes, &rows, err);
    return st;
}

static tain_status rewrite(tain_delta *t, tain_store *folder, const profile *p, tain_delta_file **files, size_t n, tain_error *err)
{
    tain_rewrite *r;
    const tain_parquet_options options = options_of(p);
    TAIN_TRY(tain_rewrite_begin(t, folder, files, n, NULL, &r, err));
    tain_rewrite_limit(r, &options);
    tain_status st = tain_rewrite_run(r, err);
    if (st == TAIN_OK) st = finish_rewrite(r, err);
    tain_rewrite_free(r);
    return st;
}

static tain_status merge_files(tain_delta *t, tain_store *folder, const profile *p, tain_error *err)
{
    const tain_rewrite_rule rule = {.what = TAIN_REWRITE_ALL, .most_rows = INT64_MAX, .full_bytes = p->file_bytes};
    tain_status st = TAIN_OK;
    size_t n;
    for (tain_delta_file **files; st == TAIN_OK && (files = tain_rewrite_pick(t, &rule, &n));) {
        st = rewrite(t, folder, p, files, n, err);
        free(files);
    }
    return st;
}

static tain_status find_columns(const tain_schema *schema, char **names, uint16_t *ret, size_t *ret_count, tain_error *err)
{
    for (size_t i = 0; names[i]; i++) {
        int at = tain_schema_find(schema, names[i]);
        if (at < 0) return tain_fail(err, TAIN_E_INVALID, "the table has no column \"%s\"", names[i]);
        ret[(*ret_count)++] = (uint16_t)at;
    }
    return TAIN_OK;
}

static tain_status sort_files(tain_delta *t, tain_store *folder, const settings *s, const profile *p, tain_error *err)
{
    const tain_schema *schema = tain_delta_meta(t)->schema;
    size_t n = 0, count = 0;
    while (s->sort_by[n]) n++;
    uint16_t *columns = tain_alloc((n + 1) * sizeof *columns);
    tain_status st = find_columns(schema, s->sort_by, columns, &count, err);
    const tain_sorted_options o = {.columns = columns, .count = count, .file_bytes = p->file_bytes, .files = options_of(p), .spill = tain_temp_folder()};
    if (st == TAIN_OK) st = tain_sorted_rewrite(t, folder, &o, err);
    free(columns);
    return st;
}

static tain_status optimize(tain_delta *t, tain_store *folder, const settings *s, tain_error *err)
{
    size_t before = tain_delta_file_count(t);
    const profile *p = find_profile(s->profile);
    TAIN_TRY(s->sort_by && s->sort_by[0] ? sort_files(t, folder, s, p, err) : merge_files(t, folder, p, err));
    if (tain_delta_log_tail(t) > 0) TAIN_TRY(tain_delta_checkpoint(t, err));
    if (s->json) printf("{\"files_before\":%zu,\"files_after\":%zu}\n", before, tain_delta_file_count(t));
    else printf("%zu file%s before, %zu after\n", before, tain_plural((int64_t)before), tain_delta_file_count(t));
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
        printf("%lld file%s, %s %s\n", (long long)r.files, tain_plural(r.files), bytes, s->dry_run ? "could be removed" : "removed");
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
    } else if (strcmp(verb, "describe") == 0) {
        st = describe(t, s, err);
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
        {"sort-by", TAIN_OPTION_LIST, &s.sort_by, "COLUMNS", "optimize: write all rows in that order"},
        {"profile", TAIN_OPTION_CHOICE, &s.profile, "default|directlake|spark|duckdb", "optimize: sizes that engine likes"},
        {"dry-run", TAIN_OPTION_FLAG, &s.dry_run, NULL, "vacuum: only count"},
        {"json", TAIN_OPTION_FLAG, &s.json, NULL, "for machines"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_table, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    if (strcmp(args[0], "describe") != 0 && strcmp(args[0], "history") != 0 && strcmp(args[0], "optimize") != 0 && strcmp(args[0], "vacuum") != 0)
        return tain_cli_usage(&tain_command_table, "VERB is describe, history, optimize or vacuum, not \"%s\"", args[0]);
    tain_error e = {0};
    tain_status st = look_after(args[0], args[1], &s, &e);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_table = {
    .name = "table", .arguments = "VERB FOLDER", .summary = "describe, history, optimize, vacuum of a table", .least = 2, .most = 2, .run = run,
    .example = "  tain table history ./lake/Tables/main/orders\n"
               "  tain table describe ./lake/Tables/main/orders\n"
               "  tain table optimize ./lake/Tables/main/orders\n"
               "  tain table optimize ./lake/Tables/main/orders --sort-by day,id\n"
               "  tain table vacuum ./lake/Tables/main/orders --retention 2d --dry-run\n",
};
