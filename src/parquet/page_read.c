/* SPDX-License-Identifier: MIT */
/* From the bytes of a page to values at the end of a column. */
#include <zlib.h>

#include "batch/bits.h"
#include "parquet/file.h"
#include "parquet/hybrid.h"

enum { MOST_VALUES = 1 << 26, BODY_KEPT = 8 << 20 };

typedef struct parts {
    tain_page_header header;
    tain_slice       repetition, definition, values;
} parts;

/* --- unpacking ----------------------------------------------------------------------------------------------------- */

static tain_status check_crc(const tain_page_header *h, const uint8_t *data, tain_error *err)
{
    if (!h->has_crc || (uint32_t)crc32_z(0, data, (size_t)h->compressed) == h->crc) return TAIN_OK;
    return tain_fail(err, TAIN_E_CORRUPT, "the checksum of a page does not match");
}

/* f->body = `plain` bytes as they are, then the others decompressed, then slack. */
static tain_status unpack(tain_parquet_file *f, int codec, const uint8_t *data, size_t n, size_t plain, size_t size,
                          tain_error *err)
{
    if (plain > n || plain > size) return tain_fail(err, TAIN_E_CORRUPT, "the levels of a page are longer than the page");
    if (codec != TAIN_CODEC_NONE && codec != TAIN_CODEC_SNAPPY && codec != TAIN_CODEC_ZSTD)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "compression %d", codec);
    f->codec.codec = (tain_codec)codec;
    tain_buffer_clear(&f->body);
    TAIN_TRY(tain_codec_check(&f->codec, data + plain, n - plain, size - plain, err));
    uint8_t *out = tain_buffer_reserve(&f->body, size + TAIN_HYBRID_SLACK);
    if (plain) memcpy(out, data, plain);
    TAIN_TRY(tain_codec_decompress(&f->codec, data + plain, n - plain, out + plain, size - plain, err));
    memset(out + size, 0, TAIN_HYBRID_SLACK);
    f->body.size = size;
    tain_file_relax_window(f);
    return TAIN_OK;
}

static tain_status begin(tain_parquet_file *f, const tain_file_chunk *k, tain_slice bytes, tain_page_header *h, tain_error *err)
{
    size_t at = 0;
    TAIN_TRY(tain_file_page_header(bytes, h, &at, err));
    if (h->compressed > (int64_t)(bytes.size - at)) return tain_fail(err, TAIN_E_CORRUPT, "a page is longer than its place");
    if (h->values > MOST_VALUES) return tain_fail(err, TAIN_E_UNSUPPORTED, "a page of %lld values", (long long)h->values);
    if (h->repetition_bytes > INT32_MAX || h->definition_bytes > INT32_MAX)
        return tain_fail(err, TAIN_E_CORRUPT, "a page has impossible levels");
    TAIN_TRY(check_crc(h, bytes.data + at, err));
    return unpack(f, h->v2 && !h->packed ? TAIN_CODEC_NONE : k->codec, bytes.data + at, (size_t)h->compressed,
                  (size_t)(h->repetition_bytes + h->definition_bytes), (size_t)h->uncompressed, err);
}

static tain_status cut(tain_slice *io, size_t n, tain_slice *ret, tain_error *err)
{
    if (n > io->size) return tain_fail(err, TAIN_E_CORRUPT, "the levels of a page are longer than the page");
    *ret = (tain_slice){io->data, n};
    io->data += n;
    io->size -= n;
    return TAIN_OK;
}

static tain_status cut_prefixed(tain_slice *io, tain_slice *ret, tain_error *err)
{
    tain_slice prefix = {0};
    uint32_t   n;
    TAIN_TRY(cut(io, 4, &prefix, err));
    memcpy(&n, prefix.data, 4);
    return cut(io, n, ret, err);
}

static tain_status take_apart(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                              parts *p, tain_error *err)
{
    *p = (parts){0};
    TAIN_TRY(begin(f, k, bytes, &p->header, err));
    p->values = tain_buffer_slice(&f->body);
    if (p->header.type == TAIN_PAGE_DATA_V2 && p->header.v2) {
        TAIN_TRY(cut(&p->values, (size_t)p->header.repetition_bytes, &p->repetition, err));
        return cut(&p->values, (size_t)p->header.definition_bytes, &p->definition, err);
    }
    if (p->header.type != TAIN_PAGE_DATA || p->header.v2)
        return tain_fail(err, TAIN_E_CORRUPT, "a page of type %d where data is due", p->header.type);
    if (p->header.encoding == TAIN_ENCODING_BIT_PACKED && (c->optional || c->list))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "levels in the encoding BIT_PACKED");
    if (c->list) TAIN_TRY(cut_prefixed(&p->values, &p->repetition, err));
    if (c->list || c->optional) TAIN_TRY(cut_prefixed(&p->values, &p->definition, err));
    return TAIN_OK;
}

/* --- values, none null --------------------------------------------------------------------------------------------- */

static tain_status check_indices(const uint32_t *index, size_t n, const tain_column *dictionary, const tain_column *out,
                                 tain_error *err)
{
    uint32_t largest = 0;
    size_t   total = out->bytes.size;
    for (size_t i = 0; i < n; i++) largest = index[i] > largest ? index[i] : largest;
    if (largest >= dictionary->length)
        return tain_fail(err, TAIN_E_CORRUPT, "index %u in a dictionary of %zu", largest, dictionary->length);
    if (out->type.kind != TAIN_STRING && out->type.kind != TAIN_BINARY) return TAIN_OK;
    for (size_t i = 0; i < n; i++) total += tain_column_slice(dictionary, index[i]).size;
    if (total > INT32_MAX) return tain_fail(err, TAIN_E_UNSUPPORTED, "more than 2 GiB of text in one read");
    return TAIN_OK;
}

static tain_status put_indexed(tain_parquet_file *f, tain_slice data, size_t n, const tain_column *dictionary, tain_column *out,
                               tain_error *err)
{
    if (!dictionary) return tain_fail(err, TAIN_E_CORRUPT, "a page refers to a dictionary that is not there");
    tain_buffer_clear(&f->indices);
    uint32_t *index = (uint32_t *)tain_buffer_reserve(&f->indices, n * sizeof *index);
    if (data.size < 1 || !tain_hybrid_decode(data.data + 1, data.data + data.size, data.data[0], index, n))
        return tain_fail(err, TAIN_E_CORRUPT, "the indices of a page are broken");
    TAIN_TRY(check_indices(index, n, dictionary, out, err));
    tain_column_take(out, dictionary, index, 0, n);
    return TAIN_OK;
}

static tain_status put_rle_booleans(tain_parquet_file *f, tain_slice data, size_t n, tain_column *out, tain_error *err)
{
    tain_slice  runs = {0};
    tain_buffer bits = {0};
    size_t      ones;
    TAIN_TRY(cut_prefixed(&data, &runs, err));
    bool ok = tain_hybrid_decode_bits(runs.data, runs.data + runs.size, &bits, n, &ones);
    if (ok) tain_bits_take(&out->values, out->length, bits.data, NULL, 0, n);
    tain_buffer_done(&bits);
    if (!ok) return tain_fail(err, TAIN_E_CORRUPT, "the booleans of a page are broken");
    out->length += n;
    return TAIN_OK;
}

static tain_status put_dense(tain_parquet_file *f, const tain_file_column *c, const parts *p, size_t n,
                             const tain_column *dictionary, tain_column *out, tain_error *err)
{
    tain_slice data = p->values;
    if (n == 0) return TAIN_OK;
    switch (p->header.encoding) {
    case TAIN_ENCODING_PLAIN: return tain_file_plain(c, &data, n, out, err);
    case TAIN_ENCODING_PLAIN_DICTIONARY:
    case TAIN_ENCODING_RLE_DICTIONARY: return put_indexed(f, data, n, dictionary, out, err);
    case TAIN_ENCODING_RLE:
        if (c->physical == TAIN_PHYSICAL_BOOLEAN) return put_rle_booleans(f, data, n, out, err);
        [[fallthrough]];
    default: return tain_fail(err, TAIN_E_UNSUPPORTED, "encoding %d", p->header.encoding);
    }
}

/* --- nulls --------------------------------------------------------------------------------------------------------- */

/* The `have` values at base are moved apart, from the back, so that slot i holds a value where bit i is set. */
#define SPREAD(type)                                                     \
    do {                                                                 \
        type *v = (type *)out->values.data + base;                       \
        for (size_t i = n, k = have; i--;) v[i] = tain_bit(bits, i) ? v[--k] : 0; \
    } while (0)

static void spread_bits(tain_column *out, size_t base, size_t have, size_t n, const uint8_t *bits)
{
    size_t need = (base + n + 7) / 8;
    if (need > out->values.size) tain_buffer_append_zero(&out->values, need - out->values.size);
    uint8_t *v = out->values.data;
    for (size_t i = n, k = have; i--;) {
        bool    one = tain_bit(bits, i) && tain_bit(v, base + --k);
        uint8_t mask = (uint8_t)(1u << ((base + i) & 7));
        v[(base + i) >> 3] = (uint8_t)(one ? v[(base + i) >> 3] | mask : v[(base + i) >> 3] & ~mask);
    }
}

static void spread_offsets(tain_column *out, size_t base, size_t have, size_t n, const uint8_t *bits)
{
    tain_column_begin_offsets_(out);
    tain_buffer_append_zero(&out->values, (n - have) * 4);
    int32_t *end = (int32_t *)out->values.data + base + 1;
    for (size_t i = n, k = have; i--;) {
        end[i] = end[(ptrdiff_t)k - 1];
        if (tain_bit(bits, i)) k--;
    }
}

static void spread(tain_column *out, size_t base, size_t have, size_t n, const uint8_t *bits)
{
    size_t width = tain_type_width(&out->type);
    if (out->type.kind == TAIN_BOOL) return spread_bits(out, base, have, n, bits);
    if (out->type.kind == TAIN_STRING || out->type.kind == TAIN_BINARY) return spread_offsets(out, base, have, n, bits);
    tain_buffer_append_zero(&out->values, (n - have) * width);
    if (width == 1) SPREAD(uint8_t);
    else if (width == 2) SPREAD(uint16_t);
    else if (width == 4) SPREAD(uint32_t);
    else if (width == 8) SPREAD(uint64_t);
    else SPREAD(unsigned __int128);
}

static void set_validity(tain_column *out, size_t base, size_t have, size_t n, const uint8_t *bits)
{
    if (have == n) {
        if (out->null_count) tain_bits_fill(&out->validity, base, true, n);
        return;
    }
    out->length = base;
    if (out->null_count == 0) tain_column_validity_begin(out);
    tain_bits_take(&out->validity, base, bits, NULL, 0, n);
    out->null_count += n - have;
    out->length = base + n;
}

/* n slots, of which `have` hold values, where bits say (NULL: all). */
static tain_status put_slots(tain_parquet_file *f, const tain_file_column *c, const parts *p, size_t have, size_t n,
                             const uint8_t *bits, const tain_column *dictionary, tain_column *out, tain_error *err)
{
    size_t base = out->length, nulls = out->null_count;
    out->null_count = 0; /* validity is for set_validity */
    tain_status st = put_dense(f, c, p, have, dictionary, out, err);
    out->null_count = nulls;
    if (st != TAIN_OK) {
        out->length = base;
        return st;
    }
    if (have < n) spread(out, base, have, n, bits);
    set_validity(out, base, have, n, bits);
    return TAIN_OK;
}

static tain_status read_flat(tain_parquet_file *f, const tain_file_column *c, const parts *p, int64_t rows,
                             const tain_column *dictionary, tain_column *out, tain_error *err)
{
    size_t n = (size_t)p->header.values, have = n;
    if (p->header.values != rows) return tain_fail(err, TAIN_E_CORRUPT, "a page of %zu values for %lld rows", n, (long long)rows);
    if (c->optional && !tain_hybrid_decode_bits(p->definition.data, p->definition.data + p->definition.size, &f->bits, n, &have))
        return tain_fail(err, TAIN_E_CORRUPT, "the definition levels of a page are broken");
    return put_slots(f, c, p, have, n, f->bits.data, dictionary, out, err);
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

typedef struct levels {
    const uint32_t *repetition, *definition;
    size_t          n;
    uint32_t        empty;   /* definition level of a list without elements; below: no list */
    uint32_t        full;    /* of an element that is there */
} levels;

static tain_status decode_levels(tain_parquet_file *f, const tain_file_column *c, const parts *p, levels *l, tain_error *err)
{
    size_t n = (size_t)p->header.values;
    l->n = n;
    l->empty = c->optional;
    l->full = l->empty + 1 + c->element_optional;
    unsigned width = tain_hybrid_width(l->full);
    tain_buffer_clear(&f->levels);
    uint32_t *out = (uint32_t *)tain_buffer_reserve(&f->levels, (2 * n + 1) * sizeof *out);
    l->repetition = out;
    l->definition = out + n;
    if (!tain_hybrid_decode(p->repetition.data, p->repetition.data + p->repetition.size, 1, out, n) ||
        !tain_hybrid_decode(p->definition.data, p->definition.data + p->definition.size, width, out + n, n) || (n && out[0] != 0))
        return tain_fail(err, TAIN_E_CORRUPT, "the levels of a page are broken, or its first row begins before it");
    for (size_t i = 0; i < n; i++)
        if (l->definition[i] > l->full || (l->repetition[i] && l->definition[i] <= l->empty))
            return tain_fail(err, TAIN_E_CORRUPT, "a level of a page is out of range");
    return TAIN_OK;
}

/* f->bits = validity of the elements; returns their number. */
static size_t mark_elements(tain_parquet_file *f, const levels *l, size_t *ret_have)
{
    size_t slots = 0;
    *ret_have = 0;
    tain_buffer_clear(&f->bits);
    for (size_t i = 0; i < l->n; i++) {
        if (l->definition[i] <= l->empty) continue;
        bool there = l->definition[i] == l->full;
        tain_bit_append(&f->bits, slots++, there);
        *ret_have += there;
    }
    return slots;
}

static void end_row(tain_column *out, size_t elements, bool null)
{
    int32_t end = (int32_t)elements;
    tain_buffer_append(&out->values, &end, sizeof end);
    if (!null) {
        tain_column_end_value_(out);
        return;
    }
    if (out->null_count == 0) tain_column_validity_begin(out);
    tain_bit_append(&out->validity, out->length, false);
    out->null_count++;
    out->length++;
}

static void put_rows(const levels *l, size_t elements, tain_column *out)
{
    tain_column_begin_offsets_(out);
    for (size_t i = 0; i < l->n; i++) {
        elements += l->definition[i] > l->empty;
        if (i + 1 == l->n || l->repetition[i + 1] == 0) end_row(out, elements, l->definition[i] < l->empty);
    }
}

static int64_t count_rows(const levels *l)
{
    int64_t rows = 0;
    for (size_t i = 0; i < l->n; i++) rows += l->repetition[i] == 0;
    return rows;
}

static tain_status read_list(tain_parquet_file *f, const tain_file_column *c, const parts *p, int64_t rows,
                             const tain_column *dictionary, tain_column *out, tain_error *err)
{
    levels l;
    TAIN_TRY(decode_levels(f, c, p, &l, err));
    if (count_rows(&l) != rows)
        return tain_fail(err, TAIN_E_CORRUPT, "a page holds %lld of %lld rows", (long long)count_rows(&l), (long long)rows);
    tain_column *child = &out->children[0];
    size_t       have, before = child->length, slots = mark_elements(f, &l, &have);
    if (before + slots > INT32_MAX) return tain_fail(err, TAIN_E_UNSUPPORTED, "more than 2^31 list elements in one read");
    TAIN_TRY(put_slots(f, c, p, have, slots, f->bits.data, dictionary, child, err));
    put_rows(&l, before, out);
    return TAIN_OK;
}

/* --- the page ------------------------------------------------------------------------------------------------------ */

tain_status tain_file_read_page(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                int64_t rows, const tain_column *dictionary, tain_column *out, tain_error *err)
{
    parts p;
    TAIN_TRY(take_apart(f, c, k, bytes, &p, err));
    tain_status st = c->list ? read_list(f, c, &p, rows, dictionary, out, err) : read_flat(f, c, &p, rows, dictionary, out, err);
    tain_buffer_relax(&f->body, BODY_KEPT);
    return st;
}

tain_status tain_file_count_rows(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                 int64_t *ret, tain_error *err)
{
    parts  p;
    levels l;
    TAIN_TRY(take_apart(f, c, k, bytes, &p, err));
    TAIN_TRY(decode_levels(f, c, &p, &l, err));
    *ret = count_rows(&l);
    return TAIN_OK;
}

tain_status tain_file_read_dictionary(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                      tain_column *out, tain_error *err)
{
    tain_page_header h;
    TAIN_TRY(begin(f, k, bytes, &h, err));
    if (h.type != TAIN_PAGE_DICTIONARY || (h.encoding != TAIN_ENCODING_PLAIN && h.encoding != TAIN_ENCODING_PLAIN_DICTIONARY))
        return tain_fail(err, TAIN_E_CORRUPT, "a page of type %d where the dictionary is due", h.type);
    tain_slice data = tain_buffer_slice(&f->body);
    return tain_file_plain(c, &data, (size_t)h.values, out, err);
}
