/* SPDX-License-Identifier: MIT */
/* audit.h -- who did what, on what, when, from where, and whether it was let. Entries are added and read, never changed, nor removed
 * within 30 days: the database itself refuses that. */
#ifndef TAIN_CONTROL_AUDIT_H
#define TAIN_CONTROL_AUDIT_H

#include "base/time.h"
#include "control/control.h"

typedef enum tain_control_outcome { TAIN_CONTROL_DONE, TAIN_CONTROL_DENIED, TAIN_CONTROL_FAILED } tain_control_outcome;

typedef struct tain_control_entry {
    tain_time            time;      /* made when it is added */
    char                *user;      /* id; NULL: nobody known */
    char                *user_name; /* as it was then, or as was tried */
    char                *action;    /* "item.create" */
    char                *object;    /* what it was done to: an id or name */
    char                *origin;    /* address it came from */
    tain_control_outcome outcome;
    char                *detail;    /* passwords in URLs are left out */
} tain_control_entry;

typedef struct tain_control_entries {
    tain_control_entry *rows;
    size_t              count;
    char               *next;
} tain_control_entries;

/* What is NULL of a filter, or 0, does not matter. */
typedef struct tain_control_audit_filter {
    const char *user, *action, *object;
    tain_time   from, until; /* from <= time < until */
} tain_control_audit_filter;

tain_status tain_control_audit_add(tain_control *c, const tain_control_entry *entry, tain_error *err);
/* Newest first. */
tain_status tain_control_audit_list(tain_control *c, const tain_control_audit_filter *filter, tain_control_page page, tain_control_entries *ret,
                                    tain_error *err);
/* Removes at most `most` of those before a moment, the oldest; *ret_removed says how many. INVALID: it is within 30 days. */
tain_status tain_control_audit_prune(tain_control *c, tain_time before, int most, int *ret_removed, tain_error *err);
void        tain_control_entries_done(tain_control_entries *e);

#endif
