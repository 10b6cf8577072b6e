/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

typedef struct source {
    duckdb_vector vector;
    duckdb_type   type, internal;
    const void   *data;
    uint64_t     *validity; /* NULL: no nulls */
} source;

static source look(duckdb_vector vector, duckdb_logical_type type)
{
    source s = {.vector = vector, .type = duckdb_get_type_id(type), .data = duckdb_vector_get_data(vector),
                .validity = duckdb_vector_get_validity(vector)};
    s.internal = s.type == DUCKDB_TYPE_DECIMAL ? duckdb_decimal_internal_type(type) : s.type;
    return s;
}

static bool is_null(const source *s, size_t i)
{
    return s->validity && !(s->validity[i >> 6] >> (i & 63) & 1);
}

static __int128 huge(duckdb_hugeint v)
{
    return ((__int128)v.upper << 64) | v.lower;
}

/* Any integer, or the unscaled value of a decimal; timestamps in microseconds. False: not of that kind. */
static bool integer_at(const source *s, size_t i, __int128 *ret)
{
    switch (s->internal) {
    case DUCKDB_TYPE_TINYINT: *ret = ((const int8_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_SMALLINT: *ret = ((const int16_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: *ret = ((const int32_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: *ret = ((const int64_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_UTINYINT: *ret = ((const uint8_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_USMALLINT: *ret = ((const uint16_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_UINTEGER: *ret = ((const uint32_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_UBIGINT: *ret = ((const uint64_t *)s->data)[i]; return true;
    case DUCKDB_TYPE_HUGEINT: *ret = huge(((const duckdb_hugeint *)s->data)[i]); return true;
    case DUCKDB_TYPE_TIMESTAMP_MS: *ret = (__int128)((const int64_t *)s->data)[i] * 1000; return true;
    case DUCKDB_TYPE_TIMESTAMP_S: *ret = (__int128)((const int64_t *)s->data)[i] * 1000000; return true;
    case DUCKDB_TYPE_TIMESTAMP_NS: *ret = ((const int64_t *)s->data)[i] / 1000; return true;
    default: return false;
    }
}

static bool floating_at(const source *s, size_t i, double *ret)
{
    __int128 v;
    if (s->type == DUCKDB_TYPE_FLOAT) {
        *ret = ((const float *)s->data)[i];
    } else if (s->type == DUCKDB_TYPE_DOUBLE) {
        *ret = ((const double *)s->data)[i];
    } else if (s->type != DUCKDB_TYPE_DECIMAL && integer_at(s, i, &v)) {
        *ret = (double)v;
    } else {
        return false;
    }
    return true;
}

static bool append_integer(const source *s, size_t i, tain_column *io)
{
    __int128 v;
    if (!integer_at(s, i, &v)) return false;
    switch (io->type.kind) {
    case TAIN_INT8: tain_column_append_i8(io, (int8_t)v); return (int8_t)v == v;
    case TAIN_INT16: tain_column_append_i16(io, (int16_t)v); return (int16_t)v == v;
    case TAIN_INT32:
    case TAIN_DATE: tain_column_append_i32(io, (int32_t)v); return (int32_t)v == v;
    case TAIN_DECIMAL:
        if (io->type.precision > 18) {
            tain_column_append_i128(io, v);
            return true;
        }
        [[fallthrough]];
    default: tain_column_append_i64(io, (int64_t)v); return (int64_t)v == v;
    }
}

static bool append_text(const source *s, size_t i, tain_column *io)
{
    if (s->type != DUCKDB_TYPE_VARCHAR && s->type != DUCKDB_TYPE_BLOB) return false;
    duckdb_string_t *text = (duckdb_string_t *)s->data + i;
    tain_column_append_bytes(io, duckdb_string_t_data(text), duckdb_string_t_length(*text));
    return true;
}

static bool append_scalar(const source *s, size_t i, tain_column *io)
{
    double d;
    switch (io->type.kind) {
    case TAIN_BOOL:
        if (s->type != DUCKDB_TYPE_BOOLEAN) return false;
        tain_column_append_bool(io, ((const bool *)s->data)[i]);
        return true;
    case TAIN_FLOAT:
        if (!floating_at(s, i, &d)) return false;
        tain_column_append_float(io, (float)d);
        return true;
    case TAIN_DOUBLE:
        if (!floating_at(s, i, &d)) return false;
        tain_column_append_double(io, d);
        return true;
    case TAIN_STRING:
    case TAIN_BINARY: return append_text(s, i, io);
    default: return append_integer(s, i, io);
    }
}

/* --- nested -------------------------------------------------------------------------------------------------------- */

static tain_status append_list(const source *s, duckdb_logical_type type, size_t i, tain_column *io, tain_error *err)
{
    duckdb_list_entry e = ((const duckdb_list_entry *)s->data)[i];
    duckdb_logical_type child = duckdb_list_type_child_type(type);
    tain_status st = tain_scan_append(duckdb_list_vector_get_child(s->vector), child, e.offset, e.length, &io->children[0], err);
    duckdb_destroy_logical_type(&child);
    TAIN_TRY(st);
    tain_column_end_list(io);
    return TAIN_OK;
}

/* A map is a list of structs of key and value. */
static tain_status append_map(const source *s, duckdb_logical_type type, size_t i, tain_column *io, tain_error *err)
{
    duckdb_list_entry e = ((const duckdb_list_entry *)s->data)[i];
    duckdb_vector entries = duckdb_list_vector_get_child(s->vector);
    duckdb_logical_type types[2] = {duckdb_map_type_key_type(type), duckdb_map_type_value_type(type)};
    tain_status st = TAIN_OK;
    for (idx_t k = 0; k < 2 && st == TAIN_OK; k++)
        st = tain_scan_append(duckdb_struct_vector_get_child(entries, k), types[k], e.offset, e.length, &io->children[k], err);
    duckdb_destroy_logical_type(&types[0]);
    duckdb_destroy_logical_type(&types[1]);
    TAIN_TRY(st);
    tain_column_end_list(io);
    return TAIN_OK;
}

/* Members go by name: a column may ask for some of them, and for some that are not there. */
static tain_status append_struct(const source *s, duckdb_logical_type type, size_t i, tain_column *io, tain_error *err)
{
    idx_t count = duckdb_struct_type_child_count(type);
    for (size_t c = 0; c < io->type.child_count; c++) {
        tain_status st = TAIN_E_NOT_FOUND;
        for (idx_t k = 0; k < count && st == TAIN_E_NOT_FOUND; k++) {
            char *name = duckdb_struct_type_child_name(type, k);
            if (strcmp(name, io->type.children[c].name) == 0) {
                duckdb_logical_type child = duckdb_struct_type_child_type(type, k);
                st = tain_scan_append(duckdb_struct_vector_get_child(s->vector, k), child, i, 1, &io->children[c], err);
                duckdb_destroy_logical_type(&child);
            }
            duckdb_free(name);
        }
        if (st == TAIN_E_NOT_FOUND) {
            tain_column_append_null(&io->children[c]);
        } else {
            TAIN_TRY(st);
        }
    }
    tain_column_end_struct(io);
    return TAIN_OK;
}

static tain_status mismatch(const source *s, const tain_column *io, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    tain_type_name(&io->type, &name);
    return tain_fail(err, TAIN_E_INVALID, "a value of DuckDB's type %d cannot be read as %s", (int)s->type, tain_buffer_cstr(&name));
}

static tain_status append_value(const source *s, duckdb_logical_type type, size_t i, tain_column *io, tain_error *err)
{
    if (is_null(s, i)) {
        tain_column_append_null(io);
        return TAIN_OK;
    }
    if (io->type.kind == TAIN_LIST && s->type == DUCKDB_TYPE_LIST) return append_list(s, type, i, io, err);
    if (io->type.kind == TAIN_MAP && s->type == DUCKDB_TYPE_MAP) return append_map(s, type, i, io, err);
    if (io->type.kind == TAIN_STRUCT && s->type == DUCKDB_TYPE_STRUCT) return append_struct(s, type, i, io, err);
    if (io->type.kind == TAIN_LIST || io->type.kind == TAIN_MAP || io->type.kind == TAIN_STRUCT) return mismatch(s, io, err);
    return append_scalar(s, i, io) ? TAIN_OK : mismatch(s, io, err);
}

tain_status tain_scan_append(duckdb_vector vector, duckdb_logical_type type, size_t first, size_t n, tain_column *io, tain_error *err)
{
    source s = look(vector, type);
    for (size_t i = first; i < first + n; i++) TAIN_TRY(append_value(&s, type, i, io, err));
    return TAIN_OK;
}
