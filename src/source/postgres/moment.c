/* SPDX-License-Identifier: MIT */
#include "source/postgres/codec.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "source/postgres/wire.h"

enum { EPOCH_DAYS = 10957, FIRST_DAY = -719162, LAST_DAY = 2932896 }; /* 2000-01-01, 0001-01-01, 9999-12-31 since 1970 */
#define DAY          ((int64_t)86400000000)
#define EPOCH        (EPOCH_DAYS * DAY)
#define FIRST_MOMENT (FIRST_DAY * DAY)
#define LAST_MOMENT  ((LAST_DAY + 1) * DAY - 1)

static tain_pg_say append_date(const tain_pg_codec *c, tain_column *out, int64_t day)
{
    if (day < FIRST_DAY || day > LAST_DAY) return tain_pg_substitute(c, out, TAIN_PG_RANGE, day < 0 ? -1 : 1);
    tain_column_append_i32(out, (int32_t)day);
    return TAIN_PG_FINE;
}

static tain_pg_say append_moment(const tain_pg_codec *c, tain_column *out, int64_t t)
{
    if (t < FIRST_MOMENT || t > LAST_MOMENT) return tain_pg_substitute(c, out, TAIN_PG_RANGE, t < 0 ? -1 : 1);
    tain_column_append_i64(out, t);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_date_binary)
{
    if (n != 4) return TAIN_PG_MALFORMED;
    int32_t day = (int32_t)tain_pg_load32(p);
    if (day == INT32_MAX || day == INT32_MIN) return tain_pg_substitute(c, out, TAIN_PG_INFINITE, day < 0 ? -1 : 1);
    return append_date(c, out, (int64_t)day + EPOCH_DAYS);
}

TAIN_PG_DECODER(tain_pg_timestamp_binary)
{
    if (n != 8) return TAIN_PG_MALFORMED;
    int64_t t = (int64_t)tain_pg_load64(p);
    if (t < FIRST_MOMENT - EPOCH || t > LAST_MOMENT - EPOCH) {
        bool infinite = t == INT64_MAX || t == INT64_MIN;
        return tain_pg_substitute(c, out, infinite ? TAIN_PG_INFINITE : TAIN_PG_RANGE, t < 0 ? -1 : 1);
    }
    tain_column_append_i64(out, t + EPOCH);
    return TAIN_PG_FINE;
}

/* --- canonical text of times and intervals ------------------------------------------------------------------------- */

static void put_fraction(tain_buffer *out, unsigned micro)
{
    if (micro == 0) return;
    char text[8];
    snprintf(text, sizeof text, ".%06u", micro % 1000000);
    size_t n = 7;
    while (text[n - 1] == '0') n--;
    tain_buffer_append(out, text, n);
}

static void put_clock(tain_buffer *out, uint64_t t)
{
    uint64_t seconds = t / 1000000;
    tain_buffer_printf(out, "%02llu:%02u:%02u", (unsigned long long)(seconds / 3600), (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    put_fraction(out, (unsigned)(t % 1000000));
}

TAIN_PG_DECODER(tain_pg_time_binary)
{
    if (n != 8) return TAIN_PG_MALFORMED;
    uint64_t t = tain_pg_load64(p);
    if (t > (uint64_t)DAY) return TAIN_PG_MALFORMED;
    put_clock(&out->bytes, t);
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_timetz_binary)
{
    if (n != 12) return TAIN_PG_MALFORMED;
    uint64_t t = tain_pg_load64(p);
    int32_t west = (int32_t)tain_pg_load32(p + 8);
    if (t > (uint64_t)DAY || west > 86400 || west < -86400) return TAIN_PG_MALFORMED;
    put_clock(&out->bytes, t);
    unsigned zone = (unsigned)abs(west);
    tain_buffer_printf(&out->bytes, "%c%02u", west > 0 ? '-' : '+', zone / 3600);
    if (zone % 3600) tain_buffer_printf(&out->bytes, ":%02u", zone / 60 % 60);
    if (zone % 60) tain_buffer_printf(&out->bytes, ":%02u", zone % 60);
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

typedef struct interval_text {
    tain_buffer *out;
    bool         any, before; /* something is written; the last part was negative, so the next one needs its sign */
} interval_text;

static void put_part(interval_text *t, int32_t v, const char *unit)
{
    if (v == 0) return;
    tain_buffer_printf(t->out, "%s%s%d %s%s", t->any ? " " : "", t->before && v > 0 ? "+" : "", v, unit, v == 1 ? "" : "s");
    t->before = v < 0;
    t->any = true;
}

static tain_pg_say append_interval(tain_column *out, const uint8_t *p, size_t n, bool finite)
{
    if (n != 16) return TAIN_PG_MALFORMED;
    int64_t clock = (int64_t)tain_pg_load64(p);
    int32_t days = (int32_t)tain_pg_load32(p + 8), months = (int32_t)tain_pg_load32(p + 12);
    interval_text t = {.out = &out->bytes};
    if (!finite && clock == INT64_MAX && days == INT32_MAX && months == INT32_MAX) tain_buffer_append_str(t.out, "infinity");
    else if (!finite && clock == INT64_MIN && days == INT32_MIN && months == INT32_MIN) tain_buffer_append_str(t.out, "-infinity");
    else {
        put_part(&t, months / 12, "year");
        put_part(&t, months % 12, "mon");
        put_part(&t, days, "day");
        if (clock || !t.any) {
            tain_buffer_printf(t.out, "%s%s", t.any ? " " : "", clock < 0 ? "-" : t.before ? "+" : "");
            put_clock(t.out, clock < 0 ? -(uint64_t)clock : (uint64_t)clock);
        }
    }
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_interval_binary) { return append_interval(out, p, n, false); }

TAIN_PG_DECODER(tain_pg_finite_interval_binary) { return append_interval(out, p, n, true); }

/* --- dates and timestamps from ISO text ---------------------------------------------------------------------------- */

typedef struct scan { /* a cursor over a value's text */
    const uint8_t *at, *end;
    bool           bad;
} scan;

static int64_t scan_number(scan *s, int least, int most)
{
    int64_t v = 0;
    int digits = 0;
    for (; digits < most && s->at < s->end && (unsigned)(*s->at - '0') <= 9; digits++) v = v * 10 + (*s->at++ - '0');
    if (digits < least) s->bad = true;
    return v;
}

static bool scan_char(scan *s, char c)
{
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static void scan_must(scan *s, char c)
{
    if (!scan_char(s, c)) s->bad = true;
}

static bool scan_rest(scan *s, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(s->end - s->at) != n || memcmp(s->at, text, n) != 0) return false;
    s->at = s->end;
    return true;
}

static int64_t scan_clock(scan *s)
{
    int64_t t = scan_number(s, 2, 2) * 3600;
    scan_must(s, ':');
    t += scan_number(s, 2, 2) * 60;
    scan_must(s, ':');
    t = (t + scan_number(s, 2, 2)) * 1000000;
    if (!scan_char(s, '.')) return t;
    const uint8_t *begin = s->at;
    int64_t fraction = scan_number(s, 1, 6);
    for (int digits = (int)(s->at - begin); digits < 6; digits++) fraction *= 10;
    return t + fraction;
}

static int64_t scan_zone(scan *s)
{
    bool west = scan_char(s, '-');
    if (!west && !scan_char(s, '+')) return 0;
    int64_t zone = scan_number(s, 2, 2) * 3600;
    if (scan_char(s, ':')) zone += scan_number(s, 2, 2) * 60;
    if (scan_char(s, ':')) zone += scan_number(s, 2, 2);
    return (west ? -zone : zone) * 1000000;
}

typedef struct date_text { int64_t year; unsigned month, day; } date_text;

static date_text scan_date(scan *s)
{
    date_text d = {.year = scan_number(s, 4, 7)};
    scan_must(s, '-');
    d.month = (unsigned)scan_number(s, 2, 2);
    scan_must(s, '-');
    d.day = (unsigned)scan_number(s, 2, 2);
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31) s->bad = true;
    return d;
}

/* Days since 1970; ends the scan, with or without " BC". */
static int64_t finish_date(scan *s, date_text d)
{
    if (scan_rest(s, " BC")) d.year = 1 - d.year;
    if (s->at != s->end) s->bad = true;
    return s->bad ? 0 : tain_days_from_civil(d.year, d.month, d.day);
}

static bool infinite_text(const tain_pg_codec *c, tain_column *out, scan *s, tain_pg_say *ret)
{
    bool negative = s->at < s->end && *s->at == '-';
    scan rest = {s->at + negative, s->end, false};
    if (!scan_rest(&rest, "infinity")) return false;
    *ret = tain_pg_substitute(c, out, TAIN_PG_INFINITE, negative ? -1 : 1);
    return true;
}

TAIN_PG_DECODER(tain_pg_date_text)
{
    scan s = {p, p + n, false};
    tain_pg_say say;
    if (infinite_text(c, out, &s, &say)) return say;
    int64_t day = finish_date(&s, scan_date(&s));
    return s.bad ? TAIN_PG_MALFORMED : append_date(c, out, day);
}

TAIN_PG_DECODER(tain_pg_timestamp_text)
{
    scan s = {p, p + n, false};
    tain_pg_say say;
    if (infinite_text(c, out, &s, &say)) return say;
    date_text date = scan_date(&s);
    scan_must(&s, ' ');
    int64_t clock = scan_clock(&s), zone = scan_zone(&s), day = finish_date(&s, date);
    if (s.bad) return TAIN_PG_MALFORMED;
    if (day > LAST_DAY + 1) day = LAST_DAY + 2; /* out of range as well, and its microseconds can be counted */
    return append_moment(c, out, day * DAY + clock - zone);
}
