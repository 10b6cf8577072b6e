/* SPDX-License-Identifier: MIT */
/* The audit log and the records of executions. */
#include "control_fixture.h"

#include "control/audit.h"
#include "control/execution.h"
#include "control/role.h"
#include "control/user.h"
#include "control/workspace.h"

static void entry(const char *user, const char *action, const char *detail)
{
    tain_control_entry e = {.user = (char *)user, .user_name = "Ann", .action = (char *)action, .object = "shop", .origin = "127.0.0.1",
                            .outcome = TAIN_CONTROL_DENIED, .detail = (char *)detail};
    assert_ok(tain_control_audit_add(control, &e, &err));
}

static size_t entries(tain_control_audit_filter f)
{
    tain_control_entries all;
    assert_ok(tain_control_audit_list(control, &f, (tain_control_page){0}, &all, &err));
    size_t n = all.count;
    tain_control_entries_done(&all);
    return n;
}

/* --- audit log ----------------------------------------------------------------------------------------------------- */

static void an_entry_is_kept(void **state)
{
    tain_control_entries all;
    entry("u1", "item.create", "from postgresql://shop:Xq7secret@db/shop");
    assert_false(home_has("Xq7secret", 9));
    assert_ok(tain_control_audit_list(control, &(tain_control_audit_filter){0}, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    const tain_control_entry *e = all.rows;
    assert_string_equal(e->user, "u1");
    assert_string_equal(e->user_name, "Ann");
    assert_string_equal(e->action, "item.create");
    assert_string_equal(e->object, "shop");
    assert_string_equal(e->origin, "127.0.0.1");
    assert_string_equal(e->detail, "from postgresql://shop:***@db/shop");
    assert_int_equal(e->outcome, TAIN_CONTROL_DENIED);
    assert_in_range(tain_now() - e->time, 0, 60 * TAIN_SECOND);
    tain_control_entries_done(&all);
}

static void it_is_only_added_to(void **state)
{
    static const char *const tries[] = {"DELETE FROM audit", "UPDATE audit SET user = 'eve'", "DELETE FROM audit WHERE seq = 1"};
    entry("u1", "a", NULL);
    for (int i = 0; i < 3; i++) {
        tain_control_read(control);
        tain_status st = tain_control_done(control, tain_sql_script(control, tries[i], &err));
        assert_fails(st, TAIN_E_INVALID, "only added to");
    }
    assert_int_equal(entries((tain_control_audit_filter){.user = "u1"}), 1);
    tain_control_entry nothing = {0};
    assert_int_equal(tain_control_audit_add(control, &nothing, &err), TAIN_E_INVALID);
}

static void what_is_old_may_go(void **state)
{
    int removed;
    entry("u1", "a", NULL);
    for (int i = 0; i < 5; i++) behind("INSERT INTO audit (time, action, outcome) VALUES (1000000, 'old', 0)");
    assert_ok(tain_control_audit_prune(control, tain_now() - 31 * 86400 * TAIN_SECOND, 2, &removed, &err));
    assert_int_equal(removed, 2);
    assert_ok(tain_control_audit_prune(control, tain_now() - 31 * 86400 * TAIN_SECOND, 100, &removed, &err));
    assert_int_equal(removed, 3);
    assert_fails(tain_control_audit_prune(control, tain_now() + TAIN_SECOND, 100, &removed, &err), TAIN_E_INVALID, "only added to");
    assert_int_equal(entries((tain_control_audit_filter){0}), 1);
}

static void entries_are_found(void **state)
{
    entry("u1", "a", NULL);
    entry("u2", "b", NULL);
    tain_time between = tain_now();
    entry("u1", "b", NULL);
    assert_int_equal(entries((tain_control_audit_filter){.user = "u1"}), 2);
    assert_int_equal(entries((tain_control_audit_filter){.action = "b"}), 2);
    assert_int_equal(entries((tain_control_audit_filter){.user = "u1", .action = "b", .object = "shop"}), 1);
    assert_int_equal(entries((tain_control_audit_filter){.object = "other"}), 0);
    assert_int_equal(entries((tain_control_audit_filter){.from = between}), 1);
    assert_int_equal(entries((tain_control_audit_filter){.until = between}), 2);
}

static void newest_first_by_pages(void **state)
{
    char name[20], *after = NULL;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        entry("u1", name, NULL);
    }
    for (int expected = 9; expected >= 0;) {
        tain_control_entries page;
        assert_ok(tain_control_audit_list(control, &(tain_control_audit_filter){0}, (tain_control_page){after, 3}, &page, &err));
        for (size_t i = 0; i < page.count; i++, expected--) assert_int_equal(atoi(page.rows[i].action), expected);
        free(after);
        after = page.next ? strdup(page.next) : NULL;
        assert_int_equal(!after, expected < 0);
        tain_control_entries_done(&page);
        entry("u1", "later", NULL);
    }
}

/* --- executions ---------------------------------------------------------------------------------------------------- */

static const tain_control_execution whole = {
    .time = 1767225600123456, .operation = "Replicating", .item = "i1", .item_name = "Shop", .workspace = "w1", .workspace_name = "Sales",
    .capacity = "c1", .start = 1767225599000000, .end = 1767225600000001, .source_type = "AzurePostgreSql", .schema = "public", .table = "orders",
    .rows = 42, .bytes = 0, .latency = 3, .error_type = "UserError", .error = "no way to postgresql://u:Xq7secret@db/shop"};

static void add(const char *item, const char *table, const char *operation, tain_time time)
{
    tain_control_execution e = {.item = (char *)item, .schema = "s", .table = (char *)table, .operation = (char *)operation, .time = time, .rows = -1,
                                .bytes = -1, .latency = -1};
    assert_ok(tain_control_execution_add(control, &e, 1, &err));
}

static size_t found(tain_control_execution_filter f)
{
    tain_control_executions all;
    assert_ok(tain_control_execution_list(control, &f, (tain_control_page){0}, &all, &err));
    size_t n = all.count;
    tain_control_executions_done(&all);
    return n;
}

static void a_record_is_kept(void **state)
{
    tain_control_executions all;
    assert_ok(tain_control_execution_add(control, &whole, 1, &err));
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    const tain_control_execution *e = all.rows;
    assert_int_equal(e->id, 1);
    assert_true(e->time == whole.time && e->start == whole.start && e->end == whole.end);
    assert_true(e->rows == 42 && e->bytes == 0 && e->latency == 3);
    char *const kept[] = {e->operation, e->item, e->item_name, e->workspace, e->workspace_name, e->capacity, e->source_type, e->schema, e->table, e->error_type};
    char *const given[] = {whole.operation, whole.item, whole.item_name, whole.workspace, whole.workspace_name, whole.capacity, whole.source_type, whole.schema, whole.table, whole.error_type};
    for (int i = 0; i < 10; i++) assert_string_equal(kept[i], given[i]);
    assert_string_equal(e->error, "no way to postgresql://u:***@db/shop");
    tain_control_executions_done(&all);
}

static void what_is_not_known_stays_so(void **state)
{
    tain_control_executions all;
    add("i1", "t", "AddTable", 0);
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){0}, &all, &err));
    assert_in_range(tain_now() - all.rows[0].time, 0, 60 * TAIN_SECOND);
    assert_true(all.rows[0].rows == -1 && all.rows[0].bytes == -1 && all.rows[0].latency == -1 && !all.rows[0].start && !all.rows[0].error);
    tain_control_executions_done(&all);
}

/* As whoever mirrors the table sees it. */
static void columns_are_as_fabric_has_them(void **state)
{
    sqlite3      *db;
    sqlite3_stmt *s;
    assert_ok(tain_control_execution_add(control, &whole, 1, &err));
    assert_int_equal(sqlite3_open(in_home("control.db"), &db), SQLITE_OK);
    const char *sql = "SELECT Timestamp, OperationName, ItemId, ItemKind, ItemName, WorkspaceId, WorkspaceName, CapacityId, CustomerTenantId, Region,"
                      " WorkspaceMonitoringTableName, OperationStartTime, OperationEndTime, MirroringSourceType, SourceTableName, SourceSchemaName,"
                      " ProcessedRows, ProcessedBytes, ReplicatorBatchLatency, ErrorType, ErrorMessage, CorrelationId, OperationId, Identity, DurationMs,"
                      " Status, Level FROM MirroredDatabaseTableExecution";
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(s, 0), "2026-01-01T00:00:00.123456Z");
    assert_string_equal(sqlite3_column_text(s, 3), "MirroredDatabase");
    assert_string_equal(sqlite3_column_text(s, 10), "MirroredDatabaseTableExecution");
    assert_string_equal(sqlite3_column_text(s, 12), "2026-01-01T00:00:00.000001Z");
    assert_string_equal(sqlite3_column_text(s, 14), "orders");
    assert_string_equal(sqlite3_column_text(s, 15), "public");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void records_are_found(void **state)
{
    add("i1", "a", "Snapshotting", 1000000);
    add("i1", "a", "Replicating", 2000000);
    add("i1", "b", "Replicating", 3000000);
    add("i2", "a", "Replicating", 4000000);
    assert_int_equal(found((tain_control_execution_filter){.item = "I1"}), 3);
    assert_int_equal(found((tain_control_execution_filter){.table = "a"}), 3);
    assert_int_equal(found((tain_control_execution_filter){.schema = "s", .operation = "Replicating"}), 3);
    assert_int_equal(found((tain_control_execution_filter){.item = "i1", .table = "a", .operation = "Replicating"}), 1);
    assert_int_equal(found((tain_control_execution_filter){.from = 2000000, .until = 4000000}), 2);
    assert_int_equal(found((tain_control_execution_filter){.item = "i1", .from = 2000001}), 1);
    assert_int_equal(found((tain_control_execution_filter){.item = "i3"}), 0);
}

static void executions_are_found_by_who_may_see_them(void **state)
{
    char workspace[37], other[37], user[37];
    assert_ok(tain_control_workspace_add(control, "a", NULL, NULL, workspace, &err));
    assert_ok(tain_control_workspace_add(control, "b", NULL, NULL, other, &err));
    assert_ok(tain_control_user_add(control, "ann", NULL, user, &err));
    tain_control_execution here = whole, there = whole;
    here.workspace = workspace, there.workspace = other;
    assert_ok(tain_control_execution_add(control, (tain_control_execution[]){here, there, whole}, 3, &err));
    assert_int_equal(found((tain_control_execution_filter){.user = user}), 0);
    assert_ok(tain_control_role_set(control, user, workspace, TAIN_CONTROL_VIEWER, &err));
    assert_int_equal(found((tain_control_execution_filter){.user = user}), 1);
    assert_ok(tain_control_role_set(control, user, other, TAIN_CONTROL_ADMIN, &err));
    assert_int_equal(found((tain_control_execution_filter){.user = user}), 2);
    assert_int_equal(found((tain_control_execution_filter){.user = ""}), 0);
    assert_int_equal(found((tain_control_execution_filter){0}), 3);
}

static void all_or_none_are_added(void **state)
{
    tain_control_execution two[2] = {whole, whole};
    two[1].operation = NULL;
    assert_int_equal(tain_control_execution_add(control, two, 2, &err), TAIN_E_INVALID);
    assert_int_equal(found((tain_control_execution_filter){0}), 0);
    assert_ok(tain_control_execution_add(control, two, 0, &err));
}

static void a_record_that_comes_again_changes_nothing(void **state)
{
    tain_control_executions all;
    tain_control_execution  two[2] = {whole, whole};
    two[0].operation_id = "run/1";
    two[1].operation_id = "run/2";
    assert_ok(tain_control_execution_add(control, two, 1, &err));
    two[0].rows = 7;
    assert_ok(tain_control_execution_add(control, two, 2, &err));
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 2);
    assert_int_equal(all.rows[1].rows, 42);
    assert_string_equal(all.rows[0].operation_id, "run/2");
    tain_control_executions_done(&all);
    two[0].item = "another";
    assert_ok(tain_control_execution_add(control, two, 1, &err));
    assert_ok(tain_control_execution_add(control, &whole, 1, &err));
    assert_ok(tain_control_execution_add(control, &whole, 1, &err));
    assert_int_equal(found((tain_control_execution_filter){0}), 5);
}

static void newest_records_first_by_pages(void **state)
{
    tain_control_executions page;
    for (int i = 0; i < 5; i++) add("i1", "t", "Replicating", 0);
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){.item = "i1"}, (tain_control_page){.most = 3}, &page, &err));
    assert_true(page.count == 3 && page.rows[0].id == 5 && page.rows[2].id == 3);
    char *after = strdup(page.next);
    tain_control_executions_done(&page);
    add("i1", "t", "Replicating", 0);
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){.item = "i1"}, (tain_control_page){after, 3}, &page, &err));
    assert_true(page.count == 2 && page.rows[0].id == 2 && !page.next);
    tain_control_executions_done(&page);
    free(after);
}

static void old_ones_go_and_their_numbers_with_them(void **state)
{
    int removed;
    for (int i = 1; i <= 5; i++) add("i1", "t", "Replicating", i * TAIN_SECOND);
    assert_ok(tain_control_execution_prune(control, 6 * TAIN_SECOND, 2, &removed, &err));
    assert_int_equal(removed, 2);
    assert_int_equal(found((tain_control_execution_filter){.from = 3 * TAIN_SECOND}), 3);
    assert_ok(tain_control_execution_prune(control, 6 * TAIN_SECOND, 100, &removed, &err));
    assert_int_equal(removed, 3);
    reopen();
    tain_control_executions all;
    add("i1", "t", "Replicating", 0);
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){0}, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.rows[0].id, 6);
    tain_control_executions_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(executions_are_found_by_who_may_see_them), TEST(an_entry_is_kept), TEST(it_is_only_added_to), TEST(what_is_old_may_go), TEST(entries_are_found), TEST(newest_first_by_pages), TEST(a_record_is_kept),
        TEST(what_is_not_known_stays_so), TEST(columns_are_as_fabric_has_them), TEST(records_are_found), TEST(all_or_none_are_added), TEST(a_record_that_comes_again_changes_nothing),
        TEST(newest_records_first_by_pages), TEST(old_ones_go_and_their_numbers_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
