/* SPDX-License-Identifier: MIT */
/* replay.h -- inside of tain replay: the histories of a lake, and what SQL makes a table of one as of a position.
 *
 * A history is attached under its number, its columns as c0, c1 ..., so that no name of theirs is in the way. */
#ifndef TAIN_CLI_REPLAY_H
#define TAIN_CLI_REPLAY_H

#include "delta/delta.h"
#include "lake/lake.h"
#include "scan/scan.h"

typedef struct tain_past { /* of one table */
    char         *schema, *table, *name; /* as they are called now; name: both */
    tain_store   *store;
    tain_delta   *delta;
    json_t       *shapes, *horizon; /* properties (mirror/history/history.h) */
    size_t        number;
} tain_past;

typedef struct tain_pasts {
    tain_lake *lake;
    tain_scan *scan;
    tain_past *list;
    size_t     count;
} tain_pasts;

/* Opens all histories of the lake. NOT_FOUND: it has none. */
tain_status tain_pasts_open(const char *lake, tain_pasts *ret, tain_error *err);
void        tain_pasts_done(tain_pasts *p);

/* The position that `when` means for all of them: an epoch's number, a time (the newest transaction committed by then), or a
 * position of the source. GONE: before they begin; NOT_FOUND: behind their end; INVALID: none of the three. */
tain_status tain_pasts_position(tain_pasts *p, const char *when, tain_position *ret, tain_error *err);

/* The table's columns then; NULL: its history begins later. Caller frees. */
tain_schema *tain_past_columns(const tain_past *t, const tain_position *at);
/* Its rows then, in these columns. Until the next statement. */
tain_status tain_past_rows(tain_pasts *p, const tain_past *t, const tain_position *at, tain_result **ret, tain_error *err);

#endif
