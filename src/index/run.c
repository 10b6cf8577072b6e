/* SPDX-License-Identifier: MIT */
/* Opening run files: everything that could be damaged is looked at here, so that lookups need not. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "index/format.h"

uint64_t tain_run_checksum(const tain_run_header *h, const void *files)
{
    tain_run_header plain = *h;
    plain.checksum = 0;
    return XXH3_64bits_withSeed(files, h->files_size, XXH3_64bits(&plain, sizeof plain));
}

uint64_t tain_run_boot(void)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    return n > 0 ? XXH3_64bits(text, (size_t)n) : 0;
}

static tain_status damaged(const tain_index_run *r, const char *what, tain_error *err)
{
    return tain_fail(err, TAIN_E_CORRUPT, "index run %s: %s", r->path, what);
}

/* --- header and layout --------------------------------------------------------------------------------------------- */

static bool layout_fits(const tain_run_header *h, uint64_t size)
{
    if (h->size != size || h->count == 0 || h->count > size || h->blocks_at > size || h->files_at > size) return false;
    uint64_t blocks = tain_run_pad(h->count, TAIN_BLOCK_ENTRIES) / TAIN_BLOCK_ENTRIES;
    return h->blocks_at % TAIN_BLOCK_BYTES == 0 && h->blocks_at >= TAIN_BLOCK_BYTES + blocks * sizeof(uint64_t) &&
           h->files_at == h->blocks_at + blocks * TAIN_BLOCK_BYTES && h->files_size == size - h->files_at;
}

static tain_status check_header(tain_index_run *r, uint64_t seed, tain_error *err)
{
    const tain_run_header *h = (const tain_run_header *)r->map;
    if (r->size < TAIN_BLOCK_BYTES || memcmp(h->magic, TAIN_RUN_MAGIC, sizeof h->magic) != 0) return damaged(r, "no header", err);
    if (h->version != TAIN_RUN_VERSION) return damaged(r, "of another version", err);
    if (!layout_fits(h, r->size)) return damaged(r, "torn", err);
    if (tain_run_checksum(h, r->map + h->files_at) != h->checksum) return damaged(r, "checksum differs", err);
    if (h->seed != seed) return damaged(r, "of another seed", err);
    r->count = h->count;
    r->fences = (const uint64_t *)(r->map + TAIN_BLOCK_BYTES);
    r->blocks = (const tain_block *)(r->map + h->blocks_at);
    r->block_count = (h->files_at - h->blocks_at) / TAIN_BLOCK_BYTES;
    return TAIN_OK;
}

static tain_status read_files(tain_index_run *r, tain_error *err)
{
    const tain_run_header *h = (const tain_run_header *)r->map;
    if ((uint64_t)h->file_count * sizeof(tain_run_file_head) > h->files_size) return damaged(r, "table of files is cut", err);
    r->file_count = h->file_count;
    r->files = tain_alloc((r->file_count + 1) * sizeof *r->files);
    r->ordinals = tain_alloc((r->file_count + 1) * sizeof *r->ordinals);
    const uint8_t *at = r->map + h->files_at, *end = at + h->files_size;
    for (size_t i = 0; i < r->file_count; i++) {
        tain_run_file_head head;
        if ((size_t)(end - at) < sizeof head) return damaged(r, "table of files is cut", err);
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        size_t padded = tain_run_pad(head.name_size + (size_t)1, 8); /* with its NUL */
        if ((size_t)(end - at) < padded || at[head.name_size] != 0) return damaged(r, "table of files is cut", err);
        r->files[i] = (tain_run_file){.name = head.name_size ? (const char *)at : NULL,
                                      .rows = head.rows, .total = head.total, .feed = head.feed, .deleted = head.deleted, .run = r};
        r->ordinals[i] = TAIN_INDEX_DEAD;
        at += padded;
    }
    return TAIN_OK;
}

/* --- body ---------------------------------------------------------------------------------------------------------- */

static bool body_is_whole(const tain_index_run *r)
{
    const tain_run_header *h = (const tain_run_header *)r->map;
    XXH3_state_t *state = XXH3_createState();
    bool fences = true;
    (void)XXH3_64bits_reset(state);
    for (size_t b = 0; b < r->block_count; b++) {
        (void)XXH3_64bits_update(state, &r->blocks[b], sizeof r->blocks[b]);
        fences = fences && r->fences[b] == r->blocks[b].hashes[0];
    }
    uint64_t body = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return fences && body == h->body;
}

/* Failing to leave the mark only means to look again next time. */
static void mark_as_of(const tain_index_run *r, int fd, uint64_t boot)
{
    tain_run_header h = *(const tain_run_header *)r->map;
    h.boot = boot;
    h.checksum = tain_run_checksum(&h, r->map + h.files_at);
    if (pwrite(fd, &h, sizeof h, 0) != sizeof h) return;
}

static tain_status check_body(tain_index_run *r, int fd, tain_error *err)
{
    const tain_run_header *h = (const tain_run_header *)r->map;
    uint64_t boot = tain_run_boot();
    if (boot && h->boot == boot) return TAIN_OK;
    (void)madvise(r->map, r->size, MADV_SEQUENTIAL);
    if (!body_is_whole(r)) return damaged(r, "its entries are damaged", err);
    mark_as_of(r, fd, boot);
    return TAIN_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static tain_status map_file(tain_index_run *r, int fd, tain_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return tain_fail_errno(err, "index run %s", r->path);
    if (st.st_size < TAIN_BLOCK_BYTES) return damaged(r, "no header", err);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return tain_fail_errno(err, "index run %s: map", r->path);
    r->map = map;
    r->size = (size_t)st.st_size;
    return TAIN_OK;
}

static tain_status load(tain_index_run *r, int fd, uint64_t seed, tain_error *err)
{
    TAIN_TRY(map_file(r, fd, err));
    TAIN_TRY(check_header(r, seed, err));
    TAIN_TRY(read_files(r, err));
    TAIN_TRY(check_body(r, fd, err));
    (void)madvise(r->map, r->size, MADV_RANDOM);
    return TAIN_OK;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC);
}

tain_status tain_run_open(const char *path, uint64_t seed, tain_index_run **ret, tain_error *err)
{
    int fd = open_file(path);
    if (fd < 0) return tain_fail_errno(err, "index run %s", path);
    tain_index_run *r = tain_alloc(sizeof *r);
    r->path = tain_strdup(path);
    tain_status st = load(r, fd, seed, err);
    close(fd);
    if (st == TAIN_OK) *ret = r;
    else tain_run_close(r);
    return st;
}

void tain_run_close(tain_index_run *r)
{
    if (r->map) (void)munmap(r->map, r->size);
    tain_free(r->files);
    tain_free(r->ordinals);
    tain_free(r->path);
    tain_free(r);
}

bool tain_run_all_dead(const tain_index_run *r)
{
    for (size_t i = 0; i < r->file_count; i++)
        if (r->ordinals[i] != TAIN_INDEX_DEAD) return false;
    return true;
}
