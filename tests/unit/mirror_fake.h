/* SPDX-License-Identifier: MIT */
/* mirror_fake.h -- a source that is a script, and what the lake must show for it.
 *
 * The script is a log of transactions. Position n is "after the first n transactions", so the content of every table at
 * every position can be computed, and every version of a Delta table be compared with it. A row is one number a column;
 * numbers in text columns are written "t<number>", FAKE_NULL is null. Slot 0 is the key.
 * The driver behaves as the contract asks: once it has told of a shape it does not tell again when the stream is
 * repeated, and rows from before come in the newest shape. One that `tracks` knows columns by their slot under any name, and
 * recalls by a memo which shape it had told of. Scripts grow on the source's thread only (on_head). */
#ifndef TAIN_TESTS_MIRROR_FAKE_H
#define TAIN_TESTS_MIRROR_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"
#include "delta/internal.h"
#include "lake/lake.h"
#include "mirror/worker.h"
#include "source/source.h"

enum { FAKE_TABLES = 40, FAKE_SLOTS = 8, FAKE_SHAPES = 12 };
#define FAKE_NULL INT64_MIN

#define assert_ok(expr)                                                                              \
    do {                                                                                             \
        tain_error error_ = {0};                                                                     \
        tain_error *err = &error_;                                                                   \
        tain_status status_ = (expr);                                                                \
        if (status_ != TAIN_OK) fail_msg("%s: %s: %s", #expr, tain_status_name(status_), err->message); \
    } while (0)

/* The call fails with that status and its message contains text. */
#define assert_fails(expr, status, text)                                                                      \
    do {                                                                                                      \
        tain_error error_ = {0};                                                                              \
        tain_error *err = &error_;                                                                            \
        tain_status status_ = (expr);                                                                         \
        if (status_ != (status)) fail_msg("%s instead of %s: %s", tain_status_name(status_), tain_status_name(status), err->message); \
        if (!strstr(err->message, text)) fail_msg("\"%s\" does not say \"%s\"", err->message, text);           \
    } while (0)

/* --- the script ---------------------------------------------------------------------------------------------------- */

/* initial: what rows older than the column have in it, unless it is 0. */
typedef struct fake_column { const char *name; tain_kind kind; int slot; int64_t initial; } fake_column;
typedef struct fake_shape { fake_column columns[FAKE_SLOTS]; size_t count; bool keyed; int key_slot; } fake_shape;
typedef struct fake_row { int64_t v[FAKE_SLOTS]; size_t place; } fake_row;

typedef enum fake_kind {
    FAKE_INSERT, FAKE_UPDATE, FAKE_DELETE, FAKE_REKEY, FAKE_TRUNCATE, FAKE_CLEAR, FAKE_RESHAPE, FAKE_CREATE, FAKE_DROP, FAKE_RENAME,
    FAKE_REPLACE, /* rows are others, which no row event tells */
    FAKE_TROUBLE, /* the table cannot go on */
    FAKE_LOST,    /* the connection breaks here, the first time */
} fake_kind;

typedef struct fake_event {
    fake_kind kind;
    int       table, shape, then /* the shape when it happened */, filled; /* filled: slot that old rows get a value in, 0 none */
    bool      reload, passed;
    fake_row  row, old; /* CLEAR, REPLACE: keys from row's to before old's */
    unsigned  unchanged; /* slots that are not sent */
    const char *name;
} fake_event;

typedef struct fake_table {
    const char *schema, *first_name, *name; /* name: at the end of the script */
    fake_shape  shapes[FAKE_SHAPES];
    size_t      shape_count;
    const char *refused; /* a finding that refuses the table */
} fake_table;

typedef struct fake_content {
    fake_row *rows;
    size_t    count, capacity, places;
    int       shape;
    bool      there;
    const char *name;
} fake_content;

static struct fake {
    fake_table   tables[FAKE_TABLES];
    int          table_count;
    fake_event  *events;
    size_t       event_count, event_capacity;
    size_t      *ends; /* of transactions, in events */
    tain_time   *times; /* when they were committed */
    size_t       count, capacity;
    fake_content now[FAKE_TABLES]; /* with the open transaction */

    /* how the driver behaves */
    size_t       visible;       /* only so many transactions have happened yet; 0: all */
    size_t       forgotten;     /* positions before it are gone */
    bool         prepared, tracks;
    bool         compat;        /* what the lake shows now has no vectors, and a protocol from before there were any */
    bool         lowers;        /* older versions may be gone, with the vectors or by their age */
    bool         keeps;         /* the lake keeps columns that are dropped (of a source that tracks) */
    int          refusals;      /* so many starts fail as UNAVAILABLE */
    const char  *unreadable;    /* table that cannot be loaded */
    size_t       chunk_rows;    /* of a snapshot */
    int          rewrites;      /* how often rows went to other places without a transaction */
    size_t      *chunks_read, *rows_read; /* counted; may be NULL, may be shared with other processes */
    bool       (*on_chunk)(int table); /* true: the connection is lost */
    void       (*on_head)(void);    /* nothing is left to deliver */
    void       (*on_confirm)(size_t position);
    void       (*on_load)(void);    /* a snapshot begins */
    void       (*on_ask)(void);     /* is there one? */
    void       (*on_loaded)(void);  /* it ends */
    bool         waits, fix;        /* there is none yet; its content is fixed all the same */
    /* what it saw */
    size_t       starts, loads, confirmed, rows_taken, rows_skipped;
    bool         reading;       /* a snapshot is open */
    size_t       asks, fixed;   /* for the next snapshot; its position + 1, 0: not fixed */
    int          asked_tables;  /* those that there were when it was asked for */
} fake;

static inline void fake_reset(void)
{
    for (int t = 0; t < FAKE_TABLES; t++) free(fake.now[t].rows);
    free(fake.events);
    free(fake.ends);
    free(fake.times);
    memset(&fake, 0, sizeof fake);
    fake.chunk_rows = 100;
}

static inline size_t fake_end(void)
{
    return fake.visible ? fake.visible : fake.count;
}

/* All is in the lake, and nothing is being loaded. */
static inline bool fake_is_done(void)
{
    return !fake.reading && fake.confirmed >= fake_end();
}

static inline tain_position fake_position(size_t n)
{
    tain_position p;
    snprintf(p.text, sizeof p.text, "%012zu", n);
    return p;
}

static inline bool fake_same_row(const fake_shape *s, const fake_row *a, const fake_row *b)
{
    for (size_t i = 0; i < s->count; i++)
        if (a->v[s->columns[i].slot] != b->v[s->columns[i].slot]) return false;
    return true;
}

static inline fake_row *fake_find(fake_content *c, const fake_shape *s, const fake_row *like)
{
    for (size_t i = 0; i < c->count; i++)
        if (s->keyed ? c->rows[i].v[s->key_slot] == like->v[s->key_slot] : fake_same_row(s, &c->rows[i], like)) return &c->rows[i];
    return NULL;
}

/* A changed row goes to the end, or to where there is room. */
static inline void fake_move(fake_content *c, fake_row *row)
{
    size_t mixed = (c->places + 1) * 0x9e3779b97f4a7c15u >> 17;
    row->place = c->places++;
    if (mixed % 3 == 0) row->place = mixed % c->places;
}

static inline void fake_put(fake_content *c, fake_row row)
{
    row.place = c->places++;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 64;
        c->rows = tain_realloc(c->rows, c->capacity * sizeof *c->rows);
    }
    c->rows[c->count++] = row;
}

static inline bool fake_has_slot(const fake_shape *s, int slot)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->columns[i].slot == slot) return true;
    return false;
}

/* As it is read, or written, without the columns that there were before. */
static inline fake_row fake_read_anew(const fake_shape *s, fake_row row)
{
    for (int i = 0; fake.keeps && i < FAKE_SLOTS; i++)
        if (!fake_has_slot(s, i)) row.v[i] = FAKE_NULL;
    return row;
}

static inline void fake_fill(fake_content *c, const fake_event *e)
{
    c->shape = e->shape;
    for (size_t i = 0; e->reload && i < c->count; i++) c->rows[i] = fake_read_anew(&fake.tables[e->table].shapes[e->shape], c->rows[i]);
    for (size_t i = 0; e->filled && i < c->count; i++) c->rows[i].v[e->filled] = e->row.v[e->filled];
}

static inline void fake_clear_rows(fake_content *c, const fake_event *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->rows[i].v[0] < e->row.v[0] || c->rows[i].v[0] >= e->old.v[0]) c->rows[kept++] = c->rows[i];
    c->count = kept;
}

static inline void fake_replace_rows(fake_content *c, const fake_event *e)
{
    fake_clear_rows(c, e);
    for (fake_row row = e->row; row.v[0] < e->old.v[0]; row.v[0]++) fake_put(c, row);
}

static inline void fake_apply(fake_content *c, const fake_event *e)
{
    const fake_shape *s = &fake.tables[e->table].shapes[c->shape];
    fake_row *at;
    switch (e->kind) {
    case FAKE_INSERT: fake_put(c, fake_read_anew(s, e->row)); break;
    case FAKE_UPDATE:
    case FAKE_REKEY:
        if (!(at = fake_find(c, s, &e->old))) break;
        *at = fake_read_anew(s, e->row);
        fake_move(c, at);
        break;
    case FAKE_DELETE:
        if ((at = fake_find(c, s, &e->old))) *at = c->rows[--c->count];
        break;
    case FAKE_TRUNCATE: c->count = 0; break;
    case FAKE_CLEAR: fake_clear_rows(c, e); break;
    case FAKE_REPLACE: fake_replace_rows(c, e); break;
    case FAKE_RESHAPE: fake_fill(c, e); break;
    case FAKE_CREATE:
        c->there = true;
        c->name = fake.tables[e->table].first_name;
        break;
    case FAKE_RENAME: c->name = e->name; break;
    case FAKE_DROP:
        c->there = false;
        c->count = 0;
        break;
    default: break;
    }
}

/* Readers look at a script that grows. */
static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;

/* Caller frees ->rows. */
static inline fake_content fake_content_at(int table, size_t position)
{
    fake_content c = {0};
    pthread_mutex_lock(&fake_lock);
    for (size_t i = 0; position && i < fake.ends[position - 1]; i++)
        if (fake.events[i].table == table) fake_apply(&c, &fake.events[i]);
    pthread_mutex_unlock(&fake_lock);
    return c;
}

static inline fake_event *fake_add(fake_event e)
{
    pthread_mutex_lock(&fake_lock);
    if (fake.event_count == fake.event_capacity) {
        fake.event_capacity = fake.event_capacity ? fake.event_capacity * 2 : 256;
        fake.events = tain_realloc(fake.events, fake.event_capacity * sizeof *fake.events);
    }
    e.then = fake.now[e.table].shape;
    fake_apply(&fake.now[e.table], &e);
    fake.events[fake.event_count] = e;
    pthread_mutex_unlock(&fake_lock);
    return &fake.events[fake.event_count++];
}

/* Ends the open transaction; returns the position behind it. */
static inline size_t fake_commit(void)
{
    pthread_mutex_lock(&fake_lock);
    if (fake.count == fake.capacity) {
        fake.capacity = fake.capacity ? fake.capacity * 2 : 64;
        fake.ends = tain_realloc(fake.ends, fake.capacity * sizeof *fake.ends);
        fake.times = tain_realloc(fake.times, fake.capacity * sizeof *fake.times);
    }
    fake.times[fake.count] = tain_now();
    fake.ends[fake.count++] = fake.event_count;
    pthread_mutex_unlock(&fake_lock);
    return fake.count;
}

static inline fake_row fake_nulls(void)
{
    fake_row r = {0};
    for (int i = 0; i < FAKE_SLOTS; i++) r.v[i] = FAKE_NULL;
    return r;
}

/* --- writing the script -------------------------------------------------------------------------------------------- */

/* A table (k long, v integer, s string), key k or none, made in the open transaction. */
static inline int fake_create(const char *schema, const char *name, bool keyed)
{
    int t = fake.table_count++;
    assert_in_range(t, 0, FAKE_TABLES - 1);
    fake.tables[t] = (fake_table){
        .schema = schema, .first_name = name, .name = name, .shape_count = 1,
        .shapes = {{.columns = {{"k", TAIN_INT64, 0}, {"v", TAIN_INT32, 1}, {"s", TAIN_STRING, 2}}, .count = 3, .keyed = keyed}},
    };
    fake_add((fake_event){.kind = FAKE_CREATE, .table = t});
    return t;
}

static inline fake_row fake_make(int64_t k, int64_t v, int64_t s)
{
    fake_row r = fake_nulls();
    r.v[0] = k;
    r.v[1] = v;
    r.v[2] = s;
    return r;
}

static inline void fake_insert_row(int t, fake_row row)
{
    fake_add((fake_event){.kind = FAKE_INSERT, .table = t, .row = row});
}

static inline void fake_insert(int t, int64_t k, int64_t v, int64_t s)
{
    fake_insert_row(t, fake_make(k, v, s));
}

static inline fake_row fake_row_of(int t, int64_t k)
{
    fake_content *c = &fake.now[t];
    for (size_t i = 0; i < c->count; i++)
        if (c->rows[i].v[0] == k) return c->rows[i];
    fail_msg("the script has no row %lld in %s", (long long)k, fake.tables[t].name);
    return fake_nulls();
}

/* Sets one slot of the row with that k; the source does not send the slots in `unchanged`. */
static inline void fake_set(int t, int64_t k, int slot, int64_t value, unsigned unchanged)
{
    fake_row old = fake_row_of(t, k), row = old;
    row.v[slot] = value;
    fake_add((fake_event){.kind = FAKE_UPDATE, .table = t, .row = row, .old = old, .unchanged = unchanged});
}

static inline void fake_update(int t, int64_t k, int64_t v)
{
    fake_set(t, k, 1, v, 0);
}

static inline void fake_rekey(int t, int64_t from, int64_t to, unsigned unchanged)
{
    fake_row old = fake_row_of(t, from), row = old;
    row.v[0] = to;
    fake_add((fake_event){.kind = FAKE_REKEY, .table = t, .row = row, .old = old, .unchanged = unchanged});
}

static inline void fake_delete(int t, int64_t k)
{
    fake_add((fake_event){.kind = FAKE_DELETE, .table = t, .old = fake_row_of(t, k)});
}

/* All rows with a key from `from` to before `to` go, told as one. */
static inline void fake_clear(int t, int64_t from, int64_t to)
{
    fake_event e = {.kind = FAKE_CLEAR, .table = t};
    e.row.v[0] = from;
    e.old.v[0] = to;
    fake_add(e);
}

/* From here on it has one row for each key from `from` to before `to`, told as something that has to be read. */
static inline void fake_replace(int t, int64_t from, int64_t to, int64_t v)
{
    fake_event e = {.kind = FAKE_REPLACE, .table = t, .row = fake_make(from, v, from)};
    e.old.v[0] = to;
    fake_add(e);
}

static inline void fake_do(fake_kind kind, int t)
{
    fake_add((fake_event){.kind = kind, .table = t});
}

static inline fake_shape *fake_next_shape(int t)
{
    fake_table *f = &fake.tables[t];
    f->shapes[f->shape_count] = f->shapes[f->shape_count - 1];
    return &f->shapes[f->shape_count++];
}

static inline fake_event *fake_reshape(int t, bool reload)
{
    return fake_add((fake_event){.kind = FAKE_RESHAPE, .table = t, .shape = (int)fake.tables[t].shape_count - 1, .reload = reload});
}

static inline void fake_add_column(int t, const char *name, tain_kind kind, int slot)
{
    fake_shape *s = fake_next_shape(t);
    s->columns[s->count++] = (fake_column){name, kind, slot};
    fake_reshape(t, false);
}

static inline void fake_drop_column(int t, size_t at, bool reload)
{
    fake_shape *s = fake_next_shape(t);
    memmove(&s->columns[at], &s->columns[at + 1], (s->count - at - 1) * sizeof s->columns[0]);
    s->count--;
    fake_reshape(t, reload);
}

static inline void fake_rename_column(int t, size_t at, const char *name)
{
    fake_next_shape(t)->columns[at].name = name;
    fake_reshape(t, false);
}

static inline void fake_retype_column(int t, size_t at, tain_kind kind)
{
    fake_next_shape(t)->columns[at].kind = kind;
    fake_reshape(t, false);
}

static inline void fake_rename(int t, const char *name)
{
    fake.tables[t].name = name;
    fake_add((fake_event){.kind = FAKE_RENAME, .table = t, .name = name});
}

/* A column that all rows there are have that value in. */
static inline void fake_fill_column(int t, const char *name, tain_kind kind, int slot, int64_t value)
{
    fake_shape *s = fake_next_shape(t);
    s->columns[s->count++] = (fake_column){name, kind, slot, value};
    fake_row filled = fake_nulls();
    filled.v[slot] = value;
    fake_add((fake_event){.kind = FAKE_RESHAPE, .table = t, .shape = (int)fake.tables[t].shape_count - 1, .filled = slot, .row = filled});
}

/* --- the driver ---------------------------------------------------------------------------------------------------- */

typedef struct fake_source {
    tain_source         base;
    const char        **only, **except;
    tain_source_options options;
    tain_source_table  *tables[FAKE_TABLES];
    tain_source_table  *listed[FAKE_TABLES];
    int                 shape[FAKE_TABLES]; /* told */
    bool                gone[FAKE_TABLES];
    tain_schema        *old[FAKE_TABLES * FAKE_SHAPES * 2];
    tain_batch          defaults[FAKE_TABLES * FAKE_SHAPES * 2];
    size_t              old_count, default_count, next, snapshot;
    tain_region       **regions; /* all ever told of */
    int                *region_shapes; /* of their tables then */
    size_t              region_count;
    size_t              read_at[FAKE_TABLES], told_at[FAKE_TABLES]; /* told: behind the last event that replaced rows */
    int                 read_shape[FAKE_TABLES]; /* of the snapshot */
    tain_schema        *read_columns[FAKE_TABLES];
    tain_sink          *sink;
    int                 wake;
    _Atomic bool        cancelled;
} fake_source;

static inline tain_status fake_open(const tain_source_options *o, tain_source **ret, tain_error *err);
static inline void fake_close(tain_source *s)
{
    fake_source *f = (fake_source *)s;
    for (size_t i = 0; i < f->default_count; i++) tain_batch_done(&f->defaults[i]); /* of columns that go with the tables */
    for (int t = 0; t < FAKE_TABLES; t++) {
        if (!f->tables[t]) continue;
        f->tables[t]->defaults = NULL;
        free(f->tables[t]->memo);
        tain_source_table_free(f->tables[t]);
    }
    for (size_t i = 0; i < f->old_count; i++) tain_schema_free(f->old[i]);
    for (size_t i = 0; i < f->region_count; i++) tain_region_free(f->regions[i]);
    free(f->regions);
    free(f->region_shapes);
    close(f->wake);
    free(f);
}

static inline void fake_append(tain_column *c, int64_t v)
{
    char text[40];
    if (v == FAKE_NULL) {
        tain_column_append_null(c);
    } else if (c->type.kind == TAIN_INT64) {
        tain_column_append_i64(c, v);
    } else if (c->type.kind == TAIN_INT32) {
        tain_column_append_i32(c, (int32_t)v);
    } else if (c->type.kind == TAIN_DECIMAL) {
        tain_column_append_i128(c, (__int128)v * 100);
    } else {
        tain_column_append_bytes(c, text, (size_t)snprintf(text, sizeof text, "t%lld", (long long)v));
    }
}

static inline tain_type fake_type(tain_kind kind)
{
    return kind == TAIN_DECIMAL ? tain_type_decimal(22, 2) : tain_type_of(kind);
}

static inline void fake_show_defaults(fake_source *f, tain_source_table *table, const fake_shape *s)
{
    tain_batch *b = &f->defaults[f->default_count++];
    tain_batch_init(b, table->columns);
    for (size_t i = 0; i < s->count; i++) fake_append(&b->columns[i], s->columns[i].initial ? s->columns[i].initial : FAKE_NULL);
    tain_batch_end_row(b);
    table->defaults = b;
}

static inline void fake_show(fake_source *f, int t, int shape)
{
    tain_source_table *table = f->tables[t];
    const fake_shape *s = &fake.tables[t].shapes[shape];
    if (table->columns) f->old[f->old_count++] = table->columns;
    table->columns = tain_schema_new();
    table->key_count = s->keyed ? 1 : 0;
    table->key = table->key ? table->key : tain_alloc(sizeof *table->key);
    for (size_t i = 0; i < s->count; i++) {
        tain_field *field = tain_schema_add(table->columns, s->columns[i].name, fake_type(s->columns[i].kind));
        field->source_id = fake.tracks ? s->columns[i].slot + 1 : 0;
        if (s->columns[i].slot == s->key_slot) table->key[0] = (uint16_t)i;
    }
    f->shape[t] = shape;
    fake_show_defaults(f, table, s);
    free(table->memo);
    table->memo = fake.tracks ? tain_format("%d", shape) : NULL;
}

static inline void fake_know(fake_source *f, int t, int shape, const char *name)
{
    char identity[16];
    const fake_table *table = &fake.tables[t];
    if (f->tables[t] || !tain_source_selects(&f->options, table->schema, name)) return;
    snprintf(identity, sizeof identity, "%d", t);
    f->tables[t] = tain_source_table_new(table->schema, name, identity);
    fake_show(f, t, shape);
    if (table->refused) tain_source_table_find(f->tables[t], TAIN_VERDICT_ERROR, "no_key", NULL, "give it a key", "%s", table->refused);
}

static inline tain_status fake_describe(tain_source *s, tain_catalog *ret, tain_finding **ret_findings, size_t *ret_count, tain_error *err)
{
    fake_source *f = (fake_source *)s;
    *ret = (tain_catalog){.tables = f->listed};
    for (int t = 0; t < fake.table_count; t++) {
        fake_content c = fake_content_at(t, fake_end());
        if (fake.now[t].there) fake_know(f, t, c.shape, c.name ? c.name : fake.tables[t].first_name);
        free(c.rows);
        if (fake.now[t].there && f->tables[t]) f->listed[ret->count++] = f->tables[t];
    }
    *ret_findings = NULL;
    *ret_count = 0;
    return TAIN_OK;
}

static inline tain_status fake_recall(tain_source *s, tain_source_table *table, const char *memo, tain_error *err)
{
    if (fake.tracks && memo) fake_show((fake_source *)s, atoi(table->identity), atoi(memo));
    return TAIN_OK;
}

static inline tain_status fake_prepare(tain_source *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    *ret_fresh = !fake.prepared;
    if (!fake.prepared) fake.forgotten = fake_end();
    fake.prepared = true;
    return TAIN_OK;
}

static inline tain_status fake_remove(tain_source *s, void (*say)(const char *), tain_error *err)
{
    fake.prepared = false;
    return TAIN_OK;
}

/* --- its snapshots */

static inline int fake_index(const tain_source_table *t)
{
    return atoi(t->identity);
}

static inline tain_status fake_snapshot_ready(tain_source *s, tain_time deadline, bool *ret_ready, tain_waiting *ret_why, tain_error *err)
{
    if (fake.asks++ == 0) fake.asked_tables = fake.table_count;
    if (fake.on_ask) fake.on_ask();
    if (fake.fix && !fake.fixed) fake.fixed = fake_end() + 1;
    *ret_ready = !fake.waits;
    if (fake.waits) snprintf(ret_why->reason, sizeof ret_why->reason, "somebody is busy");
    return TAIN_OK;
}

/* The tables show the shape that they have in it, which the stream may not have come to, or have passed. */
static inline tain_status fake_snapshot_begin(tain_source *s, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    fake_source *f = (fake_source *)s;
    bool asked = fake.asks > 0;
    f->snapshot = fake.fixed ? fake.fixed - 1 : fake_end();
    fake.fixed = fake.asks = 0;
    fake.reading = true;
    fake.loads += n;
    if (fake.on_load) fake.on_load();
    for (size_t i = 0; i < n; i++) {
        int t = fake_index(tables[i]);
        fake_content c = fake_content_at(t, f->snapshot);
        if (asked && fake_index(tables[i]) >= fake.asked_tables) return tain_fail(err, TAIN_E_INTERNAL, "%s was not there when the snapshot was asked for", tables[i]->name);
        if (c.shape > f->shape[t] || f->snapshot < f->next) fake_show(f, t, c.shape);
        f->read_at[t] = f->snapshot;
        f->read_shape[t] = f->shape[t];
        f->read_columns[t] = f->tables[t]->columns;
        free(c.rows);
    }
    *ret = fake_position(f->snapshot);
    return TAIN_OK;
}

static inline tain_status fake_snapshot_plan(tain_source *s, tain_source_table *table, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    int64_t step = (int64_t)fake.chunk_rows;
    fake_content c = fake_content_at(fake_index(table), ((fake_source *)s)->snapshot);
    *ret_count = (c.places + fake.chunk_rows - 1) / fake.chunk_rows;
    *ret = tain_alloc((*ret_count + 1) * sizeof **ret);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = (tain_chunk){.table = table, .from = (int64_t)i * step, .to = (int64_t)(i + 1) * step, .rows_estimate = step};
    if (*ret_count) (*ret)[*ret_count - 1].to = INT64_MAX; /* there may be more by then */
    table->rows_estimate = (int64_t)c.count;
    free(c.rows);
    return TAIN_OK;
}

/* Chunks of keys instead of places. */
enum { FAKE_KEYS = -1000000000 };

static inline int64_t fake_end_of(const tain_region *r, size_t i)
{
    return ((const int64_t *)r->bounds[0].values.columns[0].values.data)[i];
}

static inline bool fake_is_shape(fake_source *f, const tain_region *r, int shape)
{
    for (size_t i = 0; i < f->region_count; i++)
        if (f->regions[i] == r) return f->region_shapes[i] == shape;
    return false;
}

/* Whether rows were replaced behind what was told and before the snapshot. */
static inline bool fake_is_untold(fake_source *f, int table)
{
    bool any = false;
    pthread_mutex_lock(&fake_lock);
    for (size_t i = f->told_at[table]; f->snapshot && i < fake.ends[f->snapshot - 1]; i++) any |= fake.events[i].kind == FAKE_REPLACE && fake.events[i].table == table;
    pthread_mutex_unlock(&fake_lock);
    return any;
}

static inline int fake_by_from(const void *a, const void *b)
{
    int64_t x = ((const tain_chunk *)a)->from, y = ((const tain_chunk *)b)->from;
    return x < y ? -1 : x > y;
}

static inline tain_status fake_reread_plan(tain_source *s, tain_source_table *table, const tain_region *const *within, size_t n, int64_t rows, tain_chunk **ret, size_t *ret_count, tain_error *err)
{
    fake_content c = fake_content_at(fake_index(table), ((fake_source *)s)->snapshot);
    free(c.rows);
    for (size_t i = 0; i < n; i++)
        if (!fake_is_shape((fake_source *)s, within[i], c.shape) || fake_is_untold((fake_source *)s, fake_index(table))) return tain_fail(err, TAIN_E_UNSUPPORTED, "it has another shape");
    *ret = tain_alloc((n + 1) * sizeof **ret);
    for (size_t i = 0; i < n; i++) (*ret)[i] = (tain_chunk){.table = table, .from = FAKE_KEYS + fake_end_of(within[i], 0), .to = FAKE_KEYS + fake_end_of(within[i], 1), .rows_estimate = 1};
    qsort(*ret, n, sizeof **ret, fake_by_from);
    for (size_t i = 1; i < n; i++) { /* no row twice */
        tain_chunk *last = &(*ret)[i - 1], *next = &(*ret)[i];
        if (next->from < last->to) next->from = last->to;
        if (next->to < next->from) next->to = next->from;
    }
    *ret_count = n;
    return TAIN_OK;
}

static inline bool fake_is_in(const tain_chunk *chunk, const fake_row *row)
{
    if (chunk->from < 0) return FAKE_KEYS + row->v[0] >= chunk->from && FAKE_KEYS + row->v[0] < chunk->to;
    return row->place >= (size_t)chunk->from && row->place < (size_t)chunk->to;
}

struct tain_reader { fake_source *source; };

static inline tain_status fake_reader_open(tain_source *s, tain_reader **ret, tain_error *err)
{
    *ret = tain_alloc(sizeof **ret);
    (*ret)->source = (fake_source *)s;
    return TAIN_OK;
}

static inline void fake_reader_close(tain_reader *r)
{
    free(r);
}

static inline tain_status fake_reader_read(tain_reader *r, const tain_chunk *chunk, const tain_rows_sink *sink, tain_error *err)
{
    int t = fake_index(chunk->table);
    if (fake.unreadable && strcmp(fake.unreadable, fake.tables[t].name) == 0) return tain_fail(err, TAIN_E_PERMISSION, "permission denied for table %s", fake.unreadable);
    if (fake.on_chunk && fake.on_chunk(t)) return tain_fail(err, TAIN_E_UNAVAILABLE, "connection lost");
    fake_content c = fake_content_at(t, r->source->snapshot);
    const fake_shape *shape = &fake.tables[t].shapes[r->source->read_shape[t]];
    tain_batch b;
    tain_batch_init(&b, r->source->read_columns[t]);
    for (size_t i = 0; i < c.count; i++) {
        if (!fake_is_in(chunk, &c.rows[i])) continue;
        for (size_t k = 0; k < shape->count; k++) fake_append(&b.columns[k], c.rows[i].v[shape->columns[k].slot]);
        tain_batch_end_row(&b);
    }
    if (fake.chunks_read) __atomic_fetch_add(fake.chunks_read, 1, __ATOMIC_SEQ_CST);
    if (fake.rows_read) __atomic_fetch_add(fake.rows_read, b.rows, __ATOMIC_SEQ_CST);
    tain_status st = sink->rows(sink->ctx, &b, err);
    tain_batch_done(&b);
    free(c.rows);
    return st;
}

static inline tain_status fake_reader_mark(tain_reader *r, tain_source_table *table, char **ret, tain_error *err)
{
    int replaced = 0;
    pthread_mutex_lock(&fake_lock);
    for (size_t i = 0; fake_end() && i < fake.ends[fake_end() - 1]; i++) replaced += fake.events[i].kind == FAKE_REPLACE && fake.events[i].table == fake_index(table);
    pthread_mutex_unlock(&fake_lock);
    *ret = tain_format("%d %d", fake.rewrites, replaced);
    return TAIN_OK;
}

static inline tain_status fake_snapshot_end(tain_source *s, tain_error *err)
{
    fake.reading = false;
    fake.fixed = fake.asks = 0;
    if (fake.on_loaded) fake.on_loaded();
    return TAIN_OK;
}

/* --- its stream */

static inline tain_status fake_start(tain_source *s, const tain_position *position, tain_error *err)
{
    fake_source *f = (fake_source *)s;
    f->next = strtoul(position->text, NULL, 10);
    fake.starts++;
    if (fake.refusals && fake.refusals--) return tain_fail(err, TAIN_E_UNAVAILABLE, "the source is starting up");
    if (f->next < fake.forgotten) return tain_fail(err, TAIN_E_GONE, "position %s is gone", position->text);
    return TAIN_OK;
}

/* What a row has in a column: one from before the column has what older rows have in it. */
static inline int64_t fake_value_of(const fake_event *e, const fake_row *row, const fake_column *c)
{
    const fake_shape *then = &fake.tables[e->table].shapes[e->then];
    for (size_t i = 0; i < then->count; i++)
        if (then->columns[i].slot == c->slot) return row->v[c->slot];
    return c->initial ? c->initial : row->v[c->slot];
}

/* Appends one row, as the driver shows the table now. */
static inline void fake_emit(fake_source *f, const fake_event *e, const fake_row *row, tain_op op, bool only_key, unsigned unchanged)
{
    tain_changes *c = f->sink->changes(f->sink, f->tables[e->table]);
    if (!c) {
        fake.rows_skipped++;
        return;
    }
    const fake_shape *s = &fake.tables[e->table].shapes[f->shape[e->table]];
    fake.rows_taken++;
    for (size_t i = 0; i < s->count; i++) {
        int slot = s->columns[i].slot;
        if (unchanged >> slot & 1) {
            tain_changes_append_unchanged(c, i);
        } else {
            fake_append(&c->batch.columns[i], only_key && slot != s->key_slot ? FAKE_NULL : fake_value_of(e, row, &s->columns[i]));
        }
    }
    tain_changes_end_row(c, op);
}

static inline void fake_emit_update(fake_source *f, const fake_event *e, bool keyed)
{
    if (!keyed) {
        fake_emit(f, e, &e->old, TAIN_DELETE, false, 0);
        fake_emit(f, e, &e->row, TAIN_INSERT, false, 0);
    } else if (e->kind == FAKE_REKEY) {
        fake_emit(f, e, &e->old, TAIN_KEY_OLD, true, 0);
        fake_emit(f, e, &e->row, TAIN_KEY_NEW, false, e->unchanged);
    } else {
        fake_emit(f, e, &e->row, TAIN_UPDATE, false, e->unchanged);
    }
}

static inline tain_status fake_tell_shape(fake_source *f, const fake_event *e, tain_error *err)
{
    if (e->shape <= f->shape[e->table]) return TAIN_OK;
    fake_show(f, e->table, e->shape);
    return f->sink->reshape(f->sink, f->tables[e->table], e->reload, "its shape changed", err);
}

static inline tain_status fake_tell_renamed(fake_source *f, const fake_event *e, tain_error *err)
{
    tain_source_table *t = f->tables[e->table];
    free(t->name);
    t->name = tain_strdup(e->name);
    return f->sink->reshape(f->sink, t, false, "it was renamed", err);
}

static inline tain_status fake_tell_created(fake_source *f, const fake_event *e, tain_error *err)
{
    if (f->tables[e->table]) return TAIN_OK;
    fake_know(f, e->table, 0, fake.tables[e->table].first_name);
    return f->tables[e->table] ? f->sink->appeared(f->sink, f->tables[e->table], err) : TAIN_OK;
}

static inline tain_status fake_tell_dropped(fake_source *f, const fake_event *e, tain_error *err)
{
    if (f->gone[e->table]) return TAIN_OK;
    f->gone[e->table] = true;
    return f->sink->dropped(f->sink, f->tables[e->table], err);
}

static inline const tain_region *fake_region(fake_source *f, const fake_event *e)
{
    const fake_shape *s = &fake.tables[e->table].shapes[f->shape[e->table]];
    tain_region *r = tain_alloc(sizeof *r);
    uint16_t column = 0;
    while (s->columns[column].slot != 0) column++;
    column = tain_region_column(r, column);
    tain_bound *b = tain_region_add(r, false, &column, &(tain_type){.kind = TAIN_INT64}, 1);
    const int64_t ends[] = {e->row.v[0], e->old.v[0]};
    for (int i = 0; i < 2; i++) {
        tain_column_append_i64(&b->values.columns[0], ends[i]);
        tain_batch_end_row(&b->values);
    }
    f->regions = tain_realloc(f->regions, (f->region_count + 1) * sizeof(tain_region *));
    f->region_shapes = tain_realloc(f->region_shapes, (f->region_count + 1) * sizeof(int));
    f->region_shapes[f->region_count] = f->shape[e->table];
    f->regions[f->region_count++] = r;
    return r;
}

/* Once it is read it is not told again. */
static inline tain_status fake_tell_replaced(fake_source *f, const fake_event *e, tain_error *err)
{
    if (f->next < f->read_at[e->table]) return TAIN_OK;
    f->told_at[e->table] = (size_t)(e - fake.events) + 1;
    return f->sink->reread(f->sink, f->tables[e->table], fake_region(f, e), "rows of it are others", err);
}

static inline tain_status fake_tell(fake_source *f, fake_event *e, tain_error *err)
{
    if (e->kind == FAKE_CREATE) return fake_tell_created(f, e, err);
    tain_source_table *t = f->tables[e->table];
    if (!t) return TAIN_OK;
    bool keyed = t->key_count > 0, first = !e->passed;
    e->passed = true;
    switch (e->kind) {
    case FAKE_INSERT: fake_emit(f, e, &e->row, TAIN_INSERT, false, 0); break;
    case FAKE_DELETE: fake_emit(f, e, &e->old, TAIN_DELETE, keyed, 0); break;
    case FAKE_UPDATE:
    case FAKE_REKEY: fake_emit_update(f, e, keyed); break;
    case FAKE_TRUNCATE: return f->sink->truncate(f->sink, t, NULL, err);
    case FAKE_CLEAR: return f->sink->truncate(f->sink, t, fake_region(f, e), err);
    case FAKE_REPLACE: return fake_tell_replaced(f, e, err);
    case FAKE_RESHAPE: return fake_tell_shape(f, e, err);
    case FAKE_RENAME: return fake_tell_renamed(f, e, err);
    case FAKE_DROP: return fake_tell_dropped(f, e, err);
    case FAKE_TROUBLE: return f->sink->failed(f->sink, t, "its rows cannot be read", "reload it", err);
    case FAKE_LOST: return first ? tain_fail(err, TAIN_E_UNAVAILABLE, "connection lost") : TAIN_OK;
    default: break;
    }
    return TAIN_OK;
}

static inline tain_status fake_deliver(fake_source *f, tain_error *err)
{
    tain_position at = fake_position(f->next + 1);
    tain_time time = fake.times[f->next];
    f->sink->about(f->sink, (int64_t)f->next + 1, time);
    f->sink->begin(f->sink, &at);
    for (size_t i = f->next ? fake.ends[f->next - 1] : 0; i < fake.ends[f->next]; i++) {
        if (atomic_load(&f->cancelled)) return tain_fail(err, TAIN_E_CANCELLED, "cancelled");
        TAIN_TRY(fake_tell(f, &fake.events[i], err));
    }
    f->next++;
    return f->sink->commit(f->sink, &at, time, err);
}

static inline tain_status fake_wait(fake_source *f, tain_time deadline, tain_error *err)
{
    tain_time left = deadline - tain_monotonic();
    struct pollfd p = {.fd = f->wake, .events = POLLIN};
    if (left > 0) poll(&p, 1, (int)(left / TAIN_MILLISECOND) + 1);
    return atomic_load(&f->cancelled) ? tain_fail(err, TAIN_E_CANCELLED, "cancelled") : TAIN_OK;
}

/* Comes back soon while something is to be confirmed, so that a script that waits for that does not take long. */
static inline tain_status fake_poll(tain_source *s, tain_sink *sink, tain_time deadline, tain_error *err)
{
    fake_source *f = (fake_source *)s;
    tain_time soon = tain_monotonic() + 2 * TAIN_MILLISECOND;
    f->sink = sink;
    if (fake.confirmed < f->next && soon < deadline) deadline = soon;
    for (;;) {
        while (f->next < fake_end()) TAIN_TRY(fake_deliver(f, err));
        if (fake.on_head) fake.on_head();
        if (f->next < fake_end()) continue;
        TAIN_TRY(fake_wait(f, deadline, err));
        if (tain_monotonic() >= deadline) return TAIN_OK;
    }
}

static inline tain_status fake_confirm(tain_source *s, const tain_position *position, tain_error *err)
{
    size_t n = strtoul(position->text, NULL, 10);
    if (fake.on_confirm) fake.on_confirm(n);
    if (n > fake.confirmed) fake.confirmed = n;
    return TAIN_OK;
}

static inline tain_status fake_head(tain_source *s, tain_position *ret, tain_error *err)
{
    *ret = fake_position(fake_end());
    return TAIN_OK;
}

static inline int fake_wait_fd(tain_source *s)
{
    return -1;
}

static inline void fake_cancel(tain_source *s)
{
    fake_source *f = (fake_source *)s;
    uint64_t one = 1;
    atomic_store(&f->cancelled, true);
    if (write(f->wake, &one, sizeof one) < 0) abort();
}

static const char *const fake_schemes[] = {"fake", NULL};
static tain_source_ops fake_ops = {
    .name = "fake", .beside = true, .snapshot_ready = fake_snapshot_ready, .schemes = fake_schemes, .open = fake_open, .close = fake_close, .describe = fake_describe, .recall = fake_recall, .prepare = fake_prepare,
    .remove = fake_remove, .snapshot_begin = fake_snapshot_begin, .snapshot_plan = fake_snapshot_plan, .reread_plan = fake_reread_plan, .reader_open = fake_reader_open,
    .reader_read = fake_reader_read, .reader_mark = fake_reader_mark, .reader_close = fake_reader_close, .snapshot_end = fake_snapshot_end, .start = fake_start,
    .poll = fake_poll, .confirm = fake_confirm, .head = fake_head, .wait_fd = fake_wait_fd, .cancel = fake_cancel,
};

static inline tain_status fake_open(const tain_source_options *o, tain_source **ret, tain_error *err)
{
    fake_source *f = tain_alloc(sizeof *f);
    f->base.ops = &fake_ops;
    f->options = *o;
    f->wake = eventfd(0, EFD_CLOEXEC);
    *ret = &f->base;
    return TAIN_OK;
}

#include "mirror_folder.h"
#include "mirror_shown.h"
#include "mirror_epochs.h"

#endif
