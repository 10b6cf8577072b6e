/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "source/sqlite/sqlite.h"

/* The shadow of table N, s<N>(id, key, gen, val): by key (or whole row) the hash of its row (or how many there are), NULL: it
 * went; and the generation that last touched it. d<N>(gen, key, delta), without key only: what each generation did. */
typedef struct comparison {
    tain_sqlite         *s;
    tain_sqlite_conn    *c;
    tain_sqlite_table   *t;
    tain_sink           *sink;
    const tain_position *at;
    int64_t              generation;
    bool                 keyed, changed;
    sqlite3_stmt        *find, *put, *log;
    tain_buffer          key, seen; /* seen: a bit for every id met */
} comparison;

/* --- statements ---------------------------------------------------------------------------------------------------- */

static tain_status prepare(comparison *k, sqlite3_stmt **ret, const char *format, tain_error *err)
{
    char sql[256];
    snprintf(sql, sizeof sql, format, (long long)k->t->id);
    return tain_sqlite_prepare(&k->s->shadow, sql, ret, err);
}

static tain_status prepare_all(comparison *k, tain_error *err)
{
    TAIN_TRY(prepare(k, &k->find, "SELECT id, val FROM s%lld WHERE key = ?1", err));
    TAIN_TRY(prepare(k, &k->put, "INSERT INTO s%lld(key, gen, val) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE SET gen = excluded.gen, val = excluded.val RETURNING id", err));
    return k->keyed ? TAIN_OK : prepare(k, &k->log, "INSERT INTO d%lld(gen, key, delta) VALUES(?1, ?2, ?3)", err);
}

static void done(comparison *k)
{
    sqlite3_finalize(k->find);
    sqlite3_finalize(k->put);
    sqlite3_finalize(k->log);
    tain_buffer_done(&k->key);
    tain_buffer_done(&k->seen);
}

static void note_seen(comparison *k, int64_t id)
{
    size_t byte = (size_t)id >> 3;
    if (byte >= k->seen.size) tain_buffer_append_zero(&k->seen, byte + 1 + byte / 2 - k->seen.size);
    k->seen.data[byte] |= (uint8_t)(1u << (id & 7));
}

static bool was_seen(const comparison *k, int64_t id)
{
    return (size_t)id >> 3 < k->seen.size && tain_bit(k->seen.data, (size_t)id);
}

/* size 0: NULL, the key went */
static tain_status put(comparison *k, tain_slice key, const void *val, size_t size, tain_error *err)
{
    bool row;
    sqlite3_bind_blob64(k->put, 1, key.data, key.size, SQLITE_STATIC);
    sqlite3_bind_int64(k->put, 2, k->generation);
    if (size) sqlite3_bind_blob64(k->put, 3, val, size, SQLITE_STATIC);
    else sqlite3_bind_null(k->put, 3);
    TAIN_TRY(tain_sqlite_step(&k->s->shadow, k->put, &row, err));
    if (row) note_seen(k, sqlite3_column_int64(k->put, 0));
    sqlite3_reset(k->put);
    return TAIN_OK;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static void encode_key(comparison *k)
{
    const tain_sqlite_shape *shape = k->t->shape;
    tain_buffer_clear(&k->key);
    for (size_t i = 0; i < (k->keyed ? shape->key_count : shape->count); i++)
        tain_sqlite_value_put(&k->key, &k->t->values[k->keyed ? shape->key[i] : i]);
}

static void decode_key(comparison *k, tain_slice key)
{
    const tain_sqlite_shape *shape = k->t->shape;
    size_t offset = 0;
    for (size_t i = 0; i < shape->count; i++) k->t->values[i] = (tain_sqlite_value){.type = SQLITE_NULL};
    for (size_t i = 0; i < (k->keyed ? shape->key_count : shape->count); i++)
        k->t->values[k->keyed ? shape->key[i] : i] = tain_sqlite_value_take(key, &offset);
}

static XXH128_hash_t hash_row(comparison *k, tain_buffer *scratch)
{
    tain_buffer_clear(scratch);
    for (size_t i = 0; i < k->t->shape->count; i++) tain_sqlite_value_put(scratch, &k->t->values[i]);
    return XXH3_128bits(scratch->data, scratch->size);
}

static void emit(comparison *k, tain_op op, int64_t times)
{
    for (int64_t i = 0; k->sink && i < times; i++) tain_sqlite_emit(k->t, k->sink, k->t->values, op);
}

/* *ret_val: what the shadow has for k->key, borrowed until the next find; size 0: nothing. */
static tain_status find(comparison *k, tain_slice *ret_val, tain_error *err)
{
    bool row;
    sqlite3_reset(k->find);
    sqlite3_bind_blob64(k->find, 1, k->key.data, k->key.size, SQLITE_STATIC);
    TAIN_TRY(tain_sqlite_step(&k->s->shadow, k->find, &row, err));
    *ret_val = (tain_slice){0};
    if (!row) return TAIN_OK;
    note_seen(k, sqlite3_column_int64(k->find, 0));
    *ret_val = (tain_slice){sqlite3_column_blob(k->find, 1), (size_t)sqlite3_column_bytes(k->find, 1)};
    return TAIN_OK;
}

static tain_status compare_keyed(comparison *k, tain_buffer *scratch, tain_error *err)
{
    tain_slice was;
    XXH128_hash_t hash = hash_row(k, scratch);
    TAIN_TRY(find(k, &was, err));
    if (was.size == sizeof hash && memcmp(was.data, &hash, sizeof hash) == 0) return TAIN_OK;
    TAIN_TRY(put(k, tain_buffer_slice(&k->key), &hash, sizeof hash, err));
    emit(k, TAIN_UPSERT, 1);
    return TAIN_OK;
}

static tain_status log_delta(comparison *k, tain_slice row, int64_t delta, tain_error *err)
{
    bool any;
    sqlite3_bind_int64(k->log, 1, k->generation);
    sqlite3_bind_blob64(k->log, 2, row.data, row.size, SQLITE_STATIC);
    sqlite3_bind_int64(k->log, 3, delta);
    emit(k, delta > 0 ? TAIN_INSERT : TAIN_DELETE, delta > 0 ? delta : -delta);
    return tain_sqlite_step(&k->s->shadow, k->log, &any, err);
}

static int64_t count_of(tain_slice val)
{
    int64_t n = 0;
    if (val.size == sizeof n) memcpy(&n, val.data, sizeof n);
    return n;
}

static tain_status compare_keyless(comparison *k, int64_t count, tain_error *err)
{
    tain_slice val;
    TAIN_TRY(find(k, &val, err));
    int64_t was = count_of(val);
    if (was == count) return TAIN_OK;
    TAIN_TRY(put(k, tain_buffer_slice(&k->key), &count, sizeof count, err));
    return log_delta(k, tain_buffer_slice(&k->key), count - was, err);
}

/* --- the table ----------------------------------------------------------------------------------------------------- */

/* Without key: distinct rows and how many there are of each. */
static char *rows_sql(const comparison *k)
{
    const tain_sqlite_shape *s = k->t->shape;
    tain_buffer sql = {0}, group = {0};
    tain_buffer_append_str(&sql, k->keyed ? "SELECT 1" : "SELECT count(*)");
    for (size_t i = 0; i < s->count; i++) {
        tain_buffer_append_str(&sql, ",");
        tain_sqlite_put_name(&sql, s->columns[i].name);
        tain_buffer_append_str(&group, i ? "," : " GROUP BY ");
        tain_sqlite_put_name(&group, s->columns[i].name);
        tain_buffer_append_str(&group, " COLLATE BINARY,typeof(");
        tain_sqlite_put_name(&group, s->columns[i].name);
        tain_buffer_append_str(&group, ")");
    }
    tain_buffer_append_str(&sql, " FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " NOT INDEXED");
    if (!k->keyed) tain_buffer_append(&sql, group.data, group.size);
    tain_buffer_done(&group);
    return tain_buffer_cstr(&sql);
}

static tain_status learn(comparison *k, tain_error *err)
{
    if (!k->sink) return TAIN_OK; /* a snapshot has looked at every value */
    return tain_sqlite_learn(k->s, k->t, k->sink, k->at, &k->changed, err);
}

static tain_status compare_row(comparison *k, sqlite3_stmt *stmt, tain_buffer *scratch, tain_error *err)
{
    for (size_t i = 0; i < k->t->shape->count; i++) k->t->values[i] = tain_sqlite_value_at(stmt, (int)i + 1);
    TAIN_TRY(learn(k, err));
    if (k->changed) return TAIN_OK;
    encode_key(k);
    return k->keyed ? compare_keyed(k, scratch, err) : compare_keyless(k, sqlite3_column_int64(stmt, 0), err);
}

static tain_status compare_rows(comparison *k, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    TAIN_BUFFER scratch = {0};
    bool row;
    char *sql = rows_sql(k);
    tain_status st = tain_sqlite_prepare(k->c, sql, &stmt, err);
    free(sql);
    TAIN_TRY(st);
    while (!k->changed) {
        TAIN_TRY(tain_sqlite_step(k->c, stmt, &row, err));
        if (!row) return TAIN_OK;
        TAIN_TRY(compare_row(k, stmt, &scratch, err));
    }
    return TAIN_OK;
}

static tain_status remove_row(comparison *k, tain_slice key, int64_t count, tain_error *err)
{
    decode_key(k, key);
    if (!k->keyed) TAIN_TRY(log_delta(k, key, -count, err));
    else emit(k, TAIN_DELETE_IF, 1);
    return put(k, key, NULL, 0, err);
}

static tain_status remove_unseen(comparison *k, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    TAIN_BUFFER key = {0};
    bool row;
    TAIN_TRY(prepare(k, &stmt, "SELECT id, key, val FROM s%lld NOT INDEXED WHERE val IS NOT NULL", err));
    for (;;) {
        TAIN_TRY(tain_sqlite_step(&k->s->shadow, stmt, &row, err));
        if (!row) return TAIN_OK;
        if (was_seen(k, sqlite3_column_int64(stmt, 0))) continue;
        tain_buffer_clear(&key);
        tain_buffer_append(&key, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        tain_slice val = {sqlite3_column_blob(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2)};
        TAIN_TRY(remove_row(k, tain_buffer_slice(&key), count_of(val), err));
    }
}

tain_status tain_sqlite_compare(tain_sqlite *s, tain_sqlite_conn *c, tain_sqlite_table *t, int64_t generation, tain_sink *sink, const tain_position *at,
                                tain_error *err)
{
    comparison k = {.s = s, .c = c, .t = t, .sink = sink, .at = at, .generation = generation, .keyed = tain_sqlite_has_key(t->shape)};
    tain_status st = prepare_all(&k, err);
    if (st == TAIN_OK) st = compare_rows(&k, err);
    if (st == TAIN_OK && !k.changed) st = remove_unseen(&k, err);
    done(&k);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", t->table.name);
    return st;
}

/* --- telling again ------------------------------------------------------------------------------------------------- */

/* With a key, what was touched is told at the next comparison, whatever it is then: no hash is empty. */
static tain_status suspect(tain_sqlite *s, const tain_sqlite_table *t, int64_t after, tain_error *err)
{
    return tain_sqlite_runf(&s->shadow, err, "UPDATE s%lld SET val = x'' WHERE gen > %lld", (long long)t->id, (long long)after);
}

static tain_status replay_rows(comparison *k, int64_t after, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    tain_position at;
    bool row;
    TAIN_TRY(prepare(k, &stmt, "SELECT gen, key, delta FROM d%lld WHERE gen > ?1 ORDER BY rowid", err));
    sqlite3_bind_int64(stmt, 1, after);
    for (;;) {
        TAIN_TRY(tain_sqlite_step(&k->s->shadow, stmt, &row, err));
        if (!row) return TAIN_OK;
        int64_t delta = sqlite3_column_int64(stmt, 2);
        decode_key(k, (tain_slice){sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)});
        tain_sqlite_generation_position(sqlite3_column_int64(stmt, 0), &at);
        k->sink->begin(k->sink, &at);
        emit(k, delta > 0 ? TAIN_INSERT : TAIN_DELETE, delta > 0 ? delta : -delta);
    }
}

tain_status tain_sqlite_replay(tain_sqlite *s, tain_sqlite_table *t, int64_t after, tain_sink *sink, tain_error *err)
{
    comparison k = {.s = s, .t = t, .sink = sink};
    return tain_sqlite_has_key(t->shape) ? suspect(s, t, after, err) : replay_rows(&k, after, err);
}
