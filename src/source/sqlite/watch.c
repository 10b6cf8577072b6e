/* SPDX-License-Identifier: MIT */
#include "source/sqlite/watch.h"

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct tain_sqlite_watch {
    char *path, *wal_path;
    int   inotify; /* -1: not to be had here; then there are only short waits */
    int   file, wal; /* watch descriptors, -1: none now */
    int   wake;
    struct stat was[2]; /* the two files, as they were when they were looked at last */
};

enum { WRITTEN = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF };

tain_status tain_sqlite_watch_new(const char *path, tain_sqlite_watch **ret, tain_error *err)
{
    tain_sqlite_watch *w = tain_alloc(sizeof *w);
    *w = (tain_sqlite_watch){.path = tain_strdup(path), .wal_path = tain_format("%s-wal", path), .file = -1, .wal = -1};
    w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    tain_sqlite_watch_again(w);
    if (w->wake < 0) {
        tain_status st = tain_fail_errno(err, "cannot make an event descriptor");
        tain_sqlite_watch_free(w);
        return st;
    }
    *ret = w;
    return TAIN_OK;
}

void tain_sqlite_watch_free(tain_sqlite_watch *w)
{
    if (!w) return;
    if (w->inotify >= 0) close(w->inotify);
    if (w->wake >= 0) close(w->wake);
    free(w->path);
    free(w->wal_path);
    free(w);
}

void tain_sqlite_watch_again(tain_sqlite_watch *w)
{
    w->file = w->inotify >= 0 ? inotify_add_watch(w->inotify, w->path, WRITTEN) : -1;
    w->wal = -1;
}

int tain_sqlite_watch_fd(const tain_sqlite_watch *w)
{
    return w->inotify;
}

bool tain_sqlite_watch_is_told(const tain_sqlite_watch *w) { return w->file >= 0; }

static void look_at(const tain_sqlite_watch *w, struct stat ret[2])
{
    if (stat(w->path, &ret[0]) != 0) ret[0] = (struct stat){0};
    if (stat(w->wal_path, &ret[1]) != 0) ret[1] = (struct stat){0};
}

void tain_sqlite_watch_note(tain_sqlite_watch *w) { look_at(w, w->was); }

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool tain_sqlite_watch_differs(const tain_sqlite_watch *w)
{
    struct stat now[2];
    look_at(w, now);
    return !is_same(&now[0], &w->was[0]) || !is_same(&now[1], &w->was[1]);
}

static void drain(tain_sqlite_watch *w)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    for (ssize_t n; (n = read(w->inotify, buffer, sizeof buffer)) > 0;) {
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)p;
            if (e->wd == w->wal && (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))) w->wal = -1;
            p += sizeof *e + e->len;
        }
    }
}

/* The write-ahead log comes and goes with the first and last connection. */
static void watch_wal(tain_sqlite_watch *w)
{
    if (w->inotify >= 0 && w->wal < 0) w->wal = inotify_add_watch(w->inotify, w->wal_path, WRITTEN);
}

bool tain_sqlite_watch_wait(tain_sqlite_watch *w, tain_time until)
{
    watch_wal(w);
    tain_time left = until - tain_monotonic();
    if (left < 0) left = 0;
    struct pollfd fds[2] = {{.fd = w->wake, .events = POLLIN}, {.fd = w->inotify, .events = POLLIN}};
    struct timespec pause = {.tv_sec = left / TAIN_SECOND, .tv_nsec = left % TAIN_SECOND * 1000};
    if (ppoll(fds, 2, &pause, NULL) <= 0 || !fds[1].revents) return false;
    drain(w);
    return true;
}

void tain_sqlite_watch_wake(tain_sqlite_watch *w)
{
    uint64_t one = 1;
    if (write(w->wake, &one, sizeof one) < 0) return; /* full: it is awake */
}

void tain_sqlite_watch_calm(tain_sqlite_watch *w)
{
    uint64_t n;
    if (read(w->wake, &n, sizeof n) < 0) return; /* was calm */
}
