/* SPDX-License-Identifier: MIT */
/* freshness.h -- how long changes took from their commit in the source to that in the lake, as a histogram.
 *
 * A worker tells of the newest change of each table; each that is seen for the first time counts once. It is looked at once a second, so that of
 * a table that changes all the time one change a second counts. Thread: one at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_FRESHNESS_H
#define TAIN_SERVE_SUPERVISOR_FRESHNESS_H

#include <jansson.h>
#include <stdint.h>

enum { TAIN_FRESHNESS_BOUNDS = 10 };
extern const double tain_freshness_bounds[TAIN_FRESHNESS_BOUNDS]; /* seconds, growing */

typedef struct tain_freshness {
    uint64_t counts[TAIN_FRESHNESS_BOUNDS + 1]; /* of those up to each bound, and above that before; the last: above all */
    double   sum;                               /* seconds */
} tain_freshness;

/* Adds what is new in a status since the one before. NULL before: nothing is known to be new. */
void tain_freshness_add(tain_freshness *f, const json_t *before, const json_t *status);

#endif
