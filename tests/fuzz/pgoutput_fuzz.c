/* SPDX-License-Identifier: MIT */
/* Replication messages, each behind a 16-bit length (big-endian), for a table with a column of every type whose relation
 * is known. First byte: policy, checking of texts, whether the table has a key. */
#include <assert.h>

#include "postgres_shape.h"
#include "source/postgres/pgoutput.h"

enum { TABLE = 7 };

typedef struct fuzz_sink {
    tain_sink          sink;
    tain_source_table *table;
    tain_changes       changes;
    tain_pg_table     *pg;
    bool               open;
} fuzz_sink;

static void begin(tain_sink *s, const tain_position *at)
{
    assert(!((fuzz_sink *)s)->open);
    ((fuzz_sink *)s)->open = true;
}

static void check(fuzz_sink *s)
{
    tain_batch *b = &s->changes.batch;
    assert(s->changes.ops.size == b->rows);
    for (size_t i = 0; i < b->schema->count; i++) assert(b->columns[i].length == b->rows);
}

static tain_changes *changes(tain_sink *sink, tain_source_table *t)
{
    fuzz_sink *s = (fuzz_sink *)sink;
    assert(s->open && t == s->table);
    check(s);
    return s->changes.batch.rows < 64 ? &s->changes : NULL;
}

static tain_status truncated(tain_sink *s, tain_source_table *t, const tain_region *within, tain_error *err) { return TAIN_OK; }
static tain_status failed(tain_sink *s, tain_source_table *t, const char *reason, const char *remedy, tain_error *err)
{
    assert(*reason && *remedy);
    return TAIN_OK;
}
static void warn(tain_sink *s, tain_source_table *t, size_t column, const char *code) { assert(column < SHAPE_COLUMNS && *code); }

static tain_status commit(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err)
{
    check((fuzz_sink *)sink);
    ((fuzz_sink *)sink)->open = false;
    return TAIN_OK;
}

static tain_status resolve(void *ctx, tain_pg_relation *r, tain_error *err)
{
    if (r->oid == TABLE) tain_pg_relation_map(r, ((fuzz_sink *)ctx)->pg);
    return TAIN_OK;
}

static void put(tain_buffer *b, uint64_t v, int bytes)
{
    while (bytes--) tain_buffer_append_u8(b, (uint8_t)(v >> 8 * bytes));
}

/* begin, relation of TABLE */
static void introduce(tain_pg_decoder *d)
{
    tain_buffer m = {0};
    put(&m, 'B', 1), put(&m, 1, 8), put(&m, 0, 8), put(&m, 1, 4);
    if (tain_pg_decoder_message(d, m.data, m.size, NULL) != TAIN_OK) abort();
    tain_buffer_clear(&m);
    put(&m, 'R', 1), put(&m, TABLE, 4);
    tain_buffer_append(&m, "s\0t\0d", 5);
    put(&m, SHAPE_COLUMNS, 2);
    for (size_t i = 0; i < SHAPE_COLUMNS; i++) {
        put(&m, i == 0, 1);
        tain_buffer_append(&m, shape_columns[i].name, strlen(shape_columns[i].name) + 1);
        put(&m, shape_columns[i].oid, 4), put(&m, (uint32_t)shape_columns[i].typmod, 4);
    }
    if (tain_pg_decoder_message(d, m.data, m.size, NULL) != TAIN_OK) abort();
    tain_buffer_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    static uint16_t key[1] = {0};
    tain_pg_shape *shape = shape_for(SHAPE_COLUMNS, data[0]);
    tain_source_table table = {.schema = "s", .name = "t", .columns = shape->schema, .key = key, .key_count = data[0] & 16 ? 0 : 1};
    tain_pg_table pg = {.pub = &table, .oid = TABLE, .shape = shape, .identity = data[0] & 32 ? 'f' : 'd'};
    fuzz_sink s = {.sink = {.begin = begin, .changes = changes, .truncate = truncated, .failed = failed, .warn = warn, .commit = commit}, .table = &table, .pg = &pg};
    tain_changes_init(&s.changes, shape->schema);
    tain_pg_decoder d;
    tain_pg_decoder_init(&d);
    d.sink = &s.sink;
    d.resolve = resolve;
    d.ctx = &s;
    d.memory = 1 << 20;
    introduce(&d);
    tain_status st = TAIN_OK;
    for (size_t at = 1, size; n - at >= 2 && st == TAIN_OK; at += 2 + size) {
        size = (size_t)data[at] << 8 | data[at + 1];
        if (size > n - at - 2) size = n - at - 2;
        st = tain_pg_decoder_message(&d, data + at + 2, size, NULL);
    }
    tain_pg_decoder_done(&d);
    tain_changes_done(&s.changes);
    return 0;
}
