/* SPDX-License-Identifier: MIT */
#include "mirror/apply.h"

#include <stdlib.h>

#include "mirror/net.h"

/* --- writing ------------------------------------------------------------------------------------------------------- */

static tain_status append(tain_net *net, tain_parquet_writer *w, tain_error *err)
{
    const tain_changes *c = net->changes;
    if (!c->any_unchanged) return tain_parquet_append(w, &c->batch, net->emitted, 0, net->emitted_count, err);
    tain_batch whole;
    tain_batch_init(&whole, c->batch.schema);
    tain_status st = tain_net_readback(net, &whole, err);
    if (st == TAIN_OK) st = tain_parquet_append(w, &whole, NULL, 0, whole.rows, err);
    tain_batch_done(&whole);
    return st;
}

static tain_status write_rows(tain_net *net, tain_delta_file **ret, tain_error *err)
{
    tain_delta_writer *w;
    TAIN_TRY(tain_delta_writer_new(net->table->store, net->changes->batch.schema, NULL, &w, err));
    tain_status st = append(net, tain_delta_writer_parquet(w), err);
    if (st != TAIN_OK) {
        tain_delta_writer_abort(w);
        return st;
    }
    return tain_delta_writer_finish(w, ret, err);
}

/* The index is a cache: what it cannot write down it keeps in memory, so its trouble is not ours. */
static void index_rows(tain_net *net, const tain_delta_file *f)
{
    uint64_t *hashes = tain_alloc((net->emitted_count + 1) * sizeof *hashes);
    for (size_t i = 0; i < net->emitted_count; i++) hashes[i] = net->hashes[net->emitted[i]];
    tain_index_name_file(net->table->index, f->path, f->ordinal);
    tain_status st = tain_index_add(net->table->index, f->ordinal, 0, hashes, net->emitted_count, NULL);
    if (st != TAIN_OK) tain_table_warn(net->table, "index_not_written", NULL, 1);
    free(hashes);
}

/* --- what becomes pending ------------------------------------------------------------------------------------------ */

static void delete_old_rows(tain_net *net)
{
    for (size_t r = 0; r < net->rows; r++) {
        if (!net->wanted[r]) continue;
        if (net->found[r]) {
            tain_delta_file *f = tain_ordinals_get(&net->table->files, net->old[r].file);
            roaring_bitmap_add(tain_pending_deletes(net->table, f, true), net->old[r].row);
        } else if (tain_net_op(net, r) != TAIN_UPSERT && tain_net_op(net, r) != TAIN_DELETE_IF) {
            tain_table_warn(net->table, "row_not_found", NULL, 1);
        }
    }
}

static void count(tain_net *net)
{
    tain_pending *p = &net->table->pending;
    for (size_t r = 0; r < net->rows; r++) {
        switch (tain_net_op(net, r)) {
        case TAIN_INSERT: p->inserted++; break;
        case TAIN_DELETE:
        case TAIN_DELETE_IF: p->deleted++; break;
        case TAIN_KEY_OLD: continue;
        default: p->updated++;
        }
        p->rows++;
    }
    p->bytes += (int64_t)tain_batch_bytes(&net->changes->batch);
}

tain_status tain_apply_changes(tain_table *t, const tain_changes *changes, tain_error *err)
{
    if (changes->batch.rows == 0) return TAIN_OK;
    tain_net net;
    tain_delta_file *file = NULL;
    tain_net_init(&net, t, changes);
    tain_net_collapse(&net);
    tain_status st = tain_net_locate(&net, err);
    if (st == TAIN_OK && net.emitted_count) st = write_rows(&net, &file, err);
    if (st == TAIN_OK) {
        delete_old_rows(&net);
        if (file) {
            tain_pending_add_file(t, file);
            index_rows(&net, file);
        }
        count(&net);
        t->pending.dirty = true;
    }
    tain_net_done(&net);
    return st;
}

tain_status tain_apply_truncate(tain_table *t, tain_error *err)
{
    (void)err;
    tain_pending kept = t->pending; /* what was applied before stays counted */
    tain_delta_file *f;
    tain_pending_clear(t);
    t->pending = (tain_pending){
        .truncated = true, .dirty = true, .schema = kept.schema, .rows = kept.rows, .inserted = kept.inserted,
        .updated = kept.updated, .deleted = kept.deleted, .bytes = kept.bytes, .position = kept.position,
    };
    for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);) tain_ordinals_remove(&t->files, f->ordinal);
    t->pending.rows++;
    return TAIN_OK;
}

tain_status tain_apply_shape(tain_table *t, const tain_source_table *shape, tain_error *err)
{
    TAIN_TRY(tain_table_reshape(t, shape, err));
    tain_pending *p = &t->pending;
    p->schema = tain_schema_equal(tain_delta_meta(t->delta)->schema, t->schema) ? NULL : t->schema;
    if (p->schema) p->dirty = true;
    return TAIN_OK;
}
