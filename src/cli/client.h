/* SPDX-License-Identifier: MIT */
/* client.h -- a running service, as the commands speak to it: where it is, who is asking, and its REST.
 *
 * It is found by --service, or the service.json that a service writes into its home (--home), else TAIN_SERVICE, else that of
 * the usual home (TAIN_HOME, ~/.tain), else at http://127.0.0.1:8080. Who asks is told by a token: --token-file, else TAIN_TOKEN; without one it is this user, if the
 * service runs as the same here; it goes to another machine by https only, unless --plain-http says otherwise. What the service refuses comes back as an error with its message and remedy. */
#ifndef TAIN_CLI_CLIENT_H
#define TAIN_CLI_CLIENT_H

#include <jansson.h>

#include "base/error.h"
#include "cli/cli.h"

/* Of every command that speaks to a service. */
typedef struct tain_client_options {
    const char *service, *home, *token_file, *ca_file;
    bool        plain_http, json;
} tain_client_options;

#define TAIN_CLIENT_OPTIONS(o)                                                                     \
    {"service", TAIN_OPTION_TEXT, &(o).service, "URL", "the service (TAIN_SERVICE, or here)"},     \
    {"home", TAIN_OPTION_TEXT, &(o).home, "DIR", "the service that has this home"},                \
    {"token-file", TAIN_OPTION_TEXT, &(o).token_file, "FILE", "who asks (TAIN_TOKEN, or you)"},    \
    {"ca-file", TAIN_OPTION_TEXT, &(o).ca_file, "FILE", "whom to trust besides the system"},       \
    {"plain-http", TAIN_OPTION_FLAG, &(o).plain_http, NULL, "send a token by http elsewhere, too"}, \
    {"json", TAIN_OPTION_FLAG, &(o).json, NULL, "for machines"}

typedef struct tain_client {
    char *url;   /* without a slash behind it */
    char *ca;    /* file; NULL: none */
    char *token; /* NULL: none */
} tain_client;

/* Reads a command's options and arguments as tain_cli_parse does, and knows then where the service is. -1 to go on, else an exit
 * code. *ret and *args are for tain_client_end, which says what went wrong and gives the exit code. */
int tain_client_begin(const tain_command *command, const tain_option *options, const tain_client_options *o, int argc, char **argv, tain_client *ret,
                      char ***args, int *count);
int tain_client_end(tain_client *c, char **args, tain_status st, const tain_error *e);

/* Nothing is asked yet. */
tain_status tain_client_open(const tain_client_options *o, tain_client *ret, tain_error *err);
void        tain_client_done(tain_client *c);
static inline void tain_client_done_scope(tain_client *c) { tain_client_done(c); }

/* One request; path from "/v1" on. body is taken (NULL: none); *ret (may be NULL) is what came, json null for nothing. */
tain_status tain_client_call(const tain_client *c, const char *method, const char *path, json_t *body, json_t **ret, tain_error *err);
/* All of a list, page by page: an array. */
tain_status tain_client_list(const tain_client *c, const char *path, json_t **ret, tain_error *err);

/* A whole file, appended. Errors name it; NOT_FOUND: it is not there. */
tain_status tain_client_read_file(const char *path, tain_buffer *ret, tain_error *err);

static inline void tain_json_decref_scope(json_t **j) { json_decref(*j); } /* TAIN_AUTO(tain_json_decref) json_t *j = NULL; */

#endif
