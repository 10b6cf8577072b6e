/* SPDX-License-Identifier: MIT */
/* there.h -- is there one of that id? NOT_FOUND names it. In a transaction. */
#ifndef TAIN_CONTROL_THERE_H
#define TAIN_CONTROL_THERE_H

#include "control/statement.h"

tain_status tain_control_user_is_there(tain_control *c, const char *id, tain_error *err);
tain_status tain_control_workspace_is_there(tain_control *c, const char *id, tain_error *err);

#endif
