/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/text.h"
#include "batch/bits.h"
#include "scan/internal.h"

tain_status tain_lane_mismatch(const tain_lane *l, const tain_column *to, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    tain_type_name(&to->type, &name);
    tain_status status = tain_fail(err, TAIN_E_INVALID, "DuckDB's type %d is not %s", (int)l->type, tain_buffer_cstr(&name));
    tain_error_remedy(err, "cast the column to %s in the query", tain_buffer_cstr(&name));
    return status;
}

static tain_status out_of_range(const tain_column *to, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    tain_type_name(&to->type, &name);
    return tain_fail(err, TAIN_E_INVALID, "a value does not fit into %s exactly", tain_buffer_cstr(&name));
}

/* --- equal layouts ------------------------------------------------------------------------------------------------- */

static void append_run(const void *data, size_t width, size_t n, tain_column *to)
{
    tain_buffer_append(&to->values, data, n * width);
    if (to->null_count) tain_bits_fill(&to->validity, to->length, true, n);
    to->length += n;
}

static void append_plain(const tain_lane *l, size_t width, size_t first, size_t n, tain_column *to)
{
    const uint8_t *data = l->data;
    size_t begin = first, end = first + n;
    for (size_t i = first; l->valid && i < end; i++) {
        if (!tain_lane_is_null(l, i)) continue;
        append_run(data + begin * width, width, i - begin, to);
        tain_column_append_null(to);
        begin = i + 1;
    }
    append_run(data + begin * width, width, end - begin, to);
}

static void append_bools(const tain_lane *l, size_t first, size_t n, tain_column *to)
{
    const bool *data = l->data;
    for (size_t i = first; i < first + n; i++) {
        if (tain_lane_is_null(l, i)) tain_column_append_null(to);
        else tain_column_append_bool(to, data[i]);
    }
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

bool tain_lane_is_exact(duckdb_type t)
{
    switch (t) {
    case DUCKDB_TYPE_TINYINT: case DUCKDB_TYPE_SMALLINT: case DUCKDB_TYPE_INTEGER: case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT: case DUCKDB_TYPE_USMALLINT: case DUCKDB_TYPE_UINTEGER: case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT: case DUCKDB_TYPE_UHUGEINT: case DUCKDB_TYPE_DECIMAL: return true;
    default: return false;
    }
}

bool tain_lane_is_number(const tain_lane *l)
{
    return l->type == DUCKDB_TYPE_FLOAT || l->type == DUCKDB_TYPE_DOUBLE || tain_lane_is_exact(l->type);
}

/* False: more than 127 bits. */
static bool number_at(const tain_lane *l, size_t i, __int128 *ret)
{
    switch (l->physical) {
    case DUCKDB_TYPE_TINYINT: *ret = ((const int8_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_SMALLINT: *ret = ((const int16_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_INTEGER: *ret = ((const int32_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_BIGINT: *ret = ((const int64_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_UTINYINT: *ret = ((const uint8_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_USMALLINT: *ret = ((const uint16_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_UINTEGER: *ret = ((const uint32_t *)l->data)[i]; return true;
    case DUCKDB_TYPE_UBIGINT: *ret = ((const uint64_t *)l->data)[i]; return true;
    default: memcpy(ret, (const uint8_t *)l->data + i * 16, 16); return l->type != DUCKDB_TYPE_UHUGEINT || *ret >= 0;
    }
}

static bool rescale(__int128 *io, unsigned from, unsigned to)
{
    for (; from < to; from++)
        if (__builtin_mul_overflow(*io, (__int128)10, io)) return false;
    for (; from > to; from--) {
        if (*io % 10) return false;
        *io /= 10;
    }
    return true;
}

static bool fits_decimal(__int128 v, unsigned precision)
{
    __int128 limit = 1;
    for (unsigned i = 0; i < precision; i++) limit *= 10;
    return v > -limit && v < limit;
}

static bool append_number(__int128 v, tain_column *to)
{
    int64_t narrow = (int64_t)v;
    switch (to->type.kind) {
    case TAIN_INT8:
        if (v != (int8_t)v) return false;
        tain_column_append_i8(to, (int8_t)v);
        return true;
    case TAIN_INT16:
        if (v != (int16_t)v) return false;
        tain_column_append_i16(to, (int16_t)v);
        return true;
    case TAIN_INT32:
        if (v != (int32_t)v) return false;
        tain_column_append_i32(to, (int32_t)v);
        return true;
    case TAIN_DECIMAL:
        if (!fits_decimal(v, to->type.precision)) return false;
        if (to->type.precision <= 18) tain_column_append_i64(to, narrow);
        else tain_column_append_i128(to, v);
        return true;
    default:
        if (v != narrow) return false;
        tain_column_append_i64(to, narrow);
        return true;
    }
}

static tain_status append_numbers(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    unsigned scale = to->type.kind == TAIN_DECIMAL ? to->type.scale : 0;
    for (size_t i = first; i < first + n; i++) {
        __int128 v;
        if (tain_lane_is_null(l, i)) tain_column_append_null(to);
        else if (!number_at(l, i, &v) || !rescale(&v, l->scale, scale) || !append_number(v, to)) return out_of_range(to, err);
    }
    return TAIN_OK;
}

static size_t number_width(duckdb_type physical)
{
    switch (physical) {
    case DUCKDB_TYPE_TINYINT: return 1;
    case DUCKDB_TYPE_SMALLINT: return 2;
    case DUCKDB_TYPE_INTEGER: return 4;
    case DUCKDB_TYPE_BIGINT: return 8;
    default: return 0;
    }
}

static tain_status append_integers(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    if (!tain_lane_is_exact(l->type)) return tain_lane_mismatch(l, to, err);
    size_t width = tain_type_width(&to->type);
    if (to->type.kind == TAIN_DECIMAL || l->scale || number_width(l->physical) != width) return append_numbers(l, first, n, to, err);
    append_plain(l, width, first, n, to);
    return TAIN_OK;
}

static tain_status append_float(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    if (l->type != DUCKDB_TYPE_FLOAT && l->type != DUCKDB_TYPE_DOUBLE) return tain_lane_mismatch(l, to, err);
    for (size_t i = first; i < first + n; i++) {
        double v = l->type == DUCKDB_TYPE_FLOAT ? (double)((const float *)l->data)[i] : ((const double *)l->data)[i];
        if (tain_lane_is_null(l, i)) tain_column_append_null(to);
        else if (to->type.kind == TAIN_DOUBLE) tain_column_append_double(to, v);
        else if (isnan(v) || (double)(float)v == v) tain_column_append_float(to, (float)v);
        else return out_of_range(to, err);
    }
    return TAIN_OK;
}

/* --- strings ------------------------------------------------------------------------------------------------------- */

static tain_status append_text(const void *data, size_t n, bool check, tain_column *to, tain_error *err)
{
    if (n > (size_t)INT32_MAX - to->bytes.size) return tain_fail(err, TAIN_E_INVALID, "more than 2 GiB of text in one batch");
    if (check && !tain_utf8_valid(data, n)) return tain_fail(err, TAIN_E_INVALID, "bytes that are no UTF-8 cannot be a string");
    tain_column_append_bytes(to, data, n);
    return TAIN_OK;
}

static tain_status append_strings(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    bool check = l->type == DUCKDB_TYPE_BLOB && to->type.kind == TAIN_STRING;
    for (size_t i = first; i < first + n; i++) {
        if (tain_lane_is_null(l, i)) {
            tain_column_append_null(to);
            continue;
        }
        const duckdb_string_t *s = (const duckdb_string_t *)l->data + i;
        size_t size = s->value.inlined.length;
        const char *data = size <= sizeof s->value.inlined.inlined ? s->value.inlined.inlined : s->value.pointer.ptr;
        TAIN_TRY(append_text(data, size, check, to, err));
    }
    return TAIN_OK;
}

static size_t label_at(const tain_lane *l, size_t i)
{
    switch (l->physical) {
    case DUCKDB_TYPE_UTINYINT: return ((const uint8_t *)l->data)[i];
    case DUCKDB_TYPE_USMALLINT: return ((const uint16_t *)l->data)[i];
    default: return ((const uint32_t *)l->data)[i];
    }
}

static void append_labels(const tain_lane *l, size_t first, size_t n, tain_column *to)
{
    for (size_t i = first; i < first + n; i++) {
        if (tain_lane_is_null(l, i)) {
            tain_column_append_null(to);
            continue;
        }
        const char *label = l->names[label_at(l, i)];
        tain_column_append_bytes(to, label, strlen(label));
    }
}

/* DuckDB keeps a UUID as a signed 128-bit number with the highest bit flipped, so that it sorts. */
static void append_uuids(const tain_lane *l, size_t first, size_t n, tain_column *to)
{
    for (size_t i = first; i < first + n; i++) {
        if (tain_lane_is_null(l, i)) {
            tain_column_append_null(to);
            continue;
        }
        uint8_t little[16], uuid[16];
        char    text[37];
        memcpy(little, (const uint8_t *)l->data + i * 16, 16);
        for (int b = 0; b < 16; b++) uuid[b] = little[15 - b];
        uuid[0] ^= 0x80;
        tain_uuid_format(uuid, text);
        tain_column_append_bytes(to, text, 36);
    }
}

static tain_status append_string_kind(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    if (l->type == DUCKDB_TYPE_VARCHAR || l->type == DUCKDB_TYPE_BLOB) return append_strings(l, first, n, to, err);
    if (to->type.kind == TAIN_BINARY) return tain_lane_mismatch(l, to, err);
    if (l->type == DUCKDB_TYPE_ENUM) append_labels(l, first, n, to);
    else if (l->type == DUCKDB_TYPE_UUID) append_uuids(l, first, n, to);
    else return tain_lane_mismatch(l, to, err);
    return TAIN_OK;
}

/* --- instants ------------------------------------------------------------------------------------------------------ */

static bool to_micros(duckdb_type type, int64_t v, int64_t *ret)
{
    switch (type) {
    case DUCKDB_TYPE_TIMESTAMP_S: return !__builtin_mul_overflow(v, (int64_t)1000000, ret);
    case DUCKDB_TYPE_TIMESTAMP_MS: return !__builtin_mul_overflow(v, (int64_t)1000, ret);
    default: *ret = v / 1000; return v % 1000 == 0; /* nanoseconds */
    }
}

static tain_status append_instants(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    for (size_t i = first; i < first + n; i++) {
        int64_t micros;
        if (tain_lane_is_null(l, i)) tain_column_append_null(to);
        else if (to_micros(l->type, ((const int64_t *)l->data)[i], &micros)) tain_column_append_i64(to, micros);
        else return out_of_range(to, err);
    }
    return TAIN_OK;
}

static tain_status append_timestamp_kind(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    switch (l->type) {
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: append_plain(l, 8, first, n, to); return TAIN_OK;
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS: return append_instants(l, first, n, to, err);
    default: return tain_lane_mismatch(l, to, err);
    }
}

/* --- all ----------------------------------------------------------------------------------------------------------- */

static tain_status append_nulls(size_t n, tain_column *to)
{
    for (size_t i = 0; i < n; i++) tain_column_append_null(to);
    return TAIN_OK;
}

tain_status tain_lane_append(const tain_lane *l, size_t first, size_t n, tain_column *to, tain_error *err)
{
    if (l->type == DUCKDB_TYPE_SQLNULL) return append_nulls(n, to);
    switch (to->type.kind) {
    case TAIN_BOOL:
        if (l->type != DUCKDB_TYPE_BOOLEAN) return tain_lane_mismatch(l, to, err);
        append_bools(l, first, n, to);
        return TAIN_OK;
    case TAIN_DATE:
        if (l->type != DUCKDB_TYPE_DATE) return tain_lane_mismatch(l, to, err);
        append_plain(l, 4, first, n, to);
        return TAIN_OK;
    case TAIN_FLOAT:
    case TAIN_DOUBLE: return append_float(l, first, n, to, err);
    case TAIN_STRING:
    case TAIN_BINARY: return append_string_kind(l, first, n, to, err);
    case TAIN_TIMESTAMP:
    case TAIN_TIMESTAMP_NTZ: return append_timestamp_kind(l, first, n, to, err);
    case TAIN_LIST:
    case TAIN_STRUCT:
    case TAIN_MAP: return tain_lane_append_nested(l, first, n, to, err);
    default: return append_integers(l, first, n, to, err);
    }
}
