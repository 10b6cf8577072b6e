/* SPDX-License-Identifier: MIT */
#include "cli/verbs.h"

#include <stdlib.h>

#include "base/json.h"
#include "cli/names.h"

static const tain_verb *find(const tain_verb *verbs, const char *name)
{
    for (; verbs->name; verbs++)
        if (strcmp(verbs->name, name) == 0) return verbs;
    return NULL;
}

static int words_of(const char *text)
{
    int n = *text != 0;
    for (; *text; text++) n += *text == ' ';
    return n;
}

static int unknown(const tain_command *command, const tain_verb *verbs, const char *name)
{
    tain_buffer out = {0};
    for (; verbs->name; verbs++) tain_buffer_printf(&out, "%s%s", out.size ? verbs[1].name ? ", " : " and " : "", verbs->name);
    int code = tain_cli_usage(command, "there are %s, not \"%s\"", tain_buffer_cstr(&out), name);
    tain_buffer_done(&out);
    return code;
}

/* -1: go on. */
static int check(const tain_command *command, const tain_verb *v, int given)
{
    int wanted = words_of(v->arguments);
    if (given < wanted) return tain_cli_usage(command, "%s needs %s", v->name, v->arguments);
    if (given > wanted) return tain_cli_usage(command, "%s takes %s", v->name, wanted ? v->arguments : "nothing");
    return -1;
}

int tain_verbs_run(const tain_command *command, const tain_verb *verbs, const tain_option *options, const tain_client_options *o, const void *settings,
                   int argc, char **argv)
{
    tain_client c;
    tain_error  e = {0};
    char      **args;
    bool        no = false;
    int         n, code = tain_client_begin(command, options, o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    const tain_verb *v = n ? find(verbs, args[0]) : verbs;
    tain_status      st = TAIN_OK;
    code = v ? check(command, v, n ? n - 1 : 0) : unknown(command, verbs, args[0]);
    if (code < 0) st = v->run(&c, args + 1, settings, &no, &e);
    int end = tain_client_end(&c, args, st, &e);
    return code >= 0 ? code : end == TAIN_EXIT_OK && no ? TAIN_EXIT_NO : end;
}

tain_status tain_verbs_ask(const tain_client *c, const char *path, const char *what, const char *name, const char *method, const char *rest, json_t *body,
                           json_t **ret_one, json_t **ret_answer, tain_error *err)
{
    tain_status st = tain_names_in(c, path, what, name, ret_one, err);
    if (st != TAIN_OK) {
        json_decref(body);
        return st;
    }
    TAIN_AUTO(tain_free) char *full = tain_format("%s/%s%s", path, tain_json_get_str(*ret_one, "id", ""), rest);
    return tain_client_call(c, method, full, body, ret_answer, err);
}
