/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <string.h>

static void before_value(tain_json *j)
{
    if (j->comma) tain_buffer_append_u8(j->out, ',');
    j->comma = true;
}

static void open_with(tain_json *j, char bracket)
{
    before_value(j);
    tain_buffer_append_u8(j->out, (uint8_t)bracket);
    j->comma = false;
}

static void close_with(tain_json *j, char bracket)
{
    tain_buffer_append_u8(j->out, (uint8_t)bracket);
    j->comma = true;
}

void tain_json_object(tain_json *j)
{
    open_with(j, '{');
}

void tain_json_object_end(tain_json *j)
{
    close_with(j, '}');
}

void tain_json_array(tain_json *j)
{
    open_with(j, '[');
}

void tain_json_array_end(tain_json *j)
{
    close_with(j, ']');
}

static bool plain(uint8_t c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void append_escape(tain_buffer *out, uint8_t c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = named; *p; p += 2) {
        if ((uint8_t)*p != c) continue;
        tain_buffer_append(out, (char[]){'\\', p[1]}, 2);
        return;
    }
    tain_buffer_printf(out, "\\u%04x", c);
}

static void append_quoted(tain_buffer *out, const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s, *end = p + n;
    tain_buffer_append_u8(out, '"');
    while (p < end) {
        const uint8_t *run = p;
        while (p < end && plain(*p)) p++;
        tain_buffer_append(out, run, (size_t)(p - run));
        if (p < end) append_escape(out, *p++);
    }
    tain_buffer_append_u8(out, '"');
}

void tain_json_key(tain_json *j, const char *key)
{
    before_value(j);
    append_quoted(j->out, key, strlen(key));
    tain_buffer_append_u8(j->out, ':');
    j->comma = false;
}

void tain_json_strn(tain_json *j, const char *s, size_t n)
{
    before_value(j);
    append_quoted(j->out, s, n);
}

void tain_json_str(tain_json *j, const char *s)
{
    if (s) tain_json_strn(j, s, strlen(s));
    else tain_json_null(j);
}

void tain_json_int(tain_json *j, int64_t v)
{
    char     digits[24], *end = digits + sizeof digits, *p = end;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (v < 0) *--p = '-';
    tain_json_raw(j, p, (size_t)(end - p));
}

void tain_json_bool(tain_json *j, bool v)
{
    if (v) tain_json_raw(j, "true", 4);
    else tain_json_raw(j, "false", 5);
}

void tain_json_null(tain_json *j)
{
    tain_json_raw(j, "null", 4);
}

void tain_json_raw(tain_json *j, const char *text, size_t n)
{
    before_value(j);
    tain_buffer_append(j->out, text, n);
}

void tain_json_kstr(tain_json *j, const char *key, const char *s)
{
    tain_json_key(j, key);
    tain_json_str(j, s);
}

void tain_json_kint(tain_json *j, const char *key, int64_t v)
{
    tain_json_key(j, key);
    tain_json_int(j, v);
}

void tain_json_kbool(tain_json *j, const char *key, bool v)
{
    tain_json_key(j, key);
    tain_json_bool(j, v);
}

/* Editors of Windows begin a file with a byte order mark; RFC 8259, section 8.1, lets it be passed over. */
static size_t mark_of(const void *data, size_t n)
{
    return n >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

tain_status tain_json_parse(const void *data, size_t n, const char *what, json_t **ret, tain_error *err)
{
    json_error_t why;
    size_t       mark = mark_of(data, n);
    json_t      *value = json_loadb(data ? (const char *)data + mark : "", n - mark, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!value) return tain_fail(err, TAIN_E_CORRUPT, "%s: not JSON at byte %zu: %s", what, (size_t)why.position + mark, why.text);
    *ret = value;
    return TAIN_OK;
}

const char *tain_json_get_str(const json_t *o, const char *key, const char *otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

int64_t tain_json_get_int(const json_t *o, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : otherwise;
}

bool tain_json_get_bool(const json_t *o, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}
