/* SPDX-License-Identifier: MIT */
/* stream.h -- following one slot: the walsender's connection, its clockwork, and what is known to be due.
 *
 *   idle, behind head    a keepalive is asked for, faster at first, so that the position reaches the head soon
 *   idle                 a keepalive a second: its log position is passed on, so that an idle mirror holds no log back
 *   always               a status at least every 10 s; as flushed it names only what confirm() said
 *   the server stops     it waits until all it sent is confirmed: after 5 s of that the stream is ended from here
 *
 * After an error there is no stream; start makes a new one. Thread: source. */
#ifndef TAIN_SOURCE_POSTGRES_STREAM_H
#define TAIN_SOURCE_POSTGRES_STREAM_H

#include "source/postgres/pgoutput.h"

enum { TAIN_PG_MEETS_SINCE = 150000 /* servers that see in a stream that partitions come and go */ };

struct tain_pg_stream {
    tain_pg_conn    conn;
    tain_pg_decoder decoder;
    bool            binary;
    bool            untouched;  /* nothing was read since start */
    bool            restart;    /* a column that only text can carry came up: begin again, in text, between transactions */
    uint64_t        received;   /* end of what the server sent */
    uint64_t        told;       /* flushed position of the last status */
    tain_time       next_status;
    tain_time       asked, ask_pause; /* when a keepalive was last asked for; how long until the next time */
    tain_time       pinged, stopping; /* when the server last wanted an answer, and since when it does all the time */
    uint64_t        stuck_at;   /* log position of keepalives that do not move, */
    int             stuck;      /* and how many */
    tain_time       next_look;  /* when the catalog is looked at again */
    size_t          due;        /* tables with something that waits for the stream, */
    uint64_t        due_until;  /* to come there at the furthest */
    uint32_t        awaited;    /* the transaction that the catalog was last waited for to show, */
    tain_time       awaited_until; /* at the longest */
    bool            tells;      /* schema changes are told at their place */
    tain_pg_table  *root;       /* partitioned, of the last Relation message; NULL: it was another's */
    char           *fingerprint; /* of the catalog when it was last looked at */
};

/* In a binary stream a column that only text can carry makes the table unreadable from here to the next start. */
static inline bool tain_pg_needs_text(const tain_pg_source *s, const tain_pg_table *t) { return s->stream->binary && t->shape->textual; }

/* resolve.c: a Relation message meets what is known of its table. */
tain_status tain_pg_resolve(void *ctx /* tain_pg_source */, tain_pg_relation *r, tain_error *err);
/* Attributes of a composite came or went: the table is read again. */
tain_status tain_pg_unfit(void *ctx /* tain_pg_source */, tain_pg_relation *r, size_t column, bool *ret, tain_error *err);
/* reshape.c */
/* Whether the type's own cast leaves every value what it is. */
bool tain_pg_keeps_values(const tain_pg_codec *a, const tain_pg_codec *b, int32_t a_typmod, int32_t b_typmod);
/* Without a look at the rows nothing is to be seen of it: the same bytes are read by the same function. */
bool tain_pg_is_alike(const tain_pg_codec *a, const tain_pg_codec *b);
/* What the catalog says of a table now, which may be further than the stream, becomes true for it. If it does not show yet what the
 * open transaction did, it is noted that rows came unseen: the next change loads the table again. */
tain_status tain_pg_adopt_ahead(tain_pg_source *s, tain_pg_table *t, tain_error *err);
/* What the catalog says of a table becomes true for it, between transactions, if it is what it said when it was looked at: the
 * stream has come to where the log ended then. *ret_later: it is not; what it says now is noted as looked at. */
tain_status tain_pg_adopt_looked(tain_pg_source *s, tain_pg_table *t, bool *ret_later, tain_error *err);
/* The same for a table that nobody follows yet: the sink is not told. */
tain_status tain_pg_renew(tain_pg_source *s, tain_pg_table *t, tain_error *err);
tain_status tain_pg_request_reload(tain_pg_source *s, tain_pg_table *t, const char *reason, tain_error *err);
/* What the stream has told of it becomes true for a table that is followed. */
tain_status tain_pg_adopt_told(tain_pg_source *s, tain_pg_table *t, tain_pg_now *now, tain_error *err);
/* A table that is not followed now, and may be again, has that name from here on. */
tain_status tain_pg_tell_name(tain_pg_source *s, tain_pg_table *t, const char *schema, const char *name, tain_error *err);
/* A partition of it was dropped here. */
tain_status tain_pg_lose_leaf(tain_pg_source *s, tain_pg_table *t, uint32_t oid, tain_error *err);
/* Tells the sink that the table is another, if its memo is, or that it must be read again. */
tain_status tain_pg_tell(tain_pg_source *s, tain_pg_table *t, bool reload, const char *reason, tain_error *err);
/* visible.c: what the catalog says of a table, when it shows what the open transaction did, which is waited for, a second at most:
 * *ret_unseen is its xid if it does not even then. */
tain_status tain_pg_catalog_abreast(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, uint64_t *ret_unseen, tain_error *err);
/* watch.c: what no message tells: tables that come, go, change without rows, partitions that move. Between transactions. */
tain_status tain_pg_watch(tain_pg_source *s, tain_error *err);
/* The table is not followed from here on, until a look at the catalog finds it as it should be. */
tain_status tain_pg_give_up_table(tain_pg_source *s, tain_pg_table *t, const char *reason, const char *remedy, tain_error *err);
/* The catalog was just read, the stream begins: what happened while nobody followed is due where the log ends. */
tain_status tain_pg_watch_begin(tain_pg_source *s, tain_error *err);
/* Applies what waits for the stream to come to `end`. */
tain_status tain_pg_watch_reached(void *ctx /* tain_pg_source */, uint64_t end, tain_error *err);

#endif
