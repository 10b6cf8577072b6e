/* SPDX-License-Identifier: MIT */
#include "control/execution.h"

#include "base/text.h"
#include "control/statement.h"

/* --- values -------------------------------------------------------------------------------------------------------- */

typedef struct moment {
    char text[40];
} moment;

/* Six digits always: so text is in the order of time. */
static moment moment_of(tain_time t)
{
    moment m;
    tain_time_iso(t, 6, m.text);
    return m;
}

static tain_sql_value time_value(tain_time t, moment *m)
{
    *m = moment_of(t);
    return t ? tain_sql_text(m->text) : tain_sql_null();
}

static tain_sql_value count_value(int64_t v)
{
    return v < 0 ? tain_sql_null() : tain_sql_int(v);
}

static int64_t count_of(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

static tain_time time_of(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? tain_time_from_iso(text) : 0;
}

/* --- adding -------------------------------------------------------------------------------------------------------- */

static tain_status insert(tain_control *c, const tain_control_execution *e, tain_time now, tain_error *err)
{
    moment      time, start, end;
    char       *error = e->error ? tain_url_redacted(e->error) : NULL;
    tain_status st = tain_sql_run(
        c, "INSERT INTO MirroredDatabaseTableExecution (ItemKind, WorkspaceMonitoringTableName, Timestamp, OperationName, ItemId, ItemName,"
           " WorkspaceId, WorkspaceName, CapacityId, OperationStartTime, OperationEndTime, MirroringSourceType, SourceSchemaName,"
           " SourceTableName, ProcessedRows, ProcessedBytes, ReplicatorBatchLatency, ErrorType, ErrorMessage, OperationId) VALUES"
           " ('MirroredDatabase', 'MirroredDatabaseTableExecution', ?1, ?2, lower(?3), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
           " ?18) ON CONFLICT (ItemId, OperationId) WHERE OperationId IS NOT NULL DO NOTHING",
        TAIN_SQL_VALUES(time_value(e->time ? e->time : now, &time), tain_sql_text(e->operation), tain_sql_text(e->item), tain_sql_text(e->item_name),
                        tain_sql_text(e->workspace), tain_sql_text(e->workspace_name), tain_sql_text(e->capacity), time_value(e->start, &start),
                        time_value(e->end, &end), tain_sql_text(e->source_type), tain_sql_text(e->schema), tain_sql_text(e->table),
                        count_value(e->rows), count_value(e->bytes), count_value(e->latency), tain_sql_text(e->error_type), tain_sql_text(error),
                        tain_sql_text(e->operation_id)),
        NULL, err);
    tain_free(error);
    return st;
}

static tain_status insert_all(tain_control *c, const tain_control_execution *rows, size_t count, tain_error *err)
{
    tain_time now = tain_now();
    for (size_t i = 0; i < count; i++) TAIN_TRY(insert(c, &rows[i], now, err));
    return TAIN_OK;
}

tain_status tain_control_execution_add(tain_control *c, const tain_control_execution *rows, size_t count, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, insert_all(c, rows, count, err), err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

enum { TEXTS = 12 };

/* In the order of COLUMNS. */
static void texts_of(tain_control_execution *e, char **ret[static TEXTS])
{
    char **const texts[TEXTS] = {&e->operation,   &e->item,   &e->item_name, &e->workspace,  &e->workspace_name, &e->capacity,
                                 &e->source_type, &e->schema, &e->table,     &e->error_type, &e->error,
                                 &e->operation_id};
    memcpy(ret, texts, sizeof texts);
}

static void read_row(sqlite3_stmt *s, void *row)
{
    tain_control_execution *e = row;
    char                  **texts[TEXTS];
    texts_of(e, texts);
    for (int i = 0; i < TEXTS; i++) *texts[i] = tain_sql_column_text(s, i);
    e->time = time_of(s, 12);
    e->start = time_of(s, 13);
    e->end = time_of(s, 14);
    e->rows = count_of(s, 15);
    e->bytes = count_of(s, 16);
    e->latency = count_of(s, 17);
    e->id = sqlite3_column_int64(s, 18);
}

static void done_row(void *row)
{
    char **texts[TEXTS];
    texts_of(row, texts);
    for (int i = 0; i < TEXTS; i++) tain_free(*texts[i]);
}

static const tain_sql_kind kind = {"execution", sizeof(tain_control_execution), read_row, done_row};

#define COLUMNS                                                                                                                             \
    "SELECT OperationName, ItemId, ItemName, WorkspaceId, WorkspaceName, CapacityId, MirroringSourceType, SourceSchemaName, SourceTableName," \
    " ErrorType, ErrorMessage, OperationId, Timestamp, OperationStartTime, OperationEndTime, ProcessedRows, ProcessedBytes,"                 \
    " ReplicatorBatchLatency, id"                                                                                                            \
    " FROM MirroredDatabaseTableExecution WHERE id < ?1"
#define FILTER                                                                                                            \
    " AND (?4 IS NULL OR SourceSchemaName = ?4) AND (?5 IS NULL OR SourceTableName = ?5) AND (?6 IS NULL OR OperationName = ?6)" \
    " AND (?7 IS NULL OR Timestamp >= ?7) AND (?8 IS NULL OR Timestamp < ?8)"                     \
    " AND (?9 IS NULL OR WorkspaceId COLLATE NOCASE IN (SELECT workspace FROM role WHERE user = ?9)) ORDER BY id DESC LIMIT ?2"

/* Two statements, since no index serves "this item, or all". */
static tain_status list(tain_control *c, const tain_control_execution_filter *f, tain_control_page page, tain_sql_rows *ret, tain_error *err)
{
    moment                from, until;
    const tain_sql_value values[] = {tain_sql_text(f->item),      tain_sql_text(f->schema),     tain_sql_text(f->table),
                                     tain_sql_text(f->operation), time_value(f->from, &from), time_value(f->until, &until), tain_sql_text(f->user)};
    if (f->item) return tain_sql_list(c, &kind, COLUMNS " AND ItemId = ?3" FILTER, TAIN_SQL_NEWEST_FIRST, page, values, 7, ret, err);
    return tain_sql_list(c, &kind, COLUMNS " AND ?3 IS NULL" FILTER, TAIN_SQL_NEWEST_FIRST, page, values, 7, ret, err);
}

tain_status tain_control_execution_list(tain_control *c, const tain_control_execution_filter *filter, tain_control_page page,
                                        tain_control_executions *ret, tain_error *err)
{
    tain_sql_rows rows;
    TAIN_TRY(list(c, filter, page, &rows, err));
    *ret = (tain_control_executions){rows.rows, rows.count, rows.next};
    return TAIN_OK;
}

void tain_control_executions_done(tain_control_executions *e)
{
    tain_sql_rows_done(&kind, e->rows, e->count, e->next);
    *e = (tain_control_executions){0};
}

/* --- pruning ------------------------------------------------------------------------------------------------------- */

tain_status tain_control_execution_prune(tain_control *c, tain_time before, int most, int *ret_removed, tain_error *err)
{
    int    removed;
    moment m = moment_of(before);
    TAIN_TRY(tain_control_write(c, err));
    tain_status st = tain_sql_run(c, "DELETE FROM MirroredDatabaseTableExecution WHERE id IN (SELECT id FROM MirroredDatabaseTableExecution"
                                     " WHERE Timestamp < ?1 ORDER BY Timestamp, id LIMIT ?2)",
                                  TAIN_SQL_VALUES(tain_sql_text(m.text), tain_sql_int(most)), &removed, err);
    TAIN_TRY(tain_control_written(c, st, err));
    *ret_removed = removed;
    return TAIN_OK;
}
