/* SPDX-License-Identifier: MIT */
/* Which transactions a reading of the catalog shows. One is in the log, and comes through the stream, before anybody sees what it
 * did: for a moment, or for as long as it waits for a synchronous standby. The catalog can be behind the stream, too. */
#include "source/postgres/stream.h"

#include <stdlib.h>

#define PATIENCE TAIN_SECOND
#define PAUSE    TAIN_MILLISECOND

uint64_t tain_pg_shown_below(const char *snapshot) { return snapshot ? strtoull(snapshot, NULL, 10) : 0; }

bool tain_pg_is_visible(const char *snapshot, uint64_t xid)
{
    char *at;
    if (!snapshot) return false;
    uint64_t xmin = strtoull(snapshot, &at, 10);
    uint64_t xmax = *at == ':' ? strtoull(at + 1, &at, 10) : 0;
    if (xid < xmin) return true;
    if (xid >= xmax) return false;
    while (*at == ':' || *at == ',')
        if (strtoull(at + 1, &at, 10) == xid) return false;
    return true;
}

/* Of one that is not far from what the snapshot has, the number that never comes again. */
static uint64_t whole_xid(const char *snapshot, uint32_t xid)
{
    uint64_t near = tain_pg_shown_below(snapshot);
    return near + (uint64_t)(int64_t)(int32_t)(xid - (uint32_t)near);
}

/* All that is asked in one transaction waits once: it may be waiting for us. */
static tain_time patience(tain_pg_stream *st)
{
    if (st->awaited != st->decoder.xid) st->awaited_until = tain_monotonic() + PATIENCE;
    st->awaited = st->decoder.xid;
    return st->awaited_until;
}

tain_status tain_pg_catalog_abreast(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, uint64_t *ret_unseen, tain_error *err)
{
    for (tain_time until = patience(s->stream);;) {
        TAIN_TRY(tain_pg_catalog_now(s, t, ret, err));
        uint64_t xid = whole_xid(ret->as_of, s->stream->decoder.xid);
        *ret_unseen = !ret->there || tain_pg_is_visible(ret->as_of, xid) ? 0 : xid;
        if (!*ret_unseen || tain_monotonic() >= until) return TAIN_OK;
        tain_pg_now_done(ret);
        tain_status waited = tain_pg_wait(&s->conn, false, tain_monotonic() + PAUSE, err);
        if (waited != TAIN_OK && waited != TAIN_E_BUSY) return waited;
    }
}
