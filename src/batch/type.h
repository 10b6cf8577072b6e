/* SPDX-License-Identifier: MIT */
/* type.h -- the types a column can have: those of Delta, laid out as Arrow does.
 *
 * kind           value bytes                                 Delta name
 * BOOL           1 bit, LSB first                            boolean
 * INT8..INT64    1, 2, 4, 8, little-endian                   byte short integer long
 * FLOAT DOUBLE   4, 8                                        float double
 * DECIMAL        8 if precision <= 18, else 16 (two's        decimal(p,s)
 *                complement, unscaled)
 * STRING BINARY  int32 offsets + bytes; string is UTF-8      string binary
 * DATE           int32 days since 1970-01-01                 date
 * TIMESTAMP      int64 microseconds, UTC                     timestamp
 * TIMESTAMP_NTZ  int64 microseconds, no zone                 timestamp_ntz
 * LIST           int32 offsets; children[0] is the element   array<...>
 * STRUCT         children                                    struct<...>      (log checkpoints only)
 * MAP            as LIST of STRUCT{key,value}                map<...>         (log checkpoints only)
 */
#ifndef TAIN_BATCH_TYPE_H
#define TAIN_BATCH_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

typedef enum tain_kind {
    TAIN_BOOL, TAIN_INT8, TAIN_INT16, TAIN_INT32, TAIN_INT64, TAIN_FLOAT, TAIN_DOUBLE, TAIN_DECIMAL,
    TAIN_STRING, TAIN_BINARY, TAIN_DATE, TAIN_TIMESTAMP, TAIN_TIMESTAMP_NTZ, TAIN_LIST, TAIN_STRUCT, TAIN_MAP,
} tain_kind;

typedef struct tain_field tain_field;

typedef struct tain_type {
    tain_kind   kind;
    uint8_t     precision, scale; /* DECIMAL */
    uint16_t    child_count;      /* LIST 1, MAP 2 (key, value), STRUCT n */
    tain_field *children;         /* owned by the schema's arena or static */
} tain_type;

struct tain_field {
    const char *name;     /* logical name */
    const char *physical; /* name in Parquet, statistics; same as name unless column mapping is on */
    tain_type   type;
    bool        nullable;
    int32_t     id;       /* column mapping id, 0: none */
    int32_t     source_id; /* what the column is in its source under any name (attribute number), 0: its name is all there is */
    const char *kept;     /* the source has it no more: the name it had there; NULL: it has */
    const char *metadata; /* other members of Delta's field metadata, a JSON object; NULL: none */
};

/* Columns in order. A schema owns its fields and their text through its arena. */
typedef struct tain_schema {
    tain_arena  arena;
    tain_field *fields;
    size_t      count, capacity;
} tain_schema;

tain_schema *tain_schema_new(void);
void         tain_schema_free(tain_schema *s); /* accepts NULL */
tain_schema *tain_schema_copy(const tain_schema *s);
/* Appends a nullable field; type's children are copied deeply. Returns it. */
tain_field *tain_schema_add(tain_schema *s, const char *name, tain_type type);
/* Appends a copy of that field, of whatever schema. Returns it. */
tain_field *tain_schema_append(tain_schema *s, const tain_field *f);
/* Index of the field with that logical name, or -1. */
int  tain_schema_find(const tain_schema *s, const char *name);
int  tain_schema_find_physical(const tain_schema *s, const char *physical); /* likewise by its name in data files */
bool tain_schema_equal(const tain_schema *a, const tain_schema *b); /* names, types, order */
bool tain_type_equal(const tain_type *a, const tain_type *b);

/* List of element; allocates the element in the schema's arena. */
tain_type tain_type_list(tain_schema *s, tain_type element);
static inline tain_type tain_type_of(tain_kind kind) { return (tain_type){.kind = kind}; }
static inline tain_type tain_type_decimal(unsigned precision, unsigned scale)
{
    return (tain_type){.kind = TAIN_DECIMAL, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
}
/* Bytes a value takes in `values`; 0 for BOOL (bits) and STRUCT, 4 for offsets of STRING, BINARY, LIST, MAP. */
size_t tain_type_width(const tain_type *t);

/* "decimal(10,2)", "array<integer>": appended, for messages. */
void tain_type_name(const tain_type *t, tain_buffer *out);
/* Delta's schemaString and back (PROTOCOL.md, Schema Serialization Format). */
void        tain_schema_to_json(const tain_schema *s, tain_buffer *out);
tain_status tain_schema_from_json(const char *text, size_t n, tain_schema **ret, tain_error *err);

TAIN_AUTO_DEFINE(tain_schema, tain_schema_free)

#endif
