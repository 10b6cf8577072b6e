/* SPDX-License-Identifier: MIT */
#include "mirror/verify.h"

#include <stdlib.h>
#include <time.h>

#include "base/map.h"
#include "mirror/compare.h"
#include "mirror/lake.h"

#define WAIT_FOR_MIRROR (20 * TAIN_SECOND)
enum { TRIES = 3 };

typedef struct verify {
    tain_definition    *definition;
    tain_source        *source;
    tain_lake          *lake;
    tain_source_table **tables;
    tain_verify_table  *results;
    size_t              count;
    void (*progress)(void *ctx, const char *table, int64_t rows);
    void               *progress_ctx;
} verify;

void tain_verify_result_done(tain_verify_result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->tables[i].name);
        tain_buffer_done(&r->tables[i].samples);
    }
    free(r->tables);
    *r = (tain_verify_result){0};
}

/* A running mirror gets the time to reach the position at which the source is read. */
static tain_status wait_for_mirror(verify *v, const tain_position *position, tain_error *err)
{
    tain_time until = tain_monotonic() + WAIT_FOR_MIRROR;
    struct timespec step = {.tv_nsec = 50 * 1000 * 1000};
    while (tain_lake_is_locked(v->lake) && tain_monotonic() < until) {
        tain_epoch last;
        TAIN_TRY(tain_lake_last_epoch(v->lake, &last, err));
        if (tain_position_compare(&last.position, position) >= 0) break;
        nanosleep(&step, NULL);
    }
    return TAIN_OK;
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

static tain_status compare_table(verify *v, tain_reader *reader, size_t i, tain_error *err)
{
    tain_verify_table *r = &v->results[i];
    tain_source_table *t = v->tables[i];
    char *folder = tain_lake_table_folder(t->schema, t->name);
    tain_store *store = tain_store_sub(tain_lake_store(v->lake), folder);
    TAIN_AUTO(tain_delta_close) tain_delta *delta = NULL;
    tain_status st = tain_delta_open(store, &delta, err);
    tain_buffer_clear(&r->samples);
    if (st == TAIN_E_NOT_FOUND) {
        snprintf(r->reason, sizeof r->reason, "there is no mirror of it in the lake");
        st = TAIN_OK;
    } else if (st == TAIN_OK) {
        tain_compare c = {.source = v->source, .reader = reader, .table = t, .store = store, .delta = delta, .result = r,
                          .progress = v->progress, .progress_ctx = v->progress_ctx};
        st = tain_compare_table(&c, err);
    }
    if (st != TAIN_OK) tain_error_context(err, "table %s", r->name);
    tain_delta_close(delta);
    delta = NULL;
    tain_store_close(store);
    free(folder);
    return st;
}

static tain_status compare_unequal(verify *v, tain_error *err)
{
    tain_reader *reader;
    TAIN_TRY(v->source->ops->reader_open(v->source, &reader, err));
    tain_status st = TAIN_OK;
    for (size_t i = 0; i < v->count && st == TAIN_OK; i++)
        if (!v->results[i].equal && v->tables[i]->verdict != TAIN_VERDICT_ERROR) st = compare_table(v, reader, i, err);
    v->source->ops->reader_close(reader);
    return st;
}

static bool all_equal(const verify *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (!v->results[i].equal && v->tables[i]->verdict != TAIN_VERDICT_ERROR) return false;
    return true;
}

static tain_status one_try(verify *v, tain_error *err)
{
    tain_position position;
    TAIN_TRY(v->source->ops->snapshot_begin(v->source, v->tables, v->count, &position, err));
    tain_status st = wait_for_mirror(v, &position, err);
    if (st == TAIN_OK) st = compare_unequal(v, err);
    tain_status ended = v->source->ops->snapshot_end(v->source, st == TAIN_OK ? err : NULL);
    return st == TAIN_OK ? ended : st;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void list_tables(verify *v, const tain_catalog *catalog)
{
    v->tables = tain_alloc((catalog->count + 1) * sizeof *v->tables);
    v->results = tain_alloc((catalog->count + 1) * sizeof *v->results);
    for (size_t i = 0; i < catalog->count; i++) {
        tain_source_table *t = catalog->tables[i];
        v->tables[i] = t;
        v->results[i].name = tain_format("%s.%s", t->schema, t->name);
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
    for (int i = 0; i < TRIES && !all_equal(v); i++) {
        TAIN_TRY(one_try(v, err));
        if (!tain_lake_is_locked(v->lake)) break; /* nothing moves: a difference is a difference */
    }
    return TAIN_OK;
}

tain_status tain_verify_run(tain_definition *d, void (*progress)(void *, const char *, int64_t), void *ctx, tain_verify_result *ret, tain_error *err)
{
    verify v = {.definition = d, .progress = progress, .progress_ctx = ctx};
    TAIN_TRY(tain_lake_open(d->lake_url, false, &v.lake, err));
    tain_status st = tain_definition_load(d, tain_lake_store(v.lake), err);
    if (st == TAIN_E_NOT_FOUND) st = tain_fail(err, TAIN_E_NOT_FOUND, "%s is not a mirror: it has no mirroring.json", d->lake_url);
    tain_source_options so = tain_definition_source_options(d, d->poll_capture ? tain_lake_cache_dir(v.lake) : "/tmp");
    if (st == TAIN_OK) st = tain_source_open(&so, &v.source, err);
    if (st == TAIN_OK) st = run(&v, err);
    *ret = (tain_verify_result){.tables = v.results, .count = v.count, .equal = st == TAIN_OK && all_equal(&v)};
    if (st != TAIN_OK) tain_verify_result_done(ret);
    free(v.tables);
    tain_source_close(v.source);
    tain_lake_close(v.lake);
    return st;
}
