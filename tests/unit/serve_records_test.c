/* SPDX-License-Identifier: MIT */
/* What workers did comes into the control database, each record once, whoever is interrupted when. */
#include "control_fixture.h"

#include "base/text.h"
#include "control/execution.h"
#include "control/item.h"
#include "control/workspace.h"
#include "seed.h"
#include "serve/supervisor/records.h"

static tain_records      records;
static tain_control_item item;

static int start(void **state)
{
    char workspace[37];
    if (begin(state) != 0 || tain_control_workspace_add(control, "Sales", NULL, NULL, workspace, &err) != TAIN_OK) return -1;
    item = (tain_control_item){.id = tain_strdup("11111111-0000-4000-8000-000000000000"), .name = tain_strdup("Shop"), .workspace = tain_strdup(workspace)};
    tain_records_init(&records, in_home("records"));
    return 0;
}

static int stop(void **state)
{
    tain_records_done(&records);
    tain_control_item_done(&item);
    return end(state);
}

/* As a worker writes: into the file that has the name now. */
typedef struct worker {
    int fd;
    int n;
} worker;

static void reopen_file(worker *w)
{
    if (w->fd > 0) close(w->fd);
    w->fd = open(records.path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(w->fd > 0);
}

static bool has_its_file(const worker *w)
{
    struct stat a, b;
    return w->fd > 0 && stat(records.path, &a) == 0 && fstat(w->fd, &b) == 0 && a.st_ino == b.st_ino;
}

static void put(const worker *w, const char *text)
{
    assert_int_equal(write(w->fd, text, strlen(text)), strlen(text));
}

static void write_line(worker *w)
{
    char line[400];
    snprintf(line, sizeof line,
             "{\"n\":%d,\"run\":\"2026-01-01T00:00:00Z\",\"time\":\"2026-01-01T00:00:01.5Z\",\"operation\":\"Replicating\",\"schema\":\"public\",\"table\":\"t%d\","
             "\"start\":\"2026-01-01T00:00:00.000Z\",\"end\":\"2026-01-01T00:00:01.000Z\",\"rows\":%d,\"bytes\":7,\"latency\":1.6,\"errorType\":null,\"error\":null}\n",
             w->n, w->n, w->n);
    put(w, line);
    w->n++;
}

static void append(worker *w)
{
    if (!has_its_file(w)) reopen_file(w);
    write_line(w);
}

static tain_status take(bool gone)
{
    return tain_records_take(&records, control, &item, "AzurePostgreSql", gone, &err);
}

/* Every n from 1 to count is there, once. */
static void assert_all(int count)
{
    char                   *after = NULL;
    int                     expected = count;
    tain_control_executions page;
    do {
        assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){.item = item.id}, (tain_control_page){after, 1000}, &page, &err));
        for (size_t i = 0; i < page.count; i++) assert_int_equal(page.rows[i].rows, expected--);
        tain_free(after);
        after = tain_strdup(page.next);
        tain_control_executions_done(&page);
    } while (after);
    assert_int_equal(expected, 0);
}

static void a_record_is_taken_whole(void **state)
{
    worker                  w = {.n = 1};
    tain_control_executions all;
    append(&w);
    assert_ok(take(false));
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    const tain_control_execution *e = all.rows;
    assert_string_equal(e->operation, "Replicating");
    assert_string_equal(e->item, item.id);
    assert_string_equal(e->item_name, "Shop");
    assert_string_equal(e->workspace_name, "Sales");
    assert_string_equal(e->source_type, "AzurePostgreSql");
    assert_string_equal(e->table, "t1");
    assert_true(e->rows == 1 && e->bytes == 7 && e->latency == 2 && e->time == 1767225601500000 && e->end == 1767225601000000 && !e->error);
    tain_control_executions_done(&all);
    close(w.fd);
}

static void nothing_is_taken_twice(void **state)
{
    worker w = {.n = 1};
    for (int i = 0; i < 5; i++) append(&w);
    assert_ok(take(false));
    assert_ok(take(false));
    append(&w);
    records.read = 0; /* as another supervisor begins */
    assert_ok(take(false));
    assert_all(6);
    close(w.fd);
}

static void half_a_line_waits(void **state)
{
    worker w = {.n = 1};
    append(&w);
    put(&w, "{\"n\":2,\"run\":\"2026-01-01T00:00:00Z\",\"operation\":\"Repl");
    assert_ok(take(false));
    assert_all(1);
    put(&w, "icating\",\"rows\":2}\n");
    assert_ok(take(false));
    assert_all(2);
    close(w.fd);
}

static void what_is_no_record_is_passed_by(void **state)
{
    worker w = {.n = 1};
    append(&w);
    put(&w, "no JSON\n[]\n{}\n{\"n\":9,\"run\":\"r\"}\n{\"run\":\"r\",\"operation\":\"AddTable\"}\n\n");
    append(&w);
    assert_ok(take(false));
    assert_all(2);
    close(w.fd);
}

/* The worker checked the name, and writes into the file that has been put aside meanwhile. */
static void a_late_line_is_not_lost(void **state)
{
    worker w = {.n = 1};
    while (w.n < 6000) append(&w);
    assert_ok(take(false));
    assert_int_equal(access(records.aside, F_OK), 0);
    write_line(&w);
    assert_ok(take(false));
    assert_int_equal(access(records.aside, F_OK), 0); /* it may be writing another */
    write_line(&w);
    append(&w); /* noticed */
    assert_ok(take(false));
    assert_int_equal(access(records.aside, F_OK), -1);
    assert_all(w.n - 1);
    close(w.fd);
}

static void the_files_go_with_the_worker(void **state)
{
    worker w = {.n = 1};
    append(&w);
    assert_ok(rename(records.path, records.aside) ? TAIN_E_IO : TAIN_OK);
    append(&w);
    close(w.fd);
    assert_ok(take(true));
    assert_all(2);
    assert_int_equal(access(records.path, F_OK), -1);
    assert_int_equal(access(records.aside, F_OK), -1);
    assert_ok(take(true));
}

/* The database refuses at first. */
static void a_failure_loses_nothing(void **state)
{
    worker   w = {.n = 1};
    append(&w);
    behind("CREATE TRIGGER full BEFORE INSERT ON MirroredDatabaseTableExecution BEGIN SELECT RAISE(ABORT, 'full'); END");
    assert_int_not_equal(take(true), TAIN_OK);
    assert_int_equal(access(records.path, F_OK), 0);
    behind("DROP TRIGGER full");
    assert_ok(take(true));
    assert_all(1);
    close(w.fd);
}

/* Anybody may be interrupted anywhere: a supervisor that begins anew knows nothing of where it was. */
static void any_order_comes_to_the_same(void **state)
{
    worker w = {.n = 1};
    seed_begin();
    for (int i = 0; i < 3000; i++) {
        switch (pick(8)) {
        case 0: assert_ok(take(false)); break;
        case 1: records.read = 0; break;
        case 2:
            if (access(records.aside, F_OK) != 0 && access(records.path, F_OK) == 0) (void)!rename(records.path, records.aside), records.read = 0;
            break;
        case 3:
            if (w.fd > 0) write_line(&w); /* after a look at the name that was long ago, at the file of then */
            if (!has_its_file(&w)) reopen_file(&w);
            break;
        default: append(&w);
        }
        if (w.n == 1) append(&w);
    }
    close(w.fd);
    assert_ok(take(true));
    tain_control_executions all;
    int                     count = 0;
    char                   *after = NULL;
    do {
        assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){after, 1000}, &all, &err));
        count += (int)all.count;
        tain_free(after);
        after = tain_strdup(all.next);
        tain_control_executions_done(&all);
    } while (after);
    assert_int_equal(count, w.n - 1);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_record_is_taken_whole), WITH(nothing_is_taken_twice), WITH(half_a_line_waits), WITH(what_is_no_record_is_passed_by),
        WITH(a_late_line_is_not_lost), WITH(the_files_go_with_the_worker), WITH(a_failure_loses_nothing), WITH(any_order_comes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
