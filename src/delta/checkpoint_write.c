/* SPDX-License-Identifier: MIT */
/* Classic checkpoints: one row an action, exactly one column of it not null. */
#include "delta/internal.h"

#include <stdatomic.h>

#include "base/fault.h"

enum {
    BATCH_ROWS = 4096,
    LOOK_SHARE = 100,
    LOOK_MOST = 50000, /* rows; some hundred bytes of memory each */
    DUE_COMMITS = 80,  /* readers are to find a hundred at most, and more come while it is written */
    DUE_BYTES = 1 << 20,
};

/* --- schema ----------------------------------------------------------------------------------------------------------- */

static tain_type struct_of(tain_schema *s, const tain_field *fields, size_t n)
{
    tain_field *children = tain_arena_alloc(&s->arena, n * sizeof *children);
    for (size_t i = 0; i < n; i++) {
        children[i] = fields[i];
        children[i].physical = fields[i].name;
        children[i].nullable = true;
    }
    return (tain_type){.kind = TAIN_STRUCT, .child_count = (uint16_t)n, .children = children};
}

static tain_type text_map(tain_schema *s)
{
    tain_type   text = tain_type_of(TAIN_STRING);
    tain_field *children = tain_arena_alloc(&s->arena, 2 * sizeof *children);
    children[0] = (tain_field){.name = "key", .physical = "key", .type = text};
    children[1] = (tain_field){.name = "value", .physical = "value", .type = text, .nullable = true};
    return (tain_type){.kind = TAIN_MAP, .child_count = 2, .children = children};
}

#define STRUCT(s, ...) struct_of(s, (tain_field[]){__VA_ARGS__}, sizeof((tain_field[]){__VA_ARGS__}) / sizeof(tain_field))

static tain_schema *checkpoint_schema(void)
{
    tain_schema    *s = tain_schema_new();
    const tain_type text = tain_type_of(TAIN_STRING), number = tain_type_of(TAIN_INT64), small = tain_type_of(TAIN_INT32),
                    flag = tain_type_of(TAIN_BOOL), map = text_map(s), texts = tain_type_list(s, text);
    const tain_type dv = STRUCT(s, {.name = "storageType", .type = text}, {.name = "pathOrInlineDv", .type = text},
                                {.name = "offset", .type = small}, {.name = "sizeInBytes", .type = small},
                                {.name = "cardinality", .type = number});
    const tain_type format = STRUCT(s, {.name = "provider", .type = text}, {.name = "options", .type = map});
    tain_schema_add(
        s, "txn",
        STRUCT(s, {.name = "appId", .type = text}, {.name = "version", .type = number}, {.name = "lastUpdated", .type = number}));
    tain_schema_add(s, "add",
                    STRUCT(s, {.name = "path", .type = text}, {.name = "partitionValues", .type = map},
                           {.name = "size", .type = number}, {.name = "modificationTime", .type = number},
                           {.name = "dataChange", .type = flag}, {.name = "tags", .type = map},
                           {.name = "deletionVector", .type = dv}, {.name = "stats", .type = text}));
    tain_schema_add(s, "remove",
                    STRUCT(s, {.name = "path", .type = text}, {.name = "deletionTimestamp", .type = number},
                           {.name = "dataChange", .type = flag}, {.name = "extendedFileMetadata", .type = flag},
                           {.name = "partitionValues", .type = map}, {.name = "size", .type = number},
                           {.name = "deletionVector", .type = dv}));
    tain_schema_add(s, "metaData",
                    STRUCT(s, {.name = "id", .type = text}, {.name = "name", .type = text}, {.name = "description", .type = text},
                           {.name = "format", .type = format}, {.name = "schemaString", .type = text},
                           {.name = "partitionColumns", .type = texts}, {.name = "configuration", .type = map},
                           {.name = "createdTime", .type = number}));
    tain_schema_add(s, "protocol",
                    STRUCT(s, {.name = "minReaderVersion", .type = small}, {.name = "minWriterVersion", .type = small},
                           {.name = "readerFeatures", .type = texts}, {.name = "writerFeatures", .type = texts}));
    tain_schema_add(
        s, "domainMetadata",
        STRUCT(s, {.name = "domain", .type = text}, {.name = "configuration", .type = text}, {.name = "removed", .type = flag}));
    return s;
}

enum { TXN, ADD, REMOVE, METADATA, PROTOCOL, DOMAIN };

/* --- values ------------------------------------------------------------------------------------------------------------- */

static void put_text(tain_column *c, const char *s)
{
    if (s) tain_column_append_bytes(c, s, strlen(s));
    else tain_column_append_null(c);
}

static void put_number(tain_column *c, int64_t v, bool known)
{
    if (known) tain_column_append_i64(c, v);
    else tain_column_append_null(c);
}

static void put_map(tain_column *c, const json_t *object)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)object, key, value)
    {
        put_text(&c->children[0], key);
        put_text(&c->children[1], json_string_value(value));
    }
    tain_column_end_list(c);
}

/* Object text; NULL gives null. */
static void put_map_text(tain_column *c, const char *text)
{
    json_error_t e;
    if (!text) {
        tain_column_append_null(c);
        return;
    }
    json_t *o = text == tain_delta_no_partition ? NULL : json_loads(text, 0, &e);
    put_map(c, o);
    json_decref(o);
}

static void put_texts(tain_column *c, const json_t *list)
{
    json_t *item;
    size_t  i;
    if (!list) {
        tain_column_append_null(c);
        return;
    }
    json_array_foreach(list, i, item) put_text(&c->children[0], json_string_value(item));
    tain_column_end_list(c);
}

/* No vector is a null struct: a struct of nulls is refused by every reader. */
static void put_dv(tain_column *c, const tain_dv *dv)
{
    if (!dv->storage) {
        tain_column_append_null(c);
        return;
    }
    tain_column_append_bytes(&c->children[0], &dv->storage, 1);
    put_text(&c->children[1], dv->path);
    if (dv->has_offset) tain_column_append_i32(&c->children[2], dv->offset);
    else tain_column_append_null(&c->children[2]);
    tain_column_append_i32(&c->children[3], dv->size);
    tain_column_append_i64(&c->children[4], dv->cardinality);
    tain_column_end_struct(c);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------- */

typedef struct output {
    tain_parquet_writer *writer;
    tain_batch           batch;
    int64_t              rows, adds;
    size_t               tombstones;
} output;

static tain_status flush(output *o, tain_error *err)
{
    TAIN_TRY(tain_parquet_append(o->writer, &o->batch, NULL, 0, o->batch.rows, err));
    tain_batch_clear(&o->batch);
    return TAIN_OK;
}

/* Closes the struct that was filled, and the row around it. */
static tain_status end_row(output *o, int filled, tain_error *err)
{
    tain_column_end_struct(&o->batch.columns[filled]);
    for (int i = 0; i <= DOMAIN; i++)
        if (i != filled) tain_column_append_null(&o->batch.columns[i]);
    tain_batch_end_row(&o->batch);
    o->rows++;
    return o->batch.rows == BATCH_ROWS ? flush(o, err) : TAIN_OK;
}

static tain_status put_protocol(output *o, const tain_protocol *p, tain_error *err)
{
    tain_column *c = o->batch.columns[PROTOCOL].children;
    tain_column_append_i32(&c[0], p->reader);
    tain_column_append_i32(&c[1], p->writer);
    put_texts(&c[2], p->reader_features);
    put_texts(&c[3], p->writer_features);
    return end_row(o, PROTOCOL, err);
}

static tain_status put_metadata(output *o, const tain_delta_metadata *m, const char *schema_text, tain_error *err)
{
    tain_column *c = o->batch.columns[METADATA].children;
    put_text(&c[0], m->id);
    put_text(&c[1], m->name);
    put_text(&c[2], m->description);
    put_text(&c[3].children[0], "parquet");
    put_map(&c[3].children[1], NULL);
    tain_column_end_struct(&c[3]);
    put_text(&c[4], schema_text);
    put_texts(&c[5], m->partition_columns);
    put_map(&c[6], m->configuration);
    put_number(&c[7], m->created_ms, m->created_ms >= 0);
    return end_row(o, METADATA, err);
}

static tain_status put_add(output *o, const tain_delta_file *f, tain_error *err)
{
    tain_column *c = o->batch.columns[ADD].children;
    put_text(&c[0], f->path);
    put_map_text(&c[1], f->partition_values);
    tain_column_append_i64(&c[2], f->size);
    tain_column_append_i64(&c[3], f->modified / TAIN_MILLISECOND);
    tain_column_append_bool(&c[4], false);
    put_map_text(&c[5], f->tags);
    put_dv(&c[6], &f->dv);
    put_text(&c[7], f->stats);
    o->adds++;
    return end_row(o, ADD, err);
}

static tain_status put_remove(output *o, const tain_tombstone *x, tain_error *err)
{
    tain_column *c = o->batch.columns[REMOVE].children;
    put_text(&c[0], x->path);
    tain_column_append_i64(&c[1], x->deleted_ms);
    tain_column_append_bool(&c[2], false);
    tain_column_append_bool(&c[3], x->extended);
    put_map_text(&c[4], x->partition_values);
    put_number(&c[5], x->size, x->size >= 0);
    put_dv(&c[6], &x->dv);
    return end_row(o, REMOVE, err);
}

static tain_status put_small(output *o, const tain_delta *t, tain_error *err)
{
    const char     *key, *configuration;
    const tain_txn *x;
    TAIN_TRY(put_protocol(o, &t->protocol, err));
    TAIN_TRY(put_metadata(o, &t->meta, t->schema_text, err));
    TAIN_MAP_EACH (&t->txns, i, key, x) {
        tain_column *c = o->batch.columns[TXN].children;
        put_text(&c[0], key);
        tain_column_append_i64(&c[1], x->version);
        put_number(&c[2], x->updated_ms, x->updated_ms >= 0);
        TAIN_TRY(end_row(o, TXN, err));
    }
    TAIN_MAP_EACH (&t->domains, i, key, configuration) {
        tain_column *c = o->batch.columns[DOMAIN].children;
        put_text(&c[0], key);
        put_text(&c[1], configuration);
        tain_column_append_bool(&c[2], false);
        TAIN_TRY(end_row(o, DOMAIN, err));
    }
    return TAIN_OK;
}

static int64_t tombstones_since(const tain_delta *t)
{
    return (tain_now() - tain_delta_retention(t)) / TAIN_MILLISECOND;
}

static tain_status put_tombstones(output *o, tain_delta *t, tain_error *err)
{
    tain_tombstone **stones;
    size_t           n = tain_state_tombstones(t, tombstones_since(t), &stones);
    tain_status      st = TAIN_OK;
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = put_remove(o, stones[i], err);
    tain_free(stones);
    o->tombstones = n;
    return st;
}

static tain_status put_all(output *o, tain_delta *t, tain_error *err)
{
    tain_delta_file *f;
    TAIN_TRY(put_small(o, t, err));
    TAIN_TRY(put_tombstones(o, t, err));
    for (size_t at = 0; tain_delta_next_file(t, &at, &f);) TAIN_TRY(put_add(o, f, err));
    return o->batch.rows ? flush(o, err) : TAIN_OK;
}

/* --- the file -------------------------------------------------------------------------------------------------------------- */

static tain_status finish(output *o, tain_upload *upload, int64_t *ret_bytes, tain_error *err)
{
    tain_parquet_summary s = {0};
    tain_status          st = tain_parquet_finish(o->writer, &s, err);
    if (st == TAIN_OK && s.rows != o->rows)
        st = tain_fail(err, TAIN_E_INTERNAL, "checkpoint of %lld rows where %lld were written", (long long)s.rows,
                       (long long)o->rows);
    *ret_bytes = s.bytes;
    tain_parquet_summary_done(&s);
    if (st == TAIN_OK) return tain_upload_finish(upload, err);
    tain_upload_abort(upload);
    return st;
}

/* What is stored must be what was sent: its size, and a Parquet end. */
static tain_status verify(tain_delta *t, const char *key, int64_t bytes, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer end = {0};
    tain_object stored;
    TAIN_TRY(tain_store_head(t->store, key, &stored, err));
    if (stored.size != bytes)
        return tain_fail(err, TAIN_E_CORRUPT, "%s has %lld bytes where %lld were written", key, (long long)stored.size,
                         (long long)bytes);
    TAIN_TRY(tain_store_get(t->store, key, -8, -1, &end, err));
    if (end.size != 8 || memcmp(end.data + 4, "PAR1", 4) != 0)
        return tain_fail(err, TAIN_E_CORRUPT, "%s is not a Parquet file", key);
    return TAIN_OK;
}

/* As often as takes a hundredth of the time: reading is slower than writing, and tables may be many. */
static tain_status look_closely(tain_delta *t, const char *key, int64_t rows, size_t tombstones, tain_error *err)
{
    static _Atomic tain_time next;
    tain_time                began = tain_monotonic();
    if (rows > LOOK_MOST || began < atomic_load(&next)) return TAIN_OK;
    tain_status st = tain_checkpoint_check(t, key, tombstones, err);
    tain_time   now = tain_monotonic();
    atomic_store(&next, now + LOOK_SHARE * (now - began));
    bool wrong = st == TAIN_E_INTERNAL || st == TAIN_E_CORRUPT;
    if (wrong) (void)!tain_store_remove(t->store, key, NULL); /* readers would take it, hint or not */
    return st;
}

static tain_status write_file(tain_delta *t, const char *key, const tain_schema *schema, tain_hint *io, size_t *ret_tombstones,
                              tain_error *err)
{
    tain_upload *upload;
    output       o = {0};
    TAIN_TRY(tain_store_upload(t->store, key, &upload, err));
    o.writer = tain_parquet_writer_new(schema, NULL, upload);
    tain_batch_init(&o.batch, schema);
    tain_status st = put_all(&o, t, err);
    tain_batch_done(&o.batch);
    if (st == TAIN_OK) st = finish(&o, upload, &io->bytes, err);
    else tain_upload_abort(upload);
    tain_parquet_writer_free(o.writer);
    io->size = o.rows;
    io->files = o.adds;
    *ret_tombstones = o.tombstones;
    return st == TAIN_E_UNKNOWN ? TAIN_OK : st; /* verified below */
}

static tain_status write_checkpoint(tain_delta *t, const char *key, tain_error *err)
{
    TAIN_AUTO(tain_schema_free) tain_schema *schema = checkpoint_schema();
    tain_hint hint = {.version = t->version}, other;
    size_t    tombstones = 0;
    TAIN_TRY(write_file(t, key, schema, &hint, &tombstones, err));
    TAIN_TRY(verify(t, key, hint.bytes, err));
    TAIN_TRY(look_closely(t, key, hint.size, tombstones, err));
    tain_fault(TAIN_FAULT_DELTA_CHECKPOINT);
    if (!tain_hint_read(t->store, &other) || other.version <= hint.version) TAIN_TRY(tain_hint_write(t->store, &hint, err));
    tain_state_expire(t, tombstones_since(t));
    t->checkpoint = hint.version;
    t->checkpoint_bytes = hint.bytes;
    t->tail_bytes = 0;
    t->checkpoint_time = tain_monotonic();
    return TAIN_OK;
}

tain_status tain_delta_checkpoint(tain_delta *t, tain_error *err)
{
    TAIN_TRY(tain_delta_check_usable(t, err));
    TAIN_TRY_IN(err, tain_protocol_check_write(&t->protocol, &t->meta, err), "%s", t->store->url);
    char       *key = tain_log_key(t->version, ".checkpoint.parquet");
    tain_status st = write_checkpoint(t, key, err);
    if (st != TAIN_OK) tain_error_context(err, "%s: %s", t->store->url, key);
    tain_free(key);
    return st;
}

bool tain_delta_checkpoint_due(const tain_delta *t)
{
    int64_t tail = tain_delta_log_tail(t), interval = tain_property_int(t, "delta.checkpointInterval", 10);
    if (tail <= 0) return false;
    if (tail >= DUE_COMMITS || (interval > 0 && tail >= interval)) return true;
    if (tail < 10) return false;
    bool bulky = t->tail_bytes >= DUE_BYTES && t->tail_bytes >= 2 * t->checkpoint_bytes;
    return bulky || tain_monotonic() - t->checkpoint_time >= 600 * TAIN_SECOND;
}
