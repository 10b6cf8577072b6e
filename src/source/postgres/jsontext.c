/* SPDX-License-Identifier: MIT */
/* A value's text form as the JSON that the server's to_json() makes of it: composites, hstore, arrays of any depth. A
 * type that an extension gave a cast to json (geometry) is its text here, so that a load and the stream agree. */
#include "source/postgres/codec.h"

#include "source/postgres/type.h"

enum { DEPTH = 64 }; /* of nested composites; the catalog cannot make cycles, a damaged message might */

typedef struct text { const char *at; size_t size; } text;

static bool append_value(const tain_pg_type *type, text v, tain_buffer *out, int depth);

/* The server's escaping, which is the shortest the standard allows. */
static void append_quoted(text v, tain_buffer *out)
{
    static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    tain_buffer_append_u8(out, '"');
    for (size_t i = 0; i < v.size; i++) {
        uint8_t ch = (uint8_t)v.at[i];
        const char *name = ch ? strchr(named, ch) : NULL;
        if (ch >= ' ' && ch != '"' && ch != '\\') tain_buffer_append_u8(out, ch);
        else if (name && (name - named) % 2 == 0) tain_buffer_append(out, (char[]){'\\', name[1]}, 2);
        else tain_buffer_printf(out, "\\u%04x", ch);
    }
    tain_buffer_append_u8(out, '"');
}

static void append_plain(text v, tain_buffer *out) { tain_buffer_append(out, v.at, v.size); }

static void append_number(text v, tain_buffer *out)
{
    char last = v.size ? v.at[v.size - 1] : 0;
    if (last >= '0' && last <= '9') append_plain(v, out);
    else append_quoted(v, out); /* NaN, Infinity */
}

static void append_char(text v, tain_buffer *out)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer shown = {0};
    if (v.size == 1) tain_pg_put_char(&shown, (uint8_t)*v.at);
    else tain_buffer_append(&shown, v.at, v.size);
    append_quoted((text){(char *)shown.data, shown.size}, out);
}

/* "2024-01-31 10:00:00+00 BC" -> "2024-01-31T10:00:00+00:00 BC" */
static void append_moment(text v, tain_buffer *out)
{
    const char *space = memchr(v.at, ' ', v.size);
    TAIN_AUTO(tain_buffer_done) tain_buffer iso = {0};
    tain_buffer_append(&iso, v.at, v.size);
    if (space) {
        size_t clock = (size_t)(space - v.at);
        iso.data[clock] = 'T';
        uint8_t *zone = memchr(iso.data + clock, '+', iso.size - clock);
        size_t after = zone ? (size_t)(zone - iso.data) + 3 : 0;
        if (zone && (after >= v.size || v.at[after] != ':')) {
            iso.size = after;
            tain_buffer_append(&iso, ":00", 3);
            if (after < v.size) tain_buffer_append(&iso, v.at + after, v.size - after);
        }
    }
    append_quoted((text){(char *)iso.data, iso.size}, out);
}

static bool append_array(const tain_pg_type *type, text v, tain_buffer *out, int depth)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer value = {0};
    tain_pg_array_reader r = tain_pg_array_reader_of(v.at, v.size, type->delimiter);
    bool comma = false;
    do {
        tain_pg_token token = tain_pg_array_next(&r, &value);
        if (token == TAIN_PG_END) return false;
        if (comma && token != TAIN_PG_CLOSE) tain_buffer_append_u8(out, ',');
        comma = token != TAIN_PG_OPEN;
        if (token == TAIN_PG_OPEN) tain_buffer_append_u8(out, '[');
        else if (token == TAIN_PG_CLOSE) tain_buffer_append_u8(out, ']');
        else if (token == TAIN_PG_NULL) tain_buffer_append_str(out, "null");
        else if (!append_value(type->element, (text){(char *)value.data, value.size}, out, depth)) return false;
    } while (r.depth > 0 && !r.bad);
    return !r.bad && r.at == r.end;
}

/* One field of "(1,\"a b\",,)": unescaped into value. An empty one is NULL. */
static bool read_field(const char **at, const char *end, tain_buffer *value, bool *ret_null)
{
    const char *p = *at;
    bool quoted = false, any = false;
    tain_buffer_clear(value);
    for (; p < end && (quoted || (*p != ',' && *p != ')')); p++) {
        any = true;
        if (*p == '\\' && p + 1 < end) tain_buffer_append_u8(value, (uint8_t)*++p);
        else if (*p == '"' && quoted && p + 1 < end && p[1] == '"') tain_buffer_append_u8(value, (uint8_t)*++p);
        else if (*p == '"') quoted = !quoted;
        else tain_buffer_append_u8(value, (uint8_t)*p);
    }
    *at = p;
    *ret_null = !any;
    return p < end && !quoted;
}

static bool append_record(const tain_pg_type *type, text v, tain_buffer *out, int depth)
{
    const char *at = v.at, *end = v.at + v.size;
    TAIN_AUTO(tain_buffer_done) tain_buffer value = {0};
    if (v.size < 2 || *at++ != '(') return false;
    tain_buffer_append_u8(out, '{');
    for (size_t i = 0; i < type->field_count; i++) {
        bool null;
        if (i && *at++ != ',') return false;
        if (!read_field(&at, end, &value, &null)) return false;
        if (i) tain_buffer_append_u8(out, ',');
        append_quoted((text){type->fields[i].name, strlen(type->fields[i].name)}, out);
        tain_buffer_append_u8(out, ':');
        if (null) tain_buffer_append_str(out, "null");
        else if (!append_value(type->fields[i].type, (text){(char *)value.data, value.size}, out, depth)) return false;
    }
    tain_buffer_append_u8(out, '}');
    return at + 1 == end && *at == ')';
}

static bool read_hstore_text(const char **at, const char *end, tain_buffer *out)
{
    const char *p = *at;
    tain_buffer_clear(out);
    if (p == end || *p++ != '"') return false;
    for (; p < end && *p != '"'; p++) {
        if (*p == '\\' && ++p == end) return false;
        tain_buffer_append_u8(out, (uint8_t)*p);
    }
    *at = p + 1;
    return p < end;
}

static bool skip_text(const char **at, const char *end, const char *what)
{
    size_t n = strlen(what);
    if ((size_t)(end - *at) < n || memcmp(*at, what, n) != 0) return false;
    *at += n;
    return true;
}

/* "a"=>"1", "b"=>NULL */
static bool append_hstore(text v, tain_buffer *out)
{
    const char *at = v.at, *end = v.at + v.size;
    TAIN_AUTO(tain_buffer_done) tain_buffer value = {0};
    tain_buffer_append_u8(out, '{');
    while (at < end) {
        if (at != v.at && !skip_text(&at, end, ", ")) return false;
        if (at != v.at) tain_buffer_append_str(out, ", ");
        if (!read_hstore_text(&at, end, &value) || !skip_text(&at, end, "=>")) return false;
        append_quoted((text){(char *)value.data, value.size}, out);
        tain_buffer_append_str(out, ": ");
        if (skip_text(&at, end, "NULL")) tain_buffer_append_str(out, "null");
        else if (!read_hstore_text(&at, end, &value)) return false;
        else append_quoted((text){(char *)value.data, value.size}, out);
    }
    tain_buffer_append_u8(out, '}');
    return true;
}

static bool append_value(const tain_pg_type *type, text v, tain_buffer *out, int depth)
{
    if (depth <= 0) return false;
    if (type->base) return append_value(type->base, v, out, depth - 1);
    if (type->is_array) return append_array(type, v, out, depth - 1);
    if (type->kind == 'c') return append_record(type, v, out, depth - 1);
    if (tain_pg_type_is_hstore(type)) return append_hstore(v, out);
    switch (type->oid) {
    case TAIN_PG_CHAR: append_char(v, out); break;
    case TAIN_PG_BOOL: tain_buffer_append_str(out, v.size && *v.at == 't' ? "true" : "false"); break;
    case TAIN_PG_INT2:
    case TAIN_PG_INT4:
    case TAIN_PG_INT8:
    case TAIN_PG_FLOAT4:
    case TAIN_PG_FLOAT8:
    case TAIN_PG_NUMERIC: append_number(v, out); break;
    case TAIN_PG_TIMESTAMP:
    case TAIN_PG_TIMESTAMPTZ: append_moment(v, out); break;
    case TAIN_PG_JSON:
    case TAIN_PG_JSONB: append_plain(v, out); break;
    default: append_quoted(v, out);
    }
    return true;
}

TAIN_PG_DECODER(tain_pg_json_text)
{
    if (!append_value(c->pg, (text){(const char *)p, n}, &out->bytes, DEPTH)) return TAIN_PG_MALFORMED;
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_checked_json_text)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer json = {0};
    if (!append_value(c->pg, (text){(const char *)p, n}, &json, DEPTH)) return TAIN_PG_MALFORMED;
    return tain_pg_checked_text(c, out, json.data, json.size);
}
