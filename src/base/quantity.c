/* SPDX-License-Identifier: MIT */
/* quantity.c -- durations, sizes and counts as people write them; declared in text.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/time.h"

typedef struct unit {
    const char *name;
    int64_t     factor;
} unit;

static const unit durations[] = {
    {"us", 1},
    {"ms", TAIN_MILLISECOND},
    {"s", TAIN_SECOND},
    {"m", 60 * TAIN_SECOND},
    {"min", 60 * TAIN_SECOND},
    {"h", 3600 * TAIN_SECOND},
    {"d", 86400 * TAIN_SECOND},
    {NULL, 0},
};

static const unit sizes[] = {
    {"", 1},
    {"b", 1},
    {"k", 1LL << 10},
    {"kib", 1LL << 10},
    {"kb", 1000},
    {"m", 1LL << 20},
    {"mib", 1LL << 20},
    {"mb", 1000000},
    {"g", 1LL << 30},
    {"gib", 1LL << 30},
    {"gb", 1000000000},
    {"t", 1LL << 40},
    {"tib", 1LL << 40},
    {"tb", 1000000000000},
    {NULL, 0},
};

static const unit *find_unit(const unit *units, const char *name)
{
    for (const unit *u = units; u->name; u++) {
        if (strcasecmp(u->name, name) == 0) return u;
    }
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits[.digits] as number / scale; NULL when there is no digit or too many of them. */
static const char *read_number(const char *p, int64_t *number, int64_t *scale)
{
    const char *begin = p;
    *number = 0;
    *scale = 1;
    bool fraction = false;
    for (; is_digit(*p) || (*p == '.' && !fraction && is_digit(p[1])); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (*number > (INT64_MAX - 9) / 10 || *scale > INT64_MAX / 10) return NULL;
        *number = *number * 10 + (*p - '0');
        if (fraction) *scale *= 10;
    }
    return p > begin && is_digit(*begin) ? p : NULL;
}

static bool parse_quantity(const char *text, const unit *units, int64_t *ret)
{
    int64_t     number, scale;
    const char *rest = read_number(text, &number, &scale);
    if (!rest) return false;
    while (*rest == ' ') rest++;
    const unit *u = find_unit(units, rest);
    if (!u && number == 0 && !*rest) u = &units[0];
    if (!u) return false;
    __int128 value = (__int128)number * u->factor / scale;
    if (value > INT64_MAX) return false;
    *ret = (int64_t)value;
    return true;
}

tain_status tain_parse_duration(const char *text, int64_t *ret, tain_error *err)
{
    if (parse_quantity(text, durations, ret)) return TAIN_OK;
    tain_status status = tain_fail(err, TAIN_E_INVALID, "'%s' is not a duration", text);
    tain_error_remedy(err, "write a number and us, ms, s, m, h or d, such as 500ms");
    return status;
}

tain_status tain_parse_size(const char *text, int64_t *ret, tain_error *err)
{
    if (parse_quantity(text, sizes, ret)) return TAIN_OK;
    tain_status status = tain_fail(err, TAIN_E_INVALID, "'%s' is not a size", text);
    tain_error_remedy(err, "write a number and k, M, G or T (1024), KiB, MiB (1024) or KB, MB (1000), such as 256MiB");
    return status;
}

/* Floored to one digit, so that 999,999 is never shown as "1000.0 k". */
static void scaled(uint64_t value, uint64_t base, const char *const names[], size_t count, char out[static 24])
{
    uint64_t factor = 1;
    size_t   i = 0;
    while (i + 1 < count && value / factor >= base) {
        factor *= base;
        i++;
    }
    if (i == 0) {
        snprintf(out, 24, "%llu%s%s", (unsigned long long)value, *names[0] ? " " : "", names[0]);
        return;
    }
    unsigned long long tenths = value % factor / (factor / 10);
    snprintf(out, 24, "%llu.%llu %s", (unsigned long long)(value / factor), tenths > 9 ? 9 : tenths, names[i]);
}

const char *tain_plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

void tain_human_bytes(uint64_t bytes, char out[static 24])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    scaled(bytes, 1024, names, 6, out);
}

void tain_human_count(uint64_t n, char out[static 24])
{
    static const char *const names[] = {"", "k", "M", "G", "T"};
    scaled(n, 1000, names, 5, out);
}

void tain_human_duration(int64_t microseconds, char out[static 24])
{
    const char *sign = microseconds < 0 ? "-" : "";
    uint64_t    us = microseconds < 0 ? 0 - (uint64_t)microseconds : (uint64_t)microseconds, s = us / 1000000;
    typedef unsigned long long number;
    if (us == 0) snprintf(out, 24, "0 s");
    else if (us < 1000) snprintf(out, 24, "%s%llu us", sign, (number)us);
    else if (us < 1000000) snprintf(out, 24, "%s%llu ms", sign, (number)(us / 1000));
    else if (s < 60) snprintf(out, 24, "%s%llu.%llu s", sign, (number)s, (number)(us % 1000000 / 100000));
    else if (s < 3600) snprintf(out, 24, "%s%llu m %02llu s", sign, (number)(s / 60), (number)(s % 60));
    else if (s < 86400) snprintf(out, 24, "%s%llu h %02llu m", sign, (number)(s / 3600), (number)(s / 60 % 60));
    else snprintf(out, 24, "%s%llu d %02llu h", sign, (number)(s / 86400), (number)(s / 3600 % 24));
}
