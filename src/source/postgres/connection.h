/* SPDX-License-Identifier: MIT */
/* connection.h -- connections to one server: where it is, how it is asked, what its errors mean.
 *
 * Every wait can be ended from another thread by tain_pg_target_cancel: the waiting call returns CANCELLED. The main
 * thread's calls use the wake-up up (tain_pg_target_resume), readers leave it for the others.
 * Errors are one line, name the server as host:port (or its socket) and never hold a password. */
#ifndef TAIN_SOURCE_POSTGRES_CONNECTION_H
#define TAIN_SOURCE_POSTGRES_CONNECTION_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"

typedef struct tain_pg_target {
    char     **keywords, **values; /* libpq's connection parameters; passwords resolved */
    size_t     count;
    char      *where;              /* "db.example.org:5432" or "/run/postgresql:5432" */
    tain_time  timeout;            /* of connecting */
    int        wake;               /* eventfd: readable while cancelled */
    atomic_bool cancelled;
    const struct tain_pg_target *leader; /* whose cancellation ends waits here, too; NULL: its own does */
} tain_pg_target;

/* url: postgres:// or postgresql:// as libpq reads it. */
/* address.c: tain_source_host, tain_source_is_frugal */
char       *tain_pg_host(const char *url);
bool        tain_pg_is_frugal(const char *url);
tain_status tain_pg_target_init(tain_pg_target *t, const char *url, tain_error *err);
/* One of the same system: what t's URL leaves open, but where it is, is as for `leader`, which outlives it; cancelled with it. A
 * password that was struck out (***) was left open. */
void        tain_pg_target_follow(tain_pg_target *t, const tain_pg_target *leader);
void        tain_pg_target_done(tain_pg_target *t);
void        tain_pg_target_cancel(tain_pg_target *t); /* any thread */
/* Takes a cancellation that happened: CANCELLED once, else OK. Thread: main. */
tain_status tain_pg_target_check(tain_pg_target *t, tain_error *err);

typedef enum tain_pg_role { TAIN_PG_CATALOG, TAIN_PG_READER, TAIN_PG_WALSENDER } tain_pg_role;

typedef struct tain_pg_conn {
    PGconn         *pg;     /* NULL: not connected */
    tain_pg_target *target; /* borrowed */
    int             version; /* 150004 */
} tain_pg_conn;

tain_status tain_pg_connect(tain_pg_conn *c, tain_pg_target *target, tain_pg_role role, tain_error *err);
void        tain_pg_disconnect(tain_pg_conn *c); /* also when not connected */
/* The same, ending what the server is still doing: it would go on waiting for a lock, and do in the end what nobody wants. */
void        tain_pg_give_up(tain_pg_conn *c);
bool        tain_pg_connected(const tain_pg_conn *c);
/* The same of one that was idle: the other side may have ended it meanwhile, which only reading from it shows. */
bool        tain_pg_is_alive(tain_pg_conn *c);

/* Waits until the socket is readable (write: or writable). BUSY: the deadline (monotonic) passed first. */
tain_status tain_pg_wait(tain_pg_conn *c, bool write, tain_time deadline, tain_error *err);
/* query.c: runs statements to their end and gives the last result (caller PQclear()s). */
tain_status tain_pg_query(tain_pg_conn *c, const char *sql, PGresult **ret, tain_error *err);
tain_status tain_pg_query_params(tain_pg_conn *c, const char *sql, int n, const char *const *values, PGresult **ret, tain_error *err);
tain_status tain_pg_run(tain_pg_conn *c, tain_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sends a statement and waits for its first result, which is COPY's start. */
tain_status tain_pg_begin_copy(tain_pg_conn *c, const char *sql, ExecStatusType expected, tain_error *err);
/* The next message of a COPY. *ret_size 0: there is none yet (only if !wait). END: the copy is over, and all is well. */
typedef enum tain_pg_copied { TAIN_PG_COPY_ROW, TAIN_PG_COPY_NONE, TAIN_PG_COPY_END } tain_pg_copied;
tain_status tain_pg_copy_next(tain_pg_conn *c, bool wait, char **ret, size_t *ret_size, tain_pg_copied *ret_what, tain_error *err);

/* failure.c: fills err from what the server or libpq said. */
tain_status tain_pg_fail(tain_pg_conn *c, const PGresult *result, tain_error *err);
tain_status tain_pg_fail_connect(tain_pg_conn *c, tain_error *err);
tain_status tain_pg_status_of(const char *sqlstate);
extern const char tain_pg_pooler_remedy[];
/* text as one line, without libpq's final newline. */
void        tain_pg_flatten(const char *text, char *out, size_t size);

/* quote.c: "a""b" and 'a''b', appended. */
void tain_pg_put_identifier(tain_buffer *out, const char *name);
void tain_pg_put_literal(tain_buffer *out, const char *text);
void tain_pg_put_name(tain_buffer *out, const char *schema, const char *name); /* schema.table */

static inline void tain_pg_clear_scope(PGresult **r) { PQclear(*r); }
#define TAIN_PG_RESULT __attribute__((cleanup(tain_pg_clear_scope))) PGresult

#endif
