/* SPDX-License-Identifier: MIT */
#include "control/connection.h"

#include "base/text.h"
#include "control/seal.h"
#include "control/statement.h"
#include "control/text.h"

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_connection *n = row;
    n->id = tain_sql_column_text(s, 0);
    n->name = tain_sql_column_text(s, 1);
    n->url = tain_sql_column_text(s, 2);
    n->reference = tain_sql_column_text(s, 3);
    n->sealed = sqlite3_column_int(s, 4);
    n->created = sqlite3_column_int64(s, 5);
    n->changed = sqlite3_column_int64(s, 6);
    n->pointed = sqlite3_column_int64(s, 7);
    n->trusted = sqlite3_column_int(s, 8);
}

static void done_row(void *row)
{
    tain_control_connection_done(row);
}

static const tain_sql_kind kind = {"connection", sizeof(tain_control_connection), read_row, done_row};
#define SELECT "SELECT id, name, url, reference, sealed IS NOT NULL, created, changed, pointed, trusted, seq FROM connection "

static tain_status name_taken(tain_status st, const char *name, tain_error *err)
{
    return st == TAIN_E_EXISTS ? tain_fail(err, st, "there is a connection '%s' already", name) : st;
}

/* --- secrets as they are stored ------------------------------------------------------------------------------------ */

typedef struct stored {
    const char *reference; /* borrowed */
    tain_buffer sealed;    /* empty: none */
} stored;

/* What a secret is sealed for: nobody can make it another connection's, or send it to another server. */
static void bind_to(const char *id, const char *url, tain_buffer *ret)
{
    tain_buffer_append(ret, id, strlen(id) + 1);
    tain_buffer_append_str(ret, url);
}

static tain_status seal(tain_control *c, const char *id, const char *url, const char *secret, tain_buffer *ret, tain_error *err)
{
    uint8_t     key[TAIN_SEAL_KEY];
    tain_buffer bound = {0};
    TAIN_TRY(tain_seal_key(c, true, key, err));
    bind_to(id, url, &bound);
    tain_status st = tain_seal(key, tain_buffer_slice(&bound), secret, ret, err);
    tain_seal_wipe(key, sizeof key);
    tain_buffer_done(&bound);
    return st;
}

static tain_status store(tain_control *c, const char *id, const char *url, const char *secret, stored *ret, tain_error *err)
{
    if (!secret) return TAIN_OK;
    if (!tain_secret_is_reference(secret)) return seal(c, id, url, secret, &ret->sealed, err);
    ret->reference = secret;
    return TAIN_OK;
}

static tain_sql_value sealed_value(const stored *s)
{
    return s->sealed.size ? tain_sql_bytes(tain_buffer_slice(&s->sealed)) : tain_sql_null();
}

static tain_status check_secret(const char *secret, tain_error *err)
{
    if (!secret) return TAIN_OK;
    size_t n = strnlen(secret, 4097);
    return n > 0 && n <= 4096 ? TAIN_OK : tain_fail(err, TAIN_E_INVALID, "a secret has 1 to 4,096 bytes");
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static tain_status insert(tain_control *c, const char *id, const char *name, const char *url, const char *secret, tain_error *err)
{
    stored s = {0};
    TAIN_TRY(store(c, id, url, secret, &s, err));
    tain_status st = tain_sql_run(c, "INSERT INTO connection (id, name, url, reference, sealed, created, changed, pointed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)",
                                  TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(name), tain_sql_text(url), tain_sql_text(s.reference),
                                                  sealed_value(&s), tain_sql_int(tain_now())),
                                  NULL, err);
    tain_buffer_done(&s.sealed);
    return name_taken(st, name, err);
}

tain_status tain_control_connection_add(tain_control *c, const char *name, const char *url, const char *secret, char ret_id[static 37],
                                        tain_error *err)
{
    char id[37];
    tain_uuid_text(id);
    TAIN_TRY(tain_control_check_name(kind.what, name, err));
    TAIN_TRY(tain_control_check_address(url, err));
    TAIN_TRY(check_secret(secret, err));
    TAIN_TRY(tain_control_write(c, err));
    TAIN_TRY(tain_control_written(c, insert(c, id, name, url, secret, err), err));
    memcpy(ret_id, id, sizeof id);
    return TAIN_OK;
}

tain_status tain_control_connection_rename(tain_control *c, const char *id, const char *name, tain_error *err)
{
    TAIN_TRY(tain_control_check_name(kind.what, name, err));
    tain_status st = tain_sql_change(c, "UPDATE connection SET name = ?2, changed = ?3 WHERE id = ?1",
                                     TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(name), tain_sql_int(tain_now())), kind.what, id, err);
    return name_taken(st, name, err);
}

/* url NULL: the one that is stored. */
static tain_status put_secret(tain_control *c, const char *id, const char *url, const char *secret, tain_error *err)
{
    tain_control_connection now;
    stored                  s = {0};
    TAIN_TRY(tain_sql_one(c, &kind, SELECT "WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), id, &now, err));
    if (!url) url = now.url;
    tain_status st = store(c, now.id, url, secret, &s, err);
    if (st == TAIN_OK)
        st = tain_sql_run(c, "UPDATE connection SET url = ?2, reference = ?3, sealed = ?4, changed = ?5, pointed = ?5, trusted = trusted AND url = ?2 WHERE id = ?1",
                          TAIN_SQL_VALUES(tain_sql_text(now.id), tain_sql_text(url), tain_sql_text(s.reference), sealed_value(&s),
                                          tain_sql_int(tain_now())),
                          NULL, err);
    tain_buffer_done(&s.sealed);
    tain_control_connection_done(&now);
    return st;
}

tain_status tain_control_connection_repoint(tain_control *c, const char *id, const char *url, const char *secret, tain_error *err)
{
    TAIN_TRY(tain_control_check_address(url, err));
    TAIN_TRY(check_secret(secret, err));
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, put_secret(c, id, url, secret, err), err);
}

tain_status tain_control_connection_rotate(tain_control *c, const char *id, const char *secret, tain_error *err)
{
    TAIN_TRY(check_secret(secret ? secret : "", err));
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, put_secret(c, id, NULL, secret, err), err);
}

tain_status tain_control_connection_trust(tain_control *c, const char *id, const char *url, tain_error *err)
{
    return tain_sql_change(c, "UPDATE connection SET trusted = 1 WHERE id = ?1 AND url = ?2", TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(url)),
                           kind.what, id, err);
}

tain_status tain_control_connection_remove(tain_control *c, const char *id, tain_error *err)
{
    return tain_sql_change(c, "DELETE FROM connection WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), kind.what, id, err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

tain_status tain_control_connection_get(tain_control *c, const char *id, tain_control_connection *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), id, ret, err);
}

tain_status tain_control_connection_find(tain_control *c, const char *name, tain_control_connection *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE name = ?1", TAIN_SQL_VALUES(tain_sql_text(name)), name, ret, err);
}

tain_status tain_control_connection_list(tain_control *c, tain_control_page page, tain_control_connections *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, SELECT "WHERE seq > ?1 ORDER BY seq LIMIT ?2", TAIN_SQL_OLDEST_FIRST, page, NULL, 0, &rows, err));
    *ret = (tain_control_connections){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

static tain_status unseal(tain_control *c, sqlite3_stmt *s, char **ret, tain_error *err)
{
    uint8_t     key[TAIN_SEAL_KEY];
    tain_buffer bound = {0}, sealed = {0};
    bind_to((const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1), &bound);
    tain_sql_column_bytes(s, 3, &sealed);
    tain_status st = tain_seal_key(c, false, key, err);
    if (st == TAIN_OK) st = tain_unseal(key, tain_buffer_slice(&bound), tain_buffer_slice(&sealed), ret, err);
    tain_seal_wipe(key, sizeof key);
    tain_buffer_done(&bound);
    tain_buffer_done(&sealed);
    if (st == TAIN_E_CORRUPT) tain_error_remedy(err, "give the connection its password again");
    return st;
}

/* *ret is the secret, or *ret_reference what to look it up by: that may take time, and others wait. */
static tain_status open_secret(tain_control *c, const char *id, char **ret, char **ret_reference, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, "SELECT id, url, reference, sealed FROM connection WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    if (!row) return tain_sql_unknown(kind.what, id, err);
    *ret_reference = tain_sql_column_text(s, 2);
    return sqlite3_column_type(s, 3) == SQLITE_NULL ? TAIN_OK : unseal(c, s, ret, err);
}

tain_status tain_control_connection_secret(tain_control *c, const char *id, char **ret, tain_error *err)
{
    char *secret = NULL, *reference = NULL;
    tain_control_read(c);
    tain_status st = tain_control_done(c, open_secret(c, id, &secret, &reference, err));
    if (st == TAIN_OK && reference) st = tain_secret_resolve(reference, &secret, err);
    tain_free(reference);
    if (st == TAIN_OK) *ret = secret;
    else tain_error_context(err, "connection %s", id);
    return st;
}

void tain_control_secret_free(char *secret)
{
    if (secret) tain_seal_wipe(secret, strlen(secret));
    tain_free(secret);
}

void tain_control_connection_done(tain_control_connection *n)
{
    tain_free(n->id);
    tain_free(n->name);
    tain_free(n->url);
    tain_free(n->reference);
    *n = (tain_control_connection){0};
}

void tain_control_connections_done(tain_control_connections *n)
{
    tain_sql_rows_done(&kind, n->rows, n->count, n->next);
    *n = (tain_control_connections){0};
}
