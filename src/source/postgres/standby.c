/* SPDX-License-Identifier: MIT */
#include "source/postgres/standby.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/postgres/capture.h"
#include "source/postgres/result.h"
#include "postgres_queries.h"

#define PATIENCE   (60 * TAIN_SECOND) /* with a standby that stands still, or whose slot does not come to be */
#define LOOK_FIRST (5 * TAIN_MILLISECOND)
#define LOOK_MOST  (100 * TAIN_MILLISECOND)
#define URGE_FIRST (50 * TAIN_MILLISECOND)
#define URGE_MOST  (5 * TAIN_SECOND)
enum { SNAPSHOTS_SINCE = 160000 };

static const char elsewhere[] = "name another standby, or take it back with --snapshot-from ''";

tain_status tain_pg_standby_open(tain_pg_source *s, const char *url, tain_error *err)
{
    if (!url || !*url) return TAIN_OK;
    s->standby = tain_alloc(sizeof *s->standby);
    s->standby->target.wake = -1;
    TAIN_TRY_IN(err, tain_pg_target_init(&s->standby->target, url, err), "--snapshot-from");
    tain_pg_target_follow(&s->standby->target, &s->target);
    return TAIN_OK;
}

void tain_pg_standby_close(tain_pg_source *s)
{
    if (!s->standby) return;
    tain_pg_disconnect(&s->standby->conn);
    tain_pg_target_done(&s->standby->target);
    tain_free(s->standby);
    s->standby = NULL;
}

void tain_pg_standby_end(tain_pg_source *s)
{
    if (!s->standby) return;
    s->standby->reading = s->standby->behind = false;
    tain_pg_disconnect(&s->standby->conn);
}

static tain_status connect_standby(tain_pg_source *s, tain_error *err)
{
    tain_pg_conn *c = &s->standby->conn;
    if (tain_pg_is_alive(c)) return TAIN_OK;
    tain_pg_disconnect(c);
    return tain_pg_connect(c, &s->standby->target, TAIN_PG_CATALOG, err);
}

/* --- is it one? ------------------------------------------------------------------------------------------------------ */

/* Others that are followed go on while it is tried again. */
static tain_status refuse(const tain_pg_source *s, const char *remedy, tain_error *err, const char *format, ...) __attribute__((format(printf, 4, 5)));
static tain_status refuse(const tain_pg_source *s, const char *remedy, tain_error *err, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    tain_status status = s->stream ? TAIN_E_UNAVAILABLE : TAIN_E_CONFIG;
    (void)tain_fail(err, status, "loads cannot be read from PostgreSQL at %s: %s", s->standby->target.where, what);
    tain_error_remedy(err, "%s", remedy);
    return status;
}

static tain_status refuse_promoted(const tain_pg_source *s, tain_error *err)
{
    return refuse(s, elsewhere, err, "it is not a standby, or not any more");
}

static tain_status check_settings(tain_pg_source *s, const PGresult *r, tain_error *err)
{
    const char *database = tain_pg_get(r, 0, "database"), *level = tain_pg_get(r, 0, "wal_level");
    if (!tain_pg_get_bool(r, 0, "in_recovery")) return refuse_promoted(s, err);
    if (strcmp(level, "logical") != 0)
        return refuse(s, "ALTER SYSTEM SET wal_level = logical;  -- at the standby, too; then restart it", err, "its wal_level is %s", level);
    if (strcmp(database, s->server.database) != 0)
        return refuse(s, "name the same database, or none", err, "database %s is not %s, which is mirrored", database, s->server.database);
    if (tain_pg_get_int(r, 0, "free_slots") < 1)
        return refuse(s, "ALTER SYSTEM SET max_replication_slots = <more>;  -- at the standby; then restart it", err, "all its replication slots are in use");
    return TAIN_OK;
}

typedef struct identity { char system[24]; int timeline; } identity;

static tain_status identify(tain_pg_target *target, identity *ret, tain_error *err)
{
    tain_pg_conn c = {0};
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_connect(&c, target, TAIN_PG_WALSENDER, err));
    tain_status status = tain_pg_query(&c, "IDENTIFY_SYSTEM", &r, err);
    if (status == TAIN_OK) {
        snprintf(ret->system, sizeof ret->system, "%s", tain_pg_get(r, 0, "systemid"));
        ret->timeline = (int)tain_pg_get_int(r, 0, "timeline");
    }
    tain_pg_disconnect(&c);
    return status;
}

/* A standby comes to follow a promotion by itself, most of the time. */
static tain_status check_identity(tain_pg_source *s, tain_error *err)
{
    identity here, there;
    TAIN_TRY(identify(&s->target, &here, err));
    TAIN_TRY(identify(&s->standby->target, &there, err));
    if (strcmp(here.system, there.system) != 0)
        return refuse(s, elsewhere, err, "it is of another system (%s) than the source (%s)", there.system, here.system);
    if (here.timeline == there.timeline) return TAIN_OK;
    (void)tain_fail(err, TAIN_E_BUSY, "loads cannot be read from PostgreSQL at %s: it is on timeline %d, the source on %d", s->standby->target.where,
                    there.timeline, here.timeline);
    tain_error_remedy(err, "one of the two has not followed a promotion: let the standby follow the source, or %s", elsewhere);
    return TAIN_E_BUSY;
}

static tain_status ask_rights(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query(&s->conn, "SELECT NOT pg_is_in_recovery() AND has_function_privilege('pg_log_standby_snapshot()', 'EXECUTE') AS may", &r, err));
    s->standby->may_log = tain_pg_get_bool(r, 0, "may");
    return TAIN_OK;
}

/* *ret_settings: for the caller to clear; NULL: it did not come to that. */
static tain_status look(tain_pg_source *s, PGresult **ret_settings, tain_error *err)
{
    TAIN_TRY(connect_standby(s, err));
    if (s->standby->conn.version < SNAPSHOTS_SINCE)
        return refuse(s, elsewhere, err, "it is PostgreSQL %d, and standbys give the snapshots that are needed from 16 on", s->standby->conn.version / 10000);
    TAIN_TRY(tain_pg_query(&s->standby->conn, tain_query_standby, ret_settings, err));
    TAIN_TRY(check_settings(s, *ret_settings, err));
    TAIN_TRY(check_identity(s, err));
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    return ask_rights(s, err);
}

tain_status tain_pg_standby_check(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *settings = NULL;
    return s->standby ? look(s, &settings, err) : TAIN_OK;
}

/* --- what tain check says -------------------------------------------------------------------------------------------- */

static tain_finding *add(tain_finding **io, size_t *io_count, tain_verdict level, const char *code, const char *message, const char *remedy)
{
    *io = tain_realloc(*io, (*io_count + 1) * sizeof **io);
    tain_finding *f = &(*io)[(*io_count)++];
    *f = (tain_finding){.level = level, .code = tain_strdup(code), .message = tain_strdup(message), .remedy = tain_strdup(remedy)};
    return f;
}

static char *grant(const tain_pg_source *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot() TO ");
    tain_pg_put_identifier(&sql, s->server.role);
    tain_buffer_append_str(&sql, ";  -- in the database, at the primary");
    return tain_buffer_cstr(&sql);
}

tain_status tain_pg_standby_judge(tain_pg_source *s, tain_finding **io, size_t *io_count, tain_error *err)
{
    TAIN_PG_RESULT *settings = NULL;
    tain_error why = {0};
    if (!s->standby) return TAIN_OK;
    tain_status status = look(s, &settings, &why);
    tain_pg_disconnect(&s->standby->conn);
    if (status == TAIN_E_CANCELLED) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    if (status != TAIN_OK) {
        add(io, io_count, TAIN_VERDICT_ERROR, "snapshot_from", why.message, tain_error_advice(&why))->loads_only = true;
        return TAIN_OK;
    }
    if (!tain_pg_get_bool(settings, 0, "feedback"))
        add(io, io_count, TAIN_VERDICT_WARNING, "standby_feedback", "the standby that loads are read from does not tell the primary what it reads: vacuum there ends loads, which begin again",
            "ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();  -- at the standby");
    TAIN_AUTO(tain_free) char *remedy = grant(s);
    if (!s->standby->may_log)
        add(io, io_count, TAIN_VERDICT_WARNING, "standby_snapshot",
            "the role cannot make the primary log what a snapshot of a standby waits for: loads begin later, or, while nothing is written, not",
            remedy);
    return TAIN_OK;
}

/* --- waiting for it -------------------------------------------------------------------------------------------------- */

static tain_status replayed(tain_pg_source *s, uint64_t *ret, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query(&s->standby->conn, "SELECT pg_is_in_recovery() AS in_recovery, pg_last_wal_replay_lsn() AS lsn", &r, err));
    if (!tain_pg_get_bool(r, 0, "in_recovery")) return refuse_promoted(s, err);
    if (tain_pg_parse_lsn(tain_pg_get(r, 0, "lsn"), ret)) return TAIN_OK;
    return tain_fail(err, TAIN_E_BUSY, "PostgreSQL at %s does not say how far it has replayed the log", s->standby->target.where);
}

/* Also moves a log whose end lies inside a record that nobody flushes. */
static void urge(tain_pg_source *s)
{
    if (tain_pg_catalog_conn(s, NULL) != TAIN_OK) return;
    if (s->standby->may_log) (void)!tain_pg_run(&s->conn, NULL, "SELECT pg_log_standby_snapshot()");
    else (void)!tain_pg_run(&s->conn, NULL, "SELECT pg_current_xact_id()");
}

static tain_status fail_behind(tain_pg_source *s, uint64_t at, tain_error *err)
{
    uint64_t end = at;
    (void)!tain_pg_log_end(s, &end, NULL);
    double lag = end > at ? (double)(end - at) / (1 << 20) : 0;
    (void)tain_fail(err, TAIN_E_BUSY, "the standby at %s is %.1f MiB of the log behind the source (at %X/%X, the source at %X/%X) and has not moved for %d s",
                    s->standby->target.where, lag, (unsigned)(at >> 32), (unsigned)at, (unsigned)(end >> 32), (unsigned)end, (int)(PATIENCE / TAIN_SECOND));
    tain_error_remedy(err, "see pg_stat_replication at the source, recovery_min_apply_delay and pg_is_wal_replay_paused() at the standby, or %s", elsewhere);
    return TAIN_E_BUSY;
}

static tain_status fail_untold(tain_pg_source *s, tain_error *err)
{
    TAIN_AUTO(tain_free) char *remedy = grant(s);
    (void)tain_fail(err, TAIN_E_BUSY, "the standby at %s gave no snapshot within %d s: the source did not log its running transactions, or one of them does not end",
                    s->standby->target.where, (int)(PATIENCE / TAIN_SECOND));
    tain_error_remedy(err, "%s", remedy);
    return TAIN_E_BUSY;
}

/* Whether it moves: one that does not for long is in trouble. */
static tain_status look_at(tain_pg_source *s, tain_error *err)
{
    uint64_t at;
    tain_pg_standby *b = s->standby;
    tain_time now = tain_monotonic();
    TAIN_TRY(replayed(s, &at, err));
    if (at > b->at) {
        b->at = at;
        b->moved = now;
    }
    return now - b->moved > PATIENCE ? fail_behind(s, at, err) : TAIN_OK;
}

static void urge_if_due(tain_pg_source *s)
{
    tain_pg_standby *b = s->standby;
    tain_time now = tain_monotonic();
    if (now < b->next) return;
    urge(s);
    b->pause = b->pause * 2 > URGE_MOST ? URGE_MOST : b->pause * 2;
    b->next = now + b->pause;
}

tain_status tain_pg_standby_ask(tain_pg_source *s, tain_error *err)
{
    tain_pg_standby *b = s->standby;
    TAIN_TRY(tain_pg_standby_check(s, err));
    TAIN_TRY(tain_pg_log_end(s, &b->least, err));
    tain_time now = tain_monotonic();
    b->at = 0;
    b->moved = b->asked = now;
    b->next = now + URGE_FIRST;
    b->pause = URGE_FIRST;
    b->behind = s->asked = true;
    s->described_at = now;
    return TAIN_OK;
}

tain_status tain_pg_standby_wait(tain_pg_source *s, tain_time deadline, tain_error *err)
{
    tain_pg_standby *b = s->standby;
    for (tain_time pause = LOOK_FIRST;; pause = pause * 2 > LOOK_MOST ? LOOK_MOST : pause * 2) {
        TAIN_TRY(look_at(s, err));
        b->behind = b->at < b->least;
        tain_time now = tain_monotonic();
        if (b->behind) urge_if_due(s);
        if (!b->behind || now >= deadline) break;
        tain_status waited = tain_pg_wait(&b->conn, false, now + pause < deadline ? now + pause : deadline, err);
        if (waited != TAIN_OK && waited != TAIN_E_BUSY) return waited;
    }
    if (b->behind) return TAIN_OK;
    b->next = tain_monotonic() + URGE_FIRST;
    b->pause = URGE_FIRST;
    b->asked = tain_monotonic();
    return TAIN_OK;
}

tain_status tain_pg_standby_urge(tain_pg_source *s, tain_time *io_until, tain_error *err)
{
    tain_pg_standby *b = s->standby;
    if (!b || s->exporter.target != &b->target) return TAIN_OK;
    if (tain_monotonic() >= b->next) {
        urge_if_due(s);
        if (!b->may_log && tain_monotonic() - b->asked > PATIENCE) return fail_untold(s, err);
        TAIN_TRY(look_at(s, err));
    }
    if (b->next < *io_until) *io_until = b->next;
    return TAIN_OK;
}

void tain_pg_standby_describe(tain_pg_source *s, tain_waiting *ret)
{
    const tain_pg_standby *b = s->standby;
    if (b->behind) {
        snprintf(ret->reason, sizeof ret->reason, "the standby at %s has not replayed the log to where the source was, %X/%X", b->target.where, (unsigned)(b->least >> 32),
                 (unsigned)b->least);
        snprintf(ret->remedy, sizeof ret->remedy, "it is at %X/%X, %.1f MiB in front of that; see pg_stat_replication at the source", (unsigned)(b->at >> 32), (unsigned)b->at,
                 (double)(b->least - b->at) / (1 << 20));
        return;
    }
    snprintf(ret->reason, sizeof ret->reason, "the standby at %s gives a snapshot when transactions have ended that were open at the source%s", b->target.where,
             b->may_log ? "" : ", and the source has logged that");
    TAIN_AUTO(tain_free) char *sql = grant(s);
    snprintf(ret->remedy, sizeof ret->remedy, "%s", b->may_log ? "look for backend_xid in pg_stat_activity at the source, and pg_prepared_xacts" : sql);
}

/* --- the content ----------------------------------------------------------------------------------------------------- */

/* It was a standby of the source's timeline behind that place, so the place is one of the source's log. */
static tain_status check_place(tain_pg_source *s, tain_error *err)
{
    uint64_t end, at, least = s->standby->least;
    TAIN_TRY(check_identity(s, err));
    TAIN_TRY(replayed(s, &at, err));
    TAIN_TRY(tain_pg_log_end(s, &end, err));
    if (s->snapshot_lsn >= least && s->snapshot_lsn <= end) return TAIN_OK;
    return refuse(s, elsewhere, err, "its snapshot is at %X/%X, which is no place between %X/%X and %X/%X of the source's log", (unsigned)(s->snapshot_lsn >> 32),
                  (unsigned)s->snapshot_lsn, (unsigned)(least >> 32), (unsigned)least, (unsigned)(end >> 32), (unsigned)end);
}

tain_status tain_pg_standby_take(tain_pg_source *s, tain_error *err)
{
    if (!s->standby || s->exporter.target != &s->standby->target) return TAIN_OK;
    TAIN_TRY(check_place(s, err));
    s->standby->reading = true;
    return TAIN_OK;
}
