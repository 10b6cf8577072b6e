/* SPDX-License-Identifier: MIT */
/* A guest in somebody's server: it leaves nothing behind, stops nobody, and trusts no session but its own. */
#include "postgres_model.h"
#include "postgres_server.h"

#include <arpa/inet.h>
#include <pthread.h>

static server pg;
static int    port = 5432;

static tain_source *open_url(const char *url)
{
    const char *globs[] = {"app.*", NULL};
    tain_source_options options = {.url = url, .mirror_name = "guest", .tables = globs, .jobs = 1, .memory = 1 << 20, .spool_dir = pg.dir};
    tain_source *s = NULL;
    must(tain_source_postgres.open(&options, &s, err));
    return s;
}

static tain_position begin(tain_source *s, model *m)
{
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(s->ops->prepare(s, NULL, &fresh, err));
    model_init(m);
    return model_load(m, s, 1000);
}

static void end(tain_source *s, model *m)
{
    model_done(m);
    must(s->ops->remove(s, NULL, err));
    s->ops->close(s);
    server_sql(&pg, "DROP SCHEMA app CASCADE; CREATE SCHEMA app");
}

static int number(const char *sql)
{
    char *text = server_value(&pg, sql);
    int n = atoi(text);
    free(text);
    return n;
}

/* --- the server wants to stop -------------------------------------------------------------------------------------- */

static bool has_ended(pid_t pid, tain_time patience)
{
    for (tain_time until = tain_monotonic() + patience; tain_monotonic() < until; usleep(10000))
        if (waitpid(pid, NULL, WNOHANG) == pid) return true;
    return false;
}

static void a_stopping_server_is_let_go(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    tain_source *s = open_url(pg.url);
    model m;
    tain_position from = begin(s, &m);
    must(s->ops->start(s, &from, err));
    must(s->ops->confirm(s, &from, err));
    server_sql(&pg, "INSERT INTO app.t SELECT generate_series(1, 100)");
    model_catch_up(&m, s); /* and the lake is away: nothing more is confirmed */
    PQfinish(pg.sql);
    kill(pg.pid, SIGINT);
    tain_time until = tain_monotonic() + 20 * TAIN_SECOND;
    tain_status st = TAIN_OK;
    tain_error e = {0};
    while (st == TAIN_OK && tain_monotonic() < until) st = s->ops->poll(s, &m.sink, tain_monotonic() + 50 * TAIN_MILLISECOND, &e);
    assert_int_equal(st, TAIN_E_UNAVAILABLE);
    bool ended = has_ended(pg.pid, 10 * TAIN_SECOND);
    if (!ended) server_down(&pg, SIGQUIT);
    assert_true(ended);
    server_up(&pg);
    for (size_t t = 0; t < m.count; t++) m.tables[t].have = m.position;
    must(s->ops->start(s, &m.position, err));
    server_sql(&pg, "INSERT INTO app.t VALUES (1000)");
    model_catch_up(&m, s);
    assert_int_equal(model_named(&m, "t")->rows.count, 101);
    end(s, &m);
}

/* --- a slot that waits to be made ---------------------------------------------------------------------------------- */

static void *cancel_when_it_waits(void *source)
{
    tain_source *s = source;
    PGconn *sql = PQconnectdb(pg.url);
    for (int i = 0; i < 1000; i++, usleep(10000)) {
        PGresult *r = server_result(sql, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'");
        bool waits = atoi(PQgetvalue(r, 0, 0)) > 0;
        PQclear(r);
        if (waits) break;
    }
    s->ops->cancel(s);
    PQfinish(sql);
    return NULL;
}

static void a_slot_given_up_does_not_appear_later(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    PGconn *other = PQconnectdb(pg.url);
    PQclear(server_result(other, "BEGIN; INSERT INTO app.t VALUES (1)"));
    tain_source *s = open_url(pg.url);
    pthread_t thread;
    bool fresh;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_waits, s), 0);
    assert_int_equal(s->ops->prepare(s, NULL, &fresh, NULL), TAIN_E_CANCELLED);
    pthread_join(thread, NULL);
    for (int i = 0; i < 500 && number("SELECT count(*) FROM pg_replication_slots") > 0; i++) usleep(10000);
    assert_int_equal(number("SELECT count(*) FROM pg_replication_slots"), 0); /* while the other one is still open */
    PQclear(server_result(other, "COMMIT"));
    PQfinish(other);
    must(s->ops->remove(s, NULL, err));
    assert_int_equal(number("SELECT count(*) FROM pg_publication"), 0);
    s->ops->close(s);
    server_sql(&pg, "DROP SCHEMA app CASCADE; CREATE SCHEMA app");
}

/* Somebody made it so that transactions come when they are prepared, which they are not committed by. */
static void a_slot_of_two_phases_is_refused(void **state)
{
    if (number("SHOW server_version_num") < 140000) return;
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE PUBLICATION tain_guest FOR TABLE app.t");
    server_sql(&pg, "SELECT pg_create_logical_replication_slot('tain_guest', 'pgoutput', false, true)");
    tain_source *s = open_url(pg.url);
    tain_error e = {0};
    bool fresh;
    assert_int_equal(s->ops->prepare(s, NULL, &fresh, &e), TAIN_E_EXISTS);
    assert_non_null(strstr(e.message, "two_phase"));
    assert_non_null(strstr(tain_error_advice(&e), "pg_drop_replication_slot('tain_guest')"));
    s->ops->close(s);
    server_sql(&pg, "SELECT pg_drop_replication_slot('tain_guest')");
    server_sql(&pg, "DROP PUBLICATION tain_guest; DROP SCHEMA app CASCADE; CREATE SCHEMA app");
}

/* --- sessions ------------------------------------------------------------------------------------------------------ */

/* Somebody who may create functions must not get them called by our role. */
static void functions_of_others_are_not_called(void **state)
{
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE public.called (x text);"
                    "CREATE FUNCTION public.concat_ws(text, numeric, numeric, numeric, numeric, text) RETURNS text LANGUAGE plpgsql AS"
                    " $$BEGIN INSERT INTO public.called VALUES (current_user); RETURN 'x'; END$$");
    tain_source *s = open_url(pg.url);
    model m;
    tain_position from = begin(s, &m);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "INSERT INTO app.t VALUES (1)");
    model_catch_up(&m, s);
    assert_int_equal(number("SELECT count(*) FROM public.called"), 0);
    end(s, &m);
    server_sql(&pg, "DROP FUNCTION public.concat_ws(text, numeric, numeric, numeric, numeric, text); DROP TABLE public.called");
}

static void timeouts_of_the_role_do_not_hold(void **state)
{
    int version = number("SHOW server_version_num");
    server_sql(&pg, "CREATE ROLE hasty LOGIN SUPERUSER; ALTER ROLE hasty SET statement_timeout = '50ms'; ALTER ROLE hasty SET lock_timeout = '50ms';"
                    "ALTER ROLE hasty SET wal_sender_timeout = '100ms'; ALTER ROLE hasty SET idle_in_transaction_session_timeout = '50ms';"
                    "ALTER ROLE hasty SET search_path = app; ALTER ROLE hasty SET DateStyle = 'German'; ALTER ROLE hasty SET TimeZone = 'Asia/Tokyo';"
                    "ALTER ROLE hasty SET standard_conforming_strings = off; ALTER ROLE hasty SET bytea_output = 'escape'");
    if (version >= 140000) server_sql(&pg, "ALTER ROLE hasty SET idle_session_timeout = '100ms'");
    if (version >= 170000) server_sql(&pg, "ALTER ROLE hasty SET transaction_timeout = '100ms'");
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY, v text); INSERT INTO app.t SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g");
    char *url = tain_format("postgresql://hasty@/postgres?host=%s", pg.dir);
    tain_source *s = open_url(url);
    model m;
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    must(s->ops->prepare(s, NULL, &fresh, err));
    server_sql(&pg, "SELECT pg_sleep(0.4)"); /* all of its sessions are idle, one holds the snapshot */
    model_init(&m);
    tain_position from = model_load(&m, s, 1000);
    must(s->ops->start(s, &from, err));
    server_sql(&pg, "SELECT pg_sleep(0.4)");
    server_sql(&pg, "INSERT INTO app.t VALUES (2000, 'y')");
    model_catch_up(&m, s);
    assert_int_equal(model_named(&m, "t")->rows.count, 1001);
    end(s, &m);
    free(url);
    server_sql(&pg, "DROP ROLE hasty");
}

static void refused(const char *parameters, tain_status expected, const char *said, const char *remedy)
{
    char *url = tain_format("postgresql://postgres@/postgres?host=%s&port=%d&%s", pg.dir, port, parameters);
    tain_source_options options = {.url = url, .mirror_name = "guest", .spool_dir = pg.dir};
    tain_source *s = NULL;
    tain_error e = {0};
    assert_int_equal(tain_source_postgres.open(&options, &s, &e), expected);
    if (!strstr(e.message, said) || !strstr(tain_error_advice(&e), remedy)) fail_msg("%s / %s", e.message, tain_error_advice(&e));
    free(url);
}

/* A certificate that nobody signed; false: there is no program to make one. */
static bool make_certificate(void)
{
    char command[900];
    snprintf(command, sizeof command,
             "openssl req -new -x509 -days 2 -nodes -subj /CN=nobody -keyout %s/data/server.key -out %s/data/server.crt 2>%s/openssl.log &&"
             " chmod 600 %s/data/server.key && chown %d:%d %s/data/server.*", pg.dir, pg.dir, pg.dir, pg.dir, (int)pg.uid, (int)pg.gid, pg.dir);
    return system(command) == 0;
}

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size) | getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void encryption_that_cannot_be_had(void **state)
{
    server_sql(&pg, "ALTER SYSTEM SET listen_addresses = '127.0.0.1'");
    server_sql(&pg, "ALTER SYSTEM SET port = %d", port = free_port());
    server_down(&pg, SIGINT);
    snprintf(pg.url, sizeof pg.url, "postgresql://postgres@/postgres?host=%s&port=%d", pg.dir, port);
    server_up(&pg);
    refused("host=127.0.0.1&sslmode=require", TAIN_E_CONFIG, "SSL", "sslmode");
    if (make_certificate()) {
        server_sql(&pg, "ALTER SYSTEM SET ssl = on");
        server_sql(&pg, "SELECT pg_reload_conf()");
        while (number("SELECT count(*) FROM pg_settings WHERE name = 'ssl' AND setting = 'on'") == 0) usleep(10000);
        refused("host=127.0.0.1&sslmode=verify-full&sslrootcert=/nowhere/ca.pem", TAIN_E_CONFIG, "/nowhere/ca.pem", "sslrootcert");
        refused("host=127.0.0.1&sslmode=verify-ca&sslrootcert=/etc/ssl/certs/ca-certificates.crt", TAIN_E_CONFIG, "certificate", "sslrootcert");
    }
    refused("sslmode=bogus", TAIN_E_INVALID, "sslmode", "");
}

/* --- a standby ----------------------------------------------------------------------------------------------------- */

static const tain_finding *finding(const tain_finding *list, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].code, code) == 0) return &list[i];
    return NULL;
}

static void a_standby_is_told_apart(void **state)
{
    char path[160];
    int version = number("SHOW server_version_num");
    server_sql(&pg, "CREATE TABLE app.t (id int PRIMARY KEY)");
    server_down(&pg, SIGINT);
    snprintf(path, sizeof path, "%s/data/standby.signal", pg.dir);
    fclose(fopen(path, "w"));
    server_up(&pg);
    tain_source *s = open_url(pg.url);
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    bool fresh;
    tain_error e = {0};
    must(s->ops->describe(s, &catalog, &findings, &n, err));
    const tain_finding *f = finding(findings, n, version >= 160000 ? "no_publication" : "standby");
    assert_non_null(f);
    assert_int_equal(f->level, TAIN_VERDICT_ERROR);
    assert_non_null(strstr(f->remedy, version >= 160000 ? "CREATE PUBLICATION tain_guest" : "primary"));
    tain_findings_free(findings, n);
    tain_status st = s->ops->prepare(s, NULL, &fresh, &e);
    assert_int_equal(tain_status_policy(st), TAIN_POLICY_OPERATOR); /* trying again would not help */
    s->ops->close(s);
    server_down(&pg, SIGINT);
    assert_int_equal(unlink(path), 0);
    server_up(&pg);
}

int main(void)
{
    server_init(&pg, "max_replication_slots=10");
    server_sql(&pg, "CREATE SCHEMA app");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopping_server_is_let_go),        cmocka_unit_test(a_slot_given_up_does_not_appear_later),
        cmocka_unit_test(a_slot_of_two_phases_is_refused),
        cmocka_unit_test(functions_of_others_are_not_called), cmocka_unit_test(timeouts_of_the_role_do_not_hold),
        cmocka_unit_test(encryption_that_cannot_be_had),      cmocka_unit_test(a_standby_is_told_apart),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&pg);
    return failed;
}
