/* SPDX-License-Identifier: MIT */
/* FileMetaData and the page index, field by field as parquet.thrift numbers them. */
#include "parquet/thrift.h"
#include "parquet/writer.h"

/* Tells Spark that dates before 1582 are proleptic; without it Spark refuses such files. */
static const char SPARK_KEY[] = "org.apache.spark.version", SPARK_VALUE[] = "3.5.0";
static const char CREATED_BY[] = "tain version " TAIN_VERSION " (build 0)";

/* --- page index ---------------------------------------------------------------------------------------------------- */

static const tain_leaf_page *pages_of(const tain_leaf *l, size_t *ret_count)
{
    *ret_count = l->page_list.size / sizeof(tain_leaf_page);
    return (const tain_leaf_page *)l->page_list.data;
}

static int boundary_order(const tain_leaf *l)
{
    return l->ascending ? 1 : l->descending ? 2 : 0;
}

void tain_writer_put_column_index(const tain_leaf *l, tain_buffer *out)
{
    tain_thrift_out       t = {.out = out};
    size_t                n;
    const tain_leaf_page *p = pages_of(l, &n);
    const uint8_t        *bytes = l->index_bytes.data;
    tain_thrift_put_list(&t, 1, TAIN_THRIFT_TRUE, n);
    for (size_t i = 0; i < n; i++) tain_thrift_put_raw_bool(&t, !p[i].has_values);
    tain_thrift_put_list(&t, 2, TAIN_THRIFT_BINARY, n);
    for (size_t i = 0; i < n; i++) tain_thrift_put_raw_binary(&t, bytes + p[i].min_at, p[i].min_size);
    tain_thrift_put_list(&t, 3, TAIN_THRIFT_BINARY, n);
    for (size_t i = 0; i < n; i++) tain_thrift_put_raw_binary(&t, bytes + p[i].max_at, p[i].max_size);
    tain_thrift_put_i32(&t, 4, boundary_order(l));
    tain_thrift_put_list(&t, 5, TAIN_THRIFT_I64, n);
    for (size_t i = 0; i < n; i++) tain_thrift_put_raw_int(&t, p[i].nulls);
    tain_thrift_end(&t, 0);
}

void tain_writer_put_offset_index(const tain_leaf *l, int64_t data_offset, tain_buffer *out)
{
    tain_thrift_out       t = {.out = out};
    size_t                n;
    const tain_leaf_page *p = pages_of(l, &n);
    int64_t               row = 0;
    tain_thrift_put_list(&t, 1, TAIN_THRIFT_STRUCT, n);
    for (size_t i = 0; i < n; i++) {
        int outer = tain_thrift_element(&t);
        tain_thrift_put_i64(&t, 1, data_offset);
        tain_thrift_put_i32(&t, 2, (int32_t)p[i].size);
        tain_thrift_put_i64(&t, 3, row);
        tain_thrift_end(&t, outer);
        data_offset += p[i].size;
        row += p[i].rows;
    }
    tain_thrift_end(&t, 0);
}

/* --- schema -------------------------------------------------------------------------------------------------------- */

static void put_empty(tain_thrift_out *t, int id)
{
    tain_thrift_end(t, tain_thrift_begin(t, id));
}

static void put_decimal(tain_thrift_out *t, const tain_type *type)
{
    tain_thrift_put_i32(t, 6, TAIN_CONVERTED_DECIMAL);
    tain_thrift_put_i32(t, 7, type->scale);
    tain_thrift_put_i32(t, 8, type->precision);
}

static void put_logical_decimal(tain_thrift_out *t, const tain_type *type)
{
    int outer = tain_thrift_begin(t, TAIN_LOGICAL_DECIMAL);
    tain_thrift_put_i32(t, 1, type->scale);
    tain_thrift_put_i32(t, 2, type->precision);
    tain_thrift_end(t, outer);
}

static void put_logical_timestamp(tain_thrift_out *t, bool utc)
{
    int outer = tain_thrift_begin(t, TAIN_LOGICAL_TIMESTAMP);
    tain_thrift_put_bool(t, 1, utc);
    int unit = tain_thrift_begin(t, 2);
    put_empty(t, 2); /* MICROS */
    tain_thrift_end(t, unit);
    tain_thrift_end(t, outer);
}

static void put_logical_integer(tain_thrift_out *t, int bits)
{
    int outer = tain_thrift_begin(t, TAIN_LOGICAL_INTEGER);
    tain_thrift_put_i8(t, 1, (int8_t)bits);
    tain_thrift_put_bool(t, 2, true);
    tain_thrift_end(t, outer);
}

/* ConvertedType; -1: none. */
static int converted_of(tain_kind kind)
{
    switch (kind) {
    case TAIN_STRING: return TAIN_CONVERTED_UTF8;
    case TAIN_INT8: return TAIN_CONVERTED_INT_8;
    case TAIN_INT16: return TAIN_CONVERTED_INT_16;
    case TAIN_DATE: return TAIN_CONVERTED_DATE;
    case TAIN_TIMESTAMP:
    case TAIN_TIMESTAMP_NTZ: return TAIN_CONVERTED_TIMESTAMP_MICROS;
    case TAIN_LIST: return TAIN_CONVERTED_LIST;
    case TAIN_MAP: return TAIN_CONVERTED_MAP;
    default: return -1;
    }
}

static void put_logical(tain_thrift_out *t, const tain_type *type)
{
    switch (type->kind) {
    case TAIN_STRING: put_empty(t, TAIN_LOGICAL_STRING); break;
    case TAIN_INT8: put_logical_integer(t, 8); break;
    case TAIN_INT16: put_logical_integer(t, 16); break;
    case TAIN_DATE: put_empty(t, TAIN_LOGICAL_DATE); break;
    case TAIN_TIMESTAMP: put_logical_timestamp(t, true); break;
    case TAIN_TIMESTAMP_NTZ: put_logical_timestamp(t, false); break;
    case TAIN_DECIMAL: put_logical_decimal(t, type); break;
    case TAIN_LIST: put_empty(t, TAIN_LOGICAL_LIST); break;
    case TAIN_MAP: put_empty(t, TAIN_LOGICAL_MAP); break;
    default: break;
    }
}

static bool is_logical(tain_kind kind)
{
    return converted_of(kind) >= 0 || kind == TAIN_DECIMAL;
}

static void put_annotation(tain_thrift_out *t, const tain_field *f)
{
    if (f->type.kind == TAIN_DECIMAL) put_decimal(t, &f->type);
    else if (converted_of(f->type.kind) >= 0) tain_thrift_put_i32(t, 6, converted_of(f->type.kind));
    if (f->id) tain_thrift_put_i32(t, 9, f->id);
    if (!is_logical(f->type.kind)) return;
    int outer = tain_thrift_begin(t, 10);
    put_logical(t, &f->type);
    tain_thrift_end(t, outer);
}

static void put_group(tain_thrift_out *t, const char *name, tain_repetition repetition, int children)
{
    int outer = tain_thrift_element(t);
    tain_thrift_put_i32(t, 3, repetition);
    tain_thrift_put_str(t, 4, name);
    tain_thrift_put_i32(t, 5, children);
    tain_thrift_end(t, outer);
}

void tain_writer_put_element(tain_thrift_out *t, const tain_leaf **io_leaf, const tain_field *f, tain_kind above, size_t child)
{
    int outer = tain_thrift_element(t), n = f->type.child_count;
    if (n == 0) tain_thrift_put_i32(t, 1, (*io_leaf)->physical);
    if (n == 0 && (*io_leaf)->fixed) tain_thrift_put_i32(t, 2, (*io_leaf)->fixed);
    tain_thrift_put_i32(t, 3, tain_writer_is_optional(f, above, child) ? TAIN_OPTIONAL : TAIN_REQUIRED);
    tain_thrift_put_str(t, 4, tain_writer_field_name(f, above, child));
    if (n) tain_thrift_put_i32(t, 5, f->type.kind == TAIN_STRUCT ? n : 1);
    put_annotation(t, f);
    tain_thrift_end(t, outer);
    if (n == 0) ++*io_leaf;
    if (f->type.kind == TAIN_LIST) put_group(t, "list", TAIN_REPEATED, 1);
    if (f->type.kind == TAIN_MAP) put_group(t, "key_value", TAIN_REPEATED, 2);
    for (int i = 0; i < n; i++) tain_writer_put_element(t, io_leaf, &f->type.children[i], f->type.kind, (size_t)i);
}

size_t tain_writer_count_elements(const tain_field *f)
{
    size_t n = 1 + (f->type.kind == TAIN_LIST || f->type.kind == TAIN_MAP);
    for (size_t i = 0; i < f->type.child_count; i++) n += tain_writer_count_elements(&f->type.children[i]);
    return n;
}

static void put_schema(tain_thrift_out *t, const tain_parquet_writer *w)
{
    size_t           n = 1;
    const tain_leaf *leaf = w->leaves;
    for (size_t i = 0; i < w->schema->count; i++) n += tain_writer_count_elements(&w->schema->fields[i]);
    tain_thrift_put_list(t, 2, TAIN_THRIFT_STRUCT, n);
    int outer = tain_thrift_element(t);
    tain_thrift_put_str(t, 4, "schema");
    tain_thrift_put_i32(t, 5, (int32_t)w->schema->count);
    tain_thrift_end(t, outer);
    for (size_t i = 0; i < w->schema->count; i++) tain_writer_put_element(t, &leaf, &w->schema->fields[i], TAIN_STRUCT, i);
}

/* --- row groups ---------------------------------------------------------------------------------------------------- */

static void put_encodings(tain_thrift_out *t, const tain_chunk_meta *c)
{
    bool dictionary = c->sizes.dictionary_pages > 0;
    tain_thrift_put_list(t, 2, TAIN_THRIFT_I32, dictionary ? 3 : 2);
    tain_thrift_put_raw_int(t, TAIN_ENCODING_PLAIN);
    tain_thrift_put_raw_int(t, TAIN_ENCODING_RLE);
    if (dictionary) tain_thrift_put_raw_int(t, TAIN_ENCODING_RLE_DICTIONARY);
}

static void put_statistics(tain_thrift_out *t, const tain_chunk_meta *c)
{
    int outer = tain_thrift_begin(t, 12);
    tain_thrift_put_i64(t, 3, c->sizes.nulls);
    if (c->has_bounds) {
        tain_thrift_put_binary(t, 5, c->max.data, c->max.size);
        tain_thrift_put_binary(t, 6, c->min.data, c->min.size);
        tain_thrift_put_bool(t, 7, c->max_exact);
        tain_thrift_put_bool(t, 8, c->min_exact);
    }
    tain_thrift_end(t, outer);
}

static void put_encoding_count(tain_thrift_out *t, int page, tain_encoding encoding, int32_t count)
{
    if (count == 0) return;
    int outer = tain_thrift_element(t);
    tain_thrift_put_i32(t, 1, page);
    tain_thrift_put_i32(t, 2, encoding);
    tain_thrift_put_i32(t, 3, count);
    tain_thrift_end(t, outer);
}

static void put_encoding_stats(tain_thrift_out *t, const tain_leaf_chunk *s)
{
    int kinds = (s->dictionary_pages > 0) + (s->dictionary_data_pages > 0) + (s->plain_data_pages > 0);
    tain_thrift_put_list(t, 13, TAIN_THRIFT_STRUCT, (size_t)kinds);
    put_encoding_count(t, TAIN_PAGE_DICTIONARY, TAIN_ENCODING_PLAIN, s->dictionary_pages);
    put_encoding_count(t, TAIN_PAGE_DATA, TAIN_ENCODING_RLE_DICTIONARY, s->dictionary_data_pages);
    put_encoding_count(t, TAIN_PAGE_DATA, TAIN_ENCODING_PLAIN, s->plain_data_pages);
}

static void put_chunk_meta(tain_thrift_out *t, const tain_parquet_writer *w, const tain_leaf *l, const tain_chunk_meta *c)
{
    int outer = tain_thrift_begin(t, 3);
    tain_thrift_put_i32(t, 1, l->physical);
    put_encodings(t, c);
    tain_thrift_put_list(t, 3, TAIN_THRIFT_BINARY, l->depth);
    for (size_t i = 0; i < l->depth; i++) tain_thrift_put_raw_binary(t, l->path[i], strlen(l->path[i]));
    tain_thrift_put_i32(t, 4, w->shared.codec.codec);
    tain_thrift_put_i64(t, 5, c->sizes.values);
    tain_thrift_put_i64(t, 6, c->sizes.uncompressed);
    tain_thrift_put_i64(t, 7, c->sizes.compressed);
    tain_thrift_put_i64(t, 9, c->data_offset);
    if (c->dictionary_offset >= 0) tain_thrift_put_i64(t, 11, c->dictionary_offset);
    put_statistics(t, c);
    put_encoding_stats(t, &c->sizes);
    tain_thrift_end(t, outer);
}

void tain_writer_put_chunk(tain_thrift_out *t, const tain_parquet_writer *w, const tain_leaf *l, const tain_chunk_meta *c,
                           int64_t *io_column_index, int64_t *io_offset_index)
{
    int outer = tain_thrift_element(t);
    tain_thrift_put_i64(t, 2, c->dictionary_offset >= 0 ? c->dictionary_offset : c->data_offset);
    put_chunk_meta(t, w, l, c);
    tain_thrift_put_i64(t, 4, *io_offset_index);
    tain_thrift_put_i32(t, 5, (int32_t)c->offset_index_size);
    if (c->column_index_size) {
        tain_thrift_put_i64(t, 6, *io_column_index);
        tain_thrift_put_i32(t, 7, (int32_t)c->column_index_size);
    }
    tain_thrift_end(t, outer);
    *io_column_index += (int64_t)c->column_index_size;
    *io_offset_index += (int64_t)c->offset_index_size;
}

static void put_totals(tain_thrift_out *t, const tain_parquet_writer *w, size_t group, const tain_chunk_meta *chunks)
{
    const tain_group_meta *g = (const tain_group_meta *)w->groups.data + group;
    int64_t                compressed = 0, uncompressed = 0;
    for (size_t i = 0; i < w->leaf_count; i++) {
        compressed += chunks[i].sizes.compressed;
        uncompressed += chunks[i].sizes.uncompressed;
    }
    tain_thrift_put_i64(t, 2, uncompressed);
    tain_thrift_put_i64(t, 3, g->rows);
    tain_thrift_put_i64(t, 5, g->offset);
    tain_thrift_put_i64(t, 6, compressed);
    if (group <= INT16_MAX) { /* the ordinal is an i16 */
        tain_buffer_append_u8(t->out, TAIN_THRIFT_I16 | 1 << 4);
        tain_thrift_put_raw_int(t, (int64_t)group);
        t->last = 7;
    }
}

static void put_groups(tain_thrift_out *t, const tain_parquet_writer *w, int64_t index_offset)
{
    const tain_chunk_meta *c = (const tain_chunk_meta *)w->chunks.data;
    size_t                 n = w->groups.size / sizeof(tain_group_meta);
    int64_t                column_index = index_offset, offset_index = index_offset + (int64_t)w->column_indexes.size;
    tain_thrift_put_list(t, 4, TAIN_THRIFT_STRUCT, n);
    for (size_t g = 0; g < n; g++, c += w->leaf_count) {
        int outer = tain_thrift_element(t);
        tain_thrift_put_list(t, 1, TAIN_THRIFT_STRUCT, w->leaf_count);
        for (size_t i = 0; i < w->leaf_count; i++) tain_writer_put_chunk(t, w, &w->leaves[i], &c[i], &column_index, &offset_index);
        put_totals(t, w, g, c);
        tain_thrift_end(t, outer);
    }
}

void tain_writer_put_orders(tain_thrift_out *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int outer = tain_thrift_element(t);
        put_empty(t, 1); /* TYPE_ORDER */
        tain_thrift_end(t, outer);
    }
}

void tain_writer_put_footer(const tain_parquet_writer *w, int64_t index_offset, tain_buffer *out)
{
    tain_thrift_out t = {.out = out};
    tain_thrift_put_i32(&t, 1, 1);
    put_schema(&t, w);
    tain_thrift_put_i64(&t, 3, w->rows);
    put_groups(&t, w, index_offset);
    tain_thrift_put_list(&t, 5, TAIN_THRIFT_STRUCT, 1);
    int outer = tain_thrift_element(&t);
    tain_thrift_put_str(&t, 1, SPARK_KEY);
    tain_thrift_put_str(&t, 2, SPARK_VALUE);
    tain_thrift_end(&t, outer);
    tain_thrift_put_str(&t, 6, CREATED_BY);
    tain_thrift_put_list(&t, 7, TAIN_THRIFT_STRUCT, w->leaf_count);
    tain_writer_put_orders(&t, w->leaf_count);
    tain_thrift_end(&t, 0);
}
