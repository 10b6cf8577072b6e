/* SPDX-License-Identifier: MIT */
#include "control/workspace.h"

#include "base/text.h"
#include "control/statement.h"
#include "control/text.h"

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_workspace *w = row;
    w->id = tain_sql_column_text(s, 0);
    w->name = tain_sql_column_text(s, 1);
    w->description = tain_sql_column_text(s, 2);
    w->capacity = tain_sql_column_text(s, 3);
    w->created = sqlite3_column_int64(s, 4);
    w->changed = sqlite3_column_int64(s, 5);
}

static void done_row(void *row)
{
    tain_control_workspace_done(row);
}

static const tain_sql_kind kind = {"workspace", sizeof(tain_control_workspace), read_row, done_row};
#define SELECT "SELECT id, name, description, capacity, created, changed, seq FROM workspace "

static tain_status name_taken(tain_status st, const char *name, tain_error *err)
{
    return st == TAIN_E_EXISTS ? tain_fail(err, st, "there is a workspace '%s' already", name) : st;
}

static tain_status check(const char *name, const char *description, tain_error *err)
{
    TAIN_TRY(tain_control_check_name("workspace", name, err));
    return tain_control_check_description(description, err);
}

static tain_status insert(tain_control *c, const char *id, const char *name, const char *description, const char *capacity, tain_error *err)
{
    tain_status st = tain_sql_run(
        c, "INSERT INTO workspace (id, name, description, capacity, created, changed) VALUES (?1, ?2, coalesce(?3, ''), lower(?4), ?5, ?5)",
        TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(name), tain_sql_text(description), tain_sql_text(capacity), tain_sql_int(tain_now())),
        NULL, err);
    return name_taken(st, name, err);
}

tain_status tain_control_workspace_add(tain_control *c, const char *name, const char *description, const char *capacity, char ret_id[static 37],
                                       tain_error *err)
{
    char id[37], made_up[37];
    tain_uuid_text(id);
    tain_uuid_text(made_up);
    TAIN_TRY(check(name, description, err));
    TAIN_TRY(tain_control_write(c, err));
    TAIN_TRY(tain_control_written(c, insert(c, id, name, description, capacity ? capacity : made_up, err), err));
    memcpy(ret_id, id, sizeof id);
    return TAIN_OK;
}

static tain_status update(tain_control *c, const char *id, const char *name, const char *description, tain_error *err)
{
    tain_status st = tain_sql_run_on(
        c, "UPDATE workspace SET name = coalesce(?2, name), description = coalesce(?3, description), changed = ?4 WHERE id = ?1",
        TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(name), tain_sql_text(description), tain_sql_int(tain_now())), kind.what, id, err);
    return name_taken(st, name, err);
}

tain_status tain_control_workspace_change(tain_control *c, const char *id, const char *name, const char *description, tain_error *err)
{
    TAIN_TRY(check(name ? name : "unchanged", description, err));
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, update(c, id, name, description, err), err);
}

static tain_status delete(tain_control *c, const char *id, tain_error *err)
{
    int64_t items;
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM item WHERE workspace = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), &items, err));
    if (items == 0) return tain_sql_run_on(c, "DELETE FROM workspace WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), kind.what, id, err);
    tain_status st = tain_fail(err, TAIN_E_EXISTS, "workspace %s has %lld mirrored databases", id, (long long)items);
    tain_error_remedy(err, "remove these first");
    return st;
}

tain_status tain_control_workspace_remove(tain_control *c, const char *id, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, delete(c, id, err), err);
}

tain_status tain_control_workspace_get(tain_control *c, const char *id, tain_control_workspace *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), id, ret, err);
}

tain_status tain_control_workspace_find(tain_control *c, const char *name, tain_control_workspace *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, SELECT "WHERE name = ?1", TAIN_SQL_VALUES(tain_sql_text(name)), name, ret, err);
}

tain_status tain_control_workspace_list(tain_control *c, tain_control_page page, tain_control_workspaces *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, SELECT "WHERE seq > ?1 ORDER BY seq LIMIT ?2", TAIN_SQL_OLDEST_FIRST, page, NULL, 0, &rows, err));
    *ret = (tain_control_workspaces){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_workspace_done(tain_control_workspace *w)
{
    tain_free(w->id);
    tain_free(w->name);
    tain_free(w->description);
    tain_free(w->capacity);
    *w = (tain_control_workspace){0};
}

void tain_control_workspaces_done(tain_control_workspaces *w)
{
    tain_sql_rows_done(&kind, w->rows, w->count, w->next);
    *w = (tain_control_workspaces){0};
}
