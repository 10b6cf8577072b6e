/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <stdlib.h>
#include <time.h>

#include "lake/lake.h"
#include "verify/compare.h"

#define LOOK_EVERY      TAIN_SECOND
#define WAIT_FOR_MIRROR (20 * TAIN_SECOND) /* so long without any epoch */
enum {
    PASSES = 4,           /* of a table that moves: sums, then three times the same difference */
    GROUP_ROWS = 4 << 20, /* of tables that share a snapshot while the mirror runs: it goes on behind it */
};

typedef struct verify {
    tain_definition    *definition;
    tain_source        *source;
    tain_lake          *lake;
    tain_source_table **tables;
    tain_verify_table  *results;
    size_t              count;
    tain_reader        *readers[TAIN_COMPARE_JOBS];
    bool                behind; /* the mirror has not come to the snapshot's position */
    tain_waiting        waiting;
    void (*say)(const char *line);
    void (*progress)(void *ctx, const char *table, int64_t rows);
    void               *progress_ctx;
} verify;

static tain_source *_Atomic running;

bool tain_verify_stop(void)
{
    tain_source *source = atomic_load(&running);
    tain_source_cancel(source);
    return source != NULL;
}

void tain_verify_result_done(tain_verify_result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->tables[i].name);
        tain_buffer_done(&r->tables[i].samples);
    }
    free(r->tables);
    *r = (tain_verify_result){0};
}

static bool is_refused(const verify *v, size_t i)
{
    return v->tables[i]->verdict == TAIN_VERDICT_ERROR;
}

/* --- one snapshot -------------------------------------------------------------------------------------------------- */

/* Until the source can give a content, which may need others to end something first. */
static tain_status await(verify *v, tain_error *err)
{
    const tain_source_ops *ops = v->source->ops;
    for (bool ready = !ops->snapshot_ready; !ready;) {
        tain_waiting why = {0};
        TAIN_TRY(ops->snapshot_ready(v->source, tain_monotonic() + LOOK_EVERY, &ready, &why, err));
        TAIN_AUTO(tain_free) char *line = why.reason[0] ? tain_waiting_take(&v->waiting, &why) : NULL;
        if (line && v->say) v->say(line);
    }
    return TAIN_OK;
}

/* A running mirror gets the time to reach the position at which the source is read, as long as it comes nearer. */
static tain_status wait_for_mirror(verify *v, const tain_position *position, tain_error *err)
{
    tain_time until = tain_monotonic() + WAIT_FOR_MIRROR;
    struct timespec step = {.tv_nsec = 50 * 1000 * 1000};
    int64_t newest = -1;
    v->behind = false;
    while (tain_lake_is_locked(v->lake)) {
        tain_epoch last;
        TAIN_TRY(tain_lake_last_epoch(v->lake, &last, err));
        if (tain_position_compare(&last.position, position) >= 0) return TAIN_OK;
        if (last.number > newest) until = tain_monotonic() + WAIT_FOR_MIRROR;
        newest = last.number;
        v->behind = tain_monotonic() >= until;
        if (v->behind) return TAIN_OK;
        nanosleep(&step, NULL);
    }
    return TAIN_OK;
}

static tain_status end_snapshot(verify *v, tain_status st, tain_error *err)
{
    for (size_t i = 0; i < TAIN_COMPARE_JOBS; i++) {
        if (v->readers[i]) v->source->ops->reader_close(v->readers[i]);
        v->readers[i] = NULL;
    }
    tain_status ended = v->source->ops->snapshot_end(v->source, st == TAIN_OK ? err : NULL);
    return st == TAIN_OK ? ended : st;
}

static tain_status begin_snapshot(verify *v, size_t first, size_t n, tain_error *err)
{
    tain_position position;
    TAIN_TRY(await(v, err));
    TAIN_TRY(v->source->ops->snapshot_begin(v->source, v->tables + first, n, &position, err));
    tain_status st = wait_for_mirror(v, &position, err);
    return st == TAIN_OK ? TAIN_OK : end_snapshot(v, st, err);
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

static tain_compare new_compare(verify *v, size_t i)
{
    int jobs = v->definition->jobs < TAIN_COMPARE_JOBS ? v->definition->jobs : TAIN_COMPARE_JOBS;
    return (tain_compare){.source = v->source, .readers = v->readers, .jobs = jobs > 1 ? jobs : 1, .table = v->tables[i], .result = &v->results[i],
                          .progress = v->progress, .progress_ctx = v->progress_ctx};
}

static bool is_tables_own(const tain_compare *c, tain_status st)
{
    return c->lake_failed || st == TAIN_E_PERMISSION || tain_status_is_local(st);
}

static void note_failure(tain_verify_table *r, bool in_lake, const tain_error *e)
{
    r->compared = r->equal = false;
    r->failed = true;
    snprintf(r->reason, sizeof r->reason, "its %s cannot be read: %.900s", in_lake ? "mirror" : "content in the source", e->message);
    TAIN_AUTO(tain_free) char *resync = tain_source_option("--resync", r->name);
    if (in_lake && !e->remedy[0]) snprintf(r->remedy, sizeof r->remedy, "reload it: tain mirror ... %s", resync);
    else snprintf(r->remedy, sizeof r->remedy, "%s", tain_error_advice(e));
}

/* The passes that one snapshot is good for: when nothing moves the second one has the last word. */
static tain_status run_passes(tain_compare *c, tain_delta *delta, bool last, bool still, tain_error *err)
{
    TAIN_TRY(tain_compare_pass(c, delta, last, err));
    if (!still || c->result->equal || !c->result->compared) return TAIN_OK;
    return tain_compare_pass(c, delta, true, err);
}

static tain_status compare_table(verify *v, tain_compare *c, bool last, bool still, tain_error *err)
{
    tain_verify_table *r = c->result;
    TAIN_AUTO(tain_free) char *folder = tain_lake_table_folder(c->table->schema, c->table->name);
    tain_store *store = tain_store_sub(tain_lake_store(v->lake), folder);
    tain_delta *delta = NULL;
    tain_error e = {0};
    c->lake_failed = true;
    r->failed = false;
    r->remedy[0] = 0;
    tain_status st = tain_delta_open(store, &delta, &e);
    if (st == TAIN_OK) {
        c->lake_failed = false;
        st = run_passes(c, delta, last, still, &e);
    }
    tain_delta_close(delta);
    tain_store_close(store);
    if (st == TAIN_OK) return TAIN_OK;
    if (st == TAIN_E_NOT_FOUND && !delta) {
        snprintf(r->reason, sizeof r->reason, "there is no mirror of it in the lake");
        return TAIN_OK;
    }
    if (is_tables_own(c, st)) {
        note_failure(r, c->lake_failed, &e);
        return TAIN_OK;
    }
    if (err) *err = e;
    tain_error_context(err, "table %s", r->name);
    return st;
}

/* While the mirror runs: a snapshot a pass, until nothing has differed all the time. */
static tain_status settle_table(verify *v, size_t i, tain_error *err)
{
    tain_compare c = new_compare(v, i);
    tain_status st = TAIN_OK;
    for (int k = 1; k <= PASSES && st == TAIN_OK; k++) {
        st = begin_snapshot(v, i, 1, err);
        if (st != TAIN_OK) break;
        st = end_snapshot(v, compare_table(v, &c, k == PASSES, false, err), err);
        if (v->results[i].equal) break;
    }
    tain_compare_done(&c);
    tain_verify_table *r = &v->results[i];
    size_t n = strlen(r->reason);
    if (v->behind && r->compared && !r->equal) snprintf(r->reason + n, sizeof r->reason - n, "; the mirror is behind the source");
    return st;
}

/* --- all tables ---------------------------------------------------------------------------------------------------- */

static tain_status compare_group(verify *v, size_t first, size_t n, bool still, tain_error *err)
{
    TAIN_TRY(begin_snapshot(v, first, n, err));
    tain_status st = TAIN_OK;
    for (size_t i = first; i < first + n && st == TAIN_OK; i++) {
        if (is_refused(v, i)) continue;
        tain_compare c = new_compare(v, i);
        st = compare_table(v, &c, false, still, err);
        tain_compare_done(&c);
    }
    return end_snapshot(v, st, err);
}

static size_t group_size(const verify *v, size_t first)
{
    int64_t rows = 0;
    size_t n = 0;
    while (first + n < v->count && rows < GROUP_ROWS) {
        int64_t estimate = v->tables[first + n++]->rows_estimate;
        rows += estimate > 0 ? estimate : 0;
    }
    return n;
}

static tain_status compare_all(verify *v, tain_error *err)
{
    for (size_t first = 0, n; first < v->count; first += n) {
        bool still = !tain_lake_is_locked(v->lake);
        n = still ? v->count - first : group_size(v, first);
        TAIN_TRY(compare_group(v, first, n, still, err));
        if (still && !tain_lake_is_locked(v->lake)) continue; /* nothing moved: a difference is a difference */
        for (size_t i = first; i < first + n; i++)
            if (!is_refused(v, i) && !v->results[i].equal) TAIN_TRY(settle_table(v, i, err));
    }
    return TAIN_OK;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void list_tables(verify *v, const tain_catalog *catalog)
{
    v->tables = tain_alloc((catalog->count + 1) * sizeof *v->tables);
    v->results = tain_alloc((catalog->count + 1) * sizeof *v->results);
    for (size_t i = 0; i < catalog->count; i++) {
        tain_source_table *t = catalog->tables[i];
        v->tables[i] = t;
        v->results[i].name = tain_source_full_name(t->schema, t->name);
        if (t->verdict == TAIN_VERDICT_ERROR)
            snprintf(v->results[i].reason, sizeof v->results[i].reason, "not mirrored: %s", t->finding_count ? t->findings[0].message : "");
    }
    v->count = catalog->count;
}

static tain_status run(verify *v, tain_error *err)
{
    tain_catalog catalog;
    tain_finding *findings = NULL;
    size_t n = 0;
    TAIN_TRY(v->source->ops->describe(v->source, &catalog, &findings, &n, err));
    tain_findings_free(findings, n);
    list_tables(v, &catalog);
    if (!v->count) return tain_fail(err, TAIN_E_NOT_FOUND, "no table is selected: nothing was compared");
    return compare_all(v, err);
}

static tain_verify_result sum_up(const verify *v)
{
    tain_verify_result r = {.tables = v->results, .count = v->count, .equal = true};
    for (size_t i = 0; i < v->count; i++) {
        r.equal &= v->results[i].equal || is_refused(v, i);
        r.failed |= v->results[i].failed;
    }
    return r;
}

tain_status tain_verify_run(tain_definition *d, void (*say)(const char *), void (*progress)(void *, const char *, int64_t), void *ctx, tain_verify_result *ret,
                            tain_error *err)
{
    verify v = {.definition = d, .say = say, .progress = progress, .progress_ctx = ctx};
    TAIN_TRY(tain_lake_open(d->lake_url, false, &v.lake, err));
    tain_status st = tain_definition_load(d, tain_lake_store(v.lake), err);
    if (st == TAIN_E_NOT_FOUND) st = tain_fail(err, TAIN_E_NOT_FOUND, "%s is not a mirror: it has no mirroring.json", d->lake_url);
    tain_source_options so = tain_definition_source_options(d, d->poll.on ? tain_lake_cache_dir(v.lake) : "/tmp");
    if (st == TAIN_OK) st = tain_source_open(&so, &v.source, err);
    atomic_store(&running, v.source);
    if (st == TAIN_OK) st = run(&v, err);
    atomic_store(&running, NULL);
    *ret = sum_up(&v);
    if (st != TAIN_OK) tain_verify_result_done(ret);
    free(v.tables);
    tain_source_close(v.source);
    tain_lake_close(v.lake);
    return st;
}
