/* SPDX-License-Identifier: MIT */
/* type.h -- PostgreSQL's types as the catalog tells them, and the codec for a column of one.
 *
 * Types are read once, with everything they are made of, and live as long as the source. Thread: source. */
#ifndef TAIN_SOURCE_POSTGRES_TYPE_H
#define TAIN_SOURCE_POSTGRES_TYPE_H

#include "source/postgres/codec.h"
#include "source/postgres/connection.h"

enum {
    TAIN_PG_BOOL = 16, TAIN_PG_BYTEA = 17, TAIN_PG_CHAR = 18, TAIN_PG_NAME = 19, TAIN_PG_INT8 = 20, TAIN_PG_INT2 = 21,
    TAIN_PG_INT4 = 23, TAIN_PG_TEXT = 25, TAIN_PG_OID = 26, TAIN_PG_XID = 28, TAIN_PG_CID = 29, TAIN_PG_JSON = 114,
    TAIN_PG_CIDR = 650, TAIN_PG_FLOAT4 = 700, TAIN_PG_FLOAT8 = 701, TAIN_PG_MACADDR8 = 774, TAIN_PG_MONEY = 790,
    TAIN_PG_MACADDR = 829, TAIN_PG_INET = 869, TAIN_PG_BPCHAR = 1042, TAIN_PG_VARCHAR = 1043, TAIN_PG_DATE = 1082,
    TAIN_PG_TIME = 1083, TAIN_PG_TIMESTAMP = 1114, TAIN_PG_TIMESTAMPTZ = 1184, TAIN_PG_INTERVAL = 1186, TAIN_PG_TIMETZ = 1266,
    TAIN_PG_BIT = 1560, TAIN_PG_VARBIT = 1562, TAIN_PG_NUMERIC = 1700, TAIN_PG_UUID = 2950, TAIN_PG_LSN = 3220,
    TAIN_PG_JSONB = 3802, TAIN_PG_JSONPATH = 4072, TAIN_PG_XID8 = 5069,
};

typedef struct tain_pg_types {
    tain_pg_type **list;
    size_t         count, capacity;
    tain_arena     arena; /* of types and codecs */
    int            version; /* of the server they were read from */
} tain_pg_types;

void tain_pg_types_done(tain_pg_types *t);
/* Makes sure that these types and all they are made of are known. */
tain_status tain_pg_types_load(tain_pg_types *t, tain_pg_conn *conn, const uint32_t *oids, size_t n, tain_error *err);
/* Reads those that users defined again: what they are made of may have changed. Codecs keep what they were chosen for. */
tain_status tain_pg_types_renew(tain_pg_types *t, tain_pg_conn *conn, tain_error *err);
const tain_pg_type *tain_pg_types_find(const tain_pg_types *t, uint32_t oid); /* NULL: not loaded */
bool tain_pg_type_is_hstore(const tain_pg_type *t);

/* How values that have no exact counterpart are to be treated (README.md, policies). */
typedef struct tain_pg_policy {
    enum { TAIN_PG_NUMERIC_TEXT, TAIN_PG_NUMERIC_DOUBLE, TAIN_PG_NUMERIC_DECIMAL } numeric; /* without precision, or > 38 */
    uint8_t       precision, scale; /* NUMERIC_DECIMAL */
    bool          zoned;            /* timestamp without zone is stored as timestamp in UTC */
    tain_pg_range range;
} tain_pg_policy;

/* The codec of a column declared with type, typmod and so many dimensions. A list's element type is allocated in
 * schema. check_utf8: the server does not vouch for its texts. Never NULL for a loaded type. */
const tain_pg_codec *tain_pg_codec_for(tain_pg_types *t, uint32_t oid, int32_t typmod, int dimensions, const tain_pg_policy *policy,
                                       bool check_utf8, tain_schema *schema);
/* Whether values are made JSON by what their type consists of. */
bool tain_pg_codec_is_json(const tain_pg_codec *c);
/* The same for a column of the key, in which no value is replaced (TAIN_PG_AMBIGUOUS). */
const tain_pg_codec *tain_pg_codec_for_key(const tain_pg_codec *c, tain_arena *arena);

#endif
