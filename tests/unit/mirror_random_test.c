/* SPDX-License-Identifier: MIT */
/* Everything at once, at random: changes, shapes that change, truncations, lost streams, restarts, little memory. After
 * every run the lake shows what the source has, and at the end it did so at every epoch. With profile compat likewise, and
 * with one that is another after every run; and with other tables paused in every run, which stay as they are for so long. */

#include "mirror_fake.h"
#include "mirror_feed.h"
#include "seed.h"

enum { RUNS = 20, RUNS_MORE = 10 /* with another profile */, COUNT = 4 };

static char    *lake;
static int      tables[COUNT], next_slot[COUNT];
static int      next_key, rounds;
static bool     keeps, is_new; /* columns that are dropped; the lake */
static bool     compat, switches;
static bool     feeds;         /* the change data feed is on */
static bool     pauses;        /* some tables, by run */
static bool     paused[COUNT];
static int64_t  fed[COUNT];    /* versions up to which it was looked at */
static size_t   changed;       /* versions with change data */

static int begin(void **state)
{
    seed_begin();
    fake_reset();
    fake.tracks = pick(2);
    keeps = pick(2);
    compat = switches = pauses = false;
    memset(paused, 0, sizeof paused);
    feeds = pick(3) > 0;
    changed = 0;
    memset(fed, 0, sizeof fed);
    tain_source_register(&fake_ops);
    lake = lake_make();
    next_key = 0;
    is_new = true;
    return 0;
}

static int end(void **state)
{
    lake_remove(lake);
    fake_reset();
    return 0;
}

/* --- the script ---------------------------------------------------------------------------------------------------- */

static const fake_shape *shape_of(int t)
{
    return &fake.tables[t].shapes[fake.now[t].shape];
}

static fake_row random_row(int t, int64_t k)
{
    fake_row r = fake_nulls();
    const fake_shape *s = shape_of(t);
    for (size_t i = 0; i < s->count; i++) r.v[s->columns[i].slot] = pick(5) ? pick(1000) : FAKE_NULL;
    r.v[0] = k;
    return r;
}

static int64_t some_key(int t)
{
    return fake.now[t].rows[(size_t)pick((int)fake.now[t].count)].v[0];
}

static int some_slot(int t)
{
    const fake_shape *s = shape_of(t);
    return s->columns[1 + pick((int)s->count - 1)].slot;
}

static unsigned some_unchanged(int t, int but)
{
    unsigned mask = 0;
    const fake_shape *s = shape_of(t);
    for (size_t i = 1; s->keyed && i < s->count; i++)
        if (s->columns[i].slot != but && !pick(3)) mask |= 1u << s->columns[i].slot;
    return mask;
}

static void change_row(int t)
{
    bool keyed = shape_of(t)->keyed;
    int what = fake.now[t].count < 3 ? 0 : pick(8);
    if (what < 3) {
        fake_insert_row(t, random_row(t, keyed ? next_key++ : pick(10)));
    } else if (what == 3) {
        fake_delete(t, some_key(t));
    } else if (what == 4 && keyed) {
        fake_rekey(t, some_key(t), next_key++, some_unchanged(t, 0));
    } else {
        int slot = some_slot(t);
        fake_set(t, some_key(t), slot, pick(2000), some_unchanged(t, slot));
    }
}

static void change_shape(int t)
{
    static const char *const names[] = {"k", "v", "s", "c3", "c 4", "C3", "c6", "V"};
    const fake_shape *s = shape_of(t);
    if (fake.tables[t].shape_count == FAKE_SHAPES) return;
    if (s->count > 3 && !pick(3)) {
        fake_drop_column(t, 1 + (size_t)pick((int)s->count - 1), !fake.tracks || !pick(4));
    } else if (next_slot[t] < FAKE_SLOTS) {
        int slot = next_slot[t]++;
        fake_add_column(t, names[slot], pick(2) ? TAIN_INT64 : TAIN_STRING, slot);
    }
}

static void clear_some(int t)
{
    int64_t from = shape_of(t)->keyed ? pick(next_key + 1) : pick(10);
    fake_clear(t, from, from + 1 + pick(50));
}

static void replace_some(int t)
{
    bool keyed = shape_of(t)->keyed;
    int64_t from = keyed ? pick(next_key + 1) : pick(10), to = from + 1 + pick(20);
    if (keyed && to > next_key) to = next_key; /* later ones are given out one by one */
    if (from < to) fake_replace(t, from, to, pick(1000));
}

/* A transaction in which the stream breaks again and again is given up by a run that is to come to an end. */
static void add_transaction(void)
{
    int lost = 0;
    for (int n = pick(50) ? pick(6) + 1 : 800; n; n--) {
        int t = tables[pick(COUNT)], rare = pick(400);
        if (rare == 0) fake_do(FAKE_TRUNCATE, t);
        else if (rare > 395) clear_some(t);
        else if (rare > 392) replace_some(t);
        else if (rare < 4) change_shape(t);
        else if (rare < 6 && lost++ < 3) fake_do(FAKE_LOST, t);
        else change_row(t);
    }
    fake_commit();
}

static void make_tables(void)
{
    static const char *const names[COUNT] = {"a", "b", "No/keys", "d"};
    for (int i = 0; i < COUNT; i++) {
        tables[i] = fake_create("main", names[i], i < 2);
        next_slot[tables[i]] = 3;
        for (int n = pick(300); n; n--) fake_insert_row(tables[i], random_row(tables[i], i < 2 ? next_key++ : pick(10)));
    }
    fake_commit();
}

/* --- running ------------------------------------------------------------------------------------------------------- */

/* So that much comes while tables are loaded. */
static bool dawdle(int t)
{
    static atomic_uint drawn;
    unsigned mine = seed ^ atomic_fetch_add(&drawn, 1) * 2654435761u;
    usleep((unsigned)rand_r(&mine) % 4000);
    return false;
}

static void go_on(void)
{
    if (fake.confirmed < fake.count && pick(3)) return;
    if (rounds-- == 0) tain_worker_stop();
    else if (rounds > 0) add_transaction();
}

/* What others have open comes to its end at any time. */
static void may_wait(void)
{
    fake.waits = pick(4) == 0;
    fake.fix = pick(2);
}

static char **names_of_paused(void)
{
    char **names = tain_alloc((COUNT + 1) * sizeof *names);
    for (int i = 0, n = 0; i < COUNT; i++)
        if (paused[i]) names[n++] = tain_source_full_name(fake.tables[tables[i]].schema, fake.tables[tables[i]].name);
    return names;
}

static void run(bool follow)
{
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = 2,
                         .freshness = pick(2) ? 0 : 5 * TAIN_MILLISECOND, .memory = pick(3) ? 64 << 20 : 1 << 16};
    if (is_new) d.cdf = (tain_switch){.on = feeds, .given = true};
    if (is_new) d.policies = json_pack("{s:s}", "dropped_column", keeps ? "keep" : "drop");
    is_new = false;
    if (switches) compat = pick(2);
    d.compat = (tain_switch){.on = compat, .given = true};
    d.paused = names_of_paused();
    tain_worker_options o = {.once = !follow};
    rounds = pick(30) + 1;
    fake.on_chunk = pick(2) ? dawdle : NULL;
    fake.on_ask = may_wait;
    fake.chunk_rows = pick(2) ? 100 : 20;
    fake.on_head = follow ? go_on : NULL;
    assert_ok(tain_worker_run(&d, &o, err));
    fake.on_head = NULL;
    assert_int_equal(tain_worker_failed_tables(), 0);
    tain_definition_done(&d);
    fake.compat = compat && (!follow || !switches); /* in time; before the end only with `once` */
}

/* The newest version of the table; -1: there is none, since it was paused from the beginning. */
static int64_t version_of(int i)
{
    tain_store *s;
    tain_delta *d;
    assert_ok(tain_store_open(lake, false, &s, err));
    char *path = tain_lake_table_folder(fake.tables[tables[i]].schema, fake.tables[tables[i]].name);
    tain_store *folder = tain_store_sub(s, path);
    int64_t version = tain_delta_open(folder, &d, NULL) == TAIN_OK ? tain_delta_version(d) : -1;
    if (version >= 0) tain_delta_close(d);
    tain_store_close(folder);
    tain_store_close(s);
    free(path);
    return version;
}

static void check_feed(tain_store *s, int i)
{
    char *path = tain_lake_table_folder(fake.tables[tables[i]].schema, fake.tables[tables[i]].name);
    tain_store *folder = tain_store_sub(s, path);
    changed += feed_check(folder, &fed[i], i < 2);
    tain_store_close(folder);
    free(path);
}

static void check_all(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    for (int i = 0; i < COUNT; i++)
        if (!paused[i]) fake_check(s, tables[i]);
    for (int i = 0; feeds && !switches && i < COUNT; i++)
        if (version_of(i) >= 0) check_feed(s, i); /* a table that changes its protocol forgets its log */
    tain_store_close(s);
}

static json_t *read_status(void)
{
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    json_t *root = fake_epoch(s, "_tain/status.json");
    tain_store_close(s);
    return root;
}

static void check_warnings(void)
{
    json_t *root = read_status(), *o;
    size_t i;
    json_array_foreach(json_object_get(root, "tables"), i, o)
        if (json_array_size(json_object_get(o, "warnings"))) fail_msg("%s", json_dumps(o, JSON_COMPACT));
    json_decref(root);
}

static bool is_followed(const json_t *o)
{
    bool rests = strcmp(tain_json_get_str(o, "status", ""), "Stopped") == 0 && strcmp(tain_json_get_str(o, "reason", ""), "paused") == 0;
    return rests || strcmp(tain_json_get_str(o, "status", ""), "Replicating") == 0;
}

/* Stopped while some table was being loaded, or before everything had come. */
static bool is_behind(void)
{
    bool behind = fake.confirmed < fake.count;
    json_t *root = read_status(), *o;
    size_t i;
    json_array_foreach(json_object_get(root, "tables"), i, o) behind |= !is_followed(o);
    json_decref(root);
    return behind;
}

static void pause_some(bool last)
{
    for (int i = 0; pauses && i < COUNT; i++) paused[i] = !last && pick(3) == 0;
}

static void go_through_all(int runs)
{
    make_tables();
    for (int i = 0; i < runs; i++) {
        for (int n = pick(12); n; n--) add_transaction();
        bool follow = pick(2);
        int64_t before[COUNT];
        pause_some(i == runs - 1);
        for (int t = 0; t < COUNT && !is_new; t++) before[t] = version_of(t);
        bool existed = !is_new;
        run(follow);
        if (follow && is_behind()) run(false);
        check_all();
        for (int t = 0; t < COUNT && existed; t++)
            if (paused[t]) assert_int_equal(version_of(t), before[t]);
    }
    check_warnings();
    tain_store *s;
    assert_ok(tain_store_open(lake, false, &s, err));
    size_t epochs = fake_check_epochs(s);
    print_message("%zu versions with change data\n", changed);
    print_message("%zu transactions, %zu epochs, %zu rows streamed, %zu tables loaded\n", fake.count, epochs, fake.rows_taken, fake.loads);
    tain_store_close(s);
}

static void everything_at_once(void **state)
{
    go_through_all(RUNS);
}

static void all_with_compat(void **state)
{
    compat = true;
    go_through_all(RUNS_MORE);
}

static void all_between_profiles(void **state)
{
    switches = fake.lowers = true;
    go_through_all(RUNS_MORE);
}

static void all_with_pauses(void **state)
{
    pauses = true;
    go_through_all(RUNS_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_at_once, begin, end),
        cmocka_unit_test_setup_teardown(all_with_compat, begin, end),
        cmocka_unit_test_setup_teardown(all_between_profiles, begin, end),
        cmocka_unit_test_setup_teardown(all_with_pauses, begin, end),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
