/* SPDX-License-Identifier: MIT */
/* watch.h -- wakes up when somebody writes to a database file or its write-ahead log, or when told to.
 *
 * A hint only: a commit in WAL mode becomes visible a moment after the write that wakes us, and a writer may map
 * memory instead of writing. So waits are short after a write, and never long: who maps the file is seen within half a second where it
 * shows in the file's times, else within two. Thread: one; wake: any, signal-safe. */
#ifndef TAIN_SOURCE_SQLITE_WATCH_H
#define TAIN_SOURCE_SQLITE_WATCH_H

#include "base/error.h"
#include "base/time.h"

typedef struct tain_sqlite_watch tain_sqlite_watch;

tain_status tain_sqlite_watch_new(const char *path, tain_sqlite_watch **ret, tain_error *err);
void        tain_sqlite_watch_free(tain_sqlite_watch *w); /* accepts NULL */
int         tain_sqlite_watch_fd(const tain_sqlite_watch *w);
/* Whether the system tells of writes. */
bool        tain_sqlite_watch_is_told(const tain_sqlite_watch *w);
/* Takes down how the files look; whether they look otherwise since. A hint as well: what is mapped may be written a while before it shows. */
void        tain_sqlite_watch_note(tain_sqlite_watch *w);
bool        tain_sqlite_watch_differs(const tain_sqlite_watch *w);
/* Until something was written (true), woken, or until (monotonic). */
bool        tain_sqlite_watch_wait(tain_sqlite_watch *w, tain_time until);
void        tain_sqlite_watch_wake(tain_sqlite_watch *w);
void        tain_sqlite_watch_again(tain_sqlite_watch *w); /* another file has the path now */
void        tain_sqlite_watch_calm(tain_sqlite_watch *w); /* forgets a wake */

#endif
