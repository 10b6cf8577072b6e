/* SPDX-License-Identifier: MIT */
/* writer.h -- inside of tain_parquet_writer: what describe.c, footer_write.c and writer.c share. */
#ifndef TAIN_PARQUET_WRITER_H
#define TAIN_PARQUET_WRITER_H

#include "parquet/leaf.h"
#include "parquet/thrift.h"

/* A chunk that is in the file. Offsets count from the beginning of the file. */
typedef struct tain_chunk_meta {
    tain_leaf_chunk sizes;
    int64_t         dictionary_offset; /* -1: none */
    int64_t         data_offset;
    bool            has_bounds, min_exact, max_exact;
    tain_slice      min, max;          /* in the writer's arena */
    size_t          column_index_size, offset_index_size; /* column index 0: none */
} tain_chunk_meta;

typedef struct tain_group_meta {
    int64_t rows, offset;
} tain_group_meta;

struct tain_parquet_writer {
    const tain_schema *schema;
    tain_upload       *upload;
    tain_arena         arena; /* descriptions, and bounds of chunks written */
    tain_leaf_shared   shared;
    tain_leaf         *leaves;
    size_t             leaf_count;
    int64_t            rows, group_rows;
    int64_t            position; /* bytes written */
    int64_t           *nulls;    /* per top-level column */
    tain_buffer        groups, chunks; /* tain_group_meta; tain_chunk_meta, leaf_count a group */
    tain_buffer        column_indexes, offset_indexes, scratch;
};

size_t tain_writer_count_leaves(const tain_schema *s);
/* Makes the leaves of the schema, in order. */
void tain_writer_describe(tain_parquet_writer *w);
/* Name and nullability of a field as child number `child` of a type of kind `above` (a column: STRUCT). */
const char *tain_writer_field_name(const tain_field *f, tain_kind above, size_t child);
bool        tain_writer_is_optional(const tain_field *f, tain_kind above, size_t child);
/* Appends the ColumnIndex and OffsetIndex of a leaf's chunk, whose first data page is at data_offset. */
void tain_writer_put_column_index(const tain_leaf *l, tain_buffer *out);
void tain_writer_put_offset_index(const tain_leaf *l, int64_t data_offset, tain_buffer *out);
/* Parts of FileMetaData: a field's SchemaElements and how many they are; a ColumnChunk, whose indexes are at the offsets,
 * which move on; ColumnOrders, as elements of a list. */
void   tain_writer_put_element(tain_thrift_out *t, const tain_leaf **io_leaf, const tain_field *f, tain_kind above, size_t child);
size_t tain_writer_count_elements(const tain_field *f);
void   tain_writer_put_chunk(tain_thrift_out *t, const tain_parquet_writer *w, const tain_leaf *l, const tain_chunk_meta *c,
                             int64_t *io_column_index, int64_t *io_offset_index);
void   tain_writer_put_orders(tain_thrift_out *t, size_t n);
/* Writes bytes; ends the row group at hand; says what was written. */
tain_status tain_writer_put(tain_parquet_writer *w, const void *data, size_t n, tain_error *err);
tain_status tain_writer_end_group(tain_parquet_writer *w, tain_error *err);
void        tain_writer_summarise(const tain_parquet_writer *w, tain_parquet_summary *ret);
/* Appends FileMetaData; the column indexes begin at index_offset, the offset indexes behind them. */
void tain_writer_put_footer(const tain_parquet_writer *w, int64_t index_offset, tain_buffer *out);

#endif
