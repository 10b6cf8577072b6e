/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "source/sqlite/sqlite.h"

enum { BATCH = 1000, GAP = 2000 /* microseconds */ };
#define PRUNE_EVERY (500 * TAIN_MILLISECOND)
#define PRUNE_SLICE (50 * TAIN_MILLISECOND) /* of one call */

/* --- news that are settled ------------------------------------------------------------------------------------------ */

static bool is_settled(const tain_sqlite *s, const tain_sqlite_table *t)
{
    bool told = t->news.state == TAIN_SQLITE_TOLD && !t->news.reload;
    return (told || t->news.state == TAIN_SQLITE_LOADED) && tain_position_compare(&t->news.at, &s->confirmed) <= 0;
}

static bool settle_news(tain_sqlite *s)
{
    bool any = false;
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (!is_settled(s, t)) continue;
        t->news.state = TAIN_SQLITE_NO_NEWS;
        t->dirty = any = true;
    }
    return any;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

/* Deletes at most a batch from the beginning. *ret_more is set if there may be others. */
static tain_status delete_batch(tain_sqlite *s, char *sql, int64_t seq, bool *ret_more, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    tain_status st = tain_sqlite_prepare(&s->log, sql, &stmt, err);
    free(sql);
    TAIN_TRY(st);
    sqlite3_bind_int64(stmt, 1, seq);
    TAIN_TRY(tain_sqlite_step(&s->log, stmt, &row, err));
    *ret_more |= sqlite3_changes(s->log.db) == BATCH;
    return TAIN_OK;
}

/* The row at the confirmed position stays, as proof that the file is the one it was; and the newest in any case. */
static char *log_sql(const char *prefix)
{
    return tain_format("DELETE FROM main.\"%s$log\" WHERE seq IN (SELECT seq FROM main.\"%s$log\""
                       " WHERE seq < min(?1, (SELECT max(seq) FROM main.\"%s$log\")) ORDER BY seq LIMIT %d)", prefix, prefix, prefix, BATCH);
}

/* n has no gaps. */
static char *rows_sql(const char *prefix, int64_t id)
{
    return tain_format("DELETE FROM main.\"%s$rows$%lld\" WHERE n < (SELECT min(n) FROM main.\"%s$rows$%lld\") + %d AND seq <= ?1", prefix, (long long)id,
                       prefix, (long long)id, BATCH);
}

static tain_status delete_batches(tain_sqlite *s, int64_t seq, bool *ret_more, tain_error *err)
{
    TAIN_TRY(delete_batch(s, log_sql(s->prefix), seq, ret_more, err));
    for (size_t i = 0; i < s->table_count; i++) {
        const tain_sqlite_table *t = s->tables[i];
        if (!t->id || t->renumber || !tain_sqlite_is_live(t) || tain_sqlite_has_key(t->shape)) continue;
        TAIN_TRY(delete_batch(s, rows_sql(s->prefix, t->id), seq, ret_more, err));
    }
    return TAIN_OK;
}

static tain_status prune_once(tain_sqlite *s, int64_t seq, bool *ret_more, tain_error *err)
{
    tain_status st = tain_sqlite_run(&s->log, "BEGIN IMMEDIATE", err);
    if (st == TAIN_OK) st = delete_batches(s, seq, ret_more, err);
    if (st == TAIN_OK) st = tain_sqlite_keep(s, &s->log, err);
    if (st == TAIN_OK) st = tain_sqlite_run(&s->log, "COMMIT", err);
    tain_sqlite_rollback(&s->log);
    return st;
}

/* Writers come first: while one is at work, pruning is put off. */
static tain_status prune_some(tain_sqlite *s, bool *ret_more, tain_error *err)
{
    tain_time until = tain_monotonic() + PRUNE_SLICE, patience = s->log.patience;
    int64_t seq = strtoll(s->confirmed.text, NULL, 10);
    tain_status st;
    s->log.patience = 0;
    do {
        *ret_more = false;
        st = prune_once(s, seq, ret_more, err);
        if (*ret_more) usleep(GAP); /* whoever tries again now is next */
    } while (st == TAIN_OK && *ret_more && tain_monotonic() < until);
    s->log.patience = patience;
    return st;
}

tain_status tain_sqlite_prune(tain_sqlite *s, tain_error *err)
{
    bool more = false, settled = settle_news(s);
    if (!settled && tain_monotonic() < s->prune_at) return TAIN_OK;
    TAIN_TRY(tain_sqlite_open_log(s, err));
    tain_status st = prune_some(s, &more, err);
    s->prune_wanted = more || st == TAIN_E_BUSY;
    s->prune_at = tain_monotonic() + (more ? PRUNE_SLICE : PRUNE_EVERY);
    return st == TAIN_E_BUSY ? TAIN_OK : st;
}
