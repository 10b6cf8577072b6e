/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "source/sqlite/sqlite.h"

/* Capture by comparison: nothing is left in the source. Beside it, in the spool folder, a database of ours remembers the key
 * and a hash of every row as the mirror was told them. After each change of the file all of it is read and compared. */

enum { PASSES = 3 /* over a schema that keeps changing, before poll looks at its deadline */ };

void tain_sqlite_generation_position(int64_t generation, tain_position *ret)
{
    snprintf(ret->text, sizeof ret->text, "%020lld", (long long)generation);
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static const char *path_of(tain_sqlite *s)
{
    if (!s->shadow_path) {
        unsigned long long hash = XXH3_64bits(s->path, strlen(s->path));
        s->shadow_path = tain_format("%s/tain-%s-%016llx.shadow", s->options.spool_dir, s->options.mirror_name, hash);
    }
    return s->shadow_path;
}

tain_status tain_sqlite_shadow_look(tain_sqlite *s, tain_error *err)
{
    struct stat st;
    if (s->shadow.db || stat(path_of(s), &st) != 0) return TAIN_OK;
    return tain_sqlite_connect(&s->shadow, path_of(s), TAIN_SQLITE_READ, NULL, TAIN_SQLITE_READ_PATIENCE, err);
}

static tain_status open_writable(tain_sqlite *s, tain_error *err)
{
    if (s->shadow_writable) return TAIN_OK;
    tain_sqlite_disconnect(&s->shadow);
    TAIN_TRY(tain_sqlite_connect(&s->shadow, path_of(s), TAIN_SQLITE_CREATE, NULL, TAIN_SQLITE_READ_PATIENCE, err));
    s->shadow_writable = true;
    return tain_sqlite_run(&s->shadow, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err);
}

/* In a transaction. All of it or none is committed. */
static tain_status finish(tain_sqlite *s, tain_status st, tain_error *err)
{
    if (st == TAIN_OK) st = tain_sqlite_run(&s->shadow, "COMMIT", err);
    tain_sqlite_rollback(&s->shadow);
    return st;
}

/* --- generations: never used twice, not even by a shadow made anew ----------------------------------------------------- */

static tain_status has_state(tain_sqlite *s, bool *ret, tain_error *err)
{
    *ret = false;
    return s->shadow.db ? tain_sqlite_has_table(&s->shadow, "state", ret, err) : TAIN_OK;
}

static tain_status generation_of(tain_sqlite *s, int64_t *ret, tain_error *err)
{
    return tain_sqlite_number(&s->shadow, "SELECT gen FROM state", 0, ret, err);
}

static tain_status next_generation(tain_sqlite *s, int64_t *ret, tain_error *err)
{
    TAIN_TRY(tain_sqlite_run(&s->shadow, "UPDATE state SET gen = gen + 1", err));
    return generation_of(s, ret, err);
}

/* --- preparing ----------------------------------------------------------------------------------------------------- */

static tain_status make_state(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    bool there;
    TAIN_TRY(has_state(s, &there, err));
    *ret_fresh = !there;
    if (there) return TAIN_OK;
    long long now = tain_now();
    TAIN_TRY(tain_sqlite_runf(&s->shadow, err, "CREATE TABLE state(gen INTEGER, confirmed INTEGER); INSERT INTO state VALUES(%lld, %lld);"
                              "CREATE TABLE \"%s$meta\"(id INTEGER PRIMARY KEY, name TEXT, shape TEXT, pending TEXT)", now, now, s->prefix));
    char *line = tain_format("created %s, which remembers what was mirrored", path_of(s));
    if (say) say(line);
    free(line);
    return TAIN_OK;
}

static tain_status make_table(tain_sqlite *s, tain_sqlite_table *t, tain_error *err)
{
    if (t->id && !t->renumber) return TAIN_OK;
    char *sql = tain_format("SELECT ifnull(max(id), 0) + 1 FROM \"%s$meta\"", s->prefix);
    tain_status st = t->id ? tain_sqlite_runf(&s->shadow, err, "DROP TABLE IF EXISTS s%lld; DROP TABLE IF EXISTS d%lld; DELETE FROM \"%s$meta\" WHERE id = %lld",
                                              (long long)t->id, (long long)t->id, s->prefix, (long long)t->id) : TAIN_OK;
    if (st == TAIN_OK) st = tain_sqlite_number(&s->shadow, sql, 1, &t->id, err);
    free(sql);
    TAIN_TRY(st);
    TAIN_TRY(tain_sqlite_runf(&s->shadow, err, "CREATE TABLE s%lld(id INTEGER PRIMARY KEY, key BLOB UNIQUE, gen INTEGER, val BLOB);"
                              "CREATE INDEX g%lld ON s%lld(gen) WHERE val IS NULL;"
                              "CREATE TABLE d%lld(gen INTEGER, key BLOB, delta INTEGER)", (long long)t->id, (long long)t->id, (long long)t->id, (long long)t->id));
    t->renumber = false;
    return tain_sqlite_keep_table(&s->shadow, s->prefix, t, err);
}

static tain_status make_all(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    TAIN_TRY(make_state(s, say, ret_fresh, err));
    for (size_t i = 0; i < s->table_count; i++)
        if (tain_sqlite_is_live(s->tables[i])) TAIN_TRY(make_table(s, s->tables[i], err));
    return tain_sqlite_keep(s, &s->shadow, err);
}

tain_status tain_sqlite_shadow_prepare(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    TAIN_TRY(open_writable(s, err));
    TAIN_TRY(tain_sqlite_look(s, err));
    TAIN_TRY(tain_sqlite_run(&s->shadow, "BEGIN IMMEDIATE", err));
    TAIN_TRY(finish(s, make_all(s, say, ret_fresh, err), err));
    s->marked = true;
    for (size_t i = 0; i < s->table_count && *ret_fresh; i++)
        if (s->tables[i]->news.state == TAIN_SQLITE_QUEUED) s->tables[i]->news.state = TAIN_SQLITE_NO_NEWS;
    return TAIN_OK;
}

tain_status tain_sqlite_shadow_remove(tain_sqlite *s, void (*say)(const char *), tain_error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    tain_sqlite_disconnect(&s->shadow);
    s->shadow_writable = s->started = false;
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->id = 0;
    for (size_t i = 0; i < 3; i++) {
        char *path = tain_format("%s%s", path_of(s), suffixes[i]);
        bool failed = unlink(path) != 0 && errno != ENOENT;
        tain_status st = failed ? tain_fail_errno(err, "cannot remove %s", path) : TAIN_OK;
        free(path);
        TAIN_TRY(st);
    }
    return TAIN_OK;
}

/* --- following ----------------------------------------------------------------------------------------------------- */

static tain_status gone(tain_sqlite *s, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_GONE, "%s does not remember the mirror's position: without it, changes of %s cannot be told", path_of(s), s->path);
    tain_error_remedy(err, "reload with --resync");
    return st;
}

tain_status tain_sqlite_shadow_start(tain_sqlite *s, const tain_position *position, tain_error *err)
{
    bool there;
    int64_t last, confirmed, at = strtoll(position->text, NULL, 10);
    TAIN_TRY(tain_sqlite_shadow_look(s, err));
    TAIN_TRY(has_state(s, &there, err));
    s->seq = at;
    s->replay_wanted = there;
    if (!there) return position->text[0] ? gone(s, err) : TAIN_OK;
    TAIN_TRY(generation_of(s, &last, err));
    TAIN_TRY(tain_sqlite_number(&s->shadow, "SELECT confirmed FROM state", 0, &confirmed, err));
    if (!position->text[0]) s->seq = confirmed;
    return position->text[0] && (at > last || at < confirmed) ? gone(s, err) : TAIN_OK;
}

static tain_status replay(tain_sqlite *s, tain_sink *sink, tain_error *err)
{
    for (size_t i = 0; i < s->table_count && s->replay_wanted; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (t->id && tain_sqlite_takes_rows(t)) TAIN_TRY(tain_sqlite_replay(s, t, s->seq, sink, err));
    }
    return TAIN_OK;
}

static tain_status compare_all(tain_sqlite *s, tain_sink *sink, tain_position *at, int64_t *generation, tain_error *err)
{
    TAIN_TRY(next_generation(s, generation, err));
    tain_sqlite_generation_position(*generation, at);
    if (sink->about) sink->about(sink, 0, tain_now());
    sink->begin(sink, at);
    TAIN_TRY(tain_sqlite_tell(s, sink, at, err));
    TAIN_TRY(replay(s, sink, err));
    sink->begin(sink, at);
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (tain_sqlite_takes_rows(t)) TAIN_TRY(tain_sqlite_compare(s, &s->db, t, *generation, sink, at, err));
    }
    return tain_sqlite_keep(s, &s->shadow, err);
}

static tain_status compare_in_transactions(tain_sqlite *s, tain_sink *sink, int64_t version, bool *ret_stale, tain_error *err)
{
    tain_position at;
    int64_t schema, generation;
    TAIN_TRY(tain_sqlite_run(&s->db, "BEGIN", err));
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.schema_version", 0, &schema, err));
    *ret_stale = schema != s->schema_version;
    if (*ret_stale) return TAIN_OK;
    TAIN_TRY(tain_sqlite_run(&s->shadow, "BEGIN IMMEDIATE", err));
    TAIN_TRY(finish(s, compare_all(s, sink, &at, &generation, err), err));
    tain_sqlite_rollback(&s->db);
    s->replay_wanted = false;
    s->position = at;
    s->seq = generation;
    s->data_version = version; /* read before: what came meanwhile is looked at again */
    return sink->commit(sink, &at, tain_now(), err);
}

static tain_status follow_once(tain_sqlite *s, tain_sink *sink, bool *ret_stale, tain_error *err)
{
    int64_t version;
    bool fresh;
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.data_version", 0, &version, err));
    tain_status st = compare_in_transactions(s, sink, version, ret_stale, err);
    tain_sqlite_rollback(&s->db);
    if (st != TAIN_OK || !*ret_stale) return st;
    s->data_version = -1;
    return tain_sqlite_shadow_prepare(s, NULL, &fresh, err);
}

tain_status tain_sqlite_shadow_follow(tain_sqlite *s, tain_sink *sink, bool *ret_any, tain_error *err)
{
    int64_t version;
    bool stale = true;
    TAIN_TRY(open_writable(s, err));
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.data_version", 0, &version, err));
    if (version == s->data_version && s->schema_version != -1 && !tain_sqlite_has_news(s)) return TAIN_OK;
    for (int i = 0; i < PASSES && stale; i++) TAIN_TRY(follow_once(s, sink, &stale, err));
    *ret_any = !stale;
    return TAIN_OK;
}

/* --- positions ----------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_shadow_head(tain_sqlite *s, tain_position *ret, tain_error *err)
{
    bool there;
    int64_t version, last;
    *ret = (tain_position){0};
    TAIN_TRY(tain_sqlite_shadow_look(s, err));
    TAIN_TRY(has_state(s, &there, err));
    if (!there) return TAIN_OK;
    TAIN_TRY(generation_of(s, &last, err));
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.data_version", 0, &version, err));
    tain_sqlite_generation_position(version == s->data_version ? last : last + 1, ret);
    return TAIN_OK;
}

static tain_status forget_confirmed(tain_sqlite *s, int64_t generation, tain_error *err)
{
    TAIN_TRY(tain_sqlite_runf(&s->shadow, err, "UPDATE state SET confirmed = max(confirmed, %lld)", (long long)generation));
    for (size_t i = 0; i < s->table_count; i++) {
        const tain_sqlite_table *t = s->tables[i];
        if (!t->id || t->renumber || !tain_sqlite_is_live(t)) continue;
        TAIN_TRY(tain_sqlite_runf(&s->shadow, err, "DELETE FROM d%lld WHERE gen <= %lld; DELETE FROM s%lld WHERE val IS NULL AND gen <= %lld",
                                  (long long)t->id, (long long)generation, (long long)t->id, (long long)generation));
    }
    return TAIN_OK;
}

tain_status tain_sqlite_shadow_confirm(tain_sqlite *s, const tain_position *position, tain_error *err)
{
    if (tain_position_compare(position, &s->confirmed) <= 0) return TAIN_OK;
    s->confirmed = *position;
    TAIN_TRY(open_writable(s, err));
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        bool settled = t->news.state == TAIN_SQLITE_LOADED || (t->news.state == TAIN_SQLITE_TOLD && !t->news.reload);
        if (!settled || tain_position_compare(&t->news.at, position) > 0) continue;
        t->news.state = TAIN_SQLITE_NO_NEWS;
        t->dirty = true;
    }
    TAIN_TRY(tain_sqlite_run(&s->shadow, "BEGIN IMMEDIATE", err));
    tain_status st = forget_confirmed(s, strtoll(position->text, NULL, 10), err);
    if (st == TAIN_OK) st = tain_sqlite_keep(s, &s->shadow, err);
    return finish(s, st, err);
}

/* --- snapshots ----------------------------------------------------------------------------------------------------- */

static tain_status rebase(tain_sqlite *s, tain_sqlite_conn *c, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    int64_t generation;
    TAIN_TRY(next_generation(s, &generation, err));
    tain_sqlite_generation_position(generation, ret);
    s->data_version = -1; /* the stream has to reach this position as well */
    for (size_t i = 0; i < n; i++) {
        tain_sqlite_table *t = tain_sqlite_table_of(tables[i]);
        if (tain_sqlite_is_live(t) && t->id) TAIN_TRY(tain_sqlite_compare(s, c, t, generation, NULL, NULL, err));
    }
    return TAIN_OK;
}

tain_status tain_sqlite_shadow_rebase(tain_sqlite *s, tain_sqlite_conn *c, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    bool there;
    int64_t last;
    *ret = (tain_position){0};
    if (s->marked) {
        TAIN_TRY(tain_sqlite_run(&s->shadow, "BEGIN IMMEDIATE", err));
        return finish(s, rebase(s, c, tables, n, ret, err), err);
    }
    TAIN_TRY(tain_sqlite_shadow_look(s, err));
    TAIN_TRY(has_state(s, &there, err));
    if (!there) return TAIN_OK;
    TAIN_TRY(generation_of(s, &last, err));
    tain_sqlite_generation_position(last, ret);
    return TAIN_OK;
}
