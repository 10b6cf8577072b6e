/* SPDX-License-Identifier: MIT */
/* moment.h -- times as clients write them (RFC 3339). Inside of serve/api. */
#ifndef TAIN_SERVE_API_MOMENT_H
#define TAIN_SERVE_API_MOMENT_H

#include <stdbool.h>

#include "base/time.h"

/* "2026-01-31T12:34:56.789+01:00": fraction of any length, floored to microseconds; false: it is none. */
bool tain_moment_read(const char *text, tain_time *ret);

#endif
