/* SPDX-License-Identifier: MIT */
#include "mirror/indexes.h"

enum { SHARE = 8 /* of the budget */ };

void tain_indexes_use(tain_mirror *m, const tain_part *part)
{
    m->parts_done++;
    for (size_t i = 0; i < part->count; i++) part->tables[i].table->used = m->parts_done;
}

/* Of tables that are being loaded the readers have it. */
static size_t held_by(const tain_table *t)
{
    return t->loading || !t->index ? 0 : tain_index_memory_bytes(t->index);
}

static size_t held_by_all(const tain_mirror *m, size_t *ret_average)
{
    size_t sum = 0, n = 0;
    for (size_t i = 0; i < m->table_count; i++) {
        size_t held = held_by(m->tables[i]);
        sum += held;
        n += held > 0;
    }
    *ret_average = n ? sum / n : 0;
    return sum;
}

/* What a small one holds is not worth a run. */
static tain_table *least_used(const tain_mirror *m, size_t worth)
{
    tain_table *least = NULL;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (held_by(t) < worth || (least && least->used <= t->used)) continue;
        least = t;
    }
    return least;
}

void tain_indexes_limit(tain_mirror *m)
{
    size_t most = (size_t)m->definition->memory / SHARE, average;
    while (held_by_all(m, &average) > most) {
        if (!tain_table_release_index(least_used(m, average))) return;
    }
}
