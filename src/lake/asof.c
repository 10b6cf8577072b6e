/* SPDX-License-Identifier: MIT */
#include "lake/asof.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/text.h"

struct tain_asof {
    int64_t  epoch;
    tain_map then;          /* full name -> version + 1 */
    tain_map later, newest; /* the same, first and last listed since */
    json_t  *apart;
};

void tain_asof_free(tain_asof *a)
{
    if (!a) return;
    tain_map_done(&a->then);
    tain_map_done(&a->later);
    tain_map_done(&a->newest);
    json_decref(a->apart);
    free(a);
}

/* --- which epoch --------------------------------------------------------------------------------------------------- */

typedef struct search {
    tain_time  before;         /* an epoch's transactions were committed by then; 0: by number */
    int64_t    number;
    int64_t    oldest, newest; /* there are; 0: none */
    tain_time  began;          /* of the oldest */
    tain_asof *found;          /* as of the newest so far that is it; epoch 0: none */
} search;

static tain_time time_of(const json_t *record)
{
    tain_time at = tain_time_from_iso(tain_json_get_str(record, "source_commit_time", ""));
    return at ? at : tain_time_from_iso(tain_json_get_str(record, "committed_at", ""));
}

/* Seconds and fraction, or the time of day, may be left out. */
tain_time tain_asof_time(const char *text)
{
    static const char *const rests[] = {"", "Z", ":00Z", "T00:00:00Z"};
    TAIN_AUTO(tain_free) char *base = tain_strdup(text);
    char *gap = strchr(base, ' ');
    if (gap) *gap = 'T';
    tain_time at = 0;
    for (size_t i = 0; i < sizeof rests / sizeof *rests && !at; i++) {
        TAIN_AUTO(tain_free) char *whole = tain_format("%s%s", base, rests[i]);
        at = tain_time_from_iso(whole);
    }
    return at;
}

static tain_status parse(const char *when, search *s, tain_error *err)
{
    char *end;
    errno = 0;
    s->number = isdigit((unsigned char)*when) ? strtoll(when, &end, 10) : 0;
    if (isdigit((unsigned char)*when) && !*end && errno == 0) return TAIN_OK;
    s->number = 0;
    s->before = tain_asof_time(when);
    if (s->before) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "\"%s\" is neither the number of an epoch nor a time", when);
    tain_error_remedy(err, "write a time as 2026-11-21T18:00:00Z");
    return st;
}

static tain_status missing(const search *s, const char *when, tain_error *err)
{
    char began[40] = "";
    if (!s->oldest) return tain_fail(err, TAIN_E_NOT_FOUND, "the lake has no epoch yet");
    tain_time_iso(s->began, 6, began);
    bool early = s->before || s->number < s->oldest;
    tain_status st = early ? tain_fail(err, TAIN_E_GONE, "what the lake was at %s is not known: its epochs are kept from %lld (%s) on", when, (long long)s->oldest, began)
                           : tain_fail(err, TAIN_E_NOT_FOUND, "the lake has no epoch %s: it has %lld to %lld", when, (long long)s->oldest, (long long)s->newest);
    tain_error_remedy(err, "name a later time, or an epoch from %lld to %lld", (long long)s->oldest, (long long)s->newest);
    return st;
}

/* --- which versions ------------------------------------------------------------------------------------------------ */

static void note_version(tain_asof *a, const char *name, int64_t version)
{
    void *value = (void *)(intptr_t)(version + 1);
    tain_map_put(&a->newest, name, value);
    if (!tain_map_get(&a->later, name)) tain_map_put(&a->later, name, value);
}

/* All that was listed by now is part of the state that is looked for. */
static void come_to(tain_asof *a, int64_t epoch, const json_t *record)
{
    const char *name;
    void *version;
    for (size_t cursor = 0; tain_map_next(&a->newest, &cursor, &name, &version);) tain_map_put(&a->then, name, version);
    tain_map_done(&a->newest);
    tain_map_done(&a->later);
    json_decref(a->apart);
    a->apart = json_incref(json_object_get(record, "apart"));
    a->epoch = epoch;
}

/* A record that was folded while they were listed comes twice. */
static tain_status take(void *ctx, const json_t *record, tain_error *err)
{
    search *s = ctx;
    const char *name;
    json_t *table;
    int64_t n = tain_json_get_int(record, "epoch", 0);
    if (n <= s->newest) return TAIN_OK;
    s->newest = n;
    tain_time at = time_of(record);
    if (!s->oldest) s->began = at;
    if (!s->oldest) s->oldest = n;
    json_object_foreach(json_object_get(record, "tables"), name, table) note_version(s->found, name, tain_json_get_int(table, "version", 0));
    if (s->before ? at <= s->before : n == s->number) come_to(s->found, n, record);
    return TAIN_OK;
}

tain_status tain_asof_find(tain_lake *l, const char *when, tain_asof **ret, tain_error *err)
{
    search s = {0};
    TAIN_TRY(parse(when, &s, err));
    s.found = tain_alloc(sizeof *s.found);
    tain_status st = tain_lake_each_epoch(l, take, &s, err);
    if (st == TAIN_OK && !s.found->epoch) st = missing(&s, when, err);
    if (st == TAIN_OK) *ret = s.found;
    else tain_asof_free(s.found);
    return st;
}

int64_t tain_asof_version(const tain_asof *a, const char *full)
{
    intptr_t then = (intptr_t)tain_map_get(&a->then, full), later = (intptr_t)tain_map_get(&a->later, full);
    if (then) return then - 1;
    return later ? later - 2 : INT64_MAX;
}

int64_t tain_asof_epoch(const tain_asof *a)
{
    return a->epoch;
}

const json_t *tain_asof_apart(const tain_asof *a)
{
    return a->apart;
}
