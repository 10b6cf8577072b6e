/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/map.h"
#include "base/text.h"
#include "cli/cli.h"
#include "lake/definition.h"

#define UNNAMED "mirror"

static const char *const verdicts[] = {"ok", "warning", "error"};

/* --- JSON ---------------------------------------------------------------------------------------------------------- */

static void finding_to_json(tain_json *j, const tain_finding *f)
{
    tain_json_object(j);
    tain_json_kstr(j, "code", f->code);
    tain_json_kstr(j, "column", f->column);
    tain_json_kstr(j, "message", f->message);
    tain_json_kstr(j, "remedy", f->remedy);
    tain_json_object_end(j);
}

static void findings_to_json(tain_json *j, const tain_finding *f, size_t n)
{
    tain_json_key(j, "findings");
    tain_json_array(j);
    for (size_t i = 0; i < n; i++) finding_to_json(j, &f[i]);
    tain_json_array_end(j);
}

static void print_json(const char *source, const tain_catalog *catalog, const tain_finding *findings, size_t n)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    tain_json j = {.out = &out};
    tain_json_object(&j);
    tain_json_kstr(&j, "source", source);
    findings_to_json(&j, findings, n);
    tain_json_key(&j, "tables");
    tain_json_array(&j);
    for (size_t i = 0; i < catalog->count; i++) {
        const tain_source_table *t = catalog->tables[i];
        char *name = tain_source_full_name(t->schema, t->name);
        tain_json_object(&j);
        tain_json_kstr(&j, "name", name);
        tain_json_kstr(&j, "verdict", verdicts[t->verdict]);
        findings_to_json(&j, t->findings, t->finding_count);
        tain_json_object_end(&j);
        free(name);
    }
    tain_json_array_end(&j);
    tain_json_object_end(&j);
    puts(tain_buffer_cstr(&out));
}

/* --- for people ---------------------------------------------------------------------------------------------------- */

/* said: remedies printed already, which are not repeated for every table. */
static void print_finding(const tain_finding *f, tain_map *said)
{
    char *head = f->column ? tain_format("%s: column %s: %s", verdicts[f->level], f->column, f->message)
                           : tain_format("%s: %s", verdicts[f->level], f->message);
    tain_cli_print_wrapped(stdout, "    ", head);
    free(head);
    if (!f->remedy || !*f->remedy) return;
    bool again = tain_map_put(said, f->remedy, said) != NULL;
    if (!again && strchr(f->remedy, '\n')) { /* a script is for copying */
        printf("      remedy:\n%s\n", f->remedy);
        return;
    }
    char *remedy = tain_format("remedy: %s", again ? "as above" : f->remedy);
    tain_cli_print_wrapped(stdout, "      ", remedy);
    free(remedy);
}

static void print_table(const tain_source_table *t, tain_map *said)
{
    TAIN_AUTO(tain_free) char *name = tain_source_full_name(t->schema, t->name);
    printf("  %-8s %s\n", verdicts[t->verdict], name);
    for (size_t k = 0; k < t->finding_count; k++) print_finding(&t->findings[k], said);
}

/* What is worst comes last, where a terminal stops. */
static void print_text(const char *source, const tain_catalog *catalog, const tain_finding *findings, size_t n)
{
    size_t count[3] = {0};
    tain_map said = {0};
    printf("%s\n", source);
    for (tain_verdict v = TAIN_VERDICT_OK; v <= TAIN_VERDICT_ERROR; v++)
        for (size_t i = 0; i < catalog->count; i++) {
            if (catalog->tables[i]->verdict != v) continue;
            print_table(catalog->tables[i], &said);
            count[v]++;
        }
    if (n) printf("  all together\n");
    for (size_t i = 0; i < n; i++) print_finding(&findings[i], &said);
    tain_map_done(&said);
    printf("%zu table%s: %zu ok, %zu with warnings, %zu cannot be mirrored\n", catalog->count, tain_plural((int64_t)catalog->count), count[0], count[1], count[2]);
}

/* --- what was asked ------------------------------------------------------------------------------------------------- */

static void add(tain_finding **findings, size_t *n, tain_finding f)
{
    *findings = tain_realloc(*findings, (*n + 1) * sizeof **findings);
    (*findings)[(*n)++] = f;
}

static void find_unmatched(const tain_source_options *so, tain_finding **findings, size_t *n)
{
    char *message = tain_source_unmatched(so);
    if (message)
        add(findings, n, (tain_finding){.level = TAIN_VERDICT_WARNING, .code = tain_strdup("glob_matches_nothing"), .message = message,
                                        .remedy = tain_strdup("check the name; globs are of schema.table")});
}

/* SQL for somebody else to run bears the mirror's name, which without --name would be another. */
static void find_unnamed(tain_finding **findings, size_t *n)
{
    bool named = false;
    for (size_t i = 0; i < *n; i++) named |= (*findings)[i].remedy && strstr((*findings)[i].remedy, "tain_" UNNAMED);
    if (named)
        add(findings, n, (tain_finding){.level = TAIN_VERDICT_WARNING, .code = tain_strdup("no_name"),
                                        .message = tain_strdup("no --name was given: the SQL above is for a mirror called " UNNAMED),
                                        .remedy = tain_strdup("give both tain check and tain mirror the same --name")});
}

/* --- the command --------------------------------------------------------------------------------------------------- */

/* 0: everything can be mirrored, if with warnings; 1: something cannot. */
static int verdict(const tain_catalog *catalog, const tain_finding *findings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (findings[i].level == TAIN_VERDICT_ERROR) return TAIN_EXIT_NO;
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->tables[i]->verdict == TAIN_VERDICT_ERROR) return TAIN_EXIT_NO;
    return TAIN_EXIT_OK;
}

static int run(int argc, char **argv)
{
    bool json = false;
    char **tables = NULL, **exclude = NULL, **args;
    const char *name = NULL, *snapshot_from = NULL, *partitions = NULL;
    const tain_option options[] = {
        {"tables", TAIN_OPTION_LIST, &tables, "GLOBS", "only these: schema.table, comma-separated"},
        {"exclude", TAIN_OPTION_LIST, &exclude, "GLOBS", "not these"},
        {"name", TAIN_OPTION_TEXT, &name, "NAME", "name the mirror will have in the source"},
        {"partitions", TAIN_OPTION_CHOICE, &partitions, "root|leaf", "as mirror's"},
        {"snapshot-from", TAIN_OPTION_TEXT, &snapshot_from, "URL", "whether loads can be read from this standby"},
        {"json", TAIN_OPTION_FLAG, &json, NULL, "for machines"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_check, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    tain_globs_used used = {0};
    tain_source_options so = {.url = args[0], .mirror_name = name ? name : UNNAMED, .tables = (const char **)tables,
                              .exclude = (const char **)exclude, .used = &used, .snapshot_from = snapshot_from,
                              .leaves = partitions && strcmp(partitions, "leaf") == 0, .jobs = 1, .memory = 64 << 20, .spool_dir = "/tmp"};
    TAIN_AUTO(tain_source_close) tain_source *source = NULL;
    tain_error e = {0};
    tain_catalog catalog = {0};
    tain_finding *findings = NULL;
    size_t count = 0;
    if (tain_source_open(&so, &source, &e) != TAIN_OK || source->ops->describe(source, &catalog, &findings, &count, &e) != TAIN_OK)
        return tain_cli_fail(&e);
    find_unmatched(&so, &findings, &count);
    if (!name) find_unnamed(&findings, &count);
    char *shown = tain_url_redacted(args[0]);
    (json ? print_json : print_text)(shown, &catalog, findings, count);
    free(shown);
    code = verdict(&catalog, findings, count);
    tain_findings_free(findings, count);
    free(args);
    return code;
}

const tain_command tain_command_check = {
    .name = "check", .arguments = "SOURCE", .summary = "what can be mirrored, and what hinders", .least = 1, .most = 1, .run = run,
    .example = "  tain check postgresql://tain@db/shop\n  tain check shop.db --json\n",
};
