/* SPDX-License-Identifier: MIT */
/* standby.h -- a hot standby of the source that loads are read from; all else stays with the source.
 *
 * Its log is the source's, so the place of a temporary slot made there is a place of the stream, and never in front of where the
 * source was when the load was asked for: the standby is waited for, in the manner of export.c. The source does not stand in for it. Whatever
 * is wrong with it concerns loads only: while something is followed, it is tried again. Thread: source; conn any. */
#ifndef TAIN_SOURCE_POSTGRES_STANDBY_H
#define TAIN_SOURCE_POSTGRES_STANDBY_H

#include "source/postgres/postgres.h"

struct tain_pg_standby {
    tain_pg_target target;
    tain_pg_conn   conn;    /* for questions, and the catalog as of its snapshot */
    bool           reading; /* the snapshot that is open is its */
    bool           behind;  /* it is waited for: a snapshot is asked for when it has come to `least` */
    uint64_t       least;
    uint64_t       at;      /* how far it was when it was last looked at, */
    tain_time      moved;   /* since when (monotonic), */
    tain_time      asked, next, pause; /* and when the source is urged again */
    bool           may_log; /* we may make the source log which transactions are running */
};

/* url NULL or empty: there is none. */
tain_status tain_pg_standby_open(tain_pg_source *s, const char *url, tain_error *err);
void        tain_pg_standby_close(tain_pg_source *s);
/* Whether loads can be read there: that it is a standby of the source, of the same timeline, and gives snapshots. OK without one. */
tain_status tain_pg_standby_check(tain_pg_source *s, tain_error *err);
/* The same as findings, with what could be better, appended. */
tain_status tain_pg_standby_judge(tain_pg_source *s, tain_finding **io, size_t *io_count, tain_error *err);
/* A snapshot is wanted, of what the source has written by now: `behind` until the standby has come there. */
tain_status tain_pg_standby_ask(tain_pg_source *s, tain_error *err);
/* Waits for that until deadline (monotonic). BUSY: the standby stands still. */
tain_status tain_pg_standby_wait(tain_pg_source *s, tain_time deadline, tain_error *err);
/* A slot of a standby comes to be when the source has told, in its log, of running transactions: makes it, now and then, while the exporter's
 * is waited for: again at *io_until, which it may bring forward. BUSY: the standby stands still, or the source cannot be made to. OK without one. */
tain_status tain_pg_standby_urge(tain_pg_source *s, tain_time *io_until, tain_error *err);
/* What it is waited for. */
void tain_pg_standby_describe(tain_pg_source *s, tain_waiting *ret);
/* The exporter has its snapshot: whether it is at a place of the source's log. Readers go there. OK if it is the source's own. */
tain_status tain_pg_standby_take(tain_pg_source *s, tain_error *err);
/* The connection to ask about the snapshot that is open; NULL: it is the source's own. */
static inline tain_pg_conn *tain_pg_standby_conn(const tain_pg_source *s) { return s->standby && s->standby->reading ? &s->standby->conn : NULL; }
/* Nobody reads the snapshot any more. */
void tain_pg_standby_end(tain_pg_source *s);

#endif
