/* SPDX-License-Identifier: MIT */
#include "source/postgres/connection.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/text.h"

/* Every text this program reads is in these forms; a zero timeout because a COPY may take hours; no schema in the path
 * where somebody else could have put a function that fits our questions better. */
static const char session[] = " -c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c lc_monetary=C -c extra_float_digits=1"
                              " -c bytea_output=hex -c search_path=pg_catalog -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off";
static const char *const role_session[] = {
    [TAIN_PG_CATALOG] = " -c lock_timeout=5s",
    [TAIN_PG_READER] = " -c lock_timeout=0",
    /* While the lake is slow or a table is loaded nobody reads the stream: the server's minute of patience would cut it.
     * Without any patience it could not be stopped then. A peer that is really gone is found by TCP. */
    [TAIN_PG_WALSENDER] = " -c lock_timeout=0 -c wal_sender_timeout=5min -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6",
};

/* --- target ---------------------------------------------------------------------------------------------------------- */

static void set_parameter(tain_pg_target *t, const char *keyword, char *value /* taken */)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->keywords[i], keyword) == 0) {
            tain_free(t->values[i]);
            t->values[i] = value;
            return;
        }
    }
    t->keywords = tain_realloc(t->keywords, (t->count + 2) * sizeof *t->keywords);
    t->values = tain_realloc(t->values, (t->count + 2) * sizeof *t->values);
    t->keywords[t->count] = tain_strdup(keyword);
    t->values[t->count++] = value;
}

static const char *parameter(const tain_pg_target *t, const char *keyword)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->keywords[i], keyword) == 0) return t->values[i];
    return NULL;
}

static const char *parameter_or(const tain_pg_target *t, const char *keyword, const char *variable, const char *otherwise)
{
    const char *v = parameter(t, keyword);
    if (!v || !*v) v = getenv(variable);
    return v && *v ? v : otherwise;
}

static tain_status parse_url(tain_pg_target *t, const char *url, tain_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    if (!options) {
        char *shown = tain_url_redacted(url);
        PQfreemem(why);
        (void)tain_fail(err, TAIN_E_INVALID, "source %s: not a PostgreSQL connection URL", shown);
        tain_error_remedy(err, "write it as postgresql://user@host:5432/database; special characters in the password as %%XX");
        tain_free(shown);
        return TAIN_E_INVALID;
    }
    for (PQconninfoOption *o = options; o->keyword; o++)
        if (o->val) set_parameter(t, o->keyword, tain_strdup(o->val));
    PQconninfoFree(options);
    return TAIN_OK;
}

static tain_status resolve_password(tain_pg_target *t, tain_error *err)
{
    const char *given = parameter(t, "password");
    if (!given) return TAIN_OK;
    char *secret;
    TAIN_TRY_IN(err, tain_secret_resolve(given, &secret, err), "password of the source");
    set_parameter(t, "password", secret);
    return TAIN_OK;
}

tain_status tain_pg_target_init(tain_pg_target *t, const char *url, tain_error *err)
{
    *t = (tain_pg_target){.wake = -1};
    TAIN_TRY(parse_url(t, url, err));
    TAIN_TRY(resolve_password(t, err));
    const char *host = parameter_or(t, "host", "PGHOST", NULL), *address = parameter_or(t, "hostaddr", "PGHOSTADDR", NULL);
    if (!host) host = address ? address : "/var/run/postgresql";
    const char *at = strrchr(host, '@'); /* a password with an @ in it that was not written as %40 */
    if (at) host = at + 1;
    t->where = tain_format("%s:%s", host, parameter_or(t, "port", "PGPORT", "5432"));
    long seconds = strtol(parameter_or(t, "connect_timeout", "PGCONNECT_TIMEOUT", "15"), NULL, 10); /* libpq has the last word */
    t->timeout = (seconds > 0 ? seconds : 15) * TAIN_SECOND;
    set_parameter(t, "client_encoding", tain_strdup("UTF8"));
    if (!parameter(t, "application_name")) set_parameter(t, "application_name", tain_strdup("tain"));
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return t->wake < 0 ? tain_fail_errno(err, "eventfd") : TAIN_OK;
}

static bool is_open(const tain_pg_target *t, const char *keyword)
{
    const char *value = parameter(t, keyword);
    return !value || !*value || (strcmp(keyword, "password") == 0 && strcmp(value, "***") == 0);
}

static bool is_about_place(const char *keyword)
{
    static const char *const keywords[] = {"host", "hostaddr", "port", "service", "target_session_attrs", "load_balance_hosts"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keyword, keywords[i]) == 0) return true;
    return false;
}

/* A password is that of its user. */
static bool is_same_user(const tain_pg_target *a, const tain_pg_target *b)
{
    const char *x = parameter(a, "user"), *y = parameter(b, "user");
    return !x || (y && strcmp(x, y) == 0);
}

void tain_pg_target_follow(tain_pg_target *t, const tain_pg_target *leader)
{
    bool same = is_same_user(t, leader);
    t->leader = leader;
    if (is_open(t, "password")) set_parameter(t, "password", tain_strdup(""));
    for (size_t i = 0; i < leader->count; i++) {
        const char *keyword = leader->keywords[i];
        if (is_about_place(keyword) || !is_open(t, keyword) || (!same && strcmp(keyword, "password") == 0)) continue;
        set_parameter(t, keyword, tain_strdup(leader->values[i]));
    }
    if (!parameter(t, "target_session_attrs")) set_parameter(t, "target_session_attrs", tain_strdup("any"));
}

void tain_pg_target_done(tain_pg_target *t)
{
    for (size_t i = 0; i < t->count; i++) {
        tain_free(t->keywords[i]);
        tain_free(t->values[i]);
    }
    tain_free(t->keywords);
    tain_free(t->values);
    tain_free(t->where);
    if (t->wake > 0) close(t->wake);
    *t = (tain_pg_target){.wake = -1};
}

void tain_pg_target_cancel(tain_pg_target *t)
{
    atomic_store(&t->cancelled, true);
    (void)!write(t->wake, &(uint64_t){1}, 8);
}

tain_status tain_pg_target_check(tain_pg_target *t, tain_error *err)
{
    if (!atomic_load_explicit(&t->cancelled, memory_order_relaxed)) return TAIN_OK;
    (void)!read(t->wake, &(uint64_t){0}, 8);
    atomic_store(&t->cancelled, false);
    return tain_fail(err, TAIN_E_CANCELLED, "stopped");
}

/* --- connecting ------------------------------------------------------------------------------------------------------ */

static PGconn *start_connect(tain_pg_target *t, tain_pg_role role)
{
    const char **keywords = tain_alloc((t->count + 3) * sizeof *keywords), **values = tain_alloc((t->count + 3) * sizeof *values);
    const char *given = parameter(t, "options");
    char *options = tain_format("%s%s%s", given ? given : "", session, role_session[role]);
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->keywords[i], "options") == 0 || strcmp(t->keywords[i], "replication") == 0) continue;
        keywords[n] = t->keywords[i];
        values[n++] = t->values[i];
    }
    keywords[n] = "options";
    values[n++] = options;
    if (role == TAIN_PG_WALSENDER) {
        keywords[n] = "replication";
        values[n++] = "database";
    }
    PGconn *pg = PQconnectStartParams(keywords, values, 0);
    tain_free(options);
    tain_free(keywords);
    tain_free(values);
    return pg;
}

static void no_notices(void *ctx, const PGresult *result) {}

static tain_status finish_connect(tain_pg_conn *c, tain_error *err)
{
    tain_time deadline = tain_monotonic() + c->target->timeout;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
    while (PQstatus(c->pg) != CONNECTION_BAD) {
        tain_status waited = tain_pg_wait(c, state == PGRES_POLLING_WRITING, deadline, err);
        if (waited == TAIN_E_BUSY)
            return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s does not answer within %d s", c->target->where,
                             (int)(c->target->timeout / TAIN_SECOND));
        TAIN_TRY(waited);
        state = PQconnectPoll(c->pg);
        if (state == PGRES_POLLING_OK) return TAIN_OK;
        if (state == PGRES_POLLING_FAILED) break;
    }
    return tain_pg_fail_connect(c, err);
}

/* Behind a pooler that drops what it does not know a session has other forms than those asked for. */
static tain_status check_session(tain_pg_conn *c, tain_error *err)
{
    static const struct { const char *name, *value; } forms[] = {{"TimeZone", "UTC"}, {"DateStyle", "ISO"}, {"IntervalStyle", "postgres"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *is = PQparameterStatus(c->pg, forms[i].name);
        if (is && strncmp(is, forms[i].value, strlen(forms[i].value)) == 0) continue;
        (void)tain_fail(err, TAIN_E_CONFIG, "PostgreSQL at %s does not take the session's settings: %s is %s, not %s", c->target->where, forms[i].name,
                        is ? is : "not known", forms[i].value);
        tain_error_remedy(err, "%s", tain_pg_pooler_remedy);
        return TAIN_E_CONFIG;
    }
    return TAIN_OK;
}

/* Settings that older servers do not know cannot be given when connecting. */
static tain_status settle(tain_pg_conn *c, tain_error *err)
{
    c->version = PQserverVersion(c->pg);
    TAIN_TRY(check_session(c, err));
    if (c->version < 140000) return TAIN_OK;
    return tain_pg_run(c, err, "SET idle_session_timeout = 0%s", c->version >= 170000 ? "; SET transaction_timeout = 0" : "");
}

tain_status tain_pg_connect(tain_pg_conn *c, tain_pg_target *target, tain_pg_role role, tain_error *err)
{
    *c = (tain_pg_conn){.target = target, .pg = start_connect(target, role)};
    if (!c->pg) return tain_fail(err, TAIN_E_INTERNAL, "libpq: out of memory");
    PQsetNoticeReceiver(c->pg, no_notices, NULL);
    tain_status status = finish_connect(c, err);
    if (status == TAIN_OK) {
        PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
        status = settle(c, err);
    }
    if (status != TAIN_OK) tain_pg_disconnect(c);
    return status;
}

void tain_pg_disconnect(tain_pg_conn *c)
{
    if (c->pg) PQfinish(c->pg);
    c->pg = NULL;
}

void tain_pg_give_up(tain_pg_conn *c)
{
    char ignored[256];
    PGcancel *cancel = tain_pg_connected(c) ? PQgetCancel(c->pg) : NULL;
    if (cancel) (void)!PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
    tain_pg_disconnect(c);
}

bool tain_pg_connected(const tain_pg_conn *c) { return c->pg && PQstatus(c->pg) == CONNECTION_OK; }

bool tain_pg_is_alive(tain_pg_conn *c)
{
    if (tain_pg_connected(c) && PQtransactionStatus(c->pg) == PQTRANS_IDLE) (void)!PQconsumeInput(c->pg);
    return tain_pg_connected(c);
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static int wait_ms(tain_time deadline)
{
    if (deadline == INT64_MAX) return -1;
    tain_time left = deadline - tain_monotonic();
    return left <= 0 ? 0 : left > 3600 * TAIN_SECOND ? 3600000 : (int)((left + 999) / 1000);
}

tain_status tain_pg_wait(tain_pg_conn *c, bool write, tain_time deadline, tain_error *err)
{
    const tain_pg_target *heard = c->target->leader ? c->target->leader : c->target;
    struct pollfd fds[2] = {{.fd = PQsocket(c->pg), .events = write ? POLLOUT : POLLIN}, {.fd = heard->wake, .events = POLLIN}};
    int n = poll(fds, 2, wait_ms(deadline));
    if (n < 0 && errno != EINTR) return tain_fail_errno(err, "poll");
    if (atomic_load(&heard->cancelled)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    if (n <= 0 && wait_ms(deadline) == 0) return tain_fail(err, TAIN_E_BUSY, "PostgreSQL at %s: nothing within the time given", c->target->where);
    return TAIN_OK;
}
