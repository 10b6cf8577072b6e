/* SPDX-License-Identifier: MIT */
/* The end of a page and of a chunk: levels, values, compression, header. */
#include "parquet/hybrid.h"
#include "parquet/leaf.h"
#include "parquet/thrift.h"

enum { HEADER_MOST = 64 }; /* bytes of a page header, at most */

/* --- levels -------------------------------------------------------------------------------------------------------- */

/* A level section of a v1 page: u32 length, then the hybrid. */
static size_t begin_levels(tain_buffer *out)
{
    tain_buffer_append_zero(out, 4);
    return out->size;
}

static void end_levels(tain_buffer *out, size_t start)
{
    uint32_t n = (uint32_t)(out->size - start);
    memcpy(out->data + start - 4, &n, 4);
}

static void put_flat_levels(const tain_leaf *l, tain_buffer *out)
{
    if (l->max_definition == 0) return;
    size_t start = begin_levels(out);
    if (l->page_values == l->page_levels) tain_hybrid_run(out, 1, l->page_levels, 1);
    else if (l->page_values == 0) tain_hybrid_run(out, 0, l->page_levels, 1);
    else tain_hybrid_bits(out, l->valid.data, l->page_levels);
    end_levels(out, start);
}

static void put_nested_levels(tain_leaf *l, const tain_buffer *levels, int max, tain_buffer *out)
{
    if (max == 0) return;
    size_t start = begin_levels(out);
    tain_buffer_clear(&l->shared->levels);
    uint32_t *wide = (uint32_t *)tain_buffer_reserve(&l->shared->levels, levels->size * sizeof *wide);
    for (size_t i = 0; i < levels->size; i++) wide[i] = levels->data[i];
    tain_hybrid_encode(out, wide, levels->size, tain_hybrid_width((uint32_t)max));
    end_levels(out, start);
}

static void put_levels(tain_leaf *l, tain_buffer *out)
{
    if (l->node_count == 1) {
        put_flat_levels(l, out);
        return;
    }
    put_nested_levels(l, &l->repetition, l->max_repetition, out);
    put_nested_levels(l, &l->definition, l->max_definition, out);
}

/* --- header and compression ---------------------------------------------------------------------------------------- */

static void put_page_header(tain_buffer *out, int type, size_t values, tain_encoding encoding, size_t uncompressed,
                            size_t compressed)
{
    tain_thrift_out t = {.out = out};
    tain_thrift_put_i32(&t, 1, type);
    tain_thrift_put_i32(&t, 2, (int32_t)uncompressed);
    tain_thrift_put_i32(&t, 3, (int32_t)compressed);
    int outer = tain_thrift_begin(&t, type == TAIN_PAGE_DICTIONARY ? 7 : 5);
    tain_thrift_put_i32(&t, 1, (int32_t)values);
    tain_thrift_put_i32(&t, 2, encoding);
    if (type == TAIN_PAGE_DATA) {
        tain_thrift_put_i32(&t, 3, TAIN_ENCODING_RLE);
        tain_thrift_put_i32(&t, 4, TAIN_ENCODING_RLE);
    }
    tain_thrift_end(&t, outer);
    tain_thrift_end(&t, 0);
}

static tain_status put_page(tain_leaf *l, int type, size_t values, tain_encoding encoding, tain_slice body, tain_buffer *out,
                            tain_error *err)
{
    tain_leaf_shared *s = l->shared;
    tain_slice        packed = body;
    size_t            start = out->size;
    if (body.size > INT32_MAX)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "column %s: a page of %zu bytes", l->field->name, body.size);
    if (s->codec.codec != TAIN_CODEC_NONE) {
        TAIN_TRY(tain_codec_compress(&s->codec, body.data, body.size, &s->packed, err));
        packed = tain_buffer_slice(&s->packed);
    }
    put_page_header(out, type, values, encoding, body.size, packed.size);
    size_t header = out->size - start;
    tain_buffer_append(out, packed.data, packed.size);
    l->chunk.uncompressed += (int64_t)(header + body.size);
    l->chunk.compressed += (int64_t)(header + packed.size);
    return TAIN_OK;
}

/* A value that fills a page alone is compressed where it lies, behind a gap that the header then closes. */
static tain_status put_wide_page(tain_leaf *l, tain_slice head, tain_buffer *out, tain_error *err)
{
    tain_leaf_shared *s = l->shared;
    tain_slice        parts[] = {head, l->wide};
    size_t            start = out->size, gap = start + HEADER_MOST, body = head.size + l->wide.size;
    if (body > INT32_MAX) return tain_fail(err, TAIN_E_UNSUPPORTED, "column %s: a page of %zu bytes", l->field->name, body);
    tain_buffer_append_zero(out, HEADER_MOST);
    TAIN_TRY(tain_codec_append(&s->codec, parts, 2, out, err));
    size_t packed = out->size - gap;
    if (packed > INT32_MAX) return tain_fail(err, TAIN_E_UNSUPPORTED, "column %s: a page of %zu bytes", l->field->name, packed);
    tain_buffer_clear(&s->packed);
    put_page_header(&s->packed, TAIN_PAGE_DATA, l->page_levels, TAIN_ENCODING_PLAIN, body, packed);
    size_t header = s->packed.size;
    memcpy(out->data + start, s->packed.data, header);
    memmove(out->data + start + header, out->data + gap, packed);
    out->size = start + header + packed;
    l->chunk.uncompressed += (int64_t)(header + body);
    l->chunk.compressed += (int64_t)(header + packed);
    return TAIN_OK;
}

/* --- statistics ---------------------------------------------------------------------------------------------------- */

/* Bounds of the entries used in a page, each looked at once. */
static void measure_indices(tain_leaf *l)
{
    const uint32_t *index = (const uint32_t *)l->indices.data;
    size_t          n = l->indices.size / sizeof *index, count = l->dictionary.count;
    tain_buffer_clear(&l->shared->levels);
    tain_buffer_append_zero(&l->shared->levels, count);
    uint8_t *used = l->shared->levels.data;
    for (size_t i = 0; i < n; i++) used[index[i]] = 1;
    for (size_t i = 0; i < count; i++)
        if (used[i]) tain_bounds_slice(&l->page_bounds, tain_dictionary_slice(&l->dictionary, (uint32_t)i));
}

static int compare_numbers(const tain_bounds *a, const tain_bounds *b, bool max)
{
    int64_t  x = max ? a->max_int : a->min_int, y = max ? b->max_int : b->min_int;
    __int128 v = max ? a->max_wide : a->min_wide, w = max ? b->max_wide : b->min_wide;
    double   p = max ? a->max_real : a->min_real, q = max ? b->max_real : b->min_real;
    if (a->order == TAIN_ORDER_INT) return x < y ? -1 : x > y;
    if (a->order == TAIN_ORDER_WIDE) return v < w ? -1 : v > w;
    return p < q ? -1 : p > q;
}

static int compare_bytes(const uint8_t *a, size_t n, const uint8_t *b, size_t m)
{
    size_t shorter = n < m ? n : m;
    int    c = shorter ? memcmp(a, b, shorter) : 0;
    return c ? c : n < m ? -1 : n > m;
}

/* Keeps ascending and descending true as long as the bounds are so, as they stand in the index. */
static void order_pages(tain_leaf *l, const tain_leaf_page *page)
{
    const uint8_t *at = l->index_bytes.data;
    int lo = compare_numbers(&l->page_bounds, &l->previous, false), hi = compare_numbers(&l->page_bounds, &l->previous, true);
    if (l->page_bounds.order == TAIN_ORDER_BYTES) {
        const tain_leaf_page *before = (const tain_leaf_page *)l->page_list.data + l->previous_page;
        lo = compare_bytes(at + page->min_at, page->min_size, at + before->min_at, before->min_size);
        hi = compare_bytes(at + page->max_at, page->max_size, at + before->max_at, before->max_size);
    }
    if (lo < 0 || hi < 0) l->ascending = false;
    if (lo > 0 || hi > 0) l->descending = false;
}

static void note_bounds(tain_leaf *l, tain_leaf_page *page)
{
    bool text = l->field->type.kind == TAIN_STRING;
    int  width = tain_leaf_plain_width(l);
    page->has_values = l->page_values > 0;
    if (!l->page_bounds.any) return;
    page->min_at = (uint32_t)l->index_bytes.size;
    tain_bounds_put_short(&l->page_bounds, false, width, text, &l->index_bytes);
    page->max_at = (uint32_t)l->index_bytes.size;
    page->min_size = page->max_at - page->min_at;
    tain_bounds_put_short(&l->page_bounds, true, width, text, &l->index_bytes);
    page->max_size = (uint32_t)l->index_bytes.size - page->max_at;
    if (l->previous_page != SIZE_MAX) order_pages(l, page);
    l->previous = l->page_bounds;
    l->previous.min_bytes = l->previous.max_bytes = (tain_buffer){0};
    l->previous_page = l->page_list.size / sizeof *page;
}

int tain_leaf_plain_width(const tain_leaf *l)
{
    return l->width < 0 ? 1 : l->physical == TAIN_PHYSICAL_FIXED ? -l->fixed : l->width;
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

/* The levels of a flat page without nulls are a few bytes: they go into the headroom, and the values stay where they are. */
static tain_slice plain_body(tain_leaf *l)
{
    tain_buffer *body = &l->shared->body;
    tain_buffer_clear(body);
    put_levels(l, body);
    if (body->size <= TAIN_LEAF_HEADROOM) {
        uint8_t *start = l->plain.data + TAIN_LEAF_HEADROOM - body->size;
        if (body->size) memcpy(start, body->data, body->size);
        return (tain_slice){start, l->plain.size - TAIN_LEAF_HEADROOM + body->size};
    }
    tain_buffer_append(body, l->plain.data + TAIN_LEAF_HEADROOM, l->plain.size - TAIN_LEAF_HEADROOM);
    return tain_buffer_slice(body);
}

static tain_slice dictionary_body(tain_leaf *l)
{
    tain_buffer *body = &l->shared->body;
    unsigned     width = tain_hybrid_width(l->dictionary.count - 1);
    tain_buffer_clear(body);
    put_levels(l, body);
    tain_buffer_append_u8(body, (uint8_t)width);
    tain_hybrid_encode(body, (const uint32_t *)l->indices.data, l->page_values, width);
    return tain_buffer_slice(body);
}

/* Levels, and the length in front of the value. */
static tain_slice wide_head(tain_leaf *l)
{
    tain_buffer *body = &l->shared->body;
    uint32_t     size = (uint32_t)l->wide.size;
    tain_buffer_clear(body);
    put_levels(l, body);
    tain_buffer_append(body, &size, 4);
    return tain_buffer_slice(body);
}

static tain_status put_data(tain_leaf *l, tain_error *err)
{
    bool indexed = l->use_dictionary && l->dictionary.count; /* not while there were only nulls */
    if (l->wide.data) return put_wide_page(l, wide_head(l), &l->pages, err);
    return put_page(l, TAIN_PAGE_DATA, l->page_levels, indexed ? TAIN_ENCODING_RLE_DICTIONARY : TAIN_ENCODING_PLAIN,
                    indexed ? dictionary_body(l) : plain_body(l), &l->pages, err);
}

static void note_page(tain_leaf *l, size_t size)
{
    tain_leaf_page page = {
        .size = (uint32_t)size, .rows = (uint32_t)l->page_rows, .nulls = (int64_t)(l->page_levels - l->page_values)};
    note_bounds(l, &page);
    tain_buffer_append(&l->page_list, &page, sizeof page);
    tain_bounds_merge(&l->bounds, &l->page_bounds);
    l->chunk.values += (int64_t)l->page_levels;
    l->chunk.nulls += page.nulls;
    *(l->use_dictionary && l->dictionary.count ? &l->chunk.dictionary_data_pages : &l->chunk.plain_data_pages) += 1;
}

void tain_leaf_begin_page(tain_leaf *l)
{
    l->page_rows = l->page_levels = l->page_values = l->raw_bytes = 0;
    tain_buffer_clear(&l->valid);
    tain_buffer_clear(&l->definition);
    tain_buffer_clear(&l->repetition);
    tain_buffer_clear(&l->indices);
    l->wide = (tain_slice){0};
    tain_buffer_relax(&l->plain, TAIN_LEAF_KEPT);
    tain_buffer_relax(&l->shared->body, TAIN_LEAF_KEPT);
    tain_buffer_relax(&l->shared->packed, TAIN_LEAF_KEPT);
    tain_buffer_append_zero(&l->plain, TAIN_LEAF_HEADROOM);
    tain_bounds_clear(&l->page_bounds);
}

tain_status tain_leaf_end_page(tain_leaf *l, tain_error *err)
{
    if (l->use_dictionary && l->dictionary_kept == 0 && l->dictionary.count * (size_t)2 > l->page_values)
        tain_leaf_give_up_dictionary(l);
    if (l->use_dictionary && l->width == 0) measure_indices(l);
    size_t start = l->pages.size;
    TAIN_TRY(put_data(l, err));
    note_page(l, l->pages.size - start);
    l->dictionary_kept = l->dictionary.count;
    tain_leaf_begin_page(l);
    return TAIN_OK;
}

/* --- chunks -------------------------------------------------------------------------------------------------------- */

static tain_slice dictionary_values(tain_leaf *l)
{
    tain_dictionary *d = &l->dictionary;
    if (l->physical != TAIN_PHYSICAL_FIXED) return tain_buffer_slice(&d->values);
    tain_buffer *body = &l->shared->body;
    tain_buffer_clear(body);
    for (size_t i = 0; i < d->count; i++)
        for (int k = l->fixed; k--;) tain_buffer_append_u8(body, d->values.data[i * 16 + (size_t)k]);
    return tain_buffer_slice(body);
}

tain_status tain_leaf_end_chunk(tain_leaf *l, tain_buffer *io_dictionary, tain_error *err)
{
    tain_buffer_clear(io_dictionary);
    if (l->page_rows) TAIN_TRY(tain_leaf_end_page(l, err));
    if (l->dictionary_kept == 0) return TAIN_OK;
    l->chunk.dictionary_pages = 1;
    return put_page(l, TAIN_PAGE_DICTIONARY, l->dictionary_kept, TAIN_ENCODING_PLAIN, dictionary_values(l), io_dictionary, err);
}
