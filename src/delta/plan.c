/* SPDX-License-Identifier: MIT */
#include "delta/plan.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/text.h"

void tain_plan_done(tain_plan *p)
{
    for (size_t i = 0; i < p->change_count; i++) {
        if (p->changes[i].rows) roaring_bitmap_free(p->changes[i].rows);
        tain_dv_done(&p->changes[i].dv);
        tain_free(p->changes[i].stats);
    }
    tain_free(p->changes);
    tain_metadata_done(&p->meta);
    tain_protocol_done(&p->protocol);
    tain_free(p->schema_text);
    *p = (tain_plan){0};
}

/* --- is it allowed --------------------------------------------------------------------------------------------------- */

typedef enum role { ROLE_ADD = 1, ROLE_REMOVE, ROLE_DELETE } role;

static tain_status not_live(const tain_delta_file *f, tain_error *err)
{
    return tain_fail(err, TAIN_E_CONFLICT, "%s is no longer a file of the table", f->path);
}

/* Every file has one role, but for deletions in a file that is added. */
static tain_status check_role(tain_map *roles, const tain_delta_file *f, role r, tain_error *err)
{
    role before = (role)(uintptr_t)tain_map_put(roles, f->path, (void *)(uintptr_t)r);
    bool fine = before == 0 || (before == ROLE_ADD && r == ROLE_DELETE && !f->live);
    if (!fine) return tain_fail(err, TAIN_E_INVALID, "%s is named twice in one commit", f->path);
    if (r == ROLE_REMOVE && !f->live) return not_live(f, err);
    if (r == ROLE_DELETE && !f->live && before != ROLE_ADD) return not_live(f, err);
    return TAIN_OK;
}

static tain_status check_adds(const tain_delta *t, const tain_plan *p, tain_map *roles, tain_error *err)
{
    for (size_t i = 0; i < p->c->add_count; i++) {
        const tain_delta_file *f = p->c->adds[i];
        if (f->live || tain_map_get(&t->files, f->path))
            return tain_fail(err, TAIN_E_INVALID, "%s is a file of the table already", f->path);
        TAIN_TRY(check_role(roles, f, ROLE_ADD, err));
    }
    return TAIN_OK;
}

static tain_status check_files(const tain_delta *t, const tain_plan *p, tain_error *err)
{
    const tain_delta_commit *c = p->c;
    tain_map                 roles = {0};
    tain_status              st = check_adds(t, p, &roles, err);
    for (size_t i = 0; i < c->remove_count && st == TAIN_OK; i++) st = check_role(&roles, c->removes[i], ROLE_REMOVE, err);
    for (size_t i = 0; i < c->delete_count && st == TAIN_OK; i++) st = check_role(&roles, c->deletes[i].file, ROLE_DELETE, err);
    tain_map_done(&roles);
    return st;
}

static tain_status check_partitions(const tain_delta *t, const tain_plan *p, tain_error *err)
{
    if (!json_array_size(t->meta.partition_columns)) return TAIN_OK;
    for (size_t i = 0; i < p->c->add_count; i++)
        if (strcmp(p->c->adds[i]->partition_values, tain_delta_no_partition) == 0)
            return tain_fail(err, TAIN_E_UNSUPPORTED, "the table is partitioned; tain does not write partitions");
    return TAIN_OK;
}

/* As it is with the commit. */
static bool has_feed(const tain_delta *t, const tain_delta_commit *c)
{
    bool given = json_object_get(c->configuration, TAIN_DELTA_FEED_KEY) != NULL;
    return given ? tain_property_bool(c->configuration, TAIN_DELTA_FEED_KEY, false) : tain_delta_has_feed(t);
}

static tain_status check_feed(const tain_delta *t, const tain_delta_commit *c, tain_error *err)
{
    bool rows = false;
    for (size_t i = 0; i < c->delete_count; i++) rows |= c->deletes[i].file->live;
    if (!rows || !c->data_change || c->feed_count || !has_feed(t, c)) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "the table has its change data feed on (" TAIN_DELTA_FEED_KEY "), and the commit comes without change data");
}

/* Whether what the table asks of a writer is what we do. */
static tain_status check_asked(const tain_delta *t, const tain_plan *p, tain_error *err)
{
    if (t->version >= 0) TAIN_TRY(tain_protocol_check_write(&t->protocol, &t->meta, err));
    if (t->opened_id && strcmp(t->opened_id, t->meta.id) != 0)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "another program replaced the table in version %lld", (long long)t->meta_since);
    bool takes_away = p->c->data_change && (p->c->remove_count || p->c->delete_count);
    if (takes_away && tain_property_bool(t->meta.configuration, "delta.appendOnly", false))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "the table is append-only (delta.appendOnly)");
    TAIN_TRY(check_feed(t, p->c, err));
    static const char *const acted_upon[] = {"delta.invariants", "delta.generationExpression", "delta.identity."};
    for (size_t i = 0; t->schema_text && p->c->data_change && i < sizeof acted_upon / sizeof *acted_upon; i++)
        if (strstr(t->schema_text, acted_upon[i]))
            return tain_fail(err, TAIN_E_UNSUPPORTED, "a column has %s, which tain cannot evaluate", acted_upon[i]);
    return check_partitions(t, p, err);
}

/* --- deletions ------------------------------------------------------------------------------------------------------- */

/* Physical rows of a file whose statistics do not tell. */
static tain_status count_rows(tain_delta *t, tain_delta_file *f, int64_t *ret, tain_error *err)
{
    *ret = f->rows;
    if (f->rows >= 0) return TAIN_OK;
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY_IN(err, tain_delta_file_open(t, f, &file, err), "numRecords is missing");
    *ret = tain_parquet_file_rows(file);
    return TAIN_OK;
}

static tain_status plan_change(tain_delta *t, tain_plan *p, const struct tain_dv_change *d, tain_error *err)
{
    const roaring_bitmap_t *old;
    int64_t                 rows;
    if (roaring_bitmap_is_empty(d->rows)) return TAIN_OK;
    TAIN_TRY(count_rows(t, d->file, &rows, err));
    if ((int64_t)roaring_bitmap_maximum(d->rows) >= rows)
        return tain_fail(err, TAIN_E_INVALID, "row %u of a file of %lld rows", roaring_bitmap_maximum(d->rows), (long long)rows);
    TAIN_TRY(tain_delta_deleted(t, d->file, &old, err));
    roaring_bitmap_t *all = old ? roaring_bitmap_or(old, d->rows) : roaring_bitmap_copy(d->rows);
    int64_t           n = (int64_t)roaring_bitmap_get_cardinality(all);
    if (n == d->file->dv.cardinality) { /* nothing new */
        roaring_bitmap_free(all);
        return TAIN_OK;
    }
    tain_plan_change *x = &p->changes[p->change_count++];
    *x = (tain_plan_change){.file = d->file};
    if (n == rows) {
        roaring_bitmap_free(all);
        return TAIN_OK;
    }
    roaring_bitmap_run_optimize(all);
    x->rows = all;
    x->stats = tain_stats_loosen(d->file->stats, rows);
    return TAIN_OK;
}

static tain_status plan_changes(tain_delta *t, tain_plan *p, tain_error *err)
{
    p->changes = tain_alloc((p->c->delete_count + 1) * sizeof *p->changes);
    for (size_t i = 0; i < p->c->delete_count; i++)
        TAIN_TRY_IN(err, plan_change(t, p, &p->c->deletes[i], err), "%s", p->c->deletes[i].file->path);
    bool vectors = false;
    for (size_t i = 0; i < p->change_count; i++) vectors |= p->changes[i].rows != NULL;
    if (vectors && !tain_protocol_has(p->has_protocol ? &p->protocol : &t->protocol, "deletionVectors"))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "the table does not have the feature deletionVectors");
    return TAIN_OK;
}

tain_status tain_plan_make(tain_delta *t, const tain_delta_commit *c, tain_plan *io, tain_error *err)
{
    io->c = c;
    io->base = t->version;
    io->now_ms = tain_now() / TAIN_MILLISECOND;
    tain_uuid_text(io->txn_id);
    io->anew = c->whole && check_asked(t, io, NULL) == TAIN_E_UNSUPPORTED;
    if (!io->anew) TAIN_TRY(check_asked(t, io, err));
    TAIN_TRY(check_files(t, io, err));
    TAIN_TRY(tain_plan_metadata(t, io, err));
    return plan_changes(t, io, err);
}

/* --- vectors ----------------------------------------------------------------------------------------------------------- */

/* A fresh name, so that putting it twice does no harm. */
static tain_status put_pack(tain_delta *t, const tain_dv_pack *pack, tain_error *err)
{
    if (!pack->bytes.size) return TAIN_OK;
    char       *key = tain_dv_pack_key(pack);
    tain_status st = tain_store_put(t->store, key, tain_buffer_slice(&pack->bytes), 0, err);
    for (int again = 0; st == TAIN_E_UNKNOWN && again < 3; again++)
        st = tain_store_put(t->store, key, tain_buffer_slice(&pack->bytes), 0, err);
    tain_free(key);
    return st;
}

tain_status tain_plan_write_vectors(tain_delta *t, tain_plan *p, tain_error *err)
{
    tain_dv_pack pack = {0};
    tain_status  st = TAIN_OK;
    for (size_t i = 0; i < p->change_count && st == TAIN_OK; i++) {
        tain_plan_change *x = &p->changes[i];
        if (!x->rows) continue;
        bool full = pack.bytes.size + roaring_bitmap_portable_size_in_bytes(x->rows) > TAIN_DV_PACK_BYTES;
        if (full) st = put_pack(t, &pack, err);
        if (full || !pack.bytes.size) tain_dv_pack_begin(&pack);
        tain_dv_pack_add(&pack, x->rows, &x->dv);
    }
    if (st == TAIN_OK) st = put_pack(t, &pack, err);
    tain_buffer_done(&pack.bytes);
    if (st == TAIN_OK && p->change_count) tain_fault(TAIN_FAULT_DELTA_DV_WRITTEN);
    return st;
}

/* --- later versions ------------------------------------------------------------------------------------------------------ */

static tain_status unchanged(const tain_delta_file *f, int64_t base, tain_error *err)
{
    if (!f->live) return not_live(f, err);
    if (f->since > base) return tain_fail(err, TAIN_E_CONFLICT, "%s was changed in version %lld", f->path, (long long)f->since);
    return TAIN_OK;
}

static bool is_added(const tain_delta_commit *c, const tain_delta_file *f)
{
    for (size_t i = 0; i < c->add_count; i++)
        if (c->adds[i] == f) return true;
    return false;
}

tain_status tain_plan_conflict(const tain_delta *t, const tain_plan *p, tain_error *err)
{
    const tain_delta_commit *c = p->c;
    if (c->lowers && t->version > p->base) return tain_fail(err, TAIN_E_CONFLICT, "another writer may have used what is taken away");
    if (t->meta_since > p->base)
        return tain_fail(err, TAIN_E_CONFLICT, "schema, properties or protocol were changed in version %lld",
                         (long long)t->meta_since);
    const tain_txn *x = c->app_id ? tain_map_get(&t->txns, c->app_id) : NULL;
    if (x && x->since > p->base) return tain_fail(err, TAIN_E_CONFLICT, "another writer commits as \"%s\"", c->app_id);
    for (size_t i = 0; i < c->remove_count; i++) TAIN_TRY(unchanged(c->removes[i], p->base, err));
    for (size_t i = 0; i < c->delete_count; i++)
        if (c->deletes[i].file->live || !is_added(c, c->deletes[i].file)) TAIN_TRY(unchanged(c->deletes[i].file, p->base, err));
    return TAIN_OK;
}
