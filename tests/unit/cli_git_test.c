/* SPDX-License-Identifier: MIT */
/* Mirrored databases as a folder of Git: read, written, and what makes a service's equal to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/gitplan.h"

#define ID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define ID_B "bbbbbbbb-0000-0000-0000-000000000002"

#define OK(expr)                                                     \
    do {                                                             \
        tain_error err = {0};                                        \
        tain_status st_ = (expr);                                    \
        if (st_ != TAIN_OK) fail_msg("%s: %s", #expr, err.message);  \
    } while (0)

static char              folder[64];
static tain_git_items    wanted;
static tain_git_presents present;
static tain_git_plan     plan;
static json_t           *created;

static int begin(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/tain-git-XXXXXX");
    assert_non_null(mkdtemp(folder));
    created = json_object();
    present.list = tain_alloc(8 * sizeof *present.list);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    return remove(path);
}

static int end(void **state)
{
    tain_git_plan_done(&plan);
    tain_git_items_done(&wanted);
    tain_git_presents_done(&present);
    json_decref(created);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void write_text(const char *item, const char *file, const char *text)
{
    char *at = tain_format("%s/%s" TAIN_ITEM_SUFFIX, folder, item), *path = tain_format("%s/%s", at, file);
    mkdir(at, 0777);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    free(at);
    free(path);
}

static char *platform(const char *name, const char *id)
{
    return tain_format("{\"metadata\":{\"type\":\"MirroredDatabase\",\"displayName\":\"%s\"},\"config\":{\"version\":\"2.0\",\"logicalId\":\"%s\"}}", name, id);
}

/* A folder's item whose definition has that in its "tain". */
static void put(const char *item, const char *name, const char *id, const char *tain)
{
    char *definition = tain_format("{\"properties\":{\"source\":{\"type\":\"GenericMirror\"},\"tain\":{%s}}}", tain), *other = platform(name, id ? id : "");
    write_text(item, "mirroring.json", definition);
    if (id) write_text(item, ".platform", other);
    free(definition);
    free(other);
}

static void have(const char *name, const char *status, const char *id, const char *tain)
{
    tain_git_present *p = &present.list[present.count++];
    *p = (tain_git_present){.id = tain_format("id of %s", name), .name = tain_strdup(name), .status = tain_strdup(status), .platform.logical_id = tain_strdup(id)};
    tain_buffer_printf(&p->parts.mirroring, "{\"properties\":{\"source\":{\"type\":\"GenericMirror\"},\"tain\":{%s}}}", tain);
    char *text = id ? platform(name, id) : NULL;
    if (text) tain_buffer_append_str(&p->parts.platform, text);
    free(text);
}

static void make(bool prune)
{
    OK(tain_git_read(folder, &wanted, &err));
    tain_git_plan_make(&wanted, &present, created, prune, &plan);
}

static const tain_git_step *step(const char *name)
{
    for (size_t i = 0; i < plan.count; i++)
        if (strcmp(tain_git_step_name(&plan.steps[i]), name) == 0) return &plan.steps[i];
    fail_msg("no step for %s", name);
    return NULL;
}

static void assert_step(const char *name, tain_git_action action, const char *changes, const char *steer)
{
    const tain_git_step *s = step(name);
    assert_int_equal(s->action, action);
    assert_string_equal(s->changes ? s->changes : "", changes);
    assert_string_equal(s->steer ? s->steer : "", steer);
}

/* --- the plan ------------------------------------------------------------------------------------------------------ */

static void the_same_is_left_alone(void **state)
{
    put("a", "a", ID_A, "");
    have("a", "Running", ID_A, "");
    make(true);
    assert_step("a", TAIN_GIT_UNCHANGED, "", "");
    assert_true(tain_git_plan_is_empty(&plan));
}

static void what_is_different_is_named(void **state)
{
    put("a", "a", ID_A, "\"tables\":[\"x.*\"],\"freshness\":\"1s\"");
    have("a", "Running", ID_A, "\"tables\":[\"y.*\"],\"memory\":\"1GiB\"");
    make(false);
    assert_step("a", TAIN_GIT_CHANGE, "tain.tables, tain.memory, tain.freshness", "");
}

static void many_differences_are_counted(void **state)
{
    put("a", "a", ID_A, "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1");
    have("a", "Running", ID_A, "");
    make(false);
    assert_step("a", TAIN_GIT_CHANGE, "tain.a, tain.b, tain.c, tain.d and 2 more", "");
}

static void another_layout_is_a_change(void **state)
{
    put("a", "a", ID_A, "");
    have("a", "Running", ID_A, "");
    tain_buffer_append_u8(&present.list[0].parts.mirroring, '\n');
    make(false);
    assert_step("a", TAIN_GIT_CHANGE, "layout of mirroring.json", "");
}

static void the_logical_id_knows_it_under_another_name(void **state)
{
    put("new", "new", ID_A, "");
    have("old", "Stopped", ID_A, "");
    make(false);
    assert_step("new", TAIN_GIT_CHANGE, "name (was 'old'), metadata.displayName", "");
    assert_int_equal(plan.count, 1);
}

static void names_may_change_places(void **state)
{
    put("a", "b", ID_A, "");
    put("b", "a", ID_B, "");
    have("a", "Running", ID_A, "");
    have("b", "Running", ID_B, "");
    make(false);
    assert_string_equal(step("b")->present->id, "id of a");
    assert_string_equal(step("a")->present->id, "id of b");
}

static void without_an_id_the_name_knows_it(void **state)
{
    put("a", "a", NULL, "");
    have("a", "Running", ID_A, "");
    make(false);
    assert_step("a", TAIN_GIT_UNCHANGED, "", "");
}

static void only_what_was_created_from_here_goes(void **state)
{
    json_object_set_new(created, ID_A, json_true());
    have("ours", "Running", ID_A, "");
    have("theirs", "Running", ID_B, "");
    have("nobodys", "Running", NULL, "");
    make(false);
    assert_int_equal(step("ours")->action, TAIN_GIT_REMOVE);
    assert_int_equal(step("theirs")->action, TAIN_GIT_LEAVE);
    assert_int_equal(step("nobodys")->action, TAIN_GIT_LEAVE);
}

static void pruned_all_goes(void **state)
{
    put("a", "a", ID_A, "");
    have("a", "Running", ID_A, "");
    have("theirs", "Running", ID_B, "");
    have("nobodys", "Running", NULL, "");
    make(true);
    assert_int_equal(plan.actions[TAIN_GIT_REMOVE], 2);
    assert_int_equal(step("a")->action, TAIN_GIT_UNCHANGED);
}

static void what_goes_goes_first(void **state)
{
    put("a", "a", ID_A, "");
    put("b", "b", ID_B, "\"x\":1");
    have("z", "Running", NULL, "");
    have("b", "Running", ID_B, "");
    make(true);
    assert_string_equal(tain_git_step_name(&plan.steps[0]), "z");
    assert_string_equal(tain_git_step_name(&plan.steps[1]), "b");
    assert_string_equal(tain_git_step_name(&plan.steps[2]), "a");
}

static void the_state_that_is_wanted_is_come_to(void **state)
{
    static const struct { const char *wanted, *now, *steer; } cases[] = {
        {"running", "Running", ""}, {"running", "Starting", ""}, {"running", "Stopped", "start"}, {"running", "Initialized", "start"},
        {"running", "Paused", "resume"}, {"stopped", "Running", "stop"}, {"stopped", "Initialized", ""}, {"stopped", "Paused", "stop"},
        {"paused", "Running", "pause"}, {"paused", "Paused", ""}, {"paused", "Stopped", "pause"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said = tain_format("\"state\":\"%s\"", cases[i].wanted);
        if (i) end(state), begin(state);
        put("a", "a", ID_A, said);
        have("a", cases[i].now, ID_A, said);
        make(false);
        assert_step("a", TAIN_GIT_UNCHANGED, "", cases[i].steer);
        free(said);
    }
}

static void what_is_new_is_started_if_wanted(void **state)
{
    put("a", "a", ID_A, "\"state\":\"running\"");
    put("b", "b", ID_B, "\"state\":\"stopped\"");
    make(false);
    assert_step("a", TAIN_GIT_CREATE, "", "start");
    assert_step("b", TAIN_GIT_CREATE, "", "");
}

/* --- the folder ---------------------------------------------------------------------------------------------------- */

static void assert_refused(tain_status code, const char *why)
{
    tain_error err = {0};
    assert_int_equal(tain_git_read(folder, &wanted, &err), code);
    if (!strstr(err.message, why)) fail_msg("the message is \"%s\"", err.message);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    put("a", "same", ID_A, "");
    put("b", "same", ID_B, "");
    assert_refused(TAIN_E_INVALID, "are both called 'same'");
    put("b", "b", ID_A, "");
    assert_refused(TAIN_E_INVALID, "the same logical id");
    put("b", "b", ID_B, "\"state\":\"fast\"");
    assert_refused(TAIN_E_INVALID, "running, stopped or paused");
    write_text("b", "mirroring.json", "{");
    assert_refused(TAIN_E_CORRUPT, "b.MirroredDatabase/mirroring.json");
    write_text("b", "mirroring.json", "[]");
    assert_refused(TAIN_E_INVALID, "no \"properties\"");
}

static void another_kind_of_item_is_refused(void **state)
{
    put("a", "a", ID_A, "");
    write_text("a", ".platform", "{\"metadata\":{\"type\":\"Notebook\",\"displayName\":\"a\"}}");
    assert_refused(TAIN_E_INVALID, "of a Notebook");
}

static void an_id_of_zeros_is_none(void **state)
{
    put("a", "a", "00000000-0000-0000-0000-000000000000", "");
    OK(tain_git_read(folder, &wanted, &err));
    assert_null(wanted.list[0].platform.logical_id);
}

static void what_is_written_is_read_byte_for_byte(void **state)
{
    static const uint8_t odd[] = "{ \"properties\" :{},\r\n\t\"\xc3\xa4\":1}\n\n";
    for (size_t tail = 0; tail < 4; tail++) { /* every length of padding */
        tain_git_parts out = {0}, back = {0};
        bool       changed;
        tain_buffer_append(&out.mirroring, odd, sizeof odd - 1 - (tail ? 1 : 0));
        for (size_t i = 0; i < tail; i++) tain_buffer_append_u8(&out.mirroring, '\n');
        tain_buffer_append_str(&out.platform, "{ }");
        json_t *j = tain_git_parts_to_json(&out);
        OK(tain_git_parts_from_json(j, &back, &err));
        char *path = tain_format("%s/x%zu" TAIN_ITEM_SUFFIX, folder, tail);
        OK(tain_git_write(path, "x", ID_A, &back, &changed, &err));
        assert_true(changed);
        OK(tain_git_write(path, "x", ID_A, &back, &changed, &err));
        assert_false(changed);
        tain_git_items_done(&wanted);
        free(path);
        path = tain_format("%s/x%zu" TAIN_ITEM_SUFFIX "/mirroring.json", folder, tail);
        tain_buffer there = {0};
        OK(tain_client_read_file(path, &there, &err));
        assert_int_equal(there.size, out.mirroring.size);
        assert_memory_equal(there.data, out.mirroring.data, there.size);
        tain_buffer_done(&there);
        free(path);
        json_decref(j);
        tain_git_parts_done(&out);
        tain_git_parts_done(&back);
    }
}

static void a_missing_platform_is_made(void **state)
{
    tain_git_parts p = {0};
    bool       changed;
    tain_buffer_append_str(&p.mirroring, "{\"properties\":{}}");
    char *path = tain_format("%s/x" TAIN_ITEM_SUFFIX, folder);
    OK(tain_git_write(path, "the name", ID_A, &p, &changed, &err));
    OK(tain_git_read(folder, &wanted, &err));
    assert_string_equal(wanted.list[0].platform.name, "the name");
    assert_string_equal(wanted.list[0].platform.logical_id, ID_A);
    tain_git_parts_done(&p);
    free(path);
}

static void parts_that_are_none_are_refused(void **state)
{
    static const char *const answers[] = {
        "{}", "{\"definition\":{\"parts\":[{\"path\":\".platform\",\"payload\":\"e30=\"}]}}",
        "{\"definition\":{\"parts\":[{\"path\":\"mirroring.json\",\"payload\":\"e30\"}]}}", "{\"definition\":{\"parts\":[{\"path\":\"mirroring.json\",\"payload\":\"****\"}]}}",
        "{\"definition\":{\"parts\":[{\"path\":\"mirroring.json\",\"payload\":7}]}}",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        tain_git_parts p;
        json_t    *j = json_loads(answers[i], 0, NULL);
        assert_int_equal(tain_git_parts_from_json(j, &p, NULL), TAIN_E_CORRUPT);
        json_decref(j);
    }
}

static void what_was_created_is_remembered_by_workspace(void **state)
{
    json_t *one = json_pack("{s:b}", ID_A, 1), *back;
    OK(tain_git_set_created(folder, "w1", one, &err));
    OK(tain_git_set_created(folder, "w2", one, &err));
    json_object_del(one, ID_A);
    OK(tain_git_set_created(folder, "w1", one, &err));
    OK(tain_git_created(folder, "w1", &back, &err));
    assert_int_equal(json_object_size(back), 0);
    json_decref(back);
    OK(tain_git_created(folder, "w2", &back, &err));
    assert_non_null(json_object_get(back, ID_A));
    json_decref(back);
    json_decref(one);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_same_is_left_alone),
        CASE(what_is_different_is_named),
        CASE(many_differences_are_counted),
        CASE(another_layout_is_a_change),
        CASE(the_logical_id_knows_it_under_another_name),
        CASE(names_may_change_places),
        CASE(without_an_id_the_name_knows_it),
        CASE(only_what_was_created_from_here_goes),
        CASE(pruned_all_goes),
        CASE(what_goes_goes_first),
        CASE(the_state_that_is_wanted_is_come_to),
        CASE(what_is_new_is_started_if_wanted),
        CASE(what_cannot_be_meant_is_refused),
        CASE(another_kind_of_item_is_refused),
        CASE(an_id_of_zeros_is_none),
        CASE(what_is_written_is_read_byte_for_byte),
        CASE(a_missing_platform_is_made),
        CASE(parts_that_are_none_are_refused),
        CASE(what_was_created_is_remembered_by_workspace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
