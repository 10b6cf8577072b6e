/* SPDX-License-Identifier: MIT */
/* A checkpoint is believed by every reader, and what it covers may be cleaned away behind it: so what was written is read
 * again, as others read it, and held against the state it was written from. */
#include "delta/internal.h"

static tain_status differs(const char *what, const char *of, tain_error *err)
{
    return tain_fail(err, TAIN_E_INTERNAL, "read back it has another %s%s%s", what, of ? " of " : "", of ? of : "");
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_json(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

static bool same_protocol(const tain_protocol *a, const tain_protocol *b)
{
    return a->reader == b->reader && a->writer == b->writer && same_json(a->reader_features, b->reader_features) &&
           same_json(a->writer_features, b->writer_features);
}

static bool same_metadata(const tain_delta *t, const tain_delta *there)
{
    const tain_delta_metadata *a = &t->meta, *b = &there->meta;
    return same_text(a->id, b->id) && same_text(a->name, b->name) && same_text(t->schema_text, there->schema_text) &&
           same_json(a->configuration, b->configuration) && same_json(a->partition_columns, b->partition_columns);
}

static bool same_file(const tain_delta_file *a, const tain_delta_file *b)
{
    return a->size == b->size && a->modified / TAIN_MILLISECOND == b->modified / TAIN_MILLISECOND &&
           tain_dv_same(&a->dv, &b->dv) && a->dv.size == b->dv.size && a->dv.cardinality == b->dv.cardinality &&
           same_text(a->stats, b->stats);
}

static tain_status check_files(const tain_delta *t, const tain_delta *there, tain_error *err)
{
    tain_delta_file *f;
    if (there->files.count != t->files.count) return differs("number", "files", err);
    for (size_t cursor = 0; tain_delta_next_file(t, &cursor, &f);) {
        const tain_delta_file *as_read = tain_delta_find(there, f->path);
        if (!as_read || !same_file(f, as_read)) return differs("description", f->path, err);
    }
    return TAIN_OK;
}

static tain_status check_txns(const tain_delta *t, const tain_delta *there, tain_error *err)
{
    const char     *app;
    const tain_txn *x;
    if (there->txns.count != t->txns.count) return differs("number", "transactions", err);
    TAIN_MAP_EACH (&t->txns, i, app, x)
        if (tain_delta_txn(there, app) != x->version) return differs("version", app, err);
    return TAIN_OK;
}

static tain_status compare(const tain_delta *t, const tain_delta *there, size_t tombstones, tain_error *err)
{
    if (!same_protocol(&t->protocol, &there->protocol)) return differs("protocol", NULL, err);
    if (!there->schema_text || !same_metadata(t, there)) return differs("metadata", NULL, err);
    TAIN_TRY(check_txns(t, there, err));
    if (there->domains.count != t->domains.count) return differs("number", "domains", err);
    if (there->tombstone_count != tombstones) return differs("number", "removed files", err);
    return check_files(t, there, err);
}

tain_status tain_checkpoint_check(const tain_delta *t, const char *key, size_t tombstones, tain_error *err)
{
    tain_delta *there = tain_state_new(t->store);
    there->version = t->version - 1;
    tain_status st = tain_checkpoint_read(there, (char *[]){(char *)key}, 1, err);
    tain_state_end_commit(there, t->version);
    if (st == TAIN_OK) st = compare(t, there, tombstones, err);
    tain_delta_close(there);
    return st;
}
