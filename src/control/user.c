/* SPDX-License-Identifier: MIT */
#include "control/user.h"

#include <stdio.h>

#include "base/text.h"
#include "control/admins.h"
#include "control/password.h"
#include "control/statement.h"
#include "control/text.h"

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_user *u = row;
    u->id = tain_sql_column_text(s, 0);
    u->name = tain_sql_column_text(s, 1);
    u->has_password = sqlite3_column_int(s, 2);
    u->disabled = sqlite3_column_int(s, 3);
    u->created = sqlite3_column_int64(s, 4);
    u->changed = sqlite3_column_int64(s, 5);
}

static void done_row(void *row)
{
    tain_control_user_done(row);
}

static const tain_sql_kind kind = {"user", sizeof(tain_control_user), read_row, done_row};
#define SELECT "SELECT id, name, hash IS NOT NULL, disabled, created, changed, seq FROM user "

/* --- passwords ----------------------------------------------------------------------------------------------------- */

/* Outside of the database: others go on meanwhile. */
static tain_status make_password(tain_control *c, const char *text, tain_password *ret, tain_error *err)
{
    if (!text) return TAIN_OK;
    pthread_mutex_lock(&c->hashing);
    tain_status st = tain_password_make(text, ret, err);
    pthread_mutex_unlock(&c->hashing);
    return st;
}

/* Three values: cost, salt, hash. */
#define PASSWORD_VALUES(given, p)                                                                          \
    given ? tain_sql_int((p).cost) : tain_sql_null(),                                                      \
    given ? tain_sql_bytes((tain_slice){(p).salt, sizeof (p).salt}) : tain_sql_null(),                     \
    given ? tain_sql_bytes((tain_slice){(p).hash, sizeof (p).hash}) : tain_sql_null()

typedef struct found {
    bool          there;
    char          id[37];
    tain_password password; /* of nobody, unless there */
} found;

static void copy_found(sqlite3_stmt *s, found *ret)
{
    const void *salt = sqlite3_column_blob(s, 2), *hash = sqlite3_column_blob(s, 3);
    ret->there = sqlite3_column_bytes(s, 2) == TAIN_PASSWORD_SALT && sqlite3_column_bytes(s, 3) == TAIN_PASSWORD_HASH;
    if (!ret->there) return;
    snprintf(ret->id, sizeof ret->id, "%s", (const char *)sqlite3_column_text(s, 0));
    ret->password.cost = sqlite3_column_int(s, 1);
    memcpy(ret->password.salt, salt, TAIN_PASSWORD_SALT);
    memcpy(ret->password.hash, hash, TAIN_PASSWORD_HASH);
}

static tain_status look_up(tain_control *c, const char *name, found *ret, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, "SELECT id, cost, salt, hash FROM user WHERE name = ?1 AND hash IS NOT NULL AND NOT disabled",
                            TAIN_SQL_VALUES(tain_sql_text(name)), &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    if (row) copy_found(s, ret);
    return TAIN_OK;
}

/* Who is not there takes as long as who is. */
tain_status tain_control_user_verify(tain_control *c, const char *name, const char *password, char ret_id[static 37], tain_error *err)
{
    found u = {.password.cost = TAIN_PASSWORD_COST};
    bool  right;
    tain_control_read(c);
    TAIN_TRY(tain_control_done(c, look_up(c, name, &u, err)));
    pthread_mutex_lock(&c->hashing);
    tain_status st = tain_password_is(&u.password, password, &right, err);
    pthread_mutex_unlock(&c->hashing);
    TAIN_TRY(st);
    if (!right || !u.there) return tain_fail(err, TAIN_E_AUTH, "user or password is wrong");
    memcpy(ret_id, u.id, sizeof u.id);
    return TAIN_OK;
}

static tain_status put_password(tain_control *c, const char *id, bool given, const tain_password *p, tain_error *err)
{
    TAIN_TRY(tain_sql_run_on(c, "UPDATE user SET cost = ?2, salt = ?3, hash = ?4, changed = ?5 WHERE id = ?1",
                             TAIN_SQL_VALUES(tain_sql_text(id), PASSWORD_VALUES(given, *p), tain_sql_int(tain_now())), kind.what, id, err));
    return tain_sql_run(c, "DELETE FROM token WHERE user = ?1 AND session", TAIN_SQL_VALUES(tain_sql_text(id)), NULL, err);
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static tain_status insert(tain_control *c, const char *id, const char *name, bool given, const tain_password *p, tain_error *err)
{
    tain_status st = tain_sql_run(c, "INSERT INTO user (id, name, cost, salt, hash, created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                                  TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(name), PASSWORD_VALUES(given, *p), tain_sql_int(tain_now())),
                                  NULL, err);
    return st == TAIN_E_EXISTS ? tain_fail(err, st, "there is a user '%s' already", name) : st;
}

static tain_status grant(tain_control *c, const char *id, const tain_control_grant *grants, size_t count, tain_error *err)
{
    for (size_t i = 0; i < count; i++) TAIN_TRY(tain_control_role_put(c, id, grants[i].workspace, grants[i].role, err));
    return TAIN_OK;
}

tain_status tain_control_user_add_granted(tain_control *c, const char *name, const char *password, const tain_control_grant *grants, size_t count,
                                          char ret_id[static 37], tain_error *err)
{
    char          id[37];
    tain_password p = {0};
    tain_uuid_text(id);
    TAIN_TRY(tain_control_check_name(kind.what, name, err));
    TAIN_TRY(make_password(c, password, &p, err));
    TAIN_TRY(tain_control_write(c, err));
    tain_status st = insert(c, id, name, password != NULL, &p, err);
    if (st == TAIN_OK) st = grant(c, id, grants, count, err);
    TAIN_TRY(tain_control_written(c, st, err));
    memcpy(ret_id, id, sizeof id);
    return TAIN_OK;
}

tain_status tain_control_user_add(tain_control *c, const char *name, const char *password, char ret_id[static 37], tain_error *err)
{
    return tain_control_user_add_granted(c, name, password, NULL, 0, ret_id, err);
}

static tain_status put(tain_control *c, const char *id, const tain_control_user_change *to, const tain_password *p, tain_error *err)
{
    int64_t admins;
    TAIN_TRY(tain_control_admins(c, &admins, err));
    if (to->with_password) TAIN_TRY(put_password(c, id, to->password != NULL, p, err));
    if (to->with_disabled)
        TAIN_TRY(tain_sql_run_on(c, "UPDATE user SET disabled = ?2, changed = ?3 WHERE id = ?1",
                                 TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_int(to->disabled), tain_sql_int(tain_now())), kind.what, id, err));
    TAIN_TRY(grant(c, id, to->grants, to->count, err));
    return tain_control_admins_left(c, admins, err);
}

tain_status tain_control_user_change_some(tain_control *c, const char *id, const tain_control_user_change *change, tain_error *err)
{
    tain_password p = {0};
    if (change->with_password) TAIN_TRY(make_password(c, change->password, &p, err));
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, put(c, id, change, &p, err), err);
}

tain_status tain_control_user_set_password(tain_control *c, const char *id, const char *password, tain_error *err)
{
    return tain_control_user_change_some(c, id, &(tain_control_user_change){.with_password = true, .password = password}, err);
}

tain_status tain_control_user_disable(tain_control *c, const char *id, bool disabled, tain_error *err)
{
    return tain_control_user_change_some(c, id, &(tain_control_user_change){.with_disabled = true, .disabled = disabled}, err);
}

static tain_status owns(int64_t items, const char *id, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_EXISTS, "user %s owns %lld mirrored databases", id, (long long)items);
    tain_error_remedy(err, "hand these over first");
    return st;
}

static tain_status delete(tain_control *c, const char *id, tain_error *err)
{
    int64_t items, admins;
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM item WHERE owner = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), &items, err));
    if (items) return owns(items, id, err);
    TAIN_TRY(tain_control_admins(c, &admins, err));
    TAIN_TRY(tain_sql_run_on(c, "DELETE FROM user WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), kind.what, id, err));
    return tain_control_admins_left(c, admins, err);
}

tain_status tain_control_user_remove(tain_control *c, const char *id, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, delete(c, id, err), err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

tain_status tain_control_user_get(tain_control *c, const char *id, tain_control_user *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), id, ret, err);
}

tain_status tain_control_user_find(tain_control *c, const char *name, tain_control_user *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE name = ?1", TAIN_SQL_VALUES(tain_sql_text(name)), name, ret, err);
}

tain_status tain_control_user_list(tain_control *c, tain_control_page page, tain_control_users *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, SELECT "WHERE seq > ?1 ORDER BY seq LIMIT ?2", TAIN_SQL_OLDEST_FIRST, page, NULL, 0, &rows, err));
    *ret = (tain_control_users){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_user_done(tain_control_user *u)
{
    tain_free(u->id);
    tain_free(u->name);
    *u = (tain_control_user){0};
}

void tain_control_users_done(tain_control_users *u)
{
    tain_sql_rows_done(&kind, u->rows, u->count, u->next);
    *u = (tain_control_users){0};
}
