/* SPDX-License-Identifier: MIT */
#include "mirror/compare.h"

#include <stdlib.h>

#include "batch/key.h"
#include "mirror/naming.h"

enum { BUCKETS = 1 << 16, READ_ROWS = 16384, CHUNK_ROWS = 1 << 20, KEEP_ROWS = 5000, SAMPLES = 10 };

/* What the source has more than the lake: zero in every bucket when they are equal. */
typedef struct bucket {
    unsigned __int128 sum;
    int64_t           rows;
} bucket;

typedef struct side {
    int64_t     rows;
    tain_batch  kept; /* second pass: rows of differing buckets */
    bool        full;
} side;

typedef struct work {
    tain_compare *c;
    tain_key      key;
    uint16_t     *key_columns;
    bucket       *buckets;
    bool          second;
    side          source, lake;
    uint64_t     *keys, *hashes; /* of the batch at hand */
    size_t        capacity;
} work;

/* --- both sides, a batch at a time --------------------------------------------------------------------------------- */

static void sum_row(work *w, bool is_source, uint64_t key, uint64_t hash)
{
    bucket *b = &w->buckets[key % BUCKETS];
    if (is_source) {
        b->sum += hash;
        b->rows++;
    } else {
        b->sum -= hash;
        b->rows--;
    }
}

static bool differs(const bucket *b)
{
    return b->sum != 0 || b->rows != 0;
}

static void take(work *w, side *s, const tain_batch *batch, const uint32_t *rows, size_t n)
{
    if (batch->rows > w->capacity) {
        w->capacity = batch->rows;
        w->keys = tain_realloc(w->keys, w->capacity * sizeof *w->keys);
        w->hashes = tain_realloc(w->hashes, w->capacity * sizeof *w->hashes);
    }
    tain_key_hash(&w->key, batch, 0, batch->rows, w->keys);
    if (!w->second) tain_row_hash(batch, 0, batch->rows, w->hashes);
    for (size_t k = 0; k < n; k++) {
        size_t i = rows ? rows[k] : k;
        if (!w->second) {
            sum_row(w, s == &w->source, w->keys[i], w->hashes[i]);
        } else if (differs(&w->buckets[w->keys[i] % BUCKETS])) {
            if (s->kept.rows < KEEP_ROWS) {
                tain_batch_take(&s->kept, batch, NULL, i, 1);
            } else {
                s->full = true;
            }
        }
    }
    if (!w->second) s->rows += (int64_t)n;
    if (w->c->progress) w->c->progress(w->c->progress_ctx, w->c->result->name, w->source.rows + w->lake.rows);
}

/* --- the source ---------------------------------------------------------------------------------------------------- */

static tain_status take_source_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    work *w = ctx;
    take(w, &w->source, batch, NULL, batch->rows);
    return TAIN_OK;
}

static void ignore_warning(void *ctx, tain_source_table *t, size_t column, const char *code)
{
}

static tain_status read_source(work *w, tain_error *err)
{
    tain_chunk *chunks;
    size_t n;
    const tain_source_ops *ops = w->c->source->ops;
    tain_rows_sink sink = {.rows = take_source_rows, .warn = ignore_warning, .ctx = w};
    TAIN_TRY(ops->snapshot_plan(w->c->source, w->c->table, CHUNK_ROWS, &chunks, &n, err));
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = ops->reader_read(w->c->reader, &chunks[i], &sink, err);
    free(chunks);
    return st;
}

/* --- the lake ------------------------------------------------------------------------------------------------------ */

static size_t live_rows(const roaring_bitmap_t *deleted, int64_t first, size_t n, uint32_t *rows)
{
    size_t live = 0;
    for (size_t i = 0; i < n; i++)
        if (!deleted || !roaring_bitmap_contains(deleted, (uint32_t)(first + (int64_t)i))) rows[live++] = (uint32_t)i;
    return live;
}

static tain_status read_file(work *w, tain_delta_file *f, tain_batch *batch, uint32_t *rows, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    const roaring_bitmap_t *deleted;
    TAIN_TRY(tain_delta_deleted(w->c->delta, f, &deleted, err));
    TAIN_TRY(tain_delta_file_open(w->c->delta, f, &file, err));
    int64_t total = tain_parquet_file_rows(file);
    for (int64_t at = 0; at < total; at += READ_ROWS) {
        size_t n = total - at < READ_ROWS ? (size_t)(total - at) : READ_ROWS;
        tain_batch_clear(batch);
        TAIN_TRY(tain_parquet_read(file, at, (int64_t)n, batch, err));
        take(w, &w->lake, batch, rows, live_rows(deleted, at, n, rows));
    }
    return TAIN_OK;
}

static tain_status read_lake(work *w, tain_error *err)
{
    tain_batch batch;
    tain_batch_init(&batch, w->c->table->columns);
    uint32_t *rows = tain_alloc(READ_ROWS * sizeof *rows);
    tain_status st = TAIN_OK;
    tain_delta_file *f;
    for (size_t cursor = 0; st == TAIN_OK && tain_delta_next_file(w->c->delta, &cursor, &f);) st = read_file(w, f, &batch, rows, err);
    free(rows);
    tain_batch_done(&batch);
    return st;
}

/* --- rows that differ ---------------------------------------------------------------------------------------------- */

static int64_t find_row(const work *w, const tain_batch *in, const bool *used, const tain_batch *of, size_t row)
{
    for (size_t i = 0; i < in->rows; i++)
        if (!used[i] && tain_key_equal(&w->key, in, i, of, row)) return (int64_t)i;
    return -1;
}

static void say_row(work *w, const char *what, const tain_batch *b, size_t row)
{
    tain_buffer *out = &w->c->result->samples;
    tain_buffer_append_str(out, what);
    tain_key_text(&w->key, b, row, out);
    tain_buffer_append_u8(out, '\n');
}

static void say_value(const tain_column *c, size_t i, const char *where, tain_buffer *out)
{
    if (tain_column_is_null(c, i)) {
        tain_buffer_append_str(out, "NULL");
    } else {
        tain_column_text(c, i, out);
    }
    tain_buffer_append_str(out, where);
}

static bool say_columns(work *w, size_t s, size_t l)
{
    const tain_batch *source = &w->source.kept, *lake = &w->lake.kept;
    tain_buffer *out = &w->c->result->samples;
    bool any = false;
    for (size_t c = 0; c < source->schema->count; c++) {
        if (tain_column_equal_at(&source->columns[c], s, &lake->columns[c], l)) continue;
        if (!any) {
            tain_buffer_append_str(out, "differs ");
            tain_key_text(&w->key, source, s, out);
        }
        any = true;
        tain_buffer_printf(out, " %s: ", source->schema->fields[c].name);
        say_value(&source->columns[c], s, " in the source, ", out);
        say_value(&lake->columns[c], l, " in the lake;", out);
    }
    if (any) tain_buffer_append_u8(out, '\n');
    return any;
}

static void match(work *w)
{
    bool *used = tain_alloc(w->lake.kept.rows + 1);
    size_t said = 0;
    for (size_t i = 0; i < w->source.kept.rows && said < SAMPLES; i++) {
        int64_t at = find_row(w, &w->lake.kept, used, &w->source.kept, i);
        if (at >= 0) {
            used[at] = true;
            said += say_columns(w, i, (size_t)at);
        } else if (!w->lake.full) {
            say_row(w, "missing in the lake ", &w->source.kept, i);
            said++;
        }
    }
    for (size_t i = 0; i < w->lake.kept.rows && said < SAMPLES && !w->source.full; i++) {
        if (used[i]) continue;
        say_row(w, "not in the source ", &w->lake.kept, i);
        said++;
    }
    free(used);
}

static tain_status explain(work *w, tain_error *err)
{
    w->second = true;
    tain_batch_init(&w->source.kept, w->c->table->columns);
    tain_batch_init(&w->lake.kept, w->c->table->columns);
    tain_status st = read_source(w, err);
    if (st == TAIN_OK) st = read_lake(w, err);
    if (st == TAIN_OK) match(w);
    tain_batch_done(&w->source.kept);
    tain_batch_done(&w->lake.kept);
    return st;
}

/* --- the table ----------------------------------------------------------------------------------------------------- */

static size_t count_different(const work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS; i++) n += differs(&w->buckets[i]);
    return n;
}

static bool same_columns(const tain_schema *source, const tain_schema *lake, char *reason, size_t size)
{
    for (size_t i = 0; i < source->count; i++) {
        int at = tain_schema_find(lake, source->fields[i].name);
        if (at >= 0 && tain_type_equal(&source->fields[i].type, &lake->fields[at].type)) continue;
        snprintf(reason, size, "column %s is not in the lake with that type", source->fields[i].name);
        return false;
    }
    if (source->count == lake->count) return true;
    snprintf(reason, size, "the lake has %zu columns, the source %zu", lake->count, source->count);
    return false;
}

static tain_status compare_rows(work *w, tain_error *err)
{
    tain_verify_table *r = w->c->result;
    TAIN_TRY(read_source(w, err));
    TAIN_TRY(read_lake(w, err));
    size_t different = count_different(w);
    r->compared = true;
    r->equal = different == 0;
    r->source_rows = w->source.rows;
    r->lake_rows = w->lake.rows;
    r->reason[0] = 0;
    if (r->equal) return TAIN_OK;
    snprintf(r->reason, sizeof r->reason, "%lld rows in the source, %lld in the lake; about %zu differ", (long long)r->source_rows,
             (long long)r->lake_rows, different);
    return explain(w, err);
}

tain_status tain_compare_table(tain_compare *c, tain_error *err)
{
    tain_source_table *t = c->table;
    tain_naming_adopt(t->columns, tain_delta_meta(c->delta)->schema);
    if (!same_columns(t->columns, tain_delta_meta(c->delta)->schema, c->result->reason, sizeof c->result->reason)) return TAIN_OK;
    work w = {.c = c, .buckets = tain_alloc(BUCKETS * sizeof *w.buckets)};
    size_t n = t->key_count ? t->key_count : t->columns->count;
    w.key_columns = tain_alloc((n + 1) * sizeof *w.key_columns);
    for (size_t i = 0; i < n; i++) w.key_columns[i] = t->key_count ? t->key[i] : (uint16_t)i;
    w.key = (tain_key){.columns = w.key_columns, .count = n};
    tain_status st = compare_rows(&w, err);
    free(w.buckets);
    free(w.key_columns);
    free(w.keys);
    free(w.hashes);
    return st;
}
