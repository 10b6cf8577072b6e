/* SPDX-License-Identifier: MIT */
#include "parquet/writer.h"

#include "batch/bits.h"

tain_parquet_options tain_parquet_defaults(void)
{
    return (tain_parquet_options){.codec = TAIN_CODEC_SNAPPY, .row_group_rows = 1 << 20, .row_group_bytes = (size_t)128 << 20,
                                  .page_rows = 20000, .page_bytes = 1 << 20, .dictionary_bytes = 1 << 20};
}

enum {
    OPEN_BYTES = 64 << 20,
    SMALLEST = 16 << 10,
    SLICE_BYTES = 4 << 20, /* of rows encoded between two looks at the size of the row group */
};

/* The columns of a wide table share what pages and dictionaries at hand may take. */
static size_t share(size_t wanted, size_t leaves)
{
    size_t most = OPEN_BYTES / (leaves ? leaves : 1);
    if (most < SMALLEST) most = SMALLEST;
    return wanted < most ? wanted : most;
}

static tain_parquet_options sane(tain_parquet_options o, size_t leaves)
{
    o.page_bytes = share(o.page_bytes, leaves);
    o.dictionary_bytes = share(o.dictionary_bytes, leaves);
    if (o.row_group_rows < 1) o.row_group_rows = 1;
    if (o.page_rows < 1) o.page_rows = 1;
    if (o.page_rows > 1 << 24) o.page_rows = 1 << 24;
    if (o.page_bytes < 1) o.page_bytes = 1;
    return o;
}

tain_parquet_writer *tain_parquet_writer_new(const tain_schema *schema, const tain_parquet_options *options, tain_upload *out)
{
    tain_parquet_writer *w = tain_alloc(sizeof *w);
    tain_arena_init(&w->arena);
    w->schema = schema;
    w->upload = out;
    w->shared.options = sane(options ? *options : tain_parquet_defaults(), tain_writer_count_leaves(schema));
    w->shared.codec.codec = w->shared.options.codec;
    w->nulls = tain_alloc(schema->count * sizeof *w->nulls);
    tain_writer_describe(w);
    return w;
}

void tain_parquet_writer_free(tain_parquet_writer *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->leaf_count; i++) tain_leaf_done(&w->leaves[i]);
    tain_buffer *buffers[] = {&w->shared.body, &w->shared.packed, &w->shared.dense, &w->shared.positions, &w->shared.levels,
                              &w->groups, &w->chunks, &w->column_indexes, &w->offset_indexes, &w->scratch};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) tain_buffer_done(buffers[i]);
    tain_codec_done(&w->shared.codec);
    tain_arena_done(&w->arena);
    tain_free(w->leaves);
    tain_free(w->nulls);
    tain_free(w);
}

int64_t tain_parquet_rows(const tain_parquet_writer *w)
{
    return w->rows;
}

static size_t encoded(const tain_parquet_writer *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->leaf_count; i++) n += tain_leaf_encoded(&w->leaves[i]);
    return n;
}

int64_t tain_parquet_size(const tain_parquet_writer *w)
{
    return w->position + (int64_t)encoded(w);
}

size_t tain_parquet_memory(const tain_parquet_writer *w)
{
    const tain_leaf_shared *s = &w->shared;
    size_t n = s->body.capacity + s->packed.capacity + s->dense.capacity + s->positions.capacity + s->levels.capacity;
    n += w->groups.capacity + w->chunks.capacity + w->column_indexes.capacity + w->offset_indexes.capacity + w->arena.used;
    for (size_t i = 0; i < w->leaf_count; i++) n += tain_leaf_memory(&w->leaves[i]);
    return n;
}

/* --- row groups ---------------------------------------------------------------------------------------------------- */

tain_status tain_writer_put(tain_parquet_writer *w, const void *data, size_t n, tain_error *err)
{
    if (n == 0) return TAIN_OK;
    TAIN_TRY(tain_upload_write(w->upload, data, n, err));
    w->position += (int64_t)n;
    return TAIN_OK;
}

static tain_status write_magic(tain_parquet_writer *w, tain_error *err)
{
    return w->position ? TAIN_OK : tain_writer_put(w, TAIN_PARQUET_MAGIC, 4, err);
}

static tain_slice keep(tain_parquet_writer *w, const tain_buffer *b)
{
    uint8_t *copy = tain_arena_alloc(&w->arena, b->size);
    if (b->size) memcpy(copy, b->data, b->size);
    return (tain_slice){copy, b->size};
}

static void note_bounds(tain_parquet_writer *w, const tain_leaf *l, tain_chunk_meta *c)
{
    bool text = l->field->type.kind == TAIN_STRING;
    int  width = tain_leaf_plain_width(l);
    c->has_bounds = l->bounds.any && !l->bounds.nan;
    if (!c->has_bounds) return;
    tain_buffer_clear(&w->scratch);
    c->min_exact = tain_bounds_put_short(&l->bounds, false, width, text, &w->scratch);
    c->min = keep(w, &w->scratch);
    tain_buffer_clear(&w->scratch);
    c->max_exact = tain_bounds_put_short(&l->bounds, true, width, text, &w->scratch);
    c->max = keep(w, &w->scratch);
}

/* An index must bound every page that has values, which NaN forbids. */
static void note_indexes(tain_parquet_writer *w, const tain_leaf *l, tain_chunk_meta *c)
{
    size_t before = w->column_indexes.size;
    if (!l->bounds.nan) tain_writer_put_column_index(l, &w->column_indexes);
    c->column_index_size = w->column_indexes.size - before;
    before = w->offset_indexes.size;
    tain_writer_put_offset_index(l, c->data_offset, &w->offset_indexes);
    c->offset_index_size = w->offset_indexes.size - before;
}

static tain_status write_chunk(tain_parquet_writer *w, tain_leaf *l, tain_error *err)
{
    TAIN_TRY(tain_leaf_end_chunk(l, &w->scratch, err));
    tain_chunk_meta c = {.sizes = l->chunk, .dictionary_offset = w->scratch.size ? w->position : -1};
    TAIN_TRY(tain_writer_put(w, w->scratch.data, w->scratch.size, err));
    c.data_offset = w->position;
    TAIN_TRY(tain_writer_put(w, l->pages.data, l->pages.size, err));
    note_bounds(w, l, &c);
    note_indexes(w, l, &c);
    tain_buffer_append(&w->chunks, &c, sizeof c);
    tain_leaf_reset(l);
    return TAIN_OK;
}

tain_status tain_writer_end_group(tain_parquet_writer *w, tain_error *err)
{
    if (w->group_rows == 0) return TAIN_OK;
    TAIN_TRY(write_magic(w, err));
    tain_group_meta g = {.rows = w->group_rows, .offset = w->position};
    for (size_t i = 0; i < w->leaf_count; i++) TAIN_TRY(write_chunk(w, &w->leaves[i], err));
    tain_buffer_append(&w->groups, &g, sizeof g);
    w->group_rows = 0;
    return TAIN_OK;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static bool is_nested(const tain_column *c)
{
    return c->type.child_count > 0;
}

static int64_t count_nulls(const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    int64_t nulls = 0;
    if (c->null_count == 0) return 0;
    for (size_t i = 0; i < n; i++) nulls += tain_column_is_null(c, rows ? rows[i] : first + i);
    return nulls;
}

static tain_status append_slice(tain_parquet_writer *w, const tain_batch *b, const uint32_t *rows, size_t first, size_t n,
                                tain_error *err)
{
    for (size_t i = 0; i < w->leaf_count; i++) {
        tain_leaf *l = &w->leaves[i];
        TAIN_TRY(tain_leaf_append(l, &b->columns[l->column], rows, first, n, err));
    }
    for (size_t i = 0; i < b->schema->count; i++)
        if (is_nested(&b->columns[i])) w->nulls[i] += count_nulls(&b->columns[i], rows, first, n);
    w->rows += (int64_t)n;
    w->group_rows += (int64_t)n;
    if ((size_t)w->group_rows >= w->shared.options.row_group_rows || encoded(w) >= w->shared.options.row_group_bytes)
        return tain_writer_end_group(w, err);
    return TAIN_OK;
}

static size_t bytes_of(const tain_batch *b, const uint32_t *rows, size_t first, size_t n)
{
    size_t bytes = 0;
    for (size_t c = 0; c < b->schema->count; c++) {
        const tain_column *column = &b->columns[c];
        if (!rows || (!column->children && column->type.kind != TAIN_STRING && column->type.kind != TAIN_BINARY)) {
            bytes += tain_column_range_bytes(column, first, n);
            continue;
        }
        for (size_t i = 0; i < n; i++) bytes += tain_column_range_bytes(column, rows[i], 1);
    }
    return bytes;
}

/* So many of the n rows that a row group does not outgrow its limit by more than a slice, or a row. */
static size_t rows_within(const tain_parquet_writer *w, const tain_batch *b, const uint32_t *rows, size_t first, size_t n)
{
    size_t most = w->shared.options.row_group_bytes;
    if (most > SLICE_BYTES) most = SLICE_BYTES;
    while (n > 1 && bytes_of(b, rows, first, n) > most) n /= 2;
    return n;
}

/* Slices as long as a page, so that a column's part stays in the processor's cache. */
tain_status tain_parquet_append(tain_parquet_writer *w, const tain_batch *b, const uint32_t *rows, size_t first, size_t n,
                                tain_error *err)
{
    const tain_parquet_options *o = &w->shared.options;
    bool                        large = tain_batch_bytes(b) > SLICE_BYTES || o->row_group_bytes < SLICE_BYTES;
    while (n) {
        size_t k = o->row_group_rows - (size_t)w->group_rows;
        if (k > o->page_rows) k = o->page_rows;
        if (k > n) k = n;
        if (large) k = rows_within(w, b, rows, first, k);
        TAIN_TRY(append_slice(w, b, rows, first, k, err));
        if (rows) rows += k;
        else first += k;
        n -= k;
    }
    return TAIN_OK;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static tain_status write_footer(tain_parquet_writer *w, tain_error *err)
{
    int64_t index_offset = w->position;
    TAIN_TRY(tain_writer_put(w, w->column_indexes.data, w->column_indexes.size, err));
    TAIN_TRY(tain_writer_put(w, w->offset_indexes.data, w->offset_indexes.size, err));
    tain_buffer_clear(&w->scratch);
    tain_writer_put_footer(w, index_offset, &w->scratch);
    uint32_t size = (uint32_t)w->scratch.size;
    tain_buffer_append(&w->scratch, &size, 4);
    tain_buffer_append_str(&w->scratch, TAIN_PARQUET_MAGIC);
    return tain_writer_put(w, w->scratch.data, w->scratch.size, err);
}

/* Statistics are of the batch's width, which for narrow decimals is wider than the file's. */
static int summary_width(const tain_leaf *l)
{
    return l->field->type.kind == TAIN_DECIMAL ? (int)tain_type_width(&l->field->type) : tain_leaf_plain_width(l);
}

static void summarise(const tain_parquet_writer *w, const tain_leaf *l, tain_column_stats *s)
{
    const tain_bounds *b = &l->file_bounds;
    if (l->node_count > 1) {
        s->null_count = w->nulls[l->column];
        return;
    }
    s->null_count = l->file_nulls;
    s->has_bounds = b->any && !b->nan && !b->infinite;
    if (!s->has_bounds) return;
    tain_bounds_put(b, false, summary_width(l), &s->min);
    tain_bounds_put(b, true, summary_width(l), &s->max);
}

void tain_writer_summarise(const tain_parquet_writer *w, tain_parquet_summary *ret)
{
    size_t columns = w->schema->count;
    *ret = (tain_parquet_summary){
        .rows = w->rows, .bytes = w->position, .column_count = columns, .columns = tain_alloc(columns * sizeof *ret->columns)};
    for (size_t i = 0; i < w->leaf_count; i++) summarise(w, &w->leaves[i], &ret->columns[w->leaves[i].column]);
}

tain_status tain_parquet_finish(tain_parquet_writer *w, tain_parquet_summary *ret, tain_error *err)
{
    TAIN_TRY(tain_writer_end_group(w, err));
    TAIN_TRY(write_magic(w, err));
    TAIN_TRY(write_footer(w, err));
    tain_writer_summarise(w, ret);
    return TAIN_OK;
}

void tain_parquet_summary_done(tain_parquet_summary *s)
{
    for (size_t i = 0; s->columns && i < s->column_count; i++) {
        tain_buffer_done(&s->columns[i].min);
        tain_buffer_done(&s->columns[i].max);
    }
    tain_free(s->columns);
    *s = (tain_parquet_summary){0};
}
