/* SPDX-License-Identifier: MIT */
#include "source/sqlite/aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "source/sqlite/slices.h"

enum { BATCH_FIRST = 256, BATCH_MOST = 8192, LOG_BATCH = 4096, DRAIN_BATCH = 512, PATIENCE = 50 /* slices, then they get longer */ };

typedef struct part { /* one table */
    tain_sqlite_table *t;
    sqlite3_stmt *first, *next; /* copying: from the beginning, behind what is there; or what $rows has */
    sqlite3_stmt *last;          /* the place of the last copy, WITHOUT ROWID */
    sqlite3_stmt *keys, *clear, *fetch; /* rows of keys touched */
    int64_t       at;      /* rowid to copy next, or n of $rows copied last */
    int           batch;
    bool          begun, copied;
    bool          whole;   /* its rows have no address: it is copied in one go at the end */
} part;

typedef struct filling {
    tain_sqlite       *s;
    tain_sqlite_conn   live; /* with the other database attached as "aside" */
    tain_sqlite_slices slices;
    bool               all;  /* all rows, not only those touched */
    bool               indexed;
    char              *log;
    part              *parts;
    size_t             count;
    sqlite3_stmt      *gather, *proof, *upto, *touched;
    int64_t            from, gathered, drained; /* log rows; inclusive */
    bool               gone;              /* the log row at `gathered` */
} filling;

/* --- the other database --------------------------------------------------------------------------------------------- */

bool tain_sqlite_aside_has_room(const tain_sqlite *s, int64_t bytes)
{
    struct statvfs fs;
    if (statvfs(s->options.spool_dir, &fs) != 0) return false;
    return (double)fs.f_bavail * (double)fs.f_frsize > (double)bytes * 1.1 + (64 << 20);
}

tain_status tain_sqlite_aside_open(tain_sqlite *s, tain_sqlite_conn *ret, char **ret_path, tain_error *err)
{
    char *path = tain_format("%s/tain-snapshot-XXXXXX", s->options.spool_dir);
    int fd = mkstemp(path);
    tain_status st = fd < 0 ? tain_fail_errno(err, "cannot make a file in %s", s->options.spool_dir) : TAIN_OK;
    if (fd >= 0) close(fd);
    if (st == TAIN_OK) st = tain_sqlite_connect(ret, path, TAIN_SQLITE_CREATE, &s->cancelled, TAIN_SQLITE_READ_PATIENCE, err);
    if (st == TAIN_OK) st = tain_sqlite_run(ret, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
    if (st != TAIN_OK && fd >= 0) unlink(path);
    if (st == TAIN_OK) *ret_path = path;
    else free(path);
    return st;
}

static tain_status attach(filling *f, const char *path, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    tain_buffer_append_str(&sql, "ATTACH ");
    tain_sqlite_put_text(&sql, path);
    tain_buffer_append_str(&sql, " AS aside; PRAGMA aside.journal_mode = OFF; PRAGMA aside.synchronous = OFF");
    return tain_sqlite_run(&f->live, tain_buffer_cstr(&sql), err);
}

/* --- SQL ------------------------------------------------------------------------------------------------------------ */

static bool has_address(const tain_sqlite_shape *s)
{
    return tain_sqlite_has_key(s) || s->rowid;
}

static size_t address_width(const tain_sqlite_shape *s)
{
    return tain_sqlite_has_key(s) ? s->key_count : 1;
}

/* Column i of what tells a row in the log; collation NULL: none. */
static const char *address(const tain_sqlite_shape *s, size_t i, const char **collation)
{
    bool keyed = tain_sqlite_has_key(s);
    *collation = keyed ? s->collations[i] : NULL;
    return keyed ? s->columns[s->key[i]].name : s->rowid;
}

static void put_collated(tain_buffer *sql, const char *name, const char *collation)
{
    tain_sqlite_put_name(sql, name);
    if (!collation) return;
    tain_buffer_append_str(sql, " COLLATE ");
    tain_sqlite_put_name(sql, collation);
}

static const char *key_collation(const tain_sqlite_shape *s, size_t column)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (s->key[i] == column) return s->collations[i];
    return NULL;
}

static void put_primary(tain_buffer *sql, const tain_sqlite_shape *s, const char *end)
{
    for (size_t i = 0; i < s->key_count; i++) {
        if (i) tain_buffer_append_str(sql, ",");
        tain_sqlite_put_name(sql, s->columns[s->key[i]].name);
        tain_buffer_append_str(sql, end);
    }
}

/* What tells a row in the log, compared with that in the log. */
static void put_match(tain_buffer *sql, const tain_sqlite_shape *s, const char *of, const char *format)
{
    const char *collation;
    for (size_t i = 0; i < address_width(s); i++) {
        const char *name = address(s, i, &collation);
        tain_buffer_printf(sql, "%s%s", i ? " AND " : "", of);
        tain_sqlite_put_name(sql, name);
        tain_buffer_printf(sql, format, i + 1);
        if (!collation) continue;
        tain_buffer_append_str(sql, " COLLATE ");
        tain_sqlite_put_name(sql, collation);
    }
}

/* The rowid, if it is not a column, and all columns. */
static void put_columns(tain_buffer *sql, const tain_sqlite_shape *s, const char *of)
{
    if (s->rowid && s->alias < 0) tain_buffer_printf(sql, "%s%s,", of, s->rowid);
    for (size_t i = 0; i < s->count; i++) {
        tain_buffer_printf(sql, "%s%s", i ? "," : "", of);
        tain_sqlite_put_name(sql, s->columns[i].name);
    }
}

static void put_table(tain_buffer *sql, const char *schema, const tain_sqlite_shape *s)
{
    tain_buffer_printf(sql, "%s.", schema);
    tain_sqlite_put_name(sql, s->name);
}

static void put_insert(tain_buffer *sql, const tain_sqlite_shape *s, const char *of)
{
    tain_buffer_append_str(sql, "INSERT OR REPLACE INTO ");
    put_table(sql, "aside", s);
    tain_buffer_append_str(sql, "(");
    put_columns(sql, s, "");
    tain_buffer_append_str(sql, ") SELECT ");
    put_columns(sql, s, of);
    tain_buffer_append_str(sql, " FROM ");
}

static char *create_sql(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "CREATE TABLE ");
    put_table(&sql, "aside", s);
    for (size_t i = 0; i < s->count; i++) {
        tain_buffer_append_str(&sql, i ? "," : "(");
        put_collated(&sql, s->columns[i].name, (int)i == s->alias ? NULL : key_collation(s, i));
        if ((int)i == s->alias) tain_buffer_append_str(&sql, " INTEGER PRIMARY KEY");
    }
    if (s->without_rowid) {
        tain_buffer_append_str(&sql, ",PRIMARY KEY(");
        put_primary(&sql, s, "");
        tain_buffer_append_str(&sql, ")");
    }
    tain_buffer_append_str(&sql, s->without_rowid ? ") WITHOUT ROWID" : ")");
    return tain_buffer_cstr(&sql);
}

/* Rows in the order of their places. behind: those after what is there. */
static char *copy_sql(const tain_sqlite_shape *s, bool behind)
{
    tain_buffer sql = {0};
    put_insert(&sql, s, "");
    put_table(&sql, "main", s);
    if (s->rowid) {
        tain_buffer_printf(&sql, " NOT INDEXED WHERE \"%s\">=?1 ORDER BY \"%s\" LIMIT ?2", s->rowid, s->rowid);
        return tain_buffer_cstr(&sql);
    }
    if (behind) {
        tain_buffer_append_str(&sql, " WHERE (");
        put_primary(&sql, s, "");
        tain_buffer_append_str(&sql, ")>(");
        for (size_t i = 0; i < s->key_count; i++) tain_buffer_printf(&sql, "%s?%zu", i ? "," : "", i + 3);
        tain_buffer_append_str(&sql, ")");
    }
    tain_buffer_append_str(&sql, " ORDER BY ");
    put_primary(&sql, s, "");
    tain_buffer_append_str(&sql, " LIMIT ?2+0*?1");
    return tain_buffer_cstr(&sql);
}

static char *last_sql(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT ");
    put_primary(&sql, s, "");
    tain_buffer_append_str(&sql, " FROM ");
    put_table(&sql, "aside", s);
    tain_buffer_append_str(&sql, " ORDER BY ");
    put_primary(&sql, s, " DESC");
    tain_buffer_append_str(&sql, " LIMIT 1");
    return tain_buffer_cstr(&sql);
}

static char *whole_sql(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    put_insert(&sql, s, "");
    put_table(&sql, "main", s);
    return tain_buffer_cstr(&sql);
}

static char *keys_sql(const filling *f, const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "SELECT DISTINCT ");
    for (size_t i = 1; i <= address_width(s); i++) tain_buffer_printf(&sql, "k%zu,", i);
    for (size_t i = 1; i <= address_width(s); i++) tain_buffer_printf(&sql, "%stypeof(k%zu)", i > 1 ? "," : "", i);
    tain_buffer_printf(&sql, " FROM aside.\"%s\" WHERE tbl=?1 AND seq>?2 AND seq<=?3", f->log);
    return tain_buffer_cstr(&sql);
}

static char *clear_sql(const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "DELETE FROM ");
    put_table(&sql, "aside", s);
    tain_buffer_append_str(&sql, " WHERE ");
    put_match(&sql, s, "", "=?%zu");
    return tain_buffer_cstr(&sql);
}

static char *fetch_sql(const filling *f, const tain_sqlite_shape *s)
{
    tain_buffer sql = {0};
    TAIN_AUTO(tain_free) char *keys = keys_sql(f, s);
    put_insert(&sql, s, "t.");
    tain_buffer_printf(&sql, "(%s) AS d CROSS JOIN ", keys);
    put_table(&sql, "main", s);
    tain_buffer_append_str(&sql, " AS t ON ");
    put_match(&sql, s, "t.", "=d.k%zu");
    return tain_buffer_cstr(&sql);
}

/* --- statements ----------------------------------------------------------------------------------------------------- */

/* Takes sql over. */
static tain_status prepare(filling *f, char *sql, sqlite3_stmt **ret, tain_error *err)
{
    tain_status st = tain_sqlite_prepare(&f->live, sql, ret, err);
    free(sql);
    return st;
}

static tain_status run(filling *f, char *sql, tain_error *err)
{
    tain_status st = tain_sqlite_run(&f->live, sql, err);
    free(sql);
    return st;
}

/* Runs to its end; first column of the last row in *ret (may be NULL), left alone if that is NULL. */
static tain_status execute(filling *f, sqlite3_stmt *stmt, int64_t a, int64_t b, int64_t *ret, tain_error *err)
{
    bool row = true;
    sqlite3_bind_int64(stmt, 1, a);
    sqlite3_bind_int64(stmt, 2, b);
    while (row) {
        TAIN_TRY(tain_sqlite_step(&f->live, stmt, &row, err));
        if (row && ret && sqlite3_column_type(stmt, 0) != SQLITE_NULL) *ret = sqlite3_column_int64(stmt, 0);
    }
    return TAIN_OK;
}

static tain_status make_log(filling *f, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    int64_t columns;
    TAIN_AUTO(tain_free) char *count = tain_format("SELECT count(*) FROM pragma_table_info('%s', 'main')", f->log);
    TAIN_TRY(tain_sqlite_number(&f->live, count, 0, &columns, err));
    tain_buffer_printf(&sql, "CREATE TABLE aside.\"%s\"(seq INTEGER PRIMARY KEY,tbl,at REAL", f->log);
    for (int64_t i = 1; i <= columns - 3; i++) tain_buffer_printf(&sql, ",k%lld", (long long)i);
    tain_buffer_append_str(&sql, ")");
    TAIN_TRY(tain_sqlite_run(&f->live, tain_buffer_cstr(&sql), err));
    TAIN_TRY(prepare(f, tain_format("INSERT INTO aside.\"%s\" SELECT * FROM main.\"%s\" WHERE seq>?1 ORDER BY seq LIMIT ?2", f->log, f->log), &f->gather, err));
    TAIN_TRY(prepare(f, tain_format("SELECT seq FROM main.\"%s\" WHERE seq=?1+0*?2", f->log), &f->proof, err));
    TAIN_TRY(prepare(f, tain_format("SELECT max(seq) FROM (SELECT seq FROM aside.\"%s\" WHERE seq>?1 ORDER BY seq LIMIT ?2)", f->log), &f->upto, err));
    return prepare(f, tain_format("SELECT DISTINCT tbl FROM aside.\"%s\" WHERE seq>?1 AND seq<=?2", f->log), &f->touched, err);
}

/* --- parts ---------------------------------------------------------------------------------------------------------- */

static char *rows_sql(const filling *f, const tain_sqlite_table *t, const char *format)
{
    TAIN_AUTO(tain_free) char *name = tain_format("\"%s$rows$%lld\"", f->s->prefix, (long long)t->id);
    return tain_format(format, name, name);
}

static tain_status make_rows(filling *f, part *p, tain_error *err)
{
    tain_buffer sql = {0};
    TAIN_AUTO(tain_free) char *name = rows_sql(f, p->t, "CREATE TABLE aside.%s(n INTEGER PRIMARY KEY,seq,op");
    tain_buffer_append_str(&sql, name);
    for (size_t i = 1; i <= p->t->shape->count; i++) tain_buffer_printf(&sql, ",c%zu", i);
    tain_buffer_append_str(&sql, ")");
    TAIN_TRY(run(f, tain_buffer_cstr(&sql), err));
    return prepare(f, rows_sql(f, p->t, "INSERT INTO aside.%s SELECT * FROM main.%s WHERE n>?1 AND seq>?3 ORDER BY n LIMIT ?2"), &p->first, err);
}

static tain_status make_copying(filling *f, part *p, tain_error *err)
{
    const tain_sqlite_shape *s = p->t->shape;
    if (s->without_rowid) TAIN_TRY(prepare(f, last_sql(s), &p->last, err));
    TAIN_TRY(prepare(f, copy_sql(s, false), &p->first, err));
    return prepare(f, copy_sql(s, true), &p->next, err);
}

static tain_status make_fetching(filling *f, part *p, tain_error *err)
{
    const tain_sqlite_shape *s = p->t->shape;
    TAIN_TRY(prepare(f, keys_sql(f, s), &p->keys, err));
    TAIN_TRY(prepare(f, clear_sql(s), &p->clear, err));
    return prepare(f, fetch_sql(f, s), &p->fetch, err);
}

static bool is_logged_whole(const filling *f, const tain_sqlite_table *t)
{
    return !f->all && !tain_sqlite_has_key(t->shape);
}

static tain_status add_part(filling *f, tain_sqlite_table *t, tain_error *err)
{
    f->parts = tain_realloc(f->parts, (f->count + 1) * sizeof *f->parts);
    part *p = &f->parts[f->count++];
    *p = (part){.t = t, .at = INT64_MIN, .batch = BATCH_FIRST, .whole = !has_address(t->shape) || !tain_sqlite_has_order(t->shape)};
    if (is_logged_whole(f, t)) return make_rows(f, p, err);
    p->whole &= f->all;
    TAIN_TRY(run(f, create_sql(t->shape), err));
    if (p->whole) return TAIN_OK;
    if (f->all) TAIN_TRY(make_copying(f, p, err));
    return make_fetching(f, p, err);
}

static part *part_of(filling *f, const tain_sqlite_table *t)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->parts[i].t == t) return &f->parts[i];
    return NULL;
}

/* --- steps; each is done, or the slice is over ------------------------------------------------------------------------ */

/* Batches are so large that a slice has several of them. */
static void pace(const filling *f, part *p, tain_time took)
{
    if (took > f->slices.length / 4 && p->batch > 1) p->batch /= 2;
    else if (took < f->slices.length / 16 && p->batch < BATCH_MOST) p->batch *= 2;
}

static tain_status gather_log(filling *f, bool *done, tain_error *err)
{
    int64_t there = -1;
    TAIN_TRY(execute(f, f->proof, f->gathered, 0, &there, err));
    f->gone = there != f->gathered;
    for (*done = f->gone; !*done;) {
        TAIN_TRY(execute(f, f->gather, f->gathered, LOG_BATCH, NULL, err));
        int64_t n = sqlite3_changes64(f->live.db);
        if (n) f->gathered = sqlite3_last_insert_rowid(f->live.db);
        *done = n < LOG_BATCH;
        if (tain_sqlite_slice_over(&f->slices)) return TAIN_OK;
    }
    return TAIN_OK;
}

/* Behind the last copy. */
static tain_status turn_page(filling *f, part *p, tain_error *err)
{
    bool row;
    if (!p->begun || !p->last) return TAIN_OK;
    TAIN_TRY(tain_sqlite_step(&f->live, p->last, &row, err));
    for (size_t i = 0; i < p->t->shape->key_count && row; i++) sqlite3_bind_value(p->next, (int)i + 3, sqlite3_column_value(p->last, (int)i));
    sqlite3_reset(p->last);
    return TAIN_OK;
}

static tain_status copy_batch(filling *f, part *p, tain_error *err)
{
    tain_time begin = tain_monotonic();
    TAIN_TRY(turn_page(f, p, err));
    TAIN_TRY(execute(f, p->begun ? p->next : p->first, p->at, p->batch, NULL, err));
    int64_t n = sqlite3_changes64(f->live.db), last = sqlite3_last_insert_rowid(f->live.db);
    p->begun = true;
    p->copied = n < p->batch || (p->t->shape->rowid && last == INT64_MAX);
    if (!p->copied) p->at = last + 1;
    pace(f, p, tain_monotonic() - begin);
    return TAIN_OK;
}

static bool all_copied(const filling *f)
{
    for (size_t i = 0; f->all && i < f->count; i++)
        if (!f->parts[i].copied && !f->parts[i].whole) return false;
    return true;
}

static tain_status copy_parts(filling *f, bool *done, tain_error *err)
{
    for (size_t i = 0; f->all && i < f->count; i++) {
        part *p = &f->parts[i];
        while (!p->copied && !p->whole) {
            TAIN_TRY(copy_batch(f, p, err));
            *done = all_copied(f);
            if (tain_sqlite_slice_over(&f->slices)) return TAIN_OK;
        }
    }
    *done = true;
    return TAIN_OK;
}

/* *done false: the slice is over before all of them were there. */
static tain_status take_rows(filling *f, part *p, int64_t from, bool *done, tain_error *err)
{
    for (*done = false; !*done;) {
        tain_time begin = tain_monotonic();
        sqlite3_bind_int64(p->first, 3, from);
        TAIN_TRY(execute(f, p->first, p->at, p->batch, NULL, err));
        int64_t n = sqlite3_changes64(f->live.db);
        if (n) p->at = sqlite3_last_insert_rowid(f->live.db);
        *done = n < p->batch;
        pace(f, p, tain_monotonic() - begin);
        if (!*done && tain_sqlite_slice_over(&f->slices)) return TAIN_OK;
    }
    return TAIN_OK;
}

/* The copies of rows touched go, and what there is of them now comes. */
static tain_status renew(filling *f, part *p, int64_t upto, tain_error *err)
{
    bool row = true, none;
    sqlite3_bind_int64(p->keys, 3, upto);
    sqlite3_bind_int64(p->keys, 1, p->t->id);
    sqlite3_bind_int64(p->keys, 2, f->drained);
    while (row) {
        TAIN_TRY(tain_sqlite_step(&f->live, p->keys, &row, err));
        for (size_t i = 0; i < address_width(p->t->shape) && row; i++) sqlite3_bind_value(p->clear, (int)i + 1, sqlite3_column_value(p->keys, (int)i));
        if (row) TAIN_TRY(tain_sqlite_step(&f->live, p->clear, &none, err));
    }
    sqlite3_bind_int64(p->fetch, 3, upto);
    return execute(f, p->fetch, p->t->id, f->drained, NULL, err);
}

static tain_status drain_table(filling *f, int64_t id, int64_t upto, bool *done, tain_error *err)
{
    tain_sqlite_table *t = id ? tain_sqlite_table_numbered(f->s, id) : NULL;
    part *p = t ? part_of(f, t) : NULL;
    *done = true;
    if (!t || (!p && (f->all || !tain_sqlite_is_live(t)))) return TAIN_OK; /* of a table that is not told about yet, too */
    if (!p) TAIN_TRY(add_part(f, t, err));
    if (!p) p = &f->parts[f->count - 1];
    if (is_logged_whole(f, t)) return take_rows(f, p, f->from, done, err);
    if (p->whole) return TAIN_OK;
    return renew(f, p, upto, err);
}

static tain_status drain_batch(filling *f, int64_t upto, bool *done, tain_error *err)
{
    int64_t ids[DRAIN_BATCH];
    size_t n = 0;
    bool row = true;
    *done = true;
    sqlite3_bind_int64(f->touched, 1, f->drained);
    sqlite3_bind_int64(f->touched, 2, upto);
    while (row) {
        TAIN_TRY(tain_sqlite_step(&f->live, f->touched, &row, err));
        if (row && n < DRAIN_BATCH) ids[n++] = sqlite3_column_int64(f->touched, 0);
    }
    for (size_t i = 0; i < n && *done; i++) TAIN_TRY(drain_table(f, ids[i], upto, done, err));
    if (*done) f->drained = upto;
    return TAIN_OK;
}

static tain_status drain(filling *f, bool *done, tain_error *err)
{
    for (*done = f->drained == f->gathered; !*done;) {
        int64_t upto = f->drained;
        TAIN_TRY(execute(f, f->upto, f->drained, DRAIN_BATCH, &upto, err));
        TAIN_TRY(drain_batch(f, upto, done, err));
        *done = *done && f->drained == f->gathered;
        if (tain_sqlite_slice_over(&f->slices)) return TAIN_OK;
    }
    return TAIN_OK;
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

/* A key that holds NULL finds no row. */
static tain_status has_null_key(filling *f, const part *p, bool *ret, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    TAIN_SQLITE_STMT *stmt = NULL;
    tain_buffer_printf(&sql, "SELECT 1 FROM aside.\"%s\" WHERE tbl=%lld AND (0", f->log, (long long)p->t->id);
    for (size_t i = 1; i <= address_width(p->t->shape); i++) tain_buffer_printf(&sql, " OR k%zu IS NULL", i);
    tain_buffer_append_str(&sql, ") LIMIT 1");
    TAIN_TRY(tain_sqlite_prepare(&f->live, tain_buffer_cstr(&sql), &stmt, err));
    return tain_sqlite_step(&f->live, stmt, ret, err);
}

static tain_status copy_whole(filling *f, part *p, tain_error *err)
{
    TAIN_BUFFER clear = {0};
    tain_buffer_append_str(&clear, "DELETE FROM ");
    put_table(&clear, "aside", p->t->shape);
    TAIN_TRY(tain_sqlite_run(&f->live, tain_buffer_cstr(&clear), err));
    return run(f, whole_sql(p->t->shape), err);
}

static tain_status complete(filling *f, tain_error *err)
{
    for (size_t i = 0; f->all && i < f->count; i++) {
        part *p = &f->parts[i];
        bool whole = p->whole;
        if (!whole) TAIN_TRY(has_null_key(f, p, &whole, err));
        if (whole) TAIN_TRY(copy_whole(f, p, err));
    }
    return TAIN_OK;
}

/* --- slices ----------------------------------------------------------------------------------------------------------- */

static tain_status work(filling *f, bool *done, tain_error *err)
{
    TAIN_TRY(gather_log(f, done, err));
    if (!*done || f->gone) return TAIN_OK;
    TAIN_TRY(copy_parts(f, done, err));
    *done &= f->indexed || f->drained == f->gathered;
    if (!*done) return TAIN_OK;
    TAIN_TRY(drain(f, done, err));
    return *done ? complete(f, err) : TAIN_OK;
}

/* Keys are found by an index once there is something to look for. It is made while the file is left alone. */
static tain_status make_index(filling *f, part *p, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    const tain_sqlite_shape *s = p->t->shape;
    bool by_place = !tain_sqlite_has_key(s) || s->without_rowid || s->alias >= 0;
    if (p->whole || by_place || is_logged_whole(f, p->t)) return TAIN_OK;
    tain_buffer_printf(&sql, "CREATE INDEX IF NOT EXISTS aside.\"__tain$%lld\" ON ", (long long)p->t->id);
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, "(");
    put_primary(&sql, s, "");
    tain_buffer_append_str(&sql, ")");
    return tain_sqlite_run(&f->live, tain_buffer_cstr(&sql), err);
}

static tain_status make_indexes(filling *f, tain_error *err)
{
    if (f->drained == f->gathered) return TAIN_OK;
    for (size_t i = 0; i < f->count; i++) TAIN_TRY(make_index(f, &f->parts[i], err));
    f->indexed = true;
    return TAIN_OK;
}

static tain_status fill(filling *f, tain_sqlite_aside_end *end, tain_error *err)
{
    bool done = false, same;
    for (int late = 0; !done;) {
        TAIN_TRY(tain_sqlite_slice_begin(&f->slices, &same, err));
        *end = TAIN_SQLITE_ASIDE_STALE;
        if (!same) return TAIN_OK;
        TAIN_TRY(work(f, &done, err));
        *end = f->gone ? TAIN_SQLITE_ASIDE_LOST : TAIN_SQLITE_ASIDE_DONE;
        if (f->gone) return TAIN_OK;
        TAIN_TRY(tain_sqlite_slice_end(&f->slices, err));
        if (done || !all_copied(f)) continue;
        TAIN_TRY(make_indexes(f, err));
        if (++late % PATIENCE == 0) f->slices.length *= 2;
    }
    return TAIN_OK;
}

/* --- beginning and end ------------------------------------------------------------------------------------------------ */

static void filling_done(filling *f)
{
    sqlite3_stmt *own[] = {f->gather, f->proof, f->upto, f->touched};
    for (size_t i = 0; i < 4; i++) sqlite3_finalize(own[i]);
    for (size_t i = 0; i < f->count; i++) {
        const part *p = &f->parts[i];
        sqlite3_stmt *of[] = {p->first, p->next, p->last, p->keys, p->clear, p->fetch};
        for (size_t k = 0; k < 6; k++) sqlite3_finalize(of[k]);
    }
    tain_sqlite_rollback(&f->live);
    tain_sqlite_disconnect(&f->live);
    free(f->parts);
    free(f->log);
}

/* from 0: the log's end. The log's row there comes along: it is the position if nothing follows. */
static tain_status begin_log(filling *f, int64_t from, tain_error *err)
{
    tain_position at;
    tain_time time;
    if (!from) TAIN_TRY(tain_sqlite_log_end(f->s, &f->live, &at, &from, &time, err));
    TAIN_TRY(make_log(f, err));
    f->from = f->gathered = f->drained = from;
    return tain_sqlite_runf(&f->live, err, "INSERT INTO aside.\"%s\" SELECT * FROM main.\"%s\" WHERE seq=%lld", f->log, f->log, (long long)from);
}

static tain_status begin(filling *f, int64_t from, tain_source_table **tables, size_t n, tain_error *err)
{
    TAIN_TRY(begin_log(f, from, err));
    for (size_t i = 0; i < n; i++) {
        tain_sqlite_table *t = tain_sqlite_table_of(tables[i]);
        if (tain_sqlite_is_live(t)) TAIN_TRY(add_part(f, t, err));
    }
    return TAIN_OK;
}

/* Already what is asked is worded within a transaction: a table may be gone. */
static tain_status fill_all(filling *f, int64_t from, const char *path, tain_source_table **tables, size_t n, tain_sqlite_aside_end *end, tain_error *err)
{
    bool same;
    *end = TAIN_SQLITE_ASIDE_STALE;
    TAIN_TRY(tain_sqlite_connect(&f->live, f->s->path, TAIN_SQLITE_WRITE, &f->s->cancelled, TAIN_SQLITE_READ_PATIENCE, err));
    f->live.beat = &f->s->source.beat;
    TAIN_TRY(attach(f, path, err));
    TAIN_TRY(tain_sqlite_slices_init(&f->slices, &f->live, f->s->schema_version, err));
    TAIN_TRY(tain_sqlite_slice_begin(&f->slices, &same, err));
    if (!same) return TAIN_OK;
    TAIN_TRY(begin(f, from, tables, n, err));
    TAIN_TRY(tain_sqlite_slice_end(&f->slices, err));
    return fill(f, end, err);
}

static tain_status fill_aside(filling *f, int64_t from, tain_source_table **tables, size_t n, tain_sqlite_conn *ret, tain_sqlite_aside_end *end, tain_error *err)
{
    char *path = NULL;
    TAIN_TRY(tain_sqlite_aside_open(f->s, ret, &path, err));
    f->log = tain_format("%s$log", f->s->prefix);
    tain_status st = fill_all(f, from, path, tables, n, end, err);
    filling_done(f);
    unlink(path); /* the connection keeps it; only a crash before this leaves something */
    free(path);
    if (st != TAIN_OK || *end != TAIN_SQLITE_ASIDE_DONE) tain_sqlite_disconnect(ret);
    return st;
}

tain_status tain_sqlite_aside_tables(tain_sqlite *s, tain_source_table **tables, size_t n, tain_sqlite_conn *ret, tain_sqlite_aside_end *end, tain_error *err)
{
    filling f = {.s = s, .all = true};
    return fill_aside(&f, 0, tables, n, ret, end, err);
}

tain_status tain_sqlite_aside_changes(tain_sqlite *s, int64_t from, tain_sqlite_conn *ret, tain_sqlite_aside_end *end, tain_error *err)
{
    filling f = {.s = s, .indexed = true};
    return fill_aside(&f, from, NULL, 0, ret, end, err);
}
