/* SPDX-License-Identifier: MIT */
/* posix_list.c -- walking folders: list and remove_all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/posix.h"

typedef struct walk {
    const posix *p;
    const char  *prefix, *after;
    bool (*each)(void *ctx, const tain_object *o);
    void       *ctx;
    tain_buffer key; /* of the folder being walked, with '/' behind it, or empty; then of its entry */
    bool        stopped;
} walk;

typedef struct names {
    tain_arena arena;
    char     **items;
    size_t     count, capacity;
} names;

static bool is_ours(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strncmp(name, ".tmp-", 5) == 0;
}

static bool is_folder(int dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK) return e->d_type == DT_DIR;
    return fstatat(dir, e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Whether key, or for a folder ("a/b/") anything below it, can be asked for. */
static bool is_wanted(const walk *w, const char *key, bool folder)
{
    size_t n = strlen(key), prefix = strlen(w->prefix);
    if (!folder && n < prefix) return false;
    if (strncmp(key, w->prefix, n < prefix ? n : prefix) != 0) return false;
    if (!w->after || strcmp(key, w->after) > 0) return true;
    return folder && strncmp(key, w->after, n) == 0;
}

static const char *entry_key(walk *w, size_t folder_size, const char *name)
{
    w->key.size = folder_size;
    tain_buffer_append_str(&w->key, name);
    return tain_buffer_cstr(&w->key);
}

static void add_name(names *n, const char *name, size_t size)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity ? 2 * n->capacity : 64;
        n->items = tain_realloc(n->items, n->capacity * sizeof *n->items);
    }
    n->items[n->count++] = tain_arena_strndup(&n->arena, name, size);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Folders get a '/' behind their names, so that sorting the names sorts the keys below them ("a-b" before "a/b"). */
static tain_status read_names(walk *w, DIR *dir, size_t folder_size, names *n, tain_error *err)
{
    struct dirent *e;
    for (errno = 0; (e = readdir(dir)); errno = 0) {
        char   name[sizeof e->d_name + 1];
        size_t size = strlen(e->d_name);
        if (is_ours(e->d_name)) continue;
        memcpy(name, e->d_name, size + 1);
        bool folder = is_folder(dirfd(dir), e);
        if (folder) memcpy(name + size++, "/", 2);
        if (is_wanted(w, entry_key(w, folder_size, name), folder)) add_name(n, name, size);
    }
    w->key.size = folder_size;
    int sys = errno;
    if (n->count) qsort(n->items, n->count, sizeof *n->items, by_bytes);
    errno = sys;
    return sys ? tain_posix_fail(w->p, "list", tain_buffer_cstr(&w->key), err) : TAIN_OK;
}

static tain_status walk_folder(walk *w, int parent, const char *name, tain_error *err);

/* What went away since the names were read is left out. */
static tain_status visit(walk *w, int dir, size_t folder_size, const char *name, tain_error *err)
{
    const char *key = entry_key(w, folder_size, name);
    if (key[w->key.size - 1] == '/') return walk_folder(w, dir, name, err);
    struct stat st;
    if (fstatat(dir, name, &st, 0) < 0) return errno == ENOENT ? TAIN_OK : tain_posix_fail(w->p, "look at", key, err);
    tain_object o = {key, st.st_size, tain_posix_modified(&st)};
    if (S_ISREG(st.st_mode)) w->stopped = !w->each(w->ctx, &o);
    return TAIN_OK;
}

static tain_status walk_open_folder(walk *w, DIR *dir, tain_error *err)
{
    size_t      folder_size = w->key.size;
    names       n = {0};
    tain_status status = read_names(w, dir, folder_size, &n, err);
    for (size_t i = 0; i < n.count && status == TAIN_OK && !w->stopped; i++) {
        status = visit(w, dirfd(dir), folder_size, n.items[i], err);
    }
    w->key.size = folder_size;
    tain_arena_done(&n.arena);
    tain_free(n.items);
    return status;
}

static DIR *open_folder(int parent, const char *name, int flags)
{
    int  fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    return dir;
}

/* w->key is the folder's own. */
static tain_status walk_folder(walk *w, int parent, const char *name, tain_error *err)
{
    DIR *dir = open_folder(parent, name, 0);
    if (!dir) {
        if (errno == ENOENT || errno == ENOTDIR) return TAIN_OK;
        return tain_posix_fail(w->p, "open the folder", tain_buffer_cstr(&w->key), err);
    }
    tain_status status = walk_open_folder(w, dir, err);
    closedir(dir);
    return status;
}

tain_status tain_posix_list(tain_store *s, const char *prefix, const char *after,
                            bool (*each)(void *ctx, const tain_object *o), void *ctx, tain_error *err)
{
    walk        w = {(posix *)s, prefix, after, each, ctx, {0}, false};
    const char *slash = strrchr(prefix, '/');
    if (slash) tain_buffer_append(&w.key, prefix, (size_t)(slash - prefix) + 1);
    tain_status status = walk_folder(&w, w.p->root, slash ? tain_buffer_cstr(&w.key) : ".", err);
    tain_buffer_done(&w.key);
    return status;
}

static tain_status empty_folder(const posix *p, int parent, const char *name, tain_error *err);

static tain_status remove_entry(const posix *p, int dir, const char *name, tain_error *err)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return TAIN_OK;
    if (errno != EISDIR) return tain_posix_fail(p, "remove", name, err);
    TAIN_TRY(empty_folder(p, dir, name, err));
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return TAIN_OK;
    if (errno == ENOTEMPTY || errno == EEXIST) {
        return tain_fail(err, TAIN_E_BUSY, "cannot remove the folder %s in %s: somebody is writing into it", name, p->base.path);
    }
    return tain_posix_fail(p, "remove the folder", name, err);
}

static tain_status remove_entries(const posix *p, DIR *dir, const char *name, tain_error *err)
{
    struct dirent *e;
    for (errno = 0; (e = readdir(dir)); errno = 0) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        TAIN_TRY(remove_entry(p, dirfd(dir), e->d_name, err));
    }
    return errno ? tain_posix_fail(p, "list", name, err) : TAIN_OK;
}

static tain_status empty_folder(const posix *p, int parent, const char *name, tain_error *err)
{
    DIR *dir = open_folder(parent, name, O_NOFOLLOW);
    if (!dir) return errno == ENOENT || errno == ENOTDIR ? TAIN_OK : tain_posix_fail(p, "open the folder", name, err);
    tain_status status = remove_entries(p, dir, name, err);
    closedir(dir);
    return status;
}

/* The root itself stays. */
tain_status tain_posix_remove_all(tain_store *s, const char *prefix, tain_error *err)
{
    posix *p = (posix *)s;
    tain_posix_forget_folders(p);
    struct stat st;
    if (!*prefix) return empty_folder(p, p->root, ".", err);
    if (fstatat(p->root, prefix, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? TAIN_OK : tain_posix_fail(p, "look at", prefix, err);
    }
    return S_ISDIR(st.st_mode) ? remove_entry(p, p->root, prefix, err) : TAIN_OK;
}
