/* SPDX-License-Identifier: MIT */
/* index.h -- where a key's row lives: 64-bit key hash -> (file ordinal, row).
 *
 * A log-structured set of entries: a small table in memory, and immutable sorted runs of (hash, file, row) in files of
 * a cache folder, memory-mapped, 16 bytes an entry, merged geometrically. Entries are never deleted: a caller filters
 * what it finds by the file's being live and the row's not being deleted, and says so when runs are merged. Everything
 * here can be deleted at any time; what no run covers is fed in again from the Parquet key columns.
 * A hash locates; whether it also decides is the caller's (batch/key.h).
 * Threads: lookups and adds by one thread; merge work by another through tain_index_merge_*. */
#ifndef TAIN_INDEX_INDEX_H
#define TAIN_INDEX_INDEX_H

#include "base/buffer.h"
#include "base/error.h"

typedef struct tain_index tain_index;

typedef struct tain_location {
    uint32_t file; /* ordinal given by the caller */
    uint32_t row;
} tain_location;

typedef struct tain_index_options {
    const char *folder;        /* where runs live; created */
    size_t      memory_entries; /* entries in memory before a run is written; default 65,536 */
} tain_index_options;

/* Opens the folder and reads its manifest, which says for every run which data files (by name) it covers. A missing or
 * damaged manifest or run is forgotten, not an error. seed: the hash seed the runs were made with is kept in the
 * manifest; a new index takes `seed`. */
tain_status tain_index_open(const tain_index_options *options, uint64_t seed, tain_index **ret, tain_error *err);
void        tain_index_close(tain_index *x); /* accepts NULL; what is only in memory is lost */
uint64_t    tain_index_seed(const tain_index *x);
/* Gives a data file, by name, the ordinal it has now. True when some run covers all its rows already; otherwise the
 * caller feeds its keys with tain_index_add. Files of runs that were not named are dead. Also a file just written is named,
 * before its rows are added: rows of a file without a name are found as well, but a restart cannot tell whose they were.
 * Naming a file again that was fed since the index was opened gives true. */
bool tain_index_name_file(tain_index *x, const char *name, uint32_t ordinal);

/* How many rows of that data file are deleted now. When merges were told of more, rows have come back whose entries may have been
 * dropped: naming it gives false then. Before a file that may have changed is named; deletions only add up otherwise. */
void tain_index_check_file(tain_index *x, const char *name, uint64_t deleted);

/* The data file of that ordinal has another name from here on, and the same rows. Runs written before name it as it was: a
 * restart feeds it again. */
void tain_index_rename_file(tain_index *x, uint32_t ordinal, const char *name);

/* Entries of rows first..first+n-1 of a file. The rows of one file follow each other: a file counts as complete when another
 * is named or added to, or at a flush. A failure (FULL, PERMISSION, IO...) means that memory could not go to a run: the
 * entries are in memory, everything works on, and writing is tried again later; the caller may ignore it. */
tain_status tain_index_add(tain_index *x, uint32_t file, uint32_t first_row, const uint64_t *hashes, size_t n, tain_error *err);
/* A whole data file at once, as its own run (snapshot, rebuild): sorts hashes in place together with their rows. Few rows go
 * to memory instead. Fails as tain_index_add does. */
tain_status tain_index_add_file(tain_index *x, uint32_t file, uint64_t *hashes, size_t n, tain_error *err);
/* The same in three steps, so that the thread of the index need not wait: begin() notes what is needed, run() sorts the
 * hashes of rows 0.. in place and writes them on any thread (they are as they were when it fails), finish() takes the run
 * into use for that file, which was named before, has the name that run() was given, and has no entries yet. finish() fails
 * when the manifest could not be written, which the caller may ignore. Not for few rows: is_part() tells (any thread).
 * finish() and abort() free p. */
typedef struct tain_index_part tain_index_part;
bool             tain_index_is_part(const tain_index *x, size_t rows);
tain_index_part *tain_index_part_begin(tain_index *x);
tain_status      tain_index_part_run(tain_index_part *p, const char *name, uint64_t *hashes, size_t n, tain_error *err);
tain_status      tain_index_part_finish(tain_index *x, tain_index_part *p, uint32_t file, tain_error *err);
void             tain_index_part_abort(tain_index_part *p);
/* Writes what is in memory as a run, so that a restart need not feed it again. */
tain_status tain_index_flush(tain_index *x, tain_error *err);

/* What entries in memory take, in bytes, with room for more. */
size_t tain_index_memory_bytes(const tain_index *x);
/* Flushes, and gives that memory back. A failure as above, also when it is too early to try to write again. */
tain_status tain_index_release(tain_index *x, tain_error *err);

/* For each of n hashes, in any order, calls found(ctx, k, location) for every entry with that hash, newest run first,
 * until found returns false for that k. Bulk: more than 1 M lookups a second for runs in cache. */
void tain_index_lookup(tain_index *x, const uint64_t *hashes, size_t n,
                       bool (*found)(void *ctx, size_t k, tain_location at), void *ctx);

/* Merging: begin() picks runs that are due (NULL: none) without touching them, run() does the work on any thread,
 * finish() swaps the result in on the index's own thread. live(ctx, location) says whether an entry is kept; it is
 * called from run()'s thread and must be safe there; NULL keeps all. One merge at a time. all: everything in runs becomes one
 * run (NULL when it is one already). finish() fails when the manifest could not be written, which the caller may ignore. After
 * a failed run(): abort(). Both free m; a merge is ended before the index is closed. Runs are due in the number of 4 or more,
 * so calling begin() after every flush leaves about 4 + log8(entries / memory_entries) of them. */
typedef struct tain_index_merge tain_index_merge;
tain_index_merge *tain_index_merge_begin(tain_index *x, bool all);
/* Between begin and run: how many rows of each file live will say are not; UINT32_MAX: none is, the file is gone. Without it: none. */
void              tain_index_merge_tell(tain_index_merge *m, uint32_t (*deleted)(void *ctx, uint32_t file), void *ctx);
tain_status       tain_index_merge_run(tain_index_merge *m, bool (*live)(void *ctx, tain_location at), void *ctx, tain_error *err);
void              tain_index_merge_halt(tain_index_merge *m); /* run() returns CANCELLED soon; any thread */
tain_status       tain_index_merge_finish(tain_index *x, tain_index_merge *m, tain_error *err); /* frees m */
void              tain_index_merge_abort(tain_index *x, tain_index_merge *m);

typedef struct tain_index_stats { uint64_t entries, memory_entries, runs, disk_bytes; } tain_index_stats;
tain_index_stats tain_index_get_stats(const tain_index *x);

TAIN_AUTO_DEFINE(tain_index, tain_index_close)

#endif
