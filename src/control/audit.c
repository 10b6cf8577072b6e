/* SPDX-License-Identifier: MIT */
#include "control/audit.h"

#include "base/text.h"
#include "control/statement.h"

static tain_status insert(tain_control *c, const tain_control_entry *e, const char *detail, tain_error *err)
{
    return tain_sql_run(c, "INSERT INTO audit (time, user, user_name, action, object, origin, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        TAIN_SQL_VALUES(tain_sql_int(tain_now()), tain_sql_text(e->user), tain_sql_text(e->user_name), tain_sql_text(e->action),
                                        tain_sql_text(e->object), tain_sql_text(e->origin), tain_sql_int(e->outcome), tain_sql_text(detail)),
                        NULL, err);
}

tain_status tain_control_audit_add(tain_control *c, const tain_control_entry *entry, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    char       *detail = entry->detail ? tain_url_redacted(entry->detail) : NULL;
    tain_status st = tain_control_written(c, insert(c, entry, detail, err), err);
    tain_free(detail);
    return st;
}

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_entry *e = row;
    e->time = sqlite3_column_int64(s, 0);
    e->user = tain_sql_column_text(s, 1);
    e->user_name = tain_sql_column_text(s, 2);
    e->action = tain_sql_column_text(s, 3);
    e->object = tain_sql_column_text(s, 4);
    e->origin = tain_sql_column_text(s, 5);
    e->outcome = (tain_control_outcome)sqlite3_column_int(s, 6);
    e->detail = tain_sql_column_text(s, 7);
}

static void done_row(void *row)
{
    tain_control_entry *e = row;
    char *const         texts[] = {e->user, e->user_name, e->action, e->object, e->origin, e->detail};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) tain_free(texts[i]);
}

static const tain_sql_kind kind = {"audit entry", sizeof(tain_control_entry), read_row, done_row};

tain_status tain_control_audit_list(tain_control *c, const tain_control_audit_filter *f, tain_control_page page, tain_control_entries *ret,
                                    tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(tain_sql_list(c, &kind, "SELECT time, user, user_name, action, object, origin, outcome, detail, seq FROM audit WHERE seq < ?1"
                                     " AND (?3 IS NULL OR user = ?3) AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR object = ?5)"
                                     " AND time >= ?6 AND (?7 = 0 OR time < ?7) ORDER BY seq DESC LIMIT ?2",
                           TAIN_SQL_NEWEST_FIRST, page,
                           TAIN_SQL_VALUES(tain_sql_text(f->user), tain_sql_text(f->action), tain_sql_text(f->object), tain_sql_int(f->from),
                                           tain_sql_int(f->until)),
                           &rows, err));
    *ret = (tain_control_entries){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_entries_done(tain_control_entries *e)
{
    tain_sql_rows_done(&kind, e->rows, e->count, e->next);
    *e = (tain_control_entries){0};
}

tain_status tain_control_audit_prune(tain_control *c, tain_time before, int most, int *ret_removed, tain_error *err)
{
    int removed;
    TAIN_TRY(tain_control_write(c, err));
    tain_status st = tain_sql_run(c, "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE time < ?1 ORDER BY time, seq LIMIT ?2)",
                                  TAIN_SQL_VALUES(tain_sql_int(before), tain_sql_int(most)), &removed, err);
    TAIN_TRY(tain_control_written(c, st, err));
    *ret_removed = removed;
    return TAIN_OK;
}
