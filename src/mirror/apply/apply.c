/* SPDX-License-Identifier: MIT */
#include "mirror/apply/apply.h"

#include <stdlib.h>

#include "mirror/history/history.h"

enum { READ_BYTES = 8 << 20 };

/* --- writing ------------------------------------------------------------------------------------------------------- */

static tain_status put(void *ctx, const tain_batch *rows, const uint32_t *emitted, size_t n, tain_error *err)
{
    (void)emitted;
    return tain_parquet_append(ctx, rows, NULL, 0, n, err);
}

static tain_status append(tain_net *net, tain_parquet_writer *w, tain_error *err)
{
    size_t whole = tain_net_arrange(net);
    TAIN_TRY(tain_parquet_append(w, &net->changes->batch, net->emitted, 0, whole, err));
    return tain_net_readback(net, whole, put, w, err);
}

static tain_status write_rows(tain_net *net, tain_delta_file **ret, tain_error *err)
{
    tain_delta_writer *w;
    tain_parquet_options options = tain_table_file_options(net->table);
    TAIN_TRY(tain_delta_writer_new(net->table->store, net->table->schema, &options, &w, err));
    tain_delta_writer_index_columns(w, net->table->delta);
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
        } else if (!net->table->replay && tain_net_op(net, r) != TAIN_UPSERT && tain_net_op(net, r) != TAIN_DELETE_IF) {
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
    tain_delta_file *file = NULL, *versions = NULL;
    tain_net_init(&net, t, changes);
    tain_net_collapse(&net);
    tain_status st = tain_net_locate(&net, err);
    if (st == TAIN_OK) st = tain_history_take(&net, &versions, err);
    if (st == TAIN_OK && net.emitted_count) st = write_rows(&net, &file, err);
    if (st == TAIN_OK) {
        tain_history_keep(t, versions);
        delete_old_rows(&net);
        if (file) {
            tain_pending_add_file(t, file);
            index_rows(&net, file);
        }
        count(&net);
        t->pending.dirty = true;
    } else {
        tain_delta_file_free(versions);
    }
    tain_net_done(&net);
    return st;
}

tain_status tain_apply_truncate(tain_table *t, tain_error *err)
{
    TAIN_TRY(tain_history_truncate(t, err));
    tain_pending kept = t->pending; /* what was applied before stays counted, and a new shape stays new */
    tain_delta_file *f;
    t->pending.rekeyed = false;
    t->pending.configuration = NULL;
    t->pending.name = NULL;
    tain_pending_drop(t);
    t->pending = (tain_pending){
        .truncated = t->delta != NULL, .dirty = true, .schema = kept.schema, .configuration = kept.configuration, .name = kept.name, .rekeyed = kept.rekeyed, .rows = kept.rows, .inserted = kept.inserted,
        .updated = kept.updated, .deleted = kept.deleted, .bytes = kept.bytes, .position = kept.position,
    };
    for (size_t cursor = 0; t->delta && tain_delta_next_file(t->delta, &cursor, &f);) tain_ordinals_remove(&t->files, f->ordinal);
    t->pending.rows++;
    return TAIN_OK;
}

/* --- after another writer ------------------------------------------------------------------------------------------ */

typedef struct lost_rows { /* of a file that is not live any more */
    char             *key;
    int64_t           size;
    roaring_bitmap_t *rows;
} lost_rows;

static bool is_pending(const tain_pending *p, const tain_delta_file *f)
{
    for (size_t i = 0; i < p->add_count; i++)
        if (p->adds[i] == f) return true;
    return false;
}

/* Takes the deletions in files that are gone out of what is pending. */
static size_t take_lost(tain_table *t, lost_rows *lost)
{
    tain_pending *p = &t->pending;
    size_t kept = 0, n = 0;
    for (size_t i = 0; i < p->delete_count; i++) {
        tain_file_deletes d = p->deletes[i];
        if (is_pending(p, d.file) || d.file->live) {
            p->deletes[kept++] = d;
            d.file->owner = (void *)kept;
        } else {
            lost[n++] = (lost_rows){.key = tain_delta_file_key(t->delta, d.file), .size = d.file->size, .rows = d.rows};
        }
    }
    p->delete_count = kept;
    return n;
}

static tain_status delete_again(tain_table *t, const tain_changes *keys, tain_error *err)
{
    tain_net net;
    tain_net_init(&net, t, keys);
    tain_net_collapse(&net);
    tain_status st = tain_net_locate(&net, err);
    if (st == TAIN_OK) delete_old_rows(&net);
    tain_net_done(&net);
    return st;
}

static tain_status find_rows_again(tain_table *t, tain_parquet_file *file, const uint32_t *rows, size_t n, tain_error *err)
{
    tain_changes keys;
    tain_changes_init(&keys, t->schema);
    tain_status st = TAIN_OK;
    for (size_t got; st == TAIN_OK && n; rows += got, n -= got) {
        tain_changes_clear(&keys);
        st = tain_parquet_read_some_rows(file, rows, n, READ_BYTES, &keys.batch, &got, err);
        for (size_t i = 0; st == TAIN_OK && i < got; i++) tain_buffer_append_u8(&keys.ops, TAIN_DELETE_IF);
        if (st == TAIN_OK) st = delete_again(t, &keys, err);
    }
    tain_changes_done(&keys);
    return st;
}

/* What is at those rows goes as deletions by key. */
static tain_status find_lost(tain_table *t, const lost_rows *lost, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_parquet_open(t->store, lost->key, lost->size, &file, err));
    size_t n = roaring_bitmap_get_cardinality(lost->rows);
    uint32_t *rows = tain_alloc((n + 1) * sizeof *rows);
    roaring_bitmap_to_uint32_array(lost->rows, rows);
    tain_status st = find_rows_again(t, file, rows, n, err);
    free(rows);
    return st;
}

static tain_status find_again(tain_table *t, lost_rows *lost, size_t n, tain_error *err)
{
    tain_status st = tain_table_feed_index(t, err); /* only live files are known: newer rows of the same keys are not found */
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = find_lost(t, &lost[i], err);
    for (size_t i = 0; i < t->pending.add_count; i++) tain_ordinals_put(&t->files, t->pending.adds[i]);
    return st;
}

tain_status tain_apply_is_lost(tain_status st, tain_error *err)
{
    tain_error why = err ? *err : (tain_error){0};
    if (tain_status_is_local(st)) return st;
    return tain_fail(err, TAIN_E_CORRUPT, "another program rewrote it, and its rows could not be found again: %s", why.message);
}

tain_status tain_apply_resolve_again(tain_table *t, tain_error *err)
{
    if (t->pending.replaced_count) {
        tain_table_misfit(t, "another program rewrote it while it took another shape");
        return TAIN_OK;
    }
    if (t->pending.truncated) return TAIN_OK; /* whatever there is now is removed, and no deletion is in it */
    lost_rows *lost = tain_alloc((t->pending.delete_count + 1) * sizeof *lost);
    size_t n = take_lost(t, lost);
    tain_status st = find_again(t, lost, n, err);
    for (size_t i = 0; i < n; i++) {
        free(lost[i].key);
        roaring_bitmap_free(lost[i].rows);
    }
    free(lost);
    return st == TAIN_OK ? TAIN_OK : tain_apply_is_lost(st, err);
}
