/* SPDX-License-Identifier: MIT */
/* The history against the script: it holds every change, in order and once, and gives back what the source had at every
 * position at which the table was followed. */

#include "cli/replay.h"
#include "mirror_fake.h"
#include "seed.h"
#include "mirror/history/history.h"

enum { COUNT = 3, KEYS = 12 };
static const char *const names[FAKE_SLOTS] = {"k", "v", "s", "c3", "c 4", "C3", "c6", "V"};

static char    *lake;
static int      tables[COUNT], next_slot[COUNT];
static int      next_key, rounds;

static int begin(void **state)
{
    seed_begin();
    fake_reset();
    fake.tracks = pick(2);
    tain_source_register(&fake_ops);
    lake = lake_make();
    next_key = 0;
    return 0;
}

static int end(void **state)
{
    lake_remove(lake);
    fake_reset();
    return 0;
}

/* NULL: for ever. */
static void run_keeping(const char *retention, bool history, bool follow, int64_t memory)
{
    tain_definition d = {.source_url = tain_strdup("fake://db"), .lake_url = tain_strdup(lake), .jobs = 2, .freshness = pick(2) ? 0 : 5 * TAIN_MILLISECOND,
                         .memory = memory, .history = {.on = history, .given = true}, .history_retention = tain_strdup(retention)};
    tain_worker_options o = {.once = !follow};
    fake.chunk_rows = pick(2) ? 100 : 20;
    assert_ok(tain_worker_run(&d, &o, err));
    fake.on_head = NULL;
    assert_int_equal(tain_worker_failed_tables(), 0);
    tain_definition_done(&d);
}

static void run(bool history, bool follow, int64_t memory)
{
    run_keeping(NULL, history, follow, memory);
}

/* --- every change -------------------------------------------------------------------------------------------------- */

static fake_row some_row(int64_t k)
{
    return fake_make(k, pick(1000), pick(3) ? pick(1000) : FAKE_NULL);
}

static void change(int t, bool keyed)
{
    int64_t k = pick(KEYS);
    bool there = false;
    for (size_t i = 0; i < fake.now[t].count; i++) there |= fake.now[t].rows[i].v[0] == k;
    if (!there) fake_insert_row(t, some_row(k));
    else if (!pick(4)) fake_delete(t, k);
    else if (keyed && !pick(6)) fake_rekey(t, k, 1000 + next_key++, pick(2) ? 1u << 2 : 0);
    else if (!keyed && pick(2)) fake_insert_row(t, some_row(k));
    else fake_set(t, k, 1, pick(5000), keyed && pick(2) ? 1u << 2 : 0);
}

typedef struct version { const char *operation; size_t position; int64_t v[3]; } version;
typedef struct versions { version *list; size_t count; } versions;

static void want(versions *l, const char *operation, size_t position, const fake_row *row)
{
    l->list = tain_realloc(l->list, (l->count + 1) * sizeof *l->list);
    version *v = &l->list[l->count++];
    *v = (version){.operation = operation, .position = position, .v = {FAKE_NULL, FAKE_NULL, FAKE_NULL}};
    for (int i = 0; row && i < 3; i++) v->v[i] = row->v[i];
}

static void want_event(versions *l, const fake_event *e, size_t position, bool keyed)
{
    switch (e->kind) {
    case FAKE_INSERT: want(l, "insert", position, &e->row); break;
    case FAKE_DELETE: want(l, "delete", position, &e->old); break;
    case FAKE_TRUNCATE: want(l, "truncate", position, NULL); break;
    case FAKE_UPDATE:
        if (!keyed) want(l, "delete", position, &e->old);
        want(l, keyed ? "update" : "insert", position, &e->row);
        break;
    case FAKE_REKEY:
        want(l, "key_delete", position, &e->old);
        want(l, "key_insert", position, &e->row);
        break;
    default: break;
    }
}

static versions wanted(int t, bool keyed, size_t from)
{
    versions l = {0};
    for (size_t p = from; p < fake.count; p++)
        for (size_t i = fake.ends[p - 1]; i < fake.ends[p]; i++)
            if (fake.events[i].table == t) want_event(&l, &fake.events[i], p + 1, keyed);
    return l;
}

static tain_past *past_of(tain_pasts *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->list[i].table, name) == 0) return &p->list[i];
    fail_msg("no history of %s", name);
    return NULL;
}

static int64_t number(const tain_column *c, size_t row)
{
    if (tain_column_is_null(c, row)) return FAKE_NULL;
    tain_slice s = tain_column_slice(c, row);
    TAIN_AUTO(tain_free) char *text = tain_strndup((const char *)s.data, s.size);
    return atoll(text + (*text == 't'));
}

static void check_version(const version *v, const tain_batch *b, size_t row, const char *what)
{
    tain_slice operation = tain_column_slice(&b->columns[0], row);
    bool same = strlen(v->operation) == operation.size && memcmp(v->operation, operation.data, operation.size) == 0;
    same = same && number(&b->columns[1], row) == (int64_t)v->position;
    for (int i = 0; i < 3; i++) same = same && number(&b->columns[2 + i], row) == v->v[i];
    if (!same)
        fail_msg("%s: %.*s at %lld of %lld %lld %lld instead of %s at %zu of %lld %lld %lld", what, (int)operation.size, (const char *)operation.data,
                 (long long)number(&b->columns[1], row), (long long)number(&b->columns[2], row), (long long)number(&b->columns[3], row),
                 (long long)number(&b->columns[4], row), v->operation, v->position, (long long)v->v[0], (long long)v->v[1], (long long)v->v[2]);
}

static void check_versions(tain_pasts *p, const char *name, const versions *l)
{
    TAIN_AUTO(tain_free) char *sql = tain_format("SELECT __tain_operation, __tain_position, c0, c1, c2 FROM past.t%zu WHERE __tain_operation NOT IN ('snapshot', 'reload') "
                                                 "ORDER BY __tain_order", past_of(p, name)->number);
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    tain_batch b;
    size_t rows, at = 0;
    assert_ok(tain_scan_query(p->scan, sql, &result, err));
    tain_batch_init(&b, tain_result_text_schema(result));
    for (;;) {
        tain_batch_clear(&b);
        assert_ok(tain_result_next_text(result, &b, &rows, err));
        if (!rows) break;
        for (size_t i = 0; i < rows; i++, at++) {
            assert_true(at < l->count);
            check_version(&l->list[at], &b, i, name);
        }
    }
    assert_int_equal(at, l->count);
    tain_batch_done(&b);
}

static void every_change(void **state)
{
    int keyed = fake_create("main", "keyed", true), loose = fake_create("main", "loose", false);
    for (int i = 0; i < 5; i++) {
        fake_insert_row(keyed, some_row(i));
        fake_insert_row(loose, some_row(i));
    }
    size_t from = fake_commit();
    run(true, false, 64 << 20);
    for (int n = 0; n < 200; n++) {
        for (int k = pick(12) + 1; k; k--) {
            if (!pick(150)) fake_do(FAKE_TRUNCATE, pick(2) ? keyed : loose);
            else if (pick(2)) change(keyed, true);
            else change(loose, false);
        }
        fake_commit();
        if (!pick(40)) run(true, false, pick(2) ? 64 << 20 : 1 << 16);
    }
    run(true, false, 1 << 16);
    tain_pasts p;
    assert_ok(tain_pasts_open(lake, &p, err));
    versions a = wanted(keyed, true, from), b = wanted(loose, false, from);
    check_versions(&p, "keyed", &a);
    check_versions(&p, "loose", &b);
    print_message("%zu and %zu versions\n", a.count, b.count);
    free(a.list);
    free(b.list);
    tain_pasts_done(&p);
}

/* --- any moment ---------------------------------------------------------------------------------------------------- */

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

static void change_column(int t, size_t at)
{
    static char called[64][16];
    static unsigned n;
    const fake_column *c = &shape_of(t)->columns[at];
    if (c->kind == TAIN_INT64 && shape_of(t)->keyed && pick(2)) { /* what a script writes as text is not what a number becomes: no rows would be equal */
        fake_retype_column(t, at, TAIN_STRING);
    } else if (fake.tracks) {
        snprintf(called[n % 64], sizeof called[0], "r%d_%u", c->slot, n);
        fake_rename_column(t, at, called[n++ % 64]);
    }
}

static void change_shape(int t)
{
    const fake_shape *s = shape_of(t);
    if (fake.tables[t].shape_count == FAKE_SHAPES) return;
    if (s->count > 3 && !pick(3)) return change_column(t, s->count - 1);
    if (s->count > 3 && !pick(3)) {
        fake_drop_column(t, 1 + (size_t)pick((int)s->count - 1), !fake.tracks);
    } else if (next_slot[t] < FAKE_SLOTS) {
        int slot = next_slot[t]++;
        if (pick(2)) fake_add_column(t, names[slot], TAIN_INT64, slot);
        else fake_fill_column(t, names[slot], TAIN_INT64, slot, 1 + pick(100));
    }
}

static void change_row(int t)
{
    const fake_shape *s = shape_of(t);
    int64_t k = fake.now[t].count ? fake.now[t].rows[(size_t)pick((int)fake.now[t].count)].v[0] : 0;
    int slot = s->columns[1 + pick((int)s->count - 1)].slot, what = fake.now[t].count < 3 ? 0 : pick(8);
    if (what < 3) fake_insert_row(t, random_row(t, s->keyed ? next_key++ : pick(10)));
    else if (what == 3) fake_delete(t, k);
    else if (what == 4 && s->keyed) fake_rekey(t, k, next_key++, 0);
    else fake_set(t, k, slot, pick(2000), 0);
}

static void add_transaction(void)
{
    for (int n = pick(50) ? pick(6) + 1 : 300; n; n--) {
        int t = tables[pick(COUNT)], rare = pick(300);
        int64_t from = pick(shape_of(t)->keyed ? next_key + 1 : 10);
        if (rare == 0) fake_do(FAKE_TRUNCATE, t);
        else if (rare == 1) fake_clear(t, from, from + 1 + pick(30));
        else if (rare == 2) fake_replace(t, from, shape_of(t)->keyed ? (from + 10 < next_key ? from + 10 : next_key) : from + 3, pick(1000));
        else if (rare < 5) change_shape(t);
        else if (rare < 6) fake_do(FAKE_LOST, t);
        else change_row(t);
    }
    fake_commit();
}

static void go_on(void)
{
    if (fake.confirmed < fake.count && pick(3)) return;
    if (rounds-- == 0) tain_worker_stop();
    else if (rounds > 0) add_transaction();
}

static void make_tables(void)
{
    static const char *const called[COUNT] = {"a", "No/keys", "c"};
    for (int i = 0; i < COUNT; i++) {
        tables[i] = fake_create("main", called[i], i != 1);
        next_slot[tables[i]] = 3;
        for (int n = pick(200); n; n--) fake_insert_row(tables[i], random_row(tables[i], i != 1 ? next_key++ : pick(10)));
    }
    fake_commit();
}

static int slot_of(const char *name)
{
    if (name[0] == 'r') return atoi(name + 1);
    for (int i = 0; i < FAKE_SLOTS; i++)
        if (strcmp(names[i], name) == 0) return i;
    fail_msg("no column is called %s", name);
    return -1;
}

static fake_content read_past(tain_pasts *p, const tain_past *t, size_t position, fake_shape *io)
{
    tain_position at = fake_position(position);
    fake_content c = {0};
    fake_shape has = {0};
    tain_result *result;
    tain_batch b;
    tain_schema *columns = tain_past_columns(t, &at);
    assert_non_null(columns);
    for (size_t i = 0; i < columns->count; i++) has.columns[has.count++].slot = slot_of(columns->fields[i].name);
    fake_keep_common(io, &has);
    assert_ok(tain_past_rows(p, t, &at, &result, err));
    tain_batch_init(&b, columns);
    for (size_t rows;;) {
        tain_batch_clear(&b);
        assert_ok(tain_result_next(result, &b, &rows, err));
        if (!rows) break;
        for (size_t i = 0; i < rows; i++) {
            fake_row row = fake_nulls();
            for (size_t k = 0; k < columns->count; k++) row.v[has.columns[k].slot] = fake_value(&b.columns[k], i);
            fake_put(&c, row);
        }
    }
    tain_batch_done(&b);
    tain_result_free(result);
    tain_schema_free(columns);
    return c;
}

static void check_past(tain_pasts *p, int t, size_t position)
{
    fake_content want = fake_content_at(t, position);
    fake_shape common = fake.tables[t].shapes[want.shape];
    TAIN_AUTO(tain_free) char *what = tain_format("%s at %zu", fake.tables[t].name, position);
    fake_content have = read_past(p, past_of(p, fake.tables[t].name), position, &common);
    assert_true(common.count > 0);
    fake_only_shown(&want, &common);
    fake_only_shown(&have, &common);
    fake_check_rows(&want, &have, what);
    free(want.rows);
    free(have.rows);
}

static bool was_read(tain_pasts *p, const char *name, size_t from, size_t to)
{
    tain_position a = fake_position(from), b = fake_position(to);
    TAIN_AUTO(tain_free) char *sql = tain_format("SELECT 1 FROM past.t%zu WHERE __tain_operation IN ('reload', 'snapshot') AND __tain_position > '%s' AND __tain_position <= '%s' LIMIT 1",
                                                 past_of(p, name)->number, a.text, b.text);
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    tain_batch batch;
    size_t rows;
    assert_ok(tain_scan_query(p->scan, sql, &result, err));
    tain_batch_init(&batch, tain_result_text_schema(result));
    assert_ok(tain_result_next_text(result, &batch, &rows, err));
    tain_batch_done(&batch);
    return rows > 0;
}

/* False: it is forgotten. */
static bool check_epoch(tain_pasts *p, int64_t epoch, size_t position, size_t oldest)
{
    tain_position at, wanted = fake_position(position);
    TAIN_AUTO(tain_free) char *when = tain_format("%lld", (long long)epoch);
    if (position >= oldest) assert_ok(tain_pasts_position(p, when, &at, err));
    else assert_fails(tain_pasts_position(p, when, &at, err), TAIN_E_GONE, "begins later");
    if (position >= oldest) assert_string_equal(at.text, wanted.text);
    return position >= oldest;
}

/* Also between epochs, where the table was followed all the time. */
static size_t check_epochs(tain_store *store, tain_pasts *p, size_t oldest)
{
    fake_epochs all = {0};
    bool known[COUNT] = {0};
    size_t last = 0, checked = 0;
    assert_ok(tain_store_list(store, "_tain/epochs/0", NULL, fake_note_epoch, &all, err));
    for (size_t i = 0; i < all.count; i++) {
        json_t *o = fake_epoch(store, all.keys[i]);
        size_t position = strtoul(tain_json_get_str(o, "position", ""), NULL, 10);
        bool there = check_epoch(p, tain_json_get_int(o, "epoch", 0), position, oldest);
        for (int k = 0; k < COUNT; k++) {
            const char *name = fake.tables[tables[k]].name;
            TAIN_AUTO(tain_free) char *full = tain_format("main.%s", name);
            bool listed = json_object_get(json_object_get(o, "tables"), full), apart = json_object_get(json_object_get(o, "apart"), full);
            bool before = known[k];
            known[k] = listed || (before && !apart);
            if (!there) continue;
            if (known[k] && pick(4) == 0) check_past(p, tables[k], position), checked++;
            if (known[k] && before && position > last + 1 && last >= oldest && !was_read(p, name, last, position)) check_past(p, tables[k], last + 1 + (size_t)pick((int)(position - last - 1))), checked++;
        }
        last = position;
        json_decref(o);
        free(all.keys[i]);
    }
    return checked;
}

static void any_moment(void **state)
{
    make_tables();
    for (int i = 0; i < 8; i++) {
        for (int n = pick(12); n; n--) add_transaction();
        bool follow = pick(2);
        rounds = pick(30) + 1;
        if (follow) fake.on_head = go_on;
        run(true, follow, pick(3) ? 64 << 20 : 1 << 16);
    }
    run(true, false, 64 << 20);
    tain_store *store;
    tain_pasts p;
    assert_ok(tain_store_open(lake, false, &store, err));
    assert_ok(tain_pasts_open(lake, &p, err));
    for (int i = 0; i < COUNT; i++) check_past(&p, tables[i], fake.count);
    print_message("%zu moments, %zu transactions, %zu tables loaded\n", check_epochs(store, &p, 0), fake.count, fake.loads);
    tain_pasts_done(&p);
    tain_store_close(store);
}

/* --- within the retention ------------------------------------------------------------------------------------------ */

/* From which position on all histories know what there was; 0: from their beginning. */
static size_t horizon_of(const tain_pasts *p)
{
    size_t latest = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t at = strtoul(tain_json_get_str(p->list[i].horizon, "at", "0"), NULL, 10);
        if (at > latest) latest = at;
    }
    return latest;
}

static tain_time retention_to(size_t position)
{
    return (tain_now() - fake.times[position - 1]) / TAIN_MILLISECOND * TAIN_MILLISECOND;
}

static void check_times(tain_pasts *p, tain_time retention)
{
    char text[40];
    for (size_t position = 1; position <= fake.count; position++) {
        tain_position at;
        if (fake.times[position - 1] < tain_now() - retention || pick(20)) continue;
        tain_time_iso(fake.times[position - 1], 6, text);
        assert_ok(tain_pasts_position(p, text, &at, err));
        assert_true(strtoul(at.text, NULL, 10) >= horizon_of(p));
    }
}

/* All moments within the retention, and none before; whole: the mirror has come to the end. Returns the position of the first. */
static size_t check_kept(tain_time retention, bool whole, size_t *io_checked)
{
    tain_store *store;
    tain_pasts p;
    assert_ok(tain_store_open(lake, false, &store, err));
    assert_ok(tain_pasts_open(lake, &p, err));
    size_t first = horizon_of(&p);
    if (first) assert_true(fake.times[first - 1] <= tain_now() - retention);
    for (int i = 0; whole && i < COUNT; i++) check_past(&p, tables[i], fake.count);
    *io_checked += check_epochs(store, &p, first);
    if (whole) check_times(&p, retention);
    tain_pasts_done(&p);
    tain_store_close(store);
    return first;
}

static int64_t count_versions(tain_pasts *p, int t)
{
    TAIN_AUTO(tain_free) char *sql = tain_format("SELECT count(*) FROM past.t%zu WHERE __tain_operation NOT IN ('reload', 'truncate')", past_of(p, fake.tables[t].name)->number);
    TAIN_AUTO(tain_free) char *n = NULL;
    assert_ok(tain_scan_ask(p->scan, sql, &n, err));
    return atoll(n);
}

static void nothing_else_is_left(void)
{
    tain_pasts p;
    assert_ok(tain_pasts_open(lake, &p, err));
    for (int i = 0; i < COUNT; i++) assert_int_equal(count_versions(&p, tables[i]), fake.now[tables[i]].count);
    tain_pasts_done(&p);
}

static void within_the_retention(void **state)
{
    size_t checked = 0, advanced = 0, first = 0;
    make_tables();
    for (int i = 0; i < 10; i++) {
        for (int n = pick(12) + 1; n; n--) add_transaction();
        tain_time retention = retention_to(1 + first + (size_t)pick((int)(fake.count - first)));
        TAIN_AUTO(tain_free) char *text = tain_format("%lldms", (long long)(retention / TAIN_MILLISECOND));
        bool follow = pick(2);
        rounds = pick(30) + 1;
        if (follow) fake.on_head = go_on;
        run_keeping(pick(4) ? text : "", true, follow, pick(3) ? 64 << 20 : 32 << 20);
        size_t now = check_kept(retention, !follow, &checked);
        assert_true(now >= first);
        advanced += now > first;
        first = now;
    }
    add_transaction();
    for (int i = 0; i < 2; i++) run_keeping("0s", true, false, 64 << 20); /* what came since the first began is forgotten by the second */
    check_kept(0, true, &checked);
    nothing_else_is_left();
    print_message("%zu moments, %zu transactions, forgot %zu times\n", checked, fake.count, advanced);
}

/* --- on, off and on ------------------------------------------------------------------------------------------------ */

static void switched_on_later(void **state)
{
    tain_pasts p;
    int t = fake_create("main", "t", true);
    for (int i = 0; i < 50; i++) fake_insert(t, i, i, i);
    fake_commit();
    run(false, false, 64 << 20);
    assert_fails(tain_pasts_open(lake, &p, err), TAIN_E_NOT_FOUND, "no history");
    tain_pasts_done(&p);
    size_t on = fake_commit();
    run(true, false, 64 << 20);
    fake_update(t, 3, 77);
    size_t updated = fake_commit();
    run(true, false, 64 << 20);
    fake_delete(t, 4);
    fake_commit();
    run(false, false, 64 << 20);
    fake_delete(t, 5);
    size_t back = fake_commit();
    run(true, false, 64 << 20);
    assert_ok(tain_pasts_open(lake, &p, err));
    check_past(&p, t, on);
    check_past(&p, t, updated);
    check_past(&p, t, back);
    tain_position early;
    assert_fails(tain_pasts_position(&p, "000000000000", &early, err), TAIN_E_GONE, "begins later");
    assert_fails(tain_pasts_position(&p, "yesterday's", &early, err), TAIN_E_INVALID, "neither");
    assert_fails(tain_pasts_position(&p, "2999-01-01", &early, err), TAIN_E_NOT_FOUND, "behind the end");
    tain_pasts_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_change, begin, end),
        cmocka_unit_test_setup_teardown(any_moment, begin, end),
        cmocka_unit_test_setup_teardown(within_the_retention, begin, end),
        cmocka_unit_test_setup_teardown(switched_on_later, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
