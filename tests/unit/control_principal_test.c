/* SPDX-License-Identifier: MIT */
/* Users, roles and tokens. */
#include "control_fixture.h"

#include "control/password.h"
#include "control/role.h"
#include "control/token.h"
#include "control/user.h"
#include "control/workspace.h"

static char ann[37], id[37], text[TAIN_CONTROL_TOKEN_TEXT];
static tain_control_caller caller;

static void add_ann(void)
{
    assert_ok(tain_control_user_add(control, "ann", "correct horse", ann, &err));
}

static tain_control_role role_in(const char *user, const char *workspace)
{
    tain_control_role role;
    assert_ok(tain_control_role_get(control, user, workspace, &role, &err));
    return role;
}

static void add_token(tain_time expires)
{
    assert_ok(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_CONTRIBUTOR, expires, id, text, &err));
}

/* --- passwords ----------------------------------------------------------------------------------------------------- */

static void a_password_opens(void **state)
{
    add_ann();
    assert_ok(tain_control_user_verify(control, "ann", "correct horse", id, &err));
    assert_string_equal(id, ann);
    assert_false(home_has("correct horse", 13));
    reopen();
    assert_ok(tain_control_user_verify(control, "ann", "correct horse", id, &err));
}

static void all_else_is_refused_alike(void **state)
{
    char      message[sizeof err.message], eve[37];
    add_ann();
    assert_ok(tain_control_user_add(control, "eve", NULL, eve, &err));
    assert_fails(tain_control_user_verify(control, "ann", "wrong horse", id, &err), TAIN_E_AUTH, "wrong");
    memcpy(message, err.message, sizeof message);
    static const char *const tries[][2] = {{"ann", ""}, {"ann", "correct hors"}, {"ann", "correct horse "}, {"nobody", "correct horse"}, {"eve", "correct horse"}, {"Ann", "correct horse"}, {"", ""}};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) assert_fails(tain_control_user_verify(control, tries[i][0], tries[i][1], id, &err), TAIN_E_AUTH, message);
    assert_ok(tain_control_user_disable(control, ann, true, &err));
    assert_fails(tain_control_user_verify(control, "ann", "correct horse", id, &err), TAIN_E_AUTH, message);
}

/* By the work that is done, not by the clock: one who is not there costs about as much processor as one who is. */
static clock_t work_of(const char *name)
{
    clock_t before = clock();
    assert_int_equal(tain_control_user_verify(control, name, "wrong horse", id, &err), TAIN_E_AUTH);
    return clock() - before;
}

static void a_name_is_not_told_by_time(void **state)
{
    add_ann();
    clock_t there = work_of("ann"), not_there = work_of("nobody");
    assert_true(not_there * 3 > there && there * 3 > not_there);
}

static void equal_passwords_look_different(void **state)
{
    tain_password a, b;
    bool          right;
    assert_ok(tain_password_make("correct horse", &a, &err));
    assert_ok(tain_password_make("correct horse", &b, &err));
    assert_memory_not_equal(a.hash, b.hash, sizeof a.hash);
    assert_ok(tain_password_is(&a, "correct horse", &right, &err));
    assert_true(right);
    a.hash[31] ^= 1;
    assert_ok(tain_password_is(&a, "correct horse", &right, &err));
    assert_false(right);
    assert_fails(tain_password_make("seven77", &a, &err), TAIN_E_INVALID, "8 to 1024");
    a.cost = 60;
    assert_int_equal(tain_password_is(&a, "correct horse", &right, &err), TAIN_E_INTERNAL);
}

static void another_password_ends_sessions(void **state)
{
    char token[TAIN_CONTROL_TOKEN_TEXT];
    add_ann();
    add_token(0);
    memcpy(token, text, sizeof text);
    assert_ok(tain_control_session_add(control, ann, TAIN_SECOND * 600, id, text, &err));
    assert_fails(tain_control_user_set_password(control, ann, "short", &err), TAIN_E_INVALID, "8 to 1024");
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    assert_ok(tain_control_user_set_password(control, ann, "battery staple", &err));
    assert_fails(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH, "not valid");
    assert_ok(tain_control_token_verify(control, token, &caller, &err));
    assert_fails(tain_control_user_verify(control, "ann", "correct horse", id, &err), TAIN_E_AUTH, "wrong");
    assert_ok(tain_control_user_verify(control, "ann", "battery staple", id, &err));
    assert_ok(tain_control_user_set_password(control, ann, NULL, &err));
    assert_fails(tain_control_user_verify(control, "ann", "battery staple", id, &err), TAIN_E_AUTH, "wrong");
}

/* --- users --------------------------------------------------------------------------------------------------------- */

static void users(void **state)
{
    tain_control_user  u;
    tain_control_users all;
    add_ann();
    assert_fails(tain_control_user_add(control, "ann", NULL, id, &err), TAIN_E_EXISTS, "'ann'");
    assert_fails(tain_control_user_add(control, "eve", "short", id, &err), TAIN_E_INVALID, "8 to 1024");
    assert_ok(tain_control_user_add(control, "bob", NULL, id, &err));
    assert_ok(tain_control_user_find(control, "bob", &u, &err));
    assert_true(!u.has_password && !u.disabled && u.created > 0);
    tain_control_user_done(&u);
    assert_ok(tain_control_user_list(control, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 2);
    assert_true(all.rows[0].has_password);
    tain_control_users_done(&all);
    assert_ok(tain_control_user_remove(control, id, &err));
    assert_fails(tain_control_user_get(control, id, &u, &err), TAIN_E_NOT_FOUND, id);
    assert_fails(tain_control_user_disable(control, id, true, &err), TAIN_E_NOT_FOUND, id);
}

/* --- roles --------------------------------------------------------------------------------------------------------- */

static void the_larger_role_holds(void **state)
{
    char a[37], b[37];
    add_ann();
    assert_ok(tain_control_workspace_add(control, "a", NULL, NULL, a, &err));
    assert_ok(tain_control_workspace_add(control, "b", NULL, NULL, b, &err));
    assert_int_equal(role_in(ann, a), TAIN_CONTROL_NOBODY);
    assert_ok(tain_control_role_set(control, ann, a, TAIN_CONTROL_ADMIN, &err));
    assert_ok(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_VIEWER, &err));
    assert_int_equal(role_in(ann, a), TAIN_CONTROL_ADMIN);
    assert_int_equal(role_in(ann, b), TAIN_CONTROL_VIEWER);
    assert_int_equal(role_in(ann, NULL), TAIN_CONTROL_VIEWER);
    assert_ok(tain_control_role_set(control, ann, a, TAIN_CONTROL_CONTRIBUTOR, &err));
    assert_int_equal(role_in(ann, a), TAIN_CONTROL_CONTRIBUTOR);
    assert_ok(tain_control_role_set(control, ann, a, TAIN_CONTROL_NOBODY, &err));
    assert_int_equal(role_in(ann, a), TAIN_CONTROL_VIEWER);
    assert_ok(tain_control_user_disable(control, ann, true, &err));
    assert_int_equal(role_in(ann, a), TAIN_CONTROL_NOBODY);
    assert_fails(tain_control_role_set(control, "nobody", a, TAIN_CONTROL_VIEWER, &err), TAIN_E_NOT_FOUND, "no user 'nobody'");
    assert_fails(tain_control_role_set(control, ann, "nowhere", TAIN_CONTROL_VIEWER, &err), TAIN_E_NOT_FOUND, "no workspace 'nowhere'");
}

static void roles_go_with_what_they_are_of(void **state)
{
    char                a[37];
    tain_control_grants all;
    add_ann();
    assert_ok(tain_control_workspace_add(control, "a", NULL, NULL, a, &err));
    assert_ok(tain_control_role_set(control, ann, a, TAIN_CONTROL_VIEWER, &err));
    assert_ok(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_VIEWER, &err));
    assert_ok(tain_control_role_list(control, ann, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 2);
    assert_string_equal(all.rows[0].workspace, a);
    assert_null(all.rows[1].workspace);
    tain_control_grants_done(&all);
    assert_ok(tain_control_workspace_remove(control, a, &err));
    assert_ok(tain_control_role_list(control, NULL, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    tain_control_grants_done(&all);
    assert_ok(tain_control_user_remove(control, ann, &err));
    assert_ok(tain_control_role_list(control, NULL, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 0);
    tain_control_grants_done(&all);
}

static void the_last_administrator_stays(void **state)
{
    char bob[37];
    add_ann();
    assert_ok(tain_control_user_add(control, "bob", NULL, bob, &err));
    assert_ok(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_ADMIN, &err));
    assert_fails(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_VIEWER, &err), TAIN_E_INVALID, "last administrator");
    assert_fails(tain_control_user_disable(control, ann, true, &err), TAIN_E_INVALID, "last administrator");
    assert_fails(tain_control_user_remove(control, ann, &err), TAIN_E_INVALID, "last administrator");
    assert_int_equal(role_in(ann, NULL), TAIN_CONTROL_ADMIN);
    assert_ok(tain_control_role_set(control, bob, NULL, TAIN_CONTROL_ADMIN, &err));
    assert_ok(tain_control_user_remove(control, ann, &err));
    assert_fails(tain_control_user_remove(control, bob, &err), TAIN_E_INVALID, "last administrator");
}

static void changes_are_made_together(void **state)
{
    char nobody[37] = "";
    add_ann();
    assert_ok(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_ADMIN, &err));
    const tain_control_grant wrong[] = {{.role = TAIN_CONTROL_VIEWER}, {.workspace = (char *)"5e0a0000-0000-4000-8000-000000000000", .role = TAIN_CONTROL_VIEWER}};
    tain_control_user_change to = {.with_password = true, .password = "another horse", .grants = wrong, .count = 2};
    assert_fails(tain_control_user_change_some(control, ann, &to, &err), TAIN_E_NOT_FOUND, "5e0a");
    assert_fails(tain_control_user_change_some(control, ann, &(tain_control_user_change){.with_password = true, .grants = wrong, .count = 1}, &err), TAIN_E_INVALID,
                 "last administrator");
    assert_int_equal(role_in(ann, NULL), TAIN_CONTROL_ADMIN);
    assert_ok(tain_control_user_verify(control, "ann", "correct horse", id, &err));
    assert_fails(tain_control_user_add_granted(control, "bob", NULL, wrong, 2, nobody, &err), TAIN_E_NOT_FOUND, "5e0a");
    assert_string_equal(nobody, "");
    assert_ok(tain_control_user_add_granted(control, "bob", NULL, &(tain_control_grant){.role = TAIN_CONTROL_ADMIN}, 1, id, &err));
    to.count = 1;
    assert_ok(tain_control_user_change_some(control, ann, &to, &err));
    assert_int_equal(role_in(ann, NULL), TAIN_CONTROL_VIEWER);
    assert_ok(tain_control_user_verify(control, "ann", "another horse", id, &err));
    assert_fails(tain_control_user_change_some(control, "nowhere", &to, &err), TAIN_E_NOT_FOUND, "nowhere");
}

static void names_of_roles(void **state)
{
    tain_control_role role;
    for (int i = TAIN_CONTROL_VIEWER; i <= TAIN_CONTROL_ADMIN; i++) {
        assert_ok(tain_control_role_parse(tain_control_role_name((tain_control_role)i), &role, &err));
        assert_int_equal(role, i);
    }
    assert_fails(tain_control_role_parse("", &role, &err), TAIN_E_INVALID, "viewer, contributor and admin");
    assert_fails(tain_control_role_parse("owner", &role, &err), TAIN_E_INVALID, "'owner'");
    assert_int_equal(tain_control_role_least(TAIN_CONTROL_ADMIN, TAIN_CONTROL_VIEWER), TAIN_CONTROL_VIEWER);
}

/* --- tokens -------------------------------------------------------------------------------------------------------- */

static void a_token_opens(void **state)
{
    add_ann();
    add_token(0);
    assert_int_equal(strlen(text), 69);
    assert_int_equal(strncmp(text, "tain_", 5), 0);
    assert_false(home_has(text, 69) || home_has(text + 5, 64));
    reopen();
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    assert_string_equal(caller.user, ann);
    assert_string_equal(caller.token, id);
    assert_int_equal(caller.role, TAIN_CONTROL_CONTRIBUTOR);
    assert_true(!caller.session && !caller.expires);
}

static void no_other_text_does(void **state)
{
    char longer[200];
    add_ann();
    add_token(0);
    for (size_t i = 0; i < 69; i++) {
        text[i] ^= 1;
        assert_fails(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH, "not valid");
        assert_null(strstr(err.message, text + 5));
        text[i] ^= 1;
    }
    snprintf(longer, sizeof longer, "%s%s", text, text);
    assert_int_equal(tain_control_token_verify(control, longer, &caller, &err), TAIN_E_AUTH);
    longer[70] = 0;
    assert_int_equal(tain_control_token_verify(control, longer, &caller, &err), TAIN_E_AUTH);
    longer[68] = 0;
    assert_int_equal(tain_control_token_verify(control, longer, &caller, &err), TAIN_E_AUTH);
    assert_int_equal(tain_control_token_verify(control, "", &caller, &err), TAIN_E_AUTH);
}

/* A hash that only begins like a token's, as somebody could look for, is not it. */
static void the_whole_hash_decides(void **state)
{
    add_ann();
    add_token(0);
    behind("UPDATE token SET hash = substr(hash, 1, 8) || zeroblob(24)");
    assert_int_equal(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH);
}

static void tokens_end(void **state)
{
    add_ann();
    assert_fails(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_VIEWER, tain_now() - 1, id, text, &err), TAIN_E_INVALID, "expired");
    assert_fails(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_NOBODY, 0, id, text, &err), TAIN_E_INVALID, "role");
    add_token(tain_now() + TAIN_SECOND * 3600);
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    behind("UPDATE token SET expires = 1");
    assert_fails(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH, "no longer");
    behind("UPDATE token SET expires = 0");
    assert_ok(tain_control_user_disable(control, ann, true, &err));
    assert_int_equal(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH);
    assert_ok(tain_control_user_disable(control, ann, false, &err));
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    assert_ok(tain_control_token_remove(control, id, &err));
    assert_int_equal(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH);
    assert_fails(tain_control_token_remove(control, id, &err), TAIN_E_NOT_FOUND, id);
    add_token(0);
    assert_ok(tain_control_user_remove(control, ann, &err));
    assert_int_equal(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH);
}

static size_t token_count(tain_control_token *ret_first)
{
    tain_control_tokens all;
    assert_ok(tain_control_token_list(control, ann, (tain_control_page){0}, &all, &err));
    size_t n = all.count;
    if (ret_first) *ret_first = all.rows[0];
    tain_control_tokens_done(&all);
    return n;
}

static void use_is_noted_by_the_minute(void **state)
{
    tain_control_token first;
    add_ann();
    add_token(0);
    token_count(&first);
    assert_int_equal(first.used, 0);
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    token_count(&first);
    tain_time used = first.used;
    assert_true(used >= first.created);
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    token_count(&first);
    assert_int_equal(first.used, used);
    behind("UPDATE token SET used = used - 61000000");
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    token_count(&first);
    assert_true(first.used > used);
}

static void a_full_disk_keeps_nobody_out(void **state)
{
    add_ann();
    add_token(0);
    assert_int_equal(sqlite3_exec(control->db, "PRAGMA query_only = 1", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    assert_string_equal(caller.user, ann);
}

static void names_are_unique_for_a_user(void **state)
{
    char bob[37];
    add_ann();
    add_token(0);
    assert_fails(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_VIEWER, 0, id, text, &err), TAIN_E_EXISTS, "'ci'");
    assert_ok(tain_control_user_add(control, "bob", NULL, bob, &err));
    assert_ok(tain_control_token_add(control, bob, "ci", TAIN_CONTROL_VIEWER, 0, id, text, &err));
    assert_fails(tain_control_token_add(control, "nobody", "ci", TAIN_CONTROL_VIEWER, 0, id, text, &err), TAIN_E_NOT_FOUND, "no user");
}

static void sessions_come_and_go(void **state)
{
    add_ann();
    assert_fails(tain_control_session_add(control, ann, 0, id, text, &err), TAIN_E_INVALID, "time");
    for (int i = 0; i < 3; i++) assert_ok(tain_control_session_add(control, ann, TAIN_SECOND * 600, id, text, &err));
    assert_ok(tain_control_token_verify(control, text, &caller, &err));
    assert_true(caller.session && caller.expires > tain_now());
    assert_int_equal(caller.role, TAIN_CONTROL_ADMIN);
    assert_int_equal(token_count(NULL), 3);
    behind("UPDATE token SET expires = 1");
    assert_int_equal(tain_control_token_verify(control, text, &caller, &err), TAIN_E_AUTH);
    assert_ok(tain_control_session_add(control, ann, TAIN_SECOND * 600, id, text, &err));
    assert_int_equal(token_count(NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_password_opens), TEST(all_else_is_refused_alike), TEST(a_name_is_not_told_by_time), TEST(equal_passwords_look_different),
        TEST(another_password_ends_sessions), TEST(users), TEST(the_larger_role_holds), TEST(roles_go_with_what_they_are_of),
        TEST(the_last_administrator_stays), TEST(changes_are_made_together), TEST(names_of_roles), TEST(a_token_opens), TEST(no_other_text_does), TEST(the_whole_hash_decides),
        TEST(tokens_end), TEST(use_is_noted_by_the_minute), TEST(a_full_disk_keeps_nobody_out), TEST(names_are_unique_for_a_user),
        TEST(sessions_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
