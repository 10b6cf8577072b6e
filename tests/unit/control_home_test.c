/* SPDX-License-Identifier: MIT */
/* The file and its home: whose it is, who has it, what it outlives. */
#include "control_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "control/execution.h"
#include "control/schema.h"
#include "control/item.h"
#include "control/workspace.h"
#include "seed.h"

static mode_t mode_of(const char *name)
{
    struct stat st;
    return stat(in_home(name), &st) == 0 ? st.st_mode & 07777 : 0;
}

static int64_t workspaces(void)
{
    tain_control_workspaces all;
    assert_ok(tain_control_workspace_list(control, (tain_control_page){.most = 1000}, &all, &err));
    int64_t n = (int64_t)all.count;
    tain_control_workspaces_done(&all);
    return n;
}

static void add_workspace(const char *name)
{
    char id[37];
    assert_ok(tain_control_workspace_add(control, name, NULL, NULL, id, &err));
}

static int64_t number_of(const char *sql)
{
    int64_t n;
    tain_control_read(control);
    assert_ok(tain_control_done(control, tain_sql_number(control, sql, NULL, 0, &n, &err)));
    return n;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static void is_private_and_durable(void **state)
{
    add_workspace("one");
    assert_int_equal(mode_of("control.db"), 0600);
    assert_int_equal(mode_of("control.db-wal"), 0600);
    assert_int_equal(mode_of("control.db-shm"), 0600);
    assert_int_equal(mode_of("control.lock"), 0600);
    assert_int_equal(number_of("PRAGMA synchronous"), 2);
    assert_int_equal(number_of("PRAGMA foreign_keys"), 1);
    assert_int_equal(number_of("PRAGMA user_version"), tain_control_step_count);
    assert_string_equal(tain_control_home(control), home);
    assert_string_equal(tain_control_file(control), in_home("control.db"));
}

static void others_lose_what_they_had(void **state)
{
    tain_control_close(control);
    assert_int_equal(chmod(in_home("control.db"), 0666), 0);
    assert_ok(tain_control_open(home, NULL, &control, &err));
    assert_int_equal(mode_of("control.db"), 0600);
}

static void a_home_is_made(void **state)
{
    tain_control *other;
    char         *nested = strdup(in_home("a/b"));
    assert_ok(tain_control_open(nested, NULL, &other, &err));
    assert_int_equal(mode_of("a/b"), 0700);
    tain_control_close(other);
    const char *const left[] = {"a/b/control.db", "a/b/control.lock"};
    for (size_t i = 0; i < 2; i++) assert_int_equal(unlink(in_home(left[i])), 0);
    rmdir(nested);
    rmdir(in_home("a"));
    free(nested);
}

static void what_was_answered_is_there_again(void **state)
{
    add_workspace("one");
    reopen();
    assert_int_equal(workspaces(), 1);
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_home(name), "w");
    fputs(text, f);
    fclose(f);
}

static void another_file_is_left_alone(void **state)
{
    tain_control_close(control);
    control = NULL;
    empty_home();
    write_file("control.db", "this is a letter, and a long one, so that it is no database at all; or is it? it is not");
    assert_fails(tain_control_open(home, NULL, &control, &err), TAIN_E_INVALID, "control.db is not a control database");
    char  text[100] = "";
    FILE *f = fopen(in_home("control.db"), "r");
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "this is a letter, and a long one, so that it is no database at all; or is it? it is not");
}

static void another_database_is_left_alone(void **state)
{
    struct stat before, after;
    tain_control_close(control);
    control = NULL;
    empty_home();
    behind("CREATE TABLE theirs (a); PRAGMA user_version = 1");
    stat(in_home("control.db"), &before);
    assert_fails(tain_control_open(home, NULL, &control, &err), TAIN_E_INVALID, "control.db is not a control database");
    stat(in_home("control.db"), &after);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(access(in_home("control.db-wal"), F_OK), -1);
}

static void a_newer_schema_is_refused(void **state)
{
    add_workspace("one");
    tain_control_close(control);
    control = NULL;
    behind("PRAGMA user_version = 99");
    assert_fails(tain_control_open(home, NULL, &control, &err), TAIN_E_UNSUPPORTED, "newer tain (schema 99");
    assert_non_null(strstr(err.remedy, "newer"));
    behind("DROP INDEX execution_operation; DROP INDEX audit_time; ALTER TABLE connection DROP COLUMN pointed; ALTER TABLE connection DROP COLUMN trusted; PRAGMA user_version = 1"); /* as the first tain made it */
    assert_ok(tain_control_open(home, NULL, &control, &err));
    assert_int_equal(workspaces(), 1);
    assert_int_equal(number_of("PRAGMA user_version"), tain_control_step_count);
    assert_int_equal(number_of("SELECT count(*) FROM sqlite_schema WHERE name = 'execution_operation'"), 1);
}

static void check_lake(const char *name, const char *workspace, const char *lake)
{
    tain_control_item i;
    assert_ok(tain_control_item_find(control, workspace, name, &i, &err));
    assert_string_equal(i.lake, lake);
    tain_control_item_done(&i);
}

/* What is in it goes along; what is not there, or elsewhere, stays where it was. */
static void a_home_that_was_moved_keeps_its_lakes(void **state)
{
    static const char *const names[] = {"here", "away", "else"};
    char                     workspace[37], id[37];
    TAIN_AUTO(tain_free) char *before = tain_strdup(home);
    const char *const        lakes[] = {in_home("lake"), in_home("nowhere"), "/elsewhere/lake"};
    TAIN_AUTO(tain_free) char *nowhere = tain_strdup(lakes[1]);
    assert_ok(tain_control_workspace_add(control, "w", NULL, NULL, workspace, &err));
    for (int i = 0; i < 3; i++)
        assert_ok(tain_control_item_add(control, &(tain_control_item){.workspace = workspace, .name = (char *)names[i], .lake = (char *)lakes[i]}, id, &err));
    assert_int_equal(mkdir(in_home("lake"), 0777), 0);
    reopen();
    tain_control_close(control);
    control = NULL;
    memcpy(home + strlen(home) - 6, "moved.", 6);
    assert_int_equal(rename(before, home), 0);
    assert_ok(tain_control_open(home, NULL, &control, &err));
    check_lake("here", workspace, in_home("lake"));
    check_lake("away", workspace, nowhere);
    check_lake("else", workspace, "/elsewhere/lake");
    assert_int_equal(rmdir(in_home("lake")), 0);
}

static void steps_are_taken_one_by_one(void **state)
{
    static const char *const steps[] = {"never taken", "CREATE TABLE later (a)", "CREATE TABLE last (a); INSERT INTO nowhere VALUES (1)"};
    assert_fails(tain_control_migrate(control, steps, 3, 1, &err), TAIN_E_INTERNAL, "schema 3: ");
    assert_int_equal(number_of("PRAGMA user_version"), 2);
    assert_int_equal(number_of("SELECT count(*) FROM sqlite_schema WHERE name IN ('later', 'last')"), 1);
    assert_ok(tain_control_migrate(control, steps, 2, 2, &err));
}

/* Nobody is kept from anything as root. */
static void as_nobody(void)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(9);
}

static int in_child(int (*what)(void))
{
    pid_t child = fork();
    if (child == 0) _exit(what());
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static int open_is_not_permitted(void)
{
    tain_control *c;
    as_nobody();
    return tain_control_open(home, NULL, &c, &err) == TAIN_E_PERMISSION && strstr(err.message, home) ? 0 : 1;
}

static void a_home_that_cannot_be_written_to(void **state)
{
    tain_control_close(control);
    control = NULL;
    empty_home();
    assert_int_equal(chmod(home, 0555), 0);
    assert_int_equal(in_child(open_is_not_permitted), 0);
    chmod(home, 0700);
}

/* --- one process --------------------------------------------------------------------------------------------------- */

static int open_is_busy(void)
{
    tain_control *c;
    char          holder[40];
    snprintf(holder, sizeof holder, "in use by process %d on ", (int)getppid());
    return tain_control_open(home, NULL, &c, &err) == TAIN_E_BUSY && strstr(err.message, holder) && strstr(err.message, home) ? 0 : 1;
}

static void a_second_process_is_told_who_has_it(void **state)
{
    assert_int_equal(in_child(open_is_busy), 0);
    tain_control *again;
    assert_fails(tain_control_open(home, NULL, &again, &err), TAIN_E_BUSY, "in use by process");
    reopen();
}

static void others_may_read(void **state)
{
    add_workspace("one");
    sqlite3      *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open_v2(in_home("control.db"), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM workspace", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    add_workspace("two");
    assert_string_equal(sqlite3_column_text(s, 0), "one");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* --- the end of a process ------------------------------------------------------------------------------------------ */

static void write_until_killed(int answers)
{
    tain_control *c;
    if (tain_control_open(home, NULL, &c, &err) != TAIN_OK) _exit(1);
    for (uint32_t i = 0;; i++) {
        char name[40], id[37];
        snprintf(name, sizeof name, "w%u", i);
        tain_control_execution pair[2] = {{.operation = "Replicating", .item = name}, {.operation = "StopTable", .item = name}};
        if (tain_control_workspace_add(c, name, NULL, NULL, id, &err) != TAIN_OK) _exit(2);
        if (tain_control_execution_add(c, pair, 2, &err) != TAIN_OK) _exit(3);
        if (write(answers, &i, sizeof i) != sizeof i) _exit(4);
    }
}

/* Kills it after some answers, at any point of what comes next. Returns how many there were. */
static uint32_t kill_while_writing(void)
{
    int      ends[2];
    uint32_t last = 0, wanted = (uint32_t)pick(30);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) write_until_killed(ends[1]);
    close(ends[1]);
    while (read(ends[0], &last, sizeof last) == sizeof last && last < wanted) {}
    for (volatile int spin = pick(200000); spin > 0; spin--) {}
    kill(child, SIGKILL);
    while (read(ends[0], &last, sizeof last) == sizeof last) {}
    waitpid(child, NULL, 0);
    close(ends[0]);
    return last + 1;
}

static void nothing_answered_is_lost(void **state)
{
    seed_begin();
    for (int round = 0; round < 12; round++) {
        tain_control_close(control);
        control = NULL;
        empty_home();
        int64_t answered = kill_while_writing();
        assert_ok(tain_control_open(home, NULL, &control, &err));
        int64_t there = workspaces(), records = number_of("SELECT count(*) FROM MirroredDatabaseTableExecution");
        assert_in_range(there, answered, answered + 1);
        assert_in_range(records, 2 * answered, 2 * there);
        assert_int_equal(records % 2, 0);
        assert_int_equal(number_of("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    }
}

static void a_full_disk_changes_nothing(void **state)
{
    char id[37], large[200];
    add_workspace("before");
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    assert_int_equal(sqlite3_exec(control->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL), SQLITE_OK);
    tain_control_execution many[200];
    for (int i = 0; i < 200; i++) many[i] = (tain_control_execution){.operation = "Replicating", .item = large};
    assert_fails(tain_control_execution_add(control, many, 200, &err), TAIN_E_FULL, "control.db");
    assert_int_equal(number_of("SELECT count(*) FROM MirroredDatabaseTableExecution"), 0);
    assert_int_equal(sqlite3_exec(control->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(tain_control_execution_add(control, many, 200, &err));
    assert_ok(tain_control_workspace_add(control, "after", NULL, NULL, id, &err));
    reopen();
    assert_int_equal(workspaces(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_private_and_durable), TEST(others_lose_what_they_had), TEST(a_home_is_made), TEST(what_was_answered_is_there_again),
        TEST(another_file_is_left_alone), TEST(another_database_is_left_alone), TEST(a_newer_schema_is_refused), TEST(a_home_that_was_moved_keeps_its_lakes), TEST(steps_are_taken_one_by_one),
        TEST(a_home_that_cannot_be_written_to), TEST(a_second_process_is_told_who_has_it), TEST(others_may_read), TEST(nothing_answered_is_lost),
        TEST(a_full_disk_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
