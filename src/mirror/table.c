/* SPDX-License-Identifier: MIT */
#include "mirror/table.h"

#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/map.h"
#include "base/text.h"
#include "mirror/history/history.h"
#include "lake/kept.h"
#include "lake/lake.h"
#include "lake/naming.h"
#include "mirror/load/replay.h"
#include "maintain/retention.h"
#include "mirror/records.h"

enum {
    FEED_ROWS = 65536,
    FEED_BYTES = 8 << 20,
    FEED_WHOLE = 2 << 20, /* rows of a file whose hashes are sorted at once, 24 bytes each */
};
#define MAX_COLUMN_ID "delta.columnMapping.maxColumnId"
#define MEMO_KEY "tain.source"

const char *tain_table_status_name(tain_table_status s)
{
    static const char *const names[] = {"Initialized", "Snapshotting", "Replicating", "Reseeding", "Stopped", "Failed"};
    return names[s];
}

tain_table_status tain_table_status_of(const char *name)
{
    tain_table_status s = TAIN_TABLE_FAILED;
    while (s != TAIN_TABLE_INITIALIZED && strcmp(tain_table_status_name(s), name) != 0) s--;
    return s;
}

static void leave_house(tain_table *t)
{
    tain_index_close(t->index);
    tain_delta_close(t->delta);
    tain_store_close(t->store);
    t->index = NULL;
    t->delta = NULL;
    tain_ordinals_clear(&t->files);
    free(t->cache_dir);
    free(t->folder);
    free(t->name);
}

static void move_in(tain_table *t, tain_store *lake, const char *cache_dir, char *name, char *folder, bool aside)
{
    pthread_mutex_lock(&t->lock);
    leave_house(t);
    t->name = name;
    t->folder = folder;
    t->aside = aside;
    t->store = tain_store_sub(lake, t->folder);
    t->cache_dir = tain_format("%s/index/%s", cache_dir, t->folder + strlen("Tables/"));
    pthread_mutex_unlock(&t->lock);
}

void tain_table_house(tain_table *t, tain_store *lake, const char *cache_dir, const char *schema, const char *name)
{
    move_in(t, lake, cache_dir, tain_source_full_name(schema, name), tain_lake_table_folder(schema, name), false);
}

void tain_table_house_aside(tain_table *t, tain_store *lake, const char *cache_dir)
{
    move_in(t, lake, cache_dir, tain_strdup(t->name), tain_lake_aside_folder(t->folder, t->source->identity), true);
}

void tain_table_stays(tain_table *t)
{
    free(t->to_schema);
    free(t->to_name);
    t->to_schema = t->to_name = NULL;
    t->waits = false;
}

void tain_table_goes(tain_table *t, const char *schema, const char *name)
{
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(schema, name);
    tain_table_stays(t);
    if (strcmp(full, t->name) == 0 && !t->aside) return;
    t->to_schema = tain_strdup(schema);
    t->to_name = tain_strdup(name);
}

tain_table *tain_table_new(tain_store *lake, const char *cache_dir, const char *app_id, tain_source_table *source)
{
    tain_table *t = tain_alloc(sizeof *t);
    t->source = source;
    t->app_id = (char *)app_id;
    t->health.log_tail = -1;
    pthread_mutex_init(&t->lock, NULL);
    tain_table_house(t, lake, cache_dir, source->schema, source->name);
    tain_table_shape(t, source);
    return t;
}

void tain_table_free(tain_table *t)
{
    if (!t) return;
    tain_pending_clear(t);
    tain_history_close(t);
    leave_house(t);
    tain_table_stays(t);
    tain_replay_free(t->replay);
    tain_table_forget_warnings(t);
    tain_ordinals_done(&t->files);
    tain_schema_free(t->schema);
    tain_schema_free(t->shown);
    free(t->key_columns);
    free(t->load_reason);
    free(t->reread.within);
    free(t->misfit);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* The seed must be the same after a restart, and need not be secret from anybody but those who write keys. */
static uint64_t seed_of(const tain_table *t)
{
    return XXH3_64bits(t->app_id, strlen(t->app_id)) ^ XXH3_64bits(t->name, strlen(t->name));
}

const tain_schema *tain_table_columns(const tain_table *t)
{
    if (t->pending.schema) return t->shown;
    return t->delta ? tain_delta_meta(t->delta)->schema : NULL;
}

static void take_ids(tain_table *t, const tain_schema *columns)
{
    const json_t *configuration = t->delta ? tain_delta_meta(t->delta)->configuration : NULL;
    int32_t given = (int32_t)strtol(tain_json_get_str(configuration, MAX_COLUMN_ID, "0"), NULL, 10);
    if (given > t->column_ids) t->column_ids = given;
    if (tain_naming_highest(columns) > t->column_ids) t->column_ids = tain_naming_highest(columns);
}

/* A table that moves is known by where it goes. */
tain_schema *tain_table_show(const tain_table *t, const tain_source_table *shape, const tain_schema *existing)
{
    TAIN_AUTO(tain_free) char *name = shape->name ? tain_source_full_name(shape->schema, shape->name) : tain_strdup(t->name);
    return tain_kept_show(shape->columns, existing, t->policies, name);
}

void tain_table_take_schema(tain_table *t, tain_schema *shown, const tain_source_table *source)
{
    tain_schema *schema = tain_schema_copy(shown);
    schema->count = source->columns->count;
    take_ids(t, shown);
    tain_schema_free(t->shown);
    tain_schema_free(t->schema);
    t->shown = shown;
    t->schema = schema;
    t->multiset = source->key_count == 0;
    size_t n = t->multiset ? schema->count : source->key_count;
    free(t->key_columns);
    t->key_columns = tain_alloc((n + 1) * sizeof *t->key_columns);
    for (size_t i = 0; i < n; i++) t->key_columns[i] = t->multiset ? (uint16_t)i : source->key[i];
    t->key = (tain_key){.columns = t->key_columns, .count = n, .seed = t->index ? tain_index_seed(t->index) : seed_of(t)};
    t->exact = !t->multiset && tain_key_exact(&t->key, t->schema);
}

static void shape_from(tain_table *t, const tain_source_table *source, const tain_schema *existing)
{
    tain_schema *shown = tain_table_show(t, source, existing);
    take_ids(t, existing);
    tain_naming_continue(shown, existing, t->column_ids);
    tain_table_take_schema(t, shown, source);
}

void tain_table_shape(tain_table *t, const tain_source_table *source)
{
    shape_from(t, source, tain_table_columns(t));
}

tain_parquet_options tain_table_file_options(const tain_table *t)
{
    tain_parquet_options o = tain_parquet_defaults();
    if (t->budget && t->budget < o.row_group_bytes) o.row_group_bytes = t->budget;
    return o;
}

void tain_table_know_files(tain_table *t)
{
    tain_delta_file *f;
    tain_ordinals_clear(&t->files);
    for (size_t cursor = 0; t->delta && tain_delta_next_file(t->delta, &cursor, &f);) tain_ordinals_put(&t->files, f);
}

/* --- index --------------------------------------------------------------------------------------------------------- */

tain_schema *tain_table_file_columns(const tain_table *t, const uint16_t *columns, size_t n)
{
    tain_schema *s = tain_schema_new();
    for (size_t i = 0; i < n; i++) {
        const tain_field *f = &t->schema->fields[columns[i]];
        tain_schema_add(s, f->name, f->type)->physical = f->physical;
    }
    return s;
}

tain_schema *tain_table_key_schema(const tain_table *t)
{
    return tain_table_file_columns(t, t->key_columns, t->key.count);
}

tain_key tain_table_key_of_columns(const tain_table *t, uint16_t *columns)
{
    for (size_t i = 0; i < t->key.count; i++) columns[i] = (uint16_t)i;
    return (tain_key){.columns = columns, .count = t->key.count, .seed = t->key.seed};
}

/* hashes: of every row. NULL: they go to the index piece by piece. What that cannot write down it keeps in memory. */
static tain_status feed_rows(tain_table *t, tain_parquet_file *f, const tain_delta_file *d, const tain_schema *schema, uint64_t *hashes, tain_error *err)
{
    int64_t rows = tain_parquet_file_rows(f);
    TAIN_AUTO(tain_free) uint64_t *piece = hashes ? NULL : tain_alloc(FEED_ROWS * sizeof *piece);
    TAIN_AUTO(tain_free) uint16_t *columns = tain_alloc((t->key.count + 1) * sizeof *columns);
    tain_key key = tain_table_key_of_columns(t, columns);
    tain_batch batch;
    tain_batch_init(&batch, schema);
    tain_status st = TAIN_OK;
    for (int64_t at = 0, n; st == TAIN_OK && at < rows; at += n) {
        tain_batch_clear(&batch);
        st = tain_parquet_read_some(f, at, rows - at < FEED_ROWS ? rows - at : FEED_ROWS, FEED_BYTES, &batch, &n, err);
        if (st == TAIN_OK) tain_key_hash(&key, &batch, 0, (size_t)n, hashes ? hashes + at : piece);
        if (st == TAIN_OK && !hashes && tain_index_add(t->index, d->ordinal, (uint32_t)at, piece, (size_t)n, NULL) != TAIN_OK)
            tain_table_warn(t, "index_not_written", NULL, 1);
    }
    tain_batch_done(&batch);
    return st;
}

tain_status tain_table_open_file(const tain_table *t, const tain_delta_file *f, tain_parquet_file **ret, tain_error *err)
{
    if (t->beat) tain_beat_touch(t->beat);
    return t->delta ? tain_delta_file_open(t->delta, f, ret, err) : tain_parquet_open(t->store, f->path, f->size, ret, err);
}

static tain_status feed_file(tain_table *t, const tain_delta_file *f, const tain_schema *schema, tain_error *err)
{
    TAIN_AUTO(tain_parquet_close) tain_parquet_file *file = NULL;
    TAIN_TRY(tain_table_open_file(t, f, &file, err));
    int64_t rows = tain_parquet_file_rows(file);
    if (rows == 0) return TAIN_OK;
    if (rows > FEED_WHOLE) return feed_rows(t, file, f, schema, NULL, err);
    uint64_t *hashes = tain_alloc((size_t)rows * sizeof *hashes);
    tain_status st = feed_rows(t, file, f, schema, hashes, err);
    if (st == TAIN_OK && tain_index_add_file(t->index, f->ordinal, hashes, (size_t)rows, NULL) != TAIN_OK)
        tain_table_warn(t, "index_not_written", NULL, 1);
    free(hashes);
    return st;
}

tain_status tain_table_feed_file(tain_table *t, const tain_delta_file *f, tain_error *err)
{
    if (tain_index_name_file(t->index, f->path, f->ordinal)) return TAIN_OK;
    tain_schema *schema = tain_table_key_schema(t);
    tain_status st = feed_file(t, f, schema, err);
    tain_schema_free(schema);
    return st;
}

static tain_status feed_live(tain_table *t, const tain_schema *schema, tain_error *err)
{
    tain_status st = TAIN_OK;
    tain_delta_file *f;
    tain_table_know_files(t);
    for (size_t cursor = 0; st == TAIN_OK && tain_delta_next_file(t->delta, &cursor, &f);) {
        if (tain_pending_replaces(t, f)) continue;
        tain_index_check_file(t->index, f->path, (uint64_t)f->dv.cardinality); /* another program may have put it back to an older state */
        if (!tain_index_name_file(t->index, f->path, f->ordinal)) st = feed_file(t, f, schema, err);
    }
    return st;
}

tain_status tain_table_feed_index(tain_table *t, tain_error *err)
{
    tain_table_know_files(t);
    if (t->unindexed) return TAIN_OK; /* it is made anew anyhow */
    tain_schema *schema = tain_table_key_schema(t);
    tain_status st = feed_live(t, schema, err);
    tain_schema_free(schema);
    return st;
}

tain_status tain_table_follow_others(tain_table *t, int64_t commits, tain_error *err)
{
    if (!commits) return TAIN_OK;
    tain_table_warn(t, "foreign_commit", NULL, commits);
    return tain_table_feed_index(t, err);
}

static uint64_t key_fingerprint(const tain_table *t)
{
    uint64_t h = t->multiset;
    for (size_t i = 0; i < t->key.count; i++) {
        const tain_field *f = &t->schema->fields[t->key_columns[i]];
        h = XXH3_64bits_withSeed(f->physical, strlen(f->physical), h * 31 + (uint64_t)f->type.kind);
    }
    return h;
}

static tain_status open_index(tain_table *t, tain_error *err)
{
    tain_index_close(t->index);
    t->index = NULL;
    /* Runs made with another key must not be found again. */
    char *folder = tain_format("%s/%016llx", t->cache_dir, (unsigned long long)key_fingerprint(t));
    tain_index_options options = {.folder = folder};
    tain_status st = tain_index_open(&options, seed_of(t), &t->index, err);
    free(folder);
    TAIN_TRY(st);
    t->key.seed = tain_index_seed(t->index);
    return TAIN_OK;
}

tain_status tain_table_new_index(tain_table *t, tain_error *err)
{
    tain_ordinals_clear(&t->files);
    TAIN_TRY(open_index(t, err));
    t->unindexed = false;
    return TAIN_OK;
}

bool tain_table_release_index(tain_table *t)
{
    if (!t->index || tain_index_release(t->index, NULL) == TAIN_OK) return true;
    tain_table_warn(t, "index_not_written", NULL, 1);
    return false;
}

static tain_status feed_pending(tain_table *t, const tain_schema *schema, tain_error *err)
{
    for (size_t i = 0; i < t->pending.add_count; i++) {
        tain_delta_file *f = t->pending.adds[i];
        tain_ordinals_put(&t->files, f); /* feeding the live ones left only those */
        if (!tain_index_name_file(t->index, f->path, f->ordinal)) TAIN_TRY(feed_file(t, f, schema, err));
    }
    return TAIN_OK;
}

tain_status tain_table_index_anew(tain_table *t, tain_error *err)
{
    t->unindexed = true;
    TAIN_TRY(open_index(t, err));
    tain_schema *schema = tain_table_key_schema(t);
    tain_status st = t->pending.truncated || !t->delta ? TAIN_OK : feed_live(t, schema, err);
    if (st == TAIN_OK) st = feed_pending(t, schema, err);
    tain_schema_free(schema);
    t->unindexed = st != TAIN_OK;
    return st;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static bool is_of_others(const json_t *commit)
{
    return strncmp(tain_json_get_str(commit, "engineInfo", ""), "tain/", 5) != 0;
}

tain_status tain_table_newest_progress(tain_delta *d, json_t **ret, int64_t *ret_version, int64_t *ret_others, tain_error *err)
{
    json_t *history, *entry;
    size_t i;
    int64_t others = 0;
    *ret = NULL;
    TAIN_TRY(tain_delta_history(d, 100, &history, err));
    json_array_foreach(history, i, entry)
    {
        json_t *tain = json_object_get(entry, "tain");
        others += is_of_others(entry);
        if (!tain_json_get_str(tain, "position", NULL)) continue;
        *ret = json_incref(tain);
        if (ret_version) *ret_version = tain_json_get_int(entry, "version", -1);
        break;
    }
    json_decref(history);
    if (ret_others) *ret_others = others;
    return TAIN_OK;
}

static void take_progress(tain_table *t, int64_t last_epoch, const json_t *newest)
{
    t->rows_processed = tain_json_get_int(newest, "rowsProcessed", 0);
    t->bytes_processed = tain_json_get_int(newest, "bytesProcessed", 0);
    const char *identity = tain_json_get_str(newest, "identity", t->source->identity);
    if (strcmp(identity, t->source->identity) != 0) t->load_reason = tain_strdup("the source has made it anew");
    tain_position p;
    snprintf(p.text, sizeof p.text, "%s", tain_json_get_str(newest, "position", ""));
    /* One that no record has is where its own commit says, also when others went on while it was loaded. */
    if (tain_position_compare(&p, &t->have) > 0 || tain_delta_txn(t->delta, t->app_id) > last_epoch) t->have = p;
}

static bool has_identity(const tain_table *t)
{
    return !t->source || !t->source->identity[0] || json_object_get(tain_delta_meta(t->delta)->configuration, TAIN_IDENTITY_KEY);
}

/* The position and counters that our newest commit with a position wrote into commitInfo. *ret_left: the table as that left it, if others
 * have been there since and the log still goes back so far. */
static tain_status read_progress(tain_table *t, int64_t last_epoch, const tain_position *otherwise, tain_delta **ret_left, tain_error *err)
{
    json_t *newest;
    int64_t version, others;
    t->have = *otherwise;
    TAIN_TRY(tain_table_newest_progress(t->delta, &newest, &version, &others, err));
    if (others) tain_table_warn(t, "foreign_commit", NULL, others);
    if (newest) take_progress(t, last_epoch, newest);
    else if (tain_delta_txn(t->delta, t->app_id) > last_epoch)
        return tain_fail(err, TAIN_E_CORRUPT, "the commit that tells how far it has come is missing from its log");
    if (newest && (others || !has_identity(t))) (void)!tain_delta_open_at(t->store, version, ret_left, NULL);
    json_decref(newest);
    return TAIN_OK;
}

bool tain_table_is_of_others(tain_store *lake, const char *folder, const char *app_id)
{
    TAIN_AUTO(tain_store_close) tain_store *store = tain_store_sub(lake, folder);
    TAIN_AUTO(tain_delta_close) tain_delta *d = NULL;
    tain_status st = tain_delta_open(store, &d, NULL);
    return st == TAIN_OK ? tain_delta_txn(d, app_id) < 0 : st == TAIN_E_UNSUPPORTED;
}

tain_status tain_table_find_delta(tain_table *t, tain_error *err)
{
    tain_delta_close(t->delta);
    t->delta = NULL;
    TAIN_TRY(tain_delta_open(t->store, &t->delta, err));
    t->foreign = tain_delta_txn(t->delta, t->app_id) < 0;
    if (!t->foreign) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "folder %s holds a Delta table that this mirror did not write", t->folder);
    tain_error_remedy(err, "move that folder away, or mirror into another lake");
    return st;
}

/* A table that another program made in its place has the log of ours, but not its properties, nor its id. With the same id only the
 * property was taken away. */
static tain_status check_identity(const tain_table *t, const tain_delta *left, tain_error *err)
{
    if (has_identity(t) || (left && strcmp(tain_delta_meta(left)->id, tain_delta_meta(t->delta)->id) == 0)) return TAIN_OK;
    return tain_fail(err, TAIN_E_CORRUPT, "another program replaced the table in folder %s: it has no property " TAIN_IDENTITY_KEY, t->folder);
}

/* What the source made of it then; without a memo it shows what its catalog has now. */
static void recall(tain_table *t, tain_source *source, const tain_delta_metadata *then)
{
    const char *memo = tain_json_get_str(then->configuration, MEMO_KEY, NULL);
    t->recalled = false;
    if (!source || !source->ops->recall || t->load_reason) return;
    tain_status st = source->ops->recall(source, t->source, memo, NULL);
    t->recalled = memo && st == TAIN_OK;
}

/* Takes its shape from what this mirror made of it: what others have made of its columns since, the next commit puts back. Returns
 * whether the source has the same columns. */
static bool take_columns(tain_table *t, tain_source *source, const tain_delta_metadata *then)
{
    recall(t, source, then);
    shape_from(t, t->source, then->schema);
    return tain_naming_alike(then->schema, t->shown);
}

tain_status tain_table_open(tain_table *t, tain_source *source, const tain_position *otherwise, int64_t last_epoch, bool *ret_found,
                            tain_error *err)
{
    TAIN_AUTO(tain_delta_close) tain_delta *left = NULL;
    tain_status st = t->delta && !t->foreign ? TAIN_OK : tain_table_find_delta(t, err);
    *ret_found = st == TAIN_OK;
    if (st == TAIN_E_NOT_FOUND) return TAIN_OK;
    TAIN_TRY(st);
    TAIN_TRY(read_progress(t, last_epoch, otherwise, &left, err));
    TAIN_TRY(check_identity(t, left, err));
    bool same = take_columns(t, source, tain_delta_meta(left ? left : t->delta));
    t->as_left = left && !tain_naming_same(tain_delta_meta(left)->schema, tain_delta_meta(t->delta)->schema);
    if (t->as_left) tain_delta_disown_meta(t->delta);
    t->rows_live = tain_delta_live_rows(t->delta);
    t->announced = true;
    t->unindexed = !same && t->recalled; /* what became of its columns is worked out in front of the first row */
    if (t->load_reason || (!same && !t->recalled)) return TAIN_OK; /* it is loaded again */
    if (t->unindexed) return TAIN_OK;
    TAIN_TRY(tain_table_new_index(t, err));
    TAIN_TRY(tain_table_feed_index(t, err));
    (void)tain_table_release_index(t);
    return TAIN_OK;
}

static json_t *property(const tain_table *t, const char *key, const char *value, json_t *io)
{
    const char *have = t->delta ? tain_json_get_str(tain_delta_meta(t->delta)->configuration, key, NULL) : NULL;
    if (have == value || (have && value && strcmp(have, value) == 0)) return io;
    if (!io) io = json_object();
    json_object_set_new(io, key, value ? json_string(value) : json_null());
    return io;
}

json_t *tain_table_memo(const tain_table *t, const char *memo)
{
    json_t *o = property(t, TAIN_IDENTITY_KEY, t->source && t->source->identity[0] ? t->source->identity : NULL, NULL);
    if (t->compat) o = property(t, TAIN_DELTA_VECTORS_KEY, "false", o);
    o = property(t, MEMO_KEY, memo, o);
    json_t *retention = tain_retention_properties(t->delta ? tain_delta_meta(t->delta)->configuration : NULL, t->retention);
    if (!o || !retention) return o ? o : retention;
    json_object_update(o, retention);
    json_decref(retention);
    return o;
}

/* --- state --------------------------------------------------------------------------------------------------------- */

/* The lock is held. */
static void set_status(tain_table *t, tain_table_status status, const char *reason, const char *remedy)
{
    tain_table_status from = t->status;
    t->status = status;
    snprintf(t->reason, sizeof t->reason, "%s", reason ? reason : "");
    snprintf(t->remedy, sizeof t->remedy, "%s", remedy ? remedy : "");
    tain_records_turned(t, from);
}

/* One that was not followed lacks something already. */
void tain_table_set_dropped(tain_table *t)
{
    t->needs_load = false;
    pthread_mutex_lock(&t->lock);
    if (t->status != TAIN_TABLE_STOPPED) atomic_store(&t->finishes, t->status == TAIN_TABLE_REPLICATING);
    t->gone = true;
    set_status(t, TAIN_TABLE_STOPPED, "the table was dropped in the source", "remove its folder if you do not need it any more");
    pthread_mutex_unlock(&t->lock);
}

void tain_table_set_status(tain_table *t, tain_table_status status, const char *reason, const char *remedy)
{
    pthread_mutex_lock(&t->lock);
    t->gone = false;
    set_status(t, status, reason, remedy);
    pthread_mutex_unlock(&t->lock);
}

void tain_table_set_failed(tain_table *t, tain_status kind, const char *reason, const char *remedy)
{
    pthread_mutex_lock(&t->lock);
    t->gone = false;
    t->fault = kind;
    set_status(t, TAIN_TABLE_FAILED, reason, remedy);
    pthread_mutex_unlock(&t->lock);
}

static tain_warning *find_warning(tain_table *t, const char *code, const char *column)
{
    for (size_t i = 0; i < t->warning_count; i++)
        if (strcmp(t->warnings[i].code, code) == 0 && strcmp(t->warnings[i].column, column) == 0) return &t->warnings[i];
    t->warnings = tain_realloc(t->warnings, (t->warning_count + 1) * sizeof *t->warnings);
    tain_warning *w = &t->warnings[t->warning_count++];
    *w = (tain_warning){.code = tain_strdup(code), .column = tain_strdup(column)};
    return w;
}

void tain_table_misfit(tain_table *t, const char *why)
{
    tain_pending_clear(t);
    tain_table_set_status(t, TAIN_TABLE_RESEEDING, why, NULL);
    pthread_mutex_lock(&t->lock);
    free(t->misfit);
    t->misfit = tain_strdup(why);
    pthread_mutex_unlock(&t->lock);
}

void tain_table_warn(tain_table *t, const char *code, const char *column, int64_t count)
{
    pthread_mutex_lock(&t->lock);
    find_warning(t, code, column ? column : "")->count += count;
    pthread_mutex_unlock(&t->lock);
}

void tain_table_note(tain_table *t, const char *code, const char *column)
{
    pthread_mutex_lock(&t->lock);
    find_warning(t, code, column)->count = 1;
    pthread_mutex_unlock(&t->lock);
}

void tain_table_forget_warnings(tain_table *t)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->warning_count; i++) {
        free(t->warnings[i].code);
        free(t->warnings[i].column);
    }
    free(t->warnings);
    t->warnings = NULL;
    t->warning_count = 0;
    pthread_mutex_unlock(&t->lock);
}

bool tain_source_table_is_key(const tain_source_table *source, size_t column)
{
    for (size_t i = 0; i < source->key_count; i++)
        if (source->key[i] == column) return true;
    return false;
}

tain_status tain_table_fail_key(const tain_source_table *source, size_t column, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_UNSUPPORTED, "a value of key column %s has no place in Delta, so rows could not be told apart",
                               source->columns->fields[column].name);
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(source->schema, source->name);
    TAIN_AUTO(tain_free) char *resync = tain_source_option("--resync", full), *exclude = tain_source_option("--exclude", full);
    tain_error_remedy(err, "correct the value in the source and reload with %s, or leave the table out with %s", resync, exclude);
    return st;
}

bool tain_table_takes_changes(const tain_table *t)
{
    tain_table_status s = t->status;
    return s == TAIN_TABLE_REPLICATING || (s == TAIN_TABLE_STOPPED && t->delta && atomic_load(&t->finishes));
}

bool tain_table_makes_way(const tain_table *t)
{
    return t->status == TAIN_TABLE_STOPPED && (t->gone || !t->paused);
}

/* --- pending ------------------------------------------------------------------------------------------------------- */

void tain_pending_add_file(tain_table *t, tain_delta_file *f)
{
    tain_pending *p = &t->pending;
    if (p->add_count == p->add_capacity) {
        p->add_capacity = p->add_capacity ? p->add_capacity * 2 : 8;
        p->adds = tain_realloc(p->adds, p->add_capacity * sizeof(tain_delta_file *));
    }
    p->adds[p->add_count++] = f;
    p->dirty = true;
    tain_ordinals_put(&t->files, f);
}

bool tain_pending_replaces(const tain_table *t, const tain_delta_file *f)
{
    for (size_t i = 0; i < t->pending.replaced_count; i++)
        if (t->pending.replaced[i] == f) return true;
    return false;
}

roaring_bitmap_t *tain_pending_deletes(tain_table *t, tain_delta_file *f, bool make)
{
    tain_pending *p = &t->pending;
    size_t slot = (size_t)f->owner; /* 1-based position of the file in deletes, if it is there */
    if (slot && slot <= p->delete_count && p->deletes[slot - 1].file == f) return p->deletes[slot - 1].rows;
    if (!make) return NULL;
    if (p->delete_count == p->delete_capacity) {
        p->delete_capacity = p->delete_capacity ? p->delete_capacity * 2 : 16;
        p->deletes = tain_realloc(p->deletes, p->delete_capacity * sizeof *p->deletes);
    }
    p->deletes[p->delete_count] = (tain_file_deletes){.file = f, .rows = roaring_bitmap_create()};
    f->owner = (void *)++p->delete_count;
    p->dirty = true;
    return p->deletes[p->delete_count - 1].rows;
}

void tain_pending_clear(tain_table *t)
{
    tain_history_forget(t);
    tain_pending_drop(t);
}

void tain_pending_drop(tain_table *t)
{
    tain_pending *p = &t->pending;
    for (size_t i = 0; i < p->delete_count; i++) {
        p->deletes[i].file->owner = NULL;
        roaring_bitmap_free(p->deletes[i].rows);
    }
    for (size_t i = 0; i < p->add_count; i++) {
        tain_ordinals_remove(&t->files, p->adds[i]->ordinal);
        tain_delta_file_free(p->adds[i]);
    }
    for (size_t i = 0; i < p->replaced_count; i++)
        if (t->index) tain_index_rename_file(t->index, p->replaced[i]->ordinal, p->replaced[i]->path);
    free(p->adds);
    free(p->deletes);
    free(p->replaced);
    json_decref(p->configuration);
    free(p->name);
    bool hidden = p->truncated || p->replaced_count;
    if (p->rekeyed) t->unindexed = true; /* its index is of a shape that did not come about */
    *p = (tain_pending){0};
    if (hidden) tain_table_know_files(t); /* a truncation that did not come about */
}
