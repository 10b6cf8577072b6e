/* SPDX-License-Identifier: MIT */
/* gitplan.h -- what makes the mirrored databases of a workspace those of a folder. Nothing is asked or changed here.
 *
 * The same one is known by logical id, else by name. What the folder does not have is removed only if it was created from
 * there, or if all such are to go. */
#ifndef TAIN_CLI_GITPLAN_H
#define TAIN_CLI_GITPLAN_H

#include "cli/gitfolder.h"

typedef struct tain_git_present { /* in the service */
    char             *id, *name, *status;
    tain_git_platform platform;
    tain_git_parts    parts;
} tain_git_present;

typedef struct tain_git_presents {
    tain_git_present *list;
    size_t        count;
} tain_git_presents;
void tain_git_presents_done(tain_git_presents *p);

typedef enum tain_git_action { TAIN_GIT_REMOVE, TAIN_GIT_CHANGE, TAIN_GIT_CREATE, TAIN_GIT_UNCHANGED, TAIN_GIT_LEAVE } tain_git_action;

typedef struct tain_git_step {
    tain_git_action          action;
    const tain_git_item *wanted;  /* NULL: to be removed, or left */
    const tain_git_present  *present; /* NULL: to be created */
    char                *changes; /* for people; NULL: none */
    const char          *steer;   /* "start", "stop", "pause", "resume"; NULL: it stays as it is */
} tain_git_step;

typedef struct tain_git_plan { /* in the order in which it is carried out */
    tain_git_step *steps;
    size_t     count;
    size_t     actions[TAIN_GIT_LEAVE + 1], steered; /* how many of each */
} tain_git_plan;

/* created: logical ids, as tain_git_created has them. What is planned borrows from both sides. */
void tain_git_plan_make(const tain_git_items *wanted, const tain_git_presents *present, const json_t *created, bool prune, tain_git_plan *ret);
void tain_git_plan_done(tain_git_plan *p);
bool tain_git_plan_is_empty(const tain_git_plan *p);

const char *tain_git_plan_action_name(tain_git_action a); /* "create" */
const char *tain_git_step_name(const tain_git_step *s);

#endif
