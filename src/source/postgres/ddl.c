/* SPDX-License-Identifier: MIT */
/* Schema changes that tell themselves: event triggers emit a message of what each command made of its tables, which the
 * log has where the command was. What is told there needs no look at a catalog that is further than the stream. */
#include "source/postgres/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/json.h"
#include "postgres_queries.h"
#include "source/postgres/stream.h"

enum { TELLS_SINCE = 140000 /* older servers do not send messages */ };

/* --- making it ----------------------------------------------------------------------------------------------------- */

/* A script that was changed has another. */
static void put_version(tain_buffer *out)
{
    tain_buffer_printf(out, "v%016llx", (unsigned long long)XXH3_64bits(tain_query_capture_ddl, strlen(tain_query_capture_ddl)));
}

bool tain_pg_ddl_is_ours(const char *comment)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer version = {0};
    put_version(&version);
    return strstr(comment, tain_buffer_cstr(&version)) != NULL;
}

/* pattern with @name@, @short@ and @version@ filled in. */
static void put_script(const tain_pg_source *s, const char *pattern, tain_buffer *out)
{
    for (const char *at; (at = strchr(pattern, '@')); pattern = strchr(at + 1, '@') + 1) {
        tain_buffer_append(out, pattern, (size_t)(at - pattern));
        if (strncmp(at, "@version@", 9) == 0) put_version(out);
        else tain_buffer_printf(out, "%.*s", strncmp(at, "@short@", 7) == 0 ? 58 : 63, s->slot);
    }
    tain_buffer_append_str(out, pattern);
}

static void put_drop(const tain_pg_source *s, tain_buffer *out)
{
    tain_buffer_printf(out, "DROP EVENT TRIGGER IF EXISTS %.58s_ddl;\nDROP EVENT TRIGGER IF EXISTS %.58s_drop;\nDROP SCHEMA IF EXISTS %s CASCADE;\n", s->slot, s->slot, s->slot);
}

static tain_status drop_all(tain_pg_source *s, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    put_drop(s, &sql);
    return tain_pg_query(&s->conn, tain_buffer_cstr(&sql), NULL, err);
}

/* Whoever changes a table meanwhile is told of by the old ones or by the new ones. */
void tain_pg_ddl_put_script(const tain_pg_source *s, tain_buffer *out)
{
    tain_buffer_append_str(out, "BEGIN;\n");
    if (s->server.has_schema) put_drop(s, out);
    put_script(s, tain_query_capture_ddl, out);
    tain_buffer_append_str(out, "COMMIT;");
}

static bool may_install(const tain_pg_source *s) { return s->server.super && !s->server.in_recovery && s->conn.version >= TELLS_SINCE; }

static tain_status run_script(tain_pg_source *s)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_pg_ddl_put_script(s, &sql);
    tain_status status = tain_pg_query(&s->conn, tain_buffer_cstr(&sql), NULL, NULL);
    if (status != TAIN_OK && tain_pg_connected(&s->conn)) (void)!tain_pg_run(&s->conn, NULL, "ROLLBACK");
    return status;
}

bool tain_pg_ddl_install(tain_pg_source *s, void (*say)(const char *))
{
    bool had = s->server.has_schema, renews = s->server.tells;
    if (renews && !s->server.outdated) return false;
    if (renews && !may_install(s))
        tain_pg_say_line(say, "schema %s with its event triggers was made by another version of tain: `tain check` with --name %s prints the SQL by which a superuser replaces it",
                         s->slot, s->options.mirror_name);
    if (!may_install(s) || run_script(s) != TAIN_OK) return false;
    s->server.tells = s->server.has_schema = true;
    s->server.outdated = false;
    if (renews) tain_pg_say_line(say, "replaced schema %s with its event triggers, which another version of tain had made", s->slot);
    else tain_pg_say_line(say, "created schema %s with event triggers %.58s_ddl and %.58s_drop, by which schema changes are in the log", s->slot, s->slot, s->slot);
    return !had;
}

tain_status tain_pg_ddl_remove(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    if (!s->server.has_schema) return TAIN_OK;
    if (!s->server.super || s->server.in_recovery) {
        tain_pg_say_line(say, "left schema %s with its event triggers, which a superuser may drop: DROP SCHEMA %s CASCADE;", s->slot, s->slot);
        return TAIN_OK;
    }
    TAIN_TRY(drop_all(s, err));
    s->server.tells = s->server.has_schema = s->server.outdated = false;
    tain_pg_say_line(say, "dropped schema %s with its event triggers", s->slot);
    return TAIN_OK;
}

/* --- what is told -------------------------------------------------------------------------------------------------- */

typedef struct telling {
    tain_pg_source *source;
    uint64_t        xid;
    bool            computed;
    const uint32_t *aborted;
    size_t          aborted_count;
} telling;

static bool is_aborted(const telling *t, json_int_t xid)
{
    for (size_t i = 0; i < t->aborted_count; i++)
        if (t->aborted[i] == (uint32_t)xid) return true;
    return false;
}

/* Written by a subtransaction that was rolled back. */
static bool never_was(const telling *t, const json_t *d)
{
    size_t i;
    const json_t *column;
    if (is_aborted(t, tain_json_get_int(d, "row", 0))) return true;
    json_array_foreach(json_object_get(d, "cols"), i, column)
        if (is_aborted(t, json_integer_value(json_array_get(column, 5)))) return true;
    return false;
}

/* What a transaction did that a reading of the catalog has already; behind a request to read a part of the table again it may be what that
 * does not make right. */
static tain_status is_past(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    return t->reread_at && s->stream->decoder.at > t->reread_at ? tain_pg_request_reload(s, t, "it changed while a part of it was read again", err) : TAIN_OK;
}

static void look_soon(tain_pg_source *s) { s->stream->next_look = 0; }

static tain_status take_table(const telling *told, const json_t *d, tain_error *err)
{
    tain_pg_source *s = told->source;
    tain_pg_table *t = tain_pg_table_by_oid(s, (uint32_t)tain_json_get_int(d, "oid", 0));
    if (!t || !t->taken || t->failed) {
        look_soon(s);
        if (!t || !t->failed || t->dropped) return TAIN_OK;
        return tain_pg_tell_name(s, t, tain_json_get_str(d, "schema", t->pub->schema), tain_json_get_str(d, "name", t->pub->name), err);
    }
    if (t->dropped || never_was(told, d)) return TAIN_OK;
    if (tain_pg_is_visible(t->as_of, told->xid)) return is_past(s, t, err);
    tain_pg_now now = {0};
    tain_status status = tain_pg_catalog_conn(s, err); /* types may be new ones */
    if (status == TAIN_OK) status = tain_pg_now_read(s, d, &now, err);
    now.told = true;
    now.computed = told->computed;
    if (status == TAIN_OK) status = tain_pg_adopt_told(s, t, &now, err);
    tain_pg_now_done(&now);
    return status;
}

static tain_pg_table *root_of(const tain_pg_source *s, uint32_t leaf)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i]->taken && tain_pg_beside_leaf(&s->tables[i]->settled, leaf)) return s->tables[i];
    return NULL;
}

static tain_status drop_table(const telling *told, uint32_t oid, tain_error *err)
{
    tain_pg_source *s = told->source;
    tain_pg_table *t = tain_pg_table_by_oid(s, oid);
    if (!t || t->dropped || (!t->taken && !t->failed)) {
        tain_pg_table *root = root_of(s, oid);
        look_soon(s);
        return root && !root->failed && !tain_pg_is_visible(root->as_of, told->xid) ? tain_pg_lose_leaf(s, root, oid, err) : TAIN_OK;
    }
    t->dropped = true;
    t->taken = false;
    t->due = TAIN_PG_DUE_NOTHING;
    tain_pg_decoder_begin(&s->stream->decoder);
    return s->stream->decoder.sink->dropped(s->stream->decoder.sink, t->pub, err);
}

/* Whether the catalog says that it can be followed again, and it is published again. What is known of it stays. */
static bool is_back(tain_pg_source *s, const tain_pg_table *t)
{
    if (tain_pg_catalog_read(s, NULL) != TAIN_OK || tain_pg_publish_more(s, NULL, NULL) != TAIN_OK) return false;
    return t->present && t->published && t->pub->verdict != TAIN_VERDICT_ERROR;
}

/* What looks have found of it so far was before the reading that follows. */
static tain_status read_again(tain_pg_source *s, tain_pg_table *t, const char *reason, tain_error *err)
{
    t->looked.listed = t->listed;
    if (t->due == TAIN_PG_DUE_RELOAD) t->due = TAIN_PG_DUE_NOTHING;
    return tain_pg_request_reload(s, t, reason, err);
}

/* It left the publication: what follows of it is not in the log, though the same transaction may give it a key again. */
static tain_status withdraw_table(const telling *told, uint32_t oid, tain_error *err)
{
    static const char reason[] = "it lost its key, and left the publication so that its updates do not fail";
    tain_pg_source *s = told->source;
    tain_pg_table *t = tain_pg_table_by_oid(s, oid);
    look_soon(s); /* by which it enters again once it can */
    if (!t || !t->taken || t->dropped || tain_pg_is_visible(t->as_of, told->xid)) return TAIN_OK;
    tain_pg_decoder_begin(&s->stream->decoder);
    if (is_back(s, t)) return read_again(s, t, reason, err);
    char *remedy = tain_pg_identity_remedy(s, t);
    tain_status status = tain_pg_give_up_table(s, t, reason, remedy, err);
    tain_free(remedy);
    return status;
}

static tain_status take_all(const telling *told, const json_t *message, tain_error *err)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(message, "tables"), i, one) TAIN_TRY(take_table(told, one, err));
    json_array_foreach(json_object_get(message, "dropped"), i, one) TAIN_TRY(drop_table(told, (uint32_t)json_integer_value(one), err));
    json_array_foreach(json_object_get(message, "withdrawn"), i, one) TAIN_TRY(withdraw_table(told, (uint32_t)json_integer_value(one), err));
    return TAIN_OK;
}

/* A message that cannot be read, or made, is as if there were none: the catalog is asked. */
tain_status tain_pg_told(void *ctx, const void *message, size_t n, const uint32_t *aborted, size_t aborted_count, tain_error *err)
{
    tain_pg_source *s = ctx;
    json_t *j = NULL;
    if (tain_json_parse(message, n, "message", &j, NULL) != TAIN_OK || tain_json_get_bool(j, "lost", false)) {
        s->stream->tells = false;
        look_soon(s);
        json_decref(j);
        return TAIN_OK;
    }
    telling told = {.source = s, .xid = strtoull(tain_json_get_str(j, "xid", "0"), NULL, 10), .computed = tain_json_get_bool(j, "computed", true),
                    .aborted = aborted, .aborted_count = aborted_count};
    tain_status status = take_all(&told, j, err);
    json_decref(j);
    return status;
}
