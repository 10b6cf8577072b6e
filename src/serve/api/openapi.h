/* SPDX-License-Identifier: MIT */
/* openapi.h -- requests held against openapi.json, so that what is described there is what is taken. Inside of serve/api.
 *
 * Of JSON Schema it knows what that file uses: type, properties, required, additionalProperties, items, enum, minLength, maxLength, minimum, maximum,
 * minItems, format uuid and date-time, pattern and propertyNames as far as POSIX has them (others are left to who reads the value), $ref to components. */
#ifndef TAIN_SERVE_API_OPENAPI_H
#define TAIN_SERVE_API_OPENAPI_H

#include "serve/api/call.h"

/* INVALID names the place and what should be there. An argument of the query that is not described is passed by. Thread: any. */
tain_status tain_openapi_check(const tain_call *c, const tain_route *route, tain_error *err);

#endif
