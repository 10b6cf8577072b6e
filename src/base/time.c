/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static tain_time clock_microseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (tain_time)t.tv_sec * TAIN_SECOND + t.tv_nsec / 1000;
}

tain_time tain_now(void)
{
    return clock_microseconds(CLOCK_REALTIME);
}

tain_time tain_monotonic(void)
{
    return clock_microseconds(CLOCK_MONOTONIC);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Both conversions count years from 1 March, so that the leap day is a year's last and months follow one linear rule;
 * 400 years are 146097 days, and 0000-03-01 is 719468 days before the epoch. */
int64_t tain_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = ((int64_t)month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void tain_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

size_t tain_time_iso(tain_time t, int digits, char out[static 40])
{
    int64_t  days = floor_div(t, 86400 * TAIN_SECOND), rest = t % (86400 * TAIN_SECOND);
    if (rest < 0) rest += 86400 * TAIN_SECOND;
    int64_t  second = rest / TAIN_SECOND, fraction = rest % TAIN_SECOND, year;
    unsigned month, day;
    tain_civil_from_days(days, &year, &month, &day);
    int n = snprintf(out, 40, "%04lld-%02u-%02uT%02lld:%02lld:%02lld", (long long)year, month, day, (long long)(second / 3600),
                     (long long)(second / 60 % 60), (long long)(second % 60));
    if (digits == 3) n += snprintf(out + n, 40 - (size_t)n, ".%03lld", (long long)(fraction / 1000));
    if (digits == 6) n += snprintf(out + n, 40 - (size_t)n, ".%06lld", (long long)fraction);
    n += snprintf(out + n, 40 - (size_t)n, "Z");
    return (size_t)n;
}

tain_time tain_time_from_iso(const char *text)
{
    int     year, used = 0;
    unsigned month, day, hour, minute, second;
    if (sscanf(text, "%d-%2u-%2uT%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &used) != 6) return 0;
    tain_time fraction = 0, unit = TAIN_SECOND / 10;
    const char *p = text + used;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10) fraction += (*p - '0') * unit;
    if (strcmp(p, "Z") != 0) return 0;
    return (tain_days_from_civil(year, month, day) * 86400 + (tain_time)hour * 3600 + minute * 60 + second) * TAIN_SECOND + fraction;
}
