/* SPDX-License-Identifier: MIT */
#include "source/postgres/connection.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void put_quoted(tain_buffer *out, const char *text, char quote)
{
    tain_buffer_append_u8(out, (uint8_t)quote);
    for (; *text; text++) {
        if (*text == quote) tain_buffer_append_u8(out, (uint8_t)quote);
        tain_buffer_append_u8(out, (uint8_t)*text);
    }
    tain_buffer_append_u8(out, (uint8_t)quote);
}

/* Quotes are left away where they change nothing, because people read these. Reserved words are few and quoted by
 * suspicion: a name that is one is short and has neither digit nor underscore. */
static bool is_plain(const char *name)
{
    static const char *const reserved =
        " all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create current_date"
        " current_role current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch"
        " for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp not null"
        " offset on only or order placing primary references returning select session_user some symmetric system_user table then to"
        " trailing true union unique user using variadic when where window with authorization binary collation concurrently cross"
        " current_schema freeze full ilike inner is isnull join left like natural notnull outer overlaps right similar tablesample"
        " verbose between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int"
        " integer interval json least merge_action national nchar none normalize nullif numeric out overlay position precision real"
        " row setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement ";
    if (!islower((unsigned char)*name) && *name != '_') return false;
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_') return false;
    char word[80];
    if (snprintf(word, sizeof word, " %s ", name) >= (int)sizeof word) return true;
    return !strstr(reserved, word);
}

void tain_pg_put_identifier(tain_buffer *out, const char *name)
{
    if (is_plain(name)) tain_buffer_append_str(out, name);
    else put_quoted(out, name, '"');
}

/* Names and texts we write hold no backslash that standard_conforming_strings=off would eat: E'' makes sure. */
void tain_pg_put_literal(tain_buffer *out, const char *text)
{
    if (!strchr(text, '\\')) {
        put_quoted(out, text, '\'');
        return;
    }
    tain_buffer_append_str(out, "E'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') tain_buffer_append_u8(out, (uint8_t)*text);
        tain_buffer_append_u8(out, (uint8_t)*text);
    }
    tain_buffer_append_u8(out, '\'');
}

void tain_pg_put_name(tain_buffer *out, const char *schema, const char *name)
{
    tain_pg_put_identifier(out, schema);
    tain_buffer_append_u8(out, '.');
    tain_pg_put_identifier(out, name);
}
