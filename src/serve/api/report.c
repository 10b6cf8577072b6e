/* SPDX-License-Identifier: MIT */
#include "serve/api/report.h"

#include "base/json.h"
#include "source/source.h"

tain_status tain_report_read(tain_call *c, tain_mirror_report *ret, tain_error *err)
{
    tain_control_item i;
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_control_item_done(&i);
    return tain_supervisor_report(c->api->supervisor, c->argument[1], ret, err);
}

json_t *tain_report_error(const tain_error *e)
{
    if (!e->code) return json_null();
    return json_pack("{s:s,s:s,s:s,s:b}", "errorCode", tain_status_name(e->code), "message", e->message, "remedy", tain_error_advice(e), "isRetriable",
                     tain_status_policy(e->code) == TAIN_POLICY_RETRY);
}

static bool is_left_out(const json_t *table)
{
    const char *reason = tain_json_get_str(table, "reason", NULL);
    return strcmp(tain_json_get_str(table, "status", ""), "Stopped") == 0 && reason && strcmp(reason, "paused") != 0;
}

size_t tain_report_warnings(const json_t *worker)
{
    const json_t *table;
    size_t        i, n = strcmp(tain_json_get_str(json_object_get(worker, "source"), "level", "ok"), "ok") != 0;
    json_array_foreach(json_object_get(worker, "tables"), i, table) n += json_array_size(json_object_get(table, "warnings")) + is_left_out(table);
    return n;
}

static void name_all(const json_t *tables, tain_error *err)
{
    enum { NAMED = 600 }; /* bytes: an error is no list */
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    const json_t *row;
    size_t        i;
    json_array_foreach(tables, i, row)
    {
        if (text.size > NAMED) break;
        tain_buffer_printf(&text, "%s%s", i ? ", " : "", tain_json_get_str(row, "name", ""));
    }
    if (i < json_array_size(tables)) tain_buffer_printf(&text, " and %zu more", json_array_size(tables) - i);
    tain_error_remedy(err, "name one that it has: %s", tain_buffer_cstr(&text));
}

tain_status tain_report_table(tain_call *c, const json_t *worker, const char *name, const json_t **ret, tain_error *err)
{
    const json_t *all = json_object_get(worker, "tables"), *row;
    size_t        i;
    json_array_foreach(all, i, row)
    {
        if (strcmp(tain_json_get_str(row, "name", ""), name) == 0) break;
    }
    *ret = json_array_get(all, i);
    if (*ret || !json_array_size(all)) return TAIN_OK;
    tain_status st = tain_call_fail(c, "TableNotFound", TAIN_E_NOT_FOUND, err, "the mirror has no table %s", name);
    name_all(all, err);
    return st;
}

/* The end of a schema in double quotes, where each quote of its own is doubled; NULL: it does not end. */
static const char *quoted_end(const char *p)
{
    for (p++; *p; p++)
        if (*p == '"' && *++p != '"') return p;
    return NULL;
}

static char *without_quotes(const char *from, const char *to)
{
    tain_buffer out = {0};
    for (const char *p = from + 1; p < to - 1; p++) {
        tain_buffer_append_u8(&out, (uint8_t)*p);
        p += *p == '"';
    }
    return tain_buffer_cstr(&out);
}

tain_name tain_name_of(const char *name)
{
    const char *end = *name == '"' ? quoted_end(name) : NULL;
    if (end && *end == '.') return (tain_name){without_quotes(name, end), tain_strdup(end + 1)};
    const char *point = strchr(name, '.');
    if (!point) return (tain_name){tain_strdup(""), tain_strdup(name)};
    return (tain_name){tain_strndup(name, (size_t)(point - name)), tain_strdup(point + 1)};
}

void tain_name_done(tain_name *n)
{
    tain_free(n->schema);
    tain_free(n->table);
}
