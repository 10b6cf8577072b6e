/* SPDX-License-Identifier: MIT */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "batch/key.h"

#include <math.h>

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

static bool is_integral(tain_kind kind)
{
    return (kind >= TAIN_INT8 && kind <= TAIN_INT64) || kind == TAIN_DATE || kind == TAIN_TIMESTAMP || kind == TAIN_TIMESTAMP_NTZ;
}

bool tain_key_exact(const tain_key *key, const tain_schema *schema)
{
    return key->count == 1 && is_integral(schema->fields[key->columns[0]].type.kind);
}

static int64_t integral_at(const tain_column *c, size_t i)
{
    switch (tain_type_width(&c->type)) {
    case 1: return ((const int8_t *)c->values.data)[i];
    case 2: return ((const int16_t *)c->values.data)[i];
    case 4: return ((const int32_t *)c->values.data)[i];
    default: return ((const int64_t *)c->values.data)[i];
    }
}

static void hash_exact(const tain_column *c, uint64_t seed, size_t first, size_t n, uint64_t *out)
{
    if (tain_type_width(&c->type) == 8) {
        const uint64_t *v = (const uint64_t *)c->values.data + first;
        for (size_t i = 0; i < n; i++) out[i] = mix(v[i] ^ seed);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = mix((uint64_t)integral_at(c, first + i) ^ seed);
    }
    for (size_t i = 0; c->null_count && i < n; i++)
        if (tain_column_is_null(c, first + i)) out[i] = mix((uint64_t)INT64_MIN ^ seed);
}

static uint64_t fold_word(uint64_t v, uint64_t h)
{
    return XXH3_64bits_withSeed(&v, sizeof v, h);
}

static uint64_t fold_double(double v, uint64_t h)
{
    uint64_t bits;
    if (isnan(v)) v = (double)NAN;
    memcpy(&bits, &v, sizeof bits);
    return fold_word(bits, h);
}

/* A value that fits 64 bits hashes the same whatever the precision of its column. */
static uint64_t fold_decimal(__int128 v, uint64_t h)
{
    return v == (int64_t)v ? fold_word((uint64_t)v, h) : XXH3_64bits_withSeed(&v, sizeof v, h);
}

static uint64_t fold_value(const tain_column *c, size_t i, uint64_t h);

static uint64_t fold_list(const tain_column *c, size_t i, uint64_t h)
{
    const int32_t *o = (const int32_t *)c->values.data;
    h = fold_word((uint64_t)(o[i + 1] - o[i]), h);
    for (int32_t k = o[i]; k < o[i + 1]; k++)
        for (size_t child = 0; child < c->type.child_count; child++) h = fold_value(&c->children[child], (size_t)k, h);
    return h;
}

static uint64_t fold_present(const tain_column *c, size_t i, uint64_t h)
{
    switch (c->type.kind) {
    case TAIN_BOOL: return fold_word(tain_bit(c->values.data, i), h);
    case TAIN_FLOAT: return fold_double(((const float *)c->values.data)[i], h);
    case TAIN_DOUBLE: return fold_double(((const double *)c->values.data)[i], h);
    case TAIN_DECIMAL: return fold_decimal(tain_column_decimal(c, i), h);
    case TAIN_STRING:
    case TAIN_BINARY: {
        tain_slice s = tain_column_slice(c, i);
        return XXH3_64bits_withSeed(s.data, s.size, h);
    }
    case TAIN_LIST:
    case TAIN_MAP: return fold_list(c, i, h);
    case TAIN_STRUCT:
        for (size_t k = 0; k < c->type.child_count; k++) h = fold_value(&c->children[k], i, h);
        return h;
    default: return fold_word((uint64_t)integral_at(c, i), h);
    }
}

static uint64_t fold_value(const tain_column *c, size_t i, uint64_t h)
{
    return tain_column_is_null(c, i) ? mix(h + 0x9e3779b97f4a7c15u) : fold_present(c, i, h);
}

#define FOLD(type, fold)                                              \
    do {                                                              \
        const type *v = (const type *)c->values.data + first;         \
        for (size_t i = 0; i < n; i++) io[i] = fold;                  \
    } while (0)

/* As fold_value does, for the kinds that most columns have, when no value is null. False: another kind. */
static bool fold_plain(const tain_column *c, size_t first, size_t n, uint64_t *io)
{
    bool integral = is_integral(c->type.kind);
    size_t width = integral ? tain_type_width(&c->type) : 0;
    if (width == 8) FOLD(int64_t, fold_word((uint64_t)v[i], io[i]));
    else if (width == 4) FOLD(int32_t, fold_word((uint64_t)(int64_t)v[i], io[i]));
    else if (c->type.kind == TAIN_DOUBLE) FOLD(double, fold_double(v[i], io[i]));
    else return false;
    return true;
}
#undef FOLD

static void fold_column(const tain_column *c, size_t first, size_t n, uint64_t *io)
{
    if (c->null_count == 0 && fold_plain(c, first, n, io)) return;
    if (c->type.kind == TAIN_STRING && c->null_count == 0) {
        for (size_t i = 0; i < n; i++) {
            tain_slice s = tain_column_slice(c, first + i);
            io[i] = XXH3_64bits_withSeed(s.data, s.size, io[i]);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) io[i] = fold_value(c, first + i, io[i]);
}

void tain_key_hash(const tain_key *key, const tain_batch *b, size_t first, size_t n, uint64_t *out)
{
    if (tain_key_exact(key, b->schema)) return hash_exact(&b->columns[key->columns[0]], key->seed, first, n, out);
    for (size_t i = 0; i < n; i++) out[i] = key->seed;
    for (size_t k = 0; k < key->count; k++) fold_column(&b->columns[key->columns[k]], first, n, out);
}

void tain_row_hash(const tain_batch *b, size_t first, size_t n, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) out[i] = 0x7461696e2d726f77u;
    for (size_t c = 0; c < b->schema->count; c++) fold_column(&b->columns[c], first, n, out);
}

bool tain_key_equal(const tain_key *key, const tain_batch *a, size_t i, const tain_batch *b, size_t j)
{
    for (size_t k = 0; k < key->count; k++) {
        size_t c = key->columns[k];
        if (!tain_column_equal_at(&a->columns[c], i, &b->columns[c], j)) return false;
    }
    return true;
}

static void quote(const tain_column *c, size_t row, tain_buffer *out)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_column_text(c, row, &text);
    tain_buffer_append_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') tain_buffer_append_u8(out, '\'');
        tain_buffer_append_u8(out, text.data[i]);
    }
    tain_buffer_append_u8(out, '\'');
}

static void value_text(const tain_column *c, size_t row, tain_buffer *out)
{
    tain_kind kind = c->type.kind;
    if (tain_column_is_null(c, row)) tain_buffer_append_str(out, "NULL");
    else if (kind > TAIN_DECIMAL) quote(c, row, out);
    else tain_column_text(c, row, out);
}

void tain_key_text(const tain_key *key, const tain_batch *b, size_t row, tain_buffer *out)
{
    tain_buffer_append_u8(out, '(');
    for (size_t k = 0; k < key->count; k++) {
        if (k) tain_buffer_append_str(out, ", ");
        value_text(&b->columns[key->columns[k]], row, out);
    }
    tain_buffer_append_u8(out, ')');
}
