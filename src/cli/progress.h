/* SPDX-License-Identifier: MIT */
/* progress.h -- what `tain mirror` shows while it runs: bars while loading, then lag and counts; plain lines when standard
 * error is no terminal. Thread: any, one at a time (guarded inside). */
#ifndef TAIN_CLI_PROGRESS_H
#define TAIN_CLI_PROGRESS_H

#include "mirror/mirror.h"

void tain_progress_draw(tain_mirror *m);
/* A note for people, above the display. */
void tain_progress_say(const char *line);
/* Leaves the last picture standing. */
void tain_progress_end(void);

#endif
