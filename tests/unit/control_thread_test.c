/* SPDX-License-Identifier: MIT */
/* Several threads at once: each call is whole, and nobody sees half of another's. */
#include "control_fixture.h"

#include "control/connection.h"
#include "control/execution.h"
#include "control/item.h"
#include "control/token.h"
#include "control/user.h"
#include "control/workspace.h"

enum { THREADS = 6, ROUNDS = 25 };

static char workspace[37], item[37], token[TAIN_CONTROL_TOKEN_TEXT];

static void must(tain_status st)
{
    if (st != TAIN_OK) abort();
}

/* Definition and platform are changed together, so they are read as equal. */
static void change_and_compare(int me)
{
    uint8_t           bytes[64];
    tain_control_item i;
    memset(bytes, 'a' + me, sizeof bytes);
    tain_slice s = {bytes, sizeof bytes};
    must(tain_control_item_change_some(control, item, &(tain_control_item_change){.definition = s, .platform = s}, NULL));
    must(tain_control_item_get(control, item, &i, NULL));
    if (i.definition.size != 64 || memcmp(i.definition.data, i.platform.data, 64) != 0) abort();
    tain_control_item_done(&i);
}

static void keep_a_secret(int me, int round)
{
    char name[40], id[37], *got = NULL;
    snprintf(name, sizeof name, "c%d-%d", me, round);
    must(tain_control_connection_add(control, name, "postgresql://db/shop", name, id, NULL));
    must(tain_control_connection_secret(control, id, &got, NULL));
    if (strcmp(got, name) != 0) abort();
    tain_control_secret_free(got);
}

static void *work(void *arg)
{
    int me = (int)(intptr_t)arg;
    for (int round = 0; round < ROUNDS; round++) {
        tain_control_caller    caller;
        char                   id[37];
        tain_control_execution pair[2] = {{.item = item, .operation = "Replicating"}, {.item = item, .operation = "Replicating"}};
        must(tain_control_token_verify(control, token, &caller, NULL));
        change_and_compare(me);
        keep_a_secret(me, round);
        must(tain_control_execution_add(control, pair, 2, NULL));
        if (tain_control_workspace_add(control, "main", NULL, NULL, id, NULL) != TAIN_E_EXISTS) abort();
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    char                    user[37], id[37];
    pthread_t               threads[THREADS];
    tain_control_executions records;
    assert_ok(tain_control_workspace_add(control, "main", NULL, NULL, workspace, &err));
    tain_control_item i = {.workspace = workspace, .name = "a", .lake = "/lake"};
    assert_ok(tain_control_item_add(control, &i, item, &err));
    assert_ok(tain_control_user_add(control, "ann", NULL, user, &err));
    assert_ok(tain_control_token_add(control, user, "ci", TAIN_CONTROL_VIEWER, 0, id, token, &err));
    for (int t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&threads[t], NULL, work, (void *)(intptr_t)t), 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    reopen();
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){.item = item}, (tain_control_page){.most = 1000}, &records, &err));
    assert_int_equal(records.count, THREADS * ROUNDS * 2);
    tain_control_executions_done(&records);
}

static void *log_in(void *arg)
{
    char id[37];
    must(tain_control_user_verify(control, "ann", "correct horse", id, NULL));
    return NULL;
}

static void logging_in_at_once(void **state)
{
    char      user[37];
    pthread_t threads[THREADS];
    assert_ok(tain_control_user_add(control, "ann", "correct horse", user, &err));
    for (int t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&threads[t], NULL, log_in, NULL), 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(threads_do_not_disturb_each_other), TEST(logging_in_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
