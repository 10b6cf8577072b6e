/* SPDX-License-Identifier: MIT */
/* PLAIN values, from the file's physical type to the type wanted. */
#include "parquet/file.h"

static bool is_integer(tain_kind k)
{
    return k >= TAIN_INT8 && k <= TAIN_INT64;
}

static bool is_timestamp(tain_kind k)
{
    return k == TAIN_TIMESTAMP || k == TAIN_TIMESTAMP_NTZ;
}

static bool is_text(tain_kind k)
{
    return k == TAIN_STRING || k == TAIN_BINARY;
}

static bool can_convert(const tain_type *from, const tain_type *to)
{
    if (from->kind == TAIN_DECIMAL && to->kind == TAIN_DECIMAL) return from->scale == to->scale;
    if (from->kind == TAIN_LIST && to->kind == TAIN_LIST) return can_convert(&from->children[0].type, &to->children[0].type);
    if (from->kind == to->kind) return from->kind < TAIN_LIST;
    if (from->kind == TAIN_FLOAT && to->kind == TAIN_DOUBLE) return true;
    return (is_integer(from->kind) && is_integer(to->kind)) || (is_timestamp(from->kind) && is_timestamp(to->kind)) ||
           (is_text(from->kind) && is_text(to->kind));
}

bool tain_file_can_read(const tain_file_column *c, const tain_type *want)
{
    return can_convert(&c->type, want);
}

static tain_status too_short(tain_error *err)
{
    return tain_fail(err, TAIN_E_CORRUPT, "a page ends before its values");
}

/* n values of type `from` at data to the end of out as type `to`; lossy becomes true when one does not fit. */
#define CONVERT(from_type, to_type)                                               \
    do {                                                                          \
        to_type *to = (to_type *)tain_buffer_reserve(&out->values, n * sizeof *to); \
        for (size_t i = 0; i < n; i++) {                                          \
            from_type v;                                                          \
            memcpy(&v, data + i * sizeof v, sizeof v);                            \
            to[i] = (to_type)v;                                                   \
            lossy |= (from_type)to[i] != v;                                       \
        }                                                                         \
        out->values.size += n * sizeof *to;                                       \
    } while (0)

static bool put_integers(const uint8_t *data, size_t from_width, size_t n, tain_column *out)
{
    size_t width = tain_type_width(&out->type);
    bool   lossy = false;
    if (from_width == width) tain_buffer_append(&out->values, data, n * width);
    else if (from_width == 4 && width == 1) CONVERT(int32_t, int8_t);
    else if (from_width == 4 && width == 2) CONVERT(int32_t, int16_t);
    else if (from_width == 4 && width == 8) CONVERT(int32_t, int64_t);
    else if (from_width == 4 && width == 16) CONVERT(int32_t, __int128);
    else if (from_width == 8 && width == 1) CONVERT(int64_t, int8_t);
    else if (from_width == 8 && width == 2) CONVERT(int64_t, int16_t);
    else if (from_width == 8 && width == 4) CONVERT(int64_t, int32_t);
    else CONVERT(int64_t, __int128);
    return !lossy;
}

static tain_status plain_integers(const tain_file_column *c, tain_slice *io, size_t n, tain_column *out, tain_error *err)
{
    size_t width = c->physical == TAIN_PHYSICAL_INT32 ? 4 : 8;
    if (io->size / width < n) return too_short(err);
    if (!put_integers(io->data, width, n, out)) return tain_fail(err, TAIN_E_CORRUPT, "a value does not fit the column's type");
    io->data += n * width;
    io->size -= n * width;
    out->length += n;
    if (c->factor == 1) return TAIN_OK;
    int64_t *v = (int64_t *)out->values.data + out->length - n;
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(v[i], c->factor, &v[i])) return tain_fail(err, TAIN_E_CORRUPT, "a timestamp is out of range");
    return TAIN_OK;
}

static tain_status plain_reals(const tain_file_column *c, tain_slice *io, size_t n, tain_column *out, tain_error *err)
{
    size_t         width = c->physical == TAIN_PHYSICAL_FLOAT ? 4 : 8;
    bool           lossy = false;
    const uint8_t *data = io->data;
    if (io->size / width < n) return too_short(err);
    if (width == tain_type_width(&out->type)) tain_buffer_append(&out->values, data, n * width);
    else CONVERT(float, double);
    (void)lossy; /* NaN differs from itself */
    io->data += n * width;
    io->size -= n * width;
    out->length += n;
    return TAIN_OK;
}

static tain_status plain_booleans(tain_slice *io, size_t n, tain_column *out, tain_error *err)
{
    size_t bytes = (n + 7) / 8;
    if (io->size < bytes) return too_short(err);
    for (size_t i = 0; i < n; i++) tain_bit_append(&out->values, out->length + i, tain_bit(io->data, i));
    io->data += bytes;
    io->size -= bytes;
    out->length += n;
    return TAIN_OK;
}

/* Two's complement, big-endian, 1 to 16 bytes. */
static __int128 big_endian(const uint8_t *p, size_t n)
{
    __int128 v = p[0] & 0x80 ? -1 : 0;
    for (size_t i = 0; i < n; i++) v = (__int128)((unsigned __int128)v << 8 | p[i]);
    return v;
}

static bool put_decimal(tain_slice s, tain_column *out)
{
    while (s.size > 16 && (s.data[0] == 0 || s.data[0] == 0xFF) && (s.data[0] & 0x80) == (s.data[1] & 0x80)) s.data++, s.size--;
    if (s.size < 1 || s.size > 16) return false;
    __int128 v = big_endian(s.data, s.size);
    int64_t  narrow = (int64_t)v;
    if (out->type.precision > 18) tain_buffer_append(&out->values, &v, sizeof v);
    else if (narrow != v) return false;
    else tain_buffer_append(&out->values, &narrow, sizeof narrow);
    return true;
}

/* The next value of BYTES or FIXED. */
static bool next_bytes(const tain_file_column *c, tain_slice *io, tain_slice *ret)
{
    uint32_t n = (uint32_t)c->fixed;
    if (c->physical == TAIN_PHYSICAL_BYTES) {
        if (io->size < 4) return false;
        memcpy(&n, io->data, 4);
        io->data += 4;
        io->size -= 4;
    }
    if (io->size < n) return false;
    *ret = (tain_slice){io->data, n};
    io->data += n;
    io->size -= n;
    return true;
}

static tain_status plain_decimals(const tain_file_column *c, tain_slice *io, size_t n, tain_column *out, tain_error *err)
{
    for (size_t i = 0; i < n; i++) {
        tain_slice s;
        if (!next_bytes(c, io, &s)) return too_short(err);
        if (!put_decimal(s, out)) return tain_fail(err, TAIN_E_CORRUPT, "a decimal does not fit the column's type");
        out->length++;
    }
    return TAIN_OK;
}

static tain_status plain_bytes(const tain_file_column *c, tain_slice *io, size_t n, tain_column *out, tain_error *err)
{
    size_t least = c->physical == TAIN_PHYSICAL_BYTES ? 4 : (size_t)c->fixed;
    if (io->size / least < n) return too_short(err);
    if (out->bytes.size + io->size > INT32_MAX) return tain_fail(err, TAIN_E_UNSUPPORTED, "more than 2 GiB of text in one read");
    tain_column_begin_offsets_(out);
    int32_t *offset = (int32_t *)tain_buffer_reserve(&out->values, n * 4);
    uint8_t *to = tain_buffer_reserve(&out->bytes, io->size), *start = out->bytes.data;
    for (size_t i = 0; i < n; i++) {
        tain_slice s;
        if (!next_bytes(c, io, &s)) return too_short(err);
        if (s.size) memcpy(to, s.data, s.size);
        to += s.size;
        offset[i] = (int32_t)(to - start);
    }
    out->bytes.size = (size_t)(to - start);
    out->values.size += n * 4;
    out->length += n;
    return TAIN_OK;
}

tain_status tain_file_plain(const tain_file_column *c, tain_slice *io_data, size_t n, tain_column *out, tain_error *err)
{
    if (n == 0) return TAIN_OK;
    switch (c->physical) {
    case TAIN_PHYSICAL_BOOLEAN: return plain_booleans(io_data, n, out, err);
    case TAIN_PHYSICAL_INT32:
    case TAIN_PHYSICAL_INT64: return plain_integers(c, io_data, n, out, err);
    case TAIN_PHYSICAL_FLOAT:
    case TAIN_PHYSICAL_DOUBLE: return plain_reals(c, io_data, n, out, err);
    case TAIN_PHYSICAL_BYTES:
    case TAIN_PHYSICAL_FIXED:
        return out->type.kind == TAIN_DECIMAL ? plain_decimals(c, io_data, n, out, err) : plain_bytes(c, io_data, n, out, err);
    default: return tain_fail(err, TAIN_E_UNSUPPORTED, "INT96 values");
    }
}
