/* SPDX-License-Identifier: MIT */
/* Log cleanup and vacuum, on a folder whose files are made old. */
#include "delta_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct place {
    char        path[64];
    tain_store *store;
} place;

static place new_place(void)
{
    place p = {.path = "/tmp/tain-delta-upkeep-XXXXXX"};
    assert_non_null(mkdtemp(p.path));
    assert_ok(tain_store_open(p.path, true, &p.store, err));
    return p;
}

static void place_done(place *p)
{
    char command[128];
    tain_store_close(p->store);
    snprintf(command, sizeof command, "rm -rf '%s'", p->path);
    assert_int_equal(system(command), 0);
}

static void make_old(const place *p, const char *key, int hours)
{
    char path[256];
    struct timespec at = {.tv_sec = tain_now() / TAIN_SECOND - 3600L * hours};
    snprintf(path, sizeof path, "%s/%s", p->path, key);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){at, at}, 0), 0);
}

static void make_log_old(const place *p, int64_t version, const char *suffix, int hours)
{
    char *key = tain_log_key(version, suffix);
    make_old(p, key, hours);
    tain_free(key);
}

static bool there(const place *p, const char *key)
{
    tain_object o;
    tain_status st = tain_store_head(p->store, key, &o, NULL);
    assert_true(st == TAIN_OK || st == TAIN_E_NOT_FOUND);
    return st == TAIN_OK;
}

static bool log_there(const place *p, int64_t version, const char *suffix)
{
    char *key = tain_log_key(version, suffix);
    bool  is = there(p, key);
    tain_free(key);
    return is;
}

/* Ten commits, ten days old but for the last three, and checkpoints at 3 and 6 that count as readable by name. */
static tain_delta *aged_table(place *p)
{
    tain_delta *t = create_table(p->store);
    for (int i = 1; i <= 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        append_file(t, name, 10);
    }
    put_text(p->store, "_delta_log/00000000000000000003.checkpoint.parquet", "x");
    put_text(p->store, "_delta_log/00000000000000000006.checkpoint.parquet", "x");
    put_text(p->store, "_delta_log/00000000000000000002.crc", "{}");
    put_text(p->store, "_delta_log/00000000000000000001.00000000000000000004.compacted.json", "{}");
    for (int64_t v = 0; v <= 7; v++) make_log_old(p, v, ".json", 240);
    return t;
}

static void nothing_goes_without_a_hint(void **state)
{
    place       p = new_place();
    tain_delta *t = aged_table(&p);
    assert_ok(tain_delta_clean_log(t, err));
    assert_true(log_there(&p, 0, ".json"));
    assert_true(log_there(&p, 3, ".checkpoint.parquet"));
    tain_hint behind = {.version = 3}; /* points at what would be removed */
    assert_ok(tain_hint_write(p.store, &behind, err));
    assert_ok(tain_delta_clean_log(t, err));
    assert_true(log_there(&p, 0, ".json"));
    tain_delta_close(t);
    place_done(&p);
}

static void the_log_is_cleaned_behind_a_checkpoint(void **state)
{
    place       p = new_place();
    tain_delta *t = aged_table(&p);
    tain_hint   hint = {.version = 6};
    assert_ok(tain_hint_write(p.store, &hint, err));
    assert_ok(tain_delta_clean_log(t, err));
    for (int64_t v = 0; v <= 9; v++) assert_int_equal(log_there(&p, v, ".json"), v >= 6);
    assert_false(log_there(&p, 3, ".checkpoint.parquet"));
    assert_true(log_there(&p, 6, ".checkpoint.parquet"));
    assert_false(log_there(&p, 2, ".crc"));
    assert_false(there(&p, "_delta_log/00000000000000000001.00000000000000000004.compacted.json"));
    assert_true(there(&p, "_delta_log/_last_checkpoint"));
    assert_ok(tain_delta_clean_log(t, err)); /* again does no more */
    assert_true(log_there(&p, 6, ".json"));
    tain_delta_close(t);
    place_done(&p);
}

static void young_logs_stay(void **state)
{
    place       p = new_place();
    tain_delta *t = create_table(p.store);
    append_file(t, "a", 1);
    put_text(p.store, "_delta_log/00000000000000000001.checkpoint.parquet", "x");
    tain_hint hint = {.version = 1};
    assert_ok(tain_hint_write(p.store, &hint, err));
    make_log_old(&p, 0, ".json", 30); /* younger than two days */
    make_log_old(&p, 1, ".json", 29);
    assert_ok(tain_delta_clean_log(t, err));
    assert_true(log_there(&p, 0, ".json"));
    tain_delta_close(t);
    place_done(&p);
}

/* As Spark leaves a table that has lost a feature: all of the log before that may go, but not some of it. */
static void protected_checkpoints_stay(void **state)
{
    static const struct { const char *before; bool goes; } cases[] = {{"7", false}, {NULL, false}, {"6", true}};
    place       p = new_place();
    tain_delta *t = aged_table(&p);
    tain_hint   hint = {.version = 6};
    assert_ok(tain_hint_write(p.store, &hint, err));
    json_array_append_new(t->protocol.writer_features, json_string("checkpointProtection"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_object_del(t->meta.configuration, "delta.requireCheckpointProtectionBeforeVersion");
        if (cases[i].before) json_object_set_new(t->meta.configuration, "delta.requireCheckpointProtectionBeforeVersion", json_string(cases[i].before));
        assert_ok(tain_delta_clean_log(t, err));
        assert_int_equal(log_there(&p, 3, ".checkpoint.parquet"), !cases[i].goes);
        assert_int_equal(log_there(&p, 0, ".json"), !cases[i].goes);
    }
    tain_delta_close(t);
    place_done(&p);
}

static void cleaning_can_be_switched_off(void **state)
{
    place       p = new_place();
    tain_delta *t = aged_table(&p);
    json_t     *off = json_pack("{s:s}", "delta.enableExpiredLogCleanup", "false");
    tain_hint   hint = {.version = 6};
    assert_ok(tain_hint_write(p.store, &hint, err));
    assert_ok(tain_delta_commit_write(t, &(tain_delta_commit){.operation = "SET TBLPROPERTIES", .configuration = off}, err));
    assert_ok(tain_delta_clean_log(t, err));
    assert_true(log_there(&p, 0, ".json"));
    json_decref(off);
    tain_delta_close(t);
    place_done(&p);
}

/* --- vacuum ------------------------------------------------------------------------------------------------------------------- */

static void put_old(const place *p, const char *key, int hours)
{
    put_text(p->store, key, "0123456789");
    make_old(p, key, hours);
}

static bool age(void *ctx, const tain_object *o)
{
    if (strstr(o->key, ".bin")) make_old(ctx, o->key, 100);
    return true;
}

static void vacuum_removes_what_nothing_names(void **state)
{
    place                  p = new_place();
    tain_delta            *t = create_table(p.store);
    tain_vacuum_result     r;
    const roaring_bitmap_t *rows;
    tain_delta_file       *live = append_file(t, "live.parquet", 10), *odd = append_file(t, "p=1/a%20b.parquet", 10), *gone = append_file(t, "gone.parquet", 10);
    assert_ok(delete_rows(t, live, 0, 1, err));
    live->vector_ms -= 2 * TAIN_LINGER_MS;
    assert_ok(delete_rows(t, live, 1, 1, err));
    assert_ok(delete_rows(t, gone, 0, 10, err));
    char *key = tain_dv_key(&live->dv);
    static const char *const old[] = {"live.parquet", "p=1/a b.parquet", "gone.parquet", "orphan.parquet", "p=1/orphan.parquet", "_change_data/cdc-1.parquet",
                                      "_tmp/x", ".hidden", "p=1/.part.crc", "_delta_log/stray"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) put_old(&p, old[i], 100);
    put_old(&p, "young.parquet", 1);
    assert_ok(tain_store_list(p.store, "", NULL, age, &p, err));
    /* gone.parquet and the first vector were removed just now: a reader may be at them */
    assert_ok(tain_delta_vacuum(t, 24 * 3600 * TAIN_SECOND, true, &r, err));
    assert_int_equal(r.files, 3);
    assert_int_equal(r.bytes, 30);
    assert_true(there(&p, "orphan.parquet"));
    assert_ok(tain_delta_vacuum(t, 24 * 3600 * TAIN_SECOND, false, &r, err));
    assert_int_equal(r.files, 3);
    assert_false(there(&p, "orphan.parquet"));
    assert_false(there(&p, "p=1/orphan.parquet"));
    assert_false(there(&p, "_change_data/cdc-1.parquet"));
    for (size_t i = 0; i < t->tombstone_count; i++) t->tombstones[i]->deleted_ms -= 90 * 3600 * 1000L;
    assert_ok(tain_delta_vacuum(t, 24 * 3600 * TAIN_SECOND, false, &r, err));
    assert_int_equal(r.files, 2); /* gone.parquet and the first .bin */
    assert_false(there(&p, "gone.parquet"));
    static const char *const stay[] = {"live.parquet", "p=1/a b.parquet", "young.parquet", "_tmp/x", ".hidden", "p=1/.part.crc", "_delta_log/stray"};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) assert_true(there(&p, stay[i]));
    assert_true(there(&p, key));
    tain_free(key);
    tain_delta_close(t);
    t = open_table(p.store);
    assert_ok(tain_delta_deleted(t, tain_delta_find(t, "live.parquet"), &rows, err));
    assert_int_equal(roaring_bitmap_get_cardinality(rows), 2);
    (void)odd;
    tain_delta_close(t);
    place_done(&p);
}

/* The files another writer committed meanwhile are seen before anything is removed. */
static void vacuum_looks_at_the_newest_version(void **state)
{
    place              p = new_place();
    tain_delta        *t = create_table(p.store), *u = open_table(p.store);
    tain_vacuum_result r;
    put_old(&p, "theirs.parquet", 100);
    append_file(u, "theirs.parquet", 10);
    assert_ok(tain_delta_vacuum(t, 0, false, &r, err));
    assert_int_equal(r.files, 0);
    assert_true(there(&p, "theirs.parquet"));
    assert_fails(tain_delta_vacuum(t, -1, false, &r, err), TAIN_E_INVALID, "retention");
    tain_delta_close(t);
    tain_delta_close(u);
    place_done(&p);
}

/* So is a protocol that they raised: with a feature we do not know, we do not know either what may go. */
static void vacuum_obeys_the_newest_protocol(void **state)
{
    place              p = new_place();
    tain_delta        *t = create_table(p.store);
    tain_vacuum_result r;
    put_old(&p, "theirs.parquet", 100);
    put_commit(p.store, 1, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"
                           "\"writerFeatures\":[\"deletionVectors\",\"somethingNew\"]}}\n");
    assert_fails(tain_delta_vacuum(t, 0, false, &r, err), TAIN_E_UNSUPPORTED, "somethingNew");
    assert_true(there(&p, "theirs.parquet"));
    tain_delta_close(t);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_without_a_hint),
        cmocka_unit_test(the_log_is_cleaned_behind_a_checkpoint),
        cmocka_unit_test(young_logs_stay),
        cmocka_unit_test(protected_checkpoints_stay),
        cmocka_unit_test(cleaning_can_be_switched_off),
        cmocka_unit_test(vacuum_removes_what_nothing_names),
        cmocka_unit_test(vacuum_looks_at_the_newest_version),
        cmocka_unit_test(vacuum_obeys_the_newest_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
