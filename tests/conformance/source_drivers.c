/* SPDX-License-Identifier: MIT */
#include "source_drivers.h"

#include <cmocka.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/postgres_server.h"

/* --- SQLite -------------------------------------------------------------------------------------------------------- */

typedef struct sqlite_database {
    char     folder[64], path[96];
    sqlite3 *db;
    bool     compare;
} sqlite_database;

static void sqlite_run(void *database, const char *sql)
{
    sqlite_database *d = database;
    char *message = NULL;
    if (sqlite3_exec(d->db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

static void *sqlite_make(const char *journal_mode, bool compare)
{
    sqlite_database *d = tain_alloc(sizeof *d);
    strcpy(d->folder, "/tmp/tain-source-XXXXXX");
    assert_non_null(mkdtemp(d->folder));
    snprintf(d->path, sizeof d->path, "%s/test.db", d->folder);
    assert_int_equal(sqlite3_open(d->path, &d->db), SQLITE_OK);
    sqlite3_busy_timeout(d->db, 10000);
    d->compare = compare;
    char *mode = tain_format("PRAGMA journal_mode = %s", journal_mode);
    sqlite_run(d, mode);
    free(mode);
    return d;
}

static void *sqlite_make_wal(void)
{
    return sqlite_make("wal", false);
}

static void *sqlite_make_rollback(void)
{
    return sqlite_make("delete", false);
}

static void *sqlite_make_compared(void)
{
    return sqlite_make("wal", true);
}

static void sqlite_options(void *database, tain_source_options *o)
{
    sqlite_database *d = database;
    o->url = d->path;
    o->spool_dir = d->folder;
    o->poll_capture = d->compare;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void sqlite_destroy(void *database)
{
    sqlite_database *d = database;
    sqlite3_close(d->db);
    nftw(d->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(d);
}

static const source_driver sqlite_wal = {"sqlite, write-ahead log", NULL, sqlite_make_wal, sqlite_run, sqlite_options, sqlite_destroy};
static const source_driver sqlite_rollback = {"sqlite, rollback journal", NULL, sqlite_make_rollback, sqlite_run, sqlite_options, sqlite_destroy};
static const source_driver sqlite_compared = {"sqlite, compared", NULL, sqlite_make_compared, sqlite_run, sqlite_options, sqlite_destroy};

/* --- PostgreSQL: one server, a database a test ------------------------------------------------------------------------ */

static server postgres;

static void postgres_stop(void)
{
    server_done(&postgres);
}

static bool postgres_available(void)
{
    server probe = {0};
    return server_find_programs(&probe);
}

typedef struct postgres_database {
    char    name[20], url[300];
    PGconn *sql;
} postgres_database;

static void *postgres_make(void)
{
    static int made;
    postgres_database *d = tain_alloc(sizeof *d);
    if (!postgres.pid) {
        server_init(&postgres, "client_min_messages=warning");
        atexit(postgres_stop);
    }
    snprintf(d->name, sizeof d->name, "test%d", ++made);
    snprintf(d->url, sizeof d->url, "postgresql://postgres@/%s?host=%s", d->name, postgres.dir);
    server_sql(&postgres, "CREATE DATABASE %s", d->name);
    d->sql = PQconnectdb(d->url);
    return d;
}

static void postgres_run(void *database, const char *sql)
{
    PGresult *r = PQexec(((postgres_database *)database)->sql, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) fail_msg("%s: %s", sql, PQresultErrorMessage(r));
    PQclear(r);
}

static void postgres_options(void *database, tain_source_options *o)
{
    o->url = ((postgres_database *)database)->url;
    o->spool_dir = postgres.dir;
}

static void postgres_destroy(void *database)
{
    postgres_database *d = database;
    PQfinish(d->sql);
    server_sql(&postgres, "DROP DATABASE %s WITH (FORCE)", d->name);
    free(d);
}

static const source_driver postgres_driver = {"postgresql", postgres_available, postgres_make, postgres_run, postgres_options, postgres_destroy};

const source_driver *const source_drivers[] = {&sqlite_wal, &sqlite_rollback, &sqlite_compared, &postgres_driver, NULL};
