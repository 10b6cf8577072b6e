/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "source/sqlite/aside.h"
#include "source/sqlite/slices.h"

enum {
    PASSES = 3,   /* over a schema that keeps changing, before poll looks at its deadline */
    DIRECT = 500, /* log rows that are read while writers may have to wait */
};

typedef struct pass { /* one read transaction and what of it is delivered */
    tain_sqlite  *s;
    tain_sqlite_conn *conn, aside; /* what is read: the file, or what was gathered of it */
    tain_sink    *sink;
    tain_position at;
    int64_t       from, to; /* log rows (from, to] */
    tain_time     time;
} pass;

/* --- positions ----------------------------------------------------------------------------------------------------- */

static int64_t milliseconds(double julian_day)
{
    return (int64_t)llround((julian_day - 2440587.5) * 86400000.0);
}

static void make_position(int64_t seq, double julian_day, tain_position *ret)
{
    snprintf(ret->text, sizeof ret->text, "%020lld-%012llx", (long long)seq, (unsigned long long)milliseconds(julian_day) & 0xffffffffffffu);
}

static tain_status read_log(tain_sqlite *s, tain_sqlite_conn *c, bool newest, tain_position *ret, int64_t *ret_seq, tain_time *ret_time, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    char *name = tain_format("%s$log", s->prefix), *sql = tain_format("SELECT seq, at FROM main.\"%s\" ORDER BY seq %s LIMIT 1", name, newest ? "DESC" : "ASC");
    tain_status st = tain_sqlite_has_table(c, name, &row, err);
    *ret = (tain_position){0};
    *ret_seq = *ret_time = 0;
    if (st == TAIN_OK && row) {
        st = tain_sqlite_prepare(c, sql, &stmt, err);
        if (st == TAIN_OK) st = tain_sqlite_step(c, stmt, &row, err);
        if (st == TAIN_OK && row) {
            *ret_seq = sqlite3_column_int64(stmt, 0);
            *ret_time = milliseconds(sqlite3_column_double(stmt, 1)) * TAIN_MILLISECOND;
            make_position(*ret_seq, sqlite3_column_double(stmt, 1), ret);
        }
    }
    free(name);
    free(sql);
    return st;
}

tain_status tain_sqlite_log_end(tain_sqlite *s, tain_sqlite_conn *c, tain_position *ret, int64_t *ret_seq, tain_time *ret_time, tain_error *err)
{
    return read_log(s, c, true, ret, ret_seq, ret_time, err);
}

tain_status tain_sqlite_log_begin(tain_sqlite *s, tain_position *ret, tain_error *err)
{
    int64_t seq;
    tain_time time;
    return read_log(s, &s->db, false, ret, &seq, &time, err);
}

/* --- is it still the file that it was? ------------------------------------------------------------------------------- */

static tain_status gone(tain_error *err, const char *remedy, tain_status st)
{
    tain_error_remedy(err, "%s", remedy);
    return st;
}

/* Comparison takes any file. */
static tain_status open_other(tain_sqlite *s, const struct stat *st, tain_error *err)
{
    tain_sqlite_conn other;
    TAIN_TRY(tain_sqlite_connect(&other, s->path, TAIN_SQLITE_READ, &s->cancelled, s->db.patience, err));
    tain_sqlite_disconnect(&other);
    for (size_t i = 0; i < s->table_count; i++) tain_sqlite_forget_query(s->tables[i]);
    tain_sqlite_disconnect(&s->db);
    TAIN_TRY(tain_sqlite_connect(&s->db, s->path, TAIN_SQLITE_READ, &s->cancelled, TAIN_SQLITE_READ_PATIENCE, err));
    s->db.beat = &s->source.beat;
    tain_sqlite_watch_again(s->watch);
    s->device = st->st_dev;
    s->inode = st->st_ino;
    s->data_version = s->schema_version = -1;
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->scanned = -1;
    return TAIN_OK;
}

tain_status tain_sqlite_check_file(tain_sqlite *s, tain_error *err)
{
    struct stat st;
    bool there = stat(s->path, &st) == 0;
    if (there && st.st_ino == s->inode && st.st_dev == s->device) return TAIN_OK;
    if (s->options.poll_capture && there) return open_other(s, &st, err);
    if (s->options.poll_capture) return tain_fail(err, TAIN_E_UNAVAILABLE, "%s is not there", s->path);
    return gone(err, "start again; if the log of changes is not in the new file, reload with --resync",
                tain_fail(err, TAIN_E_GONE, there ? "%s was replaced by another file" : "%s is not there any more", s->path));
}

/* The row at the position is still there: the newest one confirmed is never deleted. */
static tain_status find_position(tain_sqlite *s, const tain_position *p, int64_t seq, bool *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    tain_position there;
    char *sql = tain_format("SELECT at FROM main.\"%s$log\" WHERE seq = ?1", s->prefix);
    tain_status st = tain_sqlite_prepare(&s->db, sql, &stmt, err);
    free(sql);
    TAIN_TRY(st);
    sqlite3_bind_int64(stmt, 1, seq);
    TAIN_TRY(tain_sqlite_step(&s->db, stmt, ret, err));
    if (!*ret) return TAIN_OK;
    make_position(seq, sqlite3_column_double(stmt, 0), &there);
    *ret = strcmp(there.text, p->text) == 0;
    return TAIN_OK;
}

static tain_status check_position(tain_sqlite *s, const tain_position *p, int64_t seq, tain_error *err)
{
    static const char remedy[] = "reload with --resync";
    tain_position end;
    int64_t last;
    tain_time time;
    bool found;
    if (!p->text[0]) return TAIN_OK;
    TAIN_TRY(tain_sqlite_log_end(s, &s->db, &end, &last, &time, err));
    if (!end.text[0])
        return gone(err, remedy, tain_fail(err, TAIN_E_GONE, "%s does not hold this mirror's log of changes: it was removed, or the file was replaced", s->path));
    TAIN_TRY(find_position(s, p, seq, &found, err));
    if (found) return TAIN_OK;
    if (last < seq)
        return gone(err, remedy, tain_fail(err, TAIN_E_GONE, "%s was restored to an older state: its log ends before the mirror's position", s->path));
    return gone(err, remedy, tain_fail(err, TAIN_E_GONE, "%s was replaced or restored: its log does not hold the mirror's position", s->path));
}

tain_status tain_sqlite_follow_start(tain_sqlite *s, const tain_position *position, tain_error *err)
{
    int64_t seq = strtoll(position->text, NULL, 10);
    TAIN_TRY(tain_sqlite_run(&s->db, "BEGIN", err));
    tain_status st = check_position(s, position, seq, err);
    tain_sqlite_rollback(&s->db);
    if (st == TAIN_OK) s->seq = seq;
    return st;
}

/* --- tables with a key ---------------------------------------------------------------------------------------------- */

/* Keys touched, each once: typeof keeps apart what compares equal. Then the key, whether its row is there, the row. */
static char *keyed_sql(const tain_sqlite *s, const tain_sqlite_shape *shape)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    for (size_t i = 1; i <= shape->key_count; i++) tain_buffer_printf(&sql, "d.k%zu,", i);
    tain_buffer_append_str(&sql, "t.");
    tain_sqlite_put_name(&sql, shape->columns[shape->key[0]].name);
    tain_buffer_append_str(&sql, " IS NOT NULL");
    for (size_t i = 0; i < shape->count; i++) {
        tain_buffer_append_str(&sql, ",t.");
        tain_sqlite_put_name(&sql, shape->columns[i].name);
    }
    tain_buffer_append_str(&sql, " FROM (SELECT DISTINCT ");
    for (size_t i = 1; i <= shape->key_count; i++) tain_buffer_printf(&sql, "%sk%zu,typeof(k%zu)", i > 1 ? "," : "", i, i);
    tain_buffer_printf(&sql, " FROM main.\"%s$log\" WHERE tbl=?1 AND seq>?2 AND seq<=?3) AS d LEFT JOIN main.", s->prefix);
    tain_sqlite_put_name(&sql, shape->name);
    tain_buffer_append_str(&sql, " AS t ON ");
    for (size_t i = 0; i < shape->key_count; i++) {
        tain_buffer_append_str(&sql, i ? " AND t." : "t.");
        tain_sqlite_put_name(&sql, shape->columns[shape->key[i]].name);
        tain_buffer_printf(&sql, "=d.k%zu COLLATE ", i + 1);
        tain_sqlite_put_name(&sql, shape->collations[i]);
    }
    return tain_buffer_cstr(&sql);
}

/* The key's values by column, everything else NULL. */
static void read_key(tain_sqlite_table *t, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < t->shape->count; i++) t->values[i] = (tain_sqlite_value){.type = SQLITE_NULL};
    for (size_t i = 0; i < t->shape->key_count; i++) t->values[t->shape->key[i]] = tain_sqlite_value_at(stmt, (int)i);
}

static void read_row(tain_sqlite_table *t, sqlite3_stmt *stmt, size_t first)
{
    for (size_t i = 0; i < t->shape->count; i++) t->values[i] = tain_sqlite_value_at(stmt, (int)(first + i));
}

/* Collations find a row whose key is not the one logged, byte for byte: that one went then. */
static bool is_other_key(const tain_sqlite_table *t, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < t->shape->key_count; i++) {
        tain_sqlite_value logged = tain_sqlite_value_at(stmt, (int)i), there = tain_sqlite_value_at(stmt, (int)(t->shape->key_count + 1 + t->shape->key[i]));
        if (!tain_sqlite_value_same(&logged, &there)) return true;
    }
    return false;
}

/* A key of a kind that was never mirrored, and is not there now, needs no deletion. */
static bool is_known_kind(const tain_sqlite_table *t)
{
    for (size_t i = 0; i < t->shape->key_count; i++) {
        const tain_sqlite_column *c = &t->shape->columns[t->shape->key[i]];
        const tain_sqlite_value *v = &t->values[t->shape->key[i]];
        if (tain_sqlite_seen(v, true) & (TAIN_SEEN_CLASSES | TAIN_SEEN_BAD_TEXT) & ~c->seen) return false;
    }
    return true;
}

static bool has_null(const tain_sqlite_table *t)
{
    for (size_t i = 0; i < t->shape->key_count; i++)
        if (t->values[t->shape->key[i]].type == SQLITE_NULL) return true;
    return false;
}

static tain_status deliver_key(pass *p, tain_sqlite_table *t, sqlite3_stmt *stmt, bool *changed, tain_error *err)
{
    bool there = sqlite3_column_int(stmt, (int)t->shape->key_count) != 0;
    if (!there || is_other_key(t, stmt)) {
        read_key(t, stmt);
        if (has_null(t)) return tain_sqlite_learn(p->s, t, p->sink, &p->at, changed, err);
        if (is_known_kind(t)) tain_sqlite_emit(t, p->sink, t->values, TAIN_DELETE_IF);
    }
    if (!there) return TAIN_OK;
    read_row(t, stmt, t->shape->key_count + 1);
    TAIN_TRY(tain_sqlite_learn(p->s, t, p->sink, &p->at, changed, err));
    if (!*changed) tain_sqlite_emit(t, p->sink, t->values, TAIN_UPSERT);
    return TAIN_OK;
}

/* --- tables without ------------------------------------------------------------------------------------------------- */

static char *keyless_sql(const tain_sqlite *s, const tain_sqlite_table *t)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT seq,op");
    for (size_t i = 1; i <= t->shape->count; i++) tain_buffer_printf(&sql, ",c%zu", i);
    tain_buffer_printf(&sql, " FROM main.\"%s$rows$%lld\" WHERE ?1 AND seq>?2 AND seq<=?3 ORDER BY n", s->prefix, (long long)t->id);
    return tain_buffer_cstr(&sql);
}

/* Rows are what happened, not what is: each belongs to its own place in the log. */
static tain_status deliver_row(pass *p, tain_sqlite_table *t, sqlite3_stmt *stmt, bool *changed, tain_error *err)
{
    tain_position at;
    snprintf(at.text, sizeof at.text, "%020lld-", (long long)sqlite3_column_int64(stmt, 0));
    read_row(t, stmt, 2);
    TAIN_TRY(tain_sqlite_learn(p->s, t, p->sink, &p->at, changed, err));
    if (*changed) return TAIN_OK;
    p->sink->begin(p->sink, &at);
    tain_sqlite_emit(t, p->sink, t->values, sqlite3_column_int(stmt, 1) ? TAIN_INSERT : TAIN_DELETE);
    return TAIN_OK;
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

void tain_sqlite_forget_query(tain_sqlite_table *t)
{
    sqlite3_finalize(t->query);
    t->query = NULL;
}

static tain_status make_query(pass *p, tain_sqlite_table *t, tain_error *err)
{
    if (t->query) return TAIN_OK;
    char *sql = tain_sqlite_has_key(t->shape) ? keyed_sql(p->s, t->shape) : keyless_sql(p->s, t);
    tain_status st = tain_sqlite_prepare(p->conn, sql, &t->query, err);
    free(sql);
    return st;
}

static tain_status deliver_rows(pass *p, tain_sqlite_table *t, tain_error *err)
{
    bool keyed = tain_sqlite_has_key(t->shape), changed = false, row;
    TAIN_TRY(make_query(p, t, err));
    sqlite3_bind_int64(t->query, 1, t->id);
    sqlite3_bind_int64(t->query, 2, p->from);
    sqlite3_bind_int64(t->query, 3, p->to);
    p->sink->begin(p->sink, &p->at);
    while (!changed) { /* a change of the table's types ends its query */
        TAIN_TRY(tain_sqlite_step(p->conn, t->query, &row, err));
        if (!row) return TAIN_OK;
        TAIN_TRY(keyed ? deliver_key(p, t, t->query, &changed, err) : deliver_row(p, t, t->query, &changed, err));
    }
    return TAIN_OK;
}

tain_sqlite_table *tain_sqlite_table_numbered(tain_sqlite *s, int64_t id)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->id == id) return s->tables[i];
    return NULL;
}

bool tain_sqlite_takes_rows(const tain_sqlite_table *t)
{
    bool awaits_load = t->news.reload && (t->news.state == TAIN_SQLITE_TOLD || t->news.state == TAIN_SQLITE_QUEUED);
    return t->told && t->id && tain_sqlite_is_live(t) && !awaits_load;
}

static tain_status deliver_table(pass *p, int64_t id, tain_error *err)
{
    tain_sqlite_table *t = id ? tain_sqlite_table_numbered(p->s, id) : NULL;
    if (!t || !tain_sqlite_takes_rows(t)) return TAIN_OK;
    if (p->aside.db) tain_sqlite_forget_query(t);
    tain_status st = deliver_rows(p, t, err);
    if (t->query) sqlite3_reset(t->query);
    if (p->aside.db) tain_sqlite_forget_query(t);
    if (st != TAIN_OK) tain_error_context(err, "table main.%s", t->table.name);
    return st;
}

/* --- one pass ------------------------------------------------------------------------------------------------------ */

static tain_status deliver_tables(pass *p, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    char *sql = tain_format("SELECT DISTINCT tbl FROM main.\"%s$log\" WHERE seq > ?1 AND seq <= ?2", p->s->prefix);
    tain_status st = tain_sqlite_prepare(p->conn, sql, &stmt, err);
    free(sql);
    TAIN_TRY(st);
    sqlite3_bind_int64(stmt, 1, p->from);
    sqlite3_bind_int64(stmt, 2, p->to);
    for (;;) {
        TAIN_TRY(tain_sqlite_step(p->conn, stmt, &row, err));
        if (!row) return TAIN_OK;
        TAIN_TRY(deliver_table(p, sqlite3_column_int64(stmt, 0), err));
    }
}

/* What takes long is gathered aside first, where it keeps nobody waiting. */
static tain_status gather_aside(pass *p, bool *ret_stale, tain_error *err)
{
    tain_sqlite_aside_end end;
    tain_sqlite_rollback(&p->s->db);
    TAIN_TRY(tain_sqlite_aside_changes(p->s, p->from, &p->aside, &end, err));
    *ret_stale = end != TAIN_SQLITE_ASIDE_DONE;
    if (*ret_stale) return TAIN_OK;
    p->conn = &p->aside;
    TAIN_TRY(tain_sqlite_run(p->conn, "BEGIN", err));
    return tain_sqlite_log_end(p->s, p->conn, &p->at, &p->to, &p->time, err);
}

static tain_status is_long(const pass *p, bool *ret, tain_error *err)
{
    int64_t bytes;
    *ret = false;
    if (p->to - p->from <= DIRECT || !p->from) return TAIN_OK;
    TAIN_TRY(tain_sqlite_is_wal(&p->s->db, ret, err));
    *ret = !*ret;
    if (!*ret) return TAIN_OK;
    TAIN_TRY(tain_sqlite_number(&p->s->db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", 0, &bytes, err));
    *ret = tain_sqlite_aside_has_room(p->s, bytes);
    return TAIN_OK;
}

/* True: the schema is not the one that was looked at. */
static tain_status begin_pass(pass *p, bool *ret_stale, bool *ret_any, tain_error *err)
{
    int64_t version;
    TAIN_TRY(tain_sqlite_run(&p->s->db, "BEGIN", err));
    TAIN_TRY(check_position(p->s, &p->s->position, p->s->seq, err));
    TAIN_TRY(tain_sqlite_number(&p->s->db, "PRAGMA main.schema_version", 0, &version, err));
    *ret_stale = version != p->s->schema_version;
    if (*ret_stale) return TAIN_OK;
    TAIN_TRY(tain_sqlite_log_end(p->s, &p->s->db, &p->at, &p->to, &p->time, err));
    p->from = p->s->seq;
    *ret_any = p->to > p->from || tain_sqlite_has_news(p->s);
    if (!*ret_any) return TAIN_OK;
    bool aside;
    TAIN_TRY(is_long(p, &aside, err));
    if (aside) TAIN_TRY(gather_aside(p, ret_stale, err));
    if (*ret_stale) return TAIN_OK;
    if (p->sink->about) p->sink->about(p->sink, 0, p->time);
    p->sink->begin(p->sink, &p->at);
    TAIN_TRY(tain_sqlite_tell(p->s, p->sink, &p->at, err));
    return deliver_tables(p, err);
}

static tain_status finish_pass(pass *p, tain_error *err)
{
    TAIN_TRY(tain_sqlite_open_log(p->s, err));
    TAIN_TRY(tain_sqlite_keep(p->s, &p->s->log, err));
    p->s->position = p->at;
    p->s->seq = p->to;
    return p->sink->commit(p->sink, &p->at, p->time, err);
}

static tain_status run_pass(tain_sqlite *s, tain_sink *sink, bool *ret_stale, bool *ret_any, tain_error *err)
{
    pass p = {.s = s, .conn = &s->db, .sink = sink};
    tain_status st = begin_pass(&p, ret_stale, ret_any, err);
    tain_sqlite_rollback(&s->db);
    tain_sqlite_disconnect(&p.aside);
    return st == TAIN_OK && !*ret_stale && *ret_any ? finish_pass(&p, err) : st;
}

tain_status tain_sqlite_follow(tain_sqlite *s, tain_sink *sink, bool *ret_any, tain_error *err)
{
    int64_t version;
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.data_version", 0, &version, err));
    if (version == s->data_version && s->schema_version != -1 && !tain_sqlite_has_news(s)) return TAIN_OK;
    bool stale = true, fresh;
    for (int i = 0; i < PASSES && stale; i++) {
        TAIN_TRY(run_pass(s, sink, &stale, ret_any, err));
        if (stale) TAIN_TRY(tain_sqlite_install(s, NULL, &fresh, err));
    }
    s->data_version = stale ? -1 : version; /* read before the pass: what came meanwhile is looked at again */
    return TAIN_OK;
}
