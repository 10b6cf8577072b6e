/* SPDX-License-Identifier: MIT */
/* internal.h -- the parts an index is made of. Internal to src/index.
 *
 * A run file, little-endian:
 *
 *   header    one page: struct tain_run_header
 *   fences    the first hash of every block, in an area of whole pages (its end may be unused)
 *   blocks    256 entries a page: 256 hashes, ascending over the whole file, then their 256 places (local file << 32 | row);
 *             so finding an entry touches one page of blocks. The last block is filled up with the largest hash.
 *   files     per local file number: rows, total, feed (u64 each), length of name, deleted (u32 each), name, padded to 8 bytes
 *
 * feed   a random number for each time a data file was fed in; parts of one feeding belong together.
 * rows   how many of the file's rows this run took in (some may have been dropped by a merge since).
 * total  rows of the whole file, in the run with its last part; else 0. A file is covered when for one feed the sum of
 *        rows over all runs is total. So a run that is missing can never pass for complete.
 * deleted  how many rows of the file were deleted, at most, when entries of it were dropped. */
#ifndef TAIN_INDEX_INTERNAL_H
#define TAIN_INDEX_INTERNAL_H

#include "base/map.h"
#include "index/index.h"

enum { TAIN_BLOCK_ENTRIES = 256, TAIN_BLOCK_BYTES = 4096 };
#define TAIN_INDEX_DEAD UINT32_MAX /* ordinal of a file that was not named */

typedef struct tain_block {
    uint64_t hashes[TAIN_BLOCK_ENTRIES];
    uint64_t places[TAIN_BLOCK_ENTRIES];
} tain_block;

typedef struct tain_index_run  tain_index_run;
typedef struct tain_index_file tain_index_file;

/* --- data files ---------------------------------------------------------------------------------------------------- */

/* A run's part of a data file. */
typedef struct tain_run_file {
    const char           *name; /* NULL: cannot be told after a restart, or nothing of it is left */
    uint64_t              rows, total, feed;
    uint32_t              deleted;
    tain_index_run       *run;
    tain_index_file      *file; /* NULL: belongs to nothing any more */
    struct tain_run_file *next; /* of the same file */
} tain_run_file;

struct tain_index_file {
    char          *name;    /* NULL until it is named */
    uint32_t       ordinal; /* DEAD until it is named or added to */
    uint64_t       feed;
    uint64_t       rows;        /* fed so far */
    uint32_t       deleted;     /* when entries of it were dropped */
    tain_run_file *parts;       /* in runs */
    uint32_t       memory_slot; /* its number in memory + 1, 0: nothing of it is there */
    uint32_t       pins;        /* merges that hold it */
    uint32_t       mark;        /* scratch of merge begin */
};

typedef struct tain_index_files {
    tain_map by_name, by_ordinal;
} tain_index_files;

/* The file with this ordinal, made if need be. */
tain_index_file *tain_files_of_ordinal(tain_index_files *s, uint32_t ordinal);
bool             tain_files_name(tain_index_files *s, const char *name, uint32_t ordinal);
/* Whether more rows were deleted when entries of it were dropped: its feeds are given to ctx, and it is as if it were not known. */
bool             tain_files_forget_returned(tain_index_files *s, const char *name, uint64_t deleted, void (*feed)(void *ctx, uint64_t feed), void *ctx);
void             tain_files_rename(tain_index_files *s, uint32_t ordinal, const char *name);
/* Links a run's files with ours by name (a run just opened) ... */
void tain_files_link_by_name(tain_index_files *s, tain_index_run *r);
/* ... or one of them with the file it was written from. */
void tain_files_link(tain_run_file *part, tain_index_file *f);
/* Takes a run's parts out; files of which nothing is left are forgotten. */
void tain_files_unlink(tain_index_files *s, tain_index_run *r);
void tain_files_forget_if_unused(tain_index_files *s, tain_index_file *f);
void tain_files_done(tain_index_files *s);

/* --- runs ---------------------------------------------------------------------------------------------------------- */

struct tain_index_run {
    char             *path;
    uint8_t          *map;
    size_t            size;
    uint64_t          count;
    const uint64_t   *fences;
    const tain_block *blocks;
    size_t            block_count;
    tain_run_file    *files;
    uint32_t         *ordinals; /* local file number -> the caller's ordinal, or DEAD */
    size_t            file_count;
};

/* Maps a run file. CORRUPT when it is torn or damaged or of another seed. */
tain_status tain_run_open(const char *path, uint64_t seed, tain_index_run **ret, tain_error *err);
void        tain_run_close(tain_index_run *r); /* the file stays */
bool        tain_run_all_dead(const tain_index_run *r);

typedef struct tain_run_writer tain_run_writer;
/* most: entries that may come at most. The file is made under a temporary name. */
tain_status tain_run_writer_new(const char *path, uint64_t seed, uint64_t most, tain_run_writer **ret, tain_error *err);
/* In ascending order of hashes; place is local file << 32 | row. */
tain_status tain_run_writer_add(tain_run_writer *w, uint64_t hash, uint64_t place, tain_error *err);
/* Writes the table of files (name, rows, total, feed of each), renames the file to its path and frees w, also on failure. */
tain_status tain_run_writer_finish(tain_run_writer *w, const tain_run_file *files, size_t n, tain_error *err);
void        tain_run_writer_abort(tain_run_writer *w);

/* --- entries in memory --------------------------------------------------------------------------------------------- */

typedef struct tain_memory_entry {
    uint64_t hash;
    uint32_t file; /* number among the files in memory */
    uint32_t row;
    uint32_t next; /* entry + 1 of the same bucket, older; 0: none */
} tain_memory_entry;

typedef struct tain_index_memory {
    tain_memory_entry *entries;
    uint32_t          *buckets; /* newest entry + 1 */
    size_t             count, capacity, bucket_mask;
    tain_index_file  **files;
    uint64_t          *file_rows;
    size_t             file_count, file_capacity;
} tain_index_memory;

/* n entries of rows first.. of file f; rows NULL: first, first + 1 ... */
void tain_memory_add(tain_index_memory *m, tain_index_file *f, uint32_t first, const uint32_t *rows, const uint64_t *hashes, size_t n);
void tain_memory_clear(tain_index_memory *m);
void tain_memory_done(tain_index_memory *m);
size_t tain_memory_bytes(const tain_index_memory *m);

/* Entries in ascending order of hashes. Companion: the entry's number in memory, or its row when memory is NULL. */
typedef struct tain_sorted {
    uint64_t                *hashes;
    uint32_t                *companions;
    size_t                   n;
    const tain_index_memory *memory;
} tain_sorted;

/* part.c: writes a run's file and opens it. Any thread. */
tain_status tain_run_write(const char *path, uint64_t seed, const tain_sorted *s, const tain_run_file *parts, size_t n, tain_index_run **ret, tain_error *err);

/* --- the whole ----------------------------------------------------------------------------------------------------- */

struct tain_index {
    char             *folder;
    size_t            limit;    /* entries in memory that are a run's worth */
    size_t            patience; /* entries at which writing is tried again after it failed; 0: did not fail */
    uint64_t          seed, next_run;
    tain_index_memory memory;
    uint32_t          feeding; /* ordinal of the file rows were last added to: more may come; DEAD: none */
    tain_index_run  **runs;    /* newest first */
    size_t            run_count, run_capacity;
    tain_index_files  files;
    uint64_t         *voids; /* feeds that lack entries; runs may still have parts of them */
    size_t            void_count, void_capacity;
    bool              merging;
};

bool        tain_index_is_void(const tain_index *x, uint64_t feed);
void        tain_index_void(tain_index *x, uint64_t feed);
/* Reads manifest and runs it names; forgets what is damaged, removes what it does not name. */
void        tain_manifest_read(tain_index *x, uint64_t seed);
tain_status tain_manifest_write(const tain_index *x, tain_error *err);
/* Path of the next run; caller frees. */
char *tain_index_new_run_path(tain_index *x);
void  tain_index_insert_run(tain_index *x, size_t at, tain_index_run *r);
/* Closes a run that is not, or no longer, among runs; removes its file when that is wanted. */
void  tain_index_drop_run(tain_index *x, tain_index_run *r, bool and_file);
/* Makes the folder and those above it. */
tain_status tain_index_make_folder(const char *folder, tain_error *err);

#endif
