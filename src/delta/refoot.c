/* SPDX-License-Identifier: MIT */
/* A data file with columns more than a live or pending one, under a fresh name. */
#include "delta/internal.h"

#include "base/text.h"

/* Statistics of the old file, and those of the new columns where others would have them. */
static char *joined_stats(const tain_delta *t, const tain_delta_file *f, const tain_schema *added, size_t columns, const tain_parquet_summary *s)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer own = {0};
    tain_delta_indexed indexed = tain_delta_indexed_columns(t);
    bool beyond = !indexed.named && indexed.first >= 0 && columns > (size_t)indexed.first;
    indexed.first = -1;
    if (f->stats && !beyond) tain_stats_json(added, s, &indexed, true, &own);
    tain_delta_indexed_done(&indexed);
    if (!f->stats || beyond) return tain_strdup(f->stats);
    return tain_stats_join(f->stats, tain_buffer_cstr(&own));
}

static tain_delta_file *described(const tain_delta_file *f, char *name, int64_t bytes, char *stats)
{
    tain_delta_file *n = tain_alloc(sizeof *n);
    *n = (tain_delta_file){.path = name, .size = bytes, .modified = tain_now(), .rows = f->rows, .stats = stats, .ordinal = f->ordinal,
                           .partition_values = tain_delta_no_partition};
    return n;
}

static tain_status upload(const tain_delta *t, const tain_delta_file *f, const char *name, const tain_schema *added,
                          const tain_refoot_source *sources, tain_parquet_summary *s, tain_error *err)
{
    tain_upload *u;
    TAIN_AUTO(tain_free) char *key = tain_delta_file_key(t, f);
    if (!key) return tain_fail(err, TAIN_E_UNSUPPORTED, "%s lies outside of the table's folder", f->path);
    TAIN_TRY(tain_store_upload(t->store, name, &u, err));
    tain_status st = tain_parquet_refoot(t->store, key, f->size, added, sources, u, s, err);
    if (st == TAIN_OK) st = tain_upload_finish(u, err);
    else tain_upload_abort(u);
    tain_object stored; /* the name is fresh, so an object of that name and size is ours */
    if (st == TAIN_E_UNKNOWN && tain_store_head(t->store, name, &stored, NULL) == TAIN_OK && stored.size == s->bytes) return TAIN_OK;
    return st;
}

tain_status tain_delta_refoot(const tain_delta *t, const tain_delta_file *f, const tain_schema *added, const tain_refoot_source *sources,
                              size_t columns, tain_delta_file **ret, tain_error *err)
{
    char                 id[37];
    tain_parquet_summary s = {0};
    tain_uuid_text(id);
    char       *name = tain_format("part-%s.parquet", id);
    tain_status st = upload(t, f, name, added, sources, &s, err);
    if (st == TAIN_OK) *ret = described(f, name, s.bytes, joined_stats(t, f, added, columns, &s));
    else tain_free(name);
    tain_parquet_summary_done(&s);
    return st;
}
