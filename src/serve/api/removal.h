/* SPDX-License-Identifier: MIT */
/* removal.h -- the end of a mirrored database. Inside of serve/api. */
#ifndef TAIN_SERVE_API_REMOVAL_H
#define TAIN_SERVE_API_REMOVAL_H

#include "serve/api/call.h"

/* Stops it, takes back what tain made in the source, and forgets it; its lake folder goes with it when hard. What could not be
 * taken back in the source is told in the header x-tain-warning: a source that is gone keeps nobody from removing a mirror. */
tain_status tain_remove_item(tain_call *c, const tain_control_item *i, bool hard, tain_error *err);

/* Goes on with removing folders where the service was killed at it. Before anybody calls. */
void tain_remove_rest(const tain_api *a);

#endif
