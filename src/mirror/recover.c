/* SPDX-License-Identifier: MIT */
#include "mirror/recover.h"

static json_t *tables_of(const json_t *stored)
{
    json_t *apart = json_object(), *o;
    size_t i;
    json_array_foreach(json_object_get(stored, "tables"), i, o)
    {
        const char *name = tain_json_get_str(o, "name", NULL);
        if (name) json_object_set(apart, name, o);
    }
    return apart;
}

void tain_recover_last(tain_mirror *m, const json_t *stored, tain_epoch *io_last, json_t **io_apart)
{
    int64_t epoch = tain_json_get_int(stored, "epoch", 0);
    const char *position = tain_json_get_str(stored, "position", NULL);
    if (epoch <= io_last->number || !position) return;
    io_last->number = epoch;
    snprintf(io_last->position.text, sizeof io_last->position.text, "%s", position);
    json_decref(*io_apart);
    *io_apart = tables_of(stored);
    tain_mirror_say(m, "the newest epoch records are not there: going on from epoch %lld, position %s, as the last status has it", (long long)epoch, position);
}

static tain_position furthest(const tain_mirror *m)
{
    tain_position p = {0};
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        if (t->status == TAIN_TABLE_REPLICATING && tain_position_compare(&t->have, &p) > 0) p = t->have;
    }
    return p;
}

/* Whether the source has not been elsewhere meanwhile. What it confirmed may be behind every commit when all records are
 * lost: those of a quiet time name no table. */
static bool is_believable(tain_mirror *m, const tain_position *confirmed)
{
    tain_position last = furthest(m);
    if (!last.text[0]) return false;
    if (tain_position_compare(confirmed, &last) > 0) return m->epoch == 0;
    return m->source->ops->start(m->source, &last, NULL) == TAIN_OK;
}

static void take(tain_mirror *m, const tain_position *confirmed)
{
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->status == TAIN_TABLE_REPLICATING && tain_position_compare(&t->have, confirmed) < 0) t->have = *confirmed;
    }
    if (tain_position_compare(&m->position, confirmed) < 0) m->position = *confirmed;
}

tain_status tain_recover_start(tain_mirror *m, tain_status why, tain_error *err)
{
    tain_position confirmed = {0};
    bool lost = m->epoch == 0 || m->whole.text[0]; /* some table is ahead of the newest record */
    if (why != TAIN_E_GONE || !lost || !m->source->ops->confirmed) return why;
    if (m->source->ops->confirmed(m->source, &confirmed, NULL) != TAIN_OK || !confirmed.text[0]) return why;
    if (!is_believable(m, &confirmed)) return why;
    take(m, &confirmed);
    tain_mirror_say(m, "epoch records are missing: the position is found again from the tables' own commits, and from what was confirmed to the source, %s;"
                    " if a table had failed before, tain verify tells", confirmed.text);
    return m->source->ops->start(m->source, &confirmed, err);
}
