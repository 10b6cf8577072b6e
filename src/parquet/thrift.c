/* SPDX-License-Identifier: MIT */
#include "parquet/thrift.h"

enum { DEEPEST = 32 };

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void put_varint(tain_buffer *out, uint64_t v)
{
    uint8_t *p = tain_buffer_reserve(out, 10), *start = p;
    for (; v >= 0x80; v >>= 7) *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    out->size += (size_t)(p - start);
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void put_header(tain_thrift_out *t, int id, tain_thrift_type type)
{
    int delta = id - t->last;
    t->last = id;
    if (delta > 0 && delta <= 15) {
        tain_buffer_append_u8(t->out, (uint8_t)(delta << 4 | type));
    } else {
        tain_buffer_append_u8(t->out, (uint8_t)type);
        put_varint(t->out, zigzag(id));
    }
}

void tain_thrift_put_raw(tain_thrift_out *t, int id, int type, const void *data, size_t n)
{
    put_header(t, id, (tain_thrift_type)type);
    tain_buffer_append(t->out, data, n);
}

void tain_thrift_put_bool(tain_thrift_out *t, int id, bool v)
{
    put_header(t, id, v ? TAIN_THRIFT_TRUE : TAIN_THRIFT_FALSE);
}

void tain_thrift_put_i8(tain_thrift_out *t, int id, int8_t v)
{
    put_header(t, id, TAIN_THRIFT_I8);
    tain_buffer_append_u8(t->out, (uint8_t)v);
}

void tain_thrift_put_i32(tain_thrift_out *t, int id, int32_t v)
{
    put_header(t, id, TAIN_THRIFT_I32);
    put_varint(t->out, zigzag(v));
}

void tain_thrift_put_i64(tain_thrift_out *t, int id, int64_t v)
{
    put_header(t, id, TAIN_THRIFT_I64);
    put_varint(t->out, zigzag(v));
}

void tain_thrift_put_binary(tain_thrift_out *t, int id, const void *data, size_t n)
{
    put_header(t, id, TAIN_THRIFT_BINARY);
    tain_thrift_put_raw_binary(t, data, n);
}

void tain_thrift_put_str(tain_thrift_out *t, int id, const char *s)
{
    tain_thrift_put_binary(t, id, s, strlen(s));
}

int tain_thrift_begin(tain_thrift_out *t, int id)
{
    put_header(t, id, TAIN_THRIFT_STRUCT);
    return tain_thrift_element(t);
}

int tain_thrift_element(tain_thrift_out *t)
{
    int outer = t->last;
    t->last = 0;
    return outer;
}

void tain_thrift_end(tain_thrift_out *t, int outer)
{
    tain_buffer_append_u8(t->out, 0);
    t->last = outer;
}

void tain_thrift_put_list(tain_thrift_out *t, int id, tain_thrift_type element, size_t n)
{
    put_header(t, id, TAIN_THRIFT_LIST);
    tain_buffer_append_u8(t->out, (uint8_t)((n < 15 ? n : 15) << 4 | element));
    if (n >= 15) put_varint(t->out, n);
}

void tain_thrift_put_raw_int(tain_thrift_out *t, int64_t v)
{
    put_varint(t->out, zigzag(v));
}

void tain_thrift_put_raw_binary(tain_thrift_out *t, const void *data, size_t n)
{
    put_varint(t->out, n);
    tain_buffer_append(t->out, data, n);
}

void tain_thrift_put_raw_bool(tain_thrift_out *t, bool v)
{
    tain_buffer_append_u8(t->out, v ? TAIN_THRIFT_TRUE : TAIN_THRIFT_FALSE);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static void fail(tain_thrift_in *t)
{
    t->bad = true;
    t->at = t->end;
}

static uint8_t take_byte(tain_thrift_in *t)
{
    if (t->at < t->end) return *t->at++;
    fail(t);
    return 0;
}

static uint64_t take_varint(tain_thrift_in *t)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = take_byte(t);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return t->bad ? 0 : v;
    }
    fail(t);
    return 0;
}

static int64_t take_zigzag(tain_thrift_in *t)
{
    uint64_t v = take_varint(t);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool tain_thrift_enter(tain_thrift_in *t)
{
    if (++t->depth > DEEPEST) fail(t);
    return !t->bad;
}

void tain_thrift_leave(tain_thrift_in *t)
{
    t->depth--;
}

bool tain_thrift_next(tain_thrift_in *t, tain_thrift_field *io)
{
    uint8_t header = take_byte(t);
    if (t->bad || header == 0) return false;
    io->type = header & 15;
    if (header >> 4) {
        io->id += header >> 4;
    } else {
        int64_t id = take_zigzag(t);
        if (id < INT16_MIN || id > INT16_MAX) fail(t);
        io->id = (int)id;
    }
    if (io->id > INT16_MAX) fail(t);
    return !t->bad;
}

static void skip_bytes(tain_thrift_in *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->at)) fail(t);
    else t->at += n;
}

static size_t take_list_header(tain_thrift_in *t, int *ret_type)
{
    uint8_t  header = take_byte(t);
    uint64_t n = header >> 4 == 15 ? take_varint(t) : header >> 4;
    *ret_type = header & 15;
    if (n > (uint64_t)(t->end - t->at)) fail(t);
    return t->bad ? 0 : (size_t)n;
}

static void skip_struct(tain_thrift_in *t)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) tain_thrift_skip(t, f.type);
    tain_thrift_leave(t);
}

/* Booleans have a byte of their own inside a list, none as a field. */
static void skip_element(tain_thrift_in *t, int type)
{
    if (type == TAIN_THRIFT_TRUE || type == TAIN_THRIFT_FALSE) take_byte(t);
    else tain_thrift_skip(t, type);
}

static void skip_list(tain_thrift_in *t)
{
    int    type;
    size_t n = take_list_header(t, &type);
    if (++t->depth > DEEPEST) fail(t);
    while (n-- && !t->bad) skip_element(t, type);
    t->depth--;
}

static void skip_map(tain_thrift_in *t)
{
    uint64_t n = take_varint(t);
    if (n == 0) return;
    uint8_t types = take_byte(t);
    if (++t->depth > DEEPEST) fail(t);
    while (n-- && !t->bad) {
        skip_element(t, types >> 4);
        skip_element(t, types & 15);
    }
    t->depth--;
}

void tain_thrift_skip(tain_thrift_in *t, int type)
{
    switch (type) {
    case TAIN_THRIFT_TRUE:
    case TAIN_THRIFT_FALSE: break;
    case TAIN_THRIFT_I8: take_byte(t); break;
    case TAIN_THRIFT_I16:
    case TAIN_THRIFT_I32:
    case TAIN_THRIFT_I64: take_varint(t); break;
    case TAIN_THRIFT_DOUBLE: skip_bytes(t, 8); break;
    case TAIN_THRIFT_BINARY: skip_bytes(t, take_varint(t)); break;
    case TAIN_THRIFT_LIST:
    case TAIN_THRIFT_SET: skip_list(t); break;
    case TAIN_THRIFT_MAP: skip_map(t); break;
    case TAIN_THRIFT_STRUCT: skip_struct(t); break;
    default: fail(t);
    }
}

bool tain_thrift_is(tain_thrift_in *t, const tain_thrift_field *f, int type)
{
    if (f->type != type) fail(t);
    return !t->bad;
}

bool tain_thrift_bool(tain_thrift_in *t, const tain_thrift_field *f)
{
    if (f->type != TAIN_THRIFT_TRUE && f->type != TAIN_THRIFT_FALSE) fail(t);
    return f->type == TAIN_THRIFT_TRUE;
}

int64_t tain_thrift_raw_int(tain_thrift_in *t, int type)
{
    if (type == TAIN_THRIFT_I8) return (int8_t)take_byte(t);
    if (type >= TAIN_THRIFT_I16 && type <= TAIN_THRIFT_I64) return take_zigzag(t);
    fail(t);
    return 0;
}

int64_t tain_thrift_int(tain_thrift_in *t, const tain_thrift_field *f)
{
    return tain_thrift_raw_int(t, f->type);
}

tain_slice tain_thrift_raw_binary(tain_thrift_in *t)
{
    uint64_t       n = take_varint(t);
    const uint8_t *p = t->at;
    skip_bytes(t, n);
    return t->bad ? (tain_slice){0} : (tain_slice){p, (size_t)n};
}

tain_slice tain_thrift_binary(tain_thrift_in *t, const tain_thrift_field *f)
{
    return tain_thrift_is(t, f, TAIN_THRIFT_BINARY) ? tain_thrift_raw_binary(t) : (tain_slice){0};
}

size_t tain_thrift_list(tain_thrift_in *t, const tain_thrift_field *f, int *ret_type)
{
    *ret_type = 0;
    return tain_thrift_is(t, f, TAIN_THRIFT_LIST) ? take_list_header(t, ret_type) : 0;
}
