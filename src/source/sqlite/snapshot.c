/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "source/sqlite/aside.h"
#include "source/sqlite/slices.h"
#include "source/sqlite/snapshot.h"

enum { TRIES = 10, TRIES_IN_SLICES = 7 };

/* --- fixing the content --------------------------------------------------------------------------------------------- */

static tain_status version_of(tain_sqlite *s, int64_t *ret, tain_error *err)
{
    return tain_sqlite_number(&s->db, "PRAGMA main.data_version", -1, ret, err);
}

static tain_status begin_reading(tain_sqlite_conn *c, tain_error *err)
{
    int64_t any;
    TAIN_TRY(tain_sqlite_run(c, "BEGIN", err));
    return tain_sqlite_number(c, "SELECT count(*) FROM (SELECT 1 FROM main.sqlite_schema LIMIT 1)", 0, &any, err);
}

/* With a rollback journal nothing else is read meanwhile: a writer that waits for us lets nobody begin, and us neither. */
static tain_status begin_transaction(tain_sqlite *s, bool wal, tain_error *err)
{
    tain_sqlite_snapshot *snap = s->snapshot;
    int64_t before, after;
    snap->version = -1;
    if (!wal) return begin_reading(snap->conn, err);
    TAIN_TRY(version_of(s, &before, err));
    TAIN_TRY(begin_reading(snap->conn, err));
    TAIN_TRY(version_of(s, &after, err));
    snap->version = before == after ? before : -1;
    return TAIN_OK;
}

/* A mirror's own process brings capture up to date as well; anybody else only looks. */
static tain_status look_again(tain_sqlite *s, tain_error *err)
{
    bool fresh;
    if (!s->marked) return tain_sqlite_look(s, err);
    return s->options.poll_capture ? tain_sqlite_shadow_prepare(s, NULL, &fresh, err) : tain_sqlite_install(s, NULL, &fresh, err);
}

/* False: the schema is not the one that was looked at; it has been looked at again. */
static tain_status fix_content(tain_sqlite *s, bool wal, bool *ret, tain_error *err)
{
    int64_t version;
    s->snapshot->conn = &s->snapshot->live;
    TAIN_TRY(begin_transaction(s, wal, err));
    TAIN_TRY(tain_sqlite_number(s->snapshot->conn, "PRAGMA main.schema_version", 0, &version, err));
    *ret = version == s->schema_version;
    if (*ret) return TAIN_OK;
    tain_sqlite_rollback(s->snapshot->conn);
    return look_again(s, err);
}

/* --- out of the writers' way: with a rollback journal nobody can commit while we read ------------------------------------- */

static tain_status copy_into(tain_sqlite_conn *to, tain_sqlite_conn *from, tain_error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!b) return tain_sqlite_fail(to, err);
    int code = sqlite3_backup_step(b, -1);
    sqlite3_backup_finish(b);
    return code == SQLITE_DONE ? TAIN_OK : tain_sqlite_fail(to, err);
}

static tain_status has_room(tain_sqlite *s, bool *ret, tain_error *err)
{
    int64_t bytes;
    TAIN_TRY(tain_sqlite_number(&s->snapshot->live, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", 0, &bytes, err));
    *ret = tain_sqlite_aside_has_room(s, bytes);
    return TAIN_OK;
}

/* Where there is no log that could make good what changes meanwhile, all of the file is copied in one go. */
static tain_status copy_at_once(tain_sqlite *s, tain_error *err)
{
    tain_sqlite_snapshot *snap = s->snapshot;
    char *path = NULL;
    bool room;
    TAIN_TRY(has_room(s, &room, err));
    if (!room) return TAIN_OK;
    TAIN_TRY(tain_sqlite_aside_open(s, &snap->copy, &path, err));
    unlink(path); /* the connection keeps it; a crash leaves nothing */
    free(path);
    TAIN_TRY(copy_into(&snap->copy, &snap->live, err));
    tain_sqlite_rollback(&snap->live);
    snap->conn = &snap->copy;
    return begin_reading(snap->conn, err);
}

static tain_status has_log(tain_sqlite *s, bool *ret, tain_error *err)
{
    tain_position at;
    int64_t seq;
    tain_time time;
    TAIN_TRY(tain_sqlite_log_end(s, &s->snapshot->live, &at, &seq, &time, err));
    *ret = seq > 0;
    return TAIN_OK;
}

/* Whether the log tells all that changes in those tables. */
static tain_status can_slice(tain_sqlite *s, tain_source_table **tables, size_t n, bool *ret, tain_error *err)
{
    *ret = false;
    if (s->options.poll_capture) return TAIN_OK;
    TAIN_TRY(has_room(s, ret, err));
    if (*ret) TAIN_TRY(has_log(s, ret, err));
    for (size_t i = 0; i < n && *ret; i++) {
        const tain_sqlite_table *t = tain_sqlite_table_of(tables[i]);
        int state = 2;
        if (!tain_sqlite_is_live(t)) continue;
        if (t->id) TAIN_TRY(tain_sqlite_triggers_state(s, t, &state, err));
        *ret = t->id && !t->renumber && state == 2;
    }
    return TAIN_OK;
}

/* False: look and try again. */
static tain_status copy_in_slices(tain_sqlite *s, tain_source_table **tables, size_t n, bool *ret, tain_error *err)
{
    tain_sqlite_aside_end end;
    tain_sqlite_snapshot *snap = s->snapshot;
    snap->version = -1;
    TAIN_TRY(tain_sqlite_aside_tables(s, tables, n, &snap->copy, &end, err));
    *ret = end == TAIN_SQLITE_ASIDE_DONE;
    if (end == TAIN_SQLITE_ASIDE_STALE) return look_again(s, err);
    if (!*ret) return TAIN_OK;
    snap->conn = &snap->copy;
    return begin_reading(snap->conn, err);
}

/* --- types must hold for every value of it --------------------------------------------------------------------------- */

static tain_status settle_types(tain_sqlite *s, tain_sqlite_table *t, bool *io_key_changed, tain_error *err)
{
    bool keyed = tain_sqlite_has_key(t->shape);
    if (t->scanned >= 0 && t->scanned == s->snapshot->version) return TAIN_OK;
    TAIN_TRY(tain_sqlite_scan(s->snapshot->conn, t->shape, &t->marks, NULL, NULL, err));
    t->scanned = s->snapshot->version;
    t->dirty = true;
    tain_sqlite_show(s, t);
    *io_key_changed |= keyed != tain_sqlite_has_key(t->shape);
    return TAIN_OK;
}

static tain_status settle_all(tain_sqlite *s, tain_source_table **tables, size_t n, bool *ret_key_changed, tain_error *err)
{
    *ret_key_changed = false;
    for (size_t i = 0; i < n; i++) {
        tain_sqlite_table *t = tain_sqlite_table_of(tables[i]);
        if (tain_sqlite_is_live(t)) TAIN_TRY(settle_types(s, t, ret_key_changed, err));
    }
    return TAIN_OK;
}

static void note_load(tain_sqlite_table *t, const tain_position *at)
{
    t->renumber = false; /* its triggers are as they must be */
    if (t->news.state == TAIN_SQLITE_NO_NEWS) return;
    t->news.state = TAIN_SQLITE_LOADED;
    t->news.at = *at;
}

/* Kept at once if nobody is in the way, else with the next write of ours. */
static tain_status keep_types(tain_sqlite *s, tain_error *err)
{
    tain_sqlite_conn *c = s->options.poll_capture ? &s->shadow : &s->log;
    if (!c->db) return TAIN_OK;
    tain_time patience = c->patience;
    c->patience = 0;
    tain_status st = tain_sqlite_keep(s, c, err);
    c->patience = patience;
    return st == TAIN_E_BUSY ? TAIN_OK : st;
}

/* --- begin and end -------------------------------------------------------------------------------------------------- */

static tain_status position_of(tain_sqlite *s, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    int64_t seq;
    tain_time time;
    if (s->options.poll_capture) return tain_sqlite_shadow_rebase(s, s->snapshot->conn, tables, n, ret, err);
    return tain_sqlite_log_end(s, s->snapshot->conn, ret, &seq, &time, err);
}

static void make_views(tain_sqlite *s, tain_source_table **tables, size_t n)
{
    tain_sqlite_snapshot *snap = s->snapshot;
    snap->views = tain_alloc((n + 1) * sizeof *snap->views);
    for (size_t i = 0; i < n; i++) {
        tain_sqlite_table *t = tain_sqlite_table_of(tables[i]);
        if (tain_sqlite_is_live(t)) tain_sqlite_view_init(&snap->views[snap->view_count++], t);
    }
}

/* False: look and try again. */
static tain_status try_begin(tain_sqlite *s, tain_source_table **tables, size_t n, bool in_slices, bool *ret_done, tain_error *err)
{
    bool wal, sliced = false, key_changed;
    TAIN_TRY(tain_sqlite_is_wal(&s->snapshot->live, &wal, err));
    if (!wal && in_slices) TAIN_TRY(can_slice(s, tables, n, &sliced, err));
    TAIN_TRY(sliced ? copy_in_slices(s, tables, n, ret_done, err) : fix_content(s, wal, ret_done, err));
    if (*ret_done && !wal && !sliced) TAIN_TRY(copy_at_once(s, err));
    if (!*ret_done) return TAIN_OK;
    TAIN_TRY(settle_all(s, tables, n, &key_changed, err));
    if (!key_changed || !s->marked) return TAIN_OK;
    *ret_done = false; /* it needs other triggers */
    s->schema_version = -1;
    tain_sqlite_rollback(&s->snapshot->live);
    tain_sqlite_disconnect(&s->snapshot->copy);
    return TAIN_OK;
}

static tain_status begin(tain_sqlite *s, tain_source_table **tables, size_t n, tain_position *ret, tain_error *err)
{
    bool done = false;
    TAIN_TRY(tain_sqlite_connect(&s->snapshot->live, s->path, TAIN_SQLITE_READ, &s->cancelled, TAIN_SQLITE_READ_PATIENCE, err));
    s->snapshot->live.beat = &s->source.beat;
    for (int i = 0; i < TRIES && !done; i++) TAIN_TRY(try_begin(s, tables, n, i < TRIES_IN_SLICES, &done, err));
    if (!done) return tain_fail(err, TAIN_E_BUSY, "%s: its schema keeps changing", s->path);
    TAIN_TRY(position_of(s, tables, n, ret, err));
    make_views(s, tables, n);
    if (!s->marked) return TAIN_OK;
    for (size_t i = 0; i < n; i++) note_load(tain_sqlite_table_of(tables[i]), ret);
    return keep_types(s, err);
}

tain_status tain_sqlite_snapshot_begin(tain_source *source, tain_source_table **tables, size_t n, tain_position *ret_position, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    TAIN_TRY(tain_sqlite_check_cancel(s, err));
    TAIN_TRY(tain_sqlite_check_file(s, err));
    TAIN_TRY(tain_sqlite_snapshot_end(source, err));
    s->snapshot = tain_alloc(sizeof *s->snapshot);
    pthread_mutex_init(&s->snapshot->lock, NULL);
    tain_status st = begin(s, tables, n, ret_position, err);
    if (st != TAIN_OK && tain_sqlite_snapshot_end(source, NULL) != TAIN_OK) return st;
    return st;
}

tain_status tain_sqlite_snapshot_end(tain_source *source, tain_error *err)
{
    tain_sqlite *s = tain_sqlite_of(source);
    tain_sqlite_snapshot *snap = s->snapshot;
    if (!snap) return TAIN_OK;
    for (size_t i = 0; i < snap->view_count; i++) tain_sqlite_view_done(&snap->views[i]);
    free(snap->views);
    tain_sqlite_disconnect(&snap->copy);
    tain_sqlite_disconnect(&snap->live);
    pthread_mutex_destroy(&snap->lock);
    free(snap);
    s->snapshot = NULL;
    return TAIN_OK;
}
