/* SPDX-License-Identifier: MIT */
#include "mirror/upkeep.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mirror/apply/apply.h"
#include "mirror/copyonwrite.h"
#include "mirror/history/history.h"
#include "maintain/presence.h"
#include "maintain/retention.h"
#include "mirror/shape/uphold.h"

#define VACUUM_EVERY     (3600 * TAIN_SECOND)
#define LEAST_RETENTION  (3600 * TAIN_SECOND)
#define REST             (3 * TAIN_SECOND) /* beyond the time in which commits would follow each other */
#define INHERITED_BYTES  (256 << 20)       /* of files with vectors, found at start, that it may write anew at most */

enum { NICE = 10 /* upkeep takes what capture leaves */, IDLE_STEPS = 20 /* without a commit, some of the index: it gets no further */ };

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
    tain_table       *table;
    struct tain_upkeep_job **owner; /* who has it: the table, or its history */
    int               lane;
    tain_rewrite     *rewrite; /* either ... */
    tain_index_part  *part;    /* of the file it makes */
    bool              indexed; /* part is made */
    tain_index_merge *merge;   /* ... or ... */
    live_set          live;
    tain_delta       *still;   /* ... or a checkpoint of it, or a vacuum */
    bool              cleans, vacuums;
    tain_status       status;
    tain_error        error;
    bool              outdated; /* the table is another meanwhile */
    atomic_bool       done;
} tain_upkeep_job;

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
    if (job->part) job->indexed = tain_rewrite_index(job->rewrite, job->table->index, job->part);
    return TAIN_OK;
}

static tain_status run(tain_upkeep_job *job, tain_error *err)
{
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
    if (job->merge) tain_index_merge_abort(job->table->index, job->merge);
    if (job->part) tain_index_part_abort(job->part);
    tain_rewrite_free(job->rewrite);
    tain_delta_close(job->still);
    live_set_done(&job->live);
    *job->owner = NULL;
    free(job);
}

/* Nobody wants what it makes any more. */
static void halt(tain_upkeep_job *job)
{
    if (job->rewrite) tain_rewrite_halt(job->rewrite);
    if (job->merge) tain_index_merge_halt(job->merge);
}

static void wait_for(tain_mirror *m, tain_upkeep_job *job)
{
    pthread_mutex_lock(&m->lock);
    while (!atomic_load(&job->done)) pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void forget(tain_mirror *m, tain_upkeep_job *job)
{
    if (!job) return;
    halt(job);
    wait_for(m, job);
    job_free(job);
}

void tain_upkeep_forget(tain_mirror *m, tain_table *t)
{
    for (int i = 0; i < TAIN_LANES; i++)
        if (t->jobs[i]) halt(t->jobs[i]);
    for (int i = 0; i < TAIN_LANES; i++) forget(m, t->jobs[i]);
    if (t->history) forget(m, t->history->job);
}

void tain_upkeep_outdate(tain_table *t)
{
    for (int i = 0; i < TAIN_LANES; i++) {
        tain_upkeep_job *job = t->jobs[i];
        if (!job || !job->rewrite) continue;
        job->outdated = true;
        halt(job);
    }
}

static void each_job(tain_mirror *m, int lane, void (*what)(tain_upkeep_job *))
{
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        tain_upkeep_job *of_history = t->history ? t->history->job : NULL;
        if (t->jobs[lane]) what(t->jobs[lane]);
        if (of_history && of_history->lane == lane) what(of_history);
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
static void follow_others(tain_mirror *m, tain_table *t, int64_t commits)
{
    tain_error e = {0};
    if (!commits) return;
    tain_table_warn(t, "foreign_commit", NULL, commits);
    if (tain_table_feed_index(t, &e) != TAIN_OK) tain_mirror_fail_table(m, t, &e);
}

static bool is_damage(const tain_error *e)
{
    return e->code == TAIN_E_NOT_FOUND || e->code == TAIN_E_CORRUPT;
}

/* A file that cannot be read may have been replaced by another writer, and removed then; otherwise the table is damaged. */
static void fail_rewrite(tain_mirror *m, tain_table *t, const tain_error *why)
{
    tain_error e = *why;
    int64_t foreign = 0;
    bool damaged = is_damage(why);
    if (damaged && tain_delta_refresh(t->delta, &foreign, NULL) == TAIN_OK && foreign) {
        follow_others(m, t, foreign);
        damaged = t->status == TAIN_TABLE_REPLICATING && tain_presence_check(t->delta, t->store, &e) != TAIN_OK;
    }
    if (damaged) tain_mirror_fail_table(m, t, &e);
    else if (t->status == TAIN_TABLE_REPLICATING) tain_mirror_say(m, "%s: upkeep was given up for now: %s", t->name, why->message);
}

/* What is refused once is refused until somebody changes the table, and upkeep would try for ever. */
static void give_up(tain_mirror *m, tain_table *t, const char *what, const tain_error *e)
{
    if (e->code == TAIN_E_UNSUPPORTED) tain_mirror_fail_table(m, t, e);
    else tain_mirror_say(m, "%s: %s was given up for now: %s", t->name, what, e->message);
}

static tain_status index_rewritten(tain_table *t, tain_upkeep_job *job, const tain_delta_file *file, const uint64_t *hashes, size_t rows)
{
    if (!hashes && !job->indexed) return tain_table_feed_file(t, file, NULL);
    if (!job->indexed || tain_rewrite_is_thinned(job->rewrite)) return tain_index_add(t->index, file->ordinal, 0, hashes, rows, NULL);
    tain_index_part *part = job->part;
    job->part = NULL;
    return tain_index_part_finish(t->index, part, file->ordinal, NULL);
}

static bool finish_rewrite(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    tain_delta_file *file = NULL;
    const uint64_t *hashes;
    size_t rows, n;
    tain_error e = {0};
    int64_t before = tain_delta_version(t->delta);
    if (tain_rewrite_finish(job->rewrite, &file, &hashes, &rows, &e) != TAIN_OK) {
        follow_others(m, t, tain_delta_version(t->delta) - before);
        if (is_damage(&e)) fail_rewrite(m, t, &e);
        else give_up(m, t, "merging small files", &e);
        return false;
    }
    const uint32_t *inputs = tain_rewrite_inputs(job->rewrite, &n);
    for (size_t i = 0; i < n; i++) tain_ordinals_remove(&t->files, inputs[i]);
    if (file) {
        tain_ordinals_put(&t->files, file);
        tain_index_name_file(t->index, file->path, file->ordinal);
        if (index_rewritten(t, job, file, hashes, rows) != TAIN_OK) tain_table_warn(t, "index_not_written", NULL, 1);
    }
    int64_t came = tain_delta_version(t->delta) - before;
    follow_others(m, t, came ? came - 1 : 0);
    return true;
}

static void finish_merge(tain_table *t, tain_upkeep_job *job)
{
    if (tain_index_merge_finish(t->index, job->merge, &job->error) != TAIN_OK) tain_table_warn(t, "index_not_written", NULL, 1);
    job->merge = NULL;
}

static void finish_still(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    tain_delta_take_checkpoint(t->delta, job->still);
    if (job->status == TAIN_E_CORRUPT) tain_mirror_fail_table(m, t, &job->error);
    else if (job->status != TAIN_OK) give_up(m, t, job->vacuums ? "vacuum" : "checkpoint", &job->error);
}

static bool is_wanted(const tain_upkeep_job *job)
{
    return !job->outdated && job->table->status == TAIN_TABLE_REPLICATING;
}

/* False: it came to nothing, and is better not tried again at once. */
static bool finish_wanted(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    if (job->still) {
        finish_still(m, t, job);
        return job->status == TAIN_OK;
    }
    if (job->status != TAIN_OK) {
        fail_rewrite(m, t, &job->error);
        return false;
    }
    if (job->rewrite) return finish_rewrite(m, t, job);
    finish_merge(t, job);
    return true;
}

static bool finish(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    bool fine = !is_wanted(job) || finish_wanted(m, t, job);
    job_free(job);
    return fine;
}

/* --- beginning ----------------------------------------------------------------------------------------------------- */

/* The hashes of a merged file's rows are to take no more than an eighth of the budget. */
static int64_t rows_at_once(const tain_mirror *m, const tain_table *t)
{
    return t->compat ? tain_copies_most_rows(t) : m->definition->memory / 8 / TAIN_REWRITE_ROW_BYTES;
}

/* Merging is left to others where they say so by the property that Delta has for it. */
static bool may_rewrite(const tain_table *t)
{
    const char *said = tain_json_get_str(tain_delta_meta(t->delta)->configuration, "delta.autoOptimize.autoCompact", "true");
    return strcmp(said, "false") != 0;
}

static const tain_rewrite *beside(const tain_table *t, int lane)
{
    const tain_upkeep_job *other = t->jobs[lane == TAIN_LANE_LIGHT ? TAIN_LANE_HEAVY : TAIN_LANE_LIGHT];
    return other ? other->rewrite : NULL;
}

static bool is_at_rest(const tain_table *t)
{
    return t->rests_at && t->rests_at <= tain_monotonic();
}

/* A table that is to lose its vectors does so first: one of profile compat whatever it takes, any other when it rests. */
static tain_delta_file **pick_vectors(const tain_table *t, const tain_rewrite_rule *rule, size_t *ret_count)
{
    tain_rewrite_rule vectors = *rule;
    if (t->compat) vectors.spare_bytes = INT64_MAX;
    bool due = t->compat || (is_at_rest(t) && may_rewrite(t));
    return due && rule->what == TAIN_REWRITE_LARGE ? tain_rewrite_pick_vectors(t->delta, &vectors, ret_count) : NULL;
}

static tain_delta_file **pick(const tain_mirror *m, tain_table *t, int lane, size_t *ret_count)
{
    const tain_rewrite_rule rule = {.what = lane == TAIN_LANE_LIGHT ? TAIN_REWRITE_SMALL : TAIN_REWRITE_LARGE,
                                    .most_rows = rows_at_once(m, t), .beside = beside(t, lane),
                                    .spare_bytes = tain_delta_appended(t->delta) - t->rewritten};
    tain_delta_file **files = pick_vectors(t, &rule, ret_count);
    return files || !may_rewrite(t) ? files : tain_rewrite_pick(t->delta, &rule, ret_count);
}

/* One that alone has more rows than hashes are held of is fed to the index afterwards, piece by piece. */
static const tain_key *key_for(const tain_mirror *m, const tain_table *t, tain_delta_file **files, size_t n)
{
    return n == 1 && files[0]->rows > rows_at_once(m, t) ? NULL : &t->key;
}

static int64_t bytes_of(tain_delta_file *const *files, size_t n)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += files[i]->size;
    return bytes;
}

static bool begin_rewrite(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    size_t n;
    tain_delta_file **files = pick(m, t, job->lane, &n);
    if (!files) return false;
    bool begun = tain_rewrite_begin(t->delta, t->store, files, n, key_for(m, t, files, n), &job->rewrite, &job->error) == TAIN_OK;
    const tain_parquet_options options = tain_table_file_options(t);
    if (begun && (n == 1 || is_at_rest(t))) t->rewritten += bytes_of(files, n);
    if (begun) {
        tain_rewrite_limit(job->rewrite, &options);
        if (t->compat) tain_rewrite_thin(job->rewrite);
        job->part = tain_index_part_begin(t->index);
    }
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

/* Its key is told in columns of `schema`, which must be the first of the lake's. */
static bool is_settled(const tain_table *t)
{
    return !t->unindexed && tain_uphold_holds(t);
}

static bool begin_checkpoint(tain_table *t, tain_upkeep_job *job)
{
    int64_t hour = tain_now() / (3600 * TAIN_SECOND);
    if (!tain_delta_checkpoint_due(t->delta)) return false;
    job->still = tain_delta_still(t->delta);
    job->cleans = t->cleaned != hour;
    t->cleaned = hour;
    return true;
}

/* Not at start: first what readers wait for. */
static bool begin_vacuum(tain_table *t, tain_upkeep_job *job)
{
    tain_time now = tain_monotonic();
    bool first = !t->next_vacuum;
    if (now < t->next_vacuum) return false;
    t->next_vacuum = now + VACUUM_EVERY;
    if (first) return false;
    job->still = tain_delta_still(t->delta);
    job->vacuums = true;
    return true;
}

/* What was asked for since the table was written last. False: it is not to be tried again at once. */
static bool keep_retention(tain_mirror *m, tain_table *t)
{
    tain_error e = {0};
    if (!t->delta || t->status != TAIN_TABLE_REPLICATING) return true;
    json_t *properties = tain_retention_properties(tain_delta_meta(t->delta)->configuration, t->retention);
    if (!properties) return true;
    int64_t before = tain_delta_version(t->delta);
    const tain_delta_commit c = {.operation = "SET TBLPROPERTIES", .configuration = properties};
    tain_status st = tain_delta_commit_write(t->delta, &c, &e);
    json_decref(properties);
    follow_others(m, t, tain_delta_version(t->delta) - before - (st == TAIN_OK));
    if (st != TAIN_OK) give_up(m, t, "setting its retention", &e);
    return st == TAIN_OK;
}

/* Files are rewritten with the key index at hand. */
static bool begin_work(tain_mirror *m, tain_table *t, tain_upkeep_job *job)
{
    bool light = job->lane == TAIN_LANE_LIGHT, settled = t->index && is_settled(t);
    if (light ? begin_checkpoint(t, job) : begin_vacuum(t, job)) return true;
    if (settled && begin_rewrite(m, t, job)) return true;
    if (is_damage(&job->error)) fail_rewrite(m, t, &job->error);
    return !light && settled && t->status == TAIN_TABLE_REPLICATING && begin_merge(t, job);
}

static void hand_over(tain_mirror *m, tain_upkeep_job *job)
{
    *job->owner = job;
    if (!tain_queue_try_push(m->lanes[job->lane].jobs, job)) job_free(job); /* there is much to do: later */
}

/* Then nothing else is begun. */
static bool is_to_be_lowered(const tain_table *t)
{
    return t->compat && t->delta && t->status == TAIN_TABLE_REPLICATING && tain_delta_can_lower(t->delta);
}

static void begin(tain_mirror *m, tain_table *t, int lane)
{
    if (t->jobs[lane] || !t->delta || t->status != TAIN_TABLE_REPLICATING || is_to_be_lowered(t)) return;
    tain_upkeep_job *job = tain_alloc(sizeof *job);
    *job = (tain_upkeep_job){.table = t, .owner = &t->jobs[lane], .lane = lane};
    if (!begin_work(m, t, job)) {
        free(job);
        return;
    }
    hand_over(m, job);
}

static bool is_busy(const tain_table *t)
{
    return t->jobs[TAIN_LANE_LIGHT] || t->jobs[TAIN_LANE_HEAVY];
}

/* --- profile compat ------------------------------------------------------------------------------------------------ */

/* What the newest commit with a position says of it, NULL: there is none: the log that has it goes. */
static tain_status find_progress(tain_table *t, json_t **ret, tain_error *err)
{
    json_t *newest;
    TAIN_TRY(tain_table_newest_progress(t->delta, &newest, NULL, err));
    if (newest) *ret = json_pack("{s:o}", "tain", newest);
    return TAIN_OK;
}

/* Once no file has a vector any more: until then readers find the table as it was. */
static void lower(tain_mirror *m, tain_table *t)
{
    tain_error e = {0};
    json_t *info = NULL;
    int64_t before = tain_delta_version(t->delta);
    if (find_progress(t, &info, &e) == TAIN_OK && tain_delta_lower(t->delta, info, &e) == TAIN_OK)
        tain_mirror_say(m, "%s has no deletion vectors any more, and its versions before %lld are gone", t->name, (long long)before + 1);
    else give_up(m, t, "taking away its deletion vectors", &e);
    t->announced = false; /* the version that the last record names may be one of them */
    json_decref(info);
}

/* A checkpoint that is being written would be of the table as it was. */
static bool can_lower(const tain_table *t)
{
    return is_to_be_lowered(t) && !is_busy(t);
}

/* --- step by step -------------------------------------------------------------------------------------------------- */

/* Nothing was committed since it was looked at last: thousands of idle tables cost nothing. */
static bool is_kept_up(const tain_table *t, tain_time now)
{
    return !is_busy(t) && t->delta && t->kept_up == tain_delta_version(t->delta) && now < t->next_vacuum && t->rests_at && now < t->rests_at;
}

static bool is_done(const tain_upkeep_job *job)
{
    return job && atomic_load(&job->done);
}

static bool is_about_to_write(const tain_table *t, const bool done[TAIN_LANES])
{
    if (!t->delta || t->status != TAIN_TABLE_REPLICATING) return false;
    for (int i = 0; i < TAIN_LANES; i++)
        if (done[i] && t->jobs[i]->rewrite) return true;
    return can_lower(t) || tain_delta_checkpoint_due(t->delta) || t->next_vacuum <= tain_monotonic();
}

/* A log that is elsewhere is opened again; into one that was removed nothing is written, or it would come back headless. */
static bool is_log_there(tain_mirror *m, tain_table *t)
{
    tain_error e = {0};
    tain_status st = tain_delta_look(t->delta, &e);
    if (st != TAIN_E_NOT_FOUND) return st == TAIN_OK;
    tain_upkeep_forget(m, t);
    if (tain_apply_reopen(t, &e) == TAIN_OK) return true;
    tain_mirror_fail_table(m, t, &e);
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
static void inherit(tain_table *t)
{
    int64_t bytes = 0;
    tain_delta_file *f;
    for (size_t cursor = 0; tain_delta_next_file(t->delta, &cursor, &f);)
        if (f->dv.storage) bytes += f->size;
    t->rewritten = -(bytes < INHERITED_BYTES ? bytes : INHERITED_BYTES);
}

/* Its rest begins anew with every commit. */
static void note_rest(const tain_mirror *m, tain_table *t)
{
    if (!t->delta || t->rests_at) return;
    if (!t->kept_up) inherit(t);
    t->rests_at = tain_monotonic() + m->definition->freshness + REST;
}

static void keep_up(tain_mirror *m, tain_table *t)
{
    note_rest(m, t);
    bool done[TAIN_LANES]; /* one that is done from here on waits: nobody has looked for it */
    for (int i = 0; i < TAIN_LANES; i++) done[i] = is_done(t->jobs[i]);
    if (is_about_to_write(t, done) && !is_log_there(m, t)) return;
    if (!keep_retention(m, t)) t->retention = 0;
    for (int i = 0; i < TAIN_LANES; i++) {
        bool fine = !done[i] || !t->jobs[i] || finish(m, t, t->jobs[i]);
        if (fine) begin(m, t, i);
    }
    if (can_lower(t)) lower(m, t);
    if (!is_busy(t) && t->delta) {
        t->kept_up = tain_delta_version(t->delta);
        if (is_at_rest(t)) t->rests_at = INT64_MAX;
    }
    note_health(t);
}

/* --- histories ----------------------------------------------------------------------------------------------------- */

static bool begin_history(tain_history *h, tain_upkeep_job *job)
{
    size_t n;
    const tain_rewrite_rule rule = {.what = job->lane == TAIN_LANE_LIGHT ? TAIN_REWRITE_SMALL : TAIN_REWRITE_LARGE, .most_rows = INT64_MAX};
    tain_delta_file **files = tain_rewrite_pick(h->delta, &rule, &n);
    bool begun = files && tain_rewrite_begin(h->delta, h->store, files, n, NULL, &job->rewrite, &job->error) == TAIN_OK;
    const tain_parquet_options options = tain_table_file_options(h->table);
    if (begun) tain_rewrite_limit(job->rewrite, &options);
    free(files);
    return begun;
}

static void merge_history(tain_mirror *m, tain_history *h)
{
    for (int lane = 0; lane < TAIN_LANES && !h->job; lane++) {
        tain_upkeep_job *job = tain_alloc(sizeof *job);
        *job = (tain_upkeep_job){.table = h->table, .owner = &h->job, .lane = lane};
        if (begin_history(h, job)) hand_over(m, job);
        else free(job);
    }
}

/* False: it came to nothing. */
static bool finish_history(tain_mirror *m, tain_history *h)
{
    tain_upkeep_job *job = h->job;
    tain_delta_file *file;
    const uint64_t *hashes;
    size_t rows;
    if (!job || !atomic_load(&job->done)) return true;
    tain_error e = job->error;
    tain_status st = job->status;
    if (st == TAIN_OK) st = tain_rewrite_finish(job->rewrite, &file, &hashes, &rows, &e);
    if (st != TAIN_OK && st != TAIN_E_CANCELLED) give_up(m, h->table, "merging small files of its history", &e);
    job_free(job);
    return st == TAIN_OK;
}

static void log_history(tain_mirror *m, tain_history *h)
{
    tain_error e = {0};
    tain_status st = TAIN_OK;
    if (tain_delta_checkpoint_due(h->delta)) {
        st = tain_delta_checkpoint(h->delta, &e);
        if (st == TAIN_OK) st = tain_delta_clean_log(h->delta, &e);
    }
    if (st == TAIN_OK && h->next_vacuum && h->next_vacuum <= tain_monotonic()) st = vacuum(h->delta, &e);
    if (h->next_vacuum <= tain_monotonic()) h->next_vacuum = tain_monotonic() + VACUUM_EVERY;
    if (st != TAIN_OK) give_up(m, h->table, "upkeep of its history", &e);
}

/* What is wrong with its log is found by the next commit. */
static void keep_history_up(tain_mirror *m, tain_table *t)
{
    tain_history *h = t->history;
    bool idle = !h || !h->delta || h->stale || t->status != TAIN_TABLE_REPLICATING;
    if (idle || (!h->job && h->kept_up == tain_delta_version(h->delta) && tain_monotonic() < h->next_vacuum)) return;
    if (h->job && !atomic_load(&h->job->done)) return;
    if (tain_delta_look(h->delta, NULL) != TAIN_OK) return;
    if (finish_history(m, h)) merge_history(m, h);
    log_history(m, h);
    if (!h->job) h->kept_up = tain_delta_version(h->delta);
}

void tain_upkeep_step(tain_mirror *m)
{
    tain_time now = tain_monotonic();
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->loading || t->pending.dirty) continue;
        if (!is_kept_up(t, now)) keep_up(m, t);
        keep_history_up(m, t);
    }
    tain_error e = {0};
    if (tain_lake_fold_epochs(m->lake, tain_definition_retention(m->definition), &e) != TAIN_OK) tain_mirror_say(m, "epoch log: %s", e.message);
}

/* Whether some step of upkeep brings it nearer to having no vectors. */
static bool is_to_lower(const tain_table *t)
{
    return t->compat && t->delta && !t->pending.dirty && t->status == TAIN_TABLE_REPLICATING && tain_delta_has_vectors(t->delta);
}

static void complete(tain_mirror *m, tain_table *t)
{
    for (int idle = 0; is_to_lower(t) && !atomic_load(&m->stop) && idle < IDLE_STEPS;) {
        int64_t before = tain_delta_version(t->delta);
        for (int i = 0; i < TAIN_LANES; i++)
            if (t->jobs[i]) wait_for(m, t->jobs[i]);
        keep_up(m, t);
        idle = tain_delta_version(t->delta) == before ? idle + 1 : 0;
    }
}

void tain_upkeep_complete(tain_mirror *m)
{
    for (size_t i = 0; i < m->table_count; i++) complete(m, m->tables[i]);
}

bool tain_upkeep_idle(tain_mirror *m)
{
    if (pthread_mutex_trylock(&m->tables_lock) == 0) {
        tain_upkeep_step(m);
        pthread_mutex_unlock(&m->tables_lock);
    }
    return !tain_queue_closed(m->parts);
}
