/* SPDX-License-Identifier: MIT */
/* copy.h -- COPY's binary format into batches.
 *
 * Rows go from the wire into column builders; full batches go to the sink. Bytes may come in pieces of any size: a row
 * that is not whole waits for the rest. Format: PostgreSQL documentation, COPY, "Binary Format". Thread: one. */
#ifndef TAIN_SOURCE_POSTGRES_COPY_H
#define TAIN_SOURCE_POSTGRES_COPY_H

#include "source/postgres/codec.h"
#include "source/source.h"

typedef struct tain_pg_copy_column {
    tain_pg_decode       decode;
    const tain_pg_codec *codec;
    tain_column         *out;
} tain_pg_copy_column;

typedef struct tain_pg_copy {
    tain_source_table    *table; /* for messages and warnings; borrowed */
    const tain_rows_sink *sink;  /* borrowed */
    tain_batch            batch;
    tain_pg_copy_column  *columns;
    tain_buffer           carry; /* what is not decoded yet */
    size_t                bytes; /* of rows in the batch */
    bool                  begun, ended;
    bool                  placed;   /* every row begins with its place, which is none of the columns */
    bool                  stopped;  /* the next row is in block `stop` or behind it: it waits for go_on */
    uint32_t              stop, at; /* at: block of the last row */
} tain_pg_copy;

/* codecs: one for each field of schema, in order. */
void tain_pg_copy_init(tain_pg_copy *c, tain_source_table *table, const tain_schema *schema, const tain_pg_codec *const *codecs,
                       const tain_rows_sink *sink);
void tain_pg_copy_done(tain_pg_copy *c);
/* Before the first bytes: the first value of every row is its ctid, and rows come in that order. They are taken as far as block
 * `stop`; bytes of those behind it are kept. */
void tain_pg_copy_place(tain_pg_copy *c, uint32_t stop);
/* Rows are taken as far as that block now, and go to that sink. */
tain_status tain_pg_copy_go_on(tain_pg_copy *c, const tain_rows_sink *sink, uint32_t stop, tain_error *err);
/* Stopped: gives the last batch in front of it. */
tain_status tain_pg_copy_pause(tain_pg_copy *c, tain_error *err);
tain_status tain_pg_copy_feed(tain_pg_copy *c, const void *data, size_t n, tain_error *err);
/* Gives away a row so large that it should not be held besides the bytes it came in: to be called when those are freed. */
tain_status tain_pg_copy_give(tain_pg_copy *c, tain_error *err);
/* The stream is over: gives the last batch. PROTOCOL when it broke off. */
tain_status tain_pg_copy_finish(tain_pg_copy *c, tain_error *err);

#endif
