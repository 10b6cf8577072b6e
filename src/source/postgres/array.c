/* SPDX-License-Identifier: MIT */
#include "source/postgres/codec.h"

#include "source/postgres/wire.h"

static tain_pg_say worst(tain_pg_say a, tain_pg_say b)
{
    if (a < 0 || b < 0) return a < b ? a : b;
    return a > b ? a : b;
}

/* --- binary: int32 dimensions, int32 flags, oid of element, per dimension int32 size and bound, then values -------- */

TAIN_PG_DECODER(tain_pg_array_binary)
{
    tain_pg_bytes b = tain_pg_bytes_of(p, n);
    uint32_t dimensions = tain_pg_u32(&b);
    tain_pg_take(&b, 8);
    if (dimensions > 1) return b.bad ? TAIN_PG_MALFORMED : tain_pg_substitute(c, out, TAIN_PG_DIMENSIONS, 0);
    uint32_t count = dimensions ? tain_pg_u32(&b) : 0;
    if (dimensions) tain_pg_take(&b, 4);
    if (b.bad || count > tain_pg_left(&b) / 4) return TAIN_PG_MALFORMED;
    tain_pg_say say = TAIN_PG_FINE;
    for (uint32_t i = 0; i < count && say >= 0; i++) {
        uint32_t size = tain_pg_u32(&b);
        if (size == UINT32_MAX && !b.bad) {
            tain_column_append_null(out->children);
            continue;
        }
        const uint8_t *value = tain_pg_take(&b, size);
        say = value ? worst(say, c->element->binary(c->element, out->children, value, size)) : TAIN_PG_MALFORMED;
    }
    if (say < 0 || b.bad || tain_pg_left(&b)) return say < 0 ? say : TAIN_PG_MALFORMED;
    tain_column_end_list(out);
    return say;
}

TAIN_PG_DECODER(tain_pg_vector_binary)
{
    tain_pg_bytes b = tain_pg_bytes_of(p, n);
    uint16_t count = tain_pg_u16(&b);
    tain_pg_take(&b, 2);
    if (b.bad || tain_pg_left(&b) != 4 * (size_t)count) return TAIN_PG_MALFORMED;
    for (uint16_t i = 0; i < count; i++) (void)tain_pg_float_binary(c, out->children, tain_pg_take(&b, 4), 4);
    tain_column_end_list(out);
    return TAIN_PG_FINE;
}

/* --- text: {1,2,NULL,"a\"b"}, with [lower:upper]= in front when bounds are odd --------------------------------------- */

tain_pg_array_reader tain_pg_array_reader_of(const void *text, size_t n, char delimiter)
{
    tain_pg_array_reader r = {.at = text, .end = (const char *)text + n, .delimiter = delimiter};
    if (n && *r.at == '[') {
        const char *equals = memchr(text, '=', n);
        if (equals) r.at = equals + 1;
    }
    return r;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static tain_pg_token read_quoted(tain_pg_array_reader *r, tain_buffer *out)
{
    for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at == '\\' && ++r->at == r->end) break;
        tain_buffer_append_u8(out, (uint8_t)*r->at);
    }
    if (r->at >= r->end) {
        r->bad = true;
        return TAIN_PG_END;
    }
    r->at++;
    r->quoted = true;
    return TAIN_PG_VALUE;
}

static tain_pg_token read_plain(tain_pg_array_reader *r, tain_buffer *out)
{
    for (; r->at < r->end && *r->at != r->delimiter && *r->at != '}' && *r->at != '{'; r->at++) {
        if (*r->at == '\\' && ++r->at == r->end) break;
        tain_buffer_append_u8(out, (uint8_t)*r->at);
    }
    while (out->size && is_space((char)out->data[out->size - 1])) out->size--;
    if (out->size == 4 && strncasecmp((const char *)out->data, "null", 4) == 0) return TAIN_PG_NULL;
    if (out->size == 0 || r->at >= r->end) r->bad = true;
    return r->bad ? TAIN_PG_END : TAIN_PG_VALUE;
}

tain_pg_token tain_pg_array_next(tain_pg_array_reader *r, tain_buffer *out)
{
    r->quoted = false;
    tain_buffer_clear(out);
    while (r->at < r->end && (*r->at == r->delimiter || is_space(*r->at))) r->at++;
    if (r->at == r->end || r->bad) {
        r->bad |= r->depth != 0;
        return TAIN_PG_END;
    }
    if (*r->at == '{') {
        r->at++;
        r->depth++;
        return TAIN_PG_OPEN;
    }
    if (*r->at == '}') {
        r->at++;
        r->bad |= --r->depth < 0;
        return TAIN_PG_CLOSE;
    }
    if (r->depth == 0) {
        r->bad = true;
        return TAIN_PG_END;
    }
    return *r->at == '"' ? read_quoted(r, out) : read_plain(r, out);
}

static bool is_deep(const uint8_t *p, size_t n, char delimiter)
{
    tain_pg_array_reader r = tain_pg_array_reader_of(p, n, delimiter);
    return r.end - r.at > 2 && r.at[0] == '{' && r.at[1] == '{';
}

static tain_pg_say append_token(const tain_pg_codec *c, tain_column *out, tain_pg_token token, const tain_buffer *value)
{
    if (token == TAIN_PG_VALUE) return c->element->text(c->element, out->children, value->data, value->size);
    if (token == TAIN_PG_NULL) tain_column_append_null(out->children);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_array_text)
{
    if (is_deep(p, n, c->delimiter)) return tain_pg_substitute(c, out, TAIN_PG_DIMENSIONS, 0);
    TAIN_AUTO(tain_buffer_done) tain_buffer value = {0};
    tain_pg_array_reader r = tain_pg_array_reader_of(p, n, c->delimiter);
    tain_pg_say say = TAIN_PG_FINE;
    if (tain_pg_array_next(&r, &value) != TAIN_PG_OPEN) return TAIN_PG_MALFORMED;
    for (tain_pg_token token; r.depth == 1 && !r.bad && say >= 0;) {
        token = tain_pg_array_next(&r, &value);
        if (token == TAIN_PG_OPEN) return TAIN_PG_MALFORMED;
        say = worst(say, append_token(c, out, token, &value));
    }
    if (say < 0) return say;
    if (r.bad || r.at != r.end) return TAIN_PG_MALFORMED;
    tain_column_end_list(out);
    return say;
}

/* pgvector's [1,2.5,3] */
TAIN_PG_DECODER(tain_pg_vector_text)
{
    const uint8_t *end = p + n;
    if (n < 2 || *p != '[' || end[-1] != ']') return TAIN_PG_MALFORMED;
    end--;
    for (p++; p < end;) {
        const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
        if (!comma) comma = end;
        if (tain_pg_float_text(c, out->children, p, (size_t)(comma - p)) < 0) return TAIN_PG_MALFORMED;
        p = comma + (comma < end);
    }
    tain_column_end_list(out);
    return TAIN_PG_FINE;
}
