/* SPDX-License-Identifier: MIT */
#include "parquet/refoot.h"

#include "parquet/file.h"
#include "parquet/writer.h"

enum { PIECE_ROWS = 20000, PIECE_BYTES = 8 << 20 };

typedef struct refoot {
    tain_parquet_file        *file;
    tain_parquet_writer      *writer; /* of the new columns alone */
    const tain_schema        *added;
    const tain_refoot_source *sources;
    tain_batch                batch;   /* rows of the new columns: `piece` of the constant ones, always the same */
    size_t                    piece;
    tain_error               *err;
} refoot;

/* --- the old footer, with more in it ------------------------------------------------------------------------------- */

typedef struct splice {
    const refoot   *r;
    tain_thrift_in  in;
    tain_thrift_out out;
    size_t          group;
    int64_t         column_index, offset_index;
} splice;

static void copy_value(splice *s, const tain_thrift_field *f)
{
    const uint8_t *from = s->in.at;
    tain_thrift_skip(&s->in, f->type);
    tain_thrift_put_raw(&s->out, f->id, f->type, from, (size_t)(s->in.at - from));
}

static void copy_elements(splice *s, size_t n)
{
    const uint8_t *from = s->in.at;
    for (size_t i = 0; i < n && !s->in.bad; i++) tain_thrift_skip(&s->in, TAIN_THRIFT_STRUCT);
    tain_buffer_append(s->out.out, from, (size_t)(s->in.at - from));
}

/* Header of a list of structs that gets `more` elements; the old ones' number. */
static size_t grow_list(splice *s, const tain_thrift_field *f, size_t more)
{
    int    type;
    size_t n = tain_thrift_list(&s->in, f, &type);
    if (n && type != TAIN_THRIFT_STRUCT) s->in.bad = true;
    tain_thrift_put_list(&s->out, f->id, TAIN_THRIFT_STRUCT, n + more);
    return n;
}

static void splice_root(splice *s)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(&s->in)) return;
    int outer = tain_thrift_element(&s->out);
    while (tain_thrift_next(&s->in, &f)) {
        if (f.id == 5) tain_thrift_put_i32(&s->out, 5, (int32_t)(tain_thrift_int(&s->in, &f) + (int64_t)s->r->added->count));
        else copy_value(s, &f);
    }
    tain_thrift_end(&s->out, outer);
    tain_thrift_leave(&s->in);
}

static void splice_schema(splice *s, const tain_thrift_field *f)
{
    const tain_schema *added = s->r->added;
    const tain_leaf   *leaf = s->r->writer->leaves;
    size_t             more = 0;
    for (size_t i = 0; i < added->count; i++) more += tain_writer_count_elements(&added->fields[i]);
    size_t n = grow_list(s, f, more);
    if (n == 0) s->in.bad = true;
    splice_root(s);
    if (n) copy_elements(s, n - 1);
    for (size_t i = 0; i < added->count; i++) tain_writer_put_element(&s->out, &leaf, &added->fields[i], TAIN_STRUCT, i);
}

static const tain_chunk_meta *chunks_of(const splice *s)
{
    const tain_parquet_writer *w = s->r->writer;
    return (const tain_chunk_meta *)w->chunks.data + s->group * w->leaf_count;
}

static void splice_chunks(splice *s, const tain_thrift_field *f)
{
    const tain_parquet_writer *w = s->r->writer;
    copy_elements(s, grow_list(s, f, w->leaf_count));
    for (size_t i = 0; i < w->leaf_count; i++)
        tain_writer_put_chunk(&s->out, w, &w->leaves[i], &chunks_of(s)[i], &s->column_index, &s->offset_index);
}

static void splice_group(splice *s)
{
    tain_thrift_field f = {0};
    int64_t           compressed = 0, uncompressed = 0;
    for (size_t i = 0; i < s->r->writer->leaf_count; i++) {
        compressed += chunks_of(s)[i].sizes.compressed;
        uncompressed += chunks_of(s)[i].sizes.uncompressed;
    }
    if (!tain_thrift_enter(&s->in)) return;
    int outer = tain_thrift_element(&s->out);
    while (tain_thrift_next(&s->in, &f)) {
        if (f.id == 1) splice_chunks(s, &f);
        else if (f.id == 2) tain_thrift_put_i64(&s->out, 2, tain_thrift_int(&s->in, &f) + uncompressed);
        else if (f.id == 6) tain_thrift_put_i64(&s->out, 6, tain_thrift_int(&s->in, &f) + compressed);
        else copy_value(s, &f);
    }
    tain_thrift_end(&s->out, outer);
    tain_thrift_leave(&s->in);
    s->group++;
}

static void splice_groups(splice *s, const tain_thrift_field *f)
{
    size_t n = grow_list(s, f, 0);
    for (size_t i = 0; i < n && !s->in.bad; i++) splice_group(s);
}

static void splice_orders(splice *s, const tain_thrift_field *f)
{
    copy_elements(s, grow_list(s, f, s->r->writer->leaf_count));
    tain_writer_put_orders(&s->out, s->r->writer->leaf_count);
}

static void splice_footer(splice *s)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(&s->in)) return;
    while (tain_thrift_next(&s->in, &f)) {
        if (f.id == 2) splice_schema(s, &f);
        else if (f.id == 4) splice_groups(s, &f);
        else if (f.id == 7) splice_orders(s, &f);
        else copy_value(s, &f);
    }
    tain_thrift_end(&s->out, 0);
}

static tain_slice old_footer(const tain_parquet_file *f)
{
    const uint8_t *end = f->tail.data + f->tail.size - 8;
    uint32_t       n;
    memcpy(&n, end, 4);
    return (tain_slice){end - n, n};
}

static tain_status write_footer(refoot *r)
{
    tain_parquet_writer *w = r->writer;
    tain_slice           old = old_footer(r->file);
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    splice s = {.r = r, .in = {.at = old.data, .end = old.data + old.size}, .out = {.out = &text}, .column_index = w->position};
    s.offset_index = w->position + (int64_t)w->column_indexes.size;
    splice_footer(&s);
    if (s.in.bad || s.group != r->file->group_count) return tain_fail(r->err, TAIN_E_CORRUPT, "the footer is no FileMetaData");
    TAIN_TRY(tain_writer_put(w, w->column_indexes.data, w->column_indexes.size, r->err));
    TAIN_TRY(tain_writer_put(w, w->offset_indexes.data, w->offset_indexes.size, r->err));
    uint32_t size = (uint32_t)text.size;
    tain_buffer_append(&text, &size, 4);
    tain_buffer_append_str(&text, TAIN_PARQUET_MAGIC);
    return tain_writer_put(w, text.data, text.size, r->err);
}

/* --- the new columns ----------------------------------------------------------------------------------------------- */

static tain_status convert(refoot *r, size_t column, int64_t first, int64_t n)
{
    const tain_refoot_source *from = &r->sources[column];
    TAIN_AUTO(tain_schema_free) tain_schema *schema = tain_schema_new();
    tain_schema_add(schema, from->from->name, from->from->type)->physical = from->from->physical;
    tain_batch old;
    tain_batch_init(&old, schema);
    tain_status st = tain_parquet_read(r->file, first, n, &old, r->err);
    tain_column_clear(&r->batch.columns[column]);
    if (st == TAIN_OK) st = from->convert(&old.columns[0], &r->batch.columns[column], r->err);
    tain_batch_done(&old);
    return st;
}

static tain_status append_piece(refoot *r, int64_t first, size_t n)
{
    for (size_t i = 0; i < r->added->count; i++)
        if (!r->sources[i].constant) TAIN_TRY(convert(r, i, first, (int64_t)n));
    return tain_parquet_append(r->writer, &r->batch, NULL, 0, n, r->err);
}

static tain_status append_group(refoot *r, const tain_file_group *g)
{
    if (g->rows == 0) return tain_fail(r->err, TAIN_E_UNSUPPORTED, "a row group without rows");
    for (int64_t at = 0; at < g->rows; at += (int64_t)r->piece) {
        int64_t left = g->rows - at;
        TAIN_TRY(append_piece(r, g->first_row + at, left < (int64_t)r->piece ? (size_t)left : r->piece));
    }
    return tain_writer_end_group(r->writer, r->err);
}

static size_t largest_constant(const refoot *r)
{
    size_t most = 1;
    for (size_t i = 0; i < r->added->count; i++) {
        size_t bytes = r->sources[i].constant ? tain_column_bytes(r->sources[i].constant) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static void make_constants(refoot *r)
{
    size_t most = PIECE_BYTES / largest_constant(r);
    r->piece = most < 1 ? 1 : most < PIECE_ROWS ? most : PIECE_ROWS;
    tain_batch_init(&r->batch, r->added);
    for (size_t i = 0; i < r->added->count; i++)
        for (size_t k = 0; r->sources[i].constant && k < r->piece; k++)
            tain_column_take(&r->batch.columns[i], r->sources[i].constant, NULL, 0, 1);
    r->batch.rows = r->piece;
}

/* Row groups end where the old ones do, and one value is always worth a dictionary. */
static tain_parquet_options options_for(const refoot *r)
{
    tain_parquet_options o = tain_parquet_defaults();
    size_t               value = largest_constant(r);
    o.row_group_rows = o.row_group_bytes = SIZE_MAX / 2;
    if (o.dictionary_bytes < 2 * value) o.dictionary_bytes = 2 * value;
    return o;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static tain_status write_all(refoot *r, tain_store *store, const char *key, tain_upload *out)
{
    int64_t pages_end = r->file->size - 8 - (int64_t)old_footer(r->file).size;
    TAIN_TRY(tain_upload_copy(out, store, key, 0, pages_end, r->err));
    r->writer->position = pages_end;
    for (size_t i = 0; i < r->file->group_count; i++) TAIN_TRY(append_group(r, &r->file->groups[i]));
    return write_footer(r);
}

tain_status tain_parquet_refoot(tain_store *store, const char *key, int64_t size, const tain_schema *added,
                                const tain_refoot_source *sources, tain_upload *out, tain_parquet_summary *ret, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_parquet_open(store, key, size, &file, err));
    refoot               r = {.file = file, .added = added, .sources = sources, .err = err};
    tain_parquet_options o = options_for(&r);
    make_constants(&r);
    r.writer = tain_parquet_writer_new(added, &o, out);
    tain_status st = write_all(&r, store, key, out);
    if (st == TAIN_OK) tain_writer_summarise(r.writer, ret);
    else tain_error_context(err, "%s", key);
    tain_parquet_writer_free(r.writer);
    tain_batch_done(&r.batch);
    return st;
}
