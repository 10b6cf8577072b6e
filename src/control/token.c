/* SPDX-License-Identifier: MIT */
#include "control/token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/text.h"
#include "control/statement.h"
#include "control/text.h"
#include "control/there.h"

#define USED_EVERY (60 * TAIN_SECOND)
enum { SECRET = 32, HASH = SHA256_DIGEST_LENGTH };

static tain_status unauthorised(tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_AUTH, "this token is not valid, or no longer");
    tain_error_remedy(err, "log in again, or ask an administrator for a token");
    return st;
}

/* The beginning of the hash leads to the row: how long that takes tells nothing of the text. */
static int64_t prefix_of(const uint8_t hash[static HASH])
{
    int64_t prefix;
    memcpy(&prefix, hash, sizeof prefix);
    return prefix;
}

static void hash_of(const char *text, size_t n, uint8_t ret[static HASH])
{
    SHA256((const uint8_t *)text, n, ret);
}

static void make_text(char ret[static TAIN_CONTROL_TOKEN_TEXT])
{
    uint8_t secret[SECRET];
    tain_random(secret, sizeof secret);
    memcpy(ret, "tain_", 5);
    for (int i = 0; i < SECRET; i++) snprintf(ret + 5 + 2 * i, 3, "%02x", secret[i]);
    OPENSSL_cleanse(secret, sizeof secret);
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static tain_status insert(tain_control *c, const tain_control_token *t, const uint8_t hash[static HASH], tain_error *err)
{
    TAIN_TRY(tain_control_user_is_there(c, t->user, err));
    TAIN_TRY(tain_sql_run(c, "DELETE FROM token WHERE session AND expires <= ?1", TAIN_SQL_VALUES(tain_sql_int(t->created)), NULL, err));
    tain_status st = tain_sql_run(
        c, "INSERT INTO token (id, user, name, role, session, prefix, hash, created, expires, used) VALUES (?1, lower(?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
        TAIN_SQL_VALUES(tain_sql_text(t->id), tain_sql_text(t->user), tain_sql_text(t->name), tain_sql_int(t->role), tain_sql_int(t->session),
                        tain_sql_int(prefix_of(hash)), tain_sql_bytes((tain_slice){hash, HASH}), tain_sql_int(t->created), tain_sql_int(t->expires)),
        NULL, err);
    return st == TAIN_E_EXISTS ? tain_fail(err, st, "this user has a token '%s' already", t->name) : st;
}

static tain_status add(tain_control *c, tain_control_token *t, char ret_id[static 37], char ret_text[static TAIN_CONTROL_TOKEN_TEXT], tain_error *err)
{
    char    id[37], text[TAIN_CONTROL_TOKEN_TEXT];
    uint8_t hash[HASH];
    tain_uuid_text(id);
    make_text(text);
    hash_of(text, sizeof text - 1, hash);
    t->id = id;
    TAIN_TRY(tain_control_write(c, err));
    TAIN_TRY(tain_control_written(c, insert(c, t, hash, err), err));
    memcpy(ret_id, id, sizeof id);
    memcpy(ret_text, text, sizeof text);
    return TAIN_OK;
}

tain_status tain_control_token_add(tain_control *c, const char *user, const char *name, tain_control_role role, tain_time expires,
                                   char ret_id[static 37], char ret_text[static TAIN_CONTROL_TOKEN_TEXT], tain_error *err)
{
    tain_control_token t = {.user = (char *)user, .name = (char *)name, .role = role, .created = tain_now(), .expires = expires};
    TAIN_TRY(tain_control_check_name("token", name, err));
    if (role == TAIN_CONTROL_NOBODY) return tain_fail(err, TAIN_E_INVALID, "a token needs a role");
    if (expires && expires <= t.created) return tain_fail(err, TAIN_E_INVALID, "a token cannot have expired when it is made");
    return add(c, &t, ret_id, ret_text, err);
}

tain_status tain_control_session_add(tain_control *c, const char *user, tain_time life, char ret_id[static 37],
                                     char ret_text[static TAIN_CONTROL_TOKEN_TEXT], tain_error *err)
{
    tain_time          now = tain_now();
    tain_control_token t = {.user = (char *)user, .name = "", .role = TAIN_CONTROL_ADMIN, .session = true, .created = now, .expires = now + life};
    if (life <= 0) return tain_fail(err, TAIN_E_INVALID, "a session needs some time");
    return add(c, &t, ret_id, ret_text, err);
}

tain_status tain_control_token_remove(tain_control *c, const char *id, tain_error *err)
{
    return tain_sql_change(c, "DELETE FROM token WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), "token", id, err);
}

/* --- verifying ----------------------------------------------------------------------------------------------------- */

static void read_caller(sqlite3_stmt *s, tain_control_caller *ret)
{
    snprintf(ret->user, sizeof ret->user, "%s", (const char *)sqlite3_column_text(s, 1));
    snprintf(ret->token, sizeof ret->token, "%s", (const char *)sqlite3_column_text(s, 2));
    ret->role = (tain_control_role)sqlite3_column_int(s, 3);
    ret->session = sqlite3_column_int(s, 4);
    ret->expires = sqlite3_column_int64(s, 5);
}

static tain_status look_up(tain_control *c, const uint8_t hash[static HASH], tain_time now, tain_control_caller *ret, tain_time *ret_used,
                           tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, "SELECT t.hash, t.user, t.id, t.role, t.session, t.expires, t.used FROM token t JOIN user u ON u.id = t.user"
                               " WHERE t.prefix = ?1 AND NOT u.disabled AND (t.expires = 0 OR t.expires > ?2)",
                            TAIN_SQL_VALUES(tain_sql_int(prefix_of(hash)), tain_sql_int(now)), &s, err));
    for (;;) {
        TAIN_TRY(tain_sql_row(c, s, &row, err));
        if (!row) return unauthorised(err);
        if (sqlite3_column_bytes(s, 0) == HASH && CRYPTO_memcmp(sqlite3_column_blob(s, 0), hash, HASH) == 0) break;
    }
    read_caller(s, ret);
    *ret_used = sqlite3_column_int64(s, 6);
    return TAIN_OK;
}

static void note_use(tain_control *c, const char *id, tain_time now)
{
    if (tain_control_write(c, NULL) != TAIN_OK) return;
    tain_status st = tain_sql_run(c, "UPDATE token SET used = ?2 WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_int(now)), NULL, NULL);
    (void)!tain_control_written(c, st, NULL);
}

tain_status tain_control_token_verify(tain_control *c, const char *text, tain_control_caller *ret, tain_error *err)
{
    uint8_t             hash[HASH];
    tain_time           now = tain_now(), used = 0;
    tain_control_caller caller;
    hash_of(text, strnlen(text, TAIN_CONTROL_TOKEN_TEXT), hash);
    tain_control_read(c);
    TAIN_TRY(tain_control_done(c, look_up(c, hash, now, &caller, &used, err)));
    if (now - used >= USED_EVERY || used > now) note_use(c, caller.token, now);
    *ret = caller;
    return TAIN_OK;
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_token *t = row;
    t->id = tain_sql_column_text(s, 0);
    t->user = tain_sql_column_text(s, 1);
    t->name = tain_sql_column_text(s, 2);
    t->role = (tain_control_role)sqlite3_column_int(s, 3);
    t->session = sqlite3_column_int(s, 4);
    t->created = sqlite3_column_int64(s, 5);
    t->expires = sqlite3_column_int64(s, 6);
    t->used = sqlite3_column_int64(s, 7);
}

static void done_row(void *row)
{
    tain_control_token *t = row;
    tain_free(t->id);
    tain_free(t->user);
    tain_free(t->name);
}

static const tain_sql_kind kind = {"token", sizeof(tain_control_token), read_row, done_row};

tain_status tain_control_token_list(tain_control *c, const char *user, tain_control_page page, tain_control_tokens *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, "SELECT id, user, name, role, session, created, expires, used, seq FROM token"
                                     " WHERE seq > ?1 AND (?3 IS NULL OR user = ?3) ORDER BY seq LIMIT ?2",
                           TAIN_SQL_OLDEST_FIRST, page, TAIN_SQL_VALUES(tain_sql_text(user)), &rows, err));
    *ret = (tain_control_tokens){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_tokens_done(tain_control_tokens *t)
{
    tain_sql_rows_done(&kind, t->rows, t->count, t->next);
    *t = (tain_control_tokens){0};
}
