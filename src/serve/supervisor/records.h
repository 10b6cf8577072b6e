/* SPDX-License-Identifier: MIT */
/* records.h -- what a worker says it did, taken from its file into the control database, each record exactly once.
 *
 * The file is read on from where it was read to; a record is known by (item, run, n), so that reading again adds nothing. A file that has grown, or
 * whose worker is gone, is put aside; it is removed when nobody can be writing into it any more: the worker has made
 * another one since, or is gone. Thread: one at a time. */
#ifndef TAIN_SERVE_SUPERVISOR_RECORDS_H
#define TAIN_SERVE_SUPERVISOR_RECORDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "control/control.h"
#include "control/item.h"

typedef struct tain_records {
    char *path;  /* what the worker writes */
    char *aside; /* PATH.aside */
    off_t read;  /* of the one that is read: the one aside, if there is */
    bool  ignored; /* what is read is not kept */
} tain_records;

void tain_records_init(tain_records *r, const char *path);
void tain_records_done(tain_records *r);
/* Takes what is new. gone: the worker is, and no other has begun. On failure nothing is lost: it is read again. A line that is no record is
 * passed by. */
tain_status tain_records_take(tain_records *r, tain_control *c, const tain_control_item *of, const char *source_type, bool gone, tain_error *err);

#endif
