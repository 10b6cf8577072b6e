/* SPDX-License-Identifier: MIT */
#include "source/sqlite/index_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct token {
    const char *begin;
    size_t      size; /* 0: end of text */
} token;

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static const char *skip_blank(const char *p)
{
    for (;;) {
        if (isspace((unsigned char)*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            p = end ? end + 2 : p + strlen(p);
        } else {
            return p;
        }
    }
}

static size_t quoted_size(const char *p)
{
    char close = *p == '[' ? ']' : *p;
    for (size_t i = 1; p[i]; i++) {
        if (p[i] != close) continue;
        if (close != ']' && p[i + 1] == close) i++;
        else return i + 1;
    }
    return strlen(p);
}

static token next_token(const char *p)
{
    p = skip_blank(p);
    size_t n = *p != 0;
    if (*p && strchr("'\"`[", *p)) {
        n = quoted_size(p);
    } else if (is_word(*p)) {
        while (is_word(p[n])) n++;
    }
    return (token){p, n};
}

static bool is(token t, const char *word)
{
    return t.size == strlen(word) && strncasecmp(t.begin, word, t.size) == 0;
}

static char *cut(const char *begin, const char *end)
{
    while (end > begin && isspace((unsigned char)end[-1])) end--;
    return tain_strndup(begin, (size_t)(end - begin));
}

/* One term up to its comma or the closing parenthesis. */
static token term(const char *p, char **ret)
{
    p = skip_blank(p);
    const char *end = p;
    int depth = 0;
    token t = next_token(p);
    for (; t.size; t = next_token(t.begin + t.size)) {
        if (depth == 0 && (is(t, ",") || is(t, ")"))) break;
        depth += is(t, "(") - is(t, ")");
        if (depth > 0 || !(is(t, "ASC") || is(t, "DESC"))) end = t.begin + t.size;
    }
    *ret = cut(p, end);
    return t;
}

static token to_opening(const char *sql)
{
    token t = next_token(sql);
    while (t.size && !is(t, "ON")) t = next_token(t.begin + t.size);
    while (t.size && !is(t, "(")) t = next_token(t.begin + t.size);
    return t;
}

bool tain_sqlite_index_text(const char *sql, char **terms, size_t n, char **ret_where)
{
    token  t = to_opening(sql);
    size_t got = 0;
    while (t.size && !is(t, ")") && got < n) t = term(t.begin + t.size, &terms[got++]);
    if (got != n || !is(t, ")")) {
        while (got) free(terms[--got]);
        return false;
    }
    t = next_token(t.begin + t.size);
    *ret_where = is(t, "WHERE") ? tain_strdup(skip_blank(t.begin + t.size)) : NULL;
    return true;
}

/* A quoted name with doubled quotes in it is taken for a mention. */
bool tain_sqlite_mentions(const char *expression, const char *name)
{
    size_t n = strlen(name);
    for (token t = next_token(expression); t.size; t = next_token(t.begin + t.size)) {
        bool quoted = strchr("'\"`[", *t.begin) != NULL;
        const char *text = t.begin + quoted;
        size_t size = t.size - (quoted ? 2 : 0);
        if (size == n && strncasecmp(text, name, n) == 0) return true;
        if (quoted && *t.begin != '\'' && memchr(text, *t.begin, size)) return true;
    }
    return false;
}
