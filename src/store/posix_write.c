/* SPDX-License-Identifier: MIT */
/* posix_write.c -- put and upload. A file is written without a name (or, where that is not possible, under a temporary
 * one), synced, given its name in one step, and then the folder is synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"
#include "base/writeback.h"
#include "store/posix.h"

typedef struct draft {
    int         dir, fd;
    const char *name;     /* of the object in its folder */
    char        temp[40]; /* temporary name; empty: has none */
} draft;

typedef struct posix_upload {
    tain_upload base;
    char       *key;
    draft       draft;
    uint8_t    *pending; /* WRITE_BUFFER bytes */
    size_t      pending_size;
    uint64_t    written;
    tain_writeback writeback;
} posix_upload;

enum { WRITE_BUFFER = 1 << 20, COPY_STEP = 64 << 20 };

/* Names collide only with those of other processes and of crashes, and then the next is tried. */
static void next_temp_name(posix *p, draft *d)
{
    snprintf(d->temp, sizeof d->temp, ".tmp-%x-%x-%llx", (unsigned)getpid(), atomic_fetch_add(&p->temporal, 1),
             (unsigned long long)tain_monotonic());
}

static int open_named(posix *p, draft *d)
{
    do {
        next_temp_name(p, d);
        d->fd = openat(d->dir, d->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (d->fd < 0 && errno == EEXIST);
    if (d->fd < 0) d->temp[0] = 0;
    return d->fd;
}

static int open_file(posix *p, draft *d)
{
    if (!p->named) {
        d->fd = openat(d->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (d->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)) return d->fd;
        p->named = true;
    }
    return open_named(p, d);
}

/* Leaves nothing behind but what was published. */
static void draft_close(draft *d)
{
    int sys = errno;
    if (d->temp[0]) unlinkat(d->dir, d->temp, 0);
    if (d->fd >= 0) close(d->fd);
    if (d->dir >= 0) close(d->dir);
    *d = (draft){.dir = -1, .fd = -1};
    errno = sys;
}

static int draft_open(posix *p, const char *folder, draft *d)
{
    d->dir = openat(p->root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir >= 0 && open_file(p, d) >= 0) return 0;
    draft_close(d);
    return -1;
}

static tain_status begin_in(posix *p, const char *folder, const char *key, draft *d, tain_error *err)
{
    TAIN_TRY(tain_posix_make_folder(p, folder, err));
    return draft_open(p, folder, d) == 0 ? TAIN_OK : tain_posix_fail(p, "write", key, err);
}

static tain_status draft_begin(posix *p, const char *key, draft *d, tain_error *err)
{
    *d = (draft){.dir = -1, .fd = -1};
    char       *folder = tain_posix_folder_of(key);
    tain_status status = begin_in(p, folder, key, d, err);
    /* A folder that is believed to exist may have been removed from outside: then it is made again. */
    if (status == TAIN_E_NOT_FOUND) {
        tain_posix_forget_folders(p);
        status = begin_in(p, folder, key, d, err);
    }
    const char *slash = strrchr(key, '/');
    d->name = slash ? slash + 1 : key;
    tain_free(folder);
    return status;
}

static int write_whole(int fd, const uint8_t *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return -1;
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

static int link_as(const draft *d, const char *name)
{
    if (d->temp[0]) return linkat(d->dir, d->temp, d->dir, name, 0);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", d->fd);
    return linkat(AT_FDCWD, path, d->dir, name, AT_SYMLINK_FOLLOW);
}

static int give_temp_name(posix *p, draft *d)
{
    draft named = *d;
    int   rc;
    do {
        next_temp_name(p, &named);
        rc = link_as(d, named.temp);
    } while (rc < 0 && errno == EEXIST);
    if (rc == 0) *d = named;
    return rc;
}

/* Only a file with a name can replace another. */
static int replace(posix *p, draft *d)
{
    if (!d->temp[0]) {
        if (link_as(d, d->name) == 0) return 0;
        if (errno != EEXIST || give_temp_name(p, d) < 0) return -1;
    }
    if (renameat(d->dir, d->temp, d->dir, d->name) < 0) return -1;
    d->temp[0] = 0;
    return 0;
}

static bool is_delta_commit(const char *key)
{
    const char *slash = strrchr(key, '/');
    size_t      n = strlen(key), folder = slash ? (size_t)(slash - key) : 0;
    if (n < 5 || strcmp(key + n - 5, ".json") != 0 || folder < 10) return false;
    return memcmp(slash - 10, "_delta_log", 10) == 0 && (folder == 10 || slash[-11] == '/');
}

static int publish(posix *p, draft *d, const char *key, unsigned flags)
{
    if (fsync(d->fd) < 0) return -1;
    if (is_delta_commit(key) && tain_fault_fails(TAIN_FAULT_DELTA_BEFORE_LINK)) {
        errno = EIO;
        return -1;
    }
    return flags & TAIN_PUT_IF_ABSENT ? link_as(d, d->name) : replace(p, d);
}

/* From the moment the name is there others see the object, so what fails then is no failure to put it. */
static tain_status draft_finish(posix *p, draft *d, const char *key, unsigned flags, tain_error *err)
{
    tain_status status = TAIN_OK;
    if (publish(p, d, key, flags) < 0) status = tain_posix_fail(p, "write", key, err);
    else if (fsync(d->dir) < 0) status = tain_posix_unsure(p, key, err);
    draft_close(d);
    return status;
}

tain_status tain_posix_put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err)
{
    posix *p = (posix *)s;
    draft  d;
    TAIN_TRY(draft_begin(p, key, &d, err));
    if (write_whole(d.fd, data.data, data.size) == 0) return draft_finish(p, &d, key, flags, err);
    draft_close(&d);
    return tain_posix_fail(p, "write", key, err);
}

tain_status tain_posix_upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err)
{
    posix_upload *u = tain_alloc(sizeof *u);
    u->base.store = s;
    u->key = tain_strdup(key);
    tain_status status = draft_begin((posix *)s, u->key, &u->draft, err);
    if (status != TAIN_OK) {
        tain_posix_upload_abort(&u->base);
        return status;
    }
    *ret = &u->base;
    return TAIN_OK;
}

static tain_status flush(posix_upload *u, const void *data, size_t n, tain_error *err)
{
    if (write_whole(u->draft.fd, data, n) < 0) return tain_posix_fail((posix *)u->base.store, "write", u->key, err);
    tain_writeback_step(&u->writeback, u->draft.fd, u->written += n);
    return TAIN_OK;
}

tain_status tain_posix_upload_write(tain_upload *upload, const void *data, size_t n, tain_error *err)
{
    posix_upload *u = (posix_upload *)upload;
    if (u->pending_size + n > WRITE_BUFFER && u->pending_size) {
        TAIN_TRY(flush(u, u->pending, u->pending_size, err));
        u->pending_size = 0;
    }
    if (n >= WRITE_BUFFER) return flush(u, data, n, err);
    if (!u->pending) u->pending = tain_alloc(WRITE_BUFFER);
    memcpy(u->pending + u->pending_size, data, n);
    u->pending_size += n;
    return TAIN_OK;
}

static int64_t copy_range(posix_upload *u, int from, int64_t offset, int64_t n)
{
    int64_t done = 0;
    while (done < n) {
        off64_t at = offset + done;
        size_t  want = n - done < COPY_STEP ? (size_t)(n - done) : COPY_STEP;
        ssize_t got = copy_file_range(from, &at, u->draft.fd, NULL, want, 0);
        if (got <= 0) break; /* whatever it is, reading and writing will say */
        done += got;
        tain_writeback_step(&u->writeback, u->draft.fd, u->written += got);
    }
    return done;
}

tain_status tain_posix_upload_copy(tain_upload *upload, const char *path, int64_t offset, int64_t n, int64_t *ret, tain_error *err)
{
    posix_upload *u = (posix_upload *)upload;
    *ret = 0;
    TAIN_TRY(flush(u, u->pending, u->pending_size, err));
    u->pending_size = 0;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) return TAIN_OK;
    *ret = copy_range(u, from, offset, n);
    close(from);
    return TAIN_OK;
}

tain_status tain_posix_upload_finish(tain_upload *upload, tain_error *err)
{
    posix_upload *u = (posix_upload *)upload;
    tain_status   status = flush(u, u->pending, u->pending_size, err);
    if (status == TAIN_OK) status = draft_finish((posix *)u->base.store, &u->draft, u->key, 0, err);
    tain_posix_upload_abort(upload);
    return status;
}

void tain_posix_upload_abort(tain_upload *upload)
{
    posix_upload *u = (posix_upload *)upload;
    draft_close(&u->draft);
    tain_free(u->pending);
    tain_free(u->key);
    tain_free(u);
}
