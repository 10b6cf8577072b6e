/* SPDX-License-Identifier: MIT */
#include "serve/api/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/supervisor/process.h"

typedef struct child {
    pid_t pid;
    int   out, errors; /* our ends of its pipes */
} child;

static void close_ends(const child *c)
{
    close(c->out);
    close(c->errors);
}

/* --- starting ---------------------------------------------------------------------------------------------------------- */

static tain_status start(const tain_run *r, child *ret, tain_error *err)
{
    int out[2], errors[2];
    if (pipe2(out, O_CLOEXEC) < 0) return tain_fail_errno(err, "cannot make a pipe");
    if (pipe2(errors, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return tain_fail_errno(err, "cannot make a pipe");
    }
    const tain_process p = {.file = "/proc/self/exe", .argv = r->argv, .environment = r->environment, .output = out[1], .errors = errors[1]};
    tain_status        st = tain_process_start(&p, &ret->pid, err);
    close(out[1]);
    close(errors[1]);
    ret->out = out[0];
    ret->errors = errors[0];
    if (st != TAIN_OK) close_ends(ret);
    return st;
}

/* --- listening --------------------------------------------------------------------------------------------------------- */

/* False: there will be no more. */
static bool take(int fd, tain_buffer *to)
{
    ssize_t n = read(fd, tain_buffer_reserve(to, 1 << 16), 1 << 16);
    if (n > 0) to->size += (size_t)n;
    return n > 0 || (n < 0 && errno == EINTR);
}

#define LOOK_EVERY (200 * TAIN_MILLISECOND) /* whether the service is to stop */

static tain_status listen_to(const tain_run *r, const child *c, tain_buffer *out, tain_buffer *errors, tain_error *err)
{
    struct pollfd p[] = {{.fd = c->out, .events = POLLIN}, {.fd = c->errors, .events = POLLIN}};
    tain_time     end = tain_monotonic() + r->patience;
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        tain_time left = end - tain_monotonic();
        if (left <= 0) return tain_fail(err, TAIN_E_CANCELLED, "it took longer than %lld s", (long long)(r->patience / TAIN_SECOND));
        if (r->request && tain_http_stopping(r->request)) return tain_fail(err, TAIN_E_UNAVAILABLE, "the service stops");
        if (poll(p, 2, (int)((left < LOOK_EVERY ? left : LOOK_EVERY) / TAIN_MILLISECOND) + 1) <= 0) continue;
        if (p[0].revents && !take(c->out, out)) p[0].fd = -1;
        if (p[1].revents && !take(c->errors, errors)) p[1].fd = -1;
        if (out->size + errors->size > r->most) return tain_fail(err, TAIN_E_CANCELLED, "its answer is larger than %zu bytes", r->most);
    }
    return TAIN_OK;
}

static int reap(const child *c, bool kill_it)
{
    int status = 0;
    if (kill_it) kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) continue;
    close_ends(c);
    return status;
}

static tain_status run(const tain_run *r, tain_buffer *ret_output, tain_buffer *ret_errors, int *ret_code, tain_error *err)
{
    child c = {0};
    TAIN_TRY(start(r, &c, err));
    tain_status st = listen_to(r, &c, ret_output, ret_errors, err);
    int         status = reap(&c, st != TAIN_OK);
    TAIN_TRY(st);
    if (WIFSIGNALED(status)) return tain_fail(err, TAIN_E_CANCELLED, "it ended by signal %d", WTERMSIG(status));
    *ret_code = WEXITSTATUS(status);
    return TAIN_OK;
}

/* --- whether it may ------------------------------------------------------------------------------------------------------ */

/* Linux passes on words of 32 pages, the NUL included. */
static tain_status check_words(const char *const *argv, tain_error *err)
{
    size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE) - 1;
    for (; *argv; argv++)
        if (strlen(*argv) > most) return tain_fail(err, TAIN_E_INVALID, "a text of %zu bytes is too long: %zu at most", strlen(*argv), most);
    return TAIN_OK;
}

static atomic_int running; /* of those that are not extra */

tain_status tain_run_command(const tain_run *r, tain_buffer *ret_output, tain_buffer *ret_errors, int *ret_code, tain_error *err)
{
    tain_status st;
    TAIN_TRY(check_words(r->argv, err));
    if (r->extra) return run(r, ret_output, ret_errors, ret_code, err);
    if (atomic_fetch_add(&running, 1) < TAIN_RUN_MOST) {
        st = run(r, ret_output, ret_errors, ret_code, err);
    } else {
        st = tain_fail(err, TAIN_E_BUSY, "%d checks and queries are under way, and no more run at once", TAIN_RUN_MOST);
        tain_error_remedy(err, "try again when one of them is done");
    }
    atomic_fetch_sub(&running, 1);
    return st;
}

/* --- what it complained of --------------------------------------------------------------------------------------------- */

tain_status tain_run_failure(tain_buffer *errors, tain_status code, tain_error *err)
{
    char *text = tain_buffer_cstr(errors), *at = strstr(text, "tain: "), *remedy;
    char *message = at ? at + 6 : text;
    remedy = strstr(message, "\n  remedy: ");
    int length = (int)strcspn(message, "\n");
    tain_status st = length ? tain_fail(err, code, "%.*s", length, message) : tain_fail(err, code, "it failed and said nothing");
    if (remedy) tain_error_remedy(err, "%.*s", (int)strcspn(remedy + 11, "\n"), remedy + 11);
    return st;
}
