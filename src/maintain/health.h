/* SPDX-License-Identifier: MIT */
/* health.h -- how good a table is to read: what upkeep is there to keep so.
 *
 * The score is 100 for a table that a reader cannot tell from one written in one go, and falls towards 0 with files that are
 * more than its size asks for, with rows that are read only to be thrown away, and with commits since the last checkpoint. */
#ifndef TAIN_MAINTAIN_HEALTH_H
#define TAIN_MAINTAIN_HEALTH_H

#include "base/json.h"
#include "delta/delta.h"

typedef struct tain_health {
    int64_t files, bytes;  /* live */
    int64_t rows, deleted; /* live rows; deleted ones that files still hold */
    int64_t log_tail;      /* commits since the last checkpoint; -1: nothing is known of the table */
} tain_health;

tain_health tain_health_of(const tain_delta *t);
int         tain_health_score(const tain_health *h); /* 0 to 100 */
double      tain_health_deleted_share(const tain_health *h);
/* The value of "health" in status: an object, or null. */
void tain_health_to_json(const tain_health *h, tain_json *j);

#endif
