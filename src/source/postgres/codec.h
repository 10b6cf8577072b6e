/* SPDX-License-Identifier: MIT */
/* codec.h -- one PostgreSQL column's values into one tain_column.
 *
 * A codec is chosen once a column, when its shape is read from the catalog, and holds everything that can be hoisted out
 * of the per-value path. It can read a value in the server's binary and in its text form; a type whose binary form is
 * not read here has binary == NULL, is asked for as text in COPY, and makes the stream run in text.
 *
 * A decoder appends exactly one value when it returns >= 0: the value itself (TAIN_PG_FINE), or what the policy puts in
 * place of a value that Delta cannot hold, and then the return says why. Below 0 the value was not appended whole and
 * the row must be abandoned (tain_pg_say_refusal has the words). Codecs are immutable once built. Thread: any. */
#ifndef TAIN_SOURCE_POSTGRES_CODEC_H
#define TAIN_SOURCE_POSTGRES_CODEC_H

#include "batch/column.h"

typedef struct tain_pg_codec tain_pg_codec;
typedef struct tain_pg_type  tain_pg_type;

typedef enum tain_pg_say {
    TAIN_PG_TOO_LARGE = -4, /* no column holds so much text */
    TAIN_PG_AMBIGUOUS = -3, /* replaced, a value of the key would make different rows one */
    TAIN_PG_REFUSED = -2,  /* policy "error": the value may not be replaced */
    TAIN_PG_MALFORMED = -1,
    TAIN_PG_FINE = 0,
    TAIN_PG_RANGE,         /* outside what the column's type holds */
    TAIN_PG_INFINITE,
    TAIN_PG_NAN,
    TAIN_PG_DIMENSIONS,    /* an array of more dimensions than declared */
    TAIN_PG_UTF8,
    TAIN_PG_ROUNDED,       /* policy "clamp": to as many digits as the decimal has */
} tain_pg_say;

/* "value_out_of_range" ...: the code for the sink's warn. */
const char *tain_pg_say_code(tain_pg_say say);
/* What is wrong with a value that was not taken (say < 0), and what to do. */
typedef struct tain_pg_refusal { const char *reason, *remedy; } tain_pg_refusal;
tain_pg_refusal tain_pg_say_refusal(tain_pg_say say);

typedef tain_pg_say (*tain_pg_decode)(const tain_pg_codec *c, tain_column *out, const uint8_t *p, size_t n);

/* How COPY is asked for a column. */
typedef enum tain_pg_ask { TAIN_PG_ASK_BINARY, TAIN_PG_ASK_TEXT } tain_pg_ask;
/* What becomes of a value no Delta type holds. STRING: a column that can have such values is text. */
typedef enum tain_pg_range { TAIN_PG_RANGE_NULL, TAIN_PG_RANGE_CLAMP, TAIN_PG_RANGE_ERROR, TAIN_PG_RANGE_STRING } tain_pg_range;

struct tain_pg_codec {
    tain_pg_decode       binary;  /* NULL: only text can be read */
    tain_pg_decode       text;
    tain_pg_decode       copy;    /* of what `ask` brings */
    tain_pg_ask          ask;
    tain_type            type;    /* of the column; a list's element is owned by the schema it was built for */
    tain_pg_range        range;
    bool                 as_text; /* the value is the server's canonical text of a type that has no Delta counterpart */
    bool                 limited; /* the type has values that Delta's has not */
    bool                 key;     /* of a column that tells rows apart: no value is replaced */
    char                 delimiter; /* between array elements */
    const tain_pg_codec *element;
    const tain_pg_type  *pg;      /* base type, domains looked through */
};

/* What the catalog says of a type (type.c reads it). */
struct tain_pg_type {
    uint32_t oid, element_oid, base_oid, relation_oid;
    int32_t  base_typmod, base_dimensions;
    char    *schema, *name, *out_schema, *out_name, *send_name;
    char     kind;      /* typtype: b c d e r m p */
    char     delimiter;
    bool     is_array;  /* a true array, not int2vector and the like */
    bool     complete;  /* the pointers below are set */
    const tain_pg_type *element, *base;
    struct tain_pg_type_field { char *name; uint32_t type_oid; const tain_pg_type *type; } *fields; /* of a composite */
    size_t   field_count;
    char   **labels; /* of an enum, by age */
    size_t   label_count;
};

/* The text of a "char", of which every byte is one character. */
void tain_pg_put_char(tain_buffer *out, uint8_t c);

/* Appends what the policy puts in place of a value; sign says to which side of the range it lies, 0: to none. */
tain_pg_say tain_pg_substitute(const tain_pg_codec *c, tain_column *out, tain_pg_say why, int sign);

/* What was said of a value of that size, unless its text has outgrown the column: the row must be abandoned then. */
static inline tain_pg_say tain_pg_say_if_fits(tain_pg_say say, const tain_column *out, size_t size)
{
    bool fits = __builtin_expect(size < 64 << 20, 1) || out->bytes.size <= INT32_MAX;
    return fits ? say : TAIN_PG_TOO_LARGE;
}

/* Ends a text value whose bytes were appended to out->bytes since the last value. */
static inline void tain_pg_end_text(tain_column *out)
{
    if (out->values.size == 0) tain_buffer_append_zero(&out->values, 4);
    int32_t end = (int32_t)out->bytes.size;
    memcpy(tain_buffer_reserve(&out->values, 4), &end, 4);
    out->values.size += 4;
    tain_column_end_value_(out);
}

#define TAIN_PG_DECODER(name) tain_pg_say name(const tain_pg_codec *c, tain_column *out, const uint8_t *p, size_t n)
/* scalar.c */
TAIN_PG_DECODER(tain_pg_bool_binary);
TAIN_PG_DECODER(tain_pg_bool_text);
TAIN_PG_DECODER(tain_pg_int16_binary);
TAIN_PG_DECODER(tain_pg_int16_text);
TAIN_PG_DECODER(tain_pg_int32_binary);
TAIN_PG_DECODER(tain_pg_int32_text);
TAIN_PG_DECODER(tain_pg_int64_binary);
TAIN_PG_DECODER(tain_pg_int64_text);
TAIN_PG_DECODER(tain_pg_uint32_binary); /* oid, xid, cid -> INT64 */
TAIN_PG_DECODER(tain_pg_uint64_binary); /* xid8 -> DECIMAL(20,0) */
TAIN_PG_DECODER(tain_pg_uint64_text);
TAIN_PG_DECODER(tain_pg_float_binary);
TAIN_PG_DECODER(tain_pg_float_text);
TAIN_PG_DECODER(tain_pg_double_binary);
TAIN_PG_DECODER(tain_pg_double_text);
TAIN_PG_DECODER(tain_pg_bytes_binary);  /* bytea; texts that need no look */
TAIN_PG_DECODER(tain_pg_bytea_text);
TAIN_PG_DECODER(tain_pg_checked_text);  /* text from a server that does not know its encoding */
TAIN_PG_DECODER(tain_pg_versioned_binary); /* jsonb, jsonpath: a version byte, then text */
TAIN_PG_DECODER(tain_pg_uuid_binary);
TAIN_PG_DECODER(tain_pg_char_binary);
TAIN_PG_DECODER(tain_pg_char_text);
TAIN_PG_DECODER(tain_pg_bits_binary);
TAIN_PG_DECODER(tain_pg_lsn_binary);
TAIN_PG_DECODER(tain_pg_money_binary);
TAIN_PG_DECODER(tain_pg_hex_binary);    /* PostGIS: EWKB, which its text form shows in hexadecimal digits */
/* numeric.c */
TAIN_PG_DECODER(tain_pg_decimal64_binary);
TAIN_PG_DECODER(tain_pg_decimal128_binary);
TAIN_PG_DECODER(tain_pg_decimal_text);
TAIN_PG_DECODER(tain_pg_numeric_text_binary); /* -> STRING */
TAIN_PG_DECODER(tain_pg_numeric_double_binary);
TAIN_PG_DECODER(tain_pg_numeric_double_text);
/* moment.c */
TAIN_PG_DECODER(tain_pg_date_binary);
TAIN_PG_DECODER(tain_pg_date_text);
TAIN_PG_DECODER(tain_pg_timestamp_binary);
TAIN_PG_DECODER(tain_pg_timestamp_text);
TAIN_PG_DECODER(tain_pg_time_binary);
TAIN_PG_DECODER(tain_pg_timetz_binary);
TAIN_PG_DECODER(tain_pg_interval_binary);
TAIN_PG_DECODER(tain_pg_finite_interval_binary); /* of servers before 17, which know no infinite one */
/* network.c */
TAIN_PG_DECODER(tain_pg_inet_binary);
TAIN_PG_DECODER(tain_pg_macaddr_binary);
/* array.c */
TAIN_PG_DECODER(tain_pg_array_binary);
TAIN_PG_DECODER(tain_pg_array_text);
TAIN_PG_DECODER(tain_pg_vector_binary);
TAIN_PG_DECODER(tain_pg_vector_text);
/* jsontext.c: text form -> JSON as to_json() gives */
TAIN_PG_DECODER(tain_pg_json_text);
TAIN_PG_DECODER(tain_pg_checked_json_text);

/* One array in text form, element by element. */
typedef struct tain_pg_array_reader {
    const char *at, *end;
    int         depth;
    char        delimiter;
    bool        bad, quoted;
} tain_pg_array_reader;
typedef enum tain_pg_token { TAIN_PG_OPEN, TAIN_PG_CLOSE, TAIN_PG_NULL, TAIN_PG_VALUE, TAIN_PG_END } tain_pg_token;
tain_pg_array_reader tain_pg_array_reader_of(const void *text, size_t n, char delimiter);
/* The next token; a VALUE's unescaped text replaces what is in out. */
tain_pg_token tain_pg_array_next(tain_pg_array_reader *r, tain_buffer *out);

#endif
