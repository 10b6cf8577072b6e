/* SPDX-License-Identifier: MIT */
#include "mirror/history/prune.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/text.h"
#include "maintain/rewrite.h"

#define LOCATION "(__tain_file << 32 | __tain_row)"

typedef struct input {
    tain_delta_file        *file; /* of the still */
    char                   *local;
    const roaring_bitmap_t *deleted;
    roaring_bitmap_t       *goes; /* rows; NULL: none */
} input;

struct tain_prune {
    tain_delta       *still;
    tain_store       *folder;
    tain_prune_options options;
    uint32_t          newest;
    input            *inputs;
    size_t            input_count;
    tain_position     horizon; /* "": there is nothing to forget */
    tain_time         horizon_time;
    tain_rewrite    **rewrites;
    size_t            rewrite_count;
    pthread_mutex_t   lock;
    /* guarded by lock */
    tain_scan        *scan;    /* NULL: nothing is being looked for */
    tain_rewrite     *current; /* NULL: nothing is being written */
    bool              halted;
};

/* --- beginning and ending ------------------------------------------------------------------------------------------ */

tain_prune *tain_prune_begin(tain_delta *history, tain_store *folder, const tain_prune_options *o)
{
    tain_delta_file *f;
    tain_prune *n = tain_alloc(sizeof *n);
    *n = (tain_prune){.still = tain_delta_still(history), .folder = folder, .options = *o};
    pthread_mutex_init(&n->lock, NULL);
    for (size_t cursor = 0; tain_delta_next_file(history, &cursor, &f);)
        if (f->ordinal > n->newest) n->newest = f->ordinal;
    return n;
}

uint32_t tain_prune_newest(const tain_prune *n)
{
    return n->newest;
}

void tain_prune_free(tain_prune *n)
{
    if (!n) return;
    for (size_t i = 0; i < n->input_count; i++) {
        free(n->inputs[i].local);
        if (n->inputs[i].goes) roaring_bitmap_free(n->inputs[i].goes);
    }
    for (size_t i = 0; i < n->rewrite_count; i++) tain_rewrite_free(n->rewrites[i]);
    tain_delta_close(n->still);
    pthread_mutex_destroy(&n->lock);
    free(n->inputs);
    free(n->rewrites);
    free(n->options.spill);
    free(n);
}

void tain_prune_halt(tain_prune *n)
{
    pthread_mutex_lock(&n->lock);
    n->halted = true;
    if (n->scan) tain_scan_halt(n->scan);
    if (n->current) tain_rewrite_halt(n->current);
    pthread_mutex_unlock(&n->lock);
}

/* What halt reaches from here on. */
static tain_status expose(tain_prune *n, tain_scan *scan, tain_rewrite *current, tain_error *err)
{
    pthread_mutex_lock(&n->lock);
    n->scan = scan;
    n->current = current;
    bool halted = n->halted;
    pthread_mutex_unlock(&n->lock);
    return halted ? tain_fail(err, TAIN_E_CANCELLED, "halted") : TAIN_OK;
}

/* --- which rows go ------------------------------------------------------------------------------------------------- */

/* As the scan wants them: those without deletions first. */
static int by_deletions(const void *a, const void *b)
{
    const input *x = a, *y = b;
    return (x->deleted != NULL) - (y->deleted != NULL);
}

static tain_status note_inputs(tain_prune *n, tain_error *err)
{
    tain_delta_file *f;
    n->inputs = tain_alloc((tain_delta_file_count(n->still) + 1) * sizeof *n->inputs);
    for (size_t cursor = 0; tain_delta_next_file(n->still, &cursor, &f);) {
        input *in = &n->inputs[n->input_count++];
        *in = (input){.file = f, .local = tain_delta_file_local_path(n->still, f)};
        if (!in->local) return tain_fail(err, TAIN_E_UNSUPPORTED, "data file %s is not on this machine", f->path);
        TAIN_TRY(tain_delta_deleted(n->still, f, &in->deleted, err));
    }
    qsort(n->inputs, n->input_count, sizeof *n->inputs, by_deletions);
    return TAIN_OK;
}

static tain_status attach(const tain_prune *n, tain_scan *scan, tain_error *err)
{
    TAIN_AUTO(tain_schema_free) tain_schema *columns = tain_history_numbered(tain_delta_meta(n->still)->schema);
    tain_scan_file *files = tain_alloc((n->input_count + 1) * sizeof *files);
    for (size_t i = 0; i < n->input_count; i++) files[i] = (tain_scan_file){.path = n->inputs[i].local, .deleted = n->inputs[i].deleted};
    tain_status st = tain_scan_add_located(scan, "main", "t", columns, files, n->input_count, err);
    free(files);
    return st;
}

/* Nothing up to there is younger than may be forgotten. Times of transactions are not in the order of their positions. */
static tain_status find_horizon(tain_prune *n, tain_scan *scan, tain_error *err)
{
    char cutoff[40];
    tain_time_iso(n->options.before, 6, cutoff);
    TAIN_AUTO(tain_free) char *old = tain_format("FROM main.t WHERE __tain_commit_time <= '%s'::TIMESTAMPTZ AND __tain_position < (SELECT coalesce(min(__tain_position), '~') "
                                                 "FROM main.t WHERE __tain_commit_time > '%s'::TIMESTAMPTZ)", cutoff, cutoff);
    TAIN_AUTO(tain_free) char *which = tain_format("SELECT max(__tain_position) %s", old), *when = tain_format("SELECT epoch_us(max(__tain_commit_time)) %s", old);
    TAIN_AUTO(tain_free) char *position = NULL, *time = NULL;
    TAIN_TRY(tain_scan_ask(scan, which, &position, err));
    TAIN_TRY(tain_scan_ask(scan, when, &time, err));
    json_t *known = tain_history_horizon(tain_delta_meta(n->still)->configuration);
    bool later = strcmp(position, tain_json_get_str(known, "at", "")) > 0;
    if (later) snprintf(n->horizon.text, sizeof n->horizon.text, "%s", position);
    n->horizon_time = strtoll(time, NULL, 10);
    json_decref(known);
    return TAIN_OK;
}

static void mark(input *in, uint32_t row, bool goes)
{
    if (goes && !in->goes) in->goes = roaring_bitmap_create();
    if (goes) roaring_bitmap_add(in->goes, row);
    else if (in->goes) roaring_bitmap_remove(in->goes, row);
}

/* A query whose only column is a LOCATION: those rows go, or stay after all. */
static tain_status mark_rows(tain_prune *n, tain_scan *scan, const char *sql, bool goes, tain_error *err)
{
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    TAIN_AUTO(tain_schema_free) tain_schema *columns = tain_schema_new();
    tain_batch b;
    size_t rows = 1;
    TAIN_TRY(expose(n, scan, NULL, err));
    TAIN_TRY(tain_scan_query(scan, sql, &result, err));
    tain_schema_add(columns, "at", tain_type_of(TAIN_INT64));
    tain_batch_init(&b, columns);
    tain_status st = TAIN_OK;
    while (st == TAIN_OK && rows) {
        tain_batch_clear(&b);
        st = tain_result_next(result, &b, &rows, err);
        const int64_t *at = (const int64_t *)b.columns[0].values.data;
        for (size_t i = 0; st == TAIN_OK && i < rows; i++) mark(&n->inputs[at[i] >> 32], (uint32_t)at[i], goes);
    }
    tain_batch_done(&b);
    return st;
}

/* Of each key the newest version, unless that took the row away. */
static void select_keyed(tain_buffer *sql, const tain_schema *s, const char *within, const json_t *key)
{
    tain_buffer_append_str(sql, "SELECT kept FROM (SELECT arg_max(CASE WHEN __tain_operation IN ('delete', 'key_delete') THEN -1 ELSE " LOCATION
                                " END, __tain_order) AS kept FROM main.t ");
    tain_buffer_printf(sql, "WHERE %s GROUP BY ", within);
    tain_history_list_columns(sql, s, key);
    tain_buffer_append_str(sql, ") WHERE kept >= 0");
}

/* Of equal rows the last so many as are left. */
static void select_multiset(tain_buffer *sql, const tain_schema *s, const char *within, const json_t *columns)
{
    tain_buffer_append_str(sql, "SELECT place FROM (SELECT " LOCATION " AS place, went, row_number() OVER (same ORDER BY went, __tain_order) AS number, "
                                "count(*) FILTER (WHERE went) OVER same AS gone FROM (SELECT *, __tain_operation = 'delete' AS went FROM main.t ");
    tain_buffer_printf(sql, "WHERE %s) WINDOW same AS (PARTITION BY ", within);
    tain_history_list_columns(sql, s, columns);
    tain_buffer_append_str(sql, ")) WHERE NOT went AND number > gone");
}

static tain_status keep_state(tain_prune *n, tain_scan *scan, const char *within, tain_error *err)
{
    const tain_delta_metadata *meta = tain_delta_meta(n->still);
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    json_t *shapes = json_loads(tain_json_get_str(meta->configuration, TAIN_HISTORY_SHAPES, "[]"), 0, NULL);
    const json_t *shape = tain_history_shape_at(shapes, n->horizon.text), *key = json_object_get(shape, "key");
    if (json_array_size(key)) select_keyed(&sql, meta->schema, within, key);
    else select_multiset(&sql, meta->schema, within, json_object_get(shape, "columns"));
    tain_status st = shape ? TAIN_OK : tain_fail(err, TAIN_E_CORRUPT, "property " TAIN_HISTORY_SHAPES " does not tell the columns at %s", n->horizon.text);
    json_decref(shapes);
    return st == TAIN_OK ? mark_rows(n, scan, tain_buffer_cstr(&sql), false, err) : st;
}

/* The last of those by which all before are void stays. */
static tain_status find_rows(tain_prune *n, tain_scan *scan, tain_error *err)
{
    TAIN_AUTO(tain_free) char *within = NULL;
    TAIN_TRY(tain_history_within(scan, "main.t", n->horizon.text, &within, err));
    TAIN_AUTO(tain_free) char *old = tain_format("SELECT " LOCATION " FROM main.t WHERE __tain_position <= '%s' AND (__tain_operation NOT IN ('reload', 'truncate') OR __tain_order < "
                                                 "(SELECT max(__tain_order) FROM main.t WHERE __tain_operation IN ('reload', 'truncate') AND __tain_position <= '%s'))",
                                                 n->horizon.text, n->horizon.text);
    TAIN_TRY(mark_rows(n, scan, old, true, err));
    return keep_state(n, scan, within, err);
}

static tain_status find(tain_prune *n, tain_error *err)
{
    TAIN_AUTO(tain_scan_close) tain_scan *scan = NULL;
    TAIN_TRY(note_inputs(n, err));
    TAIN_TRY(tain_scan_open(&(tain_scan_options){.memory = n->options.memory, .threads = 1, .temp_dir = n->options.spill}, &scan, err));
    tain_status st = expose(n, scan, NULL, err);
    if (st == TAIN_OK) st = attach(n, scan, err);
    if (st == TAIN_OK) st = find_horizon(n, scan, err);
    if (st == TAIN_OK && n->horizon.text[0]) st = find_rows(n, scan, err);
    tain_status halted = expose(n, NULL, NULL, err);
    return st == TAIN_OK ? halted : st;
}

/* --- the new files ------------------------------------------------------------------------------------------------- */

static bool loses(const input *in)
{
    return in->goes && !roaring_bitmap_is_empty(in->goes);
}

/* Bytes that will be left of it, about. */
static int64_t rest_of(const input *in)
{
    int64_t goes = (int64_t)roaring_bitmap_get_cardinality(in->goes), rows = in->file->rows;
    return rows > goes ? in->file->size / rows * (rows - goes) : 0;
}

static tain_status rewrite(tain_prune *n, tain_delta_file **files, input *const *of, size_t count, tain_error *err)
{
    tain_rewrite *r;
    TAIN_TRY(tain_rewrite_begin(n->still, n->folder, files, count, NULL, &r, err));
    n->rewrites = tain_realloc(n->rewrites, (n->rewrite_count + 1) * sizeof(tain_rewrite *));
    n->rewrites[n->rewrite_count++] = r;
    tain_rewrite_limit(r, &n->options.files);
    for (size_t i = 0; i < count; i++) tain_rewrite_drop(r, i, of[i]->goes);
    tain_status st = expose(n, NULL, r, err);
    if (st == TAIN_OK) st = tain_rewrite_run(r, err);
    tain_status halted = expose(n, NULL, NULL, err);
    return st == TAIN_OK ? halted : st;
}

/* What is left of several goes into one file, as long as that is not larger than upkeep makes them. */
static tain_status rewrite_all(tain_prune *n, tain_error *err)
{
    int64_t bytes = 0, full = tain_rewrite_full_size(n->still);
    size_t count = 0;
    tain_status st = TAIN_OK;
    tain_delta_file **files = tain_alloc((n->input_count + 1) * sizeof *files);
    input **of = tain_alloc((n->input_count + 1) * sizeof(input *));
    for (size_t i = 0; st == TAIN_OK && i < n->input_count; i++) {
        input *in = &n->inputs[i];
        if (!loses(in)) continue;
        bytes += rest_of(in);
        files[count] = in->file;
        of[count++] = in;
        if (bytes < full) continue;
        st = rewrite(n, files, of, count, err);
        bytes = 0;
        count = 0;
    }
    if (st == TAIN_OK && count) st = rewrite(n, files, of, count, err);
    free(files);
    free(of);
    return st;
}

tain_status tain_prune_run(tain_prune *n, tain_error *err)
{
    TAIN_TRY(find(n, err));
    TAIN_TRY(rewrite_all(n, err));
    if (n->rewrite_count) tain_fault(TAIN_FAULT_PRUNE_WRITTEN);
    return TAIN_OK;
}

/* --- the commit ---------------------------------------------------------------------------------------------------- */

typedef struct forgetting {
    tain_delta_file **adds, **removes;
    size_t            add_count, remove_count;
    roaring_bitmap_t *moved; /* what is added was there */
} forgetting;

static tain_status gather_removes(const tain_prune *n, tain_delta *history, forgetting *g, tain_error *err)
{
    for (size_t i = 0; i < n->input_count; i++) {
        const input *in = &n->inputs[i];
        if (!loses(in)) continue;
        tain_delta_file *f = tain_delta_find(history, in->file->path);
        if (!f || f->since != in->file->since) return tain_fail(err, TAIN_E_CONFLICT, "%s was changed by another program", in->file->path);
        g->removes[g->remove_count++] = f;
    }
    return TAIN_OK;
}

static tain_status gather_adds(const tain_prune *n, forgetting *g, tain_error *err)
{
    const uint64_t *hashes;
    size_t rows;
    for (size_t i = 0; i < n->rewrite_count; i++) {
        tain_delta_file *f = tain_rewrite_output(n->rewrites[i], &hashes, &rows);
        TAIN_TRY(tain_rewrite_look(n->rewrites[i], err));
        if (!f) continue;
        roaring_bitmap_add(g->moved, f->ordinal);
        g->adds[g->add_count++] = f;
    }
    return TAIN_OK;
}

/* To a change data feed a file that is removed loses all its rows, and gets those back that it adds. */
static tain_status commit(const tain_prune *n, tain_delta *history, const forgetting *g, tain_error *err)
{
    json_t *horizon = json_pack("{s:s,s:I}", "at", n->horizon.text, "time", (json_int_t)n->horizon_time);
    char *text = json_dumps(horizon, JSON_COMPACT);
    json_t *configuration = json_pack("{s:s}", TAIN_HISTORY_HORIZON, text), *parameters = json_pack("{s:s}", "predicate", "[\"superseded\"]");
    const tain_delta_commit c = {
        .operation = "DELETE", .parameters = parameters, .configuration = configuration, .adds = g->adds, .add_count = g->add_count, .removes = g->removes,
        .remove_count = g->remove_count, .data_change = true, .moved = tain_delta_has_feed(history) ? NULL : g->moved,
    };
    tain_status st = tain_delta_commit_write(history, &c, err);
    bool offered = st == TAIN_OK || st == TAIN_E_UNKNOWN;
    for (size_t i = 0; offered && i < n->rewrite_count; i++) tain_rewrite_offered(n->rewrites[i], st == TAIN_OK);
    json_decref(horizon);
    json_decref(configuration);
    json_decref(parameters);
    free(text);
    return st;
}

tain_status tain_prune_finish(tain_prune *n, tain_delta *history, tain_error *err)
{
    if (!n->rewrite_count) return TAIN_OK;
    forgetting g = {
        .adds = tain_alloc((n->rewrite_count + 1) * sizeof *g.adds), .removes = tain_alloc((n->input_count + 1) * sizeof *g.removes), .moved = roaring_bitmap_create(),
    };
    tain_status st = gather_removes(n, history, &g, err);
    if (st == TAIN_OK) st = gather_adds(n, &g, err);
    if (st == TAIN_OK) st = commit(n, history, &g, err);
    if (st == TAIN_OK) tain_fault(TAIN_FAULT_PRUNE_COMMITTED);
    free(g.adds);
    free(g.removes);
    roaring_bitmap_free(g.moved);
    return st;
}
