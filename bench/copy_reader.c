/* SPDX-License-Identifier: MIT */
/* copy_reader -- the limit that a snapshot is compared with: reads COPY ... TO STDOUT and throws it away.
 *
 *   copy_reader CONNINFO SQL...
 *
 * Each statement gets a connection and a thread of its own; all start together. Prints
 * {"seconds":...,"bytes":...,"rows":...}; rows are what the server says it copied. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct job {
    const char *conninfo, *sql;
    PGconn     *connection;
    pthread_t   thread;
    uint64_t    bytes, rows;
} job;

[[noreturn]] static void die(const char *what, const char *why)
{
    fprintf(stderr, "copy_reader: %s: %s\n", what, why);
    exit(3);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *copy(void *arg)
{
    job *j = arg;
    PGresult *result = PQexec(j->connection, j->sql);
    if (PQresultStatus(result) != PGRES_COPY_OUT) die(j->sql, PQerrorMessage(j->connection));
    PQclear(result);
    char *row;
    int   n;
    while ((n = PQgetCopyData(j->connection, &row, 0)) > 0) {
        j->bytes += (uint64_t)n;
        PQfreemem(row);
    }
    if (n != -1) die(j->sql, PQerrorMessage(j->connection));
    while ((result = PQgetResult(j->connection))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) die(j->sql, PQerrorMessage(j->connection));
        j->rows += strtoull(PQcmdTuples(result), NULL, 10);
        PQclear(result);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) die("usage", "copy_reader CONNINFO SQL...");
    size_t n = (size_t)argc - 2;
    job *jobs = calloc(n, sizeof *jobs);
    if (!jobs) die("memory", "none left");
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (job){.conninfo = argv[1], .sql = argv[2 + i], .connection = PQconnectdb(argv[1])};
        if (PQstatus(jobs[i].connection) != CONNECTION_OK) die("connect", PQerrorMessage(jobs[i].connection));
    }
    double   start = now();
    uint64_t bytes = 0, rows = 0;
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&jobs[i].thread, NULL, copy, &jobs[i]) != 0) die("thread", "cannot be made");
    for (size_t i = 0; i < n; i++) {
        pthread_join(jobs[i].thread, NULL);
        bytes += jobs[i].bytes;
        rows += jobs[i].rows;
        PQfinish(jobs[i].connection);
    }
    printf("{\"seconds\":%.6f,\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64 "}\n", now() - start, bytes, rows);
    free(jobs);
    return 0;
}
