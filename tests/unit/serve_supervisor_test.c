/* SPDX-License-Identifier: MIT */
/* One process a mirror: started, replaced, taken up again, stopped. */
#include "control_fixture.h"

#include <ftw.h>

#include "base/json.h"
#include "base/text.h"
#include "control/connection.h"
#include "control/execution.h"
#include "control/item.h"
#include "control/workspace.h"
#include "serve/supervisor/child.h"
#include "serve/supervisor/supervisor.h"
#include "serve_worker.h"

static tain_supervisor        *supervisor;
static tain_supervisor_options how;
static char                    item[37], connection[37], workspace[37];
static int                     alarms[TAIN_ALARM_KINDS], overs[TAIN_ALARM_KINDS];

static void on_alarm(void *ctx, const tain_supervisor_alarm *a)
{
    if (a->over) overs[a->kind]++;
    else alarms[a->kind]++;
    assert_string_equal(a->item, item);
}

/* --- set up -------------------------------------------------------------------------------------------------------- */

static char *definition_with(const char *more)
{
    return tain_format("{\"properties\":{\"source\":{\"type\":\"AzurePostgreSql\",\"typeProperties\":{\"connection\":\"%s\"}}%s}}", connection, more);
}

static void add_item(const char *name, char ret[static 37])
{
    char             *definition = definition_with("");
    tain_control_item i = {.workspace = workspace, .name = (char *)name, .lake = (char *)name};
    tain_buffer_append_str(&i.definition, definition);
    assert_ok(tain_control_item_add(control, &i, ret, &err));
    tain_buffer_done(&i.definition);
    tain_free(definition);
}

static void supervise(void)
{
    assert_ok(tain_supervisor_start(control, &how, &supervisor, &err));
}

static int start(void **state)
{
    if (begin(state) != 0) return -1;
    for (int k = 0; k < TAIN_ALARM_KINDS; k++) alarms[k] = overs[k] = 0;
    how = (tain_supervisor_options){.patience = 5 * TAIN_SECOND, .alarm = on_alarm};
    assert_ok(tain_control_workspace_add(control, "Sales", NULL, NULL, workspace, &err));
    assert_ok(tain_control_connection_add(control, "db", "postgresql://tain@db/shop", "Xq7secret", connection, &err));
    add_item("shop", item);
    return mkdir(in_home("lakes"), 0777) == 0 && mkdir(in_home("lakes/shop"), 0777) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    return remove(path);
}

static int stop(void **state)
{
    tain_supervisor_stop(supervisor, false);
    supervisor = NULL;
    tain_control_close(control);
    control = NULL;
    return nftw(home, remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* --- what is seen -------------------------------------------------------------------------------------------------- */

static tain_mirror_report report_of(const char *id)
{
    tain_mirror_report r;
    assert_ok(tain_supervisor_report(supervisor, id, &r, &err));
    return r;
}

static tain_mirroring status(void)
{
    tain_mirror_report r = report_of(item);
    tain_mirroring     is = r.status;
    tain_mirror_report_done(&r);
    return is;
}

static pid_t pid_now(void)
{
    tain_mirror_report r = report_of(item);
    pid_t              pid = r.pid;
    tain_mirror_report_done(&r);
    return pid;
}

static bool until(bool (*condition)(void *ctx), void *ctx, tain_time patience)
{
    tain_time end_ = tain_monotonic() + patience;
    while (!condition(ctx)) {
        if (tain_monotonic() > end_) return false;
        usleep(5000);
    }
    return true;
}

static bool has_status(void *ctx)
{
    return status() == *(tain_mirroring *)ctx;
}

static void await(tain_mirroring wanted)
{
    if (until(has_status, &wanted, 10 * TAIN_SECOND)) return;
    tain_mirror_report r = report_of(item);
    fail_msg("not %s, but %s: %s", tain_mirroring_name(wanted), tain_mirroring_name(r.status), r.error.message);
}

static bool has_other_process(void *ctx)
{
    pid_t is = pid_now();
    return is && is != *(pid_t *)ctx && status() == TAIN_MIRRORING_RUNNING;
}

static bool has_error(void *ctx)
{
    tain_mirror_report r = report_of(item);
    bool               has = strstr(r.error.message, ctx) != NULL;
    tain_mirror_report_done(&r);
    return has;
}

static void await_error(const char *text)
{
    if (until(has_error, (void *)text, 10 * TAIN_SECOND)) return;
    tain_mirror_report r = report_of(item);
    fail_msg("no error '%s', but '%s'", text, r.error.message);
}

static bool has_error_no_more(void *ctx)
{
    tain_mirror_report r = report_of(item);
    tain_status        code = r.error.code;
    tain_mirror_report_done(&r);
    return code == TAIN_OK;
}

static bool is_gone(void *ctx)
{
    char  path[40], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", *(pid_t *)ctx);
    FILE *f = fopen(path, "r");
    if (!f) return true;
    if (fscanf(f, "%*d %*s %c", &state) != 1) state = 'X';
    fclose(f);
    return state == 'Z' || state == 'X';
}

static void want(tain_control_state s)
{
    assert_ok(tain_control_item_want(control, item, s, &err));
    tain_supervisor_look(supervisor, item);
}

static void behave(const char *word)
{
    fake_put(in_home("lakes/shop"), "behaviour", word);
}

static pid_t run_it(void)
{
    want(TAIN_CONTROL_RUNNING);
    await(TAIN_MIRRORING_RUNNING);
    return pid_now();
}

/* The command lines it was started with, newest last; how many there are. */
static int starts(char ret_last[static 2000])
{
    int   n = 0;
    FILE *f = fopen(in_home("lakes/shop/starts"), "r");
    ret_last[0] = 0;
    if (!f) return 0;
    while (fgets(ret_last, 2000, f)) n++;
    fclose(f);
    return n;
}

/* --- from wish to process ------------------------------------------------------------------------------------------ */

static void what_is_wanted_runs(void **state)
{
    char line[2000];
    supervise();
    assert_int_equal(status(), TAIN_MIRRORING_INITIALIZED);
    want(TAIN_CONTROL_RUNNING);
    assert_true(status() == TAIN_MIRRORING_STARTING || status() == TAIN_MIRRORING_RUNNING);
    await(TAIN_MIRRORING_RUNNING);
    tain_mirror_report r = report_of(item);
    assert_true(r.pid > 0 && r.restarts == 0 && r.error.code == TAIN_OK);
    assert_in_range(tain_now() - r.started, 0, 60 * TAIN_SECOND);
    assert_string_equal(tain_json_get_str(r.worker, "mirror", ""), "fake");
    assert_string_equal(r.lake, in_home("lakes/shop"));
    assert_int_equal(getsid(r.pid), r.pid);
    tain_mirror_report_done(&r);
    assert_int_equal(starts(line), 1);
    assert_non_null(strstr(line, "mirror postgresql://tain:env%3ATAIN_SOURCE_PASSWORD@db/shop "));
    assert_non_null(strstr(line, "secret=Xq7secret"));
    pid_t pid = pid_now();
    want(TAIN_CONTROL_STOPPED);
    assert_true(status() == TAIN_MIRRORING_STOPPING || status() == TAIN_MIRRORING_STOPPED);
    assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
    assert_int_equal(status(), TAIN_MIRRORING_STOPPED);
    assert_true(is_gone(&pid));
    assert_int_equal(pid_now(), 0);
    want(TAIN_CONTROL_PAUSED);
    assert_int_equal(status(), TAIN_MIRRORING_PAUSED);
}

static void one_that_was_killed_is_replaced(void **state)
{
    supervise();
    pid_t     pid = run_it();
    tain_time began = tain_monotonic();
    kill(pid, SIGKILL);
    await_error("signal 9");
    assert_int_equal(status(), TAIN_MIRRORING_STARTING);
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_true(tain_monotonic() - began < 3 * TAIN_SECOND);
    tain_mirror_report r = report_of(item);
    assert_true(r.restarts == 1 && r.error.code == TAIN_OK);
    tain_mirror_report_done(&r);
    assert_int_equal(alarms[TAIN_ALARM_FAILED], 1);
}

static void what_an_operator_must_mend_is_not_tried(void **state)
{
    char line[2000];
    behave("operator");
    supervise();
    want(TAIN_CONTROL_RUNNING);
    await(TAIN_MIRRORING_STOPPED);
    tain_mirror_report r = report_of(item);
    assert_int_equal(r.error.code, TAIN_E_AUTH);
    assert_string_equal(r.error.message, "the password is wrong");
    assert_string_equal(r.error.remedy, "give the right one");
    assert_int_equal(r.pid, 0);
    tain_mirror_report_done(&r);
    assert_int_equal(starts(line), 1);
    behave("");
    assert_ok(tain_control_connection_rotate(control, connection, "another", &err));
    tain_supervisor_look_connection(supervisor, connection);
    await(TAIN_MIRRORING_RUNNING);
    assert_int_equal(starts(line), 2);
    assert_non_null(strstr(line, "secret=another"));
}

static void what_passes_is_tried_again(void **state)
{
    static const struct { const char *word, *text, *remedy; } cases[] = {{"retry", "the password is wrong", "give the right one"}, {"words", "it broke", "mend it"}};
    supervise();
    for (int i = 0; i < 2; i++) {
        char line[2000];
        int  before = starts(line);
        behave(cases[i].word);
        want(TAIN_CONTROL_RUNNING);
        await_error(cases[i].text);
        assert_int_equal(status(), TAIN_MIRRORING_STARTING);
        tain_mirror_report r = report_of(item);
        assert_string_equal(r.error.remedy, cases[i].remedy);
        tain_mirror_report_done(&r);
        behave("");
        await(TAIN_MIRRORING_RUNNING);
        assert_true(starts(line) - before >= 2);
        want(TAIN_CONTROL_STOPPED);
        assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
    }
}

static void a_command_that_is_wrong_waits_for_somebody(void **state)
{
    behave("usage");
    supervise();
    want(TAIN_CONTROL_RUNNING);
    await(TAIN_MIRRORING_STOPPED);
    await_error("there is no option --x");
}

static void a_definition_that_cannot_run_says_why(void **state)
{
    static const char open[] = "{\"properties\":{\"source\":{\"type\":\"GenericMirror\",\"typeProperties\":{}}}}";
    supervise();
    assert_ok(tain_control_item_change_some(control, item, &(tain_control_item_change){.definition = {(const uint8_t *)open, strlen(open)}}, &err));
    want(TAIN_CONTROL_RUNNING);
    await(TAIN_MIRRORING_STOPPED);
    await_error("open mirroring is not built yet");
    want(TAIN_CONTROL_STOPPED);
    tain_mirror_report r = report_of(item);
    assert_int_equal(r.error.code, TAIN_OK);
    tain_mirror_report_done(&r);
}

/* --- what must not go on ------------------------------------------------------------------------------------------- */

static void what_stands_still_is_replaced(void **state)
{
    static const char *const words[] = {"silent", "stuck"};
    how.silence = 400 * TAIN_MILLISECOND;
    supervise();
    for (int i = 0; i < 2; i++) {
        pid_t pid = run_it();
        behave(words[i]);
        await_error(i ? "(stream)" : "(status)");
        behave("");
        assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
        assert_true(is_gone(&pid));
        want(TAIN_CONTROL_STOPPED);
        assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
    }
    assert_int_equal(alarms[TAIN_ALARM_STALLED], 1); /* it is not over before it ran steadily */
}

/* As one whose source has taken the connection, and says nothing. */
static void what_never_shows_itself_is_replaced(void **state)
{
    char line[2000];
    how.silence = 100 * TAIN_MILLISECOND;
    behave("silent");
    supervise();
    want(TAIN_CONTROL_RUNNING);
    await_error("(start)");
    behave("");
    await(TAIN_MIRRORING_RUNNING);
    assert_int_equal(starts(line), 2);
    assert_int_equal(alarms[TAIN_ALARM_STALLED], 1);
}

static void one_that_was_stopped_is_replaced(void **state)
{
    how.silence = 400 * TAIN_MILLISECOND;
    supervise();
    pid_t pid = run_it();
    kill(pid, SIGSTOP);
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_true(is_gone(&pid));
}

static void one_that_takes_too_much_is_replaced(void **state)
{
    char *definition = definition_with(",\"tain\":{\"memoryLimit\":\"50MiB\"}");
    assert_ok(tain_control_item_change_some(control, item,
                                            &(tain_control_item_change){.definition = {(const uint8_t *)definition, strlen(definition)}}, &err));
    tain_free(definition);
    supervise();
    pid_t pid = run_it();
    behave("grow");
    await_error("MemoryLimit");
    behave("");
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(alarms[TAIN_ALARM_MEMORY], 1);
}

static void one_that_does_not_end_is_ended(void **state)
{
    how.patience = 300 * TAIN_MILLISECOND;
    supervise();
    behave("deaf");
    pid_t pid = run_it();
    want(TAIN_CONTROL_STOPPED);
    assert_false(tain_supervisor_rests(supervisor, item, 100 * TAIN_MILLISECOND));
    assert_int_equal(status(), TAIN_MIRRORING_STOPPING);
    assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
    assert_true(is_gone(&pid));
    assert_int_equal(status(), TAIN_MIRRORING_STOPPED);
}

static const tain_supervisor_alarm_kind illnesses[] = {TAIN_ALARM_TABLES, TAIN_ALARM_LAG, TAIN_ALARM_RETAINED};

static bool all_are(void *ctx)
{
    const _Atomic int *counts = ctx;
    for (int i = 0; i < 3; i++)
        if (!counts[illnesses[i]]) return false;
    return true;
}

/* Once when it begins and once when it is over, however often it is seen. */
static void who_is_ill_is_told_of_once(void **state)
{
    supervise();
    run_it();
    behave("ill");
    assert_true(until(all_are, alarms, 10 * TAIN_SECOND));
    behave("");
    assert_true(until(all_are, overs, 10 * TAIN_SECOND));
    for (int i = 0; i < 3; i++) assert_true(alarms[illnesses[i]] == 1 && overs[illnesses[i]] == 1);
}

/* --- from one supervisor to the next ------------------------------------------------------------------------------- */

static void leave(void)
{
    tain_supervisor_stop(supervisor, true);
    supervisor = NULL;
}

static void those_that_run_are_taken_up(void **state)
{
    char line[2000];
    supervise();
    pid_t pid = run_it();
    leave();
    assert_false(is_gone(&pid));
    supervise();
    assert_int_equal(status(), TAIN_MIRRORING_RUNNING); /* at once: it says so already */
    assert_int_equal(pid_now(), pid);
    assert_int_equal(starts(line), 1);
    kill(pid, SIGKILL); /* nobody's child any more, as far as we know */
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
}

static void one_that_was_never_noted_is_found(void **state)
{
    char                       line[2000];
    TAIN_AUTO(tain_free) char *memo = tain_format("%s/mirrors/%s/worker.json", home, item);
    supervise();
    pid_t pid = run_it();
    leave();
    assert_int_equal(unlink(memo), 0);
    supervise();
    await(TAIN_MIRRORING_RUNNING);
    assert_int_equal(pid_now(), pid);
    assert_int_equal(starts(line), 1);
}

static void wishes_of_meanwhile_are_granted(void **state)
{
    supervise();
    pid_t pid = run_it();
    leave();
    assert_ok(tain_control_item_want(control, item, TAIN_CONTROL_STOPPED, &err));
    supervise();
    assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
    assert_true(is_gone(&pid));
    assert_int_equal(status(), TAIN_MIRRORING_STOPPED);
}

static void one_that_was_never_noted_is_ended_when_nobody_wants_it(void **state)
{
    TAIN_AUTO(tain_free) char *memo = tain_format("%s/mirrors/%s/worker.json", home, item);
    supervise();
    pid_t pid = run_it();
    leave();
    assert_int_equal(unlink(memo), 0);
    assert_ok(tain_control_item_want(control, item, TAIN_CONTROL_STOPPED, &err));
    supervise();
    assert_true(until(is_gone, &pid, 10 * TAIN_SECOND));
    assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
}

static void an_ended_process_is_not_taken_for_ours(void **state)
{
    char line[2000];
    supervise();
    pid_t pid = run_it();
    leave();
    kill(pid, SIGKILL);
    assert_true(until(is_gone, &pid, 10 * TAIN_SECOND));
    supervise();
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
}

/* Same number, another time: another process. */
static void a_number_that_was_given_again_is_left_alone(void **state)
{
    TAIN_AUTO(tain_free) char *folder = tain_format("%s/mirrors/%s", home, item), *memo = tain_format("%s/worker.json", folder);
    char                       boot[37];
    tain_child_boot(boot);
    assert_int_equal(mkdir(in_home("mirrors"), 0700), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *f = fopen(memo, "w");
    fprintf(f, "{\"pid\":%d,\"start\":\"1\",\"print\":\"0\",\"boot\":\"%s\",\"program\":\"\",\"started\":1,\"reload\":\"0\"}", (int)getpid(), boot);
    fclose(f);
    supervise();
    assert_int_equal(status(), TAIN_MIRRORING_STOPPED);
    assert_int_equal(pid_now(), 0);
    assert_true(run_it() != getpid());
}

static void another_program_renews_what_runs(void **state)
{
    TAIN_AUTO(tain_free) char *copy = tain_format("%s/tain", home), *command = tain_format("cp /proc/%d/exe %s", (int)getpid(), copy);
    supervise();
    pid_t pid = run_it();
    leave();
    assert_int_equal(system(command), 0);
    how.program = copy;
    supervise();
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_true(is_gone(&pid));
}

static void what_was_removed_ends(void **state)
{
    TAIN_AUTO(tain_free) char *folder = tain_format("%s/mirrors/%s", home, item);
    for (int away = 0; away < 2; away++) {
        if (!supervisor) supervise();
        pid_t pid = run_it();
        assert_int_equal(access(folder, F_OK), 0);
        if (away) leave();
        assert_ok(tain_control_item_remove(control, item, &err));
        if (away) supervise();
        else tain_supervisor_look(supervisor, item);
        assert_true(until(is_gone, &pid, 10 * TAIN_SECOND));
        tain_mirror_report r;
        assert_int_equal(tain_supervisor_report(supervisor, item, &r, &err), TAIN_E_NOT_FOUND);
        assert_true(tain_supervisor_rests(supervisor, item, 10 * TAIN_SECOND));
        for (tain_time end_ = tain_monotonic() + 10 * TAIN_SECOND; access(folder, F_OK) == 0 && tain_monotonic() < end_;) usleep(5000);
        assert_int_equal(access(folder, F_OK), -1);
        if (!away) add_item("shop", item);
        tain_free(folder);
        folder = tain_format("%s/mirrors/%s", home, item);
    }
}

/* --- changes ------------------------------------------------------------------------------------------------------- */

static void change(const char *more)
{
    char *definition = definition_with(more);
    assert_ok(tain_control_item_change_some(control, item,
                                            &(tain_control_item_change){.definition = {(const uint8_t *)definition, strlen(definition)}}, &err));
    tain_supervisor_look(supervisor, item);
    tain_free(definition);
}

static void another_definition_is_another_command(void **state)
{
    char line[2000];
    supervise();
    pid_t pid = run_it();
    assert_ok(tain_control_item_change_some(control, item, &(tain_control_item_change){.name = "renamed", .description = "other"}, &err));
    tain_supervisor_look(supervisor, item);
    change(",\"tain\":{\"jobs\":3}");
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
    assert_non_null(strstr(line, "--jobs=3"));
}

/* A definition that is wrong does not stop what runs. */
static void what_runs_outlives_a_wrong_definition(void **state)
{
    char line[2000];
    supervise();
    pid_t pid = run_it();
    change(",\"tain\":{\"jobs\":true}");
    await_error("goes on by the definition before");
    assert_true(status() == TAIN_MIRRORING_RUNNING && pid_now() == pid);
    change("");
    assert_true(until(has_error_no_more, NULL, 10 * TAIN_SECOND));
    kill(pid, SIGKILL);
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
}

/* Who has the old password must begin anew; by what name the connection goes does not matter. */
static void a_connection_that_is_renamed_changes_nothing(void **state)
{
    char line[2000];
    supervise();
    pid_t pid = run_it();
    assert_ok(tain_control_connection_rename(control, connection, "other", &err));
    tain_supervisor_look_connection(supervisor, connection);
    leave();
    supervise();
    await(TAIN_MIRRORING_RUNNING);
    assert_int_equal(starts(line), 1);
    assert_int_equal(pid_now(), pid);
    assert_ok(tain_control_connection_rotate(control, connection, "another", &err));
    tain_supervisor_look_connection(supervisor, connection);
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
    assert_non_null(strstr(line, "secret=another"));
}

static void a_wish_to_load_outlives_the_supervisor(void **state)
{
    char                       line[2000];
    TAIN_AUTO(tain_free) char *file = tain_format("%s/mirrors/%s/resync.json", home, item);
    supervise();
    pid_t pid = run_it();
    leave(); /* killed behind its answer, and ahead of the worker's renewal */
    FILE *f = fopen(file, "w");
    fputs("[\"public.t\"]", f);
    fclose(f);
    supervise();
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
    assert_non_null(strstr(line, "--resync=public.t "));
}

static bool was_forgotten(void *ctx)
{
    return access(ctx, F_OK) != 0;
}

static void tables_are_loaded_again_once(void **state)
{
    char                       line[2000];
    TAIN_AUTO(tain_free) char *file = tain_format("%s/mirrors/%s/resync.json", home, item);
    const char *const          tables[] = {"public.t", NULL}, *const unknown[] = {"public.x", NULL};
    supervise();
    assert_ok(tain_supervisor_resync(supervisor, item, tables, &err)); /* before it ever ran */
    pid_t pid = run_it();
    assert_int_equal(starts(line), 1);
    assert_non_null(strstr(line, "--resync=public.t "));
    assert_true(until(was_forgotten, file, 10 * TAIN_SECOND));
    behave("load"); /* and is killed before it is through */
    assert_ok(tain_supervisor_resync(supervisor, item, NULL, &err));
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 2);
    assert_non_null(strstr(line, "--resync secret"));
    pid = pid_now();
    leave();
    kill(pid, SIGKILL);
    assert_true(until(is_gone, &pid, 10 * TAIN_SECOND));
    supervise();
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    assert_int_equal(starts(line), 3);
    assert_non_null(strstr(line, "--resync secret"));
    behave("");
    assert_true(until(was_forgotten, file, 10 * TAIN_SECOND));
    pid = pid_now();
    kill(pid, SIGKILL);
    assert_true(until(has_other_process, &pid, 10 * TAIN_SECOND));
    starts(line);
    assert_null(strstr(line, "--resync"));
    assert_int_equal(tain_supervisor_resync(supervisor, item, unknown, &err), TAIN_E_NOT_FOUND);
}

/* --- what is kept of it -------------------------------------------------------------------------------------------- */

static bool has_records(void *ctx)
{
    tain_control_executions all;
    assert_ok(tain_control_execution_list(control, &(tain_control_execution_filter){.item = item}, (tain_control_page){.most = 1000}, &all, &err));
    size_t n = all.count;
    tain_control_executions_done(&all);
    return n >= 3;
}

static void records_come_into_the_database(void **state)
{
    behave("record");
    supervise();
    run_it();
    assert_true(until(has_records, NULL, 10 * TAIN_SECOND));
}

static void a_series_is_kept(void **state)
{
    tain_sample *list;
    size_t       count = 0;
    supervise();
    run_it();
    tain_time end_ = tain_monotonic() + 25 * TAIN_SECOND;
    for (bool known = false; !known; usleep(50000)) {
        assert_ok(tain_supervisor_samples(supervisor, item, 0, &list, &count, &err));
        known = count && list[count - 1].lag >= 0;
        if (known) assert_true(list[count - 1].lag == 5000 && list[count - 1].latency == 7000 && list[count - 1].retained == 4096 && list[count - 1].rows > 0);
        tain_free(list);
        assert_true(tain_monotonic() < end_);
    }
}

static bool all_run(void *ctx)
{
    char(*ids)[37] = ctx;
    for (int i = 0; i < 12; i++) {
        tain_mirror_report r = report_of(ids[i]);
        bool               runs = r.status == TAIN_MIRRORING_RUNNING;
        tain_mirror_report_done(&r);
        if (!runs) return false;
    }
    return true;
}

static void many_run_at_once(void **state)
{
    char ids[12][37], name[20];
    how.alarm = NULL;
    supervise();
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "shop%d", i);
        add_item(name, ids[i]);
        assert_ok(tain_control_item_want(control, ids[i], TAIN_CONTROL_RUNNING, &err));
        tain_supervisor_look(supervisor, ids[i]);
    }
    assert_true(until(all_run, ids, 20 * TAIN_SECOND));
    leave();
    supervise();
    assert_true(until(all_run, ids, 20 * TAIN_SECOND));
    for (int i = 0; i < 12; i++) {
        tain_mirror_report r = report_of(ids[i]);
        assert_int_equal(r.restarts, 0);
        tain_mirror_report_done(&r);
    }
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "mirror") == 0) return fake_worker(argc, argv);
    const struct CMUnitTest tests[] = {
        WITH(what_is_wanted_runs), WITH(one_that_was_killed_is_replaced), WITH(what_an_operator_must_mend_is_not_tried), WITH(what_passes_is_tried_again),
        WITH(a_command_that_is_wrong_waits_for_somebody), WITH(a_definition_that_cannot_run_says_why), WITH(what_stands_still_is_replaced),
        WITH(what_never_shows_itself_is_replaced), WITH(one_that_was_stopped_is_replaced), WITH(one_that_takes_too_much_is_replaced), WITH(one_that_does_not_end_is_ended), WITH(who_is_ill_is_told_of_once),
        WITH(those_that_run_are_taken_up), WITH(one_that_was_never_noted_is_found), WITH(one_that_was_never_noted_is_ended_when_nobody_wants_it), WITH(wishes_of_meanwhile_are_granted),
        WITH(an_ended_process_is_not_taken_for_ours), WITH(a_number_that_was_given_again_is_left_alone), WITH(another_program_renews_what_runs),
        WITH(what_was_removed_ends), WITH(another_definition_is_another_command), WITH(what_runs_outlives_a_wrong_definition),
        WITH(a_connection_that_is_renamed_changes_nothing), WITH(a_wish_to_load_outlives_the_supervisor), WITH(tables_are_loaded_again_once), WITH(records_come_into_the_database), WITH(a_series_is_kept), WITH(many_run_at_once),
    };
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
