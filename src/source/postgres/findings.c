/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { OLDEST = 130000, TELLS_SINCE = 140000, STANDBY_SINCE = 160000 };

/* SQL for a remedy: %T the table's name, %O without those that inherit from it, %R the role, %P the publication, %S the
 * schema. Caller frees. */
static char *sql(const tain_pg_source *s, const tain_pg_table *t, const char *pattern)
{
    tain_buffer out = {0};
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') tain_buffer_append_u8(&out, (uint8_t)*p);
        else if (*++p == 'T') tain_pg_put_name(&out, t->pub->schema, t->pub->name);
        else if (*p == 'O') tain_pg_put_published(t, &out);
        else if (*p == 'S') tain_pg_put_identifier(&out, t->pub->schema);
        else if (*p == 'R') tain_pg_put_identifier(&out, s->server.role);
        else if (*p == 'P') tain_pg_put_identifier(&out, s->publication);
    }
    return tain_buffer_cstr(&out);
}

static void find(const tain_pg_source *s, tain_pg_table *t, tain_verdict level, const char *code, const char *remedy, const char *message)
{
    char *text = remedy ? sql(s, t, remedy) : NULL;
    tain_source_table_find(t->pub, level, code, NULL, text, "%s", message);
    tain_free(text);
}

/* --- what it is ---------------------------------------------------------------------------------------------------- */

static bool judge_kind(tain_pg_source *s, tain_pg_table *t)
{
    const char *what = t->kind == 'v' ? "a view" : t->kind == 'm' ? "a materialized view" : t->kind == 'f' ? "a foreign table" : NULL;
    char message[160];
    if (what) {
        snprintf(message, sizeof message, "it is %s: its content is not in this server's log", what);
        find(s, t, TAIN_VERDICT_ERROR, "not_a_table", t->kind == 'f' ? "mirror it from where its rows are" : "mirror the tables it is made of", message);
    } else if (t->kind == 'p' && s->options.leaves) {
        find(s, t, TAIN_VERDICT_ERROR, "partitioned", "name its partitions instead", "it is mirrored partition by partition");
    } else if (t->is_partition && !s->options.leaves) {
        find(s, t, TAIN_VERDICT_ERROR, "partition", "name the partitioned table instead", "it is a partition and is mirrored as part of its root");
    } else if (t->persistence == 'u') {
        find(s, t, TAIN_VERDICT_ERROR, "unlogged", "ALTER TABLE %T SET LOGGED;", "it is unlogged: its changes are not in the server's log");
    } else if (t->shape->count == 0) {
        find(s, t, TAIN_VERDICT_ERROR, "no_columns", "nothing to do, or add a column", "it has no column that can be mirrored");
    } else {
        return true;
    }
    return false;
}

/* --- who may read it ----------------------------------------------------------------------------------------------- */

static void judge_privileges(tain_pg_source *s, tain_pg_table *t)
{
    if (!t->schema_usage)
        find(s, t, TAIN_VERDICT_ERROR, "no_usage", "GRANT USAGE ON SCHEMA %S TO %R;", "the role may not use its schema");
    if (!t->may_select) find(s, t, TAIN_VERDICT_ERROR, "no_select", "GRANT SELECT ON %T TO %R;", "the role may not read it");
    if (t->row_security)
        find(s, t, TAIN_VERDICT_ERROR, "row_security", "ALTER ROLE %R BYPASSRLS;", "row security hides rows of it from the role");
}

/* --- what tells its rows apart ------------------------------------------------------------------------------------- */

static const char no_key_remedy[] = "ALTER TABLE %T ADD PRIMARY KEY (...); or, if no columns are unique: ALTER TABLE %T REPLICA IDENTITY FULL;";

char *tain_pg_identity_remedy(const tain_pg_source *s, const tain_pg_table *t) { return sql(s, t, no_key_remedy); }

static bool key_is_mirrored(const tain_pg_table *t)
{
    bool known = t->seen.key_count == t->key_count && memcmp(t->seen.key_attnums, t->key_attnums, t->key_count * sizeof *t->key_attnums) == 0;
    return !known || t->pub->key_count == t->key_count;
}

static void judge_identity(tain_pg_source *s, tain_pg_table *t)
{
    char identity = t->seen.identity;
    if (identity == 'n')
        find(s, t, TAIN_VERDICT_ERROR, "no_key", t->has_primary ? "ALTER TABLE %T REPLICA IDENTITY DEFAULT;" : no_key_remedy,
             "its replica identity is NOTHING: the log does not say which rows are updated or deleted");
    else if (!key_is_mirrored(t))
        find(s, t, TAIN_VERDICT_ERROR, "no_key", no_key_remedy, "its key has a generated column, which the log does not hold");
    else if (t->seen.key_count == 0 && identity != 'f')
        find(s, t, TAIN_VERDICT_ERROR, "no_key", no_key_remedy,
             identity == 'i'  ? "the index of its replica identity is gone or not valid"
             : t->has_primary ? "its primary key is deferrable, which cannot identify rows in the log"
                              : "it has no primary key and no replica identity");
    else if (t->seen.key_count == 0)
        find(s, t, TAIN_VERDICT_WARNING, "no_primary_key", "ALTER TABLE %T ADD PRIMARY KEY (...);",
             "it has no primary key: its rows are told apart by all their columns, which costs more");
}

/* A partition that logs less than its root needs would make updates fail, or lose them. */
static bool leaf_identifies(const tain_pg_table *t, const tain_pg_leaf *l)
{
    if (l->identity == 'f') return true;
    return t->seen.key_count && l->has_key && l->identity != 'n' && (l->identity == 'i') == (t->seen.identity == 'i');
}

static void judge_leaf(tain_pg_source *s, tain_pg_table *t, const tain_pg_leaf *l)
{
    char message[256];
    if (l->kind != 'r' || l->persistence != 'p') {
        snprintf(message, sizeof message, "its partition %s.%s is %s: changes of it are not in the server's log", l->schema, l->name,
                 l->kind != 'r' ? "a foreign table" : "not a permanent table");
        find(s, t, TAIN_VERDICT_ERROR, "partition_foreign", "detach that partition, or exclude the table", message);
    } else if (!leaf_identifies(t, l)) {
        TAIN_AUTO(tain_buffer_done) tain_buffer remedy = {0};
        tain_buffer_append_str(&remedy, "ALTER TABLE ");
        tain_pg_put_name(&remedy, l->schema, l->name);
        tain_buffer_append_str(&remedy, t->seen.identity == 'd' && l->has_key ? " REPLICA IDENTITY DEFAULT;" : " REPLICA IDENTITY FULL;");
        tain_source_table_find(t->pub, TAIN_VERDICT_ERROR, "partition_identity", NULL, tain_buffer_cstr(&remedy),
                               "its partition %s.%s does not log what identifies rows", l->schema, l->name);
    }
}

static void judge_leaves(tain_pg_source *s, tain_pg_table *t)
{
    for (size_t i = 0; t->leaves && i < t->leaves->count; i++) judge_leaf(s, t, &t->leaves->list[i]);
    if (t->kind == 'p' && (t->seen.key_count == 0 || t->seen.identity == 'i') && t->pub->verdict != TAIN_VERDICT_ERROR)
        find(s, t, TAIN_VERDICT_WARNING, "partition_identity", "ALTER TABLE %T ADD PRIMARY KEY (...);",
             "a partition added later does not inherit the replica identity: set it at once, or updates of that partition fail");
}

/* --- what its columns hold ----------------------------------------------------------------------------------------- */

static void add_name(tain_buffer *list, const char *name, const char *type)
{
    if (list->size > 600) { /* more would not fit into a line */
        if (list->data[list->size - 1] != '.') tain_buffer_append_str(list, ", ...");
        return;
    }
    tain_buffer_printf(list, "%s%s", list->size ? ", " : "", name);
    if (type) tain_buffer_printf(list, " (%s)", type);
}

static void judge_numeric(tain_pg_table *t, const tain_pg_column *c)
{
    tain_source_table_find(t->pub, TAIN_VERDICT_WARNING, "type_as_text", c->name,
                           "declare it numeric(p,s) with p <= 38, or set the policy \"numeric\" to decimal(p,s) or double",
                           "numeric %s is stored as text, which is exact", c->typmod < 4 ? "without precision" : "of more than 38 digits");
}

/* What happens to values that Delta has no place for, each to the columns it concerns. */
static void judge_limited(tain_pg_table *t)
{
    enum { KEY = TAIN_PG_RANGE_STRING + 1, FATES };
    static const struct { const char *what, *remedy; } fates[FATES] = {
        [TAIN_PG_RANGE_NULL] = {"become NULL and are counted", "the policy \"out_of_range\" may be clamp, error or string"},
        [TAIN_PG_RANGE_CLAMP] = {"become the nearest value that has, NaN becomes NULL, and are counted", "the policy \"out_of_range\" may be null, error or string"},
        [TAIN_PG_RANGE_ERROR] = {"make the table fail", "the policy \"out_of_range\" may be null, clamp or string"},
        [KEY] = {"make the table fail, because rows of such a key could not be told apart", "set the policy \"out_of_range\" of these columns to string"},
    };
    for (int fate = 0; fate < FATES; fate++) {
        TAIN_AUTO(tain_buffer_done) tain_buffer names = {0};
        for (size_t i = 0; i < t->shape->count; i++) {
            const tain_pg_codec *c = t->shape->columns[i].codec;
            if (c->limited && fate == (c->key ? KEY : (int)c->range)) add_name(&names, t->shape->columns[i].name, NULL);
        }
        if (names.size == 0 || !fates[fate].what) continue;
        TAIN_AUTO(tain_buffer_done) tain_buffer remedy = {0};
        tain_buffer_printf(&remedy, "nothing to do if such values do not occur; else %s", fates[fate].remedy);
        tain_source_table_find(t->pub, TAIN_VERDICT_WARNING, "value_out_of_range", NULL, tain_buffer_cstr(&remedy),
                               "columns %s: infinity, NaN and years outside 0001-9999 have no place in Delta, %s", tain_buffer_cstr(&names), fates[fate].what);
    }
}

static void judge_names(tain_pg_table *t)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer names = {0};
    for (size_t i = 0; i < t->shape->count; i++) {
        const char *there = t->shape->schema->fields[i].name;
        if (strcmp(t->shape->columns[i].name, there) == 0) continue;
        TAIN_AUTO(tain_free) char *both = tain_format("%s as %s", t->shape->columns[i].name, there);
        add_name(&names, both, NULL);
    }
    if (names.size)
        tain_source_table_find(t->pub, TAIN_VERDICT_WARNING, "column_renamed", NULL, "nothing to do, or rename them in the source",
                               "Delta does not tell names of columns apart by case: the mirror has %s", tain_buffer_cstr(&names));
}

static void judge_columns(tain_pg_source *s, tain_pg_table *t)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer texts = {0};
    TAIN_AUTO(tain_buffer_done) tain_buffer lists = {0};
    for (size_t i = 0; i < t->shape->count; i++) {
        const tain_pg_column *c = &t->shape->columns[i];
        if (c->codec->pg->is_array && c->codec->type.kind == TAIN_LIST) add_name(&lists, c->name, NULL);
        if (c->codec->as_text && c->codec->pg->oid == TAIN_PG_NUMERIC) judge_numeric(t, c);
        else if (c->codec->as_text) add_name(&texts, c->name, c->type_name);
    }
    judge_names(t);
    judge_limited(t);
    if (lists.size)
        tain_source_table_find(t->pub, TAIN_VERDICT_WARNING, "array_dimensions", NULL, "nothing to do if such values do not occur; else declare the column with its dimensions, such as int[][], or set its policy \"out_of_range\" to string: it is JSON then",
                               "columns %s are lists: a value of more dimensions than the one declared becomes NULL and is counted", tain_buffer_cstr(&lists));
    if (texts.size)
        tain_source_table_find(t->pub, TAIN_VERDICT_OK, "type_as_text", NULL, NULL, "columns %s are stored in the server's own text form", tain_buffer_cstr(&texts));
    if (t->shape->left_out)
        tain_source_table_find(t->pub, TAIN_VERDICT_WARNING, "generated_column", NULL, "compute them where the mirror is read",
                               "generated columns are not in the log and are left out: %s", t->shape->left_out);
    if (!s->server.utf8)
        find(s, t, TAIN_VERDICT_WARNING, "invalid_utf8", "use a database with encoding UTF8",
             "the database's encoding is SQL_ASCII: bytes of its texts that are not UTF-8 are replaced and counted");
}

/* --- how its changes come ------------------------------------------------------------------------------------------ */

static void judge_publication(tain_pg_source *s, tain_pg_table *t)
{
    if (t->filter) {
        char message[160];
        snprintf(message, sizeof message, "the publication shows only some %s of it", t->filter);
        find(s, t, TAIN_VERDICT_ERROR, "publication_filter", "ALTER PUBLICATION %P DROP TABLE %O; ALTER PUBLICATION %P ADD TABLE %O;", message);
    }
    if (!s->server.has_publication || t->published) return;
    if (s->server.in_recovery || (!s->server.owns_publication && !s->server.super) || (!t->owned && !s->server.super))
        find(s, t, TAIN_VERDICT_ERROR, "not_published", "ALTER PUBLICATION %P ADD TABLE %O;",
             "the publication does not have it, and the role may not add it");
}

void tain_pg_table_judge(tain_pg_source *s, tain_pg_table *t)
{
    tain_source_table_clear_findings(t->pub);
    if (!judge_kind(s, t)) return;
    judge_privileges(s, t);
    judge_identity(s, t);
    judge_leaves(s, t);
    judge_columns(s, t);
    judge_publication(s, t);
}

/* --- the source as a whole ----------------------------------------------------------------------------------------- */

typedef struct findings { tain_finding *list; size_t count; } findings;

static void add(findings *f, tain_verdict level, const char *code, const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));
static void add(findings *f, tain_verdict level, const char *code, const char *remedy, const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0) abort();
    va_end(args);
    f->list = tain_realloc(f->list, (f->count + 1) * sizeof *f->list);
    f->list[f->count++] = (tain_finding){.level = level, .code = tain_strdup(code), .message = message, .remedy = tain_strdup(remedy)};
}

static void judge_server(const tain_pg_source *s, findings *f)
{
    const tain_pg_server *v = &s->server;
    if (s->conn.version < OLDEST)
        add(f, TAIN_VERDICT_ERROR, "server_too_old", "upgrade the server to PostgreSQL 13 or later", "the server is PostgreSQL %s", v->version);
    if (v->in_recovery && s->conn.version < STANDBY_SINCE)
        add(f, TAIN_VERDICT_ERROR, "standby", "give the address of the primary", "the server is a standby, which can be followed from PostgreSQL 16 on only");
    if (!v->logical)
        add(f, TAIN_VERDICT_ERROR, "wal_level", "ALTER SYSTEM SET wal_level = logical;  -- then restart the server",
            "wal_level is %s: the log does not hold what is needed to follow changes", v->wal_level);
    if (!v->may_replicate) {
        char *remedy = sql(s, NULL, "ALTER ROLE %R REPLICATION;");
        add(f, TAIN_VERDICT_ERROR, "no_replication", remedy, "role %s may not read the log", v->role);
        tain_free(remedy);
    }
    if (v->free_slots < 1 && !v->has_slot)
        add(f, TAIN_VERDICT_ERROR, "no_free_slot", "ALTER SYSTEM SET max_replication_slots = <more>;  -- then restart the server; or drop an unused slot",
            "all replication slots are in use");
    else if (v->free_slots < 2 && !v->has_slot)
        add(f, TAIN_VERDICT_WARNING, "few_slots", "ALTER SYSTEM SET max_replication_slots = <more>;  -- then restart the server",
            "one replication slot is free: a table that must be loaded again later needs a second one for a moment");
    if (v->free_senders < 1)
        add(f, TAIN_VERDICT_ERROR, "no_free_sender", "ALTER SYSTEM SET max_wal_senders = <more>;  -- then restart the server", "all WAL senders are in use");
}

static bool may_create_publication(const tain_pg_source *s)
{
    if (s->server.in_recovery) return false;
    if (s->server.super) return true;
    if (!s->server.may_create) return false;
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->present && s->tables[i]->pub->verdict != TAIN_VERDICT_ERROR && !s->tables[i]->owned) return false;
    return true;
}

static bool any_partitioned(const tain_pg_source *s)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->present && (s->options.leaves ? s->tables[i]->is_partition : s->tables[i]->kind == 'p')) return true;
    return false;
}

static void judge_existing(const tain_pg_source *s, findings *f)
{
    bool others = s->server.via_root == s->options.leaves && any_partitioned(s);
    if (s->server.publishes_all && !others) return;
    char *remedy = sql(s, NULL, s->options.leaves ? "ALTER PUBLICATION %P SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);"
                                                  : "ALTER PUBLICATION %P SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);");
    add(f, TAIN_VERDICT_ERROR, "publication_options", remedy, "publication %s %s", s->publication,
        !others             ? "does not publish every kind of change"
        : s->options.leaves ? "shows partitioned tables instead of their partitions"
                            : "shows partitions instead of their root");
    tain_free(remedy);
}

/* Without event triggers the catalog is compared afterwards, and what it does not keep is read anew. */
static void judge_telling(const tain_pg_source *s, findings *f)
{
    bool old = s->conn.version < TELLS_SINCE;
    if (s->server.outdated && !s->server.super) {
        TAIN_AUTO(tain_buffer_done) tain_buffer remedy = {0};
        tain_pg_ddl_put_script(s, &remedy);
        add(f, TAIN_VERDICT_WARNING, "schema_changes_outdated", tain_buffer_cstr(&remedy), "the event triggers of schema %s were made by another version of tain", s->slot);
    }
    if (s->server.tells) return;
    if (!old && s->server.super && !s->server.in_recovery)
        add(f, TAIN_VERDICT_OK, "schema_changes", NULL, "schema changes will be told in the log by event triggers, in a schema %s of their own", s->slot);
    else
        add(f, TAIN_VERDICT_OK, "schema_changes", old ? "upgrade the server to PostgreSQL 14 or later" : "let a superuser start the mirror once: it makes event triggers",
            "schema changes are seen in the catalog, some seconds later, not told in the log: a table whose key or type changes, whose columns are made anew, or that is rewritten, is loaded again");
}

void tain_pg_source_judge(tain_pg_source *s, tain_finding **ret, size_t *ret_count)
{
    findings f = {0};
    judge_server(s, &f);
    judge_telling(s, &f);
    if (s->server.has_publication) {
        judge_existing(s, &f);
    } else if (!may_create_publication(s)) {
        TAIN_AUTO(tain_buffer_done) tain_buffer remedy = {0};
        tain_pg_put_publication(s, &remedy);
        if (s->server.in_recovery)
            add(&f, TAIN_VERDICT_ERROR, "no_publication", tain_buffer_cstr(&remedy), "publication %s can be created on the primary only", s->publication);
        else
            add(&f, TAIN_VERDICT_ERROR, "no_publication", tain_buffer_cstr(&remedy), "role %s may not create the publication %s: it needs CREATE on database %s and to own the tables",
                s->server.role, s->publication, s->server.database);
    }
    *ret = f.list;
    *ret_count = f.count;
}
