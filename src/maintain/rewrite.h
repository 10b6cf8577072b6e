/* SPDX-License-Identifier: MIT */
/* rewrite.h -- some files of a Delta table written anew as one: by upkeep while a mirror follows, by `tain table optimize`.
 *
 * Files are merged when eight or more are there of which none is large beside all together, so that live files grow with the
 * logarithm of commits and each row is rewritten about as often. One that is a notable part of its table is written anew
 * alone when too much of it is deleted; when its deletion vectors, which every commit that touches it writes in full, have
 * taken as many bytes as it has; or when commits have left it alone for a while, as long as no more is written so than was added.
 * Engines that read every file of a table more slowly when one has a vector gain nothing by that: so a table that is left
 * alone as a whole loses all of them, within the same bounds. */
#ifndef TAIN_MAINTAIN_REWRITE_H
#define TAIN_MAINTAIN_REWRITE_H

#include "batch/key.h"
#include "delta/delta.h"
#include "index/index.h"

typedef struct tain_rewrite tain_rewrite;

typedef struct tain_rewrite_rule {
    enum { TAIN_REWRITE_SMALL, TAIN_REWRITE_LARGE, TAIN_REWRITE_ALL } what; /* what upkeep merges: small files, others; or
                                                                           everything that is small or has deleted rows */
    int64_t             most_rows;  /* that the merged file may have */
    int64_t             spare_bytes; /* that may be written for readers' sake alone: to rid of its vector a file, or a table, that is left alone by now */
    int64_t             full_bytes; /* files as large as that are not merged; 0: tain_rewrite_full_size */
    const tain_rewrite *beside;     /* its files are taken; NULL: none are */
    uint32_t            from;       /* and so are those whose ordinals are lower; 0: none are */
} tain_rewrite_rule;
/* Which live files to merge into one (caller frees the array). NULL: none due. */
tain_delta_file **tain_rewrite_pick(tain_delta *t, const tain_rewrite_rule *rule, size_t *ret_count);
/* Those that have vectors, of a table that is to lose them: as many as there are bytes to spare for. */
tain_delta_file **tain_rewrite_pick_vectors(tain_delta *t, const tain_rewrite_rule *rule, size_t *ret_count);
/* Bytes of a file that is large enough. t NULL: it has no vectors. */
int64_t tain_rewrite_full_size(const tain_delta *t);
/* Notes the files' content as of now; they are live, or pending, all of them if t is NULL (then a schema is to be given). key NULL: no hashes wanted. Thread: the table's. */
tain_status tain_rewrite_begin(tain_delta *t, tain_store *folder, tain_delta_file **files, size_t n, const tain_key *key, tain_rewrite **ret, tain_error *err);
/* Before run: the columns that it has (default: the table's); rows of input i that go as well, or that alone are taken. */
void tain_rewrite_schema(tain_rewrite *r, const tain_schema *schema);
void tain_rewrite_drop(tain_rewrite *r, size_t i, const roaring_bitmap_t *rows);
void tain_rewrite_range(tain_rewrite *r, size_t i, int64_t from, int64_t to);
void tain_rewrite_thin(tain_rewrite *r); /* no vector comes of it, even if the table may have some */
/* How the merged file is written; default: as any file. */
void tain_rewrite_limit(tain_rewrite *r, const tain_parquet_options *options);
/* Reads and writes. Memory: TAIN_REWRITE_ROW_BYTES a row where hashes are wanted, with those of their sorting. Thread: any. */
enum { TAIN_REWRITE_ROW_BYTES = 24 };
void        tain_rewrite_halt(tain_rewrite *r); /* run returns CANCELLED soon; any thread */
tain_status tain_rewrite_run(tain_rewrite *r, tain_error *err);
/* What was written, for a commit of one's own (NULL: no row was left), and the hashes of its rows (NULL: not wanted, or in the
 * part); borrowed. Offered: it is the table's (taken), or it may be; else it is removed when r is freed. */
tain_delta_file *tain_rewrite_output(const tain_rewrite *r, const uint64_t **ret_hashes, size_t *ret_rows);
void tain_rewrite_offered(tain_rewrite *r, bool taken);
/* Whether it is still there, for somebody may vacuum what no commit names. CONFLICT: it is not. */
tain_status tain_rewrite_look(const tain_rewrite *r, tain_error *err);
/* Commits the merged file in place of the others. Thread: the table's. The new file (NULL: no row was left) is live
 * then; *ret_hashes (borrowed) are the hashes of its rows. What was deleted meanwhile is deleted in it too; without vectors that
 * means it is written once more, by itself, and its hashes are not those of a part. CONFLICT: others have changed the files,
 * which is known now: it can be called again. */
tain_status tain_rewrite_finish(tain_rewrite *r, tain_delta_file **ret, const uint64_t **ret_hashes, size_t *ret_rows, tain_error *err);
/* After run(): the hashes of its rows as a run of the index. false: they are too few, or it could not be written, and are
 * to be added one by one. Thread: any. */
bool tain_rewrite_index(tain_rewrite *r, const tain_index *index, tain_index_part *part);
bool tain_rewrite_is_thinned(const tain_rewrite *r);
/* Ordinals of the files it replaces. */
const uint32_t *tain_rewrite_inputs(const tain_rewrite *r, size_t *ret_count);
void tain_rewrite_free(tain_rewrite *r); /* accepts NULL */

#endif
