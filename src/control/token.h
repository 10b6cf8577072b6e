/* SPDX-License-Identifier: MIT */
/* token.h -- what a user comes in by: API tokens, and sessions of the page, which are the same but for their shorter life.
 *
 * A token's text is `tain_` and 64 hex digits, which are 32 random bytes. It is shown once; kept is its SHA-256. The text is hashed
 * as it comes and never taken apart; what is compared is hashes, in constant time. */
#ifndef TAIN_CONTROL_TOKEN_H
#define TAIN_CONTROL_TOKEN_H

#include "base/time.h"
#include "control/role.h"

enum { TAIN_CONTROL_TOKEN_TEXT = 5 + 64 + 1 };

typedef struct tain_control_token {
    char             *id, *user;
    char             *name;    /* "" of a session */
    tain_control_role role;    /* no more than this is allowed by it, whatever its user may do */
    bool              session;
    tain_time         created;
    tain_time         expires; /* 0: never */
    tain_time         used;    /* last, to the minute; 0: never */
} tain_control_token;

typedef struct tain_control_tokens {
    tain_control_token *rows;
    size_t              count;
    char               *next;
} tain_control_tokens;

/* Who is calling. */
typedef struct tain_control_caller {
    char              user[37], token[37];
    tain_control_role role; /* of the token: see tain_control_role_least */
    bool              session;
    tain_time         expires; /* 0: never */
} tain_control_caller;

/* Names are unique among a user's tokens. expires 0: never; INVALID if it is past. Expired sessions of anybody are removed. */
tain_status tain_control_token_add(tain_control *c, const char *user, const char *name, tain_control_role role, tain_time expires,
                                   char ret_id[static 37], char ret_text[static TAIN_CONTROL_TOKEN_TEXT], tain_error *err);
/* A session, from now on for `life` microseconds, with all that the user may do. */
tain_status tain_control_session_add(tain_control *c, const char *user, tain_time life, char ret_id[static 37],
                                     char ret_text[static TAIN_CONTROL_TOKEN_TEXT], tain_error *err);
/* Also how a session ends. */
tain_status tain_control_token_remove(tain_control *c, const char *id, tain_error *err);

/* Whose token it is. AUTH, with the same words, when it is unknown, expired, or its user disabled. Writes when it was used, at most once a
 * minute; a database that cannot be written to keeps nobody out. */
tain_status tain_control_token_verify(tain_control *c, const char *text, tain_control_caller *ret, tain_error *err);

/* user NULL: of all. */
tain_status tain_control_token_list(tain_control *c, const char *user, tain_control_page page, tain_control_tokens *ret, tain_error *err);
void        tain_control_tokens_done(tain_control_tokens *t);

#endif
