/* SPDX-License-Identifier: MIT */
/* execution.h -- a record of every operation on a table, in the table `MirroredDatabaseTableExecution` with the columns of Fabric's
 * workspace monitoring: it has a key, so that it can be mirrored like any other. Times are text, `2026-01-31T12:34:56.789012Z`;
 * ItemKind is MirroredDatabase; columns that tain has nothing for are NULL. */
#ifndef TAIN_CONTROL_EXECUTION_H
#define TAIN_CONTROL_EXECUTION_H

#include <stdint.h>

#include "base/time.h"
#include "control/control.h"

typedef struct tain_control_execution {
    int64_t   id;        /* made when it is added, ever growing */
    tain_time time;      /* Timestamp; 0 when added: now */
    char     *operation; /* AddTable ReplicatingSchema StartSnapshotting Snapshotting StartReplicating Replicating StartReseeding FailTable
                            RemoveTable StopTable */
    char     *item, *item_name, *workspace, *workspace_name, *capacity;
    tain_time start, end;   /* of the operation; 0: not known */
    char     *source_type;  /* MirroringSourceType */
    char     *schema, *table;
    int64_t   rows, bytes;  /* ProcessedRows, ProcessedBytes; below 0: not known */
    int64_t   latency;      /* ReplicatorBatchLatency, seconds; below 0: not known */
    char     *error_type;   /* UserError, SystemError, or NULL */
    char     *error;        /* ErrorMessage; passwords in URLs are left out */
    char     *operation_id; /* OperationId: what makes it the same record of that item when it is added again, which then changes nothing;
                               NULL: it never is */
} tain_control_execution;

typedef struct tain_control_executions {
    tain_control_execution *rows;
    size_t                  count;
    char                   *next;
} tain_control_executions;

/* What is NULL of a filter, or 0, does not matter. */
typedef struct tain_control_execution_filter {
    const char *item, *schema, *table, *operation;
    tain_time   from, until; /* from <= Timestamp < until */
    const char *user;        /* of workspaces in which that user has a role */
} tain_control_execution_filter;

/* All of them, or none; those that are there already stay as they are. item and operation are needed. */
tain_status tain_control_execution_add(tain_control *c, const tain_control_execution *rows, size_t count, tain_error *err);
/* Newest first. */
tain_status tain_control_execution_list(tain_control *c, const tain_control_execution_filter *filter, tain_control_page page,
                                        tain_control_executions *ret, tain_error *err);
/* Removes at most `most` of those before a moment, the oldest; *ret_removed says how many. */
tain_status tain_control_execution_prune(tain_control *c, tain_time before, int most, int *ret_removed, tain_error *err);

void tain_control_executions_done(tain_control_executions *e);

#endif
