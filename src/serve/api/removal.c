/* SPDX-License-Identifier: MIT */
#include "serve/api/removal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "serve/api/place.h"
#include "serve/api/run.h"
#include "serve/supervisor/command.h"

#define PATIENCE (40 * TAIN_SECOND)

/* `tain mirror SOURCE LAKE --remove`, with the address and secret of its worker. */
static tain_status release(tain_call *c, const tain_control_item *i, tain_error *err)
{
    tain_command_line line;
    int               code = 0;
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, errors = {0};
    tain_status st = tain_command_line_of(c->api->control, i, &line, err);
    if (st == TAIN_E_UNSUPPORTED) return TAIN_OK; /* it never ran */
    TAIN_TRY(st);
    const char *argv[] = {"mirror", line.argv[1], line.argv[2], "--remove", "--json", NULL};
    tain_run    r = {.argv = argv, .environment = (const char *const *)line.environment, .patience = PATIENCE, .most = 1 << 20,
                        .request = c->request, .extra = true};
    st = tain_run_command(&r, &out, &errors, &code, err);
    tain_command_line_done(&line);
    TAIN_TRY(st);
    return code ? tain_run_failure(&errors, TAIN_E_UNAVAILABLE, err) : TAIN_OK;
}

/* A header is one line of ASCII. */
static void warn(tain_call *c, const char *message)
{
    TAIN_AUTO(tain_free) char *text = tain_strdup(message);
    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~') *p = '?';
    tain_http_reply_add(c->reply, "x-tain-warning", "%s", text);
}

/* --- a folder that is to go: a link to it stands in HOME/removals until it is gone ------------------------------------------- */

static char *notes_folder(const tain_api *a)
{
    return tain_format("%s/removals", tain_control_home(a->control));
}

static tain_status note_folder(const tain_call *c, const tain_control_item *i, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *notes = notes_folder(c->api), *note = tain_format("%s/%s", notes, i->id);
    bool noted = tain_make_folder(notes, true) && (symlink(i->lake, note) == 0 || errno == EEXIST) && tain_sync_folder(notes);
    if (!noted) return tain_fail_errno(err, "cannot write %s", note);
    *ret = tain_strdup(note);
    return TAIN_OK;
}

/* What cannot be removed is said now, and left to people: the folder may be another mirror's by the next start. */
static tain_status remove_noted(const char *lake, const char *note, tain_error *err)
{
    tain_status st = tain_remove_folder(lake) ? TAIN_OK : tain_fail_errno(err, "cannot remove %s", lake);
    (void)unlink(note);
    return st;
}

static bool is_used(const tain_api *a, const char *lake)
{
    tain_control_items all;
    tain_error         ignored;
    bool               used = false;
    if (tain_control_item_list(a->control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, &ignored) != TAIN_OK) return true;
    for (size_t i = 0; i < all.count; i++) used = used || strcmp(all.rows[i].lake, lake) == 0;
    tain_control_items_done(&all);
    return used;
}

static void resume(const tain_api *a, const char *note)
{
    char       lake[PATH_MAX];
    tain_error e = {0};
    ssize_t    n = readlink(note, lake, sizeof lake - 1);
    if (n <= 0) return;
    lake[n] = 0;
    if (is_used(a, lake)) (void)unlink(note);
    else if (remove_noted(lake, note, &e) != TAIN_OK) tain_log(TAIN_LOG_WARN, "%s", e.message);
}

void tain_remove_rest(const tain_api *a)
{
    TAIN_AUTO(tain_free) char *notes = notes_folder(a);
    DIR           *dir = opendir(notes);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        TAIN_AUTO(tain_free) char *note = tain_format("%s/%s", notes, e->d_name);
        resume(a, note);
    }
    if (dir) closedir(dir);
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

static tain_status forget(tain_call *c, const tain_control_item *i, tain_error *err)
{
    TAIN_TRY(tain_control_item_remove(c->api->control, i->id, err));
    tain_supervisor_look(c->api->supervisor, i->id);
    return TAIN_OK;
}

static tain_status forget_with_folder(tain_call *c, const tain_control_item *i, tain_error *err)
{
    TAIN_AUTO(tain_free) char *note = NULL;
    TAIN_TRY(note_folder(c, i, &note, err));
    tain_status st = forget(c, i, err);
    if (st == TAIN_OK) return remove_noted(i->lake, note, err);
    (void)unlink(note);
    return st;
}

static tain_status remove_barred(tain_call *c, const tain_control_item *i, bool hard, tain_error *err)
{
    tain_error trouble = {0};
    if (!tain_supervisor_rests(c->api->supervisor, i->id, PATIENCE)) return tain_fail(err, TAIN_E_BUSY, "the worker of '%s' does not end", i->name);
    if (release(c, i, &trouble) != TAIN_OK) {
        if (tain_http_stopping(c->request)) return tain_fail(err, TAIN_E_UNAVAILABLE, "%s", trouble.message); /* what it has in its source would stay */
        warn(c, trouble.message);
    }
    return hard ? forget_with_folder(c, i, err) : forget(c, i, err);
}

/* Until it is forgotten nobody can start it again, or a worker would write into a folder that is being removed. */
tain_status tain_remove_item(tain_call *c, const tain_control_item *i, bool hard, tain_error *err)
{
    if (hard) TAIN_TRY(tain_place_check_removal(c, i, err));
    TAIN_TRY(tain_control_item_want(c->api->control, i->id, TAIN_CONTROL_STOPPED, err));
    tain_supervisor_look(c->api->supervisor, i->id);
    tain_supervisor_bar(c->api->supervisor, i->id, true);
    tain_status st = remove_barred(c, i, hard, err);
    if (st != TAIN_OK) tain_supervisor_bar(c->api->supervisor, i->id, false);
    return st;
}
