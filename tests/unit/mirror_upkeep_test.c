/* SPDX-License-Identifier: MIT */
/* Upkeep when it is not alone: lanes without room, and what others commit between its steps. */
#include "mirror_bench.h"
#include "mirror/feed/feed.h"

/* --- lanes that nobody works in ------------------------------------------------------------------------------------ */

/* From here on jobs wait. */
static void hold_lanes(bench *b, size_t room)
{
    tain_upkeep_stop(&b->mirror);
    for (int i = 0; i < TAIN_LANES; i++) b->mirror.lanes[i].jobs = tain_queue_new(room);
}

static void release_lanes(bench *b)
{
    tain_queue *held[TAIN_LANES];
    for (int i = 0; i < TAIN_LANES; i++) held[i] = b->mirror.lanes[i].jobs;
    OK(tain_upkeep_start(&b->mirror, &err));
    for (int i = 0; i < TAIN_LANES; i++) {
        for (void *job; (job = tain_queue_pop(held[i], 0));) assert_true(tain_queue_push(b->mirror.lanes[i].jobs, job));
        tain_queue_free(held[i]);
    }
}

/* What is due stays due until there is room, though no commit comes any more. */
static void a_full_lane_is_tried_again(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    hold_lanes(&b, 1);
    tain_queue *lane = b.mirror.lanes[TAIN_LANE_LIGHT].jobs;
    assert_true(tain_queue_push(lane, &b));
    for (int e = 1; e <= 20; e++) {
        apply_some(&b, 10);
        commit(&b, e);
    }
    assert_null(b.table->tended.jobs[TAIN_LANE_LIGHT]);
    b.table->tended.rewritten = 1 << 20; /* counts, though upkeep has not come to an end yet */
    apply_some(&b, 10);
    commit(&b, 21);
    assert_int_equal(b.table->tended.rewritten, 1 << 20);
    assert_ptr_equal(tain_queue_pop(lane, 0), &b);
    tain_upkeep_step(&b.mirror);
    assert_non_null(b.table->tended.jobs[TAIN_LANE_LIGHT]);
    release_lanes(&b);
    finish_upkeep(&b);
    assert_true(tain_delta_file_count(b.table->delta) < 20);
    compare(&b);
    end(&b);
}

/* --- others -------------------------------------------------------------------------------------------------------- */

/* A row that there was not, which asks nothing of files that there are. */
static void insert_one(bench *b)
{
    tain_changes c;
    int key = 0;
    while (b->model[key].there) key++;
    tain_changes_init(&c, b->table->schema);
    fill(b, &b->model[key]);
    put_row(b, &c, key, &b->model[key], false);
    tain_changes_end_row(&c, TAIN_INSERT);
    OK(tain_apply_changes(b->table, &c, &err));
    tain_changes_done(&c);
}

/* An epoch has taken in what others did to the files that upkeep is about to read: nothing is wrong with the table. */
static void inputs_go_before_they_are_read(void **state)
{
    bench b;
    char *old[64];
    begin(&b, INTEGER_KEY);
    hold_lanes(&b, 64);
    begin_merge(&b);
    size_t n = live_paths(&b, old);
    optimize_elsewhere(&b);
    insert_one(&b);
    commit(&b, 50);
    for (size_t i = 0; i < n; i++) {
        OK(tain_store_remove(b.table->store, old[i], &err));
        free(old[i]);
    }
    release_lanes(&b);
    finish_upkeep(&b);
    if (b.table->status != TAIN_TABLE_REPLICATING) fail_msg("failed: %s", b.table->reason);
    apply_some(&b, 100);
    commit(&b, 51);
    compare(&b);
    end(&b);
}

static void go_on(bench *b, int epoch)
{
    for (int i = 0; i < 5; i++) {
        apply_some(b, 60);
        commit(b, epoch + i);
        compare(b);
    }
    assert_int_equal(b->table->status, TAIN_TABLE_REPLICATING);
}

/* Rows that another program moved just before are found where they are. */
static void moved_elsewhere_before_vectors_are_given_up(void **state)
{
    bench b;
    begin(&b, INTEGER_KEY);
    for (int e = 1; e <= 3; e++) {
        insert_one(&b);
        commit(&b, e);
    }
    finish_upkeep(&b);
    optimize_elsewhere(&b);
    b.table->compat = true;
    for (int tries = 0; tain_delta_has_vectors(b.table->delta); tries++) {
        assert_true(tries < 5);
        b.table->tended.kept_up = -1;
        tain_upkeep_step(&b.mirror);
    }
    go_on(&b, 4);
    end(&b);
}

static void moved_elsewhere_before_the_feed_is_switched(void **state)
{
    bench b;
    int64_t others;
    begin(&b, INTEGER_KEY);
    for (int e = 1; e <= 3; e++) {
        apply_some(&b, 60);
        commit(&b, e);
    }
    finish_upkeep(&b);
    optimize_elsewhere(&b);
    b.table->feed = TAIN_FEED_ON;
    OK(tain_feed_switch(b.table, &others, &err));
    assert_int_equal(others, 1);
    OK(tain_table_follow_others(b.table, others, &err));
    assert_true(tain_delta_has_feed(b.table->delta));
    b.table->tended.set = false;
    b.table->retention = 172800 * TAIN_SECOND; /* one commit more, before the next epoch */
    tain_upkeep_step(&b.mirror);
    go_on(&b, 4);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_lane_is_tried_again),
        cmocka_unit_test(inputs_go_before_they_are_read),
        cmocka_unit_test(moved_elsewhere_before_vectors_are_given_up),
        cmocka_unit_test(moved_elsewhere_before_the_feed_is_switched),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
