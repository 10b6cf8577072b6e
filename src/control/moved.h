/* SPDX-License-Identifier: MIT */
/* moved.h -- a home that was moved, or copied, keeps its lakes. */
#ifndef TAIN_CONTROL_MOVED_H
#define TAIN_CONTROL_MOVED_H

#include "control/statement.h"

/* Lakes whose place is in the home as it was called when it was last opened, and that are in it now, are there from now on. What is
 * elsewhere stays as it is. */
tain_status tain_control_follow_home(tain_control *c, tain_error *err);

#endif
