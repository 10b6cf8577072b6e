/* SPDX-License-Identifier: MIT */
/* cli.h -- what the commands share: options by table, help from the same table, output, exit codes.
 *
 * Exit codes: 0 done, 1 the answer is no, 2 usage, 3 failure. Results go to standard output, everything else to standard
 * error. */
#ifndef TAIN_CLI_CLI_H
#define TAIN_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"

enum { TAIN_EXIT_OK = 0, TAIN_EXIT_NO = 1, TAIN_EXIT_USAGE = 2, TAIN_EXIT_FAILURE = 3 };

typedef enum tain_option_kind {
    TAIN_OPTION_FLAG,     /* bool */
    TAIN_OPTION_SWITCH,   /* tain_switch: --NAME or --no-NAME */
    TAIN_OPTION_TEXT,     /* const char * */
    TAIN_OPTION_CHOICE,   /* const char *: one of the words of value_name, "log|poll" */
    TAIN_OPTION_LIST,     /* char **: comma-separated, may repeat; NULL-terminated, owned by the process */
    TAIN_OPTION_NAMES,    /* char **: likewise, of names in which a backslash takes what follows as it is */
    TAIN_OPTION_DURATION, /* int64_t, microseconds */
    TAIN_OPTION_SIZE,     /* int64_t, bytes */
    TAIN_OPTION_INT,      /* int */
    TAIN_OPTION_RELOAD,   /* tain_reload: alone, or with a list of tables behind it */
} tain_option_kind;

typedef struct tain_reload { bool all; char **tables; } tain_reload;

typedef struct tain_option {
    const char      *name; /* without dashes; NULL ends the table */
    tain_option_kind kind;
    void            *value;
    const char      *value_name; /* NULL for flags */
    const char      *help;
} tain_option;

typedef struct tain_command {
    const char *name, *arguments; /* "mirror", "SOURCE LAKE" */
    const char *summary;          /* one line */
    const char *example;          /* one or more lines */
    int         least, most;      /* number of arguments */
    int (*run)(int argc, char **argv);
} tain_command;

extern const tain_command tain_command_demo, tain_command_check, tain_command_mirror, tain_command_verify, tain_command_query, tain_command_replay,
    tain_command_status, tain_command_table, tain_command_serve;
/* Those that speak to a running service. */
extern const tain_command tain_command_create, tain_command_start, tain_command_stop, tain_command_pause, tain_command_resume, tain_command_resync,
    tain_command_drop, tain_command_list, tain_command_logs, tain_command_connections, tain_command_users, tain_command_tokens, tain_command_apply, tain_command_export, tain_command_client_env;

/* Reads options and arguments (argv[0] is the command's name). Returns -1 to go on, else an exit code: --help was asked
 * for, or usage was wrong and has been said. Arguments are in *ret, *ret_count of them. */
int tain_cli_parse(const tain_command *c, const tain_option *options, int argc, char **argv, char ***ret, int *ret_count);

/* "tain: message" and its remedy on standard error; returns the exit code of failure. */
int tain_cli_fail(const tain_error *e);
/* A usage error of that command; returns the exit code of usage. */
int tain_cli_usage(const tain_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a service, where none is named: TAIN_HOME, or ~/.tain. Caller frees. */
char *tain_cli_home(void);

typedef enum tain_says { TAIN_SAYS_NO, TAIN_SAYS_YES, TAIN_SAYS_NOTHING } tain_says;
/* Asks who sits at the terminal, "question [y/N] "; NOTHING: nobody does. */
tain_says tain_cli_ask(const char *question);
/* What they type at "question ", without showing it; NULL: nobody does, or nothing. Caller wipes and frees. */
char *tain_cli_ask_secret(const char *question);

enum { TAIN_CLI_WIDTH = 80 }; /* what output for people fits */

/* Text in lines that fit, each behind the indent; a word that is too long for a line has one of its own. */
void tain_cli_print_wrapped(FILE *out, const char *indent, const char *text);

/* Rows of text in columns that fit a terminal, or `width` 0 for no limit; the last column takes what is left. */
typedef struct tain_grid {
    size_t       columns;
    char       **cells; /* row by row, the first row is the head; owned */
    size_t       count, capacity;
    const char  *align; /* one 'l' or 'r' a column */
} tain_grid;
void tain_grid_add(tain_grid *g, const char *text, size_t n);
void tain_grid_print(const tain_grid *g, FILE *out, size_t width);
void tain_grid_done(tain_grid *g);

#endif
