/* SPDX-License-Identifier: MIT */
/* url.c -- URLs and secrets; declared in text.h. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

static size_t scheme_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || (n > 0 && text[n] && strchr("+-.", text[n]))) n++;
    return n > 0 && isalpha((unsigned char)text[0]) && text[n] == ':' ? n : 0;
}

static int hex_value(const char *two)
{
    if (!isxdigit((unsigned char)two[0]) || !isxdigit((unsigned char)two[1])) return -1;
    return (int)strtol((char[]){two[0], two[1], 0}, NULL, 16);
}

/* NULL when the text holds a broken escape or an escaped NUL. */
static char *percent_decoded(const char *text, size_t n)
{
    char *out = tain_alloc(n + 1), *to = out;
    for (size_t i = 0; i < n; i++) {
        int value = (unsigned char)text[i];
        if (value == '%') {
            value = i + 2 < n ? hex_value(text + i + 1) : -1;
            i += 2;
        }
        if (value <= 0) {
            tain_free(out);
            return NULL;
        }
        *to++ = (char)value;
    }
    return out;
}

/* Empty parts are absent parts. */
static bool take(char **ret, const char *begin, const char *end)
{
    if (begin == end) return true;
    *ret = percent_decoded(begin, (size_t)(end - begin));
    return *ret != NULL;
}

static const char *last_of(const char *begin, const char *end, char c)
{
    return memrchr(begin, c, (size_t)(end - begin));
}

static bool parse_host(const char *begin, const char *end, tain_url *u)
{
    const char *close = *begin == '[' ? memchr(begin, ']', (size_t)(end - begin)) : NULL;
    const char *colon = last_of(close ? close : begin, end, ':');
    /* "a:1,b:2" is a list of hosts with their ports; the driver takes it whole. */
    if (memchr(begin, ',', (size_t)(end - begin))) return take(&u->host, begin, end);
    if (colon && !take(&u->port, colon + 1, end)) return false;
    if (close) return take(&u->host, begin + 1, close);
    return take(&u->host, begin, colon ? colon : end);
}

static bool parse_authority(const char *begin, const char *end, tain_url *u)
{
    const char *at = begin < end ? last_of(begin, end, '@') : NULL;
    if (at) {
        const char *colon = memchr(begin, ':', (size_t)(at - begin));
        if (!take(&u->user, begin, colon ? colon : at)) return false;
        if (colon && !take(&u->password, colon + 1, at)) return false;
        begin = at + 1;
    }
    return begin == end || parse_host(begin, end, u);
}

static bool parse_parts(const char *text, size_t scheme, tain_url *u)
{
    const char *rest = text + scheme + 1, *question = strchrnul(rest, '?');
    u->scheme = tain_strndup(text, scheme);
    for (char *p = u->scheme; *p; p++) *p = (char)tolower((unsigned char)*p);
    if (*question && question[1]) u->query = tain_strdup(question + 1);
    if (strncmp(rest, "//", 2) == 0) {
        const char *end = rest + 2 + strcspn(rest + 2, "/?");
        if (!parse_authority(rest + 2, end, u)) return false;
        rest = end;
    }
    return take(&u->path, rest, question);
}

tain_status tain_url_parse(const char *text, tain_url *ret, tain_error *err)
{
    size_t   scheme = scheme_length(text);
    tain_url u = {0};
    if (scheme && parse_parts(text, scheme, &u)) {
        *ret = u;
        return TAIN_OK;
    }
    tain_url_done(&u);
    char       *shown = tain_url_redacted(text);
    tain_status status = tain_fail(err, TAIN_E_INVALID, "'%s' is not a URL", shown);
    if (scheme) tain_error_remedy(err, "write special characters of user, password and path as %% and two hex digits");
    else tain_error_remedy(err, "write it as scheme://..., such as postgresql://user@host/database or sqlite:///path/file.db");
    tain_free(shown);
    return status;
}

void tain_url_done(tain_url *u)
{
    char *const parts[] = {u->scheme, u->user, u->password, u->host, u->port, u->path, u->query};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) tain_free(parts[i]);
    *u = (tain_url){0};
}

bool tain_host_is_loopback(const char *host)
{
    struct in_addr a;
    if (!host) return false;
    if (inet_pton(AF_INET, host, &a) == 1) return ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(host, "::1") == 0 || strcasecmp(host, "localhost") == 0;
}

/* Where the authority's password stands. Looks for the last @ beyond the next slash or question mark, because a password
 * with one that is not escaped must not be shown either; a query behind a path is no part of it. */
static const char *authority_password(const char *text, const char **ret_end)
{
    const char *begin = strstr(text, "://");
    if (!begin || begin[3] == '/') return NULL;
    begin += 3;
    const char *query = strchrnul(begin, '?'), *slash = strchrnul(begin, '/');
    const char *at = last_of(begin, query > slash ? query : slash, '@');
    const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
    *ret_end = at;
    return colon ? colon + 1 : NULL;
}

/* Length of "password=" and its like at p, 0 when none begins there. */
static size_t secret_key_length(const char *text, const char *p)
{
    static const char *const keys[] = {"password=", "sslpassword=", "pwd=", "secret=", "token=", "sig="};
    if (p > text && !strchr("?&; \t", p[-1])) return 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i]);
        if (strncasecmp(p, keys[i], n) == 0) return n;
    }
    return 0;
}

static const char *secret_end(const char *p)
{
    if (*p == '\'') {
        for (p++; *p && *p != '\''; p++) p += *p == '\\' && p[1];
        return *p ? p + 1 : p;
    }
    return p + strcspn(p, "&; \t");
}

char *tain_url_redacted(const char *text)
{
    tain_buffer out = {0};
    const char *end = NULL, *password = authority_password(text, &end);
    for (const char *p = text; *p;) {
        size_t key = p == password ? 0 : secret_key_length(text, p);
        tain_buffer_append(&out, p, key);
        p += key;
        if (p == password || key) {
            tain_buffer_append_str(&out, "***");
            p = p == password ? end : secret_end(p);
            password = NULL;
        } else {
            tain_buffer_append_u8(&out, (uint8_t)*p++);
        }
    }
    return tain_buffer_cstr(&out);
}

static tain_status secret_from_environment(const char *name, char **ret, tain_error *err)
{
    const char *value = getenv(name);
    if (!value) {
        tain_status status = tain_fail(err, TAIN_E_CONFIG, "the environment variable %s is not set", name);
        tain_error_remedy(err, "set %s, or give the password another way", name);
        return status;
    }
    *ret = tain_strdup(value);
    return TAIN_OK;
}

/* A secret's file is small; its last newline is the editor's. */
static tain_status secret_from_file(const char *path, char **ret, tain_error *err)
{
    char text[4096];
    int  fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tain_fail_errno(err, "cannot open the password file %s", path);
    ssize_t n = read(fd, text, sizeof text);
    int     sys = errno;
    close(fd);
    errno = sys;
    if (n < 0) return tain_fail_errno(err, "cannot read the password file %s", path);
    if (n == sizeof text) return tain_fail(err, TAIN_E_CONFIG, "%s is too long for a password file", path);
    if (n > 0 && text[n - 1] == '\n') n--;
    if (n > 0 && text[n - 1] == '\r') n--;
    *ret = tain_strndup(text, (size_t)n);
    return TAIN_OK;
}

bool tain_secret_is_reference(const char *text)
{
    return strncmp(text, "env:", 4) == 0 || strncmp(text, "file:", 5) == 0;
}

tain_status tain_secret_resolve(const char *text, char **ret, tain_error *err)
{
    if (strncmp(text, "env:", 4) == 0) return secret_from_environment(text + 4, ret, err);
    if (strncmp(text, "file:", 5) == 0) return secret_from_file(text + 5, ret, err);
    *ret = tain_strdup(text);
    return TAIN_OK;
}

void tain_url_append_encoded(tain_buffer *out, const char *text, const char *keep)
{
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text) || strchr(keep, *text)) tain_buffer_append_u8(out, (uint8_t)*text);
        else tain_buffer_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}
