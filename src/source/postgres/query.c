/* SPDX-License-Identifier: MIT */
#include "source/postgres/connection.h"

#include <stdio.h>
#include <stdlib.h>

static tain_status next_result(tain_pg_conn *c, PGresult **ret, tain_error *err)
{
    while (PQisBusy(c->pg)) {
        TAIN_TRY(tain_pg_wait(c, false, INT64_MAX, err));
        if (!PQconsumeInput(c->pg)) return tain_pg_fail(c, NULL, err);
    }
    *ret = PQgetResult(c->pg);
    return TAIN_OK;
}

static bool succeeded(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);
    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
}

/* A statement given up midway would answer later, in place of another: the connection is not used again. */
static tain_status collect(tain_pg_conn *c, PGresult **ret, tain_error *err)
{
    PGresult *last = NULL;
    tain_status status = TAIN_OK;
    for (PGresult *r;;) {
        tain_status got = next_result(c, &r, err);
        if (got != TAIN_OK) {
            PQclear(last);
            tain_pg_give_up(c);
            return got;
        }
        if (!r) break;
        if (status == TAIN_OK && !succeeded(r)) status = tain_pg_fail(c, r, err);
        PQclear(last);
        last = r;
        if (PQresultStatus(r) == PGRES_COPY_BOTH || PQresultStatus(r) == PGRES_COPY_OUT) break;
    }
    if (status == TAIN_OK && last && ret) *ret = last;
    else PQclear(last);
    if (status == TAIN_OK && !last) return tain_pg_fail(c, NULL, err);
    return status;
}

tain_status tain_pg_query(tain_pg_conn *c, const char *sql, PGresult **ret, tain_error *err)
{
    if (!c->pg || !PQsendQuery(c->pg, sql)) return tain_pg_fail(c, NULL, err);
    return collect(c, ret, err);
}

tain_status tain_pg_query_params(tain_pg_conn *c, const char *sql, int n, const char *const *values, PGresult **ret, tain_error *err)
{
    if (!c->pg || !PQsendQueryParams(c->pg, sql, n, NULL, values, NULL, NULL, 0)) return tain_pg_fail(c, NULL, err);
    return collect(c, ret, err);
}

tain_status tain_pg_run(tain_pg_conn *c, tain_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = NULL;
    int n = vasprintf(&sql, format, args);
    va_end(args);
    if (n < 0) abort();
    tain_status status = tain_pg_query(c, sql, NULL, err);
    free(sql);
    return status;
}

tain_status tain_pg_begin_copy(tain_pg_conn *c, const char *sql, ExecStatusType expected, tain_error *err)
{
    if (!c->pg || !PQsendQuery(c->pg, sql)) return tain_pg_fail(c, NULL, err);
    for (;;) {
        PGresult *r;
        tain_status got = next_result(c, &r, err);
        if (got != TAIN_OK) {
            tain_pg_give_up(c);
            return got;
        }
        if (!r) return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s: no data came for %.60s", c->target->where, sql);
        bool begun = PQresultStatus(r) == expected, fine = succeeded(r);
        tain_status status = begun || fine ? TAIN_OK : tain_pg_fail(c, r, err);
        PQclear(r);
        if (begun) return TAIN_OK;
        if (status == TAIN_OK) continue;
        while ((r = PQgetResult(c->pg))) PQclear(r);
        return status;
    }
}

static tain_status end_copy(tain_pg_conn *c, tain_error *err)
{
    tain_status status = TAIN_OK;
    for (PGresult *r;;) {
        TAIN_TRY(next_result(c, &r, err));
        if (!r) return status;
        if (status == TAIN_OK && !succeeded(r)) status = tain_pg_fail(c, r, err);
        bool both = PQresultStatus(r) == PGRES_COPY_BOTH;
        PQclear(r);
        if (both) return status;
    }
}

tain_status tain_pg_copy_next(tain_pg_conn *c, bool wait, char **ret, size_t *ret_size, tain_pg_copied *ret_what, tain_error *err)
{
    for (bool tried = false;; tried = true) {
        int n = PQgetCopyData(c->pg, ret, 1);
        if (n > 0) {
            *ret_size = (size_t)n;
            *ret_what = TAIN_PG_COPY_ROW;
            return TAIN_OK;
        }
        if (n == -2) return tain_pg_fail(c, NULL, err);
        *ret_what = n == -1 ? TAIN_PG_COPY_END : TAIN_PG_COPY_NONE;
        if (n == -1) return end_copy(c, err);
        if (tried && !wait) return TAIN_OK;
        if (wait) TAIN_TRY(tain_pg_wait(c, false, INT64_MAX, err));
        if (!PQconsumeInput(c->pg)) return tain_pg_fail(c, NULL, err);
    }
}
