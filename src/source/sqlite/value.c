/* SPDX-License-Identifier: MIT */
#include "source/sqlite/value.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/text.h"
#include "source/sqlite/connection.h"

/* --- types --------------------------------------------------------------------------------------------------------- */

static bool mentions(const char *declared, const char *word)
{
    return strcasestr(declared, word) != NULL;
}

tain_sqlite_affinity tain_sqlite_affinity_of(const char *declared, bool strict)
{
    if (strict && strcasecmp(declared, "ANY") == 0) return TAIN_AFFINITY_NONE;
    if (mentions(declared, "INT")) return TAIN_AFFINITY_INTEGER;
    if (mentions(declared, "CHAR") || mentions(declared, "CLOB") || mentions(declared, "TEXT")) return TAIN_AFFINITY_TEXT;
    if (!*declared || mentions(declared, "BLOB")) return TAIN_AFFINITY_NONE;
    if (mentions(declared, "REAL") || mentions(declared, "FLOA") || mentions(declared, "DOUB")) return TAIN_AFFINITY_REAL;
    return TAIN_AFFINITY_NUMERIC;
}

/* NUMERIC and DECIMAL stand for numbers with a fraction, unless they say that they have none. */
static bool declares_fraction(const char *declared)
{
    if (!mentions(declared, "NUM") && !mentions(declared, "DEC") && !mentions(declared, "MONEY")) return false;
    const char *digits = strchr(declared, '(');
    if (!digits) return true;
    const char *comma = strchr(digits, ',');
    return comma && strtol(comma + 1, NULL, 10) > 0;
}

static tain_kind kind_of_integers(const char *declared, tain_sqlite_affinity affinity, unsigned seen)
{
    if (affinity != TAIN_AFFINITY_NUMERIC) return TAIN_INT64;
    if (mentions(declared, "BOOL") && !(seen & TAIN_SEEN_NOT_BOOL)) return TAIN_BOOL;
    return declares_fraction(declared) && !(seen & TAIN_SEEN_INEXACT) ? TAIN_DOUBLE : TAIN_INT64;
}

static tain_kind kind_of_nothing(const char *declared, tain_sqlite_affinity affinity)
{
    switch (affinity) {
    case TAIN_AFFINITY_INTEGER: return TAIN_INT64;
    case TAIN_AFFINITY_REAL: return TAIN_DOUBLE;
    case TAIN_AFFINITY_TEXT: return TAIN_STRING;
    case TAIN_AFFINITY_NONE: return *declared && strcasecmp(declared, "ANY") != 0 ? TAIN_BINARY : TAIN_STRING;
    default:
        if (mentions(declared, "BOOL")) return TAIN_BOOL;
        return declares_fraction(declared) ? TAIN_DOUBLE : TAIN_STRING;
    }
}

static bool takes_blobs(tain_sqlite_affinity affinity)
{
    return affinity == TAIN_AFFINITY_NONE || affinity == TAIN_AFFINITY_NUMERIC;
}

tain_type tain_sqlite_type(const char *declared, bool strict, unsigned seen)
{
    tain_sqlite_affinity affinity = tain_sqlite_affinity_of(declared, strict);
    switch (seen & TAIN_SEEN_CLASSES) {
    case 0: return tain_type_of(kind_of_nothing(declared, affinity));
    case TAIN_SEEN_INTEGER: return tain_type_of(kind_of_integers(declared, affinity, seen));
    case TAIN_SEEN_REAL: return tain_type_of(TAIN_DOUBLE);
    case TAIN_SEEN_INTEGER | TAIN_SEEN_REAL: return tain_type_of(seen & TAIN_SEEN_INEXACT ? TAIN_STRING : TAIN_DOUBLE);
    case TAIN_SEEN_BLOB: return tain_type_of(takes_blobs(affinity) ? TAIN_BINARY : TAIN_STRING);
    default: return tain_type_of(TAIN_STRING);
    }
}

bool tain_sqlite_disagrees(const char *declared, bool strict, unsigned seen)
{
    if (tain_sqlite_type(declared, strict, seen).kind != TAIN_STRING) return false;
    if (seen & TAIN_SEEN_CLASSES & ~TAIN_SEEN_TEXT) return true;
    tain_sqlite_affinity affinity = tain_sqlite_affinity_of(declared, strict);
    return (seen & TAIN_SEEN_TEXT) && (affinity == TAIN_AFFINITY_INTEGER || affinity == TAIN_AFFINITY_REAL);
}

/* --- values -------------------------------------------------------------------------------------------------------- */

tain_sqlite_value tain_sqlite_value_at(sqlite3_stmt *stmt, int column)
{
    tain_sqlite_value v = {.type = sqlite3_column_type(stmt, column)};
    switch (v.type) {
    case SQLITE_INTEGER: v.integer = sqlite3_column_int64(stmt, column); break;
    case SQLITE_FLOAT: v.real = sqlite3_column_double(stmt, column); break;
    case SQLITE_TEXT:
        v.data = sqlite3_column_text(stmt, column);
        v.size = (size_t)sqlite3_column_bytes(stmt, column);
        break;
    case SQLITE_BLOB:
        v.data = sqlite3_column_blob(stmt, column);
        v.size = (size_t)sqlite3_column_bytes(stmt, column);
        break;
    default: break;
    }
    return v;
}

static bool is_exact(int64_t v)
{
    double d = (double)v;
    return d < 9223372036854775808.0 && (int64_t)d == v;
}

unsigned tain_sqlite_seen(const tain_sqlite_value *v, bool text)
{
    switch (v->type) {
    case SQLITE_INTEGER:
        return TAIN_SEEN_INTEGER | (is_exact(v->integer) ? 0 : TAIN_SEEN_INEXACT) | ((uint64_t)v->integer > 1 ? TAIN_SEEN_NOT_BOOL : 0);
    case SQLITE_FLOAT: return TAIN_SEEN_REAL;
    case SQLITE_TEXT: return TAIN_SEEN_TEXT | (text && !tain_utf8_valid(v->data, v->size) ? TAIN_SEEN_BAD_TEXT : 0);
    case SQLITE_BLOB: return TAIN_SEEN_BLOB;
    default: return TAIN_SEEN_NULL;
    }
}

/* SQLite's own text of a double has 15 digits; where they do not lead back to the same double, it takes 17. */
static size_t real_text(double v, char out[static 64])
{
    sqlite3_snprintf(64, out, "%!.15g", v);
    if (strtod(out, NULL) != v) sqlite3_snprintf(64, out, "%!.17g", v);
    return strlen(out);
}

static void append_hex(tain_column *c, const tain_sqlite_value *v)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *p = v->data;
    char *to = (char *)tain_buffer_reserve(&c->bytes, v->size * 2);
    for (size_t i = 0; i < v->size; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    c->bytes.size += v->size * 2;
    tain_column_end_bytes(c);
}

static const char *append_text(tain_column *c, const tain_sqlite_value *v)
{
    if (tain_utf8_valid(v->data, v->size)) {
        tain_column_append_bytes(c, v->data, v->size);
        return NULL;
    }
    tain_utf8_repair(v->data, v->size, &c->bytes);
    tain_column_end_bytes(c);
    return "invalid_utf8";
}

static const char *append_string(tain_column *c, const tain_sqlite_value *v)
{
    char text[64];
    switch (v->type) {
    case SQLITE_TEXT: return append_text(c, v);
    case SQLITE_INTEGER: tain_column_append_bytes(c, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v->integer)); break;
    case SQLITE_FLOAT: tain_column_append_bytes(c, text, real_text(v->real, text)); break;
    default: append_hex(c, v);
    }
    return "type_as_text";
}

const char *tain_sqlite_append(tain_column *c, const tain_sqlite_value *v)
{
    if (v->type == SQLITE_NULL) {
        tain_column_append_null(c);
        return NULL;
    }
    switch (c->type.kind) {
    case TAIN_INT64: tain_column_append_i64(c, v->integer); return NULL;
    case TAIN_BOOL: tain_column_append_bool(c, v->integer != 0); return NULL;
    case TAIN_DOUBLE: tain_column_append_double(c, v->type == SQLITE_FLOAT ? v->real : (double)v->integer); return NULL;
    case TAIN_BINARY: tain_column_append_bytes(c, v->data, v->size); return NULL;
    default: return append_string(c, v);
    }
}

bool tain_sqlite_value_same(const tain_sqlite_value *a, const tain_sqlite_value *b)
{
    if (a->type != b->type) return false;
    switch (a->type) {
    case SQLITE_INTEGER: return a->integer == b->integer;
    case SQLITE_FLOAT: return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case SQLITE_NULL: return true;
    default: return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    }
}

/* --- rows as bytes: type, then 8 bytes of number, or 8 bytes of length and the payload ------------------------------- */

void tain_sqlite_value_put(tain_buffer *out, const tain_sqlite_value *v)
{
    uint64_t size = v->size;
    tain_buffer_append_u8(out, (uint8_t)v->type);
    switch (v->type) {
    case SQLITE_INTEGER: tain_buffer_append(out, &v->integer, 8); break;
    case SQLITE_FLOAT: tain_buffer_append(out, &v->real, 8); break;
    case SQLITE_NULL: break;
    default:
        tain_buffer_append(out, &size, 8);
        tain_buffer_append(out, v->data, v->size);
    }
}

tain_sqlite_value tain_sqlite_value_take(tain_slice bytes, size_t *io_offset)
{
    const uint8_t    *p = bytes.data + *io_offset;
    tain_sqlite_value v = {.type = *p++};
    switch (v.type) {
    case SQLITE_INTEGER: memcpy(&v.integer, p, 8); break;
    case SQLITE_FLOAT: memcpy(&v.real, p, 8); break;
    case SQLITE_NULL: break;
    default:
        memcpy(&v.size, p, 8);
        v.data = p + 8;
    }
    *io_offset += v.type == SQLITE_NULL ? 1 : 9 + v.size;
    return v;
}
