/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/text.h"
#include "source/sqlite/index_text.h"
#include "source/sqlite/shape.h"

enum { COLUMNS_MOST = 1990 /* of a query of ours: key, row and a little; SQLite allows 2,000 */ };

static char *text_at(sqlite3_stmt *stmt, int i)
{
    const char *text = (const char *)sqlite3_column_text(stmt, i);
    return tain_strdup(text ? text : "");
}

static tain_status query(tain_sqlite_conn *c, const char *sql, const char *argument, sqlite3_stmt **ret, tain_error *err)
{
    TAIN_TRY(tain_sqlite_prepare(c, sql, ret, err));
    if (argument) sqlite3_bind_text(*ret, 1, argument, -1, SQLITE_TRANSIENT);
    return TAIN_OK;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

tain_status tain_sqlite_list_tables(tain_sqlite_conn *c, tain_map *ret, tain_map *ret_virtual, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c,
        "SELECT l.name, l.type = 'virtual', m.sql FROM pragma_table_list l JOIN main.sqlite_schema m ON m.type = 'table' AND m.name = l.name"
        " WHERE l.schema = 'main' AND l.type IN ('table', 'virtual') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND l.name NOT LIKE '\\_\\_tain%$%' ESCAPE '\\' ORDER BY l.name", NULL, &stmt, err));
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        tain_map *to = sqlite3_column_int(stmt, 1) ? ret_virtual : ret;
        free(tain_map_put(to, (const char *)sqlite3_column_text(stmt, 0), text_at(stmt, 2)));
    }
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static tain_status read_columns(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT name, type, \"notnull\", ifnull(upper(dflt_value) <> 'NULL', 0), hidden, pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid",
                   s->name, &stmt, err));
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        s->columns = tain_realloc(s->columns, (s->count + 1) * sizeof *s->columns);
        s->columns[s->count++] = (tain_sqlite_column){
            .name = text_at(stmt, 0), .declared = text_at(stmt, 1), .not_null = sqlite3_column_int(stmt, 2),
            .has_default = sqlite3_column_int(stmt, 3), .generated = sqlite3_column_int(stmt, 4) >= 2, .primary = sqlite3_column_int(stmt, 5),
        };
    }
}

static tain_status read_options(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1", s->name, &stmt, err));
    TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
    s->without_rowid = row && sqlite3_column_int(stmt, 0);
    s->strict = row && sqlite3_column_int(stmt, 1);
    return TAIN_OK;
}

/* --- indexes ------------------------------------------------------------------------------------------------------- */

static tain_status read_terms(tain_sqlite_conn *c, tain_sqlite_index *x, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT cid, coll, \"desc\" FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno", x->name, &stmt, err));
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        int cid = sqlite3_column_int(stmt, 0);
        x->terms = tain_realloc(x->terms, (x->count + 1) * sizeof *x->terms);
        x->terms[x->count++] = (tain_sqlite_term){.column = cid < 0 ? -1 : cid, .collation = text_at(stmt, 1), .descending = sqlite3_column_int(stmt, 2)};
    }
}

static bool has_expression(const tain_sqlite_index *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->terms[i].column < 0) return true;
    return false;
}

/* Expressions and conditions are nowhere but in the text. */
static tain_status read_text(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_sqlite_index *x, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND name = ?1", x->name, &stmt, err));
    TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
    char **terms = tain_alloc(x->count * sizeof *terms);
    const char *sql = row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool understood = sql && tain_sqlite_index_text(sql, terms, x->count, &x->where);
    for (size_t i = 0; i < x->count; i++) {
        if (understood && x->terms[i].column < 0) x->terms[i].expression = terms[i];
        else free(terms[i]);
    }
    free(terms);
    if (!understood && !s->trouble) s->trouble = tain_format("the definition of its unique index %s is not understood", x->name);
    return TAIN_OK;
}

static tain_status read_indexes(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT name, origin = 'pk', partial FROM pragma_index_list(?1, 'main') WHERE \"unique\" ORDER BY name", s->name, &stmt, err));
    for (;;) {
        TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
        if (!row) return TAIN_OK;
        s->indexes = tain_realloc(s->indexes, (s->index_count + 1) * sizeof *s->indexes);
        tain_sqlite_index *x = &s->indexes[s->index_count++];
        *x = (tain_sqlite_index){.name = text_at(stmt, 0), .primary = sqlite3_column_int(stmt, 1), .partial = sqlite3_column_int(stmt, 2)};
        TAIN_TRY(read_terms(c, x, err));
        if (x->partial || has_expression(x)) TAIN_TRY(read_text(c, s, x, err));
    }
}

/* --- key ----------------------------------------------------------------------------------------------------------- */

static int find_alias(const tain_sqlite_shape *s)
{
    int found = -1, members = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!s->columns[i].primary) continue;
        members++;
        if (strcasecmp(s->columns[i].declared, "INTEGER") == 0) found = (int)i;
    }
    for (size_t i = 0; i < s->index_count; i++)
        if (s->indexes[i].primary) return -1;
    return members == 1 && !s->without_rowid ? found : -1;
}

static const char *find_rowid(const tain_sqlite_shape *s)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t n = 0; n < 3 && !s->without_rowid; n++) {
        bool taken = false;
        for (size_t i = 0; i < s->count; i++) taken |= strcasecmp(s->columns[i].name, names[n]) == 0;
        if (!taken) return names[n];
    }
    return s->alias >= 0 ? s->columns[s->alias].name : NULL;
}

static bool can_be_key(const tain_sqlite_shape *s, const tain_sqlite_index *x)
{
    if (x->primary) return true;
    if (x->partial || has_expression(x)) return false;
    for (size_t i = 0; i < x->count; i++)
        if (!s->columns[x->terms[i].column].not_null) return false;
    return true;
}

static const tain_sqlite_index *key_index(const tain_sqlite_shape *s)
{
    const tain_sqlite_index *best = NULL;
    for (size_t i = 0; i < s->index_count; i++) {
        const tain_sqlite_index *x = &s->indexes[i];
        if (!can_be_key(s, x) || (best && (best->primary || (!x->primary && x->count >= best->count)))) continue;
        best = x;
    }
    return best;
}

static void choose_key(tain_sqlite_shape *s)
{
    s->alias = find_alias(s);
    s->rowid = find_rowid(s);
    const tain_sqlite_index *x = s->alias < 0 ? key_index(s) : NULL;
    s->key_count = s->alias >= 0 ? 1 : x ? x->count : 0;
    s->key = tain_alloc((s->key_count + 1) * sizeof *s->key);
    s->collations = tain_alloc((s->key_count + 1) * sizeof *s->collations);
    for (size_t i = 0; i < s->key_count; i++) {
        s->key[i] = (uint16_t)(x ? x->terms[i].column : s->alias);
        s->collations[i] = tain_strdup(x ? x->terms[i].collation : "BINARY");
    }
}

static void compare_collations(tain_sqlite_conn *c, tain_sqlite_shape *s)
{
    for (size_t i = 0; i < s->key_count; i++) {
        const char *declared = NULL;
        sqlite3_table_column_metadata(c->db, "main", s->name, s->columns[s->key[i]].name, NULL, &declared, NULL, NULL, NULL);
        s->odd_collations |= !declared || sqlite3_stricmp(declared, s->collations[i]) != 0;
    }
}

static tain_sqlite_value owned_value(tain_sqlite_value v)
{
    if (v.type == SQLITE_BLOB) return (tain_sqlite_value){0};
    if (v.type == SQLITE_TEXT) v.data = tain_strndup(v.data, v.size);
    return v;
}

/* A default that is a bare word is that word. */
static tain_status read_fallback(tain_sqlite_conn *c, tain_sqlite_shape *s, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL, *value = NULL;
    bool row;
    TAIN_TRY(query(c, "SELECT ifnull(dflt_value, 'NULL'), 'SELECT ' || ifnull(dflt_value, 'NULL') FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid DESC LIMIT 1",
                   s->name, &stmt, err));
    TAIN_TRY(tain_sqlite_step(c, stmt, &row, err));
    if (!row) return TAIN_OK;
    if (sqlite3_prepare_v3(c->db, (const char *)sqlite3_column_text(stmt, 1), -1, 0, &value, NULL) != SQLITE_OK) s->fallback = owned_value(tain_sqlite_value_at(stmt, 0));
    else if (sqlite3_step(value) == SQLITE_ROW) s->fallback = owned_value(tain_sqlite_value_at(value, 0));
    return TAIN_OK;
}

/* A table that needs a function or collation which only its application has cannot be read by anybody else. */
static void try_reading(tain_sqlite_conn *c, tain_sqlite_shape *s)
{
    TAIN_BUFFER sql = {0};
    TAIN_SQLITE_STMT *stmt = NULL;
    tain_buffer_append_str(&sql, "SELECT * FROM main.");
    tain_sqlite_put_name(&sql, s->name);
    tain_buffer_append_str(&sql, " WHERE 1");
    for (size_t i = 0; i < s->key_count; i++) {
        tain_buffer_append_str(&sql, " AND ");
        tain_sqlite_put_name(&sql, s->columns[s->key[i]].name);
        tain_buffer_append_str(&sql, " = ? COLLATE ");
        tain_sqlite_put_name(&sql, s->collations[i]);
    }
    if (sqlite3_prepare_v3(c->db, tain_buffer_cstr(&sql), -1, 0, &stmt, NULL) != SQLITE_OK && !s->trouble)
        s->trouble = tain_format("it cannot be read: %s", sqlite3_errmsg(c->db));
}

static void check_limits(tain_sqlite_shape *s)
{
    if (s->trouble) return;
    if (s->count + s->key_count > COLUMNS_MOST) s->trouble = tain_format("it has %zu columns, too many to capture", s->count);
    else if (!s->without_rowid && !s->rowid) s->trouble = tain_strdup("columns named rowid, _rowid_ and oid hide its rowid");
}

static void check_names(tain_sqlite_shape *s)
{
    bool valid = tain_utf8_valid(s->name, strlen(s->name));
    for (size_t i = 0; i < s->count; i++) valid &= tain_utf8_valid(s->columns[i].name, strlen(s->columns[i].name));
    if (!valid && !s->trouble) s->trouble = tain_strdup("its name or a column's name is not UTF-8");
}

tain_status tain_sqlite_read_shape(tain_sqlite_conn *c, const char *name, const char *sql, tain_sqlite_shape **ret, tain_error *err)
{
    tain_sqlite_shape *s = tain_alloc(sizeof *s);
    s->name = tain_strdup(name);
    s->sql = tain_strdup(sql);
    s->rows = s->bytes = -1;
    tain_status st = read_columns(c, s, err);
    if (st == TAIN_OK) st = read_options(c, s, err);
    if (st == TAIN_OK) st = read_indexes(c, s, err);
    if (st == TAIN_OK) st = read_fallback(c, s, err);
    if (st != TAIN_OK) {
        tain_sqlite_shape_free(s);
        return st;
    }
    choose_key(s);
    compare_collations(c, s);
    try_reading(c, s);
    check_names(s);
    check_limits(s);
    *ret = s;
    return TAIN_OK;
}
