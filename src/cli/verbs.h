/* SPDX-License-Identifier: MIT */
/* verbs.h -- commands for a list of things in a service: `tain connections`, which lists them, `tain connections add ...`. */
#ifndef TAIN_CLI_VERBS_H
#define TAIN_CLI_VERBS_H

#include "cli/client.h"

/* settings: the command's own. *ret_no: the answer is no. */
typedef tain_status (*tain_verb_run)(const tain_client *c, char **args, const void *settings, bool *ret_no, tain_error *err);

typedef struct tain_verb {
    const char   *name;      /* NULL ends the table; the first is what is done without a verb */
    const char   *arguments; /* "NAME URL"; "": none */
    tain_verb_run run;
} tain_verb;

/* The whole command, to its exit code. */
int tain_verbs_run(const tain_command *command, const tain_verb *verbs, const tain_option *options, const tain_client_options *o, const void *settings,
                   int argc, char **argv);

/* Finds one of the list at path by its name or id, and asks for `rest` of it ("" itself). body is taken. */
tain_status tain_verbs_ask(const tain_client *c, const char *path, const char *what, const char *name, const char *method, const char *rest, json_t *body,
                           json_t **ret_one, json_t **ret_answer, tain_error *err);

#endif
