/* SPDX-License-Identifier: MIT */
/* item.h -- the mirrored databases of a service: what they are by definition, and what is wanted of them.
 *
 * Names are unique in a workspace. The definition and its .platform are kept byte for byte as they were given: nobody here
 * reads them, and they must hold no password. What a mirror does is its worker's to know; `state` is what it should do. */
#ifndef TAIN_CONTROL_ITEM_H
#define TAIN_CONTROL_ITEM_H

#include "base/buffer.h"
#include "base/time.h"
#include "control/control.h"

typedef enum tain_control_state { TAIN_CONTROL_STOPPED, TAIN_CONTROL_RUNNING, TAIN_CONTROL_PAUSED } tain_control_state;

typedef struct tain_control_item {
    char              *id, *workspace, *name, *description;
    char              *logical_id; /* what it is in Git, where a copy of it is the same item */
    char              *owner;      /* a user's id, or NULL */
    char              *lake;       /* URL or folder, without secrets */
    tain_control_state state;
    tain_buffer        definition; /* mirroring.json */
    tain_buffer        platform;   /* .platform; empty: none was given */
    tain_time          created, changed;
} tain_control_item;

typedef struct tain_control_items {
    tain_control_item *rows;
    size_t             count;
    char              *next;
} tain_control_items;

/* What of an item to change; NULL, or data NULL, leaves it as it is. */
typedef struct tain_control_item_change {
    const char *name, *description, *logical_id, *lake;
    tain_slice  definition, platform;
    tain_slice  if_definition; /* only where the definition is this one still; CONFLICT: it is not */
} tain_control_item_change;

/* id, created and changed are made here, whatever they are in item; so are logical_id and description where NULL. NOT_FOUND: there
 * is no such workspace or owner. */
tain_status tain_control_item_add(tain_control *c, const tain_control_item *item, char ret_id[static 37], tain_error *err);
tain_status tain_control_item_change_some(tain_control *c, const char *id, const tain_control_item_change *change, tain_error *err);
tain_status tain_control_item_want(tain_control *c, const char *id, tain_control_state state, tain_error *err);
/* owner NULL: nobody. NOT_FOUND names the item or the user. */
tain_status tain_control_item_transfer(tain_control *c, const char *id, const char *owner, tain_error *err);
/* Its records of executions stay. */
tain_status tain_control_item_remove(tain_control *c, const char *id, tain_error *err);

tain_status tain_control_item_get(tain_control *c, const char *id, tain_control_item *ret, tain_error *err);
tain_status tain_control_item_find(tain_control *c, const char *workspace, const char *name, tain_control_item *ret, tain_error *err);
/* Without definition and platform, which are empty. workspace NULL: of all. */
tain_status tain_control_item_list(tain_control *c, const char *workspace, tain_control_page page, tain_control_items *ret, tain_error *err);

void tain_control_item_done(tain_control_item *i);
void tain_control_items_done(tain_control_items *i);

#endif
