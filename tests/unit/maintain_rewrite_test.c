/* SPDX-License-Identifier: MIT */
/* Merging small files while rows go on being deleted: what is live stays live, and nothing comes back. */

#include "mirror_fake.h"
#include "seed.h"

#include "mirror/upkeep.h"

enum { KEYS = 4000 };

static tain_store  *store;
static tain_schema *schema;
static tain_delta  *table;
static uint16_t     key_column[1];
static tain_key     key;
static bool         there[KEYS];
static int          next_key;
static bool         copies; /* the table has no vectors: files are written again */

static int begin(void **state)
{
    seed_begin();
    memset(there, 0, sizeof there);
    next_key = 0;
    assert_ok(tain_store_open("memory:", true, &store, err));
    schema = tain_schema_new();
    tain_schema_add(schema, "k", tain_type_of(TAIN_INT64));
    tain_schema_add(schema, "v", tain_type_of(TAIN_STRING));
    key = (tain_key){.columns = key_column, .count = 1, .seed = 99};
    json_t *configuration = copies ? json_pack("{s:s}", "delta.enableDeletionVectors", "false") : NULL;
    assert_ok(tain_delta_create(store, &(tain_delta_commit){.operation = "CREATE TABLE", .schema = schema, .configuration = configuration, .data_change = true}, &table, err));
    json_decref(configuration);
    return 0;
}

static int begin_copied(void **state)
{
    copies = true;
    int begun = begin(state);
    copies = false;
    return begun;
}

static int end(void **state)
{
    tain_delta_close(table);
    tain_schema_free(schema);
    tain_store_close(store);
    return 0;
}

/* --- the table ----------------------------------------------------------------------------------------------------- */

static void put_row(tain_batch *b, int k)
{
    char text[40];
    tain_column_append_i64(&b->columns[0], k);
    tain_column_append_bytes(&b->columns[1], text, (size_t)snprintf(text, sizeof text, "value of %d", k));
    tain_batch_end_row(b);
    there[k] = true;
}

static tain_delta_file *add_file(int rows)
{
    tain_delta_writer *w;
    tain_delta_file *f;
    tain_batch b;
    tain_batch_init(&b, schema);
    for (int i = 0; i < rows; i++) put_row(&b, next_key++);
    assert_ok(tain_delta_writer_new(store, schema, NULL, &w, err));
    assert_ok(tain_parquet_append(tain_delta_writer_parquet(w), &b, NULL, 0, b.rows, err));
    assert_ok(tain_delta_writer_finish(w, &f, err));
    assert_ok(tain_delta_commit_write(table, &(tain_delta_commit){.operation = "WRITE", .adds = &f, .add_count = 1, .data_change = true}, err));
    tain_batch_done(&b);
    return f;
}

static void read_file(tain_delta_file *f, tain_batch *out)
{
    tain_parquet_file *file;
    assert_ok(tain_parquet_open(store, f->path, f->size, &file, err));
    assert_ok(tain_parquet_read(file, 0, tain_parquet_file_rows(file), out, err));
    tain_parquet_close(file);
}

static int64_t key_at(const tain_batch *b, size_t i)
{
    return ((const int64_t *)b->columns[0].values.data)[i];
}

static tain_rewrite *start(tain_delta_file **files, size_t n);

/* The same as an epoch does for a table without vectors. */
static void delete_by_copy(tain_delta_file *f, const roaring_bitmap_t *rows)
{
    const uint64_t *hashes;
    size_t n;
    tain_rewrite *r = start(&f, 1);
    tain_rewrite_drop(r, 0, rows);
    assert_ok(tain_rewrite_run(r, err));
    tain_delta_file *made = tain_rewrite_output(r, &hashes, &n);
    assert_int_equal(n, made ? made->rows : 0);
    assert_ok(tain_delta_commit_write(table, &(tain_delta_commit){.operation = "DELETE", .adds = &made, .add_count = made != NULL, .removes = &f, .remove_count = 1, .data_change = true}, err));
    tain_rewrite_offered(r, true);
    tain_rewrite_free(r);
}

/* Deletes every n-th live row of a file; n = 1: all. */
static void delete_some(tain_delta_file *f, int n)
{
    tain_batch b;
    const roaring_bitmap_t *gone;
    roaring_bitmap_t *rows = roaring_bitmap_create();
    tain_batch_init(&b, schema);
    read_file(f, &b);
    assert_ok(tain_delta_deleted(table, f, &gone, err));
    for (size_t i = 0; i < b.rows; i++) {
        if ((gone && roaring_bitmap_contains(gone, (uint32_t)i)) || pick(n)) continue;
        roaring_bitmap_add(rows, (uint32_t)i);
        there[key_at(&b, i)] = false;
    }
    struct tain_dv_change d = {f, rows};
    if (!roaring_bitmap_is_empty(rows) && !tain_delta_has_vectors(table)) delete_by_copy(f, rows);
    else if (!roaring_bitmap_is_empty(rows))
        assert_ok(tain_delta_commit_write(table, &(tain_delta_commit){.operation = "DELETE", .deletes = &d, .delete_count = 1, .data_change = true}, err));
    roaring_bitmap_free(rows);
    tain_batch_done(&b);
}

static size_t live(tain_delta_file **ret)
{
    size_t n = 0;
    for (size_t cursor = 0; tain_delta_next_file(table, &cursor, &ret[n]);) n++;
    return n;
}

static void count_file(tain_delta *t, tain_delta_file *f, int *seen)
{
    tain_batch b;
    const roaring_bitmap_t *gone;
    tain_batch_init(&b, schema);
    read_file(f, &b);
    assert_ok(tain_delta_deleted(t, f, &gone, err));
    for (size_t i = 0; i < b.rows; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "value of %lld", (long long)key_at(&b, i));
        tain_slice s = tain_column_slice(&b.columns[1], i);
        assert_int_equal(s.size, n);
        assert_memory_equal(s.data, text, n);
        if (!gone || !roaring_bitmap_contains(gone, (uint32_t)i)) seen[key_at(&b, i)]++;
    }
    tain_batch_done(&b);
}

/* As somebody else opens it. */
static void check(void)
{
    static int seen[KEYS];
    tain_delta *t;
    tain_delta_file *f;
    memset(seen, 0, sizeof seen);
    assert_ok(tain_delta_open(store, &t, err));
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);) count_file(t, f, seen);
    tain_delta_close(t);
    for (int k = 0; k < KEYS; k++)
        if (seen[k] != there[k]) fail_msg("key %d is there %d times instead of %d", k, seen[k], there[k]);
}

/* --- rewriting ----------------------------------------------------------------------------------------------------- */

static tain_rewrite *start(tain_delta_file **files, size_t n)
{
    tain_rewrite *r;
    assert_ok(tain_rewrite_begin(table, store, files, n, &key, &r, err));
    return r;
}

/* The new file's hashes are those of its rows, in their order: what the index is fed with. */
static void check_hashes(tain_delta_file *f, const uint64_t *hashes, size_t n)
{
    tain_batch b;
    tain_batch_init(&b, schema);
    read_file(f, &b);
    assert_int_equal(b.rows, n);
    uint64_t *want = tain_alloc((n + 1) * sizeof *want);
    tain_key_hash(&key, &b, 0, n, want);
    assert_memory_equal(want, hashes, n * sizeof *want);
    free(want);
    tain_batch_done(&b);
}

static tain_delta_file *finish(tain_rewrite *r)
{
    tain_delta_file *f = NULL;
    const uint64_t *hashes;
    size_t rows;
    assert_ok(tain_rewrite_finish(r, &f, &hashes, &rows, err));
    if (f) check_hashes(f, hashes, rows);
    tain_rewrite_free(r);
    check();
    return f;
}

static void files_become_one(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 4; i++) add_file(100);
    size_t n = live(files), inputs;
    tain_rewrite *r = start(files, n);
    uint32_t first = files[0]->ordinal;
    assert_ok(tain_rewrite_run(r, err));
    const uint32_t *ordinals = tain_rewrite_inputs(r, &inputs);
    assert_int_equal(inputs, 4);
    assert_int_equal(ordinals[0], first);
    tain_delta_file *f = finish(r);
    assert_non_null(f);
    assert_int_equal(live(files), 1);
    assert_ptr_equal(files[0], f);
    assert_int_equal(f->rows, 400);
}

/* Readers of changes must see none. */
static void merge_is_no_change_of_data(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 2; i++) add_file(10);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    assert_ok(tain_rewrite_run(r, err));
    finish(r);
    char name[60];
    tain_buffer text = {0};
    snprintf(name, sizeof name, "_delta_log/%020lld.json", (long long)tain_delta_version(table));
    assert_ok(tain_store_get(store, name, 0, -1, &text, err));
    const char *commit = tain_buffer_cstr(&text);
    assert_non_null(strstr(commit, "\"dataChange\":false"));
    assert_null(strstr(commit, "\"dataChange\":true"));
    assert_non_null(strstr(commit, "OPTIMIZE"));
    tain_buffer_done(&text);
}

static void deleted_before_and_meanwhile(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 5; i++) delete_some(add_file(200), 4);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    delete_some(files[0], 3);
    delete_some(files[3], 5);
    assert_ok(tain_rewrite_run(r, err));
    delete_some(files[0], 2);
    delete_some(files[4], 7);
    assert_non_null(finish(r));
}

static void input_emptied_meanwhile(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 4; i++) delete_some(add_file(100), 4);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    delete_some(files[1], 3);
    assert_ok(tain_rewrite_run(r, err));
    delete_some(files[1], 1);
    delete_some(files[2], 3);
    assert_non_null(finish(r));
    assert_int_equal(live(files), 1);
}

/* Every n-th row of that file goes, by somebody whose commits the table does not know yet. */
static void delete_elsewhere(const char *path, int n)
{
    tain_delta *ours = table;
    assert_ok(tain_delta_open(store, &table, err));
    delete_some(tain_delta_find(table, path), n);
    tain_delta_close(table);
    table = ours;
}

/* What was worked out for a commit that lost is worked out again from what was merged at first. */
static void tried_again_after_conflicts(void **state)
{
    tain_delta_file *files[8];
    char *paths[4];
    const uint64_t *hashes;
    size_t rows;
    int64_t foreign;
    for (int i = 0; i < 4; i++) add_file(100);
    size_t n = live(files);
    for (size_t i = 0; i < n; i++) paths[i] = tain_strdup(files[i]->path);
    tain_rewrite *r = start(files, n);
    assert_ok(tain_rewrite_run(r, err));
    delete_elsewhere(paths[0], 3);
    assert_ok(tain_delta_refresh(table, &foreign, err));
    for (size_t i = 1; i + 1 < n; i++) {
        tain_delta_file *f;
        delete_elsewhere(paths[i], 3);
        assert_fails(tain_rewrite_finish(r, &f, &hashes, &rows, err), TAIN_E_CONFLICT, paths[i]);
    }
    finish(r);
    for (size_t i = 0; i < n; i++) free(paths[i]);
}

static void all_rows_deleted_meanwhile(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 3; i++) add_file(100);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    assert_ok(tain_rewrite_run(r, err));
    for (size_t i = 0; i < n; i++) delete_some(files[i], 1);
    int64_t version = tain_delta_version(table);
    assert_null(finish(r));
    assert_int_equal(live(files), 0);
    assert_int_equal(tain_delta_version(table), version); /* nothing to say */
}

/* The last rows go with the merged file: its every row is deleted although inputs are live. */
static void emptied_before_it_is_read(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 3; i++) add_file(50);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    for (size_t i = 0; i < n; i++) delete_some(files[i], 1);
    add_file(10);
    assert_ok(tain_rewrite_run(r, err)); /* the files are there until vacuum */
    assert_null(finish(r));
    assert_int_equal(live(files), 1);
}

static void truncated_meanwhile(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 3; i++) add_file(50);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    assert_ok(tain_rewrite_run(r, err));
    assert_ok(tain_delta_commit_write(table, &(tain_delta_commit){.operation = "TRUNCATE", .removes = files, .remove_count = n, .data_change = true}, err));
    memset(there, 0, sizeof there);
    add_file(20);
    assert_null(finish(r));
    assert_int_equal(live(files), 1);
}

static void given_up_leaves_everything(void **state)
{
    tain_delta_file *files[8];
    for (int i = 0; i < 3; i++) add_file(50);
    size_t n = live(files);
    tain_rewrite *r = start(files, n);
    assert_ok(tain_rewrite_run(r, err));
    tain_rewrite_free(r);
    check();
    assert_int_equal(live(files), 3);
    tain_rewrite_free(NULL);
}

static void at_random(void **state)
{
    tain_delta_file *files[64];
    for (int round = 0; round < 25; round++) {
        for (int i = pick(4); i; i--) add_file(pick(30) + 1);
        size_t n = live(files);
        for (size_t i = 0; i < n; i++)
            if (!pick(3)) delete_some(files[i], pick(6) + 2);
        n = live(files);
        if (n < 2) continue;
        size_t take = 2 + (size_t)pick((int)n - 1);
        tain_rewrite *r = start(files, take);
        assert_ok(tain_rewrite_run(r, err));
        for (size_t i = 0; i < n; i++)
            if (!pick(2)) delete_some(files[i], pick(4) + 1);
        add_file(5);
        finish(r);
    }
}

/* Rows of a file go to several, each of its rows to one of them. */
static void a_file_becomes_several(void **state)
{
    tain_delta_file *f = add_file(1000), *made[4];
    const uint64_t *hashes;
    size_t rows, all = 0;
    roaring_bitmap_t *gone = roaring_bitmap_from_range(240, 260, 1);
    for (int k = 240; k < 260; k++) there[k] = false;
    tain_rewrite *r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = start(&f, 1);
        tain_rewrite_drop(r[i], 0, gone);
        tain_rewrite_range(r[i], 0, 250 * i, i < 3 ? 250 * (i + 1) : 5000);
        assert_ok(tain_rewrite_run(r[i], err));
        made[i] = tain_rewrite_output(r[i], &hashes, &rows);
        check_hashes(made[i], hashes, rows);
        all += rows;
    }
    assert_int_equal(all, 980);
    assert_ok(tain_delta_commit_write(table, &(tain_delta_commit){.operation = "DELETE", .adds = made, .add_count = 4, .removes = &f, .remove_count = 1, .data_change = true}, err));
    for (int i = 0; i < 4; i++) {
        tain_rewrite_offered(r[i], true);
        tain_rewrite_free(r[i]);
    }
    roaring_bitmap_free(gone);
    check();
}

/* What is written for a commit that did not come about goes. */
static void what_nobody_takes_is_removed(void **state)
{
    const uint64_t *hashes;
    size_t rows;
    tain_object o;
    tain_delta_file *f = add_file(10);
    for (int offered = 0; offered < 2; offered++) {
        tain_rewrite *r = start(&f, 1);
        assert_ok(tain_rewrite_run(r, err));
        char *path = tain_strdup(tain_rewrite_output(r, &hashes, &rows)->path);
        if (offered) tain_rewrite_offered(r, false); /* whether it is the table's is not known */
        tain_rewrite_free(r);
        assert_int_equal(tain_store_head(store, path, &o, NULL), offered ? TAIN_OK : TAIN_E_NOT_FOUND);
        free(path);
    }
}

static void files_with_vectors_are_picked(void **state)
{
    size_t n;
    add_file(10);
    assert_null(tain_rewrite_pick_vectors(table, &(tain_rewrite_rule){.most_rows = INT64_MAX, .spare_bytes = INT64_MAX}, &n));
    tain_delta_file *f = add_file(100);
    while (!f->dv.storage) delete_some(f, 20);
    tain_delta_file **due = tain_rewrite_pick_vectors(table, &(tain_rewrite_rule){.most_rows = INT64_MAX, .spare_bytes = INT64_MAX}, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(due[0], f);
    free(due);
    due = tain_rewrite_pick_vectors(table, &(tain_rewrite_rule){.most_rows = 10, .spare_bytes = INT64_MAX}, &n); /* however large it is */
    assert_int_equal(n, 1);
    free(due);
    assert_null(tain_rewrite_pick_vectors(table, &(tain_rewrite_rule){.most_rows = INT64_MAX, .spare_bytes = f->size - 1}, &n));
}

/* --- picking ------------------------------------------------------------------------------------------------------- */

static const tain_rewrite_rule small = {.what = TAIN_REWRITE_SMALL, .most_rows = INT64_MAX}, large = {.what = TAIN_REWRITE_LARGE, .most_rows = INT64_MAX},
                               all = {.what = TAIN_REWRITE_ALL, .most_rows = INT64_MAX};

static size_t picked(const tain_rewrite_rule *rule)
{
    size_t n;
    tain_delta_file **files = tain_rewrite_pick(table, rule, &n);
    assert_int_equal(files == NULL, n == 0);
    free(files);
    return n;
}

static void eight_of_a_tier_are_merged(void **state)
{
    assert_int_equal(picked(&small), 0);
    for (int i = 0; i < 7; i++) add_file(10);
    assert_int_equal(picked(&small), 0);
    add_file(10);
    assert_int_equal(picked(&small), 8);
}

/* As if they were so large: only sizes are looked at. */
static void large_files_are_for_the_other_lane(void **state)
{
    tain_delta_file *files[16];
    size_t n;
    for (int i = 0; i < 8; i++) add_file(10);
    assert_int_equal(picked(&large), 0);
    assert_int_equal(live(files), 8);
    for (int i = 0; i < 8; i++) files[i]->size = 4 << 20;
    assert_int_equal(picked(&small), 0);
    assert_int_equal(picked(&large), 8);
    add_file(10);
    assert_int_equal(picked(&large), 9); /* and what is smaller */
    tain_rewrite *r = start(files, 2);
    const tain_rewrite_rule beside = {.what = TAIN_REWRITE_LARGE, .most_rows = INT64_MAX, .beside = r};
    assert_null(tain_rewrite_pick(table, &beside, &n)); /* too few are left */
    tain_rewrite_free(r);
}

/* Every commit that touches a file writes its vector in full: at some time it is cheaper to write the file without. */
static void a_file_is_written_anew_once_its_vectors_have_cost_as_much(void **state)
{
    tain_delta_file *f = add_file(1000);
    while (!f->dv.storage) delete_some(f, 100);
    f->size = 1 << 20;
    assert_true(f->vector_bytes >= f->dv.size);
    assert_int_equal(picked(&large), 0);
    f->vector_bytes = f->size + 1;
    assert_int_equal(picked(&large), 1);
    assert_int_equal(picked(&small), 0);
}

/* As long as there are bytes to spare for it. */
static void a_file_that_is_left_alone_loses_its_vector(void **state)
{
    tain_rewrite_rule rule = {.what = TAIN_REWRITE_LARGE, .most_rows = INT64_MAX};
    tain_delta_file *f = add_file(1000);
    while (!f->dv.storage) delete_some(f, 100);
    f->size = 1 << 20;
    rule.spare_bytes = f->size;
    assert_int_equal(picked(&rule), 0);
    f->since -= 500;
    assert_int_equal(picked(&rule), 1);
    rule.spare_bytes--;
    assert_int_equal(picked(&rule), 0);
}

static void optimize_takes_whatever_is_small(void **state)
{
    assert_int_equal(picked(&all), 0);
    tain_delta_file *f = add_file(10);
    assert_int_equal(picked(&all), 0); /* one clean file cannot become better */
    delete_some(f, 2);
    while (!f->dv.storage) delete_some(f, 2);
    if (f->dv.cardinality > 3) assert_int_equal(picked(&all), 1);
    add_file(10);
    assert_int_equal(picked(&all), 2);
}

/* Memory is needed for each row of a merge. */
static void rows_have_a_limit(void **state)
{
    tain_delta_file *files[300], **due;
    size_t n;
    for (int i = 0; i < 8; i++) add_file(10);
    due = tain_rewrite_pick(table, &(tain_rewrite_rule){.what = TAIN_REWRITE_SMALL, .most_rows = 45}, &n);
    assert_int_equal(n, 4);
    free(due);
    due = tain_rewrite_pick(table, &(tain_rewrite_rule){.what = TAIN_REWRITE_ALL, .most_rows = 45}, &n);
    assert_int_equal(n, 4);
    free(due);
    for (int i = 0; i < 200; i++) {
        add_file(10);
        while ((due = tain_rewrite_pick(table, &(tain_rewrite_rule){.what = TAIN_REWRITE_SMALL, .most_rows = 300}, &n))) {
            tain_rewrite *r = start(due, n);
            free(due);
            assert_ok(tain_rewrite_run(r, err));
            assert_true(finish(r)->rows <= 300);
        }
    }
    assert_true(live(files) <= 2080 / 150 + 10); /* a full one has more than 150 rows */
}

/* Commit after commit: the number of files grows with the logarithm, and rows are rewritten a few times only. */
static void files_stay_few(void **state)
{
    tain_delta_file *files[600];
    int64_t rewritten = 0;
    for (int i = 0; i < 300; i++) {
        add_file(10);
        for (size_t n;;) {
            tain_delta_file **due = tain_rewrite_pick(table, &small, &n);
            if (!due) break;
            tain_rewrite *r = start(due, n);
            for (size_t k = 0; k < n; k++) rewritten += due[k]->rows;
            free(due);
            assert_ok(tain_rewrite_run(r, err));
            tain_delta_file *f;
            const uint64_t *hashes;
            size_t rows;
            assert_ok(tain_rewrite_finish(r, &f, &hashes, &rows, err));
            tain_rewrite_free(r);
        }
    }
    check();
    size_t count = live(files);
    print_message("%zu files, each row rewritten %.1f times\n", count, (double)rewritten / 3000);
    assert_true(count <= 24);
    assert_true(rewritten <= 3000 * 40);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(files_become_one),
        CASE(merge_is_no_change_of_data),
        CASE(deleted_before_and_meanwhile),
        CASE(input_emptied_meanwhile),
        CASE(all_rows_deleted_meanwhile),
        CASE(emptied_before_it_is_read),
        CASE(truncated_meanwhile),
        CASE(given_up_leaves_everything),
        CASE(at_random),
        CASE(a_file_becomes_several),
        CASE(what_nobody_takes_is_removed),
        CASE(files_with_vectors_are_picked),
        CASE(tried_again_after_conflicts),
        cmocka_unit_test_setup_teardown(tried_again_after_conflicts, begin_copied, end),
        cmocka_unit_test_setup_teardown(at_random, begin_copied, end),
        cmocka_unit_test_setup_teardown(files_stay_few, begin_copied, end),
        CASE(eight_of_a_tier_are_merged),
        CASE(large_files_are_for_the_other_lane),
        CASE(a_file_is_written_anew_once_its_vectors_have_cost_as_much),
        CASE(a_file_that_is_left_alone_loses_its_vector),
        CASE(optimize_takes_whatever_is_small),
        CASE(rows_have_a_limit),
        CASE(files_stay_few),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
