/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "serve/supervisor/process.h"

/* --- what the system says of a process ----------------------------------------------------------------------------- */

static bool read_file(const char *path, char *ret, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, ret, size - 1);
    close(fd);
    ret[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* proc(5): behind the name, which may have anything in it, come the state and 19 numbers before the start. */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ret_start)
{
    char path[40], text[1024], *p;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_file(path, text, sizeof text) || !(p = strrchr(text, ')'))) return false;
    *ret_state = p[2];
    for (int field = 2; field < 22 && p; field++) p = strchr(p + 1, ' ');
    if (!p) return false;
    *ret_start = strtoull(p + 1, NULL, 10);
    return true;
}

bool tain_child_is_stopped(const tain_child *c)
{
    char     state;
    uint64_t start;
    return c->pid && read_stat(c->pid, &state, &start) && start == c->start && state == 'T';
}

static int64_t kilobytes(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p ? strtoll(p + strlen(name), NULL, 10) : 0;
}

int64_t tain_child_memory(const tain_child *c)
{
    char path[40], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)c->pid);
    if (!c->pid || !read_file(path, text, sizeof text) || !strstr(text, "RssAnon:")) return -1;
    return (kilobytes(text, "\nRssAnon:") + kilobytes(text, "\nRssShmem:")) * 1024;
}

void tain_child_boot(char ret[static 37])
{
    if (!read_file("/proc/sys/kernel/random/boot_id", ret, 37)) ret[0] = 0;
    ret[strcspn(ret, "\n")] = 0;
}

void tain_child_program(const char *file, char ret[static 80])
{
    struct stat st;
    ret[0] = 0;
    if (stat(file, &st) != 0) return;
    snprintf(ret, 80, "%llx:%llx:%lld:%lld.%09ld", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)st.st_size,
             (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static tain_status start(const char *file, const char *const *argv, const char *const *environment, const char *log, pid_t *ret, tain_error *err)
{
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0) return tain_fail_errno(err, "cannot open the log %s", log);
    const tain_process p = {.file = file, .argv = argv, .environment = environment, .output = output, .errors = output};
    tain_status        st = tain_process_start(&p, ret, err);
    close(output);
    return st;
}

/* A child of ours keeps its number until it is reaped, so nothing can come between. */
tain_status tain_child_start(const char *file, const char *const *argv, const char *const *environment, const char *log, tain_child *ret, tain_error *err)
{
    tain_child c = {.ours = true, .fd = -1};
    char       state;
    TAIN_TRY(start(file, argv, environment, log, &c.pid, err));
    c.fd = pidfd_open(c.pid, 0);
    if (c.fd >= 0 && read_stat(c.pid, &state, &c.start)) {
        *ret = c;
        return TAIN_OK;
    }
    tain_status st = tain_fail_errno(err, "cannot watch process %d", (int)c.pid);
    kill(c.pid, SIGKILL);
    waitpid(c.pid, NULL, 0);
    if (c.fd >= 0) close(c.fd);
    return st;
}

/* The number is looked at after it is held: from then on it is nobody else's. */
bool tain_child_adopt(pid_t pid, uint64_t start, tain_child *ret)
{
    tain_child c = {.pid = pid, .start = start};
    uint64_t   is;
    char       state;
    if (pid <= 0 || (c.fd = pidfd_open(pid, 0)) < 0) return false;
    if (read_stat(pid, &state, &is) && is == start && state != 'Z' && state != 'X') {
        *ret = c;
        return true;
    }
    close(c.fd);
    return false;
}

static bool was_given(pid_t pid, const char *word)
{
    char        path[40];
    tain_buffer text = {0};
    ssize_t     n;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    while ((n = read(fd, tain_buffer_reserve(&text, 65536), 65536)) > 0) text.size += (size_t)n;
    close(fd);
    bool has = false;
    for (size_t at = 0; at < text.size && !has; at += strnlen((char *)text.data + at, text.size - at) + 1)
        has = strncmp((char *)text.data + at, word, text.size - at) == 0;
    tain_buffer_done(&text);
    return has;
}

bool tain_child_find(pid_t pid, const char *word, tain_child *ret)
{
    tain_child c;
    char       state;
    uint64_t   start;
    if (pid <= 0 || !read_stat(pid, &state, &start) || !tain_child_adopt(pid, start, &c)) return false;
    if (was_given(pid, word)) {
        *ret = c;
        return true;
    }
    tain_child_done(&c);
    return false;
}

/* --- ending -------------------------------------------------------------------------------------------------------- */

void tain_child_signal(const tain_child *c, int sig)
{
    if (c->pid) (void)!pidfd_send_signal(c->fd, sig, NULL, 0); /* it may have ended */
}

bool tain_child_ended(const tain_child *c, int *ret_status)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    *ret_status = -1;
    if (poll(&p, 1, 0) != 1) return false;
    if (c->ours && waitpid(c->pid, ret_status, 0) != c->pid) *ret_status = -1;
    return true;
}

void tain_child_done(tain_child *c)
{
    if (c->pid) close(c->fd);
    *c = (tain_child){0};
}

/* --- log ----------------------------------------------------------------------------------------------------------- */

static bool copy(int from, const char *path)
{
    struct stat st;
    int         to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) return false;
    bool ok = fstat(from, &st) == 0;
    while (ok && lseek(from, 0, SEEK_CUR) < st.st_size) ok = sendfile(to, from, NULL, 1 << 20) > 0;
    close(to);
    return ok;
}

/* Who appends goes on at the new end: the file stays, its content goes. */
void tain_child_rotate(const char *log, int64_t most)
{
    struct stat st;
    if (stat(log, &st) != 0 || st.st_size <= most) return;
    int fd = open(log, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    TAIN_AUTO(tain_free) char *older = tain_format("%s.1", log);
    if (copy(fd, older)) (void)!ftruncate(fd, 0);
    close(fd);
}
