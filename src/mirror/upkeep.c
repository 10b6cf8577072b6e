/* SPDX-License-Identifier: MIT */
#include "mirror/upkeep.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mirror/apply/apply.h"
#include "mirror/copyonwrite.h"
#include "mirror/history/history.h"
#include "mirror/history/prune.h"
#include "maintain/presence.h"
#include "maintain/retention.h"
#include "mirror/shape/uphold.h"

#define VACUUM_EVERY     (3600 * TAIN_SECOND)
#define LEAST_RETENTION  (3600 * TAIN_SECOND)
#define LEAST_PRUNE      TAIN_SECOND
#define REST             (3 * TAIN_SECOND) /* beyond the time in which commits would follow each other */
#define LATE             (2 * TAIN_SECOND) /* it is looked so often also where nothing is due */
#define INHERITED_BYTES  (256 << 20)       /* of files with vectors, found at start, that it may write anew at most */

enum { NICE = 10 /* upkeep takes what capture leaves */, IDLE_STEPS = 20 /* without a commit, some of the index: it gets no further */,
       PRUNE_SHARE = 8 /* of its retention, as divisor: so much longer a history knows what it may forget */, PRUNE_REST = 10 /* times what it took */ };

/* One Delta table that is kept up. */
typedef struct subject {
    tain_mirror  *mirror;
    tain_table   *table;
    tain_history *history; /* NULL: the table itself */
} subject;

/* What is live, as an index merge sees it from its own thread: a copy, which may be behind (dead entries kept do no harm).
 * Files that came later are not in it; whatever the merge reads is older. */
typedef struct live_file {
    uint32_t          ordinal;
    roaring_bitmap_t *deleted; /* owned; NULL: none */
} live_file;

typedef struct live_set { /* ascending by ordinal */
    live_file *files;
    size_t     count;
} live_set;

typedef struct tain_upkeep_job {
    subject           of;
    int               lane;
    tain_rewrite     *rewrite; /* either ... */
    tain_index_part  *part;    /* of the file it makes */
    bool              indexed; /* part is made */
    tain_index_merge *merge;   /* ... or ... */
    live_set          live;
    tain_prune        *prune;   /* ... or ... */
    tain_time         took;
    tain_delta       *still;   /* ... or a checkpoint of it, or a vacuum */
    bool              cleans, vacuums;
    tain_status       status;
    tain_error        error;
    bool              outdated; /* the table is another meanwhile */
    atomic_bool       done;
} tain_upkeep_job;

static subject itself(tain_mirror *m, tain_table *t)
{
    return (subject){.mirror = m, .table = t};
}

static subject its_history(tain_mirror *m, tain_table *t)
{
    return (subject){.mirror = m, .table = t, .history = t->history};
}

static tain_delta *delta_of(const subject *s)
{
    return s->history ? s->history->delta : s->table->delta;
}

static tain_store *store_of(const subject *s)
{
    return s->history ? s->history->store : s->table->store;
}

static tain_tended *tended_of(const subject *s)
{
    return s->history ? &s->history->tended : &s->table->tended;
}

static const char *name_of(const subject *s)
{
    return s->history ? s->history->name : s->table->name;
}

/* Only then anything is begun. */
static bool is_followed(const subject *s)
{
    return delta_of(s) && s->table->status == TAIN_TABLE_REPLICATING && !(s->history && s->history->stale);
}

/* --- what is live -------------------------------------------------------------------------------------------------- */

static int by_ordinal(const void *a, const void *b)
{
    uint32_t x = ((const live_file *)a)->ordinal, y = ((const live_file *)b)->ordinal;
    return x < y ? -1 : x > y;
}

static void live_set_take(live_set *s, tain_table *t)
{
    tain_delta_file *f;
    s->files = tain_alloc((tain_delta_file_count(t->delta) + 1) * sizeof *s->files);
    for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);) {
        const roaring_bitmap_t *deleted = NULL;
        live_file *to = &s->files[s->count++];
        *to = (live_file){.ordinal = f->ordinal};
        if (tain_delta_deleted(t->delta, f, &deleted, NULL) == TAIN_OK && deleted) to->deleted = roaring_bitmap_copy(deleted);
    }
    qsort(s->files, s->count, sizeof *s->files, by_ordinal);
}

static void live_set_done(live_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i].deleted) roaring_bitmap_free(s->files[i].deleted);
    free(s->files);
}

static bool is_live(void *ctx, tain_location at)
{
    const live_set *s = ctx;
    const live_file *f = bsearch(&(live_file){.ordinal = at.file}, s->files, s->count, sizeof *s->files, by_ordinal);
    return f && !(f->deleted && roaring_bitmap_contains(f->deleted, at.row));
}

static uint32_t deleted_rows(void *ctx, uint32_t file)
{
    const live_set *s = ctx;
    const live_file *f = bsearch(&(live_file){.ordinal = file}, s->files, s->count, sizeof *s->files, by_ordinal);
    if (!f) return UINT32_MAX;
    return f->deleted ? (uint32_t)roaring_bitmap_get_cardinality(f->deleted) : 0;
}

/* --- the upkeep threads -------------------------------------------------------------------------------------------- */

/* As long as the table says by now; what is being written is younger than the least. */
static tain_status vacuum(tain_delta *still, tain_error *err)
{
    tain_vacuum_result r;
    int64_t foreign;
    TAIN_TRY(tain_delta_refresh(still, &foreign, err));
    tain_time retention = tain_delta_retention(still);
    return tain_delta_vacuum(still, retention > LEAST_RETENTION ? retention : LEAST_RETENTION, false, &r, err);
}

static tain_status look_after_log(tain_upkeep_job *job, tain_error *err)
{
    if (job->vacuums) return vacuum(job->still, err);
    TAIN_TRY(tain_delta_checkpoint(job->still, err));
    return job->cleans ? tain_delta_clean_log(job->still, err) : TAIN_OK;
}

static tain_status rewrite(tain_upkeep_job *job, tain_error *err)
{
    TAIN_TRY(tain_rewrite_run(job->rewrite, err));
    if (job->part) job->indexed = tain_rewrite_index(job->rewrite, job->of.table->index, job->part);
    return TAIN_OK;
}

static tain_status prune(tain_upkeep_job *job, tain_error *err)
{
    tain_time began = tain_monotonic();
    tain_status st = tain_prune_run(job->prune, err);
    job->took = tain_monotonic() - began;
    return st;
}

static tain_status run(tain_upkeep_job *job, tain_error *err)
{
    if (job->prune) return prune(job, err);
    if (job->merge) return tain_index_merge_run(job->merge, is_live, &job->live, err);
    return job->still ? look_after_log(job, err) : rewrite(job, err);
}

static void *lane_main(void *ctx)
{
    tain_lane *lane = ctx;
    tain_mirror *m = lane->mirror;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread alone */
    for (tain_upkeep_job *job; (job = tain_queue_pop(lane->jobs, INT64_MAX));) {
        job->status = run(job, &job->error);
        pthread_mutex_lock(&m->lock);
        atomic_store(&job->done, true);
        pthread_cond_broadcast(&m->changed);
        pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

tain_status tain_upkeep_start(tain_mirror *m, tain_error *err)
{
    for (int i = 0; i < TAIN_LANES; i++) {
        tain_lane *lane = &m->lanes[i];
        *lane = (tain_lane){.mirror = m, .jobs = tain_queue_new(64)};
        if (pthread_create(&lane->thread, NULL, lane_main, lane) != 0) return tain_fail_errno(err, "cannot start an upkeep thread");
        lane->runs = true;
    }
    return TAIN_OK;
}

static void job_free(tain_upkeep_job *job)
{
    if (job->merge) tain_index_merge_abort(job->of.table->index, job->merge);
    if (job->part) tain_index_part_abort(job->part);
    tain_rewrite_free(job->rewrite);
    tain_prune_free(job->prune);
    tain_delta_close(job->still);
    live_set_done(&job->live);
    tended_of(&job->of)->jobs[job->lane] = NULL;
    free(job);
}

/* Nobody wants what it makes any more. */
static void halt(tain_upkeep_job *job)
{
    if (job->rewrite) tain_rewrite_halt(job->rewrite);
    if (job->merge) tain_index_merge_halt(job->merge);
    if (job->prune) tain_prune_halt(job->prune);
}

static void wait_for(tain_mirror *m, tain_upkeep_job *job)
{
    pthread_mutex_lock(&m->lock);
    while (!atomic_load(&job->done)) pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void each_of(const tain_tended *t, void (*what)(tain_upkeep_job *))
{
    for (int i = 0; i < TAIN_LANES; i++)
        if (t->jobs[i]) what(t->jobs[i]);
}

static void forget(tain_upkeep_job *job)
{
    wait_for(job->of.mirror, job);
    job_free(job);
}

void tain_upkeep_forget(tain_mirror *m, tain_table *t)
{
    each_of(&t->tended, halt);
    if (t->history) each_of(&t->history->tended, halt);
    each_of(&t->tended, forget);
    if (t->history) each_of(&t->history->tended, forget);
}

static void outdate(tain_upkeep_job *job)
{
    if (!job->rewrite) return;
    job->outdated = true;
    halt(job);
}

void tain_upkeep_outdate(tain_table *t)
{
    each_of(&t->tended, outdate);
}

static void each_job(tain_mirror *m, int lane, void (*what)(tain_upkeep_job *))
{
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        if (t->tended.jobs[lane]) what(t->tended.jobs[lane]);
        if (t->history && t->history->tended.jobs[lane]) what(t->history->tended.jobs[lane]);
    }
}

static void stop_lane(tain_mirror *m, int lane)
{
    tain_lane *l = &m->lanes[lane];
    each_job(m, lane, halt);
    tain_queue_close(l->jobs);
    pthread_join(l->thread, NULL);
    each_job(m, lane, job_free);
    tain_queue_free(l->jobs);
    *l = (tain_lane){0};
}

void tain_upkeep_stop(tain_mirror *m)
{
    for (int i = 0; i < TAIN_LANES; i++)
        if (m->lanes[i].runs) stop_lane(m, i);
}

/* --- finishing ----------------------------------------------------------------------------------------------------- */

/* Commits by another writer were taken in on the way. */
static void follow_others(const subject *s, int64_t commits)
{
    tain_error e = {0};
    if (!s->history && tain_table_follow_others(s->table, commits, &e) != TAIN_OK) tain_mirror_fail_table(s->mirror, s->table, &e);
}

static bool is_damage(const tain_error *e)
{
    return e->code == TAIN_E_NOT_FOUND || e->code == TAIN_E_CORRUPT;
}

static bool reads_live_files(const subject *s, const tain_rewrite *r)
{
    size_t n = 0;
    const uint32_t *inputs = r && !s->history ? tain_rewrite_inputs(r, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (!tain_ordinals_get(&s->table->files, inputs[i])) return false;
    return true;
}

/* A file that cannot be read may have been replaced by another writer, and removed then; otherwise the table is damaged. It can go
 * on where its history is. r: which was to read it; NULL: it was picked just now. */
static void fail_rewrite(const subject *s, const tain_rewrite *r, const tain_error *why)
{
    tain_error e = *why;
    int64_t foreign = 0;
    bool damaged = is_damage(why);
    if (damaged && tain_delta_refresh(delta_of(s), &foreign, NULL) == TAIN_OK && (foreign || !reads_live_files(s, r))) {
        follow_others(s, foreign);
        damaged = is_followed(s) && tain_presence_check(delta_of(s), store_of(s), &e) != TAIN_OK;
    }
    if (damaged && !s->history) tain_mirror_fail_table(s->mirror, s->table, &e);
    else if (is_followed(s)) tain_mirror_say(s->mirror, "%s: upkeep was given up for now: %s", name_of(s), why->message);
}

/* What is refused once is refused until somebody changes the table, and upkeep would try for ever. */
static void give_up(const subject *s, const char *what, const tain_error *e)
{
    if (e->code == TAIN_E_UNSUPPORTED) tain_mirror_fail_table(s->mirror, s->table, e);
    else tain_mirror_say(s->mirror, "%s: %s was given up for now: %s", name_of(s), what, e->message);
}

static tain_status index_rewritten(tain_table *t, tain_upkeep_job *job, const tain_delta_file *file, const uint64_t *hashes, size_t rows)
{
    if (!hashes && !job->indexed) return tain_table_feed_file(t, file, NULL);
    if (!job->indexed || tain_rewrite_is_thinned(job->rewrite)) return tain_index_add(t->index, file->ordinal, 0, hashes, rows, NULL);
    tain_index_part *part = job->part;
    job->part = NULL;
    return tain_index_part_finish(t->index, part, file->ordinal, NULL);
}

/* The table's index and what it knows of its files go along with a merge that is committed. */
static void take_over(tain_table *t, tain_upkeep_job *job, tain_delta_file *file, const uint64_t *hashes, size_t rows)
{
    size_t n;
    const uint32_t *inputs = tain_rewrite_inputs(job->rewrite, &n);
    for (size_t i = 0; i < n; i++) tain_ordinals_remove(&t->files, inputs[i]);
    if (!file) return;
    tain_ordinals_put(&t->files, file);
    tain_index_name_file(t->index, file->path, file->ordinal);
    if (index_rewritten(t, job, file, hashes, rows) != TAIN_OK) tain_table_warn(t, "index_not_written", NULL, 1);
}

static bool finish_rewrite(const subject *s, tain_upkeep_job *job)
{
    tain_delta_file *file = NULL;
    const uint64_t *hashes;
    size_t rows;
    tain_error e = {0};
    int64_t before = tain_delta_version(delta_of(s));
    if (tain_rewrite_finish(job->rewrite, &file, &hashes, &rows, &e) != TAIN_OK) {
        follow_others(s, tain_delta_version(delta_of(s)) - before);
        if (is_damage(&e)) fail_rewrite(s, job->rewrite, &e);
        else give_up(s, "merging small files", &e);
        return false;
    }
    if (!s->history) take_over(s->table, job, file, hashes, rows);
    int64_t came = tain_delta_version(delta_of(s)) - before;
    follow_others(s, came ? came - 1 : 0);
    return true;
}

static void finish_merge(tain_table *t, tain_upkeep_job *job)
{
    if (tain_index_merge_finish(t->index, job->merge, &job->error) != TAIN_OK) tain_table_warn(t, "index_not_written", NULL, 1);
    job->merge = NULL;
}

static void finish_still(const subject *s, tain_upkeep_job *job)
{
    tain_delta_take_checkpoint(delta_of(s), job->still);
    if (job->status == TAIN_E_CORRUPT) tain_mirror_fail_table(s->mirror, s->table, &job->error);
    else if (job->status != TAIN_OK) give_up(s, job->vacuums ? "vacuum" : "checkpoint", &job->error);
}

/* Where it takes long it is done less often. */
static bool finish_prune(const subject *s, tain_upkeep_job *job)
{
    tain_time rest = tain_monotonic() + PRUNE_REST * job->took;
    if (rest > s->history->next_prune) s->history->next_prune = rest;
    if (job->status == TAIN_OK) job->status = tain_prune_finish(job->prune, s->history->delta, &job->error);
    if (job->status != TAIN_OK) give_up(s, "forgetting old versions", &job->error);
    return job->status == TAIN_OK;
}

static bool is_wanted(const tain_upkeep_job *job)
{
    return !job->outdated && is_followed(&job->of);
}

/* False: it came to nothing, and is better not tried again at once. */
static bool finish_wanted(const subject *s, tain_upkeep_job *job)
{
    if (job->still) {
        finish_still(s, job);
        return job->status == TAIN_OK;
    }
    if (job->prune) return finish_prune(s, job);
    if (job->status != TAIN_OK) {
        fail_rewrite(s, job->rewrite, &job->error);
        return false;
    }
    if (job->rewrite) return finish_rewrite(s, job);
    finish_merge(s->table, job);
    return true;
}

static bool finish(const subject *s, tain_upkeep_job *job)
{
    bool fine = !is_wanted(job) || finish_wanted(s, job);
    job_free(job);
    return fine;
}

/* --- beginning ----------------------------------------------------------------------------------------------------- */

/* The hashes of a merged file's rows are to take no more than an eighth of the budget. */
static int64_t rows_at_once(const subject *s)
{
    if (s->history) return INT64_MAX;
    return s->table->compat ? tain_copies_most_rows(s->table) : s->mirror->definition->memory / 8 / TAIN_REWRITE_ROW_BYTES;
}

/* Merging is left to others where they say so by the property that Delta has for it. */
static bool may_rewrite(const tain_delta *d)
{
    const char *said = tain_json_get_str(tain_delta_meta(d)->configuration, "delta.autoOptimize.autoCompact", "true");
    return strcmp(said, "false") != 0;
}

static const tain_upkeep_job *beside(const subject *s, int lane)
{
    return tended_of(s)->jobs[lane == TAIN_LANE_LIGHT ? TAIN_LANE_HEAVY : TAIN_LANE_LIGHT];
}

static bool is_at_rest(const subject *s)
{
    return tended_of(s)->rests_at && tended_of(s)->rests_at <= tain_monotonic();
}

/* A table that is to lose its vectors does so first: one of profile compat whatever it takes, any other when it rests. */
static tain_delta_file **pick_vectors(const subject *s, const tain_rewrite_rule *rule, size_t *ret_count)
{
    tain_rewrite_rule vectors = *rule;
    vectors.spare_bytes = s->table->compat ? INT64_MAX : tain_delta_appended(delta_of(s)) - tended_of(s)->rested;
    bool due = s->table->compat || (is_at_rest(s) && may_rewrite(delta_of(s)));
    return due && rule->what == TAIN_REWRITE_LARGE ? tain_rewrite_pick_vectors(delta_of(s), &vectors, ret_count) : NULL;
}

static tain_delta_file **pick(const subject *s, int lane, size_t *ret_count)
{
    const tain_upkeep_job *other = beside(s, lane);
    const tain_rewrite_rule rule = {.what = lane == TAIN_LANE_LIGHT ? TAIN_REWRITE_SMALL : TAIN_REWRITE_LARGE,
                                    .most_rows = rows_at_once(s), .beside = other ? other->rewrite : NULL,
                                    .from = other && other->prune ? tain_prune_newest(other->prune) + 1 : 0,
                                    .spare_bytes = tain_delta_appended(delta_of(s)) - tended_of(s)->rewritten};
    tain_delta_file **files = pick_vectors(s, &rule, ret_count);
    return files || !may_rewrite(delta_of(s)) ? files : tain_rewrite_pick(delta_of(s), &rule, ret_count);
}

/* One that alone has more rows than hashes are held of is fed to the index afterwards, piece by piece. */
static const tain_key *key_for(const subject *s, tain_delta_file **files, size_t n)
{
    return s->history || (n == 1 && files[0]->rows > rows_at_once(s)) ? NULL : &s->table->key;
}

static int64_t bytes_of(tain_delta_file *const *files, size_t n)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += files[i]->size;
    return bytes;
}

static bool begin_rewrite(const subject *s, tain_upkeep_job *job)
{
    size_t n;
    tain_delta_file **files = pick(s, job->lane, &n);
    if (!files) return false;
    bool begun = tain_rewrite_begin(delta_of(s), store_of(s), files, n, key_for(s, files, n), &job->rewrite, &job->error) == TAIN_OK;
    const tain_parquet_options options = tain_table_file_options(s->table);
    if (begun && is_at_rest(s)) tended_of(s)->rested += bytes_of(files, n);
    else if (begun && n == 1) tended_of(s)->rewritten += bytes_of(files, n);
    if (begun) tain_rewrite_limit(job->rewrite, &options);
    if (begun && s->table->compat) tain_rewrite_thin(job->rewrite);
    if (begun && !s->history) job->part = tain_index_part_begin(s->table->index);
    free(files);
    return begun;
}

static bool begin_merge(tain_table *t, tain_upkeep_job *job)
{
    job->merge = tain_index_merge_begin(t->index, false);
    if (!job->merge) return false;
    live_set_take(&job->live, t);
    tain_index_merge_tell(job->merge, deleted_rows, &job->live);
    return true;
}

/* Files are rewritten with the key index at hand. Its key is told in columns of `schema`, which must be the first of the lake's. */
static bool is_settled(const subject *s)
{
    const tain_table *t = s->table;
    return s->history || (t->index && !t->unindexed && tain_uphold_holds(t));
}

static bool begin_checkpoint(const subject *s, tain_upkeep_job *job)
{
    int64_t hour = tain_now() / (3600 * TAIN_SECOND);
    if (!tain_delta_checkpoint_due(delta_of(s))) return false;
    job->still = tain_delta_still(delta_of(s));
    job->cleans = tended_of(s)->cleaned != hour;
    tended_of(s)->cleaned = hour;
    return true;
}

/* Not at start: first what readers wait for. */
static bool begin_vacuum(const subject *s, tain_upkeep_job *job)
{
    tain_time now = tain_monotonic();
    tain_tended *t = tended_of(s);
    bool first = !t->next_vacuum;
    if (now < t->next_vacuum) return false;
    t->next_vacuum = now + VACUUM_EVERY;
    if (first) return false;
    job->still = tain_delta_still(delta_of(s));
    job->vacuums = true;
    return true;
}

/* --- retention ----------------------------------------------------------------------------------------------------- */

static json_t *retention_of(const subject *s)
{
    const tain_table *t = s->table;
    return s->history ? tain_history_retention(s->history) : tain_retention_properties(tain_delta_meta(t->delta)->configuration, t->retention);
}

/* What was asked for since the table was written last. It is tried once. */
static void keep_retention(const subject *s)
{
    tain_error e = {0};
    if (tended_of(s)->set || !is_followed(s)) return;
    tended_of(s)->set = true;
    json_t *properties = retention_of(s);
    if (!properties) return;
    int64_t before = tain_delta_version(delta_of(s));
    const tain_delta_commit c = {.operation = "SET TBLPROPERTIES", .configuration = properties};
    tain_status st = tain_delta_commit_write(delta_of(s), &c, &e);
    json_decref(properties);
    follow_others(s, tain_delta_version(delta_of(s)) - before - (st == TAIN_OK));
    if (st != TAIN_OK) give_up(s, "setting its retention", &e);
}

static bool is_prune_due(const subject *s)
{
    const tain_history *h = s->history;
    return h && h->retention >= 0 && is_followed(s) && tain_monotonic() >= h->next_prune;
}

/* Whether it knows notably more than it is to know. Without a horizon it knows everything. */
static bool knows_more(const tain_history *h)
{
    const json_t *configuration = tain_delta_meta(h->delta)->configuration;
    json_t *horizon = tain_history_horizon(configuration);
    tain_time since = tain_json_get_int(horizon, "time", 0);
    json_decref(horizon);
    bool appends = strcmp(tain_json_get_str(configuration, TAIN_HISTORY_APPENDS, "false"), "true") == 0;
    return !appends && since + h->retention / PRUNE_SHARE <= tain_now() - h->retention;
}

static tain_time prune_every(const tain_history *h)
{
    return h->retention / PRUNE_SHARE > LEAST_PRUNE ? h->retention / PRUNE_SHARE : LEAST_PRUNE;
}

static void look_at_horizon(const subject *s)
{
    tain_history *h = s->history;
    if (is_prune_due(s) && !knows_more(h)) h->next_prune = tain_monotonic() + prune_every(h);
}

/* All its files are about to be looked at together, so that none may be replaced meanwhile. */
static bool begin_prune(const subject *s, tain_upkeep_job *job)
{
    tain_history *h = s->history;
    if (!is_prune_due(s) || beside(s, job->lane)) return false;
    h->next_prune = tain_monotonic() + prune_every(h);
    job->prune = tain_prune_begin(h->delta, h->store, &(tain_prune_options){
        .before = tain_now() - h->retention, .memory = s->mirror->definition->memory / 4,
        .spill = tain_format("%s/prune", tain_lake_cache_dir(s->mirror->lake)), .files = tain_table_file_options(s->table)});
    return true;
}

/* --- one thing after the other ------------------------------------------------------------------------------------- */

static bool begin_work(const subject *s, tain_upkeep_job *job)
{
    bool light = job->lane == TAIN_LANE_LIGHT, settled = is_settled(s);
    if (light ? begin_checkpoint(s, job) : begin_vacuum(s, job) || begin_prune(s, job)) return true;
    bool waits = is_prune_due(s) && (!light || !beside(s, job->lane));
    if (settled && !waits && begin_rewrite(s, job)) return true;
    if (is_damage(&job->error)) fail_rewrite(s, NULL, &job->error);
    return !light && settled && !s->history && is_followed(s) && begin_merge(s->table, job);
}

static void hand_over(tain_upkeep_job *job)
{
    tended_of(&job->of)->jobs[job->lane] = job;
    if (!tain_queue_try_push(job->of.mirror->lanes[job->lane].jobs, job)) job_free(job);
}

/* Then nothing else is begun. */
static bool is_to_be_lowered(const subject *s)
{
    return !s->history && s->table->compat && is_followed(s) && tain_delta_can_lower(s->table->delta);
}

static bool has_room(const tain_mirror *m, int lane)
{
    return !tain_queue_full(m->lanes[lane].jobs);
}

/* False: whether something is due is not known, since there is much to do: later. */
static bool begin(const subject *s, int lane)
{
    if (tended_of(s)->jobs[lane] || !is_followed(s) || is_to_be_lowered(s)) return true;
    if (!has_room(s->mirror, lane)) return false;
    tain_upkeep_job *job = tain_alloc(sizeof *job);
    *job = (tain_upkeep_job){.of = *s, .lane = lane};
    if (begin_work(s, job)) hand_over(job);
    else free(job);
    return true;
}

static bool is_busy(const subject *s)
{
    return tended_of(s)->jobs[TAIN_LANE_LIGHT] || tended_of(s)->jobs[TAIN_LANE_HEAVY];
}

/* --- profile compat ------------------------------------------------------------------------------------------------ */

/* What the newest commit with a position says of it, NULL: there is none: the log that has it goes. */
static tain_status find_progress(tain_table *t, json_t **ret, tain_error *err)
{
    json_t *newest;
    TAIN_TRY(tain_table_newest_progress(t->delta, &newest, NULL, NULL, err));
    if (newest) *ret = json_pack("{s:o}", "tain", newest);
    return TAIN_OK;
}

/* Once no file has a vector any more: until then readers find the table as it was. */
static void lower(const subject *s)
{
    tain_error e = {0};
    json_t *info = NULL;
    tain_table *t = s->table;
    int64_t before = tain_delta_version(t->delta);
    if (find_progress(t, &info, &e) == TAIN_OK && tain_delta_lower(t->delta, info, &e) == TAIN_OK)
        tain_mirror_say(s->mirror, "%s has no deletion vectors any more, and its versions before %lld are gone", t->name, (long long)before + 1);
    else give_up(s, "taking away its deletion vectors", &e);
    follow_others(s, tain_delta_version(t->delta) - before - !tain_delta_has_vectors(t->delta));
    t->announced = false; /* the version that the last record names may be one of them */
    atomic_store(&s->mirror->unrecorded, true);
    json_decref(info);
}

/* A checkpoint that is being written would be of the table as it was. */
static bool can_lower(const subject *s)
{
    return is_to_be_lowered(s) && !is_busy(s);
}

/* --- step by step -------------------------------------------------------------------------------------------------- */

/* Nothing was committed since it was looked at last: thousands of idle tables cost nothing. */
static bool is_kept_up(const subject *s, tain_time now)
{
    const tain_tended *t = tended_of(s);
    if (is_busy(s) || !delta_of(s) || t->kept_up != tain_delta_version(delta_of(s))) return false;
    return now < t->next_vacuum && t->rests_at && now < t->rests_at && !is_prune_due(s);
}

static bool is_done(const tain_upkeep_job *job)
{
    return job && atomic_load(&job->done);
}

static bool is_about_to_write(const subject *s, const bool done[TAIN_LANES])
{
    const tain_tended *t = tended_of(s);
    if (!is_followed(s)) return false;
    for (int i = 0; i < TAIN_LANES; i++)
        if (done[i] && !t->jobs[i]->still && !t->jobs[i]->merge) return true;
    return !t->set || can_lower(s) || tain_delta_checkpoint_due(delta_of(s)) || t->next_vacuum <= tain_monotonic();
}

/* A log that is elsewhere is opened again; into one that was removed nothing is written, or it would come back headless. What
 * is wrong with that of a history is found by its next commit. */
static bool is_log_there(const subject *s)
{
    tain_error e = {0};
    tain_status st = tain_delta_look(delta_of(s), &e);
    if (st != TAIN_E_NOT_FOUND || s->history) return st == TAIN_OK;
    tain_upkeep_forget(s->mirror, s->table);
    if (tain_apply_reopen(s->table, &e) == TAIN_OK) return true;
    tain_mirror_fail_table(s->mirror, s->table, &e);
    return false;
}

static void note_health(tain_table *t)
{
    if (!t->delta) return;
    const tain_health now = tain_health_of(t->delta);
    pthread_mutex_lock(&t->lock);
    t->health = now;
    pthread_mutex_unlock(&t->lock);
}

/* What an earlier process has left with vectors, it had no time to see to. */
static void inherit(const subject *s)
{
    int64_t bytes = 0;
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(delta_of(s), &cursor, &f);)
        if (f->dv.storage) bytes += f->size;
    tended_of(s)->rested = -(bytes < INHERITED_BYTES ? bytes : INHERITED_BYTES);
}

/* Its rest begins anew with every commit. */
static void note_rest(const subject *s)
{
    tain_tended *t = tended_of(s);
    if (!delta_of(s) || t->rests_at) return;
    if (!t->next_vacuum) inherit(s);
    t->rests_at = tain_monotonic() + s->mirror->definition->freshness + REST;
}

static void note_kept_up(const subject *s)
{
    if (is_busy(s) || !delta_of(s)) return;
    tended_of(s)->kept_up = tain_delta_version(delta_of(s));
    if (is_at_rest(s)) tended_of(s)->rests_at = INT64_MAX;
}

static void keep_up(const subject *s)
{
    bool looked = true;
    note_rest(s);
    bool done[TAIN_LANES]; /* one that is done from here on waits: nobody has looked for it */
    tain_tended *t = tended_of(s);
    for (int i = 0; i < TAIN_LANES; i++) done[i] = is_done(t->jobs[i]);
    if (is_about_to_write(s, done) && !is_log_there(s)) return;
    keep_retention(s);
    look_at_horizon(s);
    for (int i = 0; i < TAIN_LANES; i++) {
        bool fine = !done[i] || !t->jobs[i] || finish(s, t->jobs[i]);
        if (fine) looked &= begin(s, i);
    }
    if (can_lower(s)) lower(s);
    if (looked) note_kept_up(s);
    if (!s->history) note_health(s->table);
}

void tain_upkeep_step(tain_mirror *m)
{
    tain_time now = tain_monotonic();
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->loading || t->pending.dirty) continue;
        const subject table = itself(m, t), history = its_history(m, t);
        if (!is_kept_up(&table, now)) keep_up(&table);
        if (history.history && !is_kept_up(&history, now)) keep_up(&history);
    }
    tain_error e = {0};
    if (tain_lake_fold_epochs(m->lake, tain_definition_retention(m->definition), &e) != TAIN_OK) tain_mirror_say(m, "epoch log: %s", e.message);
}

/* --- to the end ---------------------------------------------------------------------------------------------------- */

/* Whether some step of upkeep brings it nearer to having no vectors. */
static bool is_to_lower(const subject *s)
{
    return !s->history && s->table->compat && is_followed(s) && tain_delta_has_vectors(delta_of(s));
}

static bool is_pruned(const subject *s)
{
    const tain_upkeep_job *job = s->history ? tended_of(s)->jobs[TAIN_LANE_HEAVY] : NULL;
    return is_prune_due(s) || (job && job->prune);
}

static void wait_or_stop(const subject *s)
{
    for (int i = 0; i < TAIN_LANES; i++)
        while (tended_of(s)->jobs[i] && !is_done(tended_of(s)->jobs[i]) && !atomic_load(&s->mirror->stop)) tain_mirror_pause(s->mirror, TAIN_MILLISECOND);
}

static void wait_for_room(tain_mirror *m, int lane)
{
    pthread_mutex_lock(&m->lock);
    while (!has_room(m, lane)) pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void complete(const subject *s)
{
    for (int idle = 0; (is_to_lower(s) || is_pruned(s)) && !s->table->pending.dirty && !atomic_load(&s->mirror->stop) && idle < IDLE_STEPS;) {
        int64_t before = tain_delta_version(delta_of(s));
        wait_or_stop(s);
        for (int i = 0; i < TAIN_LANES; i++) wait_for_room(s->mirror, i);
        keep_up(s);
        idle = tain_delta_version(delta_of(s)) == before ? idle + 1 : 0;
    }
}

void tain_upkeep_complete(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++) {
        const subject table = itself(m, m->tables[i]), history = its_history(m, m->tables[i]);
        complete(&table);
        if (history.history) complete(&history);
    }
}

static tain_time sooner(tain_time a, tain_time b) { return a < b ? a : b; }

/* When there may be something to do for it. */
static tain_time due_at(const subject *s)
{
    const tain_tended *t = tended_of(s);
    if (is_busy(s)) return 0;
    if (!delta_of(s) || !is_followed(s)) return INT64_MAX;
    if (t->kept_up != tain_delta_version(delta_of(s)) || !t->rests_at) return 0;
    tain_time prune = s->history && s->history->retention >= 0 ? s->history->next_prune : INT64_MAX;
    return sooner(sooner(t->next_vacuum, t->rests_at), prune);
}

static tain_time all_due_at(tain_mirror *m)
{
    tain_time due = INT64_MAX;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        const subject table = itself(m, t), history = its_history(m, t);
        if (t->loading) return 0; /* it is the source thread's now */
        due = sooner(due, due_at(&table));
        if (history.history) due = sooner(due, due_at(&history));
    }
    return due;
}

bool tain_upkeep_idle(tain_mirror *m, tain_time *ret_due)
{
    tain_time due = 0, now = tain_monotonic(), soon = now + TAIN_UPKEEP_SOON;
    if (pthread_mutex_trylock(&m->tables_lock) == 0) {
        tain_upkeep_step(m);
        due = all_due_at(m);
        pthread_mutex_unlock(&m->tables_lock);
    }
    *ret_due = due < soon ? soon : sooner(due, now + LATE);
    return !tain_queue_closed(m->parts);
}
