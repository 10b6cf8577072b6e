/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

char tain_delta_no_partition[] = "{}";

static void begin(tain_json *j, const char *action)
{
    tain_json_object(j);
    tain_json_key(j, action);
    tain_json_object(j);
}

static void end(tain_json *j)
{
    tain_json_object_end(j);
    tain_json_object_end(j);
    tain_buffer_append_u8(j->out, '\n');
}

static void kraw(tain_json *j, const char *key, const char *text)
{
    tain_json_key(j, key);
    tain_json_raw(j, text, strlen(text));
}

static void kdv(tain_json *j, const tain_dv *dv)
{
    if (!dv->storage) return;
    tain_json_key(j, "deletionVector");
    tain_dv_to_json(dv, j);
}

void tain_action_add(tain_buffer *out, const tain_delta_file *f, const tain_dv *dv, const char *stats, bool data_change)
{
    tain_json j = {.out = out};
    begin(&j, "add");
    tain_json_kstr(&j, "path", f->path);
    kraw(&j, "partitionValues", f->partition_values);
    tain_json_kint(&j, "size", f->size);
    tain_json_kint(&j, "modificationTime", f->modified / TAIN_MILLISECOND);
    tain_json_kbool(&j, "dataChange", data_change);
    if (stats) tain_json_kstr(&j, "stats", stats);
    if (f->tags) kraw(&j, "tags", f->tags);
    kdv(&j, dv);
    end(&j);
}

void tain_delta_file_to_json(const tain_delta_file *f, tain_buffer *out)
{
    tain_action_add(out, f, &f->dv, f->stats, true);
    out->size--; /* the end of line */
}

void tain_action_remove(tain_buffer *out, const tain_delta_file *f, int64_t now_ms, bool data_change)
{
    tain_json j = {.out = out};
    begin(&j, "remove");
    tain_json_kstr(&j, "path", f->path);
    tain_json_kint(&j, "deletionTimestamp", now_ms);
    tain_json_kbool(&j, "dataChange", data_change);
    tain_json_kbool(&j, "extendedFileMetadata", true);
    kraw(&j, "partitionValues", f->partition_values);
    tain_json_kint(&j, "size", f->size);
    if (f->tags) kraw(&j, "tags", f->tags);
    kdv(&j, &f->dv);
    end(&j);
}

void tain_action_cdc(tain_buffer *out, const tain_delta_file *f)
{
    tain_json j = {.out = out};
    begin(&j, "cdc");
    tain_json_kstr(&j, "path", f->path);
    kraw(&j, "partitionValues", f->partition_values);
    tain_json_kint(&j, "size", f->size);
    tain_json_kbool(&j, "dataChange", false);
    end(&j);
}

void tain_action_txn(tain_buffer *out, const char *app_id, int64_t version, int64_t now_ms)
{
    tain_json j = {.out = out};
    begin(&j, "txn");
    tain_json_kstr(&j, "appId", app_id);
    tain_json_kint(&j, "version", version);
    tain_json_kint(&j, "lastUpdated", now_ms);
    end(&j);
}

void tain_action_protocol(tain_buffer *out, const tain_protocol *p)
{
    tain_json j = {.out = out};
    tain_json_object(&j);
    tain_json_key(&j, "protocol");
    tain_protocol_to_json(p, &j);
    tain_json_object_end(&j);
    tain_buffer_append_u8(out, '\n');
}

void tain_action_no_domain(tain_buffer *out, const char *domain)
{
    tain_json j = {.out = out};
    begin(&j, "domainMetadata");
    tain_json_kstr(&j, "domain", domain);
    tain_json_kstr(&j, "configuration", "");
    tain_json_kbool(&j, "removed", true);
    end(&j);
}

static void kjson(tain_json *j, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    kraw(j, key, text);
    free(text);
}

void tain_action_metadata(tain_buffer *out, const tain_delta_metadata *m, const char *schema_text)
{
    tain_json j = {.out = out};
    begin(&j, "metaData");
    tain_json_kstr(&j, "id", m->id);
    if (m->name) tain_json_kstr(&j, "name", m->name);
    if (m->description) tain_json_kstr(&j, "description", m->description);
    kraw(&j, "format", "{\"provider\":\"parquet\",\"options\":{}}");
    tain_json_kstr(&j, "schemaString", schema_text);
    kjson(&j, "partitionColumns", m->partition_columns);
    kjson(&j, "configuration", m->configuration);
    if (m->created_ms >= 0) tain_json_kint(&j, "createdTime", m->created_ms);
    end(&j);
}
