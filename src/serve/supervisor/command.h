/* SPDX-License-Identifier: MIT */
/* command.h -- what a definition and a connection come to on the command line of a worker.
 *
 * A secret never stands there: the address has `env:TAIN_SOURCE_PASSWORD` in its place, and the variable is in the environment.
 * Thread: any. */
#ifndef TAIN_SERVE_SUPERVISOR_COMMAND_H
#define TAIN_SERVE_SUPERVISOR_COMMAND_H

#include "control/connection.h"
#include "control/item.h"

/* How a process of ours reaches a source. */
typedef struct tain_source_access {
    char  *url;
    char **environment; /* "NAME=value" besides ours, NULL-terminated */
} tain_source_access;

/* database NULL: as the address says. NOT_FOUND: no such connection. */
tain_status tain_source_access_of(tain_control *c, const char *connection, const char *database, tain_source_access *ret, tain_error *err);
void        tain_source_access_done(tain_source_access *a); /* wipes the environment first */

typedef struct tain_command_line {
    char   **argv;        /* "mirror", SOURCE, LAKE, options: without the program; NULL-terminated */
    char   **environment; /* as above */
    int64_t  memory;      /* beyond which the process must not grow, bytes */
    uint64_t print;       /* the same as long as the command is, and where its connection points */
} tain_command_line;

/* CONFIG, INVALID, NOT_FOUND, UNSUPPORTED say what of the definition cannot be run. */
tain_status tain_command_line_of(tain_control *c, const tain_control_item *i, tain_command_line *ret, tain_error *err);
void        tain_command_line_add(tain_command_line *l, char *word); /* at the end; takes it */
void        tain_command_line_done(tain_command_line *l);

/* The folder of its lake: a relative one is in HOME/lakes. Caller frees. */
char *tain_command_lake(tain_control *c, const tain_control_item *i);

#endif
