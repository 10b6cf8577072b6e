/* SPDX-License-Identifier: MIT */
/* The snapshot of a new slot: asked for, waited for, held. */
#include <stdio.h>
#include <unistd.h>

#include "source/postgres/capture.h"
#include "source/postgres/result.h"
#include "source/postgres/standby.h"
#include "postgres_queries.h"

#define LOOK_EVERY TAIN_SECOND /* while nothing comes */

/* --- whose it is --------------------------------------------------------------------------------------------------- */

bool tain_pg_signature(const tain_pg_source *s, char ret[static 64])
{
    if (!s->options.mirror_id || strchr(s->options.mirror_id, '\'')) return false;
    snprintf(ret, 64, "tain %s", s->options.mirror_id);
    return true;
}

static tain_status end_maker(tain_pg_source *s, const char *slot, const char *process, void (*say)(const char *), tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, "SELECT pg_terminate_backend($1)", 1, &process, &r, err));
    tain_pg_say_line(say, "replication slot %s was still being made by process %s of the server, for a run of this mirror that was killed: ended", slot, process);
    return TAIN_OK;
}

tain_status tain_pg_end_makers(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    char name[64], own[16];
    TAIN_PG_RESULT *r = NULL;
    if (!tain_pg_signature(s, name)) return TAIN_OK;
    snprintf(own, sizeof own, "%d", s->exporter.pg ? PQbackendPID(s->exporter.pg) : 0);
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_makers, 2, (const char *[]){name, own}, &r, err));
    for (int i = 0; i < PQntuples(r); i++) TAIN_TRY(end_maker(s, tain_pg_get(r, i, "slot_name"), tain_pg_get(r, i, "active_pid"), say, err));
    return TAIN_OK;
}

/* --- asking -------------------------------------------------------------------------------------------------------- */

/* A server that waits for others does not see that we are gone, and would keep slot and log for nobody. The second statement
 * is what begins the checks; not every system has them. */
static void let_it_notice(tain_pg_conn *c)
{
    if (c->version >= 140000) (void)!tain_pg_run(c, NULL, "SET client_connection_check_interval = '2s'; SET idle_session_timeout = 0");
}

/* So that the mirror's next start knows whose it was. */
static void sign(tain_pg_source *s)
{
    char name[64];
    if (s->prepared && tain_pg_signature(s, name)) (void)!tain_pg_run(&s->exporter, NULL, "SET application_name = '%s'", name);
}

static tain_status send(tain_pg_source *s, const char *slot, bool temporary, tain_error *err)
{
    tain_pg_target *where = temporary && s->standby ? &s->standby->target : &s->target;
    TAIN_TRY(tain_pg_connect(&s->exporter, where, TAIN_PG_WALSENDER, err));
    let_it_notice(&s->exporter);
    sign(s);
    bool failover = !temporary && s->exporter.version >= 170000 && !s->server.in_recovery;
    char sql[200];
    snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT %s%s LOGICAL pgoutput %s", slot, temporary ? " TEMPORARY" : "",
             failover ? "(SNAPSHOT 'export', FAILOVER true)" : "EXPORT_SNAPSHOT");
    if (!s->exporter.pg || !PQsendQuery(s->exporter.pg, sql)) return tain_pg_fail(&s->exporter, NULL, err);
    s->asked = true;
    s->described_at = tain_monotonic();
    return TAIN_OK;
}

static tain_status ask(tain_pg_source *s, const char *slot, bool temporary, tain_error *err)
{
    tain_pg_export_end(s);
    if (temporary) snprintf(s->passing, sizeof s->passing, "%s", slot);
    bool later = temporary && s->standby;
    tain_status status = later ? tain_pg_standby_ask(s, err) : send(s, slot, temporary, err);
    if (status == TAIN_OK) return status;
    if (!later) tain_error_context(err, "replication slot %s", slot);
    tain_pg_export_end(s);
    return status;
}

/* One of its own each time: that of a process which was killed may still be there. */
static tain_status ask_temporary(tain_pg_source *s, tain_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%.40s_load_%d_%04x", s->slot, (int)getpid(), (unsigned)tain_monotonic() & 0xffff);
    return ask(s, name, true, err);
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

static tain_status take_snapshot(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = PQgetResult(s->exporter.pg);
    s->asked = false;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) return tain_pg_fail(&s->exporter, r, err);
    snprintf(s->snapshot, sizeof s->snapshot, "%s", tain_pg_get(r, 0, "snapshot_name"));
    if (!tain_pg_parse_lsn(tain_pg_get(r, 0, "consistent_point"), &s->snapshot_lsn))
        return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s gave no position with its new slot", s->exporter.target->where);
    PQclear(PQgetResult(s->exporter.pg));
    TAIN_TRY(tain_pg_standby_take(s, err));
    s->unread = true;
    return TAIN_OK;
}

static bool is_behind(const tain_pg_source *s) { return s->standby && s->standby->behind; }

static tain_status ask_standby(tain_pg_source *s, tain_time deadline, tain_error *err)
{
    if (!is_behind(s)) return TAIN_OK;
    TAIN_TRY(tain_pg_standby_wait(s, deadline, err));
    return is_behind(s) ? TAIN_OK : send(s, s->passing, true, err);
}

static tain_status answer(tain_pg_source *s, tain_time deadline, tain_error *err)
{
    TAIN_TRY(ask_standby(s, deadline, err));
    if (is_behind(s)) return TAIN_OK;
    while (PQisBusy(s->exporter.pg)) {
        tain_time until = deadline;
        TAIN_TRY(tain_pg_standby_urge(s, &until, err));
        tain_status waited = tain_pg_wait(&s->exporter, false, until, err);
        if (waited == TAIN_E_BUSY && until < deadline) continue;
        if (waited == TAIN_E_BUSY) return TAIN_OK;
        TAIN_TRY(waited);
        if (!PQconsumeInput(s->exporter.pg)) return tain_pg_fail(&s->exporter, NULL, err);
    }
    return take_snapshot(s, err);
}

/* Waits until the deadline; s->asked: there is no answer yet. */
static tain_status look(tain_pg_source *s, tain_time deadline, tain_error *err)
{
    tain_status status = answer(s, deadline, err);
    tain_pg_stream_keep_alive(s);
    if (status == TAIN_OK) return status;
    if (!is_behind(s)) tain_error_context(err, "replication slot %s", s->passing[0] ? s->passing : s->slot);
    tain_pg_export_end(s);
    return status;
}

/* --- what it waits for --------------------------------------------------------------------------------------------- */

static void describe_prepared(const tain_pg_source *s, const PGresult *r, tain_waiting *ret)
{
    const char *gid = tain_pg_get(r, 0, "gid"), *database = tain_pg_get(r, 0, "database");
    snprintf(ret->reason, sizeof ret->reason, "transaction '%s' in database %s at PostgreSQL %s, prepared %s UTC, has not ended", gid, database, s->target.where,
             tain_pg_get(r, 0, "since"));
    snprintf(ret->remedy, sizeof ret->remedy, "in database %s: ROLLBACK PREPARED '%s'; or COMMIT PREPARED", database, gid);
}

static void describe_session(const tain_pg_source *s, const PGresult *r, tain_waiting *ret)
{
    const char *pid = tain_pg_get(r, 0, "pid"), *since = tain_pg_get(r, 0, "since"), *state = tain_pg_get(r, 0, "state");
    snprintf(ret->reason, sizeof ret->reason, "the transaction of process %s at PostgreSQL %s (role %s, database %s, %s%s%s) has not ended%s%s%s", pid, s->target.where,
             tain_pg_get(r, 0, "usename"), tain_pg_get(r, 0, "datname"), tain_pg_get(r, 0, "application_name"), *state ? ", " : "", state, *since ? "; it began " : "", since,
             *since ? " UTC" : "");
    snprintf(ret->remedy, sizeof ret->remedy, "let it commit or roll back, or end it: SELECT pg_terminate_backend(%s);", pid);
}

static void describe(tain_pg_source *s, tain_waiting *ret)
{
    char pid[16];
    const char *value = pid;
    TAIN_PG_RESULT *r = NULL;
    *ret = (tain_waiting){0};
    if (s->standby && s->passing[0]) return tain_pg_standby_describe(s, ret);
    snprintf(pid, sizeof pid, "%d", PQbackendPID(s->exporter.pg));
    if (tain_pg_catalog_conn(s, NULL) != TAIN_OK || tain_pg_query_params(&s->conn, tain_query_blocker, 1, &value, &r, NULL) != TAIN_OK || PQntuples(r) == 0) return;
    if (!tain_pg_is_null(r, 0, "pid")) describe_session(s, r, ret);
    else if (!tain_pg_is_null(r, 0, "gid")) describe_prepared(s, r, ret);
}

/* Most transactions are over before it is asked. */
static const tain_waiting *awaited(tain_pg_source *s)
{
    tain_time now = tain_monotonic();
    if (now - s->described_at < LOOK_EVERY) return &s->awaited;
    describe(s, &s->awaited);
    s->described_at = now;
    return &s->awaited;
}

/* --- from outside -------------------------------------------------------------------------------------------------- */

static tain_status wait_for_it(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    tain_waiting said = {0};
    while (s->asked) {
        TAIN_TRY(look(s, tain_monotonic() + LOOK_EVERY, err));
        if (!s->asked || !say || strcmp(awaited(s)->reason, said.reason) == 0) continue;
        said = s->awaited;
        if (said.reason[0]) tain_pg_say_line(say, "replication slot %s cannot be made yet: %s (%s)", s->slot, said.reason, said.remedy);
    }
    return TAIN_OK;
}

tain_status tain_pg_export(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    TAIN_TRY(ask(s, s->slot, false, err));
    return wait_for_it(s, say, err);
}

bool tain_pg_is_exported(tain_pg_source *s)
{
    bool elsewhere = s->standby && s->exporter.target != &s->standby->target;
    return s->unread && !elsewhere && tain_pg_is_alive(&s->exporter);
}

/* A mirror's slot that was lost is made anew. */
static tain_status ask_if_needed(tain_pg_source *s, tain_error *err)
{
    tain_pg_slot slot;
    if (s->asked) return TAIN_OK;
    if (!s->prepared) return ask_temporary(s, err);
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    if (slot.there && !slot.lost[0]) return ask_temporary(s, err);
    TAIN_TRY(tain_pg_slot_drop(s, NULL, err));
    return ask(s, s->slot, false, err);
}

tain_status tain_pg_export_load(tain_pg_source *s, tain_error *err)
{
    TAIN_TRY(ask_if_needed(s, err));
    return wait_for_it(s, NULL, err);
}

tain_status tain_pg_snapshot_ready(tain_source *base, tain_time deadline, bool *ret_ready, tain_waiting *ret_why, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    *ret_why = (tain_waiting){0};
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    *ret_ready = tain_pg_is_exported(s);
    if (!*ret_ready) TAIN_TRY(ask_if_needed(s, err));
    if (*ret_ready) return TAIN_OK;
    TAIN_TRY(look(s, deadline, err));
    *ret_ready = tain_pg_is_exported(s);
    if (s->asked) *ret_why = *awaited(s);
    return TAIN_OK;
}

/* The server would drop a temporary slot some time after the connection: the next snapshot may come before that. */
void tain_pg_export_end(tain_pg_source *s)
{
    if (s->asked) tain_pg_give_up(&s->exporter);
    else if (s->passing[0] && tain_pg_connected(&s->exporter)) (void)!tain_pg_run(&s->exporter, NULL, "DROP_REPLICATION_SLOT %s", s->passing);
    tain_pg_disconnect(&s->exporter);
    tain_pg_standby_end(s);
    s->passing[0] = s->snapshot[0] = 0;
    s->awaited = (tain_waiting){0};
    s->asked = s->unread = false;
}
