/* SPDX-License-Identifier: MIT */
#include "cli/definitions.h"

#include <openssl/evp.h>

#include "base/json.h"

void tain_git_parts_done(tain_git_parts *p)
{
    tain_buffer_done(&p->mirroring);
    tain_buffer_done(&p->platform);
}

/* --- base64 -------------------------------------------------------------------------------------------------------- */

static json_t *encoded(const tain_buffer *b)
{
    size_t room = (b->size + 2) / 3 * 4 + 1;
    unsigned char *text = tain_alloc(room);
    if (b->size) EVP_EncodeBlock(text, b->data, (int)b->size);
    json_t *j = json_string((char *)text);
    tain_free(text);
    return j;
}

/* EVP_DecodeBlock gives the zeros that padding stands for, too. */
static bool decode(const char *text, tain_buffer *ret)
{
    size_t n = strlen(text), padding = n && text[n - 1] == '=' ? n > 1 && text[n - 2] == '=' ? 2 : 1 : 0;
    if (n % 4 || n > INT32_MAX) return false;
    if (n == 0) return true;
    int size = EVP_DecodeBlock(tain_buffer_reserve(ret, n / 4 * 3), (const unsigned char *)text, (int)n);
    if (size < 0) return false;
    ret->size += (size_t)size - padding;
    return true;
}

/* --- parts --------------------------------------------------------------------------------------------------------- */

static json_t *part(const char *path, const tain_buffer *content)
{
    return json_pack("{s:s,s:o,s:s}", "path", path, "payload", encoded(content), "payloadType", "InlineBase64");
}

json_t *tain_git_parts_to_json(const tain_git_parts *p)
{
    json_t *parts = json_array();
    json_array_append_new(parts, part(TAIN_DEFINITION_FILE, &p->mirroring));
    if (p->platform.size) json_array_append_new(parts, part(TAIN_PLATFORM_FILE, &p->platform));
    return json_pack("{s:{s:o}}", "definition", "parts", parts);
}

static tain_status take(const json_t *parts, const char *path, bool needed, tain_buffer *ret, tain_error *err)
{
    json_t *p;
    size_t  i;
    json_array_foreach(parts, i, p)
    {
        if (strcmp(tain_json_get_str(p, "path", ""), path) != 0) continue;
        if (decode(tain_json_get_str(p, "payload", "?"), ret)) return TAIN_OK;
        return tain_fail(err, TAIN_E_CORRUPT, "part %s of a definition is not base64", path);
    }
    return needed ? tain_fail(err, TAIN_E_CORRUPT, "a definition without %s came", path) : TAIN_OK;
}

tain_status tain_git_parts_from_json(const json_t *answer, tain_git_parts *ret, tain_error *err)
{
    const json_t *parts = json_object_get(json_object_get(answer, "definition"), "parts");
    tain_git_parts    p = {0};
    tain_status   st = take(parts, TAIN_DEFINITION_FILE, true, &p.mirroring, err);
    if (st == TAIN_OK) st = take(parts, TAIN_PLATFORM_FILE, false, &p.platform, err);
    if (st == TAIN_OK) *ret = p;
    else tain_git_parts_done(&p);
    return st;
}

tain_status tain_git_parts_get(const tain_client *c, const char *workspace, const char *id, tain_git_parts *ret, tain_error *err)
{
    TAIN_AUTO(tain_json_decref) json_t *answer = NULL;
    TAIN_AUTO(tain_free) char *path = tain_format("/v1/workspaces/%s/mirroredDatabases/%s/getDefinition", workspace, id);
    TAIN_TRY(tain_client_call(c, "POST", path, NULL, &answer, err));
    return tain_git_parts_from_json(answer, ret, err);
}
