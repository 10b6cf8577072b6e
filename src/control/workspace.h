/* SPDX-License-Identifier: MIT */
/* workspace.h -- what mirrored databases are grouped by. Names are unique in the service. */
#ifndef TAIN_CONTROL_WORKSPACE_H
#define TAIN_CONTROL_WORKSPACE_H

#include "base/time.h"
#include "control/control.h"

typedef struct tain_control_workspace {
    char     *id, *name, *description;
    char     *capacity; /* a GUID; always there */
    tain_time created, changed;
} tain_control_workspace;

typedef struct tain_control_workspaces {
    tain_control_workspace *rows;
    size_t                  count;
    char                   *next;
} tain_control_workspaces;

/* description NULL: none; capacity NULL: one is made up. */
tain_status tain_control_workspace_add(tain_control *c, const char *name, const char *description, const char *capacity, char ret_id[static 37],
                                       tain_error *err);
/* NULL leaves it as it is. */
tain_status tain_control_workspace_change(tain_control *c, const char *id, const char *name, const char *description, tain_error *err);
/* EXISTS: it has mirrored databases. The roles in it go with it. */
tain_status tain_control_workspace_remove(tain_control *c, const char *id, tain_error *err);

tain_status tain_control_workspace_get(tain_control *c, const char *id, tain_control_workspace *ret, tain_error *err);
tain_status tain_control_workspace_find(tain_control *c, const char *name, tain_control_workspace *ret, tain_error *err);
tain_status tain_control_workspace_list(tain_control *c, tain_control_page page, tain_control_workspaces *ret, tain_error *err);

void tain_control_workspace_done(tain_control_workspace *w);
void tain_control_workspaces_done(tain_control_workspaces *w);

#endif
