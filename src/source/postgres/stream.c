/* SPDX-License-Identifier: MIT */
#include "source/postgres/stream.h"

#include <poll.h>
#include <stdio.h>

#include "source/postgres/capture.h"
#include "source/postgres/result.h"

#define STATUS_EVERY (10 * TAIN_SECOND)
#define IDLE_EVERY   (3 * TAIN_SECOND) /* how far the log is, is asked so often while nobody waits for it */
#define ASK_MOST     TAIN_SECOND
#define ASK_FIRST    (10 * TAIN_MILLISECOND)
#define RELEASE_WAIT (10 * TAIN_SECOND)
#define PING_GAP     (10 * TAIN_SECOND)
#define PING_PAUSE   (100 * TAIN_MILLISECOND)
#define LET_GO_AFTER (5 * TAIN_SECOND)
enum { STUCK_AFTER = 6, GATHER_NS = 300000 };

/* --- starting ------------------------------------------------------------------------------------------------------ */

void tain_pg_stream_stop(tain_pg_source *s)
{
    tain_pg_stream *st = s->stream;
    if (!st) return;
    if (st->conn.pg) s->old_sender = PQbackendPID(st->conn.pg);
    tain_pg_decoder_done(&st->decoder);
    tain_pg_disconnect(&st->conn);
    tain_free(st->fingerprint);
    tain_free(st);
    s->stream = NULL;
}

/* The server needs a moment to notice that a walsender's peer has gone. */
static tain_status wait_for_release(tain_pg_source *s, tain_pg_slot *slot, tain_error *err)
{
    tain_time until = tain_monotonic() + RELEASE_WAIT;
    while (slot->there && slot->active_pid && slot->active_pid == s->old_sender && tain_monotonic() < until) {
        tain_status waited = tain_pg_wait(&s->conn, false, tain_monotonic() + 10 * TAIN_MILLISECOND, err);
        if (waited != TAIN_OK && waited != TAIN_E_BUSY) return waited;
        TAIN_TRY(tain_pg_slot_read(s, slot, err));
    }
    return TAIN_OK;
}

tain_status tain_pg_stream_release(tain_pg_source *s, tain_error *err)
{
    tain_pg_slot slot;
    tain_pg_stream_stop(s);
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    if (!s->server.known) TAIN_TRY(tain_pg_catalog_read(s, err));
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    return wait_for_release(s, &slot, err);
}

/* writing: how far the log is, where it is written. */
static tain_status ask_lsn(tain_pg_source *s, const char *writing, uint64_t *ret, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_AUTO(tain_free) char *sql = tain_format("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE %s END AS lsn", writing);
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_query(&s->conn, sql, &r, err));
    if (tain_pg_parse_lsn(tain_pg_get(r, 0, "lsn"), ret)) return TAIN_OK;
    return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s does not say where its log ends", s->target.where);
}

tain_status tain_pg_log_end(tain_pg_source *s, uint64_t *ret, tain_error *err) { return ask_lsn(s, "pg_current_wal_flush_lsn()", ret, err); }

tain_status tain_pg_log_seen(tain_pg_source *s, uint64_t *ret, tain_error *err) { return ask_lsn(s, "pg_current_wal_insert_lsn()", ret, err); }

/* Whether what was committed after `from` can still be had. */
static tain_status check_position(tain_pg_source *s, const tain_pg_slot *slot, uint64_t from, tain_error *err)
{
    uint64_t end;
    tain_position p, c;
    tain_pg_position(from, &p);
    tain_pg_position(slot->confirmed, &c);
    TAIN_TRY(tain_pg_log_end(s, &end, err));
    tain_status status = TAIN_OK;
    if (from < slot->confirmed)
        status = tain_fail(err, TAIN_E_GONE, "replication slot %s at PostgreSQL %s is at %s already, the mirror at %s", s->slot, s->target.where, c.text, p.text);
    else if (from > end)
        status = tain_fail(err, TAIN_E_GONE, "the log of PostgreSQL at %s ends before the mirror's position %s: it was set back", s->target.where, p.text);
    if (status != TAIN_OK) tain_error_remedy(err, TAIN_SOURCE_GONE_REMEDY);
    return status;
}

static tain_status check_slot(tain_pg_source *s, uint64_t from, tain_error *err)
{
    tain_pg_slot slot;
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    if (!slot.there || slot.lost[0] || !s->server.has_publication) return tain_pg_capture_gone(s, &slot, err);
    TAIN_TRY(tain_pg_publication_check(s, err));
    TAIN_TRY(wait_for_release(s, &slot, err));
    if (slot.active_pid) {
        (void)tain_fail(err, TAIN_E_BUSY, "replication slot %s at PostgreSQL %s is in use by process %d of the server", s->slot, s->target.where, slot.active_pid);
        tain_error_remedy(err, "stop the other mirror of that name, or end the process with SELECT pg_terminate_backend(%d)", slot.active_pid);
        return TAIN_E_BUSY;
    }
    return check_position(s, &slot, from, err);
}

static bool any_textual(const tain_pg_source *s)
{
    for (size_t i = 0; i < s->table_count; i++) {
        const tain_pg_table *t = s->tables[i];
        if (t->present && t->pub->verdict != TAIN_VERDICT_ERROR && t->shape && (t->shape->textual || t->textual_now)) return true;
    }
    return false;
}

static tain_status on_truncated(void *ctx, tain_pg_table *t, tain_error *err)
{
    t->truncates++;
    return t->leaves ? tain_pg_tell(ctx, t, false, NULL, err) : TAIN_OK;
}

static void tick(void *ctx) { tain_pg_stream_keep_alive(ctx); }

static void new_stream(tain_pg_source *s, uint64_t from)
{
    tain_pg_stream *st = s->stream = tain_alloc(sizeof *st);
    tain_pg_decoder *d = &st->decoder;
    tain_pg_decoder_init(d);
    d->resolve = tain_pg_resolve;
    d->unfit = tain_pg_unfit;
    d->truncated = on_truncated;
    d->reached = tain_pg_watch_reached;
    d->tick = tick;
    d->told = tain_pg_told;
    d->prefix = s->prefix;
    d->ctx = s;
    d->spool_dir = s->options.spool_dir;
    if (s->options.memory > 0) d->memory = s->options.memory;
    d->position = st->received = from;
    st->binary = s->conn.version >= 140000 && !any_textual(s);
    st->tells = s->conn.version >= 140000 && s->server.tells;
    st->untouched = true;
    st->pinged = -PING_GAP;
    st->ask_pause = ASK_FIRST;
}

static tain_status start_replication(tain_pg_source *s, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    uint64_t from = st->decoder.position;
    TAIN_TRY(tain_pg_connect(&st->conn, &s->target, TAIN_PG_WALSENDER, err));
    tain_buffer_printf(&sql, "START_REPLICATION SLOT %s LOGICAL %X/%X (proto_version '%d', publication_names '\"%s\"'", s->slot,
                       (unsigned)(from >> 32), (unsigned)from, st->conn.version >= 140000 ? 2 : 1, s->publication);
    if (st->conn.version >= 140000) tain_buffer_printf(&sql, ", streaming 'on', binary '%s', messages '%s'", st->binary ? "true" : "false", st->tells ? "true" : "false");
    tain_buffer_append_str(&sql, ")");
    TAIN_TRY(tain_pg_begin_copy(&st->conn, tain_buffer_cstr(&sql), PGRES_COPY_BOTH, err));
    if (PQsetnonblocking(st->conn.pg, 1) != 0) return tain_pg_fail(&st->conn, NULL, err);
    return TAIN_OK;
}

/* The slot or the log it needs went away under the stream. */
static tain_status explain(tain_pg_source *s, tain_status status, tain_error *err)
{
    if (status != TAIN_E_NOT_FOUND && status != TAIN_E_CONFIG && status != TAIN_E_GONE) return status;
    if (err) err->code = TAIN_E_GONE;
    tain_error_context(err, "following %s", s->slot);
    tain_error_remedy(err, TAIN_SOURCE_GONE_REMEDY);
    return TAIN_E_GONE;
}

/* Tables are what they were where the stream begins. */
static tain_status begin_tables(tain_pg_source *s, uint64_t from, tain_error *err)
{
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_table *t = s->tables[i];
        if (!t->taken || !t->shape) continue;
        if (t->history_count == 0) tain_pg_history_add(s, t, 0);
        TAIN_TRY(tain_pg_history_return(s, t, from, err));
    }
    return tain_pg_watch_begin(s, err);
}

tain_status tain_pg_start(tain_source *base, const tain_position *position, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    uint64_t from;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    TAIN_TRY(tain_pg_lsn_of(position, &from, err));
    if (s->stream && s->stream->untouched && s->stream->decoder.position == from && tain_pg_connected(&s->stream->conn)) return TAIN_OK;
    tain_pg_stream_stop(s);
    s->streamed = true;
    TAIN_TRY(tain_pg_catalog_read(s, err));
    TAIN_TRY(check_slot(s, from, err));
    new_stream(s, from);
    tain_status status = begin_tables(s, from, err);
    if (status == TAIN_OK) status = start_replication(s, err);
    if (status == TAIN_OK) return status;
    tain_pg_stream_stop(s);
    return explain(s, status, err);
}

/* --- telling the server how far we are ----------------------------------------------------------------------------- */

static void put64(uint8_t **p, uint64_t v)
{
    tain_pg_store64(*p, v);
    *p += 8;
}

/* A status that does not fit into the socket now is sent again soon. */
static tain_status send_status(tain_pg_source *s, bool ask, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    uint8_t message[34] = {'r'}, *p = message + 1;
    tain_time now = tain_monotonic();
    put64(&p, st->received);
    put64(&p, s->confirmed);
    put64(&p, s->confirmed);
    put64(&p, (uint64_t)(tain_now() - tain_pg_time(0)));
    *p = ask;
    int sent = PQputCopyData(st->conn.pg, (const char *)message, sizeof message);
    if (sent < 0 || PQflush(st->conn.pg) < 0) return tain_pg_fail(&st->conn, NULL, err);
    st->next_status = now + (sent ? STATUS_EVERY : TAIN_SECOND);
    st->told = sent ? s->confirmed : st->told;
    if (ask && sent) st->asked = now;
    return TAIN_OK;
}

void tain_pg_stream_keep_alive(tain_pg_source *s)
{
    if (s->stream && tain_pg_connected(&s->stream->conn) && tain_monotonic() >= s->stream->next_status) (void)!send_status(s, false, NULL);
}

tain_status tain_pg_confirm(tain_source *base, const tain_position *position, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    uint64_t lsn;
    TAIN_TRY(tain_pg_lsn_of(position, &lsn, err));
    if (lsn > s->confirmed) s->confirmed = lsn;
    if (!s->stream || !tain_pg_connected(&s->stream->conn) || s->stream->told == s->confirmed) return TAIN_OK;
    if (send_status(s, false, NULL) != TAIN_OK) return TAIN_OK; /* poll will say what is wrong */
    return TAIN_OK;
}

/* --- receiving ----------------------------------------------------------------------------------------------------- */

/* A server that stops wants an answer, and the next one as soon as it has it, until what it sent is confirmed. It cannot
 * be kept from stopping by a lake that is slow. */
static tain_status on_ping(tain_pg_source *s, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    tain_time now = tain_monotonic();
    bool again = now - st->pinged < PING_GAP;
    st->pinged = now;
    if (!again) {
        st->stopping = now;
        return send_status(s, false, err);
    }
    if (now - st->stopping > LET_GO_AFTER)
        return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s is stopping before what it sent is in the lake: it is sent again later", s->target.where);
    if (st->next_status > now + PING_PAUSE) st->next_status = now + PING_PAUSE;
    return TAIN_OK;
}

/* 'k' end of log, time, reply wanted */
static tain_status on_keepalive(tain_pg_source *s, tain_sink *sink, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    uint64_t end = tain_pg_u64(b), time = tain_pg_u64(b);
    bool reply = tain_pg_u8(b) != 0;
    if (b->bad) return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s: a keepalive is too short", s->target.where);
    st->stuck = end == st->stuck_at ? st->stuck + 1 : 0;
    st->stuck_at = end;
    if (end > st->received) st->received = end;
    if (reply) TAIN_TRY(on_ping(s, err));
    if (!tain_pg_decoder_between(&st->decoder) || end <= st->decoder.position) return TAIN_OK;
    st->ask_pause = ASK_FIRST;
    return tain_pg_decoder_end(&st->decoder, end, time, err);
}

/* 'w' start, end of log, time, message */
static tain_status on_data(tain_pg_source *s, tain_pg_bytes *b, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    uint64_t start = tain_pg_u64(b);
    tain_pg_take(b, 16);
    if (b->bad) return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s: a message of the log is too short", s->target.where);
    if (start > st->received) st->received = start;
    st->stuck = 0;
    return tain_pg_decoder_message(&st->decoder, b->at, tain_pg_left(b), err);
}

static tain_status on_message(tain_pg_source *s, tain_sink *sink, const char *data, size_t n, tain_error *err)
{
    tain_pg_bytes b = tain_pg_bytes_of(data, n);
    s->stream->untouched = false;
    switch (tain_pg_u8(&b)) {
    case 'w': return on_data(s, &b, err);
    case 'k': return on_keepalive(s, sink, &b, err);
    default: return tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s: unknown replication message", s->target.where);
    }
}

/* Where somebody waits for the stream to be: 0, or what it has passed: nobody does. */
static uint64_t goal(const tain_pg_source *s)
{
    const tain_pg_stream *st = s->stream;
    return st->due && st->due_until > s->head ? st->due_until : s->head;
}

static bool is_behind(const tain_pg_source *s) { return goal(s) > s->stream->decoder.position; }

void tain_pg_stream_hurry(tain_pg_source *s) { s->stream->ask_pause = ASK_FIRST; }

/* The log's flushed end may lie inside a record of a transaction that is still open; nothing then moves it until somebody
 * commits. A commit of our own, that writes nothing else, does. */
static void nudge(tain_pg_source *s)
{
    if (s->stream->stuck < STUCK_AFTER || !is_behind(s) || s->nudged == goal(s)) return;
    s->nudged = goal(s);
    if (tain_pg_catalog_conn(s, NULL) == TAIN_OK) (void)!tain_pg_run(&s->conn, NULL, "SELECT pg_current_xact_id()");
}

static tain_status ask_if_due(tain_pg_source *s, tain_error *err)
{
    tain_pg_stream *st = s->stream;
    tain_time now = tain_monotonic();
    bool behind = is_behind(s);
    if (!tain_pg_decoder_between(&st->decoder)) return now >= st->next_status ? send_status(s, false, err) : TAIN_OK;
    if (now >= st->asked + (behind ? st->ask_pause : IDLE_EVERY)) {
        nudge(s);
        st->ask_pause = st->ask_pause * 2 > ASK_MOST ? ASK_MOST : st->ask_pause * 2;
        return send_status(s, true, err);
    }
    return now >= st->next_status ? send_status(s, false, err) : TAIN_OK;
}

static tain_time wake_at(const tain_pg_source *s, tain_time deadline)
{
    const tain_pg_stream *st = s->stream;
    bool between = tain_pg_decoder_between(&st->decoder), behind = is_behind(s);
    tain_time next = st->next_status, ask = st->asked + (behind ? st->ask_pause : IDLE_EVERY);
    if (between && deadline < next) next = deadline;
    if (between && ask < next) next = ask;
    if (between && st->next_look < next) next = st->next_look;
    return next;
}

/* The server writes every message by itself. In the middle of a transaction the next ones are on their way, and taking
 * a handful at once costs both sides less than being woken for each. */
static void let_gather(const tain_pg_source *s)
{
    struct pollfd wake = {.fd = s->target.wake, .events = POLLIN};
    (void)!ppoll(&wake, 1, &(struct timespec){.tv_nsec = GATHER_NS}, NULL);
}

static tain_status wait_more(tain_pg_source *s, tain_time deadline, tain_error *err)
{
    tain_beat_turn(&s->base.beat);
    TAIN_TRY(ask_if_due(s, err));
    if (!tain_pg_decoder_between(&s->stream->decoder)) let_gather(s);
    tain_status waited = tain_pg_wait(&s->stream->conn, false, wake_at(s, deadline), err);
    return waited == TAIN_E_BUSY ? TAIN_OK : waited;
}

static tain_status begin_again(tain_pg_source *s, tain_error *err)
{
    tain_position at;
    tain_pg_position(s->stream->decoder.position, &at);
    tain_pg_stream_stop(s);
    return tain_pg_start(&s->base, &at, err);
}

/* What is done between two transactions. */
static tain_status between(tain_pg_source *s, tain_sink *sink, tain_time now, tain_error *err)
{
    if (s->stream->restart) TAIN_TRY(begin_again(s, err));
    s->stream->decoder.sink = sink;
    if (now >= s->stream->next_status) TAIN_TRY(send_status(s, false, err));
    return now >= s->stream->next_look ? tain_pg_watch(s, err) : TAIN_OK;
}

static tain_status receive(tain_pg_source *s, tain_sink *sink, tain_pg_copied *ret_what, tain_error *err)
{
    char *data = NULL;
    size_t n = 0;
    tain_status got = tain_pg_copy_next(&s->stream->conn, false, &data, &n, ret_what, err);
    if (got != TAIN_OK) return explain(s, got, err);
    if (*ret_what == TAIN_PG_COPY_END) return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s ended the stream", s->target.where);
    if (*ret_what == TAIN_PG_COPY_NONE) return TAIN_OK;
    tain_status status = on_message(s, sink, data, n, err);
    PQfreemem(data);
    if (n >= TAIN_PG_GIANT && sink->relieve) sink->relieve(sink);
    return status;
}

static tain_status follow(tain_pg_source *s, tain_sink *sink, tain_time deadline, tain_error *err)
{
    tain_pg_copied what;
    bool looked = false;
    for (unsigned messages = 1;; messages++) {
        if (tain_pg_decoder_between(&s->stream->decoder)) {
            tain_time now = tain_monotonic();
            if (looked && now >= deadline) return TAIN_OK;
            TAIN_TRY(between(s, sink, now, err));
        } else if (messages % 4096 == 0) {
            tain_beat_turn(&s->base.beat);
            tain_pg_stream_keep_alive(s);
        }
        TAIN_TRY(receive(s, sink, &what, err));
        looked = true;
        if (what == TAIN_PG_COPY_NONE) TAIN_TRY(wait_more(s, deadline, err));
    }
}

tain_status tain_pg_poll(tain_source *base, tain_sink *sink, tain_time deadline, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    if (!s->stream) return tain_fail(err, TAIN_E_UNAVAILABLE, "PostgreSQL at %s: the stream is not started", s->target.where);
    tain_status status = follow(s, sink, deadline, err);
    if (status == TAIN_E_CANCELLED) (void)!tain_pg_target_check(&s->target, NULL);
    else if (status != TAIN_OK) tain_pg_stream_stop(s);
    return status;
}

tain_status tain_pg_confirmed(tain_source *base, tain_position *ret, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_slot slot;
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    *ret = (tain_position){0};
    if (slot.there && !slot.lost[0] && s->server.has_publication) tain_pg_position(slot.confirmed, ret);
    return TAIN_OK;
}

tain_status tain_pg_head(tain_source *base, tain_position *ret, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    TAIN_TRY(tain_pg_log_end(s, &s->head, err));
    if (s->stream) { /* who asks wants to come there soon, with all that belongs to it */
        s->head = goal(s);
        tain_pg_stream_hurry(s);
        s->stream->next_look = 0;
    }
    tain_pg_position(s->head, ret);
    return TAIN_OK;
}

int tain_pg_wait_fd(tain_source *base)
{
    tain_pg_source *s = (tain_pg_source *)base;
    return s->stream && tain_pg_connected(&s->stream->conn) ? PQsocket(s->stream->conn.pg) : -1;
}
