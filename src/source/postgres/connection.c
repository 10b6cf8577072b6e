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

/* Every text this program reads is in these forms; a zero timeout because a COPY may take hours. */
static const char session[] = " -c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c lc_monetary=C -c extra_float_digits=1"
                              " -c bytea_output=hex -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off";
static const char *const role_session[] = {
    [TAIN_PG_CATALOG] = " -c lock_timeout=5s",
    [TAIN_PG_READER] = " -c lock_timeout=0",
    /* while the lake is slow or a table is loaded nobody reads the stream: the server's minute of patience would cut it.
     * A peer that is really gone is found by TCP. */
    [TAIN_PG_WALSENDER] = " -c lock_timeout=0 -c wal_sender_timeout=0 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6",
};

/* --- target -------------------------------------------------------------------------------------------------------- */

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

/* One line, without libpq's final newline. */
static void flatten(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; text && *text && n + 1 < size; text++) {
        bool space = isspace((unsigned char)*text);
        if (space && (n == 0 || out[n - 1] == ' ')) continue;
        out[n++] = space ? ' ' : *text;
    }
    while (n && out[n - 1] == ' ') n--;
    out[n] = 0;
}

static tain_status parse_url(tain_pg_target *t, const char *url, tain_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    if (!options) {
        char line[256], *shown = tain_url_redacted(url);
        flatten(why, line, sizeof line);
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

/* --- errors -------------------------------------------------------------------------------------------------------- */

tain_status tain_pg_status_of(const char *s)
{
    static const struct { const char *prefix; tain_status status; } table[] = {
        {"28", TAIN_E_AUTH},        {"3D000", TAIN_E_NOT_FOUND}, {"42501", TAIN_E_PERMISSION}, {"42704", TAIN_E_NOT_FOUND},
        {"42P01", TAIN_E_NOT_FOUND}, {"42703", TAIN_E_NOT_FOUND}, {"42710", TAIN_E_EXISTS},     {"42P07", TAIN_E_EXISTS},
        {"3F000", TAIN_E_NOT_FOUND}, {"58P01", TAIN_E_GONE},     {"55006", TAIN_E_BUSY},       {"55P03", TAIN_E_BUSY},
        {"55000", TAIN_E_CONFIG},   {"53400", TAIN_E_BUSY},      {"53300", TAIN_E_BUSY},       {"53", TAIN_E_UNAVAILABLE},
        {"57014", TAIN_E_UNAVAILABLE}, {"57", TAIN_E_UNAVAILABLE}, {"08", TAIN_E_UNAVAILABLE}, {"40", TAIN_E_BUSY},
        {"58", TAIN_E_UNAVAILABLE}, {"0A000", TAIN_E_UNSUPPORTED}, {"22", TAIN_E_INVALID},     {"25", TAIN_E_UNAVAILABLE},
        {"XX", TAIN_E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strncmp(s, table[i].prefix, strlen(table[i].prefix)) == 0) return table[i].status;
    return TAIN_E_PROTOCOL;
}

static void add_remedy(tain_pg_conn *c, const char *sqlstate, tain_error *err)
{
    const char *user = c->pg && PQuser(c->pg) ? PQuser(c->pg) : "?";
    if (strcmp(sqlstate, "42501") == 0) tain_error_remedy(err, "grant the privilege to role \"%s\"; `tain check` prints the SQL", user);
    if (strncmp(sqlstate, "28", 2) == 0)
        tain_error_remedy(err, "check user \"%s\", its password (URL, PGPASSWORD, ~/.pgpass) and pg_hba.conf of the server", user);
    if (strcmp(sqlstate, "53400") == 0) tain_error_remedy(err, "ALTER SYSTEM SET max_replication_slots to a higher number and restart the server, or drop a slot that is not used");
    if (strcmp(sqlstate, "53300") == 0) tain_error_remedy(err, "ALTER SYSTEM SET max_wal_senders / max_connections to a higher number and restart the server");
    if (strcmp(sqlstate, "57P01") == 0 || strcmp(sqlstate, "57P03") == 0) tain_error_remedy(err, "the server is stopping or starting; it is tried again");
}

tain_status tain_pg_fail(tain_pg_conn *c, const PGresult *result, tain_error *err)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    char line[700], detail[200];
    if (!sqlstate || !c->pg || PQstatus(c->pg) == CONNECTION_BAD) {
        flatten(c->pg ? PQerrorMessage(c->pg) : "not connected", line, sizeof line);
        return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s: %s", c->target->where, *line ? line : "connection lost");
    }
    flatten(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line);
    flatten(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL), detail, sizeof detail);
    tain_status status = tain_fail(err, tain_pg_status_of(sqlstate), "PostgreSQL at %s: %s%s%s%s", c->target->where, line,
                                   *detail ? " (" : "", detail, *detail ? ")" : "");
    add_remedy(c, sqlstate, err);
    return status;
}

/* libpq gives no SQLSTATE for a refused connection; with verbose errors it stands in the text as "FATAL:  28P01: ...". */
static bool connect_sqlstate(const char *text, char out[static 6], const char **ret_message)
{
    for (const char *p = strchr(text, ':'); p; p = strchr(p + 1, ':')) {
        const char *s = p + 1 + strspn(p + 1, " ");
        size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n != 5 || s[5] != ':' || strcspn(s, "0123456789") >= n) continue; /* FATAL: has five letters, too */
        memcpy(out, s, 5);
        out[5] = 0;
        *ret_message = s + 6;
        return true;
    }
    return false;
}

static tain_status fail_connect(tain_pg_conn *c, tain_error *err)
{
    char sqlstate[6], line[700];
    const char *text = PQerrorMessage(c->pg), *message;
    if (connect_sqlstate(text, sqlstate, &message)) {
        const char *location = strstr(message, "\nLOCATION:");
        char *only = tain_strndup(message, location ? (size_t)(location - message) : strlen(message));
        flatten(only, line, sizeof line);
        tain_free(only);
        (void)tain_fail(err, tain_pg_status_of(sqlstate), "PostgreSQL at %s: %s", c->target->where, line);
        add_remedy(c, sqlstate, err);
        return tain_pg_status_of(sqlstate);
    }
    flatten(text, line, sizeof line);
    if (PQconnectionNeedsPassword(c->pg)) {
        (void)tain_fail(err, TAIN_E_AUTH, "PostgreSQL at %s asks for a password and none was given", c->target->where);
        add_remedy(c, "28P01", err);
        return TAIN_E_AUTH;
    }
    if (strncmp(line, "invalid ", 8) == 0) return tain_fail(err, TAIN_E_INVALID, "PostgreSQL at %s: %s", c->target->where, line);
    (void)tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s does not answer: %s", c->target->where, line);
    tain_error_remedy(err, "check host and port, and that the server is up and listens there");
    return TAIN_E_UNAVAILABLE;
}

/* --- connecting ---------------------------------------------------------------------------------------------------- */

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
    return fail_connect(c, err);
}

tain_status tain_pg_connect(tain_pg_conn *c, tain_pg_target *target, tain_pg_role role, tain_error *err)
{
    *c = (tain_pg_conn){.target = target, .pg = start_connect(target, role)};
    if (!c->pg) return tain_fail(err, TAIN_E_INTERNAL, "libpq: out of memory");
    tain_status status = finish_connect(c, err);
    if (status != TAIN_OK) {
        tain_pg_disconnect(c);
        return status;
    }
    PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    PQsetNoticeReceiver(c->pg, no_notices, NULL);
    c->version = PQserverVersion(c->pg);
    return TAIN_OK;
}

void tain_pg_disconnect(tain_pg_conn *c)
{
    if (c->pg) PQfinish(c->pg);
    c->pg = NULL;
}

bool tain_pg_connected(const tain_pg_conn *c) { return c->pg && PQstatus(c->pg) == CONNECTION_OK; }

/* --- asking -------------------------------------------------------------------------------------------------------- */

static int wait_ms(tain_time deadline)
{
    if (deadline == INT64_MAX) return -1;
    tain_time left = deadline - tain_monotonic();
    return left <= 0 ? 0 : left > 3600 * TAIN_SECOND ? 3600000 : (int)((left + 999) / 1000);
}

tain_status tain_pg_wait(tain_pg_conn *c, bool write, tain_time deadline, tain_error *err)
{
    struct pollfd fds[2] = {{.fd = PQsocket(c->pg), .events = write ? POLLOUT : POLLIN}, {.fd = c->target->wake, .events = POLLIN}};
    int n = poll(fds, 2, wait_ms(deadline));
    if (n < 0 && errno != EINTR) return tain_fail_errno(err, "poll");
    if (atomic_load(&c->target->cancelled)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    if (n <= 0 && wait_ms(deadline) == 0) return tain_fail(err, TAIN_E_BUSY, "PostgreSQL at %s: nothing within the time given", c->target->where);
    return TAIN_OK;
}

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
            tain_pg_disconnect(c);
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
            tain_pg_disconnect(c);
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

/* --- SQL text ------------------------------------------------------------------------------------------------------ */

static void put_quoted(tain_buffer *out, const char *text, char quote)
{
    tain_buffer_append_u8(out, (uint8_t)quote);
    for (; *text; text++) {
        if (*text == quote) tain_buffer_append_u8(out, (uint8_t)quote);
        tain_buffer_append_u8(out, (uint8_t)*text);
    }
    tain_buffer_append_u8(out, (uint8_t)quote);
}

/* Quotes are left away where they change nothing, because people read these. Reserved words are few and quoted by
 * suspicion: a name that is one is short and has neither digit nor underscore. */
static bool is_plain(const char *name)
{
    static const char *const reserved =
        " all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create current_date"
        " current_role current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch"
        " for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp not null"
        " offset on only or order placing primary references returning select session_user some symmetric system_user table then to"
        " trailing true union unique user using variadic when where window with authorization binary collation concurrently cross"
        " current_schema freeze full ilike inner is isnull join left like natural notnull outer overlaps right similar tablesample"
        " verbose between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int"
        " integer interval json least merge_action national nchar none normalize nullif numeric out overlay position precision real"
        " row setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement ";
    if (!islower((unsigned char)*name) && *name != '_') return false;
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_') return false;
    char word[80];
    if (snprintf(word, sizeof word, " %s ", name) >= (int)sizeof word) return true;
    return !strstr(reserved, word);
}

void tain_pg_put_identifier(tain_buffer *out, const char *name)
{
    if (is_plain(name)) tain_buffer_append_str(out, name);
    else put_quoted(out, name, '"');
}

/* Names and texts we write hold no backslash that standard_conforming_strings=off would eat: E'' makes sure. */
void tain_pg_put_literal(tain_buffer *out, const char *text)
{
    if (!strchr(text, '\\')) {
        put_quoted(out, text, '\'');
        return;
    }
    tain_buffer_append_str(out, "E'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') tain_buffer_append_u8(out, (uint8_t)*text);
        tain_buffer_append_u8(out, (uint8_t)*text);
    }
    tain_buffer_append_u8(out, '\'');
}

void tain_pg_put_name(tain_buffer *out, const char *schema, const char *name)
{
    tain_pg_put_identifier(out, schema);
    tain_buffer_append_u8(out, '.');
    tain_pg_put_identifier(out, name);
}
