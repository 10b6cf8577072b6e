/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/text.h"
#include "source/postgres/result.h"
#include "source/postgres/standby.h"
#include "postgres_queries.h"

tain_pg_table *tain_pg_table_by_oid(const tain_pg_source *s, uint32_t oid)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->oid == oid) return s->tables[i];
    return NULL;
}

tain_pg_table *tain_pg_table_of(const tain_pg_source *s, const tain_source_table *t)
{
    return tain_pg_table_by_oid(s, (uint32_t)strtoul(t->identity, NULL, 10));
}

/* --- the server ---------------------------------------------------------------------------------------------------- */

/* Others may be looking at the old one. */
static void replace(tain_pg_source *s, char **slot, const char *text)
{
    if (*slot && strcmp(*slot, text) == 0) return;
    tain_pg_keep_text(s, *slot);
    *slot = tain_strdup(text);
}

/* What is in the catalog, and so the same on every server of the system. */
static void take_capture(tain_pg_server *v, const PGresult *r)
{
    v->has_publication = !tain_pg_is_null(r, 0, "publication");
    v->all_tables = tain_pg_get_bool(r, 0, "puballtables");
    v->via_root = tain_pg_get_bool(r, 0, "pubviaroot");
    v->publishes_all = tain_pg_get_bool(r, 0, "publishes_all");
    v->owns_publication = tain_pg_get_bool(r, 0, "owns_publication");
    v->publication = tain_pg_get_oid(r, 0, "publication");
    v->tells = tain_pg_get_bool(r, 0, "tells");
    v->has_schema = tain_pg_get_bool(r, 0, "has_schema");
    v->outdated = v->tells && !tain_pg_ddl_is_ours(tain_pg_get(r, 0, "made_by"));
    v->altered = tain_pg_get_oid(r, 0, "altered");
}

static void take_server(tain_pg_source *s, const PGresult *r)
{
    tain_pg_server *v = &s->server;
    replace(s, &v->wal_level, tain_pg_get(r, 0, "wal_level"));
    replace(s, &v->version, tain_pg_get(r, 0, "server_version"));
    replace(s, &v->role, tain_pg_get(r, 0, "rolname"));
    replace(s, &v->database, tain_pg_get(r, 0, "database"));
    v->logical = strcmp(v->wal_level, "logical") == 0;
    v->utf8 = strcmp(tain_pg_get(r, 0, "server_encoding"), "SQL_ASCII") != 0;
    v->in_recovery = tain_pg_get_bool(r, 0, "in_recovery");
    v->super = tain_pg_get_bool(r, 0, "rolsuper");
    v->may_replicate = v->super || tain_pg_get_bool(r, 0, "may_replicate");
    v->may_create = tain_pg_get_bool(r, 0, "may_create");
    v->free_slots = tain_pg_get_int(r, 0, "free_slots");
    v->free_senders = tain_pg_get_int(r, 0, "free_senders");
    v->has_slot = !tain_pg_is_null(r, 0, "slot");
}

static tain_status ask_server(tain_pg_source *s, PGresult **ret, tain_error *err)
{
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_server, 2, (const char *[]){s->slot, s->publication}, ret, err));
    return PQntuples(*ret) == 1 ? TAIN_OK : tain_fail(err, TAIN_E_PROTOCOL, "PostgreSQL at %s does not know its own role", s->conn.target->where);
}

static tain_status read_server(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(ask_server(s, &r, err));
    take_server(s, r);
    take_capture(&s->server, r);
    s->server.known = true;
    return TAIN_OK;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

/* A view or a partition is spoken of only when somebody asked for it by its very name. */
static bool is_named(const tain_pg_source *s, const char *schema, const char *name)
{
    char *full = tain_format("%s.%s", schema, name);
    bool found = false;
    for (const char **g = s->options.tables; g && *g && !found; g++) found = strcmp(*g, full) == 0 || strcmp(*g, name) == 0;
    tain_free(full);
    return found;
}

static bool is_wanted(const tain_pg_source *s, const PGresult *r, int row)
{
    const char *schema = tain_pg_get(r, row, "nspname"), *name = tain_pg_get(r, row, "relname");
    char kind = *tain_pg_get(r, row, "relkind");
    if (!tain_source_selects(&s->options, schema, name)) return false;
    if (*tain_pg_get(r, row, "relpersistence") == 't') return false;
    bool ordinary = kind == 'r' || kind == 'p';
    bool other = s->options.leaves ? kind == 'p' : tain_pg_get_bool(r, row, "relispartition");
    return (ordinary && !other) || is_named(s, schema, name);
}

static tain_pg_table *add_table(tain_pg_source *s, const PGresult *r, int row)
{
    tain_pg_table *t = tain_alloc(sizeof *t);
    t->oid = tain_pg_get_oid(r, row, "oid");
    t->pub = tain_source_table_new(tain_pg_get(r, row, "nspname"), tain_pg_get(r, row, "relname"), tain_pg_get(r, row, "oid"));
    if (s->table_count == s->table_capacity)
        s->tables = tain_realloc(s->tables, (s->table_capacity = s->table_capacity * 2 + 16) * sizeof *s->tables);
    return s->tables[s->table_count++] = t;
}

/* "{1,2}" of attribute numbers */
static size_t parse_attnums(const char *text, int16_t **ret)
{
    size_t n = 0;
    *ret = tain_alloc((strlen(text) + 1) * sizeof **ret);
    for (const char *p = text; *p;) {
        char *end;
        long v = strtol(p, &end, 10);
        if (end != p) (*ret)[n++] = (int16_t)v;
        p = end == p ? p + 1 : end;
    }
    return n;
}

static void set_text(char **slot, const char *text)
{
    tain_free(*slot);
    *slot = tain_strdup(text);
}

static void read_seen(struct tain_pg_seen *seen, const PGresult *r, int row)
{
    seen->filenode = tain_pg_get_oid(r, row, "relfilenode");
    seen->written = tain_pg_get_oid(r, row, "written");
    seen->identity = *tain_pg_get(r, row, "relreplident");
    tain_free(seen->key_attnums);
    seen->key_count = parse_attnums(tain_pg_get(r, row, "key_columns"), &seen->key_attnums);
    set_text(&seen->schema, tain_pg_get(r, row, "nspname"));
    set_text(&seen->name, tain_pg_get(r, row, "relname"));
}

static void seen_done(struct tain_pg_seen *seen)
{
    tain_free(seen->key_attnums);
    tain_free(seen->schema);
    tain_free(seen->name);
}

/* Whether what the catalog says is what is known: nobody follows the table, or it is being read anew. */
static bool is_taken_over(const tain_pg_source *s, const tain_pg_table *t) { return !t->shape || t->renew || (s->refresh && !t->recalled); }

static void take_seen(tain_pg_source *s, tain_pg_table *t, const char *as_of)
{
    t->filenode = t->seen.filenode;
    t->identity = t->seen.identity;
    tain_free(t->key_attnums);
    t->key_attnums = tain_alloc((t->seen.key_count + 1) * sizeof *t->key_attnums);
    memcpy(t->key_attnums, t->seen.key_attnums, t->seen.key_count * sizeof *t->key_attnums);
    t->key_count = t->seen.key_count;
    replace(s, &t->pub->schema, t->seen.schema);
    replace(s, &t->pub->name, t->seen.name);
    tain_free(t->as_of);
    t->as_of = tain_strdup(as_of);
    t->unseen = t->ahead_until = 0;
    t->fresh = true;
}

static void read_table(tain_pg_source *s, tain_pg_table *t, const PGresult *r, int row)
{
    t->kind = *tain_pg_get(r, row, "relkind");
    t->persistence = *tain_pg_get(r, row, "relpersistence");
    t->is_partition = tain_pg_get_bool(r, row, "relispartition");
    t->schema_usage = tain_pg_get_bool(r, row, "schema_usage");
    t->may_select = tain_pg_get_bool(r, row, "may_select");
    t->owned = tain_pg_get_bool(r, row, "owned");
    t->row_security = tain_pg_get_bool(r, row, "row_security");
    t->has_primary = tain_pg_get_bool(r, row, "has_primary");
    t->reltuples = tain_pg_get_double(r, row, "reltuples");
    t->relpages = tain_pg_get_double(r, row, "relpages");
    t->bytes = t->total_bytes = -1;
    t->present = true;
    t->published = false;
    t->listed = 0;
    tain_free(t->filter);
    t->filter = NULL;
    read_seen(&t->seen, r, row);
    if (is_taken_over(s, t)) take_seen(s, t, tain_pg_get(r, row, "as_of"));
}

static tain_status read_tables(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_tables, 1, (const char *[]){NULL}, &r, err));
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->present = false;
    for (int row = 0; row < PQntuples(r); row++) {
        tain_pg_table *t = tain_pg_table_by_oid(s, tain_pg_get_oid(r, row, "oid"));
        bool followed = s->streamed && t && t->taken;
        if (!followed && !is_wanted(s, r, row)) continue;
        if (!t) t = add_table(s, r, row);
        read_table(s, t, r, row);
    }
    return TAIN_OK;
}

/* Columns and key live in shapes, which the source frees. */
void tain_pg_table_free(tain_pg_table *t)
{
    t->pub->columns = NULL;
    t->pub->key = NULL;
    tain_free(t->pub->memo);
    tain_source_table_free(t->pub);
    tain_pg_leaves_free(t->leaves);
    tain_free(t->key_attnums);
    seen_done(&t->seen);
    tain_free(t->filter);
    tain_pg_beside_done(&t->looked);
    tain_pg_beside_done(&t->settled);
    tain_free(t->history);
    tain_free(t->as_of);
    tain_free(t->due_reason);
    tain_free(t->due_leaves);
    tain_pg_reread_forget(t);
    tain_free(t);
}

void tain_pg_server_done(tain_pg_server *v)
{
    tain_free(v->role);
    tain_free(v->database);
    tain_free(v->version);
    tain_free(v->wal_level);
}

/* --- asking about many tables at once ------------------------------------------------------------------------------ */

static size_t list_oids(const tain_pg_source *s, bool (*pick)(const tain_pg_source *, const tain_pg_table *), tain_buffer *out)
{
    uint32_t *oids = tain_alloc((s->table_count + 1) * sizeof *oids);
    size_t n = 0;
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->present && pick(s, s->tables[i])) oids[n++] = s->tables[i]->oid;
    tain_pg_put_oids(out, oids, n);
    tain_free(oids);
    return n;
}

tain_status tain_pg_catalog_ask(tain_pg_source *s, const char *sql, bool (*pick)(const tain_pg_source *, const tain_pg_table *), PGresult **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer oids = {0};
    list_oids(s, pick, &oids);
    return tain_pg_query_params(&s->conn, sql, 1, (const char *[]){tain_buffer_cstr(&oids)}, ret, err);
}

void tain_pg_shape_keep(tain_pg_source *s, tain_pg_shape *shape)
{
    if (s->shape_count == s->shape_capacity)
        s->shapes = tain_realloc(s->shapes, (s->shape_capacity = s->shape_capacity * 2 + 16) * sizeof *s->shapes);
    s->shapes[s->shape_count++] = shape;
}

static bool needs_shape(const tain_pg_source *s, const tain_pg_table *t) { return !t->shape || t->fresh; }

static bool same_column(const tain_pg_column *a, const tain_pg_column *b)
{
    return a->attnum == b->attnum && a->type_oid == b->type_oid && a->typmod == b->typmod && a->written == b->written && strcmp(a->name, b->name) == 0;
}

static bool same_shape(const tain_pg_shape *a, const tain_pg_shape *b)
{
    if (a->count != b->count || !tain_schema_equal(a->schema, b->schema)) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_column(&a->columns[i], &b->columns[i])) return false;
    return true;
}

static tain_status load_column_types(tain_pg_source *s, const PGresult *columns, tain_error *err)
{
    int n = PQntuples(columns);
    uint32_t *oids = tain_alloc(((size_t)n + 1) * sizeof *oids);
    size_t distinct = 0;
    for (int i = 0; i < n; i++) {
        uint32_t oid = tain_pg_get_oid(columns, i, "atttypid");
        if (!tain_pg_types_find(&s->types, oid)) oids[distinct++] = oid;
    }
    tain_status status = tain_pg_types_load(&s->types, &s->conn, oids, distinct, err);
    tain_free(oids);
    return status;
}

static void take_shape(tain_pg_source *s, tain_pg_table *t, tain_pg_shape *shape)
{
    if (t->shape && same_shape(t->shape, shape)) {
        tain_pg_shape_free(shape);
        tain_pg_table_show(t); /* the key may be another */
    } else {
        tain_pg_table_take_shape(s, t, shape);
    }
}

static tain_status read_shapes(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_catalog_ask(s, tain_query_columns, needs_shape, &r, err));
    TAIN_TRY(load_column_types(s, r, err));
    for (int row = 0, n; row < PQntuples(r); row += n) {
        n = tain_pg_rows_of(r, row, "attrelid");
        tain_pg_table *t = tain_pg_table_by_oid(s, tain_pg_get_oid(r, row, "attrelid"));
        char *name = tain_format("%s.%s", t->pub->schema, t->pub->name);
        take_shape(s, t, tain_pg_shape_read(s, r, row, n, NULL, name));
        tain_free(name);
    }
    for (size_t i = 0; i < s->table_count; i++) /* a table without any column */
        if (s->tables[i]->present && !s->tables[i]->shape) take_shape(s, s->tables[i], tain_pg_shape_read(s, r, 0, 0, NULL, ""));
    return TAIN_OK;
}

/* --- what has become of tables that are followed ------------------------------------------------------------------------ */

static bool is_taken(const tain_pg_source *s, const tain_pg_table *t) { return t->taken && !t->dropped; }

tain_status tain_pg_catalog_columns(tain_pg_source *s, PGresult **ret, tain_error *err) { return tain_pg_catalog_ask(s, tain_query_columns, is_taken, ret, err); }

static bool column_differs(const tain_pg_column *c, const PGresult *r, int row)
{
    return c->attnum != tain_pg_get_int(r, row, "attnum") || c->written != tain_pg_get_oid(r, row, "written");
}

bool tain_pg_table_differs(const tain_pg_table *t, const PGresult *r, int first, int n)
{
    size_t at = 0;
    for (int row = first; row < first + n; row++) {
        if (tain_pg_is_left_out(r, row)) continue;
        if (at == t->shape->count || column_differs(&t->shape->columns[at++], r, row)) return true;
    }
    return at != t->shape->count || t->seen.key_count != t->key_count || t->seen.identity != t->identity ||
           memcmp(t->seen.key_attnums, t->key_attnums, t->key_count * sizeof *t->key_attnums) != 0 ||
           strcmp(t->seen.schema, t->pub->schema) != 0 || strcmp(t->seen.name, t->pub->name) != 0;
}

static uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 1099511628211u; }

/* A schema may be renamed under it. */
uint64_t tain_pg_table_mark(const tain_pg_table *t, const PGresult *r, int first, int n)
{
    uint64_t hash = mix(mix(14695981039346656037u, t->seen.written), t->seen.filenode);
    for (size_t i = 0; i < t->seen.key_count; i++) hash = mix(hash, (uint64_t)t->seen.key_attnums[i]);
    for (const char *p = t->seen.schema; *p; p++) hash = mix(hash, (uint8_t)*p);
    for (int row = first; row < first + n; row++) hash = mix(mix(hash, (uint64_t)tain_pg_get_int(r, row, "attnum")), tain_pg_get_oid(r, row, "written"));
    return hash;
}

/* --- what an existing publication covers --------------------------------------------------------------------------- */

tain_status tain_pg_published_read(tain_pg_source *s, tain_error *err)
{
    if (!s->server.has_publication) return TAIN_OK;
    TAIN_PG_RESULT *r = NULL, *filtered = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_published, 1, (const char *[]){s->publication}, &r, err));
    for (int row = 0; row < PQntuples(r); row++) {
        tain_pg_table *t = tain_pg_table_by_oid(s, tain_pg_get_oid(r, row, "oid"));
        if (!t) continue;
        t->published = true;
        t->listed = tain_pg_get_oid(r, row, "listed");
    }
    if (s->conn.version < 150000) return TAIN_OK;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_filtered, 1, (const char *[]){s->publication}, &filtered, err));
    for (int row = 0; row < PQntuples(filtered); row++) {
        tain_pg_table *t = tain_pg_table_by_oid(s, tain_pg_get_oid(filtered, row, "oid"));
        if (t) replace(s, &t->filter, tain_pg_get_bool(filtered, row, "rows_filtered") ? "rows" : "columns");
    }
    return TAIN_OK;
}

/* --- one table now ------------------------------------------------------------------------------------------------- */

static void read_now_leaves(const PGresult *r, tain_pg_now *ret)
{
    ret->leaf_count = (size_t)PQntuples(r);
    ret->leaves = tain_alloc((ret->leaf_count + 1) * sizeof *ret->leaves);
    for (size_t i = 0; i < ret->leaf_count; i++) ret->leaves[i] = (tain_pg_watched){.oid = tain_pg_get_oid(r, (int)i, "leaf"), .filenode = tain_pg_get_oid(r, (int)i, "relfilenode")};
}

static tain_status read_now(tain_pg_source *s, tain_pg_table *t, const PGresult *table, const PGresult *columns, const PGresult *older, tain_pg_now *ret, tain_error *err)
{
    TAIN_TRY(load_column_types(s, columns, err));
    read_seen(&t->seen, table, 0);
    ret->there = true;
    ret->schema = tain_strdup(t->seen.schema);
    ret->name = tain_strdup(t->seen.name);
    ret->filenode = t->seen.filenode;
    ret->identity = t->seen.identity;
    ret->key_count = parse_attnums(tain_pg_get(table, 0, "key_columns"), &ret->key_attnums);
    ret->as_of = tain_strdup(tain_pg_get(table, 0, "as_of"));
    ret->shown_below = tain_pg_shown_below(ret->as_of);
    ret->mark = tain_pg_table_mark(t, columns, 0, PQntuples(columns));
    char *full = tain_format("%s.%s", ret->schema, ret->name);
    ret->shape = tain_pg_shape_read(s, columns, 0, PQntuples(columns), older, full);
    tain_free(full);
    return TAIN_OK;
}

/* Of one moment: `snapshot` is that of a transaction elsewhere, NULL: now. */
static tain_status begin_moment(tain_pg_source *s, const char *snapshot, tain_error *err)
{
    TAIN_TRY(tain_pg_run(&s->conn, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return snapshot ? tain_pg_run(&s->conn, err, "SET TRANSACTION SNAPSHOT '%s'", snapshot) : TAIN_OK;
}

static tain_status end_moment(tain_pg_source *s, tain_status status, tain_error *err)
{
    if (status == TAIN_OK) return tain_pg_run(&s->conn, err, "COMMIT");
    if (tain_pg_connected(&s->conn)) (void)!tain_pg_run(&s->conn, NULL, "ROLLBACK");
    return status;
}

static tain_status ask_now(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, tain_error *err)
{
    char one[16], set[20];
    snprintf(one, sizeof one, "%u", t->oid);
    snprintf(set, sizeof set, "{%u}", t->oid);
    TAIN_PG_RESULT *table = NULL, *columns = NULL, *older = NULL, *leaves = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_tables, 1, (const char *[]){one}, &table, err));
    if (PQntuples(table) == 0) return TAIN_OK;
    tain_fault(TAIN_FAULT_CATALOG_TABLE_READ);
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_columns, 1, (const char *[]){set}, &columns, err));
    if (t->kind == 'p') {
        TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_older_values, 1, (const char *[]){one}, &older, err));
        TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_leaves, 1, (const char *[]){set}, &leaves, err));
        read_now_leaves(leaves, ret);
    }
    return read_now(s, t, table, columns, older, ret, err);
}

tain_status tain_pg_catalog_now(tain_pg_source *s, tain_pg_table *t, tain_pg_now *ret, tain_error *err)
{
    *ret = (tain_pg_now){0};
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    tain_status status = begin_moment(s, NULL, err);
    if (status == TAIN_OK) status = ask_now(s, t, ret, err);
    status = end_moment(s, status, err);
    if (status != TAIN_OK) tain_pg_now_done(ret);
    return status;
}

void tain_pg_now_done(tain_pg_now *now)
{
    tain_free(now->schema);
    tain_free(now->name);
    tain_free(now->key_attnums);
    tain_free(now->leaves);
    tain_free(now->as_of);
    tain_pg_shape_free(now->shape);
    *now = (tain_pg_now){0};
}

static void take_beside(tain_pg_source *s)
{
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_table *t = s->tables[i];
        if (!t->fresh || !t->present || !t->shape) continue;
        t->fresh = false;
        tain_pg_beside_take(s, t);
        (void)tain_pg_memo_renew(s, t);
    }
}

static tain_status read_as_of(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(begin_moment(s, s->snapshot, err));
    TAIN_TRY(ask_server(s, &r, err));
    take_capture(&s->server, r); /* the publication may have been made since */
    TAIN_TRY(read_tables(s, err));
    TAIN_TRY(tain_pg_leaves_read(s, err));
    TAIN_TRY(read_shapes(s, err));
    return tain_pg_published_read(s, err);
}

tain_status tain_pg_catalog_renew(tain_pg_source *s, tain_error *err)
{
    tain_pg_conn *there = tain_pg_standby_conn(s), own = s->conn; /* only the server that made a snapshot has it */
    if (there) s->conn = *there;
    else TAIN_TRY(tain_pg_catalog_conn(s, err));
    tain_status status = end_moment(s, read_as_of(s, err), err);
    if (there) {
        *there = s->conn;
        s->conn = own;
    }
    TAIN_TRY(status);
    take_beside(s);
    return TAIN_OK;
}

/* --- all of it ----------------------------------------------------------------------------------------------------- */

enum { MOST_TRIES = 5 };

static tain_status read_catalog(tain_pg_source *s, tain_error *err)
{
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    TAIN_TRY(read_server(s, err));
    TAIN_TRY(read_tables(s, err));
    TAIN_TRY(tain_pg_leaves_read(s, err));
    TAIN_TRY(read_shapes(s, err));
    TAIN_TRY(tain_pg_sizes_read(s, err));
    TAIN_TRY(tain_pg_published_read(s, err));
    take_beside(s);
    for (size_t i = 0; i < s->table_count; i++) {
        if (!s->tables[i]->present) continue;
        tain_pg_table_estimate(s->tables[i]);
        tain_pg_table_judge(s, s->tables[i]);
    }
    return TAIN_OK;
}

tain_status tain_pg_catalog_read(tain_pg_source *s, tain_error *err)
{
    tain_status status = read_catalog(s, err);
    for (int tries = 1; status == TAIN_E_BUSY && tries < MOST_TRIES; tries++) status = read_catalog(s, err);
    return status;
}
