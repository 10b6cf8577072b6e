/* SPDX-License-Identifier: MIT */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes [0, filed) are in the file, [filed, filed + tail.size) in memory. Once there is a file the tail is only a write
 * buffer and kept small. `window` caches a piece of the file for readers that go message by message. */
struct tain_spool {
    char       *dir;
    size_t      memory_limit;
    int         fd; /* -1: all in memory */
    uint64_t    filed;
    tain_buffer tail;
    uint8_t    *window;
    uint64_t    window_at;
    size_t      window_size;
};

enum { WRITE_BUFFER = 128 << 10, WINDOW = 64 << 10 };

tain_spool *tain_spool_new(const char *dir, size_t memory_limit)
{
    tain_spool *s = tain_alloc(sizeof *s);
    s->dir = tain_strdup(dir);
    s->memory_limit = memory_limit;
    s->fd = -1;
    return s;
}

void tain_spool_free(tain_spool *s)
{
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    tain_buffer_done(&s->tail);
    tain_free(s->window);
    tain_free(s->dir);
    tain_free(s);
}

static int open_unlinked(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
    char *name = tain_format("%s/.spool-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) unlink(name);
    tain_free(name);
    return fd;
}

static tain_status write_at(int fd, const uint8_t *data, size_t n, uint64_t offset)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, data, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return TAIN_E_IO;
        data += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return TAIN_OK;
}

/* Appends to the file behind what is filed; when it fails nothing has changed that anybody can see. */
static tain_status file_away(tain_spool *s, const void *data, size_t n, tain_error *err)
{
    if (s->fd < 0) s->fd = open_unlinked(s->dir);
    if (s->fd < 0) return tain_fail_errno(err, "cannot make a temporary file in %s", s->dir);
    if (write_at(s->fd, data, n, s->filed) != TAIN_OK) {
        return tain_fail_errno(err, "cannot write %zu bytes to a temporary file in %s", n, s->dir);
    }
    s->filed += n;
    return TAIN_OK;
}

static size_t tail_limit(const tain_spool *s)
{
    return s->fd >= 0 && s->memory_limit > WRITE_BUFFER ? WRITE_BUFFER : s->memory_limit;
}

static tain_status flush_tail(tain_spool *s, tain_error *err)
{
    if (s->tail.size == 0) return TAIN_OK;
    TAIN_TRY(file_away(s, s->tail.data, s->tail.size, err));
    tain_buffer_clear(&s->tail);
    if (s->tail.capacity > 2 * WRITE_BUFFER) tain_buffer_done(&s->tail);
    return TAIN_OK;
}

/* Growth by half could pass the limit, so the last step goes to the limit itself. n fits it. */
static void make_room(tain_spool *s, size_t n)
{
    tain_buffer *t = &s->tail;
    if (t->capacity - t->size >= n || t->size + n <= s->memory_limit / 3 * 2) return;
    t->data = tain_realloc(t->data, s->memory_limit);
    t->capacity = s->memory_limit;
}

tain_status tain_spool_append(tain_spool *s, const void *data, size_t n, tain_error *err)
{
    if (s->tail.size + n > tail_limit(s)) TAIN_TRY(flush_tail(s, err));
    if (n > tail_limit(s)) return file_away(s, data, n, err);
    make_room(s, n);
    tain_buffer_append(&s->tail, data, n);
    return TAIN_OK;
}

uint64_t tain_spool_size(const tain_spool *s)
{
    return s->filed + s->tail.size;
}

size_t tain_spool_memory(const tain_spool *s)
{
    return sizeof *s + s->tail.capacity + (s->window ? WINDOW : 0);
}

tain_status tain_spool_truncate(tain_spool *s, uint64_t size, tain_error *err)
{
    if (size >= tain_spool_size(s)) return TAIN_OK;
    if (size >= s->filed) {
        s->tail.size = (size_t)(size - s->filed);
        return TAIN_OK;
    }
    if (ftruncate(s->fd, (off_t)size) < 0) return tain_fail_errno(err, "cannot shorten a temporary file in %s", s->dir);
    s->filed = size;
    s->window_size = 0;
    tain_buffer_clear(&s->tail);
    return TAIN_OK;
}

static tain_status read_file(tain_spool *s, uint64_t offset, uint8_t *out, size_t n, tain_error *err)
{
    while (n > 0) {
        ssize_t done = pread(s->fd, out, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return tain_fail_errno(err, "cannot read a temporary file in %s", s->dir);
        if (done == 0) return tain_fail(err, TAIN_E_IO, "a temporary file in %s is shorter than it was", s->dir);
        out += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return TAIN_OK;
}

static tain_status fill_window(tain_spool *s, uint64_t offset, tain_error *err)
{
    if (!s->window) s->window = tain_alloc(WINDOW);
    uint64_t left = s->filed - offset;
    size_t   size = left < WINDOW ? (size_t)left : WINDOW;
    s->window_size = 0;
    TAIN_TRY(read_file(s, offset, s->window, size, err));
    s->window_at = offset;
    s->window_size = size;
    return TAIN_OK;
}

static bool in_window(const tain_spool *s, uint64_t offset, size_t n)
{
    return offset >= s->window_at && offset + n <= s->window_at + s->window_size;
}

static tain_status read_filed(tain_spool *s, uint64_t offset, uint8_t *out, size_t n, tain_error *err)
{
    if (n > WINDOW / 4) return read_file(s, offset, out, n, err);
    if (!in_window(s, offset, n)) TAIN_TRY(fill_window(s, offset, err));
    memcpy(out, s->window + (offset - s->window_at), n);
    return TAIN_OK;
}

tain_status tain_spool_read(tain_spool *s, uint64_t offset, void *out, size_t n, tain_error *err)
{
    uint64_t size = tain_spool_size(s);
    if (offset > size || n > size - offset) {
        return tain_fail(err, TAIN_E_INTERNAL, "spool of %llu bytes: no %zu bytes at %llu", (unsigned long long)size, n,
                         (unsigned long long)offset);
    }
    size_t filed = offset >= s->filed ? 0 : s->filed - offset < n ? (size_t)(s->filed - offset) : n;
    if (filed) TAIN_TRY(read_filed(s, offset, out, filed, err));
    if (n > filed) memcpy((uint8_t *)out + filed, s->tail.data + (offset + filed - s->filed), n - filed);
    return TAIN_OK;
}
