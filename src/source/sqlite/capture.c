/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/sqlite.h"

enum { TRIES = 10 };

/* --- helpers ------------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_has_table(tain_sqlite_conn *c, const char *name, bool *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    TAIN_TRY(tain_sqlite_prepare(c, "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1", &stmt, err));
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    return tain_sqlite_step(c, stmt, ret, err);
}

static void tell(void (*say)(const char *), char *line)
{
    if (say) say(line);
    free(line);
}

tain_status tain_sqlite_open_log(tain_sqlite *s, tain_error *err)
{
    if (!s->log.db) TAIN_TRY(tain_sqlite_connect(&s->log, s->path, TAIN_SQLITE_WRITE, NULL, TAIN_SQLITE_WRITE_PATIENCE, err));
    if (sqlite3_db_readonly(s->log.db, "main") != 1) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "%s cannot be written to: no log of changes can be kept in it", s->path);
    tain_error_remedy(err, "make the file and its folder writable for tain, or use --capture=poll, which needs to read only");
    return st;
}

/* Names of that type that are ours -> their SQL; caller frees the values and the map. */
static tain_status list_ours(tain_sqlite_conn *c, const char *prefix, const char *type, tain_map *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(tain_sqlite_prepare(c, "SELECT name, sql FROM main.sqlite_schema WHERE type = ?1 AND substr(name, 1, length(?2) + 1) = ?2 || '$'", &stmt, err));
    sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, prefix, -1, SQLITE_STATIC);
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        free(tain_map_put(ret, (const char *)sqlite3_column_text(stmt, 0), tain_strdup((const char *)sqlite3_column_text(stmt, 1))));
    }
}

tain_status tain_sqlite_list_homes(tain_sqlite_conn *c, const char *prefix, tain_map *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(tain_sqlite_prepare(c, "SELECT tbl_name, CAST(substr(name, length(?1) + 2) AS INTEGER) FROM main.sqlite_schema WHERE type = 'trigger'"
                                    " AND substr(name, 1, length(?1) + 1) = ?1 || '$' AND substr(name, -7) = '$insert'", &stmt, err));
    sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        free(tain_map_put(ret, (const char *)sqlite3_column_text(stmt, 0), tain_strdup((const char *)sqlite3_column_text(stmt, 1))));
    }
}

static void free_ours(tain_map *m)
{
    const char *name;
    char *sql;
    TAIN_MAP_EACH(m, i, name, sql) free(sql);
    tain_map_done(m);
}

static tain_status drop(tain_sqlite_conn *c, const char *type, const char *name, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    tain_buffer_printf(&sql, "DROP %s IF EXISTS main.", type);
    tain_sqlite_put_name(&sql, name);
    return tain_sqlite_run(c, tain_buffer_cstr(&sql), err);
}

static tain_status drop_all(tain_sqlite_conn *c, const char *type, const tain_map *names, size_t *count, tain_error *err)
{
    const char *name;
    char *sql;
    TAIN_MAP_EACH(names, i, name, sql) {
        TAIN_TRY(drop(c, type, name, err));
        ++*count;
    }
    return TAIN_OK;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

tain_status tain_sqlite_triggers_state(tain_sqlite *s, const tain_sqlite_table *t, int *ret, tain_error *err)
{
    tain_sqlite_trigger triggers[TAIN_SQLITE_TRIGGERS_MOST];
    tain_map there = {0};
    size_t n = tain_sqlite_triggers(s->prefix, t->id, t->shape, triggers);
    tain_status st = list_ours(&s->db, s->prefix, "trigger", &there, err);
    *ret = 2;
    for (size_t i = 0; i < n; i++) {
        const char *sql = tain_map_get(&there, triggers[i].name);
        if (sql && strcmp(sql, triggers[i].sql) == 0) continue;
        int worth = triggers[i].conflicts && tain_sqlite_has_key(t->shape);
        if (worth < *ret) *ret = worth;
    }
    tain_sqlite_triggers_done(triggers, n);
    free_ours(&there);
    return st;
}

/* --- keeping ------------------------------------------------------------------------------------------------------- */

static const char *pending_of(const tain_sqlite_table *t)
{
    return t->news.state != TAIN_SQLITE_NO_NEWS && t->news.reload ? t->news.reason : NULL;
}

tain_status tain_sqlite_keep_table(tain_sqlite_conn *c, const char *prefix, tain_sqlite_table *t, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    char *sql = tain_format("INSERT INTO main.\"%s$meta\"(id, name, shape, pending) VALUES(?1, ?2, ?3, ?4)"
                            " ON CONFLICT(id) DO UPDATE SET name = excluded.name, shape = excluded.shape, pending = excluded.pending", prefix);
    char *shape = tain_sqlite_shape_text(t->shape, strcmp(t->table.identity, t->table.name) == 0 ? NULL : t->table.identity);
    tain_status st = tain_sqlite_prepare(c, sql, &stmt, err);
    free(sql);
    if (st == TAIN_OK) {
        sqlite3_bind_int64(stmt, 1, t->id);
        sqlite3_bind_text(stmt, 2, t->table.name, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 3, shape, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 4, pending_of(t), -1, SQLITE_STATIC);
        st = tain_sqlite_step(c, stmt, &row, err);
    }
    free(shape);
    if (st == TAIN_OK) t->dirty = false;
    return st;
}

static bool any_dirty(const tain_sqlite *s)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->dirty && s->tables[i]->id && s->tables[i]->shape) return true;
    return false;
}

static tain_status keep_all(tain_sqlite *s, tain_sqlite_conn *c, tain_error *err)
{
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (t->dirty && t->id && t->shape) TAIN_TRY(tain_sqlite_keep_table(c, s->prefix, t, err));
    }
    return TAIN_OK;
}

tain_status tain_sqlite_keep(tain_sqlite *s, tain_sqlite_conn *c, tain_error *err)
{
    if (!any_dirty(s)) return TAIN_OK;
    bool within = tain_sqlite_in_transaction(c);
    if (within) return keep_all(s, c, err);
    TAIN_TRY(tain_sqlite_run(c, "BEGIN IMMEDIATE", err));
    tain_status st = keep_all(s, c, err);
    if (st == TAIN_OK) st = tain_sqlite_run(c, "COMMIT", err);
    tain_sqlite_rollback(c);
    return st;
}

/* --- making -------------------------------------------------------------------------------------------------------- */

typedef struct making {
    tain_sqlite      *s;
    tain_sqlite_conn *c;
    void (*say)(const char *);
    tain_map          triggers, tables; /* ours that are there and not yet found to be wanted */
    int64_t           next_id;
    int64_t           mark;             /* seq of our row in the log, 0: none */
    size_t            made;             /* triggers, of the table at hand */
    bool              changed;
} making;

static tain_status make_log(making *m, bool *fresh, tain_error *err)
{
    const char *p = m->s->prefix;
    char *log = tain_format("%s$log", p);
    bool there;
    tain_status st = tain_sqlite_has_table(m->c, log, &there, err);
    *fresh = !there;
    if (st == TAIN_OK && !there) {
        m->changed = true;
        st = tain_sqlite_runf(m->c, err,
            "CREATE TABLE main.\"%s\"(seq INTEGER PRIMARY KEY, tbl INTEGER, at REAL, k1);"
            "DROP TABLE IF EXISTS main.\"%s$meta\";"
            "CREATE TABLE main.\"%s$meta\"(id INTEGER PRIMARY KEY, name TEXT, shape TEXT, pending TEXT)", log, p, p);
        if (st == TAIN_OK) tell(m->say, tain_format("created the table %s (keys of changed rows) in %s", log, m->s->path));
    }
    free(log);
    return st;
}

/* A row of our own: makes positions grow even over a file that was restored to an older state and is loaded again. */
static tain_status mark(making *m, tain_error *err)
{
    TAIN_TRY(tain_sqlite_runf(m->c, err, "INSERT INTO main.\"%s$log\"(seq, tbl, at) SELECT max(ifnull(max(seq), 0) + 1, %lld), 0, julianday('now') FROM main.\"%s$log\"",
                              m->s->prefix, (long long)tain_now(), m->s->prefix));
    m->mark = sqlite3_last_insert_rowid(m->c->db);
    m->s->marked = true;
    return TAIN_OK;
}

static tain_status widen_log(making *m, size_t keys, tain_error *err)
{
    int64_t columns;
    char *sql = tain_format("SELECT count(*) - 3 FROM pragma_table_info('%s$log', 'main')", m->s->prefix);
    tain_status st = tain_sqlite_number(m->c, sql, 0, &columns, err);
    free(sql);
    for (; st == TAIN_OK && (size_t)columns < keys; columns++)
        st = tain_sqlite_runf(m->c, err, "ALTER TABLE main.\"%s$log\" ADD COLUMN k%lld", m->s->prefix, (long long)columns + 1);
    return st;
}

/* True: it is there as wanted, and stays. */
static bool stays(tain_map *there, const char *name, const char *sql)
{
    char *old = tain_map_get(there, name);
    if (!old || strcmp(old, sql) != 0) return false;
    free(tain_map_remove(there, name));
    return true;
}

static tain_status make_trigger(making *m, const tain_sqlite_trigger *t, tain_error *err)
{
    if (stays(&m->triggers, t->name, t->sql)) return TAIN_OK;
    m->made++;
    TAIN_TRY(drop(m->c, "TRIGGER", t->name, err));
    free(tain_map_remove(&m->triggers, t->name));
    return tain_sqlite_run(m->c, t->sql, err);
}

static tain_status make_table(making *m, const char *what, const tain_sqlite_table *t, const char *sql, tain_error *err)
{
    char *name = tain_format("%s$%s$%lld", m->s->prefix, what, (long long)t->id);
    tain_status st = TAIN_OK;
    if (!stays(&m->tables, name, sql)) {
        st = drop(m->c, "TABLE", name, err);
        free(tain_map_remove(&m->tables, name));
        if (st == TAIN_OK) st = tain_sqlite_run(m->c, sql, err);
    }
    free(name);
    return st;
}

static tain_status make_rows_tables(making *m, const tain_sqlite_table *t, tain_error *err)
{
    if (tain_sqlite_has_key(t->shape)) return TAIN_OK;
    char *candidates, *rows = tain_sqlite_rows_table(m->s->prefix, t->id, t->shape, &candidates);
    tain_status st = make_table(m, "rows", t, rows, err);
    if (st == TAIN_OK && candidates) st = make_table(m, "cand", t, candidates, err);
    free(rows);
    free(candidates);
    return st;
}

static tain_status make_triggers(making *m, const tain_sqlite_table *t, tain_error *err)
{
    tain_sqlite_trigger triggers[TAIN_SQLITE_TRIGGERS_MOST];
    size_t n = tain_sqlite_triggers(m->s->prefix, t->id, t->shape, triggers);
    tain_status st = TAIN_OK;
    m->made = 0;
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = make_trigger(m, &triggers[i], err);
    tain_sqlite_triggers_done(triggers, n);
    if (st == TAIN_OK && m->made) tell(m->say, tain_format("created %zu triggers on main.%s", m->made, t->table.name));
    return st;
}

/* Only what OR REPLACE does was not seen: nothing is missing if the table was not touched since our position. */
static tain_status settle_doubt(making *m, tain_sqlite_table *t, tain_error *err)
{
    int64_t touched = 1;
    char *sql = tain_format("SELECT 1 FROM main.\"%s$log\" WHERE tbl = %lld AND seq > %lld LIMIT 1", m->s->prefix, (long long)t->id, (long long)m->s->seq);
    tain_status st = m->s->started ? tain_sqlite_number(m->c, sql, 0, &touched, err) : TAIN_OK;
    free(sql);
    t->doubtful = false;
    if (st == TAIN_OK && touched) tain_sqlite_queue(t, true, "a unique index was added: rows replaced through it may have been missed");
    return st;
}

static tain_status make_capture(making *m, tain_sqlite_table *t, bool fresh, tain_error *err)
{
    if (t->doubtful) TAIN_TRY(settle_doubt(m, t, err));
    if (!t->id || fresh || t->renumber) {
        t->id = m->next_id++;
        t->dirty = true;
        t->renumber = false;
    }
    if (tain_sqlite_has_key(t->shape)) TAIN_TRY(widen_log(m, t->shape->key_count, err));
    TAIN_TRY(make_rows_tables(m, t, err));
    TAIN_TRY(make_triggers(m, t, err));
    m->changed |= m->made || t->dirty;
    return TAIN_OK;
}

static tain_status make_captures(making *m, bool fresh, tain_error *err)
{
    char *sql = tain_format("SELECT ifnull(max(id), 0) + 1 FROM main.\"%s$meta\"", m->s->prefix);
    tain_status st = tain_sqlite_number(m->c, sql, 1, &m->next_id, err);
    free(sql);
    for (size_t i = 0; i < m->s->table_count && st == TAIN_OK; i++) {
        tain_sqlite_table *t = m->s->tables[i];
        if (!tain_sqlite_is_live(t)) continue;
        st = make_capture(m, t, fresh, err);
        if (st != TAIN_OK) tain_error_context(err, "table main.%s", t->table.name);
    }
    return st;
}

/* Numbers stay taken: rows of the log still bear them. */
static tain_status forget_gone(making *m, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    tain_buffer_printf(&sql, "UPDATE main.\"%s$meta\" SET name = NULL, shape = NULL, pending = NULL WHERE name IS NOT NULL AND id NOT IN (0", m->s->prefix);
    for (size_t i = 0; i < m->s->table_count; i++)
        if (tain_sqlite_is_live(m->s->tables[i])) tain_buffer_printf(&sql, ",%lld", (long long)m->s->tables[i]->id);
    tain_buffer_append_str(&sql, ")");
    return tain_sqlite_run(m->c, tain_buffer_cstr(&sql), err);
}

static tain_status drop_leftovers(making *m, tain_error *err)
{
    static const char *const fixed[] = {"log", "meta"};
    size_t dropped = 0;
    for (size_t i = 0; i < 2; i++) {
        char *name = tain_format("%s$%s", m->s->prefix, fixed[i]);
        free(tain_map_remove(&m->tables, name));
        free(name);
    }
    TAIN_TRY(drop_all(m->c, "TRIGGER", &m->triggers, &dropped, err));
    TAIN_TRY(drop_all(m->c, "TABLE", &m->tables, &dropped, err));
    return forget_gone(m, err);
}

/* The last statement of ours: what comes after it is another's. */
static tain_status keep_version(making *m, tain_error *err)
{
    int64_t now;
    TAIN_TRY(tain_sqlite_number(m->c, "PRAGMA main.schema_version", 0, &now, err));
    if (now == m->s->kept_version) return TAIN_OK;
    return tain_sqlite_runf(m->c, err, "INSERT INTO main.\"%s$meta\"(id, shape) VALUES(0, %lld) ON CONFLICT(id) DO UPDATE SET shape = excluded.shape", m->s->prefix,
                            (long long)now);
}

static tain_status make_all(making *m, bool *fresh, tain_error *err)
{
    TAIN_TRY(list_ours(m->c, m->s->prefix, "trigger", &m->triggers, err));
    TAIN_TRY(list_ours(m->c, m->s->prefix, "table", &m->tables, err));
    TAIN_TRY(make_log(m, fresh, err));
    TAIN_TRY(make_captures(m, *fresh, err));
    TAIN_TRY(drop_leftovers(m, err));
    TAIN_TRY(keep_all(m->s, m->c, err));
    if (m->changed || !m->s->marked) TAIN_TRY(mark(m, err));
    return keep_version(m, err);
}

static tain_status still_as_looked_at(making *m, bool *ret, tain_error *err)
{
    int64_t version;
    TAIN_TRY(tain_sqlite_number(m->c, "PRAGMA main.schema_version", 0, &version, err));
    *ret = version == m->s->schema_version;
    return TAIN_OK;
}

static tain_status version_of(const making *m, int64_t *ret, tain_error *err)
{
    return tain_sqlite_number(&m->s->db, "PRAGMA main.data_version", -1, ret, err);
}

/* What was found out about values before our transaction, in which nobody else could write, still holds after it if the
 * newest change in the log is our own, and no table was made anew, with rows that nobody logged. */
static tain_status carry_scans(making *m, int64_t before, tain_error *err)
{
    tain_position at;
    int64_t after, last, schema = -1;
    tain_time time;
    TAIN_TRY(tain_sqlite_run(&m->s->db, "BEGIN", err));
    tain_status st = tain_sqlite_log_end(m->s, &m->s->db, &at, &last, &time, err);
    if (st == TAIN_OK) st = version_of(m, &after, err);
    if (st == TAIN_OK) st = tain_sqlite_number(&m->s->db, "PRAGMA main.schema_version", 0, &schema, err);
    tain_sqlite_rollback(&m->s->db);
    bool ours = last == m->mark && schema == m->s->schema_version;
    for (size_t i = 0; i < m->s->table_count && st == TAIN_OK && ours; i++) {
        tain_sqlite_table *t = m->s->tables[i];
        if (before >= 0 && t->scanned == before && tain_sqlite_is_live(t)) t->scanned = after;
    }
    return st;
}

static tain_status make_in_transaction(making *m, bool *fresh, bool *done, tain_error *err)
{
    TAIN_TRY(tain_sqlite_run(m->c, "BEGIN IMMEDIATE", err));
    TAIN_TRY(still_as_looked_at(m, done, err));
    if (!*done) return TAIN_OK;
    int64_t schema, before;
    TAIN_TRY(version_of(m, &before, err));
    TAIN_TRY(make_all(m, fresh, err));
    TAIN_TRY(tain_sqlite_number(m->c, "PRAGMA main.schema_version", 0, &schema, err));
    TAIN_TRY(tain_sqlite_run(m->c, "COMMIT", err));
    m->s->schema_version = schema;
    return m->mark ? carry_scans(m, before, err) : TAIN_OK;
}

static tain_status try_install(tain_sqlite *s, void (*say)(const char *), bool *fresh, bool *done, tain_error *err)
{
    TAIN_TRY(tain_sqlite_look(s, err));
    making m = {.s = s, .c = &s->log, .say = say};
    tain_status st = make_in_transaction(&m, fresh, done, err);
    tain_sqlite_rollback(m.c);
    free_ours(&m.triggers);
    free_ours(&m.tables);
    return st;
}

/* Where nothing before now can be streamed, everything is loaded anyway. */
static void clear_news(tain_sqlite *s)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->news.state == TAIN_SQLITE_QUEUED) s->tables[i]->news.state = TAIN_SQLITE_NO_NEWS;
}

tain_status tain_sqlite_install(tain_sqlite *s, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    bool done = false, fresh = false;
    tain_status st = tain_sqlite_open_log(s, err);
    s->log.cancelled = &s->cancelled; /* may wait long for a writer; what a stopping mirror writes last may not be cancelled */
    for (int i = 0; i < TRIES && st == TAIN_OK && !done; i++) st = try_install(s, say, &fresh, &done, err);
    s->log.cancelled = NULL;
    TAIN_TRY(st);
    if (!done) return tain_fail(err, TAIN_E_BUSY, "%s: its schema keeps changing", s->path);
    if (fresh) clear_news(s);
    *ret_fresh = fresh;
    return TAIN_OK;
}

/* --- removing ------------------------------------------------------------------------------------------------------ */

static tain_status remove_all(tain_sqlite *s, size_t *count, tain_error *err)
{
    tain_map triggers = {0}, tables = {0};
    tain_status st = tain_sqlite_run(&s->log, "BEGIN IMMEDIATE", err);
    if (st == TAIN_OK) st = list_ours(&s->log, s->prefix, "trigger", &triggers, err);
    if (st == TAIN_OK) st = list_ours(&s->log, s->prefix, "table", &tables, err);
    if (st == TAIN_OK) st = drop_all(&s->log, "TRIGGER", &triggers, count, err);
    if (st == TAIN_OK) st = drop_all(&s->log, "TABLE", &tables, count, err);
    if (st == TAIN_OK) st = tain_sqlite_run(&s->log, "COMMIT", err);
    tain_sqlite_rollback(&s->log);
    free_ours(&triggers);
    free_ours(&tables);
    return st;
}

/* Nothing to remove can be found out in a file that cannot be written to. */
static tain_status any_of_ours(tain_sqlite *s, bool *ret, tain_error *err)
{
    tain_map triggers = {0}, tables = {0};
    tain_status st = list_ours(&s->db, s->prefix, "trigger", &triggers, err);
    if (st == TAIN_OK) st = list_ours(&s->db, s->prefix, "table", &tables, err);
    *ret = triggers.count + tables.count > 0;
    free_ours(&triggers);
    free_ours(&tables);
    return st;
}

tain_status tain_sqlite_remove_log(tain_sqlite *s, tain_time patience, void (*say)(const char *), tain_error *err)
{
    size_t count = 0;
    bool any;
    TAIN_TRY(any_of_ours(s, &any, err));
    if (!any) return TAIN_OK;
    TAIN_TRY(tain_sqlite_open_log(s, err));
    s->log.patience = patience;
    tain_status st = remove_all(s, &count, err);
    s->log.patience = TAIN_SQLITE_WRITE_PATIENCE;
    if (st == TAIN_OK) tell(say, tain_format("removed %zu triggers and tables of the mirror from %s", count, s->path));
    return st;
}

tain_status tain_sqlite_uninstall(tain_sqlite *s, void (*say)(const char *), tain_error *err)
{
    TAIN_TRY(tain_sqlite_remove_log(s, TAIN_SQLITE_WRITE_PATIENCE, say, err));
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->id = 0;
    s->started = s->prune_wanted = false;
    s->data_version = -1;
    return TAIN_OK;
}
