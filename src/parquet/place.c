/* SPDX-License-Identifier: MIT */
/* Bytes of the file, headers of pages, and the places of a chunk's pages: from the offset index, else by going from
 * header to header once. */
#include "parquet/file.h"

enum { WINDOW = 4 << 20, HEADER_GUESS = 256, HEADER_MOST = 16 << 20 };

/* --- bytes --------------------------------------------------------------------------------------------------------- */

static bool holds(const tain_buffer *b, int64_t at, int64_t offset, int64_t size)
{
    return offset >= at && offset - at <= (int64_t)b->size && size <= (int64_t)b->size - (offset - at);
}

/* At least `size` bytes at offset; up to `ahead` are fetched at once. Borrowed until the next call. */
tain_status tain_file_bytes(tain_parquet_file *f, int64_t offset, int64_t size, int64_t ahead, tain_slice *ret, tain_error *err)
{
    if (!f->store) return tain_fail(err, TAIN_E_INVALID, "only the footer of this file was parsed");
    if (offset < 0 || size < 0 || offset > f->size || size > f->size - offset)
        return tain_fail(err, TAIN_E_CORRUPT, "bytes %lld+%lld lie outside of the file", (long long)offset, (long long)size);
    if (holds(&f->tail, f->tail_offset, offset, size)) {
        *ret = (tain_slice){f->tail.data + (offset - f->tail_offset), (size_t)size};
        return TAIN_OK;
    }
    if (!holds(&f->window, f->window_offset, offset, size)) {
        int64_t want = ahead > WINDOW ? WINDOW : ahead;
        if (want < size) want = size;
        if (want > f->size - offset) want = f->size - offset;
        tain_buffer_clear(&f->window);
        f->window_offset = offset;
        TAIN_TRY(tain_store_get(f->store, f->key, offset, want, &f->window, err));
        if ((int64_t)f->window.size < size) return tain_fail(err, TAIN_E_CORRUPT, "the file is shorter than it was");
    }
    *ret = (tain_slice){f->window.data + (offset - f->window_offset), (size_t)size};
    return TAIN_OK;
}

void tain_file_relax_window(tain_parquet_file *f)
{
    if (f->window.capacity > 2 * WINDOW) tain_buffer_done(&f->window);
}

/* --- page headers -------------------------------------------------------------------------------------------------- */

static void read_v1(tain_thrift_in *t, tain_page_header *h)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        if (f.id == 1) h->values = tain_thrift_int(t, &f);
        else if (f.id == 2) h->encoding = (int)tain_thrift_int(t, &f);
        else if (f.id == 3 && f.type == TAIN_THRIFT_I32) { /* the definition levels' encoding, of a data page */
            if (tain_thrift_int(t, &f) != TAIN_ENCODING_RLE) h->encoding = TAIN_ENCODING_BIT_PACKED;
        } else tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

static void read_v2(tain_thrift_in *t, tain_page_header *h)
{
    tain_thrift_field f = {0};
    h->v2 = h->packed = true;
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        switch (f.id) {
        case 1: h->values = tain_thrift_int(t, &f); break;
        case 3: h->rows = tain_thrift_int(t, &f); break;
        case 4: h->encoding = (int)tain_thrift_int(t, &f); break;
        case 5: h->definition_bytes = tain_thrift_int(t, &f); break;
        case 6: h->repetition_bytes = tain_thrift_int(t, &f); break;
        case 7: h->packed = tain_thrift_bool(t, &f); break;
        default: tain_thrift_skip(t, f.type);
        }
    }
    tain_thrift_leave(t);
}

static void read_header(tain_thrift_in *t, tain_page_header *h)
{
    tain_thrift_field f = {0};
    *h = (tain_page_header){.type = -1, .encoding = -1, .values = -1, .compressed = -1, .uncompressed = -1};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        bool is_struct = f.type == TAIN_THRIFT_STRUCT;
        if (f.id == 1) h->type = (int)tain_thrift_int(t, &f);
        else if (f.id == 2) h->uncompressed = tain_thrift_int(t, &f);
        else if (f.id == 3) h->compressed = tain_thrift_int(t, &f);
        else if (f.id == 4) h->crc = (uint32_t)tain_thrift_int(t, &f), h->has_crc = true;
        else if ((f.id == 5 || f.id == 7) && is_struct) read_v1(t, h);
        else if (f.id == 8 && is_struct) read_v2(t, h);
        else tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

tain_status tain_file_page_header(tain_slice bytes, tain_page_header *ret, size_t *ret_size, tain_error *err)
{
    tain_thrift_in t = {.at = bytes.data, .end = bytes.data + bytes.size};
    read_header(&t, ret);
    if (t.bad) return tain_fail(err, TAIN_E_CORRUPT, "a page header is broken");
    if (ret->type == TAIN_PAGE_INDEX) ret->values = 0;
    if (ret->compressed < 0 || ret->uncompressed < 0 || ret->compressed > INT32_MAX || ret->uncompressed > INT32_MAX ||
        ret->values < 0 || ret->repetition_bytes < 0 || ret->definition_bytes < 0)
        return tain_fail(err, TAIN_E_CORRUPT, "a page header has impossible sizes");
    *ret_size = (size_t)(t.at - bytes.data);
    return TAIN_OK;
}

/* --- the offset index ---------------------------------------------------------------------------------------------- */

static void read_place(tain_thrift_in *t, tain_file_page *p)
{
    tain_thrift_field f = {0};
    *p = (tain_file_page){.offset = -1, .size = -1, .first_row = -1};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        if (f.id == 1) p->offset = tain_thrift_int(t, &f);
        else if (f.id == 2) p->size = tain_thrift_int(t, &f);
        else if (f.id == 3) p->first_row = tain_thrift_int(t, &f);
        else tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

static void read_places(tain_thrift_in *t, tain_buffer *pages)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        int type;
        if (f.id != 1) {
            tain_thrift_skip(t, f.type);
            continue;
        }
        size_t n = tain_thrift_list(t, &f, &type);
        if (n && type != TAIN_THRIFT_STRUCT) t->bad = true;
        for (; n && !t->bad; n--) {
            tain_file_page p;
            read_place(t, &p);
            tain_buffer_append(pages, &p, sizeof p);
        }
    }
    tain_thrift_leave(t);
}

static bool places_fit(const tain_file_group *g, const tain_file_chunk *k, const tain_file_page *p, size_t n)
{
    int64_t at = k->start, end = k->start + k->size;
    if (n == 0 || p[0].first_row != 0) return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i].offset < at || p[i].size <= 0 || p[i].offset > end || p[i].size > end - p[i].offset) return false;
        if (p[i].first_row >= g->rows || (i && p[i].first_row <= p[i - 1].first_row)) return false;
        at = p[i].offset + p[i].size;
    }
    return true;
}

static tain_status read_offset_index(tain_parquet_file *f, const tain_file_group *g, const tain_file_chunk *k, tain_buffer *pages,
                                     tain_error *err)
{
    tain_slice bytes;
    TAIN_TRY(tain_file_bytes(f, k->index_offset, k->index_size, k->index_size, &bytes, err));
    tain_thrift_in t = {.at = bytes.data, .end = bytes.data + bytes.size};
    read_places(&t, pages);
    if (t.bad || !places_fit(g, k, (const tain_file_page *)pages->data, pages->size / sizeof(tain_file_page)))
        return tain_fail(err, TAIN_E_CORRUPT, "an offset index contradicts its chunk");
    return TAIN_OK;
}

/* --- from header to header ----------------------------------------------------------------------------------------- */

static tain_status header_at(tain_parquet_file *f, int64_t at, int64_t end, tain_page_header *h, size_t *size, tain_error *err)
{
    tain_slice  bytes;
    tain_status st;
    int64_t     guess = HEADER_GUESS;
    do { /* statistics in it can make a header long */
        if (guess > end - at) guess = end - at;
        TAIN_TRY(tain_file_bytes(f, at, guess, end - at, &bytes, err));
        st = tain_file_page_header(bytes, h, size, err);
        if (st == TAIN_OK || guess >= end - at || guess >= HEADER_MOST) break;
        guess *= 8;
    } while (true);
    if (st == TAIN_OK && h->compressed > end - at - (int64_t)*size)
        return tain_fail(err, TAIN_E_CORRUPT, "a page is longer than its chunk");
    return st;
}

static tain_status rows_of(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, const tain_file_page *p,
                           const tain_page_header *h, int64_t *ret, tain_error *err)
{
    tain_slice bytes;
    *ret = c->list ? h->rows : h->values;
    if (!c->list || h->v2) return TAIN_OK;
    TAIN_TRY(tain_file_bytes(f, p->offset, p->size, p->size, &bytes, err));
    return tain_file_count_rows(f, c, k, bytes, ret, err);
}

static tain_status walk_pages(tain_parquet_file *f, const tain_file_group *g, const tain_file_column *c, const tain_file_chunk *k,
                              tain_buffer *pages, tain_error *err)
{
    int64_t at = k->start, end = k->start + k->size, row = 0;
    while (at < end && row < g->rows) {
        tain_page_header h;
        size_t           header;
        int64_t          rows = 0;
        TAIN_TRY(header_at(f, at, end, &h, &header, err));
        tain_file_page p = {.offset = at, .size = (int64_t)header + h.compressed, .first_row = row};
        at += p.size;
        if (h.type != TAIN_PAGE_DATA && h.type != TAIN_PAGE_DATA_V2) continue;
        TAIN_TRY(rows_of(f, c, k, &p, &h, &rows, err));
        if (rows < 0 || rows > g->rows - row) return tain_fail(err, TAIN_E_CORRUPT, "pages hold more rows than their row group");
        if (rows) tain_buffer_append(pages, &p, sizeof p);
        row += rows;
    }
    if (row != g->rows) return tain_fail(err, TAIN_E_CORRUPT, "pages hold %lld of %lld rows", (long long)row, (long long)g->rows);
    return TAIN_OK;
}

tain_status tain_file_find_pages(tain_parquet_file *f, tain_file_group *g, const tain_file_column *c, tain_error *err)
{
    tain_file_chunk *k = &g->chunks[c->leaf];
    if (k->pages) return TAIN_OK;
    TAIN_AUTO(tain_buffer_done) tain_buffer pages = {0};
    if (k->index_size) TAIN_TRY(read_offset_index(f, g, k, &pages, err));
    else TAIN_TRY(walk_pages(f, g, c, k, &pages, err));
    k->page_count = pages.size / sizeof *k->pages;
    tain_file_page end = {.offset = k->start + k->size, .first_row = g->rows};
    tain_buffer_append(&pages, &end, sizeof end);
    k->pages = tain_arena_alloc(&f->arena, pages.size);
    memcpy(k->pages, pages.data, pages.size);
    return TAIN_OK;
}
