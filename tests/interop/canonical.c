/* SPDX-License-Identifier: MIT */
#include "model.h"

static void append_decimal(__int128 v, unsigned scale, tain_buffer *out)
{
    char              digits[48], *p = digits + sizeof digits;
    unsigned __int128 rest = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    for (unsigned i = 0; rest || i <= scale; i++, rest /= 10) {
        if (i == scale && scale) *--p = '.';
        *--p = (char)('0' + (int)(rest % 10));
    }
    if (v < 0) *--p = '-';
    tain_buffer_append(out, p, (size_t)(digits + sizeof digits - p));
}

static void append_date(int64_t days, tain_buffer *out)
{
    int64_t  year;
    unsigned month, day;
    tain_civil_from_days(days, &year, &month, &day);
    tain_buffer_printf(out, "%04d-%02u-%02u", (int)year, month, day);
}

static void append_time(int64_t micros, bool utc, tain_buffer *out)
{
    int64_t days = micros / 86400000000 - (micros % 86400000000 < 0), rest = micros - days * 86400000000;
    append_date(days, out);
    tain_buffer_printf(out, "T%02d:%02d:%02d.%06d%s", (int)(rest / 3600000000), (int)(rest / 60000000 % 60),
                       (int)(rest / 1000000 % 60), (int)(rest % 1000000), utc ? "Z" : "");
}

/* The bits, because no two languages write the same digits; one NaN stands for all. */
static void append_double(double v, tain_buffer *out)
{
    uint64_t bits = 0x7ff8000000000000;
    if (v == v) memcpy(&bits, &v, 8);
    tain_buffer_printf(out, "0x%016llx", (unsigned long long)bits);
}

static void append_float(float v, tain_buffer *out)
{
    uint32_t bits = 0x7fc00000;
    if (v == v) memcpy(&bits, &v, 4);
    tain_buffer_printf(out, "0x%08x", bits);
}

static void append_hex(tain_slice s, tain_buffer *out)
{
    for (size_t i = 0; i < s.size; i++) tain_buffer_printf(out, "%02x", s.data[i]);
}

static void append_list(const tain_column *c, size_t i, tain_buffer *out)
{
    const int32_t *o = (const int32_t *)c->values.data;
    tain_buffer_append_u8(out, '[');
    for (int32_t k = o[i]; k < o[i + 1]; k++) {
        if (k > o[i]) tain_buffer_append_u8(out, ',');
        canonical_value(&c->children[0], (size_t)k, out);
    }
    tain_buffer_append_u8(out, ']');
}

static void append_scalar(const tain_column *c, size_t i, tain_buffer *out)
{
    const void *v = c->values.data;
    switch (c->type.kind) {
    case TAIN_BOOL: tain_buffer_append_str(out, tain_bit(v, i) ? "true" : "false"); break;
    case TAIN_INT8: tain_buffer_printf(out, "%d", ((const int8_t *)v)[i]); break;
    case TAIN_INT16: tain_buffer_printf(out, "%d", ((const int16_t *)v)[i]); break;
    case TAIN_INT32: tain_buffer_printf(out, "%d", ((const int32_t *)v)[i]); break;
    case TAIN_INT64: tain_buffer_printf(out, "%lld", (long long)((const int64_t *)v)[i]); break;
    case TAIN_FLOAT: append_float(((const float *)v)[i], out); break;
    case TAIN_DOUBLE: append_double(((const double *)v)[i], out); break;
    case TAIN_DECIMAL: append_decimal(tain_column_decimal(c, i), c->type.scale, out); break;
    case TAIN_BINARY: append_hex(tain_column_slice(c, i), out); break;
    case TAIN_DATE: append_date(((const int32_t *)v)[i], out); break;
    case TAIN_TIMESTAMP: append_time(((const int64_t *)v)[i], true, out); break;
    default: append_time(((const int64_t *)v)[i], false, out); break;
    }
}

void canonical_value(const tain_column *c, size_t i, tain_buffer *out)
{
    if (tain_column_is_null(c, i)) {
        tain_buffer_append_str(out, "null");
    } else if (c->type.kind == TAIN_LIST) {
        append_list(c, i, out);
    } else if (c->type.kind == TAIN_STRING) {
        tain_slice s = tain_column_slice(c, i);
        tain_json_strn(&(tain_json){.out = out}, (const char *)s.data, s.size);
    } else {
        tain_buffer_append_u8(out, '"');
        append_scalar(c, i, out);
        tain_buffer_append_u8(out, '"');
    }
}
