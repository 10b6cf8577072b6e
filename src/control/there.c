/* SPDX-License-Identifier: MIT */
#include "control/there.h"

static tain_status is_there(tain_control *c, const char *sql, const char *what, const char *id, tain_error *err)
{
    int64_t n;
    TAIN_TRY(tain_sql_number(c, sql, TAIN_SQL_VALUES(tain_sql_text(id)), &n, err));
    return n ? TAIN_OK : tain_sql_unknown(what, id, err);
}

tain_status tain_control_user_is_there(tain_control *c, const char *id, tain_error *err)
{
    return is_there(c, "SELECT count(*) FROM user WHERE id = ?1", "user", id, err);
}

tain_status tain_control_workspace_is_there(tain_control *c, const char *id, tain_error *err)
{
    return is_there(c, "SELECT count(*) FROM workspace WHERE id = ?1", "workspace", id, err);
}
