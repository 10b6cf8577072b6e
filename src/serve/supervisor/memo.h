/* SPDX-License-Identifier: MIT */
/* memo.h -- what must be known of a worker by whoever supervises it next: which process it is, and what it still has to load again.
 *
 * Two files in the mirror's folder: `worker.json`, which was written once it has ever been started, and `resync.json`. Thread: one
 * at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_MEMO_H
#define TAIN_SERVE_SUPERVISOR_MEMO_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/time.h"

typedef struct tain_memo {
    pid_t     pid; /* 0: it has ended */
    uint64_t  start, print;
    char      boot[40], program[80];
    tain_time started;
    uint64_t  reload; /* the print of what it was told to load again; 0: nothing */
} tain_memo;

/* False: it was never started, or nobody can tell. */
bool        tain_memo_read(const char *folder, tain_memo *ret);
tain_status tain_memo_write(const char *folder, const tain_memo *m, tain_error *err);

/* What is to be loaded again: a list of names, true for all, NULL for nothing. Caller json_decref()s. */
json_t     *tain_memo_reload(const char *folder);
/* Adds to it, durably; tables NULL: all. */
tain_status tain_memo_add_reload(const char *folder, const char *const *tables, tain_error *err);
void        tain_memo_forget_reload(const char *folder);
/* The same as long as it is; 0 for nothing. */
uint64_t    tain_memo_reload_print(const json_t *what);

/* Removes the mirror's folder with all of its files. */
void        tain_memo_remove(const char *folder);

#endif
