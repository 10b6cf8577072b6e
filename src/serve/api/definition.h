/* SPDX-License-Identifier: MIT */
/* definition.h -- definitions as they travel: {"parts":[{"path","payload","payloadType":"InlineBase64"}]}. Inside of serve/api.
 *
 * What was given as mirroring.json and .platform is given back byte for byte. */
#ifndef TAIN_SERVE_API_DEFINITION_H
#define TAIN_SERVE_API_DEFINITION_H

#include "serve/api/call.h"

typedef struct tain_parts {
    tain_buffer definition, platform; /* empty: not given */
} tain_parts;

/* definition NULL: both are empty. CorruptedPayload names the part and what is wrong with it. */
tain_status tain_parts_read(tain_call *c, const json_t *definition, tain_parts *ret, tain_error *err);
void        tain_parts_done(tain_parts *p);

/* What .platform says. */
typedef struct tain_platform {
    char *name, *description, *logical_id; /* NULL: it does not say */
} tain_platform;
tain_status tain_platform_read(tain_call *c, tain_slice platform, tain_platform *ret, tain_error *err);
void        tain_platform_done(tain_platform *p);
/* .platform as the item has it, or as it is now called: what was given, with name and description as they are today. */
void        tain_platform_write(const tain_control_item *i, tain_buffer *out);

/* What a mirror is where nothing was given: open mirroring. */
extern const char tain_definition_empty[];

#endif
