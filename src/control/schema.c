/* SPDX-License-Identifier: MIT */
#include "control/schema.h"

enum { APPLICATION = 0x7461696e /* "tain" */ };

/* Numbers (seq) are never given twice: pages of lists go by them. */
#define NUMBERED "seq INTEGER PRIMARY KEY AUTOINCREMENT, "
#define NAMED NUMBERED "id TEXT NOT NULL UNIQUE COLLATE NOCASE, name TEXT NOT NULL, "
#define DATED "created INTEGER NOT NULL, changed INTEGER NOT NULL"

static const char first[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE workspace (" NAMED "description TEXT NOT NULL, capacity TEXT NOT NULL, " DATED ", UNIQUE (name));"
    "CREATE TABLE user (" NAMED "cost INTEGER, salt BLOB, hash BLOB, disabled INTEGER NOT NULL DEFAULT 0, " DATED ", UNIQUE (name));"
    "CREATE TABLE item (" NAMED "workspace TEXT NOT NULL COLLATE NOCASE REFERENCES workspace (id),"
    " description TEXT NOT NULL, logical_id TEXT NOT NULL, owner TEXT COLLATE NOCASE REFERENCES user (id),"
    " definition BLOB NOT NULL, platform BLOB NOT NULL, lake TEXT NOT NULL, state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), " DATED ","
    " UNIQUE (workspace, name));"
    "CREATE INDEX item_owner ON item (owner);"
    "CREATE TABLE connection (" NAMED "url TEXT NOT NULL, reference TEXT, sealed BLOB, " DATED ","
    " UNIQUE (name), CHECK (reference IS NULL OR sealed IS NULL));"
    "CREATE TABLE role (" NUMBERED "user TEXT NOT NULL COLLATE NOCASE REFERENCES user (id) ON DELETE CASCADE,"
    " workspace TEXT COLLATE NOCASE REFERENCES workspace (id) ON DELETE CASCADE, role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),"
    " UNIQUE (user, workspace));"
    "CREATE TABLE token (" NAMED "user TEXT NOT NULL COLLATE NOCASE REFERENCES user (id) ON DELETE CASCADE, session INTEGER NOT NULL,"
    " role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3), prefix INTEGER NOT NULL, hash BLOB NOT NULL,"
    " created INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL);"
    "CREATE INDEX token_prefix ON token (prefix);"
    "CREATE UNIQUE INDEX token_name ON token (user, name) WHERE NOT session;"
    "CREATE TABLE audit (" NUMBERED "time INTEGER NOT NULL, user TEXT, user_name TEXT, action TEXT NOT NULL, object TEXT, origin TEXT,"
    " outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 2), detail TEXT);"
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TRIGGER audit_holds BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TABLE MirroredDatabaseTableExecution (id INTEGER PRIMARY KEY AUTOINCREMENT, Timestamp TEXT NOT NULL, OperationName TEXT NOT NULL,"
    " ItemId TEXT NOT NULL COLLATE NOCASE, ItemKind TEXT NOT NULL, ItemName TEXT, WorkspaceId TEXT, WorkspaceName TEXT, CapacityId TEXT,"
    " CustomerTenantId TEXT, Region TEXT, WorkspaceMonitoringTableName TEXT NOT NULL, OperationStartTime TEXT, OperationEndTime TEXT,"
    " MirroringSourceType TEXT, SourceTableName TEXT, SourceSchemaName TEXT, ProcessedRows INTEGER, ProcessedBytes INTEGER,"
    " ReplicatorBatchLatency INTEGER, ErrorType TEXT, ErrorMessage TEXT, CorrelationId TEXT, OperationId TEXT, Identity TEXT,"
    " DurationMs INTEGER, Status TEXT, Level TEXT);"
    "CREATE INDEX execution_item ON MirroredDatabaseTableExecution (ItemId);"
    "CREATE INDEX execution_time ON MirroredDatabaseTableExecution (Timestamp);";

/* A record that comes again is known by it. */
static const char second[] = "CREATE UNIQUE INDEX execution_operation ON MirroredDatabaseTableExecution (ItemId, OperationId) WHERE OperationId IS NOT NULL;";

/* A connection that is only renamed points where it did, and is trusted when an administrator said where. The audit log grows no more for ever: what is old may go (audit.h). */
static const char third[] =
    "ALTER TABLE connection ADD COLUMN pointed INTEGER NOT NULL DEFAULT 0; UPDATE connection SET pointed = changed;"
    "ALTER TABLE connection ADD COLUMN trusted INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX audit_time ON audit (time);"
    "DROP TRIGGER audit_stays;"
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit WHEN old.time > (unixepoch() - 30 * 86400) * 1000000"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;";

const char *const tain_control_steps[] = {first, second, third};
const int         tain_control_step_count = sizeof tain_control_steps / sizeof tain_control_steps[0];

static tain_status not_ours(const tain_control *c, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_INVALID, "%s is not a control database of tain", c->file);
    tain_error_remedy(err, "choose another home, or move that file away");
    return st;
}

static tain_status too_new(const tain_control *c, int version, int count, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_UNSUPPORTED, "%s was written by a newer tain (schema %d, this one knows %d)", c->file, version, count);
    tain_error_remedy(err, "start that newer tain, or restore the control.db from before it");
    return st;
}

tain_status tain_control_recognise(tain_control *c, int count, int *ret_version, tain_error *err)
{
    int64_t     application = 0, version = 0, objects = 0;
    tain_status st = tain_sql_number(c, "PRAGMA application_id", NULL, 0, &application, err);
    if (st == TAIN_E_INVALID) return not_ours(c, err);
    TAIN_TRY(st);
    TAIN_TRY(tain_sql_number(c, "PRAGMA user_version", NULL, 0, &version, err));
    TAIN_TRY(tain_sql_number(c, "SELECT count(*) FROM sqlite_schema", NULL, 0, &objects, err));
    bool empty = application == 0 && version == 0 && objects == 0;
    if (!empty && (application != APPLICATION || version < 1)) return not_ours(c, err);
    if (version > count) return too_new(c, (int)version, count, err);
    *ret_version = (int)version;
    return TAIN_OK;
}

static tain_status step(tain_control *c, const char *sql, int version, tain_error *err)
{
    char *mark = tain_format("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION, version);
    tain_status st = tain_sql_script(c, sql, err);
    if (st == TAIN_OK) st = tain_sql_script(c, mark, err);
    tain_free(mark);
    return st;
}

tain_status tain_control_migrate(tain_control *c, const char *const *steps, int count, int version, tain_error *err)
{
    for (; version < count; version++) {
        TAIN_TRY(tain_control_write(c, err));
        TAIN_TRY_IN(err, tain_control_written(c, step(c, steps[version], version + 1, err), err), "schema %d", version + 1);
    }
    return TAIN_OK;
}
