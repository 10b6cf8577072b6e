/* SPDX-License-Identifier: MIT */
/* format.h -- the header page of a run file, and its checksum. Internal to src/index.
 *
 * Runs are not synced to disk. Within one boot of the machine the page cache keeps what was written, so a run of this
 * boot is trusted once header and table of files are whole; a run of another boot is read through and compared with its
 * body hash when it is opened, and then marked as of this boot. */
#ifndef TAIN_INDEX_FORMAT_H
#define TAIN_INDEX_FORMAT_H

#include "index/internal.h"

enum { TAIN_RUN_VERSION = 2 };
#define TAIN_RUN_MAGIC "tainidx\n"

typedef struct tain_run_header {
    char     magic[8];
    uint32_t version, file_count;
    uint64_t seed, count;
    uint64_t blocks_at;   /* bytes from the start of the file; fences begin at one page */
    uint64_t files_at, files_size;
    uint64_t size;        /* of the whole file */
    uint64_t body;        /* XXH3 of all blocks */
    uint64_t boot;        /* of which boot the page cache holds it for certain, 0: none */
    uint64_t checksum;    /* of this header with checksum 0, and the table of files */
} tain_run_header;

/* One entry of the table of files; the name follows. */
typedef struct tain_run_file_head {
    uint64_t rows, total, feed;
    uint32_t name_size, deleted;
} tain_run_file_head;

uint64_t tain_run_checksum(const tain_run_header *h, const void *files);
/* A number for the present boot, 0: the system does not tell. */
uint64_t tain_run_boot(void);

static inline size_t tain_run_pad(size_t size, size_t to) { return (size + to - 1) / to * to; }

#endif
