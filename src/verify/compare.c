/* SPDX-License-Identifier: MIT */
#include "verify/compare.h"

#include <stdlib.h>

#include "lake/kept.h"
#include "lake/naming.h"

enum {
    READ_ROWS = 16384,
    READ_BYTES = 8 << 20,
    CHUNK_ROWS = 1 << 20,
    SAMPLED_BUCKETS = 256, /* whole rows are kept of so many suspected buckets, */
    SAMPLE_ROWS = 5000,    /* at most these */
    SAMPLE_BYTES = 16 << 20,
};

typedef struct half { /* one side */
    atomic_int_least64_t rows;
    tain_marks           marks;
    tain_sample          sample;
} half;

typedef struct pass {
    tain_compare   *c;
    tain_delta     *delta;
    tain_key        key;
    uint16_t       *key_columns;
    bool            noting, sampling;
    size_t          sampled; /* suspected buckets up to this one are sampled */
    tain_compare_take hand;  /* NULL: sums are made, nothing is handed out */
    void           *hand_ctx;
    int64_t        *left;    /* to be handed out of each difference */
    half            halves[2];
    pthread_mutex_t lock; /* marks, samples, progress, and what follows */
    tain_chunk     *chunks;
    size_t          chunk_count, next_chunk, file_cursor;
    tain_status     status; /* of the first failure */
    tain_error      error;
} pass;

typedef struct worker {
    pass     *pass;
    tain_side side;
    int       number;
    pthread_t thread;
    uint64_t *keys, *rows; /* hashes of the batch at hand */
    uint32_t *live;
    size_t    capacity;
} worker;

/* --- a batch of either side ---------------------------------------------------------------------------------------- */

static void hash(worker *w, const tain_batch *batch)
{
    if (batch->rows > w->capacity) {
        w->capacity = batch->rows;
        w->keys = tain_realloc(w->keys, w->capacity * sizeof *w->keys);
        w->rows = tain_realloc(w->rows, w->capacity * sizeof *w->rows);
    }
    tain_key_hash(&w->pass->key, batch, 0, batch->rows, w->keys);
    tain_row_hash(batch, 0, batch->rows, w->rows);
}

static void keep_row(pass *p, half *h, const tain_batch *batch, size_t i, uint64_t key)
{
    if (!p->sampling || (key & (p->c->sums.count - 1)) > p->sampled) return;
    tain_sample *s = &h->sample;
    s->full |= s->rows.rows == SAMPLE_ROWS || tain_batch_bytes(&s->rows) > SAMPLE_BYTES;
    if (!s->full) tain_batch_take(&s->rows, batch, NULL, i, 1);
}

static void note(worker *w, const tain_batch *batch, const uint32_t *live, size_t n)
{
    pass *p = w->pass;
    half *h = &p->halves[w->side];
    for (size_t k = 0; k < n; k++) {
        size_t i = live ? live[k] : k;
        if (!tain_sums_suspects(&p->c->sums, w->keys[i])) continue;
        tain_marks_add(&h->marks, w->keys[i], w->rows[i]);
        keep_row(p, h, batch, i, w->keys[i]);
    }
}

static bool is_handed(worker *w, size_t i)
{
    pass *p = w->pass;
    const tain_differences *d = &p->c->differences;
    if (!tain_sums_suspects(&p->c->sums, w->keys[i])) return false;
    size_t at = tain_differences_find(d, w->keys[i], w->rows[i]);
    if (at == d->count || (d->list[at].surplus > 0) != (w->side == TAIN_SIDE_SOURCE) || p->left[at] == 0) return false;
    if (w->side == TAIN_SIDE_LAKE && p->c->table->key_count && tain_differences_in_source(d, w->keys[i])) return false;
    p->left[at]--;
    return true;
}

static void fail(worker *w, tain_status st, const tain_error *e)
{
    pass *p = w->pass;
    pthread_mutex_lock(&p->lock);
    if (p->status == TAIN_OK) {
        p->status = st;
        p->error = *e;
        p->c->lake_failed = w->side == TAIN_SIDE_LAKE;
    }
    pthread_mutex_unlock(&p->lock);
}

static void hand_out(worker *w, const tain_batch *batch, const uint32_t *live, size_t n)
{
    pass *p = w->pass;
    tain_error e;
    tain_status st = TAIN_OK;
    pthread_mutex_lock(&p->lock);
    for (size_t k = 0; k < n && st == TAIN_OK; k++) {
        size_t i = live ? live[k] : k;
        if (is_handed(w, i)) st = p->hand(p->hand_ctx, w->side, batch, i, &e);
    }
    pthread_mutex_unlock(&p->lock);
    if (st != TAIN_OK) fail(w, st, &e);
}

/* live NULL: all n. */
static void take(worker *w, const tain_batch *batch, const uint32_t *live, size_t n)
{
    pass *p = w->pass;
    tain_compare *c = p->c;
    hash(w, batch);
    if (p->hand) {
        hand_out(w, batch, live, n);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        size_t i = live ? live[k] : k;
        tain_sums_add(&c->sums, w->side, w->keys[i], w->rows[i]);
    }
    atomic_fetch_add(&p->halves[w->side].rows, (int64_t)n);
    if (!p->noting && !c->progress) return;
    pthread_mutex_lock(&p->lock);
    if (p->noting) note(w, batch, live, n);
    if (c->progress)
        c->progress(c->progress_ctx, c->result->name, atomic_load(&p->halves[0].rows) + atomic_load(&p->halves[1].rows));
    pthread_mutex_unlock(&p->lock);
}

/* --- the source ---------------------------------------------------------------------------------------------------- */

static tain_status take_source_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    take(ctx, batch, NULL, batch->rows);
    return TAIN_OK;
}

static void ignore_warning(void *ctx, tain_source_table *t, size_t column, const char *code)
{
}

static tain_chunk *next_chunk(pass *p)
{
    pthread_mutex_lock(&p->lock);
    tain_chunk *chunk = p->status == TAIN_OK && p->next_chunk < p->chunk_count ? &p->chunks[p->next_chunk++] : NULL;
    pthread_mutex_unlock(&p->lock);
    return chunk;
}

static tain_status open_reader(worker *w, tain_error *err)
{
    tain_compare *c = w->pass->c;
    if (c->readers[w->number]) return TAIN_OK;
    pthread_mutex_lock(&w->pass->lock);
    tain_status st = c->source->ops->reader_open(c->source, &c->readers[w->number], err);
    pthread_mutex_unlock(&w->pass->lock);
    return st;
}

static tain_status read_source(worker *w, tain_error *err)
{
    tain_compare *c = w->pass->c;
    tain_rows_sink sink = {.rows = take_source_rows, .warn = ignore_warning, .ctx = w};
    tain_status st = open_reader(w, err);
    for (tain_chunk *chunk; st == TAIN_OK && (chunk = next_chunk(w->pass));)
        st = c->source->ops->reader_read(c->readers[w->number], chunk, &sink, err);
    if (st != TAIN_OK && c->readers[w->number]) { /* its transaction may be broken */
        c->source->ops->reader_close(c->readers[w->number]);
        c->readers[w->number] = NULL;
    }
    return st;
}

/* --- the lake ------------------------------------------------------------------------------------------------------ */

static tain_status next_file(pass *p, tain_delta_file **ret, const roaring_bitmap_t **ret_deleted, tain_error *err)
{
    tain_status st = TAIN_OK;
    *ret = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->status == TAIN_OK && tain_delta_next_file(p->delta, &p->file_cursor, ret)) st = tain_delta_deleted(p->delta, *ret, ret_deleted, err);
    pthread_mutex_unlock(&p->lock);
    return st;
}

static size_t live_rows(const roaring_bitmap_t *deleted, int64_t first, size_t n, uint32_t *rows)
{
    size_t live = 0;
    for (size_t i = 0; i < n; i++)
        if (!roaring_bitmap_contains(deleted, (uint32_t)(first + (int64_t)i))) rows[live++] = (uint32_t)i;
    return live;
}

static tain_status read_file(worker *w, tain_delta_file *f, const roaring_bitmap_t *deleted, tain_batch *batch, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_delta_file_open(w->pass->delta, f, &file, err));
    int64_t total = tain_parquet_file_rows(file);
    for (int64_t at = 0, n; at < total; at += n) {
        tain_batch_clear(batch);
        TAIN_TRY(tain_parquet_read_some(file, at, total - at < READ_ROWS ? total - at : READ_ROWS, READ_BYTES, batch, &n, err));
        if (deleted) take(w, batch, w->live, live_rows(deleted, at, (size_t)n, w->live));
        else take(w, batch, NULL, (size_t)n);
    }
    return TAIN_OK;
}

static tain_status read_lake(worker *w, tain_error *err)
{
    tain_batch batch;
    tain_batch_init(&batch, w->pass->c->table->columns);
    w->live = tain_alloc(READ_ROWS * sizeof *w->live);
    tain_status st;
    tain_delta_file *f;
    const roaring_bitmap_t *deleted = NULL;
    while ((st = next_file(w->pass, &f, &deleted, err)) == TAIN_OK && f)
        if ((st = read_file(w, f, deleted, &batch, err)) != TAIN_OK) break;
    tain_batch_done(&batch);
    return st;
}

/* Readers take chunks as they come. */
static int64_t chunk_rows(const tain_compare *c) { return c->source->in_order ? INT64_MAX / 2 : CHUNK_ROWS; }

/* --- both at once -------------------------------------------------------------------------------------------------- */

static void *work(void *ctx)
{
    worker *w = ctx;
    tain_error e = {0};
    tain_status st = w->side == TAIN_SIDE_SOURCE ? read_source(w, &e) : read_lake(w, &e);
    if (st != TAIN_OK) fail(w, st, &e);
    free(w->keys);
    free(w->rows);
    free(w->live);
    return NULL;
}

static int fewer(int jobs, size_t pieces)
{
    return (size_t)jobs < pieces ? jobs : (int)pieces;
}

/* The calling thread is the last one. */
static void run_workers(pass *p)
{
    worker workers[2 * TAIN_COMPARE_JOBS] = {0};
    int source = fewer(p->c->jobs, p->chunk_count), lake = fewer(p->c->jobs, tain_delta_file_count(p->delta)), started = 0;
    for (int i = 0; i < lake + source; i++) {
        worker *w = &workers[i];
        *w = (worker){.pass = p, .side = i < lake ? TAIN_SIDE_LAKE : TAIN_SIDE_SOURCE, .number = i < lake ? i : i - lake};
        if (i == lake + source - 1 || pthread_create(&w->thread, NULL, work, w) != 0) work(w);
        else workers[started++].thread = w->thread;
    }
    for (int i = 0; i < started; i++) pthread_join(workers[i].thread, NULL);
}

/* --- a pass -------------------------------------------------------------------------------------------------------- */

static void choose_samples(pass *p)
{
    const tain_sums *s = &p->c->sums;
    size_t n = 0;
    for (p->sampled = 0; p->sampled < s->count && n < SAMPLED_BUCKETS; p->sampled++) n += tain_sums_suspects(s, p->sampled);
}

static void begin(pass *p, bool last)
{
    tain_source_table *t = p->c->table;
    size_t n = t->key_count ? t->key_count : t->columns->count;
    p->key_columns = tain_alloc((n + 1) * sizeof *p->key_columns);
    for (size_t i = 0; i < n; i++) p->key_columns[i] = t->key_count ? t->key[i] : (uint16_t)i;
    p->key = (tain_key){.columns = p->key_columns, .count = n};
    p->noting = p->c->schema != NULL;
    p->sampling = p->noting && last;
    if (p->sampling) choose_samples(p);
    for (int i = 0; i < 2; i++) tain_batch_init(&p->halves[i].sample.rows, t->columns);
    pthread_mutex_init(&p->lock, NULL);
    tain_sums_begin(&p->c->sums);
}

static void done(pass *p)
{
    for (int i = 0; i < 2; i++) {
        tain_marks_done(&p->halves[i].marks);
        tain_batch_done(&p->halves[i].sample.rows);
    }
    pthread_mutex_destroy(&p->lock);
    free(p->key_columns);
    free(p->chunks);
}

/* What differs for good differs in the same way every time. */
static void settle(pass *p)
{
    tain_compare *c = p->c;
    if (!p->noting) return;
    tain_differences before = c->differences;
    bool known = c->known;
    c->known = !p->halves[0].marks.overflow && !p->halves[1].marks.overflow;
    c->differences = c->known ? tain_marks_compare(&p->halves[0].marks, &p->halves[1].marks) : (tain_differences){0};
    if (c->known && known) tain_differences_keep(&c->differences, &before);
    tain_differences_done(&before);
}

static void judge(pass *p, bool last)
{
    tain_compare *c = p->c;
    tain_verify_table *r = c->result;
    size_t suspects = tain_sums_end(&c->sums);
    settle(p);
    r->compared = true;
    r->source_rows = atomic_load(&p->halves[TAIN_SIDE_SOURCE].rows);
    r->lake_rows = atomic_load(&p->halves[TAIN_SIDE_LAKE].rows);
    r->equal = suspects == 0 || (p->noting && c->known && c->differences.count == 0);
    if (!r->equal && last) tain_compare_explain(c, &p->key, &p->halves[TAIN_SIDE_SOURCE].sample, &p->halves[TAIN_SIDE_LAKE].sample);
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

/* With other columns every hash is another. */
static void take_columns(tain_compare *c)
{
    if (c->schema == c->table->columns) return;
    int64_t estimate = c->table->rows_estimate;
    tain_compare_done(c);
    tain_sums_init(&c->sums, estimate);
}

tain_status tain_compare_pass(tain_compare *c, tain_delta *delta, bool last, tain_error *err)
{
    tain_verify_table *r = c->result;
    const tain_schema *columns = c->table->columns;
    TAIN_AUTO(tain_schema_free) tain_schema *lake = tain_kept_without(tain_delta_meta(delta)->schema);
    r->reason[0] = 0;
    tain_buffer_clear(&r->samples);
    tain_naming_adopt(c->table->columns, lake);
    r->compared = r->equal = false;
    if (!same_columns(columns, lake, r->reason, sizeof r->reason)) return TAIN_OK;
    take_columns(c);
    pass p = {.c = c, .delta = delta};
    TAIN_TRY(c->source->ops->snapshot_plan(c->source, c->table, chunk_rows(c), &p.chunks, &p.chunk_count, err));
    begin(&p, last);
    run_workers(&p);
    if (p.status == TAIN_OK) {
        judge(&p, last);
        c->schema = columns;
    } else if (err) {
        *err = p.error;
    }
    tain_status st = p.status;
    done(&p);
    return st;
}

tain_status tain_compare_hand_out(tain_compare *c, tain_delta *delta, tain_compare_take hand, void *ctx, tain_error *err)
{
    pass p = {.c = c, .delta = delta, .hand = hand, .hand_ctx = ctx};
    TAIN_TRY(c->source->ops->snapshot_plan(c->source, c->table, chunk_rows(c), &p.chunks, &p.chunk_count, err));
    begin(&p, false);
    p.left = tain_alloc((c->differences.count + 1) * sizeof *p.left);
    for (size_t i = 0; i < c->differences.count; i++) p.left[i] = llabs(c->differences.list[i].surplus);
    run_workers(&p);
    if (p.status != TAIN_OK && err) *err = p.error;
    tain_status st = p.status;
    free(p.left);
    done(&p);
    return st;
}

void tain_compare_done(tain_compare *c)
{
    tain_sums_done(&c->sums);
    tain_differences_done(&c->differences);
    c->known = false;
    c->schema = NULL;
}
