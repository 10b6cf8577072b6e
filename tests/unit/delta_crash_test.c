/* SPDX-License-Identifier: MIT */
/* The process dies at every named point of a commit and a checkpoint: what is left is a table, before or after. */
#include "delta_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

enum { COMMITS = 6 };

/* What the process does that is killed: three appends, three deletions in all files, a checkpoint behind every second. */
static int work_on(const char *folder)
{
    tain_store *s;
    tain_delta *t;
    if (tain_store_open(folder, false, &s, NULL) != TAIN_OK || tain_delta_open(s, &t, NULL) != TAIN_OK) return 9;
    for (int64_t i = tain_delta_version(t); i < COMMITS; i++) {
        struct tain_dv_change deletes[COMMITS];
        tain_delta_file      *f, *add = NULL;
        char                  name[16];
        tain_delta_commit     c = {.operation = "MERGE", .app_id = "x", .app_version = i, .deletes = deletes, .data_change = true};
        snprintf(name, sizeof name, "f%d", (int)i);
        if (i % 2 == 0) c.adds = &add, c.add_count = 1, add = new_file(name, 100);
        for (size_t at = 0; i % 2 && tain_delta_next_file(t, &at, &f); c.delete_count++)
            deletes[c.delete_count] = (struct tain_dv_change){f, roaring_bitmap_of(1, (uint32_t)i)};
        if (tain_delta_commit_write(t, &c, NULL) != TAIN_OK) return 8;
        for (size_t k = 0; k < c.delete_count; k++) roaring_bitmap_free(deletes[k].rows);
        if (i % 2 && tain_delta_checkpoint(t, NULL) != TAIN_OK) return 7;
    }
    tain_delta_close(t);
    tain_store_close(s);
    return 0;
}

/* Rows of version v: half of the commits add 100, the others take one row from each file there is. */
static int64_t rows_at(int64_t v)
{
    int64_t files = 0, rows = 0;
    for (int64_t i = 0; i < v; i++) {
        if (i % 2) rows -= files;
        else files++, rows += 100;
    }
    return rows;
}

static void check(tain_store *s)
{
    tain_delta             *t = open_table(s);
    tain_delta_file        *f;
    const roaring_bitmap_t *rows;
    assert_int_equal(tain_delta_live_rows(t), rows_at(tain_delta_version(t)));
    assert_int_equal(tain_delta_txn(t, "x"), tain_delta_version(t) - 1);
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);) assert_ok(tain_delta_deleted(t, f, &rows, err));
    tain_delta_close(t);
}

static int run(const char *self, const char *folder, const char *fault)
{
    int   status;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("TAIN_FAULT", fault, 1);
        execl(self, self, "--work", folder, (char *)NULL);
        _exit(6);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static char self[4096];

static void dies_at(tain_fault_point point)
{
    int killed = 0;
    for (int n = 1;; n++) {
        char        folder[] = "/tmp/tain-delta-crash-XXXXXX", fault[64], command[64];
        tain_store *s;
        assert_non_null(mkdtemp(folder));
        assert_ok(tain_store_open(folder, true, &s, err));
        tain_delta_close(create_table(s));
        snprintf(fault, sizeof fault, "%s:%d", tain_fault_name(point), n);
        int status = run(self, folder, fault);
        assert_true(status == -SIGKILL || status == 0);
        killed += status != 0;
        check(s);
        assert_int_equal(run(self, folder, ""), 0); /* and goes on where it was */
        check(s);
        tain_delta *t = open_table(s);
        assert_int_equal(tain_delta_version(t), COMMITS);
        tain_delta_close(t);
        tain_store_close(s);
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        assert_int_equal(system(command), 0);
        if (status == 0) break;
    }
    assert_true(killed >= 2);
}

static void behind_the_vectors(void **state)
{
    dies_at(TAIN_FAULT_DELTA_DV_WRITTEN);
}

static void behind_the_commit(void **state)
{
    dies_at(TAIN_FAULT_DELTA_COMMITTED);
}

static void between_checkpoint_and_hint(void **state)
{
    dies_at(TAIN_FAULT_DELTA_CHECKPOINT);
}

static void before_the_link(void **state)
{
    dies_at(TAIN_FAULT_DELTA_BEFORE_LINK);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_the_vectors),
        cmocka_unit_test(behind_the_commit),
        cmocka_unit_test(between_checkpoint_and_hint),
        cmocka_unit_test(before_the_link),
    };
    if (argc == 3 && strcmp(argv[1], "--work") == 0) return work_on(argv[2]);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
