/* SPDX-License-Identifier: MIT */
/* The contract of source.h, for every source there is. A driver to be tested gives itself a database of its own and runs
 * SQL in it; what the SQL does is the same for all. */
#include "source_drivers.h"

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recording_sink.h"

typedef struct fixture {
    const source_driver *driver;
    void                *database;
    tain_source         *source;
    recording           *mirror;
} fixture;

static tain_error err;
#define OK(expr)                                                                                   \
    do {                                                                                           \
        err = (tain_error){0};                                                                     \
        tain_status ok_ = (expr);                                                                  \
        if (ok_ != TAIN_OK) fail_msg("%s: %s %s", #expr, tain_status_name(ok_), err.message);      \
    } while (0)
#define IS(code, expr) assert_string_equal(tain_status_name(code), tain_status_name(expr))

static void sql(fixture *f, const char *text)
{
    f->driver->run(f->database, text);
}

static void open_source(fixture *f, const char **tables)
{
    tain_source_options o = {.mirror_name = "conformance", .tables = tables, .jobs = 2, .memory = 64 << 20};
    f->driver->options(f->database, &o);
    OK(tain_source_open(&o, &f->source, &err));
}

static void begin(fixture *f)
{
    if (!f->source) open_source(f, NULL);
    f->mirror = recording_new();
    OK(recording_begin(f->mirror, f->source, &err));
}

static void catch_up(fixture *f)
{
    OK(recording_catch_up(f->mirror, f->source, &err));
    assert_string_equal(recording_violations(f->mirror), "");
}

static void assert_content(fixture *f, const char *table, const char *expected)
{
    char *got = recording_content(f->mirror, table);
    assert_string_equal(got, expected);
    free(got);
}

static void reopen(fixture *f)
{
    tain_source_close(f->source);
    open_source(f, NULL);
    OK(recording_adopt(f->mirror, f->source, &err));
}

static int setup(void **state)
{
    fixture *f = tain_alloc(sizeof *f);
    f->driver = *state;
    f->database = f->driver->make();
    *state = f;
    sql(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)");
    sql(f, "CREATE TABLE c(a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, n INTEGER, PRIMARY KEY(a, b))");
    sql(f, "INSERT INTO t VALUES(1, 'one'), (2, 'two'), (3, NULL)");
    sql(f, "INSERT INTO c VALUES(1, 'x', 10), (1, 'y', 20)");
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    if (f->source && f->source->ops->remove(f->source, NULL, &err) != TAIN_OK) print_message("remove: %s\n", err.message);
    tain_source_close(f->source);
    recording_free(f->mirror);
    f->driver->destroy(f->database);
    *state = (void *)f->driver;
    free(f);
    return 0;
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

static tain_source_table *find(const tain_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->tables[i]->name, name) == 0) return c->tables[i];
    return NULL;
}

static tain_catalog describe(fixture *f)
{
    tain_catalog c;
    tain_finding *findings;
    size_t n;
    OK(f->source->ops->describe(f->source, &c, &findings, &n, &err));
    for (size_t i = 0; i < n; i++) assert_non_null(findings[i].code);
    tain_findings_free(findings, n);
    return c;
}

static void test_describe(void **state)
{
    fixture *f = *state;
    open_source(f, NULL);
    tain_catalog c = describe(f);
    tain_source_table *t = find(&c, "t"), *k = find(&c, "c");
    assert_non_null(t);
    assert_non_null(k);
    assert_int_equal(t->columns->count, 2);
    assert_string_equal(t->columns->fields[1].name, "s");
    assert_int_equal(t->columns->fields[1].type.kind, TAIN_STRING);
    assert_int_equal(t->key_count, 1);
    assert_int_equal(k->key_count, 2);
    assert_int_equal(k->key[1], 1);
    assert_int_not_equal(t->verdict, TAIN_VERDICT_ERROR);
    sql(f, "CREATE TABLE later(id INTEGER PRIMARY KEY)");
    tain_catalog again = describe(f);
    assert_ptr_equal(find(&again, "t"), t);
    assert_non_null(find(&again, "later"));
}

static void test_selection(void **state)
{
    fixture *f = *state;
    open_source(f, (const char *[]){"*.c", NULL});
    tain_catalog c = describe(f);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.tables[0]->name, "c");
}

static void test_prepare_is_idempotent(void **state)
{
    fixture *f = *state;
    bool fresh;
    open_source(f, NULL);
    describe(f);
    OK(f->source->ops->prepare(f->source, NULL, &fresh, &err));
    assert_true(fresh);
    OK(f->source->ops->prepare(f->source, NULL, &fresh, &err));
    assert_false(fresh);
}

static void test_remove_is_idempotent_and_final(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    catch_up(f);
    tain_position at = f->mirror->position;
    tain_source_close(f->source);
    open_source(f, NULL);
    OK(f->source->ops->remove(f->source, NULL, &err));
    OK(f->source->ops->remove(f->source, NULL, &err));
    IS(TAIN_E_GONE, f->source->ops->start(f->source, &at, &err));
    assert_true(tain_error_advice(&err)[0] != 0);
}

/* --- snapshot ------------------------------------------------------------------------------------------------------ */

static void test_snapshot(void **state)
{
    fixture *f = *state;
    begin(f);
    assert_content(f, "t", "1,'one'\n2,'two'\n3,NULL\n");
    assert_content(f, "c", "1,'x',10\n1,'y',20\n");
}

static void test_snapshot_of_many_rows(void **state)
{
    fixture *f = *state;
    sql(f, "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i, 'row' FROM n");
    begin(f);
    assert_int_equal(recording_find(f->mirror, "t")->count, 30000);
}

static void test_snapshot_and_stream_meet(void **state)
{
    fixture *f = *state;
    begin(f);
    catch_up(f);
    recording_table *t = recording_find(f->mirror, "t");
    t->needs_load = true;
    sql(f, "INSERT INTO t VALUES(4, 'four')"); /* in the snapshot, and behind the stream's position */
    sql(f, "DELETE FROM t WHERE id = 1");
    sql(f, "UPDATE c SET n = 11 WHERE b = 'x'");
    OK(recording_load(f->mirror, f->source, &err));
    sql(f, "UPDATE t SET s = '4' WHERE id = 4");
    OK(recording_restart(f->mirror, f->source, &err));
    catch_up(f);
    assert_content(f, "t", "2,'two'\n3,NULL\n4,'4'\n");
    assert_content(f, "c", "1,'x',11\n1,'y',20\n");
}

static tain_status count_rows(void *ctx, tain_batch *batch, tain_error *e)
{
    *(size_t *)ctx += batch->rows;
    return TAIN_OK;
}

static size_t read_table(fixture *f, tain_source_table *t)
{
    tain_reader *reader;
    tain_chunk *chunks;
    size_t n, rows = 0;
    tain_rows_sink sink = {.rows = count_rows, .ctx = &rows};
    OK(f->source->ops->snapshot_plan(f->source, t, 1000, &chunks, &n, &err));
    OK(f->source->ops->reader_open(f->source, &reader, &err));
    for (size_t i = 0; i < n; i++) OK(f->source->ops->reader_read(reader, &chunks[i], &sink, &err));
    f->source->ops->reader_close(reader);
    free(chunks);
    return rows;
}

static void test_snapshot_stays_what_it_was(void **state)
{
    fixture *f = *state;
    tain_position at, head;
    begin(f);
    recording_table *t = recording_find(f->mirror, "t");
    OK(f->source->ops->snapshot_begin(f->source, &t->source, 1, &at, &err));
    sql(f, "DELETE FROM t WHERE id > 1");
    OK(f->source->ops->head(f->source, &head, &err));
    assert_true(tain_position_compare(&at, &head) < 0);
    assert_int_equal(read_table(f, t->source), 3);
    OK(f->source->ops->snapshot_end(f->source, &err));
    OK(f->source->ops->snapshot_begin(f->source, &t->source, 1, &at, &err));
    assert_int_equal(read_table(f, t->source), 1);
    OK(f->source->ops->snapshot_end(f->source, &err));
}

/* --- stream -------------------------------------------------------------------------------------------------------- */

static void test_changes(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    sql(f, "UPDATE t SET s = 'zwei' WHERE id = 2");
    sql(f, "DELETE FROM t WHERE id = 1");
    sql(f, "UPDATE c SET n = n + 1");
    catch_up(f);
    assert_content(f, "t", "2,'zwei'\n3,NULL\n4,'four'\n");
    assert_content(f, "c", "1,'x',11\n1,'y',21\n");
}

static void test_key_changes(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "UPDATE t SET id = 10 WHERE id = 1");
    sql(f, "BEGIN; UPDATE c SET b = 'z' WHERE b = 'x'; UPDATE c SET b = 'x', n = 0 WHERE b = 'y'; UPDATE c SET b = 'y' WHERE b = 'z'; COMMIT");
    sql(f, "BEGIN; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(2, 'again'); COMMIT");
    catch_up(f);
    assert_content(f, "t", "10,'one'\n2,'again'\n3,NULL\n");
    assert_content(f, "c", "1,'x',0\n1,'y',10\n");
}

static void test_rollback_is_not_delivered(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "BEGIN; DELETE FROM t; INSERT INTO c VALUES(9, 'q', 9); ROLLBACK");
    sql(f, "BEGIN; INSERT INTO t VALUES(4, 'a'); SAVEPOINT p; INSERT INTO t VALUES(5, 'b'); ROLLBACK TO SAVEPOINT p; INSERT INTO t VALUES(6, 'c'); COMMIT");
    catch_up(f);
    assert_content(f, "t", "1,'one'\n2,'two'\n3,NULL\n4,'a'\n6,'c'\n");
    assert_content(f, "c", "1,'x',10\n1,'y',20\n");
}

static int64_t total(fixture *f)
{
    int64_t sum = 0;
    const recording_table *c = recording_find(f->mirror, "c");
    for (size_t i = 0; i < c->count; i++) sum += strtoll(c->rows[i].cells[2], NULL, 10);
    return sum + 5 * (int64_t)recording_find(f->mirror, "t")->count;
}

/* Every state that is committed is one that the source had: what one table gains the other has lost. */
static void test_transactions_are_whole(void **state)
{
    fixture *f = *state;
    tain_position head;
    begin(f);
    int64_t sum = total(f);
    for (int i = 10; i < 40; i++) {
        char text[200];
        snprintf(text, sizeof text, "BEGIN; INSERT INTO t VALUES(%d, 'x'); UPDATE c SET n = n - 2 WHERE b = 'x'; UPDATE c SET n = n - 3 WHERE b = 'y'; COMMIT", i);
        sql(f, text);
    }
    OK(f->source->ops->head(f->source, &head, &err));
    f->mirror->answer = TAIN_E_CANCELLED; /* stop at every commit */
    while (tain_position_compare(&f->mirror->position, &head) < 0) {
        tain_status st = f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + 100 * TAIN_MILLISECOND, &err);
        assert_true(st == TAIN_OK || st == TAIN_E_CANCELLED);
        assert_int_equal(total(f), sum);
    }
    assert_string_equal(recording_violations(f->mirror), "");
    assert_int_equal(recording_find(f->mirror, "t")->count, 33);
}

static void test_large_transaction(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "BEGIN; INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) SELECT i, 'row' FROM n;"
           "DELETE FROM t WHERE id % 2 = 0; UPDATE t SET s = 'odd'; COMMIT");
    catch_up(f);
    assert_int_equal(recording_find(f->mirror, "t")->count, 20000);
}

/* --- positions ----------------------------------------------------------------------------------------------------- */

static void test_stream_starts_again(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    tain_position at = f->mirror->position;
    sql(f, "DELETE FROM t WHERE id = 4");
    sql(f, "INSERT INTO t VALUES(5, 'five')");
    catch_up(f);
    OK(recording_restart_at(f->mirror, f->source, &at, &err)); /* delivered again, dropped by the mirror */
    catch_up(f);
    assert_content(f, "t", "1,'one'\n2,'two'\n3,NULL\n5,'five'\n");
}

static void test_next_process_goes_on(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    catch_up(f);
    tain_source_close(f->source);
    sql(f, "UPDATE t SET s = s || '!' WHERE id < 3");
    sql(f, "DELETE FROM c");
    open_source(f, NULL);
    OK(recording_adopt(f->mirror, f->source, &err));
    catch_up(f);
    assert_content(f, "t", "1,'one!'\n2,'two!'\n3,NULL\n4,'four'\n");
    assert_content(f, "c", "");
    assert_int_equal(recording_find(f->mirror, "t")->loads, 1);
}

static void test_lost_delivery_comes_again(void **state)
{
    fixture *f = *state;
    begin(f);
    catch_up(f);
    OK(f->source->ops->confirm(f->source, &f->mirror->position, &err));
    sql(f, "BEGIN; INSERT INTO t VALUES(4, 'four'); DELETE FROM t WHERE id = 1; COMMIT");
    OK(recording_lose(f->mirror, f->source, &err));
    sql(f, "UPDATE t SET s = 'vier' WHERE id = 4");
    reopen(f);
    catch_up(f);
    assert_content(f, "t", "2,'two'\n3,NULL\n4,'vier'\n");
}

static void test_head_only_grows(void **state)
{
    fixture *f = *state;
    tain_position before, after;
    begin(f);
    catch_up(f);
    OK(f->source->ops->head(f->source, &before, &err));
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    OK(f->source->ops->head(f->source, &after, &err));
    assert_true(tain_position_compare(&before, &after) < 0);
    assert_true(strlen(after.text) < TAIN_POSITION_MAX);
    catch_up(f);
    assert_true(tain_position_compare(&f->mirror->position, &after) >= 0);
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

static void test_poll_returns_at_its_deadline(void **state)
{
    fixture *f = *state;
    begin(f);
    catch_up(f);
    tain_time start = tain_monotonic();
    OK(f->source->ops->poll(f->source, &f->mirror->sink, start + 50 * TAIN_MILLISECOND, &err));
    tain_time took = tain_monotonic() - start;
    assert_true(took >= 50 * TAIN_MILLISECOND && took < 10 * TAIN_SECOND);
    OK(f->source->ops->poll(f->source, &f->mirror->sink, 0, &err));
}

static void *cancel_it(void *source)
{
    tain_source_cancel(source);
    return NULL;
}

static void test_cancel(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    begin(f);
    catch_up(f);
    assert_int_equal(pthread_create(&thread, NULL, cancel_it, f->source), 0);
    IS(TAIN_E_CANCELLED, f->source->ops->poll(f->source, &f->mirror->sink, tain_monotonic() + 60 * TAIN_SECOND, &err));
    pthread_join(thread, NULL);
    OK(recording_restart(f->mirror, f->source, &err));
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    catch_up(f);
    assert_int_equal(recording_find(f->mirror, "t")->count, 4);
}

static void *write_it(void *ctx)
{
    sql(ctx, "INSERT INTO t VALUES(4, 'four')");
    return NULL;
}

static void test_poll_waits_for_a_change(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    begin(f);
    catch_up(f);
    f->mirror->answer = TAIN_E_CANCELLED;
    assert_int_equal(pthread_create(&thread, NULL, write_it, f), 0);
    tain_time give_up = tain_monotonic() + 30 * TAIN_SECOND;
    while (recording_find(f->mirror, "t")->count < 4 && tain_monotonic() < give_up) {
        tain_status st = f->source->ops->poll(f->source, &f->mirror->sink, give_up, &err);
        assert_true(st == TAIN_OK || st == TAIN_E_CANCELLED);
    }
    pthread_join(thread, NULL);
    assert_int_equal(recording_find(f->mirror, "t")->count, 4);
}

/* --- schema -------------------------------------------------------------------------------------------------------- */

static void test_tables_come_and_go(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "CREATE TABLE u(id INTEGER PRIMARY KEY, n INTEGER)");
    sql(f, "INSERT INTO u VALUES(1, 1)");
    catch_up(f);
    sql(f, "UPDATE u SET n = 2");
    catch_up(f);
    assert_content(f, "u", "1,2\n");
    sql(f, "DROP TABLE u");
    sql(f, "INSERT INTO t VALUES(4, 'four')");
    catch_up(f);
    assert_true(recording_find(f->mirror, "u")->dropped);
    assert_int_equal(recording_find(f->mirror, "t")->count, 4);
}

static void test_column_added(void **state)
{
    fixture *f = *state;
    begin(f);
    sql(f, "UPDATE t SET s = 'eins' WHERE id = 1");
    sql(f, "ALTER TABLE t ADD COLUMN n INTEGER");
    sql(f, "INSERT INTO t VALUES(4, 'four', 4)");
    sql(f, "UPDATE t SET n = 2 WHERE id = 2");
    catch_up(f);
    assert_content(f, "t", "1,'eins',NULL\n2,'two',2\n3,NULL,NULL\n4,'four',4\n");
    assert_non_null(strstr(recording_events(f->mirror), "reshape"));
}

int main(void)
{
    int failed = 0;
    for (const source_driver *const *d = source_drivers; *d; d++) {
#define T(f) {#f, f, setup, teardown, (void *)*d}
        const struct CMUnitTest tests[] = {
            T(test_describe), T(test_selection), T(test_prepare_is_idempotent), T(test_remove_is_idempotent_and_final), T(test_snapshot),
            T(test_snapshot_of_many_rows), T(test_snapshot_and_stream_meet), T(test_snapshot_stays_what_it_was), T(test_changes), T(test_key_changes),
            T(test_rollback_is_not_delivered), T(test_transactions_are_whole), T(test_large_transaction), T(test_stream_starts_again),
            T(test_next_process_goes_on), T(test_lost_delivery_comes_again), T(test_head_only_grows), T(test_poll_returns_at_its_deadline), T(test_cancel),
            T(test_poll_waits_for_a_change), T(test_tables_come_and_go), T(test_column_added),
        };
        bool there = !(*d)->available || (*d)->available();
        print_message("--- %s%s\n", (*d)->name, there ? "" : ": left out, its server's programs are not on this machine");
        if (!there) continue;
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
