/* SPDX-License-Identifier: MIT */
/* lockfile.h -- a file that one process holds, and in which it says who it is.
 *
 * The lock goes with the descriptor: it ends when the process does, however it does. A child that was forked keeps it until it
 * runs another program. Thread: any. */
#ifndef TAIN_BASE_LOCKFILE_H
#define TAIN_BASE_LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum { TAIN_LOCKFILE_HOLDER = 200 };

/* Makes the file where there is none, and locks it until *ret_fd is closed. BUSY: another holds it, and `holder` is what it
 * says of itself ("process 12 on host"). */
tain_status tain_lockfile_take(const char *path, mode_t mode, int *ret_fd, char holder[static TAIN_LOCKFILE_HOLDER], tain_error *err);
/* Whether somebody holds it. Only asked for: a lock taken for a moment would keep others away. False: nobody, or there is no such file;
 * true also when nobody can tell, since it is not ours to read. */
bool        tain_lockfile_is_held(const char *path);

#endif
