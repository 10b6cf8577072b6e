/* SPDX-License-Identifier: MIT */
/* asof.h -- which versions of a lake's tables are one state that the source had.
 *
 * At epoch N a table is at its newest version listed up to N (ARCHITECTURE.md, 14). One that was not changed up to then, as far
 * as records are kept, is at the version in front of the first one listed later, else at its newest. */
#ifndef TAIN_LAKE_ASOF_H
#define TAIN_LAKE_ASOF_H

#include "lake/lake.h"

typedef struct tain_asof tain_asof;

/* when: an epoch's number, or a time (UTC, "2026-11-21T18:00:00Z", also without fraction, seconds or time): the newest epoch
 * whose source transactions were committed by then. INVALID: neither. NOT_FOUND: there is no such epoch (yet). GONE: its record
 * is not kept any more. */
tain_status tain_asof_find(tain_lake *l, const char *when, tain_asof **ret, tain_error *err);
/* Such a time; 0: it is none. */
tain_time   tain_asof_time(const char *text);
void        tain_asof_free(tain_asof *a); /* accepts NULL */

/* The table's version then, -1: it was not there, INT64_MAX: its newest. full: "schema.table" as it is called now. */
int64_t       tain_asof_version(const tain_asof *a, const char *full);
int64_t       tain_asof_epoch(const tain_asof *a);
/* Tables that were not followed then, which lack what had come meanwhile: name -> {"status","reason"}. NULL: none. Borrowed. */
const json_t *tain_asof_apart(const tain_asof *a);

#endif
