/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/freshness.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"

const double tain_freshness_bounds[] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

static bool has_changed(const json_t *before, const json_t *table)
{
    bool same = strcmp(tain_json_get_str(before, "name", ""), tain_json_get_str(table, "name", "")) == 0; /* else one came or went */
    return same && strcmp(tain_json_get_str(before, "last_completed", ""), tain_json_get_str(table, "last_completed", "")) != 0;
}

static void count(tain_freshness *f, double seconds)
{
    size_t i = 0;
    while (i < TAIN_FRESHNESS_BOUNDS && seconds > tain_freshness_bounds[i]) i++;
    f->counts[i]++;
    f->sum += seconds;
}

void tain_freshness_add(tain_freshness *f, const json_t *before, const json_t *status)
{
    const json_t *tables = json_object_get(before, "tables"), *table;
    size_t        i;
    json_array_foreach(json_object_get(status, "tables"), i, table)
    {
        int64_t latency = tain_json_get_int(table, "latency_ms", -1);
        if (latency >= 0 && has_changed(json_array_get(tables, i), table)) count(f, (double)latency / 1000);
    }
}
