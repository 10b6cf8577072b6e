/* SPDX-License-Identifier: MIT */
/* parquet.h -- writing data files, and reading them again by row position.
 *
 * The writer encodes what it is given at once (PLAIN or RLE_DICTIONARY, v1 data pages, compressed) and keeps only the
 * encoded pages of the row group in memory; the file goes out through a tain_upload. The reader reads files that this
 * writer made, and any other flat file with PLAIN / RLE_DICTIONARY v1 or v2 pages in snappy, zstd or no compression;
 * anything else is UNSUPPORTED, for src/scan to read. Row positions are 0-based over all row groups.
 * Format: parquet-format 2.x; see README.md for what is used. */
#ifndef TAIN_PARQUET_PARQUET_H
#define TAIN_PARQUET_PARQUET_H

#include "batch/batch.h"
#include "store/store.h"

typedef enum tain_codec { TAIN_CODEC_NONE = 0, TAIN_CODEC_SNAPPY = 1, TAIN_CODEC_ZSTD = 6 } tain_codec;

typedef struct tain_parquet_options {
    tain_codec codec;            /* default snappy */
    size_t     row_group_rows;   /* default 1,048,576 */
    size_t     row_group_bytes;  /* encoded; default 128 MiB: whichever comes first ends a row group */
    size_t     page_rows;        /* default 20,000 */
    size_t     page_bytes;       /* default 1 MiB before compression; less when there are more than 64 columns */
    size_t     dictionary_bytes; /* default 1 MiB, likewise; 0: no dictionaries */
} tain_parquet_options;

tain_parquet_options tain_parquet_defaults(void);

/* Per leaf column of the file, over all rows: what Delta statistics are made of. Bounds are PLAIN bytes as in Parquet
 * statistics (strings whole up to 512 bytes, decimals as little-endian of their column width); empty when none or not to be trusted
 * (all null, NaN or infinity seen). */
typedef struct tain_column_stats {
    int64_t     null_count;
    bool        has_bounds;
    tain_buffer min, max;
} tain_column_stats;

typedef struct tain_parquet_summary {
    int64_t            rows, bytes; /* bytes: size of the file */
    size_t             column_count; /* top-level columns */
    tain_column_stats *columns;      /* of flat columns; lists, structs and maps have null_count only */
} tain_parquet_summary;
void tain_parquet_summary_done(tain_parquet_summary *s);

typedef struct tain_parquet_writer tain_parquet_writer;

/* Writes columns under their physical names, with field ids where the schema has them. The upload stays the caller's:
 * finish writes the footer but does not finish the upload. schema borrowed; options NULL: defaults. */
tain_parquet_writer *tain_parquet_writer_new(const tain_schema *schema, const tain_parquet_options *options, tain_upload *out);
void                 tain_parquet_writer_free(tain_parquet_writer *w); /* accepts NULL */
/* Appends n rows of b: rows[0..n-1], or first..first+n-1 when rows is NULL. */
tain_status tain_parquet_append(tain_parquet_writer *w, const tain_batch *b, const uint32_t *rows, size_t first, size_t n,
                                tain_error *err);
int64_t     tain_parquet_rows(const tain_parquet_writer *w);   /* rows appended so far */
int64_t     tain_parquet_size(const tain_parquet_writer *w);   /* bytes written plus encoded and waiting */
size_t      tain_parquet_memory(const tain_parquet_writer *w); /* bytes of memory held */
tain_status tain_parquet_finish(tain_parquet_writer *w, tain_parquet_summary *ret, tain_error *err);

typedef struct tain_parquet_file tain_parquet_file;

/* Reads the footer of an object. size -1: ask the store. Errors: NOT_FOUND, CORRUPT, UNSUPPORTED. */
tain_status tain_parquet_open(tain_store *store, const char *key, int64_t size, tain_parquet_file **ret, tain_error *err);
void        tain_parquet_close(tain_parquet_file *f); /* accepts NULL */
int64_t            tain_parquet_file_rows(const tain_parquet_file *f);
const tain_schema *tain_parquet_file_schema(const tain_parquet_file *f); /* names are physical; borrowed */
const char        *tain_parquet_file_created_by(const tain_parquet_file *f);
/* Bytes at data (the whole footer struct, without length and magic), for tests and fuzzing. */
tain_status tain_parquet_parse_footer(const void *data, size_t n, tain_parquet_file **ret, tain_error *err);

/* Appends n rows from row `first` to every column of out, whose schema names the wanted columns (by physical name) and
 * types; a column the file lacks reads as null. Integers, decimals of equal scale and float may be read wider than they are
 * stored. Reads each page touched once. After an error out is as it was. */
tain_status tain_parquet_read(tain_parquet_file *f, int64_t first, int64_t n, tain_batch *out, tain_error *err);
/* The same for ascending row positions: only the pages that hold them are read (page index). Positions may repeat. */
tain_status tain_parquet_read_rows(tain_parquet_file *f, const uint32_t *rows, size_t n, tain_batch *out, tain_error *err);
/* The same for the first of them whose values take about `bytes` bytes (never more by more than a row or a page): *ret rows,
 * at least 1 of n > 0. Rows that come next are best asked for of the same open file. */
tain_status tain_parquet_read_some(tain_parquet_file *f, int64_t first, int64_t n, size_t bytes, tain_batch *out, int64_t *ret,
                                   tain_error *err);
tain_status tain_parquet_read_some_rows(tain_parquet_file *f, const uint32_t *rows, size_t n, size_t bytes, tain_batch *out,
                                        size_t *ret, tain_error *err);

TAIN_AUTO_DEFINE(tain_parquet_file, tain_parquet_close)
TAIN_AUTO_DEFINE(tain_parquet_writer, tain_parquet_writer_free)

#endif
