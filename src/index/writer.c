/* SPDX-License-Identifier: MIT */
/* Writes a run in one pass with a fixed amount of memory: blocks through one buffer, fences through another into the
 * area kept free for them, the header last. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/writeback.h"
#include "index/format.h"

enum { BUFFER_BLOCKS = 64, FENCES = TAIN_BLOCK_BYTES / sizeof(uint64_t) };

struct tain_run_writer {
    char           *path, *temporary;
    int             fd;
    tain_writeback  writeback;
    tain_run_header header;
    XXH3_state_t   *body;
    uint64_t        block_at; /* where the buffer goes */
    size_t          blocks, entries; /* whole blocks in the buffer, entries in the one behind */
    uint64_t        fence_at;
    size_t          fence_count;
    uint64_t        fences[FENCES];
    tain_block      buffer[BUFFER_BLOCKS];
};

static tain_status write_at(tain_run_writer *w, const void *data, size_t n, uint64_t at, tain_error *err)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t put = pwrite(w->fd, p, n, (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return tain_fail_errno(err, "index run %s: write", w->temporary);
        p += put;
        n -= (size_t)put;
        at += (size_t)put;
    }
    return TAIN_OK;
}

tain_status tain_run_writer_new(const char *path, uint64_t seed, uint64_t most, tain_run_writer **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *temporary = tain_format("%s.tmp", path);
    int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return tain_fail_errno(err, "index run %s: create", temporary);
    tain_run_writer *w = tain_alloc(sizeof *w);
    uint64_t blocks = most / TAIN_BLOCK_ENTRIES + 1;
    w->header = (tain_run_header){.version = TAIN_RUN_VERSION, .seed = seed, .boot = tain_run_boot()};
    memcpy(w->header.magic, TAIN_RUN_MAGIC, sizeof w->header.magic);
    w->header.blocks_at = TAIN_BLOCK_BYTES + tain_run_pad(blocks * sizeof(uint64_t), TAIN_BLOCK_BYTES);
    w->path = tain_strdup(path);
    w->temporary = tain_strdup(temporary);
    w->fd = fd;
    w->fence_at = TAIN_BLOCK_BYTES;
    w->block_at = w->header.blocks_at;
    w->body = XXH3_createState();
    (void)XXH3_64bits_reset(w->body);
    *ret = w;
    return TAIN_OK;
}

static void done(tain_run_writer *w)
{
    if (w->fd >= 0) close(w->fd);
    XXH3_freeState(w->body);
    tain_free(w->path);
    tain_free(w->temporary);
    tain_free(w);
}

void tain_run_writer_abort(tain_run_writer *w)
{
    (void)unlink(w->temporary);
    done(w);
}

static tain_status flush_blocks(tain_run_writer *w, tain_error *err)
{
    size_t size = w->blocks * sizeof *w->buffer;
    TAIN_TRY(write_at(w, w->buffer, size, w->block_at, err));
    (void)XXH3_64bits_update(w->body, w->buffer, size);
    w->block_at += size;
    w->blocks = 0;
    tain_writeback_step(&w->writeback, w->fd, w->block_at);
    return TAIN_OK;
}

static tain_status flush_fences(tain_run_writer *w, tain_error *err)
{
    TAIN_TRY(write_at(w, w->fences, w->fence_count * sizeof *w->fences, w->fence_at, err));
    w->fence_at += w->fence_count * sizeof *w->fences;
    w->fence_count = 0;
    return TAIN_OK;
}

static tain_status end_block(tain_run_writer *w, tain_error *err)
{
    w->fences[w->fence_count++] = w->buffer[w->blocks].hashes[0];
    w->entries = 0;
    w->blocks++;
    if (w->fence_count == FENCES) TAIN_TRY(flush_fences(w, err));
    return w->blocks == BUFFER_BLOCKS ? flush_blocks(w, err) : TAIN_OK;
}

tain_status tain_run_writer_add(tain_run_writer *w, uint64_t hash, uint64_t place, tain_error *err)
{
    tain_block *b = &w->buffer[w->blocks];
    b->hashes[w->entries] = hash;
    b->places[w->entries] = place;
    w->header.count++;
    return ++w->entries == TAIN_BLOCK_ENTRIES ? end_block(w, err) : TAIN_OK;
}

/* --- finishing ----------------------------------------------------------------------------------------------------- */

static tain_status end_blocks(tain_run_writer *w, tain_error *err)
{
    if (w->entries) {
        tain_block *b = &w->buffer[w->blocks];
        for (size_t i = w->entries; i < TAIN_BLOCK_ENTRIES; i++) b->hashes[i] = UINT64_MAX, b->places[i] = 0;
        TAIN_TRY(end_block(w, err));
    }
    TAIN_TRY(flush_blocks(w, err));
    return flush_fences(w, err);
}

static void append_files(tain_buffer *out, const tain_run_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = files[i].name ? strlen(files[i].name) : 0;
        tain_run_file_head head = {.rows = files[i].rows, .total = files[i].total, .feed = files[i].feed, .name_size = (uint32_t)size, .deleted = files[i].deleted};
        tain_buffer_append(out, &head, sizeof head);
        tain_buffer_append(out, files[i].name, size);
        tain_buffer_append_zero(out, tain_run_pad(size + 1, 8) - size);
    }
}

static tain_status write_rim(tain_run_writer *w, const tain_run_file *files, size_t n, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer table = {0};
    append_files(&table, files, n);
    tain_run_header *h = &w->header;
    h->file_count = (uint32_t)n;
    h->files_at = w->block_at;
    h->files_size = table.size;
    h->size = h->files_at + h->files_size;
    h->body = XXH3_64bits_digest(w->body);
    h->checksum = tain_run_checksum(h, table.data);
    TAIN_TRY(write_at(w, table.data, table.size, h->files_at, err));
    return write_at(w, h, sizeof *h, 0, err);
}

static tain_status complete(tain_run_writer *w, const tain_run_file *files, size_t n, tain_error *err)
{
    TAIN_TRY(end_blocks(w, err));
    TAIN_TRY(write_rim(w, files, n, err));
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) < 0) return tain_fail_errno(err, "index run %s: close", w->temporary);
    if (rename(w->temporary, w->path) < 0) return tain_fail_errno(err, "index run %s: rename", w->temporary);
    return TAIN_OK;
}

tain_status tain_run_writer_finish(tain_run_writer *w, const tain_run_file *files, size_t n, tain_error *err)
{
    tain_status st = complete(w, files, n, err);
    if (st != TAIN_OK) (void)unlink(w->temporary);
    done(w);
    return st;
}
