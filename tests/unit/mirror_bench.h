/* SPDX-License-Identifier: MIT */
/* mirror_bench.h -- one followed table, random changes to it and a model of what it holds, without a worker: a test commits
 * epochs and takes steps of upkeep itself. */
#ifndef TAIN_TESTS_MIRROR_BENCH_H
#define TAIN_TESTS_MIRROR_BENCH_H

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "mirror/apply/apply.h"
#include "mirror/mirror.h"
#include "mirror/upkeep.h"

#define OK(expr)                                                          \
    do {                                                                  \
        tain_error err = {0};                                             \
        tain_status st = (expr);                                          \
        if (st != TAIN_OK) fail_msg("%s: %s", #expr, err.message);        \
    } while (0)

#define assert_ok(expr)                                                   \
    do {                                                                  \
        tain_error error_ = {0}, *err = &error_;                          \
        tain_status st_ = (expr);                                         \
        if (st_ != TAIN_OK) fail_msg("%s: %s", #expr, err->message);      \
    } while (0)
#include "mirror_feed.h"
#include "seed.h"

enum { KEYS = 200, EPOCHS = 40, CHANGES = 120 };

typedef enum key_shape { INTEGER_KEY, TEXT_KEY, NO_KEY } key_shape;

/* A row of the model: key, a small value, a large text. Rows of a table without key are a multiset of (key, small). */
typedef struct row { bool there; int small; int large; int copies; } row;

typedef struct bench {
    char               folder[64];
    key_shape          shape;
    tain_definition    definition;
    tain_mirror        mirror;
    tain_source_table *source, *other_source;
    tain_table        *table, *other; /* other: NULL, or one more, of the same shape */
    row                model[KEYS];
    int                stamp;
    int64_t            fed; /* the version up to which the feed was looked at */
} bench;

static bool feeds; /* tables have a change data feed */

/* --- set up -------------------------------------------------------------------------------------------------------- */

static inline tain_source_table *make_source(const bench *b, const char *name)
{
    tain_source_table *source = tain_source_table_new("main", name, name);
    tain_schema *s = tain_schema_new();
    tain_schema_add(s, "k", tain_type_of(b->shape == INTEGER_KEY ? TAIN_INT64 : TAIN_STRING));
    tain_schema_add(s, "small", tain_type_of(TAIN_INT32));
    if (b->shape != NO_KEY) tain_schema_add(s, "large", tain_type_of(TAIN_STRING));
    source->columns = s;
    source->key_count = b->shape == NO_KEY ? 0 : 1;
    source->key = tain_alloc(sizeof(uint16_t));
    return source;
}

static inline tain_table *make_table(bench *b, tain_source_table *source)
{
    tain_table *t = tain_mirror_add(&b->mirror, source);
    OK(tain_table_new_index(t, &err));
    json_t *memo = tain_table_memo(t, NULL);
    tain_delta_commit c = {.operation = "CREATE TABLE", .schema = t->schema, .configuration = memo, .app_id = b->mirror.app_id, .data_change = true};
    OK(tain_delta_create(t->store, &c, &t->delta, &err));
    json_decref(memo);
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
    return t;
}

static inline void begin(bench *b, key_shape shape)
{
    seed_begin();
    *b = (bench){.shape = shape};
    snprintf(b->folder, sizeof b->folder, "/tmp/tain-apply-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->definition = (tain_definition){.name = "test", .jobs = 1, .memory = 64 << 20, .cdf.on = feeds};
    tain_mirror *m = &b->mirror;
    *m = (tain_mirror){.definition = &b->definition, .app_id = "tain:test", .pool = tain_pool_new(1), .next_epoch = 1};
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->tables_lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    OK(tain_lake_open(b->folder, true, &m->lake, &err));
    b->source = make_source(b, "t");
    b->table = make_table(b, b->source);
    OK(tain_upkeep_start(m, &err));
}

static inline void end(bench *b)
{
    tain_mirror *m = &b->mirror;
    tain_upkeep_stop(m);
    tain_table_free(b->table);
    tain_table_free(b->other);
    tain_source_table_free(b->source);
    if (b->other_source) tain_source_table_free(b->other_source);
    free(m->tables);
    OK(tain_store_remove_all(tain_lake_store(m->lake), "", &err));
    tain_lake_close(m->lake);
    tain_pool_free(m->pool);
    rmdir(b->folder);
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static inline void put_key(bench *b, tain_changes *c, int key)
{
    char text[32];
    if (b->shape == INTEGER_KEY) {
        tain_column_append_i64(&c->batch.columns[0], key * 7919);
    } else {
        tain_column_append_bytes(&c->batch.columns[0], text, (size_t)snprintf(text, sizeof text, "key-%d", key));
    }
}

static inline void put_large(tain_changes *c, int large)
{
    char text[200];
    int n = snprintf(text, sizeof text, "%d:%0*d", large, large % 150 + 1, large);
    tain_column_append_bytes(&c->batch.columns[2], text, (size_t)n);
}

static inline void put_nulls(tain_changes *c)
{
    for (size_t i = 1; i < c->batch.schema->count; i++) tain_column_append_null(&c->batch.columns[i]);
}

static inline void put_row(bench *b, tain_changes *c, int key, row *r, bool large_unchanged)
{
    put_key(b, c, key);
    tain_column_append_i32(&c->batch.columns[1], r->small);
    if (b->shape == NO_KEY) return;
    if (large_unchanged) {
        tain_changes_append_unchanged(c, 2);
    } else {
        put_large(c, r->large);
    }
}

static inline void fill(bench *b, row *r)
{
    r->there = true;
    r->small = pick(1000);
    r->large = ++b->stamp;
}

static inline void change_key(bench *b, tain_changes *c, int from, int to)
{
    put_key(b, c, from);
    put_nulls(c);
    tain_changes_end_row(c, TAIN_KEY_OLD);
    b->model[to] = b->model[from];
    b->model[from].there = false;
    b->model[to].small = pick(1000);
    bool unchanged = pick(2);
    if (!unchanged) b->model[to].large = ++b->stamp;
    put_row(b, c, to, &b->model[to], unchanged);
    tain_changes_end_row(c, TAIN_KEY_NEW);
}

static inline void update(bench *b, tain_changes *c, int key, bool sure)
{
    row *r = &b->model[key];
    bool unchanged = sure && pick(2);
    r->small = pick(1000);
    if (!unchanged) r->large = ++b->stamp;
    put_row(b, c, key, r, unchanged);
    tain_changes_end_row(c, sure ? TAIN_UPDATE : TAIN_UPSERT);
}

static inline void delete(bench *b, tain_changes *c, int key, tain_op op)
{
    put_key(b, c, key);
    put_nulls(c);
    tain_changes_end_row(c, op);
    b->model[key].there = false;
}

static inline void one_keyed(bench *b, tain_changes *c)
{
    int key = pick(KEYS), other = pick(KEYS);
    row *r = &b->model[key];
    if (!r->there) {
        tain_op op = pick(4) ? TAIN_INSERT : pick(2) ? TAIN_UPSERT : TAIN_DELETE_IF;
        if (op == TAIN_DELETE_IF) {
            delete(b, c, key, op);
            return;
        }
        fill(b, r);
        put_row(b, c, key, r, false);
        tain_changes_end_row(c, op);
    } else if (pick(5) == 0 && !b->model[other].there) {
        change_key(b, c, key, other);
    } else if (pick(3) == 0) {
        delete(b, c, key, pick(2) ? TAIN_DELETE : TAIN_DELETE_IF);
    } else {
        update(b, c, key, pick(4) != 0);
    }
}

static inline void one_keyless(bench *b, tain_changes *c)
{
    int key = pick(KEYS / 10);
    row *r = &b->model[key];
    r->small = key % 3; /* many equal rows */
    bool remove = r->copies && pick(2);
    put_row(b, c, key, r, false);
    tain_changes_end_row(c, remove ? TAIN_DELETE : TAIN_INSERT);
    r->copies += remove ? -1 : 1;
    r->there = r->copies > 0;
}

static inline void apply_some(bench *b, int n)
{
    tain_changes c;
    tain_changes_init(&c, b->table->schema);
    for (int i = 0; i < n; i++) (b->shape == NO_KEY ? one_keyless : one_keyed)(b, &c);
    OK(tain_apply_changes(b->table, &c, &err));
    tain_changes_done(&c);
}

static inline void truncate_all(bench *b)
{
    OK(tain_apply_truncate(b->table, &err));
    for (int i = 0; i < KEYS; i++) b->model[i] = (row){0};
}

/* --- comparison ---------------------------------------------------------------------------------------------------- */

static inline int number_at(tain_slice s, size_t from)
{
    int v = 0;
    for (size_t i = from; i < s.size && s.data[i] >= '0' && s.data[i] <= '9'; i++) v = v * 10 + s.data[i] - '0';
    return v;
}

static inline void check_row(bench *b, const tain_batch *batch, size_t i, int *seen)
{
    int key;
    if (b->shape == INTEGER_KEY) {
        key = (int)(((const int64_t *)batch->columns[0].values.data)[i] / 7919);
    } else {
        key = number_at(tain_column_slice(&batch->columns[0], i), 4);
    }
    assert_in_range(key, 0, KEYS - 1);
    assert_true(b->model[key].there);
    assert_int_equal(((const int32_t *)batch->columns[1].values.data)[i], b->model[key].small);
    seen[key]++;
    if (b->shape == NO_KEY) return;
    assert_false(tain_column_is_null(&batch->columns[2], i));
    assert_int_equal(number_at(tain_column_slice(&batch->columns[2], i), 0), b->model[key].large);
}

static inline void compare(bench *b)
{
    tain_delta *t;
    int seen[KEYS] = {0};
    OK(tain_delta_open(b->table->store, &t, &err));
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);) {
        tain_parquet_file *file;
        const roaring_bitmap_t *deleted;
        OK(tain_parquet_open(b->table->store, f->path, f->size, &file, &err));
        OK(tain_delta_deleted(t, f, &deleted, &err));
        tain_batch batch;
        tain_batch_init(&batch, b->table->schema);
        OK(tain_parquet_read(file, 0, tain_parquet_file_rows(file), &batch, &err));
        for (size_t i = 0; i < batch.rows; i++)
            if (!deleted || !roaring_bitmap_contains(deleted, (uint32_t)i)) check_row(b, &batch, i, seen);
        tain_batch_done(&batch);
        tain_parquet_close(file);
    }
    tain_delta_close(t);
    for (int k = 0; k < KEYS; k++) assert_int_equal(seen[k], b->shape == NO_KEY ? b->model[k].copies : b->model[k].there);
}

static inline void commit(bench *b, int epoch)
{
    tain_part part = {.final = true};
    snprintf(part.position.text, sizeof part.position.text, "%020d", epoch);
    OK(tain_epoch_commit(&b->mirror, &part, &err));
    tain_upkeep_step(&b->mirror);
}

static inline void reopen(bench *b)
{
    tain_upkeep_stop(&b->mirror);
    tain_table_free(b->table);
    b->mirror.table_count = 0;
    b->table = tain_mirror_add(&b->mirror, b->source);
    bool found;
    OK(tain_table_open(b->table, NULL, &(tain_position){""}, 0, &found, &err));
    assert_true(found);
    tain_table_set_status(b->table, TAIN_TABLE_REPLICATING, NULL, NULL);
    OK(tain_upkeep_start(&b->mirror, &err));
}

/* Another writer merges all files into one. */
static inline void optimize_elsewhere(bench *b)
{
    tain_delta *t;
    tain_rewrite *r;
    tain_delta_file *merged;
    const uint64_t *hashes;
    size_t n, rows;
    OK(tain_delta_open(b->table->store, &t, &err));
    tain_delta_file **files = tain_rewrite_pick(t, &(tain_rewrite_rule){.what = TAIN_REWRITE_ALL, .most_rows = INT64_MAX}, &n);
    if (!files) return tain_delta_close(t);
    OK(tain_rewrite_begin(t, b->table->store, files, n, NULL, &r, &err));
    OK(tain_rewrite_run(r, &err));
    OK(tain_rewrite_finish(r, &merged, &hashes, &rows, &err));
    tain_rewrite_free(r);
    free(files);
    tain_delta_close(t);
}

/* --- upkeep -------------------------------------------------------------------------------------------------------- */

static inline void finish_upkeep(bench *b)
{
    for (tain_time until = tain_monotonic() + 20 * TAIN_SECOND; b->table->tended.jobs[TAIN_LANE_LIGHT] || b->table->tended.jobs[TAIN_LANE_HEAVY]; tain_upkeep_step(&b->mirror))
        if (tain_monotonic() > until) fail_msg("upkeep does not come to an end");
}

static inline size_t live_paths(bench *b, char **ret)
{
    tain_delta_file *f;
    size_t n = 0;
    for (size_t cursor = 0; tain_delta_next_file(b->table->delta, &cursor, &f);) ret[n++] = tain_strdup(f->path);
    return n;
}

static inline bool count_data(void *ctx, const tain_object *o)
{
    *(size_t *)ctx += strncmp(o->key, "part-", 5) == 0;
    return true;
}

static inline size_t data_files(bench *b)
{
    size_t n = 0;
    OK(tain_store_list(b->table->store, "part-", NULL, count_data, &n, &err));
    return n;
}

/* Files of about one size: after eight or a few more they are being merged. */
static inline void begin_merge(bench *b)
{
    for (int e = 1; e <= 40 && !b->table->tended.jobs[TAIN_LANE_LIGHT]; e++) {
        apply_some(b, 10);
        commit(b, e);
    }
    assert_non_null(b->table->tended.jobs[TAIN_LANE_LIGHT]);
}

static inline void assert_failed(bench *b, const char *why)
{
    assert_int_equal(b->table->status, TAIN_TABLE_FAILED);
    if (!strstr(b->table->reason, why)) fail_msg("the reason is \"%s\"", b->table->reason);
    assert_true(b->table->remedy[0] != 0);
}

#endif
