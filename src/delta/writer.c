/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "base/text.h"
#include "delta/internal.h"

struct tain_delta_writer {
    tain_store          *folder;
    tain_schema         *schema;
    char                *name;
    tain_delta_indexed   indexed; /* columns with statistics */
    tain_upload         *upload;
    tain_parquet_writer *parquet;
};

uint32_t tain_delta_new_ordinal(void)
{
    static atomic_uint next;
    return atomic_fetch_add(&next, 1);
}

/* Takes name. */
static tain_status begin(tain_store *folder, const tain_schema *schema, const tain_parquet_options *o, char *name, tain_delta_writer **ret, tain_error *err)
{
    tain_upload *upload;
    tain_status st = tain_store_upload(folder, name, &upload, err);
    if (st != TAIN_OK) {
        tain_free(name);
        return st;
    }
    tain_delta_writer *w = tain_alloc(sizeof *w);
    *w = (tain_delta_writer){.folder = folder, .schema = tain_schema_copy(schema), .name = name, .indexed = tain_delta_indexed_columns(NULL), .upload = upload};
    w->parquet = tain_parquet_writer_new(w->schema, o, upload);
    *ret = w;
    return TAIN_OK;
}

tain_status tain_delta_writer_new(tain_store *folder, const tain_schema *schema, const tain_parquet_options *o,
                                  tain_delta_writer **ret, tain_error *err)
{
    char id[37];
    tain_uuid_text(id);
    return begin(folder, schema, o, tain_format("part-%s.parquet", id), ret, err);
}

tain_status tain_delta_feed_writer_new(tain_store *folder, const tain_schema *schema, const tain_parquet_options *o, tain_delta_writer **ret, tain_error *err)
{
    char id[37];
    tain_uuid_text(id);
    TAIN_TRY(begin(folder, schema, o, tain_format(TAIN_DELTA_FEED_FOLDER "cdc-%s.parquet", id), ret, err));
    tain_delta_writer_index(*ret, &(tain_delta_indexed){.first = 0});
    return TAIN_OK;
}

tain_parquet_writer *tain_delta_writer_parquet(tain_delta_writer *w)
{
    return w->parquet;
}

void tain_delta_writer_index_columns(tain_delta_writer *w, const tain_delta *t)
{
    tain_delta_indexed_done(&w->indexed);
    w->indexed = tain_delta_indexed_columns(t);
}

void tain_delta_writer_index(tain_delta_writer *w, const tain_delta_indexed *columns)
{
    tain_delta_indexed_done(&w->indexed);
    w->indexed = (tain_delta_indexed){.first = columns->first, .named = tain_strdup(columns->named)};
}

static void release(tain_delta_writer *w)
{
    tain_parquet_writer_free(w->parquet);
    tain_schema_free(w->schema);
    tain_delta_indexed_done(&w->indexed);
    tain_free(w->name);
    tain_free(w);
}

void tain_delta_writer_abort(tain_delta_writer *w)
{
    if (!w) return;
    tain_upload_abort(w->upload);
    release(w);
}

static tain_delta_file *described(tain_delta_writer *w, const tain_parquet_summary *s)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer stats = {0};
    tain_stats_json(w->schema, s, &w->indexed, true, &stats);
    tain_delta_file *f = tain_alloc(sizeof *f);
    f->path = tain_strdup(w->name);
    f->size = s->bytes;
    f->modified = tain_now();
    f->rows = s->rows;
    f->stats = tain_strndup((const char *)stats.data, stats.size);
    f->partition_values = tain_delta_no_partition;
    f->ordinal = tain_delta_new_ordinal();
    return f;
}

/* The name is fresh, so an object of that name and size is ours. */
static tain_status finish_upload(tain_delta_writer *w, int64_t size, tain_error *err)
{
    tain_object stored;
    tain_status st = tain_upload_finish(w->upload, err);
    w->upload = NULL;
    if (st == TAIN_E_UNKNOWN && tain_store_head(w->folder, w->name, &stored, NULL) == TAIN_OK && stored.size == size)
        return TAIN_OK;
    return st;
}

tain_status tain_delta_writer_finish(tain_delta_writer *w, tain_delta_file **ret, tain_error *err)
{
    tain_parquet_summary s = {0};
    tain_status          st = tain_parquet_finish(w->parquet, &s, err);
    if (st == TAIN_OK) st = finish_upload(w, s.bytes, err);
    if (st == TAIN_OK) *ret = described(w, &s);
    else tain_error_context(err, "%s", w->name);
    tain_parquet_summary_done(&s);
    tain_delta_writer_abort(w);
    return st;
}
