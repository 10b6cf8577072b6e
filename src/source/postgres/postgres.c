/* SPDX-License-Identifier: MIT */
#include "source/postgres/postgres.h"

#include <stdio.h>

#include "source/postgres/capture.h"
#include "source/postgres/standby.h"

/* --- positions: "%08X/%08X", so that the order of texts is the order of the log ---------------------------------------- */

void tain_pg_position(uint64_t lsn, tain_position *ret)
{
    memset(ret, 0, sizeof *ret);
    snprintf(ret->text, sizeof ret->text, "%08X/%08X", (unsigned)(lsn >> 32), (unsigned)lsn);
}

bool tain_pg_parse_lsn(const char *text, uint64_t *ret)
{
    unsigned high, low;
    int used = 0;
    if (sscanf(text, "%8X/%8X%n", &high, &low, &used) != 2 || text[used]) return false;
    *ret = (uint64_t)high << 32 | low;
    return true;
}

tain_status tain_pg_lsn_of(const tain_position *position, uint64_t *ret, tain_error *err)
{
    if (tain_pg_parse_lsn(position->text, ret)) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "\"%.40s\" is not a position of PostgreSQL's log", position->text);
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static const char **copy_list(const char **list)
{
    size_t n = 0;
    if (!list) return NULL;
    while (list[n]) n++;
    const char **copy = tain_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) copy[i] = tain_strdup(list[i]);
    return copy;
}

static void free_list(const char **list)
{
    for (size_t i = 0; list && list[i]; i++) tain_free((char *)list[i]);
    tain_free(list);
}

static void copy_options(tain_pg_source *s, const tain_source_options *o)
{
    s->options = *o;
    s->options.url = tain_strdup(o->url);
    s->options.snapshot_from = NULL; /* it is in s->standby */
    s->options.mirror_name = tain_strdup(o->mirror_name ? o->mirror_name : "mirror");
    s->options.mirror_id = tain_strdup(o->mirror_id);
    s->options.tables = copy_list(o->tables);
    s->options.exclude = copy_list(o->exclude);
    s->options.spool_dir = tain_strdup(o->spool_dir ? o->spool_dir : "/tmp");
    s->options.policies = json_deep_copy(o->policies);
    s->slot = tain_format("tain_%.58s", s->options.mirror_name);
    s->publication = tain_strdup(s->slot);
    s->prefix = tain_format("tain:%s", s->slot);
}

static tain_status check_name(const char *name, tain_error *err)
{
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && strlen(name) <= 58) return TAIN_OK;
    return tain_fail(err, TAIN_E_CONFIG, "mirror name \"%s\" cannot name a replication slot: use a-z, 0-9 and _, at most 58 of them", name);
}

tain_status tain_pg_catalog_conn(tain_pg_source *s, tain_error *err)
{
    if (tain_pg_is_alive(&s->conn)) return TAIN_OK;
    tain_pg_disconnect(&s->conn);
    return tain_pg_connect(&s->conn, &s->target, TAIN_PG_CATALOG, err);
}

void tain_pg_keep_text(tain_pg_source *s, char *text)
{
    if (!text) return;
    if (s->old_text_count == s->old_text_capacity)
        s->old_texts = tain_realloc(s->old_texts, (s->old_text_capacity = s->old_text_capacity * 2 + 16) * sizeof *s->old_texts);
    s->old_texts[s->old_text_count++] = text;
}

const char *tain_pg_keep_once(tain_pg_source *s, const char *text)
{
    const char *kept = text ? tain_map_get(&s->kept_texts, text) : NULL;
    if (kept || !text) return kept;
    char *copy = tain_strdup(text);
    tain_pg_keep_text(s, copy);
    tain_map_put(&s->kept_texts, text, copy);
    return copy;
}

static void close_source(tain_source *base)
{
    tain_pg_source *s = (tain_pg_source *)base;
    if (!s) return;
    tain_pg_stream_stop(s);
    tain_pg_export_end(s);
    tain_pg_standby_close(s);
    tain_pg_disconnect(&s->conn);
    tain_pg_disconnect(&s->looker);
    for (size_t i = 0; i < s->table_count; i++) tain_pg_table_free(s->tables[i]);
    for (size_t i = 0; i < s->shape_count; i++) tain_pg_shape_free(s->shapes[i]);
    for (size_t i = 0; i < s->old_text_count; i++) tain_free(s->old_texts[i]);
    for (size_t i = 0; i < s->region_count; i++) tain_region_free(s->regions[i]);
    tain_free(s->regions);
    tain_map_done(&s->kept_texts);
    tain_free(s->old_texts);
    tain_free(s->tables);
    tain_free(s->shapes);
    tain_free(s->catalog);
    tain_pg_types_done(&s->types);
    tain_pg_target_done(&s->target);
    tain_pg_target_done(&s->look_target);
    tain_pg_server_done(&s->server);
    tain_free((char *)s->options.url);
    tain_free((char *)s->options.mirror_name);
    tain_free((char *)s->options.mirror_id);
    tain_free((char *)s->options.spool_dir);
    free_list(s->options.tables);
    free_list(s->options.exclude);
    json_decref((json_t *)s->options.policies);
    tain_free(s->slot);
    tain_free(s->publication);
    tain_free(s->prefix);
    tain_free(s);
}

static tain_status open_source(const tain_source_options *options, tain_source **ret, tain_error *err)
{
    tain_pg_source *s = tain_alloc(sizeof *s);
    s->base.ops = &tain_source_postgres;
    s->target.wake = s->look_target.wake = -1;
    copy_options(s, options);
    tain_status status = check_name(s->options.mirror_name, err);
    if (status == TAIN_OK) status = tain_pg_policy_check(s->options.policies, err);
    if (status == TAIN_OK) status = tain_pg_target_init(&s->target, s->options.url, err);
    if (status == TAIN_OK) status = tain_pg_target_init(&s->look_target, s->options.url, err);
    if (status == TAIN_OK) status = tain_pg_standby_open(s, options->snapshot_from, err);
    if (status == TAIN_OK) *ret = &s->base; /* connecting can be ended from now on */
    if (status == TAIN_OK) status = tain_pg_catalog_conn(s, err);
    s->base.in_order = status == TAIN_OK && s->conn.version < TAIN_PG_RANGES_SINCE;
    if (status == TAIN_OK) return status;
    *ret = NULL;
    close_source(&s->base);
    return status;
}

/* --- describing ---------------------------------------------------------------------------------------------------- */

static tain_status describe(tain_source *base, tain_catalog *ret, tain_finding **ret_findings, size_t *ret_count, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    TAIN_TRY(tain_pg_target_check(&s->target, err));
    s->refresh = !s->streamed;
    tain_status status = tain_pg_catalog_read(s, err);
    s->refresh = false;
    TAIN_TRY(status);
    tain_source_table **list = tain_alloc((s->table_count + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < s->table_count; i++) {
        tain_pg_table *t = s->tables[i];
        if (!t->present || t->dropped) continue;
        t->taken |= t->pub->verdict != TAIN_VERDICT_ERROR;
        list[n++] = t->pub;
    }
    tain_free(s->catalog);
    s->catalog = list;
    *ret = (tain_catalog){.tables = list, .count = n};
    tain_pg_source_judge(s, ret_findings, ret_count);
    return tain_pg_standby_judge(s, ret_findings, ret_count, err);
}

static void cancel(tain_source *base)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_target_cancel(&s->target);
    tain_pg_target_cancel(&s->look_target);
}

static const char *const schemes[] = {"postgresql", "postgres", NULL};

const tain_source_ops tain_source_postgres = {
    .name = "postgres",
    .schemes = schemes, .beside = true, .replicas = true,
    .host = tain_pg_host,
    .is_frugal = tain_pg_is_frugal,
    .open = open_source,
    .close = close_source,
    .describe = describe,
    .recall = tain_pg_recall,
    .prepare = tain_pg_prepare,
    .remove = tain_pg_remove,
    .snapshot_ready = tain_pg_snapshot_ready,
    .snapshot_begin = tain_pg_snapshot_begin,
    .snapshot_plan = tain_pg_snapshot_plan,
    .reread_plan = tain_pg_reread_plan,
    .reader_open = tain_pg_reader_open,
    .reader_read = tain_pg_reader_read,
    .reader_mark = tain_pg_reader_mark,
    .reader_close = tain_pg_reader_close,
    .snapshot_end = tain_pg_snapshot_end,
    .start = tain_pg_start,
    .poll = tain_pg_poll,
    .confirm = tain_pg_confirm,
    .confirmed = tain_pg_confirmed,
    .head = tain_pg_head,
    .retained = tain_pg_retained,
    .forget = tain_pg_forget,
    .wait_fd = tain_pg_wait_fd,
    .cancel = cancel,
};
