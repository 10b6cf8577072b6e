/* SPDX-License-Identifier: MIT */
/* What the server or libpq said, in one line with a remedy. */
#include "source/postgres/connection.h"

#include <ctype.h>
#include <string.h>

const char tain_pg_pooler_remedy[] = "give the address of the server itself, not that of a connection pooler: replication does not go through one";

void tain_pg_flatten(const char *text, char *out, size_t size)
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

tain_status tain_pg_status_of(const char *s)
{
    static const struct { const char *prefix; tain_status status; } table[] = {
        {"28", TAIN_E_AUTH},        {"3D000", TAIN_E_NOT_FOUND}, {"42501", TAIN_E_PERMISSION}, {"42704", TAIN_E_NOT_FOUND},
        {"42P01", TAIN_E_NOT_FOUND}, {"42703", TAIN_E_NOT_FOUND}, {"42710", TAIN_E_EXISTS},     {"42P07", TAIN_E_EXISTS},
        {"3F000", TAIN_E_NOT_FOUND}, {"58P01", TAIN_E_GONE},     {"55006", TAIN_E_BUSY},       {"55P03", TAIN_E_BUSY},
        {"55000", TAIN_E_CONFIG},   {"53400", TAIN_E_BUSY},      {"53300", TAIN_E_BUSY},       {"53", TAIN_E_UNAVAILABLE},
        {"57014", TAIN_E_UNAVAILABLE}, {"57", TAIN_E_UNAVAILABLE}, {"08", TAIN_E_UNAVAILABLE}, {"40", TAIN_E_BUSY},
        {"58", TAIN_E_UNAVAILABLE}, {"0A000", TAIN_E_UNSUPPORTED}, {"22", TAIN_E_INVALID},     {"25006", TAIN_E_PERMISSION}, {"25", TAIN_E_UNAVAILABLE},
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
        tain_error_remedy(err, "check user \"%s\", its password (secret of the connection, URL, PGPASSWORD, ~/.pgpass) and pg_hba.conf of the server", user);
    if (strcmp(sqlstate, "53400") == 0) tain_error_remedy(err, "ALTER SYSTEM SET max_replication_slots to a higher number and restart the server, or drop a slot that is not used");
    if (strcmp(sqlstate, "53300") == 0) tain_error_remedy(err, "ALTER SYSTEM SET max_wal_senders / max_connections to a higher number and restart the server");
    if (strcmp(sqlstate, "53200") == 0)
        tain_error_remedy(err, "give the server more memory; if it is the shared memory: ALTER SYSTEM SET max_locks_per_transaction to a higher number and restart the server, since a publication is made with a lock on each of its tables");
    if (strcmp(sqlstate, "40001") == 0)
        tain_error_remedy(err, "it is tried again; if a standby gave way to its primary: set hot_standby_feedback = on there, or a longer max_standby_streaming_delay");
    if (strcmp(sqlstate, "57P01") == 0 || strcmp(sqlstate, "57P03") == 0) tain_error_remedy(err, "the server is stopping or starting; it is tried again");
}

/* A function of the server looks at a table that the catalog's snapshot still lists and that was dropped since: it is not
 * listed the next time. The text is never translated. */
static bool is_gone_meanwhile(const char *line) { return strstr(line, "could not open relation with OID") != NULL; }

tain_status tain_pg_fail(tain_pg_conn *c, const PGresult *result, tain_error *err)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    char line[700], detail[200];
    if (!sqlstate || !c->pg || PQstatus(c->pg) == CONNECTION_BAD) {
        tain_pg_flatten(c->pg ? PQerrorMessage(c->pg) : "not connected", line, sizeof line);
        return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s: %s", c->target->where, *line ? line : "connection lost");
    }
    tain_pg_flatten(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line);
    tain_pg_flatten(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL), detail, sizeof detail);
    bool gone = is_gone_meanwhile(line);
    tain_status status = tain_fail(err, gone ? TAIN_E_BUSY : tain_pg_status_of(sqlstate), "PostgreSQL at %s: %s%s%s%s", c->target->where, line,
                                   *detail ? " (" : "", detail, *detail ? ")" : "");
    if (!gone) add_remedy(c, sqlstate, err);
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

static tain_status fail_refused(tain_pg_conn *c, const char *sqlstate, const char *message, tain_error *err)
{
    const char *location = strstr(message, "\nLOCATION:");
    char line[700], *only = tain_strndup(message, location ? (size_t)(location - message) : strlen(message));
    bool pooler = strstr(only, "unsupported startup parameter") != NULL;
    tain_status status = pooler ? TAIN_E_CONFIG : tain_pg_status_of(sqlstate);
    tain_pg_flatten(only, line, sizeof line);
    tain_free(only);
    (void)tain_fail(err, status, "PostgreSQL at %s: %s", c->target->where, line);
    if (pooler) tain_error_remedy(err, "%s", tain_pg_pooler_remedy);
    else add_remedy(c, sqlstate, err);
    return status;
}

/* What trying again does not mend: encryption that is missing, or not trusted. */
static bool is_about_encryption(const char *line)
{
    if (strstr(line, "SYSCALL") || strstr(line, "unexpected eof")) return false;
    return strstr(line, "certificate") || strstr(line, "does not support SSL") || strstr(line, "SSL error");
}

tain_status tain_pg_fail_connect(tain_pg_conn *c, tain_error *err)
{
    char sqlstate[6], line[700];
    const char *text = PQerrorMessage(c->pg), *message;
    if (connect_sqlstate(text, sqlstate, &message)) return fail_refused(c, sqlstate, message, err);
    tain_pg_flatten(text, line, sizeof line);
    if (PQconnectionNeedsPassword(c->pg)) {
        (void)tain_fail(err, TAIN_E_AUTH, "PostgreSQL at %s asks for a password and none was given", c->target->where);
        add_remedy(c, "28P01", err);
        return TAIN_E_AUTH;
    }
    if (strncmp(line, "invalid ", 8) == 0) return tain_fail(err, TAIN_E_INVALID, "PostgreSQL at %s: %s", c->target->where, line);
    if (is_about_encryption(line)) {
        (void)tain_fail(err, TAIN_E_CONFIG, "PostgreSQL at %s: %s", c->target->where, line);
        tain_error_remedy(err, "see to sslmode, sslrootcert, sslcert and sslkey in the URL, and to ssl in the server's settings");
        return TAIN_E_CONFIG;
    }
    (void)tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s does not answer: %s", c->target->where, line);
    tain_error_remedy(err, "check host and port, and that the server is up and listens there");
    return TAIN_E_UNAVAILABLE;
}
