/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { INDEXED_COLUMNS = 32 };

const char *tain_property(const tain_delta *t, const char *key, const char *otherwise)
{
    return tain_json_get_str(t->meta.configuration, key, otherwise);
}

int64_t tain_property_int(const tain_delta *t, const char *key, int64_t otherwise)
{
    const char *text = tain_property(t, key, NULL);
    char       *end = NULL;
    long long   v = text ? strtoll(text, &end, 10) : 0;
    return text && end != text && !*end ? v : otherwise;
}

tain_delta_indexed tain_delta_indexed_columns(const tain_delta *t)
{
    int64_t n = t ? tain_property_int(t, "delta.dataSkippingNumIndexedCols", INDEXED_COLUMNS) : INDEXED_COLUMNS;
    return (tain_delta_indexed){.first = n >= -1 ? n : INDEXED_COLUMNS, .named = t ? tain_strdup(tain_property(t, "delta.dataSkippingStatsColumns", NULL)) : NULL};
}

void tain_delta_indexed_done(tain_delta_indexed *i)
{
    tain_free(i->named);
    *i = (tain_delta_indexed){0};
}

/* Takes one name off a list: in backticks it may have anything in it, doubled ones too; a point outside of them leads into
 * a struct, of which mirrored tables have none: then *ret_deeper. */
static const char *take_name(const char *p, tain_buffer *out, bool *ret_deeper)
{
    bool quoted = false;
    for (out->size = 0, *ret_deeper = false; *p && (quoted || *p != ','); p++) {
        bool both = quoted && p[0] == '`' && p[1] == '`';
        *ret_deeper |= !quoted && *p == '.';
        if (*p == '`' && !both) quoted = !quoted;
        else if (quoted || !isspace((unsigned char)*p)) tain_buffer_append_u8(out, (uint8_t)*p);
        p += both;
    }
    return *p ? p + 1 : p;
}

static bool is_named(const char *list, const char *name)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer one = {0};
    bool found = false, deeper;
    while (*list && !found) {
        list = take_name(list, &one, &deeper);
        found = !deeper && strcasecmp(tain_buffer_cstr(&one), name) == 0;
    }
    return found;
}

bool tain_delta_is_indexed(const tain_delta_indexed *indexed, const tain_field *field, size_t i)
{
    if (indexed->named) return is_named(indexed->named, field->name);
    return indexed->first < 0 || i < (size_t)indexed->first;
}

/* --- names of columns that change ------------------------------------------------------------------------------- */

static const tain_field *find_named(const tain_schema *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcasecmp(s->fields[i].name, name) == 0) return &s->fields[i];
    return NULL;
}

/* What became of a column of a schema before; NULL: it is gone. One of another type is stored elsewhere. */
static const tain_field *find_again(const tain_schema *s, const tain_field *old)
{
    for (size_t i = 0; old->source_id && i < s->count; i++)
        if (s->fields[i].source_id == old->source_id) return &s->fields[i];
    int at = tain_schema_find_physical(s, old->physical);
    const tain_field *f = at >= 0 ? &s->fields[at] : find_named(s, old->name);
    return f && f->source_id && old->source_id ? NULL : f;
}

static void put_name(const char *name, tain_buffer *out)
{
    bool plain = *name;
    for (const char *p = name; *p; p++) plain = plain && (isalnum((unsigned char)*p) || *p == '_');
    if (plain) return tain_buffer_append_str(out, name);
    tain_buffer_append_u8(out, '`');
    for (; *name; name++) {
        if (*name == '`') tain_buffer_append_u8(out, '`');
        tain_buffer_append_u8(out, (uint8_t)*name);
    }
    tain_buffer_append_u8(out, '`');
}

char *tain_property_rename_columns(const char *list, const tain_schema *old, const tain_schema *now)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0}, one = {0};
    const char *separator = "";
    bool deeper;
    for (const char *at = list, *next; *at; at = next) {
        next = take_name(at, &one, &deeper);
        const tain_field *was = deeper ? NULL : find_named(old, tain_buffer_cstr(&one)), *is = was ? find_again(now, was) : NULL;
        if (was && !is) continue;
        tain_buffer_append_str(&out, separator);
        if (is && strcasecmp(is->name, was->name) != 0) put_name(is->name, &out);
        else tain_buffer_append(&out, at, (size_t)(next - at) - (next > at && next[-1] == ','));
        separator = ",";
    }
    return tain_strdup(tain_buffer_cstr(&out));
}

bool tain_property_bool(const json_t *configuration, const char *key, bool otherwise)
{
    const char *text = tain_json_get_str(configuration, key, NULL);
    return text ? strcasecmp(text, "true") == 0 : otherwise;
}

bool tain_delta_has_feed(const tain_delta *t)
{
    return tain_property_bool(t->meta.configuration, TAIN_DELTA_FEED_KEY, false);
}

static tain_time unit_length(const char *word, size_t n)
{
    static const struct {
        const char *name;
        tain_time   length;
    } units[] = {
        {"week", 7 * 86400 * TAIN_SECOND},
        {"day", 86400 * TAIN_SECOND},
        {"hour", 3600 * TAIN_SECOND},
        {"minute", 60 * TAIN_SECOND},
        {"second", TAIN_SECOND},
        {"millisecond", TAIN_MILLISECOND},
        {"microsecond", 1},
    };
    if (n && (word[n - 1] | 32) == 's') n--;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == n && strncasecmp(units[i].name, word, n) == 0) return units[i].length;
    return 0;
}

static const char *skip_space(const char *s)
{
    while (isspace((unsigned char)*s)) s++;
    return s;
}

/* One "<n> <unit>"; NULL: not understood. */
static const char *interval_term(const char *s, tain_time *io)
{
    char     *end;
    long long n = strtoll(s, &end, 10);
    if (end == s) return NULL;
    s = skip_space(end);
    size_t length = 0;
    while (isalpha((unsigned char)s[length])) length++;
    tain_time unit = unit_length(s, length), term;
    if (!unit || __builtin_mul_overflow((tain_time)n, unit, &term) || __builtin_add_overflow(*io, term, io)) return NULL;
    return skip_space(s + length);
}

tain_time tain_property_interval(const tain_delta *t, const char *key, tain_time otherwise)
{
    const char *s = skip_space(tain_property(t, key, ""));
    if (strncasecmp(s, "interval", 8) == 0) s = skip_space(s + 8);
    if (!*s) return otherwise;
    tain_time sum = 0;
    while (s && *s) s = interval_term(s, &sum);
    return s && sum >= 0 ? sum : otherwise;
}
