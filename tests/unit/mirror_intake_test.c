/* SPDX-License-Identifier: MIT */
/* What the intake makes of a stream: parts, and when they are cut. A thread in the writer's place keeps what it gets. */
#include "mirror_fake.h"

#include "mirror/intake.h"

enum { PARTS_MOST = 200 };

typedef struct bench {
    char              *folder;
    tain_definition    definition;
    tain_mirror        mirror;
    tain_intake        in;
    tain_source_table *sources[2];
    tain_schema       *grown;
    tain_table        *a, *b;
    pthread_t          thread;
    tain_part         *parts[PARTS_MOST];
    size_t             count;
} bench;

static bench t;

static void *keep_parts(void *ctx)
{
    tain_mirror *m = &t.mirror;
    for (tain_part *p; (p = tain_queue_pop(m->parts, INT64_MAX));) {
        pthread_mutex_lock(&m->lock);
        t.parts[t.count++] = p;
        m->in_flight--;
        pthread_cond_broadcast(&m->changed);
        pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

static tain_source_table *make_source(const char *name)
{
    tain_source_table *s = tain_source_table_new("main", name, name);
    s->columns = tain_schema_new();
    tain_schema_add(s->columns, "k", tain_type_of(TAIN_INT64));
    tain_schema_add(s->columns, "v", tain_type_of(TAIN_STRING));
    s->key = tain_alloc(sizeof *s->key);
    s->key_count = 1;
    return s;
}

static int begin(void **state)
{
    t = (bench){.folder = lake_make(), .definition = {.name = "test", .jobs = 1, .memory = 64 << 20}};
    tain_mirror *m = &t.mirror;
    *m = (tain_mirror){.definition = &t.definition, .app_id = "tain:test", .parts = tain_queue_new(4)};
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->tables_lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    assert_ok(tain_lake_open(t.folder, true, &m->lake, err));
    t.a = tain_mirror_add(m, t.sources[0] = make_source("a"));
    t.b = tain_mirror_add(m, t.sources[1] = make_source("b"));
    tain_table_set_status(t.a, TAIN_TABLE_REPLICATING, NULL, NULL);
    tain_table_set_status(t.b, TAIN_TABLE_REPLICATING, NULL, NULL);
    tain_intake_init(&t.in, m, 1 << 20);
    assert_int_equal(pthread_create(&t.thread, NULL, keep_parts, NULL), 0);
    return 0;
}

static int end(void **state)
{
    tain_mirror *m = &t.mirror;
    tain_intake_done(&t.in);
    tain_queue_close(m->parts);
    pthread_join(t.thread, NULL);
    tain_queue_free(m->parts);
    for (size_t i = 0; i < t.count; i++) tain_part_free(t.parts[i]);
    for (size_t i = 0; i < m->table_count; i++) tain_table_free(m->tables[i]);
    for (int i = 0; i < 2; i++) tain_source_table_free(t.sources[i]);
    tain_schema_free(t.grown);
    free(m->tables);
    tain_lake_close(m->lake);
    lake_remove(t.folder);
    return 0;
}

/* --- a stream ------------------------------------------------------------------------------------------------------ */

static tain_position at(int n)
{
    return fake_position((size_t)n);
}

static void start(int n)
{
    tain_position p = at(n);
    t.in.sink.begin(&t.in.sink, &p);
}

static int commit(int n)
{
    tain_position p = at(n);
    return t.in.sink.commit(&t.in.sink, &p, 1000 * n, NULL);
}

/* Whether the row was wanted. */
static bool row(tain_source_table *s, int64_t k, tain_op op)
{
    char text[40];
    tain_changes *c = t.in.sink.changes(&t.in.sink, s);
    if (!c) return false;
    tain_column_append_i64(&c->batch.columns[0], k);
    tain_column_append_bytes(&c->batch.columns[1], text, (size_t)snprintf(text, sizeof text, "value %lld", (long long)k));
    if (c->batch.schema->count > 2) tain_column_append_i64(&c->batch.columns[2], -k);
    tain_changes_end_row(c, op);
    return true;
}

static tain_part *cut(void)
{
    assert_ok(tain_intake_cut(&t.in, err));
    tain_writer_drain(&t.mirror);
    return t.parts[t.count - 1];
}

static tain_item *items_of(tain_part *p, const tain_table *table)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->tables[i].table == table) return p->tables[i].first;
    return NULL;
}

/* The kinds of a table's items in order, one letter each. */
static const char *kinds(tain_part *p, const tain_table *table)
{
    static char text[64];
    size_t n = 0;
    for (const tain_item *i = items_of(p, table); i && n < 60; i = i->next) text[n++] = "ctS"[i->kind];
    text[n] = 0;
    return text;
}

static tain_changes *nth_changes(tain_part *p, const tain_table *table, int n)
{
    for (tain_item *i = items_of(p, table); i; i = i->next)
        if (i->kind == TAIN_ITEM_CHANGES && n-- == 0) return &i->changes;
    fail_msg("no such changes");
    return NULL;
}

/* --- parts --------------------------------------------------------------------------------------------------------- */

static void part_has_the_transactions_in_order(void **state)
{
    start(1);
    assert_true(row(t.sources[0], 1, TAIN_INSERT));
    assert_true(row(t.sources[1], 2, TAIN_INSERT));
    assert_true(row(t.sources[0], 3, TAIN_DELETE));
    commit(1);
    start(2);
    assert_true(row(t.sources[0], 4, TAIN_UPDATE));
    commit(2);
    tain_part *p = cut();
    assert_true(p->final);
    assert_string_equal(p->position.text, at(2).text);
    assert_int_equal(p->source_time, 2000);
    assert_int_equal(p->changes, 4);
    assert_string_equal(kinds(p, t.a), "Sc");
    const tain_changes *c = nth_changes(p, t.a, 0);
    assert_int_equal(c->batch.rows, 3);
    assert_memory_equal(c->batch.columns[0].values.data, ((int64_t[]){1, 3, 4}), 24);
    assert_memory_equal(c->ops.data, ((uint8_t[]){TAIN_INSERT, TAIN_DELETE, TAIN_UPDATE}), 3);
    assert_int_equal(nth_changes(p, t.b, 0)->batch.rows, 1);
    assert_int_equal(t.count, 1);
}

static void shape_is_told_once(void **state)
{
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    commit(1);
    assert_string_equal(kinds(cut(), t.a), "Sc");
    start(2);
    row(t.sources[0], 2, TAIN_INSERT);
    commit(2);
    assert_string_equal(kinds(cut(), t.a), "c");
}

static void position_alone_can_be_recorded(void **state)
{
    assert_int_equal(commit(5), TAIN_OK);
    tain_part *p = cut();
    assert_true(p->final);
    assert_int_equal(p->count, 0);
    assert_string_equal(p->position.text, at(5).text);
}

static void truncation_keeps_its_place(void **state)
{
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    assert_int_equal(t.in.sink.truncate(&t.in.sink, t.sources[0], NULL, NULL), TAIN_OK);
    row(t.sources[0], 2, TAIN_INSERT);
    row(t.sources[1], 3, TAIN_INSERT);
    assert_int_equal(t.in.sink.truncate(&t.in.sink, t.sources[0], NULL, NULL), TAIN_OK);
    commit(1);
    tain_part *p = cut();
    assert_string_equal(kinds(p, t.a), "Sctct");
    assert_string_equal(kinds(p, t.b), "Sc");
}

/* --- large transactions -------------------------------------------------------------------------------------------- */

/* Rows 0..n-1 of one table over all parts, in order, with pairs of KEY_OLD and KEY_NEW never apart. */
static void check_rows(int64_t n)
{
    int64_t next = 0;
    for (size_t i = 0; i < t.count; i++) {
        for (const tain_item *item = items_of(t.parts[i], t.a); item; item = item->next) {
            if (item->kind != TAIN_ITEM_CHANGES) continue;
            const tain_batch *b = &item->changes.batch;
            assert_int_not_equal(item->changes.ops.data[0], TAIN_KEY_NEW);
            assert_int_not_equal(item->changes.ops.data[b->rows - 1], TAIN_KEY_OLD);
            for (size_t r = 0; r < b->rows; r++) assert_int_equal(((const int64_t *)b->columns[0].values.data)[r], next++);
        }
    }
    assert_int_equal(next, n);
}

static void large_transaction_goes_in_pieces(void **state)
{
    t.in.budget = 2000;
    start(1);
    row(t.sources[0], 0, TAIN_INSERT);
    commit(1);
    start(2);
    for (int i = 1; i < 3001; i += 3) {
        row(t.sources[0], i, TAIN_UPDATE);
        row(t.sources[0], i + 1, TAIN_KEY_OLD);
        row(t.sources[0], i + 2, TAIN_KEY_NEW);
    }
    tain_writer_drain(&t.mirror);
    assert_true(t.count > 10);
    for (size_t i = 0; i < t.count; i++) {
        assert_false(t.parts[i]->final);
        assert_true(t.parts[i]->changes <= 400); /* some 20 bytes a row, looked at every 64 rows */
    }
    commit(2);
    tain_part *p = cut();
    assert_true(p->final);
    assert_string_equal(p->position.text, at(2).text);
    check_rows(3001);
}

static void lost_stream_takes_the_pieces_back(void **state)
{
    t.in.budget = 2000;
    start(1);
    for (int i = 0; i < 500; i++) row(t.sources[0], i, TAIN_INSERT);
    tain_writer_drain(&t.mirror);
    assert_true(t.count > 0);
    t.mirror.position = at(0);
    tain_intake_abort(&t.in);
    assert_true(t.parts[t.count - 1]->abort);
    assert_false(t.parts[t.count - 1]->final);
    assert_false(t.in.open);
    assert_null(t.in.part);
    assert_string_equal(t.in.position.text, at(0).text);
    for (size_t i = 0; i < t.count; i++) tain_part_free(t.parts[i]);
    t.count = 0;
    start(1);
    for (int i = 0; i < 500; i++) row(t.sources[0], i, TAIN_INSERT);
    commit(1);
    cut();
    check_rows(500);
    assert_int_equal(items_of(t.parts[0], t.a)->kind, TAIN_ITEM_SCHEMA); /* told again */
}

static void lost_stream_without_pieces_is_nobodys_business(void **state)
{
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    tain_intake_abort(&t.in);
    assert_int_equal(t.count, 0);
    assert_null(t.in.part);
}

static void dead_writer_takes_no_more_memory(void **state)
{
    t.in.budget = 2000;
    pthread_mutex_lock(&t.mirror.lock);
    t.mirror.failure = (tain_error){.code = TAIN_E_CONFLICT, .message = "another writer"};
    pthread_mutex_unlock(&t.mirror.lock);
    start(1);
    int taken = 0;
    for (int i = 0; i < 100000; i++) taken += row(t.sources[0], i, TAIN_INSERT);
    assert_true(taken < 1000);
    assert_int_not_equal(commit(1), TAIN_OK);
}

static void large_rows_do_not_wait_for_the_next_look(void **state)
{
    static char body[1 << 20];
    start(1);
    for (int i = 0; i < 20; i++) {
        tain_changes *c = t.in.sink.changes(&t.in.sink, t.sources[0]);
        tain_column_append_i64(&c->batch.columns[0], i);
        tain_column_append_bytes(&c->batch.columns[1], body, sizeof body);
        tain_changes_end_row(c, TAIN_INSERT);
        assert_in_range(c->batch.rows, 1, 2);
    }
    commit(1);
    cut();
    check_rows(20);
}

/* Offsets of a column of text are 32 bits, whatever memory there is. */
static void large_budget_makes_no_larger_pieces(void **state)
{
    tain_intake in;
    tain_intake_init(&in, &t.mirror, (size_t)64 << 30);
    assert_in_range(in.budget, 1 << 20, 1 << 30);
    tain_intake_done(&in);
}

/* --- who takes what ------------------------------------------------------------------------------------------------ */

static void what_a_table_has_is_skipped(void **state)
{
    t.a->have = at(2);
    for (int i = 1; i <= 3; i++) {
        start(i);
        assert_int_equal(row(t.sources[0], i, TAIN_INSERT), i == 3);
        assert_true(row(t.sources[1], i, TAIN_INSERT));
        commit(i);
    }
    tain_part *p = cut();
    assert_int_equal(nth_changes(p, t.a, 0)->batch.rows, 1);
    assert_int_equal(nth_changes(p, t.b, 0)->batch.rows, 3);
}

/* Rows of one transaction that belong to different states. */
static void place_can_change_inside_a_transaction(void **state)
{
    t.a->have = at(5);
    start(5);
    assert_false(row(t.sources[0], 1, TAIN_INSERT));
    start(6);
    assert_true(row(t.sources[0], 2, TAIN_INSERT));
    start(4);
    assert_false(row(t.sources[0], 3, TAIN_INSERT));
    assert_true(row(t.sources[1], 3, TAIN_INSERT));
    commit(6);
    assert_int_equal(nth_changes(cut(), t.a, 0)->batch.rows, 1);
}

static void skipped_truncation_and_shape_do_nothing(void **state)
{
    t.a->have = at(5);
    start(5);
    assert_int_equal(t.in.sink.truncate(&t.in.sink, t.sources[0], NULL, NULL), TAIN_OK);
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], false, "column added", NULL), TAIN_OK);
    commit(5);
    assert_null(t.in.part);
}

static void only_replicating_tables_take_rows(void **state)
{
    static const tain_table_status others[] = {TAIN_TABLE_INITIALIZED, TAIN_TABLE_SNAPSHOTTING, TAIN_TABLE_RESEEDING, TAIN_TABLE_STOPPED, TAIN_TABLE_FAILED};
    start(1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tain_table_set_status(t.a, others[i], NULL, NULL);
        assert_false(row(t.sources[0], 1, TAIN_INSERT));
    }
    tain_source_table *stranger = make_source("stranger");
    assert_false(row(stranger, 1, TAIN_INSERT));
    assert_int_equal(t.in.sink.truncate(&t.in.sink, stranger, NULL, NULL), TAIN_OK);
    assert_int_equal(t.in.sink.dropped(&t.in.sink, stranger, NULL), TAIN_OK);
    assert_int_equal(t.in.sink.failed(&t.in.sink, stranger, "x", "y", NULL), TAIN_OK);
    t.in.sink.warn(&t.in.sink, stranger, 0, "x");
    tain_source_table_free(stranger);
    commit(1);
    assert_null(t.in.part);
}

/* --- shapes, coming and going -------------------------------------------------------------------------------------- */

static void grow(void)
{
    t.grown = t.sources[0]->columns;
    t.sources[0]->columns = tain_schema_copy(t.grown);
    tain_schema_add(t.sources[0]->columns, "extra", tain_type_of(TAIN_INT64));
}

static void new_shape_keeps_its_place(void **state)
{
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    grow();
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], false, "column added", NULL), TAIN_OK);
    row(t.sources[0], 2, TAIN_INSERT);
    commit(1);
    tain_part *p = cut();
    assert_string_equal(kinds(p, t.a), "ScSc");
    assert_int_equal(nth_changes(p, t.a, 0)->batch.schema->count, 2);
    assert_int_equal(nth_changes(p, t.a, 1)->batch.schema->count, 3);
}

static void shape_without_rows_is_told(void **state)
{
    grow();
    start(1);
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], false, "column added", NULL), TAIN_OK);
    commit(1);
    assert_string_equal(kinds(cut(), t.a), "S");
}

/* The table had the change already, its rows come later: in the new shape. */
static void skipped_shape_is_told_with_the_first_row(void **state)
{
    t.a->have = at(1);
    grow();
    start(1);
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], false, "column added", NULL), TAIN_OK);
    commit(1);
    assert_null(t.in.part);
    start(2);
    row(t.sources[0], 2, TAIN_INSERT);
    commit(2);
    tain_part *p = cut();
    assert_string_equal(kinds(p, t.a), "Sc");
    assert_int_equal(items_of(p, t.a)->shape.columns->count, 3);
}

static void reload_ends_poll(void **state)
{
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], true, "type changed", NULL), TAIN_OK);
    assert_false(row(t.sources[0], 2, TAIN_INSERT));
    assert_true(row(t.sources[1], 3, TAIN_INSERT));
    assert_int_equal(commit(1), TAIN_E_CANCELLED);
    assert_true(t.in.load_wanted);
    assert_true(t.a->needs_load);
    assert_int_equal(t.a->status, TAIN_TABLE_RESEEDING);
    assert_string_equal(t.a->reason, "type changed");
    assert_false(t.b->needs_load);
}

static void new_table_is_loaded(void **state)
{
    tain_source_table *s = make_source("new");
    start(1);
    assert_int_equal(t.in.sink.appeared(&t.in.sink, s, NULL), TAIN_OK);
    assert_false(row(s, 1, TAIN_INSERT));
    assert_int_equal(commit(1), TAIN_E_CANCELLED);
    tain_table *n = tain_mirror_find(&t.mirror, "main.new");
    assert_non_null(n);
    assert_true(n->needs_load);
    tain_source_table_find(s, TAIN_VERDICT_ERROR, "no_key", NULL, NULL, "no key");
    n->needs_load = false;
    assert_int_equal(t.in.sink.appeared(&t.in.sink, s, NULL), TAIN_OK);
    assert_false(n->needs_load);
    tain_table_free(n);
    t.mirror.table_count--;
    tain_source_table_free(s);
}

/* The source looks further than the stream has come: the one that bears the name has changes still to be told. */
static void new_table_leaves_the_name_to_whom_it_is(void **state)
{
    tain_source_table *s = make_source("a");
    start(1);
    assert_int_equal(t.in.sink.appeared(&t.in.sink, s, NULL), TAIN_OK);
    tain_table *n = s->user;
    assert_ptr_not_equal(n, t.a);
    assert_ptr_equal(t.a->source, t.sources[0]);
    assert_false(t.a->needs_load);
    assert_true(row(t.sources[0], 1, TAIN_INSERT));
    assert_true(n->needs_load && n->aside);
    assert_string_equal(n->name, "main.a");
    assert_string_not_equal(n->folder, t.a->folder);
    assert_string_equal(n->to_name, "a");
    assert_ptr_equal(tain_mirror_find(&t.mirror, "main.a"), t.a);
    tain_table_free(n);
    t.mirror.table_count--;
    tain_source_table_free(s);
}

/* Where a table is follows the stream, also while its content does not. */
static void a_table_that_is_read_again_goes_with_its_name(void **state)
{
    start(1);
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], true, "type changed", NULL), TAIN_OK);
    free(t.sources[0]->name);
    t.sources[0]->name = tain_strdup("other");
    assert_int_equal(t.in.sink.reshape(&t.in.sink, t.sources[0], false, "it was renamed", NULL), TAIN_OK);
    commit(1);
    tain_part *p = cut();
    assert_int_equal(items_of(p, t.a)->kind, TAIN_ITEM_NAME);
    assert_string_equal(items_of(p, t.a)->shape.name, "other");
}

static void warnings_are_counted_by_column(void **state)
{
    for (int i = 0; i < 5; i++) t.in.sink.warn(&t.in.sink, t.sources[0], i % 2, "value_out_of_range");
    t.in.sink.warn(&t.in.sink, t.sources[0], 1, "invalid_utf8");
    assert_int_equal(t.a->warning_count, 3);
    assert_string_equal(t.a->warnings[0].column, "k");
    assert_int_equal(t.a->warnings[0].count, 3);
    assert_int_equal(t.a->warnings[1].count, 2);
}

/* --- when ---------------------------------------------------------------------------------------------------------- */

static void freshness_decides(void **state)
{
    t.definition.freshness = 3600 * TAIN_SECOND;
    assert_int_equal(tain_intake_due_at(&t.in), INT64_MAX);
    start(1);
    tain_time before = tain_monotonic();
    row(t.sources[0], 1, TAIN_INSERT);
    tain_time due = tain_intake_due_at(&t.in);
    assert_true(due >= before + t.definition.freshness && due <= tain_monotonic() + t.definition.freshness);
    assert_false(tain_intake_due(&t.in, due)); /* the transaction is open */
    assert_int_equal(commit(1), TAIN_OK);
    assert_false(tain_intake_due(&t.in, due - 1));
    assert_true(tain_intake_due(&t.in, due));
    start(2);
    row(t.sources[0], 2, TAIN_INSERT); /* the oldest change decides */
    commit(2);
    assert_int_equal(tain_intake_due_at(&t.in), due);
    cut();
    assert_int_equal(tain_intake_due_at(&t.in), INT64_MAX);
}

static void busy_writer_gathers_more(void **state)
{
    t.definition.freshness = 0;
    pthread_mutex_lock(&t.mirror.lock);
    t.mirror.in_flight++;
    pthread_mutex_unlock(&t.mirror.lock);
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    assert_int_equal(commit(1), TAIN_OK);
    t.in.budget = 10; /* now it is large */
    assert_true(tain_intake_due(&t.in, tain_monotonic()));
    t.in.budget = 1 << 20;
    pthread_mutex_lock(&t.mirror.lock);
    t.mirror.in_flight--;
    pthread_mutex_unlock(&t.mirror.lock);
    start(2);
    assert_int_equal(commit(2), TAIN_E_CANCELLED);
}

/* A crash left a table at 7: until all are there no epoch may end. */
static void no_epoch_ends_before_all_tables_are_reached(void **state)
{
    t.definition.freshness = 0;
    t.mirror.whole = at(7);
    for (int i = 5; i <= 7; i++) {
        start(i);
        row(t.sources[0], i, TAIN_INSERT);
        assert_int_equal(commit(i), i < 7 ? TAIN_OK : TAIN_E_CANCELLED);
        assert_int_equal(tain_intake_due_at(&t.in) == INT64_MAX, i < 7);
    }
}

static void stop_ends_poll(void **state)
{
    t.definition.freshness = 3600 * TAIN_SECOND;
    start(1);
    row(t.sources[0], 1, TAIN_INSERT);
    atomic_store(&t.mirror.stop, true);
    assert_int_equal(commit(1), TAIN_E_CANCELLED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(part_has_the_transactions_in_order),
        CASE(shape_is_told_once),
        CASE(position_alone_can_be_recorded),
        CASE(truncation_keeps_its_place),
        CASE(large_transaction_goes_in_pieces),
        CASE(large_rows_do_not_wait_for_the_next_look),
        CASE(large_budget_makes_no_larger_pieces),
        CASE(lost_stream_takes_the_pieces_back),
        CASE(lost_stream_without_pieces_is_nobodys_business),
        CASE(dead_writer_takes_no_more_memory),
        CASE(what_a_table_has_is_skipped),
        CASE(place_can_change_inside_a_transaction),
        CASE(skipped_truncation_and_shape_do_nothing),
        CASE(only_replicating_tables_take_rows),
        CASE(new_shape_keeps_its_place),
        CASE(shape_without_rows_is_told),
        CASE(skipped_shape_is_told_with_the_first_row),
        CASE(reload_ends_poll),
        CASE(new_table_is_loaded), CASE(new_table_leaves_the_name_to_whom_it_is), CASE(a_table_that_is_read_again_goes_with_its_name),
        CASE(warnings_are_counted_by_column),
        CASE(freshness_decides),
        CASE(busy_writer_gathers_more),
        CASE(no_epoch_ends_before_all_tables_are_reached),
        CASE(stop_ends_poll),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
