/* SPDX-License-Identifier: MIT */
#include "source/sqlite/sqlite.h"

/* A column that is dropped and added again can leave the schema's text as it was, and no trigger fires. What it leaves is
 * its default in every row but those written to since, which are in the log. Columns are added at the end: it is enough to
 * look at the last one. If that has never held anything but its default, nothing was lost. */

/* Without a key triggers name every column, and dropping one is refused. A default that cannot be told is not constant, and
 * such a column cannot be added. */
static bool may_be(const tain_sqlite_shape *s)
{
    if (!tain_sqlite_has_key(s) || !s->fallback.type || tain_sqlite_is_key(s, s->count - 1)) return false;
    const tain_sqlite_column *last = &s->columns[s->count - 1];
    return !last->generated && last->seen & TAIN_SEEN_OTHER;
}

/* The oldest row of the log is one that was confirmed, or our own. */
static void put_untouched(tain_buffer *sql, const tain_sqlite *s, const tain_sqlite_table *t)
{
    const tain_sqlite_shape *shape = t->shape;
    tain_buffer_append_str(sql, "SELECT 1 FROM main.");
    tain_sqlite_put_name(sql, shape->name);
    for (size_t i = 0; i < shape->key_count; i++) {
        tain_buffer_append_str(sql, i ? "," : " WHERE (");
        tain_sqlite_put_name(sql, shape->columns[shape->key[i]].name);
    }
    tain_buffer_append_str(sql, ") NOT IN (SELECT ");
    for (size_t i = 1; i <= shape->key_count; i++) tain_buffer_printf(sql, "%sk%zu", i > 1 ? "," : "", i);
    tain_buffer_printf(sql, " FROM main.\"%s$log\" WHERE tbl=%lld AND seq > (SELECT min(seq) FROM main.\"%s$log\"))", s->prefix, (long long)t->id, s->prefix);
}

static void bind(sqlite3_stmt *stmt, const tain_sqlite_value *v)
{
    switch (v->type) {
    case SQLITE_INTEGER: sqlite3_bind_int64(stmt, 1, v->integer); break;
    case SQLITE_FLOAT: sqlite3_bind_double(stmt, 1, v->real); break;
    case SQLITE_TEXT: sqlite3_bind_text64(stmt, 1, v->data, v->size, SQLITE_STATIC, SQLITE_UTF8); break;
    default: sqlite3_bind_null(stmt, 1);
    }
}

static tain_status find(tain_sqlite *s, const char *sql, const tain_sqlite_value *fallback, bool *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    TAIN_TRY(tain_sqlite_prepare(&s->db, sql, &stmt, err));
    if (fallback) bind(stmt, fallback);
    return tain_sqlite_step(&s->db, stmt, ret, err);
}

tain_status tain_sqlite_is_readded(tain_sqlite *s, const tain_sqlite_table *t, bool *ret, tain_error *err)
{
    TAIN_BUFFER sql = {0};
    *ret = false;
    if (!may_be(t->shape)) return TAIN_OK;
    put_untouched(&sql, s, t);
    TAIN_TRY(find(s, tain_buffer_cstr(&sql), NULL, ret, err));
    if (!*ret) return TAIN_OK;
    bool proof;
    tain_buffer_append_str(&sql, " AND ");
    tain_sqlite_put_name(&sql, t->shape->columns[t->shape->count - 1].name);
    tain_buffer_append_str(&sql, " IS NOT ?1 COLLATE BINARY");
    TAIN_TRY(find(s, tain_buffer_cstr(&sql), &t->shape->fallback, &proof, err));
    *ret = !proof;
    return TAIN_OK;
}
