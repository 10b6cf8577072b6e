/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "source/sqlite/slices.h"
#include "source/sqlite/sqlite.h"

enum { TRIES = 5 };

typedef struct kept {
    int64_t id;
    char   *name;    /* when it was kept */
    json_t *shape;   /* NULL: unreadable */
    char   *pending; /* why it must be loaded again */
} kept;

/* --- what was kept ------------------------------------------------------------------------------------------------- */

static void kept_free(kept *k)
{
    json_decref(k->shape);
    free(k->pending);
    free(k->name);
    free(k);
}

static void kept_done(tain_map *m)
{
    const char *name;
    kept *k;
    TAIN_MAP_EACH(m, i, name, k) kept_free(k);
    tain_map_done(m);
}

static kept *read_kept(sqlite3_stmt *stmt)
{
    kept *k = tain_alloc(sizeof *k);
    const char *shape = (const char *)sqlite3_column_text(stmt, 2), *pending = (const char *)sqlite3_column_text(stmt, 3);
    k->id = sqlite3_column_int64(stmt, 0);
    k->name = tain_strdup((const char *)sqlite3_column_text(stmt, 1));
    if (shape && tain_json_parse(shape, strlen(shape), "shape", &k->shape, NULL) != TAIN_OK) k->shape = NULL;
    k->pending = tain_strdup(pending);
    return k;
}

static void put_kept(tain_map *to, const char *name, kept *k)
{
    kept *other = tain_map_put(to, name, k);
    if (other) kept_free(other);
}

static tain_status load_kept(tain_sqlite *s, tain_map *ret, tain_error *err)
{
    TAIN_SQLITE_STMT *stmt = NULL;
    tain_sqlite_conn *c = tain_sqlite_keeper(s);
    char *meta = tain_format("%s$meta", s->prefix), *sql = tain_format("SELECT id, name, shape, pending FROM \"%s\" WHERE name IS NOT NULL", meta);
    bool row = false;
    tain_status st = c ? tain_sqlite_has_table(c, meta, &row, err) : TAIN_OK;
    s->keeps = row;
    if (st == TAIN_OK && row) st = tain_sqlite_prepare(c, sql, &stmt, err);
    while (st == TAIN_OK && row) {
        st = tain_sqlite_step(c, stmt, &row, err);
        if (st == TAIN_OK && row) put_kept(ret, (const char *)sqlite3_column_text(stmt, 1), read_kept(stmt));
    }
    free(meta);
    free(sql);
    return st;
}

static const char *home_of(const tain_map *homes, int64_t id)
{
    const char *name;
    char *number;
    TAIN_MAP_EACH(homes, i, name, number)
        if (strtoll(number, NULL, 10) == id) return name;
    return NULL;
}

/* What was kept under a name goes to the table that has the triggers now: SQLite takes them along when it renames. One that
 * has none any more is left to who bears its name, if that is not such a one. */
static void follow_names(tain_map *io_kept, const tain_map *homes)
{
    tain_map by_home = {0};
    const char *name, *home;
    kept *k;
    TAIN_MAP_EACH(io_kept, i, name, k)
        if ((home = home_of(homes, k->id))) put_kept(&by_home, home, k);
    TAIN_MAP_EACH(io_kept, i, name, k) {
        if (home_of(homes, k->id)) continue;
        if (tain_map_get(&by_home, name)) kept_free(k);
        else put_kept(&by_home, name, k);
    }
    tain_map_done(io_kept);
    *io_kept = by_home;
}

static tain_status find_renamed(tain_sqlite *s, tain_map *io_kept, tain_error *err)
{
    tain_map homes = {0};
    const char *name;
    char *number;
    if (s->options.poll_capture) return TAIN_OK;
    tain_status st = tain_sqlite_list_homes(&s->db, s->prefix, &homes, err);
    if (st == TAIN_OK) follow_names(io_kept, &homes);
    TAIN_MAP_EACH(&homes, i, name, number) free(number);
    tain_map_done(&homes);
    return st;
}

static tain_status load_kept_version(tain_sqlite *s, tain_error *err)
{
    char *meta = tain_format("%s$meta", s->prefix), *sql = tain_format("SELECT CAST(shape AS INTEGER) FROM main.\"%s\" WHERE id = 0", meta);
    bool there;
    tain_status st = tain_sqlite_has_table(&s->db, meta, &there, err);
    s->kept_version = -1;
    if (st == TAIN_OK && there) st = tain_sqlite_number(&s->db, sql, -1, &s->kept_version, err);
    free(meta);
    free(sql);
    return st;
}

/* --- one table ----------------------------------------------------------------------------------------------------- */

/* The name it was first kept under. */
static const char *identity_of(const kept *k)
{
    return tain_json_get_str(k->shape, "identity", k->name);
}

static bool is_taken(const tain_sqlite *s, const tain_map *kept_shapes, const char *identity)
{
    const char *name;
    const kept *k;
    for (size_t i = 0; i < s->table_count; i++)
        if (strcmp(s->tables[i]->table.identity, identity) == 0) return true;
    TAIN_MAP_EACH(kept_shapes, i, name, k)
        if (strcmp(identity_of(k), identity) == 0) return true;
    return false;
}

/* Its name, unless a table that had the name before is called otherwise now. */
static char *new_identity(const tain_sqlite *s, const tain_map *kept_shapes, const char *name)
{
    char *identity = tain_strdup(name);
    for (int i = 2; is_taken(s, kept_shapes, identity); i++) {
        free(identity);
        identity = tain_format("%s$%d", name, i);
    }
    return identity;
}

static tain_sqlite_table *table_named(tain_sqlite *s, const char *name, const tain_map *kept_shapes)
{
    tain_sqlite_table *t = tain_map_get(&s->by_name, name);
    const kept *k = tain_map_get(kept_shapes, name);
    if (t) return t;
    t = tain_alloc(sizeof *t);
    t->table = (tain_source_table){.schema = tain_strdup("main"), .name = tain_strdup(name),
                                   .identity = k ? tain_strdup(identity_of(k)) : new_identity(s, kept_shapes, name),
                                   .rows_estimate = -1, .bytes_estimate = -1};
    t->scanned = -1;
    tain_map_put(&s->by_name, name, t);
    s->tables = tain_realloc(s->tables, (s->table_count + 1) * sizeof(tain_sqlite_table *));
    s->tables[s->table_count++] = t;
    return t;
}

void tain_sqlite_queue(tain_sqlite_table *t, bool reload, const char *reason)
{
    if (t->news.state == TAIN_SQLITE_QUEUED && t->news.reload && !reload) return;
    char *copy = tain_strdup(reason);
    free(t->news.reason);
    t->news = (tain_sqlite_news){.state = TAIN_SQLITE_QUEUED, .reload = reload, .reason = copy};
    t->dirty = true;
    t->renumber |= reload;
}

/* What is known of values and not kept yet. */
static void carry_over(tain_sqlite_shape *to, const tain_sqlite_shape *from)
{
    size_t there = 0;
    for (size_t i = 0; from && i < from->count && there < to->count; i++)
        if (strcmp(to->columns[there].name, from->columns[i].name) == 0) to->columns[there++].seen |= from->columns[i].seen;
    tain_sqlite_shape_settle(to);
}

static bool still_scanned(const tain_sqlite_table *t, const tain_sqlite_shape *now, int64_t version)
{
    return t->shape && t->scanned == version && strcmp(t->shape->sql, now->sql) == 0;
}

/* Whether all its values must be looked at. */
static bool wants_scan(const tain_sqlite_table *t, tain_sqlite_shape *shape, int64_t version)
{
    if (shape->trouble || !still_scanned(t, shape, version)) return !shape->trouble;
    carry_over(shape, t->shape);
    shape->rows = t->shape->rows;
    shape->bytes = t->shape->bytes;
    return false;
}

/* Whether capture has been in place without a gap; if not, why not. */
static tain_status check_capture(tain_sqlite *s, tain_sqlite_table *t, char **reason, tain_error *err)
{
    int state = 2;
    if (!s->options.poll_capture) TAIN_TRY(tain_sqlite_triggers_state(s, t, &state, err));
    t->doubtful = state == 1;
    if (state == 0 && !*reason) *reason = tain_strdup("its triggers were missing or changed: changes may have been missed");
    return TAIN_OK;
}

/* Neither triggers nor the schema's text tell of a column that is dropped and added again, which takes two statements. */
static tain_status check_column(tain_sqlite *s, tain_sqlite_table *t, char **reason, tain_error *err)
{
    bool readded = false;
    int64_t steps = s->schema_version - s->kept_version;
    if (*reason || s->options.poll_capture || steps == 0 || (s->kept_version >= 0 && steps == 1)) return TAIN_OK;
    TAIN_TRY(tain_sqlite_is_readded(s, t, &readded, err));
    if (readded) *reason = tain_format("column %s may have been dropped and added again", t->shape->columns[t->shape->count - 1].name);
    return TAIN_OK;
}

static tain_status compare(tain_sqlite *s, tain_sqlite_table *t, const kept *k, bool *ret_scan, tain_error *err)
{
    char *reason = NULL;
    int64_t kept_at = s->options.poll_capture ? -1 : s->kept_version;
    tain_sqlite_difference d = tain_sqlite_shape_inherit(t->shape, k->shape, kept_at, s->schema_version, &reason);
    bool reload = d == TAIN_SQLITE_OTHER || (d != TAIN_SQLITE_SAME && !tain_sqlite_has_key(t->shape));
    if (strcmp(k->name, t->shape->name) != 0) tain_sqlite_queue(t, false, "it was renamed");
    if (d != TAIN_SQLITE_SAME) tain_sqlite_queue(t, reload, reason);
    tain_status st = TAIN_OK;
    if (!reload) {
        char *gap = NULL;
        st = check_capture(s, t, &gap, err);
        if (st == TAIN_OK && d == TAIN_SQLITE_SAME) st = check_column(s, t, &gap, err);
        if (gap) tain_sqlite_queue(t, true, gap);
        reload = gap != NULL;
        free(gap);
    }
    for (size_t i = 0; i < t->shape->count && reload; i++) t->shape->columns[i].seen = 0; /* it is looked at from the beginning */
    if (k->pending && t->news.state == TAIN_SQLITE_NO_NEWS) tain_sqlite_queue(t, true, k->pending);
    free(reason);
    *ret_scan = reload;
    return st;
}

static tain_status take_shape(tain_sqlite *s, tain_sqlite_table *t, tain_sqlite_shape *shape, const kept *k, int64_t version, tain_error *err)
{
    bool must_scan = true;
    tain_sqlite_shape *old = t->shape;
    carry_over(shape, old);
    t->shape = shape;
    t->looked = true;
    t->doubtful = false;
    if (k) t->id = k->id;
    if (!k || !k->shape) shape->lineage = tain_format("%lld", (long long)s->schema_version);
    tain_status st = k && k->shape ? compare(s, t, k, &must_scan, err) : TAIN_OK;
    if (!k && t->told && s->keeps) tain_sqlite_queue(t, true, "it was made anew");
    if (k && !k->shape) tain_sqlite_queue(t, true, "what was kept about it cannot be read");
    t->shape = old;
    t->unseen = st == TAIN_OK && must_scan && wants_scan(t, shape, version);
    t->shape = shape;
    if (t->unseen) t->scanned = -1;
    tain_sqlite_shape_free(old);
    if (st == TAIN_OK && !t->unseen) tain_sqlite_show(s, t);
    return st;
}

static tain_status look_at(tain_sqlite *s, const char *name, const char *sql, const tain_map *kept_shapes, int64_t version, tain_error *err)
{
    tain_sqlite_shape *shape = NULL;
    TAIN_TRY(tain_sqlite_read_shape(&s->db, name, sql, &shape, err));
    return take_shape(s, table_named(s, name, kept_shapes), shape, tain_map_get(kept_shapes, name), version, err);
}

/* --- renamed tables ------------------------------------------------------------------------------------------------- */

static void rename_table(tain_sqlite *s, tain_sqlite_table *t, const char *name)
{
    s->retired_names = tain_realloc(s->retired_names, (s->retired_name_count + 1) * sizeof(char *));
    s->retired_names[s->retired_name_count++] = t->table.name; /* somebody may still read it */
    t->table.name = tain_strdup(name);
    tain_sqlite_forget_query(t);
}

/* All of them leave their names before any takes a new one: names may have been exchanged. Who else has such a name is gone. */
static void rename_tables(tain_sqlite *s, const tain_map *kept_shapes)
{
    const char *name;
    const kept *k;
    tain_sqlite_table **moved = tain_alloc((s->table_count + 1) * sizeof *moved);
    const char **names = tain_alloc((s->table_count + 1) * sizeof *names);
    size_t n = 0;
    TAIN_MAP_EACH(kept_shapes, i, name, k) {
        tain_sqlite_table *t = strcmp(k->name, name) == 0 ? NULL : tain_map_get(&s->by_name, k->name);
        if (!t || t->id != k->id) continue;
        moved[n] = t;
        names[n++] = name;
    }
    for (size_t i = 0; i < n; i++) tain_map_remove(&s->by_name, moved[i]->table.name);
    for (size_t i = 0; i < n; i++) {
        rename_table(s, moved[i], names[i]);
        tain_map_put(&s->by_name, names[i], moved[i]);
    }
    free(moved);
    free(names);
}

/* --- what the user sees --------------------------------------------------------------------------------------------- */

static void retire(tain_sqlite *s, tain_schema *schema)
{
    if (!schema) return;
    s->retired = tain_realloc(s->retired, (s->retired_count + 1) * sizeof(tain_schema *));
    s->retired[s->retired_count++] = schema;
}

static bool show_columns(tain_sqlite *s, tain_sqlite_table *t)
{
    tain_schema *schema = tain_sqlite_shape_schema(t->shape);
    if (t->table.columns && tain_schema_equal(t->table.columns, schema)) {
        tain_schema_free(schema);
        return false;
    }
    retire(s, t->table.columns);
    t->table.columns = schema;
    return true;
}

static bool show_key(tain_sqlite_table *t)
{
    size_t n = tain_sqlite_has_key(t->shape) ? t->shape->key_count : 0;
    bool same = n == t->table.key_count && (n == 0 || memcmp(t->table.key, t->shape->key, n * sizeof *t->table.key) == 0);
    if (same) return false;
    t->table.key = tain_realloc(t->table.key, (n + 1) * sizeof *t->table.key);
    if (n) memcpy(t->table.key, t->shape->key, n * sizeof *t->table.key);
    t->table.key_count = n;
    return true;
}

void tain_sqlite_show(tain_sqlite *s, tain_sqlite_table *t)
{
    bool changed = show_columns(s, t);
    changed |= show_key(t);
    t->table.rows_estimate = t->shape->rows;
    t->table.bytes_estimate = t->shape->bytes;
    tain_source_table_clear_findings(&t->table);
    tain_sqlite_shape_findings(t->shape, &t->table);
    tain_free(t->table.memo);
    t->table.memo = tain_strdup(tain_sqlite_shape_version(t->shape));
    t->values = tain_realloc(t->values, (t->shape->count + t->shape->key_count + 1) * sizeof *t->values);
    tain_sqlite_forget_query(t);
    if (changed && t->told && t->news.state != TAIN_SQLITE_QUEUED) tain_sqlite_queue(t, true, "its values need other types");
}

/* --- the whole file ------------------------------------------------------------------------------------------------ */

static void forget_shape(tain_sqlite_table *t)
{
    tain_sqlite_forget_query(t);
    tain_sqlite_shape_free(t->shape);
    t->shape = NULL;
    t->id = 0;
    t->scanned = -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(tain_source_table *const *)a)->name, (*(tain_source_table *const *)b)->name);
}

static void list_catalog(tain_sqlite *s)
{
    s->catalog = tain_realloc(s->catalog, (s->table_count + 1) * sizeof(tain_source_table *));
    s->catalog_count = 0;
    for (size_t i = 0; i < s->table_count; i++) {
        tain_sqlite_table *t = s->tables[i];
        if (!t->looked) forget_shape(t);
        if (t->shape) s->catalog[s->catalog_count++] = &t->table;
    }
    qsort(s->catalog, s->catalog_count, sizeof(tain_source_table *), by_name);
}

static void list_virtual(tain_sqlite *s, tain_map *names)
{
    const char *name;
    char *sql;
    tain_buffer_clear(&s->virtual_tables);
    TAIN_MAP_EACH(names, i, name, sql) {
        if (!tain_source_selects(&s->options, "main", name)) continue;
        tain_buffer_printf(&s->virtual_tables, "%s%s", s->virtual_tables.size ? ", " : "", name);
    }
}

static tain_status look_at_all(tain_sqlite *s, tain_map *names, tain_map *kept_shapes, tain_error *err)
{
    const char *name;
    char *sql;
    int64_t version;
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.schema_version", 0, &s->schema_version, err));
    TAIN_TRY(tain_sqlite_number(&s->db, "PRAGMA main.data_version", 0, &version, err));
    if (!s->options.poll_capture) TAIN_TRY(load_kept_version(s, err));
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->looked = false;
    rename_tables(s, kept_shapes);
    TAIN_MAP_EACH(names, i, name, sql) {
        if (!tain_source_selects(&s->options, "main", name)) continue;
        TAIN_TRY_IN(err, look_at(s, name, sql, kept_shapes, version, err), "table main.%s", name);
    }
    list_catalog(s);
    return TAIN_OK;
}

static void free_texts(tain_map *m)
{
    const char *name;
    char *text;
    TAIN_MAP_EACH(m, i, name, text) free(text);
    tain_map_done(m);
}

/* --- values --------------------------------------------------------------------------------------------------------- */

static tain_status data_version(tain_sqlite *s, int64_t *ret, tain_error *err)
{
    return tain_sqlite_number(&s->db, "PRAGMA main.data_version", -1, ret, err);
}

static tain_status scan(tain_sqlite *s, tain_sqlite_table *t, bool *ret_same, tain_error *err)
{
    tain_sqlite_slices slices;
    int64_t before, after;
    bool at_once = tain_sqlite_in_transaction(&s->db);
    TAIN_TRY(tain_sqlite_slices_init(&slices, &s->db, s->schema_version, err));
    TAIN_TRY(data_version(s, &before, err));
    TAIN_TRY(tain_sqlite_scan(&s->db, t->shape, &t->marks, at_once ? NULL : &slices, ret_same, err));
    if (!*ret_same) return TAIN_OK;
    TAIN_TRY(data_version(s, &after, err));
    t->scanned = before == after ? before : -1;
    t->dirty = true;
    t->unseen = false;
    tain_sqlite_show(s, t);
    return TAIN_OK;
}

/* Each in transactions of its own, or in the caller's. *ret_same false: the schema has changed meanwhile. */
static tain_status scan_all(tain_sqlite *s, bool *ret_same, tain_error *err)
{
    *ret_same = true;
    for (size_t i = 0; i < s->table_count && *ret_same; i++)
        if (s->tables[i]->shape && s->tables[i]->unseen) TAIN_TRY(scan(s, s->tables[i], ret_same, err));
    return TAIN_OK;
}

static tain_status look_once(tain_sqlite *s, bool at_once, tain_error *err)
{
    bool same;
    tain_map names = {0}, virtual = {0}, kept_shapes = {0};
    TAIN_TRY(tain_sqlite_run(&s->db, "BEGIN", err));
    tain_status st = tain_sqlite_list_tables(&s->db, &names, &virtual, err);
    if (st == TAIN_OK) st = load_kept(s, &kept_shapes, err);
    if (st == TAIN_OK) st = find_renamed(s, &kept_shapes, err);
    if (st == TAIN_OK) st = look_at_all(s, &names, &kept_shapes, err);
    if (st == TAIN_OK) list_virtual(s, &virtual);
    if (st == TAIN_OK && at_once) st = scan_all(s, &same, err);
    tain_sqlite_rollback(&s->db);
    free_texts(&names);
    free_texts(&virtual);
    kept_done(&kept_shapes);
    return st;
}

tain_status tain_sqlite_look(tain_sqlite *s, tain_error *err)
{
    bool same = false;
    for (int i = 0; !same; i++) {
        TAIN_TRY(look_once(s, i >= TRIES, err)); /* a schema that keeps changing is looked at in one go */
        TAIN_TRY(scan_all(s, &same, err));
    }
    return TAIN_OK;
}

tain_sqlite_conn *tain_sqlite_keeper(tain_sqlite *s)
{
    if (!s->options.poll_capture) return &s->db;
    return s->shadow.db ? &s->shadow : NULL;
}
