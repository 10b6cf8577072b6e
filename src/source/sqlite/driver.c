/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "source/sqlite/slices.h"
#include "source/sqlite/sqlite.h"

#define LEAVE_PATIENCE (2 * TAIN_SECOND)
#define POLL_INTERVAL  (100 * TAIN_MILLISECOND) /* when nothing was written for a while */
#define QUIET_INTERVAL (500 * TAIN_MILLISECOND) /* where writes are told; by all but writers that map the file */
#define FIRST_INTERVAL TAIN_MILLISECOND
#define SURE_INTERVAL  (2 * TAIN_SECOND) /* also where the file does not look written to */

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* "sqlite:///abs", "sqlite:rel", "sqlite:///abs?mode=ro" (the query is ignored), or a bare path. */
static char *path_of(const char *url)
{
    static const char *const schemes[] = {"sqlite:", "sqlite3:", "file:"};
    const char *rest = NULL;
    for (size_t i = 0; i < 3 && !rest; i++)
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0) rest = url + strlen(schemes[i]);
    if (!rest) return tain_strdup(url);
    tain_url u;
    if (tain_url_parse(url, &u, NULL) != TAIN_OK) return tain_strdup(rest);
    /* "sqlite://rel/path" has its first folder where other URLs have their host. */
    char *path = tain_format("%s%s", u.host ? u.host : "", u.path ? u.path : "");
    tain_url_done(&u);
    return path;
}

static tain_status resolve(tain_sqlite *s, const char *url, tain_error *err)
{
    struct stat st;
    char *path = path_of(url);
    s->path = realpath(path, NULL);
    tain_status status = TAIN_OK;
    if (!s->path || stat(s->path, &st) != 0) {
        status = tain_fail_errno(err, "cannot open %s", path);
        if (status == TAIN_E_NOT_FOUND) tain_error_remedy(err, "name an existing SQLite file, such as sqlite:///path/file.db");
    } else if (!S_ISREG(st.st_mode)) {
        status = tain_fail(err, TAIN_E_INVALID, "%s is not a file", path);
    } else {
        s->device = st.st_dev;
        s->inode = st.st_ino;
    }
    free(path);
    return status;
}

static const char **copy_globs(const char **globs)
{
    size_t n = 0;
    if (!globs) return NULL;
    while (globs[n]) n++;
    const char **copy = tain_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) copy[i] = tain_strdup(globs[i]);
    return copy;
}

static void free_globs(const char **globs)
{
    for (const char **g = globs; g && *g; g++) free((char *)*g);
    free(globs);
}

static void copy_options(tain_sqlite *s, const tain_source_options *o)
{
    bool named = o->mirror_name && *o->mirror_name;
    s->options = *o;
    s->options.url = NULL;
    s->options.mirror_name = tain_strdup(named ? o->mirror_name : "");
    s->options.spool_dir = tain_strdup(o->spool_dir ? o->spool_dir : "/tmp");
    s->options.tables = copy_globs(o->tables);
    s->options.exclude = copy_globs(o->exclude);
    s->prefix = named ? tain_format("__tain_%s", o->mirror_name) : tain_strdup("__tain");
}

static tain_status open_file(tain_sqlite *s, tain_error *err)
{
    TAIN_TRY(tain_sqlite_watch_new(s->path, &s->watch, err));
    TAIN_TRY(tain_sqlite_connect(&s->db, s->path, TAIN_SQLITE_READ, &s->cancelled, TAIN_SQLITE_READ_PATIENCE, err));
    s->db.beat = &s->source.beat;
    return s->options.poll_capture ? tain_sqlite_shadow_look(s, err) : TAIN_OK;
}

static void close_source(tain_source *source);

static tain_status open_source(const tain_source_options *options, tain_source **ret, tain_error *err)
{
    tain_sqlite *s = tain_alloc(sizeof *s);
    s->source.ops = &tain_source_sqlite;
    s->data_version = -1;
    copy_options(s, options);
    tain_status st = resolve(s, options->url, err);
    if (st == TAIN_OK) st = open_file(s, err);
    if (st == TAIN_OK) *ret = &s->source;
    else close_source(&s->source);
    return st;
}

static void free_table(tain_sqlite_table *t)
{
    tain_sqlite_forget_query(t);
    tain_sqlite_shape_free(t->shape);
    free(t->values);
    free(t->marks.at);
    free(t->news.reason);
    free(t->table.memo);
    tain_source_table_free(&t->table);
}

static void close_source(tain_source *source)
{
    if (!source) return;
    tain_sqlite *s = tain_sqlite_of(source);
    if (s->snapshot && tain_sqlite_snapshot_end(source, NULL) != TAIN_OK) s->snapshot = NULL;
    for (size_t i = 0; i < s->table_count; i++) free_table(s->tables[i]);
    for (size_t i = 0; i < s->retired_count; i++) tain_schema_free(s->retired[i]);
    for (size_t i = 0; i < s->retired_name_count; i++) free(s->retired_names[i]);
    free(s->retired_names);
    tain_sqlite_disconnect(&s->shadow);
    tain_sqlite_disconnect(&s->log);
    tain_sqlite_disconnect(&s->db);
    tain_sqlite_watch_free(s->watch);
    tain_map_done(&s->by_name);
    tain_buffer_done(&s->virtual_tables);
    free_globs(s->options.tables);
    free_globs(s->options.exclude);
    free((char *)s->options.mirror_name);
    free((char *)s->options.spool_dir);
    free(s->tables);
    free(s->catalog);
    free(s->retired);
    free(s->path);
    free(s->prefix);
    free(s->shadow_path);
    free(s);
}

/* --- cancelling ---------------------------------------------------------------------------------------------------- */

static void cancel(tain_source *source)
{
    tain_sqlite *s = tain_sqlite_of(source);
    atomic_store(&s->cancelled, true);
    tain_sqlite_watch_wake(s->watch);
}

tain_status tain_sqlite_check_cancel(tain_sqlite *s, tain_error *err)
{
    if (!atomic_exchange(&s->cancelled, false)) return TAIN_OK;
    tain_sqlite_watch_calm(s->watch);
    return tain_fail(err, TAIN_E_CANCELLED, "%s: cancelled", s->path);
}

/* A statement that was stopped takes the cancellation with it. */
static tain_status taken(tain_sqlite *s, tain_status st)
{
    if (st == TAIN_E_CANCELLED && atomic_exchange(&s->cancelled, false)) tain_sqlite_watch_calm(s->watch);
    return st;
}

/* --- describing ---------------------------------------------------------------------------------------------------- */

typedef struct findings { tain_finding *list; size_t count; } findings;

static void find(findings *f, tain_verdict level, const char *code, char *message, const char *remedy)
{
    f->list = tain_realloc(f->list, (f->count + 1) * sizeof *f->list);
    f->list[f->count++] = (tain_finding){.level = level, .code = tain_strdup(code), .message = message, .remedy = tain_strdup(remedy)};
}

static tain_status find_all(tain_sqlite *s, findings *f, tain_error *err)
{
    bool wal;
    TAIN_TRY(tain_sqlite_is_wal(&s->db, &wal, err));
    if (!wal)
        find(f, TAIN_VERDICT_WARNING, "rollback_journal", tain_format("%s is in rollback journal mode: writers wait while tain reads, for some ten milliseconds at a time", s->path),
             "PRAGMA journal_mode = WAL");
    if (sqlite3_db_readonly(s->db.db, "main") == 1 && !s->options.poll_capture)
        find(f, TAIN_VERDICT_ERROR, "read_only", tain_format("%s cannot be written to: no log of changes can be kept in it", s->path),
             "make the file and its folder writable for tain, or use --capture=poll, which needs to read only");
    if (s->virtual_tables.size)
        find(f, TAIN_VERDICT_WARNING, "virtual_table", tain_format("virtual tables are not mirrored: %s", tain_buffer_cstr(&s->virtual_tables)), NULL);
    return TAIN_OK;
}

static tain_status describe(tain_source *source, tain_catalog *ret, tain_finding **ret_findings, size_t *ret_count, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    findings f = {0};
    TAIN_TRY(tain_sqlite_check_cancel(s, err));
    tain_status st = taken(s, tain_sqlite_look(s, err));
    if (st == TAIN_OK) st = find_all(s, &f, err);
    if (st != TAIN_OK) {
        tain_findings_free(f.list, f.count);
        return st;
    }
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->told = tain_sqlite_is_live(s->tables[i]);
    *ret = (tain_catalog){.tables = s->catalog, .count = s->catalog_count};
    *ret_findings = f.list;
    *ret_count = f.count;
    return TAIN_OK;
}

/* What came of the table since is told by the stream, and what it has been told of values holds by their columns' names. */
static tain_status recall(tain_source *source, tain_source_table *table, const char *memo, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    tain_sqlite_table *t = tain_sqlite_table_of(table);
    bool queued = t->news.state == TAIN_SQLITE_QUEUED;
    if (!memo) return TAIN_OK;
    if (s->options.poll_capture || !tain_sqlite_is_live(t) || (queued && t->news.reload) || !tain_sqlite_shape_descends(t->shape, memo))
        return tain_fail(err, TAIN_E_NOT_FOUND, "table %s is another than it was", table->name);
    if (!queued && strcmp(memo, tain_sqlite_shape_version(t->shape)) != 0) tain_sqlite_queue(t, false, "its columns changed");
    return TAIN_OK;
}

/* --- capture ------------------------------------------------------------------------------------------------------- */

/* What capture by the log left goes once there is what takes its place. A file that cannot be written to now keeps it. */
static void leave_log(tain_sqlite *s, void (*say)(const char *))
{
    tain_error why = {0};
    if (tain_sqlite_remove_log(s, LEAVE_PATIENCE, say, &why) == TAIN_OK) return;
    char *line = tain_format("triggers and log table of --capture=log stay in %s: %s; they go at the next start, or with tain mirror --remove", s->path, why.message);
    if (say) say(line);
    free(line);
}

static tain_status prepare_comparison(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    bool first = !s->marked;
    TAIN_TRY(tain_sqlite_shadow_prepare(s, say, ret_fresh, err));
    if (first) leave_log(s, say);
    tain_sqlite_disconnect(&s->log);
    return TAIN_OK;
}

static tain_status prepare(tain_source *source, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    TAIN_TRY(tain_sqlite_check_cancel(s, err));
    return taken(s, s->options.poll_capture ? prepare_comparison(s, say, ret_fresh, err) : tain_sqlite_install(s, say, ret_fresh, err));
}

static tain_status remove_capture(tain_source *source, void (*say)(const char *), tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    if (s->options.poll_capture) TAIN_TRY(tain_sqlite_shadow_remove(s, say, err));
    return tain_sqlite_uninstall(s, say, err);
}

static tain_status start(tain_source *source, const tain_position *position, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    TAIN_TRY(tain_sqlite_check_cancel(s, err));
    TAIN_TRY(tain_sqlite_check_file(s, err));
    TAIN_TRY(s->options.poll_capture ? tain_sqlite_shadow_start(s, position, err) : tain_sqlite_follow_start(s, position, err));
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->news.state == TAIN_SQLITE_TOLD) s->tables[i]->news.state = TAIN_SQLITE_QUEUED;
    s->position = *position;
    s->data_version = -1;
    s->started = true;
    return TAIN_OK;
}

static tain_status deliver(tain_sqlite *s, tain_sink *sink, bool *any, tain_error *err)
{
    TAIN_TRY(tain_sqlite_check_file(s, err));
    return s->options.poll_capture ? tain_sqlite_shadow_follow(s, sink, any, err) : tain_sqlite_follow(s, sink, any, err);
}

/* A write that wakes us may become visible only a moment later: the first waits are short. They get longer from call to call. */
static tain_time next_pause(const tain_sqlite *s, bool written)
{
    tain_time most = tain_sqlite_watch_is_told(s->watch) ? QUIET_INTERVAL : POLL_INTERVAL, twice = s->pause * 2;
    if (written || !s->pause) return FIRST_INTERVAL;
    return twice < most ? twice : most;
}

/* Whether there is nothing to look for: nobody told of a write, and none shows. */
static bool is_still(const tain_sqlite *s, tain_time now)
{
    return s->pause >= QUIET_INTERVAL && now < s->looked + SURE_INTERVAL && !tain_sqlite_watch_differs(s->watch) && !atomic_load(&s->cancelled);
}

/* Until there may be something to look for, or the deadline. */
static void wait_for_write(tain_sqlite *s, tain_time deadline)
{
    tain_time now;
    do {
        now = tain_monotonic();
        tain_time until = now + s->pause < deadline ? now + s->pause : deadline;
        if (tain_sqlite_watch_wait(s->watch, until)) s->pause = 0;
        now = tain_monotonic();
    } while (now < deadline && is_still(s, now));
}

static tain_status poll(tain_source *source, tain_sink *sink, tain_time deadline, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    for (;;) {
        bool any = false;
        TAIN_TRY(tain_sqlite_check_cancel(s, err));
        tain_sqlite_watch_note(s->watch);
        s->looked = tain_monotonic();
        TAIN_TRY(taken(s, deliver(s, sink, &any, err)));
        if (!any && s->prune_wanted) TAIN_TRY(tain_sqlite_prune(s, err));
        tain_time now = tain_monotonic();
        if (now >= deadline) return TAIN_OK;
        s->pause = next_pause(s, any);
        if (any) continue;
        wait_for_write(s, deadline);
        now = tain_monotonic();
        if (now >= deadline && is_still(s, now)) return TAIN_OK;
    }
}

static tain_status confirm(tain_source *source, const tain_position *position, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    if (s->options.poll_capture) return tain_sqlite_shadow_confirm(s, position, err);
    if (tain_position_compare(position, &s->confirmed) <= 0) return TAIN_OK;
    s->confirmed = *position;
    s->prune_wanted = true;
    return tain_sqlite_prune(s, err);
}

/* What is before the log's oldest row was confirmed, and deleted for that. */
static tain_status confirmed(tain_source *source, tain_position *ret, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    *ret = (tain_position){0};
    return s->options.poll_capture ? TAIN_OK : tain_sqlite_log_begin(s, ret, err);
}

static tain_status head(tain_source *source, tain_position *ret, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    int64_t seq;
    tain_time time;
    if (s->options.poll_capture) return tain_sqlite_shadow_head(s, ret, err);
    return tain_sqlite_log_end(s, &s->db, ret, &seq, &time, err);
}

static int wait_fd(tain_source *source)
{
    return tain_sqlite_watch_fd(tain_sqlite_of(source)->watch);
}

static const char *const schemes[] = {"sqlite", "sqlite3", "file", NULL};

const tain_source_ops tain_source_sqlite = {
    .name = "sqlite", .schemes = schemes, .open = open_source, .close = close_source, .describe = describe, .recall = recall, .prepare = prepare,
    .remove = remove_capture, .snapshot_begin = tain_sqlite_snapshot_begin, .snapshot_plan = tain_sqlite_snapshot_plan,
    .reader_open = tain_sqlite_reader_open, .reader_read = tain_sqlite_reader_read, .reader_close = tain_sqlite_reader_close,
    .snapshot_end = tain_sqlite_snapshot_end, .start = start, .poll = poll, .confirm = confirm, .confirmed = confirmed, .head = head,
    .wait_fd = wait_fd, .cancel = cancel,
};
