/* SPDX-License-Identifier: MIT */
/* Transactions in progress: one spool each, of records [uint32 size][message]. */
#include "source/postgres/pgoutput.h"

enum { REPLAY_BYTES = 256 << 10, LEAST_SHARE = 64 << 10 };

static tain_pg_streamed *find(tain_pg_decoder *d, uint32_t xid)
{
    for (size_t i = 0; i < d->streamed_count; i++)
        if (d->streamed[i].xid == xid) return &d->streamed[i];
    return NULL;
}

/* Half of what the others have not taken, so that there is something left for the next one. */
static size_t share(const tain_pg_decoder *d)
{
    int64_t left = d->memory;
    for (size_t i = 0; i < d->streamed_count; i++) left -= (int64_t)tain_spool_memory(d->streamed[i].spool);
    return left / 2 > LEAST_SHARE ? (size_t)(left / 2) : LEAST_SHARE;
}

static void add(tain_pg_decoder *d, uint32_t xid)
{
    if (d->streamed_count == d->streamed_capacity)
        d->streamed = tain_realloc(d->streamed, (d->streamed_capacity = d->streamed_capacity * 2 + 4) * sizeof *d->streamed);
    tain_spool *spool = tain_spool_new(d->spool_dir, share(d));
    d->streamed[d->streamed_count++] = (tain_pg_streamed){.xid = xid, .spool = spool};
}

static void release(tain_pg_streamed *t)
{
    tain_spool_free(t->spool);
    tain_free(t->subs);
    tain_free(t->aborted);
}

static void drop(tain_pg_decoder *d, tain_pg_streamed *t)
{
    release(t);
    *t = d->streamed[--d->streamed_count];
}

void tain_pg_streamed_done(tain_pg_decoder *d)
{
    while (d->streamed_count) drop(d, &d->streamed[0]);
    tain_free(d->streamed);
    d->streamed = NULL;
    d->streamed_capacity = 0;
}

/* 'S' xid first */
tain_status tain_pg_streamed_begin(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint32_t xid = tain_pg_u32(b);
    bool first = tain_pg_u8(b) == 1;
    if (b->bad || xid == 0 || d->open || d->streaming) return tain_fail(err, TAIN_E_PROTOCOL, "a streamed transaction begins out of place");
    tain_pg_streamed *t = find(d, xid);
    if (first && t) drop(d, t), t = NULL;
    if (!first && !t) return tain_fail(err, TAIN_E_PROTOCOL, "streamed transaction %u goes on without having begun", xid);
    if (!t) add(d, xid);
    d->streaming = xid;
    return TAIN_OK;
}

/* One that is older than the last is there, or is its parent and ends with it: xids of subtransactions rise as they nest. */
static void note_sub(tain_pg_streamed *t, uint32_t xid)
{
    if (xid == t->xid) return;
    if (t->sub_count && (int32_t)(xid - t->subs[t->sub_count - 1].xid) <= 0) return;
    if (t->sub_count == t->sub_capacity) t->subs = tain_realloc(t->subs, (t->sub_capacity = t->sub_capacity * 2 + 16) * sizeof *t->subs);
    t->subs[t->sub_count++] = (tain_pg_sub){xid, tain_spool_size(t->spool)};
}

tain_status tain_pg_streamed_keep(tain_pg_decoder *d, const uint8_t *data, size_t n, tain_error *err)
{
    tain_pg_streamed *t = find(d, d->streaming);
    if (!t || n < 5 || n > UINT32_MAX) return tain_fail(err, TAIN_E_PROTOCOL, "a message of a streamed transaction is too short");
    note_sub(t, tain_pg_load32(data + 1));
    uint32_t size = (uint32_t)n;
    TAIN_TRY(tain_spool_append(t->spool, &size, sizeof size, err));
    return tain_spool_append(t->spool, data, n, err);
}

/* Gives the whole records in [p, p + n) and says how many bytes they had. */
static tain_status replay_part(tain_pg_decoder *d, const uint8_t *p, size_t n, size_t *ret, tain_error *err)
{
    size_t at = 0;
    for (uint32_t size; n - at >= sizeof size; at += sizeof size + size) {
        memcpy(&size, p + at, sizeof size);
        if (n - at - sizeof size < size) break;
        TAIN_TRY(tain_pg_decoder_change(d, p + at + sizeof size, size, true, err));
    }
    *ret = at;
    return TAIN_OK;
}

static size_t record_bytes(const uint8_t *p)
{
    uint32_t size;
    memcpy(&size, p, sizeof size);
    return sizeof size + (size_t)size;
}

static void relieve(tain_pg_decoder *d, tain_buffer *part)
{
    tain_buffer_done(part);
    if (d->sink->relieve) d->sink->relieve(d->sink);
}

static tain_status replay(tain_pg_decoder *d, tain_spool *spool, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer part = {0};
    uint64_t size = tain_spool_size(spool);
    size_t want = REPLAY_BYTES;
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < want ? (size_t)(size - at) : want, used;
        TAIN_TRY(tain_spool_read(spool, at, tain_buffer_reserve(&part, n), n, err));
        TAIN_TRY(replay_part(d, part.data, n, &used, err));
        if (used >= TAIN_PG_GIANT) relieve(d, &part);
        if (d->tick) d->tick(d->ctx);
        if (used == 0 && n == size - at) return tain_fail(err, TAIN_E_INTERNAL, "the spool of a transaction is damaged");
        want = used ? REPLAY_BYTES : record_bytes(part.data); /* one record is larger than that */
        at += used;
    }
    return TAIN_OK;
}

/* 'c' xid flags commit end time */
tain_status tain_pg_streamed_commit(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint32_t xid = tain_pg_u32(b);
    tain_pg_u8(b);
    tain_pg_u64(b);
    uint64_t end = tain_pg_u64(b), time = tain_pg_u64(b);
    tain_pg_streamed *t = find(d, xid);
    if (b->bad || !t || d->open || d->streaming) return tain_fail(err, TAIN_E_PROTOCOL, "streamed transaction %u ends without having begun", xid);
    tain_pg_streamed whole = *t;
    *t = (tain_pg_streamed){.spool = tain_spool_new(d->spool_dir, LEAST_SHARE)};
    drop(d, t);
    d->open = true;
    d->xid = xid;
    d->time = time;
    d->at = end;
    d->replayed = &whole;
    tain_status status = replay(d, whole.spool, err);
    d->replayed = NULL;
    release(&whole);
    TAIN_TRY(status);
    return tain_pg_decoder_end(d, end, time, err);
}

/* 'A' xid subxid */
tain_status tain_pg_streamed_abort(tain_pg_decoder *d, tain_pg_bytes *b, tain_error *err)
{
    uint32_t xid = tain_pg_u32(b), sub = tain_pg_u32(b);
    tain_pg_streamed *t = find(d, xid);
    if (b->bad || d->streaming) return tain_fail(err, TAIN_E_PROTOCOL, "streamed transaction %u is given up out of place", xid);
    if (!t) return TAIN_OK;
    if (xid == sub) {
        drop(d, t);
        return TAIN_OK;
    }
    t->aborted = tain_realloc(t->aborted, (t->aborted_count + 1) * sizeof *t->aborted);
    t->aborted[t->aborted_count++] = sub;
    for (size_t i = t->sub_count; i > 0 && (int32_t)(t->subs[i - 1].xid - sub) >= 0; i--) {
        if (t->subs[i - 1].xid != sub) continue;
        t->sub_count = i - 1;
        return tain_spool_truncate(t->spool, t->subs[i - 1].offset, err);
    }
    return TAIN_OK;
}
