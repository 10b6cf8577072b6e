/* SPDX-License-Identifier: MIT */
/* posix.c -- a store in a folder: opening, reading, removing, moving. Writing is in posix_write.c, walking in posix_list.c. */
#include "store/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"

static void advise(const char *place, tain_error *err)
{
    if (!err) return;
    if (err->code == TAIN_E_FULL) tain_error_remedy(err, "make room on the file system that holds %s, or raise the quota", place);
    if (err->sys == EROFS) tain_error_remedy(err, "the file system that holds %s is read-only: mount it for writing", place);
    else if (err->code == TAIN_E_PERMISSION) tain_error_remedy(err, "give user %u access to %s", (unsigned)geteuid(), place);
}

tain_status tain_posix_fail(const posix *p, const char *what, const char *key, tain_error *err)
{
    tain_status status = tain_fail_errno(err, "cannot %s %s%s%s", what, p->base.path, *key ? "/" : "", key);
    advise(p->base.path, err);
    return status;
}

tain_status tain_posix_unsure(const posix *p, const char *key, tain_error *err)
{
    return tain_fail(err, TAIN_E_UNKNOWN, "%s/%s is written but may not survive a power cut: %s", p->base.path, key,
                     strerrordesc_np(errno));
}

/* There is no object at a folder's name, nor below a file. */
static tain_status fail_reading(const posix *p, const char *what, const char *key, tain_error *err)
{
    if (errno == ENOTDIR || errno == EISDIR) errno = ENOENT;
    return tain_posix_fail(p, what, key, err);
}

tain_time tain_posix_modified(const struct stat *st)
{
    return (tain_time)st->st_mtim.tv_sec * TAIN_SECOND + st->st_mtim.tv_nsec / 1000;
}

char *tain_posix_folder_of(const char *key)
{
    const char *slash = strrchr(key, '/');
    return tain_strndup(key, slash ? (size_t)(slash - key) : 0);
}

void tain_posix_forget_folders(posix *p)
{
    pthread_mutex_lock(&p->lock);
    tain_map_done(&p->durable);
    pthread_mutex_unlock(&p->lock);
}

static bool is_durable(posix *p, const char *folder)
{
    pthread_mutex_lock(&p->lock);
    bool known = !*folder || tain_map_get(&p->durable, folder);
    pthread_mutex_unlock(&p->lock);
    return known;
}

static void note_durable(posix *p, const char *folder)
{
    enum { MANY = 100000 };
    pthread_mutex_lock(&p->lock);
    if (p->durable.count >= MANY) tain_map_done(&p->durable);
    tain_map_put(&p->durable, folder, p);
    pthread_mutex_unlock(&p->lock);
}

tain_status tain_posix_sync_folder(const posix *p, const char *folder, tain_error *err)
{
    int fd = openat(p->root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return tain_posix_fail(p, "open", folder, err);
    tain_status status = fsync(fd) == 0 ? TAIN_OK : tain_posix_fail(p, "sync", folder, err);
    close(fd);
    return status;
}

/* A folder that exists already may have been made by another writer a moment ago, so its name is synced too, once. */
tain_status tain_posix_make_folder(posix *p, const char *folder, tain_error *err)
{
    if (is_durable(p, folder)) return TAIN_OK;
    char       *parent = tain_posix_folder_of(folder);
    tain_status status = tain_posix_make_folder(p, parent, err);
    if (status == TAIN_OK && mkdirat(p->root, folder, 0777) < 0 && errno != EEXIST) {
        status = tain_posix_fail(p, "make the folder", folder, err);
    }
    if (status == TAIN_OK) status = tain_posix_sync_folder(p, parent, err);
    if (status == TAIN_OK) note_durable(p, folder);
    tain_free(parent);
    return status;
}

static tain_status read_at(const posix *p, int fd, const char *key, int64_t begin, int64_t count, tain_buffer *io,
                           tain_error *err)
{
    tain_buffer_reserve(io, (size_t)count);
    for (int64_t done = 0; done < count;) {
        ssize_t n = pread(fd, io->data + io->size, (size_t)(count - done), begin + done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tain_posix_fail(p, "read", key, err);
        if (n == 0) return tain_store_short(&p->base, key, begin + done, begin, count, err);
        io->size += (size_t)n;
        done += n;
    }
    return TAIN_OK;
}

static tain_status read_range(const posix *p, int fd, const char *key, int64_t offset, int64_t length, tain_buffer *io,
                              tain_error *err)
{
    struct stat st;
    int64_t     begin, count;
    if (fstat(fd, &st) < 0) return tain_posix_fail(p, "look at", key, err);
    if (S_ISDIR(st.st_mode)) errno = EISDIR;
    if (S_ISDIR(st.st_mode)) return fail_reading(p, "read", key, err);
    if (!tain_store_range(st.st_size, offset, length, &begin, &count)) {
        return tain_store_short(&p->base, key, st.st_size, offset, length, err);
    }
    return read_at(p, fd, key, begin, count, io, err);
}

static tain_status get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err)
{
    const posix *p = (posix *)s;
    int          fd = openat(p->root, key, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_reading(p, "open", key, err);
    tain_status status = read_range(p, fd, key, offset, length, io, err);
    close(fd);
    return status;
}

static tain_status head(tain_store *s, const char *key, tain_object *ret, tain_error *err)
{
    const posix *p = (posix *)s;
    struct stat  st;
    if (fstatat(p->root, key, &st, 0) < 0) return fail_reading(p, "look at", key, err);
    if (S_ISDIR(st.st_mode)) errno = EISDIR;
    if (S_ISDIR(st.st_mode)) return fail_reading(p, "look at", key, err);
    *ret = (tain_object){key, st.st_size, tain_posix_modified(&st)};
    return TAIN_OK;
}

static tain_status remove_one(tain_store *s, const char *key, tain_error *err)
{
    const posix *p = (posix *)s;
    if (unlinkat(p->root, key, 0) == 0 || errno == ENOENT || errno == ENOTDIR || errno == EISDIR) return TAIN_OK;
    return tain_posix_fail(p, "remove", key, err);
}

static tain_status move(posix *p, const char *from, const char *to, tain_error *err)
{
    int rc = renameat(p->root, from, p->root, to);
    int sys = errno;
    tain_posix_forget_folders(p);
    errno = sys == ENOTEMPTY ? EEXIST : sys;
    return rc == 0 ? TAIN_OK : tain_posix_fail(p, "move a folder to", to, err);
}

static tain_status move_durably(posix *p, const char *from, const char *to, const char *from_parent, const char *to_parent,
                                tain_error *err)
{
    struct stat st;
    if (fstatat(p->root, from, &st, 0) < 0) return fail_reading(p, "move", from, err);
    if (!S_ISDIR(st.st_mode)) return tain_fail(err, TAIN_E_NOT_FOUND, "%s/%s is not a folder", p->base.path, from);
    TAIN_TRY(tain_posix_make_folder(p, to_parent, err));
    TAIN_TRY(move(p, from, to, err));
    tain_status status = tain_posix_sync_folder(p, to_parent, err);
    if (status == TAIN_OK && strcmp(from_parent, to_parent) != 0) status = tain_posix_sync_folder(p, from_parent, err);
    return status == TAIN_OK ? TAIN_OK : tain_posix_unsure(p, to, err);
}

static tain_status rename_folder(tain_store *s, const char *from, const char *to, tain_error *err)
{
    char       *from_parent = tain_posix_folder_of(from), *to_parent = tain_posix_folder_of(to);
    tain_status status = move_durably((posix *)s, from, to, from_parent, to_parent, err);
    tain_free(from_parent);
    tain_free(to_parent);
    return status;
}

static void close_posix(tain_store *s)
{
    posix *p = (posix *)s;
    if (p->root >= 0) close(p->root);
    tain_map_done(&p->durable);
    pthread_mutex_destroy(&p->lock);
}

static const tain_store_ops posix_ops = {
    .scheme = "file",
    .get = get,
    .head = head,
    .put = tain_posix_put,
    .list = tain_posix_list,
    .remove = remove_one,
    .upload = tain_posix_upload,
    .upload_write = tain_posix_upload_write,
    .upload_copy = tain_posix_upload_copy,
    .upload_finish = tain_posix_upload_finish,
    .upload_abort = tain_posix_upload_abort,
    .remove_all = tain_posix_remove_all,
    .rename = rename_folder,
    .close = close_posix,
};

/* "." and ".." are resolved once the folder exists; until then the path is only made absolute. */
char *tain_store_absolute(const char *path)
{
    char *whole, *cwd = NULL;
    if (path[0] == '/') whole = tain_strdup(path);
    else whole = tain_format("%s/%s", (cwd = getcwd(NULL, 0)) ? cwd : ".", path);
    free(cwd);
    size_t n = strlen(whole);
    while (n > 1 && whole[n - 1] == '/') whole[--n] = 0;
    return whole;
}

static void resolve_path(posix *p)
{
    char *real = realpath(p->base.path, NULL);
    if (!real) return;
    tain_free(p->base.path);
    p->base.path = real;
}

static tain_status open_root(posix *p, bool create, tain_error *err)
{
    if (create && !tain_make_folder(p->base.path, true)) {
        if (errno == ENOTDIR) return tain_fail(err, TAIN_E_INVALID, "a part of %s is not a folder", p->base.path);
        return tain_posix_fail(p, "make the folder", "", err);
    }
    p->root = open(p->base.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0 && errno == ENOTDIR) return tain_fail(err, TAIN_E_INVALID, "%s is not a folder", p->base.path);
    if (p->root < 0) return tain_posix_fail(p, "open the folder", "", err);
    resolve_path(p);
    return TAIN_OK;
}

tain_status tain_store_posix(const char *url, const char *path, bool create, tain_store **ret, tain_error *err)
{
    posix *p = tain_alloc(sizeof *p);
    p->base.ops = &posix_ops;
    p->base.url = tain_strdup(url);
    p->base.path = tain_store_absolute(path);
    p->named = access("/proc/self/fd", F_OK) != 0; /* through which a nameless file gets its name */
    pthread_mutex_init(&p->lock, NULL);
    tain_status status = open_root(p, create, err);
    if (status != TAIN_OK) {
        tain_store_close(&p->base);
        return status;
    }
    *ret = &p->base;
    return TAIN_OK;
}

void tain_store_posix_named(tain_store *s)
{
    ((posix *)s)->named = true;
}
