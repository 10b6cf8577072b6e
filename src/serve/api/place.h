/* SPDX-License-Identifier: MIT */
/* place.h -- where the lake of a mirrored database is: LAKE/<workspace>/<name>.MirroredDatabase, which is its alone. Inside of serve/api.
 *
 * No lake is in that of another, by whatever way its path is written. */
#ifndef TAIN_SERVE_API_PLACE_H
#define TAIN_SERVE_API_PLACE_H

#include "serve/api/call.h"

/* Makes a folder, or takes that which the definition names in properties.tain.lake and is there: below the service's lake and nobody's (INVALID), and
 * in the workspace's folder and named as its are, unless the caller is an administrator of the service (PERMISSION). Caller frees. */
tain_status tain_place_find(tain_call *c, const char *name, const json_t *definition, char **ret, bool *ret_made, tain_error *err);
/* INVALID when removing an item's folder could remove anything else. */
tain_status tain_place_check_removal(tain_call *c, const tain_control_item *i, tain_error *err);

#endif
