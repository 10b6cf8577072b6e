/* SPDX-License-Identifier: MIT */
#include "source/postgres/codec.h"

#include <float.h>
#include <stdlib.h>

#include "base/text.h"
#include "source/postgres/wire.h"

const char *tain_pg_say_code(tain_pg_say say)
{
    switch (say) {
    case TAIN_PG_INFINITE: return "timestamp_infinite";
    case TAIN_PG_NAN: return "numeric_nan";
    case TAIN_PG_DIMENSIONS: return "array_dimensions";
    case TAIN_PG_UTF8: return "invalid_utf8";
    case TAIN_PG_ROUNDED: return "value_rounded";
    default: return "value_out_of_range";
    }
}

tain_pg_refusal tain_pg_say_refusal(tain_pg_say say)
{
    switch (say) {
    case TAIN_PG_REFUSED:
        return (tain_pg_refusal){"a value cannot be stored and the policy is \"error\"",
                                 "correct the value, or set the policy \"out_of_range\" of that column to null, clamp or string"};
    case TAIN_PG_AMBIGUOUS:
        return (tain_pg_refusal){"a value of the key cannot be stored, and without it rows could not be told apart",
                                 "set the policy \"out_of_range\" of that column to string, or correct the value"};
    case TAIN_PG_TOO_LARGE:
        return (tain_pg_refusal){"a value has more than 2 GiB of text", "make it smaller, or leave the table out with --exclude"};
    default: return (tain_pg_refusal){"a value is not of the form that its type has", "report this"};
    }
}

static __int128 widest_decimal(unsigned precision)
{
    __int128 v = 1;
    for (unsigned i = 0; i < precision; i++) v *= 10;
    return v - 1;
}

static void append_widest(tain_column *out, bool negative)
{
    enum { FIRST_DAY = -719162, LAST_DAY = 2932896 }; /* 0001-01-01, 9999-12-31 */
    int64_t day = negative ? FIRST_DAY : LAST_DAY;
    switch (out->type.kind) {
    case TAIN_DATE: tain_column_append_i32(out, (int32_t)day); return;
    case TAIN_TIMESTAMP:
    case TAIN_TIMESTAMP_NTZ: tain_column_append_i64(out, day * 86400000000 + (negative ? 0 : 86399999999)); return;
    case TAIN_DOUBLE: tain_column_append_double(out, negative ? -DBL_MAX : DBL_MAX); return;
    default: break;
    }
    __int128 v = widest_decimal(out->type.precision);
    if (negative) v = -v;
    if (out->type.precision <= 18) tain_column_append_i64(out, (int64_t)v);
    else tain_column_append_i128(out, v);
}

static bool has_widest(const tain_column *out)
{
    tain_kind k = out->type.kind;
    return k == TAIN_DATE || k == TAIN_TIMESTAMP || k == TAIN_TIMESTAMP_NTZ || k == TAIN_DECIMAL || k == TAIN_DOUBLE;
}

tain_pg_say tain_pg_substitute(const tain_pg_codec *c, tain_column *out, tain_pg_say why, int sign)
{
    if (c->key) return TAIN_PG_AMBIGUOUS;
    if (c->range == TAIN_PG_RANGE_ERROR) return TAIN_PG_REFUSED;
    if (c->range == TAIN_PG_RANGE_CLAMP && sign != 0 && has_widest(out)) append_widest(out, sign < 0);
    else tain_column_append_null(out);
    return why;
}

/* --- integers, booleans, floats ------------------------------------------------------------------------------------ */

TAIN_PG_DECODER(tain_pg_bool_binary)
{
    if (n != 1) return TAIN_PG_MALFORMED;
    tain_column_append_bool(out, *p != 0);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_bool_text)
{
    if (n != 1 || (*p != 't' && *p != 'f')) return TAIN_PG_MALFORMED;
    tain_column_append_bool(out, *p == 't');
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_int16_binary)
{
    if (n != 2) return TAIN_PG_MALFORMED;
    tain_column_append_i16(out, (int16_t)tain_pg_load16(p));
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_int32_binary)
{
    if (n != 4 && n != 2) return TAIN_PG_MALFORMED; /* 2: from before the column was widened */
    tain_column_append_i32(out, n == 4 ? (int32_t)tain_pg_load32(p) : (int16_t)tain_pg_load16(p));
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_int64_binary)
{
    if (n != 8 && n != 4 && n != 2) return TAIN_PG_MALFORMED; /* less: from before the column was widened */
    tain_column_append_i64(out, n == 8 ? (int64_t)tain_pg_load64(p) : n == 4 ? (int32_t)tain_pg_load32(p) : (int16_t)tain_pg_load16(p));
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_uint32_binary)
{
    if (n != 4) return TAIN_PG_MALFORMED;
    tain_column_append_i64(out, tain_pg_load32(p));
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_uint64_binary)
{
    if (n != 8) return TAIN_PG_MALFORMED;
    tain_column_append_i128(out, tain_pg_load64(p));
    return TAIN_PG_FINE;
}

static bool parse_unsigned(const uint8_t *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v)) return false;
    }
    *ret = v;
    return true;
}

static bool parse_signed(const uint8_t *p, size_t n, int64_t least, int64_t most, int64_t *ret)
{
    bool negative = n && *p == '-';
    uint64_t v;
    if (!parse_unsigned(p + negative, n - negative, &v)) return false;
    if (negative ? v > -(uint64_t)least : v > (uint64_t)most) return false;
    *ret = negative ? (int64_t)-v : (int64_t)v;
    return true;
}

TAIN_PG_DECODER(tain_pg_int16_text)
{
    int64_t v;
    if (!parse_signed(p, n, INT16_MIN, INT16_MAX, &v)) return TAIN_PG_MALFORMED;
    tain_column_append_i16(out, (int16_t)v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_int32_text)
{
    int64_t v;
    if (!parse_signed(p, n, INT32_MIN, INT32_MAX, &v)) return TAIN_PG_MALFORMED;
    tain_column_append_i32(out, (int32_t)v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_int64_text)
{
    int64_t v;
    if (!parse_signed(p, n, INT64_MIN, INT64_MAX, &v)) return TAIN_PG_MALFORMED;
    tain_column_append_i64(out, v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_uint64_text)
{
    uint64_t v;
    if (!parse_unsigned(p, n, &v)) return TAIN_PG_MALFORMED;
    tain_column_append_i128(out, v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_float_binary)
{
    if (n != 4) return TAIN_PG_MALFORMED;
    uint32_t bits = tain_pg_load32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    tain_column_append_float(out, v);
    return TAIN_PG_FINE;
}

/* From before the column was widened. */
static tain_pg_say float_widened(tain_column *out, const uint8_t *p)
{
    uint32_t bits = tain_pg_load32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    tain_column_append_double(out, v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_double_binary)
{
    if (n == 4) return float_widened(out, p);
    if (n != 8) return TAIN_PG_MALFORMED;
    uint64_t bits = tain_pg_load64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    tain_column_append_double(out, v);
    return TAIN_PG_FINE;
}

/* "NaN", "Infinity" and shortest-exact decimals: all of which strtod knows. */
static bool float_text(const uint8_t *p, size_t n, char out[static 64])
{
    if (n == 0 || n >= 64 || memchr(p, 0, n)) return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

TAIN_PG_DECODER(tain_pg_float_text)
{
    char text[64], *end;
    if (!float_text(p, n, text)) return TAIN_PG_MALFORMED;
    float v = strtof(text, &end);
    if (*end) return TAIN_PG_MALFORMED;
    tain_column_append_float(out, v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_double_text)
{
    char text[64], *end;
    if (!float_text(p, n, text)) return TAIN_PG_MALFORMED;
    double v = strtod(text, &end);
    if (*end) return TAIN_PG_MALFORMED;
    tain_column_append_double(out, v);
    return TAIN_PG_FINE;
}

/* --- bytes and texts ----------------------------------------------------------------------------------------------- */

TAIN_PG_DECODER(tain_pg_bytes_binary)
{
    tain_column_append_bytes(out, p, n);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_checked_text)
{
    if (tain_utf8_valid(p, n)) return tain_pg_bytes_binary(c, out, p, n);
    if (c->key) return TAIN_PG_AMBIGUOUS;
    if (c->range == TAIN_PG_RANGE_ERROR) return TAIN_PG_REFUSED;
    tain_utf8_repair(p, n, &out->bytes);
    tain_pg_end_text(out);
    return TAIN_PG_UTF8;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

TAIN_PG_DECODER(tain_pg_bytea_text)
{
    if (n < 2 || n % 2 || p[0] != '\\' || p[1] != 'x') return TAIN_PG_MALFORMED;
    size_t size = n / 2 - 1;
    uint8_t *to = tain_buffer_reserve(&out->bytes, size);
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(p[2 + 2 * i]), low = hex_digit(p[3 + 2 * i]);
        if (high < 0 || low < 0) return TAIN_PG_MALFORMED;
        to[i] = (uint8_t)(high << 4 | low);
    }
    out->bytes.size += size;
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_versioned_binary)
{
    if (n < 1 || *p != 1) return TAIN_PG_MALFORMED;
    tain_column_append_bytes(out, p + 1, n - 1);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_uuid_binary)
{
    static const char digits[] = "0123456789abcdef";
    if (n != 16) return TAIN_PG_MALFORMED;
    uint8_t *to = tain_buffer_reserve(&out->bytes, 36);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = (uint8_t)digits[p[i] >> 4];
        *to++ = (uint8_t)digits[p[i] & 15];
    }
    out->bytes.size += 36;
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

/* As servers from 16 on write it; older ones write the bare byte, which is no UTF-8. */
void tain_pg_put_char(tain_buffer *out, uint8_t c)
{
    if (c >= 0x80) tain_buffer_printf(out, "\\%03o", c);
    else if (c) tain_buffer_append_u8(out, c);
}

TAIN_PG_DECODER(tain_pg_char_binary)
{
    if (n != 1) return TAIN_PG_MALFORMED;
    tain_pg_put_char(&out->bytes, *p);
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_char_text)
{
    if (n == 1) return tain_pg_char_binary(c, out, p, n);
    if (n != 0 && (n != 4 || *p != '\\')) return TAIN_PG_MALFORMED;
    return tain_pg_bytes_binary(c, out, p, n);
}

TAIN_PG_DECODER(tain_pg_bits_binary)
{
    if (n < 4) return TAIN_PG_MALFORMED;
    size_t bits = tain_pg_load32(p);
    if (bits > INT32_MAX || (bits + 7) / 8 != n - 4) return TAIN_PG_MALFORMED;
    uint8_t *to = tain_buffer_reserve(&out->bytes, bits);
    for (size_t i = 0; i < bits; i++) to[i] = p[4 + i / 8] >> (7 - i % 8) & 1 ? '1' : '0';
    out->bytes.size += bits;
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_lsn_binary)
{
    if (n != 8) return TAIN_PG_MALFORMED;
    tain_buffer_printf(&out->bytes, "%X/%X", tain_pg_load32(p), tain_pg_load32(p + 4));
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

/* As lc_monetary C prints it: -$1,234.56 */
TAIN_PG_DECODER(tain_pg_money_binary)
{
    if (n != 8) return TAIN_PG_MALFORMED;
    int64_t v = (int64_t)tain_pg_load64(p);
    uint64_t cents = v < 0 ? -(uint64_t)v : (uint64_t)v;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)(cents / 100));
    tain_buffer_append_str(&out->bytes, v < 0 ? "-$" : "$");
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) tain_buffer_append_u8(&out->bytes, ',');
        tain_buffer_append_u8(&out->bytes, (uint8_t)digits[i]);
    }
    tain_buffer_printf(&out->bytes, ".%02u", (unsigned)(cents % 100));
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_hex_binary)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *to = tain_buffer_reserve(&out->bytes, 2 * n);
    for (size_t i = 0; i < n; i++) {
        *to++ = (uint8_t)digits[p[i] >> 4];
        *to++ = (uint8_t)digits[p[i] & 15];
    }
    out->bytes.size += 2 * n;
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}
