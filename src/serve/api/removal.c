/* SPDX-License-Identifier: MIT */
#include "serve/api/removal.h"

#include "base/folder.h"
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

tain_status tain_remove_item(tain_call *c, const tain_control_item *i, bool hard, tain_error *err)
{
    tain_error trouble = {0};
    if (hard) TAIN_TRY(tain_place_check_removal(c, i, err));
    TAIN_TRY(tain_control_item_want(c->api->control, i->id, TAIN_CONTROL_STOPPED, err));
    tain_supervisor_look(c->api->supervisor, i->id);
    if (!tain_supervisor_rests(c->api->supervisor, i->id, PATIENCE)) return tain_fail(err, TAIN_E_BUSY, "the worker of '%s' does not end", i->name);
    if (release(c, i, &trouble) != TAIN_OK) {
        if (tain_http_stopping(c->request)) return tain_fail(err, TAIN_E_UNAVAILABLE, "%s", trouble.message); /* what it has in its source would stay */
        warn(c, trouble.message);
    }
    TAIN_TRY(tain_control_item_remove(c->api->control, i->id, err));
    tain_supervisor_look(c->api->supervisor, i->id);
    return hard && !tain_remove_folder(i->lake) ? tain_fail_errno(err, "cannot remove %s", i->lake) : TAIN_OK;
}
