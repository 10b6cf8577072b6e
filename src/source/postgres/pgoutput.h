/* SPDX-License-Identifier: MIT */
/* pgoutput.h -- messages of the pgoutput plugin into a sink.
 *
 * Fed one message at a time, knows nothing of connections. Rows go straight into the sink's columns. What is true:
 *   - between begin and commit `open` is true; the position moves at commits only;
 *   - a transaction that is streamed while in progress is spooled and replayed through the same code when it commits;
 *     an aborted subtransaction's messages are cut off the spool, which can be done because no message of its parent can
 *     come before it ended;
 *   - a Relation message holds until the next one of that relation, also across transactions.
 * Format: PostgreSQL documentation, "Logical Replication Message Formats", versions 1 and 2. Thread: one. */
#ifndef TAIN_SOURCE_POSTGRES_PGOUTPUT_H
#define TAIN_SOURCE_POSTGRES_PGOUTPUT_H

#include "base/spool.h"
#include "source/postgres/postgres.h"
#include "source/postgres/wire.h"

typedef struct tain_pg_relation_column {
    const char          *name;
    uint32_t             type_oid;
    int32_t              typmod;
    int                  target; /* column of the table, -1: not wanted */
    const tain_pg_codec *codec;
} tain_pg_relation_column;

typedef struct tain_pg_relation {
    uint32_t                 oid;
    tain_arena               arena;   /* names */
    const char              *schema, *name;
    tain_pg_table           *table;   /* NULL: its changes are not wanted */
    const tain_pg_shape     *as;      /* that its columns are those of; NULL: they go by name */
    const tain_pg_shape     *shape;   /* of the table, when the rest was filled in */
    size_t                   count;
    tain_pg_relation_column *columns;
    uint16_t                *missing; /* columns of the table it has not */
    size_t                   missing_count;
    bool                     keyless;
    uint16_t                *key;     /* its columns that make the table's key */
    size_t                   key_count;
} tain_pg_relation;

typedef struct tain_pg_cell { uint8_t kind; uint32_t size; const uint8_t *data; } tain_pg_cell;

typedef struct tain_pg_sub { uint32_t xid; uint64_t offset; } tain_pg_sub;
typedef struct tain_pg_streamed { /* a transaction in progress */
    uint32_t     xid;
    tain_spool  *spool;
    tain_pg_sub *subs; /* subtransactions, by where they begin */
    size_t       sub_count, sub_capacity;
    uint32_t    *aborted; /* subtransactions that were: messages may be of them, and have no xid of their own */
    size_t       aborted_count;
} tain_pg_streamed;

typedef struct tain_pg_decoder {
    tain_sink *sink;
    /* Sets table, columns' target and codec. Called for every Relation message. */
    tain_status (*resolve)(void *ctx, tain_pg_relation *r, tain_error *err);
    /* A value is not of the form that its column's type was known to have: whether that was settled; may be NULL. */
    tain_status (*unfit)(void *ctx, tain_pg_relation *r, size_t column, bool *ret, tain_error *err);
    tain_status (*truncated)(void *ctx, tain_pg_table *t, tain_error *err); /* may be NULL */
    /* A transaction (or silence) has come to `end`, which the sink is told next; may be NULL. */
    tain_status (*reached)(void *ctx, uint64_t end, tain_error *err);
    /* A message in the log whose prefix is that, inside its transaction; may be NULL. */
    tain_status (*told)(void *ctx, const void *message, size_t n, const uint32_t *aborted, size_t aborted_count, tain_error *err);
    const char   *prefix;
    void        (*tick)(void *ctx); /* called now and then while one message takes long; may be NULL */
    void        *ctx;
    const char  *spool_dir;
    int64_t      memory; /* for all spools together */

    tain_pg_relation **relations; /* hash table by OID */
    size_t             relation_count, relation_slots;
    tain_pg_streamed  *streamed;
    size_t             streamed_count, streamed_capacity;
    uint32_t           streaming; /* xid of the block being received, 0: none */
    const tain_pg_streamed *replayed; /* the streamed transaction that is open; NULL: it was not streamed */
    bool               open;      /* between begin and commit */
    uint32_t           xid;       /* of the last transaction that was opened, */
    uint64_t           time;      /* and when it was committed */
    bool               begun;     /* the sink was told */
    uint64_t           at;        /* states at or behind this hold the transaction's rows */
    uint64_t           position;  /* end of the last transaction that was delivered */
    tain_pg_cell      *old, *new;
    size_t             cells;
    size_t             refused;   /* column of the value that could not be taken, */
    tain_pg_say        refusal;   /* and why */
} tain_pg_decoder;

void tain_pg_decoder_init(tain_pg_decoder *d);
void tain_pg_decoder_done(tain_pg_decoder *d);
tain_status tain_pg_decoder_message(tain_pg_decoder *d, const void *data, size_t n, tain_error *err);
/* Whether nothing is half delivered. */
static inline bool tain_pg_decoder_between(const tain_pg_decoder *d) { return !d->open && !d->streaming; }
/* Tells the sink that a transaction's rows follow, once a transaction. */
void tain_pg_decoder_begin(tain_pg_decoder *d);
tain_pg_relation *tain_pg_decoder_relation(const tain_pg_decoder *d, uint32_t oid);
/* Fills target, codec, missing and key from the table's shape: by attribute number where r->as tells them, else by name.
 * Done again by itself when that changes. */
void tain_pg_relation_map(tain_pg_relation *r, tain_pg_table *t);
/* relation.c: reads a Relation message and resolves it. */
tain_status tain_pg_relation_read(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err);
void        tain_pg_relations_done(tain_pg_decoder *d);
/* progress.c: transactions that are streamed before they commit. */
tain_status tain_pg_streamed_begin(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err);
tain_status tain_pg_streamed_keep(tain_pg_decoder *d, const uint8_t *data, size_t n, tain_error *err);
tain_status tain_pg_streamed_commit(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err);
tain_status tain_pg_streamed_abort(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err);
void        tain_pg_streamed_done(tain_pg_decoder *d);
/* One message that is a row, a relation or the like. prefixed: the xid of its (sub)transaction stands in front. */
tain_status tain_pg_decoder_change(tain_pg_decoder *d, const uint8_t *data, size_t n, bool prefixed, tain_error *err);
/* The transaction's rows were all given: tells the sink where it ends. */
tain_status tain_pg_decoder_end(tain_pg_decoder *d, uint64_t end, uint64_t time, tain_error *err);
static inline tain_time tain_pg_time(uint64_t t) { return (tain_time)(t + 946684800000000); }

#endif
