/* SPDX-License-Identifier: MIT */
/* names.h -- what people call the things of a service: looked up, as the service tells of them. NOT_FOUND says what there is.
 *
 * A mirrored database is "workspace/name", or "name" where that is one alone, or its id; workspaces and connections go by name or id. */
#ifndef TAIN_CLI_NAMES_H
#define TAIN_CLI_NAMES_H

#include "cli/client.h"

#define TAIN_DEFAULT_WORKSPACE "default"

/* Of GET /v1/mirrors. INVALID: several are called so. */
tain_status tain_names_mirror(const tain_client *c, const char *name, json_t **ret, tain_error *err);
/* name NULL: the only one that there is, or else TAIN_DEFAULT_WORKSPACE. */
tain_status tain_names_workspace(const tain_client *c, const char *name, json_t **ret, tain_error *err);
/* As above; one that is not there is made, which *ret_made tells. */
tain_status tain_names_make_workspace(const tain_client *c, const char *name, json_t **ret, bool *ret_made, tain_error *err);
tain_status tain_names_connection(const tain_client *c, const char *name, json_t **ret, tain_error *err);
/* One of any list ("/v1/users") by its displayName, name or id. */
tain_status tain_names_in(const tain_client *c, const char *path, const char *what, const char *name, json_t **ret, tain_error *err);

/* "workspace/name" of a row of /v1/mirrors. Caller frees. */
char *tain_names_full(const json_t *mirror);
/* Its path in the REST, and what is behind it ("/startMirroring"). Caller frees. */
char *tain_names_path(const json_t *mirror, const char *rest);
/* The same of a table of it, which is called schema.table, with a schema that has a point in it in double quotes. INVALID. */
tain_status tain_names_table_path(const json_t *mirror, const char *table, const char *rest, char **ret, tain_error *err);

#endif
