/* SPDX-License-Identifier: MIT */
#include "net/target.h"

#include <ctype.h>
#include <strings.h>

#include "base/text.h"

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Appends what the text stands for. False: a % without two digits behind it. */
static bool decode(const char *text, size_t n, bool plus, tain_buffer *out)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '%') {
            tain_buffer_append_u8(out, plus && text[i] == '+' ? ' ' : (uint8_t)text[i]);
            continue;
        }
        int high = i + 2 < n ? digit(text[i + 1]) : -1, low = i + 2 < n ? digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return false;
        tain_buffer_append_u8(out, (uint8_t)(high * 16 + low));
        i += 2;
    }
    return true;
}

/* --- path ---------------------------------------------------------------------------------------------------------- */

static const char *check_segment(const uint8_t *s, size_t n)
{
    if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.')) return "a path goes its way without . and ..";
    for (size_t i = 0; i < n; i++) {
        if (s[i] < 0x20 || s[i] == 0x7f) return "a path holds no control characters";
    }
    return tain_utf8_valid(s, n) ? NULL : "a path is UTF-8";
}

/* A slash that was written as %2F makes no other segment. */
static void append_segment(tain_buffer *path, const tain_buffer *segment)
{
    tain_buffer_append_u8(path, '/');
    for (size_t i = 0; i < segment->size; i++) {
        uint8_t c = segment->data[i];
        if (c == '/' || c == '%') tain_buffer_append_str(path, c == '/' ? "%2F" : "%25");
        else tain_buffer_append_u8(path, c);
    }
}

/* Empty segments go: what ends in a slash, or has two, is found all the same. */
static const char *add_segment(const char *text, size_t n, tain_buffer *path)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer segment = {0};
    if (n == 0) return NULL;
    if (!decode(text, n, false, &segment)) return "a % in a path has two hex digits behind it";
    const char *why = check_segment(segment.data, segment.size);
    if (!why) append_segment(path, &segment);
    return why;
}

static const char *parse_path(const char *text, size_t n, tain_buffer *path)
{
    if (n == 0 || text[0] != '/') return "a target begins with a slash";
    for (size_t at = 0; at < n;) {
        const char *slash = memchr(text + at, '/', n - at);
        size_t      end = slash ? (size_t)(slash - text) : n;
        const char *why = add_segment(text + at, end - at, path);
        if (why) return why;
        at = end + 1;
    }
    if (path->size == 0) tain_buffer_append_u8(path, '/');
    return NULL;
}

/* --- arguments ----------------------------------------------------------------------------------------------------- */

static char *decoded(const char *text, size_t n)
{
    tain_buffer b = {0};
    if (decode(text, n, true, &b) && !memchr(tain_buffer_cstr(&b), 0, b.size) && tain_utf8_valid(b.data, b.size)) return tain_buffer_cstr(&b);
    tain_buffer_done(&b);
    return NULL;
}

static bool add_argument(tain_http_arguments *a, const char *text, size_t n)
{
    const char     *equals = memchr(text, '=', n);
    size_t          name = equals ? (size_t)(equals - text) : n, skip = equals ? name + 1 : n;
    tain_http_field f = {decoded(text, name), decoded(text + skip, n - skip)};
    a->fields = tain_realloc(a->fields, (a->count + 1) * sizeof f);
    a->fields[a->count++] = f;
    return f.name && f.value;
}

const char *tain_http_arguments_parse(const char *text, size_t n, tain_http_arguments *ret)
{
    *ret = (tain_http_arguments){0};
    for (size_t at = 0; at < n;) {
        const char *and = memchr(text + at, '&', n - at);
        size_t      end = and ? (size_t)(and - text) : n;
        if (end > at && !add_argument(ret, text + at, end - at)) {
            tain_http_arguments_done(ret);
            return "an argument is percent-encoded UTF-8";
        }
        at = end + 1;
    }
    return NULL;
}

const char *tain_http_arguments_get(const tain_http_arguments *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->fields[i].name, name) == 0) return a->fields[i].value;
    }
    return NULL;
}

void tain_http_arguments_done(tain_http_arguments *a)
{
    for (size_t i = 0; i < a->count; i++) {
        tain_free(a->fields[i].name);
        tain_free(a->fields[i].value);
    }
    tain_free(a->fields);
    *a = (tain_http_arguments){0};
}

/* --- target -------------------------------------------------------------------------------------------------------- */

/* Where a whole URL's authority begins; NULL: it is none. */
static const char *authority_of(const char *text)
{
    if (strncasecmp(text, "http://", 7) == 0) return text + 7;
    return strncasecmp(text, "https://", 8) == 0 ? text + 8 : NULL;
}

const char *tain_http_target_parse(const char *text, tain_http_target *ret)
{
    tain_buffer path = {0};
    *ret = (tain_http_target){0};
    if (!text || strchr(text, '#')) return "a request has a target, without fragment";
    const char *authority = authority_of(text);
    if (authority) {
        text = authority + strcspn(authority, "/?");
        if (*text != '/') return "a whole URL has a path";
        ret->authority = tain_strndup(authority, (size_t)(text - authority));
    }
    const size_t n = strcspn(text, "?");
    const char  *why = parse_path(text, n, &path);
    if (!why && text[n]) why = tain_http_arguments_parse(text + n + 1, strlen(text + n + 1), &ret->query);
    if (!why) ret->path = tain_buffer_cstr(&path);
    else tain_buffer_done(&path), tain_http_target_done(ret);
    return why;
}

static void append_argument(tain_buffer *out, char before, const char *name, const char *value)
{
    tain_buffer_append_u8(out, (uint8_t)before);
    tain_url_append_encoded(out, name, "");
    tain_buffer_append_u8(out, '=');
    tain_url_append_encoded(out, value, "");
}

char *tain_http_target_with(const tain_http_target *t, const char *name, const char *value)
{
    tain_buffer out = {0};
    char        before = '?';
    tain_url_append_encoded(&out, t->path, "/%"); /* a % stands for a slash or itself already */
    for (size_t i = 0; i < t->query.count; i++) {
        if (strcmp(t->query.fields[i].name, name) == 0) continue;
        append_argument(&out, before, t->query.fields[i].name, t->query.fields[i].value);
        before = '&';
    }
    append_argument(&out, before, name, value);
    return tain_buffer_cstr(&out);
}

void tain_http_target_done(tain_http_target *t)
{
    tain_http_arguments_done(&t->query);
    tain_free(t->path);
    tain_free(t->authority);
    *t = (tain_http_target){0};
}
