/* SPDX-License-Identifier: MIT */
/* Statistics text is edited in place, never parsed and printed again: decimals would lose digits on the way. */
#include "delta/internal.h"

#include <ctype.h>
#include <stdlib.h>

static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1]) p++;
    return *p ? p + 1 : p;
}

/* End of the value at p: the ',' or closing bracket behind it. */
static const char *skip_value(const char *p)
{
    int depth = 0;
    while (*p) {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        if (depth == 0 && (*p == ',' || *p == '}' || *p == ']')) return p;
        depth += *p == '{' || *p == '[' ? 1 : *p == '}' || *p == ']' ? -1 : 0;
        p++;
    }
    return p;
}

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p)) p++;
    return p;
}

/* Value of a member of the outermost object, NULL: none. *ret_end: behind it. */
static const char *member(const char *text, const char *key, const char **ret_end)
{
    const char *p = skip_space(text);
    size_t      n = strlen(key);
    if (*p != '{') return NULL;
    for (p = skip_space(p + 1); *p == '"'; p = skip_space(p + 1)) {
        const char *name = p + 1, *value = skip_space(skip_string(p));
        if (*value != ':') return NULL;
        value = skip_space(value + 1);
        const char *end = skip_value(value);
        if (strncmp(name, key, n) == 0 && name[n] == '"') {
            *ret_end = end;
            return value;
        }
        if (*end != ',') return NULL;
        p = end;
    }
    return NULL;
}

int64_t tain_stats_rows(const char *stats)
{
    const char *end, *value = stats ? member(stats, "numRecords", &end) : NULL;
    if (!value || !isdigit((unsigned char)*value)) return -1;
    char     *stop;
    long long n = strtoll(value, &stop, 10);
    return skip_space(stop) == end ? n : -1;
}

/* The text with one more member, or with that member replaced. */
static char *with_member(const char *text, const char *key, const char *value)
{
    const char *end, *old = member(text, key, &end);
    if (old) return tain_format("%.*s%s%s", (int)(old - text), text, value, end);
    const char *first = skip_space(skip_space(text) + 1);
    return tain_format("{\"%s\":%s%s%s", key, value, *first == '}' ? "" : ",", first);
}

static bool is_object(const char *text)
{
    json_error_t e;
    json_t      *o = text ? json_loads(text, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &e) : NULL;
    bool         yes = json_is_object(o);
    json_decref(o);
    return yes;
}

char *tain_stats_loosen(const char *stats, int64_t rows)
{
    if (!is_object(stats)) return tain_format("{\"numRecords\":%lld,\"tightBounds\":false}", (long long)rows);
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)rows);
    char *counted = with_member(stats, "numRecords", number), *loose = with_member(counted, "tightBounds", "false");
    tain_free(counted);
    return loose;
}

/* {"a":1} and {"b":2} as {"a":1,"b":2}; the first may be empty. */
static char *merged(const char *a, size_t n, const char *b, size_t m)
{
    const char *end = a + n - 1;
    while (end > a && *end != '}') end--;
    bool empty = *skip_space(a + 1) == '}', nothing = m < 3;
    return tain_format("%.*s%s%.*s", (int)(end - a), a, empty || nothing ? "" : ",", (int)(m - 1), b + 1);
}

static char *with_more(char *text, const char *key, const char *more)
{
    const char *end, *more_end, *old = member(text, key, &end), *own = member(more, key, &more_end);
    if (!old || !own || *old != '{') return text;
    char *value = merged(old, (size_t)(end - old), own, (size_t)(more_end - own)), *all = with_member(text, key, value);
    tain_free(value);
    tain_free(text);
    return all;
}

char *tain_stats_join(const char *stats, const char *more)
{
    if (!is_object(stats)) return tain_strdup(stats);
    static const char *const keys[] = {"minValues", "maxValues", "nullCount"};
    char *text = tain_strdup(stats);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) text = with_more(text, keys[i], more);
    return text;
}
