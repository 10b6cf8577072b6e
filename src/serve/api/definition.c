/* SPDX-License-Identifier: MIT */
/* definition.c -- getDefinition, updateDefinition */
#include "serve/api/definition.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/json.h"
#include "serve/api/trust.h"

#define MIRRORING "mirroring.json"
#define PLATFORM  ".platform"
#define SCHEMA    "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json"

const char tain_definition_empty[] =
    "{\"properties\":{\"source\":{\"type\":\"GenericMirror\",\"typeProperties\":{}},"
    "\"target\":{\"type\":\"MountedRelationalDatabase\",\"typeProperties\":{\"defaultSchema\":\"dbo\",\"format\":\"Delta\"}}}}";

/* --- reading parts --------------------------------------------------------------------------------------------------- */

/* Text that is wrapped into lines is base64, too. */
static char *without_blanks(const char *text)
{
    char *out = tain_alloc(strlen(text) + 1), *to = out;
    for (; *text; text++)
        if (!strchr(" \t\r\n", *text)) *to++ = *text;
    *to = 0;
    return out;
}

static bool decode(const char *given, tain_buffer *out)
{
    TAIN_AUTO(tain_free) char *text = without_blanks(given);
    size_t n = strlen(text), padding = n ? (text[n - 1] == '=') + (n > 1 && text[n - 2] == '=') : 0;
    int    size = EVP_DecodeBlock(tain_buffer_reserve(out, n / 4 * 3 + 3), (const unsigned char *)text, (int)n);
    if (n % 4 || size < 0) return false;
    out->size += (size_t)size - padding;
    return true;
}

static tain_status is_corrupt(tain_call *c, const char *path, const char *why, tain_error *err)
{
    tain_status st = tain_call_fail(c, "CorruptedPayload", TAIN_E_INVALID, err, "definition: %s: %s", path, why);
    tain_error_remedy(err, "send parts with \"path\", \"payload\" (base64) and \"payloadType\": \"InlineBase64\"");
    return st;
}

static tain_buffer *part_of(tain_parts *p, const char *path)
{
    if (strcmp(path, MIRRORING) == 0) return &p->definition;
    return strcmp(path, PLATFORM) == 0 ? &p->platform : NULL;
}

static tain_status read_part(tain_call *c, const json_t *part, tain_parts *p, tain_error *err)
{
    const char  *path = tain_json_get_str(part, "path", ""), *payload = tain_json_get_str(part, "payload", NULL);
    tain_buffer *to = part_of(p, path);
    if (!to) return is_corrupt(c, *path ? path : "a part", "a mirrored database has mirroring.json and .platform only", err);
    const json_t *type = json_object_get(part, "payloadType");
    if (type && strcmp(tain_json_get_str(part, "payloadType", ""), "InlineBase64") != 0) return is_corrupt(c, path, "payloadType is not InlineBase64", err);
    if (!payload || !*payload) return is_corrupt(c, path, "it has no payload", err);
    if (to->size) return is_corrupt(c, path, "it is there twice", err);
    if (!decode(payload, to)) return is_corrupt(c, path, "the payload is not base64", err);
    return TAIN_OK;
}

static tain_status parse(tain_call *c, const char *path, tain_slice text, json_t **ret, tain_error *err)
{
    tain_error why;
    return tain_json_parse(text.data, text.size, "its text", ret, &why) == TAIN_OK ? TAIN_OK : is_corrupt(c, path, why.message, err);
}

/* A definition must say what it is about; what is in it is the worker's to understand. */
static tain_status check_mirroring(tain_call *c, tain_slice text, tain_error *err)
{
    json_t *root = NULL, *source;
    TAIN_TRY(parse(c, MIRRORING, text, &root, err));
    source = json_object_get(json_object_get(root, "properties"), "source");
    bool fine = json_is_string(json_object_get(source, "type"));
    json_decref(root);
    return fine ? TAIN_OK : is_corrupt(c, MIRRORING, "it has no properties.source.type", err);
}

static tain_status read_parts(tain_call *c, const json_t *parts, tain_parts *p, tain_error *err)
{
    const json_t *part;
    size_t        i;
    if (!json_is_array(parts)) return is_corrupt(c, "parts", "that is no array", err);
    if (!json_array_size(parts)) return is_corrupt(c, "parts", "there is none", err);
    json_array_foreach(parts, i, part)
    {
        TAIN_TRY(read_part(c, part, p, err));
    }
    return p->definition.size ? check_mirroring(c, tain_buffer_slice(&p->definition), err) : TAIN_OK;
}

tain_status tain_parts_read(tain_call *c, const json_t *definition, tain_parts *ret, tain_error *err)
{
    tain_parts  p = {0};
    tain_status st = definition && !json_is_null(definition) ? read_parts(c, json_object_get(definition, "parts"), &p, err) : TAIN_OK;
    if (st == TAIN_OK) *ret = p;
    else tain_parts_done(&p);
    return st;
}

void tain_parts_done(tain_parts *p)
{
    tain_buffer_done(&p->definition);
    tain_buffer_done(&p->platform);
}

/* --- .platform ------------------------------------------------------------------------------------------------------- */

tain_status tain_platform_read(tain_call *c, tain_slice platform, tain_platform *ret, tain_error *err)
{
    json_t *root = NULL;
    *ret = (tain_platform){0};
    if (!platform.size) return TAIN_OK;
    TAIN_TRY(parse(c, PLATFORM, platform, &root, err));
    const json_t *metadata = json_object_get(root, "metadata");
    bool          fine = strcmp(tain_json_get_str(metadata, "type", "MirroredDatabase"), "MirroredDatabase") == 0;
    if (fine) {
        ret->name = tain_strdup(tain_json_get_str(metadata, "displayName", NULL));
        ret->description = tain_strdup(tain_json_get_str(metadata, "description", NULL));
        ret->logical_id = tain_strdup(tain_json_get_str(json_object_get(root, "config"), "logicalId", NULL));
    }
    json_decref(root);
    return fine ? TAIN_OK : is_corrupt(c, PLATFORM, "its metadata.type is not MirroredDatabase", err);
}

void tain_platform_done(tain_platform *p)
{
    tain_free(p->name);
    tain_free(p->description);
    tain_free(p->logical_id);
}

static json_t *platform_of(const tain_control_item *i)
{
    json_t *root = json_pack("{s:s,s:{s:s,s:s},s:{s:s,s:s}}", "$schema", SCHEMA, "metadata", "type", "MirroredDatabase", "displayName", i->name, "config",
                             "version", "2.0", "logicalId", i->logical_id);
    if (*i->description) json_object_set_new(json_object_get(root, "metadata"), "description", json_string(i->description));
    return root;
}

static bool is_current(const json_t *root, const tain_control_item *i)
{
    const json_t *metadata = json_object_get(root, "metadata");
    return strcmp(tain_json_get_str(metadata, "displayName", i->name), i->name) == 0 &&
           strcmp(tain_json_get_str(metadata, "description", i->description), i->description) == 0;
}

void tain_platform_write(const tain_control_item *i, tain_buffer *out)
{
    tain_error ignored;
    json_t    *root = NULL;
    if (i->platform.size && tain_json_parse(i->platform.data, i->platform.size, PLATFORM, &root, &ignored) == TAIN_OK && is_current(root, i)) {
        tain_buffer_append(out, i->platform.data, i->platform.size);
    } else {
        json_t *fresh = platform_of(i);
        char   *text = json_dumps(fresh, JSON_INDENT(2));
        tain_buffer_append_str(out, text);
        free(text);
        json_decref(fresh);
    }
    json_decref(root);
}

/* --- calls ----------------------------------------------------------------------------------------------------------- */

static json_t *part_to_json(const char *path, tain_slice payload)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    text.size = (size_t)EVP_EncodeBlock(tain_buffer_reserve(&text, payload.size / 3 * 4 + 5), payload.data, (int)payload.size);
    return json_pack("{s:s,s:s,s:s}", "path", path, "payload", tain_buffer_cstr(&text), "payloadType", "InlineBase64");
}

static tain_status get(tain_call *c, tain_error *err)
{
    tain_control_item i;
    TAIN_AUTO(tain_buffer_done) tain_buffer platform = {0};
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_platform_write(&i, &platform);
    c->out = json_pack("{s:{s:[o,o]}}", "definition", "parts", part_to_json(MIRRORING, tain_buffer_slice(&i.definition)),
                       part_to_json(PLATFORM, tain_buffer_slice(&platform)));
    tain_control_item_done(&i);
    return TAIN_OK;
}

static bool updates_metadata(const tain_call *c)
{
    const char *flag = tain_http_query(c->request, "updateMetadata");
    return flag && strcasecmp(flag, "true") == 0;
}

static tain_status change(tain_call *c, const char *id, const tain_parts *p, tain_error *err)
{
    tain_platform            told;
    tain_control_item_change to = {.definition = tain_buffer_slice(&p->definition), .platform = tain_buffer_slice(&p->platform)};
    TAIN_TRY(tain_platform_read(c, to.platform, &told, err));
    if (updates_metadata(c)) {
        to.name = told.name;
        to.description = told.description;
        to.logical_id = told.logical_id;
    }
    tain_status st = tain_control_item_change_some(c->api->control, id, &to, err);
    tain_platform_done(&told);
    if (st == TAIN_OK) tain_supervisor_look(c->api->supervisor, id);
    return st;
}

static tain_status update(tain_call *c, tain_error *err)
{
    tain_control_item i;
    tain_parts        p;
    const json_t     *definition = json_object_get(c->in, "definition");
    if (!json_is_object(definition)) return is_corrupt(c, "definition", "the body has none", err);
    TAIN_TRY(tain_call_item(c, &i, err));
    tain_status st = tain_parts_read(c, definition, &p, err);
    if (st == TAIN_OK) {
        if (p.definition.size) st = tain_trust_definition(c, tain_buffer_slice(&p.definition), tain_buffer_slice(&i.definition), err);
        if (st == TAIN_OK) st = change(c, i.id, &p, err);
        tain_parts_done(&p);
    }
    tain_control_item_done(&i);
    return st;
}

const tain_route tain_routes_definition[] = {
    {"POST", "/v1/workspaces/{}/items/{}/getDefinition", TAIN_CONTROL_CONTRIBUTOR, NULL, get},
    {"POST", "/v1/workspaces/{}/items/{}/updateDefinition", TAIN_CONTROL_CONTRIBUTOR, "item.define", update},
    {"POST", "/v1/workspaces/{}/mirroredDatabases/{}/getDefinition", TAIN_CONTROL_CONTRIBUTOR, NULL, get},
    {"POST", "/v1/workspaces/{}/mirroredDatabases/{}/updateDefinition", TAIN_CONTROL_CONTRIBUTOR, "item.define", update},
    {0},
};
