/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/feed/feed.h"
#include "mirror/history/history.h"
#include "mirror/load/load.h"
#include "maintain/presence.h"
#include "mirror/load/replay.h"
#include "mirror/load/reread.h"
#include "mirror/upkeep.h"

/* A crash costs what the readers were at: each a part of this many of its table, if that is worth a file. Files that are written
 * again for one row are smaller. */
enum { PARTS = 48, CHUNK_LEAST = 1 << 14, CHUNK_MOST = 1 << 20, CHUNK_COPIED = 1 << 17, MOST_TRIES = 20 };

typedef tain_table_load table_load;
typedef tain_load_task  task;
typedef tain_loading    loading;

static tain_store *lake_of(const table_load *l)
{
    return tain_lake_store(l->mirror->lake);
}

/* --- what an earlier load has left --------------------------------------------------------------------------------- */

/* NULL: what it has finished is still good. */
static const char *why_not(const tain_table *t, const tain_loadlog *log, bool held)
{
    if (atomic_load(&t->anew)) return "";
    if (!held) return "the stream has gone on since";
    if (!tain_loadlog_fits(log, t->source)) return "its columns or its key are others now";
    return NULL;
}

static tain_status start_over(table_load *l, const char *why, tain_error *err)
{
    tain_loadlog_free(l->log);
    l->log = NULL;
    if (*why) tain_mirror_say(l->mirror, "%s is loaded from the beginning: %s", l->table->name, why);
    return tain_loadlog_abandon(l->table, lake_of(l), err);
}

/* A commit with a number of the load's or a later one is its own: nothing else is committed to the table meanwhile. */
static bool has_ended(const tain_table *t, const tain_loadlog *log)
{
    return t->delta && !t->foreign && tain_delta_txn(t->delta, t->app_id) >= log->epoch;
}

/* at_start: the source will be asked whether it still has what came since. */
static tain_status find_log(table_load *l, bool at_start, tain_error *err)
{
    TAIN_TRY(tain_loadlog_read(l->table, lake_of(l), &l->log, err));
    if (!l->log) return TAIN_OK;
    if (has_ended(l->table, l->log)) {
        tain_loadlog_free(l->log);
        l->log = NULL;
        return tain_loadlog_forget(l->table, lake_of(l), err);
    }
    const char *why = why_not(l->table, l->log, at_start || tain_mirror_holds(l->mirror, &l->log->first));
    return why ? start_over(l, why, err) : TAIN_OK;
}

static tain_status recall_table(tain_mirror *m, tain_table *t, tain_position *io_first, tain_error *err)
{
    table_load l = {.mirror = m, .table = t};
    bool followed = t->status == TAIN_TABLE_REPLICATING;
    if (t->left_behind || t->foreign || (!followed && !t->needs_load) || atomic_load(&t->anew)) return TAIN_OK;
    TAIN_TRY_IN(err, find_log(&l, true, err), "table %s", t->name);
    if (!l.log) return TAIN_OK;
    if (!io_first->text[0] || tain_position_compare(&l.log->first, io_first) < 0) *io_first = l.log->first;
    if (followed && !t->load_reason) {
        t->load_reason = tain_strdup("its loading was interrupted");
        tain_table_set_status(t, TAIN_TABLE_RESEEDING, t->load_reason, NULL);
    }
    t->needs_load = true;
    tain_loadlog_free(l.log);
    return TAIN_OK;
}

tain_status tain_load_recall(tain_mirror *m, tain_position *ret_first, tain_error *err)
{
    *ret_first = (tain_position){0};
    for (size_t i = 0; i < m->table_count; i++) TAIN_TRY(recall_table(m, m->tables[i], ret_first, err));
    return TAIN_OK;
}

void tain_load_start_over(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++) atomic_store(&m->tables[i]->anew, true);
}

/* --- planning ------------------------------------------------------------------------------------------------------ */

static int64_t chunk_rows(const table_load *l)
{
    int64_t all = l->table->source->rows_estimate, rows = all / (PARTS * l->mirror->definition->jobs);
    int64_t most = l->table->compat ? CHUNK_COPIED : CHUNK_MOST;
    return rows < CHUNK_LEAST ? CHUNK_LEAST : rows > most ? most : rows;
}

static void add_task(loading *g, table_load *l, tain_chunk chunk, size_t number)
{
    if (g->task_count == g->task_capacity) {
        g->task_capacity = g->task_capacity ? g->task_capacity * 2 : 64;
        g->tasks = tain_realloc(g->tasks, g->task_capacity * sizeof *g->tasks);
    }
    g->tasks[g->task_count++] = (task){.load = l, .chunk = chunk, .number = number};
    l->chunks_left++;
}

static tain_status open_own_reader(loading *g, tain_error *err)
{
    const tain_source_ops *ops = g->mirror->source->ops;
    return g->own ? TAIN_OK : ops->reader_open(g->mirror->source, &g->own, err);
}

static tain_status read_mark(loading *g, table_load *l, tain_error *err)
{
    const tain_source_ops *ops = g->mirror->source->ops;
    if (!ops->reader_mark) return TAIN_OK;
    TAIN_TRY(open_own_reader(g, err));
    free(l->mark); /* of a load that could not be gone on with */
    l->mark = NULL;
    return ops->reader_mark(g->own, l->table->source, &l->mark, err);
}

/* A load of several parts of a table with a key is one that can be gone on with. */
static tain_status begin_log(loading *g, table_load *l, const tain_chunk *chunks, size_t n, tain_error *err)
{
    TAIN_TRY(read_mark(g, l, err));
    if (!l->mark || l->table->multiset) return TAIN_OK;
    tain_load_chunk *list = tain_alloc(n * sizeof *list);
    for (size_t i = 0; i < n; i++) list[i] = (tain_load_chunk){.from = chunks[i].from, .to = chunks[i].to, .rows_estimate = chunks[i].rows_estimate};
    l->log = tain_loadlog_new(l->table, &g->position, g->mirror->next_epoch, tain_strdup(l->mark), list, n);
    TAIN_TRY(tain_loadlog_begin(l->log, lake_of(l), err));
    tain_fault(TAIN_FAULT_SNAPSHOT_PLANNED);
    return TAIN_OK;
}

/* A reader goes through its own part of the table, from chunk to chunk. */
static void give_runs(loading *g, size_t first)
{
    size_t jobs = (size_t)g->mirror->definition->jobs, share = (g->task_count - first + jobs - 1) / jobs;
    for (size_t at = first, end; g->mirror->source->in_order && at < g->task_count; at = end) {
        for (end = at + 1; end < g->task_count && end - at < share && g->tasks[end].chunk.from == g->tasks[end - 1].chunk.to;) end++;
        for (size_t i = at; i < end; i++) g->tasks[i].chunk.ahead = g->tasks[end - 1].chunk.to;
    }
}

static tain_status plan_new(loading *g, table_load *l, const tain_chunk *chunks, size_t n, tain_error *err)
{
    if (n > 1) TAIN_TRY(begin_log(g, l, chunks, n, err));
    for (size_t i = 0; i < n; i++) add_task(g, l, chunks[i], i);
    return TAIN_OK;
}

static tain_status take_file(table_load *l, const tain_load_chunk *c, tain_error *err)
{
    tain_delta_file *f;
    tain_table *t = l->table;
    TAIN_TRY(tain_delta_file_from_json(c->add, &f, err));
    tain_load_keep_file(l, f, &c->position);
    TAIN_TRY(tain_table_feed_file(t, f, err));
    pthread_mutex_lock(&t->lock);
    t->rows_live += c->rows;
    t->rows_read += c->rows;
    t->recorded.rows += c->rows; /* as read by an earlier run */
    pthread_mutex_unlock(&t->lock);
    l->rows += (uint64_t)c->rows;
    l->bytes += (uint64_t)c->bytes;
    return TAIN_OK;
}

static tain_status plan_rest(loading *g, table_load *l, tain_error *err)
{
    size_t done = 0;
    for (size_t i = 0; i < l->log->count; i++) {
        const tain_load_chunk *c = &l->log->chunks[i];
        done += c->done;
        if (c->add) TAIN_TRY(take_file(l, c, err));
        if (!c->done) add_task(g, l, (tain_chunk){.table = l->table->source, .from = c->from, .to = c->to, .rows_estimate = c->rows_estimate}, i);
    }
    tain_mirror_say(l->mirror, "%s: its load goes on: %zu of %zu parts are there", l->table->name, done, l->log->count);
    return TAIN_OK;
}

/* --- beginning ----------------------------------------------------------------------------------------------------- */

/* Data files that no log names and that no table has are what a load in one go has left. */
static bool note_leftover(void *ctx, const tain_object *o)
{
    tain_map_put(ctx, o->key, ctx);
    return true;
}

static tain_status clear_leftovers(const table_load *l, tain_error *err)
{
    tain_map left = {0};
    const char *key;
    void *unused;
    tain_status st = tain_store_list(l->table->store, "part-", NULL, note_leftover, &left, err);
    for (size_t i = 0; l->log && i < l->log->count; i++) {
        const char *path = tain_json_get_str(json_object_get(l->log->chunks[i].add, "add"), "path", NULL);
        if (path) tain_map_remove(&left, path);
    }
    for (size_t cursor = 0; st == TAIN_OK && tain_map_next(&left, &cursor, &key, &unused);) st = tain_store_remove(l->table->store, key, err);
    tain_map_done(&left);
    return st;
}

/* One that was not followed until now may have content. */
static tain_status find_content(const table_load *l, tain_error *err)
{
    tain_error e;
    tain_table *t = l->table;
    if (t->delta) return TAIN_OK;
    tain_status st = tain_table_find_delta(t, &e);
    if (st == TAIN_E_NOT_FOUND) return clear_leftovers(l, err);
    if (st != TAIN_OK && err) *err = e;
    return st;
}

/* What is there still has to fit the source as it is now that a snapshot is open. */
static tain_status check_log(loading *g, table_load *l, tain_error *err)
{
    if (!l->log) return TAIN_OK;
    const char *why = why_not(l->table, l->log, tain_mirror_holds(g->mirror, &l->log->first));
    if (!why) {
        TAIN_TRY(read_mark(g, l, err));
        if (!l->mark || strcmp(l->mark, l->log->mark) != 0) why = "its rows are in other places now";
    }
    if (!why) return tain_loadlog_adopt_names(l->log, l->table, err);
    l->moved = !g->reads; /* a snapshot is needed after all */
    return start_over(l, why, err);
}

/* Dropped before the snapshot: nothing comes of the load. */
static tain_status let_go(table_load *l, tain_error *err)
{
    tain_mirror_say(l->mirror, "%s was dropped in the source", l->table->name);
    tain_table_set_dropped(l->table);
    l->finished = true;
    return start_over(l, "", err);
}

static tain_status make_plan(loading *g, table_load *l, tain_error *err)
{
    tain_chunk *chunks = NULL;
    size_t n = 0;
    if (!g->reads) return l->log ? plan_rest(g, l, err) : TAIN_OK;
    tain_status st = g->mirror->source->ops->snapshot_plan(g->mirror->source, l->table->source, chunk_rows(l), &chunks, &n, err);
    if (st == TAIN_E_NOT_FOUND) return let_go(l, err);
    TAIN_TRY(st);
    pthread_mutex_lock(&l->table->lock);
    l->table->rows_total = l->table->source->rows_estimate;
    pthread_mutex_unlock(&l->table->lock);
    size_t first = g->task_count;
    st = l->log ? plan_rest(g, l, err) : plan_new(g, l, chunks, n, err);
    give_runs(g, first);
    free(chunks);
    return st;
}

static void take_shape(table_load *l)
{
    const tain_source_table *s = l->table->source;
    l->columns = s->columns;
    l->schema_name = tain_strdup(s->schema);
    l->table_name = tain_strdup(s->name);
    l->memo = tain_strdup(s->memo);
}

/* The stream was further already when the snapshot was there. */
static bool is_overrun(const tain_table *t)
{
    return tain_position_compare(&t->passed, &t->loading_at) > 0 || tain_position_compare(&t->reshaped_at, &t->loading_at) > 0;
}

/* Live rows start at zero and grow while rows come in: what a progress display shows. */
static void show_beginning(table_load *l, int64_t rows)
{
    tain_table *t = l->table;
    tain_table_set_status(t, t->delta ? TAIN_TABLE_RESEEDING : TAIN_TABLE_SNAPSHOTTING, t->load_reason, NULL);
    pthread_mutex_lock(&t->lock);
    t->rows_live = t->rows_read = 0;
    t->rows_total = rows;
    pthread_mutex_unlock(&t->lock);
}

static void take_part(loading *g, table_load *l, const tain_chunk *chunks, size_t n)
{
    int64_t rows = 0;
    size_t first = g->task_count;
    for (size_t i = 0; i < n; i++) {
        rows += chunks[i].rows_estimate;
        add_task(g, l, chunks[i], i);
    }
    give_runs(g, first);
    show_beginning(l, rows);
}

/* Only what cannot be told to be right, if that is still all of it. */
static tain_status plan_reread(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    tain_source *s = g->mirror->source;
    tain_chunk *chunks = NULL;
    size_t n = 0;
    tain_error e = {0};
    bool can = g->beside && !l->log && tain_reread_can(g->mirror, t);
    tain_status st = can ? s->ops->reread_plan(s, t->source, t->reread.within, t->reread.count, chunk_rows(l), &chunks, &n, &e) : TAIN_E_UNSUPPORTED;
    bool whole = st == TAIN_E_UNSUPPORTED || st == TAIN_E_NOT_FOUND;
    l->rereads = st == TAIN_OK;
    if (whole) {
        tain_mirror_say(l->mirror, "%s: more of it may have changed meanwhile: all of it is loaded again", t->name);
        tain_reread_forget(t);
    } else if (l->rereads) {
        take_part(g, l, chunks, n);
    } else if (err) {
        *err = e;
    }
    free(chunks);
    return whole ? TAIN_OK : st;
}

static tain_status begin_table(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    t->loading = true;
    t->overtaken = t->missed = t->retell = t->behind = false;
    t->loading_at = g->position;
    take_shape(l);
    tain_upkeep_forget(g->mirror, t);
    tain_pending_clear(t);
    tain_replay_free(t->replay);
    t->replay = NULL;
    TAIN_TRY(find_content(l, err));
    TAIN_TRY(tain_history_await(g->mirror, t, err));
    if (t->reread.count) TAIN_TRY(plan_reread(g, l, err));
    if (l->rereads) return TAIN_OK;
    tain_table_shape(t, t->source);
    TAIN_TRY(check_log(g, l, err));
    if (l->moved) return TAIN_OK;
    t->missed = l->log != NULL || is_overrun(t); /* what came since its first snapshot has passed by */
    t->retell = tain_position_compare(&t->reshaped_at, &t->loading_at) > 0;
    if (!l->log) tain_table_forget_warnings(t);
    show_beginning(l, t->source->rows_estimate);
    TAIN_TRY(tain_table_new_index(t, err));
    TAIN_TRY(make_plan(g, l, err));
    (void)tain_table_release_index(t); /* of what was read before */
    return TAIN_OK;
}

/* --- committing ---------------------------------------------------------------------------------------------------- */

bool tain_load_is_of_one_moment(const loading *g, const table_load *l, tain_position *ret)
{
    *ret = g->position;
    if (!l->log) return true;
    (void)tain_loadlog_is_complete(l->log, ret);
    for (size_t i = 0; i < l->log->count; i++)
        if (tain_position_compare(&l->log->chunks[i].position, ret) != 0) return false;
    return true;
}

static tain_status commit_content(const table_load *l, const tain_position *at, int64_t epoch, const tain_feed *feed, tain_error *err)
{
    tain_table *t = l->table;
    tain_delta_file **old = NULL, *f;
    size_t old_count = 0;
    if (t->delta) {
        old = tain_alloc((tain_delta_file_count(t->delta) + 1) * sizeof *old);
        for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);) old[old_count++] = f;
    }
    json_t *info = tain_epoch_info(t, at, epoch, NULL), *memo = tain_table_memo(t, l->memo), *configuration = tain_feed_configure(t, memo);
    TAIN_AUTO(tain_free) char *name = tain_source_full_name(l->schema_name, l->table_name);
    tain_delta_commit c = {
        .operation = t->delta ? "WRITE" : "CREATE TABLE", .info = info, .app_id = t->app_id, .app_version = epoch, .name = name,
        .schema = t->shown, .configuration = configuration, .adds = l->files, .add_count = l->file_count, .removes = old, .remove_count = old_count, .data_change = true, .whole = true,
        .feed = &feed->file, .feed_count = feed->file != NULL,
    };
    tain_status st = t->delta ? tain_delta_commit_write(t->delta, &c, err) : tain_delta_create(t->store, &c, &t->delta, err);
    json_decref(info);
    json_decref(memo);
    json_decref(configuration);
    free(old);
    return st;
}

/* What was there before goes, as far as readers of the feed are to be told row by row. */
static tain_status commit_with_feed(const table_load *l, const tain_position *at, int64_t epoch, tain_error *err)
{
    tain_feed feed;
    const tain_pending all = {.truncated = true, .adds = l->files, .add_count = l->file_count, .schema = l->table->shown};
    TAIN_TRY(tain_feed_make(l->table, &all, &feed, err));
    tain_status st = commit_content(l, at, epoch, &feed, err);
    tain_feed_done(l->table, &feed, st);
    return st;
}

/* The end of a log that cannot be removed now is seen at the next start. */
static void forget_log(table_load *l)
{
    if (!l->log) return;
    tain_fault(TAIN_FAULT_SNAPSHOT_REPLAYED);
    (void)!tain_loadlog_forget(l->table, lake_of(l), NULL);
    tain_fault(TAIN_FAULT_SNAPSHOT_FORGOTTEN);
}

static void show_loaded(table_load *l)
{
    tain_table *t = l->table;
    pthread_mutex_lock(&t->lock);
    t->rows_processed += (int64_t)l->rows;
    t->rows_read = 0;
    t->rows_live = tain_delta_live_rows(t->delta);
    t->last_completed = tain_now();
    pthread_mutex_unlock(&t->lock);
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
}

static int64_t next_epoch(loading *g)
{
    pthread_mutex_lock(&g->lock);
    int64_t n = g->mirror->next_epoch++;
    pthread_mutex_unlock(&g->lock);
    return n;
}

static void is_loaded(table_load *l, const tain_position *at)
{
    tain_table *t = l->table;
    t->have = *at;
    t->announced = false;
    t->needs_load = false;
    t->load_tries = 0;
    tain_table_goes(t, l->schema_name, l->table_name); /* what it was called in between is behind its position */
    l->finished = true;
}

/* The stream has gone on since the snapshot: it begins again there, unless nothing came of this table. No epoch ends before
 * all tables are at one position again. */
static void take_up(tain_mirror *m, tain_table *t)
{
    tain_position at = tain_mirror_recorded(m);
    if (tain_position_compare(&t->have, &at) >= 0) return;
    t->behind = t->missed || t->staged;
    m->overdue |= t->behind;
    if (!t->behind) t->have = at;
    tain_replays_begin(m, &at);
}

/* A commit is for good: a table that names files which are not there cannot be read. */
static tain_status check_files(table_load *l, tain_error *err)
{
    tain_status st = tain_presence_check_files(l->table->store, l->files, l->file_count, err);
    l->robbed = st == TAIN_E_CORRUPT;
    if (l->robbed && err) err->code = TAIN_E_NOT_FOUND; /* it is loaded once more */
    return l->robbed ? TAIN_E_NOT_FOUND : st;
}

tain_status tain_load_commit(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    tain_position at;
    (void)tain_load_is_of_one_moment(g, l, &at);
    if (l->bad_key) return tain_table_fail_key(t->source, (size_t)l->bad_key - 1, err);
    tain_fault(TAIN_FAULT_SNAPSHOT_BEFORE_COMMIT);
    TAIN_TRY(check_files(l, err));
    int64_t epoch = next_epoch(g);
    t->pending.rows = (int64_t)l->rows;
    tain_status st = commit_with_feed(l, &at, epoch, err);
    t->pending.rows = 0;
    TAIN_TRY(st);
    tain_fault(TAIN_FAULT_SNAPSHOT_TABLE_COMMITTED);
    l->file_count = 0; /* the table's now */
    tain_table_know_files(t);
    TAIN_TRY(tain_history_enter(t, &at, 0, epoch, err));
    is_loaded(l, &at);
    if (g->beside || l->log) take_up(g->mirror, t); /* what was finished long ago is behind the newest record, too */
    forget_log(l);
    show_loaded(l);
    return TAIN_OK;
}

/* What was read stands for all that there was, or for what is read again of it. */
static tain_status make_room(table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    if (l->rereads) return tain_reread_clear(t, err);
    tain_ordinals_clear(&t->files);
    t->pending.truncated = t->delta != NULL;
    t->pending.schema = t->shown;
    return TAIN_OK;
}

static void stage_files(table_load *l)
{
    tain_table *t = l->table;
    for (size_t i = 0; i < l->file_count; i++) tain_pending_add_file(t, l->files[i]);
    t->pending.configuration = tain_table_memo(t, l->memo);
    t->pending.rows += (int64_t)l->rows;
    t->pending.inserted = (int64_t)l->rows;
    t->pending.dirty = true;
    t->replay = l->rereads ? tain_replay_of_part(t->reread.within, t->reread.count) : tain_replay_new(l->log, l->files, l->read_at, l->file_count);
    if (!l->rereads) l->log = NULL;
    l->file_count = 0;
}

/* What was read at several positions, or is a part, waits, invisible, for the stream to come to the last of them. */
static tain_status stage(loading *g, table_load *l, tain_error *err)
{
    tain_table *t = l->table;
    tain_position first = l->rereads ? t->reread.from : l->log->first, last = g->position;
    if (!l->rereads) (void)tain_loadlog_is_complete(l->log, &last);
    TAIN_TRY(make_room(l, err));
    stage_files(l);
    is_loaded(l, &first);
    t->staged = true;
    tain_replays_begin(g->mirror, &last);
    take_up(g->mirror, t);
    tain_table_set_status(t, TAIN_TABLE_REPLICATING, NULL, NULL);
    tain_fault(TAIN_FAULT_SNAPSHOT_STAGED);
    return TAIN_OK;
}

tain_status tain_load_abandon(tain_mirror *m, tain_table *t, tain_error *err)
{
    tain_replay_free(t->replay);
    t->replay = NULL;
    return tain_loadlog_abandon(t, tain_lake_store(m->lake), err);
}

void tain_load_replayed(tain_mirror *m, tain_table *t)
{
    if (!t->replay) return;
    tain_fault(TAIN_FAULT_SNAPSHOT_REPLAYED);
    (void)!tain_loadlog_forget(t, tain_lake_store(m->lake), NULL);
    tain_fault(TAIN_FAULT_SNAPSHOT_FORGOTTEN);
    tain_replay_free(t->replay);
    t->replay = NULL;
}

static tain_status finish(loading *g, table_load *l, tain_error *err)
{
    tain_position at;
    if (l->mark) TAIN_TRY(open_own_reader(g, err));
    TAIN_TRY(tain_load_check_mark(l, g->own, err));
    if (l->moved) return TAIN_OK;
    tain_fault(TAIN_FAULT_SNAPSHOT_READ);
    if (!l->rereads && tain_load_is_of_one_moment(g, l, &at)) return tain_load_commit(g, l, err);
    if (l->bad_key) return tain_table_fail_key(l->table->source, (size_t)l->bad_key - 1, err);
    TAIN_TRY(check_files(l, err));
    return stage(g, l, err);
}

static tain_status finish_rest(loading *g, tain_error *err)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        if (l->table->overtaken) continue;
        if (l->failure.code == TAIN_OK && l->chunks_left == 0 && !l->finished && !l->moved) {
            tain_status st = finish(g, l, &l->failure);
            if (st != TAIN_OK && tain_load_is_everybodys(st)) {
                if (err) *err = l->failure;
                return st;
            }
        }
        if (l->failure.code == TAIN_E_NOT_FOUND && l->table->load_tries++ < MOST_TRIES) l->moved = true;
        else if (l->failure.code != TAIN_OK) tain_mirror_fail_table(g->mirror, l->table, &l->failure);
    }
    return TAIN_OK;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static tain_status gather(loading *g, tain_error *err)
{
    tain_mirror *m = g->mirror;
    g->loads = tain_alloc((m->table_count + 1) * sizeof *g->loads);
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        tain_position last;
        if (!t->needs_load || t->left_behind || t->late) continue;
        table_load *l = &g->loads[g->load_count++];
        *l = (table_load){.mirror = m, .table = t};
        TAIN_TRY_IN(err, find_log(l, false, err), "table %s", t->name);
        atomic_store(&t->anew, false);
        g->reads |= !l->log || !tain_loadlog_is_complete(l->log, &last);
    }
    return TAIN_OK;
}

static tain_status begin(loading *g, tain_error *err)
{
    if (!g->reads) return TAIN_OK;
    tain_source_table **sources = tain_alloc((g->load_count + 1) * sizeof *sources);
    for (size_t i = 0; i < g->load_count; i++) sources[i] = g->loads[i].table->source;
    tain_status st = g->mirror->source->ops->snapshot_begin(g->mirror->source, sources, g->load_count, &g->position, err);
    free(sources);
    if (st != TAIN_OK) g->reads = false;
    else tain_fault(TAIN_FAULT_SNAPSHOT_BEGUN);
    return st;
}

static void hold_all(loading *g)
{
    if (g->reads) tain_mirror_hold(g->mirror, &g->position);
    for (size_t i = 0; i < g->load_count; i++)
        if (g->loads[i].log) tain_mirror_hold(g->mirror, &g->loads[i].log->first);
}

static tain_status begin_tables(loading *g, tain_error *err)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        tain_status st = begin_table(g, l, &l->failure);
        if (st == TAIN_OK) l->failure = (tain_error){0}; /* what was looked for in vain, and need not be there, is no failure */
        if (st != TAIN_OK && tain_load_is_everybodys(st)) {
            if (err) *err = l->failure;
            return st;
        }
    }
    return TAIN_OK;
}

static const char *why_again(const table_load *l)
{
    if (l->robbed) return "files of it were taken away before they were committed";
    return l->failure.code == TAIN_OK ? "its rows moved while it was read" : "it changed while it was read";
}

/* Tables that were written anew in the middle of it, or whose columns changed before they were read, are loaded once more.
 * So are those whose load the stream has made worthless, if the source still has them. */
static tain_status look_for_moved(loading *g, bool *ret_again, tain_error *err)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        if (l->table->overtaken) {
            *ret_again |= l->table->needs_load;
            TAIN_TRY(start_over(l, "", err));
        }
        if (l->table->overtaken || !l->moved) continue;
        *ret_again = true;
        TAIN_TRY(start_over(l, why_again(l), err));
    }
    return TAIN_OK;
}

static void done(loading *g)
{
    for (size_t i = 0; i < g->load_count; i++) {
        table_load *l = &g->loads[i];
        l->table->loading = false;
        for (size_t k = 0; k < l->file_count; k++) tain_delta_file_free(l->files[k]);
        free(l->schema_name);
        free(l->table_name);
        free(l->memo);
        tain_loadlog_free(l->log);
        free(l->mark);
        free(l->files);
        free(l->read_at);
    }
    if (g->own) g->mirror->source->ops->reader_close(g->own);
    free(g->threads);
    free(g->loads);
    free(g->tasks);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static tain_status end_snapshot(loading *g, tain_error *err)
{
    return g->reads ? g->mirror->source->ops->snapshot_end(g->mirror->source, err) : TAIN_OK;
}

static tain_status begin_all(loading *g, tain_error *err)
{
    TAIN_TRY(gather(g, err));
    if (!g->load_count) return TAIN_OK;
    TAIN_TRY(begin(g, err));
    hold_all(g);
    return begin_tables(g, err);
}

tain_status tain_load_begin(tain_mirror *m, bool beside, tain_loading **ret, tain_error *err)
{
    loading *g = tain_alloc(sizeof *g);
    *g = (loading){.mirror = m, .beside = beside};
    *ret = NULL;
    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_lock(&m->tables_lock);
    tain_status st = begin_all(g, err);
    if (!g->reads) tain_load_unask(m);
    m->asked = 0;
    if (st == TAIN_OK && g->load_count) {
        tain_meter_begin(&m->meter, tain_monotonic());
        tain_load_read(g);
        *ret = g;
    } else {
        (void)!end_snapshot(g, NULL);
        done(g);
    }
    pthread_mutex_unlock(&m->tables_lock);
    return st;
}

bool tain_load_is_read(const tain_loading *g)
{
    return atomic_load(&g->running) == 0;
}

tain_status tain_load_end(tain_loading *g, bool *ret_again, tain_error *err)
{
    tain_mirror *m = g->mirror;
    tain_load_join(g);
    tain_meter_end(&m->meter);
    pthread_mutex_lock(&m->tables_lock);
    tain_status st = g->status;
    if (st != TAIN_OK && err) *err = g->error;
    if (st == TAIN_OK) st = finish_rest(g, err);
    if (st == TAIN_OK) st = look_for_moved(g, ret_again, err);
    tain_status ended = end_snapshot(g, st == TAIN_OK ? err : NULL);
    done(g);
    pthread_mutex_unlock(&m->tables_lock);
    return st == TAIN_OK ? ended : st;
}

void tain_load_halt(tain_loading *g)
{
    tain_mirror *m = g->mirror;
    atomic_store(&g->halted, true);
    tain_source_cancel(m->source);
    tain_load_join(g);
    tain_meter_end(&m->meter);
    pthread_mutex_lock(&m->tables_lock);
    (void)!end_snapshot(g, NULL);
    done(g);
    pthread_mutex_unlock(&m->tables_lock);
}

tain_status tain_load_tables(tain_mirror *m, tain_error *err)
{
    tain_status st = TAIN_OK;
    for (bool again = true; st == TAIN_OK && again && !atomic_load(&m->stop);) {
        tain_loading *g = NULL;
        again = false;
        st = tain_load_await(m, err);
        if (st == TAIN_OK) st = tain_load_begin(m, false, &g, err);
        if (st == TAIN_OK && g) st = tain_load_end(g, &again, err);
    }
    tain_load_unask(m);
    return st;
}
