/* SPDX-License-Identifier: MIT */
#include "delta/plan.h"

#include <stdlib.h>
#include <strings.h>

#include "base/text.h"

#define MODE "delta.columnMapping.mode"
#define MAX_ID "delta.columnMapping.maxColumnId"
#define STATISTICS "delta.dataSkippingStatsColumns"

/* --- properties ----------------------------------------------------------------------------------------------------- */

static json_t *defaults(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", TAIN_DELTA_VECTORS_KEY, "true", "delta.checkpoint.writeStatsAsJson",
                     "true", "delta.checkpoint.writeStatsAsStruct", "false", "delta.checkpointInterval", "100",
                     "delta.logRetentionDuration", "interval 2 days", "delta.deletedFileRetentionDuration", "interval 1 day");
}

static json_t *merged(json_t *configuration, const json_t *changes)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)changes, key, value)
    {
        if (json_is_null(value)) json_object_del(configuration, key);
        else json_object_set(configuration, key, value);
    }
    return configuration;
}

static tain_status check_texts(const json_t *configuration, tain_error *err)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)configuration, key, value)
        if (!json_is_string(value)) return tain_fail(err, TAIN_E_INVALID, "table property %s is no text", key);
    return TAIN_OK;
}

/* --- column mapping -------------------------------------------------------------------------------------------------- */

static bool is_mapped(const tain_schema *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->fields[i].id || strcmp(s->fields[i].name, s->fields[i].physical) != 0) return true;
    return false;
}

/* Those of structs have ids as well, wherever these are. */
static void each_field(tain_field *fields, size_t n, bool named, void (*visit)(tain_field *, long long *), long long *max)
{
    for (size_t i = 0; i < n; i++) {
        if (named) visit(&fields[i], max);
        each_field(fields[i].type.children, fields[i].type.child_count, fields[i].type.kind == TAIN_STRUCT, visit, max);
    }
}

static void note_id(tain_field *f, long long *max)
{
    if (f->id > *max) *max = f->id;
}

static void give_id(tain_field *f, long long *max)
{
    if (!f->id) f->id = (int32_t)++*max;
}

/* Every field gets an id, and the highest ever given is remembered. */
static void assign_ids(tain_schema *s, json_t *configuration)
{
    long long max = strtoll(tain_json_get_str(configuration, MAX_ID, "0"), NULL, 10);
    each_field(s->fields, s->count, true, note_id, &max);
    each_field(s->fields, s->count, true, give_id, &max);
    char text[24];
    snprintf(text, sizeof text, "%lld", max);
    json_object_set_new(configuration, MODE, json_string("name"));
    json_object_set_new(configuration, MAX_ID, json_string(text));
}

static tain_status check_unique(const tain_schema *s, bool mapped, tain_error *err)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < i; k++) {
            const tain_field *a = &s->fields[i], *b = &s->fields[k];
            if (strcmp(a->name, b->name) == 0) return tain_fail(err, TAIN_E_INVALID, "two columns are named \"%s\"", a->name);
            if (strcasecmp(a->physical, b->physical) != 0 || (mapped && a->id && a->id == b->id)) continue;
            return tain_fail(err, TAIN_E_INVALID, "columns \"%s\" and \"%s\" need different physical names", b->name, a->name);
        }
    return TAIN_OK;
}

static tain_status check_names(const tain_schema *s, bool mapped, tain_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *name = s->fields[i].name;
        if (!*name) return tain_fail(err, TAIN_E_INVALID, "a column without name");
        if (!mapped && strpbrk(name, " ,;{}()\n\t="))
            return tain_fail(err, TAIN_E_INVALID, "column \"%s\": a name with these characters needs column mapping", name);
    }
    return check_unique(s, mapped, err);
}

/* --- metadata --------------------------------------------------------------------------------------------------------- */

/* Those by which nothing more is asked of a writer than tain does. */
static bool is_harmless(const char *key)
{
    static const char *const some[] = {"delta.columnMapping.", "delta.checkpoint.", "delta.checkpointInterval", "delta.dataSkipping",
                                       "delta.logRetentionDuration", "delta.deletedFileRetentionDuration", "delta.enableExpiredLogCleanup", TAIN_DELTA_VECTORS_KEY, TAIN_DELTA_FEED_KEY};
    if (strncmp(key, "delta.", 6) != 0) return true;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (strncmp(key, some[i], strlen(some[i])) == 0) return true;
    return false;
}

/* As at creation, but for what was set since and does no harm. */
static json_t *begun_anew(const json_t *configuration)
{
    json_t     *all = defaults(), *value;
    const char *key;
    json_object_foreach((json_t *)configuration, key, value)
        if (is_harmless(key)) json_object_set(all, key, value);
    return all;
}

static json_t *properties_of(const tain_delta *t, const tain_plan *p)
{
    json_t *before = t->version < 0 || p->anew ? begun_anew(t->meta.configuration) : json_deep_copy(t->meta.configuration);
    return merged(before, p->c->configuration);
}

static void copy_identity(const tain_delta *t, const tain_plan *p, tain_delta_metadata *m)
{
    bool creation = t->version < 0;
    char id[37];
    tain_uuid_text(id);
    m->id = tain_strdup(creation ? id : t->meta.id);
    m->name = tain_strdup(p->c->name ? p->c->name : t->meta.name);
    m->description = tain_strdup(t->meta.description);
    m->created_ms = creation ? p->now_ms : t->meta.created_ms;
    m->configuration = properties_of(t, p);
    m->partition_columns = creation || p->anew ? json_array() : json_deep_copy(t->meta.partition_columns);
}

/* The schema of the commit, with ids when columns are mapped; without one, the present text stays as it is. */
static tain_status take_schema(const tain_delta *t, tain_plan *p, tain_error *err)
{
    const tain_schema *given = p->c->schema ? p->c->schema : t->meta.schema;
    tain_schema       *s = p->meta.schema = tain_schema_copy(given);
    bool               mapped = is_mapped(s) || strcmp(tain_json_get_str(p->meta.configuration, MODE, "none"), "none") != 0;
    if (!p->c->schema && mapped == is_mapped(s)) {
        p->schema_text = tain_strdup(t->schema_text);
        return TAIN_OK;
    }
    if (mapped) assign_ids(s, p->meta.configuration);
    TAIN_TRY(check_names(s, mapped, err));
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_schema_to_json(s, &text);
    p->schema_text = tain_strndup((const char *)text.data, text.size);
    return TAIN_OK;
}

/* Unless the commit says itself which columns it means. */
static void follow_names(const tain_delta *t, tain_plan *p)
{
    const char *list = tain_json_get_str(p->meta.configuration, STATISTICS, NULL);
    if (!list || t->version < 0 || !p->c->schema || json_object_get(p->c->configuration, STATISTICS)) return;
    TAIN_AUTO(tain_free) char *now = tain_property_rename_columns(list, t->meta.schema, p->meta.schema);
    json_object_set_new(p->meta.configuration, STATISTICS, json_string(now));
}

tain_status tain_plan_metadata(tain_delta *t, tain_plan *p, tain_error *err)
{
    const char *name = p->c->name;
    bool renamed = name && (!t->meta.name || strcmp(t->meta.name, name) != 0);
    if (!p->c->schema && !p->c->configuration && !renamed) return TAIN_OK;
    p->has_meta = true;
    copy_identity(t, p, &p->meta);
    TAIN_TRY(check_texts(p->meta.configuration, err));
    TAIN_TRY(take_schema(t, p, err));
    follow_names(t, p);
    bool (*protocol_for)(const tain_protocol *, const tain_schema *, const json_t *, tain_protocol *) = p->c->lowers ? tain_protocol_lowest : tain_protocol_follow;
    if (p->anew) p->protocol = tain_protocol_least(p->meta.schema, p->meta.configuration, t->domains.count > 0);
    p->has_protocol = p->anew || protocol_for(&t->protocol, p->meta.schema, p->meta.configuration, &p->protocol);
    if (!p->has_protocol && t->version < 0) {
        p->has_protocol = true;
        p->protocol = t->protocol;
    }
    return tain_protocol_check_write(p->has_protocol ? &p->protocol : &t->protocol, &p->meta, err);
}
