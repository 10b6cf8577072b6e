/* SPDX-License-Identifier: MIT */
#include "delta/plan.h"

#include <stdlib.h>

/* --- commitInfo ---------------------------------------------------------------------------------------------------- */

/* Values as text, whatever they are: some readers refuse a table over anything else. */
static void texts(tain_json *j, const char *key, const json_t *object)
{
    const char *name;
    json_t     *value;
    tain_json_key(j, key);
    tain_json_object(j);
    json_object_foreach((json_t *)object, name, value)
    {
        char *other = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        tain_json_kstr(j, name, other ? other : json_string_value(value));
        free(other);
    }
    tain_json_object_end(j);
}

static bool reserved(const char *key)
{
    static const char *const ours[] = {"timestamp",      "operation",     "operationParameters", "readVersion", "isolationLevel",
                                       "isBlindAppend", "operationMetrics", "engineInfo",         "txnId"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(ours[i], key) == 0) return true;
    return false;
}

static void further(tain_json *j, const json_t *info)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)info, key, value)
    {
        if (reserved(key)) continue;
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        tain_json_key(j, key);
        tain_json_raw(j, text, strlen(text));
        free(text);
    }
}

static void commit_info(const tain_delta *t, const tain_plan *p, tain_buffer *out)
{
    const tain_delta_commit *c = p->c;
    tain_json                j = {.out = out};
    tain_json_object(&j);
    tain_json_key(&j, "commitInfo");
    tain_json_object(&j);
    tain_json_kint(&j, "timestamp", p->now_ms);
    tain_json_kstr(&j, "operation", c->operation);
    texts(&j, "operationParameters", c->parameters);
    if (t->version >= 0) tain_json_kint(&j, "readVersion", t->version);
    tain_json_kstr(&j, "isolationLevel", "Serializable");
    tain_json_kbool(&j, "isBlindAppend", !c->remove_count && !p->change_count);
    texts(&j, "operationMetrics", c->metrics);
    tain_json_kstr(&j, "engineInfo", "tain/" TAIN_VERSION);
    tain_json_kstr(&j, "txnId", p->txn_id);
    further(&j, c->info);
    tain_json_object_end(&j);
    tain_json_object_end(&j);
    tain_buffer_append_u8(out, '\n');
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

static const tain_plan_change *change_of(const tain_plan *p, const tain_delta_file *f)
{
    for (size_t i = 0; i < p->change_count; i++)
        if (p->changes[i].file == f) return &p->changes[i];
    return NULL;
}

/* What only lies elsewhere now is no change to those who read what changes. */
static bool changes_data(const tain_delta_commit *c, const tain_delta_file *f)
{
    return c->data_change && !(c->moved && roaring_bitmap_contains(c->moved, f->ordinal));
}

static void removes(const tain_plan *p, tain_buffer *out)
{
    const tain_delta_commit *c = p->c;
    for (size_t i = 0; i < c->remove_count; i++) tain_action_remove(out, c->removes[i], p->now_ms, changes_data(c, c->removes[i]));
    for (size_t i = 0; i < p->change_count; i++)
        if (p->changes[i].file->live) tain_action_remove(out, p->changes[i].file, p->now_ms, c->data_change);
}

static void adds(const tain_plan *p, tain_buffer *out)
{
    const tain_delta_commit *c = p->c;
    for (size_t i = 0; i < p->change_count; i++) {
        const tain_plan_change *x = &p->changes[i];
        if (x->rows) tain_action_add(out, x->file, &x->dv, x->stats, changes_data(c, x->file));
    }
    for (size_t i = 0; i < c->add_count; i++)
        if (!change_of(p, c->adds[i])) tain_action_add(out, c->adds[i], &c->adds[i]->dv, c->adds[i]->stats, changes_data(c, c->adds[i]));
}

/* They told of features that are gone. */
static void forget_domains(const tain_delta *t, tain_buffer *out)
{
    const char *domain;
    void       *unused;
    for (size_t at = 0; tain_map_next(&t->domains, &at, &domain, &unused);) tain_action_no_domain(out, domain);
}

void tain_plan_text(const tain_delta *t, const tain_plan *p, tain_buffer *out)
{
    commit_info(t, p, out);
    if (p->has_protocol) tain_action_protocol(out, &p->protocol);
    if (p->has_meta) tain_action_metadata(out, &p->meta, p->schema_text);
    if (p->anew) forget_domains(t, out);
    if (p->c->app_id) tain_action_txn(out, p->c->app_id, p->c->app_version, p->now_ms);
    removes(p, out);
    adds(p, out);
    for (size_t i = 0; i < p->c->feed_count; i++) tain_action_cdc(out, p->c->feed[i]);
}
