/* SPDX-License-Identifier: MIT */
/* A file with a rollback journal is read in many short transactions while others write: what comes of it is of one moment.
 *
 * The writer's transactions leave the number of all rows and the sum of all their numbers as they were, over all tables
 * together, while rows change, move to other keys and places, and go from one table to another. */
#include "sqlite_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#ifdef __SANITIZE_ADDRESS__
enum { ROWS = 8000 }; /* takes as long there */
#else
enum { ROWS = 30000 };
#endif

typedef struct writing {
    fixture    *f;
    sqlite3    *db;
    uint64_t    seed;
    atomic_bool stop;
    size_t      done;
    bool        schema; /* changes it, too */
} writing;

static uint64_t next(writing *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (w->seed >> 33) % below;
}

static const char *const names[] = {"by_id", "by_text", "bare", "flat", "nobody"};

static void make_tables(fixture *f)
{
    sql(f, "CREATE TABLE by_id(id INTEGER PRIMARY KEY, n INT, v TEXT); CREATE TABLE by_text(k TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, n INT, v TEXT);"
           "CREATE TABLE bare(n INT, v TEXT); CREATE TABLE flat(a INT, b TEXT COLLATE NOCASE, n INT, v TEXT, PRIMARY KEY(b, a)) WITHOUT ROWID;"
           "CREATE TABLE nobody(n INT)");
    sql(f, "WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < %d) INSERT INTO by_id SELECT x * 3, x, hex(randomblob(20)) FROM i", ROWS);
    sql(f, "INSERT INTO by_text SELECT 'key ' || (id * 7919 %% 1000003), n, v FROM by_id; INSERT INTO bare SELECT n, v FROM by_id");
    sql(f, "INSERT INTO flat SELECT id %% 17, 'b' || id, n, v FROM by_id");
}

static void put(writing *w, sqlite3_str *s, unsigned i, long long n)
{
    unsigned long long id = next(w, 3 * ROWS);
    switch (i) {
    case 0: sqlite3_str_appendf(s, "INSERT INTO by_id SELECT coalesce((SELECT max(id) + 1 FROM by_id WHERE id >= %llu AND id < %llu), %llu), %lld, 'new';", id, id + 1, id, n); break;
    case 1: sqlite3_str_appendf(s, "INSERT INTO by_text VALUES('Key ' || hex(randomblob(9)), %lld, 'new');", n); break;
    case 2: sqlite3_str_appendf(s, "INSERT INTO bare VALUES(%lld, 'new');", n); break;
    case 3: sqlite3_str_appendf(s, "INSERT INTO flat VALUES(abs(random()), 'B' || %llu, %lld, 'new');", id, n); break;
    default: sqlite3_str_appendf(s, "INSERT INTO nobody VALUES(%lld);", n);
    }
}

/* The row at a random place goes, and comes again somewhere with the same number. */
static void move_row(writing *w, sqlite3_str *s)
{
    static const char *const at[] = {
        "by_id WHERE id = (SELECT id FROM by_id WHERE id >= %llu ORDER BY id LIMIT 1)", "by_text WHERE rowid = (SELECT rowid FROM by_text WHERE rowid >= %llu LIMIT 1)",
        "bare WHERE rowid = (SELECT rowid FROM bare WHERE rowid >= %llu LIMIT 1)", "flat WHERE (b, a) = (SELECT b, a FROM flat WHERE b >= 'b%llu' ORDER BY b, a LIMIT 1)"};
    unsigned from = (unsigned)next(w, 4), to = (unsigned)next(w, 5);
    unsigned long long place = next(w, from == 0 || from == 3 ? 3 * ROWS : ROWS);
    sqlite3_stmt *stmt;
    char *which = sqlite3_mprintf(at[from], place), *ask = sqlite3_mprintf("SELECT n FROM %s", which);
    if (sqlite3_prepare_v2(w->db, ask, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        sqlite3_str_appendf(s, "DELETE FROM %s;", which);
        put(w, s, to, sqlite3_column_int64(stmt, 0));
    }
    sqlite3_finalize(stmt);
    sqlite3_free(which);
    sqlite3_free(ask);
}

static void change(writing *w, sqlite3_str *s)
{
    unsigned long long a = next(w, 3 * ROWS), b = next(w, ROWS);
    switch (next(w, 8)) {
    case 0: sqlite3_str_appendf(s, "UPDATE OR IGNORE by_id SET id = %llu WHERE id = (SELECT id FROM by_id WHERE id >= %llu ORDER BY id LIMIT 1);", next(w, 3 * ROWS), a); break;
    case 1: sqlite3_str_appendf(s, "UPDATE bare SET n = n + 5, v = 'changed' WHERE rowid = %llu; UPDATE by_text SET n = n - 5 * changes() WHERE rowid = %llu;"
                                   "UPDATE bare SET n = n - 5 * (1 - changes()) WHERE rowid = %llu;", b, next(w, ROWS), b); break;
    case 2: sqlite3_str_appendf(s, "UPDATE OR IGNORE by_text SET rowid = rowid + %d, k = upper(k) WHERE rowid = %llu;", 5 * ROWS, b); break;
    case 3: sqlite3_str_appendf(s, "UPDATE OR IGNORE bare SET rowid = %llu WHERE rowid = %llu;", next(w, 2 * ROWS), b); break;
    case 4: sqlite3_str_appendf(s, "UPDATE flat SET a = a + 100, b = lower(b) WHERE b = 'b%llu';", a / 3 * 3); break;
    case 5: sqlite3_str_appendf(s, "INSERT INTO bare SELECT n, 'from nobody' FROM nobody; DELETE FROM nobody;"); break;
    case 6: sqlite3_str_appendf(s, "UPDATE by_text SET v = 'a range' WHERE rowid BETWEEN %llu AND %llu + 40;", b, b); break;
    default: move_row(w, s);
    }
}

static bool run(writing *w, const char *text)
{
    while (!atomic_load(&w->stop)) {
        int code = sqlite3_exec(w->db, text, NULL, NULL, NULL);
        if (code == SQLITE_OK) return true;
        if ((code & 0xff) != SQLITE_BUSY) return false;
        usleep(200);
    }
    return false;
}

static void *write_all(void *ctx)
{
    writing *w = ctx;
    while (!atomic_load(&w->stop)) {
        if (!run(w, "BEGIN IMMEDIATE")) break;
        sqlite3_str *s = sqlite3_str_new(w->db);
        for (uint64_t i = 1 + next(w, 12); i; i--) {
            sqlite3_str_reset(s);
            change(w, s);
            sqlite3_exec(w->db, "SAVEPOINT one", NULL, NULL, NULL);
            bool ok = sqlite3_str_length(s) == 0 || sqlite3_exec(w->db, sqlite3_str_value(s), NULL, NULL, NULL) == SQLITE_OK;
            sqlite3_exec(w->db, ok ? "RELEASE one" : "ROLLBACK TO one; RELEASE one", NULL, NULL, NULL);
        }
        sqlite3_free(sqlite3_str_finish(s));
        if (w->schema && next(w, 40) == 0)
            sqlite3_exec(w->db, w->done % 2 ? "CREATE TABLE IF NOT EXISTS other(a)" : "DROP TABLE IF EXISTS other", NULL, NULL, NULL);
        bool done = run(w, "COMMIT");
        if (!done) sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
        w->done += done;
        usleep(300);
    }
    return NULL;
}

/* --- what was read -------------------------------------------------------------------------------------------------- */

typedef struct total { int64_t rows, sum; size_t column; } total;

static tain_status add(void *ctx, tain_batch *b, tain_error *e)
{
    total *t = ctx;
    for (size_t i = 0; i < b->rows; i++) t->sum += ((const int64_t *)b->columns[t->column].values.data)[i];
    t->rows += (int64_t)b->rows;
    return TAIN_OK;
}

static void read_table(fixture *f, tain_source_table *table, total *t)
{
    tain_chunk *chunks;
    size_t n;
    tain_reader *reader;
    tain_rows_sink sink = {.rows = add, .ctx = t};
    t->column = strcmp(table->name, "flat") == 0 ? 2 : strncmp(table->name, "by_", 3) == 0;
    OK(f->source->ops->snapshot_plan(f->source, table, 10000, &chunks, &n, &err));
    OK(f->source->ops->reader_open(f->source, &reader, &err));
    for (size_t i = 0; i < n; i++) OK(f->source->ops->reader_read(reader, &chunks[i], &sink, &err));
    f->source->ops->reader_close(reader);
    free(chunks);
}

static void read_all(fixture *f, total *t)
{
    tain_source_table *tables[5];
    tain_position at;
    for (size_t i = 0; i < 5; i++) tables[i] = recording_find(f->mirror, names[i])->source;
    OK(f->source->ops->snapshot_begin(f->source, tables, 5, &at, &err));
    *t = (total){0};
    for (size_t i = 0; i < 5; i++) read_table(f, tables[i], t);
    OK(f->source->ops->snapshot_end(f->source, &err));
}

static uint64_t seed_of_run(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)tain_now();
    print_message("seed %llu\n", (unsigned long long)seed);
    return seed;
}

static void beside_a_writer(fixture *f, bool schema, void (*what)(fixture *f))
{
    writing w = {.f = f, .seed = seed_of_run(), .schema = schema};
    pthread_t thread;
    make_tables(f);
    sql(f, "CREATE TABLE other(a)");
    const char *exclude[] = {"other", NULL};
    open_source_with(f, NULL, exclude);
    begin(f);
    assert_int_equal(sqlite3_open(f->path, &w.db), SQLITE_OK);
    sqlite3_exec(w.db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, write_all, &w), 0);
    what(f);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    sqlite3_close(w.db);
    assert_true(w.done > 10);
    catch_up(f);
    for (size_t i = 0; i < 5; i++) assert_same(f, names[i]);
}

static void compare_totals(fixture *f)
{
    total t;
    for (int i = 0; i < 4; i++) {
        read_all(f, &t);
        assert_int_equal(t.rows, 4 * ROWS);
        assert_int_equal(t.sum, 4 * ((int64_t)ROWS * (ROWS + 1) / 2));
    }
}

static void test_one_moment(void **state)
{
    beside_a_writer(*state, false, compare_totals);
}

static void test_one_moment_beside_schema_changes(void **state)
{
    beside_a_writer(*state, true, compare_totals);
}

/* --- a pass over much ------------------------------------------------------------------------------------------------ */

static void check_passes(fixture *f)
{
    for (int i = 0; i < 3; i++) {
        sql(f, "UPDATE by_id SET v = 'pass %d' WHERE id %% 3 = 0 AND id < %d; UPDATE by_text SET v = 'pass' WHERE n > %d; UPDATE bare SET v = 'pass %d' WHERE rowid %% 100 = 0", i, 2 * ROWS, ROWS / 2, i);
        catch_up(f);
        int64_t rows = 0;
        for (size_t k = 0; k < 5; k++) rows += (int64_t)recording_find(f->mirror, names[k])->count;
        assert_int_equal(rows, 4 * ROWS);
    }
}

static void test_long_passes(void **state)
{
    beside_a_writer(*state, false, check_passes);
}

#define R(f) cmocka_unit_test_setup_teardown(f, setup_rollback, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {R(test_long_passes), R(test_one_moment), R(test_one_moment_beside_schema_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
