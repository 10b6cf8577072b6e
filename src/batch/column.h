/* SPDX-License-Identifier: MIT */
/* column.h -- one column being built or read, in Arrow's memory layout.
 *
 * Invariants: length counts appended values, nulls included; `validity` is empty while null_count is 0 and has a bit
 * for every value afterwards; a null keeps its slot in `values` (zero) and, for offsets, adds no bytes. A zeroed column
 * with `type` set is empty and valid. The append functions are what drivers call per value: no allocation but the
 * amortised growth of buffers. Not thread-safe. */
#ifndef TAIN_BATCH_COLUMN_H
#define TAIN_BATCH_COLUMN_H

#include "batch/type.h"

typedef struct tain_column tain_column;
struct tain_column {
    tain_type    type;
    size_t       length, null_count;
    tain_buffer  validity; /* LSB-first bits, 1: value */
    tain_buffer  values;   /* fixed width values, bits of BOOL, or length + 1 int32 offsets (0 entries while empty) */
    tain_buffer  bytes;    /* STRING, BINARY: payload */
    tain_column *children; /* LIST 1, MAP 2, STRUCT child_count */
};

void tain_column_init(tain_column *c, tain_type type); /* type borrowed: its schema must outlive c */
void tain_column_done(tain_column *c);
void tain_column_clear(tain_column *c); /* length 0, memory kept unless it is very much */
/* Bytes of memory in use (sizes, not capacities), children included. */
size_t tain_column_bytes(const tain_column *c);
/* The same of values first..first+n-1 alone, without their validity. */
size_t tain_column_range_bytes(const tain_column *c, size_t first, size_t n);

void tain_column_validity_begin(tain_column *c); /* slow path: makes the bitmap, all ones */
_Noreturn void tain_column_overflow_(void);

static inline bool tain_bit(const uint8_t *bits, size_t i) { return bits[i >> 3] >> (i & 7) & 1; }
static inline void tain_bit_append(tain_buffer *b, size_t i, bool v)
{
    if ((i & 7) == 0) tain_buffer_append_u8(b, 0);
    if (v) b->data[i >> 3] |= (uint8_t)(1u << (i & 7));
}
static inline bool tain_column_is_null(const tain_column *c, size_t i)
{
    return c->null_count != 0 && !tain_bit(c->validity.data, i);
}
static inline void tain_column_end_value_(tain_column *c)
{
    if (c->null_count) tain_bit_append(&c->validity, c->length, true);
    c->length++;
}

#define TAIN_COLUMN_APPEND(suffix, ctype)                                      \
    static inline void tain_column_append_##suffix(tain_column *c, ctype v)    \
    {                                                                          \
        memcpy(tain_buffer_reserve(&c->values, sizeof v), &v, sizeof v);       \
        c->values.size += sizeof v;                                            \
        tain_column_end_value_(c);                                             \
    }
TAIN_COLUMN_APPEND(i8, int8_t)     /* INT8 */
TAIN_COLUMN_APPEND(i16, int16_t)   /* INT16 */
TAIN_COLUMN_APPEND(i32, int32_t)   /* INT32, DATE */
TAIN_COLUMN_APPEND(i64, int64_t)   /* INT64, TIMESTAMP*, DECIMAL p <= 18 */
TAIN_COLUMN_APPEND(i128, __int128) /* DECIMAL p > 18 */
TAIN_COLUMN_APPEND(float, float)
TAIN_COLUMN_APPEND(double, double)
#undef TAIN_COLUMN_APPEND

static inline void tain_column_append_bool(tain_column *c, bool v)
{
    tain_bit_append(&c->values, c->length, v);
    tain_column_end_value_(c);
}
/* Makes the first offset, and `bytes` not NULL, as pointers into it are formed even where nothing is in it. */
static inline void tain_column_begin_offsets_(tain_column *c)
{
    if (c->values.size) return;
    tain_buffer_append_zero(&c->values, 4);
    tain_buffer_reserve(&c->bytes, 1);
}
/* Aborts when an offset does not fit: text of 2 GiB, or as many elements, in one column. */
static inline void tain_column_check_offset_(size_t end)
{
    if (__builtin_expect(end > INT32_MAX, 0)) tain_column_overflow_();
}
/* STRING, BINARY: append the bytes to `bytes` first, then close the value with this. */
static inline void tain_column_end_bytes(tain_column *c)
{
    tain_column_begin_offsets_(c);
    tain_column_check_offset_(c->bytes.size);
    int32_t end = (int32_t)c->bytes.size;
    memcpy(tain_buffer_reserve(&c->values, 4), &end, 4);
    c->values.size += 4;
    tain_column_end_value_(c);
}
static inline void tain_column_append_bytes(tain_column *c, const void *data, size_t n) /* STRING, BINARY */
{
    tain_buffer_append(&c->bytes, data, n);
    tain_column_end_bytes(c);
}
/* LIST: append the elements to children[0] first, then close the list with this. MAP: keys and values likewise. */
void tain_column_end_list(tain_column *c);
/* STRUCT: append one value to every child first. */
void tain_column_end_struct(tain_column *c);
/* Any type; a null list has no elements, a null struct appends null to every child. */
void tain_column_append_null(tain_column *c);
/* Forgets values at and behind `length` (undo of a half-read row). */
void tain_column_truncate(tain_column *c, size_t length);

/* Payload of value i of a STRING or BINARY column. */
static inline tain_slice tain_column_slice(const tain_column *c, size_t i)
{
    const int32_t *o = (const int32_t *)c->values.data;
    return (tain_slice){c->bytes.data + o[i], (size_t)(o[i + 1] - o[i])};
}
static inline __int128 tain_column_decimal(const tain_column *c, size_t i)
{
    if (c->type.precision <= 18) return ((const int64_t *)c->values.data)[i];
    __int128 v;
    memcpy(&v, c->values.data + i * 16, 16);
    return v;
}

/* Appends n values of src, at rows[k] (NULL: first..first+n-1). Types must be equal. */
void tain_column_take(tain_column *dst, const tain_column *src, const uint32_t *rows, size_t first, size_t n);
/* Appends value i as people and files read it: decimals with point, ISO dates, hex for binary, JSON for lists; null: "". */
void tain_column_text(const tain_column *c, size_t i, tain_buffer *out);
/* Same value, null equal to null, -0.0 equal to 0.0 never, NaN equal to NaN. Types must be equal. */
bool tain_column_equal_at(const tain_column *a, size_t i, const tain_column *b, size_t j);

#endif
