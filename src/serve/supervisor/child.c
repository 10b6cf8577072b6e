/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"

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

static int describe(posix_spawn_file_actions_t *files, posix_spawnattr_t *how, const char *log)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int e = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!e) e = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!e) e = posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO);
    if (!e) e = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    if (!e) e = posix_spawnattr_setsigmask(how, &none);
    if (!e) e = posix_spawnattr_setsigdefault(how, &all);
    if (!e) e = posix_spawnattr_setflags(how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return e;
}

static int spawn(const char *file, char *const *words, char *const *environment, const char *log, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t          how;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int e = describe(&files, &how, log);
    if (!e) e = posix_spawn(ret, file, &files, &how, words, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return e;
}

/* A child of ours keeps its number until it is reaped, so nothing can come between. */
tain_status tain_child_start(const char *file, char *const *words, char *const *environment, const char *log, tain_child *ret, tain_error *err)
{
    tain_child c = {.ours = true, .fd = -1};
    char       state;
    errno = spawn(file, words, environment, log, &c.pid);
    if (errno == EAGAIN || errno == ENOMEM) return tain_fail(err, TAIN_E_UNAVAILABLE, "cannot start %s: %s", file, strerror(errno));
    if (errno) return tain_fail_errno(err, "cannot start %s with the log %s", file, log);
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
