/* SPDX-License-Identifier: MIT */
/* retained.h -- how much of its log a source may keep back for a mirror: limits, and where between them it is.
 *
 *   ok        less than all of them
 *   warn      said once, until it falls below three quarters of that limit; also when the source is about to discard it
 *   pause     no load begins, so that following has the machine; until it falls below half of that limit
 *   give up   for good: the mirror lets go of what is kept, in favour of the source
 *
 * Pure. Thread: any. */
#ifndef TAIN_LAKE_RETAINED_H
#define TAIN_LAKE_RETAINED_H

#include "source/source.h"

typedef struct tain_retained_limits { int64_t warn, pause, give_up; } tain_retained_limits; /* bytes; 0: none */

typedef enum tain_retained_level { TAIN_RETAINED_OK, TAIN_RETAINED_WARN, TAIN_RETAINED_PAUSE, TAIN_RETAINED_GIVE_UP } tain_retained_level;
const char *tain_retained_level_name(tain_retained_level level); /* "ok" "warn" "pause" "give-up" */

#define TAIN_RETAINED_WARN_DEFAULT ((int64_t)10 << 30)

/* "warn=10GiB,pause=50GiB,give-up=200GiB": each part may be left out, 0 means never. Without warn it is the default, or the
 * least of the others if that is less. NULL, "": the default alone. */
tain_status tain_retained_parse(const char *text, tain_retained_limits *ret, tain_error *err);
/* The level after `was`, now that so much is kept. */
tain_retained_level tain_retained_step(const tain_retained_limits *limits, tain_retained_level was, const tain_retained *now);
/* What a level means, for people; "": nothing to say. */
void tain_retained_describe(const tain_retained_limits *limits, tain_retained_level level, const tain_retained *now, char out[static 512]);
/* What to do about it; "": nothing. */
const char *tain_retained_remedy(tain_retained_level level, const tain_retained *now);

#endif
