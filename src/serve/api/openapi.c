/* SPDX-License-Identifier: MIT */
#include "serve/api/openapi.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/map.h"
#include "serve/api/moment.h"
#include "serve/page/asset.h"

/* --- the description ------------------------------------------------------------------------------------------------------ */

static json_t  *root;
static tain_map operations; /* "GET /v1/workspaces/{}" -> object in root */

static char *key_of(const char *method, const char *path)
{
    tain_buffer out = {0};
    for (const char *p = method; *p; p++) tain_buffer_append_u8(&out, (uint8_t)toupper((unsigned char)*p));
    tain_buffer_append_u8(&out, ' ');
    for (const char *p = path; *p; p++) {
        tain_buffer_append_u8(&out, (uint8_t)*p);
        if (*p == '{') p += strcspn(p, "}") - 1;
    }
    return tain_buffer_cstr(&out);
}

static void read_description(void)
{
    const tain_asset *text = tain_asset_find("/openapi.json");
    const char       *path, *method;
    json_t           *methods, *operation;
    root = json_loadb((const char *)text->plain.data, text->plain.size, 0, NULL);
    json_object_foreach(json_object_get(root, "paths"), path, methods)
    {
        json_object_foreach(methods, method, operation)
        {
            TAIN_AUTO(tain_free) char *key = key_of(method, path);
            tain_map_put(&operations, key, operation);
        }
    }
}

static const json_t *operation_of(const tain_route *r)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_description);
    TAIN_AUTO(tain_free) char *key = key_of(r->method, r->path);
    return tain_map_get(&operations, key);
}

static const json_t *resolved(const json_t *schema)
{
    const char *to = tain_json_get_str(schema, "$ref", NULL);
    return to ? json_object_get(json_object_get(json_object_get(root, "components"), "schemas"), strrchr(to, '/') + 1) : schema;
}

/* Extended regular expressions that are such in POSIX, too. */
static bool matches(const char *pattern, const char *text)
{
    regex_t r;
    if (strchr(pattern, '\\') || regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB) != 0) return true;
    bool fine = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return fine;
}

/* --- a value -------------------------------------------------------------------------------------------------------------- */

static bool is_of(const json_t *v, const char *type)
{
    if (strcmp(type, "object") == 0) return json_is_object(v);
    if (strcmp(type, "array") == 0) return json_is_array(v);
    if (strcmp(type, "string") == 0) return json_is_string(v);
    if (strcmp(type, "integer") == 0) return json_is_integer(v) || (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)));
    if (strcmp(type, "number") == 0) return json_is_number(v);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(v);
    return json_is_null(v);
}

static tain_status check_type(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    const json_t *type = json_object_get(schema, "type"), *one;
    size_t        i;
    bool          fine = !type || (json_is_string(type) && is_of(v, json_string_value(type)));
    json_array_foreach(type, i, one)
    {
        fine = fine || is_of(v, json_string_value(one));
    }
    if (fine) return TAIN_OK;
    TAIN_AUTO(tain_free) char *wanted = json_dumps(type, JSON_ENCODE_ANY | JSON_COMPACT);
    return tain_fail(err, TAIN_E_INVALID, "%s is not %s", where, wanted);
}

static bool is_uuid(const char *text)
{
    size_t i = 0;
    for (; text[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) return false;
    }
    return i == 36;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static tain_status check_format(const char *format, const char *text, const char *where, tain_error *err)
{
    tain_time ignored;
    if (strcmp(format, "uuid") == 0 && !is_uuid(text)) return tain_fail(err, TAIN_E_INVALID, "%s is no GUID", where);
    if (strcmp(format, "date-time") == 0 && !tain_moment_read(text, &ignored))
        return tain_fail(err, TAIN_E_INVALID, "%s is no time like 2026-01-31T12:34:56Z", where);
    return TAIN_OK;
}

static tain_status check_text(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    if (!json_is_string(v)) return TAIN_OK;
    const char *text = json_string_value(v);
    if (strlen(text) != json_string_length(v)) return tain_fail(err, TAIN_E_INVALID, "%s has a NUL character", where);
    int64_t     n = (int64_t)characters(text), least = tain_json_get_int(schema, "minLength", 0), most = tain_json_get_int(schema, "maxLength", INT64_MAX);
    if (n < least) return tain_fail(err, TAIN_E_INVALID, least == 1 ? "%s is empty" : "%s is too short: %lld characters at least", where, (long long)least);
    if (n > most) return tain_fail(err, TAIN_E_INVALID, "%s is too long: %lld characters at most", where, (long long)most);
    const char *pattern = tain_json_get_str(schema, "pattern", NULL);
    if (pattern && !matches(pattern, text)) {
        const char *what = tain_json_get_str(schema, "description", NULL); /* people read that, rather than a pattern */
        return tain_fail(err, TAIN_E_INVALID, what ? "%s is not %s" : "%s is not of the form %s", where, what ? what : pattern);
    }
    return check_format(tain_json_get_str(schema, "format", ""), text, where, err);
}

static tain_status check_range(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    if (!json_is_number(v)) return TAIN_OK;
    int64_t least = tain_json_get_int(schema, "minimum", INT64_MIN), most = tain_json_get_int(schema, "maximum", INT64_MAX);
    if (json_number_value(v) >= (double)least && json_number_value(v) <= (double)most) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "%s is not from %lld to %lld", where, (long long)least, (long long)most);
}

static tain_status check_enum(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    const json_t *list = json_object_get(schema, "enum"), *one;
    size_t        i;
    if (!list || !json_is_string(v)) return TAIN_OK;
    json_array_foreach(list, i, one)
    {
        if (json_is_string(one) && strcasecmp(json_string_value(one), json_string_value(v)) == 0) return TAIN_OK;
    }
    TAIN_AUTO(tain_free) char *all = json_dumps(list, JSON_COMPACT);
    return tain_fail(err, TAIN_E_INVALID, "%s is none of %s", where, all);
}

static tain_status check_value(const json_t *schema, const json_t *v, const char *where, tain_error *err);

static tain_status check_member(const json_t *schema, const char *name, const json_t *v, const char *where, tain_error *err)
{
    const json_t *known = json_object_get(json_object_get(schema, "properties"), name), *others = json_object_get(schema, "additionalProperties");
    TAIN_AUTO(tain_free) char *inside = tain_format("%s.%s", where, name);
    if (known) return check_value(known, v, inside, err);
    const char *names = tain_json_get_str(json_object_get(schema, "propertyNames"), "pattern", NULL);
    if (names && !matches(names, name)) return tain_fail(err, TAIN_E_INVALID, "%s is no name of a member", inside);
    if (json_is_false(others)) return tain_fail(err, TAIN_E_INVALID, "%s is not known", inside);
    return others ? check_value(others, v, inside, err) : TAIN_OK;
}

static tain_status check_object(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    const json_t *name, *one;
    const char   *member;
    size_t        i;
    if (!json_is_object(v)) return TAIN_OK;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (!json_object_get(v, json_string_value(name))) return tain_fail(err, TAIN_E_INVALID, "%s has no \"%s\"", where, json_string_value(name));
    }
    json_object_foreach((json_t *)v, member, one)
    {
        TAIN_TRY(check_member(schema, member, one, where, err));
    }
    return TAIN_OK;
}

static tain_status check_array(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    const json_t *items = json_object_get(schema, "items"), *one;
    size_t        i;
    if (!json_is_array(v)) return TAIN_OK;
    if ((int64_t)json_array_size(v) < tain_json_get_int(schema, "minItems", 0)) return tain_fail(err, TAIN_E_INVALID, "%s is empty", where);
    json_array_foreach(v, i, one)
    {
        TAIN_AUTO(tain_free) char *inside = tain_format("%s[%zu]", where, i);
        if (items) TAIN_TRY(check_value(items, one, inside, err));
    }
    return TAIN_OK;
}

static tain_status check_value(const json_t *schema, const json_t *v, const char *where, tain_error *err)
{
    schema = resolved(schema);
    TAIN_TRY(check_type(schema, v, where, err));
    TAIN_TRY(check_enum(schema, v, where, err));
    TAIN_TRY(check_text(schema, v, where, err));
    TAIN_TRY(check_range(schema, v, where, err));
    TAIN_TRY(check_object(schema, v, where, err));
    return check_array(schema, v, where, err);
}

/* --- a request ------------------------------------------------------------------------------------------------------------ */

/* What stands in a query is text: as the type that is asked for. */
static json_t *value_of(const json_t *schema, const char *text)
{
    const char *type = tain_json_get_str(schema, "type", "string");
    char       *end;
    if (strcmp(type, "integer") == 0) {
        long long n = strtoll(text, &end, 10);
        return *text && !*end ? json_integer(n) : json_string(text);
    }
    if (strcmp(type, "boolean") != 0) return json_string(text);
    return strcasecmp(text, "true") == 0 ? json_true() : strcasecmp(text, "false") == 0 ? json_false() : json_string(text);
}

static tain_status check_query(const tain_call *c, const json_t *operation, tain_error *err)
{
    const json_t *p;
    size_t        i;
    json_array_foreach(json_object_get(operation, "parameters"), i, p)
    {
        const char *name = tain_json_get_str(p, "name", ""), *text = tain_http_query(c->request, name);
        if (!text || strcmp(tain_json_get_str(p, "in", ""), "query") != 0) continue;
        json_t     *v = value_of(json_object_get(p, "schema"), text);
        tain_status st = v ? check_value(json_object_get(p, "schema"), v, name, err) : tain_fail(err, TAIN_E_INVALID, "%s is not UTF-8", name);
        json_decref(v);
        TAIN_TRY(st);
    }
    return TAIN_OK;
}

static tain_status check_body(const tain_call *c, const json_t *operation, tain_error *err)
{
    const json_t *body = json_object_get(operation, "requestBody");
    const json_t *schema = json_object_get(json_object_get(json_object_get(body, "content"), "application/json"), "schema");
    if (tain_json_get_bool(body, "required", false) && !c->request->body.size) {
        tain_status st = tain_fail(err, TAIN_E_INVALID, "the body is missing");
        tain_error_remedy(err, "send one JSON object");
        return st;
    }
    return schema ? check_value(schema, c->in, "the body", err) : TAIN_OK;
}

tain_status tain_openapi_check(const tain_call *c, const tain_route *route, tain_error *err)
{
    const json_t *operation = operation_of(route);
    TAIN_TRY(check_query(c, operation, err));
    return check_body(c, operation, err);
}
