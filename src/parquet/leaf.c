/* SPDX-License-Identifier: MIT */
#include "parquet/leaf.h"

#include "batch/bits.h"
#include "parquet/hybrid.h"

enum { NESTED_ROWS = 256 }; /* rows shredded between two looks at the page's size */

static tain_order order_of(const tain_leaf *l)
{
    if (l->width == 0) return TAIN_ORDER_BYTES;
    if (l->width == 16) return TAIN_ORDER_WIDE;
    return l->physical == TAIN_PHYSICAL_FLOAT || l->physical == TAIN_PHYSICAL_DOUBLE ? TAIN_ORDER_REAL : TAIN_ORDER_INT;
}

static void begin_chunk(tain_leaf *l)
{
    l->use_dictionary = l->dictionary.limit > 0 && l->width >= 0;
    l->dictionary_kept = 0;
    l->chunk = (tain_leaf_chunk){0};
    l->ascending = l->descending = true;
    l->previous_page = SIZE_MAX;
    tain_dictionary_clear(&l->dictionary);
    tain_buffer_relax(&l->pages, TAIN_LEAF_KEPT);
    tain_buffer_clear(&l->page_list);
    tain_buffer_clear(&l->index_bytes);
    tain_bounds_clear(&l->bounds);
    tain_leaf_begin_page(l);
}

void tain_leaf_init(tain_leaf *l, tain_leaf_shared *shared)
{
    l->shared = shared;
    tain_dictionary_init(&l->dictionary, l->width > 0 ? (unsigned)l->width : 0, shared->options.dictionary_bytes);
    l->page_bounds.order = l->bounds.order = l->file_bounds.order = order_of(l);
    begin_chunk(l);
}

void tain_leaf_done(tain_leaf *l)
{
    tain_buffer *buffers[] = {&l->valid,   &l->definition, &l->repetition, &l->plain,
                              &l->indices, &l->pages,      &l->page_list,  &l->index_bytes};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) tain_buffer_done(buffers[i]);
    tain_dictionary_done(&l->dictionary);
    tain_bounds_done(&l->page_bounds);
    tain_bounds_done(&l->bounds);
    tain_bounds_done(&l->file_bounds);
}

static size_t bounds_memory(const tain_bounds *b)
{
    return b->min_bytes.capacity + b->max_bytes.capacity;
}

size_t tain_leaf_memory(const tain_leaf *l)
{
    size_t bounds = bounds_memory(&l->page_bounds) + bounds_memory(&l->bounds) + bounds_memory(&l->file_bounds);
    return bounds + l->valid.capacity + l->definition.capacity + l->repetition.capacity + l->plain.capacity + l->indices.capacity +
           l->pages.capacity + l->page_list.capacity + l->index_bytes.capacity + tain_dictionary_memory(&l->dictionary);
}

size_t tain_leaf_encoded(const tain_leaf *l)
{
    size_t indices = l->page_values * tain_hybrid_width(l->dictionary.count) / 8;
    return l->pages.size + l->dictionary.values.size + (l->use_dictionary ? indices : l->plain.size - TAIN_LEAF_HEADROOM);
}

/* A chunk in which the dictionary did not pay is a reason not to try again: the column is what it was. */
void tain_leaf_reset(tain_leaf *l)
{
    bool gave_up = !l->use_dictionary;
    tain_bounds_merge(&l->file_bounds, &l->bounds);
    l->file_nulls += l->chunk.nulls;
    begin_chunk(l);
    if (gave_up) l->use_dictionary = false;
}

/* --- flat columns -------------------------------------------------------------------------------------------------- */

static uint32_t *reserve_positions(tain_leaf *l, size_t n)
{
    tain_buffer_clear(&l->shared->positions);
    return (uint32_t *)tain_buffer_reserve(&l->shared->positions, n * sizeof(uint32_t));
}

static size_t positions_of_values(const tain_column *c, const uint32_t *rows, size_t first, size_t n, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t row = rows ? rows[i] : (uint32_t)(first + i);
        out[count] = row;
        count += tain_bit(c->validity.data, row);
    }
    return count;
}

static void put_valid(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, bool any_null)
{
    if (!any_null && l->valid.size == 0) return;
    if (l->valid.size == 0) tain_bits_fill(&l->valid, 0, true, l->page_rows);
    if (any_null) tain_bits_take(&l->valid, l->page_rows, c->validity.data, rows, first, n);
    else tain_bits_fill(&l->valid, l->page_rows, true, n);
}

static tain_status put_rows(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, tain_error *err)
{
    uint32_t *positions = c->null_count ? reserve_positions(l, n + 1) : NULL;
    size_t    values = positions ? positions_of_values(c, rows, first, n, positions) : n;
    if (values < n && l->max_definition == 0)
        return tain_fail(err, TAIN_E_INVALID, "column %s: a null, but the column is declared NOT NULL", l->field->name);
    put_valid(l, c, rows, first, n, values < n);
    if (values < n) tain_leaf_put_values(l, c, positions, 0, values);
    else tain_leaf_put_values(l, c, rows, first, n);
    l->page_rows += n;
    l->page_levels += n;
    return TAIN_OK;
}

static tain_status append_flat(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, tain_error *err)
{
    size_t most = l->shared->options.page_rows;
    while (n) {
        size_t k = n < most - l->page_rows ? n : most - l->page_rows;
        k = tain_leaf_room(l, c, rows, first, k);
        TAIN_TRY(put_rows(l, c, rows, first, k, err));
        if (rows) rows += k;
        else first += k;
        n -= k;
        if (n || l->page_rows == most || l->wide.data) TAIN_TRY(tain_leaf_end_page(l, err));
    }
    return TAIN_OK;
}

/* --- nested columns ------------------------------------------------------------------------------------------------ */

static bool is_full(const tain_leaf *l)
{
    const tain_parquet_options *o = &l->shared->options;
    return l->page_rows >= o->page_rows || l->plain.size + l->raw_bytes >= o->page_bytes || l->page_levels >= o->page_rows * 16;
}

/* How many of n rows the page still takes, and the one that fills it. */
static size_t nested_room(const tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n)
{
    size_t used = l->plain.size + l->raw_bytes, most = l->shared->options.page_bytes, bytes = 0, k = 0;
    size_t room = used < most ? most - used : 0;
    if (!rows && tain_column_range_bytes(c, first, n) <= room) return n;
    do bytes += tain_column_range_bytes(c, rows ? rows[k] : first + k, 1);
    while (++k < n && bytes < room);
    return k;
}

static tain_status append_nested(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n,
                                 tain_error *err)
{
    while (n) {
        const tain_column *own;
        size_t             most = l->shared->options.page_rows - l->page_rows, k = n < NESTED_ROWS ? n : NESTED_ROWS;
        k = nested_room(l, c, rows, first, k < most ? k : most);
        TAIN_TRY(tain_leaf_shred(l, c, rows, first, k, &own, err));
        const tain_buffer *at = &l->shared->positions;
        tain_leaf_put_values(l, own, (const uint32_t *)at->data, 0, at->size / sizeof(uint32_t));
        l->page_rows += k;
        l->page_levels = l->definition.size;
        if (rows) rows += k;
        else first += k;
        n -= k;
        if (is_full(l)) TAIN_TRY(tain_leaf_end_page(l, err));
    }
    return TAIN_OK;
}

tain_status tain_leaf_append(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, tain_error *err)
{
    return l->node_count == 1 ? append_flat(l, c, rows, first, n, err) : append_nested(l, c, rows, first, n, err);
}
