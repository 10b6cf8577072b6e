/* SPDX-License-Identifier: MIT */
/* thrift.h -- Thrift's compact protocol, as far as Parquet needs it.
 *
 * Writing cannot fail. Reading never goes past the end: whatever is wrong makes `bad` true, after which every read gives
 * zero and every struct ends at once; the caller looks at `bad` when it is done. */
#ifndef TAIN_PARQUET_THRIFT_H
#define TAIN_PARQUET_THRIFT_H

#include <stdbool.h>

#include "base/buffer.h"

typedef enum tain_thrift_type {
    TAIN_THRIFT_TRUE = 1,
    TAIN_THRIFT_FALSE = 2,
    TAIN_THRIFT_I8 = 3,
    TAIN_THRIFT_I16 = 4,
    TAIN_THRIFT_I32 = 5,
    TAIN_THRIFT_I64 = 6,
    TAIN_THRIFT_DOUBLE = 7,
    TAIN_THRIFT_BINARY = 8,
    TAIN_THRIFT_LIST = 9,
    TAIN_THRIFT_SET = 10,
    TAIN_THRIFT_MAP = 11,
    TAIN_THRIFT_STRUCT = 12,
} tain_thrift_type;

typedef struct tain_thrift_out {
    tain_buffer *out;  /* borrowed */
    int          last; /* id of the field written last in the struct that is open */
} tain_thrift_out;

void tain_thrift_put_bool(tain_thrift_out *t, int id, bool v);
void tain_thrift_put_i8(tain_thrift_out *t, int id, int8_t v);
void tain_thrift_put_i32(tain_thrift_out *t, int id, int32_t v);
void tain_thrift_put_i64(tain_thrift_out *t, int id, int64_t v);
void tain_thrift_put_binary(tain_thrift_out *t, int id, const void *data, size_t n);
void tain_thrift_put_str(tain_thrift_out *t, int id, const char *s);
/* A field whose value is there as bytes (none for booleans, which their type is). */
void tain_thrift_put_raw(tain_thrift_out *t, int id, int type, const void *data, size_t n);
/* A struct as a field; returns what end wants back. Elements of a list begin with tain_thrift_element. */
int  tain_thrift_begin(tain_thrift_out *t, int id);
int  tain_thrift_element(tain_thrift_out *t);
void tain_thrift_end(tain_thrift_out *t, int outer);
/* Header of a list; its elements follow. */
void tain_thrift_put_list(tain_thrift_out *t, int id, tain_thrift_type element, size_t n);
/* Elements of lists of numbers, bytes and booleans. */
void tain_thrift_put_raw_int(tain_thrift_out *t, int64_t v);
void tain_thrift_put_raw_binary(tain_thrift_out *t, const void *data, size_t n);
void tain_thrift_put_raw_bool(tain_thrift_out *t, bool v);

typedef struct tain_thrift_in {
    const uint8_t *at, *end;
    int            depth;
    bool           bad;
} tain_thrift_in;

typedef struct tain_thrift_field {
    int id; /* start with 0 */
    int type;
} tain_thrift_field;

/* Enters a struct (false: too deep, then bad) and leaves it. */
bool tain_thrift_enter(tain_thrift_in *t);
void tain_thrift_leave(tain_thrift_in *t);
/* Goes to the next field of the struct; false at its end. The caller reads or skips the value. */
bool tain_thrift_next(tain_thrift_in *t, tain_thrift_field *io);
void tain_thrift_skip(tain_thrift_in *t, int type);
/* Values of the field; another type than expected makes bad true. */
bool       tain_thrift_bool(tain_thrift_in *t, const tain_thrift_field *f);
int64_t    tain_thrift_int(tain_thrift_in *t, const tain_thrift_field *f); /* I8..I64 */
tain_slice tain_thrift_binary(tain_thrift_in *t, const tain_thrift_field *f);
bool       tain_thrift_is(tain_thrift_in *t, const tain_thrift_field *f, int type);
/* Number of elements, never more than bytes are left; *ret_type is their type. */
size_t     tain_thrift_list(tain_thrift_in *t, const tain_thrift_field *f, int *ret_type);
/* An element of a list of integers, binaries. */
int64_t    tain_thrift_raw_int(tain_thrift_in *t, int type);
tain_slice tain_thrift_raw_binary(tain_thrift_in *t);

#endif
