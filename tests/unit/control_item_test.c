/* SPDX-License-Identifier: MIT */
/* Workspaces, mirrored databases in them, and lists by page. */
#include "control_fixture.h"

#include "base/time.h"
#include "control/item.h"
#include "control/user.h"
#include "control/workspace.h"
#include "seed.h"

static char workspace[37], id[37];

static tain_buffer buffer_of(const void *data, size_t n)
{
    tain_buffer b = {0};
    tain_buffer_append(&b, data, n);
    return b;
}

static tain_status add_to(const char *where, const char *name)
{
    tain_control_item i = {.workspace = (char *)where, .name = (char *)name, .lake = "/lake"};
    return tain_control_item_add(control, &i, id, &err);
}

static void add(const char *name)
{
    if (!*workspace) assert_ok(tain_control_workspace_add(control, "main", NULL, NULL, workspace, &err));
    assert_ok(add_to(workspace, name));
}

static int begin_items(void **state)
{
    *workspace = 0;
    return begin(state);
}

/* --- workspaces ---------------------------------------------------------------------------------------------------- */

static void a_workspace(void **state)
{
    tain_control_workspace w;
    assert_ok(tain_control_workspace_add(control, "Verkauf \xC3\xA4", "all of it", "ABCDEF00-0000-4000-8000-000000000001", id, &err));
    assert_ok(tain_control_workspace_get(control, id, &w, &err));
    assert_string_equal(w.id, id);
    assert_string_equal(w.name, "Verkauf \xC3\xA4");
    assert_string_equal(w.description, "all of it");
    assert_string_equal(w.capacity, "abcdef00-0000-4000-8000-000000000001");
    assert_true(w.created > 0 && w.changed == w.created);
    tain_control_workspace_done(&w);
    assert_ok(tain_control_workspace_change(control, id, NULL, "less", &err));
    assert_ok(tain_control_workspace_change(control, id, "Sales", NULL, &err));
    assert_ok(tain_control_workspace_find(control, "Sales", &w, &err));
    assert_string_equal(w.description, "less");
    assert_true(w.changed > w.created);
    tain_control_workspace_done(&w);
    assert_fails(tain_control_workspace_find(control, "Verkauf", &w, &err), TAIN_E_NOT_FOUND, "no workspace 'Verkauf'");
}

static void a_capacity_is_always_set(void **state)
{
    tain_control_workspace w;
    assert_ok(tain_control_workspace_add(control, "a", NULL, NULL, id, &err));
    assert_ok(tain_control_workspace_get(control, id, &w, &err));
    assert_int_equal(strlen(w.capacity), 36);
    assert_string_equal(w.description, "");
    tain_control_workspace_done(&w);
}

static void what_no_workspace_is_called(void **state)
{
    char long_name[300], fits[600] = "";
    memset(long_name, 'x', 257);
    long_name[257] = 0;
    for (int i = 0; i < 256; i++) memcpy(fits + 2 * i, "\xC3\xA4", 2);
    assert_ok(tain_control_workspace_add(control, fits, fits, NULL, id, &err));
    assert_fails(tain_control_workspace_add(control, fits, NULL, NULL, id, &err), TAIN_E_EXISTS, "already");
    assert_fails(tain_control_workspace_add(control, long_name, NULL, NULL, id, &err), TAIN_E_INVALID, "256");
    assert_fails(tain_control_workspace_add(control, "", NULL, NULL, id, &err), TAIN_E_INVALID, "needs a name");
    assert_fails(tain_control_workspace_add(control, "a\nb", NULL, NULL, id, &err), TAIN_E_INVALID, "control characters");
    assert_fails(tain_control_workspace_add(control, "a\xFF", NULL, NULL, id, &err), TAIN_E_INVALID, "UTF-8");
    assert_fails(tain_control_workspace_add(control, "a", long_name, NULL, id, &err), TAIN_E_INVALID, "256");
    assert_fails(tain_control_workspace_change(control, "nowhere", "b", NULL, &err), TAIN_E_NOT_FOUND, "nowhere");
}

static void one_with_items_stays(void **state)
{
    add("a");
    assert_fails(tain_control_workspace_remove(control, workspace, &err), TAIN_E_EXISTS, "1 mirrored databases");
    assert_ok(tain_control_item_remove(control, id, &err));
    assert_ok(tain_control_workspace_remove(control, workspace, &err));
    assert_fails(tain_control_workspace_remove(control, workspace, &err), TAIN_E_NOT_FOUND, workspace);
}

/* --- items --------------------------------------------------------------------------------------------------------- */

static void check_first(const tain_control_item *i)
{
    assert_string_equal(i->id, id);
    assert_string_equal(i->workspace, workspace);
    assert_string_equal(i->name, "Shop");
    assert_string_equal(i->description, "the shop");
    assert_string_equal(i->logical_id, "11111111-0000-4000-8000-000000000001");
    assert_string_equal(i->lake, "/lake");
    assert_null(i->owner);
    assert_int_equal(i->state, TAIN_CONTROL_PAUSED);
    assert_int_equal(i->definition.size, 9);
    assert_memory_equal(i->definition.data, "{\r\n\0\xFF \t}\n", 9);
    assert_int_equal(i->platform.size, 3);
    assert_memory_equal(i->platform.data, "{ }", 3);
}

static void an_item_is_kept_to_the_byte(void **state)
{
    assert_ok(tain_control_workspace_add(control, "main", NULL, NULL, workspace, &err));
    tain_control_item got, i = {.workspace = workspace, .name = "Shop", .description = "the shop", .lake = "/lake", .state = TAIN_CONTROL_PAUSED,
                                .logical_id = "11111111-0000-4000-8000-000000000001"};
    i.definition = buffer_of("{\r\n\0\xFF \t}\n", 9);
    i.platform = buffer_of("{ }", 3);
    assert_ok(tain_control_item_add(control, &i, id, &err));
    tain_buffer_done(&i.definition);
    tain_buffer_done(&i.platform);
    reopen();
    assert_ok(tain_control_item_get(control, id, &got, &err));
    check_first(&got);
    tain_control_item_done(&got);
    assert_ok(tain_control_item_find(control, workspace, "Shop", &got, &err));
    check_first(&got);
    tain_control_item_done(&got);
    assert_fails(tain_control_item_find(control, workspace, "shop", &got, &err), TAIN_E_NOT_FOUND, "'shop'");
}

static void a_change_is_of_what_is_given(void **state)
{
    tain_control_item i;
    tain_slice        definition = {(const uint8_t *)"{2}", 3}, nothing = {(const uint8_t *)"", 0};
    add("a");
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.definition = definition, .platform = definition}, &err));
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.name = "b", .platform = nothing}, &err));
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.description = "d", .lake = "/other", .logical_id = "l"}, &err));
    assert_ok(tain_control_item_want(control, id, TAIN_CONTROL_RUNNING, &err));
    assert_ok(tain_control_item_get(control, id, &i, &err));
    assert_string_equal(i.name, "b");
    assert_string_equal(i.description, "d");
    assert_string_equal(i.lake, "/other");
    assert_string_equal(i.logical_id, "l");
    assert_int_equal(i.state, TAIN_CONTROL_RUNNING);
    assert_int_equal(i.definition.size, 3);
    assert_int_equal(i.platform.size, 0);
    assert_true(i.changed > i.created);
    tain_control_item_done(&i);
}

static void a_definition_is_changed_if_it_is_still_that(void **state)
{
    tain_control_item i;
    const tain_slice  one = {(const uint8_t *)"{1}", 3}, two = {(const uint8_t *)"{2}", 3};
    add("a");
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.definition = one}, &err));
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.definition = two, .if_definition = one}, &err));
    assert_fails(tain_control_item_change_some(control, id, &(tain_control_item_change){.definition = one, .if_definition = one}, &err), TAIN_E_CONFLICT, "meanwhile");
    assert_ok(tain_control_item_get(control, id, &i, &err));
    assert_memory_equal(i.definition.data, "{2}", 3);
    tain_control_item_done(&i);
    assert_fails(tain_control_item_change_some(control, "11111111-1111-4111-8111-111111111111", &(tain_control_item_change){.definition = one, .if_definition = one}, &err),
                 TAIN_E_NOT_FOUND, "no mirrored database");
}

static void names_are_unique_in_a_workspace(void **state)
{
    char other[37];
    add("a");
    assert_fails(add_to(workspace, "a"), TAIN_E_EXISTS, "'a' already in this workspace");
    assert_ok(tain_control_workspace_add(control, "other", NULL, NULL, other, &err));
    assert_ok(add_to(other, "a"));
    assert_ok(add_to(other, "b"));
    assert_fails(tain_control_item_change_some(control, id, &(tain_control_item_change){.name = "a"}, &err), TAIN_E_EXISTS, "'a'");
}

static void what_is_unknown_or_unfit(void **state)
{
    tain_control_item i = {0};
    add("a");
    assert_fails(add_to("nowhere", "b"), TAIN_E_NOT_FOUND, "no workspace 'nowhere'");
    assert_fails(add_to(workspace, ""), TAIN_E_INVALID, "needs a name");
    assert_fails(tain_control_item_get(control, "nowhere", &i, &err), TAIN_E_NOT_FOUND, "nowhere");
    assert_fails(tain_control_item_want(control, "nowhere", TAIN_CONTROL_RUNNING, &err), TAIN_E_NOT_FOUND, "nowhere");
    assert_fails(tain_control_item_remove(control, "nowhere", &err), TAIN_E_NOT_FOUND, "nowhere");
    i = (tain_control_item){.workspace = workspace, .name = "b", .lake = "s3://key:Xq7secret@bucket/lake"};
    assert_fails(tain_control_item_add(control, &i, id, &err), TAIN_E_INVALID, "password");
    assert_null(strstr(err.message, "Xq7secret"));
    i = (tain_control_item){.workspace = workspace, .name = "b", .lake = "/lake", .owner = "nobody"};
    assert_fails(tain_control_item_add(control, &i, id, &err), TAIN_E_NOT_FOUND, "no user 'nobody'");
    assert_fails(tain_control_item_want(control, id, (tain_control_state)7, &err), TAIN_E_INVALID, "CHECK");
}

static void ownership_goes_over(void **state)
{
    char              ann[37], bob[37];
    tain_control_item i;
    add("a");
    assert_ok(tain_control_user_add(control, "ann", NULL, ann, &err));
    assert_ok(tain_control_user_add(control, "bob", NULL, bob, &err));
    assert_ok(tain_control_item_transfer(control, id, ann, &err));
    assert_fails(tain_control_user_remove(control, ann, &err), TAIN_E_EXISTS, "owns 1 mirrored");
    assert_ok(tain_control_item_transfer(control, id, bob, &err));
    assert_ok(tain_control_user_remove(control, ann, &err));
    assert_fails(tain_control_item_transfer(control, id, ann, &err), TAIN_E_NOT_FOUND, "no user");
    assert_ok(tain_control_item_get(control, id, &i, &err));
    assert_string_equal(i.owner, bob);
    tain_control_item_done(&i);
    assert_ok(tain_control_item_transfer(control, id, NULL, &err));
    assert_ok(tain_control_user_remove(control, bob, &err));
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

static void lists_leave_definitions_out(void **state)
{
    tain_control_items all;
    add("a");
    assert_ok(tain_control_item_change_some(control, id, &(tain_control_item_change){.definition = {(const uint8_t *)"{}", 2}}, &err));
    assert_ok(tain_control_item_list(control, workspace, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    assert_string_equal(all.rows[0].name, "a");
    assert_int_equal(all.rows[0].definition.size, 0);
    assert_null(all.next);
    tain_control_items_done(&all);
}

/* Walks all pages while items before and behind come and go: each of those that stay is seen once, in order. */
static void pages_neither_repeat_nor_leave_out(void **state)
{
    char  ids[60][37], name[20], *after = NULL;
    int   seen = 0, pages = 0;
    seed_begin();
    add("before all");
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%03d", i);
        add(name);
        memcpy(ids[i], id, sizeof id);
    }
    for (bool more = true; more; pages++) {
        tain_control_items page;
        assert_ok(tain_control_item_list(control, pages % 2 ? NULL : workspace, (tain_control_page){after, 1 + pick(9)}, &page, &err));
        for (size_t i = 0; i < page.count; i++) {
            if (page.rows[i].name[0] < '0' || page.rows[i].name[0] > '9') continue;
            while (pages > 0 && seen % 5 == 4) seen++; /* removed behind the first page */
            snprintf(name, sizeof name, "%03d", seen++);
            assert_string_equal(page.rows[i].name, name);
        }
        if (pages == 0)
            for (int i = 59; i >= 0; i -= 5) assert_ok(tain_control_item_remove(control, ids[i], &err));
        free(after);
        after = page.next ? strdup(page.next) : NULL;
        more = after != NULL;
        tain_control_items_done(&page);
    }
    assert_in_range(seen, 59, 60);
}

static void the_last_page_says_so(void **state)
{
    tain_control_items page;
    add("a");
    add("b");
    assert_ok(tain_control_item_list(control, workspace, (tain_control_page){.most = 2}, &page, &err));
    assert_int_equal(page.count, 2);
    assert_null(page.next);
    tain_control_items_done(&page);
    assert_ok(tain_control_item_list(control, workspace, (tain_control_page){.most = 1}, &page, &err));
    assert_int_equal(page.count, 1);
    assert_non_null(page.next);
    tain_control_items_done(&page);
    static const char *const bad[] = {"", "x", "-1", "1 ", "99999999999999999999", "1'"};
    for (size_t i = 0; i < 6; i++)
        assert_fails(tain_control_item_list(control, workspace, (tain_control_page){.after = bad[i]}, &page, &err), TAIN_E_INVALID, "continuation token");
}

/* As many as no page holds. */
static void all_of_a_list(void **state)
{
    tain_control_items all;
    add("first");
    behind("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
           " INSERT INTO item (id, workspace, name, description, logical_id, lake, state, definition, platform, created, changed)"
           " SELECT printf('%08d-0000-4000-8000-000000000000', i), workspace, i, '', '', lake, 0, x'', x'', created, changed FROM n, item WHERE name = 'first'");
    assert_ok(tain_control_item_list(control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, &err));
    assert_int_equal(all.count, 1501);
    assert_string_equal(all.rows[1500].name, "1500");
    assert_null(all.next);
    tain_control_items_done(&all);
    assert_ok(tain_control_item_list(control, workspace, (tain_control_page){.most = 5000}, &all, &err));
    assert_int_equal(all.count, 1000);
    assert_non_null(all.next);
    tain_control_items_done(&all);
}

#define ITEM_TEST(name) cmocka_unit_test_setup_teardown(name, begin_items, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(a_workspace), ITEM_TEST(a_capacity_is_always_set), ITEM_TEST(what_no_workspace_is_called), ITEM_TEST(one_with_items_stays),
        ITEM_TEST(an_item_is_kept_to_the_byte), ITEM_TEST(a_change_is_of_what_is_given), ITEM_TEST(a_definition_is_changed_if_it_is_still_that), ITEM_TEST(names_are_unique_in_a_workspace),
        ITEM_TEST(what_is_unknown_or_unfit), ITEM_TEST(ownership_goes_over), ITEM_TEST(lists_leave_definitions_out),
        ITEM_TEST(pages_neither_repeat_nor_leave_out), ITEM_TEST(the_last_page_says_so), ITEM_TEST(all_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
