/* SPDX-License-Identifier: MIT */
#include "source/postgres/capture.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/postgres/result.h"
#include "source/postgres/standby.h"
#include "postgres_queries.h"

#define MAKER_WAIT (10 * TAIN_SECOND)

/* --- the publication ----------------------------------------------------------------------------------------------- */

static bool may_be_published(const tain_pg_table *t) { return t->present && t->pub->verdict != TAIN_VERDICT_ERROR; }

/* ONLY: an inheritance parent holds its own rows. A partitioned table means its partitions, and has no ONLY. */
void tain_pg_put_published(const tain_pg_table *t, tain_buffer *out)
{
    if (t->kind != 'p') tain_buffer_append_str(out, "ONLY ");
    tain_pg_put_name(out, t->seen.schema, t->seen.name);
}

void tain_pg_put_publication(const tain_pg_source *s, tain_buffer *out)
{
    const char *separator = " FOR TABLE ";
    tain_buffer_append_str(out, "CREATE PUBLICATION ");
    tain_pg_put_identifier(out, s->publication);
    for (size_t i = 0; i < s->table_count; i++) {
        if (!may_be_published(s->tables[i])) continue;
        tain_buffer_append_str(out, separator);
        tain_pg_put_published(s->tables[i], out);
        separator = ", ";
    }
    tain_buffer_printf(out, " WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = %s);", s->options.leaves ? "false" : "true");
}

void tain_pg_say_line(void (*say)(const char *), const char *format, ...)
{
    if (!say) return;
    char *line = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0) abort();
    va_end(args);
    say(line);
    free(line);
}

/* Publishing a table takes a lock that only schema changes and vacuum wait for. */
static tain_status run_patiently(tain_pg_source *s, tain_buffer *sql, tain_error *err)
{
    TAIN_TRY(tain_pg_run(&s->conn, err, "SET lock_timeout = '60s'"));
    tain_status status = tain_pg_query(&s->conn, tain_buffer_cstr(sql), NULL, err);
    if (tain_pg_connected(&s->conn)) (void)tain_pg_run(&s->conn, NULL, "SET lock_timeout = '5s'");
    if (status == TAIN_E_PERMISSION) tain_error_remedy(err, "%.1000s", tain_buffer_cstr(sql));
    return status;
}

static tain_status create_publication(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_pg_put_publication(s, &sql);
    TAIN_TRY_IN(err, run_patiently(s, &sql, err), "publication %s", s->publication);
    size_t n = 0;
    for (size_t i = 0; i < s->table_count; i++) {
        if (!may_be_published(s->tables[i])) continue;
        s->tables[i]->published = true;
        n++;
    }
    s->server.has_publication = s->server.owns_publication = s->server.publishes_all = true;
    s->server.via_root = !s->options.leaves;
    tain_pg_say_line(say, "created publication %s of %zu table%s", s->publication, n, n == 1 ? "" : "s");
    return TAIN_OK;
}

static bool may_add(const tain_pg_source *s, const tain_pg_table *t)
{
    return may_be_published(t) && !t->published && !s->server.in_recovery && (s->server.super || (s->server.owns_publication && t->owned));
}

tain_status tain_pg_publish_more(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    bool any = false;
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_table *t = s->tables[i];
        if (!may_add(s, t)) continue;
        TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
        tain_buffer_append_str(&sql, "ALTER PUBLICATION ");
        tain_pg_put_identifier(&sql, s->publication);
        tain_buffer_append_str(&sql, " ADD TABLE ");
        tain_pg_put_published(t, &sql);
        tain_status status = run_patiently(s, &sql, err);
        if (status == TAIN_E_NOT_FOUND) continue; /* dropped since the catalog was read: the next look sees it */
        if (status != TAIN_OK && status != TAIN_E_EXISTS) return status;
        any = true;
        tain_pg_say_line(say, "added %s.%s to publication %s", t->seen.schema, t->seen.name, s->publication);
    }
    return any ? tain_pg_published_read(s, err) : TAIN_OK;
}

tain_status tain_pg_unpublish(tain_pg_source *s, tain_pg_table *t, tain_error *err)
{
    if (!t->published || s->server.all_tables || (!s->server.super && !s->server.owns_publication)) return TAIN_OK;
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "ALTER PUBLICATION ");
    tain_pg_put_identifier(&sql, s->publication);
    tain_buffer_append_str(&sql, " DROP TABLE ");
    tain_pg_put_published(t, &sql);
    TAIN_TRY(run_patiently(s, &sql, err));
    t->published = false;
    return TAIN_OK;
}

static tain_status drop_publication(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    if (!s->server.has_publication) return TAIN_OK;
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    tain_buffer_append_str(&sql, "DROP PUBLICATION IF EXISTS ");
    tain_pg_put_identifier(&sql, s->publication);
    if (s->server.in_recovery || (!s->server.owns_publication && !s->server.super)) {
        tain_pg_say_line(say, "left publication %s, which %s: %s;", s->publication, s->server.in_recovery ? "is the primary's" : "belongs to another role", tain_buffer_cstr(&sql));
        return TAIN_OK;
    }
    TAIN_TRY(run_patiently(s, &sql, err));
    s->server.has_publication = false;
    tain_pg_say_line(say, "dropped publication %s", s->publication);
    return TAIN_OK;
}

/* --- the slot ------------------------------------------------------------------------------------------------------ */

/* It would send transactions before they are committed. */
static tain_status fail_two_phase(const tain_pg_source *s, tain_error *err)
{
    (void)tain_fail(err, TAIN_E_EXISTS, "replication slot %s at %s was made with two_phase", s->slot, s->target.where);
    tain_error_remedy(err, "SELECT pg_drop_replication_slot('%s'); it is made anew", s->slot);
    return TAIN_E_EXISTS;
}

tain_status tain_pg_slot_read(tain_pg_source *s, tain_pg_slot *ret, tain_error *err)
{
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, tain_query_slot, 1, (const char *[]){s->slot}, &r, err));
    *ret = (tain_pg_slot){0};
    if (PQntuples(r) == 0) return TAIN_OK;
    if (strcmp(tain_pg_get(r, 0, "plugin"), "pgoutput") != 0 || strcmp(tain_pg_get(r, 0, "database"), s->server.database) != 0)
        return tain_fail(err, TAIN_E_EXISTS, "replication slot %s at %s is not one of pgoutput in database %s", s->slot, s->target.where, s->server.database);
    if (tain_pg_get_bool(r, 0, "two_phase")) return fail_two_phase(s, err);
    ret->there = true;
    ret->active_pid = (int)tain_pg_get_int(r, 0, "active_pid");
    (void)tain_pg_parse_lsn(tain_pg_get(r, 0, "confirmed_flush_lsn"), &ret->confirmed);
    snprintf(ret->lost, sizeof ret->lost, "%s", tain_pg_get(r, 0, "lost"));
    return TAIN_OK;
}

tain_status tain_pg_slot_drop(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    tain_pg_slot slot;
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    if (!slot.there) return TAIN_OK;
    if (slot.active_pid)
        return tain_fail(err, TAIN_E_BUSY, "replication slot %s at %s is in use by process %d of the server", s->slot, s->target.where, slot.active_pid);
    TAIN_PG_RESULT *r = NULL;
    TAIN_TRY(tain_pg_query_params(&s->conn, "SELECT pg_drop_replication_slot($1)", 1, (const char *[]){s->slot}, &r, err));
    tain_pg_say_line(say, "dropped replication slot %s", s->slot);
    return TAIN_OK;
}

tain_status tain_pg_capture_gone(const tain_pg_source *s, const tain_pg_slot *slot, tain_error *err)
{
    tain_status status;
    if (!slot->there) status = tain_fail(err, TAIN_E_GONE, "replication slot %s is not at PostgreSQL %s any more", s->slot, s->target.where);
    else if (slot->lost[0]) status = tain_fail(err, TAIN_E_GONE, "replication slot %s at PostgreSQL %s is lost: %s", s->slot, s->target.where, slot->lost);
    else status = tain_fail(err, TAIN_E_GONE, "publication %s is not at PostgreSQL %s any more", s->publication, s->target.where);
    tain_error_remedy(err, TAIN_SOURCE_GONE_REMEDY);
    return status;
}

static tain_status create_slot(tain_pg_source *s, void (*say)(const char *), tain_error *err)
{
    TAIN_TRY(tain_pg_export(s, say, err));
    tain_pg_say_line(say, "created replication slot %s", s->slot);
    return TAIN_OK;
}

/* --- prepare and remove -------------------------------------------------------------------------------------------- */

static tain_status status_of_finding(const char *code)
{
    if (strcmp(code, "server_too_old") == 0) return TAIN_E_UNSUPPORTED;
    if (strcmp(code, "no_replication") == 0 || strcmp(code, "no_publication") == 0) return TAIN_E_PERMISSION;
    return TAIN_E_CONFIG;
}

/* The first finding about the source that forbids to follow it, of that code (NULL: any). */
static tain_status refuse(tain_pg_source *s, const char *code, tain_error *err)
{
    tain_finding *f;
    size_t n;
    tain_status status = TAIN_OK;
    TAIN_AUTO(tain_free) char *name = tain_format("run the SQL that `tain check` with --name %s prints", s->options.mirror_name);
    tain_pg_source_judge(s, &f, &n);
    for (size_t i = 0; i < n && status == TAIN_OK; i++) {
        if (f[i].level != TAIN_VERDICT_ERROR || (code && strcmp(f[i].code, code) != 0)) continue;
        status = tain_fail(err, status_of_finding(f[i].code), "PostgreSQL at %s: %s", s->target.where, f[i].message);
        tain_error_remedy(err, "%.1000s", f[i].remedy && strlen(f[i].remedy) <= 1000 ? f[i].remedy : name);
    }
    tain_findings_free(f, n);
    return status;
}

tain_status tain_pg_publication_check(tain_pg_source *s, tain_error *err)
{
    tain_pg_slot slot = {.there = true};
    return s->server.has_publication ? refuse(s, "publication_options", err) : tain_pg_capture_gone(s, &slot, err);
}

static tain_status make_all(tain_pg_source *s, bool has_slot, void (*say)(const char *), tain_error *err)
{
    if (has_slot) TAIN_TRY(tain_pg_slot_drop(s, say, err));
    if (!s->server.has_publication) TAIN_TRY(create_publication(s, say, err));
    else TAIN_TRY(tain_pg_publish_more(s, say, err));
    return create_slot(s, say, err);
}

/* What was made before it came to nothing. */
static void unmake(tain_pg_source *s, tain_status status, bool published, bool told)
{
    if (status == TAIN_E_CANCELLED) (void)tain_pg_target_check(&s->target, NULL); /* what follows is part of stopping */
    if (tain_pg_catalog_conn(s, NULL) != TAIN_OK) return;
    if (published) (void)drop_publication(s, NULL, NULL);
    if (told) (void)tain_pg_ddl_remove(s, NULL, NULL);
}

/* One that is still being made is for a mirror that was killed, which was ended or the server notices soon, or for another that starts. */
static tain_status await_maker(tain_pg_source *s, tain_pg_slot *slot, tain_error *err)
{
    tain_time until = tain_monotonic() + MAKER_WAIT;
    while (slot->there && slot->active_pid && !slot->confirmed) {
        tain_status waited = tain_pg_wait(&s->conn, false, tain_monotonic() + 50 * TAIN_MILLISECOND, err);
        if (waited != TAIN_OK && waited != TAIN_E_BUSY) return waited;
        if (tain_monotonic() >= until) {
            (void)tain_fail(err, TAIN_E_BUSY, "replication slot %s at %s is being made by process %d of the server", s->slot, s->target.where, slot->active_pid);
            tain_error_remedy(err, "if no other mirror of that name is starting: SELECT pg_terminate_backend(%d);", slot->active_pid);
            return TAIN_E_BUSY;
        }
        TAIN_TRY(tain_pg_slot_read(s, slot, err));
    }
    return TAIN_OK;
}

/* A slot that was lost stays as it is until the next load, so that it does not hold the log back for nobody. */
tain_status tain_pg_prepare(tain_source *base, void (*say)(const char *), bool *ret_fresh, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_slot slot;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    TAIN_TRY(tain_pg_catalog_read(s, err));
    TAIN_TRY(tain_pg_end_makers(s, say, err));
    TAIN_TRY(tain_pg_slot_read(s, &slot, err));
    TAIN_TRY(await_maker(s, &slot, err));
    TAIN_TRY(refuse(s, NULL, err));
    bool whole = slot.there && s->server.has_publication;
    if (s->stream && (!whole || slot.lost[0])) return tain_pg_capture_gone(s, &slot, err);
    if (!whole) TAIN_TRY(tain_pg_standby_check(s, err));
    s->prepared = true;
    bool told = tain_pg_ddl_install(s, say), published = !s->server.has_publication; /* before the slot, so that nothing it brings is untold */
    if (whole) {
        *ret_fresh = slot.lost[0] != 0;
        return tain_pg_publish_more(s, say, err);
    }
    tain_status status = make_all(s, slot.there, say, err);
    if (status != TAIN_OK) unmake(s, status, published, told);
    *ret_fresh = true;
    return status;
}

/* Called when the mirror was made to stop, which is no reason to leave it. */
tain_status tain_pg_forget(tain_source *base, void (*say)(const char *), tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    (void)!tain_pg_target_check(&s->target, NULL);
    TAIN_TRY(tain_pg_stream_release(s, err));
    tain_pg_export_end(s);
    return tain_pg_slot_drop(s, say, err);
}

tain_status tain_pg_remove(tain_source *base, void (*say)(const char *), tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    TAIN_TRY(tain_pg_stream_release(s, err));
    tain_pg_export_end(s);
    TAIN_TRY(tain_pg_catalog_read(s, err));
    TAIN_TRY(tain_pg_slot_drop(s, say, err));
    TAIN_TRY(tain_pg_ddl_remove(s, say, err));
    return drop_publication(s, say, err);
}
