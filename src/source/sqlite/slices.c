/* SPDX-License-Identifier: MIT */
#include "source/sqlite/slices.h"

#include <string.h>
#include <unistd.h>

enum { GAP = 5000 /* microseconds */ };

tain_status tain_sqlite_is_wal(tain_sqlite_conn *c, bool *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(tain_sqlite_prepare(c, "PRAGMA main.journal_mode", &stmt, err));
    TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
    *ret = row && strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    return TAIN_OK;
}

tain_status tain_sqlite_slices_init(tain_sqlite_slices *sl, tain_sqlite_conn *c, int64_t schema, tain_error *err)
{
    bool wal;
    TAIN_TRY(tain_sqlite_is_wal(c, &wal, err));
    *sl = (tain_sqlite_slices){.conn = c, .schema = schema, .yields = !wal, .length = TAIN_SQLITE_SLICE};
    return TAIN_OK;
}

tain_status tain_sqlite_slice_begin(tain_sqlite_slices *sl, bool *ret_same, tain_error *err)
{
    int64_t schema;
    TAIN_TRY(tain_sqlite_run(sl->conn, "BEGIN", err));
    TAIN_TRY(tain_sqlite_number(sl->conn, "PRAGMA main.schema_version", 0, &schema, err));
    sl->until = tain_monotonic() + sl->length;
    *ret_same = schema == sl->schema;
    if (!*ret_same) tain_sqlite_rollback(sl->conn);
    return TAIN_OK;
}

bool tain_sqlite_slice_over(const tain_sqlite_slices *sl)
{
    return tain_monotonic() >= sl->until;
}

tain_status tain_sqlite_slice_end(tain_sqlite_slices *sl, tain_error *err)
{
    TAIN_TRY(tain_sqlite_run(sl->conn, "COMMIT", err));
    if (sl->yields) usleep(GAP);
    return TAIN_OK;
}
