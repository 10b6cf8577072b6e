/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/encoder.h"
#include "mirror/mirror.h"
#include "mirror/upkeep.h"

enum { CHUNK_ROWS = 1 << 20, READERS_MOST = 32 };

typedef struct table_load {
    tain_mirror      *mirror;
    tain_table       *table;
    tain_index       *old_index; /* of the content being replaced */
    size_t            chunks_left;
    tain_delta_file **files;
    size_t            file_count, file_capacity;
    uint64_t          rows, bytes;
    atomic_int        bad_key;   /* a column of the key + 1 in which a value was replaced, 0: none */
    tain_error        failure;   /* code OK: none; the table's own */
} table_load;

typedef struct task { table_load *load; tain_chunk chunk; } task;

typedef struct loading {
    tain_mirror    *mirror;
    table_load     *loads;
    size_t          load_count;
    task           *tasks;
    size_t          task_count, next;
    pthread_mutex_t lock;   /* next, loads, and the source's reader_open */
    tain_status     status; /* of the whole: source or lake in trouble */
    tain_error      error;
    tain_position   position;
} loading;

/* --- one chunk ----------------------------------------------------------------------------------------------------- */

typedef struct chunk_writer {
    table_load        *load;
    tain_encoder      *encoder;
    tain_delta_writer *writer;
    uint64_t          *hashes;
    size_t             rows, capacity;
} chunk_writer;

static tain_status take_rows(void *ctx, tain_batch *batch, tain_error *err)
{
    chunk_writer *cw = ctx;
    if (atomic_load(&cw->load->mirror->stop)) return tain_fail(err, TAIN_E_CANCELLED, "stopped");
    return tain_encoder_push(cw->encoder, cw, batch, err);
}

static tain_status write_rows(void *ctx, const tain_batch *batch, tain_error *err)
{
    chunk_writer *cw = ctx;
    tain_table *t = cw->load->table;
    if (cw->rows + batch->rows > cw->capacity) {
        cw->capacity = cw->capacity ? cw->capacity * 2 : CHUNK_ROWS / 8;
        if (cw->capacity < cw->rows + batch->rows) cw->capacity = cw->rows + batch->rows;
        cw->hashes = tain_realloc(cw->hashes, cw->capacity * sizeof *cw->hashes);
    }
    tain_key_hash(&t->key, batch, 0, batch->rows, cw->hashes + cw->rows);
    cw->rows += batch->rows;
    TAIN_TRY(tain_parquet_append(tain_delta_writer_parquet(cw->writer), batch, NULL, 0, batch->rows, err));
    pthread_mutex_lock(&t->lock);
    t->rows_live += (int64_t)batch->rows;
    t->bytes_processed += (int64_t)tain_batch_bytes(batch);
    pthread_mutex_unlock(&t->lock);
    return TAIN_OK;
}

static void take_warning(void *ctx, tain_source_table *source, size_t column, const char *code)
{
    chunk_writer *cw = ctx;
    tain_table_warn(cw->load->table, code, source->columns->fields[column].name, 1);
    if (tain_source_table_is_key(source, column)) atomic_store(&cw->load->bad_key, (int)column + 1);
}

static void keep_file(table_load *l, tain_delta_file *f)
{
    if (l->file_count == l->file_capacity) {
        l->file_capacity = l->file_capacity ? l->file_capacity * 2 : 16;
        l->files = tain_realloc(l->files, l->file_capacity * sizeof(tain_delta_file *));
    }
    l->files[l->file_count++] = f;
}

static tain_status finish_chunk(loading *g, chunk_writer *cw, tain_error *err)
{
    tain_delta_file *f;
    tain_delta_writer *w = cw->writer;
    cw->writer = NULL;
    if (cw->rows == 0) {
        tain_delta_writer_abort(w);
        return TAIN_OK;
    }
    TAIN_TRY(tain_delta_writer_finish(w, &f, err));
    tain_fault(TAIN_FAULT_SNAPSHOT_CHUNK);
    pthread_mutex_lock(&g->lock);
    keep_file(cw->load, f);
    cw->load->rows += cw->rows;
    tain_index_name_file(cw->load->table->index, f->path, f->ordinal);
    tain_status st = tain_index_add_file(cw->load->table->index, f->ordinal, cw->hashes, cw->rows, NULL);
    pthread_mutex_unlock(&g->lock);
    if (st != TAIN_OK) tain_table_warn(cw->load->table, "index_not_written", NULL, 1);
    return TAIN_OK;
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
    if (st == TAIN_OK) st = finish_chunk(g, &cw, err);
    if (cw.writer) tain_delta_writer_abort(cw.writer);
    free(cw.hashes);
    return st;
}

/* --- readers ------------------------------------------------------------------------------------------------------- */

/* Trouble of the source or the lake as a whole, which the other tables would meet too. */
static bool is_everybodys(tain_status st)
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

static void note_result(loading *g, task *k, tain_status st, const tain_error *e)
{
    pthread_mutex_lock(&g->lock);
    if (st == TAIN_OK) {
        k->load->chunks_left--;
    } else if (!k || is_everybodys(st)) {
        if (g->status == TAIN_OK) {
            g->status = st;
            g->error = *e;
        }
    } else if (k->load->failure.code == TAIN_OK) {
        k->load->failure = *e;
    }
    pthread_mutex_unlock(&g->lock);
}

static void *reader_main(void *ctx)
{
    loading *g = ctx;
    const tain_source_ops *ops = g->mirror->source->ops;
    tain_reader *reader = NULL;
    tain_encoder *encoder = NULL;
    tain_error e = {0};
    pthread_mutex_lock(&g->lock);
    tain_status st = ops->reader_open(g->mirror->source, &reader, &e);
    pthread_mutex_unlock(&g->lock);
    if (st == TAIN_OK) st = tain_encoder_start(write_rows, &encoder, &e);
    if (st != TAIN_OK) note_result(g, NULL, st, &e);
    for (task *k; st == TAIN_OK && (k = next_task(g));) {
        tain_status one = read_chunk(g, reader, encoder, k, &e);
        if (one != TAIN_OK) tain_error_context(&e, "table %s", k->load->table->name);
        note_result(g, k, one, &e);
        if (one != TAIN_OK && is_everybodys(one)) break;
    }
    tain_encoder_stop(encoder);
    if (reader) ops->reader_close(reader);
    return NULL;
}

static void run_readers(loading *g)
{
    int jobs = g->mirror->definition->jobs;
    if (jobs > READERS_MOST) jobs = READERS_MOST;
    if ((size_t)jobs > g->task_count) jobs = (int)g->task_count;
    pthread_t threads[READERS_MOST];
    int started = 0;
    while (started < jobs - 1 && pthread_create(&threads[started], NULL, reader_main, g) == 0) started++;
    if (jobs > 0) reader_main(g);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

/* --- planning ------------------------------------------------------------------------------------------------------ */

static tain_status plan_table(loading *g, table_load *l, tain_error *err)
{
    tain_chunk *chunks = NULL;
    size_t n = 0;
    TAIN_TRY(g->mirror->source->ops->snapshot_plan(g->mirror->source, l->table->source, CHUNK_ROWS, &chunks, &n, err));
    g->tasks = tain_realloc(g->tasks, (g->task_count + n + 1) * sizeof *g->tasks);
    for (size_t i = 0; i < n; i++) g->tasks[g->task_count++] = (task){.load = l, .chunk = chunks[i]};
    l->chunks_left = n;
    free(chunks);
    return TAIN_OK;
}

/* Live rows start at zero and grow while rows come in: what a progress display shows. */
static tain_status begin_table(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    tain_upkeep_forget(g->mirror, t);
    tain_pending_clear(t);
    if (!t->delta) { /* one that was not followed until now may have content */
        tain_error e;
        tain_status st = tain_table_find_delta(t, &e);
        if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) {
            if (err) *err = e;
            return st;
        }
    }
    tain_table_shape(t, t->source);
    tain_table_forget_warnings(t);
    tain_table_set_status(t, t->delta ? TAIN_TABLE_RESEEDING : TAIN_TABLE_SNAPSHOTTING, t->load_reason, NULL);
    pthread_mutex_lock(&t->lock);
    t->rows_live = 0;
    t->rows_total = t->source->rows_estimate;
    pthread_mutex_unlock(&t->lock);
    TAIN_TRY(tain_table_new_index(t, err));
    return plan_table(g, l, err);
}

/* --- committing ---------------------------------------------------------------------------------------------------- */

static tain_status commit_content(loading *g, table_load *l, int64_t epoch, tain_error *err)
{
    tain_table *t = l->table;
    tain_delta_file **old = NULL, *f;
    size_t old_count = 0;
    if (t->delta) {
        old = tain_alloc((tain_delta_file_count(t->delta) + 1) * sizeof *old);
        for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);) old[old_count++] = f;
    }
    json_t *info = tain_epoch_info(t, &g->position, epoch, NULL), *memo = tain_table_memo(t, t->source->memo);
    tain_delta_commit c = {
        .operation = t->delta ? "WRITE" : "CREATE TABLE", .info = info, .app_id = t->app_id, .app_version = epoch, .name = t->name,
        .schema = t->schema, .configuration = memo, .adds = l->files, .add_count = l->file_count, .removes = old, .remove_count = old_count, .data_change = true,
    };
    tain_status st = t->delta ? tain_delta_commit_write(t->delta, &c, err) : tain_delta_create(t->store, &c, &t->delta, err);
    json_decref(info);
    json_decref(memo);
    free(old);
    return st;
}

static tain_status commit_table(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    if (l->bad_key) return tain_table_fail_key(t->source, (size_t)l->bad_key - 1, err);
    tain_fault(TAIN_FAULT_SNAPSHOT_BEFORE_COMMIT);
    t->pending.rows = (int64_t)l->rows;
    tain_status st = commit_content(g, l, g->mirror->next_epoch++, err);
    t->pending.rows = 0;
    TAIN_TRY(st);
    tain_fault(TAIN_FAULT_SNAPSHOT_TABLE_COMMITTED);
    l->file_count = 0; /* the table's now */
    tain_table_know_files(t);
    t->have = g->position;
    t->announced = false;
    t->needs_load = false;
    pthread_mutex_lock(&t->lock);
    t->rows_processed += (int64_t)l->rows;
    t->rows_live = tain_delta_live_rows(t->delta);
    t->last_completed = tain_now();
    pthread_mutex_unlock(&t->lock);
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
    return TAIN_OK;
}

static tain_status commit_complete(loading *g, tain_error *err)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        if (l->failure.code == TAIN_OK && l->chunks_left == 0) {
            tain_status st = commit_table(g, l, &l->failure);
            if (st != TAIN_OK && is_everybodys(st)) {
                if (err) *err = l->failure;
                return st;
            }
        }
        if (l->failure.code != TAIN_OK) tain_mirror_fail_table(g->mirror, l->table, &l->failure);
    }
    return TAIN_OK;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void gather(loading *g)
{
    tain_mirror *m = g->mirror;
    g->loads = tain_alloc((m->table_count + 1) * sizeof *g->loads);
    for (size_t i = 0; i < m->table_count; i++)
        if (m->tables[i]->needs_load && !m->tables[i]->left_behind) g->loads[g->load_count++] = (table_load){.mirror = m, .table = m->tables[i]};
}

static tain_status begin(loading *g, tain_error *err)
{
    tain_source_table **sources = tain_alloc((g->load_count + 1) * sizeof *sources);
    for (size_t i = 0; i < g->load_count; i++) sources[i] = g->loads[i].table->source;
    tain_status st = g->mirror->source->ops->snapshot_begin(g->mirror->source, sources, g->load_count, &g->position, err);
    free(sources);
    return st;
}

static tain_status read_all(loading *g, tain_error *err)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        tain_status st = begin_table(g, l, &l->failure);
        if (st != TAIN_OK && is_everybodys(st)) {
            if (err) *err = l->failure;
            return st;
        }
    }
    run_readers(g);
    if (g->status != TAIN_OK && err) *err = g->error;
    return g->status;
}

static void done(loading *g)
{
    for (size_t i = 0; i < g->load_count; i++) {
        for (size_t k = 0; k < g->loads[i].file_count; k++) tain_delta_file_free(g->loads[i].files[k]);
        free(g->loads[i].files);
    }
    free(g->loads);
    free(g->tasks);
    pthread_mutex_destroy(&g->lock);
}

tain_status tain_load_tables(tain_mirror *m, tain_error *err)
{
    loading g = {.mirror = m};
    gather(&g);
    pthread_mutex_init(&g.lock, NULL);
    pthread_mutex_lock(&m->tables_lock);
    tain_status st = g.load_count ? begin(&g, err) : TAIN_OK;
    if (st == TAIN_OK && g.load_count) {
        tain_fault(TAIN_FAULT_SNAPSHOT_BEGUN);
        st = read_all(&g, err);
        if (st == TAIN_OK) st = commit_complete(&g, err);
        tain_status ended = m->source->ops->snapshot_end(m->source, st == TAIN_OK ? err : NULL);
        if (st == TAIN_OK) st = ended;
    }
    pthread_mutex_unlock(&m->tables_lock);
    done(&g);
    return st;
}
