/* SPDX-License-Identifier: MIT */
/* samples.h -- how a mirror did over the last two hours. Thread: one at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_SAMPLES_H
#define TAIN_SERVE_SUPERVISOR_SAMPLES_H

#include <stddef.h>

#include "serve/supervisor/supervisor.h"

#define TAIN_SAMPLE_EVERY (10 * TAIN_SECOND)
enum { TAIN_SAMPLES = 720 };

typedef struct tain_samples {
    tain_sample *ring;      /* NULL until the first */
    size_t       count, next;
    int64_t      rows, bytes; /* as the worker last counted: it begins at 0 with each run, and what is shown goes on */
    int64_t      rows_before, bytes_before;
} tain_samples;

/* rows and bytes are those of the worker's run; below 0: not known. */
void   tain_samples_add(tain_samples *s, tain_sample now);
/* Those since a moment, oldest first. Caller frees; NULL when there is none. */
tain_sample *tain_samples_since(const tain_samples *s, tain_time since, size_t *ret_count);
void   tain_samples_done(tain_samples *s);

#endif
