/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/encoder.h"
#include "mirror/load.h"

enum { READERS_MOST = 32, HASHES_FIRST = 1 << 16 };

typedef tain_table_load table_load;
typedef tain_load_task  task;
typedef tain_loading    loading;

/* --- one chunk ----------------------------------------------------------------------------------------------------- */

typedef struct chunk_writer {
    table_load        *load;
    tain_encoder      *encoder;
    tain_delta_writer *writer;
    uint64_t          *hashes;
    size_t             rows, capacity, bytes;
} chunk_writer;

static tain_status take_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    chunk_writer *cw = ctx;
    tain_mirror *m = cw->load->mirror;
    tain_time now = tain_monotonic(), then = tain_pace_take(&m->pace, (int64_t)batch->rows, (int64_t)tain_batch_bytes(batch), now);
    if (then > now) tain_mirror_pause(m, then - now);
    if (atomic_load(&m->stop)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    return tain_encoder_push(cw->encoder, cw, batch, err);
}

static void count_rows(chunk_writer *cw, const tain_batch *batch)
{
    tain_table *t = cw->load->table;
    int64_t bytes = (int64_t)tain_batch_bytes(batch);
    cw->bytes += (size_t)bytes;
    pthread_mutex_lock(&t->lock);
    t->rows_live += (int64_t)batch->rows;
    t->bytes_processed += bytes;
    pthread_mutex_unlock(&t->lock);
    tain_meter_add(&cw->load->mirror->meter, (tain_amount){(int64_t)batch->rows, bytes}, tain_monotonic());
}

static tain_status write_rows(void *ctx, const tain_batch *batch, tain_error *err)
{
    chunk_writer *cw = ctx;
    if (cw->rows + batch->rows > cw->capacity) {
        cw->capacity = cw->capacity ? cw->capacity * 2 : HASHES_FIRST;
        if (cw->capacity < cw->rows + batch->rows) cw->capacity = cw->rows + batch->rows;
        cw->hashes = tain_realloc(cw->hashes, cw->capacity * sizeof *cw->hashes);
    }
    tain_key_hash(&cw->load->table->key, batch, 0, batch->rows, cw->hashes + cw->rows);
    cw->rows += batch->rows;
    TAIN_TRY(tain_parquet_append(tain_delta_writer_parquet(cw->writer), batch, NULL, 0, batch->rows, err));
    count_rows(cw, batch);
    return TAIN_OK;
}

static void take_warning(void *ctx, tain_source_table *source, size_t column, const char *code)
{
    chunk_writer *cw = ctx;
    tain_table_warn(cw->load->table, code, source->columns->fields[column].name, 1);
    if (tain_source_table_is_key(source, column)) atomic_store(&cw->load->bad_key, (int)column + 1);
}

void tain_load_keep_file(table_load *l, tain_delta_file *f, const tain_position *at)
{
    if (l->file_count == l->file_capacity) {
        l->file_capacity = l->file_capacity ? l->file_capacity * 2 : 16;
        l->files = tain_realloc(l->files, l->file_capacity * sizeof(tain_delta_file *));
        l->read_at = tain_realloc(l->read_at, l->file_capacity * sizeof *l->read_at);
    }
    l->read_at[l->file_count] = *at;
    l->files[l->file_count++] = f;
}

static tain_status note_chunk(loading *g, const task *k, const chunk_writer *cw, const tain_delta_file *f, tain_error *err)
{
    tain_fault(TAIN_FAULT_SNAPSHOT_CHUNK);
    if (!k->load->log) return TAIN_OK;
    tain_store *lake = tain_lake_store(g->mirror->lake);
    TAIN_TRY(tain_loadlog_note(k->load->log, lake, k->number, &g->position, f, (int64_t)cw->rows, (int64_t)cw->bytes, err));
    tain_fault(TAIN_FAULT_SNAPSHOT_RECORDED);
    return TAIN_OK;
}

static void index_chunk(table_load *l, chunk_writer *cw, const tain_delta_file *f)
{
    tain_index *x = l->table->index;
    tain_index_name_file(x, f->path, f->ordinal);
    if (tain_index_add_file(x, f->ordinal, cw->hashes, cw->rows, NULL) != TAIN_OK) tain_table_warn(l->table, "index_not_written", NULL, 1);
}

static tain_status finish_chunk(loading *g, const task *k, chunk_writer *cw, tain_error *err)
{
    tain_delta_file *f = NULL;
    tain_delta_writer *w = cw->writer;
    cw->writer = NULL;
    if (cw->rows == 0) tain_delta_writer_abort(w);
    else TAIN_TRY(tain_delta_writer_finish(w, &f, err));
    tain_status st = note_chunk(g, k, cw, f, err);
    if (!f) return st;
    pthread_mutex_lock(&g->lock);
    tain_load_keep_file(k->load, f, &g->position);
    k->load->rows += cw->rows;
    k->load->bytes += cw->bytes;
    if (st == TAIN_OK) index_chunk(k->load, cw, f);
    pthread_mutex_unlock(&g->lock);
    return st;
}

static tain_status read_chunk(loading *g, tain_reader *reader, tain_encoder *encoder, const task *k, tain_error *err)
{
    chunk_writer cw = {.load = k->load, .encoder = encoder};
    tain_table *t = k->load->table;
    const tain_parquet_options defaults = tain_parquet_defaults();
    tain_parquet_options options = defaults;
    options.row_group_bytes = (size_t)(g->mirror->definition->memory / 8 / g->mirror->definition->jobs);
    if (options.row_group_bytes > defaults.row_group_bytes) options.row_group_bytes = defaults.row_group_bytes;
    TAIN_TRY(tain_delta_writer_new(t->store, t->schema, &options, &cw.writer, err));
    tain_rows_sink sink = {.rows = take_rows, .warn = take_warning, .ctx = &cw};
    tain_error written;
    tain_status st = g->mirror->source->ops->reader_read(reader, &k->chunk, &sink, err);
    tain_status flushed = tain_encoder_flush(encoder, &written);
    if (st == TAIN_OK && flushed != TAIN_OK) {
        st = flushed;
        if (err) *err = written;
    }
    if (st == TAIN_OK) st = finish_chunk(g, k, &cw, err);
    if (cw.writer) tain_delta_writer_abort(cw.writer);
    free(cw.hashes);
    return st;
}

/* --- readers ------------------------------------------------------------------------------------------------------- */

bool tain_load_is_everybodys(tain_status st)
{
    return tain_status_policy(st) == TAIN_POLICY_RETRY || st == TAIN_E_CANCELLED || st == TAIN_E_AUTH || st == TAIN_E_GONE;
}

static task *next_task(loading *g)
{
    task *k = NULL;
    pthread_mutex_lock(&g->lock);
    while (!k && g->status == TAIN_OK && g->next < g->task_count) {
        k = &g->tasks[g->next++];
        if (k->load->failure.code != TAIN_OK) k = NULL;
    }
    pthread_mutex_unlock(&g->lock);
    return k;
}

/* Whether that was the table's last chunk. */
static bool note_result(loading *g, table_load *l, tain_status st, const tain_error *e)
{
    bool last = false;
    pthread_mutex_lock(&g->lock);
    if (st == TAIN_OK) {
        last = --l->chunks_left == 0 && l->failure.code == TAIN_OK;
    } else if (!l || tain_load_is_everybodys(st)) {
        if (g->status == TAIN_OK) {
            g->status = st;
            g->error = *e;
        }
    } else if (l->failure.code == TAIN_OK) {
        l->failure = *e;
    }
    pthread_mutex_unlock(&g->lock);
    return last;
}

static void note_failure(loading *g, table_load *l, tain_status st, tain_error *e)
{
    if (l) tain_error_context(e, "table %s", l->table->name);
    (void)note_result(g, l, st, e);
}

/* A table that is complete is committed at once, so that whatever comes later does not concern it. */
static tain_status finish_table(loading *g, table_load *l, tain_reader *reader, tain_error *err)
{
    tain_position at;
    TAIN_TRY(tain_load_check_mark(l, reader, err));
    return !l->moved && tain_load_is_of_one_moment(g, l, &at) ? tain_load_commit(g, l, err) : TAIN_OK;
}

static void work(loading *g, tain_reader *reader, tain_encoder *encoder)
{
    tain_error e = {0};
    for (task *k; (k = next_task(g));) {
        tain_status st = read_chunk(g, reader, encoder, k, &e);
        if (st == TAIN_OK && note_result(g, k->load, st, NULL)) st = finish_table(g, k->load, reader, &e);
        if (st != TAIN_OK) note_failure(g, k->load, st, &e);
    }
}

static tain_status open_reader(loading *g, tain_reader **io, tain_error *err)
{
    if (*io) return TAIN_OK;
    pthread_mutex_lock(&g->lock);
    tain_status st = g->mirror->source->ops->reader_open(g->mirror->source, io, err);
    pthread_mutex_unlock(&g->lock);
    return st;
}

static void run_reader(loading *g, tain_reader **io)
{
    tain_encoder *encoder = NULL;
    tain_error e = {0};
    tain_status st = open_reader(g, io, &e);
    if (st == TAIN_OK) st = tain_encoder_start(write_rows, &encoder, &e);
    if (st == TAIN_OK) work(g, *io, encoder);
    else note_failure(g, NULL, st, &e);
    tain_encoder_stop(encoder);
}

static void *reader_main(void *ctx)
{
    loading *g = ctx;
    tain_reader *reader = NULL;
    run_reader(g, &reader);
    if (reader) g->mirror->source->ops->reader_close(reader);
    return NULL;
}

void tain_load_read(loading *g)
{
    int jobs = g->mirror->definition->jobs;
    if (jobs > READERS_MOST) jobs = READERS_MOST;
    if ((size_t)jobs > g->task_count) jobs = (int)g->task_count;
    pthread_t threads[READERS_MOST];
    int started = 0;
    while (started < jobs - 1 && pthread_create(&threads[started], NULL, reader_main, g) == 0) started++;
    if (jobs > 0) run_reader(g, &g->own);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

tain_status tain_load_check_mark(table_load *l, tain_reader *reader, tain_error *err)
{
    char *now = NULL;
    if (!l->mark) return TAIN_OK;
    TAIN_TRY(l->mirror->source->ops->reader_mark(reader, l->table->source, &now, err));
    l->moved = strcmp(l->mark, now) != 0;
    free(now);
    return TAIN_OK;
}
