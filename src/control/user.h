/* SPDX-License-Identifier: MIT */
/* user.h -- who may come in. Names are unique in the service. A user without a password comes by token, or is known
 * elsewhere. Passwords are kept as scrypt hashes; one is worked out at a time, which takes 32 MiB and some 0.1 s. */
#ifndef TAIN_CONTROL_USER_H
#define TAIN_CONTROL_USER_H

#include "base/time.h"
#include "control/role.h"

typedef struct tain_control_user {
    char     *id, *name;
    bool      has_password, disabled;
    tain_time created, changed;
} tain_control_user;

typedef struct tain_control_users {
    tain_control_user *rows;
    size_t             count;
    char              *next;
} tain_control_users;

/* What of a user to change, all of it or nothing. */
typedef struct tain_control_user_change {
    bool                      with_password, with_disabled; /* whether that is to change */
    bool                      disabled;
    const char               *password; /* NULL takes it away */
    const tain_control_grant *grants;   /* roles to give, nobody's to take; whose they are does not matter */
    size_t                    count;
} tain_control_user_change;

/* password NULL: none; else 8 to 1,024 bytes. A new user has no role. */
tain_status tain_control_user_add(tain_control *c, const char *name, const char *password, char ret_id[static 37], tain_error *err);
/* With roles. NOT_FOUND names a workspace. */
tain_status tain_control_user_add_granted(tain_control *c, const char *name, const char *password, const tain_control_grant *grants, size_t count,
                                          char ret_id[static 37], tain_error *err);
/* INVALID: nobody would be left to administer the service. NOT_FOUND names the user or a workspace. */
tain_status tain_control_user_change_some(tain_control *c, const char *id, const tain_control_user_change *change, tain_error *err);
/* NULL takes it away. Sessions of the user end. */
tain_status tain_control_user_set_password(tain_control *c, const char *id, const char *password, tain_error *err);
/* A disabled user, and each token of it, is refused. INVALID: nobody would be left to administer the service. */
tain_status tain_control_user_disable(tain_control *c, const char *id, bool disabled, tain_error *err);
/* With roles and tokens. EXISTS: it owns mirrored databases. INVALID: nobody would be left to administer the service. */
tain_status tain_control_user_remove(tain_control *c, const char *id, tain_error *err);

/* Whose password it is. AUTH, after as much time and with the same words, when there is no such user, it is disabled,
 * it has no password or another. */
tain_status tain_control_user_verify(tain_control *c, const char *name, const char *password, char ret_id[static 37], tain_error *err);

tain_status tain_control_user_get(tain_control *c, const char *id, tain_control_user *ret, tain_error *err);
tain_status tain_control_user_find(tain_control *c, const char *name, tain_control_user *ret, tain_error *err);
tain_status tain_control_user_list(tain_control *c, tain_control_page page, tain_control_users *ret, tain_error *err);

void tain_control_user_done(tain_control_user *u);
void tain_control_users_done(tain_control_users *u);

#endif
