/* SPDX-License-Identifier: MIT */
/* statement.h -- the opened database inside: one mutex, transactions, statements that stay prepared.
 *
 *     TAIN_TRY(tain_control_write(c, err));                     void: tain_control_read(c);
 *     return tain_control_written(c, change(c, ..., err), err); return tain_control_done(c, look(c, ..., err));
 *
 * Between the two calls the caller has the database; all else here is for then only, but for tain_sql_get, _list and
 * _change, which are such a pair each. SQL is a string literal, by whose address its statement is found again. Of values
 * only the address is kept until the statement is reset. */
#ifndef TAIN_CONTROL_STATEMENT_H
#define TAIN_CONTROL_STATEMENT_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"
#include "control/control.h"

typedef struct tain_sql_cached {
    const char   *sql;
    sqlite3_stmt *statement;
} tain_sql_cached;

struct tain_control {
    sqlite3        *db;
    char           *home, *file, *key_file;
    int             lock_fd; /* of the home's lock; -1: not taken */
    pthread_mutex_t lock;    /* the database, and all below */
    tain_sql_cached cache[96];
    size_t          cached;
    pthread_mutex_t hashing; /* one password at a time: each takes memory */
};

/* --- values -------------------------------------------------------------------------------------------------------- */

typedef struct tain_sql_value {
    int         type; /* SQLITE_TEXT, SQLITE_INTEGER, SQLITE_BLOB */
    int64_t     number;
    const void *data; /* NULL is NULL */
    size_t      size;
} tain_sql_value;

static inline tain_sql_value tain_sql_text(const char *s)
{
    return (tain_sql_value){.type = SQLITE_TEXT, .data = s, .size = s ? strlen(s) : 0};
}
static inline tain_sql_value tain_sql_int(int64_t v)
{
    return (tain_sql_value){.type = SQLITE_INTEGER, .number = v};
}
static inline tain_sql_value tain_sql_bytes(tain_slice s) /* empty is not NULL */
{
    return (tain_sql_value){.type = SQLITE_BLOB, .data = s.data ? s.data : (const uint8_t *)"", .size = s.size};
}
static inline tain_sql_value tain_sql_null(void)
{
    return (tain_sql_value){.type = SQLITE_TEXT};
}

/* Two arguments: the values, and how many there are. */
#define TAIN_SQL_VALUES(...) \
    (const tain_sql_value[]){__VA_ARGS__}, sizeof((const tain_sql_value[]){__VA_ARGS__}) / sizeof(tain_sql_value)

/* --- transactions -------------------------------------------------------------------------------------------------- */

/* On failure the database is not the caller's. */
tain_status tain_control_write(tain_control *c, tain_error *err);
/* Commits when st is OK, else undoes; returns st, or what committing failed with. */
tain_status tain_control_written(tain_control *c, tain_status st, tain_error *err);
void        tain_control_read(tain_control *c);
tain_status tain_control_done(tain_control *c, tain_status st);

/* --- statements ---------------------------------------------------------------------------------------------------- */

/* From the connection's last error. */
tain_status tain_sql_fail(tain_control *c, tain_error *err);
/* Several statements without values or rows. */
tain_status tain_sql_script(tain_control *c, const char *sql, tain_error *err);
/* Begins a statement; rows come from tain_sql_row. */
tain_status tain_sql_query(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, sqlite3_stmt **ret, tain_error *err);
tain_status tain_sql_row(tain_control *c, sqlite3_stmt *s, bool *ret_row, tain_error *err);
/* Runs a statement to its end; *ret_changed (may be NULL): rows written. */
tain_status tain_sql_run(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, int *ret_changed, tain_error *err);
/* As tain_sql_run; NOT_FOUND "no <what> '<name>'" when no row was. */
tain_status tain_sql_run_on(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, const char *what, const char *name,
                            tain_error *err);
/* tain_sql_run_on as a write of its own. */
tain_status tain_sql_change(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, const char *what, const char *name,
                            tain_error *err);
/* First column of the first row, 0 without one. */
tain_status tain_sql_number(tain_control *c, const char *sql, const tain_sql_value *values, size_t n, int64_t *ret, tain_error *err);
/* "no <what> '<name>'" */
tain_status tain_sql_unknown(const char *what, const char *name, tain_error *err);

/* --- rows ---------------------------------------------------------------------------------------------------------- */

char *tain_sql_column_text(sqlite3_stmt *s, int column); /* a copy; NULL is NULL */
void  tain_sql_column_bytes(sqlite3_stmt *s, int column, tain_buffer *ret);

/* A kind of row: `read` fills a zeroed one, `done` frees what it holds. */
typedef struct tain_sql_kind {
    const char *what;
    size_t      size;
    void (*read)(sqlite3_stmt *s, void *row);
    void (*done)(void *row);
} tain_sql_kind;

/* The one row that the statement gives; NOT_FOUND names it. */
tain_status tain_sql_one(tain_control *c, const tain_sql_kind *kind, const char *sql, const tain_sql_value *values, size_t n,
                         const char *name, void *ret, tain_error *err);
/* The same as a read of its own. */
tain_status tain_sql_get(tain_control *c, const tain_sql_kind *kind, const char *sql, const tain_sql_value *values, size_t n,
                         const char *name, void *ret, tain_error *err);

typedef struct tain_sql_rows {
    void  *rows;
    size_t count;
    char  *next;
} tain_sql_rows;

typedef enum tain_sql_order { TAIN_SQL_OLDEST_FIRST, TAIN_SQL_NEWEST_FIRST } tain_sql_order;

/* A page of rows, as a read of its own. The statement's ?1 is the number behind which it begins, ?2 how many rows it gives,
 * and the values are ?3 and on; its last column is the row's number, by which it is in order. */
tain_status tain_sql_list(tain_control *c, const tain_sql_kind *kind, const char *sql, tain_sql_order order, tain_control_page page,
                          const tain_sql_value *values, size_t n, tain_sql_rows *ret, tain_error *err);
void        tain_sql_rows_done(const tain_sql_kind *kind, void *rows, size_t count, char *next);

#endif
