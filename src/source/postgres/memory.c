/* SPDX-License-Identifier: MIT */
/* What tables were like when the mirror's content was last confirmed, noted as the publication's comment.
 *
 * Partitions that are detached or dropped, columns that are dropped and added again, rewrites with USING: none of it is
 * in the log. While a table is followed the catalog is watched; what happened while nobody followed is told by the
 * difference from this note. It is written once nothing waits to be reloaded and a later position is confirmed; without
 * it (the publication is somebody else's) such changes are only seen while the mirror runs.
 *
 * "tain 1" and for each table, in hexadecimal: oid:filenode:attributes:written:schema[:leaf.filenode,...] */
#include "source/postgres/stream.h"

#include <stdlib.h>

#include "source/postgres/result.h"
#include "postgres_queries.h"

static const char head[] = "tain 1";
enum { MOST = 1 << 20 };

static uint32_t mix(uint32_t hash, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

typedef struct note { uint32_t oid, filenode, attributes, written, schema; } note;

static note note_of(const tain_pg_table *t)
{
    note n = {.oid = t->oid, .filenode = t->filenode, .attributes = 2166136261u, .written = 2166136261u, .schema = 2166136261u};
    for (size_t i = 0; i < t->shape->count; i++) {
        const tain_pg_column *c = &t->shape->columns[i];
        TAIN_AUTO(tain_buffer_done) tain_buffer type = {0};
        tain_type_name(&c->codec->type, &type);
        n.attributes = mix(n.attributes, &c->attnum, sizeof c->attnum);
        n.written = mix(n.written, &c->written, sizeof c->written);
        n.schema = mix(mix(n.schema, c->name, strlen(c->name) + 1), type.data, type.size);
    }
    return n;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void put_note(tain_buffer *out, const tain_pg_table *t)
{
    note n = note_of(t);
    tain_buffer_printf(out, " %x:%x:%x:%x:%x", n.oid, n.filenode, n.attributes, n.written, n.schema);
    if (t->kind != 'p') return;
    tain_buffer_append_u8(out, ':');
    for (size_t i = 0; i < t->watched_count; i++) tain_buffer_printf(out, "%s%x.%x", i ? "," : "", t->watched[i].oid, t->watched[i].filenode);
}

static bool anything_waits(const tain_pg_source *s)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->due != TAIN_PG_DUE_NOTHING) return true;
    return false;
}

static void write_notes(tain_pg_source *s)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "COMMENT ON PUBLICATION ");
    tain_pg_put_identifier(&sql, s->publication);
    tain_buffer_printf(&sql, " IS '%s", head);
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->taken && s->tables[i]->shape) put_note(&sql, s->tables[i]);
    tain_buffer_append_str(&sql, "'");
    if (sql.size > MOST || tain_pg_catalog_conn(s, NULL) != TAIN_OK) return;
    (void)!tain_pg_query(&s->conn, tain_buffer_cstr(&sql), NULL, NULL);
}

void tain_pg_memory_confirmed(tain_pg_source *s, uint64_t lsn)
{
    bool looked = s->stream && s->stream->fingerprint;
    if (!s->memory_dirty || !looked || lsn <= s->memory_after || anything_waits(s)) return;
    s->memory_dirty = false;
    if (s->server.owns_publication || s->server.super) write_notes(s);
}

void tain_pg_memory_changed(tain_pg_source *s)
{
    s->memory_dirty = true;
    if (s->stream) s->memory_after = s->stream->decoder.position;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static uint32_t read_hex(const char **at)
{
    char *end;
    uint32_t v = (uint32_t)strtoul(*at, &end, 16);
    *at = end + (*end == ':' || *end == '.' || *end == ',');
    return v;
}

static void read_leaves(tain_pg_table *t, const char *at)
{
    size_t n = 0;
    tain_pg_watched *list = NULL;
    while (*at && *at != ' ') {
        const char *before = at;
        list = tain_realloc(list, (n + 1) * sizeof *list);
        list[n].oid = read_hex(&at);
        list[n++].filenode = read_hex(&at);
        if (at == before) break;
    }
    tain_free(t->watched);
    t->watched = list;
    t->watched_count = n;
}

/* Other columns of the same names and types, or values written anew. Another schema is seen by whoever has the content. */
static bool changed_unseen(const note *then, const note *now)
{
    if (then->schema != now->schema) return false;
    return then->attributes != now->attributes || (then->written != now->written && then->filenode != now->filenode);
}

static void read_note(tain_pg_source *s, const char *at)
{
    note then;
    then.oid = read_hex(&at);
    then.filenode = read_hex(&at);
    then.attributes = read_hex(&at);
    then.written = read_hex(&at);
    then.schema = read_hex(&at);
    tain_pg_table *t = tain_pg_table_by_oid(s, then.oid);
    if (!t || !t->taken || !t->shape) return;
    note now = note_of(t);
    t->changed_unseen = changed_unseen(&then, &now);
    if (t->kind == 'p') read_leaves(t, at);
}

tain_status tain_pg_memory_read(tain_pg_source *s, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    if (s->memory_read) return TAIN_OK;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_remembered, 1, (const char *[]){s->publication}, &r, err));
    const char *text = PQntuples(r) ? tain_pg_get(r, 0, "text") : "";
    s->memory_read = s->memory_dirty = true;
    if (strncmp(text, head, sizeof head - 1) != 0) return TAIN_OK;
    for (const char *at = strchr(text, ' ') + 2; (at = strchr(at, ' ')); at++) read_note(s, at + 1);
    return TAIN_OK;
}
