/* SPDX-License-Identifier: MIT */
/* postgres_server.h -- a PostgreSQL server of a test's own, in a temporary folder, on a socket there.
 *
 * Programs come from $TAIN_POSTGRES_BIN or the newest /usr/lib/postgresql/<n>/bin. Without them a test ends with 77,
 * which meson counts as skipped. The server never runs as root: it is started as postgres or nobody. */
#ifndef TAIN_TESTS_POSTGRES_SERVER_H
#define TAIN_TESTS_POSTGRES_SERVER_H

#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct server {
    char    bin[200], dir[100], url[300];
    uid_t   uid;
    gid_t   gid;
    pid_t   pid;
    PGconn *sql;
} server;

static inline bool server_find_programs(server *s)
{
    const char *given = getenv("TAIN_POSTGRES_BIN");
    char path[260];
    if (given) snprintf(s->bin, sizeof s->bin, "%s", given);
    for (int version = 30; !given && version >= 13 && !s->bin[0]; version--) {
        snprintf(path, sizeof path, "/usr/lib/postgresql/%d/bin/initdb", version);
        if (access(path, X_OK) == 0) snprintf(s->bin, sizeof s->bin, "/usr/lib/postgresql/%d/bin", version);
    }
    return s->bin[0] != 0;
}

static inline pid_t server_spawn(const server *s, char **arguments)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    char path[400], log[140];
    snprintf(path, sizeof path, "%s/%s", s->bin, arguments[0]);
    snprintf(log, sizeof log, "%s/log", s->dir);
    if (getuid() == 0 && (setgroups(0, NULL) || setgid(s->gid) || setuid(s->uid))) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* a test that crashes leaves no server behind */
    if (!freopen(log, "a", stdout) || dup2(1, 2) < 0 || chdir(s->dir)) _exit(126);
    arguments[0] = path; /* by which it finds the other programs */
    execv(path, arguments);
    _exit(127);
}

static inline bool server_run(const server *s, char **arguments)
{
    int status = -1;
    pid_t pid = server_spawn(s, arguments);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static inline void server_fail(const server *s, const char *what)
{
    fprintf(stderr, "PostgreSQL test server: %s (see %s/log)\n", what, s->dir);
    abort();
}

/* Starts postgres and waits until it answers. */
static inline void server_up(server *s)
{
    char data[140];
    snprintf(data, sizeof data, "%s/data", s->dir);
    s->pid = server_spawn(s, (char *[]){"postgres", "-D", data, NULL});
    for (int i = 0; i < 600; i++) {
        s->sql = PQconnectdb(s->url);
        if (PQstatus(s->sql) == CONNECTION_OK) return;
        PQfinish(s->sql);
        usleep(50000);
    }
    server_fail(s, "does not answer");
}

static inline void server_down(server *s, int signal_number)
{
    PQfinish(s->sql);
    s->sql = NULL;
    kill(s->pid, signal_number);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static inline void server_init(server *s, const char *settings)
{
    *s = (server){0};
    if (!server_find_programs(s)) {
        printf("skipped: no PostgreSQL server programs (initdb) in /usr/lib/postgresql; set TAIN_POSTGRES_BIN\n");
        exit(77);
    }
    struct passwd *user = getpwnam("postgres");
    if (!user) user = getpwnam("nobody");
    s->uid = user ? user->pw_uid : getuid();
    s->gid = user ? user->pw_gid : getgid();
    snprintf(s->dir, sizeof s->dir, "/tmp/tain-pg-XXXXXX");
    if (!mkdtemp(s->dir) || chmod(s->dir, 0755)) server_fail(s, "no temporary folder");
    if (getuid() == 0 && chown(s->dir, s->uid, s->gid)) server_fail(s, "chown");
    char data[140], conf[200];
    snprintf(data, sizeof data, "%s/data", s->dir);
    if (!server_run(s, (char *[]){"initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", NULL}))
        server_fail(s, "initdb failed");
    snprintf(conf, sizeof conf, "%s/postgresql.conf", data);
    FILE *f = fopen(conf, "a");
    fprintf(f, "listen_addresses=''\nunix_socket_directories='%s'\nfsync=off\nwal_level=logical\nlogical_decoding_work_mem=64kB\n"
            "idle_in_transaction_session_timeout=20s\n%s\n", s->dir, settings);
    fclose(f);
    snprintf(s->url, sizeof s->url, "postgresql://postgres@/postgres?host=%s", s->dir);
    server_up(s);
}

static inline void server_done(server *s)
{
    char command[160];
    if (s->pid) server_down(s, SIGQUIT);
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    if (system(command) != 0) fprintf(stderr, "%s stays\n", s->dir);
}

static inline PGresult *server_result(PGconn *sql, const char *text)
{
    PGresult *r = PQexec(sql, text);
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return r;
    fprintf(stderr, "%s\n  in: %s\n", PQerrorMessage(sql), text);
    abort();
}

/* Runs SQL that must succeed. */
static inline void server_sql(server *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void server_sql(server *s, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) abort();
    va_end(args);
    PQclear(server_result(s->sql, text));
    free(text);
}

/* The single value of a query; caller frees. */
static inline char *server_value(server *s, const char *text)
{
    PGresult *r = server_result(s->sql, text);
    char *value = strdup(PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return value;
}

#endif
