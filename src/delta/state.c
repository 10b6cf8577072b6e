/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

#include <stdlib.h>

tain_delta *tain_state_new(tain_store *store)
{
    tain_delta *t = tain_alloc(sizeof *t);
    t->store = store;
    t->version = t->checkpoint = t->meta_since = t->meta_at = t->protocol_at = -1;
    t->looked = t->checkpoint_time = tain_monotonic();
    return t;
}

void tain_metadata_done(tain_delta_metadata *m)
{
    tain_free(m->id);
    tain_free(m->name);
    tain_free(m->description);
    tain_schema_free(m->schema);
    json_decref(m->configuration);
    json_decref(m->partition_columns);
    *m = (tain_delta_metadata){0};
}

static void free_tombstones(tain_delta *t)
{
    for (size_t i = 0; i < t->tombstone_count; i++) tain_free(t->tombstones[i]);
    tain_free(t->tombstones);
}

static void free_values(tain_map *m)
{
    const char *key;
    void       *value;
    TAIN_MAP_EACH (m, i, key, value) tain_free(value);
    tain_map_done(m);
}

void tain_delta_close(tain_delta *t)
{
    if (!t) return;
    const char      *path;
    tain_delta_file *f;
    tain_state_forget_gone(t);
    tain_free(t->gone);
    tain_free(t->leaving);
    TAIN_MAP_EACH (&t->files, i, path, f) tain_delta_file_free(f);
    tain_map_done(&t->files);
    free_values(&t->txns);
    free_values(&t->domains);
    free_tombstones(t);
    tain_protocol_done(&t->protocol);
    tain_metadata_done(&t->meta);
    tain_free(t->schema_text);
    tain_free(t->opened_id);
    tain_free(t);
}

void tain_delta_file_free(tain_delta_file *f)
{
    if (!f) return;
    tain_free(f->path);
    tain_free(f->stats);
    if (f->partition_values != tain_delta_no_partition) tain_free(f->partition_values);
    tain_free(f->tags);
    tain_dv_done(&f->dv);
    if (f->deleted) roaring_bitmap_free(f->deleted);
    tain_free(f);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

/* Sums wrap around: what is absurd in a log must not be undefined here. */
static void count(tain_delta *t, const tain_delta_file *f, int sign)
{
    (void)!__builtin_add_overflow(t->bytes, sign * f->size, &t->bytes);
    (void)!__builtin_add_overflow(t->deleted, sign * f->dv.cardinality, &t->deleted);
    if (f->rows < 0) t->unknown_rows += sign;
    else (void)!__builtin_add_overflow(t->rows, sign * (f->rows - f->dv.cardinality), &t->rows);
}

static void push(tain_delta_file ***array, size_t *count_, size_t *capacity, tain_delta_file *f)
{
    if (*count_ == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 16;
        *array = tain_realloc(*array, *capacity * sizeof **array);
    }
    (*array)[(*count_)++] = f;
}

void tain_state_forget_gone(tain_delta *t)
{
    for (size_t i = 0; i < t->gone_count; i++) tain_delta_file_free(t->gone[i]);
    t->gone_count = 0;
}

void tain_state_insert(tain_delta *t, tain_delta_file *f, int64_t version)
{
    f->live = true;
    f->since = version;
    tain_map_put(&t->files, f->path, f);
    count(t, f, 1);
}

static void retire(tain_delta *t, tain_delta_file *f)
{
    tain_map_remove(&t->files, f->path);
    f->live = false;
    push(&t->gone, &t->gone_count, &t->gone_capacity, f);
}

/* What stood for the file in the log since then goes, and those who read an older version need it. */
static void bury(tain_delta *t, const tain_delta_file *f, int64_t since_ms, int64_t now_ms)
{
    if (since_ms > now_ms || now_ms - since_ms > TAIN_LINGER_MS)
        tain_state_add_tombstone(t, f->path, &f->dv, now_ms, f->size, true, f->partition_values);
    count(t, f, -1);
}

void tain_state_drop(tain_delta *t, tain_delta_file *f, int64_t now_ms)
{
    if (f->live) bury(t, f, f->modified / TAIN_MILLISECOND, now_ms);
    retire(t, f);
}

void tain_state_set_dv(tain_delta *t, tain_delta_file *f, tain_dv dv, char *stats, roaring_bitmap_t *deleted, int64_t version,
                       int64_t now_ms)
{
    if (f->live) bury(t, f, f->dv.storage ? f->vector_ms : f->modified / TAIN_MILLISECOND, now_ms);
    tain_dv_done(&f->dv);
    tain_free(f->stats);
    if (f->deleted) roaring_bitmap_free(f->deleted);
    f->dv = dv;
    f->stats = stats;
    if (f->rows < 0) f->rows = tain_stats_rows(stats);
    f->deleted = deleted;
    f->since = version;
    f->vector_ms = now_ms;
    f->vector_bytes += dv.size;
    if (f->live) count(t, f, 1);
}

/* --- commits by anybody ------------------------------------------------------------------------------------------ */

void tain_state_remove(tain_delta *t, const char *path, const tain_dv *dv)
{
    tain_delta_file *f = tain_map_get(&t->files, path);
    if (!f || f->leaving || !tain_dv_same(&f->dv, dv)) return;
    f->leaving = true;
    count(t, f, -1);
    push(&t->leaving, &t->leaving_count, &t->leaving_capacity, f);
}

/* The object that users hold takes over what the log now says about the file. */
static void become(tain_delta_file *f, tain_delta_file *from)
{
    bool            same = tain_dv_same(&f->dv, &from->dv);
    tain_delta_file now = *from;
    now.path = f->path;
    now.ordinal = f->ordinal;
    now.owner = f->owner;
    now.vector_bytes = f->vector_bytes;
    now.deleted = same ? f->deleted : NULL;
    now.live = true;
    *from = (tain_delta_file){.path = from->path, .stats = f->stats, .partition_values = f->partition_values, .tags = f->tags,
                              .dv = f->dv, .deleted = same ? NULL : f->deleted};
    *f = now;
    tain_delta_file_free(from);
}

tain_status tain_state_add(tain_delta *t, tain_delta_file *f, tain_error *err)
{
    tain_delta_file *live = tain_map_get(&t->files, f->path);
    if (!live) {
        f->ordinal = tain_delta_new_ordinal();
        tain_state_insert(t, f, t->version + 1);
        return TAIN_OK;
    }
    if (!live->leaving && !tain_dv_same(&live->dv, &f->dv)) {
        tain_status st =
            tain_fail(err, TAIN_E_CORRUPT, "%s is added again while it is live with another deletion vector", f->path);
        tain_delta_file_free(f);
        return st;
    }
    if (live->leaving && tain_dv_same(&live->dv, &f->dv)) {
        tain_status st = tain_fail(err, TAIN_E_CORRUPT, "%s is removed and added with the same deletion vector in one commit", f->path);
        tain_delta_file_free(f);
        return st;
    }
    if (!live->leaving) count(t, live, -1);
    become(live, f);
    live->since = t->version + 1;
    count(t, live, 1);
    return TAIN_OK;
}

void tain_state_end_commit(tain_delta *t, int64_t version)
{
    for (size_t i = 0; i < t->leaving_count; i++) {
        tain_delta_file *f = t->leaving[i];
        if (f->leaving) retire(t, f);
        f->leaving = false;
    }
    t->leaving_count = 0;
    t->version = version;
}

/* --- tombstones --------------------------------------------------------------------------------------------------- */

static const char *put_text(char **at, const char *s)
{
    if (!s) return NULL;
    size_t n = strlen(s) + 1;
    char  *to = memcpy(*at, s, n);
    *at += n;
    return to;
}

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

void tain_state_add_tombstone(tain_delta *t, const char *path, const tain_dv *dv, int64_t deleted_ms, int64_t size, bool extended,
                              const char *partition_values)
{
    bool            shared = partition_values && strcmp(partition_values, tain_delta_no_partition) == 0;
    tain_tombstone *x =
        tain_alloc(sizeof *x + text_size(path) + text_size(dv->path) + (shared ? 0 : text_size(partition_values)));
    char           *at = (char *)(x + 1);
    x->deleted_ms = deleted_ms;
    x->size = size;
    x->extended = extended;
    x->dv = *dv;
    x->path = put_text(&at, path);
    x->dv.path = (char *)put_text(&at, dv->path);
    x->partition_values = shared ? tain_delta_no_partition : put_text(&at, partition_values);
    if (t->tombstone_count == t->tombstone_capacity) {
        t->tombstone_capacity = t->tombstone_capacity ? t->tombstone_capacity * 2 : 64;
        t->tombstones = tain_realloc(t->tombstones, t->tombstone_capacity * sizeof *t->tombstones);
    }
    t->tombstones[t->tombstone_count++] = x;
}

static int by_key(const void *a, const void *b)
{
    const tain_tombstone *x = *(tain_tombstone *const *)a, *y = *(tain_tombstone *const *)b;
    int                   order = strcmp(x->path, y->path);
    if (!order) order = x->dv.storage - y->dv.storage;
    if (!order && x->dv.storage) order = strcmp(x->dv.path, y->dv.path);
    if (!order && x->dv.has_offset != y->dv.has_offset) order = x->dv.has_offset ? 1 : -1;
    if (!order && x->dv.offset != y->dv.offset) order = x->dv.offset > y->dv.offset ? 1 : -1;
    return order;
}

static int by_key_newest_first(const void *a, const void *b)
{
    int                   order = by_key(a, b);
    const tain_tombstone *x = *(tain_tombstone *const *)a, *y = *(tain_tombstone *const *)b;
    return order ? order : x->deleted_ms < y->deleted_ms ? 1 : x->deleted_ms > y->deleted_ms ? -1 : 0;
}

static bool lives(const tain_delta *t, const tain_tombstone *x)
{
    const tain_delta_file *f = tain_map_get(&t->files, x->path);
    return f && tain_dv_same(&f->dv, &x->dv);
}

/* Sorts and keeps the newest of each key that is not live. */
static void settle(tain_delta *t)
{
    size_t kept = 0;
    qsort(t->tombstones, t->tombstone_count, sizeof *t->tombstones, by_key_newest_first);
    for (size_t i = 0; i < t->tombstone_count; i++) {
        tain_tombstone *x = t->tombstones[i];
        bool            twice = kept && by_key(&t->tombstones[kept - 1], &x) == 0;
        if (twice || lives(t, x)) tain_free(x);
        else t->tombstones[kept++] = x;
    }
    t->tombstone_count = kept;
}

size_t tain_state_tombstones(tain_delta *t, int64_t since_ms, tain_tombstone ***ret)
{
    if (t->tombstone_count) settle(t);
    size_t n = 0;
    *ret = tain_alloc((t->tombstone_count + 1) * sizeof **ret);
    for (size_t i = 0; i < t->tombstone_count; i++)
        if (t->tombstones[i]->deleted_ms >= since_ms) (*ret)[n++] = t->tombstones[i];
    return n;
}

void tain_state_forget_vectors(tain_delta *t)
{
    for (size_t i = 0, n = t->tombstone_count; i < n; i++) {
        tain_tombstone *x = t->tombstones[i];
        char *key = tain_dv_key(&x->dv);
        if (key) tain_state_add_tombstone(t, key, &(tain_dv){0}, x->deleted_ms, -1, false, NULL);
        tain_free(key);
        x->dv = (tain_dv){0};
    }
}

void tain_state_expire(tain_delta *t, int64_t since_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->tombstone_count; i++) {
        if (t->tombstones[i]->deleted_ms < since_ms) tain_free(t->tombstones[i]);
        else t->tombstones[kept++] = t->tombstones[i];
    }
    t->tombstone_count = kept;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

void tain_state_set_txn(tain_delta *t, const char *app_id, int64_t app_version, int64_t updated_ms, int64_t version)
{
    tain_txn *x = tain_map_get(&t->txns, app_id);
    if (!x) tain_map_put(&t->txns, app_id, x = tain_alloc(sizeof *x));
    *x = (tain_txn){.version = app_version, .updated_ms = updated_ms, .since = version};
}

void tain_state_set_domain(tain_delta *t, const char *domain, const char *configuration)
{
    tain_free(configuration ? tain_map_put(&t->domains, domain, tain_strdup(configuration))
                            : tain_map_remove(&t->domains, domain));
}

void tain_state_forget_domains(tain_delta *t)
{
    free_values(&t->domains);
}

void tain_state_set_meta(tain_delta *t, tain_delta_metadata meta, char *schema_text)
{
    tain_metadata_done(&t->meta);
    tain_free(t->schema_text);
    t->meta = meta;
    t->schema_text = schema_text;
}

/* --- looking -------------------------------------------------------------------------------------------------------- */

bool tain_delta_meta_is_of_others(const tain_delta *t)
{
    return t->meta_since > t->meta_owned;
}

void tain_delta_disown_meta(tain_delta *t)
{
    t->meta_owned = t->meta_since - 1;
}

int64_t tain_delta_version(const tain_delta *t)
{
    return t->version;
}

const tain_delta_metadata *tain_delta_meta(const tain_delta *t)
{
    return &t->meta;
}

size_t tain_delta_file_count(const tain_delta *t)
{
    return t->files.count;
}

bool tain_delta_next_file(const tain_delta *t, size_t *io_cursor, tain_delta_file **ret)
{
    const char *path;
    return tain_map_next(&t->files, io_cursor, &path, (void **)ret);
}

tain_delta_file *tain_delta_find(const tain_delta *t, const char *path)
{
    return tain_map_get(&t->files, path);
}

int64_t tain_delta_txn(const tain_delta *t, const char *app_id)
{
    const tain_txn *x = tain_map_get(&t->txns, app_id);
    return x ? x->version : -1;
}

int64_t tain_delta_live_rows(const tain_delta *t)
{
    return t->unknown_rows ? -1 : t->rows;
}

int64_t tain_delta_bytes(const tain_delta *t)
{
    return t->bytes;
}

int64_t tain_delta_appended(const tain_delta *t)
{
    return t->appended;
}

int64_t tain_delta_deleted_rows(const tain_delta *t)
{
    return t->deleted;
}

int64_t tain_delta_log_tail(const tain_delta *t)
{
    return t->version - t->checkpoint;
}

char *tain_delta_file_local_path(const tain_delta *t, const tain_delta_file *f)
{
    return tain_delta_local_path(t->store, f->path);
}

char *tain_delta_file_key(const tain_delta *t, const tain_delta_file *f)
{
    return tain_delta_key_of(t->store, f->path);
}

tain_status tain_delta_file_open(const tain_delta *t, const tain_delta_file *f, tain_parquet_file **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *key = tain_delta_file_key(t, f);
    if (!key) return tain_fail(err, TAIN_E_UNSUPPORTED, "data file %s lies outside of the table's folder", f->path);
    return tain_parquet_open(t->store, key, f->size, ret, err);
}
