/* SPDX-License-Identifier: MIT */
#include "serve/api/moment.h"

#include <ctype.h>

/* n digits; below 0: there are none such. */
static int number(const char **io, int n)
{
    int v = 0;
    for (; n > 0; n--, (*io)++) {
        if (!isdigit((unsigned char)**io)) return -1;
        v = v * 10 + (**io - '0');
    }
    return v;
}

static bool sign(const char **io, const char *which)
{
    for (; *which; which++)
        if (**io == *which) {
            (*io)++;
            return true;
        }
    return false;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **io, tain_time *ret)
{
    int year = number(io, 4), month = sign(io, "-") ? number(io, 2) : -1, day = sign(io, "-") ? number(io, 2) : -1;
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_of(year, month)) return false;
    *ret = tain_days_from_civil(year, (unsigned)month, (unsigned)day) * 86400 * TAIN_SECOND;
    return true;
}

static bool read_fraction(const char **io, tain_time *ret)
{
    tain_time unit = TAIN_SECOND;
    if (!sign(io, ".")) return true;
    if (!isdigit((unsigned char)**io)) return false;
    for (; isdigit((unsigned char)**io); (*io)++) *ret += (**io - '0') * (unit /= 10);
    return true;
}

static bool read_clock(const char **io, tain_time *ret)
{
    int hour = number(io, 2), minute = sign(io, ":") ? number(io, 2) : -1, second = sign(io, ":") ? number(io, 2) : -1;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
    *ret += ((hour * 60 + minute) * 60 + second) * TAIN_SECOND;
    return read_fraction(io, ret);
}

static bool read_zone(const char **io, tain_time *ret)
{
    bool east = **io == '+';
    if (sign(io, "Zz")) return true;
    if (!sign(io, "+-")) return false;
    int hour = number(io, 2), minute = sign(io, ":") ? number(io, 2) : -1;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    *ret -= (east ? 1 : -1) * (hour * 60 + minute) * 60 * TAIN_SECOND;
    return true;
}

bool tain_moment_read(const char *text, tain_time *ret)
{
    return read_date(&text, ret) && sign(&text, "Tt ") && read_clock(&text, ret) && read_zone(&text, ret) && !*text;
}
