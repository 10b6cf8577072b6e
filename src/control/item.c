/* SPDX-License-Identifier: MIT */
#include "control/item.h"

#include "base/text.h"
#include "control/statement.h"
#include "control/text.h"
#include "control/there.h"

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_item *i = row;
    i->id = tain_sql_column_text(s, 0);
    i->workspace = tain_sql_column_text(s, 1);
    i->name = tain_sql_column_text(s, 2);
    i->description = tain_sql_column_text(s, 3);
    i->logical_id = tain_sql_column_text(s, 4);
    i->owner = tain_sql_column_text(s, 5);
    i->lake = tain_sql_column_text(s, 6);
    i->state = (tain_control_state)sqlite3_column_int(s, 7);
    i->created = sqlite3_column_int64(s, 8);
    i->changed = sqlite3_column_int64(s, 9);
    tain_sql_column_bytes(s, 10, &i->definition);
    tain_sql_column_bytes(s, 11, &i->platform);
}

static void done_row(void *row)
{
    tain_control_item_done(row);
}

static const tain_sql_kind kind = {"mirrored database", sizeof(tain_control_item), read_row, done_row};
#define HEAD "SELECT id, workspace, name, description, logical_id, owner, lake, state, created, changed, "
#define WHOLE HEAD "definition, platform FROM item "
#define LISTED HEAD "NULL, NULL, seq FROM item "

static tain_status name_taken(tain_status st, const char *name, tain_error *err)
{
    return st == TAIN_E_EXISTS ? tain_fail(err, st, "there is a mirrored database '%s' already in this workspace", name) : st;
}

static tain_status check(const char *name, const char *description, const char *lake, tain_error *err)
{
    TAIN_TRY(tain_control_check_name(kind.what, name, err));
    TAIN_TRY(tain_control_check_description(description, err));
    TAIN_TRY_IN(err, tain_control_check_address(lake, err), "lake");
    return TAIN_OK;
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static tain_status insert(tain_control *c, const char *id, const tain_control_item *i, tain_error *err)
{
    char logical_id[37];
    tain_uuid_text(logical_id);
    TAIN_TRY(tain_control_workspace_is_there(c, i->workspace, err));
    if (i->owner) TAIN_TRY(tain_control_user_is_there(c, i->owner, err));
    tain_status st = tain_sql_run(
        c, "INSERT INTO item (id, workspace, name, description, logical_id, owner, lake, state, definition, platform, created, changed)"
           " VALUES (?1, lower(?2), ?3, coalesce(?4, ''), ?5, lower(?6), ?7, ?8, ?9, ?10, ?11, ?11)",
        TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(i->workspace), tain_sql_text(i->name), tain_sql_text(i->description),
                        tain_sql_text(i->logical_id ? i->logical_id : logical_id), tain_sql_text(i->owner), tain_sql_text(i->lake),
                        tain_sql_int(i->state), tain_sql_bytes(tain_buffer_slice(&i->definition)),
                        tain_sql_bytes(tain_buffer_slice(&i->platform)), tain_sql_int(tain_now())),
        NULL, err);
    return name_taken(st, i->name, err);
}

tain_status tain_control_item_add(tain_control *c, const tain_control_item *item, char ret_id[static 37], tain_error *err)
{
    char id[37];
    tain_uuid_text(id);
    TAIN_TRY(check(item->name, item->description, item->lake, err));
    TAIN_TRY(tain_control_write(c, err));
    TAIN_TRY(tain_control_written(c, insert(c, id, item, err), err));
    memcpy(ret_id, id, sizeof id);
    return TAIN_OK;
}

static tain_sql_value bytes_if_given(tain_slice s)
{
    return s.data ? tain_sql_bytes(s) : tain_sql_null();
}

static tain_status update(tain_control *c, const char *id, const tain_control_item_change *n, tain_error *err)
{
    tain_status st = tain_sql_run_on(
        c, "UPDATE item SET name = coalesce(?2, name), description = coalesce(?3, description), logical_id = coalesce(?4, logical_id),"
           " lake = coalesce(?5, lake), definition = coalesce(?6, definition), platform = coalesce(?7, platform), changed = ?8 WHERE id = ?1",
        TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(n->name), tain_sql_text(n->description), tain_sql_text(n->logical_id),
                        tain_sql_text(n->lake), bytes_if_given(n->definition), bytes_if_given(n->platform), tain_sql_int(tain_now())),
        kind.what, id, err);
    return name_taken(st, n->name, err);
}

static tain_status check_unchanged(tain_control *c, const char *id, tain_slice definition, tain_error *err)
{
    int64_t others;
    if (!definition.data) return TAIN_OK;
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM item WHERE id = ?1 AND definition <> ?2",
                             TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_bytes(definition)), &others, err));
    return others ? tain_fail(err, TAIN_E_CONFLICT, "the definition was changed meanwhile") : TAIN_OK;
}

static tain_status update_if(tain_control *c, const char *id, const tain_control_item_change *n, tain_error *err)
{
    TAIN_TRY(check_unchanged(c, id, n->if_definition, err));
    return update(c, id, n, err);
}

tain_status tain_control_item_change_some(tain_control *c, const char *id, const tain_control_item_change *change, tain_error *err)
{
    TAIN_TRY(check(change->name ? change->name : "unchanged", change->description, change->lake ? change->lake : "unchanged", err));
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, update_if(c, id, change, err), err);
}

tain_status tain_control_item_want(tain_control *c, const char *id, tain_control_state state, tain_error *err)
{
    return tain_sql_change(c, "UPDATE item SET state = ?2, changed = ?3 WHERE id = ?1",
                           TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_int(state), tain_sql_int(tain_now())), kind.what, id, err);
}

static tain_status hand_over(tain_control *c, const char *id, const char *owner, tain_error *err)
{
    if (owner) TAIN_TRY(tain_control_user_is_there(c, owner, err));
    return tain_sql_run_on(c, "UPDATE item SET owner = lower(?2), changed = ?3 WHERE id = ?1",
                           TAIN_SQL_VALUES(tain_sql_text(id), tain_sql_text(owner), tain_sql_int(tain_now())), kind.what, id, err);
}

tain_status tain_control_item_transfer(tain_control *c, const char *id, const char *owner, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, hand_over(c, id, owner, err), err);
}

tain_status tain_control_item_remove(tain_control *c, const char *id, tain_error *err)
{
    return tain_sql_change(c, "DELETE FROM item WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), kind.what, id, err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

tain_status tain_control_item_get(tain_control *c, const char *id, tain_control_item *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, WHOLE "WHERE id = ?1", TAIN_SQL_VALUES(tain_sql_text(id)), id, ret, err);
}

tain_status tain_control_item_find(tain_control *c, const char *workspace, const char *name, tain_control_item *ret, tain_error *err)
{
    return tain_sql_get(c, &kind, WHOLE "WHERE workspace = ?1 AND name = ?2",
                        TAIN_SQL_VALUES(tain_sql_text(workspace), tain_sql_text(name)), name, ret, err);
}

static tain_status list(tain_control *c, const char *workspace, tain_control_page page, tain_sql_rows *ret, tain_error *err)
{
    if (!workspace) return tain_sql_list(c, &kind, LISTED "WHERE seq > ?1 ORDER BY seq LIMIT ?2", TAIN_SQL_OLDEST_FIRST, page, NULL, 0, ret, err);
    return tain_sql_list(c, &kind, LISTED "WHERE workspace = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2", TAIN_SQL_OLDEST_FIRST, page,
                         TAIN_SQL_VALUES(tain_sql_text(workspace)), ret, err);
}

tain_status tain_control_item_list(tain_control *c, const char *workspace, tain_control_page page, tain_control_items *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(list(c, workspace, page, &rows, err));
    *ret = (tain_control_items){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_item_done(tain_control_item *i)
{
    char *const texts[] = {i->id, i->workspace, i->name, i->description, i->logical_id, i->owner, i->lake};
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) tain_free(texts[k]);
    tain_buffer_done(&i->definition);
    tain_buffer_done(&i->platform);
    *i = (tain_control_item){0};
}

void tain_control_items_done(tain_control_items *i)
{
    tain_sql_rows_done(&kind, i->rows, i->count, i->next);
    *i = (tain_control_items){0};
}
