/* SPDX-License-Identifier: MIT */
/* item.h -- what is read off a mirrored database's definition. Inside of serve/api. */
#ifndef TAIN_SERVE_API_ITEM_H
#define TAIN_SERVE_API_ITEM_H

#include "base/folder.h"
#include "serve/api/call.h"

/* NULL: it cannot be read. Caller json_decref()s. */
json_t     *tain_item_definition(const tain_control_item *i);
/* Id of the connection that it names, borrowed; NULL: none. */
const char *tain_item_connection(const json_t *definition);

#endif
