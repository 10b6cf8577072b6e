/* SPDX-License-Identifier: MIT */
/* What of its log the server keeps for the mirror's slot, on a connection that no other thread waits for. */
#include <stdio.h>

#include "postgres_queries.h"
#include "source/postgres/postgres.h"
#include "source/postgres/result.h"

#define PATIENCE (5 * TAIN_SECOND) /* whoever waits for this thread to end must not wait for a server that is silent */

static tain_status wait_for_answer(tain_pg_conn *c, tain_error *err)
{
    tain_time deadline = tain_monotonic() + PATIENCE;
    while (PQisBusy(c->pg)) {
        TAIN_TRY(tain_pg_wait(c, false, deadline, err));
        if (!PQconsumeInput(c->pg)) return tain_pg_fail(c, NULL, err);
    }
    return TAIN_OK;
}

static tain_status ask(tain_pg_conn *c, const char *slot, PGresult **ret, tain_error *err)
{
    if (!PQsendQueryParams(c->pg, tain_query_retained, 1, NULL, &slot, NULL, NULL, 0)) return tain_pg_fail(c, NULL, err);
    TAIN_TRY(wait_for_answer(c, err));
    PGresult *r = PQgetResult(c->pg);
    tain_status status = PQresultStatus(r) == PGRES_TUPLES_OK ? TAIN_OK : tain_pg_fail(c, r, err);
    if (status == TAIN_OK) status = wait_for_answer(c, err);
    if (status == TAIN_OK) *ret = r;
    else PQclear(r);
    PQclear(status == TAIN_OK ? PQgetResult(c->pg) : NULL);
    return status;
}

static tain_status look(tain_pg_source *s, PGresult **ret, tain_error *err)
{
    tain_pg_conn *c = &s->looker;
    s->look_target.timeout = PATIENCE;
    if (!tain_pg_connected(c)) {
        tain_pg_disconnect(c);
        TAIN_TRY(tain_pg_connect(c, &s->look_target, TAIN_PG_CATALOG, err));
    }
    tain_status status = ask(c, s->slot, ret, err);
    if (status != TAIN_OK) tain_pg_disconnect(c); /* an answer that comes later would be that to another question */
    return status;
}

/* Past its limit the server says how much too much it is. */
static int64_t safe(const PGresult *r, const tain_retained *t)
{
    int64_t v = tain_pg_get_int(r, 0, "safe_wal_size");
    return t->limit < 0 ? -1 : v < 0 || t->lost ? 0 : v;
}

tain_status tain_pg_retained(tain_source *base, tain_retained *ret, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(look(s, &r, err));
    if (PQntuples(r) == 0) return tain_fail(err, TAIN_E_NOT_FOUND, "replication slot %s is not at PostgreSQL %s", s->slot, s->target.where);
    *ret = (tain_retained){.bytes = tain_pg_get_int(r, 0, "bytes"), .limit = tain_pg_get_int(r, 0, "keeps"), .lost = tain_pg_get_bool(r, 0, "lost")};
    ret->endangered = ret->lost || tain_pg_get_bool(r, 0, "endangered");
    ret->safe = safe(r, ret);
    snprintf(ret->state, sizeof ret->state, "%s", ret->lost ? "lost" : tain_pg_get(r, 0, "wal_status"));
    snprintf(ret->holder, sizeof ret->holder, "replication slot %s at PostgreSQL %s", s->slot, s->target.where);
    return TAIN_OK;
}
