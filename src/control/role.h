/* SPDX-License-Identifier: MIT */
/* role.h -- what users may do: in the whole service, or in one workspace, where the larger of the two holds. */
#ifndef TAIN_CONTROL_ROLE_H
#define TAIN_CONTROL_ROLE_H

#include <stddef.h>

#include "control/control.h"

typedef enum tain_control_role {
    TAIN_CONTROL_NOBODY, /* nothing */
    TAIN_CONTROL_VIEWER, /* reads; each that follows may all that is before it */
    TAIN_CONTROL_CONTRIBUTOR,
    TAIN_CONTROL_ADMIN,
} tain_control_role;

typedef struct tain_control_grant {
    char             *user;
    char             *workspace; /* NULL: the whole service */
    tain_control_role role;
} tain_control_grant;

typedef struct tain_control_grants {
    tain_control_grant *rows;
    size_t              count;
    char               *next;
} tain_control_grants;

const char       *tain_control_role_name(tain_control_role role); /* "viewer"; "" for nobody */
/* INVALID lists the roles there are. */
tain_status       tain_control_role_parse(const char *name, tain_control_role *ret, tain_error *err);
/* What is allowed by both, as of a user and of the token that is used. */
tain_control_role tain_control_role_least(tain_control_role a, tain_control_role b);

/* Gives a user that role instead of the one before; TAIN_CONTROL_NOBODY takes it away. workspace NULL: in the whole service.
 * INVALID: nobody would be left to administer the service. */
tain_status tain_control_role_set(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err);
/* What a user may do in a workspace, or (NULL) in the service; nobody for a disabled one. NOT_FOUND: no such user. */
tain_status tain_control_role_get(tain_control *c, const char *user, const char *workspace, tain_control_role *ret, tain_error *err);
/* As they were given. user NULL: of all. */
tain_status tain_control_role_list(tain_control *c, const char *user, tain_control_page page, tain_control_grants *ret, tain_error *err);

void tain_control_grants_done(tain_control_grants *g);

#endif
