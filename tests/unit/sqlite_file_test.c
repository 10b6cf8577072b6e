/* SPDX-License-Identifier: MIT */
/* The file itself: journal modes, locks, files replaced, restored, read-only. */
#include "sqlite_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static void copy_file(const char *from, const char *to)
{
    char buffer[4096];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) assert_int_equal(write(out, buffer, (size_t)n), n);
    close(in);
    close(out);
}

/* As an application would: with nobody else in the file. */
static void close_all(fixture *f)
{
    close_source(f);
    sqlite3_close(f->writer);
    f->writer = NULL;
}

static void other(const fixture *f, char out[static 128])
{
    snprintf(out, 128, "%s/other.db", f->folder);
}

/* --- following ----------------------------------------------------------------------------------------------------- */

static void test_follows(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE n(a INT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    for (int i = 2; i < 40; i++) {
        sql(f, "INSERT INTO t VALUES(%d, 'x'); INSERT INTO n VALUES(%d); UPDATE t SET s = s || 'y' WHERE id = %d", i, i, i / 2);
        if (i % 7 == 0) catch_up(f);
        if (i % 14 == 0) OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    }
    catch_up(f);
    assert_same(f, "t");
    assert_same(f, "n");
}

static void test_snapshot_does_not_hold_writers(void **state)
{
    fixture *f = *state;
    tain_position at;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    recording_table *t = recording_find(f->mirror, "t");
    OK(f->source->ops->snapshot_begin(f->source, &t->source, 1, &at, &err));
    sqlite3_busy_timeout(f->writer, 0);
    sql(f, "INSERT INTO t VALUES(2, 'b')");
    OK(f->source->ops->snapshot_end(f->source, &err));
    catch_up(f);
    assert_same(f, "t");
}

static void test_snapshot_is_one_state_beside_writers(void **state)
{
    fixture *f = *state;
    tain_position at;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a'), (2, 'b')");
    begin(f);
    recording_table *t = recording_find(f->mirror, "t");
    OK(f->source->ops->snapshot_begin(f->source, &t->source, 1, &at, &err));
    sql(f, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES(3, 5)");
    tain_position head;
    OK(f->source->ops->head(f->source, &head, &err));
    assert_true(tain_position_compare(&at, &head) < 0);
    tain_chunk *chunks;
    size_t n, rows = 0;
    OK(f->source->ops->snapshot_plan(f->source, t->source, 1000, &chunks, &n, &err));
    tain_status count(void *ctx, tain_batch *b, tain_error *e) { *(size_t *)ctx += b->rows; return TAIN_OK; }
    tain_rows_sink sink = {.rows = count, .ctx = &rows};
    tain_reader *reader;
    OK(f->source->ops->reader_open(f->source, &reader, &err));
    for (size_t i = 0; i < n; i++) OK(f->source->ops->reader_read(reader, &chunks[i], &sink, &err));
    f->source->ops->reader_close(reader);
    free(chunks);
    OK(f->source->ops->snapshot_end(f->source, &err));
    assert_int_equal(rows, 2);
}

static void test_chunks_cover_the_table_once(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); CREATE TABLE w(a INT, b TEXT, PRIMARY KEY(a DESC, b)) WITHOUT ROWID; CREATE TABLE k(b TEXT PRIMARY KEY, a INT) WITHOUT ROWID");
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO t SELECT i * 3 - 40000, i FROM n");
    sql(f, "INSERT INTO t VALUES(9223372036854775807, 40000), (-9223372036854775808, 40001); INSERT INTO w SELECT n / 3, 'x' || n FROM t; INSERT INTO k SELECT b, a FROM w");
    begin(f);
    assert_same(f, "t");
    assert_same(f, "w");
    assert_same(f, "k");
    assert_int_equal(recording_find(f->mirror, "t")->source->rows_estimate, 30002);
}

typedef struct shared {
    fixture    *f;
    tain_chunk *chunks;
    size_t      count, next, rows;
    int64_t     sum;
} shared;

static tain_status add_up(void *ctx, tain_batch *b, tain_error *e)
{
    shared *h = ctx;
    for (size_t i = 0; i < b->rows; i++) __atomic_add_fetch(&h->sum, ((const int64_t *)b->columns[1].values.data)[i], __ATOMIC_RELAXED);
    __atomic_add_fetch(&h->rows, b->rows, __ATOMIC_RELAXED);
    return TAIN_OK;
}

static void *read_chunks(void *ctx)
{
    shared *h = ctx;
    tain_error e;
    tain_reader *reader;
    tain_rows_sink sink = {.rows = add_up, .ctx = h};
    if (h->f->source->ops->reader_open(h->f->source, &reader, &e) != TAIN_OK) return NULL;
    for (size_t i; (i = __atomic_fetch_add(&h->next, 1, __ATOMIC_RELAXED)) < h->count;)
        if (h->f->source->ops->reader_read(reader, &h->chunks[i], &sink, &e) != TAIN_OK) break;
    h->f->source->ops->reader_close(reader);
    return NULL;
}

static void test_readers_beside_each_other_and_the_stream(void **state)
{
    fixture *f = *state;
    pthread_t threads[3];
    shared h = {.f = f};
    tain_position at;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)");
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO t SELECT i, i FROM n");
    begin(f);
    tain_source_table *t = recording_find(f->mirror, "t")->source;
    OK(f->source->ops->snapshot_begin(f->source, &t, 1, &at, &err));
    OK(f->source->ops->snapshot_plan(f->source, t, 5000, &h.chunks, &h.count, &err));
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_chunks, &h), 0);
    sql(f, "UPDATE t SET n = 0 WHERE id < 100; ALTER TABLE t ADD COLUMN c TEXT; INSERT INTO t VALUES(60000, 'text', 'c')");
    for (int i = 0; i < 20; i++) {
        tain_status st = f->source->ops->poll(f->source, &f->mirror->sink, 0, &err);
        assert_true(st == TAIN_OK || st == TAIN_E_CANCELLED);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    OK(f->source->ops->snapshot_end(f->source, &err));
    free(h.chunks);
    assert_int_equal(h.rows, 50000);
    assert_int_equal(h.sum, (int64_t)50000 * 50001 / 2);
    f->mirror->stop_at_load = true;
    catch_up(f);
    assert_columns(f, "t", "id:long n:string c:string");
    assert_int_equal(recording_find(f->mirror, "t")->count, 50001);
}

/* --- other connections ---------------------------------------------------------------------------------------------- */

static void test_confirm_waits_for_nobody(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    sql(f, "INSERT INTO t VALUES(1), (2)");
    catch_up(f);
    sql(f, "BEGIN IMMEDIATE; INSERT INTO t VALUES(3)");
    tain_time before = tain_monotonic();
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    assert_true(tain_monotonic() - before < TAIN_SECOND);
    sql(f, "COMMIT");
    while (number(f, "SELECT count(*) FROM \"__tain_m$log\"") > 1) {
        OK(f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + 10 * TAIN_MILLISECOND, &err));
        OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    }
    assert_same(f, "t");
}

static void *commit_later(void *ctx)
{
    fixture *f = ctx;
    usleep(100 * 1000); /* the source waits for the lock meanwhile; the outcome does not depend on it */
    sql_on(f->writer, "COMMIT");
    return NULL;
}

static void test_prepare_waits_for_a_writer(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY); BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    assert_int_equal(pthread_create(&thread, NULL, commit_later, f), 0);
    begin(f);
    pthread_join(thread, NULL);
    catch_up(f);
    assert_content(f, "t", "1\n");
}

static void test_poll_wakes_up(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    begin(f);
    catch_up(f);
    sql(f, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    f->mirror->answer = TAIN_E_CANCELLED;
    assert_int_equal(pthread_create(&thread, NULL, commit_later, f), 0);
    tain_time before = tain_monotonic();
    IS(TAIN_E_CANCELLED, f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + 30 * TAIN_SECOND, &err));
    assert_true(tain_monotonic() - before < 10 * TAIN_SECOND);
    pthread_join(thread, NULL);
    assert_content(f, "t", "1\n");
}

/* --- not the file that it was ---------------------------------------------------------------------------------------- */

static void gather(fixture *f)
{
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES(1, 'a')");
    begin(f);
    catch_up(f);
}

static void test_restored_to_an_older_state(void **state)
{
    fixture *f = *state;
    char copy[128];
    other(f, copy);
    gather(f);
    close_all(f);
    copy_file(f->path, copy);
    open_writer(f);
    open_source_with(f, NULL, NULL);
    sql(f, "INSERT INTO t VALUES(2, 'b')");
    tain_position old = f->mirror->position, head;
    OK(f->source->ops->head(f->source, &head, &err));
    close_all(f);
    copy_file(copy, f->path);
    open_writer(f);
    open_source_with(f, NULL, NULL);
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &head, &err));
    assert_non_null(strstr(err.message, "older state"));
    assert_non_null(strstr(tain_error_advice(&err), "--resync"));
    OK(f->source->ops->start(f->source, &old, &err)); /* this one it still has */
}

static void test_restored_and_written_to_since(void **state)
{
    fixture *f = *state;
    char copy[128];
    other(f, copy);
    gather(f);
    close_all(f);
    copy_file(f->path, copy);
    open_writer(f);
    sql(f, "INSERT INTO t VALUES(2, 'b')");
    open_source_with(f, NULL, NULL);
    tain_position head;
    OK(f->source->ops->head(f->source, &head, &err));
    tain_time then = tain_now();
    close_all(f);
    copy_file(copy, f->path);
    open_writer(f);
    while (tain_now() < then + 2 * TAIN_MILLISECOND) usleep(100);
    sql(f, "INSERT INTO t VALUES(3, 'c'); INSERT INTO t VALUES(4, 'd')");
    open_source_with(f, NULL, NULL);
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &head, &err));
}

static void test_positions_grow_when_loaded_again_after_a_restore(void **state)
{
    fixture *f = *state;
    char copy[128];
    other(f, copy);
    gather(f);
    close_all(f);
    copy_file(f->path, copy);
    open_writer(f);
    open_source_with(f, NULL, NULL);
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i, 'x' FROM n");
    tain_position head;
    OK(f->source->ops->head(f->source, &head, &err));
    close_all(f);
    copy_file(copy, f->path);
    open_writer(f);
    recording_free(f->mirror);
    f->mirror = NULL;
    begin(f);
    assert_true(tain_position_compare(&f->mirror->position, &head) > 0);
    assert_same(f, "t");
}

static void test_file_replaced_while_following(void **state)
{
    fixture *f = *state;
    char copy[128];
    other(f, copy);
    gather(f);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
    sql_on(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
    sqlite3_close(db);
    assert_int_equal(rename(copy, f->path), 0);
    IS(TAIN_E_GONE, f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + TAIN_SECOND, &err));
    assert_non_null(strstr(err.message, "replaced"));
}

static void test_file_deleted_while_following(void **state)
{
    fixture *f = *state;
    gather(f);
    assert_int_equal(unlink(f->path), 0);
    IS(TAIN_E_GONE, f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + TAIN_SECOND, &err));
}

static void test_another_file_without_log(void **state)
{
    fixture *f = *state;
    gather(f);
    tain_position p = f->mirror->position;
    OK(f->source->ops->remove(f->source, NULL, &err));
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &p, &err));
    assert_non_null(strstr(err.message, "does not hold this mirror's log"));
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static tain_status try_open(const char *url)
{
    tain_source *s = NULL;
    tain_source_options o = {.url = url};
    tain_status st = tain_source_open(&o, &s, &err);
    tain_source_close(s);
    return st;
}

static void test_urls(void **state)
{
    fixture *f = *state;
    char url[256], here[512];
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    snprintf(url, sizeof url, "sqlite://%s", f->path);
    OK(try_open(url));
    OK(try_open(f->path));
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(f->folder), 0);
    OK(try_open("sqlite:shop.db"));
    OK(try_open("SQLITE:./shop.db"));
    OK(try_open("shop.db"));
    assert_int_equal(chdir(here), 0);
    IS(TAIN_E_NOT_FOUND, try_open("/nowhere/at/all.db"));
    IS(TAIN_E_NOT_FOUND, try_open("sqlite:///nowhere/at/all.db"));
    IS(TAIN_E_INVALID, try_open("oracle://host/db"));
    char text[128];
    other(f, text);
    FILE *file = fopen(text, "w");
    for (int i = 0; i < 100; i++) fputs("this is no database\n", file);
    fclose(file);
    IS(TAIN_E_INVALID, try_open(text));
    assert_non_null(strstr(err.message, "not an SQLite database"));
}

/* Root may write anything: so somebody else for a while. */
static void become_a_guest(fixture *f)
{
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    if (geteuid() == 0) assert_int_equal(seteuid(65534), 0);
}

static void become_myself(void)
{
    if (getuid() == 0) assert_int_equal(seteuid(0), 0);
}

static void test_read_only_file(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    become_a_guest(f);
    open_source_with(f, NULL, NULL);
    tain_catalog catalog;
    tain_finding *findings;
    size_t n;
    bool fresh;
    OK(f->source->ops->describe(f->source, &catalog, &findings, &n, &err));
    assert_true(n > 0);
    assert_string_equal(findings[n - 1].code, "read_only");
    tain_findings_free(findings, n);
    tain_status st = f->source->ops->prepare(f->source, NULL, &fresh, &err);
    tain_error said = err;
    OK(f->source->ops->remove(f->source, NULL, &err));
    become_myself();
    assert_string_equal(tain_status_name(st), "PERMISSION");
    assert_non_null(strstr(tain_error_advice(&said), "--capture=poll"));
}

static void test_read_only_file_compared(void **state)
{
    fixture *f = *state;
    f->compare = true;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1)");
    snprintf(f->spool, sizeof f->spool, "%s/spool", f->folder);
    assert_int_equal(mkdir(f->spool, 0777), 0);
    assert_int_equal(chmod(f->spool, 0777), 0);
    become_a_guest(f);
    begin(f);
    become_myself();
    sql(f, "INSERT INTO t VALUES(2)");
    catch_up(f);
    assert_content(f, "t", "1\n2\n");
}

/* SQLite reads no file in WAL mode without one beside it that readers share. */
static void test_read_only_file_in_wal_mode(void **state)
{
    fixture *f = *state;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    sqlite3_close(f->writer);
    f->writer = NULL;
    become_a_guest(f);
    tain_status st = try_open(f->path);
    become_myself();
    assert_string_equal(tain_status_name(st), "PERMISSION");
    assert_non_null(strstr(err.message, "WAL mode"));
    assert_non_null(strstr(tain_error_advice(&err), "make its folder writable for tain"));
    assert_null(strstr(tain_error_advice(&err), "--capture"));
}

int main(void)
{
#define W(f) cmocka_unit_test_setup_teardown(f, setup_wal, teardown)
#define R(f) {#f " (rollback journal)", f, setup_rollback, teardown, NULL}
#define B(f) W(f), R(f)
    const struct CMUnitTest tests[] = {
        B(test_follows), B(test_snapshot_does_not_hold_writers), B(test_snapshot_is_one_state_beside_writers), B(test_chunks_cover_the_table_once),
        B(test_readers_beside_each_other_and_the_stream),
        B(test_confirm_waits_for_nobody), B(test_prepare_waits_for_a_writer), B(test_poll_wakes_up), B(test_restored_to_an_older_state),
        B(test_restored_and_written_to_since), B(test_positions_grow_when_loaded_again_after_a_restore), B(test_file_replaced_while_following),
        B(test_file_deleted_while_following), B(test_another_file_without_log), W(test_urls), R(test_read_only_file),
        R(test_read_only_file_compared), W(test_read_only_file_in_wal_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
