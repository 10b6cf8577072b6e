/* SPDX-License-Identifier: MIT */
/* The folder of a mirror: epoch log, one writer, tables. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mirror_fake.h"

static char      *folder;
static tain_lake *lake;

static int begin(void **state)
{
    folder = lake_make();
    assert_ok(tain_lake_open(folder, true, &lake, err));
    return 0;
}

static int end(void **state)
{
    tain_lake_close(lake);
    lake_remove(folder);
    return 0;
}

/* --- epochs -------------------------------------------------------------------------------------------------------- */

static tain_status write_epoch(int64_t number, const char *position, tain_error *err)
{
    tain_epoch_table t = {.name = "main.a b", .version = 7, .rows = 42};
    tain_epoch e = {.number = number, .source_time = 1767225600123456, .tables = &t, .table_count = 1};
    snprintf(e.position.text, sizeof e.position.text, "%s", position);
    return tain_lake_write_epoch(lake, &e, err);
}

static json_t *read_epoch(const char *key)
{
    return fake_epoch(tain_lake_store(lake), key);
}

static void no_epoch_yet(void **state)
{
    tain_epoch e;
    assert_ok(tain_lake_last_epoch(lake, &e, err));
    assert_int_equal(e.number, 0);
    assert_string_equal(e.position.text, "");
}

static void newest_epoch_is_found(void **state)
{
    tain_epoch e;
    assert_ok(write_epoch(1, "0/A", err));
    assert_ok(write_epoch(9, "0/B", err));
    assert_ok(write_epoch(10, "0/C\"\\", err));
    assert_ok(tain_lake_last_epoch(lake, &e, err));
    assert_int_equal(e.number, 10);
    assert_string_equal(e.position.text, "0/C\"\\");
    assert_int_equal(e.source_time, 1767225600123456);
    assert_true(e.committed_time > e.source_time);
}

static void record_has_the_documented_shape(void **state)
{
    assert_ok(write_epoch(3, "0/A", err));
    json_t *o = read_epoch("_tain/epochs/00000000000000000003.json");
    assert_int_equal(tain_json_get_int(o, "epoch", 0), 3);
    assert_string_equal(tain_json_get_str(o, "position", ""), "0/A");
    assert_string_equal(tain_json_get_str(o, "source_commit_time", ""), "2026-01-01T00:00:00.123456Z");
    assert_non_null(tain_json_get_str(o, "committed_at", NULL));
    const json_t *t = json_object_get(json_object_get(o, "tables"), "main.a b");
    assert_int_equal(tain_json_get_int(t, "version", 0), 7);
    assert_int_equal(tain_json_get_int(t, "rows", 0), 42);
    json_decref(o);
}

static void tables_apart_are_read_back(void **state)
{
    json_t *apart = json_pack("{s:{s:s,s:s}}", "main.b", "status", "Failed", "reason", "a \"reason\""), *back;
    tain_epoch e = {.number = 4, .apart = apart};
    assert_ok(tain_lake_write_epoch(lake, &e, err));
    assert_ok(tain_lake_apart(lake, 4, &back, err));
    assert_true(json_equal(apart, back));
    json_decref(back);
    json_decref(apart);
    assert_ok(write_epoch(5, "0/A", err));
    assert_ok(tain_lake_apart(lake, 5, &back, err));
    assert_null(back);
    assert_ok(tain_lake_apart(lake, 0, &back, err));
    assert_null(back);
}

static void taken_number_is_a_conflict(void **state)
{
    assert_ok(write_epoch(1, "0/A", err));
    assert_ok(write_epoch(1, "0/A", err)); /* our own, whose answer was lost */
    assert_fails(write_epoch(1, "0/B", err), TAIN_E_CONFLICT, "epoch 1");
    tain_epoch e;
    assert_ok(tain_lake_last_epoch(lake, &e, err));
    assert_string_equal(e.position.text, "0/A");
}

static void other_files_are_no_epochs(void **state)
{
    assert_ok(write_epoch(5, "0/A", err));
    assert_ok(tain_store_put(tain_lake_store(lake), "_tain/epochs/00000000000000000009.json.bak", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    assert_ok(tain_store_put(tain_lake_store(lake), "_tain/epochs/0000000000000000007.json", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    tain_epoch e;
    assert_ok(tain_lake_last_epoch(lake, &e, err));
    assert_int_equal(e.number, 5);
}

static void damaged_record_is_named(void **state)
{
    assert_ok(tain_store_put(tain_lake_store(lake), "_tain/epochs/00000000000000000009.json", (tain_slice){(const uint8_t *)"{", 1}, 0, err));
    tain_epoch e;
    assert_fails(tain_lake_last_epoch(lake, &e, err), TAIN_E_CORRUPT, "00000000000000000009.json");
}

/* --- folding ------------------------------------------------------------------------------------------------------- */

typedef struct census { int singles, segments; int64_t lowest; } census;

static bool count_object(void *ctx, const tain_object *o)
{
    census *c = ctx;
    if (strstr(o->key, "/segments/")) {
        c->segments++;
    } else {
        if (!c->singles++) c->lowest = atoll(o->key + strlen("_tain/epochs/"));
    }
    return true;
}

static census count_epochs(void)
{
    census c = {0};
    assert_ok(tain_store_list(tain_lake_store(lake), "_tain/epochs/", NULL, count_object, &c, err));
    return c;
}

/* Written past the lake, to be quick: fold looks at what is there. */
static void put_epochs(int64_t first, int64_t last)
{
    char key[80], text[200];
    for (int64_t n = first; n <= last; n++) {
        snprintf(key, sizeof key, "_tain/epochs/%020lld.json", (long long)n);
        int length = snprintf(text, sizeof text, "{\"epoch\":%lld,\"position\":\"%012lld\",\"tables\":{}}\n", (long long)n, (long long)n);
        assert_ok(tain_store_put(tain_lake_store(lake), key, (tain_slice){(const uint8_t *)text, (size_t)length}, 0, err));
    }
}

static void look(void)
{
    tain_epoch e;
    assert_ok(tain_lake_last_epoch(lake, &e, err));
}

static void old_records_are_folded(void **state)
{
    put_epochs(1, 2500);
    look();
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err)); /* nothing more to do */
    census c = count_epochs();
    assert_int_equal(c.segments, 1);
    assert_int_equal(c.lowest, 1000);
    assert_int_equal(c.singles, 1501);
    tain_buffer text = {0};
    assert_ok(tain_store_get(tain_lake_store(lake), "_tain/epochs/segments/00000000000000000001.jsonl", 0, -1, &text, err));
    int lines = 0;
    for (char *line = tain_buffer_cstr(&text), *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        json_t *o;
        assert_ok(tain_json_parse(line, (size_t)(next - line), "line", &o, err));
        assert_int_equal(tain_json_get_int(o, "epoch", 0), ++lines);
        json_decref(o);
    }
    assert_int_equal(lines, 999);
    tain_buffer_done(&text);
}

static void newest_thousand_stay_single(void **state)
{
    put_epochs(1, 2000);
    look();
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    assert_true(count_epochs().singles >= 1000);
    assert_ok(write_epoch(2001, "x", err));
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    census c = count_epochs();
    assert_int_equal(c.segments, 1);
    assert_int_equal(c.singles, 1002);
    tain_epoch e;
    assert_ok(tain_lake_last_epoch(lake, &e, err));
    assert_int_equal(e.number, 2001);
}

/* Killed between writing the segment and removing the last of its records. */
static void interrupted_folding_goes_on(void **state)
{
    put_epochs(1, 2500);
    look();
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    put_epochs(990, 999);
    put_epochs(2501, 3000);
    look();
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    census c = count_epochs();
    assert_int_equal(c.lowest, 1000);
}

static void retention_removes_segments(void **state)
{
    put_epochs(1, 2500);
    look();
    assert_ok(tain_lake_fold_epochs(lake, 3600 * TAIN_SECOND, err));
    put_epochs(2501, 3200);
    look();
    assert_ok(tain_lake_fold_epochs(lake, -TAIN_SECOND, err)); /* everything is older */
    census c = count_epochs();
    assert_int_equal(c.segments, 0);
    assert_int_equal(c.lowest, 2000);
}

/* --- the one writer ------------------------------------------------------------------------------------------------ */

static void second_writer_is_told_of_the_first(void **state)
{
    char me[60], host[100] = "";
    gethostname(host, sizeof host - 1);
    snprintf(me, sizeof me, "process %d on %.30s", (int)getpid(), host);
    assert_false(tain_lake_is_locked(lake));
    assert_ok(tain_lake_lock(lake, err));
    assert_true(tain_lake_is_locked(lake));
    tain_lake *other;
    assert_ok(tain_lake_open(folder, false, &other, err));
    assert_true(tain_lake_is_locked(other));
    assert_fails(tain_lake_lock(other, err), TAIN_E_BUSY, me);
    tain_lake_close(lake);
    assert_ok(tain_lake_lock(other, err));
    lake = other;
}

/* Nobody is kept from anything as root. */
static void who_may_not_write_knows_it(void **state)
{
    char own[300];
    int  status;
    assert_ok(tain_lake_lock(lake, err)); /* makes the folder */
    snprintf(own, sizeof own, "%s/_tain", folder);
    assert_true(tain_lake_may_write(lake));
    assert_int_equal(chmod(own, 0555), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(9);
        _exit(tain_lake_may_write(lake));
    }
    waitpid(pid, &status, 0);
    assert_int_equal(chmod(own, 0777), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The lock dies with its process, however that dies. */
static void dead_writer_holds_nothing(void **state)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        tain_lake *l;
        tain_error e;
        if (tain_lake_open(folder, false, &l, &e) != TAIN_OK || tain_lake_lock(l, &e) != TAIN_OK) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    char him[40];
    snprintf(him, sizeof him, "process %d", (int)pid);
    assert_fails(tain_lake_lock(lake, err), TAIN_E_BUSY, him);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_false(tain_lake_is_locked(lake));
    assert_ok(tain_lake_lock(lake, err));
    close(ready[0]);
    close(ready[1]);
}

/* Who only looks keeps nobody from becoming the writer. */
static void looking_does_not_lock(void **state)
{
    enum { TIMES = 3000 };
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) (void)tain_lake_is_locked(lake);
    }
    int refused = 0;
    for (int i = 0; i < TIMES; i++) {
        tain_lake *l;
        assert_ok(tain_lake_open(folder, false, &l, err));
        refused += tain_lake_lock(l, NULL) != TAIN_OK;
        tain_lake_close(l);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(refused, 0);
}

static void missing_lake_is_named(void **state)
{
    tain_lake *l;
    assert_fails(tain_lake_open("/tmp/there/is/no/such/lake", false, &l, err), TAIN_E_NOT_FOUND, "/tmp/there/is/no/such/lake");
}

static void cache_is_inside_the_lake(void **state)
{
    static const char *const urls[][2] = {
        {"/tmp/a lake", "/tmp/a lake/_tain/cache"},
        {"file:///tmp/a%20lake", "/tmp/a lake/_tain/cache"},
        {"file://localhost/tmp/lake/", "/tmp/lake/_tain/cache"},
        {"file:/tmp/lake", "/tmp/lake/_tain/cache"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char *path = tain_lake_cache_path(urls[i][0]);
        assert_string_equal(path, urls[i][1]);
        free(path);
    }
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void make_table(const char *schema, const char *name)
{
    char *path = tain_lake_table_folder(schema, name);
    tain_store *s = tain_store_sub(tain_lake_store(lake), path);
    assert_ok(tain_store_put(s, "_delta_log/00000000000000000000.json", (tain_slice){(const uint8_t *)"{}", 2}, 0, err));
    assert_ok(tain_store_put(s, "part-1.parquet", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    tain_store_close(s);
    free(path);
}

typedef struct found { char names[20][300]; int count; } found;

static tain_status note_table(void *ctx, const char *schema, const char *table, const char *path, tain_error *err)
{
    found *f = ctx;
    assert_in_range(f->count, 0, 19);
    snprintf(f->names[f->count++], sizeof f->names[0], "%s|%s", schema, table);
    char *again = tain_lake_table_folder(schema, table);
    assert_string_equal(again, path);
    free(again);
    return TAIN_OK;
}

static bool has(const found *f, const char *schema, const char *table)
{
    char want[300];
    snprintf(want, sizeof want, "%s|%s", schema, table);
    for (int i = 0; i < f->count; i++)
        if (strcmp(f->names[i], want) == 0) return true;
    return false;
}

static void every_name_comes_back(void **state)
{
    static const char *const names[][2] = {
        {"public", "orders"}, {"public", "Orders"}, {"my schema", "a/b\\c"}, {"..", "_hidden"}, {".x", "100%"}, {"$24", "a$2fb"},
        {"Größe", "日本語"}, {"a.b", "c.d"}, {"tab\there", "new\nline"}, {"_delta_log", "_delta_log"}, {"q\"uote", "st*r?<>|:"}, {" ", "."},
    };
    size_t n = sizeof names / sizeof *names;
    for (size_t i = 0; i < n; i++) make_table(names[i][0], names[i][1]);
    assert_ok(tain_store_put(tain_lake_store(lake), "Tables/public/plain/file.txt", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    found f = {0};
    assert_ok(tain_lake_each_table(lake, note_table, &f, err));
    for (size_t i = 0; i < n; i++)
        if (!has(&f, names[i][0], names[i][1])) fail_msg("%s.%s is missing", names[i][0], names[i][1]);
    assert_int_equal(f.count, n);
}

static void tables_deeper_down_are_not_ours(void **state)
{
    make_table("main", "t");
    assert_ok(tain_store_put(tain_lake_store(lake), "Tables/a/b/c/_delta_log/0.json", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    assert_ok(tain_store_put(tain_lake_store(lake), "Tables/a/_delta_log/0.json", (tain_slice){(const uint8_t *)"x", 1}, 0, err));
    found f = {0};
    assert_ok(tain_lake_each_table(lake, note_table, &f, err));
    assert_int_equal(f.count, 1);
}

static tain_status stop_there(void *ctx, const char *schema, const char *table, const char *path, tain_error *err)
{
    return tain_fail(err, TAIN_E_UNSUPPORTED, "not %s", table);
}

static void what_each_says_is_passed_on(void **state)
{
    make_table("main", "t");
    assert_fails(tain_lake_each_table(lake, stop_there, NULL, err), TAIN_E_UNSUPPORTED, "not t");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(no_epoch_yet),
        CASE(newest_epoch_is_found),
        CASE(record_has_the_documented_shape),
        CASE(tables_apart_are_read_back),
        CASE(taken_number_is_a_conflict),
        CASE(other_files_are_no_epochs),
        CASE(damaged_record_is_named),
        CASE(old_records_are_folded),
        CASE(newest_thousand_stay_single),
        CASE(interrupted_folding_goes_on),
        CASE(retention_removes_segments),
        CASE(second_writer_is_told_of_the_first),
        CASE(who_may_not_write_knows_it),
        CASE(dead_writer_holds_nothing), CASE(looking_does_not_lock),
        CASE(missing_lake_is_named),
        CASE(cache_is_inside_the_lake),
        CASE(every_name_comes_back),
        CASE(tables_deeper_down_are_not_ours),
        CASE(what_each_says_is_passed_on),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
