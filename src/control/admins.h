/* SPDX-License-Identifier: MIT */
/* admins.h -- who administers the service at all: a change that leaves nobody is refused. */
#ifndef TAIN_CONTROL_ADMINS_H
#define TAIN_CONTROL_ADMINS_H

#include "control/role.h"
#include "control/statement.h"

/* How many there are who are not disabled. */
tain_status tain_control_admins(tain_control *c, int64_t *ret, tain_error *err);
/* INVALID when there were some `before` the change, and are none now. */
tain_status tain_control_admins_left(tain_control *c, int64_t before, tain_error *err);

/* tain_control_role_set without that, in a transaction: of several changes the last word counts. */
tain_status tain_control_role_put(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err);

#endif
