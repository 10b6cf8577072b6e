/* SPDX-License-Identifier: MIT */
#include "base/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_holder(int fd, char holder[static TAIN_LOCKFILE_HOLDER])
{
    ssize_t n = pread(fd, holder, TAIN_LOCKFILE_HOLDER - 1, 0);
    holder[n > 0 ? n : 0] = 0;
    if (n <= 0) snprintf(holder, TAIN_LOCKFILE_HOLDER, "another process");
}

/* Only a name for people: the lock itself holds without it, so a full disk does not matter here. */
static void write_holder(int fd)
{
    char host[100] = "", who[TAIN_LOCKFILE_HOLDER];
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %d on %s", (int)getpid(), host);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, who, (size_t)n, 0) < 0) errno = 0;
}

tain_status tain_lockfile_take(const char *path, mode_t mode, int *ret_fd, char holder[static TAIN_LOCKFILE_HOLDER], tain_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);
    if (fd < 0) return tain_fail_errno(err, "cannot open %s", path);
    if (fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}) != 0) {
        read_holder(fd, holder);
        close(fd);
        return tain_fail(err, TAIN_E_BUSY, "%s is held by %s", path, holder);
    }
    write_holder(fd);
    *ret_fd = fd;
    return TAIN_OK;
}

bool tain_lockfile_is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno != ENOENT;
    struct flock lock = {.l_type = F_RDLCK};
    bool held = fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return held;
}
