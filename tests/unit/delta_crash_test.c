/* SPDX-License-Identifier: MIT */
/* The process dies at every named point of a commit, a checkpoint, a log cleanup and a vacuum: what is left is a table,
 * before or after, and whoever comes next goes on. */
#include "delta_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

#define RETENTION (3600 * TAIN_SECOND)

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

/* And this one looks after it. */
static int clean_up(const char *folder)
{
    tain_store        *s;
    tain_delta        *t;
    tain_vacuum_result r;
    if (tain_store_open(folder, false, &s, NULL) != TAIN_OK || tain_delta_open(s, &t, NULL) != TAIN_OK) return 9;
    if (tain_delta_clean_log(t, NULL) != TAIN_OK || tain_delta_vacuum(t, RETENTION, false, &r, NULL) != TAIN_OK) return 5;
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

static char self[4096];

static int run(const char *what, const char *folder, const char *fault)
{
    int   status;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("TAIN_FAULT", fault, 1);
        execl(self, self, what, folder, (char *)NULL);
        _exit(6);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* A table in a folder of its own. */
typedef struct place {
    char        folder[64];
    tain_store *store;
} place;

static place new_place(void)
{
    place p = {.folder = "/tmp/tain-delta-crash-XXXXXX"};
    assert_non_null(mkdtemp(p.folder));
    assert_ok(tain_store_open(p.folder, true, &p.store, err));
    tain_delta_close(create_table(p.store));
    return p;
}

static void shell(const char *program, const place *p, const char *arguments)
{
    char text[256];
    snprintf(text, sizeof text, "%s '%s' %s", program, p->folder, arguments);
    assert_int_equal(system(text), 0);
}

static void place_done(place *p)
{
    tain_store_close(p->store);
    shell("rm -rf", p, "");
}

/* Whether it was killed when it passed the point the nth time. */
static bool dies(const char *what, const place *p, tain_fault_point point, int n)
{
    char fault[64];
    snprintf(fault, sizeof fault, "%s:%d", tain_fault_name(point), n);
    int status = run(what, p->folder, fault);
    assert_true(status == -SIGKILL || status == 0);
    return status != 0;
}

static void works_on(const place *p)
{
    assert_int_equal(run("--work", p->folder, ""), 0);
    check(p->store);
    tain_delta *t = open_table(p->store);
    assert_int_equal(tain_delta_version(t), COMMITS);
    tain_delta_close(t);
}

static void dies_at(tain_fault_point point)
{
    bool killed = true;
    int  n = 0;
    while (killed) {
        place p = new_place();
        killed = dies("--work", &p, point, ++n);
        check(p.store);
        works_on(&p); /* where it was */
        place_done(&p);
    }
    assert_true(n > 2);
}

static bool count_expired(void *ctx, const tain_object *o)
{
    tain_log_name name = tain_log_name_of(o->key);
    if (name.kind != TAIN_LOG_OTHER && name.version < COMMITS) ++*(int *)ctx;
    return true;
}

/* Log files that no reader of the newest version needs, and files that no version needs. */
static int left_over(const place *p)
{
    int                n = 0;
    tain_vacuum_result r;
    tain_delta        *t = open_table(p->store);
    assert_ok(tain_store_list(p->store, "_delta_log/", NULL, count_expired, &n, err));
    assert_ok(tain_delta_vacuum(t, RETENTION, true, &r, err));
    tain_delta_close(t);
    return n + (int)r.files;
}

/* All of it lies there for days, with files of somebody who died before his commit. */
static void grow_old(const place *p)
{
    put_text(p->store, "stray.parquet", "x");
    put_text(p->store, "deletion_vector_00000000-0000-4000-8000-000000000000.bin", "x");
    shell("find", p, "-type f -exec touch -d '10 days ago' {} +");
}

static void cleaning_dies_at(tain_fault_point point)
{
    bool killed = true;
    int  n = 0;
    while (killed) {
        place p = new_place();
        works_on(&p);
        grow_old(&p);
        int all = left_over(&p);
        killed = dies("--clean", &p, point, ++n);
        check(p.store);
        assert_true(left_over(&p) < all);
        assert_int_equal(run("--clean", p.folder, ""), 0);
        check(p.store);
        assert_int_equal(left_over(&p), 0);
        place_done(&p);
    }
    assert_true(n > 2);
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

static void behind_each_file_of_the_log(void **state)
{
    cleaning_dies_at(TAIN_FAULT_DELTA_LOG_REMOVED);
}

static void behind_each_file_of_a_vacuum(void **state)
{
    cleaning_dies_at(TAIN_FAULT_DELTA_GARBAGE_REMOVED);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_the_vectors),
        cmocka_unit_test(behind_the_commit),
        cmocka_unit_test(between_checkpoint_and_hint),
        cmocka_unit_test(before_the_link),
        cmocka_unit_test(behind_each_file_of_the_log),
        cmocka_unit_test(behind_each_file_of_a_vacuum),
    };
    if (argc == 3 && strcmp(argv[1], "--work") == 0) return work_on(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--clean") == 0) return clean_up(argv[2]);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
