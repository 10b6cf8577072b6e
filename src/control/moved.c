/* SPDX-License-Identifier: MIT */
#include "control/moved.h"

#include <unistd.h>

typedef struct place {
    int64_t seq;
    char   *lake;
} place;

/* The next mirrored database whose lake is in that folder; *ret_there: there is one. */
static tain_status next_in(tain_control *c, const char *folder, int64_t after, place *ret, bool *ret_there, tain_error *err)
{
    sqlite3_stmt *s;
    TAIN_TRY(tain_sql_query(c, "SELECT seq, lake FROM item WHERE seq > ?1 AND substr(lake, 1, length(?2) + 1) = ?2 || '/' ORDER BY seq LIMIT 1",
                            TAIN_SQL_VALUES(tain_sql_int(after), tain_sql_text(folder)), &s, err));
    TAIN_TRY(tain_sql_row(c, s, ret_there, err));
    if (*ret_there) *ret = (place){sqlite3_column_int64(s, 0), tain_sql_column_text(s, 1)};
    return TAIN_OK;
}

static tain_status move(tain_control *c, const char *from, const place *p, tain_error *err)
{
    TAIN_AUTO(tain_free) char *now = tain_format("%s%s", c->home, p->lake + strlen(from));
    if (access(now, F_OK) != 0) return TAIN_OK;
    return tain_sql_run(c, "UPDATE item SET lake = ?2 WHERE seq = ?1", TAIN_SQL_VALUES(tain_sql_int(p->seq), tain_sql_text(now)), NULL, err);
}

static tain_status move_all(tain_control *c, const char *from, tain_error *err)
{
    place p = {0};
    for (bool there = true; there;) {
        TAIN_TRY(next_in(c, from, p.seq, &p, &there, err));
        tain_status st = there ? move(c, from, &p, err) : TAIN_OK;
        if (there) tain_free(p.lake);
        TAIN_TRY(st);
    }
    return TAIN_OK;
}

static tain_status home_before(tain_control *c, char **ret, tain_error *err)
{
    sqlite3_stmt *s;
    bool          row;
    TAIN_TRY(tain_sql_query(c, "SELECT value FROM meta WHERE name = 'home'", NULL, 0, &s, err));
    TAIN_TRY(tain_sql_row(c, s, &row, err));
    *ret = row ? tain_sql_column_text(s, 0) : NULL;
    return TAIN_OK;
}

static tain_status follow(tain_control *c, tain_error *err)
{
    TAIN_AUTO(tain_free) char *before = NULL;
    TAIN_TRY(home_before(c, &before, err));
    if (before && strcmp(before, c->home) == 0) return TAIN_OK;
    if (before) TAIN_TRY(move_all(c, before, err));
    return tain_sql_run(c, "INSERT INTO meta (name, value) VALUES ('home', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1", TAIN_SQL_VALUES(tain_sql_text(c->home)), NULL, err);
}

tain_status tain_control_follow_home(tain_control *c, tain_error *err)
{
    TAIN_TRY(tain_control_write(c, err));
    return tain_control_written(c, follow(c, err), err);
}
