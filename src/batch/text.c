/* SPDX-License-Identifier: MIT */
#include "batch/column.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

static size_t digits_of(unsigned __int128 v, char out[static 40])
{
    char   turned[40];
    size_t n = 0;
    do turned[n++] = (char)('0' + (int)(v % 10));
    while (v /= 10);
    for (size_t i = 0; i < n; i++) out[i] = turned[n - 1 - i];
    return n;
}

static void decimal_text(__int128 v, unsigned scale, tain_buffer *out)
{
    char   digits[40];
    size_t n = digits_of(v < 0 ? -(unsigned __int128)v : (unsigned __int128)v, digits);
    if (v < 0) tain_buffer_append_u8(out, '-');
    if (n > scale) tain_buffer_append(out, digits, n - scale);
    else tain_buffer_append_u8(out, '0');
    if (scale == 0) return;
    tain_buffer_append_u8(out, '.');
    for (size_t i = n; i < scale; i++) tain_buffer_append_u8(out, '0');
    tain_buffer_append(out, n > scale ? digits + n - scale : digits, n > scale ? scale : n);
}

/* The shortest of the precisions that reads back the same. */
static void double_text(double v, int fewest, int most, bool is_float, tain_buffer *out)
{
    char text[40];
    if (isnan(v)) return tain_buffer_append_str(out, "NaN");
    if (isinf(v)) return tain_buffer_append_str(out, v < 0 ? "-Infinity" : "Infinity");
    for (int digits = fewest; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v) break;
    }
    tain_buffer_append_str(out, text);
}

static void date_text(int64_t days, tain_buffer *out)
{
    int64_t  year;
    unsigned month, day;
    tain_civil_from_days(days, &year, &month, &day);
    tain_buffer_printf(out, "%04lld-%02u-%02u", (long long)year, month, day);
}

static void timestamp_text(int64_t t, bool zone, tain_buffer *out)
{
    char   text[40];
    int    digits = t % 1000000 == 0 ? 0 : t % 1000 == 0 ? 3 : 6;
    size_t n = tain_time_iso(t, digits, text);
    tain_buffer_append(out, text, zone ? n : n - 1);
}

static void hex_text(tain_slice s, tain_buffer *out)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t          *to = tain_buffer_reserve(out, s.size * 2 + 1);
    for (size_t i = 0; i < s.size; i++) {
        to[2 * i] = (uint8_t)hex[s.data[i] >> 4];
        to[2 * i + 1] = (uint8_t)hex[s.data[i] & 15];
    }
    out->size += s.size * 2;
}

static void json_value(tain_json *j, const tain_column *c, size_t i);

static bool bare_in_json(const tain_column *c, size_t i)
{
    switch (c->type.kind) {
    case TAIN_BOOL:
    case TAIN_INT8:
    case TAIN_INT16:
    case TAIN_INT32:
    case TAIN_INT64:
    case TAIN_DECIMAL: return true;
    case TAIN_FLOAT: return isfinite(((const float *)c->values.data)[i]);
    case TAIN_DOUBLE: return isfinite(((const double *)c->values.data)[i]);
    default: return false;
    }
}

static void json_list(tain_json *j, const tain_column *c, size_t i)
{
    const int32_t *o = (const int32_t *)c->values.data;
    tain_json_array(j);
    for (int32_t k = o[i]; k < o[i + 1]; k++) json_value(j, &c->children[0], (size_t)k);
    tain_json_array_end(j);
}

static void json_map(tain_json *j, const tain_column *c, size_t i)
{
    const int32_t *o = (const int32_t *)c->values.data;
    TAIN_AUTO(tain_buffer_done) tain_buffer key = {0};
    tain_json_object(j);
    for (int32_t k = o[i]; k < o[i + 1]; k++) {
        tain_buffer_clear(&key);
        tain_column_text(&c->children[0], (size_t)k, &key);
        tain_json_key(j, tain_buffer_cstr(&key));
        json_value(j, &c->children[1], (size_t)k);
    }
    tain_json_object_end(j);
}

static void json_struct(tain_json *j, const tain_column *c, size_t i)
{
    tain_json_object(j);
    for (size_t k = 0; k < c->type.child_count; k++) {
        tain_json_key(j, c->type.children[k].name);
        json_value(j, &c->children[k], i);
    }
    tain_json_object_end(j);
}

static void json_scalar(tain_json *j, const tain_column *c, size_t i)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_column_text(c, i, &text);
    const char *s = tain_buffer_cstr(&text);
    if (bare_in_json(c, i)) tain_json_raw(j, s, text.size);
    else tain_json_strn(j, s, text.size);
}

static void json_value(tain_json *j, const tain_column *c, size_t i)
{
    if (tain_column_is_null(c, i)) tain_json_null(j);
    else if (c->type.kind == TAIN_LIST) json_list(j, c, i);
    else if (c->type.kind == TAIN_MAP) json_map(j, c, i);
    else if (c->type.kind == TAIN_STRUCT) json_struct(j, c, i);
    else json_scalar(j, c, i);
}

static void integer_text(int64_t v, tain_buffer *out)
{
    tain_json j = {.out = out};
    tain_json_int(&j, v);
}

void tain_column_text(const tain_column *c, size_t i, tain_buffer *out)
{
    if (tain_column_is_null(c, i)) return;
    const void *v = c->values.data;
    switch (c->type.kind) {
    case TAIN_BOOL: tain_buffer_append_str(out, tain_bit(v, i) ? "true" : "false"); break;
    case TAIN_INT8: integer_text(((const int8_t *)v)[i], out); break;
    case TAIN_INT16: integer_text(((const int16_t *)v)[i], out); break;
    case TAIN_INT32: integer_text(((const int32_t *)v)[i], out); break;
    case TAIN_INT64: integer_text(((const int64_t *)v)[i], out); break;
    case TAIN_FLOAT: double_text(((const float *)v)[i], 6, 9, true, out); break;
    case TAIN_DOUBLE: double_text(((const double *)v)[i], 15, 17, false, out); break;
    case TAIN_DECIMAL: decimal_text(tain_column_decimal(c, i), c->type.scale, out); break;
    case TAIN_STRING: {
        tain_slice s = tain_column_slice(c, i);
        tain_buffer_append(out, s.data, s.size);
        break;
    }
    case TAIN_BINARY: hex_text(tain_column_slice(c, i), out); break;
    case TAIN_DATE: date_text(((const int32_t *)v)[i], out); break;
    case TAIN_TIMESTAMP: timestamp_text(((const int64_t *)v)[i], true, out); break;
    case TAIN_TIMESTAMP_NTZ: timestamp_text(((const int64_t *)v)[i], false, out); break;
    case TAIN_LIST:
    case TAIN_STRUCT:
    case TAIN_MAP: json_value(&(tain_json){.out = out}, c, i); break;
    }
}
