/* SPDX-License-Identifier: MIT */
/* definitions.h -- definitions of mirrored databases on their way to a service and back: parts of Fabric's shape, base64 in
 * JSON, which are kept byte for byte. */
#ifndef TAIN_CLI_DEFINITIONS_H
#define TAIN_CLI_DEFINITIONS_H

#include "base/buffer.h"
#include "cli/client.h"

#define TAIN_DEFINITION_FILE "mirroring.json"
#define TAIN_PLATFORM_FILE   ".platform"

/* What a mirrored database is, as its folder in Git has it. */
typedef struct tain_git_parts {
    tain_buffer mirroring; /* mirroring.json */
    tain_buffer platform;  /* .platform; empty: none */
} tain_git_parts;
void tain_git_parts_done(tain_git_parts *p);

/* {"definition":{"parts":[...]}}, to which more may be added. */
json_t     *tain_git_parts_to_json(const tain_git_parts *p);
/* From the answer of getDefinition. CORRUPT: it is none. */
tain_status tain_git_parts_from_json(const json_t *answer, tain_git_parts *ret, tain_error *err);

/* Of a mirrored database of that workspace. */
tain_status tain_git_parts_get(const tain_client *c, const char *workspace, const char *id, tain_git_parts *ret, tain_error *err);

#endif
