/* SPDX-License-Identifier: MIT */
/* The state of a version copied, so that another thread can write it down while the table goes on. */
#include "delta/internal.h"

static tain_delta_file *copy_file(const tain_delta_file *f)
{
    tain_delta_file *c = tain_alloc(sizeof *c);
    *c = *f;
    c->path = tain_strdup(f->path);
    c->stats = tain_strdup(f->stats);
    if (f->partition_values != tain_delta_no_partition) c->partition_values = tain_strdup(f->partition_values);
    c->tags = tain_strdup(f->tags);
    c->dv = tain_dv_copy(&f->dv);
    c->deleted = NULL;
    c->owner = NULL;
    return c;
}

static void copy_files(tain_delta *s, const tain_delta *t)
{
    tain_delta_file *f;
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);) {
        tain_delta_file *c = copy_file(f);
        tain_state_insert(s, c, f->since);
    }
}

static void copy_small(tain_delta *s, const tain_delta *t)
{
    const char     *key, *configuration;
    const tain_txn *x;
    TAIN_MAP_EACH (&t->txns, i, key, x) tain_state_set_txn(s, key, x->version, x->updated_ms, x->since);
    TAIN_MAP_EACH (&t->domains, i, key, configuration) tain_state_set_domain(s, key, configuration);
    s->protocol = (tain_protocol){.reader = t->protocol.reader, .writer = t->protocol.writer,
                                  .reader_features = json_deep_copy(t->protocol.reader_features),
                                  .writer_features = json_deep_copy(t->protocol.writer_features)};
    s->meta = (tain_delta_metadata){.id = tain_strdup(t->meta.id), .name = tain_strdup(t->meta.name),
                                    .description = tain_strdup(t->meta.description), .schema = tain_schema_copy(t->meta.schema),
                                    .configuration = json_deep_copy(t->meta.configuration),
                                    .partition_columns = json_deep_copy(t->meta.partition_columns), .created_ms = t->meta.created_ms};
    s->schema_text = tain_strdup(t->schema_text);
}

static void copy_tombstones(tain_delta *s, const tain_delta *t)
{
    for (size_t i = 0; i < t->tombstone_count; i++) {
        const tain_tombstone *x = t->tombstones[i];
        tain_state_add_tombstone(s, x->path, &x->dv, x->deleted_ms, x->size, x->extended, x->partition_values);
    }
}

tain_delta *tain_delta_still(tain_delta *t)
{
    tain_delta *s = tain_state_new(t->store);
    copy_files(s, t);
    copy_small(s, t);
    copy_tombstones(s, t);
    s->version = t->version;
    s->meta_since = t->meta_since;
    s->checkpoint = t->checkpoint;
    s->checkpoint_bytes = t->checkpoint_bytes;
    s->still_tail = s->tail_bytes = t->tail_bytes;
    s->broken = t->broken;
    return s;
}

void tain_delta_take_checkpoint(tain_delta *t, const tain_delta *still)
{
    if (still->checkpoint <= t->checkpoint) return;
    t->checkpoint = still->checkpoint;
    t->checkpoint_bytes = still->checkpoint_bytes;
    t->checkpoint_time = tain_monotonic();
    t->tail_bytes -= still->still_tail;
    tain_state_expire(t, (tain_now() - tain_delta_retention(t)) / TAIN_MILLISECOND);
}
