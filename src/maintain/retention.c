/* SPDX-License-Identifier: MIT */
#include "maintain/retention.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define NOTE "tain.retention"
#define DAY  (86400 * TAIN_SECOND)
#define BEFORE_ANY "interval 1 day" /* what tables are created with */

static const struct { const char *name; tain_time length; } units[] = {{"day", DAY}, {"hour", 3600 * TAIN_SECOND}, {"minute", 60 * TAIN_SECOND}, {"second", TAIN_SECOND}};

/* In the largest unit that tells it exactly; less than a second is one. */
static const char *interval(tain_time t, char out[static 48])
{
    size_t i = 0, last = sizeof units / sizeof *units - 1;
    if (t < TAIN_SECOND) t = TAIN_SECOND;
    while (i < last && t % units[i].length) i++;
    long long n = t / units[i].length;
    snprintf(out, 48, "interval %lld %s%s", n, units[i].name, n == 1 ? "" : "s");
    return out;
}

json_t *tain_retention_properties(const json_t *configuration, tain_time wanted)
{
    char files[48], log[48];
    if (wanted <= 0 || strcmp(tain_json_get_str(configuration, NOTE, BEFORE_ANY), interval(wanted, files)) == 0) return NULL;
    return json_pack("{s:s,s:s,s:s}", NOTE, files, "delta.deletedFileRetentionDuration", files, "delta.logRetentionDuration",
                     interval(wanted + DAY, log));
}
