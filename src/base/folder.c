/* SPDX-License-Identifier: MIT */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* "" for what is at the top. Caller frees. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    while (slash > path && slash[-1] == '/') slash--;
    return tain_strndup(path, slash ? (size_t)(slash - path) : 0);
}

bool tain_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    int  sys = errno;
    close(fd);
    errno = sys;
    return ok;
}

bool tain_sync_parent(const char *path)
{
    char *parent = parent_of(path);
    bool  ok = tain_sync_folder(*parent ? parent : *path == '/' ? "/" : ".");
    int   sys = errno;
    tain_free(parent);
    errno = sys;
    return ok;
}

static bool make(const char *path, bool durable)
{
    if (mkdir(path, 0777) < 0) return errno == EEXIST;
    if (durable) (void)!tain_sync_parent(path); /* a courtesy: it may be a folder that we are not allowed to read */
    return true;
}

bool tain_make_folder(const char *path, bool durable)
{
    if (make(path, durable)) return true;
    if (errno != ENOENT) return false;
    char *parent = parent_of(path);
    bool  made = *parent && tain_make_folder(parent, durable) && make(path, durable);
    tain_free(parent);
    return made;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

bool tain_remove_folder(const char *path)
{
    return nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

const char *tain_temp_folder(void)
{
    const char *given = getenv("TMPDIR");
    return given && *given ? given : "/tmp";
}
