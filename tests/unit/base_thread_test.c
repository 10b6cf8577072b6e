/* SPDX-License-Identifier: MIT */
/* queue.h, pool.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "base/queue.h"

enum { PER_PRODUCER = 5000, PRODUCERS = 3, CONSUMERS = 2 };

static tain_queue *queue;
static atomic_int  taken[PRODUCERS][PER_PRODUCER];
static atomic_int  disorder;

static void *produce(void *arg)
{
    uintptr_t who = (uintptr_t)arg;
    for (uintptr_t i = 0; i < PER_PRODUCER; i++) {
        if (!tain_queue_push(queue, (void *)(1 + who * PER_PRODUCER + i))) return "closed";
    }
    return NULL;
}

static void *consume(void *arg)
{
    uintptr_t last[PRODUCERS] = {0}, item;
    while ((item = (uintptr_t)tain_queue_pop(queue, INT64_MAX))) {
        uintptr_t who = (item - 1) / PER_PRODUCER;
        atomic_fetch_add(&taken[who][(item - 1) % PER_PRODUCER], 1);
        if (item <= last[who]) atomic_fetch_add(&disorder, 1);
        last[who] = item;
    }
    return NULL;
}

static void test_queue_threads(void **state)
{
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    queue = tain_queue_new(7);
    for (uintptr_t i = 0; i < CONSUMERS; i++) pthread_create(&consumers[i], NULL, consume, NULL);
    for (uintptr_t i = 0; i < PRODUCERS; i++) pthread_create(&producers[i], NULL, produce, (void *)i);
    for (int i = 0; i < PRODUCERS; i++) {
        void *answer;
        pthread_join(producers[i], &answer);
        assert_null(answer);
    }
    tain_queue_close(queue);
    for (int i = 0; i < CONSUMERS; i++) pthread_join(consumers[i], NULL);
    for (int p = 0; p < PRODUCERS; p++) {
        for (int i = 0; i < PER_PRODUCER; i++) assert_int_equal(taken[p][i], 1);
    }
    assert_int_equal(disorder, 0);
    tain_queue_free(queue);
}

static void test_queue_bounds(void **state)
{
    int         a, b, c;
    tain_queue *q = tain_queue_new(2);
    assert_null(tain_queue_pop(q, 0));
    tain_time before = tain_monotonic();
    assert_null(tain_queue_pop(q, before + 5 * TAIN_MILLISECOND));
    assert_true(tain_monotonic() - before >= 5 * TAIN_MILLISECOND);
    assert_true(tain_queue_try_push(q, &a));
    assert_true(tain_queue_push(q, &b));
    assert_false(tain_queue_try_push(q, &c));
    assert_int_equal(tain_queue_size(q), 2);
    assert_false(tain_queue_closed(q));
    tain_queue_close(q);
    assert_true(tain_queue_closed(q));
    assert_false(tain_queue_push(q, &c));
    assert_false(tain_queue_try_push(q, &c));
    assert_ptr_equal(tain_queue_pop(q, 0), &a);
    assert_ptr_equal(tain_queue_pop(q, INT64_MAX), &b);
    assert_null(tain_queue_pop(q, INT64_MAX));
    tain_queue_free(q);
    tain_queue_free(NULL);
}

/* A full queue's pusher is let go by close. */
static void test_queue_close_wakes(void **state)
{
    pthread_t waiter;
    void     *answer;
    queue = tain_queue_new(1);
    pthread_create(&waiter, NULL, produce, (void *)0);
    assert_non_null(tain_queue_pop(queue, INT64_MAX));
    tain_queue_close(queue);
    pthread_join(waiter, &answer);
    assert_string_equal(answer, "closed");
    while (tain_queue_pop(queue, 0)) {}
    tain_queue_free(queue);
}

typedef struct task {
    int        number, runs;
    bool       fails;
    tain_pool *nested;
} task;

static tain_status run_task(void *item, tain_error *err)
{
    task *t = item;
    t->runs++;
    if (t->nested) {
        task  inner[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
        void *items[3] = {&inner[0], &inner[1], &inner[2]};
        TAIN_TRY(tain_pool_run(t->nested, run_task, items, 3, err));
        if (inner[0].runs + inner[1].runs + inner[2].runs != 3) return tain_fail(err, TAIN_E_INTERNAL, "nested");
    }
    return t->fails ? tain_fail(err, TAIN_E_IO, "task %d", t->number) : TAIN_OK;
}

static void test_pool(void **state)
{
    enum { N = 500 };
    static task  tasks[N];
    static void *items[N];
    tain_error   err;
    for (size_t threads = 0; threads < 4; threads++) {
        tain_pool *p = tain_pool_new(threads);
        assert_int_equal(tain_pool_run(p, run_task, items, 0, &err), TAIN_OK);
        for (int i = 0; i < N; i++) {
            tasks[i] = (task){.number = i, .nested = i % 50 ? NULL : p};
            items[i] = &tasks[i];
        }
        assert_int_equal(tain_pool_run(p, run_task, items, N, &err), TAIN_OK);
        tasks[499].fails = tasks[77].fails = tasks[78].fails = true;
        assert_int_equal(tain_pool_run(p, run_task, items, N, &err), TAIN_E_IO);
        assert_string_equal(err.message, "task 77");
        assert_int_equal(tain_pool_run(p, run_task, items, N, NULL), TAIN_E_IO);
        for (int i = 0; i < N; i++) assert_int_equal(tasks[i].runs, 3);
        tain_pool_free(p);
    }
    tain_pool_free(NULL);
}

static tain_pool *shared;

static void *run_from_thread(void *arg)
{
    for (int round = 0; round < 200; round++) {
        task  tasks[5] = {0};
        void *items[5];
        for (int i = 0; i < 5; i++) items[i] = &tasks[i];
        if (tain_pool_run(shared, run_task, items, 5, NULL) != TAIN_OK) return "failed";
        for (int i = 0; i < 5; i++) {
            if (tasks[i].runs != 1) return "not once";
        }
    }
    return NULL;
}

static void test_pool_shared(void **state)
{
    pthread_t threads[3];
    shared = tain_pool_new(2);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, run_from_thread, NULL);
    for (int i = 0; i < 3; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        assert_null(answer);
    }
    tain_pool_free(shared);
}

/* Two tasks that wait for each other end only when they run side by side. */
static tain_status meet(void *item, tain_error *err)
{
    pthread_barrier_wait(item);
    return TAIN_OK;
}

static void test_pool_is_parallel(void **state)
{
    pthread_barrier_t b;
    pthread_barrier_init(&b, NULL, 3);
    void      *items[3] = {&b, &b, &b};
    tain_pool *p = tain_pool_new(2);
    assert_int_equal(tain_pool_run(p, meet, items, 3, NULL), TAIN_OK);
    tain_pool_free(p);
    pthread_barrier_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_threads), cmocka_unit_test(test_queue_bounds), cmocka_unit_test(test_queue_close_wakes),
        cmocka_unit_test(test_pool),          cmocka_unit_test(test_pool_shared),  cmocka_unit_test(test_pool_is_parallel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
