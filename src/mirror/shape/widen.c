/* SPDX-License-Identifier: MIT */
#include "mirror/shape/widen.h"

static bool is_integer(tain_kind k)
{
    return k >= TAIN_INT8 && k <= TAIN_INT64;
}

/* Decimal digits that hold every value, and bits of it. */
static unsigned digits_of(tain_kind k)
{
    static const unsigned digits[] = {[TAIN_INT8] = 3, [TAIN_INT16] = 5, [TAIN_INT32] = 10, [TAIN_INT64] = 19};
    return digits[k];
}

bool tain_widen_can(const tain_type *from, const tain_type *to)
{
    tain_kind a = from->kind, b = to->kind;
    if (is_integer(a) && is_integer(b)) return a < b;
    if (is_integer(a) && b == TAIN_DECIMAL) return (unsigned)(to->precision - to->scale) >= digits_of(a);
    if (is_integer(a) && b == TAIN_DOUBLE) return a < TAIN_INT64;
    if (a == TAIN_FLOAT) return b == TAIN_DOUBLE;
    if (a == TAIN_DECIMAL && b == TAIN_DECIMAL) return to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale;
    if (a == TAIN_DECIMAL || is_integer(a)) return b == TAIN_STRING;
    return false;
}

static int64_t integer_at(const tain_column *c, size_t i)
{
    switch (c->type.kind) {
    case TAIN_INT8: return ((const int8_t *)c->values.data)[i];
    case TAIN_INT16: return ((const int16_t *)c->values.data)[i];
    case TAIN_INT32: return ((const int32_t *)c->values.data)[i];
    default: return ((const int64_t *)c->values.data)[i];
    }
}

static double real_at(const tain_column *c, size_t i)
{
    return c->type.kind == TAIN_FLOAT ? (double)((const float *)c->values.data)[i] : (double)integer_at(c, i);
}

static void append_decimal(const tain_column *in, size_t i, tain_column *out)
{
    bool     decimal = in->type.kind == TAIN_DECIMAL;
    __int128 v = decimal ? tain_column_decimal(in, i) : integer_at(in, i);
    for (unsigned s = decimal ? in->type.scale : 0; s < out->type.scale; s++) v *= 10;
    if (out->type.precision <= 18) tain_column_append_i64(out, (int64_t)v);
    else tain_column_append_i128(out, v);
}

static void append_text(const tain_column *in, size_t i, tain_buffer *scratch, tain_column *out)
{
    tain_buffer_clear(scratch);
    tain_column_text(in, i, scratch);
    tain_column_append_bytes(out, scratch->data, scratch->size);
}

static void append(const tain_column *in, size_t i, tain_buffer *scratch, tain_column *out)
{
    switch (out->type.kind) {
    case TAIN_INT16: tain_column_append_i16(out, (int16_t)integer_at(in, i)); break;
    case TAIN_INT32: tain_column_append_i32(out, (int32_t)integer_at(in, i)); break;
    case TAIN_INT64: tain_column_append_i64(out, integer_at(in, i)); break;
    case TAIN_DOUBLE: tain_column_append_double(out, real_at(in, i)); break;
    case TAIN_DECIMAL: append_decimal(in, i, out); break;
    default: append_text(in, i, scratch, out);
    }
}

tain_status tain_widen(const tain_column *in, tain_column *out, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer scratch = {0};
    bool unsure = in->null_count && in->type.kind == TAIN_DECIMAL && out->type.kind == TAIN_STRING;
    if (unsure) return tain_fail(err, TAIN_E_UNSUPPORTED, "what is NULL may have been no number");
    for (size_t i = 0; i < in->length; i++) {
        if (tain_column_is_null(in, i)) tain_column_append_null(out);
        else append(in, i, &scratch, out);
    }
    return TAIN_OK;
}
