/* SPDX-License-Identifier: MIT */
#include "control/role.h"

#include "control/admins.h"
#include "control/statement.h"
#include "control/there.h"

static const char *const names[] = {"", "viewer", "contributor", "admin"};

const char *tain_control_role_name(tain_control_role role)
{
    return names[role];
}

tain_status tain_control_role_parse(const char *name, tain_control_role *ret, tain_error *err)
{
    for (int i = TAIN_CONTROL_VIEWER; i <= TAIN_CONTROL_ADMIN; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *ret = (tain_control_role)i;
        return TAIN_OK;
    }
    return tain_fail(err, TAIN_E_INVALID, "'%.40s' is no role; there are viewer, contributor and admin", name);
}

tain_control_role tain_control_role_least(tain_control_role a, tain_control_role b)
{
    return a < b ? a : b;
}

/* --- administrators ------------------------------------------------------------------------------------------------ */

tain_status tain_control_admins(tain_control *c, int64_t *ret, tain_error *err)
{
    return tain_sql_number(c, "SELECT count(*) FROM role r JOIN user u ON u.id = r.user WHERE r.workspace IS NULL AND r.role = ?1 AND NOT u.disabled",
                           TAIN_SQL_VALUES(tain_sql_int(TAIN_CONTROL_ADMIN)), ret, err);
}

tain_status tain_control_admins_left(tain_control *c, int64_t before, tain_error *err)
{
    int64_t now;
    TAIN_TRY(tain_control_admins(c, &now, err));
    if (before == 0 || now > 0) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "this is the last administrator of the service");
    tain_error_remedy(err, "make another user admin first");
    return st;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static tain_status replace(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err)
{
    TAIN_TRY(tain_sql_run(c, "DELETE FROM role WHERE user = ?1 AND workspace IS ?2", TAIN_SQL_VALUES(tain_sql_text(user), tain_sql_text(workspace)),
                          NULL, err));
    if (role == TAIN_CONTROL_NOBODY) return TAIN_OK;
    return tain_sql_run(c, "INSERT INTO role (user, workspace, role) VALUES (lower(?1), lower(?2), ?3)",
                        TAIN_SQL_VALUES(tain_sql_text(user), tain_sql_text(workspace), tain_sql_int(role)), NULL, err);
}

tain_status tain_control_role_put(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err)
{
    TAIN_TRY(tain_control_user_is_there(c, user, err));
    if (workspace) TAIN_TRY(tain_control_workspace_is_there(c, workspace, err));
    return replace(c, user, workspace, role, err);
}

static tain_status set(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err)
{
    int64_t admins;
    TAIN_TRY(tain_control_admins(c, &admins, err));
    TAIN_TRY(tain_control_role_put(c, user, workspace, role, err));
    return tain_control_admins_left(c, admins, err);
}

tain_status tain_control_role_set(tain_control *c, const char *user, const char *workspace, tain_control_role role, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, set(c, user, workspace, role, err), err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static tain_status get(tain_control *c, const char *user, const char *workspace, tain_control_role *ret, tain_error *err)
{
    int64_t role;
    TAIN_TRY(tain_control_user_is_there(c, user, err));
    TAIN_TRY(tain_sql_number(c, "SELECT max(r.role) FROM role r JOIN user u ON u.id = r.user WHERE r.user = ?1 AND NOT u.disabled"
                                " AND (r.workspace IS NULL OR r.workspace = ?2)",
                             TAIN_SQL_VALUES(tain_sql_text(user), tain_sql_text(workspace)), &role, err));
    *ret = (tain_control_role)role;
    return TAIN_OK;
}

tain_status tain_control_role_get(tain_control *c, const char *user, const char *workspace, tain_control_role *ret, tain_error *err)
{
    tain_control_read(c);
    return tain_control_done(c, get(c, user, workspace, ret, err));
}

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_grant *g = row;
    g->user = tain_sql_column_text(s, 0);
    g->workspace = tain_sql_column_text(s, 1);
    g->role = (tain_control_role)sqlite3_column_int(s, 2);
}

static void done_row(void *row)
{
    tain_control_grant *g = row;
    tain_free(g->user);
    tain_free(g->workspace);
}

static const tain_sql_kind kind = {"role", sizeof(tain_control_grant), read_row, done_row};

tain_status tain_control_role_list(tain_control *c, const char *user, tain_control_page page, tain_control_grants *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, "SELECT user, workspace, role, seq FROM role WHERE seq > ?1"
                                     " AND (?3 IS NULL OR user = ?3) ORDER BY seq LIMIT ?2",
                           TAIN_SQL_OLDEST_FIRST, page, TAIN_SQL_VALUES(tain_sql_text(user)), &rows, err));
    *ret = (tain_control_grants){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_grants_done(tain_control_grants *g)
{
    tain_sql_rows_done(&kind, g->rows, g->count, g->next);
    *g = (tain_control_grants){0};
}
