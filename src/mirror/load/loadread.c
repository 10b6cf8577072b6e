/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/load/encoder.h"
#include "mirror/load/load.h"

enum { READERS_MOST = 32, HASHES_FIRST = 1 << 16 };

typedef tain_table_load table_load;
typedef tain_load_task  task;
typedef tain_loading    loading;

/* --- one chunk ----------------------------------------------------------------------------------------------------- */

/* The reader's until it is ended, then the encoder's, which frees it. */
typedef struct chunk {
    loading           *all;
    const task        *task;
    table_load        *load;
    tain_encoder      *encoder;
    tain_delta_writer *writer;
    uint64_t          *hashes;
    size_t             rows, capacity, bytes;
    tain_status        read;       /* how reading it ended */
    tain_error         read_error;
    atomic_int         written;    /* tain_status of the first failure to write */
    tain_error         write_error; /* set before written */
} chunk;

static void chunk_free(chunk *c)
{
    if (c->writer) tain_delta_writer_abort(c->writer);
    free(c->hashes);
    free(c);
}

static tain_status write_failure(chunk *c, tain_error *err)
{
    tain_status st = (tain_status)atomic_load(&c->written);
    if (st != TAIN_OK && err) *err = c->write_error;
    return st;
}

static tain_status take_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    chunk *c = ctx;
    tain_mirror *m = c->load->mirror;
    tain_time now = tain_monotonic(), then = tain_pace_take(&m->pace, (int64_t)batch->rows, (int64_t)tain_batch_bytes(batch), now);
    if (then > now) tain_mirror_pause(m, then - now);
    if (atomic_load(&m->stop) || atomic_load(&c->all->halted)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    if (batch->schema != c->load->columns) return tain_fail(err, TAIN_E_NOT_FOUND, "it changed while it was read");
    tain_encoder_push(c->encoder, c, batch);
    return write_failure(c, err);
}

static void count_rows(chunk *c, const tain_batch *batch)
{
    tain_table *t = c->load->table;
    int64_t bytes = (int64_t)tain_batch_bytes(batch);
    c->bytes += (size_t)bytes;
    pthread_mutex_lock(&t->lock);
    t->rows_live += (int64_t)batch->rows;
    t->rows_read += (int64_t)batch->rows;
    t->bytes_processed += bytes;
    pthread_mutex_unlock(&t->lock);
    tain_meter_add(&c->load->mirror->meter, (tain_amount){(int64_t)batch->rows, bytes}, tain_monotonic());
}

static tain_status write_rows(void *ctx, const tain_batch *batch, tain_error *err)
{
    chunk *c = ctx;
    if (c->rows + batch->rows > c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : HASHES_FIRST;
        if (c->capacity < c->rows + batch->rows) c->capacity = c->rows + batch->rows;
        c->hashes = tain_realloc(c->hashes, c->capacity * sizeof *c->hashes);
    }
    tain_key_hash(&c->load->table->key, batch, 0, batch->rows, c->hashes + c->rows);
    c->rows += batch->rows;
    TAIN_TRY(tain_parquet_append(tain_delta_writer_parquet(c->writer), batch, NULL, 0, batch->rows, err));
    count_rows(c, batch);
    return TAIN_OK;
}

/* The source's table may be of another shape by now. */
static bool is_key(const tain_table *t, size_t column)
{
    for (size_t i = 0; !t->multiset && i < t->key.count; i++)
        if (t->key_columns[i] == column) return true;
    return false;
}

static void take_warning(void *ctx, tain_source_table *source, size_t column, const char *code)
{
    const chunk *c = ctx;
    table_load *l = c->load;
    if (column >= l->columns->count) return; /* another shape: it is not taken */
    tain_table_warn(l->table, code, l->columns->fields[column].name, 1);
    if (is_key(l->table, column)) atomic_store(&l->bad_key, (int)column + 1);
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

static tain_status note_chunk(loading *g, const task *k, const chunk *c, const tain_delta_file *f, tain_error *err)
{
    tain_fault(TAIN_FAULT_SNAPSHOT_CHUNK);
    if (!k->load->log) return TAIN_OK;
    tain_store *lake = tain_lake_store(g->mirror->lake);
    TAIN_TRY(tain_loadlog_note(k->load->log, lake, k->number, &g->position, f, (int64_t)c->rows, (int64_t)c->bytes, err));
    tain_fault(TAIN_FAULT_SNAPSHOT_RECORDED);
    return TAIN_OK;
}

static void index_chunk(table_load *l, chunk *c, const tain_delta_file *f)
{
    tain_index *x = l->table->index;
    tain_index_name_file(x, f->path, f->ordinal);
    if (tain_index_add_file(x, f->ordinal, c->hashes, c->rows, NULL) != TAIN_OK) tain_table_warn(l->table, "index_not_written", NULL, 1);
}

static tain_status finish_chunk(chunk *c, tain_error *err)
{
    loading *g = c->all;
    tain_delta_file *f = NULL;
    tain_delta_writer *w = c->writer;
    c->writer = NULL;
    if (c->rows == 0) tain_delta_writer_abort(w);
    else TAIN_TRY(tain_delta_writer_finish(w, &f, err));
    tain_status st = note_chunk(g, c->task, c, f, err);
    if (!f) return st;
    pthread_mutex_lock(&g->lock);
    tain_load_keep_file(c->load, f, &g->position);
    c->load->rows += c->rows;
    c->load->bytes += c->bytes;
    if (st == TAIN_OK) index_chunk(c->load, c, f);
    pthread_mutex_unlock(&g->lock);
    return st;
}

/* --- what became of it --------------------------------------------------------------------------------------------- */

bool tain_load_is_everybodys(tain_status st)
{
    return tain_status_policy(st) == TAIN_POLICY_RETRY || st == TAIN_E_CANCELLED || st == TAIN_E_AUTH || st == TAIN_E_GONE;
}

static void note_failure(loading *g, table_load *l, tain_status st, tain_error *e)
{
    if (l) tain_error_context(e, "table %s", l->table->name);
    pthread_mutex_lock(&g->lock);
    if (!l || tain_load_is_everybodys(st)) {
        if (g->status == TAIN_OK) {
            g->status = st;
            g->error = *e;
        }
    } else if (l->failure.code == TAIN_OK) {
        l->failure = *e;
    }
    pthread_mutex_unlock(&g->lock);
}

static void note_success(loading *g, table_load *l)
{
    pthread_mutex_lock(&g->lock);
    if (--l->chunks_left == 0 && l->failure.code == TAIN_OK) {
        l->next_ready = g->ready;
        g->ready = l;
        (void)tain_table_release_index(l->table); /* it may be long until the others are loaded */
    }
    pthread_mutex_unlock(&g->lock);
}

static void end_chunk(chunk *c)
{
    tain_error e = c->read_error;
    tain_status st = c->read;
    if (st == TAIN_OK) st = write_failure(c, &e);
    if (st == TAIN_OK) st = finish_chunk(c, &e);
    if (st == TAIN_OK) note_success(c->all, c->load);
    else note_failure(c->all, c->load, st, &e);
    chunk_free(c);
}

/* On the encoder's thread. */
static void encode(void *ctx, const tain_batch *batch)
{
    chunk *c = ctx;
    if (!batch) end_chunk(c);
    else if (atomic_load(&c->written) == TAIN_OK) atomic_store(&c->written, (int)write_rows(c, batch, &c->write_error));
}

static tain_status open_writer(chunk *c, tain_error *err)
{
    const tain_definition *d = c->all->mirror->definition;
    const tain_parquet_options defaults = tain_parquet_defaults();
    tain_parquet_options options = defaults;
    options.row_group_bytes = (size_t)(d->memory / (c->all->beside ? 16 : 8) / d->jobs);
    if (options.row_group_bytes > defaults.row_group_bytes) options.row_group_bytes = defaults.row_group_bytes;
    TAIN_TRY(tain_delta_writer_new(c->load->table->store, c->load->table->schema, &options, &c->writer, err));
    tain_delta_writer_index_columns(c->writer, c->load->table->delta);
    return TAIN_OK;
}

/* Its end is written while the next one is read. */
static void read_chunk(loading *g, tain_reader *reader, tain_encoder *encoder, const task *k)
{
    chunk *c = tain_alloc(sizeof *c);
    *c = (chunk){.all = g, .task = k, .load = k->load, .encoder = encoder};
    tain_rows_sink sink = {.rows = take_rows, .warn = take_warning, .ctx = c};
    c->read = open_writer(c, &c->read_error);
    if (c->read == TAIN_OK) c->read = g->mirror->source->ops->reader_read(reader, &k->chunk, &sink, &c->read_error);
    tain_encoder_end(encoder, c);
}

/* --- readers ------------------------------------------------------------------------------------------------------- */

/* What follows is kept for the reader of the task in front of it. */
static bool is_kept(const loading *g, size_t i)
{
    if (!g->mirror->source->in_order || i == 0 || i >= g->task_count) return false;
    const task *front = &g->tasks[i - 1];
    return front->load == g->tasks[i].load && front->chunk.ahead > front->chunk.to;
}

/* g->task_count: there is none. */
static size_t find_task(loading *g, const task *last)
{
    size_t i = last ? (size_t)(last - g->tasks) + 1 : 0;
    if (last && is_kept(g, i)) return i;
    while (is_kept(g, g->next)) g->next++;
    return g->next < g->task_count ? g->next++ : g->task_count;
}

/* last: the reader's, NULL: it had none. */
static task *next_task(loading *g, task *last)
{
    task *k = NULL;
    pthread_mutex_lock(&g->lock);
    while (!k && g->status == TAIN_OK && !atomic_load(&g->halted)) {
        size_t i = find_task(g, last);
        if (i == g->task_count) break;
        last = &g->tasks[i];
        if (last->load->failure.code == TAIN_OK) k = last;
    }
    pthread_mutex_unlock(&g->lock);
    return k;
}

/* A table that is complete is committed at once, so that whatever comes later does not concern it. */
static tain_status finish_table(loading *g, table_load *l, tain_reader *reader, tain_error *err)
{
    tain_position at;
    TAIN_TRY(tain_load_check_mark(l, reader, err));
    return !l->moved && tain_load_is_of_one_moment(g, l, &at) ? tain_load_commit(g, l, err) : TAIN_OK;
}

static table_load *take_ready(loading *g)
{
    pthread_mutex_lock(&g->lock);
    table_load *l = g->ready;
    if (l) g->ready = l->next_ready;
    pthread_mutex_unlock(&g->lock);
    return l;
}

static void finish_ready(loading *g, tain_reader *reader)
{
    tain_error e = {0};
    for (table_load *l; (l = take_ready(g));) {
        tain_status st = finish_table(g, l, reader, &e);
        if (st != TAIN_OK) note_failure(g, l, st, &e);
    }
}

static void work(loading *g, tain_reader *reader, tain_encoder *encoder)
{
    for (task *k = NULL; (k = next_task(g, k));) {
        read_chunk(g, reader, encoder, k);
        if (!g->beside) finish_ready(g, reader);
    }
    tain_encoder_flush(encoder);
    if (!g->beside) finish_ready(g, reader);
}

/* The first one takes what the source thread has opened. */
static tain_status open_reader(loading *g, tain_reader **ret, tain_error *err)
{
    tain_status st = TAIN_OK;
    pthread_mutex_lock(&g->lock);
    *ret = g->own;
    g->own = NULL;
    if (!*ret) st = g->mirror->source->ops->reader_open(g->mirror->source, ret, err);
    pthread_mutex_unlock(&g->lock);
    return st;
}

static void run_reader(loading *g, tain_reader **ret)
{
    tain_encoder *encoder = NULL;
    tain_error e = {0};
    tain_status st = open_reader(g, ret, &e);
    if (st == TAIN_OK) st = tain_encoder_start(encode, &encoder, &e);
    if (st == TAIN_OK) work(g, *ret, encoder);
    else note_failure(g, NULL, st, &e);
    tain_encoder_stop(encoder);
}

/* The last one leaves its connection to the source thread, which may have a question at the end. */
static void leave(loading *g, tain_reader *reader)
{
    pthread_mutex_lock(&g->lock);
    tain_reader *extra = g->own ? reader : NULL;
    if (!g->own) g->own = reader;
    pthread_mutex_unlock(&g->lock);
    if (extra) g->mirror->source->ops->reader_close(extra);
}

static void *reader_main(void *ctx)
{
    loading *g = ctx;
    tain_reader *reader = NULL;
    run_reader(g, &reader);
    if (reader) leave(g, reader);
    atomic_fetch_sub(&g->running, 1);
    return NULL;
}

void tain_load_read(loading *g)
{
    int jobs = g->mirror->definition->jobs;
    if (jobs > READERS_MOST) jobs = READERS_MOST;
    if ((size_t)jobs > g->task_count) jobs = (int)g->task_count;
    g->threads = tain_alloc((size_t)(jobs + 1) * sizeof *g->threads);
    for (; g->thread_count < jobs; g->thread_count++) {
        atomic_fetch_add(&g->running, 1);
        if (pthread_create(&g->threads[g->thread_count], NULL, reader_main, g) == 0) continue;
        atomic_fetch_sub(&g->running, 1);
        break;
    }
    if (g->thread_count || jobs == 0) return;
    g->status = tain_fail(&g->error, TAIN_E_UNAVAILABLE, "cannot start a thread");
}

void tain_load_join(loading *g)
{
    tain_beat_wait(&g->mirror->stream_beat);
    for (int i = 0; i < g->thread_count; i++) pthread_join(g->threads[i], NULL);
    g->thread_count = 0;
    tain_beat_turn(&g->mirror->stream_beat);
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
