/* SPDX-License-Identifier: MIT */
/* gitfolder.h -- mirrored databases as a folder that Git can hold: <name>.MirroredDatabase/ with mirroring.json and .platform
 * each, as Fabric's own Git integration has them.
 *
 * The same one is known again by the logical id of its .platform, whatever it is called by then. Beside them is .tain.json,
 * which tells what tain apply has created from here in which workspace. */
#ifndef TAIN_CLI_GITFOLDER_H
#define TAIN_CLI_GITFOLDER_H

#include "cli/definitions.h"

#define TAIN_ITEM_SUFFIX ".MirroredDatabase"

/* What a .platform says; NULL where it does not. */
typedef struct tain_git_platform {
    char *name, *description; /* metadata.displayName and its */
    char *logical_id;         /* config.logicalId */
} tain_git_platform;
tain_status tain_git_platform_read(const tain_buffer *platform, const char *what, tain_git_platform *ret, tain_error *err);
void        tain_git_platform_done(tain_git_platform *p);
static inline void tain_git_platform_done_scope(tain_git_platform *p) { tain_git_platform_done(p); }

typedef struct tain_git_item {
    char             *folder;   /* its path */
    tain_git_platform platform; /* its name is the folder's where .platform says none */
    char             *state;    /* properties.tain.state: running, stopped, paused; NULL: as it is */
    tain_git_parts    parts;
} tain_git_item;

typedef struct tain_git_items {
    tain_git_item *list;
    size_t         count;
} tain_git_items;

/* All of them, by name of their folders. NOT_FOUND: no such folder; CORRUPT, INVALID name the file. */
tain_status tain_git_read(const char *folder, tain_git_items *ret, tain_error *err);
void        tain_git_items_done(tain_git_items *g);
static inline void tain_git_items_done_scope(tain_git_items *g) { tain_git_items_done(g); }

/* Writes one; *ret_changed: something there was not so before. A .platform that is missing is made, with that logical id. */
tain_status tain_git_write(const char *folder, const char *name, const char *logical_id, const tain_git_parts *parts, bool *ret_changed, tain_error *err);

/* Logical ids of what was created from here in a workspace: an object {id: true}, which is *ret's. */
tain_status tain_git_created(const char *folder, const char *workspace, json_t **ret, tain_error *err);
tain_status tain_git_set_created(const char *folder, const char *workspace, const json_t *created, tain_error *err);

#endif
