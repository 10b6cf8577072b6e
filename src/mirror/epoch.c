/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fault.h"
#include "mirror/apply/apply.h"
#include "mirror/records.h"
#include "mirror/copyonwrite.h"
#include "mirror/feed/feed.h"
#include "mirror/history/history.h"
#include "mirror/shape/move.h"
#include "mirror/shape/uphold.h"
#include "mirror/upkeep.h"

enum { CONFLICTS_MOST = 5 };

static json_t *json_of_int(int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)v);
    return json_string(text);
}

json_t *tain_epoch_info(const tain_table *t, const tain_position *position, int64_t epoch, const tain_part *part)
{
    json_t *tain = json_pack("{s:s,s:I,s:I,s:I}", "position", position->text, "epoch", (json_int_t)epoch, "rowsProcessed",
                             (json_int_t)(t->rows_processed + t->pending.rows), "bytesProcessed",
                             (json_int_t)(t->bytes_processed + t->pending.bytes));
    if (part && part->source_time) json_object_set_new(tain, "sourceCommitTime", json_integer(part->source_time));
    if (part) json_object_set_new(tain, "receivedTime", json_integer(part->received));
    if (t->source && t->source->identity[0]) json_object_set_new(tain, "identity", json_string(t->source->identity));
    return json_pack("{s:o}", "tain", tain);
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

typedef struct table_commit {
    tain_mirror     *mirror;
    tain_table      *table;
    const tain_part *part;
    int64_t          epoch;
    tain_status      status; /* how it ended, */
    tain_error      *error;  /* and why; owned; NULL: well */
} table_commit;

static json_t *metrics_of(const tain_pending *p)
{
    return json_pack("{s:o,s:o,s:o,s:o}", "numTargetRowsInserted", json_of_int(p->inserted), "numTargetRowsUpdated",
                     json_of_int(p->updated), "numTargetRowsDeleted", json_of_int(p->deleted), "numTargetFilesAdded",
                     json_of_int((int64_t)p->add_count));
}

static const char *operation_of(const tain_table *t)
{
    const tain_pending *p = &t->pending;
    if (t->replay) return t->delta ? "WRITE" : "CREATE TABLE";
    if (p->truncated) return "TRUNCATE";
    if (p->delete_count) return p->add_count ? "MERGE" : "DELETE";
    return "WRITE";
}

static size_t live_files(tain_table *t, tain_delta_file ***ret)
{
    tain_delta_file *f;
    size_t n = 0;
    *ret = tain_alloc((tain_delta_file_count(t->delta) + 1) * sizeof **ret);
    for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);) (*ret)[n++] = f;
    return n;
}

/* Which files had rows deleted, by what survives a commit that may free them. */
typedef struct touched { uint32_t ordinal; char *path; } touched;

static touched *note_touched(const tain_pending *p)
{
    touched *list = tain_alloc((p->delete_count + 1) * sizeof *list);
    for (size_t i = 0; i < p->delete_count; i++)
        list[i] = (touched){.ordinal = p->deletes[i].file->ordinal, .path = tain_strdup(p->deletes[i].file->path)};
    return list;
}

/* After the commit the table owns the added files, and those that lost every row are gone. */
static void settle(tain_table *t, touched *list)
{
    tain_pending *p = &t->pending;
    for (size_t i = 0; i < p->delete_count; i++) {
        tain_delta_file *f = tain_delta_find(t->delta, list[i].path);
        if (f) {
            f->owner = NULL;
        } else {
            tain_ordinals_remove(&t->files, list[i].ordinal);
        }
        roaring_bitmap_free(p->deletes[i].rows);
        free(list[i].path);
    }
    free(list);
    free(p->deletes);
    free(p->adds);
    free(p->replaced);
    json_decref(p->configuration);
    free(p->name);
    *p = (tain_pending){0};
}

/* A table that was written without deletion vectors has them from the first that it needs. New reference; NULL: none. */
static json_t *with_vectors(const tain_table *t)
{
    bool first = t->delta && !t->compat && t->pending.delete_count && !tain_delta_has_vectors(t->delta);
    if (!first) return json_incref(t->pending.configuration);
    json_t *all = t->pending.configuration ? json_deep_copy(t->pending.configuration) : json_object();
    json_object_set_new(all, TAIN_DELTA_VECTORS_KEY, json_string("true"));
    return all;
}

static json_t *properties_of(tain_table *t)
{
    json_t *most = with_vectors(t), *all = tain_feed_configure(t, most);
    json_decref(most);
    return all;
}

static tain_status write_commit(const table_commit *tc, const tain_feed *feed, tain_error *err)
{
    tain_table *t = tc->table;
    tain_pending *p = &t->pending;
    tain_delta_file **removes = NULL;
    struct tain_dv_change *deletes = tain_alloc((p->delete_count + 1) * sizeof *deletes);
    for (size_t i = 0; i < p->delete_count; i++)
        deletes[i] = (struct tain_dv_change){.file = p->deletes[i].file, .rows = p->deletes[i].rows};
    size_t remove_count = p->truncated ? live_files(t, &removes) : p->replaced_count;
    json_t *metrics = metrics_of(p), *info = tain_epoch_info(t, &tc->part->position, tc->epoch, tc->part), *configuration = properties_of(t);
    tain_delta_commit c = {
        .operation = operation_of(t), .metrics = metrics, .info = info, .app_id = t->app_id, .app_version = tc->epoch,
        .schema = p->schema, .configuration = configuration, .name = t->delta ? p->name : t->name, .adds = p->adds, .add_count = p->add_count, .removes = p->truncated ? removes : p->replaced, .remove_count = remove_count,
        .deletes = deletes, .delete_count = p->delete_count, .data_change = true, .moved = feed->moved, .feed = &feed->file, .feed_count = feed->file != NULL, .whole = p->truncated && t->replay,
    };
    tain_copies *copies = NULL;
    tain_status st = t->compat ? tain_copies_make(t, &c, &copies, err) : TAIN_OK;
    if (st == TAIN_OK) st = t->delta ? tain_delta_commit_write(t->delta, &c, err) : tain_delta_create(t->store, &c, &t->delta, err);
    tain_copies_done(copies, st);
    json_decref(metrics);
    json_decref(info);
    json_decref(configuration);
    free(deletes);
    free(removes);
    return st;
}

static void count_done(const table_commit *tc, int64_t rows, int64_t bytes, bool reshaped)
{
    tain_table *t = tc->table;
    pthread_mutex_lock(&t->lock);
    t->rows_processed += rows;
    t->rows_read = 0;
    t->bytes_processed += bytes;
    t->rows_live = tain_delta_live_rows(t->delta);
    t->last_completed = tain_now();
    if (tc->part->source_time) t->latency = t->last_completed - tc->part->source_time;
    if (reshaped) tain_records_reshaped(t);
    pthread_mutex_unlock(&t->lock);
}

static tain_status commit_once(const table_commit *tc, const tain_feed *feed, tain_error *err)
{
    tain_table *t = tc->table;
    touched *list = note_touched(&t->pending);
    size_t listed = t->pending.delete_count;
    tain_status st = write_commit(tc, feed, err);
    if (st != TAIN_OK) {
        for (size_t i = 0; i < listed; i++) free(list[i].path);
        free(list);
        tain_error_context(err, "table %s", t->name);
        return st;
    }
    tain_fault(TAIN_FAULT_EPOCH_TABLE_COMMITTED);
    tain_load_replayed(tc->mirror, t);
    int64_t rows = t->pending.rows, bytes = t->pending.bytes;
    bool reshaped = t->pending.schema != NULL;
    settle(t, list);
    count_done(tc, rows, bytes, reshaped);
    t->announced = false;
    t->tended.rests_at = 0;
    t->committed = tc->part->position;
    return TAIN_OK;
}

static tain_status reopen(const table_commit *tc, tain_error *err)
{
    tain_upkeep_forget(tc->mirror, tc->table);
    return tain_apply_reopen(tc->table, err);
}

/* A folder that was removed underneath would come back with a log that has no beginning; a log that another writer has
 * cleaned goes on elsewhere. */
static tain_status look_at_log(const table_commit *tc, tain_error *err)
{
    const tain_table *t = tc->table;
    if (!t->delta) return TAIN_OK;
    tain_status st = tain_delta_look(t->delta, err);
    return st == TAIN_E_NOT_FOUND ? reopen(tc, err) : st;
}

/* To a vacuum without retention a file that no commit names yet is garbage. */
static tain_status look_at_file(const tain_table *t, const tain_delta_file *f, tain_error *err)
{
    tain_object o;
    tain_status st = tain_store_head(t->store, f->path, &o, err);
    if (st != TAIN_E_NOT_FOUND) return st;
    st = tain_fail(err, TAIN_E_NOT_FOUND, "data file %s was removed by another program before it was committed", f->path);
    tain_error_remedy(err, "let no other program vacuum the table with a retention of less than a day");
    return st;
}

static tain_status look_at_files(const tain_table *t, const tain_feed *feed, tain_error *err)
{
    for (size_t i = 0; i < t->pending.add_count; i++) TAIN_TRY(look_at_file(t, t->pending.adds[i], err));
    return feed->file ? look_at_file(t, feed->file, err) : TAIN_OK;
}

static tain_status commit_with_feed(const table_commit *tc, tain_error *err)
{
    tain_feed feed;
    tain_table *t = tc->table;
    TAIN_TRY_IN(err, tain_feed_make(t, &t->pending, &feed, err), "table %s", t->name);
    tain_status st = look_at_files(t, &feed, err);
    if (st != TAIN_OK) tain_error_context(err, "table %s", t->name);
    else st = commit_once(tc, &feed, err);
    tain_feed_done(t, &feed, st);
    return st;
}

/* Reopening says so itself. */
static void note_others(tain_table *t, tain_status st, int64_t before)
{
    if (!t->delta || (st != TAIN_OK && st != TAIN_E_CONFLICT)) return;
    int64_t foreign = tain_delta_version(t->delta) - before - (st == TAIN_OK);
    if (foreign > 0) tain_table_warn(t, "foreign_commit", NULL, foreign);
}

/* Another writer may rewrite the table at any time: what is pending is then resolved anew. */
static tain_status commit_pending(const table_commit *tc, tain_error *err)
{
    tain_table *t = tc->table;
    TAIN_TRY_IN(err, tain_history_commit(t, &tc->part->position, tc->epoch, err), "table %s", t->name);
    for (int tries = 1;; tries++) {
        TAIN_TRY_IN(err, look_at_log(tc, err), "table %s", t->name);
        TAIN_TRY_IN(err, tain_uphold(t, err), "table %s", t->name);
        int64_t before = t->delta ? tain_delta_version(t->delta) : -1;
        tain_status st = commit_with_feed(tc, err);
        if (st == TAIN_OK && tain_delta_version(t->delta) == before + 1) return TAIN_OK;
        note_others(t, st, before);
        if (st == TAIN_OK) {
            st = tain_table_feed_index(t, err);
            return st == TAIN_OK ? TAIN_OK : tain_apply_is_lost(st, err);
        }
        if ((st != TAIN_E_CONFLICT && st != TAIN_E_GONE) || tries == CONFLICTS_MOST) return st;
        TAIN_TRY_IN(err, st == TAIN_E_GONE ? reopen(tc, err) : tain_apply_resolve_again(t, err), "table %s", t->name);
        if (!t->pending.dirty) return TAIN_OK; /* it is loaded again */
    }
}

static tain_status commit_table(const table_commit *tc, tain_error *err)
{
    tain_table *t = tc->table;
    if (t->pending.dirty) TAIN_TRY(commit_pending(tc, err));
    if (t->status == TAIN_TABLE_RESEEDING) return TAIN_OK;
    TAIN_TRY_IN(err, tain_history_enter(t, &tc->part->position, tc->part->source_time, tc->epoch, err), "table %s", t->name);
    return TAIN_OK;
}

tain_status tain_epoch_commit_table(tain_mirror *m, tain_table *t, const tain_position *position, tain_error *err)
{
    const tain_part part = {.position = *position, .received = tain_now()};
    table_commit tc = {.mirror = m, .table = t, .part = &part, .epoch = m->next_epoch++};
    return commit_table(&tc, err);
}

/* --- all tables ---------------------------------------------------------------------------------------------------- */

/* What a table has pending that could not go on may be part of a transaction. */
static bool has_something(tain_table *t)
{
    if (t->pending.dirty && !tain_table_takes_changes(t)) tain_pending_clear(t);
    return t->pending.dirty || (t->history && t->history->owed && tain_table_takes_changes(t));
}

/* Once for each table: what failed may have lost what was pending, and must not be tried with the rest of it. */
static tain_status commit_item(void *item, tain_error *err)
{
    table_commit *tc = item;
    tain_error e = {0};
    tc->status = commit_table(tc, &e);
    if (tc->status == TAIN_OK) return TAIN_OK;
    tc->error = tain_alloc(sizeof e);
    *tc->error = e;
    return TAIN_OK;
}

static tain_status settle_failure(table_commit *tc, tain_error *err)
{
    tain_status st = tc->status;
    if (st == TAIN_OK) return TAIN_OK;
    if (tain_status_is_local(st)) {
        tain_mirror_fail_table(tc->mirror, tc->table, tc->error);
        st = TAIN_OK;
    } else if (err) {
        *err = *tc->error;
    }
    free(tc->error);
    return st;
}

static tain_status commit_tables(tain_mirror *m, const tain_part *part, int64_t epoch, tain_error *err)
{
    table_commit *commits = tain_alloc((m->table_count + 1) * sizeof *commits);
    void **items = tain_alloc((m->table_count + 1) * sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i < m->table_count; i++) {
        if (!has_something(m->tables[i])) continue;
        commits[n] = (table_commit){.mirror = m, .table = m->tables[i], .part = part, .epoch = epoch};
        items[n] = &commits[n];
        n++;
    }
    tain_status st = n == 1 ? commit_item(items[0], err) : n ? tain_pool_run(m->pool, commit_item, items, n, err) : TAIN_OK;
    for (size_t i = 0; i < n; i++) {
        tain_status one = settle_failure(&commits[i], err);
        if (one != TAIN_OK) st = one;
    }
    free(commits);
    free(items);
    return st;
}

/* Not followed, or loaded at a position that the stream has not come to yet. */
static bool is_apart(const tain_table *t, const tain_position *position)
{
    tain_table_status s = t->status;
    if (s == TAIN_TABLE_REPLICATING) return tain_position_compare(&t->have, position) > 0;
    return s == TAIN_TABLE_RESEEDING || s == TAIN_TABLE_STOPPED || s == TAIN_TABLE_FAILED;
}

/* A table that is passed by lacks what comes from here on; a restart must know. Of two tables that were called the same the one
 * that is so still bears the name alone. */
static void note_apart(tain_epoch *e, const tain_table *t)
{
    const char *identity = t->source ? t->source->identity : "";
    TAIN_AUTO(tain_free) char *called = t->aside ? tain_format("%s (%s)", t->name, identity) : tain_strdup(t->name);
    json_t *mark = json_pack("{s:s,s:s,s:s}", "status", tain_table_status_name(t->status), "reason", t->reason, "remedy", t->remedy);
    if (*identity) json_object_set_new(mark, "identity", json_string(identity));
    if (!e->apart) e->apart = json_object();
    json_object_set_new(e->apart, called, mark);
}

/* Whether the epoch lists the table. One that is aside and goes on is known by its position when a start finds it. The source's
 * thread may change what is under the lock: it is looked at once. */
static bool note_table(tain_epoch *e, tain_table *t)
{
    pthread_mutex_lock(&t->lock);
    bool apart = is_apart(t, &e->position);
    if (apart && !t->replaced && !(t->aside && t->status == TAIN_TABLE_REPLICATING)) note_apart(e, t);
    pthread_mutex_unlock(&t->lock);
    if (apart || t->announced || !t->delta || t->aside) return false;
    e->tables[e->table_count++] = (tain_epoch_table){.name = t->name, .version = tain_delta_version(t->delta), .rows = t->rows_live};
    return true;
}

static void settle_record(tain_mirror *m, const tain_part *part, const tain_epoch *e)
{
    pthread_mutex_lock(&m->lock);
    m->position = part->position;
    if (part->source_time) m->source_time = part->source_time;
    m->committed_time = e->committed_time;
    m->waiting_since = 0;
    m->epoch = e->number;
    pthread_mutex_unlock(&m->lock);
}

static tain_status record(tain_mirror *m, const tain_part *part, int64_t number, tain_error *err)
{
    tain_epoch e = {.number = number, .position = part->position, .source_time = part->source_time};
    e.tables = tain_alloc((m->table_count + 1) * sizeof *e.tables);
    tain_table **listed = tain_alloc((m->table_count + 1) * sizeof *listed);
    for (size_t i = 0; i < m->table_count; i++)
        if (note_table(&e, m->tables[i])) listed[e.table_count - 1] = m->tables[i];
    tain_status st = tain_lake_write_epoch(m->lake, &e, err);
    json_decref(e.apart);
    if (st == TAIN_OK) {
        tain_fault(TAIN_FAULT_EPOCH_RECORDED);
        for (size_t i = 0; i < e.table_count; i++) listed[i]->announced = true;
        atomic_store(&m->unrecorded, false);
        settle_record(m, part, &e);
    }
    free(e.tables);
    free(listed);
    return st;
}

tain_status tain_epoch_commit(tain_mirror *m, const tain_part *part, tain_error *err)
{
    tain_fault(TAIN_FAULT_EPOCH_DATA_WRITTEN);
    /* A retry after some tables have committed takes a new number: a number is never used twice by a table. */
    int64_t number = m->next_epoch++;
    TAIN_TRY(commit_tables(m, part, number, err));
    TAIN_TRY(tain_move_tables(m, &part->position, err));
    tain_fault(TAIN_FAULT_EPOCH_BEFORE_RECORD);
    return record(m, part, number, err);
}
