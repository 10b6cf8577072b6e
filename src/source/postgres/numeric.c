/* SPDX-License-Identifier: MIT */
#include "source/postgres/codec.h"

#include <float.h>
#include <stdlib.h>

#include "source/postgres/wire.h"

/* numeric on the wire: uint16 digits, int16 weight, uint16 sign, uint16 display scale, then base-10000 digits; digit i
 * counts 10000^(weight - i). */
enum { POSITIVE = 0, NEGATIVE = 0x4000, NOT_A_NUMBER = 0xC000, INFINITE = 0xD000, MINUS_INFINITE = 0xF000 };

typedef struct numeric {
    int            digits, weight, scale;
    unsigned       sign;
    const uint8_t *at;
} numeric;

static const uint64_t power10[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
    10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
};

static __int128 power_of_ten(int n) { return n <= 18 ? (__int128)power10[n] : (__int128)power10[18] * power_of_ten(n - 18); }

static unsigned digit(const numeric *v, int i) { return tain_pg_load16(v->at + 2 * i); }

static bool read_numeric(const uint8_t *p, size_t n, numeric *v)
{
    if (n < 8) return false;
    *v = (numeric){.digits = tain_pg_load16(p), .weight = (int16_t)tain_pg_load16(p + 2), .sign = tain_pg_load16(p + 4),
                   .scale = tain_pg_load16(p + 6), .at = p + 8};
    if (n != 8 + 2 * (size_t)v->digits) return false;
    if (v->sign != POSITIVE && v->sign != NEGATIVE) return v->sign == NOT_A_NUMBER || v->sign == INFINITE || v->sign == MINUS_INFINITE;
    for (; v->digits && digit(v, 0) == 0; v->digits--, v->weight--) v->at += 2;
    if (v->digits == 0) v->weight = -1;
    for (int i = 0; i < v->digits; i++)
        if (digit(v, i) > 9999) return false;
    return true;
}

static int decimal_width(unsigned d) { return d > 999 ? 4 : d > 99 ? 3 : d > 9 ? 2 : 1; }

/* Whether v * 10^scale is a whole number of at most `precision` digits. */
static bool fits(const numeric *v, int precision, int scale)
{
    if (v->digits == 0) return true;
    if (4 * v->weight + decimal_width(digit(v, 0)) + scale > precision) return false;
    int last = 4 * (v->weight - v->digits + 1) + scale; /* power of ten of the last group */
    for (int i = v->digits - 1; last < 0; i--, last += 4) {
        unsigned dropped = last <= -4 ? 10000 : (unsigned)power10[-last];
        if (i < 0 || digit(v, i) % dropped) return false;
    }
    return true;
}

/* v * 10^scale in the integer type asked; fits() was true, so no step overflows. */
#define UNSCALED(name, type)                                                           \
    static type name(const numeric *v, int scale)                                      \
    {                                                                                  \
        type u = 0;                                                                    \
        int i = 0, power = 4 * v->weight + scale;                                      \
        for (; i < v->digits && power >= 0; i++, power -= 4) u = u * 10000 + digit(v, i); \
        if (i < v->digits && power > -4) return u * (type)power10[4 + power] + (type)(digit(v, i) / power10[-power]); \
        if (i < v->digits) return u;                                                   \
        for (power += 4; power > 18; power -= 18) u *= (type)power10[18];              \
        return u * (type)power10[power];                                               \
    }
UNSCALED(unscaled64, int64_t)
UNSCALED(unscaled128, __int128)

/* A value that has no place as it is: seldom, so its text is good enough. */
static tain_pg_say append_by_text(const tain_pg_codec *c, tain_column *out, const numeric *v);

TAIN_PG_DECODER(tain_pg_decimal64_binary)
{
    numeric v;
    if (!read_numeric(p, n, &v)) return TAIN_PG_MALFORMED;
    if (v.sign > NEGATIVE || !fits(&v, c->type.precision, c->type.scale)) return append_by_text(c, out, &v);
    int64_t u = v.digits ? unscaled64(&v, c->type.scale) : 0;
    tain_column_append_i64(out, v.sign ? -u : u);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_decimal128_binary)
{
    numeric v;
    if (!read_numeric(p, n, &v)) return TAIN_PG_MALFORMED;
    if (v.sign > NEGATIVE || !fits(&v, c->type.precision, c->type.scale)) return append_by_text(c, out, &v);
    __int128 u = v.digits ? unscaled128(&v, c->type.scale) : 0;
    tain_column_append_i128(out, v.sign ? -u : u);
    return TAIN_PG_FINE;
}

/* --- exact text ---------------------------------------------------------------------------------------------------- */

static const char *special_text(unsigned sign)
{
    return sign == NOT_A_NUMBER ? "NaN" : sign == INFINITE ? "Infinity" : sign == MINUS_INFINITE ? "-Infinity" : NULL;
}

static unsigned group(const numeric *v, int i) { return i >= 0 && i < v->digits ? digit(v, i) : 0; }

static uint8_t *put4(uint8_t *to, unsigned d)
{
    *to++ = (uint8_t)('0' + d / 1000);
    *to++ = (uint8_t)('0' + d / 100 % 10);
    *to++ = (uint8_t)('0' + d / 10 % 10);
    *to++ = (uint8_t)('0' + d % 10);
    return to;
}

static uint8_t *put_whole(uint8_t *to, const numeric *v)
{
    if (v->digits == 0 || v->weight < 0) {
        *to++ = '0';
        return to;
    }
    uint8_t first[4];
    unsigned d = digit(v, 0);
    put4(first, d);
    int width = decimal_width(d);
    memcpy(to, first + 4 - width, (size_t)width);
    to += width;
    for (int i = 1; i <= v->weight; i++) to = put4(to, group(v, i));
    return to;
}

static size_t write_numeric(const numeric *v, uint8_t *to)
{
    uint8_t *begin = to;
    if (v->sign == NEGATIVE) *to++ = '-';
    to = put_whole(to, v);
    if (v->scale == 0) return (size_t)(to - begin);
    *to++ = '.';
    uint8_t *end = to + v->scale;
    for (int i = v->weight + 1; to < end; i++) to = put4(to, group(v, i));
    return (size_t)(end - begin);
}

static size_t room(const numeric *v)
{
    return (v->weight >= 0 ? 4 * ((size_t)v->weight + 1) : 1) + (size_t)v->scale + 16;
}

/* At most room() bytes. */
static size_t write_any(const numeric *v, uint8_t *to)
{
    const char *text = special_text(v->sign);
    if (!text) return write_numeric(v, to);
    size_t n = strlen(text);
    memcpy(to, text, n);
    return n;
}

TAIN_PG_DECODER(tain_pg_numeric_text_binary)
{
    numeric v;
    if (!read_numeric(p, n, &v)) return TAIN_PG_MALFORMED;
    out->bytes.size += write_any(&v, tain_buffer_reserve(&out->bytes, room(&v)));
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

static tain_pg_say append_by_text(const tain_pg_codec *c, tain_column *out, const numeric *v)
{
    uint8_t few[256];
    numeric all = *v;
    int behind = 4 * (v->digits - v->weight - 1);
    if (all.scale < behind) all.scale = behind; /* what the display scale hides counts, too */
    if (room(&all) <= sizeof few) return c->text(c, out, few, write_any(&all, few));
    TAIN_AUTO(tain_buffer_done) tain_buffer many = {0};
    many.size = write_any(&all, tain_buffer_reserve(&many, room(&all)));
    return c->text(c, out, many.data, many.size);
}

/* --- double: the nearest one --------------------------------------------------------------------------------------- */

static tain_pg_say append_double(const tain_pg_codec *c, tain_column *out, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (*end || end == text) return TAIN_PG_MALFORMED;
    bool meant = text[*text == '-'] == 'I';
    if (!meant && (v > DBL_MAX || v < -DBL_MAX)) return tain_pg_substitute(c, out, TAIN_PG_RANGE, v > 0 ? 1 : -1);
    tain_column_append_double(out, v);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_numeric_double_text)
{
    char few[128];
    if (n < sizeof few) {
        memcpy(few, p, n);
        few[n] = 0;
        return append_double(c, out, few);
    }
    TAIN_AUTO(tain_buffer_done) tain_buffer many = {0};
    tain_buffer_append(&many, p, n);
    return append_double(c, out, tain_buffer_cstr(&many));
}

TAIN_PG_DECODER(tain_pg_numeric_double_binary)
{
    numeric v;
    if (!read_numeric(p, n, &v)) return TAIN_PG_MALFORMED;
    return append_by_text(c, out, &v);
}

/* --- decimal from text --------------------------------------------------------------------------------------------- */

static bool is_text(const uint8_t *p, size_t n, const char *text) { return n == strlen(text) && memcmp(p, text, n) == 0; }

typedef enum parsed { PARSED, ROUNDED, TOO_LARGE, NO_NUMBER } parsed;

typedef struct decimal { __int128 value; int digits, behind /* the point, -1: before it */; bool up, inexact; } decimal;

/* One more digit of the unscaled value; false: there are too many. */
static bool push(decimal *v, unsigned digit, int precision)
{
    if (v->digits >= precision) return false;
    v->value = v->value * 10 + digit;
    if (v->value) v->digits++;
    return true;
}

/* A digit that the scale has no place for. */
static void drop(decimal *v, unsigned digit, bool first)
{
    if (first) v->up = digit >= 5;
    if (digit) v->inexact = true;
}

/* digits[.digits] times 10^scale, below 10^precision; rounded half up as the server rounds */
static parsed parse_decimal(const uint8_t *p, size_t n, int precision, int scale, __int128 *ret)
{
    decimal v = {.behind = -1};
    if (n == 0) return NO_NUMBER;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '.' && v.behind < 0) {
            v.behind = 0;
            continue;
        }
        unsigned d = p[i] - '0';
        if (d > 9) return NO_NUMBER;
        if (v.behind >= 0 && ++v.behind > scale) drop(&v, d, v.behind == scale + 1);
        else if (!push(&v, d, precision)) return TOO_LARGE;
    }
    for (int i = v.behind < 0 ? 0 : v.behind; i < scale; i++)
        if (!push(&v, 0, precision)) return TOO_LARGE;
    *ret = v.value + v.up;
    if (!v.inexact) return PARSED;
    return v.digits == precision && *ret == power_of_ten(precision) ? TOO_LARGE : ROUNDED;
}

static void append_unscaled(const tain_pg_codec *c, tain_column *out, __int128 v, bool negative)
{
    if (negative) v = -v;
    if (c->type.precision <= 18) tain_column_append_i64(out, (int64_t)v);
    else tain_column_append_i128(out, v);
}

TAIN_PG_DECODER(tain_pg_decimal_text)
{
    if (is_text(p, n, "NaN")) return tain_pg_substitute(c, out, TAIN_PG_NAN, 0);
    bool negative = n && *p == '-', clamp = c->range == TAIN_PG_RANGE_CLAMP && !c->key;
    if (is_text(p + negative, n - negative, "Infinity")) return tain_pg_substitute(c, out, TAIN_PG_RANGE, negative ? -1 : 1);
    __int128 v = 0;
    parsed what = parse_decimal(p + negative, n - negative, c->type.precision, c->type.scale, &v);
    if (what == NO_NUMBER) return TAIN_PG_MALFORMED;
    if (what == TOO_LARGE || (what == ROUNDED && !clamp)) return tain_pg_substitute(c, out, TAIN_PG_RANGE, negative ? -1 : 1);
    append_unscaled(c, out, v, negative);
    return what == ROUNDED ? TAIN_PG_ROUNDED : TAIN_PG_FINE;
}
