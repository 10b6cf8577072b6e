/* SPDX-License-Identifier: MIT */
/* result.h -- values of a query's result by column name; a NULL reads as "", 0 or false. */
#ifndef TAIN_SOURCE_POSTGRES_RESULT_H
#define TAIN_SOURCE_POSTGRES_RESULT_H

#include <assert.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buffer.h"

static inline int tain_pg_field(const PGresult *r, const char *name)
{
    int field = PQfnumber(r, name);
    assert(field >= 0);
    return field;
}
static inline const char *tain_pg_get(const PGresult *r, int row, const char *name) { return PQgetvalue(r, row, tain_pg_field(r, name)); }
static inline bool tain_pg_is_null(const PGresult *r, int row, const char *name) { return PQgetisnull(r, row, tain_pg_field(r, name)); }
static inline bool tain_pg_get_bool(const PGresult *r, int row, const char *name) { return *tain_pg_get(r, row, name) == 't'; }
static inline int64_t tain_pg_get_int(const PGresult *r, int row, const char *name) { return strtoll(tain_pg_get(r, row, name), NULL, 10); }
static inline double tain_pg_get_double(const PGresult *r, int row, const char *name) { return strtod(tain_pg_get(r, row, name), NULL); }
static inline uint32_t tain_pg_get_oid(const PGresult *r, int row, const char *name)
{
    return (uint32_t)strtoul(tain_pg_get(r, row, name), NULL, 10);
}
/* How many rows from `first` on have the same OID in that field. */
static inline int tain_pg_rows_of(const PGresult *r, int first, const char *field)
{
    uint32_t oid = tain_pg_get_oid(r, first, field);
    int n = 1;
    while (first + n < PQntuples(r) && tain_pg_get_oid(r, first + n, field) == oid) n++;
    return n;
}
/* "{1,2,3}" appended */
static inline void tain_pg_put_oids(tain_buffer *out, const uint32_t *oids, size_t n)
{
    tain_buffer_append_u8(out, '{');
    for (size_t i = 0; i < n; i++) tain_buffer_printf(out, "%s%u", i ? "," : "", oids[i]);
    tain_buffer_append_u8(out, '}');
}

#endif
