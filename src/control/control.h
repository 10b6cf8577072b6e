/* SPDX-License-Identifier: MIT */
/* control.h -- the control database of a service: what it runs, for whom, and what happened.
 *
 * One SQLite file, `control.db`, in the service's home, for its owner alone (mode 0600). What a call has answered outlives
 * the end of the process and of the machine; a call that failed changed nothing. One process has a home at a time;
 * others may read the file. GUIDs are 36 characters in lower case, and are found in any case. Text is UTF-8.
 *
 * Each concern has its header: workspace.h, item.h, connection.h, user.h, role.h, token.h, audit.h, execution.h. What holds for all of
 * them: a call is one transaction; any thread may call, one is served at a time; NOT_FOUND names what is
 * unknown; EXISTS means that the name is taken; INVALID that a text is not fit to be stored; a list is a page of rows
 * in the order of their making (audit log and executions: newest first), and rows that come or go meanwhile make no
 * other row appear twice or be left out. */
#ifndef TAIN_CONTROL_CONTROL_H
#define TAIN_CONTROL_CONTROL_H

#include <stdbool.h>

#include "base/error.h"

typedef struct tain_control tain_control;

/* Opens, or makes, the control database of a home (a folder, made for its owner alone where there is none), and brings one
 * of an older tain to the present schema. key_file: what passwords of connections are sealed with; NULL: `control.key`
 * in the home. BUSY names the process that has the home; INVALID: control.db is something else, and is left as it is;
 * UNSUPPORTED: a newer tain wrote it; a home that was moved keeps the lakes that are in it; PERMISSION, FULL, IO, CORRUPT as they come. */
tain_status tain_control_open(const char *home, const char *key_file, tain_control **ret, tain_error *err);
/* No other call may be under way. NULL is fine. */
void        tain_control_close(tain_control *c);

/* Whether some process has that home. */
bool tain_control_is_open(const char *home);

/* Borrowed, for as long as it is open. */
const char *tain_control_home(const tain_control *c);
const char *tain_control_file(const tain_control *c); /* of control.db */

enum { TAIN_CONTROL_ALL = -1 };

/* Which rows of a list: those behind `after`, the `next` of the page before (NULL: from the start; anything else is
 * INVALID), and no more than `most` (0: 100; more than 1,000: 1,000; TAIN_CONTROL_ALL: all there are, for who must not leave one
 * out). The page's own `next` is NULL at the end. */
typedef struct tain_control_page {
    const char *after;
    int         most;
} tain_control_page;

#endif
