/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/report.h"

/* -1: go on. */
static int ask(const char *name, bool lake)
{
    TAIN_AUTO(tain_free) char *question = tain_format("Remove the mirrored database %s%s?", name, lake ? " and its lake" : "");
    switch (tain_cli_ask(question)) {
    case TAIN_SAYS_YES: return -1;
    case TAIN_SAYS_NO: return TAIN_EXIT_NO;
    default: return tain_cli_usage(&tain_command_drop, "nobody is there to ask: say --yes");
    }
}

static tain_status drop(const tain_client *c, const json_t *mirror, bool lake, bool json, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = tain_names_path(mirror, lake ? "?hardDelete=true" : ""), *name = tain_names_full(mirror);
    TAIN_TRY(tain_client_call(c, "DELETE", path, NULL, NULL, err));
    if (json) tain_report_json(mirror);
    else printf("%s is removed%s\n", name, lake ? ", and its lake" : "");
    return TAIN_OK;
}

static int run(int argc, char **argv)
{
    bool                yes = false, lake = false;
    tain_client_options o = {0};
    const tain_option   options[] = {
        {"delete-lake", TAIN_OPTION_FLAG, &lake, NULL, "its tables go, too"},
        {"yes", TAIN_OPTION_FLAG, &yes, NULL, "without asking"},
        TAIN_CLIENT_OPTIONS(o), {NULL},
    };
    tain_client         c;
    tain_error          e = {0};
    json_t             *mirror = NULL;
    char              **args;
    int                 n, code = tain_client_begin(&tain_command_drop, options, &o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    tain_status st = tain_names_mirror(&c, args[0], &mirror, &e);
    if (st == TAIN_OK && !yes) code = ask(args[0], lake);
    if (st == TAIN_OK && code < 0) st = drop(&c, mirror, lake, o.json, &e);
    json_decref(mirror);
    int end = tain_client_end(&c, args, st, &e);
    return code < 0 ? end : code;
}

const tain_command tain_command_drop = {
    .name = "drop", .arguments = "NAME", .summary = "a mirrored database goes, its lake stays", .least = 1, .most = 1, .run = run,
    .example = "  tain drop shop\n  tain drop sales/shop --delete-lake --yes\n",
};
