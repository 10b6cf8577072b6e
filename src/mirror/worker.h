/* SPDX-License-Identifier: MIT */
/* worker.h -- runs one mirror from start to stop.
 *
 *   open source and lake -> check -> prepare -> load what has no content -> stream (loads beside it) -> stop
 *
 * Position and state come back from the lake alone. A lost connection or a source that restarts is waited for with
 * backoff; a source that forgot the position is GONE. */
#ifndef TAIN_MIRROR_WORKER_H
#define TAIN_MIRROR_WORKER_H

#include "mirror/mirror.h"

typedef struct tain_worker_options {
    bool         once;          /* catch up to the source's present position and return */
    bool         resync_all;    /* load every table again */
    bool         repair;        /* compare those with content and write what differs, wherever the stream was */
    const char **resync;        /* or those "schema.table"; NULL-terminated, may be NULL */
    const char  *records;       /* file that records of what is done to tables are added to (records.h); NULL: none. Who asks for them watches the mirror */
    void (*say)(const char *line);            /* any thread */
    void (*progress)(tain_mirror *m, void *ctx); /* a few times a second, on a thread of its own; may be NULL */
    void        *progress_ctx;
} tain_worker_options;

/* Runs until stopped, caught up (once), or something only an operator can mend. d is filled in from the lake. OK: stopped
 * or caught up. */
tain_status tain_worker_run(tain_definition *d, const tain_worker_options *o, tain_error *err);
/* Asks the running mirror to finish its epoch and return. Signal-safe. */
void tain_worker_stop(void);
/* How many tables are Failed; of the last run. */
size_t tain_worker_failed_tables(void);

#endif
