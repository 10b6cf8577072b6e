/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md, "Per-file Statistics". Bounds are typed strictly: one mistyped value fails whole queries elsewhere. */
#include "delta/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { STRING_PREFIX = 32, STRING_GIVE_UP = 64 };

/* --- values ------------------------------------------------------------------------------------------------------ */

static int64_t integer_of(const tain_buffer *b)
{
    int64_t v = 0;
    if (b->size == 4) {
        int32_t narrow;
        memcpy(&narrow, b->data, 4);
        return narrow;
    }
    memcpy(&v, b->data, b->size < 8 ? b->size : 8);
    return b->size == 1 ? (int8_t)v : b->size == 2 ? (int16_t)v : v;
}

static __int128 wide_of(const tain_buffer *b)
{
    __int128 v = b->size && b->data[b->size - 1] & 0x80 ? -1 : 0;
    memcpy(&v, b->data, b->size < 16 ? b->size : 16);
    return v;
}

static void decimal_text(__int128 v, unsigned scale, tain_buffer *out)
{
    char              digits[48];
    unsigned          n = 0;
    unsigned __int128 u = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    do {
        digits[n++] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u || n <= scale);
    if (v < 0) tain_buffer_append_u8(out, '-');
    while (n) {
        tain_buffer_append_u8(out, (uint8_t)digits[--n]);
        if (n == scale && scale) tain_buffer_append_u8(out, '.');
    }
}

/* Shortest digits that read back as the same value. */
static bool real_text(double v, bool narrow, tain_buffer *out)
{
    char text[40];
    if (!isfinite(v)) return false;
    for (int precision = narrow ? 6 : 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        if (narrow ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v) break;
    }
    tain_buffer_append_str(out, text);
    if (!strpbrk(text, ".e")) tain_buffer_append_str(out, ".0");
    return true;
}

static bool in_calendar(int64_t days)
{
    return days >= -719162 && days <= 2932896; /* 0001-01-01 .. 9999-12-31 */
}

static bool date_text(int64_t days, tain_buffer *out)
{
    int64_t  year;
    unsigned month, day;
    if (!in_calendar(days)) return false;
    tain_civil_from_days(days, &year, &month, &day);
    tain_buffer_printf(out, "\"%04d-%02u-%02u\"", (int)year, month, day);
    return true;
}

static bool timestamp_text(int64_t micros, bool zone, tain_buffer *out)
{
    const int64_t day = 86400 * TAIN_SECOND;
    if (!in_calendar(micros / day - (micros % day < 0))) return false;
    char   text[40];
    size_t n = tain_time_iso(micros, 3, text);
    tain_buffer_append_u8(out, '"');
    tain_buffer_append(out, text, zone ? n : n - 1);
    tain_buffer_append_u8(out, '"');
    return true;
}

/* --- strings: a prefix, and for the upper bound something behind it ------------------------------------------------ */

static size_t step(const uint8_t *p)
{
    return *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
}

/* Bytes of the first n characters; the whole when there are fewer. */
static size_t prefix_bytes(const tain_buffer *b, size_t n)
{
    size_t at = 0;
    while (n-- && at < b->size) at += step(b->data + at);
    return at < b->size ? at : b->size;
}

static bool is_last_character(const uint8_t *p)
{
    return p[0] == 0xF4 && p[1] == 0x8F && p[2] == 0xBF && p[3] == 0xBF; /* U+10FFFF */
}

static bool upper_text(const tain_buffer *b, tain_json *j)
{
    size_t cut = prefix_bytes(b, STRING_PREFIX), limit = prefix_bytes(b, STRING_GIVE_UP);
    while (cut < limit && cut < b->size && is_last_character(b->data + cut)) cut += 4;
    if (cut >= b->size) {
        tain_json_strn(j, (const char *)b->data, b->size);
        return true;
    }
    if (cut >= limit) return false;
    char text[STRING_GIVE_UP * 4 + 4];
    memcpy(text, b->data, cut);
    bool low = b->data[cut] < 0x7F;
    memcpy(text + cut, low ? "\x7F" : "\xF4\x8F\xBF\xBF", low ? 1 : 4);
    tain_json_strn(j, text, cut + (low ? 1 : 4));
    return true;
}

static bool string_text(const tain_buffer *b, bool upper, tain_json *j)
{
    if (upper) return upper_text(b, j);
    tain_json_strn(j, (const char *)b->data, prefix_bytes(b, STRING_PREFIX));
    return true;
}

/* --- members ------------------------------------------------------------------------------------------------------- */

static bool plain_text(const tain_type *type, const tain_buffer *b, tain_buffer *out)
{
    double d = 0;
    float  f = 0;
    switch (type->kind) {
    case TAIN_INT8: case TAIN_INT16: case TAIN_INT32: case TAIN_INT64:
        tain_buffer_printf(out, "%" PRId64, integer_of(b));
        return true;
    case TAIN_FLOAT:
        if (b->size == 4) memcpy(&f, b->data, 4);
        return b->size == 4 && real_text((double)f, true, out);
    case TAIN_DOUBLE:
        if (b->size == 8) memcpy(&d, b->data, 8);
        return b->size == 8 && real_text(d, false, out);
    case TAIN_DECIMAL: decimal_text(wide_of(b), type->scale, out); return true;
    case TAIN_DATE: return date_text(integer_of(b), out);
    case TAIN_TIMESTAMP: return timestamp_text(integer_of(b), true, out);
    case TAIN_TIMESTAMP_NTZ: return timestamp_text(integer_of(b), false, out);
    default: return false;
    }
}

static void bound(tain_json *j, const tain_field *field, const tain_buffer *b, bool upper)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    if (field->type.kind == TAIN_STRING) {
        tain_json inner = {.out = &text};
        if (!string_text(b, upper, &inner)) return;
    } else if (!plain_text(&field->type, b, &text)) {
        return;
    }
    tain_json_key(j, field->physical);
    tain_json_raw(j, (const char *)text.data, text.size);
}

static void bounds(tain_json *j, const char *key, const tain_schema *schema, const tain_parquet_summary *s, const tain_delta_indexed *indexed, bool upper)
{
    tain_json_key(j, key);
    tain_json_object(j);
    for (size_t i = 0; i < schema->count; i++) {
        const tain_column_stats *c = &s->columns[i];
        if (c->has_bounds && tain_delta_is_indexed(indexed, &schema->fields[i], i)) bound(j, &schema->fields[i], upper ? &c->max : &c->min, upper);
    }
    tain_json_object_end(j);
}

static void null_counts(tain_json *j, const tain_schema *schema, const tain_parquet_summary *s, const tain_delta_indexed *indexed)
{
    tain_json_key(j, "nullCount");
    tain_json_object(j);
    for (size_t i = 0; i < schema->count; i++)
        if (schema->fields[i].type.kind != TAIN_STRUCT && tain_delta_is_indexed(indexed, &schema->fields[i], i)) tain_json_kint(j, schema->fields[i].physical, s->columns[i].null_count);
    tain_json_object_end(j);
}

void tain_stats_json(const tain_schema *schema, const tain_parquet_summary *s, const tain_delta_indexed *indexed, bool tight, tain_buffer *out)
{
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_kint(&j, "numRecords", s->rows);
    bounds(&j, "minValues", schema, s, indexed, false);
    bounds(&j, "maxValues", schema, s, indexed, true);
    null_counts(&j, schema, s, indexed);
    tain_json_kbool(&j, "tightBounds", tight);
    tain_json_object_end(&j);
}
