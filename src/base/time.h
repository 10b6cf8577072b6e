/* SPDX-License-Identifier: MIT */
/* time.h -- instants and intervals in microseconds. Thread: any. */
#ifndef TAIN_BASE_TIME_H
#define TAIN_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t tain_time; /* microseconds since 1970-01-01T00:00:00Z, or an interval in microseconds */

#define TAIN_MILLISECOND ((tain_time)1000)
#define TAIN_SECOND      ((tain_time)1000000)

tain_time tain_now(void);       /* wall clock */
tain_time tain_monotonic(void); /* for intervals and deadlines */

/* Days since epoch <-> proleptic Gregorian date; any year that fits. */
int64_t tain_days_from_civil(int64_t year, unsigned month, unsigned day);
void    tain_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
/* "2026-01-31T12:34:56.789Z"; digits of the fraction 0, 3 or 6 (floored). Returns the length; out holds >= 40. */
size_t tain_time_iso(tain_time t, int digits, char out[static 40]);
/* Back from what tain_time_iso writes; 0: it is not of that form. */
tain_time tain_time_from_iso(const char *text);

#endif
