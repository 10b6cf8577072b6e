/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"

static void print_json(const tain_verify_result *r)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    tain_json j = {.out = &out};
    tain_json_object(&j);
    tain_json_kbool(&j, "equal", r->equal);
    tain_json_key(&j, "tables");
    tain_json_array(&j);
    for (size_t i = 0; i < r->count; i++) {
        tain_verify_table *t = &r->tables[i];
        tain_json_object(&j);
        tain_json_kstr(&j, "name", t->name);
        tain_json_kbool(&j, "compared", t->compared);
        tain_json_kbool(&j, "equal", t->equal);
        tain_json_kint(&j, "source_rows", t->source_rows);
        tain_json_kint(&j, "lake_rows", t->lake_rows);
        tain_json_kstr(&j, "reason", t->reason[0] ? t->reason : NULL);
        tain_json_kstr(&j, "remedy", t->remedy[0] ? t->remedy : NULL);
        tain_json_kstr(&j, "samples", t->samples.size ? tain_buffer_cstr(&t->samples) : NULL);
        tain_json_object_end(&j);
    }
    tain_json_array_end(&j);
    tain_json_object_end(&j);
    puts(tain_buffer_cstr(&out));
}

static void print_text(const tain_verify_result *r)
{
    int64_t rows = 0;
    size_t compared = 0;
    for (size_t i = 0; i < r->count; i++) {
        tain_verify_table *t = &r->tables[i];
        rows += t->source_rows;
        compared += t->compared;
        printf("  %-9s %s", t->equal ? "equal" : t->compared ? "different" : t->failed ? "failed" : "-", t->name);
        if (t->equal) printf(", %lld row%s", (long long)t->source_rows, tain_plural(t->source_rows));
        if (t->reason[0]) printf(": %s", t->reason);
        putchar('\n');
        if (t->remedy[0]) printf("            remedy: %s\n", t->remedy);
        if (t->samples.size) fputs(tain_buffer_cstr(&t->samples), stdout);
    }
    printf("%s: %zu table%s, %lld row%s compared", r->equal ? "equal" : "different", compared, tain_plural((int64_t)compared), (long long)rows, tain_plural(rows));
    if (compared < r->count) printf("; %zu not compared", r->count - compared);
    putchar('\n');
}

static void show(void *ctx, const char *table, int64_t rows)
{
    static const char *now;
    static int64_t     next;
    if (table == now && rows < next) return;
    now = table;
    next = rows + 200000;
    fprintf(stderr, "\r\033[2Kcomparing %s: %lld row%s", table, (long long)rows, tain_plural(rows));
}

static void say(const char *line)
{
    fprintf(stderr, "%s%s\n", isatty(STDERR_FILENO) ? "\r\033[2K" : "", line);
}

/* The server would go on waiting for a client that is gone. The second time ends it at once. */
static void on_signal(int sig)
{
    int before = errno;
    if (!tain_verify_stop()) raise(sig);
    errno = before;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int run(int argc, char **argv)
{
    bool json = false;
    char **args;
    tain_definition d = {.freshness = TAIN_DEFAULT_FRESHNESS, .jobs = 1, .memory = TAIN_DEFAULT_MEMORY};
    const tain_option options[] = {
        {"tables", TAIN_OPTION_LIST, &d.tables, "GLOBS", "only these: schema.table, comma-separated"},
        {"exclude", TAIN_OPTION_LIST, &d.exclude, "GLOBS", "not these"},
        {"jobs", TAIN_OPTION_INT, &d.jobs, "N", "connections, and threads for the lake (1)"},
        {"json", TAIN_OPTION_FLAG, &json, NULL, "for machines"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_verify, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    d.source_url = tain_strdup(args[0]);
    d.lake_url = tain_strdup(args[1]);
    tain_verify_result r = {0};
    tain_error e = {0};
    bool terminal = isatty(STDERR_FILENO) && !json;
    catch_signals();
    tain_status st = tain_verify_run(&d, say, terminal ? show : NULL, NULL, &r, &e);
    if (terminal) fputs("\r\033[2K", stderr);
    if (st == TAIN_OK) (json ? print_json : print_text)(&r);
    code = st != TAIN_OK ? tain_cli_fail(&e) : r.failed ? TAIN_EXIT_FAILURE : r.equal ? TAIN_EXIT_OK : TAIN_EXIT_NO;
    tain_verify_result_done(&r);
    tain_definition_done(&d);
    free(args);
    return code;
}

const tain_command tain_command_verify = {
    .name = "verify", .arguments = "SOURCE LAKE", .summary = "compare source and mirror row by row", .least = 2, .most = 2, .run = run,
    .example = "  tain verify postgresql://tain@db/shop ./lake --jobs 4\n",
};
