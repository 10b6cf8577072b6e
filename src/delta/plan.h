/* SPDX-License-Identifier: MIT */
/* plan.h -- a commit thought through: what becomes of each file, which protocol and metadata it needs, its text.
 *
 * A plan is made against one version. It holds for a later one as long as tain_plan_conflict() finds nothing: then only
 * the text is made anew. */
#ifndef TAIN_DELTA_PLAN_H
#define TAIN_DELTA_PLAN_H

#include "delta/internal.h"

typedef struct tain_plan_change { /* deletions in one file */
    tain_delta_file  *file;
    roaring_bitmap_t *rows; /* all deleted rows, owned; NULL: every row is deleted */
    tain_dv           dv;   /* owned */
    char             *stats;
} tain_plan_change;

typedef struct tain_plan {
    const tain_delta_commit *c;
    int64_t                  base;   /* version it was made against */
    int64_t                  now_ms;
    char                     txn_id[37];
    tain_plan_change        *changes;
    size_t                   change_count;
    bool                     has_meta, has_protocol;
    bool                     anew; /* the table begins again: what it asked of writers goes */
    tain_delta_metadata      meta; /* the new one, when has_meta */
    char                    *schema_text;
    tain_protocol            protocol; /* the new one, when has_protocol */
} tain_plan;

/* Checks c against t and fills *io (zeroed). Nothing is written. tain_plan_done() in any case. */
tain_status tain_plan_make(tain_delta *t, const tain_delta_commit *c, tain_plan *io, tain_error *err);
void        tain_plan_done(tain_plan *p);
/* Writes the .bin files, and fills the descriptors. */
tain_status tain_plan_write_vectors(tain_delta *t, tain_plan *p, tain_error *err);
/* The commit file for version t->version + 1. */
void tain_plan_text(const tain_delta *t, const tain_plan *p, tain_buffer *out);
/* CONFLICT when versions after base touched what the plan touches. */
tain_status tain_plan_conflict(const tain_delta *t, const tain_plan *p, tain_error *err);
/* Takes the plan over into t, as the next version. */
void tain_plan_apply(tain_delta *t, tain_plan *p);

/* plan_meta.c: metadata and protocol of c. */
tain_status tain_plan_metadata(tain_delta *t, tain_plan *p, tain_error *err);

#endif
